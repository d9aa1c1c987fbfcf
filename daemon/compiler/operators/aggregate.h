// GROUP BY, aggregates without GROUP BY, and DISTINCT (a group per row, no aggregate).
//
// State: one row per group: its key, n = number of input rows, and the components of the aggregates
// (aggregate_functions.h). Rule: the input's delta is summed per group (g), added to the state of the affected groups
// (m); a group whose n becomes 0 disappears. Groups that cannot be updated are recomputed from the input's post-state:
// where that is the exception, by a function of its own, so that the plan of the usual case does not carry it.
// Without GROUP BY there is always exactly one row.
// The naive versions break on: a group of NULL keys (identity is NULL-safe); sum over an all-NULL group (NULL, not 0:
// non-null arguments are counted); a value inserted and deleted in one batch (min/max see the consolidated delta); the
// last row of a group deleted and another inserted in one batch (only the net n counts); min deleted (>= is not enough,
// equality means recompute); a visible row used as the memory of the hidden ones (HAVING is outside, state has all
// groups).
#pragma once

#include <functional>

#include "compiler/operators/aggregate_functions.h"
#include "compiler/operators/keyed_state.h"
#include "compiler/sql/change.h"

namespace pgtrickle::compiler {

class Aggregate final : public StatefulOperator {
 public:
  /// Output columns: the keys, then the calls. `names` is parallel to that.
  Aggregate(OperatorPtr input, std::vector<Node> keys, std::vector<AggregateCall> calls,
            const std::vector<std::string>& names);

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<Aggregate>(*this); }
  [[nodiscard]] FromItem post() const override;
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  std::vector<int> prune(const std::set<int>& needed) override;
  bool absorb_filter(const Node& predicate) override;
  void resolve_types(TypeOracle& oracle) override;
  [[nodiscard]] std::vector<Key> keys() const override;
  [[nodiscard]] bool single_row() const override { return global(); }
  /// Without calls it is DISTINCT.
  [[nodiscard]] std::optional<std::string> non_monotone() const override {
    return calls_.empty() && !global() ? std::nullopt : std::optional(describe());
  }
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string cost_class() const override;
  void index_advice(std::vector<std::string>& advice) const override;

  [[nodiscard]] std::vector<std::string> state_ddl() const override;
  [[nodiscard]] std::vector<std::string> rebuild() const override;
  [[nodiscard]] Changes differential(Statement& statement) const override;
  [[nodiscard]] bool by_key() const override { return !global(); }
  [[nodiscard]] Select changed_keys(Statement& statement) const override;
  [[nodiscard]] FromItem from_state() const override;
  void want_lookup(int column) override;
  [[nodiscard]] bool indexed(int column) const override;
  [[nodiscard]] std::size_t state_keys() const override { return keys_.size(); }
  [[nodiscard]] std::vector<std::string> notes() const override;

  /// Whether there are groups of which all is added up. Then changes can be added to the state in any order, by
  /// statements that lock the groups as they add to them. What is below is for such an aggregate.
  [[nodiscard]] bool only_adds() const;
  /// A unique index on the key, if its identity is none.
  [[nodiscard]] std::vector<std::string> unique_ddl() const;
  /// What rows with weights add to each group; where that may be nothing, such groups are left out.
  [[nodiscard]] Select increments(const Query& rows, const std::vector<std::string>& conditions,
                                  bool may_be_none) const;
  /// Adds them to the state. The result is the state of these groups: its columns, and its ctid as tid_column().
  [[nodiscard]] Insert add_to_state(const std::string& increments) const;
  [[nodiscard]] std::string tid_column() const;
  /// FROM and the rest of a query that locks what a snapshot shows of the groups whose state is in `tids` by now.
  [[nodiscard]] std::string seen_of(const std::string& tids) const;
  /// Conditions on a row s of the state: there are rows in the group; it is as if it had never been there.
  [[nodiscard]] std::string not_empty() const;
  [[nodiscard]] std::string nothing_left() const;
  /// A sum in the state cannot be told: it was NaN or infinite once, and stays so. Empty: that cannot be.
  [[nodiscard]] std::string untold() const;
  /// The output rows that `state` (as of add_to_state()) tells.
  [[nodiscard]] Select told(const std::string& state) const;
  /// The others, computed from the source, of rows of the state that `condition` selects.
  [[nodiscard]] Select computed(const std::string& condition) const;

 private:
  struct Layout;  // names of the state's columns and the components behind each call

  [[nodiscard]] bool global() const { return keys_.empty(); }
  [[nodiscard]] Layout layout() const;
  [[nodiscard]] KeyedState state(const Layout& layout) const;
  [[nodiscard]] std::vector<std::string> key_expressions() const;
  [[nodiscard]] Select grouped(const Layout& layout) const;
  [[nodiscard]] Select state_query(const Layout& layout) const;
  [[nodiscard]] std::string group_delta(Statement& statement, const Layout& layout) const;
  [[nodiscard]] Select beside_state(const Layout& layout, const std::string& changed, bool with_old) const;
  [[nodiscard]] std::string recomputed(Statement& statement, const Layout& layout, const std::string& merged) const;
  [[nodiscard]] Query recompute_query(
      const Layout& layout, const FromItem& keys, bool with_n,
      const std::function<std::vector<std::string>(const std::vector<std::string>&)>& if_any) const;
  [[nodiscard]] std::vector<std::string> groups_ddl(const Layout& layout) const;
  [[nodiscard]] std::string key_row(const Layout& layout, const std::string& prefix) const;
  [[nodiscard]] std::string added(const Layout& layout, std::size_t component) const;

  std::vector<Node> keys_;
  std::vector<AggregateCall> calls_;
  std::vector<Key> lookups_;  // key columns that need an index of their own
};

/// DISTINCT over `input`: the aggregate with all columns as keys.
OperatorPtr make_distinct(OperatorPtr input);

}  // namespace pgtrickle::compiler
