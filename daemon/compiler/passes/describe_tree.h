// An operator tree as text, an operator per line, inputs indented below it.
#pragma once

#include <string>

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

/// `depth`: of the root, two blanks each. `costs`: with cost classes, which need resolved types.
std::string describe_tree(const Operator& root, int depth, bool costs);

}  // namespace pgtrickle::compiler
