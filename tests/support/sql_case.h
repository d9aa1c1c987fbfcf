// A test case written in SQL (tests/sql/*.sql); docs/DEVELOPING.md describes the format.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace pgt::test {

struct SqlSection {
  enum class Kind { kSetup, kQuery, kStep };
  Kind kind = Kind::kSetup;
  int line = 0;                       // of the section's header
  std::string name;                   // kQuery: the stream table; kStep: a label
  std::string mode = "AUTO";          // kQuery: refresh_mode
  std::string text;                   // SQL
  std::string expect_mode;            // kQuery: effective_refresh_mode it must get
  std::string expect_error;           // regular expression that the error message must match: the section must fail
  std::vector<std::string> features;  // kQuery: what the query shows, for docs/SQL_SUPPORT.md
  std::vector<std::string> costs;     // kQuery: "OPERATOR: CLASS", in its plan (tests/cost)
  std::string role;                   // kQuery: who creates it
  int before_server = 0;              // kQuery: only for servers before this major version; 0: for all
};

/// What gtest calls it.
inline void PrintTo(const SqlSection& section, std::ostream* out) {
  *out << section.name << ", line " << section.line;
}

struct SqlCase {
  enum class Refresh { kCall, kFunction };
  std::string path;
  std::string group;  // title of the features; empty outside of tests/sql/features
  Refresh refresh = Refresh::kCall;
  std::vector<SqlSection> sections;
};

/// Whether a step can run in a transaction and be undone, with only its own effect: it has no DDL, and no COMMIT.
bool can_be_undone(const std::string& step);

/// Reads a case; throws std::runtime_error with file and line if its format is wrong.
SqlCase read_sql_case(const std::string& path);

}  // namespace pgt::test
