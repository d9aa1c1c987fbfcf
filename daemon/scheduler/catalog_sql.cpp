#include "scheduler/catalog_sql.h"

#include <algorithm>
#include <sstream>

#include "model/agreements.h"
#include "postgres/array.h"
#include "postgres/installation.h"
#include "postgres/rows.h"

namespace pgtrickle::scheduler::sql {
namespace {

using postgres::array_of;
using postgres::RowReader;

std::string text(std::int64_t value) {
  return std::to_string(value);
}

Statement make(std::string sql, std::vector<postgres::Parameter> parameters = {}) {
  return {.sql = std::move(sql), .parameters = std::move(parameters)};
}

/// What is said every few seconds, for ever.
Statement often(std::string name, std::string sql, std::vector<postgres::Parameter> parameters) {
  return {.sql = std::move(sql), .parameters = std::move(parameters), .name = "pgt_" + std::move(name)};
}

}  // namespace

Statement installation() {
  return make(
      std::string("SELECT pg_is_in_recovery() AS in_recovery, w.installed, w.stranger, "
                  "current_setting('max_prepared_transactions') = '0' AS may_notify, "
                  "current_setting('max_locks_per_transaction')::bigint * current_setting('max_connections')::bigint "
                  "AS slots\nFROM (") +
      postgres::kWhoseInstallation + ") AS w");
}

Result<Installation> read_installation(const Rows& rows) {
  RowReader row(rows, 0);
  Installation out;
  out.in_recovery = row.get<bool>("in_recovery");
  out.installed = row.get<bool>("installed");
  out.stranger = row.get<std::optional<std::string>>("stranger");
  out.may_notify_from_triggers = row.get<bool>("may_notify");
  out.lock_slots = row.get<std::int64_t>("slots");
  if (row.error()) return *row.error();
  return out;
}

Statement version() {
  return make("SELECT pgtrickle.version() AS version");
}

Statement adopt_cluster() {
  return make("SELECT CASE WHEN pgtrickle._cluster_changed() THEN pgtrickle._adopt_cluster() END AS adopted");
}

namespace {

constexpr const char* kTables = R"(
WITH owners AS MATERIALIZED (
    SELECT o.owner, pgtrickle._is_trusted(o.owner) AS trusted
    FROM (SELECT DISTINCT c.relowner FROM pgtrickle.pgt_stream_tables s JOIN pg_class c ON c.oid = s.pgt_relid
          WHERE $1::bigint[] IS NULL OR s.pgt_id = ANY ($1::bigint[])) AS o(owner))
SELECT s.pgt_id, coalesce(n.nspname, s.pgt_schema) AS schema, coalesce(c.relname, s.pgt_name) AS name,
       c.oid IS NOT NULL AS exists, coalesce(c.relowner, 0)::bigint AS owner,
       coalesce(w.trusted, false) AS trusted,
       s.status = 'ERROR' AND s.last_error_code IS NOT DISTINCT FROM 'TR005' AS refused, s.status, s.refresh_mode, s.effective_refresh_mode,
       left(s.reason, pgtrickle._kept_characters()) AS reason, s.schedule,
       s.schedule_ms,
       s.needs_reinit, coalesce(s.options -> 'wide_keys' = 'true', false) AS wide_keys, s.follows_time, s.generation,
       s.consecutive_errors, left(s.last_error, pgtrickle._kept_characters()) AS last_error, s.last_error_code, extract(epoch FROM s.retry_at - clock_timestamp())::float8 AS retry_in,
       extract(epoch FROM clock_timestamp() - f.data_timestamp)::float8 AS data_age,
       extract(epoch FROM CASE WHEN s.refresh_asked_at > coalesce(f.data_timestamp, '-infinity')
                               THEN s.refresh_asked_at END)::float8 AS refresh_asked,
       extract(epoch FROM r.last_refresh_at)::float8 AS last_refresh, r.last_duration_ms, r.total_refreshes,
       greatest(r.rows, d.rows) AS rows, f.full_threshold,
       s.tier, extract(epoch FROM s.max_staleness)::float8 AS max_staleness,
       coalesce(s.diamond_consistency, 'atomic') = 'atomic' AS atomic_diamond,
       coalesce(s.diamond_schedule_policy, 'fastest') = 'slowest' AS slowest, s.allow_circular,
       pgtrickle._is_throttled(s.refresh_mode, s.effective_refresh_mode, s.schedule, s.max_staleness) AS throttled,
       s.fuse, s.fuse_sensitivity, s.fuse_learned, s.fuse_limit,
       left(s.reinit_reason, pgtrickle._kept_characters()) AS reinit_reason,
       s.fuse_blown_at IS NOT NULL AS fuse_blown, s.skipped_at IS NOT NULL AS skipped,
       d.upstream, d.sources, d.relations, o.source_id AS own_log
FROM pgtrickle.pgt_stream_tables s LEFT JOIN pgtrickle.pgt_frontiers f ON f.pgt_id = s.pgt_id
LEFT JOIN pgtrickle._refresh_stats r ON r.pgt_id = s.pgt_id
LEFT JOIN pg_class c ON c.oid = s.pgt_relid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pgtrickle.pgt_sources o ON o.relid = s.pgt_relid LEFT JOIN owners w ON w.owner = c.relowner
LEFT JOIN (SELECT d.pgt_id, array_agg(u.pgt_id) FILTER (WHERE u.pgt_id IS NOT NULL) AS upstream,
                  array_agg(d.source_id) FILTER (WHERE u.pgt_id IS NULL AND d.source_id IS NOT NULL) AS sources,
                  array_agg(d.source_relid::bigint) FILTER (WHERE u.pgt_id IS NULL AND d.source_type <> 'VIEW')
                      AS relations,
                  sum(greatest(r.reltuples, 0))::bigint AS rows
           FROM pgtrickle.pgt_dependencies d LEFT JOIN pgtrickle.pgt_stream_tables u ON u.pgt_relid = d.source_relid
           LEFT JOIN pg_class r ON r.oid = d.source_relid WHERE $1::bigint[] IS NULL OR d.pgt_id = ANY ($1::bigint[])
           GROUP BY d.pgt_id) AS d ON d.pgt_id = s.pgt_id
WHERE $1::bigint[] IS NULL OR s.pgt_id = ANY ($1::bigint[])
ORDER BY s.pgt_id)";

// Of an array of integers in PostgreSQL's text form: {1,2}.
std::vector<std::int64_t> integers(const std::optional<std::string>& text) {
  std::vector<std::int64_t> out;
  if (!text) return out;
  std::istringstream in(text->substr(1));
  for (std::int64_t value = 0; in >> value;) {
    out.push_back(value);
    in.ignore(1);
  }
  return out;
}

}  // namespace

Statement catalog_changes() {
  return often("changes",
               "SELECT CASE WHEN c.is_called THEN c.last_value ELSE 0 END AS n FROM pgtrickle.catalog_changes c", {});
}

Result<std::int64_t> read_catalog_changes(const Rows& rows) {
  RowReader row(rows, 0);
  const auto n = row.get<std::int64_t>("n");
  if (row.error()) return *row.error();
  return n;
}

// A transaction that has changed a row holds a lock on the table until it has ended, also while it is prepared.
Statement catalog_writers() {
  return often("writers", R"(
SELECT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock' AND l.granted
               AND l.relation = 'pgtrickle.pgt_stream_tables'::regclass
               AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) AS any,
       (SELECT concat_ws(' ', count(*), sum(s.generation), count(*) FILTER (WHERE s.needs_reinit), max(s.retry_at))
        FROM pgtrickle.pgt_stream_tables s) AS committed)",
               {});
}

Result<CatalogWriters> read_catalog_writers(const Rows& rows) {
  RowReader row(rows, 0);
  CatalogWriters out;
  out.any = row.get<bool>("any");
  out.committed = row.get<std::string>("committed");
  if (row.error()) return *row.error();
  return out;
}

std::vector<Statement> load_catalog() {
  std::vector<Statement> out;
  out.push_back(make(kTables, {postgres::Parameter()}));
  out.push_back(
      make("SELECT array_agg(m.pgt_id ORDER BY m.pgt_id) AS members FROM pgtrickle.pgt_refresh_group_members m "
           "GROUP BY m.group_id ORDER BY m.group_id"));
  out.push_back(
      make("SELECT c.paused, c.paused_by, c.reason, c.worker_role, CASE WHEN c.worker_role IS NOT NULL THEN "
           "pgtrickle._worker_problem(c.worker_role) END AS worker_problem FROM pgtrickle.pgt_control c"));
  out.push_back(make(R"(
SELECT s.group_name, pgtrickle._qualified(b.relid) AS source, b.watermark::text AS watermark,
       coalesce(extract(epoch FROM s.max_watermark - b.watermark), 0)::float8 AS lag,
       extract(epoch FROM clock_timestamp() - coalesce(b.updated_at, g.created_at))::float8 AS since,
       s.why IS NULL AS aligned
FROM pgtrickle._watermark_state() AS s JOIN pgtrickle.pgt_watermark_groups g USING (group_id) CROSS JOIN LATERAL (
    SELECT u.relid, w.watermark, w.updated_at FROM unnest(s.sources) AS u(relid)
    LEFT JOIN pgtrickle.pgt_watermarks w ON w.source_relid = u.relid ORDER BY w.watermark NULLS FIRST, u.relid LIMIT 1) AS b
ORDER BY s.group_name)"));
  out.push_back(make(
      "SELECT pgtrickle._qualified(g.source_relid) AS source, g.gated, g.gated_by FROM pgtrickle.pgt_source_gates g "
      "JOIN pg_class c ON c.oid = g.source_relid ORDER BY g.source_relid"));
  return out;
}

// Prepared, and without the alternative of all: planning it takes longer than looking up a few.
Statement load_tables(const std::set<TableId>& ids) {
  static const std::string of_some = [] {
    std::string text = kTables;
    const std::string all = "$1::bigint[] IS NULL OR ";
    for (auto at = text.find(all); at != std::string::npos; at = text.find(all, at)) text.erase(at, all.size());
    return text;
  }();
  return often("tables", of_some, {array_of(ids)});
}

Result<std::vector<StreamTable>> read_tables(const Rows& rows) {
  std::vector<StreamTable> out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    RowReader row(rows, i);
    StreamTable t;
    t.id = row.get<std::int64_t>("pgt_id");
    t.schema = row.get<std::string>("schema");
    t.name = row.get<std::string>("name");
    t.exists = row.get<bool>("exists");
    t.owner = row.get<std::int64_t>("owner");
    t.trusted = row.get<bool>("trusted");
    t.refused = row.get<bool>("refused");
    const auto status = parse_status(row.get<std::string>("status"));
    t.refresh_mode = row.get<std::string>("refresh_mode");
    t.effective_refresh_mode = row.get<std::optional<std::string>>("effective_refresh_mode").value_or("");
    t.reason = row.get<std::optional<std::string>>("reason").value_or("");
    t.schedule = row.get<std::string>("schedule");
    if (const auto ms = row.get<std::optional<std::int64_t>>("schedule_ms"))
      t.schedule_ms = std::chrono::milliseconds(*ms);
    t.needs_reinit = row.get<bool>("needs_reinit");
    t.wide_keys = row.get<bool>("wide_keys");
    t.follows_time = row.get<bool>("follows_time");
    t.generation = row.get<std::int64_t>("generation");
    t.consecutive_errors = row.get<int>("consecutive_errors");
    t.last_error = row.get<std::optional<std::string>>("last_error").value_or("");
    t.last_error_code = row.get<std::optional<std::string>>("last_error_code").value_or("");
    t.retry_in_seconds = row.get<std::optional<double>>("retry_in");
    t.data_age_seconds = row.get<std::optional<double>>("data_age");
    t.refresh_asked_epoch = row.get<std::optional<double>>("refresh_asked").value_or(0);
    t.last_refresh_epoch = row.get<std::optional<double>>("last_refresh").value_or(0);
    t.last_duration_ms = row.get<std::optional<double>>("last_duration_ms").value_or(0);
    t.total_refreshes = row.get<std::optional<std::int64_t>>("total_refreshes").value_or(0);
    t.rows = row.get<std::optional<std::int64_t>>("rows").value_or(0);
    t.full_threshold = row.get<std::optional<std::int64_t>>("full_threshold");
    t.tier = row.get<std::string>("tier");
    t.max_staleness_seconds = row.get<std::optional<double>>("max_staleness");
    t.atomic_diamond = row.get<bool>("atomic_diamond");
    t.slowest = row.get<bool>("slowest");
    t.throttled = row.get<bool>("throttled");
    t.allow_circular = row.get<bool>("allow_circular");
    t.fuse = row.get<std::string>("fuse");
    t.fuse_sensitivity = row.get<std::optional<int>>("fuse_sensitivity").value_or(agreements::kFuseSensitivity);
    t.fuse_learned = row.get<std::optional<std::int64_t>>("fuse_learned");
    t.fuse_limit = row.get<std::optional<std::int64_t>>("fuse_limit");
    t.reinit_reason = row.get<std::optional<std::string>>("reinit_reason").value_or("");
    t.fuse_blown = row.get<bool>("fuse_blown");
    t.skipped = row.get<bool>("skipped");
    t.upstream = integers(row.get<std::optional<std::string>>("upstream"));
    t.sources = integers(row.get<std::optional<std::string>>("sources"));
    t.relations = integers(row.get<std::optional<std::string>>("relations"));
    t.own_log = row.get<std::optional<std::int64_t>>("own_log");
    if (row.error()) return *row.error();
    if (!status) return postgres::result_error("a stream table has a status that this daemon does not know");
    t.status = *status;
    out.push_back(std::move(t));
  }
  return out;
}

Result<Catalog> read_catalog(const std::vector<Result<Rows>>& answers) {
  Catalog out;
  auto tables = read_tables(*answers.at(0));
  if (!tables) return tables.error();
  out.tables = std::move(*tables);
  for (std::size_t i = 0; i < answers.at(1)->size(); ++i) {
    RowReader row(*answers[1], i);
    out.groups.push_back(integers(row.get<std::optional<std::string>>("members")));
    if (row.error()) return *row.error();
  }
  if (answers.at(2)->size() > 0) {
    RowReader row(*answers[2], 0);
    out.paused = row.get<bool>("paused");
    out.paused_by = row.get<std::optional<std::string>>("paused_by").value_or("");
    out.paused_reason = row.get<std::optional<std::string>>("reason").value_or("");
    out.worker_role = row.get<std::optional<std::string>>("worker_role").value_or("");
    out.worker_problem = row.get<std::optional<std::string>>("worker_problem").value_or("");
    if (row.error()) return *row.error();
  }
  for (std::size_t i = 0; i < answers.at(3)->size(); ++i) {
    RowReader row(*answers[3], i);
    WatermarkGroup group;
    group.group = row.get<std::string>("group_name");
    group.aligned = row.get<std::optional<bool>>("aligned").value_or(false);
    group.source = row.get<std::string>("source");
    group.watermark = row.get<std::optional<std::string>>("watermark").value_or("");
    group.lag_seconds = row.get<double>("lag");
    group.since_seconds = row.get<double>("since");
    if (row.error()) return *row.error();
    out.watermarks.push_back(std::move(group));
  }
  for (std::size_t i = 0; i < answers.at(4)->size(); ++i) {
    RowReader row(*answers[4], i);
    out.gates.push_back({.source = row.get<std::string>("source"),
                         .gated_by = row.get<std::string>("gated_by"),
                         .gated = row.get<bool>("gated")});
    if (row.error()) return *row.error();
  }
  return out;
}

Statement recent_refreshes() {
  return make(R"(
SELECT s.pgt_id, h.action, h.delta_rows, h.duration_ms
FROM pgtrickle.pgt_stream_tables s CROSS JOIN LATERAL (
    SELECT r.refresh_id, r.action, r.delta_rows, r.duration_ms, r.status FROM pgtrickle.pgt_refresh_history r
    WHERE r.pgt_id = s.pgt_id ORDER BY r.refresh_id DESC LIMIT 20) AS h
WHERE h.status = 'COMPLETED' AND h.action IN ('DIFFERENTIAL', 'FULL') AND h.duration_ms IS NOT NULL
ORDER BY h.refresh_id)");
}

Result<std::vector<RecentRefresh>> read_recent_refreshes(const Rows& rows) {
  std::vector<RecentRefresh> out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    RowReader row(rows, i);
    RecentRefresh refresh;
    refresh.id = row.get<std::int64_t>("pgt_id");
    refresh.action = parse_action(row.get<std::string>("action")).value_or(Action::kDifferential);
    refresh.delta_rows = row.get<std::optional<std::int64_t>>("delta_rows").value_or(0);
    refresh.duration_ms = row.get<double>("duration_ms");
    if (row.error()) return *row.error();
    out.push_back(refresh);
  }
  return out;
}

Statement lead() {
  return make("SELECT pgtrickle._try_lead() AS flag");
}

Statement has_leader() {
  return make("SELECT l.is_held AS flag FROM pgtrickle._leader_lock() AS l");
}

Statement is_leader_waited_for() {
  return make("SELECT l.is_waited_for AS flag FROM pgtrickle._leader_lock() AS l");
}

Statement no_timeouts() {
  return make(
      "SELECT set_config(s.name, '0', false) FROM pg_settings s WHERE s.name IN "
      "('idle_in_transaction_session_timeout', 'transaction_timeout')");
}

Statement take_listening_lock() {
  return make("SELECT pg_try_advisory_lock(" + text(agreements::kDaemonLocks) + ", " +
              text(agreements::kListeningLock) + ") AS flag");
}

namespace {

std::string key_of_source(const std::string& id) {
  return text(agreements::kSourceLocks) + ", (" + id + " % " + text(agreements::kSourceLockKeys) + ")::int";
}

}  // namespace

Statement lock_sources(const std::vector<SourceId>& sources) {
  return make(
      "SELECT s.id, pg_try_advisory_lock(" + key_of_source("s.id") + ") AS locked FROM unnest($1::bigint[]) AS s(id)",
      {array_of(sources)});
}

Statement unlock_sources(const std::vector<SourceId>& sources) {
  return make(
      "SELECT count(pg_advisory_unlock(" + key_of_source("s.id") + ")) AS unlocked FROM unnest($1::bigint[]) AS s(id)",
      {array_of(sources)});
}

Result<std::vector<SourceLock>> read_source_locks(const Rows& rows) {
  std::vector<SourceLock> out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    RowReader row(rows, i);
    out.push_back({.source_id = row.get<std::int64_t>("id"), .locked = row.get<bool>("locked")});
    if (row.error()) return *row.error();
  }
  return out;
}

Result<bool> read_flag(const Rows& rows) {
  RowReader row(rows, 0);
  const bool flag = row.get<bool>("flag");
  if (row.error()) return *row.error();
  return flag;
}

Statement leader_trouble() {
  return make("SELECT pgtrickle._leader_trouble() AS trouble");
}

Statement heartbeat(const Heartbeat& beat) {
  return often(
      "beat",
      "INSERT INTO pgtrickle.pgt_daemons AS d (instance, pid, host, version, database, heartbeat_at, is_leader) "
      "VALUES ($1, $2::int, $3, $4, current_database(), clock_timestamp(), $5::boolean) "
      "ON CONFLICT (instance) DO UPDATE SET heartbeat_at = excluded.heartbeat_at, is_leader = excluded.is_leader, "
      "database = excluded.database RETURNING pg_backend_pid() AS pid",
      {beat.instance, text(beat.pid), beat.host, beat.version, beat.leader ? "t" : "f"});
}

Statement forget_daemon(const std::string& instance) {
  return make("DELETE FROM pgtrickle.pgt_daemons WHERE instance = $1", {instance});
}

Statement forget_dead_daemons() {
  return make("DELETE FROM pgtrickle.pgt_daemons WHERE heartbeat_at < clock_timestamp() - interval '1 day'");
}

Statement refuse(const std::vector<TableId>& ids) {
  const std::string statement = R"(
UPDATE pgtrickle.pgt_stream_tables s
   SET status = $2, last_error_code = 'TR005', last_error_at = clock_timestamp(), retry_at = NULL,
       last_error = format('owner "%s" is not trusted, and the daemon has no worker sessions', pg_get_userbyid(c.relowner)),
       last_error_hint = format('Give the daemon worker sessions (databases.worker_dsn, pgtrickle.use_worker_role), or '
           'trust the owner with the daemon''s role: SELECT pgtrickle.trust_owner(%L); see docs/SECURITY.md.',
           pg_get_userbyid(c.relowner))
  FROM pg_class c
 WHERE s.pgt_id = ANY ($1::bigint[]) AND c.oid = s.pgt_relid AND s.status IN ()" +
                                sql_list_before(StatusEvent::kRefused) + ")";
  return make(statement, {array_of(ids), status_after(StatusEvent::kRefused)});
}

Statement admit(const std::vector<TableId>& ids) {
  return make(R"(
UPDATE pgtrickle.pgt_stream_tables s
   SET status = $2, last_error = NULL, last_error_code = NULL, last_error_hint = NULL, last_error_at = NULL
 WHERE s.pgt_id = ANY ($1::bigint[]) AND s.status = 'ERROR' AND s.last_error_code = 'TR005')",
              {array_of(ids), status_after(StatusEvent::kAdmitted)});
}

Statement identify() {
  return make(
      "SELECT session_user AS role, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname OPERATOR(pg_catalog.=) "
      "pg_catalog.current_database()) AS database, pg_catalog.pg_postmaster_start_time()::text AS server");
}

namespace {

std::string array_of_texts(const std::vector<std::string>& texts) {
  std::string out = "{";
  for (const std::string& item : texts) {
    out += out.size() > 1 ? ",\"" : "\"";
    for (const char c : item) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + "}";
}

}  // namespace

Statement record_refreshes(const std::vector<Refresh>& refreshes) {
  const auto numbers = [&](std::int64_t Refresh::*member) {
    std::vector<std::int64_t> out;
    for (const Refresh& refresh : refreshes) out.push_back(refresh.*member);
    return array_of(out);
  };
  std::vector<std::string> actions;
  for (const Refresh& refresh : refreshes) actions.push_back(to_string(refresh.action));
  return often("record_refreshes",
               "SELECT pgtrickle._record_refreshes($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], "
               "$6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])",
               {numbers(&Refresh::id), array_of_texts(actions), numbers(&Refresh::data_at),
                numbers(&Refresh::started_at), numbers(&Refresh::ended_at), numbers(&Refresh::delta_rows),
                numbers(&Refresh::rows_inserted), numbers(&Refresh::rows_updated), numbers(&Refresh::rows_deleted)});
}

std::vector<Statement> record_failure(const Failure& failure) {
  std::vector<Statement> out;
  const postgres::Parameter hint = failure.hint.empty() ? postgres::Parameter() : failure.hint;
  out.push_back(make(
      "UPDATE pgtrickle.pgt_stream_tables SET consecutive_errors = $3::int, "
      "last_error = left(pgtrickle._naming_source($1::bigint, $4), pgtrickle._kept_characters()), last_error_code = $5, "
      "last_error_hint = left($6, pgtrickle._kept_characters()), last_error_at = clock_timestamp(), "
      "status = coalesce(nullif($7, ''), status), "
      "retry_at = clock_timestamp() + nullif($8::float8, 0) * interval '1 ms' "
      "WHERE pgt_id = $1::bigint AND generation = $2::bigint",
      {text(failure.id), text(failure.generation), text(failure.consecutive_errors), failure.message, failure.code,
       hint, failure.event ? status_after(*failure.event) : std::string(), text(failure.retry_in.count())}));
  out.push_back(make(
      "INSERT INTO pgtrickle.pgt_refresh_history (pgt_id, start_time, end_time, status, duration_ms, error_code, "
      "error_message, initiated_by) SELECT $1::bigint, c.now - $2::float8 * interval '1 microsecond', c.now, 'FAILED', "
      "$2::float8 / 1000, $3, left(pgtrickle._naming_source($1::bigint, $4), pgtrickle._kept_characters()), 'SCHEDULER' "
      "FROM (SELECT clock_timestamp() AS now) AS c",
      {text(failure.id), text(failure.duration.count()), failure.code, failure.message}));
  return out;
}

Statement clear_errors(TableId id) {
  return make(
      "UPDATE pgtrickle.pgt_stream_tables SET consecutive_errors = 0, last_error = NULL, last_error_code = NULL, "
      "last_error_hint = NULL, last_error_at = NULL, retry_at = NULL "
      "WHERE pgt_id = $1::bigint AND status = 'ACTIVE' AND (consecutive_errors <> 0 OR last_error IS NOT NULL)",
      {text(id)});
}

Statement try_suspended(const std::vector<TableId>& ids) {
  return make(R"(
UPDATE pgtrickle.pgt_stream_tables s
   SET status = CASE WHEN s.needs_reinit OR pgtrickle._build_may_cure(s.last_error_code)
                          OR NOT EXISTS (SELECT FROM pgtrickle.pgt_frontiers f
                                                        WHERE f.pgt_id = s.pgt_id AND f.snapshot IS NOT NULL)
                     THEN $2 ELSE $3 END
 WHERE s.pgt_id = ANY ($1::bigint[]) AND s.status = 'SUSPENDED')",
              {array_of(ids), status_after(StatusEvent::kTriedByBuild), status_after(StatusEvent::kTriedByRefresh)});
}

Statement record_cycle_failure(const std::vector<TableId>& members, const std::string& message) {
  return make("SELECT pgtrickle._scc_failed($1::bigint[], $2)", {array_of(members), message});
}

Statement request_rebuild(TableId id, const std::string& reason, bool wide_keys) {
  return make(R"(
UPDATE pgtrickle.pgt_stream_tables s SET needs_reinit = true,
       reinit_reason = coalesce(CASE WHEN s.needs_reinit THEN s.reinit_reason END, nullif($2, ''),
           (SELECT string_agg(DISTINCT c.reason, '; ') FROM pgtrickle._changed_facts(ARRAY[s.pgt_id]) AS c
            WHERE c.kind <> 'storage'), 'a source changed its shape'),
       options = CASE WHEN $3::boolean THEN options || '{"wide_keys": true}' ELSE options END
 WHERE s.pgt_id = $1::bigint)",
              {text(id), reason, wide_keys ? "t" : "f"});
}

Statement set_cost_estimate(TableId id, const CostEstimate& cost) {
  const auto number = [](std::optional<double> value) {
    return value ? postgres::Parameter(std::to_string(*value)) : postgres::Parameter();
  };
  return make(
      "WITH free AS (UPDATE pgtrickle.pgt_frontiers SET full_threshold = $2::bigint WHERE pgt_id = "
      "(SELECT f.pgt_id FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = $1::bigint FOR UPDATE SKIP LOCKED) RETURNING "
      "pgt_id) "
      "INSERT INTO pgtrickle.pgt_refresh_stats (pgt_id, ms_per_delta_row, ms_per_full) SELECT pgt_id, $3::float8, "
      "$4::float8 FROM free "
      "ON CONFLICT (pgt_id) DO UPDATE SET ms_per_delta_row = excluded.ms_per_delta_row, ms_per_full = "
      "excluded.ms_per_full",
      {text(id), text(cost.full_threshold), number(cost.ms_per_delta_row), number(cost.ms_per_full)});
}

Statement set_fuse_learned(TableId id, std::int64_t rows) {
  return make("UPDATE pgtrickle.pgt_stream_tables SET fuse_learned = $2::bigint WHERE pgt_id = $1::bigint",
              {text(id), text(rows)});
}

Statement blow_fuse(TableId id, std::int64_t pending) {
  return make(
      "SELECT pgtrickle._blow_fuse(s.pgt_id, coalesce(nullif($2::bigint, 0), pgtrickle._pending_rows(s.pgt_id)), "
      "s.fuse_limit) FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = $1::bigint",
      {text(id), text(pending)});
}

Statement notify_alert(const std::string& payload) {
  return make("SELECT pg_notify('pgtrickle_alert', $1)", {payload});
}

Statement mark_fresh(const std::map<TableId, double>& seconds_ago) {
  std::vector<TableId> ids;
  std::vector<double> ages;
  for (const auto& [id, age] : seconds_ago) {
    ids.push_back(id);
    ages.push_back(age);
  }
  return often("mark_fresh", R"(
WITH free AS MATERIALIZED (SELECT f.pgt_id FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = ANY ($1::bigint[])
                           AND f.snapshot IS NOT NULL FOR UPDATE SKIP LOCKED)
UPDATE pgtrickle.pgt_frontiers f
   SET data_timestamp = greatest(f.data_timestamp, clock_timestamp() - a.age * interval '1 s')
  FROM free JOIN unnest($1::bigint[], $2::float8[]) AS a(pgt_id, age) ON a.pgt_id = free.pgt_id
 WHERE f.pgt_id = free.pgt_id)",
               {array_of(ids), array_of(ages)});
}

// Main forks only: an empty TOAST table still has a page of index, which would look like work for ever.
Statement log_sizes(const std::set<SourceId>& without) {
  return often("log_sizes", R"(
SELECT s.source_id, format('%I.%I', s.source_schema, s.source_name) AS source,
       coalesce(sum(z.bytes) FILTER (WHERE right(z.relname, 1) = s.active_log::text), 0)::bigint AS active_bytes,
       coalesce(sum(z.bytes) FILTER (WHERE right(z.relname, 1) <> s.active_log::text), 0)::bigint AS inactive_bytes
FROM pgtrickle.pgt_sources s LEFT JOIN LATERAL (
    SELECT c.relname, pg_relation_size(c.oid) + coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0) AS bytes
    FROM pg_class c WHERE c.relnamespace = 'pgtrickle_changes'::regnamespace
     AND c.relname IN ('log_' || s.source_id || '_a', 'log_' || s.source_id || '_b')) AS z ON true
WHERE s.source_id <> ALL ($1::bigint[])
GROUP BY s.source_id ORDER BY s.source_id)",
               {array_of(without)});
}

Result<std::vector<LogSize>> read_log_sizes(const Rows& rows) {
  std::vector<LogSize> out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    RowReader row(rows, i);
    LogSize size;
    size.source_id = row.get<std::int64_t>("source_id");
    size.source = row.get<std::string>("source");
    size.active_bytes = row.get<std::int64_t>("active_bytes");
    size.inactive_bytes = row.get<std::int64_t>("inactive_bytes");
    if (row.error()) return *row.error();
    out.push_back(std::move(size));
  }
  return out;
}

Statement rotate_log(SourceId source_id, std::int64_t switch_bytes) {
  return make("SELECT pgtrickle._rotate_log($1::bigint, $2::bigint) AS done", {text(source_id), text(switch_bytes)});
}

Statement release_log(SourceId source_id, const std::string& why) {
  return make("SELECT pgtrickle._release_log($1::bigint, $2) AS released", {text(source_id), why});
}

Result<std::vector<TableId>> read_released(const Rows& rows) {
  RowReader row(rows, 0);
  const auto released = row.get<std::optional<std::string>>("released");
  if (row.error()) return *row.error();
  return integers(released);
}

Statement check_sources() {
  return make(R"(
SELECT count(pgtrickle._neutralize_capture(p.source_id, p.why)) AS neutralized
FROM (SELECT s.source_id, pgtrickle._source_problem(s.source_id) AS why FROM pgtrickle.pgt_sources s
      WHERE s.problem IS NULL AND NOT (SELECT pgtrickle._has_event_triggers()) OFFSET 0) AS p
WHERE p.why IS NOT NULL)");
}

Statement has_event_triggers() {
  return make("SELECT pgtrickle._has_event_triggers() AS flag");
}

Statement settle_rights() {
  return often("settle_rights", "SELECT pgtrickle._settle_rights() AS changed", {});
}

Statement watch_facts(const std::vector<TableId>& ids) {
  return often("watch_facts", "SELECT pgtrickle._watch_facts($1::bigint[]) AS changed", {array_of(ids)});
}

Statement follow_replication() {
  return make("SELECT pgtrickle._follow_subscriptions() + pgtrickle._settle_replica_identities() AS changed");
}

Statement settle_refresh_stats() {
  return make("SELECT pgtrickle._settle_refresh_stats()");
}

Statement prune_history(std::chrono::hours retention, int limit) {
  return make(
      "DELETE FROM pgtrickle.pgt_refresh_history WHERE refresh_id IN (SELECT h.refresh_id FROM "
      "pgtrickle.pgt_refresh_history h WHERE h.counted AND h.start_time < clock_timestamp() - $1::float8 * interval '1 hour' "
      "ORDER BY h.start_time LIMIT $2::int)",
      {text(retention.count()), text(limit)});
}

Statement end_session(int backend, std::chrono::milliseconds at_least) {
  return make(
      "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a WHERE a.pid = $1::int AND a.datname = "
      "current_database() AND a.xact_start < clock_timestamp() - $2::int8 * interval '1 ms' AND a.usename IN "
      "(current_user, (SELECT c.worker_role FROM pgtrickle.pgt_control c))",
      {text(backend), text(at_least.count())});
}

Statement terminate_by_application_name(const std::string& name) {
  return make(
      "SELECT count(pg_terminate_backend(a.pid)) AS terminated FROM pg_stat_activity a "
      "WHERE a.application_name = $1 AND a.pid <> pg_backend_pid()",
      {name});
}

}  // namespace pgtrickle::scheduler::sql
