// UNION ALL. Rule: linear; delta = the deltas of the inputs, one after the other.
// The columns are cast to the types that PostgreSQL resolves for the whole, so that a delta of one branch has them too.
// The same for collations: a branch is a subquery here, in which COLLATE is no longer the explicit choice that it was
// among the arms as they were written. Where that choice is not plain to see: Unsupported.
#pragma once

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

/// How a column of a branch was written: without COLLATE, as `.. COLLATE c`, or with a COLLATE somewhere inside.
enum class Collated { kNo, kYes, kInside };

class UnionAll final : public Operator {
 public:
  /// `collated`: per input and column.
  UnionAll(std::vector<OperatorPtr> inputs, std::vector<std::vector<Collated>> collated);

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<UnionAll>(*this); }
  [[nodiscard]] FromItem post() const override;
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  std::vector<int> prune(const std::set<int>& needed) override;
  bool absorb_filter(const Node& predicate) override;
  void resolve_types(TypeOracle& oracle) override;
  [[nodiscard]] bool indexed(int column) const override;
  void advise_lookup(int column, std::vector<std::string>& advice) const override;
  [[nodiscard]] std::optional<std::string> non_monotone() const override { return std::nullopt; }
  [[nodiscard]] std::optional<std::vector<Meeting>> meetings() const override { return std::vector<Meeting>(); }
  [[nodiscard]] std::string describe() const override { return "UnionAll"; }
  [[nodiscard]] std::string cost_class() const override { return "O(delta)"; }

 private:
  [[nodiscard]] Select branch(const Operator& input, const FromItem& from) const;
  [[nodiscard]] std::string common_collation(std::size_t column) const;

  std::vector<std::vector<Collated>> collated_;
  std::vector<std::string> collations_;  // of the columns, while types are being resolved
};

}  // namespace pgtrickle::compiler
