#include "compiler/operators/pair_row.h"

#include <stdexcept>

namespace pgtrickle::compiler {

SideColumn PairRow::at(int position) const {
  if (position < left_width_) return {Side::kLeft, position};
  return {Side::kRight, position - left_width_};
}

int PairRow::position(SideColumn column) const {
  return column.side == Side::kLeft ? column.column : column.column + left_width_;
}

Node PairRow::column(Side side, int column) const {
  return compiler::column(position({side, column}));
}

bool PairRow::reads(const Node& expr, Side side) const {
  return !columns_of(expr, side).empty();
}

bool PairRow::reads_only(const Node& expr, Side side) const {
  return reads(expr, side) && !reads(expr, opposite(side));
}

std::vector<int> PairRow::columns_of(const Node& expr, Side side) const {
  std::vector<int> columns;
  for (const int position : compiler::columns_of(expr))
    if (at(position).side == side) columns.push_back(at(position).column);
  return columns;
}

Node PairRow::local(const Node& expr, Side side) const {
  return map(expr, [side](SideColumn at) {
    if (at.side != side) throw std::logic_error("an expression over one side reads the other");
    return compiler::column(at.column);
  });
}

Node PairRow::beside(const Node& expr, Side side) const {
  return map_columns(expr, [&](int index) { return column(side, index); });
}

Node PairRow::map(const Node& expr, const std::function<Node(SideColumn)>& map) const {
  return map_columns(expr, [&](int position) { return map(at(position)); });
}

}  // namespace pgtrickle::compiler
