// Owners of stream tables are ordinary roles: they can do everything with what is theirs, and their code never gets the
// rights of anybody else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "faults.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::DaemonProcess;
using pgt::test::equals_query;
using pgt::test::Faults;
using pgt::test::Roles;
using pgt::test::Session;
using pgt::test::sqlstate_and_text;
using pgt::test::TestDatabase;
using pgt::test::wait_until;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// Somebody who may create stream tables, and wants more. Whatever the code is that he gets us to run: it runs with his
/// rights. evil() makes him a superuser if it ever runs as one.
class Intruder : public Faults {
 protected:
  Intruder() {
    reader_ = session_.get();
    run("CREATE TABLE seen (who name DEFAULT current_user, place text);"
        "CREATE FUNCTION evil(place text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$ BEGIN"
        "  INSERT INTO public.seen (place) VALUES (place);"
        "  BEGIN PERFORM pg_catalog.set_config('role', 'none', false); EXCEPTION WHEN OTHERS THEN NULL; END;"
        "  BEGIN PERFORM pg_catalog.set_config('session_authorization', 'postgres', false); EXCEPTION WHEN OTHERS THEN "
        "NULL; END;"
        "  INSERT INTO public.seen (place) VALUES (place);"
        "  BEGIN EXECUTE 'ALTER ROLE " +
        owner_ +
        " SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;"
        "END $$;"
        "CREATE FUNCTION spy(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM "
        "public.evil('function'); RETURN i; END $$;"
        "CREATE FUNCTION spying() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.evil('trigger'); RETURN "
        "NULL; END $$");
  }

  void expect_no_more_rights(const std::string& where) {
    EXPECT_EQ(root_.table("SELECT DISTINCT who FROM seen WHERE place = '" + where + "'"), owner_);
    EXPECT_EQ(root_.value("SELECT rolsuper FROM pg_roles WHERE rolname = '" + owner_ + "'"), "f");
  }
};

TEST_F(Intruder, FunctionsOfTheQueryRunAsTheOwner) {
  create("constants", "SELECT id, spy(1) AS s, amount + spy(2) AS t FROM items WHERE spy(3) = 3");
  create("groups",
         "SELECT spy(kind) AS k, count(*) AS n, sum(spy(amount)) AS s, max(spy(7)) AS m FROM items GROUP BY spy(kind) "
         "HAVING count(*) > spy(0)");
  create("joined", "SELECT i.id, k.label FROM items i JOIN kinds k ON spy(i.kind) = k.kind AND k.kind < spy(100)");
  create("ranked", "SELECT id, rank() OVER (ORDER BY spy(amount)) AS r FROM items");
  create(
      "chains",
      "WITH RECURSIVE c AS (SELECT id, spy(1) AS n FROM items UNION SELECT id, n + 1 FROM c WHERE n < spy(3)) SELECT "
      "id, n FROM c");
  start_daemon();
  for (const char* name : {"constants", "groups", "joined", "ranked", "chains"}) wait_active(name);
  run("UPDATE items SET amount = amount + 1, kind = kind - 1 WHERE id % 3 = 0; INSERT INTO items VALUES (1000, 1, 1, "
      "''); DELETE FROM items WHERE id = 9");
  for (const char* name : {"constants", "groups", "joined", "ranked"}) EXPECT_TRUE(becomes_equal(name));
  run("ALTER TABLE items RENAME COLUMN amount TO price");
  run("UPDATE items SET price = 5 WHERE id = 5");
  for (const char* name : {"constants", "groups", "joined", "ranked"}) EXPECT_TRUE(becomes_equal(name));
  EXPECT_TRUE(wait_until([&] { return static_cast<bool>(equals_query(*session_, "chains")); }));
  expect_no_more_rights("function");
}

TEST_F(Intruder, ChecksOfDomainsRunAsTheOwner) {
  run("CREATE DOMAIN odd AS int CHECK (public.spy(VALUE) > 0); CREATE TABLE odds (o odd, a odd[]); INSERT INTO odds "
      "VALUES (1, '{1,2}')");
  create("domains", "SELECT o, a, '{4}'::odd[] AS c, '5'::odd AS d FROM odds");
  start_daemon();
  wait_active("domains");
  run("INSERT INTO odds VALUES (2, '{3}')");
  EXPECT_TRUE(becomes_equal("domains"));
  run("ALTER TABLE odds RENAME COLUMN o TO p");
  EXPECT_TRUE(becomes_equal("domains"));
  expect_no_more_rights("function");
}

TEST_F(Intruder, TriggersOnHisStreamTableRunAsTheOwner) {
  create("copies", "SELECT id, amount FROM items");
  run("CREATE TRIGGER spying AFTER INSERT OR UPDATE OR DELETE ON copies FOR EACH STATEMENT EXECUTE FUNCTION spying()");
  start_daemon();
  wait_active("copies");
  run("UPDATE items SET amount = 1 WHERE id = 1");
  EXPECT_TRUE(becomes_equal("copies"));
  run("ALTER TABLE items ALTER COLUMN amount TYPE bigint");  // the table is emptied and filled again
  EXPECT_TRUE(becomes_equal("copies"));
  expect_no_more_rights("trigger");
}

TEST_F(Intruder, KeepsNobodyFromWritingToWhatHeMayOnlyRead) {
  root_.exec("CREATE TABLE payroll (id int PRIMARY KEY, amount int); INSERT INTO payroll VALUES (1, 1)");
  root_.exec("GRANT SELECT ON payroll TO " + owner_);
  create("copies", "SELECT id, amount FROM payroll");
  start_daemon();
  wait_active("copies");
  run("SELECT pgtrickle.alter_stream_table('copies', schedule => '1h')");
  root_.exec("UPDATE payroll SET amount = 2");
  run("BEGIN");
  EXPECT_THAT(sqlstate_and_text([&] { run("SELECT pgtrickle.refresh_stream_table('copies')"); }),
              AllOf(HasSubstr("42501"), HasSubstr("may not lock public.payroll"), HasSubstr("CALL pgtrickle.refresh")));
  EXPECT_EQ(root_.value("SELECT count(*) FROM pg_locks WHERE relation = 'payroll'::regclass AND mode = 'ShareLock'"),
            "0");
  run("ROLLBACK");
  run("CALL pgtrickle.refresh('copies')");
  EXPECT_TRUE(equals_query(root_, "copies"));
}

TEST_F(Intruder, WhatTheQuerySetsDoesNotReachTheDaemon) {
  root_.exec("CREATE SCHEMA trap AUTHORIZATION " + owner_);
  run("CREATE FUNCTION trap.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM "
      "public.evil('path'); RETURN pg_catalog.clock_timestamp(); END $$;"
      "CREATE FUNCTION trap.statement_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM "
      "public.evil('path'); RETURN pg_catalog.statement_timestamp(); END $$;"
      "CREATE FUNCTION trap.pg_get_userbyid(o oid) RETURNS name LANGUAGE plpgsql AS $$ BEGIN PERFORM "
      "public.evil('path'); RETURN pg_catalog.pg_get_userbyid(o); END $$;"
      "CREATE FUNCTION lead_astray(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN "
      "PERFORM pg_catalog.set_config('search_path', 'trap, pg_catalog, public', false); RETURN i; END $$");
  create_totals();
  create("astray", "SELECT id, lead_astray(amount) AS a FROM items");
  run("RESET search_path");
  start_daemon();
  wait_active("astray");
  for (int i = 1; i < 8; ++i) {
    run("UPDATE items SET amount = amount + 1 WHERE id = " + std::to_string(i));
    EXPECT_TRUE(becomes_equal("totals"));
    EXPECT_TRUE(becomes_equal("astray"));
    run("RESET search_path");
  }
  run("SELECT pgtrickle.alter_stream_table('totals', refresh_mode => 'FULL')");
  wait_active("totals");
  EXPECT_EQ(root_.table("SELECT DISTINCT who FROM seen"), "");
  EXPECT_EQ(root_.value("SELECT rolsuper FROM pg_roles WHERE rolname = '" + owner_ + "'"), "f");
}

TEST_F(Intruder, AProgramThatHeHasChangedRunsAsTheOwnerOrNotAtAll) {
  create("copies", "SELECT id, amount FROM items");
  start_daemon();
  wait_active("copies");
  const std::string id = column("copies", "pgt_id");
  const std::string name = "pgtrickle_state.apply_" + id;
  refused("CREATE OR REPLACE FUNCTION " + name +
          "(mode text, f_snapshot pg_snapshot, f_xid xid8, f_seq bigint, changed bigint, run bigint, sizes text, "
          "user_keys text[], plans anyelement, OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted "
          "bigint) LANGUAGE plpgsql SECURITY INVOKER AS $$ BEGIN PERFORM public.evil('program'); rows_inserted := 0; "
          "rows_updated := 0; rows_deleted := 0; END $$");
  refused("ALTER FUNCTION " + name + " SECURITY INVOKER");
  run("UPDATE items SET amount = amount + 1");
  std::this_thread::sleep_for(1s);
  root_.exec("SELECT pgtrickle.resume_stream_table('copies')");
  run("UPDATE items SET amount = amount + 1 WHERE id = 1");
  sqlstate_and_text([&] { root_.exec("SELECT pgtrickle.refresh_stream_table('copies')"); });
  EXPECT_EQ(root_.table("SELECT DISTINCT who FROM seen WHERE place = 'program' AND who <> '" + owner_ + "'"), "");
  EXPECT_EQ(root_.value("SELECT rolsuper FROM pg_roles WHERE rolname = '" + owner_ + "'"), "f");
}

TEST_F(Intruder, VerifyingRunsHisQueryAsTheOwner) {
  create("spied", "SELECT id, spy(amount) AS s, spy(5) AS c FROM items");
  db_.build("spied");
  EXPECT_EQ(root_.table("SELECT * FROM pgtrickle.verify_stream_table('spied')"), "0|0");
  expect_no_more_rights("function");
}

/// Everything that a role without any privilege beyond its own tables does, with the daemon as `daemon_dsn`.
class OrdinaryOwner : public ::testing::TestWithParam<bool> {
 protected:
  /// The daemon's role: a superuser, or an admin that has CREATE on the database and is a member of the owner.
  OrdinaryOwner()
      : db_(GetParam() ? TestDatabase::Install::kPlainScript : TestDatabase::Install::kNothing), root_(db_.dsn()) {
    owner_ = roles_.create("pgt_owner");
    admin_dsn_ = db_.dsn();
    if (!GetParam()) {
      const std::string admin = roles_.create("pgt_admin");
      root_.exec("GRANT " + owner_ + " TO " + admin + "; GRANT CREATE ON DATABASE " + db_.name() + " TO " + admin);
      admin_dsn_ += " user=" + admin;
      const auto installed = pgt::test::run_cli({"install", "--dsn", admin_dsn_});
      EXPECT_EQ(installed.exit_code, 0) << installed.err;
      root_.exec("SELECT pgtrickle.trust_all_owners(true)");
    }
    root_.exec("CREATE SCHEMA shop AUTHORIZATION " + owner_);
    session_ = std::make_unique<Session>(db_.dsn() + " user=" + owner_);
    run("SET search_path = shop");
  }

  void run(const std::string& sql) { session_->exec(sql); }

  void create(const std::string& name, const std::string& query, const std::string& mode = "DIFFERENTIAL") {
    run("SELECT pgtrickle.create_stream_table('" + name + "', $$" + query +
        "$$, schedule => '100 ms', refresh_mode => '" + mode + "')");
    names_.push_back("shop." + name);
  }

  void expect_all_equal(const std::string& when) {
    for (const auto& name : names_) {
      std::string state;
      EXPECT_TRUE(wait_until([&] {
        state = session_->table(
            "SELECT status, staleness, needs_reinit, last_error FROM pgtrickle.stream_tables WHERE name = '" + name +
            "'");
        return state.starts_with("ACTIVE|00:00:00|f|") || (state.starts_with("ACTIVE|") && name == "shop.chains");
      })) << name
          << " " << when << ": " << state;
      EXPECT_TRUE(wait_until([&] { return static_cast<bool>(equals_query(*session_, name)); }))
          << when << ": " << equals_query(*session_, name).message();
    }
  }

  Roles roles_;
  TestDatabase db_;
  Session root_;
  std::string owner_;
  std::string admin_dsn_;
  std::unique_ptr<Session> session_;
  std::vector<std::string> names_;
};

TEST_P(OrdinaryOwner, DoesEverything) {
  DaemonProcess daemon(admin_dsn_);
  run("CREATE TABLE items (id int PRIMARY KEY, kind int, amount int); CREATE TABLE kinds (kind int PRIMARY KEY, label "
      "text);"
      "INSERT INTO items SELECT i, i % 5, i FROM generate_series(1, 100) AS i; INSERT INTO kinds SELECT i, 'k' || i % "
      "2 FROM generate_series(0, 4) AS i");
  create("totals",
         "SELECT kind, count(*) AS n, sum(amount) AS total, max(amount) AS m, string_agg(amount::text, ',' ORDER BY "
         "id) AS l FROM items GROUP BY kind");
  create("labelled", "SELECT i.id, i.amount, k.label FROM items i JOIN kinds k USING (kind)");
  create(
      "by_label",
      "SELECT k.label, count(*) AS n, sum(i.amount) AS total FROM items i JOIN kinds k USING (kind) GROUP BY k.label");
  create("nested", "SELECT n, count(*) AS c FROM (SELECT kind, count(*) AS n FROM items GROUP BY kind) s GROUP BY n");
  create("different", "SELECT DISTINCT amount % 10 AS d FROM items");
  create("ranked", "SELECT id, rank() OVER (ORDER BY amount) AS r FROM items", "AUTO");
  create(
      "chains",
      "WITH RECURSIVE c AS (SELECT id, 1 AS n FROM items UNION SELECT id, n + 1 FROM c WHERE n < 3) SELECT id, n FROM "
      "c",
      "AUTO");
  create("above",
         "SELECT l.label, count(*) AS n, sum(t.total) AS s FROM labelled l JOIN totals t ON t.kind = l.amount % 5 "
         "GROUP BY l.label");
  for (const auto& name : names_) run("SELECT pgtrickle.wait_until_active('" + name + "', '20 s')");
  expect_all_equal("at first");
  run("INSERT INTO items VALUES (1000, 1, 5), (1001, NULL, 7); UPDATE items SET amount = amount + 1, kind = 2 WHERE id "
      "% 7 = 0; DELETE FROM items WHERE id % 11 = 0");
  run("UPDATE kinds SET label = 'x' WHERE kind = 3");
  expect_all_equal("after changes");
  run("BEGIN; INSERT INTO items VALUES (1002, 1, 5); SELECT pgtrickle.refresh_stream_table('totals')");
  EXPECT_TRUE(equals_query(*session_, "shop.totals"));
  run("COMMIT");
  run("CALL pgtrickle.refresh('labelled')");
  EXPECT_EQ(session_->table("SELECT * FROM pgtrickle.verify_stream_table('by_label')"), "0|0");
  run("TRUNCATE kinds; INSERT INTO kinds VALUES (1, 'one')");
  expect_all_equal("after TRUNCATE");
  for (int i = 0; i < 6; ++i) run("UPDATE items SET amount = amount + 1");
  expect_all_equal("after larger changes");

  run("ALTER TABLE items ALTER COLUMN amount TYPE bigint");
  run("INSERT INTO items VALUES (1003, 1, 5000000000)");
  expect_all_equal("after a change of type");
  run("ALTER TABLE items RENAME COLUMN amount TO price");
  run("INSERT INTO items VALUES (1004, 1, 9)");
  expect_all_equal("after a renamed column");
  run("ALTER TABLE kinds RENAME TO sorts");
  run("UPDATE sorts SET label = 'two'");
  expect_all_equal("after a renamed table");
  run("SELECT pgtrickle.alter_stream_table('ranked', schedule => '1h', status => 'PAUSED')");
  run("SELECT pgtrickle.drop_stream_table('totals', cascade => true)");
  run("DROP TABLE by_label");
  EXPECT_TRUE(wait_until([&] {
    return root_.value(
               "SELECT count(*) FROM pg_proc p WHERE pronamespace = 'pgtrickle_state'::regnamespace AND proname ~ "
               "'^refresh_' "
               "AND NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE proname = 'refresh_' || pgt_id)") ==
           "0";
  }));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_THAT(daemon.log(), Not(AllOf(HasSubstr("permission denied"))));
  EXPECT_THAT(daemon.log(), Not(HasSubstr("must be owner")));
}

INSTANTIATE_TEST_SUITE_P(, OrdinaryOwner, ::testing::Values(true, false),
                         [](const auto& chosen) { return chosen.param ? "DaemonIsSuperuser" : "DaemonIsNot"; });

}  // namespace
