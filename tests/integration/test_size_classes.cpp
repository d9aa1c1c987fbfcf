// Plans for classes of sizes: which ones a session keeps, and that a delta is applied whole, whatever plan it meets.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "support/database.h"
#include "support/oracle.h"

namespace {

using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::TestDatabase;

class SizeClasses : public testing::Test {
 protected:
  SizeClasses() : session_(db_.dsn()) {
    session_.exec(
        "CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL, amount int NOT NULL);"
        "CREATE TABLE customers (id int PRIMARY KEY, region int NOT NULL);"
        "CREATE INDEX ON orders (customer); CREATE INDEX ON customers (region);"
        "INSERT INTO customers SELECT i, i % 7 FROM generate_series(1, 3000) i;"
        "INSERT INTO orders SELECT i, 1 + i % 3000, i FROM generate_series(1, 20000) i;"
        "ANALYZE orders, customers");
    db_.create_stream_table(
        "st",
        "SELECT c.region, count(*) AS n, sum(o.amount) AS total FROM orders o JOIN customers c ON c.id = o.customer "
        "GROUP BY c.region",
        "DIFFERENTIAL");
    id_ = std::to_string(db_.id_of("st"));
    session_.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
  }

  void change(int orders, int customers) {
    session_.exec("UPDATE orders SET amount = amount + 1 WHERE id <= " + std::to_string(orders / 2) +
                  "; UPDATE customers SET region = (region + 1) % 7 WHERE id <= " + std::to_string(customers / 2));
  }

  std::string refresh() {
    session_.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
    const std::string answer =
        session_.table("SELECT action || ' ' || delta_rows FROM pgtrickle_state.refresh_" + id_ + "('auto')");
    session_.exec("COMMIT");
    return answer;
  }

  /// Changes rows (a row that is updated is two in the log), refreshes and compares with the query.
  void step(int orders, int customers) {
    change(orders, customers);
    EXPECT_EQ(refresh(), "DIFFERENTIAL " + std::to_string(orders + customers));
    EXPECT_TRUE(equals_query(session_, "st")) << orders << " and " << customers;
  }

  std::string kept() {
    return session_.table("SELECT coalesce(current_setting('pgtrickle.plans_" + id_ + "', true), '')");
  }

  TestDatabase db_;
  Session session_;
  std::string id_;
};

TEST_F(SizeClasses, GroupsLeaveRoomForUpdatesInPlaceUnlessTheirOwnerHasDecided) {
  const std::string room = "SELECT reloptions FROM pg_class WHERE oid = 'st'::regclass";
  EXPECT_EQ(session_.value(room), "{fillfactor=70}");
  session_.exec("ALTER TABLE st SET (fillfactor = 90)");
  ASSERT_EQ(db_.build("st").status, pgtrickle::catalog::BuildStatus::kActive);
  EXPECT_EQ(session_.value(room), "{fillfactor=90}");
  db_.create_stream_table("rows_only", "SELECT id, amount FROM orders", "DIFFERENTIAL");
  EXPECT_EQ(session_.value("SELECT reloptions FROM pg_class WHERE oid = 'rows_only'::regclass"), "");
}

// What the daemon does after connecting. The first refresh with many rows finds the program read and compiled for them.
TEST_F(SizeClasses, PlansForManyRowsAreMadeReadyBeforeThereAreMany) {
  const auto made_ready = [&] {  // instances of the program in this session
    return session_.value(
        "SELECT count(*) FROM pg_backend_memory_contexts c WHERE c.name = 'CachedPlanSource' AND c.ident ~ "
        "'orders: rows that are pending, net'");
  };
  const auto run = [&](const std::string& setting) {
    session_.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
    session_.exec(setting);
    session_.exec("SELECT FROM pgtrickle_state.refresh_" + id_ + "('differential')");
    session_.exec("ROLLBACK");
  };
  EXPECT_EQ(made_ready(), "0");
  run("SELECT 1");
  EXPECT_EQ(made_ready(), "1");
  run("SET LOCAL pgtrickle.expected_rows = 5000");
  EXPECT_EQ(made_ready(), "2");
  EXPECT_EQ(kept(), "") << "what was rolled back was for no class";
  step(2000, 300);
  EXPECT_EQ(kept(), "{4096,1024}") << "5,000 rows of each were nothing but expected";
  EXPECT_EQ(made_ready(), "2") << "it was there";
  for (const char* odd : {"x", "-1", "1", "99999999999999999999"}) {
    change(600, 300);  // fewer are expected than there are: none is lost
    session_.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL pgtrickle.expected_rows = '" + std::string(odd) +
                  "'; SELECT FROM pgtrickle_state.refresh_" + id_ + "('differential'); COMMIT");
    EXPECT_TRUE(equals_query(session_, "st")) << odd;
  }
}

TEST_F(SizeClasses, FewRowsShareAPlanAndManyHaveOneForTheirPowerOfFourPerSource) {
  step(2, 0);
  step(150, 40);
  EXPECT_EQ(kept(), "") << "few rows need no class";
  step(300, 0);
  EXPECT_EQ(kept(), "{1024,1}");
  step(1000, 0);
  EXPECT_EQ(kept(), "{1024,1}") << "the same class";
  step(300, 60);
  EXPECT_EQ(kept(), "{1024,1} {1024,64}");
  step(64, 256);
  EXPECT_EQ(kept(), "{1024,1} {1024,64} {64,256}") << "a power of four is its own class";
}

TEST_F(SizeClasses, AFullSetOfPlansServesWhatTheyCoverAndTheRestIsPlannedAlone) {
  const std::vector<std::pair<int, int>> eight{{300, 0},   {300, 2},   {300, 6},    {300, 20},
                                               {300, 100}, {300, 300}, {2000, 200}, {6000, 2000}};
  for (const auto& [orders, customers] : eight) step(orders, customers);
  const std::string full = kept();
  EXPECT_EQ(std::count(full.begin(), full.end(), '{'), 8) << full;
  step(260, 1000);    // covered by {16384,4096}, which is too coarse: planned alone
  step(4000, 1500);   // covered
  step(18000, 2800);  // larger than any
  step(2, 260);       // a class of its own, which there is no place for
  step(300, 100);     // kept
  EXPECT_EQ(kept(), full);
}

TEST_F(SizeClasses, SizesThatSomebodyElseLeftInTheSessionCutNothing) {
  session_.exec("SET pgtrickle.sizes = '{1,1}'; SET plan_cache_mode = force_generic_plan");
  step(150, 30);
  step(2000, 300);
  session_.exec("SET pgtrickle.sizes = '{1,1}'");
  step(2000, 300);
  EXPECT_EQ(session_.value("SHOW pgtrickle.sizes"), "{1,1}") << "a refresh leaves it as it was";
}

TEST_F(SizeClasses, ANoteThatSomebodyElseWroteIsNotBelieved) {
  for (const std::string& note : {std::string("x"), std::string("{0,0}"), std::string("{1}"), std::string("{1,1}"),
                                  std::string("{4096,1024,1}"), std::string("{99999999999999999999,1}")}) {
    std::string eight;
    for (int i = 0; i < 8; ++i) eight += (i == 0 ? "" : " ") + note;
    session_.exec("SET pgtrickle.plans_" + id_ + " = '" + eight + "'");
    step(2000, 300);
  }
}

TEST_F(SizeClasses, ARefreshThatWasRolledBackLeavesNoWrongPlan) {
  change(2000, 0);
  session_.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
  session_.exec("SELECT pgtrickle_state.refresh_" + id_ + "('auto')");
  session_.exec("ROLLBACK");
  EXPECT_EQ(kept(), "") << "its note of the plan is gone with it";
  session_.exec("UPDATE customers SET region = (region + 1) % 7 WHERE id <= 1000");
  EXPECT_EQ(refresh(), "DIFFERENTIAL 4000");
  EXPECT_TRUE(equals_query(session_, "st"));
  step(20, 1500);
}

}  // namespace
