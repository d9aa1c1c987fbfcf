// WITH RECURSIVE: a CTE that reads itself becomes a Recursive over the operators of its two terms (recursive.h).
#include <algorithm>

#include "compiler/analyze/query_analyzer.h"
#include "compiler/operators/join.h"
#include "compiler/operators/outer_join.h"
#include "compiler/operators/recursive.h"
#include "compiler/operators/semi_join.h"
#include "compiler/parse/row_limits.h"

namespace pgtrickle::compiler {

using pg_query::CommonTableExpr;
using pg_query::SelectStmt;

namespace {

bool references_itself(const CommonTableExpr& cte) {
  bool found = false;
  walk(cte.ctequery(), [&](const Node& node) {
    if (node.has_range_var() && node.range_var().schemaname().empty() && node.range_var().relname() == cte.ctename())
      found = true;
    return !found;
  });
  return found;
}

/// How often the name of a CTE is mentioned; one that is shadowed counts too, which does no harm.
int references(const SelectStmt& select, const std::string& name) {
  int count = 0;
  walk(select, [&](const Node& node) {
    if (node.has_range_var() && node.range_var().schemaname().empty() && node.range_var().relname() == name) ++count;
    return true;
  });
  return count;
}

/// How often an operator's rows are computed from the reference to these rows.
int reads(const Operator& op, const RecursiveRows& rows) {
  const auto* reference = dynamic_cast<const RecursiveReference*>(&op);
  if (reference != nullptr) return reference->rows() == &rows ? 1 : 0;
  int count = 0;
  for (const auto& input : op.inputs()) count += reads(*input, rows);
  return count;
}

/// The operator's rows are the union, with duplicates, of what each row of this input alone leads to, whatever the
/// other inputs are. So an input without rows leads to none.
bool linear_in(const Operator& op, std::size_t input) {
  if (op.rowwise() || dynamic_cast<const Join*>(&op) != nullptr) return true;
  if (dynamic_cast<const SemiJoin*>(&op) != nullptr) return input == 0;
  const auto* outer = dynamic_cast<const OuterJoin*>(&op);
  // A row of the other side that has no match is kept all the same.
  return outer != nullptr && !outer->keeps(input == 0 ? Side::kRight : Side::kLeft);
}

/// The operator in the way of linearity; nullptr if there is none.
const Operator* not_linear(const Operator& op, const RecursiveRows& rows) {
  for (std::size_t i = 0; i < op.inputs().size(); ++i) {
    const Operator& input = *op.inputs()[i];
    if (reads(input, rows) == 0) continue;
    return linear_in(op, i) ? not_linear(input, rows) : &op;
  }
  return nullptr;
}

/// The query names a column, anywhere but in an ORDER BY that says nothing; "*" may be one.
bool mentions(const SelectStmt& select, const std::string& name) {
  SelectStmt read = select;
  if (!limits_rows(select) && select.distinct_clause().empty()) read.clear_sort_clause();
  bool found = false;
  walk(read, [&](const Node& node) {
    if (!node.has_column_ref()) return !found;
    const auto& last = node.column_ref().fields(node.column_ref().fields_size() - 1);
    found = found || last.has_a_star() || last.string().sval() == name;
    return !found;
  });
  return found;
}

/// What the reference to the CTE in FROM is called; empty if it is not beside the other items there.
std::string alias_of(const Node& item, const std::string& cte) {
  if (item.has_range_var()) {
    const auto& range = item.range_var();
    if (!range.schemaname().empty() || range.relname() != cte) return {};
    return range.has_alias() ? range.alias().aliasname() : cte;
  }
  if (!item.has_join_expr() || item.join_expr().has_alias()) return {};
  const std::string left = alias_of(item.join_expr().larg(), cte);
  return left.empty() ? alias_of(item.join_expr().rarg(), cte) : left;
}

std::string alias_of(const SelectStmt& select, const std::string& cte) {
  for (const auto& item : select.from_clause())
    if (auto alias = alias_of(item, cte); !alias.empty()) return alias;
  return {};
}

/// The expression with $1, $2, .. replaced.
Node filled(const std::string& sql, const std::vector<Node>& arguments) {
  return map_columns(parse_expr(sql), [&](int index) { return arguments.at(static_cast<std::size_t>(index)); });
}

void add_target(SelectStmt& select, Node value, const std::string& name) {
  auto& target = *select.add_target_list()->mutable_res_target();
  *target.mutable_val() = std::move(value);
  target.set_name(name);
}

/// CYCLE c SET mark TO value DEFAULT other USING path as SQL defines it: columns that both terms compute. The path is
/// an array of values of c, not of rows: so a table can have it.
void write_out_cycle(CommonTableExpr& cte, const std::vector<std::string>& names) {
  const pg_query::CTECycleClause cycle = cte.cycle_clause();
  const auto at = std::find(names.begin(), names.end(), cycle.cycle_col_list(0).string().sval());
  SelectStmt& both = *cte.mutable_ctequery()->mutable_select_stmt();
  SelectStmt& step = *both.mutable_rarg();
  const std::string self = step.op() == pg_query::SETOP_NONE ? alias_of(step, cte.ctename()) : std::string();
  if (cycle.cycle_col_list_size() != 1 || at == names.end() || self.empty())
    throw Unsupported("CYCLE with more than one column is not maintained incrementally: its path is a list of rows",
                      cte.ctename(), "Collect the path in an array of your own, and compare with = ANY (path).");
  SelectStmt first;
  first.set_limit_option(pg_query::LIMIT_OPTION_DEFAULT);
  first.set_op(pg_query::SETOP_NONE);
  auto& item = *first.add_from_clause()->mutable_range_subselect();
  *item.mutable_subquery()->mutable_select_stmt() = both.larg();
  item.mutable_alias()->set_aliasname("b");
  for (const auto& name : names) {
    item.mutable_alias()->add_colnames()->mutable_string()->set_sval(name);
    add_target(first, column_ref("b", name), name);
  }
  add_target(first, cycle.cycle_mark_default(), cycle.cycle_mark_column());
  add_target(first, filled("ARRAY[$1]", {column_ref("b", *at)}), cycle.cycle_path_column());
  *both.mutable_larg() = std::move(first);

  const Node value = step.target_list(static_cast<int>(at - names.begin())).res_target().val();
  const Node path = column_ref(self, cycle.cycle_path_column());
  add_target(step,
             filled("CASE WHEN pg_catalog.array_position($1, $2) IS NOT NULL THEN $3 ELSE $4 END",
                    {path, value, cycle.cycle_mark_value(), cycle.cycle_mark_default()}),
             cycle.cycle_mark_column());
  add_target(step, filled("$1 || $2", {path, value}), cycle.cycle_path_column());
  const Node mark = column_ref(self, cycle.cycle_mark_column());
  const Node goes_on = filled("$1 <> $2", {mark, cycle.cycle_mark_value()});
  *step.mutable_where_clause() =
      step.has_where_clause() ? filled("$1 AND $2", {step.where_clause(), goes_on}) : goes_on;

  cte.clear_aliascolnames();
  for (const auto& name : names) cte.add_aliascolnames()->mutable_string()->set_sval(name);
  for (const auto& name : {cycle.cycle_mark_column(), cycle.cycle_path_column()})
    cte.add_aliascolnames()->mutable_string()->set_sval(name);
  cte.clear_cycle_clause();
}

/// The CTE of a query without its SEARCH and CYCLE clauses.
CommonTableExpr without_clauses(const CommonTableExpr& cte, const SelectStmt& select,
                                const std::vector<std::string>& names) {
  CommonTableExpr result = cte;
  const std::string hint = "Collect it in an array of your own.";
  if (cte.has_search_clause() && mentions(select, cte.search_clause().search_seq_column()))
    throw Unsupported("the column of SEARCH is made of rows, which no table can have: not maintained incrementally",
                      cte.search_clause().search_seq_column(), hint);
  result.clear_search_clause();
  if (!cte.has_cycle_clause()) return result;
  if (mentions(select, cte.cycle_clause().cycle_path_column()))
    throw Unsupported("the path of CYCLE is made of rows, which no table can have: not maintained incrementally",
                      cte.cycle_clause().cycle_path_column(), hint);
  write_out_cycle(result, names);
  return result;
}

}  // namespace

const CteScope* QueryAnalyzer::with_ctes(const SelectStmt& select, const CteScope* outer,
                                         std::vector<std::unique_ptr<CteScope>>& own) {
  for (const auto& node : select.with_clause().ctes()) {
    const auto& cte = node.common_table_expr();
    CteScope scope;
    scope.cte = &cte;
    scope.outer = outer;
    scope.shared = references(select, cte.ctename()) > 1;
    if (cte.has_search_clause() || cte.has_cycle_clause()) {
      scope.rewritten = std::make_shared<CommonTableExpr>(without_clauses(cte, select, cte_names(cte)));
      scope.cte = scope.rewritten.get();
    }
    scope.recursive = select.with_clause().recursive() && cte.ctequery().has_select_stmt() &&
                      cte.ctequery().select_stmt().op() == pg_query::SETOP_UNION && references_itself(cte);
    own.push_back(std::make_unique<CteScope>(std::move(scope)));
    outer = own.back().get();
  }
  return outer;
}

std::vector<std::string> QueryAnalyzer::cte_names(const CommonTableExpr& cte) {
  std::vector<std::string> names = select_names(cte.ctequery().select_stmt());
  for (int i = 0; i < cte.aliascolnames_size(); ++i)
    names.at(static_cast<std::size_t>(i)) = cte.aliascolnames(i).string().sval();
  return names;
}

Node QueryAnalyzer::written_out(const CommonTableExpr& cte) {
  Node node;
  auto& select = *node.mutable_select_stmt();
  select.set_limit_option(pg_query::LIMIT_OPTION_DEFAULT);
  select.set_op(pg_query::SETOP_NONE);
  select.mutable_with_clause()->set_recursive(true);
  *select.mutable_with_clause()->add_ctes()->mutable_common_table_expr() = cte;
  for (const auto& name : cte_names(cte)) {
    auto& target = *select.add_target_list()->mutable_res_target();
    *target.mutable_val() = column_ref(cte.ctename(), name);
    target.set_name(name);
  }
  auto& from = *select.add_from_clause()->mutable_range_var();
  from.set_relname(cte.ctename());
  from.set_inh(true);
  from.set_relpersistence("p");
  return node;
}

OperatorPtr QueryAnalyzer::recursive_table(const CteScope& scope, int depth) {
  const Timeless here(timeless_);
  const auto& cte = *scope.cte;
  const auto& select = cte.ctequery().select_stmt();
  std::vector<std::unique_ptr<CteScope>> around;
  OperatorPtr base = query(select.larg(), with_ctes(select, scope.outer, around), depth + 1);

  // What is known of a column of the result has to hold for both terms, and the recursive one reads the result.
  const auto rows = std::make_shared<RecursiveRows>();
  rows->name = cte.ctename();
  rows->columns = base->columns();
  CteScope self;
  self.cte = &cte;
  self.outer = scope.outer;
  self.rows = rows;
  OperatorPtr step;
  for (bool settled = false; !settled;) {
    std::vector<std::unique_ptr<CteScope>> own;
    step = query(select.rarg(), with_ctes(select, &self, own), depth + 1);
    settled = true;
    for (std::size_t i = 0; i < rows->columns.size(); ++i) {
      if (!rows->columns[i].not_null || step->columns().at(i).not_null) continue;
      rows->columns[i].not_null = false;
      settled = false;
    }
  }
  ordered_ = false;
  if (reads(*step, *rows) != 1)
    throw Unsupported("the recursive term of " + cte.ctename() +
                          " depends on the result in more than one way, or in none: not maintained incrementally",
                      fragment(select.rarg()), "Join what a subquery in it looks up.");
  if (const Operator* op = not_linear(*step, *rows); op != nullptr)
    throw Unsupported("the recursive term of " + cte.ctename() +
                          " does more to the rows of a round than to follow each one: not maintained incrementally",
                      op->describe());
  return std::make_unique<Recursive>(rows, std::move(base), std::move(step), select.all());
}

}  // namespace pgtrickle::compiler
