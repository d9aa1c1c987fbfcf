#include "sleeping_model.h"

#include <algorithm>

namespace pgtrickle::planner::testing {

using std::chrono::milliseconds;

namespace {

constexpr SourceId kFirstSource = 100;
constexpr std::size_t kSources = 4;  // the last one may be without a change log
constexpr std::size_t kMostTables = 8;
constexpr std::size_t kWorkers = 2;
constexpr milliseconds kRetry{20};

PlannerSettings settings_for(unsigned seed) {
  PlannerSettings settings;
  settings.default_period = milliseconds(100);
  settings.limits.max_tables = seed % 3 == 0 ? 2 : 64;
  return settings;
}

}  // namespace

SleepingModel::SleepingModel(unsigned seed, ModelOptions options)
    : random_(seed),
      options_(options),
      most_tables_(settings_for(seed).limits.max_tables),
      planner_(settings_for(seed)) {
  for (std::size_t i = 0; i <= 2 + number(4); ++i) create_table();
  planner_.load(catalog(), groups_, now_);
  channel_.clear();
}

// The database --------------------------------------------------------------------------------------------------------

SleepingModel::Tx SleepingModel::begin() {
  transactions_.emplace_back();
  return transactions_.size() - 1;
}

// With the capture trigger
void SleepingModel::write(Tx tx, SourceId log) {
  logs_[log].push_back(tx);
  if (options_.uncaptured && log == kFirstSource + static_cast<SourceId>(kSources) - 1) return;
  Transaction& transaction = transactions_[tx];
  (exclusive_.contains(log) ? transaction.notifies : transaction.shared).insert(log);
}

void SleepingModel::commit(Tx tx) {
  Transaction& transaction = transactions_[tx];
  transaction.commit = ++commits_;
  for (auto& [id, frontier] : transaction.frontiers) {
    frontier.committed = transaction.commit;
    if (const auto found = tables_.find(id); found != tables_.end()) found->second.frontier = frontier;
  }
  for (const SourceId source : transaction.notifies) notify('s', source);
  transaction.open = false;
  transaction.shared.clear();
  for (const TableId id : transaction.locked) tables_.at(id).locked_by.reset();
}

void SleepingModel::rollback(Tx tx) {
  Transaction& transaction = transactions_[tx];
  for (auto& [source, log] : logs_) std::erase(log, tx);
  transaction.open = false;
  transaction.shared.clear();
  for (const TableId id : transaction.locked) tables_.at(id).locked_by.reset();
}

// What everybody has consumed
void SleepingModel::clear_logs() {
  for (auto& [source, log] : logs_) {
    const SourceId id = source;
    std::erase_if(log, [&](Tx tx) {
      const Snapshot committed = transactions_[tx].commit;
      return committed != 0 && std::all_of(tables_.begin(), tables_.end(), [&](const auto& entry) {
               const Table& table = entry.second;
               const bool reads = std::find(table.inputs.begin(), table.inputs.end(), id) != table.inputs.end();
               return !reads || !table.exists || tx == table.frontier.tx || committed <= table.frontier.snapshot;
             });
    });
  }
}

void SleepingModel::notify(char kind, std::int64_t id) {
  if (bell_) channel_.push_back({.kind = kind, .id = id});
}

bool SleepingModel::has_pending(const Table& table, Snapshot snapshot, std::optional<Tx> own) const {
  const Frontier& frontier = table.frontier;
  for (const SourceId input : table.inputs) {
    const auto log = logs_.find(input);
    if (log == logs_.end()) continue;
    for (const Tx tx : log->second) {
      const Snapshot committed = transactions_[tx].commit;
      const bool visible = tx == own || (committed != 0 && committed <= snapshot);
      const bool consumed = tx == frontier.tx || (committed != 0 && committed <= frontier.snapshot);
      if (visible && !consumed) return true;
    }
  }
  return false;
}

bool SleepingModel::is_gated(TableId id) const {
  for (const TableId table : with_upstream(id)) {
    for (const SourceId source : tables_.at(table).inputs) {
      if (gates_.contains(source)) return true;
    }
  }
  return false;
}

// refresh_<id>, or _refresh_scc() of the members of a cycle
SleepingModel::Outcome SleepingModel::refresh(const std::vector<TableId>& ids, Tx tx, Snapshot snapshot) {
  for (const TableId id : ids) {
    Table& table = tables_.at(id);
    const bool locked = table.locked_by && *table.locked_by != tx;
    if (!table.exists || locked || table.frontier.committed > snapshot) return Outcome::kConflict;
    table.locked_by = tx;
    transactions_[tx].locked.insert(id);
  }
  bool pending = false;
  for (const TableId id : ids) {
    if (is_gated(id)) return Outcome::kHeld;
    pending = pending || has_pending(tables_.at(id), snapshot, tx);
  }
  if (!pending) return Outcome::kNothing;
  for (const TableId id : ids) {
    write(tx, own_log(id));
    transactions_[tx].frontiers[id] = {.snapshot = snapshot, .tx = tx};
  }
  return Outcome::kChanged;
}

// Its users -----------------------------------------------------------------------------------------------------------

std::optional<TableId> SleepingModel::any_table() {
  std::vector<TableId> ids;
  for (const auto& [id, table] : tables_) {
    if (table.exists) ids.push_back(id);
  }
  if (ids.empty()) return std::nullopt;
  return ids[number(ids.size())];
}

void SleepingModel::create_table() {
  Table table;
  std::vector<TableId> upstream;
  std::vector<SourceId> sources, relations;
  bool captured = true;
  for (std::size_t i = 0; i <= number(2); ++i) {
    const auto up = any_table();
    if (up && chance(60)) {
      upstream.push_back(*up);
      continue;
    }
    const auto source = kFirstSource + static_cast<SourceId>(number(kSources));
    relations.push_back(source);
    if (options_.uncaptured && source == kFirstSource + static_cast<SourceId>(kSources) - 1) {
      captured = false;
    } else {
      sources.push_back(source);
    }
  }
  const TableId id = next_id_++;
  const std::vector<Schedule> schedules{every(40),      every(100),   every(250),
                                        continuous(20), calculated(), cron("* * * * *")};
  table.entry = entry(id, schedules[number(schedules.size())], upstream, sources);
  table.entry.sources = sources;
  table.entry.relations = relations;
  table.entry.captured = captured;
  table.entry.atomic_diamond = chance(70);
  table.entry.active = chance(90);
  table.entry.age = milliseconds(0);
  if (chance(10)) table.entry.tier = Tier::kWarm;
  table.inputs = relations;
  // Capture on a stream table needs a lock that waits for those who write to it.
  for (const TableId up : upstream) {
    if (tables_.at(up).locked_by) return;
    table.inputs.push_back(own_log(up));
    tables_.at(up).entry.own_log = own_log(up);
  }
  table.entry.own_log.reset();
  table.frontier = {.snapshot = commits_, .tx = {}, .committed = commits_};
  if (options_.cycles && chance(30) && !upstream.empty()) {  // one that it reads reads it as well
    Table& other = tables_.at(upstream.front());
    if (!other.locked_by) {
      other.entry.upstream.push_back(id);
      other.inputs.push_back(own_log(id));
      table.entry.own_log = own_log(id);
      notify('t', upstream.front());
    }
  }
  tables_[id] = std::move(table);
  notify('t', id);
}

void SleepingModel::writer_event() {
  if (writers_.size() < 3 && chance(40)) {
    writers_.push_back(begin());
    return;
  }
  if (writers_.empty()) return;
  const std::size_t which = number(writers_.size());
  const Tx tx = writers_[which];
  if (chance(60)) {
    write(tx, kFirstSource + static_cast<SourceId>(number(kSources)));
    return;
  }
  chance(85) ? commit(tx) : rollback(tx);
  writers_.erase(writers_.begin() + static_cast<std::ptrdiff_t>(which));
}

void SleepingModel::manual_event() {
  if (manual_.size() < 2 && chance(40)) {
    if (const auto id = any_table()) manual_.push_back({.id = *id, .tx = begin(), .snapshot = commits_});
    return;
  }
  if (manual_.empty()) return;
  const std::size_t which = number(manual_.size());
  ManualRefresh& manual = manual_[which];
  bool ended = false;
  if (!manual.done) {
    const std::vector<TableId>& cycle =
        planner_.dag().contains(manual.id) ? planner_.dag().cycle(manual.id) : std::vector<TableId>();
    manual.done = true;
    if (!cycle.empty() || refresh({manual.id}, manual.tx, manual.snapshot) >= Outcome::kHeld) {
      rollback(manual.tx);
      ended = true;
    }
  } else {
    chance(85) ? commit(manual.tx) : rollback(manual.tx);
    ended = true;
  }
  if (ended) manual_.erase(manual_.begin() + static_cast<std::ptrdiff_t>(which));
}

void SleepingModel::catalog_event() {
  const auto id = any_table();
  switch (number(8)) {
    case 0:
      if (static_cast<std::size_t>(std::count_if(tables_.begin(), tables_.end(),
                                                 [](const auto& t) { return t.second.exists; })) < kMostTables)
        create_table();
      return;
    case 1: {
      if (!id || tables_.at(*id).locked_by) return;
      const bool read = std::any_of(tables_.begin(), tables_.end(), [&](const auto& t) {
        const auto& upstream = t.second.entry.upstream;
        return t.second.exists && std::find(upstream.begin(), upstream.end(), *id) != upstream.end();
      });
      if (read) return;
      tables_.at(*id).exists = false;
      notify('t', *id);
      return;
    }
    case 2:
    case 3:
    case 4:
      if (!id) return;
      tables_.at(*id).entry.active = !tables_.at(*id).entry.active;
      notify('t', *id);
      return;
    case 5:
      if (!id) return;
      tables_.at(*id).entry.schedule = chance(50) ? every(60) : continuous(10);
      notify('t', *id);
      return;
    case 6:
      groups_.clear();
      if (chance(50)) {
        std::vector<TableId> group;
        for (const auto& [table, state] : tables_) {
          if (state.exists && chance(30)) group.push_back(table);
        }
        groups_.push_back(std::move(group));
      }
      notify(' ');
      return;
    default:
      notify(chance(30) ? 'a' : ' ');
  }
}

void SleepingModel::gate_event() {
  if (gates_.empty() && chance(30)) {
    gates_.insert(kFirstSource + static_cast<SourceId>(number(kSources)));
  } else {
    gates_.clear();
  }
  notify(' ');
}

// The daemon ----------------------------------------------------------------------------------------------------------

std::vector<PlannerEntry> SleepingModel::catalog() const {
  std::vector<PlannerEntry> out;
  for (const auto& [id, table] : tables_) {
    if (table.exists) out.push_back(table.entry);
  }
  return out;
}

void SleepingModel::unlock(const std::vector<SourceId>& sources) {
  for (const SourceId source : sources) {
    if (locked_.erase(source) > 0) exclusive_.erase(source);
  }
}

// Arms in two steps, then takes what is due.
void SleepingModel::dispatch_event() {
  if (bell_ && !locking_) {
    unlock(planner_.take_unneeded());
    std::map<SourceId, bool> answers;
    for (const SourceId source : planner_.sources_to_arm(now_.steady)) {
      if (locked_.contains(source)) {
        planner_.armed(source, now_.steady);
        continue;
      }
      if (chance(10)) {
        planner_.refused(source, now_.steady);  // no room for more locks
        continue;
      }
      const bool free = std::none_of(transactions_.begin(), transactions_.end(), [&](const Transaction& transaction) {
        return transaction.open && transaction.shared.contains(source);
      });
      if (free) exclusive_.insert(source);
      answers[source] = free;
    }
    if (!answers.empty()) {
      locking_ = std::move(answers);
      return;  // the answer arrives later
    }
  }
  if (locking_) {
    for (const auto& [source, granted] : *locking_) {
      if (granted) {
        locked_.insert(source);
        planner_.armed(source, now_.steady);
      } else {
        planner_.refused(source, now_.steady);
      }
    }
    locking_.reset();
  }
  std::erase_if(kept_, [this](SourceId source) { return planner_.is_armed(source); });
  unlock({kept_.begin(), kept_.end()});
  kept_.clear();
  std::vector<Unit> units = planner_.take_due(now_);
  ++batches_;
  for (std::size_t i = 0; i < units.size(); ++i) {
    Running& running = running_.emplace_back();
    running.unit = std::move(units[i]);
    running.left_out = left_out_of(running.unit);
    running.batch = batches_;
    running.number = i;
  }
}

void SleepingModel::unit_event() {
  if (running_.empty()) return;
  const std::size_t which = number(running_.size());
  Running& running = running_[which];
  if (running.phase == Running::Phase::kWaiting) {
    std::size_t busy = 0;
    for (const Running& other : running_) {
      if (other.phase != Running::Phase::kWaiting) ++busy;
      const auto& after = running.unit.after;
      if (other.batch == running.batch && std::find(after.begin(), after.end(), other.number) != after.end()) return;
    }
    if (busy >= kWorkers) return;
  }
  advance_unit(running);
  if (running.phase == Running::Phase::kEnded) running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(which));
}

void SleepingModel::advance_unit(Running& running) {
  switch (running.phase) {
    case Running::Phase::kWaiting: {
      planner_.begun(running.unit, now_.steady);
      std::set<TableId> without_step(running.unit.tables.begin(), running.unit.tables.end());
      for (UnitStep& step : steps_of(running.unit, planner_.dag())) {
        for (const TableId id : step.ids) without_step.erase(id);
        running.steps.push_back(std::move(step.ids));
      }
      for (const TableId id : without_step) planner_.released(id);
      running.phase = Running::Phase::kBegun;
      return;
    }
    case Running::Phase::kBegun:
      start_attempt(running);
      return;
    case Running::Phase::kRunning: {
      if (running.step == running.steps.size()) {
        if (options_.failures && !quiescing_ && chance(3)) {
          rollback(running.tx);  // the connection is lost before COMMIT
          for (const auto& step : running.steps) running.failed.insert(step.begin(), step.end());
          running.steps.clear();
          running.outcomes.clear();
        } else {
          commit(running.tx);
          check_in_step(running);
        }
        running.phase = Running::Phase::kCommitted;
        return;
      }
      const std::vector<TableId> step = running.steps[running.step++];
      Outcome outcome = refresh(step, running.tx, running.snapshot);
      if (options_.failures && !quiescing_ && chance(5)) outcome = Outcome::kConflict;
      const bool alone = std::none_of(running.unit.together.begin(), running.unit.together.end(), [&](const auto& ids) {
        return std::find(ids.begin(), ids.end(), step.front()) != ids.end();
      });
      if (outcome == Outcome::kConflict || (outcome == Outcome::kHeld && !alone)) {
        give_up(running, step, outcome);
      } else {
        for (const TableId id : step) running.outcomes[id] = outcome;
      }
      return;
    }
    case Running::Phase::kCommitted:
      settle(running);
      return;
    case Running::Phase::kFailuresLeft:
      for (const TableId id : running.failed) planner_.failed(id, kRetry, now_.steady, id % 2 == 0);
      running.phase = Running::Phase::kEnded;
      return;
    case Running::Phase::kEnded:
      return;
  }
}

void SleepingModel::start_attempt(Running& running) {
  running.tx = begin();
  running.snapshot = commits_;
  running.step = 0;
  running.outcomes.clear();
  running.phase = Running::Phase::kRunning;
}

// The rest tries again without the culprit and the ones that go with it.
void SleepingModel::give_up(Running& running, const std::vector<TableId>& step, Outcome outcome) {
  rollback(running.tx);
  std::set<TableId> gone(step.begin(), step.end());
  (outcome == Outcome::kHeld ? running.held : running.failed).insert(step.begin(), step.end());
  for (const auto& together : running.unit.together) {
    if (std::find(together.begin(), together.end(), step.front()) == together.end()) continue;
    for (const TableId id : together) {
      if (gone.insert(id).second) running.deferred.insert(id);
    }
  }
  std::erase_if(running.steps, [&](const auto& other) { return gone.contains(other.front()); });
  running.phase = Running::Phase::kBegun;
}

void SleepingModel::settle(Running& running) {
  for (const auto& [id, outcome] : running.outcomes) {
    if (outcome == Outcome::kHeld) {
      planner_.held(id, now_);
    } else {
      planner_.succeeded(id, {.changed = outcome == Outcome::kChanged}, now_);
    }
  }
  for (const TableId id : running.held) planner_.held(id, now_);
  for (const TableId id : running.deferred) planner_.deferred(id);
  running.phase = running.failed.empty() ? Running::Phase::kEnded : Running::Phase::kFailuresLeft;
}

void SleepingModel::listen_event() {
  if (!bell_) {
    if (!chance(50)) return;
    bell_ = true;  // and what was notified before
    reload_ = true;
    return;
  }
  if (locking_ || channel_.empty()) return;
  std::set<SourceId> to_unlock;
  for (std::size_t n = 1 + number(channel_.size()); n > 0; --n) {
    const Notification notification = channel_.front();
    channel_.pop_front();
    if (notification.kind == 's') {
      if (planner_.woken(notification.id, now_)) to_unlock.insert(notification.id);
    } else if (notification.kind == 't') {
      changed_.insert(notification.id);
    } else {
      reload_ = true;
      if (notification.kind == 'a') {
        for (const SourceId source : planner_.wake_all(now_)) to_unlock.insert(source);
      }
    }
  }
  for (const SourceId source : planner_.sources_to_arm(now_.steady)) {
    if (to_unlock.erase(source) == 1) kept_.insert(source);
  }
  unlock({to_unlock.begin(), to_unlock.end()});
}

void SleepingModel::load_event() {
  if (reload_) {
    reload_ = false;
    planner_.load(catalog(), groups_, now_);
    planner_.release_holds(now_.steady);
    return;
  }
  for (const TableId id : std::exchange(changed_, {})) {
    if (tables_.at(id).exists) {
      planner_.put(tables_.at(id).entry, now_);
    } else {
      planner_.remove(id, now_);
    }
  }
}

void SleepingModel::lose_listener() {
  bell_ = false;
  channel_.clear();
  exclusive_.clear();
  locked_.clear();
  kept_.clear();
  locking_.reset();
  planner_.wake_all(now_);
}

// What happens --------------------------------------------------------------------------------------------------------

void SleepingModel::tick() {
  const auto step = std::chrono::microseconds(1 + number(chance(quiescing_ ? 50 : 10) ? 50000 : 3000));
  now_.steady += step;
  now_.wall += step;
}

void SleepingModel::event() {
  tick();
  const std::size_t kind = number(100);
  if (kind < 20) {
    dispatch_event();
  } else if (kind < 55) {
    unit_event();
  } else if (kind < 70) {
    listen_event();
  } else if (kind < 74) {
    load_event();
  } else if (quiescing_) {
    return;
  } else if (kind < 84) {
    writer_event();
  } else if (kind < 92) {
    if (options_.users) manual_event();
  } else if (kind < 96) {
    if (options_.users && chance(50)) catalog_event();
  } else if (kind < 98) {
    if (chance(50)) gate_event();
  } else if (options_.failures && bell_ && chance(10)) {
    lose_listener();
  } else if (options_.users && chance(10)) {
    if (const auto id = any_table()) {  // as after an error that the catalog learns of: loaded again at once
      planner_.deactivate(*id);
      changed_.insert(*id);
    }
  }
}

void SleepingModel::run(int events) {
  for (int i = 0; i < events && violation_.empty(); ++i) {
    // Quiet times, in which everything falls asleep
    if (chance(2)) {
      clear_logs();
      const bool users = std::exchange(quiescing_, true);
      for (int quiet = 0; quiet < 300 && violation_.empty(); ++quiet) {
        event();
        check();
        if (chance(20) && planner_.next_due() != TimePoint::max() && planner_.next_due() > now_.steady &&
            planner_.next_due() < now_.steady + milliseconds(500)) {
          const auto step = planner_.next_due() - now_.steady;
          now_.steady += step;
          now_.wall += step;
        }
      }
      quiescing_ = users;
    }
    event();
    check();
  }
}

void SleepingModel::quiesce() {
  quiescing_ = true;
  for (const Tx tx : writers_) commit(tx);
  writers_.clear();
  for (const ManualRefresh& manual : manual_) rollback(manual.tx);
  manual_.clear();
  gates_.clear();
  notify(' ');
  const TimePoint end = now_.steady + std::chrono::minutes(5);  // there are tables of every minute
  while (now_.steady < end && violation_.empty()) {
    for (int i = 0; i < 40 && violation_.empty(); ++i) {
      event();
      check();
    }
    const bool busy = !running_.empty() || !channel_.empty() || reload_ || !changed_.empty() || locking_ || !bell_;
    if (busy || planner_.next_due() <= now_.steady) continue;
    if (planner_.next_due() == TimePoint::max()) break;
    clear_logs();
    const auto step = std::min(planner_.next_due(), end) - now_.steady;
    now_.steady += step;
    now_.wall += step;
  }
  if (violation_.empty()) check_consumed();
}

// What must be true ---------------------------------------------------------------------------------------------------

std::set<TableId> SleepingModel::with_upstream(TableId id) const {
  std::set<TableId> out;
  std::vector<TableId> open{id};
  while (!open.empty()) {
    const TableId at = open.back();
    open.pop_back();
    if (!out.insert(at).second) continue;
    const auto& upstream = tables_.at(at).entry.upstream;
    open.insert(open.end(), upstream.begin(), upstream.end());
  }
  return out;
}

bool SleepingModel::asleep(TableId id) const {
  const TimePoint later = now_.steady + std::chrono::hours(1000);
  return planner_.fresh_at(id, later) == later;
}

// The daemon is going to hear of what waits for it (or of what somebody who refreshed its upstream by hand has seen),
// or is about to settle the unit that wrote it.
bool SleepingModel::excused(const Table& table) const {
  if (!bell_ || reload_ || !changed_.empty()) return true;
  for (const TableId up : table.entry.upstream) {
    if (planner_.is_running(up)) return true;
  }
  std::set<SourceId> logs;
  for (const TableId id : with_upstream(table.entry.id)) {
    const auto& inputs = tables_.at(id).inputs;
    logs.insert(inputs.begin(), inputs.end());
  }
  return std::any_of(channel_.begin(), channel_.end(), [&](const Notification& notification) {
    return notification.kind != 's' || logs.contains(notification.id);
  });
}

void SleepingModel::violated(const std::string& what) {
  if (violation_.empty()) violation_ = what;
}

void SleepingModel::check() {
  for (const auto& [id, table] : tables_) {
    if (!table.exists || !planner_.dag().contains(id) || !asleep(id)) continue;
    ++slept_;
    if (has_pending(table, commits_, std::nullopt) && !excused(table))
      violated("table " + std::to_string(id) + " sleeps and misses changes");
  }
  for (const SourceId source : exclusive_) {
    const bool known = locked_.contains(source) || (locking_ && locking_->contains(source));
    if (!known) violated("the lock of source " + std::to_string(source) + " is kept for nothing");
  }
}

// The ones that sleep, are connected with the unit, and are refreshed as often as its members.
std::set<TableId> SleepingModel::left_out_of(const Unit& unit) const {
  std::set<TableId> out;
  if (!unit.whole) return out;
  Milliseconds longest{0};
  for (const TableId id : unit.tables) longest = std::max(longest, planner_.period(id));
  const Dag& dag = planner_.dag();
  for (const TableId id : dag.component(dag.component_of(unit.tables.front()))) {
    if (asleep(id) && planner_.period(id) <= longest) out.insert(id);
  }
  if (unit.tables.size() + out.size() > most_tables_) out.clear();  // too many for one snapshot
  return out;
}

// A reader of the unit's tables and then of this one has seen two states of the base tables.
void SleepingModel::check_in_step(const Running& running) {
  for (const TableId id : running.left_out) {
    Table bases = tables_.at(id);
    std::erase_if(bases.inputs, [](SourceId input) { return input >= kFirstSource + static_cast<SourceId>(kSources); });
    if (bases.exists && !is_gated(id) && has_pending(bases, running.snapshot, std::nullopt))
      violated("table " + std::to_string(id) + " was asleep, and was not refreshed in the snapshot of its component");
  }
}

void SleepingModel::check_consumed() {
  bool may_sleep = true;
  for (const auto& [id, table] : tables_) {
    if (!table.exists) continue;
    may_sleep = may_sleep && table.entry.captured;
    if (!table.entry.active || planner_.blocked_by(id)) continue;
    if (has_pending(table, commits_, std::nullopt)) violated("table " + std::to_string(id) + " is behind in the end");
  }
  if (may_sleep && planner_.next_due() != TimePoint::max()) {
    for (const auto& [id, table] : tables_) {
      const bool reads_unread = std::any_of(table.entry.upstream.begin(), table.entry.upstream.end(),
                                            [&](TableId up) { return !tables_.at(up).entry.own_log; });
      if (table.exists && table.entry.active && !planner_.blocked_by(id) && !asleep(id) && !reads_unread)
        violated("table " + std::to_string(id) + " does not fall asleep");
    }
  }
  dispatch_event();
  if (bell_ && locked_.size() != planner_.sources_asleep()) violated("locks are kept for nothing");
}

}  // namespace pgtrickle::planner::testing
