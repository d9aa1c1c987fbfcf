// The query generator's inside: one class, its parts in a file per construct (from_clause.cpp, sublink.cpp,
// grouping.cpp, aggregate.cpp, set_operation.cpp, ordering.cpp, with_clause.cpp). Everything that it writes gives a
// result that is determined by the data alone, and raises nothing.
#pragma once

#include <string>
#include <vector>

#include "property/expression.h"
#include "property/query.h"

namespace pgt::property {

struct ScopeColumn {
  std::string alias;  // empty: of no single input, but merged by USING or NATURAL
  Column column;
  bool hidden = false;  // merged away: only visible with its alias
  std::size_t input = 0;
};

/// A FROM clause, or a part of it.
struct From {
  std::string sql;
  std::vector<std::string> conditions = {};  // of joins by comma: for WHERE
  std::vector<ScopeColumn> columns = {};
  std::vector<Relation> inputs = {};
  double rows = 1;
  bool join = false;    // more than one item
  bool listed = false;  // with commas

  /// One function call (or LATERAL subquery): it may refer to its neighbours, so it is not to be used again.
  [[nodiscard]] bool is_function() const { return inputs.size() == 1 && inputs.front().sql == "("; }
};

class QueryGenerator;

/// Subqueries for the expressions of one place in a query; null pointers if the place must not have any.
class Sublinks : public SublinkSource {
 public:
  Sublinks(QueryGenerator& generator, const std::vector<Relation>& sources, int depth, Feature place, double rows)
      : generator_(generator), sources_(sources), depth_(depth), place_(place), rows_(rows) {}

  std::optional<std::string> sublink_predicate(const Atoms& atoms) override;
  std::optional<Expression> scalar_sublink(const Atoms& atoms, Kind kind) override;

 private:
  [[nodiscard]] bool possible() const;

  QueryGenerator& generator_;
  const std::vector<Relation>& sources_;
  int depth_;
  Feature place_;
  double rows_;
};

class QueryGenerator {
 public:
  static constexpr int kTop = 2;

  QueryGenerator(Context& context, int inputs) : context_(context), random_(context.random), inputs_left_(inputs) {}

  /// `kinds`: of the columns that it must have; null: any.
  Query query(int depth, std::vector<Relation> sources, const std::vector<Kind>* kinds = nullptr);

  [[nodiscard]] int inputs_left() const { return inputs_left_; }

 private:
  friend class Sublinks;
  using Sources = std::vector<Relation>;
  enum class JoinType { kInner, kLeft, kRight, kFull };

  struct Item {
    Expression expression;
    std::string name;  // without AS it would get this name; empty: none

    explicit Item(Expression e, std::string n = {}) : expression(std::move(e)), name(std::move(n)) {}
  };

  struct Grouping {
    Atoms keys;       // what may be used above: keys, columns that depend on them
    Atoms group;      // the same with the aggregates
    std::string sql;  // GROUP BY and HAVING
  };

  bool use(Feature feature) { return context_.use(feature); }
  bool chance(Feature feature, int percent) { return context_.chance(feature, percent) && context_.use(feature); }

  // with_clause.cpp
  std::string with_clause(int depth, Sources& sources);

  // query.cpp
  Query select(int depth, const Sources& sources, const std::vector<Kind>* kinds);
  void plain_items(const From& scope, ExpressionGenerator& rows, const std::vector<Kind>* kinds,
                   std::vector<Item>& items);
  std::string select_list(const std::vector<Item>& items, bool distinct, std::vector<Column>& columns);
  Expression set_returning(const Atoms& atoms);

  // window.cpp
  Expression window(const Atoms& atoms, bool numbering);

  // from_clause.cpp
  From from(int depth, const Sources& sources, int most);
  From tree(int inputs, int depth, const Sources& sources);
  From item(int depth, const Sources& sources);
  Relation relation(int depth, const Sources& sources);
  Relation plain_relation(const Sources& sources);
  From with_alias(Relation relation);
  std::string alias();
  From join(From left, From right, const Sources& sources);
  From join_by(JoinType type, From left, From right, const Sources& sources);
  From comma(From left, From right);
  bool merge(From& left, From& right, JoinType type);
  std::vector<std::string> equalities(const From& left, const From& right, bool lasting);
  From renamed_join(From joined, bool of_function);
  Atoms atoms_of(const std::vector<ScopeColumn>& columns, bool bare_allowed);

  struct InnerScope {
    From from;
    std::string where;
    Atoms atoms;
  };

  // row_source.cpp
  From function_item(const Atoms& left);
  Relation unpivoted(const Atoms& left);
  Relation correlated(const Atoms& left, int depth, const Sources& sources);
  From lateral_subquery(const Atoms& left, int depth, const Sources& sources);
  From function_join(From left, int depth, const Sources& sources);
  Relation values_relation();
  std::string values_of(const std::vector<Kind>& kinds, int rows);

  // sublink.cpp
  InnerScope inner_scope(const Atoms& outer, const Sources& sources, int depth);
  std::string sublink_predicate(const Atoms& atoms, const Sources& sources, int depth);
  std::optional<Expression> scalar_sublink(const Atoms& atoms, Kind kind, const Sources& sources, int depth);
  std::optional<Expression> inner_aggregate(const InnerScope& scope, Kind kind);
  std::string membership(const Atoms& atoms, const Sources& sources, int depth);
  std::string row_membership(const Atoms& atoms, const Sources& sources, int depth);
  std::string existence(const Atoms& atoms, const Sources& sources, int depth);

  // grouping.cpp
  Grouping grouping(const From& scope, const Atoms& atoms, Sublinks rows, Sublinks having);
  std::string grouping_sets(const Atoms& keys, Atoms& group);
  void grouped_items(const Grouping& grouping, const std::vector<Kind>* kinds, SublinkSource* sublinks,
                     std::vector<Item>& items);
  Expression grouping_key(const Atoms& atoms, SublinkSource* sublinks);

  // aggregate.cpp
  Expression aggregate(const Atoms& atoms, SublinkSource* sublinks = nullptr);
  Expression ordered_aggregate(const Atoms& atoms, const Expression& x, const std::string& filter);
  Expression ordered_set_aggregate(const Expression& x, const std::string& filter);
  Expression regression(const Atoms& atoms, const std::string& filter);
  std::string filter(const Atoms& atoms);

  // set_operation.cpp
  Query set_operation(int depth, const Sources& sources, const std::vector<Kind>* kinds);
  Query branch(int depth, const Sources& sources, const std::vector<Kind>& kinds);

  // ordering.cpp
  std::string total_order(const std::vector<Column>& columns, std::size_t leading = 0);
  std::string direction();
  void limit(Query& query, bool top, const Atoms& sortable);
  std::string distinct_on(const std::vector<Column>& columns, std::string& order);

  Context& context_;
  Random& random_;
  int inputs_left_;
  int names_ = 0;
  int sublink_level_ = 0;
  std::vector<std::string> aliases_;  // of the FROM clause in the making
};

std::string qualified_name(const ScopeColumn& column);
/// Whether its name means it, among all columns in scope.
bool usable(const ScopeColumn& column, const std::vector<ScopeColumn>& columns);
std::string column_list(const std::vector<Column>& columns);
std::string conjunction(const std::vector<std::string>& conditions);
void rename(std::vector<Column>& columns, const std::string& prefix);
/// Of equal rows any may be the one that stays.
void unsettle(std::vector<Column>& columns);

}  // namespace pgt::property
