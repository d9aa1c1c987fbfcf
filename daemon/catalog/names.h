// What the names in the text of a stream table's query meant when it was defined, what they were called when the text
// was last compiled, and what the same objects are called now (sql/50_names.sql). Plain values; reading them is one
// query.
#pragma once

#include <cstdint>
#include <pqxx/pqxx>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "catalog/loader.h"
#include "model/stream_table.h"

namespace pgtrickle::catalog {

using Name = std::pair<std::string, std::string>;  // schema, name

struct NamedColumn {
  int number = 0;
  std::string name;
  std::string type;  // OID, modifier and collation, as one text to compare
  bool operator==(const NamedColumn&) const = default;
};

struct NamedObject {
  std::string kind;  // schema (of the search_path, in order), relation, type, function, operator, collation, label
  std::uint32_t oid = 0;
  std::string schema;
  std::string name;       // empty: it is gone
  std::string signature;  // of functions and operators; of a label its type
  std::vector<NamedColumn> columns;
  [[nodiscard]] Name qualified() const { return {schema, name}; }
  [[nodiscard]] const NamedColumn* column(int number) const;
  bool operator==(const NamedObject&) const = default;
};

struct Names {
  std::vector<NamedObject> then;  // at definition
  std::vector<NamedObject> seen;  // the same objects when last compiled, and the ones that have come to be used since
  std::vector<NamedObject> now;   // the same objects as in `then`, now
  std::string then_text, now_text;
  std::set<std::string> builtin_functions;  // names of functions in `then` that PostgreSQL has too

  /// Nothing is called, or typed, otherwise than when the definition was last compiled.
  [[nodiscard]] bool unchanged() const;
  /// Columns that are read have other types than then.
  [[nodiscard]] bool types_changed() const;
  /// The name of an object that was known under this OID, now.
  [[nodiscard]] bool knows(const std::string& kind, std::uint32_t oid) const;
};

/// Objects that were dropped and made again are found by name. Empty `then`: nothing was recorded.
Names load_names(ServerTypes& types, TableId pgt_id);

/// Records what `names` found, and that the query in view `view` refers to no more than that.
void record_names(pqxx::transaction_base& tx, TableId pgt_id, const Names& names, const std::string& view);

}  // namespace pgtrickle::catalog
