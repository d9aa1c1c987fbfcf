// Writes what an IMMEDIATE stream table needs whose rows are rows of one table, one for one: what a statement has
// changed goes to it from the transition tables (at_once.h).
//
//   pgtrickle_state.changes_<N>_1      changes that do not fit yet; empty at the end of each statement
//   pgtrickle_state.left_over_<N>()    at COMMIT, if something had to wait: nothing does
//
// Rule: F is linear and reads nothing but the rows that change, so F(pre + D1 + D2) = F(pre) + F(D1) + F(D2), whatever
// is in between, and in any order. Only, the stream table has a key, and a sum of changes that are not all there yet is
// not always a table with that key. So a change is applied if it fits: the rows that go are in the table, byte for
// byte, and no row that comes has the key of one that stays. Else it waits, and is tried again with what comes after
// it. The table and what waits are together always F(pre) plus all changes so far; when the outermost statement ends,
// these are all there are, so what waits fits.
//
// The naive version applies by key without looking: a trigger of a user that fires before ours and updates the same row
// once more is maintained first (r1 to r2, where the table has r0), then the statement that it belongs to (r0 to r1).
// The table keeps r1.
//
// If something waits at COMMIT, the table was not what it should have been (someone has written to it): it is marked,
// and rebuilt. In an older snapshot it may also be that somebody else has deleted the row that is in the way since, so
// that it is only seen. Locking it tells: PostgreSQL refuses to lock what has changed since the snapshot (40001). A row
// that waits to go can have been changed by nobody else, as it was deleted from the source here.
//
// Concurrency: rows of the stream table are those of the source, which writers lock.
#pragma once

#include <string>
#include <vector>

#include "compiler/plan/cut.h"
#include "compiler/plan/writer_locks.h"
#include "compiler/program.h"
#include "compiler/program/target.h"
#include "compiler/program/trigger_writer.h"
#include "compiler/sql/query.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

class RowsAtOnce {
 public:
  /// Whether it can be done so.
  static bool fits(const TriggerWriter& triggers, const CutPlan& plan, const WriterLocks& locks, const Target& target);

  RowsAtOnce(const TriggerWriter& triggers, const CutPlan& plan, const Target& target);

  /// Adds all but the table of what waits.
  void add_to(Program& program) const;

 private:
  // Statements that apply what a statement has changed, in the transition tables newt and oldt, if it fits, and tell in
  // v.fits whether it did; NULL: the stream table is not maintained just now.
  [[nodiscard]] std::string inserted() const;
  [[nodiscard]] std::string deleted() const;
  [[nodiscard]] std::string updated() const;
  /// The same for all that waits.
  [[nodiscard]] std::string waited() const;
  /// A change of any kind, made net first.
  [[nodiscard]] std::string changed(Statement& statement, const FromItem& delta,
                                    const std::vector<std::string>& conditions) const;
  [[nodiscard]] Select fitting(const std::vector<std::string>& conditions) const;
  [[nodiscard]] std::string nothing_waits() const;
  [[nodiscard]] std::string or_else_wait() const;
  [[nodiscard]] std::string still_waits() const;

  const TriggerWriter& triggers_;
  const CutPlan& plan_;
  const Target& target_;
  SourceNumbers numbers_;  // for the table of what waits
  std::string waiting_;
};

}  // namespace pgtrickle::compiler
