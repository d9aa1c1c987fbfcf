// A stream table that cannot be what was asked for is refused, and does not stay behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <pqxx/pqxx>

#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"

namespace {

using pgt::test::DaemonProcess;
using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::TestDatabase;
using ::testing::HasSubstr;

// What only the compiler knows: SQL takes it.
constexpr const char* kNotDifferential =
    "WITH RECURSIVE r(id) AS (SELECT id FROM t UNION ALL SELECT DISTINCT r.id + 1 FROM r WHERE r.id < 5) SELECT id FROM "
    "r";

class Creating : public ::testing::Test {
 protected:
  Creating() { session_.exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)"); }

  std::string error_of(const std::string& statement, const std::string& sqlstate) {
    try {
      session_.exec(statement);
    } catch (const pqxx::sql_error& error) {
      EXPECT_EQ(error.sqlstate(), sqlstate) << error.what();
      return error.what();
    }
    return "no error";
  }
  std::string call(const std::string& query, const std::string& mode, const std::string& timeout = "30 s") {
    return "CALL pgtrickle.create_and_wait('st', $$" + query + "$$, refresh_mode => '" + mode + "', timeout => '" +
           timeout + "')";
  }
  std::string left() {
    return session_.value(
        "SELECT (SELECT count(*) FROM pgtrickle.pgt_stream_tables) + (to_regclass('st') IS NOT NULL)::int");
  }

  TestDatabase db_;
  Session session_{db_.dsn()};
};

TEST_F(Creating, WhatCannotBeBuiltIsDroppedAgainAndTheReasonIsTheError) {
  const DaemonProcess daemon(db_.dsn());
  for (const std::string mode : {"DIFFERENTIAL", "IMMEDIATE"}) {
    const std::string error = error_of(call(kNotDifferential, mode), "0A000");
    EXPECT_THAT(error, HasSubstr("does more to the rows of a round than to follow each one"));
    EXPECT_THAT(error, HasSubstr("It was dropped again."));
    EXPECT_EQ(left(), "0") << mode;
  }
  session_.exec(call(kNotDifferential, "AUTO"));
  EXPECT_EQ(db_.effective_mode("st"), "FULL");
  EXPECT_TRUE(equals_query(session_, "st"));
  EXPECT_THAT(error_of(call("SELECT id FROM t", "DIFFERENTIAL"), "42P07"), HasSubstr("already exists"));
  EXPECT_EQ(db_.effective_mode("st"), "FULL");
}

TEST_F(Creating, WhatIsUsedAlreadyOrNotDecidedYetStays) {
  EXPECT_THAT(error_of(call("SELECT id FROM t", "DIFFERENTIAL", "20 ms"), "55000"),
              HasSubstr("It is still there: its status is PENDING."));
  EXPECT_EQ(left(), "2");
  session_.exec("SELECT pgtrickle.drop_stream_table('st')");

  // Somebody builds a view on it while it waits.
  session_.exec("SELECT pgtrickle.create_stream_table('st', $$" + std::string(kNotDifferential) +
                "$$, refresh_mode => 'DIFFERENTIAL'); CREATE VIEW v AS SELECT * FROM st");
  const auto result = db_.build("st");
  EXPECT_EQ(result.status, pgtrickle::catalog::BuildStatus::kError);
  const std::string id = std::to_string(db_.id_of("st"));
  EXPECT_EQ(session_.value("SELECT pgtrickle._drop_refused(" + id + ", 'public')"),
            "It is still there, because something depends on it already.");
  session_.exec("DROP VIEW v");
  EXPECT_EQ(session_.value("SELECT pgtrickle._drop_refused(" + id + ", 'public')"), "It was dropped again.");
  EXPECT_EQ(left(), "0");
  EXPECT_EQ(session_.value("SELECT pgtrickle._drop_refused(" + id + ", 'public')"), "It was dropped meanwhile.");
}

}  // namespace
