// Rebuilding after DDL: soon, once, with everybody else's locks respected, and what stopped goes on when its cause
// ends. Runs with and without notifications of triggers (PGT_MAX_PREPARED); the catalog is polled once per hour only.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

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
using ::testing::Not;

class Rebuilding : public ::testing::Test {
 protected:
  Rebuilding() : session_(db_.dsn()) {
    session_.exec("CREATE TABLE items (id int PRIMARY KEY, kind int NOT NULL, amount int)");
    session_.exec("INSERT INTO items SELECT i, i % 5, i FROM generate_series(1, 100) AS i");
  }

  void start_daemon() {
    daemon_ = std::make_unique<DaemonProcess>(
        DaemonProcess::Options{.dsns = {db_.dsn()}, .config = "scheduler:\n  catalog_poll_interval: 1h\n"});
  }

  void create(const std::string& name, const std::string& query, const std::string& schedule = "100 ms") {
    session_.exec("SELECT pgtrickle.create_stream_table(" + session_.quote(name) + ", " + session_.quote(query) +
                  ", schedule => " + session_.quote(schedule) + ")");
    session_.exec("SELECT pgtrickle.wait_until_active(" + session_.quote(name) + ", '20 s')");
  }

  std::string column(const std::string& name, const std::string& column) {
    return session_.value("SELECT " + column +
                          " FROM pgtrickle.pgt_stream_tables WHERE pgt_name = " + session_.quote(name));
  }

  bool becomes(const std::string& name, const std::string& status, std::chrono::milliseconds timeout = 20s) {
    return wait_until([&] { return column(name, "status") == status && column(name, "needs_reinit") != "t"; }, timeout);
  }

  bool becomes_equal(const std::string& name, std::chrono::milliseconds timeout = 20s) {
    return becomes(name, "ACTIVE", timeout) &&
           wait_until([&] { return static_cast<bool>(equals_query(session_, name)); }, timeout);
  }

  std::string builds() {
    return session_.table(
        "SELECT s.pgt_name, count(*) FROM pgtrickle.pgt_stream_tables s JOIN pgtrickle.pgt_refresh_history h USING "
        "(pgt_id) WHERE h.initiated_by = 'INITIAL' GROUP BY 1 ORDER BY 1");
  }

  pgt::test::Roles roles_;
  TestDatabase db_;
  Session session_;
  std::unique_ptr<DaemonProcess> daemon_;
};

TEST_F(Rebuilding, IsDoneOncePerChange) {
  start_daemon();
  create("totals", "SELECT kind, count(*) AS n, sum(amount) AS total FROM items GROUP BY kind");
  create("rich", "SELECT id, amount FROM items WHERE amount > 50");
  create("readers", "SELECT count(*) AS n FROM rich");
  ASSERT_EQ(builds(), "readers|1\nrich|1\ntotals|1");
  session_.exec("ALTER TABLE items ALTER COLUMN amount TYPE bigint");
  for (const char* name : {"totals", "rich"}) EXPECT_TRUE(becomes_equal(name)) << name;
  session_.exec("INSERT INTO items VALUES (1000, 1, 1000)");
  for (const char* name : {"totals", "rich", "readers"}) EXPECT_TRUE(becomes_equal(name)) << name;
  std::this_thread::sleep_for(1s);  // for a second one to begin
  EXPECT_THAT(builds(), HasSubstr("rich|2\ntotals|2"));
}

TEST_F(Rebuilding, IsNoticedByCommitsAfterOthersThatStillRun) {
  session_.exec("CREATE TABLE other (id int PRIMARY KEY, v int); INSERT INTO other VALUES (1, 1)");
  start_daemon();
  create("totals", "SELECT kind, sum(amount) AS total FROM items GROUP BY kind");
  create("others", "SELECT id, v FROM other");
  create("dropped", "SELECT id FROM other");
  Session slow(db_.dsn());
  slow.exec("BEGIN; ALTER TABLE items RENAME COLUMN amount TO price");
  session_.exec("ALTER TABLE other ALTER COLUMN v TYPE bigint");
  EXPECT_TRUE(becomes_equal("others"));
  session_.exec("DROP TABLE dropped");
  EXPECT_TRUE(wait_until([&] {
    return session_.value("SELECT count(*) FROM pg_proc WHERE proname = 'refresh_3'") == "0";
  })) << "its program is removed";
  slow.exec("COMMIT");
  session_.exec("INSERT INTO items VALUES (1000, 1, 1000)");
  EXPECT_TRUE(becomes_equal("totals"));
}

TEST_F(Rebuilding, ADroppedStreamTableIsNoticedEachTime) {
  start_daemon();
  for (int i = 1; i <= 4; ++i) {  // the catalog is the same before and after
    create("gone", "SELECT id FROM items");
    session_.exec("DROP TABLE gone");
    EXPECT_TRUE(wait_until([&] {
      return session_.value("SELECT count(*) FROM pg_proc WHERE proname = 'refresh_" + std::to_string(i) + "'") == "0";
    })) << i;
  }
}

TEST_F(Rebuilding, IsNoticedAfterACommitPrepared) {
  if (session_.value("SHOW max_prepared_transactions") == "0") return;
  start_daemon();
  create("totals", "SELECT kind, sum(amount) AS total FROM items GROUP BY kind");
  session_.exec("BEGIN; ALTER TABLE items RENAME COLUMN amount TO price; PREPARE TRANSACTION 'rename'");
  std::this_thread::sleep_for(1s);
  session_.exec("COMMIT PREPARED 'rename'");
  session_.exec("INSERT INTO items VALUES (1000, 1, 1000)");
  EXPECT_TRUE(becomes_equal("totals"));
}

TEST_F(Rebuilding, IsWaitedForByARefreshByHand) {
  start_daemon();
  create("totals", "SELECT kind, sum(amount) AS total FROM items GROUP BY kind", "1h");
  for (int i = 0; i < 6; ++i) {
    session_.exec(i % 2 == 0 ? "ALTER TABLE items RENAME COLUMN amount TO price"
                             : "ALTER TABLE items RENAME COLUMN price TO amount");
    session_.exec("UPDATE items SET kind = kind + 1 WHERE id = 1");
    session_.exec(i < 3 ? "SELECT pgtrickle.refresh_stream_table('totals')" : "CALL pgtrickle.refresh('totals')");
    EXPECT_TRUE(equals_query(session_, "totals")) << i;
  }
}

TEST_F(Rebuilding, SaysWhoIsInItsWayAndLetsWritersPass) {
  start_daemon();
  create("totals", "SELECT kind, sum(amount) AS total FROM items GROUP BY kind");
  session_.exec("SELECT pgtrickle.pause_scheduler()");
  session_.exec("ALTER TABLE items ALTER COLUMN amount TYPE bigint");
  Session idle(db_.dsn());
  const std::string pid = idle.value("SELECT pg_backend_pid()");
  idle.exec("SET application_name = 'forgotten'; BEGIN");
  idle.exec("INSERT INTO items VALUES (1000, 1, 424242)");
  session_.exec("SELECT pgtrickle.resume_scheduler()");
  session_.exec("SET lock_timeout = '1s'");
  int id = 2000;
  EXPECT_TRUE(wait_until([&] {
    session_.exec("INSERT INTO items VALUES (" + std::to_string(++id) + ", 1, 1)");  // fails if it must wait too long
    return column("totals", "last_error") != "";
  }));
  EXPECT_THAT(column("totals", "last_error"), HasSubstr("waits for a lock: process " + pid));
  EXPECT_THAT(column("totals", "last_error"), HasSubstr("forgotten"));
  EXPECT_THAT(column("totals", "last_error"), HasSubstr("RowExclusiveLock on public.items"));
  EXPECT_THAT(column("totals", "last_error"), Not(HasSubstr("424242"))) << "everybody may read this";
  EXPECT_THAT(session_.value("SELECT pgtrickle.explain_stream_table('totals')"), HasSubstr("process " + pid));
  EXPECT_TRUE(wait_until([&] { return daemon_->log().find("424242") != std::string::npos; })) << "the log is ours";
  idle.exec("COMMIT");
  EXPECT_TRUE(becomes_equal("totals"));
  EXPECT_EQ(column("totals", "last_error"), "");
}

TEST_F(Rebuilding, ReadersOfTheStreamTableDoNotWaitForItsRebuild) {
  start_daemon();
  create("rich", "SELECT id, amount FROM items WHERE amount > 50");
  Session reader(db_.dsn());
  reader.exec("BEGIN; SELECT * FROM rich");
  session_.exec("ALTER TABLE items RENAME COLUMN amount TO price");
  session_.exec("SET lock_timeout = '1s'");
  EXPECT_TRUE(wait_until([&] {
    session_.exec("SELECT count(*) FROM rich");
    return column("rich", "last_error") != "";
  }));
  EXPECT_THAT(column("rich", "last_error"), HasSubstr("AccessShareLock on public.rich"));
  reader.exec("COMMIT");
  EXPECT_TRUE(becomes_equal("rich"));
}

TEST_F(Rebuilding, GoesOnByItselfWhenAPrivilegeIsGrantedAgain) {
  const std::string owner = roles_.create("rebuilding");
  session_.exec("GRANT CREATE ON SCHEMA public TO " + owner + "; GRANT SELECT ON items TO " + owner);
  start_daemon();
  session_.exec("SET ROLE " + owner);
  create("rich", "SELECT id, amount FROM items WHERE amount > 50");
  session_.exec("RESET ROLE; REVOKE SELECT ON items FROM " + owner);
  session_.exec("UPDATE items SET amount = amount + 1");
  ASSERT_TRUE(becomes("rich", "SUSPENDED"));
  EXPECT_EQ(session_.value("SELECT retry_at > last_error_at FROM pgtrickle.stream_tables WHERE name = 'public.rich'"),
            "t");
  session_.exec("GRANT SELECT ON items TO " + owner);
  EXPECT_TRUE(becomes_equal("rich"));
  EXPECT_TRUE(wait_until([&] { return column("rich", "last_error").empty(); }));  // said after the refresh
  EXPECT_EQ(column("rich", "consecutive_errors"), "0");
  EXPECT_EQ(column("rich", "retry_at"), "");
  session_.exec("SELECT pgtrickle.drop_stream_table('rich'); REVOKE ALL ON SCHEMA public FROM " + owner +
                "; REVOKE ALL ON items FROM " + owner + "; DROP OWNED BY " + owner);
}

TEST_F(Rebuilding, GoesOnByItselfWhenADependentViewIsDropped) {
  start_daemon();
  create("rich", "SELECT id, amount FROM items WHERE amount > 50");
  session_.exec("CREATE VIEW on_it AS SELECT amount FROM rich");
  session_.exec("ALTER TABLE items ALTER COLUMN amount TYPE bigint");
  ASSERT_TRUE(wait_until([&] { return column("rich", "status") == "ERROR"; }));
  EXPECT_EQ(column("rich", "last_error_code"), "0A000");
  session_.exec("DROP VIEW on_it");
  EXPECT_TRUE(becomes_equal("rich"));
}

TEST_F(Rebuilding, GoesOnByItselfWhenASourceIsBack) {
  start_daemon();
  create("rich", "SELECT id, amount FROM items WHERE amount > 50");
  session_.exec("ALTER TABLE items RENAME TO kept; CREATE TABLE gone (id int)");
  EXPECT_TRUE(becomes_equal("rich"));
  session_.exec("DROP TABLE kept");
  ASSERT_TRUE(wait_until([&] { return column("rich", "status") == "ERROR"; }));
  session_.exec(
      "CREATE TABLE kept (id int PRIMARY KEY, kind int NOT NULL, amount int); INSERT INTO kept VALUES (1, 1, 99)");
  EXPECT_TRUE(becomes_equal("rich"));
  EXPECT_EQ(session_.value("SELECT count(*) FROM rich"), "1");
}

TEST_F(Rebuilding, WhatDataBrokeGoesOnByItselfWhenTheDataAreGood) {
  start_daemon();
  create("quotients", "SELECT id, 100 / amount AS q FROM items");
  session_.exec("UPDATE items SET amount = 0 WHERE id = 7");
  ASSERT_TRUE(becomes("quotients", "SUSPENDED", 30s));
  session_.exec("UPDATE items SET amount = 7 WHERE id = 7");  // no DDL: nobody tells
  EXPECT_TRUE(becomes_equal("quotients", 40s));
}

}  // namespace
