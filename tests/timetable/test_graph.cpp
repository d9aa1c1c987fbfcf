// The pure parts of the scheduler: graph, units, effective schedules.
#include <gtest/gtest.h>

#include <random>

#include "timetable/dag.h"
#include "timetable/units.h"

namespace pgtrickle::scheduler {
namespace {

using std::chrono::milliseconds;
using Ids = std::vector<TableId>;

milliseconds cheap(TableId) {
  return milliseconds(1);
}

TEST(Dag, OrdersUpstreamFirst) {
  const Dag dag({3, 1, 2}, {{.upstream = 3, .downstream = 2}, {.upstream = 2, .downstream = 1}});
  EXPECT_EQ(dag.order(), (Ids{3, 2, 1}));
  EXPECT_TRUE(dag.cyclic().empty());
}

TEST(Dag, IgnoresUnknownDuplicateAndSelfEdges) {
  const Dag dag({1, 2}, {{1, 2}, {1, 2}, {1, 1}, {9, 1}, {2, 9}});
  EXPECT_EQ(dag.downstream(1), (Ids{2}));
  EXPECT_EQ(dag.order(), (Ids{1, 2}));
}

TEST(Dag, ReportsCyclesAndStillOrdersTheRest) {
  const Dag dag({1, 2, 3, 4}, {{1, 2}, {2, 3}, {3, 2}, {1, 4}});
  EXPECT_EQ(dag.cyclic(), (Ids{2, 3}));
  EXPECT_EQ(dag.order(), (Ids{1, 4, 2, 3}));
}

TEST(Dag, ComponentsOfASubsetIgnoreTheRest) {
  // A chain 1 -> 2 -> 3 falls apart when 2 is not in the subset.
  const Dag dag({1, 2, 3, 4}, {{1, 2}, {2, 3}});
  EXPECT_EQ(dag.components({1, 3}).size(), 2U);
  EXPECT_EQ(dag.components({1, 2, 3}), (std::vector<Ids>{{1, 2, 3}}));
  EXPECT_EQ(dag.component_of(3), 1);
  EXPECT_EQ(dag.component_of(4), 4);
}

TEST(Units, OneComponentIsOneUnitInTopologicalOrder) {
  const Dag dag({1, 2, 3, 4, 5}, {{4, 1}, {4, 2}, {1, 3}, {2, 3}});  // a diamond, and a loner
  const auto plan = plan_units(dag, {1, 2, 3, 4, 5}, cheap, {});
  ASSERT_EQ(plan.size(), 2U);
  EXPECT_EQ(plan[0].tables, (Ids{4, 1, 2, 3}));
  EXPECT_EQ(plan[1].tables, (Ids{5}));
}

TEST(Units, CutsLargeComponentsByLevelWithDependencies) {
  std::vector<TableId> ids{1};
  std::vector<Edge> edges;
  for (TableId id = 2; id <= 50; ++id) {
    ids.push_back(id);
    edges.push_back({1, id});
  }
  const Dag dag(ids, edges);
  const auto plan =
      plan_units(dag, {ids.begin(), ids.end()}, cheap, {.max_tables = 32, .max_cost = milliseconds(2000)});
  ASSERT_EQ(plan.size(), 3U);
  EXPECT_EQ(plan[0].tables, (Ids{1}));
  EXPECT_TRUE(plan[0].after.empty());
  EXPECT_EQ(plan[1].tables.size(), 32U);
  EXPECT_EQ(plan[2].tables.size(), 17U);
  EXPECT_EQ(plan[1].after, (std::vector<std::size_t>{0}));
  EXPECT_EQ(plan[2].after, (std::vector<std::size_t>{0}));
}

TEST(Units, ASlowTableGoesAlone) {
  const Dag dag({1, 2, 3}, {{1, 3}, {2, 3}});
  const auto cost = [](TableId id) { return milliseconds(id == 2 ? 5000 : 10); };
  const auto plan = plan_units(dag, {1, 2, 3}, cost, {});
  ASSERT_EQ(plan.size(), 3U);
  EXPECT_EQ(plan[0].tables, (Ids{1}));
  EXPECT_EQ(plan[1].tables, (Ids{2}));
  EXPECT_EQ(plan[2].after, (std::vector<std::size_t>{0, 1}));
}

TEST(Units, RandomGraphsKeepEveryTableOnceAndEveryOrder) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const auto count = static_cast<TableId>(1 + random() % 60);
    std::vector<TableId> ids;
    std::vector<Edge> edges;
    std::set<TableId> due;
    for (TableId id = 1; id <= count; ++id) {
      ids.push_back(id);
      if (random() % 4 != 0) due.insert(id);
      for (unsigned i = 0; id > 1 && i < random() % 3; ++i) {
        edges.push_back({static_cast<TableId>(1 + static_cast<TableId>(random()) % (id - 1)), id});
      }
    }
    const Dag dag(ids, edges);
    const UnitLimits limits{.max_tables = 1 + random() % 10, .max_cost = milliseconds(1 + random() % 20)};
    const auto plan = plan_units(
        dag, due, [](TableId id) { return milliseconds(id % 7); }, limits);
    std::map<TableId, std::pair<std::size_t, std::size_t>> place;
    for (std::size_t u = 0; u < plan.size(); ++u) {
      for (std::size_t i = 0; i < plan[u].tables.size(); ++i) {
        ASSERT_TRUE(place.emplace(plan[u].tables[i], std::make_pair(u, i)).second) << "seed " << seed;
      }
      EXPECT_LE(plan[u].tables.size(), limits.max_tables);
      for (const std::size_t before : plan[u].after) EXPECT_LT(before, u);
    }
    ASSERT_EQ(place.size(), due.size());
    for (const Edge& edge : edges) {
      if (!due.contains(edge.upstream) || !due.contains(edge.downstream)) continue;
      const auto [up_unit, up_index] = place.at(edge.upstream);
      const auto [unit, index] = place.at(edge.downstream);
      if (up_unit == unit) {
        EXPECT_LT(up_index, index);
      } else {
        const auto& after = plan[unit].after;
        EXPECT_NE(std::find(after.begin(), after.end(), up_unit), after.end()) << "seed " << seed;
      }
    }
  }
}

TEST(EffectivePeriods, CalculatedIsTheTightestConsumerTransitively) {
  const Dag dag({1, 2, 3, 4, 5}, {{1, 2}, {2, 3}, {1, 4}});
  std::map<TableId, std::optional<milliseconds>> schedules;
  for (const TableId id : {1, 2, 5}) schedules[id] = std::nullopt;
  schedules[3] = milliseconds(5000);
  schedules[4] = milliseconds(60000);
  const auto periods = effective_periods(dag, schedules, milliseconds(1000));
  EXPECT_EQ(periods.at(1), milliseconds(5000));
  EXPECT_EQ(periods.at(2), milliseconds(5000));
  EXPECT_EQ(periods.at(3), milliseconds(5000));
  EXPECT_EQ(periods.at(4), milliseconds(60000));
  EXPECT_EQ(periods.at(5), milliseconds(1000));  // nobody reads it
}

TEST(EffectivePeriods, OwnScheduleWinsOverConsumers) {
  const Dag dag({1, 2}, {{1, 2}});
  std::map<TableId, std::optional<milliseconds>> schedules;
  schedules[1] = milliseconds(60000);
  schedules[2] = milliseconds(100);
  EXPECT_EQ(effective_periods(dag, schedules, milliseconds(1000)).at(1), milliseconds(60000));
}

}  // namespace
}  // namespace pgtrickle::scheduler
