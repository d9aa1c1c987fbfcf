#include "compiler/passes/describe_tree.h"

#include <algorithm>

namespace pgtrickle::compiler {

std::string describe_tree(const Operator& root, int depth, bool costs) {
  std::string line = root.describe();
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::string text = std::string(static_cast<std::size_t>(depth) * 2, ' ') + line;
  if (costs) text += "  [" + root.cost_class() + "]";
  text += "\n";
  for (const auto& input : root.inputs()) text += describe_tree(*input, depth + 1, costs);
  return text;
}

}  // namespace pgtrickle::compiler
