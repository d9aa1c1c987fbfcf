// The parts of the scheduler as database_scheduler.h draws them: each is small, and uses only parts below it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

namespace {

constexpr int kMostLines = 80;
const std::filesystem::path kFolder = PGT_SOURCE_DIR "/daemon/scheduler";

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// What a file includes of this folder, by name without extension.
std::set<std::string> used_by(const std::filesystem::path& path) {
  std::set<std::string> out;
  std::istringstream lines(text_of(path));
  const std::string begin = "#include \"scheduler/";
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(begin)) out.insert(line.substr(begin.size(), line.rfind('.') - begin.size()));
  }
  out.erase(path.stem().string());
  return out;
}

/// Header and source of a part are one.
std::map<std::string, std::set<std::string>> parts() {
  std::map<std::string, std::set<std::string>> out;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
    out[entry.path().stem().string()].merge(used_by(entry.path()));
  }
  return out;
}

TEST(SchedulerLayers, NoPartUsesOneAboveIt) {
  auto left = parts();
  ASSERT_GT(left.size(), 20U) << kFolder;
  // Takes away what uses nothing that is left, until nothing is left.
  while (!left.empty()) {
    const auto free = std::find_if(left.begin(), left.end(), [&](const auto& part) {
      return std::none_of(part.second.begin(), part.second.end(),
                          [&](const auto& used) { return left.contains(used); });
    });
    if (free == left.end()) break;
    left.erase(free);
  }
  for (const auto& [part, used] : left) ADD_FAILURE() << part << " is part of a circle of includes";
}

TEST(SchedulerLayers, HeadersOfPartsAreSmall) {
  for (const auto& [part, used] : parts()) {
    if (part == "catalog_sql" || part == "discovery" || part == "worker_budget")
      continue;  // lists of statements, pure rules
    const std::string text = text_of(kFolder / (part + ".h"));
    EXPECT_LT(std::count(text.begin(), text.end(), '\n'), kMostLines) << part;
  }
}

}  // namespace
