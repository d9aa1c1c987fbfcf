// Cron expressions: when is the next time, in local time as a table; around changes of the clock in UTC.
#include <date/tz.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <set>
#include <sstream>

#include "planner/cron.h"

namespace pgtrickle::planner {
namespace {

using std::chrono::seconds;

// "2024-02-28 12:34:56", in UTC
WallTime utc(const std::string& text) {
  std::istringstream in(text);
  date::sys_seconds out;
  in >> date::parse("%Y-%m-%d %H:%M:%S", out);
  EXPECT_FALSE(in.fail()) << text;
  return out;
}

std::string text_of(std::optional<WallTime> time) {
  return time ? date::format("%Y-%m-%d %H:%M:%S", std::chrono::floor<seconds>(*time)) : "never";
}

std::string next(const std::string& cron, const std::string& after) {
  std::string problem;
  const auto parsed = Cron::parse(cron, &problem);
  EXPECT_TRUE(parsed) << cron << ": " << problem;
  return parsed ? text_of(parsed->next(utc(after))) : problem;
}

struct Case {
  std::string cron, after, next;
};

void PrintTo(const Case& test, std::ostream* out) {
  *out << test.cron << " after " << test.after;
}

class CronNext : public ::testing::TestWithParam<Case> {};

TEST_P(CronNext, IsTheFirstMatchAfterwards) {
  EXPECT_EQ(next(GetParam().cron, GetParam().after), GetParam().next) << GetParam().cron;
}

// 2024-01-01 is a Monday.
INSTANTIATE_TEST_SUITE_P(Fields, CronNext,
                         ::testing::Values(Case{"* * * * *", "2024-01-01 00:00:00", "2024-01-01 00:01:00"},
                                           Case{"* * * * *", "2024-01-01 00:00:59", "2024-01-01 00:01:00"},
                                           Case{"* * * * *", "2024-12-31 23:59:30", "2025-01-01 00:00:00"},
                                           Case{"*/15 * * * *", "2024-01-01 00:14:59", "2024-01-01 00:15:00"},
                                           Case{"*/15 * * * *", "2024-01-01 00:15:00", "2024-01-01 00:30:00"},
                                           Case{"*/7 * * * *", "2024-01-01 00:56:00", "2024-01-01 01:00:00"},
                                           Case{"10-20/5 * * * *", "2024-01-01 00:16:00", "2024-01-01 00:20:00"},
                                           Case{"10-20/5 * * * *", "2024-01-01 00:20:00", "2024-01-01 01:10:00"},
                                           Case{"1,3,58 * * * *", "2024-01-01 00:03:00", "2024-01-01 00:58:00"},
                                           Case{"0 9-17 * * *", "2024-01-01 17:00:00", "2024-01-02 09:00:00"},
                                           Case{"30 6 * * 1-5", "2024-01-05 06:30:00", "2024-01-08 06:30:00"},
                                           Case{"30 6 * * MON-FRI", "2024-01-06 00:00:00", "2024-01-08 06:30:00"},
                                           Case{"0 0 * * 0", "2024-01-01 00:00:00", "2024-01-07 00:00:00"},
                                           Case{"0 0 * * 7", "2024-01-01 00:00:00", "2024-01-07 00:00:00"},
                                           Case{"0 0 * * 5-7", "2024-01-06 12:00:00", "2024-01-07 00:00:00"},
                                           Case{"0 0 * * sun", "2024-01-01 00:00:00", "2024-01-07 00:00:00"},
                                           Case{"0 0 1 jan *", "2024-01-01 00:00:00", "2025-01-01 00:00:00"},
                                           Case{"0 0 1 */3 *", "2024-01-01 00:00:00", "2024-04-01 00:00:00"},
                                           Case{"0 0 * feb-apr 3", "2024-01-01 00:00:00", "2024-02-07 00:00:00"},
                                           Case{"07 12 * * *", "2024-01-01 00:00:00", "2024-01-01 12:07:00"},
                                           Case{"  5   4\t* * *  ", "2024-01-01 00:00:00", "2024-01-01 04:05:00"}));

INSTANTIATE_TEST_SUITE_P(Nicknames, CronNext,
                         ::testing::Values(Case{"@hourly", "2024-01-01 00:00:00", "2024-01-01 01:00:00"},
                                           Case{"@daily", "2024-01-01 00:00:00", "2024-01-02 00:00:00"},
                                           Case{"@midnight", "2024-01-01 00:00:01", "2024-01-02 00:00:00"},
                                           Case{"@weekly", "2024-01-01 00:00:00", "2024-01-07 00:00:00"},
                                           Case{"@monthly", "2024-01-01 00:00:00", "2024-02-01 00:00:00"},
                                           Case{"@yearly", "2024-01-01 00:00:00", "2025-01-01 00:00:00"},
                                           Case{"@ANNUALLY", "2024-06-01 00:00:00", "2025-01-01 00:00:00"},
                                           Case{"TZ=Europe/Berlin @daily", "2024-01-01 00:00:00",
                                                "2024-01-01 23:00:00"}));

INSTANTIATE_TEST_SUITE_P(Days, CronNext,
                         ::testing::Values(Case{"0 0 31 * *", "2024-01-31 00:00:00", "2024-03-31 00:00:00"},
                                           Case{"0 0 31 * *", "2024-03-31 00:00:00", "2024-05-31 00:00:00"},
                                           Case{"0 0 30 * *", "2024-01-30 00:00:00", "2024-03-30 00:00:00"},
                                           Case{"0 0 29 2 *", "2024-02-28 12:00:00", "2024-02-29 00:00:00"},
                                           Case{"0 0 29 2 *", "2024-02-29 00:00:00", "2028-02-29 00:00:00"},
                                           Case{"0 0 29 2 *", "2023-03-01 00:00:00", "2024-02-29 00:00:00"},
                                           // Both day fields restricted: either is enough. With an asterisk in front in
                                           // one: both must match.
                                           Case{"0 0 13 * 5", "2024-09-01 00:00:00", "2024-09-06 00:00:00"},
                                           Case{"0 0 13 * 5", "2024-11-08 12:00:00", "2024-11-13 00:00:00"},
                                           Case{"0 0 30 2 1", "2024-01-01 00:00:00", "2024-02-05 00:00:00"},
                                           Case{"0 0 */2 * 1", "2024-01-02 00:00:00", "2024-01-15 00:00:00"},
                                           Case{"0 0 13 * */5", "2024-09-01 00:00:00", "2024-09-13 00:00:00"},
                                           Case{"0 0 30 2 7", "2024-01-01 00:00:00", "2024-02-04 00:00:00"}));

INSTANTIATE_TEST_SUITE_P(
    Zones, CronNext,
    ::testing::Values(Case{"TZ=Europe/Berlin 0 6 * * *", "2024-01-15 00:00:00", "2024-01-15 05:00:00"},
                      Case{"TZ=Europe/Berlin 0 6 * * *", "2024-07-15 00:00:00", "2024-07-15 04:00:00"},
                      Case{"CRON_TZ=America/New_York 0 6 * * *", "2024-01-15 00:00:00", "2024-01-15 11:00:00"},
                      Case{"TZ=America/New_York 0 20 * * mon", "2024-07-15 12:00:00", "2024-07-16 00:00:00"},
                      Case{"CRON_TZ=Asia/Kolkata 0 0 * * *", "2024-01-15 00:00:00", "2024-01-15 18:30:00"},
                      Case{"TZ=Pacific/Auckland 0 0 1 * *", "2024-01-31 10:00:00", "2024-01-31 11:00:00"}));

// Berlin, 2024-03-31: 02:00 CET is 03:00 CEST, at 01:00 UTC. New York, 2024-03-10: at 07:00 UTC.
INSTANTIATE_TEST_SUITE_P(
    ClockGoesForward, CronNext,
    ::testing::Values(Case{"TZ=Europe/Berlin 30 1 * * *", "2024-03-31 00:00:00", "2024-03-31 00:30:00"},
                      Case{"TZ=Europe/Berlin 30 2 * * *", "2024-03-31 00:00:00", "2024-03-31 01:00:00"},
                      Case{"TZ=Europe/Berlin 30 2 * * *", "2024-03-31 01:00:00", "2024-04-01 00:30:00"},
                      Case{"TZ=Europe/Berlin 0 3 * * *", "2024-03-31 00:00:00", "2024-03-31 01:00:00"},
                      Case{"TZ=Europe/Berlin 30 2,3 * * *", "2024-03-31 01:00:00", "2024-03-31 01:30:00"},
                      Case{"TZ=Europe/Berlin */30 * * * *", "2024-03-31 00:30:00", "2024-03-31 01:00:00"},
                      Case{"TZ=Europe/Berlin */30 * * * *", "2024-03-31 01:00:00", "2024-03-31 01:30:00"},
                      Case{"TZ=America/New_York 15 2 * * *", "2024-03-10 06:00:00", "2024-03-10 07:00:00"},
                      Case{"TZ=America/New_York 15 2 * * *", "2024-03-10 07:00:00", "2024-03-11 06:15:00"},
                      Case{"TZ=America/New_York 0 4 * * *", "2024-03-10 06:00:00", "2024-03-10 08:00:00"}));

// Berlin, 2024-10-27: 03:00 CEST is 02:00 CET, at 01:00 UTC. New York, 2024-11-03: 02:00 EDT is 01:00 EST, at 06:00
// UTC.
INSTANTIATE_TEST_SUITE_P(
    ClockGoesBack, CronNext,
    ::testing::Values(Case{"TZ=Europe/Berlin 30 2 * * *", "2024-10-27 00:00:00", "2024-10-27 00:30:00"},
                      Case{"TZ=Europe/Berlin 30 2 * * *", "2024-10-27 00:30:00", "2024-10-28 01:30:00"},
                      Case{"TZ=Europe/Berlin 30 2 * * *", "2024-10-27 01:10:00", "2024-10-28 01:30:00"},
                      Case{"TZ=Europe/Berlin 0 3 * * *", "2024-10-27 00:30:00", "2024-10-27 02:00:00"},
                      Case{"TZ=Europe/Berlin 0 2 * * *", "2024-10-26 12:00:00", "2024-10-27 00:00:00"},
                      Case{"TZ=Europe/Berlin 15,45 * * * *", "2024-10-27 00:45:00", "2024-10-27 02:15:00"},
                      Case{"TZ=America/New_York 30 1 * * *", "2024-11-03 04:00:00", "2024-11-03 05:30:00"},
                      Case{"TZ=America/New_York 30 1 * * *", "2024-11-03 05:30:00", "2024-11-04 06:30:00"},
                      Case{"TZ=America/New_York 0 2 * * *", "2024-11-03 05:30:00", "2024-11-03 07:00:00"}));

TEST(Cron, TimesAreFoundFromFractionsOfASecond) {
  const auto cron = Cron::parse("* * * * *");
  const auto minute = utc("2024-01-01 00:01:00");
  EXPECT_EQ(cron->next(minute - std::chrono::milliseconds(1)), minute);
  EXPECT_EQ(cron->next(minute), minute + seconds(60));
  EXPECT_EQ(cron->next(minute + std::chrono::milliseconds(1)), minute + seconds(60));
}

TEST(Cron, KeepsItsText) {
  EXPECT_EQ(Cron::parse("TZ=Europe/Berlin  0 6 * * 1-5")->text(), "TZ=Europe/Berlin  0 6 * * 1-5");
}

struct BadText {
  std::string cron, problem;
};

void PrintTo(const BadText& text, std::ostream* out) {
  *out << '"' << text.cron << '"';
}

class CronProblem : public ::testing::TestWithParam<BadText> {};

TEST_P(CronProblem, SaysWhatIsWrong) {
  std::string problem;
  EXPECT_FALSE(Cron::parse(GetParam().cron, &problem));
  EXPECT_EQ(problem, GetParam().problem) << GetParam().cron;
  EXPECT_FALSE(Cron::parse(GetParam().cron));
}

INSTANTIATE_TEST_SUITE_P(
    Texts, CronProblem,
    ::testing::Values(
        BadText{"", "a cron schedule has five fields"}, BadText{"* * * *", "a cron schedule has five fields"},
        BadText{"* * * * * *", "a cron schedule has five fields"},
        BadText{"@reboot", "a cron schedule has five fields"},
        BadText{"@hourly @daily", "a cron schedule has five fields"},
        BadText{"TZ=UTC", "a cron schedule has five fields"},
        BadText{"TZ=UTC TZ=UTC * * * * *", "a cron schedule has five fields"},
        BadText{"TZ=Mars/Olympus * * * * *", "time zone \"Mars/Olympus\" is not known"},
        BadText{"TZ= * * * * *", "time zone \"\" is not known"},
        BadText{"60 * * * *", "minute: \"60\" is not between 0 and 59"},
        BadText{"* 24 * * *", "hour: \"24\" is not between 0 and 23"},
        BadText{"* * 0 * *", "day of month: \"0\" is not between 1 and 31"},
        BadText{"* * 32 * *", "day of month: \"32\" is not between 1 and 31"},
        BadText{"* * * 13 *", "month: \"13\" is not between 1 and 12"},
        BadText{"* * * janu *", "month: \"janu\" is not between 1 and 12"},
        BadText{"* * * * 8", "day of week: \"8\" is not between 0 and 7"},
        BadText{"-1 * * * *", "minute: \"\" is not between 0 and 59"},
        BadText{"1- * * * *", "minute: \"\" is not between 0 and 59"},
        BadText{"1,,2 * * * *", "minute: \"\" is not between 0 and 59"},
        BadText{"99999999999999999999 * * * *", "minute: \"99999999999999999999\" is not between 0 and 59"},
        BadText{"1-2-3 * * * *", "minute: \"1-2-3\" is not a range"},
        BadText{"30-20 * * * *", "minute: \"30-20\" ends before it begins"},
        BadText{"* * * * fri-sun", "day of week: \"fri-sun\" ends before it begins"},
        BadText{"*/0 * * * *", "minute: \"0\" is not a step"}, BadText{"*/61 * * * *", "minute: \"61\" is not a step"},
        BadText{"5/20 * * * *", "minute: a step needs a range or *"},
        BadText{"0 0 30 2 *", "day of month: no month has such a day"},
        BadText{"tz=UTC * * * * *", "a cron schedule has five fields"},
        BadText{"*/x * * * *", "minute: \"x\" is not a step"}, BadText{"*/ * * * *", "minute: \"\" is not a step"},
        BadText{"*/2/2 * * * *", "minute: \"*/2/2\" has two steps"},
        BadText{"1.5 * * * *", "minute: \"1.5\" is not between 0 and 59"}));

// Minute by minute, in local time: the first minute that matches and whose first occurrence is later.
std::optional<WallTime> by_minutes(const date::time_zone* zone, WallTime after,
                                   const std::function<bool(date::local_days, unsigned hour, unsigned minute)>& matches,
                                   int days) {
  const auto first = std::chrono::floor<date::days>(zone->to_local(std::chrono::floor<seconds>(after)));
  std::optional<WallTime> best;
  for (auto day = first - date::days(1); day <= first + date::days(days); day += date::days(1)) {
    for (unsigned minute = 0; minute < 1440; ++minute) {
      if (!matches(day, minute / 60, minute % 60)) continue;
      const auto moment = zone->to_sys(day + std::chrono::minutes(minute), date::choose::earliest);
      if (moment > after && (!best || moment < *best)) best = moment;
    }
    if (best && day > first) break;
  }
  return best;
}

TEST(Cron, AgreesWithALookAtEveryMinute) {
  std::mt19937 random(1);
  const std::vector<std::string> zones{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                                       "America/Sao_Paulo"};
  for (int round = 0; round < 300; ++round) {
    const std::string& zone = zones[random() % zones.size()];
    std::set<unsigned> minutes, hours, week_days;
    for (unsigned i = 0; i <= random() % 3; ++i) minutes.insert(static_cast<unsigned>(random() % 60));
    for (unsigned i = 0; i <= random() % 3; ++i) hours.insert(static_cast<unsigned>(random() % 5));
    for (unsigned i = 0; i <= random() % 3; ++i) week_days.insert(static_cast<unsigned>(random() % 7));
    const auto list = [](const std::set<unsigned>& values) {
      std::string out;
      for (const unsigned value : values) out += (out.empty() ? "" : ",") + std::to_string(value);
      return out;
    };
    const auto cron = Cron::parse("TZ=" + zone + " " + list(minutes) + " " + list(hours) + " * * " + list(week_days));
    ASSERT_TRUE(cron);
    // Days around which clocks change somewhere in this list
    const std::vector<std::string> days{"2024-03-31", "2024-10-27", "2024-03-10", "2024-11-03",
                                        "2018-02-18", "2018-11-04", "2024-04-07", "2024-10-06"};
    const WallTime after = utc(days[random() % days.size()] + " 00:00:00") - seconds(2 * 86400) +
                           seconds(static_cast<int>(random() % (4 * 86400)));
    const auto expected = by_minutes(
        date::locate_zone(zone), after,
        [&](date::local_days day, unsigned hour, unsigned minute) {
          return minutes.contains(minute) && hours.contains(hour) &&
                 week_days.contains(date::weekday(day).c_encoding());
        },
        8);
    ASSERT_EQ(text_of(cron->next(after)), text_of(expected)) << cron->text() << " after " << text_of(after);
  }
}

}  // namespace
}  // namespace pgtrickle::planner
