#include "compiler/operators/shared.h"

#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

Shared::Shared(OperatorPtr input) {
  columns_ = input->columns();
  inputs_.push_back(std::move(input));
}

FromItem Shared::over(const FromItem& from, const std::vector<std::string>& carried) const {
  return Select(column_names("i.")).items(prefixed(carried, "i.")).from(from, "i");
}

std::vector<int> Shared::prune(const std::set<int>& /*needed*/) {
  std::set<int> all;
  for (std::size_t i = 0; i < columns_.size(); ++i) all.insert(static_cast<int>(i));
  auto mapping = inputs_[0]->prune(all);
  columns_ = inputs_[0]->columns();
  return mapping;
}

void Shared::resolve_types(TypeOracle& oracle) {
  Operator::resolve_types(oracle);
  columns_ = inputs_[0]->columns();
}

}  // namespace pgtrickle::compiler
