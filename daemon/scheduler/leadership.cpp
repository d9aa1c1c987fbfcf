#include "scheduler/leadership.h"

#include <algorithm>
#include <utility>

#include "observe/log.h"
#include "scheduler/limits.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
namespace log = observe::log;
using postgres::Clock;
using postgres::Connection;
using postgres::deadline_after;
using postgres::Result;
using postgres::Statement;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kCheck{2000};   // does the session that leads live, and does somebody wait for its lock
constexpr milliseconds kAnswer{5000};  // to that

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

// Nothing is tried where it can be seen that somebody leads, because it takes a connection.
asio::awaitable<Result<bool>> Leadership::try_take(ConnectionPtr control) {
  const auto answer = co_await control->query(sql::has_leader(), deadline_after(kQueryTimeout));
  if (!answer) co_return answer.error();
  const auto has_leader = sql::read_flag(*answer);
  if (!has_leader) co_return has_leader.error();
  if (*has_leader || context_->stopping) co_return false;
  auto candidate = co_await sessions_->connect_for_control();
  if (!candidate) co_return candidate.error();
  std::vector<Statement> statements{sql::no_timeouts(), {.sql = "BEGIN"}, sql::lead()};
  const auto is_ours = co_await ask(**candidate, std::move(statements), kQueryTimeout);
  if (!is_ours) co_return is_ours.error();
  if (*is_ours) {
    connection_ = *candidate;
    lost_.reset();
    stepping_aside_ = false;
  } else {
    (*candidate)->close();
  }
  co_return *is_ours;
}

void Leadership::begin_term() {
  context_->leader = true;
  forget_leader();
  ++context_->term;
  log::info("scheduler", "leading database={} instance={}", context_->name(), context_->shared->instance);
}

void Leadership::end_term() {
  if (connection_ && !context_->stopping) close();
  if (!context_->leader) return;
  log::info("scheduler", "no longer leading database={}", context_->name());
  context_->leader = false;
  ++context_->term;
}

void Leadership::close() {
  if (connection_) std::exchange(connection_, nullptr)->close();
}

void Leadership::poke() {
  if (connection_) connection_->poke();
}

void Leadership::start_watching() {
  context_->tasks->spawn(watch(shared_from_this(), context_->term));
}

// Tells the control session when the session that leads has ended, or somebody waits for its lock: that is who removes
// pgtrickle, because the schema of the lock is closed to all others.
asio::awaitable<void> Leadership::watch(std::shared_ptr<Leadership> self, std::uint64_t term) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const std::shared_ptr<Context> context = self->context_;
  const ConnectionPtr connection = self->connection_;
  const auto leads = [&] { return context->leads_in(term) && self->connection_ == connection; };
  milliseconds interval = kCheck;
  while (leads()) {
    const auto heard = co_await connection->wait_notification(Clock::now() + interval);
    if (!leads()) break;
    const auto begun = Clock::now();
    Result<bool> waited_for = false;
    if (heard) {
      std::vector<Statement> question{sql::is_leader_waited_for()};
      waited_for = co_await ask(*connection, std::move(question), kAnswer);
    } else {
      waited_for = heard.error();
    }
    if (!leads()) break;
    interval = std::max(kCheck, std::chrono::duration_cast<milliseconds>((Clock::now() - begun) * kIdleShare));
    if (waited_for && !*waited_for) continue;
    if (waited_for) {
      log::info("scheduler", "another session wants to lock what says who leads, stepping aside database={}",
                context->name());
      self->stepping_aside_ = true;
    } else {
      self->lost_ = postgres::connection_error("the session that holds the lock of the leader has ended: " +
                                               waited_for.error().message);
    }
    context->signals.wake_control();
    break;
  }
}

// Somebody has the lock of the leader. Two looks in a row: after a failover the new leader has not spoken yet.
asio::awaitable<MaybeError> Leadership::look_at_leader(ConnectionPtr control) {
  const auto answer = co_await control->query(sql::leader_trouble(), deadline_after(kQueryTimeout));
  if (!answer) co_return answer.error();
  postgres::RowReader row(*answer, 0);
  const auto trouble = row.get<std::optional<std::string>>("trouble");
  if (row.error()) co_return *row.error();
  const bool confirmed = trouble && std::exchange(suspected_, true);
  if (!trouble) suspected_ = false;
  silent_ = confirmed;
  context_->set_problem(confirmed ? *trouble : "");
  if (confirmed) {
    alerts_->raise(observe::AlertKind::kLeaderSilent, "", *trouble);
  } else if (!trouble) {
    alerts_->raise(observe::AlertKind::kLeaderBack, "", "a daemon leads again");
  }
  co_return std::nullopt;
}

}  // namespace pgtrickle::scheduler
