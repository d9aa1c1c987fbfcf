// The commands of the command line tool, one function each. They print to standard output and return the exit code;
// what fails is thrown (pqxx exceptions or Failure) and printed by main(). No command reads anything but its arguments.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/database.h"

namespace pgtrickle::cli {

constexpr int kOk = 0;
constexpr int kFailed = 1;  // the operation failed, or verify found differences, or validate a query that is rejected
constexpr int kUsage = 2;   // wrong arguments
// validate: FULL only; status --check: something is not ACTIVE; verify: nothing differs, but not all could be checked
constexpr int kSpecial = 3;

int install(Database& db, bool as_extension, const std::string& worker_role);
int uninstall(Database& db);

/// Parameter of create_stream_table() -> value; the server reads and checks the values.
using TableOptions = std::map<std::string, std::string>;

enum class IfExists { kFail, kLeave, kReplace };

struct CreateOptions {
  std::string name, query;
  std::string schedule = "calculated";
  std::string mode = "AUTO";
  TableOptions table;
  bool initialize = true;
  IfExists if_exists = IfExists::kFail;
  std::optional<std::string> wait;  // an interval: return when it is ACTIVE
};
int create(Database& db, const CreateOptions& options);

int drop(Database& db, const std::vector<std::string>& names, bool cascade);

struct AlterOptions {
  std::string name;
  std::optional<std::string> query, schedule, mode, status;
  TableOptions table;
};
int alter(Database& db, const AlterOptions& options);

int refresh(Database& db, const std::vector<std::string>& names);

struct AdoptOptions {
  std::string name;
  std::string schedule = "calculated";
  std::optional<std::string> mode;  // nothing: AUTO, and IMMEDIATE for what was of pg_ivm
  bool undo = false;
  bool dry_run = false;  // print the steps; exit code 1 if something is in the way
};
/// Makes a materialized view a stream table of the same name, or a stream table that was adopted what it was.
int adopt(Database& db, const AdoptOptions& options);

struct StatusOptions {
  std::vector<std::string> names;  // empty: all
  bool json = false;
  bool check = false;     // exit code 3 unless all are ACTIVE
  std::size_t width = 0;  // of the terminal; 0: no limit
};
int status(Database& db, const StatusOptions& options);

/// `sql`: with the functions that refresh it.
int explain(Database& db, const std::string& name, bool sql);
/// Goes on after a table that cannot be checked. Without names: all, but the ones that are not ACTIVE are left alone.
int verify(Database& db, const std::vector<std::string>& names, bool refresh_first);
/// `immediate`: as a stream table of refresh mode IMMEDIATE, or why that is not possible (kFailed).
/// `only`: print nothing but the statements of one part of the program, see program_parts(); empty: mode and plan, and
/// with `sql` all statements.
int validate(Database& db, const std::string& query, bool immediate, bool json, bool sql, bool trace,
             const std::string& only);
/// refresh, apply, look: the function; node: state tables, their indexes, and functions that recompute parts of them.
const std::vector<std::string>& program_parts();
int wait(Database& db, const std::vector<std::string>& names, const std::string& timeout);
/// Prints the SQL that recreates these stream tables, or all that the role may manage if there are no names: a
/// transaction's worth, for import_definitions() or psql.
int export_definitions(Database& db, const std::vector<std::string>& names);
/// Runs such SQL in one transaction.
int import_definitions(Database& db, const std::string& script);
/// Without a database: only the tool's version.
int version(Database* db);

}  // namespace pgtrickle::cli
