// UNION, INTERSECT and EXCEPT, each with and without ALL; nested in both arms; of types that have to be unified.
#include <algorithm>

#include "property/generator.h"

namespace pgt::property {

Query QueryGenerator::branch(int depth, const Sources& sources, const std::vector<Kind>& kinds) {
  if (random_.chance(6) && use(Feature::kValues)) {
    Query values;
    values.sql = values_of(kinds, random_.between(1, 3));
    const Atoms none;
    ExpressionGenerator typed(context_, none);
    for (const Kind kind : kinds) values.columns.push_back({"column1", typed.leaf(kind).value});
    for (auto& column : values.columns) column.value.canonical = column.value.kind() != Kind::kNumeric;
    values.rows = 3;
    return values;
  }
  if (depth > 0 && random_.chance(15) && use(Feature::kSetNested)) {
    Query nested = set_operation(depth - 1, sources, &kinds);
    nested.compound = true;
    return nested;
  }
  std::vector<Kind> of = kinds;
  bool changed = false;
  for (auto& kind : of) {
    if (kind == Kind::kInt && random_.chance(10) && context_.on(Feature::kSetUnify)) {
      kind = Kind::kNumeric;
      changed = true;
    }
  }
  if (changed) use(Feature::kSetUnify);
  return select(depth, sources, &of);
}

Query QueryGenerator::set_operation(int depth, const Sources& sources, const std::vector<Kind>* kinds) {
  Query left = select(depth, sources, kinds);
  std::vector<Kind> of;
  for (const auto& column : left.columns) of.push_back(column.value.kind());
  if (std::find(of.begin(), of.end(), Kind::kOther) != of.end()) return left;
  if (left.compound) left.sql = "(" + left.sql + ")";
  const int branches = random_.chance(72) ? 1 : 2;
  bool compound = false;
  for (int i = 0; i < branches; ++i) {
    const Query right = branch(depth, sources, of);
    struct Operator {
      const char* sql;
      Feature feature;
      int weight;
      bool bag;  // keeps all rows of both sides
    };
    static const std::vector<Operator> kOperators = {
        {"UNION ALL", Feature::kUnionAll, 40, true},   {"UNION", Feature::kUnion, 20, false},
        {"INTERSECT", Feature::kIntersect, 10, false}, {"INTERSECT ALL", Feature::kIntersectAll, 9, false},
        {"EXCEPT", Feature::kExcept, 12, false},       {"EXCEPT ALL", Feature::kExceptAll, 11, false}};
    std::vector<int> weights;
    for (const auto& op : kOperators) weights.push_back(context_.on(op.feature) ? op.weight : 0);
    const Operator& op = kOperators[random_.weighted(weights)];
    use(op.feature);
    for (std::size_t c = 0; c < left.columns.size(); ++c)
      left.columns[c].value = unified(left.columns[c].value, right.columns[c].value);
    if (!op.bag) unsettle(left.columns);
    if (compound && random_.chance(40)) left.sql = "(" + left.sql + ")";
    left.sql += std::string(" ") + op.sql + " " + (right.compound ? "(" + right.sql + ")" : right.sql);
    left.rows += right.rows;
    compound = true;
  }
  left.compound = false;  // may still be ordered
  return left;
}

}  // namespace pgt::property
