// The compiler: canonical query text in, program out. Pure: no I/O except through the TypeOracle passed in; threads may
// compile at the same time. Pipeline: parse -> analyze -> passes -> plan -> program; docs/ARCHITECTURE.md.
//
// compile() returns a Program that is either differential, or a recompute-and-diff program with the reason; it throws
// Rejected for a query that no mode accepts, and std::logic_error if the compiler broke an invariant of its own.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "compiler/catalog.h"
#include "compiler/error.h"
#include "compiler/limits.h"
#include "compiler/program.h"
#include "compiler/request.h"

namespace pgtrickle::compiler {

/// What a query mentions, so that the catalog can be loaded. Views have to be followed by the caller.
struct References {
  std::vector<std::pair<std::string, std::string>> relations;  // (schema, name); schema empty if not qualified
  std::vector<FunctionKey> functions;
  std::vector<FunctionKey> operators;  // operators written OPERATOR(schema.name)
};
References references(const std::string& query);

/// Throws Rejected if a query of so many bytes is longer than the limit; compile() does that too.
void check_size(std::int64_t bytes, const Limits& limits);

/// Throws Rejected if the query is nested deeper than the limit; compile() does that too.
void check_nesting(const std::string& query, const Limits& limits);

/// Which sources a differential program would read, before their logs exist (log ids are not needed here).
Program compile(const CompileRequest& request, const Catalog& catalog, TypeOracle& oracle);

}  // namespace pgtrickle::compiler
