#include "support/plan.h"

#include <sstream>

namespace pgt::test {

std::vector<PlanLine> plan_lines(const std::string& plan) {
  std::vector<PlanLine> result;
  std::istringstream lines(plan);
  for (std::string text; std::getline(lines, text);) {
    const auto open = text.rfind("  [");
    if (open == std::string::npos || text.back() != ']') continue;
    PlanLine line;
    line.cost = text.substr(open + 3, text.size() - open - 4);
    std::istringstream words(text);
    std::string second;
    words >> line.op >> second;
    if (line.op.back() == ',') line.op.pop_back();
    if (second == "join" || second == "filter") line.op += " " + second;
    result.push_back(line);
  }
  return result;
}

std::vector<std::string> plan_advice(const std::string& plan) {
  std::vector<std::string> statements;
  std::istringstream lines(plan);
  for (std::string text; std::getline(lines, text);) {
    const auto start = text.find_first_not_of(' ');
    if (start != std::string::npos && text.compare(start, 13, "CREATE INDEX ") == 0)
      statements.push_back(text.substr(start));
  }
  return statements;
}

}  // namespace pgt::test
