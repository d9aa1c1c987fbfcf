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
  std::string column;   // quoted
  std::string type;     // of the query
  std::string text;     // for people
  std::string used_by;  // what keeps PostgreSQL from changing the type; empty: nothing
};
std::vector<OutputChange> output_changes(pqxx::transaction_base& tx, const Definition& d);

/// Makes the table's column types those of the query. True if something had to change (the rows are gone then).
bool align_table(pqxx::transaction_base& tx, const Definition& d);

/// With what others have made of it, such as a view on a state table. Returns how many functions and tables there were.
int drop_program(pqxx::transaction_base& tx, std::int64_t id);

void create_program(pqxx::transaction_base& tx, const Definition& d, const compiler::Program& program);

/// What the stream table reads. Columns that the query only mentions stay as recorded at its definition: the program
/// has no use for them, but the text has their names. The frontier is cleared with it: it belonged to another program
/// or another log. Throws Held if something was renamed since the query was compiled: recorded by its new name it would
/// never be noticed that the definition has the old one.
void record_dependencies(pqxx::transaction_base& tx, const Definition& d, const compiler::Program& program);

/// The dependencies, and what is said about the program.
void record_program(pqxx::transaction_base& tx, const Definition& d, const compiler::Program& program);

/// Everything that the query depends on, as it is now. What is compiled is read after it, and compared with it at the
/// end.
void record_facts(pqxx::transaction_base& tx, const Definition& d);

}  // namespace pgtrickle::catalog
