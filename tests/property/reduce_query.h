// Smaller versions of a query, for the minimiser: at the level of tokens and parentheses, so that nothing of the query
// is lost in a parser or deparser. Most candidates are not valid SQL; PostgreSQL is to be asked.
#pragma once

#include <string>
#include <vector>

namespace pgt::property {

/// Candidates, the ones that leave out most first. ORDER BY stays wherever a result depends on it.
std::vector<std::string> smaller_queries(const std::string& sql);

}  // namespace pgt::property
