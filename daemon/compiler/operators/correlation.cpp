#include "compiler/operators/correlation.h"

#include <algorithm>

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

struct Correlation::Lookup {
  int column;  // of the tuple
  Node value;  // over the feed's row
};

std::optional<Correlation::Lookup> Correlation::lookup(const Node& conjunct) const {
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
std::vector<std::vector<Node>> Correlation::arms(std::size_t f) const {
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
    if (!plain || !feeds_[f]->columns().at(static_cast<std::size_t>(position)).not_null) {
      arms.push_back(match);
      arms.back()[i] = is_null(row().beside(found->value, Side::kRight));
    }
    if (!tuple_[static_cast<std::size_t>(found->column)].not_null) {
      arms.push_back(match);
      arms.back()[i] = is_null(column(found->column));
    }
    return arms;
  }
  return {match};
}

/// The columns of the tuple that each feed's rows look up.
std::vector<Key> Correlation::lookups() const {
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

/// A conjunct over a tuple s and a feed row f.
std::string Correlation::condition(std::size_t f, const Node& conjunct) const {
  const std::string sql = deparse_expr(row().map(conjunct, [&](SideColumn at) {
    const bool tuple = at.side == Side::kLeft;
    const auto& columns = tuple ? tuple_ : feeds_[f]->columns();
    return column_ref(tuple ? "s" : "f", columns.at(static_cast<std::size_t>(at.column)).name);
  }));
  return conjunct.has_bool_expr() ? "(" + sql + ")" : sql;
}

/// `wanted` of the tuples s that the rows of a feed's delta affect through one arm.
Select Correlation::affected_by(const Statement& statement, std::size_t f, const std::vector<Node>& arm,
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
  on_state.push_back(statement.gate(feeds_[f]->source_mask()));
  if (!indexed) {
    // Every tuple is tested, and leaves with the first row that affects it.
    return Select(wanted)
        .from(tuples_, "s")
        .where(on_state)
        .where(exists(Select().from(delta, "f").where(on_feed).where(on_both)));
  }
  // Many changed rows often look up few tuples.
  Select rows;
  std::vector<std::string> group;
  for (const int index : compared) {
    const auto& col = feeds_[f]->columns()[static_cast<std::size_t>(index)];
    const std::string name = "f." + quote_ident(col.name);
    // By identity: a condition may tell equal values apart (COLLATE, a function of a text).
    rows.item(grouped_value(name, col.type.value(), quote_ident(col.name)));
    for (auto& term : identity_terms(name, col.type.value())) group.push_back(std::move(term));
  }
  rows.from(delta, "f").where(on_feed).group_by(std::move(group));
  return Select(wanted).from(rows, "f").from(tuples_, "s").where(on_both).where(on_state);
}

/// For every way in which a feed can affect tuples: `wanted` of the tuples s.
std::vector<Select> Correlation::affected(Statement& statement, const std::vector<std::string>& wanted) const {
  std::vector<Select> parts;
  for (std::size_t f = 0; f < matches_.size(); ++f) {
    const std::string delta =
        statement.with_name_of(feeds_[f]->delta(statement, true).from, "d", "rows of the subquery that changed");
    for (const auto& arm : arms(f)) parts.push_back(affected_by(statement, f, arm, delta, wanted));
  }
  return parts;
}

bool Correlation::finds_all() const {
  for (std::size_t f = 0; f < matches_.size(); ++f) {
    const auto match = arms(f).front();
    if (std::none_of(match.begin(), match.end(), [&](const Node& c) { return lookup(c).has_value(); })) return false;
  }
  return true;
}

bool Correlation::served() const {
  for (std::size_t f = 0; f < matches_.size(); ++f) {
    const auto match = arms(f).front();
    if (std::none_of(match.begin(), match.end(), [&](const Node& conjunct) {
          const auto found = lookup(conjunct);
          int position = 0;
          return found && is_column(found->value, &position) && feeds_[f]->indexed(position);
        }))
      return false;
  }
  return true;
}

void Correlation::index_advice(std::vector<std::string>& advice) const {
  for (std::size_t f = 0; f < matches_.size(); ++f) {
    const auto first = arms(f).front();
    for (const auto& conjunct : first) {
      const auto found = lookup(conjunct);
      int position = 0;
      if (found && is_column(found->value, &position)) feeds_[f]->advise_lookup(position, advice);
    }
  }
}

}  // namespace pgtrickle::compiler
