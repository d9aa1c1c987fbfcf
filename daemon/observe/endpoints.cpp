#include "observe/endpoints.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "observe/iso_time.h"
#include "observe/metrics.h"

namespace pgtrickle::observe {
namespace {

using nlohmann::ordered_json;

HttpAnswer json_answer(unsigned status, const ordered_json& body) {
  // Names and messages come from the database and may be in any encoding.
  return {status, "application/json", body.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n"};
}

bool is_broken(const StreamTableStatus& table) {
  return table.status == TableStatus::kError || table.status == TableStatus::kSuspended;
}

// What is wrong with it for its readers, as the end of a sentence; empty if nothing is.
std::string trouble_of(const StreamTableStatus& table) {
  std::string out;
  const auto add = [&](const std::string& what) { out += (out.empty() ? "" : "; ") + what; };
  if (is_broken(table))
    add("is " + to_string(table.status) + (table.last_error.empty() ? "" : ": " + table.last_error));
  if (table.fuse_blown) add("has a blown fuse");
  if (table.skipped) add("lacks changes that were skipped");
  if (table.slo_violated) {
    add(fmt::format("is {:.1f} s old, its max_staleness is {:g} s", table.staleness_seconds,
                    table.max_staleness_seconds.value_or(0)) +
        (table.held.empty() ? "" : ", it is held: " + table.held));
  }
  return out;
}

std::string problem_of(const DatabaseStatus& db) {
  if (!db.problem.empty()) return db.problem;
  return db.connected ? "" : "not connected";
}

// Where pgtrickle was uninstalled nobody expects anything: that concerns this database alone, as long as another is
// served.
bool excused(const DatabaseStatus& db, const std::vector<DatabaseStatus>& status) {
  return db.connected && db.uninstalled && std::any_of(status.begin(), status.end(), [](const DatabaseStatus& other) {
           return !other.discovery && !other.uninstalled;
         });
}

std::vector<std::string> problems(const std::vector<DatabaseStatus>& status) {
  std::vector<std::string> out;
  if (status.empty()) out.emplace_back("starting: no database yet");
  for (const auto& db : status) {
    if (excused(db, status)) continue;
    if (const auto problem = problem_of(db); !problem.empty()) out.push_back("database " + db.name + ": " + problem);
  }
  return out;
}

ordered_json timestamp(double epoch) {
  if (epoch <= 0) return nullptr;
  const auto ms = std::chrono::milliseconds(static_cast<std::int64_t>(std::floor(epoch * 1000)));
  return iso_time(std::chrono::system_clock::time_point(ms));
}

template <class T>
ordered_json optional_value(const std::optional<T>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json text_or_null(const std::string& text) {
  return text.empty() ? ordered_json(nullptr) : ordered_json(text);
}

}  // namespace

HttpAnswer health_answer(const std::vector<DatabaseStatus>& status) {
  std::vector<std::string> reasons = problems(status);
  const bool unhealthy = !reasons.empty();
  ordered_json databases = ordered_json::array();
  for (const auto& db : status) {
    if (excused(db, status)) reasons.push_back("database " + db.name + ": " + problem_of(db));
    if (db.paused) reasons.push_back("database " + db.name + ": paused");
    int broken = 0, late = 0;
    for (const auto& table : db.stream_tables) {
      const std::string trouble = trouble_of(table);
      broken += is_broken(table) ? 1 : 0;
      late += table.slo_violated ? 1 : 0;
      if (trouble.empty()) continue;
      reasons.push_back("stream table " + db.name + ": " + table.label() + " " + trouble);
    }
    databases.push_back(
        {{"name", db.name},
         {"connected", db.connected},
         {"role", db.discovery ? "discovery"
                  : db.leader  ? "leader"
                               : "standby"},
         {"paused", db.paused},
         {"problem", text_or_null(problem_of(db))},
         {"stream_tables", db.stream_tables.size()},
         {"stream_tables_failed", broken},
         {"stream_tables_late", late},
         {"alerts", db.alerts.size()},
         {"pool", {{"size", db.pool_size}, {"idle", db.pool_idle}, {"broken", db.pool_broken}}},
         {"workers", {{"in_use", db.workers_in_use}, {"max", db.workers_max}, {"waiting_units", db.waiting_units}}},
         {"sources", {{"awake", db.sources_awake}, {"asleep", db.sources_asleep}}}});
  }
  const char* verdict = unhealthy ? "unhealthy" : reasons.empty() ? "ok" : "degraded";
  return json_answer(
      unhealthy ? 503 : 200,
      {{"status", verdict}, {"reasons", reasons}, {"version", PGTRICKLE_VERSION}, {"databases", databases}});
}

HttpAnswer live_answer() {
  return json_answer(200, {{"live", true}, {"version", PGTRICKLE_VERSION}});
}

HttpAnswer ready_answer(const std::vector<DatabaseStatus>& status) {
  const auto reasons = problems(status);
  return json_answer(reasons.empty() ? 200 : 503, {{"ready", reasons.empty()}, {"reasons", reasons}});
}

HttpAnswer stream_tables_answer(const std::vector<DatabaseStatus>& status) {
  ordered_json tables = ordered_json::array();
  for (const auto& db : status) {
    for (const auto& t : db.stream_tables) {
      tables.push_back({{"database", db.name},
                        {"id", t.id},
                        {"schema", t.schema},
                        {"name", t.name},
                        {"status", to_string(t.status)},
                        {"refresh_mode", t.refresh_mode},
                        {"effective_refresh_mode", text_or_null(t.effective_refresh_mode)},
                        {"reason", text_or_null(t.reason)},
                        {"schedule", t.schedule},
                        {"tier", t.tier},
                        {"period_seconds", t.period_seconds > 0 ? ordered_json(t.period_seconds) : nullptr},
                        {"backoff_factor", t.backoff_factor},
                        {"staleness_seconds", t.staleness_seconds},
                        {"max_staleness_seconds", optional_value(t.max_staleness_seconds)},
                        {"slo_violated", t.slo_violated},
                        {"held", text_or_null(t.held)},
                        {"fuse_blown", t.fuse_blown},
                        {"skipped", t.skipped},
                        {"scc", optional_value(t.scc)},
                        {"last_refresh_at", timestamp(t.last_refresh_epoch)},
                        {"last_duration_ms", t.last_duration_ms},
                        {"total_refreshes", t.total_refreshes},
                        {"consecutive_errors", t.consecutive_errors},
                        {"last_error", text_or_null(t.last_error)}});
    }
  }
  return json_answer(200, {{"stream_tables", tables}});
}

HttpAnswer alerts_answer(const std::vector<DatabaseStatus>& status) {
  const auto epoch = [](AlertTime time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); };
  ordered_json alerts = ordered_json::array();
  for (const auto& db : status) {
    for (const ActiveAlert& active : db.alerts) {
      const Alert& alert = active.alert;
      ordered_json details = ordered_json::object();
      for (const auto& [key, value] : alert.details) {
        std::visit([&, &name = key](const auto& v) { details[name] = v; }, value);
      }
      alerts.push_back({{"database", db.name},
                        {"kind", alert_info(alert.kind).name},
                        {"severity", to_string(alert.severity())},
                        {"object", alert.object},
                        {"message", alert.message},
                        {"since", timestamp(epoch(active.since))},
                        {"last", timestamp(epoch(active.last))},
                        {"times", active.times},
                        {"details", details}});
    }
  }
  return json_answer(200, {{"alerts", alerts}});
}

HttpHandler make_handler(Metrics& metrics, const StatusSource& source) {
  return [&metrics, &source](const std::string& path) -> HttpAnswer {
    if (path == "/metrics") {
      metrics.update(source.status());
      HttpAnswer page;
      page.content_type = "text/plain; version=0.0.4; charset=utf-8";
      page.long_body = [&metrics] { return metrics.text(); };
      return page;
    }
    if (path == "/health") return health_answer(source.status());
    if (path == "/live") return live_answer();
    if (path == "/ready") return ready_answer(source.status());
    if (path == "/api/v1/stream_tables") return stream_tables_answer(source.status());
    if (path == "/api/v1/alerts") return alerts_answer(source.status());
    return json_answer(
        404, {{"error", "no such path"},
              {"paths", {"/metrics", "/health", "/live", "/ready", "/api/v1/stream_tables", "/api/v1/alerts"}}});
  };
}

}  // namespace pgtrickle::observe
