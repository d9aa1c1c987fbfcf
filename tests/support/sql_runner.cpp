// Runs every tests/sql/*.sql as two tests: stream tables are built in this process and compared with their queries by
// the oracle after every step, once refreshed, once IMMEDIATE. --gtest_filter=*name* runs one file.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>

#include "support/cluster.h"
#include "support/database.h"
#include "support/oracle.h"
#include "support/sql_case.h"

namespace pgt::test {
namespace {

std::vector<std::string> case_files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(source_dir() + "/tests/sql")) {
    if (entry.path().extension() == ".sql") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class SqlCaseTest : public ::testing::TestWithParam<std::string> {
 protected:
  void run(const SqlCase& test) {
    for (const auto& section : test.sections) {
      SCOPED_TRACE(test.path + ":" + std::to_string(section.line) + " " + section.name);
      const std::string error = error_of(section);
      if (section.expect_error.empty()) {
        ASSERT_EQ(error, "");
      } else {
        ASSERT_NE(error, "") << "should have failed";
        ASSERT_TRUE(std::regex_search(error, std::regex(section.expect_error))) << "the error was: " << error;
        continue;
      }
      if (section.kind == SqlSection::Kind::kQuery) {
        stream_tables_.push_back(section.name);
        if (!section.expect_mode.empty()) {
          ASSERT_EQ(db_.effective_mode(section.name), section.expect_mode);
        }
      }
      refresh_and_compare(test.refresh);
      if (HasFatalFailure()) return;
    }
  }

  /// What can be DIFFERENTIAL is IMMEDIATE: nothing refreshes it. What a transaction does is also tried and undone.
  void run_immediate(const SqlCase& test) {
    for (const auto& section : test.sections) {
      SCOPED_TRACE(test.path + ":" + std::to_string(section.line) + " " + section.name);
      if (section.kind == SqlSection::Kind::kStep && section.expect_error.empty()) {
        try_and_undo(section.text);
        if (HasFatalFailure()) return;
      }
      const std::string error = immediate_error_of(section);
      if (!section.expect_error.empty()) continue;
      ASSERT_EQ(error, "");
      // What follows the time is DIFFERENTIAL here, too: the other test has compared it.
      if (section.kind == SqlSection::Kind::kQuery && !follows_time(section.name))
        stream_tables_.push_back(section.name);
      db_.build_pending();  // what DDL has made outdated
      compare_immediate(test.refresh);
      if (HasFatalFailure()) return;
    }
  }

 private:
  std::string error_of(const SqlSection& section) {
    try {
      if (section.kind == SqlSection::Kind::kQuery) {
        db_.create_stream_table(section.name, section.text, section.mode);
        // The small tables of a test would otherwise always be recomputed, and prove nothing about the delta program.
        session_.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
      } else {
        session_.exec(section.text);
      }
      return {};
    } catch (const std::exception& error) {
      return error.what();
    }
  }

  bool follows_time(const std::string& name) {
    return session_.value("SELECT follows_time FROM pgtrickle.pgt_stream_tables WHERE pgt_relid = to_regclass(" +
                          session_.quote(name) + ")") == "t";
  }

  std::string immediate_error_of(const SqlSection& section) {
    if (section.kind != SqlSection::Kind::kQuery || section.mode == "FULL") return error_of(section);
    try {
      db_.create_stream_table(section.name, section.text, "IMMEDIATE");
      return db_.effective_mode(section.name) == "IMMEDIATE" ? "" : "its mode is " + db_.effective_mode(section.name);
    } catch (const std::exception& error) {
      const std::string message = error.what();
      session_.exec("SELECT pgtrickle.drop_stream_table(" + session_.quote(section.name) + ") WHERE to_regclass(" +
                    session_.quote(section.name) + ") IS NOT NULL");
      if (std::string other = error_of(section); !other.empty()) return other;
      // What can only be recomputed cannot be IMMEDIATE; anything else can.
      // Nor can what follows the time.
      return db_.effective_mode(section.name) == "FULL" || follows_time(section.name) ? "" : message;
    }
  }

  void try_and_undo(const std::string& step) {
    if (!can_be_undone(step)) return;
    session_.exec("BEGIN; SAVEPOINT undo");
    try {
      session_.exec(step);
    } catch (const std::exception& error) {
      session_.exec("ROLLBACK");
      FAIL() << error.what();
    }
    compare_only_immediate("within the transaction");
    session_.exec("ROLLBACK TO undo");
    compare_only_immediate("after ROLLBACK TO SAVEPOINT");
    session_.exec("COMMIT");
  }

  void compare_only_immediate(const std::string& when) {
    for (const auto& name : stream_tables_) {
      if (db_.effective_mode(name) != "IMMEDIATE") continue;
      ASSERT_TRUE(equals_query(session_, name)) << when;
    }
  }

  void compare_immediate(SqlCase::Refresh how) {
    for (const auto& name : stream_tables_) {
      if (db_.effective_mode(name) == "IMMEDIATE") {
        ASSERT_TRUE(equals_query(session_, name));
      } else {
        refresh_and_compare(how, name);
        if (HasFatalFailure()) return;
      }
    }
  }

  // In the order of creation, so that upstream comes first.
  void refresh_and_compare(SqlCase::Refresh how) {
    for (const auto& name : stream_tables_) {
      refresh_and_compare(how, name);
      if (HasFatalFailure()) return;
    }
  }

  void refresh_and_compare(SqlCase::Refresh how, const std::string& name) {
    const std::string argument = "(" + session_.quote(name) + ")";
    try {
      session_.exec(how == SqlCase::Refresh::kCall ? "CALL pgtrickle.refresh" + argument
                                                   : "SELECT pgtrickle.refresh_stream_table" + argument);
    } catch (const std::exception& error) {
      FAIL() << "refreshing " << name << ": " << error.what();
    }
    ASSERT_TRUE(equals_query(session_, name));
  }

  TestDatabase db_;
  Session session_{db_.dsn()};
  std::vector<std::string> stream_tables_;
};

TEST_P(SqlCaseTest, EqualsItsQueryAfterEveryStep) {
  run(read_sql_case(GetParam()));
}

TEST_P(SqlCaseTest, ImmediateEqualsItsQueryAfterEveryStep) {
  run_immediate(read_sql_case(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Sql, SqlCaseTest, ::testing::ValuesIn(case_files()), [](const auto& param_info) {
  std::string name = std::filesystem::path(param_info.param).stem().string();
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
  return name;
});

}  // namespace
}  // namespace pgt::test
