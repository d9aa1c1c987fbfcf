// What SQL and the daemon state both is stated in the register of agreements alone: sql/05_agreements.sql is made from
// it, both sides ask for it by name, and nobody writes a value out again.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "model/agreements.h"

namespace pgtrickle::agreements {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = PGT_SOURCE_DIR;
const std::string kGenerated = "sql/05_agreements.sql";

std::string read(const fs::path& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << path;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string without_comments(const std::string& text, const std::string& begin) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out += line.substr(0, line.find(begin)) + "\n";
  return out;
}

/// What both sides are written in, by path, without comments and without the register.
std::map<std::string, std::string> sources(const fs::path& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(kSource / folder)) {
    const auto extension = entry.path().extension();
    const std::string path = fs::relative(entry.path(), kSource);
    if (path == kGenerated || path.starts_with("daemon/model/agreements.")) continue;
    if (extension == ".sql") out[path] = without_comments(read(entry.path()), "--");
    if (extension == ".cpp" || extension == ".h") out[path] = without_comments(read(entry.path()), "//");
  }
  EXPECT_FALSE(out.empty()) << folder;
  return out;
}

TEST(Agreements, TheSqlIsCurrent) {
  EXPECT_EQ(read(kSource / kGenerated), agreements_sql()) << "run: pgtrickled --print-agreements > " << kGenerated;
}

TEST(Agreements, EachIsNamedOnceAndUsedBySql) {
  std::string all;
  for (const auto& [path, text] : sources("sql")) all += text;
  std::set<std::string> names;
  for (const Agreement& row : agreement_register()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_NE(all.find("pgtrickle." + row.name + "()"), std::string::npos)
        << row.name << " is not used in sql/: what only the daemon knows stays with who uses it";
  }
}

TEST(Agreements, NobodyWritesAValueOutAgain) {
  const std::vector<std::string> kWritten{
      "18858282",
      "2147483647",  // keys of locks, and how ids become keys
      "'pgtrickle_wake'",
      "NOTIFY pgtrickle_wake",
      "LISTEN pgtrickle_wake",  // the channel
      "'s:",
      "'t:",
      "\"s:",
      "\"t:",  // payloads
      "'15 s'",
      "last 15 s",       // signs of life
      ", 2000)",         // of texts that are kept
      "% 62",            // bits of sources
      "1073741824",      // logs
      "sensitivity, 6",  // fuses
      "4 %",             // the share of a throttle, for people
  };
  auto all = sources("sql");
  all.merge(sources("daemon"));
  for (const auto& [path, text] : all) {
    for (const auto& written : kWritten)
      EXPECT_EQ(text.find(written), std::string::npos)
          << path << ": \"" << written << "\" is agreed, see daemon/model/agreements.h";
  }
}

// However it is used: as an argument, in a comparison, in a text. Small numbers mean many things.
TEST(Agreements, NoLargeNumberOfThemStandsInSql) {
  const auto all = sources("sql");
  int numbers = 0;
  for (const Agreement& row : agreement_register()) {
    if (row.value.size() < 4 || row.value.find_first_not_of("0123456789") != std::string::npos) continue;
    ++numbers;
    const std::regex number("\\b" + row.value + "\\b");
    for (const auto& [path, text] : all)
      EXPECT_FALSE(std::regex_search(text, number))
          << path << ": " << row.value << " is pgtrickle." << row.name << "()";
  }
  EXPECT_GT(numbers, 3);
}

}  // namespace
}  // namespace pgtrickle::agreements
