// The folders of the compiler are its pipeline: a file includes what is below it, or beside it, never above.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace {

namespace fs = std::filesystem;

const fs::path kCompiler = PGT_SOURCE_DIR "/daemon/compiler";

/// How far up a folder is; what stands directly in compiler/ is the input and the output of all, or the roof.
const std::map<std::string, int> kLevels{{"sql", 1},    {"parse", 2}, {"operators", 3}, {"analyze", 4},
                                         {"passes", 4}, {"plan", 4},  {"program", 5}};
constexpr int kRoof = 6;

/// "join.cpp" of operators/ and "operators/join.h" alike: 3.
int level_of(const fs::path& in_compiler) {
  const auto found = kLevels.find(in_compiler.begin()->string());
  if (found != kLevels.end()) return found->second;
  return in_compiler.stem() == "compile" ? kRoof : 0;
}

TEST(CompilerLayers, AFileIncludesNothingAboveIt) {
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kCompiler)) {
    if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
    ++files;
    const fs::path file = fs::relative(entry.path(), kCompiler);
    std::ifstream in(entry.path());
    const std::string begin = "#include \"compiler/";
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with(begin)) continue;
      const fs::path used = line.substr(begin.size(), line.rfind('"') - begin.size());
      EXPECT_LE(level_of(used), level_of(file)) << file << " includes " << used;
      if (level_of(file) != kRoof && file.begin()->string() != used.begin()->string()) {
        EXPECT_TRUE(level_of(used) == 0 || level_of(used) < level_of(file))
            << file << " includes its neighbour " << used;
      }
    }
  }
  EXPECT_GT(files, 100) << kCompiler;
}

TEST(CompilerLayers, EveryFolderHasItsLevel) {
  for (const auto& entry : fs::directory_iterator(kCompiler)) {
    if (!entry.is_directory()) continue;
    EXPECT_TRUE(kLevels.contains(entry.path().filename().string())) << entry.path();
  }
}

TEST(CompilerLayers, NothingBesidesTheCompilerIsUsedButNamesOfTypes) {
  for (const auto& entry : fs::recursive_directory_iterator(kCompiler)) {
    if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with("#include \"") || line == "#include \"pg_query.pb.h\"") continue;
      if (line == "#include \"model/ids.h\"") continue;
      EXPECT_TRUE(line.starts_with("#include \"compiler/")) << entry.path() << ": " << line;
    }
  }
}

}  // namespace
