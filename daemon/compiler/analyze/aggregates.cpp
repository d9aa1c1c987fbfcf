// GROUP BY, GROUPING SETS, aggregate calls. The result is an Aggregate over the row of keys and arguments; expressions
// above it are rewritten to its columns.
#include <algorithm>
#include <functional>

#include "compiler/analyze/query_analyzer.h"
#include "compiler/operators/aggregate.h"
#include "compiler/operators/grouping_sets.h"
#include "compiler/operators/tagged_union.h"

namespace pgtrickle::compiler {

using pg_query::SelectStmt;

struct QueryAnalyzer::Grouping {
  std::vector<Node> keys;
  std::vector<std::set<int>> sets;  // positions in keys; one set that has all of them for a plain GROUP BY
  bool several = false;             // more than one set: rows carry the number of theirs

  int add_key(const Node& key) {
    for (std::size_t i = 0; i < keys.size(); ++i)
      if (equal(keys[i], key)) return static_cast<int>(i);
    keys.push_back(key);
    return static_cast<int>(keys.size() - 1);
  }
};

namespace {

/// What a column of an expression over the groups is: the number of the row's set (in GROUPING()), a key, a call.
enum class Grouped { kSet, kKey, kCall };

using Sets = std::vector<std::set<int>>;

Sets product(const Sets& left, const Sets& right) {
  Sets result;
  for (const auto& l : left) {
    for (const auto& r : right) {
      auto both = l;
      both.insert(r.begin(), r.end());
      result.push_back(std::move(both));
    }
  }
  return result;
}

void check_size(std::size_t sets, const Limits& limits, const SelectStmt& select) {
  if (sets <= static_cast<std::size_t>(limits.grouping_branches)) return;
  throw Unsupported("GROUP BY has more than " + std::to_string(limits.grouping_branches) + " grouping sets",
                    fragment(select), "The limit is compiler.max_grouping_branches in the daemon's configuration.");
}

/// GROUPING(args): a bit per argument, 1 if the row's set does not have it.
Node grouping_value(const pg_query::GroupingFunc& func, const std::vector<Node>& keys, const Sets& sets, bool several) {
  auto value = [&](const std::set<int>& set) {
    long long bits = 0;
    for (const auto& arg : func.args()) {
      bits <<= 1;
      for (std::size_t k = 0; k < keys.size(); ++k)
        if (equal(keys[k], arg) && set.count(static_cast<int>(k)) == 0) bits |= 1;
    }
    return std::to_string(bits);
  };
  if (!several) return parse_expr(value(sets.front()));
  std::string sql = "CASE $1";
  for (std::size_t s = 0; s < sets.size(); ++s) sql += " WHEN " + std::to_string(s) + " THEN " + value(sets[s]);
  return parse_expr(sql + " END");
}

void add_filter(Node& call, const Node& condition) {
  auto& func = *call.mutable_func_call();
  if (!func.has_agg_filter()) {
    *func.mutable_agg_filter() = condition;
    return;
  }
  Node both;
  both.mutable_bool_expr()->set_boolop(pg_query::AND_EXPR);
  *both.mutable_bool_expr()->add_args() = func.agg_filter();
  *both.mutable_bool_expr()->add_args() = condition;
  *func.mutable_agg_filter() = std::move(both);
}

/// Aggregates whose result does not depend on how often a value occurs.
bool ignores_duplicates(const std::string& name) {
  static const std::set<std::string> kNames{"min",   "max",     "bool_and", "bool_or",
                                            "every", "bit_and", "bit_or",   "any_value"};
  return kNames.count(name) != 0;
}

/// DISTINCT that becomes an inner node of the distinct values.
bool through_values(const AggregateCall& call) {
  static const std::set<std::string> kNames{"count",   "sum",    "avg",         "variance",  "var_samp",
                                            "var_pop", "stddev", "stddev_samp", "stddev_pop"};
  const auto& func = call.func();
  return func.agg_distinct() && call.schema.empty() && kNames.count(call.name) != 0 && func.args_size() == 1 &&
         func.agg_order().empty() && !func.func_variadic() && (call.name == "count" || !func.args(0).has_row_expr());
}

/// DISTINCT values of one argument (under one filter), and the calls over them.
struct DistinctArgument {
  Node argument;
  Node filter;               // may be empty
  std::vector<Node> values;  // the argument; of a row, its columns: a record is no type for a table

  [[nodiscard]] bool row() const { return argument.has_row_expr(); }
};

/// Rewrites keys, calls and input so that calls with DISTINCT read each value once:
/// rows, tagged 0, beside the distinct (keys, value) of each argument, tagged 1, 2, ...
OperatorPtr separate_distinct(OperatorPtr input, std::vector<Node>& keys, std::vector<AggregateCall>& calls) {
  std::vector<DistinctArgument> arguments;
  std::vector<int> argument_of(calls.size(), -1);
  bool plain_calls = false;
  for (std::size_t c = 0; c < calls.size(); ++c) {
    if (!through_values(calls[c])) {
      plain_calls = true;
      continue;
    }
    const auto& func = calls[c].func();
    DistinctArgument mine{func.args(0), func.has_agg_filter() ? func.agg_filter() : Node(), {func.args(0)}};
    if (mine.row()) mine.values.assign(func.args(0).row_expr().args().begin(), func.args(0).row_expr().args().end());
    for (std::size_t a = 0; a < arguments.size(); ++a)
      if (equal(arguments[a].argument, mine.argument) && equal(arguments[a].filter, mine.filter))
        argument_of[c] = static_cast<int>(a);
    if (argument_of[c] >= 0) continue;
    argument_of[c] = static_cast<int>(arguments.size());
    arguments.push_back(std::move(mine));
  }
  if (arguments.empty()) return input;
  // A group of the values exists exactly if the group does, unless a filter removes its rows.
  const bool rows_needed = plain_calls || std::any_of(arguments.begin(), arguments.end(), [](const auto& argument) {
                             return argument.filter.node_case() != Node::NODE_NOT_SET;
                           });

  const int width = static_cast<int>(input->columns().size());
  const int key_count = static_cast<int>(keys.size());
  std::vector<std::string> names;
  for (const auto& col : input->columns()) names.push_back(col.name);
  for (int k = 0; k < key_count; ++k) names.emplace_back("key");
  std::vector<int> value_at;  // of each argument: its first column
  for (const auto& argument : arguments) {
    value_at.push_back(static_cast<int>(names.size()));
    names.insert(names.end(), argument.values.size(), "value");
  }
  const std::size_t all = names.size();

  std::vector<OperatorPtr> branches;
  std::vector<std::vector<int>> positions;
  for (std::size_t a = 0; a < arguments.size(); ++a) {
    OperatorPtr rows = input->clone();
    if (arguments[a].filter.node_case() != Node::NODE_NOT_SET) {
      std::vector<Node> conditions;
      split_conjuncts(arguments[a].filter, conditions);
      rows = make_filter(std::move(rows), std::move(conditions));
    }
    std::vector<Node> exprs = keys;
    exprs.insert(exprs.end(), arguments[a].values.begin(), arguments[a].values.end());
    std::vector<std::string> own(keys.size(), "key");
    own.insert(own.end(), arguments[a].values.size(), "value");
    branches.push_back(make_distinct(make_projection(std::move(rows), std::move(exprs), own)));
    std::vector<int> from(all, -1);
    for (int k = 0; k < key_count; ++k) from[static_cast<std::size_t>(width) + static_cast<std::size_t>(k)] = k;
    for (std::size_t v = 0; v < arguments[a].values.size(); ++v)
      from[static_cast<std::size_t>(value_at[a]) + v] = key_count + static_cast<int>(v);
    positions.push_back(std::move(from));
  }
  if (rows_needed) {
    std::vector<Node> exprs;
    for (int i = 0; i < width; ++i) exprs.push_back(column(i));
    exprs.insert(exprs.end(), keys.begin(), keys.end());
    std::vector<std::string> own(names.begin(), names.begin() + width + key_count);
    branches.push_back(make_projection(std::move(input), std::move(exprs), own));
    std::vector<int> from(all, -1);
    for (int i = 0; i < width + key_count; ++i) from[static_cast<std::size_t>(i)] = i;
    positions.push_back(std::move(from));
  } else {
    // No branch has the input's own columns: leave them out.
    for (auto& from : positions) from.erase(from.begin(), from.begin() + width);
    names.erase(names.begin(), names.begin() + width);
  }
  const int rows_tag = static_cast<int>(arguments.size());
  const int base = rows_needed ? width : 0;
  auto result = std::make_unique<TaggedUnion>(std::move(branches), std::move(positions), names);
  const std::string tag = "$" + std::to_string(result->tag_column() + 1) + " = ";
  for (std::size_t c = 0; c < calls.size(); ++c) {
    if (argument_of[c] < 0) {
      add_filter(calls[c].call, parse_expr(tag + std::to_string(rows_tag)));
      continue;
    }
    auto& func = *calls[c].call.mutable_func_call();
    func.set_agg_distinct(false);
    func.clear_agg_filter();
    const auto& argument = arguments[static_cast<std::size_t>(argument_of[c])];
    if (argument.row()) {  // a row counts, whatever is in it
      func.clear_args();
      func.set_agg_star(true);
    } else {
      *func.mutable_args(0) = column(value_at[static_cast<std::size_t>(argument_of[c])] - width + base);
    }
    add_filter(calls[c].call, parse_expr(tag + std::to_string(argument_of[c])));
  }
  for (int k = 0; k < key_count; ++k) keys[static_cast<std::size_t>(k)] = column(base + k);
  return result;
}

/// An aggregate call inside a subquery all of whose columns are those of the outer query.
bool belongs_outside(const Node& call) {
  bool outer = false;
  bool own = false;
  walk(call, [&](const Node& node) {
    outer = outer || is_column(node);
    return true;
  });
  // What a subquery inside its arguments refers to is not known here: it does not tell that the call stays inside.
  walk_own(call, [&](const Node& node) {
    own = own || node.has_column_ref();
    return true;
  });
  return outer && !own;
}

}  // namespace

void QueryAnalyzer::check_aggregates_inside(const Node& sublink) const {
  walk(sublink.sub_link().subselect(), [&](const Node& node) {
    if (is_aggregate(node) && belongs_outside(node))
      throw Unsupported("an aggregate of the outer query inside a subquery is not maintained incrementally",
                        fragment(node));
    return true;
  });
}

bool QueryAnalyzer::is_aggregate(const Node& node) const {
  if (!node.has_func_call() || node.func_call().has_over()) return false;
  if (node.func_call().agg_star() || node.func_call().has_agg_filter() || node.func_call().agg_within_group() ||
      node.func_call().agg_distinct() || !node.func_call().agg_order().empty())
    return true;
  const auto* info = function(node);
  return info != nullptr && info->is_aggregate;
}

bool QueryAnalyzer::has_aggregate(const Node& expr) const {
  bool found = false;
  walk_own(expr, [&](const Node& node) {
    found = found || is_aggregate(node) || node.has_grouping_func();
    return !found;
  });
  return found;
}

QueryAnalyzer::Grouping QueryAnalyzer::grouping(const SelectStmt& select, const Scope& scope,
                                                const std::vector<Node*>& exprs) {
  Grouping result;
  auto key = [&](const Node& node) {
    if (node.has_a_const() && node.a_const().has_ival())  // by position
      return result.add_key(*exprs.at(static_cast<std::size_t>(node.a_const().ival().ival() - 1)));
    return result.add_key(resolve(node, scope));
  };
  // An element of ROLLUP or CUBE or a simple set may be a list of keys.
  auto element = [&](const Node& node) {
    std::set<int> keys;
    if (node.has_row_expr() && node.row_expr().row_format() == pg_query::COERCE_IMPLICIT_CAST) {
      for (const auto& arg : node.row_expr().args()) keys.insert(key(arg));
    } else if (node.has_list()) {
      for (const auto& arg : node.list().items()) keys.insert(key(arg));
    } else {
      keys.insert(key(node));
    }
    return keys;
  };
  std::function<Sets(const Node&)> sets_of = [&](const Node& node) -> Sets {
    if (!node.has_grouping_set()) return {element(node)};
    const auto& set = node.grouping_set();
    std::vector<std::set<int>> elements;
    Sets sets;
    switch (set.kind()) {
      case pg_query::GROUPING_SET_EMPTY:
        return {{}};
      case pg_query::GROUPING_SET_SETS:
        for (const auto& content : set.content())
          for (auto& one : sets_of(content)) sets.push_back(std::move(one));
        return sets;
      default:
        break;
    }
    for (const auto& content : set.content()) elements.push_back(element(content));
    if (set.kind() == pg_query::GROUPING_SET_CUBE) {
      if (elements.size() > 12) check_size(std::size_t{1} << 13, limits_, select);
      for (std::size_t mask = std::size_t{1} << elements.size(); mask-- > 0;) {
        std::set<int> one;
        for (std::size_t i = 0; i < elements.size(); ++i)
          if ((mask >> (elements.size() - 1 - i) & 1U) != 0) one.insert(elements[i].begin(), elements[i].end());
        sets.push_back(std::move(one));
      }
    } else {
      for (std::size_t length = elements.size() + 1; length-- > 0;) {
        std::set<int> one;
        for (std::size_t i = 0; i < length; ++i) one.insert(elements[i].begin(), elements[i].end());
        sets.push_back(std::move(one));
      }
    }
    return sets;
  };
  result.sets = {{}};
  for (const auto& node : select.group_clause()) {
    result.sets = product(result.sets, sets_of(node));
    check_size(result.sets.size(), limits_, select);
  }
  if (select.group_distinct()) {
    Sets unique;
    for (auto& set : result.sets)
      if (std::find(unique.begin(), unique.end(), set) == unique.end()) unique.push_back(std::move(set));
    result.sets = std::move(unique);
  }
  result.several = result.sets.size() > 1;
  for (const auto& node : result.keys) {
    if (returns_set(node))
      throw Unsupported("a set-returning function in GROUP BY is not maintained incrementally", fragment(node),
                        "Call it in FROM.");
    // Which of the equal constants in the select list is the key, and so NULL in other sets, only PostgreSQL knows.
    if (result.several && columns_of(node).empty())
      throw Unsupported("a constant among several grouping sets is not maintained incrementally", fragment(node));
  }
  return result;
}

OperatorPtr QueryAnalyzer::aggregate(const SelectStmt& select, const Scope& scope, OperatorPtr input,
                                     const std::vector<std::string>& names, std::vector<Node*>& exprs) {
  Grouping groups = grouping(select, scope, exprs);

  // Sublinks below the aggregation: in keys and in arguments. The same sublink elsewhere is part of a key.
  std::vector<Node> below = groups.keys;
  for (const Node* expr : exprs) {
    walk_own(*expr, [&](const Node& node) {
      if (is_aggregate(node)) below.push_back(node);
      return !is_aggregate(node);
    });
  }
  if (std::any_of(below.begin(), below.end(), [](const Node& node) { return has_sublink(node); })) {
    const std::vector<Node> before = below;
    std::vector<Node*> pointers;
    for (auto& node : below) pointers.push_back(&node);
    input = extract_sublinks(std::move(input), pointers);
    const std::function<void(Node&)> replace = [&](Node& expr) {
      rewrite(expr, [&](Node& node) {
        for (std::size_t i = 0; i < before.size(); ++i) {
          if (!has_sublink(before[i]) || !equal(before[i], node)) continue;
          node = below[i];
          return true;
        }
        if (!node.has_sub_link()) return false;
        if (node.sub_link().has_testexpr()) replace(*node.mutable_sub_link()->mutable_testexpr());
        return true;
      });
    };
    for (Node* expr : exprs) replace(*expr);
    for (std::size_t i = 0; i < groups.keys.size(); ++i) groups.keys[i] = below[i];
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
  const int set_columns = groups.several ? 1 : 0;
  std::function<void(Node&, bool)> lift = [&](Node& expr, bool in_subquery) {
    rewrite(expr, [&](Node& node) {
      if (node.has_sub_link() && !in_subquery) {
        // The tested value belongs to this query; inside, only what refers to the outer row does.
        check_aggregates_inside(node);
        auto& link = *node.mutable_sub_link();
        if (link.has_testexpr()) lift(*link.mutable_testexpr(), false);
        lift(*link.mutable_subselect(), true);
        return true;
      }
      for (std::size_t i = 0; i < groups.keys.size(); ++i) {
        if (!equal(node, groups.keys[i])) continue;
        node = column(Grouped::kKey, static_cast<int>(i));
        return true;
      }
      if (!in_subquery && node.has_grouping_func()) {
        node = grouping_value(node.grouping_func(), groups.keys, groups.sets, groups.several);
        return true;
      }
      if (!in_subquery && is_aggregate(node)) {
        node = column(Grouped::kCall, add_call(node));
        return true;
      }
      int index = 0;
      if (!is_column(node, &index)) return false;
      // Valid SQL, so this column is functionally dependent on the keys: grouping by it too changes nothing.
      if (groups.keys.empty()) throw Unsupported("a column outside of an aggregate function", fragment(node));
      const int key = groups.add_key(node);
      for (auto& set : groups.sets) set.insert(key);
      node = column(Grouped::kKey, key);
      return true;
    });
  };
  for (Node* expr : exprs) lift(*expr, false);
  const int key_count = static_cast<int>(groups.keys.size());
  for (Node* expr : exprs) {
    *expr = map_tagged<Grouped>(*expr, [&](TaggedColumn<Grouped> at) {
      if (at.of == Grouped::kCall) return column(set_columns + key_count + at.column);
      if (at.of == Grouped::kKey) return column(set_columns + at.column);
      return column(at.column);
    });
  }

  std::vector<std::string> output_names;
  if (groups.several) output_names.emplace_back("set");
  for (std::size_t i = 0; i < groups.keys.size(); ++i) {
    std::string name = "key";
    int index = 0;
    for (std::size_t t = 0; t < names.size(); ++t) {
      if (is_column(*exprs[t], &index) && index == set_columns + static_cast<int>(i)) {
        name = names[t];
        break;
      }
    }
    if (name == "key" && is_column(groups.keys[i], &index))
      name = input->columns().at(static_cast<std::size_t>(index)).name;
    output_names.push_back(std::move(name));
  }
  for (const auto& call : calls) output_names.push_back(call.name);

  std::vector<Node> keys = groups.keys;
  if (groups.several) {
    auto sets = std::make_unique<GroupingSets>(std::move(input), groups.keys, groups.sets);
    keys = {column(sets->set_column())};
    for (int k = 0; k < key_count; ++k) keys.push_back(column(sets->key_column(k)));
    if (sets->has_constant_rows())
      for (auto& call : calls) add_filter(call.call, column(sets->real_column()));
    input = std::move(sets);
  }
  for (auto& call : calls)
    if (call.func().agg_distinct() && call.schema.empty() && ignores_duplicates(call.name))
      call.call.mutable_func_call()->set_agg_distinct(false);
  input = separate_distinct(std::move(input), keys, calls);
  return std::make_unique<Aggregate>(std::move(input), std::move(keys), std::move(calls), output_names);
}

}  // namespace pgtrickle::compiler
