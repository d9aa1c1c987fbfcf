#include "compiler/operators/join.h"

#include <algorithm>

#include "compiler/operators/match_conditions.h"
#include "compiler/parse/factor_or.h"
#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

namespace {

constexpr std::size_t kMaxInputsBySubsets = 3;  // 7 terms; 4 inputs would already be 15

std::string alias(std::size_t input) {
  return "a" + std::to_string(input + 1);
}

}  // namespace

Join::Join(std::vector<OperatorPtr> inputs, std::vector<Node> conditions) : conditions_(std::move(conditions)) {
  inputs_ = std::move(inputs);
  derive_columns();
}

void Join::derive_columns() {
  columns_.clear();
  std::vector<std::string> wanted;
  for (const auto& input : inputs_)
    for (const auto& col : input->columns()) wanted.push_back(col.name);
  const auto names = unique_names(wanted);
  for (const auto& input : inputs_) {
    for (const auto& col : input->columns()) {
      OutputColumn out = col;
      out.name = names[columns_.size()];
      columns_.push_back(std::move(out));
    }
  }
}

std::size_t Join::offset(std::size_t input) const {
  std::size_t at = 0;
  for (std::size_t i = 0; i < input; ++i) at += inputs_[i]->columns().size();
  return at;
}

std::vector<Join::Place> Join::places() const {
  std::vector<Place> places;
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    for (std::size_t c = 0; c < inputs_[i]->columns().size(); ++c) places.push_back({i, static_cast<int>(c)});
  return places;
}

Node Join::local(const Node& condition) const {
  const auto where_is = places();
  return map_columns(condition, [&](int index) { return column(where_is.at(static_cast<std::size_t>(index)).column); });
}

std::set<std::size_t> Join::inputs_of(const Node& condition) const {
  const auto where_is = places();
  std::set<std::size_t> result;
  for (const int index : columns_of(condition)) result.insert(where_is.at(static_cast<std::size_t>(index)).input);
  return result;
}

std::string Join::condition(const Node& node, const std::function<std::string(int)>& text) const {
  int left = 0;
  int right = 0;
  if (node.has_a_expr() && node.a_expr().kind() == pg_query::AEXPR_NOT_DISTINCT &&
      is_column(node.a_expr().lexpr(), &left) && is_column(node.a_expr().rexpr(), &right)) {
    // IS NOT DISTINCT FROM can use neither index nor hash table; "=" can, and so can each arm of the OR.
    const auto& l = columns_[static_cast<std::size_t>(left)];
    const auto& r = columns_[static_cast<std::size_t>(right)];
    if (l.type && r.type && l.type->oid == r.type->oid && !(l.type->equatable && l.type->builtin_operators))
      return conjunction(row_match({text(left)}, {text(right)}, {*l.type}, false));
    std::string equal = text(left) + " = " + text(right);
    if (l.not_null || r.not_null) return equal;
    // Not IS NULL: that is also true of a composite value whose fields are all NULL.
    return "(" + equal + " OR (" + text(left) + " IS NOT DISTINCT FROM NULL AND " + text(right) +
           " IS NOT DISTINCT FROM NULL))";
  }
  const std::string sql = deparse_over(node, text);
  return node.has_bool_expr() ? "(" + sql + ")" : sql;
}

std::string Join::condition(const Node& node) const {
  const auto where_is = places();
  return condition(node, [&](int index) {
    const auto& place = where_is.at(static_cast<std::size_t>(index));
    return alias(place.input) + "." +
           quote_ident(inputs_[place.input]->columns()[static_cast<std::size_t>(place.column)].name);
  });
}

std::vector<std::string> Join::select_list(std::size_t count) const {
  std::vector<std::string> list;
  const auto where_is = places();
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (where_is[i].input >= count) continue;
    const auto& name = inputs_[where_is[i].input]->columns()[static_cast<std::size_t>(where_is[i].column)].name;
    std::string item = alias(where_is[i].input) + "." + quote_ident(name);
    if (name != columns_[i].name) item += " AS " + quote_ident(columns_[i].name);
    list.push_back(std::move(item));
  }
  return list;
}

FromItem Join::post() const {
  Select select(select_list(inputs_.size()));
  for (std::size_t i = 0; i < inputs_.size(); ++i) select.from(inputs_[i]->post(), alias(i));
  for (const auto& node : conditions_) select.where(condition(node));
  return select;
}

Delta Join::delta(Statement& statement, bool /*consolidate*/) const {
  std::vector<FromItem> posts;
  std::vector<std::string> deltas;
  for (const auto& input : inputs_) {
    posts.push_back(input->post());
    // A delta stands in several terms: compute it once.
    deltas.push_back(statement.with_name_of(input->delta(statement, true).from, "d", "rows of one input that changed"));
  }
  if (const std::size_t single = switching_input(); single < inputs_.size())
    return {by_switch(statement, single, posts, deltas), false};
  if (inputs_.size() <= kMaxInputsBySubsets) return {by_subsets(statement, posts, deltas), false};
  return {by_levels(statement, posts, deltas), false};
}

Query Join::by_subsets(const Statement& statement, const std::vector<FromItem>& posts,
                       const std::vector<std::string>& deltas) const {
  const std::size_t n = inputs_.size();
  std::vector<std::pair<int, Query>> terms;  // (size of the subset, term): single changes first, for the reader
  for (std::size_t subset = 1; subset < (std::size_t{1} << n); ++subset) {
    Select term(select_list(n));
    std::vector<std::string> weights;
    for (const auto& node : conditions_) term.where(condition(node));
    for (std::size_t i = 0; i < n; ++i) {
      if ((subset >> i & 1U) != 0) {
        term.from(deltas[i], alias(i)).where(statement.gate(inputs_[i]->source_mask()));
        weights.push_back(alias(i) + ".w");
      } else {
        term.from(posts[i], alias(i));
      }
    }
    std::string weight = join(weights, " * ");
    if (weights.size() % 2 == 0) weight = "-(" + weight + ")";
    terms.emplace_back(static_cast<int>(weights.size()), term.item(weight, "w"));
  }
  std::stable_sort(terms.begin(), terms.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Query> arms;
  for (auto& term : terms) arms.push_back(std::move(term.second));
  return union_all(arms);
}

std::size_t Join::switching_input() const {
  if (inputs_.size() != 2) return inputs_.size();
  for (const std::size_t single : {0U, 1U}) {
    if (!inputs_[single]->single_row() || inputs_[1 - single]->single_row() || unread_.count(single) == 0) continue;
    bool read = false;
    for (const auto& node : conditions_) read = read || inputs_of(node).count(single) != 0;
    // Rows that can be looked up by the value are few.
    for (const auto& [left, right] : equated()) {
      const auto place = places()[static_cast<std::size_t>(left)];
      if (place.input != single && inputs_[place.input]->indexed(place.column)) read = false;
    }
    if (read) return single;
  }
  return inputs_.size();
}

Query Join::by_switch(const Statement& statement, std::size_t single, const std::vector<FromItem>& posts,
                      const std::vector<std::string>& deltas) const {
  const std::size_t other = 1 - single;
  const auto where_is = places();
  auto over = [&](const Node& node, const std::string& single_alias) {
    return condition(node, [&](int index) {
      const auto& place = where_is.at(static_cast<std::size_t>(index));
      return (place.input == single ? single_alias : alias(place.input)) + "." +
             quote_ident(inputs_[place.input]->columns()[static_cast<std::size_t>(place.column)].name);
    });
  };
  std::vector<std::string> all;
  std::vector<std::string> fixed;  // conditions without the single row
  std::vector<std::string> before;
  std::vector<std::string> after;
  for (const auto& node : conditions_) {
    all.push_back(condition(node));
    if (inputs_of(node).count(single) == 0) {
      fixed.push_back(condition(node));
    } else {
      before.push_back(over(node, "was"));
      after.push_back(condition(node));
    }
  }
  const std::string old_row = "((" + conjunction(before) + ") IS TRUE)";
  const std::string new_row = "((" + conjunction(after) + ") IS TRUE)";
  const std::string turned = "(" + new_row + "::int - " + old_row + "::int)";
  const std::string other_gate = statement.gate(inputs_[other]->source_mask());
  const std::string single_gate = statement.gate(inputs_[single]->source_mask());
  auto turning = [&](const FromItem& from, const std::string& weight, const std::vector<std::string>& gates) {
    return Select(select_list(2))
        .item(weight, "w")
        .from(from, alias(other))
        .from(deltas[single], alias(single))
        .from(deltas[single], "was")
        .where(fixed)
        .where({alias(single) + ".w > 0", "was.w < 0", new_row + " <> " + old_row})
        .where(gates);
  };
  return union_all({Select(select_list(2))
                        .item(alias(other) + ".w")
                        .from(deltas[other], alias(other))
                        .from(posts[single], alias(single))
                        .where(all)
                        .where(other_gate),
                    turning(posts[other], turned, {single_gate}),
                    turning(deltas[other], "-(" + alias(other) + ".w * " + turned + ")", {single_gate, other_gate})});
}

std::vector<std::size_t> Join::join_order() const {
  // Follow the conditions, so that no level is a cross join unless the query is one.
  std::vector<std::size_t> order{0};
  std::set<std::size_t> done{0};
  while (order.size() < inputs_.size()) {
    std::size_t next = inputs_.size();
    for (std::size_t i = 0; i < inputs_.size() && next == inputs_.size(); ++i) {
      if (done.count(i) != 0) continue;
      for (const auto& node : conditions_) {
        const auto used = inputs_of(node);
        if (used.count(i) != 0 && used.size() > 1 &&
            std::all_of(used.begin(), used.end(), [&](std::size_t j) { return j == i || done.count(j) != 0; })) {
          next = i;
          break;
        }
      }
    }
    for (std::size_t i = 0; next == inputs_.size(); ++i)
      if (done.count(i) == 0) next = i;
    order.push_back(next);
    done.insert(next);
  }
  return order;
}

std::string Join::by_levels(Statement& statement, const std::vector<FromItem>& posts,
                            const std::vector<std::string>& deltas) const {
  const auto order = join_order();
  const auto where_is = places();
  std::set<std::size_t> joined{order[0]};
  std::string previous = deltas[order[0]];  // delta of the join so far
  bool first = true;
  std::vector<std::string> conds_so_far;  // among the joined inputs
  for (const auto& node : conditions_) {
    const auto used = inputs_of(node);
    if (used.empty() || (used.size() == 1 && *used.begin() == order[0])) conds_so_far.push_back(condition(node));
  }
  std::uint64_t mask = inputs_[order[0]]->source_mask();
  for (std::size_t level = 1; level < order.size(); ++level) {
    const std::size_t next = order[level];
    // conditions that become decidable at this level: over the bases, and over (previous delta, next)
    std::vector<std::string> on_bases;
    std::vector<std::string> on_delta;
    for (const auto& node : conditions_) {
      const auto used = inputs_of(node);
      const bool decidable =
          std::all_of(used.begin(), used.end(), [&](std::size_t i) { return i == next || joined.count(i) != 0; });
      // At the first level the delta of the first input is raw: what concerns it alone is still to be tested.
      if (!decidable || (used.count(next) == 0 && !first)) continue;
      if (used.count(next) != 0) on_bases.push_back(condition(node));
      on_delta.push_back(condition(node, [&](int index) {
        const auto& place = where_is.at(static_cast<std::size_t>(index));
        const auto& input_name = inputs_[place.input]->columns()[static_cast<std::size_t>(place.column)].name;
        if (place.input == next) return alias(next) + "." + quote_ident(input_name);
        return "j." + quote_ident(first ? input_name : columns_[static_cast<std::size_t>(index)].name);
      }));
    }
    std::vector<std::string> from_delta_list;  // select list over (j, next)
    std::vector<std::string> from_bases_list;
    joined.insert(next);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const auto& place = where_is[i];
      if (joined.count(place.input) == 0) continue;
      const std::string input_name =
          quote_ident(inputs_[place.input]->columns()[static_cast<std::size_t>(place.column)].name);
      const std::string out = quote_ident(columns_[i].name);
      from_bases_list.push_back(alias(place.input) + "." + input_name + " AS " + out);
      from_delta_list.push_back(place.input == next ? alias(next) + "." + input_name + " AS " + out
                                                    : "j." + (first ? input_name : out) + " AS " + out);
    }
    const std::uint64_t next_mask = inputs_[next]->source_mask();
    const std::string joined_gate = statement.gate(mask);
    const std::string next_gate = statement.gate(next_mask);
    auto with_previous = [&](const FromItem& other, const std::string& weight) {
      return Select(from_delta_list).item(weight).from(previous, "j").from(other, alias(next)).where(on_delta);
    };
    std::vector<std::string> base_conds = conds_so_far;
    base_conds.insert(base_conds.end(), on_bases.begin(), on_bases.end());
    Select from_bases(from_bases_list);
    from_bases.item(alias(next) + ".w").where(base_conds).where(next_gate);
    for (const std::size_t i : joined) from_bases.from(i == next ? FromItem(deltas[i]) : posts[i], alias(i));
    previous = statement.with(
        "j", "changes of the join of the first " + std::to_string(joined.size()) + " inputs",
        union_all(
            {with_previous(posts[next], "j.w").where(joined_gate), from_bases,
             with_previous(deltas[next], "-(j.w * " + alias(next) + ".w) AS w").where({joined_gate, next_gate})}));
    conds_so_far = std::move(base_conds);
    mask |= next_mask;
    first = false;
  }
  return previous;
}

std::vector<int> Join::prune(const std::set<int>& needed) {
  const auto where_is = places();
  std::vector<std::set<int>> below(inputs_.size());
  auto need = [&](int index) {
    const auto& place = where_is.at(static_cast<std::size_t>(index));
    below[place.input].insert(place.column);
  };
  for (const int index : needed) need(index);
  unread_.clear();
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    if (below[i].empty()) unread_.insert(i);
  for (const auto& node : conditions_)
    for (const int index : columns_of(node)) need(index);
  std::vector<std::vector<int>> moved;
  for (std::size_t i = 0; i < inputs_.size(); ++i) moved.push_back(inputs_[i]->prune(below[i]));
  std::vector<int> mapping(columns_.size(), -1);
  for (std::size_t i = 0; i < where_is.size(); ++i) {
    const int to = moved[where_is[i].input][static_cast<std::size_t>(where_is[i].column)];
    if (to >= 0) mapping[i] = static_cast<int>(offset(where_is[i].input)) + to;
  }
  for (auto& node : conditions_) node = remap(node, mapping);
  derive_columns();
  return mapping;
}

bool Join::absorb_filter(const Node& predicate) {
  std::vector<Node> conjuncts;
  split_conjuncts(predicate, conjuncts);
  for (auto& node : conjuncts) {
    const auto used = inputs_of(node);
    if (used.size() == 1) {
      const std::size_t input = *used.begin();
      if (inputs_[input]->absorb_filter(local(node))) continue;
    }
    conditions_.push_back(std::move(node));
  }
  return true;
}

OperatorPtr Join::push_down() {
  const std::vector<Node> all = factor_or(conditions_);
  conditions_.clear();
  for (const auto& node : all) absorb_filter(node);
  return nullptr;
}

Operator::Place Join::filterable(const std::vector<int>& columns) {
  const auto where_is = places();
  std::set<std::size_t> inputs;
  for (const int index : columns) inputs.insert(where_is.at(static_cast<std::size_t>(index)).input);
  if (inputs.size() != 1) return {};
  return {&inputs_[*inputs.begin()], static_cast<int>(offset(*inputs.begin()))};
}

bool Join::indexed(int column) const {
  const auto place = places().at(static_cast<std::size_t>(column));
  return inputs_[place.input]->indexed(place.column);
}

bool Join::in_order(int column) const {
  const auto place = places().at(static_cast<std::size_t>(column));
  return inputs_[place.input]->in_order(place.column);
}

void Join::advise_lookup(int column, std::vector<std::string>& advice) const {
  const auto place = places().at(static_cast<std::size_t>(column));
  inputs_[place.input]->advise_lookup(place.column, advice);
}

OperatorPtr Join::superset(std::vector<int>& columns) const {
  const auto where_is = places();
  std::set<std::size_t> inputs;
  for (const int index : columns) inputs.insert(where_is.at(static_cast<std::size_t>(index)).input);
  if (inputs.size() != 1) return clone();
  const std::size_t only = *inputs.begin();
  std::vector<int> own;
  for (const int index : columns) own.push_back(where_is.at(static_cast<std::size_t>(index)).column);
  std::vector<Node> filters;
  for (const auto& node : conditions_)
    if (inputs_of(node) == inputs) filters.push_back(local(node));
  columns = std::move(own);
  if (filters.empty()) return inputs_[only]->superset(columns);
  return make_filter(inputs_[only]->clone(), std::move(filters));
}

void Join::resolve_types(TypeOracle& oracle) {
  Operator::resolve_types(oracle);
  derive_columns();
  for (auto& node : conditions_) expand_images(node, columns_);
}

std::optional<Operator::Origin> Join::source_of(int column) const {
  const auto place = places().at(static_cast<std::size_t>(column));
  return inputs_[place.input]->source_of(place.column);
}

/// All conditions hold for a row, so what equals the same equals each other.
std::optional<std::vector<Operator::Meeting>> Join::meetings() const {
  std::vector<std::size_t> same(columns_.size());
  for (std::size_t i = 0; i < same.size(); ++i) same[i] = i;
  for (const auto& [left, right] : equated()) {
    const auto from = same.at(static_cast<std::size_t>(left));
    const auto to = same.at(static_cast<std::size_t>(right));
    std::replace(same.begin(), same.end(), from, to);
  }
  const auto where_is = places();
  std::vector<Meeting> meetings;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    for (std::size_t j = i + 1; j < inputs_.size(); ++j) {
      Meeting meeting{inputs_[i].get(), inputs_[j].get(), {}, false, false};
      for (std::size_t l = 0; l < same.size(); ++l)
        for (std::size_t r = l + 1; r < same.size(); ++r)
          if (same[l] == same[r] && where_is[l].input == i && where_is[r].input == j)
            meeting.equal.emplace_back(where_is[l].column, where_is[r].column);
      meetings.push_back(std::move(meeting));
    }
  }
  return meetings;
}

std::vector<std::pair<int, int>> Join::equated() const {
  std::vector<std::pair<int, int>> pairs;
  for (const auto& node : conditions_) {
    if (!node.has_a_expr() ||
        (node.a_expr().kind() != pg_query::AEXPR_OP && node.a_expr().kind() != pg_query::AEXPR_NOT_DISTINCT))
      continue;
    const auto [schema, name] = qualified_name(node.a_expr().name());
    int left = 0;
    int right = 0;
    if (!schema.empty() || name != "=" || !is_column(node.a_expr().lexpr(), &left) ||
        !is_column(node.a_expr().rexpr(), &right))
      continue;
    pairs.emplace_back(left, right);
    pairs.emplace_back(right, left);
  }
  return pairs;
}

std::vector<Key> Join::keys() const {
  // One key of each input identifies a row; an input whose key is equated to columns of the remaining ones adds
  // nothing.
  const auto where_is = places();
  auto pairs = equated();
  // One value of one type can equal several values of another: then it does not say which row it is.
  pairs.erase(std::remove_if(pairs.begin(), pairs.end(),
                             [&](const auto& pair) {
                               const auto& left = columns_[static_cast<std::size_t>(pair.first)].type;
                               const auto& right = columns_[static_cast<std::size_t>(pair.second)].type;
                               return !left || !right || !is_one_equality(*left, *right);
                             }),
              pairs.end());
  std::vector<std::vector<Key>> input_keys;
  for (const auto& input : inputs_) input_keys.push_back(input->keys());
  std::vector<Key> result;
  std::set<std::size_t> kept;
  for (std::size_t i = 0; i < inputs_.size(); ++i) kept.insert(i);
  auto determined = [&](std::size_t input, const std::set<std::size_t>& by) {
    const int base = static_cast<int>(offset(input));
    return std::any_of(input_keys[input].begin(), input_keys[input].end(), [&](const Key& key) {
      return std::all_of(key.begin(), key.end(), [&](int col) {
        return std::any_of(pairs.begin(), pairs.end(), [&](const auto& pair) {
          return pair.first == base + col && by.count(where_is[static_cast<std::size_t>(pair.second)].input) != 0;
        });
      });
    });
  };
  // Reachability from `kept`: inputs determined step by step.
  auto covers_all = [&](const std::set<std::size_t>& from) {
    std::set<std::size_t> have = from;
    for (bool grown = true; grown;) {
      grown = false;
      for (std::size_t i = 0; i < inputs_.size(); ++i) {
        if (have.count(i) == 0 && determined(i, have)) {
          have.insert(i);
          grown = true;
        }
      }
    }
    return have.size() == inputs_.size();
  };
  for (std::size_t i = inputs_.size(); i-- > 0;) {
    auto without = kept;
    without.erase(i);
    if (!without.empty() && covers_all(without)) kept = std::move(without);
  }
  Key key;
  for (const std::size_t input : kept) {
    if (input_keys[input].empty()) return {};
    for (const int col : input_keys[input].front()) key.push_back(static_cast<int>(offset(input)) + col);
  }
  result.push_back(std::move(key));
  return result;
}

std::string Join::describe() const {
  std::vector<std::string> parts;
  for (const auto& node : conditions_) parts.push_back(condition(node));
  return "Join of " + std::to_string(inputs_.size()) + (parts.empty() ? "" : " on " + join(parts, " AND "));
}

bool Join::reaches_all(std::size_t input, bool by_index) const {
  const auto where_is = places();
  std::set<std::size_t> reached{input};
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    if (inputs_[i]->source_mask() == 0 || inputs_[i]->single_row()) reached.insert(i);
  // Whether rows of one more input are found by an expression over the ones that are reached.
  auto finds = [&](const Node& mine, const Node& theirs) {
    const auto own = inputs_of(mine);
    const auto known = inputs_of(theirs);
    if (own.size() != 1 || !std::includes(reached.begin(), reached.end(), known.begin(), known.end())) return false;
    int index = 0;
    if (by_index) {
      if (!is_column(mine, &index)) return false;
      const auto& place = where_is.at(static_cast<std::size_t>(index));
      if (!inputs_[place.input]->can_be_looked_up(place.column)) return false;
    }
    return reached.insert(*own.begin()).second;
  };
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& node : conditions_) {
      if (!node.has_a_expr()) continue;
      const auto& expr = node.a_expr();
      const bool null_safe = expr.kind() == pg_query::AEXPR_NOT_DISTINCT;
      if (expr.kind() != pg_query::AEXPR_OP && !null_safe) continue;
      const auto [schema, name] = qualified_name(expr.name());
      if (!schema.empty() || name != "=") continue;
      if (null_safe && !(is_column(expr.lexpr()) && is_column(expr.rexpr()))) continue;
      grown = finds(expr.lexpr(), expr.rexpr()) || finds(expr.rexpr(), expr.lexpr()) || grown;
    }
  }
  return reached.size() == inputs_.size();
}

std::string Join::cost_class() const {
  bool turns = false;
  bool reads = false;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i]->source_mask() == 0 || reaches_all(i, true)) continue;
    if (inputs_[i]->single_row()) {
      turns = true;
    } else if (reaches_all(i, false)) {
      reads = true;
    } else {
      return "O(delta x input): no equality between the sides";
    }
  }
  if (reads) return "O(delta + input): no index can serve the equality";
  return turns ? "O(delta x matches), O(input) when the single row changes" : "O(delta x matches)";
}

void Join::index_advice(std::vector<std::string>& advice) const {
  Operator::index_advice(advice);
  // Which columns of each input a change of the others looks up.
  const auto where_is = places();
  std::vector<std::set<int>> looked_up(inputs_.size());
  for (const auto& pair : equated())
    looked_up[where_is[static_cast<std::size_t>(pair.first)].input].insert(
        where_is[static_cast<std::size_t>(pair.first)].column);
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    for (const int col : looked_up[i]) inputs_[i]->advise_lookup(col, advice);
}

OperatorPtr make_join(std::vector<OperatorPtr> inputs, std::vector<Node> conditions) {
  return std::make_unique<Join>(std::move(inputs), std::move(conditions));
}

}  // namespace pgtrickle::compiler
