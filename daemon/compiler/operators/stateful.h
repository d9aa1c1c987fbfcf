// A stateful operator owns a state table and is maintained by a statement of its own, as a node of the program. Its
// parent, if it has one, sees it through a NodeScan: the state table is its post, the node's delta table its delta.
//
// Contract of differential(): adds common table expressions to the statement that bring the state table up to date, and
// returns the relation of affected output rows, from which the caller makes the node's delta or the changes of the
// stream table.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

/// The change of a stateful operator's output, in one of two forms.
/// Sides: affected output rows, old and new side by side. `was` and `now` say whether the row existed before and exists
/// after; the columns of a side that does not exist are meaningless. Key columns are the same on both sides.
/// Z-set (`zset`): `from` has the operator's columns and w, consolidated; the members about sides are empty.
struct Changes {
  std::string from;  // a CTE with the columns below
  bool zset = false;
  std::string was, now;                  // names of the flags
  std::vector<std::string> old_columns;  // quoted names, parallel to the operator's columns
  std::vector<std::string> new_columns;
  std::string violation;  // scalar SQL: number of affected rows that show a broken invariant
  /// Where the statement leaves state rows to a later one (Statement::leaves_gone()): one row, with `broken` instead of
  /// `violation`, and `gone`: an array of the ctids of state rows behind which nothing is left, or NULL.
  std::optional<Select> tally;
};

class StatefulOperator : public Operator {
 public:
  StatefulOperator* as_stateful() override { return this; }

  struct NodeNames {
    std::string state, delta;  // tables
    std::string groups;        // the function that computes groups of the state once more
  };
  void set_node(int number, NodeNames names);
  [[nodiscard]] int node_number() const { return node_number_; }
  [[nodiscard]] const std::string& state_table() const { return names_.state; }
  [[nodiscard]] const std::string& delta_table() const { return names_.delta; }
  [[nodiscard]] const std::string& groups_function() const { return names_.groups; }

  /// CREATE TABLE and indexes of the state, in order, and functions that compute parts of it.
  [[nodiscard]] virtual std::vector<std::string> state_ddl() const = 0;
  /// Statements that rebuild the state from the inputs' post-states.
  [[nodiscard]] virtual std::vector<std::string> rebuild() const = 0;
  [[nodiscard]] virtual Changes differential(Statement& statement) const = 0;
  /// Changes of different keys do not know of each other.
  [[nodiscard]] virtual bool by_key() const { return false; }
  /// by_key(): the hash of the key of each row that has changed (row_hash), some of them perhaps for nothing.
  [[nodiscard]] virtual Select changed_keys(Statement& statement) const;
  /// FROM item of the output as the state has it.
  [[nodiscard]] virtual FromItem from_state() const = 0;
  /// An index on the state for lookups by this output column.
  virtual void want_lookup(int column) = 0;
  /// That such a lookup has an index. Here: every column whose type allows one.
  [[nodiscard]] bool indexed(int column) const override;
  /// How many of its first columns are the key of its state table, if it can leave rows to a later statement. 0: not.
  [[nodiscard]] virtual std::size_t state_keys() const { return 0; }
  [[nodiscard]] virtual std::vector<std::string> notes() const { return {}; }

 private:
  int node_number_ = 0;
  NodeNames names_;
};

/// CREATE TABLE with the columns of a query and no rows.
std::string empty_table(const std::string& table, const Query& query);
/// Statements that replace the content of a state table.
std::vector<std::string> refilled(const std::string& table, const std::vector<std::string>& columns,
                                  const Query& query);
/// Indexes of a state table for lookups by one column; none if its type allows none.
std::vector<std::string> lookup_ddl(const std::string& table, const OutputColumn& column);

}  // namespace pgtrickle::compiler
