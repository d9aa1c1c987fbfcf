#include "timetable/timetable.h"

#include <algorithm>
#include <utility>

namespace pgtrickle::scheduler {

using std::chrono::nanoseconds;

namespace {

constexpr Milliseconds kHeldAtLeast{1000};  // between two looks at a gate that would wake us when it opens
constexpr Milliseconds kIdlePollMax{1000};  // of continuous tables that nobody can wake
constexpr int kIdlePollDoublings = 10;
constexpr Milliseconds kForEver{std::chrono::hours(24 * 365 * 10)};  // in nanoseconds there is room for some of these
constexpr int kPatience = 2;                                         // times the cost that a unit may have
constexpr std::chrono::hours kLatest{24};                            // what is later than that is not more urgent

nanoseconds positive_modulo(nanoseconds value, nanoseconds divisor) {
  const nanoseconds rest = value % divisor;
  return rest.count() < 0 ? rest + divisor : rest;
}

double weight_of(Tier tier) {
  return tier == Tier::kHot ? 4 : tier == Tier::kWarm ? 2 : 1;
}

bool same_crons(const Need& a, const Need& b) {
  return std::equal(a.crons.begin(), a.crons.end(), b.crons.begin(), b.crons.end(),
                    [](const Cron& x, const Cron& y) { return x.text() == y.text(); });
}

bool same_need(const Need& a, const Need& b) {
  return a.period == b.period && a.continuous == b.continuous && same_crons(a, b);
}

}  // namespace

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
    changes.push_back({.id = entry.id, .upstream = entry.upstream});
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
  rebuild(dag_.apply({{.id = entry.id, .upstream = entry.upstream}}), now);
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
  while (!open.empty()) {
    const TableId component = open.back();
    open.pop_back();
    std::optional<TableId> last;  // most are in the same community
    for (const TableId id : dag_.component(component)) {
      if (const auto group = group_of_.find(id); group != group_of_.end()) {
        for (const TableId other : groups_[group->second]) add(other);
      }
      const TableId community = tables_.at(id).community;
      if (std::exchange(last, community) == community) continue;
      const auto old = communities_.find(community);
      if (old == communities_.end()) continue;
      for (const Table* other : old->second.tables) add(other->entry.id);
      forget(old->first);
    }
  }

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
  settle_sources();
}

void Timetable::forget(TableId id) {
  const auto found = communities_.find(id);
  stop_listening(found->second, id);
  queue_.erase({found->second.next_due, id});
  communities_.erase(found);
}

void Timetable::build(const std::vector<TableId>& components, Now now) {
  const TableId id = components.front();
  Community& community = communities_[id];
  std::vector<TableId> order;
  for (const TableId component : components) {
    const auto& tables = dag_.component(component);
    order.insert(order.end(), tables.begin(), tables.end());
  }
  ClusterRules rules;
  rules.sources = [this](TableId table) -> const std::vector<SourceId>& { return tables_.at(table).entry.relations; };
  rules.atomic_diamond = [this](TableId table) { return tables_.at(table).entry.atomic_diamond; };
  std::set<std::size_t> groups;
  for (const TableId table : order) {
    if (const auto group = group_of_.find(table); group != group_of_.end()) groups.insert(group->second);
  }
  for (const std::size_t group : groups) rules.groups.push_back(groups_[group]);
  community.clusters = make_clusters(dag_, order, rules);
  place(community, id, order);

  std::vector<std::pair<Need, Milliseconds>> before;
  for (const Table* table : community.tables) before.emplace_back(table->need, table->period);
  set_needs(community);
  for (std::size_t i = 0; i < community.tables.size(); ++i) {
    Table& table = *community.tables[i];
    // How much too slow it is for another period remains to be seen.
    if (table.need.period != before[i].first.period) table.backoff.reset();
  }
  for (const ClusterState& cluster : community.states) set_period(cluster);
  for (std::size_t i = 0; i < community.tables.size(); ++i) {
    set_due(*community.tables[i], before[i].first, before[i].second, now);
  }

  listen(community, id);
  Places all;
  for (std::size_t i = 0; i < community.tables.size(); ++i) all.insert(all.end(), i);
  queue_.emplace(community.next_due, id);
  for (std::size_t c = 0; c < community.states.size(); ++c) look_at(community, c);
  update_sleep(id, std::move(all));
  look_ahead(id);
}

void Timetable::place(Community& community, TableId id, const std::vector<TableId>& order) {
  for (const TableId table_id : order) {
    Table& table = tables_.at(table_id);
    table.community = id;
    table.place = community.tables.size();
    community.tables.push_back(&table);
    if (!table.in_flight) continue;
    if (flights_.at(table.serial).whole) community.whole.insert(table.serial);
  }
  for (Table* table : community.tables) {
    table->upstream.clear();
    table->downstream.clear();
    for (const TableId up : dag_.upstream(table->entry.id)) table->upstream.push_back({.table = &tables_.at(up)});
    for (const TableId down : dag_.downstream(table->entry.id)) table->downstream.push_back(&tables_.at(down));
    const std::size_t members = std::max<std::size_t>(dag_.cycle(table->entry.id).size(), 1);
    const bool continues = table->place > 0 && community.tables[table->place - 1]->circle_end > table->place;
    table->circle_begin = continues ? community.tables[table->place - 1]->circle_begin : table->place;
    table->circle_end = table->circle_begin + members;
  }
  community.states.resize(community.clusters.size());
  for (std::size_t c = 0; c < community.clusters.size(); ++c) {
    for (const TableId table_id : community.clusters[c].tables) {
      Table& table = tables_.at(table_id);
      table.cluster = c;
      community.states[c].tables.push_back(&table);
    }
  }
}

// Needs go from consumers to what they read; then the members of a cluster agree on one.
void Timetable::set_needs(Community& community) {
  for (std::size_t end = community.tables.size(); end > 0;) {
    const std::size_t begin = community.tables[end - 1]->circle_begin;
    set_own_needs(community, begin, end);
    end = begin;
  }
  for (const ClusterState& cluster : community.states) {
    const bool slowest =
        std::any_of(cluster.tables.begin(), cluster.tables.end(), [](const Table* t) { return t->entry.slowest; });
    Need common = cluster.tables.front()->need;
    for (const Table* table : cluster.tables) {
      if (!slowest) {
        common.add(table->need);
      } else if (table->need.period.value_or(kForEver) > common.period.value_or(kForEver)) {
        common = table->need;
      }
    }
    for (Table* table : cluster.tables) table->need = common;
  }
}

// Of a table, or of the members of a cycle: those that have no need of their own have that of the others.
void Timetable::set_own_needs(Community& community, std::size_t begin, std::size_t end) {
  Need shared;
  for (std::size_t i = begin; i < end; ++i) {
    Table& table = *community.tables[i];
    const Schedule& schedule = table.entry.schedule;
    table.need = {};
    switch (schedule.kind) {
      case Schedule::Kind::kEvery:
        table.need.period = schedule.period;
        break;
      case Schedule::Kind::kContinuous:
        table.need.period = schedule.period.value_or(settings_.continuous_min);
        table.need.continuous = true;
        break;
      case Schedule::Kind::kCron:
        if (schedule.cron) table.need.crons.push_back(*schedule.cron);
        break;
      case Schedule::Kind::kCalculated:
        for (const Table* consumer : table.downstream) {
          if (consumer->place >= end) table.need.add(consumer->need);
        }
        break;
    }
    shared.add(table.need);
  }
  for (std::size_t i = begin; i < end; ++i) {
    Table& table = *community.tables[i];
    if (table.need.empty()) table.need = shared;
    if (table.need.empty()) {
      table.need.period = settings_.default_period;
      if (table.entry.max_staleness) table.need.period = std::min(*table.need.period, *table.entry.max_staleness / 2);
    }
    if (!table.need.period) continue;
    const int times = tier_multiplier(table.entry.tier, settings_.tiers);
    table.need.period = std::clamp(std::min(*table.need.period, kForEver) * times, Milliseconds(1), kForEver);
  }
}

void Timetable::set_period(const ClusterState& cluster) {
  int factor = 1;
  if (settings_.auto_backoff) {
    for (const Table* table : cluster.tables) factor = std::max(factor, table->backoff.factor());
  }
  for (Table* table : cluster.tables) {
    table->period = table->need.period ? std::min(*table->need.period * factor, kForEver) : kForEver;
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
    table.due = std::min(due, next_cron(table.need, now, table.entry.age.value_or(Milliseconds(0))));
  } else if (table.is_activated) {
    table.due = table.need.period ? now.steady : next_cron(table.need, now, table.entry.age.value_or(Milliseconds(0)));
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
  if ((!settings_.may_arm || !table.can_sleep) && table.idle_polls > 0) {
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

/// Finds out which tables can sleep and what they wait for then. A stream table that the daemon does not refresh can
/// still be refreshed by hand, and so is a source like others. So is one that is refreshed less often than its reader,
/// which would look at it all the time while changes wait for the next refresh of the slower one.
void Timetable::listen(Community& community, TableId id) {
  for (const ClusterState& cluster : community.states) {
    const bool served =
        std::all_of(cluster.tables.begin(), cluster.tables.end(), [](const Table* t) { return is_active(*t); });
    for (Table* table : cluster.tables) table->is_served = served;
  }
  for (std::size_t begin = 0; begin < community.tables.size();) {
    const std::size_t end = community.tables[begin]->circle_end;
    for (std::size_t i = begin; i < end; ++i) {
      Table& table = *community.tables[i];
      table.waits_for = table.entry.sources;
      for (Upstream& up : table.upstream) {
        up.is_source = up.table->entry.own_log && (!up.table->is_served || is_slower(*up.table, table));
        if (up.is_source) table.waits_for.push_back(*up.table->entry.own_log);
      }
    }
    const bool possible = can_sleep(community, begin, end);
    for (; begin < end; ++begin) {
      Table& table = *community.tables[begin];
      table.can_sleep = possible;
      if (!table.is_served || !possible) continue;
      for (const SourceId source : table.waits_for) {
        community.sources[source].push_back(begin);
        auto& period = waiting_[source].try_emplace(id, table.period).first->second;
        period = std::min(period, table.period);
        touched_sources_.insert(source);
      }
    }
  }
}

bool Timetable::is_slower(const Table& table, const Table& reader) {
  return table.cluster != reader.cluster && reader.need.period &&
         table.need.period.value_or(kForEver) > *reader.need.period;
}

void Timetable::stop_listening(Community& community, TableId id) {
  for (const auto& [source, places] : community.sources) {
    waiting_.at(source).erase(id);
    touched_sources_.insert(source);
  }
  community.sources.clear();
}

void Timetable::settle_sources() {
  for (const SourceId source : touched_sources_) {
    const auto waiting = waiting_.find(source);
    if (waiting != waiting_.end() && !waiting->second.empty()) {
      Milliseconds shortest = kForEver;
      for (const auto& [community, period] : waiting->second) shortest = std::min(shortest, period);
      arming_.put(source, shortest);
      continue;
    }
    if (waiting != waiting_.end()) waiting_.erase(waiting);
    if (arming_.remove(source)) unneeded_.push_back(source);
  }
  touched_sources_.clear();
}

/// Of a table, or of all members of a cycle: can everybody who changes what they read wake us?
bool Timetable::can_sleep(const Community& community, std::size_t begin, std::size_t end) const {
  for (std::size_t i = begin; i < end; ++i) {
    const Table& table = *community.tables[i];
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
bool Timetable::sleeps(const Community& community, std::size_t begin, std::size_t end) const {
  for (std::size_t i = begin; i < end; ++i) {
    const Table& table = *community.tables[i];
    if (!table.can_sleep || !table.is_served || table.failing || table.is_held || !table.checked_begin) return false;
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
bool Timetable::has_seen(const Table& table, const Upstream& upstream) {
  const Table& up = *upstream.table;
  if (upstream.is_source) {
    return !up.changed_end || table.checked_serial == up.changed_serial || *table.checked_begin >= *up.changed_end;
  }
  return up.asleep && up.checked_end &&
         (table.checked_serial == up.checked_serial || *table.checked_begin >= *up.checked_end);
}

/// Looks at the tables in these places and, where something changes, at what reads them.
void Timetable::update_sleep(TableId id, Places places) {
  Community& community = communities_.at(id);
  std::set<std::size_t> changed;  // clusters
  while (!places.empty()) {
    const Table& first = *community.tables[*places.begin()];
    const std::size_t begin = first.circle_begin;
    const std::size_t end = first.circle_end;
    places.erase(places.begin(), places.lower_bound(end));
    const bool asleep = sleeps(community, begin, end);
    for (std::size_t i = begin; i < end; ++i) {
      Table& table = *community.tables[i];
      if (table.asleep == asleep) continue;
      table.asleep = asleep;
      if (!asleep) {
        table.due = woken_time(table, last_now_);
        if (!table.in_flight) table.slept_until = last_now_.steady;
      }
      changed.insert(table.cluster);
      for (const Table* down : table.downstream) {
        if (down->place >= end) places.insert(down->place);
      }
    }
  }
  for (const std::size_t cluster : changed) look_at(community, cluster);
}

std::vector<SourceId> Timetable::sources_to_arm(TimePoint now) const {
  std::set<SourceId> out;
  if (!settings_.may_arm) return {};
  for (auto entry = queue_.begin(); entry != queue_.end() && entry->first <= now; ++entry) {
    for (const auto& [source, places] : communities_.at(entry->second).sources) {
      if (arming_.may_arm(source, now)) out.insert(source);
    }
  }
  return {out.begin(), out.end()};
}

void Timetable::armed(SourceId source, TimePoint now) {
  if (arming_.contains(source)) {
    arming_.armed(source, now);
  } else {
    unneeded_.push_back(source);  // not any more
  }
}

bool Timetable::woken(SourceId source, Now now) {
  last_now_ = now;
  const bool was_armed = arming_.woken(source, now.steady);
  const auto waiting = waiting_.find(source);
  if (!was_armed || waiting == waiting_.end()) return was_armed;
  for (const auto& [id, period] : waiting->second) {
    const auto& places = communities_.at(id).sources.at(source);
    update_sleep(id, Places(places.begin(), places.end()));
    look_ahead(id);
  }
  return was_armed;
}

std::vector<SourceId> Timetable::wake_all(Now now, Milliseconds silent_for) {
  auto were_armed = arming_.wake_all();
  last_now_ = now;
  all_woken_ = now.steady;
  for (const auto& [id, community] : communities_) {
    Places places;
    for (const Table* table : community.tables) {
      if (table->asleep) places.insert(places.end(), table->place);
    }
    update_sleep(id, places);
    for (const std::size_t place : places) {
      Table& table = *community.tables[place];
      if (!table.in_flight) table.slept_until = now.steady - silent_for;
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

bool Timetable::may_start(const ClusterState& cluster) {
  return std::none_of(cluster.tables.begin(), cluster.tables.end(),
                      [](const Table* table) { return !table->is_served || table->in_flight; });
}

bool Timetable::is_awake(const ClusterState& cluster) {
  return std::any_of(cluster.tables.begin(), cluster.tables.end(), [](const Table* table) { return !table->asleep; });
}

bool Timetable::is_failing(const ClusterState& cluster) {
  return std::any_of(cluster.tables.begin(), cluster.tables.end(), [](const Table* t) { return t->failing; });
}

bool Timetable::is_held(const ClusterState& cluster) {
  return std::any_of(cluster.tables.begin(), cluster.tables.end(), [](const Table* t) { return t->is_held; });
}

// Of a cluster with members that failed or are held, these decide: the others could be refreshed, but not alone.
TimePoint Timetable::due_of(const ClusterState& cluster) {
  TimePoint due = TimePoint::max();
  std::optional<TimePoint> obstacle;
  for (const Table* table : cluster.tables) {
    if (table->failing || table->is_held) obstacle = std::max(obstacle.value_or(table->due), table->due);
    if (!table->asleep) due = std::min(due, table->due);
  }
  return obstacle.value_or(due);
}

void Timetable::look_at(Community& community, std::size_t c) {
  ClusterState& cluster = community.states[c];
  const TimePoint due = may_start(cluster) && is_awake(cluster) ? due_of(cluster) : TimePoint::max();
  if (due == cluster.due) return;
  community.queue.erase({cluster.due, c});
  cluster.due = due;
  if (due != TimePoint::max()) community.queue.emplace(due, c);
}

void Timetable::look_ahead(TableId id) {
  Community& community = communities_.at(id);
  TimePoint next = TimePoint::max();
  if (!community.queue.empty()) next = std::max(community.queue.begin()->first, blocked_until(community));
  if (next == community.next_due) return;
  queue_.erase({community.next_due, id});
  community.next_due = next;
  queue_.emplace(next, id);
}

/// By the units that nothing else of the community is to start beside. Those that take too long block nobody any more.
TimePoint Timetable::blocked_until(const Community& community) const {
  TimePoint until = TimePoint::min();
  for (const std::uint64_t serial : community.whole) {
    const Flight& flight = flights_.at(serial);
    until = std::max(until, flight.begun ? *flight.begun + settings_.limits.max_cost * kPatience : TimePoint::max());
  }
  return until;
}

std::vector<Unit> Timetable::take_due(Now now) {
  last_now_ = now;
  std::vector<Unit> plan;
  std::vector<TableId> due;
  for (auto entry = queue_.begin(); entry != queue_.end() && entry->first <= now.steady; ++entry) {
    due.push_back(entry->second);
  }
  for (const TableId community : due) {
    take_from(community, now, plan);
    look_ahead(community);
  }
  return plan;
}

void Timetable::take_from(TableId id, Now now, std::vector<Unit>& plan) {
  Community& community = communities_.at(id);
  std::vector<std::size_t> retries, due;
  TimePoint::duration longest{0};  // until one of those that are due is due again
  for (auto entry = community.queue.begin(); entry != community.queue.end() && entry->first <= now.steady; ++entry) {
    const ClusterState& cluster = community.states[entry->second];
    if (is_failing(cluster)) {  // alone, so that it cannot hold up the others again
      retries.push_back(entry->second);
    } else {
      const Table& table = *cluster.tables.front();
      due.push_back(entry->second);
      longest = std::max(longest, table.need.period ? TimePoint::duration(table.period)
                                                    : next_cron(table.need, now, Milliseconds(0)) - now.steady);
    }
  }
  const auto goes_along = [&](const ClusterState& cluster) {
    const Table& table = *cluster.tables.front();
    if (table.need.period) return table.period <= longest;
    return std::any_of(due.begin(), due.end(), [&](std::size_t c) {
      const Need& need = community.states[c].tables.front()->need;
      return !need.period && same_crons(need, table.need);
    });
  };
  // Those that sleep go along with what they read: it may be about to change.
  std::vector<std::size_t> chosen;
  std::vector<bool> is_chosen(community.states.size(), false);
  for (std::size_t c = 0; !due.empty() && c < community.states.size(); ++c) {
    const ClusterState& cluster = community.states[c];
    if (!may_start(cluster) || is_failing(cluster)) continue;
    const auto& upstream = community.clusters[c].upstream;
    const bool may_change = is_awake(cluster) || std::any_of(upstream.begin(), upstream.end(),
                                                             [&](std::size_t up) { return is_chosen[up]; });
    if (cluster.due > now.steady && (!may_change || is_held(cluster) || !goes_along(cluster))) continue;
    is_chosen[c] = true;
    chosen.push_back(c);
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
    launch(community, unit, now.steady);
  }
  plan.insert(plan.end(), std::make_move_iterator(units.begin()), std::make_move_iterator(units.end()));
}

void Timetable::launch(Community& community, Unit& unit, TimePoint now) {
  unit.serial = next_serial_++;
  unit.due = now;
  unit.period = kForEver;
  unit.weight = 1;
  std::set<std::size_t> clusters;
  for (const TableId id : unit.tables) {
    Table& table = tables_.at(id);
    clusters.insert(table.cluster);
    unit.period = std::min(unit.period, table.period);
    unit.weight = std::max(unit.weight, weight_of(table.entry.tier));
    if (table.asleep) table.slept_until = now;
    table.in_flight = true;
    table.serial = unit.serial;
    table.begun = now;
  }
  for (const std::size_t c : clusters) {
    unit.due = std::min(unit.due, std::max(community.states[c].due, now - kLatest));
    look_at(community, c);
  }
  flights_[unit.serial] = {.whole = unit.whole, .left = unit.tables.size(), .tables = unit.tables};
  if (unit.whole) community.whole.insert(unit.serial);
}

void Timetable::begun(const Unit& unit, TimePoint now) {
  std::set<TableId> communities;
  for (const TableId id : unit.tables) {
    const auto found = tables_.find(id);
    if (found == tables_.end() || found->second.serial != unit.serial) continue;
    found->second.begun = now;
    communities.insert(found->second.community);
  }
  const auto flight = flights_.find(unit.serial);
  if (flight == flights_.end() || !flight->second.whole) return;
  flight->second.begun = now;
  for (const TableId id : communities) look_ahead(id);
}

// Outcomes ------------------------------------------------------------------------------------------------------------

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
    concerned[*found->second.need.period].insert(id);
    communities.insert(found->second.community);
  }
  if (flight.whole) {
    for (const TableId community : communities) {
      for (const Table* table : communities_.at(community).tables) {
        if (!table->need.period) continue;
        const auto same = concerned.find(*table->need.period);
        if (same != concerned.end()) same->second.insert(table->entry.id);
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
  flights_[table.serial] = {.whole = true, .left = 1, .tables = {id}};
  Community& community = communities_.at(table.community);
  community.whole.insert(table.serial);
  look_at(community, table.cluster);
  look_ahead(table.community);
  return true;
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
