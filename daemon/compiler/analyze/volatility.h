// Which functions a query may call if its result is to be maintained: the result may depend on the rows and on the
// settings recorded at creation, on nothing else. Throws Unsupported.
#pragma once

#include "compiler/catalog.h"
#include "compiler/parse/ast.h"

namespace pgtrickle::compiler {

/// Walks a whole query, subqueries included.
void check_volatility(const pg_query::SelectStmt& query, const Catalog& catalog);

}  // namespace pgtrickle::compiler
