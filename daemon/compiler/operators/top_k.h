// TopK: ORDER BY .. LIMIT / OFFSET / FETCH FIRST .. WITH TIES.
//
// State: the current rows. Rule: a changed row matters only if it sorts before or level with the last row of the state
// (the boundary), or if the state is not full; which of them comes first decides sorting, by the query's own ORDER BY,
// so DESC, NULLS FIRST and operators need no care of their own. If none matters nothing happens; otherwise the query is
// run again, with its LIMIT, and subtracted from the stored rows.
// Ties: where the answer would be any of several, all columns are appended to the order, so that it is one. The naive
// versions break on: a deleted top row, whose successor is in no delta; OFFSET, where a row before the window shifts
// it; fewer rows than LIMIT; WITH TIES, where the number of rows is not the limit.
#pragma once

#include "compiler/operators/bag_state.h"
#include "compiler/operators/sort_term.h"

namespace pgtrickle::compiler {

class TopK final : public StatefulOperator {
 public:
  /// The columns are those of the input. `limit` and `offset` are constant expressions, unset if absent.
  TopK(OperatorPtr input, std::vector<SortTerm> order, Node limit, Node offset, bool with_ties);

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<TopK>(*this); }
  [[nodiscard]] FromItem post() const override;
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  std::vector<int> prune(const std::set<int>& needed) override;
  void resolve_types(TypeOracle& oracle) override;
  [[nodiscard]] std::vector<Key> keys() const override { return inputs_[0]->keys(); }
  [[nodiscard]] bool breaks_ties() const override { return !with_ties_ || shifted(); }
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string cost_class() const override;
  void index_advice(std::vector<std::string>& advice) const override;

  [[nodiscard]] std::vector<std::string> state_ddl() const override;
  [[nodiscard]] std::vector<std::string> rebuild() const override;
  [[nodiscard]] Changes differential(Statement& statement) const override;
  [[nodiscard]] FromItem from_state() const override;
  void want_lookup(int column) override { lookups_.insert(column); }

 private:
  [[nodiscard]] bool limited() const { return limit_.node_case() != Node::NODE_NOT_SET; }
  /// An index gives the first rows, and is looked up by column `first` of the input.
  [[nodiscard]] bool served(int& first) const;
  [[nodiscard]] bool shifted() const { return offset_.node_case() != Node::NODE_NOT_SET; }
  [[nodiscard]] Select top(const std::vector<std::string>& conditions) const;
  [[nodiscard]] Select boundary() const;
  [[nodiscard]] Select reached(Statement& statement) const;

  std::vector<SortTerm> order_;
  Node limit_;
  Node offset_;
  bool with_ties_ = false;
  std::set<int> lookups_;
};

}  // namespace pgtrickle::compiler
