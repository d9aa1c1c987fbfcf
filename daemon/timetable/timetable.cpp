#include "timetable/timetable.h"

#include <utility>

namespace pgtrickle::scheduler {

// The set of tables ---------------------------------------------------------------------------------------------------

void Timetable::load(const std::vector<TimetableEntry>& entries, const std::vector<std::vector<TableId>>& groups,
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
  for (const TimetableEntry& entry : entries) {
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
  while (!communities_.empty()) forget(communities_.begin()->first);
  const auto flights = erase(gone);
  rebuild(std::move(seen), now);
  for (const std::uint64_t serial : flights) (void)land(serial);
}

void Timetable::put(const TimetableEntry& entry, Now now) {
  if (!epoch_) epoch_ = now.steady;
  last_now_ = now;
  adopt(entry);
  rebuild(dag_.apply({{.id = entry.id, .upstream = entry.upstream, .domain = entry.domain}}), now);
}

void Timetable::remove(TableId id, Now now) {
  last_now_ = now;
  const auto found = tables_.find(id);
  if (found == tables_.end()) return;
  std::set<TableId> affected = dag_.apply({{.id = id, .upstream = {}}});
  const TableId community = found->second.community;
  for (const Table* other : communities_.at(community).tables) affected.insert(other->entry.id);
  affected.erase(id);
  forget(community);
  const auto flights = erase({id});
  rebuild(std::move(affected), now);
  for (const std::uint64_t serial : flights) (void)land(serial);
}

/// Returns the units in flight that they were part of.
std::vector<std::uint64_t> Timetable::erase(const std::vector<TableId>& gone) {
  std::vector<std::uint64_t> flights;
  for (const TableId id : gone) {
    const auto found = tables_.find(id);
    if (found->second.in_flight) flights.push_back(found->second.serial);
    tables_.erase(found);
  }
  return flights;
}

void Timetable::adopt(const TimetableEntry& entry) {
  const auto [place, is_new] = tables_.try_emplace(entry.id);
  Table& table = place->second;
  const bool was_active = !is_new && is_active(table);
  table.entry = entry;
  if (entry.thrifty && entry.cost.count() > 0 && !table.thrift.knows()) (void)table.thrift.recomputed(entry.cost);
  if (!table.is_new && !was_active && is_active(table)) {
    table.is_activated = true;
    table.failing = false;
    table.is_held = false;
  }
}

bool Timetable::is_active(const Table& table) {
  return table.entry.active && table.entry.tier != Tier::kFrozen;
}

// Questions -----------------------------------------------------------------------------------------------------------

bool Timetable::in_flight(TableId id) const {
  const auto found = tables_.find(id);
  return found != tables_.end() && found->second.in_flight;
}

std::size_t Timetable::in_flight_count() const {
  std::size_t count = 0;
  for (const auto& [serial, flight] : flights_) count += flight.left;
  return count;
}

TimePoint Timetable::next_due() const {
  return queue_.empty() ? TimePoint::max() : queue_.begin()->first;
}

std::optional<TimePoint> Timetable::fresh_at(TableId id, TimePoint now) const {
  const auto found = tables_.find(id);
  if (found == tables_.end()) return std::nullopt;
  const Table& table = found->second;
  return table.asleep && !table.in_flight ? now : std::max(table.checked_begin, table.slept_until);
}

Milliseconds Timetable::period(TableId id) const {
  const auto found = tables_.find(id);
  return found == tables_.end() ? settings_.default_period : found->second.period;
}

int Timetable::backoff(TableId id) const {
  const auto found = tables_.find(id);
  return found == tables_.end() ? 1 : found->second.backoff.factor();
}

bool Timetable::is_held(TableId id) const {
  const auto found = tables_.find(id);
  return found != tables_.end() && found->second.is_held;
}

std::optional<TableId> Timetable::blocked_by(TableId id) const {
  const auto found = tables_.find(id);
  if (found == tables_.end() || !is_active(found->second)) return std::nullopt;
  for (const TableId other : cluster(id)) {
    if (!is_active(tables_.at(other))) return other;
  }
  return std::nullopt;
}

const std::vector<TableId>& Timetable::cluster(TableId id) const {
  const Table& table = tables_.at(id);
  return communities_.at(table.community).clusters[table.cluster].tables;
}

}  // namespace pgtrickle::scheduler
