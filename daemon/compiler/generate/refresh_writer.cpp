#include "compiler/generate/refresh_writer.h"

#include <algorithm>

#include "compiler/generate/function_text.h"
#include "compiler/generate/sql_text.h"

namespace pgtrickle::compiler {

namespace {

constexpr int kSmallDelta = 200;  // pending rows up to which hash and merge joins are ruled out

/// Whether anybody at all has to wait: two empty tables are looked at.
constexpr const char* kAnyGate =
    "EXISTS (SELECT FROM pgtrickle.pgt_source_gates g WHERE g.gated) OR EXISTS (SELECT FROM "
    "pgtrickle.pgt_watermark_groups)";

class RefreshWriter {
 public:
  RefreshWriter(const CompileRequest& request, const std::vector<CapturedSource>& sources, const SourceNumbers* numbers)
      : request_(request),
        sources_(sources),
        numbers_(numbers),
        id_(std::to_string(request.id)),
        apply_(function_name("apply", request.id)) {}

  [[nodiscard]] std::string function() const {
    std::string body = declarations() + "BEGIN\n" + check_mode();
    if (!sources_.empty()) body += keep_writers_out();
    body += lock();
    if (!sources_.empty()) body += empty_table();
    body += check_gates();
    for (const auto& source : sources_) body += check_source(source);
    if (!sources_.empty()) body += look_at_world();
    body +=
        "    -- Taken before anything is read: rows that this transaction writes from here on come later.\n"
        "    v.run := nextval('pgtrickle_changes.log_seq');\n"
        "    v.taken := pg_current_snapshot();\n";
    body += sources_.empty() ? "    v.recompute := true;\n" + check_facts_of_query() : count_pending() + check_facts();
    body += decide() + apply() + move_frontier() + "END\n";
    return "CREATE OR REPLACE FUNCTION " + function_name("refresh", request_.id) +
           "(mode text DEFAULT 'auto', OUT action text, OUT delta_rows bigint,\n    OUT rows_inserted bigint, OUT "
           "rows_updated bigint, OUT rows_deleted bigint)\nLANGUAGE plpgsql SECURITY DEFINER\nSET search_path = "
           "pg_catalog, pg_temp\n"
           "SET plan_cache_mode = force_generic_plan\nSET max_parallel_workers_per_gather = 0\nAS " +
           dollar_quoted(body);
  }

 private:
  [[nodiscard]] static std::string declarations() {
    return "\n#variable_conflict use_column\n<<v>>\nDECLARE\n"
           "    f pgtrickle.pgt_frontiers;\n"
           "    f_snapshot pg_snapshot;\n"
           "    f_xmin xid8;\n"
           "    f_xmax xid8;\n"
           "    f_xid xid8;\n"
           "    f_seq bigint;\n"
           "    started CONSTANT timestamptz := clock_timestamp();\n"
           "    run bigint;\n"
           "    taken pg_snapshot;  -- not newer than what is read\n"
           "    changed bigint := 0;\n"
           "    pending bigint;\n"
           "    counts bigint[];  -- pending rows of each source\n"
           "    marked boolean;\n"
           "    recompute boolean := $1 = 'full';\n"
           "    asks CONSTANT boolean := $1 IN ('auto', 'look');  -- looks at gates, the fuse, and how much is "
           "pending\n"
           "    chooses CONSTANT boolean := $1 IN ('auto', 'look', 'go');  -- does nothing if nothing is pending\n"
           "    reinit boolean;\n"
           "    gates boolean;\n"
           "    subscribed boolean;  -- this database has subscriptions\n"
           "    fuse_limit bigint;\n"
           "    blown boolean;\n"
           "    fuse_reset text;\n"
           "    skip boolean;\n"
           "    skipped boolean;\n"
           "    fraction double precision;\n"
           "    not_null boolean;\n"
           "    row_security boolean;\n"
           "    watched boolean;  -- by the event triggers that were there when the program was made\n"
           "    answer text;\n"
           "    user_keys text[];  -- columns of unique indexes that users made; NULL: there are none\n"
           "    message text;\n"
           "    detail text;\n"
           "    relation name;\n"
           "    constraint_name name;\n";
  }

  /// Programs that recompute cannot be members of a cycle, so they need not be emptied.
  [[nodiscard]] std::string check_mode() const {
    return std::string("    IF ($1 IN ('auto', 'full', 'differential', 'lock', 'look', 'go'") +
           (sources_.empty() ? "" : ", 'empty'") +
           ")) IS NOT TRUE THEN\n"
           "        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('unknown refresh mode "
           "\"%s\"', $1),\n"
           "            HINT = 'Use auto, full, differential or lock.';\n"
           "    END IF;\n"
           "    delta_rows := 0; rows_inserted := 0; rows_updated := 0; rows_deleted := 0;\n"
           "    IF $1 = 'lock' THEN\n        PERFORM pgtrickle._lock_sources(" +
           id_ + ");\n        action := 'NO_DATA';\n        RETURN;\n    END IF;\n";
  }

  [[nodiscard]] std::string lock() const {
    return "    -- First of all: whoever holds this row refreshes this stream table.\n"
           "    SELECT * INTO v.f FROM pgtrickle.pgt_frontiers p WHERE p.pgt_id = " +
           id_ +
           " FOR UPDATE;\n"
           "    IF NOT FOUND THEN\n"
           "        IF v.chooses AND NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = " +
           id_ +
           ") THEN\n            action := 'NO_DATA';  -- it was dropped, and the daemon will soon know\n"
           "            RETURN;\n        END IF;\n"
           "        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'the stream table has no row in "
           "pgtrickle.pgt_frontiers',\n"
           "            HINT = 'pgtrickle.repair_stream_table() makes it anew.';\n    END IF;\n"
           "    v.f_snapshot := v.f.snapshot; v.f_xmin := pg_snapshot_xmin(v.f.snapshot);\n"
           "    v.f_xmax := pg_snapshot_xmax(v.f.snapshot); v.f_xid := v.f.xid; v.f_seq := "
           "v.f.seq;\n"
           "    SELECT s.needs_reinit, s.fuse_limit, s.fuse_blown_at IS NOT NULL, s.fuse_reset, s.skipped_at IS NOT "
           "NULL, s.max_delta_fraction,\n           " +
           kAnyGate + ", EXISTS (SELECT FROM pg_subscription_rel),\n           CASE WHEN " + foreign_index() +
           " THEN '{}'::text[] END\n"
           "    INTO v.reinit, v.fuse_limit, v.blown, v.fuse_reset, v.skipped, v.fraction, v.gates, v.subscribed, "
           "v.user_keys\n"
           "    FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = " +
           id_ +
           ";\n"
           "    v.skip := v.asks AND v.fuse_reset IS NOT DISTINCT FROM 'skip_changes';\n"
           "    IF (v.chooses OR $1 = 'differential')\n"
           // What a subscription writes fires no trigger of ours; this snapshot has its rows only if it has it too.
           "        AND (v.reinit OR v.f_snapshot IS NULL OR v.subscribed AND pgtrickle._is_subscribed(" +
           id_ +
           ")) THEN\n"
           "        action := 'REINIT';\n"
           "        RETURN;\n"
           "    END IF;\n";
  }

  /// For _refresh_scc(): the next call must be 'full'.
  [[nodiscard]] std::string empty_table() const {
    return "    IF $1 = 'empty' THEN\n" + check_rights(apply_, "        ") +
           "        SELECT a.rows_deleted INTO rows_deleted FROM " + apply_ +
           "('empty', NULL, NULL, NULL, 0, 0, NULL, NULL) a;\n" + pin_search_path("        ") +
           "        UPDATE pgtrickle.pgt_frontiers p SET snapshot = NULL, xid = NULL, seq = NULL, rows = 0 WHERE "
           "p.pgt_id = " +
           id_ + ";\n        action := 'EMPTY';\n        RETURN;\n    END IF;\n";
  }

  /// Before the frontier is locked: the daemon, which refreshes in one transaction what this one reads and then this
  /// one, has written there by the time it waits for the frontier. In the order of OIDs, in which it usually writes.
  [[nodiscard]] std::string keep_writers_out() const {
    auto sources = sources_;
    std::sort(sources.begin(), sources.end(),
              [](const auto& a, const auto& b) { return a.source->relid < b.source->relid; });
    std::vector<std::string> tables;
    for (const auto& s : sources) tables.push_back(qualified(s.source->schema, s.source->name));
    return "    IF current_setting('transaction_isolation') IN ('read committed', 'read uncommitted') THEN\n"
           "        -- No single snapshot here: keep writers out instead, until the end of the transaction.\n"
           "        IF (v.chooses OR $1 = 'differential') AND EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s\n"
           "                WHERE s.pgt_id = " +
           id_ +
           " AND s.needs_reinit) THEN\n"
           "            action := 'REINIT';  -- its sources may have other names by now\n"
           "            RETURN;\n        END IF;\n        LOCK TABLE " +
           join(tables, ", ") + " IN SHARE MODE;\n    END IF;\n";
  }

  [[nodiscard]] std::string check_gates() const {
    return "    IF v.asks AND v.gates AND pgtrickle._hold_reason(" + id_ +
           ") IS NOT NULL THEN\n        action := 'HELD';\n        RETURN;\n    END IF;\n"
           "    IF v.asks AND v.blown AND v.fuse_reset IS NULL THEN\n"
           "        action := 'BLOWN';\n        RETURN;\n    END IF;\n";
  }

  [[nodiscard]] std::string check_source(const CapturedSource& s) const {
    std::vector<std::string> columns;
    const std::string rel = std::to_string(s.source->relid) + "::oid";
    for (const auto attnum : s.columns)
      columns.push_back("has_column_privilege(" + quote_literal(request_.owner) + "::name, " + rel + ", " +
                        std::to_string(attnum) + "::int2, 'SELECT')");
    std::string allowed = "has_table_privilege(" + quote_literal(request_.owner) + "::name, " + rel + ", 'SELECT')";
    if (!columns.empty()) allowed = "(" + allowed + " OR (" + join(columns, " AND ") + "))";
    std::string sql =
        "    IF (" + allowed +
        ") IS NOT TRUE THEN\n"
        "        IF v.chooses AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = " +
        rel +
        ") THEN\n            action := 'REINIT';  -- it was dropped\n            RETURN;\n        END IF;\n"
        "        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',\n"
        "            MESSAGE = " +
        quote_literal("owner " + quote_ident(request_.owner) + " of stream table " +
                      qualified(request_.schema, request_.name) + " may no longer SELECT from " +
                      qualified(s.source->schema, s.source->name)) +
        ",\n"
        "            HINT = 'Grant SELECT to the owner and resume the stream table.';\n"
        "    END IF;\n";
    if (s.source->has_inheritance_children || s.source->kind == SourceKind::kPartitionedTable) {
      sql += "    IF NOT v.recompute AND (SELECT p.partitions FROM pgtrickle.pgt_sources p WHERE p.source_id = " +
             std::to_string(s.log_id) + ")\n        IS DISTINCT FROM pgtrickle._source_relations(" + rel +
             ") THEN\n"
             "        action := 'REINIT';\n        RETURN;\n    END IF;\n";
    }
    return sql;
  }

  /// What is cheap to ask for at every refresh, in one statement: NOT NULL, which keys, plain "=" and NOT IN rely on,
  /// and what event triggers cannot tell: whether row security concerns any source, and whether they are there.
  [[nodiscard]] std::string look_at_world() const {
    std::vector<std::string> counts;
    std::vector<std::string> relids;
    std::size_t expected = 0;
    for (const auto& s : sources_) {
      relids.push_back(std::to_string(s.source->relid));
      const auto columns = not_null_columns(s);
      if (columns.empty()) continue;
      expected += columns.size();
      counts.push_back("(SELECT count(*) FROM pg_attribute a WHERE a.attrelid = " + relids.back() +
                       " AND a.attnum = ANY ('{" + join(columns, ",") + "}') AND a.attnotnull" + validated() + ")");
    }
    const std::string not_null =
        counts.empty() ? "true" : join(counts, "\n            + ") + " = " + std::to_string(expected);
    return "    SELECT " + not_null + ",\n           EXISTS (SELECT FROM pg_class c WHERE c.oid = ANY ('{" +
           join(relids, ",") + "}') AND c.relrowsecurity),\n           " + watched() +
           "\n    INTO v.not_null, v.row_security, v.watched;\n"
           "    IF NOT v.not_null THEN\n"
           "        IF v.recompute THEN\n"
           "            RAISE EXCEPTION USING ERRCODE = 'serialization_failure',\n"
           "                MESSAGE = 'a column of a source may be NULL now', HINT = 'Try again: the program is made "
           "anew.';\n"
           "        END IF;\n        action := 'REINIT';\n        RETURN;\n    END IF;\n";
  }

  [[nodiscard]] static std::vector<std::string> not_null_columns(const CapturedSource& s) {
    std::vector<std::string> attnums;
    for (const auto& col : s.source->columns)
      if (col.not_null && std::find(s.columns.begin(), s.columns.end(), col.attnum) != s.columns.end())
        attnums.push_back(std::to_string(col.attnum));
    return attnums;
  }

  /// From PostgreSQL 18 on attnotnull is also set by constraints that are not validated yet.
  [[nodiscard]] std::string validated() const {
    if (request_.server_version < 180000) return {};
    return "\n              AND NOT EXISTS (SELECT FROM pg_constraint n WHERE n.conrelid = a.attrelid AND n.contype = "
           "'n'\n                              AND NOT n.convalidated AND n.conkey = ARRAY[a.attnum])";
  }

  /// A trigger that was disabled for a while has another xmin.
  [[nodiscard]] std::string watched() const {
    if (request_.event_triggers.empty()) return "false";
    std::vector<std::string> oids;
    std::vector<std::string> xmins;
    for (const auto& [oid, xmin] : request_.event_triggers) {
      oids.push_back(std::to_string(oid));
      xmins.push_back(xmin);
    }
    return "(SELECT count(*) FROM pg_event_trigger e WHERE e.oid = ANY ('{" + join(oids, ",") +
           "}')\n            AND e.xmin = ANY ('{" + join(xmins, ",") +
           "}') AND e.evtenabled = 'A') = " + std::to_string(oids.size());
  }

  /// Facts that nobody watches are compared before a delta is trusted. A marker may stand for a change that could not
  /// be noted in the catalog.
  [[nodiscard]] std::string check_facts() const {
    return "    IF v.chooses AND v.changed <> 0 AND (NOT v.watched OR v.f.facts_from IS NOT NULL OR v.recompute) THEN\n"
           "        v.answer := pgtrickle._facts_answer(" +
           id_ +
           ", true);\n"
           "    ELSIF v.chooses AND v.row_security THEN\n"
           "        v.answer := pgtrickle._facts_answer(" +
           id_ +
           ", false);\n    END IF;\n"
           "    IF v.answer = 'rebuild' THEN\n        action := 'REINIT';\n        RETURN;\n"
           "    ELSIF v.answer = 'recompute' THEN\n        v.recompute := true;\n    END IF;\n";
  }

  /// A query that is recomputed is text: its names must still mean what they meant when it was compiled.
  [[nodiscard]] std::string check_facts_of_query() const {
    return "    v.watched := " + watched() +
           ";\n    IF v.chooses AND (NOT v.watched OR v.f.facts_from IS NOT NULL) AND pgtrickle._facts_answer(" + id_ +
           ", true) = 'rebuild' THEN\n        action := 'REINIT';\n        RETURN;\n    END IF;\n";
  }

  [[nodiscard]] std::string count_pending() const {
    std::string sql = "    IF v.f_snapshot IS NOT NULL THEN\n";
    for (const auto& s : sources_) {
      const std::string log = "pgtrickle_changes.log_" + std::to_string(s.log_id);
      sql += "        SELECT count(*), coalesce(bool_or(l.w = 0), false) INTO v.pending, v.marked\n        FROM " +
             log + " l WHERE " + pending("l") +
             ";\n"
             "        v.counts[" +
             std::to_string(numbers_->number(s.source->relid)) +
             "] := greatest(v.pending, 1);\n"
             "        IF v.pending > 0 THEN\n            v.changed := v.changed | " +
             std::to_string(numbers_->bit(s.source->relid)) +
             ";\n            delta_rows := delta_rows + v.pending;\n"
             "            IF v.marked THEN\n"
             "                -- TRUNCATE, or the source is not what it was\n"
             "                IF NOT v.recompute AND pgtrickle._source_problem(" +
             std::to_string(s.log_id) +
             ") IS NOT NULL THEN\n"
             "                    action := 'REINIT';\n                    RETURN;\n                END IF;\n"
             "                v.recompute := true;\n            END IF;\n        END IF;\n";
    }
    return sql + "    END IF;\n";
  }

  /// The fuse, nothing to do, or too much: in a program without sources nothing is counted.
  [[nodiscard]] std::string decide() const {
    std::string sql;
    if (!sources_.empty()) {
      sql =
          "    IF v.asks AND v.fuse_reset IS NULL AND delta_rows > v.fuse_limit THEN\n"
          "        action := 'BLOWN';\n        RETURN;\n    END IF;\n"
          "    IF v.chooses AND v.changed = 0 AND NOT v.skip THEN\n        action := 'NO_DATA';\n        RETURN;\n"
          "    END IF;\n"
          // A little more is needed to change the way than to stay with it: costs are measured, and noisy.
          "    IF v.asks AND delta_rows > (CASE WHEN v.fraction IS NULL\n"
          "            THEN v.f.full_threshold * CASE v.f.last_action WHEN 'FULL' THEN 0.8 ELSE 1.25 END\n"
          "            ELSE v.fraction * pgtrickle._source_rows(" +
          id_ + ") END) THEN\n        v.recompute := true;\n    END IF;\n";
    }
    return sql +
           "    action := CASE WHEN v.skip THEN 'SKIPPED' WHEN v.recompute THEN 'FULL' ELSE 'DIFFERENTIAL' END;\n"
           "    IF $1 = 'look' THEN\n        RETURN;\n    END IF;\n";
  }

  /// Whether there is a unique index or exclusion constraint besides the program's own key.
  [[nodiscard]] std::string foreign_index() const {
    return "EXISTS (SELECT FROM pg_index i WHERE i.indrelid = s.pgt_relid AND (i.indisunique OR i.indisexclusion)\n"
           "                             AND i.indexrelid IS DISTINCT FROM " +
           own_key() + ")";
  }
  [[nodiscard]] std::string own_key() const {
    return "to_regclass(" + quote_literal(qualified(request_.schema, "pgtrickle_" + id_ + "_key")) + ")";
  }

  [[nodiscard]] std::string apply() const {
    std::string sql = "    IF v.user_keys IS NOT NULL THEN\n        v.user_keys := pgtrickle._unique_columns(" + id_ +
                      ", " + own_key() + ");\n    END IF;\n    IF v.skip THEN\n        NULL;\n";
    if (!sources_.empty())
      sql += "    ELSIF NOT v.recompute AND delta_rows <= " + std::to_string(kSmallDelta) + " THEN\n" +
             call_apply(apply_ + "_small");
    return sql + "    ELSE\n" + call_apply(apply_) +
           "    END IF;\n    -- A function of the query may have changed the path, for good: what follows runs with "
           "our "
           "rights.\n" +
           pin_search_path("    ");
  }

  /// Where users made unique indexes, rows that violate one are explained, which needs a subtransaction.
  [[nodiscard]] std::string call_apply(const std::string& function) const {
    const std::string call =
        "SELECT a.rows_inserted, a.rows_updated, a.rows_deleted INTO rows_inserted, rows_updated, rows_deleted\n"
        "FROM " +
        function +
        "(CASE WHEN v.recompute THEN 'full' ELSE 'differential' END, v.f_snapshot, v.f_xid, v.f_seq,\n"
        "    CASE WHEN $1 = 'differential' THEN -1 ELSE v.changed END, v.run,\n"
        "    CASE WHEN $1 <> 'differential' THEN v.counts END, v.user_keys) a;";
    return check_rights(function, "        ") + "        IF v.user_keys IS NULL THEN\n            " + indent(call, 12) +
           "\n        ELSE\n            BEGIN\n                " + indent(call, 16) +
           "\n            EXCEPTION WHEN unique_violation OR exclusion_violation THEN\n"
           "                GET STACKED DIAGNOSTICS v.message = MESSAGE_TEXT, v.detail = PG_EXCEPTION_DETAIL,\n"
           "                    v.relation = TABLE_NAME, v.constraint_name = CONSTRAINT_NAME;\n" +
           "            " + pin_search_path("    ") + "                PERFORM pgtrickle._raise_violation(" + id_ +
           ", SQLSTATE, v.message, v.detail, v.relation, "
           "v.constraint_name);\n"
           "            END;\n        END IF;\n";
  }

  [[nodiscard]] std::string move_frontier() const {
    const std::string skipped_now = sources_.empty() ? "v.skip" : "v.skip AND v.changed <> 0";
    return settle_facts() +
           "    UPDATE pgtrickle.pgt_frontiers p\n"
           "    SET snapshot = v.taken, xid = pg_current_xact_id(), seq = v.run, data_timestamp = "
           "now(),\n"
           "        facts_from = v.f.facts_from,\n"
           "        last_refresh_at = clock_timestamp(), last_action = $2, last_delta_rows = $3,\n"
           "        last_duration_ms = extract(epoch FROM clock_timestamp() - v.started) * 1000,\n"
           "        rows = coalesce(p.rows, 0) + $4 - $6, total_refreshes = p.total_refreshes + 1,\n"
           "        total_full = p.total_full + ($2 = 'FULL')::int, total_differential = p.total_differential + ($2 = "
           "'DIFFERENTIAL')::int,\n"
           "        total_rows_inserted = p.total_rows_inserted + $4, total_rows_updated = p.total_rows_updated + "
           "$5,\n"
           "        total_rows_deleted = p.total_rows_deleted + $6\n"
           "    WHERE p.pgt_id = " +
           id_ +
           ";\n"
           "    IF v.fuse_reset IS NOT NULL OR v.skipped AND v.recompute AND NOT v.skip THEN\n"
           "        -- The answer to a blown fuse holds once; whatever was skipped is there again once all is "
           "recomputed.\n"
           "        UPDATE pgtrickle.pgt_stream_tables s\n"
           "        SET fuse_reset = NULL, fuse_blown_at = NULL, fuse_blow_reason = NULL,\n"
           "            skipped_at = CASE WHEN " +
           skipped_now +
           " THEN now() WHEN v.skip OR NOT v.recompute THEN s.skipped_at END\n"
           "        WHERE s.pgt_id = " +
           id_ + ";\n    END IF;\n";
  }

  /// Facts are settled once all transactions have ended that were there before these could be looked up: what one of
  /// them changes no event trigger tells. Until a refresh sees that, facts are compared.
  [[nodiscard]] std::string settle_facts() const {
    const std::string note =
        "    IF (v.answer = 'recompute' OR $1 = 'full' AND NOT v.watched) AND NOT v.skip THEN\n"
        "        PERFORM pgtrickle._note_storage(" +
        id_ + ");\n    END IF;\n";
    return (sources_.empty() ? "" : note) + "    IF v.f.facts_from IS NOT NULL AND v.chooses" +
           (sources_.empty() ? "" : " AND v.changed <> 0") +
           " THEN\n"
           "        v.f.facts_from := CASE WHEN pg_snapshot_xmin(v.taken) = pg_snapshot_xmax(v.taken)\n"
           "            OR v.f.facts_from > '0' AND pg_snapshot_xmin(v.taken) >= v.f.facts_from THEN NULL\n"
           "            WHEN v.f.facts_from = '0' THEN pg_snapshot_xmax(v.taken) ELSE v.f.facts_from END;\n"
           "    END IF;\n";
  }

  static std::string pin_search_path(const std::string& indentation) {
    return indentation + "PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);\n";
  }

  /// The owner owns apply_<id>, and could make it SECURITY INVOKER: then it would run with the rights of refresh_<id>.
  /// So it is looked at before every call: its current definition, not that of the snapshot, and locked where we may
  /// lock it, so that it cannot change in between.
  static std::string check_rights(const std::string& function, const std::string& indentation) {
    const std::string oid = quote_literal(function + "(" + kApplyTypes + ")") + "::regprocedure";
    std::string sql =
        "IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = current_user AND r.rolsuper) THEN\n"
        "    PERFORM FROM pg_proc p WHERE p.oid = " +
        oid +
        " FOR SHARE;\n"
        "END IF;\n"
        "IF pg_get_functiondef(" +
        oid +
        ") !~ E'^[^\\n]+\\n RETURNS \"?record\"?\\n LANGUAGE \"?plpgsql\"?\\n SECURITY DEFINER\\n' THEN\n"
        "    RAISE EXCEPTION USING ERRCODE = 'data_corrupted',\n"
        "        MESSAGE = 'the program ' || " +
        quote_literal(function) +
        " || '() was altered',\n"
        "        HINT = 'The daemon makes it anew. Programs are not to be changed by hand.';\n"
        "END IF;\n";
    return indentation + indent(sql.substr(0, sql.size() - 1), static_cast<int>(indentation.size())) + "\n";
  }

  const CompileRequest& request_;
  const std::vector<CapturedSource>& sources_;
  const SourceNumbers* numbers_;
  std::string id_;
  std::string apply_;
};

}  // namespace

void add_refresh(const CompileRequest& request, Program& program, const std::vector<CapturedSource>& sources,
                 const SourceNumbers* numbers) {
  const std::string owner = quote_ident(request.owner);
  for (const auto& s : sources) {
    std::vector<std::string> columns{"xid", "seq", "w"};
    for (const auto attnum : s.columns) columns.push_back("c" + std::to_string(attnum));
    program.admin_ddl.push_back("GRANT SELECT (" + join(columns, ", ") + ") ON pgtrickle_changes.log_" +
                                std::to_string(s.log_id) + " TO " + owner);
  }
  const std::string name = function_name("refresh", request.id) + "(text)";
  program.admin_ddl.push_back(RefreshWriter(request, sources, numbers).function());
  program.admin_ddl.push_back("REVOKE ALL ON FUNCTION " + name + " FROM PUBLIC");
  program.admin_ddl.push_back("GRANT EXECUTE ON FUNCTION " + name + " TO " + owner);
}

}  // namespace pgtrickle::compiler
