#include "scheduler/control_session.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "model/agreements.h"
#include "observe/log.h"
#include "scheduler/discovery.h"
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

constexpr milliseconds kHeartbeat{5000};
static_assert(agreements::kHeartbeatExpiry >= 3 * kHeartbeat, "one may be late, another lost");
constexpr const char* kPooled =
    "a pooler between us and PostgreSQL gives the session to others between transactions (PgBouncer: pool_mode "
    "transaction or statement), so that neither locks nor settings are ours: let the dsn lead to PostgreSQL itself, or "
    "to a pool with pool_mode = session";
constexpr milliseconds kStepAside{2000};  // for who waited for our lock
constexpr std::int64_t kLockShare = 4;    // of the server's lock table that sleeping sources may fill

/// The process of the server that answers. With `begin`, in a transaction that stays open.
asio::awaitable<Result<int>> server_process(Connection& connection, bool begin) {
  std::vector<Statement> statements(begin ? 2 : 1);
  if (begin) statements.front().sql = "BEGIN";
  statements.back().sql = "SELECT pg_backend_pid() AS pid";
  const auto answers = co_await connection.pipeline(std::move(statements), deadline_after(kQueryTimeout));
  if (const auto error = postgres::first_error(answers)) co_return *error;
  postgres::RowReader row(*answers.back(), 0);
  const int pid = row.get<int>("pid");
  if (row.error()) co_return *row.error();
  co_return pid;
}

/// Of 1.2.3: 1.2
std::string series(const std::string& version) {
  return version.substr(0, version.find('.', version.find('.') + 1));
}

}  // namespace

// Beginning and end ---------------------------------------------------------------------------------------------------

ControlSession::ControlSession(std::shared_ptr<Context> context, std::shared_ptr<Sessions> sessions, Parts parts)
    : context_(std::move(context)),
      sessions_(std::move(sessions)),
      parts_(std::move(parts)),
      stop_signal_(context_->shared->executor) {}

void ControlSession::start() {
  task_ = context_->tasks->spawn(run(shared_from_this()));
}

void ControlSession::begin_stop() {
  stop_signal_.set();
  if (connection_) {
    connection_->poke();
  } else if (task_) {
    task_->emit(asio::cancellation_type::terminal);
  }
}

ConnectionPtr ControlSession::usable_connection() const {
  return connection_ && connection_->usable() ? connection_ : nullptr;
}

void ControlSession::close() {
  if (connection_) connection_->close();
  connection_.reset();
}

asio::awaitable<void> ControlSession::pause(milliseconds delay) {
  if (!context_->stopping) co_await stop_signal_.wait(Clock::now() + delay);
}

asio::awaitable<void> ControlSession::run(std::shared_ptr<ControlSession> self) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const std::shared_ptr<Context> context = self->context_;
  const std::shared_ptr<Sessions> sessions = self->sessions_;
  bool was_connected = false;
  int failures = 0;
  while (!context->stopping) {
    const auto settings = sessions->settings(Sessions::Kind::kControl);
    if (!settings || !sessions->make_pools()) {
      context->set_problem(settings.ok() ? "invalid connection string" : settings.error().message);
      co_await self->pause(context->settings.retry_backoff_max);
      continue;
    }
    auto connection = co_await sessions->connect_for_control();
    if (context->stopping) break;
    if (!connection) {
      ++failures;
      context->set_problem("cannot connect: " + connection.error().message);
    } else {
      if (was_connected) context->observer().on_reconnect(context->name());
      was_connected = true;
      self->connection_ = *connection;
      context->signals.set_control(*connection);
      const auto begun = Clock::now();
      const auto pooled = co_await self->pooling_problem(**connection);
      if (pooled) context->set_problem(*pooled);
      if (!pooled) co_await self->serve(*connection);
      self->lose_leadership();
      if (context->stopping) break;
      if (pooled) (*connection)->close();
      self->connection_.reset();
      context->signals.set_control(nullptr);
      failures = Clock::now() - begun > context->settings.retry_backoff_max ? 1 : failures + 1;
    }
    co_await self->pause(context->retry_rules().retry.delay(failures, context->random01()));
  }
}

asio::awaitable<void> ControlSession::serve(ConnectionPtr connection) {
  while (!context_->stopping && !co_await check_installation(connection)) {
    if (!connection->open()) co_return;
    co_await pause(context_->settings.catalog_poll_interval);
  }
  while (!context_->stopping) {
    MaybeError error = co_await stand_by(connection);
    if (!error && !context_->stopping) error = co_await lead(connection);
    lose_leadership();
    if (!error && parts_.leadership->has_stepped_aside()) co_await pause(kStepAside);
    if (error) {
      if (!context_->stopping) context_->set_problem("control connection: " + error->message);
      connection->close();
      co_return;
    }
  }
}

// What is there -------------------------------------------------------------------------------------------------------

// What a pooler that hands sessions around cannot hide: while another connection has a transaction open, either that
// one has our session or we get a new one. Behind a pooler the process that the connection names is not the server's.
asio::awaitable<std::optional<std::string>> ControlSession::pooling_problem(Connection& connection) {
  constexpr int kLooks = 5;
  const auto ours = co_await server_process(connection, false);
  if (!ours) co_return std::nullopt;  // what comes next will say what is wrong
  if (*ours == connection.backend_pid()) co_return std::nullopt;
  log::info("connection", "there is a pooler between us and PostgreSQL database={}", context_->name());
  const auto other = co_await sessions_->connect_for_control();
  if (!other) co_return "a second connection through the pooler cannot be made: " + other.error().message;
  for (int look = 0; look < kLooks; ++look) {
    const auto theirs = co_await server_process(**other, true);
    const auto still_ours = co_await server_process(connection, false);
    co_await (*other)->rollback();
    if (!theirs || !still_ours || *theirs == *ours || *still_ours != *ours) {
      (*other)->close();
      co_return std::string(kPooled);
    }
  }
  (*other)->close();
  co_return std::nullopt;
}

asio::awaitable<bool> ControlSession::check_installation(ConnectionPtr connection) {
  auto rows = co_await connection->query(sql::installation(), deadline_after(kQueryTimeout));
  if (!rows) {
    context_->set_problem("cannot read the catalog: " + rows.error().message);
    co_return false;
  }
  const auto found = sql::read_installation(*rows);
  if (!found) {
    context_->set_problem(found.error().message);
    co_return false;
  }
  if (found->in_recovery) {
    context_->set_problem("the server is a standby: stream tables are refreshed on the primary");
    co_return false;
  }
  uninstalled_ = !found->installed;
  if (uninstalled_) {
    parts_.catalog->forget_everything();
    context_->set_problem(
        "pgtrickle is not installed in this database: run CREATE EXTENSION pg_trickle, or pgtrickle install");
    co_return false;
  }
  if (found->stranger) {
    context_->set_problem(foreign_installation(*found->stranger));
    co_return false;
  }
  context_->may_sleep = found->may_notify_from_triggers;
  parts_.listener->set_most_locks(static_cast<std::size_t>(found->lock_slots / kLockShare));
  const bool fits = co_await check_version(connection);
  co_return fits;
}

asio::awaitable<bool> ControlSession::check_version(ConnectionPtr connection) {
  auto answer = co_await connection->query(sql::version(), deadline_after(kQueryTimeout));
  if (!answer) {
    context_->set_problem("cannot ask for pgtrickle's version: " + answer.error().message);
    co_return false;
  }
  postgres::RowReader row(*answer, 0);
  const auto installed = row.get<std::string>("version");
  const std::string ours = PGTRICKLE_VERSION;
  if (series(installed) == series(ours)) co_return true;
  context_->set_problem("pgtrickle " + installed + " is installed in this database, but this daemon is version " +
                        ours + ": update one of them");
  co_return false;
}

asio::awaitable<MaybeError> ControlSession::beat(ConnectionPtr connection) {
  sql::Heartbeat beat;
  beat.instance = context_->shared->instance;
  beat.host = context_->shared->host;
  beat.version = PGTRICKLE_VERSION;
  beat.pid = static_cast<int>(::getpid());
  beat.leader = context_->leader;
  const auto result = co_await connection->query(sql::heartbeat(beat), deadline_after(kQueryTimeout));
  next_beat_ = Clock::now() + kHeartbeat;
  if (!result) co_return result.error();
  postgres::RowReader row(*result, 0);
  const int backend = row.get<int>("pid");
  if (row.error()) co_return *row.error();
  if (backend_ != 0 && backend != backend_) co_return postgres::connection_error(kPooled);
  backend_ = backend;
  co_return std::nullopt;
}

// Standing by and leading ---------------------------------------------------------------------------------------------

asio::awaitable<MaybeError> ControlSession::stand_by(ConnectionPtr connection) {
  next_beat_ = Clock::now();
  backend_ = 0;
  parts_.catalog->begin();
  parts_.leadership->forget_leader();
  while (!context_->stopping) {
    const auto is_ours = co_await parts_.leadership->try_take(connection);
    if (!is_ours) co_return is_ours.error();
    if (*is_ours) co_return std::nullopt;
    MaybeError error;
    if (Clock::now() >= next_beat_) {
      error = co_await beat(connection);
      if (!error) error = co_await parts_.leadership->look_at_leader(connection);
    }
    if (!error && parts_.catalog->is_load_due()) error = co_await parts_.catalog->load(connection);
    if (error) co_return error;
    co_await pause(context_->settings.leader_retry_interval);
  }
  co_return std::nullopt;
}

// Before anything is refreshed: the catalog as it is, and what is known of costs.
asio::awaitable<MaybeError> ControlSession::take_over(ConnectionPtr connection) {
  const auto relinked = co_await connection->query(sql::adopt_cluster(), deadline_after(kQueryTimeout));
  if (!relinked) co_return relinked.error();
  postgres::RowReader adopted(*relinked, 0);
  if (const auto count = adopted.get<std::optional<int>>("adopted")) {
    log::warn("scheduler", "catalog came from another cluster or database, relinked database={} stream_tables={}",
              context_->name(), *count);
  }
  parts_.leadership->begin_term();
  parts_.workers->forget_identity();
  parts_.catalog->begin();
  MaybeError error = co_await parts_.catalog->load(connection);
  if (!error) error = co_await parts_.catalog->learn_from_history(connection);
  if (!error) error = co_await beat(connection);
  co_return error;
}

void ControlSession::begin_leading() {
  context_->set_problem(context_->worker_trouble);
  parts_.alerts->begin();
  parts_.warming->want_all();
  parts_.maintenance->begin();
  parts_.builds->begin();
  parts_.listener->begin();
  parts_.frontiers->begin();
  parts_.dispatcher->start();
  parts_.leadership->start_watching();
}

asio::awaitable<MaybeError> ControlSession::lead(ConnectionPtr connection) {
  MaybeError error = co_await take_over(connection);
  if (error) co_return error;
  begin_leading();
  while (context_->leading()) {
    error = parts_.leadership->take_loss();
    if (error) co_return error;
    if (parts_.leadership->wants_to_step_aside()) break;
    error = co_await parts_.catalog->load_what_is_due(connection);
    if (!error && Clock::now() >= next_beat_) error = co_await beat(connection);
    if (error) co_return error;
    start_duties();
    if (!context_->leading() || context_->signals.wants_reload() || context_->signals.has_changes()) continue;
    error = co_await wait_for_duties(connection);
    if (error) co_return error;
  }
  co_return std::nullopt;
}

void ControlSession::start_duties() {
  parts_.builds->start_builds();
  parts_.builds->start_garbage_collection();
  if (Clock::now() >= parts_.alerts->next_check()) parts_.alerts->check_tables();
  if (Clock::now() >= parts_.maintenance->next()) parts_.maintenance->start();
  if (Clock::now() >= parts_.frontiers->next()) parts_.frontiers->start();
}

asio::awaitable<MaybeError> ControlSession::wait_for_duties(ConnectionPtr connection) {
  const TimePoint wake_at = std::min({next_beat_, parts_.catalog->next(), parts_.alerts->next_check(),
                                      parts_.builds->next(), parts_.maintenance->next(), parts_.frontiers->next()});
  const auto poked = co_await connection->wait_notification(wake_at);  // it listens to nothing: until somebody pokes
  if (!poked) co_return poked.error();
  co_return std::nullopt;
}

void ControlSession::lose_leadership() {
  const bool was_leader = context_->leader;
  parts_.leadership->end_term();
  if (!was_leader) return;
  parts_.dispatcher->abandon();
  parts_.alerts->forget_all();
  parts_.listener->close();
  context_->signals.wake_dispatcher();
}

}  // namespace pgtrickle::scheduler
