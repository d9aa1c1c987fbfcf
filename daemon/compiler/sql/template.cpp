#include "compiler/sql/template.h"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

namespace {

constexpr std::string_view kBegin = "${";
constexpr char kEnd = '}';

/// Cuts the first line off.
std::string_view next_line(std::string_view& text) {
  const auto end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

std::size_t blanks_before(std::string_view line) {
  const auto first = line.find_first_not_of(' ');
  return first == std::string_view::npos ? line.size() : first;
}

void trim_line_breaks(std::string& text) {
  text.resize(text.find_last_not_of('\n') + 1);  // npos + 1 is 0
}

class Filler {
 public:
  explicit Filler(const TemplateValues& values) : values_(values) {}

  std::string run(std::string_view text) {
    if (!text.empty() && text.front() == '\n') text.remove_prefix(1);
    const std::size_t margin = blanks_before(text);
    while (!text.empty()) {
      std::string_view line = next_line(text);
      const std::size_t blanks = blanks_before(line);
      if (blanks < margin && blanks < line.size())
        throw std::logic_error("template: a line begins left of the first one: " + std::string(line));
      line.remove_prefix(std::min(margin, line.size()));
      add(line);
    }
    for (const auto& [name, value] : values_)
      if (used_.count(name) == 0) throw std::logic_error("template: nothing asks for the value of " + name);
    trim_line_breaks(result_);
    return std::move(result_);
  }

 private:
  void add(std::string_view line) {
    const std::size_t begin = result_.size();
    bool only_empty = false;  // a placeholder alone on its line, without a value
    const std::string_view trimmed = line.substr(blanks_before(line));
    for (std::size_t at = 0; (at = line.find(kBegin)) != std::string_view::npos;) {
      const auto end = line.find(kEnd, at);
      if (end == std::string_view::npos) throw std::logic_error("template: no end of " + std::string(line.substr(at)));
      const std::string_view name = line.substr(at + kBegin.size(), end - at - kBegin.size());
      const std::string value = value_of(name);
      only_empty = value.empty() && trimmed.size() == name.size() + kBegin.size() + 1;
      result_.append(line, 0, at);
      append_indented(result_, value, result_.size() - (result_.rfind('\n') + 1));
      line.remove_prefix(end + 1);
    }
    if (only_empty)
      result_.resize(begin);
    else
      result_.append(line).append(1, '\n');
  }

  std::string value_of(std::string_view name) {
    for (const auto& [known, value] : values_) {
      if (known != name) continue;
      used_.insert(known);
      std::string trimmed = value;
      trim_line_breaks(trimmed);
      return trimmed;
    }
    throw std::logic_error("template: no value for " + std::string(name));
  }

  const TemplateValues& values_;
  std::set<std::string> used_;
  std::string result_;
};

}  // namespace

std::string fill(std::string_view text, const TemplateValues& values) {
  return Filler(values).run(text);
}

}  // namespace pgtrickle::compiler
