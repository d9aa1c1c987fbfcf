#include "compiler/operators/grouping_sets.h"

#include <algorithm>

#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

GroupingSets::GroupingSets(OperatorPtr input, std::vector<Node> keys, std::vector<std::set<int>> sets)
    : keys_(std::move(keys)), sets_(std::move(sets)) {
  inputs_.push_back(std::move(input));
  derive_columns();
}

void GroupingSets::derive_columns() {
  // Its own columns are always the last ones; what is known of them stays when the input's are pruned.
  const std::size_t own = keys_.size() + 2;
  std::vector<OutputColumn> added(own);
  if (columns_.size() >= own) added.assign(columns_.end() - static_cast<std::ptrdiff_t>(own), columns_.end());
  std::vector<std::string> wanted;
  for (const auto& col : inputs_[0]->columns()) wanted.push_back(col.name);
  wanted.emplace_back("set");
  for (std::size_t i = 0; i < keys_.size(); ++i) wanted.emplace_back("key");
  wanted.emplace_back("real");
  const auto names = unique_names(wanted);
  columns_ = inputs_[0]->columns();
  if (has_constant_rows())
    for (auto& col : columns_) col.not_null = false;
  for (auto& col : added) {
    col.name = names[columns_.size()];
    columns_.push_back(std::move(col));
  }
  columns_[static_cast<std::size_t>(set_column())].not_null = true;
  columns_[static_cast<std::size_t>(real_column())].not_null = true;
}

bool GroupingSets::has_constant_rows() const {
  return std::any_of(sets_.begin(), sets_.end(), [](const auto& set) { return set.empty(); });
}

Select GroupingSets::expanded(const FromItem& from, bool constants) const {
  Select select(inputs_[0]->column_names("i."));
  auto named = [&](const std::string& sql, int position) {
    select.item(sql, quote_ident(columns_[static_cast<std::size_t>(position)].name));
  };
  named("g.set", set_column());
  for (std::size_t k = 0; k < keys_.size(); ++k) {
    std::vector<std::string> in;
    for (std::size_t s = 0; s < sets_.size(); ++s)
      if (sets_[s].count(static_cast<int>(k)) != 0) in.push_back(std::to_string(s));
    const std::string key = render_operand(keys_[k], "i", *inputs_[0]);
    const std::string masked = in.empty() ? "CASE WHEN false THEN " + key + " END"
                                          : "CASE WHEN g.set IN (" + join(in, ", ") + ") THEN " + key + " END";
    named(in.size() == sets_.size() && !constants ? key : masked, key_column(static_cast<int>(k)));
  }
  named(constants ? "false" : "true", real_column());
  std::vector<std::string> sets;
  for (std::size_t s = 0; s < sets_.size(); ++s)
    if (!constants || sets_[s].empty()) sets.push_back(std::to_string(s));
  // The constant rows borrow the input's column types from an outer join that never matches.
  if (constants) {
    select.from(Select(), "o").join("LEFT JOIN", from, "i", {"false"});
  } else {
    select.from(from, "i");
  }
  return select.cross_join(FromItem::values(sets), "g", {"set"});
}

FromItem GroupingSets::post() const {
  const FromItem input = inputs_[0]->post();
  std::vector<Query> arms{expanded(input, false)};
  if (has_constant_rows()) arms.emplace_back(expanded(input, true));
  return union_all(arms);
}

Delta GroupingSets::delta(Statement& statement, bool consolidate) const {
  const Delta input = inputs_[0]->delta(statement, consolidate);
  return {expanded(input.from, false).item("i.w"), input.consolidated};
}

std::vector<int> GroupingSets::prune(const std::set<int>& needed) {
  std::set<int> below;
  for (const auto& key : keys_)
    for (const int index : columns_of(key)) below.insert(index);
  const int width = set_column();
  for (const int index : needed)
    if (index < width) below.insert(index);
  const auto moved = inputs_[0]->prune(below);
  for (auto& key : keys_) key = remap(key, moved);
  std::vector<int> mapping(columns_.size(), -1);
  derive_columns();
  for (std::size_t i = 0; i < mapping.size(); ++i) {
    const int index = static_cast<int>(i);
    mapping[i] = index < width ? moved[i] : index - width + set_column();
  }
  return mapping;
}

void GroupingSets::resolve_types(TypeOracle& oracle) {
  Operator::resolve_types(oracle);
  derive_columns();
  const auto names = column_names("x.");
  const auto types = oracle.column_types(Select({names.begin() + set_column(), names.end()}).from(post(), "x").sql());
  for (std::size_t i = 0; i < types.size(); ++i) columns_[static_cast<std::size_t>(set_column()) + i].type = types[i];
}

std::string GroupingSets::describe() const {
  std::vector<std::string> sets;
  for (const auto& set : sets_) {
    std::vector<std::string> keys;
    for (const int key : set) keys.push_back(render(keys_[static_cast<std::size_t>(key)], "i", *inputs_[0]));
    sets.push_back("(" + join(keys, ", ") + ")");
  }
  return "GroupingSets " + join(sets, ", ");
}

std::string GroupingSets::cost_class() const {
  return "O(delta x " + std::to_string(sets_.size()) + " sets)";
}

}  // namespace pgtrickle::compiler
