// What an owner can reach through the building of his stream tables: nothing of his runs in a control session, neither
// run nor folded, and what runs in the worker session can leave nothing behind for others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "catalog/builder.h"
#include "security/world.h"

namespace {

using pgt::test::World;
using pgtrickle::catalog::BuildResult;
using pgtrickle::catalog::BuildSettings;
using pgtrickle::catalog::BuildStatus;
using pgtrickle::catalog::Garbage;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class Building : public World {
 protected:
  std::int64_t id_of(const std::string& name) { return std::stoll(column(name, "pgt_id")); }

  BuildResult build(const std::string& name, bool worker = true) {
    BuildSettings settings;
    if (worker) settings.worker_conninfo = dsn_of_role(worker_);
    return pgtrickle::catalog::build_stream_table(admin_dsn_, id_of(name), settings);
  }
  void build_active(const std::string& name) {
    const auto result = build(name);
    EXPECT_EQ(result.status, BuildStatus::kActive) << result.error.sqlstate << " " << result.message;
  }
  void build_again(const std::string& name) {
    root().exec(
        "SET pgtrickle_test.by_hand = on; UPDATE pgtrickle.pgt_stream_tables SET status = 'PENDING' WHERE pgt_id = " +
        column(name, "pgt_id") + "; RESET pgtrickle_test.by_hand");
    build_active(name);
  }
  Garbage collect() { return pgtrickle::catalog::collect_garbage(admin_dsn_, {}); }

  /// Bob's code has run in sessions of bob's and of the worker only.
  void expect_no_control_session() {
    expect_nothing_gained();
    EXPECT_EQ(
        root().table("SELECT DISTINCT place, cu, su FROM b.notes WHERE su NOT IN ('" + bob_ + "', '" + worker_ + "')"),
        "");
  }
  void expect_ran_in_worker(const std::string& place) {
    EXPECT_THAT(who_noted(place), HasSubstr("|" + worker_)) << "the case is empty: it has not run at all";
  }
};

TEST_P(Building, DeferredTriggersFireAsTheWorker) {
  create(bob(), "b.st", "SELECT id, v FROM b.src");
  build_active("b.st");
  bob().exec(
      "CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT OR UPDATE OR DELETE ON b.st DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW EXECUTE FUNCTION b.noting(); INSERT INTO b.src VALUES (2, 2)");
  build_again("b.st");
  expect_ran_in_worker("at_commit");
  expect_no_control_session();
}

TEST_P(Building, DeferredTriggersOnOtherTablesFireAsTheWorker) {
  bob().exec(
      "CREATE TABLE b.other (n int); CREATE CONSTRAINT TRIGGER elsewhere AFTER INSERT ON b.other DEFERRABLE INITIALLY "
      "DEFERRED FOR EACH ROW EXECUTE FUNCTION b.noting();"
      "CREATE FUNCTION b.writes() RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN INSERT INTO b.other VALUES (1);"
      " RETURN 1; END $$");
  create(bob(), "b.st", "SELECT id, b.writes() AS w FROM b.src", ", refresh_mode => 'FULL'");
  build_active("b.st");
  expect_ran_in_worker("elsewhere");
  expect_no_control_session();
}

TEST_P(Building, CursorsWithHoldAreComputedAsTheWorker) {
  bob().exec(
      "CREATE FUNCTION b.holds(id int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN"
      "  EXECUTE format('DECLARE c%s CURSOR WITH HOLD FOR SELECT b.note(''held'')', pg_backend_pid() || '_' || id);"
      "  RETURN id; EXCEPTION WHEN duplicate_cursor THEN RETURN id; END $$");
  create(bob(), "b.st", "SELECT b.holds(id) AS id FROM b.src", ", refresh_mode => 'FULL'");
  build_active("b.st");
  expect_ran_in_worker("held");
  expect_no_control_session();
}

TEST_P(Building, NothingIsFoldedInTheControlSession) {
  bob().exec(
      "CREATE FUNCTION b.folded(place text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN"
      "  PERFORM b.note(place); RETURN 0; END $$;"
      "CREATE FUNCTION b.compared(a int, b int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN"
      "  PERFORM b.note('operator'); RETURN a >= b; END $$;"
      "CREATE OPERATOR b.>>>= (LEFTARG = int, RIGHTARG = int, FUNCTION = b.compared);"
      "CREATE TYPE b.pair AS (x int, y int);"
      "CREATE FUNCTION b.sum_of(p b.pair) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN"
      "  PERFORM b.note('cast'); RETURN p.x + p.y; END $$;"
      "CREATE CAST (b.pair AS int) WITH FUNCTION b.sum_of(b.pair);"
      "CREATE DOMAIN b.small AS int CHECK (VALUE < 1000 + b.folded('domain'))");
  create(bob(), "b.st",
         "SELECT id, v::b.small AS v, ROW(1, 2)::b.pair::int AS c, 5::b.small AS d FROM b.src WHERE v > "
         "b.folded('function') AND 5 OPERATOR(b.>>>=) 4");
  create(
      bob(), "b.groups",
      "SELECT v + b.folded('grouped') AS g, count(*) AS n, max(v::b.small) AS m FROM b.src GROUP BY 1 HAVING count(*) "
      "OPERATOR(pg_catalog.>) b.folded('having')");
  root().exec("TRUNCATE b.notes");
  build_active("b.st");
  build_active("b.groups");
  expect_ran_in_worker("function");
  expect_ran_in_worker("operator");
  expect_ran_in_worker("cast");
  expect_no_control_session();
}

// Reading a literal of a type over a domain calls the domain's CHECK, cast or not. Sequences are not rolled back.
TEST_P(Building, LiteralsAreNotReadWithTheRightsOfTheAdmin) {
  bob().exec(
      "CREATE SEQUENCE b.ran; CREATE SEQUENCE b.gained; GRANT USAGE ON SEQUENCE b.ran, b.gained TO PUBLIC;"
      "CREATE FUNCTION b.spy(i int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN"
      "  BEGIN PERFORM set_config('role', 'none', true); EXCEPTION WHEN OTHERS THEN NULL; END;"
      "  PERFORM nextval('b.ran');"
      "  IF current_user NOT IN ('" +
      bob_ + "', '" + worker_ +
      "') THEN PERFORM nextval('b.gained'); END IF; RETURN true; END $$;"
      "CREATE DOMAIN b.odd AS int CHECK (b.spy(VALUE));"
      "CREATE TYPE b.pair AS (x b.odd, y b.odd);"
      "CREATE FUNCTION b.first(a b.odd[]) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a[1]::int';"
      "CREATE TABLE b.odds (id int PRIMARY KEY, a b.odd[], p b.pair); INSERT INTO b.odds VALUES (1, '{4}', '(4,4)')");
  create(bob(), "b.cast", "SELECT id, '{4}'::b.odd[] AS c, '(1,2)'::b.pair AS d FROM b.odds");
  create(
      bob(), "b.implied",
      "SELECT id, b.first('{4}') AS f, a = '{4}' AS e, coalesce(a, '{5}') AS g, CASE WHEN id = 1 THEN p ELSE '(1,2)' "
      "END AS h FROM b.odds WHERE a <> '{7}'");
  create(bob(), "b.grouped", "SELECT coalesce(a, '{5}') AS g, count(*) AS n FROM b.odds GROUP BY 1");
  root().exec("ALTER SEQUENCE b.ran RESTART");
  for (const char* name : {"b.cast", "b.implied", "b.grouped"}) build_active(name);
  bob().exec("ALTER TABLE b.odds RENAME COLUMN id TO key");
  for (const char* name : {"b.cast", "b.implied", "b.grouped"}) build_again(name);
  EXPECT_EQ(root().value("SELECT is_called FROM b.ran"), "t");
  EXPECT_EQ(root().value("SELECT is_called FROM b.gained"), "f");
}

TEST_P(Building, WhatALiteralLeavesInASessionStopsNoOtherBuild) {
  bob().exec(
      "CREATE TABLE b.deferring (n int); CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON b.deferring DEFERRABLE "
      "INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION b.noting();"
      "CREATE FUNCTION b.leave() RETURNS void LANGUAGE plpgsql VOLATILE AS $$ BEGIN"
      "  PERFORM set_config('default_transaction_read_only', 'on', false);"
      "  INSERT INTO b.deferring VALUES (1); END $$;"
      "CREATE FUNCTION b.leaves(i int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN"
      "  IF current_setting('application_name') LIKE 'pgtrickled%' THEN PERFORM b.leave(); END IF; RETURN true; END $$;"
      "CREATE DOMAIN b.tainted AS int CHECK (b.leaves(VALUE)); CREATE TABLE b.taints (id int PRIMARY KEY)");
  create(bob(), "b.st", "SELECT id, '{4}'::b.tainted[] AS c FROM b.taints");
  const auto result = build("b.st");
  EXPECT_NE(result.status, BuildStatus::kActive);
  EXPECT_THAT(result.message, HasSubstr("leaves a setting behind in the session"));
  expect_no_control_session();
  // The same without what ends the session: the settings stay.
  bob().exec(
      "CREATE OR REPLACE FUNCTION b.leave() RETURNS void LANGUAGE plpgsql VOLATILE AS $$ BEGIN"
      "  PERFORM set_config('default_transaction_read_only', 'on', false); END $$");
  build("b.st");
  create(alice(), "a.other", "SELECT id FROM a.orders");
  build_active("a.other");
}

// A foreign key that is checked at COMMIT compares with a cast of the owner's. That runs as the owner of the table, but
// what it writes to may have a deferred trigger, which runs as who has logged in.
TEST_P(Building, AForeignKeyThatALiteralLeavesForCommitGainsNothing) {
  bob().exec(
      "CREATE TABLE b.deferring (n int); CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON b.deferring DEFERRABLE "
      "INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION b.noting();"
      "CREATE TYPE b.wrapped AS (i int);"
      "CREATE FUNCTION b.unwrap(w b.wrapped) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN"
      "  INSERT INTO b.deferring VALUES (1); RETURN 1; END $$;"
      "CREATE CAST (b.wrapped AS int) WITH FUNCTION b.unwrap(b.wrapped) AS IMPLICIT;"
      "CREATE TABLE b.parent (id int PRIMARY KEY); INSERT INTO b.parent VALUES (1);"
      "CREATE TABLE b.child (w b.wrapped REFERENCES b.parent DEFERRABLE INITIALLY DEFERRED);"
      "CREATE FUNCTION b.leave() RETURNS void LANGUAGE plpgsql VOLATILE AS $$ BEGIN"
      "  INSERT INTO b.child VALUES (ROW(1)::b.wrapped); END $$;"
      "CREATE FUNCTION b.leaves(i int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN"
      "  IF current_setting('application_name') LIKE 'pgtrickled%' THEN PERFORM b.leave(); END IF; RETURN true; END $$;"
      "CREATE DOMAIN b.tainted AS int CHECK (b.leaves(VALUE)); CREATE TABLE b.taints (id int PRIMARY KEY)");
  bob().exec("INSERT INTO b.child VALUES (ROW(1)::b.wrapped)");
  EXPECT_EQ(who_noted("at_commit"), bob_ + "|" + bob_) << "it does run at COMMIT, or this test proves nothing";
  create(bob(), "b.st", "SELECT id, '{4}'::b.tainted[] AS c FROM b.taints");
  const auto result = build("b.st");
  EXPECT_NE(result.status, BuildStatus::kActive);
  expect_no_control_session();
}

// Every kind of thing that outlives the statement which leaves it. The session that has it ends before COMMIT.
TEST_P(Building, NoControlSessionGoesOnWithWhatALiteralHasLeft) {
  struct Kind {
    const char* statement;
    const char* found;
  };
  const std::vector<Kind> kinds{
      {"INSERT INTO b.deferring VALUES (1)", "a deferred trigger"},
      {"INSERT INTO b.child VALUES (7)", "a deferred trigger"},
      {"INSERT INTO b.unique_later VALUES (1)", "a deferred trigger"},
      {"EXECUTE 'DECLARE held CURSOR WITH HOLD FOR SELECT b.note(''held'')'", "a cursor"},
      {"EXECUTE 'PREPARE later AS SELECT b.note(''prepared'')'", "a prepared statement"},
      {"EXECUTE 'DEALLOCATE ALL'", "a prepared statement"},
      // What is prepared is not rolled back with what fails, and is run when the error is written down.
      {"EXECUTE 'DEALLOCATE pgt_no_step'; EXECUTE 'PREPARE pgt_no_step (bigint) AS SELECT b.note(''prepared'')'; "
       "RAISE division_by_zero",
       "a prepared statement"},
      {"PERFORM set_config('client_encoding', 'GBK', false)", "a setting"},
      {"PERFORM set_config('lock_timeout', '1ms', true)", "a setting"},
      {"PERFORM set_config('default_transaction_read_only', 'on', false)", "a setting"},
      {"PERFORM set_config('pgtrickle.settling', 'on', false)", "a setting"},
      {"SET TRANSACTION READ ONLY", "a setting"},
      {"EXECUTE 'RESET jit'", "a setting"},
      {"PERFORM pg_advisory_lock(1, 2)", "an advisory lock"},
      {"PERFORM pg_advisory_xact_lock_shared(3)", "an advisory lock"},
  };
  bob().exec(
      "CREATE SEQUENCE b.session; GRANT USAGE ON SEQUENCE b.session TO PUBLIC;"
      "CREATE TABLE b.deferring (n int); CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON b.deferring DEFERRABLE "
      "INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION b.noting();"
      "CREATE TABLE b.parent (id int PRIMARY KEY);"
      "CREATE TABLE b.child (id int REFERENCES b.parent DEFERRABLE INITIALLY DEFERRED);"
      "CREATE TABLE b.unique_later (n int UNIQUE DEFERRABLE INITIALLY DEFERRED);"
      "CREATE FUNCTION b.leave() RETURNS void LANGUAGE plpgsql VOLATILE AS $$ BEGIN END $$;"
      "CREATE FUNCTION b.leaves(i int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN"
      "  IF current_setting('application_name') LIKE 'pgtrickled%' THEN"
      "    PERFORM setval('b.session', pg_backend_pid()); PERFORM b.leave(); END IF; RETURN true; END $$;"
      "CREATE DOMAIN b.tainted AS int CHECK (b.leaves(VALUE)); CREATE TABLE b.taints (id int PRIMARY KEY)");
  create(bob(), "b.st", "SELECT id, '{4}'::b.tainted[] AS c FROM b.taints");
  build_active("b.st");  // the session has its statements prepared
  for (const Kind& kind : kinds) {
    SCOPED_TRACE(kind.statement);
    root().exec("SET pgtrickle_test.by_hand = on; UPDATE pgtrickle.pgt_stream_tables SET status = 'PENDING'");
    bob().exec(std::string("CREATE OR REPLACE FUNCTION b.leave() RETURNS void LANGUAGE plpgsql VOLATILE AS $$ BEGIN ") +
               kind.statement + "; END $$; ALTER SEQUENCE b.session RESTART");
    const auto result = build("b.st");
    EXPECT_NE(result.status, BuildStatus::kActive);
    EXPECT_THAT(result.message, HasSubstr(std::string("leaves ") + kind.found + " behind in the session"));
    EXPECT_EQ(root().value("SELECT is_called FROM b.session"), "t") << "the case is empty: it has not run at all";
    EXPECT_EQ(column("b.st", "status"), "ERROR");
    EXPECT_THAT(column("b.st", "last_error"), HasSubstr(kind.found));
    EXPECT_TRUE(pgt::test::wait_until([&] {
      return root().value("SELECT count(*) FROM pg_stat_activity WHERE pid = (SELECT last_value FROM b.session)") ==
             "0";
    })) << "the session goes on";
    expect_no_control_session();
  }
}

// What nothing runs because of: the session stays, and the next owner does not meet it.
TEST_P(Building, ChannelsAndTemporaryObjectsThatALiteralLeavesAreGoneForTheNextOwner) {
  bob().exec(
      "CREATE FUNCTION b.leaves(i int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN"
      "  IF current_setting('application_name') LIKE 'pgtrickled%' THEN PERFORM b.leave(); END IF; RETURN true; END $$;"
      "CREATE FUNCTION b.leave() RETURNS void LANGUAGE plpgsql VOLATILE AS $$ BEGIN"
      "  LISTEN gossip; NOTIFY gossip;"
      "  IF to_regclass('pg_temp.left_by_bob') IS NULL THEN"
      "    CREATE TEMPORARY TABLE left_by_bob (n int); CREATE TYPE pg_temp.text_by_bob AS (n int); END IF; END $$;"
      "CREATE DOMAIN b.tainted AS int CHECK (b.leaves(VALUE)); CREATE TABLE b.taints (id int PRIMARY KEY)");
  alice().exec(
      "GRANT USAGE ON SCHEMA a TO PUBLIC; CREATE TABLE a.seen (kind text, session int); GRANT INSERT ON a.seen TO PUBLIC;"
      "CREATE FUNCTION a.look() RETURNS void LANGUAGE plpgsql VOLATILE AS $$ BEGIN"
      "  INSERT INTO a.seen SELECT 'channel', pg_backend_pid() FROM pg_listening_channels()"
      "      UNION ALL SELECT 'object', pg_backend_pid() FROM pg_type WHERE typnamespace = pg_my_temp_schema() AND "
      "typname ~ 'by_bob'"
      "      UNION ALL SELECT 'session', pg_backend_pid(); END $$;"
      "CREATE FUNCTION a.looks(i int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN"
      "  IF current_setting('application_name') LIKE 'pgtrickled%' THEN PERFORM a.look(); END IF; RETURN true; END $$;"
      "CREATE DOMAIN a.looking AS int CHECK (a.looks(VALUE))");
  create(bob(), "b.st", "SELECT id, '{4}'::b.tainted[] AS c FROM b.taints");
  create(alice(), "a.st", "SELECT id, '{4}'::a.looking[] AS c FROM a.orders");
  build_active("b.st");
  build_active("a.st");
  EXPECT_NE(root().value("SELECT count(*) FROM a.seen WHERE kind = 'session'"), "0") << "alice's code has not run";
  EXPECT_EQ(root().table("SELECT DISTINCT kind FROM a.seen WHERE kind <> 'session'"), "");
}

TEST_P(Building, NewTypesOfColumnsAreGivenInTheWorkerSession) {
  create(bob(), "b.st", "SELECT id, v FROM b.src");
  build_active("b.st");
  bob().exec(
      "CREATE FUNCTION b.holding() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM b.note(TG_NAME);"
      "  EXECUTE 'DECLARE replacing CURSOR WITH HOLD FOR SELECT b.note(''held'')'; RETURN NULL;"
      "  EXCEPTION WHEN duplicate_cursor THEN RETURN NULL; END $$;"
      "CREATE TRIGGER emptied AFTER DELETE ON b.st FOR EACH STATEMENT EXECUTE FUNCTION b.holding();"
      "ALTER TABLE b.src ALTER COLUMN v TYPE bigint");
  build_again("b.st");
  EXPECT_EQ(
      root().value("SELECT atttypid::regtype FROM pg_attribute WHERE attrelid = 'b.st'::regclass AND attname = 'v'"),
      "bigint");
  expect_ran_in_worker("emptied");
  expect_ran_in_worker("held");
  expect_no_control_session();
  EXPECT_TRUE(becomes_equal("b.st"));
}

TEST_P(Building, WhatIsSetInASessionIsNotThereForTheNextOwner) {
  bob().exec(
      "CREATE FUNCTION b.poisons(id int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN"
      "  PERFORM set_config('default_transaction_read_only', 'on', false), set_config('row_security', 'off', false),"
      "          set_config('statement_timeout', '1ms', false), set_config('search_path', 'b', false);"
      "  RETURN id; END $$");
  create(bob(), "b.st", "SELECT b.poisons(id) AS id FROM b.src", ", refresh_mode => 'FULL', initialize => false");
  build("b.st");
  create(alice(), "a.st", "SELECT id, amount FROM a.orders");
  build_active("a.st");
  EXPECT_TRUE(becomes_equal("a.st"));
}

TEST_P(Building, WithoutWorkerSessionsOwnersMustBeTrusted) {
  create(bob(), "b.st", "SELECT id, v FROM b.src");
  const auto refused = build("b.st", false);
  EXPECT_EQ(refused.status, BuildStatus::kError);
  EXPECT_EQ(refused.error.sqlstate, "55000");
  EXPECT_THAT(refused.message, HasSubstr("not trusted"));
  EXPECT_THAT(refused.error.hint, HasSubstr("pgtrickle.trust_owner('" + bob_ + "')"));
  EXPECT_EQ(column("b.st", "status"), "ERROR");
  admin().exec("SELECT pgtrickle.trust_owner('" + bob_ + "')");
  EXPECT_EQ(build("b.st", false).status, BuildStatus::kActive);
}

TEST_P(Building, TakesTheRightToCreateProgramsBack) {
  create(bob(), "b.st", "SELECT v, count(*) AS n FROM b.src GROUP BY v");
  build_active("b.st");
  EXPECT_THAT(refused(bob(),
                      "CREATE FUNCTION pgtrickle_state.refresh_999999(mode text) RETURNS int LANGUAGE sql AS "
                      "'SELECT 1'"),
              StartsWith("42501"));
}

TEST_P(Building, GarbageIsCollectedWithoutTheTriggersOfOwners) {
  create(bob(), "b.st",
         "SELECT x.n, count(*) AS m FROM (SELECT v, count(*) AS n FROM b.src GROUP BY v) x GROUP BY x.n");
  build_active("b.st");
  const std::string delta = root().value(
      "SELECT oid::regclass FROM pg_class WHERE relnamespace = 'pgtrickle_state'::regnamespace AND relname ~ "
      "'^delta_' AND relkind = 'r'");
  bob().exec("INSERT INTO " + delta + " (run) SELECT 0 FROM generate_series(1, 20000); CREATE TRIGGER emptied AFTER " +
             "TRUNCATE ON " + delta + " FOR EACH STATEMENT EXECUTE FUNCTION b.noting()");
  EXPECT_THAT(collect().problems, Contains(HasSubstr("it has triggers")));
  EXPECT_EQ(who_noted(), "");
  bob().exec("DROP TRIGGER emptied ON " + delta);
  EXPECT_THAT(collect().problems, IsEmpty());
  EXPECT_EQ(root().value("SELECT count(*) FROM " + delta), "0");
}

TEST_P(Building, OddNamesAndViewsOfOwnersDoNotStopGarbageCollection) {
  create(bob(), "b.st", "SELECT v, count(*) AS n FROM b.src GROUP BY v HAVING count(*) > 1");
  build_active("b.st");
  root().exec(
      "CREATE FUNCTION pgtrickle_state.apply_99999999999999999999() RETURNS int LANGUAGE sql AS 'SELECT 1';"
      "CREATE FUNCTION pgtrickle_state.\"refresh_1'; x\"() RETURNS int LANGUAGE sql AS 'SELECT 1'");
  const std::string node = root().value(
      "SELECT coalesce(min(oid::regclass::text), '') FROM pg_class WHERE relnamespace = "
      "'pgtrickle_state'::regnamespace "
      "AND relname ~ '^node_' AND relkind = 'r'");
  ASSERT_NE(node, "");
  bob().exec("CREATE VIEW b.looks AS SELECT * FROM " + node + "; SELECT pgtrickle.drop_stream_table('b.st')");
  EXPECT_THAT(collect().problems, IsEmpty());
  EXPECT_EQ(root().value("SELECT to_regclass('" + node + "') IS NULL"), "t");
}

PGT_IN_BOTH_WORLDS(Building);

}  // namespace
