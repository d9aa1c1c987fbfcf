#include "scheduler/frontier_updates.h"

#include <algorithm>
#include <utility>

#include "scheduler/limits.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
using postgres::Clock;

void FrontierUpdates::begin() {
  next_ = Clock::now() + kFrontierUpdateInterval;
}

void FrontierUpdates::start() {
  running_ = true;
  context_->tasks->spawn(run(shared_from_this()));
}

asio::awaitable<void> FrontierUpdates::run(std::shared_ptr<FrontierUpdates> self) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const TimePoint begun = Clock::now();
  std::vector<TableId> ids;
  for (const auto& [id, table] : self->registry_->tables()) {
    if (table.row.status == TableStatus::kActive && table.row.effective_refresh_mode == "DIFFERENTIAL")
      ids.push_back(id);
  }
  const auto batches = in_batches(ids);
  for (std::size_t i = 0; i < batches.size() && self->context_->leading(); ++i) co_await self->update(batches[i]);
  const TimePoint ended = Clock::now();
  self->running_ = false;
  self->next_ = ended + std::max<Clock::duration>(kFrontierUpdateInterval, (ended - begun) * kIdleShare);
  self->context_->signals.wake_control();
}

// A refresh that runs meanwhile would fail to lock a frontier that we have just changed: these tables count as running.
asio::awaitable<void> FrontierUpdates::update(std::vector<TableId> ids) {
  const TimePoint at = Clock::now();
  Update update;
  for (const TableId id : ids) {
    if (Table* table = registry_->find(id)) add(*table, at, update);
  }
  if (!update.ages.empty()) update.statements.push_back(sql::mark_fresh(update.ages));
  if (!update.statements.empty()) co_await sessions_->write(std::move(update.statements));
  for (const TableId id : update.reserved) registry_->planner().released(id);
  context_->signals.wake_dispatcher();
}

void FrontierUpdates::add(Table& table, TimePoint at, Update& update) {
  const TableId id = table.row.id;
  const auto fresh = registry_->planner().fresh_at(id, at);
  const bool newer = fresh && (!table.freshness_written || *fresh > *table.freshness_written);
  const std::int64_t threshold = table.costs.threshold(table.row.rows);
  const bool new_costs = refresh::CostModel::worth_writing(table.row.full_threshold, threshold);
  const auto fuse = table.row.fuse == "auto" ? table.fuse.limit(table.row.fuse_sensitivity) : std::nullopt;
  const bool new_fuse = fuse && refresh::FuseModel::worth_writing(table.row.fuse_learned, *fuse);
  if ((!newer && !new_costs && !new_fuse) || !registry_->planner().reserve(id, at)) return;
  update.reserved.insert(id);
  if (new_costs) {
    update.statements.push_back(sql::set_cost_estimate(id, {.full_threshold = threshold,
                                                            .ms_per_delta_row = table.costs.ms_per_delta_row(),
                                                            .ms_per_full = table.costs.ms_per_full()}));
    table.row.full_threshold = threshold;
  }
  if (new_fuse) {
    update.statements.push_back(sql::set_fuse_learned(id, *fuse));
    table.row.fuse_learned = *fuse;
  }
  if (newer) {
    update.ages[id] = std::chrono::duration<double>(at - *fresh).count();
    table.freshness_written = *fresh;
  }
}

}  // namespace pgtrickle::scheduler
