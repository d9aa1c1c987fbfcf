#include "compiler/program/program_writer.h"

#include <algorithm>

#include "compiler/operators/temporal_filter.h"
#include "compiler/plan/writer_locks.h"
#include "compiler/program/immediate_writer.h"
#include "compiler/program/refresh_writer.h"
#include "compiler/program/target.h"
#include "compiler/sql/function_text.h"
#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/template.h"

namespace pgtrickle::compiler {

namespace {

constexpr int kDeltaBytes = 262144;  // size from which old rows are cleared out of a delta table

std::string check_violations(const CompileRequest& request, const std::string& what) {
  const std::string name = qualified(request.schema, request.name);
  return "IF v.violations <> 0 THEN\n  PERFORM pgtrickle._raise_disagreement(" + quote_literal(name) + ", " +
         quote_literal(what) + ", v.violations);\nEND IF;\n";
}

/// The statement, its result put into the variables of apply_<id>.
std::string run(const Statement& statement, Select last, const std::vector<std::string>& more = {}) {
  std::vector<std::string> variables{"rows_inserted", "rows_updated", "rows_deleted", "v.violations"};
  variables.insert(variables.end(), more.begin(), more.end());
  return statement.sql(last.into(variables)) + ";\n";
}

class DifferentialWriter {
 public:
  DifferentialWriter(const CompileRequest& request, const CutPlan& plan, const SourceNumbers& numbers)
      : request_(request), plan_(plan), numbers_(numbers), target_(make_target(request, plan)) {}

  [[nodiscard]] const Target& target() const { return target_; }

  /// Rows that go are deleted by a second statement: where the target has a key, no unique index of a user wants them
  /// gone before others come, and nothing but the end of its key hides a row of the state.
  void leave_gone() {
    if (!target_.keyed() || request_.user_keys) return;
    if (plan_.root_state == nullptr) {
      if (target_.has_key_rows()) gone_ = target_.table() + "[]";
      return;
    }
    const bool unfiltered =
        std::all_of(plan_.chain.begin(), plan_.chain.end(), [](const auto* op) { return op->predicates().empty(); });
    if (unfiltered && !key_of_state().empty()) gone_ = "tid[]";
  }
  /// The type of the variable v.gone, which these statements need; empty: there is no second one.
  [[nodiscard]] const std::string& gone() const { return gone_; }

  [[nodiscard]] std::string full_body() const {
    std::string body;
    for (const auto& node : plan_.inner)
      for (const auto& statement : node->rebuild()) body += statement + ";\n\n";
    FromItem content = plan_.root_state != nullptr ? FromItem() : plan_.root->post();
    if (plan_.root_state != nullptr) {
      for (const auto& statement : plan_.root_state->rebuild()) body += statement + ";\n\n";
      content = chained(plan_.root_state->from_state());
    }
    Statement statement(numbers_);
    const Select last = target_.replace(statement, content);
    return body + run(statement, last) + check_violations(request_, "key");
  }

  /// `sized`: the planner is told the sizes of deltas.
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
  [[nodiscard]] FromItem chained(FromItem from, const std::vector<std::string>& carried = {}) const {
    for (const auto* op : plan_.chain) from = op->over(from, carried);
    return from;
  }

  /// One side of the changes as a relation with the operator's column names.
  static Select side(const StatefulOperator& node, const Changes& changes, bool after) {
    Select select;
    const auto& columns = after ? changes.new_columns : changes.old_columns;
    for (std::size_t i = 0; i < columns.size(); ++i)
      select.item("c." + columns[i], quote_ident(node.columns()[i].name));
    return select.from(changes.from, "c").where("c." + (after ? changes.now : changes.was));
  }

  /// What earlier refreshes wrote to the delta table would be read by every one. TRUNCATE invalidates cached plans, so
  /// not each time. Nobody else uses the table, but pg_dump locks all there are, for as long as it runs.
  [[nodiscard]] static std::string clear_old_runs(const StatefulOperator& node) {
    const std::string& table = node.delta_table();
    return "IF pg_relation_size(" + quote_literal(table) + "::regclass) > " + std::to_string(kDeltaBytes) +
           " THEN\n  BEGIN\n    LOCK TABLE " + table + " IN ACCESS EXCLUSIVE MODE NOWAIT;\n    TRUNCATE " + table +
           ";\n  EXCEPTION WHEN lock_not_available THEN\n    NULL;\n  END;\nEND IF;\n";
  }

  [[nodiscard]] std::string inner_node(const StatefulOperator& node, bool sized) const {
    Statement statement(numbers_, sized);
    const Changes changes = node.differential(statement);
    std::vector<std::string> columns{"run", "w"};  // and possibly none: a count(*) above needs only the number of rows
    for (auto& name : node.column_names()) columns.push_back(std::move(name));
    statement.with(
        "emitted", changes.zset ? "for the nodes above" : "for the nodes above: what differs",
        Insert(node.delta_table(), columns, changes.zset ? emitted_rows(node, changes) : emitted_sides(node, changes)));
    return "-- node " + std::to_string(node.node_number()) + ": " + one_line(node.describe(), 160) + "\n" + "IF " +
           numbers_.gate(node.source_mask()) + " THEN\n" +
           statement.sql(Select({changes.violation}).into({"v.violations"})) + ";\n" +
           check_violations(request_, "state") + "END IF;\n\n";
  }

  [[nodiscard]] static Query emitted_rows(const StatefulOperator& node, const Changes& changes) {
    return Select({"v.run", "x.w"}).items(node.column_names("x.")).from(changes.from, "x");
  }

  /// Both sides of the rows that differ.
  [[nodiscard]] static Query emitted_sides(const StatefulOperator& node, const Changes& changes) {
    const std::string differs = "(c." + changes.was + " <> c." + changes.now + " OR " +
                                row_differs(prefixed(changes.old_columns, "c."), prefixed(changes.new_columns, "c.")) +
                                ")";
    std::vector<Query> sides;
    for (const bool after : {false, true})
      sides.emplace_back(Select({"v.run", after ? "1" : "-1"})
                             .items(node.column_names("x."))
                             .from(side(node, changes, after).where(differs), "x"));
    return union_all(sides);
  }

  [[nodiscard]] std::string root(bool sized) const {
    Statement statement(numbers_, sized, request_.user_keys);
    if (!gone_.empty()) {
      statement.leave_gone();
      return plan_.root_state != nullptr ? apply_groups(statement) : apply_rows(statement);
    }
    const Select last = plan_.root_state != nullptr
                            ? apply_changes(statement, *plan_.root_state)
                            : target_.apply_delta(statement, plan_.root->delta(statement, true));
    return run(statement, last) + check_violations(request_, "state");
  }

  /// What goes is told by its rows in the state.
  [[nodiscard]] std::string apply_groups(Statement& statement) const {
    const StatefulOperator& node = *plan_.root_state;
    const Changes changes = node.differential(statement);
    const Select last = target_.upsert_rows(statement, chained(side(node, changes, true)), changes.tally.value());
    std::vector<std::string> keys;
    for (const int position : key_of_state()) keys.push_back(changes.old_columns[static_cast<std::size_t>(position)]);
    return run(statement, last, {"v.gone"}) + check_violations(request_, "state") + "IF v.gone IS NOT NULL THEN\n  " +
           indent(target_.delete_gone(node.state_table(), keys).sql(), 2) +
           ";\n  GET DIAGNOSTICS rows_deleted = ROW_COUNT;\n  " +
           Delete(node.state_table(), "s").where("s.ctid = ANY (v.gone)").sql() + ";\nEND IF;\n";
  }

  /// What goes is told by its keys, and has to be there.
  [[nodiscard]] std::string apply_rows(Statement& statement) const {
    const Select last = target_.apply_delta(statement, plan_.root->delta(statement, true));
    return run(statement, last, {"v.gone"}) + "IF v.gone IS NOT NULL THEN\n  " +
           indent(target_.delete_rows().sql(), 2) +
           ";\n  GET DIAGNOSTICS rows_deleted = ROW_COUNT;\n"
           "  v.violations := v.violations + abs(cardinality(v.gone) - rows_deleted);\nEND IF;\n" +
           check_violations(request_, "state");
  }

  /// Which columns of root_state the target's key is, if these are in the key of its state; else none.
  [[nodiscard]] std::vector<int> key_of_state() const {
    std::vector<int> positions;
    for (int position : target_.key()) {
      for (auto op = plan_.chain.rbegin(); op != plan_.chain.rend() && position >= 0; ++op)
        position = (*op)->origin(position);
      if (position < 0 || position >= static_cast<int>(plan_.root_state->state_keys())) return {};
      positions.push_back(position);
    }
    return positions;
  }

  [[nodiscard]] Select apply_changes(Statement& statement, const StatefulOperator& node) const {
    const Changes changes = node.differential(statement);
    if (changes.zset)
      return target_.apply_delta(statement, {chained(changes.from, {"w"}), plan_.chain.empty()}, changes.violation);
    const FromItem after = chained(side(node, changes, true));
    if (target_.keyed())
      return target_.apply_rows(statement, after, no_longer_visible(node, changes), key_columns(node),
                                changes.violation);
    const auto columns = plan_.root->column_names("x.");
    const Query both = union_all({Select(columns).item("-1", "w").from(chained(side(node, changes, false)), "x"),
                                  Select(columns).item("1", "w").from(after, "x")});
    return target_.apply_delta(statement, {both, false}, changes.violation);
  }

  /// Affected rows that were there and are not in the stream table any more: gone, or hidden by the filters of the
  /// chain. Most have been pushed below its projections, but none below what is shared.
  [[nodiscard]] Select no_longer_visible(const StatefulOperator& node, const Changes& changes) const {
    std::vector<std::string> visible{"i." + changes.now};
    for (auto op = plan_.chain.begin(); op != plan_.chain.end(); ++op) {
      for (Node predicate : (*op)->predicates()) {
        for (auto at = op; at != plan_.chain.begin();) predicate = (*--at)->below(predicate);
        visible.push_back("(" + render(predicate, "i", node) + ")");
      }
    }
    Select rows;
    for (std::size_t i = 0; i < changes.new_columns.size(); ++i)
      rows.item("c." + changes.new_columns[i], quote_ident(node.columns()[i].name));
    rows.items(prefixed({changes.was, changes.now}, "c.")).from(changes.from, "c");
    return Select({"i.*"}).from(rows, "i").where({"i." + changes.was, "(" + conjunction(visible) + ") IS NOT TRUE"});
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

  const CompileRequest& request_;
  const CutPlan& plan_;
  const SourceNumbers& numbers_;
  Target target_;
  std::string gone_;
};

/// The time of the last refresh, as a variable. The frontier moves after the program has run.
std::string time_of_frontier(TableId id) {
  return "f_now CONSTANT timestamptz := (SELECT f.clock FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = " +
         std::to_string(id) + ");";
}

/// In what the functions of programs differ.
struct Differs {
  bool sized = false;  // the planner is told the sizes of deltas
  std::string gone;    // the type of v.gone
  bool follows_time = false;
};

/// apply_<id>: recomputes, or applies what is pending. `differential` is empty if it can only recompute.
std::string apply_function(const CompileRequest& request, const SourceNumbers& numbers, const std::string& full,
                           const std::string& differential, const Differs& differs) {
  // An alias is the argument itself; anything else would be assigned at each call. The guard trigger lets these
  // statements pass; not by a SET clause: only superusers may put unknown parameters there.
  constexpr const char* kLeave = R"sql(
      v.ignored := set_config('pgtrickle.apply', '', true);
      ${restore_sizes}
  )sql";
  const std::string leave = fill(kLeave, {{"restore_sizes", differs.sized ? kRestoreSizes : ""}});
  constexpr const char* kApply = R"sql(
      IF $1 = 'full' THEN
        ${full}
        ${leave}
        RETURN;
      END IF;
      ${differential}
  )sql";
  const std::string apply =
      differential.empty() ? full : fill(kApply, {{"full", full}, {"leave", leave}, {"differential", differential}});
  constexpr const char* kBody = R"sql(
      #variable_conflict use_column
      <<v>>
      DECLARE
        f_snapshot ALIAS FOR $2;
        f_xmin CONSTANT xid8 := pg_snapshot_xmin($2);
        f_xmax CONSTANT xid8 := pg_snapshot_xmax($2);
        f_xid ALIAS FOR $3;
        f_seq ALIAS FOR $4;
        ${what_changed}
        ${declare_time}
        run ALIAS FOR $6;
        user_keys ALIAS FOR $8;  -- columns of unique indexes that users made; NULL: there are none
        violations bigint;
        ignored text;
        ${declare_gone}
        ${save_sizes}
      BEGIN
        v.ignored := set_config('pgtrickle.apply', '${id}', true);
        ${set_sizes}
        ${apply}
        ${leave}
      END
  )sql";
  const std::string body =
      fill(kBody, {{"id", std::to_string(request.id)},
                   {"what_changed", numbers.declarations("$5")},
                   {"declare_time", differs.follows_time ? time_of_frontier(request.id) : ""},
                   {"declare_gone", differs.gone.empty() ? "" : "gone " + differs.gone + ";"},
                   {"save_sizes", differs.sized ? kSaveSizes : ""},
                   {"set_sizes", differs.sized ? "v.ignored := set_config('pgtrickle.sizes', $7, true);" : ""},
                   {"apply", apply},
                   {"leave", leave}});
  // Settings of the planner are those of the caller.
  std::string head = "CREATE OR REPLACE FUNCTION " + function_name("apply", request.id) + "(" + kApplyArguments +
                     ",\n  OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint)\n"
                     "LANGUAGE plpgsql";
  for (const auto& [key, value] : request.settings) head += "\nSET " + quote_ident(key) + " = " + quote_literal(value);
  return plpgsql_function(head, body);
}

void add_apply(const CompileRequest& request, Program& program, const SourceNumbers& numbers, const std::string& full,
               const std::string& differential, const Differs& differs) {
  program.owner_ddl.push_back(apply_function(request, numbers, full, differential, differs));
  program.owner_ddl.push_back("REVOKE ALL ON FUNCTION " + function_name("apply", request.id) + "(" + kApplyTypes +
                              ") FROM PUBLIC");
}

/// crossing_<id>: how many rows cross because time has passed. Under the settings of apply_<id>: what a day is depends
/// on them. The state of inner nodes is that of the last refresh, which does no harm: where it will change, the terms
/// of what crosses are there anyway (operators/temporal_filter.cpp).
void add_crossing(const CompileRequest& request, const std::vector<Query>& crossing, Program& program) {
  std::vector<Query> counts;
  for (const auto& rows : crossing) counts.emplace_back(Select({"count(*) AS n"}).from(rows, "x"));
  constexpr const char* kBody = R"sql(
      #variable_conflict use_column
      <<v>>
      DECLARE
        ${declare_time}
        crossing bigint;
      BEGIN
        ${count};
        RETURN v.crossing;
      END
  )sql";
  const std::string body =
      fill(kBody, {{"declare_time", time_of_frontier(request.id)},
                   {"count", Select({"sum(c.n)"}).from(union_all(counts), "c").into({"v.crossing"}).sql()}});
  std::string head = "CREATE OR REPLACE FUNCTION " + function_name("crossing", request.id) +
                     "() RETURNS bigint\nLANGUAGE plpgsql STABLE";
  for (const auto& [key, value] : request.settings) head += "\nSET " + quote_ident(key) + " = " + quote_literal(value);
  program.owner_ddl.push_back(plpgsql_function(head, body));
  program.owner_ddl.push_back("REVOKE ALL ON FUNCTION " + function_name("crossing", request.id) + "() FROM PUBLIC");
}

/// next_crossing_<id>: no row crosses before that time, if nothing changes but the time. For a stream table that
/// sleeps.
void add_next_crossing(const CompileRequest& request, const std::vector<Query>& times, Program& program) {
  constexpr const char* kBody = R"sql(
      #variable_conflict use_column
      BEGIN
        RETURN ${next};
      END
  )sql";
  const std::string body =
      fill(kBody, {{"next", Query(Select({"min(x.at)"}).from(union_all(times), "x")).in_parentheses()}});
  std::string head = "CREATE OR REPLACE FUNCTION " + function_name("next_crossing", request.id) +
                     "() RETURNS timestamptz\nLANGUAGE plpgsql STABLE";
  for (const auto& [key, value] : request.settings) head += "\nSET " + quote_ident(key) + " = " + quote_literal(value);
  program.owner_ddl.push_back(plpgsql_function(head, body));
  program.owner_ddl.push_back("REVOKE ALL ON FUNCTION " + function_name("next_crossing", request.id) +
                              "() FROM PUBLIC");
}

void add_time(const CompileRequest& request, const std::vector<Operator*>& trees, Program& program) {
  std::vector<Query> crossing;
  std::vector<Query> next;
  for (const auto* tree : trees) {
    for (const auto* filter : temporal_filters(*tree)) {
      crossing.push_back(filter->crossing());
      next.push_back(filter->next_crossing());
    }
  }
  add_crossing(request, crossing, program);
  add_next_crossing(request, next, program);
}

bool needs_encoding(const TypeInfo& type) {
  return type.encoded_image && !type.identity;
}

bool needs_encoding(const Operator& op) {
  const auto& columns = op.columns();
  const auto& inputs = op.inputs();
  return std::any_of(columns.begin(), columns.end(),
                     [](const auto& col) { return needs_encoding(col.type.value()); }) ||
         std::any_of(inputs.begin(), inputs.end(), [](const auto& input) { return needs_encoding(*input); });
}

/// Images that contain text are made in client_encoding: it must have the characters, no matter who refreshes.
CompileRequest with_encoding(CompileRequest request, const std::vector<Operator*>& trees) {
  const auto& columns = request.columns;
  if (std::any_of(trees.begin(), trees.end(), [](const Operator* tree) { return needs_encoding(*tree); }) ||
      std::any_of(columns.begin(), columns.end(), [](const auto& col) { return needs_encoding(col.type); }))
    request.settings.emplace_back("client_encoding", request.encoding);
  return request;
}

}  // namespace

std::string write_differential(const CompileRequest& request, const CutPlan& plan, const SourceNumbers& numbers,
                               const std::vector<CapturedSource>& sources, bool all_indexed, Program& program,
                               const std::function<std::string(const Target&)>& describe) {
  DifferentialWriter writer(request, plan, numbers);
  writer.leave_gone();
  std::string text = describe(writer.target());
  for (const auto& node : plan.inner) {
    for (const auto& ddl : node->state_ddl()) program.owner_ddl.push_back(ddl);
    const Select columns = Select({"0::bigint AS run", "0 AS w", "s.*"}).from(node->from_state(), "s");
    program.owner_ddl.push_back("CREATE UNLOGGED TABLE " + node->delta_table() +
                                " WITH (autovacuum_enabled = false) AS\n" + columns.sql() + "\nWITH NO DATA");
  }
  if (plan.root_state != nullptr)
    for (const auto& ddl : plan.root_state->state_ddl()) program.owner_ddl.push_back(ddl);
  program.table_ddl = writer.target().index_ddl();
  // Rows of groups are updated in place again and again, which wants room on the page.
  if (plan.root_state != nullptr && writer.target().keyed() && !request.own_room)
    program.table_ddl.push_back("ALTER TABLE " + qualified(request.schema, request.name) + " SET (fillfactor = 70)");
  const auto trees = plan.trees();
  const bool joins = std::any_of(trees.begin(), trees.end(), [](const Operator* tree) { return tree->joins(); });
  add_apply(with_encoding(request, trees), program, numbers, writer.full_body(), writer.differential_body(joins),
            {joins, writer.gone(), program.follows_time});
  if (program.follows_time) add_time(with_encoding(request, trees), trees, program);
  // Without an index each lookup would be a scan, which only a hash join does once.
  add_refresh(request, program, sources, numbers, {joins, all_indexed});
  if (request.immediate) {
    const WriterLocks locks = derive_locks(plan, writer.target().keyed());
    const auto differential = [&](const SourceNumbers& within, bool sized) {
      DifferentialWriter body(request, plan, within);
      body.leave_gone();
      return DeltaBody{body.differential_body(sized), body.gone()};
    };
    const std::string triggers = add_immediate(with_encoding(request, trees), plan, writer.target(), locks, sources,
                                               numbers, differential, {true, all_indexed}, program);
    std::vector<std::string> followed;
    for (const auto& source : sources) followed.push_back(qualified(source.source->schema, source.source->name));
    text += triggers + " each statement on " + join(followed, ", ") + ", and on partitions\n";
    text += "Writers to what it reads lock, until their transactions end:\n";
    for (const auto& line : locks.describe()) text += "  " + line + "\n";
  }
  return text;
}

void write_full(const CompileRequest& request, Program& program) {
  std::vector<std::string> wanted;
  for (const auto& col : request.columns) wanted.push_back(col.name);
  const auto names = unique_names(wanted);
  const Target target(request, names, {}, {});
  program.table_ddl = target.index_ddl();
  const SourceNumbers none;
  Statement statement(none);
  std::string query = request.query;
  while (!query.empty() && (query.back() == ';' || query.back() == '\n' || query.back() == ' ')) query.pop_back();
  std::vector<std::string> quoted;
  for (const auto& name : names) quoted.push_back(quote_ident(name));
  // The query's own column names may not be usable here (duplicates of our w): they are renamed by position.
  const Select last = target.replace(statement, Select({"*"}).from(Query::text(query), "q", quoted));
  const std::string full = run(statement, last) + check_violations(request, "content");
  add_apply(with_encoding(request, {}), program, none, full, {}, {});
  add_refresh(request, program, {}, none, {});
}

}  // namespace pgtrickle::compiler
