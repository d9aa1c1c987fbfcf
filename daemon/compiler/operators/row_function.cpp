#include "compiler/operators/row_function.h"

#include "compiler/operators/correlation.h"
#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

RowFunction::RowFunction(OperatorPtr input, Node function, const std::vector<std::string>& names, bool outer,
                         std::vector<Node> conditions)
    : function_(std::move(function)), outer_(outer), conditions_(std::move(conditions)) {
  names_ = unique_names(names);
  for (std::size_t i = 0; i < names_.size(); ++i) used_.push_back(static_cast<int>(i));
  inputs_.push_back(std::move(input));
  derive_columns(std::vector<OutputColumn>(used_.size()));
}

void RowFunction::derive_columns(std::vector<OutputColumn> added) {
  std::vector<std::string> wanted;
  for (const auto& col : inputs_[0]->columns()) wanted.push_back(col.name);
  for (const int position : used_) wanted.push_back(names_[static_cast<std::size_t>(position)]);
  const auto unique = unique_names(wanted);
  columns_ = inputs_[0]->columns();
  for (auto& col : added) {
    col.name = unique[columns_.size()];
    columns_.push_back(std::move(col));
  }
}

/// A subquery has names of its own, none of which may capture the row.
std::string RowFunction::input_alias() const {
  return function_.has_range_subselect() ? kOuterAlias : "i";
}

std::string RowFunction::call() const {
  // Written as the FROM clause of a query, by the deparser, and taken from there.
  Node item = map_columns(function_, [&](int index) {
    return column_ref(input_alias(), inputs_[0]->columns().at(static_cast<std::size_t>(index)).name);
  });
  auto* alias = item.has_range_function()    ? item.mutable_range_function()->mutable_alias()
                : item.has_range_subselect() ? item.mutable_range_subselect()->mutable_alias()
                                             : item.mutable_range_table_func()->mutable_alias();
  alias->set_aliasname("f");
  const bool typed = item.has_range_function() && !item.range_function().coldeflist().empty();
  alias->clear_colnames();
  if (typed) {
    int at = 0;
    for (auto& definition : *item.mutable_range_function()->mutable_coldeflist())
      definition.mutable_column_def()->set_colname(names_.at(static_cast<std::size_t>(at++)));
  } else {
    for (const auto& name : names_) alias->add_colnames()->mutable_string()->set_sval(name);
  }
  if (item.has_range_function()) {
    item.mutable_range_function()->set_lateral(true);
  } else if (item.has_range_table_func()) {
    item.mutable_range_table_func()->set_lateral(true);
  }
  return deparse_from_item(item);
}

FromItem RowFunction::over(const FromItem& from, const std::vector<std::string>& carried) const {
  const std::string input = quote_ident(input_alias());
  std::vector<std::string> list = inputs_[0]->column_names(input + ".");
  for (std::size_t i = 0; i < used_.size(); ++i) {
    const std::string& name = columns_[inputs_[0]->columns().size() + i].name;
    const std::string& own = names_[static_cast<std::size_t>(used_[i])];
    list.push_back("f." + quote_ident(own) + (name == own ? "" : " AS " + quote_ident(name)));
  }
  std::vector<std::string> conditions;
  for (const auto& node : conditions_) {
    const Node named = row().map(node, [&](SideColumn at) {
      const auto position = static_cast<std::size_t>(at.column);
      return at.side == Side::kLeft ? column_ref(input_alias(), inputs_[0]->columns()[position].name)
                                    : column_ref("f", names_.at(position));
    });
    conditions.push_back("(" + deparse_expr(named) + ")");
  }
  return Select(std::move(list))
      .items(prefixed(carried, input + "."))
      .from(from, input)
      .join(outer_ ? "LEFT JOIN" : "INNER JOIN", call(), {}, conditions);
}

Delta RowFunction::delta(Statement& statement, bool consolidate) const {
  return {over(inputs_[0]->delta(statement, consolidate).from, {"w"}), false};
}

std::vector<int> RowFunction::prune(const std::set<int>& needed) {
  const PairRow before = row();
  std::set<int> below;
  auto need = [&](const Node& expr) {
    for (const int column : before.columns_of(expr, Side::kLeft)) below.insert(column);
  };
  need(function_);
  for (const auto& node : conditions_) need(node);
  for (const int index : needed)
    if (before.at(index).side == Side::kLeft) below.insert(index);
  const auto moved = inputs_[0]->prune(below);
  const PairRow after = row();
  function_ = remap(function_, moved);
  for (auto& node : conditions_)
    node = before.map(node, [&](SideColumn at) {
      return at.side == Side::kLeft ? column(moved[static_cast<std::size_t>(at.column)])
                                    : after.column(Side::kRight, at.column);
    });
  std::vector<int> mapping = moved;
  mapping.resize(columns_.size(), -1);
  std::vector<int> used;
  std::vector<OutputColumn> added;
  for (std::size_t i = 0; i < used_.size(); ++i) {
    const int at = before.position({Side::kRight, static_cast<int>(i)});
    if (needed.count(at) == 0) continue;
    mapping[static_cast<std::size_t>(at)] = after.position({Side::kRight, static_cast<int>(used.size())});
    used.push_back(used_[i]);
    added.push_back(std::move(columns_[static_cast<std::size_t>(at)]));
  }
  used_ = std::move(used);
  derive_columns(std::move(added));
  return mapping;
}

bool RowFunction::absorb_filter(const Node& predicate) {
  if (row().reads(predicate, Side::kRight)) return false;
  if (!inputs_[0]->absorb_filter(predicate)) inputs_[0] = make_filter(std::move(inputs_[0]), {predicate});
  return true;
}

void RowFunction::resolve_types(TypeOracle& oracle) {
  Operator::resolve_types(oracle);
  derive_columns(std::vector<OutputColumn>(used_.size()));
  if (used_.empty()) return;
  const auto names = column_names("x.");
  const int first = row().position({Side::kRight, 0});
  const auto types = oracle.column_types(Select({names.begin() + first, names.end()}).from(post(), "x").sql());
  for (std::size_t i = 0; i < used_.size(); ++i) columns_[static_cast<std::size_t>(first) + i].type = types.at(i);
}

void RowFunction::advise_lookup(int column, std::vector<std::string>& advice) const {
  if (row().at(column).side == Side::kLeft) inputs_[0]->advise_lookup(column, advice);
}

std::string RowFunction::describe() const {
  return std::string("Function ") + (outer_ ? "(left join) " : "") + call();
}

OperatorPtr make_repeat(OperatorPtr input, const Node& count) {
  Node function;
  auto* range = function.mutable_range_function();
  auto* item = range->add_functions()->mutable_list();
  Node call = parse_expr("pg_catalog.generate_series(1::bigint, NULL::bigint)");
  *call.mutable_func_call()->mutable_args(1) = count;
  *item->add_items() = std::move(call);
  item->add_items();
  const std::size_t width = input->columns().size();
  OperatorPtr repeated = std::make_unique<RowFunction>(std::move(input), std::move(function),
                                                       std::vector<std::string>{"copy"}, false, std::vector<Node>{});
  std::vector<Node> expressions;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < width; ++i) {
    expressions.push_back(column(static_cast<int>(i)));
    names.push_back(repeated->columns()[i].name);
  }
  return make_projection(std::move(repeated), std::move(expressions), names);
}

}  // namespace pgtrickle::compiler
