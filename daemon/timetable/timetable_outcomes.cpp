// How units of the timetable end, and what follows from it.
#include <algorithm>
#include <utility>

#include "timetable/timetable.h"

namespace pgtrickle::scheduler {

namespace {

constexpr Milliseconds kHeldAtLeast{1000};  // between two looks at a gate that would wake us when it opens

}  // namespace

// Flights -------------------------------------------------------------------------------------------------------------

std::vector<TableId> Timetable::end_flight(TableId id) {
  const auto found = tables_.find(id);
  if (found == tables_.end()) return {};
  if (!found->second.in_flight) {
    settle({id}, 0);
    return {};
  }
  found->second.in_flight = false;
  return land(found->second.serial);
}

/// A table of this unit is back or gone; the last one draws the consequences.
std::vector<TableId> Timetable::land(std::uint64_t serial) {
  const auto place = flights_.find(serial);
  if (place == flights_.end() || --place->second.left > 0) return {};
  const Flight flight = std::move(place->second);
  flights_.erase(place);
  auto slowed = slow_down(flight);
  settle(flight.tables, serial);
  return slowed;
}

// Each schedule is judged by itself: a unit that is too slow for tables of 100 ms need not be so for one of an hour.
std::vector<TableId> Timetable::slow_down(const Flight& flight) {
  if (!settings_.auto_backoff || !flight.changed) return {};
  std::map<Milliseconds, std::set<TableId>> concerned;  // by period: those with equal schedules go on meeting
  std::set<TableId> communities;
  for (const TableId id : flight.tables) {
    const auto found = tables_.find(id);
    if (found == tables_.end() || !found->second.need.period) continue;
    if (pace_of(found->second) > Milliseconds(0)) continue;  // that it is slow is taken care of
    concerned[*found->second.need.period].insert(id);
    communities.insert(found->second.community);
  }
  if (flight.whole) {
    for (const TableId community : communities) {
      for (const Table* table : communities_.at(community).tables) {
        if (!table->need.period) continue;
        const auto same = concerned.find(*table->need.period);
        if (same != concerned.end() && table->entry.domain == flight.domain) same->second.insert(table->entry.id);
      }
    }
  }
  std::vector<TableId> changed;
  for (const auto& [period, ids] : concerned) {
    Backoff common = tables_.at(*ids.begin()).backoff;
    for (const TableId id : ids) {
      if (tables_.at(id).backoff.factor() > common.factor()) common = tables_.at(id).backoff;
    }
    (void)common.refreshed(flight.took, period);
    for (const TableId id : ids) {
      Backoff& backoff = tables_.at(id).backoff;
      if (backoff.factor() != common.factor()) changed.push_back(id);
      backoff = common;
    }
  }
  for (const TableId id : changed) {
    const Table& table = tables_.at(id);
    set_period(communities_.at(table.community).states[table.cluster]);
  }
  std::sort(changed.begin(), changed.end());
  return changed;
}

void Timetable::settle(const std::vector<TableId>& tables, std::uint64_t serial) {
  struct Concerned {
    Places places, clusters;
  };
  std::map<TableId, Concerned> communities;  // they can be in several by now
  for (const TableId id : tables) {
    const auto found = tables_.find(id);
    if (found == tables_.end()) continue;
    Table& table = found->second;
    table.asleep = false;  // when it is due has been decided by its outcome
    Concerned& concerned = communities[table.community];
    concerned.clusters.insert(table.cluster);
    concerned.places.insert(table.place);
    for (const Table* down : table.downstream) concerned.places.insert(down->place);
  }
  for (auto& [id, concerned] : communities) {
    Community& community = communities_.at(id);
    community.whole.erase(serial);
    for (const std::size_t cluster : concerned.clusters) look_at(community, cluster);
    update_sleep(id, std::move(concerned.places));
    look_ahead(id);
  }
}

// Outcomes ------------------------------------------------------------------------------------------------------------

std::vector<TableId> Timetable::succeeded(TableId id, const Success& success, Now now) {
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
  if (success.changed) {
    table.changed_end = now.steady;
    table.changed_serial = table.serial;
    table.cost = table.cost.count() == 0 ? success.own : (table.cost * 3 + success.own) / 4;
    if (table.entry.thrifty && table.thrift.recomputed(success.own)) set_pace(table);
    if (const auto flight = flights_.find(table.serial); flight != flights_.end()) {
      flight->second.changed = true;
      flight->second.took = std::max(flight->second.took, success.whole_unit);
    }
  }
  table.due = next_time(table, now);
  return end_flight(id);
}

void Timetable::failed(TableId id, Milliseconds retry_delay, TimePoint now, bool alone) {
  const auto found = tables_.find(id);
  if (found == tables_.end()) return;
  found->second.failing = alone;
  found->second.due = now + retry_delay;
  (void)end_flight(id);
}

void Timetable::held(TableId id, Now now) {
  last_now_ = now;
  const auto found = tables_.find(id);
  if (found == tables_.end()) return;
  Table& table = found->second;
  table.is_held = true;
  table.failing = false;
  table.due = std::max(next_time(table, now), now.steady + kHeldAtLeast);
  (void)end_flight(id);
}

void Timetable::release_holds(TimePoint now) {
  std::set<TableId> communities;
  for (auto& [id, table] : tables_) {
    if (!table.is_held) continue;
    table.is_held = false;
    table.due = std::min(table.due, now);
    look_at(communities_.at(table.community), table.cluster);
    communities.insert(table.community);
  }
  for (const TableId id : communities) look_ahead(id);
}

void Timetable::hasten(TableId id, Now now) {
  const auto found = tables_.find(id);
  if (found == tables_.end()) return;
  last_now_ = now;
  found->second.due = std::min(found->second.due, now.steady);
  look_at(communities_.at(found->second.community), found->second.cluster);
  look_ahead(found->second.community);
}

void Timetable::deactivate(TableId id) {
  const auto found = tables_.find(id);
  if (found == tables_.end() || !found->second.entry.active) return;
  Table& table = found->second;
  table.entry.active = false;
  Community& community = communities_.at(table.community);
  stop_listening(community, table.community);  // from now on its own log is a source
  listen(community, table.community);
  settle_sources();
  settle(cluster(id), 0);
}

bool Timetable::hold(TableId id, TimePoint now) {
  const auto found = tables_.find(id);
  if (found == tables_.end() || found->second.in_flight) return false;
  Table& table = found->second;
  if (table.asleep) table.slept_until = now;
  table.in_flight = true;
  table.serial = next_serial_++;
  flights_[table.serial] = {.whole = true, .left = 1, .tables = {id}, .domain = table.entry.domain};
  Community& community = communities_.at(table.community);
  community.whole.insert(table.serial);
  look_at(community, table.cluster);
  look_ahead(table.community);
  return true;
}

}  // namespace pgtrickle::scheduler
