// The SQL of extension pg_trickle as one script, embedded at build time (cmake/SqlScript.cmake).
#pragma once

#include <string_view>

namespace pgtrickle {

/// Creates the three schemas and everything in them. Run it in one transaction; it is not idempotent.
std::string_view install_sql();

}  // namespace pgtrickle
