// An operator of a compiled query: a relation that can be rendered in two ways, `post` (its content after the changes)
// and `delta` (a Z-set: the change since the frontier). Each operator is one file that states its rule; no operator
// knows another's class, so adding one changes none.
//
// Rows are positional: expressions of an operator refer to its input row by $n (parse/ast.h). Every output column has a
// name that is unique within the operator and never `w`, which is the weight column of a delta.
// Ownership: a tree of unique_ptr. Not thread-safe; a tree belongs to one compilation.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/catalog.h"
#include "compiler/parse/ast.h"
#include "compiler/sql/query.h"

namespace pgtrickle::compiler {

class SourceNumbers;
class StatefulOperator;
class Statement;

struct OutputColumn {
  std::string name;
  bool not_null = false;
  std::optional<TypeInfo> type;  // known for all after resolve_types()
  std::int32_t typmod = -1;
};

/// A rendered delta, whose columns are the operator's names plus w.
struct Delta {
  FromItem from;
  bool consolidated = false;  // no two rows are equal, no weight is 0
};

/// Output columns that identify a row, together unique. NULL counts as a value like any other.
using Key = std::vector<int>;

class Operator;
using OperatorPtr = std::unique_ptr<Operator>;

class Operator {
 public:
  Operator() = default;
  Operator& operator=(const Operator&) = delete;
  virtual ~Operator() = default;
  /// A tree of its own that is the same. Some rewrites need an input twice; equal nodes are found again when the tree
  /// is cut (plan/cut.h).
  [[nodiscard]] virtual OperatorPtr clone() const = 0;

  /// FROM item of the content after the changes, with the columns' names.
  [[nodiscard]] virtual FromItem post() const = 0;
  /// FROM item of the change; may add common table expressions to the statement. `consolidate` says that the caller
  /// profits from a consolidated delta; it is a wish, the answer is in the result.
  [[nodiscard]] virtual Delta delta(Statement& statement, bool consolidate) const = 0;
  /// What it reads of a source itself, positions in the source's columns; the inputs are not asked.
  struct Reads {
    const Source* source = nullptr;
    std::vector<int> columns;
  };
  [[nodiscard]] virtual std::optional<Reads> reads() const { return std::nullopt; }
  /// A column of a source that a row passes on as it is, and the operator that reads it there.
  struct Origin {
    const Operator* scan = nullptr;
    const Source* source = nullptr;
    const SourceColumn* column = nullptr;
  };
  /// Where an output column comes from, if it is a source's, and no other source's in other rows.
  [[nodiscard]] virtual std::optional<Origin> source_of(int column) const;
  /// Two inputs whose rows are looked up by each other's changes: of two transactions that change one each, both would
  /// miss what the changes have in common.
  struct Meeting {
    const Operator* left = nullptr;
    const Operator* right = nullptr;
    std::vector<std::pair<int, int>> equal;  // columns of left and right that are equal in rows that meet
    bool left_counted = false;               // the result depends on whether a row of the left has been the last match
    bool right_counted = false;
  };
  /// The inputs that meet (plan/writer_locks.h); the inputs' own are not among them. nullopt: a change may need to know
  /// anything of the rest.
  [[nodiscard]] virtual std::optional<std::vector<Meeting>> meetings() const;
  /// How the sources are numbered, once all sources of the program are known.
  virtual void number(const SourceNumbers& numbers);
  /// Bits of the sources (Statement's numbering) that can change this relation.
  [[nodiscard]] virtual std::uint64_t source_mask() const;

  /// Drops output columns that are not in `needed`; returns the new position of each old column, -1 if dropped.
  virtual std::vector<int> prune(const std::set<int>& needed) = 0;
  /// Takes over a filter on the output row, if that can be done at no cost to the result. False: not taken.
  virtual bool absorb_filter(const Node& predicate);
  /// Moves conditions of its own to the inputs that they concern. An operator that has become superfluous, or another
  /// kind of one, returns what takes its place; nullptr: it stays.
  virtual OperatorPtr push_down() { return nullptr; }
  /// The one input that alone has these output columns, if rows of it that are taken away take away exactly the output
  /// rows with those values, and where its columns begin. For what filters by more than an expression. nullptr: none.
  struct Place {
    OperatorPtr* input = nullptr;
    int offset = 0;
  };
  virtual Place filterable(const std::vector<int>& columns);
  /// Fills in the types of output columns and whatever else depends on types, inputs first.
  virtual void resolve_types(TypeOracle& oracle);
  [[nodiscard]] virtual std::vector<Key> keys() const { return {}; }

  /// A relation that has at least the values of these columns that this one has, and as little else as possible;
  /// `columns` become the positions in it. For lookups by these columns that need not be exact.
  [[nodiscard]] virtual OperatorPtr superset(std::vector<int>& columns) const;

  /// Row-wise operators (filter, project) can be put over any relation that has their input's columns: `from` is such a
  /// FROM item, `carried` names columns that are passed through. Empty: not row-wise.
  [[nodiscard]] virtual FromItem over(const FromItem& from, const std::vector<std::string>& carried) const;
  [[nodiscard]] virtual bool rowwise() const { return false; }
  /// Row-wise operators: the input column that output column `position` passes through unchanged, -1 if it is computed.
  [[nodiscard]] virtual int origin(int position) const;
  /// Row-wise operators that make one row of one: the same expression over the input's row.
  [[nodiscard]] virtual Node below(const Node& expr) const { return expr; }

  /// Row-wise operators: the conditions over the input's row under which it passes.
  [[nodiscard]] virtual std::vector<Node> predicates() const { return {}; }

  /// This operator, if it keeps state: then it has to be a node of its own unless it is at the root. Else nullptr.
  virtual StatefulOperator* as_stateful() { return nullptr; }
  /// True: several answers would be right (rows that tie), and this operator has chosen one.
  [[nodiscard]] virtual bool breaks_ties() const { return false; }

  /// Monotone: rows that are added to the inputs add rows and take none away. If it is not known to be, what to call it
  /// (the inputs are not asked). Cycles of stream tables have a least fixed point only if all is monotone.
  [[nodiscard]] virtual std::optional<std::string> non_monotone() const { return describe(); }

  /// There is always exactly one row, and a delta that is not empty is its old and its new version, weights -1 and +1.
  [[nodiscard]] virtual bool single_row() const { return false; }

  /// Looks rows of one input up by the changes of another: how best to do that depends on how many there are.
  [[nodiscard]] virtual bool joins() const;

  [[nodiscard]] virtual std::string describe() const = 0;    // one line of the plan
  [[nodiscard]] virtual std::string cost_class() const = 0;  // "O(delta)" and its kin
  /// CREATE INDEX statements for source columns that a delta looks up and that have no index.
  virtual void index_advice(std::vector<std::string>& advice) const;
  /// Somebody above looks rows up by this output column.
  virtual void advise_lookup(int column, std::vector<std::string>& advice) const;
  /// Rows of post can be looked up by this output column through an index. False: not known.
  [[nodiscard]] virtual bool indexed(int column) const;
  /// The same, once the indexes exist that advise_lookup() asks for.
  [[nodiscard]] bool can_be_looked_up(int column) const;
  /// Rows of post can be had in the order of this output column, one after the other, once those indexes exist.
  [[nodiscard]] virtual bool in_order(int /*column*/) const { return false; }

  [[nodiscard]] const std::vector<OutputColumn>& columns() const { return columns_; }
  [[nodiscard]] const std::vector<OperatorPtr>& inputs() const { return inputs_; }
  std::vector<OperatorPtr>& inputs() { return inputs_; }

  /// Quoted column names, in order; with a prefix like "t." if given.
  [[nodiscard]] std::vector<std::string> column_names(const std::string& prefix = {}) const;

 protected:
  Operator(const Operator& other);  // deep, for clone()

  std::vector<OutputColumn> columns_;
  std::vector<OperatorPtr> inputs_;
};

/// Factories for operators that need to wrap an input without knowing these classes.
OperatorPtr make_filter(OperatorPtr input, std::vector<Node> predicates);
OperatorPtr make_join(std::vector<OperatorPtr> inputs, std::vector<Node> conditions);
OperatorPtr make_projection(OperatorPtr input, std::vector<Node> expressions, const std::vector<std::string>& names);
/// A projection with set-returning functions: none or several rows for each row.
OperatorPtr make_set_projection(OperatorPtr input, std::vector<Node> expressions,
                                const std::vector<std::string>& names);

/// SQL of an expression over the row of `input`, which is in scope as `alias`.
std::string render(const Node& expr, const std::string& alias, const Operator& input);

/// The same as an operand: in parentheses, unless it is a plain column.
std::string render_operand(const Node& expr, const std::string& alias, const Operator& input);

/// Stands for the image (TypeInfo::image) of a column whose type is not known yet, in a projection or a join.
Node image_of(int index);
/// Puts the images themselves in their place, once the types are known.
void expand_images(Node& expr, const std::vector<OutputColumn>& columns);

/// Types of expressions over `input`; asks the oracle only if one of them is more than a plain column.
std::vector<TypeInfo> expression_types(const std::vector<Node>& expressions, const Operator& input, TypeOracle& oracle);

/// The positions that prune() keeps, as old -> new, and `columns` reduced accordingly.
std::vector<int> keep_columns(std::vector<OutputColumn>& columns, const std::set<int>& needed);
Node remap(const Node& expr, const std::vector<int>& mapping);

}  // namespace pgtrickle::compiler
