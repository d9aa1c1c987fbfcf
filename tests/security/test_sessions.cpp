// What the code of an owner leaves behind in a session, and what it says there, harms nobody else.
//
// On PostgreSQL 15 to 17 what runs at COMMIT (deferred triggers, cursors WITH HOLD) runs as the role that logged in,
// whatever role had it waiting. So it must be a role that has nothing to lose.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "security/world.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::DaemonProcess;
using pgt::test::equals_query;
using pgt::test::wait_until;
using pgt::test::World;
using ::testing::AllOf;
using ::testing::HasSubstr;

class Sessions : public World {
 protected:
  /// Two tables of alice that are refreshed beside bob's.
  void create_for_alice() {
    create(alice(), "a.g1", "SELECT id, amount FROM a.orders");
    create(alice(), "a.g2", "SELECT count(*) AS n, sum(amount) AS total FROM a.orders");
  }

  void wait_active(pgt::test::Session& owner, const std::string& name) {
    owner.exec("SELECT pgtrickle.wait_until_active('" + name + "', '20 s')");
  }

  /// Several rounds: each session has served bob in between.
  void expect_alice_is_served() {
    for (int round = 0; round < 4; ++round) {
      bob().exec("INSERT INTO b.src SELECT max(id) + 1, 1 FROM b.src");
      alice().exec("INSERT INTO a.orders SELECT max(id) + 1, 5 FROM a.orders");
      EXPECT_TRUE(becomes_equal("a.g1"));
      EXPECT_TRUE(becomes_equal("a.g2"));
    }
    EXPECT_EQ(column("a.g1", "status"), "ACTIVE");
    EXPECT_EQ(column("a.g2", "status"), "ACTIVE");
  }

  /// A trigger of bob's on his stream table that runs `body` (PL/pgSQL) whenever it is refreshed.
  void on_refresh(const std::string& table, const std::string& body) {
    bob().exec("CREATE FUNCTION b.on_refresh() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN " + body +
               " RETURN NULL; END $body$; CREATE TRIGGER on_refresh AFTER INSERT OR UPDATE OR DELETE ON " + table +
               " FOR EACH STATEMENT EXECUTE FUNCTION b.on_refresh()");
  }

  bool noted(const std::string& place) {
    return wait_until(
        [&] { return root().value("SELECT count(*) > 0 FROM b.notes WHERE place = '" + place + "'") == "t"; });
  }
};

TEST_P(Sessions, OwnersAreServedInSessionsOfTheWorker) {
  create_for_alice();
  create(bob(), "b.st", "SELECT id, b.note('query') AS n, v FROM b.src", ", refresh_mode => 'FULL'");
  start_daemon();
  for (const char* name : {"a.g1", "a.g2"}) wait_active(alice(), name);
  wait_active(bob(), "b.st");
  expect_alice_is_served();
  EXPECT_TRUE(noted("query"));
  expect_nothing_gained();
  EXPECT_EQ(root().value("SELECT count(*) > 0 FROM b.notes WHERE cu = '" + bob_ + "' AND su = '" + worker_ + "'"), "t");
  EXPECT_TRUE(wait_until([&] {
    return root().value("SELECT count(*) > 0 FROM pgtrickle.pgt_refresh_history WHERE initiated_by = 'SCHEDULER'") ==
           "t";
  }));
}

TEST_P(Sessions, DeferredTriggersOnHisStreamTableGainNothing) {
  create(bob(), "b.st", "SELECT id, v FROM b.src");
  bob().exec(
      "CREATE CONSTRAINT TRIGGER deferred_on_table AFTER INSERT OR DELETE ON b.st DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW EXECUTE FUNCTION b.noting()");
  create_for_alice();
  start_daemon();
  wait_active(bob(), "b.st");
  expect_alice_is_served();
  EXPECT_TRUE(becomes_equal("b.st"));
  EXPECT_TRUE(noted("deferred_on_table"));
  expect_nothing_gained();
}

TEST_P(Sessions, DeferredTriggersOnATableThatAQueryWritesToGainNothing) {
  bob().exec(
      "CREATE TABLE b.written (id int);"
      "CREATE CONSTRAINT TRIGGER deferred_elsewhere AFTER INSERT ON b.written DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW EXECUTE FUNCTION b.noting();"
      "CREATE FUNCTION b.write(i int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN "
      "INSERT INTO b.written VALUES (i); RETURN i; END $$");
  create(bob(), "b.st", "SELECT id, b.write(v) AS w FROM b.src", ", refresh_mode => 'FULL'");
  create_for_alice();
  start_daemon();
  wait_active(bob(), "b.st");
  expect_alice_is_served();
  EXPECT_TRUE(noted("deferred_elsewhere"));
  bob().exec("SELECT pgtrickle.drop_stream_table('b.st')");
  EXPECT_TRUE(wait_until(
      [&] { return root().value("SELECT count(*) FROM pgtrickle.pgt_stream_tables WHERE pgt_schema = 'b'") == "0"; }));
  expect_alice_is_served();
  expect_nothing_gained();
}

TEST_P(Sessions, CursorsThatAreHeldGainNothing) {
  create(bob(), "b.st", "SELECT id, v FROM b.src");
  on_refresh("b.st",
             "EXECUTE format($q$DECLARE %I CURSOR WITH HOLD FOR SELECT b.note('held')$q$, 'held ' || random());");
  create_for_alice();
  start_daemon();
  wait_active(bob(), "b.st");
  expect_alice_is_served();
  EXPECT_TRUE(noted("held"));
  expect_nothing_gained();
}

// The worker may call every refresh function, and what is left for COMMIT runs as the worker.
TEST_P(Sessions, NobodyRefreshesForOthersAtCommit) {
  create_for_alice();
  create(bob(), "b.st", "SELECT id, v FROM b.src");
  start_daemon();
  for (const char* name : {"a.g1", "a.g2"}) wait_active(alice(), name);
  wait_active(bob(), "b.st");
  const std::string victim = "pgtrickle_state.refresh_" + column("a.g1", "pgt_id");
  bob().exec(
      "CREATE TABLE b.tried (way text, mode text, answer text, cu name DEFAULT current_user);"
      "GRANT INSERT ON b.tried TO PUBLIC;"
      "CREATE FUNCTION b.try(way text) RETURNS int LANGUAGE plpgsql AS $$ DECLARE m text; BEGIN"
      "  FOREACH m IN ARRAY ARRAY['empty', 'auto'] LOOP"
      "    BEGIN PERFORM " +
      victim +
      "(m); INSERT INTO b.tried VALUES (way, m, 'done');"
      "    EXCEPTION WHEN OTHERS THEN INSERT INTO b.tried VALUES (way, m, SQLSTATE || ' ' || SQLERRM); END;"
      "  END LOOP; RETURN 0; END $$;"
      "CREATE FUNCTION b.try_later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM b.try('trigger'); RETURN "
      "NULL; END $$;"
      "CREATE CONSTRAINT TRIGGER try_later AFTER INSERT ON b.st DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE "
      "FUNCTION b.try_later()");
  on_refresh("b.st", "EXECUTE format($q$DECLARE %I CURSOR WITH HOLD FOR SELECT b.try('cursor')$q$, random());");
  const std::string rows = "SELECT id, amount, xmin FROM a.g1 ORDER BY id";
  const std::string before = root().table(rows);
  bob().exec("INSERT INTO b.src VALUES (2, 2)");
  EXPECT_TRUE(becomes_equal("b.st"));
  EXPECT_EQ(root().table("SELECT DISTINCT way, mode FROM b.tried WHERE cu = '" + worker_ +
                         "' AND answer = '42501 a refresh is not for what runs at COMMIT' ORDER BY way, mode"),
            "cursor|auto\ncursor|empty\ntrigger|auto\ntrigger|empty");
  EXPECT_EQ(root().table("SELECT DISTINCT way, mode, answer FROM b.tried WHERE answer NOT LIKE '42501 %'"), "");
  EXPECT_EQ(root().table(rows), before) << "nothing was written to alice's";
  expect_alice_is_served();
  expect_nothing_gained();
}

TEST_P(Sessions, PreparedStatementsOfTheDaemonsNamesGainNothing) {
  create(bob(), "b.st", "SELECT id, v FROM b.src");
  create_for_alice();
  // The ones that a session has prepared are replaced: whatever names it uses for whatever table.
  on_refresh("b.st",
             "DECLARE s text; BEGIN "
             "FOREACH s IN ARRAY (SELECT array_agg('pgt_refresh_' || i) || '{pgt_enter_unit,pgt_refresh_cycle}' FROM "
             "generate_series(1, 20) AS i) LOOP "
             "  BEGIN EXECUTE 'DEALLOCATE ' || s; EXCEPTION WHEN OTHERS THEN NULL; END; "
             "  EXECUTE 'PREPARE ' || s || $q$ AS SELECT 'NO_DATA' AS action, b.note('prepared') AS delta_rows, 0 AS "
             "rows_inserted, 0 AS rows_updated, 0 AS rows_deleted, 0 AS data_at, 0 AS started_at, 0 AS ended_at$q$; "
             "END LOOP; END;");
  start_daemon();
  wait_active(bob(), "b.st");
  expect_alice_is_served();
  expect_nothing_gained();
}

TEST_P(Sessions, SettingsLeftInASessionStopNobodyElse) {
  create(bob(), "b.st", "SELECT id, v FROM b.src");
  create_for_alice();
  start_daemon();
  wait_active(bob(), "b.st");
  on_refresh("b.st",
             "PERFORM set_config('default_transaction_read_only', 'on', false);"
             "PERFORM set_config('statement_timeout', '1ms', false);"
             "PERFORM set_config('row_security', 'off', false);"
             "PERFORM set_config('search_path', 'b', false);"
             "PERFORM set_config('transform_null_equals', 'on', false);"
             "PERFORM pg_advisory_lock(1, 2);"
             "CREATE TEMP TABLE IF NOT EXISTS pgt_stream_tables (a int);");
  expect_alice_is_served();
  expect_nothing_gained();
}

TEST_P(Sessions, ForgedStatesOfErrorsHarmOnlyTheirTable) {
  create_for_alice();
  alice().exec("GRANT USAGE ON SCHEMA a TO " + bob_ + "; GRANT SELECT ON a.orders, a.g1 TO " + bob_);
  // He reads what alice has, so that his table is due with hers; and refreshes the two together.
  create(bob(), "b.reader", "SELECT g.id, s.v FROM a.g1 g JOIN b.src s USING (id)");
  create(bob(), "b.beside", "SELECT id, v FROM b.src");
  bob().exec("CREATE TABLE b.code (code text); INSERT INTO b.code VALUES (NULL)");
  on_refresh("b.reader",
             "IF EXISTS (SELECT FROM b.code WHERE code IS NOT NULL) THEN "
             "RAISE EXCEPTION USING ERRCODE = (SELECT code FROM b.code), MESSAGE = 'forged_action'; END IF;");
  start_daemon();
  for (const char* name : {"b.reader", "b.beside"}) wait_active(bob(), name);
  for (const char* name : {"a.g1", "a.g2"}) wait_active(alice(), name);
  for (const std::string code : {"TR001", "TR002", "40001", "40P01", "57P01", "08006", "55P03"}) {
    bob().exec("UPDATE b.code SET code = '" + code + "'");
    bob().exec("INSERT INTO b.src SELECT max(id) + 1, 1 FROM b.src");
    alice().exec("INSERT INTO a.orders SELECT max(id) + 1, 5 FROM a.orders");
    const auto begun = std::chrono::steady_clock::now();
    for (const char* name : {"a.g1", "a.g2", "b.beside"}) {
      EXPECT_TRUE(becomes_equal(name)) << code;
      EXPECT_EQ(column(name, "consecutive_errors"), "0") << name << " waits for its next attempt: " << code;
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begun, pgt::test::kPatience * 5s) << code;
  }
  const auto metrics = pgt::test::http_get(daemon_->http_port(), "/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("pgtrickle_"));
  EXPECT_THAT(metrics, ::testing::Not(HasSubstr("forged_action")));
  bob().exec("UPDATE b.code SET code = NULL");
  EXPECT_EQ(column("a.g1", "status"), "ACTIVE");
}

TEST_P(Sessions, TheWorkerMustBeTheOneThatIsNamedAndHaveNothingToLose) {
  create_for_alice();
  start_daemon();
  wait_active(alice(), "a.g1");
  const auto problem = [&] { return pgt::test::http_get(daemon_->http_port(), "/health").body; };
  const auto says = [&](const std::string& words) {
    return wait_until([&] { return problem().find(words) != std::string::npos; });
  };
  root().exec("ALTER ROLE " + worker_ + " CREATEROLE");
  EXPECT_TRUE(says("something to lose")) << problem();
  alice().exec("INSERT INTO a.orders VALUES (1000, 1)");
  std::this_thread::sleep_for(500ms);
  EXPECT_FALSE(equals_query(root(), "a.g1"));
  root().exec("ALTER ROLE " + worker_ + " NOCREATEROLE");
  EXPECT_TRUE(becomes_equal("a.g1"));
  admin().exec("SELECT pgtrickle.use_worker_role('" + carol_ + "')");
  EXPECT_TRUE(says("log in as role")) << problem();
  admin().exec("SELECT pgtrickle.use_worker_role('" + worker_ + "')");
  alice().exec("INSERT INTO a.orders VALUES (1001, 1)");
  EXPECT_TRUE(becomes_equal("a.g1"));
}

TEST_P(Sessions, WithOneLoginOnlyTrustedOwnersAreServed) {
  create(alice(), "a.st", "SELECT id, amount FROM a.orders");
  create(bob(), "b.st", "SELECT id, v FROM b.src");
  bob().exec(
      "CREATE CONSTRAINT TRIGGER one_login AFTER INSERT ON b.st DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW EXECUTE FUNCTION b.noting()");
  admin().exec("SELECT pgtrickle.trust_owner('" + alice_ + "')");
  daemon_ = std::make_unique<DaemonProcess>(admin_dsn_);
  wait_active(alice(), "a.st");
  EXPECT_TRUE(becomes("b.st", "ERROR"));
  EXPECT_THAT(column("b.st", "last_error"), AllOf(HasSubstr(bob_), HasSubstr("is not trusted")));
  EXPECT_THAT(column("b.st", "last_error_hint"), AllOf(HasSubstr("worker_dsn"), HasSubstr("trust_owner")));
  bob().exec("INSERT INTO b.src VALUES (2, 2)");
  EXPECT_EQ(who_noted(), "");
  // Trust is given, and taken back.
  admin().exec("SELECT pgtrickle.trust_owner('" + bob_ + "')");
  EXPECT_TRUE(becomes("b.st", "ACTIVE"));
  EXPECT_TRUE(becomes_equal("b.st"));
  admin().exec("SELECT pgtrickle.distrust_owner('" + bob_ + "')");
  EXPECT_TRUE(becomes("b.st", "ERROR"));
  alice().exec("INSERT INTO a.orders VALUES (1000, 1)");
  EXPECT_TRUE(becomes_equal("a.st"));
}

TEST_P(Sessions, CyclesAreRefreshedInWorkerSessions) {
  alice().exec(
      "CREATE TABLE a.edges (f int, t int, PRIMARY KEY (f, t)); INSERT INTO a.edges VALUES (1, 2), (2, 3), (3, 1)");
  alice().exec("CREATE TABLE a.start (n int PRIMARY KEY); INSERT INTO a.start VALUES (1)");
  create(alice(), "a.even", "SELECT n FROM a.start", ", allow_circular => true");
  create(alice(), "a.odd", "SELECT e.t AS n FROM a.even v JOIN a.edges e ON e.f = v.n GROUP BY e.t",
         ", allow_circular => true");
  alice().exec(
      "SELECT pgtrickle.alter_stream_table('a.even', query => 'SELECT n FROM a.start UNION SELECT e.t FROM a.odd o "
      "JOIN a.edges e ON e.f = o.n')");
  start_daemon();
  wait_active(alice(), "a.odd");
  EXPECT_TRUE(becomes_equal("a.even"));
  EXPECT_TRUE(becomes_equal("a.odd"));
  alice().exec("INSERT INTO a.edges VALUES (3, 4), (4, 5)");
  EXPECT_TRUE(becomes_equal("a.even"));
  EXPECT_TRUE(wait_until([&] { return root().value("SELECT count(*) FROM a.odd") == "5"; }))
      << root().table("TABLE a.odd");
  alice().exec("DELETE FROM a.edges WHERE f = 3");
  EXPECT_TRUE(becomes_equal("a.even"));
  EXPECT_TRUE(becomes_equal("a.odd"));
}

PGT_IN_BOTH_WORLDS(Sessions);

}  // namespace
