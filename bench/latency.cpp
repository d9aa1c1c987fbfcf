#include <unistd.h>

#include <chrono>
#include <random>
#include <stdexcept>
#include <thread>

#include "benchmarks.h"
#include "support/cluster.h"
#include "support/process.h"
#include "views.h"

namespace pgt::bench {
namespace {

constexpr long kOrders = 100'000;
constexpr auto kGiveUp = std::chrono::seconds(10);

/// Waits until `query` returns `wanted`, looking every 0.2 ms.
void wait_for(test::Session& reader, const std::string& query, const std::string& wanted) {
  const auto deadline = std::chrono::steady_clock::now() + kGiveUp;
  while (reader.value(query) != wanted) {
    if (std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("latency: a change did not become visible");
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

}  // namespace

void measure_latency(const Options& options, Report& report) {
  report.heading("Commit to visible");
  const std::string program = test::required_env("PGT_DAEMON");
  if (::access(program.c_str(), X_OK) != 0) {
    progress("latency: skipped, there is no daemon to run at " + program);
    report.paragraph("Not measured: there was no daemon to run.");
    return;
  }
  progress("latency");
  test::TestDatabase db;
  test::Session writer(db.dsn());
  test::Session reader(db.dsn());
  writer.exec(sql_file("shop.sql", {{"orders", kOrders}, {"customers", 10'000}}));
  writer.exec("VACUUM ANALYZE");
  writer.exec(
      "SELECT pgtrickle.create_stream_table('st', 'SELECT customer_id, count(*) AS n, sum(amount) AS total "
      "FROM orders GROUP BY customer_id', schedule => '100 ms')");
  test::DaemonProcess daemon(db.dsn());
  writer.exec("SELECT pgtrickle.wait_until_active('st')");

  Sample latency;
  std::mt19937 random(1);
  std::uniform_int_distribution<int> customer(1, 10'000);
  std::uniform_int_distribution<int> pause_us(0, 100'000);  // so that commits fall anywhere in the schedule's period
  for (int i = 0; i < options.latency_commits; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(pause_us(random)));
    const std::string id = std::to_string(customer(random));
    const std::string query = "SELECT total FROM st WHERE customer_id = " + id;
    const std::string wanted = writer.value("SELECT sum(amount) + 1 FROM orders WHERE customer_id = " + id);
    writer.exec("UPDATE orders SET amount = amount + 1 WHERE id = (SELECT min(id) FROM orders WHERE customer_id = " +
                id + " AND amount IS NOT NULL)");
    latency.add(timed([&] { wait_for(reader, query, wanted); }));
  }
  daemon.stop();
  report.paragraph(
      "One changed row of 100,000, aggregate with 10,000 groups, schedule 100 ms: from the return of COMMIT until "
      "another session reads the new value from the stream table.");
  report.table_header({"commits", "p50", "p99"});
  Sample p99;
  p99.add(latency.quantile(0.99));
  report.table_row({std::to_string(latency.count()), format_ms(latency), format_ms(p99)});
  report.paragraph("");
}

}  // namespace pgt::bench
