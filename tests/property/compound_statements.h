// Statements that change several tables at once, in every order that PostgreSQL knows. They may violate constraints:
// the runner accepts these errors (Op::Kind::kTry), if nothing of pgtrickle is in them.
#pragma once

#include <string>

#include "property/compound_schema.h"

namespace pgt::property {

/// INSERT, UPDATE or DELETE of one table; others follow by foreign keys and triggers.
std::string plain_statement(Random& random, const CompoundSchema& schema);
/// INSERT of some rows that violates nothing.
std::string compound_insert(Random& random, const CompoundSchema& schema, std::size_t table, int rows);

/// CTEs over several tables, MERGE, ON CONFLICT, TRUNCATE CASCADE, COPY, DO blocks with caught errors, functions in
/// queries; `alone`: not within a transaction, so it may also be a procedure that commits.
std::string compound_statement(Random& random, const CompoundSchema& schema, bool alone);

/// Keeps the tables small.
std::string bounding_statement(const CompoundSchema& schema);

}  // namespace pgt::property
