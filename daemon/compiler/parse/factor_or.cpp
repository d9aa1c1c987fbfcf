#include "compiler/parse/factor_or.h"

#include <algorithm>

namespace pgtrickle::compiler {

namespace {

Node bool_expr(pg_query::BoolExprType op, std::vector<Node> args) {
  if (args.size() == 1) return std::move(args[0]);
  Node node;
  auto* expr = node.mutable_bool_expr();
  expr->set_boolop(op);
  for (auto& arg : args) *expr->add_args() = std::move(arg);
  return node;
}

bool contains(const std::vector<Node>& nodes, const Node& wanted) {
  return std::any_of(nodes.begin(), nodes.end(), [&](const Node& node) { return equal(node, wanted); });
}

/// The conjuncts of each arm.
std::vector<std::vector<Node>> arms_of(const Node& node) {
  std::vector<std::vector<Node>> arms;
  for (const auto& arg : node.bool_expr().args()) {
    arms.emplace_back();
    split_conjuncts(arg, arms.back());
  }
  return arms;
}

void factor(const Node& node, std::vector<Node>& out) {
  if (!node.has_bool_expr() || node.bool_expr().boolop() == pg_query::NOT_EXPR) {
    out.push_back(node);
    return;
  }
  if (node.bool_expr().boolop() == pg_query::AND_EXPR) {
    for (const auto& arg : node.bool_expr().args()) factor(arg, out);
    return;
  }
  auto arms = arms_of(node);
  std::vector<Node> common = arms[0];
  for (std::size_t i = 1; i < arms.size() && !common.empty(); ++i)
    common.erase(
        std::remove_if(common.begin(), common.end(), [&](const Node& part) { return !contains(arms[i], part); }),
        common.end());
  if (common.empty()) {
    out.push_back(node);
    return;
  }
  std::vector<Node> rest;
  bool absorbed = false;  // an arm has nothing else: it is implied by what is common
  for (auto& arm : arms) {
    arm.erase(std::remove_if(arm.begin(), arm.end(), [&](const Node& part) { return contains(common, part); }),
              arm.end());
    if (arm.empty()) {
      absorbed = true;
    } else {
      rest.push_back(bool_expr(pg_query::AND_EXPR, std::move(arm)));
    }
  }
  for (const auto& part : common) factor(part, out);
  if (!absorbed) out.push_back(bool_expr(pg_query::OR_EXPR, std::move(rest)));
}

}  // namespace

std::vector<Node> factor_or(const std::vector<Node>& conjuncts) {
  std::vector<Node> result;
  for (const auto& conjunct : conjuncts) factor(conjunct, result);
  return result;
}

}  // namespace pgtrickle::compiler
