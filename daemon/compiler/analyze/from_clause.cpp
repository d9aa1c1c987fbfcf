// FROM: tables, views, CTEs, subqueries, joins, functions over the row beside them.
#include <algorithm>
#include <stdexcept>

#include "compiler/analyze/analyzer.h"
#include "compiler/analyze/query_analyzer.h"
#include "compiler/analyze/volatility.h"
#include "compiler/operators/join.h"
#include "compiler/operators/outer_join.h"
#include "compiler/operators/pair_row.h"
#include "compiler/operators/row_function.h"
#include "compiler/operators/scan.h"
#include "compiler/operators/shared.h"
#include "compiler/operators/values.h"
#include "compiler/parse/clock.h"
#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

namespace {

using Names = std::vector<std::pair<std::string, Node>>;

/// The row of two items beside each other.
PairRow beside(const AnalyzedItem& left) {
  return PairRow(left.width);
}

/// All expressions of an item, as those of the right side of `row`.
void move_right(AnalyzedItem& item, const PairRow& row) {
  const auto move = [&](Node& expr) { expr = row.beside(expr, Side::kRight); };
  for (auto& condition : item.conditions) move(condition);
  for (auto& relation : item.relations)
    for (auto& column : relation.columns) move(column.second);
  for (auto& column : item.merged) move(column.second);
}

const Node* find(const Names& names, const std::string& name) {
  for (const auto& col : names)
    if (col.first == name) return &col.second;
  return nullptr;
}

Node coalesce(const Node& left, const Node& right) {
  Node node;
  *node.mutable_coalesce_expr()->add_args() = left;
  *node.mutable_coalesce_expr()->add_args() = right;
  return node;
}

/// One input under one alias, its columns renamed by the alias's column list.
AnalyzedItem relation(OperatorPtr input, const std::string& name, const pg_query::Alias& alias,
                      const std::vector<std::string>& names, bool ordered = false) {
  AnalyzedItem item;
  item.ordered = ordered;
  ScopeRelation relation{name, {}, {}};
  for (std::size_t i = 0; i < input->columns().size(); ++i) {
    const int at = static_cast<int>(i);
    relation.columns.emplace_back(at < alias.colnames_size() ? alias.colnames(at).string().sval() : names.at(i),
                                  column(at));
  }
  item.width = static_cast<int>(input->columns().size());
  item.relations.push_back(std::move(relation));
  item.inputs.push_back(std::move(input));
  return item;
}

/// The result itself is the content of a node, but for what is done row by row.
bool keeps_state(Operator& op) {
  Operator* at = &op;
  while (at->rowwise()) at = at->inputs().front().get();
  return at->as_stateful() != nullptr;
}

/// Of a column of the item's operators, as far as it is known already.
std::optional<TypeInfo> type_of(const AnalyzedItem& item, const Node& node) {
  int index = 0;
  if (!is_column(node, &index)) return {};
  auto at = static_cast<std::size_t>(index);
  for (const auto& input : item.inputs) {
    if (at < input->columns().size()) return input->columns()[at].type;
    at -= input->columns().size();
  }
  return {};
}

/// What USING makes of two columns. Of an inner join both are equal, of an outer join the side that is always there has
/// the value; its type is the one that both have in common.
Node merged_column(const Node& left, const Node& right, pg_query::JoinType type, bool same_type) {
  if (type == pg_query::JOIN_FULL) return coalesce(left, right);
  if (same_type) return type == pg_query::JOIN_RIGHT ? right : left;
  if (type != pg_query::JOIN_RIGHT) return coalesce(left, right);
  // Of types that turn into each other the left one is taken: CASE looks at ELSE first.
  return map_columns(parse_expr("CASE WHEN true THEN $1 ELSE $2 END"),
                     [&](int index) { return index == 0 ? right : left; });
}

/// What a column in ON of an outer join is, until both sides have all their columns: one of the row of both as FROM
/// gives it, a subquery's value that is being made, or a column at the end of a side.
enum class OnColumn { kOfBoth, kValue, kOfLeft, kOfRight };

/// The sides whose columns the subqueries in a condition read.
std::pair<bool, bool> sides_of_values(const Node& condition, const PairRow& row) {
  std::pair<bool, bool> sides;
  walk(condition, [&](const Node& at) {
    if (!is_value(at)) return true;
    sides.first = sides.first || row.reads(at, Side::kLeft);
    sides.second = sides.second || row.reads(at, Side::kRight);
    return false;
  });
  return sides;
}

bool values_read_both(const Node& condition, const PairRow& row) {
  const auto [left, right] = sides_of_values(condition, row);
  return left && right;
}

Side side_of_values(const Node& condition, const PairRow& row) {
  const auto [left, right] = sides_of_values(condition, row);
  if (left && right)
    throw Unsupported(
        "a subquery in ON of a RIGHT or FULL JOIN, or beside USING, that reads both sides is not "
        "maintained incrementally",
        fragment(condition));
  return right ? Side::kRight : Side::kLeft;
}

bool is_function(const Node& node) {
  return node.has_range_function() || node.has_range_table_func();
}

/// (a JOIN b) AS j hides a and b: one relation with the merged columns first, then the rest.
void hide_behind(const pg_query::JoinExpr& join, const Names& merged, AnalyzedItem& result) {
  ScopeRelation all{join.alias().aliasname(), merged, {}};
  for (const auto& relation : result.relations) {
    if (!join.join_using_alias().aliasname().empty() && relation.alias == join.join_using_alias().aliasname()) continue;
    for (const auto& col : relation.columns)
      if (find(merged, col.first) == nullptr) all.columns.push_back(col);
  }
  for (int i = 0; i < join.alias().colnames_size(); ++i)
    all.columns.at(static_cast<std::size_t>(i)).first = join.alias().colnames(i).string().sval();
  result.relations = {std::move(all)};
  result.merged.clear();
}

/// An item of a list in FROM that reads others of the list: `from`.
bool reads_before(const Node& item, const AnalyzedItem& from) {
  std::set<std::string> own;
  collect_aliases(item, own, own);
  bool reads = false;
  walk(item, [&](const Node& node) {
    if (!node.has_column_ref() || node.column_ref().fields_size() < 2) return !reads;
    const std::string& name = node.column_ref().fields(node.column_ref().fields_size() - 2).string().sval();
    reads =
        reads || (own.count(name) == 0 && std::any_of(from.relations.begin(), from.relations.end(),
                                                      [&](const auto& relation) { return relation.alias == name; }));
    return !reads;
  });
  return reads;
}

/// Whether what stands before a join tree may as well be joined with its leftmost item first: cross joins move into
/// the left side of inner and left joins. Names of USING could be found there too, and an alias would hide it.
bool takes_before(const Node& item) {
  if (!item.has_join_expr()) return true;
  const auto& join = item.join_expr();
  return (join.jointype() == pg_query::JOIN_INNER || join.jointype() == pg_query::JOIN_LEFT) &&
         join.using_clause().empty() && !join.is_natural() && !join.has_alias() && takes_before(join.larg());
}

}  // namespace

void append(AnalyzedItem& left, AnalyzedItem right) {
  move_right(right, beside(left));
  for (auto& input : right.inputs) left.inputs.push_back(std::move(input));
  for (auto& condition : right.conditions) left.conditions.push_back(std::move(condition));
  for (auto& relation : right.relations) left.relations.push_back(std::move(relation));
  for (auto& column : right.merged) left.merged.push_back(std::move(column));
  left.width += right.width;
  left.ordered = left.ordered || right.ordered;
}

AnalyzedItem QueryAnalyzer::from_clause(const pg_query::SelectStmt& select, const CteScope* ctes, int depth,
                                        std::vector<Node>& where) {
  AnalyzedItem from;
  for (const auto& node : select.from_clause()) {
    if (is_function(node) || is_lateral(node) || (reads_before(node, from) && takes_before(node))) {
      from = from_item(node, ctes, depth, {&from, &where});
    } else {
      append(from, from_item(node, ctes, depth, {nullptr, &where}));
    }
  }
  return from;
}

AnalyzedItem QueryAnalyzer::from_item(const Node& node, const CteScope* ctes, int depth, Surroundings around) {
  if (node.has_join_expr()) return join_expr(node.join_expr(), ctes, depth, around);
  AnalyzedItem before;
  if (around.before != nullptr) before = std::move(*around.before);
  if (is_function(node)) return row_function(std::move(before), node, ctes, false, nullptr);
  if (is_lateral(node)) {
    if (auto item = lateral_item(before, node, ctes)) {
      take_filters(before, around.where, ctes);
      return join_lateral(std::move(before), std::move(*item), false, {});
    }
  }
  append(before, leaf(node, ctes, depth));
  return before;
}

AnalyzedItem QueryAnalyzer::leaf(const Node& node, const CteScope* ctes, int depth) {
  if (node.has_range_var()) return range_var(node.range_var(), ctes, depth);
  if (node.has_range_subselect()) {
    const auto& sub = node.range_subselect();
    // The operator's own names are made unique; SQL sees those of the select list.
    const auto names = select_names(sub.subquery().select_stmt());
    auto input = query(sub.subquery().select_stmt(), ctes, depth + 1);
    return relation(std::move(input), sub.alias().aliasname(), sub.alias(), names, ordered_);
  }
  if (node.has_range_table_sample())
    throw Rejected("TABLESAMPLE gives another answer every time", {}, "Remove TABLESAMPLE.");
  throw Unsupported("this kind of FROM item is not maintained incrementally", {});
}

AnalyzedItem QueryAnalyzer::range_var(const pg_query::RangeVar& range, const CteScope* ctes, int depth) {
  const std::string alias = range.has_alias() ? range.alias().aliasname() : range.relname();
  if (range.schemaname().empty()) {
    for (const CteScope* scope = ctes; scope != nullptr; scope = scope->outer) {
      if (scope->cte->ctename() != range.relname()) continue;
      if (!scope->cte->ctequery().has_select_stmt())
        throw Rejected("a WITH query that modifies data cannot define a table", scope->cte->ctename(),
                       "Use SELECT only.");
      const auto names = cte_names(*scope->cte);
      if (scope->rows) return relation(std::make_unique<RecursiveReference>(scope->rows), alias, range.alias(), names);
      auto input = scope->recursive ? recursive_table(*scope, depth)
                                    : query(scope->cte->ctequery().select_stmt(), scope->outer, depth + 1);
      if (scope->shared && keeps_state(*input)) input = std::make_unique<Shared>(std::move(input));
      return relation(std::move(input), alias, range.alias(), names, ordered_);
    }
  }
  const auto found = catalog_.sources.find({range.schemaname(), range.relname()});
  if (found == catalog_.sources.end() && (range.schemaname().empty() || range.schemaname() == "pg_catalog"))
    throw Unsupported("changes of system catalog " + range.relname() + " cannot be captured", range.relname());
  if (found == catalog_.sources.end())
    throw Unsupported("relation \"" + range.relname() + "\" is not known", range.relname());
  const Source& source = found->second;
  if (!range.inh() && source.has_inheritance_children)
    throw Unsupported("ONLY on a table with children is not maintained incrementally", source.name);
  const std::string shown = source.schema + "." + source.name;
  std::vector<std::string> names;
  for (const auto& col : source.columns) names.push_back(col.name);
  switch (source.kind) {
    case SourceKind::kView: {
      if (!source.misread.empty())
        throw Unsupported("view " + shown + " cannot be taken apart: " + source.misread, shown);
      if (static_cast<std::int64_t>(source.view_definition.size()) > limits_.query_bytes)
        throw Unsupported("view " + shown + " is longer than " + std::to_string(limits_.query_bytes) +
                              " bytes (compiler.max_query_bytes)",
                          shown);
      auto definition = parse_select(source.view_definition, limits_.nesting);
      reject_invalid(definition);
      refuse_our_name(definition);
      check_volatility(definition, catalog_);
      name_clock(definition);
      auto input = query(definition, nullptr, depth + 1);
      return relation(std::move(input), alias, range.alias(), names, ordered_);
    }
    case SourceKind::kMaterializedView:
      throw Unsupported("materialized view " + shown + " cannot be captured: REFRESH fires no triggers", shown,
                        "Make it a stream table and read that.");
    case SourceKind::kForeignTable:
      throw Unsupported("changes of foreign table " + shown + " cannot be captured", shown);
    default:
      break;
  }
  if (!source.not_capturable.empty())
    throw Unsupported("changes of " + shown + " cannot be captured: " + source.not_capturable, shown);
  if (source.row_security)
    throw Unsupported("row-level security policies of " + shown + " apply to the owner", shown,
                      "FULL runs the query under the policies. Or let a role that bypasses them own the stream table.");
  AnalyzedItem item = relation(std::make_unique<Scan>(source), alias, range.alias(), names);
  auto& row = item.relations.front();
  row.row_type = qualified(source.schema, source.name);
  for (std::size_t i = 0; i < source.columns.size() && row.never_null < 0; ++i)
    if (source.columns[i].not_null) row.never_null = static_cast<int>(i);
  return item;
}

OperatorPtr QueryAnalyzer::combined(AnalyzedItem& item) {
  std::vector<Node> conditions;
  std::vector<Node> rest;
  for (auto& node : item.conditions) (has_sublink(node) ? rest : conditions).push_back(std::move(node));
  item.conditions = std::move(rest);
  if (item.inputs.empty()) return make_single_row();
  if (item.inputs.size() == 1) return filtered(std::move(item.inputs.front()), std::move(conditions));
  auto timed = take_timed(conditions);
  return filtered(std::make_unique<Join>(std::move(item.inputs), std::move(conditions)), std::move(timed));
}

AnalyzedItem QueryAnalyzer::row_function(AnalyzedItem left, const Node& function, const CteScope* ctes, bool outer,
                                         const Node* condition) {
  const auto& alias =
      function.has_range_function() ? function.range_function().alias() : function.range_table_func().alias();
  const Scope scope{left.relations, left.merged, ctes};
  Node resolved = resolve(function, scope);
  std::vector<std::string> names;
  if (function.has_range_function()) {
    const auto& range = function.range_function();
    for (const auto& definition : range.coldeflist()) names.push_back(definition.column_def().colname());
    for (const auto& item : range.functions())
      if (item.list().items_size() > 1 && item.list().items(1).has_list())
        throw Unsupported("a column definition list inside ROWS FROM is not maintained incrementally", {});
  }
  if (function.has_range_table_func())
    for (const auto& col : function.range_table_func().columns()) names.push_back(col.range_table_func_col().colname());
  for (int i = 0; i < alias.colnames_size() && i < static_cast<int>(names.size()); ++i)
    names[static_cast<std::size_t>(i)] = alias.colnames(i).string().sval();
  if (names.empty())
    for (const auto& name : alias.colnames()) names.push_back(name.string().sval());
  if (names.empty()) throw Unsupported("the columns of a function in FROM are not known", alias.aliasname());
  ScopeRelation added{alias.aliasname(), {}, {}};

  // A function of constants stands for itself; one of other columns is computed beside their rows.
  const bool constant = columns_of(resolved).empty() && !outer;
  AnalyzedItem result;
  OperatorPtr input = constant ? make_single_row() : combined(left);
  if (has_sublink(resolved)) input = extract_sublinks(std::move(input), {&resolved});
  const PairRow row(*input);
  for (std::size_t i = 0; i < names.size(); ++i)
    added.columns.emplace_back(names[i], row.column(Side::kRight, static_cast<int>(i)));
  const int width = static_cast<int>(input->columns().size() + names.size());
  if (constant) {
    AnalyzedItem item;
    item.inputs.push_back(std::make_unique<RowFunction>(std::move(input), resolved, names, false, std::vector<Node>{}));
    item.width = width;
    item.relations.push_back(std::move(added));
    result = std::move(left);
    append(result, std::move(item));
    if (condition != nullptr) {
      const Scope both{result.relations, result.merged, ctes};
      split_conjuncts(resolve(*condition, both), result.conditions);
    }
    return result;
  }
  result.relations = std::move(left.relations);
  result.merged = std::move(left.merged);
  result.conditions = std::move(left.conditions);  // those with sublinks
  result.ordered = left.ordered;
  result.relations.push_back(std::move(added));
  result.width = width;
  std::vector<Node> on;
  if (condition != nullptr) {
    const Scope both{result.relations, result.merged, ctes};
    split_conjuncts(resolve(*condition, both), on);
    for (const auto& node : on)
      if (has_sublink(node)) throw Unsupported("a subquery in ON of a function is not maintained incrementally", {});
  }
  result.inputs.push_back(std::make_unique<RowFunction>(std::move(input), resolved, names, outer, std::move(on)));
  return result;
}

AnalyzedItem QueryAnalyzer::outer_join(AnalyzedItem left, AnalyzedItem right, std::vector<Node> conditions,
                                       pg_query::JoinType type) {
  const PairRow row = beside(left);
  const int width = left.width + right.width;
  // A row that an inner condition with a sublink removes must be gone before the outer join.
  auto single = [&](AnalyzedItem& item) {
    const int own = item.width;
    OperatorPtr op = combined(item);
    if (item.conditions.empty()) return op;
    op = filter_sublinks(std::move(op), std::move(item.conditions));
    std::vector<Node> all;
    std::vector<std::string> names;
    for (int i = 0; i < own; ++i) {
      all.push_back(column(i));
      names.push_back(op->columns()[static_cast<std::size_t>(i)].name);
    }
    return make_projection(std::move(op), std::move(all), names);
  };
  OperatorPtr l = single(left);
  OperatorPtr r = single(right);
  // A condition on the padded side alone decides which rows of it there are to be matched.
  std::vector<Node> timeless;
  for (auto& node : conditions) {
    if (!reads_clock(node)) {
      timeless.push_back(std::move(node));
    } else if (!has_sublink(node) && type == pg_query::JOIN_LEFT && row.reads_only(node, Side::kRight)) {
      r = filtered(std::move(r), {row.local(node, Side::kRight)});
    } else if (!has_sublink(node) && type == pg_query::JOIN_RIGHT && row.reads_only(node, Side::kLeft)) {
      l = filtered(std::move(l), {row.local(node, Side::kLeft)});
    } else {
      refuse_time(fragment(with_now(node)));
    }
  }
  conditions = std::move(timeless);

  // Sublinks in ON are computed on the side whose columns they read, as columns at its end.
  bool widened = false;
  for (auto& node : conditions) {
    if (!has_sublink(node)) continue;
    const Side side = side_of_values(node, row);
    std::vector<Node> values;  // over the side's row
    rewrite(node, [&](Node& at) {
      if (!is_value(at)) return false;
      values.push_back(row.local(at, side));
      at = column(OnColumn::kValue, static_cast<int>(values.size()) - 1);
      return true;
    });
    std::vector<Node*> exprs;
    for (auto& value : values) exprs.push_back(&value);
    OperatorPtr& input = side == Side::kLeft ? l : r;
    input = extract_sublinks(std::move(input), exprs);
    widened = true;
    // Where they are in the row of both is known when both sides have their widths.
    node = map_tagged<OnColumn>(node, [&](TaggedColumn<OnColumn> at) {
      if (at.of != OnColumn::kValue) return column(at.of, at.column);
      int position = 0;
      if (!is_column(values[static_cast<std::size_t>(at.column)], &position))
        throw std::logic_error("an extracted sublink is not a column");
      return column(side == Side::kLeft ? OnColumn::kOfLeft : OnColumn::kOfRight, position);
    });
  }
  const PairRow wide(*l);
  for (auto& node : conditions) {
    node = map_tagged<OnColumn>(node, [&](TaggedColumn<OnColumn> at) {
      if (at.of == OnColumn::kOfLeft) return wide.column(Side::kLeft, at.column);
      if (at.of == OnColumn::kOfRight) return wide.column(Side::kRight, at.column);
      return column(wide.position(row.at(at.column)));
    });
  }
  OperatorPtr joined = std::make_unique<OuterJoin>(std::move(l), std::move(r), std::move(conditions),
                                                   type != pg_query::JOIN_RIGHT, type != pg_query::JOIN_LEFT);
  if (widened) {
    std::vector<Node> all;
    std::vector<std::string> names;
    for (int i = 0; i < width; ++i) {
      const int at = wide.position(row.at(i));
      all.push_back(column(at));
      names.push_back(joined->columns()[static_cast<std::size_t>(at)].name);
    }
    joined = make_projection(std::move(joined), std::move(all), names);
  }
  move_right(right, row);
  AnalyzedItem result;
  result.width = width;
  result.ordered = left.ordered || right.ordered;
  result.inputs.push_back(std::move(joined));
  result.relations = std::move(left.relations);
  for (auto& relation : right.relations) result.relations.push_back(std::move(relation));
  for (auto& relation : result.relations) {
    if (relation.never_null < 0) relation.row_type.clear();  // a padded row cannot be told from a row of NULLs
    relation.padded = true;
  }
  return result;
}

std::optional<LateralItem> QueryAnalyzer::as_lateral(const pg_query::JoinExpr& join, const AnalyzedItem& left,
                                                     const AnalyzedItem& right, const CteScope* ctes) {
  if (join.jointype() != pg_query::JOIN_LEFT || !join.has_quals() || !join.using_clause().empty() ||
      join.is_natural() || !right.merged.empty())
    return std::nullopt;
  LateralItem item;
  item.select.set_op(pg_query::SETOP_NONE);
  item.select.set_limit_option(pg_query::LIMIT_OPTION_DEFAULT);
  *item.select.add_from_clause() = join.rarg();
  *item.select.mutable_where_clause() = join.quals();
  for (const auto& relation : right.relations) {
    ScopeRelation same{relation.alias, {}, {}};
    for (const auto& col : relation.columns) {
      same.columns.emplace_back(col.first, column(static_cast<int>(item.names.size())));
      auto& target = *item.select.add_target_list()->mutable_res_target();
      *target.mutable_val() = column_ref(relation.alias, col.first);
      target.set_name(col.first);
      item.names.push_back(col.first);
    }
    item.right.relations.push_back(std::move(same));
  }
  bind(item.select, Scope{left.relations, left.merged, ctes}, {}, {});
  item.right.width = static_cast<int>(item.names.size());
  item.right.ordered = right.ordered;
  item.names = unique_names(item.names);
  return item;
}

// Calls itself for each level of a chain of joins, to the left and to the right: what is not recursive is in functions
// of its own, so that a level takes little of the stack.
AnalyzedItem QueryAnalyzer::join_expr(const pg_query::JoinExpr& join, const CteScope* ctes, int depth,
                                      Surroundings around) {
  const auto type = join.jointype();
  if ((type != pg_query::JOIN_INNER && type != pg_query::JOIN_LEFT) || join.has_alias()) around.where = nullptr;
  AnalyzedItem left = from_item(join.larg(), ctes, depth, around);
  if (joins_function(join, left)) return join_function(join, std::move(left), ctes);
  if (is_lateral(join.rarg()))
    if (auto item = join_lateral_item(join, left, ctes, around)) return std::move(*item);
  if (reads_before(join.rarg(), left)) return join_reader_of_left(join, std::move(left), ctes, depth);
  return join_items(join, std::move(left), from_item(join.rarg(), ctes, depth), std::nullopt, ctes, around);
}

// A function that reads nothing of the left side is an item like any other. (In RIGHT and FULL JOIN it cannot.)
bool QueryAnalyzer::joins_function(const pg_query::JoinExpr& join, const AnalyzedItem& left) {
  const auto type = join.jointype();
  const bool by_name = join.is_natural() || !join.using_clause().empty();
  return is_function(join.rarg()) && (type == pg_query::JOIN_INNER || type == pg_query::JOIN_LEFT) &&
         (!by_name || reads_before(join.rarg(), left));
}

AnalyzedItem QueryAnalyzer::join_function(const pg_query::JoinExpr& join, AnalyzedItem left, const CteScope* ctes) {
  if (join.is_natural() || !join.using_clause().empty())
    throw Unsupported("USING with a function in FROM that reads the other side is not maintained incrementally", {});
  AnalyzedItem item = row_function(std::move(left), join.rarg(), ctes, join.jointype() == pg_query::JOIN_LEFT,
                                   join.has_quals() ? &join.quals() : nullptr);
  if (join.has_alias()) hide_behind(join, {}, item);
  return item;
}

// Nothing, and `left` as it was, if the right side is an ordinary subquery: LATERAL is written, but it reads nothing of
// the left side.
std::optional<AnalyzedItem> QueryAnalyzer::join_lateral_item(const pg_query::JoinExpr& join, AnalyzedItem& left,
                                                             const CteScope* ctes, Surroundings around) {
  std::optional<LateralItem> lateral = lateral_item(left, join.rarg(), ctes);
  if (!lateral) return std::nullopt;
  AnalyzedItem right;
  right.relations = lateral->right.relations;
  right.width = lateral->right.width;
  return join_items(join, std::move(left), std::move(right), std::move(lateral), ctes, around);
}

// The left side becomes part of the right one, as its first item.
AnalyzedItem QueryAnalyzer::join_reader_of_left(const pg_query::JoinExpr& join, AnalyzedItem left, const CteScope* ctes,
                                                int depth) {
  if (join.jointype() != pg_query::JOIN_INNER || join.is_natural() || !join.using_clause().empty() ||
      !takes_before(join.rarg()))
    throw Unsupported(
        "LATERAL inside of a join that reads what is left of that join is maintained incrementally in "
        "inner joins with ON only",
        {});
  AnalyzedItem all = from_item(join.rarg(), ctes, depth, {&left, nullptr});
  if (join.has_quals()) {
    const Scope scope{all.relations, all.merged, ctes};
    split_conjuncts(resolve_condition(join.quals(), scope), all.conditions);
  }
  if (join.has_alias()) hide_behind(join, {}, all);
  return all;
}

// `lateral`: what the right side is, if it reads the left one; then `right` has its names only.
AnalyzedItem QueryAnalyzer::join_items(const pg_query::JoinExpr& join, AnalyzedItem left, AnalyzedItem right,
                                       std::optional<LateralItem> lateral, const CteScope* ctes, Surroundings around) {
  const auto type = join.jointype();
  const PairRow row = beside(left);

  // Visible, unambiguous names of each side, for USING and NATURAL; over the joined row.
  auto visible = [&](const AnalyzedItem& item, Side side) {
    Names names = item.merged;
    for (const auto& relation : item.relations)
      for (const auto& col : relation.columns) names.push_back(col);
    for (auto& name : names) name.second = row.beside(name.second, side);
    return names;
  };
  const Names left_names = visible(left, Side::kLeft);
  const Names right_names = visible(right, Side::kRight);
  std::vector<std::string> usings;
  for (const auto& node : join.using_clause()) usings.push_back(node.string().sval());
  if (join.is_natural()) {
    for (const auto& col : left_names)
      if (find(right_names, col.first) != nullptr && std::find(usings.begin(), usings.end(), col.first) == usings.end())
        usings.push_back(col.first);
  }
  std::vector<Node> conditions;
  Names merged;
  for (const auto& name : usings) {
    const Node* l = find(left_names, name);
    const Node* r = find(right_names, name);
    if (l == nullptr || r == nullptr) throw Unsupported("cannot resolve USING (" + name + ")", name);
    conditions.push_back(equality(*l, *r));
    const auto l_type = type_of(left, *l);
    const auto r_type = type_of(right, row.local(*r, Side::kRight));
    const bool same_type = l_type && r_type && l_type->oid == r_type->oid;
    merged.emplace_back(name, merged_column(*l, *r, type, same_type));
  }
  Names outer_merged = left.merged;  // names merged further down stay visible
  for (auto& col : right.merged) outer_merged.emplace_back(col.first, row.beside(col.second, Side::kRight));

  AnalyzedItem result;
  if (join.has_quals()) {
    AnalyzedItem both_names;
    both_names.relations = left.relations;
    for (auto relation : right.relations) {
      for (auto& col : relation.columns) col.second = row.beside(col.second, Side::kRight);
      both_names.relations.push_back(std::move(relation));
    }
    const Scope scope{both_names.relations, outer_merged, ctes};
    split_conjuncts(resolve_condition(join.quals(), scope), conditions);
  }
  const bool reads_both =
      std::any_of(conditions.begin(), conditions.end(), [&](const Node& node) { return values_read_both(node, row); });
  if (reads_both && !lateral) {
    lateral = as_lateral(join, left, right, ctes);
    if (lateral) conditions.clear();  // they are inside
  }
  if (lateral) {
    // What is applied to the left side before: its width stays.
    take_filters(left, around.where, ctes);
    const bool outer = type == pg_query::JOIN_LEFT;
    if (!outer && type != pg_query::JOIN_INNER)
      throw std::logic_error("LATERAL in a RIGHT or FULL JOIN reads the other side");
    std::vector<Node> inside;  // of an outer join: they decide which rows are padded
    if (outer) inside.swap(conditions);
    for (const auto& node : inside)
      if (reads_clock(node)) refuse_time(fragment(with_now(node)));
    result = join_lateral(std::move(left), std::move(*lateral), outer, std::move(inside));
    for (auto& node : conditions) result.conditions.push_back(std::move(node));
  } else if (type == pg_query::JOIN_INNER) {
    append(left, std::move(right));
    for (auto& node : conditions) left.conditions.push_back(std::move(node));
    result = std::move(left);
  } else {
    result = outer_join(std::move(left), std::move(right), std::move(conditions), type);
  }
  result.merged = merged;
  for (auto& col : outer_merged)
    if (find(result.merged, col.first) == nullptr) result.merged.push_back(std::move(col));

  if (!join.join_using_alias().aliasname().empty())
    result.relations.push_back({join.join_using_alias().aliasname(), merged, {}});
  if (join.has_alias()) hide_behind(join, merged, result);
  return result;
}

}  // namespace pgtrickle::compiler
