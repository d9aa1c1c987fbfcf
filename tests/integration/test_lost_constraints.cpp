// Programs rely on constraints of their sources: a unique key becomes the stream table's key, NOT NULL makes plain "="
// enough. A source may lose them at any time, which fires nothing: the refresh must notice, and the program be made
// again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <pqxx/pqxx>

#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::DaemonProcess;
using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::TestDatabase;
using pgt::test::wait_until;

class LostConstraints : public ::testing::Test {
 protected:
  LostConstraints() : daemon_(db_.dsn()) {}

  void create(const std::string& name, const std::string& query) {
    session_.exec("SELECT pgtrickle.create_stream_table('" + name + "', $$" + query + "$$, '50 ms', 'DIFFERENTIAL')");
    session_.exec("SELECT pgtrickle.wait_until_active('" + name + "')");
  }

  void expect_caught_up(const std::string& name) {
    EXPECT_TRUE(wait_until([&] { return static_cast<bool>(equals_query(session_, name)); }, 20s)) << daemon_.log();
    EXPECT_TRUE(equals_query(session_, name));
  }

  TestDatabase db_;
  Session session_{db_.dsn()};
  DaemonProcess daemon_;
};

TEST_F(LostConstraints, ADuplicateOfALostKeyIsNotSwallowed) {
  session_.exec(
      "CREATE TABLE t (id int PRIMARY KEY, b text); INSERT INTO t SELECT i, 'b' FROM generate_series(1, 20) i");
  create("st", "SELECT id, b FROM t");
  session_.exec("ALTER TABLE t DROP CONSTRAINT t_pkey");
  session_.exec("INSERT INTO t VALUES (7, 'twin')");  // an upsert would put it in the place of the other
  expect_caught_up("st");
  session_.exec("INSERT INTO t VALUES (7, 'twin'), (8, 'x'), (8, 'y')");
  expect_caught_up("st");
}

TEST_F(LostConstraints, ADuplicateIsNotSwallowedByARecomputationEither) {
  session_.exec(
      "CREATE TABLE t (id int PRIMARY KEY, b text); INSERT INTO t SELECT i, 'b' FROM generate_series(1, 20) i");
  create("st", "SELECT id, b FROM t");
  session_.exec(
      "BEGIN; UPDATE pgtrickle.pgt_frontiers SET full_threshold = 0; ALTER TABLE t DROP CONSTRAINT t_pkey;"
      "INSERT INTO t VALUES (7, 'twin'); COMMIT");
  expect_caught_up("st");
}

TEST_F(LostConstraints, ANullInAGroupKeyThatWasNotNull) {
  session_.exec(
      "CREATE TABLE t (id int PRIMARY KEY, g int NOT NULL); INSERT INTO t SELECT i, i % 3 FROM generate_series(1, 20) "
      "i");
  create("groups", "SELECT g, count(*) AS n FROM t GROUP BY g");
  create("nested", "SELECT n, count(*) AS groups FROM (SELECT g, count(*) AS n FROM t GROUP BY g) s GROUP BY n");
  session_.exec("ALTER TABLE t ALTER COLUMN g DROP NOT NULL");
  session_.exec("INSERT INTO t VALUES (100, NULL)");
  expect_caught_up("groups");
  expect_caught_up("nested");
  session_.exec("INSERT INTO t VALUES (101, NULL), (102, 1)");
  expect_caught_up("groups");
  expect_caught_up("nested");
}

/// NOT IN over columns without NULLs is an anti join; with one NULL among them nothing is NOT IN any more.
TEST_F(LostConstraints, ANullInWhatIsNotIn) {
  session_.exec(
      "CREATE TABLE t (id int PRIMARY KEY, g int NOT NULL); INSERT INTO t SELECT i, i FROM generate_series(1, 20) i;"
      "CREATE TABLE u (g int NOT NULL); INSERT INTO u SELECT i FROM generate_series(1, 5) i");
  create("others", "SELECT id FROM t WHERE g NOT IN (SELECT g FROM u)");
  session_.exec("ALTER TABLE u ALTER COLUMN g DROP NOT NULL");
  session_.exec("INSERT INTO u VALUES (NULL)");
  expect_caught_up("others");
  EXPECT_EQ(session_.value("SELECT count(*) FROM others"), "0");
  session_.exec("ALTER TABLE t ALTER COLUMN g DROP NOT NULL; DELETE FROM u WHERE g IS NULL");
  session_.exec("INSERT INTO t VALUES (30, NULL)");
  expect_caught_up("others");
  EXPECT_EQ(session_.value("SELECT count(*) FROM others"), "15");
}

/// A refresh by hand does not rebuild: it says so and changes nothing.
TEST_F(LostConstraints, ARefreshByHandDoesNotUseAProgramForColumnsWithoutNulls) {
  session_.exec(
      "CREATE TABLE t (id int PRIMARY KEY, g int NOT NULL); INSERT INTO t SELECT i, i FROM generate_series(1, 20) i;"
      "CREATE TABLE u (g int NOT NULL); INSERT INTO u SELECT i FROM generate_series(1, 5) i");
  session_.exec(
      "SELECT pgtrickle.create_stream_table('others', 'SELECT id FROM t WHERE g NOT IN (SELECT g FROM u)', '2 s', "
      "'DIFFERENTIAL')");
  session_.exec("SELECT pgtrickle.wait_until_active('others')");
  session_.exec("BEGIN; ALTER TABLE u ALTER COLUMN g DROP NOT NULL; INSERT INTO u VALUES (NULL)");
  EXPECT_THAT([&] { session_.exec("SELECT pgtrickle.refresh_stream_table('others')"); },
              testing::ThrowsMessage<pqxx::sql_error>(testing::HasSubstr("must be rebuilt")));
  session_.exec("ROLLBACK");
  session_.exec("ALTER TABLE u ALTER COLUMN g DROP NOT NULL; INSERT INTO u VALUES (NULL)");
  expect_caught_up("others");
}

}  // namespace
