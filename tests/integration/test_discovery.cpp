// A daemon that finds the databases of its server by itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/install_sql.h"
#include "support/cluster.h"
#include "support/database.h"
#include "support/process.h"
#include "support/roles.h"

namespace pgt::test {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class Discovering : public ::testing::Test {
 protected:
  static DaemonProcess::Options options() {
    return {.config = "databases:\n  - dsn: \"" + dsn_of("postgres") +
                      "\"\n    discover: on\nscheduler:\n  discovery_interval: 100ms\n"};
  }

  static std::set<std::string> served(const DaemonProcess& daemon) {
    std::set<std::string> out;
    const json health = json::parse(http_get(daemon.http_port(), "/health").body);
    for (const auto& database : health["databases"]) {
      if (database["role"] == "leader") out.insert(database["name"]);
    }
    return out;
  }

  static bool serves(const DaemonProcess& daemon, const TestDatabase& db) {
    return wait_until([&] { return served(daemon).contains(db.name()); });
  }

  // A stream table that a daemon keeps fresh.
  static void expect_fresh(const TestDatabase& db) {
    Session session(db.dsn());
    session.exec("CREATE TABLE IF NOT EXISTS t (a int)");
    if (session.value("SELECT to_regclass('st') IS NULL") == "t") {
      session.exec("SELECT pgtrickle.create_stream_table('st', 'SELECT count(*) AS n FROM t', '100 ms')");
      session.exec("SELECT pgtrickle.wait_until_active('st', '15 s')");
    }
    session.exec("INSERT INTO t VALUES (1)");
    EXPECT_TRUE(wait_until([&] { return session.value("SELECT n = (SELECT count(*) FROM t) FROM st") == "t"; }))
        << db.name();
  }
};

TEST_F(Discovering, FindsDatabasesWithPgtrickleNowAndLater) {
  TestDatabase one, two, later(TestDatabase::Install::kNothing);
  DaemonProcess daemon(options());
  ASSERT_TRUE(serves(daemon, one));
  ASSERT_TRUE(serves(daemon, two));
  expect_fresh(one);
  expect_fresh(two);
  EXPECT_THAT(served(daemon), Not(Contains(later.name())));
  EXPECT_THAT(served(daemon), Not(Contains("postgres")));
  EXPECT_EQ(json::parse(http_get(daemon.http_port(), "/health").body)["databases"][0]["role"], "discovery");

  Session(later.dsn()).exec(std::string(pgtrickle::install_sql()));
  ASSERT_TRUE(serves(daemon, later));
  expect_fresh(later);
  expect_fresh(one);
  EXPECT_EQ(daemon.stop(), 0);
}

// Anybody who owns a database can make a schema pgtrickle with functions of his own: the daemon, which finds the
// database by itself, and a superuser's command line must not call them with their rights.
TEST_F(Discovering, APgtrickleOfSomebodyElseIsNotCalled) {
  Roles roles;
  const std::string bob = roles.create("bob");
  TestDatabase trap(TestDatabase::Install::kNothing), honest;
  Session superuser(trap.dsn());
  superuser.exec("CREATE TABLE public.caught (who name DEFAULT current_user); GRANT INSERT ON public.caught TO PUBLIC");
  superuser.exec("ALTER DATABASE " + trap.name() + " OWNER TO " + bob);
  superuser.exec("SET ROLE " + bob +
                 "; CREATE SCHEMA pgtrickle; CREATE FUNCTION pgtrickle.version() RETURNS text LANGUAGE plpgsql AS "
                 "$$BEGIN INSERT INTO public.caught DEFAULT VALUES; RETURN '0.1.0'; END$$; RESET ROLE");
  DaemonProcess daemon(options());
  ASSERT_TRUE(serves(daemon, honest));
  expect_fresh(honest);
  EXPECT_TRUE(wait_until([&] { return daemon.log().find(bob) != std::string::npos; }));
  EXPECT_THAT(served(daemon), Not(Contains(trap.name())));
  const auto status = run_cli({"--dsn", trap.dsn(), "status"});
  EXPECT_NE(status.exit_code, 0);
  EXPECT_THAT(status.err, HasSubstr("belongs to role \"" + bob + "\""));
  const auto install = run_cli({"--dsn", trap.dsn(), "install"});
  EXPECT_NE(install.exit_code, 0);
  EXPECT_THROW(superuser.exec(std::string(pgtrickle::install_sql())), pqxx::sql_error);
  EXPECT_EQ(superuser.value("SELECT coalesce(string_agg(who, ' '), 'nobody') FROM public.caught"), "nobody");
  EXPECT_EQ(daemon.stop(), 0);
  superuser.exec("DROP SCHEMA pgtrickle CASCADE; ALTER DATABASE " + trap.name() + " OWNER TO CURRENT_USER");
}

// The same in a database that is listed.
TEST_F(Discovering, AListedPgtrickleOfSomebodyElseIsNotCalled) {
  Roles roles;
  const std::string bob = roles.create("bob");
  TestDatabase trap;
  Session superuser(trap.dsn());
  superuser.exec("CREATE TABLE public.caught (who name DEFAULT current_user); GRANT INSERT ON public.caught TO PUBLIC");
  superuser.exec("ALTER FUNCTION pgtrickle.version() OWNER TO " + bob);
  superuser.exec("GRANT CREATE ON SCHEMA pgtrickle TO " + bob + "; SET ROLE " + bob +
                 "; CREATE OR REPLACE FUNCTION pgtrickle.version() RETURNS text LANGUAGE plpgsql AS "
                 "$$BEGIN INSERT INTO public.caught DEFAULT VALUES; RETURN '0.1.0'; END$$; RESET ROLE");
  DaemonProcess daemon(DaemonProcess::Options{.dsns = {trap.dsn()}, .wait_ready = false});
  EXPECT_TRUE(wait_until(
      [&] { return http_get(daemon.http_port(), "/health").body.find("belongs to role") != std::string::npos; }));
  EXPECT_EQ(superuser.value("SELECT coalesce(string_agg(who, ' '), 'nobody') FROM public.caught"), "nobody");
  EXPECT_EQ(daemon.stop(), 0);
  superuser.exec("DROP SCHEMA pgtrickle, pgtrickle_changes, pgtrickle_state, pgtrickle_locks CASCADE");
}

TEST_F(Discovering, ADroppedDatabaseDisturbsNobody) {
  auto gone = std::make_unique<TestDatabase>();
  TestDatabase stays;
  const std::string name = gone->name();
  DaemonProcess daemon(options());
  ASSERT_TRUE(serves(daemon, *gone));
  ASSERT_TRUE(serves(daemon, stays));
  expect_fresh(*gone);
  Session admin(dsn_of("postgres"));
  admin.exec("DROP DATABASE " + name + " WITH (FORCE)");
  EXPECT_TRUE(wait_until([&] {
    const auto health = http_get(daemon.http_port(), "/health");
    return health.status == 200 && health.body.find("\"" + name + "\"") == std::string::npos;
  })) << "it is forgotten, and everything is well";
  EXPECT_THAT(http_get(daemon.http_port(), "/metrics").body, Not(HasSubstr("database=\"" + name + "\"")));
  expect_fresh(stays);
  admin.exec("CREATE DATABASE " + name);  // for the object that is going to drop it
  gone.reset();
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(Discovering, WhereItIsUninstalledItEnds) {
  TestDatabase db, other;
  DaemonProcess daemon(options());
  ASSERT_TRUE(serves(daemon, db));
  ASSERT_TRUE(serves(daemon, other));
  Session(db.dsn()).exec("DROP SCHEMA pgtrickle, pgtrickle_changes, pgtrickle_state, pgtrickle_locks CASCADE");
  EXPECT_TRUE(wait_until(
      [&] { return http_get(daemon.http_port(), "/health").body.find("\"" + db.name() + "\"") == std::string::npos; }));
  EXPECT_TRUE(wait_until([&] {
    return Session(dsn_of("postgres"))
               .value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgtrickled' AND datname = '" +
                      db.name() + "'") == "0";
  })) << "all its connections are closed";
  expect_fresh(other);
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(Discovering, AReloadEndsAndBeginsTheSearch) {
  TestDatabase one, two;
  DaemonProcess daemon(options());
  ASSERT_TRUE(serves(daemon, one));
  ASSERT_TRUE(serves(daemon, two));
  const auto reload = [&](const std::string& text) {
    std::ofstream(daemon.config_path()) << text;
    daemon.signal(SIGHUP);
  };
  reload("databases: [{dsn: \"" + one.dsn() + "\"}]\n");
  EXPECT_TRUE(wait_until([&] {
    const std::string health = http_get(daemon.http_port(), "/health").body;
    return health.find("\"discovery\"") == std::string::npos && health.find(two.name()) == std::string::npos;
  }));
  ASSERT_TRUE(serves(daemon, one)) << "listed now";
  reload(options().config);
  ASSERT_TRUE(serves(daemon, two));
  ASSERT_TRUE(serves(daemon, one));
  expect_fresh(one);
  expect_fresh(two);
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(Discovering, AServerThatIsAwayHasNotLostItsDatabases) {
  TestDatabase db;
  DaemonProcess daemon(options());
  ASSERT_TRUE(serves(daemon, db));
  stop_server("immediate");
  EXPECT_TRUE(wait_until([&] {
    return http_get(daemon.http_port(), "/health").body.find("cannot list the databases") != std::string::npos;
  }));
  EXPECT_THAT(http_get(daemon.http_port(), "/health").body, HasSubstr("\"" + db.name() + "\""));
  start_server();
  EXPECT_TRUE(wait_until([&] { return http_get(daemon.http_port(), "/health").status == 200; }));
  EXPECT_THAT(daemon.log(), Not(HasSubstr("ending database=" + db.name())));
  expect_fresh(db);
  EXPECT_EQ(daemon.stop(), 0);
}

}  // namespace
}  // namespace pgt::test
