// Runs a case: a fresh database, a real daemon, writers on threads, a reader that checks snapshot after snapshot, and
// the events. Ends at the first failure. Afterwards everything must become fresh by itself and equal its query. Cases
// may run at the same time, on threads.
#pragma once

#include <optional>
#include <string>

#include "property/graphs/graph.h"

namespace pgt::graphs {

struct Failure {
  enum class Kind {
    kNotExact,    // not equal to its query at its own frontier
    kNotInStep,   // the members of a component do not agree at any source snapshot
    kMoved,       // refreshed although it has to wait
    kNotEqual,    // at rest, not equal to its query
    kNeverFresh,  // at rest, it does not catch up
    kSql,         // a statement failed that must not
  };
  Kind kind = Kind::kSql;
  std::optional<std::size_t> component;
  std::string message;
};

struct Outcome {
  std::optional<Failure> failure;
  std::size_t tables = 0;
  std::size_t transactions = 0;  // committed
  std::size_t refreshes = 0;     // that changed something
  std::size_t restarts = 0;      // of the daemon
  std::size_t exact = 0;         // stream tables compared with their query at their frontier
  std::size_t immediate = 0;     // the same, of ones that triggers kept equal to their queries
  std::size_t in_step = 0;       // snapshots in which the members of a component had to agree, and did
  std::size_t moved = 0;         // of these, at another source snapshot than the one before
};

Outcome run(const Case& from);

[[nodiscard]] const char* name_of(Failure::Kind kind);

/// A smaller case that fails in the same way; as far as `budget_seconds` allow. What depends on moments does not fail
/// every time: each smaller case gets some tries.
[[nodiscard]] Case minimized(const Case& from, const Failure& failure, int budget_seconds);

}  // namespace pgt::graphs
