// A control session of the builder: a connection as the admin that can be used for many builds of one database. Nothing
// that a user wrote is ever run, planned or folded in it: types are asked with Parse and Describe, which only analyse.
//
// Keeps what is known about PostgreSQL's own types as long as nobody defines anything that can change that. One thread
// at a time. Throws pqxx exceptions.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <pqxx/pqxx>
#include <string>
#include <utility>
#include <vector>

#include "compiler/catalog.h"

struct pg_conn;

namespace pgtrickle::catalog {

/// A type as the server describes it.
struct ServerType {
  compiler::TypeInfo info;
  bool is_pseudo = false;       // no table can have a column of it
  std::uint32_t collation = 0;  // its own; 0: it has none
};

/// What is known about types and operators of PostgreSQL itself.
struct BuiltinTypes {
  std::string made_for;  // what others have defined about them
  std::map<std::uint32_t, ServerType> types;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::pair<std::uint32_t, std::uint32_t>> operators;
};

class Session {
 public:
  /// Whether names in a query mean what they mean to who has logged in, or nothing without a schema.
  enum class Path { kPinned, kOfLogin };

  explicit Session(const std::string& conninfo, Path path = Path::kPinned);

  [[nodiscard]] pqxx::connection_base& connection() { return *connection_; }
  [[nodiscard]] const std::string& conninfo() const { return conninfo_; }

  /// The types of a statement's columns, by OID. Runs in whatever transaction is open on the connection, which fails
  /// with it. Takes one statement only.
  std::vector<std::uint32_t> describe(const std::string& statement);

  /// A statement that is prepared once.
  pqxx::result run_prepared(pqxx::transaction_base& tx, const std::string& name, const std::string& statement);
  template <typename... Arguments>
  pqxx::result run_prepared(pqxx::transaction_base& tx, const std::string& name, const std::string& statement,
                            const Arguments&... arguments) {
    prepare(name, statement);
    return tx.exec_prepared(name, arguments...);
  }

  BuiltinTypes& builtin_types() { return builtin_types_; }

 private:
  void prepare(const std::string& name, const std::string& statement);

  std::string conninfo_;
  std::shared_ptr<pg_conn*> handle_;                   // of libpq, nullptr once it is closed
  std::shared_ptr<pqxx::connection_base> connection_;  // shared: its destructor is not virtual
  std::map<std::string, std::string> prepared_;
  BuiltinTypes builtin_types_;
};

}  // namespace pgtrickle::catalog
