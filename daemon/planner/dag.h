// The graph of stream tables that read stream tables. Changes touch the connected components that they concern and
// nothing else. Cycles are possible (allow_circular): their members are neighbours in every order. All answers are
// deterministic. Pure.
//
// A cycle is refreshed in one transaction, so it lies within one domain: where tables of several domains read each
// other in a cycle, the graph is without the edges of that cycle that cross from one domain to another.
//
// Edges may name tables that are not here (yet): they come to life when the table does.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/stream_table.h"

namespace pgtrickle::planner {

/// Tables of one domain may be refreshed in one transaction: those of one owner, or of owners who are trusted.
using Domain = std::int64_t;

struct Edge {
  TableId upstream = 0;
  TableId downstream = 0;
};

class Dag {
 public:
  struct Change {
    TableId id = 0;
    std::optional<std::vector<TableId>> upstream;  // nothing: the table is gone
    Domain domain = 0;
  };

  Dag() = default;
  Dag(const std::vector<TableId>& tables, const std::vector<Edge>& edges);

  /// Adds, changes and removes tables. Returns the tables whose place in the graph may have changed: all of the
  /// components that were affected, before and after, without the ones that are gone.
  std::set<TableId> apply(const std::vector<Change>& changes);

  [[nodiscard]] bool contains(TableId id) const { return nodes_.contains(id); }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] const std::vector<TableId>& upstream(TableId id) const { return nodes_.at(id).upstream; }
  [[nodiscard]] const std::vector<TableId>& downstream(TableId id) const { return nodes_.at(id).downstream; }

  [[nodiscard]] Domain domain(TableId id) const { return nodes_.at(id).domain; }

  /// The smallest id of the connected component of `id`.
  [[nodiscard]] TableId component_of(TableId id) const { return nodes_.at(id).component; }
  /// The tables of a component, upstream before downstream, cycles in one piece.
  [[nodiscard]] const std::vector<TableId>& component(TableId component) const { return components_.at(component); }
  [[nodiscard]] const std::map<TableId, std::vector<TableId>>& components() const { return components_; }
  /// Position in the order of its component.
  [[nodiscard]] std::size_t rank(TableId id) const { return nodes_.at(id).rank; }

  /// The members of the cycle that the table is in, ascending; empty if it is in none. One that reads itself is a
  /// cycle.
  [[nodiscard]] const std::vector<TableId>& cycle(TableId id) const;

  /// All tables, upstream before downstream, component by component.
  [[nodiscard]] std::vector<TableId> order() const;

 private:
  struct Node {
    std::vector<TableId> upstream, downstream;  // ascending, without the table itself
    Domain domain = 0;
    bool reads_itself = false;
    std::size_t rank = 0;
    TableId component = 0;
    std::shared_ptr<const std::vector<TableId>> cycle;  // of all its members
  };

  void link(TableId id);
  void unlink(TableId id);
  template <class Use>
  void for_each_neighbour(TableId id, Use use) const;
  void arrange(const std::vector<TableId>& component);
  [[nodiscard]] bool cut_cycles(const std::vector<std::vector<TableId>>& cycles);

  std::unordered_map<TableId, Node> nodes_;
  std::map<TableId, std::set<TableId>> reads_;    // as declared, also of tables that are not here
  std::map<TableId, std::set<TableId>> read_by_;  // the same the other way round
  std::map<TableId, std::vector<TableId>> components_;
};

/// Strongly connected components of a graph with nodes 0..n-1, in topological order: what `next` leads to comes later.
[[nodiscard]] std::vector<std::vector<std::size_t>> strongly_connected(
    const std::vector<std::vector<std::size_t>>& next);

}  // namespace pgtrickle::planner
