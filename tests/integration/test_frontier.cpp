// Frontiers: every committed change is in the next refresh exactly once, whatever its transaction did and however long
// it took. No daemon: stream tables are built in this process and refreshed by hand, so that the order of events is
// ours.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::TestDatabase;
using pgt::test::wait_until;

/// Of a test with random choices; printed, and taken from PGT_SEED to repeat a run.
unsigned seed() {
  static const unsigned value = [] {
    const char* given = std::getenv("PGT_SEED");
    const unsigned chosen = given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device{}();
    std::cout << "PGT_SEED=" << chosen << std::endl;
    return chosen;
  }();
  return value;
}

/// SQLSTATE of an error; libpqxx has classes of their own, outside of sql_error, for those of class 40.
std::string code_of(const pqxx::failure& error) {
  if (const auto* sql = dynamic_cast<const pqxx::sql_error*>(&error)) return sql->sqlstate();
  if (dynamic_cast<const pqxx::serialization_failure*>(&error) != nullptr) return "40001";
  if (dynamic_cast<const pqxx::deadlock_detected*>(&error) != nullptr) return "40P01";
  return "unknown";
}

/// Serialization failures, deadlocks and lock timeouts: what a client has to repeat.
bool is_retryable(const std::string& code) {
  return code == "40001" || code == "40P01" || code == "55P03";
}

class Frontier : public ::testing::Test {
 protected:
  Frontier() : main_(db_.dsn()) {
    main_.exec(
        "CREATE TABLE kinds (kind int PRIMARY KEY, label text);"
        "CREATE TABLE items (id int PRIMARY KEY, kind int, amount int NOT NULL);"
        "CREATE TABLE events (kind int, amount int);"  // no key: duplicates
        "CREATE TABLE elsewhere (a int);"              // nobody reads it
        "INSERT INTO kinds SELECT i, 'kind ' || i % 3 FROM generate_series(0, 5) AS i;"
        "INSERT INTO items SELECT i, i % 5, i FROM generate_series(1, 60) AS i;"
        "INSERT INTO events SELECT i % 5, i % 2 FROM generate_series(1, 40) AS i");
    create("copy", "SELECT id, amount FROM items WHERE amount > 5");
    create("duplicates", "SELECT kind, amount FROM events");
    create("totals",
           "SELECT kind, count(*) AS n, sum(amount) AS total, max(amount) AS largest FROM items GROUP BY kind");
    create("labelled", "SELECT i.id, i.amount, k.label FROM items i JOIN kinds k USING (kind)");
    create("by_label",
           "SELECT k.label, count(*) AS n, sum(i.amount + e.amount) AS total "
           "FROM items i JOIN kinds k USING (kind) JOIN events e USING (kind) GROUP BY k.label");
    create("nested",
           "SELECT n, count(*) AS kinds FROM (SELECT kind, count(*) AS n FROM events GROUP BY kind) s GROUP BY n");
    create("above", "SELECT sum(total) AS total, max(largest) AS largest FROM totals");
    for (const auto& name : names_) EXPECT_EQ(db_.effective_mode(name), "DIFFERENTIAL") << name;
    // It is the delta program that is tested, not recomputing above a threshold.
    main_.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
  }

  void create(const std::string& name, const std::string& query) {
    db_.create_stream_table(name, query, "DIFFERENTIAL");
    names_.push_back(name);
  }

  /// In the order of creation, which is that of the dependencies.
  void refresh() {
    for (const auto& name : names_) db_.refresh(name);
  }

  void refresh_in(Session& session) {
    for (const auto& name : names_) session.exec("SELECT pgtrickle.refresh_stream_table('" + name + "')");
  }

  void expect_equal(Session& session, const std::string& when) {
    for (const auto& name : names_) EXPECT_TRUE(equals_query(session, name)) << when;
  }

  void refresh_and_check(const std::string& when) {
    refresh();
    expect_equal(main_, when);
  }

  /// Moves every frontier past everything that has a transaction id by now: changes all sources and commits.
  void move_frontiers_on() {
    Session other(db_.dsn());
    other.exec("BEGIN");
    change(other, 100 + ++moves_);
    other.exec("COMMIT");
    refresh_and_check("after a writer that committed in between");
  }

  /// Changes all three sources: inserts, updates and deletes; `n` makes the keys of one call its own.
  static void change(Session& session, int n) {
    const std::string id = std::to_string(n);
    session.exec("INSERT INTO items VALUES (" + id + "000, " + id + " % 5, 7), (" + id + "001, " + id + " % 5, 900)");
    session.exec("UPDATE items SET amount = amount + 1, kind = (kind + 1) % 6 WHERE id = " + id + "000");
    session.exec("DELETE FROM items WHERE id = " + id + "001");
    session.exec("INSERT INTO events VALUES (" + id + " % 5, 1), (" + id + " % 5, 1), (NULL, NULL)");
    session.exec("INSERT INTO kinds VALUES (" + id + "000, 'label " + id + "')");
    session.exec("INSERT INTO items VALUES (" + id + "002, " + id + "000, 3)");
    session.exec("INSERT INTO events VALUES (" + id + "000, 5)");
  }

  std::vector<std::string> sources() {
    std::vector<std::string> ids;
    for (const auto& row : main_.exec("SELECT source_id FROM pgtrickle.pgt_sources ORDER BY 1"))
      ids.emplace_back(row[0].c_str());
    return ids;
  }

  std::string rotate(const std::string& source) {
    return main_.value("SELECT pgtrickle._rotate_log(" + source + ", 0)");
  }

  TestDatabase db_;
  Session main_;
  std::vector<std::string> names_;
  int moves_ = 0;
};

TEST_F(Frontier, WritesFirstCommitsLast) {
  Session early(db_.dsn());
  early.exec("BEGIN");
  change(early, 1);
  move_frontiers_on();  // with a higher transaction id, committed and consumed
  early.exec("UPDATE items SET amount = amount * 2 WHERE id <= 10");
  move_frontiers_on();
  early.exec("COMMIT");
  refresh_and_check("after the late commit");
  EXPECT_EQ(main_.value("SELECT count(*) FROM labelled WHERE id = 1000"), "1");
}

TEST_F(Frontier, SeveralLateCommittersInEveryOrder) {
  std::vector<std::unique_ptr<Session>> writers;
  for (int i = 0; i < 4; ++i) {
    writers.push_back(std::make_unique<Session>(db_.dsn()));
    writers.back()->exec(i % 2 == 0 ? "BEGIN" : "BEGIN ISOLATION LEVEL REPEATABLE READ");
    change(*writers.back(), 10 + i);
    refresh_and_check("while writers are open");
  }
  for (const int i : {2, 0, 3, 1}) {
    change(*writers[static_cast<std::size_t>(i)], 20 + i);
    writers[static_cast<std::size_t>(i)]->exec(i == 3 ? "ROLLBACK" : "COMMIT");
    refresh_and_check("writer " + std::to_string(i) + " has ended");
  }
}

TEST_F(Frontier, SavepointsAndRollbacks) {
  Session writer(db_.dsn());
  writer.exec("BEGIN");
  change(writer, 1);
  writer.exec("SAVEPOINT a");
  change(writer, 2);
  writer.exec("SAVEPOINT b");
  change(writer, 3);
  move_frontiers_on();
  writer.exec("ROLLBACK TO SAVEPOINT b");
  change(writer, 4);
  writer.exec("RELEASE SAVEPOINT b");
  move_frontiers_on();
  writer.exec("ROLLBACK TO SAVEPOINT a");
  change(writer, 5);
  writer.exec("COMMIT");
  refresh_and_check("after rolled back savepoints");
  EXPECT_EQ(main_.table("SELECT id FROM copy WHERE id % 1000 = 0 AND id < 100000 ORDER BY id"), "1000\n5000");

  writer.exec("BEGIN");
  change(writer, 6);
  writer.exec("DELETE FROM items");
  move_frontiers_on();
  writer.exec("ROLLBACK");
  refresh_and_check("after a rollback");
}

// Each block with an EXCEPTION clause is a subtransaction with an id of its own; logs carry that of the transaction.
TEST_F(Frontier, ManySubtransactions) {
  const std::string block =
      "DO $$ BEGIN FOR i IN 1..150 LOOP BEGIN "
      "  INSERT INTO items VALUES (10000 + i, i % 6, i); UPDATE events SET amount = amount + 1 WHERE kind = i % 5; "
      "  IF i % 3 = 0 THEN RAISE EXCEPTION 'undo'; END IF; "
      "EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END $$";
  Session writer(db_.dsn());
  writer.exec("BEGIN");
  writer.exec(block);
  move_frontiers_on();
  writer.exec("UPDATE items SET id = id + 20000 WHERE id > 10000 AND id < 20000");
  writer.exec(block);
  writer.exec("COMMIT");
  refresh_and_check("after a transaction with 300 subtransactions");
  EXPECT_EQ(main_.value("SELECT count(*) FROM labelled WHERE id BETWEEN 10001 AND 10150"), "100");
}

TEST_F(Frontier, PreparedTransactions) {
  Session writer(db_.dsn());
  for (const bool commit : {true, false}) {
    const std::string name = "pgt_frontier_" + db_.name() + (commit ? "_1" : "_0");
    writer.exec("BEGIN");
    change(writer, commit ? 1 : 2);
    writer.exec("PREPARE TRANSACTION '" + name + "'");
    for (int turn = 0; turn < 4; ++turn) {
      move_frontiers_on();
      for (const auto& source : sources()) rotate(source);
    }
    writer.exec((commit ? "COMMIT PREPARED '" : "ROLLBACK PREPARED '") + name + "'");
    refresh_and_check(commit ? "after COMMIT PREPARED" : "after ROLLBACK PREPARED");
  }
  EXPECT_EQ(main_.table("SELECT id FROM copy WHERE id IN (1000, 2000)"), "1000");
}

TEST_F(Frontier, TruncateAndInsertInOneTransaction) {
  Session writer(db_.dsn());
  writer.exec("BEGIN");
  change(writer, 1);
  writer.exec("TRUNCATE items, events");
  change(writer, 2);
  writer.exec("COMMIT");
  refresh_and_check("after TRUNCATE and INSERT");
  EXPECT_EQ(main_.table("SELECT id FROM copy"), "2000");
  writer.exec("BEGIN");
  writer.exec("TRUNCATE events");
  writer.exec("SAVEPOINT a");
  writer.exec("TRUNCATE items");
  writer.exec("ROLLBACK TO a");
  writer.exec("COMMIT");
  refresh_and_check("after half a rollback of TRUNCATE");
  EXPECT_EQ(main_.value("SELECT count(*) FROM duplicates"), "0");
}

/// Refreshing inside of the transaction that writes.
class OwnChanges : public Frontier, public ::testing::WithParamInterface<const char*> {
 protected:
  OwnChanges() : writer_(db_.dsn()) { writer_.exec(std::string("BEGIN ISOLATION LEVEL ") + GetParam()); }

  /// A transaction with a higher id ends: in READ COMMITTED the next snapshot counts the writer's own id as past.
  void somebody_else_commits() { main_.exec("INSERT INTO elsewhere VALUES (1)"); }

  void write_and_refresh(int n) {
    change(writer_, n);
    somebody_else_commits();
    refresh_in(writer_);
    expect_equal(writer_, "within the transaction, change " + std::to_string(n));
  }

  Session writer_;
};

TEST_P(OwnChanges, AreTakenOnce) {
  write_and_refresh(1);
  expect_equal(main_, "others see neither the changes nor the refresh");
  write_and_refresh(2);
  write_and_refresh(3);
  change(writer_, 4);
  writer_.exec("COMMIT");
  for (int turn = 0; turn < 3; ++turn)
    for (const auto& source : sources()) rotate(source);  // what no refresh has taken must stay
  refresh_and_check("after the commit");
  move_frontiers_on();
}

TEST_P(OwnChanges, RolledBackWithTheRefresh) {
  write_and_refresh(1);
  write_and_refresh(2);
  writer_.exec("ROLLBACK");
  expect_equal(main_, "as before");
  refresh_and_check("after the rollback");
  change(main_, 3);
  refresh_and_check("and on");
}

TEST_P(OwnChanges, SavepointsAroundTheRefresh) {
  write_and_refresh(1);
  writer_.exec("SAVEPOINT a");
  write_and_refresh(2);
  writer_.exec("ROLLBACK TO SAVEPOINT a");  // changes and refresh
  expect_equal(writer_, "as before the savepoint");
  write_and_refresh(3);
  writer_.exec("SAVEPOINT b");
  change(writer_, 4);
  writer_.exec("ROLLBACK TO SAVEPOINT b");  // changes that no refresh has seen
  write_and_refresh(5);
  writer_.exec("TRUNCATE events");
  write_and_refresh(6);
  writer_.exec("COMMIT");
  refresh_and_check("after the commit");
}

TEST_P(OwnChanges, WithoutChangesAfterTheRefresh) {
  write_and_refresh(1);
  writer_.exec("COMMIT");
  expect_equal(main_, "after the commit, not refreshed again");
  refresh_and_check("nothing is counted twice");
}

TEST_P(OwnChanges, BesideOpenWriters) {
  Session late(db_.dsn());
  const bool locks = std::string(GetParam()) == "READ COMMITTED";
  if (!locks) {  // in READ COMMITTED the refresh locks out other writers
    late.exec("BEGIN");
    change(late, 8);
  }
  write_and_refresh(1);
  if (!locks) change(late, 9);
  writer_.exec("COMMIT");
  if (!locks) late.exec("COMMIT");
  refresh_and_check("after both have committed");
}

INSTANTIATE_TEST_SUITE_P(, OwnChanges, ::testing::Values("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"),
                         [](const auto& chosen) {
                           std::string name = chosen.param;
                           std::erase(name, ' ');
                           return name;
                         });

TEST_F(Frontier, ReadCommittedRefreshWaitsForOpenWriters) {
  Session writer(db_.dsn());
  writer.exec("BEGIN");
  change(writer, 1);
  auto refreshed =
      std::async(std::launch::async, [&] { main_.exec("SELECT pgtrickle.refresh_stream_table('totals')"); });
  EXPECT_EQ(refreshed.wait_for(300ms), std::future_status::timeout);
  change(writer, 2);
  writer.exec("COMMIT");
  refreshed.get();
  EXPECT_TRUE(equals_query(main_, "totals"));
}

// Logs change places again and again while writers have rows in both, and one stream table is far behind.
TEST_F(Frontier, RotationWithOpenWritersAndALaggingConsumer) {
  Session late(db_.dsn());
  Session later(db_.dsn());
  int switched = 0;
  int truncated = 0;
  const auto turn_logs = [&] {
    for (const auto& source : sources()) {
      const std::string done = rotate(source);
      switched += static_cast<int>(done == "switched");
      truncated += static_cast<int>(done == "truncated");
    }
  };
  for (int round = 0; round < 12; ++round) {
    const int n = 10 * (round + 1);
    late.exec("BEGIN");
    change(late, n);
    turn_logs();
    later.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
    change(later, n + 1);
    change(main_, n + 2);
    turn_logs();
    for (const auto& name : names_)
      if (name != "by_label" || round % 4 == 3) db_.refresh(name);
    turn_logs();
    change(late, n + 3);
    late.exec(round % 3 == 2 ? "ROLLBACK" : "COMMIT");
    turn_logs();
    change(later, n + 4);
    later.exec("COMMIT");
    for (const auto& name : names_) {
      if (name == "by_label" && round % 4 != 3) continue;
      db_.refresh(name);
      EXPECT_TRUE(equals_query(main_, name)) << "round " << round;
    }
    turn_logs();
  }
  EXPECT_GT(switched, 5);
  EXPECT_GT(truncated, 5);
  refresh_and_check("at the end");
}

TEST_F(Frontier, TwoRefreshesOfOneStreamTable) {
  Session first(db_.dsn());
  Session second(db_.dsn());
  change(main_, 1);

  // REPEATABLE READ: the second has a snapshot from before the first one's commit.
  first.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
  second.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
  second.exec("SELECT count(*) FROM items");
  first.exec("SELECT pgtrickle.refresh_stream_table('totals')");
  auto loser = std::async(std::launch::async, [&]() -> std::string {
    try {
      second.exec("SELECT pgtrickle.refresh_stream_table('totals')");
    } catch (const pqxx::failure& error) {
      return code_of(error);
    }
    return "none";
  });
  EXPECT_EQ(loser.wait_for(200ms), std::future_status::timeout);
  first.exec("COMMIT");
  EXPECT_EQ(loser.get(), "40001");
  second.exec("ROLLBACK");
  EXPECT_TRUE(equals_query(main_, "totals"));

  // READ COMMITTED: it waits, and finds nothing left to do.
  change(main_, 2);
  first.exec("BEGIN");
  first.exec("SELECT pgtrickle.refresh_stream_table('totals')");
  auto waiting =
      std::async(std::launch::async, [&] { second.exec("SELECT pgtrickle.refresh_stream_table('totals')"); });
  EXPECT_EQ(waiting.wait_for(200ms), std::future_status::timeout);
  first.exec("COMMIT");
  waiting.get();
  EXPECT_TRUE(equals_query(main_, "totals"));

  // The first one rolls back: the second does the work.
  change(main_, 3);
  first.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
  first.exec("SELECT pgtrickle.refresh_stream_table('totals')");
  auto heir = std::async(std::launch::async, [&] { second.exec("CALL pgtrickle.refresh('totals')"); });
  EXPECT_EQ(heir.wait_for(200ms), std::future_status::timeout);
  first.exec("ROLLBACK");
  heir.get();
  EXPECT_TRUE(equals_query(main_, "totals"));
  refresh_and_check("at the end");
}

/// Runs jobs in threads, each over and over with a session of its own, until the time is up. Retryable errors are part
/// of the game; anything else fails the test.
class Threads {
 public:
  Threads(std::string dsn, std::chrono::milliseconds duration)
      : dsn_(std::move(dsn)), end_(std::chrono::steady_clock::now() + duration) {}

  void run(const std::string& what, const std::function<void(Session&, std::mt19937&)>& job) {
    const unsigned number = static_cast<unsigned>(threads_.size());
    threads_.emplace_back([this, what, job, number] {
      std::mt19937 random(seed() + number);
      Session session(dsn_);
      int done = 0;
      const auto goes_on = [&] {  // a slow machine gets a minute more for the few that there have to be
        const auto now = std::chrono::steady_clock::now();
        return now < end_ || (done <= 3 && now < end_ + 60s);
      };
      while (goes_on()) {
        try {
          job(session, random);
          ++done;
        } catch (const pqxx::failure& error) {
          if (!is_retryable(code_of(error))) {
            ADD_FAILURE() << what << ": " << error.what() << " (" << code_of(error) << ")";
            return;
          }
          try {
            session.exec("ROLLBACK");
          } catch (const pqxx::failure&) {
          }
        }
      }
      EXPECT_GT(done, 3) << what;
    });
  }

  void join() {
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  std::string dsn_;
  std::chrono::steady_clock::time_point end_;
  std::vector<std::thread> threads_;
};

int pick(std::mt19937& random, int from, int to) {
  return std::uniform_int_distribution<int>(from, to)(random);
}

// Money moves between two tables, always within one transaction. No reader of a stream table over both ever sees half
// of such a transaction, whichever way it was refreshed.
TEST(FrontierThreads, SourcesChangedTogetherAreNeverSeenApart) {
  TestDatabase db;
  Session main(db.dsn());
  main.exec(
      "CREATE TABLE a (id int PRIMARY KEY, amount int NOT NULL); CREATE TABLE b (id int PRIMARY KEY, amount int NOT "
      "NULL);"
      "INSERT INTO a SELECT i, 100 FROM generate_series(1, 40) AS i; INSERT INTO b SELECT i, 100 FROM "
      "generate_series(1, 40) AS i");
  db.create_stream_table("pairs", "SELECT id, a.amount AS x, b.amount AS y FROM a JOIN b USING (id)", "DIFFERENTIAL");
  db.create_stream_table(
      "total",
      "SELECT sum(amount) AS total, count(*) AS n FROM (SELECT amount FROM a UNION ALL SELECT amount FROM b) u",
      "DIFFERENTIAL");
  db.create_stream_table("product", "SELECT sum(a.amount + b.amount) AS total, count(*) AS n FROM a JOIN b USING (id)",
                         "DIFFERENTIAL");
  main.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");

  std::atomic<int> moved{0};
  Threads threads(db.dsn(), 5s);
  for (int i = 0; i < 3; ++i) {
    threads.run("writer", [&](Session& session, std::mt19937& random) {
      const std::string id = std::to_string(pick(random, 1, 40));
      const std::string amount = std::to_string(pick(random, -50, 50));
      session.exec("BEGIN");
      // Always in this order, which is also that of the refresh's locks: otherwise it deadlocks more than it refreshes.
      session.exec("UPDATE a SET amount = amount + " + amount + " WHERE id = " + id);
      std::this_thread::sleep_for(std::chrono::milliseconds(pick(random, 0, 8)));
      session.exec("UPDATE b SET amount = amount - (" + amount + ") WHERE id = " + id);
      session.exec(pick(random, 0, 9) == 0 ? "ROLLBACK" : "COMMIT");
      ++moved;
    });
  }
  for (const std::string name : {"pairs", "total", "product"}) {
    threads.run("refresher of " + name,
                [=](Session& session, std::mt19937&) { session.exec("CALL pgtrickle.refresh('" + name + "')"); });
  }
  threads.run("refresher in READ COMMITTED", [](Session& session, std::mt19937& random) {
    session.exec(std::string("SELECT pgtrickle.refresh_stream_table('") +
                 (pick(random, 0, 1) == 0 ? "pairs" : "product") + "')");
    std::this_thread::sleep_for(50ms);
  });
  threads.run("reader", [](Session& session, std::mt19937&) {
    EXPECT_EQ(session.table("SELECT id, x, y FROM pairs WHERE x + y <> 200"), "");
    EXPECT_EQ(session.value("SELECT count(*) FROM pairs"), "40");
    EXPECT_EQ(session.table("SELECT total, n FROM total"), "8000|80");
    EXPECT_EQ(session.table("SELECT total, n FROM product"), "8000|40");
  });
  threads.join();
  EXPECT_GT(moved.load(), 50);
  for (const char* name : {"pairs", "total", "product"}) {
    db.refresh(name);
    EXPECT_TRUE(equals_query(main, name));
  }
  EXPECT_NE(main.value("SELECT count(*) FROM pairs WHERE x <> 100"), "0");
}

// Long overlapping transactions with savepoints and rollbacks, refreshes and rotations all the time; then quiet, and
// equal.
TEST_F(Frontier, LongOverlappingTransactionsUnderRefreshes) {
  Threads threads(db_.dsn(), 6s);
  std::atomic<int> next{1000};
  for (int i = 0; i < 4; ++i) {
    threads.run("writer", [&next](Session& session, std::mt19937& random) {
      session.exec("SET lock_timeout = '500ms'");
      session.exec(pick(random, 0, 2) == 0 ? "BEGIN ISOLATION LEVEL REPEATABLE READ" : "BEGIN");
      const int statements = pick(random, 1, 8);
      for (int s = 0; s < statements; ++s) {
        const std::string id = std::to_string(pick(random, 1, 80));
        const std::string fresh = std::to_string(++next);
        const std::string kind = std::to_string(pick(random, 0, 6));
        const bool undo = pick(random, 0, 5) == 0;
        if (undo) session.exec("SAVEPOINT s");
        switch (pick(random, 0, 7)) {
          case 0:
            session.exec("INSERT INTO items VALUES (" + fresh + ", " + kind + ", " + id + ")");
            break;
          case 1:
            session.exec("DELETE FROM items WHERE id = " + id);
            break;
          case 2:
            session.exec("UPDATE items SET amount = amount + 1, kind = " + kind + " WHERE id = " + id);
            break;
          case 3:
            session.exec("UPDATE items SET amount = amount % 7 WHERE kind = " + kind + " AND id > 1000");
            break;
          case 4:
            session.exec("INSERT INTO events SELECT " + kind + ", i % 2 FROM generate_series(1, 3) AS i");
            break;
          case 5:
            session.exec("DELETE FROM events WHERE ctid IN (SELECT ctid FROM events WHERE kind = " + kind +
                         " LIMIT 2)");
            break;
          case 6:
            session.exec("UPDATE kinds SET label = 'kind ' || " + id + " % 4 WHERE kind = " + kind);
            break;
          default:
            session.exec("INSERT INTO kinds VALUES (" + kind +
                         ", 'new') ON CONFLICT (kind) DO UPDATE SET label = excluded.label");
        }
        if (undo) session.exec("ROLLBACK TO SAVEPOINT s");
        if (pick(random, 0, 2) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(pick(random, 1, 60)));
      }
      session.exec(pick(random, 0, 5) == 0 ? "ROLLBACK" : "COMMIT");
    });
  }
  for (int i = 0; i < 2; ++i) {
    threads.run("refresher", [this](Session& session, std::mt19937& random) {
      const auto& name = names_[static_cast<std::size_t>(pick(random, 0, static_cast<int>(names_.size()) - 1))];
      session.exec("CALL pgtrickle.refresh('" + name + "')");
    });
  }
  threads.run("one snapshot for all", [this](Session& session, std::mt19937&) {
    session.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
    refresh_in(session);
    for (const auto& name : names_) EXPECT_TRUE(equals_query(session, name)) << "in the middle of it";
    session.exec("COMMIT");
  });
  threads.run("rotation", [ids = sources()](Session& session, std::mt19937& random) {
    for (const auto& id : ids) session.exec("SELECT pgtrickle._rotate_log(" + id + ", 0)");
    std::this_thread::sleep_for(std::chrono::milliseconds(pick(random, 1, 30)));
  });
  threads.join();
  refresh_and_check("at rest");
  refresh_and_check("and again");
}

}  // namespace
