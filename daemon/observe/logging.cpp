#include "observe/logging.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "observe/log.h"

namespace pgtrickle::observe {
namespace {

using spdlog::details::log_msg;

std::string_view level_of(const log_msg& message) {
  const auto level = spdlog::level::to_string_view(message.level);
  return {level.data(), level.size()};
}

std::string_view topic_of(const log_msg& message) {
  return message.source.filename != nullptr ? message.source.filename : "daemon";
}

/// As sd-daemon(3) has it.
int priority_of(const log_msg& message) {
  switch (message.level) {
    case spdlog::level::critical:
      return 2;
    case spdlog::level::err:
      return 3;
    case spdlog::level::warn:
      return 4;
    case spdlog::level::info:
      return 6;
    default:
      return 7;
  }
}

void append(spdlog::memory_buf_t& out, std::string_view text) {
  out.append(text.data(), text.data() + text.size());
}

void append_priority(spdlog::memory_buf_t& out, const log_msg& message) {
  append(out, fmt::format("<{}>", priority_of(message)));
}

long milliseconds_of(const log_msg& message) {
  return static_cast<long>(
      std::chrono::duration_cast<std::chrono::milliseconds>(message.time.time_since_epoch()).count());
}

class JsonFormatter final : public spdlog::formatter {
 public:
  explicit JsonFormatter(bool to_journal) : to_journal_(to_journal) {}

  void format(const log_msg& message, spdlog::memory_buf_t& out) override {
    auto parts = parse_log_line({message.payload.data(), message.payload.size()});
    nlohmann::ordered_json line;
    line["time"] = timestamp(milliseconds_of(message));
    line["level"] = std::string(level_of(message));
    line["topic"] = std::string(topic_of(message));
    line["message"] = std::move(parts.message);
    for (auto& [key, value] : parts.fields) {
      if (!line.contains(key) || key == "message") line[key] = std::move(value);  // an alert has a message of its own
    }
    if (to_journal_) append_priority(out, message);
    // Bytes that are not UTF-8 are replaced: a log line must never be the reason to lose a log line.
    append(out, line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }

  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>(to_journal_);
  }

 private:
  static std::string timestamp(long since) {
    const std::time_t seconds = since / 1000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, since % 1000);
  }

  bool to_journal_;
};

class TextFormatter final : public spdlog::formatter {
 public:
  explicit TextFormatter(bool to_journal) : to_journal_(to_journal) {}

  void format(const log_msg& message, spdlog::memory_buf_t& out) override {
    if (to_journal_) {
      append_priority(out, message);
    } else {
      append(out, timestamp(milliseconds_of(message)));
      message.color_range_start = out.size();
      append(out, fmt::format("{:<8}", level_of(message)));
      message.color_range_end = out.size();
      append(out, " ");
    }
    for (const char c : message.payload) append_escaped(out, c);
    append(out, "\n");
  }

  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<TextFormatter>(to_journal_);
  }

 private:
  static void append_escaped(spdlog::memory_buf_t& out, char c) {
    const auto code = static_cast<unsigned char>(c);
    if (code >= 0x20 && code != 0x7f) {
      out.push_back(c);
    } else {
      append(out, c == '\n' ? "\\n" : c == '\t' ? "\\t" : fmt::format("\\x{:02x}", code));
    }
  }

  static std::string timestamp(long since) {
    const std::time_t seconds = since / 1000;
    std::tm parts{};
    ::localtime_r(&seconds, &parts);
    const long minutes = parts.tm_gmtoff / 60;
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}{}{:02}{:02} ", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, since % 1000, minutes < 0 ? '-' : '+',
                       std::abs(minutes) / 60, std::abs(minutes) % 60);
  }

  bool to_journal_;
};

/// Passes on what is severe enough for its topic.
class ByTopic final : public spdlog::sinks::sink {
 public:
  ByTopic(spdlog::sink_ptr to, const config::Log& settings)
      : to_(std::move(to)), others_(spdlog::level::from_str(settings.level)) {
    for (const auto& [topic, level] : settings.levels) levels_[topic] = spdlog::level::from_str(level);
  }

  [[nodiscard]] spdlog::level::level_enum lowest() const {
    auto lowest = others_;
    for (const auto& [topic, level] : levels_) lowest = std::min(lowest, level);
    return lowest;
  }

  void log(const log_msg& message) override {
    const auto own = levels_.find(topic_of(message));
    if (message.level >= (own == levels_.end() ? others_ : own->second)) to_->log(message);
  }
  void flush() override { to_->flush(); }
  void set_pattern(const std::string& pattern) override { to_->set_pattern(pattern); }
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    to_->set_formatter(std::move(formatter));
  }

 private:
  spdlog::sink_ptr to_;
  spdlog::level::level_enum others_;
  std::map<std::string, spdlog::level::level_enum, std::less<>> levels_;
};

}  // namespace

std::shared_ptr<spdlog::logger> make_logger(const config::Log& settings, spdlog::sink_ptr to) {
  const auto by_topic = std::make_shared<ByTopic>(std::move(to), settings);
  auto logger = std::make_shared<spdlog::logger>("", by_topic);
  logger->set_level(by_topic->lowest());
  return logger;
}

std::unique_ptr<spdlog::formatter> make_json_formatter(bool to_journal) {
  return std::make_unique<JsonFormatter>(to_journal);
}

std::unique_ptr<spdlog::formatter> make_text_formatter(bool to_journal) {
  return std::make_unique<TextFormatter>(to_journal);
}

bool is_journal(int descriptor, const char* journal_stream) {
  struct stat file {};
  if (journal_stream == nullptr || ::fstat(descriptor, &file) != 0) return false;
  return std::string(journal_stream) == fmt::format("{}:{}", file.st_dev, file.st_ino);
}

void setup_logging(const config::Log& settings) {
  const bool to_journal = is_journal(STDERR_FILENO, std::getenv("JOURNAL_STREAM"));
  std::shared_ptr<spdlog::logger> logger;
  if (settings.format == "json") {
    logger = make_logger(settings, std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_formatter(make_json_formatter(to_journal));
  } else {
    logger = make_logger(settings, std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    logger->set_formatter(make_text_formatter(to_journal));
  }
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace pgtrickle::observe
