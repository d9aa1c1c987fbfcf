// Runs a scenario in a fresh database and reports what is wrong. Scenarios may run at the same time, on threads.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "property/scenario.h"

namespace pgt::property {

struct Failure {
  enum class Kind {
    kCreate,   // a stream table of a good query cannot be made, or not incrementally
    kRefresh,  // a refresh raised an error that the query itself does not raise
    kDiffers,  // the stream table differs from its query
    kSql,      // a change or a setup statement failed
  };
  Kind kind = Kind::kSql;
  std::size_t step = 0;    // kSteps of the scenario if before the first
  std::size_t stream = 0;  // if kind is not kSql
  std::string message;
};

struct Outcome {
  std::vector<Failure> failures;  // at most one of each stream table
  std::size_t steps = 0;          // of which every op was done
  std::size_t refreshes = 0;      // of one stream table each
  std::size_t checks = 0;         // comparisons of one stream table with its query
  std::size_t streams = 0;        // created
  std::size_t skipped = 0;        // queries that PostgreSQL itself rejects, or raises an error for
  std::size_t full = 0;           // created, but recomputed: only where that is accepted
  std::size_t errors = 0;         // of statements that may fail
  std::vector<std::string> skip_reasons;
  // Where the time goes.
  double create_seconds = 0;
  double refresh_seconds = 0;
  double check_seconds = 0;
  std::map<Feature, std::size_t> uses;  // of the stream tables that were created
};

Outcome run(const Scenario& scenario);

/// The scenario without what its failure does not need, its queries included; `budget_seconds` bounds the time it
/// takes.
Scenario minimized(const Scenario& scenario, const Failure& failure, int budget_seconds);

/// What two failures of the same cause have in common: the kind and the message without names and numbers.
std::string signature(const Failure& failure);

}  // namespace pgt::property
