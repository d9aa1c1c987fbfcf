// Aggregate calls of every kind. Those whose result depends on the order of their input get a total order; sums of
// floats stay exact in any order, and what cannot is rounded.
#include <algorithm>

#include "property/generator.h"

namespace pgt::property {
namespace {

const Value kCount{Type::kInt8, 1e6};
const Value kUnsortable{Type::kOther};

Value same_as(Value value) {
  if (!value.canonical) value.settled = false;
  return value;
}

}  // namespace

std::string QueryGenerator::filter(const Atoms& atoms) {
  if (!chance(Feature::kAggregateFilter, 16)) return {};
  return " FILTER (WHERE " + ExpressionGenerator(context_, atoms).predicate(1) + ")";
}

/// With ORDER BY or DISTINCT inside: values in order, sets of values.
Expression QueryGenerator::ordered_aggregate(const Atoms& atoms, const Expression& x, const std::string& filter) {
  ExpressionGenerator rows(context_, atoms);
  const Value& v = x.value;
  const bool distinct = chance(Feature::kAggregateDistinct, 30);
  // By something else first, then by the value itself: rows that are still equal give the same.
  std::string order = " ORDER BY ";
  if (!distinct && random_.chance(35)) order += random_.pick(atoms).sql + direction() + ", ";
  const std::string some = distinct ? "DISTINCT " : "";
  use(Feature::kAggregateOrder);
  switch (random_.below(6)) {
    case 0: {
      const Expression t = rows.of(Kind::kText, 1);
      return {"string_agg(" + some + t.sql + ", ','" + order + t.sql + direction() + ")" + filter, {Type::kText}};
    }
    case 1: {
      const Expression t = rows.leaf(Kind::kText);
      const Expression u = rows.leaf(Kind::kText);
      if (distinct) break;
      return {"string_agg(" + t.sql + ", " + u.sql + order + t.sql + direction() + ", " + u.sql + ")" + filter,
              {Type::kText}};
    }
    case 2:
      if (!use(Feature::kJsonAggregate)) break;
      return {"jsonb_agg(" + some + x.sql + order + x.sql + direction() + ")" + filter, kUnsortable};
    case 3: {
      const Expression k = rows.leaf(Kind::kText);
      if (!use(Feature::kJsonAggregate)) break;
      return {"jsonb_object_agg(COALESCE(" + k.sql + ", '-'), " + x.sql + order + x.sql + ")" + filter, kUnsortable};
    }
    case 4:
      if (v.kind() != Kind::kInt || v.bound > 1e9) break;
      return {"array_agg(" + some + "(" + x.sql + ")::int4" +
                  (distinct ? " ORDER BY (" + x.sql + ")::int4" : order + x.sql) + ")" + filter,
              {Type::kIntArray, v.bound}};
    default:
      break;
  }
  if (v.kind() == Kind::kOther || v.kind() == Kind::kArray) return {"count(" + x.sql + ")" + filter, kCount};
  return {"array_agg(" + some + x.sql + order + x.sql + direction() + ")" + filter, kUnsortable};
}

Expression QueryGenerator::ordered_set_aggregate(const Expression& x, const std::string& filter) {
  const Value& v = x.value;
  const std::string group = " WITHIN GROUP (ORDER BY " + x.sql;
  const bool plain = v.kind() != Kind::kOther && v.kind() != Kind::kJson;
  if (random_.chance(35) && use(Feature::kHypotheticalSet)) {
    const std::vector<std::string> kRanks = {"rank", "dense_rank"};
    const std::vector<std::string> kShares = {"percent_rank", "cume_dist"};
    const bool rank = random_.chance(60);
    if (v.kind() == Kind::kInt || v.kind() == Kind::kText) {
      const std::string of = v.kind() == Kind::kInt ? "2" : "'b'";
      const std::string sql =
          random_.pick(rank ? kRanks : kShares) + "(" + of + ")" + group + direction() + ")" + filter;
      return {sql, rank ? kCount : Value{Type::kFloat8, 1, 100}};
    }
  }
  if (!plain || !use(Feature::kOrderedSet)) return {"count(" + x.sql + ")" + filter, kCount};
  switch (random_.below(4)) {
    case 0:
      return {"mode()" + group + direction() + ")" + filter, same_as(v)};
    case 1:
      if (v.kind() == Kind::kFloat || (v.kind() == Kind::kInt && v.bound < 1e9)) {
        Value middle{Type::kFloat8, v.bound, 100};
        middle.special = v.special;
        return {"percentile_cont(0.5)" + group + ")" + filter, middle};
      }
      break;
    case 2:
      if (v.kind() != Kind::kArray)
        return {"percentile_disc(ARRAY[0.25, 0.5, NULL])" + group + direction() + ")" + filter, kUnsortable};
      break;
    default:
      break;
  }
  return {
      "percentile_disc(" + std::string(random_.chance(60) ? "0.5" : "0.9") + ")" + group + direction() + ")" + filter,
      same_as(v)};
}

/// Statistics of two columns. Their last digits depend on the order of the rows, hence rounded.
Expression QueryGenerator::regression(const Atoms& atoms, const std::string& filter) {
  ExpressionGenerator rows(context_, atoms);
  std::vector<std::string> arguments;
  for (int i = 0; i < 2; ++i) {
    const Expression x = rows.leaf(random_.chance(50) ? Kind::kFloat : Kind::kInt);
    const bool fits = !x.value.special && x.value.bound < 1e5 && x.value.fraction_bits < 12;
    arguments.push_back(fits ? "(" + x.sql + ")::float8" : "1.5::float8");
  }
  const std::string call = "(" + arguments[0] + ", " + arguments[1] + ")" + filter;
  if (random_.chance(20)) return {"regr_count" + call, kCount};
  static const std::vector<std::string> kFunctions = {"corr",       "covar_pop",      "covar_samp",
                                                      "regr_slope", "regr_r2",        "regr_avgx",
                                                      "regr_sxy",   "regr_intercept", "regr_syy"};
  return {"round((" + random_.pick(kFunctions) + call + ")::numeric, 3)", {Type::kNumeric, 1e12, 0, true}};
}

Expression QueryGenerator::aggregate(const Atoms& atoms, SublinkSource* sublinks) {
  const bool with_sublinks = context_.on(Feature::kSublinkInAggregate) && sublinks != nullptr && random_.chance(7);
  ExpressionGenerator rows(context_, atoms);
  Expression x = random_.chance(55) ? random_.pick(atoms) : rows.any(2);
  if (with_sublinks) {
    if (const auto scalar = sublinks->scalar_sublink(atoms, x.value.kind())) {
      x = *scalar;
      use(Feature::kSublinkInAggregate);
    }
  }
  const Value& v = x.value;
  const std::string tail = filter(atoms);
  auto make = [&](const std::string& sql, Value value) { return Expression{sql + tail, value}; };
  auto call = [&](const std::string& function) { return function + "(" + x.sql + ")"; };
  if (random_.chance(15)) return make("count(*)", kCount);
  if (random_.chance(9)) return make(call("count"), kCount);
  const int special = random_.between(1, 100);
  if (special <= 9 && context_.on(Feature::kAggregateOrder)) return ordered_aggregate(atoms, x, tail);
  if (special <= 15 && use(Feature::kAggregateDistinct)) {
    if (random_.chance(20) && use(Feature::kDistinctRows))
      return make("count(DISTINCT (" + x.sql + ", " + random_.pick(atoms).sql + "))", kCount);
    if (v.kind() != Kind::kInt || random_.chance(40)) return make("count(DISTINCT " + x.sql + ")", kCount);
    return make("sum(DISTINCT " + x.sql + ")",
                v.type == Type::kInt8 ? Value{Type::kNumeric, v.bound * 1e4} : Value{Type::kInt8, v.bound * 1e4});
  }
  if (special <= 20) return ordered_set_aggregate(x, tail);
  if (special <= 24 && use(Feature::kRegression)) return regression(atoms, tail);
  if (special <= 27 && v.kind() == Kind::kInt && use(Feature::kBitAggregate)) {
    static const std::vector<std::string> kBits = {"bit_and", "bit_or", "bit_xor"};
    return make(call(random_.pick(kBits)), v.bound > 1e6 ? same_as(v) : Value{v.type, limit_of(v.type)});
  }
  if (special <= 31) {
    if (v.kind() == Kind::kInt && v.bound < 1e9 && use(Feature::kUserAggregate))
      return make("kinds.squares(" + x.sql + ")", {Type::kNumeric, v.bound * v.bound * 1e4});
    if (v.kind() == Kind::kText && use(Feature::kUserAggregate)) return make("kinds.longest(" + x.sql + ")", v);
  }
  const int choice = random_.between(15, 100);
  static const std::vector<std::string> kVariances = {"var_pop",    "var_samp",    "variance",
                                                      "stddev_pop", "stddev_samp", "stddev"};
  switch (v.kind()) {
    case Kind::kInt: {
      const bool fits = v.type != Type::kInt8;
      if (choice < 45)
        return make(call("sum"), fits ? Value{Type::kInt8, v.bound * 1e4} : Value{Type::kNumeric, v.bound * 1e4});
      if (choice < 60) return make(call("avg"), {Type::kNumeric, v.bound, 0, false});
      if (choice < 72) return make(call(random_.pick(kVariances)), {Type::kNumeric, v.bound * v.bound, 0, false});
      break;
    }
    case Kind::kNumeric: {
      Value sum = v;
      sum.type = Type::kNumeric;
      sum.bound = v.bound * 1e4;
      sum.canonical = v.type == Type::kNumeric2 && v.canonical;
      if (choice < 45) return make(call("sum"), sum);
      if (choice < 72 && v.settled) {
        Value value{Type::kNumeric, v.bound * v.bound + 1, 0, false};
        value.special = v.special;
        return make(call(choice < 60 ? "avg" : random_.pick(kVariances)), value);
      }
      break;
    }
    case Kind::kFloat: {
      Value sum = v;
      sum.bound = v.bound * 1e4;
      if (choice < 50 && v.fraction_bits < 12 && v.bound < 1e9) return make(call("sum"), sum);
      sum.fraction_bits = 100;
      if (choice < 60 && v.fraction_bits < 12 && v.bound < 1e9) return make(call("avg"), sum);
      break;
    }
    case Kind::kBool:
      return make(call(random_.pick(std::vector<std::string>{"bool_and", "bool_or", "every"})), {Type::kBool});
    case Kind::kRange:
      if (use(Feature::kRangeAggregate)) {
        if (random_.chance(50)) return make(call("range_intersect_agg"), v);
        return make(call("range_agg"), kUnsortable);
      }
      return make(call("count"), kCount);
    case Kind::kPair:
    case Kind::kJson:
    case Kind::kOther:
      return make(call("count"), kCount);
    default:
      break;
  }
  return make(call(random_.chance(50) ? "min" : "max"), same_as(v));
}

}  // namespace pgt::property
