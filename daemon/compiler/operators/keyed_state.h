// The state table of an operator that keeps one row per key: how its rows are identified, found and brought up to date.
//
// Identity: a unique index on the key columns if they cannot be NULL and "=" means equality, otherwise an index on the
// hash of the key, with a recheck by record equality: NULL is a key like any other. Without key columns ("global") the
// table always has its one row.
// Bringing up to date starts from a relation "merged": one row per affected key with the old and the new row side by
// side and a count n of what stands behind the key; keys whose new count is 0 disappear. Rows are found by ctid, which
// cannot move: refreshes of one stream table are serialised by its frontier row.
#pragma once

#include <string>
#include <vector>

#include "compiler/operators/stateful.h"

namespace pgtrickle::compiler {

class Statement;

/// Names of a merged relation's columns, quoted. The key columns have the names that they have in the state.
struct MergedRows {
  std::string from;
  std::string old_ctid;                  // NULL: the key is new
  std::string old_n, new_n;              // counts
  std::vector<std::string> new_columns;  // new values, parallel to the state's value columns
  std::string changed;                   // condition on a row m: it has to be written; empty: always
};

class KeyedState {
 public:
  /// `names` are the quoted names of the key columns in the table, `keys` describes them (types resolved).
  KeyedState(std::string table, std::vector<std::string> names, std::vector<OutputColumn> keys);

  [[nodiscard]] bool global() const { return names_.empty(); }
  /// The key itself can be indexed and compared.
  [[nodiscard]] bool plain_identity() const;
  /// That two rows, in scope with these prefixes ("s."), have the same key.
  [[nodiscard]] std::vector<std::string> match(const std::string& left, const std::string& right) const;
  [[nodiscard]] std::vector<TypeInfo> types() const;

  /// The index of the identity, one for each set of key columns that is looked up together, room for updates in place.
  [[nodiscard]] std::vector<std::string> index_ddl(const std::vector<Key>& lookups) const;

  /// Deletes, updates and inserts rows as `merged` says, or leaves those to delete to a later statement. `n` is the
  /// count's column in the state, `values` are the others.
  void apply(Statement& statement, const MergedRows& merged, const std::string& n,
             const std::vector<std::string>& values) const;

  /// The affected rows of an operator whose output is the key, then values: SQL over a row m of `merged`, before and
  /// after.
  [[nodiscard]] Changes changes(Statement& statement, const MergedRows& merged, const std::vector<OutputColumn>& output,
                                const std::vector<std::string>& old_values,
                                const std::vector<std::string>& new_values) const;

 private:
  [[nodiscard]] std::vector<std::string> lookup_indexes(const Key& columns) const;

  std::string table_;
  std::vector<std::string> names_;
  std::vector<OutputColumn> keys_;
};

}  // namespace pgtrickle::compiler
