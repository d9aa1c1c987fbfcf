#include "refresh/refresh_unit.h"

#include <algorithm>
#include <utility>

namespace pgtrickle::refresh {
namespace {

namespace asio = boost::asio;
using postgres::Clock;
using postgres::Connection;
using postgres::Error;
using postgres::ErrorOrigin;
using postgres::Result;
using postgres::RowReader;
using postgres::Rows;
using postgres::Statement;

// statement_timestamp() is the time when this statement of the pipeline began; clock_timestamp() is evaluated after the
// function has returned, because r is materialised first.
Statement refresh_statement(std::int64_t id) {
  const std::string number = std::to_string(id);
  Statement statement;
  statement.name = "pgt_refresh_" + number;
  statement.sql =
      "WITH r AS MATERIALIZED (SELECT x.action, x.delta_rows, x.rows_inserted, x.rows_updated, x.rows_deleted, "
      "clock_timestamp() AS ended FROM pgtrickle_state.refresh_" +
      number +
      "('auto') AS x), "
      "h AS (INSERT INTO pgtrickle.pgt_refresh_history (pgt_id, data_timestamp, start_time, end_time, action, status, "
      "delta_rows, rows_inserted, rows_updated, rows_deleted, duration_ms, initiated_by) "
      "SELECT " +
      number +
      ", transaction_timestamp(), statement_timestamp(), r.ended, r.action, 'COMPLETED', "
      "r.delta_rows, r.rows_inserted, r.rows_updated, r.rows_deleted, "
      "extract(epoch FROM r.ended - statement_timestamp()) * 1000, 'SCHEDULER' "
      "FROM r WHERE r.action IN ('DIFFERENTIAL', 'FULL')) "
      "SELECT r.action, r.delta_rows, r.rows_inserted, r.rows_updated, r.rows_deleted, "
      "(extract(epoch FROM r.ended - statement_timestamp()) * 1000000)::bigint AS microseconds FROM r";
  return statement;
}

Outcome failed(std::int64_t id, Error error, std::chrono::microseconds duration) {
  Outcome outcome;
  outcome.id = id;
  outcome.error = std::move(error);
  outcome.duration = duration;
  return outcome;
}

Result<Outcome> read_outcome(std::int64_t id, const Rows& rows) {
  RowReader row(rows, 0);
  Outcome outcome;
  outcome.id = id;
  outcome.action = row.get<std::string>("action");
  outcome.delta_rows = row.get<std::optional<std::int64_t>>("delta_rows").value_or(0);
  outcome.rows_inserted = row.get<std::optional<std::int64_t>>("rows_inserted").value_or(0);
  outcome.rows_updated = row.get<std::optional<std::int64_t>>("rows_updated").value_or(0);
  outcome.rows_deleted = row.get<std::optional<std::int64_t>>("rows_deleted").value_or(0);
  outcome.server_duration = std::chrono::microseconds(std::max<std::int64_t>(0, row.get<std::int64_t>("microseconds")));
  if (row.error()) return *row.error();
  return outcome;
}

std::chrono::microseconds since(postgres::Deadline start) {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
}

struct Attempt {
  std::vector<Outcome> outcomes;  // of all members, if there is no error
  std::optional<Error> error;     // of the whole transaction
};

asio::awaitable<Attempt> attempt_unit(Connection& connection, const std::vector<std::int64_t>& ids,
                                      std::chrono::milliseconds timeout) {
  std::vector<Statement> statements(1);
  statements.front().sql = "BEGIN ISOLATION LEVEL REPEATABLE READ";
  for (const std::int64_t id : ids) {
    // A function of some user's query may have changed the session's search_path: without this, what the next statement
    // calls could be his, with our rights.
    statements.emplace_back().sql = "SET search_path = pg_catalog, pg_temp";
    statements.push_back(refresh_statement(id));
  }
  statements.emplace_back().sql = "COMMIT";

  Attempt attempt;
  const auto start = Clock::now();
  const auto results = co_await connection.pipeline(std::move(statements), postgres::deadline_after(timeout));
  const auto duration = since(start);
  attempt.error = postgres::first_error(results);
  if (attempt.error && !results.back().ok()) attempt.error->in_doubt = results.back().error().in_doubt;
  if (!attempt.error) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      auto outcome = read_outcome(ids[i], *results[2 * i + 2]);
      if (!outcome) outcome = failed(ids[i], outcome.error(), duration);
      outcome->duration = ids.size() == 1 ? duration : outcome->server_duration;
      attempt.outcomes.push_back(std::move(*outcome));
    }
  } else {
    co_await connection.rollback();
  }
  co_return attempt;
}

}  // namespace

asio::awaitable<std::vector<Outcome>> refresh_unit(Connection& connection, std::vector<std::int64_t> ids,
                                                   std::chrono::milliseconds timeout) {
  const auto start = Clock::now();
  Attempt attempt = co_await attempt_unit(connection, ids, timeout);
  if (!attempt.error) co_return std::move(attempt.outcomes);

  std::vector<Outcome> outcomes;
  const bool canceled = attempt.error->origin == ErrorOrigin::kCanceled;
  if (ids.size() > 1 && !canceled && connection.usable()) {
    for (const std::int64_t id : ids) {
      const auto single_start = Clock::now();
      const std::vector<std::int64_t> alone(1, id);
      Attempt single = co_await attempt_unit(connection, alone, timeout);
      if (!single.error) {
        outcomes.push_back(std::move(single.outcomes.front()));
      } else {
        outcomes.push_back(failed(id, std::move(*single.error), since(single_start)));
      }
    }
    co_return outcomes;
  }
  for (const std::int64_t id : ids) outcomes.push_back(failed(id, *attempt.error, since(start)));
  co_return outcomes;
}

}  // namespace pgtrickle::refresh
