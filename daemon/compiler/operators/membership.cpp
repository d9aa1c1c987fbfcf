#include "compiler/operators/membership.h"

namespace pgtrickle::compiler {

namespace {

using pg_query::SelectStmt;

// Names of the template's parts; quoted ones with a blank, so that nothing in the query can be meant by them.
constexpr const char* kTested = "pgt tested";
constexpr const char* kRows = "pgt rows";
constexpr const char* kTemplate =
    "SELECT CASE WHEN \"pgt tested\" IS NOT DISTINCT FROM NULL"
    " THEN CASE WHEN EXISTS (SELECT 1 FROM \"pgt rows\") THEN NULL::boolean ELSE false END"
    " WHEN EXISTS (SELECT 1 FROM \"pgt rows\" WHERE \"pgt tested\" = \"pgt rows\".\"pgt value\") THEN true"
    " WHEN EXISTS (SELECT 1 FROM \"pgt rows\" WHERE \"pgt rows\".\"pgt value\" IS NOT DISTINCT FROM NULL)"
    " THEN NULL::boolean ELSE false END";

bool mentions(const Node& expr, bool functions) {
  bool found = false;
  walk(expr, [&](const Node& node) {
    found = found || node.has_sub_link() || (functions && node.has_func_call());
    return !found;
  });
  return found;
}

bool is_plain(const SelectStmt& select) {
  return select.op() == pg_query::SETOP_NONE && select.values_lists().empty() && !select.has_with_clause() &&
         select.group_clause().empty() && !select.has_having_clause() && select.distinct_clause().empty() &&
         select.window_clause().empty() && !select.has_limit_count() && !select.has_limit_offset() &&
         select.target_list_size() == 1 && !mentions(select.target_list(0).res_target().val(), true);
}

/// x = ANY (Q), or x <> ALL (Q), which is its negation.
bool is_membership(const Node& node) {
  if (!node.has_sub_link()) return false;
  const auto& link = node.sub_link();
  if (!link.has_testexpr() || link.testexpr().has_row_expr() || mentions(link.testexpr(), false)) return false;
  const auto [schema, name] = qualified_name(link.oper_name());
  if (!schema.empty() || !is_plain(link.subselect().select_stmt())) return false;
  if (link.sub_link_type() == pg_query::ANY_SUBLINK) return name.empty() || name == "=";
  return link.sub_link_type() == pg_query::ALL_SUBLINK && name == "<>";
}

Node lookups(const pg_query::SubLink& link) {
  static const Node kParsed = parse_select(kTemplate).target_list(0).res_target().val();
  Node result = kParsed;
  rewrite(result, [&](Node& node) {
    if (node.has_column_ref() && node.column_ref().fields(0).string().sval() == kTested) {
      node = link.testexpr();
      return true;
    }
    if (!node.has_range_var() || node.range_var().relname() != kRows) return false;
    auto* rows = node.mutable_range_subselect();
    *rows->mutable_subquery() = link.subselect();
    rows->mutable_alias()->set_aliasname(kRows);
    rows->mutable_alias()->add_colnames()->mutable_string()->set_sval("pgt value");
    return true;
  });
  if (link.sub_link_type() == pg_query::ANY_SUBLINK) return result;
  Node negated;
  negated.mutable_bool_expr()->set_boolop(pg_query::NOT_EXPR);
  *negated.mutable_bool_expr()->add_args() = std::move(result);
  return negated;
}

}  // namespace

Node by_lookup(const Node& expr) {
  Node result = expr;
  rewrite(result, [](Node& node) {
    if (!is_membership(node)) return node.has_sub_link();
    node = lookups(pg_query::SubLink(node.sub_link()));
    return true;
  });
  return result;
}

Node one_by_one(const Node& expr) {
  static const Node kZero = parse_select("SELECT 0").target_list(0).res_target().val();
  Node result = expr;
  rewrite(result, [](Node& node) {
    if (!node.has_sub_link()) return false;
    auto& link = *node.mutable_sub_link();
    auto& select = *link.mutable_subselect()->mutable_select_stmt();
    const bool plain = select.op() == pg_query::SETOP_NONE && select.values_lists().empty() &&
                       select.group_clause().empty() && !select.has_having_clause() &&
                       select.distinct_clause().empty() && select.sort_clause().empty() &&
                       select.window_clause().empty() && !select.has_limit_count() && !select.has_limit_offset();
    if (link.sub_link_type() == pg_query::EXISTS_SUBLINK && plain) {
      // A subquery with OFFSET is never turned into a hash table.
      *select.mutable_limit_offset() = kZero;
      select.set_limit_option(pg_query::LIMIT_OPTION_COUNT);
    }
    return true;
  });
  return result;
}

}  // namespace pgtrickle::compiler
