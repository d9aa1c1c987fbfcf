#include "property/expression.h"

#include <algorithm>
#include <cmath>

namespace pgt::property {

double limit_of(Type type) {
  switch (type) {
    case Type::kInt2:
      return 32000;
    case Type::kInt4:
      return 2e9;
    case Type::kInt8:
      return 9.2e18;
    default:
      return 1e30;
  }
}

Expression ExpressionGenerator::any(int depth) {
  static const std::vector<Kind> kKinds = {Kind::kInt,  Kind::kInt,  Kind::kNumeric,     Kind::kText,  Kind::kText,
                                           Kind::kBool, Kind::kDate, Kind::kTimestamptz, Kind::kFloat, Kind::kJson};
  if (!atoms_.empty() && random_.chance(40)) return random_.pick(atoms_);
  for (int attempt = 0; attempt < 6; ++attempt) {
    const Kind kind = random_.pick(kKinds);
    const bool there =
        std::any_of(atoms_.begin(), atoms_.end(), [&](const Expression& a) { return a.value.kind() == kind; });
    if (there) return of(kind, depth);
  }
  return of(Kind::kInt, depth);
}

Expression ExpressionGenerator::of(Kind kind, int depth) {
  if (depth <= 0 || random_.chance(30)) return leaf(kind);
  if (random_.chance(18)) return conditional(kind, depth);
  switch (kind) {
    case Kind::kInt:
      return integer(depth);
    case Kind::kNumeric:
      return numeric(depth);
    case Kind::kText:
      return text(depth);
    case Kind::kBool: {
      Expression e;
      e.sql = "(" + predicate(depth) + ")";
      e.value.type = Type::kBool;
      return e;
    }
    case Kind::kDate:
      return date(depth);
    case Kind::kTimestamptz:
      return timestamp(depth);
    case Kind::kFloat:
      return floating(depth);
    case Kind::kJson:
      return json(depth);
    case Kind::kOther:
      break;
  }
  return leaf(kind);
}

Expression ExpressionGenerator::leaf(Kind kind) {
  std::vector<Expression> fitting;
  std::copy_if(atoms_.begin(), atoms_.end(), std::back_inserter(fitting),
               [&](const Expression& a) { return a.value.kind() == kind; });
  if (!fitting.empty() && !random_.chance(6)) return random_.pick(fitting);
  if (kind == Kind::kNumeric || kind == Kind::kFloat) {
    Expression e = leaf(Kind::kInt);
    if (!e.constant) {
      e.sql = "(" + e.sql + ")::" + (kind == Kind::kNumeric ? "numeric" : "float8");
      e.value.type = kind == Kind::kNumeric ? Type::kNumeric : Type::kFloat8;
      return e;
    }
  }
  return constant(kind);
}

Expression ExpressionGenerator::constant(Kind kind) {
  Expression e;
  e.constant = true;
  switch (kind) {
    case Kind::kInt:
      e.value.type = Type::kInt4;
      e.value.bound = 10;
      e.sql = random_.chance(5) ? "NULL::int4" : std::to_string(random_.between(0, 6));
      break;
    case Kind::kNumeric:
      e.value.type = Type::kNumeric;
      e.value.bound = 10;
      e.sql = random_.chance(50) ? "1.5" : "0.25";
      break;
    case Kind::kText: {
      static const std::vector<std::string> kTexts = {"'a'::text", "'x''y'::text", "'b'::text", "''::text",
                                                      R"('\ $1 %s'::text)"};
      e.value.type = Type::kText;
      e.sql = random_.pick(kTexts);
      break;
    }
    case Kind::kBool:
      e.value.type = Type::kBool;
      e.sql = random_.chance(20) ? "NULL::bool" : random_.chance(50) ? "true" : "false";
      break;
    case Kind::kDate:
      e.value.type = Type::kDate;
      e.sql = "'2024-02-28'::date";
      break;
    case Kind::kTimestamptz:
      e.value.type = Type::kTimestamptz;
      e.sql = "'2024-03-31 02:30:00+00'::timestamptz";
      break;
    case Kind::kFloat:
      e.value.type = Type::kFloat8;
      e.value.bound = 2;
      e.value.fraction_bits = 1;
      e.sql = "1.5::float8";
      break;
    default:
      e.value.type = Type::kJsonb;
      e.sql = R"('{"a": 1}'::jsonb)";
      break;
  }
  return e;
}

// CASE, COALESCE, NULLIF, GREATEST/LEAST over expressions of one kind.
Expression ExpressionGenerator::conditional(Kind kind, int depth) {
  const Expression x = of(kind, depth - 1);
  const Expression y = of(kind, depth - 1);
  if (kind == Kind::kOther) return x;
  Expression e = x;
  e.constant = x.constant && y.constant;
  e.value.type = std::max(x.value.type, y.value.type);
  e.value.bound = std::max(x.value.bound, y.value.bound);
  e.value.fraction_bits = std::max(x.value.fraction_bits, y.value.fraction_bits);
  e.value.canonical = kind != Kind::kNumeric;
  e.value.settled = x.value.settled && y.value.settled;
  e.value.special = x.value.special || y.value.special;
  switch (random_.below(kind == Kind::kJson ? 3 : 5)) {
    case 0:
      e.sql = "COALESCE(" + x.sql + ", " + y.sql + ")";
      break;
    case 1:
      e.sql = "CASE WHEN " + predicate(depth - 1) + " THEN " + x.sql + " ELSE " + y.sql + " END";
      e.constant = false;
      break;
    case 2:
      e.sql = "CASE WHEN " + predicate(depth - 1) + " THEN " + x.sql + " END";
      e.value = x.value;
      e.constant = false;
      break;
    case 3:
      e.sql = "NULLIF(" + x.sql + ", " + y.sql + ")";
      e.value = x.value;
      break;
    default:
      e.sql = std::string(random_.chance(50) ? "GREATEST(" : "LEAST(") + x.sql + ", " + y.sql + ")";
      // Of equal values either may be shown.
      if (kind == Kind::kNumeric && !(x.value.canonical && y.value.canonical)) e.value.settled = false;
      break;
  }
  return e;
}

Expression ExpressionGenerator::integer(int depth) {
  Expression x = leaf(Kind::kInt);
  switch (random_.below(10)) {
    case 0:
    case 1:
    case 2: {
      const Expression y = of(Kind::kInt, depth - 1);
      const std::string op = random_.pick(std::vector<std::string>{"+", "-", "*"});
      const Type type = std::max(x.value.type, y.value.type);
      const double bound = op == "*" ? x.value.bound * y.value.bound : x.value.bound + y.value.bound;
      if (bound > limit_of(type)) return x;
      x.sql = "(" + x.sql + " " + op + " " + y.sql + ")";
      x.value.type = type;
      x.value.bound = bound;
      x.constant = x.constant && y.constant;
      return x;
    }
    case 3:
      x.sql = "(" + x.sql + (random_.chance(50) ? " % " : " / ") + std::to_string(random_.between(2, 5)) + ")";
      x.value.type = std::max(x.value.type, Type::kInt4);
      return x;
    case 4:
      if (x.value.bound > limit_of(x.value.type)) return x;
      x.sql = random_.chance(50) ? "abs(" + x.sql + ")" : "(- " + x.sql + ")";
      return x;
    case 5: {
      const Type to = random_.chance(50) ? Type::kInt8 : Type::kInt4;
      if (x.value.bound > limit_of(to)) return x;
      x.sql = "(" + x.sql + ")::" + name_of(to);
      x.value.type = to;
      return x;
    }
    case 6: {
      const Expression y = leaf(Kind::kText);
      if (y.constant) return x;
      return {"length(" + y.sql + ")", {Type::kInt4, 1000}, false};
    }
    case 7: {
      const Expression y = leaf(Kind::kDate);
      if (y.constant) return x;
      if (random_.chance(50)) return {"(" + y.sql + " - '2024-01-01'::date)", {Type::kInt4, 10000}, false};
      return {"extract(day FROM " + y.sql + ")::int4", {Type::kInt4, 31}, false};
    }
    case 8: {
      const Expression y = leaf(Kind::kJson);
      if (y.constant || y.value.special) return x;
      return {"(" + y.sql + " ->> 'a')::int4", {Type::kInt4, 10}, false};
    }
    default: {
      const Expression y = leaf(Kind::kNumeric);
      if (y.constant || y.value.special || y.value.bound > 1e8) return x;
      return {"round(" + y.sql + ")::int8", {Type::kInt8, y.value.bound + 1}, false};
    }
  }
}

Expression ExpressionGenerator::numeric(int depth) {
  Expression x = leaf(Kind::kNumeric);
  const bool fixed = x.value.type == Type::kNumeric2 && x.value.canonical;
  switch (random_.below(6)) {
    case 0:
    case 1: {
      const Expression y = random_.chance(60) ? of(Kind::kNumeric, depth - 1) : leaf(Kind::kInt);
      const std::string op = random_.pick(std::vector<std::string>{"+", "-", "*"});
      x.sql = "(" + x.sql + " " + op + " " + y.sql + ")";
      x.value.canonical =
          fixed && (y.value.kind() == Kind::kInt || (y.value.type == Type::kNumeric2 && y.value.canonical));
      x.value.type = Type::kNumeric;
      x.value.bound = op == "*" ? x.value.bound * y.value.bound : x.value.bound + y.value.bound;
      x.value.settled = x.value.settled && y.value.settled;
      x.value.special = x.value.special || y.value.special;
      x.constant = x.constant && y.constant;
      return x;
    }
    case 2:
      if (!x.value.settled) return x;
      x.sql = "(" + x.sql + " / " + std::to_string(random_.between(2, 7)) + ")";
      x.value.canonical = false;
      x.value.type = Type::kNumeric;
      return x;
    case 3:
      x.sql = "round(" + x.sql + ", " + std::to_string(random_.between(0, 2)) + ")";
      x.value.type = Type::kNumeric;
      x.value.settled = x.value.canonical = true;  // one scale
      return x;
    case 4:
      if (x.value.special || x.value.bound > 1e7) return x;
      x.sql = "(" + x.sql + ")::numeric(10,2)";
      x.value.type = Type::kNumeric2;
      x.value.settled = x.value.canonical = true;
      return x;
    default: {
      const Expression y = leaf(Kind::kInt);
      if (y.constant) return x;
      return {"(" + y.sql + " * 0.5)", {Type::kNumeric, y.value.bound}, false};
    }
  }
}

Expression ExpressionGenerator::text(int depth) {
  Expression x = leaf(Kind::kText);
  switch (random_.below(8)) {
    case 0:
    case 1: {
      const Expression y = of(Kind::kText, depth - 1);
      return {"(" + x.sql + " || " + y.sql + ")", x.value, x.constant && y.constant};
    }
    case 2:
      x.sql = (random_.chance(50) ? "upper(" : "lower(") + x.sql + ")";
      return x;
    case 3:
      x.sql = random_.chance(50) ? "substr(" + x.sql + ", 1, 1)" : "left(" + x.sql + ", 2)";
      return x;
    case 4: {
      const Expression y = leaf(random_.chance(50) ? Kind::kInt : Kind::kDate);
      return {"concat(" + x.sql + ", '-', " + y.sql + ")", x.value, x.constant && y.constant};
    }
    case 5: {
      const Expression y =
          leaf(random_.pick(std::vector<Kind>{Kind::kInt, Kind::kBool, Kind::kDate, Kind::kTimestamptz}));
      return {"(" + y.sql + ")::text", {Type::kText}, y.constant};
    }
    case 6: {
      const Expression y = leaf(Kind::kNumeric);
      if (!y.value.settled) return x;
      return {"(" + y.sql + ")::text", {Type::kText}, y.constant};
    }
    default: {
      const Expression y = leaf(Kind::kJson);
      if (y.constant) return x;
      return {"(" + y.sql + " ->> 'b')", {Type::kText}, false};
    }
  }
}

Expression ExpressionGenerator::date(int /*depth*/) {
  Expression x = leaf(Kind::kDate);
  if (random_.chance(50)) {
    x.sql = "(" + x.sql + " + " + std::to_string(random_.between(1, 3)) + ")";
    return x;
  }
  const Expression y = leaf(Kind::kTimestamptz);
  if (y.constant) return x;
  return {"(" + y.sql + ")::date", x.value, false};
}

Expression ExpressionGenerator::timestamp(int /*depth*/) {
  Expression x = leaf(Kind::kTimestamptz);
  if (random_.chance(50)) {
    x.sql = "(" + x.sql + " + interval '1 hour')";
  } else {
    x.sql = "date_trunc('day', " + x.sql + ")";
  }
  return x;
}

Expression ExpressionGenerator::floating(int depth) {
  Expression x = leaf(Kind::kFloat);
  const Expression y = of(Kind::kFloat, depth - 1);
  const bool times = random_.chance(40);
  const double bound = times ? x.value.bound * y.value.bound : x.value.bound + y.value.bound;
  const int bits =
      times ? x.value.fraction_bits + y.value.fraction_bits : std::max(x.value.fraction_bits, y.value.fraction_bits);
  if (!(bound < 1e12) || bits > 8) return x;  // stays exact
  x.sql = "(" + x.sql + (times ? " * " : random_.chance(50) ? " + " : " - ") + y.sql + ")";
  x.value.bound = bound;
  x.value.fraction_bits = bits;
  x.value.special = x.value.special || y.value.special;
  x.constant = x.constant && y.constant;
  return x;
}

Expression ExpressionGenerator::json(int /*depth*/) {
  Expression x = leaf(Kind::kJson);
  x.value.special = true;
  switch (random_.below(3)) {
    case 0:
      x.sql = "(" + x.sql + " -> 'a')";
      return x;
    case 1: {
      const Expression y = leaf(random_.chance(50) ? Kind::kInt : Kind::kText);
      return {"jsonb_build_object('a', " + y.sql + ")", x.value, y.constant};
    }
    default: {
      const Expression y = leaf(random_.chance(50) ? Kind::kInt : Kind::kText);
      return {"to_jsonb(" + y.sql + ")", x.value, y.constant};
    }
  }
}

std::string ExpressionGenerator::comparison(int depth) {
  std::vector<Expression> comparable;
  for (const auto& atom : atoms_) {
    if (atom.value.kind() != Kind::kOther) comparable.push_back(atom);
  }
  if (comparable.empty()) return constant(Kind::kInt).sql + " < 4";
  const Expression atom = random_.pick(comparable);
  const Expression x = random_.chance(70) ? atom : of(atom.value.kind(), depth - 1);
  const Kind kind = x.value.kind();
  if (kind == Kind::kBool && random_.chance(50)) {
    return x.sql +
           random_.pick(std::vector<std::string>{"", " IS TRUE", " IS NOT TRUE", " IS UNKNOWN", " IS NOT FALSE"});
  }
  if (kind == Kind::kText && random_.chance(25)) return x.sql + (random_.chance(70) ? " LIKE 'a%'" : " ~ '[ab]'");
  if (kind == Kind::kJson) {
    if (random_.chance(50)) return x.sql + " ? 'a'";
    return x.sql + " @> '{\"a\": 1}'";
  }
  if (random_.chance(15)) return "(" + x.sql + ") IS " + (random_.chance(50) ? "NOT " : "") + "NULL";
  if (kind == Kind::kInt && random_.chance(15)) return x.sql + " IN (1, 2, 5)";
  if (kind == Kind::kInt && random_.chance(15)) return x.sql + " = ANY (ARRAY[0, 3, 4])";
  if (kind == Kind::kInt && random_.chance(15)) return x.sql + (random_.chance(20) ? " NOT" : "") + " BETWEEN 1 AND 4";
  static const std::vector<std::string> kOperators = {
      "=", "<>", "<", "<=", ">", ">=", "=", ">", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"};
  const Expression y = random_.chance(60) ? constant(kind) : leaf(kind);
  return x.sql + " " + random_.pick(kOperators) + " " + y.sql;
}

std::string ExpressionGenerator::predicate(int depth) {
  if (depth <= 0 || random_.chance(55)) return comparison(depth);
  switch (random_.below(5)) {
    case 0:
    case 1:
      return "(" + predicate(depth - 1) + " AND " + predicate(depth - 1) + ")";
    case 2:
    case 3:
      return "(" + predicate(depth - 1) + " OR " + predicate(depth - 1) + ")";
    default:
      return "NOT (" + predicate(depth - 1) + ")";
  }
}

}  // namespace pgt::property
