// The same property for IMMEDIATE stream tables: whatever the query, after every statement, for every session and
// whatever is undone, the stream table equals its query. property/hunt.h has the environment.
#include <gtest/gtest.h>

#include "property/hunt.h"
#include "property/runner.h"

namespace pgt::property {
namespace {

constexpr std::size_t kDefaultQueries = 24;

TEST(ImmediateQueries, ADifferenceWithinATransactionIsFound) {
  Scenario scenario;
  scenario.setup = {"CREATE TABLE t (k int PRIMARY KEY, v int)",
                    "INSERT INTO t SELECT i, i % 3 FROM generate_series(1, 20) AS i"};
  scenario.streams = {{"st", "SELECT v, count(*) AS n FROM t GROUP BY v", {}, {}, true, true}};
  const Op change{Op::Kind::kChange, 0, "UPDATE t SET v = v + 1 WHERE k < 7", {}};
  const Op check{Op::Kind::kCheckNow, 0, {}, {}};
  const auto sql = [](const std::string& text) { return Op{Op::Kind::kSql, 0, text, {}}; };
  scenario.steps = {{"",
                     {sql("BEGIN"), change, check, sql("SAVEPOINT s"), change, check, sql("ROLLBACK TO s"), check,
                      sql("COMMIT"), check}}};
  const Outcome right = run(scenario);
  EXPECT_TRUE(right.failures.empty()) << right.failures[0].message;
  EXPECT_EQ(right.checks, 5U);

  const Op unseen = sql("ALTER TABLE t DISABLE TRIGGER ALL");
  scenario.steps[0].ops.insert(scenario.steps[0].ops.begin() + 4, unseen);
  const Outcome wrong = run(scenario);
  ASSERT_EQ(wrong.failures.size(), 1U);
  EXPECT_EQ(wrong.failures[0].kind, Failure::Kind::kDiffers) << wrong.failures[0].message;
}

TEST(ImmediateQueries, EqualAfterEveryStatement) {
  hunt({random_immediate_scenario, kDefaultQueries});
}

TEST(ImmediateQueries, EqualAfterStatementsThatChangeSeveralSources) {
  hunt({random_compound_scenario, kDefaultQueries});
}

}  // namespace
}  // namespace pgt::property
