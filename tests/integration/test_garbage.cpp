// Collecting garbage: what dropped stream tables leave behind.
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"

namespace {

using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::TestDatabase;

/// What is left of stream tables in pgtrickle's schemas, and triggers on users' tables.
constexpr const char* kLeft =
    "SELECT c.relname::text COLLATE \"C\" FROM pg_class c WHERE c.relnamespace IN ('pgtrickle_state'::regnamespace, "
    "'pgtrickle_changes'::regnamespace) AND c.relkind IN ('r', 'v') UNION ALL "
    "SELECT p.proname FROM pg_proc p WHERE p.pronamespace IN ('pgtrickle_state'::regnamespace, "
    "'pgtrickle_changes'::regnamespace) AND p.proname ~ '_[0-9]+' UNION ALL "
    "SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal AND "
    "c.relnamespace = "
    "'public'::regnamespace ORDER BY 1";

class GarbageOf : public ::testing::Test {
 protected:
  GarbageOf() : session_(db_.dsn()) {
    run("CREATE TABLE t (a int, b int); INSERT INTO t SELECT i, i FROM generate_series(1, 10) AS i");
    run("CREATE TABLE u (a int)");
  }
  void run(const std::string& sql) { session_.exec(sql); }
  std::string left() { return session_.table(kLeft); }
  pgtrickle::catalog::Garbage collect() { return pgtrickle::catalog::collect_garbage(db_.dsn(), {}); }

  TestDatabase db_;
  Session session_;
};

TEST_F(GarbageOf, ObjectsWithNumbersThatNoStreamTableHasAreNotOurs) {
  run("CREATE FUNCTION pgtrickle_state.apply_99999999999999999999() RETURNS int LANGUAGE sql AS 'SELECT 1';"
      "CREATE FUNCTION pgtrickle_state.groups_12345678901234567890_1() RETURNS int LANGUAGE sql AS 'SELECT 1';"
      "CREATE TABLE pgtrickle_state.node_99999999999999999999_1 (a int);"
      "CREATE TABLE pgtrickle_state.delta_99999999999999999999_1 AS SELECT repeat('x', 1000) FROM generate_series(1, "
      "1000)");
  db_.create_stream_table("st", "SELECT b, min(a) FROM t GROUP BY b");
  run("SELECT pgtrickle.drop_stream_table('st')");
  const auto garbage = collect();
  EXPECT_TRUE(garbage.problems.empty()) << garbage.problems.front();
  EXPECT_EQ(left(),
            "apply_99999999999999999999\ndelta_99999999999999999999_1\ngroups_12345678901234567890_1\n"
            "node_99999999999999999999_1");
  EXPECT_EQ(collect().removed, 0);
}

TEST_F(GarbageOf, ViewsOfUsersOnStateGoWithIt) {
  db_.create_stream_table("st",
                          "SELECT q.n, count(*) AS c FROM (SELECT b, count(*) AS n FROM t GROUP BY b) q GROUP BY q.n",
                          "DIFFERENTIAL");
  const std::string node = session_.value(
      "SELECT relname FROM pg_class WHERE relnamespace = 'pgtrickle_state'::regnamespace AND relname LIKE 'node%' AND "
      "relkind = 'r' ORDER BY 1 LIMIT 1");
  run("CREATE VIEW curious AS SELECT * FROM pgtrickle_state." + node);
  run("CREATE VIEW calls AS SELECT action FROM pgtrickle_state.refresh_" + std::to_string(db_.id_of("st")) +
      "('look')");
  run("ALTER TABLE t ALTER COLUMN b TYPE bigint");
  EXPECT_EQ(db_.build("st").status, pgtrickle::catalog::BuildStatus::kActive);
  EXPECT_TRUE(equals_query(session_, "st"));
  run("CREATE VIEW curious AS SELECT * FROM pgtrickle_state." + node + "; SELECT pgtrickle.drop_stream_table('st')");
  const auto garbage = collect();
  EXPECT_TRUE(garbage.problems.empty()) << garbage.problems.front();
  EXPECT_EQ(left(), "");
}

TEST_F(GarbageOf, WhatCannotBeRemovedStopsNobodyElse) {
  db_.create_stream_table("one", "SELECT b, count(*) FROM t GROUP BY b");
  db_.create_stream_table("two", "SELECT a FROM u");
  run("SELECT pgtrickle.drop_stream_table('one'); SELECT pgtrickle.drop_stream_table('two')");
  // Somebody's event trigger guards t, and with it the capture of t.
  run("CREATE FUNCTION keep_t() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT FROM "
      "pg_event_trigger_dropped_objects() WHERE object_type = 'trigger' AND object_identity LIKE '%public.t') THEN "
      "RAISE "
      "EXCEPTION 'hands off'; END IF; END $$;"
      "CREATE EVENT TRIGGER keep_t ON sql_drop EXECUTE FUNCTION keep_t()");
  const auto garbage = collect();
  ASSERT_EQ(garbage.problems.size(), 1U);
  EXPECT_NE(garbage.problems[0].find("hands off"), std::string::npos) << garbage.problems[0];
  EXPECT_EQ(session_.value("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'u'::regclass"), "0");
  EXPECT_EQ(session_.value(
                "SELECT count(*) FROM pg_class WHERE relnamespace = 'pgtrickle_state'::regnamespace AND relkind = 'r'"),
            "0");
  run("DROP EVENT TRIGGER keep_t");
  collect();
  EXPECT_EQ(left(), "");
}

TEST_F(GarbageOf, ATableThatIsDroppedMeanwhileIsNoError) {
  db_.create_stream_table("st", "SELECT b, count(*) FROM t GROUP BY b");
  const std::string source = session_.value("SELECT source_id FROM pgtrickle.pgt_sources");
  run("SELECT pgtrickle.drop_stream_table('st')");
  Session dropper(db_.dsn());
  dropper.exec("BEGIN; DROP TABLE t");
  // The collector waits for the lock of a table that will not be there when it gets it.
  std::string failure;
  std::thread collector([&] {
    try {
      Session other(db_.dsn());
      other.exec("SELECT pgtrickle._uninstall_capture(" + source + ")");
    } catch (const std::exception& error) {
      failure = error.what();
    }
  });
  EXPECT_TRUE(pgt::test::wait_until([&] {
    return session_.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'") == "1";
  }));
  dropper.exec("COMMIT");
  collector.join();
  EXPECT_EQ(failure, "");
  EXPECT_EQ(left().find("log_"), std::string::npos) << left();
}

TEST_F(GarbageOf, CaptureForARowThatIsNeverBuiltDoesNotStayForEver) {
  db_.create_stream_table("st", "SELECT a FROM u");
  run("SELECT pgtrickle.drop_stream_table('st')");
  // Two that wait for ever, and do not read u: their waiting is no reason to keep its capture for longer than a build
  // takes.
  run("SELECT pgtrickle.create_stream_table('waits', 'SELECT a FROM t', initialize => false)");
  run("SELECT pgtrickle.create_stream_table('blown', 'SELECT a FROM u', initialize => false);"
      "UPDATE pgtrickle.pgt_stream_tables SET fuse_blown_at = now() WHERE pgt_name = 'blown'");
  collect();
  EXPECT_NE(session_.value("SELECT count(*) FROM pgtrickle.pgt_sources"), "0") << "a build may have just made it";
  run("UPDATE pgtrickle.pgt_sources SET created_at = now() - interval '1 hour'");
  collect();
  EXPECT_EQ(session_.value("SELECT count(*) FROM pgtrickle.pgt_sources"), "0");
  EXPECT_EQ(session_.value("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'u'::regclass"), "0");
}

TEST_F(GarbageOf, ABuildThatWaitsKeepsTheCaptureThatItHasMade) {
  db_.create_stream_table("st", "SELECT a FROM t");
  run("UPDATE pgtrickle.pgt_dependencies SET source_id = NULL; UPDATE pgtrickle.pgt_stream_tables SET status = "
      "'INITIALIZING'; UPDATE pgtrickle.pgt_sources SET created_at = now() - interval '1 hour'");
  collect();
  EXPECT_EQ(session_.value("SELECT count(*) FROM pgtrickle.pgt_sources"), "1");
}

TEST(Garbage, ADroppedStreamTableWithALargeDeltaGoesInOneRun) {
  TestDatabase db;
  Session session(db.dsn());
  session.exec("CREATE TABLE t (a int, b text)");
  db.create_stream_table(
      "st", "SELECT q.n, count(*) AS c FROM (SELECT a, b, count(*) AS n FROM t GROUP BY a, b) q GROUP BY q.n",
      "DIFFERENTIAL");
  session.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
  session.exec("INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 10000) i");
  db.refresh("st");
  const auto large =
      "SELECT count(*) FROM pg_class WHERE relnamespace = 'pgtrickle_state'::regnamespace AND relname LIKE 'delta%' "
      "AND "
      "pg_relation_size(oid) > 262144";
  ASSERT_EQ(session.value(large), "1");  // a smaller one is not emptied, and would prove nothing
  session.exec("SELECT pgtrickle.drop_stream_table('st')");
  EXPECT_NO_THROW(pgtrickle::catalog::collect_garbage(db.dsn(), {}));
  EXPECT_EQ(session.value("SELECT count(*) FROM pg_class WHERE relnamespace = 'pgtrickle_state'::regnamespace AND "
                          "relname ~ '^(node|delta)'"),
            "0");
}

}  // namespace
