// Communities of the timetable: which tables they have, what needs and periods these have, and when they are first due.
#include <algorithm>
#include <utility>

#include "timetable/timetable.h"

namespace pgtrickle::scheduler {

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

/// Who joins is as slow as those that it is to be refreshed with. The least slow ones: others may have been cut off.
void Timetable::share_backoff(Community& community) {
  std::map<std::pair<Domain, Milliseconds>, Backoff> by_period;
  const auto joins = [](const Table& table) { return table.is_new || table.is_activated; };
  for (const Table* table : community.tables) {
    if (!table->need.period || !is_active(*table) || joins(*table)) continue;
    const auto [found, is_first] = by_period.try_emplace({table->entry.domain, *table->need.period}, table->backoff);
    if (!is_first && table->backoff.factor() < found->second.factor()) found->second = table->backoff;
  }
  for (Table* table : community.tables) {
    if (!table->need.period || !joins(*table)) continue;
    const auto found = by_period.find({table->entry.domain, *table->need.period});
    if (found != by_period.end()) table->backoff = found->second;
  }
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
  const Domain domain = community.clusters.front().domain;
  community.mixed = std::any_of(community.clusters.begin(), community.clusters.end(),
                                [&](const Cluster& cluster) { return cluster.domain != domain; });
  place(community, id, order);

  std::vector<std::pair<Need, Milliseconds>> before;
  for (const Table* table : community.tables) before.emplace_back(table->need, table->period);
  set_needs(community);
  for (std::size_t i = 0; i < community.tables.size(); ++i) {
    Table& table = *community.tables[i];
    // How much too slow it is for another period remains to be seen.
    if (table.need.period != before[i].first.period) table.backoff.reset();
  }
  share_backoff(community);
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

// Needs, periods ------------------------------------------------------------------------------------------------------

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
        table.need.by_default = false;
        table.need.period = schedule.period;
        break;
      case Schedule::Kind::kContinuous:
        table.need.by_default = false;
        table.need.period = schedule.period.value_or(settings_.continuous_min);
        table.need.continuous = true;
        break;
      case Schedule::Kind::kCron:
        table.need.by_default = false;
        if (schedule.cron) table.need.crons.push_back(*schedule.cron);
        break;
      case Schedule::Kind::kCalculated:
        for (const Table* consumer : table.downstream) {
          if (consumer->place >= end && consumer->entry.domain == table.entry.domain) table.need.add(consumer->need);
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
      if (table.entry.max_staleness) {
        table.need.period = std::min(*table.need.period, *table.entry.max_staleness / 2);
        table.need.by_default = false;
      }
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
  Milliseconds pace{0};
  for (const Table* table : cluster.tables) pace = std::max(pace, pace_of(*table));
  for (Table* table : cluster.tables) {
    table->period = table->need.period ? std::min(std::max(*table->need.period * factor, pace), kForEver) : kForEver;
  }
}

Milliseconds Timetable::pace_of(const Table& table) {
  return table.entry.thrifty && table.need.by_default ? table.thrift.pace() : Milliseconds(0);
}

// Whoever reads it may sleep on it, or not any more, as it is slower or faster than that.
void Timetable::set_pace(Table& table) {
  Community& community = communities_.at(table.community);
  set_period(community.states[table.cluster]);
  stop_listening(community, table.community);
  listen(community, table.community);
  settle_sources();
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
  } else if ((table.need != old_need || table.period != old_period) && !table.failing) {
    table.due = woken_time(table, now);
  }
  table.is_new = table.is_activated = false;
}

}  // namespace pgtrickle::scheduler
