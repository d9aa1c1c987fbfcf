// x IN (SELECT y ..) and x <> ALL (SELECT y ..), written so that one x costs one index lookup: PostgreSQL answers an IN
// that is not the whole of a WHERE by reading the subquery's rows, all of them, into a hash table first.
//
//   x IN Q:  x NULL: NULL if Q has rows, else false;  a row equals x: true;  a row is NULL: NULL;  else false
// This is exact for the built-in "=", which is NULL for NULL operands and for no others. Left as they are: row
// comparisons, other operators, and subqueries that would be costly to ask three times (grouped, limited, combined).
#pragma once

#include "compiler/parse/ast.h"

namespace pgtrickle::compiler {

/// The expression with such sublinks rewritten; those inside of other subqueries are left alone.
Node by_lookup(const Node& expr);

/// The expression with EXISTS sublinks that PostgreSQL can only evaluate again for each outer row. Left to choose, it
/// reads all rows that any outer row could ask for into a hash table as soon as it expects a few hundred outer rows,
/// and about those it can but guess. For subqueries that an index serves.
Node one_by_one(const Node& expr);

}  // namespace pgtrickle::compiler
