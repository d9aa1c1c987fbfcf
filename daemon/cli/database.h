// The command line tool's connection, and errors as people should read them.
#pragma once

#include <memory>
#include <pqxx/pqxx>
#include <stdexcept>
#include <string>

#include "postgres/error.h"

namespace pgtrickle::cli {

/// An operation failed; what() is complete text for people, without secrets.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// `dsn` may be empty: libpq's environment variables and service files. Throws Failure. What a role or database has
/// been given for its sessions (read only, serializable, a statement_timeout) does not hold for this one; what decides
/// about the meaning of a query (search_path, DateStyle, ...) does.
class Database {
 public:
  explicit Database(const std::string& dsn);

  [[nodiscard]] pqxx::connection& connection() { return *connection_; }
  /// Connection string with everything filled in, for catalog functions that connect by themselves. May hold a
  /// password.
  [[nodiscard]] const std::string& conninfo() const { return conninfo_; }
  /// Runs one statement outside of a transaction, with parameters $1, $2, ...; throws pqxx::sql_error.
  template <class... Args>
  pqxx::result run(const std::string& sql, const Args&... args) {
    pqxx::nontransaction tx(*connection_);
    return tx.exec_params(sql, args...);
  }

 private:
  std::string conninfo_;
  std::unique_ptr<pqxx::connection> connection_;
};

/// An error as psql shows it: MESSAGE, place, DETAIL and HINT, without the context that PL/pgSQL adds.
std::string error_text(const postgres::Error& error);

/// Where PostgreSQL stumbles over a query: its line and a caret under the place, as psql shows them. Empty if it does
/// not, or does not say where. Runs nothing.
std::string place_of_error(Database& db, const std::string& query);

}  // namespace pgtrickle::cli
