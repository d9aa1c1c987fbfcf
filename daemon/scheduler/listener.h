// The listener: a connection that listens for pgtrickle_wake and holds the advisory locks of the sources that sleep.
// When it is lost, so are the locks: everything is awake until it is back. The dispatcher sleeps in it.
//
// Payloads: s:<source id>  somebody wrote to this source         t:<pgt_id>  this stream table was changed
//           a              anything may have happened            (else)      look at the catalog
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "scheduler/sessions.h"
#include "scheduler/table_registry.h"

namespace pgtrickle::scheduler {

class Listener {
 public:
  Listener(std::shared_ptr<Context> context, std::shared_ptr<Sessions> sessions,
           std::shared_ptr<TableRegistry> registry)
      : context_(std::move(context)), sessions_(std::move(sessions)), registry_(std::move(registry)) {}

  /// How many sources may sleep, for the server's lock table is shared.
  void set_most_locks(std::size_t most) { most_locks_ = most; }
  void begin();  // this daemon leads
  /// Connects, unless it is connected or has failed a moment ago.
  boost::asio::awaitable<void> open();
  void close();

  /// Before what is due is refreshed: then that refresh is the look that has to follow the arming, and its tables
  /// sleep.
  boost::asio::awaitable<void> arm_sources();
  /// The ones that were not armed again after all: the graph has changed, or we were paused.
  boost::asio::awaitable<void> unlock_spared();
  /// Until something is heard, the dispatcher is woken, or the deadline.
  boost::asio::awaitable<void> listen_until(TimePoint deadline);
  [[nodiscard]] std::int64_t arms_total() const { return arms_; }

 private:
  boost::asio::awaitable<std::optional<postgres::Rows>> ask(postgres::Statement statement,
                                                            std::chrono::milliseconds timeout);
  boost::asio::awaitable<bool> take_listening_lock();
  [[nodiscard]] std::vector<SourceId> choose_to_lock(const std::vector<SourceId>& wanted);
  boost::asio::awaitable<void> unlock(std::vector<SourceId> sources);
  void heard(const postgres::Notification& notification, std::set<SourceId>& to_unlock);

  std::shared_ptr<Context> context_;
  std::shared_ptr<Sessions> sessions_;
  std::shared_ptr<TableRegistry> registry_;
  ConnectionPtr connection_;
  std::set<SourceId> locked_;    // on the connection
  std::set<SourceId> spared_;    // of these: awake, and likely to be armed again at once
  bool listening_lock_ = false;  // DDL triggers notify
  TimePoint alive_at_;           // when it was surely alive
  TimePoint next_connect_, next_listening_lock_;
  int failures_ = 0;
  std::size_t most_locks_ = 0;
  std::int64_t arms_ = 0;
};

}  // namespace pgtrickle::scheduler
