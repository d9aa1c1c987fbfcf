// Apply: the values of expressions with subqueries, per distinct correlation tuple c ("keyed recompute per outer key").
//   SELECT c, value_1(c), .. value_k(c) FROM (SELECT DISTINCT c FROM outer); without an outer there is exactly one row.
// The subqueries stay SQL and are evaluated by PostgreSQL over the post-state: three-valued logic and "more than one
// row returned" are its own. The caller joins the result back with the outer rows on c.
//
// State: one row per tuple: c, n = number of outer rows that have it, the values. Rule: a tuple is affected if a
// changed inner row could change its values, which the feeds say; values are computed for affected tuples and for new
// ones, once per tuple. Naive versions break on: an inner change that reaches outer rows which did not change
// themselves; the last outer row of a tuple deleted and another inserted in one batch (only the net n counts); a tuple
// that contains NULL (identity is NULL-safe); NOT IN, where an inner NULL affects every tuple ((x = y) IS NOT FALSE,
// expanded into arms so that x = y still finds its rows by index); a subquery alias that captures a column of c
// (kOuterAlias). Tuples are told apart by their types' equality. Where values can depend on how an equal value is
// written (numeric 1.0 and 1.00), the caller makes the text a correlation column as well.
#pragma once

#include "compiler/operators/correlation.h"
#include "compiler/operators/keyed_state.h"

namespace pgtrickle::compiler {

class Apply final : public StatefulOperator {
 public:
  /// The columns of `outer`, a bag, are c; it may be null. `values` are over c; references to anything else are
  /// qualified names within their subqueries.
  Apply(OperatorPtr outer, std::vector<Feed> feeds, std::vector<Node> values,
        const std::vector<std::string>& value_names);

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<Apply>(*this); }
  [[nodiscard]] FromItem post() const override;
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  std::vector<int> prune(const std::set<int>& needed) override;
  void resolve_types(TypeOracle& oracle) override;
  [[nodiscard]] std::vector<Key> keys() const override;
  [[nodiscard]] bool joins() const override { return true; }
  [[nodiscard]] bool single_row() const override { return global(); }
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string cost_class() const override;
  void index_advice(std::vector<std::string>& advice) const override;

  [[nodiscard]] std::vector<std::string> state_ddl() const override;
  [[nodiscard]] std::vector<std::string> rebuild() const override;
  [[nodiscard]] Changes differential(Statement& statement) const override;
  [[nodiscard]] FromItem from_state() const override;
  void want_lookup(int column) override;
  [[nodiscard]] bool indexed(int column) const override;

 private:
  struct Layout;  // names of the state's columns and of the merged relation's

  [[nodiscard]] bool global() const { return !has_outer_; }
  [[nodiscard]] Layout layout() const;
  [[nodiscard]] KeyedState state() const;
  [[nodiscard]] Correlation correlation() const;
  [[nodiscard]] std::vector<std::string> tuple_names() const;  // quoted
  [[nodiscard]] std::vector<std::string> value_list(bool few) const;
  [[nodiscard]] Select grouped_outer(const FromItem& from) const;
  [[nodiscard]] Select content(bool with_count) const;
  [[nodiscard]] std::string merged(Statement& statement, const Layout& layout) const;

  bool has_outer_ = false;
  std::size_t tuple_size_ = 0;
  std::vector<std::vector<Node>> matches_;  // per feed
  std::vector<Node> values_;
  std::vector<Key> lookups_;  // columns of the tuple that others look up
};

}  // namespace pgtrickle::compiler
