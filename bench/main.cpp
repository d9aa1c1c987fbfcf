// pgtrickle_bench: measures against the server that tests/support/with_cluster.sh started; see bench/run.sh.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <fstream>
#include <iostream>

#include "benchmarks.h"
#include "support/cluster.h"

namespace {

/// A server with the memory of a small production machine instead of that of a test.
void configure_server() {
  pgt::test::Session session(pgt::test::dsn_of("postgres"));
  for (const char* setting : {"shared_buffers = '1GB'", "max_wal_size = '8GB'", "checkpoint_timeout = '30min'"}) {
    session.exec(std::string("ALTER SYSTEM SET ") + setting);
  }
  pgt::test::stop_server("fast");
  pgt::test::start_server();
}

}  // namespace

int main(int argc, char** argv) try {
  pgt::bench::Options options;
  std::vector<std::string> parts;
  CLI::App app("Benchmark of pgtrickle");
  app.add_flag("--quick", options.quick, "100k rows only, few repetitions");
  app.add_option("--output", options.output, "file for the report");
  app.add_option("--revision", options.revision, "revision of the source tree, for the report");
  app.add_option("--part", parts,
                 "refresh, capture, latency (default: these), tpch, graphs, tables, rebuild, immediate, recursive")
      ->check(CLI::IsMember(
          {"refresh", "capture", "latency", "tpch", "graphs", "tables", "rebuild", "immediate", "recursive"}));
  app.add_option("--sf", options.scale_factors, "scale factors of TPC-H");
  app.add_option("--queries", options.tpch_queries, "numbers of TPC-H queries, as 1,3,5; default: all");
  app.add_option("--budget", options.tpch_budget, "seconds per scale factor of TPC-H: limits the repetitions");
  app.add_option("--plans", options.tpch_plans, "directory for the plans of the programs of TPC-H");
  app.add_option("--schedules", options.scale_schedules, "of the graphs")->delimiter(',');
  app.add_option("--rounds", options.scale_rounds, "changes per graph and schedule");
  app.add_option("--tables", options.scale_tables, "how many tables are many, a multiple of 20");
  app.add_option("--table-schedules", options.scale_many_schedules, "of the many tables")->delimiter(',');
  app.add_option("--rebuilds", options.rebuild_rounds, "rebuilds per change");
  app.add_option("--seconds", options.scale_seconds, "how long the many tables are measured, idle and under load");
  CLI11_PARSE(app, argc, argv);
  if (parts.empty()) parts = {"refresh", "capture", "latency"};
  if (options.quick) {
    options.sizes = {100'000};
    options.repetitions = 5;
    options.slow_repetitions = 1;
    options.concurrent_repetitions = 1;
    options.latency_commits = 50;
    options.single_row_updates = 300;
    options.bulk_inserts = 3;
    options.scale_rounds = 20;
    options.rebuild_rounds = 10;
    options.immediate_blocks = 5;
    options.immediate_bulks = 2;
    options.immediate_rounds = 1;
    options.recursive_rounds = 5;
    options.scale_tables = 100;
    options.scale_seconds = 10;
  }
  const auto wanted = [&](const char* part) { return std::find(parts.begin(), parts.end(), part) != parts.end(); };

  configure_server();
  pgt::test::Session session(pgt::test::dsn_of("postgres"));
  pgt::bench::Report report(options, session);
  if (wanted("refresh")) measure_refresh(options, report);
  if (wanted("capture")) measure_capture(options, report);
  if (wanted("latency")) measure_latency(options, report);
  if (wanted("tpch")) measure_tpch(options, report);
  if (wanted("graphs")) measure_graph_latency(options, report);
  if (wanted("tables")) measure_many_tables(options, report);
  if (wanted("rebuild")) measure_rebuild(options, report);
  if (wanted("immediate")) measure_immediate(options, report);
  if (wanted("recursive")) measure_recursive(options, report);

  std::cout << report.text();
  if (!options.output.empty()) {
    std::ofstream file(options.output);
    file << report.text();
    if (!file.flush()) throw std::runtime_error("cannot write " + options.output);
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << "pgtrickle_bench: " << error.what() << '\n';
  return 1;
}
