// What people do at night, with a running daemon: gates, watermarks, fuses, pausing and draining, waiting for
// freshness, schedules, cycles, and the alerts that tell of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::DaemonProcess;
using pgt::test::Session;
using pgt::test::TestDatabase;
using pgt::test::wait_until;

// Collects the payloads of pgtrickle_alert.
class Listener : public pqxx::notification_receiver {
 public:
  explicit Listener(pqxx::connection& connection) : notification_receiver(connection, "pgtrickle_alert") {}
  void operator()(const std::string& payload, int /*pid*/) override {
    alerts.push_back(nlohmann::json::parse(payload));
  }
  std::vector<nlohmann::json> alerts;
};

class Operation : public ::testing::Test {
 protected:
  Operation() : session_(db_.dsn()), ear_(db_.dsn()), listener_(ear_) {
    session_.exec("CREATE TABLE items (id int PRIMARY KEY, kind int NOT NULL, amount int NOT NULL)");
    session_.exec("CREATE TABLE kinds (id int PRIMARY KEY, name text)");
    session_.exec("INSERT INTO items SELECT i, i % 5, i FROM generate_series(1, 200) AS i");
    session_.exec("INSERT INTO kinds SELECT i, 'kind ' || i FROM generate_series(0, 4) AS i");
  }

  void create(const std::string& name, const std::string& query, const std::string& more = "schedule => '50 ms'") {
    session_.exec("SELECT pgtrickle.create_stream_table(" + session_.quote(name) + ", " + session_.quote(query) + ", " +
                  more + ")");
  }

  void create_graph() {
    create("totals", "SELECT kind, count(*) AS n, sum(amount) AS total FROM items GROUP BY kind");
    create("named", "SELECT k.name, t.n, t.total FROM totals t JOIN kinds k ON k.id = t.kind");
  }

  DaemonProcess& start() {
    daemon_ = std::make_unique<DaemonProcess>(db_.dsn());
    return *daemon_;
  }

  void wait_active(const std::vector<std::string>& names) {
    for (const auto& name : names) session_.exec("SELECT pgtrickle.wait_until_active('" + name + "', '30 s')");
  }

  bool becomes_equal(const std::string& name, std::chrono::milliseconds timeout = 15s) {
    return wait_until(
        [&] { return session_.table("SELECT * FROM pgtrickle.verify_stream_table('" + name + "', false)") == "0|0"; },
        timeout);
  }

  /// Waits for an alert; the newest of its kind and object.
  nlohmann::json alert(const std::string& kind, const std::string& object) {
    nlohmann::json found;
    wait_until(
        [&] {
          ear_.get_notifs();
          for (const auto& a : listener_.alerts) {
            if (a.at("kind") == kind && a.at("object") == object) found = a;
          }
          return !found.is_null();
        },
        15s);
    return found;
  }

  std::int64_t refreshes(const std::string& name) {
    return std::stoll(
        session_.value("SELECT total_refreshes FROM pgtrickle.stream_tables WHERE table_name = '" + name + "'"));
  }

  TestDatabase db_;
  Session session_;
  pqxx::connection ear_;
  Listener listener_;
  std::unique_ptr<DaemonProcess> daemon_;
};

TEST_F(Operation, AGatedSourceHoldsItsReadersUntilOneCleanRefresh) {
  create_graph();
  start();
  wait_active({"totals", "named"});
  session_.exec("SELECT pgtrickle.gate_source('items')");
  EXPECT_EQ(alert("gated", "public.items").at("database"), db_.name());
  const auto before = refreshes("totals");
  for (int i = 0; i < 5; ++i) session_.exec("UPDATE items SET amount = amount + 1 WHERE kind = " + std::to_string(i));
  session_.exec("UPDATE kinds SET name = name || '!'");
  std::this_thread::sleep_for(1s);
  EXPECT_EQ(refreshes("totals"), before);
  EXPECT_EQ(session_.value("SELECT count(*) FROM named WHERE name LIKE '%!'"), "0");  // it reads items, through totals
  EXPECT_THAT(session_.value("SELECT held FROM pgtrickle.stream_tables WHERE table_name = 'named'"),
              ::testing::HasSubstr("public.items"));
  session_.exec("SELECT pgtrickle.ungate_source('items')");
  EXPECT_TRUE(becomes_equal("totals"));
  EXPECT_TRUE(becomes_equal("named"));
  wait_until([&] { return refreshes("totals") > before; });  // counted after its COMMIT
  EXPECT_EQ(refreshes("totals"), before + 1);
  EXPECT_FALSE(alert("ungated", "public.items").is_null());
}

// Where no event trigger notices that a source is dropped, its group stays. The alerts ask what the refreshes ask.
TEST_F(Operation, NobodyIsAlertedOfAWatermarkGroupOfWhichOneSourceIsLeft) {
  daemon_ = std::make_unique<DaemonProcess>(
      DaemonProcess::Options{.dsns = {db_.dsn()}, .config = "scheduler:\n  watermark_stuck_after: 1ms\n"});
  session_.exec(
      "INSERT INTO pgtrickle.pgt_watermark_groups (group_name, sources) VALUES "
      "('1 left', ARRAY['items'::regclass::oid, 1::oid]), ('2 left', ARRAY['items', 'kinds']::regclass[]::oid[])");
  session_.exec("SELECT pgtrickle._wake('')");
  const auto stuck = alert("watermark_stuck", "2 left");
  ASSERT_FALSE(stuck.is_null());
  EXPECT_EQ(stuck.at("details").at("source"), "public.items");
  for (const auto& a : listener_.alerts) EXPECT_NE(a.at("object"), "1 left") << a;  // looked at before the other one
}

TEST_F(Operation, WatermarksKeepSourcesTogether) {
  create("joined", "SELECT i.id, k.name FROM items i JOIN kinds k ON k.id = i.kind");
  session_.exec("SELECT pgtrickle.create_watermark_group('load', ARRAY['items', 'kinds'], 60)");
  start();
  std::this_thread::sleep_for(300ms);
  EXPECT_NE(session_.value("SELECT status FROM pgtrickle.stream_tables"), "ACTIVE");  // nobody has said how far it is
  session_.exec("SELECT pgtrickle.advance_watermark('items', '2026-01-01 10:00+00')");
  session_.exec("SELECT pgtrickle.advance_watermark('kinds', '2026-01-01 10:00:30+00')");
  wait_active({"joined"});
  session_.exec("BEGIN");
  session_.exec("INSERT INTO items VALUES (1000, 7, 1)");
  session_.exec("SELECT pgtrickle.advance_watermark('items', '2026-01-01 11:00+00')");
  session_.exec("COMMIT");
  std::this_thread::sleep_for(700ms);
  EXPECT_EQ(session_.value("SELECT count(*) FROM joined WHERE id = 1000"), "0");
  session_.exec("BEGIN");
  session_.exec("INSERT INTO kinds VALUES (7, 'seven')");
  session_.exec("SELECT pgtrickle.advance_watermark('kinds', '2026-01-01 11:00+00')");
  session_.exec("COMMIT");
  EXPECT_TRUE(becomes_equal("joined"));
  EXPECT_EQ(session_.value("SELECT name FROM joined WHERE id = 1000"), "seven");
}

TEST_F(Operation, ABlownFuseTellsAndWaitsForADecision) {
  create("copy", "SELECT id, amount FROM items", "schedule => '50 ms', fuse => 'on', fuse_ceiling => 50");
  start();
  wait_active({"copy"});
  session_.exec("DELETE FROM items WHERE id <= 100");
  const auto blown = alert("fuse_blown", "public.copy");
  ASSERT_FALSE(blown.is_null());
  EXPECT_EQ(blown.at("severity"), "error");
  EXPECT_EQ(blown.at("details").at("pending_rows"), 100);
  EXPECT_EQ(blown.at("details").at("limit"), 50);
  EXPECT_EQ(session_.value("SELECT count(*) FROM copy"), "200");
  EXPECT_EQ(session_.value("SELECT fuse_state FROM pgtrickle.fuse_status()"), "blown");  // before the alert
  daemon_->kill();  // the decision survives a restart
  start();
  std::this_thread::sleep_for(500ms);
  EXPECT_EQ(session_.value("SELECT count(*) FROM copy"), "200");
  session_.exec("SELECT pgtrickle.reset_fuse('copy', 'apply')");
  EXPECT_TRUE(becomes_equal("copy"));
}

// A rebuild applies everything, and nobody has decided that yet.
TEST_F(Operation, ABlownFuseIsNotMendedByARebuild) {
  session_.exec("CREATE TABLE parts (id int) PARTITION BY RANGE (id)");
  session_.exec("CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (100)");
  create("st", "SELECT id FROM parts", "schedule => '50 ms', fuse => 'on', fuse_ceiling => 3");
  create("other", "SELECT id FROM parts");
  start();
  wait_active({"st", "other"});
  session_.exec("INSERT INTO parts SELECT generate_series(1, 20)");
  ASSERT_FALSE(alert("fuse_blown", "public.st").is_null());
  session_.exec("CREATE TABLE part_2 PARTITION OF parts FOR VALUES FROM (100) TO (200)");
  EXPECT_TRUE(becomes_equal("other"));  // it was rebuilt
  ASSERT_FALSE(alert("reinitialised", "public.other").is_null());
  EXPECT_EQ(session_.value("SELECT count(*) FROM st"), "0");
  EXPECT_EQ(session_.value("SELECT fuse_state FROM pgtrickle.fuse_status() WHERE stream_table = 'public.st'"), "blown");
  session_.exec("SELECT pgtrickle.reset_fuse('st')");
  EXPECT_TRUE(becomes_equal("st"));
  EXPECT_EQ(session_.value("SELECT count(*) FROM st"), "20");
}

TEST_F(Operation, ANewOwnerIsFollowed) {
  session_.exec("CREATE ROLE new_owner_" + db_.name() + "; GRANT SELECT ON items TO new_owner_" + db_.name() +
                "; GRANT CREATE ON SCHEMA public TO new_owner_" + db_.name());
  create("st", "SELECT kind, count(*) AS n FROM items GROUP BY kind");
  start();
  wait_active({"st"});
  session_.exec("ALTER TABLE st OWNER TO new_owner_" + db_.name());
  session_.exec("INSERT INTO items VALUES (1000, 7, 1)");
  EXPECT_TRUE(becomes_equal("st"));
  wait_active({"st"});
  session_.exec("DROP OWNED BY new_owner_" + db_.name() + " CASCADE; DROP ROLE new_owner_" + db_.name());
}

TEST_F(Operation, DrainWaitsForWhatRunsAndKeepsTheRestOut) {
  session_.exec(
      "CREATE FUNCTION slow(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM pg_sleep(1); RETURN i; "
      "END$$");
  session_.exec("CREATE TABLE few (id int PRIMARY KEY)");
  create("slowly", "SELECT id, slow(id) AS s FROM few");
  create_graph();
  start();
  wait_active({"slowly", "totals"});
  session_.exec("INSERT INTO few VALUES (1)");
  ASSERT_TRUE(wait_until([&] {
    return session_.value(
               "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = "
               "current_database()") != "0";
  }));
  EXPECT_EQ(session_.value("SELECT pgtrickle.drain(20)"), "t");
  EXPECT_EQ(session_.value("SELECT count(*) FROM slowly"), "1");  // it has ended
  EXPECT_EQ(session_.value("SELECT pgtrickle.is_drained()"), "t");
  EXPECT_FALSE(alert("paused", "").is_null());
  session_.exec("UPDATE items SET amount = 0");
  std::this_thread::sleep_for(700ms);
  EXPECT_NE(session_.value("SELECT sum(total) FROM totals"), "0");
  daemon_->kill();
  start();
  std::this_thread::sleep_for(700ms);
  EXPECT_NE(session_.value("SELECT sum(total) FROM totals"), "0");
  session_.exec("SELECT pgtrickle.resume_scheduler()");
  EXPECT_TRUE(becomes_equal("totals"));
  EXPECT_FALSE(alert("resumed", "").is_null());
}

TEST_F(Operation, WaitForFreshnessCoversWhatTheSessionHasCommitted) {
  create_graph();
  start();
  wait_active({"totals", "named"});
  for (int i = 1; i <= 20; ++i) {
    session_.exec("UPDATE items SET amount = amount + 1 WHERE kind = 3");
    session_.exec("SELECT pgtrickle.wait_for_freshness('named', '10 s')");
    EXPECT_EQ(
        session_.value("SELECT n.total = (SELECT sum(amount) FROM items WHERE kind = 3) FROM named n WHERE n.name = "
                       "'kind 3'"),
        "t")
        << i;
  }
}

TEST_F(Operation, ContinuousAndCronSchedulesAndTiers) {
  create("at_once", "SELECT count(*) AS n FROM items", "schedule => 'continuous 20 ms'");
  create("later", "SELECT count(*) AS n FROM items", "schedule => '0 0 29 2 *'");
  create("never", "SELECT count(*) AS n FROM items", "schedule => '50 ms', tier => 'frozen'");
  start();
  wait_active({"at_once", "later", "never"});
  session_.exec("INSERT INTO items VALUES (1001, 1, 1)");
  EXPECT_TRUE(becomes_equal("at_once"));
  std::this_thread::sleep_for(500ms);
  EXPECT_EQ(session_.value("SELECT n FROM later"), "200");
  EXPECT_EQ(session_.value("SELECT n FROM never"), "200");
  session_.exec("SELECT pgtrickle.alter_stream_table('later', schedule => '* * * * *')");
  session_.exec("SELECT pgtrickle.alter_stream_table('never', tier => 'hot')");
  EXPECT_TRUE(becomes_equal("never"));
  EXPECT_TRUE(becomes_equal("later", 90s));
}

TEST_F(Operation, ACycleIsKeptAtItsFixedPointByTheDaemon) {
  session_.exec("CREATE TABLE edges (a int, b int, PRIMARY KEY (a, b))");
  session_.exec("INSERT INTO edges VALUES (1, 2), (2, 3), (3, 1), (4, 5)");
  create("reach", "SELECT a, b FROM edges");
  create("steps", "SELECT r.a, e.b FROM reach r JOIN edges e ON e.a = r.b");
  start();
  wait_active({"reach", "steps"});
  session_.exec("SELECT pgtrickle.alter_stream_table('steps', allow_circular => true)");
  session_.exec(
      "SELECT pgtrickle.alter_stream_table('reach', 'SELECT a, b FROM edges UNION SELECT a, b FROM steps', "
      "allow_circular => true)");
  wait_active({"reach", "steps"});
  const auto is_closure = [&] {
    return session_.value(
               "WITH RECURSIVE r(a, b) AS (SELECT a, b FROM edges UNION SELECT r.a, e.b FROM r JOIN edges e ON e.a = "
               "r.b) "
               "SELECT NOT EXISTS ((SELECT * FROM r EXCEPT SELECT * FROM reach) UNION ALL (SELECT * FROM reach EXCEPT "
               "SELECT * FROM r))") == "t";
  };
  EXPECT_TRUE(wait_until(is_closure));
  session_.exec("INSERT INTO edges VALUES (5, 1)");
  EXPECT_TRUE(wait_until(is_closure));
  session_.exec("DELETE FROM edges WHERE (a, b) = (3, 1)");  // what held itself up must go
  EXPECT_TRUE(wait_until(is_closure));
  EXPECT_EQ(session_.value("SELECT member_count FROM pgtrickle.pgt_scc_status()"), "2");
  pgt::test::expect_equal_to_query(session_, "reach");
  pgt::test::expect_equal_to_query(session_, "steps");
}

TEST_F(Operation, ACycleWithoutAFixedPointSaysSoUntilItHasOne) {
  session_.exec("CREATE TABLE starts (a int PRIMARY KEY, most int); INSERT INTO starts VALUES (1, 5)");
  create("depths", "SELECT a, most, 0 AS n FROM starts");
  start();
  wait_active({"depths"});
  session_.exec(
      "SELECT pgtrickle.alter_stream_table('depths', 'SELECT a, most, 0 AS n FROM starts UNION SELECT a, most, n + 1 "
      "FROM depths WHERE n < most', allow_circular => true)");
  wait_active({"depths"});
  const auto error = [&] {
    return session_.value("SELECT coalesce(max(last_error), 'none') FROM pgtrickle.pgt_scc_status()");
  };
  const auto health = [&] {
    return session_.value("SELECT severity FROM pgtrickle.health_check() WHERE check_name = 'cycles'");
  };
  EXPECT_TRUE(wait_until([&] { return session_.value("SELECT count(*) FROM depths") == "6"; }));
  EXPECT_EQ(error(), "none");
  session_.exec("INSERT INTO starts VALUES (2, 1000000)");
  EXPECT_FALSE(alert("scc_diverged", "public.depths").is_null());
  EXPECT_THAT(error(), ::testing::HasSubstr("public.depths has no fixed point"));
  EXPECT_EQ(health(), "ERROR");
  EXPECT_EQ(session_.value("SELECT count(*) FROM depths"), "6");
  session_.exec("UPDATE starts SET most = 7 WHERE a = 2");
  session_.exec("SELECT pgtrickle.resume_stream_table('depths')");
  EXPECT_TRUE(wait_until([&] { return session_.value("SELECT count(*) FROM depths") == "14"; }));
  EXPECT_EQ(error(), "none");
  EXPECT_EQ(health(), "OK");
}

TEST_F(Operation, ErrorsAndRecoveriesAreAlerts) {
  create("quotients", "SELECT id, 100 / amount AS q FROM items");
  start();
  wait_active({"quotients"});
  session_.exec("UPDATE items SET amount = 0 WHERE id = 5");
  const auto error = alert("error", "public.quotients");
  ASSERT_FALSE(error.is_null());
  EXPECT_EQ(error.at("details").at("sqlstate"), "22012");
  EXPECT_FALSE(alert("suspended", "public.quotients").is_null());
  session_.exec("UPDATE items SET amount = 1 WHERE id = 5");
  session_.exec("SELECT pgtrickle.resume_stream_table('quotients')");
  EXPECT_FALSE(alert("recovered", "public.quotients").is_null());
  EXPECT_TRUE(becomes_equal("quotients"));
  const auto api = pgt::test::http_get(daemon_->http_port(), "/api/v1/alerts");
  EXPECT_EQ(api.status, 200);
}

TEST_F(Operation, ABrokenPromiseIsSeenEverywhere) {
  create("copy", "SELECT id FROM items", "schedule => '1h', max_staleness => '1 s'");
  start();
  wait_active({"copy"});
  session_.exec("INSERT INTO items VALUES (2000, 1, 1)");
  const auto stale = alert("stale", "public.copy");
  ASSERT_FALSE(stale.is_null());
  EXPECT_EQ(stale.at("details").at("max_staleness_seconds"), 1.0);
  EXPECT_EQ(session_.value("SELECT slo_violated FROM pgtrickle.stream_tables"), "t");
  const auto health = pgt::test::http_get(daemon_->http_port(), "/health");
  EXPECT_EQ(health.status, 200);
  EXPECT_THAT(health.body, ::testing::HasSubstr("degraded"));
  EXPECT_THAT(pgt::test::http_get(daemon_->http_port(), "/metrics").body,
              ::testing::HasSubstr("pgtrickle_slo_violated{"));
}

}  // namespace
