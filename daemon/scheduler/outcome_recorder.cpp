#include "scheduler/outcome_recorder.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "observe/log.h"
#include "scheduler/limits.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
namespace log = observe::log;
using observe::AlertKind;
using postgres::Clock;
using postgres::Error;
using postgres::ErrorClass;
using postgres::Statement;
using std::chrono::milliseconds;

namespace {

constexpr int kErrorShare = 20;  // the pause before the next trial is so many times as long as the refresh

milliseconds pause_after(const Judgement& judgement, std::chrono::microseconds took) {
  return std::max(judgement.delay, std::chrono::duration_cast<milliseconds>(took * kErrorShare));
}

double epoch_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

milliseconds rounded(std::chrono::microseconds duration) {
  return std::chrono::duration_cast<milliseconds>(duration + std::chrono::microseconds(500));
}

bool is_retry(const Judgement& judgement) {
  return !judgement.counted && judgement.remedy == Remedy::kRetry;
}

/// A conflict or a lost connection is not the table's: it goes on with the ones that it was refreshed with.
bool is_passing(const refresh::Outcome& outcome, const Judgement& judgement) {
  return is_retry(judgement) && !outcome.alone && outcome.error->is_of_circumstances();
}

void add(std::vector<Statement>& to, std::vector<Statement> more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

asio::awaitable<void> OutcomeRecorder::record(std::vector<refresh::Outcome> outcomes) {
  Settlement settlement;
  for (const refresh::Outcome& outcome : outcomes) settle(outcome, settlement);
  if (!settlement.statements.empty()) co_await sessions_->write(std::move(settlement.statements));
  for (PendingAlert& alert : settlement.alerts) {
    alerts_->raise(alert.kind, alert.object, alert.message, std::move(alert.details));
  }
  for (const auto& [id, delay, alone] : settlement.failed) {
    registry_->planner().failed(id, delay, Clock::now(), alone);
  }
  if (settlement.reload) context_->signals.reload_soon();
}

void OutcomeRecorder::settle(const refresh::Outcome& outcome, Settlement& settlement) {
  Table* table = registry_->find(outcome.id);
  const bool canceled = outcome.error && outcome.error->classify() == ErrorClass::kCanceled;
  if (table && !canceled) observe(*table, outcome);
  if (!table || canceled) {  // dropped in the meantime, or the daemon ends
    registry_->planner().released(outcome.id);
  } else if (outcome.error) {
    settle_failure(*table, outcome, settlement);
  } else {
    settle_answer(*table, outcome, settlement);
  }
}

void OutcomeRecorder::settle_answer(Table& table, const refresh::Outcome& outcome, Settlement& settlement) {
  planner::RefreshPlanner& planner = registry_->planner();
  switch (outcome.action) {
    case Action::kReinit:
      return settle_rebuild(table, table.health.on_reinit(context_->random01()), "", settlement);
    case Action::kHeld:
      return planner.held(outcome.id, now());
    case Action::kDeferred:
      return planner.deferred(outcome.id);
    case Action::kBlown:
      return settle_blown(table, outcome, settlement);
    case Action::kPaused:
      planner.released(outcome.id);
      return pause_for_a_while();
    case Action::kNoData:
    case Action::kDifferential:
    case Action::kFull:
    case Action::kSkipped:
    case Action::kEmpty:
      settle_success(table, outcome, settlement);
      // It had begun when somebody asked for a refresh: that is still to come.
      if (static_cast<double>(outcome.data_at) < table.row.refresh_asked_epoch * 1e6) planner.hasten(outcome.id, now());
  }
}

void OutcomeRecorder::observe(const Table& table, const refresh::Outcome& outcome) {
  observe::RefreshEvent event;
  static_cast<StreamTableIdentity&>(event) = table.row;
  event.database = context_->name();
  if (outcome.error) {
    event.error_code = outcome.error->sqlstate;
    event.error_message = outcome.error->message;
  } else {
    event.action = outcome.action;
  }
  event.duration = outcome.duration;
  event.delta_rows = outcome.delta_rows;
  event.rows_inserted = outcome.rows_inserted;
  event.rows_updated = outcome.rows_updated;
  event.rows_deleted = outcome.rows_deleted;
  const TimePoint ended = Clock::now();
  const auto equal_at = registry_->planner().fresh_at(outcome.id, ended);  // what it shows now was committed after that
  if (equal_at && event.action && applies(*event.action))
    event.commit_to_visible = std::chrono::duration_cast<std::chrono::microseconds>(ended - *equal_at);
  context_->observer().on_refresh(event);
}

// Success -------------------------------------------------------------------------------------------------------------

void OutcomeRecorder::settle_success(Table& table, const refresh::Outcome& outcome, Settlement& settlement) {
  const TableId id = table.row.id;
  const bool changed = outcome.action != Action::kNoData;
  if (table.health.reported() || table.row.consecutive_errors > 0 || !table.row.last_error.empty()) {
    settlement.statements.push_back(sql::clear_errors(id));
    table.row.consecutive_errors = 0;
    table.row.last_error.clear();
    log::info("refresh", "recovered database={} stream_table={}", context_->name(), table.row.label());
    settlement.alerts.push_back({AlertKind::kRecovered, table.row.label(), "a refresh succeeded again"});
  }
  if (changed) {
    table.health.on_applied();
    remember(outcome);
    learn(table, outcome);
  } else {
    table.health.on_no_data();
  }
  table.last_refresh_epoch = epoch_now();
  std::optional<milliseconds> crossing_in;
  if (outcome.crossing_in) crossing_in = std::chrono::ceil<milliseconds>(*outcome.crossing_in);  // not a moment before
  const std::vector<TableId> slowed = registry_->planner().succeeded(id,
                                                                     {.changed = changed,
                                                                      .own = rounded(outcome.server_duration),
                                                                      .whole_unit = rounded(outcome.unit_duration),
                                                                      .crossing_in = crossing_in},
                                                                     now());
  if (outcome.iterations > 0) {
    const std::vector<TableId> members = registry_->cycle_of(id);
    if (!members.empty() && members.front() == id)
      context_->observer().on_scc(context_->name(), id, outcome.iterations, true);
  }
  alert_backoff(slowed, outcome, settlement);
}

void OutcomeRecorder::learn(Table& table, const refresh::Outcome& outcome) {
  const double ms = static_cast<double>(outcome.server_duration.count()) / 1000;
  if (outcome.action == Action::kFull) table.costs.full(ms);
  if (outcome.action == Action::kDifferential) {
    table.costs.differential(outcome.delta_rows, ms);
    table.largest_delta = std::max(table.largest_delta, outcome.delta_rows);
  }
  if (outcome.delta_rows > 0 && outcome.action != Action::kSkipped)
    table.fuse.applied(outcome.delta_rows, static_cast<std::size_t>(context_->settings.fuse_history));
  table.last_duration_ms = ms;
  ++table.refreshes_since_load;
  table.freshness_written = Clock::now();
}

// One alert for all that run together.
void OutcomeRecorder::alert_backoff(const std::vector<TableId>& changed, const refresh::Outcome& outcome,
                                    Settlement& settlement) {
  if (changed.empty()) return;
  const TableId first = changed.front();
  const Table* named = registry_->find(first);
  if (!named) return;
  const planner::RefreshPlanner& planner = registry_->planner();
  const double period = std::chrono::duration<double>(planner.period(first)).count();
  if (planner.backoff(first) > 1) {
    settlement.alerts.push_back({AlertKind::kFallingBehind,
                                 named->row.label(),
                                 "its refreshes, or the ones that it is part of, take longer than its schedule allows",
                                 {{"period_seconds", period},
                                  {"duration_seconds", std::chrono::duration<double>(outcome.unit_duration).count()},
                                  {"backoff_factor", static_cast<std::int64_t>(planner.backoff(first))}}});
  } else {
    settlement.alerts.push_back(
        {AlertKind::kCaughtUp, named->row.label(), "it keeps its schedule again", {{"period_seconds", period}}});
  }
}

void OutcomeRecorder::settle_blown(Table& table, const refresh::Outcome& outcome, Settlement& settlement) {
  if (!table.row.fuse_blown) {
    settlement.alerts.push_back({AlertKind::kFuseBlown,
                                 table.row.label(),
                                 "more changes are pending than its fuse allows",
                                 {{"pending_rows", outcome.delta_rows}, {"limit", table.row.fuse_limit.value_or(0)}}});
    settlement.statements.push_back(sql::blow_fuse(table.row.id, outcome.delta_rows));
    table.row.fuse_blown = true;
  }
  registry_->planner().deactivate(table.row.id);
  registry_->planner().released(table.row.id);
}

// The catalog says for how long. A drain that gave up changes nothing there, so it is looked at again soon.
void OutcomeRecorder::pause_for_a_while() {
  context_->paused = true;
  context_->signals.reload_by(Clock::now() + kStatusDelay);
  context_->signals.wake_control();
}

// Failure -------------------------------------------------------------------------------------------------------------

void OutcomeRecorder::settle_failure(Table& table, const refresh::Outcome& outcome, Settlement& settlement) {
  const Error& error = *outcome.error;
  const Judgement judgement =
      table.health.on_error(error, table.row.wide_keys, context_->retry_rules(), context_->random01());
  if (is_retry(judgement)) context_->observer().on_retry(context_->name(), error.sqlstate);
  if (is_retry(judgement) && !judgement.report) {
    log::debug("refresh", "refresh will be retried database={} stream_table={} error={} delay_ms={}", context_->name(),
               table.row.label(), error.text(), judgement.delay.count());
  } else {
    log::warn("refresh", "refresh failed database={} stream_table={} error={} consecutive_errors={} suspended={}",
              context_->name(), table.row.label(), error.text(), table.health.consecutive_errors(),
              judgement.remedy == Remedy::kSuspend);
  }
  if (judgement.remedy == Remedy::kGiveUp) table.build.failed_generation = table.row.generation;
  if (judgement.report) report_failure(table, outcome, judgement, settlement);
  if (error.of_publication) maintenance_->follow_replication_soon();
  if (judgement.remedy == Remedy::kRebuild || judgement.remedy == Remedy::kRebuildWide)
    return settle_rebuild(table, judgement, error.message, settlement);
  milliseconds delay = std::max(judgement.delay, milliseconds(1));
  if (judgement.remedy != Remedy::kRetry) {
    registry_->planner().deactivate(table.row.id);
    delay = kStatusDelay;
    settlement.reload = true;
  }
  settlement.failed.push_back({.id = table.row.id, .delay = delay, .alone = !is_passing(outcome, judgement)});
}

void OutcomeRecorder::report_failure(Table& table, const refresh::Outcome& outcome, const Judgement& judgement,
                                     Settlement& settlement) {
  const Error& error = *outcome.error;
  sql::Failure failure;
  failure.id = table.row.id;
  failure.generation = table.row.generation;
  failure.code = error.sqlstate;
  failure.message = error.explained();
  failure.hint = error.hint;
  failure.duration = outcome.duration;
  failure.consecutive_errors = table.health.consecutive_errors();
  failure.event = event_of(judgement.remedy);
  if (failure.event) failure.retry_in = pause_after(judgement, outcome.duration);
  if (judgement.remedy == Remedy::kGiveUp) {
    failure.message =
        "re-initialised " + std::to_string(RetryPolicy::kMaxRebuilds) + " times without success: " + failure.message;
  }
  add(settlement.statements, sql::record_failure(failure));
  const std::vector<TableId> members = registry_->cycle_of(table.row.id);
  if (!members.empty() && members.front() == table.row.id)  // the error of one is that of all
    settlement.statements.push_back(sql::record_cycle_failure(members, failure.message));
  table.row.last_error = failure.message;
  table.row.last_error_code = failure.code;
  alert_failure(table, error, judgement, settlement);
}

void OutcomeRecorder::alert_failure(const Table& table, const Error& error, const Judgement& judgement,
                                    Settlement& settlement) {
  const std::vector<TableId> members = registry_->cycle_of(table.row.id);
  const auto errors = static_cast<std::int64_t>(table.health.consecutive_errors());
  const int most = context_->settings.max_fixpoint_iterations;
  if (!members.empty() && error.is(Condition::kStatementTooComplex)) {
    if (members.front() != table.row.id) return;
    context_->observer().on_scc(context_->name(), table.row.id, most, false);
    std::string names;
    for (const TableId id : members) {
      if (const Table* member = registry_->find(id)) names += (names.empty() ? "" : ", ") + member->row.label();
    }
    settlement.alerts.push_back({AlertKind::kSccDiverged,
                                 table.row.label(),
                                 error.message,
                                 {{"members", names}, {"iterations", static_cast<std::int64_t>(most)}}});
  } else if (judgement.remedy == Remedy::kSuspend) {
    settlement.alerts.push_back({AlertKind::kSuspended,
                                 table.row.label(),
                                 error.message,
                                 {{"sqlstate", error.sqlstate}, {"consecutive_errors", errors}, {"hint", error.hint}}});
  } else {
    settlement.alerts.push_back({AlertKind::kError,
                                 table.row.label(),
                                 error.message,
                                 {{"sqlstate", error.sqlstate},
                                  {"consecutive_errors", errors},
                                  {"retryable", is_retry(judgement)},
                                  {"hint", error.hint}}});
  }
}

void OutcomeRecorder::settle_rebuild(Table& table, const Judgement& judgement, const std::string& reason,
                                     Settlement& settlement) {
  const TableId id = table.row.id;
  if (judgement.remedy == Remedy::kGiveUp) {
    table.build.failed_generation = table.row.generation;
    sql::Failure failure;
    failure.id = id;
    failure.generation = table.row.generation;
    failure.code = sqlstate_of(Condition::kObjectNotInPrerequisiteState);
    failure.message = "it asks for re-initialisation again and again" + (reason.empty() ? reason : ": " + reason);
    failure.consecutive_errors = table.health.consecutive_errors();
    failure.event = event_of(judgement.remedy);
    failure.retry_in = judgement.delay;
    add(settlement.statements, sql::record_failure(failure));
  } else {
    log::info("refresh", "re-initialisation requested database={} stream_table={} reason={} wide_keys={}",
              context_->name(), table.row.label(), reason, judgement.remedy == Remedy::kRebuildWide);
    settlement.statements.push_back(sql::request_rebuild(id, reason, judgement.remedy == Remedy::kRebuildWide));
  }
  registry_->planner().deactivate(id);
  settlement.failed.push_back({.id = id, .delay = kStatusDelay, .alone = true});
  settlement.reload = true;
}

// History -------------------------------------------------------------------------------------------------------------

void OutcomeRecorder::remember(const refresh::Outcome& outcome) {
  history_.push_back({.id = outcome.id,
                      .action = outcome.action,
                      .data_at = outcome.data_at,
                      .started_at = outcome.started_at,
                      .ended_at = outcome.ended_at,
                      .delta_rows = outcome.delta_rows,
                      .rows_inserted = outcome.rows_inserted,
                      .rows_updated = outcome.rows_updated,
                      .rows_deleted = outcome.rows_deleted});
  if (!std::exchange(writing_, true)) context_->tasks->spawn(write_history(shared_from_this()));
}

asio::awaitable<void> OutcomeRecorder::write_history(std::shared_ptr<OutcomeRecorder> self) {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!self->history_.empty()) {
    std::vector<Statement> statements(1);
    statements.front() = sql::record_refreshes(std::exchange(self->history_, {}));
    co_await self->sessions_->write(std::move(statements));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) break;
  }
  self->writing_ = false;
}

}  // namespace pgtrickle::scheduler
