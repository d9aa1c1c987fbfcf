// Writes the part of a program that maintains an IMMEDIATE stream table inside the transaction of a writer.
//
//   pgtrickle_state.places_<N>         places for writers: a transaction that writes to what it reads takes a free one
//   and
//                                      keeps it until it ends, and counts its statements there. One that must be alone
//                                      takes all of them; where writers go one after the other there is one
//   pgtrickle_state.locks_<N>          names for what writers lock (plan/writer_locks.h); never written to
//   pgtrickle_state.changes_<N>_<k>    UNLOGGED: changes of source k by statements that have ended while others go on,
//   or
//                                      more than a few rows: w and c<attnum>; empty between statements
//   pgtrickle_state.enter_<N>()        BEFORE each statement on a source: takes a place, counts the statement
//   pgtrickle_state.changed_<N>_<k>()  AFTER it. If no other statement runs, what it changed goes to maintain_<N>, else
//                                      to the table above; the last one that ends calls settle_<N>
//   pgtrickle_state.settle_<N>()       what the statements changed together goes to the stream table
//   pgtrickle_state.maintain_<N>(..)   locks, then the delta program, as apply_<N>, from a few changed rows per source
//   pgtrickle_state.maintain_many_<N>  the same from the tables changes_<N>_<k>
//
// Where the rows are those of one table it is all simpler: rows_at_once.h.
//
// Rule: delta = F(post) - F(pre) for all that the *outermost* statement changed at once. The naive version, a program
// per AFTER trigger, is wrong as soon as one statement changes two sources (a CTE, a cascade, a trigger of a user): the
// first program reads the second source after a change that it does not know, and counts what both have in common twice
// or not at all. So statements are counted, in a row that nobody else writes to until the transaction ends: what a
// subtransaction counted goes with it when it is rolled back. A setting tells where that row is, so that it is found at
// once however many versions of it the transaction has made; the row itself says whether that is true.
//
// The usual statement is the only one: what it changed, if it is little, goes to the program as an array, and no table
// but those of the result is written to.
//
// Concurrency: each statement of the program reads what is committed by then (READ COMMITTED, VOLATILE functions), so
// what has to be locked is locked in one statement and read in the next. In REPEATABLE READ and SERIALIZABLE there is
// no fresh snapshot: such a writer takes all places, which PostgreSQL refuses (40001) if somebody has been here since
// its snapshot. So does a writer that has all recomputed (TRUNCATE).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/plan/cut.h"
#include "compiler/plan/writer_locks.h"
#include "compiler/program.h"
#include "compiler/program/program_writer.h"
#include "compiler/program/refresh_writer.h"
#include "compiler/program/target.h"
#include "compiler/request.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

/// Statements of the delta program, and the type of the variable v.gone if they need it.
struct DeltaBody {
  std::string statements;
  std::string gone;
};
/// Makes them for these numbers; `sized`: the planner is told the sizes of deltas.
using MakeDeltaBody = std::function<DeltaBody(const SourceNumbers& numbers, bool sized)>;

/// Adds these objects to the program. `planning.nested_loops`: few rows are looked up through indexes. Returns which
/// triggers a source gets, for people.
std::string add_immediate(const CompileRequest& request, const CutPlan& plan, const Target& target,
                          const WriterLocks& locks, const std::vector<CapturedSource>& sources,
                          const SourceNumbers& numbers, const MakeDeltaBody& differential, Planning planning,
                          Program& program);

}  // namespace pgtrickle::compiler
