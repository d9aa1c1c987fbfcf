// Writes a query with the present names of what its words meant when it was defined. Pure: it works on the parse tree.
//
// A relation keeps its old name as alias, and gets the name that the caller has for it. Words that resolve to the same
// object as then by themselves (operators, functions that PostgreSQL has too) are left to the search_path.
#pragma once

#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "catalog/names.h"
#include "pg_query.pb.h"

namespace pgtrickle::catalog {

/// The query cannot be written in today's names without doubt.
struct CannotFollow : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What a relation is to be called in the query, by the OID that `names.now` has for it.
using RelationNames = std::map<std::uint32_t, Name>;

void rename_objects(pg_query::SelectStmt& query, const Names& names, const RelationNames& relations);

/// Every relation of a canonical query (whose names are all qualified), and the types of their rows.
void rename_relations(pg_query::SelectStmt& query, const std::map<Name, Name>& names);

/// The string constants of a query that are one of these texts; they stay owned by the query.
std::vector<pg_query::A_Const*> string_constants(pg_query::SelectStmt& query,
                                                 const std::function<bool(const std::string&)>& wanted);

/// How often a canonical query calls each function.
std::map<Name, int> function_calls(const pg_query::SelectStmt& query);

}  // namespace pgtrickle::catalog
