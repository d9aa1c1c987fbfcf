#include "scale/graphs.h"

#include <stdexcept>

#include "support/process.h"

namespace pgt::bench {

Graph chain_of_10() {
  Graph graph{.name = "chain of 10", .goal_ms = 40, .tables = {}, .leaves = {{"chain_10", 100}}};
  graph.tables = {
      {"chain_1", "SELECT id, customer_id, amount FROM orders WHERE status <> 'void'"},
      {"chain_2",
       "SELECT o.id, o.customer_id, c.region, o.amount FROM chain_1 o JOIN customers c ON c.id = o.customer_id"},
      {"chain_3",
       "SELECT customer_id, region, count(*) AS n, sum(amount) AS total FROM chain_2 GROUP BY customer_id, region"},
      {"chain_4", "SELECT customer_id, region, total FROM chain_3 WHERE n > 1"},
      {"chain_5",
       "SELECT customer_id % 1000 AS k, region, sum(total) AS total FROM chain_4 GROUP BY customer_id % 1000, region"},
      {"chain_6", "SELECT k, region, total FROM chain_5 WHERE total IS NOT NULL"},
      {"chain_7", "SELECT k, count(*) AS regions, sum(total) AS total FROM chain_6 GROUP BY k"},
      {"chain_8", "SELECT k, total * 2 AS total FROM chain_7"},
      {"chain_9", "SELECT k % 100 AS k, sum(total) AS total FROM chain_8 GROUP BY k % 100"},
      {"chain_10", "SELECT k, total AS v FROM chain_9 WHERE total > 0"}};
  return graph;
}

Graph diamond_of_5() {
  Graph graph{.name = "diamond of 5", .goal_ms = 15, .tables = {}, .leaves = {{"diamond_d", 0}}};
  graph.tables = {
      {"diamond_s",
       "SELECT o.id, o.customer_id, c.region, o.amount FROM orders o JOIN customers c ON c.id = o.customer_id"},
      {"diamond_a", "SELECT customer_id, sum(amount) AS total FROM diamond_s GROUP BY customer_id"},
      {"diamond_b", "SELECT customer_id, count(*) AS n, max(amount) AS largest FROM diamond_s GROUP BY customer_id"},
      {"diamond_c", "SELECT customer_id, avg(amount) AS mean FROM diamond_s WHERE amount > 0 GROUP BY customer_id"},
      {"diamond_d",
       "SELECT a.customer_id AS k, a.total + b.largest + c.mean AS v, b.n FROM diamond_a a "
       "JOIN diamond_b b ON b.customer_id = a.customer_id JOIN diamond_c c ON c.customer_id = a.customer_id"}};
  return graph;
}

Graph wide_3_by_20() {
  constexpr int kWidth = 20;
  Graph graph{.name = "wide, 3 x 20", .goal_ms = 150, .tables = {}, .leaves = {}};
  const auto name = [](int layer, int i) { return "wide_" + std::to_string(layer) + "_" + std::to_string(i); };
  for (int i = 0; i < kWidth; ++i) {
    // The filters differ, so that no two tables are the same; none of them leaves a probe order out.
    const std::string filter = " WHERE o.id % 20 <> " + std::to_string(1 + i % 9);
    const std::string shapes[] = {
        "SELECT o.customer_id AS k, sum(o.amount) AS v FROM orders o" + filter + " GROUP BY o.customer_id",
        "SELECT o.customer_id AS k, sum(o.amount + length(c.name)) AS v FROM orders o JOIN customers c ON c.id = "
        "o.customer_id" +
            filter + " GROUP BY o.customer_id",
        "SELECT o.customer_id AS k, sum(o.amount) * 2 AS v, count(*) AS n FROM orders o" + filter +
            " AND o.status <> 'void' GROUP BY o.customer_id",
        "SELECT o.customer_id AS k, avg(o.amount) AS v FROM orders o" + filter + " GROUP BY o.customer_id"};
    graph.tables.push_back({name(1, i), shapes[i % 4]});
  }
  for (int i = 0; i < kWidth; ++i) {
    const std::string one = "SELECT k, v * 2 AS v FROM " + name(1, i) + " WHERE v > 0";
    const std::string two =
        "SELECT a.k, a.v + b.v AS v FROM " + name(1, i) + " a JOIN " + name(1, (i + 1) % kWidth) + " b ON b.k = a.k";
    graph.tables.push_back({name(2, i), i % 2 == 0 ? two : one});
  }
  for (int i = 0; i < kWidth; ++i) {
    const std::string one = "SELECT k % 100 AS k, sum(v) AS v FROM " + name(2, i) + " GROUP BY k % 100";
    const std::string two =
        "SELECT a.k, a.v + b.v AS v FROM " + name(2, i) + " a JOIN " + name(2, (i + 7) % kWidth) + " b ON b.k = a.k";
    graph.tables.push_back({name(3, i), i % 2 == 0 ? two : one});
    graph.leaves.push_back({name(3, i), i % 2 == 0 ? 0 : 100});
  }
  return graph;
}

long probe_order(long number) {
  // Not 'void' (every fifth is), and in none of the ranges that the filters of the wide graph leave out.
  return 20 * (number % (kGraphOrders / 20)) + 12;
}

void create_graph(test::Session& session, const Graph& graph, const std::string& schedule) {
  for (const GraphTable& table : graph.tables) {
    session.exec("SELECT pgtrickle.create_stream_table(" + session.quote(table.name) + ", " +
                 session.quote(table.query) + ", schedule => " + session.quote(schedule) +
                 ", refresh_mode => 'DIFFERENTIAL')");
  }
  for (const GraphTable& table : graph.tables) {
    session.exec("SELECT pgtrickle.wait_until_active(" + session.quote(table.name) + ", '5 min')");
  }
  for (const Leaf& leaf : graph.leaves) session.exec("CREATE INDEX ON " + leaf.table + " (k)");
  session.exec("VACUUM ANALYZE");
  wait_fresh(session);
}

void wait_fresh(test::Session& session) {
  const auto fresh = [&] {
    return session.value("SELECT count(*) FROM pgtrickle.stream_tables WHERE staleness IS DISTINCT FROM '0'") == "0";
  };
  if (!test::wait_until(fresh, std::chrono::minutes(1))) throw std::runtime_error("the stream tables do not catch up");
}

void check_tables(test::Session& session, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::string result =
        session.table("SELECT * FROM pgtrickle.verify_stream_table(" + session.quote(name) + ", false)");
    if (result != "0|0") throw std::runtime_error(name + " differs from its query: missing|extra = " + result);
  }
}

}  // namespace pgt::bench
