#include "compiler/operators/tagged_union.h"

#include <algorithm>

#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

namespace {

std::string null_of(const TypeInfo& type) {
  return type.oid == type.base_oid ? "NULL::" + type.name : cast_to_domain("NULL", type);
}

}  // namespace

TaggedUnion::TaggedUnion(std::vector<OperatorPtr> branches, std::vector<std::vector<int>> positions,
                         const std::vector<std::string>& names)
    : positions_(std::move(positions)) {
  inputs_ = std::move(branches);
  auto wanted = names;
  wanted.emplace_back("tag");
  for (const auto& name : unique_names(wanted)) columns_.push_back({name, false, std::nullopt, -1});
  derive_columns();
}

void TaggedUnion::derive_columns() {
  columns_.back().not_null = true;
  for (std::size_t i = 0; i + 1 < columns_.size(); ++i) {
    columns_[i].not_null = true;
    for (std::size_t b = 0; b < inputs_.size(); ++b) {
      const int position = positions_[b][i];
      if (position < 0) {
        columns_[i].not_null = false;
        continue;
      }
      const auto& from = inputs_[b]->columns().at(static_cast<std::size_t>(position));
      columns_[i].not_null = columns_[i].not_null && from.not_null;
      columns_[i].type = from.type;
      columns_[i].typmod = from.typmod;
    }
  }
}

Select TaggedUnion::branch(std::size_t number, const FromItem& from) const {
  Select select;
  for (std::size_t i = 0; i + 1 < columns_.size(); ++i) {
    const int position = positions_[number][i];
    const std::string value =
        position < 0 ? null_of(columns_[i].type.value())
                     : "i." + quote_ident(inputs_[number]->columns()[static_cast<std::size_t>(position)].name);
    select.item(value, quote_ident(columns_[i].name));
  }
  return select.item(std::to_string(number), quote_ident(columns_.back().name)).from(from, "i");
}

FromItem TaggedUnion::post() const {
  std::vector<Query> arms;
  for (std::size_t b = 0; b < inputs_.size(); ++b) arms.emplace_back(branch(b, inputs_[b]->post()));
  return union_all(arms);
}

Delta TaggedUnion::delta(Statement& statement, bool consolidate) const {
  std::vector<Query> arms;
  bool consolidated = true;  // branches differ in their tag
  for (std::size_t b = 0; b < inputs_.size(); ++b) {
    const Delta input = inputs_[b]->delta(statement, consolidate);
    consolidated = consolidated && input.consolidated;
    arms.emplace_back(branch(b, input.from).item("i.w").where(statement.gate(inputs_[b]->source_mask())));
  }
  for (std::size_t b = 0; b < inputs_.size(); ++b)  // a branch may hand on fewer columns than its input has
    for (std::size_t c = 0; c < inputs_[b]->columns().size(); ++c)
      if (std::find(positions_[b].begin(), positions_[b].end(), static_cast<int>(c)) == positions_[b].end())
        consolidated = false;
  return {union_all(arms), consolidated};
}

std::vector<int> TaggedUnion::prune(const std::set<int>& needed) {
  std::set<int> kept = needed;
  kept.insert(tag_column());
  for (std::size_t b = 0; b < inputs_.size(); ++b) {
    std::set<int> below;
    for (const int index : kept)
      if (index != tag_column() && positions_[b][static_cast<std::size_t>(index)] >= 0)
        below.insert(positions_[b][static_cast<std::size_t>(index)]);
    const auto moved = inputs_[b]->prune(below);
    std::vector<int> positions;
    for (const int index : kept) {
      if (index == tag_column()) continue;
      const int position = positions_[b][static_cast<std::size_t>(index)];
      positions.push_back(position < 0 ? -1 : moved.at(static_cast<std::size_t>(position)));
    }
    positions_[b] = std::move(positions);
  }
  return keep_columns(columns_, kept);
}

void TaggedUnion::resolve_types(TypeOracle& oracle) {
  Operator::resolve_types(oracle);
  derive_columns();
  columns_.back().type = oracle.column_types("SELECT 0").at(0);
}

void TaggedUnion::advise_lookup(int column, std::vector<std::string>& advice) const {
  if (column == tag_column()) return;
  for (std::size_t b = 0; b < inputs_.size(); ++b)
    if (const int position = positions_[b][static_cast<std::size_t>(column)]; position >= 0)
      inputs_[b]->advise_lookup(position, advice);
}

}  // namespace pgtrickle::compiler
