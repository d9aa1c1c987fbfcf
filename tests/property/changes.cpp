#include "property/changes.h"

#include <algorithm>

namespace pgt::property {
namespace {

class ChangeGenerator {
 public:
  ChangeGenerator(Random& random, const Schema& schema, const ChangeOptions& options)
      : random_(random), schema_(schema), options_(options) {}

  std::vector<std::string> batch() {
    const int count = 1 + static_cast<int>(random_.weighted({25, 30, 20, 15, 10}));
    for (int i = 0; i < count; ++i) change();
    if (options_.savepoints && random_.chance(12)) undone();
    return std::move(statements_);
  }

 private:
  const Table& table() { return random_.pick(schema_.tables); }

  void add(const std::string& sql, bool may_violate = false) {
    std::string caught;
    if (may_violate) caught = "unique_violation OR check_violation";  // of a key; of a partition
    if (!options_.patient)
      caught += (caught.empty() ? "" : " OR ") + std::string("lock_not_available OR deadlock_detected");
    statements_.push_back(
        caught.empty() ? sql : "DO $do$ BEGIN " + sql + "; EXCEPTION WHEN " + caught + " THEN NULL; END $do$");
  }

  /// A column that may be assigned.
  std::size_t column(const Table& t, bool key_allowed) {
    for (int attempt = 0; attempt < 20; ++attempt) {
      const std::size_t i = random_.below(t.columns.size());
      if (!t.generated[i] && (key_allowed || !t.in_key(i))) return i;
    }
    return t.columns.size();
  }

  std::string some_value(const Table& t, std::size_t i) {
    return random_value(random_, t.columns[i].value, t.in_key(i) ? 0 : 20) + "::" + name_of(t.columns[i].value.type);
  }

  std::string condition(const Table& t) {
    if (random_.chance(25)) {  // a few rows, whatever they are; one of several equal ones
      const std::string order = t.column(random_.below(t.columns.size()));
      return "ctid IN (SELECT ctid FROM " + t.sql + " ORDER BY " + order + ", tableoid, ctid LIMIT " +
             std::to_string(random_.between(1, 3)) + ")";
    }
    const std::size_t i = random_.below(t.columns.size());
    if (random_.chance(20)) return t.column(i) + " IS NULL";
    static const std::vector<std::string> kOperators = {" = ", " = ", " = ", " > ", " < ", " <> "};
    const bool json = t.columns[i].value.kind() == Kind::kJson;
    std::string sql = t.column(i) + (json ? std::string(" = ") : random_.pick(kOperators)) +
                      random_value(random_, t.columns[i].value, 0) + "::" + name_of(t.columns[i].value.type);
    if (random_.chance(30)) {
      const std::size_t j = random_.below(t.columns.size());
      sql += " AND " + t.column(j) + " IS NOT NULL";
    }
    return sql;
  }

  std::string where(const Table& t) { return random_.chance(7) ? "" : " WHERE " + condition(t); }

  // In a partitioned table sometimes one partition directly: only its own triggers fire.
  std::string target(const Table& t) {
    return !t.partitions.empty() && random_.chance(30) ? random_.pick(t.partitions) : t.sql;
  }

  void insert() { add(random_insert(random_, table(), random_.between(1, 4))); }

  void insert_copies() {
    const Table& t = table();
    if (!t.key.empty()) return insert();
    std::string columns;
    for (std::size_t i = 0; i < t.columns.size(); ++i) {
      if (!t.generated[i]) columns += (columns.empty() ? "" : ", ") + t.column(i);
    }
    add("INSERT INTO " + t.sql + " (" + columns + ") SELECT " + columns + " FROM " + t.sql +
        " ORDER BY tableoid, ctid LIMIT " + std::to_string(random_.between(1, 4)));
  }

  void upsert() {
    const Table& t = table();
    if (t.key.empty()) return insert_copies();
    std::string sql = random_insert(random_, t, 1);
    const std::size_t i = column(t, false);
    const auto at = sql.rfind(" ON CONFLICT DO NOTHING");
    if (i == t.columns.size() || at == std::string::npos) return insert();
    sql.resize(at);
    std::string key;
    for (const auto k : t.key) key += (key.empty() ? "" : ", ") + t.column(k);
    add(sql + " ON CONFLICT (" + key + ") DO UPDATE SET " + t.column(i) + " = excluded." + t.column(i));
  }

  void remove() {
    const Table& t = table();
    add("DELETE FROM " + target(t) + where(t));
  }

  void remove_from_all() {
    const std::string& name = table().columns[random_.below(2) % table().columns.size()].name;
    std::string value;
    for (const auto& t : schema_.tables) {
      for (std::size_t i = 0; i < t.columns.size(); ++i) {
        if (t.columns[i].name != name) continue;
        if (value.empty())
          value = random_value(random_, t.columns[i].value, 0) + "::" + name_of(t.columns[i].value.type);
        add("DELETE FROM " + t.sql + " WHERE " + t.column(i) + " = " + value);
      }
    }
  }

  void update() {
    const Table& t = table();
    const std::size_t i = column(t, true);
    if (i == t.columns.size()) return insert();
    std::string value = some_value(t, i);
    const auto& v = t.columns[i].value;
    const bool is_key = t.in_key(i);
    if (v.kind() == Kind::kInt && v.bound < 1e6 && random_.chance(50)) {
      value = t.column(i) + " + " + std::to_string(is_key ? random_.between(1, 100) : 1);
    } else if (v.kind() == Kind::kText && is_key && random_.chance(50)) {
      value = t.column(i) + " || 'z'";
    }
    std::string sql = "UPDATE " + target(t) + " SET " + t.column(i) + " = " + value;
    const std::size_t j = column(t, false);
    if (random_.chance(30) && j < t.columns.size() && j != i) sql += ", " + t.column(j) + " = " + some_value(t, j);
    // Values from small domains for all rows would make joins explode.
    add(sql + (random_.chance(92)                     ? " WHERE " + condition(t)
               : value.find('+') != std::string::npos ? ""
                                                      : " WHERE " + condition(t)),
        !t.key.empty() || !t.partitions.empty());
  }

  void update_nothing() {
    const Table& t = table();
    const std::size_t i = column(t, true);
    if (i < t.columns.size()) add("UPDATE " + t.sql + " SET " + t.column(i) + " = " + t.column(i) + where(t));
  }

  void there_and_back() {
    const Table& t = table();
    const std::size_t i = column(t, true);
    if (i == t.columns.size() || t.columns[i].value.kind() != Kind::kInt || t.columns[i].value.bound > 1e6)
      return update_nothing();
    add("UPDATE " + t.sql + " SET " + t.column(i) + " = -50 - " + t.column(i), true);
    if (random_.chance(50)) insert();
    add("UPDATE " + t.sql + " SET " + t.column(i) + " = -50 - " + t.column(i), true);
  }

  void come_and_go() {
    const Table& t = table();
    add(random_insert(random_, t, 2));
    add("DELETE FROM " + t.sql + " WHERE ctid IN (SELECT ctid FROM " + t.sql + " ORDER BY ctid DESC LIMIT 2)");
  }

  void go_and_come() {  // the same rows deleted and inserted again
    const Table& t = table();
    std::string columns;
    for (std::size_t i = 0; i < t.columns.size(); ++i) {
      if (!t.generated[i]) columns += (columns.empty() ? "" : ", ") + t.column(i);
    }
    if (!options_.patient) return remove();
    const std::string filter = condition(t);
    statements_.push_back("CREATE TEMP TABLE kept AS SELECT " + columns + " FROM " + t.sql + " WHERE " + filter +
                          ";\nDELETE FROM " + t.sql + " WHERE " + filter + ";\nINSERT INTO " + t.sql + " (" + columns +
                          ") SELECT " + columns + " FROM kept;\nDROP TABLE kept");
  }

  void two_at_once() {  // one statement, two tables
    const Table& from = table();
    const Table& to = table();
    if (from.sql == to.sql) return remove();
    std::string insert = random_insert(random_, to, random_.between(1, 2));
    add("WITH gone AS (DELETE FROM " + from.sql + " WHERE " + condition(from) + " RETURNING 1) " + insert);
  }

  void truncate() {
    const Table& t = table();
    if (!options_.truncate) return remove();
    add("TRUNCATE " + target(t));
    if (random_.chance(80)) add(random_insert(random_, t, 6));
  }

  void change() {
    switch (random_.weighted({24, 8, 8, 18, 8, 22, 5, 4, 4, 3, 4, 1})) {
      case 0:
        return insert();
      case 1:
        return insert_copies();
      case 2:
        return upsert();
      case 3:
        return remove();
      case 4:
        return remove_from_all();
      case 5:
        return update();
      case 6:
        return update_nothing();
      case 7:
        return there_and_back();
      case 8:
        return come_and_go();
      case 9:
        return go_and_come();
      case 10:
        return two_at_once();
      default:
        return truncate();
    }
  }

  void undone() {
    const std::size_t start = statements_.size();
    change();
    std::string block = "SAVEPOINT undone";
    for (std::size_t i = start; i < statements_.size(); ++i) block += ";\n" + statements_[i];
    block += ";\nROLLBACK TO SAVEPOINT undone";
    statements_.resize(start);
    statements_.insert(statements_.begin() + static_cast<std::ptrdiff_t>(random_.below(start + 1)), block);
  }

  Random& random_;
  const Schema& schema_;
  const ChangeOptions& options_;
  std::vector<std::string> statements_;
};

}  // namespace

std::vector<std::string> random_changes(Random& random, const Schema& schema, const ChangeOptions& options) {
  return ChangeGenerator(random, schema, options).batch();
}

std::vector<std::string> bounding_changes(const Schema& schema) {
  std::vector<std::string> statements;
  for (const auto& table : schema.tables) {
    statements.push_back("DELETE FROM " + table.sql + " WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM " +
                         table.sql + " ORDER BY tableoid, ctid OFFSET 28)");
  }
  return statements;
}

}  // namespace pgt::property
