// Every query of tests/sql/features/*.sql in mode DIFFERENTIAL (or what the case says), as a twin in mode FULL and as
// one in mode IMMEDIATE, all compared with the query after every step, that one also before the step is committed and
// when it is undone; then docs/SQL_SUPPORT.md must be what was seen.
// --write writes it instead;
// --gtest_filter=*name* runs one file and leaves the document alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>

#include "sql/features/support_document.h"
#include "support/cluster.h"
#include "support/database.h"
#include "support/oracle.h"
#include "support/plan.h"
#include "support/sql_case.h"

namespace pgt::test {
namespace {

std::string document_path() {
  return source_dir() + "/docs/SQL_SUPPORT.md";
}

std::vector<std::string> case_files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(source_dir() + "/tests/sql/features")) {
    if (entry.path().extension() == ".sql") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// By file, so that the order of the document does not depend on the order of the tests.
std::map<std::string, FeatureGroup>& seen() {
  static std::map<std::string, FeatureGroup> groups;
  return groups;
}

class Features : public ::testing::TestWithParam<std::string> {
 protected:
  void run(const SqlCase& test) {
    group_ = &seen()[test.path];
    group_->title = test.group;
    // A sum of floats depends on the order of adding (ARCHITECTURE, Order): here that of the table, in the query as in
    // programs that run in this session.
    session_.exec("SET enable_sort = off");
    ASSERT_NE(test.group, "") << "'-- group TITLE' is missing";
    for (const auto& section : test.sections) {
      SCOPED_TRACE(test.path + ":" + std::to_string(section.line) + " " + section.name);
      if (section.kind == SqlSection::Kind::kQuery) {
        if (section.before_server == 0 || session_.connection().server_version() / 10000 < section.before_server)
          observe(section);
        continue;
      }
      if (section.kind == SqlSection::Kind::kStep) try_and_undo(section.text);
      ASSERT_NO_THROW(session_.exec(section.text));
      if (section.kind == SqlSection::Kind::kStep) refresh_and_compare();
    }
  }

 private:
  /// The query in its three modes. A failure is one of this feature only: the others go on.
  void observe(const SqlSection& section) {
    EXPECT_FALSE(section.features.empty()) << "'-- feature' is missing";
    FeatureRecord record;
    const std::string twin = section.name + "_in_full";
    const std::string error = error_of(section, section.name, section.mode);
    const std::string full_error = error_of(section, twin, "FULL");
    record.immediate = immediate(section);
    if (!section.expect_error.empty()) {
      for (const auto* text : {&error, &full_error})
        EXPECT_TRUE(std::regex_search(*text, std::regex(section.expect_error))) << "the error was: " << *text;
      record.differential = "refused: " + without_name(first_line(error));
      record.full = full_error.empty() ? "yes" : "refused";
      record.cost = "";
    } else {
      EXPECT_EQ(error, "");
      EXPECT_EQ(full_error, "");
      if (!error.empty() || !full_error.empty()) return;
      const std::string mode = db_.effective_mode(section.name);
      EXPECT_EQ(mode, section.expect_mode.empty() ? "DIFFERENTIAL" : section.expect_mode) << reason(section.name);
      EXPECT_EQ(db_.effective_mode(twin), "FULL");
      record.differential = mode == "DIFFERENTIAL" ? "yes" : "no: " + reason(section.name);
      record.full = "yes";
      record.cost = cost_of_plan(plan(section.name));
      expect_measured(plan(section.name));
      if (!equal(section.name)) return;
      stream_tables_.push_back(section.name);
      stream_tables_.push_back(twin);
    }
    for (const auto& feature : section.features) {
      record.feature = feature;
      group_->records.push_back(record);
    }
  }

  std::string error_of(const SqlSection& section, const std::string& name, const std::string& mode) {
    try {
      if (!section.role.empty()) session_.exec("SET ROLE " + section.role);
      session_.exec("SELECT pgtrickle.create_stream_table(" + session_.quote(name) + ", " +
                    session_.quote(section.text) + ", refresh_mode => " + session_.quote(mode) + ")");
      session_.exec("RESET ROLE");
      const auto built = db_.build(name);
      if (built.status != pgtrickle::catalog::BuildStatus::kActive) return built.message + " " + built.error.hint;
      // The small tables of a test would otherwise always be recomputed, and prove nothing about the delta program.
      session_.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
      return {};
    } catch (const std::exception& error) {
      session_.exec("RESET ROLE");
      return error.what();
    }
  }

  /// What the twin in mode IMMEDIATE says. If there is one, nothing refreshes it.
  std::string immediate(const SqlSection& section) {
    const std::string name = section.name + "_at_once";
    const std::string error = error_of(section, name, "IMMEDIATE");
    if (error.empty()) {
      EXPECT_EQ(db_.effective_mode(name), "IMMEDIATE");
      if (equal(name)) immediate_.push_back(name);
      return "yes";
    }
    session_.exec("SELECT pgtrickle.drop_stream_table(" + session_.quote(name) + ") WHERE to_regclass(" +
                  session_.quote(name) + ") IS NOT NULL");
    // What cannot be followed cannot be followed at once either, for the same reason.
    return error.find("refresh mode IMMEDIATE is not possible") != std::string::npos ? "no" : "refused";
  }

  std::string column(const std::string& name, const std::string& wanted) {
    return session_.value("SELECT " + wanted + " FROM pgtrickle.pgt_stream_tables WHERE pgt_relid = to_regclass(" +
                          session_.quote(name) + ")");
  }
  std::string plan(const std::string& name) { return column(name, "plan"); }
  std::string reason(const std::string& name) { return column(name, "reason"); }

  bool equal(const std::string& name) {
    const auto result = equals_query(session_, name);
    EXPECT_TRUE(result);
    return static_cast<bool>(result);
  }

  /// Every class that the document names is measured, at every operator that has it.
  static void expect_measured(const std::string& plan) {
    static const std::set<std::string> kMeasured = [] {
      std::set<std::string> measured;
      for (const auto& section : read_sql_case(source_dir() + "/tests/cost/cases.sql").sections)
        for (const auto& cost : section.costs) measured.insert(without_numbers(cost));
      return measured;
    }();
    for (const auto& line : plan_lines(plan)) {
      if (line.op == "Recompute") continue;
      EXPECT_TRUE(kMeasured.count(without_numbers(line.op + ": " + line.cost)) != 0)
          << "tests/cost/cases.sql does not measure " << line.op << ": " << line.cost;
    }
  }

  static std::string without_numbers(const std::string& text) {
    return std::regex_replace(text, std::regex("[0-9]+"), "k");
  }

  /// What is IMMEDIATE is right within the transaction, and when it is undone.
  void try_and_undo(const std::string& step) {
    if (!can_be_undone(step)) return;
    ASSERT_NO_THROW(session_.exec("BEGIN; SAVEPOINT undo;" + step));
    compare_immediate();
    session_.exec("ROLLBACK TO undo");
    compare_immediate();
    session_.exec("COMMIT");
  }

  void compare_immediate() {
    std::erase_if(immediate_, [&](const std::string& name) { return !equal(name); });
  }

  // In the order of creation, so that upstream comes first. What went wrong once says nothing more by going on.
  void refresh_and_compare() {
    std::erase_if(stream_tables_, [&](const std::string& name) {
      try {
        db_.refresh(name);
      } catch (const std::exception& error) {
        ADD_FAILURE() << "refreshing " << name << ": " << error.what();
        return true;
      }
      return !equal(name);
    });
    compare_immediate();
  }

  // "stream table public.x: the reason"
  static std::string without_name(const std::string& message) {
    return std::regex_replace(message, std::regex("^stream table [^ ]+: "), "");
  }

  static std::string first_line(const std::string& text) {
    std::string line = text.substr(0, text.find('\n'));
    const std::string prefix = "ERROR:  ";
    return line.starts_with(prefix) ? line.substr(prefix.size()) : line;
  }

  TestDatabase db_;
  Session session_{db_.dsn() + " options='-c jit=off'"};
  std::vector<std::string> stream_tables_;
  std::vector<std::string> immediate_;  // kept by their triggers alone
  FeatureGroup* group_ = nullptr;
};

TEST_P(Features, EqualTheirQueriesInEveryMode) {
  run(read_sql_case(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Sql, Features, ::testing::ValuesIn(case_files()), [](const auto& param_info) {
  return std::filesystem::path(param_info.param).stem().string();
});

std::string made_document() {
  std::vector<FeatureGroup> groups;
  for (const auto& [path, group] : seen()) groups.push_back(group);
  return support_document(groups);
}

// The document speaks of one version of the server.
bool documented_server() {
  return Session(dsn_of("postgres")).connection().server_version() / 10000 == 15;
}

int check_document() {
  std::ifstream file(document_path());
  std::ostringstream text;
  text << file.rdbuf();
  const std::string made = made_document();
  if (text.str() == made) return 0;
  std::istringstream committed(text.str()), current(made);
  for (int number = 1;; ++number) {
    std::string a, b;
    const bool more_a = static_cast<bool>(std::getline(committed, a));
    const bool more_b = static_cast<bool>(std::getline(current, b));
    if (!more_a && !more_b) break;
    if (a == b) continue;
    std::cerr << "line " << number << "\n- " << a << "\n+ " << b << "\n";
    break;
  }
  std::cerr << "docs/SQL_SUPPORT.md is not current: run docs/generate/sql_support.sh\n";
  return 1;
}

}  // namespace
}  // namespace pgt::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  const bool write = argc > 1 && std::string(argv[1]) == "--write";
  const bool all = ::testing::GTEST_FLAG(filter) == "*";
  if (const int failed = RUN_ALL_TESTS(); failed != 0 || !all || !pgt::test::documented_server()) return failed;
  if (!write) return pgt::test::check_document();
  std::ofstream(pgt::test::document_path()) << pgt::test::made_document();
  return 0;
}
