// The scheduler of one database: composes its parts, which are all on the event loop thread. Each part is held by the
// tasks that run in it, and holds those it uses. Arrows go down only:
//
//   ControlSession   connects, leads or stands by, and starts what is due
//     Leadership       holds the lock of the leader
//     CatalogLoader    brings new rows, and tells who has to hear of them
//     Dispatcher       starts refreshes
//       Listener         hears of changes; holds the locks of sources that sleep
//       OutcomeRecorder  draws the consequences
//     Maintenance      history, facts, replication; LogMaintenance: change logs
//     FrontierUpdates  what frontiers say beside refreshes
//     BuildQueue       builds and garbage, on worker threads
//       Warming          plans before they are needed
//         WorkerSessions   who may run whose code
//     AlertMonitor     what operators should hear of
//   TableRegistry    the stream tables and the plan of their refreshes
//   Sessions         connections and pools
//   Context          configuration, tasks, signals
#pragma once

#include <memory>
#include <vector>

#include "scheduler/control_session.h"

namespace pgtrickle::scheduler {

class DatabaseScheduler : public std::enable_shared_from_this<DatabaseScheduler> {
 public:
  DatabaseScheduler(std::shared_ptr<Shared> shared, config::Database database, config::Scheduler settings,
                    config::Compiler compiler);

  void start();
  /// No new work from now on; stop() waits for what runs.
  void begin_stop();
  void apply(const config::Scheduler& settings, const config::Compiler& compiler);
  [[nodiscard]] const config::Database& database() const { return context_->database; }

  /// Returns when nothing of this database runs any more, or at the deadline.
  boost::asio::awaitable<void> stop(postgres::Deadline soft, postgres::Deadline hard);

  [[nodiscard]] observe::DatabaseStatus status() const;

 private:
  [[nodiscard]] bool is_busy() const { return !context_->tasks->empty() || builds_->running() > 0; }
  boost::asio::awaitable<void> wait_until_idle(postgres::Deadline deadline);

  std::shared_ptr<Context> context_;
  std::shared_ptr<Sessions> sessions_;
  std::shared_ptr<TableRegistry> registry_;
  std::shared_ptr<AlertMonitor> alerts_;
  std::shared_ptr<LogMaintenance> logs_;
  std::shared_ptr<BuildQueue> builds_;
  std::shared_ptr<Listener> listener_;
  std::shared_ptr<Dispatcher> dispatcher_;
  std::shared_ptr<Leadership> leadership_;
  std::shared_ptr<ControlSession> control_;
};

}  // namespace pgtrickle::scheduler
