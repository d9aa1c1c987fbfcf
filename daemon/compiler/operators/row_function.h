// A function in FROM whose arguments come from the row beside it: unnest(t.tags), generate_series(1, t.n),
// jsonb_array_elements(t.doc), XMLTABLE. Or a LATERAL subquery that reads no table: VALUES (t.a), (t.b). Output: the
// input's columns, then the function's.
//
// Rule: linear, a row brings its function rows with it at its own weight. Functions are IMMUTABLE or depend on recorded
// settings only, so the rows of an old version are computed again from the old row. Not so for a subquery in LATERAL
// that reads tables, nor for one whose rows depend on the plan (lateral.h).
#pragma once

#include "compiler/operators/pair_row.h"

namespace pgtrickle::compiler {

class RowFunction final : public Operator {
 public:
  /// `function`: a RangeFunction, RangeTableFunc or RangeSubselect node whose arguments are over the input's row ($n).
  /// `names`: of its columns. `outer`: LEFT JOIN LATERAL, a row without function rows stays. `conditions`: ON, over the
  /// output row.
  RowFunction(OperatorPtr input, Node function, const std::vector<std::string>& names, bool outer,
              std::vector<Node> conditions);

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<RowFunction>(*this); }
  [[nodiscard]] FromItem over(const FromItem& from, const std::vector<std::string>& carried) const override;
  [[nodiscard]] bool rowwise() const override { return true; }
  [[nodiscard]] int origin(int position) const override {
    return row().at(position).side == Side::kLeft ? position : -1;
  }
  [[nodiscard]] FromItem post() const override { return over(inputs_[0]->post(), {}); }
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  std::vector<int> prune(const std::set<int>& needed) override;
  bool absorb_filter(const Node& predicate) override;
  void resolve_types(TypeOracle& oracle) override;
  void advise_lookup(int column, std::vector<std::string>& advice) const override;
  [[nodiscard]] std::optional<std::string> non_monotone() const override { return std::nullopt; }
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string cost_class() const override { return "O(delta)"; }

 private:
  /// The input's row, and beside it the function's: in the output its columns in use, in the conditions all of them.
  [[nodiscard]] PairRow row() const { return PairRow(*inputs_[0]); }
  [[nodiscard]] std::string input_alias() const;
  [[nodiscard]] std::string call() const;
  /// `added`: the function's columns, whose names are made unique.
  void derive_columns(std::vector<OutputColumn> added);

  Node function_;
  std::vector<std::string> names_;  // of the function's columns, all of them
  std::vector<int> used_;           // those in the output: positions in names_
  bool outer_;
  std::vector<Node> conditions_;  // over the input's columns, then all of the function's
};

/// As many copies of each row as the int8 expression `count` says; none if it is NULL or not positive.
OperatorPtr make_repeat(OperatorPtr input, const Node& count);

}  // namespace pgtrickle::compiler
