// Templates of generated functions (compiler/sql/template.h).
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "compiler/sql/template.h"

namespace pgtrickle::compiler {
namespace {

TEST(Template, APlaceholderIsReplacedWhereverItStandsAndAsOftenAsItDoes) {
  EXPECT_EQ(fill("SELECT ${a}, ${b}, '${a}' FROM t_${b}x", {{"a", "1"}, {"b", "2"}}), "SELECT 1, 2, '1' FROM t_2x");
  EXPECT_EQ(fill("$1 || '{}' || $$x$$", {}), "$1 || '{}' || $$x$$");
}

TEST(Template, TheMarginOfTheFirstLineIsNotPartOfIt) {
  EXPECT_EQ(fill(R"sql(
      BEGIN
          ${what};

      END
  )sql",
                 {{"what", "RETURN"}}),
            "BEGIN\n    RETURN;\n\nEND");
}

TEST(Template, AValueOfSeveralLinesGoesOnBelowItsBeginning) {
  EXPECT_EQ(fill("BEGIN\n  ${statements}\nEND", {{"statements", "a;\nb;\n"}}), "BEGIN\n  a;\n  b;\nEND");
  EXPECT_EQ(fill("IF ${condition} THEN\n  c", {{"condition", "a\nAND b"}}), "IF a\n   AND b THEN\n  c");
  EXPECT_EQ(fill("f(${a}, ${b})", {{"a", "1"}, {"b", "2,\n3"}}), "f(1, 2,\n     3)");
}

TEST(Template, ALineBreakWithinALiteralIsKept) {
  EXPECT_EQ(fill("  x := ${value};", {{"value", "'a\nb' ||\n'c'"}}), "x := 'a\nb' ||\n     'c';");
}

TEST(Template, WithoutAValueALineThatWasNothingElseGoes) {
  EXPECT_EQ(fill("a\n  ${nothing}\nb", {{"nothing", ""}}), "a\nb");
  EXPECT_EQ(fill("a\n  ${nothing}\nb", {{"nothing", "\n"}}), "a\nb");
  EXPECT_EQ(fill("a\nf(${nothing})\n${nothing}${x}\nb", {{"nothing", ""}, {"x", "x"}}), "a\nf()\nx\nb");
  EXPECT_EQ(fill("${nothing}", {{"nothing", ""}}), "");
}

TEST(Template, AValueIsNotSearchedForPlaceholders) {
  EXPECT_EQ(fill("${a} ${b}", {{"a", "${b}"}, {"b", "${c}"}}), "${b} ${c}");
}

TEST(Template, WhatDoesNotFitIsAMistake) {
  EXPECT_THROW(fill("${a}", {}), std::logic_error);
  EXPECT_THROW(fill("${a}", {{"a", "1"}, {"b", "2"}}), std::logic_error);
  EXPECT_THROW(fill("${a", {{"a", "1"}}), std::logic_error);
  EXPECT_THROW(fill("    a\n  b", {}), std::logic_error);
}

}  // namespace
}  // namespace pgtrickle::compiler
