// What is due becomes units in flight.
#include <algorithm>
#include <iterator>
#include <utility>

#include "timetable/timetable.h"

namespace pgtrickle::scheduler {

namespace {

constexpr std::chrono::hours kLatest{24};  // what is later than that is not more urgent

double weight_of(Tier tier) {
  return tier == Tier::kHot ? 4 : tier == Tier::kWarm ? 2 : 1;
}

}  // namespace

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
  std::map<Domain, bool> blocked;
  const auto is_blocked = [&](std::size_t c) {
    const Domain domain = community.clusters[c].domain;
    const auto [known, is_new] = blocked.try_emplace(domain, false);
    if (is_new) known->second = blocked_until(community, domain) > now.steady;
    return known->second;
  };
  TimePoint::duration longest{0};  // until one of those that are due is due again
  for (auto entry = community.queue.begin(); entry != community.queue.end() && entry->first <= now.steady; ++entry) {
    if (is_blocked(entry->second)) continue;
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
      return !need.period && need.has_crons_of(table.need);
    });
  };
  // Those that sleep go along with what they read, which may be about to change, and as long as all are one unit with
  // the others too: a writer may have committed before the unit's snapshot whose notification is still on its way.
  std::vector<std::size_t> chosen, sleepers;
  std::vector<bool> may_change(community.states.size(), false);
  std::size_t tables = 0;
  for (std::size_t c = 0; !due.empty() && c < community.states.size(); ++c) {
    const ClusterState& cluster = community.states[c];
    if (!may_start(cluster) || is_failing(cluster) || is_blocked(c)) continue;
    if (cluster.due > now.steady && (is_held(cluster) || !goes_along(cluster))) continue;
    const auto& upstream = community.clusters[c].upstream;
    may_change[c] = is_awake(cluster) ||
                    std::any_of(upstream.begin(), upstream.end(), [&](std::size_t up) { return may_change[up]; });
    (may_change[c] ? chosen : sleepers).push_back(c);
    tables += cluster.tables.size();
  }
  if (tables <= settings_.limits.max_tables) {
    chosen.insert(chosen.end(), sleepers.begin(), sleepers.end());
    std::sort(chosen.begin(), chosen.end());
  }
  const auto cost = [&](TableId of) {
    const Table& table = tables_.at(of);
    const bool is_expected = may_change[table.cluster] || is_failing(community.states[table.cluster]);
    return is_expected ? table.cost : Milliseconds(0);
  };
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
  flights_[unit.serial] = {
      .whole = unit.whole, .left = unit.tables.size(), .tables = unit.tables, .domain = unit.domain};
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

}  // namespace pgtrickle::scheduler
