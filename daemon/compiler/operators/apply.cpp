#include "compiler/operators/apply.h"

#include <algorithm>
#include <stdexcept>

#include "compiler/operators/membership.h"
#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

struct Apply::Layout {
  std::vector<std::string> tuple;  // quoted
  std::vector<std::string> values;
  std::string n, old_ctid, old_n, new_n, affected, need;
  std::vector<std::string> old_values, new_values;
};

Apply::Apply(OperatorPtr outer, std::vector<Feed> feeds, std::vector<Node> values,
             const std::vector<std::string>& value_names)
    : has_outer_(outer != nullptr), values_(std::move(values)) {
  std::vector<std::string> wanted;
  if (has_outer_) {
    for (const auto& col : outer->columns()) wanted.push_back(col.name);
    columns_ = outer->columns();
    tuple_size_ = columns_.size();
    if (tuple_size_ == 0) throw std::logic_error("an outer relation without correlation columns");
    inputs_.push_back(std::move(outer));
  }
  wanted.insert(wanted.end(), value_names.begin(), value_names.end());
  columns_.resize(tuple_size_ + values_.size());
  const auto names = unique_names(wanted);
  for (std::size_t i = 0; i < columns_.size(); ++i) columns_[i].name = names.at(i);
  for (auto& feed : feeds) {
    inputs_.push_back(std::move(feed.relation));
    matches_.push_back(std::move(feed.match));
  }
}

Apply::Layout Apply::layout() const {
  // The output's own names come first, so they stay as they are.
  std::vector<std::string> wanted;
  for (const auto& col : columns_) wanted.push_back(col.name);
  for (const char* fixed : {"n", "old_ctid", "old_n", "new_n", "affected", "need"}) wanted.emplace_back(fixed);
  for (const char* side : {"old_", "new_"})
    for (std::size_t i = 0; i < values_.size(); ++i)
      wanted.push_back(side + plain_name(columns_[tuple_size_ + i].name));
  Layout l;
  const auto names = unique_names(wanted);
  std::size_t at = 0;
  auto next = [&] { return quote_ident(names.at(at++)); };
  auto fill = [&](std::vector<std::string>& list, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) list.push_back(next());
  };
  fill(l.tuple, tuple_size_);
  fill(l.values, values_.size());
  for (auto* name : {&l.n, &l.old_ctid, &l.old_n, &l.new_n, &l.affected, &l.need}) *name = next();
  fill(l.old_values, values_.size());
  fill(l.new_values, values_.size());
  return l;
}

KeyedState Apply::state() const {
  return {
      state_table(), tuple_names(), {columns_.begin(), columns_.begin() + static_cast<std::ptrdiff_t>(tuple_size_)}};
}

Correlation Apply::correlation() const {
  std::vector<const Operator*> feeds;
  for (std::size_t i = has_outer_ ? 1 : 0; i < inputs_.size(); ++i) feeds.push_back(inputs_[i].get());
  return {state_table(),
          {columns_.begin(), columns_.begin() + static_cast<std::ptrdiff_t>(tuple_size_)},
          std::move(feeds),
          matches_};
}

std::vector<std::string> Apply::tuple_names() const {
  auto names = column_names();
  names.resize(tuple_size_);
  return names;
}

/// The values over a tuple in scope as kOuterAlias; `few`: for few tuples.
std::vector<std::string> Apply::value_list(bool few) const {
  std::vector<std::string> list;
  for (const auto& value : values_) {
    const Node lookups = by_lookup(value);
    list.push_back(render_operand(few ? one_by_one(lookups) : lookups, kOuterAlias, *this));
  }
  return list;
}

/// The tuples in `from`, which has the outer's columns: each once.
Select Apply::grouped_outer(const FromItem& from) const {
  std::vector<std::string> select;
  std::vector<std::string> group;
  const auto outer = inputs_[0]->column_names("o.");
  const auto names = tuple_names();
  for (std::size_t i = 0; i < tuple_size_; ++i)
    add_grouped(outer[i], columns_[i].type.value(), names[i], select, group);
  return Select(std::move(select)).from(from, "o").group_by(std::move(group));
}

/// The whole relation as a query, computed from the sources.
Select Apply::content(bool with_count) const {
  const Layout l = layout();
  const std::string alias = quote_ident(kOuterAlias);
  Select select(prefixed(l.tuple, alias + "."));
  if (with_count) global() ? select.item("1::bigint", l.n) : select.item(alias + "." + l.n);
  const auto values = value_list(false);
  for (std::size_t i = 0; i < values.size(); ++i) select.item(values[i], l.values[i]);
  if (global()) return select;
  Select tuples = grouped_outer(inputs_[0]->post());
  if (with_count) tuples.item("count(*)", l.n);
  return select.from(tuples, alias);
}

FromItem Apply::post() const {
  return content(false);
}

Delta Apply::delta(Statement& /*statement*/, bool /*consolidate*/) const {
  throw std::logic_error("subquery values below another operator have to be cut out as a node first");
}

std::vector<std::string> Apply::state_ddl() const {
  std::vector<std::string> ddl;
  ddl.push_back(empty_table(state_table(), content(true)));
  auto lookups = correlation().lookups();
  lookups.insert(lookups.end(), lookups_.begin(), lookups_.end());
  for (auto& index : state().index_ddl(lookups)) ddl.push_back(std::move(index));
  return ddl;
}

std::vector<std::string> Apply::rebuild() const {
  const Layout l = layout();
  auto columns = l.tuple;
  columns.push_back(l.n);
  columns.insert(columns.end(), l.values.begin(), l.values.end());
  return refilled(state_table(), columns, content(true));
}

FromItem Apply::from_state() const {
  return Select(column_names("s.")).from(state_table(), "s");
}

// The statement -------------------------------------------------------------------------------------------------------

/// One row per affected tuple: the stored row, the new count, and whether values have to be computed.
std::string Apply::merged(Statement& statement, const Layout& l) const {
  std::vector<std::string> old_values;
  for (std::size_t i = 0; i < values_.size(); ++i) old_values.push_back("s." + l.values[i] + " AS " + l.old_values[i]);
  if (global()) {
    std::vector<std::string> any;
    for (const auto& part : correlation().affected(statement, {})) any.push_back(exists(part));
    return statement.with("m", "the row of the state, if anything may change its values",
                          Select()
                              .item("s.ctid", l.old_ctid)
                              .item("s." + l.n, l.old_n)
                              .item("s." + l.n, l.new_n)
                              .item("true", l.need)
                              .items(old_values)
                              .from(state_table(), "s")
                              .where(any.empty() ? "false" : join(any, "\n OR ")));
  }

  std::vector<Query> changed{Select(inputs_[0]->column_names("i."))
                                 .item("i.w")
                                 .item("false", l.affected)
                                 .from(inputs_[0]->delta(statement, false).from, "i")};
  auto of_state = prefixed(l.tuple, "s.");
  of_state.insert(of_state.end(), {"0", "true"});
  for (const auto& part : correlation().affected(statement, of_state)) changed.emplace_back(part);
  const std::string x = statement.with("x", "outer tuples: how many come, and whether their values may have changed",
                                       grouped_outer(union_all(changed))
                                           .item("coalesce(sum(o.w), 0)::bigint", l.n)
                                           .item("bool_or(o." + l.affected + ")", l.affected)
                                           .having("(sum(o.w) <> 0 OR bool_or(o." + l.affected + "))"));

  Select beside;
  for (std::size_t i = 0; i < tuple_size_; ++i) {
    // Of equal values that are written differently the stored one stays: others have seen it.
    const bool same = columns_[i].type->identity && columns_[i].type->equatable;
    beside.item(same ? "x." + l.tuple[i]
                     : "CASE WHEN s.ctid IS NULL THEN x." + l.tuple[i] + " ELSE s." + l.tuple[i] + " END AS " +
                           l.tuple[i]);
  }
  const std::string new_n = "coalesce(s." + l.n + ", 0) + x." + l.n;
  beside.item("s.ctid", l.old_ctid)
      .item("coalesce(s." + l.n + ", 0)", l.old_n)
      .item(new_n, l.new_n)
      .item(new_n + " > 0 AND (x." + l.affected + " OR s.ctid IS NULL)", l.need)
      .items(old_values)
      .from(x, "x")
      .join("LEFT JOIN", state_table(), "s", state().match("s.", "x."));
  return statement.with("m", "those tuples beside their stored values", beside);
}

Changes Apply::differential(Statement& statement) const {
  const Layout l = layout();
  const std::string m = merged(statement, l);
  const std::string alias = quote_ident(kOuterAlias);
  Select computed(prefixed(l.tuple, alias + "."));
  computed.items(prefixed({l.old_ctid, l.old_n, l.new_n}, alias + ".")).items(prefixed(l.old_values, alias + "."));
  const auto values = value_list(correlation().served());
  for (std::size_t i = 0; i < values.size(); ++i)
    computed.item(
        "CASE WHEN " + alias + "." + l.need + " THEN " + values[i] + " ELSE " + alias + "." + l.old_values[i] + " END",
        l.new_values[i]);
  MergedRows rows{statement.with("r", "the subqueries, run for tuples that need it", computed.from(m, alias)),
                  l.old_ctid,
                  l.old_n,
                  l.new_n,
                  l.new_values,
                  "m." + l.new_n + " <> m." + l.old_n};
  if (!values_.empty())
    rows.changed += " OR " + row_differs(prefixed(l.old_values, "m."), prefixed(l.new_values, "m."));
  state().apply(statement, rows, l.n, l.values);
  return state().changes(statement, rows, columns_, prefixed(l.old_values, "m."), prefixed(l.new_values, "m."));
}

// The rest ------------------------------------------------------------------------------------------------------------

std::vector<int> Apply::prune(const std::set<int>& needed) {
  // The tuple is the identity: it stays. Values nobody reads go, and with the last of them the feeds.
  std::set<int> kept;
  for (std::size_t i = 0; i < tuple_size_; ++i) kept.insert(static_cast<int>(i));
  for (const int index : needed) kept.insert(index);
  std::vector<Node> values;
  for (std::size_t i = 0; i < values_.size(); ++i)
    if (kept.count(static_cast<int>(tuple_size_ + i)) != 0) values.push_back(std::move(values_[i]));
  values_ = std::move(values);
  if (values_.empty()) {
    matches_.clear();
    inputs_.resize(has_outer_ ? 1 : 0);
  }
  for (auto& input : inputs_) {
    // Every column of the inputs is in use; what is below them may have more.
    std::set<int> all;
    for (std::size_t i = 0; i < input->columns().size(); ++i) all.insert(static_cast<int>(i));
    input->prune(all);
  }
  return keep_columns(columns_, kept);
}

void Apply::resolve_types(TypeOracle& oracle) {
  Operator::resolve_types(oracle);
  for (std::size_t i = 0; i < tuple_size_; ++i) {
    const auto& from = inputs_[0]->columns()[i];
    columns_[i].type = from.type;
    columns_[i].typmod = from.typmod;
    columns_[i].not_null = from.not_null;
  }
  if (values_.empty()) return;
  auto names = column_names("p.");
  names.erase(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(tuple_size_));
  const auto types = oracle.column_types(Select(names).from(post(), "p").sql());
  for (std::size_t i = 0; i < values_.size(); ++i) {
    auto& col = columns_[tuple_size_ + i];
    col.type = types.at(i);
    col.not_null = values_[i].has_sub_link() && values_[i].sub_link().sub_link_type() == pg_query::EXISTS_SUBLINK;
  }
}

std::vector<Key> Apply::keys() const {
  Key key;  // without a tuple nothing is needed to identify the one row
  for (std::size_t i = 0; i < tuple_size_; ++i) key.push_back(static_cast<int>(i));
  return {key};
}

void Apply::want_lookup(int column) {
  if (column < static_cast<int>(tuple_size_)) lookups_.push_back({column});
}

bool Apply::indexed(int column) const {
  return column < static_cast<int>(tuple_size_) && StatefulOperator::indexed(column);
}

std::string Apply::describe() const {
  std::vector<std::string> values;
  for (const auto& value : values_) values.push_back(render(value, kOuterAlias, *this));
  return "Apply " + join(values, ", ") + (global() ? std::string() : " per " + join(tuple_names(), ", "));
}

std::string Apply::cost_class() const {
  if (global()) return "O(value)";
  if (!correlation().finds_all()) return "O(affected keys), every key is tested: O(keys)";
  return "O(delta x affected keys)";
}

void Apply::index_advice(std::vector<std::string>& advice) const {
  Operator::index_advice(advice);
  correlation().index_advice(advice);
}

}  // namespace pgtrickle::compiler
