// What nobody can do to others: stop the daemon, a stream table of somebody else, or the writers of a source.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <pqxx/pqxx>
#include <string>
#include <thread>

#include "security/world.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::http_get;
using pgt::test::Session;
using pgt::test::wait_until;
using pgt::test::World;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Others : public World {
 protected:
  Others() {
    root().exec("SELECT pgtrickle.trust_all_owners(true)");  // who runs what is not the question here
    carol_session_ = std::make_unique<Session>(dsn_of_role(carol_));
    for (Session* session : {&alice(), &bob(), &carol()}) session->exec("SET lock_timeout = '10s'");
  }
  Session& carol() { return *carol_session_; }

  /// Alice makes a stream table and writes, and the daemon follows.
  void expect_alice_is_served() {
    create(alice(), "a.st", "SELECT id, amount FROM a.orders");
    EXPECT_TRUE(becomes("a.st", "ACTIVE", 30s)) << daemon_->log();
    alice().exec("INSERT INTO a.orders VALUES (100, 1)");
    EXPECT_TRUE(becomes_equal("a.st")) << daemon_->log();
  }

  static std::string locking(const std::string& name, const std::string& mode) {
    return "DO $$ BEGIN LOCK TABLE " + name + " IN " + mode + " MODE; END $$";
  }

  std::unique_ptr<Session> carol_session_;
};

// Leader, drain, build; listening and sleeping, where writers must try them: there the daemon polls.
TEST_P(Others, AdvisoryLocksOfStrangersStopNobody) {
  carol().exec("SELECT pg_advisory_lock(1885828210, k) FROM generate_series(1, 3) AS k");
  carol().exec("SELECT pg_advisory_lock(1885828212, 0)");
  carol().exec("SELECT pg_advisory_lock(1885828213, k) FROM generate_series(0, 50) AS k");
  start_daemon();
  EXPECT_TRUE(wait_until([&] {
    return http_get(daemon_->http_port(), "/health").body.find("\"leader\"") != std::string::npos;
  })) << daemon_->log();
  expect_alice_is_served();
  std::this_thread::sleep_for(1s);  // it would sleep by now
  alice().exec("INSERT INTO a.orders VALUES (101, 1)");
  EXPECT_TRUE(becomes_equal("a.st")) << daemon_->log();
  EXPECT_EQ(admin().value("SELECT pgtrickle.drain(10)"), "t");
  EXPECT_EQ(admin().value("SELECT pgtrickle.is_drained()"), "t");
}

TEST_P(Others, LocksThatDecideWhoWorksAreOutOfReach) {
  for (Session* stranger : {&alice(), &bob(), &carol()}) {
    for (const char* lock : {"leader", "units", "grants"}) {
      const std::string name = std::string("pgtrickle_locks.") + lock;
      for (const char* mode : {"ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "EXCLUSIVE"}) {
        EXPECT_THAT(refused(*stranger, locking(name, mode)), StartsWith("42501")) << mode;
      }
      // These lock before they ask for privileges, and keep the lock.
      EXPECT_THAT(refused(*stranger, "PREPARE p AS DELETE FROM " + name), StartsWith("42501"));
      EXPECT_THAT(refused(*stranger, "PREPARE p AS SELECT FROM " + name + " FOR UPDATE"), StartsWith("42501"));
      EXPECT_THAT(refused(*stranger, "CREATE RULE r AS ON UPDATE TO " + name + " DO NOTHING"), StartsWith("42501"));
      EXPECT_THAT(refused(*stranger, "COMMENT ON VIEW " + name + " IS 'x'"), StartsWith("42501"));
    }
    for (const char* function : {"_try_lead()", "_enter_unit()"}) {
      EXPECT_THAT(refused(*stranger, std::string("SELECT pgtrickle.") + function), StartsWith("42501"));
    }
  }
}

TEST_P(Others, LocksAreClosedWhateverDefaultPrivilegesSay) {
  pgt::test::TestDatabase other(pgt::test::TestDatabase::Install::kNothing);
  Session installer(other.dsn());
  installer.exec("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC");
  installer.exec("ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO PUBLIC");
  installer.exec(std::string(pgtrickle::install_sql()));
  Session stranger(other.dsn() + " user=" + carol_);
  EXPECT_THAT(refused(stranger, locking("pgtrickle_locks.leader", "EXCLUSIVE")), StartsWith("42501"));
  EXPECT_EQ(installer.value("SELECT count(*) FROM pg_class WHERE relnamespace = 'pgtrickle_locks'::regnamespace AND "
                            "has_table_privilege('" +
                            carol_ + "', oid, 'SELECT, UPDATE')"),
            "0");
}

// PREPARE locks what it names as its statement would, no matter who prepares it.
TEST_P(Others, LocksOnTheCatalogStopNobody) {
  start_daemon();
  expect_alice_is_served();
  carol().exec("BEGIN");
  const auto tables = root().exec(
      "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'pgtrickle'::regnamespace AND c.relkind = "
      "'r'");
  int n = 0;
  for (const auto& row : tables) {
    carol().exec("PREPARE p" + std::to_string(n++) + " AS DELETE FROM " + row[0].as<std::string>());
  }
  ASSERT_GT(n, 10);
  alice().exec("INSERT INTO a.orders VALUES (101, 1)");
  EXPECT_TRUE(becomes_equal("a.st")) << daemon_->log();
  create(alice(), "a.more", "SELECT amount, count(*) AS n FROM a.orders GROUP BY amount");
  EXPECT_TRUE(becomes("a.more", "ACTIVE", 30s)) << daemon_->log();
  alice().exec("ALTER TABLE a.orders RENAME COLUMN amount TO price");
  alice().exec("INSERT INTO a.orders VALUES (102, 1)");
  EXPECT_TRUE(wait_until([&] { return root().value("SELECT count(*) FROM a.st WHERE id = 102") == "1"; }, 30s))
      << daemon_->log();
  alice().exec("SELECT pgtrickle.drop_stream_table('a.more')");
}

// Whatever a role can lock in any of our schemas, and in which mode: with LOCK TABLE, which asks for privileges, and
// with PREPARE, which does not.
class Locks : public Others {
 protected:
  /// In a transaction that stays open.
  static void take_all(Session& session) {
    session.exec("BEGIN");
    session.exec(R"(DO $$ DECLARE t text; mode text; statement text; n int := 0; BEGIN
      FOR t IN SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname LIKE 'pgtrickle%' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') LOOP
        FOREACH mode IN ARRAY '{ACCESS SHARE,ROW SHARE,ROW EXCLUSIVE,SHARE UPDATE EXCLUSIVE,SHARE,SHARE ROW EXCLUSIVE,
                                EXCLUSIVE,ACCESS EXCLUSIVE}'::text[] LOOP
          BEGIN EXECUTE format('LOCK TABLE %s IN %s MODE NOWAIT', t, mode); EXCEPTION WHEN OTHERS THEN NULL; END;
        END LOOP;
        FOREACH statement IN ARRAY '{SELECT FROM %s,SELECT FROM %s FOR UPDATE,SELECT FROM %s FOR KEY SHARE,DELETE FROM %s,
                                     INSERT INTO %s DEFAULT VALUES,TRUNCATE %s}'::text[] LOOP
          BEGIN n := n + 1; EXECUTE format('PREPARE p%s AS ' || statement, n, t); EXCEPTION WHEN OTHERS THEN NULL; END;
        END LOOP;
      END LOOP; END $$)");
  }
  /// Locks of the session in our schemas, as "schema mode", without doubles.
  std::string held(Session& session) {
    return root().table(
        "SELECT DISTINCT n.nspname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN "
        "pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname LIKE 'pgtrickle%' AND l.granted AND "
        "l.pid = " +
        session.value("SELECT pg_backend_pid()") + " ORDER BY 1, 2");
  }
  long log_bytes() {
    return std::stol(
        root().value("SELECT sum(pg_relation_size(c.oid)) FROM pg_class c WHERE c.relnamespace = "
                     "'pgtrickle_changes'::regnamespace AND c.relkind = 'r'"));
  }
  bool log_is_cleared() {
    return wait_until(
        [&] {
          alice().exec("UPDATE a.orders SET amount = amount + 1 WHERE id < 10");  // rotation follows writers
          return log_bytes() < 200000;
        },
        20s);
  }
};

TEST_P(Locks, OfAStrangerStopNothing) {
  start_daemon("scheduler:\n  log_switch_bytes: 64kB\n  housekeeping_interval: 100ms\n");
  expect_alice_is_served();
  create(alice(), "a.sums", "SELECT amount % 3 AS k, sum(amount) AS s FROM a.orders GROUP BY 1");
  ASSERT_TRUE(becomes("a.sums", "ACTIVE", 30s)) << daemon_->log();
  take_all(carol());
  EXPECT_EQ(held(carol()), "pgtrickle|AccessShareLock\npgtrickle|RowExclusiveLock\npgtrickle|RowShareLock")
      << "nothing in schemas of logs, state tables and locks, and nothing stronger";
  // Refreshed, rotated, altered, built, dropped, collected.
  alice().exec("INSERT INTO a.orders SELECT i, i FROM generate_series(1000, 5000) AS i");
  EXPECT_TRUE(becomes_equal("a.st")) << daemon_->log();
  EXPECT_TRUE(becomes_equal("a.sums")) << daemon_->log();
  EXPECT_TRUE(log_is_cleared()) << log_bytes() << daemon_->log();
  alice().exec("ALTER TABLE a.orders ADD COLUMN note text");
  create(alice(), "a.more", "SELECT id, note FROM a.orders");  // another column of the log
  EXPECT_TRUE(becomes("a.more", "ACTIVE", 30s)) << daemon_->log();
  alice().exec("SELECT pgtrickle.alter_stream_table('a.sums', query => 'SELECT max(amount) AS m FROM a.orders')");
  EXPECT_TRUE(becomes_equal("a.sums")) << daemon_->log();
  alice().exec("SELECT pgtrickle.drop_stream_table('a.more')");
  EXPECT_TRUE(becomes_equal("a.st")) << daemon_->log();
  carol().exec("ROLLBACK");
}

// Who reads a log, as owners of stream tables may, keeps it from being cleared until his transaction ends. It grows
// meanwhile, and nobody waits.
TEST_P(Locks, OfAReaderOfALogHoldUpNobody) {
  start_daemon("scheduler:\n  log_switch_bytes: 64kB\n  housekeeping_interval: 100ms\n");
  expect_alice_is_served();
  alice().exec("GRANT USAGE ON SCHEMA a TO " + bob_ + "; GRANT SELECT ON a.orders TO " + bob_);
  create(bob(), "b.reader", "SELECT id, amount FROM a.orders");
  ASSERT_TRUE(becomes("b.reader", "ACTIVE", 30s)) << daemon_->log();
  take_all(bob());
  EXPECT_THAT(held(bob()), Not(HasSubstr("pgtrickle_locks")));
  EXPECT_THAT(held(bob()), HasSubstr("pgtrickle_changes|AccessShareLock")) << "or this test proves nothing";
  for (int i = 0; i < 5; ++i) {
    alice().exec("UPDATE a.orders SET amount = amount + 1");
    EXPECT_TRUE(becomes_equal("a.st")) << daemon_->log();
  }
  alice().exec("INSERT INTO a.orders SELECT i, i FROM generate_series(1000, 5000) AS i");
  EXPECT_TRUE(becomes_equal("a.st")) << daemon_->log();
  EXPECT_GT(log_bytes(), 200000);
  bob().exec("ROLLBACK");
  EXPECT_TRUE(log_is_cleared()) << log_bytes() << daemon_->log();
}

PGT_IN_BOTH_WORLDS(Locks);

// Everybody can listen, and can ask a daemon on his host.
TEST_P(Others, ValuesOfRowsStayOutOfAlertsAndHttp) {
  start_daemon();
  alice().exec("CREATE TABLE a.texts (t text); INSERT INTO a.texts VALUES ('1')");
  create(alice(), "a.numbers", "SELECT t::int AS n FROM a.texts");
  ASSERT_TRUE(becomes("a.numbers", "ACTIVE", 30s)) << daemon_->log();
  struct Heard : pqxx::notification_receiver {
    explicit Heard(pqxx::connection& c) : notification_receiver(c, "pgtrickle_alert") {}
    void operator()(const std::string& payload, int) override { all += payload + "\n"; }
    std::string all;
  } heard(carol().connection());
  alice().exec("INSERT INTO a.texts VALUES ('SSN 123-45-6789')");
  EXPECT_TRUE(wait_until([&] {
    carol().connection().get_notifs();
    return heard.all.find("22P02") != std::string::npos;
  })) << heard.all
      << daemon_->log();
  EXPECT_THAT(heard.all, Not(HasSubstr("6789")));
  const auto page = [&](const char* path) { return http_get(daemon_->http_port(), path).body; };
  EXPECT_TRUE(wait_until([&] { return page("/api/v1/alerts").find("22P02") != std::string::npos; }));
  for (const char* path : {"/health", "/api/v1/stream_tables", "/api/v1/alerts", "/metrics"}) {
    EXPECT_THAT(page(path), Not(HasSubstr("6789"))) << path;
  }
}

// It is read with the catalog of everybody, every two seconds.
TEST_P(Others, TextsOfAnyLengthAreReadInPart) {
  start_daemon("http:\n  details: on\n");  // shows how much has been read
  expect_alice_is_served();
  create(bob(), "b.st", "SELECT id, v FROM b.src");
  ASSERT_TRUE(becomes("b.st", "ACTIVE", 30s)) << daemon_->log();
  root().exec(
      "UPDATE pgtrickle.pgt_stream_tables SET status = 'ERROR', last_error = repeat('x', 100000000), reason = "
      "repeat('y', 100000000) WHERE pgt_relid = 'b.st'::regclass");
  root().exec("NOTIFY pgtrickle_wake");
  const auto tables = [&] { return http_get(daemon_->http_port(), "/api/v1/stream_tables").body; };
  EXPECT_TRUE(wait_until([&] { return tables().find(std::string(1000, 'x')) != std::string::npos; }, 30s)) << tables();
  EXPECT_THAT(tables(), HasSubstr(std::string(1000, 'y')));
  EXPECT_LT(tables().size(), 10000U);
  std::ifstream status("/proc/" + std::to_string(daemon_->pid()) + "/status");
  std::string word;
  long kilobytes = 0;
  while (status >> word && word != "VmHWM:") {
  }
  status >> kilobytes;
  EXPECT_GT(kilobytes, 1000);
  EXPECT_LT(kilobytes, 150000) << "at most, of memory";
}

// A reader who stands still does not fill the disk with the changes of others.
TEST_P(Others, WhoDoesNotKeepUpHoldsALogUpToTheLimit) {
  start_daemon("scheduler:\n  log_max_bytes: 1MB\n  log_switch_bytes: 64kB\n  housekeeping_interval: 100ms\n");
  expect_alice_is_served();
  alice().exec("GRANT USAGE ON SCHEMA a TO " + bob_ + "; GRANT SELECT ON a.orders TO " + bob_);
  create(bob(), "b.reader", "SELECT id, amount FROM a.orders");
  ASSERT_TRUE(becomes("b.reader", "ACTIVE", 30s)) << daemon_->log();
  bob().exec("SELECT pgtrickle.pause_stream_table('b.reader')");
  const auto bytes = [&] {
    return std::stol(
        root().value("SELECT sum(pg_relation_size(c.oid)) FROM pg_class c WHERE c.relnamespace = "
                     "'pgtrickle_changes'::regnamespace AND c.relname LIKE 'log%' AND c.relkind = 'r'"));
  };
  for (int i = 0; i < 20; ++i) alice().exec("UPDATE a.orders SET amount = amount + 1 FROM generate_series(1, 1)");
  EXPECT_EQ(column("b.reader", "needs_reinit"), "f") << "below the limit nothing happens";
  alice().exec("INSERT INTO a.orders SELECT i, i FROM generate_series(1000, 30000) AS i");
  EXPECT_TRUE(wait_until([&] { return column("b.reader", "needs_reinit") == "t"; }, 30s)) << daemon_->log();
  EXPECT_TRUE(wait_until(
      [&] {
        alice().exec("UPDATE a.orders SET amount = amount + 1 WHERE id < 10");  // rotation follows writers
        return bytes() < 1000000;
      },
      30s))
      << bytes() << daemon_->log();
  EXPECT_THAT(daemon_->log(), HasSubstr("kind=log_released"));
  EXPECT_THAT(column("b.reader", "reinit_reason"), HasSubstr("a.orders"));
  EXPECT_EQ(column("a.st", "needs_reinit"), "f") << "who keeps up is not concerned";
  bob().exec("SELECT pgtrickle.resume_stream_table('b.reader')");
  EXPECT_TRUE(becomes_equal("b.reader")) << daemon_->log();
  EXPECT_TRUE(becomes_equal("a.st"));
}

TEST_P(Others, QueriesThatAreTooLongAreAnErrorOfTheirs) {
  start_daemon("compiler:\n  max_query_bytes: 100kB\n");
  create(bob(), "b.st", "SELECT '" + std::string(200000, 'x') + "' AS a");
  EXPECT_TRUE(becomes("b.st", "ERROR", 30s)) << daemon_->log();
  EXPECT_THAT(column("b.st", "last_error"), HasSubstr("compiler.max_query_bytes"));
  expect_alice_is_served();
}

// A worker thread that compiles cannot be interrupted.
TEST_P(Others, TheDaemonEndsInTimeWhateverItCompiles) {
  start_daemon("compiler:\n  max_query_bytes: 1GB\nshutdown_timeout: 2s\n");
  create(bob(), "b.st", "SELECT '" + std::string(4000000, 'x') + "' AS a");
  ASSERT_TRUE(becomes("b.st", "INITIALIZING", 60s)) << daemon_->log();
  std::this_thread::sleep_for(1s);
  EXPECT_EQ(daemon_->stop(5s), 0);
  EXPECT_EQ(column("b.st", "status"), "INITIALIZING") << "it has been compiled in the meantime";
}

// At COMMIT PostgreSQL has no statement_timeout, and code can catch that it was cancelled.
TEST_P(Others, CodeThatDoesNotEndAtCommitIsEnded) {
  start_daemon("scheduler:\n  refresh_timeout: 500ms\n");
  expect_alice_is_served();
  create(bob(), "b.st", "SELECT id, v FROM b.src");
  ASSERT_TRUE(becomes("b.st", "ACTIVE", 30s)) << daemon_->log();
  bob().exec(
      "CREATE FUNCTION b.stubborn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN LOOP"
      "  BEGIN PERFORM pg_sleep(1000); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$;"
      "CREATE CONSTRAINT TRIGGER stubborn AFTER INSERT ON b.st DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE "
      "FUNCTION b.stubborn()");
  bob().exec("INSERT INTO b.src VALUES (2, 2)");
  const std::string asleep =
      "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
  ASSERT_TRUE(wait_until([&] { return !root().table(asleep).empty(); })) << daemon_->log();
  const std::string first = root().table(asleep);
  alice().exec("INSERT INTO a.orders VALUES (101, 1)");
  EXPECT_TRUE(becomes_equal("a.st")) << "others go on meanwhile";
  EXPECT_TRUE(
      wait_until([&] { return root().table("SELECT 1 FROM pg_stat_activity WHERE pid = " + first).empty(); }, 20s))
      << daemon_->log();
}

PGT_IN_BOTH_WORLDS(Others);

}  // namespace
