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

/// What a session keeps beyond a statement: each kind, and what it has of it as a text. Settings are the ones that
/// somebody has set: a reload of the configuration changes others. Settings of extensions do not show there, ours are
/// asked for. Channels and temporary objects are not among it: nothing runs because of them, and the session is cleared
/// of them before it serves somebody else (Session::clear).
constexpr const char* kKept =
    "SELECT\n"
    "    (SELECT string_agg(c.name, ',' ORDER BY c.name) FROM pg_cursors c WHERE c.is_holdable) AS \"a cursor\",\n"
    "    (SELECT string_agg(p.name || p.prepare_time, ',' ORDER BY p.name) FROM pg_prepared_statements p)\n"
    "        AS \"a prepared statement\",\n"
    "    (SELECT string_agg(s.name || '=' || s.setting, ',' ORDER BY s.name) FROM pg_settings s\n"
    "     WHERE s.source = 'session')\n"
    "        || coalesce(current_setting('pgtrickle.settling', true), '')\n"
    "        || coalesce(current_setting('pgtrickle.sizes', true), '') AS \"a setting\",\n"
    "    (SELECT string_agg(l.classid || ',' || l.objid || ',' || l.objsubid || l.mode, ';'\n"
    "                       ORDER BY l.classid, l.objid, l.objsubid, l.mode)\n"
    "     FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.locktype = 'advisory') AS \"an advisory lock\"";

/// Has anything been written to that has a deferrable trigger? Constraints of PostgreSQL itself count: a foreign key is
/// checked as the owner of the table, with casts of his, and what these write to may have a deferred trigger in turn.
constexpr const char* kDeferred =
    "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_class r ON r.oid = l.relation\n"
    "               WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'\n"
    "                 AND r.relnamespace <> 'pgtrickle'::regnamespace\n"
    "                 AND (EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = r.oid AND t.tgdeferrable)\n"
    "                      OR EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = r.oid AND c.condeferrable)))";

/// Before it code of the owner's may run, after it the session must be as it was. What is left for later would run at
/// COMMIT as who has logged in; a setting can change what our next statements mean, as client_encoding changes what
/// ends a literal. So whatever is left, the session is given up before COMMIT.
class Unchanged {
 public:
  Unchanged(pqxx::transaction_base& tx, const std::string& owner) : tx_(tx), owner_(owner), before_(kept()) {}

  void check() {
    const pqxx::result after = kept();
    for (pqxx::row::size_type kind = 0; kind < after.columns(); ++kind) {
      if (text(after.at(0)[kind]) != text(before_.at(0)[kind])) give_up(after.column_name(kind));
    }
    if (tx_.exec1(kDeferred)[0].as<bool>()) give_up("a deferred trigger");
  }

 private:
  /// The path is ours before anything is called by its name. An event trigger of the superuser may change it, too.
  pqxx::result kept() {
    tx_.exec("SET search_path = pg_catalog, pg_temp; SET standard_conforming_strings = on");
    return tx_.exec(kKept);
  }

  static std::string text(const pqxx::field& field) { return field.is_null() ? "" : field.c_str(); }

  [[noreturn]] void give_up(const std::string& what) {
    tx_.conn().disconnect();
    throw BuildFailure(Condition::kInsufficientPrivilege,
                       "code of role " + quote_ident(owner_) +
                           " that runs when a literal of its query is read leaves " + what + " behind in the session",
                       "Look at the CHECK constraints of the domains in arrays, rows and ranges of the query.");
  }

  pqxx::transaction_base& tx_;
  const std::string& owner_;
  pqxx::result before_;
};

/// What fails is undone, but for what PostgreSQL does not undo: prepared statements and advisory locks of the session.
template <typename Work>
pqxx::result all_or_nothing(pqxx::transaction_base& tx, Unchanged& session, const Work& work) {
  tx.exec("SAVEPOINT pgtrickle_as_owner");
  try {
    const auto result = work();
    tx.exec("RELEASE SAVEPOINT pgtrickle_as_owner");
    return result;
  } catch (const pqxx::sql_error&) {
    tx.exec("ROLLBACK TO SAVEPOINT pgtrickle_as_owner");
    session.check();
    throw;
  }
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
  Unchanged session(tx, owner);
  const auto result = all_or_nothing(tx, session, [&] {
    return tx.exec_params("SELECT result FROM pg_temp.pgtrickle_as_owner($1::text)", statement);
  });
  session.check();
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
