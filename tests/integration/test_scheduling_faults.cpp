// What goes wrong in one place of a graph stays there: stream tables that fail, are slow or have a blown fuse do not
// hold up others, and a leader that dies in the middle of a component leaves nothing half done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

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

/// In every snapshot the query must return one value, that is one row; on a thread of its own.
class Watcher {
 public:
  Watcher(const std::string& dsn, const std::string& query) : thread_([this, dsn, query] { watch(dsn, query); }) {}
  ~Watcher() { stop(); }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  /// Ends the watching; what was wrong, or nothing.
  std::string stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    return wrong_;
  }
  [[nodiscard]] int looks() const { return looks_; }

 private:
  void watch(const std::string& dsn, const std::string& query) try {
    Session session(dsn);
    while (!stopping_ && wrong_.empty()) {
      const std::string seen = session.table(query);
      if (seen.find('\n') != std::string::npos) wrong_ = "seen at once:\n" + seen;
      ++looks_;
      std::this_thread::sleep_for(2ms);
    }
  } catch (const std::exception& error) {
    wrong_ = error.what();
  }

  std::atomic<bool> stopping_{false};
  std::atomic<int> looks_{0};
  std::string wrong_;
  std::thread thread_;
};

class SchedulingFaults : public ::testing::Test {
 protected:
  SchedulingFaults() : session_(db_.dsn()) {
    session_.exec("CREATE TABLE items (id int PRIMARY KEY, kind int NOT NULL)");
    session_.exec("CREATE TABLE others (id int PRIMARY KEY)");
    session_.exec("CREATE SEQUENCE ids");
  }

  void create(const std::string& name, const std::string& query, const std::string& rest = "") {
    session_.exec("SELECT pgtrickle.create_stream_table(" + session_.quote(name) + ", " + session_.quote(query) +
                  ", schedule => '50 ms', refresh_mode => 'DIFFERENTIAL'" + rest + ")");
    names_.push_back(name);
  }

  /// Stream tables of the component under test: `base`, and what reads it.
  void create_base() { create("base", "SELECT id, kind FROM items"); }
  /// One that has nothing to do with them.
  void create_lone() { create("lone", "SELECT id FROM others"); }

  /// A function that takes so long in the daemon's sessions.
  void create_slow_function() {
    session_.exec(
        "CREATE FUNCTION slow(milliseconds int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN "
        "IF current_setting('application_name') LIKE 'pgtrickled%' THEN PERFORM pg_sleep(milliseconds / 1000.0); END "
        "IF; "
        "RETURN milliseconds; END$$");
  }

  void wait_active() {
    for (const auto& name : names_)
      session_.exec("SELECT pgtrickle.wait_until_active(" + session_.quote(name) + ", '30 s')");
  }

  std::string count(const std::string& table, const std::string& where = "true") {
    return session_.value("SELECT count(*) FROM " + table + " WHERE " + where);
  }

  bool shows(const std::string& table, const std::string& id, std::chrono::milliseconds timeout = 20s) {
    return wait_until([&] { return count(table, "id = " + id) == "1"; }, timeout);
  }

  /// A new row in `table`; its id.
  std::string insert(const std::string& table, const std::string& rest = "") {
    return session_.value("INSERT INTO " + table + " SELECT nextval('ids')" + rest + " RETURNING id");
  }

  std::string fuse_of(const std::string& name) {
    return session_.value("SELECT fuse_state FROM pgtrickle.fuse_status() WHERE stream_table = 'public." + name + "'");
  }

  std::string id_of(const std::string& name) { return std::to_string(db_.id_of(name)); }

  void expect_all_equal() {
    std::string behind;
    EXPECT_TRUE(wait_until(
        [&] {
          behind = session_.table(
              "SELECT name, status, staleness, needs_reinit, last_error FROM pgtrickle.stream_tables "
              "WHERE staleness IS DISTINCT FROM '0' OR status <> 'ACTIVE' OR needs_reinit");
          return behind.empty();
        },
        60s))
        << behind;
    for (const auto& name : names_) EXPECT_TRUE(equals_query(session_, name)) << name;
  }

  TestDatabase db_;
  Session session_;
  std::vector<std::string> names_;
};

TEST_F(SchedulingFaults, OneThatAlwaysFailsDoesNotDelayOthers) {
  create_base();
  create("bad", "SELECT id, 100 / kind AS quotient FROM base");
  create("good", "SELECT id, kind + 1 AS next FROM base");
  create_lone();
  // It shall go on failing for as long as the test wants, as often as it can.
  DaemonProcess daemon(DaemonProcess::Options{
      .dsns = {db_.dsn()},
      .config = "scheduler:\n  max_consecutive_errors: 1000\n  retry_backoff_min: 10ms\n  retry_backoff_max: 50ms\n"});
  wait_active();
  // A round: one row in each of both base tables, until it is seen.
  const auto rounds_within = [&](std::chrono::seconds time) {
    int rounds = 0;
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
      const std::string row = insert("items", ", 1"), other = insert("others");
      EXPECT_TRUE(shows("good", row)) << "round " << rounds;
      EXPECT_TRUE(shows("lone", other)) << "round " << rounds;
      if (HasFailure()) break;
      ++rounds;
    }
    return rounds;
  };
  const int healthy = rounds_within(5s);

  insert("items", ", 0");
  const auto failures = [&] {
    return std::stoi(
        session_.value("SELECT count(*) FROM pgtrickle.pgt_refresh_history WHERE status = 'FAILED' AND "
                       "error_code = '22012' AND pgt_id = " +
                       id_of("bad")));
  };
  ASSERT_TRUE(wait_until([&] { return failures() > 0; }));
  const int before = failures();
  const int failing = rounds_within(10s);
  EXPECT_GT(failures(), before + 5) << "it did not fail all the time";
  EXPECT_GT(failing, healthy / 2) << "in twice the time";

  session_.exec("DELETE FROM items WHERE kind = 0");
  expect_all_equal();
}

TEST_F(SchedulingFaults, ASlowOneHoldsNobodyOnceThatIsKnown) {
  create_slow_function();
  create_base();
  create("slowly", "SELECT id, slow(kind) AS took FROM base");
  create("quick", "SELECT id, kind + 1 AS next FROM base");
  create_lone();
  DaemonProcess daemon(db_.dsn());
  wait_active();
  bool overtaken = false;
  for (int round = 1; round <= 4 && !overtaken; ++round) {
    const std::string first = insert("items", ", 6000");
    const auto slowly_has_it = [&] { return count("slowly", "id = " + first) == "1"; };
    // The unrelated one goes on in every round, also while nobody knows yet how slow its neighbour is.
    int others = 0;
    int own = 0;
    std::string row = insert("items", ", 1");
    while (!slowly_has_it()) {
      const std::string other = insert("others");
      ASSERT_TRUE(shows("lone", other));
      if (slowly_has_it()) break;
      ++others;
      if (count("quick", "id = " + row) == "1") {
        ++own;
        row = insert("items", ", 1");
      }
    }
    EXPECT_GE(others, 3) << "round " << round;
    overtaken = own >= 3;
  }
  EXPECT_TRUE(overtaken) << "its neighbour always waited for it";
  expect_all_equal();
}

TEST_F(SchedulingFaults, ALeaderThatDiesInTheMiddleOfAComponentLeavesNothingHalfDone) {
  create_slow_function();
  create_base();
  create("left_side", "SELECT kind, count(*) AS n FROM base GROUP BY kind");
  create("right_side", "SELECT id, kind, slow(300 + id * 0) AS took FROM base");
  create("bottom",
         "SELECT l.kind, l.n, r.id FROM left_side AS l JOIN right_side AS r ON r.kind = l.kind WHERE slow(200 + r.id * "
         "0) > 0");
  const auto start = [&] {
    // However slow this machine is: above this cost the component would be cut, and its parts would not agree.
    return std::make_unique<DaemonProcess>(DaemonProcess::Options{
        .dsns = {db_.dsn()}, .config = "scheduler:\n  unit_max_cost: 10m\n", .wait_ready = false});
  };
  std::vector<std::unique_ptr<DaemonProcess>> daemons;
  daemons.push_back(start());
  wait_active();
  // All four say how many items there are.
  Watcher watcher(db_.dsn(),
                  "SELECT count(*) FROM base UNION SELECT coalesce(sum(n), 0) FROM left_side "
                  "UNION SELECT count(*) FROM right_side UNION SELECT count(*) FROM bottom");
  int killed = 0;
  constexpr int kRounds = 4;
  constexpr int kRows = 3;
  for (int round = 0; round < kRounds; ++round) {
    daemons.push_back(start());
    const auto leader = [&] {
      return session_.table(
          "SELECT d.pid FROM pgtrickle.pgt_daemons d WHERE d.is_leader AND d.heartbeat_at > clock_timestamp() - "
          "interval '15 s' ORDER BY d.heartbeat_at DESC LIMIT 1");
    };
    ASSERT_TRUE(wait_until([&] {
      return session_.value("SELECT count(*) FROM pgtrickle.pgt_daemons WHERE NOT is_leader AND pid = " +
                            std::to_string(daemons.back()->pid())) == "1";
    })) << "there is no standby";
    for (int i = 0; i < kRows; ++i) insert("items", ", 1");
    ASSERT_TRUE(wait_until([&] {
      return session_.value(
                 "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgtrickled%' AND "
                 "wait_event = 'PgSleep' AND datname = current_database()") != "0";
    })) << "the component is not being refreshed";
    for (auto& daemon : daemons) {
      if (daemon && std::to_string(daemon->pid()) == leader()) {
        daemon->kill();
        daemon.reset();
        ++killed;
      }
    }
    // The one that took over goes on alone.
    ASSERT_TRUE(wait_until([&] { return count("bottom") == std::to_string((round + 1) * kRows); }, 60s))
        << count("bottom");
    std::erase(daemons, nullptr);
  }
  EXPECT_EQ(killed, kRounds);
  EXPECT_EQ(watcher.stop(), "");
  EXPECT_GT(watcher.looks(), 10);
  expect_all_equal();
  // Every item went through each of them once: all are there, and none was ever taken away. History and counters are
  // written after COMMIT, so those of a daemon's last moment are lost with it: PostgreSQL's own tell.
  EXPECT_TRUE(wait_until([&] {
    return session_.table("SELECT n_tup_ins >= " + std::to_string(kRounds * kRows) +
                          ", n_tup_del FROM pg_stat_user_tables WHERE relname = 'right_side'") == "t|0";
  })) << session_.table("SELECT n_tup_ins, n_tup_del FROM pg_stat_user_tables WHERE relname = 'right_side'");
  EXPECT_EQ(session_.table("SELECT pgt_id, count(*) FROM pgtrickle.pgt_refresh_history WHERE initiated_by = 'INITIAL' "
                           "GROUP BY 1 HAVING count(*) > 1"),
            "")
      << "rebuilt";
}

TEST_F(SchedulingFaults, ABlownFuseInADiamondStopsTheDiamondAndNothingElse) {
  create_base();
  create("left_side", "SELECT kind, count(*) AS n FROM base GROUP BY kind", ", fuse => 'on', fuse_ceiling => 10");
  create("right_side", "SELECT id, kind FROM base WHERE id > 0");
  create("bottom", "SELECT l.kind, l.n, r.id FROM left_side AS l JOIN right_side AS r ON r.kind = l.kind");
  create("beside", "SELECT id FROM base WHERE kind > 0");
  create_lone();
  DaemonProcess daemon(db_.dsn());
  wait_active();
  Watcher watcher(db_.dsn(),
                  "SELECT coalesce(sum(n), 0) FROM left_side UNION SELECT count(*) FROM right_side "
                  "UNION SELECT count(*) FROM bottom");
  const std::string first = insert("items", ", 1");
  ASSERT_TRUE(shows("bottom", first)) << "below the ceiling";

  session_.exec("INSERT INTO items SELECT nextval('ids'), 2 FROM generate_series(1, 100)");
  ASSERT_TRUE(wait_until([&] { return fuse_of("left_side") == "blown"; }));
  EXPECT_TRUE(wait_until([&] { return daemon.log().find("pending_rows=100 limit=10") != std::string::npos; }));
  // What is beside it goes on, round after round; so the diamond had as many occasions to move.
  EXPECT_TRUE(wait_until([&] { return count("beside") == "101"; }));
  for (int i = 0; i < 5; ++i) {
    const std::string row = insert("items", ", 3"), other = insert("others");
    EXPECT_TRUE(shows("beside", row));
    EXPECT_TRUE(shows("lone", other));
  }
  EXPECT_EQ(count("left_side"), "1");
  EXPECT_EQ(count("right_side"), "1");
  EXPECT_EQ(count("bottom"), "1");
  EXPECT_EQ(session_.value("SELECT status FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'left_side'"), "ACTIVE");

  session_.exec("SELECT pgtrickle.reset_fuse('left_side', 'apply')");
  EXPECT_TRUE(wait_until([&] { return count("bottom") == "106"; })) << count("bottom");
  EXPECT_EQ(fuse_of("left_side"), "armed");
  expect_all_equal();
  EXPECT_EQ(watcher.stop(), "");
  EXPECT_GT(watcher.looks(), 10);
}

TEST_F(SchedulingFaults, ABlownFuseWithoutConsistencyStopsOnlyWhatReadsIt) {
  create_base();
  create("left_side", "SELECT kind, count(*) AS n FROM base GROUP BY kind", ", fuse => 'on', fuse_ceiling => 10");
  create("right_side", "SELECT id, kind FROM base WHERE id > 0");
  create("bottom", "SELECT l.kind, l.n, r.id FROM left_side AS l JOIN right_side AS r ON r.kind = l.kind",
         ", diamond_consistency => 'none'");
  DaemonProcess daemon(db_.dsn());
  wait_active();
  session_.exec("INSERT INTO items SELECT nextval('ids'), 2 FROM generate_series(1, 100)");
  EXPECT_TRUE(wait_until([&] { return count("right_side") == "100"; }));
  EXPECT_TRUE(wait_until([&] { return fuse_of("left_side") == "blown"; }));  // recorded after the refresh
  EXPECT_EQ(count("left_side"), "0");
  EXPECT_EQ(count("bottom"), "0");
  session_.exec("SELECT pgtrickle.reset_fuse('left_side', 'apply')");
  EXPECT_TRUE(wait_until([&] { return count("bottom") == "100"; })) << count("bottom");
  expect_all_equal();
}

}  // namespace
