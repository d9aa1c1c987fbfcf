#include "catalog/as_owner.h"

#include <exception>

#include "catalog/outcome.h"
#include "compiler/sql/sql_text.h"

namespace pgtrickle::catalog {

namespace {

using compiler::quote_ident;
using compiler::quote_literal;

/// Settings of the transaction that are put back at the end, unless the transaction has failed. Under a search_path of
/// somebody else nothing is called here, whose name might be found there.
class Settings {
 public:
  Settings(pqxx::transaction_base& tx, const FunctionSettings& settings)
      : tx_(tx), exceptions_(std::uncaught_exceptions()) {
    for (const auto& [name, value] : settings) {
      std::string plain = name;
      std::erase(plain, '"');
      if (plain == "search_path")
        before_.insert(0, "SET LOCAL search_path = pg_catalog, pg_temp;");
      else
        before_ += "SET LOCAL " + name + " = " +
                   quote_literal(tx.exec_params1("SELECT current_setting($1)", plain)[0].c_str()) + ";";
    }
    for (const auto& [name, value] : settings) tx.exec_params("SET LOCAL " + name + " = " + value);
  }
  ~Settings() {
    if (before_.empty() || std::uncaught_exceptions() > exceptions_) return;
    try {
      tx_.exec(before_);
    } catch (const pqxx::failure&) {  // the transaction has failed, and what follows will say so
    }
  }
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

 private:
  pqxx::transaction_base& tx_;
  std::string before_;
  int exceptions_;
};

/// What the owner's code may have left behind for later statements and for COMMIT, where it would run as who has logged
/// in. If there is anything, the session is given up. Deferred constraints of PostgreSQL itself count: a foreign key is
/// checked as the owner of the table, with casts of his, and what these write to may have a deferred trigger in turn.
void refuse_leftovers(pqxx::transaction_base& tx, const std::string& owner) {
  tx.exec("SET search_path = pg_catalog, pg_temp; SET standard_conforming_strings = on");
  const bool found =
      tx.exec(
            "SELECT EXISTS (SELECT FROM pg_cursors c WHERE c.is_holdable)\n"
            "    OR EXISTS (SELECT FROM pg_prepared_statements p WHERE p.from_sql)\n"
            "    OR EXISTS (SELECT FROM pg_locks l JOIN pg_class r ON r.oid = l.relation\n"
            "               WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'\n"
            "                 AND r.relnamespace <> 'pgtrickle'::regnamespace\n"
            "                 AND (EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = r.oid AND t.tgdeferrable)\n"
            "                      OR EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = r.oid AND "
            "c.condeferrable)))")
          .at(0)
          .at(0)
          .as<bool>();
  if (!found) return;
  tx.conn().disconnect();
  throw BuildFailure(Condition::kInsufficientPrivilege,
                     "code of role " + quote_ident(owner) +
                         " that runs when a literal of its query is read leaves a cursor, a prepared statement or a "
                         "deferred trigger behind",
                     "Look at the CHECK constraints of the domains in arrays, rows and ranges of the query.");
}

/// A function of the owner: what it calls cannot set the role back.
pqxx::result through_function(pqxx::transaction_base& tx, const FunctionSettings& settings, const std::string& owner,
                              const std::string& statement, bool has_result) {
  std::string set;
  for (const auto& [name, value] : settings) set += " SET " + name + " = " + value;
  {
    const OwnerRole role(tx, owner);
    // OR REPLACE: an earlier statement may have left it. Dropped after use: that of another owner cannot be replaced.
    tx.exec(
        "CREATE OR REPLACE FUNCTION pg_temp.pgtrickle_as_owner(statement text, OUT result text)\n"
        "LANGUAGE plpgsql VOLATILE SECURITY DEFINER" +
        set + " AS $pgt$ BEGIN EXECUTE statement" + (has_result ? " INTO result" : "") +
        "; END $pgt$;\n"
        "GRANT EXECUTE ON FUNCTION pg_temp.pgtrickle_as_owner(text) TO PUBLIC");
  }
  auto result = tx.exec_params("SELECT result FROM pg_temp.pgtrickle_as_owner($1::text)", statement);
  refuse_leftovers(tx, owner);
  tx.exec("DROP FUNCTION IF EXISTS pg_temp.pgtrickle_as_owner(text)");
  return result;
}

pqxx::result run(pqxx::transaction_base& tx, const FunctionSettings& settings, const std::string& owner,
                 const std::string& statement, bool has_result = false) {
  if (!owner.empty() && may_run_code(statement)) return through_function(tx, settings, owner, statement, has_result);
  const OwnerRole role(tx, owner);
  const Settings local(tx, settings);
  return tx.exec_params(statement);
}

}  // namespace

// Where there is no literal, nothing runs.
bool may_run_code(const std::string& statement) {
  return statement.find_first_of("'$") != std::string::npos;
}

OwnerRole::OwnerRole(pqxx::transaction_base& tx, const std::string& owner)
    : tx_(owner.empty() ? nullptr : &tx), exceptions_(std::uncaught_exceptions()) {
  if (tx_ != nullptr) tx.exec("SET LOCAL ROLE " + quote_ident(owner));
}

OwnerRole::~OwnerRole() {
  if (tx_ == nullptr || std::uncaught_exceptions() > exceptions_) return;
  try {
    tx_->exec("RESET ROLE");
  } catch (const pqxx::failure&) {  // the transaction has failed, and what follows will say so
  }
}

void run_as_owner(pqxx::transaction_base& tx, const std::string& owner, const std::string& statement) {
  run(tx, {}, owner, statement);
}

void run_as_owner_with(pqxx::transaction_base& tx, const FunctionSettings& settings, const std::string& owner,
                       const std::string& statement) {
  run(tx, settings, owner, statement);
}

std::string value_as_owner(pqxx::transaction_base& tx, const std::string& owner, const std::string& select,
                           const FunctionSettings& settings) {
  return run(tx, settings, owner, select, true).at(0).at(0).c_str();
}

}  // namespace pgtrickle::catalog
