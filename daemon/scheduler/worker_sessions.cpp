#include "scheduler/worker_sessions.h"

#include <algorithm>
#include <utility>

#include "observe/log.h"
#include "scheduler/limits.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
namespace log = observe::log;
using postgres::Connection;
using postgres::deadline_after;
using postgres::Error;
using postgres::Pool;
using postgres::Result;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kStartOverTimeout{5000};
constexpr milliseconds kLookTimeout{5000};
constexpr int kSessionsToTry = 3;

struct Identity {
  std::string role, server;
  std::int64_t database = 0;
};

asio::awaitable<Result<Identity>> identity_of(Connection& connection) {
  const auto answer = co_await connection.query(sql::identify(), deadline_after(kLookTimeout));
  if (!answer) co_return answer.error();
  postgres::RowReader row(*answer, 0);
  Identity out;
  out.role = row.get<std::string>("role");
  out.database = row.get<std::int64_t>("database");
  out.server = row.get<std::string>("server");
  if (row.error()) co_return *row.error();
  co_return out;
}

}  // namespace

// Homes ---------------------------------------------------------------------------------------------------------------

// A session that has the plans, else one that serves this owner or nobody yet: it need not be cleaned.
Pool::Preference WorkerSessions::preference(const std::vector<TableId>& ids, Domain domain) const {
  std::vector<ConnectionPtr> homes;
  for (const TableId id : ids) {
    const auto found = homes_.find(id);
    if (found == homes_.end()) continue;
    if (auto home = found->second.lock()) homes.push_back(std::move(home));
  }
  std::vector<const Connection*> known(homes.size());
  std::transform(homes.begin(), homes.end(), known.begin(), [](const ConnectionPtr& home) { return home.get(); });
  return [known = std::move(known), domain](const Connection& connection) {
    if (std::find(known.begin(), known.end(), &connection) != known.end()) return Pool::Liking::kLiked;
    return connection.serves().value_or(domain) == domain ? Pool::Liking::kSuitable : Pool::Liking::kUnsuitable;
  };
}

bool WorkerSessions::has_home(TableId id) const {
  const auto found = homes_.find(id);
  return found != homes_.end() && !found->second.expired();
}

std::vector<TableId> WorkerSessions::lost_homes(const ConnectionPtr& used) {
  if (used->created_at() <= newest_home_) return {};
  newest_home_ = used->created_at();
  // It is new, so another one may have gone, with the plans that it had.
  std::erase_if(homes_, [&](const auto& home) { return !registry_->tables().contains(home.first); });
  std::vector<TableId> out;
  for (const auto& [id, home] : homes_) {
    if (home.expired()) out.push_back(id);
  }
  return out;
}

asio::awaitable<Result<Pool::Lease>> WorkerSessions::acquire(Domain domain, std::vector<TableId> ids,
                                                             postgres::Deadline deadline, milliseconds patience) {
  const auto pool = sessions_->workers();
  Error last = postgres::timeout_error("no session could be made ready for this owner");
  for (int i = 0; i < kSessionsToTry; ++i) {
    auto prefers = preference(ids, domain);
    auto lease = co_await pool->acquire(deadline, std::move(prefers), patience);
    if (!lease) co_return lease.error();
    Connection& session = **lease;
    bool ready = session.serves().value_or(domain) == domain;
    if (!ready) {
      ready = co_await session.start_over(deadline_after(kStartOverTimeout));
      if (!ready)
        log::info("connection",
                  "a worker session was closed: its last owner left something behind that "
                  "could not be taken away database={}",
                  context_->name());
    }
    if (ready) {
      session.set_serves(domain);
      co_return std::move(lease);
    }
  }
  co_return last;
}

// The role ------------------------------------------------------------------------------------------------------------

void WorkerSessions::set_role(std::string role, std::string problem) {
  role_ = std::move(role);
  problem_ = std::move(problem);
}

// The sessions are asked once, the catalog says every time what the role may do.
asio::awaitable<MaybeError> WorkerSessions::check(ConnectionPtr control) {
  std::string now;
  if (context_->has_worker_login()) now = co_await trouble(control);
  if (!control->open()) co_return postgres::connection_error("the connection is closed");
  if (now == context_->worker_trouble) co_return std::nullopt;
  context_->worker_trouble = now;
  if (!now.empty()) session_role_.reset();
  context_->set_problem(now);
  context_->signals.wake_dispatcher();
  co_return std::nullopt;
}

asio::awaitable<std::string> WorkerSessions::trouble(ConnectionPtr control) {
  const std::string then = ": nothing is refreshed until that is mended, see docs/SECURITY.md";
  if (role_.empty()) {
    co_return "worker_dsn is set, but no role for worker sessions is known here (SELECT pgtrickle.use_worker_role('...'))" +
        then;
  }
  if (!problem_.empty()) co_return "worker sessions have something to lose, because " + problem_ + then;
  if (!session_role_) {
    const auto pool = sessions_->workers();
    auto lease = co_await pool->acquire(deadline_after(kLookTimeout));
    if (!lease) co_return "worker sessions cannot connect: " + lease.error().message;
    const auto theirs = co_await identity_of(**lease);
    const auto ours = co_await identity_of(*control);
    if (!theirs || !ours)
      co_return "worker sessions cannot be looked at: " + (theirs ? ours.error() : theirs.error()).message;
    if (theirs->database != ours->database || theirs->server != ours->server)
      co_return "worker_dsn leads to another database than dsn" + then;
    session_role_ = theirs->role;
  }
  if (*session_role_ != role_) {
    co_return "worker sessions log in as role \"" + *session_role_ + "\", but pgtrickle.use_worker_role names \"" +
        role_ + "\"" + then;
  }
  co_return std::string();
}

asio::awaitable<MaybeError> WorkerSessions::refuse_or_admit(ConnectionPtr control) {
  std::vector<TableId> refused, admitted;
  for (const auto& [id, table] : registry_->tables()) {
    const sql::StreamTable& row = table.row;
    if (!row.exists || !context_->leader) continue;
    if (registry_->is_served(row)) {
      if (row.refused) admitted.push_back(id);
    } else if (may_happen(StatusEvent::kRefused, row.status)) {
      refused.push_back(id);
    }
  }
  if (!refused.empty()) {
    const auto done = co_await control->query(sql::refuse(refused), deadline_after(kQueryTimeout));
    if (!done) co_return done.error();
    log::warn("scheduler",
              "stream tables are not served: their owners are not trusted, and there are no worker sessions "
              "database={} count={}",
              context_->name(), refused.size());
  }
  if (!admitted.empty()) {
    const auto done = co_await control->query(sql::admit(admitted), deadline_after(kQueryTimeout));
    if (!done) co_return done.error();
    log::info("scheduler", "stream tables are served now database={} count={}", context_->name(), admitted.size());
  }
  if (!refused.empty() || !admitted.empty()) context_->signals.reload_next();
  co_return std::nullopt;
}

}  // namespace pgtrickle::scheduler
