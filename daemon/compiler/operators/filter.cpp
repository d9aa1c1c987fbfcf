#include "compiler/operators/filter.h"

#include "compiler/parse/factor_or.h"
#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

Filter::Filter(OperatorPtr input, std::vector<Node> predicates) : predicates_(std::move(predicates)) {
  columns_ = input->columns();
  inputs_.push_back(std::move(input));
}

std::vector<std::string> Filter::conditions(const std::string& alias) const {
  std::vector<std::string> parts;
  for (const auto& predicate : predicates_) {
    std::string part = render(predicate, alias, *inputs_[0]);
    parts.push_back(predicate.has_bool_expr() ? "(" + part + ")" : std::move(part));
  }
  return parts;
}

FromItem Filter::over(const FromItem& from, const std::vector<std::string>& carried) const {
  return Select(column_names("i.")).items(prefixed(carried, "i.")).from(from, "i").where(conditions("i"));
}

Delta Filter::delta(Statement& statement, bool consolidate) const {
  auto input = inputs_[0]->delta(statement, consolidate);
  return {over(input.from, {"w"}), input.consolidated};
}

OperatorPtr Filter::push_down() {
  std::vector<Node> kept;
  for (auto& predicate : factor_or(predicates_))
    if (!inputs_[0]->absorb_filter(predicate)) kept.push_back(std::move(predicate));
  predicates_ = std::move(kept);
  return predicates_.empty() ? std::move(inputs_[0]) : nullptr;
}

std::vector<int> Filter::prune(const std::set<int>& needed) {
  std::set<int> all = needed;
  for (const auto& predicate : predicates_)
    for (const int index : columns_of(predicate)) all.insert(index);
  auto mapping = inputs_[0]->prune(all);
  for (auto& predicate : predicates_) predicate = remap(predicate, mapping);
  columns_ = inputs_[0]->columns();  // columns that only the filter needs stay: dropping them would cost a projection
  return mapping;
}

bool Filter::absorb_filter(const Node& predicate) {
  if (!inputs_[0]->absorb_filter(predicate)) predicates_.push_back(predicate);
  return true;
}

void Filter::resolve_types(TypeOracle& oracle) {
  Operator::resolve_types(oracle);
  columns_ = inputs_[0]->columns();
}

std::string Filter::describe() const {
  std::vector<std::string> parts;
  for (const auto& predicate : predicates_) parts.push_back(render(predicate, "i", *inputs_[0]));
  return "Filter " + join(parts, " AND ");
}

OperatorPtr make_filter(OperatorPtr input, std::vector<Node> predicates) {
  return std::make_unique<Filter>(std::move(input), std::move(predicates));
}

}  // namespace pgtrickle::compiler
