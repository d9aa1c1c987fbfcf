#include "scheduler/database_scheduler.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include "postgres/conninfo.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
using postgres::Clock;
using postgres::Connection;
using postgres::deadline_after;
using postgres::Error;
using postgres::ErrorClass;
using postgres::ErrorOrigin;
using postgres::Result;
using postgres::Rows;
using postgres::Statement;
using std::chrono::milliseconds;

namespace {

using MaybeError = std::optional<Error>;

constexpr milliseconds kQueryTimeout{20000};
constexpr milliseconds kAcquireTimeout{60000};
constexpr milliseconds kNoTimeoutButADay{24 * 3600 * 1000};
constexpr milliseconds kHeartbeatMax{5000};  // SQL takes a daemon for dead after 15 s
constexpr milliseconds kFrontierUpdateInterval{10000};
constexpr milliseconds kPruneInterval{60000};
constexpr milliseconds kSourceCheckInterval{30000};
constexpr milliseconds kGarbageInterval{300000};
constexpr milliseconds kArmingRetry{500};
constexpr milliseconds kRotationDelayMax{8000};
constexpr milliseconds kBuildRetryMax{300000};
constexpr milliseconds kStatusDelay{1000};  // for the catalog to be loaded again after a change of ours
constexpr int kBuildsAtOnce = 2;
constexpr int kPruneBatch = 1000;
constexpr std::size_t kThresholdsAtOnce = 50;

double seconds(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

double epoch_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

milliseconds rounded(std::chrono::microseconds duration) {
  return std::chrono::duration_cast<milliseconds>(duration + std::chrono::microseconds(500));
}

MaybeError first_error(const std::vector<Result<Rows>>& results) {
  for (const auto& result : results) {
    if (!result.ok() && result.error().origin != ErrorOrigin::kSkipped) return result.error();
  }
  return std::nullopt;
}

}  // namespace

DatabaseScheduler::DatabaseScheduler(std::shared_ptr<Shared> shared, config::Database database,
                                     config::Scheduler settings)
    : shared_(std::move(shared)),
      database_(std::move(database)),
      settings_(settings),
      stop_signal_(shared_->executor),
      dispatch_signal_(shared_->executor),
      task_ended_(shared_->executor),
      timetable_(settings.default_schedule, UnitLimits{}) {}

// --- life ------------------------------------------------------------------------------------------------------------

void DatabaseScheduler::start() {
  control_task_ = spawn(control(shared_from_this()));
}

void DatabaseScheduler::apply(const config::Scheduler& settings) {
  const bool new_sessions = settings.refresh_timeout != settings_.refresh_timeout;
  settings_ = settings;
  timetable_.set_default_period(settings.default_schedule);
  if (new_sessions && refresh_pool_) {
    if (auto connect = connect_settings(true)) refresh_pool_->reconfigure(std::move(*connect));
  }
  reload_soon();
}

std::shared_ptr<asio::cancellation_signal> DatabaseScheduler::spawn(asio::awaitable<void> task) {
  const auto signal = std::make_shared<asio::cancellation_signal>();
  tasks_.push_back(signal);
  const auto place = std::prev(tasks_.end());
  auto ended = [self = shared_from_this(), signal, place](std::exception_ptr failure) {
    self->tasks_.erase(place);
    self->task_ended_.set();
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const boost::system::system_error& e) {
      if (e.code() != asio::error::operation_aborted) throw;
    } catch (const std::exception& e) {
      spdlog::critical("scheduler task failed database={} error=\"{}\"", self->database_.name, e.what());
      throw;
    }
  };
  asio::co_spawn(shared_->executor, std::move(task), asio::bind_cancellation_slot(signal->slot(), std::move(ended)));
  return signal;
}

void DatabaseScheduler::begin_stop() {
  if (stopping_) return;
  stopping_ = true;
  stop_signal_.set();
  dispatch_signal_.set();
  if (control_connection_) {
    control_connection_->poke();
  } else if (control_task_) {
    control_task_->emit(asio::cancellation_type::terminal);
  }
}

asio::awaitable<void> DatabaseScheduler::stop(postgres::Deadline soft, postgres::Deadline hard) {
  const auto self = shared_from_this();
  begin_stop();
  while ((!tasks_.empty() || builds_running_ > 0) && Clock::now() < soft) co_await task_ended_.wait(soft);

  const std::vector<std::shared_ptr<asio::cancellation_signal>> running(tasks_.begin(), tasks_.end());
  for (const auto& task : running) task->emit(asio::cancellation_type::terminal);
  if (builds_running_ > 0 && control_connection_ && control_connection_->usable()) {
    // The builder is synchronous: ending its session is the way to interrupt it. It starts again from PENDING.
    co_await control_connection_->query(sql::terminate_by_application_name(build_application_name()), hard);
  }
  while ((!tasks_.empty() || builds_running_ > 0) && Clock::now() < hard) co_await task_ended_.wait(hard);

  if (control_connection_ && control_connection_->usable()) {
    co_await control_connection_->query(sql::forget_daemon(shared_->instance), hard);
  }
  if (control_connection_) control_connection_->close();
  control_connection_.reset();
  if (refresh_pool_) refresh_pool_->close();
  if (maintenance_pool_) maintenance_pool_->close();
  leader_ = false;
  problem_ = "stopped";
}

double DatabaseScheduler::random01() {
  return std::uniform_real_distribution<double>(0, 1)(shared_->random);
}

std::string DatabaseScheduler::label(const Table& table) const {
  return table.row.schema + "." + table.row.name;
}

HealthRules DatabaseScheduler::health_rules() const {
  return {.max_consecutive_errors = settings_.max_consecutive_errors,
          .retry = {.min = settings_.retry_backoff_min, .max = settings_.retry_backoff_max}};
}

std::string DatabaseScheduler::build_application_name() const {
  return "pgtrickled build " + shared_->instance.substr(0, 40);
}

Result<postgres::ConnectSettings> DatabaseScheduler::connect_settings(bool for_refreshes) const {
  using postgres::option;
  const auto ms = [](milliseconds value) { return std::to_string(value.count()); };
  std::string options = option("jit", "off") + " " + option("plan_cache_mode", "force_generic_plan") + " " +
                        option("client_min_messages", "warning") + " " + option("search_path", "pg_catalog") + " " +
                        option("default_transaction_read_only", "off") + " " + option("idle_session_timeout", "0") +
                        " " + option("idle_in_transaction_session_timeout", "60s") + " " + option("lock_timeout", "5s");
  if (for_refreshes) {
    // Losing the last refreshes in a crash means doing them again.
    options +=
        " " + option("synchronous_commit", "off") + " " + option("statement_timeout", ms(settings_.refresh_timeout));
  } else {
    options += " " + option("statement_timeout", ms(kQueryTimeout));
  }
  const std::map<std::string, std::string> overrides{
      {"application_name", "pgtrickled"}, {"client_encoding", "UTF8"}, {"options", options}};
  const std::map<std::string, std::string> defaults{{"keepalives_idle", "30"},
                                                    {"keepalives_interval", "10"},
                                                    {"keepalives_count", "3"},
                                                    {"tcp_user_timeout", "30000"}};
  auto conninfo = postgres::merge_conninfo(database_.dsn, overrides, defaults);
  if (!conninfo) return conninfo.error();
  postgres::ConnectSettings connect;
  connect.conninfo = std::move(*conninfo);
  connect.workers = shared_->libpq_workers;
  return connect;
}

bool DatabaseScheduler::make_pools() {
  if (refresh_pool_) return true;
  auto for_refreshes = connect_settings(true);
  auto for_maintenance = connect_settings(false);
  if (!for_refreshes || !for_maintenance) return false;
  postgres::PoolSettings pool;
  pool.backoff = health_rules().retry;
  pool.random01 = [weak = weak_from_this()] {
    const auto self = weak.lock();
    return self ? self->random01() : 0.5;
  };
  pool.on_reconnect = [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->shared_->observer->on_reconnect(self->database_.name);
  };
  pool.connect = std::move(*for_refreshes);
  pool.size = database_.pool_size;
  refresh_pool_ = std::make_shared<postgres::Pool>(shared_->executor, pool);
  pool.connect = std::move(*for_maintenance);
  pool.size = 1;
  maintenance_pool_ = std::make_shared<postgres::Pool>(shared_->executor, pool);
  return true;
}

void DatabaseScheduler::set_problem(const std::string& problem) {
  if (problem == problem_) return;
  if (!problem.empty()) {
    spdlog::warn("database is not served database={} problem=\"{}\"", database_.name, problem);
  } else {
    spdlog::info("database is served database={} leader={}", database_.name, leader_);
  }
  problem_ = problem;
}

// --- control connection ----------------------------------------------------------------------------------------------

asio::awaitable<void> DatabaseScheduler::pause(milliseconds delay) {
  if (!stopping_) co_await stop_signal_.wait(Clock::now() + delay);
}

asio::awaitable<void> DatabaseScheduler::control(Self self) {
  co_await asio::this_coro::throw_if_cancelled(false);
  bool was_connected = false;
  int failures = 0;
  while (!self->stopping_) {
    auto settings = self->connect_settings(false);
    if (!settings || !self->make_pools()) {
      self->set_problem(settings.ok() ? "invalid connection string" : settings.error().message);
      co_await self->pause(self->settings_.retry_backoff_max);
      continue;
    }
    postgres::ConnectSettings connect = *settings;
    auto connection = co_await Connection::connect(std::move(connect));
    if (self->stopping_) break;
    if (!connection) {
      ++failures;
      self->set_problem("cannot connect: " + connection.error().message);
    } else {
      if (was_connected) self->shared_->observer->on_reconnect(self->database_.name);
      was_connected = true;
      self->control_connection_ = *connection;
      const auto begun = Clock::now();
      co_await self->control_session(*connection);
      self->lose_leadership();
      if (self->stopping_) break;
      self->control_connection_.reset();
      failures = Clock::now() - begun > self->settings_.retry_backoff_max ? 1 : failures + 1;
    }
    co_await self->pause(self->health_rules().retry.delay(failures, self->random01()));
  }
}

asio::awaitable<void> DatabaseScheduler::control_session(ConnectionPtr connection) {
  while (!stopping_ && !co_await check_installation(connection)) {
    if (!connection->open()) co_return;
    co_await pause(settings_.catalog_poll_interval);
  }
  while (!stopping_) {
    MaybeError error = co_await stand_by(connection);
    if (!error && !stopping_) error = co_await lead(connection);
    lose_leadership();
    if (error) {
      if (!stopping_) set_problem("control connection: " + error->message);
      connection->close();  // with it go all session locks, so that nobody is leader or armed by mistake
      co_return;
    }
  }
}

asio::awaitable<bool> DatabaseScheduler::check_installation(ConnectionPtr connection) {
  auto rows = co_await connection->query(sql::installation(), deadline_after(kQueryTimeout));
  if (!rows) {
    set_problem("cannot read the catalog: " + rows.error().message);
    co_return false;
  }
  const auto found = sql::read_installation(*rows);
  if (!found) {
    set_problem(found.error().message);
    co_return false;
  }
  if (found->in_recovery) {
    set_problem("the server is a standby: stream tables are refreshed on the primary");
    co_return false;
  }
  if (!found->installed) {
    set_problem("pgtrickle is not installed in this database: run CREATE EXTENSION pg_trickle, or pgtrickle install");
    co_return false;
  }
  may_sleep_ = found->may_notify_from_triggers;
  auto answer = co_await connection->query(sql::version(), deadline_after(kQueryTimeout));
  if (!answer) {
    set_problem("cannot ask for pgtrickle's version: " + answer.error().message);
    co_return false;
  }
  postgres::RowReader row(*answer, 0);
  const auto installed = row.get<std::string>("version");
  const std::string ours = PGTRICKLE_VERSION;
  const auto series = [](const std::string& version) {
    return version.substr(0, version.find('.', version.find('.') + 1));
  };
  if (series(installed) != series(ours)) {
    set_problem("pgtrickle " + installed + " is installed in this database, but this daemon is version " + ours +
                ": update one of them");
    co_return false;
  }
  co_return true;
}

asio::awaitable<MaybeError> DatabaseScheduler::beat(ConnectionPtr connection) {
  sql::Heartbeat beat;
  beat.instance = shared_->instance;
  beat.host = shared_->host;
  beat.version = PGTRICKLE_VERSION;
  beat.pid = static_cast<int>(::getpid());
  beat.leader = leader_;
  const auto result = co_await connection->query(sql::heartbeat(beat), deadline_after(kQueryTimeout));
  next_beat_ = Clock::now() + std::clamp(settings_.housekeeping_interval, milliseconds(1000), kHeartbeatMax);
  if (!result) co_return result.error();
  co_return std::nullopt;
}

asio::awaitable<MaybeError> DatabaseScheduler::stand_by(ConnectionPtr connection) {
  next_beat_ = next_load_ = Clock::now();
  while (!stopping_) {
    const auto answer = co_await connection->query(sql::try_lock(sql::kLeaderKey), deadline_after(kQueryTimeout));
    if (!answer) co_return answer.error();
    const auto is_ours = sql::read_flag(*answer);
    if (!is_ours) co_return is_ours.error();
    if (*is_ours) co_return std::nullopt;
    set_problem("");
    MaybeError error;
    if (Clock::now() >= next_beat_) error = co_await beat(connection);
    if (!error && Clock::now() >= next_load_) error = co_await load_catalog(connection);
    if (error) co_return error;
    co_await pause(settings_.leader_retry_interval);
  }
  co_return std::nullopt;
}

asio::awaitable<MaybeError> DatabaseScheduler::lead(ConnectionPtr connection) {
  Statement listen;
  listen.sql = "LISTEN pgtrickle_wake";
  const auto listening = co_await connection->query(std::move(listen), deadline_after(kQueryTimeout));
  if (!listening) co_return listening.error();
  const auto relinked = co_await connection->query(sql::adopt_cluster(), deadline_after(kQueryTimeout));
  if (!relinked) co_return relinked.error();
  postgres::RowReader adopted(*relinked, 0);
  if (const auto count = adopted.get<std::optional<int>>("adopted")) {
    spdlog::warn("catalog came from another cluster or database, relinked database={} stream_tables={}", database_.name,
                 *count);
  }
  leader_ = true;
  const std::uint64_t term = ++term_;
  spdlog::info("leading database={} instance={}", database_.name, shared_->instance);
  MaybeError error = co_await load_catalog(connection);
  if (!error) error = co_await load_history(connection);
  if (!error) error = co_await beat(connection);
  if (error) co_return error;
  set_problem("");

  const TimePoint now = Clock::now();
  next_housekeeping_ = next_garbage_ = next_prune_ = next_source_check_ = next_arming_ = now;
  next_frontier_update_ = now + kFrontierUpdateInterval;
  spawn(dispatch(shared_from_this(), term));
  while (leading()) {
    if (reload_requested_ || Clock::now() >= next_load_) error = co_await load_catalog(connection);
    if (!error && Clock::now() >= next_beat_) error = co_await beat(connection);
    if (!error && may_sleep_ && Clock::now() >= next_arming_ && timetable_.wants_to_arm(Clock::now())) {
      error = co_await try_to_arm(connection);
    }
    if (error) co_return error;
    start_builds();
    start_garbage_collection();
    if (Clock::now() >= next_housekeeping_ && !housekeeping_running_) {
      housekeeping_running_ = true;
      spawn(keep_house(shared_from_this()));
    }
    if (Clock::now() >= next_frontier_update_ && !updating_frontiers_) {
      updating_frontiers_ = true;
      spawn(update_frontiers(shared_from_this()));
    }
    if (!leading() || reload_requested_) continue;
    error = co_await handle_notification(connection);
    if (error) co_return error;
  }
  co_return std::nullopt;
}

asio::awaitable<MaybeError> DatabaseScheduler::handle_notification(ConnectionPtr connection) {
  TimePoint wake_at = std::min(next_load_, next_beat_);
  if (!housekeeping_running_) wake_at = std::min(wake_at, next_housekeeping_);
  if (!updating_frontiers_) wake_at = std::min(wake_at, next_frontier_update_);
  auto notification = co_await connection->wait_notification(wake_at);
  if (!notification) co_return notification.error();
  if (!notification->has_value()) co_return std::nullopt;
  while (notification->has_value()) {  // a burst is one reason to look
    notification = co_await connection->wait_notification(Clock::now());
    if (!notification) co_return notification.error();
  }
  reload_requested_ = true;
  if (timetable_.is_armed()) {
    const auto unlocked = co_await connection->query(sql::unlock(sql::kArmKey), deadline_after(kQueryTimeout));
    if (!unlocked) co_return unlocked.error();
    timetable_.woken(Clock::now());
    next_arming_ = Clock::now();
    dispatch_signal_.set();
    spdlog::debug("woken database={}", database_.name);
  }
  co_return std::nullopt;
}

asio::awaitable<MaybeError> DatabaseScheduler::try_to_arm(ConnectionPtr connection) {
  const auto answer = co_await connection->query(sql::try_lock(sql::kArmKey), deadline_after(kQueryTimeout));
  if (!answer) co_return answer.error();
  const auto locked = sql::read_flag(*answer);
  if (!locked) co_return locked.error();
  if (*locked) {
    // Every table is looked at once more after this moment, at its own time, before it sleeps.
    timetable_.armed(Clock::now());
    spdlog::debug("armed database={}", database_.name);
  } else {
    next_arming_ = Clock::now() + kArmingRetry;  // a writer is in the middle of a transaction
  }
  co_return std::nullopt;
}

void DatabaseScheduler::lose_leadership() {
  if (!leader_) return;
  spdlog::info("no longer leading database={}", database_.name);
  leader_ = false;
  ++term_;
  timetable_.woken(Clock::now());
  dispatch_signal_.set();
}

void DatabaseScheduler::reload_soon() {
  reload_requested_ = true;
  if (control_connection_) control_connection_->poke();
}

// --- catalog ---------------------------------------------------------------------------------------------------------

asio::awaitable<MaybeError> DatabaseScheduler::load_catalog(ConnectionPtr connection) {
  reload_requested_ = false;
  const auto results = co_await connection->pipeline(sql::load_catalog(), deadline_after(kQueryTimeout));
  next_load_ = Clock::now() + settings_.catalog_poll_interval;
  if (auto error = first_error(results)) co_return error;
  auto catalog = sql::read_catalog(*results[0], *results[1]);
  if (!catalog) co_return catalog.error();
  adopt(std::move(*catalog));
  co_return std::nullopt;
}

void DatabaseScheduler::adopt(sql::Catalog catalog) {
  const TimePoint now = Clock::now();
  std::set<TableId> seen;
  std::vector<TimetableEntry> entries;
  for (sql::StreamTable& row : catalog.tables) {
    seen.insert(row.id);
    const auto [place, is_new] = tables_.try_emplace(row.id);
    Table& table = place->second;
    if (is_new || table.row.generation != row.generation) {
      table.health.reset(row.consecutive_errors);
      table.build_failures = 0;
      table.build_not_before = TimePoint::min();
    }
    garbage_expected_ = garbage_expected_ || (!row.exists && (is_new || table.row.exists));
    table.row = std::move(row);
    table.loaded_at = now;
    table.refreshes_since_load = 0;

    TimetableEntry entry;
    entry.id = table.row.id;
    entry.schedule = table.row.schedule_ms;
    entry.captured = table.row.effective_refresh_mode == "DIFFERENTIAL";
    entry.active = table.row.exists && table.row.status == "ACTIVE" && !table.row.needs_reinit && !table.building &&
                   (entry.captured || table.row.effective_refresh_mode == "FULL");
    if (table.row.data_age_seconds) {
      entry.age = milliseconds(static_cast<std::int64_t>(std::clamp(*table.row.data_age_seconds, 0.0, 1e9) * 1000));
    }
    entries.push_back(entry);
  }
  for (auto it = tables_.begin(); it != tables_.end();) {
    if (seen.contains(it->first)) {
      ++it;
    } else {
      garbage_expected_ = true;
      fresh_written_.erase(it->first);
      it = tables_.erase(it);
    }
  }
  timetable_.load(entries, catalog.edges, now);
  if (!timetable_.dag().cyclic().empty()) {
    spdlog::debug("stream tables read each other in a cycle database={} count={}", database_.name,
                  timetable_.dag().cyclic().size());
  }
  dispatch_signal_.set();
}

asio::awaitable<MaybeError> DatabaseScheduler::load_history(ConnectionPtr connection) {
  const auto rows = co_await connection->query(sql::recent_refreshes(), deadline_after(kQueryTimeout));
  if (!rows) co_return rows.error();
  for (auto& [id, table] : tables_) table.costs = refresh::CostModel();
  for (std::size_t i = 0; i < rows->size(); ++i) {
    postgres::RowReader row(*rows, i);
    const auto id = row.get<std::int64_t>("pgt_id");
    const auto action = row.get<std::string>("action");
    const auto delta_rows = row.get<std::optional<std::int64_t>>("delta_rows").value_or(0);
    const auto duration = row.get<double>("duration_ms");
    if (row.error()) co_return *row.error();
    const auto found = tables_.find(id);
    if (found == tables_.end()) continue;
    if (action == "FULL") {
      found->second.costs.full(duration);
    } else {
      found->second.costs.differential(delta_rows, duration);
    }
  }
  co_return std::nullopt;
}

// --- dispatch --------------------------------------------------------------------------------------------------------

asio::awaitable<void> DatabaseScheduler::dispatch(Self self, std::uint64_t term) {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (self->leading() && self->term_ == term) {
    const TimePoint begun = Clock::now();
    const auto batch = std::make_shared<Batch>();
    batch->units = self->timetable_.take_due(begun);
    if (!batch->units.empty()) {
      int due = 0;
      for (const Unit& unit : batch->units) {
        due += static_cast<int>(unit.tables.size());
        batch->waiting_for.push_back(unit.after.size());
      }
      for (std::size_t i = 0; i < batch->units.size(); ++i) {
        if (batch->waiting_for[i] == 0) self->launch(batch, i);
      }
      const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun);
      self->shared_->observer->on_tick(self->database_.name, took, due);
    }
    co_await self->dispatch_signal_.wait(self->timetable_.next_due());
  }
}

void DatabaseScheduler::launch(const std::shared_ptr<Batch>& batch, std::size_t unit) {
  spawn(run_unit(shared_from_this(), batch, unit));
}

void DatabaseScheduler::unit_ended(const std::shared_ptr<Batch>& batch, std::size_t unit) {
  for (std::size_t i = unit + 1; i < batch->units.size(); ++i) {
    const auto& after = batch->units[i].after;
    if (std::find(after.begin(), after.end(), unit) == after.end()) continue;
    if (--batch->waiting_for[i] == 0) launch(batch, i);
  }
}

asio::awaitable<void> DatabaseScheduler::run_unit(Self self, std::shared_ptr<Batch> batch, std::size_t unit) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const std::vector<TableId>& ids = batch->units[unit].tables;
  if (!self->leading()) {
    for (const TableId id : ids) self->timetable_.released(id);
    self->unit_ended(batch, unit);
    co_return;
  }

  std::vector<refresh::Outcome> outcomes;
  {
    auto lease = co_await self->refresh_pool_->acquire(deadline_after(kAcquireTimeout));
    if (lease) {
      const milliseconds limit = self->settings_.refresh_timeout;
      // The server enforces refresh_timeout per statement; this one is for a server that does not answer.
      const milliseconds timeout =
          limit.count() > 0 ? limit * static_cast<int>(ids.size()) + kQueryTimeout : kNoTimeoutButADay;
      outcomes = co_await refresh::refresh_unit(**lease, ids, timeout);
    } else {
      for (const TableId id : ids) {
        refresh::Outcome outcome;
        outcome.id = id;
        outcome.error = lease.error();
        outcomes.push_back(std::move(outcome));
      }
    }
  }

  Settlement settlement;
  for (const refresh::Outcome& outcome : outcomes) self->settle(outcome, settlement);
  if (!settlement.statements.empty()) co_await self->record(std::move(settlement.statements));
  for (const auto& [id, delay] : settlement.failed) self->timetable_.failed(id, delay, Clock::now());
  self->unit_ended(batch, unit);
  self->dispatch_signal_.set();
  if (settlement.reload) {
    self->reload_soon();
  } else if (self->may_sleep_ && self->control_connection_ && Clock::now() >= self->next_arming_ &&
             self->timetable_.wants_to_arm(Clock::now())) {
    self->control_connection_->poke();
  }
}

void DatabaseScheduler::settle(const refresh::Outcome& outcome, Settlement& settlement) {
  const auto found = tables_.find(outcome.id);
  if (found == tables_.end()) {  // dropped in the meantime
    timetable_.released(outcome.id);
    return;
  }
  Table& table = found->second;
  const bool canceled = outcome.error && outcome.error->classify() == ErrorClass::kCanceled;
  if (!canceled) {
    observe::RefreshEvent event;
    event.database = database_.name;
    event.schema = table.row.schema;
    event.name = table.row.name;
    event.action = outcome.action;
    if (outcome.error) {
      event.error_code = outcome.error->sqlstate;
      event.error_message = outcome.error->message;
    }
    event.duration = outcome.duration;
    event.delta_rows = outcome.delta_rows;
    event.rows_inserted = outcome.rows_inserted;
    event.rows_updated = outcome.rows_updated;
    event.rows_deleted = outcome.rows_deleted;
    shared_->observer->on_refresh(event);
  }
  if (canceled) {
    timetable_.released(outcome.id);
  } else if (outcome.error) {
    settle_failure(table, outcome, settlement);
  } else if (outcome.action == "REINIT") {
    settle_rebuild(table, table.health.on_reinit(), "a source changed its shape", settlement);
  } else {
    settle_success(table, outcome, settlement);
  }
}

void DatabaseScheduler::settle_success(Table& table, const refresh::Outcome& outcome, Settlement& settlement) {
  const TableId id = table.row.id;
  const double ms = static_cast<double>(outcome.server_duration.count()) / 1000;
  const bool applied = outcome.action != "NO_DATA";
  if (table.health.reported() || table.row.consecutive_errors > 0 || !table.row.last_error.empty()) {
    settlement.statements.push_back(sql::clear_errors(id));
    table.row.consecutive_errors = 0;
    table.row.last_error.clear();
    spdlog::info("recovered database={} stream_table={}", database_.name, label(table));
  }
  if (applied) {
    table.health.on_applied();
    if (outcome.action == "FULL") {
      table.costs.full(ms);
    } else {
      table.costs.differential(outcome.delta_rows, ms);
    }
    table.last_duration_ms = ms;
    ++table.refreshes_since_load;
    fresh_written_[id] = Clock::now();
  } else {
    table.health.on_no_data();
  }
  table.last_refresh_epoch = epoch_now();
  timetable_.succeeded(id, applied, rounded(outcome.server_duration), Clock::now());
}

void DatabaseScheduler::settle_failure(Table& table, const refresh::Outcome& outcome, Settlement& settlement) {
  const Error& error = *outcome.error;
  const Judgement judgement = table.health.on_error(error, table.row.wide_keys, health_rules(), random01());
  const bool retrying = !judgement.counted && judgement.remedy == Remedy::kRetry;
  if (retrying) shared_->observer->on_retry(database_.name, error.sqlstate);
  if (retrying && !judgement.report) {
    spdlog::debug("refresh will be retried database={} stream_table={} error=\"{}\" delay_ms={}", database_.name,
                  label(table), error.text(), judgement.delay.count());
  } else {
    spdlog::warn("refresh failed database={} stream_table={} error=\"{}\" consecutive_errors={} suspended={}",
                 database_.name, label(table), error.text(), table.health.consecutive_errors(),
                 judgement.remedy == Remedy::kSuspend);
  }

  if (judgement.remedy == Remedy::kGiveUp) table.failed_generation = table.row.generation;
  if (judgement.report) {
    sql::Failure failure;
    failure.id = table.row.id;
    failure.generation = table.row.generation;
    failure.code = error.sqlstate;
    failure.message = error.detail.empty() ? error.message : error.message + " (" + error.detail + ")";
    failure.hint = error.hint;
    failure.duration = outcome.duration;
    failure.consecutive_errors = table.health.consecutive_errors();
    if (judgement.remedy == Remedy::kSuspend) failure.new_status = "SUSPENDED";
    if (judgement.remedy == Remedy::kGiveUp) {
      failure.new_status = "ERROR";
      failure.message =
          "re-initialised " + std::to_string(Health::kMaxRebuilds) + " times without success: " + failure.message;
    }
    for (Statement& statement : sql::record_failure(failure)) settlement.statements.push_back(std::move(statement));
    table.row.last_error = failure.message;
  }
  if (judgement.remedy == Remedy::kRebuild || judgement.remedy == Remedy::kRebuildWide) {
    settle_rebuild(table, judgement, error.message, settlement);
    return;
  }
  milliseconds delay = std::max(judgement.delay, milliseconds(1));
  if (judgement.remedy != Remedy::kRetry) {
    timetable_.deactivate(table.row.id);
    delay = kStatusDelay;
    settlement.reload = true;
  }
  settlement.failed.emplace_back(table.row.id, delay);
}

void DatabaseScheduler::settle_rebuild(Table& table, const Judgement& judgement, const std::string& reason,
                                       Settlement& settlement) {
  const TableId id = table.row.id;
  if (judgement.remedy == Remedy::kGiveUp) {
    table.failed_generation = table.row.generation;
    sql::Failure failure;
    failure.id = id;
    failure.generation = table.row.generation;
    failure.code = "55000";
    failure.message = "it asks for re-initialisation again and again: " + reason;
    failure.consecutive_errors = table.health.consecutive_errors();
    failure.new_status = "ERROR";
    for (Statement& statement : sql::record_failure(failure)) settlement.statements.push_back(std::move(statement));
  } else {
    spdlog::info("re-initialisation requested database={} stream_table={} reason=\"{}\" wide_keys={}", database_.name,
                 label(table), reason, judgement.remedy == Remedy::kRebuildWide);
    settlement.statements.push_back(sql::request_rebuild(id, reason, judgement.remedy == Remedy::kRebuildWide));
  }
  timetable_.deactivate(id);
  settlement.failed.emplace_back(id, kStatusDelay);
  settlement.reload = true;
}

asio::awaitable<void> DatabaseScheduler::record(std::vector<Statement> statements) {
  auto lease = co_await maintenance_pool_->acquire(deadline_after(kQueryTimeout));
  if (!lease) {
    spdlog::warn("outcome not recorded database={} error=\"{}\"", database_.name, lease.error().text());
    co_return;
  }
  const auto results = co_await (*lease)->pipeline(std::move(statements), deadline_after(kQueryTimeout));
  if (const auto error = first_error(results)) {
    spdlog::warn("outcome not recorded database={} error=\"{}\"", database_.name, error->text());
  }
}

// --- builds ----------------------------------------------------------------------------------------------------------

bool DatabaseScheduler::wants_build(const Table& table) const {
  const sql::StreamTable& row = table.row;
  if (!row.exists || table.building) return false;
  if (row.status == "PENDING" || row.status == "INITIALIZING") return true;
  if (!row.needs_reinit) return false;
  return row.status == "ACTIVE" || (row.status == "ERROR" && table.failed_generation != row.generation);
}

void DatabaseScheduler::start_builds() {
  if (!leading()) return;
  const TimePoint now = Clock::now();
  for (const TableId id : timetable_.dag().order()) {
    if (builds_running_ >= kBuildsAtOnce) return;
    const auto found = tables_.find(id);
    if (found == tables_.end()) continue;
    Table& table = found->second;
    if (!wants_build(table) || now < table.build_not_before || timetable_.in_flight(id)) continue;
    const auto& upstream = timetable_.dag().upstream(id);
    const bool upstream_busy = std::any_of(upstream.begin(), upstream.end(), [&](TableId up) {
      const auto other = tables_.find(up);
      return other != tables_.end() &&
             (other->second.building || (wants_build(other->second) && now >= other->second.build_not_before));
    });
    const auto& cyclic = timetable_.dag().cyclic();
    if (upstream_busy && std::find(cyclic.begin(), cyclic.end(), id) == cyclic.end()) continue;
    start_build(table);
  }
}

void DatabaseScheduler::start_build(Table& table) {
  auto conninfo = postgres::merge_conninfo(database_.dsn, {{"application_name", build_application_name()}});
  if (!conninfo) return;
  table.building = true;
  ++builds_running_;
  spdlog::info("building database={} stream_table={} status={} needs_reinit={}", database_.name, label(table),
               table.row.status, table.row.needs_reinit);
  catalog::BuildSettings settings;
  settings.lock_timeout_ms = static_cast<int>(settings_.lock_timeout.count());
  settings.statement_timeout_ms = settings_.refresh_timeout.count();
  asio::post(*shared_->build_workers, [self = shared_from_this(), conninfo = std::move(*conninfo), id = table.row.id,
                                       generation = table.row.generation, settings] {
    catalog::BuildResult result;
    try {
      result = self->shared_->builder.build(conninfo, id, settings);
    } catch (const std::exception& e) {
      spdlog::critical("builder failed database={} pgt_id={} error=\"{}\"", self->database_.name, id, e.what());
      result.status = catalog::BuildStatus::kRetry;
      result.sqlstate = "XX000";
      result.message = e.what();
    }
    asio::post(self->shared_->executor, [self, id, generation, result] { self->build_ended(id, generation, result); });
  });
}

void DatabaseScheduler::build_ended(TableId id, std::int64_t generation, const catalog::BuildResult& result) {
  --builds_running_;
  task_ended_.set();
  const auto found = tables_.find(id);
  if (found == tables_.end()) {
    garbage_expected_ = true;  // it was dropped under the builder's feet
    reload_soon();
    return;
  }
  Table& table = found->second;
  table.building = false;
  switch (result.status) {
    case catalog::BuildStatus::kActive:
      garbage_expected_ = garbage_expected_ || table.row.needs_reinit;  // the old program's capture
      table.build_failures = 0;
      table.build_not_before = TimePoint::min();
      table.failed_generation.reset();
      shared_->observer->on_build(database_.name, label(table), true);
      spdlog::info("built database={} stream_table={} result=\"{}\"", database_.name, label(table), result.message);
      break;
    case catalog::BuildStatus::kError: {
      ++table.build_failures;
      const postgres::Backoff backoff{.min = milliseconds(1000), .max = kBuildRetryMax};
      table.build_not_before = Clock::now() + backoff.delay(table.build_failures, random01());
      table.failed_generation = generation;
      shared_->observer->on_build(database_.name, label(table), false);
      spdlog::warn("build failed database={} stream_table={} sqlstate={} error=\"{}\"", database_.name, label(table),
                   result.sqlstate, result.message);
      break;
    }
    case catalog::BuildStatus::kRetry:
      ++table.build_failures;
      table.build_not_before = Clock::now() + health_rules().retry.delay(table.build_failures, random01());
      shared_->observer->on_retry(database_.name, result.sqlstate);
      spdlog::info("build will be retried database={} stream_table={} sqlstate={} error=\"{}\"", database_.name,
                   label(table), result.sqlstate, result.message);
      // The control coroutine sleeps until its next duty; a retry may be due earlier.
      next_load_ = std::min(next_load_, table.build_not_before);
      break;
    case catalog::BuildStatus::kGone:
      garbage_expected_ = true;
      break;
  }
  reload_soon();
}

void DatabaseScheduler::start_garbage_collection() {
  if (!leading() || collecting_garbage_ || (!garbage_expected_ && Clock::now() < next_garbage_)) return;
  auto conninfo = postgres::merge_conninfo(database_.dsn, {{"application_name", build_application_name()}});
  if (!conninfo) return;
  collecting_garbage_ = true;
  garbage_expected_ = false;
  next_garbage_ = Clock::now() + kGarbageInterval;
  ++builds_running_;
  catalog::BuildSettings settings;
  settings.lock_timeout_ms = static_cast<int>(settings_.lock_timeout.count());
  asio::post(*shared_->build_workers, [self = shared_from_this(), conninfo = std::move(*conninfo), settings] {
    int removed = 0;
    try {
      removed = self->shared_->builder.collect_garbage(conninfo, settings);
    } catch (const std::exception& e) {
      spdlog::warn("garbage collection failed database={} error=\"{}\"", self->database_.name, e.what());
    }
    asio::post(self->shared_->executor, [self, removed] {
      --self->builds_running_;
      self->collecting_garbage_ = false;
      self->task_ended_.set();
      if (removed > 0) spdlog::info("garbage collected database={} removed={}", self->database_.name, removed);
    });
  });
}

// --- housekeeping ----------------------------------------------------------------------------------------------------

asio::awaitable<void> DatabaseScheduler::keep_house(Self self) {
  co_await asio::this_coro::throw_if_cancelled(false);
  auto lease = co_await self->maintenance_pool_->acquire(deadline_after(kQueryTimeout));
  if (lease) {
    Connection& connection = **lease;
    co_await self->rotate_logs(connection);
    if (Clock::now() >= self->next_prune_) {
      const auto pruned = co_await connection.query(sql::prune_history(self->settings_.history_retention, kPruneBatch),
                                                    deadline_after(kQueryTimeout));
      const bool more = pruned.ok() && pruned->affected() == kPruneBatch;
      if (!more) {
        self->next_prune_ = Clock::now() + kPruneInterval;
        co_await connection.query(sql::forget_dead_daemons(), deadline_after(kQueryTimeout));
      }
    }
    if (Clock::now() >= self->next_source_check_) {
      self->next_source_check_ = Clock::now() + kSourceCheckInterval;
      const auto checked = co_await connection.query(sql::check_sources(), deadline_after(kQueryTimeout));
      if (!checked)
        spdlog::warn("source check failed database={} error=\"{}\"", self->database_.name, checked.error().text());
    }
  }
  self->housekeeping_running_ = false;
  self->next_housekeeping_ = Clock::now() + self->settings_.housekeeping_interval;
  if (self->control_connection_) self->control_connection_->poke();
}

asio::awaitable<void> DatabaseScheduler::rotate_logs(Connection& connection) {
  const auto rows = co_await connection.query(sql::log_sizes(), deadline_after(kQueryTimeout));
  if (!rows) {
    spdlog::debug("log sizes unknown database={} error=\"{}\"", database_.name, rows.error().text());
    co_return;
  }
  auto sizes = sql::read_log_sizes(*rows);
  if (!sizes) {
    spdlog::warn("log sizes unreadable database={} error=\"{}\"", database_.name, sizes.error().text());
    co_return;
  }
  log_sizes_ = std::move(*sizes);
  const std::vector<sql::LogSize> todo = log_sizes_;
  for (const sql::LogSize& log : todo) {
    if (stopping_) co_return;
    if (log.inactive_bytes == 0 && log.active_bytes < std::max<std::int64_t>(settings_.log_switch_bytes, 1)) continue;
    RotationDelay& rotation = rotations_[log.source_id];
    if (Clock::now() < rotation.not_before) continue;
    const auto answer = co_await connection.query(sql::rotate_log(log.source_id, settings_.log_switch_bytes),
                                                  deadline_after(kQueryTimeout));
    std::string done = "failed";
    if (answer) {
      postgres::RowReader row(*answer, 0);
      done = row.get<std::string>("done");
    } else {
      spdlog::info("log not rotated database={} source={} error=\"{}\"", database_.name, log.source,
                   answer.error().text());
      if (!connection.usable()) co_return;
    }
    // What a slow consumer still needs is not worth asking for every second.
    const bool progress = done == "truncated" || done == "switched";
    rotation.delay = progress
                         ? milliseconds(0)
                         : std::min(kRotationDelayMax, std::max(rotation.delay * 2, settings_.housekeeping_interval));
    rotation.not_before = Clock::now() + rotation.delay;
    if (progress) spdlog::debug("log rotated database={} source={} done={}", database_.name, log.source, done);
  }
}

asio::awaitable<void> DatabaseScheduler::update_frontiers(Self self) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const TimePoint now = Clock::now();
  // A refresh that runs meanwhile would fail to lock a frontier that we have just changed: keep these tables in flight.
  std::set<TableId> held;
  std::map<TableId, double> ages;
  std::vector<Statement> statements;
  for (auto& [id, table] : self->tables_) {
    if (table.row.status != "ACTIVE" || table.row.effective_refresh_mode != "DIFFERENTIAL") continue;
    const auto fresh = self->timetable_.fresh_at(id, now);
    const auto written = self->fresh_written_.find(id);
    const bool newer = fresh && (written == self->fresh_written_.end() || *fresh > written->second);
    const std::int64_t threshold = table.costs.threshold(table.row.rows);
    const bool reprice =
        statements.size() < kThresholdsAtOnce && refresh::CostModel::worth_writing(table.row.full_threshold, threshold);
    if ((!newer && !reprice) || !self->timetable_.hold(id)) continue;
    held.insert(id);
    if (reprice) {
      statements.push_back(sql::set_full_threshold(id, threshold));
      table.row.full_threshold = threshold;
    }
    if (newer) {
      ages[id] = seconds(now - *fresh);
      self->fresh_written_[id] = *fresh;
    }
  }
  if (!ages.empty()) statements.push_back(sql::mark_fresh(ages));
  if (!statements.empty()) co_await self->record(std::move(statements));
  for (const TableId id : held) self->timetable_.released(id);
  self->updating_frontiers_ = false;
  self->next_frontier_update_ = Clock::now() + kFrontierUpdateInterval;
  self->dispatch_signal_.set();
  if (self->control_connection_) self->control_connection_->poke();
}

// --- status ----------------------------------------------------------------------------------------------------------

observe::DatabaseStatus DatabaseScheduler::status() const {
  const TimePoint now = Clock::now();
  observe::DatabaseStatus out;
  out.name = database_.name;
  out.connected = control_connection_ && control_connection_->open();
  out.leader = leader_;
  out.problem = problem_;
  if (refresh_pool_) {
    const auto stats = refresh_pool_->stats();
    out.pool_size = stats.size;
    out.pool_idle = stats.idle;
    out.pool_broken = stats.broken;
  }
  for (const auto& [id, table] : tables_) {
    observe::StreamTableStatus st;
    st.id = id;
    st.schema = table.row.schema;
    st.name = table.row.name;
    st.status = table.row.status;
    st.refresh_mode = table.row.refresh_mode;
    st.effective_refresh_mode = table.row.effective_refresh_mode;
    st.reason = table.row.reason;
    st.schedule = table.row.schedule;
    st.last_error = table.row.last_error;
    std::optional<double> age;
    if (table.row.data_age_seconds) age = *table.row.data_age_seconds + seconds(now - table.loaded_at);
    if (const auto fresh = timetable_.fresh_at(id, now)) age = std::min(age.value_or(1e18), seconds(now - *fresh));
    st.staleness_seconds = std::max(0.0, age.value_or(0));
    st.last_refresh_epoch = std::max(table.row.last_refresh_epoch, table.last_refresh_epoch.value_or(0));
    st.last_duration_ms = table.last_duration_ms.value_or(table.row.last_duration_ms);
    st.total_refreshes = table.row.total_refreshes + table.refreshes_since_load;
    st.consecutive_errors = std::max(table.row.consecutive_errors, table.health.consecutive_errors());
    out.stream_tables.push_back(std::move(st));
  }
  for (const sql::LogSize& log : log_sizes_) {
    out.logs.push_back({.source = log.source, .bytes = log.active_bytes + log.inactive_bytes});
  }
  return out;
}

}  // namespace pgtrickle::scheduler
