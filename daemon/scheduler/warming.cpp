#include "scheduler/warming.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
using postgres::deadline_after;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t kMostAtOnce = 100;  // after connecting: plans take a few MB per table in the session
constexpr milliseconds kAcquireTimeout{1000};

}  // namespace

void Warming::refreshed(const ConnectionPtr& session, const std::vector<refresh::Outcome>& outcomes) {
  for (const refresh::Outcome& outcome : outcomes) {
    if (outcome.action != Action::kDifferential || !registry_->find(outcome.id)) continue;
    workers_->set_home(outcome.id, session);
    wanted_.erase(outcome.id);
  }
  for (const TableId id : workers_->lost_homes(session)) wanted_.insert(id);
}

void Warming::want_all() {
  const planner::RefreshPlanner& planner = registry_->planner();
  std::vector<TableId> ids;
  for (const auto& [id, table] : registry_->tables()) ids.push_back(id);
  const std::size_t most = std::min(kMostAtOnce, ids.size());
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(most), ids.end(),
                    [&](TableId a, TableId b) { return planner.period(a) < planner.period(b); });
  wanted_.insert(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(most));
}

// Its own plans, and those of all that read what it reads: capture of more columns changes the logs.
void Warming::want_after_build(const Table& built) {
  const auto& read = built.row.relations;
  const auto is_read = [&](const auto relation) { return std::find(read.begin(), read.end(), relation) != read.end(); };
  std::size_t others = 0;
  for (const auto& [id, table] : registry_->tables()) {
    const bool concerned = std::any_of(table.row.relations.begin(), table.row.relations.end(), is_read);
    if (id != built.row.id && (!concerned || ++others > kMostAtOnce)) continue;
    workers_->forget_home(id);
    wanted_.insert(id);
  }
}

std::optional<TableId> Warming::take_next() {
  const planner::RefreshPlanner& planner = registry_->planner();
  for (auto place = wanted_.begin(); place != wanted_.end();) {
    const TableId id = *place;
    const Table* table = registry_->find(id);
    if (table && (table->is_being_built() || planner.is_running(id))) {  // later
      ++place;
      continue;
    }
    place = wanted_.erase(place);
    if (!table) continue;
    const sql::StreamTable& row = table->row;
    const bool runs = row.exists && row.status == TableStatus::kActive && !row.needs_reinit && !row.fuse_blown &&
                      row.effective_refresh_mode == "DIFFERENTIAL";
    const bool alone = planner.dag().contains(id) && planner.dag().cycle(id).empty();
    if (runs && alone && !workers_->has_home(id)) return id;
  }
  return std::nullopt;
}

asio::awaitable<void> Warming::warm(TableId id, Domain domain) {
  const std::vector<TableId> ids(1, id);
  auto lease = co_await workers_->acquire(domain, ids, deadline_after(kAcquireTimeout), milliseconds(0));
  if (!lease) co_return;
  const Table* table = registry_->find(id);
  const std::int64_t expected = table ? table->largest_delta : 0;
  const auto warmed = co_await refresh::warm_up(**lease, id, expected);
  if (warmed.ok() && *warmed && registry_->find(id)) workers_->set_home(id, lease->connection());
  spdlog::debug("warmed up database={} pgt_id={} result=\"{}\"", context_->name(), id,
                !warmed.ok() ? warmed.error().text()
                : *warmed    ? "plans made"
                             : "not now");
}

}  // namespace pgtrickle::scheduler
