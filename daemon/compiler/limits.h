// Bounds of what is compiled, so that no query can exhaust the stack or fill the database with state tables.
#pragma once

namespace pgtrickle::compiler {

struct Limits {
  int nesting = 256;           // levels of an expression or of queries within queries
  int nodes = 64;              // stateful nodes of one stream table
  int grouping_branches = 64;  // grouping sets of one GROUP BY
};

}  // namespace pgtrickle::compiler
