#include "catalog/loader.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "catalog/as_owner.h"
#include "compiler/error.h"
#include "compiler/generate/sql_text.h"
#include "compiler/parse/ast.h"
#include "postgres/array.h"

namespace pgtrickle::catalog {

namespace {

using compiler::Catalog;
using compiler::FunctionInfo;
using compiler::FunctionKey;
using compiler::Source;
using compiler::SourceColumn;
using compiler::SourceKind;
using compiler::TypeInfo;

std::vector<std::int16_t> attnums(const std::string& int2vector) {
  std::vector<std::int16_t> result;
  std::size_t at = 0;
  while (at < int2vector.size()) {
    const std::size_t end = std::min(int2vector.find(' ', at), int2vector.size());
    if (end > at) result.push_back(static_cast<std::int16_t>(std::stoi(int2vector.substr(at, end - at))));
    at = end + 1;
  }
  return result;
}

Source load_source(pqxx::transaction_base& tx, const pqxx::row& row, const std::string& owner, ServerTypes& types) {
  Source source;
  source.relid = row["relid"].as<std::uint32_t>();
  source.schema = row["schema"].c_str();
  source.name = row["name"].c_str();
  source.not_capturable = row["not_capturable"].c_str();
  source.row_security = row["row_security"].as<bool>();
  source.has_inheritance_children = row["has_children"].as<bool>();
  const char kind = row["relkind"].c_str()[0];
  source.kind = kind == 'v'                         ? SourceKind::kView
                : kind == 'm'                       ? SourceKind::kMaterializedView
                : kind == 'f'                       ? SourceKind::kForeignTable
                : kind == 'p'                       ? SourceKind::kPartitionedTable
                : row["is_stream_table"].as<bool>() ? SourceKind::kStreamTable
                                                    : SourceKind::kTable;
  if (source.kind == SourceKind::kView) {
    source.view_definition = row["definition"].c_str();
    source.misread =
        value_as_owner(tx, owner,
                       "SELECT coalesce(l.message, '') FROM pgtrickle._lost_in_text(" + std::to_string(source.relid) +
                           ", " + compiler::quote_literal(source.view_definition) + ") AS l");
  }

  const auto columns = tx.exec_params(
      // From PostgreSQL 18 on, attnotnull is also set by NOT NULL constraints that are not validated yet.
      "SELECT attnum, attname, atttypid, atttypmod,\n"
      "       attnotnull AND NOT EXISTS (SELECT FROM pg_constraint n WHERE n.conrelid = attrelid AND n.contype = 'n'\n"
      "                                  AND NOT n.convalidated AND n.conkey = ARRAY[attnum]) AS attnotnull,\n"
      "       has_column_privilege($2::name, attrelid, attnum, 'SELECT') AS may_select,\n"
      "       EXISTS (SELECT FROM pg_collation c WHERE c.oid = attcollation AND NOT c.collisdeterministic) AS "
      "loose_collation\n"
      "FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
      source.relid, owner);
  std::vector<std::uint32_t> oids;
  for (const auto& column : columns) oids.push_back(column["atttypid"].as<std::uint32_t>());
  types.load(oids);
  for (const auto& column : columns) {
    SourceColumn col;
    col.attnum = static_cast<std::int16_t>(column["attnum"].as<int>());
    col.name = column["attname"].c_str();
    col.type = types.by_oid(column["atttypid"].as<std::uint32_t>());
    col.typmod = column["atttypmod"].as<std::int32_t>();
    col.not_null = column["attnotnull"].as<bool>();
    // Equality under a nondeterministic collation ignores case or accents; numeric(p,s) has one scale, so equal is
    // same.
    if (column["loose_collation"].as<bool>()) col.type.identity = false;
    if (col.type.base_oid == 1700 && col.typmod >= 0) col.type.identity = true;
    col.owner_may_select = column["may_select"].as<bool>();
    source.columns.push_back(std::move(col));
  }

  const auto indexes = tx.exec_params(
      "SELECT indkey::text AS columns, indnkeyatts,\n"
      "       indisunique AND indimmediate AND indisvalid AND indpred IS NULL AND indexprs IS NULL AS is_key\n"
      "FROM pg_index WHERE indrelid = $1 AND indisvalid AND indpred IS NULL ORDER BY indisprimary DESC, indexrelid",
      source.relid);
  for (const auto& index : indexes) {
    auto key = attnums(index["columns"].c_str());
    key.resize(std::min(key.size(), static_cast<std::size_t>(index["indnkeyatts"].as<int>())));
    if (key.empty()) continue;
    if (key.front() > 0) source.indexed_columns.push_back(key.front());
    const bool not_null = std::all_of(key.begin(), key.end(), [&](std::int16_t attnum) {
      return std::any_of(source.columns.begin(), source.columns.end(),
                         [&](const SourceColumn& col) { return col.attnum == attnum && col.not_null; });
    });
    if (index["is_key"].as<bool>() && not_null) source.unique_keys.push_back(std::move(key));
  }
  // With inheritance children (not partitions) an index of the parent says nothing about the rows of the children.
  if (source.has_inheritance_children && kind == 'r') source.unique_keys.clear();
  return source;
}

void load_functions(pqxx::transaction_base& tx, const std::vector<FunctionKey>& keys, Catalog& catalog) {
  for (const auto& key : keys) {
    if (catalog.functions.count(key) != 0) continue;
    // An unqualified name of a canonical query is one of pg_catalog.
    const auto rows = tx.exec_params(
        "SELECT p.prokind, p.proretset, p.provolatile, n.nspname = 'pg_catalog' AS builtin\n"
        "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace\n"
        "WHERE p.proname = $1 AND n.nspname = $2\n"
        "  AND (p.provariadic <> 0 OR p.prokind = 'a' OR $3::int BETWEEN p.pronargs - p.pronargdefaults AND "
        "p.pronargs)",
        key.name, key.schema.empty() ? "pg_catalog" : key.schema, key.argument_count);
    if (rows.empty()) continue;
    FunctionInfo info;
    for (const auto& row : rows) {
      const char kind = row[0].c_str()[0];
      info.is_aggregate = info.is_aggregate || kind == 'a';
      info.is_window = info.is_window || kind == 'w';
      info.returns_set = info.returns_set || row[1].as<bool>();
      const char volatility = row[2].c_str()[0];
      if (volatility == 'v' || (volatility == 's' && info.volatility == 'i')) info.volatility = volatility;
      info.builtin = info.builtin && row[3].as<bool>();
    }
    catalog.functions[key] = info;
  }
}

void load_operators(pqxx::transaction_base& tx, const std::vector<FunctionKey>& keys, Catalog& catalog) {
  for (const auto& key : keys) {
    if (catalog.functions.count(key) != 0) continue;
    const auto rows = tx.exec_params(
        "SELECT max(CASE p.provolatile WHEN 'v' THEN 2 WHEN 's' THEN 1 ELSE 0 END)\n"
        "FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace JOIN pg_proc p ON p.oid = o.oprcode\n"
        "WHERE o.oprname = $1 AND n.nspname = $2",
        key.name, key.schema);
    if (rows[0][0].is_null()) continue;
    FunctionInfo info;
    info.builtin = false;
    info.volatility = "isv"[rows[0][0].as<int>()];
    catalog.functions[key] = info;
  }
}

}  // namespace

void ServerTypes::load(const std::vector<std::uint32_t>& oids) {
  std::set<std::uint32_t> missing;
  for (const auto oid : oids)
    if (known_.count(oid) == 0) missing.insert(oid);
  if (missing.empty()) return;
  // The base type of a domain decides; arrays, ranges and composites are as good as what they are made of, which the
  // recursive part collects.
  const auto rows = tx_.exec_params(
      "WITH RECURSIVE parts(root, oid) AS (\n"
      "  SELECT t, t FROM unnest($1::oid[]) t\n"
      "  UNION\n"
      "  SELECT p.root, x.oid FROM parts p JOIN pg_type t ON t.oid = p.oid\n"
      "  CROSS JOIN LATERAL (\n"
      "    SELECT t.typbasetype AS oid WHERE t.typtype = 'd'\n"
      "    UNION ALL SELECT t.typelem WHERE t.typcategory = 'A' AND t.typelem <> 0\n"
      "    UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid\n"
      "    UNION ALL SELECT a.atttypid FROM pg_attribute a\n"
      "              WHERE a.attrelid = t.typrelid AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped) x),\n"
      "leaves AS (\n"
      "  SELECT p.root, bool_and(EXISTS (SELECT FROM pg_opclass c JOIN pg_am m ON m.oid = c.opcmethod\n"
      "                                  WHERE m.amname = 'btree' AND c.opcdefault AND c.opcintype IN (t.oid, "
      "alt.oid))) AS equatable,\n"
      "         bool_and(EXISTS (SELECT FROM pg_opclass c JOIN pg_am m ON m.oid = c.opcmethod\n"
      "                          JOIN pg_amproc ap ON ap.amprocfamily = c.opcfamily AND ap.amproclefttype = "
      "c.opcintype AND ap.amprocnum = 2\n"
      "                          WHERE m.amname = 'hash' AND c.opcdefault AND c.opcintype IN (t.oid, alt.oid))) AS "
      "hashable,\n"
      "         bool_and(n.nspname = 'pg_catalog' OR t.typtype = 'e') AS builtin,\n"
      "         bool_and(t.typtype = 'e' OR n.nspname = 'pg_catalog' AND t.typname IN ('bool', 'int2', 'int4', 'int8', "
      "'oid', 'text',\n"
      "                  'varchar', 'name', 'char', 'bytea', 'uuid', 'date', 'time', 'timestamp', 'timestamptz', "
      "'bit', 'varbit',\n"
      "                  'inet', 'cidr', 'macaddr', 'macaddr8', 'xid8', 'pg_lsn', 'money', 'tsvector')) AS identity\n"
      "  FROM parts p JOIN pg_type t ON t.oid = p.oid JOIN pg_namespace n ON n.oid = t.typnamespace\n"
      "  CROSS JOIN LATERAL (SELECT CASE WHEN t.typname = 'varchar' THEN 'text'::regtype::oid\n"
      "                                  WHEN t.typname = 'cidr' THEN 'inet'::regtype::oid\n"
      "                                  WHEN t.typtype = 'e' THEN 'anyenum'::regtype::oid ELSE t.oid END AS oid) alt\n"
      "  WHERE t.typtype IN ('b', 'e') AND t.typcategory <> 'A'\n"
      "  GROUP BY p.root)\n"
      "SELECT t.oid, coalesce(b.oid, t.oid) AS base, format_type(t.oid, -1) AS name, coalesce(l.equatable, false) AS "
      "equatable,\n"
      "       coalesce(l.hashable, false) AS hashable, coalesce(l.builtin, false) AS builtin, coalesce(b.typlen, "
      "t.typlen) > 0 AS fixed_width,\n"
      "       coalesce(l.identity, false) AS identity,\n"
      "       (SELECT p.provolatile <> 'i' FROM pg_proc p WHERE p.oid = t.typoutput) AS stable_text\n"
      "FROM pg_type t LEFT JOIN leaves l ON l.root = t.oid\n"
      "LEFT JOIN LATERAL (SELECT d.* FROM parts p JOIN pg_type d ON d.oid = p.oid\n"
      "                   WHERE p.root = t.oid AND t.typtype = 'd' AND d.typtype <> 'd' AND d.oid = (\n"
      "                     WITH RECURSIVE up(oid) AS (SELECT t.typbasetype UNION ALL SELECT x.typbasetype FROM up "
      "JOIN pg_type x\n"
      "                       ON x.oid = up.oid WHERE x.typtype = 'd') SELECT u.oid FROM up u JOIN pg_type y ON y.oid "
      "= u.oid\n"
      "                       WHERE y.typtype <> 'd' LIMIT 1)) b ON true\n"
      "WHERE t.oid = ANY ($1::oid[])",
      postgres::array_of(missing));
  for (const auto& row : rows) {
    TypeInfo type;
    type.oid = row["oid"].as<std::uint32_t>();
    type.base_oid = row["base"].as<std::uint32_t>();
    type.name = row["name"].c_str();
    type.equatable = row["equatable"].as<bool>();
    type.hashable = type.equatable && row["hashable"].as<bool>();
    type.builtin_operators = row["builtin"].as<bool>();
    type.identity = row["identity"].as<bool>();
    type.stable_text = row["stable_text"].as<bool>();
    type.fixed_width = row["fixed_width"].as<bool>();
    known_[type.oid] = std::move(type);
  }
}

const TypeInfo& ServerTypes::by_oid(std::uint32_t oid) {
  load({oid});
  return known_.at(oid);
}

// A view is analysed but not planned: no expression of the user's is evaluated, and no privilege is asked for on
// columns that only intermediate results have.
std::vector<TypeInfo> ServerTypes::column_types(const std::string& select) {
  std::string names;
  const int count = compiler::parse_select(select).target_list_size();
  for (int i = 1; i <= count; ++i) names += (i == 1 ? "c" : ", c") + std::to_string(i);
  pqxx::result columns;
  try {
    pqxx::subtransaction tx(dynamic_cast<pqxx::dbtransaction&>(tx_), "types");
    run_as_owner(tx, owner_, "CREATE TEMPORARY VIEW pgtrickle_described (" + names + ") AS " + select);
    columns = tx.exec(
        "SELECT atttypid FROM pg_attribute WHERE attrelid = 'pg_temp.pgtrickle_described'::regclass AND attnum > 0 "
        "ORDER BY attnum");
    tx.exec("DROP VIEW pg_temp.pgtrickle_described");
    tx.commit();
  } catch (const pqxx::sql_error& e) {
    if (e.sqlstate() != "42P16") throw;
    throw compiler::Unsupported("an intermediate result has no type that a table could have", {},
                                "Cast it to a named type.");
  }
  std::vector<std::uint32_t> oids;
  for (const auto& column : columns) oids.push_back(column[0].as<std::uint32_t>());
  load(oids);
  std::vector<TypeInfo> types;
  for (const auto oid : oids) types.push_back(known_.at(oid));
  return types;
}

// What is behind a view is read with the rights of the view's owner, unless the view says that the reader's count.
Catalog load_catalog(pqxx::transaction_base& tx, const std::string& query, const std::string& owner,
                     ServerTypes& types) {
  struct Reading {
    std::string query;
    std::string reader;
  };
  Catalog catalog;
  std::vector<Reading> readings{{query, owner}};
  std::set<std::tuple<std::string, std::string, std::string>> seen;
  while (!readings.empty()) {
    const Reading reading = std::move(readings.back());
    readings.pop_back();
    compiler::References refs;
    try {
      refs = compiler::references(reading.query);
    } catch (const compiler::Unsupported&) {
      // Syntax that is newer than the parser: compile() says so, and recomputes the query as it stands.
    }
    load_functions(tx, refs.functions, catalog);
    load_operators(tx, refs.operators, catalog);
    for (const auto& [schema, name] : refs.relations) {
      if (!seen.emplace(reading.reader, schema, name).second) continue;
      // A canonical query qualifies everything but pg_catalog's relations; a CTE's name finds nothing here.
      const auto rows = tx.exec_params(
          "SELECT c.oid AS relid, n.nspname AS schema, c.relname AS name, c.relkind,\n"
          "       pgtrickle._row_security_applies(c.oid, r.oid) AS row_security,\n"
          "       EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid) AS has_children,\n"
          "       EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_relid = c.oid) AS is_stream_table,\n"
          "       CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END AS definition,\n"
          "       CASE WHEN pgtrickle._is_security_invoker(c.oid) THEN r.rolname ELSE pg_get_userbyid(c.relowner) END "
          "AS reader,\n"
          "       CASE WHEN c.relkind IN ('r', 'p') THEN pgtrickle._not_capturable(c.oid) END AS not_capturable\n"
          "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace\n"
          "CROSS JOIN (SELECT oid, rolname FROM pg_roles WHERE rolname = $3) r\n"
          "WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
          schema, name, reading.reader);
      if (rows.empty()) continue;
      auto source = load_source(tx, rows[0], owner, types);
      if (source.kind == SourceKind::kView) readings.push_back({source.view_definition, rows[0]["reader"].c_str()});
      const bool row_security = source.row_security;
      const auto [known, is_new] = catalog.sources.emplace(std::make_pair(schema, name), std::move(source));
      if (!is_new) known->second.row_security = known->second.row_security || row_security;
    }
  }
  return catalog;
}

}  // namespace pgtrickle::catalog
