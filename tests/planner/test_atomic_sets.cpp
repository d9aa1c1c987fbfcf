// Which tables are refreshed together or not at all.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <sstream>

#include "judgements.h"
#include "planner/atomic_sets.h"

namespace pgtrickle::planner {
namespace {

using Ids = std::vector<TableId>;
using Parts = std::set<std::set<TableId>>;

// A graph in words: what each table reads; 100 and above are sources.
struct World {
  std::map<TableId, Ids> reads;
  std::vector<Ids> groups = {};
  std::set<TableId> not_atomic = {};
  std::set<TableId> kept = {};

  [[nodiscard]] Dag dag() const {
    Ids ids;
    std::vector<Edge> edges;
    for (const auto& [id, upstream] : reads) {
      ids.push_back(id);
      for (const TableId up : upstream) {
        if (up < 100) edges.push_back({up, id});
      }
    }
    return {ids, edges};
  }
  [[nodiscard]] std::vector<AtomicSet> sets() const {
    const Dag graph = dag();
    std::map<TableId, std::vector<SourceId>> sources;
    for (const auto& [id, upstream] : reads) {
      std::copy_if(upstream.begin(), upstream.end(), std::back_inserter(sources[id]),
                   [](TableId up) { return up >= 100; });
    }
    AtomicSetRules rules;
    rules.sources = [&](TableId id) -> const std::vector<SourceId>& { return sources.at(id); };
    rules.atomic_diamond = [&](TableId id) { return !not_atomic.contains(id); };
    rules.kept = [&](TableId id) { return kept.contains(id); };
    rules.groups = groups;
    return make_atomic_sets(graph, graph.order(), rules);
  }
  // Those with more than one table
  [[nodiscard]] Parts together() const {
    Parts out;
    for (const AtomicSet& set : sets()) {
      if (set.tables.size() > 1) out.insert({set.tables.begin(), set.tables.end()});
    }
    return out;
  }
};

TEST(AtomicSets, ChainsAndTreesAreSingleTables) {
  const World world{.reads = {{1, {100}}, {2, {1}}, {3, {2}}, {4, {1}}, {5, {100}}, {6, {101, 102}}}};
  EXPECT_EQ(world.together(), Parts{});
  EXPECT_EQ(world.sets().size(), 6U);
}

TEST(AtomicSets, ADiamondThroughASource) {
  const World world{.reads = {{1, {100}}, {2, {100}}, {3, {1, 2}}, {4, {3}}}};
  EXPECT_EQ(world.together(), (Parts{{1, 2, 3}}));
}

/// "4:2,3,4": the diamond that ends in table 4; empty: there is none.
std::string diamond_of(World world, TableId last) {
  for (const auto& [id, inputs] : world.reads)
    if (id != last) world.not_atomic.insert(id);
  for (const auto& set : world.together()) {
    if (!set.contains(last) || !world.dag().cycle(last).empty()) continue;
    std::string members;
    for (const TableId id : set) members += (members.empty() ? "" : ",") + std::to_string(id);
    return std::to_string(last) + ":" + members;
  }
  return {};
}

// SQL is held to the same table: tests/judgements/README.md
TEST(AtomicSets, FindsTheDiamondsThatSqlFinds) {
  std::size_t cases = 0;
  for (const auto& row : judgements("diamonds.tsv")) {
    World world;
    for (TableId id = 1; id <= 6; ++id) world.reads[id] = {};
    std::istringstream words(*row.at(0));
    for (std::string edge; words >> edge;) {
      const bool source = edge.at(2) >= 'a';
      world.reads[edge.at(0) - '0'].push_back(source ? 100 + (edge.at(2) - 'a') : edge.at(2) - '0');
    }
    std::istringstream kept(*row.at(1));
    for (TableId id = 0; kept >> id;) world.kept.insert(id);
    std::string found;
    for (const auto& [id, inputs] : world.reads) {
      const std::string diamond = diamond_of(world, id);
      if (!diamond.empty()) found += (found.empty() ? "" : " ") + diamond;
    }
    EXPECT_EQ(found, *row.at(2)) << *row.at(0) << " kept " << *row.at(1);
    ++cases;
  }
  EXPECT_GT(cases, 20U);
}

TEST(AtomicSets, WhatTriggersKeepIsInNoSet) {
  EXPECT_EQ((World{.reads = {{1, {100}}, {2, {101}}}, .groups = {{1, 2}}, .kept = {2}}.together()), Parts{});
  // On a way, at the end, as the top.
  EXPECT_EQ((World{.reads = {{1, {100}}, {2, {100}}, {3, {1, 2}}}, .kept = {1}}.together()), (Parts{{2, 3}}));
  EXPECT_EQ((World{.reads = {{1, {100}}, {2, {100}}, {3, {1, 2}}}, .kept = {3}}.together()), Parts{});
  EXPECT_EQ((World{.reads = {{1, {100}}, {2, {1}}, {3, {1}}, {4, {2, 3}}}, .kept = {1}}.together()),
            (Parts{{2, 3, 4}}));
  // A group around it: its members do not wait for it.
  EXPECT_EQ((World{.reads = {{1, {100}}, {2, {1}}, {3, {2}}}, .groups = {{1, 3}}, .kept = {2}}.together()),
            (Parts{{1, 3}}));
}

TEST(AtomicSets, WhatReadsThroughWhatTriggersKeepComesLater) {
  const World world{.reads = {{1, {100}}, {2, {1}}, {3, {2}}, {4, {3}}}, .kept = {2, 3}};
  const auto sets = world.sets();
  ASSERT_EQ(sets.size(), 4U);
  const auto of = [&](TableId id) {
    return static_cast<std::size_t>(
        std::find_if(sets.begin(), sets.end(), [&](const AtomicSet& set) { return set.tables.front() == id; }) -
        sets.begin());
  };
  EXPECT_EQ(sets[of(4)].upstream, std::vector<std::size_t>{of(1)});
  EXPECT_LT(of(1), of(4));
  EXPECT_EQ(sets[of(2)].upstream, std::vector<std::size_t>{});
}

TEST(AtomicSets, ADiamondThroughAStreamTableLeavesItsTopOut) {
  const World world{.reads = {{1, {100}}, {2, {1}}, {3, {1}}, {4, {2, 3}}}};
  EXPECT_EQ(world.together(), (Parts{{2, 3, 4}}));
}

TEST(AtomicSets, ASourceReadDirectlyAndThroughATable) {
  const World world{.reads = {{1, {100}}, {2, {1, 100}}}};
  EXPECT_EQ(world.together(), (Parts{{1, 2}}));
  const World longer{.reads = {{1, {100}}, {2, {1}}, {3, {2, 100}}}};
  EXPECT_EQ(longer.together(), (Parts{{1, 2, 3}}));
}

TEST(AtomicSets, AStreamTableReadDirectlyAndThroughAnother) {
  const World world{.reads = {{1, {100}}, {2, {1}}, {3, {1, 2}}}};
  EXPECT_EQ(world.together(), (Parts{{2, 3}}));
}

TEST(AtomicSets, TheNearestCommonAncestorDecides) {
  // 1 and 2 read a source, 3 both: a diamond. 4 and 5 read 3, 6 both: another, below it.
  const World world{.reads = {{1, {100}}, {2, {100}}, {3, {1, 2}}, {4, {3}}, {5, {3}}, {6, {4, 5}}}};
  EXPECT_EQ(world.together(), (Parts{{1, 2, 3}, {4, 5, 6}}));
}

TEST(AtomicSets, NestedDiamondsThatShareAWayAreOne) {
  // 1 -> 2, 3 -> 4 (inner), 1 -> 5, 4 and 5 -> 6 (outer)
  const World world{.reads = {{1, {100}}, {2, {1}}, {3, {1}}, {4, {2, 3}}, {5, {1}}, {6, {4, 5}}}};
  EXPECT_EQ(world.together(), (Parts{{2, 3, 4, 5, 6}}));
}

TEST(AtomicSets, SeveralNearestCommonAncestors) {
  const World world{.reads = {{1, {100}}, {2, {101}}, {3, {1, 2}}, {4, {1, 2}}, {5, {3, 4}}}};
  EXPECT_EQ(world.together(), (Parts{{3, 4, 5}}));
}

TEST(AtomicSets, LongWaysAreMembersInFull) {
  const World world{.reads = {{1, {100}}, {2, {1}}, {3, {2}}, {4, {1}}, {5, {3, 4}}, {6, {2}}}};
  EXPECT_EQ(world.together(), (Parts{{2, 3, 4, 5}}));
}

TEST(AtomicSets, NoneTakesTheDiamondApartButNotThoseAroundIt) {
  World world{.reads = {{1, {100}}, {2, {100}}, {3, {1, 2}}, {4, {3}}, {5, {3}}, {6, {4, 5}}}};
  world.not_atomic = {3};
  EXPECT_EQ(world.together(), (Parts{{4, 5, 6}}));
  world.not_atomic = {3, 6};
  EXPECT_EQ(world.together(), Parts{});
}

TEST(AtomicSets, TablesThatReadTheSameThingButMeetNowhereAreFree) {
  const World world{.reads = {{1, {100}}, {2, {100}}, {3, {1}}, {4, {2}}}};
  EXPECT_EQ(world.together(), Parts{});
}

TEST(AtomicSets, GroupsAlsoOverSeveralComponents) {
  const World world{.reads = {{1, {100}}, {2, {101}}, {3, {2}}, {4, {102}}}, .groups = {{1, 3}, {4, 99}}};
  EXPECT_EQ(world.together(), (Parts{{1, 3}}));  // 99 is not here
}

TEST(AtomicSets, AGroupTakesInWhatLiesBetweenItsMembers) {
  const World world{.reads = {{1, {100}}, {2, {1}}, {3, {2}}, {4, {2}}}, .groups = {{1, 3}}};
  EXPECT_EQ(world.together(), (Parts{{1, 2, 3}}));
}

TEST(AtomicSets, TwoGroupsThatReadEachOtherAreOne) {
  const World world{.reads = {{1, {100}}, {2, {101}}, {3, {1}}, {4, {2}}}, .groups = {{1, 4}, {2, 3}}};
  EXPECT_EQ(world.together(), (Parts{{1, 2, 3, 4}}));
}

TEST(AtomicSets, AGroupAndADiamondThatShareATable) {
  const World world{.reads = {{1, {100}}, {2, {100}}, {3, {1, 2}}, {4, {103}}}, .groups = {{3, 4}}};
  EXPECT_EQ(world.together(), (Parts{{1, 2, 3, 4}}));
}

TEST(AtomicSets, ACycleIsOneAndItsMembersAreNeighbours) {
  const World world{.reads = {{1, {100}}, {2, {1, 4}}, {3, {100}}, {4, {2}}, {5, {4}}}, .groups = {{1, 3, 5}}};
  EXPECT_EQ(world.together(), (Parts{{1, 2, 3, 4, 5}}));
  const World alone{.reads = {{1, {100}}, {2, {1, 4}}, {4, {2}}, {5, {4}}}};
  EXPECT_EQ(alone.together(), (Parts{{2, 4}}));
}

// Found by this test: what a later member of a cycle reads was not among the ancestors of the earlier ones.
TEST(AtomicSets, ADiamondOneOfWhoseWaysGoesThroughACycle) {
  const World world{.reads = {{1, {2}}, {2, {1, 100}}, {3, {100}}, {4, {1, 3}}}};
  EXPECT_EQ(world.together(), (Parts{{1, 2, 3, 4}}));
}

TEST(AtomicSets, ADiamondBelowACycleLeavesItOut) {
  const World world{.reads = {{1, {2}}, {2, {1, 100}}, {3, {1}}, {4, {2}}, {5, {3, 4}}}};
  EXPECT_EQ(world.together(), (Parts{{1, 2}, {3, 4, 5}}));
}

// By the book: for each pair of inputs walk the ways from every common ancestor that has no common one below it.
class ByTheBook {
 public:
  explicit ByTheBook(const World& world) : world_(world), dag_(world.dag()) {
    for (const TableId id : dag_.order()) part_[id] = id;
  }

  Parts parts() {
    for (const TableId id : dag_.order()) {
      for (const TableId other : dag_.cycle(id)) join(id, other);
    }
    for (const Ids& group : world_.groups) {
      for (const TableId id : group) {
        if (part_.contains(id) && part_.contains(group.front())) join(group.front(), id);
      }
    }
    for (const TableId id : dag_.order()) {
      if (!dag_.cycle(id).empty() || world_.not_atomic.contains(id)) continue;
      for (const TableId a : world_.reads.at(id)) {
        for (const TableId b : world_.reads.at(id)) {
          if (a != b && !same_cycle(a, b)) diamond(id, a, b);
        }
      }
    }
    close();
    std::map<TableId, std::set<TableId>> sets;
    for (const auto& [id, part] : part_) sets[part].insert(id);
    Parts out;
    for (const auto& [part, members] : sets) out.insert(members);
    return out;
  }

 private:
  bool same_cycle(TableId a, TableId b) const {
    if (a >= 100 || b >= 100) return false;
    const auto& cycle = dag_.cycle(a);
    return std::binary_search(cycle.begin(), cycle.end(), b);
  }
  std::set<TableId> ancestors(TableId id) const {  // with itself
    std::set<TableId> out;
    Ids open{id};
    while (!open.empty()) {
      const TableId at = open.back();
      open.pop_back();
      if (!out.insert(at).second || at >= 100) continue;
      for (const TableId up : world_.reads.at(at)) {
        if (up >= 100 || part_.contains(up)) open.push_back(up);
      }
    }
    return out;
  }
  void join(TableId a, TableId b) {
    const TableId from = part_.at(b);
    const TableId to = part_.at(a);
    for (auto& [id, part] : part_) {
      if (part == from) part = to;
    }
  }
  void diamond(TableId last, TableId a, TableId b) {
    const auto of_a = ancestors(a);
    const auto of_b = ancestors(b);
    std::set<TableId> nearest;
    for (const TableId id : of_a) {
      if (!of_b.contains(id)) continue;
      const bool has_nearer = std::any_of(of_a.begin(), of_a.end(), [&](TableId other) {
        return other < 100 && of_b.contains(other) && ancestors(other).contains(id) && !ancestors(id).contains(other);
      });
      if (!has_nearer) nearest.insert(id);
    }
    auto ways = of_a;
    ways.insert(of_b.begin(), of_b.end());
    for (const TableId id : ways) {
      if (id >= 100 || nearest.contains(id)) continue;
      const auto up = ancestors(id);
      if (std::any_of(nearest.begin(), nearest.end(), [&](TableId n) { return up.contains(n); })) join(last, id);
    }
  }
  // A table on a way from a part back into it belongs to it.
  void close() {
    for (bool changed = true; changed;) {
      changed = false;
      std::map<TableId, std::set<TableId>> reads;  // parts
      for (const auto& [id, part] : part_) {
        for (const TableId up : dag_.upstream(id)) reads[part].insert(part_.at(up));
      }
      const auto reaches = [&](TableId from, TableId to) {
        std::set<TableId> seen;
        Ids open{from};
        while (!open.empty()) {
          const TableId at = open.back();
          open.pop_back();
          for (const TableId up : reads[at]) {
            if (up == to) return true;
            if (seen.insert(up).second) open.push_back(up);
          }
        }
        return false;
      };
      for (const auto& [a, part_a] : std::map(part_)) {
        for (const auto& [b, part_b] : std::map(part_)) {
          if (part_.at(a) == part_.at(b) || !reaches(part_.at(a), part_.at(b)) || !reaches(part_.at(b), part_.at(a)))
            continue;
          join(a, b);
          changed = true;
        }
        if (changed) break;
      }
    }
  }

  const World& world_;
  Dag dag_;
  std::map<TableId, TableId> part_;
};

TEST(AtomicSets, RandomGraphsAreCutAsTheBookSays) {
  for (unsigned seed = 0; seed < 600; ++seed) {
    std::mt19937 random(seed);
    World world;
    const auto count = static_cast<TableId>(1 + random() % 12);
    for (TableId id = 1; id <= count; ++id) {
      Ids& reads = world.reads[id];
      for (unsigned i = 0; i <= random() % 3; ++i) {
        const bool source = id == 1 || random() % 3 == 0;
        const unsigned tables = static_cast<unsigned>(seed % 4 == 0 ? count : std::max<TableId>(id - 1, 1));
        const auto up = static_cast<TableId>(source ? 100 + random() % 4 : 1 + random() % tables);
        if (std::find(reads.begin(), reads.end(), up) == reads.end()) reads.push_back(up);
      }
      if (random() % 6 == 0) world.not_atomic.insert(id);
    }
    std::map<unsigned, Ids> groups;
    for (TableId id = 1; id <= count; ++id) {
      if (random() % 5 == 0) groups[static_cast<unsigned>(random() % 2)].push_back(id);
    }
    for (const auto& [number, group] : groups) world.groups.push_back(group);

    const auto sets = world.sets();
    Parts parts;
    std::map<TableId, std::size_t> place;
    for (std::size_t c = 0; c < sets.size(); ++c) {
      parts.insert({sets[c].tables.begin(), sets[c].tables.end()});
      for (const TableId id : sets[c].tables) ASSERT_TRUE(place.emplace(id, c).second) << "seed " << seed;
    }
    ASSERT_EQ(parts, ByTheBook(world).parts()) << "seed " << seed;
    const Dag dag = world.dag();
    for (std::size_t c = 0; c < sets.size(); ++c) {
      std::set<std::size_t> upstream;
      for (std::size_t i = 0; i < sets[c].tables.size(); ++i) {
        const TableId id = sets[c].tables[i];
        for (const TableId up : dag.upstream(id)) {
          if (place.at(up) != c) {
            ASSERT_LT(place.at(up), c) << "seed " << seed;
            upstream.insert(place.at(up));
          } else if (dag.cycle(id).empty() || dag.cycle(id) != dag.cycle(up)) {
            const auto& tables = sets[c].tables;
            ASSERT_LT(std::find(tables.begin(), tables.end(), up) - tables.begin(), static_cast<std::ptrdiff_t>(i))
                << "seed " << seed;
          }
        }
        if (i > 0 && sets[c].tables.size() > i && !dag.cycle(id).empty()) {
          const auto& cycle = dag.cycle(id);  // neighbours: all earlier members directly before
          const auto first = std::find_if(sets[c].tables.begin(), sets[c].tables.end(),
                                          [&](TableId t) { return dag.cycle(t) == cycle; });
          ASSERT_LT(i - static_cast<std::size_t>(first - sets[c].tables.begin()), cycle.size()) << "seed " << seed;
        }
      }
      ASSERT_EQ(sets[c].upstream, std::vector<std::size_t>(upstream.begin(), upstream.end())) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace pgtrickle::planner
