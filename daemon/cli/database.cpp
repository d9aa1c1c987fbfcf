#include "cli/database.h"

#include <algorithm>

#include "postgres/conninfo.h"

namespace pgtrickle::cli {
namespace {

std::string complete(const std::string& dsn) {
  const auto merged = postgres::merge_conninfo(dsn, {{"fallback_application_name", "pgtrickle"}});
  if (merged) return *merged;
  // Not shown: it may hold a password.
  throw Failure(
      "--dsn is not a valid connection string\n"
      "HINT:  Write 'host=... dbname=...' or 'postgresql://user@host/dbname'.");
}

pqxx::connection connect(const std::string& conninfo) try {
  return pqxx::connection(conninfo);
} catch (const pqxx::broken_connection& error) {
  throw Failure(postgres::redact_text(error_text(error.what())));
}

}  // namespace

Database::Database(const std::string& dsn) : conninfo_(complete(dsn)), connection_(connect(conninfo_)) {}

std::string error_text(const std::string& server_text) {
  std::string text = server_text;
  for (const char* tail : {"\nQUERY:  ", "\nCONTEXT:  "}) text = text.substr(0, text.find(tail));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace pgtrickle::cli
