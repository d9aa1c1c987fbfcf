// What makes rows without being a table: functions in FROM, which may look at what stands left of them, VALUES, and
// set-returning functions in the select list.
#include <algorithm>

#include "property/generator.h"

namespace pgt::property {

/// A function call as a FROM item; its arguments are made of `left`. Empty if no such feature is on.
From QueryGenerator::function_item(const Atoms& left) {
  ExpressionGenerator generator(context_, left);
  Column column{"v", {Type::kInt4, 10}};
  std::string call;
  switch (random_.below(5)) {
    case 0:
    case 1:
      if (!use(Feature::kGenerateSeries)) return {};
      {
        const Expression n = generator.leaf(Kind::kInt);
        call = "generate_series(" + std::string(random_.chance(80) ? "1" : "0") + ", (" + n.sql + " % 4)::int4)";
      }
      break;
    case 2:
      if (!use(Feature::kUnnest)) return {};
      call = "unnest(" + generator.of(Kind::kArray, 1).sql + ")";
      column.value.bound = 2e9;
      break;
    case 3: {
      if (!use(Feature::kJsonElements)) return {};
      const Expression j = generator.leaf(Kind::kJson);
      const bool text = random_.chance(50);
      call = std::string("jsonb_array_elements") + (text ? "_text" : "") + "(CASE WHEN jsonb_typeof(" + j.sql +
             ") = 'array' THEN " + j.sql + " END)";
      column.value = {text ? Type::kText : Type::kJsonb};
      column.value.special = true;
      break;
    }
    default:
      if (!use(Feature::kSplitText)) return {};
      call = random_.chance(50) ? "string_to_table(" + generator.leaf(Kind::kText).sql + ", 'b')"
                                : "regexp_split_to_table(" + generator.leaf(Kind::kText).sql + ", '')";
      column.value = {Type::kText};
      break;
  }
  From from;
  const std::string name = alias();
  Relation relation;
  relation.columns.push_back(column);
  std::string with;
  if (chance(Feature::kOrdinality, 30)) {
    relation.columns.push_back({"nr", {Type::kInt8, 1000}});
    with = " WITH ORDINALITY";
  }
  from.sql = call + with + " AS " + quoted(name) + column_list(relation.columns);
  relation.rows = 0;  // not to be used again: it refers to its neighbours
  relation.sql = "(";
  from.inputs.push_back(relation);
  for (const auto& c : relation.columns) from.columns.push_back({name, c, false, 0});
  from.rows = 3;
  return from;
}

/// VALUES of the outer row, one below the other.
Relation QueryGenerator::unpivoted(const Atoms& left) {
  const Expression& first = random_.pick(left);
  Relation relation;
  relation.sql = "(VALUES (1, " + first.outer + ")";
  Value value = first.value;
  for (const auto& other : left) {
    if (other.outer == first.outer || other.value.type != first.value.type || random_.chance(50)) continue;
    relation.sql += ", (2, " + other.outer + ")";
    value = unified(value, other.value);
  }
  relation.sql += random_.chance(30) ? ", (3, NULL))" : ")";
  relation.columns = {{"v", {Type::kInt4, 3}}, {"v", value}};
  return relation;
}

/// The rows of an inner table, or what is made of them.
Relation QueryGenerator::correlated(const Atoms& left, int depth, const Sources& sources) {
  const InnerScope scope = inner_scope(left, sources, std::max(depth - 1, 0));
  const std::string from = " FROM " + scope.from.sql + scope.where;
  Relation relation;
  relation.sql = "(SELECT ";
  if (random_.chance(40)) {
    const Expression& key = random_.pick(scope.atoms);
    const bool grouped = !key.constant && comparable(key.value, key.value) && random_.chance(30);
    if (grouped) {
      relation.sql += key.sql;
      relation.columns.push_back({"v", key.value});
      unsettle(relation.columns);
    }
    for (int i = random_.between(1, 2); i > 0; --i) {
      const Expression call = aggregate(scope.atoms);
      relation.sql += (relation.columns.empty() ? "" : ", ") + call.sql;
      relation.columns.push_back({"v", call.value});
    }
    relation.sql += from + (grouped ? " GROUP BY " + key.sql : "");
  } else {
    for (int i = random_.between(1, 3); i > 0; --i) {
      const Expression& atom = random_.pick(scope.atoms);
      relation.sql += (relation.columns.empty() ? "" : ", ") + atom.sql;
      relation.columns.push_back({"v", atom.value});
    }
    relation.sql += from;
    if (random_.chance(40) && use(Feature::kInnerLimit)) {
      rename(relation.columns, "v");
      relation.sql += " ORDER BY ";
      for (std::size_t i = 0; i < relation.columns.size(); ++i)
        relation.sql += (i == 0 ? "" : ", ") + std::to_string(i + 1) + direction();
      relation.sql += " LIMIT " + std::to_string(random_.between(1, 2));
      unsettle(relation.columns);
    }
  }
  relation.sql += ")";
  return relation;
}

/// A subquery that is evaluated for every row of what stands left of it.
From QueryGenerator::lateral_subquery(const Atoms& left, int depth, const Sources& sources) {
  Relation relation = !left.empty() && random_.chance(15) ? unpivoted(left) : correlated(left, depth, sources);
  rename(relation.columns, "v");
  const std::string name = alias();
  From result;
  result.sql = relation.sql + " AS " + quoted(name) + column_list(relation.columns);
  for (const auto& column : relation.columns) result.columns.push_back({name, column, false, 0});
  relation.sql = "(";  // not to be used again: it refers to its neighbours
  result.inputs.push_back(relation);
  result.rows = 3;
  return result;
}

From QueryGenerator::function_join(From left, int depth, const Sources& sources) {
  Atoms atoms;
  for (const auto& atom : atoms_of(left.columns, false)) {
    if (!atom.outer.empty()) atoms.push_back(atom);
  }
  const bool subquery = inputs_left_ > 0 && chance(Feature::kLateralSubquery, 30);
  From function = subquery ? lateral_subquery(atoms, depth, sources) : function_item(atoms);
  if (function.sql.empty()) return left;
  // What binds more loosely than a join by keyword, a list with commas, only lets its last member join.
  const int how = left.listed ? 0 : random_.between(0, 4);
  const std::string lateral = subquery || random_.chance(50) ? "LATERAL " : "";
  if (how >= 3 && use(Feature::kFunctionLeftJoin)) {
    left.sql += " LEFT JOIN " + lateral + function.sql + " ON ";
    if (random_.chance(70)) {
      left.sql += "true";
    } else {
      auto all = left.columns;
      all.insert(all.end(), function.columns.begin(), function.columns.end());
      left.sql += ExpressionGenerator(context_, atoms_of(all, false)).predicate(1);
    }
  } else if (how == 2) {
    left.sql += " JOIN " + lateral + function.sql + " ON true";
  } else if (how == 1) {
    left.sql += " CROSS JOIN " + lateral + function.sql;
  } else {
    left.sql += ", " + lateral + function.sql;
  }
  for (auto column : function.columns) {
    column.input += left.inputs.size();
    left.columns.push_back(std::move(column));
  }
  left.inputs.push_back(function.inputs.front());
  left.rows *= 3;
  left.join = true;
  return left;
}

std::string QueryGenerator::values_of(const std::vector<Kind>& kinds, int rows) {
  const Atoms none;
  ExpressionGenerator generator(context_, none);
  std::string sql = "VALUES ";
  for (int row = 0; row < rows; ++row) {
    sql += row == 0 ? "(" : ", (";
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      const Expression value = generator.leaf(kinds[i]);
      // The first row decides the types, so NULL comes later.
      sql += (i == 0 ? "" : ", ") + (row > 0 && random_.chance(20) ? "NULL" : value.sql);
    }
    sql += ")";
  }
  return sql;
}

Relation QueryGenerator::values_relation() {
  static const std::vector<Kind> kKinds = {Kind::kInt, Kind::kText, Kind::kNumeric, Kind::kBool, Kind::kDate};
  std::vector<Kind> kinds = {Kind::kInt};
  if (random_.chance(60)) kinds.push_back(random_.pick(kKinds));
  Relation relation;
  relation.sql = "(" + values_of(kinds, random_.between(1, 4)) + ")";
  const Atoms none;
  ExpressionGenerator generator(context_, none);
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    Value value = generator.leaf(kinds[i]).value;
    value.canonical = kinds[i] != Kind::kNumeric;
    relation.columns.push_back({"column" + std::to_string(i + 1), value});
  }
  relation.rows = 3;
  return relation;
}

/// A set-returning function as an item of the select list.
Expression QueryGenerator::set_returning(const Atoms& atoms) {
  ExpressionGenerator generator(context_, atoms);
  switch (random_.below(4)) {
    case 0:
      return {"generate_series(1, (" + generator.leaf(Kind::kInt).sql + " % 3)::int4)", {Type::kInt4, 4}};
    case 1:
      return {"unnest(" + generator.of(Kind::kArray, 1).sql + ")", {Type::kInt4, 2e9}};
    case 2:
      return {"string_to_table(" + generator.leaf(Kind::kText).sql + ", 'b')", {Type::kText}};
    default:
      return {"generate_series(0, 1) + 1", {Type::kInt4, 3}};
  }
}

}  // namespace pgt::property
