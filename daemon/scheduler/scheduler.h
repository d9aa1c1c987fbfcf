// The scheduler keeps the stream tables of every configured database fresh: it connects, becomes leader, builds new
// stream tables, finds what is due and refreshes it, records outcomes, maintains change logs and history, and
// reconnects by itself for ever. Databases that are to be discovered come and go by themselves; all share the workers
// (worker_budget.h).
//
// Threads: construct it and call everything from the one thread that runs `executor`; only builds run elsewhere (an own
// pool of worker threads). Ownership: `observer` must outlive the scheduler; the scheduler must outlive run() and
// stop(). Errors: nothing that a database does is an error of run(): it is logged, kept for status(), and tried again.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "observe/observer.h"
#include "scheduler/builder.h"

namespace pgtrickle::scheduler {

class Scheduler : public observe::StatusSource {
 public:
  Scheduler(const boost::asio::any_io_executor& executor, config::Config config, observe::Observer& observer,
            Builder builder = {});
  ~Scheduler() override;  // waits for builds that still run: await stop() first
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Serves all databases; returns after stop(). Call once.
  boost::asio::awaitable<void> run();

  /// Applies changed settings, starts added databases, ends removed ones; a database whose dsn, pool size or share of
  /// the workers changed is restarted. `config` must be validated. Takes effect during the next turn of the event loop.
  void reload(config::Config config);

  /// Stops dispatching, lets running refreshes end for half of config.shutdown_timeout, then cancels them on the
  /// server. Returns when all is closed, within the timeout. Safe to call more than once and before run().
  boost::asio::awaitable<void> stop();

  [[nodiscard]] std::vector<observe::DatabaseStatus> status() const override;

  /// A build still runs: the destructor would wait for it.
  [[nodiscard]] bool is_building() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace pgtrickle::scheduler
