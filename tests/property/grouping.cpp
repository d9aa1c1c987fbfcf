// GROUP BY by columns, expressions, positions, primary keys; GROUPING SETS, ROLLUP, CUBE and GROUPING(); HAVING.
#include <algorithm>

#include "property/generator.h"

namespace pgt::property {

Expression QueryGenerator::grouping_key(const Atoms& atoms, SublinkSource* sublinks) {
  if (random_.chance(72)) return random_.pick(atoms);
  if (context_.on(Feature::kSublinkInGroupKey) && random_.chance(10)) {
    if (const auto scalar = sublinks->scalar_sublink(atoms, random_.pick(atoms).value.kind())) {
      use(Feature::kSublinkInGroupKey);
      return *scalar;
    }
  }
  ExpressionGenerator generator(context_, atoms);
  Expression key = generator.any(1);
  for (int attempt = 0; key.constant && attempt < 5; ++attempt) key = generator.any(1);
  return key.constant ? random_.pick(atoms) : key;
}

/// The GROUP BY clause with sets of keys; a GROUPING() call may join the group.
std::string QueryGenerator::grouping_sets(const Atoms& keys, Atoms& group) {
  auto list = [&](const std::vector<std::size_t>& which) {
    std::string sql = "(";
    for (const std::size_t i : which) sql += (sql.size() == 1 ? "" : ", ") + keys[i].sql;
    return sql + ")";
  };
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < keys.size(); ++i) all.push_back(i);
  std::string sql;
  const std::vector<int> weights = {context_.on(Feature::kGroupingSets) ? 4 : 0, context_.on(Feature::kRollup) ? 3 : 0,
                                    context_.on(Feature::kCube) ? 3 : 0};
  const std::size_t form = random_.weighted(weights);
  if (form == 0) {
    use(Feature::kGroupingSets);
    const int sets = random_.between(1, 4);
    for (int s = 0; s < sets; ++s) {
      std::vector<std::size_t> some;
      for (const std::size_t i : all) {
        if (random_.chance(55)) some.push_back(i);
      }
      sql += (s == 0 ? "GROUPING SETS (" : ", ") +
             (random_.chance(12) && some.size() == all.size() && use(Feature::kRollup) ? "ROLLUP " + list(some)
                                                                                       : list(some));
    }
    // Every key must be in some set, or it could not be selected.
    sql += ", " + list(all) + ")";
  } else if (keys.size() > 1 && random_.chance(35)) {
    use(form == 1 ? Feature::kRollup : Feature::kCube);
    std::vector<std::size_t> rest(all.begin() + 1, all.end());
    sql = keys[0].sql + (form == 1 ? ", ROLLUP " : ", CUBE ") + list(rest);
  } else {
    use(form == 1 ? Feature::kRollup : Feature::kCube);
    sql = (form == 1 ? "ROLLUP " : "CUBE ") + list(all);
  }
  if (random_.chance(60) && use(Feature::kGroupingFunction)) {
    std::vector<std::size_t> some = all;
    random_.shuffle(some);
    some.resize(1 + random_.below(some.size()));
    group.push_back({"GROUPING" + list(some), {Type::kInt4, 8}});
  }
  return (random_.chance(10) ? " GROUP BY DISTINCT " : " GROUP BY ") + sql;
}

QueryGenerator::Grouping QueryGenerator::grouping(const From& scope, const Atoms& atoms, Sublinks rows,
                                                  Sublinks having) {
  Grouping result;
  Atoms keys;
  const std::size_t key_count = random_.weighted({14, 45, 28, 13});
  for (std::size_t i = 0; i < key_count; ++i) keys.push_back(grouping_key(atoms, &rows));
  const bool sets =
      !keys.empty() && random_.chance(14) &&
      (context_.on(Feature::kGroupingSets) || context_.on(Feature::kRollup) || context_.on(Feature::kCube)) &&
      // Of two selected items that are such a key, servers before 18 take one for the key, NULL in the grand total, and
      // compute the other.
      std::none_of(keys.begin(), keys.end(),
                   [](const Expression& key) { return key.sql.find("(SELECT ") != std::string::npos; });
  Atoms dependent;
  if (!sets && random_.chance(12)) {  // by primary key: its table's other columns may be selected
    for (std::size_t i = 0; i < scope.inputs.size(); ++i) {
      if (scope.inputs[i].key.empty() || !dependent.empty()) continue;
      std::size_t at = 0;
      for (const auto& column : scope.columns) {
        if (column.input != i || column.alias.empty()) continue;
        const auto& k = scope.inputs[i].key;
        const std::string name = qualified_name(column);
        const Expression e{name, column.column.value, false, name};
        if (std::find(k.begin(), k.end(), at) != k.end())
          keys.push_back(e);
        else
          dependent.push_back(e);
        ++at;
      }
    }
  }
  for (auto key : keys) {
    if (!key.value.canonical) key.value.settled = false;
    if (key.outer != key.sql) key.outer.clear();
    result.keys.push_back(key);
  }
  result.keys.insert(result.keys.end(), dependent.begin(), dependent.end());
  result.group = result.keys;
  if (sets) {
    result.sql = grouping_sets(keys, result.group);
  } else {
    for (std::size_t i = 0; i < keys.size(); ++i) result.sql += (i == 0 ? " GROUP BY " : ", ") + keys[i].sql;
  }
  const int calls = random_.between(keys.empty() ? 1 : 0, 4);
  for (int i = 0; i < calls; ++i) result.group.push_back(aggregate(atoms, &rows));
  if (random_.chance(22)) {
    use(Feature::kHaving);
    result.sql += " HAVING " + ExpressionGenerator(context_, result.group, &having).predicate(1);
    if (random_.chance(20)) {
      if (const auto predicate = having.sublink_predicate(result.group)) result.sql += " AND " + *predicate;
    }
  }
  return result;
}

void QueryGenerator::grouped_items(const Grouping& grouping, const std::vector<Kind>* kinds, SublinkSource* sublinks,
                                   std::vector<Item>& items) {
  ExpressionGenerator over(context_, grouping.group, sublinks);
  if (kinds != nullptr) {
    for (const Kind kind : *kinds) items.emplace_back(over.of(kind, 1));
    // A query with neither key nor aggregate would not be grouped at all, which is fine here.
    return;
  }
  for (std::size_t i = 0; i < grouping.group.size(); ++i) {
    if (i < grouping.keys.size() ? random_.chance(85) : random_.chance(92)) items.emplace_back(grouping.group[i]);
  }
  if (random_.chance(30)) items.emplace_back(over.any(2));
  if (random_.chance(5)) items.emplace_back(Expression{"7", {Type::kInt4, 7}, true});
  if (items.empty() && !grouping.group.empty()) items.emplace_back(grouping.group.front());
  if (grouping.keys.empty()) items.emplace_back(Expression{"count(*)", {Type::kInt8, 1e6}});
}

}  // namespace pgt::property
