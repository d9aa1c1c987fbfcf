// What is due becomes units running.
#include <algorithm>
#include <iterator>
#include <utility>

#include "planner/refresh_planner.h"

namespace pgtrickle::planner {

namespace {

constexpr std::chrono::hours kLatest{24};  // what is later than that is not more urgent

double weight_of(Tier tier) {
  return tier == Tier::kHot ? 4 : tier == Tier::kWarm ? 2 : 1;
}

}  // namespace

std::vector<Unit> RefreshPlanner::take_due(Now now) {
  last_now_ = now;
  std::vector<Unit> plan;
  std::vector<TableId> due;
  for (auto entry = queue_.begin(); entry != queue_.end() && entry->first <= now.steady; ++entry) {
    due.push_back(entry->second);
  }
  for (const TableId component : due) {
    take_from(component, now, plan);
    forecast(component);
  }
  return plan;
}

void RefreshPlanner::take_from(TableId id, Now now, std::vector<Unit>& plan) {
  Component& component = components_.at(id);
  std::vector<std::size_t> retries, due;
  std::map<Domain, bool> blocked;
  const auto is_blocked = [&](std::size_t c) {
    const Domain domain = component.sets[c].domain;
    const auto [known, is_new] = blocked.try_emplace(domain, false);
    if (is_new) known->second = blocked_until(component, domain) > now.steady;
    return known->second;
  };
  TimePoint::duration longest{0};  // until one that is due is due again
  for (auto entry = component.queue.begin(); entry != component.queue.end() && entry->first <= now.steady; ++entry) {
    if (is_blocked(entry->second)) continue;
    const SetState& set = component.states[entry->second];
    if (is_failing(set)) {  // alone, so that it cannot hold up the others again
      retries.push_back(entry->second);
    } else {
      const Table& table = *set.tables.front();
      due.push_back(entry->second);
      longest = std::max(longest, table.need.period ? TimePoint::duration(table.period)
                                                    : next_cron(table.need, now, Milliseconds(0)) - now.steady);
    }
  }
  const auto goes_along = [&](const SetState& set) {
    const Table& table = *set.tables.front();
    if (table.need.period) return table.period <= longest;
    return std::any_of(due.begin(), due.end(), [&](std::size_t c) {
      const Need& need = component.states[c].tables.front()->need;
      return !need.period && need.has_crons_of(table.need);
    });
  };
  // The ones that sleep go along with what they read, which may be about to change, and as long as all are one unit
  // with the others too: a writer may have committed before the unit's snapshot whose notification is still on its way.
  std::vector<std::size_t> chosen, sleepers;
  std::vector<bool> may_change(component.states.size(), false);
  std::size_t tables = 0;
  for (std::size_t c = 0; !due.empty() && c < component.states.size(); ++c) {
    const SetState& set = component.states[c];
    if (!may_start(set) || is_failing(set) || is_blocked(c)) continue;
    if (set.due > now.steady && (is_held(set) || !goes_along(set))) continue;
    const auto& upstream = component.sets[c].upstream;
    may_change[c] =
        is_awake(set) || std::any_of(upstream.begin(), upstream.end(), [&](std::size_t up) { return may_change[up]; });
    (may_change[c] ? chosen : sleepers).push_back(c);
    tables += set.tables.size();
  }
  if (tables <= settings_.limits.max_tables) {
    chosen.insert(chosen.end(), sleepers.begin(), sleepers.end());
    std::sort(chosen.begin(), chosen.end());
  }
  const auto cost = [&](TableId of) {
    const Table& table = tables_.at(of);
    const bool is_expected = may_change[table.set] || is_failing(component.states[table.set]);
    return is_expected ? table.cost : Milliseconds(0);
  };
  std::vector<Unit> units = plan_units(component.sets, chosen, cost, settings_.limits);
  for (const std::size_t c : retries) {
    auto alone = plan_units(component.sets, {c}, cost, settings_.limits);
    alone.front().whole = false;
    units.push_back(std::move(alone.front()));
  }
  for (Unit& unit : units) {
    for (std::size_t& before : unit.after) before += plan.size();
    start_unit(component, unit, now.steady);
  }
  plan.insert(plan.end(), std::make_move_iterator(units.begin()), std::make_move_iterator(units.end()));
}

void RefreshPlanner::start_unit(Component& component, Unit& unit, TimePoint now) {
  unit.serial = next_serial_++;
  unit.due = now;
  unit.period = kForEver;
  unit.weight = 1;
  std::set<std::size_t> sets;
  for (const TableId id : unit.tables) {
    Table& table = tables_.at(id);
    sets.insert(table.set);
    unit.period = std::min(unit.period, table.period);
    unit.weight = std::max(unit.weight, weight_of(table.entry.tier));
    if (table.asleep) table.slept_until = fresh_asleep(table, now);
    table.is_running = true;
    table.serial = unit.serial;
    table.begun = now;
  }
  for (const std::size_t c : sets) {
    unit.due = std::min(unit.due, std::max(component.states[c].due, now - kLatest));
    evaluate(component, c);
  }
  running_[unit.serial] = {
      .whole = unit.whole, .left = unit.tables.size(), .tables = unit.tables, .domain = unit.domain};
  if (unit.whole) component.whole.insert(unit.serial);
}

void RefreshPlanner::begun(const Unit& unit, TimePoint now) {
  std::set<TableId> components;
  for (const TableId id : unit.tables) {
    const auto found = tables_.find(id);
    if (found == tables_.end() || found->second.serial != unit.serial) continue;
    found->second.begun = now;
    components.insert(found->second.component);
  }
  const auto running = running_.find(unit.serial);
  if (running == running_.end() || !running->second.whole) return;
  running->second.begun = now;
  for (const TableId id : components) forecast(id);
}

}  // namespace pgtrickle::planner
