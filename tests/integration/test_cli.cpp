// The command line tool as people and CI use it: as a process, by its output and exit code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/cluster.h"
#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"

namespace pgt::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Cli : public ::testing::Test {
 protected:
  ProcessResult run(std::vector<std::string> arguments, const std::string& input = {}) {
    arguments.insert(arguments.end(), {"--dsn", db_.dsn()});
    return run_cli(arguments, input);
  }

  void make_sales() {
    session_.exec("CREATE TABLE orders (id int PRIMARY KEY, region text, amount numeric)");
    session_.exec("INSERT INTO orders VALUES (1, 'north', 10), (2, 'south', 20)");
    db_.create_stream_table("sales", "SELECT region, sum(amount) AS total FROM orders GROUP BY region");
  }

  TestDatabase db_;
  Session session_{db_.dsn()};
};

TEST(CliInstall, InstallsOnceAndUninstalls) {
  TestDatabase db(TestDatabase::Install::kNothing);
  const auto missing = run_cli({"status", "--dsn", db.dsn()});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, AllOf(HasSubstr("not installed in database"), HasSubstr("pgtrickle install")));

  const auto first = run_cli({"--dsn", db.dsn(), "install"});
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("installed pgtrickle"));
  const auto second = run_cli({"install", "--dsn", db.dsn()});
  EXPECT_EQ(second.exit_code, 0);
  EXPECT_THAT(second.out, HasSubstr("already installed"));

  Session session(db.dsn());
  session.exec("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
  db.create_stream_table("st", "SELECT a FROM t");
  EXPECT_EQ(run_cli({"uninstall", "--dsn", db.dsn()}).exit_code, 2) << "needs --yes";
  const auto removed = run_cli({"uninstall", "--yes", "--dsn", db.dsn()});
  EXPECT_EQ(removed.exit_code, 0) << removed.err;
  session.exec("INSERT INTO t VALUES (2); INSERT INTO st VALUES (7)");  // no capture and no guard any more
  EXPECT_EQ(session.table("TABLE st ORDER BY 1"), "1\n7");
  EXPECT_EQ(session.value("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pgtrickle%'"), "0");
}

TEST_F(Cli, CreatesFromOptionFileAndStandardInput) {
  session_.exec("CREATE TABLE t (a int)");
  EXPECT_EQ(run({"create", "one", "--query", "SELECT a FROM t"}).exit_code, 0);
  const auto two = run({"create", "two", "--schedule", "5m", "--mode", "FULL"}, "SELECT a + 1 AS a FROM t");
  EXPECT_EQ(two.exit_code, 0) << two.err;
  EXPECT_EQ(session_.table("SELECT table_name, refresh_mode, schedule FROM pgtrickle.stream_tables ORDER BY 1"),
            "one|AUTO|calculated\ntwo|FULL|5m");
  EXPECT_EQ(run({"create", "one", "--if-not-exists", "--query", "SELECT a FROM t"}).exit_code, 0);

  const auto again = run({"create", "one", "--query", "SELECT a FROM t"});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, AllOf(HasSubstr("one"), HasSubstr("already exists"), Not(HasSubstr("CONTEXT"))));
  EXPECT_EQ(run({"create", "x", "--file", "/nonexistent/q.sql"}).exit_code, 1);
}

TEST_F(Cli, WaitSaysThatNoDaemonRuns) {
  session_.exec("CREATE TABLE t (a int)");
  const auto created = run({"create", "one", "--query", "SELECT a FROM t", "--wait", "300 ms"});
  EXPECT_EQ(created.exit_code, 1);
  EXPECT_THAT(created.err, HasSubstr("pgtrickled"));
}

TEST_F(Cli, RefreshVerifyAndStatus) {
  make_sales();
  session_.exec("INSERT INTO orders VALUES (3, 'north', 5)");
  const auto stale = run({"verify", "sales", "--no-refresh"});
  EXPECT_EQ(stale.exit_code, 1);
  EXPECT_THAT(stale.out, HasSubstr("1 rows missing, 1 rows too many"));

  EXPECT_EQ(run({"refresh", "sales"}).exit_code, 0);
  EXPECT_TRUE(equals_query(session_, "sales"));
  const auto fresh = run({"verify"});
  EXPECT_EQ(fresh.exit_code, 0) << fresh.out << fresh.err;
  EXPECT_THAT(fresh.out, HasSubstr("public.sales: equals its query"));

  const auto table = run({"status"});
  EXPECT_THAT(table.out, AllOf(HasSubstr("NAME"), HasSubstr("public.sales"), HasSubstr("ACTIVE"),
                               HasSubstr("DIFFERENTIAL"), HasSubstr("no daemon is running")));
  const auto json = nlohmann::json::parse(run({"status", "--json", "sales"}).out);
  ASSERT_EQ(json.size(), 1U);
  EXPECT_EQ(json[0]["name"], "public.sales");
  EXPECT_EQ(json[0]["rows"], 2);
  EXPECT_THAT(run({"status", "nothing"}).err, HasSubstr("nothing"));
}

TEST_F(Cli, StatusOfSeveral) {
  make_sales();
  session_.exec("CREATE SCHEMA \"S 2\"");
  db_.create_stream_table("\"S 2\".\"o'k\"", "SELECT id FROM orders");
  db_.create_stream_table("third", "SELECT id FROM orders");
  const auto two = run({"status", "sales", "\"S 2\".\"o'k\"", "sales"});
  EXPECT_EQ(two.exit_code, 0) << two.err;
  EXPECT_THAT(two.out, AllOf(HasSubstr("public.sales"), HasSubstr("o'k"), Not(HasSubstr("third"))));
  EXPECT_EQ(nlohmann::json::parse(run({"status", "--json", "sales", "third"}).out).size(), 2U);
  const auto wrong = run({"status", "sales", "orders"});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.err, HasSubstr("public.orders is not a stream table"));
}

TEST_F(Cli, WhatIsExportedIsImportedElsewhere) {
  make_sales();
  session_.exec("CREATE SCHEMA \"S 2\"; CREATE INDEX on_region ON sales (region)");
  db_.create_stream_table("\"S 2\".\"on 'sales'\"", "SELECT count(*) AS n FROM sales");
  session_.exec("ALTER TABLE orders RENAME COLUMN amount TO worth");
  db_.build_pending();  // from now on its text says so
  const auto all = run({"export"});
  ASSERT_EQ(all.exit_code, 0) << all.err;
  EXPECT_THAT(all.out, AllOf(HasSubstr("-- stream table public.sales\n"), HasSubstr("worth"), HasSubstr("on_region")));
  EXPECT_LT(all.out.find("'public.sales'"), all.out.find("on ''sales''")) << "what is read comes first";
  EXPECT_THAT(run({"export", "\"S 2\".\"on 'sales'\""}).out, Not(HasSubstr("stream table public.sales")));
  EXPECT_THAT(run({"export", "orders"}).err, HasSubstr("public.orders is not a stream table"));

  session_.exec("SELECT pgtrickle.drop_stream_table('sales', cascade => true)");
  EXPECT_THAT(run({"export"}).out, Not(HasSubstr("-- stream table ")));
  const auto imported = run({"import"}, all.out);
  EXPECT_EQ(imported.exit_code, 0) << imported.err;
  EXPECT_THAT(imported.out, HasSubstr("2 new stream tables"));
  db_.build_pending();
  EXPECT_TRUE(equals_query(session_, "sales"));
  EXPECT_TRUE(equals_query(session_, "\"S 2\".\"on 'sales'\""));
  EXPECT_THAT(run({"import"}, all.out).out, HasSubstr("0 new stream tables"));

  const auto wrong = run({"import"}, "SELECT pgtrickle.drop_stream_table('sales', true); SELECT nonsense");
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.err, HasSubstr("nonsense"));
  EXPECT_EQ(session_.value("SELECT count(*) FROM pgtrickle.stream_tables"), "2") << "all of it or nothing";
  EXPECT_EQ(run({"import", "/nonexistent/file.sql"}).exit_code, 1);
}

TEST_F(Cli, AdoptsAMaterializedViewAndGivesItBack) {
  session_.exec("CREATE TABLE orders (id int PRIMARY KEY, region text); INSERT INTO orders VALUES (1, 'north')");
  session_.exec(
      "CREATE MATERIALIZED VIEW \"m v\" AS SELECT region, count(*) AS n FROM orders GROUP BY region;"
      "CREATE INDEX \"of\nlines\" ON \"m v\" (n); CREATE VIEW reading AS SELECT n FROM \"m v\"");
  const std::string kind = "SELECT relkind FROM pg_class WHERE oid = '\"m v\"'::regclass";
  const auto plan = run({"adopt", "--dry-run", "\"m v\"", "--schedule", "5m"});
  EXPECT_EQ(plan.exit_code, 0) << plan.err;
  EXPECT_THAT(plan.out,
              AllOf(HasSubstr("-- create: public.\"m v\"\nSELECT pgtrickle.create_stream_table("),
                    HasSubstr("schedule => '5m', refresh_mode => 'AUTO'"), HasSubstr("-- run: public.\"of lines\""),
                    HasSubstr("CREATE OR REPLACE VIEW public.reading AS")));
  EXPECT_EQ(session_.value(kind), "m") << "nothing was done";
  const auto adopted = run({"adopt", "\"m v\"", "--mode", "FULL"});
  EXPECT_EQ(adopted.exit_code, 0) << adopted.err;
  EXPECT_THAT(adopted.out, AllOf(HasSubstr("\"m v\" is a stream table"), HasSubstr("no daemon is running")));
  EXPECT_EQ(session_.value("SELECT name || refresh_mode FROM pgtrickle.stream_tables"), "public.\"m v\"FULL");
  db_.build_pending();
  EXPECT_TRUE(equals_query(session_, "\"m v\""));

  session_.exec("ALTER TABLE \"m v\" ADD CONSTRAINT positive CHECK (n > 0)");
  const auto refused = run({"adopt", "--undo", "--dry-run", "\"m v\""});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.out, HasSubstr("-- refuse: public.\"m v\": has constraint \"positive\"\n"));
  EXPECT_THAT(run({"adopt", "--undo", "\"m v\""}).err, AllOf(HasSubstr("positive"), HasSubstr("HINT:")));
  session_.exec("ALTER TABLE \"m v\" DROP CONSTRAINT positive");
  const auto back = run({"adopt", "--undo", "\"m v\""});
  EXPECT_EQ(back.exit_code, 0) << back.err;
  EXPECT_EQ(session_.value(kind), "m");
  EXPECT_THAT(run({"adopt", "reading"}).err, HasSubstr("public.reading is not a materialized view"));
}

TEST_F(Cli, VerifyGoesOnAfterWhatItCannotCheck) {
  make_sales();
  session_.exec("CREATE TABLE other (id int); INSERT INTO other VALUES (1)");
  for (const std::string name : {"a_gated", "b_blown", "c_paused", "d_broken", "z_good"})
    db_.create_stream_table(name, "SELECT id FROM " + std::string(name == "a_gated" ? "other" : "orders"));
  session_.exec("SELECT pgtrickle.gate_source('other'); INSERT INTO other VALUES (2)");
  session_.exec("SELECT pgtrickle.alter_stream_table('b_blown', fuse => 'on', fuse_ceiling => 1)");
  session_.exec(
      "UPDATE pgtrickle.pgt_stream_tables SET fuse_blown_at = now(), fuse_blow_reason = 'x' WHERE pgt_name = "
      "'b_blown'");
  session_.exec("SELECT pgtrickle.pause_stream_table('c_paused')");
  session_.exec(
      "UPDATE pgtrickle.pgt_stream_tables SET status = 'ERROR', last_error = 'so' WHERE pgt_name = 'd_broken'");
  session_.exec("INSERT INTO orders VALUES (3, 'north', 1)");

  const auto all = run({"verify"});
  EXPECT_EQ(all.exit_code, 3) << all.out << all.err;
  EXPECT_THAT(all.out,
              AllOf(HasSubstr("public.a_gated: not checked: "), HasSubstr("is gated"),
                    HasSubstr("public.b_blown: not checked: "), HasSubstr("fuse"),
                    HasSubstr("public.c_paused: not checked: its status is PAUSED"),
                    HasSubstr("public.d_broken: not checked: its status is ERROR"),
                    HasSubstr("public.sales: equals its query"), HasSubstr("public.z_good: equals its query")));
  const auto named = run({"verify", "nothing", "z_good"});
  EXPECT_EQ(named.exit_code, 3);
  EXPECT_THAT(named.out, AllOf(HasSubstr("nothing: not checked: stream table nothing does not exist"),
                               HasSubstr("z_good: equals its query")));
  session_.exec("SET pgtrickle.apply = ''; ALTER TABLE z_good DISABLE TRIGGER ALL; DELETE FROM z_good WHERE id = 1");
  EXPECT_EQ(run({"verify"}).exit_code, 1) << "that rows differ weighs more";
}

TEST_F(Cli, DefaultsOfSessionsDoNotMatter) {
  db_.create_stream_table("before", "SELECT 1 AS one");  // this test's own session is to have no such defaults
  for (const std::string setting :
       {"default_transaction_isolation = 'serializable'", "default_transaction_read_only = on",
        "statement_timeout = '1ms'", "standard_conforming_strings = off", "DateStyle = 'German, DMY'",
        "IntervalStyle = 'sql_standard'", "client_encoding = 'LATIN1'", "search_path = 'odd one', public",
        "quote_all_identifiers = on", "transform_null_equals = on"})
    session_.exec("ALTER DATABASE \"" + db_.name() + "\" SET " + setting);
  session_.exec("CREATE TABLE t (id int PRIMARY KEY, v text, d date)");
  session_.exec("INSERT INTO t VALUES (1, E'a\\\\b', '2024-02-01'), (2, 'ä', NULL)");
  const auto good = [&](const std::vector<std::string>& arguments) {
    const auto result = run(arguments);
    EXPECT_EQ(result.exit_code, 0) << arguments[0] << ": " << result.out << result.err;
    return result.out;
  };
  good({"create", "st", "--query", "SELECT id, v, d, E'x\\\\y' AS lit FROM t WHERE v <> E'\\\\'"});
  EXPECT_EQ(session_.value("SELECT lit FROM st LIMIT 1"), "x\\y");
  EXPECT_EQ(db_.build("st").message.substr(0, 12), "DIFFERENTIAL");
  session_.exec("INSERT INTO t VALUES (3, E'\\\\', '2024-03-01'), (4, E'c\\\\', '2024-03-01')");
  good({"refresh", "st"});
  EXPECT_TRUE(equals_query(session_, "st"));
  EXPECT_EQ(session_.table("SELECT id, v, lit FROM st ORDER BY id"), "1|a\\b|x\\y\n2|ä|x\\y\n4|c\\|x\\y");
  EXPECT_THAT(good({"verify"}), HasSubstr("equals its query"));
  EXPECT_THAT(good({"status"}), HasSubstr("\"st\""));
  EXPECT_EQ(nlohmann::json::parse(good({"status", "--json", "st"}))[0]["rows"], 3);
  good({"explain", "st"});
  EXPECT_THAT(good({"validate", "--query", "SELECT id, 'ä' AS a FROM t"}), HasSubstr("mode: DIFFERENTIAL"));
  // A session of a user with these defaults refreshes by hand: the program means what it meant where it was made.
  Session user(db_.dsn() + " options='-c default_transaction_read_only=off -c statement_timeout=0'");
  user.exec(
      "BEGIN ISOLATION LEVEL READ COMMITTED; UPDATE t SET v = E'\\\\' WHERE id = 1; UPDATE t SET v = E'\\\\z' WHERE id "
      "= 3");
  user.exec("SELECT pgtrickle.refresh_stream_table('st'); COMMIT");
  EXPECT_TRUE(equals_query(session_, "st"));
  EXPECT_EQ(session_.table("SELECT id, v, lit FROM st ORDER BY id"), "2|ä|x\\y\n3|\\z|x\\y\n4|c\\|x\\y");
  good({"alter", "st", "--schedule", "5m"});
  good({"drop", "st"});
  good({"uninstall", "--yes"});
  good({"install"});
}

TEST_F(Cli, ErrorsShowTheirPlaceInTheQuery) {
  session_.exec("CREATE TABLE t (a int, b text)");
  for (const std::string command : {"create", "validate"}) {
    for (const auto& [query, place] :
         {std::pair<std::string, std::string>{"SELECT a,\n  c\nFROM t", "\nLINE 2:   c\n          ^"},
          {"SELECT a FROM t WHERE b > now()",
           "\nLINE 1: SELECT a FROM t WHERE b > now()\n                                ^"},
          {"SELECT a FORM t x", "\nLINE 1: SELECT a FORM t x\n                      ^"}}) {
      std::vector<std::string> arguments{command};
      if (command == "create") arguments.emplace_back("st");
      arguments.insert(arguments.end(), {"--query", query});
      const auto result = run(arguments);
      EXPECT_EQ(result.exit_code, 1);
      EXPECT_THAT(result.err, AllOf(HasSubstr(place), Not(HasSubstr("CREATE TEMP")))) << command;
      EXPECT_EQ(result.err.find("LINE "), result.err.rfind("LINE ")) << result.err;
    }
  }
}

TEST_F(Cli, CreateSaysWhatBecomesOfIt) {
  session_.exec("CREATE TABLE t (a int)");
  EXPECT_THAT(run({"create", "early", "--query", "SELECT a FROM t"}).out,
              HasSubstr("created stream table early\nno daemon is running for this database"));
  DaemonProcess daemon(db_.dsn());
  EXPECT_THAT(run({"create", "one", "--query", "SELECT a FROM t"}).out,
              HasSubstr("created stream table one\nmode DIFFERENTIAL: changes are applied"));
  EXPECT_THAT(run({"create", "two", "--schedule", "1h", "--query", "SELECT a, random() AS r FROM t"}).out,
              HasSubstr("mode FULL: every refresh recomputes the query, because function random() is VOLATILE"));
  EXPECT_THAT(run({"create", "three", "--mode", "FULL", "--query", "SELECT a FROM t"}).out,
              HasSubstr("mode FULL: every refresh recomputes the query, because it was asked for"));
  EXPECT_THAT(run({"create", "one", "--if-not-exists", "--query", "SELECT a FROM t"}).out,
              HasSubstr("stream table one exists already and stays as it is"));
  EXPECT_THAT(run({"create", "one", "--or-replace", "--query", "SELECT a + 1 AS a FROM t"}).out,
              HasSubstr("replaced stream table one\n"));
}

TEST_F(Cli, StatusCheckIsForMonitoring) {
  make_sales();
  EXPECT_EQ(run({"status", "--check"}).exit_code, 0);
  EXPECT_EQ(run({"alter", "sales", "--status", "PAUSED"}).exit_code, 0);
  EXPECT_EQ(run({"status", "--check"}).exit_code, 3);
  EXPECT_EQ(run({"alter", "sales", "--status", "ACTIVE"}).exit_code, 0);
  EXPECT_EQ(run({"status", "--check"}).exit_code, 0);

  session_.exec("UPDATE pgtrickle.pgt_stream_tables SET skipped_at = now(), fuse_blown_at = now()");
  const auto bad = run({"status", "--check"});
  EXPECT_EQ(bad.exit_code, 3);
  EXPECT_THAT(bad.out, HasSubstr("its fuse is blown; changes were skipped"));
  EXPECT_THAT(bad.out, Not(HasSubstr("paused")));
  session_.exec("UPDATE pgtrickle.pgt_stream_tables SET skipped_at = NULL, fuse_blown_at = NULL");
  session_.exec("SELECT pgtrickle.gate_source('orders'); SELECT pgtrickle.pause_scheduler('an upgrade')");
  const auto waiting = run({"status", "--check"});
  EXPECT_EQ(waiting.exit_code, 0);
  EXPECT_THAT(waiting.out, AllOf(HasSubstr("held: source public.orders is gated"),
                                 HasSubstr("refreshing is paused by "), HasSubstr(": an upgrade")));
}

TEST_F(Cli, OptionsOfCreateAndAlter) {
  session_.exec("CREATE TABLE t (a int, b int)");
  const auto created = run({"create",
                            "one",
                            "--query",
                            "SELECT a FROM t",
                            "--schedule",
                            "0 3 * * *",
                            "--tier",
                            "warm",
                            "--max-staleness",
                            "5 min",
                            "--max-delta-fraction",
                            "0.25",
                            "--fuse",
                            "on",
                            "--fuse-ceiling",
                            "100",
                            "--fuse-sensitivity",
                            "3",
                            "--diamond-consistency",
                            "none",
                            "--diamond-schedule-policy",
                            "slowest",
                            "--allow-circular",
                            "true"});
  EXPECT_EQ(created.exit_code, 0) << created.err;
  const std::string options =
      "SELECT schedule, tier, max_staleness, max_delta_fraction, fuse, fuse_ceiling, fuse_sensitivity, "
      "diamond_consistency, diamond_schedule_policy, allow_circular FROM pgtrickle.pgt_stream_tables";
  EXPECT_EQ(session_.table(options), "0 3 * * *|warm|00:05:00|0.25|on|100|3|none|slowest|t");
  EXPECT_THAT(run({"create", "x", "--query", "SELECT a FROM t", "--tier", "it's"}).err,
              AllOf(HasSubstr("it''s"), HasSubstr("HINT"), HasSubstr("frozen")));

  EXPECT_EQ(run({"alter", "one", "--tier", "cold", "--fuse", "off", "--max-staleness", "0"}).exit_code, 0);
  EXPECT_EQ(session_.table(options), "0 3 * * *|cold|null|0.25|off|100|3|none|slowest|t");
  EXPECT_EQ(run({"alter", "one", "--fuse-ceiling", "-1", "--max-delta-fraction", "-1"}).exit_code, 0);
  EXPECT_EQ(session_.table(options), "0 3 * * *|cold|null|null|off|null|3|none|slowest|t");

  const std::string query = "SELECT original_query FROM pgtrickle.pgt_stream_tables";
  EXPECT_EQ(run({"alter", "one", "--query", "SELECT a, b FROM t"}).exit_code, 0);
  EXPECT_EQ(session_.value(query), "SELECT a, b FROM t");
  EXPECT_EQ(run({"alter", "one", "--file", "-"}, "SELECT a, b + 1 AS b FROM t").exit_code, 0);
  EXPECT_EQ(session_.value(query), "SELECT a, b + 1 AS b FROM t");
  const std::string id = session_.value("SELECT pgt_id FROM pgtrickle.pgt_stream_tables");
  EXPECT_EQ(run({"create", "one", "--or-replace", "--query", "SELECT a FROM t"}).exit_code, 0);
  EXPECT_EQ(session_.value("SELECT pgt_id FROM pgtrickle.pgt_stream_tables"), id);
  EXPECT_NE(run({"create", "one", "--or-replace", "--if-not-exists", "--query", "SELECT a FROM t"}).exit_code, 0);
  EXPECT_EQ(run({"alter", "one", "--query", "SELECT a FROM one"}).exit_code, 0);
  EXPECT_EQ(run({"alter", "one", "--allow-circular", "false"}).exit_code, 1);
}

TEST_F(Cli, AlterDropAndExplain) {
  make_sales();
  EXPECT_EQ(run({"alter", "sales", "--schedule", "7s"}).exit_code, 0);
  EXPECT_EQ(session_.value("SELECT schedule FROM pgtrickle.stream_tables"), "7s");
  EXPECT_EQ(run({"alter", "sales"}).exit_code, 2);
  EXPECT_THAT(run({"alter", "sales", "--schedule", "often"}).err, AllOf(HasSubstr("often"), HasSubstr("HINT")));
  EXPECT_THAT(run({"explain", "sales"}).out,
              AllOf(HasSubstr("Aggregate"), HasSubstr("public.orders"), Not(HasSubstr("CREATE OR REPLACE"))));
  EXPECT_THAT(run({"explain", "sales", "--sql"}).out, HasSubstr("CREATE OR REPLACE FUNCTION pgtrickle_state.refresh_"));

  db_.create_stream_table("above", "SELECT count(*) AS n FROM sales");
  const auto refused = run({"drop", "sales"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("above"));
  EXPECT_THAT(run({"explain", "sales"}).out, HasSubstr("read by\n  public.above  stream table\n"));
  EXPECT_EQ(run({"drop", "sales", "--cascade"}).exit_code, 0);
  EXPECT_EQ(session_.value("SELECT count(*) FROM pgtrickle.stream_tables"), "0");
}

TEST_F(Cli, ValidateAnswersByExitCode) {
  session_.exec("CREATE TABLE t (a int, b int)");
  const auto good = run({"validate", "--query", "SELECT a, sum(b) AS s FROM t GROUP BY a"});
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_THAT(good.out, AllOf(HasSubstr("mode: DIFFERENTIAL"), HasSubstr("O(delta)"), Not(HasSubstr("CREATE"))));
  EXPECT_THAT(run({"validate", "--sql", "--query", "SELECT a, sum(b) AS s FROM t GROUP BY a"}).out,
              AllOf(HasSubstr("mode: DIFFERENTIAL"), HasSubstr("CREATE")));
  const std::string query = "SELECT a, min(b) AS least FROM t GROUP BY a";
  const auto apply = run({"validate", "--only", "apply", "--query", query}).out;
  EXPECT_THAT(apply, AllOf(testing::StartsWith("CREATE OR REPLACE FUNCTION pgtrickle_state.apply_0("),
                           HasSubstr("REVOKE ALL ON FUNCTION pgtrickle_state.apply_0("), Not(HasSubstr("refresh_0"))));
  const auto node = run({"validate", "--only", "node", "--query", query}).out;
  EXPECT_THAT(node, AllOf(testing::StartsWith("CREATE TABLE pgtrickle_state.node_0_1 AS"), HasSubstr("CREATE INDEX ON"),
                          HasSubstr("FUNCTION pgtrickle_state.groups_0_1("), Not(HasSubstr("apply_0"))));
  EXPECT_THAT(run({"validate", "--trace", "--query", query}).out,
              AllOf(HasSubstr("\nanalyze\n  "), HasSubstr("\nprune columns\n  "), HasSubstr("\ncut\n  "),
                    Not(HasSubstr("CREATE OR REPLACE"))));
  EXPECT_THAT(run({"validate", "--mode", "IMMEDIATE", "--query", query}).out,
              AllOf(HasSubstr("mode: IMMEDIATE"), HasSubstr("Triggers before and after each statement on public.t"),
                    HasSubstr("lock, until their transactions end:\n  keys of the result that change")));
  const auto impossible = run({"validate", "--mode", "IMMEDIATE", "--query", "SELECT random() AS r FROM t"});
  EXPECT_EQ(impossible.exit_code, 1);
  EXPECT_THAT(impossible.err, HasSubstr("refresh mode IMMEDIATE is not possible: function random() is VOLATILE"));
  EXPECT_EQ(run({"validate", "--only", "everything", "--query", query}).exit_code, 2);

  const auto full =
      run({"validate"},
          "WITH RECURSIVE r AS (SELECT a FROM t UNION SELECT DISTINCT a + 1 FROM r WHERE a < 9) SELECT a FROM r");
  EXPECT_EQ(full.exit_code, 3) << full.err;
  EXPECT_THAT(full.out, HasSubstr("mode: FULL ("));

  const auto bad = run({"validate", "--query", "SELECT nothing FROM t"});
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_THAT(bad.err, HasSubstr("nothing"));
  const auto json = run({"validate", "--json", "--query", "SELECT a FROM t LIMIT 1"});
  EXPECT_EQ(json.exit_code, 1);
  EXPECT_EQ(nlohmann::json::parse(json.out)["ok"], false);

  EXPECT_EQ(session_.value("SELECT count(*) FROM pg_proc WHERE pronamespace = 'pgtrickle_state'::regnamespace"), "0")
      << "nothing was created";
}

TEST_F(Cli, UsageErrorsAndEnvironment) {
  EXPECT_EQ(run_cli({}).exit_code, 2);
  const auto unknown = run_cli({"bogus"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("bogus"));
  EXPECT_EQ(run_cli({"status", "--nonsense"}).exit_code, 2);
  EXPECT_EQ(run_cli({"drop"}).exit_code, 2);
  EXPECT_EQ(run_cli({"--help"}).exit_code, 0);
  EXPECT_THAT(run_cli({"--version"}).out, HasSubstr("pgtrickle "));
  EXPECT_THAT(run_cli({"version"}).out, HasSubstr("pgtrickle "));

  const std::string socket = db_.dsn().substr(5, db_.dsn().find(' ') - 5);
  const auto from_environment =
      run_cli({"status"}, {}, {{"PGHOST", socket}, {"PGUSER", "postgres"}, {"PGDATABASE", db_.name()}});
  EXPECT_EQ(from_environment.exit_code, 0) << from_environment.err;

  const auto lost = run_cli({"status", "--dsn", "host=/nonexistent password=hunter2"});
  EXPECT_EQ(lost.exit_code, 1);
  EXPECT_THAT(lost.err, AllOf(HasSubstr("/nonexistent"), Not(HasSubstr("hunter2"))));
}

}  // namespace
}  // namespace pgt::test
