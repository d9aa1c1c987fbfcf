#include "scheduler/alert_monitor.h"

#include <algorithm>

#include "model/agreements.h"
#include "scheduler/limits.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
using observe::Alert;
using observe::AlertKind;
using postgres::Clock;
using std::chrono::milliseconds;

namespace {

constexpr int kLatePeriods = 10;  // without max_staleness a table is stale after so many periods, and kStaleAtLeast
constexpr std::size_t kMostWaiting = 1000;

}  // namespace

// Raising and sending -------------------------------------------------------------------------------------------------

void AlertMonitor::raise(AlertKind kind, const std::string& object, const std::string& message, Details details) {
  const bool of_the_leader = kind == AlertKind::kLeaderSilent || kind == AlertKind::kLeaderBack;
  if (!context_->leader && !of_the_leader) return;
  Alert alert{
      .kind = kind, .database = context_->name(), .object = object, .message = message, .details = std::move(details)};
  if (!context_->shared->details) observe::hide_values(alert);
  const auto at = std::chrono::system_clock::now();
  const auto suppressed = book_.raise(alert, at);
  if (!suppressed) return;
  context_->observer().on_alert(alert);
  if (to_send_.size() >= kMostWaiting) to_send_.erase(to_send_.begin());
  to_send_.push_back(sql::notify_alert(observe::alert_payload(alert, *suppressed, at)));
  if (!std::exchange(sending_, true)) context_->tasks->spawn(send(shared_from_this()));
}

asio::awaitable<void> AlertMonitor::send(std::shared_ptr<AlertMonitor> self) {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!self->to_send_.empty() && self->context_->signals.is_controlled() && !self->context_->stopping) {
    co_await self->sessions_->write(std::exchange(self->to_send_, {}));
  }
  self->to_send_.clear();
  self->sending_ = false;
}

void AlertMonitor::begin() {
  raise(AlertKind::kLeaderBack, "", "this daemon leads now");
  raise_lasting();
  next_check_ = Clock::now();
  judges_from_ = next_check_ + kWatchMax;
}

void AlertMonitor::raise_lasting() {
  for (const auto& [id, table] : registry_->tables()) {
    const sql::StreamTable& row = table.row;
    if (row.fuse_blown) {
      raise(AlertKind::kFuseBlown, row.label(), "its fuse is blown and nothing is applied",
            {{"limit", row.fuse_limit.value_or(0)}});
    }
    if (row.status != TableStatus::kError && row.status != TableStatus::kSuspended) continue;
    raise(
        row.status == TableStatus::kError ? AlertKind::kError : AlertKind::kSuspended, row.label(), row.last_error,
        {{"sqlstate", row.last_error_code}, {"consecutive_errors", static_cast<std::int64_t>(row.consecutive_errors)}});
  }
}

void AlertMonitor::forget_all() {
  book_.forget([](const Alert&) { return true; });
}

// Staleness -----------------------------------------------------------------------------------------------------------

bool AlertMonitor::judges(const Table& table, TimePoint at) const {
  return context_->leader && (at >= judges_from_ || registry_->planner().fresh_at(table.row.id, at));
}

bool AlertMonitor::violates_slo(const Table& table, double staleness) const {
  return judges(table, Clock::now()) && table.row.max_staleness_seconds && table.row.effective_refresh_mode != "" &&
         staleness > *table.row.max_staleness_seconds;
}

void AlertMonitor::tables_changed() {
  next_check_ = std::min(next_check_, Clock::now() + kWatchMin);
}

void AlertMonitor::check_tables() {
  const TimePoint at = Clock::now();
  double until_stale = std::chrono::duration<double>(kWatchMax).count();
  for (const auto& [id, table] : registry_->tables()) {
    const sql::StreamTable& row = table.row;
    if (row.status != TableStatus::kActive && !row.max_staleness_seconds) continue;
    if (!judges(table, at)) {
      until_stale = 0;
      continue;
    }
    const double staleness = registry_->staleness_of(table, at);
    const Milliseconds period = registry_->planner().period(id);
    const double usual = std::max(std::chrono::duration<double>(agreements::kStaleAtLeast).count(),
                                  kLatePeriods * std::chrono::duration<double>(period).count());
    const bool late = row.status == TableStatus::kActive && row.tier != "frozen" && staleness > usual;
    const double limit = row.max_staleness_seconds.value_or(usual);
    until_stale = std::min(until_stale, limit - staleness);
    if (violates_slo(table, staleness) || (late && !row.max_staleness_seconds)) {
      raise(
          AlertKind::kStale, row.label(), "its data is older than it should be",
          {{"staleness_seconds", staleness}, {"max_staleness_seconds", limit}, {"held", registry_->held_because(id)}});
    } else if (!book_.empty()) {  // every second for every table: with nothing to end it must cost nothing
      raise(AlertKind::kFresh, row.label(), "its data is young enough again", {{"staleness_seconds", staleness}});
    }
  }
  const auto later = std::chrono::ceil<milliseconds>(std::chrono::duration<double>(until_stale));
  next_check_ = at + (book_.empty() ? std::max(kWatchMin, later) : kWatchMin);
}

// Change logs ---------------------------------------------------------------------------------------------------------

void AlertMonitor::check_logs(const std::vector<sql::LogSize>& all) {
  const std::int64_t limit = context_->settings.log_alert_bytes;
  for (const sql::LogSize& log : all) {
    const std::int64_t bytes = log.active_bytes + log.inactive_bytes;
    if (limit > 0 && bytes > limit) {
      std::string consumers;
      for (const auto& [id, table] : registry_->tables()) {
        const auto& sources = table.row.sources;
        if (std::find(sources.begin(), sources.end(), log.source_id) == sources.end()) continue;
        consumers += (consumers.empty() ? "" : ", ") + table.row.label();
      }
      raise(AlertKind::kLogGrowing, log.source, "its change log grows",
            {{"bytes", bytes}, {"limit_bytes", limit}, {"consumers", consumers}});
    } else if (!book_.empty()) {
      raise(AlertKind::kLogShrunk, log.source, "its change log is small again", {{"bytes", bytes}});
    }
  }
  book_.forget([&](const Alert& old) {
    return old.kind == AlertKind::kLogGrowing && std::ranges::find(all, old.object, &sql::LogSize::source) == all.end();
  });
}

// The catalog ---------------------------------------------------------------------------------------------------------

void AlertMonitor::check_catalog(const sql::Catalog& catalog) {
  if (catalog.paused) {
    raise(AlertKind::kPaused, "", "the database is paused",
          {{"paused_by", catalog.paused_by}, {"reason", catalog.paused_reason}});
  } else {
    raise(AlertKind::kResumed, "", "the database is refreshed again");
  }
  for (const auto& gate : catalog.gates) {
    if (gate.gated) {
      raise(AlertKind::kGated, gate.source, "stream tables that read it wait", {{"gated_by", gate.gated_by}});
    } else {
      raise(AlertKind::kUngated, gate.source, "stream tables that read it go on");
    }
  }
  for (const auto& group : catalog.watermarks) check_group(group);
  for (const auto& [id, table] : registry_->tables()) check_status(table);
  forget_gone(catalog);
}

void AlertMonitor::check_changed(const std::set<TableId>& ids) {
  for (const TableId id : ids)
    if (const auto found = registry_->tables().find(id); found != registry_->tables().end())
      check_status(found->second);
}

void AlertMonitor::check_group(const sql::WatermarkGroup& group) {
  const double patience = std::chrono::duration<double>(context_->settings.watermark_stuck_after).count();
  if (group.aligned) {
    raise(AlertKind::kWatermarkMoved, group.group, "the watermarks of the group are aligned",
          {{"source", group.source}, {"watermark", group.watermark}});
  } else if (patience > 0 && group.since_seconds > patience) {
    raise(AlertKind::kWatermarkStuck, group.group, "the group waits for a watermark that does not move",
          {{"source", group.source},
           {"watermark", group.watermark},
           {"lag_seconds", group.lag_seconds},
           {"stuck_seconds", group.since_seconds}});
  }
}

void AlertMonitor::check_status(const Table& table) {
  const sql::StreamTable& row = table.row;
  if (!row.fuse_blown) raise(AlertKind::kFuseReset, row.label(), "its fuse was reset");
  if (row.status == TableStatus::kPaused) {
    raise(AlertKind::kPaused, row.label(), "the stream table is paused");
  } else {
    raise(AlertKind::kResumed, row.label(), "the stream table is refreshed again");
  }
  if (row.status == TableStatus::kActive && row.last_error.empty() && row.consecutive_errors == 0)
    raise(AlertKind::kRecovered, row.label(), "it is refreshed again");
}

void AlertMonitor::forget_gone(const sql::Catalog& catalog) {
  const auto& tables = registry_->tables();
  book_.forget([&](const Alert& old) {
    using enum AlertKind;
    const auto is_old = [&](const std::string& name) { return name == old.object; };
    if (old.kind == kGated) return std::ranges::none_of(catalog.gates, is_old, &sql::Gate::source);
    if (old.kind == kWatermarkStuck)
      return std::ranges::none_of(catalog.watermarks, is_old, &sql::WatermarkGroup::group);
    const bool of_a_table = old.kind == kStale || old.kind == kError || old.kind == kSuspended ||
                            old.kind == kFuseBlown || old.kind == kFallingBehind || old.kind == kSccDiverged ||
                            (old.kind == kPaused && !old.object.empty());
    return of_a_table && std::none_of(tables.begin(), tables.end(),
                                      [&](const auto& entry) { return entry.second.row.label() == old.object; });
  });
}

}  // namespace pgtrickle::scheduler
