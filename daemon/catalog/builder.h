// Bringing a stream table to life: everything between "the catalog row says PENDING (or must be re-initialised)" and
// "the daemon may refresh it". Synchronous (libpqxx): call it from a worker thread, never from the event loop.
// Locks that others queue behind are tried for tens of milliseconds, with ten times as long pauses; who is in the way
// is said in the result.
//
// build_stream_table(): compiles the definition, installs capture on the sources, creates empty state and functions,
// lets a worker session fill them in one REPEATABLE READ transaction, records the outcome in the catalog (status
// ACTIVE, or ERROR with message and hint). Restartable at any point: a crash leaves a row that is still
// PENDING/INITIALIZING, and running it again replaces what was half made. Code of the stream table's owner runs in the
// worker session only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "model/stream_table.h"
#include "postgres/error.h"

namespace pgtrickle::catalog {

enum class BuildStatus {
  kActive,  // built and initialised
  kError,   // the definition or the environment is wrong: recorded in the catalog, nothing to retry by itself
  kRetry,   // a passing condition (lock timeout, serialization, connection): nothing recorded, call again later
  kGone,    // the stream table (its row or its table) no longer exists
};

struct BuildResult {
  BuildStatus status = BuildStatus::kRetry;
  std::string message;    // that of the error, with its detail; for kActive the effective mode and reason
  postgres::Error error;  // if the status is kError or kRetry
};

struct BuildSettings {
  int lock_timeout_ms = 200;           // at most so long does one attempt to lock a table queue before its users
  int failures = 0;                    // of the builds before this one, in a row: attempts become longer with them
  long long error_pause_ms = 0;        // until the next build, if this one ends with an error; recorded as retry_at
  long long statement_timeout_ms = 0;  // for the initial population; 0 = none
  std::string
      worker_conninfo;  // of the sessions that run code of owners; empty: one login for all, who must be trusted
  compiler::Limits limits;
  std::function<void(const std::string&)> say;  // what a build is about to change besides the content; may be empty
};

/// Builds stream table `pgt_id` in the database that `conninfo` (libpq connection string) names.
/// Never throws: a broken invariant of the compiler is an error of that stream table.
BuildResult build_stream_table(const std::string& conninfo, TableId pgt_id, const BuildSettings& settings);

struct Garbage {
  int removed = 0;
  std::vector<std::string> restored;  // of that: left over from a restore without pgtrickle's data
  std::vector<std::string> problems;  // what could not be removed, and why; it does not pass by itself
};

/// Removes what is no longer needed: programs and state of dropped stream tables, capture without consumers, catalog
/// rows whose table was dropped, triggers that a restore without our data has brought. Safe to call at any time by the
/// leader. Throws only if the connection fails.
Garbage collect_garbage(const std::string& conninfo, const BuildSettings& settings);

/// What `pgtrickle validate` prints: the plan, nodes, cost classes and generated SQL of `query`, nothing created.
struct ValidateResult {
  bool ok = false;             // false: the query is rejected in every mode
  std::string effective_mode;  // DIFFERENTIAL, FULL or IMMEDIATE
  std::string reason;          // why FULL, or the error
  std::string hint;
  std::string trace;                    // if asked for
  std::string plan;                     // the operator tree with nodes and cost classes, as text
  std::vector<std::string> statements;  // generated DDL and functions, in order
};
/// `trace`: with the operator tree after each pass. `immediate`: for refresh mode IMMEDIATE; not ok if that is not
/// possible.
ValidateResult validate_query(const std::string& conninfo, const std::string& query,
                              const compiler::Limits& limits = {}, bool trace = false, bool immediate = false);

}  // namespace pgtrickle::catalog
