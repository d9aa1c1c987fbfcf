// Writes look_<id> and refresh_<id>: what decides about the work of apply_<id>.
//
// The decisions are those of the procedure pgtrickle._refresh_program() (sql/59_refresh_procedure.sql), which every
// stream table shares. look_<id> tells it what only this program knows: what is pending in its logs, and whether the
// world is still the one that it was made for. refresh_<id> is that procedure with the usual case in front of it (few
// changes, no gate, no fuse, nothing that is odd), in as few statements as possible: whether there is anything to do is
// seen without a lock, because a lock costs a transaction id. All three belong to the owner of the stream table.
// Modes, actions and errors are the contract in docs/ARCHITECTURE.md section 3.
#pragma once

#include <vector>

#include "compiler/program/program_writer.h"
#include "compiler/request.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

/// How the statements of a program are planned.
struct Planning {
  bool sized = false;  // the planner is told the sizes of deltas (Statement::limit)
  bool nested_loops =
      false;  // every lookup has an index: few rows are joined by nested loops, whatever the planner thinks
};

/// Adds both, and what the owner must be granted. `sources` empty: the query is recomputed.
void add_refresh(const CompileRequest& request, Program& program, const std::vector<CapturedSource>& sources,
                 const SourceNumbers& numbers, Planning planning);

}  // namespace pgtrickle::compiler
