// Places: refreshes and builds that run at once. Whoever has code that does not end keeps what he has until
// refresh_timeout, and that is never all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "security/world.h"

namespace {

using namespace std::chrono_literals;
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
