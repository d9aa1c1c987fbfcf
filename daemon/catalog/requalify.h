// Rewrites a definition whose sources were renamed, or whose columns were: PostgreSQL itself does it. Shadow tables
// with the old names are made, the query becomes a view over them, the shadows' columns are renamed, and the view read
// back. All of it is dropped again; only the text remains, and a lock that keeps the sources from being renamed until
// the transaction ends. Throws pqxx::sql_error if the query cannot be rewritten.
#pragma once

#include <cstdint>
#include <pqxx/pqxx>
#include <string>

namespace pgtrickle::catalog {

/// The definition of stream table `pgt_id` in today's names, from the names that pgt_dependencies recorded.
std::string requalified_definition(pqxx::transaction_base& tx, std::int64_t pgt_id, const std::string& owner,
                                   const std::string& definition);

}  // namespace pgtrickle::catalog
