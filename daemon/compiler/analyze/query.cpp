// A query: WITH, set operations, the clauses of a SELECT in the order in which SQL evaluates them.
#include <algorithm>

#include "compiler/analyze/analyzer.h"
#include "compiler/analyze/query_analyzer.h"
#include "compiler/analyze/volatility.h"
#include "compiler/operators/aggregate.h"
#include "compiler/operators/pair_row.h"
#include "compiler/operators/project.h"
#include "compiler/operators/row_function.h"
#include "compiler/operators/values.h"
#include "compiler/parse/clock.h"
#include "compiler/parse/row_limits.h"

namespace pgtrickle::compiler {

using pg_query::SelectStmt;

OperatorPtr QueryAnalyzer::query(const SelectStmt& select, const CteScope* ctes, int depth) {
  if (depth > limits_.nesting)
    throw Unsupported("the query is nested more than " + std::to_string(limits_.nesting) + " levels deep", {});
  for (const Node* rows : {&select.limit_count(), &select.limit_offset()})
    if (reads_clock(*rows)) refuse_time(fragment(with_now(*rows)));
  std::vector<std::unique_ptr<CteScope>> own;
  ctes = with_ctes(select, ctes, own);
  if (!select.sort_clause().empty() && depth == 0 && !limits_rows(select) && select.distinct_clause().empty())
    notes_.emplace_back("ORDER BY without LIMIT: accepted and ignored, a table has no order");
  if (select.op() == pg_query::SETOP_NONE && select.values_lists().empty()) return plain_select(select, ctes, depth);
  OperatorPtr result = select.op() != pg_query::SETOP_NONE ? set_operation(select, ctes, depth) : values(select);
  ordered_ = ordered_ || !select.sort_clause().empty();
  if (!limits_rows(select)) return result;
  auto order = output_sort_terms(select, *result, select_names(select));
  return limited(select, std::move(result), std::move(order));
}

OperatorPtr QueryAnalyzer::values(const SelectStmt& select) {
  ordered_ = false;
  std::vector<std::vector<Node>> rows;
  std::vector<Node*> cells;
  bool sublinks = false;
  for (const auto& list : select.values_lists()) {
    rows.emplace_back();
    for (const auto& cell : list.list().items()) {
      rows.back().push_back(resolve(cell, {}));
      sublinks = sublinks || has_sublink(rows.back().back());
    }
  }
  if (!sublinks) return std::make_unique<Values>(std::move(rows), select_names(select));
  // The subqueries' values side by side in one row, and VALUES beside it: which types its columns have, PostgreSQL
  // says.
  for (auto& row : rows)
    for (auto& cell : row) cells.push_back(&cell);
  OperatorPtr input = extract_sublinks(make_single_row(), cells);
  Node list;
  auto& values = *list.mutable_range_subselect()->mutable_subquery()->mutable_select_stmt();
  values.set_limit_option(pg_query::LIMIT_OPTION_DEFAULT);
  values.set_op(pg_query::SETOP_NONE);
  for (auto& row : rows) {
    auto& items = *values.add_values_lists()->mutable_list();
    for (auto& cell : row) *items.add_items() = std::move(cell);
  }
  list.mutable_range_subselect()->set_lateral(true);
  const auto names = select_names(select);
  const PairRow row(*input);
  std::vector<Node> columns;
  for (std::size_t i = 0; i < names.size(); ++i) columns.push_back(row.column(Side::kRight, static_cast<int>(i)));
  return make_projection(
      std::make_unique<RowFunction>(std::move(input), std::move(list), names, false, std::vector<Node>{}),
      std::move(columns), names);
}

OperatorPtr QueryAnalyzer::plain_select(const SelectStmt& original, const CteScope* ctes, int depth) {
  SelectStmt select = original;
  inline_windows(select);
  std::vector<Node> where;
  if (select.has_where_clause()) split_conjuncts(select.where_clause(), where);
  AnalyzedItem from = from_clause(select, ctes, depth, where);
  const bool ordered_from = from.ordered;
  const Scope scope{std::move(from.relations), std::move(from.merged), ctes};
  for (const auto& node : where) from.conditions.push_back(resolve_condition(node, scope));
  OperatorPtr input = combined(from);
  if (!from.conditions.empty()) {
    std::vector<Node> plain;
    std::vector<Node> links;
    for (auto& node : from.conditions) (has_sublink(node) ? links : plain).push_back(std::move(node));
    input = filtered(std::move(input), std::move(plain));
    input = filter_sublinks(std::move(input), std::move(links));
  }

  std::vector<Node> targets;
  std::vector<std::string> names;
  for (const auto& node : select.target_list()) {
    const auto& target = node.res_target();
    targets.push_back(resolve(target.val(), scope));
    names.push_back(target.name().empty() ? default_name(target.val()) : target.name());
  }
  std::vector<Node> having;
  if (select.has_having_clause()) split_conjuncts(resolve_condition(select.having_clause(), scope), having);
  const bool distinct = !select.distinct_clause().empty();
  const bool distinct_on = has_distinct_on(select);
  std::vector<Node> on;
  if (distinct_on)
    for (const auto& node : select.distinct_clause()) on.push_back(output_or_input(node, targets, names, scope));
  std::vector<SortTerm> order;
  if (limits_rows(select) || distinct_on) order = sort_terms(select, targets, names, scope);
  check_sort_sets(select, targets, scope);

  // Everything that is evaluated over the (grouped) row.
  std::vector<Node*> exprs;
  for (auto& node : targets) exprs.push_back(&node);
  for (auto& node : on) exprs.push_back(&node);
  for (auto& term : order) exprs.push_back(&term.expr);
  const std::size_t outputs = exprs.size();
  for (auto& node : having) exprs.push_back(&node);
  if (ordered_from) check_row_order(select, exprs);

  const bool aggregates = std::any_of(exprs.begin(), exprs.end(), [&](const Node* n) { return has_aggregate(*n); });
  const bool grouped = aggregates || !select.group_clause().empty() || select.has_having_clause();
  const bool in_order = !select.sort_clause().empty() || (ordered_from && !grouped && !distinct);
  if (grouped && !aggregates && select.group_clause().empty()) {
    input = make_single_row();  // one row, whatever is in the tables: PostgreSQL does not even look, at WHERE neither
  } else if (grouped) {
    input = aggregate(select, scope, std::move(input), names, exprs);
  }
  if (!having.empty()) {
    std::vector<Node> plain;
    std::vector<Node> links;
    for (auto& node : having) (has_sublink(node) ? links : plain).push_back(std::move(node));
    input = filtered(std::move(input), std::move(plain));
    input = filter_sublinks(std::move(input), std::move(links));
  }
  exprs.resize(outputs);
  for (const Node* expr : exprs) {
    walk(*expr, [&](const Node& node) {
      if (!node.has_sub_link()) return true;
      check_aggregates_inside(node);  // it would make this query a grouped one
      const Node& tested = node.sub_link().testexpr();
      if (has_window(tested))  // which is known after the subqueries only
        throw Unsupported("a subquery that tests a window function is not maintained incrementally", fragment(tested));
      return false;
    });
  }
  input = extract_sublinks(std::move(input), exprs);
  input = extract_windows(std::move(input), exprs);
  ordered_ = in_order;  // last: subqueries that were analyzed meanwhile have orders of their own

  if (order.empty() && on.empty() && !limits_rows(select)) {
    const bool sets = std::any_of(targets.begin(), targets.end(), [&](const Node& n) { return returns_set(n); });
    input = sets ? make_set_projection(std::move(input), std::move(targets), names)
                 : make_projection(std::move(input), std::move(targets), names);
    return distinct ? make_distinct(std::move(input)) : std::move(input);
  }
  for (const auto& node : on)
    if (returns_set(node) &&
        std::none_of(targets.begin(), targets.end(), [&](const Node& target) { return equal(target, node); }))
      throw Unsupported(
          "a set-returning function in DISTINCT ON that is not in the select list makes rows: not "
          "maintained incrementally",
          fragment(node), "Select it, or call it in FROM.");
  auto makes_rows = [&](const Node& node) { return returns_set(node); };
  if (distinct_on && !order.empty() && std::any_of(targets.begin(), targets.end(), makes_rows) &&
      std::none_of(order.begin(), order.end(), [&](const SortTerm& term) { return makes_rows(term.expr); }))
    throw Unsupported(
        "a set-returning function beside DISTINCT ON that nothing sorts by makes rows after it: not "
        "maintained incrementally",
        fragment(select), "Sort by it, too, or call it in a query around this one.");
  return ordered(select, std::move(input), targets, names, std::move(on), std::move(order));
}

Analysis analyze(const SelectStmt& query, const Catalog& catalog, const Limits& limits) {
  refuse_our_name(query);
  check_volatility(query, catalog);
  SelectStmt timed = query;
  name_clock(timed);
  QueryAnalyzer analyzer(catalog, limits);
  Analysis analysis;
  analysis.root = analyzer.query(timed, nullptr, 0);
  analysis.notes = std::move(analyzer.notes_);
  return analysis;
}

}  // namespace pgtrickle::compiler
