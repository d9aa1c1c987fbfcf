// Housekeeping: logs, history, sources without event triggers, and what frontiers say about tables without changes.

#include <algorithm>

#include "observe/log.h"
#include "scheduler/database_scheduler.h"
#include "scheduler/limits.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
namespace log = observe::log;
using postgres::Clock;
using postgres::Connection;
using postgres::deadline_after;
using postgres::Statement;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kPruneInterval{60000};
constexpr milliseconds kFactsIntervalWatched{30000};  // roles, libraries: event triggers tell the rest
constexpr milliseconds kFactsIntervalAlone{5000};
constexpr int kFactsShareAlone = 100;  // where there are no event triggers it may take this part of the time
constexpr milliseconds kRotationDelayMax{8000};
constexpr int kPruneBatch = 1000;
constexpr std::size_t kTablesAtOnce = 100;
constexpr int kHouseShare = 500;  // looking at logs takes at most this part of the time
constexpr milliseconds kHouseMax{5000};
constexpr milliseconds kLogCheckInterval{60000};

}  // namespace

asio::awaitable<void> DatabaseScheduler::keep_house(Self self) {
  co_await asio::this_coro::throw_if_cancelled(false);
  auto lease = co_await self->maintenance_pool_->acquire(deadline_after(kQueryTimeout));
  const TimePoint begun = Clock::now();
  bool busy = false;
  if (lease) {
    Connection& connection = **lease;
    busy = co_await self->rotate_logs(connection);
    if (Clock::now() >= self->next_prune_) {
      const auto pruned = co_await connection.query(sql::prune_history(self->settings_.history_retention, kPruneBatch),
                                                    deadline_after(kQueryTimeout));
      const bool more = pruned.ok() && pruned->affected() == kPruneBatch;
      if (!more) {
        self->next_prune_ = Clock::now() + kPruneInterval;
        (void)co_await connection.query(sql::forget_dead_daemons(), deadline_after(kQueryTimeout));
      }
    }
    if (Clock::now() >= self->next_source_check_) {
      co_await self->check_facts(connection);
      if (connection.usable()) co_await self->follow_replication(connection);
    }
  }
  self->housekeeping_running_ = false;
  const TimePoint ended = Clock::now();
  const Clock::duration idle = std::min<Clock::duration>(kHouseMax, (ended - begun) * kHouseShare);
  self->next_housekeeping_ = ended + (busy ? self->settings_.housekeeping_interval
                                           : std::max<Clock::duration>(self->settings_.housekeeping_interval, idle));
  if (self->control_connection_) self->control_connection_->poke();
}

asio::awaitable<void> DatabaseScheduler::check_facts(Connection& connection) {
  const TimePoint begun = Clock::now();
  std::vector<Statement> statements;
  statements.push_back(sql::has_event_triggers());
  statements.push_back(sql::check_sources());
  statements.push_back(sql::settle_rights());
  std::vector<TableId> ids;
  for (const auto& [id, table] : tables_) {
    if (table.row.exists && !table.row.effective_refresh_mode.empty() && !table.row.needs_reinit) ids.push_back(id);
  }
  for (std::size_t from = 0; from < ids.size(); from += kTablesAtOnce) {
    const auto to = std::min(ids.size(), from + kTablesAtOnce);
    statements.push_back(sql::watch_facts(
        {ids.begin() + static_cast<std::ptrdiff_t>(from), ids.begin() + static_cast<std::ptrdiff_t>(to)}));
  }
  bool watched = true;
  for (std::size_t i = 0; i < statements.size() && !stopping_; ++i) {
    const auto answer = co_await connection.query(statements[i], deadline_after(kQueryTimeout));
    if (!answer) {
      log::warn("housekeeping", "catalog not compared database={} error={}", database_.name, answer.error().text());
      if (!connection.usable()) break;
    } else if (i == 0) {
      const auto flag = sql::read_flag(*answer);
      watched = flag.ok() && *flag;
    } else if (i > 1) {
      postgres::RowReader row(*answer, 0);
      if (row.get<int>("changed") > 0) reload_soon();
    }
  }
  const TimePoint ended = Clock::now();
  next_source_check_ = ended + std::max<Clock::duration>(watched ? kFactsIntervalWatched : kFactsIntervalAlone,
                                                         (ended - begun) * (watched ? kIdleShare : kFactsShareAlone));
}

asio::awaitable<void> DatabaseScheduler::follow_replication(Connection& connection) {
  const auto answer = co_await connection.query(sql::follow_replication(), deadline_after(kQueryTimeout));
  if (!answer) {
    log::warn("housekeeping", "subscriptions and publications not followed database={} error={}", database_.name,
              answer.error().text());
    co_return;
  }
  postgres::RowReader row(*answer, 0);
  const auto changed = row.get<std::int64_t>("changed");
  if (row.error() || changed == 0) co_return;
  log::info("housekeeping", "adapted to subscriptions and publications database={} changes={}", database_.name,
            changed);
  reload_soon();
}

void DatabaseScheduler::follow_replication_soon() {
  next_housekeeping_ = next_source_check_ = Clock::now();
  if (control_connection_) control_connection_->poke();
}

bool DatabaseScheduler::wants_rotation(const sql::LogSize& log) const {
  return log.inactive_bytes > 0 || log.active_bytes >= std::max<std::int64_t>(settings_.log_switch_bytes, 1);
}

// Those in which there was nothing to do, and whose writers have not written since: the size of a log is several calls
// of the file system.
std::set<SourceId> DatabaseScheduler::quiet_logs() const {
  std::set<SourceId> out;
  const auto add = [&](SourceId source, std::optional<TimePoint> silent_since) {
    const auto found = logs_.find(source);
    if (silent_since && found != logs_.end() && *silent_since <= found->second.looked_at &&
        !wants_rotation(found->second.size))
      out.insert(source);
  };
  for (const auto& [source, log] : logs_) add(source, planner_.armed_at(source));
  for (const auto& [id, table] : tables_) {
    if (table.row.own_log) add(*table.row.own_log, planner_.asleep_since(id));
  }
  return out;
}

asio::awaitable<bool> DatabaseScheduler::look_at_logs(Connection& connection) {
  const TimePoint begun = Clock::now();
  std::set<SourceId> quiet;
  if (begun < next_log_check_) {
    quiet = quiet_logs();
    if (quiet.size() == logs_.size() && !logs_expected_) co_return true;
  } else {
    next_log_check_ = begun + kLogCheckInterval;
  }
  logs_expected_ = false;
  const auto rows = co_await connection.query(sql::log_sizes(quiet), deadline_after(kQueryTimeout));
  if (!rows) {
    logs_expected_ = true;
    log::debug("housekeeping", "log sizes unknown database={} error={}", database_.name, rows.error().text());
    co_return false;
  }
  auto sizes = sql::read_log_sizes(*rows);
  if (!sizes) {
    logs_expected_ = true;
    log::warn("housekeeping", "log sizes unreadable database={} error={}", database_.name, sizes.error().text());
    co_return false;
  }
  std::map<SourceId, Log> old = std::exchange(logs_, {});
  for (const SourceId source : quiet) logs_.insert(old.extract(source));
  for (sql::LogSize& size : *sizes) {
    Log& log = logs_[size.source_id];
    if (const auto known = old.find(size.source_id); known != old.end()) log = std::move(known->second);
    log.size = std::move(size);
    log.looked_at = begun;
  }
  watch_logs();
  co_return true;
}

// Who does not keep up with a log must not fill the disk of everybody.
asio::awaitable<void> DatabaseScheduler::release_logs(Connection& connection) {
  const std::int64_t limit = settings_.log_max_bytes;
  if (limit <= 0) co_return;
  std::vector<sql::LogSize> too_large;
  for (const auto& [source, log] : logs_) {
    if (log.size.active_bytes + log.size.inactive_bytes > limit) too_large.push_back(log.size);
  }
  for (const sql::LogSize& log : too_large) {
    if (stopping_ || !connection.usable()) co_return;
    const std::string why = "the change log of " + log.source + ", which it held back, was larger than log_max_bytes";
    const auto answer = co_await connection.query(sql::release_log(log.source_id, why), deadline_after(kQueryTimeout));
    const auto released = answer ? sql::read_released(*answer) : postgres::Result<std::vector<TableId>>(answer.error());
    if (!released) {
      log::warn("housekeeping", "log not released database={} source={} error={}", database_.name, log.source,
                released.error().text());
      continue;
    }
    for (const TableId id : *released) {
      const auto found = tables_.find(id);
      if (found == tables_.end()) continue;
      alert(observe::AlertKind::kLogReleased, label(found->second),
            "it held back a change log that had become too large, and will be rebuilt",
            {{"source", log.source}, {"bytes", log.active_bytes + log.inactive_bytes}, {"limit_bytes", limit}});
    }
    if (released->empty()) continue;
    logs_.at(log.source_id).not_before = Clock::now();  // it can be cleared now
    reload_soon();
  }
}

asio::awaitable<bool> DatabaseScheduler::rotate_logs(Connection& connection) {
  bool busy = false;
  if (!co_await look_at_logs(connection)) co_return busy;
  co_await release_logs(connection);
  std::vector<SourceId> todo;
  for (const auto& [source, log] : logs_) {
    if (wants_rotation(log.size)) todo.push_back(source);
  }
  for (const SourceId source : todo) {
    if (stopping_) co_return busy;
    busy = true;
    if (Clock::now() < logs_.at(source).not_before) continue;
    const auto answer =
        co_await connection.query(sql::rotate_log(source, settings_.log_switch_bytes), deadline_after(kQueryTimeout));
    Log& log = logs_.at(source);
    std::string done = "failed";
    if (answer) {
      postgres::RowReader row(*answer, 0);
      done = row.get<std::string>("done");
    } else {
      log::info("housekeeping", "log not rotated database={} source={} error={}", database_.name, log.size.source,
                answer.error().text());
      if (!connection.usable()) co_return busy;
    }
    // What a slow consumer still needs is not worth asking for every second.
    const bool progress = done == "truncated" || done == "switched";
    log.delay = progress ? milliseconds(0)
                         : std::min(kRotationDelayMax, std::max(log.delay * 2, settings_.housekeeping_interval));
    log.not_before = Clock::now() + log.delay;
    if (progress)
      log::debug("housekeeping", "log rotated database={} source={} done={}", database_.name, log.size.source, done);
  }
  co_return busy;
}

asio::awaitable<void> DatabaseScheduler::update_frontiers(Self self) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const TimePoint begun = Clock::now();
  std::vector<TableId> ids;
  for (const auto& [id, table] : self->tables_) {
    if (table.row.status == "ACTIVE" && table.row.effective_refresh_mode == "DIFFERENTIAL") ids.push_back(id);
  }
  for (std::size_t from = 0; from < ids.size() && self->leading(); from += kTablesAtOnce) {
    const auto to = std::min(ids.size(), from + kTablesAtOnce);
    co_await self->update_frontiers_of(
        {ids.begin() + static_cast<std::ptrdiff_t>(from), ids.begin() + static_cast<std::ptrdiff_t>(to)});
  }
  const TimePoint ended = Clock::now();
  self->updating_frontiers_ = false;
  self->next_frontier_update_ =
      ended + std::max<Clock::duration>(kFrontierUpdateInterval, (ended - begun) * kIdleShare);
  if (self->control_connection_) self->control_connection_->poke();
}

asio::awaitable<void> DatabaseScheduler::update_frontiers_of(std::vector<TableId> ids) {
  const TimePoint now = Clock::now();
  // A refresh that runs meanwhile would fail to lock a frontier that we have just changed: keep these tables in flight.
  std::set<TableId> held;
  std::map<TableId, double> ages;
  std::vector<Statement> statements;
  for (const TableId id : ids) {
    const auto found = tables_.find(id);
    if (found == tables_.end()) continue;
    Table& table = found->second;
    const auto fresh = planner_.fresh_at(id, now);
    const auto written = fresh_written_.find(id);
    const bool newer = fresh && (written == fresh_written_.end() || *fresh > written->second);
    const std::int64_t threshold = table.costs.threshold(table.row.rows);
    const bool reprice = refresh::CostModel::worth_writing(table.row.full_threshold, threshold);
    const auto fuse = table.row.fuse == "auto" ? table.fuse.limit(table.row.fuse_sensitivity) : std::nullopt;
    const bool refuse = fuse && refresh::FuseModel::worth_writing(table.row.fuse_learned, *fuse);
    if ((!newer && !reprice && !refuse) || !planner_.reserve(id, now)) continue;
    held.insert(id);
    if (reprice) {
      statements.push_back(sql::set_price(id, {.full_threshold = threshold,
                                               .ms_per_delta_row = table.costs.ms_per_delta_row(),
                                               .ms_per_full = table.costs.ms_per_full()}));
      table.row.full_threshold = threshold;
    }
    if (refuse) {
      statements.push_back(sql::set_fuse_learned(id, *fuse));
      table.row.fuse_learned = *fuse;
    }
    if (newer) {
      ages[id] = std::chrono::duration<double>(now - *fresh).count();
      fresh_written_[id] = *fresh;
    }
  }
  if (!ages.empty()) statements.push_back(sql::mark_fresh(ages));
  if (!statements.empty()) co_await record(std::move(statements));
  for (const TableId id : held) planner_.released(id);
  ring();
}

}  // namespace pgtrickle::scheduler
