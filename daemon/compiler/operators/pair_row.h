// The row of two inputs that stand side by side: the columns of the left one, then those of the right one. Where a
// position belongs is asked here, so that nobody adds or subtracts widths.
#pragma once

#include <functional>
#include <vector>

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

enum class Side { kLeft, kRight };

inline Side opposite(Side side) {
  return side == Side::kLeft ? Side::kRight : Side::kLeft;
}

/// A column of one of the two, as a position in its own row.
struct SideColumn {
  Side side = Side::kLeft;
  int column = 0;
};

class PairRow {
 public:
  explicit PairRow(int left_width) : left_width_(left_width) {}
  explicit PairRow(const Operator& left) : PairRow(static_cast<int>(left.columns().size())) {}

  [[nodiscard]] SideColumn at(int position) const;
  [[nodiscard]] int position(SideColumn column) const;
  [[nodiscard]] Node column(Side side, int column) const;

  /// Whether an expression over the pair reads columns of this side; of this side and of no other.
  [[nodiscard]] bool reads(const Node& expr, Side side) const;
  [[nodiscard]] bool reads_only(const Node& expr, Side side) const;
  /// The columns of this side that it reads, in the side's own row; distinct, ascending.
  [[nodiscard]] std::vector<int> columns_of(const Node& expr, Side side) const;
  /// An expression over the pair that reads this side only, as one over the side's own row; and the other way round.
  [[nodiscard]] Node local(const Node& expr, Side side) const;
  [[nodiscard]] Node beside(const Node& expr, Side side) const;
  [[nodiscard]] Node map(const Node& expr, const std::function<Node(SideColumn)>& map) const;

 private:
  int left_width_;
};

}  // namespace pgtrickle::compiler
