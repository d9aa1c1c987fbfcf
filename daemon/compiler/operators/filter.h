// Filter. Rule: linear; delta = the input's delta, filtered. It remains an operator of its own only where the filter
// cannot be handed to the input (above an aggregate: HAVING), so that a group that crosses the threshold needs no
// rescan: its row is in the input's state already.
#pragma once

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

class Filter final : public Operator {
 public:
  Filter(OperatorPtr input, std::vector<Node> predicates);

  [[nodiscard]] FromItem over(const FromItem& from, const std::vector<std::string>& carried) const override;
  [[nodiscard]] bool rowwise() const override { return true; }
  [[nodiscard]] int origin(int position) const override { return position; }
  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<Filter>(*this); }
  [[nodiscard]] FromItem post() const override { return over(inputs_[0]->post(), {}); }
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  std::vector<int> prune(const std::set<int>& needed) override;
  bool absorb_filter(const Node& predicate) override;
  /// Hands what it can to the input, which takes its place if nothing is left to filter.
  OperatorPtr push_down() override;
  void resolve_types(TypeOracle& oracle) override;
  [[nodiscard]] std::vector<Key> keys() const override { return inputs_[0]->keys(); }
  void advise_lookup(int column, std::vector<std::string>& advice) const override {
    inputs_[0]->advise_lookup(column, advice);
  }
  [[nodiscard]] bool indexed(int column) const override { return inputs_[0]->indexed(column); }
  [[nodiscard]] bool in_order(int column) const override { return inputs_[0]->in_order(column); }
  [[nodiscard]] std::optional<std::string> non_monotone() const override { return std::nullopt; }
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string cost_class() const override { return "O(delta)"; }

  [[nodiscard]] std::vector<Node> predicates() const override { return predicates_; }

 private:
  /// The conditions over the input's row in scope as `alias`.
  [[nodiscard]] std::vector<std::string> conditions(const std::string& alias) const;

  std::vector<Node> predicates_;  // conjuncts
};

}  // namespace pgtrickle::compiler
