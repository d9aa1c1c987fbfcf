// All SQL that the scheduler sends to pgtrickle's catalog, as statements, and the reading of its answers. No state.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "postgres/connection.h"
#include "timetable/dag.h"

namespace pgtrickle::scheduler::sql {

using postgres::Result;
using postgres::Rows;
using postgres::Statement;

/// A row of pgt_stream_tables with its frontier.
struct StreamTable {
  TableId id = 0;
  std::string schema, name, status, refresh_mode, effective_refresh_mode, reason, schedule, last_error;
  bool exists = true;  // the table itself, not only its row
  bool needs_reinit = false;
  bool wide_keys = false;
  std::optional<std::chrono::milliseconds> schedule_ms;
  std::int64_t generation = 0;
  int consecutive_errors = 0;
  std::optional<double> data_age_seconds;
  double last_refresh_epoch = 0;
  double last_duration_ms = 0;
  std::int64_t total_refreshes = 0;
  std::int64_t rows = 0;  // the larger of its own rows and those of its sources
  std::optional<std::int64_t> full_threshold;
};

struct Catalog {
  std::vector<StreamTable> tables;
  std::vector<Edge> edges;
};

/// What can be wrong with a database before its catalog can be read.
struct Installation {
  bool in_recovery = false;
  bool installed = false;
  bool may_notify_from_triggers = false;  // prepared transactions are off: see _wake_from_trigger()
};
Statement installation();
Result<Installation> read_installation(const Rows& rows);
Statement version();

/// Relinks the catalog if it was restored from another cluster or database: (adopted: number of stream tables, or
/// NULL).
Statement adopt_cluster();

std::vector<Statement> load_catalog();
Result<Catalog> read_catalog(const Rows& tables, const Rows& edges);

/// Recent refreshes of all stream tables, oldest first: (pgt_id, action, delta_rows, duration_ms).
Statement recent_refreshes();

Statement try_lock(int key);
Statement unlock(int key);
inline constexpr int kArmKey = 1;
inline constexpr int kLeaderKey = 2;
Result<bool> read_flag(const Rows& rows);

struct Heartbeat {
  std::string instance, host, version;
  int pid = 0;
  bool leader = false;
};
Statement heartbeat(const Heartbeat& beat);
Statement forget_daemon(const std::string& instance);
Statement forget_dead_daemons();

struct Failure {
  TableId id = 0;
  std::int64_t generation = 0;  // the row is left alone if somebody has changed it since
  std::string code, message, hint;
  std::chrono::microseconds duration{0};
  int consecutive_errors = 0;
  std::string new_status;  // empty: unchanged
};
/// The error in pgt_stream_tables, and a FAILED row in the history.
std::vector<Statement> record_failure(const Failure& failure);
Statement clear_errors(TableId id);
Statement request_rebuild(TableId id, const std::string& reason, bool wide_keys);
Statement set_full_threshold(TableId id, std::int64_t rows);
/// The tables were equal to their queries so many seconds ago. Rows that a refresh has locked are left out.
Statement mark_fresh(const std::map<TableId, double>& seconds_ago);

struct LogSize {
  std::int64_t source_id = 0;
  std::string source;
  std::int64_t active_bytes = 0, inactive_bytes = 0;
};
Statement log_sizes();
Result<std::vector<LogSize>> read_log_sizes(const Rows& rows);
Statement rotate_log(std::int64_t source_id, std::int64_t switch_bytes);
/// Where no event triggers watch the sources: looks for changes of their shape and neutralises what is broken.
Statement check_sources();
Statement prune_history(std::chrono::hours retention, int limit);
Statement terminate_by_application_name(const std::string& name);

}  // namespace pgtrickle::scheduler::sql
