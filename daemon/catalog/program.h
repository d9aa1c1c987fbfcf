// Puts a compiled program into the database and takes it out again: state tables, functions, the key of the stream
// table, and what the catalog says about it.
#pragma once

#include <cstdint>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "catalog/definition.h"

namespace pgtrickle::catalog {

/// A column of the table whose type is not that of the query any more.
struct OutputChange {
  std::size_t position = 0;  // among the columns of the table
  std::string column;        // quoted
  std::string type;          // of the query, with its collation
  std::string type_sql;      // without
  std::string text;          // for people
  std::string used_by;       // what keeps PostgreSQL from changing the type; empty: nothing
  std::uint32_t type_oid = 0;
  std::uint32_t collation = 0;
};
std::vector<OutputChange> output_changes(ServerTypes& types, const Definition& d, const Shape& shape);

/// The columns that the table will have.
void apply_changes(const std::vector<OutputChange>& changes, ServerTypes& types,
                   std::vector<compiler::TargetColumn>& columns);

/// What empties the table, takes its key away, gives it the types of the query and the key of the program. For the
/// owner to run, in a worker session: it fires triggers.
std::vector<std::string> replacing_statements(ServerTypes& types, const Definition& d,
                                              const std::vector<OutputChange>& changes,
                                              const compiler::Program& program);

/// With what others have made of it, such as a view on a state table. Returns how many functions and tables there were.
int drop_program(pqxx::transaction_base& tx, TableId id);

/// Makes functions and empty state tables. Of the stream table itself, which may have rows, only the key is recreated,
/// if `with_key`. Nothing of the owner's is run by that but the comparison of values for an index, which PostgreSQL
/// runs as a security-restricted operation.
void create_program(pqxx::transaction_base& tx, ServerTypes& types, const Definition& d,
                    const compiler::Program& program, bool with_key);

/// Does making a program of this owner grant something on what other programs use too?
bool grants_something(const Definition& d);

/// For a part of a transaction: the owner of a stream table may create objects in pgtrickle_state. Nobody else sees
/// that. Two of them at once would meet in one row of the catalog: the caller has made sure that there is one.
class MayCreate {
 public:
  MayCreate(pqxx::transaction_base& tx, const std::string& owner);
  ~MayCreate();
  MayCreate(const MayCreate&) = delete;
  MayCreate& operator=(const MayCreate&) = delete;

 private:
  pqxx::transaction_base& tx_;
  std::string revoke_;
  int exceptions_;
};

/// What the stream table reads. Columns that the query only mentions stay as recorded at its definition: the program
/// has no use for them, but the text has their names. The frontier is cleared with it: it belonged to another program
/// or another log. Throws Held if something was renamed since the query was compiled: recorded by its new name it would
/// never be noticed that the definition has the old one.
void record_dependencies(ServerTypes& types, const Definition& d, const compiler::Program& program);

/// What is said about the program.
void record_program(ServerTypes& types, const Definition& d, const compiler::Program& program);

/// Everything that the query depends on, once its dependencies are recorded. As it was at the snapshot of the
/// transaction: nothing that was compiled in it is older. At the end of the build it is compared with what is there.
/// Roles are no part of a snapshot: throws Held if they let row security apply that was not there for the compiler.
void record_facts(ServerTypes& types, const Definition& d, const Shape& shape, const Compiled& compiled);

}  // namespace pgtrickle::catalog
