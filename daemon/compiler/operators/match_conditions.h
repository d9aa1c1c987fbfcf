// The condition of a join with two inputs, as conjuncts over the left row followed by the right row, and what outer and
// semi joins need to know of it: which conjuncts are equalities that can serve as keys, which concern one side alone.
#pragma once

#include <optional>

#include "compiler/operators/pair_row.h"

namespace pgtrickle::compiler {

/// Whether `left = right` puts exactly those values together that each side's own equality puts together. Across types
/// it often does not: several numerics equal one float8, several timestamps one timestamptz.
bool is_one_equality(const TypeInfo& left, const TypeInfo& right);

/// `left = right`, each an expression over one side's columns only. Positions are those of the row of both sides. The
/// expressions are cast to what is compared, where their own equality is another one.
struct KeyPair {
  Node left;
  Node right;

  [[nodiscard]] const Node& of(Side side) const { return side == Side::kLeft ? left : right; }
};

class MatchConditions {
 public:
  explicit MatchConditions(const std::vector<Node>& conditions);

  /// Finds out which conjuncts are keys, which depends on types.
  void resolve_types(const Operator& left, const Operator& right, TypeOracle& oracle);
  void add(const Node& conjunct) { conjuncts_.push_back({conjunct, std::nullopt}); }
  /// Removes the conjuncts that read columns of this side only (and at least one) and returns them, over that side's
  /// row.
  std::vector<Node> take(Side side, const PairRow& row);
  void remap(const std::vector<int>& mapping);

  [[nodiscard]] bool empty() const { return conjuncts_.empty(); }
  [[nodiscard]] std::vector<Node> all() const;
  [[nodiscard]] std::vector<KeyPair> keys(const PairRow& row) const;
  /// Conjuncts that are no keys and read columns of both sides / of this side alone; constants count as the right's.
  [[nodiscard]] std::vector<Node> mixed(const PairRow& row) const;
  [[nodiscard]] std::vector<Node> local(Side side, const PairRow& row) const;
  /// Plain columns equated by keys: (column of left, column of right), each a position in its own side's row.
  [[nodiscard]] std::vector<std::pair<int, int>> equated(const PairRow& row) const;

 private:
  /// How the two sides of a key are compared: types to cast them to and a collation, each empty if they are so already.
  struct Comparison {
    std::string left_type, right_type, collation;
  };
  struct Conjunct {
    Node expr;
    std::optional<Comparison> key;
  };
  static std::optional<Comparison> comparison(const TypeInfo& left, const TypeInfo& right, TypeOracle& oracle);

  std::vector<Conjunct> conjuncts_;
};

/// Two inputs in scope as two aliases.
struct MatchScope {
  const Operator& left;
  std::string left_alias;
  const Operator& right;
  std::string right_alias;

  /// SQL of an expression over the row of both sides; as_operand: in parentheses unless it is a plain column.
  [[nodiscard]] std::string sql(const Node& expr, bool as_operand = false) const;
  /// SQL of conjuncts, each fit to stand beside AND.
  [[nodiscard]] std::vector<std::string> sql(const std::vector<Node>& conjuncts) const;
};

/// The delta of an input as a common table expression: it stands in several terms and shall be computed once.
std::string materialized_delta(Statement& statement, const Operator& input);

/// What prune() does for an operator with two inputs whose conditions stay: prunes both, and returns the positions of
/// the row of both sides, old -> new, -1 if dropped.
std::vector<int> prune_sides(std::vector<OperatorPtr>& inputs, MatchConditions& conditions,
                             const std::set<int>& needed);

/// Puts a filter on an input, below whatever it can.
void filter_input(OperatorPtr& input, const Node& predicate);

}  // namespace pgtrickle::compiler
