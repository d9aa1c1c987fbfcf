// Relations of different shape under one another, each row with the number of the relation it came from: so that one
// aggregate can read plain rows and the distinct values of arguments side by side (count(DISTINCT x) beside sum(y)).
// Output: the named columns, NULL where a branch does not have one, then `tag`.
// Rule: linear, as UNION ALL.
#pragma once

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

class TaggedUnion final : public Operator {
 public:
  /// `positions[b][i]`: the column of branch b that is output column i, or -1. Branches that have a column have it in
  /// the same type.
  TaggedUnion(std::vector<OperatorPtr> branches, std::vector<std::vector<int>> positions,
              const std::vector<std::string>& names);

  [[nodiscard]] int tag_column() const { return static_cast<int>(columns_.size()) - 1; }

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<TaggedUnion>(*this); }
  [[nodiscard]] FromItem post() const override;
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  std::vector<int> prune(const std::set<int>& needed) override;
  void resolve_types(TypeOracle& oracle) override;
  void advise_lookup(int column, std::vector<std::string>& advice) const override;
  [[nodiscard]] std::optional<std::string> non_monotone() const override { return std::nullopt; }
  [[nodiscard]] std::optional<std::vector<Meeting>> meetings() const override { return std::vector<Meeting>(); }
  [[nodiscard]] std::string describe() const override { return "TaggedUnion"; }
  [[nodiscard]] std::string cost_class() const override { return "O(delta)"; }

 private:
  [[nodiscard]] Select branch(std::size_t number, const FromItem& from) const;
  void derive_columns();

  std::vector<std::vector<int>> positions_;
};

}  // namespace pgtrickle::compiler
