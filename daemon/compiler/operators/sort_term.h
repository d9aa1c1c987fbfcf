// ORDER BY within an operator: terms over its input's row.
#pragma once

#include <string>
#include <vector>

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

struct SortTerm {
  Node expr;
  std::string suffix;  // " DESC NULLS LAST", " USING OPERATOR(pg_catalog.<)"; empty: ascending
};

/// The terms as SQL over the row of `input`, in scope as `alias`.
std::vector<std::string> render_order(const std::vector<SortTerm>& order, const std::string& alias,
                                      const Operator& input);
/// Terms that put rows into one definite order: all columns of `input`, such that only rows that are the same tie.
std::vector<std::string> tie_breakers(const std::string& alias, const Operator& input);

}  // namespace pgtrickle::compiler
