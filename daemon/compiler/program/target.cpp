#include "compiler/program/target.h"

#include <algorithm>

#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

namespace {

/// What ends the statement: the numbers that Target's contract names.
Select counts(const std::string& inserted, const std::string& updated, const std::string& deleted,
              const std::string& violations) {
  return Select()
      .item(inserted, "rows_inserted")
      .item(updated, "rows_updated")
      .item(deleted, "rows_deleted")
      .item(violations, "violations");
}

/// What an upsert did, counted once.
Select shown_rows() {
  return Select()
      .item("count(*) FILTER (WHERE shown.inserted)", "inserted")
      .item("count(*) FILTER (WHERE NOT shown.inserted)", "updated")
      .from("shown", {});
}

/// How many rows are gone, counted once.
Select hidden_rows() {
  return Select().item("count(*)", "deleted").from("hidden", {});
}

/// A value as what the column holds.
std::string typed(const std::string& value, const TargetColumn& column) {
  const std::string sql = value + "::" + column.type_sql;
  const bool domain = column.type.oid != column.type.base_oid;  // may have another collation than the column
  return domain && !column.type.collation.empty() ? "(" + sql + " COLLATE " + column.type.collation + ")" : sql;
}

std::string and_also(const std::string& violation) {
  return violation.empty() ? violation : "\n + " + violation;
}

constexpr const char* kMoved = "(SELECT count(*) FROM moved)";
constexpr const char* kDeleted = "(SELECT count(*) FROM hidden)";

/// Rows that were moved out are updated ones, although they went and came.
std::string inserted(const Statement& statement) {
  return statement.user_keys() ? std::string("s.inserted - ") + kMoved : "s.inserted";
}
std::string updated(const Statement& statement) {
  return statement.user_keys() ? std::string("s.updated + ") + kMoved : "s.updated";
}

/// A condition that is true once all rows of `deleted` are: what is inserted under it comes after them.
std::string after(const std::vector<std::string>& deleted) {
  return join(deleted, " + ") + " >= 0";
}

}  // namespace

Target::Target(const CompileRequest& request, const std::vector<std::string>& names, Key key,
               std::vector<bool> key_not_null)
    : request_(request),
      key_(std::move(key)),
      key_not_null_(std::move(key_not_null)),
      table_(qualified(request.schema, request.name)) {
  for (const auto& name : names) names_.push_back(quote_ident(name));
  for (std::size_t i = 0; i < names_.size(); ++i) all_.push_back(static_cast<int>(i));
  const bool indexable = key_.size() <= 32 && std::all_of(key_.begin(), key_.end(), [&](int position) {
                           return request.columns.at(static_cast<std::size_t>(position)).type.equatable;
                         });
  if (!indexable || request.wide_keys) key_.clear();
}

std::vector<std::string> Target::table_columns(const std::vector<int>& positions) const {
  std::vector<std::string> list;
  for (const int position : positions)
    list.push_back(quote_ident(request_.columns.at(static_cast<std::size_t>(position)).name));
  return list;
}

std::vector<std::string> Target::row_columns(const std::vector<int>& positions) const {
  std::vector<std::string> list;
  for (const int position : positions) list.push_back(names_.at(static_cast<std::size_t>(position)));
  return list;
}

std::vector<TypeInfo> Target::types(const std::vector<int>& positions) const {
  std::vector<TypeInfo> list;
  for (const int position : positions) list.push_back(request_.columns.at(static_cast<std::size_t>(position)).type);
  return list;
}

bool Target::needs_hash_index() const {
  if (!keyed()) return true;
  for (std::size_t i = 0; i < key_.size(); ++i)
    if (!key_not_null_[i] || !request_.columns[static_cast<std::size_t>(key_[i])].type.builtin_operators) return true;
  return false;
}

bool Target::loose() const {
  return std::any_of(request_.columns.begin(), request_.columns.end(),
                     [](const TargetColumn& column) { return column.type.equatable && !column.type.identity; });
}

std::vector<std::string> Target::key_match(const std::vector<std::string>& other) const {
  // The compiled query may have the base type where the query has a domain (a masked grouping key): records of the two
  // cannot be compared.
  std::vector<std::string> theirs = other;
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    const auto& column = request_.columns[static_cast<std::size_t>(key_[i])];
    if (column.type.oid != column.type.base_oid) theirs[i] = typed(theirs[i], column);
  }
  return row_match(prefixed(table_columns(key_), "t."), theirs, types(key_), !needs_hash_index());
}

std::vector<std::string> Target::cast_list(const std::string& alias) const {
  std::vector<std::string> list;
  for (std::size_t i = 0; i < names_.size(); ++i)
    list.push_back(typed(alias + "." + names_[i], request_.columns[i]) + " AS " + names_[i]);
  return list;
}

std::vector<std::string> Target::index_ddl() const {
  const std::string base = "pgtrickle_" + std::to_string(request_.id);
  const std::string key_name = base + "_key";
  const std::string hash_name = base + "_hash";
  std::vector<std::string> ddl;
  if (keyed()) {
    const bool not_null = std::all_of(key_not_null_.begin(), key_not_null_.end(), [](bool b) { return b; });
    const std::string columns = "(" + join(table_columns(key_), ", ") + ")";
    ddl.push_back("ALTER TABLE " + table_ + " ADD CONSTRAINT " + key_name +
                  (not_null ? " PRIMARY KEY " : " UNIQUE NULLS NOT DISTINCT ") + columns);
  }
  if (needs_hash_index()) {
    const auto& positions = keyed() ? key_ : all_;
    ddl.push_back("CREATE INDEX " + hash_name + " ON " + table_ + " (" +
                  row_hash(table_columns(positions), types(positions), "") + ")");
  }
  return ddl;
}

void Target::move_out(Statement& statement, const std::string& from, const std::vector<std::string>& where) const {
  if (!statement.user_keys()) return;
  std::vector<std::string> differs;
  for (const int position : all_) {
    const auto& column = request_.columns[static_cast<std::size_t>(position)];
    const std::string name = quote_ident(column.name);
    differs.push_back(
        quote_literal(column.name) + " = ANY (v.user_keys) AND " +
        row_differs({"t." + name}, {"n." + names_[static_cast<std::size_t>(position)] + "::" + column.type_sql}));
  }
  statement.with("moved", "rows that trade values of a unique index of the user: they go and come",
                 Delete(table_, "t")
                     .using_rows(from, "n")
                     .where("v.user_keys IS NOT NULL")
                     .where(where)
                     .where(key_match(prefixed(row_columns(key_), "n.")))
                     .where("(" + join(differs, "\n OR ") + ")")
                     .returning("1"));
}

void Target::hide(Statement& statement, const FromItem& from, const std::vector<std::string>& keys,
                  const std::vector<std::string>& where) const {
  statement.with(
      "hidden", "stream table: rows that are gone",
      Delete(table_, "t").using_rows(from, "n").where(where).where(key_match(prefixed(keys, "n."))).returning("1"));
}

/// That what has to be deleted first is.
std::vector<std::string> Target::deleted_before(const Statement& statement) {
  if (statement.leaves_gone()) return {};
  if (statement.user_keys()) return {after({kDeleted, kMoved})};
  return {after({kDeleted})};
}

void Target::upsert(Statement& statement, const std::string& from, const std::vector<std::string>& where) const {
  std::vector<int> rest;
  for (const int position : all_) {
    // A key whose equality is coarser than identity may be written differently now.
    const bool key = std::find(key_.begin(), key_.end(), position) != key_.end();
    if (!key || !request_.columns[static_cast<std::size_t>(position)].type.identity) rest.push_back(position);
  }
  std::vector<std::string> set;
  std::vector<std::string> differs;
  for (const auto& name : table_columns(rest)) set.push_back(name + " = excluded." + name);
  if (!rest.empty())
    differs.push_back(row_differs(prefixed(table_columns(rest), "t."), prefixed(table_columns(rest), "excluded.")));
  // By name: of the columns alone, a user's constraint on the same ones would be an arbiter too, which fails if it is
  // deferrable. xmax is 0 in a row that was inserted and set in one that was updated in place.
  statement.with("shown", "stream table: rows that are new or differ",
                 Insert(table_, table_columns(all_),
                        Select(cast_list("n")).from(from, "n").where(deleted_before(statement)).where(where))
                     .as("t")
                     .on_conflict("pgtrickle_" + std::to_string(request_.id) + "_key", set, differs)
                     .returning("t.xmax = 0 AS inserted"));
}

Select Target::apply_bag(Statement& statement, const std::string& d, const std::string& violation) const {
  const auto mine = prefixed(table_columns(all_), "t.");
  const auto theirs = prefixed(names_, "d.");
  const std::string typed = statement.with("d", "the change, with the types of the stream table",
                                           Select(cast_list("n")).item("n.w").from(d, "n"));
  Select copies({"t.ctid"});
  copies.from(table_, "t").where(row_match(mine, theirs, types(all_), false));
  // Of rows that are equal but not the same, the ones that are the same go first.
  if (loose()) copies.order_by({row_identical(mine, theirs) + " DESC"});
  copies.limit("-d.w");
  const Query gone = Select({"x.ctid"}).from(typed, "d").cross_join_lateral(copies, "x").where("d.w < 0");
  statement.with("hidden", "stream table: copies that are gone",
                 Delete(table_, "t").where("t.ctid = ANY (ARRAY" + gone.in_parentheses() + ")").returning("1"));
  const Select fresh = Select(theirs)
                           .from(typed, "d")
                           .cross_join_lateral("generate_series(1, d.w)")
                           .where({std::string("d.w > 0"), after({kDeleted})});
  statement.with("shown", "stream table: copies that are new",
                 Insert(table_, table_columns(all_), fresh).returning("1"));
  const Query asked = Select({"coalesce(-sum(d.w), 0)"}).from(typed, "d").where("d.w < 0");
  return counts("(SELECT count(*) FROM shown)", "0::bigint", "h.deleted",
                asked.in_parentheses() + " - h.deleted" + and_also(violation))
      .from(hidden_rows(), "h");
}

Select Target::apply_delta(Statement& statement, const Delta& delta, const std::string& violation) const {
  const std::string d = delta.consolidated
                            ? statement.with_name_of(delta.from, "net", "changed rows, net")
                            : statement.with("net", "changed rows, net", consolidate(names_, types(all_), delta.from));
  if (!keyed()) return apply_bag(statement, d, violation);
  const auto keys = row_columns(key_);
  auto flags = row_columns(key_);
  flags.insert(flags.end(), {"lost", "added", "odd"});
  flags = unique_names(flags);
  const std::string lost = flags[keys.size()];
  const std::string added = flags[keys.size() + 1];
  const std::string odd = flags[keys.size() + 2];
  // By grouping: a join of the delta with itself is planned for the few rows it usually has. Keys that are only added
  // must not be there yet: an upsert that updates one would swallow a row, as it does when the source has lost the
  // unique key that this program was built on.
  const std::string k = statement.with("k", "keys: those without a new row, and those without an old one",
                                       Select(prefixed(keys, "n."))
                                           .item("max(n.w) < 0", lost)
                                           .item("min(n.w) > 0", added)
                                           .item("bool_or(n.w NOT IN (1, -1))", odd)
                                           .from(d, "n")
                                           .group_by(prefixed(keys, "n.")));
  Select numbers;
  if (statement.leaves_gone()) {
    upsert(statement, d, {"n.w > 0"});
    numbers.item("array_agg(" + key_row("n.") + ") FILTER (WHERE n." + lost + ")", lost);
    for (const auto& flag : {added, odd}) numbers.item("count(*) FILTER (WHERE n." + flag + ")", flag);
    return counts("s.inserted", "s.updated", "0::bigint",
                  "k." + odd + " + abs(k." + added + " - s.inserted)" + and_also(violation))
        .item("k." + lost, "gone")
        .from(shown_rows(), "s")
        .from(numbers.from(k, "n"), "k");
  }
  hide(statement, k, keys, {"n." + lost});
  move_out(statement, d, {"n.w > 0"});
  upsert(statement, d, {"n.w > 0"});
  for (const auto& flag : {lost, added, odd}) numbers.item("count(*) FILTER (WHERE n." + flag + ")", flag);
  return counts(inserted(statement), updated(statement), "h.deleted",
                "k." + odd + " + abs(k." + lost + " - h.deleted) + abs(k." + added + " - (" + inserted(statement) +
                    "))" + and_also(violation))
      .from(shown_rows(), "s")
      .from(hidden_rows(), "h")
      .from(numbers.from(k, "n"), "k");
}

Select Target::apply_rows(Statement& statement, const FromItem& shown, const FromItem& gone,
                          const std::vector<std::string>& key_columns, const std::string& violations) const {
  hide(statement, gone, key_columns, {});
  const std::string rows = statement.with("rows", "rows as they shall be", shown.query(), statement.user_keys());
  move_out(statement, rows, {});
  upsert(statement, rows, {});
  return counts(inserted(statement), updated(statement), kDeleted, violations).from(shown_rows(), "s");
}

Select Target::upsert_rows(Statement& statement, const FromItem& shown, const Select& tally) const {
  upsert(statement, statement.with("rows", "rows as they shall be", shown.query(), false), {});
  return counts("s.inserted", "s.updated", "0::bigint", "m.broken")
      .item("m.gone")
      .from(shown_rows(), "s")
      .from(tally, "m");
}

Delete Target::delete_gone(const std::string& state, const std::vector<std::string>& key_columns) const {
  return Delete(table_, "t")
      .using_rows(state, "s")
      .where("s.ctid = ANY (v.gone)")
      .where(key_match(prefixed(key_columns, "s.")));
}

std::string Target::key_row(const std::string& prefix) const {
  std::vector<std::string> values(all_.size(), "NULL");
  const auto keys = row_columns(key_);
  for (std::size_t i = 0; i < key_.size(); ++i) values[static_cast<std::size_t>(key_[i])] = prefix + keys[i];
  return "ROW(" + join(values, ", ") + ")::" + table_;
}

bool Target::has_key_rows() const {
  return std::all_of(request_.columns.begin(), request_.columns.end(),
                     [](const TargetColumn& column) { return column.type.oid == column.type.base_oid; });
}

Delete Target::delete_rows() const {
  return Delete(table_, "t").using_rows("unnest(v.gone)", "n").where(key_match(prefixed(table_columns(key_), "n.")));
}

Select Target::found(const std::string& rows, const std::vector<std::string>& where) const {
  std::vector<std::string> theirs;
  for (std::size_t i = 0; i < names_.size(); ++i) theirs.push_back(typed("n." + names_[i], request_.columns[i]));
  return Select({"count(*)"})
      .from(rows, "n")
      .from(table_, "t")
      .where(where)
      .where(key_match(prefixed(row_columns(key_), "n.")))
      .where(row_identical(prefixed(table_columns(all_), "t."), theirs));
}

std::string Target::none_with_key_of(const std::string& rows, const std::vector<std::string>& where) const {
  return not_exists(
      Select().from(rows, "n").from(table_, "t").where(where).where(key_match(prefixed(row_columns(key_), "n."))));
}

Insert Target::insert(const std::string& rows, const std::string& gate, const std::string& condition) const {
  return {table_, table_columns(all_), Select(cast_list("n")).from(rows, "n").from(gate, "f").where(condition)};
}

Delete Target::remove(const std::string& rows, const std::string& gate, const std::string& condition) const {
  return Delete(table_, "t")
      .using_rows(rows, "n")
      .using_rows(gate, "f")
      .where(condition)
      .where(key_match(prefixed(row_columns(key_), "n.")));
}

Query Target::locked_with_key_of(const std::string& rows) const {
  return Query::text("SELECT FROM " + rows + " n, " + table_ + " t\nWHERE " +
                     conjunction(key_match(prefixed(row_columns(key_), "n."))) + "\nFOR UPDATE OF t");
}

Target::KeyCounts Target::count_by_key(Statement& statement, const std::string& net) const {
  const auto keys = row_columns(key_);
  auto columns = keys;
  columns.insert(columns.end(), {"come", "go"});
  columns = unique_names(columns);
  KeyCounts counts{{}, columns[keys.size()], columns[keys.size() + 1]};
  counts.from = statement.with("keys", "what comes and what goes of each key",
                               Select(prefixed(keys, "n."))
                                   .item("coalesce(sum(n.w) FILTER (WHERE n.w > 0), 0)", counts.come)
                                   .item("coalesce(-sum(n.w) FILTER (WHERE n.w < 0), 0)", counts.go)
                                   .from(net, "n")
                                   .group_by(prefixed(keys, "n.")));
  return counts;
}

Select Target::apply_counted(Statement& statement, const std::string& net, const KeyCounts& keys,
                             const std::string& condition) const {
  hide(statement, keys.from, row_columns(key_), {condition, "n." + keys.come + " = 0"});
  upsert(statement, net, {condition, "n.w > 0"});
  const Select expected = Select()
                              .item("count(*) FILTER (WHERE n." + keys.come + " = 0)", "lost")
                              .item("count(*) FILTER (WHERE n." + keys.go + " = 0)", "added")
                              .from(keys.from, "n")
                              .where(condition);
  return Select()
      .item("abs(k.lost - h.deleted) + abs(k.added - s.inserted)", "violations")
      .from(shown_rows(), "s")
      .from(hidden_rows(), "h")
      .from(expected, "k");
}

Select Target::net(const FromItem& delta) const {
  return consolidate(names_, types(all_), delta);
}

Select Target::replace(Statement& statement, const FromItem& content) const {
  if (keyed()) {
    const std::string n = statement.with("content", "the query", Select(cast_list("x")).from(content, "x"));
    const auto keys = prefixed(row_columns(key_), "n.");
    statement.with("hidden", "stream table: rows that are gone",
                   Delete(table_, "t").where(not_exists(Select().from(n, "n").where(key_match(keys)))).returning("1"));
    move_out(statement, n, {});
    // Rows that are there already are filtered out here: ON CONFLICT would lock, and so write, each of them.
    const auto old = prefixed(table_columns(all_), "o.");
    const auto fresh = prefixed(names_, "n.");
    Select there = Select().from(table_, "o").where(row_match(old, fresh, types(all_), false));
    if (loose()) there.where(row_identical(old, fresh));
    upsert(statement, n, {not_exists(there)});
    // A key that stands for two rows: the upsert would let one of them disappear.
    const Query rows = Select({"count(*)"}).from(n, {});
    const Query groups = Select({"count(*)"}).from(Select().from(n, "n").group_by(keys), "k");
    return counts(inserted(statement), updated(statement), kDeleted,
                  rows.in_parentheses() + " - " + groups.in_parentheses())
        .from(shown_rows(), "s");
  }
  Select old;
  const auto columns = table_columns(all_);
  for (std::size_t i = 0; i < columns.size(); ++i) old.item("o." + columns[i], names_[i]);
  const Query both =
      union_all({Select(cast_list("x")).item("1", "w").from(content, "x"), old.item("-1", "w").from(table_, "o")});
  return apply_bag(statement, statement.with("net", "what differs", consolidate(names_, types(all_), both)));
}

}  // namespace pgtrickle::compiler
