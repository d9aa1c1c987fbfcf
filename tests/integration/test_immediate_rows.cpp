// IMMEDIATE stream tables whose rows are those of one table (daemon/compiler/program/rows_at_once.h): each statement's
// changes are applied after it, and what comes in another order than it happened waits until it fits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pqxx/pqxx>

#include "support/database.h"
#include "support/oracle.h"

namespace {

using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::TestDatabase;
using ::testing::HasSubstr;

class ImmediateRows : public ::testing::Test {
 protected:
  ImmediateRows() {
    session_.exec("CREATE TABLE items (id int PRIMARY KEY, v int, label text)");
    session_.exec("CREATE TABLE others (id int, v int)");
    session_.exec("INSERT INTO items SELECT i, i, 'l' || i FROM generate_series(1, 20) i");
    db_.create_stream_table("st", "SELECT id, v * 2 AS twice, upper(label) AS label FROM items WHERE v > 3",
                            "IMMEDIATE");
    id_ = session_.value("SELECT pgt_id FROM pgtrickle.pgt_stream_tables");
    EXPECT_EQ(session_.value("SELECT to_regclass('pgtrickle_state.places_" + id_ + "') IS NULL"), "t");
  }

  /// A trigger of a user on items, before ours by its name or after it, that does this once per statement of a session.
  void on_change(const std::string& name, const std::string& when, const std::string& does) {
    session_.exec("CREATE OR REPLACE FUNCTION " + name +
                  "() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n"
                  "  IF pg_trigger_depth() < 3 THEN " +
                  does + " END IF; RETURN NEW; END $$");
    session_.exec("CREATE TRIGGER " + name + " " + when + " EXECUTE FUNCTION " + name + "()");
  }

  void expect_equal_after(const std::string& sql) {
    ASSERT_NO_THROW(session_.exec(sql)) << sql;
    expect_equal(session_, sql);
  }
  void expect_equal(Session& session, const std::string& after) {
    EXPECT_TRUE(equals_query(session, "st")) << after;
    EXPECT_EQ(waiting(session), "0") << after;
    EXPECT_EQ(session_.value("SELECT bool_or(needs_reinit) FROM pgtrickle.pgt_stream_tables"), "f") << after;
  }
  [[nodiscard]] std::string waiting(Session& session) const {
    return session.value("SELECT count(*) FROM pgtrickle_state.changes_" + id_ + "_1");
  }

  static std::string error_of(Session& session, const std::string& sql) {
    try {
      session.exec(sql);
    } catch (const pqxx::failure& error) {
      return error.what();
    }
    return {};
  }

  /// All changes fit from now on.
  void without_looking() {
    session_.exec("DO $$ BEGIN EXECUTE regexp_replace(pg_get_functiondef('pgtrickle_state.changed_" + id_ +
                  "_1'::regproc), 'SELECT NOT EXISTS [^;]*? AS fits', 'SELECT true AS fits', 'g'); END $$");
    ASSERT_EQ(
        session_.value("SELECT prosrc ~ 'SELECT true AS fits' AND prosrc !~ 'SELECT NOT EXISTS' FROM pg_proc WHERE "
                       "proname = 'changed_" +
                       id_ + "_1'"),
        "t");
  }

  TestDatabase db_;
  Session session_{db_.dsn()};
  std::string id_;
};

TEST_F(ImmediateRows, StatementsOfEveryKind) {
  for (
      const char* sql :
      {"INSERT INTO items VALUES (21, 21, 'x'), (22, 1, 'hidden')", "UPDATE items SET v = v + 2",
       "UPDATE items SET v = 4 - v WHERE id < 6", "UPDATE items SET id = id + 100 WHERE id > 10",
       "UPDATE items SET label = label",
       "INSERT INTO items VALUES (1, 50, 'a'), (300, 5, 'b') ON CONFLICT (id) DO UPDATE SET v = excluded.v",
       "INSERT INTO items VALUES (1, 51, 'a') ON CONFLICT DO NOTHING",
       "WITH d AS (DELETE FROM items WHERE id = 1) INSERT INTO items VALUES (400, 7, 'c')",
       "WITH d AS (DELETE FROM items WHERE id < 5), u AS (UPDATE items SET v = 90 WHERE id = 8) INSERT INTO items VALUES "
       "(401, 7, 'c')",
       "MERGE INTO items t USING (VALUES (8, 1), (9, NULL), (500, 6)) AS s(id, v) ON t.id = s.id WHEN MATCHED AND s.v IS "
       "NULL THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v, 'm')",
       "INSERT INTO items SELECT 1000 + i, i, repeat('long', 1000) FROM generate_series(1, 3000) i",
       "UPDATE items SET v = v + 1 WHERE id > 1000", "UPDATE items SET id = id + 1 WHERE id = 4000",
       "DELETE FROM items WHERE id > 1500", "TRUNCATE items", "INSERT INTO items VALUES (1, 10, NULL)"})
    expect_equal_after(sql);
  session_.exec("BEGIN");
  expect_equal_after("UPDATE items SET v = 11");
  expect_equal_after("SAVEPOINT s; DELETE FROM items");
  expect_equal_after("ROLLBACK TO s");
  expect_equal_after("COMMIT");
}

// A trigger before ours changes the same rows again: its statement is maintained first.
TEST_F(ImmediateRows, WhatHappenedFirstMayComeLast) {
  const char* const what[] = {"UPDATE items SET v = v + 1 WHERE id IN (5, 6);",
                              "DELETE FROM items WHERE id = 5; INSERT INTO items VALUES (5, 70, 'again');",
                              "UPDATE items SET id = 700 WHERE id = 6; INSERT INTO items VALUES (6, 71, 'again') ON "
                              "CONFLICT DO NOTHING; DELETE FROM items WHERE id = 700;",
                              "DELETE FROM items WHERE id = 99;"};
  int done = 0;
  for (const char* name : {"a_first", "zz_last"}) {
    for (const char* when : {"AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH STATEMENT",
                             "AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH ROW",
                             "BEFORE INSERT OR UPDATE ON items FOR EACH STATEMENT"}) {
      for (const char* does : what) {
        on_change(name, when, does);
        for (const char* sql :
             {"UPDATE items SET v = v + 1 WHERE id BETWEEN 5 AND 6", "INSERT INTO items VALUES (99, 9, 'n')",
              "UPDATE items SET v = v - 5, label = 'u' WHERE id < 9", "DELETE FROM items WHERE id IN (5, 99)",
              "INSERT INTO items VALUES (5, 8, 'n') ON CONFLICT (id) DO UPDATE SET v = items.v + 1"}) {
          // The trigger may change what its statement is about to, or insert what is there.
          const std::string error = error_of(session_, sql);
          if (error.empty()) ++done;
          expect_equal(session_, std::string(sql) + " with " + does + " " + when + ": " + error);
        }
        session_.exec(std::string("DROP TRIGGER ") + name + " ON items");
      }
    }
  }
  EXPECT_GT(done, 60) << "most statements have no such error";
}

TEST_F(ImmediateRows, WithoutLookingItIsWrong) {
  on_change("a_first", "AFTER UPDATE ON items FOR EACH STATEMENT", "UPDATE items SET v = v + 1 WHERE id = 5;");
  without_looking();
  const std::string error = error_of(session_, "UPDATE items SET v = v + 1 WHERE id = 5");
  if (!error.empty()) return;
  EXPECT_FALSE(equals_query(session_, "st")) << "looking is not needed for this";
}

TEST_F(ImmediateRows, WaitingOutlastsSavepointsAndConstraintChecks) {
  on_change(
      "a_first", "AFTER UPDATE ON items FOR EACH STATEMENT",
      "BEGIN UPDATE items SET v = v + 10 WHERE id = 5; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN "
      "UPDATE items SET v = v + 1 WHERE id = 5; END;");
  session_.exec("BEGIN; SET CONSTRAINTS ALL IMMEDIATE");
  expect_equal_after("UPDATE items SET v = v + 1 WHERE id IN (5, 7)");
  expect_equal_after("SAVEPOINT s; UPDATE items SET v = v + 1 WHERE id IN (5, 7)");
  expect_equal_after("ROLLBACK TO s");
  expect_equal_after("COMMIT");
  expect_equal_after("UPDATE items SET v = v + 1 WHERE id IN (5, 7)");
  if (session_.value("SHOW max_prepared_transactions") == "0") return;
  session_.exec("BEGIN; UPDATE items SET v = v + 1 WHERE id IN (5, 7); PREPARE TRANSACTION 'pgt_rows'");
  session_.exec("COMMIT PREPARED 'pgt_rows'");
  expect_equal(session_, "COMMIT PREPARED");
}

// Somebody who may do anything has written to it.
TEST_F(ImmediateRows, WhatNeverFitsHasItRebuilt) {
  session_.exec("BEGIN; SET LOCAL pgtrickle.apply = '" + id_ + "'; UPDATE st SET twice = 1 WHERE id = 10; COMMIT");
  ASSERT_FALSE(equals_query(session_, "st"));
  EXPECT_EQ(error_of(session_, "UPDATE items SET v = v + 1 WHERE id = 10"), "");
  EXPECT_EQ(waiting(session_), "0");
  EXPECT_EQ(session_.value("SELECT reinit_reason FROM pgtrickle.pgt_stream_tables"),
            "its rows were not what they should have been");
  db_.build_pending();
  EXPECT_TRUE(equals_query(session_, "st"));
  EXPECT_EQ(db_.effective_mode("st"), "IMMEDIATE");
  expect_equal_after("UPDATE items SET v = v + 1 WHERE id = 10");
}

TEST_F(ImmediateRows, DroppingItLeavesWritersAlone) {
  session_.exec("SELECT pgtrickle.drop_stream_table('st')");
  for (const char* sql : {"INSERT INTO items VALUES (30, 30, 'x')", "UPDATE items SET v = 9 WHERE id = 30",
                          "DELETE FROM items WHERE id = 9", "TRUNCATE items"})
    EXPECT_EQ(error_of(session_, sql), "");
}

// Once it is stopped, its program names nothing of the source any more.
TEST_F(ImmediateRows, AWriterDoesNotFailBecauseASourceWasAltered) {
  session_.exec("ALTER TABLE items RENAME COLUMN v TO amount");
  for (const char* sql : {"INSERT INTO items VALUES (30, 30, 'x')", "UPDATE items SET amount = 9 WHERE id = 30",
                          "DELETE FROM items WHERE id = 9", "TRUNCATE items", "INSERT INTO items VALUES (1, 8, 'y')"})
    EXPECT_EQ(error_of(session_, sql), "");
  db_.build_pending();
  EXPECT_EQ(db_.effective_mode("st"), "IMMEDIATE");
  expect_equal_after("UPDATE items SET amount = 12");
}

// Only who is interfered with has to try again.
TEST_F(ImmediateRows, OldSnapshots) {
  Session other(db_.dsn());
  for (const char* level : {"REPEATABLE READ", "SERIALIZABLE"}) {
    const auto begin = [&] {
      other.exec(std::string("BEGIN ISOLATION LEVEL ") + level);
      other.exec("SELECT count(*) FROM others");
    };
    begin();
    session_.exec("UPDATE items SET v = v + 1 WHERE id = 10; INSERT INTO items VALUES (60, 60, 'x')");
    EXPECT_EQ(error_of(other, "UPDATE items SET v = v + 1 WHERE id = 11"), "");
    EXPECT_TRUE(equals_query(other, "st"));
    EXPECT_EQ(error_of(other, "COMMIT"), "");
    expect_equal(session_, "its COMMIT");

    begin();
    session_.exec("DELETE FROM items WHERE id = 60");
    std::string error = error_of(other, "INSERT INTO items VALUES (60, 61, 'y')");
    if (error.empty()) error = error_of(other, "COMMIT");
    EXPECT_THAT(error, HasSubstr("could not serialize access"));
    error_of(other, "ROLLBACK");
    expect_equal(session_, "an error");

    begin();
    session_.exec("INSERT INTO items VALUES (70, 70, 'x')");
    EXPECT_EQ(error_of(other, "TRUNCATE items"), "");
    EXPECT_EQ(error_of(other, "COMMIT"), "");
    expect_equal(session_, "TRUNCATE");
    session_.exec("INSERT INTO items SELECT i, i, 'l' || i FROM generate_series(1, 20) i");
    expect_equal(session_, "INSERT");

    begin();
    session_.exec("ALTER TABLE items RENAME COLUMN label TO name; ALTER TABLE items RENAME COLUMN name TO label");
    EXPECT_THAT(error_of(other, "INSERT INTO items VALUES (80, 80, 'x')"), HasSubstr("could not serialize access"));
    error_of(other, "ROLLBACK");
    db_.build_pending();
    expect_equal(session_, "the rebuild");
  }
}

// What is in the way in an older snapshot has been changed since, or is wrong: only the first is for him to try again.
TEST_F(ImmediateRows, AnOldSnapshotDoesNotHideThatItIsDamaged) {
  Session other(db_.dsn());
  for (const char* level : {"REPEATABLE READ", "SERIALIZABLE"}) {
    for (const char* damage : {"UPDATE st SET twice = 1 WHERE id = 10", "DELETE FROM st WHERE id = 10",
                               "INSERT INTO st VALUES (77, 1, 'x')"}) {
      session_.exec("BEGIN; SET LOCAL pgtrickle.apply = '" + id_ + "'; " + damage + "; COMMIT");
      ASSERT_FALSE(equals_query(session_, "st")) << damage;
      other.exec(std::string("BEGIN ISOLATION LEVEL ") + level);
      EXPECT_EQ(error_of(other, "UPDATE items SET v = v + 1 WHERE id = 10"), "");
      EXPECT_EQ(error_of(other, "INSERT INTO items VALUES (77, 9, 'y')"), "");
      EXPECT_EQ(error_of(other, "COMMIT"), "") << damage;
      EXPECT_EQ(waiting(session_), "0");
      EXPECT_EQ(session_.value("SELECT count(*) FROM pgtrickle.pgt_immediate_stopped"), "1") << damage;
      db_.build_pending();
      expect_equal_after("DELETE FROM items WHERE id = 77");
    }
  }
}

// What an older snapshot still shows is no damage.
TEST_F(ImmediateRows, WithoutLockingWhatIsInTheWayItIsStopped) {
  session_.exec("DO $$ BEGIN EXECUTE replace(pg_get_functiondef('pgtrickle_state.left_over_" + id_ +
                "'::regproc), 'FOR UPDATE OF t', ''); END $$");
  Session other(db_.dsn());
  other.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM others");
  session_.exec("DELETE FROM items WHERE id = 10");
  EXPECT_EQ(error_of(other, "INSERT INTO items VALUES (10, 61, 'y')"), "");
  EXPECT_EQ(error_of(other, "COMMIT"), "");
  EXPECT_EQ(session_.value("SELECT count(*) FROM pgtrickle.pgt_immediate_stopped"), "1")
      << "the lock is not needed for this";
  EXPECT_FALSE(equals_query(session_, "st"));
}

// A trigger of a user that fires before ours: what it has inserted was maintained before the TRUNCATE is.
TEST_F(ImmediateRows, TruncateWithATriggerThatInserts) {
  on_change("a_first", "AFTER TRUNCATE ON items FOR EACH STATEMENT", "INSERT INTO items VALUES (1, 40, 'new');");
  expect_equal_after("TRUNCATE items");
  session_.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
  expect_equal_after("TRUNCATE items");
  expect_equal_after("COMMIT");
}

// In an older snapshot it can only be emptied by TRUNCATE, which is not always possible: it is rebuilt then.
TEST_F(ImmediateRows, AWriterDoesNotFailBecauseItCannotBeTruncated) {
  session_.exec("CREATE TABLE refers (id int REFERENCES st)");
  Session other(db_.dsn());
  other.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM items");
  EXPECT_EQ(error_of(other, "TRUNCATE items"), "");
  EXPECT_EQ(error_of(other, "COMMIT"), "");
  EXPECT_EQ(session_.value("SELECT count(*) FROM pgtrickle.pgt_immediate_stopped"), "1");
  session_.exec("DROP TABLE refers");
  db_.build_pending();
  expect_equal(session_, "the rebuild");
}

// It reads one that is refreshed, is read by one of groups, and by one that is refreshed.
TEST_F(ImmediateRows, BetweenOthers) {
  db_.create_stream_table("before", "SELECT id, v, label FROM items WHERE id < 1000", "DIFFERENTIAL");
  db_.create_stream_table("rows_of", "SELECT id, v + 1 AS v FROM before", "IMMEDIATE");
  db_.create_stream_table("sums", "SELECT v % 3 AS g, sum(v) AS total FROM rows_of GROUP BY v % 3", "IMMEDIATE");
  db_.create_stream_table("joined", "SELECT s.id, r.v FROM st s JOIN rows_of r ON r.id = s.id", "IMMEDIATE");
  db_.create_stream_table("after", "SELECT id, twice FROM st WHERE twice > 9", "DIFFERENTIAL");
  for (const char* sql :
       {"UPDATE items SET v = v + 1", "DELETE FROM items WHERE id % 3 = 0",
        "INSERT INTO items SELECT 100 + i, i, 'n' FROM generate_series(1, 300) i",
        "UPDATE items SET id = id + 1000 WHERE id = 5", "TRUNCATE items", "INSERT INTO items VALUES (1, 10, 'last')"}) {
    expect_equal_after(sql);
    for (const char* name : {"before", "after"}) db_.refresh(name);
    for (const char* name : {"before", "rows_of", "sums", "joined", "after"})
      EXPECT_TRUE(equals_query(session_, name)) << name << " after " << sql;
  }
}

}  // namespace
