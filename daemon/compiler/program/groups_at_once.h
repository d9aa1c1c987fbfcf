// Writes what an IMMEDIATE stream table needs whose rows are groups of one table, of which all is added up (count, sum,
// avg, variance, bool_and, DISTINCT): what a statement has changed is added to the state of the groups from the
// transition tables (at_once.h), and the groups are shown as they are then.
//
//   pgtrickle_state.node_<N>_<k>       the state, with a unique index on the key
//   pgtrickle_state.changes_<N>_1      a row if a group has less than nothing in it; empty at the end of a transaction
//   pgtrickle_state.left_over_<N>()    at COMMIT, if that was so: no group has
//
// Rule: the state is a sum over rows, so state(pre + D1 + D2) = state(pre) + s(D1) + s(D2), in any order, and what is
// shown follows from the state alone. One statement adds and shows: INSERT .. ON CONFLICT DO UPDATE SET n = n + ..
// locks a group, adds to what is there *then*, and tells what has come of it.
//
// The naive versions: read the state, add, write it back: of two writers the second one has read before the first one's
// COMMIT, and takes away what that has added. Delete a group when n is 0: a trigger of a user that fires before ours
// and deletes the row that was just inserted is maintained first; it makes n = 0 of 1, with the sums of another row in
// it, and what is added later is added to nothing. So a group goes when all of it is 0, and one with less than nothing
// in it is kept and not shown.
//
// A sum that was NaN or infinite once cannot be told from the state. It stays as it is there, so that it can be added
// to in any order; what is shown is computed from the rows of the group, by a statement of its own, which sees what was
// committed while the group was waited for.
//
// Concurrency: the lock is the row of the group in the state, also for one that is new (both insert its key) or goes.
// In REPEATABLE READ and SERIALIZABLE PostgreSQL refuses (40001) to add to a group that has changed since the snapshot,
// and to no other one. Only one that somebody else has emptied since would be made again, and then be there twice in
// that snapshot: so what the snapshot shows of a group is locked afterwards, which is refused as well.
#pragma once

#include <string>

#include "compiler/operators/aggregate.h"
#include "compiler/plan/cut.h"
#include "compiler/plan/writer_locks.h"
#include "compiler/program.h"
#include "compiler/program/target.h"
#include "compiler/program/trigger_writer.h"
#include "compiler/sql/query.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

class GroupsAtOnce {
 public:
  /// Whether it can be done so.
  static bool fits(const TriggerWriter& triggers, const CutPlan& plan, const WriterLocks& locks, const Target& target);

  GroupsAtOnce(const TriggerWriter& triggers, const CutPlan& plan, const Target& target);

  /// Adds all but the table of changes.
  void add_to(Program& program) const;

 private:
  /// Statements that add these rows to the groups, and show them. `may_be_none`: of some groups nothing changes.
  [[nodiscard]] std::string changed(const Query& rows, bool may_be_none) const;
  [[nodiscard]] std::string hide_or_compute() const;
  [[nodiscard]] std::string compute() const;
  [[nodiscard]] std::string less_than_nothing() const;
  /// The row-wise operators above the aggregate.
  [[nodiscard]] FromItem chained(FromItem groups) const;

  const TriggerWriter& triggers_;
  const CutPlan& plan_;
  const Target& target_;
  const Aggregate& groups_;
  SourceNumbers numbers_;
};

}  // namespace pgtrickle::compiler
