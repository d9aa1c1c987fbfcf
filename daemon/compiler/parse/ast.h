// The parse tree: libpg_query's protobuf classes, and the few operations on them that every pass needs. Trees are
// values. Locations are cleared on parsing, so that equal expressions are equal messages. Throws Rejected on a syntax
// error.
//
// Column references inside operators are positional: a ParamRef $n stands for column n-1 of the operator's input row (a
// canonical query cannot contain parameters of its own).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/parse/deparse.h"
#include "pg_query.pb.h"

namespace pgtrickle::compiler {

using Node = pg_query::Node;

/// The range of compiler.max_nesting: no larger tree fits on every stack (parse/pg_query_text.h).
constexpr int kLargestMaxNesting = 1000;

/// Parses one statement, which must be a SELECT. Throws Rejected if it has more than `max_nesting` levels.
pg_query::SelectStmt parse_select(const std::string& sql, int max_nesting = kLargestMaxNesting);

/// An expression given as SQL; it may contain $n.
Node parse_expr(const std::string& sql);

bool equal(const Node& a, const Node& b);

/// Calls `visit` on every Node below and including `node`, parents first; a false return skips the children.
void walk(const Node& node, const std::function<bool(const Node&)>& visit);
void walk(const pg_query::SelectStmt& select, const std::function<bool(const Node&)>& visit);
/// The same for what belongs to the query that the expression stands in: of a subquery only the value that is tested
/// (`x` of `x IN (SELECT ..)`). The subqueries themselves are not visited.
void walk_own(const Node& node, const std::function<bool(const Node&)>& visit);

/// Replaces nodes: where `replace` returns true it has put something else into the node, whose children are left alone.
void rewrite(Node& node, const std::function<bool(Node&)>& replace);
void rewrite(pg_query::SelectStmt& select, const std::function<bool(Node&)>& replace);

Node column(int index);  // $index+1
bool is_column(const Node& expr, int* index = nullptr);
std::vector<int> columns_of(const Node& expr);  // distinct, ascending
Node map_columns(const Node& expr, const std::function<Node(int)>& map);
/// expr::type, the type given as SQL.
Node cast(Node expr, const std::string& type);
/// expr COLLATE collation, the collation given as SQL.
Node collate(Node expr, const std::string& collation);
Node column_ref(const std::string& qualifier, const std::string& name);
/// The conjuncts of a boolean expression, appended to `out`.
void split_conjuncts(const Node& expr, std::vector<Node>& out);

/// (schema, name) of a possibly qualified name list; schema empty if absent.
std::pair<std::string, std::string> qualified_name(const google::protobuf::RepeatedPtrField<Node>& names);

}  // namespace pgtrickle::compiler
