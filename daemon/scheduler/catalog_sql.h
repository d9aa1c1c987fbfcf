// All SQL that the scheduler sends to pgtrickle's catalog, as statements, and the reading of its answers. No state.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/action.h"
#include "model/status.h"
#include "model/stream_table.h"
#include "postgres/connection.h"

namespace pgtrickle::scheduler::sql {

using postgres::Result;
using postgres::Rows;
using postgres::Statement;

/// A row of pgt_stream_tables with its frontier and what it reads.
struct StreamTable : StreamTableIdentity {
  TableStatus status = TableStatus::kPending;
  std::string refresh_mode, effective_refresh_mode, reason, schedule, last_error, last_error_code;
  bool exists = true;  // the table itself, not only its row
  std::int64_t owner = 0;
  bool trusted = false;  // its owner
  bool refused = false;  // its error is that it is not served, see refuse()
  bool needs_reinit = false;
  bool wide_keys = false;
  bool follows_time = false;  // rows come and go as time passes, with no change in any source
  std::optional<std::chrono::milliseconds> schedule_ms;  // of a duration, or the one in a continuous schedule
  std::int64_t generation = 0;
  int consecutive_errors = 0;
  std::optional<double> retry_in_seconds;  // ERROR, SUSPENDED: until it is tried again; none: nobody has said so
  std::optional<double> data_age_seconds;
  double refresh_asked_epoch = 0;  // somebody wanted it refreshed at once, and it does not show that moment yet
  double last_refresh_epoch = 0;
  double last_duration_ms = 0;
  std::int64_t total_refreshes = 0;
  std::int64_t rows = 0;  // the larger of its own rows and those of its sources
  std::optional<std::int64_t> full_threshold;

  std::string tier;
  std::optional<double> max_staleness_seconds;
  bool atomic_diamond = true;
  bool slowest = false;
  bool throttled = false;  // nobody said how often it is recomputed, unless what reads it does
  bool allow_circular = false;
  std::string fuse;
  int fuse_sensitivity = 0;
  std::optional<std::int64_t> fuse_learned, fuse_limit;
  std::string reinit_reason;
  bool fuse_blown = false;
  bool skipped = false;  // changes that blew the fuse: it does not equal its query
  std::vector<TableId> upstream;
  std::vector<SourceId> sources;        // captured, without those of stream tables
  std::vector<std::int64_t> relations;  // OIDs of what it reads that is no stream table
  std::optional<SourceId> own_log;
};

struct WatermarkGroup {
  std::string group;
  bool aligned = true;
  std::string source, watermark;  // the one that is furthest behind
  double lag_seconds = 0;         // behind the foremost
  double since_seconds = 0;       // since its last move, or since the group exists
};

struct Gate {
  std::string source, gated_by;
  bool gated = false;
};

struct Catalog {
  std::vector<StreamTable> tables;
  std::vector<std::vector<TableId>> groups;  // refresh groups
  bool paused = false;
  std::string paused_by, paused_reason;
  std::string worker_role;     // empty: none
  std::string worker_problem;  // why it must not be one
  std::vector<WatermarkGroup> watermarks;
  std::vector<Gate> gates;
};

/// What can be wrong with a database before its catalog can be read.
struct Installation {
  bool in_recovery = false;
  bool installed = false;
  std::optional<std::string> stranger;    // a role that a part of it belongs to and that we do not trust
  bool may_notify_from_triggers = false;  // prepared transactions are off: see _wake_from_trigger()
  std::int64_t lock_slots = 0;            // that all sessions of the server share
};
Statement installation();
Result<Installation> read_installation(const Rows& rows);
Statement version();

/// Relinks the catalog if it was restored from another cluster or database: (adopted: number of stream tables, or
/// NULL).
Statement adopt_cluster();

/// Where triggers may not notify: the number of changes of the catalog so far, committed or not.
Statement catalog_changes();
Result<std::int64_t> read_catalog_changes(const Rows& rows);
/// Is somebody still at it, and what has been committed so far.
struct CatalogWriters {
  bool any = false;
  std::string committed;
};
Statement catalog_writers();
Result<CatalogWriters> read_catalog_writers(const Rows& rows);

std::vector<Statement> load_catalog();
Result<Catalog> read_catalog(const std::vector<Result<Rows>>& answers);
/// The same rows for a few tables; the ones that are gone are missing.
Statement load_tables(const std::set<TableId>& ids);
Result<std::vector<StreamTable>> read_tables(const Rows& rows);

/// Recent refreshes of all stream tables that applied something, oldest first.
struct RecentRefresh {
  TableId id = 0;
  Action action = Action::kDifferential;
  std::int64_t delta_rows = 0;
  double duration_ms = 0;
};
Statement recent_refreshes();
Result<std::vector<RecentRefresh>> read_recent_refreshes(const Rows& rows);

/// Leads to the end of the transaction, unless somebody else does.
Statement lead();
Statement has_leader();
/// Somebody wants to remove pgtrickle: nobody else can name what is locked.
Statement is_leader_waited_for();
/// For the session that leads: its transaction lasts as long as it does.
Statement no_timeouts();

/// Held while it listens: triggers notify.
Statement take_listening_lock();
Result<bool> read_flag(const Rows& rows);

/// Arming: the locks of sources, all that can be had: (source_id, locked).
Statement lock_sources(const std::vector<SourceId>& sources);
Statement unlock_sources(const std::vector<SourceId>& sources);
struct SourceLock {
  SourceId source_id = 0;
  bool locked = false;
};
Result<std::vector<SourceLock>> read_source_locks(const Rows& rows);

struct Heartbeat {
  std::string instance, host, version;
  int pid = 0;
  bool leader = false;
};
/// Why nobody refreshes although a daemon stands by; NULL if a leader is alive.
Statement leader_trouble();
Statement heartbeat(const Heartbeat& beat);
Statement forget_daemon(const std::string& instance);
Statement forget_dead_daemons();

struct Failure {
  TableId id = 0;
  std::int64_t generation = 0;  // the row is left alone if somebody has changed it since
  std::string code, message, hint;
  std::chrono::microseconds duration{0};
  int consecutive_errors = 0;
  std::optional<StatusEvent> event;       // none: its status stays
  std::chrono::milliseconds retry_in{0};  // when it is tried again
};
/// Stream tables of owners who are not trusted, where there are no worker sessions; and when that is over.
Statement refuse(const std::vector<TableId>& ids);
Statement admit(const std::vector<TableId>& ids);
/// Asked in a worker session: who and where it is (role, database, server).
Statement identify();

struct Refresh {
  TableId id = 0;
  Action action = Action::kDifferential;
  std::int64_t data_at = 0, started_at = 0, ended_at = 0;  // microseconds since 1970
  std::int64_t delta_rows = 0, rows_inserted = 0, rows_updated = 0, rows_deleted = 0;
};
Statement record_refreshes(const std::vector<Refresh>& refreshes);

/// The error in pgt_stream_tables, and a FAILED row in the history.
std::vector<Statement> record_failure(const Failure& failure);
Statement clear_errors(TableId id);
/// Those of these that are suspended go on, on trial: their errors are kept until a refresh succeeds.
Statement try_suspended(const std::vector<TableId>& ids);
/// Of the cycle with these members, ascending; its next refresh takes it back.
Statement record_cycle_failure(const std::vector<TableId>& members, const std::string& message);
/// No reason: what _changed_facts says.
Statement request_rebuild(TableId id, const std::string& reason, bool wide_keys);
struct CostEstimate {
  std::int64_t full_threshold = 0;
  std::optional<double> ms_per_delta_row, ms_per_full;
};
Statement set_cost_estimate(TableId id, const CostEstimate& cost);
Statement set_fuse_learned(TableId id, std::int64_t rows);
Statement blow_fuse(TableId id, std::int64_t pending);
Statement notify_alert(const std::string& payload);
/// The tables were equal to their queries so many seconds ago. Rows that a refresh has locked are left out.
Statement mark_fresh(const std::map<TableId, double>& seconds_ago);

struct LogSize {
  SourceId source_id = 0;
  std::string source;
  std::int64_t active_bytes = 0, inactive_bytes = 0;
};
/// Of all sources but these.
Statement log_sizes(const std::set<SourceId>& without);
Result<std::vector<LogSize>> read_log_sizes(const Rows& rows);
Statement rotate_log(SourceId source_id, std::int64_t switch_bytes);
/// Stream tables that hold the log back are to be rebuilt and hold it no longer: released, an array of their ids.
Statement release_log(SourceId source_id, const std::string& why);
Result<std::vector<TableId>> read_released(const Rows& rows);
/// Where no event triggers watch the sources: looks for changes of their shape and neutralises what is broken.
Statement check_sources();
Statement has_event_triggers();  // flag
/// Rights on change logs as they should be, whatever happened to roles and without event triggers. Column "changed".
Statement settle_rights();
/// Compares what the programs of these were made for with what is there; changed: how many are to be rebuilt.
Statement watch_facts(const std::vector<TableId>& ids);
/// Subscriptions that fill sources, publications that ask for replica identities; where event triggers did not see to
/// it.
Statement follow_replication();
/// Counts the refreshes by hand that nobody has counted yet.
Statement settle_refresh_stats();
/// Of what is counted.
Statement prune_history(std::chrono::hours retention, int limit);
/// Of ours, if its transaction is at least so old: the process of a connection that was lost may be gone, and its
/// number in use again.
Statement end_session(int backend, std::chrono::milliseconds at_least);
Statement terminate_by_application_name(const std::string& name);

}  // namespace pgtrickle::scheduler::sql
