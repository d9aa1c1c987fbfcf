// How schedules, tiers and auto-backoff become due times of the refresh planner.
#include "planner_fixture.h"

namespace pgtrickle::planner {
namespace {

using namespace testing;
using std::chrono::milliseconds;

// Needs ---------------------------------------------------------------------------------------------------------------

TEST_F(PlannerTest, CalculatedIsTheTightestConsumerTransitively) {
  load({entry(1, calculated()), entry(2, calculated(), {1}), entry(3, every(5000), {2}), entry(4, every(60000), {1}),
        entry(5, calculated()), entry(6, every(60000)), entry(7, every(100), {6})});
  EXPECT_EQ(planner_.period(1), milliseconds(5000));
  EXPECT_EQ(planner_.period(2), milliseconds(5000));
  EXPECT_EQ(planner_.period(4), milliseconds(60000));
  EXPECT_EQ(planner_.period(5), milliseconds(1000));   // nobody reads it: the default
  EXPECT_EQ(planner_.period(6), milliseconds(60000));  // its own schedule wins
}

TEST_F(PlannerTest, CalculatedWithoutConsumersKeepsItsPromiseOfStaleness) {
  PlannerEntry strict = entry(1, calculated());
  strict.max_staleness = milliseconds(500);
  PlannerEntry lax = entry(2, calculated());
  lax.max_staleness = milliseconds(50000);
  load({strict, lax});
  EXPECT_EQ(planner_.period(1), milliseconds(250));
  EXPECT_EQ(planner_.period(2), milliseconds(1000));
}

TEST_F(PlannerTest, CalculatedKeepsItsPromiseOfStalenessReadOrNot) {
  const auto promised = [](TableId id) {
    PlannerEntry out = entry(id, calculated());
    out.max_staleness = milliseconds(4000);
    return out;
  };
  load({promised(1), entry(2, every(60000), {1}), promised(3), entry(4, every(500), {3}), promised(5),
        entry(6, cron("@hourly"), {5})});
  EXPECT_EQ(planner_.period(1), milliseconds(2000));
  EXPECT_EQ(planner_.period(3), milliseconds(500));
  EXPECT_EQ(planner_.period(5), milliseconds(2000));
}

TEST_F(PlannerTest, CalculatedForContinuousConsumersIsContinuous) {
  load({entry(1, calculated(), {}, {100}), entry(2, continuous(20), {1}), entry(3, continuous(), {})});
  EXPECT_EQ(planner_.period(1), milliseconds(20));
  EXPECT_EQ(planner_.period(3), milliseconds(50));  // the setting
}

TEST_F(PlannerTest, CalculatedForCronConsumersGoesByTheirTimes) {
  PlannerEntry base = entry(1, calculated());
  base.age = milliseconds(0);
  PlannerEntry hourly = entry(2, cron("@hourly"), {1});
  hourly.age = milliseconds(0);
  PlannerEntry late = entry(3, cron("30 * * * *"), {1});
  late.age = milliseconds(0);
  load({base, hourly, late});
  std::map<int, std::vector<Ids>> runs;
  for (const Run& run : simulate(2 * 3600000)) runs[run.at / 60000] = run.units;
  EXPECT_EQ(runs, (std::map<int, std::vector<Ids>>{{30, {{1, 3}}}, {60, {{1, 2}}}, {90, {{1, 3}}}, {120, {{1, 2}}}}));
}

TEST_F(PlannerTest, TiersMultiply) {
  PlannerEntry warm = entry(1, every(1000));
  warm.tier = Tier::kWarm;
  PlannerEntry cold = entry(2, every(1000));
  cold.tier = Tier::kCold;
  load({warm, cold});
  EXPECT_EQ(planner_.period(1), milliseconds(2000));
  EXPECT_EQ(planner_.period(2), milliseconds(10000));
  EXPECT_EQ(take().size(), 2U);
}

TEST_F(PlannerTest, UnitsAreAsUrgentAsTheirMostImportantMember) {
  PlannerEntry cold = entry(1, every(1000));
  cold.tier = Tier::kCold;
  PlannerEntry hot = entry(2, every(1000), {1});
  load({cold, hot});
  advance(700);
  const auto units = take();
  ASSERT_EQ(units.size(), 1U);
  EXPECT_EQ(units[0].weight, 4);
  EXPECT_EQ(units[0].period, milliseconds(1000));
  EXPECT_EQ(units[0].due, now_.steady - milliseconds(700));
}

TEST_F(PlannerTest, FastestOrSlowestOfADiamond) {
  PlannerEntry last = entry(3, every(500), {1, 2});
  load({entry(1, every(1000), {}, {100}), entry(2, every(3000), {}, {100}), last});
  for (const TableId id : {1, 2, 3}) EXPECT_EQ(planner_.period(id), milliseconds(500));
  last.slowest = true;
  planner_.put(last, now_);
  for (const TableId id : {1, 2, 3}) EXPECT_EQ(planner_.period(id), milliseconds(3000));
  last.atomic_diamond = false;
  planner_.put(last, now_);
  EXPECT_EQ(planner_.period(1), milliseconds(1000));
  EXPECT_EQ(planner_.atomic_set(3), (Ids{3}));
}

TEST_F(PlannerTest, MembersOfACycleWithoutASchedulesHaveThatOfTheOthers) {
  load({entry(1, calculated(), {2}), entry(2, calculated(), {1}), entry(3, every(5000), {1})});
  EXPECT_EQ(planner_.period(1), milliseconds(5000));
  EXPECT_EQ(planner_.period(2), milliseconds(5000));
  // Found by this test: the need of the one that is gone stayed in the cycle for ever.
  planner_.remove(3, now_);
  planner_.put(entry(4, every(70000), {2}), now_);
  EXPECT_EQ(planner_.period(1), milliseconds(70000));
  planner_.remove(4, now_);
  EXPECT_EQ(planner_.period(1), milliseconds(1000));
}

TEST_F(PlannerTest, PeriodsHaveRoomForEveryMultiplier) {
  PlannerEntry slow = entry(1, every(1000));
  slow.schedule.period = std::chrono::hours(24 * 365);
  slow.tier = Tier::kCold;
  load({slow});
  for (int i = 0; i < 3 * 6; ++i) {
    ASSERT_EQ(take().size(), 1U);
    planner_.succeeded(1, {.changed = true, .own = Milliseconds(1), .whole_unit = Milliseconds::max() / 4}, now_);
    ASSERT_GT(planner_.next_due(), now_.steady);
    advance_to(planner_.next_due());
  }
  EXPECT_EQ(planner_.backoff(1), Backoff::kMaxFactor);
}

// Cron ----------------------------------------------------------------------------------------------------------------

TEST_F(PlannerTest, CronTimesAreKeptAndThoseMissedMeanwhileAreCaughtUpOnce) {
  PlannerEntry daily = entry(1, cron("@daily"));  // it is midnight now
  daily.age = std::chrono::hours(7);
  load({daily});
  EXPECT_EQ(due(), (Set{1}));  // the refresh of midnight was missed
  succeed(Set{1});
  EXPECT_EQ(due_in(), 24 * 3600000);
  EXPECT_EQ(simulate(5 * 24 * 3600000).size(), 5U);

  PlannerEntry fresh = entry(2, cron("@daily"));
  fresh.age = milliseconds(3600000);
  advance(2 * 3600000);
  planner_.put(fresh, now_);
  EXPECT_TRUE(due().empty());
  EXPECT_EQ(due_in(), 22 * 3600000);
}

TEST_F(PlannerTest, ACronTableThatWasPausedCatchesUp) {
  PlannerEntry daily = entry(1, cron("@daily"));
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

// Found by this test: any cron time took along all of its component, whatever its schedule.
TEST_F(PlannerTest, ACronTimeTakesAlongWhatIsRefreshedAtLeastAsOftenAsItself) {
  std::vector<PlannerEntry> entries{entry(1, cron("*/10 * * * *")), entry(2, cron("@daily"), {1}),
                                    entry(3, every(3600000), {1}), entry(4, every(60000), {1}),
                                    entry(5, cron("*/10 * * * *"), {1})};
  for (PlannerEntry& e : entries) e.age = milliseconds(0);
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

// Continuous ----------------------------------------------------------------------------------------------------------

TEST_F(PlannerTest, ContinuousKeepsItsMinimumInterval) {
  load({entry(1, continuous(40))});
  ASSERT_EQ(take().size(), 1U);
  advance(15);
  planner_.succeeded(1, kChanged, now_);
  EXPECT_EQ(due_in(), 25);  // from beginning to beginning
  advance(25);
  auto units = take();
  ASSERT_EQ(units.size(), 1U);
  advance(10);
  planner_.begun(units[0], now_.steady);  // it waited for a worker
  advance(100);
  planner_.succeeded(1, kChanged, now_);
  EXPECT_EQ(due_in(), 0);
}

class WithoutWaking : public PlannerTest {
 protected:
  WithoutWaking() : PlannerTest({.may_arm = false}) {}
};

TEST_F(WithoutWaking, ContinuousPollsLessOftenWhenNothingHappens) {
  load({entry(1, continuous(50), {}, {100})});
  std::vector<int> pauses;
  for (int i = 0; i < 7; ++i) {
    ASSERT_EQ(take().size(), 1U);
    planner_.succeeded(1, {}, now_);
    pauses.push_back(*due_in());
    advance(*due_in());
  }
  EXPECT_EQ(pauses, (std::vector<int>{100, 200, 400, 800, 1000, 1000, 1000}));
  ASSERT_EQ(take().size(), 1U);
  planner_.succeeded(1, kChanged, now_);
  EXPECT_EQ(due_in(), 50);
  EXPECT_TRUE(planner_.sources_to_arm(now_.steady).empty());
}

TEST_F(PlannerTest, ContinuousPollsLessOftenAlsoIfItCannotSleepItself) {
  PlannerEntry full = entry(1, continuous(50), {}, {100});
  full.captured = false;
  load({full, entry(2, continuous(50), {1}, {101})});
  for (const int pause : {100, 200, 400}) {
    EXPECT_TRUE(planner_.sources_to_arm(now_.steady).empty());  // that would help nobody
    for (const TableId id : due()) planner_.succeeded(id, {}, now_);
    EXPECT_EQ(due_in(), pause);
    advance(pause);
  }
}

// Backoff -------------------------------------------------------------------------------------------------------------

TEST_F(PlannerTest, RefreshesThatOutrunTheirScheduleBackOffAndRecover) {
  load({entry(1, every(100))});
  const auto refresh = [&](int ms) {
    advance_to(std::max(now_.steady, planner_.next_due()));
    EXPECT_EQ(take().size(), 1U);
    advance(ms);
    return !planner_.succeeded(1, {.changed = true, .own = milliseconds(ms), .whole_unit = milliseconds(ms)}, now_)
                .empty();
  };
  EXPECT_FALSE(refresh(150));
  EXPECT_FALSE(refresh(150));
  EXPECT_TRUE(refresh(150));
  EXPECT_EQ(planner_.backoff(1), 2);
  EXPECT_EQ(planner_.period(1), milliseconds(200));
  for (int i = 0; i < 10; ++i) refresh(1000);
  EXPECT_EQ(planner_.backoff(1), 16);
  for (int i = 0; i < 20; ++i) refresh(1);
  EXPECT_EQ(planner_.backoff(1), 1);
  EXPECT_EQ(planner_.period(1), milliseconds(100));
}

TEST_F(PlannerTest, AComponentHasOneBackoff) {
  load({entry(1, every(100)), entry(2, every(100))}, {{1, 2}});
  for (int i = 0; i < 3; ++i) {
    advance_to(std::max(now_.steady, planner_.next_due()));
    ASSERT_EQ(take().size(), 1U);
    planner_.succeeded(1, {.changed = true, .own = milliseconds(500), .whole_unit = milliseconds(500)}, now_);
    planner_.succeeded(2, {}, now_);
  }
  EXPECT_EQ(planner_.backoff(1), 2);
  EXPECT_EQ(planner_.backoff(2), 2);
  EXPECT_EQ(planner_.period(2), milliseconds(200));
}

// Else it would be refreshed more often than the ones that it is to be in step with.
TEST_F(PlannerTest, WhoJoinsIsAsSlowAsTheOthers) {
  const auto all = [](bool third_is_active) {
    PlannerEntry third = entry(3, every(100), {1});
    third.active = third_is_active;
    return std::vector<PlannerEntry>{entry(1, every(100)), entry(2, every(100), {1}), third};
  };
  load(all(false));
  for (int i = 0; i < 3; ++i) {
    advance_to(std::max(now_.steady, planner_.next_due()));
    ASSERT_EQ(take().size(), 1U);
    planner_.succeeded(1, {.changed = true, .own = milliseconds(150), .whole_unit = milliseconds(150)}, now_);
    planner_.succeeded(2, {.changed = true, .own = milliseconds(1), .whole_unit = milliseconds(150)}, now_);
  }
  EXPECT_EQ(planner_.backoff(2), 2);
  load(all(true));
  planner_.put(entry(4, every(100), {3}), now_);
  planner_.put(entry(5, every(300), {3}), now_);
  for (const TableId id : {1, 2, 3, 4}) EXPECT_EQ(planner_.backoff(id), 2) << id;
  EXPECT_EQ(planner_.backoff(5), 1);
}

// Found by this test: a factor learned at 100 ms held for an hour too, that is for days.
TEST_F(PlannerTest, AnotherScheduleForgetsTheBackoff) {
  load({entry(1, every(100))});
  for (int i = 0; i < 20; ++i) {
    advance_to(std::max(now_.steady, planner_.next_due()));
    ASSERT_EQ(take().size(), 1U);
    planner_.succeeded(1, {.changed = true, .own = milliseconds(9000), .whole_unit = milliseconds(9000)}, now_);
  }
  EXPECT_EQ(planner_.backoff(1), 64);
  load({entry(1, every(100))});
  EXPECT_EQ(planner_.backoff(1), 64);
  load({entry(1, every(3600000))});
  EXPECT_EQ(planner_.backoff(1), 1);
  EXPECT_EQ(planner_.period(1), milliseconds(3600000));
}

TEST_F(PlannerTest, BackoffKeepsWhatRunsTogetherTogether) {
  PlannerEntry below = entry(2, every(100));
  below.upstream = {1};
  load({entry(1, every(100)), below});
  // Only the first has changes, but the transaction is that of both.
  std::vector<TableId> slowed;
  for (int i = 0; i < 3; ++i) {
    advance_to(std::max(now_.steady, planner_.next_due()));
    ASSERT_EQ(take().size(), 1U);
    advance(150);
    const RefreshPlanner::Success slow{.changed = true, .own = milliseconds(150), .whole_unit = milliseconds(150)};
    EXPECT_TRUE(planner_.succeeded(1, slow, now_).empty());
    slowed = planner_.succeeded(2, {}, now_);
  }
  EXPECT_EQ(slowed, (std::vector<TableId>{1, 2}));
  EXPECT_EQ(planner_.period(1), milliseconds(200));
  EXPECT_EQ(planner_.period(2), milliseconds(200));
}

// The hourly table of a component with one of 100 ms became one of 64 hours.
TEST_F(PlannerTest, BackoffIsForSchedulesThatAreOutrun) {
  load({entry(1, every(100)), entry(2, every(3600000), {1}), entry(3, every(100), {1})});
  for (int i = 0; i < 30; ++i) {
    advance_to(std::max(now_.steady, planner_.next_due()));
    for (const Unit& unit : take()) {
      for (const TableId id : unit.tables)
        planner_.succeeded(id, {.changed = true, .own = milliseconds(100), .whole_unit = milliseconds(300)}, now_);
    }
  }
  EXPECT_EQ(planner_.backoff(1), 4);
  EXPECT_EQ(planner_.backoff(3), 4);
  EXPECT_EQ(planner_.backoff(2), 1);
}

class WithoutBackoff : public PlannerTest {
 protected:
  WithoutBackoff() : PlannerTest({.auto_backoff = false}) {}
};

TEST_F(WithoutBackoff, PeriodsStay) {
  load({entry(1, every(100))});
  for (int i = 0; i < 10; ++i) {
    advance_to(std::max(now_.steady, planner_.next_due()));
    ASSERT_EQ(take().size(), 1U);
    EXPECT_TRUE(
        planner_.succeeded(1, {.changed = true, .own = milliseconds(9000), .whole_unit = milliseconds(9000)}, now_)
            .empty());
  }
  EXPECT_EQ(planner_.period(1), milliseconds(100));
}

TEST_F(PlannerTest, NewSettingsHoldFromTheNextLoad) {
  load({entry(1, calculated())});
  succeed(take());
  PlannerSettings settings;
  settings.default_period = milliseconds(50);
  planner_.configure(settings);
  EXPECT_EQ(planner_.period(1), milliseconds(1000));
  load({entry(1, calculated())});
  EXPECT_EQ(planner_.period(1), milliseconds(50));
}

// The interval of recomputations
// -------------------------------------------------------------------------------------------

PlannerEntry recomputed(PlannerEntry out, int cost = 0) {
  out.captured = false;
  out.throttled = true;
  out.cost = milliseconds(cost);
  return out;
}

/// For so long, a refresh of a table in `slow` takes two seconds of the server's work, others one millisecond.
class PaceTest : public PlannerTest {
 protected:
  std::map<TableId, int> refreshes(int ms, const Set& slow) {
    std::map<TableId, int> out;
    const TimePoint end = now_.steady + Milliseconds(ms);
    while (planner_.next_due() <= end) {
      advance_to(std::max(now_.steady, planner_.next_due()));
      for (const Unit& unit : take()) {
        for (const TableId id : unit.tables) {
          ++out[id];
          const Milliseconds took(slow.contains(id) ? 2000 : 1);
          planner_.succeeded(id, {.changed = true, .own = took, .whole_unit = took}, now_);
        }
      }
    }
    advance_to(end);
    return out;
  }
};

TEST_F(PaceTest, WhatNobodyAskedForIsRecomputedAtThePaceOfItsCost) {
  load({recomputed(entry(1, calculated())), recomputed(entry(2, calculated()))});
  const auto count = refreshes(640000, {1});
  EXPECT_GE(count.at(1), 9);
  EXPECT_LE(count.at(1), 12);  // every 64 s, after the first
  EXPECT_GE(count.at(2), 630) << "what costs next to nothing keeps the default";
  EXPECT_EQ(planner_.backoff(1), 1) << "it is not late";
  EXPECT_EQ(planner_.period(1), milliseconds(64000));
}

TEST_F(PaceTest, AnExplicitScheduleIsHonoured) {
  PlannerEntry promised = recomputed(entry(4, calculated()));
  promised.max_staleness = milliseconds(4000);
  PlannerSettings settings;
  settings.auto_backoff = false;
  planner_.configure(settings);
  PlannerEntry read = promised;
  read.id = 5;
  load({recomputed(entry(1, every(2000))), recomputed(entry(2, calculated())), entry(3, every(3000), {2}), promised,
        read, entry(6, calculated(), {5})});
  const auto count = refreshes(600000, {1, 2, 4, 5});
  EXPECT_GE(count.at(1), 299);
  EXPECT_GE(count.at(2), 199) << "of who reads it";
  EXPECT_GE(count.at(4), 599) << "of the promise";
  EXPECT_GE(count.at(5), 599) << "of the promise, read or not";
}

TEST_F(PaceTest, WhoReadsItKeepsHisOwnPaceAndSleepsMeanwhile) {
  load({recomputed(entry(1, calculated())), entry(2, calculated(), {1}, {500})});
  auto count = refreshes(640000, {1});
  EXPECT_LE(count.at(1), 12);
  EXPECT_GE(count.at(2), 600);
  planner_.armed(500, now_.steady);
  planner_.armed(own_log(1), now_.steady);
  count = refreshes(640000, {1});
  EXPECT_LE(count.at(2), 12);
}

TEST_F(PaceTest, TheCostOfAnEarlierProcessIsRemembered) {
  load({recomputed(entry(1, calculated()), 2000)});
  EXPECT_EQ(planner_.period(1), milliseconds(64000));
  load({entry(1, calculated())});  // maintained from changes again
  EXPECT_EQ(planner_.period(1), milliseconds(1000));
}

}  // namespace
}  // namespace pgtrickle::planner
