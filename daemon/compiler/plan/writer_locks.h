// Which locks the writers of an IMMEDIATE stream table take, so that two of them do not maintain what both change:
//
//   operators                                      lock                              so writers wait for each other
//   scan, filter, project, row functions, UNION    none but the rows themselves      never
//   ALL, if the result has a key
//   the same without a key                         the rows of the result, by hash   on the same row
//   GROUP BY, DISTINCT, set operations, windows,   the keys, by hash                 on the same group or partition
//   DISTINCT ON, at the root
//   inner join of two inputs                       the value that they are joined    across the two sides, and among
//                                                  by: shared by one side,           writers of the other side that
//                                                  exclusive by the other            change the same value
//   the same without a common column               one lock for the pair, likewise   across the two sides
//   outer, semi and anti join                      as inner join, exclusive by the   likewise
//                                                  side that is counted; if that is
//                                                  no single table, all of it
//   anything else (TopK, recursion, what has       the stream table                  always
//   several nodes with state, global aggregates)
//
// Rule for joins: F is linear in each input, so of two writers each computes the right delta from what is committed,
// except for D_A F D_B, which both miss. That part is empty unless a row of D_A and one of D_B are in one row of the
// result; the columns that the join equates have one value then. The naive version locks the groups of the result
// alone: a new order and a new region of its customer, both uncommitted, are never joined.
//
// A lock is a row of locks_<N>, whose number is made of the domain and the hash of the value: there are kBuckets for a
// domain, so a statement of a million rows takes no more, and values that meet in one number only wait for nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/plan/cut.h"

namespace pgtrickle::compiler {

struct WriterLocks {
  static constexpr int kBuckets = 1024;
  static constexpr int kPlaces = 32;  // a writer takes the one of his process, if another one has it
  static constexpr int kSpare = 16;   // one of these, and if all are taken he waits

  /// What writers of one source lock for a join.
  struct Role {
    const Source* source = nullptr;
    std::vector<const SourceColumn*> columns;  // of the value; none: one lock for all
    std::vector<std::string> casts;            // parallel: the type to hash them as; empty: their own
    bool exclusive = false;
  };
  /// What two inputs are joined by.
  struct Domain {
    std::vector<Role> roles;
    [[nodiscard]] bool keyed() const { return !roles.front().columns.empty(); }
    [[nodiscard]] std::string describe() const;
  };
  enum class Result { kNone, kKeys, kRows };

  bool alone = false;  // writers go one after the other
  std::string why;     // they do
  std::vector<Domain> domains;
  Result result = Result::kNone;

  /// Rows of places_<N>.
  [[nodiscard]] int places() const { return alone ? 1 : kPlaces + kSpare; }
  /// Rows of locks_<N>.
  [[nodiscard]] int buckets() const;
  /// For people: one line for each lock.
  [[nodiscard]] std::vector<std::string> describe() const;
};

/// `keyed`: rows of the stream table are identified by a key.
WriterLocks derive_locks(const CutPlan& plan, bool keyed);

}  // namespace pgtrickle::compiler
