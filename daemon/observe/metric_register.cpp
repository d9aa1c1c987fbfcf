#include "observe/metric_register.h"

#include <array>
#include <stdexcept>

namespace pgtrickle::observe {
namespace {

using enum MetricType;
constexpr const char* kTable = "database, schema, stream_table";

constexpr std::array kMetrics{
    MetricInfo{
        "pgtrickle_refreshes_total", kCounter, "refreshes", "database, schema, stream_table, action",
        "Refreshes that succeeded, by what they did: NO_DATA, DIFFERENTIAL, FULL, REINIT, HELD, BLOWN or SKIPPED."},
    MetricInfo{"pgtrickle_refresh_errors_total", kCounter, "errors", "database, schema, stream_table, sqlstate",
               "Refreshes that failed, by SQLSTATE."},
    MetricInfo{"pgtrickle_refresh_duration_seconds", kHistogram, "seconds", "database, schema, stream_table, action",
               "Duration of refreshes that applied changes, measured by the daemon: the whole round trip."},
    MetricInfo{"pgtrickle_refresh_delta_rows_total", kCounter, "rows", kTable,
               "Rows of change logs that refreshes read."},
    MetricInfo{"pgtrickle_rows_changed_total", kCounter, "rows", "database, schema, stream_table, change",
               "Rows of stream tables that refreshes inserted, updated or deleted (label change)."},
    MetricInfo{"pgtrickle_staleness_seconds", kGauge, "seconds", kTable,
               "Time since the stream table was last known to equal its query."},
    MetricInfo{"pgtrickle_max_staleness_seconds", kGauge, "seconds", kTable,
               "The max_staleness that the stream table promises; only where it promises one."},
    MetricInfo{"pgtrickle_slo_violated", kGauge, "0 or 1", kTable,
               "1 while the stream table is staler than its max_staleness; only where it has one."},
    MetricInfo{
        "pgtrickle_commit_to_visible_seconds", kHistogram, "seconds", kTable,
        "Age of what a refresh made visible: at most the time from the oldest commit in it. A stream table that slept "
        "knows when it was woken, one that polls only when it looked last."},
    MetricInfo{"pgtrickle_last_refresh_timestamp_seconds", kGauge, "seconds since 1970", kTable,
               "When the last refresh ended; 0 if there was none."},
    MetricInfo{"pgtrickle_consecutive_errors", kGauge, "errors", kTable, "Failed refreshes in a row."},
    MetricInfo{"pgtrickle_fuse_blown", kGauge, "0 or 1", kTable, "1 while the fuse is blown; nothing is applied."},
    MetricInfo{"pgtrickle_held", kGauge, "0 or 1", kTable,
               "1 while it waits for a gate, a watermark or another member of its group."},
    MetricInfo{"pgtrickle_backoff_factor", kGauge, "factor", kTable,
               "By how much its schedule is lengthened because refreshes outrun it; 1 = not at all."},
    MetricInfo{"pgtrickle_scc_iterations", kGauge, "iterations", "database, scc",
               "Iterations that the cycle of stream tables took last; scc is the smallest id of its members."},
    MetricInfo{"pgtrickle_stream_tables", kGauge, "stream tables", "database, status", "Stream tables by status."},
    MetricInfo{"pgtrickle_change_log_bytes", kGauge, "bytes", "database, source",
               "Size of the change log of a source (both of its tables)."},
    MetricInfo{"pgtrickle_builds_total", kCounter, "builds", "database, result",
               "Stream tables compiled and initialised; result is ok or failed."},
    MetricInfo{"pgtrickle_retries_total", kCounter, "retries", "database, sqlstate",
               "Passing errors after which something was tried again, by SQLSTATE."},
    MetricInfo{"pgtrickle_reconnects_total", kCounter, "connections", "database",
               "Connections that were made again after a loss."},
    MetricInfo{"pgtrickle_connected", kGauge, "0 or 1", "database", "1 while the control connection is up."},
    MetricInfo{"pgtrickle_leader", kGauge, "0 or 1", "database",
               "1 if this daemon refreshes the database, 0 if it stands by."},
    MetricInfo{
        "pgtrickle_leader_silent", kGauge, "0 or 1", "database",
        "1 on a daemon that stands by while nobody refreshes: the leader hangs, and its session keeps the lock."},
    MetricInfo{"pgtrickle_pool_size", kGauge, "connections", "database",
               "Connections that the refresh pool may open; it opens them when it needs them."},
    MetricInfo{"pgtrickle_pool_idle", kGauge, "connections", "database",
               "Open connections of the pool that do nothing."},
    MetricInfo{"pgtrickle_pool_broken", kGauge, "connections", "database",
               "Connections of the pool that cannot be opened at present."},
    MetricInfo{"pgtrickle_tick_duration_seconds", kHistogram, "seconds", "database",
               "Duration of one pass of the scheduler over the stream tables that are due."},
    MetricInfo{"pgtrickle_due_stream_tables", kGauge, "stream tables", "database",
               "Stream tables that the last pass of the scheduler found due."},
    MetricInfo{"pgtrickle_scheduler_lag_seconds", kHistogram, "seconds", "database",
               "How much later than due refreshes started."},
    MetricInfo{"pgtrickle_units_waiting", kGauge, "units", "database",
               "Units of stream tables that are due and wait for a worker."},
    MetricInfo{"pgtrickle_workers_in_use", kGauge, "workers", "database", "Refreshes that run."},
    MetricInfo{"pgtrickle_workers_max", kGauge, "workers", "database",
               "Refreshes that may run at once if other databases leave room."},
    MetricInfo{"pgtrickle_paused", kGauge, "0 or 1", "database", "1 while refreshing is paused in the database."},
    MetricInfo{"pgtrickle_sources_awake", kGauge, "sources", "database",
               "Sources whose changes the daemon looks for by itself."},
    MetricInfo{"pgtrickle_sources_asleep", kGauge, "sources", "database",
               "Sources that are quiet: the next writer wakes the daemon."},
    MetricInfo{"pgtrickle_arms_total", kCounter, "times", "database", "Times that a source was put to sleep."},
    MetricInfo{"pgtrickle_wakeups_total", kCounter, "notifications", "database", "Notifications that woke the daemon."},
    MetricInfo{"pgtrickle_alerts_total", kCounter, "alerts", "database, kind",
               "Alerts that were sent, by kind; see ALERTS.md."},
    MetricInfo{"pgtrickle_build_info", kGauge, "always 1", "version", "The version of the daemon."},
};

const char* type_name(MetricType type) {
  return type == kCounter ? "counter" : type == kGauge ? "gauge" : "histogram";
}

}  // namespace

std::span<const MetricInfo> metric_register() {
  return kMetrics;
}

const MetricInfo& metric_info(const std::string& name) {
  for (const auto& metric : kMetrics) {
    if (name == metric.name) return metric;
  }
  throw std::logic_error("metric " + name + " is not in the register");
}

std::string metrics_docs() {
  std::string out = R"(# Metrics

This file is generated: `pgtrickled --print-metrics-docs`.

`GET /metrics` (by default at http://127.0.0.1:9188/metrics) in the Prometheus text format. Counters start at 0 with the
daemon. The series of a stream table end when it is dropped.

| metric | type | unit | labels | meaning |
|---|---|---|---|---|
)";
  for (const auto& m : kMetrics) {
    out += std::string("| `") + m.name + "` | " + type_name(m.type) + " | " + m.unit + " | " + m.labels + " | " +
           m.help + " |\n";
  }
  return out;
}

}  // namespace pgtrickle::observe
