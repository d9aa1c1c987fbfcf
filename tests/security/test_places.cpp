// Places: refreshes and builds that run at once. An owner whose code does not end keeps what he has until
// refresh_timeout, and that is never all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "security/world.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::wait_until;
using pgt::test::World;

class Places : public World {
 protected:
  // Slow in sessions of the daemon only: create_stream_table() runs the query as well.
  Places() {
    bob().exec(
        "CREATE FUNCTION b.slow(v int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN"
        "  IF session_user <> current_user AND EXISTS (SELECT FROM b.slowness) THEN PERFORM pg_sleep(1000); END IF; "
        "RETURN v; END $$;"
        "CREATE TABLE b.slowness ()");
  }

  /// So many sessions of the daemon sleep in bob's function.
  bool asleep(int count) {
    return wait_until(
        [&] {
          return root().value(
                     "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                     "wait_event = 'PgSleep'") == std::to_string(count);
        },
        30s);
  }
};

TEST_P(Places, FourSlowStreamTablesOfOneOwnerLeaveAPlaceToRefresh) {
  start_daemon();
  create(alice(), "a.st", "SELECT id, amount FROM a.orders");
  for (int i = 0; i < 5; ++i) {
    // Sources of their own: what is connected by reading would be one unit.
    const std::string n = std::to_string(i);
    bob().exec("CREATE TABLE b.src" + n + " (id int PRIMARY KEY, v int)");
    create(bob(), "b.st" + n, "SELECT id, b.slow(v) AS v FROM b.src" + n);
  }
  ASSERT_TRUE(becomes("a.st", "ACTIVE", 30s)) << daemon_->log();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(becomes("b.st" + std::to_string(i), "ACTIVE", 30s)) << daemon_->log();
  bob().exec("INSERT INTO b.slowness DEFAULT VALUES");
  for (int i = 0; i < 5; ++i) bob().exec("INSERT INTO b.src" + std::to_string(i) + " VALUES (1, 1)");
  ASSERT_TRUE(asleep(3)) << "of four places\n" << daemon_->log();
  for (int i = 100; i < 110; ++i) {
    alice().exec("INSERT INTO a.orders VALUES (" + std::to_string(i) + ", 1)");
    ASSERT_TRUE(becomes_equal("a.st")) << daemon_->log();
  }
  EXPECT_TRUE(asleep(3)) << "they are at it all the while";
}

TEST_P(Places, SlowBuildsOfOneOwnerLeaveAPlaceToBuild) {
  start_daemon();
  bob().exec("INSERT INTO b.slowness DEFAULT VALUES");
  for (int i = 0; i < 4; ++i) {
    create(bob(), "b.st" + std::to_string(i), "SELECT id, b.slow(v + " + std::to_string(i) + ") AS v FROM b.src");
  }
  ASSERT_TRUE(asleep(1)) << "of two places\n" << daemon_->log();
  for (int i = 0; i < 3; ++i) {
    create(alice(), "a.st" + std::to_string(i), "SELECT id, amount + " + std::to_string(i) + " AS n FROM a.orders");
    EXPECT_TRUE(becomes("a.st" + std::to_string(i), "ACTIVE", 30s)) << daemon_->log();
  }
  EXPECT_TRUE(asleep(1)) << "it is at it all the while";
}

// Two owners together, who have more to build whenever a build of theirs ends.
TEST_P(Places, SlowBuildsOfTwoOwnersHoldUpNobodyForLong) {
  const std::string mallory = roles_.create("mallory");
  root().exec("CREATE SCHEMA m AUTHORIZATION " + mallory + "; GRANT USAGE ON SCHEMA b TO " + mallory +
              "; GRANT SELECT ON b.slowness, b.src TO " + mallory);
  if (GetParam() == pgt::test::Admin::kOrdinaryRole) root().exec("GRANT " + mallory + " TO " + admin_);
  Session of_mallory(dsn_of_role(mallory));
  admin().exec("CREATE SCHEMA t; CREATE TABLE t.src (id int PRIMARY KEY, v int)");
  start_daemon();
  bob().exec("INSERT INTO b.slowness DEFAULT VALUES");
  for (int i = 0; i < 3; ++i) {
    const std::string n = std::to_string(i);
    create(bob(), "b.st" + n, "SELECT id, b.slow(v + " + n + ") AS v FROM b.src");
    create(of_mallory, "m.st" + n, "SELECT id, b.slow(v + " + n + ") AS v FROM b.src");
  }
  ASSERT_TRUE(asleep(2)) << daemon_->log();
  for (int i = 0; i < 3; ++i) {
    const std::string n = std::to_string(i);
    create(alice(), "a.st" + n, "SELECT id, amount + " + n + " AS n FROM a.orders");
    create(admin(), "t.st" + n, "SELECT id, v + " + n + " AS n FROM t.src");
    EXPECT_TRUE(becomes("a.st" + n, "ACTIVE", 30s)) << daemon_->log();
    EXPECT_TRUE(becomes("t.st" + n, "ACTIVE", 30s)) << daemon_->log();
  }
  EXPECT_TRUE(asleep(2)) << "they are at it all the while, with one each\n" << daemon_->log();
}

// Three owners together: what they hold is not all, and what the first of them gives back is for who has nothing.
TEST_P(Places, SeveralSlowOwnersStopAFourthForOneRefreshOnly) {
  admin().exec("CREATE SCHEMA t; CREATE TABLE t.src (id int PRIMARY KEY, v int)");
  create(admin(), "t.st", "SELECT id, v FROM t.src");
  std::vector<std::string> slow;
  for (const char* name : {"mallory", "oscar", "peggy"}) {
    const std::string role = roles_.create(name);
    const std::string schema(1, *name);
    root().exec("CREATE SCHEMA " + schema + " AUTHORIZATION " + role + "; GRANT SELECT ON b.slowness TO " + role);
    if (GetParam() == pgt::test::Admin::kOrdinaryRole) root().exec("GRANT " + role + " TO " + admin_);
    Session owner(dsn_of_role(role));
    for (int i = 0; i < 3; ++i) {
      const std::string n = std::to_string(i);
      owner.exec("CREATE TABLE " + schema + ".src" + n + " (id int PRIMARY KEY, v int)");
      create(owner, schema + ".st" + n, "SELECT id, b.slow(v) AS v FROM " + schema + ".src" + n);
      slow.push_back(schema + ".src" + n);
    }
  }
  create(alice(), "a.st", "SELECT id, amount FROM a.orders");
  start_daemon("scheduler:\n  refresh_timeout: 10 s\n");
  for (const char* name :
       {"a.st", "t.st", "m.st0", "m.st1", "m.st2", "o.st0", "o.st1", "o.st2", "p.st0", "p.st1", "p.st2"})
    ASSERT_TRUE(becomes(name, "ACTIVE", 30s)) << name << daemon_->log();
  bob().exec("INSERT INTO b.slowness DEFAULT VALUES");
  for (const std::string& source : slow) root().exec("INSERT INTO " + source + " VALUES (1, 1)");
  ASSERT_TRUE(asleep(3)) << "of four places\n" << daemon_->log();
  for (int i = 1; i <= 5; ++i) {
    admin().exec("INSERT INTO t.src VALUES (" + std::to_string(i) + ", 1)");
    ASSERT_TRUE(wait_until([&] { return static_cast<bool>(equals_query(root_, "t.st")); }, 2s))
        << "the trusted owner's place\n"
        << daemon_->log();
  }
  for (int i = 100; i < 103; ++i) {
    alice().exec("INSERT INTO a.orders VALUES (" + std::to_string(i) + ", 1)");
    ASSERT_TRUE(wait_until([&] { return static_cast<bool>(equals_query(root_, "a.st")); }, 4s))
        << "longer than one refresh_timeout, and what is needed to end it\n"
        << daemon_->log();
  }
}

// The limit is for those who are not trusted: one team may use all that there is.
TEST_P(Places, WhoIsTrustedMayUseAll) {
  root().exec("SELECT pgtrickle.trust_all_owners(true)");
  start_daemon();
  bob().exec("INSERT INTO b.slowness DEFAULT VALUES");
  for (int i = 0; i < 3; ++i) {
    create(bob(), "b.st" + std::to_string(i), "SELECT id, b.slow(v + " + std::to_string(i) + ") AS v FROM b.src");
  }
  EXPECT_TRUE(asleep(2)) << daemon_->log();
}

PGT_IN_BOTH_WORLDS(Places);

}  // namespace
