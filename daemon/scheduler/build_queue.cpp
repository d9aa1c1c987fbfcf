#include "scheduler/build_queue.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "observe/log.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
namespace log = observe::log;
using postgres::Clock;
using std::chrono::milliseconds;

namespace {

/// A build worker is busy.
class Busy {
 public:
  explicit Busy(std::atomic<int>& count) : count_(count) { ++count_; }
  ~Busy() { --count_; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  std::atomic<int>& count_;
};

constexpr milliseconds kBlockedMax{5000};  // between two attempts to get locks
constexpr milliseconds kRefreshCheck{20};  // of one that is being refreshed
constexpr milliseconds kGarbageInterval{300000};

}  // namespace

// What is to be built -------------------------------------------------------------------------------------------------

void BuildQueue::begin() {
  next_garbage_ = Clock::now();
}

void BuildQueue::tables_changed(bool left_garbage) {
  builds_expected_ = true;
  garbage_expected_ = garbage_expected_ || left_garbage;
}

bool BuildQueue::wants_build(const Table& table) const {
  const sql::StreamTable& row = table.row;
  if (!row.exists || !registry_->is_served(row) || table.is_being_built()) return false;
  if (row.fuse_blown) return false;  // a build applies everything: that is for reset_fuse() to decide
  if (row.status == TableStatus::kPending || row.status == TableStatus::kInitializing) return true;
  if (row.status == TableStatus::kError)
    return table.retry || (row.needs_reinit && table.build.failed_generation != row.generation);
  return row.needs_reinit && row.status == TableStatus::kActive;
}

// What ended with an error waits, unless it is another by now.
TimePoint BuildQueue::build_time(const Table& table) {
  const bool is_new = table.row.needs_reinit && table.build.failed_generation != table.row.generation;
  if (table.row.status != TableStatus::kError || is_new || !table.retry) return table.build.not_before;
  return *table.retry;
}

bool BuildQueue::waits_for_upstream(TableId id, TimePoint at) {
  const planner::Dag& dag = registry_->planner().dag();
  const auto& upstream = dag.upstream(id);
  const bool busy = std::any_of(upstream.begin(), upstream.end(), [&](TableId up) {
    const Table* table = registry_->find(up);
    return table && (table->is_being_built() || (wants_build(*table) && at >= build_time(*table)));
  });
  return busy && dag.cycle(id).empty();
}

// What may be built now, by owner, upstream first.
std::map<Owner, std::vector<Table*>> BuildQueue::ready(TimePoint at, bool& expected) {
  std::map<Owner, std::vector<Table*>> out;
  for (const TableId id : registry_->planner().dag().order()) {
    Table* table = registry_->find(id);
    if (!table || !wants_build(*table)) continue;
    expected = true;
    // The end of its refresh need not wake us.
    const TimePoint time = registry_->planner().is_running(id) ? at + kRefreshCheck : build_time(*table);
    if (at < time) {
      next_build_ = std::min(next_build_, time);
    } else if (!waits_for_upstream(id, at)) {
      out[TableRegistry::domain_of(table->row)].push_back(table);
    }
  }
  return out;
}

void BuildQueue::start_builds() {
  if (!context_->leading() || context_->halted() || !builds_expected_) return;
  const auto conninfo = sessions_->build_conninfo();
  const auto workers = sessions_->build_worker_conninfo();
  if (!conninfo || !workers) return;
  const TimePoint at = Clock::now();
  bool expected = false;
  next_build_ = TimePoint::max();
  BuildPlaces& places = context_->shared->build_places;
  for (;;) {  // what is started may be what others of the list wait for
    auto tables = ready(at, expected);
    std::set<Owner> owners;
    for (const auto& of_owner : tables) owners.insert(of_owner.first);
    places.set_waiting(context_->name(), owners, at);
    const auto owner = places.next(context_->name(), at);
    if (owner) {
      start(*tables.at(*owner).front(), *conninfo, *workers);
      continue;
    }
    // What another database gives back does not wake us, nor does time.
    if (!tables.empty()) next_build_ = std::min(next_build_, at + BuildPlaces::kAsk);
    break;
  }
  if (builds_expected_ && !expected && running_ == 0) sessions_->close_build_sessions();
  builds_expected_ = expected;
}

// One build -----------------------------------------------------------------------------------------------------------

catalog::BuildSettings BuildQueue::settings_for(const Table& table, std::string worker_conninfo) const {
  const config::Compiler& compiler = context_->compiler;
  catalog::BuildSettings settings;
  settings.worker_conninfo = std::move(worker_conninfo);
  settings.lock_timeout_ms = static_cast<int>(context_->settings.lock_timeout.count());
  settings.statement_timeout_ms = context_->settings.refresh_timeout.count();
  settings.failures = table.build.failures;
  const int errors = std::max(table.build.failures, table.row.consecutive_errors);
  settings.error_pause_ms = RetryPolicy::pause(errors + 1, context_->random01()).count();
  settings.limits = {.nesting = compiler.max_nesting,
                     .nodes = compiler.max_nodes,
                     .grouping_branches = compiler.max_grouping_branches,
                     .query_bytes = compiler.max_query_bytes};
  settings.say = [database = context_->name(), name = table.row.label()](const std::string& note) {
    log::warn("build", "building database={} stream_table={} note={}", database, name, note);
  };
  return settings;
}

void BuildQueue::start(Table& table, const std::string& conninfo, const std::string& workers) {
  table.build.running = true;
  ++running_;
  const auto place =
      context_->shared->build_places.take(context_->name(), TableRegistry::domain_of(table.row), Clock::now());
  log::info("build", "building database={} stream_table={} status={} needs_reinit={}", context_->name(),
            table.row.label(), to_string(table.row.status), table.row.needs_reinit);
  asio::post(*context_->shared->build_workers,
             [self = shared_from_this(), shared = context_->shared, database = context_->name(), conninfo,
              id = table.row.id, place, generation = table.row.generation, settings = settings_for(table, workers)] {
               const Busy busy(shared->building);
               catalog::BuildResult result;
               try {
                 result = shared->builder.build(conninfo, id, settings);
               } catch (const std::exception& e) {
                 log::critical("build", "builder failed database={} pgt_id={} error={}", database, id, e.what());
                 result.status = catalog::BuildStatus::kRetry;
                 result.error = postgres::our_error(Condition::kInternalError, e.what());
                 result.message = e.what();
               }
               asio::post(shared->executor, [self, shared, id, place, generation, result] {
                 shared->build_places.release(place);
                 self->ended(id, generation, result);
               });
             });
}

void BuildQueue::ended(TableId id, std::int64_t generation, const catalog::BuildResult& result) {
  --running_;
  context_->tasks->other_ended();
  Table* table = registry_->find(id);
  if (!table) {
    garbage_expected_ = true;  // it was dropped under the builder's feet
    return context_->signals.reload_soon();
  }
  table->build.running = false;
  table->build.ended = Clock::now();
  switch (result.status) {
    case catalog::BuildStatus::kActive:
      built(*table, result);
      context_->signals.changed(id);  // what else has changed, others have been told
      return context_->signals.wake_control();
    case catalog::BuildStatus::kError:
      failed(*table, generation, result);
      break;
    case catalog::BuildStatus::kRetry:
      will_be_retried(*table, result);
      break;
    case catalog::BuildStatus::kGone:
      garbage_expected_ = true;
      break;
  }
  context_->signals.reload_soon();
}

void BuildQueue::built(Table& table, const catalog::BuildResult& result) {
  garbage_expected_ = garbage_expected_ || table.row.needs_reinit;  // the old program's capture
  table.build.failures = 0;
  table.build.not_before = TimePoint::min();
  table.build.failed_generation.reset();
  warming_->want_after_build(table);
  context_->observer().on_build(context_->name(), table.row.label(), true);
  log::info("build", "built database={} stream_table={} result={}", context_->name(), table.row.label(),
            result.message);
  if (!table.row.needs_reinit) return;
  alerts_->raise(observe::AlertKind::kReinitialised, table.row.label(), "it was rebuilt and recomputed",
                 {{"reason", table.row.reinit_reason}});
}

void BuildQueue::failed(Table& table, std::int64_t generation, const catalog::BuildResult& result) {
  ++table.build.failures;
  table.build.failed_generation = generation;
  context_->observer().on_build(context_->name(), table.row.label(), false);
  log::warn("build", "build failed database={} stream_table={} sqlstate={} error={}", context_->name(),
            table.row.label(), result.error.sqlstate, result.message);
  alerts_->raise(observe::AlertKind::kError, table.row.label(), result.message,
                 {{"sqlstate", result.error.sqlstate},
                  {"consecutive_errors", static_cast<std::int64_t>(table.build.failures)},
                  {"retryable", false},
                  {"hint", result.error.hint}});
}

void BuildQueue::will_be_retried(Table& table, const catalog::BuildResult& result) {
  ++table.build.failures;
  const bool blocked = result.error.is(Condition::kLockNotAvailable);  // it has been tried for a while, gently
  const milliseconds pause = context_->retry_rules().retry.delay(table.build.failures, context_->random01());
  table.build.not_before = Clock::now() + (blocked ? std::min(pause, kBlockedMax) : pause);
  context_->observer().on_retry(context_->name(), result.error.sqlstate);
  log::info("build", "build will be retried database={} stream_table={} sqlstate={} error={}", context_->name(),
            table.row.label(), result.error.sqlstate, result.message);
  // The control session sleeps until its next duty; a retry may be due earlier.
  context_->signals.reload_by(table.build.not_before);
}

// Garbage -------------------------------------------------------------------------------------------------------------

void BuildQueue::start_garbage_collection() {
  if (!context_->leading() || collecting_garbage_ || (!garbage_expected_ && Clock::now() < next_garbage_)) return;
  auto conninfo = sessions_->build_conninfo();
  if (!conninfo) return;
  collecting_garbage_ = true;
  garbage_expected_ = false;
  next_garbage_ = Clock::now() + kGarbageInterval;
  ++running_;
  catalog::BuildSettings settings;
  settings.lock_timeout_ms = static_cast<int>(context_->settings.lock_timeout.count());
  asio::post(*context_->shared->build_workers,
             [self = shared_from_this(), shared = context_->shared, database = context_->name(),
              conninfo = std::move(*conninfo), settings] {
               const Busy busy(shared->building);
               catalog::Garbage garbage;
               try {
                 garbage = shared->builder.collect_garbage(conninfo, settings);
               } catch (const std::exception& e) {
                 log::warn("build", "garbage collection failed database={} error={}", database, e.what());
               }
               asio::post(shared->executor, [self, garbage = std::move(garbage)] { self->report(garbage); });
             });
}

// A problem that stays is said once.
void BuildQueue::report(const catalog::Garbage& garbage) {
  --running_;
  collecting_garbage_ = false;
  context_->tasks->other_ended();
  if (garbage.removed > 0)
    log::info("build", "garbage collected database={} removed={}", context_->name(), garbage.removed);
  for (const auto& what : garbage.restored) {
    log::warn("build", "left over from a restore without pgtrickle's data, removed database={} what={}",
              context_->name(), what);
  }
  for (const auto& problem : garbage.problems) {
    if (!known_problems_.contains(problem))
      log::warn("build", "garbage stays database={} problem={}", context_->name(), problem);
  }
  known_problems_ = {garbage.problems.begin(), garbage.problems.end()};
}

}  // namespace pgtrickle::scheduler
