// What the compiler knows of the database: plain values, loaded by catalog/ (or written by hand in a unit test).
// The compiler itself never connects. Names are unquoted; attnums are pg_attribute.attnum.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace pgtrickle::compiler {

/// A type, and where a column has it, the column's collation.
struct TypeInfo {
  std::uint32_t oid = 0;
  std::uint32_t base_oid = 0;   // of a domain: the type below; otherwise oid
  std::string name;             // format_type(oid, -1): what a cast is written with, qualified if not in pg_catalog
  bool equatable = true;        // has a default btree operator class: GROUP BY, record comparison
  bool hashable = true;         // has a default hash operator class with extended hashing
  bool identity = true;         // equal values are the same value (false: numeric 1.0 and 1.00, float 0 and -0, citext)
  std::string image;            // SQL over $1 of its bytes: different for different values, equal or not
  bool indexable_image = true;  // the image depends on nothing else, so that an index can hold it
  bool encoded_image = false;   // the image is in the session's client_encoding
  bool builtin_operators = true;          // its "=" is found under search_path = pg_catalog (false: citext, hstore ...)
  bool fixed_width = true;                // a btree key of it can never be too large for an index page
  std::uint32_t key_oid = 0;              // the type whose default btree operator class serves (text for varchar)
  std::vector<std::uint32_t> comparable;  // key_oids of types with which "=" is one equality, whatever the settings
  std::string collation;                  // of the column, quoted and qualified; empty if it has none
  bool loose_collation = false;           // it is nondeterministic: different texts can be equal
};

struct SourceColumn {
  std::int16_t attnum = 0;
  std::string name;
  TypeInfo type;
  std::int32_t typmod = -1;
  bool not_null = false;
  bool owner_may_select = true;  // the owner of the stream table
};

enum class SourceKind { kTable, kPartitionedTable, kStreamTable, kView, kMaterializedView, kForeignTable };

struct Source {
  std::uint32_t relid = 0;
  std::string schema;
  std::string name;
  SourceKind kind = SourceKind::kTable;
  std::vector<SourceColumn> columns;                   // in attnum order, dropped ones left out
  std::vector<std::vector<std::int16_t>> unique_keys;  // immediate, total unique indexes over NOT NULL columns
  std::vector<std::int16_t> indexed_columns;           // leading columns of its indexes
  std::string view_definition;                         // of a view: pg_get_viewdef under an empty search_path
  std::string misread;                                 // what its view_definition does not say; empty: it says all
  std::string not_capturable;                          // why its changes cannot be captured; empty if they can
  bool row_security = false;                           // policies apply to the owner of the stream table
  bool has_inheritance_children = false;               // or partitions
};

/// All functions of one name that a call might mean. Overloads are folded together, on the careful side.
struct FunctionInfo {
  bool is_aggregate = false;
  bool is_window = false;
  bool returns_set = false;
  char volatility = 'i';  // the worst of the candidates: i, s, v
  bool builtin = true;    // every candidate is in pg_catalog
};

struct FunctionKey {
  std::string schema;  // empty: unqualified, which after canonicalisation means pg_catalog
  std::string name;
  int argument_count = 0;
  auto operator<=>(const FunctionKey&) const = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 errs here
};

struct Catalog {
  std::map<std::pair<std::string, std::string>, Source>
      sources;  // by (schema, name); views and what they read included
  std::map<FunctionKey, FunctionInfo> functions;
};

/// Answers what only the server knows for sure. Throws whatever its implementation throws on a failed round trip.
class TypeOracle {
 public:
  virtual ~TypeOracle() = default;
  /// The types of a SELECT's columns. The SQL is a plain SELECT over sources.
  virtual std::vector<TypeInfo> column_types(const std::string& select) = 0;
  /// The types that "=" compares two types as: those of the operator that the server chooses.
  virtual std::pair<TypeInfo, TypeInfo> compared_as(const TypeInfo& left, const TypeInfo& right) = 0;
};

}  // namespace pgtrickle::compiler
