#include "compiler/program/immediate_writer.h"

#include <algorithm>

#include "compiler/sql/change.h"
#include "compiler/sql/function_text.h"
#include "compiler/sql/query.h"
#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

namespace {

constexpr int kSmall = 200;              // changed rows up to which one plan, made for few, serves all
constexpr std::size_t kMostNetted = 64;  // captured columns up to which the two sides of an UPDATE are netted

class ImmediateWriter {
 public:
  ImmediateWriter(const CompileRequest& request, const std::vector<CapturedSource>& sources,
                  const SourceNumbers& numbers, Planning planning)
      : request_(request),
        sources_(sources),
        numbers_(numbers),
        planning_(planning),
        id_(std::to_string(request.id)),
        name_(qualified(request.schema, request.name)) {
    std::sort(sources_.begin(), sources_.end(), [&](const auto& a, const auto& b) {
      return numbers.number(a.source->relid) < numbers.number(b.source->relid);
    });
  }

  [[nodiscard]] const std::vector<CapturedSource>& sources() const { return sources_; }

  [[nodiscard]] std::string changes_ddl(const CapturedSource& s) const {
    Select rows({"0::smallint AS w"});
    for (const auto attnum : s.columns) rows.item("t." + quote_ident(column(s, attnum).name), c(attnum));
    rows.from(qualified(s.source->schema, s.source->name), "t");
    return "CREATE UNLOGGED TABLE " + table(s) + " AS\n" + rows.sql() + "\nWITH NO DATA";
  }

  [[nodiscard]] std::string enter() const {
    return trigger("enter",
                   "\nBEGIN\n"
                   "    -- One writer at a time, until his transaction ends.\n"
                   "    UPDATE pgtrickle.pgt_immediate i SET running = i.running + 1\n    WHERE i.pgt_id = " +
                       id_ + not_stopped() + ";\n    RETURN NULL;\nEND\n",
                   false);
  }

  [[nodiscard]] std::string changed(const CapturedSource& s) const {
    const std::string body =
        "\n#variable_conflict use_column\n<<v>>\nDECLARE\n    running int;\n    recompute boolean;\n" +
        std::string(partitioned(s) ? "    context text;\n" : "") + "BEGIN\n" + context(s) +
        "    UPDATE pgtrickle.pgt_immediate i SET running = i.running - 1, recompute = i.recompute OR " +
        recomputes(s) + "\n    WHERE i.pgt_id = " + id_ + not_stopped() +
        "\n    RETURNING i.running, i.recompute INTO v.running, v.recompute;\n"
        "    IF NOT FOUND THEN\n        RETURN NULL;    -- it is not maintained by triggers just now\n    END IF;\n" +
        looks_for_itself() + "    IF TG_OP = 'INSERT' THEN\n        " + indent(insert(s, side(s, false)), 8) +
        ";\n    ELSIF TG_OP = 'DELETE' THEN\n        " + indent(insert(s, side(s, true)), 8) +
        ";\n    ELSIF TG_OP = 'UPDATE' THEN\n        " + indent(update(s), 8) +
        ";\n    END IF;\n"
        "    IF v.running = 0 THEN\n        PERFORM pgtrickle_state.settle_" +
        id_ + "(v.recompute);\n    END IF;\n    RETURN NULL;\nEND\n";
    return trigger("changed", body, true, "_" + number(s));
  }

  /// All statements have ended.
  [[nodiscard]] std::string settle() const {
    std::vector<std::string> counts;
    std::vector<std::string> into;
    std::vector<std::string> bits;
    std::vector<std::string> pending;
    std::string declared;
    std::string clear;
    for (const auto& s : sources_) {
      const std::string n = "n" + number(s);
      declared += "    " + n + " bigint;\n";
      counts.push_back("(SELECT count(*) FROM " + table(s) + ")");
      into.push_back("v." + n);
      bits.push_back("CASE WHEN v." + n + " > 0 THEN " + std::to_string(numbers_.bit(s.source->relid)) + " ELSE 0 END");
      pending.push_back("greatest(v." + n + ", 1)");
      clear += "    IF v." + n + " > 0 THEN DELETE FROM " + table(s) + "; END IF;\n";
    }
    const std::vector<std::string> small(sources_.size(), std::to_string(kSmall));
    const std::string maintain = function_name("maintain", request_.id);
    const std::string keys = user_keys();
    const std::string body =
        "\n#variable_conflict use_column\n<<v>>\nDECLARE\n" + declared +
        "    planning text;\n    apply_before CONSTANT text := current_setting('pgtrickle.apply', true);\n"
        "    maintaining CONSTANT text := coalesce(current_setting('pgtrickle.maintaining', true), "
        "'');\nBEGIN\n    SELECT " +
        join(counts, ",\n           ") + "\n    INTO " + join(into, ", ") +
        ";\n"
        "    IF position(' " +
        id_ +
        " ' IN v.maintaining) > 0 THEN\n"
        "        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',\n            MESSAGE = " +
        quote_literal("stream table " + name_ + " of " + quote_ident(request_.owner) +
                      " is being maintained by this very statement") +
        ",\n            DETAIL = 'A trigger on it, or on a stream table that reads it, changes what it reads.',\n"
        "            HINT = " +
        quote_literal(
            "Its owner can drop that trigger, or have it refreshed instead: "
            "pgtrickle.alter_stream_table('" +
            name_ + "', refresh_mode => 'DIFFERENTIAL').") +
        ";\n    END IF;\n" + still_fits() + "    PERFORM set_config('pgtrickle.maintaining', v.maintaining || ' " +
        id_ +
        " ', true);\n"
        "    IF $1 THEN\n" +
        planner("on") + "        PERFORM " + function_name("apply", request_.id) +
        "('full', NULL, NULL, NULL, 0::bigint, 0::bigint, NULL, " + keys +
        ", NULL::text);\n"
        "        PERFORM set_config('pgtrickle.apply', v.apply_before, true);\n"
        "        UPDATE pgtrickle.pgt_immediate i SET recompute = false WHERE i.pgt_id = " +
        id_ + ";\n    ELSIF " + join(into, " + ") + " BETWEEN 1 AND " + std::to_string(kSmall) + " THEN\n" +
        planner("off") + "        PERFORM " + maintain + "(" + join(bits, " | ") +
        ", nextval('pgtrickle_changes.log_seq'), " + quote_literal("{" + join(small, ",") + "}") + ", " + keys +
        ", NULL::boolean);\n    ELSIF " + join(into, " + ") +
        " > 0 THEN\n"
        "        v.planning := set_config('plan_cache_mode', 'force_custom_plan', true);\n" +
        planner("on") + "        PERFORM " + maintain + "(" + join(bits, " | ") +
        ", nextval('pgtrickle_changes.log_seq'), ARRAY[" + join(pending, ", ") + "]::text, " + keys +
        ", NULL::text);\n    END IF;\n" + clear +
        "    PERFORM set_config('pgtrickle.maintaining', v.maintaining, true);\nEND\n";
    return "CREATE OR REPLACE FUNCTION " + function_name("settle", request_.id) +
           "(recompute boolean) RETURNS void\nLANGUAGE plpgsql\nAS " + dollar_quoted(body);
  }

  [[nodiscard]] std::string maintain(const std::string& differential) const {
    std::string body =
        "\n#variable_conflict use_column\n<<v>>\nDECLARE\n" + numbers_.declarations("$1") +
        "    run CONSTANT bigint := $2;\n    user_keys CONSTANT text[] := $4;  -- columns of unique indexes that users "
        "made; NULL: there are none\n"
        "    violations bigint;\n    rows_inserted bigint;\n    rows_updated bigint;\n    rows_deleted bigint;\n"
        "    ignored text;\n"
        "    apply_before CONSTANT text := current_setting('pgtrickle.apply', true);\n"
        "    sizes_before CONSTANT text := current_setting('pgtrickle.sizes', true);\n"
        "BEGIN\n"
        "    -- The guard trigger lets these statements pass.\n"
        "    v.ignored := set_config('pgtrickle.apply', '" +
        id_ + "', true);\n    v.ignored := set_config('pgtrickle.sizes', $3, true);\n" +
        indent("    " + differential, 4) +
        "\n    IF v.user_keys IS NOT NULL THEN\n        PERFORM pgtrickle._check_deferred(" + quote_literal(name_) +
        "::regclass);\n    END IF;\n"
        "    v.ignored := set_config('pgtrickle.apply', v.apply_before, true);\n"
        "    v.ignored := set_config('pgtrickle.sizes', v.sizes_before, true);\nEND\n";
    std::string sql = "CREATE OR REPLACE FUNCTION " + function_name("maintain", request_.id) +
                      "(changed bigint, run bigint, sizes text, user_keys text[], plans anyelement) RETURNS void\n"
                      "LANGUAGE plpgsql\n";
    for (const auto& [key, value] : request_.settings)
      sql += "SET " + quote_ident(key) + " = " + quote_literal(value) + "\n";
    return sql + "AS " + dollar_quoted(body);
  }

 private:
  static std::string c(std::int16_t attnum) { return "c" + std::to_string(attnum); }

  static const SourceColumn& column(const CapturedSource& s, std::int16_t attnum) {
    return *std::find_if(s.source->columns.begin(), s.source->columns.end(),
                         [&](const SourceColumn& col) { return col.attnum == attnum; });
  }

  static bool partitioned(const CapturedSource& s) { return s.source->kind == SourceKind::kPartitionedTable; }

  [[nodiscard]] std::string number(const CapturedSource& s) const {
    return std::to_string(numbers_.number(s.source->relid));
  }

  [[nodiscard]] std::string table(const CapturedSource& s) const {
    return changes_table(request_.id, numbers_.number(s.source->relid));
  }

  static std::vector<std::string> columns_of(const CapturedSource& s) {
    std::vector<std::string> names;
    for (const auto attnum : s.columns) names.push_back(c(attnum));
    return names;
  }

  static Select side(const CapturedSource& s, bool old_side) {
    const std::string alias = old_side ? "o" : "n";
    Select rows;
    for (const auto attnum : s.columns) rows.item(alias + "." + quote_ident(column(s, attnum).name), c(attnum));
    return rows.item(old_side ? "-1" : "1", "w").from(old_side ? "oldt" : "newt", alias);
  }

  [[nodiscard]] std::string insert(const CapturedSource& s, const Query& rows) const {
    auto columns = columns_of(s);
    columns.emplace_back("w");
    return Insert(table(s), columns, rows).sql();
  }

  /// Rows of which no column in use has changed are not kept.
  [[nodiscard]] std::string update(const CapturedSource& s) const {
    const Query both = union_all({side(s, true), side(s, false)});
    const auto names = columns_of(s);
    std::vector<TypeInfo> types;
    for (const auto attnum : s.columns) types.push_back(column(s, attnum).type);
    const bool netted = names.size() <= kMostNetted && std::all_of(types.begin(), types.end(), [](const auto& type) {
                          return type.equatable && !type.encoded_image;
                        });
    if (names.empty()) return "NULL";  // nothing is read but the number of rows
    return insert(s, netted ? Query(consolidate(names, types, FromItem(both))) : both);
  }

  /// When all is recomputed. Rows that a MERGE moves from one partition to another are in no transition table. So if
  /// this may be a MERGE: no statement on the stack is seen to be an UPDATE, or one is seen to be a MERGE or hides its
  /// text.
  [[nodiscard]] static std::string recomputes(const CapturedSource& s) {
    if (!partitioned(s)) return "TG_OP = 'TRUNCATE'";
    return "TG_OP = 'TRUNCATE'\n        OR TG_OP = 'UPDATE' AND (v.context ~* E'\\\\mmerge\\\\M|\\\\mSQL "
           "function\\\\M|\\\\mPL/(?!pgSQL)'\n            OR current_query() ~* E'\\\\mexecute\\\\M' OR v.context !~* "
           "E'\\\\mupdate\\\\M')";
  }

  [[nodiscard]] static std::string context(const CapturedSource& s) {
    if (!partitioned(s)) return {};
    return "    GET DIAGNOSTICS v.context = PG_CONTEXT;\n"
           "    v.context := concat(current_query(), E'\\n', v.context);\n";
  }

  /// Few rows are looked up by nested loops, whatever the planner thinks.
  [[nodiscard]] std::string planner(const std::string& value) const {
    if (!planning_.nested_loops) return {};
    return "        v.planning := set_config('enable_hashjoin', '" + value +
           "', true);\n        v.planning := set_config('enable_mergejoin', '" + value + "', true);\n";
  }

  [[nodiscard]] std::string user_keys() const {
    if (!request_.user_keys) return "NULL";
    return "pgtrickle._unique_columns(" + id_ + ", to_regclass(" +
           quote_literal(qualified(request_.schema, "pgtrickle_" + id_ + "_key")) + "))";
  }

  /// A writer does not fail because the owner may not read a source any more, or, where no event trigger stops it,
  /// because a source is not what it was: it is rebuilt then.
  [[nodiscard]] std::string still_fits() const {
    std::vector<std::string> readable;
    for (const auto& s : sources_) {
      const std::string rel = std::to_string(s.source->relid) + "::oid";
      std::vector<std::string> columns;
      for (const auto attnum : s.columns)
        columns.push_back("has_column_privilege(" + rel + ", " + std::to_string(attnum) + "::int2, 'SELECT')");
      const std::string table = "has_table_privilege(" + rel + ", 'SELECT')";
      readable.push_back(columns.empty() ? table : "(" + table + " OR " + join(columns, " AND ") + ")");
    }
    return lost("(" + join(readable, "\n        AND ") + ") IS NOT TRUE",
                "its owner may no longer SELECT from what it reads", "RETURN");
  }

  /// Where no event trigger stops it when a source is altered, before anything of the source is named.
  [[nodiscard]] std::string looks_for_itself() const {
    if (!request_.event_triggers.empty()) return {};
    std::vector<std::string> relids;
    for (const auto& s : sources_) relids.push_back(std::to_string(s.source->relid));
    return lost("NOT pgtrickle._immediate_fits(" + id_ + ", '{" + join(relids, ",") + "}')",
                "what it reads is not what it was", "RETURN NULL");
  }

  [[nodiscard]] std::string lost(const std::string& condition, const std::string& why, const std::string& leave) const {
    return "    IF " + condition + " THEN\n        UPDATE pgtrickle.pgt_immediate i SET lost = " + quote_literal(why) +
           " WHERE i.pgt_id = " + id_ + ";\n        " + leave + ";\n    END IF;\n";
  }

  [[nodiscard]] std::string not_stopped() const {
    return "\n      AND NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = " + id_ + ")";
  }

  /// Settings that a trigger function sets for itself end with it.
  [[nodiscard]] std::string trigger(const char* kind, const std::string& body, bool plans,
                                    const std::string& suffix = {}) const {
    std::string sql = "CREATE OR REPLACE FUNCTION " + function_name(kind, request_.id) + suffix +
                      "() RETURNS trigger\nLANGUAGE plpgsql SECURITY DEFINER\nSET search_path = pg_catalog, pg_temp\n";
    if (plans) {
      sql += "SET plan_cache_mode = force_generic_plan\nSET max_parallel_workers_per_gather = 0\nSET jit = off\n";
      if (planning_.nested_loops) sql += "SET enable_hashjoin = off\nSET enable_mergejoin = off\n";
    }
    return sql + "AS " + dollar_quoted(body);
  }

  const CompileRequest& request_;
  std::vector<CapturedSource> sources_;
  const SourceNumbers& numbers_;
  Planning planning_;
  std::string id_;
  std::string name_;
};

}  // namespace

void add_immediate(const CompileRequest& request, const std::vector<CapturedSource>& sources,
                   const SourceNumbers& numbers, const std::string& body, Planning planning, Program& program) {
  program.immediate = true;
  const ImmediateWriter writer(request, sources, numbers, planning);
  auto add = [&](const std::string& text, const std::string& signature, bool for_admin) {
    program.owner_ddl.push_back(text);
    program.owner_ddl.push_back("REVOKE ALL ON FUNCTION " + signature + " FROM PUBLIC");
    if (for_admin && !request.admin.empty())  // who makes a trigger must be allowed to execute its function
      program.owner_ddl.push_back("GRANT EXECUTE ON FUNCTION " + signature + " TO " + quote_ident(request.admin));
  };
  add(writer.maintain(body), function_name("maintain", request.id) + "(bigint, bigint, text, text[], anyelement)",
      false);
  add(writer.settle(), function_name("settle", request.id) + "(boolean)", false);
  add(writer.enter(), function_name("enter", request.id) + "()", true);
  for (const auto& s : writer.sources()) {
    program.owner_ddl.push_back(writer.changes_ddl(s));
    add(writer.changed(s),
        function_name("changed", request.id) + "_" + std::to_string(numbers.number(s.source->relid)) + "()", true);
    program.immediate_sources.push_back(s.source->relid);
  }
}

}  // namespace pgtrickle::compiler
