// The current time in a query: now() and what is made of it (CURRENT_DATE, LOCALTIMESTAMP, ...). A program knows two:
// that of the running refresh, pgtrickle._now(), and that of the one before, which its frontier has.
//
// So that operators have one thing to look for, name_clock() writes each of the forms as an expression over a call of
// pgtrickle._now(). The function is now(); it is the one place where a test can move the clock. Forms that are not the
// start of the transaction, or a time of day (clock_timestamp(), CURRENT_TIME), are none of these.
#pragma once

#include <string>

#include "compiler/parse/ast.h"

namespace pgtrickle::compiler {

/// A form of the current time that name_clock() knows.
bool is_current_time(const Node& node);
/// Any expression that reads the clock.
bool is_any_time(const Node& node);
/// The text of the first one of these; empty: the query has none.
std::string time_dependence(const pg_query::SelectStmt& query);

/// Writes all forms of the current time over pgtrickle._now().
void name_clock(pg_query::SelectStmt& query);

/// After name_clock(): whether the expression calls pgtrickle._now(), in a subquery or not.
bool reads_clock(const Node& expr);
bool is_clock(const Node& node);
/// The expression at another time, given as an expression.
Node at_time(const Node& expr, const Node& time);
/// As a user would write it.
Node with_now(const Node& expr);

}  // namespace pgtrickle::compiler
