#include "compiler/generate/program_writer.h"

#include <algorithm>

#include "compiler/generate/rows.h"
#include "compiler/generate/sql_text.h"
#include "compiler/generate/target.h"
#include "compiler/operators/filter.h"

namespace pgtrickle::compiler {

namespace {

constexpr int kDeltaBytes = 262144;  // size from which old rows are cleared out of a delta table
constexpr int kRowsPerPlan = 200;    // pending rows, per source of a program with joins, that are worth planning for
constexpr int kSmallDelta = 200;     // pending rows up to which hash and merge joins are ruled out

/// A dollar quote whose tag does not occur in the body.
std::string dollar_quoted(const std::string& body) {
  std::string tag = "$pgt$";
  for (int n = 1; body.find(tag) != std::string::npos; ++n) tag = "$pgt" + std::to_string(n) + "$";
  return tag + body + tag;
}

std::string function_name(const char* kind, std::int64_t id) {
  return std::string("pgtrickle_state.") + kind + "_" + std::to_string(id);
}

constexpr const char* kApplyArguments =
    "mode text, f_snapshot pg_snapshot, f_xid xid8, f_seq bigint, changed bigint, run bigint, pending bigint[]";
constexpr const char* kApplyTypes = "text, pg_snapshot, xid8, bigint, bigint, bigint, bigint[]";

/// SELECT ... INTO with the CTEs in front.
std::string run_into(const Statement& statement, const std::string& select, const std::string& into) {
  return statement.with_clause() + select + "\nINTO " + into + ";\n";
}

std::string check_violations(const CompileRequest& request, const std::string& what) {
  const std::string name = qualified(request.schema, request.name);
  return "IF v.violations <> 0 THEN\n"
         "    RAISE EXCEPTION USING ERRCODE = 'data_corrupted',\n"
         "        MESSAGE = " +
         quote_literal("stream table " + name + " does not agree with its " + what) +
         ",\n"
         "        DETAIL = format('%s rows are missing or superfluous.', v.violations),\n"
         "        HINT = 'It is re-initialised by the daemon. Was it changed while its guard trigger was disabled?';\n"
         "END IF;\n";
}

constexpr const char* kResultInto = "rows_inserted, rows_updated, rows_deleted, v.violations";

class DifferentialWriter {
 public:
  DifferentialWriter(const CompileRequest& request, const CutPlan& plan, const SourceNumbers& numbers)
      : request_(request), plan_(plan), numbers_(numbers), target_(make_target(request, plan)) {}

  [[nodiscard]] const Target& target() const { return target_; }

  [[nodiscard]] std::string full_body() const {
    std::string body;
    for (const auto& node : plan_.inner)
      for (const auto& statement : node->rebuild()) body += statement + ";\n\n";
    std::string content = plan_.root_state != nullptr ? std::string() : plan_.root->post();
    if (plan_.root_state != nullptr) {
      for (const auto& statement : plan_.root_state->rebuild()) body += statement + ";\n\n";
      content = chained(plan_.root_state->from_state());
    }
    Statement statement(numbers_);
    const std::string select = target_.replace(statement, content);
    return body + run_into(statement, select, kResultInto) + check_violations(request_, "key");
  }

  [[nodiscard]] std::string differential_body(bool sized) const {
    std::string body;
    for (const auto& node : plan_.inner) body += clear_old_runs(*node);
    for (const auto& node : plan_.inner) body += inner_node(*node, sized);
    return body + "-- the stream table\n" + root(sized);
  }

 private:
  static Target make_target(const CompileRequest& request, const CutPlan& plan) {
    const auto& root = *plan.root;
    std::vector<std::string> names;
    for (const auto& col : root.columns()) names.push_back(col.name);
    Key key;
    const auto keys = root.keys();
    // The shortest key makes the smallest index.
    if (!keys.empty())
      key = *std::min_element(keys.begin(), keys.end(), [](const Key& a, const Key& b) { return a.size() < b.size(); });
    std::vector<bool> not_null;
    for (const int position : key) not_null.push_back(root.columns().at(static_cast<std::size_t>(position)).not_null);
    return {request, names, std::move(key), std::move(not_null)};
  }

  /// The root's row-wise operators over a relation with the columns of root_state.
  [[nodiscard]] std::string chained(std::string from, const std::vector<std::string>& carried = {}) const {
    for (const auto* op : plan_.chain) from = op->over(from, carried);
    return from;
  }

  /// One side of the changes as a relation with the operator's column names.
  static std::string side(const StatefulOperator& node, const Changes& changes, bool after,
                          const std::string& extra = {}) {
    std::vector<std::string> select;
    const auto& columns = after ? changes.new_columns : changes.old_columns;
    for (std::size_t i = 0; i < columns.size(); ++i)
      select.push_back("c." + columns[i] + " AS " + quote_ident(node.columns()[i].name));
    return "(SELECT " + join(select, ", ") + " FROM " + changes.from + " c WHERE c." +
           (after ? changes.now : changes.was) + extra + ")";
  }

  /// What earlier refreshes wrote to the delta table would be read by every one. TRUNCATE invalidates cached plans, so
  /// not each time. Nobody else uses the table, but pg_dump locks all there are, for as long as it runs.
  [[nodiscard]] static std::string clear_old_runs(const StatefulOperator& node) {
    const std::string table = node.delta_table();
    return "IF pg_relation_size(" + quote_literal(table) + "::regclass) > " + std::to_string(kDeltaBytes) +
           " THEN\n    BEGIN\n        LOCK TABLE " + table + " IN ACCESS EXCLUSIVE MODE NOWAIT;\n        TRUNCATE " +
           table + ";\n    EXCEPTION WHEN lock_not_available THEN\n        NULL;\n    END;\nEND IF;\n";
  }

  [[nodiscard]] std::string inner_node(const StatefulOperator& node, bool sized) const {
    Statement statement(numbers_, sized);
    const Changes changes = node.differential(statement);
    const auto names = node.column_names();  // possibly none: a count(*) above needs only the number of rows
    std::string into = "run, w";
    std::string columns;
    for (const auto& name : names) {
      into += ", " + name;
      columns += ", x." + name;
    }
    const std::string insert = "INSERT INTO " + node.delta_table() + " (" + into + ")\n";
    if (changes.zset) {
      statement.with("emitted", insert + "SELECT v.run, x.w" + columns + " FROM " + changes.from + " x", false);
    } else {
      statement.with("emitted", insert + emitted_sides(node, changes, columns), false);
    }
    return "-- node " + std::to_string(node.node_number()) + ": " + one_line(node.describe()) + "\n" + "IF " +
           gate(node.source_mask()) + " THEN\n" + run_into(statement, "SELECT " + changes.violation, "v.violations") +
           check_violations(request_, "state") + "END IF;\n\n";
  }

  /// Both sides of the rows that differ, as SELECT of run, weight and columns.
  [[nodiscard]] static std::string emitted_sides(const StatefulOperator& node, const Changes& changes,
                                                 const std::string& columns) {
    const std::string differs = " AND (c." + changes.was + " <> c." + changes.now + " OR " +
                                row_differs(prefixed(changes.old_columns, "c."), prefixed(changes.new_columns, "c.")) +
                                ")";
    return "SELECT v.run, -1" + columns + " FROM " + side(node, changes, false, differs) +
           " x\nUNION ALL\nSELECT v.run, 1" + columns + " FROM " + side(node, changes, true, differs) + " x";
  }

  [[nodiscard]] std::string root(bool sized) const {
    Statement statement(numbers_, sized);
    std::string select;
    if (plan_.root_state == nullptr) {
      select = target_.apply_delta(statement, plan_.root->delta(statement, true));
    } else {
      const auto& node = *plan_.root_state;
      const Changes changes = node.differential(statement);
      if (changes.zset) {
        select = target_.apply_delta(statement, {chained(changes.from, {"w"}), plan_.chain.empty()});
        const std::string as = " AS violations";
        select.insert(select.rfind(as), " + " + changes.violation);
        return run_into(statement, select, kResultInto) + check_violations(request_, "state");
      }
      const std::string after = chained(side(node, changes, true));
      if (target_.keyed()) {
        select = target_.apply_rows(statement, after, no_longer_visible(node, changes), key_columns(node),
                                    changes.violation);
      } else {
        const std::string columns = join(plan_.root->column_names("x."), ", ");
        const std::string both = "(SELECT " + columns + ", -1 AS w FROM " + chained(side(node, changes, false)) +
                                 " x\nUNION ALL\nSELECT " + columns + ", 1 AS w FROM " + after + " x)";
        select = target_.apply_delta(statement, {both, false});
        const std::string as = " AS violations";
        select.insert(select.rfind(as), " + " + changes.violation);
      }
    }
    return run_into(statement, select, kResultInto) + check_violations(request_, "state");
  }

  /// Touched rows that were there and are not in the stream table any more: gone, or hidden by the filters of the
  /// chain. Most have been pushed below its projections, but none below what is shared.
  [[nodiscard]] std::string no_longer_visible(const StatefulOperator& node, const Changes& changes) const {
    std::vector<std::string> visible{"i." + changes.now};
    for (auto op = plan_.chain.begin(); op != plan_.chain.end(); ++op) {
      const auto* filter = dynamic_cast<const Filter*>(*op);
      if (filter == nullptr) continue;
      for (Node predicate : filter->predicates()) {
        for (auto at = op; at != plan_.chain.begin();) predicate = (*--at)->below(predicate);
        visible.push_back("(" + render(predicate, "i", node) + ")");
      }
    }
    std::vector<std::string> select;
    for (std::size_t i = 0; i < changes.new_columns.size(); ++i)
      select.push_back("c." + changes.new_columns[i] + " AS " + quote_ident(node.columns()[i].name));
    select.push_back("c." + changes.was);
    select.push_back("c." + changes.now);
    return "(SELECT i.* FROM (SELECT " + join(select, ", ") + " FROM " + changes.from + " c) i\nWHERE i." +
           changes.was + " AND (" + join(visible, " AND ") + ") IS NOT TRUE)";
  }

  /// The names that the target's key has in the rows of root_state.
  [[nodiscard]] std::vector<std::string> key_columns(const StatefulOperator& node) const {
    std::vector<std::string> columns;
    for (int position : target_.key()) {
      for (auto op = plan_.chain.rbegin(); op != plan_.chain.rend(); ++op) position = (*op)->origin(position);
      columns.push_back(quote_ident(node.columns().at(static_cast<std::size_t>(position)).name));
    }
    return columns;
  }

  static std::string one_line(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');  // either ends a comment
    return text;
  }

  const CompileRequest& request_;
  const CutPlan& plan_;
  const SourceNumbers& numbers_;
  Target target_;
};

/// What distinguishes apply_<id> and apply_<id>_small.
struct ApplyVariant {
  std::string name;
  std::string full;          // empty: for changes only
  std::string differential;  // empty: recomputes always
  std::size_t sizes = 0;     // sources whose number of pending rows the planner is told
  bool nested_loops = false;
};

std::string apply_function(const CompileRequest& request, const ApplyVariant& variant) {
  std::string body =
      "\n#variable_conflict use_column\n<<v>>\nDECLARE\n"
      "    f_snapshot CONSTANT pg_snapshot := $2;\n"
      "    f_xmin CONSTANT xid8 := pg_snapshot_xmin($2);\n"
      "    f_xmax CONSTANT xid8 := pg_snapshot_xmax($2);\n"
      "    f_xid CONSTANT xid8 := $3;\n"
      "    f_seq CONSTANT bigint := $4;\n"
      "    changed CONSTANT bigint := $5;  -- bit per source with pending rows\n"
      "    run CONSTANT bigint := $6;\n"
      "    violations bigint;\n";
  for (std::size_t i = 1; i <= variant.sizes; ++i)
    body += "    n_" + std::to_string(i) + " CONSTANT bigint := $7[" + std::to_string(i) + "];\n";
  body +=
      "BEGIN\n"
      // The guard trigger lets these statements pass. Not a SET clause: only superusers may put unknown parameters
      // there.
      "    PERFORM set_config('pgtrickle.apply', '" +
      std::to_string(request.id) + "', true);\n";
  if (variant.sizes > 0) {
    std::vector<std::string> sizes;
    for (std::size_t i = 1; i <= variant.sizes; ++i) sizes.push_back("v.n_" + std::to_string(i));
    body += "    IF " + join(sizes, " + ") + " > " + std::to_string(kRowsPerPlan * variant.sizes) +
            " THEN\n        PERFORM set_config('plan_cache_mode', 'force_custom_plan', true);\n    END IF;\n";
  }
  const std::string done = "PERFORM set_config('pgtrickle.apply', '', true);\n";
  if (variant.differential.empty()) {
    body += indent("    " + variant.full, 4);
  } else if (variant.full.empty()) {
    body += indent("    " + variant.differential, 4);
  } else {
    body += "    IF $1 = 'full' THEN\n" + indent("        " + variant.full, 8) + "\n        RETURN;\n    END IF;\n" +
            indent("    " + variant.differential, 4);
  }
  body += "\n    " + done + "END\n";
  std::string sql = "CREATE OR REPLACE FUNCTION " + variant.name + "(" + kApplyArguments +
                    ",\n    OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint)\n"
                    "LANGUAGE plpgsql SECURITY DEFINER\nSET search_path = pg_catalog, pg_temp\nSET jit = off\nSET "
                    "max_parallel_workers_per_gather = 0\n"
                    "SET plan_cache_mode = force_generic_plan\n";
  if (variant.nested_loops) sql += "SET enable_hashjoin = off\nSET enable_mergejoin = off\n";
  for (const auto& [key, value] : request.settings)
    sql += "SET " + quote_ident(key) + " = " + quote_literal(value) + "\n";
  return sql + "AS " + dollar_quoted(body);
}

void add_apply(const CompileRequest& request, Program& program, const ApplyVariant& variant) {
  const std::string function = variant.name + "(" + kApplyTypes + ")";
  program.owner_ddl.push_back(apply_function(request, variant));
  program.owner_ddl.push_back("REVOKE ALL ON FUNCTION " + function + " FROM PUBLIC");
  program.owner_ddl.push_back("GRANT EXECUTE ON FUNCTION " + function + " TO " + quote_ident(request.admin));
}

/// The owner owns apply_<id>, and could make it SECURITY INVOKER: then it would run with the rights of refresh_<id>. So
/// it is looked at before every call: its current definition, not that of the snapshot, and locked where we may lock
/// it, so that it cannot change in between.
std::string check_rights(const std::string& function, const std::string& indentation) {
  const std::string oid = quote_literal(function + "(" + kApplyTypes + ")") + "::regprocedure";
  std::string sql =
      "IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = current_user AND r.rolsuper) THEN\n"
      "    PERFORM FROM pg_proc p WHERE p.oid = " +
      oid +
      " FOR SHARE;\n"
      "END IF;\n"
      "IF pg_get_functiondef(" +
      oid +
      ") !~ E'^[^\\n]+\\n RETURNS record\\n LANGUAGE plpgsql\\n SECURITY DEFINER\\n' THEN\n"
      "    RAISE EXCEPTION USING ERRCODE = 'data_corrupted',\n"
      "        MESSAGE = 'the program ' || " +
      quote_literal(function) +
      " || '() was altered',\n"
      "        HINT = 'The daemon makes it anew. Programs are not to be changed by hand.';\n"
      "END IF;\n";
  return indentation + indent(sql.substr(0, sql.size() - 1), static_cast<int>(indentation.size())) + "\n";
}

/// The program was made for columns without NULLs: its keys, its plain "=", its NOT IN. DROP NOT NULL fires nothing.
std::string check_not_null(const Source& source, const std::vector<std::int16_t>& used) {
  std::vector<std::string> attnums;
  for (const auto& col : source.columns)
    if (col.not_null && std::find(used.begin(), used.end(), col.attnum) != used.end())
      attnums.push_back(std::to_string(col.attnum));
  if (attnums.empty()) return {};
  const std::string what = "a column of " + qualified(source.schema, source.name) + " is not NOT NULL any more";
  return "    IF (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = " + std::to_string(source.relid) +
         " AND a.attnum = ANY ('{" + join(attnums, ",") +
         "}') AND a.attnotnull\n"
         "          AND NOT EXISTS (SELECT FROM pg_constraint n WHERE n.conrelid = a.attrelid AND n.contype = 'n' AND "
         "NOT n.convalidated\n"
         "                          AND n.conkey = ARRAY[a.attnum])) <> " +
         std::to_string(attnums.size()) +
         " THEN\n"
         "        IF v.recompute THEN\n"
         "            RAISE EXCEPTION USING ERRCODE = 'serialization_failure', MESSAGE = " +
         quote_literal(what) +
         ",\n"
         "                HINT = 'Try again: the program is made anew.';\n"
         "        END IF;\n"
         "        action := 'REINIT';\n        RETURN;\n    END IF;\n";
}

/// refresh_<id>: everything around the work.
std::string refresh_function(const CompileRequest& request, const std::vector<CapturedSource>& sources,
                             const SourceNumbers* numbers) {
  const std::string id = std::to_string(request.id);
  const std::string table = qualified(request.schema, request.name);
  std::string body =
      "\n#variable_conflict use_column\n<<v>>\nDECLARE\n"
      "    f pgtrickle.pgt_frontiers;\n"
      "    f_snapshot pg_snapshot;\n"
      "    f_xmin xid8;\n"
      "    f_xmax xid8;\n"
      "    f_xid xid8;\n"
      "    f_seq bigint;\n"
      "    started CONSTANT timestamptz := clock_timestamp();\n"
      "    run bigint;\n"
      "    changed bigint := 0;\n"
      "    pending bigint;\n"
      "    counts bigint[];  -- pending rows of each source\n"
      "    marked boolean;\n"
      "    recompute boolean := $1 = 'full';\n"
      "    reinit boolean;\n"
      "BEGIN\n"
      "    IF $1 NOT IN ('auto', 'full', 'differential', 'lock') THEN\n"
      "        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('unknown refresh mode "
      "\"%s\"', $1),\n"
      "            HINT = 'Use auto, full, differential or lock.';\n"
      "    END IF;\n"
      "    delta_rows := 0; rows_inserted := 0; rows_updated := 0; rows_deleted := 0;\n"
      "    IF $1 = 'lock' THEN\n"
      "        PERFORM pgtrickle._lock_sources(" +
      id +
      ");\n"
      "        action := 'NO_DATA';\n"
      "        RETURN;\n"
      "    END IF;\n"
      "    -- First of all: whoever holds this row refreshes this stream table.\n"
      "    SELECT * INTO STRICT v.f FROM pgtrickle.pgt_frontiers p WHERE p.pgt_id = " +
      id +
      " FOR UPDATE;\n"
      "    v.f_snapshot := v.f.snapshot; v.f_xmin := pg_snapshot_xmin(v.f.snapshot);\n"
      "    v.f_xmax := pg_snapshot_xmax(v.f.snapshot); v.f_xid := v.f.xid; v.f_seq := "
      "v.f.seq;\n"
      "    SELECT s.needs_reinit INTO v.reinit FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = " +
      id +
      ";\n"
      "    IF NOT v.recompute AND (v.reinit OR v.f_snapshot IS NULL) THEN\n"
      "        action := 'REINIT';\n"
      "        RETURN;\n"
      "    END IF;\n";
  std::vector<std::string> tables;
  for (const auto& s : sources) tables.push_back(qualified(s.source->schema, s.source->name));
  if (!tables.empty()) {
    body +=
        "    IF current_setting('transaction_isolation') IN ('read committed', 'read uncommitted') THEN\n"
        "        -- No single snapshot here: keep writers out instead, until the end of the transaction.\n"
        "        LOCK TABLE " +
        join(tables, ", ") +
        " IN SHARE MODE;\n"
        "    END IF;\n";
  }
  for (const auto& s : sources) {
    std::vector<std::string> columns;
    const std::string rel = std::to_string(s.source->relid) + "::oid";
    for (const auto attnum : s.columns)
      columns.push_back("has_column_privilege(" + quote_literal(request.owner) + "::name, " + rel + ", " +
                        std::to_string(attnum) + "::int2, 'SELECT')");
    std::string allowed = "has_table_privilege(" + quote_literal(request.owner) + "::name, " + rel + ", 'SELECT')";
    if (!columns.empty()) allowed = "(" + allowed + " OR (" + join(columns, " AND ") + "))";
    body += "    IF NOT coalesce(" + allowed +
            ", false) THEN\n"
            "        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',\n"
            "            MESSAGE = " +
            quote_literal("owner " + quote_ident(request.owner) + " of stream table " + table +
                          " may no longer SELECT from " + qualified(s.source->schema, s.source->name)) +
            ",\n"
            "            HINT = 'Grant SELECT to the owner and resume the stream table.';\n"
            "    END IF;\n";
    if (s.source->has_inheritance_children || s.source->kind == SourceKind::kPartitionedTable) {
      body += "    IF NOT v.recompute AND (SELECT p.partitions FROM pgtrickle.pgt_sources p WHERE p.source_id = " +
              std::to_string(s.log_id) + ")\n        IS DISTINCT FROM pgtrickle._source_relations(" + rel +
              ") THEN\n"
              "        action := 'REINIT';\n        RETURN;\n    END IF;\n";
    }
  }
  for (const auto& s : sources) body += check_not_null(*s.source, s.columns);
  body +=
      "    -- Taken before anything is read: rows that this transaction writes from here on come later.\n"
      "    v.run := nextval('pgtrickle_changes.log_seq');\n";
  if (!sources.empty()) {
    body += "    IF v.f_snapshot IS NOT NULL THEN\n";
    for (const auto& s : sources) {
      const std::string log = "pgtrickle_changes.log_" + std::to_string(s.log_id);
      body += "        SELECT count(*), coalesce(bool_or(l.w = 0), false) INTO v.pending, v.marked\n        FROM " +
              log + " l WHERE " + pending("l") +
              ";\n"
              "        v.counts[" +
              std::to_string(numbers->number(s.source->relid)) +
              "] := greatest(v.pending, 1);\n"
              "        IF v.pending > 0 THEN\n            v.changed := v.changed | " +
              std::to_string(numbers->bit(s.source->relid)) +
              ";\n            delta_rows := delta_rows + v.pending;\n"
              "            IF v.marked THEN\n"
              "                -- TRUNCATE, or the source is not what it was\n"
              "                IF NOT v.recompute AND pgtrickle._source_problem(" +
              std::to_string(s.log_id) +
              ") IS NOT NULL THEN\n"
              "                    action := 'REINIT';\n                    RETURN;\n                END IF;\n"
              "                v.recompute := true;\n            END IF;\n        END IF;\n";
    }
    body +=
        "    END IF;\n"
        "    IF $1 = 'auto' AND v.changed = 0 THEN\n        action := 'NO_DATA';\n        RETURN;\n    END IF;\n"
        "    IF $1 = 'auto' AND delta_rows > v.f.full_threshold THEN\n        v.recompute := true;\n    END IF;\n";
  } else {
    body += "    v.recompute := true;\n";
  }
  const std::string call =
      "(CASE WHEN v.recompute THEN 'full' ELSE 'differential' END, v.f_snapshot, v.f_xid, v.f_seq,\n"
      "            CASE WHEN $1 = 'differential' THEN -1 ELSE v.changed END, v.run,\n"
      "            CASE WHEN $1 <> 'differential' THEN v.counts END) a";
  const std::string into =
      "SELECT a.rows_inserted, a.rows_updated, a.rows_deleted INTO rows_inserted, rows_updated, rows_deleted\n"
      "        FROM ";
  const std::string apply = function_name("apply", request.id);
  if (!sources.empty()) {
    body += "    IF NOT v.recompute AND delta_rows <= " + std::to_string(kSmallDelta) + " THEN\n" +
            check_rights(apply + "_small", "        ") + "        " + into + apply + "_small" + call + ";\n    ELSE\n" +
            check_rights(apply, "        ") + "        " + into + apply + call + ";\n    END IF;\n";
  } else {
    body += check_rights(apply, "    ") + "    " + into + apply + call + ";\n";
  }
  body +=
      "    -- A function of the query may have changed the path, for good: what follows runs with our rights.\n"
      "    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);\n";
  body +=
      "    action := CASE WHEN v.recompute THEN 'FULL' ELSE 'DIFFERENTIAL' END;\n"
      "    UPDATE pgtrickle.pgt_frontiers p\n"
      "    SET snapshot = pg_current_snapshot(), xid = pg_current_xact_id(), seq = v.run, data_timestamp = now(),\n"
      "        last_refresh_at = clock_timestamp(), last_action = $2,\n"
      "        last_duration_ms = extract(epoch FROM clock_timestamp() - v.started) * 1000,\n"
      "        rows = coalesce(p.rows, 0) + $4 - $6, total_refreshes = p.total_refreshes + 1,\n"
      "        total_full = p.total_full + v.recompute::int, total_differential = p.total_differential + (NOT "
      "v.recompute)::int,\n"
      "        total_rows_inserted = p.total_rows_inserted + $4, total_rows_updated = p.total_rows_updated + $5,\n"
      "        total_rows_deleted = p.total_rows_deleted + $6\n"
      "    WHERE p.pgt_id = " +
      id + ";\nEND\n";
  return "CREATE OR REPLACE FUNCTION " + function_name("refresh", request.id) +
         "(mode text DEFAULT 'auto', OUT action text, OUT delta_rows bigint,\n    OUT rows_inserted bigint, OUT "
         "rows_updated "
         "bigint, OUT rows_deleted bigint)\nLANGUAGE plpgsql SECURITY DEFINER\nSET search_path = pg_catalog, pg_temp\n"
         "SET plan_cache_mode = force_generic_plan\nSET max_parallel_workers_per_gather = 0\nAS " +
         dollar_quoted(body);
}

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
  program.admin_ddl.push_back(refresh_function(request, sources, numbers));
  program.admin_ddl.push_back("REVOKE ALL ON FUNCTION " + name + " FROM PUBLIC");
  program.admin_ddl.push_back("GRANT EXECUTE ON FUNCTION " + name + " TO " + owner);
}

}  // namespace

std::string write_differential(const CompileRequest& request, const CutPlan& plan, const SourceNumbers& numbers,
                               const std::vector<CapturedSource>& sources, bool all_indexed, Program& program,
                               const std::function<std::string(const Target&)>& describe) {
  const DifferentialWriter writer(request, plan, numbers);
  std::string text = describe(writer.target());
  for (const auto& node : plan.inner) {
    for (const auto& ddl : node->state_ddl()) program.owner_ddl.push_back(ddl);
    program.owner_ddl.push_back("CREATE UNLOGGED TABLE " + node->delta_table() +
                                " WITH (autovacuum_enabled = false) AS\n" +
                                "SELECT 0::bigint AS run, 0 AS w, s.* FROM " + node->from_state() + " s\nWITH NO DATA");
  }
  if (plan.root_state != nullptr)
    for (const auto& ddl : plan.root_state->state_ddl()) program.owner_ddl.push_back(ddl);
  for (const auto& ddl : writer.target().index_ddl()) program.owner_ddl.push_back(ddl);
  const auto trees = plan.trees();
  const bool joins = std::any_of(trees.begin(), trees.end(), [](const Operator* tree) { return tree->joins(); });
  const std::string apply = function_name("apply", request.id);
  add_apply(request, program,
            {apply, writer.full_body(), writer.differential_body(joins), joins ? numbers.all().size() : 0, false});
  // Without an index each lookup would be a scan, which only a hash join does once.
  add_apply(request, program, {apply + "_small", {}, writer.differential_body(false), 0, all_indexed});
  add_refresh(request, program, sources, &numbers);
  return text;
}

void write_full(const CompileRequest& request, Program& program) {
  std::vector<std::string> wanted;
  for (const auto& col : request.columns) wanted.push_back(col.name);
  const auto names = unique_names(wanted);
  const Target target(request, names, {}, {});
  for (const auto& ddl : target.index_ddl()) program.owner_ddl.push_back(ddl);
  const SourceNumbers none;
  Statement statement(none);
  std::string query = request.query;
  while (!query.empty() && (query.back() == ';' || query.back() == '\n' || query.back() == ' ')) query.pop_back();
  std::vector<std::string> quoted;
  for (const auto& name : names) quoted.push_back(quote_ident(name));
  // The query's own column names may not be usable here (duplicates of our w): they are renamed by position.
  const std::string select =
      target.replace(statement, "(SELECT * FROM (" + query + ") q (" + join(quoted, ", ") + "))");
  const std::string full = run_into(statement, select, kResultInto) + check_violations(request, "content");
  add_apply(request, program, {function_name("apply", request.id), full, {}, 0, false});
  add_refresh(request, program, {}, nullptr);
}

}  // namespace pgtrickle::compiler
