// NodeScan: stands for an inner node in the tree of its parent. Rule: linear, as Scan: post = the node's state table,
// delta = what the node's statement, which ran before in the same refresh, wrote to the node's delta table.
#pragma once

#include "compiler/operators/stateful.h"

namespace pgtrickle::compiler {

class NodeScan final : public Operator {
 public:
  /// `node` is owned by the program's node list, which outlives the tree.
  explicit NodeScan(StatefulOperator& node);

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<NodeScan>(*this); }
  [[nodiscard]] FromItem post() const override { return node_.from_state(); }
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  [[nodiscard]] std::uint64_t source_mask() const override { return node_.source_mask(); }
  std::vector<int> prune(const std::set<int>& needed) override;
  [[nodiscard]] std::vector<Key> keys() const override { return node_.keys(); }
  void advise_lookup(int column, std::vector<std::string>& advice) const override;
  [[nodiscard]] bool indexed(int column) const override { return node_.indexed(column); }
  [[nodiscard]] bool in_order(int column) const override;
  [[nodiscard]] bool single_row() const override { return node_.single_row(); }
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string cost_class() const override { return "O(delta)"; }

 private:
  StatefulOperator& node_;
};

}  // namespace pgtrickle::compiler
