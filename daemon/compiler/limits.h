// Bounds of what is compiled, so that no query can exhaust the stack or fill the database with state tables. They come
// from the configuration of the daemon, section compiler.
#pragma once

#include <chrono>
#include <cstdint>

namespace pgtrickle::compiler {

struct Limits {
  int nesting = 256;                      // levels of the tree (parse/ast.h); more: rejected in every mode
  int nodes = 64;                         // stateful nodes of one stream table; more: not differential
  int grouping_branches = 64;             // grouping sets of one GROUP BY; more: not differential
  std::int64_t query_bytes = 1 << 20;     // of its text, and of a view that it reads; more: rejected, not differential
  std::chrono::milliseconds time{10000};  // between the passes, all together; more: not differential
};

}  // namespace pgtrickle::compiler
