#include "compiler/program/refresh_writer.h"

#include <algorithm>
#include <utility>

#include "compiler/operators/temporal_filter.h"
#include "compiler/sql/change.h"
#include "compiler/sql/function_text.h"
#include "compiler/sql/query.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/template.h"

namespace pgtrickle::compiler {

namespace {

constexpr const char* kNoLimit = "9223372036854775807";

constexpr const char* kJoinsOfMany =
    "v.path := pg_catalog.set_config('enable_hashjoin', 'on', true);\n"
    "v.path := pg_catalog.set_config('enable_mergejoin', 'on', true);";

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
    if (follows_time()) counts.push_back(crossing());
    looks.item("ARRAY[" + join(counts, ", ") + "]::bigint[]")
        .item("array_remove(ARRAY[" + join(marked, ", ") + "]::bigint[], NULL)")
        .items({not_null(), row_security(), watched()})
        .items({std::to_string(kFewRows), boolean(planning_.sized), boolean(planning_.nested_loops),
                boolean(request_.user_keys)})
        .into({"pending", "marked", "not_null", "row_security", "watched", "small", "sized", "nested_loops", "moves"});
    constexpr const char* kHead = R"sql(
        CREATE OR REPLACE FUNCTION pgtrickle_state.look_${id}(f_snapshot pg_snapshot, f_xid xid8, f_seq bigint,
          OUT pending bigint[], OUT marked bigint[], OUT not_null boolean, OUT row_security boolean,
          OUT watched boolean, OUT small bigint, OUT sized boolean, OUT nested_loops boolean, OUT moves boolean)
        LANGUAGE plpgsql
        SET search_path = pg_catalog, pg_temp
    )sql";
    const std::string head = fill(kHead, {{"id", id_}});
    constexpr const char* kBody = R"sql(
        #variable_conflict use_column
        <<v>>
        DECLARE
          f_xmin CONSTANT xid8 := pg_snapshot_xmin($1);
          f_xmax CONSTANT xid8 := pg_snapshot_xmax($1);
          f_snapshot ALIAS FOR $1;
          f_xid ALIAS FOR $2;
          f_seq ALIAS FOR $3;
        BEGIN
          ${look};
        END
    )sql";
    const std::string body = fill(kBody, {{"look", looks.sql()}});
    return plpgsql_function(head, body);
  }

  [[nodiscard]] std::string function() const {
    constexpr const char* kHead = R"sql(
        CREATE OR REPLACE FUNCTION pgtrickle_state.refresh_${id}(mode text DEFAULT 'auto', OUT action text,
          OUT delta_rows bigint, OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint)
        LANGUAGE plpgsql SECURITY DEFINER
        SET search_path = pg_catalog, pg_temp
        ${of_one_plan}
        ${of_few_rows}
    )sql";
    const std::string head = fill(
        kHead, {{"id", id_}, {"of_one_plan", kOnePlan}, {"of_few_rows", planning_.nested_loops ? kNestedLoops : ""}});
    // What an owner has left for the end of a transaction (deferred triggers, cursors WITH HOLD, statements in place of
    // ours) runs as the role that logged in, and the role of the worker sessions may call every refresh_<id>.
    constexpr const char* kBody = R"sql(
        #variable_conflict use_column
        <<v>>
        ${declarations}
        BEGIN
          IF NOT pg_has_role(session_user, current_user, 'USAGE') AND current_query() ~* 'commit|prepare' THEN
            RAISE EXCEPTION 'a refresh is not for what runs at COMMIT' USING ERRCODE = 'insufficient_privilege';
          END IF;
          ${usual_case}
          SELECT p.action, p.delta_rows, p.rows_inserted, p.rows_updated, p.rows_deleted
          INTO action, delta_rows, rows_inserted, rows_updated, rows_deleted
          FROM pgtrickle._refresh_program(${id}, $1) p;
        END
    )sql";
    const std::string body = fill(kBody, {{"id", id_},
                                          {"declarations", sources_.empty() ? "" : declarations()},
                                          {"usual_case", sources_.empty() ? "" : usual_case()}});
    return plpgsql_function(head, body);
  }

 private:
  static std::string boolean(bool value) { return value ? "true" : "false"; }

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

  [[nodiscard]] std::string count_of(const CapturedSource& s) const {
    return "v.n" + std::to_string(numbers_.number(s.source->relid));
  }

  [[nodiscard]] bool follows_time() const { return numbers_.count() > sources_.size(); }
  [[nodiscard]] std::string crossing() const { return function_name("crossing", request_.id) + "()"; }
  [[nodiscard]] std::string crossing_rows() const { return "v.n" + std::to_string(numbers_.number(kTime)); }

  [[nodiscard]] std::string declarations() const {
    std::vector<std::string> counts;
    for (const auto& s : sources_) counts.push_back(count_of(s).substr(2) + " bigint;");
    if (follows_time()) counts.push_back(crossing_rows().substr(2) + " bigint;");
    constexpr const char* kText = R"sql(
        DECLARE
          run bigint;
          f_snapshot pg_snapshot;
          f_xid xid8;
          f_seq bigint;
          usual boolean;     -- nothing that has changed
          most bigint;       -- pending rows that are applied as the usual case; -1: none
          marked boolean;
          changed bigint := 0;  -- bit per source with pending rows
          done record;
          planning record;
          path text;
          ${counts}
    )sql";
    return fill(kText, {{"counts", join(counts, "\n")}});
  }

  /// Without the lock, TRUNCATE has to be thought of, which empties a log for this snapshot too: after it was taken,
  /// somebody else could have refreshed and the log been cleared. See _rotate_log() in sql/43_change_log.sql.
  [[nodiscard]] std::string usual_case() const {
    std::vector<std::string> counts;
    std::vector<std::string> set_changed;
    for (const auto& s : sources_) {
      counts.push_back(count_of(s));
      set_changed.push_back("IF " + count_of(s) + " > 0 THEN v.changed := v.changed | " +
                            std::to_string(numbers_.bit(s.source->relid)) + "; END IF;");
    }
    if (follows_time()) counts.push_back(crossing_rows());
    constexpr const char* kText = R"sql(
        IF $1 = 'auto' AND current_setting('transaction_isolation') = 'repeatable read'
           ${may_read} THEN
          ${look};
          delta_rows := ${pending};
          rows_inserted := 0; rows_updated := 0; rows_deleted := 0;
          IF v.usual AND NOT v.marked AND delta_rows = 0 AND v.most >= 0 AND pg_visible_in_snapshot(
            pg_sequence_last_value('pgtrickle_changes.last_clearing')::text::xid8, pg_current_snapshot()) THEN
            action := 'NO_DATA';
            ${note_time}
            RETURN;
          ${apply_the_usual}
          END IF;
        END IF;
        -- Everything else
    )sql";
    // What follows the time needs the frontier that is moved here: it is the procedure that applies.
    return fill(kText, {{"may_read", may_read()},
                        {"look", look_for_the_usual()},
                        {"pending", join(counts, " + ")},
                        {"note_time", follows_time() ? note_time() : ""},
                        {"apply_the_usual", follows_time() ? "" : apply_the_usual(set_changed)}});
  }

  /// No row has crossed, so the table is right for this time, too. Otherwise each look would read all rows that have
  /// come near since the last one that crossed, only to find that another condition keeps them out. And the daemon
  /// would not know when the next one comes near.
  [[nodiscard]] std::string note_time() const {
    Update frontier("pgtrickle.pgt_frontiers", "p");
    frontier.set("clock", "pgtrickle._now()")
        .set("data_timestamp", "now()")
        .set("next_crossing", "pgtrickle._time_of_next_crossing(" + id_ + ")")
        .where("p.pgt_id = " + id_)
        .where(
            "(p.clock < pgtrickle._now() - interval '1 minute' OR p.next_crossing <= pgtrickle._now() "
            "AND p.next_crossing > p.clock)");
    return frontier.sql() + ";";
  }

  [[nodiscard]] std::string apply_the_usual(const std::vector<std::string>& set_changed) const {
    constexpr const char* kText = R"sql(
        ELSIF v.usual AND NOT v.marked AND delta_rows BETWEEN 1 AND v.most THEN
          -- Nothing could write since the look. Rows that this transaction writes from here on come later.
          v.run := nextval('pgtrickle_changes.log_seq');
          ${move_frontier};
          IF FOUND THEN
            ${set_changed}
            ${apply}
            -- A function of the query may have changed the path, for good.
            v.path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
            action := 'DIFFERENTIAL';
            rows_inserted := v.done.rows_inserted;
            rows_updated := v.done.rows_updated;
            rows_deleted := v.done.rows_deleted;
            RETURN;
          END IF;
    )sql";
    return fill(kText,
                {{"move_frontier", move_frontier()}, {"set_changed", join(set_changed, "\n")}, {"apply", apply()}});
  }

  /// One statement, no lock: the frontier, whether anything is unusual, and what is pending.
  [[nodiscard]] std::string look_for_the_usual() const {
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
    if (follows_time()) {
      look.item(crossing());
      into.push_back(crossing_rows());
    }
    return look.into(into).sql();
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
    return frontier.sql();
  }

  /// Few rows: the plan that is made for few. More: with the planner's own ways to join, and if it is told sizes, with
  /// the plans of their class.
  [[nodiscard]] std::string apply() const {
    const std::vector<std::string> few(sources_.size(), std::to_string(kFewRows));
    constexpr const char* kText = R"sql(
        IF delta_rows <= ${few} THEN
          v.done := ${apply}('differential', v.f_snapshot, v.f_xid, v.f_seq, v.changed, v.run, ${few_of_each},
                             NULL, NULL::boolean);
        ELSE
          ${joins_of_many}
          ${apply_many}
        END IF;
    )sql";
    return fill(kText, {{"few", std::to_string(kFewRows)},
                        {"apply", apply_},
                        {"few_of_each", planning_.sized ? quote_literal("{" + join(few, ",") + "}") : "NULL"},
                        {"joins_of_many", planning_.nested_loops ? kJoinsOfMany : ""},
                        {"apply_many", planning_.sized ? apply_sized() : apply_unsized()}});
  }

  [[nodiscard]] std::string apply_unsized() const {
    constexpr const char* kText = R"sql(
        v.done := ${apply}('differential', v.f_snapshot, v.f_xid, v.f_seq, v.changed, v.run, NULL,
                           NULL, NULL::text);
    )sql";
    return fill(kText, {{"apply", apply_}});
  }

  [[nodiscard]] std::string apply_sized() const {
    std::vector<std::string> pending;
    for (const auto& s : sources_) pending.push_back(count_of(s));
    constexpr const char* kText = R"sql(
        v.planning := pgtrickle._planning(${id}, ARRAY[${pending}], ${few}, true, ${nested_loops});
        EXECUTE format('SELECT a.* FROM ${apply}(''differential'', $1, $2, $3, $4, $5, $6, NULL, NULL::%s) AS a',
                       v.planning.plans)
        INTO v.done USING v.f_snapshot, v.f_xid, v.f_seq, v.changed, v.run, v.planning.sizes;
    )sql";
    return fill(kText, {{"id", id_},
                        {"pending", join(pending, ", ")},
                        {"few", std::to_string(kFewRows)},
                        {"nested_loops", boolean(planning_.nested_loops)},
                        {"apply", apply_}});
  }

  /// Before anything is read: the right to read a log goes with that to read its source, and the procedure says which
  /// one is missing.
  [[nodiscard]] std::string may_read() const {
    std::vector<std::string> rights;
    for (const auto& s : sources_)
      rights.push_back("AND " + readable(s) + "\nAND has_column_privilege(to_regclass('pgtrickle_changes.log_" +
                       std::to_string(s.log_id) + "'), 'w', 'SELECT')");
    return join(rights, "\n");
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
