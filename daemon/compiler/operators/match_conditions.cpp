#include "compiler/operators/match_conditions.h"

#include <algorithm>
#include <optional>

#include "compiler/parse/factor_or.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

namespace {

bool reads(const Node& expr, Side side, int left_width) {
  const auto columns = columns_of(expr);
  return std::any_of(columns.begin(), columns.end(),
                     [&](int index) { return (index < left_width) == (side == Side::kLeft); });
}

bool has_collate(const Node& expr) {
  bool found = false;
  walk(expr, [&](const Node& node) {
    found = found || node.has_collate_clause();
    return !found;
  });
  return found;
}

/// The two sides of `l = r` if each reads one input only. COLLATE rules it out: a key is kept in a column of its own,
/// where its collation would no longer be an explicit one.
std::optional<KeyPair> as_key(const Node& expr, int left_width) {
  if (!expr.has_a_expr() || expr.a_expr().kind() != pg_query::AEXPR_OP) return std::nullopt;
  const auto& op = expr.a_expr();
  const auto [schema, name] = qualified_name(op.name());
  if (!schema.empty() || name != "=" || !op.has_lexpr() || !op.has_rexpr() || has_collate(expr)) return std::nullopt;
  auto only = [&](const Node& node, Side side) {
    return reads(node, side, left_width) && !reads(node, opposite(side), left_width);
  };
  if (only(op.lexpr(), Side::kLeft) && only(op.rexpr(), Side::kRight)) return KeyPair{op.lexpr(), op.rexpr()};
  if (only(op.lexpr(), Side::kRight) && only(op.rexpr(), Side::kLeft)) return KeyPair{op.rexpr(), op.lexpr()};
  return std::nullopt;
}

bool has_equality(const TypeInfo& type) {
  return type.equatable && type.builtin_operators;  // "=" is the equality that GROUP BY uses
}

bool same_collation(const TypeInfo& left, const TypeInfo& right) {
  return left.collation == right.collation || (!left.loose_collation && !right.loose_collation);
}

bool same_operators(const TypeInfo& left, const TypeInfo& right) {
  return left.base_oid == right.base_oid ||
         std::find(left.comparable.begin(), left.comparable.end(), right.key_oid) != left.comparable.end();
}

Node as_compared(Node expr, const std::string& type, const std::string& collation) {
  if (!type.empty()) expr = cast(std::move(expr), type);
  return collation.empty() ? expr : collate(std::move(expr), collation);
}

}  // namespace

bool is_one_equality(const TypeInfo& left, const TypeInfo& right) {
  return has_equality(left) && has_equality(right) && same_operators(left, right) && same_collation(left, right);
}

MatchConditions::MatchConditions(const std::vector<Node>& conditions) {
  for (const auto& conjunct : factor_or(conditions)) add(conjunct);
}

void MatchConditions::resolve_types(const Operator& left, const Operator& right, TypeOracle& oracle) {
  const int width = static_cast<int>(left.columns().size());
  std::vector<Conjunct*> candidates;
  std::vector<Node> left_exprs;
  std::vector<Node> right_exprs;
  for (auto& conjunct : conjuncts_) {
    const auto key = as_key(conjunct.expr, width);
    if (!key) continue;
    candidates.push_back(&conjunct);
    left_exprs.push_back(key->left);
    right_exprs.push_back(shift_columns(key->right, -width));
  }
  if (candidates.empty()) return;
  const auto left_types = expression_types(left_exprs, left, oracle);
  const auto right_types = expression_types(right_exprs, right, oracle);
  for (std::size_t i = 0; i < candidates.size(); ++i)
    candidates[i]->key = comparison(left_types[i], right_types[i], oracle);
}

/// nullopt: the sides have no equality in common, so that rows are matched one by one.
std::optional<MatchConditions::Comparison> MatchConditions::comparison(const TypeInfo& left, const TypeInfo& right,
                                                                       TypeOracle& oracle) {
  if (!has_equality(left) || !has_equality(right)) return std::nullopt;
  Comparison result;
  if (!same_operators(left, right)) {
    const auto [as_left, as_right] = oracle.compared_as(left, right);
    if (!is_one_equality(as_left, as_right)) return std::nullopt;
    if (as_left.key_oid != left.key_oid) result.left_type = as_left.name;
    if (as_right.key_oid != right.key_oid) result.right_type = as_right.name;
  }
  // Of two collations none of which is written in the condition, the default one gives way.
  if (!same_collation(left, right)) result.collation = left.loose_collation ? left.collation : right.collation;
  return result;
}

std::vector<Node> MatchConditions::take(Side side, int left_width) {
  std::vector<Node> taken;
  std::vector<Conjunct> kept;
  for (auto& conjunct : conjuncts_) {
    if (reads(conjunct.expr, side, left_width) && !reads(conjunct.expr, opposite(side), left_width)) {
      taken.push_back(shift_columns(conjunct.expr, side == Side::kLeft ? 0 : -left_width));
    } else {
      kept.push_back(std::move(conjunct));
    }
  }
  conjuncts_ = std::move(kept);
  return taken;
}

void MatchConditions::remap(const std::vector<int>& mapping) {
  for (auto& conjunct : conjuncts_) conjunct.expr = compiler::remap(conjunct.expr, mapping);
}

std::vector<Node> MatchConditions::all() const {
  std::vector<Node> result;
  for (const auto& conjunct : conjuncts_) result.push_back(conjunct.expr);
  return result;
}

std::vector<KeyPair> MatchConditions::keys(int left_width) const {
  std::vector<KeyPair> result;
  for (const auto& conjunct : conjuncts_) {
    if (!conjunct.key) continue;
    KeyPair key = as_key(conjunct.expr, left_width).value();
    result.push_back({as_compared(std::move(key.left), conjunct.key->left_type, conjunct.key->collation),
                      as_compared(std::move(key.right), conjunct.key->right_type, conjunct.key->collation)});
  }
  return result;
}

std::vector<Node> MatchConditions::mixed(int left_width) const {
  std::vector<Node> result;
  for (const auto& conjunct : conjuncts_)
    if (!conjunct.key && reads(conjunct.expr, Side::kLeft, left_width) &&
        reads(conjunct.expr, Side::kRight, left_width))
      result.push_back(conjunct.expr);
  return result;
}

std::vector<Node> MatchConditions::local(Side side, int left_width) const {
  std::vector<Node> result;
  for (const auto& conjunct : conjuncts_) {
    const bool left = reads(conjunct.expr, Side::kLeft, left_width);
    const bool right = reads(conjunct.expr, Side::kRight, left_width);
    if (side == Side::kLeft ? left && !right : !left) result.push_back(conjunct.expr);
  }
  return result;
}

std::vector<std::pair<int, int>> MatchConditions::equated(int left_width) const {
  std::vector<std::pair<int, int>> result;
  for (const auto& key : keys(left_width)) {
    int left = 0;
    int right = 0;
    if (is_column(key.left, &left) && is_column(key.right, &right)) result.emplace_back(left, right - left_width);
  }
  return result;
}

std::string MatchScope::sql(const Node& expr, bool as_operand) const {
  const int width = static_cast<int>(left.columns().size());
  std::string text = deparse_over(expr, [&](int index) {
    const auto& columns = index < width ? left.columns() : right.columns();
    const auto& name = columns.at(static_cast<std::size_t>(index < width ? index : index - width)).name;
    return (index < width ? left_alias : right_alias) + "." + quote_ident(name);
  });
  return as_operand && !is_column(expr) ? "(" + text + ")" : text;
}

std::vector<std::string> MatchScope::sql(const std::vector<Node>& conjuncts) const {
  std::vector<std::string> parts;
  for (const auto& conjunct : conjuncts) parts.push_back(sql(conjunct, conjunct.has_bool_expr()));
  return parts;
}

std::string materialized_delta(Statement& statement, const Operator& input) {
  return statement.with_name_of(input.delta(statement, true).from, "d", "rows that changed");
}

std::vector<int> prune_sides(std::vector<OperatorPtr>& inputs, MatchConditions& conditions,
                             const std::set<int>& needed) {
  const int width = static_cast<int>(inputs[0]->columns().size());
  std::set<int> all = needed;
  for (const auto& conjunct : conditions.all())
    for (const int index : columns_of(conjunct)) all.insert(index);
  std::set<int> left;
  std::set<int> right;
  for (const int index : all) index < width ? left.insert(index) : right.insert(index - width);
  std::vector<int> mapping = inputs[0]->prune(left);
  const int moved_width = static_cast<int>(inputs[0]->columns().size());
  for (const int to : inputs[1]->prune(right)) mapping.push_back(to < 0 ? -1 : moved_width + to);
  conditions.remap(mapping);
  return mapping;
}

void filter_input(OperatorPtr& input, const Node& predicate) {
  if (!input->absorb_filter(predicate)) input = make_filter(std::move(input), {predicate});
}

}  // namespace pgtrickle::compiler
