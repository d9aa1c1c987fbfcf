// A row that violates a user's unique index or exclusion constraint when all is done is an error of its stream table,
// which names the index; the others go on, and it does so by itself once the row is gone. And expressions that only the
// program evaluates: it is recomputed then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <pqxx/pqxx>

#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"
#include "support/roles.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::DaemonProcess;
using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::TestDatabase;
using pgt::test::wait_until;
using ::testing::HasSubstr;

class UserIndexes : public ::testing::Test {
 protected:
  UserIndexes() {
    session_.exec("CREATE TABLE t (id int PRIMARY KEY, v int, name text)");
    session_.exec("INSERT INTO t SELECT i, i, 'n' || i FROM generate_series(1, 6) i");
  }

  /// The error of a refresh by hand, all of its fields in one text.
  std::string refused(const std::string& name) {
    try {
      session_.exec("SELECT pgtrickle.refresh_stream_table('" + name + "')");
    } catch (const pqxx::sql_error& error) {
      return error.sqlstate() + " " + error.what();
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
};

TEST_F(UserIndexes, AViolationNamesTheIndex) {
  db_.create_stream_table("by_name", "SELECT id, name FROM t");
  db_.create_stream_table("by_value", "SELECT v, name FROM t");  // a bag
  db_.create_stream_table("later", "SELECT id, v FROM t");
  session_.exec("CREATE UNIQUE INDEX names ON by_name (lower(name)) WHERE id < 100");
  session_.exec("ALTER TABLE by_value ADD CONSTRAINT values_once EXCLUDE (v WITH =)");
  session_.exec("ALTER TABLE later ADD CONSTRAINT at_the_end UNIQUE (v) DEFERRABLE INITIALLY DEFERRED");
  session_.exec("UPDATE t SET name = 'N1', v = 1 WHERE id = 2");

  const std::string unique = refused("by_name");
  EXPECT_THAT(unique, HasSubstr("23505"));
  EXPECT_THAT(unique,
              HasSubstr("stream table public.by_name cannot be refreshed: rows of its query violate unique index "
                        "public.names"));
  EXPECT_THAT(unique, HasSubstr("DETAIL:  Key (lower(name))=(n1) already exists."));
  EXPECT_THAT(unique, HasSubstr("DROP INDEX public.names"));
  const std::string exclusion = refused("by_value");
  EXPECT_THAT(exclusion, HasSubstr("23P01"));
  EXPECT_THAT(exclusion, HasSubstr("exclusion constraint public.values_once"));
  EXPECT_THAT(exclusion, HasSubstr("ALTER TABLE public.by_value DROP CONSTRAINT values_once"));
  // In the refresh, not at COMMIT, where all that is refreshed with it would fail.
  EXPECT_THAT(refused("later"), HasSubstr("unique index public.at_the_end"));

  session_.exec("UPDATE t SET name = 'n2', v = 2 WHERE id = 2");
  for (const char* name : {"by_name", "by_value", "later"}) {
    EXPECT_EQ(refused(name), "");
    EXPECT_TRUE(equals_query(session_, name));
  }
}

TEST_F(UserIndexes, RowsThatStayInTheIndexAreUpdatedInPlace) {
  db_.create_stream_table("st", "SELECT id, v, name FROM t");
  session_.exec("ALTER TABLE st ADD UNIQUE (v)");
  session_.exec("CREATE TABLE refers (v int REFERENCES st (v) ON DELETE CASCADE)");
  session_.exec("INSERT INTO refers SELECT generate_series(1, 6)");
  session_.exec("UPDATE t SET name = name || '!'");
  db_.refresh("st");
  EXPECT_TRUE(equals_query(session_, "st"));
  EXPECT_EQ(session_.value("SELECT count(*) FROM refers"), "6");
}

TEST_F(UserIndexes, OfAnOrdinaryRole) {
  const std::string owner = roles_.create("owner");
  session_.exec("GRANT CREATE ON SCHEMA public TO " + owner + "; GRANT SELECT, UPDATE ON t TO " + owner);
  session_.exec("SET ROLE " + owner);
  session_.exec("SELECT pgtrickle.create_stream_table('st', 'SELECT id, v, v::float8 AS f FROM t')");
  db_.build("st");
  session_.exec("ALTER TABLE st ADD CONSTRAINT once UNIQUE (v) DEFERRABLE INITIALLY DEFERRED");
  session_.exec("RESET ROLE; UPDATE t SET v = 7 - v; SET ROLE " + owner);
  EXPECT_EQ(refused("st"), "");
  EXPECT_EQ(session_.table("SELECT * FROM pgtrickle.verify_stream_table('st', false)"), "0|0");
  session_.exec("RESET ROLE; UPDATE t SET v = 1; SET ROLE " + owner);
  EXPECT_THAT(refused("st"), HasSubstr("unique index public.once"));
  session_.exec("RESET ROLE");
}

TEST_F(UserIndexes, CountsOfRowsThatTradePlacesAreThoseOfUpdates) {
  db_.create_stream_table("st", "SELECT id, v FROM t");
  session_.exec("CREATE UNIQUE INDEX ON st (v)");
  session_.exec("UPDATE t SET v = 7 - v; DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (10, 6), (11, 12)");
  const auto id = std::to_string(db_.id_of("st"));
  EXPECT_EQ(
      session_.table("SELECT rows_inserted, rows_updated, rows_deleted FROM pgtrickle_state.refresh_" + id + "()"),
      "2|5|1");
  EXPECT_TRUE(equals_query(session_, "st"));
}

TEST_F(UserIndexes, AViolationIsRecordedAndOthersGoOn) {
  const DaemonProcess daemon(db_.dsn());
  for (const char* name : {"bad", "good"})
    session_.exec("SELECT pgtrickle.create_stream_table('" + std::string(name) + "', 'SELECT id, v FROM t', '50 ms')");
  for (const char* name : {"bad", "good"})
    session_.exec("SELECT pgtrickle.wait_until_active('" + std::string(name) + "')");
  session_.exec("ALTER TABLE bad ADD CONSTRAINT once UNIQUE (v) DEFERRABLE INITIALLY DEFERRED");
  session_.exec("UPDATE t SET v = 7 - v");
  EXPECT_TRUE(wait_until([&] { return static_cast<bool>(equals_query(session_, "bad")); }, 30s)) << daemon.log();
  session_.exec("UPDATE t SET v = 1");
  EXPECT_TRUE(wait_until(
      [&] { return column("bad", "last_error").find("unique index public.once") != std::string::npos; }, 30s))
      << daemon.log();
  EXPECT_THAT(column("bad", "last_error_hint"), HasSubstr("DROP CONSTRAINT once"));
  EXPECT_TRUE(wait_until([&] { return static_cast<bool>(equals_query(session_, "good")); }, 30s)) << daemon.log();
  session_.exec("UPDATE t SET v = id");
  EXPECT_TRUE(wait_until([&] { return static_cast<bool>(equals_query(session_, "bad")); }, 60s)) << daemon.log();
}

/// PostgreSQL does not evaluate the subquery for the row with 0; the program does, to know its value.
TEST_F(UserIndexes, WhatOnlyTheProgramEvaluatesMakesItRecomputed) {
  session_.exec("CREATE TABLE u (k int); INSERT INTO u VALUES (1), (2)");
  const DaemonProcess daemon(db_.dsn());
  session_.exec(
      "SELECT pgtrickle.create_stream_table('guarded', $$SELECT id, CASE WHEN v <> 0 THEN (SELECT sum(60 / t.v * k) "
      "FROM "
      "u) END AS s FROM t$$, '50 ms')");
  session_.exec("SELECT pgtrickle.wait_until_active('guarded')");
  EXPECT_EQ(column("guarded", "effective_refresh_mode"), "DIFFERENTIAL");
  session_.exec("UPDATE t SET v = 0 WHERE id = 3");
  EXPECT_TRUE(wait_until([&] { return column("guarded", "effective_refresh_mode") == "FULL"; }, 60s)) << daemon.log();
  EXPECT_THAT(column("guarded", "reason"), HasSubstr("division by zero"));
  // Its content is there before its status says so.
  EXPECT_TRUE(wait_until([&] { return column("guarded", "status") == "ACTIVE"; }, 60s)) << daemon.log();
  EXPECT_TRUE(equals_query(session_, "guarded"));
}

}  // namespace
