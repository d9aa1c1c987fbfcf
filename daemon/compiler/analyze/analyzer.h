// From parse tree to operators: resolves names against the catalog, inlines views and CTEs, and builds the operator
// tree. Pure. Throws Unsupported or Rejected with the offending fragment. Input is canonical text (pg_get_viewdef), in
// which stars are expanded and names qualified, but the resolver does not rely on more than SQL's own scoping rules.
#pragma once

#include <string>
#include <vector>

#include "compiler/catalog.h"
#include "compiler/limits.h"
#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

struct Analysis {
  OperatorPtr root;
  std::vector<std::string> notes;  // for explain
};

Analysis analyze(const pg_query::SelectStmt& query, const Catalog& catalog, const Limits& limits = {});

/// Checks that concern every mode; throws Rejected.
void reject_invalid(const pg_query::SelectStmt& query);

/// A relation of the name that operators give the row around a subquery would take its place there; throws Unsupported.
void refuse_our_name(const pg_query::SelectStmt& query);

}  // namespace pgtrickle::compiler
