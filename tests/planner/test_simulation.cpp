// Thousands of simulated days.
#include <gtest/gtest.h>

#include <cstdlib>

#include "simulation.h"

namespace pgtrickle::planner::testing {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// PGT_SEED and PGT_RUNS make a hunt of it.
unsigned environment(const char* name, unsigned otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : static_cast<unsigned>(std::stoul(value));
}

#ifdef NDEBUG
constexpr unsigned kFewer = 1;
#else
constexpr unsigned kFewer = 20;  // a build for debugging is slow
#endif

struct Sum {
  long changed = 0, fruitful = 0, fruitless = 0, failures = 0, wakes = 0, slept = 0, judged = 0, days = 0;
  double worst = 0;

  void add(const Simulation::Stats& stats) {
    changed += stats.changed;
    fruitful += stats.fruitful;
    fruitless += stats.fruitless;
    failures += stats.failures;
    wakes += stats.wakes;
    slept += stats.tables_slept;
    judged += stats.judged;
    worst = std::max(worst, stats.worst);
  }
};

Sum simulate_days(const SimulationOptions& base, unsigned runs, int days) {
  Sum sum;
  const unsigned first = environment("PGT_SEED", 1);
  runs = environment("PGT_RUNS", runs / kFewer);
  for (unsigned seed = first; seed < first + runs; ++seed) {
    SimulationOptions options = base;
    options.tables = 3 + seed % 20;
    options.sources = 1 + seed % 6;
    options.workers = 1 + seed % 4;
    options.load = 0.05 + 0.45 * static_cast<double>(seed % 10) / 10;
    Simulation simulation(seed, options);
    simulation.run(minutes(10));
    simulation.judge_staleness(true);
    simulation.run(hours(24 * days));
    EXPECT_EQ(simulation.violation(), "") << "seed " << seed;
    if (::testing::Test::HasFailure()) break;
    sum.add(simulation.stats());
    sum.days += days;
    EXPECT_LE(simulation.stats().takes, simulation.stats().units) << "seed " << seed;
  }
  return sum;
}

// Work for less than half of the workers: nobody waits longer than for its period, its neighbours and the queue.
TEST(Simulation, CalmDaysKeepTheBoundOfEveryTable) {
  const Sum sum = simulate_days({}, 110, 7);
  EXPECT_GT(sum.judged, sum.days * 100);
  EXPECT_GT(sum.wakes, sum.days * 10);
  EXPECT_GT(sum.slept, sum.days / 3);
}

TEST(Simulation, WhatHasNothingToDoSleeps) {
  const Sum sum = simulate_days({.uncaptured = 0}, 40, 7);
  EXPECT_GT(sum.changed, sum.days * 100);
  EXPECT_LT(sum.fruitless, sum.fruitful / 4);  // some sleep in units that do something, to be in step with the others
}

TEST(Simulation, DaysWithErrorsKeepItForThoseThatSucceed) {
  const Sum sum = simulate_days({.errors = 0.3}, 70, 7);
  EXPECT_GT(sum.failures, sum.days * 5);
  EXPECT_GT(sum.judged, sum.days * 100);
}

TEST(Simulation, DaysWithUsersKeepItBetweenTheirActions) {
  const Sum sum = simulate_days({.errors = 0.1, .users = true}, 70, 7);
  EXPECT_GT(sum.judged, sum.days * 100);
}

// Three times what the workers can do, all the time. Everybody gets slower, hot ones less than cold ones; nobody
// starves.
TEST(Simulation, OverloadSlowsEverybodyDownInProportion) {
  for (unsigned seed = 1; seed <= environment("PGT_RUNS", 20 / kFewer); ++seed) {
    SimulationOptions options{.tables = 30, .sources = 5, .load = 0.3, .slow = 0, .busy = true, .single = true};
    options.longest = seconds(30);
    Simulation simulation(seed, options);
    simulation.run(minutes(10));
    simulation.judge_staleness(true);
    simulation.run(minutes(20));
    ASSERT_EQ(simulation.violation(), "") << "seed " << seed;

    simulation.judge_staleness(false);
    simulation.set_cost_factor(10);
    simulation.run(minutes(30));
    simulation.forget_counts();
    constexpr minutes kOverload{60};
    simulation.run(kOverload);
    ASSERT_EQ(simulation.violation(), "") << "seed " << seed;
    std::map<Tier, std::pair<double, int>> share;  // of the refreshes that the schedule asks for
    for (const auto& [id, table] : simulation.tables()) {
      const double period = static_cast<double>(table.schedule.count()) * tier_multiplier(table.tier, {});
      const double wanted = static_cast<double>(std::chrono::milliseconds(kOverload).count()) / period;
      const double factor = table.highest_backoff;
      EXPECT_GT(static_cast<double>(table.refreshes), wanted / factor / 40) << "seed " << seed << " table " << id;
      share[table.tier].first += static_cast<double>(table.refreshes) / wanted;
      ++share[table.tier].second;
      const double gap = std::chrono::duration<double, std::milli>(table.longest_gap).count();
      EXPECT_LT(gap, 40 * factor * std::min(period, 60000.0) + 2 * factor * period)
          << "seed " << seed << " table " << id;
    }
    double all = 0;
    for (const auto& [tier, sum] : share) all += sum.first;
    EXPECT_LT(all / static_cast<double>(options.tables), 0.9) << "seed " << seed;  // there was an overload
    const auto mean = [&](Tier tier) { return share.at(tier).first / share.at(tier).second; };
    if (share.contains(Tier::kHot) && share.contains(Tier::kCold)) {
      EXPECT_GT(mean(Tier::kHot), mean(Tier::kCold)) << "seed " << seed;
    }

    simulation.set_cost_factor(1);
    simulation.run(minutes(30));
    simulation.judge_staleness(true);
    simulation.run(minutes(60));
    EXPECT_EQ(simulation.violation(), "") << "seed " << seed;
    for (const auto& [id, table] : simulation.tables())
      EXPECT_EQ(table.backoff, 1) << "seed " << seed << " table " << id;
  }
}

}  // namespace
}  // namespace pgtrickle::planner::testing
