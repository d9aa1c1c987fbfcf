// Refreshing a unit: stream tables in topological order, in one REPEATABLE READ transaction, that is at one snapshot,
// sent as one pipeline: a single round trip. History rows of refreshes that did something are part of the transaction.
//
// If a unit of several fails, its members are refreshed one by one in order, each in its own transaction, so that one
// bad table does not stop the others. A connection that is lost around COMMIT leaves the outcome in doubt; that is
// harmless: the frontier moved in the same transaction as the table, so refreshing again does exactly what is missing.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "postgres/connection.h"

namespace pgtrickle::refresh {

struct Outcome {
  std::int64_t id = 0;
  std::optional<postgres::Error> error;  // then the rest means nothing, except the duration
  std::string action;                    // NO_DATA, DIFFERENTIAL, FULL, REINIT
  std::int64_t delta_rows = 0, rows_inserted = 0, rows_updated = 0, rows_deleted = 0;
  std::chrono::microseconds duration{0};         // of the round trip; of the server's work in a unit of several
  std::chrono::microseconds server_duration{0};  // of refresh_<id> alone
};

/// One outcome per id, in order. Never throws for database errors. The connection is usable() afterwards or closed.
/// `timeout` is for one transaction; 0 = none.
boost::asio::awaitable<std::vector<Outcome>> refresh_unit(postgres::Connection& connection,
                                                          std::vector<std::int64_t> ids,
                                                          std::chrono::milliseconds timeout);

}  // namespace pgtrickle::refresh
