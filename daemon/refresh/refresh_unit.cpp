#include "refresh/refresh_unit.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>

#include "compiler/program.h"
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

constexpr int kConflictRetries = 3;
constexpr std::int64_t kLongestSleep = 60LL * 1'000'000;  // microseconds; _next_crossing_in() promises no more
constexpr std::chrono::seconds kWarmUpTime{5};
constexpr std::size_t kEntering = 1;      // the place of _enter_unit() in a transaction
constexpr std::size_t kBeforeSteps = 2;   // statements of a transaction before those of the steps, one of each
constexpr std::size_t kMostRemovals = 8;  // then the rest is refreshed one by one

// statement_timestamp() is the time when this statement of the pipeline began; clock_timestamp() is evaluated after the
// function has returned, because what it returns is read to its end first. Everything is named with its schema: a
// function of the query may have changed search_path.
std::string microseconds_of(const std::string& moment) {
  return "(extract(epoch FROM pg_catalog." + moment + "()) OPERATOR(pg_catalog.*) 1000000)::bigint";
}

std::string select_outcome(const std::string& columns, const std::string& call, const std::string& crossing_in) {
  return "SELECT " + columns + ", " + crossing_in +
         " AS crossing_in, x.delta_rows, x.rows_inserted, x.rows_updated, x.rows_deleted, " +
         microseconds_of("transaction_timestamp") + " AS data_at, " + microseconds_of("statement_timestamp") +
         " AS started_at, " + microseconds_of("clock_timestamp") + " AS ended_at FROM " + call + " AS x";
}

Statement refresh_statement(TableId id, bool together, bool follows_time) {
  const std::string number = std::to_string(id);
  const std::string action = together ? "pgtrickle._together(x.action, " + number + ", x.delta_rows)" : "x.action";
  // Evaluated after the function has returned, too.
  const std::string crossing_in = follows_time ? "pgtrickle._next_crossing_in(" + number + ")" : "NULL::bigint";
  return {.sql = select_outcome(action + " AS action", "pgtrickle_state.refresh_" + number + "('auto')", crossing_in),
          .name = "pgt_refresh_" + number + (together ? "_together" : "") + (follows_time ? "_timed" : "")};
}

Statement cycle_statement(const std::vector<std::int64_t>& ids, int max_iterations) {
  return {.sql = select_outcome("x.action, x.pgt_id, x.iterations",
                                "pgtrickle._refresh_scc($1::bigint[], false, $2::int, NULL)", "NULL::bigint"),
          .parameters = {postgres::array_of(ids), std::to_string(max_iterations)},
          .name = "pgt_refresh_cycle"};
}

Outcome failed(TableId id, const Error& error, microseconds duration) {
  Outcome outcome;
  outcome.id = id;
  outcome.error = error;
  outcome.duration = duration;
  return outcome;
}

/// What the program of one of the tables says. It belongs to the owner: only what can be is believed.
Result<Outcome> read_outcome(RowReader& row, TableId id) {
  const auto count = [&](const char* column) {
    return std::max<std::int64_t>(0, row.get<std::optional<std::int64_t>>(column).value_or(0));
  };
  Outcome outcome;
  outcome.id = id;
  const auto action = parse_answer(row.get<std::string>("action"));
  outcome.delta_rows = count("delta_rows");
  outcome.rows_inserted = count("rows_inserted");
  outcome.rows_updated = count("rows_updated");
  outcome.rows_deleted = count("rows_deleted");
  if (const auto in = row.get<std::optional<std::int64_t>>("crossing_in"))
    outcome.crossing_in = microseconds(std::clamp<std::int64_t>(*in, 0, kLongestSleep));
  outcome.data_at = count("data_at");
  outcome.started_at = count("started_at");
  outcome.ended_at = std::max(outcome.started_at, count("ended_at"));
  outcome.server_duration = microseconds(outcome.ended_at - outcome.started_at);
  if (row.error()) return *row.error();
  if (!action) return postgres::result_error("the program gives an unknown answer");
  outcome.action = *action;
  return outcome;
}

Result<std::vector<Outcome>> read_outcomes(const Rows& rows, const Step& step) {
  std::vector<Outcome> out;
  std::vector<std::int64_t> missing = step.ids;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    RowReader row(rows, i);
    auto outcome = read_outcome(row, step.cycle ? row.get<std::int64_t>("pgt_id") : step.ids.front());
    if (!outcome) return outcome.error();
    if (step.cycle) outcome->iterations = row.get<int>("iterations");
    if (row.error()) return *row.error();
    if (std::erase(missing, outcome->id) != 1) return postgres::result_error("the program gives answers for others");
    out.push_back(std::move(*outcome));
  }
  if (!missing.empty()) return postgres::result_error("the program gives no answer");
  return out;
}

microseconds since(postgres::Deadline start) {
  return std::chrono::duration_cast<microseconds>(Clock::now() - start);
}

struct Attempt {
  std::vector<Outcome> outcomes;           // of all steps, if there is no error
  std::optional<Error> error;              // of the whole transaction
  std::optional<std::size_t> failed_step;  // whose statement it was, if of one
  bool paused = false;                     // it is what _enter_unit() said
  bool at_commit = false;
  microseconds duration{0};
};

asio::awaitable<Attempt> attempt_unit(Connection& connection, const std::vector<Step>& steps,
                                      const UnitSettings& settings) {
  std::vector<Statement> statements(kBeforeSteps);
  statements[0].sql = "BEGIN ISOLATION LEVEL REPEATABLE READ";
  statements[1].sql = "SELECT pgtrickle._enter_unit()";
  // Not by a name: the session may have run code that can prepare another statement under it, and this one is believed.
  for (const Step& step : steps) {
    statements.push_back(step.cycle ? cycle_statement(step.ids, settings.max_iterations)
                                    : refresh_statement(step.ids.front(), step.together != 0, step.follows_time));
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
      auto outcomes = read_outcomes(*results[kBeforeSteps + i], steps[i]);
      if (outcomes.ok()) {
        for (Outcome& outcome : *outcomes) {
          outcome.unit_duration = attempt.duration;
          outcome.duration = steps.size() == 1 ? attempt.duration : outcome.server_duration;
          attempt.outcomes.push_back(std::move(outcome));
        }
      } else {
        for (const TableId id : steps[i].ids)
          attempt.outcomes.push_back(failed(id, outcomes.error(), attempt.duration));
      }
    }
    co_return attempt;
  }
  const auto raised = [&](std::size_t statement) {
    return !results[statement].ok() && results[statement].error().origin == ErrorOrigin::kServer;
  };
  attempt.paused = raised(kEntering) && attempt.error->is(Condition::kPaused);
  attempt.at_commit = raised(results.size() - 1);
  for (std::size_t i = 0; i < steps.size() && !attempt.failed_step; ++i) {
    const auto& result = results[kBeforeSteps + i];
    if (!result.ok() && result.error().origin != ErrorOrigin::kSkipped) attempt.failed_step = i;
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

/// The members of the step that could not be refreshed, and of the ones that go with it.
void give_up(std::vector<Step>& steps, std::size_t culprit, const Attempt& attempt,
             std::map<std::int64_t, Outcome>& outcomes) {
  const Step guilty = steps[culprit];
  const auto goes_with = [&](const Step& step) {
    return step.ids == guilty.ids || (guilty.together != 0 && step.together == guilty.together);
  };
  for (const Step& step : steps) {
    if (!goes_with(step)) continue;
    for (const TableId id : step.ids) {
      Outcome outcome;
      if (step.ids != guilty.ids) {
        outcome.id = id;
        outcome.action = Action::kDeferred;
      } else if ((guilty.together != 0 || guilty.cycle) && attempt.error->is(Condition::kNotTogether) &&
                 parse_answer(attempt.error->message)) {
        outcome.id = id;
        outcome.action = *parse_answer(attempt.error->message);  // what refresh_<id> said
        if (step.ids.size() == 1) outcome.delta_rows = pending_rows_in(attempt.error->detail);
        outcome.duration = attempt.duration;
      } else {
        outcome = failed(id, *attempt.error, attempt.duration);
        outcome.alone = true;
      }
      outcomes[id] = std::move(outcome);
    }
  }
  std::erase_if(steps, goes_with);
}

void all_fail(const std::vector<Step>& steps, const Attempt& attempt, std::map<std::int64_t, Outcome>& outcomes,
              bool their_fault = false) {
  for (const Step& step : steps) {
    for (const TableId id : step.ids) {
      if (attempt.paused) {
        outcomes[id].id = id;
        outcomes[id].action = Action::kPaused;
      } else {
        outcomes[id] = failed(id, *attempt.error, attempt.duration);
        outcomes[id].alone = their_fault;
      }
    }
  }
}

/// Nobody else is to blame: the connection or the server, or the database is paused.
bool concerns_all(const Connection& connection, const Attempt& attempt) {
  return attempt.error->origin == ErrorOrigin::kCanceled || !connection.open() || attempt.paused;
}

/// One by one, or those together that go together: every good one is tried only once more.
asio::awaitable<void> refresh_apart(Connection& connection, std::vector<Step> steps, UnitSettings settings,
                                    std::map<std::int64_t, Outcome>& outcomes) {
  while (!steps.empty()) {
    const Step first = steps.front();
    const auto goes_with = [&](const Step& step) {
      return step.ids == first.ids || (first.together != 0 && step.together == first.together);
    };
    std::vector<Step> part;
    std::copy_if(steps.begin(), steps.end(), std::back_inserter(part), goes_with);
    Attempt attempt = co_await attempt_unit(connection, part, settings);
    if (!attempt.error) {
      for (Outcome& outcome : attempt.outcomes) outcomes[outcome.id] = std::move(outcome);
    } else if (concerns_all(connection, attempt) || !connection.usable()) {
      all_fail(steps, attempt, outcomes);
      co_return;
    } else if (attempt.failed_step) {
      give_up(part, *attempt.failed_step, attempt, outcomes);
    } else {
      all_fail(part, attempt, outcomes, attempt.at_commit);
    }
    std::erase_if(steps, goes_with);
  }
}

asio::awaitable<void> refresh_together(Connection& connection, std::vector<Step> steps, UnitSettings settings,
                                       std::map<std::int64_t, Outcome>& outcomes) {
  std::map<std::int64_t, int> conflicts;  // by the first table of the step that raised them
  for (std::size_t removals = 0; !steps.empty();) {
    Attempt attempt = co_await attempt_unit(connection, steps, settings);
    if (!attempt.error) {
      for (Outcome& outcome : attempt.outcomes) outcomes[outcome.id] = std::move(outcome);
      co_return;
    }
    if (concerns_all(connection, attempt) || !connection.usable()) {
      all_fail(steps, attempt, outcomes);
      co_return;
    }
    if (attempt.failed_step) {
      const bool again =
          attempt.error->is_conflict() && ++conflicts[steps[*attempt.failed_step].ids.front()] <= kConflictRetries;
      if (again) continue;
      give_up(steps, *attempt.failed_step, attempt, outcomes);
      if (++removals < kMostRemovals) continue;
    } else if (attempt.error->is_conflict() && ++conflicts[0] <= kConflictRetries) {
      continue;
    } else if (!attempt.at_commit || steps.size() == 1) {
      all_fail(steps, attempt, outcomes, attempt.at_commit);
      co_return;
    }
    co_await refresh_apart(connection, std::move(steps), settings, outcomes);
    co_return;
  }
}

}  // namespace

asio::awaitable<Result<bool>> warm_up(Connection& connection, TableId id, std::int64_t expected_rows) {
  const std::string program = "pgtrickle_state.refresh_" + std::to_string(id);
  std::vector<Statement> look(4);
  look[0].sql = "BEGIN ISOLATION LEVEL REPEATABLE READ";
  look[1].sql = "SELECT pgtrickle._enter_unit()";
  look[2].sql = "SET LOCAL lock_timeout = '100ms'";  // a refresh of it that runs goes first
  look[3].sql = "SELECT x.action, x.delta_rows FROM " + program + "('look') AS x";
  const auto seen = co_await connection.pipeline(std::move(look), postgres::deadline_after(kWarmUpTime));
  auto error = postgres::first_error(seen);
  bool warm = false;
  if (!error) {
    RowReader row(*seen.back(), 0);
    const auto action = parse_answer(row.get<std::string>("action"));
    const auto pending = row.get<std::optional<std::int64_t>>("delta_rows").value_or(0);
    warm =
        !row.error() && (action == Action::kNoData || action == Action::kDifferential) && pending <= compiler::kFewRows;
  }
  if (warm) {
    std::vector<Statement> run(1);
    run[0].sql = "SELECT FROM " + program + "('differential')";
    if (expected_rows > compiler::kFewRows) {
      run.emplace_back().sql = "SET LOCAL pgtrickle.expected_rows = " + std::to_string(expected_rows);
      run.push_back(run[0]);
    }
    run.push_back(refresh_statement(id, false, false));
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
  for (const TableId id : ids) {
    Outcome& outcome = outcomes[id];
    outcome.id = id;
    out.push_back(std::move(outcome));
  }
  co_return out;
}

}  // namespace pgtrickle::refresh
