// Expressions: names to positions.
#include <algorithm>
#include <iterator>

#include "compiler/analyze/query_analyzer.h"
#include "compiler/analyze/volatility.h"
#include "compiler/operators/temporal_filter.h"
#include "compiler/parse/clock.h"

namespace pgtrickle::compiler {

Node equality(Node left, Node right) {
  Node node;
  auto* expr = node.mutable_a_expr();
  expr->set_kind(pg_query::AEXPR_OP);
  expr->add_name()->mutable_string()->set_sval("=");
  *expr->mutable_lexpr() = std::move(left);
  *expr->mutable_rexpr() = std::move(right);
  return node;
}

Node QueryAnalyzer::resolve(const Node& expr, const Scope& scope) {
  return resolved(expr, scope, false);
}

Node QueryAnalyzer::resolve_condition(const Node& expr, const Scope& scope) {
  return resolved(expr, scope, true);
}

Node QueryAnalyzer::resolved(const Node& expr, const Scope& scope, bool at_any_time) {
  Node result = expr;
  rewrite(result, [&](Node& node) {
    if (!at_any_time && is_clock(node)) refuse_time(fragment(with_now(expr)));
    if (node.has_sub_link()) {
      auto& link = *node.mutable_sub_link();
      if (link.has_testexpr()) *link.mutable_testexpr() = resolve(link.testexpr(), scope);
      bind(*link.mutable_subselect()->mutable_select_stmt(), scope, {}, {});
      return true;
    }
    if (!node.has_column_ref()) return false;
    node = lookup(node, scope);
    return true;
  });
  return result;
}

std::vector<Node> take_timed(std::vector<Node>& conditions) {
  const auto timed = std::stable_partition(conditions.begin(), conditions.end(),
                                           [](const Node& condition) { return !reads_clock(condition); });
  std::vector<Node> taken(std::make_move_iterator(timed), std::make_move_iterator(conditions.end()));
  conditions.erase(timed, conditions.end());
  return taken;
}

OperatorPtr QueryAnalyzer::filtered(OperatorPtr input, std::vector<Node> conditions) const {
  auto timed = take_timed(conditions);
  if (!conditions.empty()) input = make_filter(std::move(input), std::move(conditions));
  for (auto& condition : timed) {
    if (timeless_ > 0) refuse_time(fragment(with_now(condition)));
    input = make_temporal_filter(std::move(input), std::move(condition));
  }
  return input;
}

Node QueryAnalyzer::lookup(const Node& node, const Scope& scope) {
  const auto& fields = node.column_ref().fields();
  // A row of a table as one value: t.*, or the bare alias.
  auto whole_row = [&](const std::string& alias) {
    for (const auto& relation : scope.relations) {
      if (relation.alias != alias || relation.row_type.empty()) continue;
      Node row;
      for (const auto& col : relation.columns) *row.mutable_row_expr()->add_args() = col.second;
      row.mutable_row_expr()->set_row_format(pg_query::COERCE_EXPLICIT_CALL);
      row = cast(std::move(row), relation.row_type);
      if (!relation.padded) return row;
      // Where there is no row it is NULL, not a row of NULLs.
      const Node& mark = relation.columns.at(static_cast<std::size_t>(relation.never_null)).second;
      return map_columns(parse_expr("CASE WHEN $1 IS NOT DISTINCT FROM NULL THEN NULL ELSE $2 END"),
                         [&](int index) { return index == 0 ? mark : row; });
    }
    throw Unsupported(
        "a whole-row reference is maintained incrementally for tables only, in an outer join for those "
        "that have a column with NOT NULL",
        fragment(node));
  };
  if (fields[fields.size() - 1].has_a_star()) {
    if (fields.size() < 2) throw Unsupported("a star without a table cannot be resolved", fragment(node));
    return whole_row(fields[fields.size() - 2].string().sval());
  }
  const std::string& name = fields[fields.size() - 1].string().sval();
  if (fields.size() == 1) {
    for (const auto& col : scope.merged)
      if (col.first == name) return col.second;
    const Node* found = nullptr;
    for (const auto& relation : scope.relations) {
      for (const auto& col : relation.columns) {
        if (col.first != name) continue;
        if (found != nullptr && !equal(*found, col.second))
          throw Unsupported("column \"" + name + "\" is ambiguous", name);
        found = &col.second;
      }
    }
    if (found != nullptr) return *found;
    for (const auto& relation : scope.relations)
      if (relation.alias == name) return whole_row(name);
    throw Unsupported("column \"" + name + "\" cannot be resolved", name, "System columns cannot be followed.");
  }
  const std::string& qualifier = fields[fields.size() - 2].string().sval();
  for (const auto& relation : scope.relations) {
    if (relation.alias != qualifier) continue;
    for (const auto& col : relation.columns)
      if (col.first == name) return col.second;
  }
  throw Unsupported("column \"" + qualifier + "." + name + "\" cannot be resolved", fragment(node),
                    "System columns cannot be followed.");
}

const FunctionInfo* QueryAnalyzer::function(const Node& node) const {
  const auto [schema, name] = qualified_name(node.func_call().funcname());
  const auto found = catalog_.functions.find({schema, name, node.func_call().args_size()});
  return found == catalog_.functions.end() ? nullptr : &found->second;
}

bool QueryAnalyzer::returns_set(const Node& expr) const {
  bool found = false;
  walk(expr, [&](const Node& node) {
    if (node.has_sub_link()) return false;
    if (node.has_func_call()) {
      const auto* info = function(node);
      found = found || (info != nullptr && info->returns_set);
    }
    return !found;
  });
  return found;
}

std::string QueryAnalyzer::default_name(const Node& expr) {
  if (expr.has_column_ref()) {
    const auto& fields = expr.column_ref().fields();
    return fields[fields.size() - 1].string().sval();
  }
  if (expr.has_func_call()) return qualified_name(expr.func_call().funcname()).second;
  if (expr.has_type_cast()) return default_name(expr.type_cast().arg());
  return "column";
}

std::vector<std::string> QueryAnalyzer::select_names(const pg_query::SelectStmt& select) {
  const pg_query::SelectStmt* leftmost = &select;
  while (leftmost->op() != pg_query::SETOP_NONE) leftmost = &leftmost->larg();
  std::vector<std::string> names;
  if (!leftmost->values_lists().empty()) {
    for (int i = 0; i < leftmost->values_lists(0).list().items_size(); ++i)
      names.push_back("column" + std::to_string(i + 1));
    return names;
  }
  for (const auto& node : leftmost->target_list()) {
    const auto& target = node.res_target();
    names.push_back(target.name().empty() ? default_name(target.val()) : target.name());
  }
  return names;
}

}  // namespace pgtrickle::compiler
