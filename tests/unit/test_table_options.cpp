// The register of options: what is made from it is current, and what keeps an option knows each of them.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "model/table_options.h"

namespace pgtrickle {
namespace {

const std::filesystem::path kSource = PGT_SOURCE_DIR;

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << path;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(TableOptions, TheSqlIsCurrent) {
  EXPECT_EQ(read(kSource / "sql/49_table_options.sql"), table_option_sql())
      << "run: pgtrickled --print-option-sql > sql/49_table_options.sql";
}

TEST(TableOptions, RowsAreWhole) {
  std::set<std::string> names, flags;
  std::set<int> positions;
  int altering = 0;
  for (const TableOption& o : table_option_register()) {
    SCOPED_TRACE(o.name);
    EXPECT_TRUE(names.insert(o.name).second);
    EXPECT_FALSE(o.type.empty());
    EXPECT_EQ(o.initial.empty(), !o.at_creation);
    EXPECT_TRUE(o.flag.empty() || flags.insert(o.flag).second);
    EXPECT_EQ(o.flag.empty(), o.flag_help.empty());
    if (o.kind != OptionKind::kCompatibility) {
      EXPECT_FALSE(o.at_creation ? o.meaning.empty() : o.alter_meaning.empty());
    }
    if (o.kind == OptionKind::kChoice || o.kind == OptionKind::kNumber) {
      EXPECT_FALSE(o.good.empty());
    }
    if (o.kind == OptionKind::kNumber || o.kind == OptionKind::kFlag) {
      EXPECT_FALSE(o.unset.empty());
    }
    if (o.alter_position > 0) ++altering, positions.insert(o.alter_position);
  }
  EXPECT_EQ(static_cast<int>(positions.size()), altering);
  EXPECT_EQ(*positions.rbegin(), altering) << "positions without a gap";
}

TEST(TableOptions, TheCatalogKeepsEachAndARequestWritesIt) {
  const std::string catalog = read(kSource / "sql/20_catalog.sql");
  const std::string columns = catalog.substr(
      catalog.find("CREATE TABLE pgtrickle.pgt_stream_tables"),
      catalog.find("CREATE TABLE pgtrickle.pgt_frontiers") - catalog.find("CREATE TABLE pgtrickle.pgt_stream_tables"));
  const std::string requests = read(kSource / "sql/58_requests.sql");
  for (const TableOption& o : table_option_register()) {
    if (o.kind == OptionKind::kCompatibility || o.kind == OptionKind::kArgument) continue;
    EXPECT_NE(columns.find("\n    " + o.name + " "), std::string::npos) << o.name << " is no column of the catalog";
    EXPECT_NE(requests.find("new." + o.name), std::string::npos) << o.name << " cannot be altered by a request";
    EXPECT_NE(requests.find("st." + o.name), std::string::npos) << o.name << " is not written when it is created";
  }
}

}  // namespace
}  // namespace pgtrickle
