// What writers pay for IMMEDIATE stream tables: added time per statement, and how many writers do at the same time.
#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>

#include "benchmarks.h"
#include "immediate/forms.h"
#include "immediate/writers.h"

namespace pgt::bench {
namespace {

using immediate::Form;
using immediate::Kind;
using immediate::View;
using immediate::Work;

constexpr long kOrders = 100'000;
constexpr long kBulk = 10'000;
constexpr int kBlock = 20;              // statements of one kind before another form has its turn
constexpr double kEnoughMs = 1000;      // of statements of 10,000 rows: no further round of that form
constexpr const char* kLimit = "10 s";  // of one statement of pg_ivm
constexpr double kGoalAdded = 0.5;      // of what pg_ivm adds
constexpr double kGoalTimes = 3;        // what pg_ivm's writers get done, with kGoalClients
constexpr int kGoalClients = 4;

constexpr std::array<const char*, 3> kStatements{"INSERT", "UPDATE", "DELETE"};

struct Measured {
  Sample processor, wall;  // milliseconds per transaction
};

/// By form and kind of statement.
using Results = std::map<std::string, std::array<Measured, 3>>;

enum class Unit { kMilliseconds, kMicroseconds };

std::string number_of(const Sample& sample, Unit unit) {
  return sample.empty() ? "-" : format_number(sample.median() * (unit == Unit::kMicroseconds ? 1000 : 1));
}

/// What of the goals was not met.
class Goal {
 public:
  explicit Goal(std::string text) : text_(std::move(text)) {}

  void look(bool met, const std::string& where) {
    ++looked_;
    if (!met) missed_.push_back(where);
  }

  void report(Report& report) const {
    std::string line = "- " + text_ + ": ";
    if (looked_ == 0) {
      line += "not measured.";
    } else if (missed_.empty()) {
      line += "**met**, in all " + std::to_string(looked_) + " cases.";
    } else {
      line += "**not met** in " + std::to_string(missed_.size()) + " of " + std::to_string(looked_) + " cases: ";
      for (std::size_t i = 0; i < missed_.size(); ++i) line += (i == 0 ? "" : ", ") + missed_[i];
      line += ".";
    }
    report.paragraph(line);
  }

 private:
  std::string text_;
  int looked_ = 0;
  std::vector<std::string> missed_;
};

class CostBench {
 public:
  CostBench(const Options& options, bool pg_ivm) : options_(options), pg_ivm_(pg_ivm) {
    add(Kind::kNone, 1);
    for (const int count : {1, 5}) {
      add(Kind::kOurs, count);
      if (pg_ivm) add(Kind::kPgIvm, count);
    }
    add(Kind::kByHand, 1);
    std::vector<std::string> columns{"view", "statement", "no view", "IMMEDIATE"};
    for (const char* column :
         {"pg_ivm", "by hand", "added, of pg_ivm's", "5 IMMEDIATE", "5 pg_ivm", "added, of pg_ivm's"})
      columns.emplace_back(column);
    for (Report* table : {&one_row_, &round_trips_, &first_, &after_, &bulk_}) table->table_header(columns);
    writers_.table_header({"view", "a transaction is", "clients", "no view", "IMMEDIATE", "pg_ivm", "by hand",
                           "IMMEDIATE / pg_ivm", "IMMEDIATE / no view"});
  }

  void measure(const View& view) {
    progress("immediate: " + view.name);
    std::vector<Form*> forms;
    for (const auto& form : forms_) {
      if (form->put_on(view)) {
        forms.push_back(form.get());
      } else if (form->kind() == Kind::kPgIvm && form->count() == 1) {
        notes_.push_back("pg_ivm does not take " + view.name + ": " + form->why());
      }
    }
    Results one_row;
    blocks(forms, options_.immediate_blocks, one_row);
    Results first;
    first_writes(forms, first);
    Results bulk;
    bulks(forms, bulk);
    Results after;
    blocks(forms, 1 + options_.immediate_blocks / 4, after);
    if (view.name == "aggregate" || view.name == "join_aggregate") write_together(view, forms);
    for (Form* form : forms) check(view, *form);
    for (Form* form : forms) form->take_off(view);

    progress("  one row: us processor, round trip, processor after bulk; ms of the first; 10,000 rows: ms processor");
    rows(view, one_row, &Measured::processor, Unit::kMicroseconds, one_row_, &goal_one_row_);
    rows(view, one_row, &Measured::wall, Unit::kMicroseconds, round_trips_, nullptr);
    rows(view, after, &Measured::processor, Unit::kMicroseconds, after_, nullptr);
    rows(view, first, &Measured::processor, Unit::kMilliseconds, first_, nullptr);
    rows(view, bulk, &Measured::processor, Unit::kMilliseconds, bulk_, &goal_bulk_);
  }

  void write(Report& report) const {
    report.heading("Goals");
    if (!pg_ivm_)
      report.paragraph("This server has no pg_ivm, so there is nothing to compare with but the triggers by hand.");
    for (const Goal* goal : {&goal_one_row_, &goal_bulk_, &goal_writers_}) goal->report(report);
    for (const auto& note : notes_) report.paragraph("- " + note);
    report.heading("One row, processor time of the server, microseconds");
    report.append(one_row_);
    report.heading("One row, round trip, microseconds");
    report.append(round_trips_);
    report.heading("One row, the first statement of a session, processor time of the server, milliseconds");
    report.append(first_);
    report.heading("One row, after the statements of 10,000 rows below, processor time, microseconds");
    report.append(after_);
    report.heading("10,000 rows, processor time of the server, milliseconds");
    report.append(bulk_);
    report.heading("Writers of different groups at the same time, transactions per second");
    report.append(writers_);
  }

 private:
  void add(Kind kind, int count) {
    forms_.push_back(std::make_unique<Form>(kind, count, kOrders));
    prepare(forms_.back()->session());
  }

  static void prepare(test::Session& session) {
    const std::string rows = std::to_string(kBulk);
    const std::string values = "1 + i * 7919 % 10000, 'paid', i % 1000, date '2026-01-01', 'new'";
    session.exec("PREPARE one_insert (bigint) AS INSERT INTO orders SELECT i, " + values +
                 " FROM (SELECT $1) AS v (i);" +
                 "PREPARE one_update (bigint) AS UPDATE orders SET amount = amount + 1 WHERE id = $1;"
                 "PREPARE one_delete (bigint) AS DELETE FROM orders WHERE id = $1;"
                 "PREPARE many_insert (bigint) AS INSERT INTO orders SELECT i, " +
                 values + " FROM generate_series($1, $1 + " + rows + " - 1) AS i;" +
                 "PREPARE many_update (bigint) AS UPDATE orders SET amount = amount + 1 WHERE id <= " + rows +
                 " AND $1 > 0;" + "PREPARE many_delete (bigint) AS DELETE FROM orders WHERE id >= $1");
  }

  /// Each form has its turn; another one begins in every round.
  template <typename Do>
  static void in_turn(const std::vector<Form*>& forms, int round, Do what) {
    for (std::size_t i = 0; i < forms.size(); ++i) what(*forms[(i + static_cast<std::size_t>(round)) % forms.size()]);
  }

  /// Transactions of one row each: new rows, changed ones, and the new ones go again. The first block is not counted.
  void blocks(const std::vector<Form*>& forms, int count, Results& results) {
    for (int block = 0; block <= count; ++block) {
      const long first = std::uniform_int_distribution<long>(0, kOrders - 1)(random_);
      in_turn(forms, block, [&](Form& form) {
        std::array<Measured, 3> ignored;
        write_block(form, first, block == 0 ? ignored : results[form.label()]);
      });
      next_id_ += kBlock;
    }
  }

  static std::string one(std::size_t kind, long id) {
    static constexpr std::array<const char*, 3> kNames{"one_insert", "one_update", "one_delete"};
    return std::string("EXECUTE ") + kNames[kind] + "(" + std::to_string(id) + ")";
  }

  void write_block(Form& form, long first, std::array<Measured, 3>& results) {
    for (std::size_t kind = 0; kind < kStatements.size(); ++kind) {
      const double before = form.processor_now();
      for (int i = 0; i < kBlock; ++i) {
        const long id = kStatements[kind] == std::string("UPDATE") ? 1 + (first + i * 4999L) % kOrders : next_id_ + i;
        const std::string sql = one(kind, id);
        results[kind].wall.add(timed([&] { form.session().exec(sql); }));
      }
      results[kind].processor.add((form.processor_now() - before) / kBlock);
    }
  }

  /// The first statement plans what the triggers execute.
  void first_writes(const std::vector<Form*>& forms, Results& results) {
    for (int round = 0; round < 1 + options_.immediate_blocks / 5; ++round) {
      for (std::size_t kind = 0; kind < kStatements.size(); ++kind) {
        in_turn(forms, round, [&](Form& form) {
          test::Session session(form.dsn());
          const ProcessorTime processor(session);
          prepare(session);
          const double before = processor.now();
          results[form.label()][kind].wall.add(timed([&] { session.exec(one(kind, next_id_)); }));
          results[form.label()][kind].processor.add(processor.now() - before);
        });
      }
      ++next_id_;
    }
  }

  void bulks(const std::vector<Form*>& forms, Results& results) {
    std::map<std::string, double> spent;
    for (int round = 0; round <= options_.immediate_bulks; ++round) {
      in_turn(forms, round, [&](Form& form) {
        double& ms = spent[form.label()];
        if (ms > kEnoughMs && round > 0) return;
        std::array<Measured, 3> ignored;
        std::array<Measured, 3> counted;
        ms += write_bulk(form, counted);
        if (round == 0 && ms <= kEnoughMs) return;  // it has planned the statements
        auto& all = results[form.label()];
        for (std::size_t kind = 0; kind < all.size(); ++kind) {
          all[kind].wall.add(counted[kind].wall.median());
          all[kind].processor.add(counted[kind].processor.median());
        }
      });
      next_id_ += kBulk;
    }
  }

  double write_bulk(Form& form, std::array<Measured, 3>& results) {
    static constexpr std::array<const char*, 3> kNames{"many_insert", "many_update", "many_delete"};
    double all = 0;
    if (form.kind() == Kind::kPgIvm) form.session().exec(std::string("SET statement_timeout = '") + kLimit + "'");
    for (std::size_t kind = 0; kind < kNames.size(); ++kind) {
      const std::string sql = std::string("EXECUTE ") + kNames[kind] + "(" + std::to_string(next_id_) + ")";
      const double before = form.processor_now();
      const double ms = timed([&] {
        try {
          form.session().exec(sql);
        } catch (const pqxx::sql_error& error) {
          if (form.kind() != Kind::kPgIvm || error.sqlstate() != "57014") throw;
          note(form.label() + " was not ready with the " + kStatements[kind] + " of 10,000 rows after " + kLimit + ".");
        }
      });
      results[kind].wall.add(ms);
      results[kind].processor.add(form.processor_now() - before);
      all += ms;
    }
    form.session().exec("RESET statement_timeout");
    return all;
  }

  void write_together(const View& view, const std::vector<Form*>& forms) {
    for (const Work work : {Work::kOneStatement, Work::kPause}) {
      if (work == Work::kPause && view.name == "aggregate") continue;  // it is about locks, and one view tells
      for (const int clients : {1, 2, 4, 8}) {
        std::map<std::string, Sample> rates;
        for (int round = 0; round < options_.immediate_rounds; ++round) {
          in_turn(forms, round, [&](Form& form) {
            if (form.count() > 1) return;
            rates[form.label()].add(
                immediate::transactions_per_second(form, work, clients, options_.immediate_seconds));
          });
        }
        const std::string what = work == Work::kPause ? "UPDATE, 1 ms, COMMIT" : "UPDATE";
        writers_.table_row({view.name, what, std::to_string(clients), format_ms(rates["none"]),
                            format_ms(rates["IMMEDIATE"]), format_ms(rates["pg_ivm"]), format_ms(rates["by hand"]),
                            format_ratio(rates["IMMEDIATE"], rates["pg_ivm"]),
                            format_ratio(rates["IMMEDIATE"], rates["none"])});
        progress("  " + std::to_string(clients) + " clients, " + what + ": none " + format_ms(rates["none"]) +
                 ", ours " + format_ms(rates["IMMEDIATE"]) + ", pg_ivm " + format_ms(rates["pg_ivm"]) + ", by hand " +
                 format_ms(rates["by hand"]));
        if (clients != kGoalClients || rates["pg_ivm"].empty()) continue;
        const double times = rates["IMMEDIATE"].median() / rates["pg_ivm"].median();
        goal_writers_.look(times >= kGoalTimes, view.name + ", " + what + " (" + format_number(times) + ")");
      }
    }
  }

  void check(const View& view, Form& form) {
    const long wrong = form.differing_rows(view);
    if (wrong == 0) return;
    const std::string message =
        form.label() + " differs from the query of " + view.name + " in " + std::to_string(wrong) + " rows";
    if (form.kind() != Kind::kPgIvm) throw std::runtime_error(message);
    note(message + ".");
  }

  void note(const std::string& text) {
    if (std::find(notes_.begin(), notes_.end(), text) == notes_.end()) notes_.push_back(text);
  }

  static void rows(const View& view, const Results& results, Sample Measured::*what, Unit unit, Report& table,
                   Goal* goal) {
    for (std::size_t kind = 0; kind < kStatements.size(); ++kind) {
      const auto sample = [&](const std::string& form) {
        const auto found = results.find(form);
        return found == results.end() ? Sample() : found->second[kind].*what;
      };
      const Sample none = sample("none");
      const auto share = [&](const std::string& ours, const std::string& theirs) -> std::string {
        // Noise can be more than what is added; then there is nothing to compare with.
        if (sample(theirs).empty() || sample(theirs).median() <= none.median()) return "-";
        const double value = (sample(ours).median() - none.median()) / (sample(theirs).median() - none.median());
        if (goal != nullptr)
          goal->look(value <= kGoalAdded,
                     view.name + " " + ours + " " + kStatements[kind] + " (" + format_number(value) + ")");
        return format_number(value);
      };
      const std::vector<std::string> cells{view.name,
                                           kStatements[kind],
                                           number_of(none, unit),
                                           number_of(sample("IMMEDIATE"), unit),
                                           number_of(sample("pg_ivm"), unit),
                                           number_of(sample("by hand"), unit),
                                           share("IMMEDIATE", "pg_ivm"),
                                           number_of(sample("5 IMMEDIATE"), unit),
                                           number_of(sample("5 pg_ivm"), unit),
                                           share("5 IMMEDIATE", "5 pg_ivm")};
      table.table_row(cells);
      std::string line = " ";
      for (const auto& cell : cells) line += " " + cell;
      progress(line);
    }
  }

  const Options& options_;
  bool pg_ivm_;
  std::vector<std::unique_ptr<Form>> forms_;
  std::mt19937 random_{1};
  long next_id_ = 10 * kOrders;
  Report one_row_ = Report::section(), round_trips_ = Report::section(), first_ = Report::section(),
         after_ = Report::section(), bulk_ = Report::section(), writers_ = Report::section();
  Goal goal_one_row_{"one row: IMMEDIATE adds at most half of what pg_ivm adds"};
  Goal goal_bulk_{"10,000 rows: IMMEDIATE adds at most half of what pg_ivm adds"};
  Goal goal_writers_{"writers of different groups, 4 clients: at least 3 times the transactions of pg_ivm"};
  std::vector<std::string> notes_;
};

}  // namespace

void measure_immediate(const Options& options, Report& report) {
  const std::string pg_ivm = immediate::pg_ivm_version();
  progress(pg_ivm.empty() ? "immediate: this server has no pg_ivm" : "immediate: pg_ivm " + pg_ivm);
  report.paragraph("IMMEDIATE stream tables beside " +
                   (pg_ivm.empty() ? "no pg_ivm (this server has none)" : "pg_ivm " + pg_ivm) +
                   " and triggers written by hand, over 100,000 orders. Every form has a database of its own on this "
                   "server and they take turns. Whole transactions.");
  CostBench bench(options, !pg_ivm.empty());
  for (const View& view : immediate::views()) bench.measure(view);
  bench.write(report);
}

}  // namespace pgt::bench
