#include "scheduler/table_registry.h"

#include <algorithm>
#include <utility>

#include "observe/log.h"

namespace pgtrickle::scheduler {

namespace log = observe::log;
using postgres::Clock;
using std::chrono::milliseconds;

namespace {

planner::PlannerSettings planner_settings(const Context& context) {
  const config::Scheduler& settings = context.settings;
  planner::PlannerSettings out;
  out.default_period = settings.default_schedule;
  out.continuous_min = settings.continuous_min_interval;
  out.tiers = {.warm = settings.tier_warm, .cold = settings.tier_cold};
  out.limits = {.max_tables = static_cast<std::size_t>(settings.unit_max_tables), .max_cost = settings.unit_max_cost};
  out.auto_backoff = settings.auto_backoff;
  out.may_arm = context.may_sleep;
  return out;
}

milliseconds interval(double seconds) {
  return milliseconds(static_cast<std::int64_t>(std::clamp(seconds, 0.0, 1e9) * 1000));
}

}  // namespace

TableRegistry::TableRegistry(std::shared_ptr<Context> context)
    : context_(std::move(context)), planner_(planner_settings(*context_)) {}

Table* TableRegistry::find(TableId id) {
  const auto found = tables_.find(id);
  return found == tables_.end() ? nullptr : &found->second;
}

// Loading -------------------------------------------------------------------------------------------------------------

TableRegistry::Loaded TableRegistry::load(std::vector<sql::StreamTable> rows,
                                          const std::vector<std::vector<TableId>>& groups, TimePoint read_after) {
  Loaded loaded;
  std::set<TableId> seen;
  std::vector<planner::PlannerEntry> entries;
  for (sql::StreamTable& row : rows) {
    seen.insert(row.id);
    entries.push_back(adopt(std::move(row), read_after, loaded));
  }
  std::vector<TableId> gone;
  for (const auto& [id, table] : tables_) {
    if (!seen.contains(id)) gone.push_back(id);
  }
  for (const TableId id : gone) forget(id, loaded);
  planner_.configure(planner_settings(*context_));
  planner_.load(entries, groups, now());
  end_load();
  planner_.release_holds(Clock::now());  // what held them may be what has changed
  return loaded;
}

TableRegistry::Loaded TableRegistry::load_some(std::vector<sql::StreamTable> rows, const std::set<TableId>& asked,
                                               TimePoint read_after) {
  Loaded loaded;
  std::set<TableId> gone = asked;
  for (sql::StreamTable& row : rows) {
    gone.erase(row.id);
    const planner::PlannerEntry entry = adopt(std::move(row), read_after, loaded);
    planner_.put(entry, now());
  }
  for (const TableId id : gone) {
    planner_.remove(id, now());
    forget(id, loaded);
  }
  end_load();
  return loaded;
}

void TableRegistry::end_load() {
  has_trusted_ =
      std::any_of(tables_.begin(), tables_.end(), [](const auto& of_id) { return domain_of(of_id.second.row) == 0; });
  // What somebody wants refreshed now, once it is in the plan.
  for (const TableId id : std::exchange(wanted_, {})) planner_.hasten(id, now());
}

void TableRegistry::forget(TableId id, Loaded& loaded) {
  loaded.left_garbage = tables_.erase(id) > 0 || loaded.left_garbage;
}

planner::PlannerEntry TableRegistry::adopt(sql::StreamTable row, TimePoint read_after, Loaded& loaded) {
  const auto [place, is_new] = tables_.try_emplace(row.id);
  Table& table = place->second;
  if (is_new || table.row.generation != row.generation) {
    table.health.reset(row.consecutive_errors);
    table.build.failures = 0;
    table.build.not_before = TimePoint::min();
  }
  loaded.left_garbage = loaded.left_garbage || (!row.exists && (is_new || table.row.exists));
  if (row.refresh_asked_epoch > table.row.refresh_asked_epoch) wanted_.insert(row.id);
  table.row = std::move(row);
  table.loaded_at = read_after;
  table.retry.reset();
  if (table.row.retry_in_seconds) {
    const double seconds = std::clamp(*table.row.retry_in_seconds, 0.0, 86400.0);
    table.retry = read_after + std::chrono::ceil<milliseconds>(std::chrono::duration<double>(seconds));
  }
  table.refreshes_since_load = 0;
  return entry_of(table, is_new);
}

planner::PlannerEntry TableRegistry::entry_of(const Table& table, bool is_new) const {
  const sql::StreamTable& row = table.row;
  planner::PlannerEntry entry;
  entry.id = row.id;
  if (auto schedule = planner::parse_schedule(row.schedule, row.schedule_ms)) {
    entry.schedule = std::move(*schedule);
  } else if (is_new) {
    log::error("scheduler", "schedule cannot be read, taken as calculated database={} stream_table={} schedule={}",
               context_->name(), row.label(), row.schedule);
  }
  entry.tier = planner::parse_tier(row.tier);
  const bool differential = row.effective_refresh_mode == "DIFFERENTIAL";
  entry.captured = differential;
  entry.follows_time = row.follows_time;
  entry.kept = row.effective_refresh_mode == "IMMEDIATE";
  entry.active = row.exists && is_served(row) && row.status == TableStatus::kActive && !row.needs_reinit &&
                 !table.build.running && !row.fuse_blown && (differential || row.effective_refresh_mode == "FULL");
  if (row.data_age_seconds) entry.age = interval(*row.data_age_seconds);
  if (row.max_staleness_seconds) entry.max_staleness = interval(*row.max_staleness_seconds);
  entry.domain = domain_of(row);
  entry.upstream = row.upstream;
  entry.sources = row.sources;
  entry.relations = row.relations;
  entry.own_log = row.own_log;
  entry.atomic_diamond = row.atomic_diamond;
  entry.slowest = row.slowest;
  entry.throttled = row.throttled;
  if (entry.throttled) entry.cost = milliseconds(static_cast<std::int64_t>(row.last_duration_ms));
  return entry;
}

// Questions -----------------------------------------------------------------------------------------------------------

bool TableRegistry::is_served(const sql::StreamTable& row) const {
  return row.trusted || context_->has_worker_login();
}

std::optional<Domain> TableRegistry::common_domain(const std::vector<TableId>& ids) const {
  std::optional<Domain> domain;
  for (const TableId id : ids) {
    const auto found = tables_.find(id);
    if (found == tables_.end()) continue;  // dropped: nothing is left of it to refresh
    const Domain its = domain_of(found->second.row);
    if (!is_served(found->second.row) || domain.value_or(its) != its) return std::nullopt;
    domain = its;
  }
  return domain;
}

std::vector<TableId> TableRegistry::cycle_of(TableId id) const {
  const planner::Dag& dag = planner_.dag();
  return dag.contains(id) ? dag.cycle(id) : std::vector<TableId>();
}

bool TableRegistry::is_kept_now(const sql::StreamTable& row) {
  return row.effective_refresh_mode == "IMMEDIATE" && row.status == TableStatus::kActive && !row.needs_reinit;
}

double TableRegistry::staleness_of(const Table& table, TimePoint at) const {
  if (is_kept_now(table.row)) return 0;
  const auto seconds = [](Clock::duration duration) { return std::chrono::duration<double>(duration).count(); };
  std::optional<double> age;
  if (table.row.data_age_seconds) age = *table.row.data_age_seconds + seconds(at - table.loaded_at);
  if (const auto fresh = planner_.fresh_at(table.row.id, at)) {
    age = std::min(age.value_or(1e18), seconds(at - *fresh));
  }
  return std::max(0.0, age.value_or(0));
}

std::string TableRegistry::held_because(TableId id) const {
  if (planner_.is_held(id)) return "a gate or a watermark group; see column held of pgtrickle.stream_tables";
  const auto culprit = planner_.blocked_by(id);
  if (!culprit) return {};
  const auto found = tables_.find(*culprit);
  if (found == tables_.end()) return {};
  const sql::StreamTable& row = found->second.row;
  const std::string why = row.fuse_blown         ? "whose fuse is blown"
                          : row.tier == "frozen" ? "which is frozen"
                                                 : "which is " + to_string(row.status);
  return "it is refreshed together with " + row.label() + ", " + why;
}

observe::StreamTableStatus TableRegistry::status_of(const Table& table, TimePoint at) const {
  const sql::StreamTable& row = table.row;
  const TableId id = row.id;
  const bool details = context_->shared->details;
  observe::StreamTableStatus out;
  static_cast<StreamTableIdentity&>(out) = row;
  out.status = row.status;
  out.refresh_mode = row.refresh_mode;
  out.effective_refresh_mode = row.effective_refresh_mode;
  if (details) out.reason = row.reason;
  out.schedule = row.schedule;
  out.last_error = row.last_error;
  if (!details && !out.last_error.empty()) out.last_error = observe::error_without_values(row.last_error_code);
  out.staleness_seconds = staleness_of(table, at);
  out.tier = row.tier;
  out.period_seconds = std::chrono::duration<double>(planner_.period(id)).count();
  if (out.period_seconds > 3e8) out.period_seconds = 0;  // it has none, or never comes
  out.backoff_factor = planner_.backoff(id);
  out.max_staleness_seconds = row.max_staleness_seconds;
  out.held = held_because(id);
  out.fuse_blown = row.fuse_blown;
  out.skipped = row.skipped;
  if (const auto cycle = cycle_of(id); !cycle.empty()) out.scc = cycle.front();
  out.last_refresh_epoch = std::max(row.last_refresh_epoch, table.last_refresh_epoch.value_or(0));
  out.last_duration_ms = table.last_duration_ms.value_or(row.last_duration_ms);
  out.total_refreshes = row.total_refreshes + table.refreshes_since_load;
  out.consecutive_errors = std::max(row.consecutive_errors, table.health.consecutive_errors());
  return out;
}

}  // namespace pgtrickle::scheduler
