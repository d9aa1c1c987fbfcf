// Expands every row into one row per grouping set, so that GROUPING SETS, ROLLUP and CUBE become one GROUP BY over the
// number of the set and the masked keys. Output: the input's columns, `set` (number of the grouping set), the masked
// keys (NULL in the sets they are not part of), and `real`.
//
// Rule: linear, at the cost of the number of sets. A NULL in the data and a NULL of a key that is not in the set differ
// in `set`. An empty grouping set has its row also when the input has none: a constant row with real = false, which no
// aggregate counts, keeps its group alive.
#pragma once

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

class GroupingSets final : public Operator {
 public:
  /// `sets`: for each grouping set the positions in `keys` that it groups by.
  GroupingSets(OperatorPtr input, std::vector<Node> keys, std::vector<std::set<int>> sets);

  [[nodiscard]] int set_column() const { return static_cast<int>(inputs_[0]->columns().size()); }
  [[nodiscard]] int key_column(int key) const { return set_column() + 1 + key; }
  [[nodiscard]] int real_column() const { return key_column(static_cast<int>(keys_.size())); }
  [[nodiscard]] bool has_constant_rows() const;

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<GroupingSets>(*this); }
  [[nodiscard]] FromItem post() const override;
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  std::vector<int> prune(const std::set<int>& needed) override;
  void resolve_types(TypeOracle& oracle) override;
  [[nodiscard]] std::optional<std::vector<Meeting>> meetings() const override { return std::vector<Meeting>(); }
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string cost_class() const override;

 private:
  void derive_columns();
  /// The input's rows, expanded; `constants`: the constant rows instead.
  [[nodiscard]] Select expanded(const FromItem& from, bool constants) const;

  std::vector<Node> keys_;
  std::vector<std::set<int>> sets_;
};

}  // namespace pgtrickle::compiler
