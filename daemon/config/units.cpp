#include "config/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace pgtrickle::config {
namespace {

using Unit = std::pair<std::string_view, std::int64_t>;

// Largest first: format_duration() walks down.
constexpr std::array<Unit, 7> kDurations{
    {{"w", 604800000}, {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"min", 60000}, {"s", 1000}, {"ms", 1}}};
constexpr std::array<Unit, 4> kSizes{{{"GB", 1LL << 30}, {"MB", 1LL << 20}, {"kB", 1LL << 10}, {"B", 1}}};

void skip_spaces(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
}

std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

std::string_view take_word(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && ((text[length] | 0x20) >= 'a' && (text[length] | 0x20) <= 'z')) ++length;
  const auto word = text.substr(0, length);
  text.remove_prefix(length);
  return word;
}

template <std::size_t N>
std::optional<std::int64_t> factor(const std::array<Unit, N>& units, std::string_view name) {
  for (const auto& [unit, value] : units) {
    if (unit == name) return value;
  }
  return std::nullopt;
}

std::optional<std::int64_t> add_product(std::int64_t total, std::int64_t number, std::int64_t unit) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  if (number > (kMax - total) / unit) return std::nullopt;
  return total + number * unit;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::int64_t total = 0;
  bool any = false;
  for (skip_spaces(text); !text.empty(); skip_spaces(text)) {
    const auto number = take_number(text);
    if (!number) return std::nullopt;
    skip_spaces(text);
    const auto word = take_word(text);
    if (word.empty()) {
      if (*number == 0 && !any && text.empty()) return std::chrono::milliseconds(0);
      return std::nullopt;
    }
    const auto unit = factor(kDurations, word);
    if (!unit) return std::nullopt;
    const auto sum = add_product(total, *number, *unit);
    if (!sum) return std::nullopt;
    total = *sum;
    any = true;
  }
  if (!any) return std::nullopt;
  return std::chrono::milliseconds(total);
}

std::string format_duration(std::chrono::milliseconds value) {
  std::string text;
  std::int64_t rest = value.count();
  for (const auto& [name, unit] : kDurations) {
    if (name != "min" && name != "w" && rest >= unit) {
      text += std::to_string(rest / unit).append(name);
      rest %= unit;
    }
  }
  return text.empty() ? "0" : text;
}

std::optional<std::int64_t> parse_size(std::string_view text) {
  skip_spaces(text);
  const auto number = take_number(text);
  if (!number) return std::nullopt;
  skip_spaces(text);
  const auto word = take_word(text);
  skip_spaces(text);
  const auto unit = word.empty() ? std::optional<std::int64_t>(1) : factor(kSizes, word);
  if (!unit || !text.empty()) return std::nullopt;
  return add_product(0, *number, *unit);
}

std::string format_size(std::int64_t bytes) {
  for (const auto& [name, unit] : kSizes) {
    if (bytes >= unit && bytes % unit == 0) return std::to_string(bytes / unit).append(name);
  }
  return std::to_string(bytes);
}

std::vector<std::string> words(std::string_view list) {
  std::vector<std::string> out;
  for (std::size_t at = 0; (at = list.find_first_not_of(", \t", at)) != std::string_view::npos;) {
    const std::size_t end = std::min(list.find_first_of(", \t", at), list.size());
    out.emplace_back(list.substr(at, end - at));
    at = end;
  }
  return out;
}

}  // namespace pgtrickle::config
