// What is true, false or unknown: comparisons, tests of every kind, and tests of tests, the nestings in which a
// deparser loses its parentheses.
#include <algorithm>

#include "property/expression.h"

namespace pgt::property {

std::string ExpressionGenerator::json_test(const Expression& x) {
  switch (random_.below(5)) {
    case 0:
      return x.sql + " ? 'a'";
    case 1:
      return x.sql + " @> '{\"a\": 1}'";
    case 2:
      if (context_.use(Feature::kJsonPath)) return x.sql + " @? '$.a'";
      return x.sql + " ?| ARRAY['a', 'b']";
    case 3:
      if (context_.use(Feature::kJsonPath)) return "jsonb_path_exists(" + x.sql + ", '$.a ? (@ > 1)')";
      return "jsonb_typeof(" + x.sql + ") = 'object'";
    default:
      return "(" + x.sql + " -> 'a') IS NOT NULL";
  }
}

std::string ExpressionGenerator::text_test(const Expression& x) {
  switch (random_.below(8)) {
    case 0:
      return x.sql + (random_.chance(70) ? " LIKE 'a%'" : " NOT LIKE '%b'");
    case 1:
      return x.sql + " ~ '[ab]'";
    case 2:
      return x.sql + " ILIKE '%B' ESCAPE '!'";
    case 3:
      return x.sql + (random_.chance(50) ? " SIMILAR TO '(a|b)%'" : " NOT SIMILAR TO 'a'");
    case 4:
      if (context_.use(Feature::kCollate)) return "(" + x.sql + R"( COLLATE "C") < 'b')";
      return x.sql + " < 'b'";
    case 5:
      if (context_.use(Feature::kCollate)) return "(" + x.sql + " || 'a'" + R"() COLLATE "C" >= 'b' COLLATE "C")";
      return x.sql + " >= 'b'";
    case 6:
      return x.sql + (random_.chance(50) ? " IN ('a', 'b')" : " NOT IN ('a', 'x''y')");
    default:
      return x.sql + (random_.chance(50) ? " LIKE ANY (ARRAY['a%', '%b'])" : " ^@ 'a'");
  }
}

std::string ExpressionGenerator::array_test(const Expression& x) {
  const Expression i = leaf(Kind::kInt);
  switch (random_.below(4)) {
    case 0:
      return "(" + i.sql + ")::int4 = ANY (" + x.sql + ")";
    case 1:
      return "(" + i.sql + ")::int4 <> ALL (" + x.sql + ")";
    case 2:
      return x.sql + " @> ARRAY[1]";
    default:
      return x.sql + " && " + leaf(Kind::kArray).sql;
  }
}

std::string ExpressionGenerator::range_test(const Expression& x) {
  switch (random_.below(3)) {
    case 0:
      return x.sql + " @> 2";
    case 1:
      return x.sql + " && " + leaf(Kind::kRange).sql;
    default:
      return "isempty(" + x.sql + ")";
  }
}

std::string ExpressionGenerator::row_test() {
  const Expression a = leaf(Kind::kInt);
  const Expression b = leaf(Kind::kText);
  const std::string row = (random_.chance(50) ? "(" : "ROW(") + a.sql + ", " + b.sql + ")";
  static const std::vector<std::string> kTests = {" IS NULL",    " IS NOT NULL",  " < (3, 'b')",
                                                  " = (1, 'a')", " >= (2, NULL)", " IS DISTINCT FROM (NULL, 'a')",
                                                  " <> (2, 'b')"};
  return row + random_.pick(kTests);
}

std::string ExpressionGenerator::comparison(int depth) {
  std::vector<Expression> comparable;
  std::copy_if(atoms_.begin(), atoms_.end(), std::back_inserter(comparable),
               [](const Expression& atom) { return atom.value.kind() != Kind::kOther; });
  if (comparable.empty()) return constant(Kind::kInt).sql + " < 4";
  if (random_.chance(5) && context_.use(Feature::kRowConstructor)) return row_test();
  const Expression atom = random_.pick(comparable);
  const Expression x = random_.chance(70) ? atom : of(atom.value.kind(), depth - 1);
  const Kind kind = x.value.kind();
  if (kind == Kind::kBool && random_.chance(50)) {
    return x.sql +
           random_.pick(std::vector<std::string>{"", " IS TRUE", " IS NOT TRUE", " IS UNKNOWN", " IS NOT FALSE"});
  }
  if (kind == Kind::kJson) return json_test(x);
  if (kind == Kind::kText && random_.chance(35)) return text_test(x);
  if (kind == Kind::kArray && x.value.bound < 2e9 && random_.chance(60)) {
    const Expression i = leaf(Kind::kInt);
    if (i.value.bound < 2e9) return array_test(x);
  }
  if (kind == Kind::kRange && random_.chance(60)) return range_test(x);
  if (random_.chance(15)) return "(" + x.sql + ") IS " + (random_.chance(50) ? "NOT " : "") + "NULL";
  if (kind == Kind::kInt && random_.chance(15))
    return x.sql + random_.pick(std::vector<std::string>{" IN (1, 2, 5)", " NOT IN (0, 3)", " NOT IN (1, NULL)"});
  if (kind == Kind::kInt && random_.chance(15))
    return x.sql + random_.pick(std::vector<std::string>{" = ANY (ARRAY[0, 3, 4])", " <> ALL ('{1,2}'::int4[])",
                                                         " > ANY (ARRAY[2, NULL])"});
  if (kind == Kind::kInt && random_.chance(15))
    return x.sql + random_.pick(std::vector<std::string>{" BETWEEN 1 AND 4", " NOT BETWEEN 2 AND 3",
                                                         " BETWEEN SYMMETRIC 4 AND 1"});
  static const std::vector<std::string> kOperators = {
      "=", "<>", "<", "<=", ">", ">=", "=", ">", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"};
  const Expression y = random_.chance(60) ? constant(kind) : leaf(kind);
  return x.sql + " " + random_.pick(kOperators) + " " + y.sql;
}

// IS [NOT] TRUE, FALSE, UNKNOWN over whatever is boolean; boolean values compared with each other.
std::string ExpressionGenerator::boolean_test(int depth) {
  static const std::vector<std::string> kTests = {" IS TRUE",    " IS NOT TRUE",    " IS FALSE", " IS NOT FALSE",
                                                  " IS UNKNOWN", " IS NOT UNKNOWN", " IS NULL",  " IS NOT NULL"};
  const std::string inner = "(" + predicate(depth - 1) + ")";
  switch (random_.below(5)) {
    case 0:
      return inner +
             random_.pick(std::vector<std::string>{" = ", " <> ", " IS DISTINCT FROM ", " IS NOT DISTINCT FROM "}) +
             "(" + predicate(depth - 1) + ")";
    case 1:
      return "((" + inner + random_.pick(kTests) + ")" + random_.pick(kTests) + ")";
    case 2:
      return "COALESCE(" + inner + ", " + predicate(depth - 1) + ")" + (random_.chance(30) ? " IS TRUE" : "");
    default:
      return inner + random_.pick(kTests);
  }
}

std::string ExpressionGenerator::predicate(int depth) {
  if (sublinks_ != nullptr && random_.chance(10)) {
    if (const auto predicate = sublinks_->sublink_predicate(atoms_)) return *predicate;
  }
  if (depth <= 0 || random_.chance(45)) return comparison(depth);
  if (random_.chance(25) && context_.use(Feature::kBooleanTest)) return boolean_test(depth);
  switch (random_.below(6)) {
    case 0:
    case 1:
      return "(" + predicate(depth - 1) + " AND " + predicate(depth - 1) + ")";
    case 2:
    case 3:
      return "(" + predicate(depth - 1) + " OR " + predicate(depth - 1) + ")";
    case 4:
      return "CASE WHEN " + predicate(depth - 1) + " THEN " + predicate(depth - 1) + " ELSE " + predicate(depth - 1) +
             " END";
    default:
      return "NOT (" + predicate(depth - 1) + ")";
  }
}

}  // namespace pgt::property
