// Base of operators that compute their rows from all input rows of a key (DISTINCT ON, windows over a partition): the
// keys that the delta affects are computed afresh from the input's post-state and subtracted from what was stored.
//
// A derived class states what is computed, as a query over a relation of input rows. NULL is a key like any other.
// Without keys the whole input is one group. Keys that are expressions become hidden columns of the input, so that
// stored rows can be found by them. The naive version recomputes the new key of an updated row only: the delta has
// both.
#pragma once

#include "compiler/operators/bag_state.h"

namespace pgtrickle::compiler {

class KeyedRecompute : public StatefulOperator {
 public:
  [[nodiscard]] FromItem post() const override;
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  bool absorb_filter(const Node& predicate) override;
  [[nodiscard]] std::string cost_class() const override;
  void index_advice(std::vector<std::string>& advice) const override;

  [[nodiscard]] std::vector<std::string> state_ddl() const override;
  [[nodiscard]] std::vector<std::string> rebuild() const override;
  [[nodiscard]] Changes differential(Statement& statement) const override;
  [[nodiscard]] bool by_key() const override { return !keys_.empty(); }
  [[nodiscard]] Select changed_keys(Statement& statement) const override;
  [[nodiscard]] FromItem from_state() const override;
  void want_lookup(int column) override { lookups_.insert(column); }

 protected:
  KeyedRecompute(OperatorPtr input, const std::vector<Node>& keys);
  /// The same with all columns of the input as keys.
  explicit KeyedRecompute(OperatorPtr input);

  /// The state's columns, in order, computed from `rows`, which has the input's columns and all rows of some keys.
  [[nodiscard]] virtual Select compute(const FromItem& rows) const = 0;
  /// Keys that are affected by more than the input's change: queries whose columns are the keys, named as the input's
  /// columns.
  [[nodiscard]] virtual std::vector<Select> affected_otherwise(Statement& /*statement*/) const { return {}; }
  /// The columns of the state: those of the input, computed ones, and hidden keys at the end.
  [[nodiscard]] std::vector<OutputColumn> state_columns() const;

  /// The input's columns that are passed through: the hidden keys, which come last, are not.
  [[nodiscard]] std::size_t passed() const { return inputs_[0]->columns().size() - hidden_; }
  [[nodiscard]] const std::vector<int>& key_positions() const { return keys_; }
  /// Prunes the input to `needed` and the keys; returns the new position of each of its columns.
  std::vector<int> prune_input(std::set<int> needed);

 private:
  [[nodiscard]] std::vector<std::string> key_names(const std::string& prefix) const;
  [[nodiscard]] std::vector<TypeInfo> key_types() const;
  [[nodiscard]] bool plain_keys() const;
  [[nodiscard]] Query affected_rows(const std::string& affected) const;
  [[nodiscard]] BagState state(const std::vector<OutputColumn>& columns) const { return {state_table(), columns}; }

  std::vector<int> keys_;   // columns of the input
  std::size_t hidden_ = 0;  // columns that were added to the input for keys
  std::set<int> lookups_;
};

}  // namespace pgtrickle::compiler
