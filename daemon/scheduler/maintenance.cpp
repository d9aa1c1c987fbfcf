#include "scheduler/maintenance.h"

#include <algorithm>
#include <utility>

#include "model/agreements.h"
#include "observe/log.h"
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
constexpr int kPruneBatch = 1000;
constexpr milliseconds kFactsIntervalWatched{30000};  // roles, libraries: event triggers tell the rest
constexpr int kShare = 500;                           // looking at logs takes at most this part of the time
constexpr milliseconds kIdleMax{5000};

}  // namespace

void Maintenance::begin() {
  next_ = next_prune_ = next_check_of_facts_ = Clock::now();
}

void Maintenance::start() {
  running_ = true;
  context_->tasks->spawn(run(shared_from_this()));
}

void Maintenance::follow_replication_soon() {
  next_ = next_check_of_facts_ = Clock::now();
  context_->signals.wake_control();
}

asio::awaitable<void> Maintenance::run(std::shared_ptr<Maintenance> self) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto pool = self->sessions_->maintenance();
  auto lease = co_await pool->acquire(deadline_after(kQueryTimeout));
  const TimePoint begun = Clock::now();
  bool busy = false;
  if (lease) {
    Connection& connection = **lease;
    busy = co_await self->logs_->run(lease->connection());
    if (Clock::now() >= self->next_prune_) co_await self->prune(connection);
    if (Clock::now() >= self->next_check_of_facts_) {
      co_await self->check_facts(connection);
      if (connection.usable()) co_await self->follow_replication(connection);
    }
  }
  self->running_ = false;
  const TimePoint ended = Clock::now();
  const Clock::duration usual = self->context_->settings.housekeeping_interval;
  const Clock::duration idle = std::min<Clock::duration>(kIdleMax, (ended - begun) * kShare);
  self->next_ = ended + (busy ? usual : std::max(usual, idle));
  self->context_->signals.wake_control();
}

asio::awaitable<void> Maintenance::prune(Connection& connection) {
  const auto pruned = co_await connection.query(sql::prune_history(context_->settings.history_retention, kPruneBatch),
                                                deadline_after(kQueryTimeout));
  const bool more = pruned.ok() && pruned->affected() == kPruneBatch;
  if (more) co_return;
  next_prune_ = Clock::now() + kPruneInterval;
  (void)co_await connection.query(sql::settle_refresh_stats(), deadline_after(kQueryTimeout));
  (void)co_await connection.query(sql::forget_dead_daemons(), deadline_after(kQueryTimeout));
}

// The first asks for event triggers, the second answers nothing, the others say how many are to be rebuilt.
std::vector<Statement> Maintenance::checks_of_facts() const {
  std::vector<Statement> out;
  out.push_back(sql::has_event_triggers());
  out.push_back(sql::check_sources());
  out.push_back(sql::settle_rights());
  std::vector<TableId> ids;
  for (const auto& [id, table] : registry_->tables()) {
    if (table.row.exists && !table.row.effective_refresh_mode.empty() && !table.row.needs_reinit) ids.push_back(id);
  }
  for (const auto& some : in_batches(ids)) out.push_back(sql::watch_facts(some));
  return out;
}

asio::awaitable<void> Maintenance::check_facts(Connection& connection) {
  const TimePoint begun = Clock::now();
  const std::vector<Statement> statements = checks_of_facts();
  bool watched = true;
  for (std::size_t i = 0; i < statements.size() && !context_->stopping; ++i) {
    const auto answer = co_await connection.query(statements[i], deadline_after(kQueryTimeout));
    if (!answer) {
      log::warn("housekeeping", "catalog not compared database={} error={}", context_->name(), answer.error().text());
      if (!connection.usable()) break;
    } else if (i == 0) {
      const auto flag = sql::read_flag(*answer);
      watched = flag.ok() && *flag;
    } else if (i > 1) {
      postgres::RowReader row(*answer, 0);
      if (row.get<int>("changed") > 0) context_->signals.reload_soon();
    }
  }
  const TimePoint ended = Clock::now();
  next_check_of_facts_ =
      ended + std::max<Clock::duration>(watched ? kFactsIntervalWatched : agreements::kFactsInterval,
                                        (ended - begun) * (watched ? kIdleShare : agreements::kFactsShare));
}

asio::awaitable<void> Maintenance::follow_replication(Connection& connection) {
  const auto answer = co_await connection.query(sql::follow_replication(), deadline_after(kQueryTimeout));
  if (!answer) {
    log::warn("housekeeping", "subscriptions and publications not followed database={} error={}", context_->name(),
              answer.error().text());
    co_return;
  }
  postgres::RowReader row(*answer, 0);
  const auto changed = row.get<std::int64_t>("changed");
  if (row.error() || changed == 0) co_return;
  log::info("housekeeping", "adapted to subscriptions and publications database={} changes={}", context_->name(),
            changed);
  context_->signals.reload_soon();
}

}  // namespace pgtrickle::scheduler
