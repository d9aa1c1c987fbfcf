#include <functional>

#include "compiler/analyze/analyzer.h"
#include "compiler/error.h"

namespace pgtrickle::compiler {

void reject_invalid(const pg_query::SelectStmt& query) {
  auto check = [](const pg_query::SelectStmt& select) {
    if (!select.locking_clause().empty())
      throw Rejected("FOR UPDATE / FOR SHARE makes no sense in the definition of a table", fragment(select),
                     "Remove the locking clause.");
    if (select.has_into_clause()) throw Rejected("SELECT INTO is not a query", fragment(select), "Remove INTO.");
    const bool limited = (select.has_limit_count() &&
                          !(select.limit_count().has_a_const() && select.limit_count().a_const().isnull())) ||
                         (select.has_limit_offset() &&
                          !(select.limit_offset().has_a_const() && select.limit_offset().a_const().isnull()));
    if (limited && select.sort_clause().empty())
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
    if (node.has_select_stmt()) arms(node.select_stmt());
    if (node.has_range_table_sample())
      throw Rejected("TABLESAMPLE gives another answer every time", {}, "Remove TABLESAMPLE.");
    if (node.has_common_table_expr() && !node.common_table_expr().ctequery().has_select_stmt())
      throw Rejected("a WITH query that modifies data cannot define a table", node.common_table_expr().ctename(),
                     "Use SELECT only.");
    return true;
  });
}

}  // namespace pgtrickle::compiler
