// The property that pgtrickle is about: whatever the query and whatever the changes, after a refresh the stream table
// equals its query; and what is expected to be maintained incrementally is. property/hunt.h has the environment.
#include <gtest/gtest.h>

#include "property/hunt.h"
#include "property/runner.h"
#include "property/scenario.h"

namespace pgt::property {
namespace {

constexpr std::size_t kDefaultQueries = 1200;
constexpr std::size_t kRecursions = 36;

/// What the property is worth: it must be able to fail.
Scenario small_scenario() {
  Scenario scenario;
  scenario.setup = {"CREATE TABLE t (k int PRIMARY KEY, v int)", "CREATE TABLE other (k int)",
                    "INSERT INTO t SELECT i, i % 3 FROM generate_series(1, 20) AS i"};
  scenario.streams = {{"other_st", "SELECT k FROM other", {}, {}, true},
                      {"st", "SELECT v, count(*) AS n FROM t WHERE k > 1 AND v IS NOT NULL GROUP BY v", {}, {}, true}};
  const Op refresh{Op::Kind::kCall, 0, {}, {}};
  const Op check{Op::Kind::kCheck, 0, {}, {}};
  scenario.steps = {{"", {{Op::Kind::kChange, 0, "INSERT INTO other VALUES (1)", {}}, refresh, check}},
                    {"", {{Op::Kind::kChange, 0, "INSERT INTO t VALUES (21, 1)", {}}, refresh, check}}};
  return scenario;
}

TEST(RandomQueries, NothingIsWrongWithARightScenario) {
  const Outcome outcome = run(small_scenario());
  EXPECT_TRUE(outcome.failures.empty()) << outcome.failures[0].message;
  EXPECT_EQ(outcome.streams, 2U);
  EXPECT_EQ(outcome.checks, 6U);
}

TEST(RandomQueries, ADifferenceIsFoundAndMinimised) {
  Scenario scenario = small_scenario();
  const Op lost{Op::Kind::kChange, 0, "SET session_replication_role = replica; DELETE FROM st; RESET ALL", {}};
  scenario.steps[1].ops.insert(scenario.steps[1].ops.begin(), lost);
  const Outcome outcome = run(scenario);
  ASSERT_EQ(outcome.failures.size(), 1U);
  EXPECT_TRUE(outcome.failures[0].kind == Failure::Kind::kDiffers) << outcome.failures[0].message;
  EXPECT_EQ(outcome.failures[0].step, 1U);
  EXPECT_EQ(outcome.failures[0].stream, 1U);

  const Scenario small = minimized(scenario, outcome.failures[0], 600);
  ASSERT_EQ(small.streams.size(), 1U);
  EXPECT_LE(small.streams[0].query.size(), std::string("SELECT true FROM t").size()) << small.streams[0].query;
  EXPECT_LE(small.setup.size(), 2U);
  ASSERT_EQ(small.steps.size(), 1U);
  ASSERT_FALSE(small.steps[0].ops.empty());
  EXPECT_EQ(small.steps[0].ops[0].sql, lost.sql);
}

TEST(RandomQueries, AQueryThatIsOnlyRecomputedIsFound) {
  Scenario scenario = small_scenario();
  scenario.streams[1].query = "SELECT t.k, t.v FROM t WHERE now() > '2000-01-01'";
  const Outcome outcome = run(scenario);
  ASSERT_EQ(outcome.failures.size(), 1U);
  EXPECT_EQ(outcome.failures[0].kind, Failure::Kind::kCreate);

  scenario.streams[1].differential = false;
  const Outcome accepted = run(scenario);
  EXPECT_TRUE(accepted.failures.empty());
  EXPECT_EQ(accepted.full, 1U);
}

TEST(RandomQueries, StreamTableEqualsItsQueryAfterEveryRefresh) {
  hunt({random_scenario, kDefaultQueries, 2});
}

TEST(RandomQueries, RecursionsOverGraphsEqualTheirQueries) {
  hunt({random_recursive_scenario, kRecursions});
}

}  // namespace
}  // namespace pgt::property
