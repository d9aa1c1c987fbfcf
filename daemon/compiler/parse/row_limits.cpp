#include "compiler/parse/row_limits.h"

#include <optional>

namespace pgtrickle::compiler {

using pg_query::SelectStmt;

namespace {

std::optional<int> integer(const Node& node) {
  if (node.has_type_cast()) return integer(node.type_cast().arg());
  if (!node.has_a_const() || node.a_const().isnull()) return std::nullopt;
  if (node.a_const().has_ival()) return node.a_const().ival().ival();
  if (node.a_const().has_sval() && node.a_const().sval().sval() == "0") return 0;
  return std::nullopt;
}

}  // namespace

bool is_null_constant(const Node& node) {
  if (node.has_type_cast()) return is_null_constant(node.type_cast().arg());
  return node.has_a_const() && node.a_const().isnull();
}

bool has_limit(const SelectStmt& select) {
  return select.has_limit_count() && !is_null_constant(select.limit_count());
}

bool has_offset(const SelectStmt& select) {
  return select.has_limit_offset() && !is_null_constant(select.limit_offset()) && integer(select.limit_offset()) != 0;
}

bool limits_rows(const SelectStmt& select) {
  return has_limit(select) || has_offset(select);
}

bool has_distinct_on(const SelectStmt& select) {
  // A plain DISTINCT is a list of one node without content.
  return select.distinct_clause_size() > 1 ||
         (select.distinct_clause_size() == 1 && select.distinct_clause(0).node_case() != Node::NODE_NOT_SET);
}

bool chooses_rows(const SelectStmt& select) {
  return (limits_rows(select) && !has_no_rows(select)) || has_distinct_on(select);
}

bool has_one_row_at_most(const SelectStmt& select) {
  return has_limit(select) && select.limit_option() != pg_query::LIMIT_OPTION_WITH_TIES &&
         integer(select.limit_count()) == 1;
}

bool has_no_rows(const SelectStmt& select) {
  return has_limit(select) && integer(select.limit_count()) == 0;
}

bool keeps_first_row(const SelectStmt& select) {
  return !has_offset(select) && (!has_limit(select) || integer(select.limit_count()).value_or(0) > 0);
}

}  // namespace pgtrickle::compiler
