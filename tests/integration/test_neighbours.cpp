// Neighbours: other parts of PostgreSQL, and other people's tools, that act on every table. After each of them the
// stream table equals its query, or says why not; and what the neighbour does never fails because of us.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "support/cluster.h"
#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"
#include "support/roles.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::DaemonProcess;
using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::TestDatabase;
using pgt::test::wait_until;

/// A database with sources and stream tables of several kinds: with a key, with a key that may be NULL, with none, with
/// state below the result.
class Neighbours : public ::testing::Test {
 protected:
  Neighbours() : session_(db_.dsn()) {
    run("CREATE TABLE items (id int PRIMARY KEY, kind int, amount int);"
        "INSERT INTO items SELECT i, i % 5, i FROM generate_series(1, 50) AS i");
  }

  void run(const std::string& sql) { session_.exec(sql); }
  std::string value(const std::string& sql) { return session_.value(sql); }

  void create(const std::string& name, const std::string& query) {
    db_.create_stream_table(name, query);
    names_.push_back(name);
  }

  void create_all() {
    create("plain", "SELECT id, amount FROM items");
    create("totals", "SELECT kind, count(*) AS n, min(amount) AS least FROM items GROUP BY kind");
    create("bag", "SELECT kind FROM items");
    create("nested",
           "SELECT q.n, count(*) AS kinds FROM (SELECT kind, count(*) AS n FROM items GROUP BY kind) q GROUP BY q.n");
    for (const auto& name : names_) ASSERT_EQ(db_.effective_mode(name), "DIFFERENTIAL") << name;
  }

  /// Inserts, updates and deletes that every one of them notices.
  void change() { change_of("items"); }
  void change_of(const std::string& items) {
    run("INSERT INTO " + items + " SELECT i, i % 7, i FROM generate_series(1000, 1010) AS i; UPDATE " + items +
        " SET kind = coalesce(kind, 0) + 1, amount = amount + 1 WHERE id < 1000 AND id % 3 = 0; UPDATE " + items +
        " SET kind = NULL WHERE id = 7; DELETE FROM " + items + " WHERE id >= 1000 OR id = 11");
    run("INSERT INTO " + items + " VALUES (11, 2, 11)");
  }

  /// By hand, without a daemon.
  void expect_refreshed(const std::string& after) {
    for (const auto& name : names_) {
      EXPECT_NO_THROW(db_.refresh(name)) << name << " " << after;
      EXPECT_TRUE(equals_query(session_, name)) << name << " " << after;
    }
  }

  /// What the daemon would do about the ones that are marked.
  void rebuild() {
    for (const auto& name : names_) {
      if (state_of(name).find("|t|") == std::string::npos) continue;
      EXPECT_EQ(db_.build(name).status, pgtrickle::catalog::BuildStatus::kActive) << state_of(name);
    }
  }

  void start_daemon() { daemon_ = std::make_unique<DaemonProcess>(db_.dsn()); }

  std::string state_of(const std::string& name) {
    return session_.table(
        "SELECT status, effective_refresh_mode, needs_reinit, reason, last_error FROM pgtrickle.pgt_stream_tables "
        "WHERE "
        "pgt_relid = to_regclass('" +
        name + "')");
  }

  /// The daemon makes it equal to its query, within the time that a loaded machine takes.
  ::testing::AssertionResult becomes_equal(const std::string& name) {
    const bool equal = wait_until(
        [&] {
          return value(
                     "SELECT status || needs_reinit FROM pgtrickle.pgt_stream_tables WHERE pgt_relid = to_regclass('" +
                     name + "')") == "ACTIVEfalse" &&
                 equals_query(session_, name);
        },
        30s);
    if (equal) return ::testing::AssertionSuccess();
    return equals_query(session_, name) << "\n" << state_of(name);
  }

  void expect_all_become_equal(const std::string& after) {
    for (const auto& name : names_) EXPECT_TRUE(becomes_equal(name)) << name << " " << after;
  }

  TestDatabase db_;
  Session session_;
  std::vector<std::string> names_;
  std::unique_ptr<DaemonProcess> daemon_;
};

// Subscriptions -------------------------------------------------------------------------------------------------------

/// The publishing side is another database of the same cluster: its slot is made by hand, because CREATE SUBSCRIPTION
/// would wait for its own transaction.
class Subscribed : public Neighbours {
 protected:
  Subscribed() : remote_(TestDatabase::Install::kNothing), publisher_(remote_.dsn()) {
    publisher_.exec("CREATE TABLE items (id int PRIMARY KEY, kind int, amount int)");
    publisher_.exec("CREATE PUBLICATION p FOR TABLE items");
  }
  ~Subscribed() override {
    try {
      session_.exec("DROP SUBSCRIPTION IF EXISTS s");
      session_.exec("DROP SUBSCRIPTION IF EXISTS q");
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  }

  void create_slot(const std::string& name) {
    publisher_.exec("SELECT pg_create_logical_replication_slot('" + slot(name) + "', 'pgoutput')");
  }
  [[nodiscard]] std::string slot(const std::string& name) const { return db_.name() + "_" + name; }

  /// The connection string as a literal.
  std::string remote() { return session_.quote(remote_.dsn()); }

  void subscribe(const std::string& options = "") {
    create_slot("s");
    run("CREATE SUBSCRIPTION s CONNECTION " + remote() +
        " PUBLICATION p WITH (create_slot = false, slot_name = " + slot("s") + options + ")");
  }

  /// Rows written there, seen here.
  void replicate(int from) {
    const std::string id = std::to_string(from);
    publisher_.exec("INSERT INTO items VALUES (" + id + ", 1, 1), (" + std::to_string(from + 1) + ", 2, 2)");
    publisher_.exec("UPDATE items SET amount = 77 WHERE id = " + id);
    ASSERT_TRUE(wait_until(
        [&] { return value("SELECT count(*) FROM items WHERE id = " + id + " AND amount = 77") == "1"; }, 30s));
  }

  std::string mode(const std::string& name) { return db_.effective_mode(name); }

  TestDatabase remote_;
  Session publisher_;
};

TEST_F(Subscribed, ASourceThatIsSubscribedLaterIsRecomputedOnSchedule) {
  run("TRUNCATE items");
  create_all();
  start_daemon();
  subscribe();
  replicate(2000);
  expect_all_become_equal("after replication");
  for (const auto& name : names_) EXPECT_EQ(mode(name), "FULL") << state_of(name);
  EXPECT_NE(state_of("plain").find("filled by logical subscription s"), std::string::npos) << state_of("plain");
  replicate(3000);
  expect_all_become_equal("once more");
}

TEST_F(Subscribed, WithoutEventTriggersTheNextRefreshNotices) {
  run("TRUNCATE items");
  create("plain", "SELECT id, amount FROM items");
  run("DROP EVENT TRIGGER pgtrickle_replication");
  subscribe();
  replicate(2000);
  EXPECT_EQ(value("SELECT action FROM pgtrickle_state.refresh_" + std::to_string(db_.id_of("plain")) + "('auto')"),
            "REINIT");
  start_daemon();
  EXPECT_TRUE(becomes_equal("plain"));
  EXPECT_EQ(mode("plain"), "FULL");
}

TEST_F(Subscribed, ADisabledSubscriptionCounts) {
  run("TRUNCATE items");
  create("plain", "SELECT id, amount FROM items");
  subscribe(", enabled = false");
  rebuild();
  EXPECT_EQ(mode("plain"), "FULL");
  run("ALTER SUBSCRIPTION s ENABLE");
  replicate(2000);
  db_.refresh("plain");
  EXPECT_TRUE(equals_query(session_, "plain"));
}

TEST_F(Subscribed, AStreamTableMadeAfterwardsIsRecomputed) {
  run("TRUNCATE items");
  subscribe();
  create("plain", "SELECT id, amount FROM items");
  EXPECT_EQ(mode("plain"), "FULL");
  replicate(2000);
  db_.refresh("plain");
  EXPECT_TRUE(equals_query(session_, "plain"));
}

TEST_F(Subscribed, ATableThatIsAddedByRefreshPublicationIsNoticed) {
  publisher_.exec("CREATE TABLE others (id int PRIMARY KEY)");
  run("TRUNCATE items; CREATE TABLE others (id int PRIMARY KEY)");
  create("other", "SELECT id FROM others");
  subscribe();
  rebuild();
  EXPECT_EQ(mode("other"), "DIFFERENTIAL");
  publisher_.exec("ALTER PUBLICATION p ADD TABLE others");
  run("ALTER SUBSCRIPTION s REFRESH PUBLICATION");
  publisher_.exec("INSERT INTO others VALUES (1), (2)");
  publisher_.exec("UPDATE others SET id = 3 WHERE id = 2");
  ASSERT_TRUE(
      wait_until([&] { return value("SELECT string_agg(id::text, ',' ORDER BY id) FROM others") == "1,3"; }, 30s));
  rebuild();
  EXPECT_EQ(mode("other"), "FULL");
  EXPECT_TRUE(equals_query(session_, "other"));
}

TEST_F(Subscribed, OnceTheSubscriptionIsGoneChangesAreAppliedAgain) {
  run("TRUNCATE items");
  create("plain", "SELECT id, amount FROM items");
  start_daemon();
  subscribe();
  replicate(2000);
  EXPECT_TRUE(becomes_equal("plain"));
  ASSERT_EQ(mode("plain"), "FULL");
  run("DROP SUBSCRIPTION s");
  EXPECT_TRUE(wait_until([&] { return mode("plain") == "DIFFERENTIAL"; }, 30s)) << state_of("plain");
  run("UPDATE items SET amount = amount + 1");
  EXPECT_TRUE(becomes_equal("plain"));
}

TEST_F(Subscribed, ASubscribedPartitionConcernsItsRoot) {
  for (const bool via_root : {false, true}) {
    SCOPED_TRACE(via_root ? "publish_via_partition_root" : "leaves");
    const std::string ddl =
        "CREATE TABLE parted (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);"
        "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);"
        "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (100) TO (200)";
    publisher_.exec(ddl);
    run(ddl);
    create("parts", "SELECT id, v FROM parted");
    ASSERT_EQ(mode("parts"), "DIFFERENTIAL");
    publisher_.exec(std::string("CREATE PUBLICATION q FOR TABLE parted WITH (publish_via_partition_root = ") +
                    (via_root ? "true)" : "false)"));
    create_slot("q");
    run("CREATE SUBSCRIPTION q CONNECTION " + remote() +
        " PUBLICATION q WITH (create_slot = false, slot_name = " + slot("q") + ")");
    publisher_.exec("INSERT INTO parted VALUES (1, 1), (150, 2)");
    publisher_.exec("UPDATE parted SET v = v + 10");
    EXPECT_TRUE(wait_until([&] { return value("SELECT sum(v) FROM parted") == "23"; }, 30s));
    rebuild();
    EXPECT_EQ(mode("parts"), "FULL");
    EXPECT_TRUE(equals_query(session_, "parts"));
    run("DROP SUBSCRIPTION q");
    run("SELECT pgtrickle.drop_stream_table('parts'); DROP TABLE parted");
    publisher_.exec("DROP PUBLICATION q; DROP TABLE parted");
    names_.clear();
  }
}

TEST_F(Subscribed, DifferentialThatWasAskedForIsAnErrorUntilTheSubscriptionEnds) {
  run("TRUNCATE items");
  db_.create_stream_table("strict", "SELECT id, amount FROM items", "DIFFERENTIAL");
  start_daemon();
  subscribe();
  replicate(2000);
  EXPECT_TRUE(wait_until([&] { return state_of("strict").starts_with("ERROR"); }, 30s)) << state_of("strict");
  EXPECT_NE(state_of("strict").find("filled by logical subscription s"), std::string::npos) << state_of("strict");
  run("DROP SUBSCRIPTION s");
  EXPECT_TRUE(becomes_equal("strict"));
}

TEST_F(Subscribed, AStreamTableThatASubscriptionWritesToIsInErrorUntilItEnds) {
  create("items_copy", "SELECT id, amount FROM items");
  publisher_.exec(
      "CREATE TABLE items_copy (id int PRIMARY KEY, amount int); CREATE PUBLICATION q FOR TABLE items_copy");
  start_daemon();
  create_slot("q");
  run("CREATE SUBSCRIPTION q CONNECTION " + remote() +
      " PUBLICATION q WITH (create_slot = false, copy_data = false, "
      "slot_name = " +
      slot("q") + ")");
  publisher_.exec("INSERT INTO items_copy VALUES (4711, 1)");
  EXPECT_TRUE(wait_until([&] { return state_of("items_copy").starts_with("ERROR"); }, 30s)) << state_of("items_copy");
  EXPECT_NE(state_of("items_copy").find("filled by logical subscription q"), std::string::npos);
  run("DROP SUBSCRIPTION q");
  EXPECT_TRUE(becomes_equal("items_copy"));
}

// Publications --------------------------------------------------------------------------------------------------------

TEST_F(Neighbours, APublicationOfAllTablesBeforeTheStreamTables) {
  run("CREATE PUBLICATION everything FOR ALL TABLES");
  create_all();
  change();
  expect_refreshed("under a publication of all tables");
}

TEST_F(Neighbours, APublicationOfAllTablesThatComesLaterAndGoes) {
  create_all();
  run("CREATE PUBLICATION everything FOR ALL TABLES");
  change();
  expect_refreshed("after the publication came");
  run("DROP PUBLICATION everything");
  change();
  expect_refreshed("after the publication went");
  EXPECT_EQ(
      value("SELECT count(*) FROM pg_class WHERE relnamespace = 'pgtrickle_state'::regnamespace AND relkind = 'r' "
            "AND relreplident <> 'd'"),
      "0");
}

TEST_F(Neighbours, PublicationsOfSchemasAndOfOneTable) {
  create_all();
  run("CREATE PUBLICATION p FOR TABLES IN SCHEMA public");
  change();
  expect_refreshed("under a publication of schema public");
  run("ALTER PUBLICATION p SET TABLES IN SCHEMA public, pgtrickle_state, pgtrickle_changes");
  change();
  expect_refreshed("under a publication of all schemas");
  run("DROP PUBLICATION p; CREATE PUBLICATION p FOR TABLE bag");
  change();
  expect_refreshed("under a publication of one table");
}

TEST_F(Neighbours, AnIdentityThatTheUserChoseIsLeftAlone) {
  create_all();
  run("CREATE UNIQUE INDEX by_id ON plain (id)");
  run("ALTER TABLE totals REPLICA IDENTITY FULL; CREATE PUBLICATION everything FOR ALL TABLES");
  EXPECT_EQ(value("SELECT string_agg(relname || ' ' || relreplident::text, ', ' ORDER BY relname) FROM pg_class WHERE "
                  "oid IN ('plain'::regclass, 'totals'::regclass, 'bag'::regclass)"),
            "bag f, plain d, totals f");
  run("DROP PUBLICATION everything");
  EXPECT_EQ(value("SELECT relreplident FROM pg_class WHERE oid = 'totals'::regclass"), "f");
  change();
  expect_refreshed("with identities of all kinds");
}

TEST_F(Neighbours, APublicationThatNobodyToldUsOfIsCaughtUpWithByTheDaemon) {
  create_all();
  run("DROP EVENT TRIGGER pgtrickle_replication");
  start_daemon();
  run("CREATE PUBLICATION everything FOR ALL TABLES");
  change();
  expect_all_become_equal("after the publication came");
  EXPECT_EQ(value("SELECT count(*) FROM pgtrickle.pgt_stream_tables WHERE status <> 'ACTIVE'"), "0");
}

TEST_F(Neighbours, APublicationThatCannotBeServedStopsNobodyForGood) {
  run("CREATE TABLE nulls (a int, b int)");
  create("pairs", "SELECT a, b FROM nulls");
  start_daemon();
  // A list of columns that does not cover the identity: only its author can put that right.
  run("CREATE PUBLICATION narrow FOR TABLE pairs (a)");
  run("INSERT INTO nulls SELECT i, i FROM generate_series(1, 10) AS i");
  run("UPDATE nulls SET b = b + 1; DELETE FROM nulls WHERE a = 3");
  EXPECT_TRUE(wait_until([&] { return !value("SELECT last_error FROM pgtrickle.pgt_stream_tables").empty(); }, 30s));
  EXPECT_EQ(value("SELECT status IN ('ERROR', 'SUSPENDED') FROM pgtrickle.pgt_stream_tables"), "f")
      << state_of("pairs");
  run("DROP PUBLICATION narrow");
  EXPECT_TRUE(becomes_equal("pairs"));
}

TEST_F(Neighbours, ChangesOfShapeUnderAPublication) {
  run("CREATE PUBLICATION everything FOR ALL TABLES");
  create_all();
  change();
  run("ALTER TABLE items ALTER COLUMN amount TYPE bigint, ALTER COLUMN id TYPE bigint");
  rebuild();
  change();
  expect_refreshed("after columns changed type");
  run("ALTER TABLE items DROP CONSTRAINT items_pkey; ALTER TABLE items ALTER id DROP NOT NULL");
  run("ALTER TABLE items REPLICA IDENTITY FULL");
  rebuild();
  change();
  expect_refreshed("after the key of the source went");
}

TEST_F(Neighbours, ACycleUnderAPublication) {
  run("CREATE TABLE edges (a int NOT NULL, b int NOT NULL, PRIMARY KEY (a, b)); INSERT INTO edges VALUES (1, 2), (2, "
      "3), (3, 1)");
  run("SELECT pgtrickle.create_stream_table('reach', 'SELECT a, b FROM edges', allow_circular => true)");
  run("SELECT pgtrickle.alter_stream_table('reach', query => 'SELECT a, b FROM edges UNION SELECT r.a, e.b FROM reach "
      "r "
      "JOIN edges e ON e.a = r.b')");
  db_.build_pending();
  run("CREATE PUBLICATION everything FOR ALL TABLES");
  const std::string closure =
      "WITH RECURSIVE r(a, b) AS (SELECT a, b FROM edges UNION SELECT r.a, e.b FROM r JOIN edges e ON e.a = r.b) "
      "SELECT "
      "a, b FROM r";
  for (const char* step :
       {"INSERT INTO edges VALUES (3, 4)", "DELETE FROM edges WHERE a = 3", "UPDATE edges SET b = 9 WHERE a = 2"}) {
    run(step);
    db_.refresh("reach");
    EXPECT_TRUE(equals_query(session_, "reach", closure)) << step;
  }
}

// Default privileges --------------------------------------------------------------------------------------------------

TEST_F(Neighbours, DefaultPrivilegesOpenNeitherLogsNorState) {
  pgt::test::Roles roles;
  const std::string reader = roles.create("pgt_reader");
  run("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC; ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO " +
      reader + "; ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO " + reader);
  create_all();
  run("ALTER TABLE items ADD COLUMN more int");
  create("later", "SELECT id, more FROM items");
  EXPECT_EQ(session_.table(
                "SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace IN ('pgtrickle_changes'::regnamespace, "
                "'pgtrickle_state'::regnamespace) AND c.relkind IN ('r', 'v') AND has_table_privilege('" +
                reader + "', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')"),
            "");
  EXPECT_EQ(session_.table(
                "SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace IN ('pgtrickle_changes'::regnamespace, "
                "'pgtrickle_state'::regnamespace) AND has_function_privilege('" +
                reader + "', p.oid, 'EXECUTE')"),
            "");
  change();
  expect_refreshed("with default privileges");
  run("DROP OWNED BY " + reader);
}

// Triggers and event triggers of others -------------------------------------------------------------------------------

TEST_F(Neighbours, AuditTriggersOnAllTables) {
  create_all();
  // The habit of audit extensions: every table that there is, ours as well.
  run("CREATE TABLE audit (at timestamptz DEFAULT clock_timestamp(), tab text, op text, was jsonb, is_now jsonb);"
      "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO public.audit "
      "(tab, op, "
      "was, is_now) VALUES (tg_relid::regclass::text, tg_op, CASE WHEN tg_op <> 'INSERT' THEN to_jsonb(old) END, CASE "
      "WHEN "
      "tg_op <> 'DELETE' THEN to_jsonb(new) END); RETURN NULL; END $$;"
      "DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT c.oid FROM pg_class c WHERE c.relkind IN ('r', 'p') AND "
      "c.relname <> "
      "'audit' AND c.relnamespace IN ('public'::regnamespace, 'pgtrickle_changes'::regnamespace, "
      "'pgtrickle_state'::regnamespace) LOOP EXECUTE format('CREATE TRIGGER zz_audit AFTER INSERT OR UPDATE OR DELETE "
      "ON %s "
      "FOR EACH ROW EXECUTE FUNCTION public.audit()', t); END LOOP; END $$");
  change();
  expect_refreshed("with audit triggers everywhere");
  EXPECT_NE(value("SELECT count(*) FROM audit WHERE tab LIKE '%totals'"), "0") << "the stream table is audited too";
  create("after_it", "SELECT kind, max(amount) FROM items GROUP BY kind");
  run("ALTER TABLE items ALTER COLUMN amount TYPE bigint");
  rebuild();
  change();
  expect_refreshed("after a change of shape");
}

TEST_F(Neighbours, EventTriggersThatChangeTheSearchPath) {
  run("CREATE SCHEMA evil; CREATE TABLE evil.items (id int, kind int, amount int);"
      "CREATE FUNCTION evil.count(int) RETURNS bigint LANGUAGE sql AS 'SELECT 0';"
      "CREATE FUNCTION lost() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('search_path', "
      "'evil', "
      "false); END $$;"
      "CREATE EVENT TRIGGER a_lost ON ddl_command_start EXECUTE FUNCTION lost();"
      "CREATE EVENT TRIGGER z_lost ON ddl_command_end EXECUTE FUNCTION lost();"
      "CREATE EVENT TRIGGER zz_lost ON sql_drop EXECUTE FUNCTION lost()");
  run("SET search_path = public");
  create("public.totals", "SELECT kind, count(*) AS n, min(amount) AS least FROM public.items GROUP BY kind");
  change_of("public.items");
  expect_refreshed("of others that change the search_path");
  run("ALTER TABLE public.items ALTER COLUMN amount TYPE bigint");
  run("SET search_path = public");
  rebuild();
  change_of("public.items");
  expect_refreshed("after a change of shape");
}

TEST_F(Neighbours, EventTriggersThatRefuseAreNamedAndNoHarmIsDone) {
  create("plain", "SELECT id, amount FROM items");
  run("CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN IF "
      "current_setting('application_name') "
      "LIKE 'pgtrickle%' THEN RAISE EXCEPTION 'no DDL in office hours'; END IF; END $$;"
      "CREATE EVENT TRIGGER refuse ON ddl_command_start EXECUTE FUNCTION refuse()");
  run("ALTER TABLE items ALTER COLUMN amount TYPE bigint");
  run("UPDATE items SET amount = amount + 1");
  EXPECT_EQ(db_.build("plain").status, pgtrickle::catalog::BuildStatus::kError);
  EXPECT_NE(state_of("plain").find("no DDL in office hours"), std::string::npos) << state_of("plain");
  run("DROP EVENT TRIGGER refuse; SELECT pgtrickle.resume_stream_table('plain')");
  EXPECT_EQ(db_.build("plain").status, pgtrickle::catalog::BuildStatus::kActive) << state_of("plain");
  change();
  expect_refreshed("once it is gone");
}

// Partition managers --------------------------------------------------------------------------------------------------

TEST_F(Neighbours, PartitionsThatComeAndGo) {
  run("CREATE TABLE events (day int NOT NULL, v int) PARTITION BY RANGE (day);"
      "CREATE TABLE events_0 PARTITION OF events FOR VALUES FROM (0) TO (10);"
      "CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (10) TO (20);"
      "INSERT INTO events SELECT i, i FROM generate_series(0, 19) AS i");
  create("days", "SELECT day, sum(v) AS v FROM events GROUP BY day");
  start_daemon();
  const auto steps = {
      "CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (20) TO (30); INSERT INTO events VALUES (25, 1)",
      "CREATE TABLE events_3 (day int NOT NULL, v int); INSERT INTO events_3 VALUES (35, 2), (36, 3); "
      "ALTER TABLE events ATTACH PARTITION events_3 FOR VALUES FROM (30) TO (40)",
      "ALTER TABLE events DETACH PARTITION events_0; UPDATE events_0 SET v = v + 100",
      "DROP TABLE events_1",
      "ALTER TABLE events ATTACH PARTITION events_0 FOR VALUES FROM (0) TO (10); DELETE FROM events_0 WHERE day < 5",
      "TRUNCATE events_2",
      "ALTER TABLE events DETACH PARTITION events_3 CONCURRENTLY",
      "DROP TABLE events_3",
      "CREATE TABLE events_rest PARTITION OF events DEFAULT; INSERT INTO events VALUES (1000, 7); UPDATE events SET "
      "day = 29 WHERE day = 1000"};
  for (const char* step : steps) {
    run(step);
    EXPECT_TRUE(becomes_equal("days")) << step;
  }
}

// Row security on the stream table ------------------------------------------------------------------------------------

TEST(NeighboursOfOwners, RowSecurityOnAStreamTableHidesRowsFromReadersOnly) {
  pgt::test::Roles roles;
  const std::string owner = roles.create("pgt_owner");
  const std::string reader = roles.create("pgt_reader");
  TestDatabase db;
  Session root(db.dsn());
  root.exec("GRANT CREATE, USAGE ON SCHEMA public TO PUBLIC");
  Session session(db.dsn() + " user=" + owner);
  session.exec(
      "CREATE TABLE items (id int PRIMARY KEY, kind int); INSERT INTO items SELECT i, i % 3 FROM generate_series(1, "
      "30) i");
  session.exec("SELECT pgtrickle.create_stream_table('totals', 'SELECT kind, count(*) AS n FROM items GROUP BY kind')");
  db.build_pending();
  for (const char* ddl :
       {"ALTER TABLE totals ENABLE ROW LEVEL SECURITY", "ALTER TABLE totals FORCE ROW LEVEL SECURITY"}) {
    session.exec(ddl);
    if (std::string(ddl).find("ENABLE") != std::string::npos)
      session.exec("CREATE POLICY visible ON totals USING (kind = 1); GRANT SELECT ON totals TO " + reader);
    session.exec(
        "INSERT INTO items SELECT coalesce(max(id), 0) + 1, 2 FROM items; UPDATE items SET kind = kind + 1 WHERE id < "
        "7");
    std::string error;
    try {
      session.exec("SELECT pgtrickle.refresh_stream_table('totals')");
    } catch (const std::exception& e) {
      error = e.what();
    }
    // With FORCE the policies hold for the program too: it must not write what it cannot see.
    if (error.empty()) {
      EXPECT_TRUE(equals_query(root, "totals")) << ddl;
    } else {
      EXPECT_NE(error.find("row-level security"), std::string::npos) << ddl << ": " << error;
    }
    EXPECT_EQ(Session(db.dsn() + " user=" + reader).value("SELECT count(*) FROM totals WHERE kind <> 1"), "0") << ddl;
  }
  session.exec("ALTER TABLE totals NO FORCE ROW LEVEL SECURITY");
  session.exec("UPDATE items SET kind = 5 WHERE id = 9");
  session.exec("SELECT pgtrickle.refresh_stream_table('totals')");
  EXPECT_TRUE(equals_query(root, "totals"));
}

// Parts of a dump -----------------------------------------------------------------------------------------------------

/// A database to restore into, and what pg_dump and psql say.
class Dumped : public Neighbours {
 protected:
  ~Dumped() override { std::remove(file_.c_str()); }

  void dump(std::vector<std::string> options) {
    std::vector<std::string> command{pgt::test::required_env("PGT_TEST_BIN") + "/pg_dump", "-d", db_.dsn(), "-f",
                                     file_};
    command.insert(command.end(), options.begin(), options.end());
    const auto result = pgt::test::run_process(command);
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }

  /// What went wrong, a line each.
  std::string restore(const TestDatabase& target) {
    return pgt::test::run_process(
               {pgt::test::required_env("PGT_TEST_BIN") + "/psql", "-qX", "-d", target.dsn(), "-f", file_})
        .err;
  }

  std::string file_ = "/tmp/pgt_dump_" + db_.name() + ".sql";
};

/// On users' tables.
constexpr const char* kOurTriggers =
    "SELECT count(*) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_class c ON c.oid = t.tgrelid WHERE "
    "NOT "
    "t.tgisinternal AND p.pronamespace IN ('pgtrickle'::regnamespace, 'pgtrickle_changes'::regnamespace) AND "
    "c.relnamespace = 'public'::regnamespace";

TEST_F(Dumped, SchemaOnlyOfEverythingIsPutInOrderByTheDaemon) {
  create_all();
  dump({"--schema-only"});
  TestDatabase copy(TestDatabase::Install::kNothing);
  const std::string errors = restore(copy);
  EXPECT_EQ(errors, "");
  Session there(copy.dsn());
  there.exec("INSERT INTO items VALUES (1, 1, 1)");
  EXPECT_NE(there.value(kOurTriggers), "0") << "the dump brings them: otherwise this test proves nothing";
  EXPECT_EQ(there.value("SELECT severity FROM pgtrickle.health_check() WHERE check_name = 'installation'"), "ERROR");
  DaemonProcess daemon(copy.dsn());
  EXPECT_TRUE(wait_until([&] { return there.value(kOurTriggers) == "0"; }, 30s)) << daemon.log();
  EXPECT_EQ(there.value("SELECT severity FROM pgtrickle.health_check() WHERE check_name = 'leftovers'"), "OK");
  there.exec("INSERT INTO totals VALUES (1, 1, 1); UPDATE plain SET amount = 1; DROP TABLE bag");
  there.exec("SELECT pgtrickle.create_stream_table('bag', 'SELECT kind FROM items', schedule => '100 ms')");
  there.exec("INSERT INTO items VALUES (2, 2, 2)");
  EXPECT_TRUE(wait_until([&] { return there.value("SELECT count(*) FROM bag") == "2"; }, 30s))
      << there.table("SELECT * FROM pgtrickle.stream_tables") << daemon.log();
  EXPECT_TRUE(equals_query(there, "bag"));
}

TEST_F(Dumped, SchemaOnlyBesideAnExtensionIsNoticedAndPutInOrder) {
  create_all();
  // As where pgtrickle is an extension: its own schema is not in the dump, what it has made since is.
  dump({"--schema-only", "-n", "public", "-n", "pgtrickle_changes", "-n", "pgtrickle_state"});
  TestDatabase copy;
  Session there(copy.dsn());
  there.exec("SELECT pgtrickle._adopt_cluster()");  // it is a copy itself
  restore(copy);
  there.exec("INSERT INTO items VALUES (1, 1, 1)");
  ASSERT_NE(there.value(kOurTriggers), "0");
  const std::string found =
      there.table("SELECT severity, detail FROM pgtrickle.health_check() WHERE check_name = 'leftovers'");
  EXPECT_TRUE(found.starts_with("WARN|")) << found;
  EXPECT_NE(found.find("public.items"), std::string::npos) << found;
  EXPECT_NE(found.find("public.totals, which is no stream table"), std::string::npos) << found;
  // The next one does not stumble over logs that are there already.
  there.exec("SELECT pgtrickle.create_stream_table('early', 'SELECT kind, count(*) FROM items GROUP BY kind')");
  copy.build_pending();
  there.exec("INSERT INTO items VALUES (2, 1, 1)");
  copy.refresh("early");
  EXPECT_TRUE(equals_query(there, "early"));
  DaemonProcess daemon(copy.dsn());
  EXPECT_TRUE(wait_until(
      [&] {
        return there.value("SELECT severity FROM pgtrickle.health_check() WHERE check_name = 'leftovers'") == "OK";
      },
      30s))
      << daemon.log();
  EXPECT_TRUE(wait_until([&] { return daemon.log().find("left over from a restore") != std::string::npos; }))
      << "what was removed is reported after that is committed";
  there.exec("INSERT INTO totals VALUES (1, 1, 1); INSERT INTO items VALUES (3, 1, 1)");
  EXPECT_TRUE(wait_until([&] { return bool(equals_query(there, "early")); }, 30s));
}

TEST_F(Dumped, DataOnlyAndSingleTables) {
  create("totals", "SELECT kind, count(*) AS n, min(amount) AS least FROM items GROUP BY kind");
  TestDatabase copy;
  Session there(copy.dsn());
  there.exec("CREATE TABLE items (id int PRIMARY KEY, kind int, amount int)");
  copy.create_stream_table("totals", "SELECT kind, count(*) AS n, min(amount) AS least FROM items GROUP BY kind");
  dump({"--data-only", "-n", "public"});
  EXPECT_NE(restore(copy).find("cannot insert stream table"), std::string::npos) << "the guard refuses";
  copy.refresh("totals");
  EXPECT_TRUE(equals_query(there, "totals"));
  EXPECT_EQ(there.value("SELECT count(*) FROM items"), "50");
  there.exec("TRUNCATE items");
  dump({"--data-only", "--disable-triggers", "-t", "items"});
  EXPECT_EQ(restore(copy), "");
  if (there.value("SELECT needs_reinit FROM pgtrickle.pgt_stream_tables") == "t") copy.build("totals");
  copy.refresh("totals");
  EXPECT_TRUE(equals_query(there, "totals"));
  dump({"-t", "items"});
  TestDatabase other;
  restore(other);
  Session elsewhere(other.dsn());
  EXPECT_EQ(elsewhere.value("SELECT count(*) FROM items"), "50");
  other.create_stream_table("totals", "SELECT kind, count(*) AS n FROM items GROUP BY kind");
  elsewhere.exec("DELETE FROM items WHERE kind = 1");
  other.refresh("totals");
  EXPECT_TRUE(equals_query(elsewhere, "totals"));
}

}  // namespace
