#include "property/query.h"

#include <algorithm>
#include <set>

#include "property/generator.h"

namespace pgt::property {

std::string qualified_name(const ScopeColumn& column) {
  return (column.alias.empty() ? "" : quoted(column.alias) + ".") + quoted(column.column.name);
}

std::string column_list(const std::vector<Column>& columns) {
  std::string sql = "(";
  for (const auto& column : columns) sql += (sql.size() == 1 ? "" : ", ") + quoted(column.name);
  return sql + ")";
}

std::string conjunction(const std::vector<std::string>& conditions) {
  std::string sql;
  for (const auto& condition : conditions) sql += (sql.empty() ? "" : " AND ") + condition;
  return sql;
}

void rename(std::vector<Column>& columns, const std::string& prefix) {
  for (std::size_t i = 0; i < columns.size(); ++i) columns[i].name = prefix + std::to_string(i + 1);
}

void unsettle(std::vector<Column>& columns) {
  for (auto& column : columns) {
    if (!column.value.canonical) column.value.settled = false;
  }
}

Query QueryGenerator::query(int depth, std::vector<Relation> sources, const std::vector<Kind>* kinds) {
  const std::string with = with_clause(depth, sources);
  const bool united = random_.chance(depth == kTop ? 22 : 14);
  Query result = united ? set_operation(depth, sources, kinds) : select(depth, sources, kinds);
  if (united) limit(result, depth == kTop, {});
  if (depth == kTop && !result.compound && random_.chance(4)) {
    result.sql += " ORDER BY 1";
    result.compound = true;
  }
  result.sql = with + result.sql;
  result.compound = result.compound || !with.empty();
  for (int i = 1; !with.empty() && i <= names_; ++i) {
    const std::string name = quoted("cte" + std::to_string(i)) + " ";
    std::size_t uses = 0;
    for (auto at = result.sql.find(name); at != std::string::npos; at = result.sql.find(name, at + 1)) ++uses;
    if (uses > 2) use(Feature::kCteShared);  // once in its definition
  }
  return result;
}

Query QueryGenerator::select(int depth, const Sources& sources, const std::vector<Kind>* kinds) {
  if (random_.chance(2) && use(Feature::kNoFrom)) {
    Query constant;
    const Atoms none;
    ExpressionGenerator values(context_, none);
    std::vector<Item> items;
    const std::vector<Kind> any = {Kind::kInt, Kind::kText};
    for (const Kind kind : kinds == nullptr ? any : *kinds) items.emplace_back(values.of(kind, 1));
    constant.sql = "SELECT " + select_list(items, false, constant.columns);
    constant.rows = 1;
    return constant;
  }
  const From scope = from(depth, sources, depth == kTop ? 5 : 3);
  const auto atoms = atoms_of(scope.columns, true);
  const int below = depth - 1;
  Sublinks under_or(*this, sources, below, Feature::kSublinkUnderOr, scope.rows);
  Sublinks in_list(*this, sources, below, Feature::kSublinkInSelect, scope.rows);
  ExpressionGenerator conditions(context_, atoms, &under_or);
  ExpressionGenerator rows(context_, atoms, &in_list);

  std::vector<std::string> where = scope.conditions;
  if (scope.rows < 800 && random_.chance(scope.inputs.size() == 1 ? 30 : 20)) {
    Sublinks top(*this, sources, below, Feature::kSublinkTop, scope.rows);
    for (int i = random_.chance(80) ? 1 : 2; i > 0; --i) {
      if (const auto predicate = top.sublink_predicate(atoms)) where.push_back(*predicate);
    }
  }
  if (random_.chance(scope.inputs.size() == 1 ? 40 : 24)) {
    use(Feature::kFilter);
    where.push_back(conditions.predicate(2));
  }
  random_.shuffle(where);

  std::vector<Item> items;
  Query result;
  std::string tail;
  const bool grouped = random_.chance(44);
  bool set_returning_items = false;
  Atoms sortable;
  result.rows = scope.rows;
  if (grouped) {
    use(Feature::kGroupBy);
    const Sublinks in_having(*this, sources, below, Feature::kSublinkInHaving, 40);
    Sublinks over_groups(*this, sources, below, Feature::kSublinkInSelect, 40);
    // Below the aggregation every row has its own: only with a switch of its own.
    const Sublinks in_rows(*this, sources, below, Feature::kSublinkInAggregate, scope.rows);
    const Grouping grouped_by = grouping(scope, atoms, in_rows, in_having);
    grouped_items(grouped_by, kinds, &over_groups, items);
    tail = grouped_by.sql;
    result.rows = grouped_by.keys.empty() ? 1 : std::min(scope.rows, grouped_by.keys.size() == 1 ? 8.0 : 40.0);
    sortable = grouped_by.group;
    if (kinds == nullptr && chance(Feature::kWindow, 6)) items.emplace_back(window(grouped_by.group, true));
  } else {
    plain_items(scope, rows, kinds, items);
    if (kinds == nullptr && scope.rows < 500 && chance(Feature::kSetReturningItem, 6)) {
      set_returning_items = true;
      items.emplace_back(set_returning(atoms));
      if (random_.chance(25)) items.emplace_back(set_returning(atoms));
      result.rows *= 2;
    }
    if (kinds == nullptr && scope.rows < 800 && chance(Feature::kWindow, 8)) {
      // Of several equal rows it is open which one is numbered how, so only one column may number them.
      for (int i = random_.chance(70) ? 1 : 2; i > 0; --i) items.emplace_back(window(atoms, i == 1));
    }
    sortable = atoms;
  }
  const int kind = random_.between(1, 100);
  const bool distinct_rows = kind <= 11;
  const bool may_limit = !set_returning_items || (random_.chance(30) && use(Feature::kSetReturningLimited));
  const bool distinct_some = !distinct_rows && kind <= 17 && may_limit && use(Feature::kDistinctOn);
  std::string list = select_list(items, distinct_rows, result.columns);
  std::string order;
  if (distinct_rows) {
    use(Feature::kDistinct);
    list = "DISTINCT " + list;
    result.rows = std::min(result.rows, 60.0);
    sortable.clear();
  } else if (distinct_some) {
    list = distinct_on(result.columns, order) + list;
    result.rows = std::min(result.rows, 20.0);
  }
  result.sql = "SELECT " + list + " FROM " + scope.sql;
  if (!where.empty()) result.sql += " WHERE " + conjunction(where);
  result.sql += tail + order;
  result.rows = std::max(result.rows, 1.0);
  if (distinct_some)
    result.compound = true;
  else if (may_limit)
    limit(result, depth == kTop, sortable);
  return result;
}

std::string QueryGenerator::select_list(const std::vector<Item>& items, bool distinct, std::vector<Column>& columns) {
  std::string sql;
  std::set<std::string> used;
  for (const auto& item : items) {
    std::string column = item.name;
    std::string as;
    if (column.empty() || used.count(column) != 0 || random_.chance(40)) {
      static const std::vector<std::string> kOdd = {"w",        "run",   "n",      "xid",  "seq",   "was",   "now",
                                                    "changed",  "v",     "A b",    "q\"x", "ö",     "old_n", "g",
                                                    "affected", "new_v", "select", "d",    "old_w", "m",     "key",
                                                    "ctid_",    "l",     "o",      "hash", "delta", "state", "s"};
      column = random_.chance(15) ? random_.pick(kOdd) : "c" + std::to_string(columns.size() + 1);
      for (std::size_t n = columns.size() + 1; used.count(column) != 0; ++n) column = "col" + std::to_string(n);
      as = " AS " + quoted(column);
    }
    used.insert(column);
    sql += (columns.empty() ? "" : ", ") + item.expression.sql + as;
    columns.push_back({column, item.expression.value});
  }
  if (distinct) unsettle(columns);
  return sql;
}

void QueryGenerator::plain_items(const From& scope, ExpressionGenerator& rows, const std::vector<Kind>* kinds,
                                 std::vector<Item>& items) {
  if (kinds != nullptr) {
    for (const Kind kind : *kinds) items.emplace_back(rows.of(kind, 1));
    return;
  }
  const int count = random_.between(1, 6);
  std::vector<ScopeColumn> columns;
  std::copy_if(scope.columns.begin(), scope.columns.end(), std::back_inserter(columns),
               [&](const ScopeColumn& column) { return usable(column, scope.columns); });
  for (int i = 0; i < count; ++i) {
    if (random_.chance(65)) {
      const auto& column = random_.pick(columns);
      if (column.column.domain) use(Feature::kDomain);
      items.emplace_back(Expression{qualified_name(column), column.column.value}, column.column.name);
    } else {
      items.emplace_back(rows.any(2));
    }
  }
  if (random_.chance(5)) items.push_back(items.front());
  if (random_.chance(5)) items.emplace_back(Expression{"NULL::text", {Type::kText}, true});
}

Query random_query(Random& random, const Switches& switches, const std::vector<Relation>& sources) {
  Context context{random, switches};
  const int inputs = 2 + static_cast<int>(random.weighted({10, 20, 25, 20, 15, 10}));
  QueryGenerator generator(context, inputs);
  Query query = generator.query(QueryGenerator::kTop, sources);
  query.weight = std::max(1, inputs - generator.inputs_left());
  query.features = context.used;
  for (const auto& column : query.columns) {
    if (column.value.kind() == Kind::kEnum) query.features.set(static_cast<std::size_t>(Feature::kEnum));
  }
  return query;
}

}  // namespace pgt::property
