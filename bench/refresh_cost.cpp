#include <algorithm>
#include <map>
#include <stdexcept>

#include "benchmarks.h"
#include "processor_time.h"
#include "views.h"

namespace pgt::bench {
namespace {

constexpr long kCustomers = 10'000;
constexpr long kClearAfter = 2'000;  // changed rows
constexpr long kFewRows = 100;       // up to so many, what is measured takes microseconds: it is measured more often
constexpr int kMoreOften = 5;
constexpr int kNothing = 200;  // refreshes with nothing pending

struct Change {
  std::string label;
  std::string table;  // orders or customers
  long rows;
};

struct Measured {
  Sample differential, differential_processor, hand, hand_processor, full, plain, concurrent;
};

class RefreshBench {
 public:
  RefreshBench(const Options& options, long size)
      : options_(options), session_(db_.dsn() + " options='-c synchronous_commit=off'"), processor_(session_) {
    progress("orders: " + std::to_string(size) + " rows");
    session_.exec(sql_file("shop.sql", {{"orders", size}, {"customers", kCustomers}}));
    session_.exec("VACUUM ANALYZE");
    session_.exec(sql_file("handwritten.sql"));
    for (const auto& view : views()) {
      db_.create_stream_table("st_" + view.name, view.query, "DIFFERENTIAL");
      refresh_function_[view.name] = "pgtrickle_state.refresh_" + std::to_string(db_.id_of("st_" + view.name));
      // As the daemon does: statements of the session are prepared.
      session_.exec("PREPARE refresh_" + view.name + " (text) AS SELECT * FROM " + refresh_function_[view.name] +
                    "($1); PREPARE hand_" + view.name + " AS SELECT hand.refresh_" + view.name + "()");
      session_.exec("CREATE MATERIALIZED VIEW mv_" + view.name + " AS " + view.query);
      session_.exec("CREATE UNIQUE INDEX ON mv_" + view.name + " (" + view.key + ")");
    }
    // What is measured is the delta program: recomputing is a column of its own.
    session_.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
    session_.exec("ANALYZE");
    check();
  }

  void measure(const Change& change, Report& report) {
    progress("  " + change.label);
    std::map<std::string, Measured> results;
    // The first repetition, not counted, plans the statements of this session.
    const int repetitions = options_.repetitions * (change.rows <= kFewRows ? kMoreOften : 1);
    for (int repetition = 0; repetition <= repetitions; ++repetition) {
      std::map<std::string, Measured> first;
      repeat(change, repetition, repetition == 0 ? first : results);
    }
    for (int repetition = 0; repetition < options_.slow_repetitions; ++repetition)
      repeat_slow(change, repetition, results);
    check();
    for (const auto& view : views()) {
      const auto it = results.find(view.name);
      if (it == results.end()) continue;
      const Measured& m = it->second;
      progress("    " + view.name + ": differential " + format_ms(m.differential_processor) + ", hand-written " +
               format_ms(m.hand_processor) + ", REFRESH " + format_ms(m.plain));
      report.table_row({view.name, change.label, format_ms(m.differential_processor), format_ms(m.differential),
                        format_ms(m.hand_processor), format_ms(m.hand), format_ms(m.full), format_ms(m.plain),
                        format_ms(m.concurrent), format_ratio(m.plain, m.differential),
                        format_ratio(m.differential_processor, m.hand_processor)});
    }
  }

  /// Processor time of refreshes that find nothing, beyond that of the same transaction without them.
  void measure_nothing(Report& report) {
    std::map<std::string, Sample> results;
    Sample bare;
    session_.exec("PREPARE one AS SELECT 1");
    for (int repetition = 0; repetition <= kNothing; ++repetition) {
      const double without =
          processor([&] { session_.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; EXECUTE one; COMMIT"); });
      if (repetition > 0) bare.add(without);
      for (const auto& view : views()) {
        const double with = processor([&] {
          session_.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; EXECUTE refresh_" + view.name + "('auto'); COMMIT");
        });
        if (repetition > 0) results[view.name].add(with);
      }
    }
    for (const auto& view : views())
      report.table_row({view.name, format_ms(results[view.name]), format_ms(bare),
                        format_number(results[view.name].median() - bare.median())});
  }

 private:
  static bool concerns(const Change& change, const View& view) {
    return change.table == "orders" || view.reads_customers;
  }

  void apply(const Change& change) {
    session_.exec("SELECT change_" + change.table + "(" + std::to_string(change.rows) + ")");
  }

  /// One batch of changes, taken in by the compiled and by the hand-written program, each first in turn.
  void repeat(const Change& change, int repetition, std::map<std::string, Measured>& results) {
    apply(change);
    for (const auto& view : views()) {
      if (!concerns(change, view)) continue;
      Measured& m = results[view.name];
      if (repetition % 2 == 0) differential(view, m);
      by_hand(view, m);
      if (repetition % 2 != 0) differential(view, m);
    }
    clear_logs(change);
  }

  /// The ways that cost the whole table.
  void repeat_slow(const Change& change, int repetition, std::map<std::string, Measured>& results) {
    for (const auto& view : views()) {
      if (!concerns(change, view)) continue;
      results[view.name].plain.add(timed([&] { session_.exec("REFRESH MATERIALIZED VIEW mv_" + view.name); }));
    }
    apply(change);
    for (const auto& view : views()) {
      if (!concerns(change, view)) continue;
      Measured& m = results[view.name];
      if (repetition < options_.concurrent_repetitions)
        m.concurrent.add(timed([&] { session_.exec("REFRESH MATERIALIZED VIEW CONCURRENTLY mv_" + view.name); }));
      m.full.add(refresh(view, "full", "FULL"));
      Measured ignored;
      by_hand(view, ignored);
    }
    clear_logs(change);
  }

  double processor(const std::function<void()>& work) {
    const double before = processor_.now();
    work();
    return processor_.now() - before;
  }

  double refresh(const View& view, const std::string& mode, const std::string& expected,
                 Sample* processor_used = nullptr) {
    const std::string sql =
        "BEGIN ISOLATION LEVEL REPEATABLE READ; EXECUTE refresh_" + view.name + "('" + mode + "'); COMMIT";
    double ms = 0;
    const double used = processor([&] { ms = timed([&] { session_.exec(sql); }); });
    if (processor_used != nullptr) processor_used->add(used);
    const std::string action = frontier(view, "last_action");
    if (action != expected) throw std::runtime_error(view.name + ": " + expected + " expected, it was " + action);
    return ms;
  }

  void differential(const View& view, Measured& m) {
    m.differential.add(refresh(view, "auto", "DIFFERENTIAL", &m.differential_processor));
  }

  void by_hand(const View& view, Measured& m) {
    const std::string sql = "BEGIN ISOLATION LEVEL REPEATABLE READ; EXECUTE hand_" + view.name + "; COMMIT";
    m.hand_processor.add(processor([&] { m.hand.add(timed([&] { session_.exec(sql); })); }));
  }

  std::string frontier(const View& view, const std::string& column) {
    return session_.value("SELECT f." + column +
                          " FROM pgtrickle.pgt_frontiers f JOIN pgtrickle.pgt_stream_tables USING (pgt_id) " +
                          "WHERE pgt_name = 'st_" + view.name + "'");
  }

  /// What the daemon does when a log has grown. Clearing makes every session plan its statements again, so it is done
  /// rarely, and followed by small refreshes that are not counted.
  void clear_logs(const Change& change) {
    logged_ += change.rows;
    if (logged_ < kClearAfter) return;
    logged_ = 0;
    refresh_all();  // a log is cleared when all its consumers have passed: also the ones that were not measured
    for (int step = 0; step < 2; ++step)
      session_.exec("SELECT pgtrickle._rotate_log(source_id, 0, 5000) FROM pgtrickle.pgt_sources");
    session_.exec("TRUNCATE hand.log_orders, hand.log_customers");
    const std::string left = session_.value(
        "SELECT coalesce(sum(pg_relation_size(oid)), 0) FROM pg_class WHERE relkind = 'r' AND "
        "relnamespace = 'pgtrickle_changes'::regnamespace AND relname ~ '^log_[0-9]+_[ab]$'");
    if (left != "0") throw std::runtime_error("the change logs were not cleared");
    for (const int rows : {1, 300}) {  // both variants of a program
      session_.exec("SELECT change_orders(" + std::to_string(rows) + "), change_customers(1)");
      refresh_all();
    }
  }

  void refresh_all() {
    Measured ignored;
    for (const auto& view : views()) {
      session_.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM " + refresh_function_[view.name] +
                    "('auto'); COMMIT");
      by_hand(view, ignored);
    }
  }

  /// Stream tables and the tables of the hand-written programs equal their queries.
  void check() {
    for (const auto& view : views()) {
      for (const std::string& table : {"st_" + view.name, "hand." + view.name}) {
        const std::string wrong =
            session_.value("SELECT count(*) FROM ((TABLE " + table + " EXCEPT ALL (" + view.query + ")) UNION ALL ((" +
                           view.query + ") EXCEPT ALL TABLE " + table + ")) d");
        if (wrong != "0") throw std::runtime_error(table + " differs from its query in " + wrong + " rows");
      }
    }
  }

  const Options& options_;
  long logged_ = 0;  // rows changed since the logs were cleared
  test::TestDatabase db_;
  test::Session session_;
  ProcessorTime processor_;
  std::map<std::string, std::string> refresh_function_;
};

std::string label(long rows, const std::string& note = {}) {
  return std::to_string(rows) + (note.empty() ? "" : " (" + note + ")");
}

}  // namespace

void measure_refresh(const Options& options, Report& report) {
  for (const long size : options.sizes) {
    report.heading("Refreshing, " + std::to_string(size) + " orders, " + std::to_string(kCustomers) + " customers");
    report.table_header({"view", "changed rows", "differential, processor", "differential, round trip",
                         "hand-written, processor", "hand-written, round trip", "full", "REFRESH",
                         "REFRESH CONCURRENTLY", "REFRESH / differential", "differential / hand-written"});
    RefreshBench bench(options, size);
    bench.measure({label(1), "orders", 1}, report);
    bench.measure({label(100), "orders", 100}, report);
    bench.measure({label(size / 100, "1 %"), "orders", size / 100}, report);
    bench.measure({label(size / 10, "10 %"), "orders", size / 10}, report);
    bench.measure({label(1, "customer"), "customers", 1}, report);
    report.heading("Refreshing when nothing is pending, " + std::to_string(size) + " orders");
    report.table_header({"view", "processor", "the same transaction with SELECT 1", "difference"});
    bench.measure_nothing(report);
  }
  report.paragraph("");
}

}  // namespace pgt::bench
