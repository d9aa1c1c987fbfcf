// The graph of stream tables that read stream tables. Immutable once built; all answers are deterministic. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace pgtrickle::scheduler {

using TableId = std::int64_t;

struct Edge {
  TableId upstream = 0;
  TableId downstream = 0;
};

class Dag {
 public:
  Dag() = default;
  /// Edges with an unknown end, and edges from a table to itself, are ignored.
  Dag(const std::vector<TableId>& tables, const std::vector<Edge>& edges);

  [[nodiscard]] const std::vector<TableId>& upstream(TableId id) const { return nodes_.at(id).upstream; }
  [[nodiscard]] const std::vector<TableId>& downstream(TableId id) const { return nodes_.at(id).downstream; }
  [[nodiscard]] bool contains(TableId id) const { return nodes_.contains(id); }

  /// All tables, upstream before downstream; members of cycles come last, in the order of their ids.
  [[nodiscard]] const std::vector<TableId>& order() const { return order_; }
  /// Tables that are in a cycle or downstream of one; empty for a sane catalog.
  [[nodiscard]] const std::vector<TableId>& cyclic() const { return cyclic_; }

  /// The connected components of the graph restricted to `subset`, each in topological order.
  [[nodiscard]] std::vector<std::vector<TableId>> components(const std::set<TableId>& subset) const;

  /// The smallest id of the connected component of `id` in the whole graph.
  [[nodiscard]] TableId component_of(TableId id) const { return nodes_.at(id).component; }

 private:
  struct Node {
    std::vector<TableId> upstream, downstream;
    std::size_t rank = 0;  // position in order_
    TableId component = 0;
  };
  std::map<TableId, Node> nodes_;
  std::vector<TableId> order_;
  std::vector<TableId> cyclic_;
};

}  // namespace pgtrickle::scheduler
