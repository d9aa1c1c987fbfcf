// Positions of columns: in the row that two inputs make, and with a tag while their row is not known yet.
#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "compiler/analyze/tagged_columns.h"
#include "compiler/operators/pair_row.h"

namespace pgtrickle::compiler {
namespace {

using Columns = std::vector<int>;

TEST(PairRow, APositionBelongsToASide) {
  const PairRow row(2);
  EXPECT_EQ(row.at(1).side, Side::kLeft);
  EXPECT_EQ(row.at(1).column, 1);
  EXPECT_EQ(row.at(2).side, Side::kRight);
  EXPECT_EQ(row.at(2).column, 0);
  for (int position = 0; position < 5; ++position) EXPECT_EQ(row.position(row.at(position)), position);
}

TEST(PairRow, KnowsWhatAnExpressionReads) {
  const PairRow row(2);
  const Node both = parse_expr("$1 + $4 * $3");
  const Node right = parse_expr("$3 = $3");
  EXPECT_TRUE(row.reads(both, Side::kLeft));
  EXPECT_TRUE(row.reads(both, Side::kRight));
  EXPECT_FALSE(row.reads_only(both, Side::kRight));
  EXPECT_TRUE(row.reads_only(right, Side::kRight));
  EXPECT_FALSE(row.reads_only(parse_expr("1"), Side::kLeft));
  EXPECT_EQ(row.columns_of(both, Side::kRight), (Columns{0, 1}));
}

TEST(PairRow, MovesExpressionsBetweenTheRows) {
  const PairRow row(2);
  const Node right = parse_expr("$3 = $5");
  EXPECT_EQ(deparse_expr(row.local(right, Side::kRight)), "$1 = $3");
  EXPECT_TRUE(equal(row.beside(row.local(right, Side::kRight), Side::kRight), right));
  EXPECT_EQ(deparse_expr(row.beside(parse_expr("$2"), Side::kLeft)), "$2");
  EXPECT_THROW(row.local(parse_expr("$1 = $3"), Side::kRight), std::logic_error);
}

enum class Whose { kMine, kTheirs };

TEST(TaggedColumns, ATagSaysWhoseAColumnIs) {
  int index = 0;
  ASSERT_TRUE(is_column(column(Whose::kTheirs, 3), &index));
  EXPECT_EQ(tagged<Whose>(index).of, Whose::kTheirs);
  EXPECT_EQ(tagged<Whose>(index).column, 3);
  EXPECT_TRUE(equal(column(Whose::kMine, 3), column(3))) << "a plain column is tagged already";
  EXPECT_TRUE(reads(column(Whose::kTheirs, 0), Whose::kTheirs));
  EXPECT_FALSE(reads(column(Whose::kMine, 0), Whose::kTheirs));
}

TEST(TaggedColumns, AreMappedToPositionsOfOneRow) {
  Node expr = parse_expr("$1 = $2");
  *expr.mutable_a_expr()->mutable_rexpr() = column(Whose::kTheirs, 0);
  const Node mapped = map_tagged<Whose>(
      expr, [](TaggedColumn<Whose> at) { return column(at.of == Whose::kTheirs ? at.column + 5 : at.column); });
  EXPECT_EQ(deparse_expr(mapped), "$1 = $6");
}

}  // namespace
}  // namespace pgtrickle::compiler
