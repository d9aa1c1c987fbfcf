// A server error taken apart: SQLSTATE, message, detail, hint. And whether trying again can help.
#pragma once

#include <pqxx/pqxx>
#include <string>

namespace pgtrickle::catalog {

struct ServerError {
  std::string sqlstate;
  std::string message;
  std::string detail;
  std::string hint;
};

ServerError server_error(const pqxx::sql_error& error);

/// Conditions that pass by themselves: serialization, deadlock, lock and connection trouble, shutdown, too many
/// connections.
bool is_passing(const std::string& sqlstate);

}  // namespace pgtrickle::catalog
