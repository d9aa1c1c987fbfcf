// A writer never fails because of somebody else's IMMEDIATE stream table: not while it, or another table that it reads,
// is dropped or altered either (daemon/compiler/program/trigger_writer.h). A transaction that has written is open, DDL
// waits for it, and the next writer waits behind the DDL, which is through before he goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <pqxx/pqxx>

#include "support/database.h"
#include "support/oracle.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::TestDatabase;
using ::testing::AnyOf;
using ::testing::HasSubstr;

struct DdlCase {
  const char* name;
  const char* query;
  const char* ddl;
  bool stays = false;  // the stream table does, and is what its query says
};

void PrintTo(const DdlCase& c, std::ostream* out) {
  *out << c.name;
}

constexpr const char* kRows = "SELECT id, v FROM items WHERE v > 0";
constexpr const char* kGroups = "SELECT kind, count(*) AS n FROM items GROUP BY kind";
constexpr const char* kJoin =
    "SELECT k.label, max(i.v) AS v FROM items i JOIN kinds k ON k.id = i.kind WHERE twice(i.v) > 0 GROUP BY k.label";
constexpr const char* kDropIt = "SELECT pgtrickle.drop_stream_table('st')";
constexpr const char* kRenameIt = "ALTER TABLE st RENAME TO renamed; ALTER TABLE renamed RENAME TO st";

const std::vector<DdlCase>& cases() {
  static const std::vector<DdlCase> list{
      {"RowsDropped", kRows, kDropIt},
      {"RowsMoved", kRows, "CREATE SCHEMA elsewhere; ALTER TABLE st SET SCHEMA elsewhere"},
      {"GroupsDropped", kGroups, "DROP TABLE st"},
      {"GroupsAltered", kGroups, kRenameIt, true},
      {"GroupsIndexed", kGroups, "CREATE UNIQUE INDEX ON st (n, kind)", true},
      {"JoinOfARenamedColumn", kJoin, "ALTER TABLE kinds RENAME COLUMN label TO title", true},
      {"JoinDropped", kJoin, "DROP TABLE st, kinds"},
      {"JoinOfARenamedFunction", kJoin, "LOCK TABLE st; ALTER FUNCTION twice(int) RENAME TO doubled", true},
  };
  return list;
}

class ImmediateBehindDdl : public ::testing::TestWithParam<DdlCase> {
 protected:
  ImmediateBehindDdl() {
    session_.exec("CREATE TABLE kinds (id int PRIMARY KEY, label text)");
    session_.exec("CREATE TABLE items (id int PRIMARY KEY, kind int, v int)");
    session_.exec("CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * $1'");
    session_.exec("INSERT INTO kinds SELECT i, 'k' || i FROM generate_series(1, 8) i");
    session_.exec("INSERT INTO items SELECT i, 1 + i % 4, i FROM generate_series(1, 20) i");
    db_.create_stream_table("st", GetParam().query, "IMMEDIATE");
  }

  struct Waiting {
    Session session;
    std::future<std::string> error;
    explicit Waiting(const std::string& dsn) : session(dsn) {}
  };

  /// Runs it in a session of its own until it waits for another one.
  void start(Waiting& waiting, const std::string& sql) {
    const std::string pid = waiting.session.value("SELECT pg_backend_pid()");
    waiting.error = std::async(std::launch::async, [&waiting, sql]() -> std::string {
      try {
        waiting.session.exec(sql);
      } catch (const pqxx::failure& error) {
        return error.what();
      }
      return {};
    });
    while (session_.value("SELECT cardinality(pg_blocking_pids(" + pid + ")) > 0") != "t")
      ASSERT_NE(waiting.error.wait_for(20ms), std::future_status::ready) << sql << " does not wait";
  }

  TestDatabase db_;
  Session session_{db_.dsn()};
};

TEST_P(ImmediateBehindDdl, TheNextWriterGoesOn) {
  Session first(db_.dsn());
  first.exec("BEGIN; INSERT INTO items VALUES (100, 1, 1)");
  Waiting ddl(db_.dsn());
  start(ddl, GetParam().ddl);
  Waiting next(db_.dsn());
  start(next, "INSERT INTO items VALUES (101, 1, 200)");
  first.exec("COMMIT");
  EXPECT_EQ(ddl.error.get(), "");
  EXPECT_EQ(next.error.get(), "");
  EXPECT_EQ(session_.value("SELECT count(*) FROM items WHERE id > 99"), "2");
  if (!GetParam().stays) return;
  db_.build_pending();
  EXPECT_TRUE(equals_query(session_, "st"));
}

/// One who sees neither the DDL nor that the program was stopped can be asked to try again.
class ImmediateOldBehindDdl : public ImmediateBehindDdl {};

TEST_P(ImmediateOldBehindDdl, IsRefused) {
  Session first(db_.dsn());
  first.exec("BEGIN; INSERT INTO items VALUES (100, 1, 1)");
  Waiting next(db_.dsn());
  next.session.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM items");
  Waiting ddl(db_.dsn());
  start(ddl, GetParam().ddl);
  start(next, "INSERT INTO items VALUES (101, 1, 200)");
  first.exec("COMMIT");
  EXPECT_EQ(ddl.error.get(), "");
  EXPECT_THAT(next.error.get(), AnyOf("", HasSubstr("could not serialize access")));
}

std::string name_of(const ::testing::TestParamInfo<DdlCase>& the) {
  return the.param.name;
}
INSTANTIATE_TEST_SUITE_P(All, ImmediateBehindDdl, ::testing::ValuesIn(cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Some, ImmediateOldBehindDdl,
                         ::testing::Values(DdlCase{"GroupsDropped", kGroups, kDropIt},
                                           DdlCase{"JoinOfARenamedColumn", kJoin,
                                                   "ALTER TABLE kinds RENAME COLUMN label TO title"}),
                         name_of);

}  // namespace
