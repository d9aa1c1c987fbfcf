#include "cli/database.h"

#include <algorithm>

#include "postgres/blocking_session.h"
#include "postgres/conninfo.h"

namespace pgtrickle::cli {
namespace {

std::string complete(const std::string& dsn) {
  const auto merged =
      postgres::merge_conninfo(dsn, {{"fallback_application_name", "pgtrickle"}}, {{"client_encoding", "UTF8"}});
  if (merged) return *merged;
  // Not shown: it may hold a password.
  throw Failure(
      "--dsn is not a valid connection string\n"
      "HINT:  Write 'host=... dbname=...' or 'postgresql://user@host/dbname'.");
}

std::unique_ptr<pqxx::connection> connect(const std::string& conninfo) try {
  return postgres::open_session(conninfo, {{"default_transaction_read_only", "off"},
                                           {"default_transaction_isolation", "read committed"},
                                           {"statement_timeout", "0"}});
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

std::string place_of_error(Database& db, const std::string& query) try {
  db.connection().prepare("pgtrickle_place", query);
  db.connection().prepare_now("pgtrickle_place");
  db.connection().unprepare("pgtrickle_place");
  return {};
} catch (const pqxx::sql_error& error) {
  const std::string text = error.what();
  const auto line = text.find("\nLINE ");
  if (line == std::string::npos) return {};
  const auto caret = text.find('\n', line + 1);
  return caret == std::string::npos ? std::string() : text.substr(line, text.find('\n', caret + 1) - line);
}

}  // namespace pgtrickle::cli
