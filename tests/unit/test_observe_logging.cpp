// Log lines: fields, what hostile names cannot do to them, time zones, priorities.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "observe/log.h"
#include "observe/logging.h"

namespace pgtrickle::observe {
namespace {

using nlohmann::json;

/// What `write` logs, in the format of `formatter`.
template <class Write>
std::string logged(std::unique_ptr<spdlog::formatter> formatter, Write write) {
  std::ostringstream out;
  const auto before = spdlog::default_logger();
  auto logger = std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::ostream_sink_mt>(out));
  logger->set_formatter(std::move(formatter));
  spdlog::set_default_logger(logger);
  write();
  spdlog::set_default_logger(before);
  return out.str();
}

const char* const kHostile = "x database=other\n2024-01-01 critical forged=1 \"quoted\" \\ \x1b[31m";

TEST(LogLine, FieldsOfJsonAreWhatWasPutIn) {
  for (const std::string name : {"public.t", "", "two words", kHostile, "a=b", "\"", "\\", "umlaut \xc3\xa4"}) {
    const std::string line = logged(make_json_formatter(), [&] {
      log::warn("build", "build failed database={} stream_table={} count={} ready={}", "shop", name, 7, true);
    });
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
    const json parsed = json::parse(line);
    EXPECT_EQ(parsed["topic"], "build");
    EXPECT_EQ(parsed["level"], "warning");
    EXPECT_EQ(parsed["message"], "build failed");
    EXPECT_EQ(parsed["database"], "shop");
    EXPECT_EQ(parsed["stream_table"], name);
    EXPECT_EQ(parsed["count"], "7");
    EXPECT_EQ(parsed["ready"], "true");
  }
}

TEST(LogLine, OfAnAlertHasItsMessage) {
  const std::string line = logged(make_json_formatter(), [] {
    log::info("alert", "{}",
              log::raw("alert kind=stale severity=warning database=\"shop\" message=\"it is old\" age=3"));
  });
  const json parsed = json::parse(line);
  EXPECT_EQ(parsed["message"], "it is old");
  EXPECT_EQ(parsed["kind"], "stale");
  EXPECT_EQ(parsed["topic"], "alert");
}

TEST(LogLine, WhatIsNoFieldIsMessage) {
  for (const char* text : {"plain", "http: listening on 127.0.0.1:80", "a=b", "x y=\"open", "x y=1 and more", ""}) {
    EXPECT_EQ(parse_log_line(text).message, text);
    EXPECT_TRUE(parse_log_line(text).fields.empty()) << text;
  }
}

TEST(LogLine, TextHasATimeZoneAndIsOneLine) {
  ::setenv("TZ", "Asia/Kolkata", 1);
  ::tzset();
  const std::string line = logged(make_text_formatter(), [] { log::error("build", "failed {}", log::raw(kHostile)); });
  ::unsetenv("TZ");
  ::tzset();
  EXPECT_THAT(line, ::testing::MatchesRegex("....-..-.. ..:..:..\\....[+]0530 error    failed x database.*\n"));
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  const std::string quoted = logged(make_text_formatter(), [] { log::error("build", "failed name={}", kHostile); });
  EXPECT_THAT(quoted, ::testing::HasSubstr("name=\"x database=other\\n2024"));
}

TEST(LogLine, HasItsPriorityInTheJournal) {
  const auto line = [](auto write) { return logged(make_text_formatter(true), write); };
  EXPECT_EQ(line([] { log::critical("t", "x"); }), "<2>x\n");
  EXPECT_EQ(line([] { log::error("t", "x"); }), "<3>x\n");
  EXPECT_EQ(line([] { log::warn("t", "x"); }), "<4>x\n");
  EXPECT_EQ(line([] { log::info("t", "x"); }), "<6>x\n");
  EXPECT_EQ(line([] { spdlog::info("x\ny"); }), "<6>x\\ny\n");
  EXPECT_THAT(logged(make_json_formatter(true), [] { log::error("t", "x"); }), ::testing::StartsWith("<3>{"));
}

/// The topics of which something is logged at `level`.
std::string topics_logged(const config::Log& settings, spdlog::level::level_enum level) {
  std::ostringstream out;
  const auto before = spdlog::default_logger();
  auto logger = make_logger(settings, std::make_shared<spdlog::sinks::ostream_sink_mt>(out));
  logger->set_formatter(make_json_formatter());
  spdlog::set_default_logger(logger);
  log::write("build", level, "x");
  log::write("refresh", level, "x");
  spdlog::log(level, "x");
  spdlog::set_default_logger(before);
  std::string topics;
  std::istringstream lines(out.str());
  for (std::string line; std::getline(lines, line);) topics += json::parse(line)["topic"].get<std::string>() + " ";
  return topics;
}

TEST(LogLevels, ATopicCanHaveItsOwn) {
  using namespace spdlog::level;
  EXPECT_EQ(topics_logged({}, info), "build refresh daemon ");
  EXPECT_EQ(topics_logged({}, debug), "");
  const config::Log chatty{.level = "warn", .levels = {{"refresh", "debug"}}};
  EXPECT_EQ(topics_logged(chatty, debug), "refresh ");
  EXPECT_EQ(topics_logged(chatty, info), "refresh ");
  EXPECT_EQ(topics_logged(chatty, warn), "build refresh daemon ");
  const config::Log quiet{.level = "info", .levels = {{"build", "error"}, {"daemon", "off"}}};
  EXPECT_EQ(topics_logged(quiet, info), "refresh ");
  EXPECT_EQ(topics_logged(quiet, err), "build refresh ");
  EXPECT_EQ(topics_logged({.level = "off", .levels = {{"build", "info"}}}, critical), "build ");
}

// A topic that the register does not know could not be given a level.
TEST(LogLevels, EveryTopicOfTheSourcesIsKnown) {
  const std::regex call("log::(?:write|debug|info|warn|error|critical)\\(\\s*\"([^\"]*)\",");
  std::set<std::string> used;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(PGT_SOURCE_DIR "/daemon")) {
    if (entry.path().extension() != ".cpp") continue;
    std::ifstream in(entry.path());
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    for (auto it = std::sregex_iterator(text.begin(), text.end(), call); it != std::sregex_iterator(); ++it)
      if (text.substr(static_cast<std::size_t>(std::max<std::ptrdiff_t>(it->position() - 3, 0)), 3) != "spd")
        used.insert((*it)[1]);
  }
  used.insert("daemon");
  EXPECT_THAT(used, ::testing::ElementsAreArray(config::kLogTopics));
}

TEST(LogLine, TheJournalIsWhatTheEnvironmentSays) {
  struct stat file {};
  ASSERT_EQ(::fstat(STDERR_FILENO, &file), 0);
  const std::string ours = std::to_string(file.st_dev) + ":" + std::to_string(file.st_ino);
  EXPECT_TRUE(is_journal(STDERR_FILENO, ours.c_str()));
  EXPECT_FALSE(is_journal(STDERR_FILENO, (ours + "1").c_str()));
  EXPECT_FALSE(is_journal(STDERR_FILENO, nullptr));
}

}  // namespace
}  // namespace pgtrickle::observe
