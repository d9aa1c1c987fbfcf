// Units: from being due to the consequences of their outcome.

#include <algorithm>
#include <utility>

#include "observe/log.h"
#include "scheduler/database_scheduler.h"
#include "scheduler/limits.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
namespace log = observe::log;
using postgres::Clock;
using postgres::deadline_after;
using postgres::Error;
using postgres::ErrorClass;
using postgres::Statement;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kAcquireTimeout{60000};
constexpr milliseconds kPatience{10};  // for the session that has a table's plans
constexpr milliseconds kNoTimeoutButADay{24 * 3600 * 1000};
constexpr int kErrorShare =
    20;  // the pause before what has stopped is tried again is so many times as long as its refresh

milliseconds pause_after(const Judgement& judgement, std::chrono::microseconds took) {
  return std::max(judgement.delay, std::chrono::duration_cast<milliseconds>(took * kErrorShare));
}

double epoch_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// The members of the cycle that the stream table is in, ascending; none if it is in none.
std::vector<TableId> cycle_of(const planner::Dag& dag, TableId id) {
  return dag.contains(id) ? dag.cycle(id) : std::vector<TableId>();
}

milliseconds rounded(std::chrono::microseconds duration) {
  return std::chrono::duration_cast<milliseconds>(duration + std::chrono::microseconds(500));
}

}  // namespace

asio::awaitable<void> DatabaseScheduler::dispatch(Self self, std::uint64_t term) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto leads = [&] { return self->leading() && self->term_ == term; };
  while (leads()) {
    co_await self->open_bell();
    if (!leads()) break;
    if (!self->halted()) {
      co_await self->arm_sources();
      if (!leads()) break;
    }
    co_await self->unlock_spared();
    if (!leads()) break;
    if (!self->halted()) self->enqueue_due();
    self->start_ready();
    self->start_warming();
    co_await self->listen_until(self->halted() ? TimePoint::max() : self->planner_.next_due());
  }
}

void DatabaseScheduler::enqueue_due() {
  const Now begun = now();
  const auto batch = std::make_shared<Batch>();
  batch->units = planner_.take_due(begun);
  if (batch->units.empty()) return;
  int due = 0;
  for (const Unit& unit : batch->units) {
    due += static_cast<int>(unit.tables.size());
    batch->waiting_for.push_back(unit.after.size());
  }
  for (std::size_t i = 0; i < batch->units.size(); ++i) {
    if (batch->waiting_for[i] == 0) push(batch, i);
  }
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun.steady);
  shared_->observer->on_tick(database_.name, took, due);
}

void DatabaseScheduler::push(const std::shared_ptr<Batch>& batch, std::size_t unit) {
  ready_.push(batch->units[unit], {.batch = batch, .unit = unit});
}

void DatabaseScheduler::start_ready() {
  if (!registered_) return;
  WorkerBudget& budget = *shared_->budget;
  const auto may = [&](const Unit& unit) { return budget.owner_may_take(budget_, unit.domain); };
  const auto take = [&](const Unit& unit) { return budget.try_take(budget_, unit.domain); };
  while (leading() && units_running_ < database_.pool_size) {
    const auto next = ready_.pop_if(Clock::now(), may, take);
    if (!next) break;
    ++units_running_;
    spawn(run_unit(shared_from_this(), next->work.batch, next->work.unit));
  }
  const bool more = leading() && units_running_ < database_.pool_size;
  budget.set_waiting(budget_, more ? ready_.count_by_domain() : std::map<Domain, int>());
}

void DatabaseScheduler::unit_ended(const std::shared_ptr<Batch>& batch, std::size_t unit) {
  for (std::size_t i = unit + 1; i < batch->units.size(); ++i) {
    const auto& after = batch->units[i].after;
    if (std::find(after.begin(), after.end(), unit) == after.end()) continue;
    if (--batch->waiting_for[i] > 0) continue;
    if (leading()) {
      push(batch, i);
    } else {
      drop({.batch = batch, .unit = i});
    }
  }
}

void DatabaseScheduler::give_place_back(Domain owner) {
  --units_running_;
  shared_->budget->release(budget_, owner);
  start_ready();
  ring();
}

// A unit that does not run any more, and those that wait for it.
void DatabaseScheduler::drop(const Work& work) {
  for (const TableId id : work.batch->units[work.unit].tables) planner_.released(id);
  unit_ended(work.batch, work.unit);
}

asio::awaitable<void> DatabaseScheduler::run_unit(Self self, std::shared_ptr<Batch> batch, std::size_t unit_index) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const Unit& unit = batch->units[unit_index];
  const std::vector<TableId>& ids = unit.tables;
  if (!self->leading()) {
    self->drop({.batch = batch, .unit = unit_index});
    self->give_place_back(unit.domain);
    co_return;
  }
  self->shared_->observer->on_lag(self->database_.name,
                                  std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - unit.due));

  const std::optional<Domain> domain = self->common_domain(ids);
  if (!domain) {  // whom to trust has changed since this was planned: it is planned again
    self->reload_soon();
    self->drop({.batch = batch, .unit = unit_index});
    self->give_place_back(unit.domain);
    co_return;
  }
  std::vector<refresh::Outcome> outcomes;
  std::vector<Statement> abandoned;
  {
    // Making plans takes longer than what others do meanwhile, unless many wait.
    const milliseconds patience = self->ready_.empty() ? kPatience : milliseconds(0);
    auto lease = co_await self->worker_session(*domain, ids, deadline_after(kAcquireTimeout), patience);
    if (lease) {
      const milliseconds limit = self->settings_.refresh_timeout;
      refresh::UnitSettings settings;
      // The server enforces refresh_timeout per statement, but not at COMMIT, and only if it answers at all.
      settings.timeout = limit.count() > 0
                             ? limit * static_cast<int>(ids.size()) + std::clamp(limit, kAnswerMin, kAnswerMax)
                             : kNoTimeoutButADay;
      settings.max_iterations = self->settings_.max_fixpoint_iterations;
      self->planner_.begun(unit, Clock::now());
      std::vector<refresh::Step> steps;
      std::set<TableId> without_step(ids.begin(), ids.end());
      for (planner::UnitStep& step : planner::steps_of(unit, self->planner_.dag())) {
        for (const TableId id : step.ids) without_step.erase(id);
        steps.push_back({.ids = std::move(step.ids), .cycle = step.cycle, .together = step.together});
      }
      for (const TableId id : without_step) self->planner_.released(id);
      const int backend = (**lease).backend_pid();
      outcomes = co_await refresh::refresh_unit(**lease, std::move(steps), settings);
      // It was closed because it did not answer to a cancel request, which a user's code can catch; or it was lost.
      if (!(**lease).open() && !self->stopping_) abandoned.push_back(sql::end_session(backend, settings.timeout / 2));
      self->refreshed_by(lease->connection(), outcomes);
    } else {
      for (const TableId id : ids) {
        refresh::Outcome outcome;
        outcome.id = id;
        outcome.error = lease.error();
        outcomes.push_back(std::move(outcome));
      }
    }
  }

  if (!abandoned.empty()) co_await self->record(std::move(abandoned), "abandoned session not ended");
  Settlement settlement;
  for (const refresh::Outcome& outcome : outcomes) self->settle(outcome, settlement);
  if (!settlement.statements.empty()) co_await self->record(std::move(settlement.statements));
  for (PendingAlert& alert : settlement.alerts) {
    self->alert(alert.kind, alert.object, alert.message, std::move(alert.details));
  }
  for (const auto& [id, delay, alone] : settlement.failed) self->planner_.failed(id, delay, Clock::now(), alone);
  if (settlement.reload) self->reload_soon();
  self->unit_ended(batch, unit_index);
  self->give_place_back(unit.domain);
}

void DatabaseScheduler::settle(const refresh::Outcome& outcome, Settlement& settlement) {
  const auto found = tables_.find(outcome.id);
  if (found == tables_.end()) {  // dropped in the meantime
    planner_.released(outcome.id);
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
    const TimePoint ended = Clock::now();
    const auto equal_at = planner_.fresh_at(outcome.id, ended);  // what it made visible was committed after that
    if (equal_at && !outcome.error && (outcome.action == "DIFFERENTIAL" || outcome.action == "FULL"))
      event.commit_to_visible = std::chrono::duration_cast<std::chrono::microseconds>(ended - *equal_at);
    shared_->observer->on_refresh(event);
  }
  if (canceled) {
    planner_.released(outcome.id);
  } else if (outcome.error) {
    settle_failure(table, outcome, settlement);
  } else if (outcome.action == "REINIT") {
    settle_rebuild(table, table.health.on_reinit(random01()), "", settlement);
  } else if (outcome.action == "HELD") {
    planner_.held(outcome.id, now());
  } else if (outcome.action == "WITHHELD") {
    planner_.deferred(outcome.id);
  } else if (outcome.action == "BLOWN") {
    settle_blown(table, outcome, settlement);
  } else if (outcome.action == "PAUSED") {
    planner_.released(outcome.id);
    pause_for_a_while();
  } else {
    settle_success(table, outcome, settlement);
    // It had begun when somebody asked for a refresh: that is still to come.
    if (static_cast<double>(outcome.data_at) < table.row.refresh_asked_epoch * 1e6) {
      planner_.hasten(outcome.id, now());
    }
  }
}

void DatabaseScheduler::settle_blown(Table& table, const refresh::Outcome& outcome, Settlement& settlement) {
  if (!table.row.fuse_blown) {
    settlement.alerts.push_back({observe::AlertKind::kFuseBlown,
                                 label(table),
                                 "more changes are pending than its fuse allows",
                                 {{"pending_rows", outcome.delta_rows}, {"limit", table.row.fuse_limit.value_or(0)}}});
    settlement.statements.push_back(sql::blow_fuse(table.row.id, outcome.delta_rows));
    table.row.fuse_blown = true;
  }
  planner_.deactivate(table.row.id);
  planner_.released(table.row.id);
}

// The catalog says for how long. A drain that gave up changes nothing there, so it is looked at again soon.
void DatabaseScheduler::pause_for_a_while() {
  paused_ = true;
  next_load_ = std::min(next_load_, Clock::now() + kStatusDelay);
  if (control_connection_) control_connection_->poke();
}

void DatabaseScheduler::settle_success(Table& table, const refresh::Outcome& outcome, Settlement& settlement) {
  const TableId id = table.row.id;
  const double ms = static_cast<double>(outcome.server_duration.count()) / 1000;
  const bool applied = outcome.action != "NO_DATA";
  if (table.health.reported() || table.row.consecutive_errors > 0 || !table.row.last_error.empty()) {
    settlement.statements.push_back(sql::clear_errors(id));
    table.row.consecutive_errors = 0;
    table.row.last_error.clear();
    log::info("refresh", "recovered database={} stream_table={}", database_.name, label(table));
    settlement.alerts.push_back({observe::AlertKind::kRecovered, label(table), "a refresh succeeded again"});
  }
  if (applied) {
    table.health.on_applied();
    remember(outcome);
    if (outcome.action == "FULL") table.costs.full(ms);
    if (outcome.action == "DIFFERENTIAL") table.costs.differential(outcome.delta_rows, ms);
    if (outcome.delta_rows > 0 && outcome.action != "SKIPPED")
      table.fuse.applied(outcome.delta_rows, static_cast<std::size_t>(settings_.fuse_history));
    table.last_duration_ms = ms;
    ++table.refreshes_since_load;
    fresh_written_[id] = Clock::now();
  } else {
    table.health.on_no_data();
  }
  table.last_refresh_epoch = epoch_now();
  const std::vector<TableId> slowed = planner_.succeeded(
      id, {.changed = applied, .own = rounded(outcome.server_duration), .whole_unit = rounded(outcome.unit_duration)},
      now());
  if (outcome.iterations > 0) {
    const std::vector<TableId> members = cycle_of(planner_.dag(), id);
    if (!members.empty() && members.front() == id)
      shared_->observer->on_scc(database_.name, id, outcome.iterations, true);
  }
  if (slowed.empty()) return;
  // One alert for all that run together.
  const TableId first = slowed.front();
  const auto named = tables_.find(first);
  if (named == tables_.end()) return;
  const double period = std::chrono::duration<double>(planner_.period(first)).count();
  if (planner_.backoff(first) > 1) {
    settlement.alerts.push_back({observe::AlertKind::kFallingBehind,
                                 label(named->second),
                                 "its refreshes, or those that it is part of, take longer than its schedule allows",
                                 {{"period_seconds", period},
                                  {"duration_seconds", std::chrono::duration<double>(outcome.unit_duration).count()},
                                  {"backoff_factor", static_cast<std::int64_t>(planner_.backoff(first))}}});
  } else {
    settlement.alerts.push_back({observe::AlertKind::kCaughtUp,
                                 label(named->second),
                                 "it keeps its schedule again",
                                 {{"period_seconds", period}}});
  }
}

void DatabaseScheduler::settle_failure(Table& table, const refresh::Outcome& outcome, Settlement& settlement) {
  const Error& error = *outcome.error;
  const Judgement judgement = table.health.on_error(error, table.row.wide_keys, health_rules(), random01());
  const bool retrying = !judgement.counted && judgement.remedy == Remedy::kRetry;
  if (retrying) shared_->observer->on_retry(database_.name, error.sqlstate);
  if (retrying && !judgement.report) {
    log::debug("refresh", "refresh will be retried database={} stream_table={} error={} delay_ms={}", database_.name,
               label(table), error.text(), judgement.delay.count());
  } else {
    log::warn("refresh", "refresh failed database={} stream_table={} error={} consecutive_errors={} suspended={}",
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
    if (judgement.remedy == Remedy::kSuspend || judgement.remedy == Remedy::kGiveUp)
      failure.retry_in = pause_after(judgement, outcome.duration);
    if (judgement.remedy == Remedy::kSuspend) failure.new_status = "SUSPENDED";
    if (judgement.remedy == Remedy::kGiveUp) {
      failure.new_status = "ERROR";
      failure.message =
          "re-initialised " + std::to_string(Health::kMaxRebuilds) + " times without success: " + failure.message;
    }
    for (Statement& statement : sql::record_failure(failure)) settlement.statements.push_back(std::move(statement));
    const std::vector<TableId> members = cycle_of(planner_.dag(), table.row.id);
    if (!members.empty() && members.front() == table.row.id)  // the error of one is that of all
      settlement.statements.push_back(sql::record_cycle_failure(members, failure.message));
    table.row.last_error = failure.message;
    table.row.last_error_code = failure.code;
    alert_failure(table, error, judgement, settlement);
  }
  if (error.of_publication) follow_replication_soon();
  if (judgement.remedy == Remedy::kRebuild || judgement.remedy == Remedy::kRebuildWide) {
    settle_rebuild(table, judgement, error.message, settlement);
    return;
  }
  milliseconds delay = std::max(judgement.delay, milliseconds(1));
  if (judgement.remedy != Remedy::kRetry) {
    planner_.deactivate(table.row.id);
    delay = kStatusDelay;
    settlement.reload = true;
  }
  // A conflict or a lost connection is not the table's: it goes on with those that it was refreshed with.
  const bool passing = retrying && !outcome.alone &&
                       (error.sqlstate.empty() || error.sqlstate.starts_with("40") ||
                        error.sqlstate.starts_with("08") || error.sqlstate.starts_with("57P"));
  settlement.failed.push_back({.id = table.row.id, .delay = delay, .alone = !passing});
}

void DatabaseScheduler::alert_failure(const Table& table, const Error& error, const Judgement& judgement,
                                      Settlement& settlement) {
  const std::vector<TableId> members = cycle_of(planner_.dag(), table.row.id);
  const auto errors = static_cast<std::int64_t>(table.health.consecutive_errors());
  if (!members.empty() && error.sqlstate == "54001") {
    if (members.front() != table.row.id) return;
    shared_->observer->on_scc(database_.name, table.row.id, settings_.max_fixpoint_iterations, false);
    std::string names;
    for (const TableId id : members) {
      const auto found = tables_.find(id);
      if (found != tables_.end()) names += (names.empty() ? "" : ", ") + label(found->second);
    }
    settlement.alerts.push_back(
        {observe::AlertKind::kSccDiverged,
         label(table),
         error.message,
         {{"members", names}, {"iterations", static_cast<std::int64_t>(settings_.max_fixpoint_iterations)}}});
  } else if (judgement.remedy == Remedy::kSuspend) {
    settlement.alerts.push_back({observe::AlertKind::kSuspended,
                                 label(table),
                                 error.message,
                                 {{"sqlstate", error.sqlstate}, {"consecutive_errors", errors}, {"hint", error.hint}}});
  } else {
    settlement.alerts.push_back({observe::AlertKind::kError,
                                 label(table),
                                 error.message,
                                 {{"sqlstate", error.sqlstate},
                                  {"consecutive_errors", errors},
                                  {"retryable", !judgement.counted && judgement.remedy == Remedy::kRetry},
                                  {"hint", error.hint}}});
  }
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
    failure.message = "it asks for re-initialisation again and again" + (reason.empty() ? reason : ": " + reason);
    failure.consecutive_errors = table.health.consecutive_errors();
    failure.new_status = "ERROR";
    failure.retry_in = judgement.delay;
    for (Statement& statement : sql::record_failure(failure)) settlement.statements.push_back(std::move(statement));
  } else {
    log::info("refresh", "re-initialisation requested database={} stream_table={} reason={} wide_keys={}",
              database_.name, label(table), reason, judgement.remedy == Remedy::kRebuildWide);
    settlement.statements.push_back(sql::request_rebuild(id, reason, judgement.remedy == Remedy::kRebuildWide));
  }
  planner_.deactivate(id);
  settlement.failed.push_back({.id = id, .delay = kStatusDelay, .alone = true});
  settlement.reload = true;
}

void DatabaseScheduler::remember(const refresh::Outcome& outcome) {
  history_.push_back({.id = outcome.id,
                      .action = outcome.action,
                      .data_at = outcome.data_at,
                      .started_at = outcome.started_at,
                      .ended_at = outcome.ended_at,
                      .delta_rows = outcome.delta_rows,
                      .rows_inserted = outcome.rows_inserted,
                      .rows_updated = outcome.rows_updated,
                      .rows_deleted = outcome.rows_deleted});
  if (!std::exchange(recording_, true)) spawn(record_history(shared_from_this()));
}

asio::awaitable<void> DatabaseScheduler::record_history(Self self) {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!self->history_.empty()) {
    std::vector<Statement> statements(1);
    statements.front() = sql::record_refreshes(std::exchange(self->history_, {}));
    co_await self->record(std::move(statements));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) break;
  }
  self->recording_ = false;
}

asio::awaitable<void> DatabaseScheduler::record(std::vector<Statement> statements, const char* problem) {
  auto lease = co_await maintenance_pool_->acquire(deadline_after(kQueryTimeout));
  if (!lease) {
    log::warn("refresh", "{} database={} error={}", problem, database_.name, lease.error().text());
    co_return;
  }
  const auto results = co_await (*lease)->pipeline(std::move(statements), deadline_after(kQueryTimeout));
  if (const auto error = postgres::first_error(results)) {
    log::warn("refresh", "{} database={} error={}", problem, database_.name, error->text());
  }
}

}  // namespace pgtrickle::scheduler
