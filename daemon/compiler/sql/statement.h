// One SQL statement under construction: its common table expressions, and what operators need to know about the program
// around it: how pending rows of a source are selected. Within a generated function all variables live in a block
// labelled `v`, so that a variable can never be mistaken for a column of the user.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/sql/change.h"
#include "compiler/sql/query.h"
#include "model/ids.h"

namespace pgtrickle::compiler {

constexpr std::uint32_t kChangedBits = 62;  // as SQL has agreed, see catalog/program.cpp

/// The program's sources, numbered: bit i of the argument `changed` says that source i has pending rows. With more than
/// kChangedBits sources bits are shared, which only makes a gate less selective. In a program each source has a
/// variable that says so by name: v.orders_changed.
class SourceNumbers {
 public:
  void add(std::uint32_t relid, SourceId log_id, const std::string& name);
  [[nodiscard]] std::uint64_t bit(std::uint32_t relid) const;
  [[nodiscard]] SourceId log_id(std::uint32_t relid) const;
  /// The same sources in a program that runs within the writer's transaction: what statements have changed is in
  /// variables (changes_variable) or in tables of the stream table's own (changes_table), and all of it is pending.
  /// `about` is what the writer reads in the CONTEXT of an error: whose statement has failed, and what to do.
  [[nodiscard]] SourceNumbers immediate(TableId table, bool in_variables, std::string about) const;
  /// Empty if no writer waits for it.
  [[nodiscard]] const std::string& about() const { return about_; }
  /// The changes of a source: columns w and c<attnum>.
  [[nodiscard]] FromItem changes(std::uint32_t relid) const;
  /// The conditions that select those of them that are pending, in scope as `alias`; empty: all are.
  [[nodiscard]] std::vector<std::string> pending_conditions(const std::string& alias) const;
  /// Position among the sizes of deltas, from 1.
  [[nodiscard]] std::size_t number(std::uint32_t relid) const { return index_.at(relid) + 1; }
  [[nodiscard]] std::size_t count() const { return sources_.size(); }
  /// Declarations of the variables, from the argument `changed` ("$5"). In an IMMEDIATE program from $i, the changes of
  /// source i, or from $1, an array with the numbers of its rows in the tables.
  [[nodiscard]] std::string declarations(const std::string& changed) const;
  /// That one of these sources changed: what a term needs to be there at all. It reads no row, so it is a One-Time
  /// Filter.
  [[nodiscard]] std::string gate(std::uint64_t mask) const;

 private:
  [[nodiscard]] std::vector<std::string> variables() const;

  std::vector<std::pair<std::uint32_t, SourceId>> sources_;
  std::vector<std::string> names_;
  std::map<std::uint32_t, std::size_t> index_;
  std::optional<TableId> immediate_;
  bool in_variables_ = false;
  std::string about_;
};

class Statement {
 public:
  /// `sized`: deltas tell the planner how many rows they have at most. `user_keys`: v.user_keys may name columns of
  /// unique indexes that users made on the stream table.
  explicit Statement(const SourceNumbers& sources, bool sized = false, bool user_keys = true)
      : sources_(sources), sized_(sized), user_keys_(user_keys) {}

  /// Adds a common table expression under a line of comment; returns its name, made unique from the hint.
  std::string with(const std::string& hint, const std::string& about, const Query& query, bool materialized = true);
  std::string with(const std::string& hint, const std::string& about, const Change& change);
  /// The same, always NOT MATERIALIZED: a name for what is as cheap to compute twice.
  std::string with_name(const std::string& hint, const std::string& about, const Query& query);
  /// The name of a relation: `item` itself, or of a query that is added, so that it can be read more than once.
  std::string with_name_of(const FromItem& item, const std::string& hint, const std::string& about);
  /// The same delta asked for twice in one statement is computed once.
  std::string with_shared(const Query& query, const std::string& hint, const std::string& about);
  /// All that was added, and what reads it.
  [[nodiscard]] std::string sql(const Select& last) const;

  [[nodiscard]] const SourceNumbers& sources() const { return sources_; }
  [[nodiscard]] bool user_keys() const { return user_keys_; }
  /// Rows that go are seldom: they are left to a statement of their own, so that this one starts nothing for them.
  void leave_gone() { leaves_gone_ = true; }
  [[nodiscard]] bool leaves_gone() const { return leaves_gone_; }
  [[nodiscard]] std::string gate(std::uint64_t mask) const { return sources_.gate(mask); }
  /// The LIMIT of the delta of a source, where deltas are sized; else empty. It never cuts: the size in the setting
  /// pgtrickle.sizes is at least the number of the source's pending rows, or NULL. Without it the planner expects 199
  /// rows, however many there are. A setting, because the planner looks at its value where it would not look at that of
  /// a variable (estimate_expression_value() in the server): so a plan that is kept was made for a class of sizes.
  [[nodiscard]] std::string limit(std::uint32_t relid) const;

 private:
  const SourceNumbers& sources_;
  bool sized_;
  bool user_keys_;
  bool leaves_gone_ = false;
  std::string add(const std::string& hint, const std::string& about, const std::string& body, const char* how);

  std::vector<std::string> tables_;
  std::map<std::string, int> used_;
  std::map<std::string, std::string> shared_;
};

/// What statements have changed in a source of an IMMEDIATE stream table (SourceNumbers::number()): few rows in a
/// variable, an array of rows of the table, or any number in the table.
std::string changes_variable(std::size_t source);
std::string changes_table(TableId table, std::size_t source);

/// The conditions that select the pending rows of a log in scope as `alias`; `frontier` has f_snapshot, f_xmin, f_xmax,
/// f_xid and f_seq.
std::vector<std::string> pending(const std::string& alias, const std::string& frontier = "v");
}  // namespace pgtrickle::compiler
