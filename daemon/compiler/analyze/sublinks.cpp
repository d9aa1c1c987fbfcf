// Subqueries in expressions. A conjunct that is an EXISTS, IN or ANY (or its negation, where NULLs cannot matter)
// becomes a semi or anti join with the subquery's rows. Any other sublink becomes a value: an uncorrelated aggregate is
// a relation of one row that is joined; everything else is computed by an Apply per distinct outer values, and joined
// back on those.
#include <algorithm>

#include "compiler/analyze/query_analyzer.h"
#include "compiler/analyze/volatility.h"
#include "compiler/operators/join.h"
#include "compiler/operators/pair_row.h"
#include "compiler/operators/project.h"
#include "compiler/operators/scan.h"
#include "compiler/operators/semi_join.h"
#include "compiler/operators/values.h"
#include "compiler/parse/clock.h"
#include "compiler/parse/row_limits.h"

namespace pgtrickle::compiler {

using pg_query::SelectStmt;

void collect_aliases(const Node& item, std::set<std::string>& aliases, std::set<std::string>& merged) {
  if (item.has_range_var()) {
    const auto& range = item.range_var();
    aliases.insert(range.has_alias() ? range.alias().aliasname() : range.relname());
  } else if (item.has_range_subselect()) {
    aliases.insert(item.range_subselect().alias().aliasname());
  } else if (item.has_range_function()) {
    aliases.insert(item.range_function().alias().aliasname());
  } else if (item.has_range_table_func()) {
    aliases.insert(item.range_table_func().alias().aliasname());
  } else if (item.has_join_expr()) {
    const auto& join = item.join_expr();
    collect_aliases(join.larg(), aliases, merged);
    collect_aliases(join.rarg(), aliases, merged);
    if (join.has_alias()) aliases.insert(join.alias().aliasname());
    if (!join.join_using_alias().aliasname().empty()) aliases.insert(join.join_using_alias().aliasname());
    for (const auto& name : join.using_clause()) merged.insert("\n" + name.string().sval());
  }
}

namespace {

std::string operator_name(const pg_query::SubLink& link) {
  return link.oper_name().empty() ? "=" : qualified_name(link.oper_name()).second;
}

Node comparison(const pg_query::SubLink& link, const Node& left, const Node& right) {
  Node node = equality(left, right);
  if (!link.oper_name().empty()) *node.mutable_a_expr()->mutable_name() = link.oper_name();
  return node;
}

/// The comparisons of an IN / ANY / ALL between the tested value(s) and the subquery's columns: one per column for "=",
/// else one of rows.
std::vector<Node> comparisons(const pg_query::SubLink& link, const std::vector<Node>& outputs) {
  const bool row = link.testexpr().has_row_expr() && outputs.size() > 1;
  if (!row) return {comparison(link, link.testexpr(), outputs.at(0))};
  std::vector<Node> result;
  if (operator_name(link) == "=") {
    for (int i = 0; i < link.testexpr().row_expr().args_size(); ++i)
      result.push_back(comparison(link, link.testexpr().row_expr().args(i), outputs.at(static_cast<std::size_t>(i))));
    return result;
  }
  Node right;
  for (const auto& output : outputs) *right.mutable_row_expr()->add_args() = output;
  right.mutable_row_expr()->set_row_format(pg_query::COERCE_EXPLICIT_CALL);
  return {comparison(link, link.testexpr(), right)};
}

Node boolean_test(Node arg, pg_query::BoolTestType type) {
  Node node;
  *node.mutable_boolean_test()->mutable_arg() = std::move(arg);
  node.mutable_boolean_test()->set_booltesttype(type);
  return node;
}

Node conjunction(std::vector<Node> nodes) {
  if (nodes.size() == 1) return std::move(nodes.front());
  Node node;
  node.mutable_bool_expr()->set_boolop(pg_query::AND_EXPR);
  for (auto& arg : nodes) *node.mutable_bool_expr()->add_args() = std::move(arg);
  return node;
}

/// A row comparison with a subquery of several columns: (a, b) = (SELECT x, y ...). The sublink alone is no value.
bool is_row_comparison(const Node& node) {
  if (!node.has_a_expr()) return false;
  auto multi = [](const Node& side) {
    return side.has_sub_link() && side.sub_link().sub_link_type() == pg_query::EXPR_SUBLINK &&
           side.sub_link().subselect().select_stmt().target_list_size() > 1;
  };
  return multi(node.a_expr().lexpr()) || multi(node.a_expr().rexpr());
}

}  // namespace

Node not_distinct(const Node& left, const Node& right) {
  Node node = equality(left, right);
  node.mutable_a_expr()->set_kind(pg_query::AEXPR_NOT_DISTINCT);
  return node;
}

bool is_value(const Node& node) {
  return node.has_sub_link() || is_row_comparison(node);
}

namespace {

/// A collation of its own may tell values apart that are equal under the column's.
bool has_collate(const Node& comparison) {
  return comparison.a_expr().lexpr().has_collate_clause() || comparison.a_expr().rexpr().has_collate_clause();
}

}  // namespace

bool shows_spelling(const Node& sublink, int index) {
  bool shows = false;
  walk(sublink, [&](const Node& node) {
    int at = 0;
    if (is_column(node, &at)) {
      shows = shows || at == index;
    } else if (node.has_a_expr() && node.a_expr().kind() == pg_query::AEXPR_OP) {
      static const std::set<std::string> kComparisons{"=", "<>", "<", ">", "<=", ">="};
      const auto [schema, name] = qualified_name(node.a_expr().name());
      if (!schema.empty() || kComparisons.count(name) == 0 || has_collate(node)) return true;
      for (const Node* side : {&node.a_expr().lexpr(), &node.a_expr().rexpr()})
        if (!is_column(*side)) shows = shows || shows_spelling(*side, index);
      return false;
    } else if (node.has_sub_link() && is_column(node.sub_link().testexpr()) && node.sub_link().oper_name_size() < 2) {
      shows = shows || shows_spelling(node.sub_link().subselect(), index);
      return false;
    }
    return !shows;
  });
  return shows;
}

bool reads_tables(const Node& expr) {
  bool found = false;
  walk(expr, [&](const Node& node) {
    found = found || node.has_range_var();
    return !found;
  });
  return found;
}

bool QueryAnalyzer::has_sublink(const Node& expr) {
  bool found = false;
  walk(expr, [&](const Node& node) {
    found = found || node.has_sub_link();
    return !found;
  });
  return found;
}

void QueryAnalyzer::bind(SelectStmt& select, const Scope& scope, std::set<std::string> locals,
                         std::set<std::string> local_ctes) {
  for (const auto& cte : select.with_clause().ctes()) local_ctes.insert(cte.common_table_expr().ctename());
  if (select.op() == pg_query::SETOP_NONE)
    for (const auto& item : select.from_clause()) collect_aliases(item, locals, locals);
  if (select.has_larg()) bind(*select.mutable_larg(), scope, locals, local_ctes);
  if (select.has_rarg()) bind(*select.mutable_rarg(), scope, locals, local_ctes);
  SelectStmt larg;
  SelectStmt rarg;
  if (select.has_larg()) larg.Swap(select.mutable_larg());
  if (select.has_rarg()) rarg.Swap(select.mutable_rarg());
  // A column gives its name to the output, and what replaces it may be called differently.
  for (auto& node : *select.mutable_target_list()) {
    auto& target = *node.mutable_res_target();
    if (!target.name().empty() || !target.val().has_column_ref()) continue;
    const auto& last = target.val().column_ref().fields(target.val().column_ref().fields_size() - 1);
    if (last.has_string()) target.set_name(last.string().sval());
  }
  rewrite(select, [&](Node& node) {
    if (node.has_select_stmt()) {
      bind(*node.mutable_select_stmt(), scope, locals, local_ctes);
      return true;
    }
    if (node.has_range_var() && node.range_var().schemaname().empty() &&
        local_ctes.count(node.range_var().relname()) == 0) {
      // A CTE of a query around this one: written out, so that the subquery stands for itself.
      for (const CteScope* at = scope.ctes; at != nullptr; at = at->outer) {
        if (at->cte->ctename() != node.range_var().relname()) continue;
        const pg_query::RangeVar range = node.range_var();
        if (at->rows)
          throw Unsupported("a subquery that reads the rows of a recursion is not maintained incrementally",
                            at->cte->ctename());
        auto* sub = node.mutable_range_subselect();
        *sub->mutable_subquery() = at->recursive ? written_out(*at->cte) : at->cte->ctequery();
        *sub->mutable_alias() = range.alias();
        if (!range.has_alias()) sub->mutable_alias()->set_aliasname(range.relname());
        for (int i = sub->alias().colnames_size(); i < at->cte->aliascolnames_size(); ++i)
          *sub->mutable_alias()->add_colnames() = at->cte->aliascolnames(i);
        Scope own;
        own.ctes = at->outer;
        bind(*sub->mutable_subquery()->mutable_select_stmt(), own, {}, {});
        return true;
      }
      return false;
    }
    if (!node.has_column_ref()) return false;
    const auto& fields = node.column_ref().fields();
    if (fields[fields.size() - 1].has_a_star()) {
      if (fields.size() > 1 && locals.count(fields[fields.size() - 2].string().sval()) == 0)
        node = lookup(Node(node), scope);  // a whole row of the query around this one
      return true;
    }
    const std::string& name = fields[fields.size() - 1].string().sval();
    if (fields.size() == 1) {
      // The canonical text qualifies everything inside a subquery but columns merged by USING.
      if (locals.count("\n" + name) != 0 || locals.count(name) != 0) return true;
      for (const auto& col : scope.merged) {
        if (col.first != name) continue;
        node = col.second;
        return true;
      }
      return true;
    }
    if (locals.count(fields[fields.size() - 2].string().sval()) != 0) return true;
    node = lookup(Node(node), scope);
    return true;
  });
  if (larg.ByteSizeLong() != 0) select.mutable_larg()->Swap(&larg);
  if (rarg.ByteSizeLong() != 0) select.mutable_rarg()->Swap(&rarg);
}

std::optional<Core> QueryAnalyzer::core(const SelectStmt& bound) {
  SelectStmt select = bound;
  inline_windows(select);
  rewrite(select, [](Node& node) {
    int index = 0;
    if (!is_column(node, &index)) return false;
    node = column(Level::kOuter, index);
    return true;
  });
  if (select.op() != pg_query::SETOP_NONE || !select.values_lists().empty()) return std::nullopt;
  for (const auto& item : select.from_clause())
    if (!columns_of(item).empty()) return std::nullopt;  // correlated inside FROM
  if (has_sublink(select.limit_count()) || has_sublink(select.limit_offset())) return std::nullopt;  // they read, too
  for (const auto& cte : select.with_clause().ctes())
    if (!columns_of(cte).empty()) return std::nullopt;

  std::vector<std::unique_ptr<CteScope>> own;
  const CteScope* ctes = with_ctes(select, nullptr, own);
  std::vector<Node> where;
  if (select.has_where_clause()) split_conjuncts(select.where_clause(), where);
  AnalyzedItem from = from_clause(select, ctes, 1, where);
  if (from.ordered) return std::nullopt;  // the result may depend on columns that only sort
  const Scope scope{from.relations, from.merged, ctes};
  Core result;
  std::vector<Node> links;
  OperatorPtr input = combined(from);
  for (auto& node : from.conditions) links.push_back(std::move(node));
  std::vector<Node> local;
  for (const auto& conjunct : where) {
    Node node = resolve_condition(conjunct, scope);
    if (reads(node, Level::kOuter)) {
      if (has_sublink(node)) return std::nullopt;
      if (reads_clock(node)) refuse_time(fragment(with_now(conjunct)));
      result.correlated.push_back(std::move(node));
    } else if (has_sublink(node)) {
      links.push_back(std::move(node));
    } else {
      local.push_back(std::move(node));
    }
  }
  input = filtered(std::move(input), std::move(local));
  input = filter_sublinks(std::move(input), std::move(links));

  // Everything else that reads rows: their columns are what can change the result.
  std::vector<Node> others;
  result.plain = select.group_clause().empty() && !select.has_having_clause() && !limits_rows(select);
  for (const auto& target : select.target_list()) {
    others.push_back(resolve(target.res_target().val(), scope));
    result.plain =
        result.plain && !has_aggregate(others.back()) && !returns_set(others.back()) && !has_window(others.back());
  }
  const std::size_t targets = others.size();
  auto also = [&](const Node& node) {
    if (node.node_case() != Node::NODE_NOT_SET) others.push_back(resolve(node, scope));
  };
  for (const auto& node : select.group_clause()) also(node);
  for (const auto& node : select.distinct_clause()) also(node);
  if (select.has_having_clause()) also(select.having_clause());
  for (const auto& node : select.sort_clause()) {
    const auto& by = node.sort_by().node();
    if (by.has_column_ref() && by.column_ref().fields_size() == 1) continue;  // an output column, read anyway
    also(by);
  }
  std::vector<Node*> pointers;
  for (auto& node : others) {
    if (reads(node, Level::kOuter) && has_sublink(node)) return std::nullopt;
    pointers.push_back(&node);
  }
  input = extract_sublinks(std::move(input), pointers);

  // Only the columns that are read anywhere.
  std::set<int> used;
  auto use = [&](const Node& node) {
    for (const int index : columns_of(node))
      if (tagged<Level>(index).of == Level::kOwn) used.insert(index);
  };
  for (const auto& node : result.correlated) use(node);
  for (const auto& node : others) use(node);
  std::vector<Node> kept;
  std::vector<std::string> names;
  std::vector<int> moved(input->columns().size(), -1);
  for (const int index : used) {
    moved[static_cast<std::size_t>(index)] = static_cast<int>(kept.size());
    kept.push_back(column(index));
    names.push_back(input->columns().at(static_cast<std::size_t>(index)).name);
  }
  auto move = [&](const Node& node) {
    return map_tagged<Level>(node, [&](TaggedColumn<Level> at) {
      return at.of == Level::kOuter ? column(at.of, at.column) : column(moved.at(static_cast<std::size_t>(at.column)));
    });
  };
  for (auto& node : result.correlated) node = move(node);
  if (result.plain)
    for (std::size_t i = 0; i < targets; ++i) result.outputs.push_back(move(others[i]));
  result.relation = make_projection(std::move(input), std::move(kept), names);
  return result;
}

OperatorPtr QueryAnalyzer::filter_sublinks(OperatorPtr input, std::vector<Node> conjuncts) {
  std::vector<Node> others;
  for (auto& node : conjuncts)
    if (!semi_join(input, node)) others.push_back(std::move(node));
  if (others.empty()) return input;
  std::vector<Node*> pointers;
  for (auto& node : others) pointers.push_back(&node);
  input = extract_sublinks(std::move(input), pointers);
  return filtered(std::move(input), std::move(others));
}

bool QueryAnalyzer::semi_join(OperatorPtr& input, const Node& conjunct) {
  bool anti = false;
  const Node* node = &conjunct;
  while (node->has_bool_expr() && node->bool_expr().boolop() == pg_query::NOT_EXPR) {
    anti = !anti;
    node = &node->bool_expr().args(0);
  }
  if (!node->has_sub_link()) return false;
  const auto& link = node->sub_link();
  const auto type = link.sub_link_type();
  if (type != pg_query::EXISTS_SUBLINK && type != pg_query::ANY_SUBLINK) return false;
  if (has_sublink(link.testexpr())) return false;
  SelectStmt subquery = link.subselect().select_stmt();
  if (type == pg_query::EXISTS_SUBLINK && keeps_first_row(subquery)) {
    // The first row is there if any is. (Its place in the order is nothing to EXISTS.)
    subquery.clear_limit_count();
    subquery.clear_limit_offset();
    subquery.set_limit_option(pg_query::LIMIT_OPTION_DEFAULT);
  }
  const PairRow row(*input);  // the outer row first, the subquery's row after it

  std::vector<Node> conditions;
  std::vector<Node> outputs;
  OperatorPtr relation;
  if (columns_of(link.subselect()).empty()) {
    relation = query(subquery, nullptr, 1);
    for (std::size_t i = 0; i < relation->columns().size(); ++i)
      outputs.push_back(row.column(Side::kRight, static_cast<int>(i)));
  } else {
    auto parts = core(subquery);
    if (!parts || !parts->plain) return false;
    relation = std::move(parts->relation);
    auto place = [&](const Node& expr) {
      return map_tagged<Level>(expr, [&](TaggedColumn<Level> at) {
        return row.column(at.of == Level::kOuter ? Side::kLeft : Side::kRight, at.column);
      });
    };
    for (const auto& condition : parts->correlated) conditions.push_back(place(condition));
    for (const auto& output : parts->outputs) outputs.push_back(place(output));
  }
  if (type == pg_query::ANY_SUBLINK) {
    for (auto& condition : comparisons(link, outputs)) {
      if (anti) {
        // NOT IN is true only if every comparison is false: without NULLs that is "no match".
        auto not_null = [&](const Node& side) {
          int position = 0;
          if (!is_column(side, &position)) return side.has_a_const() && !side.a_const().isnull();
          const SideColumn at = row.at(position);
          const auto& columns = (at.side == Side::kLeft ? input : relation)->columns();
          return columns[static_cast<std::size_t>(at.column)].not_null;
        };
        if (!not_null(condition.a_expr().lexpr()) || !not_null(condition.a_expr().rexpr())) return false;
      }
      conditions.push_back(std::move(condition));
    }
  }
  input = std::make_unique<SemiJoin>(std::move(input), std::move(relation), std::move(conditions), anti);
  return true;
}

OperatorPtr QueryAnalyzer::extract_sublinks(OperatorPtr input, const std::vector<Node*>& exprs) {
  std::vector<std::pair<Node, Node>> done;  // sublink -> its value
  for (Node* expr : exprs) {
    rewrite(*expr, [&](Node& node) {
      if (!is_value(node)) return false;
      for (const auto& [link, value] : done) {
        if (!equal(link, node)) continue;
        node = value;
        return true;
      }
      Node value;
      const Node link = node;
      input = value_join(std::move(input), link, value);
      node = value;
      done.emplace_back(link, value);
      return true;
    });
  }
  return input;
}

OperatorPtr QueryAnalyzer::value_join(OperatorPtr input, const Node& sublink, Node& value) {
  const PairRow row(*input);  // the outer row, and beside it the keys and the value
  const auto outer = columns_of(sublink);
  auto beside = [&](OperatorPtr values, std::vector<Node> conditions) {
    std::vector<OperatorPtr> inputs;
    inputs.push_back(std::move(input));
    inputs.push_back(std::move(values));
    return std::make_unique<Join>(std::move(inputs), std::move(conditions));
  };
  if (outer.empty()) {
    value = row.column(Side::kRight, 0);
    const auto& link = sublink.sub_link();
    if (sublink.has_sub_link() && link.sub_link_type() == pg_query::EXPR_SUBLINK) {
      // An aggregate without GROUP BY has exactly one row, so it is its own relation.
      const auto& select = link.subselect().select_stmt();
      bool single = select.op() == pg_query::SETOP_NONE && select.group_clause().empty() &&
                    !select.has_having_clause() && !select.has_limit_count() && !select.has_limit_offset() &&
                    select.values_lists().empty();
      bool aggregates = false;
      for (const auto& target : select.target_list()) {
        aggregates = aggregates || has_aggregate(target.res_target().val());
        single = single && !returns_set(target.res_target().val());
      }
      const bool no_rows_read = select.from_clause().empty() && !select.has_where_clause();
      if (single && (aggregates || no_rows_read)) return beside(query(select, nullptr, 1), {});
    }
    auto sources = feeds(sublink, outer, 0);
    return beside(std::make_unique<Apply>(nullptr, std::move(sources), std::vector<Node>{sublink},
                                          std::vector<std::string>{"value"}),
                  {});
  }
  std::vector<int> narrowed = outer;
  OperatorPtr keys = input->superset(narrowed);
  std::vector<Node> key_columns;
  std::vector<std::string> names;
  std::vector<Node> conditions;
  for (std::size_t i = 0; i < outer.size(); ++i) {
    key_columns.push_back(column(narrowed[i]));
    names.push_back(keys->columns()[static_cast<std::size_t>(narrowed[i])].name);
    conditions.push_back(not_distinct(column(outer[i]), row.column(Side::kRight, static_cast<int>(i))));
  }
  for (std::size_t i = 0; i < outer.size(); ++i) {
    // Values that are equal but not the same (numeric 1.0 and 1.00) are tuples of their own where it can show. What
    // their image is depends on the type, which may be unknown so far.
    const auto& type = input->columns()[static_cast<std::size_t>(outer[i])].type;
    if ((type && type->identity) || !shows_spelling(sublink, outer[i])) continue;
    conditions.push_back(
        not_distinct(image_of(outer[i]), row.column(Side::kRight, static_cast<int>(key_columns.size()))));
    key_columns.push_back(image_of(narrowed[i]));
    names.push_back(names[i]);
  }
  const int key_count = static_cast<int>(key_columns.size());
  auto sources = feeds(sublink, outer, key_count);
  keys = make_projection(std::move(keys), std::move(key_columns), names);
  const Node local = map_columns(sublink, [&](int index) {
    return column(static_cast<int>(std::find(outer.begin(), outer.end(), index) - outer.begin()));
  });
  value = row.column(Side::kRight, key_count);
  return beside(std::make_unique<Apply>(std::move(keys), std::move(sources), std::vector<Node>{local},
                                        std::vector<std::string>{"value"}),
                std::move(conditions));
}

std::vector<Feed> QueryAnalyzer::feeds(const Node& value, const std::vector<int>& outer, int keys) {
  // The subquery is evaluated as text for tuples that a change affects.
  if (reads_clock(value)) refuse_time(fragment(with_now(value)));
  const Timeless here(timeless_);
  std::vector<Feed> result;
  const PairRow row(keys);  // the tuple, and beside it the feed's row
  auto key = [&](int index) {
    return column(static_cast<int>(std::find(outer.begin(), outer.end(), index) - outer.begin()));
  };
  walk(value, [&](const Node& node) {
    if (!node.has_sub_link()) return true;
    const auto& link = node.sub_link();
    const auto& subquery = link.subselect().select_stmt();
    const auto type = link.sub_link_type();
    const bool quantified = type == pg_query::ANY_SUBLINK || type == pg_query::ALL_SUBLINK;
    if (has_sublink(link.testexpr())) {
      // The tested value is a subquery itself: any change may matter.
      for (auto& feed : feeds(link.testexpr(), outer, keys)) result.push_back(std::move(feed));
    }
    auto add_comparison = [&](Feed& feed, const std::vector<Node>& outputs) {
      if (!quantified || outputs.empty() || has_sublink(link.testexpr())) return;
      pg_query::SubLink local = link;
      *local.mutable_testexpr() = map_columns(link.testexpr(), key);
      // Rows that compare false cannot matter to ANY, rows that compare true cannot matter to ALL.
      auto parts = comparisons(local, outputs);
      if (type == pg_query::ANY_SUBLINK) {
        for (auto& part : parts) feed.match.push_back(boolean_test(std::move(part), pg_query::IS_NOT_FALSE));
      } else {
        feed.match.push_back(boolean_test(conjunction(std::move(parts)), pg_query::IS_NOT_TRUE));
      }
    };
    Feed feed;
    if (columns_of(link.subselect()).empty()) {
      feed.relation = query(subquery, nullptr, 1);
      if (type == pg_query::ARRAY_SUBLINK && ordered_) {  // what sorts is not in its output
        for (auto& any : every_source(subquery)) result.push_back(std::move(any));
        return false;
      }
      std::vector<Node> outputs;
      for (std::size_t i = 0; i < feed.relation->columns().size(); ++i)
        outputs.push_back(row.column(Side::kRight, static_cast<int>(i)));
      add_comparison(feed, outputs);
      result.push_back(std::move(feed));
      return false;
    }
    auto parts = core(subquery);
    if (!parts) {
      for (auto& any : every_source(subquery)) result.push_back(std::move(any));
      return false;
    }
    auto place = [&](const Node& expr) {
      return map_tagged<Level>(expr, [&](TaggedColumn<Level> at) {
        return at.of == Level::kOuter ? key(at.column) : row.column(Side::kRight, at.column);
      });
    };
    feed.relation = std::move(parts->relation);
    for (const auto& condition : parts->correlated) feed.match.push_back(place(condition));
    if (parts->plain) {
      std::vector<Node> outputs;
      for (const auto& output : parts->outputs) outputs.push_back(place(output));
      add_comparison(feed, outputs);
    }
    result.push_back(std::move(feed));
    return false;
  });
  return result;
}

std::vector<Feed> QueryAnalyzer::every_source(const SelectStmt& subquery) {
  // Every table that is read, with the columns whose names are mentioned: any change of them may change any value. The
  // canonical text writes a whole row as t.*.
  std::vector<Feed> result;
  std::set<std::uint32_t> seen;
  std::function<void(const SelectStmt&)> collect = [&](const SelectStmt& select) {
    std::set<std::string> mentioned;
    std::set<std::string> ctes;
    bool all = false;
    walk(select, [&](const Node& node) {
      if (node.has_column_ref()) {
        const auto& last = node.column_ref().fields(node.column_ref().fields_size() - 1);
        if (last.has_string()) mentioned.insert(last.string().sval());
        all = all || last.has_a_star();
      }
      if (node.has_join_expr()) {
        for (const auto& name : node.join_expr().using_clause()) mentioned.insert(name.string().sval());
        all = all || node.join_expr().is_natural() || node.join_expr().alias().colnames_size() > 0;
      }
      if (node.has_common_table_expr()) ctes.insert(node.common_table_expr().ctename());
      if (node.has_range_var() && node.range_var().alias().colnames_size() > 0) all = true;
      return true;
    });
    walk(select, [&](const Node& node) {
      if (!node.has_range_var()) return true;
      const auto& range = node.range_var();
      if (range.schemaname().empty() && ctes.count(range.relname()) != 0) return true;
      const auto found = catalog_.sources.find({range.schemaname(), range.relname()});
      if (found != catalog_.sources.end() && found->second.kind == SourceKind::kView) {
        const auto definition = parse_select(found->second.view_definition, limits_.nesting);
        if (auto time = time_dependence(definition); !time.empty()) refuse_time(time);
        collect(definition);
        return true;
      }
      AnalyzedItem item = range_var(range, nullptr, 1);
      const Source& source = found->second;
      if (!seen.insert(source.relid).second) all = true;
      std::vector<Node> kept;
      std::vector<std::string> names;
      for (std::size_t i = 0; i < source.columns.size(); ++i) {
        if (!all && mentioned.count(source.columns[i].name) == 0) continue;
        kept.push_back(column(static_cast<int>(i)));
        names.push_back(source.columns[i].name);
      }
      Feed feed;
      feed.relation = make_projection(std::move(item.inputs.front()), std::move(kept), names);
      result.push_back(std::move(feed));
      return true;
    });
  };
  collect(subquery);
  return result;
}

}  // namespace pgtrickle::compiler
