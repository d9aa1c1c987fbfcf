// What to measure; set by the command line, see main.cpp.
#pragma once

#include <string>
#include <vector>

namespace pgt::bench {

struct Options {
  std::vector<long> sizes{100'000, 1'000'000};  // rows of orders
  int repetitions = 7;                          // per cell
  int slow_repetitions = 3;                     // of full refresh and REFRESH MATERIALIZED VIEW, per cell
  int concurrent_repetitions = 2;               // of REFRESH MATERIALIZED VIEW CONCURRENTLY, per cell
  int latency_commits = 200;
  int single_row_updates = 1000;                       // per form
  int bulk_inserts = 10;                               // per form
  std::vector<std::string> scale_factors{"0.1", "1"};  // of TPC-H
  std::string tpch_queries;                            // "1,3,5"; empty: all
  int tpch_budget = 900;                               // seconds per scale factor
  std::string tpch_plans;                              // directory for the plans of all programs; empty: none
  int scale_rounds = 200;                              // changes per graph and schedule
  std::vector<std::string> scale_schedules{"continuous", "50 ms"};  // of the graphs
  int scale_tables = 1000;
  std::vector<std::string> scale_many_schedules{"1s", "continuous"};  // of the many tables
  int scale_seconds = 60;                                             // idle, and under load
  int rebuild_rounds = 100;                                           // per change
  int immediate_blocks = 20;       // of 20 statements that write one row each, per kind of statement and form
  int immediate_bulks = 5;         // statements that write 10,000 rows, per kind and form
  int immediate_rounds = 3;        // of writers at the same time, per form and number of clients
  double immediate_seconds = 0.7;  // of each such round
  int recursive_rounds = 20;       // per change
  bool quick = false;
  std::string output;    // RESULTS.md; empty: standard output only
  std::string revision;  // of the source tree
};

}  // namespace pgt::bench
