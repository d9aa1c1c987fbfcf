// Writes the program of a stream table: the text of its functions and the DDL of its state. The shape of the functions
// is the contract in docs/ARCHITECTURE.md section 3.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/plan/cut.h"
#include "compiler/program.h"
#include "compiler/program/target.h"
#include "compiler/request.h"
#include "compiler/sql/statement.h"
#include "model/ids.h"

namespace pgtrickle::compiler {

struct CapturedSource {
  const Source* source = nullptr;
  SourceId log_id = 0;
  std::vector<std::int16_t> columns;  // attnums, ascending
};

/// The program of a differential plan; inner nodes know already which of their columns are looked up. `all_indexed`:
/// there is an index for every lookup. Returns the plan text, which is what `describe` makes of the target.
std::string write_differential(const CompileRequest& request, const CutPlan& plan, const SourceNumbers& numbers,
                               const std::vector<CapturedSource>& sources, bool all_indexed, Program& program,
                               const std::function<std::string(const Target&)>& describe);
/// The program that recomputes the query and applies the difference.
void write_full(const CompileRequest& request, Program& program);

}  // namespace pgtrickle::compiler
