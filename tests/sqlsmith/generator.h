// Queries of sqlsmith (a random query generator, Debian package of that name) for a schema of a few tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "support/database.h"

namespace pgt::sqlsmith {

bool is_installed();

/// Creates the tables a, b, c, d and their rows.
void create_tables(test::Session& session);

/// SQL that changes a few rows of each table. The number of rows stays about the same however often it is run.
std::string changes(int step);

enum class Kind {
  kWild,     // whatever the server has: every function, operator and type, TABLESAMPLE, LIMIT without ORDER BY
  kTrimmed,  // the same without TABLESAMPLE and with no LIMIT that needs an order: those hide the rest from the
             // compiler
  kTame,     // only immutable functions and operators over the types of the tables, trimmed as well
};

/// The SELECT statements among the `statements` that sqlsmith makes from `seed` on.
class Generator {
 public:
  explicit Generator(Kind kind);
  [[nodiscard]] std::vector<std::string> queries(std::uint64_t seed, std::size_t statements) const;

 private:
  Kind kind_;
  test::TestDatabase database_;  // what sqlsmith sees
};

}  // namespace pgt::sqlsmith
