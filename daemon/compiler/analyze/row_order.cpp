// The order of rows inside of a query. A table has none, but PostgreSQL hands the rows of a subquery with ORDER BY to
// what is around it in that order, and array_agg and its kin show it. Changes cannot keep that: such a query is
// recomputed. And a set-returning function makes rows even where nobody sees its values, in ORDER BY.
#include <algorithm>
#include <set>

#include "compiler/analyze/query_analyzer.h"

namespace pgtrickle::compiler {

namespace {

constexpr int kFrameGiven = 1;  // FRAMEOPTION_NONDEFAULT

/// Whatever order its rows come in, the result is the same.
bool ignores_order(const Node& call) {
  static const std::set<std::string> kNames{
      "count", "sum", "avg", "min", "max", "variance", "var_samp", "var_pop", "stddev", "stddev_samp", "stddev_pop",
      "bool_and", "bool_or", "every", "bit_and", "bit_or", "bit_xor", "any_value", "corr", "covar_pop", "covar_samp",
      "range_agg", "regr_avgx", "regr_avgy", "regr_count", "regr_intercept", "regr_r2", "regr_slope", "regr_sxx",
      "regr_sxy", "regr_syy", "range_intersect_agg",
      // of window functions: what peers share
      "rank", "dense_rank", "percent_rank", "cume_dist"};
  const auto [schema, name] = qualified_name(call.func_call().funcname());
  return schema.empty() && kNames.count(name) != 0;
}

/// Takes its rows in an order of its own.
bool orders_itself(const pg_query::FuncCall& call) {
  if (call.has_over()) return !call.over().order_clause().empty();
  return !call.agg_order().empty() || call.agg_distinct() || call.agg_within_group();
}

/// Does DISTINCT ON show nothing but its keys? `exprs`: the select list, then the keys.
bool shows_keys_only(const pg_query::SelectStmt& select, const std::vector<Node*>& exprs) {
  const auto keys = exprs.begin() + select.target_list_size();
  return std::all_of(exprs.begin(), keys, [&](const Node* shown) {
    return std::any_of(keys, keys + select.distinct_clause_size(),
                       [&](const Node* key) { return equal(*shown, *key); });
  });
}

bool whole_partition(const pg_query::FuncCall& call) {
  return !call.has_over() || (call.over().frame_options() & kFrameGiven) == 0;
}

}  // namespace

void QueryAnalyzer::check_row_order(const pg_query::SelectStmt& select, const std::vector<Node*>& exprs) const {
  const auto refuse = [](const std::string& what, const std::string& hint, const std::string& where) {
    throw Unsupported(what +
                          " takes the rows of a subquery in the order that its ORDER BY gives them: not maintained "
                          "incrementally",
                      where, hint);
  };
  for (const Node* expr : exprs) {
    walk_own(*expr, [&](const Node& node) {
      if (!node.has_func_call()) return true;
      const auto& call = node.func_call();
      if (!(call.has_over() || is_aggregate(node)) || orders_itself(call)) return true;
      if (ignores_order(node) && whole_partition(call)) return true;
      refuse(qualified_name(call.funcname()).second,
             call.has_over() ? "Write the order into the window: OVER (ORDER BY ...)."
                             : "Write the order into the call, as in array_agg(x ORDER BY y).",
             fragment(node));
      return false;
    });
  }
  const bool distinct_on =
      !select.distinct_clause().empty() && select.distinct_clause(0).node_case() != Node::NODE_NOT_SET;
  if (distinct_on && select.sort_clause_size() <= select.distinct_clause_size() && !shows_keys_only(select, exprs))
    refuse("DISTINCT ON", "Write the whole order into the ORDER BY beside DISTINCT ON.",
           fragment(select.distinct_clause(0)));
}

void QueryAnalyzer::check_sort_sets(const pg_query::SelectStmt& select, const std::vector<Node>& targets,
                                    const Scope& scope) {
  for (const auto& node : select.sort_clause()) {
    if (!returns_set(node.sort_by().node())) continue;
    const Node term = resolve(node.sort_by().node(), scope);
    if (std::none_of(targets.begin(), targets.end(), [&](const Node& target) { return equal(target, term); }))
      throw Unsupported(
          "a set-returning function in ORDER BY that is not in the select list makes rows: not maintained "
          "incrementally",
          fragment(node.sort_by().node()), "Select it, or call it in FROM.");
  }
}

}  // namespace pgtrickle::compiler
