// Random tables with a little data. Values come from small domains, so that joins match and groups fill, with many
// NULLs and duplicates; the same column name has the same type in all tables, so that USING and NATURAL make sense.
#pragma once

#include <string>
#include <vector>

#include "property/random.h"
#include "property/types.h"

namespace pgt::property {

struct Table {
  std::string sql;  // qualified and quoted
  std::vector<Column> columns;
  std::vector<bool> generated;   // parallel to columns
  std::vector<std::size_t> key;  // empty: no primary key, duplicates
  std::vector<std::string> partitions;

  [[nodiscard]] std::string column(std::size_t i) const { return quoted(columns[i].name); }
  [[nodiscard]] bool in_key(std::size_t i) const;
};

struct Schema {
  std::string name;                // quoted
  std::vector<std::string> ddl;    // tables, indexes
  std::vector<std::string> rows;   // INSERTs
  std::vector<std::string> views;  // DDL, after the rows
  std::vector<Table> tables;
  std::vector<Relation> sources;  // tables and views, for queries
};

Schema random_schema(Random& random, const Switches& switches);

/// A literal of the column's type; `null_percent` of them NULL.
std::string random_value(Random& random, const Value& value, int null_percent);
/// INSERT of some rows; rows with keys that exist are skipped.
std::string random_insert(Random& random, const Table& table, int rows);

}  // namespace pgt::property
