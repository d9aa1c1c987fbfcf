// Writes the program that maintains an IMMEDIATE stream table once per outermost statement of a writer, whatever its
// query is.
//
//   pgtrickle_state.places_<N>         places for writers: a transaction that writes to what it reads takes a free one
//   and
//                                      keeps it until it ends, and counts its statements there. One that must be alone
//                                      takes all of them; where writers go one after the other there is one
//   pgtrickle_state.locks_<N>          names for what writers lock (plan/writer_locks.h); never written to
//   pgtrickle_state.changes_<N>_<k>    changes of source k by statements that have ended while others go on, or more
//                                      than a few rows (trigger_writer.h)
//   pgtrickle_state.enter_<N>()        BEFORE each statement on a source: takes a place, counts the statement
//   pgtrickle_state.changed_<N>_<k>()  AFTER it. If no other statement runs, what it changed goes to maintain_<N>, else
//                                      to the table above; the last one that ends calls settle_<N>
//   pgtrickle_state.settle_<N>()       what the statements changed together goes to the stream table
//   pgtrickle_state.maintain_<N>(..)   locks, then the delta program, as apply_<N>, from a few changed rows per source
//   pgtrickle_state.maintain_many_<N>  the same from the tables changes_<N>_<k>
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

#include "compiler/plan/cut.h"
#include "compiler/plan/writer_locks.h"
#include "compiler/program.h"
#include "compiler/program/immediate_writer.h"
#include "compiler/program/trigger_writer.h"

namespace pgtrickle::compiler {

/// Adds all but the tables of changes to the program.
void add_counted_statements(const TriggerWriter& triggers, const CutPlan& plan, const WriterLocks& locks,
                            const MakeDeltaBody& differential, Program& program);

}  // namespace pgtrickle::compiler
