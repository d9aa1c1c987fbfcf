// Stream tables over views: what happens to a view, or behind it, is seen by what reads it. Each in both ways: with the
// changes applied, where the view is a part of the program, and recomputed, where the query names nothing but the view.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "support/database.h"
#include "support/oracle.h"
#include "support/roles.h"

namespace {

using pgt::test::equals_query;
using pgt::test::Roles;
using pgt::test::Session;
using pgt::test::TestDatabase;
using pgtrickle::catalog::BuildStatus;
using ::testing::HasSubstr;

class OverAView : public ::testing::TestWithParam<const char*> {
 protected:
  OverAView() : session_(db_.dsn()) {
    session_.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 10) AS i");
    session_.exec("CREATE VIEW inner_view AS SELECT id, v FROM t WHERE v > 3");
    session_.exec("CREATE VIEW outer_view AS SELECT id, v FROM inner_view WHERE v < 9");
  }

  void create(const std::string& name, const std::string& query) { db_.create_stream_table(name, query, GetParam()); }

  std::string reinit_reason(const std::string& name) {
    return session_.value(
        "SELECT CASE WHEN needs_reinit THEN reinit_reason ELSE '' END FROM pgtrickle.pgt_stream_tables "
        "WHERE pgt_relid = to_regclass('" +
        name + "')");
  }

  /// As the daemon does: a new capture of a source asks for one more.
  void rebuild() {
    for (int i = 0; i < 2 && !reinit_reason("st").empty(); ++i) {
      EXPECT_EQ(db_.build("st").status, BuildStatus::kActive);
    }
  }

  std::string error_of(const std::string& sql) {
    try {
      session_.exec(sql);
    } catch (const pqxx::sql_error& error) {
      return error.what();
    }
    return "";
  }

  TestDatabase db_;
  Session session_;
};

INSTANTIATE_TEST_SUITE_P(Modes, OverAView, ::testing::Values("DIFFERENTIAL", "FULL"),
                         [](const auto& mode) { return std::string(mode.param); });

TEST_P(OverAView, AReplacedViewIsAnotherQuery) {
  create("st", "SELECT id, v FROM outer_view");
  session_.exec("CREATE OR REPLACE VIEW outer_view AS SELECT id, v * 10 AS v FROM inner_view");
  EXPECT_EQ(reinit_reason("st"), "view public.outer_view was replaced");
  rebuild();
  EXPECT_TRUE(equals_query(session_, "st"));
  session_.exec("CREATE OR REPLACE VIEW inner_view AS SELECT id, v FROM t WHERE v > 7");
  EXPECT_EQ(reinit_reason("st"), "view public.inner_view was replaced");
  rebuild();
  EXPECT_EQ(session_.table("SELECT * FROM st ORDER BY id"), "8|80\n9|90\n10|100");
  session_.exec("UPDATE t SET v = v + 1");
  db_.refresh("st");
  EXPECT_TRUE(equals_query(session_, "st"));
}

TEST_P(OverAView, RenamesOfViewsAndBehindThemAreFollowed) {
  create("st", "SELECT id, v FROM outer_view WHERE v <> 5");
  session_.exec("ALTER VIEW outer_view RENAME TO outermost");
  EXPECT_EQ(reinit_reason("st"), "public.outer_view was renamed to public.outermost");
  rebuild();
  EXPECT_EQ(reinit_reason("st"), "");
  session_.exec("ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME COLUMN v TO w");
  rebuild();
  session_.exec("UPDATE u SET w = w + 1");
  db_.refresh("st");
  EXPECT_EQ(session_.table("SELECT * FROM st ORDER BY id"), "3|4\n5|6\n6|7\n7|8");
  EXPECT_TRUE(equals_query(session_, "st"));
}

TEST_P(OverAView, ADroppedViewIsAnErrorThatSaysSo) {
  create("st", "SELECT id, v FROM outer_view");
  session_.exec("DROP VIEW outer_view");
  const auto result = db_.build("st");
  EXPECT_EQ(result.status, BuildStatus::kError);
  EXPECT_EQ(result.message, "view public.outer_view was dropped");
  session_.exec("CREATE VIEW outer_view AS SELECT id, v FROM t");
  EXPECT_EQ(db_.build("st").status, BuildStatus::kActive);
  EXPECT_TRUE(equals_query(session_, "st"));
}

TEST_P(OverAView, GatesOnAViewAndBehindItHold) {
  create("st", "SELECT id, v FROM outer_view");
  for (const char* gated : {"outer_view", "inner_view", "t"}) {
    session_.exec(std::string("SELECT pgtrickle.gate_source('") + gated + "')");
    EXPECT_EQ(session_.value("SELECT affected_stream_tables FROM pgtrickle.bootstrap_gate_status() WHERE gated"),
              "public.st")
        << gated;
    EXPECT_THAT(error_of("CALL pgtrickle.refresh('st')"), HasSubstr(std::string("public.") + gated)) << gated;
    session_.exec(std::string("SELECT pgtrickle.ungate_source('") + gated + "')");
  }
  db_.refresh("st");
}

TEST_P(OverAView, WhatIsNotAppliedYetIsKnown) {
  create("st", "SELECT id, v FROM outer_view");
  session_.exec("INSERT INTO t VALUES (20, 6)");
  EXPECT_THAT(error_of("SELECT pgtrickle.wait_for_freshness('st', '100 ms')"), HasSubstr("did not become fresh"));
  EXPECT_EQ(session_.value("SELECT pgtrickle.refresh_if_stale('st', '0 s')"), "t");
  EXPECT_TRUE(equals_query(session_, "st"));
}

TEST_P(OverAView, AStreamTableBehindAViewIsUpstream) {
  create("base", "SELECT id, v FROM t");
  session_.exec("CREATE VIEW over_base AS SELECT id, v FROM base");
  create("st", "SELECT id, v FROM over_base");
  EXPECT_EQ(session_.value("SELECT pgtrickle._upstream(ARRAY[" + std::to_string(db_.id_of("st")) + "]) @> ARRAY[" +
                           std::to_string(db_.id_of("base")) + "]::bigint[]"),
            "t");
  session_.exec("INSERT INTO t VALUES (20, 6)");
  for (const char* name : {"base", "st"}) db_.refresh(name);
  EXPECT_EQ(session_.value("SELECT count(*) FROM st WHERE id = 20"), "1");
}

TEST_P(OverAView, ACycleThroughViewsIsRefused) {
  session_.exec("CREATE VIEW back AS SELECT id, v FROM t");
  create("first", "SELECT id, v FROM back");
  create("second", "SELECT id, v FROM first");
  session_.exec("CREATE OR REPLACE VIEW back AS SELECT id, v FROM t UNION ALL SELECT id, v FROM second");
  const auto result = db_.build("first");
  EXPECT_EQ(result.status, BuildStatus::kError);
  EXPECT_THAT(result.message, HasSubstr("would read itself"));
}

// The owner may read the view and nothing else, which is what views are for.
TEST(OverAViewOfSomebodyElse, RenamesBehindItNeedNoRights) {
  Roles roles;  // outlives the database, where they own things
  TestDatabase db;
  const std::string owner = roles.create("pgt_reader");
  Session root(db.dsn());
  root.exec(
      "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1); CREATE VIEW mine AS SELECT id, v FROM "
      "t; "
      "GRANT CREATE ON SCHEMA public TO " +
      owner + "; GRANT SELECT ON mine TO " + owner);
  Session(db.dsn() + " user=" + owner).exec("SELECT pgtrickle.create_stream_table('st', 'SELECT id, v FROM mine')");
  db.build_pending();
  root.exec(
      "ALTER TABLE t RENAME COLUMN v TO w; ALTER TABLE t RENAME TO u; ALTER VIEW mine RENAME TO yours; INSERT INTO u "
      "VALUES (2, 2)");
  EXPECT_EQ(db.build("st").status, BuildStatus::kActive);
  EXPECT_EQ(root.value("SELECT status FROM pgtrickle.pgt_stream_tables"), "ACTIVE");
  EXPECT_EQ(root.table("SELECT * FROM st ORDER BY id"), "1|1\n2|2");
  EXPECT_TRUE(equals_query(root, "st"));
}

}  // namespace
