#include "compiler/parse/rejects_nulls.h"

#include <algorithm>
#include <set>

namespace pgtrickle::compiler {

namespace {

using IsNull = std::function<bool(int)>;

/// Operators of pg_catalog that are NULL if an operand is, for every type.
bool strict_operator(const pg_query::A_Expr& expr) {
  static const std::set<std::string> kStrict{"=", "<>", "<", ">", "<=", ">=", "+",   "-",
                                             "*", "/",  "%", "~", "!~", "~~", "!~~", "~~*"};
  const auto [schema, name] = qualified_name(expr.name());
  return schema.empty() && kStrict.count(name) != 0;
}

/// The expression is NULL whenever the columns are.
bool null_with(const Node& expr, const IsNull& is_null) {
  int index = 0;
  if (is_column(expr, &index)) return is_null(index);
  if (expr.has_type_cast()) return null_with(expr.type_cast().arg(), is_null);
  if (expr.has_collate_clause()) return null_with(expr.collate_clause().arg(), is_null);
  if (expr.has_bool_expr() && expr.bool_expr().boolop() == pg_query::NOT_EXPR)
    return null_with(expr.bool_expr().args(0), is_null);
  if (!expr.has_a_expr() || expr.a_expr().kind() != pg_query::AEXPR_OP || !strict_operator(expr.a_expr())) return false;
  return (expr.a_expr().has_lexpr() && null_with(expr.a_expr().lexpr(), is_null)) ||
         (expr.a_expr().has_rexpr() && null_with(expr.a_expr().rexpr(), is_null));
}

bool rejects_boolean_test(const pg_query::BooleanTest& test, const IsNull& is_null) {
  switch (test.booltesttype()) {
    case pg_query::IS_TRUE:
    case pg_query::IS_FALSE:
    case pg_query::IS_NOT_UNKNOWN:
      return null_with(test.arg(), is_null);
    default:
      return false;
  }
}

}  // namespace

bool rejects_nulls(const Node& predicate, const IsNull& is_null) {
  if (null_with(predicate, is_null)) return true;
  if (predicate.has_null_test())
    return predicate.null_test().nulltesttype() == pg_query::IS_NOT_NULL &&
           null_with(predicate.null_test().arg(), is_null);
  if (predicate.has_boolean_test()) return rejects_boolean_test(predicate.boolean_test(), is_null);
  if (predicate.has_a_expr() && predicate.a_expr().kind() == pg_query::AEXPR_OP_ANY)  // x = ANY (array)
    return strict_operator(predicate.a_expr()) && null_with(predicate.a_expr().lexpr(), is_null);
  if (!predicate.has_bool_expr()) return false;
  const auto& args = predicate.bool_expr().args();
  auto rejects = [&](const Node& arg) { return rejects_nulls(arg, is_null); };
  if (predicate.bool_expr().boolop() == pg_query::AND_EXPR) return std::any_of(args.begin(), args.end(), rejects);
  if (predicate.bool_expr().boolop() == pg_query::OR_EXPR) return std::all_of(args.begin(), args.end(), rejects);
  return false;
}

}  // namespace pgtrickle::compiler
