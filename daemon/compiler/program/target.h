// Applying a change to the stream table itself. Two ways, chosen by what is known of its rows:
//   keyed  a unique key exists in the output: rows that are gone are deleted by key, the rest is upserted in place, and
//          users get a real primary or unique key;
//   bag    rows may repeat: the right number of copies is deleted, found through an index on the hash of the whole row.
// Rows that do not change are not touched, also when everything was recomputed. Rows are deleted before others come, so
// that no unique index of a user sees both; a row deleted by the same transaction is none to an index.
//
// Each function adds common table expressions and returns what ends the statement: one row with
// rows_inserted, rows_updated, rows_deleted and the number of violated expectations (not 0: state and table disagree).
#pragma once

#include <string>
#include <vector>

#include "compiler/operators/operator.h"
#include "compiler/request.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

class Target {
 public:
  /// `names`: the (unquoted) column names of the relations that will be applied, parallel to the table's columns.
  /// `key`: positions that identify a row, empty for a bag. `key_not_null` is parallel to it.
  Target(const CompileRequest& request, const std::vector<std::string>& names, Key key, std::vector<bool> key_not_null);

  [[nodiscard]] bool keyed() const { return !key_.empty(); }
  [[nodiscard]] const Key& key() const { return key_; }
  /// Statements that give the table the indexes it needs: pgtrickle_<id>_key and pgtrickle_<id>_hash. Those of an
  /// earlier program are the caller's to drop.
  [[nodiscard]] std::vector<std::string> index_ddl() const;

  /// Applies a Z-set with the columns and w. `violation` is counted with the ones that are found here. Where the
  /// statement leaves what goes to a later one, which delete_rows() is, the result has a column more: gone, an array of
  /// rows of the table of which only the key is set, or NULL.
  [[nodiscard]] Select apply_delta(Statement& statement, const Delta& delta, const std::string& violation = {}) const;
  /// Keyed only: `shown` has the new rows, `gone`, under the names in `key_columns` (parallel to the key), the keys of
  /// rows that are to be deleted if they are there. No key is in both.
  [[nodiscard]] Select apply_rows(Statement& statement, const FromItem& shown, const FromItem& gone,
                                  const std::vector<std::string>& key_columns, const std::string& violations) const;
  /// Keyed only: the same, where what goes is left to a later statement, which delete_gone() is. `tally` says what that
  /// is and what is broken (Changes); the result has a column more, gone.
  [[nodiscard]] Select upsert_rows(Statement& statement, const FromItem& shown, const Select& tally) const;
  /// Deletes the rows whose keys are in `key_columns` of the rows of `state` with the ctids v.gone.
  [[nodiscard]] Delete delete_gone(const std::string& state, const std::vector<std::string>& key_columns) const;
  /// Deletes the rows that have the keys of v.gone.
  [[nodiscard]] Delete delete_rows() const;
  /// Whether a row of which only the key is set can be: not if it has domains, which may be NOT NULL.
  [[nodiscard]] bool has_key_rows() const;
  [[nodiscard]] const std::string& table() const { return table_; }
  /// Keyed, and "=" finds a row by its key.
  [[nodiscard]] bool plain_key() const { return keyed() && !needs_hash_index(); }
  /// Plain keys, of rows n with the columns: how many of them are in the table, byte for byte.
  [[nodiscard]] Select found(const std::string& rows, const std::vector<std::string>& where) const;
  /// That no row of the table has the key of one of them.
  [[nodiscard]] std::string none_with_key_of(const std::string& rows, const std::vector<std::string>& where) const;
  /// Inserts them, which are new, or deletes them; `gate` has one row.
  [[nodiscard]] Insert insert(const std::string& rows, const std::string& gate, const std::string& condition) const;
  [[nodiscard]] Delete remove(const std::string& rows, const std::string& gate, const std::string& condition) const;
  /// The rows of the table that have the key of one of them, locked.
  [[nodiscard]] Query locked_with_key_of(const std::string& rows) const;
  /// How many net rows come and go with each key: names of columns beside the key's.
  struct KeyCounts {
    std::string from, come, go;
  };
  [[nodiscard]] KeyCounts count_by_key(Statement& statement, const std::string& net) const;
  /// Applies net rows of which none comes or goes twice with a key, if the condition holds. The result is the number of
  /// violated expectations.
  [[nodiscard]] Select apply_counted(Statement& statement, const std::string& net, const KeyCounts& keys,
                                     const std::string& condition) const;
  /// The net change, as apply_delta() wants it.
  [[nodiscard]] Select net(const FromItem& delta) const;
  /// Replaces the content.
  [[nodiscard]] Select replace(Statement& statement, const FromItem& content) const;

 private:
  [[nodiscard]] std::vector<std::string> table_columns(const std::vector<int>& positions) const;
  [[nodiscard]] std::vector<std::string> row_columns(const std::vector<int>& positions) const;
  [[nodiscard]] std::vector<TypeInfo> types(const std::vector<int>& positions) const;
  /// That a row t of the table has this key.
  [[nodiscard]] std::vector<std::string> key_match(const std::vector<std::string>& other) const;
  [[nodiscard]] std::vector<std::string> cast_list(const std::string& alias) const;
  /// A row of the table of which only the key is set, to the values with this prefix.
  [[nodiscard]] std::string key_row(const std::string& prefix) const;
  [[nodiscard]] bool needs_hash_index() const;
  [[nodiscard]] bool loose() const;  // some column has equal values that are not the same
  [[nodiscard]] Select apply_bag(Statement& statement, const std::string& d, const std::string& violation = {}) const;
  /// Deletes the rows that have the keys n of `from`.
  void hide(Statement& statement, const FromItem& from, const std::vector<std::string>& keys,
            const std::vector<std::string>& where) const;
  /// Deletes the rows that `from` replaces and that differ in v.user_keys, the columns that unique indexes and
  /// exclusion constraints of users are about: updated in place, two rows could not trade values. NULL: there are none.
  void move_out(Statement& statement, const std::string& from, const std::vector<std::string>& where) const;
  /// Inserts new rows and updates others in place, once "hidden" and "moved" are deleted.
  void upsert(Statement& statement, const std::string& from, const std::vector<std::string>& where) const;
  [[nodiscard]] static std::vector<std::string> deleted_before(const Statement& statement);

  const CompileRequest& request_;
  std::vector<std::string> names_;  // quoted
  Key key_;
  std::vector<bool> key_not_null_;
  std::vector<int> all_;
  std::string table_;
};

}  // namespace pgtrickle::compiler
