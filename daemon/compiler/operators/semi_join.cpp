#include "compiler/operators/semi_join.h"

#include "compiler/operators/match_flips.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

SemiJoin::SemiJoin(OperatorPtr left, OperatorPtr right, const std::vector<Node>& conditions, bool anti)
    : SemiJoin(std::move(left), std::move(right), MatchConditions(conditions), anti) {}

SemiJoin::SemiJoin(OperatorPtr left, OperatorPtr right, MatchConditions conditions, bool anti)
    : conditions_(std::move(conditions)), anti_(anti) {
  columns_ = left->columns();
  inputs_.push_back(std::move(left));
  inputs_.push_back(std::move(right));
}

std::string SemiJoin::test() const {
  const MatchScope scope{*inputs_[0], "a", *inputs_[1], "b"};
  const Select matches = Select().from(inputs_[1]->post(), "b").where(scope.sql(conditions_.all()));
  return anti_ ? not_exists(matches) : exists(matches);
}

FromItem SemiJoin::post() const {
  return Select(column_names("a.")).from(inputs_[0]->post(), "a").where(test());
}

Delta SemiJoin::delta(Statement& statement, bool /*consolidate*/) const {
  const std::string left = materialized_delta(statement, *inputs_[0]);
  const std::string right = materialized_delta(statement, *inputs_[1]);
  const auto list = column_names("a.");
  const MatchSides sides{*inputs_[0], *inputs_[1], conditions_, Side::kLeft, left, right};
  std::vector<Query> terms{
      Select(list).item("a.w").from(left, "a").where({test(), statement.gate(inputs_[0]->source_mask())})};
  for (auto& term : flip_terms(statement, sides, list, !anti_)) terms.push_back(std::move(term));
  return {union_all(terms), false};
}

std::vector<int> SemiJoin::prune(const std::set<int>& needed) {
  auto mapping = prune_sides(inputs_, conditions_, needed);
  mapping.resize(columns_.size());
  columns_ = inputs_[0]->columns();  // columns that only the conditions need stay, as in a Filter
  return mapping;
}

bool SemiJoin::absorb_filter(const Node& predicate) {
  filter_input(inputs_[0], predicate);
  return true;
}

OperatorPtr SemiJoin::push_down() {
  for (const auto& node : conditions_.take(Side::kRight, row())) filter_input(inputs_[1], node);
  if (!anti_)
    for (const auto& node : conditions_.take(Side::kLeft, row())) filter_input(inputs_[0], node);
  std::set<int> read;
  for (const auto& node : conditions_.all())
    for (const int index : row().columns_of(node, Side::kLeft)) read.insert(index);
  const Place below = inputs_[0]->filterable({read.begin(), read.end()});
  if (below.input == nullptr) return nullptr;
  const PairRow moved(**below.input);
  std::vector<int> mapping;
  for (int i = 0; i < static_cast<int>(columns_.size()); ++i)
    mapping.push_back(read.count(i) != 0 ? i - below.offset : -1);
  for (int i = 0; i < static_cast<int>(inputs_[1]->columns().size()); ++i)
    mapping.push_back(moved.position({Side::kRight, i}));
  conditions_.remap(mapping);
  OperatorPtr& left = *below.input;
  left = OperatorPtr(new SemiJoin(std::move(left), std::move(inputs_[1]), std::move(conditions_), anti_));
  return std::move(inputs_[0]);
}

void SemiJoin::resolve_types(TypeOracle& oracle) {
  Operator::resolve_types(oracle);
  conditions_.resolve_types(*inputs_[0], *inputs_[1], oracle);
  columns_ = inputs_[0]->columns();
}

std::string SemiJoin::describe() const {
  const MatchScope scope{*inputs_[0], "a", *inputs_[1], "b"};
  return std::string(anti_ ? "Anti" : "Semi") + " join" +
         (conditions_.empty() ? "" : " on " + join(scope.sql(conditions_.all()), " AND "));
}

std::optional<std::vector<Operator::Meeting>> SemiJoin::meetings() const {
  return std::vector<Meeting>{{inputs_[0].get(), inputs_[1].get(), conditions_.equated(row()), false, true}};
}

std::string SemiJoin::cost_class() const {
  return flip_cost(conditions_, *inputs_[0], *inputs_[1]);
}

void SemiJoin::index_advice(std::vector<std::string>& advice) const {
  Operator::index_advice(advice);
  for (const auto& [left, right] : conditions_.equated(row())) {
    inputs_[0]->advise_lookup(left, advice);
    inputs_[1]->advise_lookup(right, advice);
  }
}

}  // namespace pgtrickle::compiler
