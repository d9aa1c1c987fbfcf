#include "timetable/timetable.h"

#include <algorithm>

namespace pgtrickle::scheduler {

using std::chrono::nanoseconds;

namespace {

constexpr Milliseconds kHeldAtLeast{1000};  // between two looks at a gate that would wake us when it opens
constexpr Milliseconds kIdlePollMax{1000};  // of continuous tables where writers cannot wake us
constexpr int kIdlePollDoublings = 10;
constexpr Milliseconds kForEver = Milliseconds::max() / 1000;

nanoseconds positive_modulo(nanoseconds value, nanoseconds divisor) {
  const nanoseconds rest = value % divisor;
  return rest.count() < 0 ? rest + divisor : rest;
}

double weight_of(Tier tier) {
  return tier == Tier::kHot ? 4 : tier == Tier::kWarm ? 2 : 1;
}

bool same_need(const Need& a, const Need& b) {
  return a.period == b.period && a.continuous == b.continuous &&
         std::equal(a.crons.begin(), a.crons.end(), b.crons.begin(), b.crons.end(),
                    [](const Cron& x, const Cron& y) { return x.text() == y.text(); });
}

}  // namespace

// The set of tables ---------------------------------------------------------------------------------------------------

void Timetable::load(const std::vector<TimetableEntry>& entries, const std::vector<std::vector<TableId>>& groups,
                     Now now) {
  if (!epoch_) epoch_ = now.steady;
  groups_ = groups;
  group_of_.clear();
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    for (const TableId id : groups_[i]) group_of_[id] = i;
  }
  std::vector<Dag::Change> changes;
  std::set<TableId> seen;
  for (const TimetableEntry& entry : entries) {
    seen.insert(entry.id);
    changes.push_back({.id = entry.id, .upstream = entry.upstream});
    adopt(entry);
  }
  for (auto it = tables_.begin(); it != tables_.end();) {
    if (seen.contains(it->first)) {
      ++it;
    } else {
      changes.push_back({.id = it->first, .upstream = {}});
      (void)end_flight(it->first);
      it = tables_.erase(it);
    }
  }
  dag_.apply(changes);
  while (!communities_.empty()) forget(communities_.begin()->first);
  rebuild(seen, now);
}

void Timetable::put(const TimetableEntry& entry, Now now) {
  if (!epoch_) epoch_ = now.steady;
  adopt(entry);
  rebuild(dag_.apply({{.id = entry.id, .upstream = entry.upstream}}), now);
}

void Timetable::remove(TableId id, Now now) {
  const auto found = tables_.find(id);
  if (found == tables_.end()) return;
  (void)end_flight(id);
  const TableId community = found->second.community;
  std::set<TableId> affected = dag_.apply({{.id = id, .upstream = {}}});
  if (const auto old = communities_.find(community); old != communities_.end()) {
    affected.insert(old->second.tables.begin(), old->second.tables.end());
    affected.erase(id);
    forget(community);
  }
  tables_.erase(id);
  rebuild(std::move(affected), now);
}

void Timetable::adopt(const TimetableEntry& entry) {
  const auto [place, is_new] = tables_.try_emplace(entry.id);
  Table& table = place->second;
  const bool was_active = !is_new && is_active(table);
  table.entry = entry;
  if (!table.is_new && !was_active && is_active(table)) {
    table.is_activated = true;
    table.failing = false;
    table.is_held = false;
  }
}

bool Timetable::is_active(const Table& table) {
  return table.entry.active && table.entry.tier != Tier::kFrozen;
}

// Tables of the same component or group belong to one community. Whoever was in a community with one of `tables` is
// looked at again too.
void Timetable::rebuild(std::set<TableId> tables, Now now) {
  std::set<TableId> components;
  std::vector<TableId> open;
  const auto add = [&](TableId id) {
    if (dag_.contains(id) && components.insert(dag_.component_of(id)).second) open.push_back(dag_.component_of(id));
  };
  for (const TableId id : tables) add(id);
  std::set<TableId> forgotten;
  while (!open.empty()) {
    const TableId component = open.back();
    open.pop_back();
    for (const TableId id : dag_.component(component)) {
      if (const auto group = group_of_.find(id); group != group_of_.end()) {
        for (const TableId other : groups_[group->second]) add(other);
      }
      const auto table = tables_.find(id);
      if (table == tables_.end()) continue;
      const auto old = communities_.find(table->second.community);
      if (old == communities_.end() || !forgotten.insert(old->first).second) continue;
      for (const TableId other : old->second.tables) add(other);
    }
  }
  for (const TableId community : forgotten) forget(community);

  while (!components.empty()) {
    std::vector<TableId> together{*components.begin()};
    components.erase(components.begin());
    for (std::size_t i = 0; i < together.size(); ++i) {
      for (const TableId id : dag_.component(together[i])) {
        const auto group = group_of_.find(id);
        if (group == group_of_.end()) continue;
        for (const TableId other : groups_[group->second]) {
          if (!dag_.contains(other)) continue;
          const TableId component = dag_.component_of(other);
          if (components.erase(component) == 1) together.push_back(component);
        }
      }
    }
    std::sort(together.begin(), together.end());
    build(together, now);
  }
  for (const SourceId source : maybe_unneeded_) {
    if (!waiting_.contains(source) && arming_.remove(source)) unneeded_.push_back(source);
  }
  maybe_unneeded_.clear();
}

void Timetable::forget(TableId id) {
  const auto found = communities_.find(id);
  for (const SourceId source : found->second.sources) {
    const auto waiting = waiting_.find(source);
    waiting->second.erase(id);
    if (!waiting->second.empty()) continue;
    waiting_.erase(waiting);
    maybe_unneeded_.insert(source);
  }
  queue_.erase({found->second.next_due, id});
  communities_.erase(found);
}

void Timetable::build(const std::vector<TableId>& components, Now now) {
  const TableId id = components.front();
  Community community;
  std::set<std::size_t> groups;
  for (const TableId component : components) {
    for (const TableId table : dag_.component(component)) {
      community.tables.push_back(table);
      if (const auto group = group_of_.find(table); group != group_of_.end()) groups.insert(group->second);
    }
  }
  ClusterRules rules;
  rules.sources = [this](TableId table) -> const std::vector<SourceId>& { return tables_.at(table).entry.relations; };
  rules.atomic_diamond = [this](TableId table) { return tables_.at(table).entry.atomic_diamond; };
  for (const std::size_t group : groups) rules.groups.push_back(groups_[group]);
  community.clusters = make_clusters(dag_, community.tables, rules);

  std::map<TableId, std::pair<Need, Milliseconds>> before;
  for (std::size_t c = 0; c < community.clusters.size(); ++c) {
    for (const TableId table_id : community.clusters[c].tables) {
      Table& table = tables_.at(table_id);
      table.community = id;
      table.cluster = c;
      before[table_id] = {table.need, table.period};
    }
  }
  set_needs(community);
  for (const TableId table_id : community.tables) {
    const auto& [need, period] = before.at(table_id);
    set_due(tables_.at(table_id), need, period, now);
  }

  for (const TableId table_id : community.tables) {
    const Table& table = tables_.at(table_id);
    if (!is_active(table) || !table.entry.captured) continue;
    for (const SourceId source : waits_for(table)) {
      community.sources.insert(source);
      auto& period = waiting_[source].try_emplace(id, table.period).first->second;
      period = std::min(period, table.period);
    }
  }
  for (const SourceId source : community.sources) {
    Milliseconds shortest = kForEver;
    for (const auto& [other, period] : waiting_.at(source)) shortest = std::min(shortest, period);
    arming_.put(source, shortest);
  }
  for (const TableId table_id : community.tables) {
    const Table& table = tables_.at(table_id);
    if (table.in_flight) flights_.at(table.serial).community = id;
  }
  Community& placed = communities_[id] = std::move(community);
  queue_.emplace(placed.next_due, id);
  update_sleep(placed);
  look_ahead(id);
}

// Needs go from consumers to what they read; then the members of a cluster agree on one.
void Timetable::set_needs(Community& community) {
  for (auto id = community.tables.rbegin(); id != community.tables.rend(); ++id) {
    Table& table = tables_.at(*id);
    const Schedule& schedule = table.entry.schedule;
    Need need;
    switch (schedule.kind) {
      case Schedule::Kind::kEvery:
        need.period = schedule.period;
        break;
      case Schedule::Kind::kContinuous:
        need.period = schedule.period.value_or(settings_.continuous_min);
        need.continuous = true;
        break;
      case Schedule::Kind::kCron:
        if (schedule.cron) need.crons.push_back(*schedule.cron);
        break;
      case Schedule::Kind::kCalculated:
        for (const TableId consumer : dag_.downstream(*id)) need.add(tables_.at(consumer).need);
        if (need.empty()) {
          need.period = settings_.default_period;
          if (table.entry.max_staleness) need.period = std::min(*need.period, *table.entry.max_staleness / 2);
        }
        break;
    }
    if (need.period) {
      const int times = tier_multiplier(table.entry.tier, settings_.tiers);
      need.period = std::clamp(*need.period * times, Milliseconds(1), kForEver);
    }
    table.need = std::move(need);
  }
  for (Cluster& cluster : community.clusters) {
    const bool slowest = std::any_of(cluster.tables.begin(), cluster.tables.end(),
                                     [this](TableId id) { return tables_.at(id).entry.slowest; });
    Need common = tables_.at(cluster.tables.front()).need;
    for (const TableId id : cluster.tables) {
      const Need& need = tables_.at(id).need;
      if (!slowest) {
        common.add(need);
      } else if (need.period.value_or(kForEver) > common.period.value_or(kForEver)) {
        common = need;
      }
    }
    for (const TableId id : cluster.tables) tables_.at(id).need = common;
    set_period(cluster);
  }
}

void Timetable::set_period(Cluster& cluster) {
  int factor = 1;
  if (settings_.auto_backoff) {
    for (const TableId id : cluster.tables) factor = std::max(factor, tables_.at(id).backoff.factor());
  }
  for (const TableId id : cluster.tables) {
    Table& table = tables_.at(id);
    table.period = table.need.period ? std::min(*table.need.period * factor, kForEver) : kForEver;
  }
}

void Timetable::set_due(Table& table, const Need& old_need, Milliseconds old_period, Now now) {
  if (!is_active(table)) {
    table.is_new = table.is_new && !table.entry.active;
    return;
  }
  if (table.is_new) {
    TimePoint due = TimePoint::max();
    if (table.need.period) {
      const Milliseconds age = std::min(table.entry.age.value_or(table.period), table.period);
      due = now.steady + (table.period - age);
    }
    if (!table.need.crons.empty())
      due = std::min(due, next_cron(table.need, now, table.entry.age.value_or(Milliseconds(0))));
    table.due = due;
  } else if (table.is_activated) {
    table.due = table.need.period ? now.steady : next_cron(table.need, now, Milliseconds(0));
  } else if ((!same_need(table.need, old_need) || table.period != old_period) && !table.failing) {
    table.due = woken_time(table, now);
  }
  table.is_new = table.is_activated = false;
}

// Times ---------------------------------------------------------------------------------------------------------------

/// `missed`: times that are so long past, and not longer, count as due now.
TimePoint Timetable::next_cron(const Need& need, Now now, Milliseconds missed) {
  TimePoint next = TimePoint::max();
  for (const Cron& cron : need.crons) {
    const auto at = cron.next(now.wall - missed);
    if (at) next = std::min(next, *at <= now.wall ? now.steady : now.steady + (*at - now.wall));
  }
  return next;
}

TimePoint Timetable::next_on_grid(const Table& table, TimePoint after) const {
  const nanoseconds period = table.period;
  // A multiplicative hash spreads communities evenly over the period, whatever their ids.
  const auto hash = static_cast<std::uint64_t>(table.community) * 0x9E3779B97F4A7C15ULL;
  const nanoseconds phase = Milliseconds(static_cast<std::int64_t>(hash >> 33U) % table.period.count());
  const nanoseconds passed = positive_modulo(after - *epoch_ - phase, period);
  return after + (period - passed);
}

TimePoint Timetable::next_time(const Table& table, Now now) const {
  TimePoint next = next_cron(table.need, now, Milliseconds(0));
  if (!table.need.period) return next;
  if (!table.need.continuous) return std::min(next, next_on_grid(table, now.steady));
  Milliseconds pause = table.period;
  if (!settings_.may_arm && table.idle_polls > 0) {
    pause = std::max(pause, std::min(kIdlePollMax, pause * (1 << std::min(table.idle_polls, kIdlePollDoublings))));
  }
  return std::min(next, std::max(now.steady, table.begun.value_or(now.steady) + pause));
}

TimePoint Timetable::woken_time(const Table& table, Now now) const {
  TimePoint next = next_cron(table.need, now, Milliseconds(0));
  if (!table.need.period) return next;
  const auto last = table.need.continuous ? table.begun : table.checked_begin;
  return std::min(next, last ? std::max(now.steady, *last + table.period) : now.steady);
}

// Sleeping ------------------------------------------------------------------------------------------------------------

/// The sources whose writers must be able to wake the daemon before this table may sleep. A stream table that the
/// daemon does not refresh can still be refreshed by hand, and so is a source like others.
std::vector<SourceId> Timetable::waits_for(const Table& table) const {
  std::vector<SourceId> out = table.entry.sources;
  for (const TableId up : dag_.upstream(table.entry.id)) {
    const Table& other = tables_.at(up);
    if (!is_active(other) && other.entry.own_log) out.push_back(*other.entry.own_log);
  }
  return out;
}

bool Timetable::sleeps(const Table& table) const {
  if (!is_active(table) || !table.entry.captured || table.failing || table.is_held || !table.checked_begin)
    return false;
  if (!dag_.cycle(table.entry.id).empty()) {
    // All members have been through the same refreshes: what they read outside decides.
    for (const TableId member : dag_.cycle(table.entry.id)) {
      const Table& other = tables_.at(member);
      for (const SourceId source : waits_for(other)) {
        const auto armed_at = arming_.armed_at(source);
        if (!armed_at || *table.checked_begin < *armed_at) return false;
      }
    }
  }
  for (const SourceId source : waits_for(table)) {
    const auto armed_at = arming_.armed_at(source);
    if (!armed_at || *table.checked_begin < *armed_at) return false;
  }
  for (const TableId up : dag_.upstream(table.entry.id)) {
    const Table& other = tables_.at(up);
    if (!is_active(other)) {
      if (!other.entry.own_log) return false;
      continue;
    }
    const auto& cycle = dag_.cycle(table.entry.id);
    if (std::binary_search(cycle.begin(), cycle.end(), up)) continue;
    const bool in_order = other.checked_end &&
                          (table.checked_serial == other.checked_serial || *table.checked_begin >= *other.checked_end);
    if (!other.asleep || !in_order) return false;
  }
  return true;
}

void Timetable::update_sleep(Community& community) {
  for (const TableId id : community.tables) {
    Table& table = tables_.at(id);
    table.asleep = sleeps(table);
  }
}

std::vector<SourceId> Timetable::sources_to_arm(TimePoint now) const {
  std::set<SourceId> out;
  if (!settings_.may_arm) return {};
  for (auto entry = queue_.begin(); entry != queue_.end() && entry->first <= now; ++entry) {
    for (const SourceId source : communities_.at(entry->second).sources) {
      if (arming_.may_arm(source, now)) out.insert(source);
    }
  }
  return {out.begin(), out.end()};
}

void Timetable::armed(SourceId source, TimePoint now) {
  arming_.armed(source, now);
}

bool Timetable::woken(SourceId source, Now now) {
  const bool was_armed = arming_.woken(source, now.steady);
  const auto waiting = waiting_.find(source);
  if (!was_armed || waiting == waiting_.end()) return was_armed;
  for (const auto& [id, period] : waiting->second) {
    Community& community = communities_.at(id);
    for (const TableId table_id : community.tables) {
      Table& table = tables_.at(table_id);
      const bool slept = table.asleep;
      table.asleep = sleeps(table);
      if (slept && !table.asleep) table.due = woken_time(table, now);
    }
    look_ahead(id);
  }
  return was_armed;
}

std::vector<SourceId> Timetable::wake_all(Now now) {
  auto were_armed = arming_.wake_all();
  for (auto& [id, community] : communities_) {
    for (const TableId table_id : community.tables) {
      Table& table = tables_.at(table_id);
      if (table.asleep) table.due = woken_time(table, now);
      table.asleep = false;
    }
    look_ahead(id);
  }
  return were_armed;
}

std::vector<SourceId> Timetable::take_unneeded() {
  std::vector<SourceId> out;
  for (const SourceId source : unneeded_) {
    if (!arming_.armed_at(source)) out.push_back(source);
  }
  unneeded_.clear();
  return out;
}

// Due -----------------------------------------------------------------------------------------------------------------

bool Timetable::eligible(const Cluster& cluster) const {
  bool awake = false;
  for (const TableId id : cluster.tables) {
    const Table& table = tables_.at(id);
    if (!is_active(table) || table.in_flight) return false;
    awake = awake || !table.asleep;
  }
  return awake;
}

bool Timetable::is_failing(const Cluster& cluster) const {
  return std::any_of(cluster.tables.begin(), cluster.tables.end(),
                     [this](TableId id) { return tables_.at(id).failing; });
}

// Of a cluster with members that failed or are held, these decide: the others could be refreshed, but not alone.
TimePoint Timetable::due_of(const Cluster& cluster) const {
  TimePoint due = TimePoint::max();
  std::optional<TimePoint> obstacle;
  for (const TableId id : cluster.tables) {
    const Table& table = tables_.at(id);
    if (table.failing || table.is_held) obstacle = std::max(obstacle.value_or(table.due), table.due);
    if (!table.asleep) due = std::min(due, table.due);
  }
  return obstacle.value_or(due);
}

Milliseconds Timetable::period_of(const Cluster& cluster) const {
  return tables_.at(cluster.tables.front()).period;
}

bool Timetable::whole_in_flight(TableId community) const {
  return std::any_of(flights_.begin(), flights_.end(),
                     [&](const auto& entry) { return entry.second.whole && entry.second.community == community; });
}

void Timetable::look_ahead(TableId id) {
  Community& community = communities_.at(id);
  TimePoint next = TimePoint::max();
  if (!whole_in_flight(id)) {
    for (const Cluster& cluster : community.clusters) {
      if (eligible(cluster)) next = std::min(next, due_of(cluster));
    }
  }
  if (next == community.next_due) return;
  queue_.erase({community.next_due, id});
  community.next_due = next;
  queue_.emplace(next, id);
}

std::vector<Unit> Timetable::take_due(Now now) {
  std::vector<Unit> plan;
  std::vector<TableId> due;
  for (auto entry = queue_.begin(); entry != queue_.end() && entry->first <= now.steady; ++entry) {
    due.push_back(entry->second);
  }
  for (const TableId community : due) {
    take_from(community, now.steady, plan);
    look_ahead(community);
  }
  return plan;
}

void Timetable::take_from(TableId id, TimePoint now, std::vector<Unit>& plan) {
  const Community& community = communities_.at(id);
  Milliseconds longest{0};
  std::vector<std::size_t> retries;
  bool any = false;
  for (std::size_t c = 0; c < community.clusters.size(); ++c) {
    const Cluster& cluster = community.clusters[c];
    if (!eligible(cluster) || due_of(cluster) > now) continue;
    if (is_failing(cluster)) {  // alone, so that it cannot hold up the others again
      retries.push_back(c);
    } else {
      any = true;
      longest = std::max(longest, period_of(cluster));
    }
  }
  std::vector<std::size_t> chosen;
  for (std::size_t c = 0; any && c < community.clusters.size(); ++c) {
    const Cluster& cluster = community.clusters[c];
    if (!eligible(cluster) || is_failing(cluster)) continue;
    const bool along = period_of(cluster) <= longest && !tables_.at(cluster.tables.front()).is_held;
    if (due_of(cluster) <= now || along) chosen.push_back(c);
  }
  const auto cost = [this](TableId table) { return tables_.at(table).cost; };
  std::vector<Unit> units = plan_units(community.clusters, chosen, cost, settings_.limits);
  for (const std::size_t c : retries) {
    auto alone = plan_units(community.clusters, {c}, cost, settings_.limits);
    alone.front().whole = false;
    units.push_back(std::move(alone.front()));
  }
  for (Unit& unit : units) {
    for (std::size_t& before : unit.after) before += plan.size();
    launch(unit, now);
  }
  plan.insert(plan.end(), std::make_move_iterator(units.begin()), std::make_move_iterator(units.end()));
}

void Timetable::launch(Unit& unit, TimePoint now) {
  unit.serial = next_serial_++;
  unit.due = now;
  unit.period = kForEver;
  unit.weight = 1;
  for (const TableId id : unit.tables) {
    Table& table = tables_.at(id);
    unit.due = std::min(unit.due, std::max(table.due, now - std::chrono::hours(24)));
    unit.period = std::min(unit.period, table.period);
    unit.weight = std::max(unit.weight, weight_of(table.entry.tier));
    table.in_flight = true;
    table.serial = unit.serial;
    table.begun = now;
  }
  flights_[unit.serial] = {
      .whole = unit.whole, .left = unit.tables.size(), .community = tables_.at(unit.tables.front()).community};
}

void Timetable::begun(const Unit& unit, TimePoint now) {
  for (const TableId id : unit.tables) {
    const auto found = tables_.find(id);
    if (found != tables_.end() && found->second.serial == unit.serial) found->second.begun = now;
  }
}

// Outcomes ------------------------------------------------------------------------------------------------------------

std::vector<TableId> Timetable::end_flight(TableId id) {
  const auto found = tables_.find(id);
  if (found == tables_.end() || !found->second.in_flight) return {};
  Table& table = found->second;
  table.in_flight = false;
  const auto place = flights_.find(table.serial);
  if (place == flights_.end() || --place->second.left > 0) return {};  // the last one draws the consequences
  const Flight flight = place->second;
  flights_.erase(place);
  const auto community = communities_.find(table.community);
  if (community == communities_.end()) return {};
  auto slowed = slow_down(flight, table.serial);
  update_sleep(community->second);
  look_ahead(table.community);
  return slowed;
}

std::vector<TableId> Timetable::slow_down(const Flight& flight, std::uint64_t serial) {
  if (!settings_.auto_backoff || !flight.changed || flight.period == Milliseconds::max()) return {};
  Community& community = communities_.at(flight.community);
  std::vector<TableId> members;
  for (const TableId id : community.tables) {
    if (tables_.at(id).serial == serial) members.push_back(id);
  }
  if (members.empty()) return {};
  Backoff common;
  for (const TableId id : members) {
    if (tables_.at(id).backoff.factor() > common.factor()) common = tables_.at(id).backoff;
  }
  if (common.factor() == 1) common = tables_.at(members.front()).backoff;
  (void)common.refreshed(flight.took, flight.period);
  std::vector<TableId> changed;
  for (const TableId id : flight.whole ? community.tables : members) {
    Backoff& backoff = tables_.at(id).backoff;
    if (backoff.factor() != common.factor()) changed.push_back(id);
    backoff = common;
  }
  if (!changed.empty()) {
    for (Cluster& cluster : community.clusters) set_period(cluster);
    std::sort(changed.begin(), changed.end());
  }
  return changed;
}

std::vector<TableId> Timetable::succeeded(TableId id, const Success& success, Now now) {
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
    table.cost = table.cost.count() == 0 ? success.own : (table.cost * 3 + success.own) / 4;
    if (const auto flight = flights_.find(table.serial); flight != flights_.end() && table.need.period) {
      flight->second.changed = true;
      flight->second.took = std::max(flight->second.took, success.whole_unit);
      flight->second.period = std::min(flight->second.period, *table.need.period);
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
    communities.insert(table.community);
  }
  for (const TableId id : communities) look_ahead(id);
}

void Timetable::deactivate(TableId id) {
  const auto found = tables_.find(id);
  if (found == tables_.end()) return;
  found->second.entry.active = false;
  look_ahead(found->second.community);
}

bool Timetable::hold(TableId id) {
  const auto found = tables_.find(id);
  if (found == tables_.end() || found->second.in_flight) return false;
  Table& table = found->second;
  table.in_flight = true;
  table.serial = next_serial_++;
  flights_[table.serial] = {.whole = true, .left = 1, .community = table.community};
  look_ahead(table.community);
  return true;
}

// Questions -----------------------------------------------------------------------------------------------------------

bool Timetable::in_flight(TableId id) const {
  const auto found = tables_.find(id);
  return found != tables_.end() && found->second.in_flight;
}

std::size_t Timetable::in_flight_count() const {
  return static_cast<std::size_t>(
      std::count_if(tables_.begin(), tables_.end(), [](const auto& t) { return t.second.in_flight; }));
}

TimePoint Timetable::next_due() const {
  return queue_.empty() ? TimePoint::max() : queue_.begin()->first;
}

std::optional<TimePoint> Timetable::fresh_at(TableId id, TimePoint now) const {
  const auto found = tables_.find(id);
  if (found == tables_.end()) return std::nullopt;
  return found->second.asleep ? now : found->second.checked_begin;
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
