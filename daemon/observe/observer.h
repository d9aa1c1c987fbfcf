// What the scheduler tells the outside: events as they happen, and a status snapshot on demand. The scheduler depends
// on this interface only; observe/ implements it (metrics, logs) and serves the snapshot over HTTP. Threads: all calls
// come from the event loop thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/action.h"
#include "model/status.h"
#include "model/stream_table.h"
#include "observe/alerts.h"

namespace pgtrickle::observe {

struct RefreshEvent : StreamTableIdentity {
  std::string database;
  std::optional<Action> action = {};  // none if it failed
  std::string error_code;             // SQLSTATE, empty on success
  std::string error_message;
  std::chrono::microseconds duration{0};  // of the round trip
  std::int64_t delta_rows = 0, rows_inserted = 0, rows_updated = 0, rows_deleted = 0;
  std::optional<std::chrono::microseconds> commit_to_visible = {};  // age of the oldest change that it made visible
};

struct StreamTableStatus : StreamTableIdentity {
  TableStatus status = TableStatus::kPending;
  std::string refresh_mode, effective_refresh_mode, reason, schedule, last_error;
  double staleness_seconds = 0;   // now minus the last time the table was known to equal its query
  double last_refresh_epoch = 0;  // seconds since 1970, 0 = never
  double last_duration_ms = 0;
  std::int64_t total_refreshes = 0;
  int consecutive_errors = 0;
  std::string tier = "hot";
  double period_seconds = 0;  // in effect: schedule, tier and backoff; 0 = none
  double backoff_factor = 1;  // 1 = none
  std::optional<double> max_staleness_seconds = {};
  bool slo_violated = false;  // staler than it promises
  std::string held = {};      // why it waits (gate, watermark, group, ...), empty = it does not
  bool fuse_blown = false;
  bool skipped = false;             // changes were left out: it does not equal its query
  std::optional<TableId> scc = {};  // of the cycle that it is part of
};

struct LogStatus {
  std::string source;  // schema.name
  std::int64_t bytes = 0;
};

struct DatabaseStatus {
  std::string name;
  bool connected = false;
  bool leader = false;
  bool leader_silent = false;  // it stands by, and nobody refreshes: the leader hangs, or something else has its lock
  std::string problem;         // why it is not healthy, empty if it is
  bool uninstalled = false;    // that is all: pgtrickle is not in it, nobody expects anything
  int pool_size = 0, pool_idle = 0, pool_broken = 0;
  std::vector<StreamTableStatus> stream_tables;
  std::vector<LogStatus> logs;
  bool discovery = false;  // an entry that looks for databases and is none itself
  bool paused = false;
  int workers_in_use = 0, workers_max = 0, waiting_units = 0;
  int sources_awake = 0, sources_asleep = 0;
  std::int64_t arms_total = 0;  // since the daemon began
  std::vector<ActiveAlert> alerts;
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_refresh(const RefreshEvent& event) = 0;
  virtual void on_retry(const std::string& database, const std::string& sqlstate) = 0;
  virtual void on_reconnect(const std::string& database) = 0;
  virtual void on_build(const std::string& database, const std::string& stream_table, bool ok) = 0;
  /// One pass of the scheduler over its due stream tables took this long; `due` were found due.
  virtual void on_tick(const std::string& database, std::chrono::microseconds duration, int due) = 0;

  /// An alert that is being sent: the ones that the book holds back do not come here.
  virtual void on_alert(const Alert& /*alert*/) {}
  /// A notification ended the sleep of a source, or of everything.
  virtual void on_wakeup(const std::string& /*database*/) {}
  /// A unit started so long after it was due.
  virtual void on_lag(const std::string& /*database*/, std::chrono::microseconds /*lag*/) {}
  /// A cycle of stream tables was brought to its fixed point, or given up, after so many iterations.
  virtual void on_scc(const std::string& /*database*/, TableId /*scc*/, int /*iterations*/, bool /*converged*/) {}
};

/// Implemented by the scheduler; called by the HTTP handlers on the event loop thread.
class StatusSource {
 public:
  virtual ~StatusSource() = default;
  [[nodiscard]] virtual std::vector<DatabaseStatus> status() const = 0;
};

}  // namespace pgtrickle::observe
