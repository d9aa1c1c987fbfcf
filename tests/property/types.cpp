#include "property/types.h"

#include <algorithm>

namespace pgt::property {
namespace {

std::string doubled(const std::string& text, char quote) {
  std::string result(1, quote);
  for (const char c : text) {
    if (c == quote) result += quote;
    result += c;
  }
  return result + quote;
}

}  // namespace

Kind kind_of(Type type) {
  switch (type) {
    case Type::kInt2:
    case Type::kInt4:
    case Type::kInt8:
      return Kind::kInt;
    case Type::kNumeric2:
    case Type::kNumeric:
      return Kind::kNumeric;
    case Type::kText:
      return Kind::kText;
    case Type::kBool:
      return Kind::kBool;
    case Type::kDate:
      return Kind::kDate;
    case Type::kTimestamptz:
      return Kind::kTimestamptz;
    case Type::kFloat8:
      return Kind::kFloat;
    case Type::kJsonb:
      return Kind::kJson;
    case Type::kIntArray:
      return Kind::kArray;
    case Type::kEnum:
      return Kind::kEnum;
    case Type::kRange:
      return Kind::kRange;
    case Type::kPair:
      return Kind::kPair;
    case Type::kOther:
      break;
  }
  return Kind::kOther;
}

std::string name_of(Type type) {
  switch (type) {
    case Type::kInt2:
      return "int2";
    case Type::kInt4:
      return "int4";
    case Type::kInt8:
      return "int8";
    case Type::kNumeric2:
      return "numeric(10,2)";
    case Type::kNumeric:
      return "numeric";
    case Type::kText:
      return "text";
    case Type::kBool:
      return "bool";
    case Type::kDate:
      return "date";
    case Type::kTimestamptz:
      return "timestamptz";
    case Type::kFloat8:
      return "float8";
    case Type::kJsonb:
      return "jsonb";
    case Type::kIntArray:
      return "int4[]";
    case Type::kEnum:
      return "kinds.mood";
    case Type::kRange:
      return "int4range";
    case Type::kPair:
      return "kinds.pair";
    case Type::kOther:
      break;
  }
  return "?";
}

std::vector<std::string> type_ddl() {
  return {
      "CREATE SCHEMA kinds",
      "CREATE TYPE kinds.mood AS ENUM ('sad', 'ok', 'happy')",
      "CREATE DOMAIN kinds.small AS int4 CHECK (VALUE BETWEEN -1000000 AND 1000000)",
      "CREATE TYPE kinds.pair AS (x int4, y text)",
      "CREATE FUNCTION kinds.add_square(numeric, int8) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1 + "
      "$2::numeric * $2'",
      "CREATE AGGREGATE kinds.squares(int8) (sfunc = kinds.add_square, stype = numeric, initcond = '0')",
      "CREATE FUNCTION kinds.longer(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT CASE WHEN $1 IS NULL "
      "THEN $2 WHEN $2 IS NULL THEN $1 WHEN (length($1), $1) > (length($2), $2) THEN $1 ELSE $2 END'",
      "CREATE AGGREGATE kinds.longest(text) (sfunc = kinds.longer, stype = text)"};
}

Value unified(const Value& left, const Value& right) {
  Value value = left;
  value.canonical = left.canonical && right.canonical && left.type == right.type;
  value.type = std::max(left.type, right.type);
  value.bound = std::max(left.bound, right.bound);
  value.fraction_bits = std::max(left.fraction_bits, right.fraction_bits);
  value.settled = left.settled && right.settled;
  value.special = left.special || right.special;
  if (value.kind() == Kind::kInt || left.kind() == Kind::kText) value.canonical = true;
  return value;
}

bool comparable(const Value& left, const Value& right) {
  const Kind l = left.kind();
  const Kind r = right.kind();
  if (l == Kind::kOther || l == Kind::kJson) return false;
  return l == r || (l == Kind::kInt && r == Kind::kNumeric) || (l == Kind::kNumeric && r == Kind::kInt);
}

std::string quoted(const std::string& identifier) {
  return doubled(identifier, '"');
}
std::string literal(const std::string& text) {
  return doubled(text, '\'');
}

}  // namespace pgt::property
