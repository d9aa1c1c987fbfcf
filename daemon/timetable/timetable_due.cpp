// When are tables and clusters of the timetable due?
#include <algorithm>

#include "timetable/timetable.h"

namespace pgtrickle::scheduler {

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

// Clusters and communities --------------------------------------------------------------------------------------------

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
  std::set<Domain> seen;  // the first of each domain
  for (const auto& [due, cluster] : community.queue) {
    const Domain domain = community.clusters[cluster].domain;
    if (!seen.insert(domain).second) continue;
    next = std::min(next, std::max(due, blocked_until(community, domain)));
    if (!community.mixed) break;
  }
  if (next == community.next_due) return;
  queue_.erase({community.next_due, id});
  community.next_due = next;
  queue_.emplace(next, id);
}

/// By the units that nothing else of the community and domain is to start beside. Those that take too long block nobody
/// any more.
TimePoint Timetable::blocked_until(const Community& community, Domain domain) const {
  TimePoint until = TimePoint::min();
  for (const std::uint64_t serial : community.whole) {
    const Flight& flight = flights_.at(serial);
    if (flight.domain != domain) continue;
    until = std::max(until, flight.begun ? *flight.begun + settings_.limits.max_cost * kPatience : TimePoint::max());
  }
  return until;
}

}  // namespace pgtrickle::scheduler
