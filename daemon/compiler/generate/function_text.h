// What the writers of generated functions share: names, argument lists, quoting of bodies.
#pragma once

#include <cstdint>
#include <string>

namespace pgtrickle::compiler {

/// "pgtrickle_state.<kind>_<id>"
inline std::string function_name(const char* kind, std::int64_t id) {
  return std::string("pgtrickle_state.") + kind + "_" + std::to_string(id);
}

/// A dollar quote whose tag does not occur in the body.
inline std::string dollar_quoted(const std::string& body) {
  std::string tag = "$pgt$";
  for (int n = 1; body.find(tag) != std::string::npos; ++n) tag = "$pgt" + std::to_string(n) + "$";
  return tag + body + tag;
}

/// Of apply_<id> and apply_<id>_small.
constexpr const char* kApplyArguments =
    "mode text, f_snapshot pg_snapshot, f_xid xid8, f_seq bigint, changed bigint, run bigint, pending bigint[], "
    "user_keys text[]";
constexpr const char* kApplyTypes = "text, pg_snapshot, xid8, bigint, bigint, bigint, bigint[], text[]";

}  // namespace pgtrickle::compiler
