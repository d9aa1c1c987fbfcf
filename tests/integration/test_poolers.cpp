// PgBouncer between the daemon and PostgreSQL: sessions that are ours are used, sessions that are not are refused.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/cluster.h"
#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::DaemonProcess;
using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::TestDatabase;
using pgt::test::wait_until;

/// A running PgBouncer on a socket in a directory of its own.
class PgBouncer {
 public:
  PgBouncer(const std::string& pool_mode, const std::string& more) {
    char pattern[] = "/tmp/pgt_bouncer.XXXXXX";
    dir_ = ::mkdtemp(pattern);
    ::chmod(dir_.c_str(), 0777);
    const std::string server = pgt::test::dsn_of("postgres");
    const auto begin = server.find("host=") + 5;
    std::ofstream(dir_ + "/users") << "\"postgres\" \"\"\n";
    std::ofstream(dir_ + "/ini") << "[databases]\n* = host=" << server.substr(begin, server.find(' ', begin) - begin)
                                 << " port=5432\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\nunix_socket_dir = "
                                 << dir_ << "\nauth_type = trust\nauth_file = " << dir_ << "/users\nlogfile = " << dir_
                                 << "/log\npidfile = " << dir_ << "/pid\npool_mode = " << pool_mode << "\n"
                                 << more << "\n";
    std::vector<std::string> command{"pgbouncer", "-d", dir_ + "/ini"};
    const std::string user = pgt::test::required_env("PGT_TEST_OSUSER");
    if (!user.empty()) command.insert(command.begin(), {"runuser", "-u", user, "--"});  // it does not run as root
    const auto started = pgt::test::run_process(command);
    EXPECT_EQ(started.exit_code, 0) << started.err;
    EXPECT_TRUE(wait_until([&] { return std::filesystem::exists(dir_ + "/.s.PGSQL.6432"); }));
  }
  ~PgBouncer() {
    pid_t pid = 0;
    std::ifstream(dir_ + "/pid") >> pid;
    if (pid > 0) ::kill(pid, SIGTERM);
    wait_until([&] { return pid == 0 || ::kill(pid, 0) != 0; });
    std::filesystem::remove_all(dir_);
  }
  PgBouncer(const PgBouncer&) = delete;
  PgBouncer& operator=(const PgBouncer&) = delete;

  [[nodiscard]] std::string dsn(const std::string& database) const {
    return "host=" + dir_ + " port=6432 user=postgres dbname=" + database;
  }

 private:
  std::string dir_;
};

class Poolers : public ::testing::Test {
 protected:
  Poolers() : session_(db_.dsn()) {
    session_.exec("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)");
    session_.exec(
        "SELECT pgtrickle.create_stream_table('st', 'SELECT a, count(*) AS n FROM t GROUP BY a', schedule => '100 "
        "ms')");
  }

  /// Locks of the leader, and of sources that sleep.
  std::string locks() {
    return session_.value(
        "SELECT (SELECT count(*) FROM pgtrickle._lockers('leader')) + count(*) FROM pg_locks WHERE locktype = "
        "'advisory' AND classid IN (1885828210, 1885828213) AND database = (SELECT oid FROM pg_database WHERE datname "
        "= current_database())");
  }

  void expect_refused(const PgBouncer& pooler) {
    DaemonProcess daemon(DaemonProcess::Options{.dsns = {pooler.dsn(db_.name())}, .wait_ready = false});
    std::string body;
    EXPECT_TRUE(wait_until([&] {
      const auto answer = pgt::test::http_get(daemon.http_port(), "/health");
      body = answer.body;
      return answer.status == 503 && body.find("pool_mode") != std::string::npos;
    })) << body
        << daemon.log();
    EXPECT_EQ(locks(), "0");
    EXPECT_EQ(session_.value("SELECT status FROM pgtrickle.pgt_stream_tables"), "PENDING");
    daemon.stop();
    EXPECT_EQ(locks(), "0");
  }

  void expect_served(const PgBouncer& pooler) {
    DaemonProcess daemon(pooler.dsn(db_.name()));
    EXPECT_TRUE(becomes_equal()) << daemon.log();
    session_.exec("INSERT INTO t VALUES (2), (3)");
    EXPECT_TRUE(becomes_equal()) << daemon.log();
    EXPECT_NE(daemon.log().find("a pooler between us and PostgreSQL"), std::string::npos);
    daemon.kill();
    EXPECT_TRUE(wait_until([&] { return locks() == "0"; })) << "a lock has outlived its daemon";
    DaemonProcess next(pooler.dsn(db_.name()));
    session_.exec("INSERT INTO t VALUES (4)");
    EXPECT_TRUE(becomes_equal()) << next.log();
  }

  bool becomes_equal() {
    return wait_until(
        [&] {
          return session_.value("SELECT status FROM pgtrickle.pgt_stream_tables") == "ACTIVE" &&
                 equals_query(session_, "st");
        },
        30s);
  }

  TestDatabase db_;
  Session session_;
};

TEST_F(Poolers, TransactionPoolingThatIgnoresOptionsIsRefused) {
  expect_refused(PgBouncer("transaction", "ignore_startup_parameters = options,extra_float_digits"));
}

TEST_F(Poolers, TransactionPoolingIsRefused) {
  expect_refused(PgBouncer("transaction", ""));
}

TEST_F(Poolers, TransactionPoolingWithManyServersInTurnIsRefused) {
  expect_refused(
      PgBouncer("transaction", "server_round_robin = 1\nmin_pool_size = 5\nignore_startup_parameters = options"));
}

TEST_F(Poolers, SessionPoolingThatIgnoresOptionsServes) {
  const PgBouncer pooler("session", "ignore_startup_parameters = options");
  expect_served(pooler);
}

TEST_F(Poolers, SessionPoolingThatRefusesOptionsServes) {
  const PgBouncer pooler("session", "");
  expect_served(pooler);
}

}  // namespace
