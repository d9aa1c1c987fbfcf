// The daemon against faults: of the server, of connections, of stream tables, of other daemons.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "support/cluster.h"
#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::DaemonProcess;
using pgt::test::Session;
using pgt::test::TestDatabase;
using pgt::test::wait_until;

class Scheduling : public ::testing::Test {
 protected:
  Scheduling() : session_(db_.dsn()) {
    session_.exec("CREATE TABLE items (id int PRIMARY KEY, kind int NOT NULL, amount int)");
    session_.exec("INSERT INTO items SELECT i, i % 5, i FROM generate_series(1, 500) AS i");
  }

  void create(const std::string& name, const std::string& query, const std::string& schedule = "100 ms") {
    session_.exec("SELECT pgtrickle.create_stream_table(" + session_.quote(name) + ", " + session_.quote(query) +
                  ", schedule => " + session_.quote(schedule) + ")");
  }

  void create_totals() {
    create("totals", "SELECT kind, count(*) AS n, sum(amount) AS total FROM items GROUP BY kind");
  }

  void wait_active(const std::string& name) {
    session_.exec("SELECT pgtrickle.wait_until_active(" + session_.quote(name) + ", '20 s')");
  }

  std::string column(const std::string& name, const std::string& column) {
    return session_.value("SELECT " + column +
                          " FROM pgtrickle.pgt_stream_tables WHERE pgt_name = " + session_.quote(name));
  }

  /// Survives the loss of the session, for tests that cut it.
  template <class F>
  static bool quietly(F check) {
    try {
      return check();
    } catch (const pqxx::broken_connection&) {
      return false;
    } catch (const pqxx::sql_error&) {
      return false;
    }
  }

  bool becomes_equal(const std::string& name, std::chrono::milliseconds timeout = 15s) {
    return wait_until(
        [&] {
          return quietly([&] {
            return session_.table("SELECT * FROM pgtrickle.verify_stream_table(" + session_.quote(name) + ", false)") ==
                   "0|0";
          });
        },
        timeout);
  }

  std::string cut_all() {
    return session_.value(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'pgtrickled%' "
        "AND datname = current_database()");
  }

  TestDatabase db_;
  Session session_;
};

TEST_F(Scheduling, TheDaemonMayStartBeforePgtrickleIsInstalled) {
  TestDatabase bare(TestDatabase::Install::kNothing);
  DaemonProcess daemon(DaemonProcess::Options{.dsns = {bare.dsn()}, .wait_ready = false});
  ASSERT_TRUE(wait_until([&] {
    const auto health = pgt::test::http_get(daemon.http_port(), "/health");
    return health.status == 503 && health.body.find("not installed") != std::string::npos;
  }));
  EXPECT_EQ(pgt::test::run_cli({"install", "--dsn", bare.dsn()}).exit_code, 0);
  EXPECT_TRUE(wait_until([&] { return pgt::test::http_get(daemon.http_port(), "/health").status == 200; }));
}

TEST_F(Scheduling, CutConnectionsAreReplacedAndNothingIsLost) {
  DaemonProcess daemon(db_.dsn());
  create_totals();
  wait_active("totals");
  int cut = 0;
  for (int i = 0; i < 10; ++i) {
    session_.exec("UPDATE items SET amount = amount + 1 WHERE id % 10 = " + std::to_string(i));
    cut += std::stoi(cut_all());
    session_.exec("INSERT INTO items SELECT max(id) + 1, 1, 1 FROM items");
    std::this_thread::sleep_for(50ms * i);
  }
  EXPECT_GT(cut, 3);
  EXPECT_TRUE(becomes_equal("totals"));
  EXPECT_EQ(column("totals", "status"), "ACTIVE");
  EXPECT_EQ(column("totals", "consecutive_errors"), "0");
}

TEST_F(Scheduling, ResumesAfterTheServerCrashed) {
  DaemonProcess daemon(db_.dsn());
  create_totals();
  wait_active("totals");
  for (int i = 0; i < 3; ++i) {
    session_.exec("UPDATE items SET amount = amount + 1");
    pgt::test::restart_server_immediately();
    ASSERT_TRUE(wait_until([&] { return quietly([&] { return session_.value("SELECT 1") == "1"; }); }));
    session_.exec("UPDATE items SET amount = amount + 1 WHERE kind = 2");
    EXPECT_TRUE(becomes_equal("totals"));
  }
  EXPECT_EQ(column("totals", "status"), "ACTIVE");
  EXPECT_TRUE(daemon.running());
}

TEST_F(Scheduling, ASecondDaemonStandsByAndTakesOver) {
  auto first = std::make_unique<DaemonProcess>(db_.dsn());
  create_totals();
  wait_active("totals");
  DaemonProcess second(DaemonProcess::Options{.dsns = {db_.dsn()}, .wait_ready = false});
  EXPECT_TRUE(wait_until([&] {
    return session_.value("SELECT string_agg(is_leader::text, ',' ORDER BY is_leader) FROM pgtrickle.pgt_daemons") ==
           "false,true";
  }));
  first->kill();
  session_.exec("UPDATE items SET amount = 0 WHERE kind = 1");
  EXPECT_TRUE(becomes_equal("totals"));
  EXPECT_TRUE(wait_until([&] {
    return session_.value("SELECT count(*) FROM pgtrickle.pgt_daemons WHERE is_leader AND pid = " +
                          std::to_string(second.pid())) == "1";
  }));
  EXPECT_EQ(second.stop(), 0);
  EXPECT_EQ(session_.value("SELECT count(*) FROM pgtrickle.pgt_daemons WHERE pid = " + std::to_string(second.pid())),
            "0");
}

// Alerts are the leader's, and so is the judgement of promises: nobody else knows what is fresh.
TEST_F(Scheduling, ANewLeaderTellsWhatLastsAndTheOldOneNoMore) {
  create_totals();
  create("blown", "SELECT id, amount FROM items");
  session_.exec("SELECT pgtrickle.alter_stream_table('totals', max_staleness => '1 s')");
  DaemonProcess first(db_.dsn());
  for (const char* name : {"totals", "blown"}) wait_active(name);
  session_.exec("SELECT pgtrickle.alter_stream_table('blown', fuse => 'on', fuse_ceiling => 1)");
  session_.exec("UPDATE items SET amount = 1 WHERE id < 5");
  const auto alerts = [](const DaemonProcess& daemon) {
    return pgt::test::http_get(daemon.http_port(), "/api/v1/alerts").body;
  };
  EXPECT_TRUE(wait_until([&] { return alerts(first).find("\"fuse_blown\"") != std::string::npos; }));

  DaemonProcess second(DaemonProcess::Options{.dsns = {db_.dsn()}, .wait_ready = false});
  EXPECT_TRUE(wait_until([&] {
    return pgt::test::http_get(second.http_port(), "/metrics").body.find("stream_table=\"totals\"") !=
           std::string::npos;
  }));
  std::this_thread::sleep_for(1500ms);  // what a standby reads in the catalog is older than the promise now and then
  const std::string standby = pgt::test::http_get(second.http_port(), "/health").body;
  EXPECT_EQ(standby.find("max_staleness"), std::string::npos) << standby;
  EXPECT_EQ(alerts(second).find("fuse_blown"), std::string::npos);

  // The standby gets the lock while the old leader has no connection.
  EXPECT_TRUE(wait_until(
      [&] {
        session_.exec("SELECT pg_terminate_backend(pid) FROM pgtrickle._lockers('leader')");
        std::this_thread::sleep_for(1s);
        return second.log().find("leading database") != std::string::npos;
      },
      60s));
  EXPECT_TRUE(wait_until([&] { return alerts(second).find("\"fuse_blown\"") != std::string::npos; }));
  EXPECT_TRUE(wait_until([&] { return alerts(first).find("fuse_blown") == std::string::npos; })) << alerts(first);
  std::this_thread::sleep_for(1500ms);
  EXPECT_EQ(second.log().find("kind=stale"), std::string::npos) << second.log();
}

TEST_F(Scheduling, AnAlertAboutWhatIsGoneEnds) {
  session_.exec("CREATE TABLE gone (id int)");
  session_.exec("SELECT pgtrickle.gate_source('gone')");
  const DaemonProcess daemon(db_.dsn());
  const auto is_told = [&] {
    return pgt::test::http_get(daemon.http_port(), "/api/v1/alerts").body.find("public.gone") != std::string::npos;
  };
  EXPECT_TRUE(wait_until(is_told));
  session_.exec("DROP TABLE gone");
  EXPECT_TRUE(wait_until([&] { return !is_told(); }));
}

// They are for other sessions.
TEST_F(Scheduling, SettingsOfTheDatabaseDoNotStopTheDaemon) {
  create_totals();
  const std::string database = "ALTER DATABASE " + db_.name() + " SET ";
  session_.exec(database + "default_transaction_read_only = on; " + database + "statement_timeout = '1ms'; " +
                database + "idle_in_transaction_session_timeout = '1ms'; " + database + "quote_all_identifiers = on; " +
                database + "default_transaction_isolation = 'serializable'");
  DaemonProcess daemon(db_.dsn());
  wait_active("totals");
  session_.exec("UPDATE items SET amount = amount + 1");
  EXPECT_TRUE(becomes_equal("totals"));
  daemon.stop();
  session_.exec("UPDATE items SET amount = amount + 1");
  session_.exec("SET quote_all_identifiers = on");
  session_.exec("CALL pgtrickle.refresh('totals')");
  EXPECT_TRUE(becomes_equal("totals"));
}

TEST_F(Scheduling, OneFailingStreamTableDoesNotStopTheOthersAndIsSuspended) {
  session_.exec("CREATE TABLE divisors (id int PRIMARY KEY, d int)");
  session_.exec("INSERT INTO divisors VALUES (1, 1)");
  create("base", "SELECT id, d FROM divisors");
  create("bad", "SELECT id, 100 / d AS q FROM base");
  create("good", "SELECT id, d + 1 AS s FROM base");
  DaemonProcess daemon(db_.dsn());
  for (const char* name : {"base", "bad", "good"}) wait_active(name);
  session_.exec("INSERT INTO divisors VALUES (2, 0)");
  EXPECT_TRUE(wait_until([&] { return column("bad", "status") == "SUSPENDED"; }, 20s));
  EXPECT_EQ(column("bad", "last_error_code"), "22012");
  EXPECT_EQ(column("bad", "consecutive_errors"), "3");
  EXPECT_THAT(column("bad", "last_error"), ::testing::HasSubstr("division by zero"));
  EXPECT_TRUE(wait_until([&] {
    return session_.value(
               "SELECT count(*) FROM pgtrickle.pgt_refresh_history WHERE status = 'FAILED' AND error_code = "
               "'22012'") == "3";
  }));
  session_.exec("INSERT INTO divisors VALUES (3, 3)");
  EXPECT_TRUE(wait_until([&] { return session_.value("SELECT count(*) FROM good") == "3"; }));
  EXPECT_TRUE(becomes_equal("good"));

  session_.exec("DELETE FROM divisors WHERE d = 0");
  session_.exec("SELECT pgtrickle.resume_stream_table('bad')");
  EXPECT_TRUE(wait_until([&] { return column("bad", "status") == "ACTIVE"; }));
  EXPECT_TRUE(becomes_equal("bad"));
  EXPECT_EQ(column("bad", "consecutive_errors"), "0");
  EXPECT_EQ(column("bad", "last_error"), "");
}

TEST_F(Scheduling, ALockedStreamTableIsRetriedAndDoesNotBlockOthers) {
  create_totals();
  create("copy", "SELECT id, amount FROM items");
  DaemonProcess daemon(db_.dsn());
  wait_active("totals");
  wait_active("copy");
  Session locker(db_.dsn());
  locker.exec("BEGIN");
  locker.exec("LOCK TABLE totals IN ACCESS EXCLUSIVE MODE");
  session_.exec("INSERT INTO items VALUES (1000, 9, 9)");
  EXPECT_TRUE(wait_until([&] { return session_.value("SELECT count(*) FROM copy WHERE id = 1000") == "1"; }));
  std::this_thread::sleep_for(1s);
  locker.exec("ROLLBACK");
  EXPECT_TRUE(becomes_equal("totals", 20s));
  EXPECT_EQ(column("totals", "consecutive_errors"), "0");
}

TEST_F(Scheduling, ASlowStreamTableDoesNotDelayOthers) {
  // As slow as the test wants it: it waits for a lock that the test holds.
  session_.exec(
      "CREATE FUNCTION slow(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM "
      "pg_advisory_xact_lock_shared(1234567); RETURN i; END$$");
  session_.exec("CREATE TABLE few (id int PRIMARY KEY)");
  create("slowly", "SELECT id, slow(id) AS s FROM few");
  create("copy", "SELECT id, amount FROM items");
  DaemonProcess daemon(db_.dsn());
  wait_active("slowly");
  wait_active("copy");
  Session lock(db_.dsn());
  lock.exec("SELECT pg_advisory_lock(1234567)");
  session_.exec("INSERT INTO few VALUES (1), (2)");
  ASSERT_TRUE(wait_until([&] {
    return session_.value(
               "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()") !=
           "0";
  })) << "the slow one is running";
  session_.exec("INSERT INTO items VALUES (1000, 9, 9)");
  EXPECT_TRUE(wait_until([&] { return session_.value("SELECT count(*) FROM copy WHERE id = 1000") == "1"; }));
  EXPECT_EQ(session_.value("SELECT count(*) FROM slowly"), "0") << "the slow one is still running";
  lock.exec("SELECT pg_advisory_unlock(1234567)");
  EXPECT_TRUE(becomes_equal("slowly"));
}

TEST_F(Scheduling, DamagedStateIsRebuilt) {
  create_totals();
  DaemonProcess daemon(db_.dsn());
  wait_active("totals");
  const std::string id = column("totals", "pgt_id");
  // Somebody with all rights breaks the program: it is recreated.
  session_.exec("DROP FUNCTION pgtrickle_state.refresh_" + id + "(text)");
  session_.exec("UPDATE items SET amount = amount * 2");
  EXPECT_TRUE(becomes_equal("totals"));
  EXPECT_TRUE(
      wait_until([&] { return column("totals", "status") == "ACTIVE" && column("totals", "needs_reinit") == "f"; }));
}

TEST_F(Scheduling, AProgramThatAlwaysFindsDamageEndsInErrorAfterAFewRebuilds) {
  create_totals();
  DaemonProcess daemon(db_.dsn());
  wait_active("totals");
  const std::string id = column("totals", "pgt_id");
  // A trigger that lets every refresh by the daemon fail, but not the initialisation.
  session_.exec(
      "CREATE FUNCTION damage() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
      "IF current_setting('application_name') = 'pgtrickled' THEN "
      "RAISE EXCEPTION 'damaged' USING ERRCODE = 'data_corrupted'; END IF; RETURN NULL; END$$");
  session_.exec(
      "CREATE TRIGGER zz_damage AFTER INSERT OR UPDATE OR DELETE ON totals FOR EACH STATEMENT EXECUTE FUNCTION "
      "damage()");
  EXPECT_TRUE(wait_until(
      [&] {
        session_.exec("UPDATE items SET amount = amount + 1 WHERE id = 1");
        return column("totals", "status") == "ERROR";
      },
      30s));
  EXPECT_THAT(column("totals", "last_error"), ::testing::HasSubstr("re-initialised"));
  const auto builds = [&] {
    return session_.value(
        "SELECT count(*) FROM pgtrickle.pgt_refresh_history WHERE initiated_by = 'INITIAL' AND pgt_id = " + id);
  };
  const std::string before = builds();
  EXPECT_EQ(before, "4");  // the first, and three attempts to repair
  std::this_thread::sleep_for(1500ms);
  EXPECT_EQ(builds(), before);
}

TEST_F(Scheduling, LosingAPrivilegeSuspendsWithTheReason) {
  session_.exec("DROP ROLE IF EXISTS pgt_scheduling_owner");
  session_.exec("CREATE ROLE pgt_scheduling_owner");
  session_.exec("GRANT CREATE, USAGE ON SCHEMA public TO pgt_scheduling_owner");
  session_.exec("GRANT SELECT ON items TO pgt_scheduling_owner");
  session_.exec("SET ROLE pgt_scheduling_owner");
  create_totals();
  session_.exec("RESET ROLE");
  {
    DaemonProcess daemon(db_.dsn());
    wait_active("totals");
    session_.exec("REVOKE SELECT ON items FROM pgt_scheduling_owner");
    session_.exec("UPDATE items SET amount = amount + 1");
    EXPECT_TRUE(wait_until([&] { return column("totals", "status") == "SUSPENDED"; }));
    EXPECT_EQ(column("totals", "last_error_code"), "42501");
    session_.exec("GRANT SELECT ON items TO pgt_scheduling_owner");
    session_.exec("SELECT pgtrickle.resume_stream_table('totals')");
    EXPECT_TRUE(becomes_equal("totals"));
  }
  session_.exec("SELECT pgtrickle.drop_stream_table('totals')");
  session_.exec("DROP OWNED BY pgt_scheduling_owner CASCADE");
  session_.exec("DROP ROLE pgt_scheduling_owner");
}

TEST_F(Scheduling, KilledInTheMiddleOfWorkItGoesOnWhereTheCatalogIs) {
  create_totals();
  for (int i = 0; i < 5; ++i) {
    DaemonProcess daemon(DaemonProcess::Options{.dsns = {db_.dsn()}, .wait_ready = false});
    std::this_thread::sleep_for(40ms * i);
    session_.exec("UPDATE items SET amount = amount + 1");
    daemon.kill();
  }
  DaemonProcess daemon(db_.dsn());
  wait_active("totals");
  EXPECT_TRUE(becomes_equal("totals"));
}

TEST_F(Scheduling, LogsAreRotatedAndHistoryIsKept) {
  create_totals();
  DaemonProcess daemon(db_.dsn());
  wait_active("totals");
  for (int i = 0; i < 12; ++i) session_.exec("UPDATE items SET amount = amount + 1");
  const auto log_bytes = [&] {
    return std::stoll(session_.value(
        "SELECT sum(pg_relation_size(c.oid)) FROM pg_class c WHERE c.relnamespace = 'pgtrickle_changes'::regnamespace "
        "AND c.relname ~ '^log_[0-9]+_[ab]$'"));
  };
  EXPECT_GT(log_bytes(), 262144);
  // The full table is switched off and emptied; what is written meanwhile stays.
  EXPECT_TRUE(wait_until([&] { return log_bytes() < 262144; }, 20s));
  EXPECT_TRUE(becomes_equal("totals"));
  EXPECT_NE(session_.value("SELECT count(*) FROM pgtrickle.pgt_refresh_history WHERE initiated_by = 'SCHEDULER'"), "0");
}

TEST_F(Scheduling, DroppedStreamTablesLeaveNothingBehind) {
  create_totals();
  create("copy", "SELECT id, amount FROM items");
  DaemonProcess daemon(db_.dsn());
  wait_active("totals");
  wait_active("copy");
  session_.exec("SELECT pgtrickle.drop_stream_table('totals')");
  session_.exec("DROP TABLE copy");
  EXPECT_TRUE(wait_until([&] {
    return session_.value(
               "SELECT (SELECT count(*) FROM pgtrickle.pgt_stream_tables) + (SELECT count(*) FROM "
               "pgtrickle.pgt_sources) "
               "+ (SELECT count(*) FROM pg_proc WHERE pronamespace = 'pgtrickle_state'::regnamespace) "
               "+ (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'items'::regclass AND NOT tgisinternal)") == "0";
  }));
}

}  // namespace
