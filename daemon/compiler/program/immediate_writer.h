// Writes the part of a program that maintains an IMMEDIATE stream table inside the transaction of a writer. There are
// three ways:
//
//   rows_at_once.h         the rows are those of one table, with a key
//   groups_at_once.h       groups of one table, of which all is added up
//   counted_statements.h   everything else
//
// The first two apply what a statement has changed by a statement or two of their own, in the trigger after it, and
// keep only those apart who change the same. trigger_writer.h has what all of them share.
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
