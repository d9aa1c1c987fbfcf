// Moves filters down: WHERE conditions become join conditions, conditions on one input of a join go to that input, and
// filters reach the scans, where they make deltas smaller before anything is joined. Needs resolved types.
#pragma once

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

void push_filters(OperatorPtr& root);

}  // namespace pgtrickle::compiler
