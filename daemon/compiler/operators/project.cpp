#include "compiler/operators/project.h"

#include <algorithm>

#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

Project::Project(OperatorPtr input, std::vector<Node> expressions, const std::vector<std::string>& names,
                 bool returns_sets)
    : expressions_(std::move(expressions)), returns_sets_(returns_sets) {
  inputs_.push_back(std::move(input));
  derive_columns(unique_names(names));
}

void Project::derive_columns(const std::vector<std::string>& names) {
  columns_.clear();
  for (std::size_t i = 0; i < expressions_.size(); ++i) {
    OutputColumn col{names[i], false, std::nullopt, -1};
    int index = 0;
    if (is_column(expressions_[i], &index)) {
      const auto& from = inputs_[0]->columns().at(static_cast<std::size_t>(index));
      col.not_null = from.not_null;
      col.type = from.type;
      col.typmod = from.typmod;
    }
    columns_.push_back(std::move(col));
  }
}

std::vector<std::string> Project::select_list(const std::string& alias) const {
  std::vector<std::string> list;
  for (std::size_t i = 0; i < expressions_.size(); ++i) {
    std::string expr = render(expressions_[i], alias, *inputs_[0]);
    const std::string name = quote_ident(columns_[i].name);
    list.push_back(expr == alias + "." + name ? std::move(expr) : expr + " AS " + name);
  }
  return list;
}

FromItem Project::over(const FromItem& from, const std::vector<std::string>& carried) const {
  return Select(select_list("i")).items(prefixed(carried, "i.")).from(from, "i");
}

Delta Project::delta(Statement& statement, bool consolidate) const {
  const Delta input = inputs_[0]->delta(statement, consolidate);
  // Rows stay different if no column is left out: a projection that only reorders or renames.
  std::set<int> passed;
  for (const auto& expr : expressions_) {
    int index = 0;
    if (is_column(expr, &index)) passed.insert(index);
  }
  // What only leaves columns out or reorders them, under their names, is the input: who reads it asks by name.
  const auto list = select_list("i");
  const bool renames = std::any_of(list.begin(), list.end(), [this](const std::string& item) {
    return std::none_of(inputs_[0]->columns().begin(), inputs_[0]->columns().end(),
                        [&](const OutputColumn& col) { return item == "i." + quote_ident(col.name); });
  });
  return {renames ? over(input.from, {"w"}) : input.from,
          input.consolidated && !returns_sets_ && passed.size() == inputs_[0]->columns().size()};
}

std::vector<int> Project::prune(const std::set<int>& asked) {
  std::set<int> needed = asked;
  if (returns_sets_)  // which of them makes the rows is not known here
    for (std::size_t i = 0; i < expressions_.size(); ++i)
      if (!is_column(expressions_[i])) needed.insert(static_cast<int>(i));
  auto mapping = keep_columns(columns_, needed);
  std::vector<Node> kept;
  std::set<int> below;
  for (const int index : needed) {
    kept.push_back(expressions_.at(static_cast<std::size_t>(index)));
    for (const int used : columns_of(kept.back())) below.insert(used);
  }
  const auto moved = inputs_[0]->prune(below);
  for (auto& expr : kept) expr = remap(expr, moved);
  expressions_ = std::move(kept);
  return mapping;
}

bool Project::absorb_filter(const Node& predicate) {
  if (returns_sets_)
    for (const int index : columns_of(predicate))
      if (!is_column(expressions_.at(static_cast<std::size_t>(index)))) return false;
  Node below = map_columns(predicate, [this](int index) { return expressions_.at(static_cast<std::size_t>(index)); });
  // Always taken: filters end up below projections, next to the state whose rows they hide.
  if (!inputs_[0]->absorb_filter(below)) inputs_[0] = make_filter(std::move(inputs_[0]), {std::move(below)});
  return true;
}

void Project::resolve_types(TypeOracle& oracle) {
  Operator::resolve_types(oracle);
  for (auto& expr : expressions_) expand_images(expr, inputs_[0]->columns());
  std::vector<std::string> names;
  for (const auto& col : columns_) names.push_back(col.name);
  derive_columns(names);
  const auto types = expression_types(expressions_, *inputs_[0], oracle);
  for (std::size_t i = 0; i < columns_.size(); ++i) columns_[i].type = types[i];
}

OperatorPtr Project::superset(std::vector<int>& columns) const {
  std::vector<int> below;
  for (const int index : columns) {
    int from = 0;
    if (!is_column(expressions_.at(static_cast<std::size_t>(index)), &from)) return clone();
    below.push_back(from);
  }
  columns = std::move(below);
  return inputs_[0]->superset(columns);
}

Node Project::below(const Node& expr) const {
  return map_columns(expr, [&](int index) { return expressions_.at(static_cast<std::size_t>(index)); });
}

std::vector<Key> Project::keys() const {
  std::vector<Key> keys;
  if (returns_sets_) return keys;
  for (const auto& below : inputs_[0]->keys()) {
    Key key;
    for (const int index : below) {
      for (std::size_t i = 0; i < expressions_.size(); ++i) {
        int from = 0;
        if (is_column(expressions_[i], &from) && from == index) {
          key.push_back(static_cast<int>(i));
          break;
        }
      }
    }
    if (key.size() == below.size()) keys.push_back(std::move(key));
  }
  return keys;
}

std::string Project::describe() const {
  std::vector<std::string> list = select_list("i");
  return "Project " + one_line(join(list, ", "), 160);
}

OperatorPtr make_set_projection(OperatorPtr input, std::vector<Node> expressions,
                                const std::vector<std::string>& names) {
  return std::make_unique<Project>(std::move(input), std::move(expressions), names, true);
}

OperatorPtr make_projection(OperatorPtr input, std::vector<Node> expressions, const std::vector<std::string>& names) {
  return std::make_unique<Project>(std::move(input), std::move(expressions), names);
}

}  // namespace pgtrickle::compiler
