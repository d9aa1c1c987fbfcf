#include "simulation.h"

#include <algorithm>
#include <cmath>
#include <memory>

namespace pgtrickle::planner::testing {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

constexpr SourceId kFirstSource = 100000;
constexpr double kOverheadMs = 1;   // of a transaction
constexpr double kNothingMs = 0.3;  // a refresh that has nothing to do
constexpr double kRetryFirstMs = 100;
constexpr double kRetryMostMs = 60000;

TimePoint::duration from_ms(double ms) {
  return std::chrono::duration_cast<TimePoint::duration>(std::chrono::duration<double, std::milli>(ms));
}

double to_ms(TimePoint::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

Simulation::Simulation(unsigned seed, const SimulationOptions& options)
    : random_(seed), options_(options), planner_(PlannerSettings{}) {
  for (std::size_t i = 0; i < options_.sources; ++i) {
    const auto source = kFirstSource + static_cast<SourceId>(i);
    write_every_s_[source] = options_.busy ? 0.5 : log_uniform(120, 12 * 3600);
    after(from_ms(uniform() * write_every_s_[source] * 1000), Kind::kWrite, source);
  }
  for (std::size_t i = 0; i < options_.tables; ++i) make_table();
  if (!options_.single && uniform() < 0.3) {
    std::vector<TableId> group;
    for (const auto& [id, table] : tables_) {
      if (uniform() < 0.2) group.push_back(id);
    }
    groups_.push_back(std::move(group));
  }
  scale_costs();
  load();
  after(minutes(10), Kind::kLoad);
  after(hours(1), Kind::kJudge);
  if (options_.users) after(minutes(30), Kind::kUser);
}

double Simulation::log_uniform(double from, double to) {
  return from * std::exp(uniform() * std::log(to / from));
}

Schedule Simulation::random_schedule() {
  const double ms = log_uniform(static_cast<double>(options_.shortest.count()) * 1000,
                                static_cast<double>(options_.longest.count()) * 1000);
  if (options_.single) return every(static_cast<int>(ms));
  const std::vector<int> usual{1, 5, 10, 30, 60, 300, 900, 3600, 6 * 3600};
  switch (number(8)) {
    case 0:
      return calculated();
    case 1:
      return continuous(static_cast<int>(std::min(ms, 5000.0)));
    case 2:
      return cron(std::vector<std::string>{"@hourly", "@daily", "*/10 * * * *", "30 6 * * 1-5"}[number(4)]);
    case 3:
      return every(static_cast<int>(ms));
    default: {
      const int s = usual[number(usual.size())];
      return every(1000 * std::clamp(s, static_cast<int>(options_.shortest.count()),
                                     static_cast<int>(options_.longest.count())));
    }
  }
}

std::optional<TableId> Simulation::any_table() {
  std::vector<TableId> ids;
  for (const auto& [id, table] : tables_) {
    if (table.exists) ids.push_back(id);
  }
  if (ids.empty()) return std::nullopt;
  return ids[number(ids.size())];
}

void Simulation::make_table() {
  const TableId id = next_id_++;
  Table table;
  const Schedule schedule = random_schedule();
  // The ones that nobody can wake are looked at in every period for ever: only if it is a long one.
  const bool may_poll =
      schedule.kind == Schedule::Kind::kCron || schedule.period.value_or(Milliseconds(0)) >= minutes(5);
  table.can_sleep = options_.single || !may_poll || uniform() >= options_.uncaptured;
  std::vector<TableId> upstream;
  std::vector<SourceId> sources;
  for (std::size_t i = 0; i <= (options_.single ? 0 : number(2)); ++i) {
    const auto up = any_table();
    if (up && !options_.single && uniform() < 0.5 && (may_poll || tables_.at(*up).can_sleep)) {
      upstream.push_back(*up);
    } else {
      sources.push_back(kFirstSource + static_cast<SourceId>(number(options_.sources)));
    }
  }
  table.entry = entry(id, schedule, upstream, sources);
  table.entry.sources = table.entry.relations = sources;
  table.entry.captured = table.can_sleep;
  for (const TableId up : upstream) table.can_sleep = table.can_sleep && tables_.at(up).can_sleep;
  const double tier = uniform();
  if (options_.single) {
    table.entry.tier = std::vector<Tier>{Tier::kHot, Tier::kWarm, Tier::kCold}[number(3)];
  } else if (tier < 0.3) {
    table.entry.tier = tier < 0.15 ? Tier::kWarm : tier < 0.25 ? Tier::kCold : Tier::kFrozen;
  }
  table.entry.atomic_diamond = uniform() < 0.8;
  table.entry.slowest = uniform() < 0.1;
  table.cost_ms = log_uniform(1, 100);
  table.fails_at_times = uniform() < 0.2;
  table.seen.tier = table.entry.tier;
  table.seen.schedule = table.entry.schedule.period.value_or(milliseconds(0));
  table.seen.last_end = now_.steady;
  tables_[id] = std::move(table);
}

// So that all of them together, always having something to do, would need this part of the workers.
void Simulation::scale_costs() {
  RefreshPlanner periods(PlannerSettings{});
  std::vector<PlannerEntry> entries;
  for (const auto& [id, table] : tables_) entries.push_back(table.entry);
  periods.load(entries, groups_, now_);
  const auto period_ms = [&](TableId id) {  // of cron schedules: at least every ten minutes
    return static_cast<double>(std::min<Milliseconds>(periods.period(id), minutes(10)).count());
  };
  double load = 0;
  for (const auto& [id, table] : tables_) load += table.cost_ms * (1 + options_.slow * kSlow) / period_ms(id);
  for (auto& [id, table] : tables_) {
    table.cost_ms = std::max(0.01, table.cost_ms * options_.load * static_cast<double>(options_.workers) / load);
    // One that takes longer than its own period is for backoff, not for bounds.
    if (!options_.single) {
      table.cost_ms = std::min(table.cost_ms, 0.2 / kSlow * period_ms(id));
    }
  }
}

void Simulation::after(TimePoint::duration duration, Kind kind, std::int64_t id) {
  events_.push({.at = now_.steady + duration, .number = next_event_++, .kind = kind, .id = id});
}

void Simulation::advance_to(TimePoint time) {
  now_.wall += time - now_.steady;
  now_.steady = time;
}

void Simulation::run(seconds duration) {
  const TimePoint end = now_.steady + duration;
  dispatch();
  while (!events_.empty() && events_.top().at <= end && violation_.empty()) {
    const Event event = events_.top();
    events_.pop();
    advance_to(event.at);
    handle(event);
    dispatch();
  }
  advance_to(end);
}

void Simulation::handle(const Event& event) {
  switch (event.kind) {
    case Kind::kWrite:
      write(event.id);
      after(from_ms(-std::log(1 - uniform()) * write_every_s_.at(event.id) * 1000), Kind::kWrite, event.id);
      return;
    case Kind::kHeard:
      if (planner_.woken(event.id, now_)) ++stats_.wakes;
      return;
    case Kind::kCommit:
      commit(event.id);
      after(from_ms(0.1), Kind::kSettled, event.id);
      return;
    case Kind::kSettled:
      settle(event.id);
      return;
    case Kind::kDue:
      if (wake_at_ <= now_.steady) wake_at_ = TimePoint::max();
      return;
    case Kind::kLoad:
      load();
      after(minutes(10), Kind::kLoad);
      return;
    case Kind::kUser:
      user();
      after(from_ms(log_uniform(5, 600) * 60000), Kind::kUser);
      return;
    case Kind::kJudge:
      judge();
      after(hours(1), Kind::kJudge);
      return;
  }
}

void Simulation::write(SourceId source) {
  for (const auto& [id, table] : tables_) {
    const auto& relations = table.entry.relations;
    if (std::find(relations.begin(), relations.end(), source) != relations.end()) changed_input(id);
  }
  if (planner_.is_armed(source)) after(from_ms(1 + 20 * uniform()), Kind::kHeard, source);
}

void Simulation::changed_input(TableId id) {
  Table& table = tables_.at(id);
  auto& since = table.running ? table.pending_then : table.pending;
  if (!since) since = now_.steady;
}

void Simulation::load() {
  std::vector<PlannerEntry> entries;
  for (const auto& [id, table] : tables_) {
    if (table.exists) entries.push_back(table.entry);
  }
  planner_.load(entries, groups_, now_);
  planner_.release_holds(now_.steady);
}

void Simulation::user() {
  const auto id = any_table();
  if (judging_since_) judging_since_ = now_.steady;  // whatever was late may be so because of this
  if (!id || number(5) == 0) {
    make_table();
    const TableId made = next_id_ - 1;
    tables_.at(made).cost_ms = tables_.begin()->second.cost_ms;
    tables_.at(made).entry.age = milliseconds(number(100000));
    planner_.put(tables_.at(made).entry, now_);
    return;
  }
  Table& table = tables_.at(*id);
  switch (number(4)) {
    case 0:
      for (const auto& [other, state] : tables_) {
        const auto& upstream = state.entry.upstream;
        if (state.exists && std::find(upstream.begin(), upstream.end(), *id) != upstream.end()) return;
      }
      table.exists = false;
      planner_.remove(*id, now_);
      return;
    case 1:
      table.entry.schedule = random_schedule();
      break;
    case 2:
      table.entry.tier = uniform() < 0.5 ? Tier::kHot : Tier::kWarm;
      break;
    default:
      table.entry.active = !table.entry.active;
  }
  planner_.put(table.entry, now_);
}

// The daemon ----------------------------------------------------------------------------------------------------------

void Simulation::dispatch() {
  if (planner_.next_due() <= now_.steady) {
    (void)planner_.take_unneeded();
    for (const SourceId source : planner_.sources_to_arm(now_.steady)) planner_.armed(source, now_.steady);
    const auto batch = std::make_shared<Batch>();
    batch->units = planner_.take_due(now_);
    ++stats_.takes;
    stats_.units += static_cast<long>(batch->units.size());
    check_launched(batch->units);
    for (std::size_t i = 0; i < batch->units.size(); ++i) {
      batch->waiting_for.push_back(batch->units[i].after.size());
      if (batch->waiting_for[i] == 0) ready_.push(batch->units[i], {.batch = batch, .unit = i});
    }
  }
  start_units();
  check_next_due();
  const TimePoint next = planner_.next_due();
  if (next != TimePoint::max() && next < wake_at_) {
    wake_at_ = next;
    after(next - now_.steady, Kind::kDue);
  }
}

void Simulation::start_units() {
  while (running_.size() < options_.workers) {
    auto item = ready_.pop(now_.steady);
    if (!item) return;
    start(std::move(item->work));
  }
}

void Simulation::start(Work work) {
  const Unit& unit = work.batch->units[work.unit];
  planner_.begun(unit, now_.steady);
  in_flight_.at(unit.serial).begun = now_.steady;
  Running running;
  running.begun = now_.steady;
  double ms = kOverheadMs;
  for (const TableId id : unit.tables) {
    Table& table = tables_.at(id);
    if (table.running) violated("table " + std::to_string(id) + " runs twice");
    table.running = true;
    const bool fed = std::any_of(table.entry.upstream.begin(), table.entry.upstream.end(),
                                 [&](TableId up) { return running.changed.contains(up); });
    double cost = kNothingMs;
    if (fed && !table.pending) table.pending = now_.steady;
    if (table.pending) {
      cost = table.cost_ms * cost_factor_ * (uniform() < options_.slow ? kSlow : 1);
      running.changed.insert(id);
    }
    if (table.fails_at_times && uniform() < options_.errors) running.failed.insert(id);
    running.cost_ms[id] = cost;
    ms += cost;
  }
  for (const auto& together : unit.together) {
    if (std::none_of(together.begin(), together.end(), [&](TableId id) { return running.failed.contains(id); }))
      continue;
    for (const TableId id : together) {
      if (!running.failed.contains(id)) running.deferred.insert(id);
    }
  }
  running.work = std::move(work);
  const std::int64_t number = next_running_++;
  running_.emplace(number, std::move(running));
  after(from_ms(ms), Kind::kCommit, number);
}

// What has changed is news for readers that were not refreshed in the same transaction.
void Simulation::commit(std::int64_t number) {
  const Running& running = running_.at(number);
  const auto& unit = running.work.batch->units[running.work.unit].tables;
  const auto succeeds = [&](TableId id) {
    return std::find(unit.begin(), unit.end(), id) != unit.end() && !running.failed.contains(id) &&
           !running.deferred.contains(id);
  };
  for (const auto& [id, table] : tables_) {
    if (!table.exists || succeeds(id)) continue;
    const auto& upstream = table.entry.upstream;
    if (std::any_of(upstream.begin(), upstream.end(),
                    [&](TableId up) { return running.changed.contains(up) && succeeds(up); }))
      changed_input(id);
  }
  for (const TableId id : unit) {
    const Table& table = tables_.at(id);
    if (succeeds(id) && table.pending && table.exists) judge(id, *table.pending);
  }
}

void Simulation::settle(std::int64_t number) {
  Running running = std::move(running_.at(number));
  running_.erase(number);
  const Unit& unit = running.work.batch->units[running.work.unit];
  const auto whole = std::chrono::ceil<Milliseconds>(now_.steady - running.begun);
  in_flight_.erase(unit.serial);
  ++(running.changed.empty() ? stats_.fruitless : stats_.fruitful);
  for (const TableId id : unit.tables) {
    Table& table = tables_.at(id);
    table.running = false;
    const bool failed = running.failed.contains(id);
    const bool deferred = running.deferred.contains(id);
    const std::optional<TimePoint> then = std::exchange(table.pending_then, std::nullopt);
    if (!table.pending || !(failed || deferred)) table.pending = then;
    if (failed) {
      ++stats_.failures;
      ++table.failures;
      const double delay = std::min(kRetryMostMs, kRetryFirstMs * std::pow(2, std::min(table.failures, 20)));
      const Milliseconds pause(static_cast<int>(delay * (0.75 + 0.5 * uniform())));
      table.retry_at = now_.steady + pause;
      planner_.failed(id, pause, now_.steady);
      continue;
    }
    if (deferred) {
      planner_.deferred(id);
      continue;
    }
    table.failures = 0;
    ++stats_.refreshes;
    ++table.seen.refreshes;
    const bool changed = running.changed.contains(id);
    stats_.changed += changed ? 1 : 0;
    table.seen.longest_gap = std::max(table.seen.longest_gap, now_.steady - table.seen.last_end);
    table.seen.last_end = now_.steady;
    const std::chrono::duration<double, std::milli> own(running.cost_ms.at(id));
    planner_.succeeded(id, {.changed = changed, .own = std::chrono::round<Milliseconds>(own), .whole_unit = whole},
                       now_);
    table.seen.backoff = planner_.backoff(id);
    table.seen.highest_backoff = std::max(table.seen.highest_backoff, table.seen.backoff);
  }
  for (const TableId id : unit.tables) {
    if (is_asleep(id)) slept_.insert(id);
  }
  stats_.tables_slept = static_cast<int>(slept_.size());
  Batch& batch = *running.work.batch;
  for (std::size_t i = running.work.unit + 1; i < batch.units.size(); ++i) {
    const auto& before = batch.units[i].after;
    if (std::find(before.begin(), before.end(), running.work.unit) == before.end()) continue;
    if (--batch.waiting_for[i] == 0) ready_.push(batch.units[i], {.batch = running.work.batch, .unit = i});
  }
}

// What must hold ------------------------------------------------------------------------------------------------------

void Simulation::violated(const std::string& what) {
  if (!violation_.empty()) return;
  violation_ = what + " (after " + std::to_string(to_ms(now_.steady - TimePoint(hours(1))) / 1000) + " s)";
}

bool Simulation::is_asleep(TableId id) const {
  const TimePoint later = now_.steady + hours(100000);
  return planner_.fresh_at(id, later) == later;
}

std::set<TableId> Simulation::component(TableId id) const {
  std::set<TableId> out;
  std::vector<TableId> open{id};
  while (!open.empty()) {
    const TableId at = open.back();
    open.pop_back();
    if (!planner_.dag().contains(at) || out.contains(at)) continue;
    const auto& component = planner_.dag().component(planner_.dag().component_of(at));
    out.insert(component.begin(), component.end());
    for (const auto& group : groups_) {
      if (std::none_of(group.begin(), group.end(), [&](TableId member) { return out.contains(member); })) continue;
      open.insert(open.end(), group.begin(), group.end());
    }
  }
  return out;
}

void Simulation::check_launched(const std::vector<Unit>& units) {
  if (units.empty()) violated("something was due and nothing was taken");
  for (const Unit& unit : units) {
    if (!options_.users) check_alone_in_component(unit);  // they change what is connected
  }
  for (const Unit& unit : units) {
    check_members(unit);
    in_flight_[unit.serial] = {
        .tables = {unit.tables.begin(), unit.tables.end()}, .whole = unit.whole, .begun = std::nullopt};
  }
  for (const Unit& unit : units) {
    if (unit.whole) check_nobody_left_behind(unit);
  }
}

void Simulation::check_members(const Unit& unit) {
  const std::set<TableId> members(unit.tables.begin(), unit.tables.end());
  const auto place = [&](TableId id) { return std::find(unit.tables.begin(), unit.tables.end(), id); };
  for (const TableId id : unit.tables) {
    const Table& table = tables_.at(id);
    const std::string name = "table " + std::to_string(id);
    for (const auto& [serial, other] : in_flight_) {
      if (other.tables.contains(id)) violated(name + " runs twice");
    }
    if (!table.entry.active || table.entry.tier == Tier::kFrozen || !table.exists)
      violated(name + " is not to be refreshed");
    if (table.failures > 0 && table.retry_at > now_.steady && !options_.users) violated(name + " is retried too early");
    const auto& set = planner_.atomic_set(id);
    if (!std::all_of(set.begin(), set.end(), [&](TableId other) { return members.contains(other); }))
      violated(name + " is refreshed without its set");
    for (const TableId up : table.entry.upstream) {
      if (members.contains(up) && place(up) > place(id)) violated(name + " comes before what it reads");
    }
  }
}

// Nothing starts beside a unit in which all that is due of its component meets, unless that one is slow.
void Simulation::check_alone_in_component(const Unit& unit) {
  const auto neighbours = component(unit.tables.front());
  const auto patience = PlannerSettings{}.limits.max_cost * 2;
  for (const auto& [serial, other] : in_flight_) {
    const bool is_slow = other.begun && now_.steady - *other.begun >= patience;
    if (other.whole && !is_slow && neighbours.contains(*other.tables.begin()))
      violated("table " + std::to_string(unit.tables.front()) + " starts beside its component");
  }
}

// Of the ones that have an equal schedule, or that read what is refreshed and are refreshed at least as often.
void Simulation::check_nobody_left_behind(const Unit& unit) {
  const std::set<TableId> members(unit.tables.begin(), unit.tables.end());
  std::set<Milliseconds> periods;
  for (const TableId id : unit.tables) periods.insert(planner_.period(id));
  for (const TableId id : component(unit.tables.front())) {
    const auto& set = planner_.atomic_set(id);
    const bool may = std::all_of(set.begin(), set.end(), [&](TableId other) {
      const Table& member = tables_.at(other);
      return member.entry.active && member.entry.tier != Tier::kFrozen && member.failures == 0 &&
             !planner_.is_running(other);
    });
    if (!may || planner_.period(id) > hours(24 * 365)) continue;  // not by period, but by cron times
    const bool awake = std::any_of(set.begin(), set.end(), [&](TableId other) { return !is_asleep(other); });
    const auto& upstream = tables_.at(id).entry.upstream;
    const bool reads = std::any_of(upstream.begin(), upstream.end(), [&](TableId up) {
      return members.contains(up) && planner_.period(up) >= planner_.period(id) &&
             planner_.period(up) < hours(24 * 365);
    });
    if ((awake && periods.contains(planner_.period(id))) || reads)
      violated("table " + std::to_string(id) + " is left behind");
  }
}

// Whatever is due has been taken: the daemon is never told to try again at once.
void Simulation::check_next_due() {
  if (planner_.next_due() <= now_.steady) violated("something stays due");
}

void Simulation::judge_staleness(bool judge) {
  judging_since_ = judge ? std::optional(now_.steady) : std::nullopt;
}

void Simulation::judge() {
  for (const auto& [id, table] : tables_) {
    if (table.exists && table.pending) judge(id, *table.pending);
  }
}

void Simulation::judge(TableId id, TimePoint since) {
  if (!judging_since_ || !planner_.dag().contains(id)) return;
  const Table& table = tables_.at(id);
  if (!table.entry.active || table.entry.tier == Tier::kFrozen || planner_.blocked_by(id)) return;
  for (const TableId other : planner_.atomic_set(id)) {
    if (tables_.at(other).failures > 0) return;  // is judged when it has succeeded
  }
  since = std::max(since, *judging_since_);
  const double late = to_ms(now_.steady - since);
  const auto [period, rest] = allowed(id, since);
  ++stats_.judged;
  stats_.worst = std::max(stats_.worst, (late - period) / rest);
  if (late > period + rest) {
    violated("table " + std::to_string(id) + " is behind for " + std::to_string(late) + " ms, " +
             std::to_string(period) + " and " + std::to_string(rest) + " ms are allowed");
  }
}

// The period (or the time until the next time of a cron schedule), the units of its component that are in the way and
// its own, and everybody else's work once before it.
Simulation::Allowed Simulation::allowed(TableId id, TimePoint since) const {
  double work = 0;
  double own_component = 0;
  const auto neighbours = component(id);
  for (const auto& [other, table] : tables_) {
    if (!table.exists) continue;
    const double most = kOverheadMs + kNothingMs + table.cost_ms * cost_factor_ * kSlow;
    work += most;
    if (neighbours.contains(other)) own_component += most;
  }
  double period = static_cast<double>(planner_.period(id).count());
  // Cron schedules: of the table, or of the ones that it is refreshed for or with.
  std::optional<double> next_cron;
  for (const TableId other : neighbours) {
    const auto& cron = tables_.at(other).entry.schedule.cron;
    if (!cron) continue;
    const auto at = cron->next(now_.wall - (now_.steady - since));
    if (at) next_cron = std::max(next_cron.value_or(0), to_ms(*at - now_.wall + (now_.steady - since)));
  }
  if (next_cron && period > to_ms(hours(24 * 365))) period = *next_cron;
  const double errors = options_.errors > 0 ? 2 * kRetryMostMs : 0;
  return {.period_ms = period, .rest_ms = 2 * own_component + work + 100 + errors};
}

void Simulation::forget_counts() {
  stats_ = {};
  for (auto& [id, table] : tables_) {
    table.seen.refreshes = 0;
    table.seen.longest_gap = {};
    table.seen.last_end = now_.steady;
    table.seen.highest_backoff = table.seen.backoff;
  }
}

std::map<TableId, Simulation::OfTable> Simulation::tables() const {
  std::map<TableId, OfTable> out;
  for (const auto& [id, table] : tables_) {
    if (!table.exists) continue;
    out[id] = table.seen;
    out[id].longest_gap = std::max(table.seen.longest_gap, now_.steady - table.seen.last_end);
  }
  return out;
}

}  // namespace pgtrickle::planner::testing
