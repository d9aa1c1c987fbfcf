#include "property/schema.h"

#include <algorithm>
#include <array>

namespace pgt::property {
namespace {

constexpr double kBig = 9.3e18;

Value base_value(Random& random, Type type) {
  Value value;
  value.type = type;
  switch (type) {
    case Type::kInt2:
      value.bound = 150;
      break;
    case Type::kInt4:
    case Type::kFloat8:
      value.bound = 1000;
      value.fraction_bits = 2;
      value.special = type == Type::kFloat8 && random.chance(20);
      break;
    case Type::kInt8:
      value.bound = random.chance(15) ? kBig : 1000;
      break;
    case Type::kNumeric2:
      value.bound = 1000;
      break;
    case Type::kNumeric:
      value.bound = 2000;
      value.special = random.chance(35);
      break;
    case Type::kIntArray:
    case Type::kPair:
      value.bound = 10;
      break;
    default:
      break;
  }
  return value;
}

std::string number_text(double value) {
  std::string text = std::to_string(value);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

/// Names and types that the tables of one schema share.
std::vector<Column> random_dictionary(Random& random, const Switches& switches) {
  std::vector<std::string> names = {"k", "a", "b", "c", "d", "e", "f", "g"};
  static const std::vector<std::string> kOdd = {
      "w",          "run",      "n",        "xid",    "seq",     "was", "now",    "changed", "v",
      "Mixed Case", "quo\"te",  "ünï cödé", "grün",   "dot.ted", "$1",  "select", "order",   "old",
      "new",        "delta",    "i",        "m",      "s",       "l",   "count",  "sum",     "a1",
      "it's",       "affected", "value",    "x.y\"z", "key",     "k1",  "old_n",  "new_n",   "back\\slash"};
  if (random.chance(45)) {
    for (auto& name : names) {
      if (random.chance(50)) name = random.pick(kOdd);
    }
  }
  std::vector<Type> types = {Type::kInt2,        Type::kInt4,    Type::kInt4, Type::kInt8,
                             Type::kNumeric2,    Type::kNumeric, Type::kText, Type::kBool,
                             Type::kTimestamptz, Type::kFloat8,  Type::kDate, Type::kJsonb};
  auto on = [&](Feature feature) { return switches.generated[static_cast<std::size_t>(feature)]; };
  if (on(Feature::kArrays)) types.push_back(Type::kIntArray);
  if (on(Feature::kEnum)) types.push_back(Type::kEnum);
  if (on(Feature::kRange)) types.push_back(Type::kRange);
  if (on(Feature::kComposite)) types.push_back(Type::kPair);
  random.shuffle(types);
  std::vector<Column> dictionary;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool taken =
        std::any_of(dictionary.begin(), dictionary.end(), [&](const Column& c) { return c.name == names[i]; });
    if (taken) continue;
    // The first two always join well.
    const Type type = i == 0 ? Type::kInt4 : i == 1 ? Type::kText : types[i];
    dictionary.push_back({names[i], base_value(random, type)});
    dictionary.back().domain = type == Type::kInt4 && random.chance(20) && on(Feature::kDomain);
  }
  return dictionary;
}

}  // namespace

bool Table::in_key(std::size_t i) const {
  return std::find(key.begin(), key.end(), i) != key.end();
}

std::string random_value(Random& random, const Value& value, int null_percent) {
  if (random.chance(null_percent)) return "NULL";
  switch (value.type) {
    case Type::kInt2:
    case Type::kInt4:
      return std::to_string(random.chance(10) ? random.between(-3, 40) : random.between(0, 6));
    case Type::kInt8:
      if (value.bound < kBig) return std::to_string(random.between(0, 6));
      if (random.chance(30)) return std::to_string(random.between(0, 3));
      return (random.chance(30) ? "-922337203685477580" : "922337203685477580") + std::to_string(random.between(3, 7));
    case Type::kNumeric2:
      return number_text(random.between(-2, 12) * 0.25);
    case Type::kNumeric: {
      if (value.special && random.chance(6))
        return random.chance(60) ? "'NaN'" : random.chance(60) ? "'Infinity'" : "'-Infinity'";
      static const std::vector<std::string> kNumbers = {"0",   "1",     "2",     "3",    "0.5",
                                                        "1.5", "-1.25", "2.001", "1000", "0.00003"};
      return random.pick(kNumbers);
    }
    case Type::kText: {
      static const std::vector<std::string> kTexts = {"'a'",   "'b'",    "'c'", "'d'", "''",
                                                      "'A b'", "'x''y'", "'ü'", "'a'"};
      return random.pick(kTexts);
    }
    case Type::kBool:
      return random.chance(50) ? "true" : "false";
    case Type::kDate:
      return "'2024-02-" + std::to_string(random.between(26, 29)) + "'";
    case Type::kTimestamptz:
      return "'2024-03-31 0" + std::to_string(random.between(0, 4)) + ":30:00+00'";
    case Type::kFloat8:
      if (value.special && random.chance(5)) return random.chance(50) ? "'NaN'" : "'Infinity'";
      return number_text(random.between(-4, 20) * 0.25);
    case Type::kJsonb: {
      static const std::vector<std::string> kJson = {
          R"('{"a": 1}')", R"('{"a": 2, "b": "x"}')", R"('{"b": null}')", "'[1, 2]'", "'\"s\"'", "'null'"};
      return random.pick(kJson);
    }
    case Type::kIntArray: {
      static const std::vector<std::string> kArrays = {"'{1,2}'",    "'{}'",      "'{3}'",
                                                       "'{NULL,1}'", "'{2,2,0}'", "'{1,2}'"};
      return random.pick(kArrays);
    }
    case Type::kEnum:
      return random.pick(std::vector<std::string>{"'sad'", "'ok'", "'happy'"});
    case Type::kRange: {
      static const std::vector<std::string> kRanges = {"'[1,3)'", "'empty'", "'[2,5)'", "'(,2)'", "'[4,)'", "'[1,3)'"};
      return random.pick(kRanges);
    }
    case Type::kPair: {
      static const std::vector<std::string> kPairs = {"'(1,a)'", "'(2,b)'", "'(,a)'", "'(1,)'", "'(,)'", "'(1,a)'"};
      return random.pick(kPairs);
    }
    case Type::kOther:
      break;
  }
  return "NULL";
}

std::string random_insert(Random& random, const Table& table, int rows) {
  std::string columns;
  std::string values;
  for (int row = 0; row < rows; ++row) {
    values += row == 0 ? "(" : ", (";
    bool first = true;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      if (table.generated[i]) continue;
      const auto& value = table.columns[i].value;
      if (row == 0) columns += (first ? "" : ", ") + table.column(i);
      if (!first) values += ", ";
      if (table.in_key(i) && table.key.size() == 1 && value.kind() == Kind::kInt) {
        values += std::to_string(random.between(1, 60));
      } else if (table.in_key(i) && table.key.size() == 1) {
        values += "'" + std::string(1, static_cast<char>('a' + random.between(0, 7))) +
                  std::to_string(random.between(0, 5)) + "'";
      } else {
        values += random_value(random, value, table.in_key(i) ? 0 : 22);
      }
      first = false;
    }
    values += ")";
  }
  // Sometimes the very same row more than once.
  std::string sql = "INSERT INTO " + table.sql + " (" + columns + ") VALUES " + values;
  if (!table.key.empty()) sql += " ON CONFLICT DO NOTHING";
  return sql;
}

Schema random_schema(Random& random, const Switches& switches) {
  Schema schema;
  schema.ddl = type_ddl();
  static const std::vector<std::string> kSchemas = {"app", "Odd \"schema\"", "ünï"};
  schema.name = quoted(random.chance(75) ? kSchemas[0] : random.pick(kSchemas));
  schema.ddl.push_back("CREATE SCHEMA " + schema.name);
  const auto dictionary = random_dictionary(random, switches);
  const int tables = random.between(2, 4);
  for (int t = 0; t < tables; ++t) {
    Table table;
    const std::string name = random.chance(10) ? "Tab le" + std::to_string(t + 1) : "t" + std::to_string(t + 1);
    table.sql = schema.name + "." + quoted(name);
    auto columns = dictionary;
    random.shuffle(columns);
    const auto k =
        std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return c.name == dictionary[0].name; });
    if (k != columns.end() && random.chance(90)) std::iter_swap(columns.begin(), k);
    columns.resize(std::min(columns.size(), static_cast<std::size_t>(random.between(2, 6))));
    const int key_kind = random.chance(40) ? 0 : random.between(1, 3);  // none, int, text, composite
    if (key_kind == 1 || key_kind == 2) {
      Column id{key_kind == 1 ? "id" : "code", {}};
      id.value.type = key_kind == 1 ? Type::kInt4 : Type::kText;
      id.value.bound = 10000;
      columns.insert(columns.begin(), id);
      table.key = {0};
    } else if (key_kind == 3) {
      for (std::size_t i = 0; i < columns.size() && table.key.size() < 3; ++i) {
        const auto kind = columns[i].value.kind();
        if (kind != Kind::kJson && kind != Kind::kBool && kind != Kind::kFloat && kind != Kind::kPair)
          table.key.push_back(i);
      }
      if (table.key.size() < 2) table.key.clear();
    }
    table.columns = columns;
    table.generated.assign(columns.size(), false);
    std::string ddl;
    const bool partitioned = random.chance(15);
    std::size_t by = 0;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto& value = columns[i].value;
      ddl += (i == 0 ? "" : ", ") + table.column(i) + " " + (columns[i].domain ? "kinds.small" : name_of(value.type));
      if (table.in_key(i)) {
        ddl += " NOT NULL";
        if (value.kind() == Kind::kInt) by = i;
      }
    }
    if (columns[by].value.kind() == Kind::kInt && columns[by].value.bound <= 1e4 && random.chance(10) && !partitioned) {
      Column extra{"gen", base_value(random, Type::kInt4)};
      extra.value.bound = 30000;
      ddl += ", gen int4 GENERATED ALWAYS AS (" + table.column(by) + "::int4 % 3) STORED";
      table.columns.push_back(extra);
      table.generated.push_back(true);
    }
    if (!table.key.empty()) {
      ddl += ", PRIMARY KEY (";
      for (std::size_t i = 0; i < table.key.size(); ++i) ddl += (i == 0 ? "" : ", ") + table.column(table.key[i]);
      ddl += ")";
    }
    const bool by_fits = columns[by].value.kind() == Kind::kInt && (table.key.empty() || table.in_key(by));
    if (partitioned && by_fits) {
      schema.ddl.push_back("CREATE TABLE " + table.sql + " (" + ddl + ") PARTITION BY RANGE (" + table.column(by) +
                           ")");
      const std::array<std::string, 3> bounds = {"FOR VALUES FROM (MINVALUE) TO (2)", "FOR VALUES FROM (2) TO (5)",
                                                 "DEFAULT"};
      for (std::size_t p = 0; p < bounds.size(); ++p) {
        table.partitions.push_back(schema.name + "." + quoted(name + "_p" + std::to_string(p)));
        schema.ddl.push_back("CREATE TABLE " + table.partitions.back() + " PARTITION OF " + table.sql + " " +
                             bounds[p]);
      }
    } else {
      schema.ddl.push_back("CREATE TABLE " + table.sql + " (" + ddl + ")");
    }
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (random.chance(15)) schema.ddl.push_back("CREATE INDEX ON " + table.sql + " (" + table.column(i) + ")");
    }
    const int rows = random.chance(8) ? 0 : random.between(8, 22);
    for (int row = 0; row < rows; ++row) {
      schema.rows.push_back(random_insert(random, table, 1));
      if (table.key.empty() && random.chance(20)) schema.rows.push_back(schema.rows.back());
    }
    const Relation relation{table.sql, table.columns, table.key, 20, 1, {}};
    schema.sources.push_back(relation);
    schema.tables.push_back(std::move(table));
  }
  return schema;
}

}  // namespace pgt::property
