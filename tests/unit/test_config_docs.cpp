// The generated files in the repository are what the register of settings says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "config/document.h"
#include "config/load.h"
#include "config/settings.h"

namespace pgtrickle::config {
namespace {

std::string read(const std::string& path) {
  std::ifstream in(std::string(PGT_SOURCE_DIR) + "/" + path);
  EXPECT_TRUE(in) << path;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(ConfigDocs, SampleConfigIsCurrent) {
  EXPECT_EQ(read("config/pgtrickled.yaml"), sample_config())
      << "run: pgtrickled --print-sample-config > config/pgtrickled.yaml";
}

TEST(ConfigDocs, DocumentationIsCurrent) {
  EXPECT_EQ(read("docs/CONFIGURATION.md"), config_docs())
      << "run: pgtrickled --print-config-docs > docs/CONFIGURATION.md";
}

TEST(ConfigDocs, SampleIsValidAndHoldsTheDefaults) {
  const auto sample = load_text(sample_config(), "sample", {});
  ASSERT_THAT(sample.problems, ::testing::ElementsAre());
  for (const auto& setting : settings()) EXPECT_EQ(setting.show(sample.config), setting.show(Config{})) << setting.key;
}

TEST(ConfigDocs, EveryDefaultIsInsideItsRange) {
  for (const auto& setting : settings()) {
    Config config;
    EXPECT_EQ(setting.set(config, setting.show(Config{})), "") << setting.key;
    EXPECT_FALSE(setting.help.empty()) << setting.key;
  }
}

}  // namespace
}  // namespace pgtrickle::config
