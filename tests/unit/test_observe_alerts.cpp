// Alerts: what is sent when, the payload of the notification, and that the documentation is what the register says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "observe/alerts.h"

namespace pgtrickle::observe {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

const AlertTime kStart = AlertTime(seconds(1700000000)) + milliseconds(250);

Alert alert_of(AlertKind kind, const std::string& object = "public.st") {
  return {.kind = kind, .database = "shop", .object = object, .message = "something"};
}

class AlertBookTest : public ::testing::Test {
 protected:
  // -1: not sent; otherwise how many were left out before.
  std::int64_t raise(AlertKind kind, seconds at, const std::string& object = "public.st") {
    return book_.raise(alert_of(kind, object), kStart + at).value_or(-1);
  }
  AlertBook book_{seconds(60)};
};

TEST_F(AlertBookTest, TheSameAlertIsSentOncePerIntervalAndSaysHowManyWereLeftOut) {
  EXPECT_EQ(raise(AlertKind::kStale, seconds(0)), 0);
  EXPECT_EQ(raise(AlertKind::kStale, seconds(1)), -1);
  EXPECT_EQ(raise(AlertKind::kStale, seconds(59)), -1);
  EXPECT_EQ(raise(AlertKind::kStale, seconds(60)), 2);
  EXPECT_EQ(raise(AlertKind::kStale, seconds(61)), -1);
  EXPECT_EQ(raise(AlertKind::kStale, seconds(200)), 1);
  EXPECT_EQ(raise(AlertKind::kStale, seconds(300)), 0);
}

TEST_F(AlertBookTest, OtherKindsAndObjectsAreNotLeftOut) {
  EXPECT_EQ(raise(AlertKind::kStale, seconds(0)), 0);
  EXPECT_EQ(raise(AlertKind::kError, seconds(0)), 0);
  EXPECT_EQ(raise(AlertKind::kStale, seconds(0), "public.other"), 0);
  EXPECT_EQ(raise(AlertKind::kStale, seconds(1)), -1);
}

TEST_F(AlertBookTest, EventsAreLimitedTooButDoNotLast) {
  EXPECT_EQ(raise(AlertKind::kReinitialised, seconds(0)), 0);
  EXPECT_EQ(raise(AlertKind::kReinitialised, seconds(1)), -1);
  EXPECT_FALSE(book_.is_active(AlertKind::kReinitialised, "public.st"));
  EXPECT_TRUE(book_.active().empty());
  EXPECT_EQ(raise(AlertKind::kReinitialised, seconds(60)), 1);
  EXPECT_EQ(raise(AlertKind::kReinitialised, seconds(200)), 0);
}

TEST_F(AlertBookTest, ACounterpartEndsWhatWasSentAndIsSentOnlyThen) {
  EXPECT_EQ(raise(AlertKind::kRecovered, seconds(0)), -1) << "nobody heard of an error";
  EXPECT_EQ(raise(AlertKind::kError, seconds(1)), 0);
  EXPECT_EQ(raise(AlertKind::kSuspended, seconds(1)), 0);
  EXPECT_EQ(raise(AlertKind::kStale, seconds(1)), 0);
  EXPECT_EQ(raise(AlertKind::kRecovered, seconds(2), "public.other"), -1);
  EXPECT_EQ(raise(AlertKind::kRecovered, seconds(2)), 0);
  EXPECT_FALSE(book_.is_active(AlertKind::kError, "public.st"));
  EXPECT_FALSE(book_.is_active(AlertKind::kSuspended, "public.st"));
  EXPECT_TRUE(book_.is_active(AlertKind::kStale, "public.st")) << "that is something else";
  EXPECT_EQ(raise(AlertKind::kRecovered, seconds(3)), -1);
  EXPECT_EQ(raise(AlertKind::kError, seconds(4)), 0) << "a new one is news";
  EXPECT_EQ(raise(AlertKind::kRecovered, seconds(5)), 0) << "and so is its end";
}

TEST_F(AlertBookTest, WhatIsClearedIsSentAtOnceTheNextTime) {
  EXPECT_EQ(raise(AlertKind::kLogGrowing, seconds(0)), 0);
  EXPECT_EQ(raise(AlertKind::kLogGrowing, seconds(1)), -1);
  book_.clear(AlertKind::kLogGrowing, "public.other");
  EXPECT_TRUE(book_.is_active(AlertKind::kLogGrowing, "public.st"));
  book_.clear(AlertKind::kLogGrowing, "public.st");
  EXPECT_FALSE(book_.is_active(AlertKind::kLogGrowing, "public.st"));
  EXPECT_EQ(raise(AlertKind::kLogGrowing, seconds(2)), 0);
}

TEST_F(AlertBookTest, ListsWhatLasts) {
  EXPECT_EQ(raise(AlertKind::kStale, seconds(0)), 0);
  EXPECT_EQ(raise(AlertKind::kStale, seconds(5)), -1);
  EXPECT_EQ(raise(AlertKind::kPaused, seconds(6), ""), 0);
  const auto active = book_.active();
  ASSERT_EQ(active.size(), 2U);
  EXPECT_EQ(active[0].alert.kind, AlertKind::kStale);
  EXPECT_EQ(active[0].since, kStart);
  EXPECT_EQ(active[0].last, kStart + seconds(5));
  EXPECT_EQ(active[0].times, 2);
  EXPECT_EQ(active[1].alert.object, "");
  book_.forget([](const Alert& alert) { return alert.object == "public.st"; });
  EXPECT_EQ(book_.active().size(), 1U);
}

TEST_F(AlertBookTest, AClockThatIsSetBackSilencesNothing) {
  EXPECT_EQ(raise(AlertKind::kStale, seconds(0)), 0);
  EXPECT_EQ(raise(AlertKind::kStale, seconds(-3600)), 0);
  EXPECT_EQ(raise(AlertKind::kStale, seconds(-3599)), -1);
}

TEST_F(AlertBookTest, ANewIntervalHoldsAtOnce) {
  EXPECT_EQ(raise(AlertKind::kStale, seconds(0)), 0);
  book_.set_interval(seconds(2));
  EXPECT_EQ(raise(AlertKind::kStale, seconds(2)), 0);
}

TEST(AlertPayload, HasEverything) {
  Alert alert = alert_of(AlertKind::kFuseBlown);
  alert.details = {{"pending_rows", std::int64_t{1200000}}, {"ratio", 2.5}, {"auto", true}, {"why", "too \"many\""}};
  const std::string text = alert_payload(alert, 7, kStart);
  EXPECT_EQ(json::parse(text), json::parse(R"({"version": 1, "kind": "fuse_blown", "severity": "error",
      "database": "shop", "object": "public.st", "message": "something", "at": "2023-11-14T22:13:20.250Z",
      "suppressed": 7, "details": {"pending_rows": 1200000, "ratio": 2.5, "auto": true, "why": "too \"many\""}})"));
  EXPECT_THAT(text, ::testing::StartsWith(R"({"version":1,"kind":"fuse_blown")"));
}

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(AlertPayload, IsNeverTooLongAndAlwaysValid) {
  // Characters of one to four bytes, ones that JSON writes with six, and bytes that are no UTF-8.
  for (const std::string unit : {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\x01", "\"", "\xff", "x\xe2"}) {
    for (const int times : {0, 1, 1300, 2630, 2631, 2632, 2633, 7890, 7900, 100000}) {
      Alert alert = alert_of(AlertKind::kError);
      alert.message = repeated(unit, times);
      alert.details = {{"hint", repeated(unit, times / 2)}, {"sqlstate", "22012"}};
      const std::string text = alert_payload(alert, 0, kStart);
      ASSERT_LE(text.size(), kAlertPayloadMax) << unit << " * " << times;
      const json parsed = json::parse(text);  // throws if it is not JSON in UTF-8
      EXPECT_EQ(parsed["details"]["sqlstate"], "22012");
      const std::string message = parsed["message"];
      if (unit == "a" && times > 10000) {
        EXPECT_TRUE(message.ends_with("...")) << "it shows that something is missing";
        EXPECT_GT(message.size(), 3000U) << "and as much as fits";
      }
      if (unit == "\xe2\x82\xac" && times > 3) {
        EXPECT_THAT(message, Not(HasSubstr("\xef\xbf\xbd"))) << "no character is broken";
      }
    }
  }
}

TEST(AlertPayload, LeavesDetailsOutIfTheyAreTooMany) {
  Alert alert = alert_of(AlertKind::kSccDiverged, repeated("o", 5000));
  alert.database = repeated("d", 5000);
  for (int i = 0; i < 2000; ++i) alert.details.emplace_back("key" + std::to_string(i), repeated("v", 100));
  const std::string text = alert_payload(alert, 0, kStart);
  EXPECT_LE(text.size(), kAlertPayloadMax);
  const json parsed = json::parse(text);
  EXPECT_EQ(parsed["truncated"], true);
  EXPECT_GT(parsed["details"].size(), 50U);
  EXPECT_TRUE(parsed["details"].contains("key0"));
}

TEST(AlertPayload, ValuesThatJsonDoesNotHave) {
  Alert alert = alert_of(AlertKind::kStale);
  alert.message = std::string("a\0b", 3);
  alert.details = {{"staleness_seconds", std::numeric_limits<double>::infinity()}};
  const std::string text = alert_payload(alert, 0, kStart);
  EXPECT_THAT(text, Not(HasSubstr("\\u0000"))) << "PostgreSQL would not take it as jsonb";
  EXPECT_TRUE(json::parse(text)["details"]["staleness_seconds"].is_null());
}

TEST(AlertLine, IsOneLineOfKeysAndValues) {
  Alert alert = alert_of(AlertKind::kFuseBlown, "public.a b");
  alert.message = "two\nlines";
  alert.details = {{"pending_rows", std::int64_t{12}}, {"why", "x"}};
  EXPECT_EQ(alert_line(alert),
            R"(alert kind=fuse_blown severity=error database="shop" object="public.a b" message="two\nlines" )"
            R"(pending_rows=12 why="x")");
  alert.object = "";
  EXPECT_THAT(alert_line(alert), Not(HasSubstr("object=")));
}

TEST(AlertRegister, IsConsistent) {
  std::set<std::string> names;
  for (const AlertInfo& info : alert_register()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name << " twice";
    EXPECT_FALSE(std::string(info.meaning).empty()) << info.name;
    EXPECT_EQ(&alert_info(info.kind), &info);
  }
  for (const AlertInfo& info : alert_register()) {
    const std::string end = info.ended_by;
    EXPECT_TRUE(end.empty() || names.contains(end)) << info.name << " is ended by " << end;
  }
}

TEST(AlertRegister, DocumentationIsCurrent) {
  std::ifstream in(PGT_SOURCE_DIR "/docs/ALERTS.md");
  std::ostringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), alerts_docs()) << "run: pgtrickled --print-alerts-docs > docs/ALERTS.md";
}

TEST(HideValues, LeavesTheSqlstateOfAnError) {
  Alert alert{.kind = AlertKind::kError,
              .database = "shop",
              .object = "public.st",
              .message = "invalid input syntax for type integer: \"SSN 123-45-6789\"",
              .details = {{"sqlstate", "22P02"}, {"consecutive_errors", std::int64_t{2}}, {"hint", "SSN"}}};
  for (const AlertKind kind : {AlertKind::kError, AlertKind::kSuspended}) {
    alert.kind = kind;
    Alert hidden = alert;
    hide_values(hidden);
    EXPECT_EQ(alert_payload(hidden, 0, {}).find("SSN"), std::string::npos);
    EXPECT_NE(hidden.message.find("22P02"), std::string::npos) << hidden.message;
    EXPECT_EQ(hidden.details.size(), 2U);
  }
}

TEST(HideValues, LeavesOutWhyATableWasRebuilt) {
  Alert alert{.kind = AlertKind::kReinitialised,
              .database = "shop",
              .object = "public.st",
              .message = "it was rebuilt",
              .details = {{"reason", "SSN"}}};
  hide_values(alert);
  EXPECT_EQ(alert.message, "it was rebuilt");
  EXPECT_TRUE(alert.details.empty());
}

TEST(HideValues, LeavesOtherAlertsAlone) {
  Alert alert{.kind = AlertKind::kPaused,
              .database = "shop",
              .object = "public.st",
              .message = "paused",
              .details = {{"reason", "backup"}}};
  hide_values(alert);
  EXPECT_EQ(alert.message, "paused");
  EXPECT_EQ(alert.details.size(), 1U);
}

}  // namespace
}  // namespace pgtrickle::observe
