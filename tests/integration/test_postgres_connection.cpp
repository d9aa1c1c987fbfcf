// The asynchronous connection and pool against a real server (PGT_TEST_DSN).
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdlib>

#include "postgres/conninfo.h"
#include "postgres/pool.h"

namespace pgtrickle::postgres {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using Link = std::shared_ptr<Connection>;

Deadline in(int ms) {
  return Clock::now() + milliseconds(ms);
}

class PostgresConnection : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* dsn = std::getenv("PGT_TEST_DSN");
    ASSERT_NE(dsn, nullptr) << "PGT_TEST_DSN is not set";
    auto merged = merge_conninfo(dsn, {{"application_name", "pgtrickle_test"}, {"options", option("jit", "off")}});
    ASSERT_TRUE(merged.ok()) << merged.error().text();
    settings_ = {.conninfo = *merged, .workers = std::make_shared<asio::thread_pool>(2)};
  }

  /// Runs a coroutine to its end; the loop must have nothing else to do then.
  template <class F>
  void run(F body) {
    asio::co_spawn(io_, std::move(body), [this](const std::exception_ptr& e) {
      finished_ = true;
      if (e) std::rethrow_exception(e);
    });
    io_.run();
    io_.restart();
    ASSERT_TRUE(finished_);
    finished_ = false;
  }

  asio::awaitable<Link> connect() {
    auto connection = co_await Connection::connect(settings_);
    EXPECT_TRUE(connection.ok()) << (connection.ok() ? "" : connection.error().text());
    co_return *connection;
  }

  // No braced lists in the coroutines below: GCC 12 miscompiles initializer lists that live across a co_await.
  static Statement sql(std::string text) { return {.sql = std::move(text)}; }
  static Statement with(std::string text, std::string parameter) {
    return {.sql = std::move(text), .parameters = {Parameter(std::move(parameter))}};
  }
  static Statement named(std::string name, std::string text) {
    return {.sql = std::move(text), .parameters = {}, .name = std::move(name)};
  }

  PoolSettings pool_settings(int size) {
    PoolSettings pool;
    pool.connect = settings_;
    pool.size = size;
    pool.backoff = {.min = milliseconds(10), .max = milliseconds(50)};
    return pool;
  }

  asio::io_context io_{1};
  ConnectSettings settings_;
  bool finished_ = false;
};

TEST_F(PostgresConnection, AnswersQueriesWithTypedRows) {
  run([this]() -> asio::awaitable<void> {
    const Link c = co_await connect();
    auto rows = co_await c->query(
        with("SELECT $1::int + 1 AS n, NULL::text AS nothing, true AS yes, 1.5::float8 AS f", "41"), in(5000));
    EXPECT_TRUE(rows.ok());
    RowReader row(*rows, 0);
    EXPECT_EQ(row.get<int>("n"), 42);
    EXPECT_EQ(row.get<std::optional<std::string>>("nothing"), std::nullopt);
    EXPECT_TRUE(row.get<bool>("yes"));
    EXPECT_EQ(row.get<double>("f"), 1.5);
    EXPECT_FALSE(row.error());
    row.get<int>("nothing");
    EXPECT_TRUE(row.error());
    EXPECT_TRUE(c->usable());
    EXPECT_GE(c->server_version(), 150000);
  });
}

TEST_F(PostgresConnection, ReportsServerErrorsAndStaysUsable) {
  run([this]() -> asio::awaitable<void> {
    const Link c = co_await connect();
    auto rows = co_await c->query(sql("SELECT * FROM no_such_table"), in(5000));
    EXPECT_FALSE(rows.ok());
    EXPECT_EQ(rows.error().sqlstate, "42P01");
    EXPECT_EQ(rows.error().classify(), ErrorClass::kObsolete);
    auto again = co_await c->query(sql("SELECT 1 AS one"), in(5000));
    EXPECT_TRUE(again.ok());
  });
}

TEST_F(PostgresConnection, PipelineMapsErrorsToStatements) {
  run([this]() -> asio::awaitable<void> {
    const Link c = co_await connect();
    std::vector<Statement> batch;
    batch.push_back(sql("BEGIN ISOLATION LEVEL REPEATABLE READ"));
    batch.push_back(named("one", "SELECT 1 AS n"));
    batch.push_back(named("zero", "SELECT 1/0"));
    batch.push_back(named("two", "SELECT 2 AS n"));
    batch.push_back(sql("COMMIT"));
    auto first = co_await c->pipeline(batch, in(5000));
    EXPECT_EQ(first.size(), 5U);
    EXPECT_TRUE(first[0].ok());
    EXPECT_TRUE(first[1].ok());
    EXPECT_EQ(first[2].error().sqlstate, "22012");
    EXPECT_EQ(first[3].error().origin, ErrorOrigin::kSkipped);
    EXPECT_EQ(first[4].error().origin, ErrorOrigin::kSkipped);
    EXPECT_FALSE(first[4].error().in_doubt);
    EXPECT_FALSE(c->usable());
    co_await c->rollback();
    EXPECT_TRUE(c->usable());

    batch[2] = named("three", "SELECT 3 AS n");
    for (int i = 0; i < 3; ++i) {
      auto good = co_await c->pipeline(batch, in(5000));
      EXPECT_EQ(good.size(), 5U);
      for (const auto& result : good) EXPECT_TRUE(result.ok());
      RowReader row(*good[3], 0);
      EXPECT_EQ(row.get<int>("n"), 2);
    }
    EXPECT_TRUE(c->usable());
  });
}

TEST_F(PostgresConnection, PipelineOfManyLargeStatementsDoesNotDeadlock) {
  run([this]() -> asio::awaitable<void> {
    const Link c = co_await connect();
    const std::string big(200000, 'x');
    std::vector<Statement> batch;
    for (int i = 0; i < 200; ++i) batch.push_back(with("SELECT $1 || repeat('y', 300000) AS t", big));
    auto results = co_await c->pipeline(std::move(batch), in(60000));
    EXPECT_EQ(results.size(), 200U);
    for (const auto& result : results) {
      EXPECT_TRUE(result.ok());
      if (result.ok()) {
        EXPECT_EQ(result->text(0, 0)->size(), 500000U);
      }
    }
    EXPECT_TRUE(c->usable());
  });
}

TEST_F(PostgresConnection, TimeoutCancelsOnTheServer) {
  run([this]() -> asio::awaitable<void> {
    const Link c = co_await connect();
    const Deadline start = Clock::now();
    auto rows = co_await c->query(sql("SELECT pg_sleep(30)"), in(200));
    EXPECT_FALSE(rows.ok());
    EXPECT_EQ(rows.error().origin, ErrorOrigin::kTimeout);
    EXPECT_EQ(rows.error().classify(), ErrorClass::kRetryable);
    EXPECT_LT(Clock::now() - start, milliseconds(20000));
    EXPECT_TRUE(c->usable());
    auto again = co_await c->query(sql("SELECT 1"), in(5000));
    EXPECT_TRUE(again.ok());
  });
}

TEST_F(PostgresConnection, CancellationSlotCancelsAPipelineAndLeavesItClean) {
  asio::cancellation_signal signal;
  Link link;
  bool done = false;
  asio::co_spawn(
      io_,
      [&]() -> asio::awaitable<void> {
        co_await asio::this_coro::throw_if_cancelled(false);
        link = co_await connect();
        std::vector<Statement> batch;
        batch.push_back(sql("BEGIN"));
        batch.push_back(sql("SELECT pg_sleep(30)"));
        batch.push_back(sql("COMMIT"));
        auto results = co_await link->pipeline(std::move(batch), in(60000));
        EXPECT_EQ(results[1].error().origin, ErrorOrigin::kCanceled);
        co_await link->rollback();
        EXPECT_TRUE(link->usable());
        done = true;
      },
      asio::bind_cancellation_slot(signal.slot(), asio::detached));
  asio::steady_timer timer(io_, milliseconds(500));
  timer.async_wait([&](const boost::system::error_code&) { signal.emit(asio::cancellation_type::terminal); });
  io_.run();
  EXPECT_TRUE(done);
}

TEST_F(PostgresConnection, DeliversNotificationsAndPokes) {
  run([this]() -> asio::awaitable<void> {
    const Link listener = co_await connect();
    const Link sender = co_await connect();
    EXPECT_TRUE((co_await listener->query(sql("LISTEN pgtrickle_test_channel"), in(5000))).ok());
    auto nothing = co_await listener->wait_notification(in(50));
    EXPECT_TRUE(nothing.ok());
    EXPECT_FALSE(nothing->has_value());
    EXPECT_TRUE((co_await sender->query(sql("SELECT pg_notify('pgtrickle_test_channel', 'hello')"), in(5000))).ok());
    auto something = co_await listener->wait_notification(in(5000));
    EXPECT_TRUE(something.ok() && something->has_value());
    EXPECT_EQ((*something)->payload, "hello");
    // A poke before the wait is not lost, and ends one wait only.
    listener->poke();
    const Deadline start = Clock::now();
    auto poked = co_await listener->wait_notification(in(60000));
    EXPECT_TRUE(poked.ok() && !poked->has_value());
    EXPECT_LT(Clock::now() - start, milliseconds(20000));
    // A notification that arrives during a query is kept.
    EXPECT_TRUE((co_await listener->query(sql("SELECT pg_notify('pgtrickle_test_channel', 'self')"), in(5000))).ok());
    auto kept = co_await listener->wait_notification(in(5000));
    EXPECT_TRUE(kept.ok() && kept->has_value());
  });
}

TEST_F(PostgresConnection, NoticesALostConnection) {
  run([this]() -> asio::awaitable<void> {
    const Link victim = co_await connect();
    const Link killer = co_await connect();
    const std::string kill = "SELECT pg_terminate_backend(" + std::to_string(victim->backend_pid()) + ")";
    EXPECT_TRUE((co_await killer->query(sql(kill), in(5000))).ok());
    auto rows = co_await victim->query(sql("SELECT 1"), in(5000));
    EXPECT_FALSE(rows.ok());
    EXPECT_EQ(rows.error().classify(), ErrorClass::kRetryable);
    EXPECT_FALSE(victim->usable());
    auto after = co_await victim->query(sql("SELECT 1"), in(5000));
    EXPECT_EQ(after.error().origin, ErrorOrigin::kConnection);
  });
}

TEST_F(PostgresConnection, LossBeforeCommitIsRetryable) {
  run([this]() -> asio::awaitable<void> {
    const Link victim = co_await connect();
    std::vector<Statement> batch;
    batch.push_back(sql("BEGIN"));
    batch.push_back(sql("SELECT pg_terminate_backend(pg_backend_pid())"));
    auto results = co_await victim->pipeline(std::move(batch), in(5000));
    EXPECT_FALSE(results[1].ok());
    EXPECT_EQ(results[1].error().classify(), ErrorClass::kRetryable);
    EXPECT_FALSE(victim->open());
  });
}

TEST_F(PostgresConnection, LossDuringCommitIsInDoubt) {
  run([this]() -> asio::awaitable<void> {
    const Link victim = co_await connect();
    const char* setup[] = {
        "CREATE TEMP TABLE t (x int)",
        "CREATE FUNCTION pg_temp.die() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NULL; END$$",
        "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION pg_temp.die()"};
    for (const char* text : setup) {
      auto result = co_await victim->query(sql(text), in(5000));
      EXPECT_TRUE(result.ok());
    }
    std::vector<Statement> batch;
    batch.push_back(sql("BEGIN"));
    batch.push_back(sql("INSERT INTO t VALUES (1)"));
    batch.push_back(sql("COMMIT"));
    auto results = co_await victim->pipeline(std::move(batch), in(5000));
    EXPECT_TRUE(results[1].ok());
    EXPECT_FALSE(results[2].ok());
    EXPECT_EQ(results[2].error().classify(), ErrorClass::kInDoubt);
    EXPECT_FALSE(victim->open());
  });
}

TEST_F(PostgresConnection, ConnectFailuresAreValuesWithoutSecrets) {
  ConnectSettings bad = settings_;
  bad.conninfo = "host=127.0.0.1 port=1 password=hunter2";
  run([bad]() -> asio::awaitable<void> {
    auto connection = co_await Connection::connect(bad);
    EXPECT_FALSE(connection.ok());
    EXPECT_EQ(connection.error().classify(), ErrorClass::kRetryable);
    EXPECT_EQ(connection.error().text().find("hunter2"), std::string::npos);
  });
}

TEST_F(PostgresConnection, TriesTheNextHost) {
  run([this]() -> asio::awaitable<void> {
    const Link c = co_await connect();
    auto rows = co_await c->query(sql("SELECT split_part(current_setting('unix_socket_directories'), ',', 1) AS host, "
                                      "current_setting('port') AS port"),
                                  in(5000));
    RowReader row(*rows, 0);
    const auto host = row.get<std::string>("host");
    const auto port = row.get<std::string>("port");
    ConnectSettings two = settings_;
    std::map<std::string, std::string> hosts;
    hosts["host"] = "127.0.0.1," + host;
    hosts["port"] = "1," + port;
    two.conninfo = *merge_conninfo(settings_.conninfo, hosts);
    auto connection = co_await Connection::connect(two);
    EXPECT_TRUE(connection.ok());
    if (connection) {
      EXPECT_TRUE((co_await (*connection)->query(sql("SELECT 1"), in(5000))).ok());
    }
  });
}

TEST_F(PostgresConnection, PoolHandsOutReusesAndReplaces) {
  const auto pool = std::make_shared<Pool>(io_.get_executor(), pool_settings(2));
  run([&]() -> asio::awaitable<void> {
    int first_pid = 0;
    {
      auto a = co_await pool->acquire(in(5000));
      auto b = co_await pool->acquire(in(5000));
      EXPECT_TRUE(a.ok() && b.ok());
      first_pid = (*b)->backend_pid();
      auto none = co_await pool->acquire(in(50));
      EXPECT_EQ(none.error().origin, ErrorOrigin::kTimeout);
      EXPECT_EQ(pool->stats().in_use, 2);
      // A connection that comes back in the middle of a transaction is not handed out again.
      EXPECT_TRUE((co_await (*a)->query(sql("BEGIN"), in(5000))).ok());
    }
    EXPECT_EQ(pool->stats().idle, 1);
    auto c = co_await pool->acquire(in(5000));
    EXPECT_EQ((*c)->backend_pid(), first_pid);
  });
  pool->close();
}

Pool::Liking liked_if(bool is_liked) {
  return is_liked ? Pool::Liking::kLiked : Pool::Liking::kSuitable;
}

TEST_F(PostgresConnection, PoolHandsOutThePreferredConnectionIfItIsFree) {
  const auto pool = std::make_shared<Pool>(io_.get_executor(), pool_settings(2));
  run([&]() -> asio::awaitable<void> {
    int first_pid = 0, second_pid = 0;
    {
      auto a = co_await pool->acquire(in(5000));
      auto b = co_await pool->acquire(in(5000));
      first_pid = (*a)->backend_pid();
      second_pid = (*b)->backend_pid();
    }
    for (const int wanted : {first_pid, second_pid, first_pid}) {
      Pool::Preference prefers = [wanted](const Connection& c) { return liked_if(c.backend_pid() == wanted); };
      auto lease = co_await pool->acquire(in(5000), prefers);
      EXPECT_EQ((*lease)->backend_pid(), wanted);
      auto other = co_await pool->acquire(in(5000), prefers);  // it is taken: another one will do
      EXPECT_TRUE(other.ok());
    }
  });
  pool->close();
}

TEST_F(PostgresConnection, PoolRatherConnectsThanHandsOutAnUnsuitableConnection) {
  const auto pool = std::make_shared<Pool>(io_.get_executor(), pool_settings(2));
  run([&]() -> asio::awaitable<void> {
    Pool::Preference none = [](const Connection&) { return Pool::Liking::kUnsuitable; };
    int first_pid = 0;
    {
      auto first = co_await pool->acquire(in(5000), none);
      first_pid = (*first)->backend_pid();
    }
    {
      auto second = co_await pool->acquire(in(5000), none);
      EXPECT_NE((*second)->backend_pid(), first_pid);
      Pool::Preference first_one = [first_pid](const Connection& c) {
        return c.backend_pid() == first_pid ? Pool::Liking::kSuitable : Pool::Liking::kUnsuitable;
      };
      auto third = co_await pool->acquire(in(5000), first_one);
      EXPECT_EQ((*third)->backend_pid(), first_pid);
    }
    auto last = co_await pool->acquire(in(5000), none);
    EXPECT_TRUE(last.ok()) << "there may be no more than two: an unsuitable one will do";
    EXPECT_EQ(pool->stats().in_use + pool->stats().idle, 2);
  });
  pool->close();
}

// What the code of one owner may leave behind in a session, and must not be there when that of another one runs.
const std::vector<std::string>& leavings() {
  static const std::vector<std::string> all{"DEALLOCATE ours",
                                            "PREPARE ours AS SELECT 2 AS one",
                                            "SET lock_timeout = '1ms'",
                                            "SET search_path = public",
                                            "SET default_transaction_read_only = on",
                                            "SET row_security = off",
                                            "SET pgtrickle.anything = 'x'",
                                            "SELECT pg_catalog.pg_advisory_lock(77)",
                                            "BEGIN",
                                            "SET TRANSACTION READ WRITE",
                                            "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
                                            "CREATE TEMP TABLE left_behind (a int)",
                                            "COMMIT",
                                            "LISTEN here"};
  return all;
}

constexpr const char* kWhatIsLeft = R"(
SELECT concat_ws(' ', current_setting('lock_timeout'), current_setting('search_path'),
                 current_setting('default_transaction_read_only'), current_setting('row_security'),
                 '<' || coalesce(current_setting('pgtrickle.anything', true), '') || '>',
                 (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_cursors c WHERE c.name <> ''),
                 (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
                 (SELECT count(*) FROM pg_class WHERE relname = 'left_behind'),
                 (SELECT count(*) FROM pg_listening_channels())) AS left)";

TEST_F(PostgresConnection, StartingOverLeavesNothingOfTheLastOne) {
  settings_.session.emplace_back("lock_timeout", "3s");
  settings_.session.emplace_back("search_path", "pg_catalog");
  run([this]() -> asio::awaitable<void> {
    const Link link = co_await connect();
    link->set_serves(7);
    EXPECT_EQ(link->serves(), 7);
    const auto first = co_await link->query(named("ours", "SELECT 1 AS one"), in(5000));
    EXPECT_TRUE(first.ok());
    for (const std::string& leaving : leavings()) {
      const auto done = co_await link->query(sql(leaving), in(5000));
      EXPECT_TRUE(done.ok()) << leaving;
    }
    const auto before = co_await link->query(sql(kWhatIsLeft), in(5000));
    EXPECT_EQ(RowReader(*before, 0).get<std::string>("left"), "1ms public on off <x> 1 1 1 1 1");
    const bool clean = co_await link->start_over(in(5000));
    EXPECT_TRUE(clean);
    EXPECT_EQ(link->serves(), std::nullopt);
    const auto after = co_await link->query(sql(kWhatIsLeft), in(5000));
    EXPECT_EQ(RowReader(*after, 0).get<std::string>("left"), "3s pg_catalog off on <> 0 0 0 0 0");
    const auto again = co_await link->query(named("ours", "SELECT 1 AS one"), in(5000));
    EXPECT_TRUE(again.ok());
    EXPECT_EQ(RowReader(*again, 0).get<int>("one"), 1) << "ours is ours again";
  });
}

TEST_F(PostgresConnection, ASessionThatCannotStartOverIsClosed) {
  run([this]() -> asio::awaitable<void> {
    const Link link = co_await connect();
    const auto begun = co_await link->query(sql("BEGIN"), in(5000));
    EXPECT_TRUE(begun.ok());
    const auto failed = co_await link->query(sql("SELECT 1 / 0"), in(5000));
    EXPECT_FALSE(failed.ok());
    const bool clean = co_await link->start_over(in(5000));
    EXPECT_FALSE(clean);
    EXPECT_FALSE(link->open());
  });
}

TEST_F(PostgresConnection, PoolWaitsForThePreferredConnectionAsLongAsIsWanted) {
  const auto pool = std::make_shared<Pool>(io_.get_executor(), pool_settings(2));
  run([&]() -> asio::awaitable<void> {
    Pool::Preference any = [](const Connection&) { return Pool::Liking::kLiked; };
    {
      auto first = co_await pool->acquire(in(5000), any, std::chrono::milliseconds(10000));
      EXPECT_TRUE(first.ok()) << "there is none to wait for";
      auto second = co_await pool->acquire(in(5000), any, std::chrono::milliseconds(20));
      EXPECT_TRUE(second.ok()) << "patience has an end";
      EXPECT_EQ(pool->stats().in_use, 2);
    }
    EXPECT_EQ(pool->stats().idle, 2);
  });
  pool->close();
  const auto other = std::make_shared<Pool>(io_.get_executor(), pool_settings(2));
  run([&]() -> asio::awaitable<void> {
    auto lease = std::make_shared<Result<Pool::Lease>>(co_await other->acquire(in(5000)));
    const int pid = (**lease)->backend_pid();
    asio::steady_timer timer(io_, std::chrono::milliseconds(20));
    timer.async_wait([kept = std::move(lease)](const boost::system::error_code&) mutable { kept.reset(); });
    Pool::Preference any = [](const Connection&) { return Pool::Liking::kLiked; };
    auto same = co_await other->acquire(in(5000), any, std::chrono::milliseconds(10000));
    EXPECT_EQ((*same)->backend_pid(), pid);
    EXPECT_EQ(other->stats().in_use, 1);
    auto second = co_await other->acquire(in(5000));
    Pool::Preference first_one = [pid](const Connection& c) { return liked_if(c.backend_pid() == pid); };
    auto third = co_await other->acquire(in(50), first_one, std::chrono::milliseconds(20));
    EXPECT_EQ(third.error().origin, ErrorOrigin::kTimeout) << "both are in use";
  });
  other->close();
}

TEST_F(PostgresConnection, PoolReplacesConnectionsThatTheServerClosed) {
  PoolSettings settings = pool_settings(2);
  int reconnects = 0;
  settings.on_reconnect = [&] { ++reconnects; };
  const auto pool = std::make_shared<Pool>(io_.get_executor(), settings);
  run([&, this]() -> asio::awaitable<void> {
    const Link killer = co_await connect();
    int pid = 0;
    {
      auto lease = co_await pool->acquire(in(5000));
      pid = (*lease)->backend_pid();
    }
    EXPECT_TRUE(
        (co_await killer->query(sql("SELECT pg_terminate_backend(" + std::to_string(pid) + ")"), in(5000))).ok());
    co_await sleep_until(in(200));
    auto lease = co_await pool->acquire(in(5000));
    EXPECT_TRUE(lease.ok());
    EXPECT_NE((*lease)->backend_pid(), pid);
    EXPECT_TRUE((co_await (*lease)->query(sql("SELECT 1"), in(5000))).ok());
    EXPECT_EQ(reconnects, 1);
  });
  pool->close();
}

TEST_F(PostgresConnection, PoolServesWaitersInOrder) {
  const auto pool = std::make_shared<Pool>(io_.get_executor(), pool_settings(1));
  std::vector<int> order;
  for (int i = 0; i < 5; ++i) {
    asio::co_spawn(
        io_,
        [&, i]() -> asio::awaitable<void> {
          auto lease = co_await pool->acquire(in(10000));
          EXPECT_TRUE(lease.ok());
          order.push_back(i);
          EXPECT_TRUE((co_await (*lease)->query(sql("SELECT pg_sleep(0.02)"), in(5000))).ok());
        },
        asio::detached);
  }
  io_.run();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
  pool->close();
}

TEST_F(PostgresConnection, PoolKeepsTryingUntilTheDeadline) {
  PoolSettings settings = pool_settings(1);
  settings.connect.conninfo = "host=127.0.0.1 port=1";
  const auto pool = std::make_shared<Pool>(io_.get_executor(), settings);
  run([&]() -> asio::awaitable<void> {
    const Deadline start = Clock::now();
    auto lease = co_await pool->acquire(in(300));
    EXPECT_FALSE(lease.ok());
    EXPECT_EQ(lease.error().origin, ErrorOrigin::kConnection);
    EXPECT_GE(Clock::now() - start, milliseconds(250));
    EXPECT_EQ(pool->stats().broken, 1);
  });
  pool->close();
}

}  // namespace
}  // namespace pgtrickle::postgres
