#include "compiler/operators/union_all.h"

#include <algorithm>

#include "compiler/error.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

namespace {

constexpr const char* kDefaultCollation = "pg_catalog.\"default\"";

/// PostgreSQL's rules for the collation of two arms.
std::string merged_collation(const TypeInfo& left, Collated left_form, const TypeInfo& right, Collated right_form) {
  if (left.collation == right.collation || right.collation.empty()) return left.collation;
  if (left.collation.empty()) return right.collation;
  const bool left_wins = left_form == Collated::kYes && right_form == Collated::kNo;
  const bool right_wins = right_form == Collated::kYes && left_form == Collated::kNo;
  const bool implicit = left_form == Collated::kNo && right_form == Collated::kNo;
  if (left_wins || (implicit && right.collation == kDefaultCollation)) return left.collation;
  if (right_wins || (implicit && left.collation == kDefaultCollation)) return right.collation;
  throw Unsupported(
      "the arms of a set operation have different collations: " + left.collation + " and " + right.collation, {},
      "Write the same COLLATE behind the column in every arm.");
}

}  // namespace

UnionAll::UnionAll(std::vector<OperatorPtr> inputs, std::vector<std::vector<Collated>> collated)
    : collated_(std::move(collated)) {
  inputs_ = std::move(inputs);
  for (const auto& col : inputs_[0]->columns()) columns_.push_back({col.name, false, std::nullopt, -1});
}

Select UnionAll::branch(const Operator& input, const FromItem& from) const {
  Select select;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::string expr = "i." + quote_ident(input.columns()[i].name);
    if (columns_[i].type) {
      const auto& type = input.columns()[i].type;
      if (!type || type->oid != columns_[i].type->oid) expr += "::" + columns_[i].type->name;
    }
    const std::string& collation = columns_[i].type ? columns_[i].type->collation : collations_[i];
    if (!collation.empty() && input.columns()[i].type && input.columns()[i].type->collation != collation)
      expr = "(" + expr + " COLLATE " + collation + ")";
    select.item(expr, quote_ident(columns_[i].name));
  }
  return select.from(from, "i");
}

FromItem UnionAll::post() const {
  std::vector<Query> arms;
  for (const auto& input : inputs_) arms.emplace_back(branch(*input, input->post()));
  return union_all(arms);
}

Delta UnionAll::delta(Statement& statement, bool consolidate) const {
  std::vector<Query> arms;
  for (const auto& input : inputs_)
    arms.emplace_back(branch(*input, input->delta(statement, consolidate).from)
                          .item("i.w")
                          .where(statement.gate(input->source_mask())));
  return {union_all(arms), false};
}

std::vector<int> UnionAll::prune(const std::set<int>& needed) {
  // The branches are asked for the same columns; one that keeps more than asked for is narrowed by branch().
  for (auto& input : inputs_) {
    const auto mapping = input->prune(needed);
    bool same = input->columns().size() == needed.size();
    std::size_t at = 0;
    for (const int index : needed) same = same && mapping.at(static_cast<std::size_t>(index)) == static_cast<int>(at++);
    if (!same) {
      std::vector<Node> exprs;
      std::vector<std::string> names;
      for (const int index : needed) {
        const int moved = mapping.at(static_cast<std::size_t>(index));
        exprs.push_back(column(moved));
        names.push_back(input->columns().at(static_cast<std::size_t>(moved)).name);
      }
      input = make_projection(std::move(input), std::move(exprs), names);
    }
  }
  return keep_columns(columns_, needed);
}

bool UnionAll::absorb_filter(const Node& predicate) {
  // A branch may have another type than the whole: '2024-01-01' and '2024-01-01 00:00:00' are different texts.
  for (auto& input : inputs_) {
    const Node typed = map_columns(predicate, [&](int index) {
      const auto at = static_cast<std::size_t>(index);
      const auto& have = input->columns()[at].type;
      const auto& want = columns_[at].type;
      Node value = want && (!have || have->oid != want->oid) ? cast(column(index), want->name) : column(index);
      const bool collates = want && have && !want->collation.empty() && have->collation != want->collation;
      return collates ? collate(std::move(value), want->collation) : value;
    });
    if (!input->absorb_filter(typed)) input = make_filter(std::move(input), {typed});
  }
  return true;
}

/// Of the arms from left to right.
std::string UnionAll::common_collation(std::size_t column) const {
  TypeInfo so_far = inputs_[0]->columns()[column].type.value();
  Collated form = collated_[0][column];
  for (std::size_t i = 1; i < inputs_.size(); ++i) {
    const TypeInfo& next = inputs_[i]->columns()[column].type.value();
    const std::string merged = merged_collation(so_far, form, next, collated_[i][column]);
    // Rows that the first arms take for one, the whole would keep apart.
    if (i > 1 && so_far.loose_collation && merged != so_far.collation)
      throw Unsupported("the arms of a set operation have different collations: " + so_far.collation + " and " + merged,
                        {}, "Write the same COLLATE behind the column in every arm.");
    if (merged == next.collation) so_far = next;
    form = Collated::kNo;
  }
  return so_far.collation;
}

void UnionAll::resolve_types(TypeOracle& oracle) {
  Operator::resolve_types(oracle);
  if (columns_.empty()) return;
  collations_.clear();
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    collations_.push_back(common_collation(i));
    columns_[i].type.reset();
  }
  const auto types = oracle.column_types(Select(column_names("u.")).from(post(), "u").sql());
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    columns_[i].type = types.at(i);
    columns_[i].not_null = true;
    for (const auto& input : inputs_) columns_[i].not_null = columns_[i].not_null && input->columns()[i].not_null;
  }
}

bool UnionAll::indexed(int column) const {
  // A cast column cannot be looked up through the index of what it is cast from.
  const auto at = static_cast<std::size_t>(column);
  return std::all_of(inputs_.begin(), inputs_.end(), [&](const OperatorPtr& input) {
    const auto& have = input->columns()[at].type;
    const auto& want = columns_[at].type;
    return have && want && have->oid == want->oid && have->collation == want->collation && input->indexed(column);
  });
}

void UnionAll::advise_lookup(int column, std::vector<std::string>& advice) const {
  for (const auto& input : inputs_) input->advise_lookup(column, advice);
}

}  // namespace pgtrickle::compiler
