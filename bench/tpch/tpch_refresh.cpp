#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "benchmarks.h"
#include "tpch/plans.h"
#include "tpch/tpch.h"

namespace pgt::bench {
namespace {

constexpr int kRounds = 4;
constexpr int kRepetitions = 2;                  // of each change, per round
constexpr std::size_t kPlanLines = 120;          // of the worst query, in the report
constexpr const char* kStatementLimit = "120s";  // what is slower is reported as that

enum Size { kOrders, kFraction, kSizes };
constexpr const char* kSizeName[kSizes] = {"10 orders", "0.1 %"};

struct View {
  tpch::Query query;
  std::string refresh;  // the function
  std::string problem;  // why it is not measured, or no further
  std::string done;     // last action and number of refreshes
  Sample differential[kSizes];
  Sample select, plain;
};

std::string one_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

class TpchBench {
 public:
  TpchBench(const Options& options, const std::string& scale_factor)
      : options_(options), scale_factor_(scale_factor), session_(db_.dsn() + " options='-c synchronous_commit=off'") {
    progress("TPC-H, SF " + scale_factor + ": loading");
    tpch::load(session_, scale_factor);
    session_.exec(std::string("SET statement_timeout = '") + kStatementLimit + "'");
    const auto wanted = tpch::query_numbers(options.tpch_queries);
    for (const auto& query : tpch::queries(scale_factor)) {
      if (std::find(wanted.begin(), wanted.end(), query.number) == wanted.end()) continue;
      View view;
      view.query = query;
      try {
        db_.create_stream_table("st_" + query.name, query.text, "DIFFERENTIAL");
        view.refresh = "pgtrickle_state.refresh_" + std::to_string(db_.id_of("st_" + query.name));
        session_.exec("CREATE MATERIALIZED VIEW mv_" + query.name + " AS " + query.text);
      } catch (const std::exception& error) {
        fail(view, error.what());
      }
      views_.push_back(std::move(view));
    }
    session_.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
    // Not the logs: they have no statistics in production, and the plans would differ.
    session_.exec(
        "DO $$ DECLARE relation regclass; BEGIN FOR relation IN SELECT oid FROM pg_class WHERE relkind IN ('r', 'm') "
        "AND relnamespace IN ('public'::regnamespace, 'pgtrickle_state'::regnamespace) LOOP "
        "EXECUTE 'ANALYZE ' || relation; END LOOP; END $$");
    progress("  ready after " + std::to_string(static_cast<int>(seconds())) + " s");
  }

  void measure() {
    for (int round = 0; round < kRounds; ++round) {
      const double start = seconds();
      // Clearing the logs makes the session plan its statements again: the first refresh of each size is not counted.
      clear_logs();
      for (const Size size : {kOrders, kFraction}) {
        change(size);
        for (auto& view : views_) refresh(view, nullptr);
      }
      for (const Size size : {kOrders, kFraction}) {
        for (int repetition = 0; repetition < kRepetitions; ++repetition) take_turns(size, round + repetition);
      }
      check();
      // The plans of the report and the files take about half a round.
      if (seconds() + 1.5 * (seconds() - start) > options_.tpch_budget) break;
    }
  }

  void write(Report& report) {
    report.heading("TPC-H, SF " + scale_factor_);
    report.table_header({"query", "query", "REFRESH", "differential, 0.1 %", "REFRESH / differential",
                         "differential, 10 orders", "REFRESH / differential"});
    Sample ratios[kSizes];
    View* worst = nullptr;
    for (auto& view : views_) {
      report.table_row({view.query.name, format_ms(view.select), format_ms(view.plain),
                        format_ms(view.differential[kFraction]), format_ratio(view.plain, view.differential[kFraction]),
                        format_ms(view.differential[kOrders]), format_ratio(view.plain, view.differential[kOrders])});
      for (const Size size : {kOrders, kFraction}) {
        if (measured(view, size)) ratios[size].add(ratio(view, size));
      }
      if (!measured(view, kFraction)) continue;
      if (worst == nullptr || ratio(view, kFraction) < ratio(*worst, kFraction)) worst = &view;
    }
    report.paragraph("");
    for (const Size size : {kFraction, kOrders}) {
      if (ratios[size].empty()) continue;
      report.paragraph("REFRESH / differential, " + std::string(kSizeName[size]) + ": median " +
                       format_number(ratios[size].median()) + ", lowest " + format_number(ratios[size].quantile(0)) +
                       ", highest " + format_number(ratios[size].quantile(1)) + ", over " +
                       std::to_string(ratios[size].count()) + " queries.");
    }
    for (const auto& view : views_) {
      if (!view.problem.empty()) report.paragraph(view.query.name + ": " + view.problem);
    }
    if (worst != nullptr) write_plan(*worst, report);
    if (!options_.tpch_plans.empty()) write_plan_files();
    progress("  done after " + std::to_string(static_cast<int>(seconds())) + " s");
  }

 private:
  static bool measured(const View& view, Size size) { return !view.plain.empty() && !view.differential[size].empty(); }
  static double ratio(const View& view, Size size) { return view.plain.median() / view.differential[size].median(); }

  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

  void change(Size size) {
    const std::string cycle = std::to_string(++cycle_);
    session_.exec(size == kOrders ? "SELECT tpch.change_orders(" + cycle + ", 10)"
                                  : "SELECT tpch.change_all(" + cycle + ", 0.001)");
  }

  /// One change, taken in by the stream table and by the materialized view, each first in turn. The small change is
  /// compared with the REFRESH after the other one: that costs the same.
  void take_turns(Size size, int turn) {
    change(size);
    for (auto& view : views_) {
      if (turn % 2 == 0) refresh(view, &view.differential[size]);
      if (size == kFraction && view.problem.empty()) recompute(view);
      if (turn % 2 != 0) refresh(view, &view.differential[size]);
    }
  }

  void recompute(View& view) {
    view.select.add(timed([&] { session_.exec(view.query.text); }));
    view.plain.add(timed([&] { session_.exec("REFRESH MATERIALIZED VIEW mv_" + view.query.name); }));
  }

  void refresh(View& view, Sample* sample) {
    if (!view.problem.empty()) return;
    try {
      const double ms = timed([&] {
        session_.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM " + view.refresh + "('auto'); COMMIT");
      });
      const std::string done = session_.value(
          "SELECT f.last_action || ' ' || f.seq FROM pgtrickle.pgt_frontiers f "
          "JOIN pgtrickle.pgt_stream_tables USING (pgt_id) WHERE pgt_name = 'st_" +
          view.query.name + "'");
      if (!done.starts_with("DIFFERENTIAL ")) throw std::runtime_error("DIFFERENTIAL expected, it was " + done);
      // Nothing was pending, if the frontier has not moved: the query does not read what changed.
      if (sample != nullptr && done != view.done) sample->add(ms);
      view.done = done;
    } catch (const std::exception& error) {
      fail(view, "refresh: " + std::string(error.what()));
    }
  }

  /// A query that cannot be measured does not end the run, but the report says so. Its logs must not wait for it.
  void fail(View& view, const std::string& why) {
    view.problem = one_line(why);
    progress("  " + view.query.name + ": " + view.problem);
    if (session_.value("SELECT coalesce(to_regclass('st_" + view.query.name + "')::text, '')").empty()) return;
    session_.exec("SELECT pgtrickle.drop_stream_table('st_" + view.query.name + "')");
  }

  /// What the daemon does from time to time: clears the logs and what inner nodes have passed on.
  void clear_logs() {
    for (auto& view : views_) refresh(view, nullptr);
    for (int step = 0; step < 2; ++step)
      session_.exec("SELECT pgtrickle._rotate_log(source_id, 0, 5000) FROM pgtrickle.pgt_sources");
    pgtrickle::catalog::collect_garbage(db_.dsn(), {});
  }

  /// After a round both hold the same state.
  void check() {
    for (const auto& view : views_) {
      if (!view.problem.empty()) continue;
      const std::string table = "TABLE st_" + view.query.name;
      const std::string truth = "TABLE mv_" + view.query.name;
      const std::string wrong = session_.value("SELECT count(*) FROM ((" + table + " EXCEPT ALL " + truth +
                                               ") UNION ALL (" + truth + " EXCEPT ALL " + table + ")) d");
      if (wrong != "0")
        throw std::runtime_error("st_" + view.query.name + " differs from its query in " + wrong + " rows");
    }
  }

  std::vector<StatementPlan> plans_of(View& view) {
    PlanRecorder recorder(session_);
    refresh(view, nullptr);
    return recorder.take();
  }

  /// The slowest statement inside of the program: the plans of its callers have no children.
  void write_plan(View& view, Report& report) {
    change(kFraction);
    const auto plans = plans_of(view);
    const auto statement = std::find_if(plans.begin(), plans.end(),
                                        [](const auto& p) { return p.text.find("->  ") != std::string::npos; });
    if (statement == plans.end()) return;
    report.paragraph("The lowest of the ratios with 0.1 % changed is that of " + view.query.name +
                     ". The plan of the slowest statement in its program, without what was not started:");
    std::string text = executed_part(*statement);
    std::size_t end = 0;
    for (std::size_t line = 0; line < kPlanLines && end < text.size(); ++line) end = text.find('\n', end) + 1;
    if (end < text.size()) text = text.substr(0, end) + "...\n";
    report.paragraph("```\n" + text + "```");
  }

  void write_plan_files() {
    std::filesystem::create_directories(options_.tpch_plans);
    for (auto& view : views_) refresh(view, nullptr);  // nothing but the change is to be pending
    for (const Size size : {kOrders, kFraction}) {
      change(size);
      for (auto& view : views_) {
        if (!view.problem.empty()) continue;
        std::ofstream file(options_.tpch_plans + "/sf" + scale_factor_ + "_" + view.query.name +
                           (size == kOrders ? "_orders.txt" : "_fraction.txt"));
        for (const auto& plan : plans_of(view)) file << plan.text << "\n\n";
      }
    }
  }

  const Options& options_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::string scale_factor_;
  test::TestDatabase db_;
  test::Session session_;
  std::vector<View> views_;
  int cycle_ = 0;
};

}  // namespace

void measure_tpch(const Options& options, Report& report) {
  for (const auto& scale_factor : options.scale_factors) {
    TpchBench bench(options, scale_factor);
    bench.measure();
    bench.write(report);
  }
}

}  // namespace pgt::bench
