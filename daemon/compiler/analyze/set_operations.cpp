// UNION, INTERSECT, EXCEPT. Only UNION ALL is an operator of its own; the others are groups of equal rows and how many
// of them each side has, which an aggregate's state keeps:
//   UNION          the groups
//   INTERSECT      groups that both sides have;       INTERSECT ALL  in as many copies as the smaller number
//   EXCEPT         groups that only the left has;     EXCEPT ALL     in as many copies as the left has more
#include <functional>

#include "compiler/analyze/query_analyzer.h"
#include "compiler/operators/aggregate.h"
#include "compiler/operators/row_function.h"
#include "compiler/operators/union_all.h"

namespace pgtrickle::compiler {

using pg_query::SelectStmt;

namespace {

/// A bare operand of a chain, which can be flattened: no WITH, no LIMIT of its own.
bool bare(const SelectStmt& select) {
  return !select.has_with_clause() && !select.has_limit_count() && !select.has_limit_offset();
}

/// How the columns of an arm are written, which decides about collations.
std::vector<Collated> collated(const SelectStmt& arm, std::size_t width) {
  std::vector<Collated> forms(width, Collated::kNo);
  auto mentions_collate = [](const Node& expr) {
    bool found = false;
    walk(expr, [&](const Node& node) { return !(found = found || node.has_collate_clause()); });
    return found;
  };
  if (arm.op() != pg_query::SETOP_NONE) return forms;
  for (int i = 0; i < arm.target_list_size() && i < static_cast<int>(width); ++i) {
    const Node& value = arm.target_list(i).res_target().val();
    if (mentions_collate(value))
      forms[static_cast<std::size_t>(i)] = value.has_collate_clause() ? Collated::kYes : Collated::kInside;
  }
  for (const auto& row : arm.values_lists())
    if (mentions_collate(row)) forms.assign(width, Collated::kInside);
  return forms;
}

}  // namespace

OperatorPtr QueryAnalyzer::set_operation(const SelectStmt& select, const CteScope* ctes, int depth) {
  if (select.op() == pg_query::SETOP_UNION) {
    // a UNION b UNION c: PostgreSQL unifies types from left to right, as the flat list does.
    std::vector<OperatorPtr> branches;
    std::vector<std::vector<Collated>> forms;
    bool ordered = false;
    auto add = [&](const SelectStmt& arm) {
      branches.push_back(query(arm, ctes, depth + 1));
      ordered = ordered || ordered_;
      forms.push_back(collated(arm, branches.back()->columns().size()));
    };
    std::function<void(const SelectStmt&, bool)> flatten = [&](const SelectStmt& part, bool top) {
      const bool same = part.op() == pg_query::SETOP_UNION && part.all() == select.all();
      if (!same || !(top || bare(part))) {
        add(part);
        return;
      }
      flatten(part.larg(), false);
      add(part.rarg());
    };
    flatten(select, true);
    ordered_ = ordered && select.all();
    OperatorPtr all = std::make_unique<UnionAll>(std::move(branches), std::move(forms));
    return select.all() ? std::move(all) : make_distinct(std::move(all));
  }

  std::vector<OperatorPtr> sides;
  std::vector<std::vector<Collated>> forms;
  std::vector<std::string> names = select_names(select);
  const std::size_t width = names.size();
  for (const bool left : {true, false}) {
    const SelectStmt& arm = left ? select.larg() : select.rarg();
    OperatorPtr side = query(arm, ctes, depth + 1);
    forms.push_back(collated(arm, width + 1));
    std::vector<Node> columns;
    for (std::size_t i = 0; i < width; ++i) columns.push_back(column(static_cast<int>(i)));
    columns.push_back(parse_expr(left ? "true" : "false"));
    auto tagged = names;
    tagged.emplace_back("is_left");
    sides.push_back(make_projection(std::move(side), std::move(columns), tagged));
  }
  ordered_ = false;
  OperatorPtr both = std::make_unique<UnionAll>(std::move(sides), std::move(forms));
  const int tag = static_cast<int>(width);
  std::vector<Node> keys;
  for (std::size_t i = 0; i < width; ++i) keys.push_back(column(static_cast<int>(i)));
  std::vector<AggregateCall> calls(2);
  const std::string left_rows = "$" + std::to_string(tag + 1);
  calls[0].call = parse_expr("pg_catalog.count(*) FILTER (WHERE " + left_rows + ")");
  calls[1].call = parse_expr("pg_catalog.count(*) FILTER (WHERE NOT " + left_rows + ")");
  calls[0].name = calls[1].name = "count";
  auto counted = names;
  counted.insert(counted.end(), {"left_rows", "right_rows"});
  OperatorPtr groups = std::make_unique<Aggregate>(std::move(both), std::move(keys), std::move(calls), counted);
  const std::string l = "$" + std::to_string(width + 1);
  const std::string r = "$" + std::to_string(width + 2);
  const bool intersect = select.op() == pg_query::SETOP_INTERSECT;
  if (select.all()) {
    groups = make_repeat(std::move(groups),
                         parse_expr(intersect ? "LEAST(" + l + ", " + r + ")" : "(" + l + " - " + r + ")"));
  } else {
    std::vector<Node> conditions;
    split_conjuncts(parse_expr(l + " > 0 AND " + r + (intersect ? " > 0" : " = 0")), conditions);
    groups = make_filter(std::move(groups), std::move(conditions));
  }
  std::vector<Node> output;
  for (std::size_t i = 0; i < width; ++i) output.push_back(column(static_cast<int>(i)));
  return make_projection(std::move(groups), std::move(output), names);
}

}  // namespace pgtrickle::compiler
