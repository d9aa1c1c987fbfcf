#include "scheduler/log_maintenance.h"

#include <algorithm>
#include <utility>

#include "observe/log.h"
#include "scheduler/limits.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
namespace log = observe::log;
using postgres::Clock;
using postgres::Connection;
using postgres::deadline_after;
using postgres::Result;
using postgres::Rows;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kRotationDelayMax{8000};
constexpr milliseconds kFullLookInterval{60000};

}  // namespace

asio::awaitable<bool> LogMaintenance::run(ConnectionPtr connection) {
  const bool known = co_await measure(*connection);
  if (!known) co_return false;
  co_await release(*connection);
  const bool more = co_await rotate(*connection);
  co_return more;
}

bool LogMaintenance::wants_rotation(const sql::LogSize& log) const {
  return log.inactive_bytes > 0 || log.active_bytes >= std::max<std::int64_t>(context_->settings.log_switch_bytes, 1);
}

// Those in which there was nothing to do, and whose writers have not written since: the size of a log is several calls
// of the file system.
std::set<SourceId> LogMaintenance::quiet() const {
  std::set<SourceId> out;
  const auto add = [&](SourceId source, std::optional<TimePoint> silent_since) {
    const auto found = logs_.find(source);
    if (silent_since && found != logs_.end() && *silent_since <= found->second.looked_at &&
        !wants_rotation(found->second.size))
      out.insert(source);
  };
  const planner::RefreshPlanner& planner = registry_->planner();
  for (const auto& [source, log] : logs_) add(source, planner.armed_at(source));
  for (const auto& [id, table] : registry_->tables()) {
    if (table.row.own_log) add(*table.row.own_log, planner.asleep_since(id));
  }
  return out;
}

// False: nothing is known.
asio::awaitable<bool> LogMaintenance::measure(Connection& connection) {
  const TimePoint begun = Clock::now();
  std::set<SourceId> quiet_ones;
  if (begun < next_full_look_) {
    quiet_ones = quiet();
    if (quiet_ones.size() == logs_.size() && !others_expected_) co_return true;
  } else {
    next_full_look_ = begun + kFullLookInterval;
  }
  others_expected_ = false;
  const auto rows = co_await connection.query(sql::log_sizes(quiet_ones), deadline_after(kQueryTimeout));
  auto sizes = rows ? sql::read_log_sizes(*rows) : Result<std::vector<sql::LogSize>>(rows.error());
  if (!sizes) {
    others_expected_ = true;
    if (rows) {
      log::warn("housekeeping", "log sizes unreadable database={} error={}", context_->name(), sizes.error().text());
    } else {
      log::debug("housekeeping", "log sizes unknown database={} error={}", context_->name(), sizes.error().text());
    }
    co_return false;
  }
  std::map<SourceId, Log> old = std::exchange(logs_, {});
  for (const SourceId source : quiet_ones) logs_.insert(old.extract(source));
  for (sql::LogSize& size : *sizes) {
    Log& log = logs_[size.source_id];
    if (const auto known = old.find(size.source_id); known != old.end()) log = std::move(known->second);
    log.size = std::move(size);
    log.looked_at = begun;
  }
  std::vector<sql::LogSize> all;
  for (const auto& [source, log] : logs_) all.push_back(log.size);
  alerts_->check_logs(all);
  co_return true;
}

// Who does not keep up with a log must not fill the disk of everybody.
asio::awaitable<void> LogMaintenance::release(Connection& connection) {
  const std::int64_t limit = context_->settings.log_max_bytes;
  if (limit <= 0) co_return;
  std::vector<Log> too_large;
  for (const auto& [source, log] : logs_) {
    if (log.bytes() > limit) too_large.push_back(log);
  }
  for (const Log& log : too_large) {
    if (context_->stopping || !connection.usable()) co_return;
    const std::string why =
        "the change log of " + log.size.source + ", which it held back, was larger than log_max_bytes";
    const auto answer =
        co_await connection.query(sql::release_log(log.size.source_id, why), deadline_after(kQueryTimeout));
    const auto ids = answer ? sql::read_released(*answer) : Result<std::vector<TableId>>(answer.error());
    if (!ids) {
      log::warn("housekeeping", "log not released database={} source={} error={}", context_->name(), log.size.source,
                ids.error().text());
      continue;
    }
    released(log, *ids);
  }
}

void LogMaintenance::released(const Log& log, const std::vector<TableId>& ids) {
  for (const TableId id : ids) {
    const Table* table = registry_->find(id);
    if (!table) continue;
    alerts_->raise(
        observe::AlertKind::kLogReleased, table->row.label(),
        "it held back a change log that had become too large, and will be rebuilt",
        {{"source", log.size.source}, {"bytes", log.bytes()}, {"limit_bytes", context_->settings.log_max_bytes}});
  }
  if (ids.empty()) return;
  logs_.at(log.size.source_id).not_before = Clock::now();  // it can be cleared now
  context_->signals.reload_soon();
}

// True if one wants to be rotated.
asio::awaitable<bool> LogMaintenance::rotate(Connection& connection) {
  std::vector<SourceId> todo;
  for (const auto& [source, log] : logs_) {
    if (wants_rotation(log.size)) todo.push_back(source);
  }
  for (const SourceId source : todo) {
    if (context_->stopping || !connection.usable()) break;
    if (Clock::now() < logs_.at(source).not_before) continue;
    const auto answer = co_await connection.query(sql::rotate_log(source, context_->settings.log_switch_bytes),
                                                  deadline_after(kQueryTimeout));
    rotated(source, answer);
  }
  co_return !todo.empty();
}

void LogMaintenance::rotated(SourceId source, const Result<Rows>& answer) {
  Log& log = logs_.at(source);
  std::string done = "failed";
  if (answer) {
    postgres::RowReader row(*answer, 0);
    done = row.get<std::string>("done");
  } else {
    log::info("housekeeping", "log not rotated database={} source={} error={}", context_->name(), log.size.source,
              answer.error().text());
  }
  // What a slow consumer still needs is not worth asking for every second.
  const bool progress = done == "truncated" || done == "switched";
  log.delay = progress ? milliseconds(0)
                       : std::min(kRotationDelayMax, std::max(log.delay * 2, context_->settings.housekeeping_interval));
  log.not_before = Clock::now() + log.delay;
  if (progress)
    log::debug("housekeeping", "log rotated database={} source={} done={}", context_->name(), log.size.source, done);
}

std::vector<observe::LogStatus> LogMaintenance::status() const {
  std::vector<observe::LogStatus> out;
  for (const auto& [source, log] : logs_) out.push_back({.source = log.size.source, .bytes = log.bytes()});
  return out;
}

}  // namespace pgtrickle::scheduler
