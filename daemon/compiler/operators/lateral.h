// Lateral: the rows of a LATERAL subquery, per distinct tuple c of the outer values that it reads.
//   SELECT c, q.* FROM (SELECT DISTINCT c FROM outer) CROSS JOIN LATERAL (subquery over c) q, or LEFT JOIN .. ON
// The subquery stays SQL and is evaluated by PostgreSQL over the post-state. The caller joins the result back with the
// outer rows on c, NULL-safely: so outer rows that are duplicates share its rows, and each has them.
//
// State: the rows. Rule: a tuple is affected if it came or went, or if a changed inner row could change its rows, which
// the feeds say (correlation.h); all rows of affected tuples are computed afresh and subtracted from the stored ones
// (keyed_recompute.h). Which tuples there are is the input's business, an operator with state of its own: a tuple whose
// subquery has no rows is in no stored row, and an inner row that comes must find it. Naive versions break on: both
// sides changed at once (only post-states are read, and a tuple is computed once); tuples that contain NULL; the last
// outer row of a tuple gone (its rows are stored, and go); LEFT, where the last inner row that goes leaves a padded row
// behind, which only the recomputation of the whole tuple shows; a subquery alias that captures a column of c
// (kOuterAlias). LIMIT and DISTINCT ON: all output columns are appended to the order, so that the answer is one.
#pragma once

#include "compiler/operators/correlation.h"
#include "compiler/operators/keyed_recompute.h"

namespace pgtrickle::compiler {

/// A subquery in FROM over an outer row ($n).
struct LateralSubquery {
  pg_query::SelectStmt select;
  std::vector<std::string> names;  // of its columns; unique
  bool one_row = false;            // at most, for each outer row
  bool outer = false;              // LEFT JOIN
  std::vector<Node> conditions;    // ON, over the outer row and beside it the subquery's
};

class Lateral final : public KeyedRecompute {
 public:
  /// The columns of `tuples` are c; it has no duplicates. Output: c, then the subquery's columns.
  Lateral(OperatorPtr tuples, std::vector<Feed> feeds, LateralSubquery subquery);

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<Lateral>(*this); }
  std::vector<int> prune(const std::set<int>& needed) override;
  void resolve_types(TypeOracle& oracle) override;
  [[nodiscard]] std::vector<Key> keys() const override;
  [[nodiscard]] bool joins() const override { return true; }
  [[nodiscard]] bool by_key() const override { return false; }
  [[nodiscard]] bool breaks_ties() const override { return breaks_ties_; }
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string cost_class() const override;
  void index_advice(std::vector<std::string>& advice) const override;

 protected:
  [[nodiscard]] Select compute(const FromItem& rows) const override;
  [[nodiscard]] std::vector<Select> affected_otherwise(Statement& statement) const override;

 private:
  [[nodiscard]] std::size_t width() const { return inputs_[0]->columns().size(); }
  [[nodiscard]] Correlation correlation() const;
  [[nodiscard]] pg_query::SelectStmt over_tuple() const;
  [[nodiscard]] std::string item() const;
  [[nodiscard]] std::vector<std::string> on() const;
  void derive_columns(std::vector<OutputColumn> added);
  void break_ties(const std::vector<TypeInfo>& types);

  std::vector<std::vector<Node>> matches_;  // per feed
  LateralSubquery subquery_;
  std::vector<int> used_;  // the subquery's columns in the output: positions in its names
  bool breaks_ties_ = false;
};

}  // namespace pgtrickle::compiler
