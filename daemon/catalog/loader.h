// Loads what the compiler needs to know about the relations, functions and types that a query mentions, views followed.
// Synchronous (libpqxx), one transaction: the caller decides its isolation. Throws pqxx exceptions on connection
// and SQL errors.
#pragma once

#include <cstdint>
#include <map>
#include <pqxx/pqxx>
#include <string>
#include <utility>
#include <vector>

#include "catalog/session.h"
#include "compiler/compile.h"

namespace pgtrickle::catalog {

/// Answers about types, as the owner of a stream table would be answered. Remembers for one transaction; what belongs
/// to PostgreSQL itself, the session remembers.
class ServerTypes final : public compiler::TypeOracle {
 public:
  ServerTypes(pqxx::transaction_base& tx, Session& session) : tx_(tx), session_(session) {}
  std::vector<compiler::TypeInfo> column_types(const std::string& select) override;
  std::pair<compiler::TypeInfo, compiler::TypeInfo> compared_as(const compiler::TypeInfo& left,
                                                                const compiler::TypeInfo& right) override;
  const compiler::TypeInfo& by_oid(std::uint32_t oid) { return type(oid).info; }
  /// The type with what a column's collation (0: none) adds to it.
  compiler::TypeInfo of_column(std::uint32_t oid, std::uint32_t collation);
  void load(const std::vector<std::uint32_t>& oids);
  /// A question to the catalog that is prepared once for the session.
  template <typename... Arguments>
  pqxx::result ask(const std::string& name, const std::string& statement, const Arguments&... arguments) {
    return session_.run_prepared(tx_, name, statement, arguments...);
  }
  /// The role whose rights expressions are analysed with; by default our own.
  void use_owner(const std::string& owner) { owner_ = owner; }

 private:
  struct Collation {
    std::string name;
    bool loose;
  };

  const ServerType& type(std::uint32_t oid);
  BuiltinTypes& builtin();
  /// Collations of a SELECT's columns, which Describe does not tell.
  std::vector<std::uint32_t> collations_of(const std::string& select, std::size_t count);

  pqxx::transaction_base& tx_;
  Session& session_;
  std::string owner_;
  bool builtin_checked_ = false;
  std::map<std::uint32_t, ServerType> known_;
  std::map<std::uint32_t, Collation> collations_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::pair<std::uint32_t, std::uint32_t>> operators_;
};

/// Loads the catalog for `query`. `owner`: the role whose rights and policies count.
compiler::Catalog load_catalog(pqxx::transaction_base& tx, const std::string& query, const std::string& owner,
                               ServerTypes& types);

}  // namespace pgtrickle::catalog
