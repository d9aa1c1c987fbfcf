// DISTINCT ON (keys): of the rows of each key the first by an order, ties broken by all columns, so that the answer is
// one. State: that row per key. Rule: keyed recompute (keyed_recompute.h): the row that takes the place of a deleted
// one is in no delta.
#pragma once

#include "compiler/operators/keyed_recompute.h"
#include "compiler/operators/sort_term.h"

namespace pgtrickle::compiler {

class DistinctOn final : public KeyedRecompute {
 public:
  /// The columns are those of the input. `order` may begin with the keys, as in SQL, or leave them out.
  DistinctOn(OperatorPtr input, const std::vector<Node>& keys, std::vector<SortTerm> order);

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<DistinctOn>(*this); }
  std::vector<int> prune(const std::set<int>& needed) override;
  void resolve_types(TypeOracle& oracle) override;
  [[nodiscard]] std::vector<Key> keys() const override;
  [[nodiscard]] bool breaks_ties() const override { return true; }
  [[nodiscard]] std::string describe() const override;

 protected:
  [[nodiscard]] Select compute(const FromItem& rows) const override;

 private:
  [[nodiscard]] std::vector<std::string> rendered_keys() const;

  std::vector<SortTerm> order_;
};

}  // namespace pgtrickle::compiler
