// Common conjuncts out of OR: (A AND B) OR (A AND C) becomes A AND (B OR C), and A OR (A AND C) becomes A. Exact under
// three-valued logic: AND and OR are minimum and maximum of false < NULL < true, so they distribute and absorb.
// What comes out can be pushed to where only A's columns are: into the delta of a source, for instance.
#pragma once

#include <vector>

#include "compiler/parse/ast.h"

namespace pgtrickle::compiler {

/// The conjuncts of these conjuncts, none of them an OR whose arms have a conjunct in common.
std::vector<Node> factor_or(const std::vector<Node>& conjuncts);

}  // namespace pgtrickle::compiler
