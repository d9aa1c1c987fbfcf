// Under load the daemon is killed, its connections are cut and the server crashes, all at random moments. Afterwards
// every stream table catches up by itself and equals its query: nothing is lost, nothing is counted twice.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/cluster.h"
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

int pick(std::mt19937& random, int from, int to) {
  return std::uniform_int_distribution<int>(from, to)(random);
}

/// Runs what may fail because the server is gone or another transaction was in the way; true if it did not.
template <class F>
bool survives(F work) {
  try {
    work();
    return true;
  } catch (const pqxx::failure& error) {
    const auto* sql = dynamic_cast<const pqxx::sql_error*>(&error);
    if (sql == nullptr) return false;  // connection lost, serialization failure, deadlock
    const std::string code = sql->sqlstate();
    if (code.empty() || code.starts_with("57P") || code.starts_with("08") || code == "55P03") return false;
    throw;
  }
}

class Crash : public ::testing::Test {
 protected:
  Crash() : random_(seed()) {
    connect();
    main_->exec(
        "CREATE TABLE kinds (kind int PRIMARY KEY, label text);"
        "CREATE TABLE items (id int PRIMARY KEY, kind int, amount int NOT NULL);"
        "CREATE TABLE events (kind int, amount int);"
        "CREATE SEQUENCE ids START 10000;"
        "INSERT INTO kinds SELECT i, 'kind ' || i % 3 FROM generate_series(0, 9) AS i;"
        "INSERT INTO items SELECT i, i % 12, i FROM generate_series(1, 2000) AS i;"
        "INSERT INTO events SELECT i % 12, i % 3 FROM generate_series(1, 300) AS i");
    create("totals",
           "SELECT kind, count(*) AS n, sum(amount) AS total, max(amount) AS largest FROM items GROUP BY kind");
    create("labelled", "SELECT i.id, i.amount, k.label FROM items i JOIN kinds k USING (kind)");
    create("by_label",
           "SELECT k.label, count(*) AS n, sum(i.amount) AS total FROM items i JOIN kinds k USING (kind) GROUP BY "
           "k.label");
    create("nested",
           "SELECT n, count(*) AS kinds FROM (SELECT kind, count(*) AS n FROM events GROUP BY kind) s GROUP BY n");
    create("duplicates", "SELECT kind, amount FROM events");
    create("above",
           "SELECT t.n, count(*) AS c, sum(t.total + e.amount) AS s FROM totals t JOIN duplicates e USING (kind) GROUP "
           "BY t.n");
  }

  ~Crash() override { stop_load(); }

  static unsigned seed() {
    const char* given = std::getenv("PGT_SEED");
    const unsigned value = given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device{}();
    std::cout << "PGT_SEED=" << value << std::endl;
    return value;
  }

  void connect() {
    ASSERT_TRUE(wait_until([this] {
      try {
        main_ = std::make_unique<Session>(db_.dsn());
        return true;
      } catch (const pqxx::failure&) {
        return false;
      }
    }));
  }

  void create(const std::string& name, const std::string& query) {
    main_->exec("SELECT pgtrickle.create_stream_table('" + name + "', " + main_->quote(query) +
                ", schedule => '100 ms', refresh_mode => 'DIFFERENTIAL')");
    names_.push_back(name);
  }

  void start_daemon() {
    if (daemon_) logs_ += "\n--- log of an earlier daemon\n" + daemon_->log();
    daemon_.reset();
    daemon_ = std::make_unique<DaemonProcess>(DaemonProcess::Options{.dsns = {db_.dsn()}, .wait_ready = false});
  }

  void wait_active() {
    for (const auto& name : names_) main_->exec("SELECT pgtrickle.wait_until_active('" + name + "', '30 s')");
  }

  void start_load(int writers = 4) {
    for (int i = 0; i < writers; ++i) {
      const unsigned own_seed = random_();
      writers_.emplace_back([this, own_seed] { write(own_seed); });
    }
  }

  void stop_load() {
    stopping_ = true;
    for (auto& writer : writers_) writer.join();
    writers_.clear();
    stopping_ = false;
  }

  void write(unsigned own_seed) try {
    std::mt19937 random(own_seed);
    std::unique_ptr<Session> session;
    while (!stopping_) {
      const bool done = survives([&] {
        if (!session) session = std::make_unique<Session>(db_.dsn());
        transaction(*session, random);
        ++committed_;
      });
      if (!done) {
        session.reset();
        std::this_thread::sleep_for(20ms);
      }
    }
  } catch (const std::exception& error) {
    ADD_FAILURE() << "a writer failed: " << error.what();
  }

  static void transaction(Session& session, std::mt19937& random) {
    session.exec("SET lock_timeout = '2s'");
    session.exec(pick(random, 0, 3) == 0 ? "BEGIN ISOLATION LEVEL REPEATABLE READ" : "BEGIN");
    for (int s = pick(random, 1, 5); s > 0; --s) {
      const std::string id = std::to_string(pick(random, 1, 2000));
      const std::string kind = std::to_string(pick(random, 0, 12));
      switch (pick(random, 0, 6)) {
        case 0:
          session.exec("INSERT INTO items SELECT nextval('ids'), " + kind + ", " + id + " FROM generate_series(1, 3)");
          break;
        case 1:
          session.exec("DELETE FROM items WHERE id = (SELECT max(id) FROM items WHERE kind = " + kind + ")");
          break;
        case 2:
          session.exec("UPDATE items SET amount = amount + 1, kind = " + kind + " WHERE id = " + id);
          break;
        case 3:
          session.exec("INSERT INTO events VALUES (" + kind + ", 1), (" + kind + ", 2)");
          break;
        case 4:
          session.exec("DELETE FROM events WHERE ctid IN (SELECT ctid FROM events WHERE kind = " + kind + " LIMIT 2)");
          break;
        case 5:
          session.exec("UPDATE kinds SET label = 'kind ' || " + id + " % 4 WHERE kind = " + kind);
          break;
        default:
          session.exec("INSERT INTO kinds VALUES (" + kind +
                       ", 'new') ON CONFLICT (kind) DO UPDATE SET label = excluded.label");
      }
    }
    if (pick(random, 0, 3) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(pick(random, 1, 100)));
    session.exec(pick(random, 0, 7) == 0 ? "ROLLBACK" : "COMMIT");
  }

  void sleep(int from_ms, int to_ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(pick(random_, from_ms, to_ms)));
  }

  /// At rest, without any help, every stream table is ACTIVE, has nothing pending, and equals its query.
  void expect_all_recovered() {
    stop_load();
    connect();
    std::string behind;
    EXPECT_TRUE(wait_until(
        [&] {
          return survives([&] {
                   behind = main_->table(
                       "SELECT name, status, staleness, needs_reinit, last_error FROM pgtrickle.stream_tables "
                       "WHERE staleness <> '0' OR staleness IS NULL OR status <> 'ACTIVE' OR needs_reinit");
                 }) &&
                 behind.empty();
        },
        30s))
        << behind;
    for (const auto& name : names_) EXPECT_TRUE(equals_query(*main_, name));
    EXPECT_GT(committed_.load(), 50);
  }

  /// They have gone on from their frontiers: none was initialised a second time.
  void expect_no_rebuild() {
    EXPECT_EQ(main_->table("SELECT pgt_id, count(*) FROM pgtrickle.pgt_refresh_history WHERE initiated_by = 'INITIAL' "
                           "GROUP BY 1 HAVING count(*) > 1"),
              "")
        << main_->table(
               "SELECT pgt_id, initiated_by, start_time, end_time FROM pgtrickle.pgt_refresh_history WHERE "
               "initiated_by = 'INITIAL' ORDER BY start_time")
        << logs_;
  }

  std::mt19937 random_;
  TestDatabase db_;
  std::unique_ptr<Session> main_;
  std::unique_ptr<DaemonProcess> daemon_;
  std::vector<std::string> names_;
  std::string logs_;
  std::vector<std::thread> writers_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> committed_{0};
};

TEST_F(Crash, DaemonIsKilled) {
  start_daemon();
  wait_active();
  start_load();
  for (int i = 0; i < 12; ++i) {
    sleep(50, 700);
    daemon_->kill();
    if (i % 3 == 0) sleep(0, 300);
    start_daemon();
  }
  expect_all_recovered();
  expect_no_rebuild();
}

TEST_F(Crash, DaemonIsKilledWhileItBuilds) {
  start_load(2);
  for (int i = 0; i < 10; ++i) {
    start_daemon();
    sleep(20, 400);
    daemon_->kill();
    if (i % 3 == 2)
      main_->exec("UPDATE pgtrickle.pgt_stream_tables SET needs_reinit = true, generation = generation + 1");
  }
  start_daemon();
  wait_active();
  expect_all_recovered();
  // Half-made programs have left nothing: after a drop all of it goes.
  for (auto name = names_.rbegin(); name != names_.rend(); ++name)
    main_->exec("SELECT pgtrickle.drop_stream_table('" + *name + "')");
  std::string left;
  EXPECT_TRUE(wait_until([&] {
    left = main_->table(
        "SELECT 'function', proname FROM pg_proc WHERE pronamespace IN ('pgtrickle_state'::regnamespace, "
        "'pgtrickle_changes'::regnamespace) "
        "UNION ALL SELECT relkind::text, relname FROM pg_class WHERE relkind IN ('r', 'v') AND relnamespace IN "
        "('pgtrickle_state'::regnamespace, 'pgtrickle_changes'::regnamespace) "
        "UNION ALL SELECT 'trigger', tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT "
        "tgisinternal "
        "AND c.relnamespace <> 'pgtrickle'::regnamespace");
    return left.empty();
  })) << left;
}

TEST_F(Crash, ConnectionsAreCutInMidRefresh) {
  start_daemon();
  wait_active();
  start_load();
  int cut = 0;
  const auto end = std::chrono::steady_clock::now() + 6s;
  while (std::chrono::steady_clock::now() < end) {
    sleep(1, 40);
    cut += std::stoi(main_->value(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'pgtrickled%' "
        "AND datname = current_database() AND (state <> 'idle' OR random() < 0.02)"));
  }
  EXPECT_GT(cut, 10);
  EXPECT_TRUE(daemon_->running());
  expect_all_recovered();
  expect_no_rebuild();
}

TEST_F(Crash, ServerCrashes) {
  start_daemon();
  wait_active();
  start_load();
  for (int i = 0; i < 6; ++i) {
    sleep(300, 1500);
    pgt::test::restart_server_immediately();
  }
  connect();
  sleep(300, 600);
  EXPECT_TRUE(daemon_->running());
  expect_all_recovered();
  expect_no_rebuild();
}

TEST_F(Crash, EverythingAtOnce) {
  start_daemon();
  wait_active();
  start_load();
  for (int i = 0; i < 14; ++i) {
    sleep(50, 800);
    switch (pick(random_, 0, 3)) {
      case 0:
        pgt::test::restart_server_immediately();
        break;
      case 1:
        daemon_->kill();
        start_daemon();
        break;
      case 2:  // both, in either order
        if (pick(random_, 0, 1) == 0) daemon_->kill();
        pgt::test::restart_server_immediately();
        if (daemon_->running()) daemon_->kill();
        start_daemon();
        break;
      default:
        survives([&] {
          Session(db_.dsn()).exec(
              "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
              "pg_backend_pid()");
        });
    }
  }
  expect_all_recovered();
  expect_no_rebuild();
}

}  // namespace
