// UNION ALL. Rule: linear; delta = the deltas of the inputs, one after the other.
// The columns are cast to the types that PostgreSQL resolves for the whole, so that a delta of one branch has them too.
#pragma once

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

class UnionAll final : public Operator {
 public:
  explicit UnionAll(std::vector<OperatorPtr> inputs);

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<UnionAll>(*this); }
  [[nodiscard]] std::string post() const override;
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  std::vector<int> prune(const std::set<int>& needed) override;
  bool absorb_filter(const Node& predicate) override;
  void resolve_types(TypeOracle& oracle) override;
  [[nodiscard]] bool indexed(int column) const override;
  void advise_lookup(int column, std::vector<std::string>& advice) const override;
  [[nodiscard]] std::optional<std::string> non_monotone() const override { return std::nullopt; }
  [[nodiscard]] std::string describe() const override { return "UnionAll"; }
  [[nodiscard]] std::string cost_class() const override { return "O(delta)"; }

 private:
  [[nodiscard]] std::string branch(const Operator& input, const std::string& from, bool weight) const;
};

}  // namespace pgtrickle::compiler
