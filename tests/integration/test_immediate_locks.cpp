// The locks of writers of IMMEDIATE stream tables (daemon/compiler/plan/writer_locks.h): two transactions at once, for
// each class of operators. With the locks the second one waits where both change the same, and goes on where they do
// not. Each case is run once more without them, and then has to go wrong: that is what the lock is there for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <iterator>
#include <pqxx/pqxx>
#include <random>
#include <set>
#include <thread>

#include "support/database.h"
#include "support/oracle.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::TestDatabase;
using ::testing::HasSubstr;

void make_sources(Session& session) {
  session.exec("CREATE TABLE kinds (id int PRIMARY KEY, label text, low int)");
  session.exec("CREATE TABLE items (id int PRIMARY KEY, kind int, v int, boss int)");
  session.exec("INSERT INTO kinds SELECT i, 'k' || i, i FROM generate_series(1, 8) i");
  session.exec("INSERT INTO items SELECT i, 1 + i % 4, 10 * i, 1 + i / 2 FROM generate_series(1, 20) i");
  session.exec("INSERT INTO items VALUES (101, 7, 5, 100), (102, 7, 5, 100)");
}

std::string error_of(Session& session, const std::string& sql) {
  try {
    session.exec(sql);
  } catch (const pqxx::failure& error) {
    return error.what();
  }
  return {};
}

/// The functions that maintain the stream table lock nothing from now on, but for the rows that they change.
void without_locks(Session& session) {
  session.exec(
      "DO $$ DECLARE f record; BEGIN\n"
      "  FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'pgtrickle_state'::regnamespace\n"
      "           AND p.proname ~ '^(maintain|maintain_many)_[0-9]+$' LOOP\n"
      "    EXECUTE regexp_replace(pg_get_functiondef(f.oid), E'\\\\mFOR (UPDATE|SHARE)\\\\M', '', 'g');\n"
      "  END LOOP;\n"
      // Where writers go one after the other: a place for each of them.
      "  FOR f IN SELECT p.oid, format('pgtrickle_state.places_%s', substr(p.proname, 7)) AS places FROM pg_proc p\n"
      "           WHERE p.pronamespace = 'pgtrickle_state'::regnamespace AND p.proname ~ '^enter_[0-9]+$'\n"
      "             AND p.prosrc ~ 'p.place = 0' LOOP\n"
      "    EXECUTE replace(pg_get_functiondef(f.oid), 'p.place = 0', 'p.place = 1 + pg_backend_pid() % 1000');\n"
      "    EXECUTE format('INSERT INTO %s (place) SELECT generate_series(1, 1000)', f.places);\n"
      "  END LOOP;\n"
      "END $$");
}

/// A writer who must be alone waits for nobody from now on.
void without_being_alone(Session& session) {
  session.exec(
      "DO $$ DECLARE f record; BEGIN\n"
      "  FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'pgtrickle_state'::regnamespace\n"
      "           AND p.proname ~ '^(enter|settle)_[0-9]+$' LOOP\n"
      "    EXECUTE replace(pg_get_functiondef(f.oid), 'ORDER BY p.place FOR UPDATE', 'ORDER BY p.place');\n"
      "  END LOOP;\n"
      "END $$");
}

/// Runs `second` in a session of its own while `first` is not committed yet, and commits that as soon as the second one
/// waits for it, or has ended. Returns the error of the second one, if any, and whether it had to wait.
std::pair<std::string, bool> run_both(TestDatabase& db, const std::string& first, const std::string& second) {
  Session one(db.dsn());
  Session two(db.dsn());
  Session observer(db.dsn());
  const std::string pid = two.value("SELECT pg_backend_pid()");
  one.exec("BEGIN");
  one.exec(first);
  auto done = std::async(std::launch::async, [&] { return error_of(two, second); });
  bool waits = false;
  while (!waits && done.wait_for(20ms) != std::future_status::ready)
    waits = observer.value("SELECT cardinality(pg_blocking_pids(" + pid + ")) > 0") == "t";
  one.exec("COMMIT");
  return {done.get(), waits};
}

struct LockCase {
  const char* name;
  const char* query;
  const char* first;      // a transaction does this,
  const char* second;     // another one this before the first commits: they touch the same
  const char* elsewhere;  // a statement that does not have to wait for the first; empty: all have to
};

void PrintTo(const LockCase& c, std::ostream* out) {
  *out << c.name;
}

const std::vector<LockCase>& lock_cases() {
  static const std::vector<LockCase> cases{
      {"RowsWithAKey", "SELECT id, v + 1 AS v FROM items WHERE v > 0", "UPDATE items SET v = v + 1 WHERE id = 1",
       "UPDATE items SET v = v + 2 WHERE id = 1", "UPDATE items SET v = v + 2 WHERE id = 2"},
      {"RowsWithoutAKey", "SELECT kind, v FROM items", "DELETE FROM items WHERE id = 101",
       "DELETE FROM items WHERE id = 102", "DELETE FROM items WHERE id = 1"},
      {"Groups", "SELECT kind, count(*) AS n, sum(v) AS total FROM items GROUP BY kind",
       "INSERT INTO items VALUES (201, 1, 5)", "INSERT INTO items VALUES (202, 1, 7)",
       "INSERT INTO items VALUES (202, 2, 7)"},
      {"NewGroups", "SELECT kind, count(*) AS n FROM items GROUP BY kind", "INSERT INTO items VALUES (201, 50, 5)",
       "INSERT INTO items VALUES (202, 50, 7)", "INSERT INTO items VALUES (202, 51, 7)"},
      {"LastRowOfAGroup", "SELECT kind, count(*) AS n FROM items GROUP BY kind", "DELETE FROM items WHERE id = 101",
       "DELETE FROM items WHERE id = 102", "DELETE FROM items WHERE id = 1"},
      {"Extremes", "SELECT kind, max(v) AS most FROM items GROUP BY kind", "DELETE FROM items WHERE id = 20",
       "DELETE FROM items WHERE id = 16", "DELETE FROM items WHERE id = 19"},
      {"Distinct", "SELECT DISTINCT v FROM items", "DELETE FROM items WHERE id = 101",
       "DELETE FROM items WHERE id = 102", "DELETE FROM items WHERE id = 1"},
      {"Windows", "SELECT id, rank() OVER (PARTITION BY kind ORDER BY v) AS r FROM items",
       "UPDATE items SET v = 1000 WHERE id = 4", "UPDATE items SET v = 2000 WHERE id = 8",
       "UPDATE items SET v = 1000 WHERE id = 5"},
      {"DistinctOn", "SELECT DISTINCT ON (kind) kind, id, v FROM items ORDER BY kind, v DESC, id",
       "UPDATE items SET v = 1000 WHERE id = 4", "UPDATE items SET v = 2000 WHERE id = 8",
       "UPDATE items SET v = 1000 WHERE id = 5"},
      {"SetOperation", "SELECT v FROM items EXCEPT SELECT low + 100 FROM kinds", "DELETE FROM items WHERE id = 101",
       "DELETE FROM items WHERE id = 102", "DELETE FROM items WHERE id = 1"},
      {"InnerJoin", "SELECT i.id, i.v, k.label FROM items i JOIN kinds k ON k.id = i.kind",
       "INSERT INTO items VALUES (201, 1, 5)", "UPDATE kinds SET label = 'x' WHERE id = 1",
       "UPDATE kinds SET label = 'x' WHERE id = 2"},
      {"InnerJoinTheOtherWay", "SELECT i.id, i.v, k.label FROM items i JOIN kinds k ON k.id = i.kind",
       "UPDATE kinds SET label = 'x' WHERE id = 1", "INSERT INTO items VALUES (201, 1, 5)",
       "INSERT INTO items VALUES (201, 2, 5)"},
      {"JoinOfGroups", "SELECT k.label, sum(i.v) AS total FROM items i JOIN kinds k ON k.id = i.kind GROUP BY k.label",
       "INSERT INTO items VALUES (201, 1, 5)", "UPDATE kinds SET label = 'x' WHERE id = 1",
       "UPDATE kinds SET label = 'x' WHERE id = 2"},
      {"JoinOfThree",
       "SELECT i.id, k.label, b.v FROM items i JOIN kinds k ON k.id = i.kind JOIN items b ON b.id = i.boss",
       "UPDATE kinds SET label = 'x' WHERE id = 2", "UPDATE items SET v = v + 1 WHERE id = 1", ""},
      {"JoinWithoutAColumn", "SELECT i.id, k.id AS kind FROM items i JOIN kinds k ON k.low < i.v",
       "INSERT INTO items VALUES (201, 1, 5)", "INSERT INTO kinds VALUES (60, 'x', 1)",
       "INSERT INTO items VALUES (202, 1, 6)"},
      {"SelfJoin", "SELECT i.id, b.v FROM items i JOIN items b ON b.id = i.boss",
       "INSERT INTO items VALUES (201, 1, 5, 202)", "INSERT INTO items VALUES (202, 1, 6, NULL)",
       "INSERT INTO items VALUES (203, 1, 6, 3)"},
      {"LeftJoin", "SELECT k.id, i.v FROM kinds k LEFT JOIN items i ON i.kind = k.id",
       "DELETE FROM items WHERE id = 101", "DELETE FROM items WHERE id = 102", "DELETE FROM items WHERE id = 1"},
      {"FullJoin", "SELECT k.id, i.id AS item FROM kinds k FULL JOIN items i ON i.kind = k.id",
       "INSERT INTO items VALUES (201, 70, 1)", "INSERT INTO kinds VALUES (70, 'x', 1)",
       "INSERT INTO kinds VALUES (71, 'x', 1)"},
      {"SemiJoin", "SELECT id, label FROM kinds k WHERE EXISTS (SELECT FROM items i WHERE i.kind = k.id)",
       "DELETE FROM items WHERE id = 101", "DELETE FROM items WHERE id = 102", "DELETE FROM items WHERE id = 1"},
      {"AntiJoin", "SELECT id, label FROM kinds k WHERE NOT EXISTS (SELECT FROM items i WHERE i.kind = k.id)",
       "DELETE FROM items WHERE id = 101", "DELETE FROM items WHERE id = 102", "DELETE FROM items WHERE id = 1"},
      {"NotIn", "SELECT id, label FROM kinds WHERE id NOT IN (SELECT kind FROM items WHERE v > 0)",
       "INSERT INTO items VALUES (201, NULL, 5)", "INSERT INTO kinds VALUES (60, 'x', 1)", ""},
      {"LeftJoinOfAJoin",
       "SELECT i.id, b.v, k.label FROM items i LEFT JOIN items b ON b.id = i.boss LEFT JOIN kinds k ON k.id = b.kind",
       "INSERT INTO items VALUES (201, 80, 5, 202)", "INSERT INTO items VALUES (202, 80, 6, NULL)", ""},
      {"AnInputOfTwoTables",
       "SELECT k.id FROM kinds k WHERE NOT EXISTS (SELECT FROM items i JOIN items b ON b.id = i.boss WHERE b.kind = k.id)",
       "DELETE FROM items WHERE id IN (6, 7)", "DELETE FROM items WHERE id IN (14, 15)", ""},
      {"TopK", "SELECT id, v FROM items ORDER BY v DESC, id LIMIT 2", "DELETE FROM items WHERE id = 20",
       "DELETE FROM items WHERE id = 19", ""},
      {"OneRow", "SELECT count(*) AS n, sum(v) AS total FROM items", "INSERT INTO items VALUES (201, 1, 5)",
       "INSERT INTO items VALUES (202, 2, 7)", ""},
      {"TwoLevels",
       "SELECT n, count(*) AS kinds FROM (SELECT kind, count(*) AS n FROM items GROUP BY kind) g GROUP BY n",
       "INSERT INTO items VALUES (201, 1, 5)", "INSERT INTO items VALUES (202, 2, 7)", ""},
  };
  return cases;
}

class ImmediateLocks : public ::testing::TestWithParam<LockCase> {
 protected:
  ImmediateLocks() {
    make_sources(session_);
    db_.create_stream_table("st", GetParam().query, "IMMEDIATE");
  }

  std::pair<std::string, bool> run_second() { return run_both(db_, GetParam().first, GetParam().second); }

  TestDatabase db_;
  Session session_{db_.dsn()};
};

TEST_P(ImmediateLocks, TheSecondOneWaitsAndIsRight) {
  EXPECT_EQ(db_.effective_mode("st"), "IMMEDIATE");
  const auto [error, waits] = run_second();
  EXPECT_EQ(error, "");
  EXPECT_TRUE(waits) << session_.value("SELECT plan FROM pgtrickle.pgt_stream_tables");
  EXPECT_TRUE(equals_query(session_, "st"));
}

class ImmediateLocksElsewhere : public ImmediateLocks {};
TEST_P(ImmediateLocksElsewhere, WhoTouchesSomethingElseDoesNotWait) {
  Session other(db_.dsn());
  other.exec("SET lock_timeout = '20s'");  // it would wait for ever
  session_.exec("BEGIN");
  session_.exec(GetParam().first);
  EXPECT_EQ(error_of(other, GetParam().elsewhere), "");
  EXPECT_TRUE(equals_query(other, "st"));
  session_.exec("COMMIT");
  EXPECT_TRUE(equals_query(session_, "st"));
}

class ImmediateLocksOff : public ImmediateLocks {};
TEST_P(ImmediateLocksOff, WithoutTheLockItIsWrong) {
  without_locks(session_);
  const auto [error, waits] = run_second();
  if (!error.empty()) return;  // XX001, or a key that is there twice
  EXPECT_FALSE(equals_query(session_, "st")) << "the lock is not needed for this";
}

std::vector<LockCase> cases_that(bool (*fits)(const LockCase&)) {
  std::vector<LockCase> found;
  std::copy_if(lock_cases().begin(), lock_cases().end(), std::back_inserter(found), fits);
  return found;
}

std::string name_of(const ::testing::TestParamInfo<LockCase>& c) {
  return c.param.name;
}

INSTANTIATE_TEST_SUITE_P(Operators, ImmediateLocks, ::testing::ValuesIn(lock_cases()), name_of);
// Not where all writers wait.
INSTANTIATE_TEST_SUITE_P(Operators, ImmediateLocksElsewhere, ::testing::ValuesIn(cases_that([](const LockCase& c) {
                           return !std::string(c.elsewhere).empty();
                         })),
                         name_of);
// Not where the row of the source is the lock, or that of the state, which is added to in place
// (test_immediate_groups).
INSTANTIATE_TEST_SUITE_P(
    Operators, ImmediateLocksOff, ::testing::ValuesIn(cases_that([](const LockCase& c) {
      const std::set<std::string> at_once{"RowsWithAKey", "Groups", "NewGroups", "LastRowOfAGroup", "Distinct"};
      return at_once.count(c.name) == 0;
    })),
    name_of);

/// What locks nothing that others lock, because it must be alone: a recomputation, and a snapshot that stays as it is.
class ImmediateAlone : public ::testing::Test {
 protected:
  ImmediateAlone() {
    make_sources(session_);
    // Where it is not known which rows a MERGE has changed, all is recomputed.
    session_.exec(
        "ALTER TABLE kinds RENAME TO old; CREATE TABLE kinds (LIKE old INCLUDING ALL) PARTITION BY RANGE (id)");
    session_.exec("CREATE TABLE kinds_1 PARTITION OF kinds DEFAULT; INSERT INTO kinds TABLE old");
    db_.create_stream_table("st", "SELECT i.id, i.v, k.label FROM items i LEFT JOIN kinds k ON k.id = i.kind",
                            "IMMEDIATE");
  }
  static constexpr const char* kInsert = "INSERT INTO items VALUES (201, 1, 5)";
  static constexpr const char* kMerge =
      "MERGE INTO kinds t USING (VALUES (1)) AS s(id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET label = 'x'";
  static constexpr const char* kOldSnapshot =
      "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM kinds; UPDATE kinds SET label = 'x' WHERE id = 1; "
      "COMMIT";

  TestDatabase db_;
  Session session_{db_.dsn()};
};

TEST_F(ImmediateAlone, ARecomputationWaitsForAllWriters) {
  const auto [error, waits] = run_both(db_, kInsert, kMerge);
  EXPECT_EQ(error, "");
  EXPECT_TRUE(waits);
  EXPECT_TRUE(equals_query(session_, "st"));
}

TEST_F(ImmediateAlone, WithoutThatItIsWrong) {
  without_being_alone(session_);
  const auto [error, waits] = run_both(db_, kInsert, kMerge);
  EXPECT_EQ(error, "");
  EXPECT_FALSE(equals_query(session_, "st")) << "the lock is not needed for this";
}

TEST_F(ImmediateAlone, AnOldSnapshotIsRefused) {
  const auto [error, waits] = run_both(db_, kInsert, kOldSnapshot);
  EXPECT_THAT(error, HasSubstr("could not serialize access"));
  EXPECT_TRUE(waits);
  EXPECT_TRUE(equals_query(session_, "st"));
}

/// The locks of the values that are joined are taken, but what they protect is not seen.
TEST_F(ImmediateAlone, WithAnOldSnapshotTheOtherLocksDoNotHelp) {
  without_being_alone(session_);
  const auto [error, waits] = run_both(db_, kInsert, kOldSnapshot);
  EXPECT_EQ(error, "");
  EXPECT_TRUE(waits);
  EXPECT_FALSE(equals_query(session_, "st")) << "the lock is not needed for this";
}

class ImmediateWriters : public ::testing::Test {
 protected:
  ImmediateWriters() { make_sources(session_); }

  void create_all() {
    for (const auto& c : lock_cases()) {
      names_.push_back("s_" + std::to_string(names_.size()));
      db_.create_stream_table(names_.back(), c.query, "IMMEDIATE");
    }
  }

  TestDatabase db_;
  Session session_{db_.dsn()};
  std::vector<std::string> names_;
};

/// 16 writers in all isolation levels, with rollbacks, savepoints and prepared transactions, while a reader compares in
/// each of his snapshots. Deadlocks and serialization failures are allowed, wrong rows are not.
TEST_F(ImmediateWriters, SixteenAtOnceWhileAReaderLooks) {
  create_all();
  constexpr int kWriters = 16;
  constexpr int kTransactions = 12;
  std::atomic<int> committed{0};
  std::atomic<bool> ended{false};
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      Session mine(db_.dsn());
      mine.exec("SET deadlock_timeout = '50ms'");
      std::mt19937 random(static_cast<unsigned>(1000 + w));
      const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
      const auto text = [&](int n) { return std::to_string(pick(n)); };
      for (int t = 0; t < kTransactions; ++t) {
        const char* const levels[] = {"READ COMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"};
        mine.exec(std::string("BEGIN ISOLATION LEVEL ") + levels[pick(4)]);
        std::string error;
        for (int s = 0; s < 1 + pick(3) && error.empty(); ++s) {
          const std::string id = std::to_string(1000 + w * 1000 + t * 10 + s);
          const std::string statements[] = {
              "INSERT INTO items VALUES (" + id + ", " + text(9) + ", " + text(60) + ", " + text(22) + ")",
              "UPDATE items SET v = v + 1, kind = " + text(9) + " WHERE id = " + text(21),
              "DELETE FROM items WHERE kind = " + text(9) + " AND v < " + text(40),
              "UPDATE kinds SET label = 'w" + text(3) + "' WHERE id = " + text(9),
              "WITH i AS (INSERT INTO items VALUES (" + id + ", " + text(9) +
                  ", 1, 1)) UPDATE kinds SET low = low + 1 WHERE id = " + text(9),
          };
          const bool undone = pick(4) == 0;
          error = error_of(mine, (undone ? "SAVEPOINT s; " : "") + statements[pick(5)] +
                                     (undone ? "; ROLLBACK TO SAVEPOINT s" : ""));
        }
        const int end = pick(6);
        const std::string name = "'w" + std::to_string(w) + "'";
        if (!error.empty() || end == 0)
          mine.exec("ROLLBACK");
        else if (end == 1)
          error = error_of(mine, "PREPARE TRANSACTION " + name),
          error.empty() ? mine.exec("COMMIT PREPARED " + name) : mine.exec("ROLLBACK");
        else
          error = error_of(mine, "COMMIT");
        if (error.empty()) {
          ++committed;
          continue;
        }
        EXPECT_THAT(error, ::testing::AnyOf(HasSubstr("deadlock detected"), HasSubstr("could not serialize")));
      }
    });
  }
  std::thread reader([&] {
    Session mine(db_.dsn());
    while (!ended) {
      mine.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
      for (const auto& name : names_) EXPECT_TRUE(equals_query(mine, name)) << name << ", seen by a reader";
      mine.exec("COMMIT");
    }
  });
  for (auto& writer : writers) writer.join();
  ended = true;
  reader.join();
  for (const auto& name : names_) EXPECT_TRUE(equals_query(session_, name)) << name;
  EXPECT_GT(committed, kWriters);
}

TEST_F(ImmediateWriters, MoreThanThereArePlacesWaitForOne) {
  db_.create_stream_table("st", "SELECT v FROM items", "IMMEDIATE");
  std::vector<std::unique_ptr<Session>> sessions;
  std::future<std::string> done;
  bool waits = false;
  while (!waits) {
    ASSERT_LT(sessions.size(), 60U) << "more than there are places";
    auto& session = *sessions.emplace_back(std::make_unique<Session>(db_.dsn()));
    const std::string pid = session.value("SELECT pg_backend_pid()");
    const std::string id = std::to_string(1000 + sessions.size());
    const std::string sql = "BEGIN; INSERT INTO items VALUES (" + id + ", 1, " + id + ")";
    done = std::async(std::launch::async, [&session, sql] { return error_of(session, sql); });
    while (!waits && done.wait_for(10ms) != std::future_status::ready)
      waits = session_.value("SELECT cardinality(pg_blocking_pids(" + pid + ")) > 0") == "t";
    if (!waits) {
      EXPECT_EQ(done.get(), "");
    }
  }
  EXPECT_GT(sessions.size(), 16U);
  for (std::size_t i = 0; i + 1 < sessions.size(); ++i) sessions[i]->exec("COMMIT");
  EXPECT_EQ(done.get(), "");
  sessions.back()->exec("COMMIT");
  EXPECT_TRUE(equals_query(session_, "st"));
}

/// The setting that tells where the place is can be set by anybody: it is a hint and no more.
TEST_F(ImmediateWriters, NobodyIsFooledByTheSetting) {
  db_.create_stream_table(
      "st", "SELECT k.label, count(*) AS n FROM items i JOIN kinds k ON k.id = i.kind GROUP BY k.label", "IMMEDIATE");
  const std::string id = session_.value("SELECT pgt_id FROM pgtrickle.pgt_stream_tables");
  for (const char* hint : {"", "(0,1)", "(0,40)", "(7,7)"}) {
    const std::string set = "set_config('pgtrickle.place_" + id + "', '" + hint + "', true)";
    session_.exec("BEGIN");
    session_.exec("WITH k AS (INSERT INTO kinds SELECT 30, 'new', 1 FROM (SELECT " + set +
                  ") x RETURNING id) INSERT INTO items SELECT 300 + k, 30, 1 FROM generate_series(1, 2) k, (SELECT " +
                  set + ") x");
    EXPECT_TRUE(equals_query(session_, "st")) << hint;
    session_.exec("SELECT " + set + "; DELETE FROM items WHERE kind = 30; SELECT " + set);
    EXPECT_TRUE(equals_query(session_, "st")) << hint;
    session_.exec("ROLLBACK");
  }
}

/// A statement of many rows takes no more locks than there are for a domain, and rows in no lock table.
TEST_F(ImmediateWriters, AStatementOfManyRowsDoesNotFillTheLockTable) {
  db_.create_stream_table(
      "st",
      "SELECT i.kind % 5000 AS g, count(*) AS n, max(k.label) AS label FROM items i LEFT JOIN kinds k ON "
      "k.id = i.kind GROUP BY i.kind % 5000",
      "IMMEDIATE");
  session_.exec("BEGIN; INSERT INTO items SELECT 1000 + i, i, i FROM generate_series(1, 100000) i");
  EXPECT_LT(std::stoi(session_.value("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()")), 60);
  EXPECT_TRUE(equals_query(session_, "st"));
  session_.exec("COMMIT");
}

/// Rows, groups that are added to, and groups whose statements are counted. A lock of a row is no lock of the server's.
TEST_F(ImmediateWriters, AStatementOfAMillionRowsDoesNotFillTheLockTable) {
  const std::vector<std::string> queries{"SELECT id, v FROM items WHERE v > 500000",
                                         "SELECT kind % 50000 AS g, count(*) AS n FROM items GROUP BY kind % 50000",
                                         "SELECT kind % 500 AS g, max(v) AS most FROM items GROUP BY kind % 500"};
  for (const auto& query : queries) {
    names_.push_back("s_" + std::to_string(names_.size()));
    db_.create_stream_table(names_.back(), query, "IMMEDIATE");
  }
  session_.exec("BEGIN; INSERT INTO items SELECT 1000 + i, i, i FROM generate_series(1, 1000000) i");
  EXPECT_LT(std::stoi(session_.value("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()")), 60);
  for (const auto& name : names_) EXPECT_TRUE(equals_query(session_, name)) << name;
  session_.exec("COMMIT");
}

/// Each statement finds its place at once, however many versions of the row the transaction has made.
TEST_F(ImmediateWriters, ATransactionOfManyStatements) {
  db_.create_stream_table("st", "SELECT kind, count(*) AS n, max(v) AS most FROM items GROUP BY kind", "IMMEDIATE");
  session_.exec(
      "DO $$ BEGIN FOR i IN 1..3000 LOOP INSERT INTO public.items VALUES (1000 + i, i % 7, i); END LOOP; END $$");
  EXPECT_TRUE(equals_query(session_, "st"));
}

}  // namespace
