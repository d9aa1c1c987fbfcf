// Refreshing a unit: stream tables in topological order, in one REPEATABLE READ transaction, that is at one snapshot,
// sent as one pipeline: a single round trip. The history is for the caller to write.
//
// What cannot be refreshed does not stop the rest: the transaction is tried again without it, that is without the table
// that failed or, if it is refreshed together with others or not at all, without these. A conflict with another refresh
// is tried again as it is, a few times: then it is taken for the fault of the step that raised it. What fails at COMMIT
// is looked for by refreshing one by one.
//
// Code of the tables' owners runs in the transaction, so an error is judged by the statement that raised it, and an
// answer is no more than what an owner says about his own tables. A connection that is lost around COMMIT leaves the
// outcome in doubt; that is harmless: the frontier moved in the same transaction as the table, so refreshing again does
// exactly what is missing.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/action.h"
#include "model/agreements.h"
#include "model/stream_table.h"
#include "postgres/connection.h"

namespace pgtrickle::refresh {

/// What one statement refreshes: a table, or the members of a cycle.
struct Step {
  std::vector<TableId> ids;
  bool cycle = false;
  int together = 0;  // steps with the same number, unless it is 0, are refreshed together or not at all
  bool follows_time = false;
};

struct Outcome {
  TableId id = 0;
  std::optional<postgres::Error> error;  // then the rest means nothing, except the duration
  Action action = Action::kDeferred;     // what refresh_<id> says; as it is here if it was never asked
  bool alone = false;  // the error is this table's own, whatever its code says: it is not to hold up those beside it
  std::int64_t delta_rows = 0, rows_inserted = 0, rows_updated = 0, rows_deleted = 0;
  int iterations = 0;                                    // of a cycle
  std::optional<std::chrono::microseconds> crossing_in;  // no row comes or goes before, as time passes
  std::chrono::microseconds duration{0};                 // of the round trip; of the server's work in a unit of several
  std::chrono::microseconds server_duration{0};          // of refresh_<id> alone
  // In microseconds since 1970, by the server's clock: the snapshot, and the beginning and end of the refresh
  std::int64_t data_at = 0, started_at = 0, ended_at = 0;
  std::chrono::microseconds unit_duration{0};  // of the transaction that it was part of
};

struct UnitSettings {
  std::chrono::milliseconds timeout{0};              // for one transaction; 0 = none
  int max_iterations = agreements::kFixpointRounds;  // of a cycle
};

/// One outcome per table, in order. Never throws for database errors. The connection is usable() afterwards or closed.
boost::asio::awaitable<std::vector<Outcome>> refresh_unit(postgres::Connection& connection, std::vector<Step> steps,
                                                          UnitSettings settings);

/// Has the session make the plans of a stream table's refresh, which take many times as long as applying a few rows:
/// runs the delta program and rolls it back, and again as for `expected_rows` if these are more. Does nothing but look
/// if the table may not be refreshed or has much to do. The connection is outside of a transaction afterwards, or not
/// usable. An error is no reason for anything.
boost::asio::awaitable<postgres::Result<bool>> warm_up(postgres::Connection& connection, TableId id,
                                                       std::int64_t expected_rows);

}  // namespace pgtrickle::refresh
