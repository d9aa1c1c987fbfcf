// The analyzer's inside: one class, one file per part of a query (query, recursion, from_clause, lateral, expressions,
// sublinks, aggregates, set_operations, ordering). Everything is resolved to positions: an expression refers to the row
// of the operator it will stand over by $n.
//
// Subqueries in expressions (sublinks) are resolved in two steps. First their outer references become $n like any other
// column, while everything inside stays SQL text (bind); such an expression is still a function of the outer row and of
// the database. Then, before it is put into an operator, the sublink is taken out: it becomes a semi join, a join with
// a one-row relation, or a column of an Apply (sublinks.cpp).
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/analyze/tagged_columns.h"
#include "compiler/catalog.h"
#include "compiler/error.h"
#include "compiler/limits.h"
#include "compiler/operators/apply.h"
#include "compiler/operators/lateral.h"
#include "compiler/operators/operator.h"
#include "compiler/operators/recursive_reference.h"
#include "compiler/operators/sort_term.h"
#include "compiler/parse/ast.h"

namespace pgtrickle::compiler {

/// CTEs in scope, innermost first. A CTE's query sees only what came before it.
struct CteScope {
  const pg_query::CommonTableExpr* cte = nullptr;
  const CteScope* outer = nullptr;
  bool shared = false;  // referenced more than once
  bool recursive = false;
  std::shared_ptr<pg_query::CommonTableExpr> rewritten;  // what `cte` is, if it is not as it was written
  std::shared_ptr<RecursiveRows> rows;  // while its recursive term is analyzed: what a reference in it reads
};

/// A relation that names can refer to; its columns are expressions over the row of the FROM clause (usually a position;
/// COALESCE for the merged column of a FULL JOIN).
struct ScopeRelation {
  std::string alias;
  std::vector<std::pair<std::string, Node>> columns;
  std::string row_type;  // of a table: its qualified name, which is the type of a whole-row reference
  int never_null = -1;   // of a table: one of its columns that no row has NULL in
  bool padded = false;   // there are rows without a row of it
};

struct Scope {
  std::vector<ScopeRelation> relations;
  std::vector<std::pair<std::string, Node>> merged;  // unqualified names that USING made unambiguous
  const CteScope* ctes = nullptr;
};

/// What one FROM item contributes, before it is put beside the others.
struct AnalyzedItem {
  std::vector<OperatorPtr> inputs;
  std::vector<Node> conditions;  // over this item's own row, as everything else here
  std::vector<ScopeRelation> relations;
  std::vector<std::pair<std::string, Node>> merged;
  int width = 0;
  bool ordered = false;  // its rows come in an order that a subquery asks for
};

/// A LATERAL subquery before it is put beside the rows that it reads ($n).
struct LateralItem {
  pg_query::SelectStmt select;
  std::vector<std::string> names;
  AnalyzedItem right;  // without inputs
};

/// What is around a join tree in FROM: the items before it, if they have to be part of it, and the conjuncts of WHERE
/// that have not been applied.
struct Surroundings {
  AnalyzedItem* before = nullptr;
  std::vector<Node>* where = nullptr;
};

/// Whose row a column belongs to, inside of a subquery that is being taken apart.
enum class Level { kOwn, kOuter };

/// A subquery taken apart at its correlation: the rows it reads, and the conditions that tie them to the outer row.
struct Core {
  OperatorPtr relation;
  std::vector<Node> correlated;  // over the outer row (Level::kOuter) and the relation's row
  std::vector<Node> outputs;     // its select list over the relation's row; empty if it is not a plain one
  bool plain = true;             // no grouping, aggregates, LIMIT: a row of the relation is a row of the subquery
};

/// While it lives, what is analyzed must not read the clock: it is evaluated or followed in a way that knows no time.
class Timeless {
 public:
  explicit Timeless(int& depth) : depth_(depth) { ++depth_; }
  Timeless(const Timeless&) = delete;
  Timeless& operator=(const Timeless&) = delete;
  ~Timeless() { --depth_; }

 private:
  int& depth_;
};

/// A subquery that is a value; of several columns it is one only together with the row that it is compared with.
bool is_value(const Node& node);

class QueryAnalyzer {
 public:
  QueryAnalyzer(const Catalog& catalog, const Limits& limits) : catalog_(catalog), limits_(limits) {}

  /// The query as an operator whose columns are its select list, in order.
  OperatorPtr query(const pg_query::SelectStmt& select, const CteScope* ctes, int depth);

  std::vector<std::string> notes_;

 private:
  // query.cpp
  OperatorPtr plain_select(const pg_query::SelectStmt& select, const CteScope* ctes, int depth);
  OperatorPtr values(const pg_query::SelectStmt& select);

  // recursion.cpp
  /// The CTEs of a query beside those around it; `own` keeps them.
  static const CteScope* with_ctes(const pg_query::SelectStmt& select, const CteScope* outer,
                                   std::vector<std::unique_ptr<CteScope>>& own);
  static std::vector<std::string> cte_names(const pg_query::CommonTableExpr& cte);
  OperatorPtr recursive_table(const CteScope& scope, int depth);
  /// A CTE that reads itself as a query that stands for itself.
  static Node written_out(const pg_query::CommonTableExpr& cte);

  // ordering.cpp
  OperatorPtr ordered(const pg_query::SelectStmt& select, OperatorPtr input, const std::vector<Node>& targets,
                      const std::vector<std::string>& names, std::vector<Node> distinct_on,
                      std::vector<SortTerm> order);
  OperatorPtr limited(const pg_query::SelectStmt& select, OperatorPtr input, std::vector<SortTerm> order);
  std::vector<SortTerm> sort_terms(const pg_query::SelectStmt& select, const std::vector<Node>& targets,
                                   const std::vector<std::string>& names, const Scope& scope);
  std::vector<SortTerm> output_sort_terms(const pg_query::SelectStmt& select, const Operator& output,
                                          const std::vector<std::string>& names);
  Node output_or_input(const Node& node, const std::vector<Node>& targets, const std::vector<std::string>& names,
                       const Scope& scope);

  // row_order.cpp
  /// Throws Unsupported if the select list depends on the order of rows that FROM asks for.
  void check_row_order(const pg_query::SelectStmt& select, const std::vector<Node*>& exprs) const;
  /// Throws Unsupported if an ORDER BY that is ignored makes rows: a set-returning function that is in it alone.
  void check_sort_sets(const pg_query::SelectStmt& select, const std::vector<Node>& targets, const Scope& scope);

  // windows.cpp
  static bool has_window(const Node& expr);
  static void inline_windows(pg_query::SelectStmt& select);
  static OperatorPtr extract_windows(OperatorPtr input, const std::vector<Node*>& exprs);

  // set_operations.cpp
  OperatorPtr set_operation(const pg_query::SelectStmt& select, const CteScope* ctes, int depth);

  // aggregates.cpp
  struct Grouping;
  OperatorPtr aggregate(const pg_query::SelectStmt& select, const Scope& scope, OperatorPtr input,
                        const std::vector<std::string>& names, std::vector<Node*>& exprs);
  Grouping grouping(const pg_query::SelectStmt& select, const Scope& scope, const std::vector<Node*>& exprs);
  bool is_aggregate(const Node& node) const;
  bool has_aggregate(const Node& expr) const;
  /// Throws Unsupported if an aggregate in a subquery is one of the query around it: all its columns are.
  void check_aggregates_inside(const Node& sublink) const;

  // from_clause.cpp
  /// Takes conjuncts of `where` that can be applied early.
  AnalyzedItem from_clause(const pg_query::SelectStmt& select, const CteScope* ctes, int depth,
                           std::vector<Node>& where);
  AnalyzedItem from_item(const Node& node, const CteScope* ctes, int depth, Surroundings around = {});
  AnalyzedItem leaf(const Node& node, const CteScope* ctes, int depth);
  AnalyzedItem range_var(const pg_query::RangeVar& range, const CteScope* ctes, int depth);
  AnalyzedItem join_expr(const pg_query::JoinExpr& join, const CteScope* ctes, int depth, Surroundings around);
  bool joins_function(const pg_query::JoinExpr& join, const AnalyzedItem& left);
  AnalyzedItem join_function(const pg_query::JoinExpr& join, AnalyzedItem left, const CteScope* ctes);
  std::optional<AnalyzedItem> join_lateral_item(const pg_query::JoinExpr& join, AnalyzedItem& left,
                                                const CteScope* ctes, Surroundings around);
  AnalyzedItem join_reader_of_left(const pg_query::JoinExpr& join, AnalyzedItem left, const CteScope* ctes, int depth);
  AnalyzedItem join_items(const pg_query::JoinExpr& join, AnalyzedItem left, AnalyzedItem right,
                          std::optional<LateralItem> lateral, const CteScope* ctes, Surroundings around);
  AnalyzedItem row_function(AnalyzedItem left, const Node& function, const CteScope* ctes, bool outer,
                            const Node* condition);
  /// The right side of a LEFT JOIN as a LATERAL subquery that has the join's condition; nullopt: not possible.
  std::optional<LateralItem> as_lateral(const pg_query::JoinExpr& join, const AnalyzedItem& left,
                                        const AnalyzedItem& right, const CteScope* ctes);
  AnalyzedItem outer_join(AnalyzedItem left, AnalyzedItem right, std::vector<Node> conditions, pg_query::JoinType type);
  /// The item as one operator with the same row; its conditions without sublinks are part of it, the others remain.
  OperatorPtr combined(AnalyzedItem& item);

  // lateral.cpp
  static bool is_lateral(const Node& item);
  bool at_most_one_row(const pg_query::SelectStmt& select) const;
  void check_choices(const pg_query::SelectStmt& select) const;
  bool is_row_by_row(const pg_query::SelectStmt& select) const;
  /// nullopt: it reads nothing of what is left of it.
  std::optional<LateralItem> lateral_item(const AnalyzedItem& left, const Node& node, const CteScope* ctes);
  /// `on`: of an outer join, over the row of both.
  AnalyzedItem join_lateral(AnalyzedItem left, LateralItem item, bool outer, std::vector<Node> on);
  AnalyzedItem beside_rows(AnalyzedItem left, AnalyzedItem right, LateralSubquery subquery);
  /// Applies conjuncts of WHERE that concern these items alone: what is computed per row of them is for fewer rows.
  void take_filters(AnalyzedItem& left, std::vector<Node>* where, const CteScope* ctes);

  // expressions.cpp
  /// Throws Unsupported if it reads the clock outside of subqueries. resolve_condition() lets that pass: what it
  /// returns goes to filtered().
  Node resolve(const Node& expr, const Scope& scope);
  Node resolve_condition(const Node& expr, const Scope& scope);
  Node resolved(const Node& expr, const Scope& scope, bool at_any_time);
  /// The input with conditions without sublinks over it, those on the time in an operator each.
  OperatorPtr filtered(OperatorPtr input, std::vector<Node> conditions) const;
  Node lookup(const Node& node, const Scope& scope);
  const FunctionInfo* function(const Node& node) const;
  bool returns_set(const Node& expr) const;
  static std::string default_name(const Node& expr);
  static std::vector<std::string> select_names(const pg_query::SelectStmt& select);

  // sublinks.cpp
  void bind(pg_query::SelectStmt& select, const Scope& scope, std::set<std::string> locals,
            std::set<std::string> local_ctes);
  static bool has_sublink(const Node& expr);
  /// Puts the conjuncts that contain sublinks over `input`, which may get more columns at its end.
  OperatorPtr filter_sublinks(OperatorPtr input, std::vector<Node> conjuncts);
  /// Replaces the sublinks in the expressions by columns that are added to the input.
  OperatorPtr extract_sublinks(OperatorPtr input, const std::vector<Node*>& exprs);
  bool semi_join(OperatorPtr& input, const Node& conjunct);
  OperatorPtr value_join(OperatorPtr input, const Node& sublink, Node& value);
  std::optional<Core> core(const pg_query::SelectStmt& subquery);
  /// `keys`: the number of columns of the tuple, which begins with the outer columns.
  std::vector<Feed> feeds(const Node& sublink, const std::vector<int>& outer_columns, int keys);
  std::vector<Feed> every_source(const pg_query::SelectStmt& subquery);

  const Catalog& catalog_;
  const Limits& limits_;
  int timeless_ = 0;      // Timeless objects that live
  bool ordered_ = false;  // whether the query analyzed last asks for an order of its rows, itself or in its FROM
};

/// Takes the conditions that read the clock out of the others.
std::vector<Node> take_timed(std::vector<Node>& conditions);
Node equality(Node left, Node right);
/// x IS NOT DISTINCT FROM y
Node not_distinct(const Node& left, const Node& right);
/// Whether anything but comparisons reads the outer column, so that the way in which its value is written may matter.
bool shows_spelling(const Node& sublink, int index);
/// A subquery in it has a relation by name in its FROM: a table, a view, a CTE.
bool reads_tables(const Node& expr);
/// Puts `right` beside `left`.
void append(AnalyzedItem& left, AnalyzedItem right);
/// Names that a FROM item brings into scope; `merged`: columns of its USING, after a line break.
void collect_aliases(const Node& item, std::set<std::string>& aliases, std::set<std::string>& merged);

}  // namespace pgtrickle::compiler
