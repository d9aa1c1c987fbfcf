#include "property/query.h"

#include <algorithm>
#include <optional>
#include <set>

#include "property/expression.h"

namespace pgt::property {
namespace {

constexpr double kMaxRows = 2500;  // estimate, of a FROM clause

struct ScopeColumn {
  std::string alias;
  Column column;
  bool hidden = false;  // merged away by USING or NATURAL
  std::size_t input = 0;
};

struct From {
  std::string sql;
  std::vector<std::string> conditions;
  std::vector<ScopeColumn> columns;
  std::vector<Relation> inputs;
  std::vector<std::string> aliases;
  double rows = 1;
};

bool comparable(const Value& left, const Value& right) {
  const Kind l = left.kind();
  const Kind r = right.kind();
  if (l == Kind::kOther || l == Kind::kJson) return false;
  return l == r || (l == Kind::kInt && r == Kind::kNumeric) || (l == Kind::kNumeric && r == Kind::kInt);
}

class QueryGenerator {
 public:
  explicit QueryGenerator(Random& random) : random_(random) {}

  Query query(int depth, std::vector<Relation> sources) {
    std::string with;
    if (depth > 0 && random_.chance(depth == kTop ? 22 : 6)) {
      const int count = random_.chance(65) ? 1 : 2;
      for (int i = 0; i < count; ++i) {
        Query cte = query(depth - 1, sources);
        // Sometimes under the name of something else that is in scope.
        std::string name = random_.chance(90) ? "cte" + std::to_string(++names_) : random_.chance(50) ? "w" : "t1";
        if (with.find("\"" + name + "\"") != std::string::npos) name = "cte" + std::to_string(++names_);
        with += (with.empty() ? "WITH " : ", ") + quoted(name);
        if (random_.chance(20)) {
          rename(cte.columns, "x");
          with += column_list(cte.columns);
        }
        if (random_.chance(15))
          with += random_.chance(50) ? " AS MATERIALIZED (" : " AS NOT MATERIALIZED (";
        else
          with += " AS (";
        with += cte.sql + ")";
        const Relation relation{quoted(name), cte.columns, {}, cte.rows};
        for (int copy = 0; copy < 3; ++copy) sources.push_back(relation);
      }
      with += " ";
    }
    Query result = select(depth, sources, nullptr);
    if (random_.chance(14)) {
      std::vector<Kind> kinds;
      for (const auto& c : result.columns) kinds.push_back(c.value.kind());
      if (std::find(kinds.begin(), kinds.end(), Kind::kOther) == kinds.end()) {
        const int branches = random_.chance(75) ? 1 : 2;
        for (int i = 0; i < branches; ++i) unite(result, select(depth, sources, &kinds));
      }
    }
    if (depth == kTop && random_.chance(4)) result.sql += " ORDER BY 1";
    result.sql = with + result.sql;
    return result;
  }

  static constexpr int kTop = 2;

 private:
  static std::string column_list(const std::vector<Column>& columns) {
    std::string sql = "(";
    for (const auto& column : columns) sql += (sql.size() == 1 ? "" : ", ") + quoted(column.name);
    return sql + ")";
  }

  static void rename(std::vector<Column>& columns, const std::string& prefix) {
    for (std::size_t i = 0; i < columns.size(); ++i) columns[i].name = prefix + std::to_string(i + 1);
  }

  static void unite(Query& left, const Query& right) {
    left.sql += " UNION ALL " + right.sql;
    left.rows += right.rows;
    for (std::size_t i = 0; i < left.columns.size(); ++i) {
      Value& l = left.columns[i].value;
      const Value& r = right.columns[i].value;
      l.canonical = l.canonical && r.canonical && l.type == r.type;
      l.type = std::max(l.type, r.type);
      l.bound = std::max(l.bound, r.bound);
      l.fraction_bits = std::max(l.fraction_bits, r.fraction_bits);
      l.settled = l.settled && r.settled;
      l.special = l.special || r.special;
    }
  }

  // FROM --------------------------------------------------------------------------------------------------------------

  Relation input(int depth, const std::vector<Relation>& sources, const std::vector<Relation>& already) {
    if (!already.empty() && random_.chance(18)) return random_.pick(already);
    if (depth > 0 && random_.chance(24)) {
      const Query sub = query(depth - 1, sources);
      return {"(" + sub.sql + ")", sub.columns, {}, sub.rows};
    }
    return random_.pick(sources);
  }

  From from(int depth, const std::vector<Relation>& sources) {
    From result;
    const std::size_t count =
        1 + random_.weighted(depth == kTop ? std::vector<int>{38, 36, 15, 7, 4} : std::vector<int>{70, 25, 5});
    bool commas = random_.chance(30);
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0 && result.rows > kMaxRows / 4) break;
      Relation relation = input(depth, sources, result.inputs);
      const Relation original = relation;
      static const std::vector<std::string> kAliases = {"a", "b", "c", "d", "e"};
      static const std::vector<std::string> kOddAliases = {"w", "l", "A b", "m", "s", "i", "a1", "a2", "delta", "o"};
      std::string alias = kAliases[i];
      if (random_.chance(8)) alias = random_.pick(kOddAliases);
      if (std::find(result.aliases.begin(), result.aliases.end(), alias) != result.aliases.end())
        alias = "r" + std::to_string(i);
      std::string sql = relation.sql + " AS " + quoted(alias);
      if (random_.chance(5)) {
        rename(relation.columns, "y");
        sql += column_list(relation.columns);
      }
      std::vector<ScopeColumn> columns;
      for (const auto& column : relation.columns) columns.push_back({alias, column, false, i});
      if (i == 0) {
        result.sql = sql;
        result.rows = relation.rows;
      } else {
        add(result, sql, columns, relation.rows, commas);
      }
      result.columns.insert(result.columns.end(), columns.begin(), columns.end());
      result.aliases.push_back(alias);
      result.inputs.push_back(original);
    }
    return result;
  }

  static std::string name(const ScopeColumn& column) { return quoted(column.alias) + "." + quoted(column.column.name); }

  static int visible(const std::vector<ScopeColumn>& columns, const std::string& name) {
    return static_cast<int>(std::count_if(columns.begin(), columns.end(),
                                          [&](const ScopeColumn& c) { return !c.hidden && c.column.name == name; }));
  }

  void add(From& left, const std::string& sql, std::vector<ScopeColumn>& right, double rows, bool& commas) {
    const double product = left.rows * std::max(rows, 1.0);
    std::vector<std::string> common;
    bool natural = true;
    for (const auto& column : right) {
      const int there = visible(left.columns, column.column.name);
      if (there == 0) continue;
      const auto other = std::find_if(left.columns.begin(), left.columns.end(), [&](const ScopeColumn& c) {
        return !c.hidden && c.column.name == column.column.name;
      });
      const bool fits =
          there == 1 && visible(right, column.column.name) == 1 && comparable(column.column.value, other->column.value);
      if (fits) common.push_back(column.column.name);
      natural = natural && fits;
    }
    if (!commas && !common.empty() && random_.chance(30)) {
      double selectivity = 1;
      if (natural && random_.chance(35)) {
        left.sql += " NATURAL JOIN " + sql;
      } else {
        random_.shuffle(common);
        common.resize(std::min(common.size(), static_cast<std::size_t>(random_.chance(75) ? 1 : 2)));
        left.sql += " JOIN " + sql + " USING (";
        for (std::size_t i = 0; i < common.size(); ++i) left.sql += (i == 0 ? "" : ", ") + quoted(common[i]);
        left.sql += ")";
      }
      for (auto& column : right) {
        if (std::find(common.begin(), common.end(), column.column.name) == common.end()) continue;
        column.hidden = true;
        selectivity *= column.column.value.kind() == Kind::kBool ? 0.4 : 0.12;
      }
      left.rows = product * selectivity;
      return;
    }
    // Equalities between the sides.
    std::vector<std::string> equalities;
    for (const auto& l : left.columns) {
      for (const auto& r : right) {
        if (!comparable(l.column.value, r.column.value) || l.column.value.kind() == Kind::kBool) continue;
        const int weight = l.column.name == r.column.name ? 3 : 1;
        for (int i = 0; i < weight; ++i) {
          if (l.column.value.kind() == Kind::kInt && l.column.value.bound < 1e6 && random_.chance(10)) {
            equalities.push_back(name(l) + " + 1 = " + name(r));
          } else if (random_.chance(8)) {
            equalities.push_back(name(l) + " IS NOT DISTINCT FROM " + name(r));
          } else {
            equalities.push_back(random_.chance(50) ? name(l) + " = " + name(r) : name(r) + " = " + name(l));
          }
        }
      }
    }
    std::vector<std::string> conditions;
    const bool cross = product <= 500 && random_.chance(10);
    double selected = product;
    if (!cross && !equalities.empty()) {
      conditions.push_back(random_.pick(equalities));
      selected *= 0.12;
      if (selected > kMaxRows / 2 || random_.chance(12)) {
        conditions.push_back(random_.pick(equalities));
        selected *= 0.3;
      }
    }
    if (conditions.empty() || random_.chance(15)) {
      auto all = left.columns;
      all.insert(all.end(), right.begin(), right.end());
      const auto atoms = atoms_of(all, false);
      if (!cross || random_.chance(30)) conditions.push_back(ExpressionGenerator(random_, atoms).predicate(1));
      selected *= 0.6;
    }
    left.rows = selected;
    commas = commas || random_.chance(12);
    if (commas) {
      left.sql += ", " + sql;
      left.conditions.insert(left.conditions.end(), conditions.begin(), conditions.end());
    } else if (conditions.empty()) {
      left.sql += " CROSS JOIN " + sql;
    } else {
      left.sql += (random_.chance(50) ? " JOIN " : " INNER JOIN ") + sql + " ON " + conjunction(conditions);
    }
  }

  static std::string conjunction(const std::vector<std::string>& conditions) {
    std::string sql;
    for (const auto& condition : conditions) sql += (sql.empty() ? "" : " AND ") + condition;
    return sql;
  }

  /// Column references; sometimes without the alias where that is unambiguous.
  std::vector<Expression> atoms_of(const std::vector<ScopeColumn>& columns, bool bare_allowed = true) {
    std::vector<Expression> atoms;
    const bool bare = bare_allowed && random_.chance(25);
    for (const auto& column : columns) {
      const bool unique = !column.hidden && visible(columns, column.column.name) == 1;
      atoms.push_back({bare && unique ? quoted(column.column.name) : name(column), column.column.value, false});
    }
    return atoms;
  }

  // SELECT ------------------------------------------------------------------------------------------------------------

  struct Item {
    Expression expression;
    std::string name;  // without AS it would get this name; empty: none

    explicit Item(Expression e, std::string n = {}) : expression(std::move(e)), name(std::move(n)) {}
  };

  Query select(int depth, const std::vector<Relation>& sources, const std::vector<Kind>* kinds) {
    From scope = from(depth, sources);
    const auto atoms = atoms_of(scope.columns);
    ExpressionGenerator rows(random_, atoms);
    std::string where = conjunction(scope.conditions);
    if (random_.chance(scope.inputs.size() == 1 ? 40 : 22)) where += (where.empty() ? "" : " AND ") + rows.predicate(2);

    std::vector<Item> items;
    std::string tail;
    double count = scope.rows;
    const bool grouped = random_.chance(46);
    if (grouped) {
      grouped_items(scope, atoms, kinds, items, tail, count);
    } else {
      plain_items(scope, rows, kinds, items);
    }
    const bool distinct = random_.chance(12);
    Query result;
    result.sql = distinct ? "SELECT DISTINCT " : "SELECT ";
    if (distinct) count = std::min(count, 60.0);
    std::set<std::string> used;
    for (std::size_t i = 0; i < items.size(); ++i) {
      std::string column = items[i].name;
      std::string as;
      if (column.empty() || used.count(column) != 0 || random_.chance(40)) {
        static const std::vector<std::string> kOdd = {"w",       "run",   "n",      "xid",  "seq",   "was",   "now",
                                                      "changed", "v",     "A b",    "q\"x", "ö",     "old_n", "g",
                                                      "touched", "new_v", "select", "d",    "old_w", "m",     "key",
                                                      "ctid_",   "l",     "o",      "hash", "delta", "state", "s"};
        column = random_.chance(15) ? random_.pick(kOdd) : "c" + std::to_string(i + 1);
        if (used.count(column) != 0) column = "col" + std::to_string(i + 1);
        as = " AS " + quoted(column);
      }
      used.insert(column);
      result.sql += (i == 0 ? "" : ", ") + items[i].expression.sql + as;
      Value value = items[i].expression.value;
      if (distinct && !value.canonical) value.settled = false;
      result.columns.push_back({column, value});
    }
    result.sql += " FROM " + scope.sql;
    if (!where.empty()) result.sql += " WHERE " + where;
    result.sql += tail;
    result.rows = std::max(count, 1.0);
    return result;
  }

  void plain_items(const From& scope, ExpressionGenerator& rows, const std::vector<Kind>* kinds,
                   std::vector<Item>& items) {
    if (kinds != nullptr) {
      for (const Kind kind : *kinds) items.emplace_back(rows.of(kind, 1));
      return;
    }
    const int count = random_.between(1, 6);
    for (int i = 0; i < count; ++i) {
      if (random_.chance(65)) {
        const auto& column = random_.pick(scope.columns);
        items.emplace_back(Expression{name(column), column.column.value, false}, column.column.name);
      } else {
        items.emplace_back(rows.any(2));
      }
    }
    if (random_.chance(5)) items.push_back(items.front());
    if (random_.chance(5)) items.emplace_back(Expression{"NULL::text", {Type::kText}, true});
  }

  Expression grouping_key(const From& scope, const std::vector<Expression>& atoms) {
    if (random_.chance(72)) return random_.pick(atoms);
    ExpressionGenerator generator(random_, atoms);
    Expression key = generator.any(1);
    for (int attempt = 0; key.constant && attempt < 5; ++attempt) key = generator.any(1);
    static_cast<void>(scope);
    return key.constant ? random_.pick(atoms) : key;
  }

  void grouped_items(const From& scope, const std::vector<Expression>& atoms, const std::vector<Kind>* kinds,
                     std::vector<Item>& items, std::string& tail, double& count) {
    std::vector<Expression> keys;
    const std::size_t key_count = random_.weighted({14, 45, 28, 13});
    for (std::size_t i = 0; i < key_count; ++i) keys.push_back(grouping_key(scope, atoms));
    std::vector<Expression> dependent;
    if (random_.chance(12)) {  // by primary key: its table's other columns may be selected
      for (std::size_t i = 0; i < scope.inputs.size(); ++i) {
        if (scope.inputs[i].key.empty() || !dependent.empty()) continue;
        std::size_t at = 0;
        for (std::size_t c = 0; c < scope.columns.size(); ++c) {
          if (scope.columns[c].input != i) continue;
          const auto& k = scope.inputs[i].key;
          const Expression e{name(scope.columns[c]), scope.columns[c].column.value, false};
          if (std::find(k.begin(), k.end(), at) != k.end())
            keys.push_back(e);
          else
            dependent.push_back(e);
          ++at;
        }
      }
    }
    std::vector<Expression> group;
    for (auto key : keys) {
      if (!key.value.canonical) key.value.settled = false;
      group.push_back(key);
    }
    for (const auto& e : dependent) group.push_back(e);
    const std::size_t keys_end = group.size();
    const int calls = random_.between(keys.empty() ? 1 : 0, 4);
    for (int i = 0; i < calls; ++i) group.push_back(aggregate(atoms));
    if (keys.empty())
      count = 1;
    else
      count = std::min(count, keys.size() == 1 ? 8.0 : 40.0);

    ExpressionGenerator over(random_, group);
    std::vector<std::string> by;
    for (const auto& key : keys) by.push_back(key.sql);
    if (kinds != nullptr) {
      for (const Kind kind : *kinds) items.emplace_back(over.of(kind, 1));
    } else {
      for (std::size_t i = 0; i < group.size(); ++i) {
        if (i < keys_end ? random_.chance(85) : random_.chance(92)) {
          items.emplace_back(group[i]);
          if (i < by.size() && random_.chance(12)) by[i] = std::to_string(items.size());
        }
      }
      if (random_.chance(30)) items.emplace_back(over.any(2));
      if (random_.chance(5)) items.emplace_back(Expression{"7", {Type::kInt4, 7}, true});
      if (items.empty()) items.emplace_back(group.front());
    }
    for (std::size_t i = 0; i < by.size(); ++i) tail += (i == 0 ? " GROUP BY " : ", ") + by[i];
    if (random_.chance(22)) tail += " HAVING " + over.predicate(1);
    // A query with neither key nor aggregate would not be grouped at all.
    if (keys.empty() && kinds == nullptr) items.emplace_back(Expression{"count(*)", {Type::kInt8, 1e6}, false});
  }

  std::string filter(const std::vector<Expression>& atoms) {
    if (!random_.chance(16)) return {};
    return " FILTER (WHERE " + ExpressionGenerator(random_, atoms).predicate(1) + ")";
  }

  Expression aggregate(const std::vector<Expression>& atoms) {
    ExpressionGenerator rows(random_, atoms);
    const Expression x = random_.chance(55) ? random_.pick(atoms) : rows.any(2);
    const Value& v = x.value;
    const std::string tail = filter(atoms);
    auto make = [&](const std::string& sql, Value value) { return Expression{sql + tail, value, false}; };
    auto call = [&](const std::string& function) { return function + "(" + x.sql + ")"; };
    const Value count{Type::kInt8, 1e6};
    Value same = v;
    if (!same.canonical) same.settled = false;
    Value other{Type::kOther};
    if (random_.chance(16)) return make("count(*)", count);
    if (random_.chance(10)) return make(call("count"), count);
    const int choice = random_.between(1, 100);
    if (choice <= 14) {  // recomputed groups
      switch (random_.below(7)) {
        case 0:
          if (v.kind() == Kind::kOther) return make(call("count"), count);
          return make("array_agg(" + x.sql + " ORDER BY " + x.sql + ")", other);
        case 1: {
          const Expression t = rows.of(Kind::kText, 1);
          return make("string_agg(" + t.sql + ", ',' ORDER BY " + t.sql + ")", {Type::kText});
        }
        case 2:
          return make("count(DISTINCT " + x.sql + ")", count);
        case 3:
          if (v.kind() != Kind::kInt && v.kind() != Kind::kText) return make(call("count"), count);
          return make("mode() WITHIN GROUP (ORDER BY " + x.sql + ")", same);
        case 4:
          if (v.kind() == Kind::kFloat || (v.kind() == Kind::kInt && v.bound < 1e9)) {
            Value middle{Type::kFloat8, v.bound, 100};
            middle.special = v.special;
            return make("percentile_cont(0.5) WITHIN GROUP (ORDER BY " + x.sql + ")", middle);
          }
          return make("percentile_disc(0.5) WITHIN GROUP (ORDER BY " + x.sql + ")", same);
        case 5:
          if (v.kind() != Kind::kInt) return make("jsonb_agg(" + x.sql + " ORDER BY " + x.sql + ")", other);
          return make(random_.chance(50) ? call("bit_or") : call("bit_and"),
                      v.bound > 1e6 ? same : Value{v.type, limit_of(v.type)});
        default:
          if (v.kind() != Kind::kInt) return make("count(DISTINCT " + x.sql + ")", count);
          return make("sum(DISTINCT " + x.sql + ")",
                      v.type == Type::kInt8 ? Value{Type::kNumeric, v.bound * 1e4} : Value{Type::kInt8, v.bound * 1e4});
      }
    }
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
      case Kind::kJson:
      case Kind::kOther:
        return make(call("count"), count);
      default:
        break;
    }
    return make(call(random_.chance(50) ? "min" : "max"), same);
  }

  Random& random_;
  int names_ = 0;
};

}  // namespace

Query random_query(Random& random, const std::vector<Relation>& sources) {
  return QueryGenerator(random).query(QueryGenerator::kTop, sources);
}

}  // namespace pgt::property
