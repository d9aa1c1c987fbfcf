// Which tables of the refresh planner sleep, what for, and what wakes them?
#include <algorithm>

#include "planner/refresh_planner.h"

namespace pgtrickle::planner {

/// Finds out which tables can sleep and what they wait for then. A stream table that the daemon does not refresh can
/// still be refreshed by hand, and so is a source like others. So is one that is refreshed less often than its reader,
/// which would look at it all the time while changes wait for the next refresh of the slower one.
void RefreshPlanner::listen(Component& component, TableId id) {
  for (const SetState& set : component.states) {
    const bool served = std::all_of(set.tables.begin(), set.tables.end(), [](const Table* t) { return is_active(*t); });
    for (Table* table : set.tables) table->is_served = served;
  }
  for (std::size_t begin = 0; begin < component.tables.size();) {
    const std::size_t end = component.tables[begin]->cycle_end;
    for (std::size_t i = begin; i < end; ++i) {
      Table& table = *component.tables[i];
      table.waits_for = table.entry.sources;
      for (Upstream& up : table.upstream) {
        up.is_source = up.table->entry.own_log && (!up.table->is_served || is_slower(*up.table, table));
        if (up.is_source) table.waits_for.push_back(*up.table->entry.own_log);
      }
    }
    const bool possible = can_sleep(component, begin, end);
    for (; begin < end; ++begin) {
      Table& table = *component.tables[begin];
      table.can_sleep = possible;
      if (!table.is_served || !possible) continue;
      for (const SourceId source : table.waits_for) {
        component.sources[source].push_back(begin);
        auto& period = waiting_[source].try_emplace(id, table.period).first->second;
        period = std::min(period, table.period);
        affected_sources_.insert(source);
      }
    }
  }
}

bool RefreshPlanner::is_slower(const Table& table, const Table& reader) {
  return table.set != reader.set && reader.need.period &&
         std::max(table.need.period.value_or(kForEver), throttle_of(table)) > *reader.need.period;
}

void RefreshPlanner::stop_listening(Component& component, TableId id) {
  for (const auto& [source, places] : component.sources) {
    waiting_.at(source).erase(id);
    affected_sources_.insert(source);
  }
  component.sources.clear();
}

void RefreshPlanner::settle_sources() {
  for (const SourceId source : affected_sources_) {
    const auto waiting = waiting_.find(source);
    if (waiting != waiting_.end() && !waiting->second.empty()) {
      Milliseconds shortest = kForEver;
      for (const auto& [component, period] : waiting->second) shortest = std::min(shortest, period);
      arming_.put(source, shortest);
      continue;
    }
    if (waiting != waiting_.end()) waiting_.erase(waiting);
    if (arming_.remove(source)) unneeded_.push_back(source);
  }
  affected_sources_.clear();
}

/// Of a table, or of all members of a cycle: can everybody who changes what they read wake us?
bool RefreshPlanner::can_sleep(const Component& component, std::size_t begin, std::size_t end) const {
  for (std::size_t i = begin; i < end; ++i) {
    const Table& table = *component.tables[i];
    if (!table.entry.captured) return false;
    for (const TableId up : table.entry.upstream) {
      if (!tables_.contains(up)) return false;  // not yet: it cannot be asked whether it sleeps
    }
    for (const Upstream& up : table.upstream) {
      if (up.is_source || (up.table->place >= begin && up.table->place < end)) continue;
      if (!up.table->is_served || !up.table->can_sleep) return false;
    }
  }
  return true;
}

/// Of a table, or of all members of a cycle: these have been through the same refreshes, so all sleep or none.
bool RefreshPlanner::sleeps(const Component& component, std::size_t begin, std::size_t end) const {
  for (std::size_t i = begin; i < end; ++i) {
    const Table& table = *component.tables[i];
    if (!table.can_sleep || !table.is_served || table.failing || table.is_held || !table.checked_begin) return false;
    if (table.entry.follows_time && !table.crossing) return false;
    if (all_woken_ && *table.checked_begin < *all_woken_) return false;
    for (const SourceId source : table.waits_for) {
      const auto armed_at = arming_.armed_at(source);
      if (!armed_at || *table.checked_begin < *armed_at) return false;
    }
    for (const Upstream& up : table.upstream) {
      if (up.table->place >= begin && up.table->place < end) continue;
      if (!has_seen(table, up)) return false;
    }
  }
  return true;
}

/// Has the table been refreshed after what it reads was, in the same snapshot or later? Of one whose log wakes us, only
/// what changed something counts. Others must sleep: somebody may have refreshed them by hand just before we did.
bool RefreshPlanner::has_seen(const Table& table, const Upstream& upstream) {
  const Table& up = *upstream.table;
  if (upstream.is_source) {
    return !up.changed_end || table.checked_serial == up.changed_serial || *table.checked_begin >= *up.changed_end;
  }
  return up.asleep && up.checked_end &&
         (table.checked_serial == up.checked_serial || *table.checked_begin >= *up.checked_end);
}

/// Looks at the tables in these places and, where something changes, at what reads them.
void RefreshPlanner::update_sleep(TableId id, Places places) {
  Component& component = components_.at(id);
  std::set<std::size_t> changed;  // atomic sets
  while (!places.empty()) {
    const Table& first = *component.tables[*places.begin()];
    const std::size_t begin = first.cycle_begin;
    const std::size_t end = first.cycle_end;
    places.erase(places.begin(), places.lower_bound(end));
    const bool asleep = sleeps(component, begin, end);
    for (std::size_t i = begin; i < end; ++i) {
      Table& table = *component.tables[i];
      if (table.asleep == asleep) continue;
      table.asleep = asleep;
      if (!asleep) {
        table.due = woken_time(table, last_now_);
        if (!table.is_running) table.slept_until = fresh_asleep(table, last_now_.steady);
      }
      changed.insert(table.set);
      for (const Table* down : table.downstream) {
        if (down->place >= end) places.insert(down->place);
      }
    }
  }
  for (const std::size_t set : changed) evaluate(component, set);
}

std::vector<SourceId> RefreshPlanner::sources_to_arm(TimePoint now) const {
  std::set<SourceId> out;
  if (!settings_.may_arm) return {};
  for (auto entry = queue_.begin(); entry != queue_.end() && entry->first <= now; ++entry) {
    for (const auto& [source, places] : components_.at(entry->second).sources) {
      if (arming_.may_arm(source, now)) out.insert(source);
    }
  }
  return {out.begin(), out.end()};
}

void RefreshPlanner::armed(SourceId source, TimePoint now) {
  if (arming_.contains(source)) {
    arming_.armed(source, now);
  } else {
    unneeded_.push_back(source);  // not any more
  }
}

bool RefreshPlanner::woken(SourceId source, Now now) {
  last_now_ = now;
  const bool was_armed = arming_.woken(source, now.steady);
  const auto waiting = waiting_.find(source);
  if (!was_armed || waiting == waiting_.end()) return was_armed;
  for (const auto& [id, period] : waiting->second) {
    const auto& places = components_.at(id).sources.at(source);
    update_sleep(id, Places(places.begin(), places.end()));
    forecast(id);
  }
  return was_armed;
}

std::vector<SourceId> RefreshPlanner::wake_all(Now now, Milliseconds silent_for) {
  auto were_armed = arming_.wake_all();
  last_now_ = now;
  all_woken_ = now.steady;
  for (const auto& [id, component] : components_) {
    Places places;
    for (const Table* table : component.tables) {
      if (table->asleep) places.insert(places.end(), table->place);
    }
    update_sleep(id, places);
    for (const std::size_t place : places) {
      Table& table = *component.tables[place];
      if (!table.is_running) table.slept_until = now.steady - silent_for;
    }
    forecast(id);
  }
  return were_armed;
}

std::optional<TimePoint> RefreshPlanner::asleep_since(TableId id) const {
  const auto found = tables_.find(id);
  if (found == tables_.end() || !found->second.asleep) return std::nullopt;
  return found->second.checked_end;
}

std::vector<SourceId> RefreshPlanner::take_unneeded() {
  std::vector<SourceId> out;
  for (const SourceId source : unneeded_) {
    if (!arming_.armed_at(source)) out.push_back(source);
  }
  unneeded_.clear();
  return out;
}

}  // namespace pgtrickle::planner
