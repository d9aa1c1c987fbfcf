// Log lines of a topic, with fields: log::info("build", "built database={} stream_table={}", database, name).
//
// A line is a message and then key=value. Every text that is put in is quoted like JSON unless it is one plain word:
// what a name or an error of the server contains can neither look like another field nor begin another line. So the
// fields can be told from the message again, which the JSON format does. A text that is to be part of the message is
// written raw().
#pragma once

#include <spdlog/spdlog.h>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace pgtrickle::observe {

/// As one word, or quoted like JSON, in which control characters are escaped.
[[nodiscard]] std::string log_quoted(std::string_view text);

/// A line taken apart. What is not key=value up to its end is all message.
struct LogLine {
  std::string message;
  std::vector<std::pair<std::string, std::string>> fields;  // quotes taken off
};
[[nodiscard]] LogLine parse_log_line(std::string_view line);

namespace log {

struct Raw {
  std::string_view text;
};
[[nodiscard]] inline Raw raw(std::string_view text) {
  return {text};
}

struct Value {
  std::string_view text;
};

template <class T>
inline constexpr bool is_text = std::is_convertible_v<const T&, std::string_view>;
template <class T>
using Written = std::conditional_t<is_text<T>, Value, const T&>;

template <class T>
[[nodiscard]] Written<T> written(const T& value) {
  if constexpr (is_text<T>) {
    return Value{value};
  } else {
    return value;
  }
}

/// The topic travels as the source file of spdlog's message.
template <class... Args>
void write(const char* topic, spdlog::level::level_enum level, fmt::format_string<Written<Args>...> format,
           const Args&... args) {
  spdlog::logger* logger = spdlog::default_logger_raw();
  if (!logger->should_log(level)) return;
  const auto text = [&](const auto&... values) {
    return fmt::vformat(format, fmt::make_format_args(values...));
  }(written(args)...);
  logger->log(spdlog::source_loc{topic, 0, ""}, level, spdlog::string_view_t(text));  // line 0: for us only
}

template <class... Args>
void debug(const char* topic, fmt::format_string<Written<Args>...> format, const Args&... args) {
  write<Args...>(topic, spdlog::level::debug, format, args...);
}
template <class... Args>
void info(const char* topic, fmt::format_string<Written<Args>...> format, const Args&... args) {
  write<Args...>(topic, spdlog::level::info, format, args...);
}
template <class... Args>
void warn(const char* topic, fmt::format_string<Written<Args>...> format, const Args&... args) {
  write<Args...>(topic, spdlog::level::warn, format, args...);
}
template <class... Args>
void error(const char* topic, fmt::format_string<Written<Args>...> format, const Args&... args) {
  write<Args...>(topic, spdlog::level::err, format, args...);
}
template <class... Args>
void critical(const char* topic, fmt::format_string<Written<Args>...> format, const Args&... args) {
  write<Args...>(topic, spdlog::level::critical, format, args...);
}

}  // namespace log
}  // namespace pgtrickle::observe

template <>
struct fmt::formatter<pgtrickle::observe::log::Value> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const pgtrickle::observe::log::Value& value, Context& context) const {
    return fmt::formatter<std::string_view>::format(pgtrickle::observe::log_quoted(value.text), context);
  }
};

template <>
struct fmt::formatter<pgtrickle::observe::log::Raw> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const pgtrickle::observe::log::Raw& value, Context& context) const {
    return fmt::formatter<std::string_view>::format(value.text, context);
  }
};
