#include "compiler/plan/cut.h"

#include <map>
#include <string>

#include "compiler/operators/node_scan.h"

namespace pgtrickle::compiler {

namespace {

class Cutter {
 public:
  Cutter(CutPlan& plan, TableId id) : plan_(plan), id_(id) {}

  void cut_inputs(Operator& op) {
    for (auto& input : op.inputs()) {
      cut_inputs(*input);
      StatefulOperator* stateful = input->as_stateful();
      if (stateful == nullptr) continue;
      // Subplans that are the same, as those of a CTE used twice, are one node. Their query tells: its inputs are nodes
      // already.
      const auto [same, first] = by_query_.emplace(stateful->post().sql(), stateful);
      if (!first) {
        input = std::make_unique<NodeScan>(*same->second);
        continue;
      }
      name(*stateful);
      input.release();  // NOLINT(bugprone-unused-return-value): ownership moves to the node list in the next line
      plan_.inner.emplace_back(stateful);
      input = std::make_unique<NodeScan>(*stateful);
    }
  }

  void name(StatefulOperator& node) {
    const int number = ++count_;
    const std::string suffix = std::to_string(id_) + "_" + std::to_string(number);
    node.set_node(number, {"pgtrickle_state.node_" + suffix, "pgtrickle_state.delta_" + suffix,
                           "pgtrickle_state.groups_" + suffix});
  }

 private:
  CutPlan& plan_;
  std::map<std::string, StatefulOperator*> by_query_;
  TableId id_;
  int count_ = 0;
};

}  // namespace

std::vector<Operator*> CutPlan::trees() const {
  std::vector<Operator*> trees;
  for (const auto& node : inner) trees.push_back(node.get());
  trees.push_back(root.get());
  return trees;
}

CutPlan cut(OperatorPtr root, TableId table) {
  CutPlan plan;
  Cutter cutter(plan, table);
  Operator* at = root.get();
  while (at->rowwise()) {
    plan.chain.insert(plan.chain.begin(), at);
    at = at->inputs()[0].get();
  }
  cutter.cut_inputs(*at);
  plan.root_state = at->as_stateful();
  if (plan.root_state != nullptr) {
    cutter.name(*plan.root_state);
  } else {
    plan.chain.clear();
  }
  plan.root = std::move(root);
  return plan;
}

}  // namespace pgtrickle::compiler
