#include "scheduler/listener.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "model/agreements.h"
#include "observe/log.h"
#include "scheduler/limits.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
namespace log = observe::log;
using postgres::Clock;
using postgres::deadline_after;
using postgres::Rows;
using postgres::Statement;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kListeningLockRetry{1000};
constexpr milliseconds kAliveCheck{10000};
constexpr milliseconds kAliveAnswer{5000};  // to a check

std::optional<std::int64_t> number_after(const std::string& payload, std::string_view kind) {
  if (!payload.starts_with(kind)) return std::nullopt;
  std::int64_t value = 0;
  const char* end = payload.data() + payload.size();
  const auto [stopped, error] = std::from_chars(payload.data() + kind.size(), end, value);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  return value;
}

}  // namespace

// The connection ------------------------------------------------------------------------------------------------------

void Listener::begin() {
  next_connect_ = Clock::now();
}

void Listener::close() {
  if (connection_) connection_->close();
  connection_.reset();
  context_->signals.set_listener(nullptr);
  locked_.clear();
  spared_.clear();
  listening_lock_ = false;
  const auto silent_for = std::chrono::ceil<milliseconds>(Clock::now() - alive_at_);
  registry_->planner().wake_all(now(), std::max(silent_for, milliseconds(0)));
}

asio::awaitable<void> Listener::open() {
  if (connection_ && connection_->usable()) co_return;
  if (connection_) {
    log::info("scheduler", "wake-up connection lost database={}", context_->name());
    close();
  }
  if (Clock::now() < next_connect_) co_return;
  auto connection = co_await sessions_->connect_for_control();
  if (!context_->leading()) co_return;
  bool listening = connection.ok();
  if (listening) {
    Statement listen;
    listen.sql = "LISTEN " + std::string(agreements::kWakeChannel);
    listening = (co_await (*connection)->query(std::move(listen), deadline_after(kQueryTimeout))).ok();
  }
  if (!listening || !context_->leading()) {
    next_connect_ = Clock::now() + context_->retry_rules().retry.delay(++failures_, context_->random01());
    co_return;
  }
  failures_ = 0;
  connection_ = *connection;
  context_->signals.set_listener(connection_);
  alive_at_ = Clock::now();
  next_listening_lock_ = Clock::now();
  context_->signals.reload_soon();  // what was notified before we listened
}

// Nothing if it fails, and if the connection is another one by the time of the answer.
asio::awaitable<std::optional<Rows>> Listener::ask(Statement statement, milliseconds timeout) {
  const ConnectionPtr connection = connection_;
  if (!connection || !connection->usable()) co_return std::nullopt;
  auto answer = co_await connection->query(std::move(statement), deadline_after(timeout));
  if (!answer || connection != connection_) co_return std::nullopt;
  alive_at_ = Clock::now();
  co_return std::move(*answer);
}

// Locks of sources ----------------------------------------------------------------------------------------------------

asio::awaitable<void> Listener::unlock(std::vector<SourceId> sources) {
  std::erase_if(sources, [this](SourceId source) { return locked_.erase(source) == 0; });
  if (!sources.empty()) (void)co_await ask(sql::unlock_sources(sources), kQueryTimeout);
}

asio::awaitable<void> Listener::unlock_spared() {
  std::set<SourceId> sources = std::exchange(spared_, {});
  std::erase_if(sources, [this](SourceId source) { return registry_->planner().is_armed(source); });
  co_await unlock(std::vector<SourceId>(sources.begin(), sources.end()));
}

// Fails while a transaction runs whose triggers took us for awake: what it did is found by looking. False: no answer.
asio::awaitable<bool> Listener::take_listening_lock() {
  if (listening_lock_ || Clock::now() < next_listening_lock_) co_return true;
  next_listening_lock_ = Clock::now() + kListeningLockRetry;
  const auto answer = co_await ask(sql::take_listening_lock(), kQueryTimeout);
  if (!answer) co_return false;
  const auto flag = sql::read_flag(*answer);
  listening_lock_ = flag.ok() && *flag;
  co_return true;
}

// The ones that we hold are armed at once, the ones that there is no room for are refused.
std::vector<SourceId> Listener::choose_to_lock(const std::vector<SourceId>& wanted) {
  planner::RefreshPlanner& planner = registry_->planner();
  const std::size_t room = most_locks_ > locked_.size() ? most_locks_ - locked_.size() : 0;
  std::vector<SourceId> out;
  for (const SourceId source : wanted) {
    if (locked_.contains(source)) {
      planner.armed(source, Clock::now());
    } else if (out.size() < room) {
      out.push_back(source);
    } else {
      planner.refused(source, Clock::now());
    }
  }
  return out;
}

asio::awaitable<void> Listener::arm_sources() {
  const ConnectionPtr connection = connection_;
  if (!connection || !connection->usable()) co_return;
  const bool answered = co_await take_listening_lock();
  if (!answered) co_return;
  planner::RefreshPlanner& planner = registry_->planner();
  co_await unlock(planner.take_unneeded());
  if (connection != connection_) co_return;
  const std::vector<SourceId> to_lock = choose_to_lock(planner.sources_to_arm(Clock::now()));
  if (to_lock.empty()) co_return;
  const auto answer = co_await ask(sql::lock_sources(to_lock), kQueryTimeout);
  if (!answer) co_return;
  const auto locks = sql::read_source_locks(*answer);
  if (!locks) co_return;
  const TimePoint armed_at = Clock::now();
  for (const sql::SourceLock& lock : *locks) {
    if (!lock.locked) {
      planner.refused(lock.source_id, armed_at);
    } else {
      locked_.insert(lock.source_id);
      ++arms_;
      planner.armed(lock.source_id, armed_at);
    }
  }
}

// Notifications -------------------------------------------------------------------------------------------------------

void Listener::heard(const postgres::Notification& notification, std::set<SourceId>& to_unlock) {
  if (const auto source = number_after(notification.payload, agreements::kSourceWritten)) {
    if (!registry_->planner().woken(*source, now())) return;
    to_unlock.insert(*source);
    context_->observer().on_wakeup(context_->name());
  } else if (const auto table = number_after(notification.payload, agreements::kTableChanged)) {
    context_->signals.changed(*table);
  } else {
    context_->signals.reload_next();
    if (notification.payload == agreements::kAnythingChanged) {
      for (const SourceId armed : registry_->planner().wake_all(now())) to_unlock.insert(armed);
    }
  }
}

asio::awaitable<void> Listener::listen_until(TimePoint deadline) {
  const ConnectionPtr connection = connection_;
  if (!connection || !connection->usable()) {
    co_await context_->signals.wait_for_dispatch(
        std::min(deadline, std::max(next_connect_, Clock::now() + milliseconds(1))));
    co_return;
  }
  if (!listening_lock_ && context_->may_sleep) deadline = std::min(deadline, next_listening_lock_);
  deadline = std::min(deadline, alive_at_ + kAliveCheck);
  auto notification = co_await connection->wait_notification(deadline);
  std::set<SourceId> to_unlock;
  while (connection == connection_ && notification.ok() && notification->has_value()) {  // a burst is handled at once
    alive_at_ = Clock::now();
    heard(**notification, to_unlock);
    notification = co_await connection->wait_notification(Clock::now());
  }
  context_->signals.wake_control_if_asked();
  if (connection != connection_) co_return;
  // What is due at once is armed again before it is refreshed: its lock may stay.
  for (const SourceId source : registry_->planner().sources_to_arm(Clock::now())) {
    if (to_unlock.erase(source) == 1) spared_.insert(source);
  }
  co_await unlock(std::vector<SourceId>(to_unlock.begin(), to_unlock.end()));
  // A connection can be dead without a word, and nobody would be told of what is written.
  if (Clock::now() < alive_at_ + kAliveCheck) co_return;
  Statement nothing;
  nothing.sql = "SELECT";
  (void)co_await ask(std::move(nothing), kAliveAnswer);
}

}  // namespace pgtrickle::scheduler
