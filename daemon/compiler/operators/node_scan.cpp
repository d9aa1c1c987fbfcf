#include "compiler/operators/node_scan.h"

#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

NodeScan::NodeScan(StatefulOperator& node) : node_(node) {
  columns_ = node.columns();
}

Delta NodeScan::delta(Statement& statement, bool /*consolidate*/) const {
  const std::string number = std::to_string(node_.node_number());
  const Select changes = Select(column_names("d.")).item("d.w").from(node_.delta_table(), "d").where("d.run = v.run");
  // A node writes at most one old and one new version of a row, and none that are equal.
  return {statement.with_shared(changes, "d_node_" + number, "what this refresh changed in node " + number), true};
}

std::vector<int> NodeScan::prune(const std::set<int>& /*needed*/) {
  std::vector<int> same;  // columns of the node were pruned before it was cut out
  for (std::size_t i = 0; i < columns_.size(); ++i) same.push_back(static_cast<int>(i));
  return same;
}

void NodeScan::advise_lookup(int column, std::vector<std::string>& /*advice*/) const {
  node_.want_lookup(column);
}

bool NodeScan::in_order(int column) const {
  // Values of any width are looked up by their hash.
  return node_.indexed(column) && columns_[static_cast<std::size_t>(column)].type->fixed_width;
}

std::string NodeScan::describe() const {
  return "Node " + std::to_string(node_.node_number());
}

}  // namespace pgtrickle::compiler
