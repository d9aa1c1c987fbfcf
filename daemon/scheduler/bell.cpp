// The bell: a connection of the dispatcher's own that listens for pgtrickle_wake and holds the advisory locks of the
// sources that sleep. When it is lost, so are the locks: everything is awake until it is back.
//
// Payloads: s:<source id>  somebody wrote to this source         t:<pgt_id>  this stream table was changed
//           a              anything may have happened            (else)      look at the catalog

#include <algorithm>
#include <charconv>
#include <utility>

#include "observe/log.h"
#include "scheduler/database_scheduler.h"
#include "scheduler/limits.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
namespace log = observe::log;
using postgres::Clock;
using postgres::Connection;
using postgres::deadline_after;
using postgres::Rows;
using postgres::Statement;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kListeningLockRetry{1000};
constexpr milliseconds kBellCheck{10000};
constexpr milliseconds kBellAnswer{5000};  // to a check

std::optional<std::int64_t> number_after(const std::string& payload, char kind) {
  if (payload.size() < 3 || payload[0] != kind || payload[1] != ':') return std::nullopt;
  std::int64_t value = 0;
  const char* end = payload.data() + payload.size();
  const auto [stopped, error] = std::from_chars(payload.data() + 2, end, value);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  return value;
}

}  // namespace

void DatabaseScheduler::ring() {
  dispatch_signal_.set();
  if (bell_) bell_->poke();
}

void DatabaseScheduler::close_bell() {
  if (bell_) bell_->close();
  bell_.reset();
  locked_.clear();
  spared_.clear();
  listening_lock_ = false;
  const auto silent_for = std::chrono::ceil<milliseconds>(Clock::now() - bell_heard_);
  planner_.wake_all(now(), std::max(silent_for, milliseconds(0)));
}

asio::awaitable<bool> DatabaseScheduler::open_bell() {
  if (bell_ && bell_->usable()) co_return true;
  if (bell_) {
    log::info("scheduler", "wake-up connection lost database={}", database_.name);
    close_bell();
  }
  if (Clock::now() < next_bell_) co_return false;
  auto connect = connect_settings(false);
  if (!connect) co_return false;
  auto connection = co_await Connection::connect(std::move(*connect));
  if (!leading()) co_return false;
  bool listening = connection.ok();
  if (listening) {
    Statement listen;
    listen.sql = "LISTEN pgtrickle_wake";
    listening = (co_await (*connection)->query(std::move(listen), deadline_after(kQueryTimeout))).ok();
  }
  if (!listening || !leading()) {
    next_bell_ = Clock::now() + health_rules().retry.delay(++bell_failures_, random01());
    co_return false;
  }
  bell_failures_ = 0;
  bell_ = *connection;
  bell_heard_ = Clock::now();
  next_listening_lock_ = Clock::now();
  reload_soon();  // what was notified before we listened
  co_return true;
}

// Nothing if it fails, and if the bell is another one by the time of the answer.
asio::awaitable<std::optional<Rows>> DatabaseScheduler::ask_bell(Statement statement, milliseconds timeout) {
  const ConnectionPtr bell = bell_;
  if (!bell || !bell->usable()) co_return std::nullopt;
  auto answer = co_await bell->query(std::move(statement), deadline_after(timeout));
  if (!answer || bell != bell_) co_return std::nullopt;
  bell_heard_ = Clock::now();
  co_return std::move(*answer);
}

asio::awaitable<void> DatabaseScheduler::unlock(std::vector<SourceId> sources) {
  std::erase_if(sources, [this](SourceId source) { return locked_.erase(source) == 0; });
  if (!sources.empty()) (void)co_await ask_bell(sql::unlock_sources(sources), kQueryTimeout);
}

// Those that were not armed again after all: the graph has changed, or we were paused.
asio::awaitable<void> DatabaseScheduler::unlock_spared() {
  std::set<SourceId> sources = std::exchange(spared_, {});
  std::erase_if(sources, [this](SourceId source) { return planner_.is_armed(source); });
  co_await unlock(std::vector<SourceId>(sources.begin(), sources.end()));
}

// Before what is due is refreshed: then that refresh is the look that has to follow the arming, and its tables sleep.
asio::awaitable<void> DatabaseScheduler::arm_sources() {
  const ConnectionPtr bell = bell_;
  if (!bell || !bell->usable()) co_return;
  if (!listening_lock_ && Clock::now() >= next_listening_lock_) {
    // Fails while a transaction runs whose triggers took us for awake: what it did is found by looking.
    next_listening_lock_ = Clock::now() + kListeningLockRetry;
    const auto answer = co_await ask_bell(sql::try_lock(sql::kListenKey), kQueryTimeout);
    if (!answer) co_return;
    listening_lock_ = sql::read_flag(*answer).ok() && *sql::read_flag(*answer);
  }
  co_await unlock(planner_.take_unneeded());
  if (bell != bell_) co_return;
  std::vector<SourceId> wanted = planner_.sources_to_arm(Clock::now());
  if (wanted.empty()) co_return;
  const std::size_t room = most_locks_ > locked_.size() ? most_locks_ - locked_.size() : 0;
  std::vector<SourceId> to_lock;
  for (const SourceId source : wanted) {
    if (locked_.contains(source)) {
      planner_.armed(source, Clock::now());
    } else if (to_lock.size() < room) {
      to_lock.push_back(source);
    } else {
      planner_.refused(source, Clock::now());
    }
  }
  if (to_lock.empty()) co_return;
  const auto answer = co_await ask_bell(sql::lock_sources(to_lock), kQueryTimeout);
  if (!answer) co_return;
  const auto locks = sql::read_source_locks(*answer);
  if (!locks) co_return;
  const TimePoint armed_at = Clock::now();
  for (const sql::SourceLock& lock : *locks) {
    if (!lock.locked) {
      planner_.refused(lock.source_id, armed_at);
    } else {
      locked_.insert(lock.source_id);
      ++arms_;
      planner_.armed(lock.source_id, armed_at);
    }
  }
}

void DatabaseScheduler::heard(const postgres::Notification& notification, std::set<SourceId>& to_unlock) {
  if (const auto source = number_after(notification.payload, 's')) {
    if (!planner_.woken(*source, now())) return;
    to_unlock.insert(*source);
    shared_->observer->on_wakeup(database_.name);
  } else if (const auto table = number_after(notification.payload, 't')) {
    changed_tables_.insert(*table);
  } else {
    reload_requested_ = true;
    if (notification.payload == "a") {
      for (const SourceId armed : planner_.wake_all(now())) to_unlock.insert(armed);
    }
  }
}

asio::awaitable<void> DatabaseScheduler::listen_until(TimePoint deadline) {
  const ConnectionPtr bell = bell_;
  if (!bell || !bell->usable()) {
    co_await dispatch_signal_.wait(std::min(deadline, std::max(next_bell_, Clock::now() + milliseconds(1))));
    co_return;
  }
  if (!listening_lock_ && may_sleep_) deadline = std::min(deadline, next_listening_lock_);
  deadline = std::min(deadline, bell_heard_ + kBellCheck);
  auto notification = co_await bell->wait_notification(deadline);
  std::set<SourceId> to_unlock;
  while (bell == bell_ && notification.ok() && notification->has_value()) {  // a burst is handled at once
    bell_heard_ = Clock::now();
    heard(**notification, to_unlock);
    notification = co_await bell->wait_notification(Clock::now());
  }
  if ((reload_requested_ || !changed_tables_.empty()) && control_connection_) control_connection_->poke();
  if (bell != bell_) co_return;
  // What is due at once is armed again before it is refreshed: its lock may stay.
  for (const SourceId source : planner_.sources_to_arm(Clock::now())) {
    if (to_unlock.erase(source) == 1) spared_.insert(source);
  }
  co_await unlock(std::vector<SourceId>(to_unlock.begin(), to_unlock.end()));
  // A connection can be dead without a word, and nobody would be told of what is written.
  if (Clock::now() < bell_heard_ + kBellCheck) co_return;
  Statement nothing;
  nothing.sql = "SELECT";
  (void)co_await ask_bell(std::move(nothing), kBellAnswer);
}

}  // namespace pgtrickle::scheduler
