// pgtrickled as a process: flags, configuration errors, HTTP, signals, systemd notification.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/cluster.h"
#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"

namespace pgt::test {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

ProcessResult run_daemon(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), required_env("PGT_DAEMON"));
  return run_process(arguments);
}

// What a service manager does: a datagram socket that NOTIFY_SOCKET names.
class NotifySocket {
 public:
  NotifySocket() : path_("/tmp/pgtrickle-notify." + std::to_string(::getpid())), fd_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
    ::unlink(path_.c_str());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("bind");
  }
  ~NotifySocket() {
    ::close(fd_);
    ::unlink(path_.c_str());
  }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

  bool heard(const std::string& text) {
    return wait_until([&] {
      char buffer[4096];
      for (ssize_t n = 0; (n = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT)) > 0;) {
        all_.append(buffer, static_cast<std::size_t>(n)).append("\n");
      }
      const auto at = all_.find(text);
      if (at == std::string::npos) return false;
      all_.erase(0, at + text.size());
      return true;
    });
  }

 private:
  std::string path_;
  std::string all_;
  int fd_;
};

TEST(Daemon, PrintsAndChecksWithoutRunning) {
  EXPECT_THAT(run_daemon({"--version"}).out, HasSubstr("pgtrickled "));
  EXPECT_EQ(run_daemon({"--help"}).exit_code, 0);
  EXPECT_EQ(run_daemon({"--nonsense"}).exit_code, 2);
  EXPECT_EQ(run_daemon({"--check-config", "--config", source_dir() + "/config/pgtrickled.yaml"}).exit_code, 0);

  const std::string path = "/tmp/pgtrickle-config." + std::to_string(::getpid());
  std::ofstream(path) << "log:\n  level: loud\nhttp:\n  prot: 1\n";
  const auto bad = run_daemon({"--config", path});
  ::unlink(path.c_str());
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_THAT(bad.err, AllOf(HasSubstr(path + ":2: log.level: "), HasSubstr(path + ":4: http.prot: unknown key")));
  EXPECT_EQ(run_daemon({"--config", "/nonexistent.yaml"}).exit_code, 2);

  const auto listed =
      run_daemon({"--check-config", "--dsn", "dbname=shop password=hunter2", "--dsn", "service=x dbname=books"});
  EXPECT_EQ(listed.exit_code, 0) << listed.err;
  EXPECT_THAT(listed.out,
              AllOf(HasSubstr("configuration is good: 2 database(s)\n  shop: dsn \""), HasSubstr("\n  books: dsn \""),
                    HasSubstr("pool_size 4, workers 1\n"), ::testing::Not(HasSubstr("hunter2"))));
}

TEST(Daemon, KeepsAStreamTableFreshAndReportsIt) {
  TestDatabase db;
  Session session(db.dsn());
  session.exec("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1), (2)");
  session.exec("SELECT pgtrickle.create_stream_table('st', 'SELECT a, count(*) AS n FROM t GROUP BY a', '100 ms')");
  DaemonProcess daemon(db.dsn());
  session.exec("SELECT pgtrickle.wait_until_active('st', '15 s')");
  session.exec("INSERT INTO t VALUES (2), (3)");
  EXPECT_TRUE(wait_until([&] { return session.table("TABLE st ORDER BY a") == "1|2\n2|2\n3|1"; }));

  const auto health = http_get(daemon.http_port(), "/health");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(json::parse(health.body)["databases"][0]["role"], "leader");
  EXPECT_TRUE(wait_until([&] {
    return http_get(daemon.http_port(), "/metrics").body.find("pgtrickle_refreshes_total{action=\"DIFFERENTIAL\"") !=
           std::string::npos;
  }));
  const auto tables = json::parse(http_get(daemon.http_port(), "/api/v1/stream_tables").body)["stream_tables"];
  ASSERT_EQ(tables.size(), 1U);
  EXPECT_EQ(tables[0]["name"], "st");
  EXPECT_EQ(tables[0]["status"], "ACTIVE");

  session.exec("SELECT pgtrickle.drop_stream_table('st')");
  EXPECT_TRUE(wait_until([&] {
    return http_get(daemon.http_port(), "/metrics").body.find("stream_table=\"st\"") == std::string::npos;
  })) << "series of a dropped stream table disappear";
  EXPECT_EQ(daemon.stop(), 0);
}

TEST(Daemon, SigtermEndsItQuicklyAlsoWhenARefreshIsSlow) {
  TestDatabase db;
  Session session(db.dsn());
  session.exec("CREATE TABLE t (a int)");
  session.exec(
      "SELECT pgtrickle.create_stream_table('slow', 'SELECT a, pg_sleep(a)::text AS s FROM t', '100 ms', 'FULL')");
  DaemonProcess daemon(db.dsn());
  session.exec("SELECT pgtrickle.wait_until_active('slow', '15 s')");
  session.exec("INSERT INTO t VALUES (60)");
  ASSERT_TRUE(wait_until([&] {
    return session.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "1";
  })) << "a refresh runs";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(30));  // the refresh takes 60
  EXPECT_TRUE(wait_until([&] {
    return session.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "0";
  })) << "the server works for nobody";
}

TEST(Daemon, SighupReloadsAndKeepsTheOldSettingsIfTheNewAreWrong) {
  TestDatabase db;
  DaemonProcess daemon(DaemonProcess::Options{.dsns = {db.dsn()}, .config = "log:\n  level: info\n"});
  const auto rewrite = [&](const std::string& text) { std::ofstream(daemon.config_path()) << text; };

  rewrite("log:\n  lvel: info\n");
  daemon.signal(SIGHUP);
  EXPECT_TRUE(wait_until([&] { return daemon.log().find("the old configuration stays") != std::string::npos; }));
  EXPECT_THAT(daemon.log(), HasSubstr(daemon.config_path() + ":2: log.lvel: unknown key"));
  EXPECT_TRUE(daemon.running());

  rewrite("log:\n  format: json\n");
  daemon.signal(SIGHUP);
  EXPECT_TRUE(wait_until(
      [&] { return daemon.log().find("\"message\":\"reload: configuration applied\"") != std::string::npos; }));
  EXPECT_EQ(http_get(daemon.http_port(), "/ready").status, 200);
  EXPECT_EQ(daemon.stop(), 0);
}

TEST(Daemon, SighupChangesTheLevelOfATopic) {
  TestDatabase db;
  DaemonProcess daemon(DaemonProcess::Options{.dsns = {db.dsn()}, .config = "log:\n  level: info\n"});
  const auto reload = [&](const std::string& text) {
    std::ofstream(daemon.config_path()) << text;
    daemon.signal(SIGHUP);
    std::this_thread::sleep_for(milliseconds(50));
  };
  // A wrong file is reported by the settings before it: in JSON, once the first file was read.
  ASSERT_TRUE(wait_until([&] {
    reload("log:\n  format: json\n  levels: {daemon: error}\n");
    reload("log: wrong\n");
    return daemon.log().find("\"message\":\"reload: the old configuration stays\"") != std::string::npos;
  })) << daemon.log();
  EXPECT_THAT(daemon.log(), ::testing::Not(HasSubstr("configuration applied"))) << "that is no error";
}

TEST(Daemon, ATakenPortIsAClearErrorAndExitCode1) {
  TestDatabase db;
  DaemonProcess first(db.dsn());
  const auto second = run_daemon({"--dsn", db.dsn(), "--http-port", std::to_string(first.http_port())});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, AllOf(HasSubstr("cannot listen on 127.0.0.1:"), HasSubstr("in use")));
}

TEST(Daemon, ADatabaseThatCannotBeReachedIsUnhealthyButNotFatal) {
  DaemonProcess daemon(
      DaemonProcess::Options{.dsns = {"host=/nonexistent dbname=nowhere password=hunter2"}, .wait_ready = false});
  ASSERT_TRUE(wait_until([&] { return http_get(daemon.http_port(), "/health").status == 503; }));
  EXPECT_TRUE(wait_until([&] {
    return http_get(daemon.http_port(), "/health").body.find("/nonexistent") != std::string::npos;
  })) << "the reason is told";
  EXPECT_EQ(http_get(daemon.http_port(), "/ready").status, 503);
  EXPECT_THAT(http_get(daemon.http_port(), "/health").body, Not(HasSubstr("hunter2")));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_THAT(daemon.log(), Not(HasSubstr("hunter2")));
}

TEST(Daemon, HealthFollowsTheServer) {
  TestDatabase db;
  DaemonProcess daemon(db.dsn());
  stop_server("immediate");
  EXPECT_TRUE(wait_until([&] { return http_get(daemon.http_port(), "/health").status == 503; }));
  start_server();
  EXPECT_TRUE(wait_until([&] { return http_get(daemon.http_port(), "/health").status == 200; }));
  EXPECT_EQ(daemon.stop(), 0);
}

TEST(Daemon, AStreamTableInErrorIsDegradedNotUnhealthy) {
  TestDatabase db;
  Session session(db.dsn());
  session.exec("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
  session.exec("SELECT pgtrickle.create_stream_table('st', 'SELECT 1 / a AS x FROM t', '100 ms')");
  DaemonProcess::Options options;
  options.config = "databases:\n  - dsn: \"" + db.dsn() + "\"\nhttp:\n  details: on\n";
  DaemonProcess daemon(options);
  session.exec("SELECT pgtrickle.wait_until_active('st', '15 s')");
  session.exec("INSERT INTO t VALUES (0)");
  EXPECT_TRUE(wait_until([&] {
    const auto answer = http_get(daemon.http_port(), "/health");
    return answer.status == 200 && json::parse(answer.body)["status"] == "degraded";
  }));
  EXPECT_THAT(http_get(daemon.http_port(), "/health").body, HasSubstr("division by zero"));
  EXPECT_THAT(http_get(daemon.http_port(), "/metrics").body, HasSubstr("sqlstate=\"22012\""));
  EXPECT_EQ(daemon.stop(), 0);
}

TEST(Daemon, TellsSystemdAndFeedsItsWatchdog) {
  TestDatabase db;
  NotifySocket manager;
  DaemonProcess daemon(
      {.dsns = {db.dsn()}, .environment = {{"NOTIFY_SOCKET", manager.path()}, {"WATCHDOG_USEC", "300000"}}});
  EXPECT_TRUE(manager.heard("READY=1"));
  EXPECT_TRUE(manager.heard("WATCHDOG=1"));
  EXPECT_TRUE(manager.heard("WATCHDOG=1")) << "again and again";
  daemon.signal(SIGHUP);
  EXPECT_TRUE(manager.heard("RELOADING=1"));
  EXPECT_TRUE(manager.heard("READY=1"));
  daemon.signal(SIGTERM);
  EXPECT_TRUE(manager.heard("STOPPING=1"));
  EXPECT_EQ(daemon.wait_exit(seconds(10)), 0);
}

TEST(Daemon, UninstallingInOneDatabaseConcernsThatOneAlone) {
  TestDatabase kept, left;
  Session session(left.dsn());
  session.exec("CREATE TABLE t (a int); SELECT pgtrickle.create_stream_table('st', 'SELECT a FROM t', '100 ms')");
  DaemonProcess daemon({.dsns = {kept.dsn(), left.dsn()}});
  session.exec("SELECT pgtrickle.wait_until_active('st', '15 s')");
  ASSERT_EQ(run_cli({"uninstall", "--yes", "--dsn", left.dsn()}).exit_code, 0);
  // On the way there it is paused, and served no more.
  json health;
  ASSERT_TRUE(wait_until([&] {
    const auto answer = http_get(daemon.http_port(), "/health");
    health = json::parse(answer.body);
    return answer.status == 200 && health["status"] == "degraded" &&
           health["reasons"].dump().find("not installed") != std::string::npos;
  })) << health;
  EXPECT_EQ(health["reasons"].size(), 1U) << health;
  EXPECT_THAT(health["reasons"][0].get<std::string>(),
              AllOf(HasSubstr("database " + left.name() + ": "), HasSubstr("not installed")));
  EXPECT_EQ(http_get(daemon.http_port(), "/ready").status, 200);
  EXPECT_EQ(json::parse(http_get(daemon.http_port(), "/api/v1/stream_tables").body)["stream_tables"].size(), 0U);
  ASSERT_EQ(run_cli({"install", "--dsn", left.dsn()}).exit_code, 0);
  EXPECT_TRUE(wait_until([&] { return json::parse(http_get(daemon.http_port(), "/health").body)["status"] == "ok"; }));
}

TEST(Daemon, ServesSeveralDatabases) {
  TestDatabase one, two;
  DaemonProcess daemon(DaemonProcess::Options{.dsns = {one.dsn(), two.dsn()}});
  for (TestDatabase* db : {&one, &two}) {
    Session session(db->dsn());
    session.exec("CREATE TABLE t (a int)");
    session.exec("SELECT pgtrickle.create_stream_table('st', 'SELECT count(*) AS n FROM t', '100 ms')");
    session.exec("SELECT pgtrickle.wait_until_active('st', '15 s')");
    session.exec("INSERT INTO t VALUES (1)");
    EXPECT_TRUE(wait_until([&] { return session.value("SELECT n FROM st") == "1"; }));
  }
  EXPECT_EQ(json::parse(http_get(daemon.http_port(), "/health").body)["databases"].size(), 2U);
  EXPECT_EQ(daemon.stop(), 0);
}

}  // namespace
}  // namespace pgt::test
