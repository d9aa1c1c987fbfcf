// A CTE that is referenced more than once and keeps state. Rule: identity. It stops what would make the references
// differ, filters moving in and columns being dropped, so that they remain equal and become one node (plan/cut.h).
#pragma once

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

class Shared final : public Operator {
 public:
  explicit Shared(OperatorPtr input);

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<Shared>(*this); }
  [[nodiscard]] FromItem over(const FromItem& from, const std::vector<std::string>& carried) const override;
  [[nodiscard]] bool rowwise() const override { return true; }
  [[nodiscard]] int origin(int position) const override { return position; }
  [[nodiscard]] FromItem post() const override { return inputs_[0]->post(); }
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override {
    return inputs_[0]->delta(statement, consolidate);
  }
  std::vector<int> prune(const std::set<int>& needed) override;
  void resolve_types(TypeOracle& oracle) override;
  [[nodiscard]] std::vector<Key> keys() const override { return inputs_[0]->keys(); }
  [[nodiscard]] bool indexed(int column) const override { return inputs_[0]->indexed(column); }
  [[nodiscard]] bool in_order(int column) const override { return inputs_[0]->in_order(column); }
  void advise_lookup(int column, std::vector<std::string>& advice) const override {
    inputs_[0]->advise_lookup(column, advice);
  }
  [[nodiscard]] std::optional<std::string> non_monotone() const override { return std::nullopt; }
  [[nodiscard]] std::string describe() const override { return "Shared"; }
  [[nodiscard]] std::string cost_class() const override { return "O(delta)"; }
};

}  // namespace pgtrickle::compiler
