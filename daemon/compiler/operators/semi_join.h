// Semi join and anti join: rows of the left input that have a match, or none, in the right one: EXISTS and NOT EXISTS.
//
// Rule, with P = post, D = delta, N = P - D:
//   D_A where P_B has a match / has none   what A's change contributes, against B as it is now
//   +/- N_A x flips                        rows of A that were there before and gained their first match or lost their
//                                          last one (match_flips.h)
// The naive version joins with the distinct rows of D_B: one of several matches going away would hide the row.
#pragma once

#include "compiler/operators/match_conditions.h"

namespace pgtrickle::compiler {

class SemiJoin final : public Operator {
 public:
  /// The output row is the left one; conditions are conjuncts over the left row followed by the right.
  SemiJoin(OperatorPtr left, OperatorPtr right, const std::vector<Node>& conditions, bool anti);

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<SemiJoin>(*this); }
  [[nodiscard]] FromItem post() const override;
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  std::vector<int> prune(const std::set<int>& needed) override;
  bool absorb_filter(const Node& predicate) override;
  /// Conditions on one side alone go to that side. Below a join, to the one input that the conditions read: this is a
  /// filter, and few rows are to be joined.
  OperatorPtr push_down() override;
  void resolve_types(TypeOracle& oracle) override;
  [[nodiscard]] std::vector<Key> keys() const override { return inputs_[0]->keys(); }
  [[nodiscard]] bool indexed(int column) const override { return inputs_[0]->indexed(column); }
  [[nodiscard]] bool in_order(int column) const override { return inputs_[0]->in_order(column); }
  [[nodiscard]] bool joins() const override { return true; }
  [[nodiscard]] std::optional<Origin> source_of(int column) const override { return inputs_[0]->source_of(column); }
  [[nodiscard]] std::optional<std::vector<Meeting>> meetings() const override;
  [[nodiscard]] std::optional<std::string> non_monotone() const override {
    return anti_ ? std::optional(describe()) : std::nullopt;
  }
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string cost_class() const override;
  void index_advice(std::vector<std::string>& advice) const override;
  void advise_lookup(int column, std::vector<std::string>& advice) const override {
    inputs_[0]->advise_lookup(column, advice);
  }

 private:
  SemiJoin(OperatorPtr left, OperatorPtr right, MatchConditions conditions, bool anti);
  [[nodiscard]] PairRow row() const { return PairRow(*inputs_[0]); }
  /// [NOT] EXISTS (..) over the left row in scope as a.
  [[nodiscard]] std::string test() const;

  MatchConditions conditions_;
  bool anti_;
};

}  // namespace pgtrickle::compiler
