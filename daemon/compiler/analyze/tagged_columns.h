// Columns of several rows in one expression. While a query is analyzed, an expression can refer to rows that are not
// yet beside each other, or whose widths are not known: that of the query around a subquery, the keys and the calls of
// a grouping. Each column then has a tag that says whose it is; in the end all are mapped to positions of one row.
//
// In the tree a tag is a multiple added to $n. Only this file knows. `Tag` is an enum whose value 0 means the row that
// the expression will stand over, so that plain columns are tagged already.
#pragma once

#include <functional>
#include <stdexcept>

#include "compiler/parse/ast.h"

namespace pgtrickle::compiler {

template <typename Tag>
struct TaggedColumn {
  Tag of{};
  int column = 0;
};

namespace tagged_columns {
constexpr int kPerTag = 1 << 24;  // far above the number of columns that a row can have
}  // namespace tagged_columns

template <typename Tag>
Node column(Tag of, int column) {
  if (column >= tagged_columns::kPerTag) throw std::logic_error("a row with more columns than there can be");
  return compiler::column(static_cast<int>(of) * tagged_columns::kPerTag + column);
}

template <typename Tag>
TaggedColumn<Tag> tagged(int index) {
  return {static_cast<Tag>(index / tagged_columns::kPerTag), index % tagged_columns::kPerTag};
}

template <typename Tag>
Node map_tagged(const Node& expr, const std::function<Node(TaggedColumn<Tag>)>& map) {
  return map_columns(expr, [&](int index) { return map(tagged<Tag>(index)); });
}

template <typename Tag>
bool reads(const Node& expr, Tag of) {
  for (const int index : columns_of(expr))
    if (tagged<Tag>(index).of == of) return true;
  return false;
}

}  // namespace pgtrickle::compiler
