#include "compiler/operators/stateful.h"

namespace pgtrickle::compiler {

void StatefulOperator::set_node(int number, std::string state_table, std::string delta_table) {
  node_number_ = number;
  state_table_ = std::move(state_table);
  delta_table_ = std::move(delta_table);
}

bool StatefulOperator::indexed(int column) const {
  const auto& type = columns_.at(static_cast<std::size_t>(column)).type.value();
  return type.hashable || (type.fixed_width && type.equatable);
}

}  // namespace pgtrickle::compiler
