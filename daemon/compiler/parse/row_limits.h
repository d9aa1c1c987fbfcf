// What LIMIT, FETCH FIRST and OFFSET say as far as their constants tell. LIMIT ALL, LIMIT NULL and OFFSET 0 say
// nothing.
#pragma once

#include "compiler/parse/ast.h"

namespace pgtrickle::compiler {

bool is_null_constant(const Node& node);

/// The SELECT may have fewer rows because of its LIMIT or FETCH FIRST; because of its OFFSET; because of one of them.
bool has_limit(const pg_query::SelectStmt& select);
bool has_offset(const pg_query::SelectStmt& select);
bool limits_rows(const pg_query::SelectStmt& select);

/// DISTINCT ON.
bool has_distinct_on(const pg_query::SelectStmt& select);
/// Which rows it has is left open where rows tie in its order (or are never ordered).
bool chooses_rows(const pg_query::SelectStmt& select);

/// LIMIT 1, or FETCH FIRST ROW ONLY.
bool has_one_row_at_most(const pg_query::SelectStmt& select);
/// LIMIT 0: there is no row.
bool has_no_rows(const pg_query::SelectStmt& select);
/// Its LIMIT leaves the first row there, if there is one; there is no OFFSET.
bool keeps_first_row(const pg_query::SelectStmt& select);

}  // namespace pgtrickle::compiler
