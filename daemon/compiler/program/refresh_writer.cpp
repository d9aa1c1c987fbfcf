#include "compiler/program/refresh_writer.h"

#include <algorithm>
#include <utility>

#include "compiler/sql/change.h"
#include "compiler/sql/function_text.h"
#include "compiler/sql/query.h"
#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

namespace {

constexpr const char* kNoLimit = "9223372036854775807";
constexpr int kSmallDelta = 200;  // pending rows up to which a refresh is small: one plan for all, made for few rows

class RefreshWriter {
 public:
  RefreshWriter(const CompileRequest& request, const std::vector<CapturedSource>& sources, const SourceNumbers& numbers,
                Planning planning)
      : request_(request),
        sources_(in_order(sources, numbers)),
        numbers_(numbers),
        planning_(planning),
        id_(std::to_string(request.id)),
        apply_(function_name("apply", request.id)) {}

  /// What is pending for a frontier, and what the program knows of the world.
  [[nodiscard]] std::string look() const {
    std::vector<std::string> counts;
    std::vector<std::string> marked;
    Select looks;
    for (const auto& s : sources_) {
      counts.push_back(alias(s) + ".n");
      marked.push_back("CASE WHEN " + alias(s) + ".marked THEN " + std::to_string(s.log_id) + " END");
      looks.from(pending_rows(s, "v"), alias(s));
    }
    looks.item("ARRAY[" + join(counts, ", ") + "]::bigint[]")
        .item("array_remove(ARRAY[" + join(marked, ", ") + "]::bigint[], NULL)")
        .items({not_null(), row_security(), watched()})
        .items({std::to_string(kSmallDelta), boolean(planning_.sized), boolean(planning_.nested_loops),
                boolean(request_.user_keys)})
        .into({"pending", "marked", "not_null", "row_security", "watched", "small", "sized", "nested_loops", "moves"});
    const std::string body =
        "\n#variable_conflict use_column\n<<v>>\nDECLARE\n"
        "  f_xmin CONSTANT xid8 := pg_snapshot_xmin($1);\n"
        "  f_xmax CONSTANT xid8 := pg_snapshot_xmax($1);\n"
        "  f_snapshot ALIAS FOR $1;\n"
        "  f_xid ALIAS FOR $2;\n"
        "  f_seq ALIAS FOR $3;\n"
        "BEGIN\n" +
        statement(looks.sql(), 1) + "END\n";
    return "CREATE OR REPLACE FUNCTION " + function_name("look", request_.id) +
           "(f_snapshot pg_snapshot, f_xid xid8, f_seq bigint,\n  OUT pending bigint[], OUT marked bigint[], OUT "
           "not_null boolean, OUT row_security boolean, OUT watched boolean,\n  OUT small bigint, OUT sized boolean, OUT "
           "nested_loops boolean, OUT moves boolean)\nLANGUAGE plpgsql\nSET search_path = "
           "pg_catalog, pg_temp\nAS " +
           dollar_quoted(body);
  }

  [[nodiscard]] std::string function() const {
    std::string body = "\n#variable_conflict use_column\n<<v>>\n";
    if (!sources_.empty()) body += declarations();
    body += "BEGIN\n" + not_at_commit();
    if (!sources_.empty()) body += usual_case();
    body +=
        "  SELECT p.action, p.delta_rows, p.rows_inserted, p.rows_updated, p.rows_deleted\n"
        "  INTO action, delta_rows, rows_inserted, rows_updated, rows_deleted\n"
        "  FROM pgtrickle._refresh_program(" +
        id_ + ", $1) p;\nEND\n";
    return "CREATE OR REPLACE FUNCTION " + function_name("refresh", request_.id) +
           "(mode text DEFAULT 'auto', OUT action text, OUT delta_rows bigint,\n  OUT rows_inserted bigint, OUT "
           "rows_updated bigint, OUT rows_deleted bigint)\nLANGUAGE plpgsql SECURITY DEFINER\nSET search_path = "
           "pg_catalog, pg_temp\nSET plan_cache_mode = force_generic_plan\nSET max_parallel_workers_per_gather = 0\n"
           "SET jit = off\n" +
           (planning_.nested_loops ? "SET enable_hashjoin = off\nSET enable_mergejoin = off\n" : "") + "AS " +
           dollar_quoted(body);
  }

 private:
  static std::string boolean(bool value) { return value ? "true" : "false"; }

  /// What an owner has left for the end of a transaction (deferred triggers, cursors WITH HOLD, statements in place of
  /// ours) runs as the role that logged in, and the role of the worker sessions may call every refresh_<id>.
  static std::string not_at_commit() {
    return "  IF NOT pg_has_role(session_user, current_user, 'USAGE') AND current_query() ~* 'commit|prepare' THEN\n"
           "    RAISE EXCEPTION 'a refresh is not for what runs at COMMIT' USING ERRCODE = "
           "'insufficient_privilege';\n"
           "  END IF;\n";
  }

  static std::vector<CapturedSource> in_order(std::vector<CapturedSource> sources, const SourceNumbers& numbers) {
    std::sort(sources.begin(), sources.end(), [&](const auto& a, const auto& b) {
      return numbers.number(a.source->relid) < numbers.number(b.source->relid);
    });
    return sources;
  }

  [[nodiscard]] std::string alias(const CapturedSource& s) const {
    return "p" + std::to_string(numbers_.number(s.source->relid));
  }

  /// The number of pending rows of a source, and whether a marker is among them.
  static Select pending_rows(const CapturedSource& s, const std::string& frontier) {
    return Select()
        .item("count(*)", "n")
        .item("coalesce(bool_or(l.w = 0), false)", "marked")
        .from("pgtrickle_changes.log_" + std::to_string(s.log_id), "l")
        .where(pending("l", frontier));
  }

  /// A statement of the function, so many blocks deep.
  static std::string statement(const std::string& sql, int depth) {
    return std::string(static_cast<std::size_t>(depth) * 2, ' ') + indent(sql, depth * 2) + ";\n";
  }

  [[nodiscard]] std::string count_of(const CapturedSource& s) const {
    return "v.n" + std::to_string(numbers_.number(s.source->relid));
  }

  [[nodiscard]] std::string declarations() const {
    std::string text =
        "DECLARE\n"
        "  run bigint;\n"
        "  f_snapshot pg_snapshot;\n"
        "  f_xid xid8;\n"
        "  f_seq bigint;\n"
        "  usual boolean;     -- nothing that has changed\n"
        "  most bigint;       -- pending rows that are applied as the usual case; -1: none\n"
        "  marked boolean;\n"
        "  changed bigint := 0;  -- bit per source with pending rows\n"
        "  done record;\n"
        "  planning record;\n"
        "  path text;\n";
    for (const auto& s : sources_) text += "  " + count_of(s).substr(2) + " bigint;\n";
    return text;
  }

  [[nodiscard]] std::string usual_case() const {
    return "  IF $1 = 'auto' AND current_setting('transaction_isolation') = 'repeatable read'" + may_read() +
           " THEN\n" + peek() + nothing_to_do() + move_frontier() + "      IF FOUND THEN\n" + apply_and_return() +
           "      END IF;\n    END IF;\n  END IF;\n"
           "  -- Everything else\n";
  }

  /// One statement, no lock: the frontier, whether anything is unusual, and what is pending.
  [[nodiscard]] std::string peek() const {
    std::vector<std::string> usual{"f.snapshot IS NOT NULL", not_exists(Select().from("pg_subscription_rel", {}))};
    // Where event triggers watch, one writes to pgt_refresh_limits that row security was enabled.
    if (request_.event_triggers.empty()) usual.push_back("NOT " + row_security());
    for (auto& same : same_partitions()) usual.push_back(std::move(same));
    const Query most =
        Select({"min(x.usual_rows)"}).from("pgtrickle.pgt_refresh_limits", "x").where("x.pgt_id IN (0, " + id_ + ")");
    Select frontier;
    frontier.item("f.snapshot", "f_snapshot")
        .item("pg_snapshot_xmin(f.snapshot)", "f_xmin")
        .item("pg_snapshot_xmax(f.snapshot)", "f_xmax")
        .item("f.xid", "f_xid")
        .item("f.seq", "f_seq")
        .item(join(usual, "\nAND "), "usual")
        .item("coalesce(least(" + most.in_parentheses() + ", f.full_threshold / 5 * 4), " + kNoLimit + ")", "most")
        .from("pgtrickle.pgt_frontiers", "f")
        .where("f.pgt_id = " + id_)
        .offset("0");  // computed once, not for each row of a log
    Select look({"b.f_snapshot", "b.f_xid", "b.f_seq", "b.usual", "b.most"});
    std::vector<std::string> marked;
    std::vector<std::string> into{"v.f_snapshot", "v.f_xid", "v.f_seq", "v.usual", "v.most"};
    look.from(frontier, "b");
    for (const auto& s : sources_) {
      marked.push_back(alias(s) + ".marked");
      look.item(alias(s) + ".n").cross_join_lateral(pending_rows(s, "b"), alias(s));
      into.push_back(count_of(s));
    }
    look.item(join(marked, " OR "));
    into.emplace_back("v.marked");
    return statement(look.into(into).sql(), 2);
  }

  /// Without the lock, TRUNCATE has to be thought of, which empties a log for this snapshot too: after it was taken,
  /// somebody else could have refreshed and the log been cleared. See _rotate_log() in sql/43_change_log.sql.
  [[nodiscard]] std::string nothing_to_do() const {
    std::vector<std::string> counts;
    for (const auto& s : sources_) counts.push_back(count_of(s));
    return "    delta_rows := " + join(counts, " + ") +
           ";\n    rows_inserted := 0; rows_updated := 0; rows_deleted := 0;\n"
           "    IF v.usual AND NOT v.marked AND delta_rows = 0 AND v.most >= 0 AND "
           "pg_visible_in_snapshot(\n"
           "      pg_sequence_last_value('pgtrickle_changes.last_clearing')::text::xid8, pg_current_snapshot()) THEN\n"
           "      action := 'NO_DATA';\n      RETURN;\n"
           "    ELSIF v.usual AND NOT v.marked AND delta_rows BETWEEN 1 AND v.most THEN\n";
  }

  /// Before anything is applied, because it is the lock too: who has moved the frontier refreshes this stream table,
  /// and 40001 is the answer to everybody else. In the same statement: what the program relies on has been watched by
  /// event triggers since it was made. They would have marked the stream table in the transaction that changed it.
  [[nodiscard]] std::string move_frontier() const {
    Update frontier("pgtrickle.pgt_frontiers", "p");
    frontier.set("snapshot", "pg_current_snapshot()")
        .set("xid", "pg_current_xact_id()")
        .set("seq", "v.run")
        .set("data_timestamp", "now()")
        .set("last_action", "'DIFFERENTIAL'")
        .set("last_delta_rows", "delta_rows")
        .where("p.pgt_id = " + id_)
        .where("p.facts_from IS NULL")
        .where(watched());
    return "      -- Nothing could write since the look. Rows that this transaction writes from here on come later.\n"
           "      v.run := nextval('pgtrickle_changes.log_seq');\n" +
           statement(frontier.sql(), 3);
  }

  [[nodiscard]] std::string apply_and_return() const {
    std::string sql;
    for (const auto& s : sources_)
      sql += "        IF " + count_of(s) + " > 0 THEN v.changed := v.changed | " +
             std::to_string(numbers_.bit(s.source->relid)) + "; END IF;\n";
    return sql + apply() +
           "        -- A function of the query may have changed the path, for good.\n"
           "        v.path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);\n"
           "        action := 'DIFFERENTIAL';\n"
           "        rows_inserted := v.done.rows_inserted;\n"
           "        rows_updated := v.done.rows_updated;\n"
           "        rows_deleted := v.done.rows_deleted;\n"
           "        RETURN;\n";
  }

  /// Few rows: the plan that is made for few. More: with the planner's own ways to join, and if it is told sizes, with
  /// the plans of their class.
  [[nodiscard]] std::string apply() const {
    const std::string arguments = "('differential', v.f_snapshot, v.f_xid, v.f_seq, v.changed, v.run, ";
    const std::vector<std::string> small(sources_.size(), std::to_string(kSmallDelta));
    std::string sql = "        IF delta_rows <= " + std::to_string(kSmallDelta) +
                      " THEN\n          v.done := " + apply_ + arguments +
                      (planning_.sized ? quote_literal("{" + join(small, ",") + "}") : "NULL") +
                      ", NULL, NULL::boolean);\n        ELSE\n";
    if (planning_.nested_loops)
      sql +=
          "          v.path := pg_catalog.set_config('enable_hashjoin', 'on', true);\n"
          "          v.path := pg_catalog.set_config('enable_mergejoin', 'on', true);\n";
    if (planning_.sized) {
      std::vector<std::string> pending;
      for (const auto& s : sources_) pending.push_back(count_of(s));
      sql += "          v.planning := pgtrickle._planning(" + id_ + ", ARRAY[" + join(pending, ", ") + "], " +
             std::to_string(kSmallDelta) + ", true, " + boolean(planning_.nested_loops) +
             ");\n          EXECUTE format('SELECT a.* FROM " + apply_ +
             "(''differential'', $1, $2, $3, $4, $5, $6, NULL, NULL::%s) AS a', v.planning.plans)\n"
             "          INTO v.done USING v.f_snapshot, v.f_xid, v.f_seq, v.changed, v.run, v.planning.sizes;\n";
    } else {
      sql += "          v.done := " + apply_ + arguments + "NULL, NULL, NULL::text);\n";
    }
    return sql + "        END IF;\n";
  }

  /// Before anything is read: the right to read a log goes with that to read its source, and the procedure says which
  /// one is missing.
  [[nodiscard]] std::string may_read() const {
    std::string sql;
    for (const auto& s : sources_)
      sql += "\n     AND " + readable(s) + "\n     AND has_column_privilege(to_regclass('pgtrickle_changes.log_" +
             std::to_string(s.log_id) + "'), 'w', 'SELECT')";
    return sql;
  }

  [[nodiscard]] static std::string readable(const CapturedSource& s) {
    const std::string rel = std::to_string(s.source->relid) + "::oid";
    const std::string table = "has_table_privilege(" + rel + ", 'SELECT')";
    std::vector<std::string> columns;
    for (const auto attnum : s.columns)
      columns.push_back("has_column_privilege(" + rel + ", " + std::to_string(attnum) + "::int2, 'SELECT')");
    return columns.empty() ? table : "(" + table + " OR " + join(columns, " AND ") + ")";
  }

  /// NOT NULL, which keys, plain "=" and NOT IN rely on.
  [[nodiscard]] std::string not_null() const {
    std::vector<std::string> counts;
    std::size_t expected = 0;
    for (const auto& s : sources_) {
      const auto columns = not_null_columns(s);
      if (columns.empty()) continue;
      expected += columns.size();
      counts.push_back("(SELECT count(*) FROM pg_attribute a WHERE a.attrelid = " + std::to_string(s.source->relid) +
                       " AND a.attnum = ANY ('{" + join(columns, ",") + "}') AND a.attnotnull" + validated() + ")");
    }
    return counts.empty() ? "true" : join(counts, "\n + ") + " = " + std::to_string(expected);
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
    return "\n  AND NOT EXISTS (SELECT FROM pg_constraint n WHERE n.conrelid = a.attrelid AND n.contype = "
           "'n'\n    AND NOT n.convalidated AND n.conkey = ARRAY[a.attnum])";
  }

  /// What event triggers cannot tell, because roles change without events: whether row security concerns any source.
  [[nodiscard]] std::string row_security() const {
    if (sources_.empty()) return "false";
    std::vector<std::string> relids;
    for (const auto& s : sources_) relids.push_back(std::to_string(s.source->relid));
    return "EXISTS (SELECT FROM pg_class c WHERE c.oid = ANY ('{" + join(relids, ",") + "}') AND c.relrowsecurity)";
  }

  /// Whether the event triggers are the ones that watched when the program was made. One that was disabled for a while
  /// has another xmin.
  [[nodiscard]] std::string watched() const {
    if (request_.event_triggers.empty()) return "false";
    std::vector<std::string> oids;
    std::vector<std::string> xmins;
    for (const auto& [oid, xmin] : request_.event_triggers) {
      oids.push_back(std::to_string(oid));
      xmins.push_back(xmin);
    }
    return "(SELECT count(*) FROM pg_event_trigger e WHERE e.oid = ANY ('{" + join(oids, ",") +
           "}')\n  AND e.xmin = ANY ('{" + join(xmins, ",") +
           "}') AND e.evtenabled = 'A') = " + std::to_string(oids.size());
  }

  /// Partitions and children come and go.
  [[nodiscard]] std::vector<std::string> same_partitions() const {
    std::vector<std::string> same;
    for (const auto& s : sources_) {
      if (!s.source->has_inheritance_children && s.source->kind != SourceKind::kPartitionedTable) continue;
      same.push_back(
          "(SELECT x.partitions FROM pgtrickle.pgt_sources x WHERE x.source_id = " + std::to_string(s.log_id) +
          ") = pgtrickle._source_relations(" + std::to_string(s.source->relid) + ")");
    }
    return same;
  }

  const CompileRequest& request_;
  std::vector<CapturedSource> sources_;
  const SourceNumbers& numbers_;
  Planning planning_;
  std::string id_;
  std::string apply_;
};

/// A function of the owner's that others may call, or nobody else.
void add_function(Program& program, const std::string& text, const std::string& signature,
                  const std::vector<std::string>& callers) {
  program.owner_ddl.push_back(text);
  program.owner_ddl.push_back("REVOKE ALL ON FUNCTION " + signature + " FROM PUBLIC");
  for (const auto& role : callers)
    if (!role.empty())
      program.owner_ddl.push_back("GRANT EXECUTE ON FUNCTION " + signature + " TO " + quote_ident(role));
}

}  // namespace

void add_refresh(const CompileRequest& request, Program& program, const std::vector<CapturedSource>& sources,
                 const SourceNumbers& numbers, Planning planning) {
  for (const auto& s : sources) {
    std::vector<std::string> columns{"xid", "seq", "w"};
    for (const auto attnum : s.columns) columns.push_back("c" + std::to_string(attnum));
    program.admin_ddl.push_back("GRANT SELECT (" + join(columns, ", ") + ") ON pgtrickle_changes.log_" +
                                std::to_string(s.log_id) + " TO " + quote_ident(request.owner));
  }
  const RefreshWriter writer(request, sources, numbers, planning);
  add_function(program, writer.look(), function_name("look", request.id) + "(pg_snapshot, xid8, bigint)", {});
  add_function(program, writer.function(), function_name("refresh", request.id) + "(text)",
               {request.admin, request.worker_role});
}

}  // namespace pgtrickle::compiler
