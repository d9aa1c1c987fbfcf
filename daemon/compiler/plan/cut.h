// Cuts the operator tree into nodes: every stateful operator becomes a node with its own state table, inner ones are
// replaced in their parent by a NodeScan. So an aggregate of aggregates, or a join with an aggregated subquery, costs
// O(delta): an inner aggregate is never recomputed to know what it was. Equal subplans become one node.
#pragma once

#include <memory>
#include <vector>

#include "compiler/operators/stateful.h"
#include "model/ids.h"

namespace pgtrickle::compiler {

struct CutPlan {
  std::vector<std::unique_ptr<StatefulOperator>> inner;  // in the order in which they are refreshed
  OperatorPtr root;                                      // the tree above the inner nodes
  StatefulOperator* root_state = nullptr;  // in `root`: the stateful operator below its row-wise chain, if any
  std::vector<const Operator*> chain;      // in `root`: the row-wise operators above root_state, bottom first

  [[nodiscard]] std::vector<Operator*> trees() const;  // inner nodes, then the root
};

CutPlan cut(OperatorPtr root, TableId table);

}  // namespace pgtrickle::compiler
