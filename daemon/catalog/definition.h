// The definition of a stream table as a build needs it: read from the catalog, compared with what it was made from, and
// compiled. Throws Gone and what the server and the compiler throw.
#pragma once

#include <cstdint>
#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "catalog/loader.h"
#include "compiler/compile.h"

namespace pgtrickle::catalog {

struct Definition {
  compiler::CompileRequest request;
  std::string refresh_mode;
  std::uint32_t relid = 0;
  std::string relation;  // qualified, quoted
  std::string original;  // the query as the user wrote it
};

/// The role of the worker sessions, empty if there is none.
std::string worker_role(pqxx::transaction_base& tx);

/// The role that owns the schema pgtrickle.
std::string admin_role(pqxx::transaction_base& tx);

std::vector<compiler::TargetColumn> table_columns(std::uint32_t relid, ServerTypes& types);

Definition load_definition(pqxx::transaction_base& tx, std::int64_t pgt_id, ServerTypes& types,
                           const compiler::Limits& limits);

/// The reason, if a relation or column that the query was built on is not there any more. One of the same name that
/// took its place will do.
std::optional<std::string> dropped_source(pqxx::transaction_base& tx, std::int64_t pgt_id);

/// Do relations or columns, also those that only views read, have other names than pgt_dependencies says?
bool names_changed(pqxx::transaction_base& tx, std::int64_t pgt_id);
void record_new_names(pqxx::transaction_base& tx, std::int64_t pgt_id);

/// A view of the query, so that PostgreSQL says what it makes of it. The caller drops it.
std::string make_shape(pqxx::transaction_base& tx, const Definition& d);

/// The program. Its sources are all that the query reads.
compiler::Program compile_definition(pqxx::transaction_base& tx, const Definition& d, ServerTypes& types);

}  // namespace pgtrickle::catalog
