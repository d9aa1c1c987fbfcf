// Tables of owners who do not trust each other: nobody is tied to what another one does.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "planner_fixture.h"

namespace pgtrickle::planner::testing {
namespace {

constexpr Domain kAlice = 1, kBob = 2;

struct Declared {
  Domain domain;
  Ids reads = {};
};

Dag graph(const std::map<TableId, Declared>& tables) {
  std::vector<Dag::Change> changes;
  for (const auto& [id, table] : tables) changes.push_back({.id = id, .upstream = table.reads, .domain = table.domain});
  Dag dag;
  dag.apply(changes);
  return dag;
}

std::vector<AtomicSet> atomic_sets_of(const Dag& dag, const std::map<TableId, std::vector<SourceId>>& sources,
                                      const std::vector<Ids>& groups = {}) {
  static const std::vector<SourceId> kNone;
  AtomicSetRules rules;
  rules.sources = [&](TableId id) -> const std::vector<SourceId>& {
    const auto found = sources.find(id);
    return found == sources.end() ? kNone : found->second;
  };
  rules.atomic_diamond = [](TableId) { return true; };
  rules.groups = groups;
  return make_atomic_sets(dag, dag.order(), rules);
}

std::set<Set> together(const std::vector<AtomicSet>& sets) {
  std::set<Set> out;
  for (const AtomicSet& set : sets) {
    if (set.tables.size() > 1) out.insert({set.tables.begin(), set.tables.end()});
  }
  return out;
}

TEST(Domains, ACircleOfSeveralOwnersIsNoCycle) {
  Dag dag = graph({{1, {kAlice, {2}}}, {2, {kBob, {1}}}, {3, {kAlice, {3, 1}}}});
  EXPECT_TRUE(dag.cycle(1).empty());
  EXPECT_TRUE(dag.cycle(2).empty());
  EXPECT_EQ(dag.cycle(3), (Ids{3}));
  EXPECT_EQ(dag.component_of(2), 1);
  // They come to trust each other, and lose it again.
  dag.apply({{.id = 2, .upstream = Ids{1}, .domain = kAlice}});
  EXPECT_EQ(dag.cycle(1), (Ids{1, 2}));
  dag.apply({{.id = 2, .upstream = Ids{1}, .domain = kBob}});
  EXPECT_TRUE(dag.cycle(1).empty());
  // A cycle that is opened has its edges back.
  dag.apply({{.id = 2, .upstream = Ids{}, .domain = kBob}});
  EXPECT_EQ(dag.upstream(1), (Ids{2}));
  EXPECT_EQ(dag.order(), (Ids{2, 1, 3}));
}

TEST(Domains, ACycleWithinAWiderCircleStays) {
  const Dag dag = graph({{1, {kAlice, {2, 4}}}, {2, {kAlice, {1}}}, {3, {kBob, {2}}}, {4, {kBob, {3}}}});
  EXPECT_EQ(dag.cycle(1), (Ids{1, 2}));
  EXPECT_TRUE(dag.cycle(3).empty());
  EXPECT_EQ(dag.upstream(4), (Ids{3}));
}

TEST(Domains, ADiamondOfAReaderDoesNotTieWhatHeReads) {
  // Bob reads two tables of alice, both over source 100.
  const Dag dag = graph({{1, {kAlice}}, {2, {kAlice}}, {3, {kBob, {1, 2}}}});
  EXPECT_EQ(together(atomic_sets_of(dag, {{1, {100}}, {2, {100}}})), (std::set<Set>{}));
}

TEST(Domains, ADiamondTiesTheMembersOfItsOwner) {
  // 4 is alice's and reads 2 (alice's) and 3 (bob's), which both read 1.
  const Dag dag = graph({{1, {kAlice}}, {2, {kAlice, {1}}}, {3, {kBob, {1}}}, {4, {kAlice, {2, 3}}}});
  EXPECT_EQ(together(atomic_sets_of(dag, {})), (std::set<Set>{{2, 4}}));
}

TEST(Domains, AGroupTiesOnlyTablesOfOneOwner) {
  const Dag dag = graph({{1, {kAlice}}, {2, {kBob}}, {3, {kAlice}}, {4, {kBob}}});
  EXPECT_EQ(together(atomic_sets_of(dag, {}, {{1, 2, 3, 4}})), (std::set<Set>{{1, 3}, {2, 4}}));
}

TEST(Domains, GroupsThatReadEachOtherAcrossABorderFallApart) {
  // Bob's group has alice's table 2 in between.
  const Dag dag = graph({{1, {kBob}}, {2, {kAlice, {1}}}, {3, {kBob, {2}}}});
  EXPECT_EQ(together(atomic_sets_of(dag, {}, {{1, 3}})), (std::set<Set>{}));
}

TEST(Domains, RandomGraphsAreNeverTiedAcrossABorder) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    std::mt19937 random(seed);
    std::map<TableId, Declared> tables;
    std::map<TableId, std::vector<SourceId>> sources;
    const auto count = static_cast<TableId>(1 + random() % 12);
    for (TableId id = 1; id <= count; ++id) {
      Declared& table = tables.emplace(id, Declared{static_cast<Domain>(random() % 3)}).first->second;
      for (unsigned i = 0; i <= random() % 3; ++i) {
        if (random() % 3 == 0) {
          sources[id].push_back(100 + static_cast<SourceId>(random() % 3));
        } else {
          table.reads.push_back(
              1 + static_cast<TableId>(random() % (seed % 3 == 0 ? count : std::max<TableId>(id - 1, 1))));
        }
      }
    }
    std::vector<Ids> groups(1);
    for (TableId id = 1; id <= count; ++id) {
      if (random() % 4 == 0) groups[0].push_back(id);
    }
    const Dag dag = graph(tables);
    const auto sets = atomic_sets_of(dag, sources, groups);
    std::map<TableId, std::size_t> place;
    for (std::size_t c = 0; c < sets.size(); ++c) {
      for (const TableId id : sets[c].tables) {
        ASSERT_TRUE(place.emplace(id, c).second) << seed;
        ASSERT_EQ(dag.domain(id), sets[c].domain) << seed;
        for (const TableId member : dag.cycle(id)) ASSERT_EQ(dag.domain(member), dag.domain(id)) << seed;
      }
    }
    ASSERT_EQ(place.size(), tables.size()) << seed;
    std::vector<std::size_t> due;
    for (std::size_t c = 0; c < sets.size(); ++c) {
      for (const std::size_t up : sets[c].upstream) ASSERT_LT(up, c) << seed;
      if (random() % 4 != 0) due.push_back(c);
    }
    const auto units = plan_units(sets, due, [](TableId) { return Milliseconds(1); }, {.max_tables = 3 + seed % 8});
    std::map<std::size_t, std::size_t> unit_of;
    for (std::size_t u = 0; u < units.size(); ++u) {
      for (const TableId id : units[u].tables) {
        ASSERT_EQ(dag.domain(id), units[u].domain) << seed;
        unit_of[place.at(id)] = u;
      }
    }
    ASSERT_EQ(unit_of.size(), due.size()) << seed;
    for (const std::size_t c : due) {
      for (const std::size_t up : sets[c].upstream) {
        if (!unit_of.contains(up) || unit_of[up] == unit_of[c]) continue;
        const auto& after = units[unit_of[c]].after;
        ASSERT_LT(unit_of[up], unit_of[c]) << seed;
        ASSERT_TRUE(std::find(after.begin(), after.end(), unit_of[up]) != after.end()) << seed;
      }
    }
  }
}

PlannerEntry table_of(Domain domain, TableId id, Schedule schedule, Ids upstream = {}) {
  PlannerEntry entry;
  entry.id = id;
  entry.schedule = std::move(schedule);
  entry.active = true;
  entry.upstream = std::move(upstream);
  entry.domain = domain;
  return entry;
}

class PlannerOfTwo : public PlannerTest {};

TEST_F(PlannerOfTwo, EachOwnerHasAUnitOfHisOwnAfterWhatItReads) {
  load({table_of(kAlice, 1, every(1000)), table_of(kBob, 2, every(1000), {1}), table_of(kAlice, 3, every(1000), {1})});
  advance(1000);
  const auto units = take();
  ASSERT_EQ(units.size(), 2U);
  EXPECT_EQ(units[0].tables, (Ids{1, 3}));
  EXPECT_EQ(units[1].tables, (Ids{2}));
  EXPECT_EQ(units[1].after, (std::vector<std::size_t>{0}));
  EXPECT_TRUE(units[0].whole);
}

TEST_F(PlannerOfTwo, AReaderWhoDoesNotComeBackHoldsNobodyUp) {
  load({table_of(kAlice, 1, every(1000)), table_of(kBob, 2, every(1000), {1}), table_of(kAlice, 3, every(1000), {1})});
  for (int round = 0; round < 5; ++round) {
    advance(1000);
    Set seen;
    for (const Unit& unit : take()) {
      if (unit.domain == kBob) continue;  // it is never heard of again
      seen.insert(unit.tables.begin(), unit.tables.end());
      succeed({unit});
    }
    EXPECT_EQ(seen, (Set{1, 3})) << round;
  }
}

TEST_F(PlannerOfTwo, AReaderThatIsNotServedHoldsNobodyUp) {
  PlannerEntry stopped = table_of(kBob, 3, every(100), {1, 2});
  stopped.active = false;
  PlannerEntry one = table_of(kAlice, 1, every(100)), two = table_of(kAlice, 2, every(100));
  one.relations = two.relations = {100};
  load({one, two, stopped}, {{1, 3}});
  EXPECT_EQ(planner_.atomic_set(1), (Ids{1}));
  EXPECT_EQ(planner_.blocked_by(1), std::nullopt);
  advance(100);
  EXPECT_EQ(due(), (Set{1, 2}));
}

TEST_F(PlannerOfTwo, AReaderDoesNotDecideHowOftenAnotherOwnersTableIsRefreshed) {
  load({table_of(kAlice, 1, calculated()), table_of(kBob, 2, every(20), {1})});
  EXPECT_EQ(planner_.period(1), Milliseconds(1000));
  load({table_of(kAlice, 1, calculated()), table_of(kAlice, 2, every(20), {1})});
  EXPECT_EQ(planner_.period(1), Milliseconds(20));
}

}  // namespace
}  // namespace pgtrickle::planner::testing
