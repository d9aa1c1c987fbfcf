// Log lines: fields, what hostile names cannot do to them, time zones, priorities.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>
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
