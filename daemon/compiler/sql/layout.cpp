#include "compiler/sql/layout.h"

#include <algorithm>

#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

namespace {

constexpr std::size_t kShortStatement = 80;  // longer ones have a line for each clause
constexpr std::size_t kLine = 100;

bool has_several_lines(const std::string& text) {
  return text.find('\n') != std::string::npos;
}

std::string on_one_line(const Clause& clause) {
  const std::string items = join(clause.items, clause.separator == Separator::kAnd ? " AND " : ", ");
  if (clause.keyword.empty() || items.empty()) return clause.keyword + items;
  return clause.keyword + " " + items;
}

/// Items beside each other as long as they fit; one that has several lines is followed by nothing.
std::string filled(const Clause& clause) {
  const std::size_t margin = clause.keyword.empty() ? 0 : clause.keyword.size() + 1;
  const std::string next_line = ",\n" + std::string(margin, ' ');
  std::string text = clause.keyword + (margin > 0 ? " " : "");
  std::size_t used = margin;
  bool must_break = false;
  bool first = true;
  for (const auto& item : clause.items) {
    const bool several = has_several_lines(item);
    if (!first) {
      const bool breaks = must_break || several || used + 2 + item.size() > kLine;
      text += breaks ? next_line : ", ";
      used = breaks ? margin : used + 2;
    }
    text += indent(item, static_cast<int>(margin));
    used += item.size();
    must_break = several;
    first = false;
  }
  return text;
}

/// One condition per line, the ANDs below the keyword.
std::string stacked(const Clause& clause) {
  const std::size_t margin = std::max<std::size_t>(clause.keyword.size() + 1, 6);
  const std::string next_line = "\n" + std::string(margin - 4, ' ') + "AND ";
  std::string text = clause.keyword + " ";
  bool first = true;
  for (const auto& item : clause.items) {
    if (!first) text += next_line;
    text += indent(item, static_cast<int>(margin));
    first = false;
  }
  return text;
}

std::string print(const Clause& clause) {
  std::string line = on_one_line(clause);
  if (fits_a_line(line)) return line;
  return clause.separator == Separator::kAnd ? stacked(clause) : filled(clause);
}

}  // namespace

bool fits_a_line(const std::string& text) {
  return text.size() <= kLine && !has_several_lines(text);
}

std::string lay_out(const std::vector<Clause>& clauses) {
  std::vector<std::string> lines;
  std::size_t size = 0;
  bool several = false;
  for (const auto& clause : clauses) {
    lines.push_back(print(clause));
    size += lines.back().size() + 1;
    several = several || has_several_lines(lines.back());
  }
  return join(lines, size <= kShortStatement + 1 && !several ? " " : "\n");
}

}  // namespace pgtrickle::compiler
