#include "compiler/operators/window.h"

#include <algorithm>

#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

Window::Window(OperatorPtr input, std::vector<Node> calls, const std::vector<Node>& partition,
               const std::vector<std::string>& names)
    : KeyedRecompute(std::move(input), partition), calls_(std::move(calls)) {
  std::vector<std::string> wanted;
  for (const auto& col : columns_) wanted.push_back(col.name);
  wanted.insert(wanted.end(), names.begin(), names.end());
  const auto unique = unique_names(wanted);
  for (std::size_t i = columns_.size(); i < unique.size(); ++i)
    columns_.push_back({unique[i], false, std::nullopt, -1});
}

Select Window::compute(const FromItem& rows) const {
  const Operator& input = *inputs_[0];
  const auto row = input.column_names("i.");
  const auto columns = state_columns();
  Select select({row.begin(), row.begin() + static_cast<std::ptrdiff_t>(passed())});
  for (std::size_t i = 0; i < calls_.size(); ++i)
    select.item(render(calls_[i], "i", input), quote_ident(columns[passed() + i].name));
  for (std::size_t i = passed(); i < row.size(); ++i) select.item(row[i], quote_ident(columns[calls_.size() + i].name));
  return select.from(rows, "i");
}

std::vector<int> Window::prune(const std::set<int>& needed) {
  const std::size_t before = passed();
  std::set<int> below;
  std::vector<Node> calls;
  std::vector<OutputColumn> values;
  for (const int index : needed) {
    const auto at = static_cast<std::size_t>(index);
    if (at < before) {
      below.insert(index);
    } else {
      calls.push_back(std::move(calls_[at - before]));
      values.push_back(columns_[at]);
    }
  }
  for (const auto& call : calls)
    for (const int index : columns_of(call)) below.insert(index);
  const auto moved = prune_input(std::move(below));
  calls_.clear();
  for (const auto& call : calls) calls_.push_back(remap(call, moved));
  std::vector<int> mapping(moved.begin(), moved.begin() + static_cast<std::ptrdiff_t>(before));
  mapping.resize(columns_.size(), -1);
  columns_ = inputs_[0]->columns();
  columns_.resize(passed());
  for (auto& value : values) columns_.push_back(std::move(value));
  int next = static_cast<int>(passed());
  for (const int index : needed)
    if (static_cast<std::size_t>(index) >= before) mapping[static_cast<std::size_t>(index)] = next++;
  return mapping;
}

void Window::resolve_types(TypeOracle& oracle) {
  Operator::resolve_types(oracle);
  const auto& row = inputs_[0]->columns();
  std::copy(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(passed()), columns_.begin());
  if (calls_.empty()) return;
  auto names = column_names("p.");
  names.erase(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(passed()));
  const auto types = oracle.column_types(Select(names).from(post(), "p").sql());
  for (std::size_t i = 0; i < calls_.size(); ++i) columns_[passed() + i].type = types.at(i);
}

std::vector<Key> Window::keys() const {
  auto keys = inputs_[0]->keys();
  keys.erase(std::remove_if(keys.begin(), keys.end(),
                            [&](const Key& key) {
                              return std::any_of(key.begin(), key.end(),
                                                 [&](int at) { return at >= static_cast<int>(passed()); });
                            }),
             keys.end());
  return keys;
}

std::string Window::describe() const {
  std::vector<std::string> values;
  for (const auto& call : calls_) values.push_back(render(call, "i", *inputs_[0]));
  return "Window " + join(values, ", ");
}

}  // namespace pgtrickle::compiler
