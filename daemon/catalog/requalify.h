// Makes the canonical text of a query again from the text that the user wrote, with what its names meant then and are
// called now. PostgreSQL itself does most of it: where columns have other names, shadow tables with the old names are
// made, the query becomes a view over them, their columns are renamed, and the view is read back. Everything that is
// made is dropped again. Throws CannotFollow, and pqxx::sql_error if the query is none any more.
#pragma once

#include <cstdint>
#include <pqxx/pqxx>
#include <string>
#include <utility>
#include <vector>

#include "catalog/names.h"

namespace pgtrickle::catalog {

struct OriginalQuery {
  TableId pgt_id = 0;
  std::string owner;
  std::string text;       // as the user wrote it
  std::string canonical;  // what was made of it last
  std::vector<std::pair<std::string, std::string>> settings;
};

std::string requalified_definition(pqxx::transaction_base& tx, const OriginalQuery& query, const Names& names);

/// Does `view`, made of the canonical query, refer to what the query meant? Other functions and operators than those
/// that are known are taken only if they follow from columns that have other types now: with the old types the text
/// must mean what is known. Throws CannotFollow; answers what is new, for people.
std::vector<std::string> compare_references(pqxx::transaction_base& tx, const OriginalQuery& query, const Names& names,
                                            const std::string& view);

}  // namespace pgtrickle::catalog
