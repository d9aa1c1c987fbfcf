// The programs that the compiler generates for the queries of queries.sql, compared with programs/NAME.sql, so that a
// change of the generator is seen in review. They say what changed, not what is right: that is for the other suites.
// A file holds the plan and the statements that make and apply; refresh_<id> is in filter.sql only, because it hardly
// differs.
//
// PGT_UPDATE_GOLDEN=1 writes the files instead of comparing them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <regex>
#include <set>
#include <sstream>

#include "catalog/builder.h"
#include "support/cluster.h"
#include "support/database.h"
#include "support/sql_case.h"

namespace pgt::test {
namespace {

const std::string kComplete = "filter";  // the query whose whole program is kept

std::string folder() {
  return source_dir() + "/tests/golden";
}

const SqlCase& file() {
  static const SqlCase cases = read_sql_case(folder() + "/queries.sql");
  return cases;
}

std::vector<SqlSection> queries() {
  std::vector<SqlSection> found;
  for (const auto& section : file().sections)
    if (section.kind == SqlSection::Kind::kQuery) found.push_back(section);
  return found;
}

std::string read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// Without the functions whose names start with `name`, and what is granted on them.
std::string without(const std::string& sql, const std::string& name) {
  std::string kept;
  for (std::size_t at = 0; at < sql.size();) {
    const bool function = sql.compare(at, 26, "CREATE OR REPLACE FUNCTION") == 0;
    auto end = function ? sql.find("$pgt$;\n\n", at) : sql.find(";\n\n", at);
    end = end == std::string::npos ? sql.size() : end + (function ? 8 : 3);
    const std::string statement = sql.substr(at, end - at);
    const bool about =
        statement.substr(0, statement.find('\n')).find("pgtrickle_state." + name + "(") != std::string::npos;
    if (!about) kept += statement;
    at = end;
  }
  return kept;
}

std::string program_of(const SqlSection& query, const pgtrickle::catalog::ValidateResult& result) {
  std::string sql;
  for (const auto& statement : result.statements) sql += statement + ";\n\n";
  if (query.name != kComplete) sql = without(sql, "refresh_0");
  if (query.mode == "IMMEDIATE")  // the rest is that of the same query refreshed
    for (const char* name : {"apply_0", "look_0"}) sql = without(sql, name);
  static const std::regex oid("\\b[1-9][0-9]{4}\\b");  // of a source, another one in every database
  sql = std::regex_replace(sql, oid, "OID");
  return "/*\n" + query.text + "\n\n" + result.effective_mode +
         (result.reason.empty() ? std::string() : ": " + result.reason) + "\n\n" + result.plan + "*/\n\n" + sql;
}

class Golden : public ::testing::TestWithParam<SqlSection> {
 protected:
  static void SetUpTestSuite() {
    db_ = std::make_unique<TestDatabase>();
    Session session(db_->dsn());
    for (const auto& section : file().sections)
      if (section.kind == SqlSection::Kind::kSetup) session.exec(section.text);
  }
  static void TearDownTestSuite() { db_.reset(); }

  static std::unique_ptr<TestDatabase> db_;
};
std::unique_ptr<TestDatabase> Golden::db_;

TEST_P(Golden, Program) {
  const auto& query = GetParam();
  const auto result = pgtrickle::catalog::validate_query(db_->dsn(), query.text, {}, false, query.mode == "IMMEDIATE");
  ASSERT_TRUE(result.ok) << result.reason;
  EXPECT_EQ(result.effective_mode, query.mode) << result.reason;
  const std::string program = program_of(query, result);
  const std::string path = folder() + "/programs/" + query.name + ".sql";
  if (std::getenv("PGT_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << program;
    return;
  }
  EXPECT_EQ(program, read(path)) << "If the change is meant: tests/golden/update.sh, and look at git diff tests/golden";
}

INSTANTIATE_TEST_SUITE_P(Programs, Golden, ::testing::ValuesIn(queries()),
                         [](const auto& query) { return query.param.name; });

TEST(GoldenFiles, BelongToAQuery) {
  std::set<std::string> names;
  for (const auto& query : queries()) names.insert(query.name + ".sql");
  for (const auto& entry : std::filesystem::directory_iterator(folder() + "/programs"))
    EXPECT_TRUE(names.contains(entry.path().filename())) << entry.path() << " belongs to no query of queries.sql";
}

}  // namespace
}  // namespace pgt::test
