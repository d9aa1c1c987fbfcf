// Grouping due stream tables into units. One unit is refreshed in one transaction, so its members agree with each
// other. A connected component of due tables is one unit, unless it is too large or too slow; then it is cut by level,
// and a unit starts when those it depends on have ended. Pure.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <vector>

#include "scheduler/dag.h"

namespace pgtrickle::scheduler {

struct UnitLimits {
  std::size_t max_tables = 32;
  std::chrono::milliseconds max_cost{2000};
};

struct Unit {
  std::vector<TableId> tables;     // topological order
  std::vector<std::size_t> after;  // indexes, in the same plan, of the units that must end first
};

/// `cost` is the expected duration of one table's refresh. Units come in an order in which dependencies are met.
[[nodiscard]] std::vector<Unit> plan_units(const Dag& dag, const std::set<TableId>& due,
                                           const std::function<std::chrono::milliseconds(TableId)>& cost,
                                           const UnitLimits& limits);

/// How often each table is refreshed: its own schedule, or, without one ('calculated'), the tightest of its consumers,
/// transitively; `fallback` for those without consumers.
[[nodiscard]] std::map<TableId, std::chrono::milliseconds> effective_periods(
    const Dag& dag, const std::map<TableId, std::optional<std::chrono::milliseconds>>& schedules,
    std::chrono::milliseconds fallback);

}  // namespace pgtrickle::scheduler
