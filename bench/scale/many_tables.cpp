// A thousand stream tables over fifty sources: what they cost when nothing happens, and how fresh they are while one
// per cent of the rows of every source changes per second.
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>

#include "benchmarks.h"
#include "scale/cpu.h"
#include "scale/graphs.h"
#include "support/cluster.h"
#include "support/process.h"

namespace pgt::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kTablesPerSource = 20;  // of these so many on the source itself:
constexpr int kOnSource = 14;         // the others on stream tables
constexpr int kRowsPerSource = 10'000;
constexpr int kRowsPerTransaction = 20;
constexpr int kTransactionsPerSecond = kRowsPerSource / 100 / kRowsPerTransaction;  // per source: 1 % of its rows
constexpr int kWriters = 2;
constexpr auto kSampleEvery = milliseconds(500);
constexpr int kChecked = 100;  // tables that are compared with their queries at the end

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string source(int s) {
  return "source_" + std::to_string(s);
}

std::string stream(int s, int t) {
  return "st_" + std::to_string(s) + "_" + std::to_string(t);
}

/// Filters, aggregates and joins on the source; aggregates and filters on those.
std::string query_of(int s, int t) {
  const std::string number = std::to_string(t);
  if (t < kOnSource) {
    switch (t % 4) {
      case 0:
        return "SELECT id, k, v FROM " + source(s) + " WHERE part = " + number;
      case 1:
        return "SELECT k, count(*) AS n, sum(v) AS total FROM " + source(s) + " WHERE part <> " + number +
               " GROUP BY k";
      case 2:
        return "SELECT s.id, s.k, s.v, d.label FROM " + source(s) +
               " s JOIN dimension d ON d.k = s.k WHERE s.part = " + number;
      default:
        return "SELECT part, sum(v) AS total, count(*) AS n FROM " + source(s) + " WHERE k <> " + number +
               " GROUP BY part";
    }
  }
  switch (t - kOnSource) {
    case 0:
      return "SELECT k, sum(v) AS total FROM " + stream(s, 0) + " GROUP BY k";
    case 1:
      return "SELECT n, count(*) AS groups, sum(total) AS total FROM " + stream(s, 1) + " GROUP BY n";
    case 2:
      return "SELECT label, sum(v) AS total FROM " + stream(s, 2) + " GROUP BY label";
    case 3:
      return "SELECT part, total FROM " + stream(s, 3) + " WHERE n > 0";
    case 4:
      return "SELECT a.k, a.total + b.total AS total FROM " + stream(s, kOnSource) + " a JOIN " + stream(s, 5) +
             " b ON b.k = a.k";
    default:
      return "SELECT count(*) AS parts, sum(total) AS total FROM " + stream(s, kOnSource + 3);
  }
}

void create_sources(test::Session& session, int sources) {
  session.exec(
      "CREATE TABLE dimension (k int PRIMARY KEY, label text NOT NULL);"
      "INSERT INTO dimension SELECT i, 'label ' || i % 10 FROM generate_series(0, 199) AS i");
  for (int s = 0; s < sources; ++s) {
    session.exec("CREATE TABLE " + source(s) +
                 " (id int PRIMARY KEY, k int NOT NULL, part int NOT NULL, v bigint NOT NULL, note text);"
                 "INSERT INTO " +
                 source(s) + " SELECT i, i * 7919 % 200, i % 20, i, 'note ' || i FROM generate_series(1, " +
                 std::to_string(kRowsPerSource) + ") AS i");
  }
}

void create_streams(test::Session& session, int sources, const std::string& schedule) {
  for (int s = 0; s < sources; ++s) {
    session.exec("BEGIN");
    for (int t = 0; t < kTablesPerSource; ++t) {
      session.exec("SELECT pgtrickle.create_stream_table(" + session.quote(stream(s, t)) + ", " +
                   session.quote(query_of(s, t)) + ", schedule => " + session.quote(schedule) +
                   ", refresh_mode => 'DIFFERENTIAL')");
    }
    session.exec("COMMIT");
  }
}

void wait_active(test::Session& session) {
  const auto active = [&] {
    return session.value("SELECT count(*) FROM pgtrickle.pgt_stream_tables WHERE status <> 'ACTIVE' OR needs_reinit") ==
           "0";
  };
  const auto give_up = Clock::now() + std::chrono::minutes(30);
  while (!active()) {
    if (Clock::now() > give_up) throw std::runtime_error("the stream tables do not become active");
    std::this_thread::sleep_for(milliseconds(100));
  }
}

/// Seconds of CPU since the object was made.
class CpuMeter {
 public:
  CpuMeter(test::Session& session, const test::DaemonProcess& daemon)
      : daemon_(daemon.pid()),
        sessions_(sessions_of_daemon(session)),
        daemon_before_(cpu_seconds(daemon_)),
        cluster_before_(cpu_seconds_of_cluster()),
        sessions_before_(cpu_seconds(sessions_)),
        start_(Clock::now()) {}

  /// Per cent of one core: the daemon, the whole server, and of that the daemon's sessions.
  struct Use {
    double daemon = 0, server = 0, sessions = 0;
  };
  [[nodiscard]] Use per_cent() const {
    const double elapsed = seconds_since(start_) / 100;
    return {(cpu_seconds(daemon_) - daemon_before_) / elapsed, (cpu_seconds_of_cluster() - cluster_before_) / elapsed,
            (cpu_seconds(sessions_) - sessions_before_) / elapsed};
  }

 private:
  static std::set<pid_t> sessions_of_daemon(test::Session& session) {
    std::set<pid_t> pids;
    for (const auto& row : session.exec("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'pgtrickled%'")) {
      pids.insert(row[0].as<pid_t>());
    }
    return pids;
  }

  pid_t daemon_;
  std::set<pid_t> sessions_;
  double daemon_before_, cluster_before_, sessions_before_;
  Clock::time_point start_;
};

/// Changes rows at a steady pace until told to stop; counts what it committed.
class Writers {
 public:
  Writers(const std::string& dsn, int sources) {
    for (int w = 0; w < kWriters; ++w) threads_.emplace_back([this, dsn, sources, w] { write(dsn, sources, w); });
  }
  ~Writers() { stop(); }
  Writers(const Writers&) = delete;
  Writers& operator=(const Writers&) = delete;

  void stop() {
    stopping_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  [[nodiscard]] long transactions() const { return transactions_; }
  [[nodiscard]] const std::string& error() const { return error_; }  // after stop()

 private:
  void write(const std::string& dsn, int sources, int number) try {
    test::Session session(dsn);
    for (int s = number; s < sources; s += kWriters) {
      session.connection().prepare(source(s), "UPDATE " + source(s) + " SET v = v + 1 WHERE id = ANY ($1::int[])");
    }
    std::mt19937 random(static_cast<unsigned>(number));
    std::uniform_int_distribution<int> id(1, kRowsPerSource);
    const double per_second = static_cast<double>(sources) / kWriters * kTransactionsPerSecond;
    const auto start = Clock::now();
    for (long n = 0; !stopping_; ++n) {
      std::this_thread::sleep_until(start + std::chrono::duration_cast<Clock::duration>(
                                                std::chrono::duration<double>(static_cast<double>(n) / per_second)));
      std::string ids = "{";
      for (int i = 0; i < kRowsPerTransaction; ++i) ids += (i == 0 ? "" : ",") + std::to_string(id(random));
      const int s = number + kWriters * static_cast<int>(n % ((sources - number + kWriters - 1) / kWriters));
      pqxx::nontransaction tx(session.connection());
      tx.exec_prepared(source(s), ids + "}");
      ++transactions_;
    }
  } catch (const std::exception& error) {
    const std::lock_guard lock(mutex_);
    error_ = error.what();
  }

  std::atomic<bool> stopping_{false};
  std::atomic<long> transactions_{0};
  std::mutex mutex_;
  std::string error_;
  std::vector<std::thread> threads_;
};

long number(test::Session& session, const std::string& query) {
  return std::stol(session.value(query));
}

std::string log_bytes() {
  return "SELECT coalesce(sum(pg_relation_size(c.oid)), 0) FROM pg_class c WHERE c.relname ~ '^log_[0-9]+_[ab]$' "
         "AND c.relnamespace = 'pgtrickle_changes'::regnamespace";
}

/// Until the daemon has emptied the logs of what was before, and waits to be woken. Seconds; nothing after five
/// minutes.
std::optional<double> seconds_until_asleep(const test::DaemonProcess& daemon) {
  const auto start = Clock::now();
  while (seconds_since(start) < 300) {
    const std::string metrics = test::http_get(daemon.http_port(), "/metrics").body;
    const auto line = metrics.find("\npgtrickle_sources_awake{");
    if (line != std::string::npos && std::stod(metrics.substr(metrics.find(' ', line))) == 0)
      return seconds_since(start);
    std::this_thread::sleep_for(seconds(2));
  }
  return std::nullopt;
}

void measure_idle(const Options& options, test::Session& session, const test::DaemonProcess& daemon,
                  const std::string& schedule, Report& report) {
  progress("scale: idle, schedule " + schedule);
  wait_fresh(session);
  const auto asleep_after = seconds_until_asleep(daemon);
  std::this_thread::sleep_for(seconds(10));
  const CpuMeter meter(session, daemon);
  const long before = number(session, "SELECT sum(total_refreshes) FROM pgtrickle._refresh_stats");
  std::this_thread::sleep_for(seconds(options.scale_seconds));
  const CpuMeter::Use use = meter.per_cent();
  const long refreshes = number(session, "SELECT sum(total_refreshes) FROM pgtrickle._refresh_stats") - before;
  report.table_row({schedule, asleep_after ? format_number(*asleep_after) : "never",
                    format_number(use.daemon + use.server), format_number(use.daemon), format_number(use.server),
                    format_number(use.sessions), std::to_string(refreshes),
                    format_number(resident_megabytes(daemon.pid()))});
}

void measure_load(const Options& options, const std::string& dsn, test::Session& session,
                  const test::DaemonProcess& daemon, const std::string& schedule, Report& report) {
  progress("scale: load, schedule " + schedule);
  const int sources = options.scale_tables / kTablesPerSource;
  Writers writers(dsn, sources);
  std::this_thread::sleep_for(seconds(10));  // connections, plans, costs
  const CpuMeter meter(session, daemon);
  const auto start = Clock::now();
  const long transactions = writers.transactions();
  const long refreshes = number(session, "SELECT sum(total_refreshes) FROM pgtrickle._refresh_stats");
  const long bytes = number(session, log_bytes());
  const std::string since = session.value("SELECT clock_timestamp()");

  // Every source changes several times per second, so the age of the snapshot that a table shows is its staleness.
  Sample staleness;
  Sample late;  // tables that are older than 2 s
  while (seconds_since(start) < options.scale_seconds) {
    std::this_thread::sleep_for(kSampleEvery);
    double behind = 0;
    for (const auto& row : session.exec("SELECT extract(epoch FROM clock_timestamp() - data_timestamp) * 1000 "
                                        "FROM pgtrickle.pgt_frontiers")) {
      const auto ms = row[0].as<double>();
      staleness.add(ms);
      if (ms > 2000) ++behind;
    }
    late.add(behind);
  }
  const double elapsed = seconds_since(start);
  const CpuMeter::Use use = meter.per_cent();
  const double refreshed =
      static_cast<double>(number(session, "SELECT sum(total_refreshes) FROM pgtrickle._refresh_stats") - refreshes);
  const double written = static_cast<double>(writers.transactions() - transactions);
  const long grown = number(session, log_bytes()) - bytes;
  const pqxx::result history = session.exec(
      "SELECT count(DISTINCT data_timestamp), coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms), 0), "
      "count(*) FILTER (WHERE status = 'FAILED') FROM pgtrickle.pgt_refresh_history WHERE start_time > " +
      session.quote(since));
  const double megabytes = resident_megabytes(daemon.pid());
  writers.stop();
  if (!writers.error().empty()) throw std::runtime_error("a writer failed: " + writers.error());
  const auto stopped = Clock::now();
  wait_fresh(session);
  const double caught_up = seconds_since(stopped);

  report.table_row(
      {schedule, format_number(written * kRowsPerTransaction / elapsed), format_number(staleness.quantile(0.5)),
       format_number(staleness.quantile(0.99)), format_number(staleness.quantile(1)), format_number(late.median()),
       format_number(refreshed / elapsed), format_number(history[0][0].as<double>() / elapsed),
       format_number(history[0][1].as<double>()), history[0][2].c_str(),
       format_number(static_cast<double>(grown) / (1024.0 * 1024.0)), format_number(caught_up),
       format_number(use.daemon), format_number(use.server), format_number(use.sessions), format_number(megabytes)});
}

}  // namespace

void measure_many_tables(const Options& options, Report& report) {
  const int sources = options.scale_tables / kTablesPerSource;
  progress("scale: " + std::to_string(options.scale_tables) + " stream tables");
  test::TestDatabase db;
  test::Session session(db.dsn());
  create_sources(session, sources);
  session.exec("VACUUM ANALYZE");
  const std::string first_schedule = options.scale_many_schedules.front();
  const double creating = timed([&] { create_streams(session, sources, first_schedule); }) / 1000;
  progress("scale: created, building");

  auto daemon = std::make_unique<test::DaemonProcess>(db.dsn());
  const double building = timed([&] { wait_active(session); }) / 1000;
  session.exec("VACUUM ANALYZE");
  wait_fresh(session);
  daemon->stop();

  // Nothing but the server and its own habits, autovacuum's included.
  const double cluster_before = cpu_seconds_of_cluster();
  std::this_thread::sleep_for(seconds(options.scale_seconds));
  const double cluster_alone = (cpu_seconds_of_cluster() - cluster_before) / options.scale_seconds * 100;

  Sample starting;
  for (int i = 0; i < 5; ++i) {
    daemon.reset();
    starting.add(timed([&] { daemon = std::make_unique<test::DaemonProcess>(db.dsn()); }));
    wait_fresh(session);
    if (i < 4) daemon->stop();
  }

  report.heading(std::to_string(options.scale_tables) + " stream tables over " + std::to_string(sources) + " sources");
  report.paragraph(
      "Each source has 10,000 rows and 20 stream tables: 14 on the source itself (filters, aggregates, joins "
      "with a dimension), 6 on stream tables, up to three deep.");
  report.table_header({"what", "measured", "goal"});
  report.table_row({"creating, SQL calls", format_number(creating) + " s", ""});
  report.table_row({"building, by the daemon", format_number(building) + " s", ""});
  report.table_row(
      {"start of the daemon until it serves (median of 5)", format_number(starting.median()) + " ms", "1000 ms"});
  report.table_row(
      {"memory of the daemon after its start", format_number(resident_megabytes(daemon->pid())) + " MB", "100 MB"});
  report.paragraph("");

  Report idle = Report::section();
  Report load = Report::section();
  for (const std::string& schedule : options.scale_many_schedules) {
    session.exec("SELECT pgtrickle.alter_stream_table(format('%I.%I', pgt_schema, pgt_name), schedule => " +
                 session.quote(schedule) + ") FROM pgtrickle.pgt_stream_tables");
    measure_idle(options, session, *daemon, schedule, idle);
    measure_load(options, db.dsn(), session, *daemon, schedule, load);
  }
  std::vector<std::string> names;
  std::mt19937 random(1);
  for (int i = 0; i < kChecked; ++i) {
    names.push_back(stream(static_cast<int>(random() % static_cast<unsigned>(sources)),
                           static_cast<int>(random() % kTablesPerSource)));
  }
  check_tables(session, names);
  daemon->stop();

  report.heading("The same, idle for " + std::to_string(options.scale_seconds) + " s");
  report.paragraph(
      "CPU in per cent of one core; goal: below 1 in all. The server alone, without a daemon, used " +
      format_number(cluster_alone) +
      ". Sessions: the daemon's, a part of the server. Asleep after: until all sources sleep, after what was before.");
  report.table_header(
      {"schedule", "asleep after s", "CPU in all", "daemon", "server", "sessions", "refreshes", "daemon MB"});
  report.append(idle);
  report.heading("The same, with 1 % of the rows of every source changing per second");
  report.paragraph(
      "Transactions of 20 updated rows of one source, over all sources in turn, from two sessions, for " +
      std::to_string(options.scale_seconds) +
      " s. Staleness: the age of the snapshot that a stream table shows, of all tables, twice per second. Late: tables "
      "older than 2 s, median. Log growth and the time to catch up after the last change show a backlog.");
  report.table_header({"schedule", "rows changed /s", "staleness p50", "p99", "max", "late", "refreshes /s",
                       "transactions /s", "ms per refresh", "failed", "log growth MB", "caught up after s",
                       "daemon CPU %", "server CPU %", "sessions CPU %", "daemon MB"});
  report.append(load);
}

}  // namespace pgt::bench
