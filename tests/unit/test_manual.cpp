// Manual pages and completions: what the made-up command line below has that is easily written wrongly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "config/manual.h"

namespace pgtrickle::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Line {
  CLI::App app{"Does things.\n.so /etc/passwd"};
  std::string dsn, mode, name, file;

  Line() {
    app.add_option("--dsn", dsn, "don't say 'C:\\'")->type_name("DSN");
    app.add_flag("--secret")->group("");
    auto* create = app.add_subcommand("create", "Create [one]: really.");
    create->add_option("name", name, "the table")->required();
    create->add_option("--mode", mode, "how")->check(CLI::IsMember({"AUTO", "FULL"}));
    auto* import = app.add_subcommand("import", "Import it.");
    import->add_option("file", file, "the file")->type_name("FILE");
  }

  int parse(std::vector<std::string> arguments, std::string& printed) {
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
    try {
      app.parse(arguments);
    } catch (const CLI::ParseError& error) {
      std::ostringstream out, problems;
      const int code = app.exit(error, out, problems);
      printed = out.str();
      return code;
    }
    return -1;
  }
};

TEST(Manual, TextOfAPageIsNoRequestAndNoEscape) {
  const std::string page = man_page(Line().app, {"tool", 1, "does things", "other(8)"}, "tool 1.0", "2026-12-01");
  EXPECT_THAT(page, HasSubstr(".TH TOOL 1 2026-12-01 \"tool 1.0\"\n"));
  EXPECT_THAT(page, HasSubstr("\n\\&.so /etc/passwd\n"));
  EXPECT_THAT(page, HasSubstr("\\fB\\-\\-dsn\\fR \\fIDSN\\fR\ndon't say 'C:\\e'.\n"));
  EXPECT_THAT(page, HasSubstr("\\fBtool create\\fR [\\fIOPTIONS\\fR] \\fIname\\fR\n"));
  EXPECT_THAT(page, HasSubstr("\\fBtool import\\fR [\\fIOPTIONS\\fR] [\\fIfile\\fR]\n"));
  EXPECT_THAT(page, HasSubstr("One of AUTO, FULL.\n"));
  EXPECT_THAT(page, Not(HasSubstr("secret")));
}

TEST(Manual, TextOfACompletionIsQuoted) {
  const Line line;
  const std::string zsh = completion(line.app, "tool", "zsh"), fish = completion(line.app, "tool", "fish"),
                    bash = completion(line.app, "tool", "bash");
  EXPECT_THAT(zsh, HasSubstr("'--dsn[don'\\''t say '\\''C\\:\\\\'\\'']:DSN:'"));
  EXPECT_THAT(zsh, HasSubstr("'create:Create \\[one\\]\\: really.'"));
  EXPECT_THAT(fish, HasSubstr("-l dsn -x -d 'don\\'t say \\'C:\\\\\\''"));
  EXPECT_THAT(bash, HasSubstr("      --dsn) ((i++)) ;;\n      create|import) command="));
  EXPECT_THAT(bash, HasSubstr("create:--mode) mapfile -t COMPREPLY < <(compgen -W 'AUTO FULL' -- \"$current\")"));
  for (const auto& text : {zsh, fish, bash}) EXPECT_THAT(text, Not(HasSubstr("secret")));
}

// Without the command that is required otherwise.
TEST(Manual, FlagsPrintAndEnd) {
  Line line;
  line.app.require_subcommand(1);
  add_printing_flags(line.app, {"tool", 1, "does things", ""}, "tool 1.0");
  ASSERT_EQ(::setenv("SOURCE_DATE_EPOCH", "86400", 1), 0);
  std::string page, again, script, help;
  EXPECT_EQ(line.parse({"--print-man"}, page), 0);
  EXPECT_EQ(line.parse({"--print-man"}, again), 0);
  EXPECT_EQ(::unsetenv("SOURCE_DATE_EPOCH"), 0);
  EXPECT_THAT(page, HasSubstr(" 1970-01-02 "));
  EXPECT_EQ(page, again);
  EXPECT_EQ(line.parse({"--print-completion", "fish"}, script), 0);
  EXPECT_EQ(script, completion(line.app, "tool", "fish"));
  EXPECT_NE(line.parse({"--print-completion", "tcsh"}, script), 0);
  EXPECT_EQ(line.parse({"--help"}, help), 0);
  EXPECT_THAT(help, Not(HasSubstr("--print-")));
}

}  // namespace
}  // namespace pgtrickle::config
