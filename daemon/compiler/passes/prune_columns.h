// Drops columns that nobody reads: a change log holds what some query reads, and nothing else.
#pragma once

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

/// Keeps all output columns of the root and what they need.
void prune_columns(Operator& root);

}  // namespace pgtrickle::compiler
