// Running statements with the rights of a stream table's owner, safely although they run code of that owner: functions,
// checks of domains, triggers. SET ROLE alone is not enough, because such code can set the role back to ours; within a
// SECURITY DEFINER function it cannot. So a function in pg_temp, made by the owner anew before each use, runs them.
#pragma once

#include <pqxx/pqxx>
#include <string>
#include <utility>
#include <vector>

namespace pgtrickle::catalog {

/// Runs one statement that returns nothing. Leaves search_path pinned, whatever the statement did to it. With an empty
/// owner it runs with our own rights. Throws pqxx::sql_error.
void run_as_owner(pqxx::transaction_base& tx, const std::string& owner, const std::string& statement);

/// Settings that hold for one statement: name, and value as in SQL.
using FunctionSettings = std::vector<std::pair<std::string, std::string>>;
void run_as_owner_with(pqxx::transaction_base& tx, const FunctionSettings& settings, const std::string& owner,
                       const std::string& statement);

/// Runs a SELECT; the first column of its only row.
std::string value_as_owner(pqxx::transaction_base& tx, const std::string& owner, const std::string& select,
                           const FunctionSettings& settings = {});

/// For connections of ours that build: settings that a role or database may have been given for other sessions.
void prepare_session(pqxx::connection_base& connection);

/// Sets again what our own statements rely on, after code of users has run in this session.
void pin_settings(pqxx::transaction_base& tx);

}  // namespace pgtrickle::catalog
