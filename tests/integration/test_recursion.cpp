// WITH RECURSIVE where it does not end, or where following the changes would not: the limit on its rows
// (pgtrickle.max_recursion_rows), and all rows derived once more. That it is right otherwise: tests/sql/recursive*.sql.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pqxx/pqxx>
#include <sstream>
#include <utility>

#include "support/database.h"
#include "support/oracle.h"

namespace {

using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::TestDatabase;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kGraph =
    "CREATE TABLE edges (src int, dst int); CREATE INDEX ON edges (src); CREATE INDEX ON edges (dst);"
    "CREATE TABLE starts (id int PRIMARY KEY)";
constexpr const char* kWays =
    "WITH RECURSIVE r(id) AS (SELECT id FROM starts UNION ALL SELECT e.dst FROM r JOIN edges e ON e.src = r.id) "
    "SELECT id FROM r";
constexpr const char* kReached =
    "WITH RECURSIVE r(id) AS (SELECT id FROM starts UNION SELECT e.dst FROM r JOIN edges e ON e.src = r.id) "
    "SELECT id FROM r";
constexpr const char* kDistances =
    "WITH RECURSIVE r(id, n) AS (SELECT id, 0 FROM starts UNION SELECT e.dst, r.n + 1 FROM r JOIN edges e ON e.src = "
    "r.id) SELECT id, n FROM r";

/// What the server says that is no error.
class Notices : public pqxx::errorhandler {
 public:
  explicit Notices(Session& session) : pqxx::errorhandler(session.connection()) {}
  bool operator()(char const message[]) noexcept override {
    text_ += message;
    return false;
  }
  std::string taken() { return std::exchange(text_, {}); }

 private:
  std::string text_;
};

class Recursion : public ::testing::Test {
 protected:
  Recursion() {
    session_.exec("ALTER DATABASE " + db_.name() + " SET jit = off");
    session_.exec("SET jit = off");
    session_.exec(kGraph);
  }

  void create(const std::string& name, const std::string& query, const std::string& mode = "DIFFERENTIAL") {
    db_.create_stream_table(name, query, mode);
    session_.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
  }
  void refresh(const std::string& name) { session_.exec("SELECT pgtrickle.refresh_stream_table('" + name + "')"); }
  std::string error_of(const std::string& statement, const std::string& sqlstate) {
    try {
      session_.exec(statement);
    } catch (const pqxx::sql_error& error) {
      EXPECT_EQ(error.sqlstate(), sqlstate) << error.what();
      return error.what();
    }
    return "no error";
  }
  /// Edges from one to the next, the last one to the first.
  void ring(int size) {
    session_.exec("INSERT INTO edges SELECT i, i % " + std::to_string(size) + " + 1 FROM generate_series(1, " +
                  std::to_string(size) + ") i; ANALYZE edges");
  }

  TestDatabase db_;
  Session session_{db_.dsn()};
};

TEST_F(Recursion, MoreRowsThanTheLimitAreAnErrorAndTheTableStaysAsItWas) {
  session_.exec("INSERT INTO starts VALUES (1); INSERT INTO edges VALUES (1, 2), (2, 3)");
  session_.exec("SET pgtrickle.max_recursion_rows = 500");
  for (const auto& [name, query] : {std::pair{"ways", kWays}, {"distances", kDistances}}) {
    create(name, query);
    const std::string before = session_.table(std::string("SELECT * FROM ") + name + " ORDER BY 1");
    session_.exec("INSERT INTO edges VALUES (3, 1)");
    const std::string error = error_of(std::string("SELECT pgtrickle.refresh_stream_table('") + name + "')", "54001");
    EXPECT_THAT(error, HasSubstr("the recursion of r does not end within 500 rows"));
    EXPECT_THAT(error, HasSubstr("DETAIL:  Nothing was changed."));
    EXPECT_THAT(error, HasSubstr("HINT:  Where rows lead back to themselves, let the query end"));
    EXPECT_THAT(error, HasSubstr("pgtrickle.max_recursion_rows"));
    EXPECT_EQ(session_.table(std::string("SELECT * FROM ") + name + " ORDER BY 1"), before);
    session_.exec("DELETE FROM edges WHERE src = 3");
    session_.exec("INSERT INTO edges VALUES (1, 4)");
    refresh(name);
    EXPECT_TRUE(equals_query(session_, name));
    EXPECT_NE(session_.table(std::string("SELECT * FROM ") + name + " ORDER BY 1"), before);
    session_.exec("DELETE FROM edges WHERE dst = 4");
    refresh(name);
  }
}

TEST_F(Recursion, TheFirstFillingHasTheLimitToo) {
  session_.exec("INSERT INTO starts VALUES (1); INSERT INTO edges VALUES (1, 2), (2, 1)");
  session_.exec("ALTER DATABASE " + db_.name() + " SET pgtrickle.max_recursion_rows = 300");
  session_.exec("SELECT pgtrickle.create_stream_table('ways', $$" + std::string(kWays) +
                "$$, refresh_mode => 'DIFFERENTIAL', initialize => false)");
  const auto result = db_.build("ways");
  EXPECT_NE(result.status, pgtrickle::catalog::BuildStatus::kActive);
  EXPECT_THAT(result.message, HasSubstr("does not end within 300 rows"));
  session_.exec("DELETE FROM edges WHERE src = 2");
  EXPECT_EQ(db_.build("ways").status, pgtrickle::catalog::BuildStatus::kActive);
  EXPECT_TRUE(equals_query(session_, "ways"));
}

TEST_F(Recursion, AWriterOfAnImmediateOneGetsTheErrorAndGoesOn) {
  session_.exec("INSERT INTO starts VALUES (1); INSERT INTO edges VALUES (1, 2)");
  create("ways", kWays, "IMMEDIATE");
  session_.exec("SET pgtrickle.max_recursion_rows = 300");
  EXPECT_THAT(error_of("INSERT INTO edges VALUES (2, 1)", "54001"), HasSubstr("within 300 rows"));
  session_.exec("INSERT INTO edges VALUES (2, 3)");
  EXPECT_TRUE(equals_query(session_, "ways"));
}

TEST_F(Recursion, AValueOfTheSettingThatIsNoNumberIsSaidInASentence) {
  session_.exec("INSERT INTO starts VALUES (1)");
  create("ways", kWays);
  for (const std::string value : {"many", "-1", "0", "1e6", "10 MB", "99999999999999999999"}) {
    session_.exec("INSERT INTO edges VALUES (1, 2)");
    session_.exec("SET pgtrickle.max_recursion_rows = " + session_.quote(value));
    const std::string error = error_of("SELECT pgtrickle.refresh_stream_table('ways')", "22023");
    EXPECT_THAT(error, HasSubstr("the setting pgtrickle.max_recursion_rows is '" + value + "', which is no number of"));
    EXPECT_THAT(error, HasSubstr("HINT:  Use a whole number from 1 on"));
  }
  for (const std::string value : {"", " 1000 ", "999999999999999999"}) {
    session_.exec("INSERT INTO edges VALUES (1, 2)");
    session_.exec("SET pgtrickle.max_recursion_rows = " + session_.quote(value));
    refresh("ways");
    EXPECT_TRUE(equals_query(session_, "ways"));
  }
}

// The new result is finite, what is followed to get there is not.
TEST_F(Recursion, RowsThatRunInACircleOnlyWhileTheyAreTakenAwayAreDerivedOnceMore) {
  session_.exec("INSERT INTO starts VALUES (1); INSERT INTO edges VALUES (1, 2), (2, 3), (1, 4)");
  create("ways", kWays);
  create("counted", std::string("SELECT w.id, count(*) AS n FROM (") + kWays + ") w GROUP BY w.id");
  Notices notices(session_);
  const auto caught_up = [&](bool given_up) {
    for (const std::string name : {"ways", "counted"}) {
      refresh(name);
      const std::string said = notices.taken();
      EXPECT_EQ(said.find("all rows of the recursion r were derived once more") != std::string::npos, given_up) << said;
      EXPECT_TRUE(equals_query(session_, name));
    }
  };
  session_.exec("BEGIN; DELETE FROM starts; INSERT INTO edges VALUES (3, 2); COMMIT");  // rows go in a circle
  caught_up(true);
  session_.exec("BEGIN; DELETE FROM edges WHERE src = 3; INSERT INTO starts VALUES (1); COMMIT");
  caught_up(false);
  session_.exec("BEGIN; DELETE FROM edges WHERE src = 1 AND dst = 2; INSERT INTO edges VALUES (3, 2); COMMIT");  // both
  caught_up(true);
  EXPECT_EQ(session_.table("SELECT id FROM ways ORDER BY id"), "1\n4");
  session_.exec("INSERT INTO edges VALUES (4, 5)");
  caught_up(false);
  EXPECT_EQ(session_.value("SELECT count(*) FROM pgtrickle.pgt_refresh_history WHERE status = 'FAILED'"), "0");
}

TEST_F(Recursion, AWriterOfAnImmediateOneIsNotToldOfThat) {
  session_.exec("INSERT INTO starts VALUES (1); INSERT INTO edges VALUES (1, 2), (2, 3), (1, 4)");
  create("ways", kWays, "IMMEDIATE");
  Notices notices(session_);
  session_.exec("WITH gone AS (DELETE FROM starts) INSERT INTO edges VALUES (3, 2)");
  EXPECT_EQ(session_.table("SELECT id FROM ways"), "");
  EXPECT_THAT(notices.taken(), IsEmpty());
}

TEST_F(Recursion, WhereNearlyAllRowsAreInDoubtTheyAreDerivedOnceMore) {
  session_.exec("INSERT INTO starts VALUES (1), (7)");
  ring(3000);
  create("reached", kReached);
  create("odd", std::string("SELECT count(*) AS n, min(w.id) AS first FROM (") + kReached + ") w WHERE w.id % 2 = 1");
  create("now", kReached, "IMMEDIATE");
  Notices notices(session_);
  const auto compared = [&](const std::string& change, bool given_up) {
    session_.exec(change);
    EXPECT_TRUE(equals_query(session_, "now")) << change;
    EXPECT_THAT(notices.taken(), IsEmpty()) << change;
    for (const std::string name : {"reached", "odd"}) {
      refresh(name);
      EXPECT_EQ(notices.taken().find("were derived once more") != std::string::npos, given_up) << change;
      EXPECT_TRUE(equals_query(session_, name)) << change;
    }
  };
  compared("DELETE FROM edges WHERE src = 100", true);     // what is left comes from 1 and from 7
  compared("INSERT INTO edges VALUES (90, 2990)", false);  // not derived before
  compared("DELETE FROM edges WHERE src = 2995", false);   // few
  compared("UPDATE edges SET dst = 50 WHERE src = 90", false);
  compared("DELETE FROM starts WHERE id = 7", false);  // 1 is enough
  compared("DELETE FROM starts", false);
  EXPECT_EQ(session_.value("SELECT count(*) FROM reached"), "0");
}

// Compared one by one, the rows that are in doubt and all that the term makes would be quadratic.
TEST_F(Recursion, WhatNoIndexFindsIsHashed) {
  session_.exec("INSERT INTO starts VALUES (1)");
  ring(300);
  create("computed",
         "WITH RECURSIVE r(id, half) AS (SELECT id, id / 2 FROM starts UNION SELECT e.dst + 0, e.dst / 2 FROM r JOIN "
         "edges e ON e.src = r.id) SELECT id, half FROM r");
  session_.exec(
      "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;"
      "SET auto_explain.log_level = notice");
  session_.exec("DELETE FROM edges WHERE src = 200");
  Notices notices(session_);
  refresh("computed");
  std::istringstream plan(notices.taken());
  int tests = 0;
  for (std::string line; std::getline(plan, line);) {
    if (line.find("SubPlan") == std::string::npos || line.find("IS TRUE") == std::string::npos) continue;
    EXPECT_THAT(line, HasSubstr("hashed SubPlan"));
    ++tests;
  }
  EXPECT_GE(tests, 1);
  EXPECT_TRUE(equals_query(session_, "computed"));
}

}  // namespace
