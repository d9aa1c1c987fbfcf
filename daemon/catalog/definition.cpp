#include "catalog/definition.h"

#include <algorithm>
#include <exception>

#include "catalog/as_owner.h"
#include "catalog/outcome.h"
#include "compiler/sql/sql_text.h"
#include "postgres/array.h"

namespace pgtrickle::catalog {

using compiler::Program;

void load_event_triggers(ServerTypes& types, compiler::CompileRequest& request) {
  for (const auto& row : types.ask("pgt_event_triggers",
                                   "SELECT e.oid, e.xmin FROM pg_event_trigger e WHERE e.evtname IN ('pgtrickle_ddl', "
                                   "'pgtrickle_drop', 'pgtrickle_rewrite') AND "
                                   "pgtrickle._has_event_triggers() ORDER BY 1"))
    request.event_triggers.emplace_back(row[0].as<std::uint32_t>(), row[1].c_str());
}

std::string worker_role(pqxx::transaction_base& tx) {
  return tx.exec1("SELECT coalesce((SELECT c.worker_role FROM pgtrickle.pgt_control c), '')")[0].c_str();
}

std::string admin_role(pqxx::transaction_base& tx) {
  return tx.exec1("SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'pgtrickle'")[0].c_str();
}

std::vector<compiler::TargetColumn> table_columns(std::uint32_t relid, ServerTypes& types) {
  std::vector<compiler::TargetColumn> columns;
  for (const auto& row :
       types.ask("pgt_table_columns",
                 "SELECT attname, atttypid, format_type(atttypid, CASE WHEN atttypmod = -1 THEN -1 ELSE atttypmod "
                 "END), attcollation\n"
                 "FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
                 relid))
    columns.push_back(
        {row[0].c_str(), types.of_column(row[1].as<std::uint32_t>(), row[3].as<std::uint32_t>()), row[2].c_str()});
  return columns;
}

Definition load_definition(TableId pgt_id, ServerTypes& types, const compiler::Limits& limits) {
  const auto rows = types.ask(
      "pgt_definition",
      "SELECT s.pgt_relid, n.nspname, c.relname, pg_get_userbyid(c.relowner) AS owner, q.bytes,\n"
      "       CASE WHEN q.bytes <= $2 THEN s.defining_query END AS defining_query,\n"
      "       CASE WHEN q.bytes <= $2 THEN s.original_query END AS original_query,\n"
      "       s.refresh_mode, coalesce((s.options ->> 'wide_keys')::boolean, false) AS wide_keys,\n"
      "       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion)\n"
      "               AND i.indexrelid IS DISTINCT FROM to_regclass(format('%I.pgtrickle_%s_key', n.nspname, "
      "s.pgt_id))) AS user_keys,\n"
      "       EXISTS (SELECT FROM unnest(c.reloptions) AS o(option) WHERE o.option ~ '^fillfactor=') AS own_room,\n"
      "       (SELECT pg_get_userbyid(a.nspowner) FROM pg_namespace a WHERE a.nspname = 'pgtrickle') AS admin,\n"
      "       (SELECT p.worker_role FROM pgtrickle.pgt_control p) AS worker_role,\n"
      "       getdatabaseencoding() AS encoding, current_setting('server_version_num') AS version\n"
      "FROM pgtrickle.pgt_stream_tables s JOIN pg_class c ON c.oid = s.pgt_relid JOIN pg_namespace n ON n.oid = "
      "c.relnamespace\n"
      "CROSS JOIN LATERAL (SELECT greatest(octet_length(s.defining_query), octet_length(s.original_query))) AS "
      "q(bytes)\n"
      "WHERE s.pgt_id = $1",
      pgt_id, limits.query_bytes);
  if (rows.empty()) throw Gone{};
  const auto row = rows[0];
  compiler::check_size(row["bytes"].as<std::int64_t>(), limits);
  Definition d;
  d.relid = row["pgt_relid"].as<std::uint32_t>();
  d.refresh_mode = row["refresh_mode"].c_str();
  d.request.id = pgt_id;
  d.request.limits = limits;
  d.request.schema = row["nspname"].c_str();
  d.request.name = row["relname"].c_str();
  d.request.owner = row["owner"].c_str();
  d.request.query = row["defining_query"].c_str();
  d.original = row["original_query"].c_str();
  d.request.admin = row["admin"].c_str();
  d.request.worker_role = row["worker_role"].c_str();
  d.request.encoding = row["encoding"].c_str();
  d.request.server_version = row["version"].as<int>();
  d.request.force_full = d.refresh_mode == "FULL";
  d.request.immediate = d.refresh_mode == "IMMEDIATE";
  d.request.wide_keys = row["wide_keys"].as<bool>();
  d.request.user_keys = row["user_keys"].as<bool>();
  d.request.own_room = row["own_room"].as<bool>();
  d.relation = compiler::qualified(d.request.schema, d.request.name);
  for (const auto& setting : types.ask("pgt_settings",
                                       "SELECT e.key, e.value FROM pgtrickle.pgt_stream_tables s, "
                                       "jsonb_each_text(s.settings) e WHERE s.pgt_id = $1 ORDER BY 1",
                                       pgt_id))
    d.request.settings.emplace_back(setting[0].c_str(), setting[1].c_str());
  for (const auto& log : types.ask("pgt_logs", "SELECT relid, source_id FROM pgtrickle.pgt_sources"))
    d.request.log_ids.emplace_back(log[0].as<std::uint32_t>(), log[1].as<std::int64_t>());
  d.request.columns = table_columns(d.relid, types);
  load_event_triggers(types, d.request);
  return d;
}

std::optional<std::string> dropped_source(ServerTypes& types, TableId pgt_id) {
  const auto rows = types.ask(
      "pgt_dropped_source",
      "SELECT format('%s %I.%I was dropped', lower(replace(d.source_type, '_', ' ')), d.source_schema, d.source_name)\n"
      "FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = $1 AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = "
      "d.source_relid)\n"
      "  AND to_regclass(format('%I.%I', d.source_schema, d.source_name)) IS NULL\n"
      "UNION ALL\n"
      "SELECT format('column %I of %I.%I was dropped', u.was, d.source_schema, d.source_name)\n"
      "FROM pgtrickle.pgt_dependencies d CROSS JOIN LATERAL unnest(d.columns, d.column_names) AS u(num, was)\n"
      "JOIN pg_class c ON c.oid = d.source_relid\n"
      "LEFT JOIN pg_attribute a ON a.attrelid = d.source_relid AND (a.attnum = u.num OR a.attname = u.was) AND NOT "
      "a.attisdropped\n"
      "WHERE d.pgt_id = $1 AND a.attnum IS NULL LIMIT 1",
      pgt_id);
  if (rows.empty()) return std::nullopt;
  return std::string(rows[0][0].c_str());
}

bool names_changed(ServerTypes& types, TableId pgt_id) {
  return types
      .ask(
          "pgt_names_changed",
          "SELECT EXISTS (SELECT FROM pgtrickle.pgt_dependencies d JOIN pg_class c ON c.oid = d.source_relid\n"
          "               JOIN pg_namespace n ON n.oid = c.relnamespace\n"
          "               WHERE d.pgt_id = $1 AND ((n.nspname, c.relname) <> (d.source_schema, d.source_name)\n"
          "                  OR EXISTS (SELECT FROM unnest(d.columns, d.column_names) AS u(num, was) JOIN pg_attribute "
          "a\n"
          "                             ON a.attrelid = d.source_relid AND a.attnum = u.num WHERE NOT a.attisdropped "
          "AND a.attname <> u.was)))",
          pgt_id)
      .at(0)
      .at(0)
      .as<bool>();
}

void record_new_names(pqxx::transaction_base& tx, TableId pgt_id) {
  tx.exec_params(
      "UPDATE pgtrickle.pgt_dependencies d SET source_schema = n.nspname, source_name = c.relname, column_names =\n"
      "  (SELECT coalesce(array_agg(a.attname ORDER BY a.attnum), '{}') FROM pg_attribute a WHERE a.attrelid = "
      "c.oid AND a.attnum = ANY (d.columns))\n"
      "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE d.pgt_id = $1 AND c.oid = "
      "d.source_relid",
      pgt_id);
}

namespace {

/// Notes in `catalog` which sources the program cannot capture after all, because of the columns of them that it reads:
/// some are computed when read (PostgreSQL 18), which triggers do not see, or all of them are too wide for a change
/// log. True if there are any.
bool exclude_by_columns(ServerTypes& types, const Program& program, compiler::Catalog& catalog) {
  bool found = false;
  for (const auto& use : program.sources) {
    if (!use.captured) continue;
    for (const auto& row :
         types.ask("pgt_virtual_columns",
                   "SELECT attnum, quote_ident(attname) FROM pg_attribute WHERE attrelid = $1 AND attgenerated = 'v'",
                   use.relid)) {
      const auto attnum = static_cast<std::int16_t>(row[0].as<int>());
      if (std::find(use.columns.begin(), use.columns.end(), attnum) == use.columns.end()) continue;
      for (auto& [name, source] : catalog.sources)
        if (source.relid == use.relid)
          source.not_capturable = std::string("column ") + row[1].c_str() + " is a virtual generated column";
      found = true;
    }
    const auto wide = types.ask("pgt_too_wide", "SELECT pgtrickle._too_wide($1, $2::int2[])", use.relid,
                                postgres::array_of(use.columns))[0][0];
    if (wide.is_null()) continue;
    for (auto& [name, source] : catalog.sources)
      if (source.relid == use.relid) source.not_capturable = wide.c_str();
    found = true;
  }
  return found;
}
/// What the query reads that the program does not name: views, which may be replaced, gated, or part of a cycle; and,
/// if it is recomputed, what is behind them.
std::vector<compiler::SourceUse> also_read(ServerTypes& types, const Shape& shape, const Program& program) {
  std::vector<compiler::SourceUse> out;
  for (const auto& row :
       types.ask("pgt_also_read",
                 "SELECT v.relid, unnest(v.columns || 0::int2) FROM pgtrickle._view_sources($1::text::"
                 "regclass) v JOIN pg_class c ON c.oid = v.relid\n"
                 "WHERE c.relkind = 'v' OR NOT $2 ORDER BY 1, 2",
                 shape.view(), program.differential)) {
    const auto relid = row[0].as<std::uint32_t>();
    if (std::any_of(program.sources.begin(), program.sources.end(),
                    [&](const auto& use) { return use.relid == relid; }))
      continue;
    if (out.empty() || out.back().relid != relid) out.emplace_back().relid = relid;
    if (const auto column = row[1].as<int>(); column > 0)
      out.back().columns.push_back(static_cast<std::int16_t>(column));
  }
  return out;
}

}  // namespace

Shape::Shape(pqxx::transaction_base& tx, const Definition& d)
    : tx_(tx),
      view_("pg_temp.pgtrickle_shape_" + std::to_string(d.request.id)),
      exceptions_(std::uncaught_exceptions()) {
  run_as_owner(tx, d.request.owner, "CREATE TEMPORARY VIEW " + view_ + " AS " + d.request.query);
}

Shape::~Shape() {
  if (std::uncaught_exceptions() > exceptions_) return;  // it is rolled back
  try {
    tx_.exec("DROP VIEW " + view_);
  } catch (const pqxx::failure&) {  // the transaction has failed, and what follows will say so
  }
}

Compiled compile_definition(pqxx::transaction_base& tx, const Definition& d, ServerTypes& types, const Shape& shape) {
  types.use_owner(d.request.owner);
  auto catalog = load_catalog(tx, d.request.query, d.request.owner, types);
  Compiled out{compiler::compile(d.request, catalog, types), {}};
  if (exclude_by_columns(types, out.program, catalog)) out.program = compiler::compile(d.request, catalog, types);
  for (auto& use : also_read(types, shape, out.program)) out.program.sources.push_back(std::move(use));
  for (const auto& [name, source] : catalog.sources)
    if (!source.row_security) out.unrestricted.push_back(source.relid);
  return out;
}

}  // namespace pgtrickle::catalog
