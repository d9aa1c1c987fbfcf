// What the timetable promises, under a simulated clock. Sleeping, and changes step by step, have files of their own.
#include <gtest/gtest.h>

#include "entries.h"
#include "timetable/timetable.h"

namespace pgtrickle::scheduler {
namespace {

using namespace testing;
using std::chrono::milliseconds;
using Ids = std::vector<TableId>;
using Set = std::set<TableId>;

class TimetableTest : public ::testing::Test {
 protected:
  static constexpr Timetable::Success kChanged{.changed = true, .own = Milliseconds(1), .whole_unit = Milliseconds(1)};

  explicit TimetableTest(TimetableSettings settings = {}) : timetable_(settings) {}

  void load(const std::vector<TimetableEntry>& entries, const std::vector<Ids>& groups = {}) {
    timetable_.load(entries, groups, now_);
  }
  void advance(TimePoint::duration duration) {
    now_.steady += duration;
    now_.wall += duration;
  }
  void advance(int ms) { advance(milliseconds(ms)); }
  void advance_to(TimePoint time) { advance(time - now_.steady); }

  std::vector<Unit> take() { return timetable_.take_due(now_); }
  Set due() {
    Set out;
    for (const Unit& unit : take()) out.insert(unit.tables.begin(), unit.tables.end());
    return out;
  }
  void succeed(const std::vector<Unit>& units) {
    for (const Unit& unit : units) {
      for (const TableId id : unit.tables) timetable_.succeeded(id, kChanged, now_);
    }
  }
  void succeed(const Set& ids) {
    for (const TableId id : ids) timetable_.succeeded(id, kChanged, now_);
  }
  std::optional<int> due_in() {
    if (timetable_.next_due() == TimePoint::max()) return std::nullopt;
    return static_cast<int>((timetable_.next_due() - now_.steady) / milliseconds(1));
  }

  struct Run {
    int at;
    std::vector<Ids> units;
  };
  /// For so long everything that is due succeeds at once.
  std::vector<Run> simulate(int ms) {
    std::vector<Run> runs;
    const TimePoint start = now_.steady;
    const TimePoint end = start + milliseconds(ms);
    while (timetable_.next_due() <= end) {
      advance_to(std::max(now_.steady, timetable_.next_due()));
      Run& run = runs.emplace_back();
      run.at = static_cast<int>((now_.steady - start) / milliseconds(1));
      const auto units = take();
      EXPECT_FALSE(units.empty());
      for (const Unit& unit : units) run.units.push_back(unit.tables);
      succeed(units);
    }
    advance_to(end);
    return runs;
  }
  static std::map<TableId, int> counts(const std::vector<Run>& runs) {
    std::map<TableId, int> out;
    for (const Run& run : runs) {
      for (const Ids& unit : run.units) {
        for (const TableId id : unit) ++out[id];
      }
    }
    return out;
  }

  Timetable timetable_;
  Now now_{TimePoint(std::chrono::hours(1000)), WallTime(std::chrono::hours(24 * 365 * 54))};
};

// New, changed, inactive ----------------------------------------------------------------------------------------------

TEST_F(TimetableTest, NewTablesAreDueAtOnceAndThenOncePerPeriod) {
  load({entry(1, every(1000)), entry(2, every(250))});
  EXPECT_EQ(due(), (Set{1, 2}));
  succeed(Set{1, 2});
  const auto runs = counts(simulate(10000));
  EXPECT_EQ(runs.at(1), 10);
  EXPECT_EQ(runs.at(2), 40);
}

TEST_F(TimetableTest, ANewTableWithFreshDataWaitsForTheRestOfItsPeriod) {
  TimetableEntry fresh = entry(1, every(3600000));
  fresh.age = milliseconds(600000);
  load({fresh});
  EXPECT_TRUE(due().empty());
  EXPECT_EQ(due_in(), 3000000);
  TimetableEntry old = entry(2, every(3600000));
  old.age = milliseconds(7200000);
  timetable_.put(old, now_);
  EXPECT_EQ(due(), (Set{2}));
}

TEST_F(TimetableTest, ATableInFlightIsNotDueAgain) {
  load({entry(1, every(100))});
  EXPECT_EQ(due(), (Set{1}));
  EXPECT_TRUE(timetable_.in_flight(1));
  EXPECT_EQ(timetable_.in_flight_count(), 1U);
  advance(5000);
  EXPECT_TRUE(due().empty());
  EXPECT_FALSE(due_in());
  load({entry(1, every(100))});  // a reload does not forget it
  EXPECT_TRUE(due().empty());
  timetable_.put(entry(1, every(100)), now_);
  EXPECT_TRUE(due().empty());
  succeed(Set{1});
  EXPECT_FALSE(timetable_.in_flight(1));
  EXPECT_GT(*due_in(), 0);
  EXPECT_LE(*due_in(), 100);
}

TEST_F(TimetableTest, InactiveTablesAreLeftAloneAndDueWhenTheyComeBack) {
  TimetableEntry paused = entry(1, every(1000));
  paused.active = false;
  load({paused});
  EXPECT_TRUE(due().empty());
  EXPECT_FALSE(due_in());
  load({entry(1, every(1000))});
  EXPECT_EQ(due(), (Set{1}));
  timetable_.deactivate(1);
  timetable_.failed(1, milliseconds(1), now_.steady);
  advance(1000);
  EXPECT_TRUE(due().empty());
  load({entry(1, every(1000))});
  EXPECT_EQ(due(), (Set{1}));  // at once: the failure is forgotten
  succeed(Set{1});
}

TEST_F(TimetableTest, FrozenTablesAreOnlyKnown) {
  TimetableEntry frozen = entry(1, every(1000));
  frozen.tier = Tier::kFrozen;
  load({frozen, entry(2, every(1000), {1})});
  EXPECT_EQ(due(), (Set{2}));
  succeed(Set{2});
  EXPECT_EQ(counts(simulate(10000)).count(1), 0U);
  load({entry(1, every(1000)), entry(2, every(1000), {1})});
  EXPECT_EQ(take().front().tables, (Ids{1, 2}));
}

TEST_F(TimetableTest, AShorterScheduleTakesEffectAtOnce) {
  load({entry(1, every(3600000))});
  succeed(due());
  advance(2000);
  load({entry(1, every(1000))});
  EXPECT_EQ(due(), (Set{1}));
}

TEST_F(TimetableTest, TablesThatAreGoneAreGone) {
  load({entry(1, every(1000)), entry(2, every(1000), {1}), entry(3, every(1000), {2})});
  EXPECT_EQ(due(), (Set{1, 2, 3}));
  timetable_.remove(2, now_);
  succeed(Set{1, 2, 3});  // what comes back of a table that is gone does no harm
  EXPECT_EQ(timetable_.in_flight_count(), 0U);
  advance(2000);
  EXPECT_EQ(due(), (Set{1, 3}));
  timetable_.remove(99, now_);
  EXPECT_FALSE(timetable_.fresh_at(2, now_.steady));
}

// Found by this test: load() ended the flight of one that is gone while another was gone already.
TEST_F(TimetableTest, LoadForgetsConnectedTablesInFlight) {
  load({entry(1, every(1000)), entry(2, every(1000), {1}), entry(3, every(1000), {2})});
  EXPECT_EQ(due(), (Set{1, 2, 3}));
  load({entry(3, every(1000))});
  EXPECT_EQ(timetable_.in_flight_count(), 1U);
  succeed(Set{3});
  advance(1000);
  EXPECT_EQ(due(), (Set{3}));
}

// Found by this test: only the community of the unit's last table looked ahead when the unit ended.
TEST_F(TimetableTest, AUnitWhoseTablesCameApartFreesAllOfThem) {
  load({entry(1, every(1000)), entry(2, every(1000), {1})});
  EXPECT_EQ(take().front().tables, (Ids{1, 2}));
  timetable_.put(entry(2, every(1000)), now_);
  succeed(Set{1, 2});
  const auto runs = counts(simulate(3000));
  EXPECT_EQ(runs.at(1), 3);
  EXPECT_EQ(runs.at(2), 3);
}

TEST_F(TimetableTest, RemovingTheLastTableInFlightOfAUnitFreesTheOthers) {
  load({entry(1, every(1000)), entry(2, every(1000), {1})});
  EXPECT_EQ(due(), (Set{1, 2}));
  succeed(Set{1});
  timetable_.remove(2, now_);
  advance(1000);
  EXPECT_EQ(due(), (Set{1}));
}

// Communities ---------------------------------------------------------------------------------------------------------

TEST_F(TimetableTest, EqualSchedulesOfACommunityMeet) {
  load({entry(1, calculated()), entry(2, every(500), {1}), entry(3, every(1000), {2})});
  succeed(take());
  int together = 0;
  const auto runs = simulate(10000);
  for (const Run& run : runs) {
    ASSERT_EQ(run.units.size(), 1U);
    if (run.units[0] == Ids{1, 2, 3}) ++together;
  }
  EXPECT_EQ(runs.size(), 20U);  // 1 and 2 every 500 ms, 3 with every second of them
  EXPECT_EQ(together, 10);
}

TEST_F(TimetableTest, TheyMeetAlsoAfterOneWasRetried) {
  load({entry(1, every(1000)), entry(2, every(1000), {1}), entry(3, every(1000), {2})});
  ASSERT_EQ(take().size(), 1U);
  succeed(Set{1, 3});
  timetable_.failed(2, milliseconds(10), now_.steady);
  advance(10);
  const auto retry = take();
  ASSERT_EQ(retry.size(), 1U);
  EXPECT_EQ(retry[0].tables, (Ids{2}));
  EXPECT_FALSE(retry[0].whole);
  succeed(retry);
  for (const Run& run : simulate(5000)) EXPECT_EQ(run.units, (std::vector<Ids>{{1, 2, 3}}));
}

TEST_F(TimetableTest, TheyMeetAlsoAfterOneWasLateCreatedLaterOrLoadedAgain) {
  load({entry(1, every(1000)), entry(2, every(1000), {1})});
  succeed(take());
  advance(300);
  TimetableEntry third = entry(3, every(1000), {2});
  third.age = milliseconds(100);
  timetable_.put(third, now_);
  auto runs = simulate(5000);
  EXPECT_EQ(runs.size(), 5U);
  for (const Run& run : runs) EXPECT_EQ(run.units, (std::vector<Ids>{{1, 2, 3}}));
  advance(*due_in());
  ASSERT_EQ(take().size(), 1U);
  advance(2700);  // it took that long
  succeed(Set{1, 2, 3});
  load({entry(1, every(1000)), entry(2, every(1000), {1}), third});
  runs = simulate(5000);
  EXPECT_EQ(runs.size(), 5U);
  for (const Run& run : runs) EXPECT_EQ(run.units, (std::vector<Ids>{{1, 2, 3}}));
}

TEST_F(TimetableTest, NothingOfACommunityStartsWhileItsUnitIsInFlightButOthersDo) {
  load({entry(1, every(100)), entry(2, every(10000), {1}), entry(3, every(100))});
  EXPECT_EQ(due(), (Set{1, 2, 3}));
  timetable_.succeeded(1, kChanged, now_);
  timetable_.succeeded(3, kChanged, now_);
  advance(200);
  EXPECT_EQ(due(), (Set{3}));
  timetable_.succeeded(2, kChanged, now_);
  EXPECT_EQ(due(), (Set{1}));
}

// One that takes minutes was a unit of its own and still kept its whole community from being refreshed.
TEST_F(TimetableTest, ASlowUnitHoldsNobody) {
  load({entry(1, every(100), {}, {100}), entry(2, every(60000), {1})});
  auto units = take();
  ASSERT_EQ(units.size(), 1U);
  advance(500);
  timetable_.begun(units[0], now_.steady);             // nobody knows yet how long it takes
  EXPECT_EQ(timetable_.next_due(), TimePoint::max());  // both are in flight
  timetable_.succeeded(1, {.changed = true, .own = milliseconds(5), .whole_unit = milliseconds(9000)}, now_);
  EXPECT_EQ(timetable_.next_due(), TimePoint::max());
  timetable_.succeeded(2, {.changed = true, .own = milliseconds(9000), .whole_unit = milliseconds(9000)}, now_);
  simulate(59000);
  advance_to(std::max(now_.steady, timetable_.next_due()));
  for (units = take(); units.size() != 2; units = take()) {  // until the slow one is due again
    succeed(units);
    advance_to(std::max(now_.steady, timetable_.next_due()));
  }
  EXPECT_FALSE(units[0].whole);
  EXPECT_FALSE(units[1].whole);
  timetable_.succeeded(1, kChanged, now_);
  EXPECT_LE(*due_in(), 100);
  advance(*due_in());
  EXPECT_EQ(due(), (Set{1}));
}

TEST_F(TimetableTest, AUnitThatTurnsOutToBeSlowHoldsTheOthersForAWhileOnly) {
  load({entry(1, every(60000), {}, {100}), entry(2, every(100), {1}, {101})});
  ASSERT_EQ(take().size(), 1U);
  timetable_.succeeded(1, kChanged, now_);
  timetable_.failed(2, milliseconds(10), now_.steady);
  timetable_.remove(2, now_);
  advance(60000);
  const auto units = take();
  ASSERT_EQ(units.size(), 1U);
  EXPECT_TRUE(units[0].whole);
  timetable_.put(entry(2, every(100), {1}, {101}), now_);
  EXPECT_FALSE(due_in());
  advance(1000);
  EXPECT_FALSE(due_in());  // it still waits for a worker
  timetable_.begun(units[0], now_.steady);
  EXPECT_EQ(due_in(), 4000);
  advance(4000);
  EXPECT_EQ(due(), (Set{2}));
}

TEST_F(TimetableTest, WhatIsDueAlongWithOthersIsWhatIsRefreshedAtLeastAsOften) {
  load({entry(1, every(1000)), entry(2, every(3000), {1}), entry(3, every(7000), {2})});
  succeed(take());
  for (const Run& run : simulate(60000)) {
    ASSERT_EQ(run.units.size(), 1U);
    const Set unit(run.units[0].begin(), run.units[0].end());
    if (unit.contains(3)) {
      EXPECT_TRUE(unit.contains(2));
    }
    if (unit.contains(2)) {
      EXPECT_TRUE(unit.contains(1));
    }
  }
}

TEST_F(TimetableTest, CommunitiesAreSpreadOverTheirPeriod) {
  std::vector<TimetableEntry> entries;
  for (TableId id = 1; id <= 200; ++id) entries.push_back(entry(id, every(1000)));
  load(entries);
  succeed(take());
  std::map<int, int> by_tenth;
  for (const Run& run : simulate(999)) by_tenth[run.at / 100] += static_cast<int>(run.units.size());
  ASSERT_EQ(by_tenth.size(), 10U);
  for (const auto& [tenth, count] : by_tenth) EXPECT_LT(count, 60) << tenth;
}

TEST_F(TimetableTest, GroupsMeetAcrossComponents) {
  load({entry(1, every(1000)), entry(2, every(300)), entry(3, every(1000))}, {{1, 2}});
  for (int i = 0; i < 5; ++i) {
    for (const Unit& unit : take()) {
      if (unit.tables.size() == 2) {
        EXPECT_EQ(unit.together, (std::vector<Ids>{{1, 2}}));
      } else {
        EXPECT_EQ(unit.tables, (Ids{3}));
      }
      succeed(Set(unit.tables.begin(), unit.tables.end()));
    }
    advance(300);
  }
  EXPECT_EQ(timetable_.cluster(1), (Ids{1, 2}));
  EXPECT_EQ(timetable_.period(1), milliseconds(300));  // the faster of them
  load({entry(1, every(1000)), entry(2, every(300)), entry(3, every(1000))});
  EXPECT_EQ(timetable_.cluster(1), (Ids{1}));
  EXPECT_EQ(timetable_.period(1), milliseconds(1000));
}

TEST_F(TimetableTest, ALargeCommunityIsCutAndItsUnitsWaitForEachOther) {
  std::vector<TimetableEntry> entries{entry(1, every(1000))};
  for (TableId id = 2; id <= 100; ++id) entries.push_back(entry(id, every(1000), {1}));
  entries.push_back(entry(200, every(1000)));  // the plan has other units before these
  load(entries);
  const auto units = take();
  ASSERT_EQ(units.size(), 4U);
  std::size_t root = 0;
  for (std::size_t u = 0; u < units.size(); ++u) {
    if (units[u].tables == Ids{1}) root = u;
  }
  for (std::size_t u = 0; u < units.size(); ++u) {
    const bool leaf = units[u].tables.size() > 1;
    EXPECT_EQ(units[u].after, leaf ? std::vector<std::size_t>{root} : std::vector<std::size_t>{});
  }
  succeed(units);
}

// Failures, holds -----------------------------------------------------------------------------------------------------

TEST_F(TimetableTest, FailedTablesComeBackAfterTheirDelayAndDelayNobody) {
  load({entry(1, every(100)), entry(2, every(100))});
  EXPECT_EQ(due(), (Set{1, 2}));
  timetable_.failed(1, milliseconds(700), now_.steady);
  succeed(Set{2});
  const auto runs = counts(simulate(690));
  EXPECT_EQ(runs.count(1), 0U);
  EXPECT_GE(runs.at(2), 6);
  advance(10);
  EXPECT_TRUE(due().contains(1));
}

TEST_F(TimetableTest, ARetryIsAUnitOfItsOwn) {
  load({entry(1, every(1000)), entry(2, every(1000), {1}), entry(3, every(1000), {2})});
  ASSERT_EQ(take().size(), 1U);
  succeed(Set{1, 3});
  timetable_.failed(2, milliseconds(1), now_.steady);
  advance(1500);
  const auto units = take();
  ASSERT_EQ(units.size(), 2U);
  EXPECT_EQ(units[0].tables, (Ids{1, 3}));
  EXPECT_EQ(units[1].tables, (Ids{2}));
  EXPECT_TRUE(units[1].after.empty());
}

TEST_F(TimetableTest, OneThatMustNotFailAgainIsRetriedWithTheOthers) {
  load({entry(1, every(1000)), entry(2, every(1000), {1}), entry(3, every(1000), {2})});
  ASSERT_EQ(take().size(), 1U);
  for (const TableId id : {1, 2, 3}) timetable_.failed(id, milliseconds(20), now_.steady, false);
  EXPECT_EQ(due_in(), 20);
  advance(20);
  const auto units = take();
  ASSERT_EQ(units.size(), 1U);
  EXPECT_EQ(units[0].tables, (Ids{1, 2, 3}));
  EXPECT_TRUE(units[0].whole);
}

TEST_F(TimetableTest, AFailingClusterWaitsForItsLongestDelay) {
  load({entry(1, every(100)), entry(2, every(100))}, {{1, 2}});
  EXPECT_EQ(due(), (Set{1, 2}));
  timetable_.failed(1, milliseconds(500), now_.steady);
  timetable_.failed(2, milliseconds(300), now_.steady);
  EXPECT_EQ(due_in(), 500);
  advance(500);
  EXPECT_EQ(due(), (Set{1, 2}));
  timetable_.failed(1, milliseconds(500), now_.steady);
  timetable_.withheld(2);
  EXPECT_EQ(due_in(), 500);
  advance(500);
  succeed(due());
  EXPECT_LE(*due_in(), 100);
}

TEST_F(TimetableTest, HeldTablesAreLookedAtAgainAtTheirNextTimeOrWhenHoldsAreReleased) {
  load({entry(1, every(100)), entry(2, every(5000))});
  EXPECT_EQ(due(), (Set{1, 2}));
  timetable_.held(1, now_);
  timetable_.held(2, now_);
  EXPECT_EQ(due_in(), 1000);  // not more often than that
  advance(1000);
  EXPECT_EQ(due(), (Set{1}));
  timetable_.held(1, now_);
  advance(10);
  EXPECT_TRUE(due().empty());
  timetable_.release_holds(now_.steady);
  EXPECT_EQ(due(), (Set{1, 2}));
}

TEST_F(TimetableTest, OneThatIsHeldIsNotTakenAlong) {
  load({entry(1, every(100)), entry(2, every(100), {1})});
  EXPECT_EQ(due(), (Set{1, 2}));
  timetable_.held(1, now_);
  succeed(Set{2});
  advance(100);
  EXPECT_EQ(due(), (Set{2}));
}

// A member that is withheld was due and stays so: without the obstacle deciding, the cluster would be tried in a loop.
TEST_F(TimetableTest, AClusterWithAHeldMemberWaitsAsAWhole) {
  load({entry(1, every(100)), entry(2, every(100))}, {{1, 2}});
  EXPECT_EQ(due(), (Set{1, 2}));
  timetable_.withheld(1);
  timetable_.held(2, now_);
  EXPECT_EQ(due_in(), 1000);
  timetable_.release_holds(now_.steady);
  EXPECT_EQ(due(), (Set{1, 2}));
}

TEST_F(TimetableTest, AnInactiveMemberBlocksItsCluster) {
  TimetableEntry paused = entry(2, every(100));
  paused.active = false;
  load({entry(1, every(100)), paused, entry(3, every(100))}, {{1, 2}});
  EXPECT_EQ(due(), (Set{3}));
  EXPECT_EQ(timetable_.blocked_by(1), 2);
  EXPECT_FALSE(timetable_.blocked_by(2));  // itself is not active
  EXPECT_FALSE(timetable_.blocked_by(3));
  EXPECT_FALSE(timetable_.blocked_by(99));
  timetable_.put(entry(2, every(100)), now_);
  EXPECT_FALSE(timetable_.blocked_by(1));
  EXPECT_EQ(due(), (Set{1, 2}));
}

TEST_F(TimetableTest, ReleasedIsWithoutConsequence) {
  load({entry(1, every(100))});
  EXPECT_EQ(due(), (Set{1}));
  timetable_.released(1);
  EXPECT_FALSE(timetable_.in_flight(1));
  EXPECT_EQ(due(), (Set{1}));
}

TEST_F(TimetableTest, AHoldKeepsTheTableAndItsCommunityFromStarting) {
  load({entry(1, every(1000)), entry(2, every(1000), {1}), entry(3, every(1000))});
  EXPECT_TRUE(timetable_.hold(1, now_.steady));
  EXPECT_FALSE(timetable_.hold(1, now_.steady));
  EXPECT_EQ(due(), (Set{3}));
  timetable_.released(1);
  EXPECT_EQ(due(), (Set{1, 2}));
  EXPECT_FALSE(timetable_.hold(1, now_.steady));
  EXPECT_FALSE(timetable_.hold(99, now_.steady));
}

// Needs ---------------------------------------------------------------------------------------------------------------

TEST_F(TimetableTest, CalculatedIsTheTightestConsumerTransitively) {
  load({entry(1, calculated()), entry(2, calculated(), {1}), entry(3, every(5000), {2}), entry(4, every(60000), {1}),
        entry(5, calculated()), entry(6, every(60000)), entry(7, every(100), {6})});
  EXPECT_EQ(timetable_.period(1), milliseconds(5000));
  EXPECT_EQ(timetable_.period(2), milliseconds(5000));
  EXPECT_EQ(timetable_.period(4), milliseconds(60000));
  EXPECT_EQ(timetable_.period(5), milliseconds(1000));   // nobody reads it: the default
  EXPECT_EQ(timetable_.period(6), milliseconds(60000));  // its own schedule wins
}

TEST_F(TimetableTest, CalculatedWithoutConsumersKeepsItsPromiseOfStaleness) {
  TimetableEntry strict = entry(1, calculated());
  strict.max_staleness = milliseconds(500);
  TimetableEntry lax = entry(2, calculated());
  lax.max_staleness = milliseconds(50000);
  load({strict, lax});
  EXPECT_EQ(timetable_.period(1), milliseconds(250));
  EXPECT_EQ(timetable_.period(2), milliseconds(1000));
}

TEST_F(TimetableTest, CalculatedForContinuousConsumersIsContinuous) {
  load({entry(1, calculated(), {}, {100}), entry(2, continuous(20), {1}), entry(3, continuous(), {})});
  EXPECT_EQ(timetable_.period(1), milliseconds(20));
  EXPECT_EQ(timetable_.period(3), milliseconds(50));  // the setting
}

TEST_F(TimetableTest, CalculatedForCronConsumersGoesByTheirTimes) {
  TimetableEntry base = entry(1, calculated());
  base.age = milliseconds(0);
  TimetableEntry hourly = entry(2, cron("@hourly"), {1});
  hourly.age = milliseconds(0);
  TimetableEntry late = entry(3, cron("30 * * * *"), {1});
  late.age = milliseconds(0);
  load({base, hourly, late});
  std::map<int, std::vector<Ids>> runs;
  for (const Run& run : simulate(2 * 3600000)) runs[run.at / 60000] = run.units;
  EXPECT_EQ(runs, (std::map<int, std::vector<Ids>>{{30, {{1, 3}}}, {60, {{1, 2}}}, {90, {{1, 3}}}, {120, {{1, 2}}}}));
}

TEST_F(TimetableTest, TiersMultiply) {
  TimetableEntry warm = entry(1, every(1000));
  warm.tier = Tier::kWarm;
  TimetableEntry cold = entry(2, every(1000));
  cold.tier = Tier::kCold;
  load({warm, cold});
  EXPECT_EQ(timetable_.period(1), milliseconds(2000));
  EXPECT_EQ(timetable_.period(2), milliseconds(10000));
  EXPECT_EQ(take().size(), 2U);
}

TEST_F(TimetableTest, UnitsAreAsUrgentAsTheirMostImportantMember) {
  TimetableEntry cold = entry(1, every(1000));
  cold.tier = Tier::kCold;
  TimetableEntry hot = entry(2, every(1000), {1});
  load({cold, hot});
  advance(700);
  const auto units = take();
  ASSERT_EQ(units.size(), 1U);
  EXPECT_EQ(units[0].weight, 4);
  EXPECT_EQ(units[0].period, milliseconds(1000));
  EXPECT_EQ(units[0].due, now_.steady - milliseconds(700));
}

TEST_F(TimetableTest, FastestOrSlowestOfADiamond) {
  TimetableEntry last = entry(3, every(500), {1, 2});
  load({entry(1, every(1000), {}, {100}), entry(2, every(3000), {}, {100}), last});
  for (const TableId id : {1, 2, 3}) EXPECT_EQ(timetable_.period(id), milliseconds(500));
  last.slowest = true;
  timetable_.put(last, now_);
  for (const TableId id : {1, 2, 3}) EXPECT_EQ(timetable_.period(id), milliseconds(3000));
  last.atomic_diamond = false;
  timetable_.put(last, now_);
  EXPECT_EQ(timetable_.period(1), milliseconds(1000));
  EXPECT_EQ(timetable_.cluster(3), (Ids{3}));
}

TEST_F(TimetableTest, MembersOfACycleWithoutASchedulesHaveThatOfTheOthers) {
  load({entry(1, calculated(), {2}), entry(2, calculated(), {1}), entry(3, every(5000), {1})});
  EXPECT_EQ(timetable_.period(1), milliseconds(5000));
  EXPECT_EQ(timetable_.period(2), milliseconds(5000));
  // Found by this test: the need of the one that is gone stayed in the cycle for ever.
  timetable_.remove(3, now_);
  timetable_.put(entry(4, every(70000), {2}), now_);
  EXPECT_EQ(timetable_.period(1), milliseconds(70000));
  timetable_.remove(4, now_);
  EXPECT_EQ(timetable_.period(1), milliseconds(1000));
}

TEST_F(TimetableTest, PeriodsHaveRoomForEveryMultiplier) {
  TimetableEntry slow = entry(1, every(1000));
  slow.schedule.period = std::chrono::hours(24 * 365);
  slow.tier = Tier::kCold;
  load({slow});
  for (int i = 0; i < 3 * 6; ++i) {
    ASSERT_EQ(take().size(), 1U);
    timetable_.succeeded(1, {.changed = true, .own = Milliseconds(1), .whole_unit = Milliseconds::max() / 4}, now_);
    ASSERT_GT(timetable_.next_due(), now_.steady);
    advance_to(timetable_.next_due());
  }
  EXPECT_EQ(timetable_.backoff(1), Backoff::kMaxFactor);
}

// Cron ----------------------------------------------------------------------------------------------------------------

TEST_F(TimetableTest, CronTimesAreKeptAndThoseMissedMeanwhileAreCaughtUpOnce) {
  TimetableEntry daily = entry(1, cron("@daily"));  // it is midnight now
  daily.age = std::chrono::hours(7);
  load({daily});
  EXPECT_EQ(due(), (Set{1}));  // the refresh of midnight was missed
  succeed(Set{1});
  EXPECT_EQ(due_in(), 24 * 3600000);
  EXPECT_EQ(simulate(5 * 24 * 3600000).size(), 5U);

  TimetableEntry fresh = entry(2, cron("@daily"));
  fresh.age = milliseconds(3600000);
  advance(2 * 3600000);
  timetable_.put(fresh, now_);
  EXPECT_TRUE(due().empty());
  EXPECT_EQ(due_in(), 22 * 3600000);
}

TEST_F(TimetableTest, ACronTableThatWasPausedCatchesUp) {
  TimetableEntry daily = entry(1, cron("@daily"));
  daily.age = milliseconds(1000);
  daily.active = false;
  advance(3600000);
  load({daily});
  daily.active = true;
  load({daily});
  EXPECT_TRUE(due().empty());
  EXPECT_EQ(due_in(), 23 * 3600000);
  daily.active = false;
  load({daily});
  advance(24 * 3600000);
  daily.active = true;
  daily.age = std::chrono::hours(24);
  load({daily});
  EXPECT_EQ(due(), (Set{1}));
}

// Found by this test: any cron time took along all of its community, whatever its schedule.
TEST_F(TimetableTest, ACronTimeTakesAlongWhatIsRefreshedAtLeastAsOftenAsItself) {
  std::vector<TimetableEntry> entries{entry(1, cron("*/10 * * * *")), entry(2, cron("@daily"), {1}),
                                      entry(3, every(3600000), {1}), entry(4, every(60000), {1}),
                                      entry(5, cron("*/10 * * * *"), {1})};
  for (TimetableEntry& e : entries) e.age = milliseconds(0);
  load(entries);
  const auto runs = simulate(24 * 3600000);
  const auto count = counts(runs);
  EXPECT_EQ(count.at(1), 144);
  EXPECT_EQ(count.at(2), 1);
  EXPECT_EQ(count.at(3), 25);  // with the daily one too
  EXPECT_GE(count.at(4), 1440);
  EXPECT_LE(count.at(4), 1440 + 144 + 24);
  EXPECT_EQ(count.at(5), 144);
  for (const Run& run : runs) {
    for (const Ids& unit : run.units) {
      const Set ids(unit.begin(), unit.end());
      EXPECT_EQ(ids.contains(1), ids.contains(5));
      if (ids.contains(1)) {
        EXPECT_TRUE(ids.contains(4));
      }
    }
  }
}

TEST_F(TimetableTest, ImpossibleCronTimesAreNeverDue) {
  load({entry(1, cron("0 0 30 2 *"))});
  EXPECT_FALSE(due_in());
}

// Continuous ----------------------------------------------------------------------------------------------------------

TEST_F(TimetableTest, ContinuousKeepsItsMinimumInterval) {
  load({entry(1, continuous(40))});
  ASSERT_EQ(take().size(), 1U);
  advance(15);
  timetable_.succeeded(1, kChanged, now_);
  EXPECT_EQ(due_in(), 25);  // from beginning to beginning
  advance(25);
  auto units = take();
  ASSERT_EQ(units.size(), 1U);
  advance(10);
  timetable_.begun(units[0], now_.steady);  // it waited for a worker
  advance(100);
  timetable_.succeeded(1, kChanged, now_);
  EXPECT_EQ(due_in(), 0);
}

class WithoutWaking : public TimetableTest {
 protected:
  WithoutWaking() : TimetableTest({.may_arm = false}) {}
};

TEST_F(WithoutWaking, ContinuousPollsLessOftenWhenNothingHappens) {
  load({entry(1, continuous(50), {}, {100})});
  std::vector<int> pauses;
  for (int i = 0; i < 7; ++i) {
    ASSERT_EQ(take().size(), 1U);
    timetable_.succeeded(1, {}, now_);
    pauses.push_back(*due_in());
    advance(*due_in());
  }
  EXPECT_EQ(pauses, (std::vector<int>{100, 200, 400, 800, 1000, 1000, 1000}));
  ASSERT_EQ(take().size(), 1U);
  timetable_.succeeded(1, kChanged, now_);
  EXPECT_EQ(due_in(), 50);
  EXPECT_TRUE(timetable_.sources_to_arm(now_.steady).empty());
}

TEST_F(TimetableTest, ContinuousPollsLessOftenAlsoIfItCannotSleepItself) {
  TimetableEntry full = entry(1, continuous(50), {}, {100});
  full.captured = false;
  load({full, entry(2, continuous(50), {1}, {101})});
  for (const int pause : {100, 200, 400}) {
    EXPECT_TRUE(timetable_.sources_to_arm(now_.steady).empty());  // that would help nobody
    for (const TableId id : due()) timetable_.succeeded(id, {}, now_);
    EXPECT_EQ(due_in(), pause);
    advance(pause);
  }
}

// Backoff -------------------------------------------------------------------------------------------------------------

TEST_F(TimetableTest, RefreshesThatOutrunTheirScheduleBackOffAndRecover) {
  load({entry(1, every(100))});
  const auto refresh = [&](int ms) {
    advance_to(std::max(now_.steady, timetable_.next_due()));
    EXPECT_EQ(take().size(), 1U);
    advance(ms);
    return !timetable_.succeeded(1, {.changed = true, .own = milliseconds(ms), .whole_unit = milliseconds(ms)}, now_)
                .empty();
  };
  EXPECT_FALSE(refresh(150));
  EXPECT_FALSE(refresh(150));
  EXPECT_TRUE(refresh(150));
  EXPECT_EQ(timetable_.backoff(1), 2);
  EXPECT_EQ(timetable_.period(1), milliseconds(200));
  for (int i = 0; i < 10; ++i) refresh(1000);
  EXPECT_EQ(timetable_.backoff(1), 16);
  for (int i = 0; i < 20; ++i) refresh(1);
  EXPECT_EQ(timetable_.backoff(1), 1);
  EXPECT_EQ(timetable_.period(1), milliseconds(100));
}

TEST_F(TimetableTest, ACommunityHasOneBackoff) {
  load({entry(1, every(100)), entry(2, every(100))}, {{1, 2}});
  for (int i = 0; i < 3; ++i) {
    advance_to(std::max(now_.steady, timetable_.next_due()));
    ASSERT_EQ(take().size(), 1U);
    timetable_.succeeded(1, {.changed = true, .own = milliseconds(500), .whole_unit = milliseconds(500)}, now_);
    timetable_.succeeded(2, {}, now_);
  }
  EXPECT_EQ(timetable_.backoff(1), 2);
  EXPECT_EQ(timetable_.backoff(2), 2);
  EXPECT_EQ(timetable_.period(2), milliseconds(200));
}

// Found by this test: a factor learned at 100 ms held for an hour too, that is for days.
TEST_F(TimetableTest, AnotherScheduleForgetsTheBackoff) {
  load({entry(1, every(100))});
  for (int i = 0; i < 20; ++i) {
    advance_to(std::max(now_.steady, timetable_.next_due()));
    ASSERT_EQ(take().size(), 1U);
    timetable_.succeeded(1, {.changed = true, .own = milliseconds(9000), .whole_unit = milliseconds(9000)}, now_);
  }
  EXPECT_EQ(timetable_.backoff(1), 64);
  load({entry(1, every(100))});
  EXPECT_EQ(timetable_.backoff(1), 64);
  load({entry(1, every(3600000))});
  EXPECT_EQ(timetable_.backoff(1), 1);
  EXPECT_EQ(timetable_.period(1), milliseconds(3600000));
}

TEST_F(TimetableTest, BackoffKeepsWhatRunsTogetherTogether) {
  TimetableEntry below = entry(2, every(100));
  below.upstream = {1};
  load({entry(1, every(100)), below});
  // Only the first has changes, but the transaction is that of both.
  std::vector<TableId> slowed;
  for (int i = 0; i < 3; ++i) {
    advance_to(std::max(now_.steady, timetable_.next_due()));
    ASSERT_EQ(take().size(), 1U);
    advance(150);
    const Timetable::Success slow{.changed = true, .own = milliseconds(150), .whole_unit = milliseconds(150)};
    EXPECT_TRUE(timetable_.succeeded(1, slow, now_).empty());
    slowed = timetable_.succeeded(2, {}, now_);
  }
  EXPECT_EQ(slowed, (std::vector<TableId>{1, 2}));
  EXPECT_EQ(timetable_.period(1), milliseconds(200));
  EXPECT_EQ(timetable_.period(2), milliseconds(200));
}

// The hourly table of a community with one of 100 ms became one of 64 hours.
TEST_F(TimetableTest, BackoffIsForSchedulesThatAreOutrun) {
  load({entry(1, every(100)), entry(2, every(3600000), {1}), entry(3, every(100), {1})});
  for (int i = 0; i < 30; ++i) {
    advance_to(std::max(now_.steady, timetable_.next_due()));
    for (const Unit& unit : take()) {
      for (const TableId id : unit.tables)
        timetable_.succeeded(id, {.changed = true, .own = milliseconds(100), .whole_unit = milliseconds(300)}, now_);
    }
  }
  EXPECT_EQ(timetable_.backoff(1), 4);
  EXPECT_EQ(timetable_.backoff(3), 4);
  EXPECT_EQ(timetable_.backoff(2), 1);
}

class WithoutBackoff : public TimetableTest {
 protected:
  WithoutBackoff() : TimetableTest({.auto_backoff = false}) {}
};

TEST_F(WithoutBackoff, PeriodsStay) {
  load({entry(1, every(100))});
  for (int i = 0; i < 10; ++i) {
    advance_to(std::max(now_.steady, timetable_.next_due()));
    ASSERT_EQ(take().size(), 1U);
    EXPECT_TRUE(
        timetable_.succeeded(1, {.changed = true, .own = milliseconds(9000), .whole_unit = milliseconds(9000)}, now_)
            .empty());
  }
  EXPECT_EQ(timetable_.period(1), milliseconds(100));
}

TEST_F(TimetableTest, NewSettingsHoldFromTheNextLoad) {
  load({entry(1, calculated())});
  succeed(take());
  TimetableSettings settings;
  settings.default_period = milliseconds(50);
  timetable_.configure(settings);
  EXPECT_EQ(timetable_.period(1), milliseconds(1000));
  load({entry(1, calculated())});
  EXPECT_EQ(timetable_.period(1), milliseconds(50));
}

TEST_F(TimetableTest, FreshnessIsThatOfTheBeginningOfTheLastSuccess) {
  load({entry(1, every(1000))});
  EXPECT_FALSE(timetable_.fresh_at(1, now_.steady));
  const auto units = take();
  advance(10);
  timetable_.begun(units[0], now_.steady);
  const TimePoint begun = now_.steady;
  advance(10);
  succeed(units);
  advance(500);
  EXPECT_EQ(timetable_.fresh_at(1, now_.steady), begun);
  advance(500);
  ASSERT_EQ(take().size(), 1U);
  timetable_.failed(1, milliseconds(10), now_.steady);
  EXPECT_EQ(timetable_.fresh_at(1, now_.steady), begun);
}

}  // namespace
}  // namespace pgtrickle::scheduler
