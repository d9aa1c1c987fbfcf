#include <gtest/gtest.h>

#include "cli/database.h"
#include "cli/table.h"
#include "postgres/blocking_error.h"

namespace pgtrickle::cli {
namespace {

TEST(CliTable, AlignsColumns) {
  EXPECT_EQ(format_table({{"NAME"}, {"ROWS", true}, {"NOTE"}}, {{"a", "5", ""}, {"long name", "1000", "x"}}),
            "NAME       ROWS  NOTE\n"
            "---------  ----  ----\n"
            "a             5\n"
            "long name  1000  x\n");
}

TEST(CliTable, CountsCharactersNotBytes) {
  EXPECT_EQ(format_table({{"N"}, {"X"}}, {{"größe", "1"}, {"ab", "2"}}),
            "N      X\n"
            "-----  -\n"
            "größe  1\n"
            "ab     2\n");
}

TEST(CliTable, ControlCharactersCannotBreakLines) {
  EXPECT_EQ(format_table({{"N"}}, {{"a\nb\x1b[31m"}}), "N\n--------\na b [31m\n");
}

TEST(CliTable, CutsToTheTerminal) {
  EXPECT_EQ(format_table({{"NAME"}, {"NOTE"}}, {{"größe", "a long note"}}, 10),
            "NAME   NO…\n"
            "-----  --…\n"
            "größe  a …\n");
}

TEST(CliTable, Durations) {
  EXPECT_EQ(format_seconds(0), "0.0 ms");
  EXPECT_EQ(format_seconds(0.00025), "0.2 ms");
  EXPECT_EQ(format_seconds(0.25), "250 ms");
  EXPECT_EQ(format_seconds(12.34), "12.3 s");
  EXPECT_EQ(format_seconds(600), "10 min");
  EXPECT_EQ(format_seconds(7200), "2.0 h");
  EXPECT_EQ(format_seconds(86400 * 3), "3.0 d");
}

TEST(CliErrors, KeepMessagePlaceDetailAndHintOnly) {
  const auto shown = [](const char* text) {
    return error_text(postgres::error_of(pqxx::sql_error(text, "SELECT x", "42601")));
  };
  EXPECT_EQ(shown("ERROR:  bad\nDETAIL:  very\nHINT:  better\nCONTEXT:  PL/pgSQL function f() line 3\nSQL statement\n"),
            "ERROR:  bad\nDETAIL:  very\nHINT:  better");
  EXPECT_EQ(shown("ERROR:  bad\nLINE 1: x\n        ^\nQUERY:  SELECT x\nCONTEXT:  y\n"),
            "ERROR:  bad\nLINE 1: x\n        ^");
  EXPECT_EQ(error_text(postgres::error_of(pqxx::broken_connection("no server there\n"))), "no server there");
}

TEST(CliDatabase, ABadConnectionStringIsNotShown) {
  try {
    Database db("password=hunter2 nonsense=1");
    FAIL() << "should not connect";
  } catch (const Failure& failure) {
    EXPECT_EQ(std::string(failure.what()).find("hunter2"), std::string::npos) << failure.what();
    EXPECT_NE(std::string(failure.what()).find("not a valid connection string"), std::string::npos);
  }
}

}  // namespace
}  // namespace pgtrickle::cli
