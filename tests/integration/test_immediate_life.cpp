// IMMEDIATE stream tables through what happens to a server: no daemon, restarts and crashes, which empty unlogged
// tables, prepared transactions that outlive them, promotion of a standby, dump and restore. And what is said about
// them meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>

#include "support/cluster.h"
#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"
#include "support/standby.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::DaemonProcess;
using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::TestDatabase;
using pgt::test::wait_until;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ImmediateLife : public ::testing::Test {
 protected:
  ImmediateLife() {
    connect();
    session_->exec("CREATE TABLE kinds (id int PRIMARY KEY, label text)");
    session_->exec("CREATE TABLE items (id int PRIMARY KEY, kind int, v int) PARTITION BY RANGE (id)");
    session_->exec("CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (MINVALUE) TO (15)");
    session_->exec("CREATE TABLE items_2 PARTITION OF items DEFAULT");
    session_->exec("INSERT INTO kinds SELECT i, 'k' || i % 3 FROM generate_series(1, 5) i");
    session_->exec("INSERT INTO items SELECT i, 1 + i % 5, i FROM generate_series(1, 30) i");
  }

  void connect() {
    session_.reset();
    ASSERT_TRUE(wait_until([this] {
      try {
        session_ = std::make_unique<Session>(db_.dsn());
        return true;
      } catch (const pqxx::failure&) {
        return false;
      }
    }));
  }

  /// State tables, an extremum, another that reads them, rows that are maintained at once; built here unless a daemon
  /// does it.
  void create_all(const DaemonProcess* daemon = nullptr) {
    create(
        "totals",
        "SELECT k.label, count(*) AS n, sum(i.v) AS total, max(i.v) AS most FROM items i JOIN kinds k ON k.id = i.kind "
        "GROUP BY k.label",
        daemon);
    create("missing", "SELECT k.id, i.v FROM kinds k LEFT JOIN items i ON i.kind = k.id AND i.v > 10", daemon);
    create("over", "SELECT n, count(*) AS labels FROM totals GROUP BY n", daemon);
    create("labels", "SELECT id, upper(label) AS label FROM kinds WHERE id > 1", daemon);
  }

  void create(const std::string& name, const std::string& query, const DaemonProcess* daemon) {
    names_.push_back(name);
    if (daemon == nullptr) return db_.create_stream_table(name, query, "IMMEDIATE");
    session_->exec("SELECT pgtrickle.create_stream_table('" + name + "', " + session_->quote(query) +
                   ", refresh_mode => 'IMMEDIATE')");
    session_->exec("SELECT pgtrickle.wait_until_active('" + name + "', '30 s')");
  }

  void expect_equal(Session& session, const std::string& when) const {
    for (const auto& name : names_) EXPECT_TRUE(equals_query(session, name)) << name << " " << when;
  }

  /// Changes of every kind, each followed by a comparison.
  void expect_kept(Session& session, const std::string& when) const {
    for (const char* sql :
         {"INSERT INTO items SELECT max(id) + 1, 2, 40 FROM items", "UPDATE items SET v = v + 1 WHERE kind = 2",
          "UPDATE kinds SET label = label || 'x' WHERE id = 3",
          "WITH d AS (DELETE FROM items WHERE id % 7 = 1) UPDATE items SET id = id + 1000 WHERE id % 7 = 2"}) {
      session.exec(sql);
      expect_equal(session, when + ", after " + sql);
    }
  }

  [[nodiscard]] std::string generations() const {
    return session_->table(
        "SELECT pgt_name, generation, needs_reinit, effective_refresh_mode FROM "
        "pgtrickle.pgt_stream_tables ORDER BY pgt_id");
  }

  [[nodiscard]] std::string health(const std::string& check) const {
    return session_->table("SELECT severity, detail FROM pgtrickle.health_check() WHERE check_name = '" + check + "'");
  }

  TestDatabase db_;
  std::unique_ptr<Session> session_;
  std::vector<std::string> names_;
};

TEST_F(ImmediateLife, NeedsNoDaemon) {
  auto daemon = std::make_unique<DaemonProcess>(db_.dsn());
  create_all(daemon.get());
  expect_kept(*session_, "with a daemon");
  const std::string before = generations();
  daemon->stop();
  expect_kept(*session_, "when it was stopped");
  daemon = std::make_unique<DaemonProcess>(db_.dsn());
  expect_kept(*session_, "with the next one");
  daemon->kill();
  expect_kept(*session_, "when it was killed");
  DaemonProcess last(db_.dsn());
  expect_kept(*session_, "with the last one");
  EXPECT_EQ(generations(), before) << "nothing was rebuilt";
}

TEST_F(ImmediateLife, RestartsAndCrashesOfTheServer) {
  DaemonProcess daemon(db_.dsn());
  create_all(&daemon);
  const std::string before = generations();
  for (const char* mode : {"immediate", "fast", "immediate"}) {
    Session open(db_.dsn());
    open.exec("BEGIN; UPDATE items SET v = v + 100 WHERE id = 3");
    pgt::test::stop_server(mode);
    pgt::test::start_server();
    connect();
    expect_equal(*session_, std::string("after the server was stopped: ") + mode);
    expect_kept(*session_, std::string("after ") + mode);
  }
  EXPECT_EQ(session_->value("SELECT count(*) FROM items WHERE v > 100"), "0");
  EXPECT_TRUE(daemon.running());
  EXPECT_EQ(generations(), before) << "nothing was rebuilt";
}

TEST_F(ImmediateLife, PreparedTransactionsOutliveACrash) {
  if (session_->value("SHOW max_prepared_transactions") == "0") GTEST_SKIP() << "max_prepared_transactions is 0";
  create_all();
  for (const char* end : {"COMMIT", "ROLLBACK"}) {
    Session other(db_.dsn());
    other.exec("BEGIN; UPDATE items SET v = v + 100 WHERE id % 4 = 1");
    other.exec("DELETE FROM kinds WHERE id = 1; INSERT INTO kinds VALUES (1, 'new')");
    other.exec("PREPARE TRANSACTION 'pgt_life'");
    expect_equal(*session_, "while it is prepared");
    pgt::test::restart_server_immediately();
    connect();
    expect_equal(*session_, "after the crash");
    session_->exec(std::string(end) + " PREPARED 'pgt_life'");
    expect_equal(*session_, std::string(end) + " PREPARED");
    expect_kept(*session_, "afterwards");
  }
}

TEST_F(ImmediateLife, APromotedStandbyGoesOn) {
  create_all();
  pgt::test::Standby standby;
  expect_kept(*session_, "on the primary");
  const std::string position = session_->value("SELECT pg_current_wal_lsn()");
  Session there(standby.dsn(db_.name()));
  ASSERT_TRUE(wait_until([&] { return there.value("SELECT pg_last_wal_replay_lsn() >= '" + position + "'") == "t"; }));
  expect_equal(there, "on the standby");
  standby.promote();
  expect_equal(there, "after the promotion");
  expect_kept(there, "after the promotion");  // unlogged tables are empty there
}

TEST_F(ImmediateLife, ARestoredDatabaseIsWrittenToAtOnceAndRebuilt) {
  create_all();
  const std::string file = "/tmp/pgt_life_" + db_.name() + ".sql";
  const auto dumped =
      pgt::test::run_process({pgt::test::required_env("PGT_TEST_BIN") + "/pg_dump", "-d", db_.dsn(), "-f", file});
  ASSERT_EQ(dumped.exit_code, 0) << dumped.err;
  TestDatabase copy(TestDatabase::Install::kNothing);
  Session there(copy.dsn());
  there.exec("CREATE TABLE shift_oids (a int)");
  const auto restored = pgt::test::run_process({pgt::test::required_env("PGT_TEST_BIN") + "/psql", "-qX", "-v",
                                                "ON_ERROR_STOP=1", "-d", copy.dsn(), "-f", file});
  std::remove(file.c_str());
  ASSERT_EQ(restored.err, "");
  // Writers do not fail, whatever the numbers in the functions mean here.
  there.exec("INSERT INTO items VALUES (101, 1, 7)");
  there.exec("UPDATE kinds SET label = 'restored' WHERE id = 2");
  DaemonProcess daemon(copy.dsn());
  EXPECT_TRUE(wait_until(
      [&] {
        return there.value(
                   "SELECT count(*) FROM pgtrickle.pgt_stream_tables WHERE status = 'ACTIVE' AND NOT "
                   "needs_reinit AND effective_refresh_mode = 'IMMEDIATE'") == "4" &&
               there.value("SELECT count(*) FROM pgtrickle._immediate_trouble()") == "0";
      },
      60s))
      << there.table(
             "SELECT pgt_name, status, needs_reinit, reinit_reason, last_error FROM pgtrickle.pgt_stream_tables")
      << daemon.log();
  expect_equal(there, "rebuilt");
  expect_kept(there, "rebuilt");
}

TEST_F(ImmediateLife, TheHealthReportNamesTriggersThatAreGone) {
  create_all();
  EXPECT_THAT(health("immediate"), HasSubstr("OK|"));
  // Where event triggers tell, it waits to be rebuilt at once.
  session_->exec("DROP TRIGGER " +
                 session_->value("SELECT tgname FROM pg_trigger WHERE tgrelid = 'kinds'::regclass AND "
                                 "tgname LIKE 'pgtrickle\\_now\\_%\\_u' ORDER BY 1 LIMIT 1") +
                 " ON kinds");
  EXPECT_THAT(health("immediate"), AllOf(HasSubstr("WARN|public.totals: "), Not(HasSubstr("missing"))));
  db_.build_pending();
  expect_kept(*session_, "rebuilt");
  EXPECT_THAT(health("immediate"), HasSubstr("OK|"));
  // What no event trigger tells of.
  session_->exec("SET allow_system_table_mods = on");
  session_->exec(
      "UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = 'items_2'::regclass AND tgname LIKE 'pgtrickle\\_now%'");
  session_->exec("RESET allow_system_table_mods");
  EXPECT_THAT(health("immediate"),
              AllOf(HasSubstr("ERROR|"), HasSubstr("public.totals: a trigger of it was dropped or disabled"),
                    HasSubstr("public.missing: a trigger of it was dropped or disabled"), Not(HasSubstr("over"))));
  session_->exec("SELECT pgtrickle._settle_rights()");  // as the daemon does
  EXPECT_THAT(health("immediate"), HasSubstr("WARN|"));
  db_.build_pending();
  EXPECT_THAT(health("immediate"), HasSubstr("OK|"));
  expect_kept(*session_, "rebuilt again");
}

/// A build waits for who writes, and nobody waits behind it for longer than one of its attempts to lock.
TEST_F(ImmediateLife, ABuildIsNotInFrontOfWriters) {
  DaemonProcess daemon(db_.dsn());
  Session open(db_.dsn());
  open.exec("BEGIN; INSERT INTO items VALUES (901, 1, 1)");
  session_->exec(
      "SELECT pgtrickle.create_stream_table('totals', 'SELECT kind, sum(v) AS total FROM items GROUP BY kind', "
      "refresh_mode => 'IMMEDIATE')");
  names_ = {"totals"};
  Session other(db_.dsn());
  other.exec("SET lock_timeout = '1s'");
  // For long enough to see that it tries, again and again.
  Session observer(db_.dsn());
  int tried = 0;
  bool waits = false;
  ASSERT_TRUE(wait_until([&] {
    other.exec("INSERT INTO items SELECT max(id) + 1, 2, 2 FROM items");
    const bool now = observer.value(
                         "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'items'::regclass AND NOT granted AND "
                         "mode = 'ShareRowExclusiveLock'") == "t";
    if (now && !waits) ++tried;
    waits = now;
    return tried >= 3;
  }));
  EXPECT_NE(session_->value("SELECT status FROM pgtrickle.pgt_stream_tables"), "ACTIVE");
  open.exec("COMMIT");
  session_->exec("SELECT pgtrickle.wait_until_active('totals', '30 s')");
  expect_kept(*session_, "built beside writers");
}

TEST_F(ImmediateLife, IsNeverStale) {
  create_all();
  db_.create_stream_table("later", "SELECT label, n FROM totals WHERE n > 0", "DIFFERENTIAL");
  session_->exec("SELECT pgtrickle.alter_stream_table('totals', max_staleness => '1 ms')");
  session_->exec("INSERT INTO items VALUES (201, 1, 7)");
  EXPECT_EQ(
      session_->table("SELECT table_name, staleness, slo_violated FROM pgtrickle.stream_tables WHERE table_name IN "
                      "('totals', 'over') ORDER BY 1"),
      "over|00:00:00|null\ntotals|00:00:00|f");
  EXPECT_EQ(session_->value("SELECT pgtrickle.get_staleness('totals')"), "0");
  EXPECT_THAT(health("slo"), HasSubstr("OK|"));
  session_->exec("SELECT pgtrickle.wait_for_freshness('over', '0 s')");
  session_->exec("CALL pgtrickle.refresh('later')");
  session_->exec("SELECT pgtrickle.wait_for_freshness('later', '0 s')");
  session_->exec("INSERT INTO items VALUES (202, 1, 7)");
  EXPECT_THROW(session_->exec("SELECT pgtrickle.wait_for_freshness('later', '0 s')"), pqxx::sql_error);
  // Stopped, it says what it lacks.
  session_->exec("SELECT pgtrickle.alter_stream_table('totals', status => 'PAUSED')");
  EXPECT_NE(session_->value("SELECT staleness FROM pgtrickle.stream_tables WHERE table_name = 'totals'"), "00:00:00");
  EXPECT_THAT(health("immediate"), HasSubstr("WARN|public.totals: its triggers were stopped"));
}

}  // namespace
