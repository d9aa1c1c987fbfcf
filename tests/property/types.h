// What the generators know about a column or an expression: enough to write only SQL that PostgreSQL accepts, that does
// not raise at run time, and whose result is fully determined by the data.
#pragma once

#include <string>
#include <vector>

#include "property/features.h"

namespace pgt::property {

/// Within a kind, ascending: of two types the greater one is what PostgreSQL unifies them to.
enum class Type {
  kInt2,
  kInt4,
  kInt8,
  kNumeric2,
  kNumeric,
  kText,
  kBool,
  kDate,
  kTimestamptz,
  kFloat8,
  kJsonb,
  kIntArray,
  kEnum,
  kRange,
  kPair,
  kOther
};
enum class Kind {
  kInt,
  kNumeric,
  kText,
  kBool,
  kDate,
  kTimestamptz,
  kFloat,
  kJson,
  kArray,
  kEnum,
  kRange,
  kPair,
  kOther
};

Kind kind_of(Type type);
/// As it is written in DDL and casts; kNumeric2 is numeric(10,2), kEnum and kPair are made by type_ddl().
std::string name_of(Type type);

/// Types and aggregates of our own: an enum, a domain over int4, a composite type, two aggregates; schema "kinds".
std::vector<std::string> type_ddl();

struct Value {
  Type type = Type::kInt4;
  double bound = 0;       // numbers: largest absolute value, infinities aside
  int fraction_bits = 0;  // float8: binary digits after the point; sums are exact as long as all fits 52 bits
  bool canonical = true;  // equal values also look alike (numeric: 1.0 and 1 do not)
  bool settled = true;    // its looks are determined by the data: may be cast to text, divided, averaged
  bool special = false;   // may be NaN or infinite; jsonb: not of the form of the base tables

  [[nodiscard]] Kind kind() const { return kind_of(type); }
};

/// Two types of one kind, or int and numeric, as UNION and COALESCE unify them.
Value unified(const Value& left, const Value& right);
/// Can be compared with =.
bool comparable(const Value& left, const Value& right);

struct Column {
  std::string name;  // not quoted
  Value value;
  bool domain = false;  // over the type
};

/// Something that can be written in FROM.
struct Relation {
  std::string sql;
  std::vector<Column> columns;
  std::vector<std::size_t> key = {};  // primary key, of base tables
  double rows = 0;                    // estimate
  int weight = 1;                     // base tables that it reads
  FeatureSet features = {};           // of views, whose queries become part of what reads them
};

std::string quoted(const std::string& identifier);
std::string literal(const std::string& text);

}  // namespace pgt::property
