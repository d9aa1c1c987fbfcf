#include "cli/database.h"

#include "postgres/blocking_error.h"
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
  throw Failure(error_text(postgres::error_of(error)));
}

}  // namespace

Database::Database(const std::string& dsn) : conninfo_(complete(dsn)), connection_(connect(conninfo_)) {}

std::string error_text(const postgres::Error& error) {
  if (error.origin == postgres::ErrorOrigin::kConnection) return error.message;
  std::string text = "ERROR:  " + error.message;
  if (!error.place.empty()) text += "\n" + error.place;
  if (!error.detail.empty()) text += "\nDETAIL:  " + error.detail;
  if (!error.hint.empty()) text += "\nHINT:  " + error.hint;
  return text;
}

std::string place_of_error(Database& db, const std::string& query) try {
  db.connection().prepare("pgtrickle_place", query);
  db.connection().prepare_now("pgtrickle_place");
  db.connection().unprepare("pgtrickle_place");
  return {};
} catch (const pqxx::failure& error) {
  return postgres::error_of(error).place;
}

}  // namespace pgtrickle::cli
