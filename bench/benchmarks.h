// The parts of the benchmark. Each makes a database of its own and appends its section to the report; they throw
// std::runtime_error if a result is wrong.
#pragma once

#include "options.h"
#include "report.h"

namespace pgt::bench {

/// Every way to bring each view up to date, over sizes of the source and of the change.
void measure_refresh(const Options& options, Report& report);

/// What the capture triggers cost writers.
void measure_capture(const Options& options, Report& report);

/// The 22 queries of TPC-H: the query, REFRESH and the delta program, after changes to all tables.
void measure_tpch(const Options& options, Report& report);

/// Commit to visible through a chain, a wide graph and a diamond of stream tables.
void measure_graph_latency(const Options& options, Report& report);

/// A thousand stream tables: CPU when idle, freshness under load, memory and start of the daemon.
void measure_many_tables(const Options& options, Report& report);

/// COMMIT of DDL until stream tables are rebuilt.
void measure_rebuild(const Options& options, Report& report);

/// What IMMEDIATE stream tables cost writers, beside pg_ivm if this server has it and triggers written by hand.
void measure_immediate(const Options& options, Report& report);

/// WITH RECURSIVE over a tree and a graph: the query, and the delta program after small changes.
void measure_recursive(const Options& options, Report& report);

/// Commit to visible with the daemon running; says so in the report if there is no daemon to run.
void measure_latency(const Options& options, Report& report);

}  // namespace pgt::bench
