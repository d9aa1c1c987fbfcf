// Stream tables whose rows come and go as time passes, seen with the server's own clock and with a daemon. What each
// form of a comparison with the time does is in tests/sql/temporal_filters.sql, with a clock that is moved.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"
#include "support/roles.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::DaemonProcess;
using pgt::test::equals_query;
using pgt::test::Roles;
using pgt::test::Session;
using pgt::test::TestDatabase;
using pgt::test::wait_until;
using ::testing::HasSubstr;

class Temporal : public ::testing::Test {
 protected:
  Temporal() : session_(db_.dsn()) {
    session_.exec("CREATE TABLE ev (id int PRIMARY KEY, kind int, ts timestamptz); CREATE INDEX ON ev (ts)");
  }

  std::string error_of(const std::string& sql) {
    try {
      session_.exec(sql);
    } catch (const pqxx::sql_error& error) {
      session_.exec("ROLLBACK");
      return error.what();
    }
    return "";
  }

  std::string frontier(const std::string& column) {
    return session_.value("SELECT f." + column +
                          " FROM pgtrickle.pgt_frontiers f JOIN pgtrickle.pgt_stream_tables s USING (pgt_id) WHERE "
                          "s.pgt_name = 'st'");
  }

  void set_clock(const std::string& time) {
    session_.exec(
        "CREATE OR REPLACE FUNCTION pgtrickle._now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE RETURN " +
        time);
  }

  Roles roles_;
  TestDatabase db_;
  Session session_;
};

// The query as it is written, with the server's now(): both are the start of the transaction that refreshes.
TEST_F(Temporal, IsTheQueryOfTheTransactionThatRefreshes) {
  db_.create_stream_table("st", "SELECT id, ts FROM ev WHERE ts > now() - interval '1 minute' AND ts <= now()",
                          "DIFFERENTIAL");
  session_.exec("INSERT INTO ev SELECT i, i % 3, now() - i * interval '10 ms' FROM generate_series(-200, 200) i");
  for (const char* isolation : {"READ COMMITTED", "REPEATABLE READ", "READ COMMITTED"}) {
    session_.exec(std::string("BEGIN ISOLATION LEVEL ") + isolation);
    session_.exec("DELETE FROM ev WHERE id IN (SELECT min(id) FROM ev)");
    EXPECT_EQ(session_.table("SELECT * FROM pgtrickle.verify_stream_table('st')"), "0|0") << isolation;
    session_.exec("COMMIT");
    session_.exec("SELECT pg_sleep(0.3)");
  }
}

// A transaction that began before the last refresh has an earlier now(): rows go back.
TEST_F(Temporal, AnOlderTransactionTakesItBack) {
  db_.create_stream_table("st", "SELECT id FROM ev WHERE ts <= now()", "DIFFERENTIAL");
  session_.exec("INSERT INTO ev SELECT i, 0, now() + i * interval '50 ms' FROM generate_series(-5, 40) i");
  Session older(db_.dsn());
  older.exec("BEGIN; SELECT now()");
  session_.exec("SELECT pg_sleep(0.4)");
  db_.refresh("st");
  const auto later = std::stoi(session_.value("SELECT count(*) FROM st"));
  EXPECT_EQ(older.table("SELECT * FROM pgtrickle.verify_stream_table('st')"), "0|0");
  EXPECT_LT(std::stoi(older.value("SELECT count(*) FROM st")), later);
  older.exec("COMMIT");
}

TEST_F(Temporal, WhereNoRowCrossesNothingIsWrittenButTheTimeOncePerMinute) {
  set_clock("'2026-03-01 12:00+00'::timestamptz");
  session_.exec(
      "INSERT INTO ev SELECT i, i % 2, '2026-03-01 00:00+00'::timestamptz + i * interval '1 hour' FROM "
      "generate_series(0, 48) i");
  db_.create_stream_table("st", "SELECT id FROM ev WHERE ts > now() - interval '1 hour' AND kind = 0", "DIFFERENTIAL");
  const auto refresh = [&] {
    session_.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
    const auto action =
        session_.value("SELECT action FROM pgtrickle_state.refresh_" + std::to_string(db_.id_of("st")) + "('auto')");
    session_.exec("COMMIT");
    EXPECT_TRUE(equals_query(session_, "st"));
    return action;
  };
  const auto begin = frontier("clock");
  set_clock("'2026-03-01 12:00:59+00'::timestamptz");
  EXPECT_EQ(refresh(), "NO_DATA");
  EXPECT_EQ(frontier("clock"), begin);
  set_clock("'2026-03-01 12:30:00+00'::timestamptz");
  EXPECT_EQ(refresh(), "NO_DATA");
  EXPECT_EQ(frontier("clock = '2026-03-01 12:30:00+00'"), "t");
  set_clock("'2026-03-01 13:00:00+00'::timestamptz");
  EXPECT_EQ(refresh(), "DIFFERENTIAL") << "that of 12:00 is an hour old";
  EXPECT_EQ(frontier("last_delta_rows"), "1");
  EXPECT_EQ(frontier("next_crossing = '2026-03-01 14:00:00+00'"), "t") << frontier("next_crossing");
  set_clock("'2026-03-01 12:59:59+00'::timestamptz");
  EXPECT_EQ(refresh(), "DIFFERENTIAL") << "it comes back";
}

// A month ago is not as fast as time: nothing is promised beyond the midnight at which it goes back.
TEST_F(Temporal, TheNextCrossingIsNotBehindAJump) {
  set_clock("'2026-03-29 23:30+00'::timestamptz");
  session_.exec("SET TimeZone = 'UTC'");
  session_.exec("INSERT INTO ev VALUES (1, 0, '2026-03-01 00:15+00'), (2, 0, '2026-02-28 00:00+00')");
  session_.exec(
      "SELECT pgtrickle.create_stream_table('st', $$SELECT id FROM ev WHERE ts > now() - interval '1 month'$$, "
      "refresh_mode => 'DIFFERENTIAL')");
  db_.build_pending();
  EXPECT_EQ(frontier("next_crossing <= '2026-03-30 00:00+00'"), "t") << frontier("next_crossing");
  set_clock("'2026-03-30 00:00:30+00'::timestamptz");
  db_.refresh("st");
  EXPECT_TRUE(equals_query(session_, "st"));
}

TEST_F(Temporal, RowsComeAndGoWithNobodyWriting) {
  DaemonProcess daemon(db_.dsn());
  session_.exec(
      "SELECT pgtrickle.create_stream_table('st', $$SELECT id FROM ev WHERE ts > now() - interval '2 seconds'$$, "
      "schedule => '100 ms', refresh_mode => 'DIFFERENTIAL')");
  session_.exec(
      "SELECT pgtrickle.create_stream_table('per_kind', $$SELECT kind, count(*) AS n FROM ev WHERE ts <= now() GROUP BY "
      "kind$$, schedule => '100 ms', refresh_mode => 'DIFFERENTIAL')");
  session_.exec("SELECT pgtrickle.wait_until_active('st', '60 s'), pgtrickle.wait_until_active('per_kind', '60 s')");
  // The last one stays: however slow the machine is, a refresh sees it.
  session_.exec(
      "INSERT INTO ev VALUES (1, 7, now()), (2, 7, now() + interval '1 second'), (3, 8, now() + interval '1 hour')");
  const auto value = [&](const std::string& what) {
    return session_.value("SELECT coalesce((" + what + ")::text, '')");
  };
  const auto ids = [&] { return value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM st"); };
  EXPECT_TRUE(wait_until([&] { return ids().ends_with("3"); }, 60s)) << daemon.log();
  EXPECT_TRUE(wait_until([&] { return value("SELECT n FROM per_kind WHERE kind = 7") == "2"; }, 60s)) << daemon.log();
  EXPECT_TRUE(wait_until([&] { return ids() == "3"; }, 60s)) << daemon.log();
  EXPECT_EQ(session_.table("SELECT * FROM pgtrickle.verify_stream_table('st')"), "0|0");
}

TEST_F(Temporal, ImmediateIsRefusedWithTheReason) {
  try {
    db_.create_stream_table("st", "SELECT id FROM ev WHERE ts > now()", "IMMEDIATE");
    FAIL() << "it was built";
  } catch (const std::exception& error) {
    EXPECT_THAT(error.what(), HasSubstr("time passes without a statement"));
  }
}

TEST_F(Temporal, NobodyMovesTheTimeOfOthers) {
  const std::string role = roles_.create("teller");
  db_.create_stream_table("st", "SELECT id FROM ev WHERE ts > now()", "DIFFERENTIAL");
  session_.exec("GRANT USAGE, CREATE ON SCHEMA public TO " + role);
  session_.exec("SET ROLE " + role);
  EXPECT_THAT(error_of("CREATE OR REPLACE FUNCTION pgtrickle._now() RETURNS timestamptz LANGUAGE sql RETURN "
                       "'2000-01-01'::timestamptz"),
              HasSubstr("permission denied"));
  session_.exec("UPDATE pgtrickle.pgt_frontiers SET clock = '2000-01-01', next_crossing = 'infinity'");
  session_.exec("RESET ROLE");
  EXPECT_EQ(frontier("clock > '2020-01-01'"), "t");
}

}  // namespace
