#include "property/types.h"

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
    case Type::kOther:
      break;
  }
  return "?";
}

std::string quoted(const std::string& identifier) {
  return doubled(identifier, '"');
}
std::string literal(const std::string& text) {
  return doubled(text, '\'');
}

}  // namespace pgt::property
