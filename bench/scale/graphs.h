// The graphs of the benchmark: stream tables on one another over the tables of bench/sql/shop.sql. An update of one
// order that all of them read changes one row in each table, and the value of every leaf.
#pragma once

#include <string>
#include <vector>

#include "support/database.h"

namespace pgt::bench {

struct GraphTable {
  std::string name;
  std::string query;
};

/// A table that no other reads. The value `v` of the row with k = (customer modulo `modulus`) follows an order's
/// amount.
struct Leaf {
  std::string table;
  int modulus = 0;  // 0: k is the customer
};

struct Graph {
  std::string name;
  double goal_ms = 0;  // median of commit to visible in all leaves
  std::vector<GraphTable> tables;
  std::vector<Leaf> leaves;
};

/// Ten tables, each on the one before: filters, a join, aggregates.
Graph chain_of_10();
/// S, then A, B and C on S, then D on A, B and C.
Graph diamond_of_5();
/// Three layers of 20; each table reads one or two of the layer below.
Graph wide_3_by_20();

/// Orders that every table of every graph reads, each of another customer.
inline constexpr long kGraphOrders = 100'000;
inline constexpr long kGraphCustomers = 10'000;
[[nodiscard]] long probe_order(long number);

/// Creates the tables and, on the leaves, the index that a reader would want; returns when the daemon has built them.
void create_graph(test::Session& session, const Graph& graph, const std::string& schedule);

/// Waits until nothing is pending; throws after a minute.
void wait_fresh(test::Session& session);

/// Throws unless every one of the tables equals its query.
void check_tables(test::Session& session, const std::vector<std::string>& names);

}  // namespace pgt::bench
