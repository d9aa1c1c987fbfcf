// Running statements of ours with the rights of a stream table's owner: CREATE and DROP of views, of empty tables, of
// functions and indexes, and questions to the catalog. What runs the owner's code belongs into a worker session
// (worker.h). But reading a literal can: that of an array, a row or a range over a domain calls what its CHECK calls.
// So statements with literals go through a function of the owner, from which nothing can set the role back. The session
// is compared before and after, also if the statement fails; if anything is left in it, it is closed. Other statements
// run under SET LOCAL ROLE.
//
// Each goes by itself through the extended protocol: a text in which somebody has hidden a second statement is refused.
#pragma once

#include <pqxx/pqxx>
#include <string>
#include <utility>
#include <vector>

namespace pgtrickle::catalog {

/// Runs one statement that returns nothing. With an empty owner it runs with our own rights. Throws pqxx::sql_error,
/// and BuildFailure if code of the owner has run and left something behind.
void run_as_owner(pqxx::transaction_base& tx, const std::string& owner, const std::string& statement);

/// Settings that hold for one statement: name, and value as in SQL.
using FunctionSettings = std::vector<std::pair<std::string, std::string>>;
void run_as_owner_with(pqxx::transaction_base& tx, const FunctionSettings& settings, const std::string& owner,
                       const std::string& statement);

/// Runs a SELECT; the first column of its only row.
std::string value_as_owner(pqxx::transaction_base& tx, const std::string& owner, const std::string& select,
                           const FunctionSettings& settings = {});

/// Has the statement a literal? Reading one calls the input function of its type, and that of an array, a row or a
/// range of a domain calls what the domain's CHECK calls: code of the owner, which could set the role back.
bool may_run_code(const std::string& statement);

/// Until its end the transaction has the rights of `owner`; nothing is changed by an empty one. If the transaction has
/// failed meanwhile, its end sets the role back.
class OwnerRole {
 public:
  OwnerRole(pqxx::transaction_base& tx, const std::string& owner);
  ~OwnerRole();
  OwnerRole(const OwnerRole&) = delete;
  OwnerRole& operator=(const OwnerRole&) = delete;

 private:
  pqxx::transaction_base* tx_;
  int exceptions_;
};

}  // namespace pgtrickle::catalog
