// Who leads. The leader holds the lock on pgtrickle_locks.leader, in a transaction of a connection of its own that
// lasts as long as it leads: when the connection ends, for whatever reason, another daemon can lead at once. The
// transaction has no snapshot and no transaction id, so it holds nothing back.

#include <algorithm>
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
using postgres::Error;
using postgres::Result;
using postgres::Statement;
using std::chrono::milliseconds;

namespace {

using MaybeError = std::optional<Error>;

constexpr milliseconds kLeadCheck{2000};   // does the session that leads live, and does somebody wait for its lock
constexpr milliseconds kLeadAnswer{5000};  // to that

/// What the last of these answers. In a transaction the answer would keep its snapshot until the next statement, which
/// may be tomorrow: so CLOSE ALL is that.
asio::awaitable<Result<bool>> ask(Connection& connection, std::vector<Statement> statements, milliseconds timeout) {
  const std::size_t asked = statements.size() - 1;
  statements.push_back({.sql = "CLOSE ALL"});
  const auto answers = co_await connection.pipeline(std::move(statements), deadline_after(timeout));
  if (auto error = postgres::first_error(answers)) co_return *error;
  co_return sql::read_flag(*answers[asked]);
}

}  // namespace

// False: somebody else leads. Nothing is tried where that can be seen, because it takes a connection.
asio::awaitable<Result<bool>> DatabaseScheduler::take_lead(ConnectionPtr connection) {
  const auto answer = co_await connection->query(sql::has_leader(), deadline_after(kQueryTimeout));
  if (!answer) co_return answer.error();
  const auto has_leader = sql::read_flag(*answer);
  if (!has_leader) co_return has_leader.error();
  if (*has_leader || stopping_) co_return false;
  auto settings = connect_settings(false);
  if (!settings) co_return settings.error();
  auto candidate = co_await Connection::connect(std::move(*settings));
  if (!candidate) co_return candidate.error();
  std::vector<Statement> statements{sql::no_timeouts(), {.sql = "BEGIN"}, sql::lead()};
  const auto is_ours = co_await ask(**candidate, std::move(statements), kQueryTimeout);
  if (!is_ours) co_return is_ours.error();
  if (*is_ours) {
    lead_connection_ = *candidate;
    lead_lost_.reset();
    stepping_down_ = false;
  } else {
    (*candidate)->close();
  }
  co_return *is_ours;
}

// Tells the control coroutine when the session that leads has ended, or somebody waits for its lock: that is whoever
// removes pgtrickle, because the schema of the lock is closed to all others.
asio::awaitable<void> DatabaseScheduler::watch_lead(Self self, std::uint64_t term) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const ConnectionPtr connection = self->lead_connection_;
  const auto leads = [&] { return self->leading() && self->term_ == term && self->lead_connection_ == connection; };
  milliseconds interval = kLeadCheck;
  while (leads()) {
    const auto heard = co_await connection->wait_notification(Clock::now() + interval);
    if (!leads()) break;
    const auto begun = Clock::now();
    Result<bool> waited_for = false;
    if (heard) {
      std::vector<Statement> question{sql::is_leader_waited_for()};
      waited_for = co_await ask(*connection, std::move(question), kLeadAnswer);
    } else {
      waited_for = heard.error();
    }
    if (!leads()) break;
    interval = std::max(kLeadCheck, std::chrono::duration_cast<milliseconds>((Clock::now() - begun) * kIdleShare));
    if (waited_for && !*waited_for) continue;
    if (waited_for) {
      log::info("scheduler", "another session wants to lock what says who leads, stepping aside database={}",
                self->database_.name);
      self->stepping_down_ = true;
    } else {
      self->lead_lost_ = postgres::connection_error("the session that holds the lock of the leader has ended: " +
                                                    waited_for.error().message);
    }
    if (self->control_connection_) self->control_connection_->poke();
    break;
  }
}

// Somebody has the lock of the leader. Two looks in a row: after a failover the new leader has not spoken yet.
asio::awaitable<MaybeError> DatabaseScheduler::look_at_leader(ConnectionPtr connection) {
  const auto answer = co_await connection->query(sql::leader_trouble(), deadline_after(kQueryTimeout));
  if (!answer) co_return answer.error();
  postgres::RowReader row(*answer, 0);
  const auto trouble = row.get<std::optional<std::string>>("trouble");
  if (row.error()) co_return *row.error();
  const bool confirmed = trouble && std::exchange(leader_suspected_, true);
  if (!trouble) leader_suspected_ = false;
  leader_silent_ = confirmed;
  set_problem(confirmed ? *trouble : "");
  if (confirmed) {
    alert(observe::AlertKind::kLeaderSilent, "", *trouble);
  } else if (!trouble) {
    alert(observe::AlertKind::kLeaderBack, "", "a daemon leads again");
  }
  co_return std::nullopt;
}

asio::awaitable<MaybeError> DatabaseScheduler::stand_by(ConnectionPtr connection) {
  next_beat_ = next_load_ = Clock::now();
  backend_ = 0;
  leader_suspected_ = leader_silent_ = false;
  while (!stopping_) {
    const auto is_ours = co_await take_lead(connection);
    if (!is_ours) co_return is_ours.error();
    if (*is_ours) co_return std::nullopt;
    MaybeError error;
    if (Clock::now() >= next_beat_) {
      error = co_await beat(connection);
      if (!error) error = co_await look_at_leader(connection);
    }
    if (!error && Clock::now() >= next_load_) error = co_await load_catalog(connection);
    if (error) co_return error;
    co_await pause(settings_.leader_retry_interval);
  }
  co_return std::nullopt;
}

void DatabaseScheduler::lose_leadership() {
  // What still runs at the end of this daemon goes on under its lock.
  if (lead_connection_ && !stopping_) std::exchange(lead_connection_, nullptr)->close();
  if (!leader_) return;
  log::info("scheduler", "no longer leading database={}", database_.name);
  leader_ = false;
  ++term_;
  if (registered_) shared_->budget->set_waiting(budget_, 0);
  for (const auto& waiting : ready_.drain()) drop(waiting.work);
  alerts_.forget([](const observe::Alert&) { return true; });  // whoever leads now knows better
  close_bell();
  ring();
}

}  // namespace pgtrickle::scheduler
