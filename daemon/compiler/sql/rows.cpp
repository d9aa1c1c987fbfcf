#include "compiler/sql/rows.h"

#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

namespace {

std::string record(const std::vector<std::string>& columns, const std::vector<TypeInfo>& types) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < columns.size(); ++i)
    parts.push_back(types[i].equatable ? columns[i] : image(columns[i], types[i]));
  return "ROW(" + join(parts, ", ") + ")::record";
}

}  // namespace

std::string row_hash(const std::vector<std::string>& columns, const std::vector<TypeInfo>& types,
                     const std::string& prefix) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    // A column that cannot be hashed, as itself or as an immutable image, is left to the recheck.
    if (!types[i].hashable && !types[i].indexable_image) continue;
    const std::string column = prefix + columns[i];
    parts.push_back(types[i].hashable ? column : image(column, types[i]));
  }
  return "hash_record_extended(ROW(" + join(parts, ", ") + "), 0)";
}

std::string row_equal(const std::vector<std::string>& left, const std::vector<std::string>& right,
                      const std::vector<TypeInfo>& types) {
  return record(left, types) + " = " + record(right, types);
}

std::string row_differs(const std::vector<std::string>& left, const std::vector<std::string>& right) {
  return "ROW(" + join(left, ", ") + ")::record *<> ROW(" + join(right, ", ") + ")::record";
}

std::string row_identical(const std::vector<std::string>& left, const std::vector<std::string>& right) {
  return "ROW(" + join(left, ", ") + ")::record *= ROW(" + join(right, ", ") + ")::record";
}

std::string cast_to_domain(const std::string& column, const TypeInfo& type) {
  const std::string sql = column + "::" + type.name;
  return type.collation.empty() ? sql : "(" + sql + " COLLATE " + type.collation + ")";
}

std::string image(const std::string& column, const TypeInfo& type) {
  std::string sql = type.image.empty() ? "$1::text" : type.image;
  return sql.replace(sql.find("$1"), 2, column);
}

std::vector<std::string> identity_terms(const std::string& column, const TypeInfo& type) {
  if (!type.equatable) return {image(column, type)};
  if (!type.identity) return {column, image(column, type)};
  return {column};
}

std::string grouped_value(const std::string& column, const TypeInfo& type, const std::string& name) {
  return (type.equatable ? column : "pgtrickle._any_of(" + column + ")") + " AS " + name;
}

std::vector<std::string> row_match(const std::vector<std::string>& left, const std::vector<std::string>& right,
                                   const std::vector<TypeInfo>& types, bool plain) {
  if (!plain) return {row_hash(left, types, "") + " = " + row_hash(right, types, ""), row_equal(left, right, types)};
  std::vector<std::string> equalities;
  for (std::size_t i = 0; i < left.size(); ++i) equalities.push_back(left[i] + " = " + right[i]);
  return equalities;
}

void add_grouped(const std::string& column, const TypeInfo& type, const std::string& name,
                 std::vector<std::string>& select, std::vector<std::string>& group) {
  select.push_back(grouped_value(column, type, name));
  group.push_back(type.equatable ? column : image(column, type));
}

std::vector<KeyLookup> key_lookups(const std::vector<std::string>& mine, const std::vector<std::string>& keys,
                                   const std::vector<TypeInfo>& types, const std::vector<bool>& not_null) {
  std::vector<std::string> equal;
  std::vector<std::string> null_keys;
  std::vector<std::string> nullable;
  bool plain = true;
  for (std::size_t i = 0; i < mine.size(); ++i) {
    equal.push_back(mine[i] + " = k." + keys[i]);
    if (!not_null[i]) {
      null_keys.push_back(keys[i]);
      nullable.push_back(mine[i]);
    }
    plain = plain && types[i].builtin_operators && types[i].equatable;
  }
  const auto by_record = row_match(mine, prefixed(keys, "k."), types, false);
  if (!plain) return {{by_record, {}}};
  std::vector<KeyLookup> ways{{equal, {}}};
  if (null_keys.empty()) return ways;
  // Where a row has a NULL is for indexes to find; it follows from the equality of records.
  ways.push_back({{any_null(null_keys, "k."), any_null(nullable, "")}, null_keys});
  if (mine.size() > 1) ways.back().conditions.insert(ways.back().conditions.end(), by_record.begin(), by_record.end());
  return ways;
}

std::string any_null(const std::vector<std::string>& names, const std::string& prefix) {
  std::vector<std::string> tests;
  // Not IS NULL, which is also true of a composite value that consists of NULLs.
  for (const auto& name : names) tests.push_back(prefix + name + " IS NOT DISTINCT FROM NULL");
  return "(" + join(tests, " OR ") + ")";
}

Select consolidate(const std::vector<std::string>& columns, const std::vector<TypeInfo>& types, const FromItem& from) {
  Select net;
  std::vector<std::string> group;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::string col = "x." + columns[i];
    net.item(grouped_value(col, types[i], columns[i]));
    for (auto& term : identity_terms(col, types[i])) group.push_back(std::move(term));
  }
  return net.item("sum(x.w)::int", "w").from(from, "x").group_by(std::move(group)).having("sum(x.w) <> 0");
}

}  // namespace pgtrickle::compiler
