// The cost class that each operator claims in the plan, measured: the same small change over tables of N and of 8 N
// rows, where the groups have the same size, must make a differential refresh touch the same number of rows. Rows
// touched: what the server counted within the refresh's transaction for all tables and indexes, read or written.
// Classes that say that they read a whole input may grow with it, not faster.
//
// tests/cost/cases.sql has the cases: the setup, then per case a query, what it claims ("-- cost OPERATOR: CLASS") and
// a change ("-- step"; "-- step usual": not what a class with an exception excepts, so nothing may grow). :n is the
// number of rows, :d the first of the 28 rows that belong to the case. All indexes that the plan advises exist.
// PGT_COST_EXPLAIN=1 has the server log every plan (auto_explain, in PGT_TEST_LOG).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>

#include "support/cluster.h"
#include "support/database.h"
#include "support/oracle.h"
#include "support/plan.h"
#include "support/sql_case.h"

namespace pgt::test {
namespace {

constexpr long kRows = 4000;
constexpr long kFactor = 8;

struct CostCase {
  SqlSection query;
  std::string change;
  long first = 0;  // :d
  bool usual = false;
};

const SqlCase& file() {
  static const SqlCase cases = read_sql_case(source_dir() + "/tests/cost/cases.sql");
  return cases;
}

std::vector<CostCase> cost_cases() {
  std::vector<CostCase> cases;
  for (const auto& section : file().sections) {
    if (section.kind == SqlSection::Kind::kQuery)
      cases.push_back({section, {}, 100 + 28 * static_cast<long>(cases.size())});
    if (section.kind == SqlSection::Kind::kStep && !cases.empty()) {
      cases.back().change += section.text;
      cases.back().usual = section.name == "usual";
    }
  }
  return cases;
}

std::string with_numbers(std::string sql, long rows, long first) {
  for (const auto& [name, value] : {std::pair{":n", rows}, std::pair{":d", first}}) {
    for (std::size_t at = 0; (at = sql.find(name, at)) != std::string::npos;) {
      if (at > 0 && sql[at - 1] == ':') {
        ++at;
      } else {
        sql.replace(at, 2, std::to_string(value));
      }
    }
  }
  return sql;
}

/// Whether a class allows reading more when the tables grow.
bool grows(const std::string& cost) {
  const auto says = [&](const char* text) { return cost.find(text) != std::string::npos; };
  return says("O(n)") || says("O(input)") || says(" input)") || says("O(keys)") || says("O(value)");
}

using Counts = std::map<std::string, long>;

long sum(const Counts& counts) {
  long total = 0;
  for (const auto& [name, count] : counts) total += count;
  return total;
}

std::string listing(const Counts& small, const Counts& large) {
  std::ostringstream out;
  out << "rows touched, with " << kRows << " and with " << kRows * kFactor << " rows:\n";
  std::set<std::string> names;
  for (const auto& [name, count] : small) names.insert(name);
  for (const auto& [name, count] : large) names.insert(name);
  for (const auto& name : names) {
    const auto of = [&](const Counts& counts) { return counts.count(name) == 0 ? 0 : counts.at(name); };
    out << "  " << of(small) << " -> " << of(large) << "  " << name << "\n";
  }
  return out.str();
}

/// A database whose tables have so many rows; all cases share it.
class Sized {
 public:
  explicit Sized(long rows) : rows_(rows) {
    Session session(db_.dsn());
    for (const auto& section : file().sections)
      if (section.kind == SqlSection::Kind::kSetup) session.exec(with_numbers(section.text, rows, 0));
    session.exec("VACUUM ANALYZE");
  }

  /// Per relation, the rows that one refresh touches; nothing after a failure, which it reports.
  Counts measure(const CostCase& test) {
    const std::string& name = test.query.name;
    Session session(db_.dsn() + " options='-c jit=off'");
    try {
      db_.create_stream_table(name, test.query.text, "DIFFERENTIAL");
      if (const auto advice = plan_advice(plan(session, name)); !advice.empty()) {
        drop(session, name);
        for (const auto& statement : advice) session.exec(statement);
        db_.create_stream_table(name, test.query.text, "DIFFERENTIAL");
      }
      session.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
      const std::string text = plan(session, name);
      for (const auto& cost : test.query.costs) EXPECT_TRUE(claims(text, cost)) << cost << " is not in\n" << text;
      analyze(session, name);
      session.exec(with_numbers(test.change, rows_, test.first));
      Counts counts = refresh(session, name);
      EXPECT_TRUE(equals_query(session, name));
      drop(session, name);
      return counts;
    } catch (const std::exception& error) {
      ADD_FAILURE() << name << ": " << error.what();
      return {};
    }
  }

 private:
  static std::string plan(Session& session, const std::string& name) {
    return session.value("SELECT plan FROM pgtrickle.pgt_stream_tables WHERE pgt_name = " + session.quote(name));
  }

  static bool claims(const std::string& plan, const std::string& cost) {
    const auto lines = plan_lines(plan);
    return std::any_of(lines.begin(), lines.end(),
                       [&](const auto& line) { return line.op + ": " + line.cost == cost; });
  }

  static void drop(Session& session, const std::string& name) {
    session.exec("SELECT pgtrickle.drop_stream_table(" + session.quote(name) + ")");
    // Without the daemon nobody clears the logs, and the next case would read what this one has left.
    for (const auto& row : session.exec("SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind = 'r' AND "
                                        "c.relnamespace = 'pgtrickle_changes'::regnamespace"))
      session.exec("TRUNCATE " + row[0].as<std::string>());
  }

  // The logs have no statistics, as in production.
  void analyze(Session& session, const std::string& name) {
    const std::string id = std::to_string(db_.id_of(name));
    for (const auto& row : session.exec("SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = "
                                        "c.relnamespace WHERE c.relkind = 'r' AND (n.nspname = 'public' OR n.nspname = "
                                        "'pgtrickle_state' AND c.relname ~ '(^|_)" +
                                        id + "(_|$)')"))
      session.exec("VACUUM ANALYZE " + row[0].as<std::string>());
  }

  static Counts counters(Session& session) {
    Counts counts;
    for (const auto& row : session.exec(
             "SELECT c.oid::regclass::text, pg_stat_get_xact_tuples_returned(c.oid) + "
             "pg_stat_get_xact_tuples_fetched(c.oid) + pg_stat_get_xact_tuples_inserted(c.oid) + "
             "pg_stat_get_xact_tuples_updated(c.oid) + pg_stat_get_xact_tuples_deleted(c.oid) FROM pg_class c JOIN "
             "pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'i', 'm') AND n.nspname NOT IN "
             "('pg_catalog', 'information_schema', 'pg_toast')"))
      counts[row[0].as<std::string>()] = row[1].as<long>();
    return counts;
  }

  static Counts refresh(Session& session, const std::string& name) {
    if (const char* explain = std::getenv("PGT_COST_EXPLAIN"); explain != nullptr && *explain == '1')
      session.exec(
          "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_analyze = on; SET "
          "auto_explain.log_nested_statements = on; SET auto_explain.log_timing = off");
    session.exec("BEGIN");
    const Counts before = counters(session);
    session.exec("SELECT pgtrickle.refresh_stream_table(" + session.quote(name) + ")");
    Counts touched;
    for (const auto& [relation, count] : counters(session)) {
      const auto earlier = before.find(relation);
      const long difference = count - (earlier == before.end() ? 0 : earlier->second);
      if (difference != 0) touched[relation] = difference;
    }
    session.exec("COMMIT");
    EXPECT_EQ(session.value("SELECT f.last_action FROM pgtrickle.pgt_frontiers f JOIN pgtrickle.pgt_stream_tables s "
                            "USING (pgt_id) WHERE s.pgt_name = " +
                            session.quote(name)),
              "DIFFERENTIAL");
    return touched;
  }

  long rows_;
  TestDatabase db_;
};

class Cost : public ::testing::TestWithParam<CostCase> {
 protected:
  static void SetUpTestSuite() {
    small_ = std::make_unique<Sized>(kRows);
    large_ = std::make_unique<Sized>(kRows * kFactor);
  }
  static void TearDownTestSuite() {
    small_.reset();
    large_.reset();
  }

  static std::unique_ptr<Sized> small_;
  static std::unique_ptr<Sized> large_;
};

std::unique_ptr<Sized> Cost::small_;
std::unique_ptr<Sized> Cost::large_;

TEST_P(Cost, IsWhatThePlanSays) {
  const CostCase& test = GetParam();
  SCOPED_TRACE(file().path + ":" + std::to_string(test.query.line) + " " + test.query.name);
  ASSERT_FALSE(test.query.costs.empty()) << "'-- cost OPERATOR: CLASS' is missing";
  ASSERT_FALSE(test.change.empty()) << "a '-- step' is missing";
  const Counts small = small_->measure(test);
  const Counts large = large_->measure(test);
  if (HasFailure()) return;
  const bool linear = !test.usual && std::any_of(test.query.costs.begin(), test.query.costs.end(), grows);
  const long allowed = static_cast<long>(1.5 * static_cast<double>(sum(small) * (linear ? kFactor : 1))) + 200;
  std::cout << "  " << sum(small) << " -> " << sum(large) << (linear ? " (may grow)" : "") << "\n";
  EXPECT_GT(sum(small), 0);
  EXPECT_LE(sum(large), allowed) << listing(small, large);
  // At the smaller size, too, less than one whole table: reading it all would hide in the comparison.
  if (!linear) {
    EXPECT_LE(sum(large), kRows) << listing(small, large);
  }
}

// gtest would print the bytes otherwise.
void PrintTo(const CostCase& test, std::ostream* out) {
  *out << test.query.name;
}

INSTANTIATE_TEST_SUITE_P(Operators, Cost, ::testing::ValuesIn(cost_cases()),
                         [](const auto& param_info) { return param_info.param.query.name; });

}  // namespace
}  // namespace pgt::test
