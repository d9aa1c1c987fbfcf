#include "catalog/loader.h"

#include <algorithm>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

#include "catalog/as_owner.h"
#include "compiler/error.h"
#include "compiler/parse/ast.h"
#include "compiler/sql/sql_text.h"
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

/// Types by OID. The base type of a domain decides; arrays, ranges and composites are as good as what they are made of,
/// which the recursive part collects: with `loose` where a nondeterministic collation belongs to a part.
constexpr const char* kTypes = R"(
WITH RECURSIVE parts(root, oid, loose) AS (
  SELECT t, t, false FROM unnest($1::oid[]) t
  UNION
  SELECT p.root, x.oid, p.loose OR EXISTS (SELECT FROM pg_collation c WHERE c.oid = x.coll AND NOT c.collisdeterministic)
  FROM parts p JOIN pg_type t ON t.oid = p.oid
  CROSS JOIN LATERAL (
    SELECT t.typbasetype AS oid, t.typcollation AS coll WHERE t.typtype = 'd'
    UNION ALL SELECT t.typelem, t.typcollation WHERE t.typcategory = 'A' AND t.typelem <> 0
    UNION ALL SELECT r.rngsubtype, r.rngcollation FROM pg_range r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)
    UNION ALL SELECT a.atttypid, a.attcollation FROM pg_attribute a
              WHERE a.attrelid = t.typrelid AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped) x),
-- The operator class that serves a type: its own, or that of a type with the same representation.
classes AS (
  SELECT DISTINCT ON (t.oid, m.amname) t.oid, m.amname, o.opcintype, o.opcfamily
  FROM (SELECT DISTINCT oid FROM parts) p JOIN pg_type t ON t.oid = p.oid JOIN pg_opclass o ON o.opcdefault
  JOIN pg_am m ON m.oid = o.opcmethod AND m.amname IN ('btree', 'hash')
  LEFT JOIN pg_cast c ON c.castsource = t.oid AND c.casttarget = o.opcintype AND c.castmethod = 'b' AND c.castcontext = 'i'
  JOIN pg_type i ON i.oid = o.opcintype
  WHERE o.opcintype = CASE WHEN t.typtype = 'e' THEN 'anyenum'::regtype::oid ELSE t.oid END OR c.oid IS NOT NULL
  ORDER BY t.oid, m.amname, c.oid IS NOT NULL, i.typispreferred DESC, o.opcintype),
leaves AS (
  SELECT p.root, bool_and(b.oid IS NOT NULL) AS equatable,
         bool_and(EXISTS (SELECT FROM pg_amproc ap WHERE ap.amprocfamily = h.opcfamily
                          AND ap.amproclefttype = h.opcintype AND ap.amprocnum = 2)) AS hashable,
         bool_and(n.nspname = 'pg_catalog' OR t.typtype = 'e') AS builtin,
         bool_and(NOT p.loose AND (t.typtype = 'e' OR n.nspname = 'pg_catalog' AND t.typname IN (
           'bool', 'int2', 'int4', 'int8', 'oid', 'text', 'varchar', 'name', 'char', 'bytea', 'uuid', 'date', 'time',
           'timestamp', 'timestamptz', 'bit', 'varbit', 'inet', 'cidr', 'macaddr', 'macaddr8', 'xid8', 'pg_lsn',
           'money', 'tsvector'))) AS identity
  FROM parts p JOIN pg_type t ON t.oid = p.oid JOIN pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN classes b ON b.oid = t.oid AND b.amname = 'btree'
  LEFT JOIN classes h ON h.oid = t.oid AND h.amname = 'hash'
  WHERE t.typtype IN ('b', 'e') AND t.typcategory <> 'A'
  GROUP BY p.root),
-- Which types "=" compares with this one so that all of them have one equality, whatever the settings are.
comparable AS (
  SELECT b.oid, b.opcintype AS key_oid, array_agg(a.amoprighttype) AS types
  FROM classes b JOIN pg_amop a ON a.amopfamily = b.opcfamily AND a.amoplefttype = b.opcintype AND a.amopstrategy = 3
  JOIN pg_opclass q ON q.opcfamily = a.amopfamily AND q.opcintype = a.amoprighttype AND q.opcdefault
  JOIN pg_operator o ON o.oid = a.amopopr JOIN pg_proc f ON f.oid = o.oprcode
  JOIN pg_type k ON k.oid = b.opcintype
  WHERE b.amname = 'btree' AND k.typtype <> 'p' AND f.provolatile = 'i'
    AND o.oprname = '=' AND o.oprnamespace = 'pg_catalog'::regnamespace
  GROUP BY b.oid, b.opcintype)
SELECT t.oid, b.oid AS base, format_type(t.oid, -1) AS name, coalesce(l.equatable, false) AS equatable,
       coalesce(l.hashable, false) AS hashable, coalesce(l.builtin, false) AS builtin, b.typlen > 0 AS fixed_width,
       coalesce(l.identity, false) AS identity, v.image, v.indexable, v.encoded,
       coalesce(c.key_oid, 0) AS key_oid, coalesce(c.types, '{}') AS comparable,
       t.typtype = 'p' AS is_pseudo, t.typcollation
FROM pg_type t JOIN pg_type b ON b.oid = (pgtrickle._base_type(t.oid, -1)).base
LEFT JOIN leaves l ON l.root = t.oid LEFT JOIN comparable c ON c.oid = b.oid
CROSS JOIN LATERAL pgtrickle._value_image(b.oid) v
WHERE t.oid = ANY ($1::oid[]))";

/// What users have defined that changes the answers about PostgreSQL's own types.
constexpr const char* kTypeRules = R"(
SELECT md5(concat_ws('/',
  (SELECT string_agg(c.oid || ' ' || c.xmin, ' ' ORDER BY c.oid) FROM pg_cast c WHERE c.oid >= 16384),
  (SELECT string_agg(c.oid || ' ' || c.xmin, ' ' ORDER BY c.oid) FROM pg_opclass c WHERE c.oid >= 16384),
  (SELECT string_agg(a.oid || ' ' || a.xmin, ' ' ORDER BY a.oid) FROM pg_amop a WHERE a.oid >= 16384),
  (SELECT string_agg(a.oid || ' ' || a.xmin, ' ' ORDER BY a.oid) FROM pg_amproc a WHERE a.oid >= 16384))))";

constexpr std::uint32_t kFirstUserOid = 16384;  // what PostgreSQL itself has made has smaller ones

/// "{1,2}" -> 1, 2
std::vector<std::uint32_t> parse_oids(const std::string& array) {
  std::vector<std::uint32_t> result;
  std::istringstream in(array.substr(1, array.size() - 2));
  for (std::string item; std::getline(in, item, ',');) result.push_back(static_cast<std::uint32_t>(std::stoul(item)));
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

  const auto columns = types.ask(
      "pgt_columns",
      // From PostgreSQL 18 on, attnotnull is also set by NOT NULL constraints that are not validated yet.
      "SELECT attnum, attname, atttypid, atttypmod, attcollation,\n"
      "       attnotnull AND NOT EXISTS (SELECT FROM pg_constraint n WHERE n.conrelid = attrelid AND n.contype = 'n'\n"
      "                                  AND NOT n.convalidated AND n.conkey = ARRAY[attnum]) AS attnotnull,\n"
      "       has_column_privilege($2::name, attrelid, attnum, 'SELECT') AS may_select\n"
      "FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
      source.relid, owner);
  std::vector<std::uint32_t> oids;
  for (const auto& column : columns) oids.push_back(column["atttypid"].as<std::uint32_t>());
  types.load(oids);
  for (const auto& column : columns) {
    SourceColumn col;
    col.attnum = static_cast<std::int16_t>(column["attnum"].as<int>());
    col.name = column["attname"].c_str();
    col.type = types.of_column(column["atttypid"].as<std::uint32_t>(), column["attcollation"].as<std::uint32_t>());
    col.typmod = column["atttypmod"].as<std::int32_t>();
    col.not_null = column["attnotnull"].as<bool>();
    // numeric(p,s) has one scale, so equal is same.
    if (col.type.base_oid == 1700 && col.typmod >= 0) col.type.identity = true;
    col.owner_may_select = column["may_select"].as<bool>();
    source.columns.push_back(std::move(col));
  }

  const auto indexes = types.ask(
      "pgt_indexes",
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

void load_functions(ServerTypes& types, const std::vector<FunctionKey>& keys, Catalog& catalog) {
  for (const auto& key : keys) {
    if (catalog.functions.count(key) != 0) continue;
    // An unqualified name of a canonical query is one of pg_catalog.
    const auto rows =
        types.ask("pgt_functions",
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

void load_operators(ServerTypes& types, const std::vector<FunctionKey>& keys, Catalog& catalog) {
  for (const auto& key : keys) {
    if (catalog.functions.count(key) != 0) continue;
    const auto rows = types.ask(
        "pgt_operators",
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

BuiltinTypes& ServerTypes::builtin() {
  auto& builtin = session_.builtin_types();
  if (builtin_checked_) return builtin;
  const std::string defined = session_.run_prepared(tx_, "pgt_type_rules", kTypeRules).at(0).at(0).c_str();
  if (defined != builtin.made_for) builtin = {defined, {}, {}};
  builtin_checked_ = true;
  return builtin;
}

void ServerTypes::load(const std::vector<std::uint32_t>& oids) {
  std::set<std::uint32_t> missing;
  for (const auto oid : oids) {
    if (known_.count(oid) != 0) continue;
    const auto& builtin_types = builtin().types;
    const auto found = builtin_types.find(oid);
    if (found == builtin_types.end())
      missing.insert(oid);
    else
      known_.insert(*found);
  }
  if (missing.empty()) return;
  const auto rows = session_.run_prepared(tx_, "pgt_types", kTypes, postgres::array_of(missing));
  for (const auto& row : rows) {
    ServerType type;
    type.info.oid = row["oid"].as<std::uint32_t>();
    type.info.base_oid = row["base"].as<std::uint32_t>();
    type.info.name = row["name"].c_str();
    type.info.equatable = row["equatable"].as<bool>();
    type.info.hashable = type.info.equatable && row["hashable"].as<bool>();
    type.info.builtin_operators = row["builtin"].as<bool>();
    type.info.identity = row["identity"].as<bool>();
    type.info.image = row["image"].c_str();
    type.info.indexable_image = row["indexable"].as<bool>();
    type.info.encoded_image = row["encoded"].as<bool>();
    type.info.fixed_width = row["fixed_width"].as<bool>();
    type.info.key_oid = row["key_oid"].as<std::uint32_t>();
    type.info.comparable = parse_oids(row["comparable"].c_str());
    type.is_pseudo = row["is_pseudo"].as<bool>();
    type.collation = row["typcollation"].as<std::uint32_t>();
    if (type.info.oid < kFirstUserOid) builtin().types[type.info.oid] = type;
    known_[type.info.oid] = std::move(type);
  }
}

const ServerType& ServerTypes::type(std::uint32_t oid) {
  load({oid});
  return known_.at(oid);
}

TypeInfo ServerTypes::of_column(std::uint32_t oid, std::uint32_t collation) {
  TypeInfo type = by_oid(oid);
  if (collation == 0) return type;
  auto known = collations_.find(collation);
  if (known == collations_.end()) {
    const auto row = session_
                         .run_prepared(tx_, "pgt_collation",
                                       "SELECT format('%I.%I', n.nspname, c.collname), NOT c.collisdeterministic\n"
                                       "FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace\n"
                                       "WHERE c.oid = $1",
                                       collation)
                         .at(0);
    known = collations_.emplace(collation, Collation{row[0].c_str(), row[1].as<bool>()}).first;
  }
  type.collation = known->second.name;
  type.loose_collation = known->second.loose;
  // Equality under a nondeterministic collation ignores case or accents.
  type.identity = type.identity && !type.loose_collation;
  return type;
}

std::pair<TypeInfo, TypeInfo> ServerTypes::compared_as(const TypeInfo& left, const TypeInfo& right) {
  const auto key = std::make_pair(left.base_oid, right.base_oid);
  const bool is_builtin = left.base_oid < kFirstUserOid && right.base_oid < kFirstUserOid;
  auto& operators = is_builtin ? builtin().operators : operators_;
  auto known = operators.find(key);
  if (known == operators.end()) {
    // Only a stored query tells which operator it is.
    run_as_owner(tx_, owner_,
                 "CREATE TEMPORARY VIEW pgtrickle_compared AS SELECT NULL::" + by_oid(left.base_oid).name +
                     " = NULL::" + by_oid(right.base_oid).name + " AS c");
    const auto row = tx_.exec1(
        "SELECT o.oprleft, o.oprright FROM pg_rewrite r JOIN pg_operator o\n"
        "  ON o.oid = substring(r.ev_action::text FROM ':opno (\\d+)')::oid\n"
        "WHERE r.ev_class = 'pg_temp.pgtrickle_compared'::regclass");
    tx_.exec("DROP VIEW pg_temp.pgtrickle_compared");
    known = operators.emplace(key, std::make_pair(row[0].as<std::uint32_t>(), row[1].as<std::uint32_t>())).first;
  }
  load({known->second.first, known->second.second});
  return {by_oid(known->second.first), by_oid(known->second.second)};
}

std::vector<std::uint32_t> ServerTypes::collations_of(const std::string& select, std::size_t count) {
  std::string names;
  for (std::size_t i = 1; i <= count; ++i) names += (i == 1 ? "c" : ", c") + std::to_string(i);
  run_as_owner(tx_, owner_, "CREATE TEMPORARY VIEW pgtrickle_described (" + names + ") AS " + select);
  std::vector<std::uint32_t> collations;
  for (const auto& column :
       tx_.exec("SELECT attcollation FROM pg_attribute\n"
                "WHERE attrelid = 'pg_temp.pgtrickle_described'::regclass AND attnum > 0 ORDER BY attnum"))
    collations.push_back(column[0].as<std::uint32_t>());
  tx_.exec("DROP VIEW pg_temp.pgtrickle_described");
  return collations;
}

namespace {

/// Literals of types that are not PostgreSQL's own become NULL, which has the same type: reading one could call a
/// function of the user's (as_owner.h).
std::string without_literals(const std::string& select) {
  if (select.find('\'') == std::string::npos) return select;
  auto tree = compiler::parse_select(select);
  bool changed = false;
  compiler::rewrite(tree, [&](compiler::Node& node) {
    if (!node.has_type_cast() || !node.type_cast().arg().has_a_const()) return false;
    const auto [schema, name] = compiler::qualified_name(node.type_cast().type_name().names());
    if (schema.empty() || schema == "pg_catalog") return false;
    auto* constant = node.mutable_type_cast()->mutable_arg()->mutable_a_const();
    constant->Clear();
    constant->set_isnull(true);
    changed = true;
    return true;
  });
  return changed ? compiler::deparse_select(tree) : select;
}

}  // namespace

// Statements and views are analysed, but not planned: no expression of the user's is evaluated, and no privilege is
// asked for on columns that only intermediate results have.
std::vector<TypeInfo> ServerTypes::column_types(const std::string& asked) {
  const std::string select = without_literals(asked);
  std::vector<std::uint32_t> oids;
  {
    const OwnerRole role(tx_, owner_);
    oids = session_.describe(select);
  }
  load(oids);
  const auto is = [&](auto what) {
    return std::any_of(oids.begin(), oids.end(), [&](auto oid) { return what(type(oid)); });
  };
  if (is([](const ServerType& type) { return type.is_pseudo; }))
    throw compiler::Unsupported("an intermediate result has no type that a table could have", {},
                                "Cast it to a named type.");
  std::vector<std::uint32_t> collations(oids.size(), 0);
  if (is([](const ServerType& type) { return type.collation != 0; })) collations = collations_of(select, oids.size());
  std::vector<TypeInfo> types;
  for (std::size_t i = 0; i < oids.size(); ++i) types.push_back(of_column(oids[i], collations.at(i)));
  return types;
}

// What is behind a view is read with the rights of the view's owner, unless the view says that the reader's count. A
// program reads it as the owner of the stream table: policies for either mean that PostgreSQL must do it.
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
    load_functions(types, refs.functions, catalog);
    load_operators(types, refs.operators, catalog);
    for (const auto& [schema, name] : refs.relations) {
      if (!seen.emplace(reading.reader, schema, name).second) continue;
      // A canonical query qualifies everything but pg_catalog's relations; a CTE's name finds nothing here.
      const auto rows = types.ask(
          "pgt_relation",
          "SELECT c.oid AS relid, n.nspname AS schema, c.relname AS name, c.relkind,\n"
          "       pgtrickle._row_security_applies(c.oid, r.oid) OR pgtrickle._row_security_applies(c.oid, o.oid)\n"
          "         AS row_security,\n"
          "       EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid) AS has_children,\n"
          "       EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_relid = c.oid) AS is_stream_table,\n"
          "       CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END AS definition,\n"
          "       CASE WHEN pgtrickle._is_security_invoker(c.oid) THEN r.rolname ELSE pg_get_userbyid(c.relowner) END "
          "AS reader,\n"
          "       CASE WHEN c.relkind IN ('r', 'p') THEN pgtrickle._not_capturable_for(c.oid, o.oid) END AS not_capturable\n"
          "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace\n"
          "CROSS JOIN (SELECT oid, rolname FROM pg_roles WHERE rolname = $3) r\n"
          "CROSS JOIN (SELECT oid FROM pg_roles WHERE rolname = $4) o\n"
          "WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
          schema, name, reading.reader, owner);
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
