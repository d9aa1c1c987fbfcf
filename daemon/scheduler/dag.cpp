#include "scheduler/dag.h"

#include <algorithm>

namespace pgtrickle::scheduler {

Dag::Dag(const std::vector<TableId>& tables, const std::vector<Edge>& edges) {
  for (const TableId id : tables) nodes_[id];
  std::set<std::pair<TableId, TableId>> seen;
  for (const Edge& edge : edges) {
    if (edge.upstream == edge.downstream || !contains(edge.upstream) || !contains(edge.downstream)) continue;
    if (!seen.emplace(edge.upstream, edge.downstream).second) continue;
    nodes_[edge.upstream].downstream.push_back(edge.downstream);
    nodes_[edge.downstream].upstream.push_back(edge.upstream);
  }

  // Kahn's algorithm with an ordered set of candidates, so that the order does not depend on the input's.
  std::map<TableId, std::size_t> missing;
  std::set<TableId> ready;
  for (const auto& [id, node] : nodes_) {
    missing[id] = node.upstream.size();
    if (node.upstream.empty()) ready.insert(id);
  }
  while (!ready.empty()) {
    const TableId id = *ready.begin();
    ready.erase(ready.begin());
    order_.push_back(id);
    missing.erase(id);
    for (const TableId next : nodes_[id].downstream) {
      if (--missing[next] == 0) ready.insert(next);
    }
  }
  for (const auto& [id, count] : missing) cyclic_.push_back(id);
  order_.insert(order_.end(), cyclic_.begin(), cyclic_.end());
  for (std::size_t i = 0; i < order_.size(); ++i) nodes_[order_[i]].rank = i;

  std::set<TableId> all(tables.begin(), tables.end());
  for (const auto& component : components(all)) {
    const TableId smallest = *std::min_element(component.begin(), component.end());
    for (const TableId id : component) nodes_[id].component = smallest;
  }
}

std::vector<std::vector<TableId>> Dag::components(const std::set<TableId>& subset) const {
  std::vector<std::vector<TableId>> out;
  std::set<TableId> unseen = subset;
  while (!unseen.empty()) {
    std::vector<TableId> component;
    std::vector<TableId> stack{*unseen.begin()};
    unseen.erase(unseen.begin());
    while (!stack.empty()) {
      const TableId id = stack.back();
      stack.pop_back();
      component.push_back(id);
      const Node& node = nodes_.at(id);
      for (const auto* neighbours : {&node.upstream, &node.downstream}) {
        for (const TableId next : *neighbours) {
          if (unseen.erase(next) == 1) stack.push_back(next);
        }
      }
    }
    std::sort(component.begin(), component.end(),
              [this](TableId a, TableId b) { return nodes_.at(a).rank < nodes_.at(b).rank; });
    out.push_back(std::move(component));
  }
  return out;
}

}  // namespace pgtrickle::scheduler
