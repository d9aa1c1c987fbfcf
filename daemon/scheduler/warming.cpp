// Plans before they are needed. The first refresh of a table in a session plans everything, which takes 10 to 50 times
// as long as applying a row; so an idle session does that after a build and after connecting, and keeps the table.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "scheduler/database_scheduler.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
using postgres::Clock;
using postgres::Connection;
using postgres::deadline_after;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t kMostAtOnce = 100;  // after connecting: plans take a few MB per table in the session
constexpr milliseconds kTimeForOne{250};  // with a single connection the next unit would wait for it
constexpr milliseconds kAcquireTimeout{1000};

}  // namespace

// A session that has the plans, else one that serves this owner or nobody yet: it need not be cleaned.
postgres::Pool::Preference DatabaseScheduler::home_of(const std::vector<TableId>& ids, Domain domain) const {
  std::vector<ConnectionPtr> homes;
  for (const TableId id : ids) {
    const auto found = homes_.find(id);
    if (found == homes_.end()) continue;
    if (auto home = found->second.lock()) homes.push_back(std::move(home));
  }
  std::vector<const Connection*> known(homes.size());
  std::transform(homes.begin(), homes.end(), known.begin(), [](const ConnectionPtr& home) { return home.get(); });
  return [known = std::move(known), domain](const Connection& connection) {
    if (std::find(known.begin(), known.end(), &connection) != known.end()) return postgres::Pool::Liking::kLiked;
    return connection.serves().value_or(domain) == domain ? postgres::Pool::Liking::kSuitable
                                                          : postgres::Pool::Liking::kUnsuitable;
  };
}

void DatabaseScheduler::refreshed_by(const ConnectionPtr& connection, const std::vector<refresh::Outcome>& outcomes) {
  for (const refresh::Outcome& outcome : outcomes) {
    if (outcome.error || outcome.action != "DIFFERENTIAL" || !tables_.contains(outcome.id)) continue;
    homes_[outcome.id] = connection;
    to_warm_.erase(outcome.id);
  }
  if (connection->created_at() <= newest_home_) return;
  newest_home_ = connection->created_at();
  // It is new, so another one may have gone, with the plans that it had.
  for (const auto& [id, home] : homes_) {
    if (home.expired()) to_warm_.insert(id);
  }
}

// Those that are refreshed most often.
void DatabaseScheduler::warm_soon() {
  std::vector<TableId> ids;
  for (const auto& [id, table] : tables_) ids.push_back(id);
  const std::size_t most = std::min(kMostAtOnce, ids.size());
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(most), ids.end(),
                    [&](TableId a, TableId b) { return planner_.period(a) < planner_.period(b); });
  to_warm_.insert(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(most));
}

// Its own plans, and those of all that read what it reads: capture of more columns changes the logs.
void DatabaseScheduler::warm_after_build(const Table& built) {
  const auto& read = built.row.relations;
  const auto is_read = [&](const auto relation) { return std::find(read.begin(), read.end(), relation) != read.end(); };
  std::size_t others = 0;
  for (const auto& [id, table] : tables_) {
    const bool concerned = std::any_of(table.row.relations.begin(), table.row.relations.end(), is_read);
    if (id != built.row.id && (!concerned || ++others > kMostAtOnce)) continue;
    homes_.erase(id);
    to_warm_.insert(id);
  }
}

std::optional<TableId> DatabaseScheduler::next_to_warm() {
  for (auto place = to_warm_.begin(); place != to_warm_.end();) {
    const TableId id = *place;
    const auto found = tables_.find(id);
    const bool later =
        found != tables_.end() &&
        (found->second.building || found->second.loaded_at <= found->second.build_ended || planner_.is_running(id));
    if (later) {
      ++place;
      continue;
    }
    place = to_warm_.erase(place);
    if (found == tables_.end()) continue;
    const sql::StreamTable& row = found->second.row;
    const bool runs = row.exists && row.status == "ACTIVE" && !row.needs_reinit && !row.fuse_blown &&
                      row.effective_refresh_mode == "DIFFERENTIAL";
    const bool alone = planner_.dag().contains(id) && planner_.dag().cycle(id).empty();
    const auto home = homes_.find(id);
    if (runs && alone && (home == homes_.end() || home->second.expired())) return id;
  }
  return std::nullopt;
}

void DatabaseScheduler::start_warming() {
  if (!registered_ || !leading() || halted() || warming_ || to_warm_.empty()) return;
  if (units_running_ > 0 || !ready_.empty() || builds_running_ > 0) return;
  if (database_.pool_size == 1 && planner_.next_due() < Clock::now() + kTimeForOne) return;
  const auto id = next_to_warm();
  if (!id) return;
  const auto domain = common_domain({*id});
  if (!domain) return;
  if (!shared_->budget->try_take(budget_, *domain)) {
    shared_->budget->set_waiting(budget_, 0);
    to_warm_.insert(*id);
    return;
  }
  warming_ = true;
  spawn(warm(shared_from_this(), *id, *domain));
}

asio::awaitable<void> DatabaseScheduler::warm(Self self, TableId id, Domain domain) {
  co_await asio::this_coro::throw_if_cancelled(false);
  {
    std::vector<TableId> ids(1, id);
    auto lease =
        co_await self->worker_session(domain, std::move(ids), deadline_after(kAcquireTimeout), milliseconds(0));
    if (lease) {
      const auto warmed = co_await refresh::warm_up(**lease, id);
      if (warmed.ok() && *warmed && self->tables_.contains(id)) self->homes_[id] = lease->connection();
      spdlog::debug("warmed up database={} pgt_id={} result=\"{}\"", self->database_.name, id,
                    !warmed.ok() ? warmed.error().text()
                    : *warmed    ? "plans made"
                                 : "not now");
    }
  }
  self->warming_ = false;
  self->shared_->budget->release(self->budget_, domain);
  self->start_ready();
  self->ring();
}

}  // namespace pgtrickle::scheduler
