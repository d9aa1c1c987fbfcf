// What owners of stream tables can do through the SQL API and the catalog: to an admin who calls it, to each other, and
// to those who only have a source in common with them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  EXPECT_EQ(who_noted(), "");
  EXPECT_NE(admin().value("SHOW search_path"), "b, pg_catalog");
  // He may in his own, and who is trusted may.
  bob().exec("SELECT pgtrickle.refresh_stream_table('b.st'); SELECT * FROM pgtrickle.verify_stream_table('b.st')");
  admin().exec("SELECT pgtrickle.trust_owner('" + bob_ + "')");
  admin().exec("SELECT * FROM pgtrickle.verify_stream_table('b.st')");
}

TEST_P(Catalog, CallHasTheDaemonRefreshIt) {
  let_bob_have_poison();
  bob().exec("RESET search_path; INSERT INTO b.src VALUES (2, 2)");
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

PGT_IN_BOTH_WORLDS(Catalog);

}  // namespace
