// Whether the result of a query could depend on settings of the session (DateStyle, TimeZone, lc_*, ...). Programs run
// under those of the definition, and each one that a function sets costs a microsecond or two at every refresh.
//
// Immutable functions of PostgreSQL do not depend on them, nor do operators on numbers, texts and the like. Everything
// else may: the answer errs on the side of yes. A false no would be a wrong result, so what is not known here is a yes.
#pragma once

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "compiler/catalog.h"
#include "compiler/parse/ast.h"

namespace pgtrickle::compiler {

/// `columns`: those of the sources that are used. `results`: the types of the stream table's columns.
bool depends_on_settings(const pg_query::SelectStmt& select, const Catalog& catalog,
                         const std::vector<const SourceColumn*>& columns, const std::vector<TypeInfo>& results);

}  // namespace pgtrickle::compiler
