#include "compiler/operators/keyed_recompute.h"

#include <algorithm>
#include <stdexcept>

#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

KeyedRecompute::KeyedRecompute(OperatorPtr input, const std::vector<Node>& keys) {
  columns_ = input->columns();
  std::vector<Node> row;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    row.push_back(column(static_cast<int>(i)));
    names.push_back(columns_[i].name);
  }
  for (const auto& key : keys) {
    int position = 0;
    if (!is_column(key, &position)) {
      position = static_cast<int>(row.size());
      row.push_back(key);
      names.emplace_back("key");
      ++hidden_;
    }
    if (std::find(keys_.begin(), keys_.end(), position) == keys_.end()) keys_.push_back(position);
  }
  if (hidden_ > 0) input = make_projection(std::move(input), std::move(row), names);
  inputs_.push_back(std::move(input));
}

KeyedRecompute::KeyedRecompute(OperatorPtr input) {
  columns_ = input->columns();
  for (std::size_t i = 0; i < columns_.size(); ++i) keys_.push_back(static_cast<int>(i));
  inputs_.push_back(std::move(input));
}

std::vector<OutputColumn> KeyedRecompute::state_columns() const {
  auto columns = columns_;
  const auto& row = inputs_[0]->columns();
  std::vector<std::string> wanted;
  for (const auto& col : columns) wanted.push_back(col.name);
  for (std::size_t i = passed(); i < row.size(); ++i) {
    columns.push_back(row[i]);
    wanted.push_back(row[i].name);
  }
  const auto names = unique_names(wanted);
  for (std::size_t i = 0; i < columns.size(); ++i) columns[i].name = names[i];
  return columns;
}

/// The keys' names in the state.
std::vector<std::string> KeyedRecompute::key_names(const std::string& prefix) const {
  const auto columns = state_columns();
  std::vector<std::string> names;
  for (const int key : keys_) {
    auto at = static_cast<std::size_t>(key);
    if (at >= passed()) at = at - passed() + columns_.size();
    names.push_back(prefix + quote_ident(columns.at(at).name));
  }
  return names;
}

std::vector<TypeInfo> KeyedRecompute::key_types() const {
  std::vector<TypeInfo> types;
  for (const int key : keys_) types.push_back(inputs_[0]->columns().at(static_cast<std::size_t>(key)).type.value());
  return types;
}

bool KeyedRecompute::plain_keys() const {
  return keys_.size() <= 32 && std::all_of(keys_.begin(), keys_.end(), [&](int key) {
           const auto& col = inputs_[0]->columns().at(static_cast<std::size_t>(key));
           return col.not_null && col.type->equatable && col.type->builtin_operators && col.type->fixed_width;
         });
}

FromItem KeyedRecompute::post() const {
  return Select(column_names("p.")).from(compute(inputs_[0]->post()), "p");
}

Delta KeyedRecompute::delta(Statement& /*statement*/, bool /*consolidate*/) const {
  throw std::logic_error("an operator that is computed by key has to be cut out as a node first");
}

std::vector<std::string> KeyedRecompute::state_ddl() const {
  const auto columns = state_columns();
  std::vector<std::string> ddl{empty_table(state_table(), compute(inputs_[0]->post()))};
  auto add = [&](std::string index) {
    if (std::find(ddl.begin(), ddl.end(), index) == ddl.end()) ddl.push_back(std::move(index));
  };
  if (!keys_.empty() && plain_keys()) {
    add("CREATE INDEX ON " + state_table() + " (" + join(key_names(""), ", ") + ")");
    // Should a source lose the NOT NULL that this relies on, the refresh fails and the program is recreated.
    for (const auto& key : key_names(""))
      add("ALTER TABLE " + state_table() + " ALTER COLUMN " + key + " SET NOT NULL");
  } else if (!keys_.empty()) {
    add("CREATE INDEX ON " + state_table() + " (" + row_hash(key_names(""), key_types(), "") + ")");
  }
  for (const int column : lookups_)
    for (auto& index : lookup_ddl(state_table(), columns.at(static_cast<std::size_t>(column)))) add(std::move(index));
  return ddl;
}

std::vector<std::string> KeyedRecompute::rebuild() const {
  const auto columns = state_columns();
  return refilled(state_table(), state(columns).names(), compute(inputs_[0]->post()));
}

FromItem KeyedRecompute::from_state() const {
  return Select(column_names("s.")).from(state_table(), "s");
}

/// All input rows of the affected keys, in the post-state.
Query KeyedRecompute::affected_rows(const std::string& affected) const {
  const Operator& input = *inputs_[0];
  const FromItem post = input.post();
  const Select any = Select().from(affected, "k");
  if (keys_.empty()) return Select(input.column_names("i.")).from(post, "i").where(exists(any));
  std::vector<std::string> mine;
  std::vector<bool> not_null;
  for (const int key : keys_) {
    const auto& col = input.columns()[static_cast<std::size_t>(key)];
    mine.push_back("i." + quote_ident(col.name));
    not_null.push_back(col.not_null);
  }
  std::vector<Query> arms;
  for (const auto& way : key_lookups(mine, key_names(""), key_types(), not_null)) {
    Select such = any;
    if (!way.null_keys.empty()) such.where(any_null(way.null_keys, "k."));
    arms.emplace_back(
        Select(input.column_names("i.")).from(affected, "k").from(post, "i").where(way.conditions).where(exists(such)));
  }
  return union_all(arms);
}

Changes KeyedRecompute::differential(Statement& statement) const {
  const Operator& input = *inputs_[0];
  const auto columns = state_columns();
  std::vector<std::string> select;
  std::vector<std::string> group;
  const auto names = key_names("");
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    const auto& col = input.columns()[static_cast<std::size_t>(keys_[i])];
    add_grouped("d." + quote_ident(col.name), col.type.value(), names[i], select, group);
  }
  Select changed(std::move(select));
  FromItem changes = input.delta(statement, true).from;
  if (const auto others = affected_otherwise(statement); !others.empty()) {
    std::vector<std::string> mine;
    for (const int key : keys_) mine.push_back("i." + quote_ident(input.columns()[static_cast<std::size_t>(key)].name));
    std::vector<Query> all{Select(std::move(mine)).from(changes, "i")};
    all.insert(all.end(), others.begin(), others.end());
    changes = union_all(all);
  }
  changed.from(changes, "d").group_by(group);
  if (group.empty()) changed.limit("1");
  const std::string affected = statement.with("k", "keys of changed rows", changed);
  Select stored(state(columns).names("s."));
  stored.item("s.ctid").from(affected, "k").from(state_table(), "s");
  if (!keys_.empty()) stored.where(row_match(key_names("s."), key_names("k."), key_types(), plain_keys()));
  return state(columns).replace(statement, stored, compute(affected_rows(affected)));
}

Select KeyedRecompute::changed_keys(Statement& statement) const {
  std::vector<std::string> keys;
  for (const int key : keys_)
    keys.push_back("d." + quote_ident(inputs_[0]->columns()[static_cast<std::size_t>(key)].name));
  return Select({row_hash(keys, key_types(), "")}).from(inputs_[0]->delta(statement, false).from, "d");
}

bool KeyedRecompute::absorb_filter(const Node& predicate) {
  const auto used = columns_of(predicate);
  const bool of_keys = !used.empty() && std::all_of(used.begin(), used.end(), [&](int index) {
    return index < static_cast<int>(passed()) && std::find(keys_.begin(), keys_.end(), index) != keys_.end();
  });
  // A filter on keys only removes whole groups: it can as well remove their rows.
  return of_keys && inputs_[0]->absorb_filter(predicate);
}

std::vector<int> KeyedRecompute::prune_input(std::set<int> needed) {
  needed.insert(keys_.begin(), keys_.end());
  auto moved = inputs_[0]->prune(needed);
  for (auto& key : keys_) key = moved.at(static_cast<std::size_t>(key));
  return moved;
}

std::string KeyedRecompute::cost_class() const {
  return keys_.empty() ? "O(n)" : "O(rows of affected keys)";
}

void KeyedRecompute::index_advice(std::vector<std::string>& advice) const {
  Operator::index_advice(advice);
  for (const int key : keys_) inputs_[0]->advise_lookup(key, advice);
}

}  // namespace pgtrickle::compiler
