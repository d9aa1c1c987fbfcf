// When are tables and atomic sets of the refresh planner due?
#include <algorithm>

#include "planner/refresh_planner.h"

namespace pgtrickle::planner {

using std::chrono::nanoseconds;

namespace {

constexpr Milliseconds kIdlePollMax{1000};  // of continuous tables that nobody can wake
constexpr int kIdlePollDoublings = 10;
constexpr int kPatience = 2;  // times the cost that a unit may have

nanoseconds positive_modulo(nanoseconds value, nanoseconds divisor) {
  const nanoseconds rest = value % divisor;
  return rest.count() < 0 ? rest + divisor : rest;
}

}  // namespace

// Times ---------------------------------------------------------------------------------------------------------------

/// `missed`: times that are so long past, and not longer, count as due now.
TimePoint RefreshPlanner::next_cron(const Need& need, Now now, Milliseconds missed) {
  TimePoint next = TimePoint::max();
  for (const Cron& cron : need.crons) {
    const auto at = cron.next(now.wall - missed);
    if (at) next = std::min(next, *at <= now.wall ? now.steady : now.steady + (*at - now.wall));
  }
  return next;
}

TimePoint RefreshPlanner::next_on_grid(const Table& table, TimePoint after) const {
  const nanoseconds period = table.period;
  // A multiplicative hash spreads components evenly over the period, whatever their ids.
  const auto hash = static_cast<std::uint64_t>(table.component) * 0x9E3779B97F4A7C15ULL;
  const nanoseconds phase = Milliseconds(static_cast<std::int64_t>(hash >> 33U) % table.period.count());
  const nanoseconds passed = positive_modulo(after - *epoch_ - phase, period);
  return after + (period - passed);
}

TimePoint RefreshPlanner::next_time(const Table& table, Now now) const {
  TimePoint next = next_cron(table.need, now, Milliseconds(0));
  if (!table.need.period) return next;
  if (!table.need.continuous) return std::min(next, next_on_grid(table, now.steady));
  Milliseconds pause = table.period;
  if ((!settings_.may_arm || !table.can_sleep) && table.idle_polls > 0) {
    pause = std::max(pause, std::min(kIdlePollMax, pause * (1 << std::min(table.idle_polls, kIdlePollDoublings))));
  }
  return std::min(next, std::max(now.steady, table.begun.value_or(now.steady) + pause));
}

TimePoint RefreshPlanner::woken_time(const Table& table, Now now) const {
  TimePoint next = next_cron(table.need, now, Milliseconds(0));
  if (!table.need.period) return next;
  const auto last = table.need.continuous ? table.begun : table.checked_begin;
  return std::min(next, last ? std::max(now.steady, *last + table.period) : now.steady);
}

// Atomic sets and components
// --------------------------------------------------------------------------------------------

bool RefreshPlanner::may_start(const SetState& set) {
  return std::none_of(set.tables.begin(), set.tables.end(),
                      [](const Table* table) { return !table->is_served || table->is_running; });
}

bool RefreshPlanner::is_awake(const SetState& set) {
  return std::any_of(set.tables.begin(), set.tables.end(),
                     [](const Table* table) { return !table->asleep || table->crossing; });
}

bool RefreshPlanner::is_failing(const SetState& set) {
  return std::any_of(set.tables.begin(), set.tables.end(), [](const Table* t) { return t->failing; });
}

bool RefreshPlanner::is_held(const SetState& set) {
  return std::any_of(set.tables.begin(), set.tables.end(), [](const Table* t) { return t->is_held; });
}

// Of an atomic set with members that failed or are held, these decide: the others could be refreshed, but not alone.
TimePoint RefreshPlanner::due_of(const SetState& set) {
  TimePoint due = TimePoint::max();
  std::optional<TimePoint> obstacle;
  for (const Table* table : set.tables) {
    if (table->failing || table->is_held) obstacle = std::max(obstacle.value_or(table->due), table->due);
    if (!table->asleep) due = std::min(due, table->due);
    // Not before its schedule says: a row can be near and not cross.
    if (table->asleep && table->crossing) due = std::min(due, std::max(*table->crossing, table->due));
  }
  return obstacle.value_or(due);
}

void RefreshPlanner::evaluate(Component& component, std::size_t c) {
  SetState& set = component.states[c];
  const TimePoint due = may_start(set) && is_awake(set) ? due_of(set) : TimePoint::max();
  if (due == set.due) return;
  component.queue.erase({set.due, c});
  set.due = due;
  if (due != TimePoint::max()) component.queue.emplace(due, c);
}

void RefreshPlanner::forecast(TableId id) {
  Component& component = components_.at(id);
  TimePoint next = TimePoint::max();
  std::set<Domain> seen;  // the first of each domain
  for (const auto& [due, set] : component.queue) {
    const Domain domain = component.sets[set].domain;
    if (!seen.insert(domain).second) continue;
    next = std::min(next, std::max(due, blocked_until(component, domain)));
    if (!component.mixed) break;
  }
  if (next == component.next_due) return;
  queue_.erase({component.next_due, id});
  component.next_due = next;
  queue_.emplace(next, id);
}

/// By the units that nothing else of the component and domain is to start beside. The ones that take too long block
/// nobody any more.
TimePoint RefreshPlanner::blocked_until(const Component& component, Domain domain) const {
  TimePoint until = TimePoint::min();
  for (const std::uint64_t serial : component.whole) {
    const RunningUnit& running = running_.at(serial);
    if (running.domain != domain) continue;
    until = std::max(until, running.begun ? *running.begun + settings_.limits.max_cost * kPatience : TimePoint::max());
  }
  return until;
}

}  // namespace pgtrickle::planner
