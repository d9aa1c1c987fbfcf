// Components of the refresh planner: which tables they have, what needs and periods these have, and when they are first
// due.
#include <algorithm>
#include <utility>

#include "planner/refresh_planner.h"

namespace pgtrickle::planner {

// Parts of the graph that a refresh group joins belong to one component. What was in a component with one of `tables`
// is looked at again too.
void RefreshPlanner::rebuild(const std::set<TableId>& tables, Now now) {
  std::set<TableId> parts;
  std::vector<TableId> open;
  const auto add = [&](TableId id) {
    if (dag_.contains(id) && parts.insert(dag_.component_of(id)).second) open.push_back(dag_.component_of(id));
  };
  for (const TableId id : tables) add(id);
  while (!open.empty()) {
    const TableId part = open.back();
    open.pop_back();
    std::optional<TableId> last;  // most are in the same component
    for (const TableId id : dag_.component(part)) {
      if (const auto group = group_of_.find(id); group != group_of_.end()) {
        for (const TableId other : groups_[group->second]) add(other);
      }
      const TableId component = tables_.at(id).component;
      if (std::exchange(last, component) == component) continue;
      const auto old = components_.find(component);
      if (old == components_.end()) continue;
      for (const Table* other : old->second.tables) add(other->entry.id);
      forget(old->first);
    }
  }

  while (!parts.empty()) {
    std::vector<TableId> together{*parts.begin()};
    parts.erase(parts.begin());
    for (std::size_t i = 0; i < together.size(); ++i) {
      for (const TableId id : dag_.component(together[i])) {
        const auto group = group_of_.find(id);
        if (group == group_of_.end()) continue;
        for (const TableId other : groups_[group->second]) {
          if (!dag_.contains(other)) continue;
          const TableId part = dag_.component_of(other);
          if (parts.erase(part) == 1) together.push_back(part);
        }
      }
    }
    std::sort(together.begin(), together.end());
    build(together, now);
  }
  settle_sources();
}

/// Who joins is as slow as the ones that it is to be refreshed with. The least slow ones: others may have been cut off.
void RefreshPlanner::share_backoff(Component& component) {
  std::map<std::pair<Domain, Milliseconds>, Backoff> by_period;
  const auto joins = [](const Table& table) { return table.is_new || table.is_activated; };
  for (const Table* table : component.tables) {
    if (!table->need.period || !is_active(*table) || joins(*table)) continue;
    const auto [found, is_first] = by_period.try_emplace({table->entry.domain, *table->need.period}, table->backoff);
    if (!is_first && table->backoff.factor() < found->second.factor()) found->second = table->backoff;
  }
  for (Table* table : component.tables) {
    if (!table->need.period || !joins(*table)) continue;
    const auto found = by_period.find({table->entry.domain, *table->need.period});
    if (found != by_period.end()) table->backoff = found->second;
  }
}

void RefreshPlanner::forget(TableId id) {
  const auto found = components_.find(id);
  stop_listening(found->second, id);
  queue_.erase({found->second.next_due, id});
  components_.erase(found);
}

void RefreshPlanner::build(const std::vector<TableId>& parts, Now now) {
  const TableId id = parts.front();
  Component& component = components_[id];
  std::vector<TableId> order;
  for (const TableId part : parts) {
    const auto& tables = dag_.component(part);
    order.insert(order.end(), tables.begin(), tables.end());
  }
  AtomicSetRules rules;
  rules.sources = [this](TableId table) -> const std::vector<SourceId>& { return tables_.at(table).entry.relations; };
  rules.atomic_diamond = [this](TableId table) { return tables_.at(table).entry.atomic_diamond; };
  rules.kept = [this](TableId table) { return tables_.at(table).entry.kept; };
  std::set<std::size_t> groups;
  for (const TableId table : order) {
    if (const auto group = group_of_.find(table); group != group_of_.end()) groups.insert(group->second);
  }
  for (const std::size_t group : groups) rules.groups.push_back(groups_[group]);
  component.sets = make_atomic_sets(dag_, order, rules);
  const Domain domain = component.sets.front().domain;
  component.mixed = std::any_of(component.sets.begin(), component.sets.end(),
                                [&](const AtomicSet& set) { return set.domain != domain; });
  place(component, id, order);

  std::vector<std::pair<Need, Milliseconds>> before;
  for (const Table* table : component.tables) before.emplace_back(table->need, table->period);
  set_needs(component);
  for (std::size_t i = 0; i < component.tables.size(); ++i) {
    Table& table = *component.tables[i];
    // How much too slow it is for another period remains to be seen.
    if (table.need.period != before[i].first.period) table.backoff.reset();
  }
  share_backoff(component);
  for (const SetState& set : component.states) set_period(set);
  for (std::size_t i = 0; i < component.tables.size(); ++i) {
    set_due(*component.tables[i], before[i].first, before[i].second, now);
  }

  listen(component, id);
  Places all;
  for (std::size_t i = 0; i < component.tables.size(); ++i) all.insert(all.end(), i);
  queue_.emplace(component.next_due, id);
  for (std::size_t c = 0; c < component.states.size(); ++c) evaluate(component, c);
  update_sleep(id, std::move(all));
  forecast(id);
}

void RefreshPlanner::place(Component& component, TableId id, const std::vector<TableId>& order) {
  for (const TableId table_id : order) {
    Table& table = tables_.at(table_id);
    table.component = id;
    table.place = component.tables.size();
    component.tables.push_back(&table);
    if (!table.is_running) continue;
    if (running_.at(table.serial).whole) component.whole.insert(table.serial);
  }
  for (Table* table : component.tables) {
    table->upstream.clear();
    table->downstream.clear();
    for (const TableId up : dag_.upstream(table->entry.id)) table->upstream.push_back({.table = &tables_.at(up)});
    for (const TableId down : dag_.downstream(table->entry.id)) table->downstream.push_back(&tables_.at(down));
    const std::size_t members = std::max<std::size_t>(dag_.cycle(table->entry.id).size(), 1);
    const bool continues = table->place > 0 && component.tables[table->place - 1]->cycle_end > table->place;
    table->cycle_begin = continues ? component.tables[table->place - 1]->cycle_begin : table->place;
    table->cycle_end = table->cycle_begin + members;
  }
  component.states.resize(component.sets.size());
  for (std::size_t c = 0; c < component.sets.size(); ++c) {
    for (const TableId table_id : component.sets[c].tables) {
      Table& table = tables_.at(table_id);
      table.set = c;
      component.states[c].tables.push_back(&table);
    }
  }
}

// Needs, periods ------------------------------------------------------------------------------------------------------

// Needs go from consumers to what they read; then the members of an atomic set agree on one.
void RefreshPlanner::set_needs(Component& component) {
  for (std::size_t end = component.tables.size(); end > 0;) {
    const std::size_t begin = component.tables[end - 1]->cycle_begin;
    set_own_needs(component, begin, end);
    end = begin;
  }
  for (const SetState& set : component.states) {
    const bool slowest =
        std::any_of(set.tables.begin(), set.tables.end(), [](const Table* t) { return t->entry.slowest; });
    Need common = set.tables.front()->need;
    for (const Table* table : set.tables) {
      if (!slowest) {
        common.add(table->need);
      } else if (table->need.period.value_or(kForEver) > common.period.value_or(kForEver)) {
        common = table->need;
      }
    }
    for (Table* table : set.tables) table->need = common;
  }
}

// Of a table, or of the members of a cycle: the ones that have no need of their own have that of the others.
void RefreshPlanner::set_own_needs(Component& component, std::size_t begin, std::size_t end) {
  Need shared;
  for (std::size_t i = begin; i < end; ++i) {
    Table& table = *component.tables[i];
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
    Table& table = *component.tables[i];
    if (table.need.empty()) table.need = shared;
    if (table.need.empty()) table.need.period = settings_.default_period;
    if (table.entry.max_staleness && table.entry.schedule.kind == Schedule::Kind::kCalculated) {
      table.need.period = std::min(table.need.period.value_or(kForEver), *table.entry.max_staleness / 2);
      table.need.by_default = false;
    }
    if (!table.need.period) continue;
    const int times = tier_multiplier(table.entry.tier, settings_.tiers);
    table.need.period = std::clamp(std::min(*table.need.period, kForEver) * times, Milliseconds(1), kForEver);
  }
}

void RefreshPlanner::set_period(const SetState& set) {
  int factor = 1;
  if (settings_.auto_backoff) {
    for (const Table* table : set.tables) factor = std::max(factor, table->backoff.factor());
  }
  Milliseconds interval{0};
  for (const Table* table : set.tables) interval = std::max(interval, throttle_of(*table));
  for (Table* table : set.tables) {
    table->period =
        table->need.period ? std::min(std::max(*table->need.period * factor, interval), kForEver) : kForEver;
  }
}

Milliseconds RefreshPlanner::throttle_of(const Table& table) {
  return table.entry.throttled && table.need.by_default ? table.throttle.interval() : Milliseconds(0);
}

// Its readers may sleep on it, or not any more, as it is slower or faster than they are.
void RefreshPlanner::set_throttle(Table& table) {
  Component& component = components_.at(table.component);
  set_period(component.states[table.set]);
  stop_listening(component, table.component);
  listen(component, table.component);
  settle_sources();
}

void RefreshPlanner::set_due(Table& table, const Need& old_need, Milliseconds old_period, Now now) {
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

}  // namespace pgtrickle::planner
