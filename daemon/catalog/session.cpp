#include "catalog/session.h"

#include <libpq-fe.h>

#include "postgres/blocking_session.h"

namespace pgtrickle::catalog {

namespace {

using ResultHandle = std::unique_ptr<PGresult, decltype(&PQclear)>;

/// libpqxx keeps the connection of libpq to itself, and cannot describe statements.
class KeepsHandle : public pqxx::connect_direct {
 public:
  explicit KeepsHandle(const std::string& options) : connect_direct(options), handle_(opening()) {}

  /// Where connections that this thread opens leave their handle.
  static std::shared_ptr<PGconn*>& opening() {
    static thread_local std::shared_ptr<PGconn*> handle;
    return handle;
  }

  handle do_startconnect(handle before) override { return *handle_ = connect_direct::do_startconnect(before); }
  handle do_dropconnect(handle before) noexcept override { return *handle_ = connect_direct::do_dropconnect(before); }
  handle do_disconnect(handle before) noexcept override { return *handle_ = connect_direct::do_disconnect(before); }

 private:
  std::shared_ptr<PGconn*> handle_;
};

postgres::SessionSettings session_settings(Session::Path path) {
  postgres::SessionSettings settings = neutral_settings();
  settings.insert(
      settings.end(),
      {
          {"quote_all_identifiers", "off"},
          // The catalog is asked the same again and again: planning takes longer than running.
          {"plan_cache_mode", "force_generic_plan"},
          // By keys, that is, of which the catalog's statistics know nothing while many stream tables are made.
          {"enable_seqscan", "off"},
          {"enable_hashjoin", "off"},
          {"enable_mergejoin", "off"},
          // Programs are run before the build ends: what is wrong with one shows then.
          {"check_function_bodies", "off"},
      });
  if (path == Session::Path::kPinned) {
    settings.emplace_back("search_path", "pg_catalog, pg_temp");
    settings.emplace_back("standard_conforming_strings", "on");
  }
  return settings;
}

void check(PGconn* handle, const ResultHandle& result, const std::string& statement) {
  if (result && PQresultStatus(result.get()) == PGRES_COMMAND_OK) return;
  if (!result || PQstatus(handle) != CONNECTION_OK) throw pqxx::broken_connection(PQerrorMessage(handle));
  const char* sqlstate = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
  throw pqxx::sql_error(PQresultErrorMessage(result.get()), statement, sqlstate);
}

}  // namespace

postgres::SessionSettings neutral_settings() {
  return {{"jit", "off"},
          {"client_min_messages", "warning"},
          {"default_transaction_read_only", "off"},
          {"default_transaction_isolation", "read committed"},
          {"statement_timeout", "0"},
          {"lock_timeout", "0"},
          {"idle_in_transaction_session_timeout", "5min"}};
}

std::string named_session(const std::string& conninfo) {
  const auto named = postgres::merge_conninfo(conninfo, {}, {{"application_name", "pgtrickled build"}});
  return named ? *named : conninfo;
}

Session::Session(const std::string& conninfo, Path path)
    : conninfo_(conninfo), path_(path), handle_(KeepsHandle::opening() = std::make_shared<PGconn*>(nullptr)) {
  connection_ =
      postgres::open_session<pqxx::basic_connection_base<KeepsHandle>>(named_session(conninfo), session_settings(path));
}

std::vector<std::uint32_t> Session::describe(const std::string& statement) {
  PGconn* const handle = *handle_;
  if (handle == nullptr) throw pqxx::broken_connection();
  check(handle, ResultHandle(PQprepare(handle, "", statement.c_str(), 0, nullptr), &PQclear), statement);
  const ResultHandle described(PQdescribePrepared(handle, ""), &PQclear);
  check(handle, described, statement);
  std::vector<std::uint32_t> types;
  for (int i = 0; i < PQnfields(described.get()); ++i) types.push_back(PQftype(described.get(), i));
  return types;
}

pqxx::result Session::run_prepared(pqxx::transaction_base& tx, const std::string& name, const std::string& statement) {
  prepare(name, statement);
  return tx.exec_prepared(name);
}

// One text: where a setting of the database makes transactions read only, or short, that is over before anything else.
void Session::clear() {
  std::string text = "RESET ALL; SELECT pg_catalog.pg_advisory_unlock_all(); UNLISTEN *; DISCARD TEMP";
  for (const auto& [name, value] : session_settings(path_))
    text +=
        "; SELECT pg_catalog.set_config(" + connection_->quote(name) + ", " + connection_->quote(value) + ", false)";
  pqxx::nontransaction(*connection_).exec(text);
}

bool Session::is_usable() {
  if (!connection_->is_open()) return false;
  pqxx::nontransaction(*connection_).exec("SELECT");
  return true;
}

void Session::prepare(const std::string& name, const std::string& statement) {
  if (prepared_.emplace(name, statement).second) connection_->prepare(name, statement);
}

}  // namespace pgtrickle::catalog
