// From due atomic sets to units.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "planner/units.h"

namespace pgtrickle::planner {
namespace {

using std::chrono::milliseconds;
using Ids = std::vector<TableId>;
using Numbers = std::vector<std::size_t>;

milliseconds cheap(TableId) {
  return milliseconds(1);
}

Numbers all(const std::vector<AtomicSet>& sets) {
  Numbers out;
  for (std::size_t i = 0; i < sets.size(); ++i) out.push_back(i);
  return out;
}

std::vector<AtomicSet> chain(TableId length) {
  std::vector<AtomicSet> out;
  for (TableId id = 1; id <= length; ++id) {
    AtomicSet& set = out.emplace_back();
    set.tables = {id};
    if (id > 1) set.upstream = {static_cast<std::size_t>(id) - 2};
  }
  return out;
}

TEST(Units, NothingDueIsNoUnit) {
  EXPECT_TRUE(plan_units(chain(3), {}, cheap, {}).empty());
}

TEST(Units, WhatFitsIsOneUnitInTopologicalOrder) {
  // A diamond 1, 2 -> 3 as one atomic set below 4, and 5 elsewhere.
  const std::vector<AtomicSet> sets{{{4}, {}}, {{1, 2, 3}, {0}}, {{5}, {}}};
  const auto plan = plan_units(sets, all(sets), cheap, {});
  ASSERT_EQ(plan.size(), 1U);
  EXPECT_EQ(plan[0].tables, (Ids{4, 1, 2, 3, 5}));
  EXPECT_EQ(plan[0].together, (std::vector<Ids>{{1, 2, 3}}));
  EXPECT_TRUE(plan[0].whole);
  EXPECT_EQ(plan[0].cost, milliseconds(5));
  EXPECT_EQ(plan[0].critical_path, milliseconds(5));
}

TEST(Units, OnlyWhatIsDue) {
  const auto sets = chain(4);
  const auto plan = plan_units(sets, {1, 3}, cheap, {});
  ASSERT_EQ(plan.size(), 1U);
  EXPECT_EQ(plan[0].tables, (Ids{2, 4}));
}

TEST(Units, AWideLevelIsCutWithDependencies) {
  std::vector<AtomicSet> sets{{{1}, {}}};
  for (TableId id = 2; id <= 50; ++id) sets.push_back({{id}, {0}});
  const auto plan = plan_units(sets, all(sets), cheap, {.max_tables = 32, .max_cost = milliseconds(2000)});
  ASSERT_EQ(plan.size(), 3U);
  EXPECT_EQ(plan[0].tables, (Ids{1}));
  EXPECT_TRUE(plan[0].after.empty());
  EXPECT_EQ(plan[1].tables.size(), 32U);
  EXPECT_EQ(plan[2].tables.size(), 17U);
  EXPECT_EQ(plan[1].after, (Numbers{0}));
  EXPECT_EQ(plan[2].after, (Numbers{0}));
  for (const Unit& unit : plan) EXPECT_FALSE(unit.whole);
  EXPECT_EQ(plan[0].critical_path, milliseconds(33));
  EXPECT_EQ(plan[1].critical_path, milliseconds(32));
  EXPECT_EQ(plan[2].critical_path, milliseconds(17));
}

// Each level of a long chain used to be a unit of its own, that is a transaction per table.
TEST(Units, LevelsThatFitTogetherStayTogether) {
  const auto sets = chain(150);
  const auto plan = plan_units(sets, all(sets), cheap, {});
  ASSERT_EQ(plan.size(), 3U);
  EXPECT_EQ(plan[0].tables.size(), 64U);
  EXPECT_EQ(plan[1].tables.size(), 64U);
  EXPECT_EQ(plan[2].tables.size(), 22U);
  EXPECT_EQ(plan[1].after, (Numbers{0}));
  EXPECT_EQ(plan[2].after, (Numbers{1}));
  EXPECT_EQ(plan[0].critical_path, milliseconds(150));
}

TEST(Units, ASlowTableGoesAlone) {
  const std::vector<AtomicSet> sets{{{1}, {}}, {{2}, {}}, {{3}, {0, 1}}};
  const auto cost = [](TableId id) { return milliseconds(id == 2 ? 5000 : 10); };
  const auto plan = plan_units(sets, all(sets), cost, {});
  ASSERT_EQ(plan.size(), 3U);
  EXPECT_EQ(plan[0].tables, (Ids{1}));
  EXPECT_EQ(plan[1].tables, (Ids{2}));
  EXPECT_EQ(plan[2].after, (Numbers{0, 1}));
  EXPECT_EQ(plan[0].critical_path, milliseconds(20));
  EXPECT_EQ(plan[1].critical_path, milliseconds(5010));
}

TEST(Units, AAtomicSetIsNeverCut) {
  AtomicSet large;
  for (TableId id = 2; id <= 101; ++id) large.tables.push_back(id);
  large.upstream = {0};
  const std::vector<AtomicSet> sets{{{1}, {}}, large};
  const auto plan = plan_units(sets, all(sets), [](TableId) { return milliseconds(1000); }, {});
  ASSERT_EQ(plan.size(), 2U);
  EXPECT_EQ(plan[1].tables.size(), 100U);
  EXPECT_EQ(plan[1].together.size(), 1U);
  EXPECT_EQ(plan_units(sets, {1}, cheap, {}).size(), 1U);
  EXPECT_TRUE(plan_units(sets, {1}, cheap, {}).front().whole);
}

TEST(Units, RandomPlansKeepEveryAtomicSetOnceAndEveryOrder) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    std::mt19937 random(seed);
    std::vector<AtomicSet> sets;
    Numbers due;
    TableId next = 1;
    for (std::size_t c = 0, count = 1 + random() % 60; c < count; ++c) {
      AtomicSet& set = sets.emplace_back();
      for (unsigned i = 0; i <= (random() % 5 == 0 ? random() % 9 : 0); ++i) set.tables.push_back(next++);
      std::set<std::size_t> upstream;
      for (unsigned i = 0; c > 0 && i < random() % 3; ++i) upstream.insert(random() % c);
      set.upstream.assign(upstream.begin(), upstream.end());
      if (random() % 4 != 0) due.push_back(c);
    }
    const UnitLimits limits{.max_tables = 1 + random() % 10, .max_cost = milliseconds(1 + random() % 20)};
    const auto cost = [](TableId id) { return milliseconds(id % 7); };
    const auto plan = plan_units(sets, due, cost, limits);
    std::map<TableId, std::pair<std::size_t, std::size_t>> place;
    for (std::size_t u = 0; u < plan.size(); ++u) {
      const Unit& unit = plan[u];
      milliseconds sum{0};
      for (std::size_t i = 0; i < unit.tables.size(); ++i) {
        sum += cost(unit.tables[i]);
        ASSERT_TRUE(place.emplace(unit.tables[i], std::make_pair(u, i)).second) << "seed " << seed;
      }
      EXPECT_EQ(unit.cost, sum);
      EXPECT_EQ(unit.whole, plan.size() == 1 && sum <= limits.max_cost);
      milliseconds behind{0};
      for (std::size_t later = u + 1; later < plan.size(); ++later) {
        const auto& after = plan[later].after;
        if (std::find(after.begin(), after.end(), u) != after.end())
          behind = std::max(behind, plan[later].critical_path);
      }
      EXPECT_EQ(unit.critical_path, sum + behind);
      const auto first = std::find_if(sets.begin(), sets.end(),
                                      [&](const AtomicSet& set) { return set.tables.front() == unit.tables.front(); });
      const bool single = unit.tables.size() == first->tables.size();
      EXPECT_TRUE(single || (unit.tables.size() <= limits.max_tables && sum <= limits.max_cost)) << "seed " << seed;
      EXPECT_TRUE(std::is_sorted(unit.after.begin(), unit.after.end()));
      for (const std::size_t before : unit.after) EXPECT_LT(before, u);
    }
    for (const std::size_t c : due) {
      std::set<std::size_t> units;
      for (const TableId id : sets[c].tables) units.insert(place.at(id).first);
      EXPECT_EQ(units.size(), 1U) << "seed " << seed;
      const Unit& unit = plan[*units.begin()];
      const bool listed = std::find(unit.together.begin(), unit.together.end(), sets[c].tables) != unit.together.end();
      EXPECT_EQ(listed, sets[c].tables.size() > 1) << "seed " << seed;
      for (const std::size_t up : sets[c].upstream) {
        if (std::find(due.begin(), due.end(), up) == due.end()) continue;
        const auto [up_unit, up_index] = place.at(sets[up].tables.back());
        const auto [own_unit, index] = place.at(sets[c].tables.front());
        if (up_unit == own_unit) {
          EXPECT_LT(up_index, index) << "seed " << seed;
        } else {
          const auto& after = plan[own_unit].after;
          EXPECT_NE(std::find(after.begin(), after.end(), up_unit), after.end()) << "seed " << seed;
        }
      }
    }
    std::size_t tables = 0;
    for (const std::size_t c : due) tables += sets[c].tables.size();
    ASSERT_EQ(place.size(), tables) << "seed " << seed;
    ASSERT_FALSE(HasFailure());
  }
}

std::vector<std::vector<TableId>> ids_of(const std::vector<UnitStep>& steps) {
  std::vector<std::vector<TableId>> out;
  for (const UnitStep& step : steps) out.push_back(step.ids);
  return out;
}

TEST(Steps, ACycleIsOneStep) {
  const Dag dag({1, 2, 3, 4}, {{1, 2}, {2, 3}, {3, 2}, {3, 4}});
  Unit unit;
  unit.tables = {1, 2, 3, 4};
  unit.together = {{2, 3}};
  const auto steps = steps_of(unit, dag);
  EXPECT_EQ(ids_of(steps), (std::vector<std::vector<TableId>>{{1}, {2, 3}, {4}}));
  EXPECT_TRUE(steps[1].cycle);
  EXPECT_EQ(steps[1].together, 1);
  EXPECT_EQ(steps[0].together, 0);
  EXPECT_FALSE(steps[2].cycle);
}

TEST(Steps, ACycleThatHasComeApartIsItsTables) {
  const Dag dag({2, 3}, {{2, 3}});
  Unit unit;
  unit.tables = {2, 3};
  unit.together = {{2, 3}};
  const auto steps = steps_of(unit, dag);
  EXPECT_EQ(ids_of(steps), (std::vector<std::vector<TableId>>{{2}, {3}}));
  EXPECT_FALSE(steps[0].cycle);
}

TEST(Steps, ADroppedTableHasItsStepSoThatItsFlightEnds) {
  Unit unit;
  unit.tables = {1, 2};
  EXPECT_EQ(ids_of(steps_of(unit, Dag({2}, {}))), (std::vector<std::vector<TableId>>{{1}, {2}}));
}

// Found by the model of sleeping: with the whole of the new cycle as its step, the unit ended the run of a table
// that another unit was refreshing.
TEST(Steps, ACycleThatReachesIntoAnotherUnitIsLeftToTheNextPlan) {
  const Dag dag({1, 2, 3, 4, 5}, {{1, 2}, {2, 1}, {3, 4}, {3, 5}});
  Unit unit;
  unit.tables = {1, 3, 4, 5};
  unit.together = {{3, 4}};
  EXPECT_EQ(ids_of(steps_of(unit, dag)), (std::vector<std::vector<TableId>>{{3}, {4}, {5}}));
  unit.together = {{1, 3, 4}};  // a refresh group: never without 1
  EXPECT_EQ(ids_of(steps_of(unit, dag)), (std::vector<std::vector<TableId>>{{5}}));
}

}  // namespace
}  // namespace pgtrickle::planner
