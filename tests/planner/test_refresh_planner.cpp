// What the refresh planner promises about what is due, together with what, and what follows from how it ends.
// Schedules, sleeping, and changes step by step have files of their own.
#include "planner_fixture.h"

namespace pgtrickle::planner {
namespace {

using namespace testing;
using std::chrono::milliseconds;

// New, changed, inactive ----------------------------------------------------------------------------------------------

TEST_F(PlannerTest, NewTablesAreDueAtOnceAndThenOncePerPeriod) {
  load({entry(1, every(1000)), entry(2, every(250))});
  EXPECT_EQ(due(), (Set{1, 2}));
  succeed(Set{1, 2});
  const auto runs = counts(simulate(10000));
  EXPECT_EQ(runs.at(1), 10);
  EXPECT_EQ(runs.at(2), 40);
}

TEST_F(PlannerTest, ANewTableWithFreshDataWaitsForTheRestOfItsPeriod) {
  PlannerEntry fresh = entry(1, every(3600000));
  fresh.age = milliseconds(600000);
  load({fresh});
  EXPECT_TRUE(due().empty());
  EXPECT_EQ(due_in(), 3000000);
  PlannerEntry old = entry(2, every(3600000));
  old.age = milliseconds(7200000);
  planner_.put(old, now_);
  EXPECT_EQ(due(), (Set{2}));
}

TEST_F(PlannerTest, ATableInFlightIsNotDueAgain) {
  load({entry(1, every(100))});
  EXPECT_EQ(due(), (Set{1}));
  EXPECT_TRUE(planner_.is_running(1));
  EXPECT_EQ(planner_.running_count(), 1U);
  advance(5000);
  EXPECT_TRUE(due().empty());
  EXPECT_FALSE(due_in());
  load({entry(1, every(100))});  // a reload does not forget it
  EXPECT_TRUE(due().empty());
  planner_.put(entry(1, every(100)), now_);
  EXPECT_TRUE(due().empty());
  succeed(Set{1});
  EXPECT_FALSE(planner_.is_running(1));
  EXPECT_GT(*due_in(), 0);
  EXPECT_LE(*due_in(), 100);
}

TEST_F(PlannerTest, InactiveTablesAreLeftAloneAndDueWhenTheyComeBack) {
  PlannerEntry paused = entry(1, every(1000));
  paused.active = false;
  load({paused});
  EXPECT_TRUE(due().empty());
  EXPECT_FALSE(due_in());
  load({entry(1, every(1000))});
  EXPECT_EQ(due(), (Set{1}));
  planner_.deactivate(1);
  planner_.failed(1, milliseconds(1), now_.steady);
  advance(1000);
  EXPECT_TRUE(due().empty());
  load({entry(1, every(1000))});
  EXPECT_EQ(due(), (Set{1}));  // at once: the failure is forgotten
  succeed(Set{1});
}

TEST_F(PlannerTest, FrozenTablesAreOnlyKnown) {
  PlannerEntry frozen = entry(1, every(1000));
  frozen.tier = Tier::kFrozen;
  load({frozen, entry(2, every(1000), {1})});
  EXPECT_EQ(due(), (Set{2}));
  succeed(Set{2});
  EXPECT_EQ(counts(simulate(10000)).count(1), 0U);
  load({entry(1, every(1000)), entry(2, every(1000), {1})});
  EXPECT_EQ(take().front().tables, (Ids{1, 2}));
}

TEST_F(PlannerTest, AShorterScheduleTakesEffectAtOnce) {
  load({entry(1, every(3600000))});
  succeed(due());
  advance(2000);
  load({entry(1, every(1000))});
  EXPECT_EQ(due(), (Set{1}));
}

TEST_F(PlannerTest, TablesThatAreGoneAreGone) {
  load({entry(1, every(1000)), entry(2, every(1000), {1}), entry(3, every(1000), {2})});
  EXPECT_EQ(due(), (Set{1, 2, 3}));
  planner_.remove(2, now_);
  succeed(Set{1, 2, 3});  // what comes back of a table that is gone does no harm
  EXPECT_EQ(planner_.running_count(), 0U);
  advance(2000);
  EXPECT_EQ(due(), (Set{1, 3}));
  planner_.remove(99, now_);
  EXPECT_FALSE(planner_.fresh_at(2, now_.steady));
}

// Found by this test: load() ended the run of one that is gone while another was gone already.
TEST_F(PlannerTest, LoadForgetsConnectedTablesInFlight) {
  load({entry(1, every(1000)), entry(2, every(1000), {1}), entry(3, every(1000), {2})});
  EXPECT_EQ(due(), (Set{1, 2, 3}));
  load({entry(3, every(1000))});
  EXPECT_EQ(planner_.running_count(), 1U);
  succeed(Set{3});
  advance(1000);
  EXPECT_EQ(due(), (Set{3}));
}

// Found by this test: only the component of the unit's last table looked ahead when the unit ended.
TEST_F(PlannerTest, AUnitWhoseTablesCameApartFreesAllOfThem) {
  load({entry(1, every(1000)), entry(2, every(1000), {1})});
  EXPECT_EQ(take().front().tables, (Ids{1, 2}));
  planner_.put(entry(2, every(1000)), now_);
  succeed(Set{1, 2});
  const auto runs = counts(simulate(3000));
  EXPECT_EQ(runs.at(1), 3);
  EXPECT_EQ(runs.at(2), 3);
}

TEST_F(PlannerTest, RemovingTheLastTableInFlightOfAUnitFreesTheOthers) {
  load({entry(1, every(1000)), entry(2, every(1000), {1})});
  EXPECT_EQ(due(), (Set{1, 2}));
  succeed(Set{1});
  planner_.remove(2, now_);
  advance(1000);
  EXPECT_EQ(due(), (Set{1}));
}

// Components ---------------------------------------------------------------------------------------------------------

TEST_F(PlannerTest, EqualSchedulesOfAComponentMeet) {
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

TEST_F(PlannerTest, TheyMeetAlsoAfterOneWasRetried) {
  load({entry(1, every(1000)), entry(2, every(1000), {1}), entry(3, every(1000), {2})});
  ASSERT_EQ(take().size(), 1U);
  succeed(Set{1, 3});
  planner_.failed(2, milliseconds(10), now_.steady);
  advance(10);
  const auto retry = take();
  ASSERT_EQ(retry.size(), 1U);
  EXPECT_EQ(retry[0].tables, (Ids{2}));
  EXPECT_FALSE(retry[0].whole);
  succeed(retry);
  for (const Run& run : simulate(5000)) EXPECT_EQ(run.units, (std::vector<Ids>{{1, 2, 3}}));
}

TEST_F(PlannerTest, TheyMeetAlsoAfterOneWasLateCreatedLaterOrLoadedAgain) {
  load({entry(1, every(1000)), entry(2, every(1000), {1})});
  succeed(take());
  advance(300);
  PlannerEntry third = entry(3, every(1000), {2});
  third.age = milliseconds(100);
  planner_.put(third, now_);
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

TEST_F(PlannerTest, NothingOfAComponentStartsWhileItsUnitIsInFlightButOthersDo) {
  load({entry(1, every(100)), entry(2, every(10000), {1}), entry(3, every(100))});
  EXPECT_EQ(due(), (Set{1, 2, 3}));
  planner_.succeeded(1, kChanged, now_);
  planner_.succeeded(3, kChanged, now_);
  advance(200);
  EXPECT_EQ(due(), (Set{3}));
  planner_.succeeded(2, kChanged, now_);
  EXPECT_EQ(due(), (Set{1}));
}

// One that takes minutes was a unit of its own and still kept its whole component from being refreshed.
TEST_F(PlannerTest, ASlowUnitHoldsNobody) {
  load({entry(1, every(100), {}, {100}), entry(2, every(60000), {1})});
  auto units = take();
  ASSERT_EQ(units.size(), 1U);
  advance(500);
  planner_.begun(units[0], now_.steady);             // nobody knows yet how long it takes
  EXPECT_EQ(planner_.next_due(), TimePoint::max());  // both are running
  planner_.succeeded(1, {.changed = true, .own = milliseconds(5), .whole_unit = milliseconds(9000)}, now_);
  EXPECT_EQ(planner_.next_due(), TimePoint::max());
  planner_.succeeded(2, {.changed = true, .own = milliseconds(9000), .whole_unit = milliseconds(9000)}, now_);
  simulate(59000);
  advance_to(std::max(now_.steady, planner_.next_due()));
  for (units = take(); units.size() != 2; units = take()) {  // until the slow one is due again
    succeed(units);
    advance_to(std::max(now_.steady, planner_.next_due()));
  }
  EXPECT_FALSE(units[0].whole);
  EXPECT_FALSE(units[1].whole);
  planner_.succeeded(1, kChanged, now_);
  EXPECT_LE(*due_in(), 100);
  advance(*due_in());
  EXPECT_EQ(due(), (Set{1}));
}

TEST_F(PlannerTest, AUnitThatTurnsOutToBeSlowHoldsTheOthersForAWhileOnly) {
  load({entry(1, every(60000), {}, {100}), entry(2, every(100), {1}, {101})});
  ASSERT_EQ(take().size(), 1U);
  planner_.succeeded(1, kChanged, now_);
  planner_.failed(2, milliseconds(10), now_.steady);
  planner_.remove(2, now_);
  advance(60000);
  const auto units = take();
  ASSERT_EQ(units.size(), 1U);
  EXPECT_TRUE(units[0].whole);
  planner_.put(entry(2, every(100), {1}, {101}), now_);
  EXPECT_FALSE(due_in());
  advance(1000);
  EXPECT_FALSE(due_in());  // it still waits for a worker
  planner_.begun(units[0], now_.steady);
  EXPECT_EQ(due_in(), 4000);
  advance(4000);
  EXPECT_EQ(due(), (Set{2}));
}

TEST_F(PlannerTest, WhatIsDueAlongWithOthersIsWhatIsRefreshedAtLeastAsOften) {
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

TEST_F(PlannerTest, ComponentAreSpreadOverTheirPeriod) {
  std::vector<PlannerEntry> entries;
  for (TableId id = 1; id <= 200; ++id) entries.push_back(entry(id, every(1000)));
  load(entries);
  succeed(take());
  std::map<int, int> by_tenth;
  for (const Run& run : simulate(999)) by_tenth[run.at / 100] += static_cast<int>(run.units.size());
  ASSERT_EQ(by_tenth.size(), 10U);
  for (const auto& [tenth, count] : by_tenth) EXPECT_LT(count, 60) << tenth;
}

TEST_F(PlannerTest, GroupsMeetAcrossComponents) {
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
  EXPECT_EQ(planner_.atomic_set(1), (Ids{1, 2}));
  EXPECT_EQ(planner_.period(1), milliseconds(300));  // the faster of them
  load({entry(1, every(1000)), entry(2, every(300)), entry(3, every(1000))});
  EXPECT_EQ(planner_.atomic_set(1), (Ids{1}));
  EXPECT_EQ(planner_.period(1), milliseconds(1000));
}

TEST_F(PlannerTest, ALargeComponentIsCutAndItsUnitsWaitForEachOther) {
  std::vector<PlannerEntry> entries{entry(1, every(1000))};
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

TEST_F(PlannerTest, FailedTablesComeBackAfterTheirDelayAndDelayNobody) {
  load({entry(1, every(100)), entry(2, every(100))});
  EXPECT_EQ(due(), (Set{1, 2}));
  planner_.failed(1, milliseconds(700), now_.steady);
  succeed(Set{2});
  const auto runs = counts(simulate(690));
  EXPECT_EQ(runs.count(1), 0U);
  EXPECT_GE(runs.at(2), 6);
  advance(10);
  EXPECT_TRUE(due().contains(1));
}

TEST_F(PlannerTest, ARetryIsAUnitOfItsOwn) {
  load({entry(1, every(1000)), entry(2, every(1000), {1}), entry(3, every(1000), {2})});
  ASSERT_EQ(take().size(), 1U);
  succeed(Set{1, 3});
  planner_.failed(2, milliseconds(1), now_.steady);
  advance(1500);
  const auto units = take();
  ASSERT_EQ(units.size(), 2U);
  EXPECT_EQ(units[0].tables, (Ids{1, 3}));
  EXPECT_EQ(units[1].tables, (Ids{2}));
  EXPECT_TRUE(units[1].after.empty());
}

TEST_F(PlannerTest, OneThatMustNotFailAgainIsRetriedWithTheOthers) {
  load({entry(1, every(1000)), entry(2, every(1000), {1}), entry(3, every(1000), {2})});
  ASSERT_EQ(take().size(), 1U);
  for (const TableId id : {1, 2, 3}) planner_.failed(id, milliseconds(20), now_.steady, false);
  EXPECT_EQ(due_in(), 20);
  advance(20);
  const auto units = take();
  ASSERT_EQ(units.size(), 1U);
  EXPECT_EQ(units[0].tables, (Ids{1, 2, 3}));
  EXPECT_TRUE(units[0].whole);
}

TEST_F(PlannerTest, AFailingAtomicSetWaitsForItsLongestDelay) {
  load({entry(1, every(100)), entry(2, every(100))}, {{1, 2}});
  EXPECT_EQ(due(), (Set{1, 2}));
  planner_.failed(1, milliseconds(500), now_.steady);
  planner_.failed(2, milliseconds(300), now_.steady);
  EXPECT_EQ(due_in(), 500);
  advance(500);
  EXPECT_EQ(due(), (Set{1, 2}));
  planner_.failed(1, milliseconds(500), now_.steady);
  planner_.deferred(2);
  EXPECT_EQ(due_in(), 500);
  advance(500);
  succeed(due());
  EXPECT_LE(*due_in(), 100);
}

TEST_F(PlannerTest, HeldTablesAreLookedAtAgainAtTheirNextTimeOrWhenHoldsAreReleased) {
  load({entry(1, every(100)), entry(2, every(5000))});
  EXPECT_EQ(due(), (Set{1, 2}));
  planner_.held(1, now_);
  planner_.held(2, now_);
  EXPECT_EQ(due_in(), 1000);  // not more often than that
  advance(1000);
  EXPECT_EQ(due(), (Set{1}));
  planner_.held(1, now_);
  advance(10);
  EXPECT_TRUE(due().empty());
  planner_.release_holds(now_.steady);
  EXPECT_EQ(due(), (Set{1, 2}));
}

TEST_F(PlannerTest, WhatSomebodyWantsRefreshedIsDueAtOnce) {
  load({entry(1, every(3600000)), entry(2, cron("0 3 * * *"))});
  succeed(due());
  EXPECT_GT(*due_in(), 1000);
  planner_.hasten(1, now_);
  planner_.hasten(2, now_);
  planner_.hasten(4, now_);  // there is none
  EXPECT_EQ(due(), (Set{1, 2}));
  planner_.hasten(1, now_);  // running
  EXPECT_TRUE(due().empty());
  succeed(Set{1, 2});
  EXPECT_GT(*due_in(), 100);
}

TEST_F(PlannerTest, OneThatIsHeldIsNotTakenAlong) {
  load({entry(1, every(100)), entry(2, every(100), {1})});
  EXPECT_EQ(due(), (Set{1, 2}));
  planner_.held(1, now_);
  succeed(Set{2});
  advance(100);
  EXPECT_EQ(due(), (Set{2}));
}

// A member that is deferred was due and stays so: without the obstacle deciding, the atomic set would be tried in a
// loop.
TEST_F(PlannerTest, AAtomicSetWithAHeldMemberWaitsAsAWhole) {
  load({entry(1, every(100)), entry(2, every(100))}, {{1, 2}});
  EXPECT_EQ(due(), (Set{1, 2}));
  planner_.deferred(1);
  planner_.held(2, now_);
  EXPECT_EQ(due_in(), 1000);
  planner_.release_holds(now_.steady);
  EXPECT_EQ(due(), (Set{1, 2}));
}

TEST_F(PlannerTest, AnInactiveMemberBlocksItsAtomicSet) {
  PlannerEntry paused = entry(2, every(100));
  paused.active = false;
  load({entry(1, every(100)), paused, entry(3, every(100))}, {{1, 2}});
  EXPECT_EQ(due(), (Set{3}));
  EXPECT_EQ(planner_.blocked_by(1), 2);
  EXPECT_FALSE(planner_.blocked_by(2));  // itself is not active
  EXPECT_FALSE(planner_.blocked_by(3));
  EXPECT_FALSE(planner_.blocked_by(99));
  planner_.put(entry(2, every(100)), now_);
  EXPECT_FALSE(planner_.blocked_by(1));
  EXPECT_EQ(due(), (Set{1, 2}));
}

TEST_F(PlannerTest, ReleasedIsWithoutConsequence) {
  load({entry(1, every(100))});
  EXPECT_EQ(due(), (Set{1}));
  planner_.released(1);
  EXPECT_FALSE(planner_.is_running(1));
  EXPECT_EQ(due(), (Set{1}));
}

TEST_F(PlannerTest, AHoldKeepsTheTableAndItsComponentFromStarting) {
  load({entry(1, every(1000)), entry(2, every(1000), {1}), entry(3, every(1000))});
  EXPECT_TRUE(planner_.reserve(1, now_.steady));
  EXPECT_FALSE(planner_.reserve(1, now_.steady));
  EXPECT_EQ(due(), (Set{3}));
  planner_.released(1);
  EXPECT_EQ(due(), (Set{1, 2}));
  EXPECT_FALSE(planner_.reserve(1, now_.steady));
  EXPECT_FALSE(planner_.reserve(99, now_.steady));
}

// Freshness -----------------------------------------------------------------------------------------------------------

TEST_F(PlannerTest, FreshnessIsThatOfTheBeginningOfTheLastSuccess) {
  load({entry(1, every(1000))});
  EXPECT_FALSE(planner_.fresh_at(1, now_.steady));
  const auto units = take();
  advance(10);
  planner_.begun(units[0], now_.steady);
  const TimePoint begun = now_.steady;
  advance(10);
  succeed(units);
  advance(500);
  EXPECT_EQ(planner_.fresh_at(1, now_.steady), begun);
  advance(500);
  ASSERT_EQ(take().size(), 1U);
  planner_.failed(1, milliseconds(10), now_.steady);
  EXPECT_EQ(planner_.fresh_at(1, now_.steady), begun);
}

}  // namespace
}  // namespace pgtrickle::planner
