// From due atomic sets to units of work. A unit is refreshed in one transaction, so its tables agree with each other,
// and are of one domain. What is due of one component and domain is one unit, unless it is too large or too slow: then
// it is cut by level, never through an atomic set, and a unit starts when those it reads have ended. It is cut too
// where it is read by another domain which it reads itself. Pure.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "planner/atomic_sets.h"

namespace pgtrickle::planner {

struct UnitLimits {
  std::size_t max_tables = 64;
  std::chrono::milliseconds max_cost{2000};
};

struct Unit {
  std::vector<TableId> tables;                 // topological order; members of a cycle are neighbours
  std::vector<std::vector<TableId>> together;  // subsets of it that are refreshed together or not at all
  std::vector<std::size_t> after;              // indexes, in the same plan, of the units that must end first
  Domain domain = 0;
  bool whole = true;                           // everything of its component and domain that is due, and not slow
  std::chrono::milliseconds cost{0};           // expected
  std::chrono::milliseconds critical_path{0};  // expected from its start to the end of the last that waits for it
  // Filled in by the refresh planner
  std::uint64_t serial = 0;
  std::chrono::steady_clock::time_point due{};  // of the member that was due first
  std::chrono::milliseconds period{1000};       // the shortest of its members
  double weight = 1;                            // of its most important member
};

/// `due`: positions of the due atomic sets of one component, ascending. `cost`: the expected duration of one table's
/// refresh. Units come in an order in which dependencies are met; `after` is relative to the result.
[[nodiscard]] std::vector<Unit> plan_units(const std::vector<AtomicSet>& sets, const std::vector<std::size_t>& due,
                                           const std::function<std::chrono::milliseconds(TableId)>& cost,
                                           const UnitLimits& limits);

/// What is refreshed at once within a unit: a table, or the members of a cycle.
struct UnitStep {
  std::vector<TableId> ids;
  bool cycle = false;
  int together = 0;  // steps with the same number, unless it is 0, are refreshed together or not at all
};

/// The steps of a unit that is about to begin, in order, with the cycles that there are now. A cycle that the unit has
/// only a part of came to be after the unit was planned: that part, and all that goes together with it, has no step and
/// must be planned again.
[[nodiscard]] std::vector<UnitStep> steps_of(const Unit& unit, const Dag& dag);

}  // namespace pgtrickle::planner
