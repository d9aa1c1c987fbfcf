#include "compiler/passes/prune_columns.h"

#include <set>

namespace pgtrickle::compiler {

void prune_columns(Operator& root) {
  std::set<int> all;
  for (std::size_t i = 0; i < root.columns().size(); ++i) all.insert(static_cast<int>(i));
  root.prune(all);
}

}  // namespace pgtrickle::compiler
