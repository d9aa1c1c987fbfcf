#include "catalog/as_owner.h"

#include "compiler/generate/sql_text.h"

namespace pgtrickle::catalog {

namespace {

using compiler::quote_ident;

std::string through_function(pqxx::transaction_base& tx, const std::string& owner, const std::string& statement,
                             const char* into, const FunctionSettings& settings = {}) {
  std::string set;
  for (const auto& [name, value] : settings) set += " SET " + name + " = " + value;
  // OR REPLACE: an earlier statement may have left it. Dropped after use: that of another owner cannot be replaced.
  tx.exec("SET LOCAL ROLE " + quote_ident(owner) +
          std::string(";\nCREATE OR REPLACE FUNCTION pg_temp.pgtrickle_as_owner(statement text, OUT result text)\n"
                      "LANGUAGE plpgsql VOLATILE SECURITY DEFINER") +
          set + " AS $pgt$ BEGIN EXECUTE statement" + into +
          "; END $pgt$;\n"
          "GRANT EXECUTE ON FUNCTION pg_temp.pgtrickle_as_owner(text) TO PUBLIC;\nRESET ROLE");
  std::string result = tx.exec_params1("SELECT result FROM pg_temp.pgtrickle_as_owner($1::text)", statement)[0].c_str();
  pin_settings(tx);
  tx.exec("DROP FUNCTION IF EXISTS pg_temp.pgtrickle_as_owner(text)");
  return result;
}

}  // namespace

void prepare_session(pqxx::connection_base& connection) {
  pqxx::nontransaction tx(connection);
  tx.exec(
      "SET search_path = pg_catalog, pg_temp; SET jit = off; SET client_min_messages = warning; "
      // What a role or database may have been given for other sessions.
      "SET default_transaction_read_only = off; SET default_transaction_isolation = 'read committed'; "
      "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = '5min'; "
      "SET quote_all_identifiers = off; SET standard_conforming_strings = on; "
      "SET application_name = 'pgtrickled build'");
}
void pin_settings(pqxx::transaction_base& tx) {
  tx.exec("SET search_path = pg_catalog, pg_temp; SET standard_conforming_strings = on");
}

void run_as_owner(pqxx::transaction_base& tx, const std::string& owner, const std::string& statement) {
  if (owner.empty()) {
    tx.exec(statement);
  } else {
    through_function(tx, owner, statement, "");
  }
}

void run_as_owner_with(pqxx::transaction_base& tx, const FunctionSettings& settings, const std::string& owner,
                       const std::string& statement) {
  through_function(tx, owner, statement, "", settings);
}

std::string value_as_owner(pqxx::transaction_base& tx, const std::string& owner, const std::string& select,
                           const FunctionSettings& settings) {
  return through_function(tx, owner, select, " INTO result", settings);
}

}  // namespace pgtrickle::catalog
