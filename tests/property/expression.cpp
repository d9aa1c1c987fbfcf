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
  static const std::vector<Kind> kKinds = {Kind::kInt,   Kind::kInt,  Kind::kNumeric,     Kind::kText,  Kind::kText,
                                           Kind::kBool,  Kind::kDate, Kind::kTimestamptz, Kind::kFloat, Kind::kJson,
                                           Kind::kArray, Kind::kEnum, Kind::kRange,       Kind::kPair};
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
  if (sublinks_ != nullptr && random_.chance(5)) {
    if (auto scalar = sublinks_->scalar_sublink(atoms_, kind)) return *scalar;
  }
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
    case Kind::kArray:
      return array(depth);
    case Kind::kEnum:
      return enumerated(depth);
    case Kind::kRange:
      return range(depth);
    case Kind::kPair:
      return pair(depth);
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
    case Kind::kArray:
      e.value.type = Type::kIntArray;
      e.value.bound = 10;
      e.sql = random_.chance(50) ? "ARRAY[1, NULL, 2]" : "'{3,0}'::int4[]";
      break;
    case Kind::kEnum:
      e.value.type = Type::kEnum;
      e.sql = random_.chance(50) ? "'ok'::kinds.mood" : "'happy'::kinds.mood";
      break;
    case Kind::kRange:
      e.value.type = Type::kRange;
      e.sql = random_.chance(50) ? "int4range(1, 4)" : "'empty'::int4range";
      break;
    case Kind::kPair:
      e.value.type = Type::kPair;
      e.sql = "ROW(1, 'a'::text)::kinds.pair";
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
  e.outer.clear();
  e.value = unified(x.value, y.value);
  e.value.canonical = kind != Kind::kNumeric;
  switch (random_.below(kind == Kind::kJson ? 4 : 6)) {
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
    case 3: {
      const Expression of_what = leaf(Kind::kInt);
      e.sql = "CASE " + of_what.sql + " WHEN 1 THEN " + x.sql + " WHEN " + leaf(Kind::kInt).sql + " THEN " + y.sql +
              (random_.chance(50) ? " END" : " ELSE " + x.sql + " END");
      e.constant = false;
      break;
    }
    case 4:
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
  Expression x = random_.chance(70) ? leaf(Kind::kInt) : of(Kind::kInt, depth - 1);
  x.outer.clear();
  switch (random_.below(12)) {
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
    case 5: {
      if (x.value.bound > limit_of(x.value.type) / 2) return x;
      static const std::vector<std::string> kPrefixes = {"abs(", "(- ", "(- (- ", "(@ ", "(~ ", "(- (~ "};
      const std::string prefix = random_.pick(kPrefixes);
      x.sql =
          prefix + x.sql + std::string(static_cast<std::size_t>(std::count(prefix.begin(), prefix.end(), '(')), ')');
      x.value.bound += 2;
      return x;
    }
    case 6: {
      const Type to = random_.chance(50) ? Type::kInt8 : Type::kInt4;
      if (x.value.bound > limit_of(to)) return x;
      x.sql = random_.chance(50) ? "(" + x.sql + ")::" + name_of(to) : "CAST(" + x.sql + " AS " + name_of(to) + ")";
      x.value.type = to;
      return x;
    }
    case 7: {
      if (x.value.bound > 1e6) return x;
      x.sql = "(" + x.sql + random_.pick(std::vector<std::string>{" & ", " | ", " # "}) + "3)";
      x.value.type = std::max(x.value.type, Type::kInt4);
      x.value.bound = x.value.bound * 2 + 4;
      return x;
    }
    default:
      return integer_of_other(x, depth);
  }
}

// Integers made of values of other kinds.
Expression ExpressionGenerator::integer_of_other(const Expression& otherwise, int depth) {
  switch (random_.below(12)) {
    case 0: {
      const Expression y = of(Kind::kText, depth - 1);
      if (y.constant) break;
      if (random_.chance(40) && context_.use(Feature::kSyntaxFunction))
        return {"POSITION('b' IN " + y.sql + ")", {Type::kInt4, 1000}, false};
      if (random_.chance(30) && context_.use(Feature::kCollate))
        return {"length(" + y.sql + R"( COLLATE "C"))", {Type::kInt4, 1000}, false};
      return {"length(" + y.sql + ")", {Type::kInt4, 1000}, false};
    }
    case 1: {
      const Expression y = leaf(Kind::kDate);
      if (y.constant) break;
      if (random_.chance(50)) return {"(" + y.sql + " - '2024-01-01'::date)", {Type::kInt4, 10000}, false};
      return {"extract(day FROM " + y.sql + ")::int4", {Type::kInt4, 31}, false};
    }
    case 2: {
      const Expression y = leaf(Kind::kJson);
      if (y.constant || y.value.special) break;
      return {"(" + y.sql + " ->> 'a')::int4", {Type::kInt4, 10}, false};
    }
    case 3: {
      const Expression y = leaf(Kind::kNumeric);
      if (y.constant || y.value.special || y.value.bound > 1e8) break;
      return {"round(" + y.sql + ")::int8", {Type::kInt8, y.value.bound + 1}, false};
    }
    case 4: {
      const Expression y = leaf(Kind::kTimestamptz);
      if (y.constant || !context_.use(Feature::kAtTimeZone)) break;
      return {"extract(hour FROM (" + y.sql + " AT TIME ZONE 'Asia/Tokyo'))::int4", {Type::kInt4, 24}, false};
    }
    case 5:
    case 6: {
      const Expression y = of(Kind::kArray, depth - 1);
      if (y.constant || !context_.use(Feature::kSubscript)) break;
      if (random_.chance(30)) return {"cardinality((" + y.sql + ")[1:2])", {Type::kInt4, 1000}, false};
      return {"(" + y.sql + ")[" + (random_.chance(70) ? "1" : "(1 + 1)") + "]", {Type::kInt4, y.value.bound}, false};
    }
    case 7: {
      if (!context_.use(Feature::kArrays)) break;
      if (random_.chance(50) && context_.use(Feature::kSubscript) && otherwise.value.type <= Type::kInt4) {
        return {
            "(ARRAY[" + otherwise.sql + ", 7])[2 - 1]", {Type::kInt4, otherwise.value.bound + 7}, otherwise.constant};
      }
      const Expression y = leaf(Kind::kArray);
      return {"array_length(" + y.sql + ", 1)", {Type::kInt4, 1000}, y.constant};
    }
    case 8: {
      const Expression y = leaf(Kind::kRange);
      if (y.constant) break;
      return {(random_.chance(50) ? "lower(" : "upper(") + y.sql + ")", {Type::kInt4, 1000}, false};
    }
    case 9: {
      const Expression y = of(Kind::kPair, depth - 1);
      if (y.constant) break;
      return {"(" + y.sql + ").x", {Type::kInt4, y.value.bound}, false};
    }
    case 10: {
      const Expression y = leaf(Kind::kBool);
      if (y.constant) break;
      return {"(" + y.sql + ")::int4", {Type::kInt4, 1}, false};
    }
    default: {
      const Expression y = leaf(Kind::kEnum);
      if (y.constant) break;
      return {"array_position(ARRAY['sad', 'ok', 'happy']::kinds.mood[], " + y.sql + ")", {Type::kInt4, 3}, false};
    }
  }
  return otherwise;
}

Expression ExpressionGenerator::numeric(int depth) {
  Expression x = leaf(Kind::kNumeric);
  const bool fixed = x.value.type == Type::kNumeric2 && x.value.canonical;
  x.outer.clear();
  switch (random_.below(7)) {
    case 5:
      x.sql = "(- " + x.sql + ")";
      x.value.type = std::max(x.value.type, Type::kNumeric);
      return x;
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
  x.outer.clear();
  switch (random_.below(11)) {
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
      static const std::vector<Kind> kKinds = {Kind::kInt,   Kind::kBool, Kind::kDate,  Kind::kTimestamptz,
                                               Kind::kArray, Kind::kEnum, Kind::kRange, Kind::kPair};
      const Expression y = of(random_.pick(kKinds), depth - 1);
      if (!y.value.settled) return x;
      return {"(" + y.sql + ")::text", {Type::kText}, y.constant};
    }
    case 6: {
      const Expression y = leaf(Kind::kNumeric);
      if (!y.value.settled) return x;
      return {"(" + y.sql + ")::text", {Type::kText}, y.constant};
    }
    case 7:
    case 8:
      return text_syntax(x);
    case 9: {
      const Expression y = of(Kind::kPair, depth - 1);
      if (y.constant) return x;
      return {"(" + y.sql + ").y", {Type::kText}, false};
    }
    default: {
      const Expression y = leaf(Kind::kJson);
      if (y.constant) return x;
      return {"(" + y.sql + random_.pick(std::vector<std::string>{" ->> 'b')", " #>> '{b}')", " -> 'b' ->> 0)"}),
              {Type::kText},
              false};
    }
  }
}

// Functions that SQL gives a syntax of their own, which a deparser has to know.
Expression ExpressionGenerator::text_syntax(const Expression& x) {
  if (!context_.use(Feature::kSyntaxFunction)) return x;
  Expression e = x;
  switch (random_.below(5)) {
    case 0:
      e.sql = "SUBSTRING(" + x.sql + " FROM 1 FOR 2)";
      break;
    case 1:
      e.sql = "TRIM(BOTH 'a' FROM " + x.sql + ")";
      break;
    case 2:
      e.sql = "OVERLAY(" + x.sql + " PLACING 'zz' FROM 1 FOR 1)";
      break;
    case 3:
      e.sql = "SUBSTRING(" + x.sql + " FROM '[a-c]')";
      break;
    default:
      e.sql = "TRIM(LEADING FROM " + x.sql + ")";
      break;
  }
  return e;
}

Expression ExpressionGenerator::date(int /*depth*/) {
  Expression x = leaf(Kind::kDate);
  x.outer.clear();
  if (random_.chance(50)) {
    x.sql = "(" + x.sql + " + " + std::to_string(random_.between(1, 3)) + ")";
    return x;
  }
  const Expression y = leaf(Kind::kTimestamptz);
  if (y.constant) return x;
  if (random_.chance(50) && context_.use(Feature::kAtTimeZone))
    return {"(" + y.sql + " AT TIME ZONE 'UTC')::date", x.value, false};
  return {"(" + y.sql + ")::date", x.value, false};
}

Expression ExpressionGenerator::timestamp(int depth) {
  Expression x = random_.chance(60) ? leaf(Kind::kTimestamptz) : of(Kind::kTimestamptz, depth - 1);
  x.outer.clear();
  switch (random_.below(5)) {
    case 0:
      x.sql = "(" + x.sql + " + interval '1 hour')";
      return x;
    case 1:
      x.sql = "(" + x.sql + " - (- '1 day'::interval))";
      return x;
    case 2:
      if (!context_.use(Feature::kAtTimeZone)) return x;
      x.sql = "((" + x.sql + " AT TIME ZONE 'UTC') AT TIME ZONE 'Europe/Berlin')";
      return x;
    case 3:
      if (!context_.use(Feature::kAtTimeZone)) return x;
      x.sql = "(((" + x.sql + " + '1 day'::interval) AT TIME ZONE 'UTC')::date)::timestamptz";
      return x;
    default:
      x.sql = "date_trunc('day', " + x.sql + ")";
      return x;
  }
}

Expression ExpressionGenerator::floating(int depth) {
  Expression x = leaf(Kind::kFloat);
  x.outer.clear();
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

Expression ExpressionGenerator::json(int depth) {
  Expression x = leaf(Kind::kJson);
  x.outer.clear();
  x.value.special = true;
  switch (random_.below(6)) {
    case 0:
      x.sql = "(" + x.sql + " -> 'a')";
      return x;
    case 1: {
      const Expression y = leaf(random_.chance(50) ? Kind::kInt : Kind::kText);
      return {"jsonb_build_object('a', " + y.sql + ")", x.value, y.constant};
    }
    case 2:
      if (!context_.use(Feature::kSubscript)) return x;
      x.sql = "(" + x.sql + ")['a']";
      return x;
    case 3:
      if (!context_.use(Feature::kJsonPath)) return x;
      x.sql = random_.chance(50) ? "jsonb_path_query_array(" + x.sql + ", '$.*')"
                                 : "jsonb_path_query_first(" + x.sql + ", '$[*] ? (@ > 1)')";
      return x;
    case 4: {
      const Expression y = of(random_.chance(50) ? Kind::kArray : Kind::kPair, depth - 1);
      return {"to_jsonb(" + y.sql + ")", x.value, y.constant};
    }
    default: {
      const Expression y = leaf(random_.chance(50) ? Kind::kInt : Kind::kText);
      return {"to_jsonb(" + y.sql + ")", x.value, y.constant};
    }
  }
}

Expression ExpressionGenerator::array(int depth) {
  Expression x = leaf(Kind::kArray);
  x.outer.clear();
  const Expression i = of(Kind::kInt, depth - 1);
  const bool fits = i.value.bound < limit_of(Type::kInt4) && context_.use(Feature::kArrays);
  switch (random_.below(5)) {
    case 0:
      if (!fits) return x;
      return {"ARRAY[" + i.sql + ", 0]::int4[]", {Type::kIntArray, i.value.bound}, i.constant};
    case 1:
      if (!fits) return x;
      return {"(" + x.sql + " || (" + i.sql + ")::int4)", unified(x.value, {Type::kIntArray, i.value.bound}), false};
    case 2:
      if (!context_.use(Feature::kSubscript)) return x;
      x.sql = "(" + x.sql + ")[" + random_.pick(std::vector<std::string>{"1:2", ":1", "2:", "(2 - 1):2"}) + "]";
      return x;
    case 3:
      if (!fits) return x;
      x.sql = "array_remove(" + x.sql + ", " + std::to_string(random_.between(0, 3)) + ")";
      return x;
    default: {
      if (!fits) return x;
      const Expression y = of(Kind::kArray, depth - 1);
      return {"array_cat(" + x.sql + ", " + y.sql + ")", unified(x.value, y.value), x.constant && y.constant};
    }
  }
}

Expression ExpressionGenerator::enumerated(int /*depth*/) {
  Expression x = leaf(Kind::kEnum);
  const Expression y = leaf(Kind::kBool);
  return {"(CASE WHEN " + y.sql + " THEN 'sad' ELSE (" + x.sql + ")::text END)::kinds.mood", x.value, false};
}

Expression ExpressionGenerator::range(int depth) {
  Expression x = leaf(Kind::kRange);
  const Expression i = of(Kind::kInt, depth - 1);
  if (i.value.bound > 1e6 || random_.chance(40)) return {"(" + x.sql + " * int4range(0, 4))", x.value, x.constant};
  return {"int4range((" + i.sql + ")::int4, NULL, '[)')", x.value, i.constant};
}

Expression ExpressionGenerator::pair(int depth) {
  const Expression i = of(Kind::kInt, depth - 1);
  const Expression t = of(Kind::kText, depth - 1);
  if (i.value.bound > limit_of(Type::kInt4) || !context_.use(Feature::kRowConstructor)) return leaf(Kind::kPair);
  return {
      "ROW((" + i.sql + ")::int4, " + t.sql + ")::kinds.pair", {Type::kPair, i.value.bound}, i.constant && t.constant};
}

}  // namespace pgt::property
