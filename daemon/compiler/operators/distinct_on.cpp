#include "compiler/operators/distinct_on.h"

#include <algorithm>

#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

DistinctOn::DistinctOn(OperatorPtr input, const std::vector<Node>& keys, std::vector<SortTerm> order)
    : KeyedRecompute(std::move(input), keys), order_(std::move(order)) {}

std::vector<std::string> DistinctOn::rendered_keys() const {
  std::vector<std::string> list;
  for (const int key : key_positions())
    list.push_back("i." + quote_ident(inputs_[0]->columns().at(static_cast<std::size_t>(key)).name));
  return list;
}

Select DistinctOn::compute(const FromItem& rows) const {
  const Operator& input = *inputs_[0];
  const auto keys = rendered_keys();
  auto order = keys;
  for (auto& term : render_order(order_, "i", input)) order.push_back(std::move(term));
  for (auto& term : tie_breakers("i", input))
    if (std::find(order.begin(), order.end(), term) == order.end()) order.push_back(std::move(term));
  return Select(input.column_names("i.")).distinct_on(keys).from(rows, "i").order_by(std::move(order));
}

std::vector<int> DistinctOn::prune(const std::set<int>& needed) {
  std::set<int> kept = needed;
  for (const auto& term : order_)
    for (const int index : columns_of(term.expr)) kept.insert(index);
  auto mapping = prune_input(std::move(kept));
  for (auto& term : order_) term.expr = remap(term.expr, mapping);
  mapping.resize(columns_.size());
  columns_ = inputs_[0]->columns();
  columns_.resize(passed());
  return mapping;
}

void DistinctOn::resolve_types(TypeOracle& oracle) {
  Operator::resolve_types(oracle);
  columns_ = inputs_[0]->columns();
  columns_.resize(passed());
}

std::vector<Key> DistinctOn::keys() const {
  auto keys = inputs_[0]->keys();
  const bool visible = std::all_of(key_positions().begin(), key_positions().end(),
                                   [&](int key) { return key < static_cast<int>(passed()); });
  keys.erase(std::remove_if(keys.begin(), keys.end(),
                            [&](const Key& key) {
                              return std::any_of(key.begin(), key.end(),
                                                 [&](int at) { return at >= static_cast<int>(passed()); });
                            }),
             keys.end());
  if (visible) keys.push_back(key_positions());
  return keys;
}

std::string DistinctOn::describe() const {
  return "DistinctOn " + join(rendered_keys(), ", ") +
         (order_.empty() ? std::string() : " by " + join(render_order(order_, "i", *inputs_[0]), ", "));
}

}  // namespace pgtrickle::compiler
