// One random test: a schema, stream tables over it, and steps of changes and refreshes. Everything is SQL text made
// from the seed alone, so a scenario can be run again with parts left out (minimize.h) and printed as a tests/sql case.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "property/features.h"

namespace pgt::property {

struct Stream {
  std::string name;  // qualified and quoted
  std::string query;
  std::vector<std::size_t> reads;  // other stream tables, by index; all come before
  FeatureSet features = {};
  bool differential = true;  // must be maintained incrementally
  bool immediate = false;    // the same, IMMEDIATE: nothing refreshes it
};

struct Op {
  enum class Kind {
    kSql,       // `sql` in `session`
    kChange,    // the same, may be left out without changing what the rest means
    kTry,       // the same, may fail with an error that is the statement's own; see `guarded`
    kCall,      // CALL pgtrickle.refresh() of the streams
    kSelect,    // SELECT pgtrickle.refresh_stream_table(), in the transaction that is open, if one is
    kProgram,   // pgtrickle_state.refresh_<id>(sql): 'full' or 'differential', in one REPEATABLE READ transaction
    kCheck,     // compare the streams with their queries
    kCheckNow,  // the same as `session` sees it, of the ones that are IMMEDIATE
  };
  Kind kind = Kind::kSql;
  int session = 0;
  std::string sql;
  std::vector<std::size_t> streams;  // empty: all
  bool guarded = false;              // kTry within a transaction: goes on after an error; otherwise it is rolled back
};

struct Step {
  std::string label;
  std::vector<Op> ops;
};

struct Scenario {
  std::uint64_t seed = 0;
  std::vector<std::string> setup;
  std::vector<Stream> streams;
  std::vector<Step> steps;
};

/// Most scenarios are wide: many stream tables and a few plain steps. The others are about sessions: few stream tables,
/// and steps with savepoints, several transactions, late commits.
Scenario random_scenario(std::uint64_t seed, const Switches& switches);

/// IMMEDIATE stream tables, some of them over and below refreshed ones. They are compared after every statement: within
/// transactions, after ROLLBACK TO SAVEPOINT and ROLLBACK, in two sessions at once.
Scenario random_immediate_scenario(std::uint64_t seed, const Switches& switches);

/// The same with statements that change several sources at once, in every order (compound_statements.h).
Scenario random_compound_scenario(std::uint64_t seed, const Switches& switches);

/// WITH RECURSIVE over a graph with circles and one without, refreshed and IMMEDIATE; half of the scenarios derive all
/// rows once more for the slightest reason.
Scenario random_recursive_scenario(std::uint64_t seed, const Switches& switches);

/// In the format of tests/sql, which psql nearly understands too.
std::string to_sql_case(const Scenario& scenario);

}  // namespace pgt::property
