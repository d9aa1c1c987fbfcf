// What the writers of generated functions share: names, argument lists, quoting of bodies.
#pragma once

#include <string>

#include "model/ids.h"

namespace pgtrickle::compiler {

/// "pgtrickle_state.<kind>_<id>"
inline std::string function_name(const char* kind, TableId id) {
  return std::string("pgtrickle_state.") + kind + "_" + std::to_string(id);
}

/// A dollar quote whose tag does not occur in the body.
inline std::string dollar_quoted(const std::string& body) {
  std::string tag = "$pgt$";
  for (int n = 1; body.find(tag) != std::string::npos; ++n) tag = "$pgt" + std::to_string(n) + "$";
  return tag + body + tag;
}

/// A function in PL/pgSQL, from all that comes before "AS", and its body.
inline std::string plpgsql_function(const std::string& head, const std::string& body) {
  return head + "\nAS " + dollar_quoted("\n" + body + "\n");
}

/// Clauses of functions that keep one plan for few rows: these are looked up by nested loops, whatever the planner
/// thinks.
constexpr const char* kOnePlan =
    "SET plan_cache_mode = force_generic_plan\nSET max_parallel_workers_per_gather = 0\nSET jit = off";
constexpr const char* kNestedLoops = "SET enable_hashjoin = off\nSET enable_mergejoin = off";

/// Functions whose deltas are sized (Statement::limit) leave the setting as they found it.
constexpr const char* kSaveSizes = "sizes_before CONSTANT text := current_setting('pgtrickle.sizes', true);";
constexpr const char* kRestoreSizes = "v.ignored := set_config('pgtrickle.sizes', v.sizes_before, true);";

/// Of apply_<id>. `sizes` is an array of the sizes of deltas (Statement::limit), as text. PL/pgSQL keeps a function
/// with plans of its own for each type that a polymorphic argument has, in each session: `plans` is NULL of the type
/// that stands for a class of sizes (sql/59_refresh_procedure.sql), and has no other meaning.
constexpr const char* kApplyArguments =
    "mode text, f_snapshot pg_snapshot, f_xid xid8, f_seq bigint, changed bigint, run bigint, sizes text, "
    "user_keys text[], plans anyelement";
constexpr const char* kApplyTypes = "text, pg_snapshot, xid8, bigint, bigint, bigint, text, text[], anyelement";

}  // namespace pgtrickle::compiler
