// Which stream tables are refreshed together or not at all: members of a cycle, of a refresh group, and of a diamond
// (unless its last table says diamond_consistency 'none'). A atomic set is what the scheduler schedules; most have one
// table.
//
// A diamond: inputs of one table that depend on the same thing, a source or a stream table, on different ways. Members
// are that table and what lies on those ways below the nearest common ancestor. Atomic sets that read each other in a
// cycle (a group with a table in between that is not in it) become one.
//
// A atomic set lies within one domain: what a table of another domain does or fails to do holds nobody up. Members of a
// group or diamond in other domains are left out, and atomic sets of several domains that read each other in a cycle
// fall apart into their tables. Pure.
#pragma once

#include <functional>
#include <vector>

#include "planner/dag.h"

namespace pgtrickle::planner {

struct AtomicSet {
  std::vector<TableId> tables;        // upstream first; members of a cycle are neighbours
  std::vector<std::size_t> upstream;  // positions of the atomic sets that these read, ascending
  Domain domain = 0;
};

struct AtomicSetRules {
  /// What a table reads that is no stream table.
  std::function<const std::vector<SourceId>&(TableId)> sources;
  /// Is the diamond that ends in this table to be consistent?
  std::function<bool(TableId)> atomic_diamond;
  /// Is it kept by triggers? Nobody refreshes it, so it is in no set with others. To its readers it is a source, and
  /// what it reads is something that they read.
  std::function<bool(TableId)> kept = [](TableId) { return false; };
  std::vector<std::vector<TableId>> groups;
};

/// Cuts `tables` (upstream first; with a table they contain all that it reads and that reads it) into atomic sets, in
/// an order in which each comes after those it reads.
[[nodiscard]] std::vector<AtomicSet> make_atomic_sets(const Dag& dag, const std::vector<TableId>& tables,
                                                      const AtomicSetRules& rules);

}  // namespace pgtrickle::planner
