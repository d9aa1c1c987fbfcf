#include "compiler/operators/aggregate.h"

#include <algorithm>
#include <stdexcept>

#include "compiler/sql/function_text.h"
#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"
#include "compiler/sql/template.h"

namespace pgtrickle::compiler {

namespace {

/// NaN sorts above infinity. What is added to one of them stays one of them.
std::string is_special(const std::string& numeric) {
  return "abs(" + numeric + ") >= 'Infinity'";
}

}  // namespace

/// Everything about the state table's columns. Components are shared: sum(x) and avg(x) keep one sum.
struct Aggregate::Layout {
  std::vector<std::string> keys;  // quoted
  std::string n;
  std::vector<Component> components;
  std::vector<std::string> names;       // quoted, of the components
  std::vector<AggregatePlan> plans;     // per call
  std::vector<std::vector<int>> parts;  // per call: its components
  // names in the merged relation m
  std::string old_ctid, old_n, new_n, need;
  std::vector<std::string> old_names, new_names;

  [[nodiscard]] bool has(Maintenance kind) const {
    return std::any_of(components.begin(), components.end(), [&](const auto& c) { return c.maintenance == kind; });
  }
  [[nodiscard]] bool numeric_sums() const {
    return std::any_of(components.begin(), components.end(), [](const auto& c) { return c.numeric_sum; });
  }
  [[nodiscard]] bool may_recompute() const { return recomputes_groups() || numeric_sums(); }
  /// Not only, and so hardly ever, values that a sum cannot get rid of.
  [[nodiscard]] bool recomputes_groups() const { return has(Maintenance::kExtremum) || has(Maintenance::kReplace); }
  [[nodiscard]] std::vector<std::string> state_columns() const {
    auto all = keys;
    all.push_back(n);
    all.insert(all.end(), names.begin(), names.end());
    return all;
  }
  /// The value of call `i` with the components' SQL given by `column`.
  [[nodiscard]] std::string value(std::size_t i, const std::vector<std::string>& columns,
                                  const std::string& rows) const {
    std::vector<std::string> mine;
    for (const int part : parts[i]) mine.push_back(columns[static_cast<std::size_t>(part)]);
    return plans[i].value(mine, rows);
  }
};

Aggregate::Aggregate(OperatorPtr input, std::vector<Node> keys, std::vector<AggregateCall> calls,
                     const std::vector<std::string>& names)
    : keys_(std::move(keys)), calls_(std::move(calls)) {
  const auto unique = unique_names(names);
  for (std::size_t i = 0; i < keys_.size() + calls_.size(); ++i) {
    OutputColumn col{unique.at(i), false, std::nullopt, -1};
    int index = 0;
    if (i < keys_.size() && is_column(keys_[i], &index)) {
      const auto& from = input->columns().at(static_cast<std::size_t>(index));
      col.not_null = from.not_null;
      col.typmod = from.typmod;
    }
    columns_.push_back(std::move(col));
  }
  inputs_.push_back(std::move(input));
}

Aggregate::Layout Aggregate::layout() const {
  Layout l;
  std::vector<std::string> wanted;
  for (std::size_t i = 0; i < keys_.size(); ++i) wanted.push_back(columns_[i].name);
  for (const char* fixed : {"n", "old_ctid", "old_n", "new_n", "need"}) wanted.emplace_back(fixed);
  for (const auto& call : calls_) {
    l.plans.push_back(plan_aggregate(call, *inputs_[0]));
    std::vector<int> parts;
    for (const auto& component : l.plans.back().components) {
      auto found = std::find(l.components.begin(), l.components.end(), component);
      if (found == l.components.end()) {
        l.components.push_back(component);
        found = l.components.end() - 1;
      }
      parts.push_back(static_cast<int>(found - l.components.begin()));
    }
    l.parts.push_back(std::move(parts));
  }
  for (const auto& c : l.components) wanted.push_back(plain_name(c.hint));
  for (const auto& c : l.components) wanted.push_back("old_" + plain_name(c.hint));
  for (const auto& c : l.components) wanted.push_back("new_" + plain_name(c.hint));
  const auto names = unique_names(wanted);
  std::size_t at = 0;
  auto next = [&] { return quote_ident(names.at(at++)); };
  for (std::size_t i = 0; i < keys_.size(); ++i) l.keys.push_back(next());
  l.n = next();
  l.old_ctid = next();
  l.old_n = next();
  l.new_n = next();
  l.need = next();
  for (std::size_t i = 0; i < l.components.size(); ++i) l.names.push_back(next());
  for (std::size_t i = 0; i < l.components.size(); ++i) l.old_names.push_back(next());
  for (std::size_t i = 0; i < l.components.size(); ++i) l.new_names.push_back(next());
  return l;
}

std::vector<std::string> Aggregate::key_expressions() const {
  std::vector<std::string> list;
  for (const auto& key : keys_) list.push_back(render_operand(key, "i", *inputs_[0]));
  return list;
}

KeyedState Aggregate::state(const Layout& l) const {
  return {state_table(), l.keys, {columns_.begin(), columns_.begin() + static_cast<std::ptrdiff_t>(keys_.size())}};
}

/// The keys as they are over the input, under the names that the state has for them.
Select Aggregate::grouped(const Layout& l) const {
  Select select;
  const auto exprs = key_expressions();
  for (std::size_t i = 0; i < exprs.size(); ++i) select.item(exprs[i], l.keys[i]);
  return select.group_by(exprs);
}

Select Aggregate::state_query(const Layout& l) const {
  Select select = grouped(l);
  select.item("count(*)", l.n);
  for (std::size_t i = 0; i < l.components.size(); ++i) select.item(l.components[i].full, l.names[i]);
  return select.from(inputs_[0]->post(), "i");
}

std::vector<std::string> Aggregate::state_ddl() const {
  const Layout l = layout();
  std::vector<std::string> ddl;
  ddl.push_back(empty_table(state_table(), state_query(l)));
  for (auto& index : state(l).index_ddl(lookups_)) ddl.push_back(std::move(index));
  for (auto& statement : groups_ddl(l)) ddl.push_back(std::move(statement));
  return ddl;
}

std::vector<std::string> Aggregate::rebuild() const {
  const Layout l = layout();
  return refilled(state_table(), l.state_columns(), state_query(l));
}

FromItem Aggregate::from_state() const {
  const Layout l = layout();
  Select select(prefixed(l.keys, "s."));
  const auto columns = prefixed(l.names, "s.");
  for (std::size_t i = 0; i < calls_.size(); ++i)
    select.item(l.value(i, columns, "s." + l.n), quote_ident(columns_[keys_.size() + i].name));
  return select.from(state_table(), "s");
}

FromItem Aggregate::post() const {
  // As a plain query: used to ask for types before there is any state, and to say what the result has to be.
  Select select;
  const auto exprs = key_expressions();
  for (std::size_t i = 0; i < exprs.size(); ++i) select.item(exprs[i], quote_ident(columns_[i].name));
  for (std::size_t i = 0; i < calls_.size(); ++i)
    select.item(render(calls_[i].call, "i", *inputs_[0]), quote_ident(columns_[keys_.size() + i].name));
  select.from(inputs_[0]->post(), "i").group_by(exprs);
  if (columns_.empty()) select.having("true");  // one row, though nothing of it is used
  return select;
}

Delta Aggregate::delta(Statement& /*statement*/, bool /*consolidate*/) const {
  throw std::logic_error("an aggregate below another operator has to be cut out as a node first");
}

std::string Aggregate::group_delta(Statement& statement, const Layout& l) const {
  const bool needs_net = l.has(Maintenance::kExtremum) || l.has(Maintenance::kReplace);
  Delta input = inputs_[0]->delta(statement, needs_net);  // sums do not care
  if (needs_net && !input.consolidated) {
    std::vector<TypeInfo> types;
    for (const auto& col : inputs_[0]->columns()) types.push_back(col.type.value());
    input.from = statement.with("net", "input rows that changed, net",
                                consolidate(inputs_[0]->column_names(), types, input.from));
  }
  Select changed = grouped(l);
  changed.item("coalesce(sum(i.w), 0)::bigint", l.n);
  for (std::size_t i = 0; i < l.components.size(); ++i) {
    const auto& c = l.components[i];
    if (c.maintenance == Maintenance::kAdd) changed.item(c.delta, l.names[i]);
    if (c.maintenance == Maintenance::kExtremum)
      changed.item(c.inserted, l.new_names[i]).item(c.deleted, l.old_names[i]);
  }
  changed.from(input.from, "i");
  // Without GROUP BY an empty delta would still make a row: nothing changed, so there shall be none.
  if (global()) changed.having("count(*) > 0");
  return statement.with("g", "changed groups: what is added to each", changed);
}

/// The state's columns of the groups of `keys`; n only for a function. `if_any(null_keys)`: conditions without rows,
/// true if there is a group at all (with a NULL in one of null_keys).
Query Aggregate::recompute_query(
    const Layout& l, const FromItem& keys, bool with_n,
    const std::function<std::vector<std::string>(const std::vector<std::string>&)>& if_any) const {
  Select list(prefixed(l.keys, "k."));
  if (with_n) list.item("count(*)", l.n);
  for (std::size_t i = 0; i < l.components.size(); ++i) list.item(l.components[i].full, l.names[i]);
  const FromItem post = inputs_[0]->post();
  if (global()) return list.from(post, "i").where(if_any({}));
  list.from(keys, "k").from(post, "i").group_by(prefixed(l.keys, "k."));
  std::vector<bool> not_null;
  const auto exprs = key_expressions();
  for (std::size_t i = 0; i < exprs.size(); ++i) not_null.push_back(columns_[i].not_null);
  std::vector<Query> arms;
  for (const auto& way : key_lookups(exprs, l.keys, state(l).types(), not_null))
    arms.emplace_back(Select(list).where(way.conditions).where(if_any(way.null_keys)));
  return union_all(arms);
}

/// A function, where groups are seldom recomputed: of its plan nothing is started until there is one. Of many groups,
/// or of one where that is the exception of the exception.
std::vector<std::string> Aggregate::groups_ddl(const Layout& l) const {
  if (!l.may_recompute() || l.has(Maintenance::kReplace)) return {};
  const bool many = l.recomputes_groups();
  const FromItem keys = many ? FromItem("unnest($1)") : FromItem(Select({"($1).*"}));
  const Query query =
      recompute_query(l, keys, true, [](const std::vector<std::string>&) { return std::vector<std::string>{}; });
  const std::string argument = state_table() + (many ? "[]" : "");
  constexpr const char* kMany = R"sql(
      #variable_conflict use_column
      BEGIN
          RETURN QUERY
          ${groups};
      END
  )sql";
  constexpr const char* kOne = R"sql(
      #variable_conflict use_column
      DECLARE
          r ${row};
      BEGIN
          ${group};
          RETURN r;
      END
  )sql";
  const std::string body =
      many ? fill(kMany, {{"groups", query.sql()}})
           : fill(kOne, {{"row", state_table()}, {"group", Select({"q.*"}).from(query, "q").into({"r"}).sql()}});
  const std::string about =
      many ? "-- Groups that their state does not tell, from the sources: an extremum is gone, or a sum was NaN or "
             "infinite.\n"
           : "-- A group from the sources: a sum in its state was NaN or infinite.\n";
  return {plpgsql_function(about + "CREATE OR REPLACE FUNCTION " + groups_function() + "(groups " + argument +
                               ") RETURNS " + (many ? "SETOF " : "") + state_table() + "\nLANGUAGE plpgsql",
                           body),
          "REVOKE ALL ON FUNCTION " + groups_function() + "(" + argument + ") FROM PUBLIC"};
}

/// The key of a group as a row of the state: what the function takes.
std::string Aggregate::key_row(const Layout& l, const std::string& prefix) const {
  auto row = prefixed(l.keys, prefix);
  row.resize(row.size() + 1 + l.components.size(), "NULL");
  return "ROW(" + join(row, ", ") + ")::" + state_table();
}

std::string Aggregate::recomputed(Statement& statement, const Layout& l, const std::string& merged) const {
  const std::string need = "m." + l.need;
  if (l.has(Maintenance::kReplace)) {
    const Select keys = Select(l.keys).from(merged, "m").where(need);
    return statement.with("r", "groups that are computed from the sources",
                          recompute_query(l, keys, false, [&](const std::vector<std::string>& null_keys) {
                            const std::string needed =
                                null_keys.empty() ? need : need + " AND " + any_null(null_keys, "m.");
                            const Select any = Select({"bool_or(" + needed + ")"}).from(merged, "m");
                            return std::vector<std::string>{Query(any).in_parentheses()};
                          }));
  }
  const Select groups = Select().item("array_agg(" + key_row(l, "m.") + ")", "groups").from(merged, "m").where(need);
  return statement.with("r", "groups that their state does not tell any more",
                        Select({"r.*"})
                            .from(groups, "k")
                            .cross_join_lateral(groups_function() + "(k.groups)", "r")
                            .where("k.groups IS NOT NULL"));
}

/// The new value of a component that is added up. Where nothing else makes groups be recomputed, a sum that cannot be
/// told is asked for in an expression: that starts nothing unless there is one.
std::string Aggregate::added(const Layout& l, std::size_t component) const {
  const auto sum = [&](std::size_t i) { return "coalesce(s." + l.names[i] + ", 0) + g." + l.names[i]; };
  const Component& c = l.components[component];
  if (l.recomputes_groups() || (!c.numeric_sum && !c.told_by)) return sum(component);
  std::size_t sign = component;
  if (c.told_by) {
    const auto found = std::find_if(l.components.begin(), l.components.end(),
                                    [&](const Component& other) { return other.full == *c.told_by; });
    sign = static_cast<std::size_t>(found - l.components.begin());
  }
  return "CASE WHEN " + is_special(sum(sign)) + " THEN (" + groups_function() + "(" + key_row(l, "g.") + "))." +
         l.names[component] + " ELSE " + sum(component) + " END";
}

/// m: the affected groups, old state and new, and whether that does not tell.
Select Aggregate::beside_state(const Layout& l, const std::string& changed, bool with_old) const {
  Select merged(prefixed(l.keys, "g."));
  const std::string new_n = "coalesce(s." + l.n + ", 0) + g." + l.n;
  merged.item("s.ctid", l.old_ctid);
  if (with_old) merged.item("coalesce(s." + l.n + ", 0)", l.old_n);
  merged.item(new_n, l.new_n);
  std::vector<std::string> need;
  for (std::size_t i = 0; i < l.components.size(); ++i) {
    const auto& c = l.components[i];
    const std::string old_value = "s." + l.names[i];
    if (with_old) merged.item(old_value, l.old_names[i]);
    if (c.maintenance == Maintenance::kAdd) {
      merged.item(added(l, i), l.new_names[i]);
      if (c.numeric_sum) need.push_back(is_special("coalesce(" + old_value + ", 0) + g." + l.names[i]));
    } else if (c.maintenance == Maintenance::kExtremum) {
      const std::string inserted = "g." + l.new_names[i];
      const std::string deleted = "g." + l.old_names[i];
      const std::string beats = c.greatest ? " >= " : " <= ";
      merged.item((c.greatest ? "greatest(" : "least(") + old_value + ", " + inserted + ")", l.new_names[i]);
      need.push_back("coalesce(" + deleted + " IS NOT NULL AND (" + old_value + " IS NULL OR " + deleted + beats +
                     old_value + ")" + (c.spelled ? "" : " AND (" + inserted + beats + old_value + ") IS NOT TRUE") +
                     ", false)");
    } else {
      merged.item(old_value, l.new_names[i]);
      need.emplace_back("true");
    }
  }
  if (l.recomputes_groups()) {
    const std::string alive = global() ? "true" : new_n + " > 0";
    const bool always = std::find(need.begin(), need.end(), "true") != need.end();
    merged.item(always ? alive : alive + " AND (" + join(need, "\n OR ") + ")", l.need);
  }
  return merged.from(changed, "g").join("LEFT JOIN", state_table(), "s", state(l).match("s.", "g."));
}

Changes Aggregate::differential(Statement& statement) const {
  const Layout l = layout();
  const std::string g = group_delta(statement, l);

  const bool with_old = !statement.leaves_gone();
  std::string m = statement.with("m", "those groups beside their stored values", beside_state(l, g, with_old));
  if (l.recomputes_groups()) {
    const std::string r = recomputed(statement, l, m);
    Select merged(prefixed(l.keys, "m."));
    merged.item("m." + l.old_ctid);
    if (with_old) merged.item("m." + l.old_n);
    merged.item("m." + l.new_n);
    for (std::size_t i = 0; i < l.components.size(); ++i) {
      if (with_old) merged.item("m." + l.old_names[i]);
      merged.item("CASE WHEN m." + l.need + " THEN r." + l.names[i] + " ELSE m." + l.new_names[i] + " END",
                  l.new_names[i]);
    }
    auto on = state(l).match("r.", "m.");
    on.insert(on.begin(), "m." + l.need);
    m = statement.with("m", "the same, with what was recomputed", merged.from(m, "m").join("LEFT JOIN", r, "r", on));
  }

  const MergedRows rows{m, l.old_ctid, l.old_n, l.new_n, l.new_names, {}};
  state(l).apply(statement, rows, l.n, l.names);
  std::vector<std::string> old_values;
  std::vector<std::string> new_values;
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    old_values.push_back(l.value(i, prefixed(l.old_names, "m."), "m." + l.old_n));
    new_values.push_back(l.value(i, prefixed(l.new_names, "m."), "m." + l.new_n));
  }
  return state(l).changes(statement, rows, columns_, old_values, new_values);
}

Select Aggregate::changed_keys(Statement& statement) const {
  return Select({row_hash(key_expressions(), state(layout()).types(), "")})
      .from(inputs_[0]->delta(statement, false).from, "i");
}

std::vector<int> Aggregate::prune(const std::set<int>& needed) {
  // Keys make the groups: they stay. Calls nobody reads go.
  std::set<int> kept;
  for (std::size_t i = 0; i < keys_.size(); ++i) kept.insert(static_cast<int>(i));
  for (const int index : needed) kept.insert(index);
  std::vector<AggregateCall> calls;
  for (std::size_t i = 0; i < calls_.size(); ++i)
    if (kept.count(static_cast<int>(keys_.size() + i)) != 0) calls.push_back(std::move(calls_[i]));
  calls_ = std::move(calls);
  auto mapping = keep_columns(columns_, kept);
  std::set<int> below;
  auto need = [&](const Node& expr) {
    for (const int index : columns_of(expr)) below.insert(index);
  };
  for (const auto& key : keys_) need(key);
  for (const auto& call : calls_) need(call.call);
  const auto moved = inputs_[0]->prune(below);
  for (auto& key : keys_) key = remap(key, moved);
  for (auto& call : calls_) call.call = remap(call.call, moved);
  return mapping;
}

bool Aggregate::absorb_filter(const Node& predicate) {
  const auto used = columns_of(predicate);
  if (used.empty() || used.back() >= static_cast<int>(keys_.size())) return false;
  // A filter on keys only removes whole groups: it can as well remove their rows.
  return inputs_[0]->absorb_filter(
      map_columns(predicate, [this](int index) { return keys_.at(static_cast<std::size_t>(index)); }));
}

void Aggregate::resolve_types(TypeOracle& oracle) {
  Operator::resolve_types(oracle);
  std::vector<Node> exprs = keys_;
  for (const auto& call : calls_)
    for (const auto& arg : call.func().args()) exprs.push_back(arg);
  const auto types = expression_types(exprs, *inputs_[0], oracle);
  std::size_t at = 0;
  for (std::size_t i = 0; i < keys_.size(); ++i) columns_[i].type = types[at++];
  for (auto& call : calls_) {
    call.argument_types.clear();
    for (int a = 0; a < call.func().args_size(); ++a) call.argument_types.push_back(types[at++]);
    int index = 0;
    call.fixed_scale = call.func().args_size() == 1 && is_column(call.func().args(0), &index) &&
                       inputs_[0]->columns().at(static_cast<std::size_t>(index)).typmod >= 0;
  }
  if (calls_.empty()) return;
  std::vector<std::string> values;
  for (const auto& call : calls_)
    values.push_back(render(call.call, "i", *inputs_[0]) + " AS c" + std::to_string(values.size() + 1));
  const auto results = oracle.column_types(Select(values).from(inputs_[0]->post(), "i").sql());
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    columns_[keys_.size() + i].type = results.at(i);
    columns_[keys_.size() + i].not_null = calls_[i].schema.empty() && calls_[i].name == "count";
  }
}

std::vector<Key> Aggregate::keys() const {
  if (global()) return {};
  Key key;
  for (std::size_t i = 0; i < keys_.size(); ++i) key.push_back(static_cast<int>(i));
  return {key};
}

bool Aggregate::indexed(int column) const {
  return column < static_cast<int>(keys_.size()) && StatefulOperator::indexed(column);
}

void Aggregate::want_lookup(int column) {
  if (column < static_cast<int>(keys_.size())) lookups_.push_back({column});
}

std::string Aggregate::describe() const {
  if (calls_.empty() && !global()) return "Distinct " + join(key_expressions(), ", ");
  std::vector<std::string> values;
  for (const auto& call : calls_) values.push_back(render(call.call, "i", *inputs_[0]));
  return "Aggregate " + join(values, ", ") + (global() ? "" : " by " + join(key_expressions(), ", "));
}

std::string Aggregate::cost_class() const {
  const Layout l = layout();
  if (l.has(Maintenance::kReplace)) return "O(affected groups)";
  if (l.has(Maintenance::kExtremum)) return "O(delta), a group when its extremum is deleted";
  return "O(delta)";
}

std::vector<std::string> Aggregate::notes() const {
  std::vector<std::string> notes;
  for (const auto& plan : layout().plans)
    if (!plan.note.empty()) notes.push_back(plan.note);
  return notes;
}

void Aggregate::index_advice(std::vector<std::string>& advice) const {
  Operator::index_advice(advice);
  if (!layout().may_recompute() || layout().numeric_sums()) return;
  for (const auto& key : keys_) {
    int index = 0;
    if (is_column(key, &index)) inputs_[0]->advise_lookup(index, advice);
  }
}

bool Aggregate::only_adds() const {
  return !global() && !layout().recomputes_groups();
}

std::vector<std::string> Aggregate::unique_ddl() const {
  const Layout l = layout();
  if (state(l).plain_identity()) return {};
  return {"CREATE UNIQUE INDEX ON " + state_table() + " (" + join(l.keys, ", ") + ") NULLS NOT DISTINCT"};
}

Select Aggregate::increments(const Query& rows, const std::vector<std::string>& conditions, bool may_be_none) const {
  const Layout l = layout();
  Select changed = grouped(l);
  const std::string n = "coalesce(sum(i.w), 0)::bigint";
  changed.item(n, l.n);
  std::vector<std::string> something{n + " <> 0"};
  for (std::size_t i = 0; i < l.components.size(); ++i) {
    changed.item(l.components[i].delta, l.names[i]);
    something.push_back(l.components[i].delta + " <> 0");
  }
  changed.from(rows, "i").where(conditions);
  if (may_be_none) changed.having("(" + join(something, "\n OR ") + ")");
  return changed;
}

/// In one order for all writers, so that two statements that change the same groups cannot deadlock.
Insert Aggregate::add_to_state(const std::string& increments) const {
  const Layout l = layout();
  std::vector<std::string> set;
  for (const auto& column : l.state_columns())
    if (std::find(l.keys.begin(), l.keys.end(), column) == l.keys.end())
      set.push_back(column + " = s." + column + " + excluded." + column);
  const Select rows = Select(prefixed(l.state_columns(), "g."))
                          .from(increments, "g")
                          .order_by({row_hash(l.keys, state(l).types(), "g.")});
  return Insert(state_table(), l.state_columns(), rows)
      .as("s")
      .on_conflict("(" + join(l.keys, ", ") + ")", set, {})
      .returning("s.ctid AS " + l.old_ctid + ", " + join(prefixed(l.state_columns(), "s."), ", "));
}

std::string Aggregate::tid_column() const {
  return layout().old_ctid;
}

std::string Aggregate::seen_of(const std::string& tids) const {
  return "FROM " + state_table() + " s, " + state_table() + " o\nWHERE s.ctid = ANY (" + tids + ") AND " +
         join(state(layout()).match("o.", "s."), " AND ") + "\nFOR UPDATE OF o";
}

std::string Aggregate::not_empty() const {
  return "s." + layout().n + " > 0";
}

std::string Aggregate::nothing_left() const {
  const Layout l = layout();
  std::vector<std::string> zero{"s." + l.n + " = 0"};
  for (const auto& name : l.names) zero.push_back("s." + name + " = 0");
  return join(zero, " AND ");
}

std::string Aggregate::untold() const {
  const Layout l = layout();
  std::vector<std::string> special;
  for (std::size_t i = 0; i < l.components.size(); ++i)
    if (l.components[i].numeric_sum) special.push_back(is_special("s." + l.names[i]));
  if (special.empty()) return {};
  return special.size() == 1 ? special.front() : "(" + join(special, " OR ") + ")";
}

Select Aggregate::told(const std::string& state) const {
  const Layout l = layout();
  Select rows(prefixed(l.keys, "s."));
  for (std::size_t i = 0; i < calls_.size(); ++i)
    rows.item(l.value(i, prefixed(l.names, "s."), "s." + l.n), quote_ident(columns_[keys_.size() + i].name));
  rows.from(state, "s").where(not_empty());
  if (l.numeric_sums()) rows.where("NOT " + untold());
  return rows;
}

Select Aggregate::computed(const std::string& condition) const {
  const Layout l = layout();
  Select rows(prefixed(l.keys, "s."));
  for (std::size_t i = 0; i < calls_.size(); ++i)
    rows.item(l.value(i, prefixed(l.names, "r."), "s." + l.n), quote_ident(columns_[keys_.size() + i].name));
  return rows.from(state_table(), "s")
      .cross_join_lateral(groups_function() + "(" + key_row(l, "s.") + ")", "r")
      .where({condition, not_empty()});
}

OperatorPtr make_distinct(OperatorPtr input) {
  std::vector<Node> keys;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < input->columns().size(); ++i) {
    keys.push_back(column(static_cast<int>(i)));
    names.push_back(input->columns()[i].name);
  }
  return std::make_unique<Aggregate>(std::move(input), std::move(keys), std::vector<AggregateCall>{}, names);
}

}  // namespace pgtrickle::compiler
