#include "catalog/as_owner.h"

#include <exception>

#include "compiler/generate/sql_text.h"

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

pqxx::result run(pqxx::transaction_base& tx, const FunctionSettings& settings, const std::string& owner,
                 const std::string& statement) {
  const OwnerRole role(tx, owner);
  const Settings local(tx, settings);
  return tx.exec_params(statement);
}

}  // namespace

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
  return run(tx, settings, owner, select).at(0).at(0).c_str();
}

}  // namespace pgtrickle::catalog
