// How subqueries that are kept per distinct tuple of outer values (Apply, Lateral) depend on the rows that they read: a
// feed is a relation of such rows, and its match says which tuples a row of it can matter to. A tuple is affected by a
// change if a changed row of a feed matches it, whether the row came or went; a superset of the affected tuples is
// right.
//
// The naive versions break on: inner changes that reach outer rows which did not change themselves; an equality behind
// IS NOT FALSE, which no index serves, so it is taken apart into "equal", "this is NULL" and "that is NULL".
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/operators/pair_row.h"

namespace pgtrickle::compiler {

/// The name under which a subquery sees its tuple: nobody else's.
constexpr const char* kOuterAlias = "pgt outer";

/// Inner rows whose change can change the values. `match`: conjuncts over the row (c, then the columns of `relation`)
/// that hold for every tuple that is affected; a superset does no harm. Empty: every tuple is affected. The relation
/// has all columns that matter and no others: a change that it does not show is none.
struct Feed {
  OperatorPtr relation;
  std::vector<Node> match;
};

class Correlation {
 public:
  /// `tuples`: FROM item with the columns `tuple`. The vectors are parallel; operators and matches outlive the object.
  Correlation(FromItem tuples, std::vector<OutputColumn> tuple, std::vector<const Operator*> feeds,
              const std::vector<std::vector<Node>>& matches)
      : tuples_(std::move(tuples)), tuple_(std::move(tuple)), feeds_(std::move(feeds)), matches_(matches) {}

  /// For every way in which a feed can affect tuples: `wanted` of the tuples s.
  [[nodiscard]] std::vector<Select> affected(Statement& statement, const std::vector<std::string>& wanted) const;
  /// The columns of the tuple that each feed's rows look up.
  [[nodiscard]] std::vector<Key> lookups() const;
  /// The tuples that a change affects are found by equality, whichever feed it is in.
  [[nodiscard]] bool finds_all() const;
  /// An index serves the subqueries, as far as their correlation says.
  [[nodiscard]] bool served() const;
  /// The subqueries look up what the feeds match.
  void index_advice(std::vector<std::string>& advice) const;

 private:
  struct Lookup;  // "c = something of the feed's row" within a conjunct

  /// What matches are over: the tuple, and beside it the feed's row.
  [[nodiscard]] PairRow row() const { return PairRow(static_cast<int>(tuple_.size())); }
  [[nodiscard]] bool over_tuple(const Node& conjunct) const { return row().reads(conjunct, Side::kLeft); }
  [[nodiscard]] bool over_feed(const Node& conjunct) const { return row().reads(conjunct, Side::kRight); }
  [[nodiscard]] std::optional<Lookup> lookup(const Node& conjunct) const;
  [[nodiscard]] std::vector<std::vector<Node>> arms(std::size_t feed) const;
  [[nodiscard]] std::string condition(std::size_t feed, const Node& conjunct) const;
  [[nodiscard]] Select affected_by(const Statement& statement, std::size_t feed, const std::vector<Node>& arm,
                                   const std::string& delta, const std::vector<std::string>& wanted) const;

  FromItem tuples_;
  std::vector<OutputColumn> tuple_;
  std::vector<const Operator*> feeds_;
  const std::vector<std::vector<Node>>& matches_;
};

}  // namespace pgtrickle::compiler
