// Sleeping, seen from outside: sources that nobody writes to are locked and not looked at, writers wake their readers,
// and no lock is kept that does not spare anything. Needs a server whose triggers may notify.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include "support/database.h"
#include "support/oracle.h"
#include "support/process.h"

namespace {

using namespace std::chrono_literals;
using pgt::test::DaemonProcess;
using pgt::test::Session;
using pgt::test::TestDatabase;
using pgt::test::wait_until;

/// A process that does nothing for a while.
class StandsStill {
 public:
  explicit StandsStill(pid_t pid) : pid_(pid) { EXPECT_EQ(::kill(pid_, SIGSTOP), 0); }
  ~StandsStill() { ::kill(pid_, SIGCONT); }
  StandsStill(const StandsStill&) = delete;
  StandsStill& operator=(const StandsStill&) = delete;

 private:
  pid_t pid_;
};

class Sleeping : public ::testing::Test {
 protected:
  Sleeping() : session_(db_.dsn()) {}

  void SetUp() override {
    if (session_.value("SHOW max_prepared_transactions") != "0") {
      GTEST_SKIP() << "triggers do not notify where prepared transactions are enabled: the daemon polls";
    }
    session_.exec("CREATE TABLE items (id int PRIMARY KEY, kind int NOT NULL, amount int)");
    session_.exec("CREATE TABLE kinds (id int PRIMARY KEY, name text)");
    session_.exec("INSERT INTO items SELECT i, i % 5, i FROM generate_series(1, 500) AS i");
    session_.exec("INSERT INTO kinds SELECT i, 'kind ' || i FROM generate_series(0, 4) AS i");
    create("totals", "SELECT kind, count(*) AS n, sum(amount) AS total FROM items GROUP BY kind");
    daemon_ = std::make_unique<DaemonProcess>(db_.dsn());
    session_.exec("SELECT pgtrickle.wait_until_active('totals', '30 s')");
  }

  void create(const std::string& name, const std::string& query) {
    session_.exec("SELECT pgtrickle.create_stream_table(" + session_.quote(name) + ", " + session_.quote(query) +
                  ", schedule => '50 ms')");
  }

  /// Sources whose writers would notify.
  std::string locks() {
    return session_.value(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1885828213 AND mode = 'ExclusiveLock' "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");
  }

  bool locks_become(const std::string& count) {
    return wait_until([&] { return locks() == count; }, 30s);
  }

  bool becomes_equal(const std::string& name, std::chrono::milliseconds timeout = 15s) {
    return wait_until(
        [&] { return session_.table("SELECT * FROM pgtrickle.verify_stream_table('" + name + "', false)") == "0|0"; },
        timeout);
  }

  /// Refreshes since the daemon began, also the ones that found nothing.
  double refreshes() {
    double sum = 0;
    std::istringstream lines(pgt::test::http_get(daemon_->http_port(), "/metrics").body);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("pgtrickle_refreshes_total{")) sum += std::stod(line.substr(line.rfind(' ')));
    }
    return sum;
  }

  /// So many sources are locked, and the refresh that follows the locking is over.
  bool fall_asleep(const std::string& count) {
    return wait_until(
        [&] {
          const double before = refreshes();
          std::this_thread::sleep_for(300ms);  // six periods
          return locks() == count && before > 0 && refreshes() == before;
        },
        30s);
  }

  TestDatabase db_;
  Session session_;
  std::unique_ptr<DaemonProcess> daemon_;
};

TEST_F(Sleeping, WhatFollowsTheTimeWakesWhenARowCrosses) {
  session_.exec("CREATE TABLE ev (id int PRIMARY KEY, ts timestamptz); CREATE INDEX ON ev (ts)");
  session_.exec("INSERT INTO ev VALUES (1, now() + interval '1 hour')");
  create("past", "SELECT id FROM ev WHERE ts <= now()");
  create("per_id", "SELECT id, count(*) AS n FROM past GROUP BY id");
  // The hour began now, for it.
  const std::string minutes = session_.value("SELECT extract(minute FROM now())::int");
  create("before_the_hour",
         "SELECT id FROM ev WHERE ts < date_trunc('hour', now() - interval '" + minutes + " minutes')");
  session_.exec(
      "SELECT pgtrickle.wait_until_active(n, '30 s') FROM unnest(ARRAY['past', 'per_id', 'before_the_hour']) n");
  ASSERT_TRUE(fall_asleep("2"));
  session_.exec("INSERT INTO ev VALUES (2, now() + interval '3 seconds')");
  // It would sleep for a minute if it did not know.
  EXPECT_TRUE(wait_until([&] { return session_.table("SELECT * FROM per_id") == "2|1"; }, 25s)) << daemon_->log();
  EXPECT_TRUE(becomes_equal("past"));
  EXPECT_TRUE(fall_asleep("2"));
}

TEST_F(Sleeping, AnIdleSystemMakesNoRefreshCallsAndWakesAtOnce) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(fall_asleep("1"));
    const double before = refreshes();
    std::this_thread::sleep_for(400ms);
    EXPECT_EQ(refreshes(), before);
    session_.exec("UPDATE items SET amount = amount + 1 WHERE id = 7");
    EXPECT_TRUE(becomes_equal("totals", 8s));  // without being woken it would sleep for good
  }
}

// The lock of a source that was woken stays where it is about to be armed again. While paused nothing is.
TEST_F(Sleeping, WhilePausedWritersDoNotNotify) {
  ASSERT_TRUE(fall_asleep("1"));
  session_.exec("SELECT pgtrickle.pause_scheduler('test')");
  ASSERT_TRUE(wait_until([&] { return daemon_->log().find("paused database") != std::string::npos; }));
  session_.exec("UPDATE items SET amount = amount + 1 WHERE id = 7");
  EXPECT_TRUE(locks_become("0"));
  session_.exec("SELECT pgtrickle.resume_scheduler()");
  EXPECT_TRUE(becomes_equal("totals"));
  EXPECT_TRUE(locks_become("1"));
}

// As behind a network that swallows everything: the backend of the listener stands still, keeps its locks, and says
// nothing.
TEST_F(Sleeping, AListenerThatDiedWithoutAWordIsNoticed) {
  ASSERT_TRUE(fall_asleep("1"));
  const pid_t listener = std::stoi(session_.value(
      "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 1885828213 AND mode = "
      "'ExclusiveLock' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"));
  {
    const StandsStill still(listener);
    session_.exec("UPDATE items SET amount = amount + 1 WHERE id = 7");
    EXPECT_TRUE(becomes_equal("totals", 60s));
  }
  EXPECT_TRUE(wait_until([&] { return daemon_->log().find("wake-up connection lost") != std::string::npos; }));
  EXPECT_TRUE(locks_become("1"));  // asleep again, on another connection
}

// Logs in which nothing is written are not looked at: that of a source, and that of a stream table that others read.
TEST_F(Sleeping, LogsThatWereQuietAreEmptiedOnceTheyGrow) {
  create("amounts", "SELECT id, kind, amount FROM items");
  create("sums", "SELECT kind, sum(amount) AS total FROM amounts GROUP BY kind");
  session_.exec("SELECT pgtrickle.wait_until_active('sums', '30 s')");
  const auto log_bytes = [&] {
    return std::stoll(session_.value(
        "SELECT sum(pg_relation_size(c.oid)) FROM pg_class c WHERE c.relnamespace = 'pgtrickle_changes'::regnamespace "
        "AND c.relname ~ '^log_[0-9]+_[ab]$'"));
  };
  ASSERT_TRUE(fall_asleep("1"));
  std::this_thread::sleep_for(3s);  // some looks at logs
  for (int i = 0; i < 12; ++i) session_.exec("UPDATE items SET amount = amount + 1");
  EXPECT_TRUE(becomes_equal("sums"));
  EXPECT_GT(log_bytes(), 500'000);
  EXPECT_TRUE(wait_until([&] { return log_bytes() < 262'144; }, 20s)) << log_bytes();
}

TEST_F(Sleeping, AGraphThatChangesUnderWritesKeepsNoLock) {
  std::jthread writer([dsn = db_.dsn()](const std::stop_token& stop) {
    Session session(dsn);
    for (int i = 0; !stop.stop_requested(); ++i) {
      session.exec("UPDATE items SET amount = amount + 1 WHERE id = " + std::to_string(1 + i % 500));
      session.exec("UPDATE kinds SET name = name || '.' WHERE id = " + std::to_string(i % 5));
      std::this_thread::sleep_for(std::chrono::milliseconds(i % 7 * 20));
    }
  });
  for (int i = 0; i < 15; ++i) {
    create("named", "SELECT k.name, t.n, t.total FROM totals t JOIN kinds k ON k.id = t.kind");
    if (i % 2 == 0) session_.exec("SELECT pgtrickle.wait_until_active('named', '30 s')");
    std::this_thread::sleep_for(std::chrono::milliseconds(i * 20));
    session_.exec("SELECT pgtrickle.drop_stream_table('named')");
  }
  create("named", "SELECT k.name, t.n, t.total FROM totals t JOIN kinds k ON k.id = t.kind");
  writer.request_stop();
  writer.join();
  EXPECT_TRUE(becomes_equal("totals"));
  EXPECT_TRUE(becomes_equal("named"));
  EXPECT_TRUE(locks_become("2"));
  session_.exec("SELECT pgtrickle.drop_stream_table('named')");
  EXPECT_TRUE(locks_become("1"));
  session_.exec("SELECT pgtrickle.drop_stream_table('totals')");
  EXPECT_TRUE(locks_become("0"));
}

}  // namespace
