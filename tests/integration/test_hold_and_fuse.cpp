// What keeps refresh_<id> from applying changes: gates and watermarks (HELD), fuses (BLOWN, SKIPPED). And when it
// recomputes. Programs are called directly, as the daemon does; every state is compared with the query.
#include <gtest/gtest.h>

#include "support/database.h"
#include "support/oracle.h"

namespace {

using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::TestDatabase;
using pgtrickle::catalog::BuildStatus;

class HoldAndFuse : public testing::Test {
 protected:
  HoldAndFuse() : session_(db_.dsn()) {
    session_.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 10) i");
  }

  /// "ACTION pending rows" of refresh_<id>(mode) in a transaction of its own.
  std::string refresh(const std::string& name, const std::string& mode = "auto") {
    session_.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
    const std::string answer = session_.table("SELECT action || ' ' || delta_rows FROM pgtrickle_state.refresh_" +
                                              std::to_string(db_.id_of(name)) + "('" + mode + "')");
    session_.exec("COMMIT");
    return answer;
  }

  void insert(int rows) {
    session_.exec("INSERT INTO t SELECT m.id + i, i FROM generate_series(1, " + std::to_string(rows) +
                  ") i, (SELECT coalesce(max(id), 0) AS id FROM t) m");
  }

  void set(const std::string& name, const std::string& columns) {
    session_.exec("UPDATE pgtrickle.pgt_stream_tables SET " + columns +
                  " WHERE pgt_id = " + std::to_string(db_.id_of(name)));
  }

  std::string catalog(const std::string& name, const std::string& expression) {
    return session_.table("SELECT " + expression +
                          " FROM pgtrickle.pgt_stream_tables s JOIN pgtrickle.pgt_frontiers f USING (pgt_id) WHERE "
                          "s.pgt_id = " +
                          std::to_string(db_.id_of(name)));
  }

  std::string rows(const std::string& name) { return session_.value("SELECT count(*) FROM " + name); }

  TestDatabase db_;
  Session session_;
};

TEST_F(HoldAndFuse, ReadersOfAGatedSourceWaitTransitivelyAndAreExactAfterwards) {
  session_.exec("CREATE TABLE u (a int)");
  db_.create_stream_table("direct", "SELECT id, v FROM t WHERE v > 0", "DIFFERENTIAL");
  db_.create_stream_table("indirect", "SELECT count(*) AS n, sum(v) AS total FROM direct", "DIFFERENTIAL");
  db_.create_stream_table("recomputed", "SELECT max(v) AS v FROM t", "FULL");
  db_.create_stream_table("other", "SELECT a FROM u", "DIFFERENTIAL");
  const std::string before = session_.table("SELECT * FROM direct ORDER BY 1");
  const std::string frontier = catalog("direct", "f.seq");

  session_.exec("SELECT pgtrickle.gate_source('t')");
  EXPECT_EQ(refresh("direct"), "HELD 0");  // also with nothing pending
  insert(7);
  session_.exec("DELETE FROM t WHERE id = 1; INSERT INTO u VALUES (1)");
  for (const char* mode : {"auto", "look"})
    for (const char* name : {"direct", "indirect", "recomputed"}) EXPECT_EQ(refresh(name, mode), "HELD 0") << name;
  EXPECT_EQ(refresh("other"), "DIFFERENTIAL 1");
  EXPECT_EQ(session_.table("SELECT * FROM direct ORDER BY 1"), before);
  EXPECT_EQ(catalog("direct", "f.seq"), frontier);

  session_.exec("SELECT pgtrickle.ungate_source('t')");
  EXPECT_EQ(refresh("direct", "look"), "DIFFERENTIAL 8");
  EXPECT_EQ(refresh("direct"), "DIFFERENTIAL 8");
  EXPECT_EQ(refresh("direct"), "NO_DATA 0");
  EXPECT_EQ(refresh("indirect"), "DIFFERENTIAL 8");
  EXPECT_EQ(refresh("recomputed"), "FULL 0");
  for (const char* name : {"direct", "indirect", "recomputed", "other"}) EXPECT_TRUE(equals_query(session_, name));
}

TEST_F(HoldAndFuse, AGateIsSeenWithWhatItsTransactionLoaded) {
  db_.create_stream_table("st", "SELECT id, v FROM t", "DIFFERENTIAL");
  const std::string call =
      "SELECT action || ' ' || delta_rows FROM pgtrickle_state.refresh_" + std::to_string(db_.id_of("st")) + "('auto')";
  insert(1);
  Session early(db_.dsn());
  early.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t");  // its snapshot
  session_.exec("BEGIN; SELECT pgtrickle.gate_source('t')");
  insert(20);
  session_.exec("COMMIT");
  EXPECT_EQ(early.value(call), "DIFFERENTIAL 1");  // neither the gate nor the load
  early.exec("COMMIT");
  EXPECT_EQ(rows("st"), "11");
  EXPECT_EQ(refresh("st"), "HELD 0");
  // READ COMMITTED has no snapshot: the gate is looked at once writers are locked out.
  EXPECT_EQ(session_.value(call), "HELD 0");
  EXPECT_EQ(rows("st"), "11");
  session_.exec("SELECT pgtrickle.ungate_source('t')");
  EXPECT_EQ(session_.value(call), "DIFFERENTIAL 20");
  EXPECT_TRUE(equals_query(session_, "st"));
}

TEST_F(HoldAndFuse, NothingIsInitialisedFromAGatedSource) {
  session_.exec("SELECT pgtrickle.gate_source('t')");
  session_.exec("SELECT pgtrickle.create_stream_table('st', 'SELECT id, v FROM t', initialize => false)");
  const auto held = pgtrickle::catalog::build_stream_table(db_.dsn(), db_.id_of("st"), {});
  EXPECT_EQ(held.status, BuildStatus::kRetry);
  EXPECT_NE(held.message.find("gated"), std::string::npos) << held.message;
  EXPECT_EQ(catalog("st", "status, is_populated, snapshot"), "INITIALIZING|f|null");
  EXPECT_EQ(rows("st"), "0");
  insert(5);
  session_.exec("SELECT pgtrickle.ungate_source('t')");
  EXPECT_EQ(db_.build("st").status, BuildStatus::kActive);
  EXPECT_EQ(rows("st"), "15");
  EXPECT_TRUE(equals_query(session_, "st"));
}

TEST_F(HoldAndFuse, AWatermarkGroupIsWaitedFor) {
  session_.exec("CREATE TABLE u (id int PRIMARY KEY, v int)");
  db_.create_stream_table("of_t", "SELECT id, v FROM t", "DIFFERENTIAL");
  db_.create_stream_table("joined", "SELECT t.id, t.v + u.v AS v FROM of_t t JOIN u USING (id)", "DIFFERENTIAL");
  session_.exec(
      "SELECT pgtrickle.advance_watermark('t', '2026-01-01'); SELECT pgtrickle.advance_watermark('u', '2026-01-01');"
      "SELECT pgtrickle.create_watermark_group('load', ARRAY['t', 'u'], 10)");
  insert(2);
  EXPECT_EQ(refresh("of_t"), "DIFFERENTIAL 2");
  session_.exec("SELECT pgtrickle.advance_watermark('t', '2026-01-01 00:00:11')");
  insert(3);
  EXPECT_EQ(refresh("of_t"), "HELD 0");
  EXPECT_EQ(refresh("joined"), "HELD 0");
  EXPECT_EQ(rows("of_t"), "12");
  session_.exec("INSERT INTO u VALUES (1, 100); SELECT pgtrickle.advance_watermark('u', '2026-01-01 00:00:01')");
  EXPECT_EQ(refresh("of_t"), "DIFFERENTIAL 3");
  EXPECT_EQ(refresh("joined"), "DIFFERENTIAL 6");  // one of them from u
  for (const char* name : {"of_t", "joined"}) EXPECT_TRUE(equals_query(session_, name));
}

TEST_F(HoldAndFuse, AFuseBlowsAboveItsLimitAndAppliesNothing) {
  db_.create_stream_table("st", "SELECT id, v FROM t", "DIFFERENTIAL");
  set("st", "fuse = 'on', fuse_ceiling = 5");
  insert(5);
  EXPECT_EQ(refresh("st"), "DIFFERENTIAL 5");
  insert(6);
  const std::string frontier = catalog("st", "f.seq, f.xid");
  EXPECT_EQ(refresh("st", "look"), "BLOWN 6");
  EXPECT_EQ(refresh("st"), "BLOWN 6");
  EXPECT_EQ(rows("st"), "15");
  EXPECT_EQ(catalog("st", "f.seq, f.xid"), frontier);
  EXPECT_EQ(catalog("st", "fuse_blown_at"), "null");  // that is for the caller to write

  session_.exec("SELECT pgtrickle._blow_fuse(" + std::to_string(db_.id_of("st")) + ", 6, 5)");
  session_.exec("DELETE FROM t WHERE id = 1");
  EXPECT_EQ(refresh("st"), "BLOWN 0");  // until somebody has decided, whatever is pending
  EXPECT_EQ(rows("st"), "15");
  EXPECT_EQ(refresh("st", "go"), "DIFFERENTIAL 7");  // the caller has looked
  EXPECT_TRUE(equals_query(session_, "st"));
}

TEST_F(HoldAndFuse, ABlownFuseIsAnsweredOnceByApplying) {
  db_.create_stream_table("st", "SELECT id, v FROM t", "DIFFERENTIAL");
  set("st", "fuse = 'on', fuse_ceiling = 5");
  insert(9);
  EXPECT_EQ(refresh("st"), "BLOWN 9");
  set("st", "fuse_blown_at = NULL, fuse_reset = 'apply'");
  EXPECT_EQ(refresh("st", "look"), "DIFFERENTIAL 9");
  EXPECT_EQ(refresh("st"), "DIFFERENTIAL 9");
  EXPECT_TRUE(equals_query(session_, "st"));
  EXPECT_EQ(catalog("st", "fuse_reset, skipped_at, fuse_blown_at"), "null|null|null");
  insert(6);
  EXPECT_EQ(refresh("st"), "BLOWN 6");
}

TEST_F(HoldAndFuse, SkippedChangesAreMissingUntilAllIsRecomputed) {
  db_.create_stream_table("st", "SELECT id, v FROM t", "DIFFERENTIAL");
  set("st", "fuse = 'on', fuse_ceiling = 5");
  insert(9);
  EXPECT_EQ(refresh("st"), "BLOWN 9");
  set("st", "fuse_reset = 'skip_changes'");
  EXPECT_EQ(refresh("st", "look"), "SKIPPED 9");
  EXPECT_EQ(catalog("st", "fuse_reset"), "skip_changes");
  EXPECT_EQ(refresh("st"), "SKIPPED 9");
  EXPECT_EQ(rows("st"), "10");
  EXPECT_EQ(catalog("st", "fuse_reset, skipped_at IS NOT NULL, last_action"), "null|t|SKIPPED");
  insert(2);
  EXPECT_EQ(refresh("st"), "DIFFERENTIAL 2");  // and nothing of what was skipped
  EXPECT_EQ(rows("st"), "12");
  EXPECT_EQ(catalog("st", "skipped_at IS NOT NULL"), "t");
  session_.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = 0");
  insert(1);
  EXPECT_EQ(refresh("st"), "FULL 1");
  EXPECT_EQ(catalog("st", "skipped_at IS NOT NULL"), "f");
  EXPECT_TRUE(equals_query(session_, "st"));
}

TEST_F(HoldAndFuse, SkippingNothingDoesNotSkipWhatComesLater) {
  db_.create_stream_table("st", "SELECT id, v FROM t", "DIFFERENTIAL");
  set("st", "fuse_reset = 'skip_changes'");
  EXPECT_EQ(refresh("st"), "SKIPPED 0");
  EXPECT_EQ(catalog("st", "fuse_reset, skipped_at"), "null|null");
  insert(3);
  EXPECT_EQ(refresh("st"), "DIFFERENTIAL 3");
  EXPECT_TRUE(equals_query(session_, "st"));
}

TEST_F(HoldAndFuse, ReinitialisingForgetsFuseAndSkipping) {
  db_.create_stream_table("st", "SELECT id, v FROM t", "DIFFERENTIAL");
  set("st",
      "fuse = 'on', fuse_ceiling = 5, fuse_blown_at = now(), fuse_blow_reason = 'x', skipped_at = now(), fuse_reset = "
      "'apply', needs_reinit = true, generation = generation + 1");
  insert(9);
  EXPECT_EQ(refresh("st"), "REINIT 0");
  EXPECT_EQ(db_.build("st").status, BuildStatus::kActive);
  EXPECT_EQ(catalog("st", "fuse_blown_at, fuse_blow_reason, skipped_at, fuse_reset, needs_reinit"),
            "null|null|null|null|f");
  EXPECT_EQ(refresh("st"), "NO_DATA 0");
  EXPECT_TRUE(equals_query(session_, "st"));
}

// The daemon may not know yet: a table that was dropped is no error to alert anybody of. One whose frontier is gone is.
TEST_F(HoldAndFuse, ADroppedTableHasNothingToDo) {
  db_.create_stream_table("st", "SELECT id, v FROM t", "DIFFERENTIAL");
  const std::string call = "SELECT action FROM pgtrickle_state.refresh_" + std::to_string(db_.id_of("st")) + "('auto')";
  session_.exec("BEGIN; DELETE FROM pgtrickle.pgt_frontiers");
  EXPECT_THROW(session_.exec(call), pqxx::sql_error);
  session_.exec("ROLLBACK; DROP TABLE st");
  EXPECT_EQ(session_.value(call), "NO_DATA");
}

TEST_F(HoldAndFuse, MoreIsNeededToChangeTheWayThanToStay) {
  db_.create_stream_table("st", "SELECT id, v FROM t", "DIFFERENTIAL");
  insert(1);
  EXPECT_EQ(refresh("st"), "DIFFERENTIAL 1");
  session_.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = 100");
  insert(125);
  EXPECT_EQ(refresh("st"), "DIFFERENTIAL 125");
  insert(126);
  EXPECT_EQ(refresh("st", "look"), "FULL 126");
  EXPECT_EQ(refresh("st"), "FULL 126");
  insert(81);
  EXPECT_EQ(refresh("st"), "FULL 81");
  insert(80);
  EXPECT_EQ(refresh("st"), "DIFFERENTIAL 80");
  EXPECT_EQ(catalog("st", "last_delta_rows"), "80");
  EXPECT_TRUE(equals_query(session_, "st"));
}

TEST_F(HoldAndFuse, AFractionOfTheSourcesDecidesWhereItIsSet) {
  insert(990);
  session_.exec("ALTER TABLE t SET (autovacuum_enabled = false)");
  session_.exec("ANALYZE t");
  db_.create_stream_table("st", "SELECT id, v FROM t", "DIFFERENTIAL");
  db_.create_stream_table("on_top", "SELECT count(*) AS n FROM st", "DIFFERENTIAL");
  session_.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = 1");
  set("st", "max_delta_fraction = 0.1");
  set("on_top", "max_delta_fraction = 0.1");
  session_.exec("UPDATE t SET v = v + 1 WHERE id <= 50");  // two rows of the log each
  EXPECT_EQ(refresh("st"), "DIFFERENTIAL 100");
  EXPECT_EQ(refresh("on_top"), "NO_DATA 0");  // it reads no column that changed
  session_.exec("VACUUM t");
  session_.exec("UPDATE t SET v = v + 1 WHERE id <= 100");
  EXPECT_EQ(refresh("st"), "FULL 200");
  EXPECT_TRUE(equals_query(session_, "st"));
  // Rows of a stream table are known exactly: 1000 and then 1100 and 1210.
  session_.exec("UPDATE pgtrickle.pgt_stream_tables SET max_delta_fraction = NULL WHERE pgt_relid = 'st'::regclass");
  session_.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
  insert(100);
  EXPECT_EQ(refresh("st"), "DIFFERENTIAL 100");
  EXPECT_EQ(refresh("on_top"), "DIFFERENTIAL 100");
  insert(123);
  EXPECT_EQ(refresh("st"), "DIFFERENTIAL 123");
  EXPECT_EQ(refresh("on_top"), "FULL 123");
  EXPECT_TRUE(equals_query(session_, "on_top"));
}

}  // namespace
