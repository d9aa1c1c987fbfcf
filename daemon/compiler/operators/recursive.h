// Recursive: WITH RECURSIVE r AS (base UNION [ALL] step), where step reads r once. PostgreSQL sees to it that r is not
// under an aggregate, in a subquery of an expression or on the padded side of an outer join; who makes this operator
// checks that step is linear in r. The state is r. All that is read besides is read as it is after the changes.
//
// UNION ALL counts: d = delta(base) + delta(step with r as it was) + step(d). The rows that come are followed through
// step as PostgreSQL does it, and so are the rows that go. The state changes by the difference.
// UNION deletes and derives again. D: stored rows that the negative part of delta(base) or of delta(step) has, and
// stored rows that step makes of rows of D, but none that base has. A: rows of D that step makes of stored rows outside
// of D; new rows of delta(base) and of delta(step over the stored rows outside of D); and what step makes of rows of A,
// outside of what is left of the state. The change is A - D.
// No old version of what step reads is needed: a derivation that used a row which is gone is in delta(step).
// Both give up when they follow more rows than a share of the state (pgtrickle._recursion_budget): then all of it is
// derived from base, and the change is that minus the state. Where UNION ALL does not give up, what it follows is a sum
// of finitely many ways to rows, and ways that are both old and new cancel.
//
// The naive versions break on: rows in a circle that support each other when their only support from outside goes
// (counting never lets them go); a row that loses a derivation and gains one from a row that only it supports, if
// delta(step) is netted before its negative part is taken; the positive part, if it is not netted, has derivations that
// never were (both sides of a join changed); derivations of base and of step in one batch; a stored row that is derived
// again from another that equals it and looks different.
// With UNION ALL, rows that go, and rows that come and go at once, can run into a circle that the new result never
// reaches: without giving up neither ends. And the row that is lost from outside and gained from its own circle in one
// batch comes and goes: netted before they are followed, that is no change, and the circle stays. With UNION, in a
// graph with many circles nearly all rows are in doubt whatever goes: without giving up that costs many times the
// query. More rows of the result than the limit are an error, never a shorter result.
#pragma once

#include "compiler/operators/recursive_reference.h"
#include "compiler/operators/stateful.h"

namespace pgtrickle::compiler {

class Recursive final : public StatefulOperator {
 public:
  /// `step` reads `rows` through a RecursiveReference.
  Recursive(std::shared_ptr<RecursiveRows> rows, OperatorPtr base, OperatorPtr step, bool all);

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<Recursive>(*this); }
  [[nodiscard]] FromItem post() const override;
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  std::vector<int> prune(const std::set<int>& needed) override;
  void resolve_types(TypeOracle& oracle) override;
  [[nodiscard]] std::vector<Key> keys() const override;
  [[nodiscard]] bool joins() const override { return true; }
  [[nodiscard]] std::optional<std::string> non_monotone() const override {
    return all_ ? std::optional(describe()) : std::nullopt;
  }
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string cost_class() const override;
  void index_advice(std::vector<std::string>& advice) const override;

  [[nodiscard]] std::vector<std::string> state_ddl() const override;
  [[nodiscard]] std::vector<std::string> rebuild() const override;
  [[nodiscard]] Changes differential(Statement& statement) const override;
  [[nodiscard]] FromItem from_state() const override;
  [[nodiscard]] std::vector<std::string> notes() const override;
  void want_lookup(int column) override { lookups_.insert(column); }

 private:
  [[nodiscard]] const Operator& base() const { return *inputs_[0]; }
  [[nodiscard]] const Operator& step() const { return *inputs_[1]; }
  [[nodiscard]] std::vector<TypeInfo> types() const;
  /// Rows of step under the names and in the types of the columns.
  [[nodiscard]] Select typed(const FromItem& from) const;
  /// What step makes of these rows.
  [[nodiscard]] Select step_over(const FromItem& rows) const;
  [[nodiscard]] Select base_rows() const;
  /// The change of step while the rows that it reads stay these.
  [[nodiscard]] FromItem step_changes(Statement& statement, const FromItem& rows) const;
  [[nodiscard]] FromItem base_changes(Statement& statement) const;
  /// `limit`: how many rows at most; empty: all.
  [[nodiscard]] Query closure(const Query& first, const std::vector<std::string>& where,
                              const std::string& limit) const;
  /// How many rows may be followed, `share` of the state: the name of a CTE whose only row says so. Asked once, because
  /// the answer may change while the statement runs.
  [[nodiscard]] std::string budget(Statement& statement, const char* share) const;
  /// Whether one of these relations has more: the same, named "way" below.
  [[nodiscard]] static std::string given_up(Statement& statement, const std::vector<std::string>& followed,
                                            const std::string& budget);
  /// All rows, as base and step make them now, if that one says so.
  [[nodiscard]] std::string derived_from_base(Statement& statement, const std::string& way) const;
  [[nodiscard]] std::string say_given_up(const std::string& way) const;
  [[nodiscard]] std::string limit_check(const std::string& rows) const;
  [[nodiscard]] bool plain_identity() const;
  /// That a stored row s is this row.
  [[nodiscard]] std::vector<std::string> is_stored(const std::string& row) const;
  /// Whether a row is found among those of an input by a column that it has from a table.
  [[nodiscard]] int lookup_column(const Operator& input) const;
  /// There are rows that are equal and not the same.
  [[nodiscard]] bool loose() const;
  /// That a row q of `input` equals this one: one of these lists of conditions.
  [[nodiscard]] std::vector<std::vector<std::string>> same_row(const std::string& row, const Operator& input) const;
  /// That this row equals one of these. A subquery whose answer is tested is not made a join, which could be a nested
  /// loop, but hashed: rows of a named type are, those of type record are not.
  [[nodiscard]] std::string is_one_of(const std::string& row, const FromItem& rows) const;
  /// That this row, as it is, is among `rows`, which are those of `input`: one of these conditions.
  [[nodiscard]] std::vector<std::string> among(const std::string& row, const Operator& input, const Select& rows) const;
  /// The rows that equal one of `doubtful`.
  [[nodiscard]] std::vector<Query> found_again(const std::string& doubtful, const Operator& input,
                                               const Select& rows) const;
  [[nodiscard]] Changes counted(Statement& statement) const;
  [[nodiscard]] Changes derived_again(Statement& statement) const;

  std::shared_ptr<RecursiveRows> rows_;
  bool all_;
  std::set<int> lookups_;
};

}  // namespace pgtrickle::compiler
