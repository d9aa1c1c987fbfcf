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

#include "compiler/compile.h"

namespace pgtrickle::catalog {

/// Describes types through a transaction, remembering what it has seen.
class ServerTypes final : public compiler::TypeOracle {
 public:
  explicit ServerTypes(pqxx::transaction_base& tx) : tx_(tx) {}
  std::vector<compiler::TypeInfo> column_types(const std::string& select) override;
  std::pair<compiler::TypeInfo, compiler::TypeInfo> compared_as(const compiler::TypeInfo& left,
                                                                const compiler::TypeInfo& right) override;
  const compiler::TypeInfo& by_oid(std::uint32_t oid);
  /// The type with what a column's collation (0: none) adds to it.
  compiler::TypeInfo of_column(std::uint32_t oid, std::uint32_t collation);
  void load(const std::vector<std::uint32_t>& oids);
  /// The role whose rights expressions are analysed with; by default our own.
  void use_owner(const std::string& owner) { owner_ = owner; }

 private:
  pqxx::transaction_base& tx_;
  std::string owner_;
  struct Collation {
    std::string name;
    bool loose;
  };

  std::map<std::uint32_t, compiler::TypeInfo> known_;
  std::map<std::uint32_t, Collation> collations_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::pair<std::uint32_t, std::uint32_t>> operators_;
};

/// Loads the catalog for `query`. `owner`: the role whose rights and policies count.
compiler::Catalog load_catalog(pqxx::transaction_base& tx, const std::string& query, const std::string& owner,
                               ServerTypes& types);

}  // namespace pgtrickle::catalog
