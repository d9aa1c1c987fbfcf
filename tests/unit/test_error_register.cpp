// The register of errors is the only place that knows SQLSTATEs: what SQL and C++ raise is in it, what is in it is
// raised, what is made from it is current, and nobody else compares.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <vector>

#include "model/error_register.h"

namespace pgtrickle {
namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

const fs::path kSource = PGT_SOURCE_DIR;

std::string read(const fs::path& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << path;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<fs::path> files_below(const fs::path& folder, const std::set<std::string>& extensions) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (extensions.contains(entry.path().extension().string())) out.push_back(entry.path());
  }
  EXPECT_FALSE(out.empty()) << folder;
  return out;
}

Names matches(const std::string& text, const std::string& pattern) {
  Names out;
  const std::regex regex(pattern);
  for (auto it = std::sregex_iterator(text.begin(), text.end(), regex); it != std::sregex_iterator(); ++it)
    out.insert((*it)[1]);
  return out;
}

/// All SQL that we write, but for the register itself: sql/, and what the compiler generates.
std::string all_sql() {
  std::string out;
  for (const auto& path : files_below(kSource / "sql", {".sql"})) {
    if (path.filename() != "29_error_register.sql") out += read(path);
  }
  for (const auto& path : files_below(kSource / "daemon/compiler/program", {".cpp"})) out += read(path);
  return out;
}

/// C++ without comments, but for the register.
std::map<fs::path, std::string> all_cpp() {
  std::map<fs::path, std::string> out;
  for (const auto& path : files_below(kSource / "daemon", {".cpp", ".h"})) {
    if (path.filename().string().starts_with("error_register.")) continue;
    out[fs::relative(path, kSource)] = std::regex_replace(read(path), std::regex("//[^\n]*"), "");
  }
  return out;
}

const ConditionInfo* by_name_or_code(const std::string& text) {
  for (const ConditionInfo& row : condition_register()) {
    if (text == row.sqlstate || text == row.name) return &row;
  }
  return nullptr;
}

Names raised_by_sql() {
  const std::string sql = all_sql();
  Names out = matches(sql, R"re(ERRCODE\s*=\s*"?\s*"?\s*'(\w+)')re");
  out.merge(matches(sql, R"re(_fail\('(\w{5})')re"));
  out.merge(matches(sql, R"re(code := '(\w{5})')re"));
  return out;
}

TEST(ErrorRegister, HoldsWhatSqlRaises) {
  const Names raised = raised_by_sql();
  EXPECT_GT(raised.size(), 30U);
  for (const auto& name : raised) {
    const ConditionInfo* row = by_name_or_code(name);
    ASSERT_NE(row, nullptr) << name << " is raised in sql/ or in a program, and has no row in error_register.cpp";
    EXPECT_STRNE(row->ours, "") << name << ": say in error_register.cpp when we raise it";
  }
}

TEST(ErrorRegister, HoldsWhatSqlComparesAndDocuments) {
  const std::string sql = all_sql();
  Names named = matches(sql, R"re(SQLSTATE '(\w{5})')re");
  named.merge(matches(sql, R"re(code = '(\w{5})')re"));
  for (const auto& list : matches(sql, R"re(code IN \(([^)]*)\))re")) named.merge(matches(list, R"re('(\w{5})')re"));
  // "Errors: 42P01 not a stream table; 42501 not the owner."
  for (const auto& errors : matches(sql, R"re(\bErrors?: ([^']*(''[^']*)*)';)re"))
    named.merge(matches(errors, R"re(\b(\d[0-9A-Z]{4})\b)re"));
  EXPECT_GT(named.size(), 20U);
  for (const auto& code : named)
    EXPECT_NE(by_name_or_code(code), nullptr) << code << " has no row in error_register.cpp";
}

TEST(ErrorRegister, EveryErrorOfOursIsRaisedSomewhere) {
  const Names by_sql = raised_by_sql();
  std::string cpp;
  for (const auto& [path, text] : all_cpp()) {
    if (path.filename() != "blocking_error.cpp") cpp += text;  // which reads errors of the server
  }
  const Names by_daemon =
      matches(cpp, R"re((?:BuildFailure\(|our_error\(|sqlstate_of\(|made\(\w+::\w+, )\s*Condition::(k\w+))re");
  const std::string header = read(kSource / "daemon/model/error_register.h");
  const std::string list = header.substr(header.find("enum class Condition {"));
  std::vector<std::string> enumerators;
  std::istringstream lines(list.substr(list.find('\n') + 1, list.find('}') - list.find('\n') - 1));
  for (std::string word; lines >> word;) enumerators.push_back(word.substr(0, word.find(',')));
  ASSERT_EQ(enumerators.size(), condition_register().size());
  for (const ConditionInfo& row : condition_register()) {
    if (*row.ours == '\0') continue;
    EXPECT_TRUE(by_sql.contains(row.sqlstate) || by_sql.contains(row.name) ||
                by_daemon.contains(enumerators[static_cast<std::size_t>(row.condition)]) ||
                is_any_of(row.sqlstate, {Condition::kExclusionViolation}))  // raised again with our words, by its code
        << row.sqlstate << " " << row.name << " is not raised";
  }
}

TEST(ErrorRegister, NobodyElseKnowsSqlstates) {
  const std::regex comparison(
      R"re(\bsqlstate(\(\))?\s*(==|!=)|\bsqlstate(\(\))?\.(substr|rfind|find|starts_with|compare)\b)re");
  for (const auto& [path, text] : all_cpp()) {
    EXPECT_FALSE(std::regex_search(text, comparison))
        << path << " compares SQLSTATEs: ask a question of model/error_register.h or postgres/error.h";
    for (const ConditionInfo& row : condition_register()) {
      for (const char* quote : {"\"", "'"}) {
        EXPECT_EQ(text.find(quote + std::string(row.sqlstate) + quote), std::string::npos)
            << path << " has the SQLSTATE " << row.sqlstate << ": write Condition::...";
      }
    }
  }
}

TEST(ErrorRegister, SqlstatesAreWellFormedAndUnique) {
  Names codes, names;
  for (const ConditionInfo& row : condition_register()) {
    EXPECT_TRUE(std::regex_match(row.sqlstate, std::regex("[0-9A-Z]{5}"))) << row.sqlstate;
    EXPECT_TRUE(codes.insert(row.sqlstate).second) << row.sqlstate;
    EXPECT_TRUE(is_signal(row.sqlstate) || names.insert(row.name).second) << row.name;
  }
}

TEST(ErrorRegister, ARowGoesBeforeItsClass) {
  EXPECT_EQ(classify_sqlstate("08P01"), ErrorClass::kPermanent);
  EXPECT_EQ(classify_sqlstate("08004"), ErrorClass::kRetryable);
  EXPECT_EQ(classify_sqlstate("no such"), ErrorClass::kPermanent);
}

TEST(ErrorRegister, RemediesAreThoseOfTheRowTheClassOfSqlstatesOrTheErrorClass) {
  using ::testing::HasSubstr;
  EXPECT_THAT(remedy_of("25006"), HasSubstr("failover")) << "its own";
  EXPECT_THAT(remedy_of("40001"), HasSubstr("lock its sources")) << "that of class 40";
  EXPECT_THAT(remedy_of("42P01"), HasSubstr("rebuilt by itself")) << "42 is permanent, but this one is obsolete";
  EXPECT_THAT(remedy_of("57P01"), HasSubstr("logs of the server")) << "that of retryable errors";
  EXPECT_THAT(remedy_of("22012"), HasSubstr("guard the expression")) << "no row";
}

TEST(ErrorRegister, Questions) {
  EXPECT_TRUE(is_conflict("40P01"));
  EXPECT_FALSE(is_conflict("40003"));
  EXPECT_TRUE(is_of_circumstances("57P01"));
  EXPECT_FALSE(is_of_circumstances("57014"));
  EXPECT_TRUE(may_recompute_instead("22012"));
  EXPECT_FALSE(may_recompute_instead("42501"));
  EXPECT_TRUE(build_may_cure("55000"));
  EXPECT_FALSE(build_may_cure("42501"));
}

TEST(ErrorRegister, WhatIsMadeFromItIsCurrent) {
  EXPECT_EQ(read(kSource / "docs/ERRORS.md"), error_docs()) << "run: pgtrickled --print-error-docs > docs/ERRORS.md";
  EXPECT_EQ(read(kSource / "sql/29_error_register.sql"), error_sql())
      << "run: pgtrickled --print-error-sql > sql/29_error_register.sql";
}

}  // namespace
}  // namespace pgtrickle
