// INSERT, UPDATE and DELETE as values (see query.h).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "compiler/sql/query.h"

namespace pgtrickle::compiler {

class Insert {
 public:
  /// Without columns: a table that has none.
  Insert(std::string table, std::vector<std::string> columns, const Query& rows)
      : table_(std::move(table)), columns_(std::move(columns)), rows_(rows.sql()) {}
  /// A name for the table's row in what follows.
  Insert& as(std::string alias);
  /// What to do with a row whose key, by this constraint, is there already: without `set` nothing.
  Insert& on_conflict(const std::string& constraint, const std::vector<std::string>& set,
                      const std::vector<std::string>& where);
  Insert& returning(std::string expression);
  [[nodiscard]] std::string sql() const;

 private:
  std::string table_;
  std::string alias_;
  std::vector<std::string> columns_;
  std::string rows_;
  std::vector<Clause> end_;
};

class Update {
 public:
  Update(const std::string& table, const std::string& alias) : table_(table + " " + alias) {}
  Update& set(const std::string& column, const std::string& value);
  Update& from(const FromItem& item, const std::string& alias);
  Update& where(std::string condition);
  [[nodiscard]] std::string sql() const;

 private:
  std::string table_;
  std::vector<std::string> set_;
  std::vector<std::string> from_;
  std::vector<std::string> where_;
};

class Delete {
 public:
  explicit Delete(const std::string& table, const std::string& alias = {})
      : table_(alias.empty() ? table : table + " " + alias) {}
  Delete& using_rows(const FromItem& item, const std::string& alias);
  Delete& where(std::string condition);
  Delete& where(const std::vector<std::string>& conditions);
  Delete& returning(std::string expression);
  [[nodiscard]] std::string sql() const;

 private:
  std::string table_;
  std::vector<std::string> using_;
  std::vector<std::string> where_;
  std::vector<std::string> returning_;
};

/// A finished one of them.
class Change {
 public:
  Change(const Insert& insert) : sql_(insert.sql()) {}    // NOLINT(google-explicit-constructor)
  Change(const Update& update) : sql_(update.sql()) {}    // NOLINT(google-explicit-constructor)
  Change(const Delete& removal) : sql_(removal.sql()) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] const std::string& sql() const { return sql_; }

 private:
  std::string sql_;
};

}  // namespace pgtrickle::compiler
