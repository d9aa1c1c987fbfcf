// IMMEDIATE stream tables whose rows are groups of one table of which all is added up
// (daemon/compiler/program/groups_at_once.h): what each statement changes is added to the groups after it, in any
// order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <pqxx/pqxx>
#include <thread>

#include "support/database.h"
#include "support/oracle.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::TestDatabase;
using ::testing::HasSubstr;

std::string error_of(Session& session, const std::string& sql) {
  try {
    session.exec(sql);
  } catch (const pqxx::failure& error) {
    return error.what();
  }
  return {};
}

class ImmediateGroups : public ::testing::Test {
 protected:
  ImmediateGroups() {
    session_.exec("CREATE TABLE items (id int PRIMARY KEY, kind int, v int, big bigint, amount numeric, label text)");
    session_.exec("CREATE TABLE others (id int, v int)");
    session_.exec(
        "INSERT INTO items SELECT i, nullif(i % 4, 0), i, i, i / 7.0, 'l' || i % 3 FROM generate_series(1, 20) i");
    create("sums",
           "SELECT kind, count(*) AS n, sum(v) AS total, avg(big) AS mean FROM items WHERE v > -90 GROUP BY kind");
  }

  void create(const std::string& name, const std::string& query) {
    db_.create_stream_table(name, query, "IMMEDIATE");
    names_.push_back(name);
    EXPECT_EQ(session_.value("SELECT to_regclass('pgtrickle_state.places_" + id_of(name) + "') IS NULL"), "t")
        << session_.value("SELECT plan FROM pgtrickle.pgt_stream_tables WHERE pgt_name = '" + name + "'");
  }

  void create_all() {
    create("texts",
           "SELECT upper(label) AS label, v > 5 AS many, count(v) AS n, bool_and(v < 15) AS small, "
           "sum(big) FILTER (WHERE v > 2) AS some FROM items GROUP BY upper(label), v > 5");
    create("amounts",
           "SELECT kind, sum(amount) + 1 AS total, avg(amount) AS mean, stddev(amount) AS deviation, "
           "count(*) AS n FROM items GROUP BY kind");
  }

  [[nodiscard]] std::string id_of(const std::string& name) {
    return session_.value("SELECT pgt_id FROM pgtrickle.pgt_stream_tables WHERE pgt_name = '" + name + "'");
  }
  [[nodiscard]] std::string state() { return "pgtrickle_state.node_" + id_of("sums") + "_1"; }

  /// A trigger of a user on items, before ours by its name or after it.
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
    for (const auto& name : names_) {
      EXPECT_TRUE(equals_query(session, name)) << name << " after " << after;
      EXPECT_EQ(session.value("SELECT count(*) FROM pgtrickle_state.changes_" + id_of(name) + "_1"), "0") << after;
    }
    EXPECT_EQ(session.value("SELECT bool_or(needs_reinit) FROM pgtrickle.pgt_stream_tables"), "f") << after;
    EXPECT_EQ(session.value("SELECT count(*) FROM " + state() + " WHERE n <= 0"), "0") << after;
  }

  /// Rewrites the function that maintains "sums".
  void rewrite(const std::string& what, const std::string& with) {
    const std::string function = "pgtrickle_state.changed_" + id_of("sums") + "_1";
    session_.exec("DO $$ BEGIN EXECUTE replace(pg_get_functiondef('" + function + "'::regproc), " +
                  session_.quote(what) + ", " + session_.quote(with) + "); END $$");
    ASSERT_EQ(session_.value("SELECT position(" + session_.quote(with) + " IN prosrc) > 0 FROM pg_proc WHERE oid = '" +
                             function + "'::regproc"),
              "t");
  }

  /// `second`, while `first` is not committed yet.
  std::pair<std::string, bool> run_both(const std::string& first, const std::string& second) {
    Session one(db_.dsn());
    Session two(db_.dsn());
    const std::string pid = two.value("SELECT pg_backend_pid()");
    one.exec("BEGIN; " + first);
    auto done = std::async(std::launch::async, [&] { return error_of(two, second); });
    bool waits = false;
    while (!waits && done.wait_for(20ms) != std::future_status::ready)
      waits = session_.value("SELECT cardinality(pg_blocking_pids(" + pid + ")) > 0") == "t";
    one.exec("COMMIT");
    return {done.get(), waits};
  }

  TestDatabase db_;
  Session session_{db_.dsn()};
  std::vector<std::string> names_;
};

TEST_F(ImmediateGroups, StatementsOfEveryKind) {
  create_all();
  for (
      const char* sql :
      {"INSERT INTO items VALUES (21, 1, 21, 1, 0.5, 'x'), (22, 9, 1, NULL, NULL, NULL), (23, NULL, -95, 1, 1, 'l1')",
       "UPDATE items SET v = v + 2",
       "UPDATE items SET kind = NULL WHERE id < 6",
       "UPDATE items SET label = label",
       "UPDATE items SET kind = 7 WHERE kind IS NULL",
       "UPDATE items SET big = NULL WHERE id % 2 = 0",
       "UPDATE items SET amount = 'NaN' WHERE id = 7",
       "UPDATE items SET v = v + 1 WHERE kind = 7",
       "UPDATE items SET amount = 'Infinity' WHERE id IN (5, 6)",
       "UPDATE items SET amount = amount / 3 WHERE kind = 7",
       "UPDATE items SET amount = 2.50 WHERE id IN (5, 7)",
       "INSERT INTO items VALUES (30, 7, 1, 1, 1.000, 'l1')",
       "DELETE FROM items WHERE id = 6",
       "UPDATE items SET amount = 1e200 WHERE id = 8",
       "INSERT INTO items VALUES (1, 3, 50, 5, 1, 'a'), (300, 3, 5, 5, 1, 'b') ON CONFLICT (id) DO UPDATE SET v = "
       "excluded.v, kind = excluded.kind",
       "INSERT INTO items VALUES (1, 51, 51) ON CONFLICT DO NOTHING",
       "WITH d AS (DELETE FROM items WHERE id = 1) INSERT INTO items VALUES (400, 3, 7, 1, 1, 'c')",
       "WITH d AS (DELETE FROM items WHERE id < 5), u AS (UPDATE items SET v = 90, kind = 8 WHERE id = 8) INSERT INTO "
       "items VALUES (401, 8, 7)",
       "MERGE INTO items t USING (VALUES (8, 1), (9, NULL), (500, 6)) AS s(id, v) ON t.id = s.id WHEN MATCHED AND s.v IS "
       "NULL THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT (id, kind, v) VALUES (s.id, "
       "8, s.v)",
       "INSERT INTO items SELECT 1000 + i, i % 700, i, i, i, repeat('l', i % 50) FROM generate_series(1, 3000) i",
       "UPDATE items SET kind = kind + 1 WHERE id > 1000",
       "DELETE FROM items WHERE id > 1500",
       "UPDATE items SET kind = 1 - kind, v = -v WHERE id < 1200",
       "DELETE FROM items WHERE kind = 7",
       "TRUNCATE items",
       "INSERT INTO items VALUES (1, 10, NULL)",
       "DELETE FROM items",
       "INSERT INTO items VALUES (1, NULL, NULL), (2, NULL, 1)"})
    expect_equal_after(sql);
  session_.exec("BEGIN");
  expect_equal_after("UPDATE items SET v = 11");
  expect_equal_after("SAVEPOINT s; DELETE FROM items");
  expect_equal_after("INSERT INTO items VALUES (3, NULL, 5)");
  expect_equal_after("ROLLBACK TO s");
  expect_equal_after("COMMIT");
}

// A trigger before ours changes the same rows again: its statement is maintained first.
TEST_F(ImmediateGroups, WhatHappenedFirstMayComeLast) {
  create_all();
  const char* const what[] = {
      "UPDATE items SET v = v + 1, kind = kind % 3 + 1 WHERE id IN (5, 6);",
      "DELETE FROM items WHERE id = 5; INSERT INTO items VALUES (5, 70, 1, 1, 'NaN', 'again');",
      "DELETE FROM items WHERE id >= 99;",
      "UPDATE items SET amount = 'NaN' WHERE id = 5; UPDATE items SET amount = 1.5 WHERE id = 5;",
      "UPDATE items SET kind = NULL; DELETE FROM items WHERE id = 99;"};
  for (const char* name : {"a_first", "zz_last"}) {
    for (const char* when : {"AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH STATEMENT",
                             "AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH ROW",
                             "BEFORE INSERT OR UPDATE ON items FOR EACH STATEMENT"}) {
      for (const char* does : what) {
        on_change(name, when, does);
        for (const char* sql :
             {"UPDATE items SET v = v + 1 WHERE id BETWEEN 5 AND 6", "INSERT INTO items VALUES (99, 50, 9, 9, 9, 'n')",
              "UPDATE items SET v = v - 5, label = 'u' WHERE id < 9", "DELETE FROM items WHERE id IN (5, 99)",
              "INSERT INTO items VALUES (5, 8, 1) ON CONFLICT (id) DO UPDATE SET v = items.v + 1"}) {
          const std::string error = error_of(session_, sql);  // the trigger may change what its statement is about to
          expect_equal(session_, std::string(sql) + " with " + does + " " + when + ": " + error);
        }
        session_.exec(std::string("DROP TRIGGER ") + name + " ON items");
      }
    }
  }
}

// All of the group's rows are deleted before they are inserted: without what is left of it the rest would be lost.
TEST_F(ImmediateGroups, AGroupGoesOnlyWhenAllOfItIsNothing) {
  on_change("a_first", "AFTER INSERT ON items FOR EACH STATEMENT", "DELETE FROM items WHERE id = 99;");
  session_.exec("INSERT INTO items VALUES (50, 60, 7)");
  expect_equal_after("INSERT INTO items VALUES (99, 60, 1000), (98, 60, 1)");
  rewrite("s.n = 0 AND", "s.n <= 0 OR");
  const std::string error = error_of(session_, "INSERT INTO items VALUES (99, 61, 1000), (97, 61, 1)");
  if (error.empty()) {
    EXPECT_FALSE(equals_query(session_, "sums")) << "it need not be kept for this";
  }
}

TEST_F(ImmediateGroups, ForeignKeysCascade) {
  session_.exec("CREATE TABLE kinds (id int PRIMARY KEY); INSERT INTO kinds SELECT generate_series(1, 9)");
  session_.exec(
      "ALTER TABLE items ADD FOREIGN KEY (kind) REFERENCES kinds ON DELETE CASCADE ON UPDATE CASCADE NOT VALID");
  create_all();
  expect_equal_after("UPDATE kinds SET id = id + 100 WHERE id < 3");
  expect_equal_after("DELETE FROM kinds WHERE id IN (3, 101)");
  expect_equal_after("WITH k AS (INSERT INTO kinds VALUES (77)) UPDATE items SET kind = 102 WHERE kind IS NULL");
  expect_equal_after("TRUNCATE kinds CASCADE");
}

TEST_F(ImmediateGroups, TwoWritersOfOneGroup) {
  struct Case {
    const char* first;
    const char* second;
  };
  for (const auto& [first, second] :
       {Case{"INSERT INTO items VALUES (201, 1, 5)", "INSERT INTO items VALUES (202, 1, 7)"},
        Case{"INSERT INTO items VALUES (203, 50, 5)", "INSERT INTO items VALUES (204, 50, 7)"},
        Case{"INSERT INTO items VALUES (205, NULL, 5)", "UPDATE items SET kind = NULL WHERE id = 204"},
        Case{"DELETE FROM items WHERE id = 203", "INSERT INTO items VALUES (206, 50, 7)"},
        Case{"DELETE FROM items WHERE id = 201", "DELETE FROM items WHERE id = 202"},
        Case{"DELETE FROM items WHERE id = 206", "UPDATE items SET v = v + 1 WHERE kind = 1"}}) {
    const auto [error, waits] = run_both(first, second);
    EXPECT_EQ(error, "");
    EXPECT_EQ(waits, std::string(second).find("kind = 1") == std::string::npos) << second;
    expect_equal(session_, second);
  }
}

// Of two writers the second one has read before the COMMIT of the first.
TEST_F(ImmediateGroups, ReadingWhatIsAddedToIsWrong) {
  rewrite("n = s.n + excluded.n",
          "n = (SELECT x.n FROM " + state() + " x WHERE x.kind IS NOT DISTINCT FROM s.kind) + excluded.n");
  const auto [error, waits] = run_both("INSERT INTO items VALUES (201, 1, 5)", "INSERT INTO items VALUES (202, 1, 7)");
  EXPECT_TRUE(waits);
  EXPECT_FALSE(error.empty() && equals_query(session_, "sums")) << "adding in place is not needed for this";
}

TEST_F(ImmediateGroups, StatementsThatChangeTheSameGroupsDoNotDeadlock) {
  create_all();
  std::vector<std::thread> writers;
  for (int w = 0; w < 3; ++w)
    writers.emplace_back([&, w] {
      Session mine(db_.dsn());
      mine.exec("SET deadlock_timeout = '10ms'");
      const std::string remainder = std::to_string(w);
      for (int i = 0; i < 30; ++i) {
        EXPECT_EQ(
            error_of(mine, "INSERT INTO items SELECT " + std::to_string(1000 + w * 10000 + i * 100) + " + j, (j * " +
                               std::to_string(w * 2 + 1) + ") % 11, j, j, j, 'm' FROM generate_series(1, 12) j"),
            "");
        EXPECT_EQ(error_of(mine, "UPDATE items SET v = v + 1, kind = 10 - kind WHERE id > 1000 AND id / 10000 = " +
                                     remainder),
                  "");
      }
    });
  for (auto& writer : writers) writer.join();
  expect_equal(session_, "three writers");
}

// Only who is interfered with has to try again.
TEST_F(ImmediateGroups, OldSnapshots) {
  create_all();
  Session other(db_.dsn());
  for (const char* level : {"REPEATABLE READ", "SERIALIZABLE"}) {
    const auto begin = [&] {
      other.exec(std::string("BEGIN ISOLATION LEVEL ") + level);
      other.exec("SELECT count(*) FROM others");
    };
    const auto expect_refused = [&](const char* first, const char* second) {
      begin();
      session_.exec(first);
      EXPECT_THAT(error_of(other, second), HasSubstr("could not serialize access")) << first << "; " << second;
      other.exec("ROLLBACK");
      expect_equal(session_, first);
    };
    begin();
    session_.exec("UPDATE items SET v = v + 1 WHERE kind = 1; INSERT INTO items VALUES (60, 60, 1, 1, 1, 'x')");
    EXPECT_EQ(error_of(other, "UPDATE items SET v = v + 1, label = 'of ' || label WHERE id = 3"), "");
    EXPECT_EQ(error_of(other, "INSERT INTO items VALUES (61, 61, 1, 1, 1, 'y')"), "");
    expect_equal(other, "a statement beside another one");
    EXPECT_EQ(error_of(other, "COMMIT"), "");
    expect_equal(session_, "its COMMIT");

    expect_refused("UPDATE items SET v = v + 1 WHERE id = 60", "INSERT INTO items VALUES (70, 60, 1)");
    expect_refused("INSERT INTO items VALUES (63, 63, 1)", "INSERT INTO items VALUES (70, 63, 1)");
    expect_refused("INSERT INTO items VALUES (64, NULL, 1)", "INSERT INTO items VALUES (70, NULL, 1)");
    expect_refused("DELETE FROM items WHERE id = 63", "INSERT INTO items VALUES (70, 63, 1)");
    expect_refused("DELETE FROM items WHERE kind IS NULL", "INSERT INTO items VALUES (70, NULL, 1)");

    begin();
    session_.exec("INSERT INTO items VALUES (71, 71, 70, 1, 1, 'x')");
    EXPECT_EQ(error_of(other, "TRUNCATE items"), "");
    expect_equal(other, "TRUNCATE");
    EXPECT_EQ(error_of(other, "INSERT INTO items VALUES (72, 1, 1)"), "");
    expect_equal(other, "INSERT after TRUNCATE");
    EXPECT_EQ(error_of(other, "COMMIT"), "");
    expect_equal(session_, "TRUNCATE");
    session_.exec("INSERT INTO items SELECT i, nullif(i % 4, 0), i, i, i, 'l' || i FROM generate_series(1, 20) i");
    expect_equal(session_, "INSERT");

    begin();
    session_.exec("ALTER TABLE items RENAME COLUMN label TO name; ALTER TABLE items RENAME COLUMN name TO label");
    EXPECT_THAT(error_of(other, "INSERT INTO items VALUES (80, 80)"), HasSubstr("could not serialize access"));
    other.exec("ROLLBACK");
    db_.build_pending();
    expect_equal(session_, "the rebuild");
  }
}

// The group is there twice in the snapshot: as it was, and as it is made again.
TEST_F(ImmediateGroups, AGroupThatWasEmptiedSinceTheSnapshotIsLocked) {
  session_.exec("INSERT INTO items VALUES (63, 63, 1)");
  rewrite("FOR UPDATE OF o", "");
  Session other(db_.dsn());
  other.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM others");
  session_.exec("DELETE FROM items WHERE id = 63");
  EXPECT_EQ(error_of(other, "INSERT INTO items VALUES (70, 63, 1)"), "");
  EXPECT_FALSE(equals_query(other, "sums")) << "the lock is not needed for this";
  EXPECT_EQ(error_of(other, "COMMIT"), "");
  expect_equal(session_, "its COMMIT");
}

// A trigger of a user that fires before ours: what it has inserted was maintained before the TRUNCATE is.
TEST_F(ImmediateGroups, TruncateWithATriggerThatInserts) {
  create_all();
  on_change("a_first", "AFTER TRUNCATE ON items FOR EACH STATEMENT",
            "INSERT INTO items VALUES (1, 1, 4, 4, 4, 'new');");
  expect_equal_after("TRUNCATE items");
  session_.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
  expect_equal_after("TRUNCATE items");
  expect_equal_after("COMMIT");
}

// Somebody who may do anything has written to its state.
TEST_F(ImmediateGroups, LessThanNothingHasItRebuilt) {
  session_.exec("UPDATE " + state() + " SET n = 0 WHERE kind = 1");
  EXPECT_EQ(error_of(session_, "DELETE FROM items WHERE id = 1"), "");
  EXPECT_EQ(session_.value("SELECT reinit_reason FROM pgtrickle.pgt_stream_tables"),
            "its state was not what it should have been");
  db_.build_pending();
  expect_equal_after("UPDATE items SET v = v + 1");
}

TEST_F(ImmediateGroups, DroppingItLeavesWritersAlone) {
  session_.exec("SELECT pgtrickle.drop_stream_table('sums')");
  for (const char* sql : {"INSERT INTO items VALUES (30, 30, 1)", "UPDATE items SET v = 9 WHERE id = 30",
                          "DELETE FROM items WHERE id = 9", "TRUNCATE items"})
    EXPECT_EQ(error_of(session_, sql), "");
}

// Once it is stopped, its program names nothing of the source any more.
TEST_F(ImmediateGroups, AWriterDoesNotFailBecauseASourceWasAltered) {
  session_.exec("ALTER TABLE items RENAME COLUMN v TO what");
  for (const char* sql :
       {"INSERT INTO items (id, kind, what) VALUES (30, 30, 1)", "UPDATE items SET what = 9 WHERE id = 30",
        "DELETE FROM items WHERE id = 9", "TRUNCATE items", "INSERT INTO items (id, kind, what) VALUES (1, 8, 1)"})
    EXPECT_EQ(error_of(session_, sql), "");
  db_.build_pending();
  EXPECT_EQ(db_.effective_mode("sums"), "IMMEDIATE");
  expect_equal_after("UPDATE items SET what = 12");
}

TEST_F(ImmediateGroups, NothingIsLostWhenTheModeChanges) {
  create_all();
  for (const auto& name : names_)
    session_.exec("SELECT pgtrickle.alter_stream_table('" + name + "', refresh_mode => 'DIFFERENTIAL')");
  session_.exec("UPDATE items SET v = v + 1, amount = 'NaN' WHERE id < 4");
  db_.build_pending();
  session_.exec("UPDATE items SET kind = 5, amount = 1 WHERE id < 4");
  for (const auto& name : names_) {
    db_.refresh(name);
    EXPECT_TRUE(equals_query(session_, name));
    session_.exec("SELECT pgtrickle.alter_stream_table('" + name + "', refresh_mode => 'IMMEDIATE')");
  }
  session_.exec("DELETE FROM items WHERE id > 15");
  db_.build_pending();
  expect_equal_after("UPDATE items SET kind = NULL WHERE id = 1");
}

// It reads one that is refreshed and one of rows, is read by others, and by one that is refreshed.
TEST_F(ImmediateGroups, BetweenOthers) {
  db_.create_stream_table("before", "SELECT id, kind, v FROM items WHERE id < 1000", "DIFFERENTIAL");
  db_.create_stream_table("rows_of", "SELECT id, kind, v FROM items WHERE v > 3", "IMMEDIATE");
  db_.create_stream_table("of_before", "SELECT kind, sum(v) AS total FROM before GROUP BY kind", "IMMEDIATE");
  db_.create_stream_table("of_rows", "SELECT kind, sum(v) AS total FROM rows_of GROUP BY kind", "IMMEDIATE");
  db_.create_stream_table("over", "SELECT n, count(*) AS kinds FROM sums GROUP BY n", "IMMEDIATE");
  db_.create_stream_table("joined", "SELECT s.kind, s.n, r.total FROM sums s JOIN of_rows r ON r.kind = s.kind",
                          "IMMEDIATE");
  db_.create_stream_table("after", "SELECT kind, total FROM sums WHERE total > 9", "DIFFERENTIAL");
  for (const char* sql : {"UPDATE items SET v = v + 1", "DELETE FROM items WHERE id % 3 = 0",
                          "INSERT INTO items SELECT 100 + i, i % 20, i FROM generate_series(1, 300) i",
                          "UPDATE items SET kind = kind + 1000 WHERE kind = 1", "TRUNCATE items",
                          "INSERT INTO items VALUES (1, 10, 9)"}) {
    expect_equal_after(sql);
    for (const char* name : {"before", "after"}) db_.refresh(name);
    for (const char* name : {"before", "rows_of", "of_before", "of_rows", "over", "joined", "after"})
      EXPECT_TRUE(equals_query(session_, name)) << name << " after " << sql;
  }
}

}  // namespace
