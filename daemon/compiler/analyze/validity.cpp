#include <functional>
#include <set>

#include "compiler/analyze/analyzer.h"
#include "compiler/error.h"
#include "compiler/operators/correlation.h"
#include "compiler/parse/row_limits.h"

namespace pgtrickle::compiler {

void reject_invalid(const pg_query::SelectStmt& query) {
  std::set<const pg_query::SelectStmt*>
      existence;  // of EXISTS: how many rows there are is defined, and it asks no more
  auto check = [&](const pg_query::SelectStmt& select) {
    if (!select.locking_clause().empty())
      throw Rejected("FOR UPDATE / FOR SHARE makes no sense in the definition of a table", fragment(select),
                     "Remove the locking clause.");
    if (select.has_into_clause()) throw Rejected("SELECT INTO is not a query", fragment(select), "Remove INTO.");
    if (limits_rows(select) && !has_no_rows(select) && select.sort_clause().empty() && existence.count(&select) == 0)
      throw Rejected("LIMIT / OFFSET without ORDER BY: which rows it returns is not defined", fragment(select),
                     "Add ORDER BY.");
  };
  std::function<void(const pg_query::SelectStmt&)> arms = [&](const pg_query::SelectStmt& select) {
    check(select);
    if (select.has_larg()) arms(select.larg());
    if (select.has_rarg()) arms(select.rarg());
  };
  arms(query);
  walk(query, [&](const Node& node) {
    if (node.has_sub_link() && node.sub_link().sub_link_type() == pg_query::EXISTS_SUBLINK)
      existence.insert(&node.sub_link().subselect().select_stmt());
    if (node.has_select_stmt()) arms(node.select_stmt());
    if (node.has_range_table_sample())
      throw Rejected("TABLESAMPLE gives another answer every time", {}, "Remove TABLESAMPLE.");
    if (node.has_common_table_expr() && !node.common_table_expr().ctequery().has_select_stmt())
      throw Rejected("a WITH query that modifies data cannot define a table", node.common_table_expr().ctename(),
                     "Use SELECT only.");
    return true;
  });
}

void refuse_our_name(const pg_query::SelectStmt& query) {
  auto check = [](const std::string& name) {
    if (name == kOuterAlias)
      throw Unsupported("\"" + name + "\" is the name under which generated SQL knows the row around a subquery", name,
                        "Give the relation another alias.");
  };
  walk(query, [&](const Node& node) {
    if (node.has_range_var()) {
      const auto& range = node.range_var();
      check(range.has_alias() ? range.alias().aliasname() : range.relname());
    }
    if (node.has_range_subselect()) check(node.range_subselect().alias().aliasname());
    if (node.has_range_function()) check(node.range_function().alias().aliasname());
    if (node.has_range_table_func()) check(node.range_table_func().alias().aliasname());
    if (node.has_join_expr()) {
      check(node.join_expr().alias().aliasname());
      check(node.join_expr().join_using_alias().aliasname());
    }
    return true;
  });
}

}  // namespace pgtrickle::compiler
