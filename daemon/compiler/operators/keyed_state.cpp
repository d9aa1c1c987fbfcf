#include "compiler/operators/keyed_state.h"

#include <algorithm>

#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

namespace {

constexpr std::size_t kMaxIndexColumns = 32;

}  // namespace

KeyedState::KeyedState(std::string table, std::vector<std::string> names, std::vector<OutputColumn> keys)
    : table_(std::move(table)), names_(std::move(names)), keys_(std::move(keys)) {}

bool KeyedState::plain_identity() const {
  // A btree on the keys themselves: possible if "=" means equality of keys and no key can outgrow an index page.
  if (keys_.empty() || keys_.size() > kMaxIndexColumns) return false;
  return std::all_of(keys_.begin(), keys_.end(), [](const OutputColumn& col) {
    return col.not_null && col.type->equatable && col.type->builtin_operators && col.type->fixed_width;
  });
}

std::vector<TypeInfo> KeyedState::types() const {
  std::vector<TypeInfo> types;
  for (const auto& key : keys_) types.push_back(key.type.value());
  return types;
}

std::vector<std::string> KeyedState::match(const std::string& left, const std::string& right) const {
  if (global()) return {};
  return row_match(prefixed(names_, left), prefixed(names_, right), types(), plain_identity());
}

std::vector<std::string> KeyedState::lookup_indexes(const Key& columns) const {
  std::vector<std::string> btree;
  bool identity_serves = plain_identity();
  for (const int column : columns) {
    const auto at = static_cast<std::size_t>(column);
    identity_serves = identity_serves && at < columns.size();  // the leading columns of the identity index
    if (keys_[at].type->fixed_width && keys_[at].type->equatable) btree.push_back(names_[at]);
  }
  if (identity_serves || columns.empty()) return {};
  if (btree.empty()) return lookup_ddl(table_, keys_[static_cast<std::size_t>(columns.front())]);
  if (btree.size() > kMaxIndexColumns) btree.resize(kMaxIndexColumns);
  return {"CREATE INDEX ON " + table_ + " (" + join(btree, ", ") + ")"};
}

std::vector<std::string> KeyedState::index_ddl(const std::vector<Key>& lookups) const {
  std::vector<std::string> ddl;
  if (plain_identity()) {
    ddl.push_back("CREATE UNIQUE INDEX ON " + table_ + " (" + join(names_, ", ") + ")");
    // Should a source lose the NOT NULL that this relies on, the refresh fails and the program is recreated.
    for (const auto& key : names_) ddl.push_back("ALTER TABLE " + table_ + " ALTER COLUMN " + key + " SET NOT NULL");
  } else if (!global()) {
    ddl.push_back("CREATE INDEX ON " + table_ + " (" + row_hash(names_, types(), "") + ")");
  }
  for (const auto& lookup : lookups) {
    for (auto& index : lookup_indexes(lookup))
      if (std::find(ddl.begin(), ddl.end(), index) == ddl.end()) ddl.push_back(std::move(index));
  }
  // Updates in place want room on the page; the keys are the only indexed columns.
  ddl.push_back("ALTER TABLE " + table_ + " SET (fillfactor = 70)");
  return ddl;
}

void KeyedState::apply(Statement& statement, const MergedRows& merged, const std::string& n,
                       const std::vector<std::string>& values) const {
  const std::string found = "s.ctid = m." + merged.old_ctid;
  const std::string stays = "m." + merged.new_n + " > 0";
  if (!global() && !statement.leaves_gone()) {
    statement.with("gone", "state: keys behind which nothing is left",
                   Delete(table_, "s").using_rows(merged.from, "m").where({found, "m." + merged.new_n + " <= 0"}));
  }
  Update kept(table_, "s");
  kept.set(n, "m." + merged.new_n).from(merged.from, "m").where(found);
  for (std::size_t i = 0; i < values.size(); ++i) kept.set(values[i], "m." + merged.new_columns[i]);
  if (!global()) kept.where(stays);
  if (!merged.changed.empty()) kept.where("(" + merged.changed + ")");
  statement.with("kept", "state: keys that stay", kept);
  if (global()) return;
  auto columns = names_;
  columns.push_back(n);
  columns.insert(columns.end(), values.begin(), values.end());
  const Select added = Select(prefixed(names_, "m."))
                           .item("m." + merged.new_n)
                           .items(prefixed(merged.new_columns, "m."))
                           .from(merged.from, "m")
                           .where({"m." + merged.old_ctid + " IS NULL", stays});
  statement.with("born", "state: keys that are new", Insert(table_, columns, added));
}

Changes KeyedState::changes(Statement& statement, const MergedRows& merged, const std::vector<OutputColumn>& output,
                            const std::vector<std::string>& old_values,
                            const std::vector<std::string>& new_values) const {
  const bool leaves = !global() && statement.leaves_gone();  // nobody asks for what was
  Changes changes;
  Select sides;
  for (const auto& key : names_) {
    sides.item("m." + key);
    changes.old_columns.push_back(key);
    changes.new_columns.push_back(key);
  }
  // Distinct from the output's own names too: a reader puts those beside the flags.
  std::vector<std::string> wanted;
  for (const auto& col : output) wanted.push_back(col.name);
  wanted.insert(wanted.end(), {"was", "now"});
  const std::size_t count = new_values.size();
  for (const char* side : {"old_", "new_"})
    for (std::size_t i = 0; i < count; ++i) wanted.push_back(side + plain_name(output[names_.size() + i].name));
  const auto names = unique_names(wanted);
  const std::size_t base = output.size() + 2;
  changes.was = names[base - 2];
  changes.now = names[base - 1];
  for (std::size_t i = 0; i < count; ++i) {
    changes.old_columns.push_back(quote_ident(names[base + i]));
    if (!leaves) sides.item(old_values[i], changes.old_columns.back());
    changes.new_columns.push_back(quote_ident(names[base + count + i]));
    sides.item(new_values[i], changes.new_columns.back());
  }
  auto there = [&](const std::string& n) { return global() ? std::string("true") : "m." + n + " > 0"; };
  if (!leaves) sides.item(there(merged.old_n), changes.was);
  sides.item(there(merged.new_n), changes.now).from(merged.from, "m");
  changes.from = statement.with_name(
      "c", leaves ? "output rows of these keys" : "output rows of these keys, before and after", sides);
  if (leaves) {
    const std::string ctid = "m." + merged.old_ctid;
    changes.tally =
        Select()
            .item("count(*) FILTER (WHERE m." + merged.new_n + " < 0)", "broken")
            .item("array_agg(" + ctid + ") FILTER (WHERE m." + merged.new_n + " <= 0 AND " + ctid + " IS NOT NULL)",
                  "gone")
            .from(merged.from, "m");
    return changes;
  }
  const Select broken = Select({"count(*)"}).from(merged.from, "m").where("m." + merged.new_n + " < 0");
  changes.violation = Query(broken).in_parentheses();
  return changes;
}

}  // namespace pgtrickle::compiler
