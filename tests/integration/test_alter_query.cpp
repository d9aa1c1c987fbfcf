// A changed query is built in place: rows, columns and types of the stream table and of the ones that read it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <pqxx/pqxx>
#include <thread>

#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"
#include "support/roles.h"

namespace pgt::test {
namespace {

class AlterQuery : public testing::Test {
 protected:
  AlterQuery() : session_(db_.dsn()) {
    session_.exec(
        "CREATE TABLE orders (id int PRIMARY KEY, region text, amount int);"
        "INSERT INTO orders SELECT i, 'r' || i % 3, i FROM generate_series(1, 30) i");
  }

  void alter(const std::string& name, const std::string& query) {
    session_.exec("SELECT pgtrickle.alter_stream_table('" + name + "', query => " + session_.quote(query) + ")");
  }

  /// As the daemon would, until nothing is to be rebuilt: building one can concern its readers.
  void build_all() {
    for (int round = 0; round < 5; ++round) {
      const auto rows = session_.exec(
          "SELECT pgt_name FROM pgtrickle.pgt_stream_tables WHERE needs_reinit OR status = 'PENDING' ORDER BY pgt_id");
      if (rows.empty()) return;
      for (const auto& row : rows) db_.build(row[0].c_str());
    }
    ADD_FAILURE() << "always something to rebuild";
  }

  /// Stream table "st". Where its owner is not the admin, a build takes the lock of those who grant after it has
  /// compiled.
  void create_for_other_role(const std::string& query) {
    const std::string owner = roles_.create("alter_owner");
    session_.exec("GRANT USAGE, CREATE ON SCHEMA public TO " + owner + "; GRANT SELECT, UPDATE ON orders TO " + owner +
                  "; GRANT USAGE ON SCHEMA pgtrickle_state, pgtrickle_changes TO " + owner);
    session_.exec("SELECT pgtrickle.trust_owner('" + owner + "')");
    session_.exec("SET ROLE " + owner);
    session_.exec("SELECT pgtrickle.create_stream_table('st', " + session_.quote(query) + ")");
    session_.exec("RESET ROLE");
  }

  /// Builds "st"; `work` is done when it has compiled.
  template <typename Work>
  pgtrickle::catalog::BuildResult build_interrupted_by(Work work) {
    pqxx::connection other(db_.dsn());
    pqxx::work holds(other);
    holds.exec("LOCK TABLE pgtrickle_locks.grants IN EXCLUSIVE MODE");
    pgtrickle::catalog::BuildResult result;
    const std::int64_t id = db_.id_of("st");
    std::thread builder([&] { result = pgtrickle::catalog::build_stream_table(db_.dsn(), id, {}); });
    EXPECT_TRUE(wait_until([&] {
      return session_.value(
                 "SELECT count(*) FROM pg_stat_activity a JOIN pgtrickle.pgt_dependencies d ON d.source_relid = "
                 "'orders'::regclass AND d.pgt_id = " +
                 std::to_string(id) +
                 " WHERE a.datname = current_database() AND a.wait_event_type = 'Lock' AND a.application_name = "
                 "'pgtrickled build'") == "1";
    }));
    work();
    holds.commit();
    builder.join();
    return result;
  }

  void expect_equal(const std::string& name) {
    session_.exec("INSERT INTO orders SELECT max(id) + 1, 'r1', 7 FROM orders; DELETE FROM orders WHERE id % 10 = 3");
    session_.exec("UPDATE orders SET amount = amount + 1 WHERE id % 5 = 0");
    db_.refresh(name);
    EXPECT_TRUE(equals_query(session_, name));
  }

  std::string columns(const std::string& table) {
    return session_.value("SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '" +
                          table + "'::regclass AND attnum > 0 AND NOT attisdropped");
  }

  /// The alteration failed with `message`; the table has the rows of `query`, also after changes.
  void expect_previous(const std::string& name, const std::string& query, const std::string& message) {
    const std::string where = " FROM pgtrickle.stream_tables WHERE pgt_id = " + std::to_string(db_.id_of(name));
    EXPECT_EQ(session_.value("SELECT status" + where), "ACTIVE");
    EXPECT_THAT(session_.value("SELECT last_error" + where), testing::HasSubstr(message));
    EXPECT_TRUE(equals_query(session_, name, query));
    session_.exec("INSERT INTO orders SELECT max(id) + 1, 'r1', 7 FROM orders; DELETE FROM orders WHERE id % 10 = 4");
    db_.refresh(name);
    EXPECT_TRUE(equals_query(session_, name, query));
    EXPECT_TRUE(equals_query(session_, name));
    try {
      session_.exec("SELECT pgtrickle.wait_until_active('" + name + "')");
      ADD_FAILURE() << "it does not say that the query was not altered";
    } catch (const pqxx::sql_error& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("the altered query could not be built"));
      EXPECT_THAT(error.what(), testing::HasSubstr(message));
    }
  }

  Roles roles_;
  TestDatabase db_;
  Session session_;
};

TEST_F(AlterQuery, TheSameTableShowsTheNewResult) {
  db_.create_stream_table("totals", "SELECT region, sum(amount) AS total FROM orders GROUP BY region");
  const std::string relation = session_.value("SELECT 'totals'::regclass::oid");
  alter("totals", "SELECT region, sum(amount) FILTER (WHERE amount > 5) AS total FROM orders GROUP BY region");
  build_all();
  EXPECT_EQ(session_.value("SELECT 'totals'::regclass::oid"), relation);
  EXPECT_EQ(db_.effective_mode("totals"), "DIFFERENTIAL");
  EXPECT_TRUE(equals_query(session_, "totals"));
  expect_equal("totals");

  // another shape of query, another key, another source
  session_.exec("CREATE TABLE regions (region text, total int); INSERT INTO regions VALUES ('r1', 1), ('r1', 1)");
  alter("totals", "SELECT r.region, r.total + o.amount AS total FROM regions r JOIN orders o USING (region)");
  build_all();
  EXPECT_TRUE(equals_query(session_, "totals"));
  session_.exec("DELETE FROM regions WHERE ctid = (SELECT min(ctid) FROM regions)");
  expect_equal("totals");
}

TEST_F(AlterQuery, ColumnsComeAndGo) {
  db_.create_stream_table("totals", "SELECT region, sum(amount) AS total FROM orders GROUP BY region");
  alter("totals",
        "SELECT region, sum(amount) AS total, count(*) AS n, max(amount) AS \"Top\" FROM orders GROUP BY region");
  build_all();
  EXPECT_TRUE(equals_query(session_, "totals"));
  expect_equal("totals");
  alter("totals", "SELECT count(*) AS n FROM orders");  // the key goes, and its index with it
  build_all();
  EXPECT_EQ(
      session_.table("SELECT attname FROM pg_attribute WHERE attrelid = 'totals'::regclass AND attnum > 0 AND NOT "
                     "attisdropped"),
      "n");
  EXPECT_TRUE(equals_query(session_, "totals"));
  expect_equal("totals");
}

TEST_F(AlterQuery, ReadersFollowNewTypesWhateverTheirMode) {
  db_.create_stream_table("base", "SELECT id, amount FROM orders");
  db_.create_stream_table("changes", "SELECT amount, count(*) AS n FROM base GROUP BY amount");
  db_.create_stream_table("recomputed", "SELECT max(amount) AS top FROM base", "FULL");
  alter("base", "SELECT id, amount::numeric / 4 AS amount FROM orders");
  build_all();
  for (const std::string name : {"base", "changes", "recomputed"}) {
    db_.refresh(name);
    EXPECT_TRUE(equals_query(session_, name)) << name;
  }
  const auto type_of = [&](const std::string& table, const std::string& column) {
    return session_.value("SELECT atttypid::regtype FROM pg_attribute WHERE attrelid = '" + table +
                          "'::regclass AND attname = '" + column + "'");
  };
  EXPECT_EQ(type_of("base", "amount"), "numeric");
  EXPECT_EQ(type_of("changes", "amount"), "numeric");
  EXPECT_EQ(type_of("recomputed", "top"), "numeric");
  session_.exec("UPDATE orders SET amount = 1000 WHERE id = 7");
  for (const std::string name : {"base", "changes", "recomputed"}) {
    db_.refresh(name);
    EXPECT_TRUE(equals_query(session_, name)) << name;
  }
}

TEST_F(AlterQuery, ReadersOfAWholeRowSeeNewColumns) {
  db_.create_stream_table("base", "SELECT id FROM orders");
  db_.create_stream_table("rows", "SELECT b::text AS r FROM base b");
  alter("base", "SELECT id, region FROM orders");
  build_all();
  for (const std::string name : {"base", "rows"}) {
    db_.refresh(name);
    EXPECT_TRUE(equals_query(session_, name)) << name;
  }
  EXPECT_EQ(session_.value("SELECT count(*) FROM rows WHERE r ~ ',r[0-2]'"), "30");
}

TEST_F(AlterQuery, WhatCannotBeMaintainedSaysSoAndThePreviousQueryGoesOn) {
  db_.create_stream_table("st", "SELECT region FROM orders", "DIFFERENTIAL");
  alter("st", "SELECT region FROM (SELECT region FROM orders LIMIT 3) AS any_three");
  const auto result = db_.build("st");
  EXPECT_EQ(result.status, pgtrickle::catalog::BuildStatus::kError);
  EXPECT_THAT(result.message, testing::HasSubstr("the previous one goes on"));
  expect_previous("st", "SELECT region FROM orders", "LIMIT");
  alter("st", "SELECT lower(region) AS region FROM orders");
  EXPECT_EQ(session_.value("SELECT status || coalesce(last_error, ' ok') FROM pgtrickle.stream_tables"), "ACTIVE ok");
  build_all();
  expect_equal("st");
  EXPECT_THAT(session_.value("SELECT query FROM pgtrickle.stream_tables"), testing::HasSubstr("lower"));
  session_.exec("SELECT pgtrickle.wait_until_active('st')");
}

TEST_F(AlterQuery, AQueryThatFailsWhenItRunsGivesWayToThePreviousOne) {
  db_.create_stream_table("st", "SELECT id, region FROM orders");
  session_.exec(
      "SELECT pgtrickle.create_or_replace_stream_table('st', 'SELECT id, region, 1 / (id - 5) AS x FROM orders')");
  EXPECT_EQ(db_.build("st").error.sqlstate, "22012");
  expect_previous("st", "SELECT id, region FROM orders", "division by zero");
  EXPECT_EQ(columns("st"), "id, region");
  // forgotten when it is resumed
  session_.exec("SELECT pgtrickle.resume_stream_table('st'); SELECT pgtrickle.wait_until_active('st')");
  EXPECT_EQ(session_.value("SELECT last_error FROM pgtrickle.stream_tables"), "");
}

TEST_F(AlterQuery, ModeAndQueryGoBackTogether) {
  db_.create_stream_table("st", "SELECT region FROM orders", "FULL");
  session_.exec(
      "SELECT pgtrickle.alter_stream_table('st', query => 'SELECT 1 / (id - 5) || region AS region FROM orders', "
      "refresh_mode => 'DIFFERENTIAL')");
  EXPECT_EQ(db_.build("st").status, pgtrickle::catalog::BuildStatus::kError);
  expect_previous("st", "SELECT region FROM orders", "division by zero");
  EXPECT_EQ(session_.value("SELECT refresh_mode FROM pgtrickle.stream_tables"), "FULL");
}

TEST_F(AlterQuery, DroppedColumnsComeBackAndReadersFollow) {
  db_.create_stream_table("st", "SELECT id, region, amount FROM orders;");
  db_.create_stream_table("reader", "SELECT sum(amount) AS total, count(id) AS n FROM st");
  session_.exec("CREATE VIEW on_st AS SELECT amount FROM st");
  alter("st", "SELECT id, amount, 1 / (id - 5) AS x FROM orders");
  EXPECT_EQ(columns("st"), "id, amount, x");
  EXPECT_EQ(db_.build("st").status, pgtrickle::catalog::BuildStatus::kError);
  expect_previous("st", "SELECT id, amount, region FROM orders", "division by zero");
  EXPECT_EQ(columns("st"), "id, amount, region");
  build_all();
  expect_equal("st");
  db_.refresh("reader");
  EXPECT_TRUE(equals_query(session_, "reader"));
  // the columns go on being followed
  session_.exec("ALTER TABLE orders RENAME region TO place; ALTER TABLE orders ALTER COLUMN amount TYPE bigint");
  session_.exec("DROP VIEW on_st");
  build_all();
  db_.refresh("st");
  EXPECT_TRUE(equals_query(session_, "st", "SELECT id, amount, place FROM orders"));
}

TEST_F(AlterQuery, WhatSomebodyUsesMeanwhileCannotGoBack) {
  db_.create_stream_table("st", "SELECT id FROM orders");
  alter("st", "SELECT id, 1 / (id - 5) AS x FROM orders");
  session_.exec("CREATE VIEW on_x AS SELECT x FROM st");
  EXPECT_EQ(db_.build("st").status, pgtrickle::catalog::BuildStatus::kError);
  EXPECT_EQ(session_.value("SELECT status FROM pgtrickle.stream_tables"), "ERROR");
  EXPECT_THAT(session_.value("SELECT last_error FROM pgtrickle.stream_tables"), testing::HasSubstr("division by zero"));
}

TEST_F(AlterQuery, TheFirstOfSeveralQueriesIsTheOneToGoBackTo) {
  db_.create_stream_table("st", "SELECT id FROM orders");
  alter("st", "SELECT id + 1 AS id FROM orders");
  alter("st", "SELECT 1 / (id - 5) AS id FROM orders");
  EXPECT_EQ(db_.build("st").status, pgtrickle::catalog::BuildStatus::kError);
  expect_previous("st", "SELECT id FROM orders", "division by zero");
}

TEST_F(AlterQuery, WithADaemonThePreviousQueryIsRefreshed) {
  DaemonProcess daemon(db_.dsn());
  session_.exec("SELECT pgtrickle.create_stream_table('st', 'SELECT id, region FROM orders', '100 ms')");
  session_.exec("SELECT pgtrickle.wait_until_active('st')");
  alter("st", "SELECT id, region, 1 / (id - 5) AS x FROM orders");
  EXPECT_THROW(session_.exec("SELECT pgtrickle.wait_until_active('st')"), pqxx::sql_error);
  EXPECT_EQ(session_.value("SELECT status FROM pgtrickle.stream_tables"), "ACTIVE");
  session_.exec("INSERT INTO orders VALUES (1000, 'new', 1)");
  EXPECT_TRUE(wait_until([&] { return session_.value("SELECT count(*) FROM st WHERE id = 1000") == "1"; }));
  EXPECT_TRUE(equals_query(session_, "st", "SELECT id, region FROM orders"));
}

// A build reads the definition and compiles it; before it writes what it made, the query is altered.
TEST_F(AlterQuery, ABuildThatRunsMeanwhileDoesNotUndoIt) {
  create_for_other_role("SELECT region FROM orders");
  build_interrupted_by([&] { alter("st", "SELECT upper(region) AS region FROM orders"); });

  EXPECT_THAT(session_.value("SELECT defining_query FROM pgtrickle.pgt_stream_tables"), testing::HasSubstr("upper"));
  EXPECT_EQ(session_.value("SELECT needs_reinit FROM pgtrickle.pgt_stream_tables"), "f") << "it started over";
  EXPECT_TRUE(equals_query(session_, "st", "SELECT upper(region) FROM orders"));
  EXPECT_TRUE(equals_query(session_, "st"));
  expect_equal("st");
}

// It names its sources since it was defined, so that a stop of capture at that moment marks it: it starts over.
TEST_F(AlterQuery, ABuildNoticesThatCaptureWasStoppedMeanwhile) {
  create_for_other_role("SELECT id, region FROM orders");
  session_.exec("SELECT pgtrickle.create_stream_table('other', 'SELECT id, region FROM orders')");
  db_.build("other");
  const std::string log = session_.value("SELECT source_id FROM pgtrickle.pgt_sources");
  const auto result = build_interrupted_by(
      [&] { session_.exec("SELECT pgtrickle._neutralize_capture(source_id, 'a test') FROM pgtrickle.pgt_sources"); });
  EXPECT_EQ(result.status, pgtrickle::catalog::BuildStatus::kActive);
  EXPECT_NE(session_.value("SELECT source_id FROM pgtrickle.pgt_sources WHERE problem IS NULL"), log);
  expect_equal("st");
}

}  // namespace
}  // namespace pgt::test
