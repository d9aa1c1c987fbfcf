// Building stream tables and collecting garbage on worker threads.

#include <algorithm>
#include <boost/asio/post.hpp>

#include "catalog/session.h"
#include "catalog/worker.h"
#include "observe/log.h"
#include "postgres/conninfo.h"
#include "scheduler/database_scheduler.h"
#include "scheduler/limits.h"

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
constexpr milliseconds kFlightCheck{20};
constexpr milliseconds kOwnerCheck{500};
constexpr milliseconds kGarbageInterval{300000};

}  // namespace

bool DatabaseScheduler::wants_build(const Table& table) const {
  const sql::StreamTable& row = table.row;
  if (!row.exists || !is_served(row) || table.building || table.loaded_at <= table.build_ended) return false;
  if (row.fuse_blown) return false;  // a build applies everything: that is for reset_fuse() to decide
  if (row.status == "PENDING" || row.status == "INITIALIZING") return true;
  if (row.status == "ERROR") return table.retry || (row.needs_reinit && table.failed_generation != row.generation);
  return row.needs_reinit && row.status == "ACTIVE";
}

// What ended with an error waits, unless it is another by now.
TimePoint DatabaseScheduler::build_time(const Table& table) {
  const bool is_new = table.row.needs_reinit && table.failed_generation != table.row.generation;
  if (table.row.status != "ERROR" || is_new || !table.retry) return table.build_not_before;
  return *table.retry;
}

void DatabaseScheduler::start_builds() {
  if (!leading() || halted() || !builds_expected_) return;
  const TimePoint now = Clock::now();
  bool expected = false;
  next_build_ = TimePoint::max();
  for (const TableId id : planner_.dag().order()) {
    if (builds_running_ >= kBuildsAtOnce) return;
    const auto found = tables_.find(id);
    if (found == tables_.end()) continue;
    Table& table = found->second;
    if (!wants_build(table)) continue;
    expected = true;
    // The end of its refresh need not wake us.
    const TimePoint at = planner_.is_running(id) ? now + kFlightCheck : build_time(table);
    if (now < at) {
      next_build_ = std::min(next_build_, at);
      continue;
    }
    const auto& upstream = planner_.dag().upstream(id);
    const bool upstream_busy = std::any_of(upstream.begin(), upstream.end(), [&](TableId up) {
      const auto other = tables_.find(up);
      return other != tables_.end() &&
             (other->second.building || other->second.loaded_at <= other->second.build_ended ||
              (wants_build(other->second) && now >= build_time(other->second)));
    });
    if (upstream_busy && planner_.dag().cycle(id).empty()) continue;
    // The end of a build in another database does not wake us.
    if (shared_->build_owners.left(domain_of(table.row), kBuildsAtOnce) == 0) {
      next_build_ = std::min(next_build_, now + kOwnerCheck);
      continue;
    }
    start_build(table);
  }
  if (builds_expected_ && !expected && builds_running_ == 0) close_build_sessions();
  builds_expected_ = expected;
}

postgres::Result<std::string> DatabaseScheduler::build_conninfo() const {
  return postgres::merge_conninfo(database_.dsn, {{"application_name", build_application_name()}});
}

// Empty: there are no worker sessions.
postgres::Result<std::string> DatabaseScheduler::build_worker_conninfo() const {
  const auto conninfo = build_conninfo();
  if (!conninfo || !has_workers()) return conninfo ? postgres::Result<std::string>(std::string()) : conninfo;
  return postgres::overlay_conninfo(*conninfo, database_.worker_dsn);
}

// Whoever wants to drop the database finds no session of ours that only waits.
void DatabaseScheduler::close_build_sessions() {
  const auto conninfo = build_conninfo();
  const auto workers = build_worker_conninfo();
  if (!conninfo || !workers) return;
  asio::post(*shared_->build_workers, [conninfo = *conninfo, workers = workers->empty() ? *conninfo : *workers] {
    catalog::Kept<catalog::Session>::all().close(conninfo);
    catalog::Kept<catalog::Worker>::all().close(workers);
  });
}

void DatabaseScheduler::start_build(Table& table) {
  auto conninfo = build_conninfo();
  auto workers = build_worker_conninfo();
  if (!conninfo || !workers) return;
  const Domain owner = domain_of(table.row);
  table.building = true;
  ++builds_running_;
  shared_->build_owners.take(owner);
  log::info("build", "building database={} stream_table={} status={} needs_reinit={}", database_.name, label(table),
            table.row.status, table.row.needs_reinit);
  catalog::BuildSettings settings;
  settings.worker_conninfo = std::move(*workers);
  settings.lock_timeout_ms = static_cast<int>(settings_.lock_timeout.count());
  settings.statement_timeout_ms = settings_.refresh_timeout.count();
  settings.failures = table.build_failures;
  settings.error_pause_ms =
      Health::pause(std::max(table.build_failures, table.row.consecutive_errors) + 1, random01()).count();
  settings.limits = {.nesting = compiler_.max_nesting,
                     .nodes = compiler_.max_nodes,
                     .grouping_branches = compiler_.max_grouping_branches,
                     .query_bytes = compiler_.max_query_bytes};
  settings.say = [database = database_.name, name = label(table)](const std::string& note) {
    log::warn("build", "building database={} stream_table={} note={}", database, name, note);
  };
  asio::post(*shared_->build_workers, [self = shared_from_this(), conninfo = std::move(*conninfo), id = table.row.id,
                                       owner, generation = table.row.generation, settings] {
    const Busy busy(self->shared_->building);
    catalog::BuildResult result;
    try {
      result = self->shared_->builder.build(conninfo, id, settings);
    } catch (const std::exception& e) {
      log::critical("build", "builder failed database={} pgt_id={} error={}", self->database_.name, id, e.what());
      result.status = catalog::BuildStatus::kRetry;
      result.sqlstate = "XX000";
      result.message = e.what();
    }
    asio::post(self->shared_->executor, [self, id, owner, generation, result] {
      self->shared_->build_owners.release(owner);
      self->build_ended(id, generation, result);
    });
  });
}

void DatabaseScheduler::build_ended(TableId id, std::int64_t generation, const catalog::BuildResult& result) {
  --builds_running_;
  task_ended_.set();
  const auto found = tables_.find(id);
  if (found == tables_.end()) {
    garbage_expected_ = true;  // it was dropped under the builder's feet
    reload_soon();
    return;
  }
  Table& table = found->second;
  table.building = false;
  table.build_ended = Clock::now();
  switch (result.status) {
    case catalog::BuildStatus::kActive:
      garbage_expected_ = garbage_expected_ || table.row.needs_reinit;  // the old program's capture
      table.build_failures = 0;
      table.build_not_before = TimePoint::min();
      table.failed_generation.reset();
      warm_after_build(table);
      shared_->observer->on_build(database_.name, label(table), true);
      log::info("build", "built database={} stream_table={} result={}", database_.name, label(table), result.message);
      changed_tables_.insert(id);  // what else has changed, others have been told
      if (table.row.needs_reinit) {
        alert(observe::AlertKind::kReinitialised, label(table), "it was rebuilt and recomputed",
              {{"reason", table.row.reinit_reason}});
      }
      if (control_connection_) control_connection_->poke();
      return;
    case catalog::BuildStatus::kError: {
      ++table.build_failures;
      table.failed_generation = generation;
      shared_->observer->on_build(database_.name, label(table), false);
      log::warn("build", "build failed database={} stream_table={} sqlstate={} error={}", database_.name, label(table),
                result.sqlstate, result.message);
      alert(observe::AlertKind::kError, label(table), result.message,
            {{"sqlstate", result.sqlstate},
             {"consecutive_errors", static_cast<std::int64_t>(table.build_failures)},
             {"retryable", false},
             {"hint", result.hint}});
      break;
    }
    case catalog::BuildStatus::kRetry: {
      ++table.build_failures;
      const bool blocked = result.sqlstate == "55P03";  // it has been tried for a while, gently
      const milliseconds pause = health_rules().retry.delay(table.build_failures, random01());
      table.build_not_before = Clock::now() + (blocked ? std::min(pause, kBlockedMax) : pause);
      shared_->observer->on_retry(database_.name, result.sqlstate);
      log::info("build", "build will be retried database={} stream_table={} sqlstate={} error={}", database_.name,
                label(table), result.sqlstate, result.message);
      // The control coroutine sleeps until its next duty; a retry may be due earlier.
      next_load_ = std::min(next_load_, table.build_not_before);
      break;
    }
    case catalog::BuildStatus::kGone:
      garbage_expected_ = true;
      break;
  }
  reload_soon();
}

void DatabaseScheduler::start_garbage_collection() {
  if (!leading() || collecting_garbage_ || (!garbage_expected_ && Clock::now() < next_garbage_)) return;
  auto conninfo = build_conninfo();
  if (!conninfo) return;
  collecting_garbage_ = true;
  garbage_expected_ = false;
  next_garbage_ = Clock::now() + kGarbageInterval;
  ++builds_running_;
  catalog::BuildSettings settings;
  settings.lock_timeout_ms = static_cast<int>(settings_.lock_timeout.count());
  asio::post(*shared_->build_workers, [self = shared_from_this(), conninfo = std::move(*conninfo), settings] {
    const Busy busy(self->shared_->building);
    catalog::Garbage garbage;
    try {
      garbage = self->shared_->builder.collect_garbage(conninfo, settings);
    } catch (const std::exception& e) {
      log::warn("build", "garbage collection failed database={} error={}", self->database_.name, e.what());
    }
    asio::post(self->shared_->executor, [self, garbage = std::move(garbage)] {
      --self->builds_running_;
      self->collecting_garbage_ = false;
      self->task_ended_.set();
      self->report(garbage);
    });
  });
}

// A problem that stays is said once.
void DatabaseScheduler::report(const catalog::Garbage& garbage) {
  if (garbage.removed > 0)
    log::info("build", "garbage collected database={} removed={}", database_.name, garbage.removed);
  for (const auto& what : garbage.restored) {
    log::warn("build", "left over from a restore without pgtrickle's data, removed database={} what={}", database_.name,
              what);
  }
  for (const auto& problem : garbage.problems) {
    if (!garbage_problems_.contains(problem))
      log::warn("build", "garbage stays database={} problem={}", database_.name, problem);
  }
  garbage_problems_ = {garbage.problems.begin(), garbage.problems.end()};
}

}  // namespace pgtrickle::scheduler
