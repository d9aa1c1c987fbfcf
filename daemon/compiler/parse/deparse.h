// Tree -> SQL text, exactly: the text, parsed again, is the tree. libpg_query's deparser alone does not promise that:
// it loses parentheses, for instance those in (a OR b) IS UNKNOWN. So every text is parsed again and compared; where it
// differs, the expression is written operator by operator, each operand in parentheses of its own. What still cannot be
// written exactly is Unsupported: a query that is recomputed is better than another query maintained.
//
// "Is the tree" means up to what the parser itself folds: (a AND b) AND c is one AND of three, -(1) is a constant.
// Thread-safe; see the memo in deparse.cpp.
#pragma once

#include <functional>
#include <string>

#include "pg_query.pb.h"

namespace pgtrickle::compiler {

/// SQL text of an expression; parameters are written as $n.
std::string deparse_expr(const pg_query::Node& expr);
std::string deparse_select(const pg_query::SelectStmt& select);
/// SQL text of an item of a FROM clause.
std::string deparse_from_item(const pg_query::Node& item);

/// SQL text of an expression whose column n is written as column_text(n), a column reference with qualifier. The way to
/// write one expression over many relations: the deparser runs once per distinct expression.
std::string deparse_over(const pg_query::Node& expr, const std::function<std::string(int)>& column_text);

/// Forgets this thread's templates: for benchmarks that measure a thread that has deparsed nothing yet.
void forget_templates();

/// The text of an expression cut to a length that fits an error message. Never throws: the text is for people, it may
/// lack parentheses or be empty.
std::string fragment(const pg_query::Node& expr);
std::string fragment(const pg_query::SelectStmt& select);

}  // namespace pgtrickle::compiler
