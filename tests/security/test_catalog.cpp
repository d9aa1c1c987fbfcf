// What owners of stream tables can do through the SQL API and the catalog: to an admin who calls it, to each other, and
// to those who only have a source in common with them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>

#include "security/world.h"

namespace {

using pgt::test::Session;
using pgt::test::World;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class Catalog : public World {
 protected:
  // A stream table of bob's that has been built.
  void let_bob_have(const std::string& name, const std::string& query = "SELECT id, v FROM b.src") {
    create(bob(), name, query);
    if (!daemon_) start_daemon();
    ASSERT_TRUE(becomes(name, "ACTIVE")) << column(name, "last_error");
  }
  // bob's code in it notes who runs it, also when it commits, and leaves a search_path behind.
  void let_bob_have_poison() {
    bob().exec(
        "CREATE FUNCTION b.poison(id int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN"
        "  INSERT INTO b.trap VALUES (id); PERFORM set_config('search_path', 'b, pg_catalog', false); RETURN id;"
        "END $$;"
        "CREATE TABLE b.trap (id int);"
        "CREATE CONSTRAINT TRIGGER trap AFTER INSERT ON b.trap DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
        "EXECUTE FUNCTION b.noting()");
    let_bob_have("b.st", "SELECT b.poison(id) AS id, v FROM b.src");
    bob().exec("DELETE FROM b.notes");
  }
};

TEST_P(Catalog, SettingsOfAStreamTableCannotSetOthers) {
  root().exec("SELECT pgtrickle.trust_all_owners(true)");  // or the admin could not verify at all
  create(bob(), "b.st", "SELECT id, v FROM b.src");
  bob().exec(
      "CREATE FUNCTION b.array_remove(a text[], b text) RETURNS text[] LANGUAGE plpgsql AS $$ BEGIN "
      "PERFORM b.note('settings'); RETURN pg_catalog.array_remove(a, b); END $$");
  // Whatever way it came into the catalog.
  root().exec(
      "UPDATE pgtrickle.pgt_stream_tables SET settings = settings || '{\"search_path\": \"b, pg_catalog\", "
      "\"statement_timeout\": \"1\"}'");
  admin().exec("SELECT * FROM pgtrickle.verify_stream_table('b.st', false)");
  EXPECT_EQ(who_noted(), "");
  EXPECT_EQ(root().value("SELECT pgtrickle._apply_settings('{\"search_path\": \"b\", \"role\": \"none\"}')"), "{}");
}

TEST_P(Catalog, CodeOfOwnersDoesNotRunInOthersSessions) {
  let_bob_have_poison();
  EXPECT_THAT(refused(admin(), "SELECT pgtrickle.refresh_stream_table('b.st')"),
              AllOf(StartsWith("42501"), HasSubstr("CALL pgtrickle.refresh")));
  EXPECT_THAT(refused(admin(), "SELECT * FROM pgtrickle.verify_stream_table('b.st', false)"), StartsWith("42501"));
  // What a session that has merely changed its role runs can change it back.
  EXPECT_THAT(refused(admin(), "SET ROLE " + bob_ + "; SELECT pgtrickle.refresh_stream_table('b.st')"),
              StartsWith("42501"));
  admin().exec("RESET ROLE");
  EXPECT_THAT(refused(admin(), "SELECT pgtrickle.write_and_refresh('SELECT 1', 'b.st')"), StartsWith("42501"));
  EXPECT_THAT(refused(admin(), "SELECT pgtrickle.refresh_if_stale('b.st', '0')"), StartsWith("42501"));
  // The daemon's own sessions run it meanwhile, on schedule.
  EXPECT_THAT(who_noted(), ::testing::Not(HasSubstr("|" + admin_)));
  EXPECT_NE(admin().value("SHOW search_path"), "b, pg_catalog");
  // He may in his own, and who is trusted may.
  bob().exec("SELECT pgtrickle.refresh_stream_table('b.st'); SELECT * FROM pgtrickle.verify_stream_table('b.st')");
  admin().exec("SELECT pgtrickle.trust_owner('" + bob_ + "')");
  admin().exec("SELECT * FROM pgtrickle.verify_stream_table('b.st')");
}

TEST_P(Catalog, CallHasTheDaemonRefreshIt) {
  let_bob_have_poison();
  bob().exec(
      "RESET search_path; SELECT pgtrickle.alter_stream_table('b.st', schedule => '1h'); SELECT "
      "pgtrickle.refresh_stream_table('b.st'); INSERT INTO b.src VALUES (2, 2)");
  admin().exec("CALL pgtrickle.refresh('b.st')");
  EXPECT_EQ(root().value("SELECT count(*) FROM b.st WHERE id = 2"), "1");
  EXPECT_NE(admin().value("SHOW search_path"), "b, pg_catalog");
  // It waits for what was committed before, and not for ever.
  admin().exec("SELECT pgtrickle.pause_scheduler()");
  bob().exec("INSERT INTO b.src VALUES (3, 3)");
  admin().exec("SET pgtrickle.rebuild_wait = '200 ms'");
  EXPECT_THAT(refused(admin(), "CALL pgtrickle.refresh('b.st')"),
              AllOf(StartsWith("55000"), HasSubstr("resume_scheduler")));
}

// The refresh that is under way does not show what was committed after it had begun.
TEST_P(Catalog, CallWaitsForTheRefreshAfterTheOneThatIsUnderWay) {
  bob().exec(
      "CREATE FUNCTION b.waits(v int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN"
      "  IF session_user <> current_user THEN PERFORM pg_advisory_xact_lock_shared(77); END IF; RETURN v; END $$");
  let_bob_have("b.st", "SELECT id, b.waits(v) AS v FROM b.src");
  bob().exec("RESET search_path; SELECT pgtrickle.alter_stream_table('b.st', schedule => '1h')");
  const auto ask = [&] {
    return std::async(std::launch::async, [dsn = admin_dsn_] {
      return pgt::test::sqlstate_and_text([&] { Session(dsn).exec("CALL pgtrickle.refresh('b.st')"); });
    });
  };
  const auto is_there = [&](const std::string& id) {
    return root().value("SELECT count(*) FROM b.st WHERE id = " + id);
  };
  const auto asked = [&] { return column("b.st", "refresh_asked_at"); };

  root().exec("SELECT pg_advisory_lock(77)");
  bob().exec("INSERT INTO b.src VALUES (2, 2)");
  auto first = ask();
  ASSERT_TRUE(pgt::test::wait_until([&] {
    return root().value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == "1";
  })) << "the refresh is under way\n"
      << daemon_->log();
  const std::string before = asked();
  bob().exec("INSERT INTO b.src VALUES (3, 3)");
  auto second = ask();
  ASSERT_TRUE(pgt::test::wait_until([&] { return asked() != before; }));
  EXPECT_EQ(second.wait_for(std::chrono::milliseconds(500)), std::future_status::timeout) << "the daemon has heard it";
  root().exec("SELECT pg_advisory_unlock(77)");
  EXPECT_EQ(first.get(), "no error");
  EXPECT_EQ(is_there("2"), "1");
  EXPECT_EQ(second.get(), "no error");
  EXPECT_EQ(is_there("3"), "1") << daemon_->log();
}

TEST_P(Catalog, AReaderKeepsNobodyFromWriting) {
  alice().exec("GRANT USAGE ON SCHEMA a TO " + bob_ + "; GRANT SELECT ON a.orders TO " + bob_);
  let_bob_have("b.st", "SELECT id FROM a.orders");
  bob().exec("BEGIN");
  EXPECT_THAT(refused(bob(), "SELECT pgtrickle.refresh_stream_table('b.st')"),
              AllOf(StartsWith("42501"), HasSubstr("CALL pgtrickle.refresh")));
  bob().exec("ROLLBACK; BEGIN");
  EXPECT_THAT(refused(bob(), "SELECT pgtrickle_state.refresh_" + column("b.st", "pgt_id") + "('lock')"),
              StartsWith("42501"));
  bob().exec("ROLLBACK");
  bob().exec("CALL pgtrickle.refresh('b.st')");
  bob().exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pgtrickle.refresh_stream_table('b.st')");
  alice().exec("SET lock_timeout = '2s'; INSERT INTO a.orders VALUES (1000, 1)");
  bob().exec("COMMIT");
}

// What a role without any rights sees.
class CatalogOfOthers : public Catalog {
 protected:
  CatalogOfOthers() : carol_session_(dsn_of_role(carol_)) {}
  Session& carol() { return carol_session_; }

 private:
  Session carol_session_;
};

TEST_P(CatalogOfOthers, NobodyWritesToTheCatalog) {
  create(bob(), "b.st", "SELECT id, v FROM b.src");
  const std::string id = column("b.st", "pgt_id");
  for (const std::string& statement :
       {"INSERT INTO pgtrickle.pgt_dependencies (pgt_id, source_relid, source_type, source_schema, source_name) VALUES "
        "(" +
            id + ", 'a.orders'::regclass, 'TABLE', 'x', 'y')",
        std::string("DELETE FROM pgtrickle.pgt_dependencies"),
        "INSERT INTO pgtrickle.pgt_refresh_group_members VALUES (1, " + id + ")",
        std::string("INSERT INTO pgtrickle.pgt_stream_tables (pgt_relid, pgt_schema, pgt_name, original_query, "
                    "defining_query) VALUES ('b.src'::regclass, 'public', 'admin_table', 'x', 'SELECT 1')"),
        std::string("UPDATE pgtrickle.pgt_stream_tables SET generation = 9223372036854775807"),
        std::string("UPDATE pgtrickle.pgt_stream_tables SET last_error = repeat('x', 1000)"),
        std::string("UPDATE pgtrickle.pgt_stream_tables SET status = 'ACTIVE'"),
        std::string("UPDATE pgtrickle.pgt_stream_tables SET settings = '{\"search_path\": \"b\"}'"),
        std::string("LOCK TABLE pgtrickle.pgt_stream_tables IN ACCESS EXCLUSIVE MODE"),
        std::string("LOCK TABLE pgtrickle.pgt_dependencies IN SHARE MODE")}) {
    EXPECT_THAT(refused(bob(), "BEGIN; " + statement), StartsWith("42501")) << statement;
    bob().exec("ROLLBACK");
  }
}

TEST_P(CatalogOfOthers, DependenciesAreWhatPostgresSaysAndMayBeRead) {
  create(bob(), "b.st", "SELECT id, v FROM b.src");
  bob().exec("CREATE TABLE b.other (id int)");
  root().exec("GRANT USAGE ON SCHEMA a TO " + bob_);  // he can name it in a view, and not read it
  bob().exec("CREATE TEMPORARY VIEW forged AS SELECT id FROM a.orders");
  EXPECT_THAT(refused(bob(), "SELECT pgtrickle._request('redefine', jsonb_build_object('id', " +
                                 column("b.st", "pgt_id") + ", 'view', 'forged'::regclass::oid))"),
              AllOf(StartsWith("42501"), HasSubstr("a.orders")));
  EXPECT_EQ(root().value("SELECT string_agg(source_name, ' ') FROM pgtrickle.pgt_dependencies"), "src");
}

TEST_P(CatalogOfOthers, NobodyJoinsTheGroupOfSomebodyElse) {
  create(alice(), "a.g1", "SELECT id FROM a.orders");
  create(alice(), "a.g2", "SELECT amount FROM a.orders");
  alice().exec("SELECT pgtrickle.create_refresh_group('hers', ARRAY['a.g1', 'a.g2'])");
  create(bob(), "b.st", "SELECT id, v FROM b.src");
  EXPECT_EQ(bob().value(
                "SELECT pgtrickle._request('join_refresh_group', jsonb_build_object('group_id', (SELECT group_id FROM "
                "pgtrickle.pgt_refresh_groups), 'id', " +
                column("b.st", "pgt_id") + "))"),
            "false");
  EXPECT_THAT(refused(bob(), "SELECT pgtrickle.create_refresh_group('his', ARRAY['b.st', 'a.g1'])"),
              StartsWith("42501"));
  EXPECT_THAT(refused(bob(), "SELECT pgtrickle.drop_refresh_group('hers')"), StartsWith("42501"));
  EXPECT_EQ(root().value("SELECT count(*) FROM pgtrickle.pgt_refresh_group_members"), "2");
}

TEST_P(CatalogOfOthers, ManyWaysThroughTheGraphEnd) {
  create(bob(), "b.n0", "SELECT id FROM b.src", ", initialize => false");
  std::string reads = "b.n0";
  for (int i = 1; i < 40; ++i) {
    const std::string name = "b.n" + std::to_string(i);
    create(bob(), name, "SELECT 1 AS id FROM " + reads, ", initialize => false");
    reads += ", " + name;
  }
  EXPECT_EQ(root().value("SET statement_timeout = '120s'; SELECT count(*) FROM pgtrickle.dependency_tree()"), "10001");
}

TEST_P(CatalogOfOthers, ValuesAndQueriesAreNotShownToStrangers) {
  bob().exec("CREATE TABLE b.secrets (id int PRIMARY KEY, ssn text); INSERT INTO b.secrets VALUES (1, '1')");
  let_bob_have("b.st", "SELECT id, ssn::int AS n, 'literal 77-88' AS l FROM b.secrets WHERE ssn <> 'query 55-66'");
  bob().exec("INSERT INTO b.secrets VALUES (2, 'SSN 123-45')");
  ASSERT_TRUE(pgt::test::wait_until([&] { return !column("b.st", "last_error").empty(); }));
  ASSERT_THAT(column("b.st", "last_error"), HasSubstr("123-45"));
  for (const char* shown : {"SELECT string_agg(s::text, ' ') FROM pgtrickle.stream_tables AS s",
                            "SELECT coalesce(string_agg(s::text, ' '), '') FROM pgtrickle.pgt_stream_tables AS s",
                            "SELECT coalesce(string_agg(s::text, ' '), '') FROM pgtrickle.pgt_refresh_history AS s",
                            "SELECT coalesce(string_agg(s::text, ' '), '') FROM pgtrickle.pgt_facts AS s",
                            "SELECT string_agg(s::text, ' ') FROM pgtrickle.get_refresh_history('b.st') AS s",
                            "SELECT coalesce(string_agg(s::text, ' '), '') FROM pgtrickle.diagnose_errors('b.st') AS s",
                            "SELECT string_agg(s::text, ' ') FROM pgtrickle.health_check() AS s",
                            "SELECT string_agg(s::text, ' ') FROM pgtrickle.explain_refresh_mode('b.st') AS s",
                            "SELECT pgtrickle.explain_stream_table('b.st')"}) {
    const std::string seen = carol().value(shown);
    for (const char* secret : {"123-45", "77-88", "55-66"}) EXPECT_EQ(seen.find(secret), std::string::npos) << shown;
  }
  EXPECT_EQ(carol().table("SELECT name, schedule FROM pgtrickle.stream_tables"), "b.st|100 ms");
  EXPECT_THAT(bob().value("SELECT last_error FROM pgtrickle.stream_tables"), HasSubstr("123-45"));
  EXPECT_THAT(bob().value("SELECT pgtrickle.explain_stream_table('b.st')"), HasSubstr("77-88"));
}

TEST_P(CatalogOfOthers, ErrorsAreKeptShort) {
  bob().exec(
      "CREATE FUNCTION b.fail(id int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN IF id > 1 THEN RAISE "
      "EXCEPTION "
      "'%', repeat('x', 10000000) USING HINT = repeat('y', 10000000); END IF; RETURN id; END $$");
  let_bob_have("b.st", "SELECT b.fail(id) AS id FROM b.src");
  bob().exec("INSERT INTO b.src VALUES (2, 2)");
  ASSERT_TRUE(pgt::test::wait_until([&] { return !column("b.st", "last_error").empty(); }));
  EXPECT_EQ(column("b.st", "length(last_error)"), "2000");
  EXPECT_EQ(column("b.st", "length(last_error_hint)"), "2000");
  const auto longest = [&] {
    return root().value("SELECT max(length(error_message)) FROM pgtrickle.pgt_refresh_history");
  };
  EXPECT_TRUE(pgt::test::wait_until([&] { return !longest().empty(); }));
  EXPECT_EQ(longest(), "2000");
}

TEST_P(CatalogOfOthers, TemporaryViewsOfTheNamesOfCatalogsMeanNothing) {
  create(bob(), "b.st", "SELECT id, v FROM b.src");
  // In a session that bob could use before, as in a pool.
  root().exec("GRANT TEMPORARY ON DATABASE " + db_.name() + " TO " + bob_);
  admin().exec("SET ROLE " + bob_);
  for (const char* name :
       {"pg_class", "pg_namespace", "pg_roles", "pg_proc", "pgt_stream_tables", "pgt_control", "pg_depend"}) {
    admin().exec(std::string("CREATE TEMPORARY VIEW ") + name + " AS SELECT 1 AS oid, b.note('" + name +
                 "') AS relname");
  }
  admin().exec("RESET ROLE");
  admin().exec(
      "SELECT * FROM pgtrickle.stream_tables; SELECT * FROM pgtrickle.health_check(); SELECT * FROM "
      "pgtrickle.dependency_tree(); SELECT pgtrickle.explain_stream_table('b.st'); SELECT "
      "pgtrickle.pause_stream_table('b.st'); "
      "SELECT pgtrickle.alter_stream_table('b.st', schedule => '5s'); SELECT pgtrickle.pause_scheduler(); SELECT "
      "pgtrickle.resume_scheduler(); SELECT pgtrickle.drop_stream_table('b.st')");
  EXPECT_EQ(who_noted(), "");
}

// A copy of the database, or a restore: rows of the catalog are about tables of other OIDs, which are found by name.
TEST_P(CatalogOfOthers, ACopyRelinksNoTableOfSomebodyElse) {
  create(bob(), "b.st", "SELECT b.note('copy') AS id FROM b.src", ", initialize => false");
  create(bob(), "b.moved", "SELECT id, v FROM b.src");
  create(alice(), "a.st", "SELECT id FROM a.orders");
  bob().exec("SELECT pgtrickle.gate_source('b.src'), pgtrickle.advance_watermark('b.src', '2024-01-01')");
  // Names that have gone stale, or were written by bob: now others' tables have them.
  admin().exec("CREATE TABLE public.admin_table (id int); INSERT INTO public.admin_table VALUES (42)");
  root().exec(
      "UPDATE pgtrickle.pgt_stream_tables SET pgt_schema = 'public', pgt_name = 'admin_table' WHERE pgt_relid = "
      "'b.st'::regclass; UPDATE pgtrickle.pgt_source_gates SET source_schema = 'a', source_name = 'orders'; "
      "UPDATE pgtrickle.pgt_watermarks SET source_schema = 'a', source_name = 'orders'");
  // Whose owner was changed on the way (pg_restore --no-owner).
  root().exec("ALTER TABLE b.moved OWNER TO " + alice_ + "; SET pgtrickle_test.by_hand = on; " +
              "UPDATE pgtrickle.pgt_stream_tables SET owner_name = '" + bob_ +
              "', status = 'ACTIVE' WHERE pgt_relid = 'b.moved'::regclass; RESET pgtrickle_test.by_hand");
  admin().exec("SELECT pgtrickle._adopt_cluster()");
  EXPECT_EQ(root().table("SELECT pgt_name, status FROM pgtrickle.pgt_stream_tables ORDER BY 1"),
            "moved|SUSPENDED\nst|PENDING");
  EXPECT_EQ(column("a.st", "owner_name"), alice_);
  EXPECT_THAT(column("b.moved", "last_error"), HasSubstr(bob_));
  EXPECT_EQ(root().value("SELECT count(*) FROM pgtrickle.pgt_source_gates"), "0");
  EXPECT_EQ(root().value("SELECT count(*) FROM pgtrickle.pgt_watermarks"), "0");
  EXPECT_EQ(root().value("SELECT string_agg(id::text, ' ') FROM public.admin_table"), "42");
}

TEST_P(CatalogOfOthers, ALogIsReadableAsLongAsItsSource) {
  const std::string grant = "GRANT SELECT ON a.orders TO " + bob_;
  alice().exec("GRANT USAGE ON SCHEMA a TO " + bob_ + "; " + grant);
  create(alice(), "a.st", "SELECT id, amount FROM a.orders");  // the log stays when bob's is dropped
  let_bob_have("b.st", "SELECT id, amount FROM a.orders");
  ASSERT_TRUE(becomes("a.st", "ACTIVE"));
  ASSERT_EQ(column("b.st", "effective_refresh_mode"), "DIFFERENTIAL");
  const std::string log =
      "SELECT count(c1) + count(c2) FROM pgtrickle_changes.log_" +
      root().value("SELECT source_id FROM pgtrickle.pgt_sources WHERE relid = 'a.orders'::regclass");
  bob().exec(log);
  alice().exec("REVOKE SELECT ON a.orders FROM " + bob_);
  if (GetParam() == pgt::test::Admin::kOrdinaryRole)
    admin().exec("SELECT pgtrickle._settle_rights()");  // no event triggers
  EXPECT_THAT(refused(bob(), log), StartsWith("42501"));
  alice().exec("INSERT INTO a.orders VALUES (2000, 1)");
  ASSERT_TRUE(becomes("b.st", "SUSPENDED")) << column("b.st", "status");
  alice().exec(grant);
  admin().exec("SELECT pgtrickle._settle_rights()");
  ASSERT_TRUE(becomes("b.st", "ACTIVE", std::chrono::seconds(30))) << column("b.st", "last_error");
  EXPECT_TRUE(becomes_equal("b.st"));
  bob().exec(log + "; SELECT pgtrickle.drop_stream_table('b.st')");
  EXPECT_THAT(refused(bob(), log), StartsWith("42501"));
  EXPECT_TRUE(becomes_equal("a.st"));
}

PGT_IN_BOTH_WORLDS(Catalog);
PGT_IN_BOTH_WORLDS(CatalogOfOthers);

}  // namespace
