#include "compiler/normalize/push_filters.h"

#include "compiler/operators/filter.h"
#include "compiler/operators/join.h"

namespace pgtrickle::compiler {

void push_filters(OperatorPtr& root) {
  if (auto* filter = dynamic_cast<Filter*>(root.get()); filter != nullptr && filter->push_down()) {
    OperatorPtr input = std::move(filter->inputs()[0]);
    root = std::move(input);
    push_filters(root);
    return;
  }
  if (auto* join = dynamic_cast<Join*>(root.get()); join != nullptr) join->push_down();
  for (auto& input : root->inputs()) push_filters(input);
}

}  // namespace pgtrickle::compiler
