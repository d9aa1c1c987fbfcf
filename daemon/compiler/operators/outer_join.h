// Outer join: LEFT (keep_left), RIGHT (keep_right), FULL (both). The output row is the left row followed by the right.
//
// Rule: inner part + unmatched rows of the kept sides, padded with NULLs. With P = post, D = delta, N = P - D, for
// LEFT:
//   D_A LEFT JOIN P_B          what A's change contributes, matched or padded, against B as it is now
//   + P_A D_B - D_A D_B        the inner join's other two terms
//   + padded N_A x flips       rows of A that were there before and lost their last match or gained the first
//                              (match_flips.h)
// RIGHT is the mirror image, FULL has both. The naive version pads rows of A whose matches are in D_B with negative
// weight although another match remains, and forgets to take the padded row back when the first match arrives.
#pragma once

#include "compiler/operators/match_conditions.h"

namespace pgtrickle::compiler {

class OuterJoin final : public Operator {
 public:
  /// Conditions are conjuncts over the output row.
  OuterJoin(OperatorPtr left, OperatorPtr right, const std::vector<Node>& conditions, bool keep_left, bool keep_right);

  [[nodiscard]] bool keeps(Side side) const { return side == Side::kLeft ? keep_left_ : keep_right_; }

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<OuterJoin>(*this); }
  [[nodiscard]] FromItem post() const override;
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  std::vector<int> prune(const std::set<int>& needed) override;
  /// A filter that reads only the kept side goes there. One that is never true for padded rows turns the join into an
  /// inner one, or FULL into LEFT or RIGHT, whether the filter itself can be taken over or not.
  bool absorb_filter(const Node& predicate) override;
  /// Conditions on the padded side alone go to that side; once neither side is kept, a Join takes this one's place.
  OperatorPtr push_down() override;
  void resolve_types(TypeOracle& oracle) override;
  [[nodiscard]] std::vector<Key> keys() const override;
  [[nodiscard]] bool indexed(int column) const override;
  [[nodiscard]] bool joins() const override { return true; }
  [[nodiscard]] std::optional<Origin> source_of(int column) const override;
  [[nodiscard]] std::optional<std::vector<Meeting>> meetings() const override;
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string cost_class() const override;
  void index_advice(std::vector<std::string>& advice) const override;
  void advise_lookup(int column, std::vector<std::string>& advice) const override;

 private:
  void derive_columns();
  [[nodiscard]] PairRow row() const { return PairRow(*inputs_[0]); }
  /// The input that has this output column, and the column's position there.
  [[nodiscard]] std::pair<const Operator*, int> place(int column) const;
  [[nodiscard]] std::vector<std::string> select_list(const std::string& left, const std::string& right) const;
  [[nodiscard]] std::vector<std::string> padded_list(Side kept, const std::string& alias) const;
  [[nodiscard]] std::vector<std::string> on() const;  // over aliases a and b
  [[nodiscard]] Select joined(const FromItem& left, const char* how, const FromItem& right) const;
  [[nodiscard]] std::vector<Query> joined_terms(const Statement& statement, const std::string& left_delta,
                                                const std::string& right_delta) const;
  void drop_padding_that_never_passes(const Node& predicate);
  bool absorb_conjunct(const Node& conjunct);

  MatchConditions conditions_;
  bool keep_left_;
  bool keep_right_;
};

}  // namespace pgtrickle::compiler
