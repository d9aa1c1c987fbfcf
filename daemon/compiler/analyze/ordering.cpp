// ORDER BY with LIMIT / OFFSET / FETCH FIRST, and DISTINCT ON.
#include <algorithm>

#include "compiler/analyze/query_analyzer.h"
#include "compiler/operators/aggregate.h"
#include "compiler/operators/distinct_on.h"
#include "compiler/operators/top_k.h"
#include "compiler/parse/row_limits.h"

namespace pgtrickle::compiler {

using pg_query::SelectStmt;

namespace {

/// What follows the expression: direction, operator, place of the NULLs.
std::string suffix_of(const pg_query::SortBy& by) {
  std::string text;
  if (by.sortby_dir() == pg_query::SORTBY_DESC) text = " DESC";
  if (by.sortby_dir() == pg_query::SORTBY_USING)
    throw Unsupported("ORDER BY ... USING is not maintained incrementally", fragment(by.node()));
  if (by.sortby_nulls() == pg_query::SORTBY_NULLS_FIRST) text += " NULLS FIRST";
  if (by.sortby_nulls() == pg_query::SORTBY_NULLS_LAST) text += " NULLS LAST";
  return text;
}

bool position(const Node& node, int& at) {
  if (!node.has_a_const() || !node.a_const().has_ival()) return false;
  at = node.a_const().ival().ival() - 1;
  return true;
}

}  // namespace

Node QueryAnalyzer::output_or_input(const Node& node, const std::vector<Node>& targets,
                                    const std::vector<std::string>& names, const Scope& scope) {
  int at = 0;
  if (position(node, at)) return targets.at(static_cast<std::size_t>(at));
  // SQL: a bare name is that of an output column, if there is one.
  if (node.has_column_ref() && node.column_ref().fields_size() == 1) {
    const std::string& name = node.column_ref().fields(0).string().sval();
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i] == name) return targets[i];
  }
  return resolve(node, scope);
}

std::vector<SortTerm> QueryAnalyzer::sort_terms(const SelectStmt& select, const std::vector<Node>& targets,
                                                const std::vector<std::string>& names, const Scope& scope) {
  std::vector<SortTerm> terms;
  for (const auto& node : select.sort_clause())
    terms.push_back({output_or_input(node.sort_by().node(), targets, names, scope), suffix_of(node.sort_by())});
  return terms;
}

std::vector<SortTerm> QueryAnalyzer::output_sort_terms(const SelectStmt& select, const Operator& output,
                                                       const std::vector<std::string>& names) {
  std::vector<Node> targets;
  for (std::size_t i = 0; i < output.columns().size(); ++i) targets.push_back(column(static_cast<int>(i)));
  return sort_terms(select, targets, names, {});
}

OperatorPtr QueryAnalyzer::limited(const SelectStmt& select, OperatorPtr input, std::vector<SortTerm> order) {
  auto bound = [&](bool present, const Node& node) {
    if (!present) return Node();
    Node resolved = resolve(node, {});
    if (reads_tables(resolved) || !columns_of(resolved).empty())
      throw Unsupported("LIMIT / OFFSET by a subquery that reads tables is not maintained incrementally",
                        fragment(node));
    return resolved;
  };
  Node limit = bound(has_limit(select), select.limit_count());
  Node offset = bound(has_offset(select), select.limit_offset());
  return std::make_unique<TopK>(std::move(input), std::move(order), std::move(limit), std::move(offset),
                                select.limit_option() == pg_query::LIMIT_OPTION_WITH_TIES);
}

OperatorPtr QueryAnalyzer::ordered(const SelectStmt& select, OperatorPtr input, const std::vector<Node>& targets,
                                   const std::vector<std::string>& names, std::vector<Node> distinct_on,
                                   std::vector<SortTerm> order) {
  // One row of the select list and of whatever else orders it.
  std::vector<Node> exprs = targets;
  std::vector<std::string> all_names = names;
  auto place = [&](const Node& expr) {
    for (std::size_t i = 0; i < exprs.size(); ++i)
      if (equal(exprs[i], expr)) return column(static_cast<int>(i));
    exprs.push_back(expr);
    all_names.emplace_back("sort");
    return column(static_cast<int>(exprs.size() - 1));
  };
  for (auto& node : distinct_on) node = place(node);
  for (auto& term : order) term.expr = place(term.expr);
  const bool wider = exprs.size() > targets.size();
  const bool sets = std::any_of(targets.begin(), targets.end(), [&](const Node& node) { return returns_set(node); });
  input = sets ? make_set_projection(std::move(input), std::move(exprs), all_names)
               : make_projection(std::move(input), std::move(exprs), all_names);
  if (!distinct_on.empty()) {
    input = std::make_unique<DistinctOn>(std::move(input), std::move(distinct_on), order);
  } else if (!select.distinct_clause().empty()) {
    input = make_distinct(std::move(input));  // its ORDER BY is limited to the select list
  }
  if (limits_rows(select)) input = limited(select, std::move(input), std::move(order));
  if (!wider) return input;
  std::vector<Node> output;
  for (std::size_t i = 0; i < targets.size(); ++i) output.push_back(column(static_cast<int>(i)));
  return make_projection(std::move(input), std::move(output), names);
}

}  // namespace pgtrickle::compiler
