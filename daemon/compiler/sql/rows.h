// Rows as SQL: how they are grouped, hashed and compared, for any column type.
//
// Identity of a row or key is hash_record_extended(ROW(..), 0), which can be indexed, plus a recheck with record
// equality, which is NULL-safe and uses each type's default operator class whatever the search_path. Types without
// equality (json, xml, point ...) take part through their image (TypeInfo::image). A column list is parallel to a list
// of types. No value is ever made of its image or text: values are carried as they are.
#pragma once

#include <string>
#include <vector>

#include "compiler/catalog.h"
#include "compiler/sql/query.h"

namespace pgtrickle::compiler {

/// hash_record_extended(ROW(prefix.a, ...), 0)
std::string row_hash(const std::vector<std::string>& columns, const std::vector<TypeInfo>& types,
                     const std::string& prefix);
/// Record equality of two column lists; NULL equals NULL.
std::string row_equal(const std::vector<std::string>& left, const std::vector<std::string>& right,
                      const std::vector<TypeInfo>& types);
/// True unless both rows are the same byte for byte: equal values that are written differently do differ.
std::string row_differs(const std::vector<std::string>& left, const std::vector<std::string>& right);
/// Its opposite.
std::string row_identical(const std::vector<std::string>& left, const std::vector<std::string>& right);
/// Equality of two column lists as join conditions: hash and recheck, which can be hashed, merged, and served by an
/// index on row_hash. Record equality alone can only be sorted. If nothing can be NULL and "=" is the types' equality,
/// plain "=".
std::vector<std::string> row_match(const std::vector<std::string>& left, const std::vector<std::string>& right,
                                   const std::vector<TypeInfo>& types, bool plain);
/// The net rows: columns, sum(w) AS w, zero weights dropped.
Select consolidate(const std::vector<std::string>& columns, const std::vector<TypeInfo>& types, const FromItem& from);
/// The column, cast to the domain that the type is. A column can have another collation than its domain.
std::string cast_to_domain(const std::string& column, const TypeInfo& type);
/// SQL of the bytes of a value: of another value they are others.
std::string image(const std::string& column, const TypeInfo& type);
/// What GROUP BY needs so that only rows that are the same in every respect fall together: a column whose equality is
/// coarser than identity (numeric 1.0 = 1.00, x = X under some collations) is grouped by its image as well.
std::vector<std::string> identity_terms(const std::string& column, const TypeInfo& type);
/// What to select of a column beside a GROUP BY of its identity_terms(): the value.
std::string grouped_value(const std::string& column, const TypeInfo& type, const std::string& name);
/// One column of a GROUP BY by the type's equality, or by its image if it has none: what to select, what to group by.
void add_grouped(const std::string& column, const TypeInfo& type, const std::string& name,
                 std::vector<std::string>& select, std::vector<std::string>& group);

/// One way to join rows with keys.
struct KeyLookup {
  std::vector<std::string> conditions;
  std::vector<std::string> null_keys;  // not empty: only for keys of which one of these columns is NULL
};
/// How rows are found by the keys of a relation k, in disjoint ways: with "=", so that indexes serve, and once more for
/// keys that contain a NULL, by record equality. `mine` is SQL over a row, `keys` names the columns of k, `not_null`
/// says which of them cannot be NULL.
std::vector<KeyLookup> key_lookups(const std::vector<std::string>& mine, const std::vector<std::string>& keys,
                                   const std::vector<TypeInfo>& types, const std::vector<bool>& not_null);
/// That one of the columns is NULL.
std::string any_null(const std::vector<std::string>& names, const std::string& prefix);

}  // namespace pgtrickle::compiler
