// The control connection: its session, what the leader does, loading the catalog.
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "observe/log.h"
#include "scheduler/database_scheduler.h"
#include "scheduler/discovery.h"
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

constexpr milliseconds kHeartbeat{5000};  // SQL takes a daemon for dead after 15 s
constexpr const char* kPooled =
    "a pooler between us and PostgreSQL gives the session to others between transactions (PgBouncer: pool_mode "
    "transaction or statement), so that neither locks nor settings are ours: let the dsn lead to PostgreSQL itself, or "
    "to a pool with pool_mode = session";
constexpr milliseconds kStepAside{2000};  // for whoever waited for our lock
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

}  // namespace

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
      const auto pooled = co_await self->pooling_problem(**connection);
      if (pooled) self->set_problem(*pooled);
      if (!pooled) co_await self->control_session(*connection);
      self->lose_leadership();
      if (self->stopping_) break;
      if (pooled) (*connection)->close();
      self->control_connection_.reset();
      failures = Clock::now() - begun > self->settings_.retry_backoff_max ? 1 : failures + 1;
    }
    co_await self->pause(self->health_rules().retry.delay(failures, self->random01()));
  }
}

// What a pooler that hands sessions around cannot hide: while another connection has a transaction open, either that
// one has our session or we get a new one. Behind a pooler the process that the connection names is not the server's.
asio::awaitable<std::optional<std::string>> DatabaseScheduler::pooling_problem(Connection& connection) {
  constexpr int kLooks = 5;
  const auto ours = co_await server_process(connection, false);
  if (!ours) co_return std::nullopt;  // whatever comes next will say what is wrong
  if (*ours == connection.backend_pid()) co_return std::nullopt;
  log::info("connection", "there is a pooler between us and PostgreSQL database={}", database_.name);
  auto settings = connect_settings(false);
  if (!settings) co_return std::nullopt;
  postgres::ConnectSettings connect = *settings;
  const auto other = co_await Connection::connect(std::move(connect));
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

asio::awaitable<void> DatabaseScheduler::control_session(ConnectionPtr connection) {
  while (!stopping_ && !co_await check_installation(connection)) {
    if (!connection->open()) co_return;
    co_await pause(settings_.catalog_poll_interval);
  }
  while (!stopping_) {
    MaybeError error = co_await stand_by(connection);
    if (!error && !stopping_) error = co_await lead(connection);
    lose_leadership();
    if (!error && std::exchange(stepping_down_, false)) co_await pause(kStepAside);
    if (error) {
      if (!stopping_) set_problem("control connection: " + error->message);
      connection->close();
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
  uninstalled_ = !found->installed;
  if (!found->installed) {
    if (!tables_.empty()) adopt(sql::Catalog{}, Clock::now());  // they are ordinary tables now
    set_problem("pgtrickle is not installed in this database: run CREATE EXTENSION pg_trickle, or pgtrickle install");
    co_return false;
  }
  if (found->stranger) {
    set_problem(foreign_installation(*found->stranger));
    co_return false;
  }
  may_sleep_ = found->may_notify_from_triggers;
  most_locks_ = static_cast<std::size_t>(found->lock_slots / kLockShare);
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
  next_beat_ = Clock::now() + kHeartbeat;
  if (!result) co_return result.error();
  postgres::RowReader row(*result, 0);
  const int backend = row.get<int>("pid");
  if (row.error()) co_return *row.error();
  if (backend_ != 0 && backend != backend_) co_return postgres::connection_error(kPooled);
  backend_ = backend;
  co_return std::nullopt;
}

asio::awaitable<MaybeError> DatabaseScheduler::lead(ConnectionPtr connection) {
  const auto relinked = co_await connection->query(sql::adopt_cluster(), deadline_after(kQueryTimeout));
  if (!relinked) co_return relinked.error();
  postgres::RowReader adopted(*relinked, 0);
  if (const auto count = adopted.get<std::optional<int>>("adopted")) {
    log::warn("scheduler", "catalog came from another cluster or database, relinked database={} stream_tables={}",
              database_.name, *count);
  }
  leader_ = true;
  leader_suspected_ = leader_silent_ = false;
  const std::uint64_t term = ++term_;
  log::info("scheduler", "leading database={} instance={}", database_.name, shared_->instance);
  worker_session_role_.reset();
  MaybeError error = co_await load_catalog(connection);
  if (!error) error = co_await load_history(connection);
  if (!error) error = co_await beat(connection);
  if (error) co_return error;
  set_problem(worker_trouble_);
  alert(observe::AlertKind::kLeaderBack, "", "this daemon leads now");
  raise_lasting();
  warm_soon();

  const TimePoint now = Clock::now();
  judges_from_ = now + kWatchMax;
  next_housekeeping_ = next_garbage_ = next_prune_ = next_source_check_ = next_bell_ = next_watch_ = next_look_ = now;
  writers_left_ = true;
  next_frontier_update_ = now + kFrontierUpdateInterval;
  spawn(dispatch(shared_from_this(), term));
  spawn(watch_lead(shared_from_this(), term));
  while (leading()) {
    if (lead_lost_) co_return std::exchange(lead_lost_, std::nullopt);
    if (stepping_down_) break;
    if (!may_sleep_ && Clock::now() >= next_look_) error = co_await look_for_changes(connection);
    if (!error && Clock::now() >= next_trial_) error = co_await try_suspended(connection);
    if (error) co_return error;
    if (reload_requested_ || Clock::now() >= next_load_) error = co_await load_catalog(connection);
    if (!error && !changed_tables_.empty()) error = co_await load_changed(connection);
    if (!error && Clock::now() >= next_beat_) error = co_await beat(connection);
    if (error) co_return error;
    start_builds();
    start_garbage_collection();
    if (Clock::now() >= next_watch_) {
      next_watch_ = watch_tables();
    }
    if (Clock::now() >= next_housekeeping_ && !housekeeping_running_) {
      housekeeping_running_ = true;
      spawn(keep_house(shared_from_this()));
    }
    if (Clock::now() >= next_frontier_update_ && !updating_frontiers_) {
      updating_frontiers_ = true;
      spawn(update_frontiers(shared_from_this()));
    }
    if (!leading() || reload_requested_ || !changed_tables_.empty()) continue;
    error = co_await wait_for_duties(connection);
    if (error) co_return error;
  }
  co_return std::nullopt;
}

asio::awaitable<MaybeError> DatabaseScheduler::wait_for_duties(ConnectionPtr connection) {
  TimePoint wake_at = std::min({next_load_, next_beat_, next_watch_, next_trial_});
  if (!may_sleep_) wake_at = std::min(wake_at, next_look_);
  if (builds_running_ < kBuildsAtOnce) wake_at = std::min(wake_at, next_build_);
  if (!housekeeping_running_) wake_at = std::min(wake_at, next_housekeeping_);
  if (!updating_frontiers_) wake_at = std::min(wake_at, next_frontier_update_);
  const auto poked = co_await connection->wait_notification(wake_at);  // it listens to nothing: until somebody pokes
  if (!poked) co_return poked.error();
  co_return std::nullopt;
}

void DatabaseScheduler::reload_soon() {
  reload_requested_ = true;
  if (control_connection_) control_connection_->poke();
}

asio::awaitable<MaybeError> DatabaseScheduler::load_catalog(ConnectionPtr connection) {
  reload_requested_ = false;
  changed_tables_.clear();
  const TimePoint begun = Clock::now();
  const auto results = co_await connection->pipeline(sql::load_catalog(), deadline_after(kQueryTimeout));
  next_load_ = Clock::now() + settings_.catalog_poll_interval;
  if (auto error = postgres::first_error(results)) co_return error;
  auto catalog = sql::read_catalog(results);
  if (!catalog) co_return catalog.error();
  adopt(std::move(*catalog), begun);
  if (leader_) {
    auto error = co_await look_at_workers(connection);
    if (!error) error = co_await refuse_or_admit(connection);
    if (error) co_return error;
  }
  const TimePoint ended = Clock::now();
  load_took_ = ended - begun;
  next_load_ = ended + std::max<Clock::duration>(settings_.catalog_poll_interval, (ended - begun) * kIdleShare);
  co_return std::nullopt;
}

// A change is counted before it is committed. So once there is one, the catalog is loaded for everything that has been
// committed, until nobody is left who may have counted: what he did shows in that load.
asio::awaitable<MaybeError> DatabaseScheduler::look_for_changes(ConnectionPtr connection) {
  const auto answer = co_await connection->query(sql::catalog_changes(), deadline_after(kQueryTimeout));
  next_look_ = Clock::now() + std::max<Clock::duration>(kChangesInterval, load_took_ * kLoadShare);
  if (!answer) co_return answer.error();
  const auto changes = sql::read_catalog_changes(*answer);
  if (!changes) co_return changes.error();
  const bool moved = std::exchange(changes_seen_, *changes) != *changes;
  writers_left_ = writers_left_ || moved;
  if (!writers_left_) co_return std::nullopt;
  const auto who = co_await connection->query(sql::catalog_writers(), deadline_after(kQueryTimeout));
  if (!who) co_return who.error();
  const auto writers = sql::read_catalog_writers(*who);
  if (!writers) co_return writers.error();
  writers_left_ = writers->any;
  const bool committed = std::exchange(committed_, writers->committed) != writers->committed;
  // While somebody is still at it for long, only for what others commit; in the end in any case: what was undone by
  // then, as a table that was made and dropped, may have left something.
  if (moved || committed || !writers_left_) reload_requested_ = true;
  co_return std::nullopt;
}

asio::awaitable<MaybeError> DatabaseScheduler::try_suspended(ConnectionPtr connection) {
  std::vector<TableId> ids;
  next_trial_ = TimePoint::max();
  if (paused_) co_return std::nullopt;  // the load that ends this looks again
  for (auto& [id, table] : tables_) {
    if (table.row.status != "SUSPENDED" || !table.row.exists || !table.retry) continue;
    if (*table.retry > Clock::now()) {
      next_trial_ = std::min(next_trial_, *table.retry);
    } else {
      ids.push_back(id);
      table.retry.reset();  // the load that follows says when, if it stays suspended
    }
  }
  if (ids.empty()) co_return std::nullopt;
  const auto tried = co_await connection->query(sql::try_suspended(ids), deadline_after(kQueryTimeout));
  if (!tried) co_return tried.error();
  log::info("scheduler", "suspended stream tables are tried again database={} count={}", database_.name, ids.size());
  reload_requested_ = true;
  co_return std::nullopt;
}

asio::awaitable<MaybeError> DatabaseScheduler::load_changed(ConnectionPtr connection) {
  const std::set<TableId> ids = std::exchange(changed_tables_, {});
  const TimePoint begun = Clock::now();
  const auto answer = co_await connection->query(sql::load_tables(ids), deadline_after(kQueryTimeout));
  if (!answer) co_return answer.error();
  auto rows = sql::read_tables(*answer);
  if (!rows) co_return rows.error();
  std::set<TableId> gone = ids;
  for (sql::StreamTable& row : *rows) {
    gone.erase(row.id);
    const planner::PlannerEntry entry = adopt(std::move(row), begun);
    planner_.put(entry, now());
  }
  for (const TableId id : gone) {
    planner_.remove(id, now());
    forget_table(id);
  }
  hasten_wanted();
  ring();
  co_return co_await refuse_or_admit(connection);
}

// What somebody wants refreshed now, once it is in the plan.
void DatabaseScheduler::hasten_wanted() {
  for (const TableId id : std::exchange(wanted_, {})) planner_.hasten(id, now());
}

planner::PlannerEntry DatabaseScheduler::adopt(sql::StreamTable row, TimePoint read_after) {
  const auto [place, is_new] = tables_.try_emplace(row.id);
  Table& table = place->second;
  if (is_new || table.row.generation != row.generation) {
    table.health.reset(row.consecutive_errors);
    table.build_failures = 0;
    table.build_not_before = TimePoint::min();
  }
  garbage_expected_ = garbage_expected_ || (!row.exists && (is_new || table.row.exists));
  if (row.refresh_asked_epoch > table.row.refresh_asked_epoch) wanted_.insert(row.id);
  table.row = std::move(row);
  table.loaded_at = read_after;
  table.retry.reset();
  if (table.row.retry_in_seconds) {
    const double seconds = std::clamp(*table.row.retry_in_seconds, 0.0, 86400.0);
    table.retry = read_after + std::chrono::ceil<milliseconds>(std::chrono::duration<double>(seconds));
    next_trial_ = std::min(next_trial_, *table.retry);
  }
  builds_expected_ = logs_expected_ = true;
  next_watch_ = std::min(next_watch_, Clock::now() + kWatchMin);
  table.refreshes_since_load = 0;

  planner::PlannerEntry entry;
  entry.id = table.row.id;
  if (auto schedule = planner::parse_schedule(table.row.schedule, table.row.schedule_ms)) {
    entry.schedule = std::move(*schedule);
  } else if (is_new) {
    log::error("scheduler", "schedule cannot be read, taken as calculated database={} stream_table={} schedule={}",
               database_.name, label(table), table.row.schedule);
  }
  entry.tier = planner::parse_tier(table.row.tier);
  entry.captured = table.row.effective_refresh_mode == "DIFFERENTIAL";
  entry.active = table.row.exists && is_served(table.row) && table.row.status == "ACTIVE" && !table.row.needs_reinit &&
                 !table.building && !table.row.fuse_blown &&
                 (entry.captured || table.row.effective_refresh_mode == "FULL");
  const auto interval = [](double seconds) {
    return milliseconds(static_cast<std::int64_t>(std::clamp(seconds, 0.0, 1e9) * 1000));
  };
  if (table.row.data_age_seconds) entry.age = interval(*table.row.data_age_seconds);
  if (table.row.max_staleness_seconds) entry.max_staleness = interval(*table.row.max_staleness_seconds);
  entry.domain = domain_of(table.row);
  entry.upstream = table.row.upstream;
  entry.sources = table.row.sources;
  entry.relations = table.row.relations;
  entry.own_log = table.row.own_log;
  entry.atomic_diamond = table.row.atomic_diamond;
  entry.slowest = table.row.slowest;
  entry.throttled = table.row.refresh_mode == "AUTO" && table.row.effective_refresh_mode == "FULL";
  if (entry.throttled) entry.cost = milliseconds(static_cast<std::int64_t>(table.row.last_duration_ms));
  return entry;
}

void DatabaseScheduler::forget_table(TableId id) {
  garbage_expected_ = tables_.erase(id) > 0 || garbage_expected_;
  fresh_written_.erase(id);
  homes_.erase(id);
  to_warm_.erase(id);
}

void DatabaseScheduler::adopt(sql::Catalog catalog, TimePoint read_after) {
  std::set<TableId> seen;
  std::vector<planner::PlannerEntry> entries;
  for (sql::StreamTable& row : catalog.tables) {
    seen.insert(row.id);
    entries.push_back(adopt(std::move(row), read_after));
  }
  std::vector<TableId> gone;
  for (const auto& [id, table] : tables_) {
    if (!seen.contains(id)) gone.push_back(id);
  }
  for (const TableId id : gone) forget_table(id);
  planner_.configure(planner_settings());
  planner_.load(entries, catalog.groups, now());
  hasten_wanted();
  planner_.release_holds(Clock::now());  // what held them may be what has changed
  if (paused_ != catalog.paused) {
    log::info("scheduler", "{} database={} reason={}", log::raw(catalog.paused ? "paused" : "no longer paused"),
              database_.name, catalog.paused_reason);
  }
  paused_ = catalog.paused;
  worker_role_ = catalog.worker_role;
  worker_problem_ = catalog.worker_problem;
  watch_catalog(catalog);
  ring();
}

asio::awaitable<MaybeError> DatabaseScheduler::load_history(ConnectionPtr connection) {
  const auto rows = co_await connection->query(sql::recent_refreshes(), deadline_after(kQueryTimeout));
  if (!rows) co_return rows.error();
  for (auto& [id, table] : tables_) {
    table.costs = refresh::CostModel();
    table.fuse = refresh::FuseModel();
  }
  for (std::size_t i = 0; i < rows->size(); ++i) {
    postgres::RowReader row(*rows, i);
    const auto id = row.get<std::int64_t>("pgt_id");
    const auto action = row.get<std::string>("action");
    const auto delta_rows = row.get<std::optional<std::int64_t>>("delta_rows").value_or(0);
    const auto duration = row.get<double>("duration_ms");
    if (row.error()) co_return *row.error();
    const auto found = tables_.find(id);
    if (found == tables_.end()) continue;
    if (delta_rows > 0) found->second.fuse.applied(delta_rows, static_cast<std::size_t>(settings_.fuse_history));
    if (action == "FULL") {
      found->second.costs.full(duration);
    } else {
      found->second.costs.differential(delta_rows, duration);
    }
  }
  co_return std::nullopt;
}

}  // namespace pgtrickle::scheduler
