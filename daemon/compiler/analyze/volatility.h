// Which functions a query may call if its result is to be maintained: the result may depend on the rows and on the
// settings recorded at creation, on nothing else. Throws Unsupported.
#pragma once

#include <string>

#include "compiler/catalog.h"
#include "compiler/parse/ast.h"

namespace pgtrickle::compiler {

/// The current time stands where it cannot be followed: throws Unsupported.
[[noreturn]] void refuse_time(const std::string& fragment);

/// Walks a whole query, subqueries included. Lets the current time pass, which parse/clock.h names and the analyzer
/// asks about.
void check_volatility(const pg_query::SelectStmt& query, const Catalog& catalog);

}  // namespace pgtrickle::compiler
