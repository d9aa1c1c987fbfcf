// A database with tenants who do not trust each other, for the tests of what they can do to each other and to the
// admin.
//
// Roles: alice and bob own schemas a and b and create stream tables; carol has no rights at all; worker is what the
// daemon's worker sessions log in as. The admin, who has installed pgtrickle and whom the daemon connects as, is a
// superuser in one set-up; in the other it is dba, an ordinary role that owns the database and is a member of alice and
// bob. Tests of World run in both:
//
//   TEST_P(MyTopic, BobGainsNothing) { run(bob(), "..."); start_daemon(); ... expect_nothing_gained(); }
//   PGT_IN_BOTH_WORLDS(MyTopic);
//
// b.note('place') writes down who runs it. The roles that bob can make run it are those he can become.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "cli/install_sql.h"
#include "integration/faults.h"
#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"
#include "support/roles.h"

namespace pgt::test {

enum class Admin { kSuperuser, kOrdinaryRole };

inline std::string name_of_world(const ::testing::TestParamInfo<Admin>& info) {
  return info.param == Admin::kSuperuser ? "SuperuserIsAdmin" : "OrdinaryRoleIsAdmin";
}

inline void PrintTo(Admin admin, std::ostream* out) {
  *out << (admin == Admin::kSuperuser ? "a superuser is admin" : "an ordinary role is admin");
}

class World : public ::testing::TestWithParam<Admin> {
 protected:
  World()
      : alice_(roles_.create("alice")),
        bob_(roles_.create("bob")),
        carol_(roles_.create("carol")),
        worker_(roles_.create("worker")),
        db_(GetParam() == Admin::kSuperuser ? TestDatabase::Install::kStrict : TestDatabase::Install::kNothing),
        root_(db_.dsn()),
        admin_dsn_(db_.dsn()),
        admin_(root_.value("SELECT current_user")) {
    if (GetParam() == Admin::kOrdinaryRole) become_ordinary();
    admin_session_ = std::make_unique<Session>(admin_dsn_);
    admin_session_->exec("SELECT pgtrickle.use_worker_role('" + worker_ + "')");
    root_.exec("CREATE SCHEMA a AUTHORIZATION " + alice_ + "; CREATE SCHEMA b AUTHORIZATION " + bob_);
    alice_session_ = std::make_unique<Session>(dsn_of_role(alice_));
    bob_session_ = std::make_unique<Session>(dsn_of_role(bob_));
    alice().exec(
        "SET search_path = a; CREATE TABLE a.orders (id int PRIMARY KEY, amount int NOT NULL);"
        "INSERT INTO a.orders SELECT i, i FROM generate_series(1, 20) AS i");
    bob().exec(
        "SET search_path = b; CREATE TABLE b.src (id int PRIMARY KEY, v int); INSERT INTO b.src VALUES (1, 1);"
        "CREATE TABLE b.notes (place text, cu name DEFAULT current_user, su name DEFAULT session_user);"
        "GRANT USAGE ON SCHEMA b TO PUBLIC; GRANT INSERT ON b.notes TO PUBLIC;"
        "CREATE FUNCTION b.note(place text) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN"
        "  INSERT INTO b.notes (place) VALUES (place); RETURN 0; END $$;"
        "CREATE FUNCTION b.noting() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        "  INSERT INTO b.notes (place) VALUES (TG_NAME); RETURN NULL; END $$");
  }

  Session& root() { return root_; }  // superuser in both worlds: looks and compares, is never attacked
  Session& admin() { return *admin_session_; }
  Session& alice() { return *alice_session_; }
  Session& bob() { return *bob_session_; }
  [[nodiscard]] std::string dsn_of_role(const std::string& role) const { return db_.dsn() + " user=" + role; }

  static void run(Session& session, const std::string& sql) { session.exec(sql); }
  static std::string refused(Session& session, const std::string& sql) {
    return sqlstate_and_text([&] { session.exec(sql); });
  }

  static void create(Session& owner, const std::string& name, const std::string& query, const std::string& rest = "") {
    owner.exec("SELECT pgtrickle.create_stream_table($name$" + name + "$name$, $query$" + query +
               "$query$, schedule => '100 ms'" + rest + ")");
  }

  void start_daemon(const std::string& more_settings = "") {
    DaemonProcess::Options options;
    options.config = daemon_config() + more_settings;
    daemon_ = std::make_unique<DaemonProcess>(options);
  }
  [[nodiscard]] std::string daemon_config() const {
    return "databases:\n  - dsn: \"" + admin_dsn_ + "\"\n    worker_dsn: user=" + worker_ + "\n";
  }

  std::string column(const std::string& name, const std::string& column) {
    return root_.value("SELECT " + column + " FROM pgtrickle.pgt_stream_tables WHERE pgt_relid = to_regclass($name$" +
                       name + "$name$)");
  }
  bool becomes(const std::string& name, const std::string& status,
               std::chrono::milliseconds timeout = std::chrono::seconds(15)) {
    return wait_until([&] { return column(name, "status") == status; }, timeout);
  }
  ::testing::AssertionResult becomes_equal(const std::string& name) {
    if (!wait_until([&] { return static_cast<bool>(equals_query(root_, name)); })) {
      return ::testing::AssertionFailure()
             << name << " is " << column(name, "status") << ", " << column(name, "coalesce(last_error, '')") << ": "
             << equals_query(root_, name).message();
    }
    return ::testing::AssertionSuccess();
  }

  /// Who has run b.note(), as "current_user|session_user" in lines, without doubles.
  std::string who_noted(const std::string& place = "%") {
    return root_.table("SELECT DISTINCT cu, su FROM b.notes WHERE place LIKE '" + place + "' ORDER BY 1, 2");
  }
  /// Bob's code ran as bob, or as a role that has nothing to lose, and he is what he was.
  void expect_nothing_gained() {
    EXPECT_EQ(
        root_.table("SELECT DISTINCT place, cu, su FROM b.notes WHERE cu NOT IN ('" + bob_ + "', '" + worker_ + "')"),
        "");
    EXPECT_EQ(root_.table("SELECT rolname FROM pg_roles r WHERE rolname IN ('" + bob_ + "', '" + worker_ +
                          "') AND (r.rolsuper OR r.rolcreaterole OR r.rolbypassrls OR EXISTS (SELECT FROM "
                          "pg_auth_members m WHERE m.member = r.oid))"),
              "");
  }

  Roles roles_;
  std::string alice_, bob_, carol_, worker_;
  TestDatabase db_;
  Session root_;
  std::string admin_dsn_;
  std::string admin_;
  std::unique_ptr<Session> admin_session_, alice_session_, bob_session_;
  std::unique_ptr<DaemonProcess> daemon_;

 private:
  void become_ordinary() {
    admin_ = roles_.create("dba");
    root_.exec("ALTER DATABASE " + db_.name() + " OWNER TO " + admin_ + "; GRANT " + alice_ + ", " + bob_ + " TO " +
               admin_ + "; GRANT " + worker_ + " TO " + admin_);  // to end its sessions
    admin_dsn_ = dsn_of_role(admin_);
    Session(admin_dsn_).exec(std::string(pgtrickle::install_sql()));
  }
};

}  // namespace pgt::test

#define PGT_IN_BOTH_WORLDS(topic)                                                                            \
  INSTANTIATE_TEST_SUITE_P(Both, topic,                                                                      \
                           ::testing::Values(pgt::test::Admin::kSuperuser, pgt::test::Admin::kOrdinaryRole), \
                           pgt::test::name_of_world)
