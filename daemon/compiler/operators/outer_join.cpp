#include "compiler/operators/outer_join.h"

#include <algorithm>

#include "compiler/operators/match_flips.h"
#include "compiler/parse/rejects_nulls.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

namespace {

const char* kind(bool keep_left, bool keep_right) {
  if (keep_left) return keep_right ? "FULL" : "LEFT";
  return keep_right ? "RIGHT" : "INNER";
}

}  // namespace

OuterJoin::OuterJoin(OperatorPtr left, OperatorPtr right, const std::vector<Node>& conditions, bool keep_left,
                     bool keep_right)
    : conditions_(conditions), keep_left_(keep_left), keep_right_(keep_right) {
  inputs_.push_back(std::move(left));
  inputs_.push_back(std::move(right));
  derive_columns();
}

void OuterJoin::derive_columns() {
  columns_.clear();
  for (std::size_t i = 0; i < 2; ++i) {
    const bool padded = i == 0 ? keep_right_ : keep_left_;
    for (const auto& col : inputs_[i]->columns()) {
      columns_.push_back(col);
      columns_.back().not_null = col.not_null && !padded;
    }
  }
  std::vector<std::string> wanted;
  for (const auto& col : columns_) wanted.push_back(col.name);
  const auto names = unique_names(wanted);
  for (std::size_t i = 0; i < names.size(); ++i) columns_[i].name = names[i];
}

std::pair<const Operator*, int> OuterJoin::place(int column) const {
  const auto [side, position] = row().at(column);
  return {inputs_[side == Side::kLeft ? 0 : 1].get(), position};
}

std::vector<std::string> OuterJoin::select_list(const std::string& left, const std::string& right) const {
  std::vector<std::string> list;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const auto [input, position] = place(static_cast<int>(i));
    const std::string& name = input->columns()[static_cast<std::size_t>(position)].name;
    std::string item = (input == inputs_[0].get() ? left : right) + "." + quote_ident(name);
    if (name != columns_[i].name) item += " AS " + quote_ident(columns_[i].name);
    list.push_back(std::move(item));
  }
  return list;
}

std::vector<std::string> OuterJoin::padded_list(Side kept, const std::string& alias) const {
  auto list = select_list(alias, alias);
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (row().at(static_cast<int>(i)).side == kept) continue;
    const TypeInfo& type = columns_[i].type.value();
    std::string null = "NULL::" + type.name;
    if (type.base_oid != type.oid) {
      // A cast to a domain that is NOT NULL would fail; the NULL of no row does not.
      const auto [input, position] = place(static_cast<int>(i));
      const std::string name = quote_ident(input->columns()[static_cast<std::size_t>(position)].name);
      null = Query(Select({"p." + name}).from(input->post(), "p").where("false")).in_parentheses();
    }
    list[i] = null + " AS " + quote_ident(columns_[i].name);
  }
  return list;
}

std::vector<std::string> OuterJoin::on() const {
  const MatchScope scope{*inputs_[0], "a", *inputs_[1], "b"};
  return scope.sql(conditions_.all());
}

Select OuterJoin::joined(const FromItem& left, const char* how, const FromItem& right) const {
  return Select(select_list("a", "b")).from(left, "a").join(std::string(how) + " JOIN", right, "b", on());
}

FromItem OuterJoin::post() const {
  return joined(inputs_[0]->post(), kind(keep_left_, keep_right_), inputs_[1]->post());
}

std::vector<Query> OuterJoin::joined_terms(const Statement& statement, const std::string& left_delta,
                                           const std::string& right_delta) const {
  const std::string left_gate = statement.gate(inputs_[0]->source_mask());
  const std::string right_gate = statement.gate(inputs_[1]->source_mask());
  return {joined(left_delta, kind(keep_left_, false), inputs_[1]->post()).item("a.w", "w").where(left_gate),
          joined(inputs_[0]->post(), kind(false, keep_right_), right_delta).item("b.w", "w").where(right_gate),
          joined(left_delta, "INNER", right_delta).item("-(a.w * b.w)", "w").where({left_gate, right_gate})};
}

Delta OuterJoin::delta(Statement& statement, bool /*consolidate*/) const {
  const std::string left = materialized_delta(statement, *inputs_[0]);
  const std::string right = materialized_delta(statement, *inputs_[1]);
  auto terms = joined_terms(statement, left, right);
  auto add_flips = [&](Side kept) {
    const bool is_left = kept == Side::kLeft;
    const MatchSides sides{*inputs_[0], *inputs_[1], conditions_, kept, is_left ? left : right, is_left ? right : left};
    for (auto& term : flip_terms(statement, sides, padded_list(kept, "a"), false)) terms.push_back(std::move(term));
  };
  if (keep_left_) add_flips(Side::kLeft);
  if (keep_right_) add_flips(Side::kRight);
  return {union_all(terms), false};
}

std::vector<int> OuterJoin::prune(const std::set<int>& needed) {
  auto mapping = prune_sides(inputs_, conditions_, needed);
  derive_columns();
  return mapping;
}

void OuterJoin::drop_padding_that_never_passes(const Node& predicate) {
  const auto rejects_padding = [&, pair = row()](Side side) {
    return rejects_nulls(predicate, [&](int column) { return pair.at(column).side == side; });
  };
  if (rejects_padding(Side::kRight)) keep_left_ = false;
  if (rejects_padding(Side::kLeft)) keep_right_ = false;
  derive_columns();
}

bool OuterJoin::absorb_conjunct(const Node& conjunct) {
  if (!keep_left_ && !keep_right_) {
    conditions_.add(conjunct);
    return true;
  }
  for (const Side side : {Side::kLeft, Side::kRight}) {
    const bool other_is_kept = side == Side::kLeft ? keep_right_ : keep_left_;
    if (other_is_kept || !row().reads_only(conjunct, side)) continue;
    filter_input(inputs_[side == Side::kLeft ? 0 : 1], row().local(conjunct, side));
    return true;
  }
  return false;
}

bool OuterJoin::absorb_filter(const Node& predicate) {
  std::vector<Node> conjuncts;
  split_conjuncts(predicate, conjuncts);
  for (const auto& conjunct : conjuncts) drop_padding_that_never_passes(conjunct);
  bool all = true;
  for (const auto& conjunct : conjuncts) all = absorb_conjunct(conjunct) && all;
  return all;
}

OperatorPtr OuterJoin::push_down() {
  if (!keep_left_ && !keep_right_) return make_join(std::move(inputs_), conditions_.all());
  if (!keep_right_)
    for (const auto& node : conditions_.take(Side::kRight, row())) filter_input(inputs_[1], node);
  if (!keep_left_)
    for (const auto& node : conditions_.take(Side::kLeft, row())) filter_input(inputs_[0], node);
  return nullptr;
}

void OuterJoin::resolve_types(TypeOracle& oracle) {
  Operator::resolve_types(oracle);
  conditions_.resolve_types(*inputs_[0], *inputs_[1], oracle);
  derive_columns();
}

std::vector<Key> OuterJoin::keys() const {
  const auto left = inputs_[0]->keys();
  const auto right = inputs_[1]->keys();
  std::set<int> left_equated;
  std::set<int> right_equated;
  for (const auto& [l, r] : conditions_.equated(row())) {
    left_equated.insert(l);
    right_equated.insert(r);
  }
  auto at_most_one = [](const std::vector<Key>& keys, const std::set<int>& equated) {
    return std::any_of(keys.begin(), keys.end(), [&](const Key& key) {
      return std::all_of(key.begin(), key.end(), [&](int column) { return equated.count(column) != 0; });
    });
  };
  auto of_right = [pair = row()](const Key& key) {
    Key result;
    for (const int column : key) result.push_back(pair.position({Side::kRight, column}));
    return result;
  };
  std::vector<Key> result;
  if (!keep_right_ && at_most_one(right, right_equated)) result.insert(result.end(), left.begin(), left.end());
  if (!keep_left_ && at_most_one(left, left_equated))
    for (const auto& key : right) result.push_back(of_right(key));
  if (!result.empty() || left.empty() || right.empty()) return result;
  // A pair of rows, or one of them and NULLs: a row that is padded is not in a pair as well. But two padded rows, one
  // of each side, both with a key of NULLs only, would be the same.
  auto never_all_null = [](const Operator& input, const Key& key) {
    return std::any_of(key.begin(), key.end(),
                       [&](int column) { return input.columns()[static_cast<std::size_t>(column)].not_null; });
  };
  for (const auto& l : left) {
    for (const auto& r : right) {
      if (keep_left_ && keep_right_ && !never_all_null(*inputs_[0], l) && !never_all_null(*inputs_[1], r)) continue;
      Key key = l;
      for (const int column : of_right(r)) key.push_back(column);
      return {key};
    }
  }
  return {};
}

std::optional<Operator::Origin> OuterJoin::source_of(int column) const {
  const auto [input, position] = place(column);
  return input->source_of(position);
}

std::optional<std::vector<Operator::Meeting>> OuterJoin::meetings() const {
  return std::vector<Meeting>{
      {inputs_[0].get(), inputs_[1].get(), conditions_.equated(row()), keep_right_, keep_left_}};
}

bool OuterJoin::indexed(int column) const {
  const auto [input, position] = place(column);
  return input->indexed(position);
}

std::string OuterJoin::describe() const {
  std::string name = kind(keep_left_, keep_right_);
  std::transform(name.begin() + 1, name.end(), name.begin() + 1, [](unsigned char c) { return std::tolower(c); });
  return name + " join on " + conjunction(on());
}

std::string OuterJoin::cost_class() const {
  return flip_cost(conditions_, *inputs_[0], *inputs_[1]);
}

void OuterJoin::index_advice(std::vector<std::string>& advice) const {
  Operator::index_advice(advice);
  for (const auto& [left, right] : conditions_.equated(row())) {
    inputs_[0]->advise_lookup(left, advice);
    inputs_[1]->advise_lookup(right, advice);
  }
}

void OuterJoin::advise_lookup(int column, std::vector<std::string>& advice) const {
  const auto [input, position] = place(column);
  input->advise_lookup(position, advice);
}

}  // namespace pgtrickle::compiler
