#include "cli/table.h"

#include <algorithm>
#include <cstdio>

namespace pgtrickle::cli {
namespace {

bool starts_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

// Characters, not bytes, of UTF-8.
std::size_t length(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return text;
}

std::string cut(const std::string& text, std::size_t width) {
  if (width == 0 || length(text) <= width) return text;
  std::string out;
  std::size_t characters = 0;
  for (const char c : text) {
    if (starts_character(c) && ++characters == width) break;
    out += c;
  }
  return out + "…";
}

}  // namespace

std::string format_table(const std::vector<Column>& columns, const std::vector<std::vector<std::string>>& rows,
                         std::size_t width) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::size_t w = length(columns[i].title);
    for (const auto& row : rows) w = std::max(w, length(row[i]));
    widths.push_back(w);
  }
  std::string out;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string cell = one_line(cells[i]);
      const std::string padding(widths[i] - length(cell), ' ');
      line += (i > 0 ? "  " : "") + (columns[i].right ? padding + cell : cell + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += cut(line, width) + "\n";
  };
  std::vector<std::string> titles, rules;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    titles.push_back(columns[i].title);
    rules.emplace_back(widths[i], '-');
  }
  add_line(titles);
  add_line(rules);
  for (const auto& row : rows) add_line(row);
  return out;
}

std::string format_seconds(double seconds) {
  char text[32];
  if (seconds < 1) {
    std::snprintf(text, sizeof text, seconds < 0.01 ? "%.1f ms" : "%.0f ms", seconds * 1000);
  } else if (seconds < 90) {
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  } else if (seconds < 90 * 60) {
    std::snprintf(text, sizeof text, "%.0f min", seconds / 60);
  } else if (seconds < 48 * 3600) {
    std::snprintf(text, sizeof text, "%.1f h", seconds / 3600);
  } else {
    std::snprintf(text, sizeof text, "%.1f d", seconds / 86400);
  }
  return text;
}

}  // namespace pgtrickle::cli
