// Opening a pqxx connection whose session has the settings that we want, whatever its role or database gives to others.
//
// The settings go with the connection request. Set afterwards, the first statement would still run under a
// statement_timeout of the database: one that ends too late for it cancels the statement that follows, as if a user had
// asked for that. A pooler may refuse options in the request; then they are set by a statement after all.
#pragma once

#include <memory>
#include <pqxx/pqxx>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "postgres/conninfo.h"

namespace pgtrickle::postgres {

using SessionSettings = std::vector<std::pair<std::string, std::string>>;

/// Throws pqxx::broken_connection as pqxx::connection() does.
template <typename Connection = pqxx::connection>
std::unique_ptr<Connection> open_session(const std::string& conninfo, const SessionSettings& settings) {
  std::string options;
  for (const auto& [name, value] : settings) options += (options.empty() ? "" : " ") + option(name, value);
  const auto with_options = merge_conninfo(conninfo, {{"options", options}});
  const auto open = [&] {
    try {
      return std::make_unique<Connection>(with_options ? *with_options : conninfo);
    } catch (const pqxx::broken_connection& error) {
      if (std::string_view(error.what()).find("unsupported startup parameter") == std::string_view::npos) throw;
      return std::make_unique<Connection>(conninfo);
    }
  };
  auto connection = open();
  pqxx::nontransaction tx(*connection);
  for (const auto& [name, value] : settings) tx.exec_params("SELECT pg_catalog.set_config($1, $2, false)", name, value);
  return connection;
}

}  // namespace pgtrickle::postgres
