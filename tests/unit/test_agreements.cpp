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

/// What both sides are written in, by path, without comments and without the register.
std::map<std::string, std::string> sources(const fs::path& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(kSource / folder)) {
    const auto extension = entry.path().extension();
    const std::string path = fs::relative(entry.path(), kSource);
    if (path == kGenerated || path.starts_with("daemon/model/agreements.")) continue;
    if (extension == ".sql") out[path] = std::regex_replace(read(entry.path()), std::regex("--[^\n]*"), "");
    if (extension == ".cpp" || extension == ".h")
      out[path] = std::regex_replace(read(entry.path()), std::regex("//[^\n]*"), "");
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
  const std::vector<std::string> kPatterns{
      "18858282",           // keys of locks
      R"(\b2147483647\b)",  // and how ids become keys
      "(NOTIFY|LISTEN|notify\\(').{0,12}pgtrickle_wake",
      R"('[st]:'|"[st]:|'[st]:%)",  // payloads
      R"(interval '15 s')",         // signs of life
      R"(in the last 15 s)",
      R"(left\([^;]{1,80}, ?2000\))",  // of texts that are kept
      R"(% ?62\b)",                    // bits of sources
      R"(\b1073741824\b)",             // logs
      R"(sensitivity, 6\b)",
  };
  auto all = sources("sql");
  all.merge(sources("daemon"));
  for (const auto& pattern : kPatterns) {
    const std::regex regex(pattern);
    for (const auto& [path, text] : all) {
      std::smatch found;
      EXPECT_FALSE(std::regex_search(text, found, regex))
          << path << ": \"" << found.str() << "\" is agreed, see daemon/model/agreements.h";
    }
  }
}

}  // namespace
}  // namespace pgtrickle::agreements
