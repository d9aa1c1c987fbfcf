#include "compiler/sql/recursion.h"

#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

Query recursion(const Recursion& parts, const Select& last) {
  const std::string body =
      parts.first.in_parentheses() + (parts.all ? "\nUNION ALL\n" : "\nUNION\n") + parts.step.in_parentheses();
  return Query::text("(WITH RECURSIVE " + parts.name + " (" + join(parts.columns, ", ") + ") AS (\n   " +
                     indent(body, 3) + ")\n " + indent(last.sql(), 1) + ")");
}

}  // namespace pgtrickle::compiler
