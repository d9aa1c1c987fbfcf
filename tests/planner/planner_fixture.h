// A refresh planner under a simulated clock, and what its tests do with it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "entries.h"
#include "planner/refresh_planner.h"

namespace pgtrickle::planner::testing {

using Ids = std::vector<TableId>;
using Set = std::set<TableId>;

class PlannerTest : public ::testing::Test {
 protected:
  static constexpr RefreshPlanner::Success kChanged{
      .changed = true, .own = Milliseconds(1), .whole_unit = Milliseconds(1)};

  explicit PlannerTest(PlannerSettings settings = {}) : planner_(settings) {}

  void load(const std::vector<PlannerEntry>& entries, const std::vector<Ids>& groups = {}) {
    planner_.load(entries, groups, now_);
  }
  void advance(TimePoint::duration duration) {
    now_.steady += duration;
    now_.wall += duration;
  }
  void advance(int ms) { advance(Milliseconds(ms)); }
  void advance_to(TimePoint time) { advance(time - now_.steady); }

  std::vector<Unit> take() { return planner_.take_due(now_); }
  Set due() {
    Set out;
    for (const Unit& unit : take()) out.insert(unit.tables.begin(), unit.tables.end());
    return out;
  }
  void succeed(const std::vector<Unit>& units) {
    for (const Unit& unit : units) {
      for (const TableId id : unit.tables) planner_.succeeded(id, kChanged, now_);
    }
  }
  void succeed(const Set& ids) {
    for (const TableId id : ids) planner_.succeeded(id, kChanged, now_);
  }
  std::optional<int> due_in() {
    if (planner_.next_due() == TimePoint::max()) return std::nullopt;
    return static_cast<int>((planner_.next_due() - now_.steady) / Milliseconds(1));
  }

  struct Run {
    int at;
    std::vector<Ids> units;
  };
  /// For so long everything that is due succeeds at once.
  std::vector<Run> simulate(int ms) {
    std::vector<Run> runs;
    const TimePoint start = now_.steady;
    const TimePoint end = start + Milliseconds(ms);
    while (planner_.next_due() <= end) {
      advance_to(std::max(now_.steady, planner_.next_due()));
      Run& run = runs.emplace_back();
      run.at = static_cast<int>((now_.steady - start) / Milliseconds(1));
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

  RefreshPlanner planner_;
  Now now_{TimePoint(std::chrono::hours(1000)), WallTime(std::chrono::hours(24 * 365 * 54))};
};

}  // namespace pgtrickle::planner::testing
