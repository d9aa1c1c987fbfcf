#include "compiler/operators/recursive_reference.h"

#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

Delta RecursiveReference::delta(Statement& statement, bool /*consolidate*/) const {
  Select none;
  for (const auto& name : column_names("r.")) none.item(name);
  none.item("0", "w").from(rows_->from, "r").where("false");
  return {statement.with_shared(none, "d_none", "the rows that " + rows_->name + " has, which change by themselves"),
          true};
}

std::vector<int> RecursiveReference::prune(const std::set<int>& /*needed*/) {
  std::vector<int> same;
  for (std::size_t i = 0; i < columns_.size(); ++i) same.push_back(static_cast<int>(i));
  return same;
}

bool RecursiveReference::indexed(int column) const {
  const auto& type = columns_.at(static_cast<std::size_t>(column)).type.value();
  return type.hashable || (type.fixed_width && type.equatable);
}

}  // namespace pgtrickle::compiler
