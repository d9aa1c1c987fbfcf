// Writes the part of a program that maintains an IMMEDIATE stream table inside the transaction of a writer.
//
//   pgtrickle_state.changes_<N>_<k>    UNLOGGED: what the statements that are running have changed in source k, w and
//                                      c<attnum>; empty between statements
//   pgtrickle_state.enter_<N>()        BEFORE each statement on a source: takes the lock, counts the statement
//   pgtrickle_state.changed_<N>_<k>()  AFTER it: keeps what it changed. The last one that ends calls settle_<N>
//   pgtrickle_state.settle_<N>()       what the statements changed together goes to the stream table
//   pgtrickle_state.maintain_<N>(..)   the delta program, as apply_<N>, from the tables above instead of change logs
//
// Rule: delta = F(post) - F(pre) for all that the *outermost* statement changed at once. The naive version, a program
// per AFTER trigger, is wrong as soon as one statement changes two sources (a CTE, a cascade, a trigger of a user): the
// first program reads the second source after a change that it does not know, and counts what both have in common twice
// or not at all. So statements are counted, in a row that only its writer can change until his transaction ends: what a
// subtransaction counted goes with it when it is rolled back.
//
// Locks: that row. Writers of any source of one stream table go one after the other, each until his transaction ends.
// In READ COMMITTED every statement of the program reads what is committed by then. In REPEATABLE READ and SERIALIZABLE
// PostgreSQL refuses to update a row that somebody has updated since the snapshot: error 40001.
#pragma once

#include <string>
#include <vector>

#include "compiler/program.h"
#include "compiler/program/program_writer.h"
#include "compiler/program/refresh_writer.h"
#include "compiler/request.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

/// Adds these objects to the program. `body`: the statements of the delta program, made for numbers.immediate().
/// `sized`: they tell the planner sizes; `nested_loops`: few rows are looked up through indexes.
void add_immediate(const CompileRequest& request, const std::vector<CapturedSource>& sources,
                   const SourceNumbers& numbers, const std::string& body, Planning planning, Program& program);

}  // namespace pgtrickle::compiler
