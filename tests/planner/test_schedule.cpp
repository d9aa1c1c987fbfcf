// Schedules as the catalog has them.
#include <gtest/gtest.h>

#include <map>

#include "judgements.h"
#include "planner/schedule.h"

namespace pgtrickle::planner {
namespace {

using Kind = Schedule::Kind;

TEST(Schedule, Durations) {
  const auto schedule = parse_schedule("5 s", Milliseconds(5000));
  ASSERT_TRUE(schedule);
  EXPECT_EQ(schedule->kind, Kind::kEvery);
  EXPECT_EQ(schedule->period, Milliseconds(5000));
  EXPECT_FALSE(schedule->cron);
}

TEST(Schedule, CalculatedInAnyCase) {
  for (const char* text : {"calculated", " Calculated ", "CALCULATED\n"}) {
    const auto schedule = parse_schedule(text, {});
    ASSERT_TRUE(schedule) << text;
    EXPECT_EQ(schedule->kind, Kind::kCalculated);
    EXPECT_FALSE(schedule->period);
  }
}

TEST(Schedule, ContinuousWithAndWithoutAnInterval) {
  const auto plain = parse_schedule("continuous", {});
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->kind, Kind::kContinuous);
  EXPECT_FALSE(plain->period);
  const auto interval = parse_schedule("Continuous 200 ms", Milliseconds(200));
  ASSERT_TRUE(interval);
  EXPECT_EQ(interval->kind, Kind::kContinuous);
  EXPECT_EQ(interval->period, Milliseconds(200));
}

TEST(Schedule, Cron) {
  const auto schedule = parse_schedule(" TZ=Europe/Berlin 0 6 * * * ", {});
  ASSERT_TRUE(schedule);
  EXPECT_EQ(schedule->kind, Kind::kCron);
  EXPECT_EQ(schedule->cron->text(), "TZ=Europe/Berlin 0 6 * * *");
  EXPECT_EQ(parse_schedule("@hourly", {})->kind, Kind::kCron);
}

TEST(Schedule, OthersAreNone) {
  for (const char* text : {"", " ", "5 s", "calculatedly", "continuously", "* * * *", "0 25 * * *"}) {
    EXPECT_FALSE(parse_schedule(text, {})) << text;
  }
}

// SQL is held to the same table: tests/judgements/README.md
TEST(Schedule, IsWhatSqlTakesItFor) {
  const std::map<std::string, Kind> kinds{{"calculated", Kind::kCalculated},
                                          {"duration", Kind::kEvery},
                                          {"continuous", Kind::kContinuous},
                                          {"cron", Kind::kCron}};
  std::map<std::string, int> cases;
  for (const auto& row : judgements("schedules.tsv")) {
    const std::string kind = *row.at(0), text = *row.at(2);
    SCOPED_TRACE(text);
    ++cases[kind];
    std::optional<Milliseconds> ms;
    if (row.at(1)) ms = Milliseconds(std::stoll(*row.at(1)));
    const auto schedule = parse_schedule(text, ms);
    ASSERT_EQ(schedule.has_value(), kind != "refused");
    if (!schedule) continue;
    EXPECT_EQ(schedule->kind, kinds.at(kind));
    EXPECT_EQ(schedule->period, ms);
    ASSERT_EQ(schedule->cron.has_value(), row.at(3).has_value());
    if (schedule->cron) {
      EXPECT_EQ(schedule->cron->meaning(), *row.at(3));
    }
  }
  EXPECT_EQ(cases.size(), 5U);
}

TEST(Need, TheTightestOfAll) {
  Need need;
  EXPECT_TRUE(need.empty());
  need.add({.period = Milliseconds(5000), .continuous = false, .crons = {}});
  need.add({.period = Milliseconds(2000), .continuous = true, .crons = {}});
  need.add({.period = Milliseconds(3000), .continuous = false, .crons = {*Cron::parse("@hourly")}});
  need.add({.period = {}, .continuous = false, .crons = {*Cron::parse("@hourly"), *Cron::parse("@daily")}});
  EXPECT_EQ(need.period, Milliseconds(2000));
  EXPECT_TRUE(need.continuous);
  ASSERT_EQ(need.crons.size(), 2U);
  EXPECT_EQ(need.crons[1].text(), "@daily");
  EXPECT_FALSE(need.empty());
}

}  // namespace
}  // namespace pgtrickle::planner
