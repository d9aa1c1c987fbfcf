#include "observe/log.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

namespace pgtrickle::observe {

namespace {

using nlohmann::json;

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_-.:/+,@%()").find(c) != std::string_view::npos;
}

bool is_key(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/// The end of the quoted text that begins at `at`, behind its last quote.
std::size_t end_of_quoted(std::string_view line, std::size_t at) {
  for (++at; at < line.size() && line[at] != '"'; ++at) {
    if (line[at] == '\\') ++at;
  }
  return std::min(at + 1, line.size() + 1);
}

/// The field that begins at `at`, which is moved behind it.
std::optional<std::pair<std::string, std::string>> take_field(std::string_view line, std::size_t& at) {
  std::size_t equals = at;
  while (equals < line.size() && is_key(line[equals])) ++equals;
  if (equals == at || equals >= line.size() || line[equals] != '=') return std::nullopt;
  const std::size_t begin = equals + 1;
  const bool quoted = begin < line.size() && line[begin] == '"';
  const std::size_t end = quoted ? end_of_quoted(line, begin) : std::min(line.find(' ', begin), line.size());
  if (end > line.size() || (end < line.size() && line[end] != ' ')) return std::nullopt;
  std::string value(line.substr(begin, end - begin));
  if (quoted) {
    const json parsed = json::parse(value, nullptr, false);
    if (!parsed.is_string()) return std::nullopt;
    value = parsed.get<std::string>();
  }
  std::pair<std::string, std::string> field{line.substr(at, equals - at), std::move(value)};
  at = std::min(end + 1, line.size());
  return field;
}

std::optional<std::vector<std::pair<std::string, std::string>>> take_fields(std::string_view line) {
  std::vector<std::pair<std::string, std::string>> fields;
  for (std::size_t at = 0; at < line.size();) {
    auto field = take_field(line, at);
    if (!field) return std::nullopt;
    fields.push_back(std::move(*field));
  }
  return fields;
}

}  // namespace

std::string log_quoted(std::string_view text) {
  if (!text.empty() && std::all_of(text.begin(), text.end(), is_plain)) return std::string(text);
  return json(std::string(text)).dump(-1, ' ', false, json::error_handler_t::replace);
}

LogLine parse_log_line(std::string_view line) {
  for (std::size_t space = line.find(' '); space != std::string_view::npos; space = line.find(' ', space + 1)) {
    if (space + 1 >= line.size() || !is_key(line[space + 1])) continue;
    if (auto fields = take_fields(line.substr(space + 1)); fields && !fields->empty())
      return {std::string(line.substr(0, space)), std::move(*fields)};
  }
  return {std::string(line), {}};
}

}  // namespace pgtrickle::observe
