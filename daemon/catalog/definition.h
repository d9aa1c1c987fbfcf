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
#include "model/stream_table.h"

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

/// The event triggers that watch DDL; none where they cannot be created.
void load_event_triggers(ServerTypes& types, compiler::CompileRequest& request);
Definition load_definition(TableId pgt_id, ServerTypes& types, const compiler::Limits& limits);

/// The reason, if a relation or column that the query was built on is not there any more. One of the same name that
/// took its place will do.
std::optional<std::string> dropped_source(ServerTypes& types, TableId pgt_id);

/// Do relations or columns, also the ones that only views read, have other names than pgt_dependencies says?
bool names_changed(ServerTypes& types, TableId pgt_id);
void record_new_names(pqxx::transaction_base& tx, TableId pgt_id);

/// A temporary view of the query, so that PostgreSQL says what it makes of it: its columns, and what it refers to. From
/// then on the relations that it names keep their names and columns until the transaction ends.
class Shape {
 public:
  Shape(pqxx::transaction_base& tx, const Definition& d);
  ~Shape();
  Shape(const Shape&) = delete;
  Shape& operator=(const Shape&) = delete;
  [[nodiscard]] const std::string& view() const { return view_; }

 private:
  pqxx::transaction_base& tx_;
  std::string view_;
  int exceptions_;
};

struct Compiled {
  compiler::Program program;                // its sources are all that the query reads
  std::vector<std::uint32_t> unrestricted;  // relations that were found to be read without row security
};
Compiled compile_definition(pqxx::transaction_base& tx, const Definition& d, ServerTypes& types, const Shape& shape);

}  // namespace pgtrickle::catalog
