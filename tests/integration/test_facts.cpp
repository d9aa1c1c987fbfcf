// What a program took from the catalog when it was compiled can change without any DML: functions, types, casts, keys,
// row security. Whatever changes, the stream table is rebuilt and recomputed: noticed at once by event triggers, and
// without them by the next refresh.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <pqxx/pqxx>
#include <string>
#include <tuple>

#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"
#include "support/roles.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::DaemonProcess;
using pgt::test::equals_query;
using pgt::test::Roles;
using pgt::test::Session;
using pgt::test::TestDatabase;
using pgt::test::wait_until;
using pgtrickle::catalog::BuildStatus;
using ::testing::HasSubstr;

constexpr const char* kDropEventTriggers = "DROP EVENT TRIGGER pgtrickle_ddl, pgtrickle_drop, pgtrickle_rewrite";

/// A change of the world under a stream table over t(id, v, k), in which v and id are 1 to 3 and k is 'a', 'b', 'c'.
struct Change {
  const char* name;
  const char* setup;
  const char* query;
  const char* ddl;
  const char* reason;    // why it is to be rebuilt
  const char* expected;  // content after that; "": the build is not of interest here
};

void PrintTo(const Change& change, std::ostream* out) {
  *out << change.name;
}

const Change kChanges[] = {
    {"FunctionBody", "CREATE FUNCTION f(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i + 1'",
     "SELECT id, f(v) AS x FROM t",
     "CREATE OR REPLACE FUNCTION f(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i * 100'",
     "function public.f(integer) was replaced", "1|100\n2|200\n3|300"},
    {"FunctionCalledInABody",
     "CREATE FUNCTION g(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i + 1';"
     "CREATE FUNCTION f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN public.G(i) * 2; END'",
     "SELECT id, f(v) AS x FROM t",
     "CREATE OR REPLACE FUNCTION g(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i * 100'",
     "function public.g(integer) was replaced", "1|200\n2|400\n3|600"},
    {"FunctionInAStandardBody",
     "CREATE FUNCTION g(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i + 1; END';"
     "CREATE FUNCTION f(i int) RETURNS int LANGUAGE sql IMMUTABLE RETURN g(i) * 2",
     "SELECT id, f(v) AS x FROM t",
     "CREATE OR REPLACE FUNCTION g(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i * 100; END'",
     "function public.g(integer) was replaced", "1|200\n2|400\n3|600"},
    {"Volatility", "CREATE FUNCTION f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i + 1; END'",
     "SELECT id, f(v) AS x FROM t", "ALTER FUNCTION f(int) STABLE", "function public.f(integer) was altered",
     "1|2\n2|3\n3|4"},
    {"SettingsOfAFunction",
     "CREATE FUNCTION f(i int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN (i / 3.0)::float8::text; END'",
     "SELECT id, f(v) AS x FROM t", "ALTER FUNCTION f(int) SET extra_float_digits = -14",
     "function public.f(integer) was altered", "1|0.3\n2|0.7\n3|1"},
    {"FunctionTakesAnothersPlace",
     "CREATE FUNCTION f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i + 1; END'",
     "SELECT id, f(v) AS x FROM t",
     "ALTER FUNCTION f(int) RENAME TO was_f; CREATE FUNCTION f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN "
     "RETURN 7; END'",
     "function public.f(integer) was renamed to public.was_f", ""},
    {"SchemaOfAFunction",
     "CREATE SCHEMA s; CREATE FUNCTION s.f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i + 1; END'",
     "SELECT id, s.f(v) AS x FROM t", "ALTER SCHEMA s RENAME TO r", "function s.f(integer) was renamed to r.f", ""},
    {"DroppedFunction", "CREATE FUNCTION f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i + 1; END'",
     "SELECT id, f(v) AS x FROM t", "DROP FUNCTION f(int)", "function public.f(integer) was dropped", ""},
    {"Overload", "CREATE FUNCTION f(i bigint) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i + 1; END'",
     "SELECT id, f(v) AS x FROM t",
     "CREATE FUNCTION f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 7; END'",
     "there are other functions with the name of public.f(bigint) now", ""},
    {"Aggregate", "CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')",
     "SELECT total(v) AS x FROM t",
     "CREATE OR REPLACE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '100')",
     "aggregate public.total(integer) was replaced", "106"},
    {"FunctionOfAnAggregate",
     "CREATE FUNCTION add(a int, b int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN a + b; END';"
     "CREATE AGGREGATE total(int) (SFUNC = add, STYPE = int, INITCOND = '0')",
     "SELECT total(v) AS x FROM t",
     "CREATE OR REPLACE FUNCTION add(a int, b int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN a + 2 * b; "
     "END'",
     "function public.add(integer,integer) was replaced", "12"},
    {"FunctionOfAnOperator",
     "CREATE FUNCTION plus(a int, b int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN a + b; END';"
     "CREATE OPERATOR <+> (LEFTARG = int, RIGHTARG = int, FUNCTION = plus)",
     "SELECT id, v <+> 1 AS x FROM t",
     "CREATE OR REPLACE FUNCTION plus(a int, b int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN a * 100; "
     "END'",
     "function public.plus(integer,integer) was replaced", "1|100\n2|200\n3|300"},
    {"EnumLabel", "CREATE TYPE phase AS ENUM ('a', 'b', 'c'); ALTER TABLE t ALTER k TYPE phase USING k::phase",
     "SELECT id, k::text AS x FROM t", "ALTER TYPE phase RENAME VALUE 'a' TO 'first'",
     "the labels of type public.phase were changed", "1|first\n2|b\n3|c"},
    {"DomainConstraint", "CREATE DOMAIN small AS int", "SELECT id, v::small AS x FROM t",
     "ALTER DOMAIN small ADD CONSTRAINT under_ten CHECK (VALUE < 10)", "the domain public.small was altered",
     "1|1\n2|2\n3|3"},
    {"DomainConstraintDropped", "CREATE DOMAIN small AS int CONSTRAINT under_ten CHECK (VALUE < 10)",
     "SELECT id, v::small AS x FROM t", "ALTER DOMAIN small DROP CONSTRAINT under_ten",
     "the domain public.small was altered", "1|1\n2|2\n3|3"},
    {"AttributeOfAType", "CREATE TYPE pair AS (a int, b int)", "SELECT id, to_json(ROW(v, id)::pair)::text AS x FROM t",
     "ALTER TYPE pair RENAME ATTRIBUTE b TO c", "the columns of type public.pair were changed",
     "1|{\"a\":1,\"c\":1}\n2|{\"a\":2,\"c\":2}\n3|{\"a\":3,\"c\":3}"},
    {"Cast",
     "CREATE TYPE phase AS ENUM ('a', 'b', 'c'); ALTER TABLE t ALTER k TYPE phase USING k::phase;"
     "CREATE FUNCTION said(p phase) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 7; END';"
     "CREATE FUNCTION said2(p phase) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 8; END';"
     "CREATE CAST (phase AS int) WITH FUNCTION said(phase)",
     "SELECT id, k::int AS x FROM t", "DROP CAST (phase AS int); CREATE CAST (phase AS int) WITH FUNCTION said2(phase)",
     "a cast was created or dropped", ""},
    {"CollationOfAColumn", "", "SELECT id, k AS x FROM t", "ALTER TABLE t ALTER k TYPE text COLLATE \"C\"", "collation",
     "1|a\n2|b\n3|c"},
    {"Collation", "CREATE COLLATION german (provider = icu, locale = 'de')",
     "SELECT id, k COLLATE german AS x FROM t WHERE k < 'd' COLLATE german", "ALTER COLLATION german RENAME TO deutsch",
     "collation public.german was renamed to public.deutsch", ""},
    {"TextSearchMapping", "CREATE TEXT SEARCH CONFIGURATION words (COPY = simple)",
     "SELECT id, to_tsvector('words', k || ' runs')::text AS x FROM t",
     "ALTER TEXT SEARCH CONFIGURATION words ALTER MAPPING FOR asciiword WITH english_stem",
     "text search configuration public.words was altered", "1|'run':2\n2|'b':1 'run':2\n3|'c':1 'run':2"},
    {"TextSearchDictionary",
     "CREATE TEXT SEARCH DICTIONARY mine (TEMPLATE = pg_catalog.simple);"
     "CREATE TEXT SEARCH CONFIGURATION words (COPY = simple);"
     "ALTER TEXT SEARCH CONFIGURATION words ALTER MAPPING FOR asciiword WITH mine",
     "SELECT id, to_tsvector('words', k || ' the')::text AS x FROM t",
     "ALTER TEXT SEARCH DICTIONARY mine (STOPWORDS = english)", "text search dictionary public.mine was altered",
     "1|\n2|'b':1\n3|'c':1"},
    {"View", "CREATE VIEW w AS SELECT id, v FROM t", "SELECT id, v AS x FROM w",
     "CREATE OR REPLACE VIEW w AS SELECT id, v * 100 AS v FROM t", "view public.w was replaced", "1|100\n2|200\n3|300"},
    {"PrimaryKey", "", "SELECT id, v AS x FROM t", "ALTER TABLE t DROP CONSTRAINT t_pkey; INSERT INTO t VALUES (3, 9)",
     "unique key of table public.t was dropped", "1|1\n2|2\n3|3\n3|9"},
    {"UniqueIndex", "CREATE UNIQUE INDEX t_v ON t (v); ALTER TABLE t DROP CONSTRAINT t_pkey",
     "SELECT v, id AS x FROM t", "DROP INDEX t_v; INSERT INTO t VALUES (4, 1)",
     "unique key of table public.t was dropped", "1|1\n1|4\n2|2\n3|3"},
    {"KeyBecomesDeferrable", "", "SELECT id, v AS x FROM t",
     "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id) DEFERRABLE",
     "unique key of table public.t was dropped", "1|1\n2|2\n3|3"},
    {"NotNull", "", "SELECT v, count(*) AS x FROM t GROUP BY v",
     "ALTER TABLE t ALTER v DROP NOT NULL; INSERT INTO t VALUES (4, NULL)",
     "column v of table public.t may be NULL now", "1|1\n2|1\n3|1\nnull|1"},
    {"Child", "CREATE TABLE child (id int NOT NULL, v int NOT NULL, k text); INSERT INTO child VALUES (9, 9)",
     "SELECT id, v AS x FROM t", "ALTER TABLE child INHERIT t", "child", "1|1\n2|2\n3|3\n9|9"},
    {"DroppedAndCreatedAgain", "", "SELECT id, v AS x FROM t",
     "DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL, k text); INSERT INTO t VALUES (5, 5)",
     "table public.t was dropped", "5|5"},
};

class Facts : public ::testing::Test {
 protected:
  void create_table() {
    session_.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL, k text);"
        "INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c')");
  }

  /// Built, and refreshed until all transactions that knew nothing of its facts are known to have ended.
  void create(const std::string& query) {
    db_.create_stream_table("st", query);
    expect_settled();
  }

  void look() { session_.exec("SELECT pgtrickle._watch_facts(ARRAY[" + std::to_string(db_.id_of("st")) + "])"); }

  void expect_settled() {
    look();
    look();
    EXPECT_EQ(session_.value("SELECT needs_reinit FROM pgtrickle.pgt_stream_tables"), "f");
    EXPECT_EQ(session_.value("SELECT facts_from FROM pgtrickle.pgt_frontiers"), "");
  }

  std::string reinit_reason() {
    return session_.value(
        "SELECT CASE WHEN needs_reinit THEN reinit_reason ELSE '' END FROM pgtrickle.pgt_stream_tables");
  }

  /// What a refresh by hand says if it refuses, with its detail.
  std::string refused() {
    return session_.value(
        "DO $$ DECLARE detail text; BEGIN PERFORM pgtrickle.refresh_stream_table('st'); PERFORM "
        "set_config('test.said', '', "
        "false); EXCEPTION WHEN object_not_in_prerequisite_state THEN GET STACKED DIAGNOSTICS detail = "
        "PG_EXCEPTION_DETAIL; PERFORM set_config('test.said', SQLERRM || ' ' || detail, false); END $$;"
        "SELECT current_setting('test.said')");
  }

  /// As the daemon does: a new capture of a source asks for one more.
  void rebuild() {
    for (int i = 0; i < 3 && (i == 0 || !reinit_reason().empty()); ++i)
      EXPECT_EQ(db_.build("st").status, BuildStatus::kActive);
    EXPECT_EQ(reinit_reason(), "");
  }

  void expect_content(const std::string& expected) {
    EXPECT_EQ(session_.table("SELECT * FROM st ORDER BY 1, 2"), expected);
    EXPECT_TRUE(equals_query(session_, "st"));
  }

  TestDatabase db_;
  Session session_{db_.dsn()};
};

class ChangedFacts : public Facts, public ::testing::WithParamInterface<std::tuple<bool, Change>> {};

INSTANTIATE_TEST_SUITE_P(All, ChangedFacts, ::testing::Combine(::testing::Bool(), ::testing::ValuesIn(kChanges)),
                         [](const auto& test) {
                           return std::string(std::get<1>(test.param).name) +
                                  (std::get<0>(test.param) ? "" : "WithoutEventTriggers");
                         });

TEST_P(ChangedFacts, AreNoticedAndTheTableBuiltAnew) {
  const auto& [watched, change] = GetParam();
  create_table();
  session_.exec(change.setup);
  if (!watched) session_.exec(kDropEventTriggers);
  create(change.query);
  session_.exec(change.ddl);
  if (watched) {
    EXPECT_THAT(reinit_reason(), HasSubstr(change.reason));
  } else {
    EXPECT_EQ(reinit_reason(), "");
    EXPECT_THAT(refused(), HasSubstr(change.reason));
    look();
    EXPECT_THAT(reinit_reason(), HasSubstr(change.reason));
  }
  EXPECT_THAT(session_.value("SELECT pgtrickle.repair_stream_table('st')"), HasSubstr(change.reason));
  if (*change.expected == '\0') return;
  rebuild();
  EXPECT_EQ(session_.table("SELECT * FROM st ORDER BY 1"), change.expected);
  EXPECT_TRUE(equals_query(session_, "st"));
}

/// Changes that concern nothing of the query do not ask for a build.
TEST_F(Facts, WhatIsNotUsedMayChange) {
  create_table();
  session_.exec(
      "ALTER TABLE t ADD COLUMN unused int; CREATE TYPE phase AS ENUM ('a'); ALTER TABLE t ADD COLUMN p phase;"
      "CREATE FUNCTION f(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i + 1'");
  create("SELECT id, f(v) AS x FROM t");
  session_.exec(
      "ALTER TABLE t DROP COLUMN unused; ALTER TABLE t ADD COLUMN more text;"
      "ALTER TYPE phase ADD VALUE 'b'; ALTER TYPE phase RENAME TO phases; ALTER TABLE t ADD CHECK (v > 0);"
      "CREATE INDEX t_k ON t (k); CREATE UNIQUE INDEX t_k2 ON t (k); DROP INDEX t_k2; DROP INDEX t_k;"
      "CREATE FUNCTION g(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i'; DROP FUNCTION g(int);"
      "CREATE OR REPLACE FUNCTION f(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i + 1';"
      "CREATE POLICY p ON t USING (false); CREATE TABLE u (); DROP TABLE u; ALTER TABLE t ALTER v SET STATISTICS 10;"
      "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
      "CREATE TRIGGER mine AFTER INSERT ON t EXECUTE FUNCTION nothing(); DROP TRIGGER mine ON t");
  EXPECT_EQ(reinit_reason(), "");
  EXPECT_EQ(session_.value("SELECT count(*) FROM pgtrickle._changed_facts(ARRAY(SELECT pgt_id FROM "
                           "pgtrickle.pgt_stream_tables)) WHERE kind <> 'storage'"),
            "0");
  session_.exec("INSERT INTO t VALUES (4, 4)");
  db_.refresh("st");
  expect_content("1|2\n2|3\n3|4\n4|5");
}

TEST_F(Facts, ARewrittenTableIsRecomputedWithoutEventTriggers) {
  create_table();
  session_.exec(kDropEventTriggers);
  create("SELECT id, v AS x FROM t");
  session_.exec("ALTER TABLE t ALTER v TYPE int USING v * 10");
  db_.refresh("st");
  expect_content("1|10\n2|20\n3|30");
  session_.exec("ALTER TABLE t ALTER v TYPE int USING v * 10; UPDATE t SET v = 7 WHERE id = 1");
  db_.refresh("st");
  expect_content("1|7\n2|200\n3|300");
  // idle: the daemon's look puts a marker into the log
  session_.exec("ALTER TABLE t ALTER v TYPE int USING v + 1");
  look();
  EXPECT_EQ(session_.table("SELECT * FROM pgtrickle_state.refresh_" + std::to_string(db_.id_of("st")) + "('look')"),
            "FULL|1|0|0|0");
  db_.refresh("st");
  expect_content("1|8\n2|201\n3|301");
  EXPECT_EQ(session_.value("SELECT count(*) FROM pgtrickle._changed_facts(ARRAY(SELECT pgt_id FROM "
                           "pgtrickle.pgt_stream_tables))"),
            "0");
}

TEST_F(Facts, WritesWhileATriggerWasDisabledAreNoticedWithoutEventTriggers) {
  create_table();
  session_.exec(kDropEventTriggers);
  create("SELECT id, v AS x FROM t");
  session_.exec("ALTER TABLE t DISABLE TRIGGER ALL; UPDATE t SET v = 10 WHERE id = 1");
  const std::string source = session_.value("SELECT source_id FROM pgtrickle.pgt_sources");
  for (const char* suffix : {"i", "u", "d", "t"})
    session_.exec("ALTER TABLE t ENABLE ALWAYS TRIGGER pgtrickle_" + source + "_" + suffix);
  EXPECT_EQ(session_.value("SELECT coalesce(pgtrickle._source_problem(" + source + "), 'none')"), "none");
  session_.exec("UPDATE t SET v = 20 WHERE id = 2");
  EXPECT_THAT(refused(), HasSubstr("capture triggers of table public.t were dropped, disabled or altered"));
  rebuild();
  expect_content("1|10\n2|20\n3|3");
}

/// While the event triggers were off nobody watched.
TEST_F(Facts, WhatHappenedWhileEventTriggersWereDisabledIsNoticed) {
  create_table();
  session_.exec("CREATE FUNCTION f(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i + 1'");
  create("SELECT id, f(v) AS x FROM t");
  session_.exec(
      "ALTER EVENT TRIGGER pgtrickle_ddl DISABLE;"
      "CREATE OR REPLACE FUNCTION f(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i * 100';"
      "ALTER EVENT TRIGGER pgtrickle_ddl ENABLE ALWAYS; INSERT INTO t VALUES (4, 4)");
  EXPECT_THAT(refused(), HasSubstr("function public.f(integer) was replaced"));
  rebuild();
  expect_content("1|100\n2|200\n3|300\n4|400");
  // nothing to do for a refresh: the daemon's look
  expect_settled();
  session_.exec("ALTER EVENT TRIGGER pgtrickle_drop DISABLE; ALTER EVENT TRIGGER pgtrickle_drop ENABLE ALWAYS");
  look();
  EXPECT_EQ(reinit_reason(), "pgtrickle's event triggers were created, or disabled for a while");
}

/// A transaction that looked for facts before they were recorded, and commits later. (A function that the query itself
/// names would be locked by it, and the build wait.)
TEST_F(Facts, ChangesByTransactionsThatAreOlderThanTheFacts) {
  create_table();
  session_.exec(
      "CREATE FUNCTION g(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i + 1; END';"
      "CREATE FUNCTION f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN public.g(i); END';"
      "SELECT pgtrickle.create_stream_table('st', 'SELECT id, f(v) AS x FROM t')");
  Session other(db_.dsn());
  other.exec(
      "BEGIN; CREATE OR REPLACE FUNCTION g(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i * 100; "
      "END'");
  rebuild();
  session_.exec("INSERT INTO t VALUES (4, 4)");
  db_.refresh("st");  // older transactions are still there: nothing is settled
  expect_content("1|2\n2|3\n3|4\n4|5");
  EXPECT_NE(session_.value("SELECT facts_from FROM pgtrickle.pgt_frontiers"), "");
  other.exec("COMMIT");
  EXPECT_EQ(reinit_reason(), "");
  session_.exec("INSERT INTO t VALUES (5, 5)");
  EXPECT_THAT(refused(), HasSubstr("function public.g(integer) was replaced"));
  rebuild();
  expect_content("1|100\n2|200\n3|300\n4|400\n5|500");
  db_.refresh("st");
  session_.exec("INSERT INTO t VALUES (6, 6)");
  db_.refresh("st");
  EXPECT_EQ(session_.value("SELECT facts_from FROM pgtrickle.pgt_frontiers"), "");
}

/// A mark that cannot be made leaves a marker in the logs.
TEST_F(Facts, DdlInARepeatableReadTransaction) {
  create_table();
  session_.exec("CREATE FUNCTION f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i + 1; END'");
  create("SELECT id, f(v) AS x FROM t");
  Session other(db_.dsn());
  other.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
  session_.exec("UPDATE pgtrickle.pgt_stream_tables SET options = options");
  other.exec(
      "CREATE OR REPLACE FUNCTION f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i * 100; END'; "
      "COMMIT");
  EXPECT_THAT(refused(), HasSubstr("function public.f(integer) was replaced"));
  rebuild();
  expect_content("1|100\n2|200\n3|300");
}

/// What a stream table that is rebuilt does with its own key does not concern its readers, unless the key changes.
TEST_F(Facts, ReadersOfAStreamTableThatIsRebuilt) {
  create_table();
  create("SELECT id, v AS x FROM t");
  db_.create_stream_table("reader", "SELECT id, x + 1 AS y FROM st");
  const std::string reader =
      "SELECT needs_reinit FROM pgtrickle.pgt_stream_tables WHERE pgt_relid = 'reader'::regclass";
  EXPECT_EQ(db_.build("st").status, BuildStatus::kActive);
  EXPECT_EQ(session_.value(reader), "f");
  session_.exec("ALTER TABLE t DROP CONSTRAINT t_pkey");
  EXPECT_EQ(session_.value(reader), "f");
  EXPECT_EQ(db_.build("st").status, BuildStatus::kActive);
  EXPECT_EQ(session_.value(reader), "t");
  session_.exec("INSERT INTO t VALUES (3, 7)");
  db_.refresh("st");
  db_.build("reader");
  EXPECT_TRUE(equals_query(session_, "reader"));
  EXPECT_EQ(session_.table("SELECT * FROM reader ORDER BY 1, 2"), "1|2\n2|3\n3|4\n3|8");
}

/// Rows that policies hide, of a table that belongs to somebody else. Watched: with event triggers.
class RowSecurity : public ::testing::TestWithParam<bool> {
 protected:
  RowSecurity() {
    alice_ = roles_.create("alice");
    boss_ = roles_.create("boss");
    root_.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3);"
        "GRANT CREATE ON SCHEMA public TO " +
        alice_ + "; GRANT SELECT ON t TO " + alice_);
    if (!GetParam()) root_.exec(kDropEventTriggers);
  }

  void create(const std::string& query = "SELECT id, v FROM t") {
    Session(db_.dsn() + " user=" + alice_)
        .exec("SELECT pgtrickle.create_stream_table('st', $$" + query + "$$, '100 ms', 'AUTO', false)");
    ASSERT_EQ(db_.build("st").status, BuildStatus::kActive);
    root_.exec("INSERT INTO t VALUES (4, 4)");
    db_.refresh("st");
    root_.exec("INSERT INTO t VALUES (5, 5)");
    db_.refresh("st");
  }

  void expect(const std::string& content) { EXPECT_EQ(root_.table("SELECT id FROM st ORDER BY 1"), content); }

  /// As the daemon does it. In READ COMMITTED it would have to lock what alice may only read.
  std::string action_of(const std::string& id) {
    root_.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
    const std::string action = root_.value("SELECT action FROM pgtrickle_state.refresh_" + id + "('auto')");
    root_.exec("COMMIT");
    return action;
  }

  /// Neither a refresh with something to do nor one with nothing goes on as if nothing had happened.
  void expect_noticed(const std::string& reason) {
    const std::string id = std::to_string(db_.id_of("st"));
    EXPECT_EQ(action_of(id), "REINIT");
    EXPECT_THAT(root_.value("SELECT string_agg(reason, ', ') FROM pgtrickle._changed_facts(ARRAY[" + id + "])"),
                HasSubstr(reason));
    root_.exec("INSERT INTO t VALUES (100 + (SELECT max(id) FROM t), 0); DELETE FROM t WHERE id > 100");
    EXPECT_EQ(action_of(id), "REINIT");
    EXPECT_EQ(db_.build("st").status, BuildStatus::kActive);
  }

  Roles roles_;
  TestDatabase db_;
  Session root_{db_.dsn()};
  std::string alice_;
  std::string boss_;
};

INSTANTIATE_TEST_SUITE_P(EventTriggers, RowSecurity, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "Watched" : "Alone"; });

TEST_P(RowSecurity, SwitchedOn) {
  create();
  expect("1\n2\n3\n4\n5");
  root_.exec("CREATE POLICY p ON t USING (id < 3); ALTER TABLE t ENABLE ROW LEVEL SECURITY");
  expect_noticed("row security of table public.t applies to role " + alice_ + " now");
  expect("1\n2");
  root_.exec("INSERT INTO t VALUES (0, 0), (9, 9)");
  db_.refresh("st");
  expect("0\n1\n2");
  EXPECT_EQ(db_.effective_mode("st"), "FULL");
  root_.exec("ALTER TABLE t DISABLE ROW LEVEL SECURITY");
  db_.build("st");
  expect("0\n1\n2\n3\n4\n5\n9");
  EXPECT_EQ(db_.effective_mode("st"), "DIFFERENTIAL");
}

TEST_P(RowSecurity, PoliciesChange) {
  root_.exec("CREATE POLICY p ON t USING (id < 3); ALTER TABLE t ENABLE ROW LEVEL SECURITY");
  create();
  expect("1\n2");
  // The query is recomputed with the policies that there are; event triggers ask for a build as well.
  const auto refresh = [&] { GetParam() ? void(db_.build("st")) : db_.refresh("st"); };
  root_.exec("ALTER POLICY p ON t USING (id > 3)");
  refresh();
  expect("4\n5");
  root_.exec("CREATE POLICY q ON t USING (id = 1)");
  refresh();
  expect("1\n4\n5");
  if (!GetParam()) {
    EXPECT_EQ(root_.table("SELECT reason FROM pgtrickle._changed_facts(ARRAY(SELECT pgt_id FROM "
                          "pgtrickle.pgt_stream_tables))"),
              "policy p of table public.t was changed");
  }
  root_.exec("DROP POLICY p ON t");
  refresh();
  expect("1");
}

/// No DDL on the table at all, and no event trigger for roles.
TEST_P(RowSecurity, TheOwnerMayNoLongerBypassIt) {
  root_.exec("CREATE POLICY p ON t USING (id < 3); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER ROLE " + alice_ +
             " BYPASSRLS");
  create();
  expect("1\n2\n3\n4\n5");
  EXPECT_EQ(db_.effective_mode("st"), "DIFFERENTIAL");
  root_.exec("ALTER ROLE " + alice_ + " NOBYPASSRLS");
  expect_noticed("row security of table public.t applies to role " + alice_ + " now");
  expect("1\n2");
}

TEST_P(RowSecurity, TheOwnerIsNoLongerAMemberOfTheTablesOwner) {
  root_.exec("CREATE POLICY p ON t USING (id < 3); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t OWNER TO " +
             boss_ + "; GRANT " + boss_ + " TO " + alice_);
  create();
  expect("1\n2\n3\n4\n5");
  root_.exec("REVOKE " + boss_ + " FROM " + alice_);
  expect_noticed("row security of table public.t applies to role " + alice_ + " now");
  expect("1\n2");
}

TEST_P(RowSecurity, ForcedOnTheOwnerOfTheTable) {
  root_.exec("CREATE POLICY p ON t USING (id < 3); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t OWNER TO " +
             alice_);
  create();
  expect("1\n2\n3\n4\n5");
  root_.exec("ALTER TABLE t FORCE ROW LEVEL SECURITY");
  expect_noticed("row security of table public.t applies to role " + alice_ + " now");
  expect("1\n2");
}

TEST_P(RowSecurity, TheTableGetsAnotherOwner) {
  root_.exec("CREATE POLICY p ON t USING (id < 3); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t OWNER TO " +
             alice_);
  create();
  expect("1\n2\n3\n4\n5");
  root_.exec("ALTER TABLE t OWNER TO " + boss_ + "; GRANT SELECT ON t TO " + alice_);
  expect_noticed("row security of table public.t applies to role " + alice_ + " now");
  expect("1\n2");
}

/// Policies restrict the owner of a view, not who reads it; unless the view is a security invoker.
TEST_P(RowSecurity, BehindAView) {
  root_.exec("CREATE POLICY p ON t USING (id < 3); ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t TO " +
             boss_ + "; CREATE VIEW w AS SELECT id, v FROM t; ALTER VIEW w OWNER TO " + boss_ +
             "; GRANT SELECT ON w TO " + alice_ + "; ALTER ROLE " + alice_ + " BYPASSRLS");
  create("SELECT id, v FROM w");
  expect("1\n2");
  root_.exec("INSERT INTO t VALUES (0, 0), (9, 9)");
  db_.refresh("st");
  expect("0\n1\n2");
  root_.exec("ALTER VIEW w SET (security_invoker = true)");
  db_.build("st");
  expect("0\n1\n2\n3\n4\n5\n9");
  root_.exec("ALTER ROLE " + alice_ + " NOBYPASSRLS");
  expect_noticed("row security of table public.t applies to role " + alice_ + " now");
  expect("0\n1\n2");
}

/// With a daemon: also what sleeps notices, and goes on by itself.
class FactsWithDaemon : public ::testing::TestWithParam<bool> {
 protected:
  FactsWithDaemon() {
    if (!GetParam()) session_.exec(kDropEventTriggers);
    session_.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3);"
        "CREATE FUNCTION f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i + 1; END'");
    daemon_ = std::make_unique<DaemonProcess>(db_.dsn());
    session_.exec("SELECT pgtrickle.create_stream_table('st', 'SELECT id, f(v) AS x FROM t', '200 ms')");
    session_.exec("SELECT pgtrickle.wait_until_active('st')");
  }

  void expect_becomes(const std::string& content) {
    EXPECT_TRUE(wait_until([&] { return session_.table("SELECT * FROM st ORDER BY 1, 2") == content; }, 40s))
        << session_.table("SELECT * FROM st ORDER BY 1, 2") << daemon_->log();
    EXPECT_TRUE(
        wait_until([&] { return session_.value("SELECT needs_reinit FROM pgtrickle.pgt_stream_tables") == "f"; }));
    EXPECT_TRUE(equals_query(session_, "st"));
  }

  TestDatabase db_;
  Session session_{db_.dsn()};
  std::unique_ptr<DaemonProcess> daemon_;
};

INSTANTIATE_TEST_SUITE_P(EventTriggers, FactsWithDaemon, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "Watched" : "Alone"; });

TEST_P(FactsWithDaemon, AnIdleStreamTableNotices) {
  session_.exec(
      "CREATE OR REPLACE FUNCTION f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i * 100; END'");
  expect_becomes("1|100\n2|200\n3|300");
  session_.exec("ALTER TABLE t ALTER v TYPE int USING v + 1");
  expect_becomes("1|200\n2|300\n3|400");
  EXPECT_EQ(session_.value("SELECT status FROM pgtrickle.pgt_stream_tables"), "ACTIVE");
}

TEST_P(FactsWithDaemon, DuplicatesOfALostKey) {
  session_.exec("ALTER TABLE t DROP CONSTRAINT t_pkey; INSERT INTO t VALUES (3, 7)");
  expect_becomes("1|2\n2|3\n3|4\n3|8");
  EXPECT_EQ(session_.value("SELECT count(*) FROM pgtrickle.pgt_refresh_history WHERE error_code = 'XX001'"), "0");
}

}  // namespace
