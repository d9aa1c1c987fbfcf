// Due computation under a simulated clock.
#include <gtest/gtest.h>

#include "timetable/timetable.h"

namespace pgtrickle::scheduler {
namespace {

using std::chrono::milliseconds;

class TimetableTest : public ::testing::Test {
 protected:
  TimetableTest() : timetable_(milliseconds(1000), UnitLimits{}) {}

  static TimetableEntry entry(TableId id, std::optional<int> period_ms = 1000, bool captured = true,
                              bool active = true) {
    TimetableEntry e;
    e.id = id;
    if (period_ms) e.schedule = milliseconds(*period_ms);
    e.active = active;
    e.captured = captured;
    return e;
  }

  void advance(int ms) { now_ += milliseconds(ms); }

  std::set<TableId> due() {
    std::set<TableId> out;
    for (const Unit& unit : timetable_.take_due(now_)) out.insert(unit.tables.begin(), unit.tables.end());
    return out;
  }

  /// Lets the daemon run for so long: what is due succeeds at once. Returns how often each table was refreshed.
  std::map<TableId, int> simulate(int ms, bool changed) {
    std::map<TableId, int> counts;
    const TimePoint end = now_ + milliseconds(ms);
    while (timetable_.next_due() < end) {
      now_ = std::max(now_, timetable_.next_due());
      for (const TableId id : due()) {
        ++counts[id];
        timetable_.succeeded(id, changed, milliseconds(1), now_);
      }
    }
    now_ = end;
    return counts;
  }

  Timetable timetable_;
  TimePoint now_ = TimePoint(std::chrono::hours(1000));
};

using Set = std::set<TableId>;

TEST_F(TimetableTest, NewTablesAreDueAtOnceAndThenOncePerPeriod) {
  timetable_.load({entry(1, 1000), entry(2, 250)}, {}, now_);
  EXPECT_EQ(due(), (Set{1, 2}));
  timetable_.succeeded(1, true, milliseconds(1), now_);
  timetable_.succeeded(2, true, milliseconds(1), now_);
  const auto counts = simulate(10000, true);
  EXPECT_EQ(counts.at(1), 10);
  EXPECT_EQ(counts.at(2), 40);
}

TEST_F(TimetableTest, ATableWithFreshDataWaitsForTheRestOfItsPeriod) {
  TimetableEntry fresh = entry(1, 3600000, false);
  fresh.age = milliseconds(600000);
  timetable_.load({fresh}, {}, now_);
  EXPECT_TRUE(due().empty());
  EXPECT_EQ(timetable_.next_due(), now_ + milliseconds(3000000));
}

TEST_F(TimetableTest, ATableInFlightIsNotDueAgain) {
  timetable_.load({entry(1, 100)}, {}, now_);
  EXPECT_EQ(due(), (Set{1}));
  advance(5000);
  EXPECT_TRUE(due().empty());
  EXPECT_EQ(timetable_.next_due(), TimePoint::max());
  timetable_.load({entry(1, 100)}, {}, now_);  // a reload does not forget it
  EXPECT_TRUE(due().empty());
  timetable_.succeeded(1, true, milliseconds(5000), now_);
  EXPECT_GT(timetable_.next_due(), now_);
  EXPECT_LE(timetable_.next_due(), now_ + milliseconds(100));
}

TEST_F(TimetableTest, TablesOfOneComponentMeetInOneUnit) {
  timetable_.load({entry(1, std::nullopt), entry(2, 500), entry(3, 1000)}, {{1, 2}, {2, 3}}, now_);
  for (const TableId id : due()) timetable_.succeeded(id, true, milliseconds(1), now_);
  int together = 0;
  int rounds = 0;
  for (int i = 0; i < 20; ++i) {
    now_ = timetable_.next_due();
    const auto units = timetable_.take_due(now_);
    ASSERT_EQ(units.size(), 1U);
    ++rounds;
    if (units[0].tables == std::vector<TableId>{1, 2, 3}) ++together;
    for (const TableId id : units[0].tables) timetable_.succeeded(id, true, milliseconds(1), now_);
  }
  EXPECT_EQ(together, rounds / 2);  // 1 and 2 every 500 ms, 3 with every second of them
}

TEST_F(TimetableTest, FailedTablesComeBackAfterTheirDelay) {
  timetable_.load({entry(1, 100), entry(2, 100)}, {}, now_);
  EXPECT_EQ(due(), (Set{1, 2}));
  timetable_.failed(1, milliseconds(700), now_);
  timetable_.succeeded(2, true, milliseconds(1), now_);
  const auto counts = simulate(690, true);
  EXPECT_EQ(counts.count(1), 0U);
  EXPECT_GE(counts.at(2), 6);
  advance(20);
  EXPECT_TRUE(due().contains(1));
}

TEST_F(TimetableTest, ARetryIsAUnitOfItsOwn) {
  timetable_.load({entry(1, 1000), entry(2, 1000), entry(3, 1000)}, {{1, 2}, {2, 3}}, now_);
  ASSERT_EQ(timetable_.take_due(now_).size(), 1U);
  timetable_.succeeded(1, true, milliseconds(1), now_);
  timetable_.failed(2, milliseconds(1), now_);
  timetable_.succeeded(3, true, milliseconds(1), now_);
  advance(1500);
  const auto units = timetable_.take_due(now_);
  ASSERT_EQ(units.size(), 3U);
  for (const Unit& unit : units) EXPECT_EQ(unit.tables.size(), 1U);
}

TEST_F(TimetableTest, InactiveTablesAreLeftAloneAndDueWhenTheyComeBack) {
  timetable_.load({entry(1, 1000, true, false)}, {}, now_);
  EXPECT_TRUE(due().empty());
  EXPECT_EQ(timetable_.next_due(), TimePoint::max());
  timetable_.load({entry(1, 1000)}, {}, now_);
  EXPECT_EQ(due(), (Set{1}));
  timetable_.deactivate(1);
  timetable_.failed(1, milliseconds(1), now_);
  advance(1000);
  EXPECT_TRUE(due().empty());
}

TEST_F(TimetableTest, AShorterScheduleTakesEffectAtOnce) {
  timetable_.load({entry(1, 3600000)}, {}, now_);
  EXPECT_EQ(due(), (Set{1}));
  timetable_.succeeded(1, true, milliseconds(1), now_);
  advance(2000);
  timetable_.load({entry(1, 1000)}, {}, now_);
  EXPECT_EQ(due(), (Set{1}));
}

TEST_F(TimetableTest, ArmsAfterQuietRoundsAndSleepsAfterOneMoreCheck) {
  timetable_.load({entry(1, 1000), entry(2, 2000)}, {}, now_);
  EXPECT_EQ(due(), (Set{1, 2}));
  EXPECT_FALSE(timetable_.wants_to_arm(now_));  // in flight
  timetable_.succeeded(1, true, milliseconds(1), now_);
  timetable_.succeeded(2, false, milliseconds(1), now_);
  EXPECT_FALSE(timetable_.wants_to_arm(now_));  // just changed
  simulate(2100, false);
  ASSERT_TRUE(timetable_.wants_to_arm(now_));
  timetable_.armed(now_);
  EXPECT_FALSE(timetable_.wants_to_arm(now_));

  // Each is looked at once more, then not at all.
  const auto counts = simulate(60000, false);
  EXPECT_EQ(counts.at(1), 1);
  EXPECT_EQ(counts.at(2), 1);
  EXPECT_EQ(timetable_.next_due(), TimePoint::max());
  EXPECT_EQ(timetable_.fresh_at(1, now_), now_);  // nothing can have changed

  timetable_.woken(now_);
  EXPECT_EQ(due(), (Set{1, 2}));  // at once: the last check is long ago
}

TEST_F(TimetableTest, ACheckThatBeganBeforeArmingDoesNotCount) {
  timetable_.load({entry(1, 1000), entry(2, 60000, false)}, {}, now_);
  EXPECT_EQ(due(), (Set{1, 2}));
  advance(10);
  timetable_.armed(now_);
  timetable_.succeeded(1, false, milliseconds(1), now_);
  EXPECT_LT(timetable_.next_due(), TimePoint::max());
  EXPECT_EQ(simulate(5000, false).at(1), 1);
}

TEST_F(TimetableTest, TablesWithoutCaptureNeverSleepAndDoNotKeepOthersAwake) {
  timetable_.load({entry(1, 1000), entry(2, 1000, false)}, {}, now_);
  for (int i = 0; i < 5; ++i) {
    for (const TableId id : due()) timetable_.succeeded(id, id == 2, milliseconds(1), now_);
    advance(1000);
  }
  for (const TableId id : due()) timetable_.succeeded(id, id == 2, milliseconds(1), now_);
  ASSERT_TRUE(timetable_.wants_to_arm(now_));
  advance(1);
  timetable_.armed(now_);
  const auto counts = simulate(10000, false);
  EXPECT_EQ(counts.at(1), 1);
  EXPECT_EQ(counts.at(2), 10);
}

TEST_F(TimetableTest, NothingToSleepMeansNoArming) {
  timetable_.load({entry(1, 1000, false)}, {}, now_);
  simulate(10000, false);
  EXPECT_FALSE(timetable_.wants_to_arm(now_));
}

TEST_F(TimetableTest, HeldTablesAreNotDispatched) {
  timetable_.load({entry(1, 1000)}, {}, now_);
  EXPECT_TRUE(timetable_.hold(1));
  EXPECT_FALSE(timetable_.hold(1));
  EXPECT_TRUE(due().empty());
  timetable_.released(1);
  EXPECT_EQ(due(), (Set{1}));
  EXPECT_FALSE(timetable_.hold(1));
  EXPECT_FALSE(timetable_.hold(99));
}

}  // namespace
}  // namespace pgtrickle::scheduler
