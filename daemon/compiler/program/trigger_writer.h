// What the trigger functions of IMMEDIATE stream tables have in common, whichever way the changes of a statement go to
// the stream table (immediate_writer.h): the tables of changes that cannot go there yet, what a statement has changed
// as rows of such a table, and what a function looks at before it does anything.
//
//   pgtrickle_state.changes_<N>_<k>    UNLOGGED: changes of source k, w and c<attnum>; empty between statements
//
// Rule: a writer does not fail because of what became of a stream table. So before a function names anything of a
// source, it looks whether the program has been stopped; if it cannot go on it says so (`lost`), and the writer goes
// on. The naive version only looks: DROP, RENAME or ALTER of the stream table or of another source waits for a writer
// who is there already, the next writer looks, names it, waits behind the DDL, and fails when that is through. So what
// will be named is locked first, where it does no harm if it is gone, and then looked at.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "compiler/program.h"
#include "compiler/program/program_writer.h"
#include "compiler/program/refresh_writer.h"
#include "compiler/request.h"
#include "compiler/sql/query.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

class TriggerWriter {
 public:
  TriggerWriter(const CompileRequest& request, const std::vector<CapturedSource>& sources, const SourceNumbers& numbers,
                Planning planning);

  [[nodiscard]] const CompileRequest& request() const { return request_; }
  /// In the order of their numbers.
  [[nodiscard]] const std::vector<CapturedSource>& sources() const { return sources_; }
  [[nodiscard]] const SourceNumbers& numbers() const { return numbers_; }
  [[nodiscard]] Planning planning() const { return planning_; }
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  /// Nothing catches the error of a query in the statement of a writer: a subtransaction for each statement would use
  /// up transaction ids, and slow down all others where one transaction has more than 64. But CONTEXT has the
  /// statement, and in it this.
  [[nodiscard]] std::string about() const;

  /// A source: its number, the table of its changes and that table's columns.
  [[nodiscard]] std::string number(const CapturedSource& s) const;
  [[nodiscard]] std::string table(const CapturedSource& s) const;
  [[nodiscard]] static std::vector<std::string> columns(const CapturedSource& s);
  [[nodiscard]] std::string changes_ddl(const CapturedSource& s) const;
  /// What to do with the rows that a statement has changed, which are rows of that table, for each operation.
  [[nodiscard]] static std::string by_operation(const CapturedSource& s,
                                                const std::function<std::string(const Query& rows)>& what);
  /// They are put there.
  [[nodiscard]] std::string stored(const CapturedSource& s) const;

  /// Declarations of the settings that maintaining changes; `begins` saves and `ends` restores them. `leave`: how to
  /// return if the program cannot go on.
  [[nodiscard]] static std::string saved();
  [[nodiscard]] std::string begins(const char* leave) const;
  [[nodiscard]] static std::string ends();
  /// What the program names stays as it is from here on. If it is not there any more, the program is `lost`.
  [[nodiscard]] std::string holds() const;
  /// A condition: the program has been stopped, or the stream table was dropped.
  [[nodiscard]] std::string is_stopped() const;
  /// A program is not for a snapshot in which its triggers are not there.
  [[nodiscard]] std::string expect_trigger() const;
  /// Where no event trigger stops it when a source is altered, before anything of the source is named.
  [[nodiscard]] std::string looks_for_itself() const;
  /// It cannot go on: it is stopped and rebuilt.
  [[nodiscard]] std::string lost(const std::string& why) const;

  /// A trigger function. `plans`: it executes a program, for which it keeps one plan. Settings that it sets for itself
  /// end with it.
  [[nodiscard]] std::string function(const char* kind, const std::string& body, bool plans,
                                     const std::string& suffix = {}) const;

  /// Adds a function to the program that nobody may call, or that the admin may make triggers of.
  void add(Program& program, const std::string& text, const std::string& signature, bool for_admin = false) const;
  /// Adds what is executed after each statement on this source.
  void add_changed(Program& program, const CapturedSource& s, const std::string& body) const;

 private:
  [[nodiscard]] std::string still_fits(const char* leave) const;
  [[nodiscard]] std::string lost_if(const std::string& condition, const std::string& why, const char* leave) const;

  const CompileRequest& request_;
  std::vector<CapturedSource> sources_;
  const SourceNumbers& numbers_;
  Planning planning_;
  std::string id_;
  std::string name_;
};

}  // namespace pgtrickle::compiler
