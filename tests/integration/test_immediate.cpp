// IMMEDIATE stream tables: equal to their queries after every statement, whatever it touches and in which order;
// writers go one after the other, and none of them fails because of a stream table. No daemon runs: builds are made
// here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <pqxx/pqxx>
#include <thread>

#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"
#include "support/roles.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::TestDatabase;
using ::testing::HasSubstr;

class Immediate : public ::testing::Test {
 protected:
  Immediate() {
    session_.exec("CREATE TABLE kinds (id int PRIMARY KEY, label text)");
    session_.exec(
        "CREATE TABLE items (id int PRIMARY KEY, kind int REFERENCES kinds ON DELETE CASCADE ON UPDATE CASCADE, v int)");
    session_.exec("INSERT INTO kinds SELECT i, 'k' || i FROM generate_series(1, 4) i");
    session_.exec("INSERT INTO items SELECT i, 1 + i % 4, i FROM generate_series(1, 20) i");
  }

  void create(const std::string& name, const std::string& query) {
    db_.create_stream_table(name, query, "IMMEDIATE");
    ASSERT_EQ(db_.effective_mode(name), "IMMEDIATE");
    names_.push_back(name);
  }

  /// A join with aggregates and an extremum, an outer join, rows without a key.
  void create_all() {
    create(
        "totals",
        "SELECT k.label, count(*) AS n, sum(i.v) AS total, max(i.v) AS most FROM items i JOIN kinds k ON k.id = i.kind "
        "GROUP BY k.label");
    create("labels", "SELECT k.id, k.label, i.v FROM kinds k LEFT JOIN items i ON i.kind = k.id");
    create("values_of", "SELECT v % 3 AS v FROM items WHERE v > 2");
    create("of_totals", "SELECT n, count(*) AS labels FROM totals GROUP BY n");
    create("diamond", "SELECT t.label, t.n, l.v FROM totals t JOIN labels l ON l.label = t.label");
  }

  void expect_equal(Session& session, const std::string& after) {
    for (const auto& name : names_) EXPECT_TRUE(equals_query(session, name)) << name << " after " << after;
  }

  void expect_equal_after(const std::string& sql) {
    ASSERT_NO_THROW(session_.exec(sql)) << sql;
    expect_equal(session_, sql);
  }

  static std::string error_of(Session& session, const std::string& sql) {
    try {
      session.exec(sql);
    } catch (const pqxx::failure& error) {  // a serialization failure is no sql_error
      return error.what();
    }
    return {};
  }

  std::string column(const std::string& name, const std::string& what) {
    return session_.value("SELECT coalesce(" + what +
                          "::text, '') FROM pgtrickle.pgt_stream_tables WHERE pgt_name = '" + name + "'");
  }

  pgt::test::Roles roles_;
  TestDatabase db_;
  Session session_{db_.dsn()};
  std::vector<std::string> names_;
};

// Not for any query that it could be, with any schedule, nor if the mode is changed to AUTO and back.
TEST_F(Immediate, AutoNeverChoosesIt) {
  const char* const queries[] = {"SELECT id, v FROM items", "SELECT kind, sum(v) AS total FROM items GROUP BY kind",
                                 "SELECT k.label, i.v FROM items i JOIN kinds k ON k.id = i.kind",
                                 "SELECT count(*) AS n FROM items"};
  for (const std::string schedule : {"", "1s", "continuous 50 ms", "calculated"}) {
    for (const char* query : queries) {
      const std::string name = "auto_" + std::to_string(names_.size());
      session_.exec("SELECT pgtrickle.create_stream_table('" + name + "', " + session_.quote(query) +
                    (schedule.empty() ? "" : ", schedule => '" + schedule + "'") + ", refresh_mode => 'AUTO')");
      db_.build(name);
      names_.push_back(name);
      EXPECT_EQ(db_.effective_mode(name), "DIFFERENTIAL") << schedule << ": " << query;
    }
  }
  session_.exec("SELECT pgtrickle.alter_stream_table('auto_0', refresh_mode => 'IMMEDIATE')");
  db_.build_pending();
  EXPECT_EQ(db_.effective_mode("auto_0"), "IMMEDIATE");
  session_.exec("SELECT pgtrickle.alter_stream_table('auto_0', refresh_mode => 'AUTO')");
  db_.build_pending();
  EXPECT_EQ(db_.effective_mode("auto_0"), "DIFFERENTIAL");
  EXPECT_EQ(session_.value("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'pgtrickle\\_now%'"), "0");
}

// The compiler looked at the first of no sources, and the daemon was gone.
TEST_F(Immediate, WhatReadsNothingHasNoTriggers) {
  db_.create_stream_table("st", "SELECT 1 AS a UNION ALL VALUES (2), (2)", "IMMEDIATE");
  EXPECT_EQ(session_.table("SELECT * FROM st ORDER BY a"), "1\n2\n2");
  EXPECT_EQ(session_.value("SELECT effective_refresh_mode FROM pgtrickle.pgt_stream_tables"), "IMMEDIATE");
}

TEST_F(Immediate, AStatementThatChangesSeveralSourcesCountsOnce) {
  create_all();
  expect_equal_after(
      "WITH k AS (INSERT INTO kinds VALUES (5, 'k5') RETURNING id), i AS (INSERT INTO items VALUES (50, 4, 5)), "
      "d AS (DELETE FROM items WHERE id = 1) UPDATE kinds SET label = 'new' WHERE id = 2");
  expect_equal_after(
      "WITH d AS (DELETE FROM items WHERE kind = 3), u AS (UPDATE kinds SET label = 'k1' WHERE id = 3) "
      "INSERT INTO items VALUES (60, 3, 7)");
  expect_equal_after("UPDATE kinds SET id = id + 10 WHERE id IN (1, 2)");  // cascades
  expect_equal_after("DELETE FROM kinds WHERE id > 3");
  expect_equal_after(
      "INSERT INTO kinds VALUES (3, 'x'), (9, 'y') ON CONFLICT (id) DO UPDATE SET label = excluded.label");
  expect_equal_after(
      "MERGE INTO items t USING (VALUES (50, 3, 1), (51, 3, 2), (60, 3, NULL)) AS s(id, kind, v) ON t.id = s.id\n"
      "WHEN MATCHED AND s.v IS NULL THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES "
      "(s.id, s.kind, s.v)");
  expect_equal_after("TRUNCATE kinds CASCADE");
  expect_equal_after("INSERT INTO kinds VALUES (1, NULL), (2, NULL)");
}

TEST_F(Immediate, TriggersOfUsersMayChangeOtherSources) {
  session_.exec(
      "CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n"
      "  IF pg_trigger_depth() < 3 THEN UPDATE kinds SET label = label || '.' WHERE id = 1; INSERT INTO items VALUES "
      "((SELECT max(id) + 1 FROM items), 2, 3); END IF; RETURN NULL; END $$");
  create_all();
  for (const char* name : {"a_first", "zz_last"}) {
    for (const char* level : {"ROW", "STATEMENT"}) {
      session_.exec(std::string("CREATE TRIGGER ") + name + " AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH " +
                    level + " EXECUTE FUNCTION follow()");
      expect_equal_after("INSERT INTO items VALUES ((SELECT max(id) + 1 FROM items), 1, 5)");
      expect_equal_after("DELETE FROM items WHERE id IN (SELECT max(id) FROM items WHERE kind = 2)");
      session_.exec(std::string("DROP TRIGGER ") + name + " ON items");
    }
  }
}

TEST_F(Immediate, WhatIsUndoneIsUndoneThereToo) {
  create_all();
  session_.exec("BEGIN");
  session_.exec("UPDATE items SET v = v + 1");
  session_.exec("SAVEPOINT s");
  session_.exec("DELETE FROM kinds WHERE id = 1");
  expect_equal(session_, "DELETE in a transaction");
  session_.exec("ROLLBACK TO s");
  expect_equal(session_, "ROLLBACK TO SAVEPOINT");
  // The second statement counts itself and then fails.
  session_.exec(
      "DO $$ BEGIN INSERT INTO items VALUES (70, 2, 2); BEGIN INSERT INTO items VALUES (71, 2, 2), (70, 2, 2); EXCEPTION "
      "WHEN unique_violation THEN UPDATE kinds SET label = 'caught' WHERE id = 2; END; END $$");
  expect_equal(session_, "a caught exception");
  session_.exec("COMMIT");
  expect_equal_after("INSERT INTO items VALUES (80, 3, 3)");
  int counted = 0;
  for (const auto& row : session_.exec("SELECT c.oid::regclass FROM pg_class c WHERE c.relname LIKE 'places\\_%' AND "
                                       "c.relkind = 'r'")) {
    EXPECT_EQ(session_.value(std::string("SELECT sum(running) FROM ") + row[0].c_str()), "0") << row[0].c_str();
    ++counted;
  }
  EXPECT_EQ(counted, 4) << "statements are counted for all but one";
}

TEST_F(Immediate, WritersGoOneAfterTheOther) {
  create_all();
  Session other(db_.dsn());
  session_.exec("BEGIN; INSERT INTO items VALUES (90, 1, 100)");
  auto waits = std::async(std::launch::async, [&] { other.exec("UPDATE kinds SET label = 'moved' WHERE id = 1"); });
  EXPECT_EQ(waits.wait_for(300ms), std::future_status::timeout);
  session_.exec("COMMIT");
  waits.get();
  expect_equal(session_, "two writers");
}

TEST_F(Immediate, ManyWritersAtOnce) {
  create_all();
  std::vector<std::thread> writers;
  for (int w = 0; w < 6; ++w)
    writers.emplace_back([&, w] {
      Session mine(db_.dsn());
      for (int i = 0; i < 25; ++i) {
        const std::string id = std::to_string(1000 + w * 100 + i);
        const char* const ends[] = {"COMMIT", "ROLLBACK", "ROLLBACK TO s; COMMIT"};
        error_of(mine, "BEGIN");
        error_of(mine,
                 "INSERT INTO items VALUES (" + id + ", 1 + " + id + " % 4, " + std::to_string(i) + "); SAVEPOINT s");
        error_of(mine,
                 "UPDATE kinds SET label = 'w" + std::to_string(w % 3) + "' WHERE id = 1 + " + std::to_string(i % 4));
        error_of(mine, ends[i % 3]);
        error_of(mine, "ROLLBACK");
        error_of(mine,
                 "DELETE FROM items WHERE v = " + std::to_string(i - 3) + " AND kind = 1 + " + std::to_string(w % 4));
      }
    });
  for (auto& writer : writers) writer.join();
  expect_equal(session_, "many writers");
  EXPECT_GT(std::stoi(session_.value("SELECT count(*) FROM items WHERE id >= 1000")), 0);
}

TEST_F(Immediate, ASnapshotThatIsTooOldIsASerializationFailure) {
  create_all();
  Session other(db_.dsn());
  for (const char* level : {"REPEATABLE READ", "SERIALIZABLE"}) {
    other.exec(std::string("BEGIN ISOLATION LEVEL ") + level);
    other.exec("SELECT count(*) FROM kinds");
    session_.exec("UPDATE items SET v = v + 1 WHERE id = 3");
    EXPECT_THAT(error_of(other, "UPDATE kinds SET label = 'late' WHERE id = 4"),
                HasSubstr("could not serialize access"));
    other.exec("ROLLBACK");
    other.exec(std::string("BEGIN ISOLATION LEVEL ") + level);
    EXPECT_EQ(error_of(other, "UPDATE kinds SET label = 'in time' WHERE id = 4"), "");
    expect_equal(other, "a statement with a fresh snapshot");
    other.exec("COMMIT");
    expect_equal(session_, "its COMMIT");
  }
}

// Its triggers run, as they are there by now, but of what they need its snapshot shows nothing: what it writes would be
// lost. So it is for a refresh that took its snapshot before a reader of its stream table became IMMEDIATE.
TEST_F(Immediate, ASnapshotFromBeforeItWasImmediateIsASerializationFailure) {
  Session other(db_.dsn());
  other.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
  other.exec("SELECT count(*) FROM kinds");
  create("totals", "SELECT kind, sum(v) AS total FROM items GROUP BY kind");
  EXPECT_THAT(error_of(other, "INSERT INTO items VALUES (91, 1, 1)"), HasSubstr("could not serialize access"));
  other.exec("ROLLBACK");
  expect_equal(session_, "the error");
  other.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO items VALUES (91, 1, 1); COMMIT");
  expect_equal(session_, "trying again");
}

TEST_F(Immediate, AWriterDoesNotFailBecauseASourceWasAltered) {
  create_all();
  session_.exec("ALTER TABLE items RENAME COLUMN v TO amount");
  EXPECT_EQ(error_of(session_, "INSERT INTO items VALUES (91, 1, 1)"), "");
  EXPECT_EQ(column("totals", "needs_reinit"), "true");
  db_.build_pending();
  db_.build_pending();
  expect_equal(session_, "the rebuild");
  for (const auto& name : names_) EXPECT_EQ(db_.effective_mode(name), "IMMEDIATE");
  expect_equal_after("INSERT INTO items VALUES (92, 2, 1)");

  Session old(db_.dsn());
  old.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM kinds");
  session_.exec("ALTER TABLE items RENAME COLUMN amount TO v");
  EXPECT_THAT(error_of(old, "INSERT INTO items VALUES (93, 2, 1)"), HasSubstr("could not serialize access"));
  old.exec("ROLLBACK");
}

TEST_F(Immediate, WithoutEventTriggersItLooksForItself) {
  for (const auto& row : session_.exec("SELECT evtname FROM pg_event_trigger WHERE evtname LIKE 'pgtrickle%'"))
    session_.exec(std::string("DROP EVENT TRIGGER ") + row[0].c_str());
  create("totals", "SELECT kind, sum(v) AS total FROM items GROUP BY kind");
  create("rows", "SELECT id, v FROM items");
  expect_equal_after("UPDATE items SET v = v + 1 WHERE id < 5");
  session_.exec("ALTER TABLE items RENAME COLUMN v TO amount");
  EXPECT_EQ(error_of(session_, "INSERT INTO items VALUES (110, 1, 1)"), "");
  EXPECT_EQ(column("totals", "reinit_reason"), "what it reads is not what it was");
  session_.exec("ALTER TABLE items RENAME COLUMN amount TO v");
  db_.build_pending();
  db_.build_pending();
  expect_equal_after("INSERT INTO items VALUES (111, 1, 1)");
  session_.exec("CREATE UNIQUE INDEX ON rows (v, id)");
  EXPECT_EQ(error_of(session_, "UPDATE items SET v = v - 1"), "");
  EXPECT_EQ(column("rows", "needs_reinit"), "true");
  session_.exec("ALTER TABLE items DISABLE TRIGGER ALL");
  session_.exec("SELECT pgtrickle._settle_rights()");  // as the daemon does
  EXPECT_EQ(column("totals", "needs_reinit"), "true");
}

TEST_F(Immediate, TriggersThatSomebodyDropsOrDisablesAreMadeAgain) {
  create("totals", "SELECT kind, count(*) AS n FROM items GROUP BY kind");
  const std::string trigger = session_.value(
      "SELECT tgname FROM pg_trigger WHERE tgrelid = 'items'::regclass AND tgname LIKE 'pgtrickle\\_now\\_%\\_i'");
  for (const std::string how : {"ALTER TABLE items DISABLE TRIGGER ", "DROP TRIGGER "}) {
    session_.exec(how + trigger + (how.starts_with("DROP") ? " ON items" : ""));
    EXPECT_EQ(column("totals", "reinit_reason"), "a trigger of it was dropped or disabled");
    session_.exec("INSERT INTO items SELECT max(id) + 1, 1, 1 FROM items");
    db_.build_pending();
    expect_equal_after("INSERT INTO items SELECT max(id) + 1, 1, 1 FROM items");
  }
}

TEST_F(Immediate, NothingIsLostWhenTheModeChanges) {
  create("totals", "SELECT kind, count(*) AS n, sum(v) AS total FROM items GROUP BY kind");
  EXPECT_EQ(session_.value("SELECT bool_and(muted) FROM pgtrickle.pgt_sources"), "t");
  session_.exec("SELECT pgtrickle.alter_stream_table('totals', refresh_mode => 'DIFFERENTIAL')");
  expect_equal_after("INSERT INTO items VALUES (101, 1, 1)");  // the old triggers go on until the new program is there
  db_.build_pending();
  EXPECT_EQ(db_.effective_mode("totals"), "DIFFERENTIAL");
  EXPECT_EQ(session_.value("SELECT bool_or(muted) FROM pgtrickle.pgt_sources"), "f");
  session_.exec("UPDATE items SET v = v + 1");
  db_.refresh("totals");
  expect_equal(session_, "a refresh");
  EXPECT_EQ(session_.value("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'pgtrickle\\_now%'"), "0");

  session_.exec("DELETE FROM items WHERE v > 15");  // pending when the mode changes
  session_.exec("SELECT pgtrickle.alter_stream_table('totals', refresh_mode => 'IMMEDIATE')");
  session_.exec("INSERT INTO items VALUES (102, 1, 1)");
  db_.build_pending();
  EXPECT_EQ(db_.effective_mode("totals"), "IMMEDIATE");
  expect_equal_after("DELETE FROM items WHERE kind = 2");
}

TEST_F(Immediate, AnotherReaderOfAMutedSourceGetsItsLog) {
  create("totals", "SELECT kind, count(*) AS n FROM items GROUP BY kind");
  db_.create_stream_table("later", "SELECT id, v FROM items", "DIFFERENTIAL");
  session_.exec("INSERT INTO items VALUES (103, 1, 9)");
  expect_equal(session_, "an INSERT");
  db_.refresh("later");
  EXPECT_TRUE(equals_query(session_, "later"));
}

TEST_F(Immediate, PausingStopsTheTriggersAndResumingBuildsItAgain) {
  create("totals", "SELECT kind, count(*) AS n FROM items GROUP BY kind");
  session_.exec("SELECT pgtrickle.alter_stream_table('totals', status => 'PAUSED')");
  session_.exec("INSERT INTO items VALUES (104, 1, 9)");
  EXPECT_FALSE(equals_query(session_, "totals"));
  session_.exec("SELECT pgtrickle.resume_stream_table('totals')");
  db_.build_pending();
  expect_equal_after("INSERT INTO items VALUES (105, 1, 9)");
}

TEST_F(Immediate, ATriggerOnItThatChangesItsSourceIsRefused) {
  create("totals", "SELECT kind, count(*) AS n FROM items GROUP BY kind");
  session_.exec(
      "CREATE FUNCTION loop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.items SELECT max(id) + 1, 1, "
      "1 FROM public.items; RETURN NULL; END $$");
  session_.exec("CREATE TRIGGER loop AFTER UPDATE ON totals FOR EACH STATEMENT EXECUTE FUNCTION loop()");
  EXPECT_THAT(error_of(session_, "INSERT INTO items VALUES (106, 1, 1)"),
              AllOf(HasSubstr("public.totals of"), HasSubstr("is being maintained by this very statement"),
                    HasSubstr("drop that trigger")));
  session_.exec("DROP TRIGGER loop ON totals");
  expect_equal_after("INSERT INTO items VALUES (106, 1, 1)");
}

// Nothing catches it: the error is that of the query, and its CONTEXT says whose.
TEST_F(Immediate, AnErrorOfItsQueryNamesItItsOwnerAndTheWayOut) {
  create("quotients", "SELECT id, 100 / v AS q FROM items");
  create("sums", "SELECT k.label, sum(100 / i.v) AS q FROM items i JOIN kinds k ON k.id = i.kind GROUP BY k.label");
  session_.exec("SELECT pgtrickle.alter_stream_table('sums', refresh_mode => 'DIFFERENTIAL')");
  for (const auto* name : {"quotients", "sums"}) {
    for (const auto* rows : {"VALUES (1000, 1, 0)", "SELECT 1000 + i, 1, i FROM generate_series(0, 999) i"}) {
      try {
        session_.exec(std::string("INSERT INTO items ") + rows);
        ADD_FAILURE() << name << ": " << rows;
      } catch (const pqxx::sql_error& error) {
        EXPECT_EQ(error.sqlstate(), "22012");
        EXPECT_THAT(error.what(), HasSubstr("For IMMEDIATE stream table public." + std::string(name) + " of postgres"));
        EXPECT_THAT(error.what(), HasSubstr("pgtrickle.alter_stream_table('public." + std::string(name) +
                                            "', refresh_mode => 'DIFFERENTIAL')"));
      }
    }
    expect_equal(session_, "the error");
    session_.exec(
        "SELECT pgtrickle.alter_stream_table('quotients', refresh_mode => 'DIFFERENTIAL'), "
        "pgtrickle.alter_stream_table('sums', refresh_mode => 'IMMEDIATE')");
    db_.build_pending();
    names_ = {"sums"};
  }
}

TEST_F(Immediate, DroppingItLeavesWritersAlone) {
  create_all();
  session_.exec("DROP TABLE diamond");
  session_.exec("SELECT pgtrickle.drop_stream_table('of_totals')");
  std::erase(names_, "diamond");
  std::erase(names_, "of_totals");
  expect_equal_after("INSERT INTO items VALUES (107, 1, 1)");
}

/// A function has at most 100 arguments: with so many sources all changes go through tables.
TEST_F(Immediate, MoreSourcesThanAFunctionHasArguments) {
  std::string query;
  for (int i = 0; i < 101; ++i) {
    const std::string name = "part" + std::to_string(i);
    session_.exec("CREATE TABLE " + name + " (id int PRIMARY KEY, v int)");
    query += (i == 0 ? "SELECT v FROM " : " UNION ALL SELECT v FROM ") + name;
  }
  create("parts", "SELECT v % 3 AS g, count(*) AS n FROM (" + query + ") p GROUP BY v % 3");
  expect_equal_after("WITH a AS (INSERT INTO part0 VALUES (1, 1), (2, 2)) INSERT INTO part100 VALUES (1, 1), (2, 5)");
  expect_equal_after("UPDATE part100 SET v = v + 1");
  expect_equal_after("UPDATE part100 SET id = id + 10");  // nothing that is read
  expect_equal_after("DELETE FROM part0");
  expect_equal_after("TRUNCATE part100");
}

TEST_F(Immediate, NeedsTheTriggerPrivilegeOfItsOwner) {
  const std::string tenant = roles_.create("tenant");
  session_.exec("GRANT CREATE ON SCHEMA public TO " + tenant + "; GRANT SELECT ON items TO " + tenant);
  session_.exec("SET ROLE " + tenant);
  const std::string create =
      "SELECT pgtrickle.create_stream_table('mine', 'SELECT kind, count(*) AS n FROM items GROUP BY "
      "kind', refresh_mode => 'IMMEDIATE')";
  EXPECT_THAT(error_of(session_, create),
              AllOf(HasSubstr("IMMEDIATE is not possible"), HasSubstr("no TRIGGER privilege"),
                    HasSubstr("GRANT TRIGGER ON public.items")));
  session_.exec("RESET ROLE; GRANT TRIGGER ON items TO " + tenant + "; SET ROLE " + tenant);
  ASSERT_EQ(error_of(session_, create), "");
  session_.exec("RESET ROLE");
  db_.build("mine");
  names_.emplace_back("mine");
  EXPECT_EQ(db_.effective_mode("mine"), "IMMEDIATE");

  // A writer needs no right on it, and does not fail when its owner loses his.
  const std::string writer = roles_.create("writer");
  session_.exec("GRANT INSERT ON items TO " + writer);
  Session other(db_.dsn());
  other.exec("SET ROLE " + writer);
  EXPECT_EQ(error_of(other, "INSERT INTO items VALUES (108, 1, 1)"), "");
  expect_equal(session_, "an INSERT of another role");
  EXPECT_THAT(error_of(other, "UPDATE pgtrickle.pgt_immediate SET lost = 'x'"), "");  // sees no row to update
  EXPECT_EQ(session_.value("SELECT count(lost) FROM pgtrickle.pgt_immediate"), "0");
  session_.exec("REVOKE SELECT ON items FROM " + tenant);
  EXPECT_EQ(error_of(other, "INSERT INTO items VALUES (109, 1, 1)"), "");
  EXPECT_EQ(column("mine", "needs_reinit"), "true");
}

}  // namespace
