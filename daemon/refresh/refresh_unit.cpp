#include "refresh/refresh_unit.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "postgres/array.h"

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
using std::chrono::microseconds;

constexpr const char* kPaused = "TR001";    // sql: pgtrickle._enter_unit()
constexpr const char* kWithheld = "TR002";  // sql: pgtrickle._together()
constexpr int kConflictRetries = 3;
constexpr std::int64_t kFewRows = 200;  // those are applied by the program that warming up makes plans for
constexpr std::chrono::seconds kWarmUpTime{5};
constexpr std::size_t kBeforeSteps = 2;   // statements of a transaction before those of the first step
constexpr std::size_t kPerStep = 2;       // SET search_path, refresh
constexpr std::size_t kMostRemovals = 8;  // then the rest is refreshed one by one

// statement_timestamp() is the time when this statement of the pipeline began; clock_timestamp() is evaluated after the
// function has returned, because r is materialised first.
Statement refresh_statement(std::int64_t id, bool together) {
  const std::string number = std::to_string(id);
  Statement statement;
  statement.name = "pgt_refresh_" + number + (together ? "_together" : "");
  const std::string action = together ? "pgtrickle._together(x.action, " + number + ", x.delta_rows)" : "x.action";
  statement.sql = "WITH r AS MATERIALIZED (SELECT " + action +
                  " AS action, x.delta_rows, x.rows_inserted, x.rows_updated, x.rows_deleted, "
                  "clock_timestamp() AS ended FROM pgtrickle_state.refresh_" +
                  number +
                  "('auto') AS x), "
                  "h AS (INSERT INTO pgtrickle.pgt_refresh_history (pgt_id, data_timestamp, start_time, end_time, "
                  "action, status, delta_rows, rows_inserted, rows_updated, rows_deleted, duration_ms, initiated_by) "
                  "SELECT " +
                  number +
                  ", transaction_timestamp(), statement_timestamp(), r.ended, r.action, 'COMPLETED', "
                  "r.delta_rows, r.rows_inserted, r.rows_updated, r.rows_deleted, "
                  "extract(epoch FROM r.ended - statement_timestamp()) * 1000, 'SCHEDULER' "
                  "FROM r WHERE r.action IN ('DIFFERENTIAL', 'FULL', 'SKIPPED')) "
                  "SELECT " +
                  number +
                  "::bigint AS pgt_id, r.action, r.delta_rows, r.rows_inserted, r.rows_updated, r.rows_deleted, "
                  "0 AS iterations, "
                  "(extract(epoch FROM r.ended - statement_timestamp()) * 1000000)::bigint AS microseconds FROM r";
  return statement;
}

Statement cycle_statement(const std::vector<std::int64_t>& ids, int max_iterations) {
  Statement statement;
  statement.name = "pgt_refresh_cycle";
  statement.sql =
      "WITH r AS MATERIALIZED (SELECT x.*, clock_timestamp() AS ended "
      "FROM pgtrickle._refresh_scc($1::bigint[], false, $2::int) AS x) "
      "SELECT r.pgt_id, r.action, r.delta_rows, r.rows_inserted, r.rows_updated, r.rows_deleted, r.iterations, "
      "(extract(epoch FROM r.ended - statement_timestamp()) * 1000000)::bigint AS microseconds FROM r";
  statement.parameters = {postgres::array_of(ids), std::to_string(max_iterations)};
  return statement;
}

Outcome failed(std::int64_t id, const Error& error, microseconds duration) {
  Outcome outcome;
  outcome.id = id;
  outcome.error = error;
  outcome.duration = duration;
  return outcome;
}

Result<std::vector<Outcome>> read_outcomes(const Rows& rows) {
  std::vector<Outcome> out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    RowReader row(rows, i);
    Outcome outcome;
    outcome.id = row.get<std::int64_t>("pgt_id");
    outcome.action = row.get<std::string>("action");
    outcome.delta_rows = row.get<std::optional<std::int64_t>>("delta_rows").value_or(0);
    outcome.rows_inserted = row.get<std::optional<std::int64_t>>("rows_inserted").value_or(0);
    outcome.rows_updated = row.get<std::optional<std::int64_t>>("rows_updated").value_or(0);
    outcome.rows_deleted = row.get<std::optional<std::int64_t>>("rows_deleted").value_or(0);
    outcome.iterations = row.get<std::optional<int>>("iterations").value_or(0);
    outcome.server_duration = microseconds(std::max<std::int64_t>(0, row.get<std::int64_t>("microseconds")));
    if (row.error()) return *row.error();
    out.push_back(std::move(outcome));
  }
  return out;
}

microseconds since(postgres::Deadline start) {
  return std::chrono::duration_cast<microseconds>(Clock::now() - start);
}

struct Attempt {
  std::vector<Outcome> outcomes;           // of all steps, if there is no error
  std::optional<Error> error;              // of the whole transaction
  std::optional<std::size_t> failed_step;  // whose statement it was, if of one
  microseconds duration{0};
};

asio::awaitable<Attempt> attempt_unit(Connection& connection, const std::vector<Step>& steps,
                                      const UnitSettings& settings) {
  std::vector<Statement> statements(kBeforeSteps);
  statements[0].sql = "BEGIN ISOLATION LEVEL REPEATABLE READ";
  statements[1].sql = "SELECT pgtrickle._enter_unit()";
  statements[1].name = "pgt_enter_unit";
  for (const Step& step : steps) {
    // A function of some user's query may have changed the session's search_path: without this, what the next statement
    // calls could be his, with our rights.
    statements.emplace_back().sql = "SET search_path = pg_catalog, pg_temp";
    statements.push_back(step.cycle ? cycle_statement(step.ids, settings.max_iterations)
                                    : refresh_statement(step.ids.front(), step.together != 0));
  }
  statements.emplace_back().sql = "COMMIT";

  Attempt attempt;
  const auto start = Clock::now();
  const auto results = co_await connection.pipeline(std::move(statements), postgres::deadline_after(settings.timeout));
  attempt.duration = since(start);
  attempt.error = postgres::first_error(results);
  if (attempt.error && !results.back().ok()) attempt.error->in_doubt = results.back().error().in_doubt;
  if (!attempt.error) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
      auto outcomes = read_outcomes(*results[kBeforeSteps + kPerStep * i + 1]);
      if (outcomes.ok()) {
        for (Outcome& outcome : *outcomes) {
          outcome.unit_duration = attempt.duration;
          outcome.duration = steps.size() == 1 ? attempt.duration : outcome.server_duration;
          attempt.outcomes.push_back(std::move(outcome));
        }
      } else {
        for (const std::int64_t id : steps[i].ids)
          attempt.outcomes.push_back(failed(id, outcomes.error(), attempt.duration));
      }
    }
    co_return attempt;
  }
  for (std::size_t i = 0; i < steps.size() && !attempt.failed_step; ++i) {
    for (std::size_t k = 0; k < kPerStep; ++k) {
      const auto& result = results[kBeforeSteps + kPerStep * i + k];
      if (!result.ok() && result.error().origin != ErrorOrigin::kSkipped) attempt.failed_step = i;
    }
  }
  co_await connection.rollback();
  co_return attempt;
}

/// "<pgt_id> <pending rows>" in the detail of TR002.
std::int64_t pending_rows_in(const std::string& detail) {
  std::int64_t rows = 0;
  const std::size_t space = detail.find(' ');
  if (space != std::string::npos) (void)std::from_chars(detail.data() + space + 1, detail.data() + detail.size(), rows);
  return rows;
}

/// The members of the step that could not be refreshed, and of those that go with it.
void give_up(std::vector<Step>& steps, std::size_t culprit, const Attempt& attempt,
             std::map<std::int64_t, Outcome>& outcomes) {
  const Step guilty = steps[culprit];
  const auto goes_with = [&](const Step& step) {
    return step.ids == guilty.ids || (guilty.together != 0 && step.together == guilty.together);
  };
  for (const Step& step : steps) {
    if (!goes_with(step)) continue;
    for (const std::int64_t id : step.ids) {
      Outcome outcome;
      if (step.ids != guilty.ids) {
        outcome.id = id;
        outcome.action = "WITHHELD";
      } else if (attempt.error->sqlstate == kWithheld) {
        outcome.id = id;
        outcome.action = attempt.error->message;  // what refresh_<id> said
        if (step.ids.size() == 1) outcome.delta_rows = pending_rows_in(attempt.error->detail);
        outcome.duration = attempt.duration;
      } else {
        outcome = failed(id, *attempt.error, attempt.duration);
      }
      outcomes[id] = std::move(outcome);
    }
  }
  std::erase_if(steps, goes_with);
}

void all_fail(const std::vector<Step>& steps, const Attempt& attempt, std::map<std::int64_t, Outcome>& outcomes) {
  for (const Step& step : steps) {
    for (const std::int64_t id : step.ids) {
      if (attempt.error->sqlstate == kPaused) {
        outcomes[id].id = id;
        outcomes[id].action = "PAUSED";
      } else {
        outcomes[id] = failed(id, *attempt.error, attempt.duration);
      }
    }
  }
}

bool is_conflict(const Error& error) {
  return error.sqlstate == "40001" || error.sqlstate == "40P01";
}

asio::awaitable<void> refresh_together(Connection& connection, std::vector<Step> steps, UnitSettings settings,
                                       std::map<std::int64_t, Outcome>& outcomes) {
  int conflicts = 0;
  for (std::size_t removals = 0; !steps.empty();) {
    Attempt attempt = co_await attempt_unit(connection, steps, settings);
    if (!attempt.error) {
      for (Outcome& outcome : attempt.outcomes) outcomes[outcome.id] = std::move(outcome);
      co_return;
    }
    const bool hopeless = attempt.error->origin == ErrorOrigin::kCanceled || !connection.usable() ||
                          attempt.error->sqlstate == kPaused || !attempt.failed_step;
    if (hopeless) {
      all_fail(steps, attempt, outcomes);
      co_return;
    }
    if (is_conflict(*attempt.error)) {
      if (++conflicts <= kConflictRetries) continue;
      all_fail(steps, attempt, outcomes);  // nobody's fault: they are to be tried again together
      co_return;
    }
    give_up(steps, *attempt.failed_step, attempt, outcomes);
    if (++removals < kMostRemovals) continue;
    // Too much is broken: one by one, so that every good one is tried only once more.
    while (!steps.empty()) {
      const Step first = steps.front();
      std::vector<Step> part;
      for (const Step& step : steps) {
        if (step.ids == first.ids || (first.together != 0 && step.together == first.together)) part.push_back(step);
      }
      std::erase_if(steps, [&](const Step& step) {
        return step.ids == first.ids || (first.together != 0 && step.together == first.together);
      });
      Attempt single = co_await attempt_unit(connection, part, settings);
      if (!single.error) {
        for (Outcome& outcome : single.outcomes) outcomes[outcome.id] = std::move(outcome);
      } else if (single.failed_step && connection.usable()) {
        give_up(part, *single.failed_step, single, outcomes);
      } else {
        all_fail(part, single, outcomes);
        if (!connection.usable()) {
          all_fail(steps, single, outcomes);
          co_return;
        }
      }
    }
  }
}

}  // namespace

asio::awaitable<Result<bool>> warm_up(Connection& connection, std::int64_t id) {
  const std::string program = "pgtrickle_state.refresh_" + std::to_string(id);
  std::vector<Statement> look(5);
  look[0].sql = "BEGIN ISOLATION LEVEL REPEATABLE READ";
  look[1].sql = "SELECT pgtrickle._enter_unit()";
  look[1].name = "pgt_enter_unit";
  look[2].sql = "SET LOCAL lock_timeout = '100ms'";  // a refresh of it that runs goes first
  look[3].sql = "SET search_path = pg_catalog, pg_temp";
  look[4].sql = "SELECT x.action, x.delta_rows FROM " + program + "('look') AS x";
  const auto seen = co_await connection.pipeline(std::move(look), postgres::deadline_after(kWarmUpTime));
  auto error = postgres::first_error(seen);
  bool warm = false;
  if (!error) {
    RowReader row(*seen.back(), 0);
    const auto action = row.get<std::string>("action");
    const auto pending = row.get<std::optional<std::int64_t>>("delta_rows").value_or(0);
    warm = !row.error() && (action == "NO_DATA" || action == "DIFFERENTIAL") && pending <= kFewRows;
  }
  if (warm) {
    std::vector<Statement> run(3);
    run[0].sql = "SELECT FROM " + program + "('differential')";
    run[1].sql = "SET search_path = pg_catalog, pg_temp";
    run[2] = refresh_statement(id, false);
    const auto done = co_await connection.pipeline(std::move(run), postgres::deadline_after(kWarmUpTime));
    error = postgres::first_error(done);
  }
  co_await connection.rollback();
  if (error) co_return *error;
  co_return warm;
}

asio::awaitable<std::vector<Outcome>> refresh_unit(Connection& connection, std::vector<Step> steps,
                                                   UnitSettings settings) {
  std::vector<std::int64_t> ids;
  for (const Step& step : steps) ids.insert(ids.end(), step.ids.begin(), step.ids.end());
  std::map<std::int64_t, Outcome> outcomes;
  co_await refresh_together(connection, std::move(steps), settings, outcomes);
  std::vector<Outcome> out;
  for (const std::int64_t id : ids) {
    Outcome& outcome = outcomes[id];
    outcome.id = id;
    if (outcome.action.empty() && !outcome.error) outcome.action = "WITHHELD";
    out.push_back(std::move(outcome));
  }
  co_return out;
}

}  // namespace pgtrickle::refresh
