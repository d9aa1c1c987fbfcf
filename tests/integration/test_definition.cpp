// What a query means stays what it meant: renames of everything that it names are followed, types that change are what
// the text that the user wrote says, and nothing that comes later takes the place of what was meant.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/database.h"
#include "support/oracle.h"

namespace pgt::test {
namespace {

using pgtrickle::catalog::BuildResult;
using pgtrickle::catalog::BuildStatus;
using testing::HasSubstr;

class DefinitionOf : public testing::Test {
 protected:
  DefinitionOf() : session_(db_.dsn()) {
    session_.exec(
        "CREATE TABLE items (id int PRIMARY KEY, code text, note text);"
        "INSERT INTO items VALUES (1, '9', 'open'), (2, '10', 'shut'), (3, '100', 'open')");
  }

  void create(const std::string& name, const std::string& query) {
    session_.exec("SELECT pgtrickle.create_stream_table('" + name + "', " + session_.quote(query) + ")");
    const auto result = db_.build(name);
    EXPECT_EQ(result.status, BuildStatus::kActive) << result.message;
  }

  /// The stream table, rebuilt, is what `truth` says, also after changes of the rows of `items` or whatever it is now.
  void expect_rebuilt(const std::string& name, const std::string& truth, const std::string& change = {}) {
    const auto result = db_.build(name);
    EXPECT_EQ(result.status, BuildStatus::kActive) << name << ": " << result.message;
    EXPECT_TRUE(equals_query(session_, name, truth));
    if (change.empty()) return;
    session_.exec(change);
    db_.refresh(name);
    EXPECT_TRUE(equals_query(session_, name, truth)) << change;
  }

  BuildResult expect_stopped(const std::string& name, const std::string& message) {
    const std::string before = session_.table("SELECT * FROM " + name + " ORDER BY 1");
    const auto result = db_.build(name);
    EXPECT_EQ(result.status, BuildStatus::kError) << result.message;
    EXPECT_THAT(result.message, HasSubstr(message));
    EXPECT_THAT(session_.value("SELECT last_error FROM pgtrickle.stream_tables WHERE pgt_id = " +
                               std::to_string(db_.id_of(name))),
                HasSubstr(message));
    EXPECT_EQ(session_.table("SELECT * FROM " + name + " ORDER BY 1"), before);
    return result;
  }

  std::string type_of(const std::string& table, const std::string& column) {
    return session_.value("SELECT atttypid::regtype FROM pg_attribute WHERE attrelid = '" + table +
                          "'::regclass AND attname = '" + column + "'");
  }

  std::string query_of(const std::string& name) {
    return session_.value("SELECT query FROM pgtrickle.stream_tables WHERE pgt_id = " +
                          std::to_string(db_.id_of(name)));
  }

  TestDatabase db_;
  Session session_;
};

const char* const kChange =
    "INSERT INTO items SELECT max(id) + 1, 77, 'open' FROM items; DELETE FROM items WHERE id = 2";

// Types ---------------------------------------------------------------------------------------------------------------

TEST_F(DefinitionOf, CastsThatDidNothingStayWhenTheColumnGetsAnotherType) {
  create("codes", "SELECT id, code::text AS code FROM items");
  create("top", "SELECT max(code::text) AS top FROM items");
  create("small", "SELECT id FROM items WHERE code::text < '5'");
  session_.exec("ALTER TABLE items ALTER COLUMN code TYPE int USING code::int");
  expect_rebuilt("codes", "SELECT id, code::text FROM items");
  expect_rebuilt("top", "SELECT max(code::text) FROM items");
  expect_rebuilt("small", "SELECT id FROM items WHERE code::text < '5'", kChange);
  EXPECT_EQ(type_of("codes", "code"), "text");
  EXPECT_EQ(session_.value("SELECT top FROM top"), "9");
  EXPECT_EQ(session_.value("SELECT count(*) FROM small"), "1");
}

TEST_F(DefinitionOf, LiteralsAreReadInTheNewType) {
  create("nine", "SELECT id FROM items WHERE code = '9'");
  create("listed", "SELECT id FROM items WHERE code IN ('9', '100') ORDER BY code LIMIT 2");
  session_.exec("ALTER TABLE items ALTER COLUMN code TYPE int USING code::int");
  expect_rebuilt("nine", "SELECT id FROM items WHERE code = 9", kChange);
  expect_rebuilt("listed", "SELECT id FROM items WHERE code IN (9, 100)");
}

TEST_F(DefinitionOf, OutputColumnsThatGetOtherTypesAreAnnounced) {
  create("codes", "SELECT id, code FROM items");
  session_.exec("ALTER TABLE items ALTER COLUMN code TYPE int USING code::int");
  session_.exec("CREATE VIEW on_codes AS SELECT code FROM codes");
  expect_stopped("codes", "column code of public.codes becomes integer, it was text, but");
  EXPECT_THAT(session_.value("SELECT last_error FROM pgtrickle.stream_tables"), HasSubstr("view public.on_codes"));
  session_.exec("DROP VIEW on_codes");
  const auto result = db_.build("codes");
  EXPECT_EQ(result.status, BuildStatus::kActive);
  EXPECT_THAT(result.message, HasSubstr("column code of public.codes becomes integer, it was text"));
  EXPECT_EQ(type_of("codes", "code"), "integer");
  expect_rebuilt("codes", "SELECT id, code FROM items", kChange);
}

TEST_F(DefinitionOf, AColumnThatGetsAnotherCollationIsFollowed) {
  session_.exec("CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)");
  create("codes", "SELECT note, count(*) AS n FROM items GROUP BY note");
  session_.exec(
      "UPDATE items SET note = 'OPEN' WHERE id = 3; ALTER TABLE items ALTER COLUMN note TYPE text COLLATE ci");
  EXPECT_EQ(db_.build("codes").status, BuildStatus::kActive);
  EXPECT_EQ(session_.table("SELECT lower(note COLLATE \"C\"), n FROM codes ORDER BY 1"), "open|2\nshut|1");
}

TEST_F(DefinitionOf, AQueryThatIsNoneAnyMoreStopsAndSaysSo) {
  create("long", "SELECT id FROM items WHERE length(code) > 1");
  session_.exec("ALTER TABLE items ALTER COLUMN code TYPE int USING code::int");
  expect_stopped("long", "function length(integer) does not exist");
  session_.exec("ALTER TABLE items ALTER COLUMN code TYPE text");
  expect_rebuilt("long", "SELECT id FROM items WHERE length(code) > 1");
}

TEST_F(DefinitionOf, RenamesAndTypesTogether) {
  session_.exec("CREATE SCHEMA app");
  create("codes", "SELECT i.id, code::text, upper(note) AS note FROM items AS i WHERE code::text < '5'");
  create("whole", "SELECT * FROM items");
  session_.exec(
      "ALTER TABLE items RENAME code TO note2; ALTER TABLE items RENAME note TO code;"
      "ALTER TABLE items ALTER COLUMN note2 TYPE int USING note2::int; ALTER TABLE items RENAME TO things;"
      "ALTER TABLE things SET SCHEMA app; CREATE TABLE items (id int, code text, note text);"
      "INSERT INTO items VALUES (7, '1', 'wrong')");
  expect_rebuilt("codes", "SELECT id, note2::text, upper(code) FROM app.things WHERE note2::text < '5'",
                 "INSERT INTO app.things VALUES (4, 44, 'new'), (5, 55, 'new'); DELETE FROM app.things WHERE id = 3");
  expect_rebuilt("whole", "SELECT id, note2, code FROM app.things");
  EXPECT_EQ(type_of("codes", "code"), "text");
  EXPECT_EQ(type_of("whole", "code"), "integer");
  EXPECT_THAT(query_of("whole"), HasSubstr("app.things"));
  EXPECT_THAT(query_of("whole"), HasSubstr("note2 AS code"));
}

TEST_F(DefinitionOf, SettingsOfTheDefinitionHoldForItsText) {
  session_.exec(
      "SET DateStyle = 'SQL, DMY'; SET TimeZone = 'Asia/Tokyo'; SET extra_float_digits = 0;"
      "ALTER TABLE items ADD at timestamptz DEFAULT '2020-02-01 00:00:00+09'");
  create("dated", "SELECT id, code, '0.12345678901234567'::float8 AS f FROM items WHERE at = '01/02/2020'");
  EXPECT_EQ(session_.value("SELECT count(*) FROM dated WHERE f = 0.12345678901234567::float8"), "3");
  session_.exec("ALTER TABLE items ALTER COLUMN code TYPE int USING code::int");
  session_.exec("ALTER TABLE items RENAME TO things");
  expect_rebuilt("dated",
                 "SELECT id, code, 0.12345678901234567::float8 FROM things WHERE at = '2020-02-01 00:00:00+09'");
  EXPECT_EQ(session_.value("SELECT count(*) FROM dated"), "3");
}

// Columns of sources --------------------------------------------------------------------------------------------------

TEST_F(DefinitionOf, AStarAndNaturalMeanTheColumnsOfThen) {
  session_.exec("CREATE TABLE more (id int, price int); INSERT INTO more VALUES (1, 10), (3, 30)");
  create("star", "SELECT * FROM items");
  create("joined", "SELECT * FROM items NATURAL JOIN more");
  create("bare", "SELECT note, price FROM items JOIN more USING (id)");
  session_.exec(
      "ALTER TABLE items ADD extra int DEFAULT 5; ALTER TABLE more ADD code text, ADD note text;"
      "ALTER TABLE items ALTER COLUMN code TYPE int USING code::int; ALTER TABLE items RENAME note TO remark");
  expect_rebuilt("star", "SELECT id, code, remark FROM items");
  expect_rebuilt("joined", "SELECT i.id, i.code, i.remark, m.price FROM items i JOIN more m ON i.id = m.id");
  expect_rebuilt("bare", "SELECT remark, price FROM items JOIN more USING (id)",
                 "INSERT INTO items VALUES (4, 1, 'x'); INSERT INTO more VALUES (4, 40)");
  session_.exec("ALTER TABLE items DROP COLUMN code");
  const auto result = expect_stopped("star", "column code of public.items was dropped");
  EXPECT_THAT(result.error.hint, HasSubstr("rebuilt by itself"));
  expect_rebuilt("bare", "SELECT remark, price FROM items JOIN more USING (id)");
}

TEST_F(DefinitionOf, ColumnsSwapNames) {
  create("codes", "SELECT items.id, items.code::text AS code FROM public.items WHERE public.items.note = 'open'");
  session_.exec(
      "ALTER TABLE items RENAME code TO x; ALTER TABLE items RENAME note TO code; ALTER TABLE items RENAME x TO note");
  expect_rebuilt("codes", "SELECT id, note FROM items WHERE code = 'open'",
                 "INSERT INTO items (id, code, note) VALUES (4, 'open', 'right'), (5, 'shut', 'wrong')");
  EXPECT_EQ(session_.value("SELECT code FROM codes WHERE id = 4"), "right");
}

TEST_F(DefinitionOf, TheKeyStaysAKeyWhenItIsRenamed) {
  create("codes", "SELECT id, note, count(*) AS n FROM items GROUP BY id");
  session_.exec("ALTER TABLE items RENAME id TO number");
  expect_rebuilt("codes", "SELECT number, note, 1 FROM items");
}

// Relations -----------------------------------------------------------------------------------------------------------

TEST_F(DefinitionOf, TablesSwapNames) {
  session_.exec(
      "CREATE TABLE others (id int PRIMARY KEY, code text, note text); INSERT INTO others VALUES (1, 'other', 'o')");
  create("two",
         "SELECT items.id, items.code, others.code AS other FROM items LEFT JOIN others ON others.id = items.id");
  session_.exec("ALTER TABLE items RENAME TO x; ALTER TABLE others RENAME TO items; ALTER TABLE x RENAME TO others");
  expect_rebuilt("two", "SELECT i.id, i.code, o.code FROM others i LEFT JOIN items o ON o.id = i.id",
                 "INSERT INTO others VALUES (4, '4', 'x'); INSERT INTO items VALUES (4, 'x', 'x')");
}

TEST_F(DefinitionOf, AWithQueryHidesATableOfItsName) {
  create("hidden",
         "WITH items AS (SELECT id, code FROM items WHERE note = 'open'), "
         "more AS (SELECT id FROM items) SELECT items.id, code::text FROM items JOIN more USING (id)");
  session_.exec(
      "ALTER TABLE items ALTER COLUMN code TYPE int USING code::int; ALTER TABLE items RENAME note TO remark;"
      "ALTER TABLE items RENAME TO things");
  expect_rebuilt("hidden", "SELECT id, code::text FROM things WHERE remark = 'open'",
                 "INSERT INTO things VALUES (4, 4, 'open'); DELETE FROM things WHERE id = 1");
}

TEST_F(DefinitionOf, WhatComesLaterInTheSearchPathIsNotMeant) {
  session_.exec(
      "CREATE SCHEMA first; CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';"
      "SET search_path = first, \"$user\", public");
  create("public.st", "SELECT id, f(id) AS f, code::text AS code FROM items");
  session_.exec(
      "CREATE TABLE first.items (LIKE public.items); INSERT INTO first.items VALUES (8, '8', 'wrong');"
      "CREATE FUNCTION first.f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT -1';"
      "CREATE DOMAIN first.text AS int; RESET search_path;"
      "ALTER TABLE public.items ALTER COLUMN code TYPE int USING code::int");
  expect_rebuilt("st", "SELECT id, id + 1, code::pg_catalog.text FROM public.items", kChange);
  EXPECT_EQ(type_of("st", "code"), "text");
}

TEST_F(DefinitionOf, SchemasAreRenamed) {
  session_.exec(
      "CREATE SCHEMA \"ä \"\"x\"\"\"; CREATE TABLE \"ä \"\"x\"\"\".\"名 t\" (\"K.1\" int, \"v'\" text);"
      "INSERT INTO \"ä \"\"x\"\"\".\"名 t\" VALUES (1, 'a'), (2, 'b')");
  create("qualified",
         "SELECT \"K.1\", \"ä \"\"x\"\"\".\"名 t\".\"v'\"::text AS \"w 名\" FROM \"ä \"\"x\"\"\".\"名 t\"");
  session_.exec("SET search_path = \"ä \"\"x\"\"\", public");
  create("public.by_path", "SELECT \"名 t\".\"v'\" || 'x' AS v FROM \"名 t\" WHERE \"K.1\"::text < '5'");
  session_.exec(
      "RESET search_path; ALTER SCHEMA \"ä \"\"x\"\"\" RENAME TO \"neu.\"\"\";"
      "ALTER TABLE \"neu.\"\"\".\"名 t\" RENAME \"K.1\" TO \"K \"\"2\"");
  expect_rebuilt("qualified", "SELECT \"K \"\"2\", \"v'\" FROM \"neu.\"\"\".\"名 t\"",
                 "INSERT INTO \"neu.\"\"\".\"名 t\" VALUES (3, 'c')");
  expect_rebuilt("by_path", "SELECT \"v'\" || 'x' FROM \"neu.\"\"\".\"名 t\" WHERE \"K \"\"2\"::text < '5'");
}

TEST_F(DefinitionOf, ViewsAreSourcesLikeTables) {
  session_.exec("CREATE SCHEMA app; CREATE VIEW v AS SELECT id, code, note FROM items");
  create("st", "SELECT id, code::text AS code FROM v WHERE v.note = 'open'");
  session_.exec(
      "ALTER VIEW v RENAME COLUMN note TO remark; ALTER VIEW v SET SCHEMA app; ALTER VIEW app.v RENAME TO w;"
      "ALTER TABLE items RENAME note TO remark2");
  expect_rebuilt("st", "SELECT id, code FROM app.w WHERE remark = 'open'");
  session_.exec(
      "DROP VIEW app.w; ALTER TABLE items ALTER COLUMN code TYPE int USING code::int;"
      "CREATE VIEW app.w AS SELECT id, remark2 AS remark, code FROM items");
  expect_rebuilt("st", "SELECT id, code::text FROM items WHERE remark2 = 'open'", "DELETE FROM items WHERE id = 1");
  session_.exec("ALTER VIEW app.w RENAME TO v2");
  expect_rebuilt("st", "SELECT id, code::text FROM items WHERE remark2 = 'open'");
  EXPECT_EQ(type_of("st", "code"), "text");
}

TEST_F(DefinitionOf, ATableThatIsMadeAgainIsFollowedFromThenOn) {
  create("st", "SELECT id, code::text AS code FROM items");
  session_.exec("ALTER TABLE items RENAME TO things");
  expect_rebuilt("st", "SELECT id, code FROM things");
  session_.exec(
      "DROP TABLE things; CREATE TABLE things (note text, code int, id int PRIMARY KEY); INSERT INTO things VALUES "
      "('a', 5, 50)");
  expect_rebuilt("st", "SELECT id, code::text FROM things", "INSERT INTO things VALUES ('b', 6, 60)");
  session_.exec("ALTER TABLE things RENAME TO again; ALTER TABLE again RENAME code TO kode");
  expect_rebuilt("st", "SELECT id, kode::text FROM again", "INSERT INTO again VALUES ('c', 7, 70)");
}

TEST_F(DefinitionOf, TheQueryThatIsShownFollowsRenames) {
  const std::string query = "SELECT id, code FROM items -- as written";
  create("st", query);
  EXPECT_EQ(query_of("st"), query);
  session_.exec("ALTER TABLE items RENAME TO things");
  expect_rebuilt("st", "SELECT id, code FROM things");
  EXPECT_THAT(query_of("st"), HasSubstr("FROM public.things"));
  session_.exec("ALTER TABLE things RENAME TO items");
  expect_rebuilt("st", "SELECT id, code FROM items");
  EXPECT_EQ(query_of("st"), query);
}

// Functions, operators, types, collations -----------------------------------------------------------------------------

TEST_F(DefinitionOf, AFunctionIsRenamedAndAnotherTakesItsName) {
  session_.exec(
      "CREATE SCHEMA app; CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';"
      "CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')");
  create("st", "SELECT id, f(id) AS f, public.f(f(id)) AS ff FROM items");
  create("sums", "SELECT note, total(id) AS t FROM items GROUP BY note");
  session_.exec(
      "ALTER FUNCTION f(int) RENAME TO g; CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 0';"
      "ALTER AGGREGATE total(int) SET SCHEMA app; CREATE AGGREGATE total(int) (SFUNC = int4mul, STYPE = int, INITCOND "
      "= '0')");
  expect_rebuilt("st", "SELECT id, id + 1, id + 2 FROM items", kChange);
  expect_rebuilt("sums", "SELECT note, sum(id) FROM items GROUP BY note");
  EXPECT_THAT(query_of("st"), ::testing::ContainsRegex("public[.]g[(]public[.]g[(](items[.])?id[)][)]"));
}

TEST_F(DefinitionOf, AFunctionMovesThatPostgresHasToo) {
  session_.exec(
      "CREATE SCHEMA app; CREATE TYPE label AS (t text); ALTER TABLE items ADD l label;"
      "UPDATE items SET l = ROW(note);"
      "CREATE FUNCTION lower(label) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''low ''::text || ($1).t'");
  create("st", "SELECT id, lower(l) AS own, lower(code) AS theirs FROM items");
  session_.exec("ALTER FUNCTION lower(label) SET SCHEMA app; ALTER TABLE items ALTER COLUMN code TYPE varchar(9)");
  expect_rebuilt("st", "SELECT id, 'low ' || note, lower(code) FROM items");
  session_.exec("ALTER FUNCTION app.lower(label) RENAME TO lower2");
  expect_stopped("st", "function lower was renamed or moved");
}

TEST_F(DefinitionOf, AnOverloadThatFitsBetterDoesNotTakeOver) {
  session_.exec("CREATE FUNCTION f(bigint) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'");
  create("st", "SELECT id, f(id) AS f FROM items");
  session_.exec("CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2'");
  expect_rebuilt("st", "SELECT id, 1 FROM items", kChange);
  // The text of the user, read again, would mean the new one.
  session_.exec("ALTER TABLE items ALTER COLUMN code TYPE int USING code::int");
  const std::string stranger = "it would use function public.f(integer), which it did not when it was defined";
  EXPECT_THAT(expect_stopped("st", stranger).error.hint, HasSubstr("alter_stream_table"));
  session_.exec("ALTER TABLE items RENAME TO things");
  expect_stopped("st", stranger);
  session_.exec("DROP FUNCTION f(int)");
  expect_rebuilt("st", "SELECT id, 1 FROM things", "DELETE FROM things WHERE id = 3");
  session_.exec(
      "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2';"
      "SELECT pgtrickle.alter_stream_table('st', query => 'SELECT id, f(id) AS f FROM things')");
  expect_rebuilt("st", "SELECT id, 2 FROM things", "DELETE FROM things WHERE id = 1");
  session_.exec("DROP FUNCTION f(int)");
  expect_stopped("st", "function public.f was dropped");
}

TEST_F(DefinitionOf, OperatorsOfNewTypesAreTakenAndTold) {
  session_.exec("CREATE SCHEMA app; SET search_path = app, public");
  create("public.st", "SELECT id, code + 1 AS s FROM (SELECT id, code::int AS code FROM items) AS x");
  create("public.joined", "SELECT id, code || note AS s FROM items");
  session_.exec(
      "RESET search_path; CREATE TYPE app.word AS (w text);"
      "CREATE FUNCTION app.f(app.word, text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ($1).w || ''-'' || $2';"
      "CREATE OPERATOR app.|| (LEFTARG = app.word, RIGHTARG = text, FUNCTION = app.f);"
      "CREATE OPERATOR app.+ (LEFTARG = int, RIGHTARG = int, FUNCTION = int4mul)");
  expect_rebuilt("st", "SELECT id, code::int + 1 FROM items", kChange);
  expect_rebuilt("joined", "SELECT id, code || note FROM items");
  session_.exec("ALTER TABLE items ALTER COLUMN note TYPE varchar(20)");
  expect_rebuilt("st", "SELECT id, code::int + 1 FROM items");
  session_.exec("ALTER TABLE items ALTER COLUMN code TYPE app.word USING ROW(code)::app.word");
  const auto result = db_.build("joined");
  EXPECT_EQ(result.status, BuildStatus::kActive) << result.message;
  EXPECT_THAT(result.message, HasSubstr("it uses operator app.||(app.word,text) now"));
  expect_rebuilt("joined", "SELECT id, (code).w || '-' || note FROM items");
  expect_stopped("st", "cannot cast type word to integer");
}

TEST_F(DefinitionOf, AnotherOverloadIsMeantWhenTheTypeSaysSo) {
  session_.exec(
      "CREATE FUNCTION f(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''text''::text';"
      "CREATE FUNCTION f(int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''int''::text'");
  create("st", "SELECT id, f(code) AS f FROM items");
  session_.exec("ALTER TABLE items ALTER COLUMN code TYPE int USING code::int");
  const auto result = db_.build("st");
  EXPECT_EQ(result.status, BuildStatus::kActive) << result.message;
  EXPECT_THAT(result.message, HasSubstr("it uses function public.f(integer) now"));
  expect_rebuilt("st", "SELECT id, 'int'::text FROM items", kChange);
}

TEST_F(DefinitionOf, TypesAreRenamedAndMoved) {
  session_.exec(
      "CREATE SCHEMA app; CREATE TYPE phase AS ENUM ('open', 'shut'); CREATE DOMAIN short AS text CHECK (length(VALUE) "
      "< 9);"
      "CREATE TYPE pair AS (a int, b text); ALTER TABLE items ADD p phase; UPDATE items SET p = note::phase");
  create("casts",
         "SELECT id, note::phase AS p, p::phase AS q, 'open'::public.phase AS r, code::short AS s FROM items WHERE p = "
         "'open'");
  create("pairs", "SELECT id, ROW(id, note)::pair AS pair, ARRAY[note, 'shut']::phase[] AS ps FROM items");
  session_.exec(
      "ALTER TYPE phase RENAME TO stage; ALTER DOMAIN short RENAME TO tiny; ALTER DOMAIN tiny SET SCHEMA app;"
      "ALTER TYPE pair SET SCHEMA app; CREATE TYPE phase AS ENUM ('other');"
      "ALTER TABLE items ALTER COLUMN code TYPE int USING code::int");
  expect_rebuilt("casts", "SELECT id, note::stage, p, 'open'::stage, code::app.tiny FROM items WHERE p = 'open'",
                 "INSERT INTO items VALUES (4, 4, 'open', 'open')");
  expect_rebuilt("pairs", "SELECT id, ROW(id, note)::app.pair, ARRAY[note, 'shut']::stage[] FROM items");
  EXPECT_EQ(type_of("casts", "s"), "app.tiny");
}

TEST_F(DefinitionOf, LabelsInConstantsAreFollowed) {
  session_.exec(
      "CREATE TYPE phase AS ENUM ('open', 'shut'); CREATE TYPE door AS ENUM ('open', 'ajar');"
      "ALTER TABLE items ADD p phase DEFAULT 'open', ADD d door DEFAULT 'open'; UPDATE items SET p = note::phase;"
      "CREATE FUNCTION is_open(phase) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 IN "
      "(''open''::public.phase)'");
  create("st",
         "SELECT id, 'open'::phase AS p, phase 'shut' AS q, 'open' AS t FROM items WHERE p = 'open' AND d IN ('open', "
         "'ajar') AND note = 'open'");
  create("cases",
         "SELECT id, CASE p WHEN 'open' THEN 'open'::text ELSE 'shut' END AS t, coalesce(p, 'shut') AS p FROM items");
  session_.exec("ALTER TYPE phase RENAME VALUE 'open' TO 'it''s opened'");
  const std::string truth =
      "SELECT id, 'it''s opened'::phase, 'shut'::phase, 'open' FROM items WHERE p = 'it''s opened' AND d IN ('open', "
      "'ajar') AND note = 'open'";
  expect_rebuilt(
      "st", truth,
      "INSERT INTO items VALUES (4, '4', 'open'), (5, '5', 'shut'); INSERT INTO items VALUES (6, '6', 'open', 'shut')");
  expect_rebuilt("cases", "SELECT id, CASE p WHEN 'it''s opened' THEN 'open' ELSE 'shut' END, p FROM items");
  EXPECT_EQ(session_.value("SELECT count(*) FROM st"), "3");
  session_.exec(
      "ALTER TYPE phase RENAME VALUE 'shut' TO 'open'; ALTER TYPE phase RENAME VALUE 'it''s opened' TO 'shut'");
  expect_rebuilt("st",
                 "SELECT id, 'shut'::phase, 'open'::phase, 'open' FROM items WHERE p = 'shut' AND d IN ('open', "
                 "'ajar') AND note = 'open'",
                 "UPDATE items SET p = 'shut' WHERE id = 6");
  expect_rebuilt("cases", "SELECT id, CASE p WHEN 'shut' THEN 'open' ELSE 'shut' END, p FROM items");
}

TEST_F(DefinitionOf, OperatorsAndCollationsMove) {
  session_.exec(
      "CREATE SCHEMA app; CREATE SCHEMA app2; CREATE FUNCTION app.plus(text, text) RETURNS text LANGUAGE sql IMMUTABLE "
      "AS 'SELECT concat($1, ''+'', $2)';"
      "CREATE OPERATOR app.+ (LEFTARG = text, RIGHTARG = text, FUNCTION = app.plus);"
      "CREATE COLLATION app.upside (provider = icu, locale = 'und-u-kf-upper'); SET search_path = app, public");
  create("public.st",
         "SELECT id, id + 1 AS n, code + note AS s, code OPERATOR(app.+) 'x' AS t FROM items WHERE note COLLATE upside "
         "< 'p'");
  session_.exec(
      "RESET search_path; ALTER OPERATOR app.+ (text, text) SET SCHEMA app2; ALTER COLLATION app.upside SET SCHEMA "
      "app2;"
      "ALTER COLLATION app2.upside RENAME TO \"up Side\"; ALTER SCHEMA app2 RENAME TO app3; ALTER FUNCTION app.plus "
      "SET SCHEMA app3");
  expect_rebuilt(
      "st", "SELECT id, id + 1, code || '+' || note, code || '+x' FROM items WHERE note COLLATE app3.\"up Side\" < 'p'",
      kChange);
}

TEST_F(DefinitionOf, AFunctionOfRowsKeepsItsRows) {
  session_.exec("CREATE FUNCTION whole(items) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ($1).code'");
  create("st", "SELECT id, whole(items) AS w, items::text AS r FROM items");
  session_.exec("ALTER FUNCTION whole(items) RENAME TO entire; ALTER TABLE items RENAME TO things");
  expect_rebuilt("st", "SELECT id, code, things::text FROM things", "UPDATE things SET code = 'new' WHERE id = 1");
}

TEST_F(DefinitionOf, TheSameWithoutEventTriggers) {
  session_.exec(
      "DROP EVENT TRIGGER pgtrickle_ddl; DROP EVENT TRIGGER pgtrickle_drop; DROP EVENT TRIGGER pgtrickle_rewrite;"
      "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1'");
  create("st", "SELECT id, code::text AS code, f(id) AS f FROM items WHERE code::text < '5'");
  session_.exec(
      "ALTER TABLE items ALTER COLUMN code TYPE int USING code::int; ALTER TABLE items RENAME code TO kode;"
      "ALTER FUNCTION f(int) RENAME TO g");
  expect_rebuilt("st", "SELECT id, kode::text, id + 1 FROM items WHERE kode::text < '5'",
                 "INSERT INTO items VALUES (4, 44, 'x')");
}

// Drops ---------------------------------------------------------------------------------------------------------------

class Notices : public pqxx::errorhandler {
 public:
  explicit Notices(pqxx::connection& connection) : pqxx::errorhandler(connection) {}
  bool operator()(const char message[]) noexcept override {
    text += message;
    return false;
  }
  std::string text;
};

TEST_F(DefinitionOf, DropsWarnWhoNeedsWhatIsDropped) {
  session_.exec(
      "CREATE VIEW v AS SELECT id, note FROM items; CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS "
      "'SELECT 1'; CREATE TABLE more (id int, unused int)");
  create("of_view", "SELECT id FROM v");
  create("of_column", "SELECT code FROM items");
  create("of_function", "SELECT f(id) AS f FROM more");
  create("of_stream_table", "SELECT code FROM of_column");
  Notices notices(session_.connection());
  const auto warning_of = [&](const std::string& statement) {
    notices.text.clear();
    session_.exec("BEGIN");
    session_.exec(statement);
    session_.exec("ROLLBACK");
    return notices.text;
  };
  EXPECT_EQ(warning_of("ALTER TABLE more DROP COLUMN unused"), "");
  EXPECT_THAT(warning_of("ALTER TABLE items DROP COLUMN code"), HasSubstr("stream table public.of_column cannot be"));
  EXPECT_THAT(warning_of("DROP FUNCTION f(int)"), HasSubstr("public.of_function cannot be refreshed any more"));
  EXPECT_THAT(warning_of("DROP VIEW v"), HasSubstr("view public.v is needed by public.of_view."));
  EXPECT_THAT(warning_of("DROP TABLE items CASCADE"),
              HasSubstr("table public.items is needed by public.of_column, public.of_view."));
  EXPECT_THAT(warning_of("SELECT pgtrickle.drop_stream_table('of_column', cascade => true)"),
              testing::Not(HasSubstr("WARNING")));
  EXPECT_THAT(warning_of("DROP TABLE of_column"), HasSubstr("public.of_stream_table cannot be refreshed any more"));
  EXPECT_THAT(warning_of("DROP TABLE more, of_function"), testing::Not(HasSubstr("WARNING")));
}

}  // namespace
}  // namespace pgt::test
