// What holds for every operator tree, whichever passes it went through. Asked between the passes in debug builds.
#pragma once

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

/// Throws std::logic_error that names the operator and what is wrong with it: an input is missing, two of its columns
/// have one name, a column is named as the weight is, a key names a column that there is not, or, where `typed`, the
/// type of a column is not known.
void check_tree(const Operator& root, bool typed);

}  // namespace pgtrickle::compiler
