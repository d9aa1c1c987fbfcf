#include "compiler/operators/apply.h"

#include <algorithm>
#include <stdexcept>

#include "compiler/operators/membership.h"
#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

namespace {

bool is_builtin_operator(const Node& expr, const std::string& wanted) {
  if (!expr.has_a_expr() || expr.a_expr().kind() != pg_query::AEXPR_OP) return false;
  const auto [schema, name] = qualified_name(expr.a_expr().name());
  return schema.empty() && name == wanted && expr.a_expr().has_lexpr() && expr.a_expr().has_rexpr();
}

Node equality_of(const Node& comparison) {
  Node node = comparison;
  node.mutable_a_expr()->mutable_name(0)->mutable_string()->set_sval("=");
  node.mutable_a_expr()->mutable_name()->DeleteSubrange(1, node.a_expr().name_size() - 1);
  return node;
}

Node is_null(const Node& expr) {
  Node node;
  auto* test = node.mutable_null_test();
  *test->mutable_arg() = expr;
  test->set_nulltesttype(pg_query::IS_NULL);
  return node;
}

/// The equality behind (x = y) IS NOT FALSE and (x <> y) IS NOT TRUE, both of which say: equal, or one of them NULL.
std::optional<Node> equal_or_null(const Node& conjunct) {
  if (!conjunct.has_boolean_test()) return std::nullopt;
  const auto& test = conjunct.boolean_test();
  const bool equal_form = test.booltesttype() == pg_query::IS_NOT_FALSE && is_builtin_operator(test.arg(), "=");
  const bool unequal_form = test.booltesttype() == pg_query::IS_NOT_TRUE && is_builtin_operator(test.arg(), "<>");
  if (!equal_form && !unequal_form) return std::nullopt;
  // Comparison of row constructors goes field by field: one NULL field is not a NULL row.
  if (test.arg().a_expr().lexpr().has_row_expr() || test.arg().a_expr().rexpr().has_row_expr()) return std::nullopt;
  return equality_of(test.arg());
}

}  // namespace

struct Apply::Layout {
  std::vector<std::string> tuple;  // quoted
  std::vector<std::string> values;
  std::string n, old_ctid, old_n, new_n, affected, need;
  std::vector<std::string> old_values, new_values;
};

struct Apply::Lookup {
  int column;  // of the tuple
  Node value;  // over the feed's row
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

/// Whether an index serves the subqueries, as far as their correlation says.
bool Apply::served() const {
  for (std::size_t f = 0; f < matches_.size(); ++f) {
    const auto match = arms(f).front();
    if (std::none_of(match.begin(), match.end(), [&](const Node& conjunct) {
          const auto found = lookup(conjunct);
          int position = 0;
          return found && is_column(found->value, &position) && feed(f).indexed(position);
        }))
      return false;
  }
  return true;
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
  auto lookups = feed_lookups();
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

// Which tuples a feed affects -----------------------------------------------------------------------------------------

bool Apply::over_tuple(const Node& conjunct) const {
  return row().reads(conjunct, Side::kLeft);
}

bool Apply::over_feed(const Node& conjunct) const {
  return row().reads(conjunct, Side::kRight);
}

std::optional<Apply::Lookup> Apply::lookup(const Node& conjunct) const {
  if (!is_builtin_operator(conjunct, "=")) return std::nullopt;
  const auto& expr = conjunct.a_expr();
  for (const bool left : {true, false}) {
    const Node& mine = left ? expr.lexpr() : expr.rexpr();
    const Node& theirs = left ? expr.rexpr() : expr.lexpr();
    int index = 0;
    if (is_column(mine, &index) && over_tuple(mine) && row().reads_only(theirs, Side::kRight))
      return Lookup{index, row().local(theirs, Side::kRight)};
  }
  return std::nullopt;
}

/// The match of a feed as a disjunction of conjunctions. Only a condition that would otherwise hide an equality from
/// the index is taken apart: x = y, y is NULL, x is NULL, without the arms that NOT NULL excludes.
std::vector<std::vector<Node>> Apply::arms(std::size_t f) const {
  const auto& match = matches_[f];
  if (std::any_of(match.begin(), match.end(), [&](const Node& c) { return lookup(c).has_value(); })) return {match};
  for (std::size_t i = 0; i < match.size(); ++i) {
    const auto equality = equal_or_null(match[i]);
    if (!equality) continue;
    const auto found = lookup(*equality);
    if (!found) continue;
    std::vector<std::vector<Node>> arms{match};
    arms[0][i] = *equality;
    int position = 0;
    const bool plain = is_column(found->value, &position);
    if (!plain || !feed(f).columns().at(static_cast<std::size_t>(position)).not_null) {
      arms.push_back(match);
      arms.back()[i] = is_null(row().beside(found->value, Side::kRight));
    }
    if (!columns_[static_cast<std::size_t>(found->column)].not_null) {
      arms.push_back(match);
      arms.back()[i] = is_null(column(found->column));
    }
    return arms;
  }
  return {match};
}

/// The columns of the tuple that each feed's rows look up.
std::vector<Key> Apply::feed_lookups() const {
  std::vector<Key> lookups;
  for (std::size_t f = 0; f < matches_.size(); ++f) {
    std::set<int> columns;
    const auto first = arms(f).front();
    for (const auto& conjunct : first)
      if (const auto found = lookup(conjunct); found) columns.insert(found->column);
    if (!columns.empty()) lookups.emplace_back(columns.begin(), columns.end());
  }
  return lookups;
}

/// A conjunct over a state row s and a feed row f.
std::string Apply::condition(std::size_t f, const Node& conjunct) const {
  const std::string sql = deparse_expr(row().map(conjunct, [&](SideColumn at) {
    const bool tuple = at.side == Side::kLeft;
    const auto& columns = tuple ? columns_ : feed(f).columns();
    return column_ref(tuple ? "s" : "f", columns.at(static_cast<std::size_t>(at.column)).name);
  }));
  return conjunct.has_bool_expr() ? "(" + sql + ")" : sql;
}

/// `wanted` of the state rows s that the rows of a feed's delta affect through one arm.
Select Apply::affected_by(const Statement& statement, std::size_t f, const std::vector<Node>& arm,
                          const std::string& delta, const std::vector<std::string>& wanted) const {
  std::vector<std::string> on_state;
  std::vector<std::string> on_feed;
  std::vector<std::string> on_both;
  std::set<int> compared;  // columns of the feed
  bool indexed = false;
  for (const auto& conjunct : arm) {
    const bool both = over_tuple(conjunct) && over_feed(conjunct);
    (both ? on_both : over_tuple(conjunct) ? on_state : on_feed).push_back(condition(f, conjunct));
    indexed = indexed || lookup(conjunct).has_value();
    if (!both) continue;
    for (const int column : row().columns_of(conjunct, Side::kRight)) compared.insert(column);
  }
  on_state.push_back(statement.gate(feed(f).source_mask()));
  if (!indexed) {
    // Every tuple is tested, and leaves with the first row that affects it.
    return Select(wanted)
        .from(state_table(), "s")
        .where(on_state)
        .where(exists(Select().from(delta, "f").where(on_feed).where(on_both)));
  }
  // Many changed rows often look up few tuples.
  Select rows;
  std::vector<std::string> group;
  for (const int index : compared) {
    const auto& col = feed(f).columns()[static_cast<std::size_t>(index)];
    const std::string name = "f." + quote_ident(col.name);
    // By identity: a condition may tell equal values apart (COLLATE, a function of a text).
    rows.item(grouped_value(name, col.type.value(), quote_ident(col.name)));
    for (auto& term : identity_terms(name, col.type.value())) group.push_back(std::move(term));
  }
  rows.from(delta, "f").where(on_feed).group_by(std::move(group));
  return Select(wanted).from(rows, "f").from(state_table(), "s").where(on_both).where(on_state);
}

/// For every way in which a feed can affect tuples: `wanted` of their state rows s.
std::vector<Select> Apply::affected(Statement& statement, const std::vector<std::string>& wanted) const {
  std::vector<Select> parts;
  for (std::size_t f = 0; f < matches_.size(); ++f) {
    const std::string delta =
        statement.with_name_of(feed(f).delta(statement, true).from, "d", "rows of the subquery that changed");
    for (const auto& arm : arms(f)) parts.push_back(affected_by(statement, f, arm, delta, wanted));
  }
  return parts;
}

// The statement -------------------------------------------------------------------------------------------------------

/// One row per affected tuple: the stored row, the new count, and whether values have to be computed.
std::string Apply::merged(Statement& statement, const Layout& l) const {
  std::vector<std::string> old_values;
  for (std::size_t i = 0; i < values_.size(); ++i) old_values.push_back("s." + l.values[i] + " AS " + l.old_values[i]);
  if (global()) {
    std::vector<std::string> any;
    for (const auto& part : affected(statement, {})) any.push_back(exists(part));
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
  for (const auto& part : affected(statement, of_state)) changed.emplace_back(part);
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
  const auto values = value_list(served());
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
  for (std::size_t f = 0; f < matches_.size(); ++f) {
    const auto match = arms(f).front();
    if (std::none_of(match.begin(), match.end(), [&](const Node& c) { return lookup(c).has_value(); }))
      return "O(affected keys), every key is tested: O(keys)";
  }
  return "O(delta x affected keys)";
}

void Apply::index_advice(std::vector<std::string>& advice) const {
  Operator::index_advice(advice);
  // The subqueries look up what the feeds match.
  for (std::size_t f = 0; f < matches_.size(); ++f) {
    const auto first = arms(f).front();
    for (const auto& conjunct : first) {
      const auto found = lookup(conjunct);
      int position = 0;
      if (found && is_column(found->value, &position)) feed(f).advise_lookup(position, advice);
    }
  }
}

}  // namespace pgtrickle::compiler
