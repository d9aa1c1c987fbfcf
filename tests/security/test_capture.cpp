// What nobody can do to those who write to a captured table, or alter it: its readers, and roles without rights
// at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "security/world.h"

namespace {

using pgt::test::Session;
using pgt::test::World;
using ::testing::HasSubstr;

class Capture : public World {
 protected:
  Capture() {
    root().exec("SELECT pgtrickle.trust_all_owners(true)");  // who runs what is not the question here
    alice().exec("SET lock_timeout = '5s'; GRANT USAGE ON SCHEMA a TO PUBLIC");
  }

  void let_bob_read(const std::string& table, const std::string& query) {
    alice().exec("GRANT SELECT ON " + table + " TO " + bob_);
    create(bob(), "b.st", query);
    start_daemon();
    ASSERT_TRUE(becomes("b.st", "ACTIVE")) << column("b.st", "last_error") << daemon_->log();
  }

  /// c1, c2 .. of `fixed` bigints and then of `texts` texts, a query that reads all of them, and a row in which each is
  /// filled.
  void make_wide_table(int fixed, int texts) {
    std::string columns;
    std::string values;
    std::string numbers;
    std::string words;
    for (int i = 1; i <= fixed + texts; ++i) {
      const std::string comma = i == 1 ? "" : ", ";
      const std::string name = "c" + std::to_string(i);
      columns += comma + name + (i <= fixed ? " bigint NOT NULL" : " text NOT NULL");
      values += comma + (i <= fixed ? "1" : "repeat('x', 20)");
      if (i <= fixed) numbers += comma + name;
      if (i > fixed) words += ", " + name;
    }
    alice().exec("CREATE TABLE a.wide (" + columns + ")");
    query_ = "SELECT c1, greatest(" + numbers + ") AS most, greatest('a'" + words + ") AS last FROM a.wide";
    filled_row_ = "INSERT INTO a.wide SELECT " + values;
  }

  std::string query_;
  std::string filled_row_;
};

TEST_P(Capture, AdvisoryLocksOfStrangersStopNoAlterTable) {
  let_bob_read("a.orders", "SELECT id, amount FROM a.orders");
  Session carol(dsn_of_role(carol_));
  carol.exec("SELECT pg_advisory_lock(1885828211, k) FROM generate_series(0, 50) AS k");
  alice().exec("ALTER TABLE a.orders RENAME COLUMN amount TO price");
  alice().exec("INSERT INTO a.orders (id, price) VALUES (100, 1); UPDATE a.orders SET price = price + 1 WHERE id < 5");
  EXPECT_TRUE(becomes_equal("b.st")) << daemon_->log();
}

// It is the reader's row, but the event trigger that cannot write it runs in the writer's transaction.
TEST_P(Capture, AGenerationAtTheMaximumIsNobodysError) {
  let_bob_read("a.orders", "SELECT id, amount FROM a.orders");
  root().exec("UPDATE pgtrickle.pgt_stream_tables SET generation = 9223372036854775807");
  alice().exec("ALTER TABLE a.orders RENAME COLUMN amount TO price");
  alice().exec("INSERT INTO a.orders (id, price) VALUES (100, 1); UPDATE a.orders SET price = price + 1 WHERE id < 5");
  EXPECT_TRUE(becomes_equal("b.st")) << daemon_->log();
}

TEST_P(Capture, RowsTooWideForALogAreNotCaptured) {
  make_wide_table(1016, 0);
  let_bob_read("a.wide", query_);
  EXPECT_THAT(column("b.st", "effective_refresh_mode || ': ' || reason"),
              ::testing::AllOf(HasSubstr("FULL"), HasSubstr("does not fit into its change log")));
  alice().exec(filled_row_);
  EXPECT_TRUE(becomes_equal("b.st")) << daemon_->log();
}

TEST_P(Capture, ARowThatTurnsOutToBeTooWideIsRecomputed) {
  make_wide_table(990, 10);
  let_bob_read("a.wide", query_);
  EXPECT_EQ(column("b.st", "effective_refresh_mode"), "DIFFERENTIAL");
  alice().exec(filled_row_);
  EXPECT_TRUE(becomes_equal("b.st")) << daemon_->log();
  alice().exec("UPDATE a.wide SET c1 = 2; DELETE FROM a.wide");
  EXPECT_TRUE(becomes_equal("b.st")) << daemon_->log();
}

// What is renamed or gone while nobody watches is no reason to fail for who writes to it.
TEST_P(Capture, WritersGoOnWithoutTheirLog) {
  let_bob_read("a.orders", "SELECT id, amount FROM a.orders");
  root().exec("DROP TABLE pgtrickle_changes.log_1_a CASCADE");
  alice().exec("INSERT INTO a.orders VALUES (100, 1); UPDATE a.orders SET amount = amount + 1; TRUNCATE a.orders");
  alice().exec("INSERT INTO a.orders VALUES (101, 1)");
  EXPECT_TRUE(becomes_equal("b.st")) << daemon_->log();
}

// A role that may only read a table makes its writers pay for triggers, unless its owner forbids that.
TEST_P(Capture, TheOwnerOfATableDecidesWhoHasItsChangesCaptured) {
  const std::string triggers =
      "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'a.orders'::regclass AND tgenabled <> 'D' AND NOT tgisinternal";
  alice().exec("SELECT pgtrickle.forbid_capture('a.orders')");
  let_bob_read("a.orders", "SELECT id, amount FROM a.orders");
  EXPECT_THAT(column("b.st", "effective_refresh_mode || ': ' || reason"),
              ::testing::AllOf(HasSubstr("FULL"), HasSubstr("its owner does not let role")));
  EXPECT_EQ(root().value(triggers), "0");
  alice().exec("INSERT INTO a.orders VALUES (100, 1)");
  EXPECT_TRUE(becomes_equal("b.st")) << daemon_->log();

  alice().exec("SELECT pgtrickle.allow_capture('a.orders', '" + bob_ + "')");
  const auto becomes_mode = [&](const std::string& mode) {
    return pgt::test::wait_until(
        [&] { return column("b.st", "status || effective_refresh_mode || needs_reinit") == "ACTIVE" + mode + "false"; },
        std::chrono::seconds(30));
  };
  EXPECT_TRUE(becomes_mode("DIFFERENTIAL")) << daemon_->log();
  EXPECT_EQ(root().value(triggers), "4");
  alice().exec("INSERT INTO a.orders VALUES (101, 1)");
  EXPECT_TRUE(becomes_equal("b.st")) << daemon_->log();

  // A paused stream table is not built; its capture ends all the same. So it does while somebody reads the log.
  bob().exec("SELECT pgtrickle.pause_stream_table('b.st')");
  bob().exec("BEGIN; SELECT count(c1) FROM pgtrickle_changes.log_" +
             root().value("SELECT source_id FROM pgtrickle.pgt_sources"));
  alice().exec("SELECT pgtrickle.forbid_capture('a.orders')");
  EXPECT_EQ(root().value(triggers), "0");
  bob().exec("COMMIT; SELECT pgtrickle.resume_stream_table('b.st')");
  EXPECT_TRUE(becomes_mode("FULL")) << daemon_->log();
  alice().exec("INSERT INTO a.orders VALUES (102, 1)");
  EXPECT_TRUE(becomes_equal("b.st")) << daemon_->log();

  alice().exec("SELECT pgtrickle.allow_capture('a.orders')");
  EXPECT_TRUE(becomes_mode("DIFFERENTIAL")) << "by default who may read it\n" << daemon_->log();
  alice().exec("INSERT INTO a.orders VALUES (103, 1)");
  EXPECT_TRUE(becomes_equal("b.st")) << daemon_->log();
}

PGT_IN_BOTH_WORLDS(Capture);

}  // namespace
