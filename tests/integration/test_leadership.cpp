// A leader that does not work any more: the standby says so, and takes over as soon as it can.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <string>
#include <thread>

#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::DaemonProcess;
using pgt::test::equals_query;
using pgt::test::http_get;
using pgt::test::Session;
using pgt::test::TestDatabase;
using pgt::test::wait_until;

class Leadership : public ::testing::Test {
 protected:
  Leadership() : session_(db_.dsn()) {
    session_.exec("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)");
    session_.exec(
        "SELECT pgtrickle.create_stream_table('st', 'SELECT a, count(*) AS n FROM t GROUP BY a', schedule => '100 "
        "ms')");
  }

  static bool says(const DaemonProcess& daemon, const std::string& path, const std::string& text) {
    return http_get(daemon.http_port(), path).body.find(text) != std::string::npos;
  }
  static int health(const DaemonProcess& daemon) { return http_get(daemon.http_port(), "/health").status; }

  bool becomes_equal(std::chrono::seconds timeout = 30s) {
    return wait_until(
        [&] {
          return session_.value("SELECT status FROM pgtrickle.pgt_stream_tables") == "ACTIVE" &&
                 equals_query(session_, "st");
        },
        timeout);
  }

  TestDatabase db_;
  Session session_;
};

TEST_F(Leadership, ALeaderThatHangsIsReportedByTheOneThatStandsBy) {
  DaemonProcess first(db_.dsn());
  ASSERT_TRUE(wait_until([&] { return says(first, "/health", "\"leader\""); }));
  ASSERT_TRUE(becomes_equal());
  DaemonProcess second(db_.dsn());
  ASSERT_TRUE(says(second, "/health", "\"standby\""));
  EXPECT_EQ(health(second), 200);
  Session listener(db_.dsn());
  first.signal(SIGSTOP);
  EXPECT_TRUE(wait_until([&] { return health(second) == 503; }, 60s)) << "nobody refreshes, and nobody says so";
  EXPECT_TRUE(says(second, "/health", "holds the lock of the leader")) << http_get(second.http_port(), "/health").body;
  EXPECT_TRUE(says(second, "/health", "is silent since"));
  EXPECT_TRUE(wait_until([&] { return says(second, "/api/v1/alerts", "leader_silent"); }));
  EXPECT_TRUE(says(second, "/metrics", "pgtrickle_leader_silent{database=\"" + db_.name() + "\"} 1"));
  const std::string check =
      session_.table("SELECT severity, detail FROM pgtrickle.health_check() WHERE check_name = 'leader'");
  EXPECT_TRUE(check.starts_with("ERROR|nothing is refreshed: session ")) << check;

  session_.exec("INSERT INTO t VALUES (2), (3)");
  // What the message says.
  session_.exec("SELECT pg_terminate_backend(pid) FROM pgtrickle._lockers('leader')");
  // A refresh that it was in the middle of keeps its lock until the server ends that session, after 60 s without a
  // word.
  EXPECT_TRUE(becomes_equal(120s)) << second.log();
  EXPECT_TRUE(wait_until([&] { return health(second) == 200; }));
  EXPECT_TRUE(wait_until([&] { return !says(second, "/api/v1/alerts", "leader_silent"); }));
  first.signal(SIGCONT);
  EXPECT_TRUE(wait_until([&] { return says(first, "/health", "\"standby\"") && health(first) == 200; }, 30s))
      << first.log();
  session_.exec("INSERT INTO t VALUES (4)");
  EXPECT_TRUE(becomes_equal());
}

TEST_F(Leadership, ALockThatIsNoDaemonsIsReported) {
  Session stranger(db_.dsn() + " application_name=stranger");
  stranger.exec("BEGIN; LOCK TABLE pgtrickle_locks.leader IN EXCLUSIVE MODE");
  DaemonProcess daemon(DaemonProcess::Options{.dsns = {db_.dsn()}, .wait_ready = false});
  EXPECT_TRUE(
      wait_until([&] { return health(daemon) == 503 && says(daemon, "/health", "(stranger) holds the lock"); }, 60s))
      << daemon.log();
  EXPECT_TRUE(says(daemon, "/health", "no daemon says that it leads"));
  stranger.exec("ROLLBACK");
  EXPECT_TRUE(becomes_equal()) << daemon.log();
  EXPECT_EQ(health(daemon), 200);
}

TEST_F(Leadership, TheSessionThatLeadsHoldsNothingBack) {
  DaemonProcess daemon(db_.dsn());
  ASSERT_TRUE(becomes_equal());
  const std::string held =
      "SELECT a.state, a.backend_xmin, a.backend_xid FROM pgtrickle._lockers('leader') AS l JOIN pg_stat_activity a "
      "USING (pid)";
  EXPECT_EQ(session_.table(held), "idle in transaction|null|null");
  std::this_thread::sleep_for(2500ms);  // it has looked whether somebody waits
  EXPECT_EQ(session_.table(held), "idle in transaction|null|null");
  session_.exec("VACUUM");  // of the whole database
  EXPECT_EQ(session_.value("SELECT count(*) FROM pgtrickle._lockers('leader')"), "1");
}

TEST_F(Leadership, PgtrickleCanBeRemovedUnderADaemonThatLeads) {
  DaemonProcess daemon(db_.dsn());
  ASSERT_TRUE(becomes_equal());
  session_.exec("SET client_min_messages = warning; SET statement_timeout = '20s'");
  session_.exec("DROP SCHEMA pgtrickle, pgtrickle_changes, pgtrickle_state, pgtrickle_locks CASCADE");
  EXPECT_TRUE(wait_until([&] { return says(daemon, "/health", "is not installed"); }, 30s)) << daemon.log();
}

TEST_F(Leadership, TheEndOfTheSessionThatLeadsEndsTheLead) {
  DaemonProcess first(db_.dsn());
  ASSERT_TRUE(becomes_equal());
  DaemonProcess second(db_.dsn());
  session_.exec("SELECT pg_terminate_backend(pid) FROM pgtrickle._lockers('leader')");
  EXPECT_TRUE(wait_until([&] { return first.log().find("no longer leading") != std::string::npos; })) << first.log();
  EXPECT_TRUE(wait_until([&] { return session_.value("SELECT count(*) FROM pgtrickle._lockers('leader')") == "1"; }));
  session_.exec("INSERT INTO t VALUES (4)");
  EXPECT_TRUE(becomes_equal());
}

TEST_F(Leadership, ALeaderThatWasKilledIsReplacedWithoutAnAlarm) {
  DaemonProcess first(db_.dsn());
  ASSERT_TRUE(becomes_equal());
  DaemonProcess second(db_.dsn());
  first.kill();
  session_.exec("INSERT INTO t VALUES (2), (3)");
  EXPECT_TRUE(becomes_equal());
  EXPECT_EQ(second.log().find("leader_silent"), std::string::npos) << second.log();
}

}  // namespace
