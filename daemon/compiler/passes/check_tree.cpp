#include "compiler/passes/check_tree.h"

#include <set>
#include <stdexcept>

namespace pgtrickle::compiler {

namespace {

void check_columns(const Operator& op, bool typed) {
  std::set<std::string> names{"w"};
  for (const auto& column : op.columns()) {
    if (!names.insert(column.name).second)
      throw std::logic_error("column \"" + column.name +
                             "\" is there twice, or is named as the weight: " + op.describe());
    if (typed && !column.type) throw std::logic_error("column \"" + column.name + "\" has no type: " + op.describe());
  }
}

void check_keys(const Operator& op) {
  const int width = static_cast<int>(op.columns().size());
  for (const auto& key : op.keys())
    for (const int position : key)
      if (position < 0 || position >= width) throw std::logic_error("a key is outside of the row: " + op.describe());
}

}  // namespace

void check_tree(const Operator& root, bool typed) {
  check_columns(root, typed);
  if (typed) check_keys(root);
  for (const auto& input : root.inputs()) {
    if (input == nullptr) throw std::logic_error("an input is missing: " + root.describe());
    check_tree(*input, typed);
  }
}

}  // namespace pgtrickle::compiler
