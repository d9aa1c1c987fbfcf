// Whether a predicate can be true when some columns are NULL: the rows that an outer join padded.
#pragma once

#include <functional>

#include "compiler/parse/ast.h"

namespace pgtrickle::compiler {

/// True: the predicate is false or NULL whenever all columns for which `is_null` holds are NULL. False: not known.
bool rejects_nulls(const Node& predicate, const std::function<bool(int)>& is_null);

}  // namespace pgtrickle::compiler
