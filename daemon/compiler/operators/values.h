// VALUES, and the one row that a SELECT without FROM reads. Rule: a constant; delta = nothing, ever.
#pragma once

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

class Values final : public Operator {
 public:
  /// Rows of constant expressions, all as long as `names`; both may be empty (rows without columns).
  Values(std::vector<std::vector<Node>> rows, const std::vector<std::string>& names);

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<Values>(*this); }
  [[nodiscard]] FromItem post() const override;
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  std::vector<int> prune(const std::set<int>& needed) override;
  void resolve_types(TypeOracle& oracle) override;
  [[nodiscard]] std::optional<std::string> non_monotone() const override { return std::nullopt; }
  [[nodiscard]] std::optional<std::vector<Meeting>> meetings() const override { return std::vector<Meeting>(); }
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string cost_class() const override { return "constant"; }

 private:
  std::vector<std::vector<Node>> rows_;
};

/// A relation of one row without columns.
OperatorPtr make_single_row();

}  // namespace pgtrickle::compiler
