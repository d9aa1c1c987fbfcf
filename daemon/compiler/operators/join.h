// Inner and cross join of any number of inputs (each occurrence of a table is an input of its own).
//
// Rule: multilinear. With P = post, D = delta, N = P - D: delta = F(P) - F(N).
//   up to 3 inputs: inclusion-exclusion, sum over the non-empty subsets S of (-1)^(|S|+1) F(D on S, P elsewhere);
//   more: left-deep, level by level: D(J*X) = D(J) P(X) + P(J) D(X) - D(J) D(X), each level a common table expression,
//   so the number of terms grows with the inputs and not with their subsets.
// Only post-states appear, so lookups use the indexes of the base tables. Every term is gated by the sources that it
// needs: terms of unchanged sources are not even started.
// An input that is a single row (the value of a subquery) and is read by conditions only: all rows of the other input
// are read once, and those on which its old and its new version agree go at once, instead of all being taken away and
// put back:
//   D_A P_B + N_A x ([conditions with B's new row] - [conditions with its old row])
// The naive version joins deltas with post-states on both sides: rows deleted on both sides at once are lost, rows
// inserted on both sides count twice, and a self join hides this twice.
#pragma once

#include <functional>

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

class Join final : public Operator {
 public:
  /// The output row is the inputs' rows side by side; conditions are conjuncts over it.
  Join(std::vector<OperatorPtr> inputs, std::vector<Node> conditions);

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<Join>(*this); }
  [[nodiscard]] FromItem post() const override;
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  std::vector<int> prune(const std::set<int>& needed) override;
  bool absorb_filter(const Node& predicate) override;
  /// Hands conditions that concern one input to that input.
  OperatorPtr push_down() override;
  Operator::Place filterable(const std::vector<int>& columns) override;
  void resolve_types(TypeOracle& oracle) override;
  [[nodiscard]] std::vector<Key> keys() const override;
  [[nodiscard]] bool indexed(int column) const override;
  [[nodiscard]] bool in_order(int column) const override;
  [[nodiscard]] bool joins() const override { return true; }
  [[nodiscard]] std::optional<Origin> source_of(int column) const override;
  [[nodiscard]] std::optional<std::vector<Meeting>> meetings() const override;
  [[nodiscard]] std::optional<std::string> non_monotone() const override { return std::nullopt; }
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string cost_class() const override;
  void index_advice(std::vector<std::string>& advice) const override;
  void advise_lookup(int column, std::vector<std::string>& advice) const override;
  [[nodiscard]] OperatorPtr superset(std::vector<int>& columns) const override;

 private:
  struct Place {
    std::size_t input;  // which input
    int column;         // which of its columns
  };
  void derive_columns();
  [[nodiscard]] std::vector<Place> places() const;  // of every output column
  [[nodiscard]] std::size_t offset(std::size_t input) const;
  [[nodiscard]] std::set<std::size_t> inputs_of(const Node& condition) const;
  /// A condition that reads one input only, over that input's row.
  [[nodiscard]] Node local(const Node& condition) const;
  [[nodiscard]] std::string condition(const Node& node) const;  // over aliases a1, a2, ...
  [[nodiscard]] std::string condition(const Node& node, const std::function<std::string(int)>& text) const;
  [[nodiscard]] std::vector<std::string> select_list(std::size_t count) const;
  [[nodiscard]] std::vector<std::size_t> join_order() const;
  /// Of two inputs the one that is a single row which conditions alone read; 2 if there is none.
  [[nodiscard]] std::size_t switching_input() const;
  [[nodiscard]] Query by_switch(const Statement& statement, std::size_t single, const std::vector<FromItem>& posts,
                                const std::vector<std::string>& deltas) const;
  [[nodiscard]] Query by_subsets(const Statement& statement, const std::vector<FromItem>& posts,
                                 const std::vector<std::string>& deltas) const;
  [[nodiscard]] std::string by_levels(Statement& statement, const std::vector<FromItem>& posts,
                                      const std::vector<std::string>& deltas) const;
  /// Whether a change of this input finds its partners in all other ones that change, through equalities that indexes
  /// can serve, or through any.
  [[nodiscard]] bool reaches_all(std::size_t input, bool by_index) const;
  /// Pairs (input column, other input's column) equated by "=" conditions.
  [[nodiscard]] std::vector<std::pair<int, int>> equated() const;

  std::vector<Node> conditions_;
  std::set<std::size_t> unread_;  // inputs none of whose columns are needed above; known once columns are pruned
};

}  // namespace pgtrickle::compiler
