// Worker sessions: the sessions that run the code of the owners of stream tables. With a login of their own they have
// nothing to lose, and serve one owner at a time; otherwise they are the admin's, and serve only whom he trusts.
#include <algorithm>
#include <utility>

#include "observe/log.h"
#include "scheduler/database_scheduler.h"
#include "scheduler/limits.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
namespace log = observe::log;
using postgres::Clock;
using postgres::deadline_after;
using postgres::Error;
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

asio::awaitable<Result<Identity>> identity_of(postgres::Connection& connection) {
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

/// None if they are not of one, or not here any more.
std::optional<Domain> DatabaseScheduler::common_domain(const std::vector<TableId>& ids) const {
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

asio::awaitable<Result<postgres::Pool::Lease>> DatabaseScheduler::worker_session(Domain domain,
                                                                                 std::vector<TableId> ids,
                                                                                 postgres::Deadline deadline,
                                                                                 milliseconds patience) {
  const auto pool = refresh_pool_;
  Error last = postgres::timeout_error("no session could be made ready for this owner");
  for (int i = 0; i < kSessionsToTry; ++i) {
    auto prefers = home_of(ids, domain);
    auto lease = co_await pool->acquire(deadline, std::move(prefers), patience);
    if (!lease) co_return lease.error();
    postgres::Connection& session = **lease;
    bool ready = session.serves().value_or(domain) == domain;
    if (!ready) {
      ready = co_await session.start_over(deadline_after(kStartOverTimeout));
      if (!ready)
        log::info("connection",
                  "a worker session was closed: its last owner left something behind that "
                  "could not be taken away database={}",
                  database_.name);
    }
    if (ready) {
      session.set_serves(domain);
      co_return std::move(lease);
    }
  }
  co_return last;
}

/// After each load of the catalog. The sessions are asked once, the catalog says every time what the role may do.
asio::awaitable<std::optional<Error>> DatabaseScheduler::look_at_workers(ConnectionPtr control) {
  std::string trouble;
  if (has_workers()) trouble = co_await trouble_of_workers(control);
  if (!control->open()) co_return postgres::connection_error("the connection is closed");
  if (trouble == worker_trouble_) co_return std::nullopt;
  worker_trouble_ = trouble;
  if (!trouble.empty()) worker_session_role_.reset();
  set_problem(trouble);
  ring();
  co_return std::nullopt;
}

asio::awaitable<std::string> DatabaseScheduler::trouble_of_workers(ConnectionPtr control) {
  const std::string then = ": nothing is refreshed until that is mended, see docs/SECURITY.md";
  if (worker_role_.empty()) {
    co_return "worker_dsn is set, but no role for worker sessions is known here (SELECT pgtrickle.use_worker_role('...'))" +
        then;
  }
  if (!worker_problem_.empty()) co_return "worker sessions have something to lose, because " + worker_problem_ + then;
  if (!worker_session_role_) {
    auto lease = co_await refresh_pool_->acquire(deadline_after(kLookTimeout));
    if (!lease) co_return "worker sessions cannot connect: " + lease.error().message;
    const auto theirs = co_await identity_of(**lease);
    const auto ours = co_await identity_of(*control);
    if (!theirs || !ours)
      co_return "worker sessions cannot be looked at: " + (theirs ? ours.error() : theirs.error()).message;
    if (theirs->database != ours->database || theirs->server != ours->server)
      co_return "worker_dsn leads to another database than dsn" + then;
    worker_session_role_ = theirs->role;
  }
  if (*worker_session_role_ != worker_role_) {
    co_return "worker sessions log in as role \"" + *worker_session_role_ +
        "\", but pgtrickle.use_worker_role names \"" + worker_role_ + "\"" + then;
  }
  co_return std::string();
}

/// Says in the catalog which stream tables are not served because of their owner, and takes it back.
asio::awaitable<std::optional<Error>> DatabaseScheduler::refuse_or_admit(ConnectionPtr control) {
  std::vector<TableId> refused, admitted;
  for (const auto& [id, table] : tables_) {
    const sql::StreamTable& row = table.row;
    if (!row.exists || !leader_) continue;
    if (is_served(row)) {
      if (row.refused) admitted.push_back(id);
    } else if (row.status == "PENDING" || row.status == "INITIALIZING" || row.status == "ACTIVE") {
      refused.push_back(id);
    }
  }
  if (!refused.empty()) {
    const auto done = co_await control->query(sql::refuse(refused), deadline_after(kQueryTimeout));
    if (!done) co_return done.error();
    log::warn("scheduler",
              "stream tables are not served: their owners are not trusted, and there are no worker sessions "
              "database={} count={}",
              database_.name, refused.size());
  }
  if (!admitted.empty()) {
    const auto done = co_await control->query(sql::admit(admitted), deadline_after(kQueryTimeout));
    if (!done) co_return done.error();
    log::info("scheduler", "stream tables are served now database={} count={}", database_.name, admitted.size());
  }
  if (!refused.empty() || !admitted.empty()) reload_requested_ = true;
  co_return std::nullopt;
}

}  // namespace pgtrickle::scheduler
