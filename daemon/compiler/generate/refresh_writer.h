// Writes refresh_<id>: everything around the work of apply_<id>. It locks the frontier, finds out whether the stream
// table may and need be refreshed at this snapshot, chooses between delta and recomputation, and moves the frontier.
// Modes, actions and errors are the contract in docs/ARCHITECTURE.md section 3.
#pragma once

#include <vector>

#include "compiler/compile.h"
#include "compiler/generate/program_writer.h"
#include "compiler/generate/statement.h"

namespace pgtrickle::compiler {

/// Adds refresh_<id> and what its owner must be granted. `sources` empty: the query is recomputed; then `numbers` may
/// be null.
void add_refresh(const CompileRequest& request, Program& program, const std::vector<CapturedSource>& sources,
                 const SourceNumbers* numbers);

}  // namespace pgtrickle::compiler
