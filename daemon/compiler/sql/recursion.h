// WITH RECURSIVE as a value (see query.h).
#pragma once

#include <string>
#include <vector>

#include "compiler/sql/query.h"

namespace pgtrickle::compiler {

/// WITH RECURSIVE name (columns) AS (first UNION [ALL] step) last
struct Recursion {
  std::string name;
  std::vector<std::string> columns;
  Query first;
  Query step;
  bool all = false;
};

/// In parentheses, so that it may stand wherever a query may.
Query recursion(const Recursion& parts, const Select& last);

}  // namespace pgtrickle::compiler
