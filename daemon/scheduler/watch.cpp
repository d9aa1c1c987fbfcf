// What operators should hear of: looks at the state of the stream tables, sources and groups of a database, raises and
// ends alerts, and sends them: as log lines and metrics (observer) and as NOTIFY pgtrickle_alert. Only the leader does.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "scheduler/database_scheduler.h"
#include "scheduler/limits.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
using observe::Alert;
using observe::AlertKind;
using postgres::Clock;
using postgres::deadline_after;
using postgres::Statement;
using std::chrono::milliseconds;

namespace {

constexpr int kLatePeriods = 10;     // without a promise a table is stale after so many periods
constexpr double kLateAtLeast = 60;  // and seconds
constexpr std::size_t kMostWaiting = 1000;

}  // namespace

void DatabaseScheduler::alert(AlertKind kind, const std::string& object, const std::string& message,
                              std::vector<std::pair<std::string, observe::AlertValue>> details) {
  const bool of_the_leader = kind == AlertKind::kLeaderSilent || kind == AlertKind::kLeaderBack;
  if (!leader_ && !of_the_leader) return;
  Alert alert{
      .kind = kind, .database = database_.name, .object = object, .message = message, .details = std::move(details)};
  if (!shared_->details) observe::hide_values(alert);
  const auto now = std::chrono::system_clock::now();
  const auto suppressed = alerts_.raise(alert, now);
  if (!suppressed) return;
  shared_->observer->on_alert(alert);
  if (notifications_.size() >= kMostWaiting) notifications_.erase(notifications_.begin());
  notifications_.push_back(sql::notify_alert(observe::alert_payload(alert, *suppressed, now)));
  if (!sending_) {
    sending_ = true;
    spawn(send_alerts(shared_from_this()));
  }
}

asio::awaitable<void> DatabaseScheduler::send_alerts(Self self) {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!self->notifications_.empty() && self->control_connection_ && !self->stopping_) {
    co_await self->record(std::exchange(self->notifications_, {}));
  }
  self->notifications_.clear();
  self->sending_ = false;
}

double DatabaseScheduler::staleness_of(const Table& table, TimePoint now) const {
  const auto seconds = [](Clock::duration duration) { return std::chrono::duration<double>(duration).count(); };
  std::optional<double> age;
  if (table.row.data_age_seconds) age = *table.row.data_age_seconds + seconds(now - table.loaded_at);
  if (const auto fresh = planner_.fresh_at(table.row.id, now)) {
    age = std::min(age.value_or(1e18), seconds(now - *fresh));
  }
  return std::max(0.0, age.value_or(0));
}

bool DatabaseScheduler::judges(const Table& table, TimePoint now) const {
  return leader_ && (now >= judges_from_ || planner_.fresh_at(table.row.id, now));
}

bool DatabaseScheduler::breaks_promise(const Table& table, double staleness) const {
  return judges(table, Clock::now()) && table.row.max_staleness_seconds && table.row.effective_refresh_mode != "" &&
         staleness > *table.row.max_staleness_seconds;
}

std::string DatabaseScheduler::held_because(TableId id) const {
  if (planner_.is_held(id)) return "a gate or a watermark group; see column held of pgtrickle.stream_tables";
  const auto culprit = planner_.blocked_by(id);
  if (!culprit) return {};
  const auto found = tables_.find(*culprit);
  if (found == tables_.end()) return {};
  const sql::StreamTable& row = found->second.row;
  const std::string why = row.fuse_blown         ? "whose fuse is blown"
                          : row.tier == "frozen" ? "which is frozen"
                                                 : "which is " + row.status;
  return "it is refreshed together with " + label(found->second) + ", " + why;
}

TimePoint DatabaseScheduler::watch_tables() {
  const TimePoint now = Clock::now();
  double until_stale = std::chrono::duration<double>(kWatchMax).count();
  for (const auto& [id, table] : tables_) {
    if (table.row.status != "ACTIVE" && !table.row.max_staleness_seconds) continue;
    if (!judges(table, now)) {
      until_stale = 0;
      continue;
    }
    const double staleness = staleness_of(table, now);
    const Milliseconds period = planner_.period(id);
    const double usual = std::max(kLateAtLeast, kLatePeriods * std::chrono::duration<double>(period).count());
    const bool late = table.row.status == "ACTIVE" && table.row.tier != "frozen" && staleness > usual;
    const double promise = table.row.max_staleness_seconds.value_or(usual);
    until_stale = std::min(until_stale, promise - staleness);
    if (breaks_promise(table, staleness) || (late && !table.row.max_staleness_seconds)) {
      alert(AlertKind::kStale, label(table), "its data is older than it should be",
            {{"staleness_seconds", staleness}, {"max_staleness_seconds", promise}, {"held", held_because(id)}});
    } else if (!alerts_.empty()) {  // every second for every table: with nothing to end it must cost nothing
      alert(AlertKind::kFresh, label(table), "its data is young enough again", {{"staleness_seconds", staleness}});
    }
  }
  if (!alerts_.empty()) return now + kWatchMin;
  return now + std::max(kWatchMin, std::chrono::ceil<milliseconds>(std::chrono::duration<double>(until_stale)));
}

void DatabaseScheduler::raise_lasting() {
  for (const auto& [id, table] : tables_) {
    const sql::StreamTable& row = table.row;
    if (row.fuse_blown) {
      alert(AlertKind::kFuseBlown, label(table), "its fuse is blown and nothing is applied",
            {{"limit", row.fuse_limit.value_or(0)}});
    }
    if (row.status != "ERROR" && row.status != "SUSPENDED") continue;
    alert(
        row.status == "ERROR" ? AlertKind::kError : AlertKind::kSuspended, label(table), row.last_error,
        {{"sqlstate", row.last_error_code}, {"consecutive_errors", static_cast<std::int64_t>(row.consecutive_errors)}});
  }
}

void DatabaseScheduler::watch_logs() {
  for (const auto& [source, entry] : logs_) {
    const sql::LogSize& log = entry.size;
    const std::int64_t bytes = log.active_bytes + log.inactive_bytes;
    if (settings_.log_alert_bytes > 0 && bytes > settings_.log_alert_bytes) {
      std::string consumers;
      for (const auto& [id, table] : tables_) {
        const auto& sources = table.row.sources;
        if (std::find(sources.begin(), sources.end(), log.source_id) == sources.end()) continue;
        consumers += (consumers.empty() ? "" : ", ") + label(table);
      }
      alert(AlertKind::kLogGrowing, log.source, "its change log grows",
            {{"bytes", bytes}, {"limit_bytes", settings_.log_alert_bytes}, {"consumers", consumers}});
    } else if (!alerts_.empty()) {
      alert(AlertKind::kLogShrunk, log.source, "its change log is small again", {{"bytes", bytes}});
    }
  }
}

void DatabaseScheduler::watch_catalog(const sql::Catalog& catalog) {
  if (catalog.paused) {
    alert(AlertKind::kPaused, "", "the database is paused",
          {{"paused_by", catalog.paused_by}, {"reason", catalog.paused_reason}});
  } else {
    alert(AlertKind::kResumed, "", "the database is refreshed again");
  }
  for (const auto& gate : catalog.gates) {
    if (gate.gated) {
      alert(AlertKind::kGated, gate.source, "stream tables that read it wait", {{"gated_by", gate.gated_by}});
    } else {
      alert(AlertKind::kUngated, gate.source, "stream tables that read it go on");
    }
  }
  const double patience = std::chrono::duration<double>(settings_.watermark_stuck_after).count();
  for (const auto& group : catalog.watermarks) {
    if (group.aligned) {
      alert(AlertKind::kWatermarkMoved, group.group, "the watermarks of the group are aligned",
            {{"source", group.source}, {"watermark", group.watermark}});
    } else if (patience > 0 && group.since_seconds > patience) {
      alert(AlertKind::kWatermarkStuck, group.group, "the group waits for a watermark that does not move",
            {{"source", group.source},
             {"watermark", group.watermark},
             {"lag_seconds", group.lag_seconds},
             {"stuck_seconds", group.since_seconds}});
    }
  }
  for (const auto& [id, table] : tables_) {
    if (!table.row.fuse_blown) alert(AlertKind::kFuseReset, label(table), "its fuse was reset");
    if (table.row.status == "PAUSED") {
      alert(AlertKind::kPaused, label(table), "the stream table is paused");
    } else {
      alert(AlertKind::kResumed, label(table), "the stream table is refreshed again");
    }
    if (table.row.status == "ACTIVE" && table.row.last_error.empty() && table.row.consecutive_errors == 0)
      alert(AlertKind::kRecovered, label(table), "it is refreshed again");
  }
  alerts_.forget([&](const Alert& old) {
    using enum AlertKind;
    const auto is_old = [&](const std::string& name) { return name == old.object; };
    if (old.kind == kGated) return std::ranges::none_of(catalog.gates, is_old, &sql::Gate::source);
    if (old.kind == kWatermarkStuck)
      return std::ranges::none_of(catalog.watermarks, is_old, &sql::WatermarkGroup::group);
    if (old.kind == kLogGrowing)
      return std::ranges::none_of(logs_, [&](const auto& log) { return is_old(log.second.size.source); });
    const bool of_a_table = old.kind == kStale || old.kind == kError || old.kind == kSuspended ||
                            old.kind == kFuseBlown || old.kind == kFallingBehind || old.kind == kSccDiverged ||
                            (old.kind == kPaused && !old.object.empty());
    return of_a_table && std::none_of(tables_.begin(), tables_.end(),
                                      [&](const auto& entry) { return label(entry.second) == old.object; });
  });
}

}  // namespace pgtrickle::scheduler
