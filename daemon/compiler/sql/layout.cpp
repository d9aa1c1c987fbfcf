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

/// Nothing is built to find out: a clause may be as long as the program.
bool fits_a_line(const Clause& clause) {
  const std::size_t between = clause.separator == Separator::kAnd ? 5 : 2;
  std::size_t size = clause.keyword.empty() ? 0 : clause.keyword.size() + 1;
  for (const auto& item : clause.items) {
    size += item.size() + between;
    if (size > kLine + between) return false;  // the last item has nothing behind it
  }
  return std::none_of(clause.items.begin(), clause.items.end(), has_several_lines);
}

void print_on_one_line(std::string& text, const Clause& clause) {
  text += clause.keyword;
  if (!clause.keyword.empty() && !clause.items.empty()) text += ' ';
  text += join(clause.items, clause.separator == Separator::kAnd ? " AND " : ", ");
}

/// Items beside each other as long as they fit; one that has several lines is followed by nothing.
void print_filled(std::string& text, const Clause& clause) {
  const std::size_t margin = clause.keyword.empty() ? 0 : clause.keyword.size() + 1;
  text += clause.keyword;
  if (margin > 0) text += ' ';
  std::size_t used = margin;
  bool must_break = false;
  for (std::size_t i = 0; i < clause.items.size(); ++i) {
    const std::string& item = clause.items[i];
    const bool several = has_several_lines(item);
    if (i > 0) {
      text += ',';
      if (must_break || several || used + 2 + item.size() > kLine) {
        text.append(1, '\n').append(margin, ' ');
        used = margin;
      } else {
        text += ' ';
        used += 2;
      }
    }
    append_indented(text, item, margin);
    used += item.size();
    must_break = several;
  }
}

/// One condition per line, the ANDs below the keyword.
void print_stacked(std::string& text, const Clause& clause) {
  const std::size_t margin = std::max<std::size_t>(clause.keyword.size() + 1, 6);
  text += clause.keyword + ' ';
  for (std::size_t i = 0; i < clause.items.size(); ++i) {
    if (i > 0) text.append(1, '\n').append(margin - 4, ' ').append("AND ");
    append_indented(text, clause.items[i], margin);
  }
}

}  // namespace

bool fits_a_line(const std::string& text) {
  return text.size() <= kLine && !has_several_lines(text);
}

std::string lay_out(const std::vector<Clause>& clauses) {
  std::string text;
  std::vector<std::size_t> line_breaks;
  bool several = false;
  for (const auto& clause : clauses) {
    if (!text.empty()) {
      line_breaks.push_back(text.size());
      text += '\n';
    }
    if (fits_a_line(clause)) {
      print_on_one_line(text, clause);
      continue;
    }
    several = true;
    clause.separator == Separator::kAnd ? print_stacked(text, clause) : print_filled(text, clause);
  }
  if (!several && text.size() <= kShortStatement)
    for (const std::size_t at : line_breaks) text[at] = ' ';
  return text;
}

}  // namespace pgtrickle::compiler
