#include "scheduler/units.h"

#include <algorithm>

namespace pgtrickle::scheduler {
namespace {

using std::chrono::milliseconds;
using Cost = std::function<milliseconds(TableId)>;

bool fits(const std::vector<TableId>& tables, const Cost& cost, const UnitLimits& limits) {
  milliseconds total{0};
  for (const TableId id : tables) total += cost(id);
  return tables.size() <= limits.max_tables && (total <= limits.max_cost || tables.size() == 1);
}

/// Length of the longest path from a source of the component.
std::map<TableId, std::size_t> levels_of(const Dag& dag, const std::vector<TableId>& component) {
  std::map<TableId, std::size_t> levels;
  for (const TableId id : component) {
    std::size_t level = 0;
    for (const TableId up : dag.upstream(id)) {
      if (const auto found = levels.find(up); found != levels.end()) level = std::max(level, found->second + 1);
    }
    levels[id] = level;
  }
  return levels;
}

void cut_by_level(const Dag& dag, const std::vector<TableId>& component, const Cost& cost, const UnitLimits& limits,
                  std::vector<Unit>& plan) {
  std::map<std::size_t, std::vector<TableId>> by_level;
  for (const auto& [id, level] : levels_of(dag, component)) by_level[level].push_back(id);
  std::map<TableId, std::size_t> unit_of;
  for (const auto& [level, tables] : by_level) {
    std::vector<std::vector<TableId>> chunks;
    for (const TableId id : tables) {
      if (!chunks.empty()) {
        chunks.back().push_back(id);
        if (fits(chunks.back(), cost, limits)) continue;
        chunks.back().pop_back();
      }
      chunks.push_back({id});
    }
    for (auto& chunk : chunks) {
      Unit unit;
      std::set<std::size_t> after;
      for (const TableId id : chunk) {
        for (const TableId up : dag.upstream(id)) {
          if (const auto found = unit_of.find(up); found != unit_of.end()) after.insert(found->second);
        }
      }
      for (const TableId id : chunk) unit_of[id] = plan.size();
      unit.after.assign(after.begin(), after.end());
      unit.tables = std::move(chunk);
      plan.push_back(std::move(unit));
    }
  }
}

}  // namespace

std::vector<Unit> plan_units(const Dag& dag, const std::set<TableId>& due, const Cost& cost, const UnitLimits& limits) {
  std::vector<Unit> plan;
  for (auto& component : dag.components(due)) {
    if (fits(component, cost, limits)) {
      plan.push_back({.tables = std::move(component), .after = {}});
    } else {
      cut_by_level(dag, component, cost, limits, plan);
    }
  }
  return plan;
}

std::map<TableId, milliseconds> effective_periods(const Dag& dag,
                                                  const std::map<TableId, std::optional<milliseconds>>& schedules,
                                                  milliseconds fallback) {
  std::map<TableId, milliseconds> periods;
  for (auto id = dag.order().rbegin(); id != dag.order().rend(); ++id) {
    std::optional<milliseconds> period;
    if (const auto found = schedules.find(*id); found != schedules.end()) period = found->second;
    if (!period) {
      for (const TableId consumer : dag.downstream(*id)) {
        const auto theirs = periods.find(consumer);  // missing only within a cycle
        if (theirs != periods.end()) period = std::min(period.value_or(theirs->second), theirs->second);
      }
    }
    periods[*id] = period.value_or(fallback);
  }
  return periods;
}

}  // namespace pgtrickle::scheduler
