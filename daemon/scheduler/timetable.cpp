#include "scheduler/timetable.h"

#include <algorithm>

namespace pgtrickle::scheduler {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

namespace {

// After the last change so many periods of the fastest table pass before the daemon arms: arming under load costs
// writers a notification each.
constexpr int kQuietPeriods = 2;

nanoseconds positive_modulo(nanoseconds value, nanoseconds divisor) {
  const nanoseconds rest = value % divisor;
  return rest.count() < 0 ? rest + divisor : rest;
}

}  // namespace

void Timetable::load(const std::vector<TimetableEntry>& entries, const std::vector<Edge>& edges, TimePoint now) {
  if (!epoch_) epoch_ = now;
  std::vector<TableId> ids;
  std::map<TableId, std::optional<milliseconds>> schedules;
  for (const TimetableEntry& entry : entries) {
    ids.push_back(entry.id);
    schedules[entry.id] = entry.schedule;
  }
  dag_ = Dag(ids, edges);
  const auto periods = effective_periods(dag_, schedules, default_period_);

  std::map<TableId, Table> next;
  for (const TimetableEntry& entry : entries) {
    Table table;
    const auto found = tables_.find(entry.id);
    const bool is_new = found == tables_.end();
    if (!is_new) table = found->second;
    const bool was_active = !is_new && table.entry.active;
    const milliseconds old_period = table.period;
    table.entry = entry;
    table.period = std::max(periods.at(entry.id), milliseconds(1));
    if (is_new) {
      const milliseconds age = std::min(entry.age.value_or(table.period), table.period);
      table.due = now + (table.period - age);
    } else if (!was_active && entry.active) {
      table.due = now;
      table.failing = false;
    } else if (table.period != old_period && !table.failing) {
      table.due = table.checked ? std::max(now, *table.checked + table.period) : now;
    }
    if (!was_active && entry.active) last_change_ = std::max(last_change_, now);
    next.emplace(entry.id, table);
  }
  tables_ = std::move(next);
}

bool Timetable::asleep(const Table& table) const {
  return armed_at_ && table.entry.captured && !table.failing && table.checked && *table.checked >= *armed_at_;
}

TimePoint Timetable::next_on_grid(const Table& table, TimePoint after) const {
  const nanoseconds period = table.period;
  // A multiplicative hash spreads components evenly over the period, whatever their ids.
  const auto hash = static_cast<std::uint64_t>(dag_.component_of(table.entry.id)) * 0x9E3779B97F4A7C15ULL;
  const nanoseconds phase = milliseconds(static_cast<std::int64_t>(hash >> 33U) % table.period.count());
  const nanoseconds passed = positive_modulo(after - *epoch_ - phase, period);
  return after + (period - passed);
}

std::vector<Unit> Timetable::take_due(TimePoint now) {
  std::set<TableId> healthy;
  std::vector<Unit> retries;
  for (auto& [id, table] : tables_) {
    if (!table.entry.active || table.in_flight || table.due > now || asleep(table)) continue;
    table.in_flight = true;
    table.started = now;
    if (table.failing) {  // alone, so that it cannot hold up a unit again
      retries.push_back({.tables = {id}, .after = {}});
    } else {
      healthy.insert(id);
    }
  }
  auto units = plan_units(
      dag_, healthy, [this](TableId id) { return tables_.at(id).cost; }, limits_);
  units.insert(units.end(), retries.begin(), retries.end());
  return units;
}

void Timetable::succeeded(TableId id, bool changed, milliseconds duration, TimePoint now) {
  const auto found = tables_.find(id);
  if (found == tables_.end()) return;
  Table& table = found->second;
  table.in_flight = false;
  table.failing = false;
  table.checked = table.started;
  if (changed) {
    if (table.entry.captured) last_change_ = now;
    table.cost = table.cost.count() == 0 ? duration : (table.cost * 3 + duration) / 4;
  }
  table.due = next_on_grid(table, now);
}

void Timetable::failed(TableId id, milliseconds retry_delay, TimePoint now) {
  const auto found = tables_.find(id);
  if (found == tables_.end()) return;
  Table& table = found->second;
  table.in_flight = false;
  table.failing = true;
  table.due = now + retry_delay;
  last_change_ = now;
}

void Timetable::deactivate(TableId id) {
  if (const auto found = tables_.find(id); found != tables_.end()) found->second.entry.active = false;
}

void Timetable::released(TableId id) {
  if (const auto found = tables_.find(id); found != tables_.end()) found->second.in_flight = false;
}

bool Timetable::hold(TableId id) {
  const auto found = tables_.find(id);
  if (found == tables_.end() || found->second.in_flight) return false;
  found->second.in_flight = true;
  return true;
}

bool Timetable::in_flight(TableId id) const {
  const auto found = tables_.find(id);
  return found != tables_.end() && found->second.in_flight;
}

TimePoint Timetable::next_due() const {
  TimePoint next = TimePoint::max();
  for (const auto& [id, table] : tables_) {
    if (table.entry.active && !table.in_flight && !asleep(table)) next = std::min(next, table.due);
  }
  return next;
}

bool Timetable::wants_to_arm(TimePoint now) const {
  if (armed_at_) return false;
  milliseconds fastest = milliseconds::max();
  for (const auto& [id, table] : tables_) {
    if (!table.entry.active || !table.entry.captured) continue;
    if (table.in_flight) return false;
    fastest = std::min(fastest, table.period);
  }
  if (fastest == milliseconds::max()) return false;
  return last_change_ == TimePoint::min() || now - last_change_ >= fastest * kQuietPeriods;
}

void Timetable::armed(TimePoint now) {
  armed_at_ = now;
}

void Timetable::woken(TimePoint now) {
  if (!armed_at_) return;
  for (auto& [id, table] : tables_) {
    if (asleep(table)) table.due = std::max(now, *table.checked + table.period);
  }
  armed_at_.reset();
  last_change_ = now;
}

std::optional<TimePoint> Timetable::fresh_at(TableId id, TimePoint now) const {
  const auto found = tables_.find(id);
  if (found == tables_.end()) return std::nullopt;
  return asleep(found->second) ? now : found->second.checked;
}

milliseconds Timetable::period(TableId id) const {
  const auto found = tables_.find(id);
  return found == tables_.end() ? default_period_ : found->second.period;
}

}  // namespace pgtrickle::scheduler
