// What users do by hand, with real programs: refreshing a group in one state of its sources while others write, waiting
// for freshness, repairing. No daemon: stream tables are built and refreshed in this process.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>

#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"

namespace {

using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::TestDatabase;

/// Writers move amounts between two tables, so the sum of both never changes. Members that recompute hold no lock of
/// their own: only because the sources of all are locked first do they see what the others see.
TEST(Control, MembersOfAGroupRefreshedByHandShowOneState) {
  TestDatabase db;
  Session s(db.dsn());
  s.exec(
      "CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL); CREATE TABLE u (id int PRIMARY KEY, n int NOT NULL);"
      "INSERT INTO t SELECT i, 100 FROM generate_series(1, 20) i; INSERT INTO u SELECT i, 100 FROM generate_series(1, "
      "20) i");
  db.create_stream_table("full_t", "SELECT sum(n) AS n FROM t", "FULL");
  db.create_stream_table("delta_t", "SELECT sum(n) AS n FROM t", "DIFFERENTIAL");
  db.create_stream_table("delta_u", "SELECT sum(n) AS n FROM u", "DIFFERENTIAL");
  db.create_stream_table("full_u", "SELECT sum(n) AS n FROM u", "FULL");
  s.exec("SELECT pgtrickle.create_refresh_group('g', ARRAY['full_t', 'delta_t', 'delta_u', 'full_u'])");

  std::atomic<bool> stop = false;
  auto writer = std::async(std::launch::async, [&] {
    Session w(db.dsn());
    long moved = 0;
    for (int i = 1; !stop; i = i % 20 + 1, ++moved)
      w.exec("BEGIN; UPDATE t SET n = n - 1 WHERE id = " + std::to_string(i) +
             "; UPDATE u SET n = n + 1 WHERE id = " + std::to_string(i) + "; COMMIT");
    return moved;
  });
  Session reader(db.dsn());
  for (int round = 0; round < 60; ++round) {
    if (round % 3 == 0)
      s.exec("CALL pgtrickle.refresh('delta_u')");
    else
      s.exec("SELECT pgtrickle.refresh_stream_table('delta_u')");
    EXPECT_EQ(reader.value("SELECT (SELECT n FROM delta_t) + (SELECT n FROM delta_u)"), "4000") << "round " << round;
    EXPECT_EQ(reader.table("SELECT a.n = b.n, c.n = d.n FROM full_t a, delta_t b, full_u c, delta_u d"), "t|t")
        << "round " << round;
  }
  stop = true;
  EXPECT_GT(writer.get(), 0);
}

/// A session that runs a statement in the background and is known to wait for a lock when the constructor returns.
class Waiting {
 public:
  Waiting(const std::string& dsn, Session& watcher, const std::string& sql) : session_(dsn) {
    const std::string pid = session_.value("SELECT pg_backend_pid()");
    done_ = std::async(std::launch::async, [this, sql] { return session_.table(sql); });
    const bool waits = pgt::test::wait_until(
        [&] { return watcher.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = " + pid) != "0"; });
    if (!waits) throw std::runtime_error("does not wait: " + sql);
  }
  /// Its result; throws its error.
  std::string result() { return done_.get(); }

 private:
  Session session_;
  std::future<std::string> done_;
};

// The daemon refreshes b after a in one transaction; a refresh of b by hand keeps writers off a. Who takes the
// frontier of b before that, and the table a after, meets the daemon in a deadlock.
TEST(Control, ARefreshByHandGivesWayToTheDaemon) {
  TestDatabase db;
  Session daemon(db.dsn()), watcher(db.dsn());
  daemon.exec("CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL); INSERT INTO t VALUES (1, 1)");
  db.create_stream_table("a", "SELECT id, n FROM t", "DIFFERENTIAL");
  db.create_stream_table("b", "SELECT sum(n) AS n FROM a", "DIFFERENTIAL");
  const auto refresh = [&](const std::string& name) {
    return daemon.value("SELECT action FROM pgtrickle_state.refresh_" + std::to_string(db.id_of(name)) + "('auto')");
  };
  daemon.exec("INSERT INTO t VALUES (2, 20)");
  daemon.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
  ASSERT_EQ(refresh("a"), "DIFFERENTIAL");
  Waiting by_hand(db.dsn(), watcher, "SELECT pgtrickle.refresh_stream_table('b')");
  EXPECT_EQ(refresh("b"), "DIFFERENTIAL");
  daemon.exec("COMMIT");
  EXPECT_NO_THROW(by_hand.result());
  EXPECT_EQ(watcher.value("SELECT n FROM b"), "21");

  // The same where b is a cycle.
  watcher.exec("SELECT pgtrickle.create_stream_table('c', 'SELECT id, n FROM a', allow_circular => true)");
  ASSERT_EQ(db.build("c").status, pgtrickle::catalog::BuildStatus::kActive);
  watcher.exec(
      "SELECT pgtrickle.alter_stream_table('c', query => 'SELECT id, n FROM a UNION SELECT id + 1, n FROM c WHERE id < "
      "5')");
  ASSERT_EQ(db.build("c").status, pgtrickle::catalog::BuildStatus::kActive);
  db.refresh("c");
  daemon.exec("INSERT INTO t VALUES (3, 3)");
  daemon.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
  ASSERT_EQ(refresh("a"), "DIFFERENTIAL");
  Waiting cycle_by_hand(db.dsn(), watcher, "SELECT pgtrickle.refresh_stream_table('c')");
  EXPECT_EQ(daemon.value("SELECT action FROM pgtrickle._refresh_scc(ARRAY[" + std::to_string(db.id_of("c")) + "])"),
            "DIFFERENTIAL");
  daemon.exec("COMMIT");
  EXPECT_NO_THROW(cycle_by_hand.result());
  EXPECT_EQ(watcher.table("SELECT * FROM pgtrickle.verify_stream_table('c')"), "0|0");
}

// In READ COMMITTED a recomputation reads an older snapshot than the statement after it.
TEST(Control, ARecomputationIsAsFreshAsWhatItRead) {
  TestDatabase db;
  Session s(db.dsn()), lock(db.dsn());
  s.exec(
      "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);"
      "CREATE FUNCTION at_the_lock() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT pg_advisory_xact_lock_shared(77); "
      "SELECT 1'");
  db.create_stream_table("st", "SELECT count(*) AS n, at_the_lock() AS one FROM t", "FULL");
  lock.exec("SELECT pg_advisory_lock(77)");
  Waiting by_hand(db.dsn(), s, "SELECT pgtrickle.refresh_stream_table('st')");
  s.exec("INSERT INTO t VALUES (2)");
  lock.exec("SELECT pg_advisory_unlock(77)");
  by_hand.result();
  ASSERT_EQ(s.value("SELECT n FROM st"), "1");
  EXPECT_THROW(s.exec("SELECT pgtrickle.wait_for_freshness('st', '10 ms')"), pqxx::sql_error);
  auto reader = std::async(std::launch::async, [&] {
    Session r(db.dsn());
    r.exec("SELECT pgtrickle.wait_for_freshness('st', '15 s')");
    return r.value("SELECT n FROM st");
  });
  while (reader.wait_for(std::chrono::milliseconds(10)) != std::future_status::ready) db.refresh("st");
  EXPECT_EQ(reader.get(), "2");
}

TEST(Control, WhatLiesBetweenTheMembersOfAGroupIsRefreshedByHandWithThem) {
  TestDatabase db;
  Session s(db.dsn());
  s.exec("CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL); INSERT INTO t VALUES (1, 1)");
  db.create_stream_table("first", "SELECT id, n FROM t", "DIFFERENTIAL");
  db.create_stream_table("between", "SELECT id, n FROM first WHERE n > 0", "DIFFERENTIAL");
  db.create_stream_table("last", "SELECT sum(n) AS n FROM between", "DIFFERENTIAL");
  s.exec("SELECT pgtrickle.create_refresh_group('g', ARRAY['first', 'last'])");
  int n = 1;
  const auto states = [&] {
    return s.table("SELECT (SELECT sum(n) FROM first), (SELECT sum(n) FROM between), (SELECT n FROM last)");
  };
  for (const char* name : {"first", "between", "last"}) {
    for (const char* how : {"SELECT pgtrickle.refresh_stream_table('", "CALL pgtrickle.refresh('"}) {
      s.exec("INSERT INTO t VALUES (" + std::to_string(++n) + ", 1)");
      s.exec(how + std::string(name) + "')");
      const std::string all = std::to_string(n);
      EXPECT_EQ(states(), all + "|" + all + "|" + all) << how << name;
    }
  }
}

// Between compiling the query, in the names of that moment, and recording what it reads, somebody renames a column
// back.
TEST(Control, ARenameInTheMiddleOfABuildIsFollowed) {
  TestDatabase db;
  Session s(db.dsn()), writer(db.dsn());
  s.exec("CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL); INSERT INTO t VALUES (1, 1)");
  db.create_stream_table("st", "SELECT id, n FROM t", "DIFFERENTIAL");
  s.exec("ALTER TABLE t RENAME n TO other");
  writer.exec("BEGIN");
  writer.exec("INSERT INTO t VALUES (2, 2)");
  auto build = std::async(std::launch::async, [&] { return db.build("st"); });
  ASSERT_TRUE(pgt::test::wait_until([&] {  // compiled: it waits to capture changes
    return s.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass") != "0";
  }));
  writer.exec("ALTER TABLE t RENAME other TO n");
  writer.exec("COMMIT");
  EXPECT_EQ(build.get().status, pgtrickle::catalog::BuildStatus::kActive);
  EXPECT_EQ(s.table("SELECT status, needs_reinit, last_error FROM pgtrickle.pgt_stream_tables"), "ACTIVE|f|null");
  s.exec("INSERT INTO t VALUES (3, 3)");
  EXPECT_EQ(s.table("SELECT * FROM pgtrickle.verify_stream_table('st')"), "0|0");
}

TEST(Control, RenamesOfColumnsThatNobodyNeedsAreFollowed) {
  TestDatabase db;
  Session s(db.dsn());
  s.exec("CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t VALUES (1, 1, 1)");
  db.create_stream_table("st", "SELECT id FROM (SELECT id, a, b + 1 AS c FROM t) x", "DIFFERENTIAL");
  s.exec("ALTER TABLE t RENAME a TO a2; ALTER TABLE t RENAME b TO a");
  EXPECT_EQ(s.value("SELECT needs_reinit FROM pgtrickle.pgt_stream_tables"), "t");
  ASSERT_EQ(db.build("st").status, pgtrickle::catalog::BuildStatus::kActive);
  s.exec("SELECT pgtrickle.alter_stream_table('st', refresh_mode => 'FULL')");
  ASSERT_EQ(db.build("st").status, pgtrickle::catalog::BuildStatus::kActive);
  EXPECT_EQ(s.table("SELECT status, needs_reinit, last_error FROM pgtrickle.pgt_stream_tables"), "ACTIVE|f|null");
  s.exec("INSERT INTO t VALUES (2, 2, 2)");
  EXPECT_EQ(s.table("SELECT * FROM pgtrickle.verify_stream_table('st')"), "0|0");
}

TEST(Control, FreshnessIsWaitedForThroughRealPrograms) {
  TestDatabase db;
  Session s(db.dsn());
  s.exec("CREATE TABLE t (id int PRIMARY KEY, n int)");
  db.create_stream_table("a", "SELECT n, count(*) AS c FROM t GROUP BY n");
  db.create_stream_table("b", "SELECT sum(c) AS total FROM a");
  db.create_stream_table("c", "SELECT total FROM b", "FULL");
  std::atomic<bool> stop = false;
  auto refresher = std::async(std::launch::async, [&] {
    Session d(db.dsn());
    while (!stop)
      for (const char* name : {"c", "b", "a"})  // the wrong way round: it takes several rounds
        d.exec(std::string("CALL pgtrickle.refresh('") + name + "')");
  });
  for (int i = 1; i <= 20; ++i) {
    s.exec("INSERT INTO t VALUES (" + std::to_string(i) + ", " + std::to_string(i % 3) + ")");
    s.exec("SELECT pgtrickle.wait_for_freshness('c', '30 s')");
    EXPECT_EQ(s.value("SELECT total FROM c"), std::to_string(i));
  }
  stop = true;
  refresher.get();
}

TEST(Control, WhatIsRepairedIsBuiltAnewAndExact) {
  TestDatabase db;
  Session s(db.dsn());
  s.exec("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT i, i FROM generate_series(1, 10) i");
  db.create_stream_table("a", "SELECT n % 2 AS odd, sum(n) AS total FROM t GROUP BY 1");
  EXPECT_EQ(s.value("SELECT pgtrickle.repair_stream_table('a')"), "nothing to repair");
  const auto source = [&] { return s.value("SELECT max(source_id) FROM pgtrickle.pgt_sources"); };
  const auto broken_and_repaired = [&](const std::string& how) {
    SCOPED_TRACE(how);
    s.exec(how);
    s.exec("INSERT INTO t SELECT max(id) + 1, max(id) FROM t");  // perhaps not captured
    EXPECT_NE(s.value("SELECT pgtrickle.repair_stream_table('a')"), "nothing to repair");
    // A new log asks its consumers to be rebuilt, this one too, although it is being built: the daemon builds again.
    for (int i = 0; i < 3 && s.value("SELECT needs_reinit FROM pgtrickle.pgt_stream_tables") == "t"; ++i) db.build("a");
    EXPECT_EQ(s.value("SELECT status FROM pgtrickle.pgt_stream_tables"), "ACTIVE");
    EXPECT_TRUE(equals_query(s, "a"));
    s.exec("INSERT INTO t SELECT max(id) + 1, max(id) FROM t");
    db.refresh("a");
    EXPECT_TRUE(equals_query(s, "a"));
    EXPECT_EQ(s.value("SELECT pgtrickle.repair_stream_table('a')"), "nothing to repair");
  };
  const std::string id = std::to_string(db.id_of("a"));
  broken_and_repaired("DROP TRIGGER pgtrickle_" + source() + "_i ON t");
  broken_and_repaired("ALTER TABLE t DISABLE TRIGGER ALL");
  broken_and_repaired("DROP FUNCTION pgtrickle_changes.capture_" + source() + "() CASCADE");
  broken_and_repaired("DROP VIEW pgtrickle_changes.log_" + source() + " CASCADE");
  broken_and_repaired("DROP TABLE pgtrickle_changes.log_" + source() + "_b CASCADE");
  broken_and_repaired("DROP FUNCTION pgtrickle_state.refresh_" + id);
  broken_and_repaired("DROP FUNCTION pgtrickle_state.apply_" + id);
  broken_and_repaired("DELETE FROM pgtrickle.pgt_frontiers");
  broken_and_repaired("DROP TRIGGER pgtrickle_guard ON a; DELETE FROM a");
  broken_and_repaired("UPDATE pgtrickle.pgt_stream_tables SET status = 'SUSPENDED', last_error = 'x'");
  broken_and_repaired(
      "UPDATE pgtrickle.pgt_stream_tables SET skipped_at = now(); UPDATE pgtrickle.pgt_frontiers SET snapshot = "
      "pg_current_snapshot()");
}

}  // namespace
