#include "catalog/worker.h"

#include "catalog/as_owner.h"
#include "catalog/outcome.h"
#include "catalog/program.h"
#include "catalog/session.h"
#include "compiler/sql/function_text.h"
#include "compiler/sql/sql_text.h"
#include "postgres/blocking_error.h"
#include "postgres/blocking_session.h"

namespace pgtrickle::catalog {

namespace {

using compiler::quote_ident;
using compiler::quote_literal;

const postgres::SessionSettings& worker_settings() {
  static const postgres::SessionSettings settings = [] {
    postgres::SessionSettings all = neutral_settings();
    all.emplace_back("search_path", "pg_catalog, pg_temp");
    all.emplace_back("standard_conforming_strings", "on");
    return all;
  }();
  return settings;
}

std::string function_of(TableId id) {
  return "pgtrickle_state.build_" + std::to_string(id);
}

std::string executed(const std::vector<std::string>& statements) {
  std::string body;
  for (const auto& statement : statements) body += "    EXECUTE " + quote_literal(statement) + ";\n";
  return body;
}

/// The guard of the stream table lets these statements pass.
std::string passing_the_guard(TableId id) {
  return "    PERFORM set_config('pgtrickle.apply', '" + std::to_string(id) + "', true);\n";
}

}  // namespace

std::string altering(TableId id, const std::vector<std::string>& statements) {
  return passing_the_guard(id) + executed(statements) + "    PERFORM set_config('pgtrickle.apply', '', true);\n";
}

std::string filling(TableId id, const std::string& relation, const std::vector<std::string>& first, bool differential) {
  const std::string number = std::to_string(id);
  const std::string refresh = "pgtrickle_state.refresh_" + number;
  std::string body;
  if (!first.empty())
    body +=
        "    -- The lock of every refresh comes first.\n"
        "    PERFORM pgtrickle._request('lock_frontiers', to_jsonb(ARRAY[" +
        number + "::bigint]));\n" + altering(id, first);
  body +=
      "    PERFORM set_config('lock_timeout', '0', true);\n"
      "    held := pgtrickle._hold_reason(" +
      number +
      ");\n    IF held IS NOT NULL THEN\n        RETURN;\n    END IF;\n"
      "    started := clock_timestamp();\n"
      "    SELECT r.rows_inserted, r.rows_updated, r.rows_deleted INTO inserted, updated, deleted FROM " +
      refresh + "('full') AS r;\n";
  if (differential)
    body += "    -- The delta program once on nothing: whatever is wrong with it shows now.\n    PERFORM FROM " +
            refresh + "('differential');\n";
  return body + "    SELECT count(*) INTO rows FROM " + relation + ";\n";
}

void make_work(pqxx::transaction_base& tx, TableId id, const std::string& owner,
               const std::vector<std::string>& grantees, const std::string& body) {
  drop_work(tx, id);
  const MayCreate right(tx, owner);
  const OwnerRole role(tx, owner);
  const std::string signature = function_of(id) + "()";
  tx.exec_params("CREATE FUNCTION " + function_of(id) +
                 "(OUT held text, OUT started timestamptz, OUT inserted bigint, OUT updated bigint,\n"
                 "    OUT deleted bigint, OUT rows bigint)\n"
                 "LANGUAGE plpgsql SECURITY DEFINER\nSET search_path = pg_catalog, pg_temp\nAS " +
                 compiler::dollar_quoted("\nBEGIN\n" + body + "END\n"));
  tx.exec_params("REVOKE ALL ON FUNCTION " + signature + " FROM PUBLIC");
  for (const auto& grantee : grantees)
    if (!grantee.empty()) tx.exec_params("GRANT EXECUTE ON FUNCTION " + signature + " TO " + quote_ident(grantee));
}

void drop_work(pqxx::transaction_base& tx, TableId id) {
  for (const auto& row :
       tx.exec_params("SELECT format('DROP FUNCTION %s CASCADE', p.oid::regprocedure) FROM pg_proc p\n"
                      "WHERE p.pronamespace = 'pgtrickle_state'::regnamespace\n"
                      "  AND p.proname = format('build_%s', $1::bigint)",
                      id))
    tx.exec(row[0].c_str());
}

Worker::Worker(const std::string& conninfo)
    : connection_(postgres::open_session(named_session(conninfo), worker_settings())) {}

// Everything of DISCARD ALL but the plans, which would have to be made again for what all builds have in common. First
// the settings: they can make transactions read only.
void Worker::clear() {
  pqxx::nontransaction tx(*connection_);
  tx.exec("RESET SESSION AUTHORIZATION; RESET ALL");
  std::string text =
      "CLOSE ALL; DEALLOCATE ALL; UNLISTEN *; SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD "
      "SEQUENCES";
  for (const auto& [name, value] : worker_settings())
    text +=
        "; SELECT pg_catalog.set_config(" + connection_->quote(name) + ", " + connection_->quote(value) + ", false)";
  tx.exec(text);
}

void Worker::enter(pqxx::transaction_base& tx, const LockAttempts& locks, long long statement_timeout_ms) {
  tx.exec("SELECT pgtrickle._enter_unit()");  // not while the database is paused or drained
  std::string settings = "SET LOCAL synchronous_commit = on; " + locks.limiting();
  if (statement_timeout_ms > 0) settings += "; SET LOCAL statement_timeout = " + std::to_string(statement_timeout_ms);
  tx.exec(settings);
}

std::string Worker::refresh(TableId id, const LockAttempts& locks, long long statement_timeout_ms) {
  pqxx::transaction<pqxx::repeatable_read> tx(*connection_);
  enter(tx, locks, statement_timeout_ms);
  std::string action =
      tx.exec1("SELECT action FROM pgtrickle_state.refresh_" + std::to_string(id) + "('auto')")[0].c_str();
  tx.commit();
  return action;
}

Filled Worker::run(TableId id, const LockAttempts& locks, long long statement_timeout_ms) {
  ++builds_;
  pqxx::transaction<pqxx::repeatable_read> tx(*connection_);
  enter(tx, locks, statement_timeout_ms);
  Filled filled;
  try {
    const auto row = tx.exec1("SELECT held, started, inserted, updated, deleted, rows FROM " + function_of(id) + "()");
    filled.held = row[0].c_str();
    filled.started = row[1].c_str();
    filled.inserted = row[2].as<std::int64_t>(0);
    filled.updated = row[3].as<std::int64_t>(0);
    filled.deleted = row[4].as<std::int64_t>(0);
    filled.rows = row[5].as<std::int64_t>(0);
  } catch (const pqxx::failure& e) {
    auto error = postgres::error_of(e);  // that the database is paused, only _enter_unit() may say
    if (!is_signal(error.sqlstate)) throw;
    error.origin = postgres::ErrorOrigin::kOurs;
    throw BuildFailure(std::move(error));
  }
  tx.commit();
  return filled;
}

}  // namespace pgtrickle::catalog
