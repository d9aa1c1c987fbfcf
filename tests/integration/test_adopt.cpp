// Materialized views that become stream tables of the same name, beside a daemon, and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <pqxx/pqxx>
#include <sstream>
#include <string>

#include "support/cluster.h"
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
using ::testing::AllOf;
using ::testing::HasSubstr;

/// Schema shop has materialized views of a role, and what reads them; what they read is elsewhere.
class Adopt : public ::testing::Test {
 protected:
  Adopt() {
    session_.exec("SELECT pgtrickle.trust_owner('" + owner_ + "')");
    session_.exec(
        "CREATE TABLE items (id int PRIMARY KEY, kind text, amount int);"
        "INSERT INTO items SELECT i, 'k' || i % 4, i FROM generate_series(1, 40) AS i;"
        "GRANT SELECT, TRIGGER ON items TO " +
        owner_ + "; CREATE SCHEMA shop AUTHORIZATION " + owner_ + "; GRANT USAGE ON SCHEMA shop TO PUBLIC; SET ROLE " +
        owner_);
    session_.exec(R"(SET search_path = shop;
CREATE MATERIALIZED VIEW "to ""tals" (kind, total, n) WITH (fillfactor = 80)
  AS SELECT kind, sum(amount), count(*) FROM public.items GROUP BY kind;
CREATE UNIQUE INDEX "by kind" ON "to ""tals" (kind) INCLUDE (total);
CREATE INDEX by_expression ON "to ""tals" ((total + 1) DESC, lower(kind) text_pattern_ops) WHERE n > 0;
ALTER MATERIALIZED VIEW "to ""tals" CLUSTER ON "by kind";
ALTER MATERIALIZED VIEW "to ""tals" ALTER COLUMN total SET STATISTICS 200;
CREATE STATISTICS of_both (dependencies) ON kind, n FROM "to ""tals";
COMMENT ON MATERIALIZED VIEW "to ""tals" IS 'it''s ours'; COMMENT ON COLUMN "to ""tals".n IS 'how many';
COMMENT ON INDEX "by kind" IS 'unique';
GRANT SELECT ON "to ""tals" TO PUBLIC; GRANT SELECT (kind) ON "to ""tals" TO )" +
                  reader_ + R"( WITH GRANT OPTION;
CREATE VIEW large WITH (security_barrier) AS SELECT kind, total FROM "to ""tals" WHERE total > 10;
COMMENT ON VIEW large IS 'a view'; GRANT SELECT ON large TO )" +
                  reader_ + R"(;
CREATE VIEW larger AS SELECT * FROM large WHERE total > 20;
CREATE MATERIALIZED VIEW most AS SELECT max(total) AS most FROM "to ""tals"; CREATE UNIQUE INDEX ON most (most);
CREATE VIEW of_most AS SELECT * FROM most;
CREATE MATERIALIZED VIEW plain AS SELECT id, amount FROM public.items WHERE amount > 3;
RESET search_path; RESET ROLE)");
  }

  /// What pg_dump says of schema shop, but for the lines that are others each time.
  std::string dump() {
    const auto dumped = pgt::test::run_process(
        {pgt::test::required_env("PGT_TEST_BIN") + "/pg_dump", "-d", db_.dsn(), "--schema-only", "-n", "shop"});
    EXPECT_EQ(dumped.exit_code, 0) << dumped.err;
    std::istringstream lines(dumped.out);
    std::string text;
    for (std::string line; std::getline(lines, line);)
      if (line.rfind("\\restrict", 0) != 0 && line.rfind("\\unrestrict", 0) != 0) text += line + "\n";
    return text;
  }

  void as_owner(const std::string& call) {
    session_.exec("SET ROLE " + owner_);
    session_.exec("SELECT " + call);
    session_.exec("RESET ROLE");
  }
  void wait_for(const std::string& name) {
    session_.exec("SELECT pgtrickle.wait_until_active(" + pqxx_quoted(name) + ", '60 s')");
  }
  ::testing::AssertionResult becomes_equal(const std::string& name) {
    if (wait_until([&] { return static_cast<bool>(equals_query(session_, name)); }, 20s))
      return ::testing::AssertionSuccess();
    return equals_query(session_, name);
  }
  static std::string pqxx_quoted(const std::string& text) { return "$n$" + text + "$n$"; }

  Roles roles_;
  std::string owner_ = roles_.create("shop_owner"), reader_ = roles_.create("shop_reader");
  TestDatabase db_;
  Session session_{db_.dsn()};
};

TEST_F(Adopt, IsKeptByTheDaemonAndTheWayBackLeavesTheSameCatalogue) {
  const std::string before = dump();
  ASSERT_THAT(before, AllOf(HasSubstr("CREATE MATERIALIZED VIEW"), HasSubstr("by_expression"), HasSubstr("of_both")));
  const DaemonProcess daemon(db_.dsn());

  as_owner(R"(pgtrickle.adopt('shop."to ""tals"', '50ms'))");
  as_owner("pgtrickle.adopt('shop.plain', refresh_mode => 'IMMEDIATE')");
  EXPECT_EQ(session_.value("SELECT count(*) FROM shop.larger"), "4") << "rows of before, until it is built";
  wait_for(R"(shop."to ""tals")");
  wait_for("shop.plain");
  EXPECT_EQ(db_.effective_mode(R"(shop."to ""tals")"), "DIFFERENTIAL");
  session_.exec("INSERT INTO items VALUES (100, 'new', 1000)");
  EXPECT_TRUE(equals_query(session_, "shop.plain")) << "at once";
  EXPECT_TRUE(becomes_equal(R"(shop."to ""tals")"));
  EXPECT_EQ(session_.value("SET ROLE " + reader_ + "; SELECT total FROM shop.large WHERE kind = 'new'"), "1000");
  session_.exec("RESET ROLE");

  // One above the other.
  as_owner("pgtrickle.adopt('shop.most', '50ms')");
  wait_for("shop.most");
  session_.exec("INSERT INTO items VALUES (101, 'new', 7)");
  EXPECT_TRUE(wait_until([&] { return session_.value("SELECT most FROM shop.of_most") == "1007"; }, 20s));

  as_owner("pgtrickle.undo_adopt('shop.most')");
  as_owner(R"(pgtrickle.undo_adopt('shop."to ""tals"'))");
  session_.exec("SELECT pgtrickle.undo_adopt('shop.plain')");  // somebody else may, too
  EXPECT_EQ(dump(), before);
  EXPECT_EQ(session_.value("SELECT most FROM shop.of_most"), "1007") << "filled";
  session_.exec("INSERT INTO items VALUES (102, 'new', 7)");
  EXPECT_TRUE(wait_until(
      [&] {
        return session_.value(
                   "SELECT (SELECT count(*) FROM pgtrickle.pgt_stream_tables) + (SELECT count(*) FROM pg_class WHERE "
                   "relnamespace = 'pgtrickle_state'::regnamespace AND relkind = 'r') + (SELECT count(*) FROM "
                   "pg_trigger WHERE tgrelid = 'items'::regclass AND NOT tgisinternal)") == "0";
      },
      20s))
      << "nothing is left of its program and capture";
}

TEST_F(Adopt, BySomebodyElseIsFilledByTheDaemonAsItsOwner) {
  session_.exec("CREATE TABLE seen (who text); GRANT INSERT, SELECT ON seen TO PUBLIC; SET ROLE " + owner_);
  session_.exec(
      "CREATE FUNCTION shop.told() RETURNS text LANGUAGE sql VOLATILE AS 'INSERT INTO public.seen VALUES (current_user) "
      "RETURNING who';"
      "CREATE FUNCTION shop.tell(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM shop.told(); RETURN i; "
      "END';"
      "CREATE MATERIALIZED VIEW shop.telling AS SELECT shop.tell(id) AS id, shop.tell(1) AS one FROM public.items;"
      "CREATE INDEX ON shop.telling (shop.tell(id)); RESET ROLE; TRUNCATE seen");
  session_.exec("SELECT pgtrickle.adopt('shop.telling')");
  const DaemonProcess daemon(db_.dsn());
  wait_for("shop.telling");
  EXPECT_EQ(session_.value("SELECT string_agg(DISTINCT who, ', ') FROM seen"), owner_);
  EXPECT_TRUE(becomes_equal("shop.telling"));
  session_.exec("TRUNCATE seen");  // the oracle has asked as who it is
  session_.exec("SELECT pgtrickle.undo_adopt('shop.telling')");
  EXPECT_EQ(session_.value("SELECT string_agg(DISTINCT who, ', ') FROM seen"), owner_);
}

}  // namespace
