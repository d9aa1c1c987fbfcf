#include "compiler/analyze/analyzer.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "compiler/analyze/volatility.h"
#include "compiler/error.h"
#include "compiler/operators/aggregate.h"
#include "compiler/operators/filter.h"
#include "compiler/operators/join.h"
#include "compiler/operators/project.h"
#include "compiler/operators/scan.h"
#include "compiler/operators/union_all.h"

namespace pgtrickle::compiler {

namespace {

using pg_query::SelectStmt;

constexpr int kMaxDepth = 64;  // of nested queries; far beyond what people write, well below any stack limit

/// A relation that names can refer to: its columns are positions in the row of the FROM clause.
struct ScopeRelation {
  std::string alias;
  std::vector<std::pair<std::string, int>> columns;
};

/// What one FROM item contributes, before it is put beside the others.
struct FromItem {
  std::vector<OperatorPtr> inputs;
  std::vector<Node> conditions;                     // over this item's own row
  std::vector<ScopeRelation> relations;             // positions in this item's own row
  std::vector<std::pair<std::string, int>> merged;  // unqualified names that USING made unambiguous
  int width = 0;
};

struct Scope {
  std::vector<ScopeRelation> relations;
  std::vector<std::pair<std::string, int>> merged;
};

/// CTEs in scope, innermost last. A name is looked up backwards; its query sees only what came before it.
struct CteScope {
  const pg_query::CommonTableExpr* cte = nullptr;
  const CteScope* outer = nullptr;
};

void shift(FromItem& item, int by) {
  for (auto& condition : item.conditions) condition = shift_columns(condition, by);
  for (auto& relation : item.relations)
    for (auto& column : relation.columns) column.second += by;
  for (auto& column : item.merged) column.second += by;
}

/// Puts `right` beside `left`.
void append(FromItem& left, FromItem right) {
  shift(right, left.width);
  for (auto& input : right.inputs) left.inputs.push_back(std::move(input));
  for (auto& condition : right.conditions) left.conditions.push_back(std::move(condition));
  for (auto& relation : right.relations) left.relations.push_back(std::move(relation));
  for (auto& column : right.merged) left.merged.push_back(std::move(column));
  left.width += right.width;
}

Node equality(int left, int right) {
  Node node;
  auto* expr = node.mutable_a_expr();
  expr->set_kind(pg_query::AEXPR_OP);
  expr->add_name()->mutable_string()->set_sval("=");
  *expr->mutable_lexpr() = column(left);
  *expr->mutable_rexpr() = column(right);
  return node;
}

class Analyzer {
 public:
  explicit Analyzer(const Catalog& catalog) : catalog_(catalog) {}

  /// The query as an operator whose columns are its select list, in order.
  OperatorPtr query(const SelectStmt& select, const CteScope* ctes, int depth) {
    if (depth > kMaxDepth)
      throw Unsupported("the query is nested more than " + std::to_string(kMaxDepth) + " levels deep", {});
    std::vector<std::unique_ptr<CteScope>> own;
    if (select.has_with_clause()) {
      if (select.with_clause().recursive()) {
        for (const auto& node : select.with_clause().ctes()) {
          if (references_itself(node.common_table_expr()))
            throw Unsupported("WITH RECURSIVE is not maintained incrementally", node.common_table_expr().ctename());
        }
      }
      for (const auto& node : select.with_clause().ctes()) {
        own.push_back(std::make_unique<CteScope>(CteScope{&node.common_table_expr(), ctes}));
        ctes = own.back().get();
      }
    }
    if (has_limit(select)) throw Unsupported("LIMIT / OFFSET is not maintained incrementally", fragment(select));
    if (!select.sort_clause().empty() && depth == 0)
      notes_.emplace_back("ORDER BY without LIMIT: accepted and ignored, a table has no order");
    if (select.op() != pg_query::SETOP_NONE) return set_operation(select, ctes, depth);
    if (!select.values_lists().empty()) throw Unsupported("VALUES is not maintained incrementally", fragment(select));
    return plain_select(select, ctes, depth);
  }

  std::set<std::uint32_t> views_;
  std::vector<std::string> notes_;

 private:
  static bool has_limit(const SelectStmt& select) {
    auto real = [](bool present, const Node& node) {
      return present && !(node.has_a_const() && node.a_const().isnull());
    };
    return real(select.has_limit_count(), select.limit_count()) ||
           real(select.has_limit_offset(), select.limit_offset());
  }

  static bool references_itself(const pg_query::CommonTableExpr& cte) {
    bool found = false;
    walk(cte.ctequery(), [&](const Node& node) {
      if (node.has_range_var() && node.range_var().schemaname().empty() && node.range_var().relname() == cte.ctename())
        found = true;
      return !found;
    });
    return found;
  }

  OperatorPtr set_operation(const SelectStmt& select, const CteScope* ctes, int depth) {
    if (select.op() != pg_query::SETOP_UNION || !select.all()) {
      const char* name = select.op() == pg_query::SETOP_UNION       ? "UNION"
                         : select.op() == pg_query::SETOP_INTERSECT ? "INTERSECT"
                                                                    : "EXCEPT";
      throw Unsupported(std::string(name) + (select.all() ? " ALL" : "") + " is not maintained incrementally",
                        fragment(select));
    }
    std::vector<OperatorPtr> branches;
    branches.push_back(query(select.larg(), ctes, depth + 1));
    branches.push_back(query(select.rarg(), ctes, depth + 1));
    return std::make_unique<UnionAll>(std::move(branches));
  }

  OperatorPtr plain_select(const SelectStmt& select, const CteScope* ctes, int depth) {
    if (!select.window_clause().empty())
      throw Unsupported("window functions are not maintained incrementally", fragment(select));
    FromItem from;
    for (const auto& node : select.from_clause()) append(from, from_item(node, ctes, depth));
    if (from.inputs.empty()) throw Unsupported("a SELECT without FROM has no source to follow", fragment(select));

    Scope scope{std::move(from.relations), std::move(from.merged)};
    std::vector<Node> conditions = std::move(from.conditions);
    if (select.has_where_clause()) split_conjuncts(resolve(select.where_clause(), scope), conditions);

    OperatorPtr input;
    if (from.inputs.size() == 1) {
      input = std::move(from.inputs.front());
      if (!conditions.empty()) input = make_filter(std::move(input), std::move(conditions));
    } else {
      input = std::make_unique<Join>(std::move(from.inputs), std::move(conditions));
    }

    std::vector<Node> targets;
    std::vector<std::string> names;
    for (const auto& node : select.target_list()) {
      const auto& target = node.res_target();
      targets.push_back(resolve(target.val(), scope));
      names.push_back(target.name().empty() ? default_name(target.val()) : target.name());
    }
    std::vector<Node> having;
    if (select.has_having_clause()) split_conjuncts(resolve(select.having_clause(), scope), having);

    const bool aggregates =
        std::any_of(targets.begin(), targets.end(), [&](const Node& n) { return has_aggregate(n); }) ||
        std::any_of(having.begin(), having.end(), [&](const Node& n) { return has_aggregate(n); });
    if (aggregates || !select.group_clause().empty() || select.has_having_clause())
      input = aggregate(select, scope, std::move(input), targets, having);
    input = std::make_unique<Project>(std::move(input), std::move(targets), names);
    if (!select.distinct_clause().empty()) {
      const bool on = select.distinct_clause_size() > 1 || select.distinct_clause(0).node_case() != Node::NODE_NOT_SET;
      if (on) throw Unsupported("DISTINCT ON is not maintained incrementally", fragment(select));
      input = make_distinct(std::move(input));
    }
    return input;
  }

  OperatorPtr aggregate(const SelectStmt& select, const Scope& scope, OperatorPtr input, std::vector<Node>& targets,
                        std::vector<Node>& having) {
    std::vector<Node> keys;
    auto add_key = [&](const Node& key) {
      for (std::size_t i = 0; i < keys.size(); ++i)
        if (equal(keys[i], key)) return static_cast<int>(i);
      keys.push_back(key);
      return static_cast<int>(keys.size() - 1);
    };
    for (const auto& node : select.group_clause()) {
      if (node.has_grouping_set())
        throw Unsupported("GROUPING SETS, ROLLUP and CUBE are not maintained incrementally", fragment(node));
      if (node.has_a_const() && node.a_const().has_ival()) {  // by position
        add_key(targets.at(static_cast<std::size_t>(node.a_const().ival().ival() - 1)));
      } else {
        add_key(resolve(node, scope));
      }
    }
    std::vector<AggregateCall> calls;
    auto add_call = [&](const Node& call) {
      for (std::size_t i = 0; i < calls.size(); ++i)
        if (equal(calls[i].call, call)) return static_cast<int>(i);
      const auto [schema, name] = qualified_name(call.func_call().funcname());
      AggregateCall added;
      added.call = call;
      added.schema = schema;
      added.name = name;
      calls.push_back(std::move(added));
      return static_cast<int>(calls.size() - 1);
    };
    // Two passes: keys may grow by columns that depend on a primary key in GROUP BY, and calls come after all keys.
    // Calls are numbered from kCalls on until the number of keys is known.
    constexpr int kCalls = 1 << 20;
    auto lift = [&](Node& expr) {
      rewrite(expr, [&](Node& node) {
        for (std::size_t i = 0; i < keys.size(); ++i) {
          if (equal(node, keys[i])) {
            node = column(static_cast<int>(i));
            return true;
          }
        }
        if (is_aggregate(node)) {
          node = column(kCalls + add_call(node));
          return true;
        }
        int index = 0;
        if (is_column(node, &index)) {
          // Valid SQL, so this column is functionally dependent on the keys: grouping by it too changes nothing.
          if (keys.empty()) throw Unsupported("a column outside of an aggregate function", fragment(node));
          node = column(add_key(node));
          return true;
        }
        return false;
      });
    };
    for (auto& expr : targets) lift(expr);
    for (auto& expr : having) lift(expr);
    const int key_count = static_cast<int>(keys.size());
    auto settle = [&](Node& expr) {
      expr = map_columns(expr, [&](int index) { return column(index >= kCalls ? index - kCalls + key_count : index); });
    };
    for (auto& expr : targets) settle(expr);
    for (auto& expr : having) settle(expr);

    std::vector<std::string> names;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      int index = 0;
      std::string name = "key";
      for (std::size_t t = 0; t < targets.size(); ++t) {
        int target = 0;
        if (is_column(targets[t], &target) && target == static_cast<int>(i)) {
          const auto& res = select.target_list(static_cast<int>(t)).res_target();
          name = res.name().empty() ? default_name(res.val()) : res.name();
          break;
        }
      }
      if (name == "key" && is_column(keys[i], &index)) name = input->columns().at(static_cast<std::size_t>(index)).name;
      names.push_back(std::move(name));
    }
    for (const auto& call : calls) names.push_back(call.name);
    OperatorPtr result = std::make_unique<Aggregate>(std::move(input), std::move(keys), std::move(calls), names);
    if (!having.empty()) result = make_filter(std::move(result), std::move(having));
    return result;
  }

  // FROM ------------------------------------------------------------------------------------------------------------

  FromItem from_item(const Node& node, const CteScope* ctes, int depth) {
    if (node.has_range_var()) return range_var(node.range_var(), ctes, depth);
    if (node.has_range_subselect()) {
      const auto& sub = node.range_subselect();
      if (sub.lateral())
        throw Unsupported("LATERAL is not maintained incrementally", fragment(sub.subquery().select_stmt()));
      // The operator's own names are made unique; SQL sees those of the select list.
      const auto names = select_names(sub.subquery().select_stmt());
      return relation(query(sub.subquery().select_stmt(), ctes, depth + 1), sub.alias().aliasname(), sub.alias(),
                      &names);
    }
    if (node.has_join_expr()) return join_expr(node.join_expr(), ctes, depth);
    if (node.has_range_function())
      throw Unsupported("functions in FROM are not maintained incrementally", function_text(node.range_function()));
    if (node.has_range_table_sample())
      throw Rejected("TABLESAMPLE gives another answer every time", {}, "Remove TABLESAMPLE.");
    throw Unsupported("this kind of FROM item is not maintained incrementally", {});
  }

  static std::string function_text(const pg_query::RangeFunction& function) {
    std::string text;
    walk(function.functions(0), [&](const Node& node) {
      if (text.empty() && node.has_func_call()) text = fragment(node);
      return text.empty();
    });
    return text;
  }

  /// One input under one alias, its columns renamed by the alias's column list.
  static FromItem relation(OperatorPtr input, const std::string& name, const pg_query::Alias& alias,
                           const std::vector<std::string>* names = nullptr) {
    FromItem item;
    ScopeRelation relation{name, {}};
    for (std::size_t i = 0; i < input->columns().size(); ++i) {
      std::string column_name = names != nullptr ? (*names)[i] : input->columns()[i].name;
      if (static_cast<int>(i) < alias.colnames_size())
        column_name = alias.colnames(static_cast<int>(i)).string().sval();
      relation.columns.emplace_back(std::move(column_name), static_cast<int>(i));
    }
    item.width = static_cast<int>(input->columns().size());
    item.relations.push_back(std::move(relation));
    item.inputs.push_back(std::move(input));
    return item;
  }

  FromItem range_var(const pg_query::RangeVar& range, const CteScope* ctes, int depth) {
    const std::string alias = range.has_alias() ? range.alias().aliasname() : range.relname();
    if (range.schemaname().empty()) {
      for (const CteScope* scope = ctes; scope != nullptr; scope = scope->outer) {
        if (scope->cte->ctename() != range.relname()) continue;
        if (!scope->cte->ctequery().has_select_stmt())
          throw Rejected("a WITH query that modifies data cannot define a table", scope->cte->ctename(),
                         "Use SELECT only.");
        const auto& select = scope->cte->ctequery().select_stmt();
        auto input = query(select, scope->outer, depth + 1);
        std::vector<std::string> names = select_names(select);
        for (int i = 0; i < scope->cte->aliascolnames_size(); ++i)
          names.at(static_cast<std::size_t>(i)) = scope->cte->aliascolnames(i).string().sval();
        return relation(std::move(input), alias, range.alias(), &names);
      }
    }
    const auto found = catalog_.sources.find({range.schemaname(), range.relname()});
    if (found == catalog_.sources.end())
      throw Unsupported("relation \"" + range.relname() + "\" is not known", range.relname());
    const Source& source = found->second;
    if (!range.inh() && source.has_inheritance_children)
      throw Unsupported("ONLY on a table with children is not maintained incrementally", source.name);
    const std::string shown = source.schema + "." + source.name;
    switch (source.kind) {
      case SourceKind::kView: {
        views_.insert(source.relid);
        const auto definition = parse_select(source.view_definition);
        reject_invalid(definition);
        check_volatility(definition, catalog_);
        std::vector<std::string> names;
        for (const auto& col : source.columns) names.push_back(col.name);
        return relation(query(definition, nullptr, depth + 1), alias, range.alias(), &names);
      }
      case SourceKind::kMaterializedView:
        throw Unsupported("materialized view " + shown + " cannot be captured: REFRESH fires no triggers", shown,
                          "Make it a stream table and read that.");
      case SourceKind::kForeignTable:
        throw Unsupported("changes of foreign table " + shown + " cannot be captured", shown);
      default:
        break;
    }
    if (!source.not_capturable.empty())
      throw Unsupported("changes of " + shown + " cannot be captured: " + source.not_capturable, shown);
    if (source.row_security)
      throw Unsupported(
          "row-level security policies of " + shown + " apply to the owner", shown,
          "FULL runs the query under the policies. Or let a role that bypasses them own the stream table.");
    std::vector<std::string> names;
    for (const auto& col : source.columns) names.push_back(col.name);
    return relation(std::make_unique<Scan>(source), alias, range.alias(), &names);
  }

  static std::vector<std::string> select_names(const SelectStmt& select) {
    const SelectStmt* leftmost = &select;
    while (leftmost->op() != pg_query::SETOP_NONE) leftmost = &leftmost->larg();
    std::vector<std::string> names;
    for (const auto& node : leftmost->target_list()) {
      const auto& target = node.res_target();
      names.push_back(target.name().empty() ? default_name(target.val()) : target.name());
    }
    return names;
  }

  FromItem join_expr(const pg_query::JoinExpr& join, const CteScope* ctes, int depth) {
    if (join.jointype() != pg_query::JOIN_INNER) {
      const char* name = join.jointype() == pg_query::JOIN_LEFT    ? "LEFT JOIN"
                         : join.jointype() == pg_query::JOIN_RIGHT ? "RIGHT JOIN"
                                                                   : "FULL JOIN";
      throw Unsupported(std::string(name) + " is not maintained incrementally", name);
    }
    FromItem left = from_item(join.larg(), ctes, depth);
    FromItem right = from_item(join.rarg(), ctes, depth);
    const int left_width = left.width;
    const std::size_t left_relations = left.relations.size();
    const std::size_t left_merged = left.merged.size();
    append(left, std::move(right));

    // Visible, unambiguous names of each side, for USING and NATURAL.
    auto visible = [&](bool of_left) {
      std::vector<std::pair<std::string, int>> names;
      for (std::size_t i = 0; i < left.merged.size(); ++i)
        if ((i < left_merged) == of_left) names.push_back(left.merged[i]);
      for (std::size_t i = 0; i < left.relations.size(); ++i) {
        if ((i < left_relations) != of_left) continue;
        for (const auto& col : left.relations[i].columns) names.push_back(col);
      }
      return names;
    };
    auto find = [](const std::vector<std::pair<std::string, int>>& names, const std::string& name) {
      for (const auto& col : names)
        if (col.first == name) return col.second;
      return -1;
    };
    const auto left_names = visible(true);
    const auto right_names = visible(false);
    std::vector<std::string> usings;
    for (const auto& node : join.using_clause()) usings.push_back(node.string().sval());
    if (join.is_natural()) {
      for (const auto& col : left_names)
        if (find(right_names, col.first) >= 0 && std::find(usings.begin(), usings.end(), col.first) == usings.end())
          usings.push_back(col.first);
    }
    ScopeRelation using_alias{join.join_using_alias().aliasname(), {}};
    for (const auto& name : usings) {
      const int l = find(left_names, name);
      const int r = find(right_names, name);
      if (l < 0 || r < left_width) throw Unsupported("cannot resolve USING (" + name + ")", name);
      left.conditions.push_back(equality(l, r));
      left.merged.insert(left.merged.begin(), {name, l});  // of an inner join the merged column is the left one
      using_alias.columns.emplace_back(name, l);
    }
    if (!using_alias.alias.empty()) left.relations.push_back(std::move(using_alias));
    if (join.has_quals()) {
      const Scope scope{left.relations, left.merged};
      split_conjuncts(resolve(join.quals(), scope), left.conditions);
    }
    if (join.has_alias()) {
      // (a JOIN b) AS j hides a and b: one relation with the merged columns first, then the rest.
      ScopeRelation all{join.alias().aliasname(), {}};
      for (const auto& name : usings) all.columns.emplace_back(name, find(left.merged, name));
      for (std::size_t i = 0; i < left.relations.size(); ++i) {
        if (!join.join_using_alias().aliasname().empty() &&
            left.relations[i].alias == join.join_using_alias().aliasname())
          continue;
        for (const auto& col : left.relations[i].columns)
          if (std::find(usings.begin(), usings.end(), col.first) == usings.end()) all.columns.push_back(col);
      }
      for (int i = 0; i < join.alias().colnames_size(); ++i)
        all.columns.at(static_cast<std::size_t>(i)).first = join.alias().colnames(i).string().sval();
      left.relations = {std::move(all)};
      left.merged.clear();
    }
    return left;
  }

  // Expressions -----------------------------------------------------------------------------------------------------

  Node resolve(const Node& expr, const Scope& scope) {
    Node result = expr;
    rewrite(result, [&](Node& node) {
      if (node.has_sub_link())
        throw Unsupported("a subquery in an expression is not maintained incrementally", fragment(node));
      if (node.has_grouping_func()) throw Unsupported("GROUPING() is not maintained incrementally", fragment(node));
      if (node.has_func_call()) {
        if (node.func_call().has_over())
          throw Unsupported("window functions are not maintained incrementally", fragment(node));
        const auto* info = function(node);
        if (info != nullptr && info->returns_set)
          throw Unsupported("a set-returning function in the select list is not maintained incrementally",
                            fragment(node));
        if (info != nullptr && info->is_window)
          throw Unsupported("window functions are not maintained incrementally", fragment(node));
      }
      if (!node.has_column_ref()) return false;
      node = column(lookup(node, scope));
      return true;
    });
    return result;
  }

  int lookup(const Node& node, const Scope& scope) {
    const auto& fields = node.column_ref().fields();
    for (const auto& field : fields)
      if (field.has_a_star())
        throw Unsupported("a whole-row reference is not maintained incrementally", fragment(node));
    const std::string& name = fields[fields.size() - 1].string().sval();
    if (fields.size() == 1) {
      for (const auto& col : scope.merged)
        if (col.first == name) return col.second;
      int found = -1;
      for (const auto& relation : scope.relations) {
        for (const auto& col : relation.columns) {
          if (col.first != name) continue;
          if (found >= 0 && found != col.second) throw Unsupported("column \"" + name + "\" is ambiguous", name);
          found = col.second;
        }
      }
      if (found >= 0) return found;
      for (const auto& relation : scope.relations)
        if (relation.alias == name) throw Unsupported("a whole-row reference is not maintained incrementally", name);
      throw Unsupported("column \"" + name + "\" cannot be resolved", name, "System columns cannot be followed.");
    }
    const std::string& qualifier = fields[fields.size() - 2].string().sval();
    for (const auto& relation : scope.relations) {
      if (relation.alias != qualifier) continue;
      for (const auto& col : relation.columns)
        if (col.first == name) return col.second;
    }
    throw Unsupported("column \"" + qualifier + "." + name + "\" cannot be resolved", fragment(node),
                      "System columns cannot be followed.");
  }

  const FunctionInfo* function(const Node& node) const {
    const auto [schema, name] = qualified_name(node.func_call().funcname());
    const auto found = catalog_.functions.find({schema, name, node.func_call().args_size()});
    return found == catalog_.functions.end() ? nullptr : &found->second;
  }

  bool is_aggregate(const Node& node) const {
    if (!node.has_func_call()) return false;
    if (node.func_call().agg_star() || node.func_call().has_agg_filter() || node.func_call().agg_within_group())
      return true;
    const auto* info = function(node);
    return info != nullptr && info->is_aggregate;
  }

  bool has_aggregate(const Node& expr) const {
    bool found = false;
    walk(expr, [&](const Node& node) {
      found = found || is_aggregate(node);
      return !found;
    });
    return found;
  }

  static std::string default_name(const Node& expr) {
    if (expr.has_column_ref()) {
      const auto& fields = expr.column_ref().fields();
      return fields[fields.size() - 1].string().sval();
    }
    if (expr.has_func_call()) return qualified_name(expr.func_call().funcname()).second;
    if (expr.has_type_cast()) return default_name(expr.type_cast().arg());
    return "column";
  }

  const Catalog& catalog_;
};

}  // namespace

Analysis analyze(const pg_query::SelectStmt& query, const Catalog& catalog) {
  check_volatility(query, catalog);
  Analyzer analyzer(catalog);
  Analysis analysis;
  analysis.root = analyzer.query(query, nullptr, 0);
  analysis.views = std::move(analyzer.views_);
  analysis.notes = std::move(analyzer.notes_);
  return analysis;
}

void reject_invalid(const pg_query::SelectStmt& query) {
  auto check = [](const pg_query::SelectStmt& select) {
    if (!select.locking_clause().empty())
      throw Rejected("FOR UPDATE / FOR SHARE makes no sense in the definition of a table", fragment(select),
                     "Remove the locking clause.");
    if (select.has_into_clause()) throw Rejected("SELECT INTO is not a query", fragment(select), "Remove INTO.");
    const bool limited = (select.has_limit_count() &&
                          !(select.limit_count().has_a_const() && select.limit_count().a_const().isnull())) ||
                         (select.has_limit_offset() &&
                          !(select.limit_offset().has_a_const() && select.limit_offset().a_const().isnull()));
    if (limited && select.sort_clause().empty())
      throw Rejected("LIMIT / OFFSET without ORDER BY: which rows it returns is not defined", fragment(select),
                     "Add ORDER BY.");
  };
  std::function<void(const pg_query::SelectStmt&)> arms = [&](const pg_query::SelectStmt& select) {
    check(select);
    if (select.has_larg()) arms(select.larg());
    if (select.has_rarg()) arms(select.rarg());
  };
  arms(query);
  walk(query, [&](const Node& node) {
    if (node.has_select_stmt()) arms(node.select_stmt());
    if (node.has_range_table_sample())
      throw Rejected("TABLESAMPLE gives another answer every time", {}, "Remove TABLESAMPLE.");
    if (node.has_common_table_expr() && !node.common_table_expr().ctequery().has_select_stmt())
      throw Rejected("a WITH query that modifies data cannot define a table", node.common_table_expr().ctename(),
                     "Use SELECT only.");
    return true;
  });
}

}  // namespace pgtrickle::compiler
