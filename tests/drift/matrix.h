// The matrix of tests/drift/matrix/ as a value. The README there describes the format; a line that is not
// understood throws std::runtime_error with file and line, so that no row is lost silently.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pgt::test {

struct Expectation {
  enum class Outcome { kEquals, kUnchanged, kStops, kStalls, kLimit };
  Outcome outcome = Outcome::kEquals;
  std::string text;  // kStops, kStalls: what it says, a regular expression; kLimit: why it cannot be noticed, in words
};

/// What the statements of its rows meet: tables, a query over them, a neighbour on the same source, writes.
struct World {
  std::string name;
  std::string owner = "postgres";
  std::string mode = "AUTO";
  std::string setup;
  std::string query;
  std::string other;
  std::string write;
  std::string teardown;
};

struct Row {
  World world;  // with what the row says otherwise
  std::string name;
  Expectation watched;
  Expectation unwatched;
  std::string statement;
  std::string write_after;
  std::optional<std::string> cure;
  std::string undo;
  int since = 0;       // major version of the server
  bool alone = false;  // cannot run in a transaction block
  bool with_daemon = false;
  std::string place;  // file and line
};

struct Matrix {
  std::vector<Row> rows;
  std::map<std::string, std::string> exempt;  // command -> why no row is about it
};

Matrix read_matrix(const std::string& folder);

/// "rename a column" -> "rename_a_column"
std::string identifier(const std::string& text);

}  // namespace pgt::test
