// Which tables sleep, and when they wake. That nothing is ever missed is shown in test_sleeping_model.cpp.
#include <gtest/gtest.h>

#include "entries.h"

namespace pgtrickle::planner {
namespace {

using namespace testing;
using std::chrono::milliseconds;
using Ids = std::vector<TableId>;
using Set = std::set<TableId>;
using Sources = std::vector<SourceId>;

class SleepingTest : public ::testing::Test {
 protected:
  SleepingTest() : planner_(PlannerSettings{}) {}

  void load(const std::vector<PlannerEntry>& entries) { planner_.load(entries, {}, now_); }
  void advance(int ms) {
    now_.steady += milliseconds(ms);
    now_.wall += milliseconds(ms);
  }
  Sources arm() {
    const Sources sources = planner_.sources_to_arm(now_.steady);
    for (const SourceId source : sources) planner_.armed(source, now_.steady);
    return sources;
  }
  Set due() {
    Set out;
    for (const Unit& unit : planner_.take_due(now_)) out.insert(unit.tables.begin(), unit.tables.end());
    return out;
  }
  void succeed(const Set& ids, bool changed = false) {
    for (const TableId id : ids) {
      planner_.succeeded(id, {.changed = changed, .own = milliseconds(1), .whole_unit = milliseconds(1)}, now_);
    }
  }
  /// What the daemon does: arms, then refreshes.
  Set round() {
    arm();
    const Set ids = due();
    succeed(ids);
    return ids;
  }
  /// How often each was refreshed in so long
  std::map<TableId, int> simulate(int ms) {
    std::map<TableId, int> out;
    const TimePoint end = now_.steady + milliseconds(ms);
    while (planner_.next_due() <= end) {
      if (planner_.next_due() > now_.steady) {
        now_.wall += planner_.next_due() - now_.steady;
        now_.steady = planner_.next_due();
      }
      for (const TableId id : round()) ++out[id];
    }
    now_.wall += end - now_.steady;
    now_.steady = end;
    return out;
  }
  bool asleep(TableId id) {
    const TimePoint later = now_.steady + std::chrono::hours(1000);
    return planner_.fresh_at(id, later) == later;
  }

  RefreshPlanner planner_;
  Now now_{TimePoint(std::chrono::hours(1000)), WallTime(std::chrono::hours(24 * 365 * 54))};
};

TEST_F(SleepingTest, SourcesOfWhatIsDueAreArmedAndTheRefreshAfterwardsPutsToSleep) {
  load({entry(1, every(1000), {}, {100}), entry(2, every(2000), {}, {101})});
  EXPECT_EQ(arm(), (Sources{100, 101}));
  EXPECT_EQ(planner_.sources(), 2U);
  EXPECT_EQ(planner_.sources_asleep(), 2U);
  EXPECT_TRUE(planner_.sources_to_arm(now_.steady).empty());
  EXPECT_FALSE(asleep(1));
  const Set ids = due();
  EXPECT_FALSE(asleep(1));
  succeed(ids, true);
  EXPECT_TRUE(asleep(1));
  EXPECT_TRUE(asleep(2));
  EXPECT_EQ(planner_.next_due(), TimePoint::max());
  advance(60000);
  EXPECT_EQ(planner_.fresh_at(1, now_.steady), now_.steady);  // nothing can have changed
}

TEST_F(SleepingTest, OnlyReadersOfTheWrittenSourceWake) {
  load({entry(1, every(1000), {}, {100}), entry(2, every(1000), {}, {101}), entry(3, every(1000), {}, {100, 101})});
  round();
  advance(60000);
  EXPECT_TRUE(planner_.woken(100, now_));
  EXPECT_FALSE(planner_.woken(100, now_));
  EXPECT_FALSE(planner_.woken(999, now_));
  EXPECT_TRUE(asleep(2));
  EXPECT_EQ(arm(), (Sources{100}));
  EXPECT_EQ(due(), (Set{1, 3}));  // at once: the last check is long ago
}

TEST_F(SleepingTest, WhatFollowsTheTimeSleepsUntilARowCrosses) {
  auto timed = entry(1, every(1000), {}, {100});
  timed.follows_time = true;
  load({timed, entry(2, every(1000), {1}, {})});
  EXPECT_EQ(round(), (Set{1, 2}));
  EXPECT_FALSE(asleep(1)) << "nobody knows when a row crosses";
  EXPECT_FALSE(asleep(2)) << "nor does what reads it sleep";
  EXPECT_LE(planner_.next_due(), now_.steady + milliseconds(1000));

  const auto refresh = [&](std::optional<Milliseconds> crossing_in) {
    arm();
    for (const TableId id : due()) {
      planner_.succeeded(id, {.crossing_in = id == 1 ? crossing_in : std::nullopt}, now_);
    }
  };
  advance(1000);
  refresh(milliseconds(60000));
  const TimePoint crossing = now_.steady + milliseconds(60000);
  EXPECT_EQ(planner_.next_due(), crossing);
  advance(59999);
  EXPECT_EQ(due(), Set{});
  EXPECT_EQ(planner_.fresh_at(1, now_.steady), now_.steady);
  advance(3);
  EXPECT_EQ(planner_.fresh_at(1, now_.steady), crossing);
  EXPECT_EQ(due(), (Set{1, 2}));
}

TEST_F(SleepingTest, ARowThatIsNearAndDoesNotCrossIsLookedAtOncePerPeriod) {
  auto timed = entry(1, every(1000), {}, {100});
  timed.follows_time = true;
  load({timed});
  int refreshes = 0;
  const TimePoint end = now_.steady + milliseconds(10000);
  while (planner_.next_due() <= end) {
    now_.steady = std::max(now_.steady, planner_.next_due());
    arm();
    for (const TableId id : due()) {
      planner_.succeeded(id, {.crossing_in = milliseconds(0)}, now_);
      ++refreshes;
    }
  }
  EXPECT_GE(refreshes, 9);
  EXPECT_LE(refreshes, 11);
}

TEST_F(SleepingTest, WritersWakeWhatWaitsForTheTime) {
  auto timed = entry(1, every(1000), {}, {100});
  timed.follows_time = true;
  load({timed});
  arm();
  for (const TableId id : due()) planner_.succeeded(id, {.crossing_in = milliseconds(3600000)}, now_);
  advance(60000);
  EXPECT_TRUE(planner_.woken(100, now_));
  EXPECT_EQ(due(), Set{1});
}

// After an hour of sleep it was taken for an hour stale, and people were alarmed, until the refresh had ended.
TEST_F(SleepingTest, OneThatIsWokenWasFreshUntilThen) {
  load({entry(1, every(1000), {}, {100}), entry(2, every(1000), {1}, {})});
  round();
  advance(3600000);
  const TimePoint woken_at = now_.steady;
  EXPECT_TRUE(planner_.woken(100, now_));
  advance(400);
  for (const TableId id : {1, 2}) EXPECT_EQ(planner_.fresh_at(id, now_.steady), woken_at);
  const Set ids = due();
  advance(400);
  for (const TableId id : {1, 2}) EXPECT_EQ(planner_.fresh_at(id, now_.steady), woken_at);
  for (const TableId id : ids) planner_.failed(id, milliseconds(1000), now_.steady);
  for (const TableId id : {1, 2}) EXPECT_EQ(planner_.fresh_at(id, now_.steady), woken_at);
  advance(1000);
  const TimePoint begun = now_.steady;
  round();
  for (const TableId id : {1, 2}) EXPECT_EQ(planner_.fresh_at(id, now_.steady), begun);
}

TEST_F(SleepingTest, WhenTheLocksAreLostFreshnessIsKnownUntilTheLastSignOfLife) {
  load({entry(1, every(1000), {}, {100})});
  round();
  const TimePoint checked = now_.steady;
  advance(3600000);
  (void)planner_.wake_all(now_, milliseconds(5000));
  EXPECT_EQ(planner_.fresh_at(1, now_.steady), now_.steady - milliseconds(5000));
  round();
  const TimePoint checked_again = now_.steady;
  EXPECT_GT(checked_again, checked);
  advance(2000);
  (void)planner_.wake_all(now_, milliseconds(5000));
  EXPECT_EQ(planner_.fresh_at(1, now_.steady), checked_again);
}

TEST_F(SleepingTest, OneThatIsHeldForItsFrontierStaysFresh) {
  load({entry(1, every(1000), {}, {100})});
  round();
  advance(3600000);
  EXPECT_TRUE(planner_.reserve(1, now_.steady));
  EXPECT_EQ(planner_.fresh_at(1, now_.steady), now_.steady);
  planner_.released(1);
  EXPECT_TRUE(asleep(1));
}

// A writer may have changed 101 just before the snapshot in which 1 and 3 are refreshed, and its notification be on its
// way: a reader of 2 and 3 would see a later state of 100 than of 101.
TEST_F(SleepingTest, WhoSleepsGoesAlongSoThatAllAreInStep) {
  const std::vector<PlannerEntry> entries{entry(1, every(1000), {}, {100}), entry(2, every(1000), {}, {101}),
                                          entry(3, every(1000), {1, 2}), entry(4, every(5000), {2}),
                                          entry(5, every(1000), {}, {101})};
  load(entries);
  advance(5000);
  EXPECT_EQ(round(), (Set{1, 2, 3, 4, 5}));
  advance(60000);
  EXPECT_TRUE(planner_.woken(100, now_));
  EXPECT_EQ(round(), (Set{1, 2, 3}));  // 4 is slower, 5 is not connected with them
  EXPECT_TRUE(asleep(2));
}

TEST_F(SleepingTest, OneThatIsWokenSoonWaitsForTheRestOfItsPeriod) {
  load({entry(1, every(1000), {}, {100})});
  round();
  advance(300);
  EXPECT_TRUE(planner_.woken(100, now_));
  EXPECT_EQ(planner_.next_due(), now_.steady + milliseconds(700));
}

TEST_F(SleepingTest, AContinuousOneIsRefreshedAsSoonAsItIsWoken) {
  load({entry(1, continuous(50), {}, {100})});
  round();
  EXPECT_TRUE(asleep(1));
  advance(49);
  EXPECT_TRUE(planner_.woken(100, now_));
  EXPECT_EQ(planner_.next_due(), now_.steady + milliseconds(1));
  advance(1);
  EXPECT_EQ(round(), (Set{1}));
  advance(5000);
  EXPECT_TRUE(planner_.woken(100, now_));
  EXPECT_EQ(planner_.next_due(), now_.steady);
}

TEST_F(SleepingTest, ACronTableIsNotRefreshedEarlierBecauseItIsWoken) {
  load({entry(1, cron("@hourly"), {}, {100})});
  advance(3600000);
  EXPECT_EQ(round(), (Set{1}));
  EXPECT_TRUE(asleep(1));
  EXPECT_TRUE(simulate(5 * 3600000).empty());
  advance(60000);
  EXPECT_TRUE(planner_.woken(100, now_));
  EXPECT_EQ(planner_.next_due(), now_.steady + std::chrono::minutes(59));
}

TEST_F(SleepingTest, ARefreshThatBeganBeforeTheArmingDoesNotCount) {
  load({entry(1, every(1000), {}, {100}), entry(2, every(1000), {}, {100})});
  EXPECT_EQ(due(), (Set{1, 2}));
  advance(10);
  planner_.armed(100, now_.steady);
  succeed({1, 2});
  EXPECT_FALSE(asleep(1));
  EXPECT_EQ(simulate(60000), (std::map<TableId, int>{{1, 1}, {2, 1}}));
}

TEST_F(SleepingTest, ARefreshThatBeginsAfterTheArmingCounts) {
  load({entry(1, every(1000), {}, {100})});
  const auto units = planner_.take_due(now_);
  advance(10);
  planner_.armed(100, now_.steady);
  advance(10);
  planner_.begun(units[0], now_.steady);  // it has waited for a worker until now
  succeed({1});
  EXPECT_TRUE(asleep(1));
}

TEST_F(SleepingTest, RefusedSourcesAreTriedAgainSoon) {
  load({entry(1, every(100), {}, {100})});
  planner_.refused(100, now_.steady);
  succeed(due());
  EXPECT_FALSE(asleep(1));
  EXPECT_LE(simulate(1000).at(1), 4);
  EXPECT_TRUE(asleep(1));
}

TEST_F(SleepingTest, BusySourcesArePolled) {
  load({entry(1, every(1000), {}, {100})});
  int wakes = 0;
  for (int second = 0; second < 600; ++second) {
    round();
    advance(500);
    wakes += planner_.woken(100, now_) ? 1 : 0;
    advance(500);
  }
  EXPECT_LT(wakes, 40);
  EXPECT_GT(wakes, 10);  // it is tried again and again
}

TEST_F(SleepingTest, WithoutCaptureNothingSleepsAndNothingIsArmed) {
  PlannerEntry full = entry(1, every(1000), {}, {100});
  full.captured = false;
  load({full, entry(2, every(1000), {}, {101})});
  EXPECT_EQ(arm(), (Sources{101}));
  succeed(due());
  EXPECT_EQ(simulate(10000), (std::map<TableId, int>{{1, 10}}));
}

TEST_F(SleepingTest, OneThatReadsWhatCannotSleepCannotEither) {
  PlannerEntry full = entry(1, every(1000), {}, {100});
  full.captured = false;
  load({full, entry(2, every(1000), {1}, {101}), entry(3, every(1000), {2})});
  EXPECT_TRUE(arm().empty());
  succeed(due());
  EXPECT_EQ(simulate(3000), (std::map<TableId, int>{{1, 3}, {2, 3}, {3, 3}}));
}

TEST_F(SleepingTest, OneThatFailsOrIsHeldStaysAwake) {
  load({entry(1, every(1000), {}, {100}), entry(2, every(1000), {}, {100})});
  arm();
  EXPECT_EQ(due(), (Set{1, 2}));
  planner_.failed(1, milliseconds(100), now_.steady);
  planner_.held(2, now_);
  EXPECT_EQ(simulate(60000), (std::map<TableId, int>{{1, 1}, {2, 1}}));
}

// Tables that read tables ---------------------------------------------------------------------------------------------

TEST_F(SleepingTest, AChainSleepsAfterOneUnitAndWakesAsAWhole) {
  load({entry(1, every(1000), {}, {100}), entry(2, every(1000), {1}), entry(3, every(1000), {2})});
  EXPECT_EQ(round(), (Set{1, 2, 3}));
  for (const TableId id : {1, 2, 3}) EXPECT_TRUE(asleep(id));
  advance(10000);
  planner_.woken(100, now_);
  EXPECT_EQ(due(), (Set{1, 2, 3}));
}

TEST_F(SleepingTest, AReaderSleepsOnlyAfterItHasReadWhatItReadsHasBecome) {
  load({entry(1, every(1000), {}, {100}), entry(2, every(3000), {1}, {101})});
  round();
  advance(10000);
  planner_.woken(100, now_);
  EXPECT_EQ(arm(), (Sources{100}));
  const Set both = due();
  EXPECT_EQ(both, (Set{1, 2}));
  planner_.succeeded(1, {.changed = true}, now_);
  planner_.failed(2, milliseconds(10), now_.steady);
  EXPECT_TRUE(asleep(1));
  EXPECT_FALSE(asleep(2));
  EXPECT_EQ(simulate(60000), (std::map<TableId, int>{{2, 1}}));
  EXPECT_TRUE(asleep(2));
}

TEST_F(SleepingTest, AUnitThatBeganBeforeWhatItReadsHadEndedDoesNotCount) {
  load({entry(1, every(1000), {}, {100}), entry(2, every(1000), {1}, {101})});
  arm();
  EXPECT_EQ(due(), (Set{1, 2}));
  planner_.failed(1, milliseconds(1), now_.steady);
  planner_.failed(2, milliseconds(1), now_.steady);
  advance(1);
  const auto retries = planner_.take_due(now_);
  ASSERT_EQ(retries.size(), 2U);
  planner_.begun(retries[0], now_.steady);
  planner_.begun(retries[1], now_.steady);
  advance(1);
  succeed({1}, true);
  succeed({2});
  EXPECT_TRUE(asleep(1));
  EXPECT_FALSE(asleep(2));
  EXPECT_EQ(simulate(60000), (std::map<TableId, int>{{1, 1}, {2, 1}}));  // 1 goes along
}

TEST_F(SleepingTest, APausedTableIsASourceLikeOthers) {
  PlannerEntry paused = entry(1, every(1000), {}, {100});
  paused.active = false;
  load({paused, entry(2, every(1000), {1})});
  EXPECT_EQ(arm(), (Sources{own_log(1)}));
  EXPECT_EQ(due(), (Set{2}));
  succeed({2});
  EXPECT_TRUE(asleep(2));
  advance(5000);
  EXPECT_TRUE(planner_.woken(own_log(1), now_));
  EXPECT_EQ(due(), (Set{2}));
  succeed({2});
  paused.own_log.reset();  // nobody could wake us
  planner_.put(paused, now_);
  EXPECT_EQ(simulate(10000).at(2), 10);
}

// Found by the simulation: a reader of a daily table looked at it every second while changes waited for the next day.
TEST_F(SleepingTest, AFastReaderOfASlowTableSleepsWhileChangesWaitForTheSlowOne) {
  PlannerEntry slow = entry(1, cron("@hourly"), {}, {100});
  slow.age = milliseconds(0);
  load({slow, entry(2, every(1000), {1}, {101}), entry(3, every(1000), {2})});
  EXPECT_EQ(arm(), (Sources{100, 101, own_log(1)}));
  EXPECT_EQ(due(), (Set{2, 3}));
  succeed({2, 3});
  EXPECT_FALSE(asleep(1));
  EXPECT_TRUE(asleep(2));
  EXPECT_TRUE(asleep(3));
  EXPECT_TRUE(simulate(3599000).empty());
  advance(1000);
  arm();
  const auto units = planner_.take_due(now_);
  ASSERT_EQ(units.size(), 1U);
  EXPECT_EQ(units[0].tables, (Ids{1, 2, 3}));  // in one snapshot, as the slow one may change
  succeed({1, 2, 3}, true);
  EXPECT_TRUE(asleep(1));
  EXPECT_TRUE(asleep(2));
  EXPECT_TRUE(planner_.woken(own_log(1), now_));  // our own writing, as far as the trigger knows
  EXPECT_EQ(simulate(60000), (std::map<TableId, int>{{2, 1}, {3, 1}}));
}

TEST_F(SleepingTest, AFastReaderThatMissedTheRefreshOfASlowTableWakes) {
  load({entry(1, every(60000), {}, {100}), entry(2, every(1000), {1}, {101})});
  round();
  advance(60000);
  planner_.woken(100, now_);
  arm();
  EXPECT_EQ(due(), (Set{1, 2}));
  planner_.succeeded(1, {.changed = true}, now_);
  planner_.released(2);
  EXPECT_FALSE(asleep(2));
  EXPECT_EQ(due(), (Set{2}));
}

// Found by this test: the reader slept on.
TEST_F(SleepingTest, ATableThatIsDeactivatedBecomesASourceAtOnce) {
  load({entry(1, every(1000), {}, {100}), entry(2, every(1000), {1})});
  round();
  planner_.deactivate(1);
  EXPECT_FALSE(asleep(2));
  EXPECT_EQ(planner_.take_unneeded(), (Sources{100}));
  advance(1000);
  EXPECT_EQ(arm(), (Sources{own_log(1)}));
  EXPECT_EQ(due(), (Set{2}));
  succeed({2});
  EXPECT_TRUE(asleep(2));
}

// Found by the model: its reader polled for as long as the other member of the atomic set was paused.
TEST_F(SleepingTest, ATableWhoseAtomicSetIsBlockedIsASourceLikeOthers) {
  PlannerEntry paused = entry(2, every(1000), {}, {101});
  paused.active = false;
  planner_.load({entry(1, every(1000), {}, {100}), paused, entry(3, every(1000), {1})}, {{1, 2}}, now_);
  EXPECT_EQ(round(), (Set{3}));
  EXPECT_TRUE(asleep(3));
  EXPECT_TRUE(planner_.woken(own_log(1), now_));
  EXPECT_FALSE(asleep(3));
}

// Found by the model: what it reads was not known yet, so nothing seemed to keep it awake.
TEST_F(SleepingTest, OneThatReadsATableThatIsNotHereStaysAwake) {
  load({entry(2, every(1000), {1}, {100})});
  EXPECT_TRUE(arm().empty());
  succeed(due());
  EXPECT_EQ(simulate(5000).at(2), 5);
  planner_.put(entry(1, every(1000), {}, {101}), now_);
  round();
  EXPECT_TRUE(asleep(1));
  EXPECT_TRUE(asleep(2));
}

TEST_F(SleepingTest, ACycleSleepsAsAWhole) {
  // 1 and 2 read each other; 2 reads 3 too; 4 reads 1.
  load({entry(1, every(1000), {2}, {100}), entry(2, every(1000), {1, 3}), entry(3, every(1000), {}, {101}),
        entry(4, every(1000), {1})});
  EXPECT_EQ(round(), (Set{1, 2, 3, 4}));
  for (const TableId id : {1, 2, 3, 4}) EXPECT_TRUE(asleep(id)) << id;
  advance(10000);
  // Found by this test: 1, which does not read 3 itself, slept on and so did 4, its reader.
  planner_.woken(101, now_);
  for (const TableId id : {1, 2, 3, 4}) EXPECT_FALSE(asleep(id)) << id;
  EXPECT_EQ(due(), (Set{1, 2, 3, 4}));
}

TEST_F(SleepingTest, ACycleWithAMemberThatIsNotCapturedStaysAwake) {
  PlannerEntry full = entry(2, every(1000), {1});
  full.captured = false;
  load({entry(1, every(1000), {2}, {100}), full});
  EXPECT_TRUE(arm().empty());
  succeed(due());
  EXPECT_EQ(simulate(3000), (std::map<TableId, int>{{1, 3}, {2, 3}}));
}

TEST_F(SleepingTest, AUnitDoesNotInheritTheLatenessOfMembersThatSlept) {
  load({entry(1, every(1000), {}, {100}), entry(2, every(1000), {}, {101})});
  planner_.load({entry(1, every(1000), {}, {100}), entry(2, every(1000), {}, {101})}, {{1, 2}}, now_);
  round();
  advance(3600000);
  planner_.woken(100, now_);
  const auto units = planner_.take_due(now_);
  ASSERT_EQ(units.size(), 1U);
  EXPECT_EQ(units[0].tables, (Ids{1, 2}));  // also the one that sleeps: together or not at all
  EXPECT_EQ(units[0].due, now_.steady);
}

// Locks ---------------------------------------------------------------------------------------------------------------

TEST_F(SleepingTest, LoadingTheSameWakesNobodyAndKeepsWhatIsArmed) {
  const std::vector<PlannerEntry> entries{entry(1, every(1000), {}, {100}), entry(2, calculated(), {1}, {101}),
                                          entry(3, cron("@hourly"), {2})};
  load(entries);
  advance(3600000);
  round();
  EXPECT_TRUE(asleep(1));
  EXPECT_TRUE(asleep(2));
  EXPECT_TRUE(asleep(3));
  for (int i = 0; i < 3; ++i) {
    advance(100000);
    load(entries);
    planner_.put(entries[1], now_);
    EXPECT_EQ(planner_.sources_asleep(), 2U);
    EXPECT_TRUE(planner_.take_unneeded().empty());
    EXPECT_TRUE(asleep(1));
    EXPECT_TRUE(asleep(2));
    EXPECT_TRUE(asleep(3));
    EXPECT_EQ(planner_.next_due(), TimePoint::max());
  }
}

TEST_F(SleepingTest, ArmedSourcesThatNobodyReadsAnyMoreAreToBeUnlocked) {
  load({entry(1, every(1000), {}, {100, 101}), entry(2, every(1000), {}, {101})});
  round();
  planner_.remove(1, now_);
  EXPECT_EQ(planner_.take_unneeded(), (Sources{100}));
  EXPECT_TRUE(planner_.take_unneeded().empty());
  EXPECT_TRUE(asleep(2));
  load({});
  EXPECT_EQ(planner_.take_unneeded(), (Sources{101}));
  EXPECT_EQ(planner_.sources(), 0U);
}

// Found by the model: the lock of a source that went away while it was being taken was kept for ever.
TEST_F(SleepingTest, ASourceThatIsArmedTooLateIsToBeUnlocked) {
  load({entry(1, every(1000), {}, {100})});
  EXPECT_EQ(planner_.sources_to_arm(now_.steady), (Sources{100}));
  planner_.remove(1, now_);
  planner_.armed(100, now_.steady);
  EXPECT_EQ(planner_.take_unneeded(), (Sources{100}));
}

TEST_F(SleepingTest, ANewSourceWakesItsReader) {
  load({entry(1, every(1000), {}, {100})});
  round();
  advance(10000);
  planner_.put(entry(1, every(1000), {}, {100, 101}), now_);
  EXPECT_FALSE(asleep(1));
  EXPECT_EQ(arm(), (Sources{101}));
  EXPECT_EQ(due(), (Set{1}));
  succeed({1});
  EXPECT_TRUE(asleep(1));
}

TEST_F(SleepingTest, WakeAllWakesAll) {
  PlannerEntry constant = entry(3, every(1000), {}, {});
  constant.sources.clear();  // a query without a source
  constant.relations.clear();
  load({entry(1, every(1000), {}, {100}), entry(2, every(1000), {1}), constant});
  round();
  EXPECT_TRUE(asleep(3));
  advance(10000);
  EXPECT_EQ(planner_.wake_all(now_), (Sources{100}));
  for (const TableId id : {1, 2, 3}) EXPECT_FALSE(asleep(id)) << id;
  EXPECT_EQ(round(), (Set{1, 2, 3}));
  for (const TableId id : {1, 2, 3}) EXPECT_TRUE(asleep(id)) << id;
}

}  // namespace
}  // namespace pgtrickle::planner
