// How units of the refresh planner end, and what follows from it.
#include <algorithm>
#include <utility>

#include "planner/refresh_planner.h"

namespace pgtrickle::planner {

namespace {

constexpr Milliseconds kHeldAtLeast{1000};  // between two looks at a gate that would wake us when it opens

}  // namespace

// Flights -------------------------------------------------------------------------------------------------------------

std::vector<TableId> RefreshPlanner::end_run(TableId id) {
  const auto found = tables_.find(id);
  if (found == tables_.end()) return {};
  if (!found->second.is_running) {
    settle({id}, 0);
    return {};
  }
  found->second.is_running = false;
  return finish_unit(found->second.serial);
}

/// A table of this unit is back or gone; the last one draws the consequences.
std::vector<TableId> RefreshPlanner::finish_unit(std::uint64_t serial) {
  const auto place = running_.find(serial);
  if (place == running_.end() || --place->second.left > 0) return {};
  const RunningUnit running = std::move(place->second);
  running_.erase(place);
  auto slowed = slow_down(running);
  settle(running.tables, serial);
  return slowed;
}

// Each schedule is judged by itself: a unit that is too slow for tables of 100 ms need not be so for one of an hour.
std::vector<TableId> RefreshPlanner::slow_down(const RunningUnit& running) {
  if (!settings_.auto_backoff || !running.changed) return {};
  std::map<Milliseconds, std::set<TableId>> concerned;  // by period: those with equal schedules go on meeting
  std::set<TableId> components;
  for (const TableId id : running.tables) {
    const auto found = tables_.find(id);
    if (found == tables_.end() || !found->second.need.period) continue;
    if (throttle_of(found->second) > Milliseconds(0)) continue;  // that it is slow is taken care of
    concerned[*found->second.need.period].insert(id);
    components.insert(found->second.component);
  }
  if (running.whole) {
    for (const TableId component : components) {
      for (const Table* table : components_.at(component).tables) {
        if (!table->need.period) continue;
        const auto same = concerned.find(*table->need.period);
        if (same != concerned.end() && table->entry.domain == running.domain) same->second.insert(table->entry.id);
      }
    }
  }
  std::vector<TableId> changed;
  for (const auto& [period, ids] : concerned) {
    Backoff common = tables_.at(*ids.begin()).backoff;
    for (const TableId id : ids) {
      if (tables_.at(id).backoff.factor() > common.factor()) common = tables_.at(id).backoff;
    }
    (void)common.refreshed(running.took, period);
    for (const TableId id : ids) {
      Backoff& backoff = tables_.at(id).backoff;
      if (backoff.factor() != common.factor()) changed.push_back(id);
      backoff = common;
    }
  }
  for (const TableId id : changed) {
    const Table& table = tables_.at(id);
    set_period(components_.at(table.component).states[table.set]);
  }
  std::sort(changed.begin(), changed.end());
  return changed;
}

void RefreshPlanner::settle(const std::vector<TableId>& tables, std::uint64_t serial) {
  struct Concerned {
    Places places, sets;
  };
  std::map<TableId, Concerned> components;  // they can be in several by now
  for (const TableId id : tables) {
    const auto found = tables_.find(id);
    if (found == tables_.end()) continue;
    Table& table = found->second;
    table.asleep = false;  // when it is due has been decided by its outcome
    Concerned& concerned = components[table.component];
    concerned.sets.insert(table.set);
    concerned.places.insert(table.place);
    for (const Table* down : table.downstream) concerned.places.insert(down->place);
  }
  for (auto& [id, concerned] : components) {
    Component& component = components_.at(id);
    component.whole.erase(serial);
    for (const std::size_t set : concerned.sets) evaluate(component, set);
    update_sleep(id, std::move(concerned.places));
    forecast(id);
  }
}

// Outcomes ------------------------------------------------------------------------------------------------------------

std::vector<TableId> RefreshPlanner::succeeded(TableId id, const Success& success, Now now) {
  last_now_ = now;
  const auto found = tables_.find(id);
  if (found == tables_.end()) return {};
  Table& table = found->second;
  table.failing = false;
  table.is_held = false;
  table.checked_begin = table.begun;
  table.checked_end = now.steady;
  table.checked_serial = table.serial;
  table.idle_polls = success.changed ? 0 : table.idle_polls + 1;
  table.crossing.reset();
  if (success.crossing_in) table.crossing = now.steady + *success.crossing_in;
  if (success.changed) {
    table.changed_end = now.steady;
    table.changed_serial = table.serial;
    table.cost = table.cost.count() == 0 ? success.own : (table.cost * 3 + success.own) / 4;
    if (table.entry.throttled && table.throttle.recomputed(success.own)) set_throttle(table);
    if (const auto running = running_.find(table.serial); running != running_.end()) {
      running->second.changed = true;
      running->second.took = std::max(running->second.took, success.whole_unit);
    }
  }
  table.due = next_time(table, now);
  return end_run(id);
}

void RefreshPlanner::failed(TableId id, Milliseconds retry_delay, TimePoint now, bool alone) {
  const auto found = tables_.find(id);
  if (found == tables_.end()) return;
  found->second.failing = alone;
  found->second.due = now + retry_delay;
  (void)end_run(id);
}

void RefreshPlanner::held(TableId id, Now now) {
  last_now_ = now;
  const auto found = tables_.find(id);
  if (found == tables_.end()) return;
  Table& table = found->second;
  table.is_held = true;
  table.failing = false;
  table.due = std::max(next_time(table, now), now.steady + kHeldAtLeast);
  (void)end_run(id);
}

void RefreshPlanner::release_holds(TimePoint now) {
  std::set<TableId> components;
  for (auto& [id, table] : tables_) {
    if (!table.is_held) continue;
    table.is_held = false;
    table.due = std::min(table.due, now);
    evaluate(components_.at(table.component), table.set);
    components.insert(table.component);
  }
  for (const TableId id : components) forecast(id);
}

void RefreshPlanner::hasten(TableId id, Now now) {
  const auto found = tables_.find(id);
  if (found == tables_.end()) return;
  last_now_ = now;
  found->second.due = std::min(found->second.due, now.steady);
  evaluate(components_.at(found->second.component), found->second.set);
  forecast(found->second.component);
}

void RefreshPlanner::deactivate(TableId id) {
  const auto found = tables_.find(id);
  if (found == tables_.end() || !found->second.entry.active) return;
  Table& table = found->second;
  table.entry.active = false;
  Component& component = components_.at(table.component);
  stop_listening(component, table.component);  // from now on its own log is a source
  listen(component, table.component);
  settle_sources();
  settle(atomic_set(id), 0);
}

bool RefreshPlanner::reserve(TableId id, TimePoint now) {
  const auto found = tables_.find(id);
  if (found == tables_.end() || found->second.is_running) return false;
  Table& table = found->second;
  if (table.asleep) table.slept_until = fresh_asleep(table, now);
  table.is_running = true;
  table.serial = next_serial_++;
  running_[table.serial] = {.whole = true, .left = 1, .tables = {id}, .domain = table.entry.domain};
  Component& component = components_.at(table.component);
  component.whole.insert(table.serial);
  evaluate(component, table.set);
  forecast(table.component);
  return true;
}

}  // namespace pgtrickle::planner
