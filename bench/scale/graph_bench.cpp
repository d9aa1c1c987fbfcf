// Micro-benchmarks of the scheduler's graph and timetable, without a server: a load of many stream tables, and the
// change of one edge. Components have 20 tables, as in bench/run.sh scale, or all tables are one.
#include <benchmark/benchmark.h>

#include <chrono>
#include <vector>

#include "timetable/timetable.h"

namespace {

using namespace pgtrickle::scheduler;

constexpr TableId kPerComponent = 20;

/// Each table reads one or two earlier ones of its part.
std::vector<TimetableEntry> entries(TableId tables, TableId part) {
  std::vector<TimetableEntry> all;
  for (TableId id = 1; id <= tables; ++id) {
    TimetableEntry entry;
    entry.id = id;
    entry.schedule = Schedule::every(Milliseconds(1000));
    entry.active = entry.captured = true;
    const TableId place = (id - 1) % part;
    if (place == 0) {
      entry.sources = {id};
    } else {
      entry.upstream.push_back(id - 1 - (id * 7) % place);
      if (place > 2 && id % 3 == 0) entry.upstream.push_back(id - 1);
    }
    all.push_back(entry);
  }
  return all;
}

std::vector<Dag::Change> changes(const std::vector<TimetableEntry>& entries) {
  std::vector<Dag::Change> all;
  for (const TimetableEntry& entry : entries) all.push_back({.id = entry.id, .upstream = entry.upstream});
  return all;
}

Now now() {
  return {.steady = std::chrono::steady_clock::now(), .wall = std::chrono::system_clock::now()};
}

/// What a benchmark's arguments mean: tables, and of how many a component consists.
std::vector<TimetableEntry> entries(const benchmark::State& state) {
  return entries(state.range(0), state.range(1));
}

void load_graph(benchmark::State& state) {
  const auto all = changes(entries(state));
  for (auto _ : state) {
    Dag dag;
    benchmark::DoNotOptimize(dag.apply(all));
  }
}

void load_timetable(benchmark::State& state) {
  const auto all = entries(state);
  for (auto _ : state) {
    Timetable timetable(TimetableSettings{});
    timetable.load(all, {}, now());
    benchmark::DoNotOptimize(timetable.next_due());
  }
}

/// The edge between the last two tables comes and goes.
std::pair<TimetableEntry, TimetableEntry> with_and_without_edge(const std::vector<TimetableEntry>& all) {
  TimetableEntry with = all.back(), without = all.back();
  with.upstream = {with.id - 2, with.id - 1};
  without.upstream = {with.id - 2};
  return {with, without};
}

void change_edge_of_graph(benchmark::State& state) {
  const auto all = entries(state);
  Dag dag;
  dag.apply(changes(all));
  const auto [with, without] = with_and_without_edge(all);
  const std::vector<Dag::Change> add{{.id = with.id, .upstream = with.upstream}};
  const std::vector<Dag::Change> remove{{.id = without.id, .upstream = without.upstream}};
  bool there = false;
  for (auto _ : state) {
    benchmark::DoNotOptimize(dag.apply(there ? remove : add));
    there = !there;
  }
}

void change_edge_of_timetable(benchmark::State& state) {
  const auto all = entries(state);
  Timetable timetable(TimetableSettings{});
  timetable.load(all, {}, now());
  const auto [with, without] = with_and_without_edge(all);
  bool there = false;
  for (auto _ : state) {
    timetable.put(there ? without : with, now());
    there = !there;
  }
}

/// Tables that come, and go again.
void create_and_drop(benchmark::State& state) {
  const auto all = entries(state);
  Timetable timetable(TimetableSettings{});
  timetable.load(all, {}, now());
  for (auto _ : state) {
    timetable.remove(all.back().id, now());
    timetable.put(all.back(), now());
  }
}

void tables(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"tables", "component"});
  bench->Args({1000, kPerComponent})->Args({10000, kPerComponent})->Args({1000, 1000});
  bench->Unit(benchmark::kMicrosecond);
}

BENCHMARK(load_graph)->Apply(tables);
BENCHMARK(load_timetable)->Apply(tables);
BENCHMARK(change_edge_of_graph)->Apply(tables);
BENCHMARK(change_edge_of_timetable)->Apply(tables);
BENCHMARK(create_and_drop)->Apply(tables);

}  // namespace

BENCHMARK_MAIN();
