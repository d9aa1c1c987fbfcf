// Units: from being due to the consequences of their outcome.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "scheduler/database_scheduler.h"
#include "scheduler/limits.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
using postgres::Clock;
using postgres::deadline_after;
using postgres::Error;
using postgres::ErrorClass;
using postgres::Statement;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kAcquireTimeout{60000};
constexpr milliseconds kNoTimeoutButADay{24 * 3600 * 1000};

double epoch_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

milliseconds rounded(std::chrono::microseconds duration) {
  return std::chrono::duration_cast<milliseconds>(duration + std::chrono::microseconds(500));
}

}  // namespace

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
  if (const auto error = postgres::first_error(results)) {
    spdlog::warn("outcome not recorded database={} error=\"{}\"", database_.name, error->text());
  }
}

}  // namespace pgtrickle::scheduler
