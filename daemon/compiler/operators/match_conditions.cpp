#include "compiler/operators/match_conditions.h"

#include <algorithm>
#include <optional>

#include "compiler/parse/factor_or.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

namespace {

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
std::optional<KeyPair> as_key(const Node& expr, const PairRow& row) {
  if (!expr.has_a_expr() || expr.a_expr().kind() != pg_query::AEXPR_OP) return std::nullopt;
  const auto& op = expr.a_expr();
  const auto [schema, name] = qualified_name(op.name());
  if (!schema.empty() || name != "=" || !op.has_lexpr() || !op.has_rexpr() || has_collate(expr)) return std::nullopt;
  for (const Side side : {Side::kLeft, Side::kRight})
    if (row.reads_only(op.lexpr(), side) && row.reads_only(op.rexpr(), opposite(side)))
      return side == Side::kLeft ? KeyPair{op.lexpr(), op.rexpr()} : KeyPair{op.rexpr(), op.lexpr()};
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
  const PairRow row(left);
  std::vector<Conjunct*> candidates;
  std::vector<Node> left_exprs;
  std::vector<Node> right_exprs;
  for (auto& conjunct : conjuncts_) {
    const auto key = as_key(conjunct.expr, row);
    if (!key) continue;
    candidates.push_back(&conjunct);
    left_exprs.push_back(key->left);
    right_exprs.push_back(row.local(key->right, Side::kRight));
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

std::vector<Node> MatchConditions::take(Side side, const PairRow& row) {
  std::vector<Node> taken;
  std::vector<Conjunct> kept;
  for (auto& conjunct : conjuncts_) {
    if (row.reads_only(conjunct.expr, side)) {
      taken.push_back(row.local(conjunct.expr, side));
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

std::vector<KeyPair> MatchConditions::keys(const PairRow& row) const {
  std::vector<KeyPair> result;
  for (const auto& conjunct : conjuncts_) {
    if (!conjunct.key) continue;
    KeyPair key = as_key(conjunct.expr, row).value();
    result.push_back({as_compared(std::move(key.left), conjunct.key->left_type, conjunct.key->collation),
                      as_compared(std::move(key.right), conjunct.key->right_type, conjunct.key->collation)});
  }
  return result;
}

std::vector<Node> MatchConditions::mixed(const PairRow& row) const {
  std::vector<Node> result;
  for (const auto& conjunct : conjuncts_)
    if (!conjunct.key && row.reads(conjunct.expr, Side::kLeft) && row.reads(conjunct.expr, Side::kRight))
      result.push_back(conjunct.expr);
  return result;
}

std::vector<Node> MatchConditions::local(Side side, const PairRow& row) const {
  std::vector<Node> result;
  for (const auto& conjunct : conjuncts_) {
    const bool left = row.reads(conjunct.expr, Side::kLeft);
    const bool right = row.reads(conjunct.expr, Side::kRight);
    if (side == Side::kLeft ? left && !right : !left) result.push_back(conjunct.expr);
  }
  return result;
}

std::vector<std::pair<int, int>> MatchConditions::equated(const PairRow& row) const {
  std::vector<std::pair<int, int>> result;
  for (const auto& key : keys(row)) {
    int left = 0;
    int right = 0;
    if (is_column(key.left, &left) && is_column(key.right, &right)) result.emplace_back(left, row.at(right).column);
  }
  return result;
}

std::string MatchScope::sql(const Node& expr, bool as_operand) const {
  const PairRow row(left);
  std::string text = deparse_over(expr, [&](int position) {
    const auto [side, column] = row.at(position);
    const bool is_left = side == Side::kLeft;
    const auto& name = (is_left ? left : right).columns().at(static_cast<std::size_t>(column)).name;
    return (is_left ? left_alias : right_alias) + "." + quote_ident(name);
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
  const PairRow row(*inputs[0]);
  std::set<int> all = needed;
  for (const auto& conjunct : conditions.all())
    for (const int index : columns_of(conjunct)) all.insert(index);
  std::set<int> left;
  std::set<int> right;
  for (const int index : all) (row.at(index).side == Side::kLeft ? left : right).insert(row.at(index).column);
  std::vector<int> mapping = inputs[0]->prune(left);
  const PairRow pruned(*inputs[0]);
  for (const int to : inputs[1]->prune(right)) mapping.push_back(to < 0 ? -1 : pruned.position({Side::kRight, to}));
  conditions.remap(mapping);
  return mapping;
}

void filter_input(OperatorPtr& input, const Node& predicate) {
  if (!input->absorb_filter(predicate)) input = make_filter(std::move(input), {predicate});
}

}  // namespace pgtrickle::compiler
