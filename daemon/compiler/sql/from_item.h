// What can stand in FROM: a relation by its name, or a query in parentheses. It knows which of the two it is, so that
// nobody looks at finished text to find out.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

class FromItem {
 public:
  FromItem() = default;
  /// A relation or a common table expression, by its name in SQL: quoted, qualified if need be.
  FromItem(std::string relation) : text_(std::move(relation)) {  // NOLINT(google-explicit-constructor): a name is one
    if (text_.starts_with('(')) throw std::logic_error("a query is not the name of a relation: " + text_);
  }
  /// `select` without parentheses.
  static FromItem query(std::string select) {
    FromItem item;
    item.text_ = std::move(select);
    item.is_query_ = true;
    return item;
  }

  [[nodiscard]] bool is_query() const { return is_query_; }
  /// As a statement: the query, or all of the relation.
  [[nodiscard]] std::string select() const { return is_query_ ? text_ : "SELECT * FROM " + text_; }
  /// As it stands in FROM.
  [[nodiscard]] std::string sql() const { return is_query_ ? "(" + text_ + ")" : text_; }

 private:
  std::string text_;
  bool is_query_ = false;
};

inline std::string operator+(const std::string& left, const FromItem& right) {
  return left + right.sql();
}
inline std::string operator+(const FromItem& left, const std::string& right) {
  return left.sql() + right;
}
inline std::string indent(const FromItem& item, int spaces) {
  return indent(item.sql(), spaces);
}

}  // namespace pgtrickle::compiler
