// Time from the text of a query to its program. Every iteration begins without remembered templates (deparse.h), as a
// thread that has compiled nothing yet; "warm" benchmarks keep them. p50 and p99 are in microseconds of processor time.
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <exception>
#include <string>
#include <vector>

#include "compiler/parse/deparse.h"
#include "sources.h"

namespace pgtrickle::bench {
namespace {

/// Of this thread, so that what else the machine does is not measured.
double processor_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void compile_time(benchmark::State& state, const Query& query, bool cold) {
  static const auto catalog = make_catalog();
  RememberedTypes types;
  const auto request = request_for(query);
  compiler::Program program;
  try {
    program = compiler::compile(request, catalog, types);
  } catch (const std::exception& e) {
    state.SkipWithError(e.what());
    return;
  }
  if (!program.differential) {
    state.SkipWithError(program.reason.c_str());
    return;
  }
  std::vector<double> times;
  for (auto _ : state) {
    if (cold) compiler::forget_templates();
    const double begin = processor_seconds();
    benchmark::DoNotOptimize(compiler::compile(request, catalog, types));
    const double time = processor_seconds() - begin;
    state.SetIterationTime(time);
    times.push_back(time);
  }
  std::sort(times.begin(), times.end());
  std::size_t size = 0;
  for (const auto* statements : {&program.owner_ddl, &program.admin_ddl})
    for (const auto& statement : *statements) size += statement.size();
  state.counters["p50_us"] = times[times.size() / 2] * 1e6;
  state.counters["p99_us"] = times[times.size() * 99 / 100] * 1e6;
  state.counters["query_bytes"] = static_cast<double>(query.text.size());
  state.counters["program_bytes"] = static_cast<double>(size);
}

void register_query(const std::string& name, const Query& query, bool cold = true) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [query, cold](benchmark::State& state) { compile_time(state, query, cold); })
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

void register_all() {
  for (const auto& query : tpch_queries()) register_query("tpch/" + query.name, query);
  for (const auto& query : tpch_queries()) register_query("tpch_warm/" + query.name, query, false);
  for (const int n : {2, 4, 8, 16}) register_query("joins/" + std::to_string(n), join_of(n));
  for (const int n : {1, 10, 50, 100, 200}) register_query("columns/" + std::to_string(n), columns_of(n));
  for (const int n : {1, 4, 16, 64}) register_query("union/" + std::to_string(n), union_of(n));
  for (const int n : {10, 50, 100, 200}) register_query("expression/" + std::to_string(n), expression_of(n));
  for (const int n : {1, 4, 16, 60}) register_query("nested/" + std::to_string(n), nested_of(n));
}

}  // namespace
}  // namespace pgtrickle::bench

int main(int argc, char** argv) {
  pgtrickle::bench::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
