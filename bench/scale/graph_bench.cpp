// Micro-benchmarks of the scheduler's graph and refresh planner, without a server: a load of many stream tables, the
// change of one edge, and a round, in which everything that is due is taken, refreshed and comes back. Components have
// 20 tables, as in bench/run.sh scale, or all tables are one.
#include <benchmark/benchmark.h>

#include <chrono>
#include <string>
#include <vector>

#include "planner/refresh_planner.h"

namespace {

using namespace pgtrickle::planner;
using pgtrickle::SourceId;
using pgtrickle::TableId;

constexpr TableId kPerComponent = 20;

/// Each table reads one or two earlier ones of its part.
std::vector<PlannerEntry> entries(TableId tables, TableId part) {
  std::vector<PlannerEntry> all;
  for (TableId id = 1; id <= tables; ++id) {
    PlannerEntry entry;
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

enum Shape { kSources, kChain, kLayers };

/// 1,000 tables: beside each other over 50 sources, a chain, or 20 layers of 50 of which each table reads three of the
/// layer before (its diamonds make one atomic set of nearly all).
std::vector<PlannerEntry> entries(Shape shape) {
  std::vector<PlannerEntry> all;
  for (TableId id = 1; id <= 1000; ++id) {
    PlannerEntry entry;
    entry.id = id;
    entry.schedule = Schedule::every(Milliseconds(1000));
    entry.active = entry.captured = true;
    entry.own_log = 10000 + id;
    const TableId layer = (id - 1) / 50 * 50;
    if (shape == kSources || id == 1 || (shape == kLayers && layer == 0)) {
      entry.sources = {5000 + id % 50};
    } else if (shape == kChain) {
      entry.upstream = {id - 1};
    } else {
      for (const TableId step : {1, 7, 23}) entry.upstream.push_back(layer - 49 + (id * 3 + step) % 50);
    }
    entry.relations = entry.sources;
    all.push_back(entry);
  }
  return all;
}

std::vector<Dag::Change> changes(const std::vector<PlannerEntry>& entries) {
  std::vector<Dag::Change> all;
  for (const PlannerEntry& entry : entries) all.push_back({.id = entry.id, .upstream = entry.upstream});
  return all;
}

Now now() {
  return {.steady = std::chrono::steady_clock::now(), .wall = std::chrono::system_clock::now()};
}

/// What a benchmark's arguments mean: tables, and of how many a component consists.
std::vector<PlannerEntry> entries(const benchmark::State& state) {
  return entries(state.range(0), state.range(1));
}

void load_graph(benchmark::State& state) {
  const auto all = changes(entries(state));
  for (auto _ : state) {
    Dag dag;
    benchmark::DoNotOptimize(dag.apply(all));
  }
}

void load_planner(benchmark::State& state) {
  const auto all = entries(state);
  for (auto _ : state) {
    RefreshPlanner planner(PlannerSettings{});
    planner.load(all, {}, now());
    benchmark::DoNotOptimize(planner.next_due());
  }
}

/// The edge between the last two tables comes and goes.
std::pair<PlannerEntry, PlannerEntry> with_and_without_edge(const std::vector<PlannerEntry>& all) {
  PlannerEntry with = all.back(), without = all.back();
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

void change_edge_of_planner(benchmark::State& state) {
  const auto all = entries(state);
  RefreshPlanner planner(PlannerSettings{});
  planner.load(all, {}, now());
  const auto [with, without] = with_and_without_edge(all);
  bool there = false;
  for (auto _ : state) {
    planner.put(there ? without : with, now());
    there = !there;
  }
}

/// Tables that come, and go again.
void create_and_drop(benchmark::State& state) {
  const auto all = entries(state);
  RefreshPlanner planner(PlannerSettings{});
  planner.load(all, {}, now());
  for (auto _ : state) {
    planner.remove(all.back().id, now());
    planner.put(all.back(), now());
  }
}

std::vector<PlannerEntry> shaped(benchmark::State& state) {
  const std::vector<std::string> names{"sources", "chain", "layers"};
  state.SetLabel(names.at(static_cast<std::size_t>(state.range(0))));
  return entries(static_cast<Shape>(state.range(0)));
}

void load_shape(benchmark::State& state) {
  const auto all = shaped(state);
  for (auto _ : state) {
    RefreshPlanner planner(PlannerSettings{});
    planner.load(all, {}, now());
    benchmark::DoNotOptimize(planner.next_due());
  }
}

void load_shape_again(benchmark::State& state) {
  const auto all = shaped(state);
  RefreshPlanner planner(PlannerSettings{});
  planner.load(all, {}, now());
  for (auto _ : state) planner.load(all, {}, now());
}

void put_one_of_shape(benchmark::State& state) {
  const auto all = shaped(state);
  RefreshPlanner planner(PlannerSettings{});
  planner.load(all, {}, now());
  std::size_t next = 0;
  for (auto _ : state) planner.put(all[++next * 37 % all.size()], now());
}

/// All 1,000 tables are refreshed.
void round_of_shape(benchmark::State& state) {
  const auto all = shaped(state);
  RefreshPlanner planner(PlannerSettings{});
  Now time = now();
  planner.load(all, {}, time);
  std::size_t refreshed = 0;
  for (auto _ : state) {
    time.steady += Milliseconds(1000);
    time.wall += Milliseconds(1000);
    for (const Unit& unit : planner.take_due(time)) {
      planner.begun(unit, time.steady);
      refreshed += unit.tables.size();
      for (const TableId id : unit.tables) {
        planner.succeeded(id, {.changed = true, .own = Milliseconds(1), .whole_unit = Milliseconds(20)}, time);
      }
    }
  }
  state.counters["tables"] = benchmark::Counter(static_cast<double>(refreshed), benchmark::Counter::kAvgIterations);
}

/// One source is written to, and everything sleeps but for what reads it.
void wake_of_shape(benchmark::State& state) {
  const auto all = shaped(state);
  RefreshPlanner planner(PlannerSettings{});
  Now time = now();
  planner.load(all, {}, time);
  SourceId source = all.front().sources.front();
  for (auto _ : state) {
    time.steady += Milliseconds(100000);
    time.wall += Milliseconds(100000);
    (void)planner.woken(source, time);
    for (const SourceId wanted : planner.sources_to_arm(time.steady)) planner.armed(wanted, time.steady);
    for (const Unit& unit : planner.take_due(time)) {
      for (const TableId id : unit.tables) planner.succeeded(id, {}, time);
    }
  }
}

void shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgName("shape")->Arg(kSources)->Arg(kChain)->Arg(kLayers)->Unit(benchmark::kMicrosecond);
}

void tables(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"tables", "component"});
  bench->Args({1000, kPerComponent})->Args({10000, kPerComponent})->Args({1000, 1000});
  bench->Unit(benchmark::kMicrosecond);
}

BENCHMARK(load_graph)->Apply(tables);
BENCHMARK(load_planner)->Apply(tables);
BENCHMARK(change_edge_of_graph)->Apply(tables);
BENCHMARK(change_edge_of_planner)->Apply(tables);
BENCHMARK(create_and_drop)->Apply(tables);
BENCHMARK(load_shape)->Apply(shapes);
BENCHMARK(load_shape_again)->Apply(shapes);
BENCHMARK(put_one_of_shape)->Apply(shapes);
BENCHMARK(round_of_shape)->Apply(shapes);
BENCHMARK(wake_of_shape)->Apply(shapes);

}  // namespace

BENCHMARK_MAIN();
