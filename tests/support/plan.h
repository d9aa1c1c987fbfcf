// The plan of a stream table (column plan of pgtrickle.pgt_stream_tables) as text, taken apart.
#pragma once

#include <string>
#include <vector>

namespace pgt::test {

struct PlanLine {
  std::string op;    // "Scan", "Aggregate", "Left join"; "Recompute" for mode FULL
  std::string cost;  // "O(delta)"
};

/// The operators in the order of the plan.
std::vector<PlanLine> plan_lines(const std::string& plan);

/// The indexes that it advises to create, as statements.
std::vector<std::string> plan_advice(const std::string& plan);

}  // namespace pgt::test
