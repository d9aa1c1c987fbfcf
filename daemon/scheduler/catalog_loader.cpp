#include "scheduler/catalog_loader.h"

#include <algorithm>
#include <utility>

#include "observe/log.h"
#include "scheduler/limits.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
namespace log = observe::log;
using postgres::Clock;
using postgres::deadline_after;

void CatalogLoader::begin() {
  next_load_ = next_look_ = Clock::now();
  writers_left_ = true;
}

bool CatalogLoader::is_load_due() const {
  return context_->signals.wants_reload() || Clock::now() >= std::min(next_load_, context_->signals.wanted_by());
}

TimePoint CatalogLoader::next() const {
  const TimePoint load = std::min({next_load_, context_->signals.wanted_by(), next_trial_});
  return context_->may_sleep ? load : std::min(load, next_look_);
}

asio::awaitable<MaybeError> CatalogLoader::load_what_is_due(ConnectionPtr control) {
  MaybeError error;
  if (!context_->may_sleep && Clock::now() >= next_look_) error = co_await look_for_changes(control);
  if (!error && Clock::now() >= next_trial_) error = co_await try_suspended(control);
  if (!error && is_load_due()) error = co_await load(control);
  if (!error && context_->signals.has_changes()) error = co_await load_changed(control);
  co_return error;
}

// The whole catalog ---------------------------------------------------------------------------------------------------

asio::awaitable<MaybeError> CatalogLoader::load(ConnectionPtr control) {
  context_->signals.catalog_is_loaded();
  const TimePoint begun = Clock::now();
  const auto results = co_await control->pipeline(sql::load_catalog(), deadline_after(kQueryTimeout));
  next_load_ = Clock::now() + context_->settings.catalog_poll_interval;
  if (auto error = postgres::first_error(results)) co_return error;
  auto catalog = sql::read_catalog(results);
  if (!catalog) co_return catalog.error();
  adopt(std::move(*catalog), begun);
  if (context_->leader) {
    auto error = co_await parts_.workers->check(control);
    if (!error) error = co_await parts_.workers->refuse_or_admit(control);
    if (error) co_return error;
  }
  const TimePoint ended = Clock::now();
  load_took_ = ended - begun;
  next_load_ = ended + std::max<Clock::duration>(context_->settings.catalog_poll_interval, load_took_ * kIdleShare);
  co_return std::nullopt;
}

void CatalogLoader::adopt(sql::Catalog catalog, TimePoint read_after) {
  const auto loaded = registry_->load(std::move(catalog.tables), catalog.groups, read_after);
  tell(loaded);
  if (context_->paused != catalog.paused) {
    log::info("scheduler", "{} database={} reason={}", log::raw(catalog.paused ? "paused" : "no longer paused"),
              context_->name(), catalog.paused_reason);
  }
  context_->paused = catalog.paused;
  parts_.workers->set_role(catalog.worker_role, catalog.worker_problem);
  parts_.alerts->check_catalog(catalog);
  context_->signals.wake_dispatcher();
}

void CatalogLoader::forget_everything() {
  if (!registry_->tables().empty()) adopt(sql::Catalog{}, Clock::now());
}

// What follows from new rows.
void CatalogLoader::tell(TableRegistry::Loaded loaded) {
  for (const auto& [id, table] : registry_->tables()) {
    if (table.retry && table.row.status == TableStatus::kSuspended) next_trial_ = std::min(next_trial_, *table.retry);
  }
  parts_.builds->tables_changed(loaded.left_garbage);
  parts_.logs->expect_others();
  parts_.alerts->tables_changed();
}

// Changes -------------------------------------------------------------------------------------------------------------

asio::awaitable<MaybeError> CatalogLoader::load_changed(ConnectionPtr control) {
  const std::set<TableId> ids = context_->signals.take_changed();
  const TimePoint begun = Clock::now();
  const auto answer = co_await control->query(sql::load_tables(ids), deadline_after(kQueryTimeout));
  if (!answer) co_return answer.error();
  auto rows = sql::read_tables(*answer);
  if (!rows) co_return rows.error();
  tell(registry_->load_some(std::move(*rows), ids, begun));
  parts_.alerts->check_changed(ids);
  context_->signals.wake_dispatcher();
  co_return co_await parts_.workers->refuse_or_admit(control);
}

// A change is counted before it is committed. So once there is one, the catalog is loaded for everything that has been
// committed, until nobody is left who may have counted: what he did shows in that load.
asio::awaitable<MaybeError> CatalogLoader::look_for_changes(ConnectionPtr control) {
  const auto answer = co_await control->query(sql::catalog_changes(), deadline_after(kQueryTimeout));
  next_look_ = Clock::now() + std::max<Clock::duration>(kChangesInterval, load_took_ * kLoadShare);
  if (!answer) co_return answer.error();
  const auto changes = sql::read_catalog_changes(*answer);
  if (!changes) co_return changes.error();
  const bool moved = std::exchange(changes_seen_, *changes) != *changes;
  writers_left_ = writers_left_ || moved;
  if (!writers_left_) co_return std::nullopt;
  const auto who = co_await control->query(sql::catalog_writers(), deadline_after(kQueryTimeout));
  if (!who) co_return who.error();
  const auto writers = sql::read_catalog_writers(*who);
  if (!writers) co_return writers.error();
  writers_left_ = writers->any;
  const bool committed = std::exchange(committed_, writers->committed) != writers->committed;
  // While somebody is still at it for long, only for what others commit; in the end in any case: what was undone by
  // then, as a table that was made and dropped, may have left something.
  if (moved || committed || !writers_left_) context_->signals.reload_next();
  co_return std::nullopt;
}

asio::awaitable<MaybeError> CatalogLoader::try_suspended(ConnectionPtr control) {
  std::vector<TableId> ids;
  next_trial_ = TimePoint::max();
  if (context_->paused) co_return std::nullopt;  // the load that ends this looks again
  for (auto& [id, table] : registry_->tables()) {
    if (table.row.status != TableStatus::kSuspended || !table.row.exists || !table.retry) continue;
    if (*table.retry > Clock::now()) {
      next_trial_ = std::min(next_trial_, *table.retry);
    } else {
      ids.push_back(id);
      table.retry.reset();  // the load that follows says when, if it stays suspended
    }
  }
  if (ids.empty()) co_return std::nullopt;
  const auto tried = co_await control->query(sql::try_suspended(ids), deadline_after(kQueryTimeout));
  if (!tried) co_return tried.error();
  log::info("scheduler", "suspended stream tables are tried again database={} count={}", context_->name(), ids.size());
  context_->signals.reload_next();
  co_return std::nullopt;
}

// The history ---------------------------------------------------------------------------------------------------------

asio::awaitable<MaybeError> CatalogLoader::learn_from_history(ConnectionPtr control) {
  const auto rows = co_await control->query(sql::recent_refreshes(), deadline_after(kQueryTimeout));
  if (!rows) co_return rows.error();
  const auto refreshes = sql::read_recent_refreshes(*rows);
  if (!refreshes) co_return refreshes.error();
  for (auto& [id, table] : registry_->tables()) {
    table.costs = refresh::CostModel();
    table.fuse = refresh::FuseModel();
  }
  for (const sql::RecentRefresh& refresh : *refreshes) {
    Table* table = registry_->find(refresh.id);
    if (!table) continue;
    if (refresh.delta_rows > 0)
      table->fuse.applied(refresh.delta_rows, static_cast<std::size_t>(context_->settings.fuse_history));
    if (refresh.action == Action::kFull) {
      table->costs.full(refresh.duration_ms);
    } else {
      table->costs.differential(refresh.delta_rows, refresh.duration_ms);
      table->largest_delta = std::max(table->largest_delta, refresh.delta_rows);
    }
  }
  co_return std::nullopt;
}

}  // namespace pgtrickle::scheduler
