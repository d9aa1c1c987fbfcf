#include "planner/refresh_planner.h"

#include <utility>

namespace pgtrickle::planner {

// The set of tables ---------------------------------------------------------------------------------------------------

void RefreshPlanner::load(const std::vector<PlannerEntry>& entries, const std::vector<std::vector<TableId>>& groups,
                          Now now) {
  if (!epoch_) epoch_ = now.steady;
  last_now_ = now;
  groups_ = groups;
  group_of_.clear();
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    for (const TableId id : groups_[i]) group_of_[id] = i;
  }
  std::vector<Dag::Change> changes;
  std::set<TableId> seen;
  for (const PlannerEntry& entry : entries) {
    seen.insert(entry.id);
    changes.push_back({.id = entry.id, .upstream = entry.upstream, .domain = entry.domain});
    adopt(entry);
  }
  std::vector<TableId> gone;
  for (const auto& [id, table] : tables_) {
    if (!seen.contains(id)) gone.push_back(id);
  }
  std::sort(gone.begin(), gone.end());
  for (const TableId id : gone) changes.push_back({.id = id, .upstream = {}});
  dag_.apply(changes);
  while (!components_.empty()) forget(components_.begin()->first);
  const auto serials = erase(gone);
  rebuild(seen, now);
  for (const std::uint64_t serial : serials) (void)finish_unit(serial);
}

void RefreshPlanner::put(const PlannerEntry& entry, Now now) {
  if (!epoch_) epoch_ = now.steady;
  last_now_ = now;
  adopt(entry);
  rebuild(dag_.apply({{.id = entry.id, .upstream = entry.upstream, .domain = entry.domain}}), now);
}

void RefreshPlanner::remove(TableId id, Now now) {
  last_now_ = now;
  const auto found = tables_.find(id);
  if (found == tables_.end()) return;
  std::set<TableId> affected = dag_.apply({{.id = id, .upstream = {}}});
  const TableId component = found->second.component;
  for (const Table* other : components_.at(component).tables) affected.insert(other->entry.id);
  affected.erase(id);
  forget(component);
  const auto serials = erase({id});
  rebuild(affected, now);
  for (const std::uint64_t serial : serials) (void)finish_unit(serial);
}

/// Returns the units running that they were part of.
std::vector<std::uint64_t> RefreshPlanner::erase(const std::vector<TableId>& gone) {
  std::vector<std::uint64_t> serials;
  for (const TableId id : gone) {
    const auto found = tables_.find(id);
    if (found->second.is_running) serials.push_back(found->second.serial);
    tables_.erase(found);
  }
  return serials;
}

void RefreshPlanner::adopt(const PlannerEntry& entry) {
  const auto [place, is_new] = tables_.try_emplace(entry.id);
  Table& table = place->second;
  const bool was_active = !is_new && is_active(table);
  table.entry = entry;
  if (entry.throttled && entry.cost.count() > 0 && !table.throttle.knows()) (void)table.throttle.recomputed(entry.cost);
  if (!table.is_new && !was_active && is_active(table)) {
    table.is_activated = true;
    table.failing = false;
    table.is_held = false;
  }
}

bool RefreshPlanner::is_active(const Table& table) {
  return table.entry.active && table.entry.tier != Tier::kFrozen;
}

// Questions -----------------------------------------------------------------------------------------------------------

bool RefreshPlanner::is_running(TableId id) const {
  const auto found = tables_.find(id);
  return found != tables_.end() && found->second.is_running;
}

std::size_t RefreshPlanner::running_count() const {
  std::size_t count = 0;
  for (const auto& [serial, running] : running_) count += running.left;
  return count;
}

TimePoint RefreshPlanner::next_due() const {
  return queue_.empty() ? TimePoint::max() : queue_.begin()->first;
}

TimePoint RefreshPlanner::fresh_asleep(const Table& table, TimePoint now) {
  return table.crossing ? std::min(now, *table.crossing) : now;
}

std::optional<TimePoint> RefreshPlanner::fresh_at(TableId id, TimePoint now) const {
  const auto found = tables_.find(id);
  if (found == tables_.end()) return std::nullopt;
  const Table& table = found->second;
  return table.asleep && !table.is_running ? fresh_asleep(table, now)
                                           : std::max(table.checked_begin, table.slept_until);
}

Milliseconds RefreshPlanner::period(TableId id) const {
  const auto found = tables_.find(id);
  return found == tables_.end() ? settings_.default_period : found->second.period;
}

int RefreshPlanner::backoff(TableId id) const {
  const auto found = tables_.find(id);
  return found == tables_.end() ? 1 : found->second.backoff.factor();
}

bool RefreshPlanner::is_held(TableId id) const {
  const auto found = tables_.find(id);
  return found != tables_.end() && found->second.is_held;
}

std::optional<TableId> RefreshPlanner::blocked_by(TableId id) const {
  const auto found = tables_.find(id);
  if (found == tables_.end() || !is_active(found->second)) return std::nullopt;
  for (const TableId other : atomic_set(id)) {
    if (!is_active(tables_.at(other))) return other;
  }
  return std::nullopt;
}

const std::vector<TableId>& RefreshPlanner::atomic_set(TableId id) const {
  const Table& table = tables_.at(id);
  return components_.at(table.component).sets[table.set].tables;
}

}  // namespace pgtrickle::planner
