// The tables of tests/judgements/, which tests of the SQL part read too: text of COPY, with a head line.
#pragma once

#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace pgtrickle::planner {

/// Rows without the head line; no value: \\N.
inline std::vector<std::vector<std::optional<std::string>>> judgements(const std::string& file) {
  std::ifstream in(std::string(PGT_SOURCE_DIR) + "/tests/judgements/" + file);
  if (!in) throw std::runtime_error("cannot read " + file);
  std::vector<std::vector<std::optional<std::string>>> rows;
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    auto& row = rows.emplace_back();
    std::optional<std::string> value = "";
    for (std::size_t i = 0; i <= line.size(); ++i) {
      if (i == line.size() || line[i] == '\t') {
        row.push_back(value);
        value = "";
      } else if (line[i] != '\\') {
        *value += line[i];
      } else if (const char next = line.at(++i); next == 'N') {
        value.reset();
      } else {
        *value += next == 't' ? '\t' : next == 'n' ? '\n' : next == 'r' ? '\r' : next;
      }
    }
  }
  return rows;
}

}  // namespace pgtrickle::planner
