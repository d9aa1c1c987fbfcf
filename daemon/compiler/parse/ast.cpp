#include "compiler/parse/ast.h"

#include <set>

#include "compiler/error.h"
#include "compiler/parse/pg_query_text.h"
#include "compiler/parse/traverse.h"

namespace pgtrickle::compiler {

namespace {

using google::protobuf::Message;

void walk_message(const Message& message, const std::function<bool(const Node&)>& visit) {
  if (is_node(message) && !visit(static_cast<const Node&>(message))) return;
  for_each_child(message, [&](const Message& child, const auto&) { walk_message(child, visit); });
}

void rewrite_message(Message& message, const std::function<bool(Node&)>& replace) {
  if (auto* node = as_node(message); node != nullptr && replace(*node)) return;
  for_each_child(message, [&](Message& child, const auto&) { rewrite_message(child, replace); });
}

}  // namespace

pg_query::SelectStmt parse_select(const std::string& sql, int max_nesting) {
  auto parsed = text_to_tree(sql);
  if (parsed.nesting > max_nesting) {
    const std::string levels = parsed.nesting > kNestingCeiling ? "more than " + std::to_string(kNestingCeiling)
                                                                : std::to_string(parsed.nesting);
    throw Rejected("the query is nested too deeply: " + levels + " levels; the limit is " +
                       std::to_string(max_nesting) + " (compiler.max_nesting)",
                   {}, "Simplify the query, or raise the limit in the configuration of the daemon.");
  }
  if (!parsed.tree) {
    throw Unsupported("the query cannot be parsed: " + parsed.error, {},
                      "The compiler understands the syntax of PostgreSQL 15.");
  }
  if (parsed.tree->stmts_size() != 1 || !parsed.tree->stmts(0).stmt().has_select_stmt())
    throw Rejected("a stream table needs exactly one SELECT statement", {});
  return std::move(*parsed.tree->mutable_stmts(0)->mutable_stmt()->mutable_select_stmt());
}

Node parse_expr(const std::string& sql) {
  return parse_select("SELECT " + sql).target_list(0).res_target().val();
}

bool equal(const Node& a, const Node& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

void walk(const Node& node, const std::function<bool(const Node&)>& visit) {
  walk_message(node, visit);
}
void walk(const pg_query::SelectStmt& select, const std::function<bool(const Node&)>& visit) {
  walk_message(select, visit);
}
void walk_own(const Node& node, const std::function<bool(const Node&)>& visit) {
  walk(node, [&](const Node& at) {
    if (!at.has_sub_link()) return visit(at);
    if (at.sub_link().has_testexpr()) walk_own(at.sub_link().testexpr(), visit);
    return false;
  });
}
void rewrite(Node& node, const std::function<bool(Node&)>& replace) {
  rewrite_message(node, replace);
}
void rewrite(pg_query::SelectStmt& select, const std::function<bool(Node&)>& replace) {
  rewrite_message(select, replace);
}

Node column(int index) {
  Node node;
  node.mutable_param_ref()->set_number(index + 1);
  return node;
}

bool is_column(const Node& expr, int* index) {
  if (!expr.has_param_ref()) return false;
  if (index != nullptr) *index = expr.param_ref().number() - 1;
  return true;
}

std::vector<int> columns_of(const Node& expr) {
  std::set<int> found;
  walk(expr, [&](const Node& node) {
    int index = 0;
    if (is_column(node, &index)) found.insert(index);
    return true;
  });
  return {found.begin(), found.end()};
}

Node map_columns(const Node& expr, const std::function<Node(int)>& map) {
  Node result = expr;
  rewrite(result, [&](Node& node) {
    int index = 0;
    if (!is_column(node, &index)) return false;
    node = map(index);
    return true;
  });
  return result;
}

Node cast(Node expr, const std::string& type) {
  Node result = parse_select("SELECT NULL::" + type).target_list(0).res_target().val();
  *result.mutable_type_cast()->mutable_arg() = std::move(expr);
  return result;
}

Node collate(Node expr, const std::string& collation) {
  Node result = parse_select("SELECT NULL COLLATE " + collation).target_list(0).res_target().val();
  *result.mutable_collate_clause()->mutable_arg() = std::move(expr);
  return result;
}

Node column_ref(const std::string& qualifier, const std::string& name) {
  Node node;
  auto* ref = node.mutable_column_ref();
  ref->add_fields()->mutable_string()->set_sval(qualifier);
  ref->add_fields()->mutable_string()->set_sval(name);
  return node;
}

void split_conjuncts(const Node& expr, std::vector<Node>& out) {
  if (expr.has_bool_expr() && expr.bool_expr().boolop() == pg_query::AND_EXPR) {
    for (const auto& arg : expr.bool_expr().args()) split_conjuncts(arg, out);
  } else {
    out.push_back(expr);
    // The server writes x IS NOT DISTINCT FROM y as NOT (x IS DISTINCT FROM y).
    if (!expr.has_bool_expr() || expr.bool_expr().boolop() != pg_query::NOT_EXPR) return;
    const Node& negated = expr.bool_expr().args(0);
    if (!negated.has_a_expr() || negated.a_expr().kind() != pg_query::AEXPR_DISTINCT) return;
    out.back() = negated;
    out.back().mutable_a_expr()->set_kind(pg_query::AEXPR_NOT_DISTINCT);
  }
}

std::pair<std::string, std::string> qualified_name(const google::protobuf::RepeatedPtrField<Node>& names) {
  const int size = names.size();
  if (size == 0) return {};
  std::string name = names[size - 1].string().sval();
  std::string schema = size > 1 ? names[size - 2].string().sval() : std::string();
  if (schema == "pg_catalog") schema.clear();
  return {std::move(schema), std::move(name)};
}

}  // namespace pgtrickle::compiler
