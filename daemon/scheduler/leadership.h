// Who leads. The leader holds the lock on pgtrickle_locks.leader, in a transaction of a connection of its own that
// lasts as long as it leads: when the connection ends, for whatever reason, another daemon can lead at once. The
// transaction has no snapshot and no transaction id, so it holds nothing back.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "scheduler/alert_monitor.h"

namespace pgtrickle::scheduler {

class Leadership : public std::enable_shared_from_this<Leadership> {
 public:
  Leadership(std::shared_ptr<Context> context, std::shared_ptr<Sessions> sessions, std::shared_ptr<AlertMonitor> alerts)
      : context_(std::move(context)), sessions_(std::move(sessions)), alerts_(std::move(alerts)) {}

  /// False: somebody else leads.
  boost::asio::awaitable<postgres::Result<bool>> try_take(ConnectionPtr control);
  void begin_term();
  /// In a task: whether the session that leads lives, and whether somebody waits for its lock.
  void start_watching();
  /// Ends the term. What still runs at the end of this daemon goes on under its lock.
  void end_term();
  void close();
  /// begin_stop(): the task is to look.
  void poke();

  /// That session has ended.
  [[nodiscard]] MaybeError take_loss() { return std::exchange(lost_, std::nullopt); }
  /// Somebody waits for the lock: that is who removes pgtrickle.
  [[nodiscard]] bool wants_to_step_aside() const { return stepping_aside_; }
  [[nodiscard]] bool has_stepped_aside() { return std::exchange(stepping_aside_, false); }

  // Standing by: does the leader live?
  void forget_leader() { suspected_ = silent_ = false; }
  boost::asio::awaitable<MaybeError> look_at_leader(ConnectionPtr control);
  [[nodiscard]] bool is_silent() const { return silent_; }

 private:
  boost::asio::awaitable<void> watch(std::shared_ptr<Leadership> self, std::uint64_t term);

  std::shared_ptr<Context> context_;
  std::shared_ptr<Sessions> sessions_;
  std::shared_ptr<AlertMonitor> alerts_;
  ConnectionPtr connection_;  // holds the lock of the leader
  MaybeError lost_;
  bool stepping_aside_ = false;
  bool suspected_ = false;  // the leader does not speak
  bool silent_ = false;     // that was confirmed
};

}  // namespace pgtrickle::scheduler
