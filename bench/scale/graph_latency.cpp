// One changed row at the bottom of a graph: from the return of COMMIT until another session sees the effect in every
// leaf. What limits is read from the history: when the server began with the first table, and when it ended with the
// last one.
#include <chrono>
#include <random>
#include <stdexcept>
#include <thread>

#include "benchmarks.h"
#include "scale/graphs.h"
#include "support/cluster.h"
#include "support/process.h"
#include "views.h"

namespace pgt::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kGiveUp = std::chrono::seconds(30);
constexpr auto kPollPause =
    std::chrono::microseconds(100);  // a core for each of reader, daemon and server there is not

double epoch_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::system_clock::now().time_since_epoch()).count();
}

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// Reads the values of all leaves for one customer, in one statement: one snapshot.
class Probe {
 public:
  Probe(const std::string& dsn, const Graph& graph) : session_(dsn) {
    std::string list;
    for (const Leaf& leaf : graph.leaves) {
      if (!list.empty()) list += ", ";
      const std::string key = leaf.modulus == 0 ? "$1" : "$1 % " + std::to_string(leaf.modulus);
      list += "(SELECT v FROM " + leaf.table + " WHERE k = " + key + ")";
    }
    session_.connection().prepare("probe", "SELECT " + list + " FROM (SELECT $1::int) AS customer");
  }

  std::vector<std::string> values(long customer) {
    pqxx::nontransaction tx(session_.connection());
    const pqxx::result rows = tx.exec_prepared("probe", customer);
    std::vector<std::string> values;
    for (const auto& field : rows[0]) values.emplace_back(field.as<std::string>(""));
    return values;
  }

 private:
  test::Session session_;
};

bool all_differ(const std::vector<std::string>& before, const std::vector<std::string>& now) {
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i] == now[i]) return false;
  }
  return true;
}

struct Measured {
  Sample visible;       // COMMIT returned -> seen in all leaves
  Sample poll;          // one look of the reader, with its pause: the resolution
  Sample begins;        // COMMIT returned -> the server begins with the first table
  Sample working;       // -> the server has ended with the last one
  Sample shown;         // -> seen: COMMIT of the refresh, and the reader's poll
  Sample tables;        // refreshes that one change caused
  Sample transactions;  // and in how many transactions they were
};

/// What the history says about the refreshes after `last_refresh`, which it moves. History is written after COMMIT, for
/// several refreshes at once: it is waited for until every table has its row, or for a second.
void add_history(test::Session& session, double committed_at, double seen_at, std::size_t tables, long& last_refresh,
                 Measured& measured) {
  pqxx::result rows;
  const auto give_up = Clock::now() + std::chrono::seconds(1);
  do {
    rows = session.exec(
        "SELECT count(*), extract(epoch FROM min(start_time)) * 1000, extract(epoch FROM max(end_time)) * 1000, "
        "count(DISTINCT data_timestamp), max(refresh_id) FROM pgtrickle.pgt_refresh_history "
        "WHERE status = 'COMPLETED' AND refresh_id > " +
        std::to_string(last_refresh));
  } while (rows[0][0].as<std::size_t>() < tables && Clock::now() < give_up);
  if (rows[0][0].as<int>() == 0) return;
  const double begun = rows[0][1].as<double>(), ended = rows[0][2].as<double>();
  measured.begins.add(begun - committed_at);
  measured.working.add(ended - begun);
  measured.shown.add(seen_at - ended);
  measured.tables.add(rows[0][0].as<double>());
  measured.transactions.add(rows[0][3].as<double>());
  last_refresh = rows[0][4].as<long>();
}

Measured measure_graph(const Options& options, const Graph& graph, const std::string& schedule) {
  progress("scale: " + graph.name + ", schedule " + schedule);
  test::TestDatabase db;
  test::Session writer(db.dsn());
  writer.exec(sql_file("shop.sql", {{"orders", kGraphOrders}, {"customers", kGraphCustomers}}));
  writer.exec("VACUUM ANALYZE");
  test::DaemonProcess daemon(db.dsn());
  create_graph(writer, graph, schedule);
  writer.connection().prepare("change", "UPDATE orders SET amount = amount + 1 WHERE id = $1 RETURNING customer_id");
  writer.connection().prepare("customer", "SELECT customer_id FROM orders WHERE id = $1");

  Probe probe(db.dsn(), graph);
  Measured measured;
  std::mt19937 random(1);
  std::uniform_int_distribution<int> pause_ms(100, 600);  // so that commits fall anywhere in the schedule's period
  constexpr int kWarmUp = 5;                              // plans are made, connections opened
  long last_refresh = 0;
  for (int round = -kWarmUp; round < options.scale_rounds; ++round) {
    const long order = probe_order(static_cast<long>(random()));
    pqxx::nontransaction tx(writer.connection());
    const long customer = tx.exec_prepared("customer", order)[0][0].as<long>();
    tx.abort();
    std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms(random)));
    const auto before = probe.values(customer);
    last_refresh = std::stol(writer.value("SELECT coalesce(max(refresh_id), 0) FROM pgtrickle.pgt_refresh_history"));

    pqxx::nontransaction change(writer.connection());
    change.exec_prepared("change", order);
    const auto start = Clock::now();
    const double committed_at = epoch_ms();
    change.abort();
    Sample polls;
    while (true) {
      const auto look = Clock::now();
      const bool seen = all_differ(before, probe.values(customer));
      if (seen) break;
      if (Clock::now() - start > kGiveUp) throw std::runtime_error(graph.name + ": a change did not become visible");
      std::this_thread::sleep_for(kPollPause);
      polls.add(ms_since(look));
    }
    if (round < 0) continue;
    measured.visible.add(ms_since(start));
    if (!polls.empty()) measured.poll.add(polls.median());
    add_history(writer, committed_at, epoch_ms(), graph.tables.size(), last_refresh, measured);
  }
  wait_fresh(writer);
  std::vector<std::string> names;
  for (const GraphTable& table : graph.tables) names.push_back(table.name);
  check_tables(writer, names);
  daemon.stop();
  return measured;
}

std::string at(const Sample& sample, double quantile) {
  return sample.empty() ? "-" : format_number(sample.quantile(quantile));
}

}  // namespace

void measure_graph_latency(const Options& options, Report& report) {
  report.heading("One changed row through a graph");
  report.paragraph(
      "Sources: orders (100,000 rows) and customers (10,000). One order changes, at a random moment, when nothing else "
      "happens. \"Visible\" is from the return of COMMIT until another session, which looks again and again, sees the "
      "effect in all leaves at once; \"poll\" is the time between two looks, which is the resolution. The parts: until "
      "the server begins to refresh the first table, until it has ended with the last one, and until that is seen "
      "(the commit of the refresh, and the reader's look).");
  report.table_header({"graph", "schedule", "changes", "visible p50", "goal", "p99", "max", "until it begins",
                       "in the server", "until seen", "refreshes", "transactions", "poll"});
  for (const Graph& graph : {chain_of_10(), wide_3_by_20(), diamond_of_5()}) {
    for (const std::string& schedule : options.scale_schedules) {
      const Measured measured = measure_graph(options, graph, schedule);
      report.table_row({graph.name, schedule, std::to_string(measured.visible.count()), at(measured.visible, 0.5),
                        format_number(graph.goal_ms), at(measured.visible, 0.99), at(measured.visible, 1),
                        at(measured.begins, 0.5), at(measured.working, 0.5), at(measured.shown, 0.5),
                        at(measured.tables, 0.5), at(measured.transactions, 0.5), at(measured.poll, 0.5)});
    }
  }
  report.paragraph("");
}

}  // namespace pgt::bench
