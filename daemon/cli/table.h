// An aligned table for terminals. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace pgtrickle::cli {

struct Column {
  std::string title;
  bool right = false;  // numbers
};

/// Title line, a line under it, one line per row; columns two spaces apart, no trailing spaces. Control characters in
/// cells become spaces. If `width` is not 0, lines are cut to it with an ellipsis.
std::string format_table(const std::vector<Column>& columns, const std::vector<std::vector<std::string>>& rows,
                         std::size_t width = 0);

/// A duration for people: "0.2 ms", "1.5 s", "3 min", "2.0 h", "3.1 d".
std::string format_seconds(double seconds);

}  // namespace pgtrickle::cli
