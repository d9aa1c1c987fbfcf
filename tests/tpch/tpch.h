// TPC-H in a database of the caller: the tables with data of our own generator (data.sql), the changes (changes.sql)
// and the 22 queries (queries/). Used by the test here and by the benchmark. Everything is deterministic. Errors:
// std::runtime_error if a file cannot be read, pqxx::sql_error.
#pragma once

#include <string>
#include <vector>

#include "support/database.h"

namespace pgt::tpch {

struct Query {
  int number = 0;
  std::string name;  // q01 to q22
  std::string text;  // without a semicolon, constants in place
};

/// Creates and fills the tables in the session's current schema, with indexes; creates schema tpch with the changes.
void load(test::Session& session, const std::string& scale_factor);

/// The queries in their order, with the parameters that depend on the scale factor.
std::vector<Query> queries(const std::string& scale_factor);

/// The numbers of a list like "1,3,5"; all 22 for an empty one.
std::vector<int> query_numbers(const std::string& list);

}  // namespace pgt::tpch
