#include "compiler/passes/push_filters.h"

namespace pgtrickle::compiler {

void push_filters(OperatorPtr& root) {
  while (OperatorPtr instead = root->push_down()) root = std::move(instead);
  for (auto& input : root->inputs()) push_filters(input);
}

}  // namespace pgtrickle::compiler
