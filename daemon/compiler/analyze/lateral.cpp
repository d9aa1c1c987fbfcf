// LATERAL subqueries in FROM. One that reads nothing of what is beside it is a subquery like any other; one that reads
// no table is a function of its row. Everything else is a relation of its own, kept per distinct values of the outer
// columns that it reads (operators/lateral.h), and joined with the outer rows on those.
#include "compiler/operators/lateral.h"

#include <algorithm>

#include "compiler/analyze/query_analyzer.h"
#include "compiler/analyze/volatility.h"
#include "compiler/operators/aggregate.h"
#include "compiler/operators/pair_row.h"
#include "compiler/operators/row_function.h"
#include "compiler/parse/clock.h"
#include "compiler/parse/row_limits.h"
#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

namespace {

using pg_query::SelectStmt;

Node as_sublink(const SelectStmt& select) {
  Node node;
  node.mutable_sub_link()->set_sub_link_type(pg_query::EXPR_SUBLINK);
  *node.mutable_sub_link()->mutable_subselect()->mutable_select_stmt() = select;
  return node;
}

/// Every SELECT in it that is a query of its own: its arms, subqueries in FROM, CTEs. Sublinks only if asked for.
void each_select(const SelectStmt& select, bool sublinks, const std::function<void(const SelectStmt&)>& visit) {
  visit(select);
  walk(select, [&](const Node& node) {
    if (node.has_sub_link() && !sublinks) return false;
    if (!node.has_select_stmt()) return true;
    each_select(node.select_stmt(), sublinks, visit);
    return false;
  });
  if (select.has_larg()) each_select(select.larg(), sublinks, visit);
  if (select.has_rarg()) each_select(select.rarg(), sublinks, visit);
}

bool sorts(const SelectStmt& select) {
  bool found = false;
  each_select(select, false, [&](const SelectStmt& each) { found = found || !each.sort_clause().empty(); });
  return found;
}

/// Its ORDER BY has all its columns, so that rows which tie are equal; or WITH TIES keeps them all.
bool orders_all(const SelectStmt& select, const std::vector<std::string>& names) {
  if (select.limit_option() == pg_query::LIMIT_OPTION_WITH_TIES && !has_offset(select) && !has_distinct_on(select))
    return true;
  auto sorts_by = [&](std::size_t column) {
    return std::any_of(select.sort_clause().begin(), select.sort_clause().end(), [&](const Node& node) {
      const Node& by = node.sort_by().node();
      if (by.has_a_const())
        return by.a_const().has_ival() && by.a_const().ival().ival() == static_cast<int>(column) + 1;
      if (by.has_column_ref() && by.column_ref().fields_size() == 1)
        return by.column_ref().fields(0).string().sval() == names[column];
      return select.op() == pg_query::SETOP_NONE && select.values_lists().empty() &&
             equal(by, select.target_list(static_cast<int>(column)).res_target().val());
    });
  };
  for (std::size_t i = 0; i < names.size(); ++i)
    if (!sorts_by(i)) return false;
  return true;
}

}  // namespace

bool QueryAnalyzer::is_lateral(const Node& item) {
  return item.has_range_subselect() && item.range_subselect().lateral();
}

bool QueryAnalyzer::at_most_one_row(const SelectStmt& select) const {
  if (select.op() != pg_query::SETOP_NONE) return false;
  if (select.values_lists_size() > 0) return select.values_lists_size() == 1;
  if (has_one_row_at_most(select)) return true;
  bool aggregates = false;
  for (const auto& target : select.target_list()) {
    if (returns_set(target.res_target().val())) return false;
    aggregates = aggregates || has_aggregate(target.res_target().val());
  }
  const bool grouped = !select.group_clause().empty();
  return !grouped && (aggregates || select.has_having_clause() || select.from_clause().empty());
}

/// Which rows there are where several answers are right is decided in its own order; further inside the types are not
/// known that it takes to do that.
void QueryAnalyzer::check_choices(const SelectStmt& select) const {
  each_select(select, false, [&](const SelectStmt& each) {
    if (&each != &select && chooses_rows(each) && !orders_all(each, select_names(each)))
      throw Unsupported(
          "LIMIT or DISTINCT ON further inside of a LATERAL subquery, by an order that can leave rows "
          "equal, is not maintained incrementally",
          fragment(each), "Let its ORDER BY have all its columns.");
  });
  if (has_distinct_on(select) && select.sort_clause_size() < select.distinct_clause_size())
    throw Unsupported(
        "DISTINCT ON in a LATERAL subquery without an ORDER BY that has its expressions is not "
        "maintained incrementally",
        fragment(select));
  // PostgreSQL makes their rows before or after it, depending on what is sorted by, and ties are broken by sorting.
  if (has_distinct_on(select) &&
      std::any_of(select.target_list().begin(), select.target_list().end(),
                  [&](const Node& target) { return returns_set(target.res_target().val()); }))
    throw Unsupported(
        "a set-returning function beside DISTINCT ON in a LATERAL subquery is not maintained "
        "incrementally",
        fragment(select), "Call it in a query around this one.");
}

/// Its rows are the same whenever they are computed again from the same outer row, by whatever plan.
bool QueryAnalyzer::is_row_by_row(const SelectStmt& select) const {
  Node whole;
  *whole.mutable_select_stmt() = select;
  if (reads_tables(whole)) return false;
  bool same = true;
  each_select(select, true, [&](const SelectStmt& each) {
    same = same && each.distinct_clause().empty() && each.group_clause().empty() && !each.has_having_clause() &&
           !limits_rows(each) &&
           (each.op() == pg_query::SETOP_NONE || (each.op() == pg_query::SETOP_UNION && each.all()));
    for (const auto& target : each.target_list()) {
      const Node& value = target.res_target().val();
      same = same && !has_window(value);
      // Rows of one item come in its order; how a join orders them is up to the plan.
      if (has_aggregate(value))
        same = same && each.from_clause_size() <= 1 &&
               (each.from_clause().empty() || !each.from_clause(0).has_join_expr());
    }
  });
  return same;
}

std::optional<LateralItem> QueryAnalyzer::lateral_item(const AnalyzedItem& left, const Node& node,
                                                       const CteScope* ctes) {
  const auto& sub = node.range_subselect();
  LateralItem item;
  item.select = sub.subquery().select_stmt();
  bind(item.select, Scope{left.relations, left.merged, ctes}, {}, {});
  Node bound;
  *bound.mutable_select_stmt() = item.select;
  if (columns_of(bound).empty()) return std::nullopt;
  item.names = select_names(sub.subquery().select_stmt());
  ScopeRelation relation{sub.alias().aliasname(), {}, {}};
  for (std::size_t i = 0; i < item.names.size(); ++i) {
    const int at = static_cast<int>(i);
    relation.columns.emplace_back(
        at < sub.alias().colnames_size() ? sub.alias().colnames(at).string().sval() : item.names[i], column(at));
  }
  item.names = unique_names(item.names);
  item.right.relations.push_back(std::move(relation));
  item.right.width = static_cast<int>(item.names.size());
  item.right.ordered = sorts(item.select) && !at_most_one_row(item.select);
  return item;
}

AnalyzedItem QueryAnalyzer::join_lateral(AnalyzedItem left, LateralItem item, bool outer, std::vector<Node> on) {
  for (const auto& condition : on)
    if (has_sublink(condition))
      throw Unsupported("a subquery in ON of a LATERAL subquery is not maintained incrementally", fragment(condition));
  if (const Node inside = as_sublink(item.select); reads_clock(inside)) refuse_time(fragment(with_now(inside)));
  LateralSubquery subquery{std::move(item.select), std::move(item.names), false, outer, std::move(on)};
  if (is_row_by_row(subquery.select)) return beside_rows(std::move(left), std::move(item.right), std::move(subquery));
  check_choices(subquery.select);
  subquery.one_row = at_most_one_row(subquery.select);

  // The tuple: the outer columns that the subquery and ON read.
  const PairRow row(left.width);
  const Node whole = as_sublink(subquery.select);
  auto outer_columns = columns_of(whole);
  for (const auto& condition : subquery.conditions)
    for (const int index : row.columns_of(condition, Side::kLeft)) outer_columns.push_back(index);
  std::sort(outer_columns.begin(), outer_columns.end());
  outer_columns.erase(std::unique(outer_columns.begin(), outer_columns.end()), outer_columns.end());

  AnalyzedItem copy;
  for (const auto& input : left.inputs) copy.inputs.push_back(input->clone());
  copy.conditions = left.conditions;
  const OperatorPtr rows = combined(copy);  // without what subqueries in its conditions say: more tuples do no harm
  std::vector<int> narrowed = outer_columns;
  OperatorPtr tuples = rows->superset(narrowed);
  std::vector<Node> key;
  std::vector<std::string> names;
  std::vector<Node> same;  // of a key column and what it equals, over the outer row
  for (std::size_t i = 0; i < outer_columns.size(); ++i) {
    const auto& col = rows->columns()[static_cast<std::size_t>(outer_columns[i])];
    if (col.type && !col.type->equatable)
      throw Unsupported("a LATERAL subquery that reads column \"" + col.name +
                            "\" of what is beside it, whose type has no equality, is not maintained incrementally",
                        fragment(subquery.select), "Compute what it needs of the column in a subquery beside it.");
    key.push_back(column(narrowed[i]));
    names.push_back(tuples->columns()[static_cast<std::size_t>(narrowed[i])].name);
    same.push_back(column(outer_columns[i]));
  }
  for (std::size_t i = 0; i < outer_columns.size(); ++i) {
    // Values that are equal but not the same are tuples of their own where it can show.
    const auto& type = rows->columns()[static_cast<std::size_t>(outer_columns[i])].type;
    if (type && type->identity) continue;
    const bool shows = shows_spelling(whole, outer_columns[i]) ||
                       std::any_of(subquery.conditions.begin(), subquery.conditions.end(),
                                   [&](const Node& node) { return shows_spelling(node, outer_columns[i]); });
    if (!shows) continue;
    key.push_back(image_of(narrowed[i]));
    names.push_back(names[i]);
    same.push_back(image_of(outer_columns[i]));
  }
  const int key_count = static_cast<int>(key.size());
  auto in_tuple = [&](int index) {
    return static_cast<int>(std::lower_bound(outer_columns.begin(), outer_columns.end(), index) -
                            outer_columns.begin());
  };
  auto sources = feeds(whole, outer_columns, key_count);
  const Node local = map_columns(whole, [&](int index) { return column(in_tuple(index)); });
  subquery.select = local.sub_link().subselect().select_stmt();
  const PairRow over_tuple(key_count);
  for (auto& condition : subquery.conditions)
    condition = row.map(condition, [&](SideColumn at) {
      return at.side == Side::kLeft ? column(in_tuple(at.column)) : over_tuple.column(Side::kRight, at.column);
    });
  const int width = item.right.width;
  OperatorPtr relation =
      std::make_unique<Lateral>(make_distinct(make_projection(std::move(tuples), std::move(key), names)),
                                std::move(sources), std::move(subquery));

  // The subquery's columns first, where its names are looked for; the tuple is hidden behind them.
  std::vector<Node> order;
  std::vector<std::string> order_names;
  auto take = [&](int position) {
    order.push_back(column(position));
    order_names.push_back(relation->columns()[static_cast<std::size_t>(position)].name);
  };
  for (int i = 0; i < width; ++i) take(over_tuple.position({Side::kRight, i}));
  for (int i = 0; i < key_count; ++i) take(i);
  item.right.inputs.push_back(make_projection(std::move(relation), std::move(order), order_names));
  item.right.width = width + key_count;
  append(left, std::move(item.right));
  for (int i = 0; i < key_count; ++i)
    left.conditions.push_back(not_distinct(same[static_cast<std::size_t>(i)], row.column(Side::kRight, width + i)));
  return left;
}

/// A subquery that reads no table, computed beside each row.
AnalyzedItem QueryAnalyzer::beside_rows(AnalyzedItem left, AnalyzedItem right, LateralSubquery subquery) {
  Node function;
  function.mutable_range_subselect()->set_lateral(true);
  *function.mutable_range_subselect()->mutable_subquery()->mutable_select_stmt() = std::move(subquery.select);
  AnalyzedItem result;
  OperatorPtr input = combined(left);
  result.inputs.push_back(std::make_unique<RowFunction>(std::move(input), std::move(function), subquery.names,
                                                        subquery.outer, std::move(subquery.conditions)));
  result.conditions = std::move(left.conditions);  // those with sublinks
  result.relations = std::move(left.relations);
  result.merged = std::move(left.merged);
  result.width = left.width;
  result.ordered = left.ordered;
  append(result, std::move(right));
  return result;
}

void QueryAnalyzer::take_filters(AnalyzedItem& left, std::vector<Node>* where, const CteScope* ctes) {
  if (where == nullptr) return;
  const Scope scope{left.relations, left.merged, ctes};
  std::vector<Node> later;
  for (auto& conjunct : *where) {
    bool here = columns_of(conjunct).empty() && !has_sublink(conjunct) && !returns_set(conjunct);
    walk(conjunct, [&](const Node& node) {
      if (!node.has_column_ref()) return true;
      const auto& fields = node.column_ref().fields();
      here = here && fields.size() > 1 &&
             std::any_of(left.relations.begin(), left.relations.end(), [&](const ScopeRelation& relation) {
               return relation.alias == fields[fields.size() - 2].string().sval();
             });
      return true;
    });
    if (here) {
      left.conditions.push_back(resolve_condition(conjunct, scope));
    } else {
      later.push_back(std::move(conjunct));
    }
  }
  *where = std::move(later);
}

}  // namespace pgtrickle::compiler
