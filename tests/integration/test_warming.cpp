// Sessions make their plans before the first refresh needs them, and nobody sees that they did.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"

namespace pgt::test {
namespace {

using ::testing::HasSubstr;

class Warming : public ::testing::Test {
 protected:
  static int times(const std::string& text, const std::string& what) {
    int n = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
    return n;
  }

  DaemonProcess::Options options() { return {.dsns = {db_.dsn()}, .arguments = {"--log-level", "debug"}}; }

  void create(const std::string& name, const std::string& query, const std::string& schedule = "1 h") {
    session_.exec("SELECT pgtrickle.create_stream_table('" + name + "', $q$" + query + "$q$, '" + schedule + "')");
  }

  std::string warmed(const std::string& name) {
    return "warmed up database=" + db_.name() + " pgt_id=" + std::to_string(db_.id_of(name)) + " result=\"plans made\"";
  }

  TestDatabase db_;
  Session session_{db_.dsn()};
};

TEST_F(Warming, AfterABuildAndAfterConnecting) {
  session_.exec("CREATE TABLE t (k int, v int); INSERT INTO t SELECT i % 5, i FROM generate_series(1, 100) i");
  const std::string seen =
      "SELECT f.snapshot, f.last_action, (SELECT count(*) FROM pgtrickle.pgt_refresh_history h "
      "WHERE h.pgt_id = f.pgt_id) FROM pgtrickle.pgt_frontiers f JOIN pgtrickle.pgt_stream_tables s USING (pgt_id) "
      "WHERE s.pgt_name = 'sums'";
  {
    DaemonProcess daemon(options());
    create("sums", "SELECT k, sum(v) AS s FROM t GROUP BY k");
    create("full", "SELECT k, random() AS r FROM t");
    session_.exec("SELECT pgtrickle.wait_until_active('sums'), pgtrickle.wait_until_active('full')");
    const std::string before = session_.table(seen);
    EXPECT_TRUE(wait_until([&] { return daemon.log().find(warmed("sums")) != std::string::npos; })) << daemon.log();
    EXPECT_EQ(session_.table(seen), before) << "it was rolled back";
    // The session that has the plans is the one that refreshes.
    const std::string session_of_it =
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pgtrickled' AND "
        "query = ";
    const std::string warm = session_.table(session_of_it + "'ROLLBACK'");
    EXPECT_NE(warm, "") << daemon.log();
    session_.exec("INSERT INTO t VALUES (3, 3); SELECT pgtrickle.alter_stream_table('sums', schedule => '50 ms')");
    EXPECT_TRUE(wait_until([&] { return session_.table(session_of_it + "'COMMIT'") == warm; }))
        << session_.table("SELECT pid, query FROM pg_stat_activity WHERE application_name LIKE 'pgtrickled%'");
    session_.exec("SELECT pgtrickle.alter_stream_table('sums', schedule => '1 h')");
    EXPECT_TRUE(wait_until([&] { return session_.value("SELECT s FROM sums WHERE k = 3") == "1013"; }));
    EXPECT_EQ(daemon.stop(), 0);
    EXPECT_EQ(times(daemon.log(), "result=\"plans made\""), 1) << "once, and not what is recomputed";
  }
  // With changes pending: they are looked at, and still pending afterwards.
  session_.exec("INSERT INTO t VALUES (1, 1000)");
  session_.exec("SELECT pgtrickle.gate_source('t')");
  const std::string before = session_.table(seen);
  DaemonProcess daemon(options());
  EXPECT_TRUE(wait_until([&] { return daemon.log().find("result=\"not now\"") != std::string::npos; })) << daemon.log();
  EXPECT_EQ(session_.table(seen), before);
  session_.exec("SELECT pgtrickle.ungate_source('t')");
  session_.exec("CALL pgtrickle.refresh('sums')");
  EXPECT_TRUE(equals_query(session_, "sums"));
}

TEST_F(Warming, NotWhilePausedAndNoPlaceIsKept) {
  session_.exec("CREATE TABLE t (k int, v int)");
  db_.create_stream_table("sums", "SELECT k, sum(v) AS s FROM t GROUP BY k");
  session_.exec("SELECT pgtrickle.alter_stream_table('sums', schedule => '1 h'), pgtrickle.pause_scheduler('so')");
  DaemonProcess daemon(options());
  EXPECT_TRUE(
      wait_until([&] { return session_.value("SELECT count(*) FROM pgtrickle.pgt_daemons WHERE is_leader") == "1"; }));
  EXPECT_EQ(daemon.log().find("warmed up"), std::string::npos);
  session_.exec("SELECT pgtrickle.resume_scheduler()");
  EXPECT_TRUE(wait_until([&] { return daemon.log().find(warmed("sums")) != std::string::npos; })) << daemon.log();
  session_.exec("SELECT pgtrickle.drain()");
  session_.exec("SELECT pgtrickle.resume_scheduler()");
  session_.exec("SELECT pgtrickle.alter_stream_table('sums', schedule => '50 ms'); INSERT INTO t VALUES (1, 2)");
  EXPECT_TRUE(wait_until([&] { return session_.value("SELECT count(*) FROM sums") == "1"; }));
  EXPECT_TRUE(equals_query(session_, "sums"));
}

// Units that come due while sessions warm up: nothing is lost, and every table gets its changes.
TEST_F(Warming, BesideRefreshesThatAreDueAllTheTime) {
  session_.exec("CREATE TABLE t (k int, v int)");
  DaemonProcess daemon(options());
  for (int i = 0; i < 12; ++i) {
    create("st" + std::to_string(i), "SELECT k, sum(v) + " + std::to_string(i) + " AS s FROM t GROUP BY k", "50 ms");
    session_.exec("INSERT INTO t VALUES (" + std::to_string(i) + ", 1)");
  }
  for (int i = 0; i < 12; ++i) {
    const std::string name = "st" + std::to_string(i);
    session_.exec("SELECT pgtrickle.wait_until_active('" + name + "')");
    EXPECT_TRUE(wait_until([&] { return session_.value("SELECT count(*) FROM " + name) == "12"; })) << name;
    EXPECT_TRUE(equals_query(session_, name));
  }
  EXPECT_EQ(session_.value("SELECT count(*) FROM pgtrickle.pgt_refresh_history WHERE status = 'FAILED'"), "0");
}

}  // namespace
}  // namespace pgt::test
