// Bad input and faults: each is a clear error or a recovery, nothing is lost, and nobody's write fails because of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "faults.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::equals_query;
using pgt::test::Faults;
using pgt::test::Session;
using pgt::test::sqlstate_and_text;
using pgt::test::wait_until;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(Faults, BadInputIsRefusedAndLeavesNothing) {
  create_totals();
  root_.exec("CREATE TABLE secret (a int)");
  EXPECT_THAT(refused("SELECT * FROM nowhere", "AUTO"),
              AllOf(HasSubstr("42P01"), HasSubstr("public.refused"), HasSubstr("\"nowhere\" does not exist"),
                    HasSubstr("search_path")));
  EXPECT_THAT(refused("SELECT nothing FROM items", "AUTO"), AllOf(HasSubstr("42703"), HasSubstr("\"nothing\"")));
  EXPECT_THAT(refused("SELECT id FROM items WHERE", "AUTO"), AllOf(HasSubstr("42601"), HasSubstr("syntax error")));
  EXPECT_THAT(refused("SELECT id FROM items; DELETE FROM items", "AUTO"), HasSubstr("ERROR"));
  EXPECT_EQ(root_.value("SELECT count(*) FROM items"), "100");
  EXPECT_THAT(refused("DELETE FROM items RETURNING id", "AUTO"), HasSubstr("ERROR"));
  EXPECT_THAT(refused("WITH d AS (DELETE FROM items RETURNING id) SELECT * FROM d", "AUTO"), HasSubstr("0A000"));
  EXPECT_THAT(refused("SELECT id FROM items LIMIT 3", "AUTO"), AllOf(HasSubstr("0A000"), HasSubstr("ORDER BY")));
  EXPECT_THAT(refused("SELECT id FROM items FOR UPDATE", "AUTO"), AllOf(HasSubstr("0A000"), HasSubstr("FOR UPDATE")));
  EXPECT_THAT(refused("SELECT id FROM items TABLESAMPLE SYSTEM (5)", "FULL"),
              AllOf(HasSubstr("0A000"), HasSubstr("TABLESAMPLE")));
  EXPECT_THAT(refused("SELECT a FROM secret", "AUTO"),
              AllOf(HasSubstr("42501"), HasSubstr("permission denied for table secret")));
  EXPECT_THAT(refused("SELECT 1 / 0 AS a FROM items", "AUTO"), HasSubstr("22012"));
  EXPECT_THAT(refused("SELECT 1 AS a", "SOMETIMES"),
              AllOf(HasSubstr("22023"), HasSubstr("AUTO, DIFFERENTIAL, FULL or IMMEDIATE")));
  for (const char* schedule : {"", "soon", "-1s", "5", "1 month", "1ms", "10 years"}) {
    EXPECT_THAT(refused("SELECT pgtrickle.create_stream_table('refused', 'SELECT 1 AS a', schedule => '" +
                        std::string(schedule) + "')"),
                AllOf(HasSubstr("22023"), HasSubstr("schedule \"" + std::string(schedule) + "\""), HasSubstr("HINT")))
        << schedule;
  }
  EXPECT_THAT(refused(call("totals", "SELECT 1 AS a")),
              AllOf(HasSubstr("42P07"), HasSubstr("already exists"), HasSubstr("drop_stream_table")));
  EXPECT_THAT(refused(call("items", "SELECT 1 AS a")),
              AllOf(HasSubstr("42P07"), HasSubstr("is not a stream table"), HasSubstr("HINT")));
  EXPECT_THAT(refused(call("nowhere.x", "SELECT 1 AS a")), AllOf(HasSubstr("3F000"), HasSubstr("CREATE SCHEMA")));
  EXPECT_THAT(refused(call("a b", "SELECT 1 AS a")), AllOf(HasSubstr("42602"), HasSubstr("double quotes")));
  EXPECT_THAT(refused("SELECT pgtrickle.drop_stream_table('items')"),
              AllOf(HasSubstr("42P01"), HasSubstr("not a stream table")));
  EXPECT_EQ(root_.table("SELECT pgt_name FROM pgtrickle.pgt_stream_tables"), "totals");
  EXPECT_EQ(root_.value(
                "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"),
            "4");
}

TEST_F(Faults, ImpossibleModesEndInErrorWithAHint) {
  run("CREATE FUNCTION roll(i int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT i'");
  const struct {
    const char* name;
    const char* query;
    const char* fragment;
    bool at_once;  // what the server can see is refused in the call, the rest when it is compiled
  } cases[] = {{"chains",
                "WITH RECURSIVE c AS (SELECT id, 1 AS n FROM items UNION SELECT DISTINCT id, n + 1 FROM c WHERE n < 3) "
                "SELECT id, n FROM c",
                "recursive term", false},
               {"dice", "SELECT id, roll(amount) AS r FROM items", "roll", true},
               {"recent", "SELECT id FROM items WHERE now() > '2020-01-01'", "now", false}};
  for (const auto& c : cases) {
    if (!c.at_once) create(c.name, c.query, "DIFFERENTIAL");
    create(std::string(c.name) + "_auto", c.query);
  }
  create_totals();
  start_daemon();
  for (const auto& c : cases) {
    const std::string name = c.name;
    const std::string statement = c.at_once ? "SELECT pgtrickle.create_stream_table('" + name + "', $$" + c.query +
                                                  "$$, refresh_mode => 'DIFFERENTIAL')"
                                            : "SELECT pgtrickle.wait_until_active('" + name + "', '20 s')";
    EXPECT_THAT(refused(statement), AllOf(HasSubstr("0A000"), HasSubstr("DIFFERENTIAL is not possible"),
                                          HasSubstr(c.fragment), HasSubstr("HINT")));
    if (!c.at_once) {
      EXPECT_EQ(column(c.name, "status"), "ERROR");
    }
    const std::string by_itself = name + "_auto";
    wait_active(by_itself);
    EXPECT_EQ(column(by_itself, "effective_refresh_mode"), "FULL");
    EXPECT_THAT(column(by_itself, "reason"), HasSubstr(c.fragment));
  }
  run("SELECT pgtrickle.alter_stream_table('chains', refresh_mode => 'AUTO')");
  wait_active("chains");
  run("UPDATE items SET amount = -amount WHERE id = 50");
  for (const char* name : {"chains", "chains_auto", "dice_auto", "recent_auto"})
    EXPECT_TRUE(wait_until([&] { return static_cast<bool>(equals_query(root_, name)); }))
        << equals_query(root_, name).message();
  EXPECT_TRUE(becomes_equal("totals"));
}

TEST_F(Faults, WithoutADaemonTheTableHasDataAndSaysPending) {
  create_totals();
  EXPECT_TRUE(equals_query(*session_, "totals"));
  EXPECT_EQ(session_->value("SELECT status FROM pgtrickle.stream_tables"), "PENDING");
  EXPECT_THAT(refused("SELECT pgtrickle.wait_until_active('totals', '200 ms')"),
              AllOf(HasSubstr("did not become active within"), HasSubstr("PENDING"), HasSubstr("No daemon is running"),
                    HasSubstr("start pgtrickled")));
  EXPECT_THAT(refused("SELECT pgtrickle.refresh_stream_table('totals')"),
              AllOf(HasSubstr("55000"), HasSubstr("PENDING"), HasSubstr("No daemon is running")));
  run("INSERT INTO items VALUES (1000, 1, 1, '')");
  start_daemon();
  EXPECT_TRUE(becomes_equal("totals"));
}

TEST_F(Faults, DroppingWhatOthersRead) {
  create_totals();
  create("upper_totals", "SELECT kind, total FROM totals WHERE total > 10");
  create("top", "SELECT count(*) AS n FROM upper_totals");
  start_daemon();
  wait_active("top");
  EXPECT_THAT(refused("SELECT pgtrickle.drop_stream_table('totals')"),
              AllOf(HasSubstr("2BP01"), HasSubstr("public.upper_totals"), HasSubstr("public.top"),
                    HasSubstr("cascade => true")));
  EXPECT_TRUE(becomes_equal("top"));
  run("CREATE VIEW seen AS SELECT * FROM top");
  EXPECT_THAT(refused("SELECT pgtrickle.drop_stream_table('top')"),
              AllOf(HasSubstr("2BP01"), HasSubstr("view public.seen")));
  run("SELECT pgtrickle.drop_stream_table('totals', cascade => true)");
  EXPECT_EQ(root_.value("SELECT count(*) FROM pgtrickle.pgt_stream_tables"), "0");
  EXPECT_EQ(root_.value("SELECT count(*) FROM pg_class WHERE relname IN ('totals', 'upper_totals', 'top', 'seen')"),
            "0");
  run("INSERT INTO items VALUES (1000, 1, 1, '')");
}

TEST_F(Faults, StreamTablesAreReadOnly) {
  db_.create_stream_table("mine", "SELECT id, amount FROM items");
  create_totals();
  db_.build("totals");
  root_.exec("GRANT ALL ON mine TO " + owner_);
  for (const std::string& table : {std::string("mine"), std::string("totals")}) {  // as superuser and as owner
    Session& session = table == "mine" ? root_ : *session_;
    for (const std::string& statement : {"INSERT INTO " + table + " SELECT * FROM " + table,
                                         "UPDATE " + table + " SET " + (table == "mine" ? "id = 1" : "n = 1"),
                                         "DELETE FROM " + table, "TRUNCATE " + table}) {
      EXPECT_THAT(sqlstate_and_text([&] { session.exec(statement); }),
                  AllOf(HasSubstr("55000"), HasSubstr("stream table \"public." + table + "\" directly"),
                        HasSubstr("HINT"), HasSubstr("tables it reads")))
          << statement;
    }
    EXPECT_TRUE(equals_query(root_, table));
  }
  // Within a transaction that has refreshed it, too.
  run("BEGIN; INSERT INTO items VALUES (1000, 1, 1, ''); SELECT pgtrickle.refresh_stream_table('totals')");
  EXPECT_THAT(refused("DELETE FROM totals"), HasSubstr("55000"));
  run("ROLLBACK");
  db_.refresh("totals");
  EXPECT_TRUE(equals_query(root_, "totals"));
}

TEST_F(Faults, ContentChangedBehindTheGuardIsRepaired) {
  create_labelled();
  create_totals();
  start_daemon();
  wait_active("labelled");
  wait_active("totals");
  root_.exec(
      "BEGIN; ALTER TABLE labelled DISABLE TRIGGER ALL; DELETE FROM labelled WHERE id < 50; ALTER TABLE labelled "
      "ENABLE TRIGGER ALL; COMMIT");
  root_.exec(
      "BEGIN; ALTER TABLE totals DISABLE TRIGGER ALL; DELETE FROM totals WHERE kind = 1; ALTER TABLE totals ENABLE "
      "TRIGGER ALL; COMMIT");
  EXPECT_FALSE(equals_query(root_, "labelled"));
  EXPECT_EQ(root_.value("SELECT missing FROM pgtrickle.verify_stream_table('labelled', false)"), "49");
  run("DELETE FROM items WHERE id IN (1, 6)");
  EXPECT_TRUE(becomes_equal("labelled"));
  run("DELETE FROM items WHERE kind = 1");
  EXPECT_TRUE(wait_until([&] { return static_cast<bool>(equals_query(root_, "totals")); }));
}

TEST_F(Faults, ADroppedSourceStopsItsReadersOnly) {
  create_totals();
  create_labelled();
  create("names", "SELECT kind, label FROM kinds");
  start_daemon();
  for (const char* name : {"totals", "labelled", "names"}) wait_active(name);
  run("DROP TABLE kinds");
  ASSERT_TRUE(becomes("labelled", "ERROR"));
  EXPECT_THAT(column("labelled", "last_error"), AllOf(HasSubstr("public.kinds"), HasSubstr("was dropped")));
  EXPECT_THAT(column("labelled", "last_error_hint"), Not(""));
  ASSERT_TRUE(becomes("names", "ERROR"));
  EXPECT_THAT(refused("SELECT pgtrickle.wait_until_active('labelled', '5 s')"),
              AllOf(HasSubstr("was dropped"), HasSubstr("HINT")));
  EXPECT_EQ(root_.value("SELECT count(*) FROM labelled"), "100");  // what it had stays readable
  run("UPDATE items SET amount = amount + 1");
  EXPECT_TRUE(becomes_equal("totals"));

  // What the hint says: restore the table and resume.
  run("CREATE TABLE kinds (label text, unused int, kind int); INSERT INTO kinds SELECT 'new ' || i, 0, i FROM "
      "generate_series(0, 3) AS i");
  for (const std::string& name : {std::string("labelled"), std::string("names")}) {
    run("SELECT pgtrickle.resume_stream_table('" + name + "')");
    EXPECT_TRUE(becomes_equal(name));
    run("UPDATE kinds SET label = label || '!' WHERE kind = 1");
    EXPECT_TRUE(becomes_equal(name));
  }
  EXPECT_EQ(root_.value("SELECT count(*) FROM labelled"), "80");
}

TEST_F(Faults, ADroppedColumnStopsItsReadersOnly) {
  create("notes", "SELECT id, note FROM items");
  create_totals();
  create("above", "SELECT count(*) AS n FROM notes");
  start_daemon();
  for (const char* name : {"notes", "totals", "above"}) wait_active(name);
  run("BEGIN; INSERT INTO items VALUES (1000, 1, 1, 'before'); ALTER TABLE items DROP COLUMN note; INSERT INTO items "
      "VALUES (1001, 1, 1); COMMIT");
  ASSERT_TRUE(becomes("notes", "ERROR"));
  EXPECT_THAT(column("notes", "last_error"), AllOf(HasSubstr("column"), HasSubstr("note"), HasSubstr("was dropped")));
  run("INSERT INTO items VALUES (1002, 2, 2); UPDATE items SET amount = 0 WHERE id = 1; DELETE FROM items WHERE id = "
      "2");
  EXPECT_TRUE(becomes_equal("totals"));
  EXPECT_EQ(root_.value("SELECT n FROM above"), "100");
  run("ALTER TABLE items ADD COLUMN note text DEFAULT 'again'");
  run("SELECT pgtrickle.resume_stream_table('notes')");
  for (const char* name : {"notes", "above", "totals"}) EXPECT_TRUE(becomes_equal(name));
  run("UPDATE items SET note = note || id WHERE id < 10");
  for (const char* name : {"notes", "above"}) EXPECT_TRUE(becomes_equal(name));
}

TEST_F(Faults, AnUnusedColumnMayChange) {
  create_totals();
  start_daemon();
  wait_active("totals");
  run("ALTER TABLE items RENAME COLUMN note TO remark; ALTER TABLE items ADD COLUMN more int");
  run("ALTER TABLE items DROP COLUMN remark");
  run("UPDATE items SET amount = amount + 1");
  EXPECT_TRUE(becomes_equal("totals"));
  EXPECT_EQ(root_.value("SELECT count(*) FROM pgtrickle.pgt_refresh_history WHERE initiated_by = 'INITIAL'"), "1");
}

TEST_F(Faults, AChangedColumnTypeIsCompiledAnew) {
  create("copies", "SELECT id, amount, note FROM items");
  create_totals();
  create("above", "SELECT sum(amount) AS s, max(note) AS m FROM copies");
  start_daemon();
  for (const char* name : {"copies", "totals", "above"}) wait_active(name);
  run("BEGIN; UPDATE items SET amount = 7 WHERE id = 7; ALTER TABLE items ALTER COLUMN amount TYPE numeric(12, 2) "
      "USING amount / 3.0; "
      "UPDATE items SET amount = 0.25 WHERE id = 8; COMMIT");
  run("INSERT INTO items VALUES (1000, 1, 1.5, 'x')");
  for (const char* name : {"copies", "totals", "above"}) EXPECT_TRUE(becomes_equal(name));
  EXPECT_EQ(root_.value("SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'copies'::regclass "
                        "AND attname = 'amount'"),
            "numeric(12,2)");
  run("UPDATE items SET amount = amount + 0.5, note = 'n' WHERE id % 2 = 0");
  for (const char* name : {"copies", "totals", "above"}) EXPECT_TRUE(becomes_equal(name));
  for (const char* name : {"copies", "totals", "above"})
    EXPECT_EQ(column(name, "effective_refresh_mode"), "DIFFERENTIAL");
}

TEST_F(Faults, RenamesAreFollowed) {
  create_totals();
  create_labelled();
  create("notes", "SELECT i.note, count(*) AS n FROM items i WHERE i.kind > 0 GROUP BY i.note");
  create("above", "SELECT sum(total) AS s FROM totals");
  start_daemon();
  const std::vector<std::string> all{"totals", "labelled", "notes", "above"};
  for (const auto& name : all) wait_active(name);
  int n = 1000;
  const auto check = [&](const std::string& ddl, const std::string& items, const std::vector<std::string>& names) {
    run(ddl);
    run("INSERT INTO " + items + " VALUES (" + std::to_string(++n) + ", 1, 5, 'new')");
    run("DELETE FROM " + items + " WHERE id = " + std::to_string(n - 990));
    for (const auto& name : names) EXPECT_TRUE(becomes_equal(name)) << ddl;
  };
  check("ALTER TABLE items RENAME COLUMN kind TO sort", "items", {"totals", "notes", "above"});
  check("ALTER TABLE kinds RENAME COLUMN kind TO sort", "items", all);
  check(
      "ALTER TABLE items RENAME COLUMN note TO swap; ALTER TABLE items RENAME COLUMN amount TO note; ALTER TABLE items "
      "RENAME COLUMN swap TO amount",
      "items", all);
  check("ALTER TABLE items RENAME TO things", "things", all);
  root_.exec("CREATE SCHEMA \"Other Place\" AUTHORIZATION " + owner_);
  check("ALTER TABLE things SET SCHEMA \"Other Place\"", "\"Other Place\".things", all);
  // Another table takes the old name: it is not the source.
  check("CREATE TABLE items (id int, sort int, note int, amount text); INSERT INTO items VALUES (1, 2, 3, 'x')",
        "\"Other Place\".things", all);
  check("ALTER TABLE totals RENAME TO sums", "\"Other Place\".things", {"sums", "above", "labelled"});
  check("ALTER TABLE sums SET SCHEMA \"Other Place\"", "\"Other Place\".things", {"\"Other Place\".sums", "above"});
  EXPECT_EQ(root_.table("SELECT name FROM pgtrickle.stream_tables WHERE status <> 'ACTIVE'"), "");
}

/// The names that are recorded must be those of the text that is recorded: a rename may commit between the two.
TEST_F(Faults, RenamesDuringARebuildAreFollowed) {
  create_labelled();
  start_daemon();
  wait_active("labelled");
  for (int i = 0; i < 40; ++i) {
    const std::string from = i == 0 ? "kind" : "kind_" + std::to_string(i);
    for (const char* table : {"items", "kinds"}) {
      run("ALTER TABLE " + std::string(table) + " RENAME COLUMN " + from + " TO kind_" + std::to_string(i + 1));
      std::this_thread::sleep_for(std::chrono::milliseconds(5 * (i % 11)));
    }
  }
  run("INSERT INTO items VALUES (1000, 1, 5, 'new')");
  EXPECT_TRUE(becomes_equal("labelled"));
}

TEST_F(Faults, ARevokedPrivilegeSuspends) {
  root_.exec(
      "CREATE TABLE lent (id int PRIMARY KEY, a int, b int); INSERT INTO lent VALUES (1, 1, 1); GRANT SELECT (id, a) "
      "ON lent TO " +
      owner_);
  EXPECT_THAT(refused("SELECT id, b FROM lent", "AUTO"), HasSubstr("42501"));
  create("borrowed", "SELECT i.kind, sum(l.a) AS s FROM items i JOIN lent l USING (id) GROUP BY i.kind");
  create_totals();
  start_daemon();
  wait_active("borrowed");
  wait_active("totals");
  root_.exec("INSERT INTO lent VALUES (2, 2, 2)");
  EXPECT_TRUE(becomes_equal("borrowed"));
  root_.exec("REVOKE SELECT (a) ON lent FROM " + owner_);
  run("UPDATE items SET amount = amount + 1, kind = 3 WHERE id <= 2");  // also where only the other source changes
  ASSERT_TRUE(becomes("borrowed", "SUSPENDED"));
  EXPECT_EQ(column("borrowed", "last_error_code"), "42501");
  EXPECT_THAT(column("borrowed", "last_error"),
              AllOf(HasSubstr(owner_), HasSubstr("may no longer SELECT"), HasSubstr("public.lent")));
  EXPECT_THAT(column("borrowed", "last_error_hint"), HasSubstr("Grant SELECT"));
  EXPECT_THAT(refused("SELECT pgtrickle.refresh_stream_table('borrowed')"), HasSubstr("42501"));
  root_.exec("INSERT INTO lent VALUES (3, 3, 3)");
  EXPECT_TRUE(becomes_equal("totals"));
  EXPECT_EQ(root_.value("SELECT sum(s) FROM borrowed"), "3") << "nothing new shows";
  root_.exec("GRANT SELECT (a) ON lent TO " + owner_);
  run("SELECT pgtrickle.resume_stream_table('borrowed')");
  EXPECT_TRUE(becomes_equal("borrowed"));
  EXPECT_EQ(root_.value("SELECT sum(s) FROM borrowed"), "6");
}

TEST_F(Faults, ARevokedPrivilegeBeforeTheBuildIsAnError) {
  root_.exec("CREATE TABLE lent (id int PRIMARY KEY); GRANT SELECT ON lent TO " + owner_);
  create("borrowed", "SELECT id FROM lent");
  create_totals();
  root_.exec("REVOKE SELECT ON lent FROM " + owner_);
  start_daemon();
  EXPECT_THAT(refused("SELECT pgtrickle.wait_until_active('borrowed', '20 s')"),
              AllOf(HasSubstr("42501"), HasSubstr("lent")));
  EXPECT_TRUE(becomes_equal("totals"));
  root_.exec("GRANT SELECT ON lent TO " + owner_);
  run("SELECT pgtrickle.resume_stream_table('borrowed')");
  EXPECT_TRUE(becomes_equal("borrowed"));
}

TEST_F(Faults, RowSecurityOfASourceMeansFull) {
  root_.exec(
      "CREATE TABLE rows_of (id int PRIMARY KEY, who name); ALTER TABLE rows_of ENABLE ROW LEVEL SECURITY;"
      "CREATE POLICY own ON rows_of USING (who = current_user); GRANT SELECT ON rows_of TO " +
      owner_);
  root_.exec("INSERT INTO rows_of VALUES (1, '" + owner_ + "'), (2, 'somebody')");
  create("visible", "SELECT id, who FROM rows_of");
  EXPECT_THAT(
      refused("SELECT id, who FROM rows_of", "DIFFERENTIAL"),
      AllOf(HasSubstr("0A000"), HasSubstr("row-level security"), HasSubstr("public.rows_of"), HasSubstr("HINT")));
  root_.exec("ALTER TABLE rows_of DISABLE ROW LEVEL SECURITY");
  create("explicit", "SELECT id, who FROM rows_of", "DIFFERENTIAL");
  root_.exec("ALTER TABLE rows_of ENABLE ROW LEVEL SECURITY");  // between the check at creation and compilation
  start_daemon();
  wait_active("visible");
  EXPECT_EQ(column("visible", "effective_refresh_mode"), "FULL");
  EXPECT_THAT(column("visible", "reason"), HasSubstr("row"));
  ASSERT_TRUE(becomes("explicit", "ERROR"));
  root_.exec("INSERT INTO rows_of VALUES (3, '" + owner_ + "'), (4, 'somebody')");
  EXPECT_TRUE(wait_until([&] { return root_.table("SELECT id FROM visible ORDER BY id") == "1\n3"; }));
  EXPECT_TRUE(equals_query(*session_, "visible"));
}

TEST_F(Faults, PartitionsComeAndGo) {
  run("CREATE TABLE parts (id int, region int, amount int) PARTITION BY LIST (region);"
      "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1); CREATE TABLE parts_2 PARTITION OF parts FOR VALUES "
      "IN (2);"
      "CREATE TABLE loose (amount int, id int, region int); INSERT INTO loose VALUES (30, 3, 3), (31, 4, 3);"
      "INSERT INTO parts VALUES (1, 1, 10), (2, 2, 20)");
  create("by_region", "SELECT region, count(*) AS n, sum(amount) AS total FROM parts GROUP BY region");
  create("rows_of_parts", "SELECT id, amount FROM parts");
  start_daemon();
  const auto check = [&](const std::string& sql) {
    run(sql);
    for (const char* name : {"by_region", "rows_of_parts"}) EXPECT_TRUE(becomes_equal(name)) << sql;
  };
  check("SELECT 1");
  check("INSERT INTO parts_1 VALUES (5, 1, 11)");
  check("UPDATE parts SET region = 2 WHERE id = 5");
  check("ALTER TABLE parts ATTACH PARTITION loose FOR VALUES IN (3)");
  check("INSERT INTO loose VALUES (32, 5, 3)");
  check("UPDATE parts SET amount = amount + 1, region = 1 WHERE id = 4");
  check("ALTER TABLE parts DETACH PARTITION parts_2");
  check("INSERT INTO parts_2 VALUES (9, 2, 9)");
  check(
      "BEGIN; ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES IN (2); UPDATE parts SET amount = 0 WHERE id = 9; "
      "COMMIT");
  check("TRUNCATE parts_1");
  check("DROP TABLE loose");
  EXPECT_EQ(column("by_region", "effective_refresh_mode"), "DIFFERENTIAL");
}

// An index row holds about 2,700 bytes: from the first longer key on, rows are identified by the hash of their key.
TEST_F(Faults, WideKeys) {
  run("CREATE TABLE texts (t text NOT NULL, n int); INSERT INTO texts VALUES ('short', 1)");
  // Random, or it would be compressed to nothing.
  run("CREATE FUNCTION wide(seed int) RETURNS text LANGUAGE sql IMMUTABLE AS "
      "$$SELECT string_agg(md5(seed::text || '.' || i), '') FROM generate_series(1, 300) AS i$$");
  create("by_text", "SELECT t, count(*) AS n, sum(n) AS s FROM texts GROUP BY t");
  create("all_texts", "SELECT t, n FROM texts");
  create("distinct_texts", "SELECT DISTINCT t FROM texts");
  create("nested", "SELECT n, count(*) AS c FROM (SELECT t, count(*) AS n FROM texts GROUP BY t) s GROUP BY n");
  start_daemon();
  const std::vector<std::string> all{"by_text", "all_texts", "distinct_texts", "nested"};
  for (const auto& name : all) wait_active(name);
  run("INSERT INTO texts SELECT wide(i % 3), i FROM generate_series(1, 10) AS i");
  for (const auto& name : all) EXPECT_TRUE(becomes_equal(name));
  run("DELETE FROM texts WHERE n IN (3, 4); UPDATE texts SET n = n + 100 WHERE n > 6; INSERT INTO texts VALUES "
      "(wide(2) || 'x', 1), ('short', 5)");
  for (const auto& name : all) EXPECT_TRUE(becomes_equal(name));
  EXPECT_EQ(
      root_.value("SELECT count(*) FROM pgtrickle.pgt_stream_tables WHERE effective_refresh_mode = 'DIFFERENTIAL'"),
      "4");
  EXPECT_EQ(column("by_text", "options ->> 'wide_keys'"), "true");
  create("late", "SELECT t, max(n) AS m FROM texts GROUP BY t");  // wide from the start
  EXPECT_TRUE(becomes_equal("late"));
  run("DELETE FROM texts WHERE n > 100");
  EXPECT_TRUE(becomes_equal("late"));
}

TEST_F(Faults, HostileNames) {
  const std::vector<std::string> names{
      "it's",          "say \"hi\"", "$pgt$ $$ $1", "back\\slash",
      "100% %s %I %L", "a;b--c/*",   "select",      "été \xe6\x97\xa5\xe6\x9c\xac",
      "a.b",           "{}[]()",     "Ünï \t x",    "x23456789012345678901234567890123456789012345678901234567890123"};
  const auto quoted = [&](const std::string& name) {
    return root_.value("SELECT quote_ident(" + root_.quote(name) + ")");
  };
  start_daemon();
  std::vector<std::string> tables;
  for (const auto& name : names) {
    const std::string schema = quoted("s " + name.substr(0, 58));
    const std::string id = quoted(name);
    root_.exec("CREATE SCHEMA IF NOT EXISTS " + schema + " AUTHORIZATION " + owner_);
    const std::string source = schema + "." + id;
    run("CREATE TABLE " + source + " (" + id + " text NOT NULL, \"$2\" int, \"w\" int, \"n'\"\"%\" numeric)");
    run("INSERT INTO " + source + " SELECT 'v' || i % 4, i, i, i FROM generate_series(1, 20) AS i");
    const std::string st = schema + "." + quoted("t" + name.substr(0, 62));
    run("SELECT pgtrickle.create_stream_table(" + root_.quote(st) + ", " +
        root_.quote("SELECT a." + id +
                    ", count(*) AS \"$2\", sum(a.w + b.\"$2\") AS \"n'\"\"%\", min('it''s $pgt$ \\ %' || a." + id +
                    ") AS w FROM " + source + " a JOIN " + source + " b ON a." + id + " = b." + id + " GROUP BY a." +
                    id) +
        ", schedule => '100 ms', refresh_mode => 'DIFFERENTIAL')");
    run("INSERT INTO " + source + " VALUES ('$pgt$''\"', 1, 1, 1), ('v1', NULL, NULL, NULL)");
    run("DELETE FROM " + source + " WHERE w = 2");
    tables.push_back(st);
  }
  for (const auto& table : tables) EXPECT_TRUE(becomes_equal(table)) << table;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const std::string source = quoted("s " + names[i].substr(0, 58)) + "." + quoted(names[i]);
    run("UPDATE " + source + " SET w = w + 1, " + quoted(names[i]) + " = 'z' WHERE w % 3 = 0");
    EXPECT_TRUE(becomes_equal(tables[i])) << tables[i];
    run("SELECT pgtrickle.drop_stream_table(" + root_.quote(tables[i]) + ")");
  }
}

}  // namespace
