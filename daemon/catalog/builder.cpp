#include "catalog/builder.h"

#include <algorithm>
#include <optional>
#include <pqxx/pqxx>
#include <stdexcept>
#include <vector>

#include "catalog/as_owner.h"
#include "catalog/cycles.h"
#include "catalog/errors.h"
#include "catalog/loader.h"
#include "catalog/requalify.h"
#include "compiler/compile.h"
#include "compiler/generate/sql_text.h"
#include "postgres/array.h"

namespace pgtrickle::catalog {

namespace {

using compiler::CompileRequest;
using compiler::Program;
using compiler::quote_ident;
using compiler::quote_literal;

/// Ends a build with an outcome that is recorded in the catalog.
struct BuildFailure : std::runtime_error {
  BuildFailure(std::string code, const std::string& message, std::string advice)
      : std::runtime_error(message), sqlstate(std::move(code)), hint(std::move(advice)) {}
  std::string sqlstate;
  std::string hint;
};

struct Gone {};

/// Ends a build that is to be tried again: a source is being loaded, its watermark is not aligned, the query is
/// altered.
struct Held {
  std::string reason;
};

struct Definition {
  CompileRequest request;
  std::string refresh_mode;
  std::uint32_t relid = 0;
  std::string relation;  // qualified, quoted
};

void prepare_session(pqxx::connection_base& connection) {
  pqxx::nontransaction tx(connection);
  tx.exec(
      "SET search_path = pg_catalog, pg_temp; SET jit = off; SET client_min_messages = warning; "
      // What a role or database may have been given for other sessions.
      "SET default_transaction_read_only = off; SET default_transaction_isolation = 'read committed'; "
      "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = '5min'; SET quote_all_identifiers = off; "
      "SET application_name = 'pgtrickled build'");
}

std::string admin_role(pqxx::transaction_base& tx) {
  return tx.exec1("SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'pgtrickle'")[0].c_str();
}

std::vector<compiler::TargetColumn> table_columns(pqxx::transaction_base& tx, std::uint32_t relid, ServerTypes& types) {
  std::vector<compiler::TargetColumn> columns;
  for (const auto& row :
       tx.exec_params("SELECT attname, atttypid, format_type(atttypid, CASE WHEN atttypmod = -1 THEN -1 ELSE atttypmod "
                      "END), attcollation\n"
                      "FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
                      relid))
    columns.push_back(
        {row[0].c_str(), types.of_column(row[1].as<std::uint32_t>(), row[3].as<std::uint32_t>()), row[2].c_str()});
  return columns;
}

Definition load_definition(pqxx::transaction_base& tx, std::int64_t pgt_id, ServerTypes& types,
                           const compiler::Limits& limits) {
  const auto rows = tx.exec_params(
      "SELECT s.pgt_relid, n.nspname, c.relname, pg_get_userbyid(c.relowner) AS owner, s.defining_query, "
      "s.original_query,\n"
      "       s.refresh_mode, coalesce((s.options ->> 'wide_keys')::boolean, false) AS wide_keys\n"
      "FROM pgtrickle.pgt_stream_tables s JOIN pg_class c ON c.oid = s.pgt_relid JOIN pg_namespace n ON n.oid = "
      "c.relnamespace\n"
      "WHERE s.pgt_id = $1",
      pgt_id);
  if (rows.empty()) throw Gone{};
  const auto row = rows[0];
  Definition d;
  d.relid = row["pgt_relid"].as<std::uint32_t>();
  d.refresh_mode = row["refresh_mode"].c_str();
  d.request.id = pgt_id;
  d.request.limits = limits;
  d.request.schema = row["nspname"].c_str();
  d.request.name = row["relname"].c_str();
  d.request.owner = row["owner"].c_str();
  d.request.query = row["defining_query"].c_str();
  d.request.admin = admin_role(tx);
  d.request.encoding = tx.exec1("SELECT getdatabaseencoding()")[0].c_str();
  d.request.force_full = d.refresh_mode == "FULL";
  d.request.wide_keys = row["wide_keys"].as<bool>();
  d.relation = compiler::qualified(d.request.schema, d.request.name);
  for (const auto& setting : tx.exec_params("SELECT e.key, e.value FROM pgtrickle.pgt_stream_tables s, "
                                            "jsonb_each_text(s.settings) e WHERE s.pgt_id = $1 ORDER BY 1",
                                            pgt_id))
    d.request.settings.emplace_back(setting[0].c_str(), setting[1].c_str());
  for (const auto& log : tx.exec("SELECT relid, source_id FROM pgtrickle.pgt_sources"))
    d.request.log_ids.emplace_back(log[0].as<std::uint32_t>(), log[1].as<std::int64_t>());
  d.request.columns = table_columns(tx, d.relid, types);
  return d;
}

/// The reason, if a relation or column that the query was built on is not there any more. One of the same name that
/// took its place will do.
std::optional<std::string> dropped_source(pqxx::transaction_base& tx, std::int64_t pgt_id) {
  const auto rows = tx.exec_params(
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

bool names_changed(pqxx::transaction_base& tx, std::int64_t pgt_id) {
  return tx
      .exec_params1(
          "SELECT EXISTS (SELECT FROM pgtrickle.pgt_dependencies d JOIN pg_class c ON c.oid = d.source_relid\n"
          "               JOIN pg_namespace n ON n.oid = c.relnamespace\n"
          "               WHERE d.pgt_id = $1 AND ((n.nspname, c.relname) <> (d.source_schema, d.source_name)\n"
          "                  OR EXISTS (SELECT FROM unnest(d.columns, d.column_names) AS u(num, was) JOIN pg_attribute "
          "a\n"
          "                             ON a.attrelid = d.source_relid AND a.attnum = u.num WHERE NOT a.attisdropped "
          "AND a.attname <> u.was)))",
          pgt_id)[0]
      .as<bool>();
}

/// Notes in `catalog` which sources the program cannot capture after all, because it reads columns of them that are
/// computed when read (PostgreSQL 18): triggers do not see those. True if there are any.
bool exclude_virtual_columns(pqxx::transaction_base& tx, const Program& program, compiler::Catalog& catalog) {
  bool found = false;
  for (const auto& use : program.sources) {
    if (!use.captured) continue;
    for (const auto& row : tx.exec_params(
             "SELECT attnum, quote_ident(attname) FROM pg_attribute WHERE attrelid = $1 AND attgenerated = 'v'",
             use.relid)) {
      const auto attnum = static_cast<std::int16_t>(row[0].as<int>());
      if (std::find(use.columns.begin(), use.columns.end(), attnum) == use.columns.end()) continue;
      for (auto& [name, source] : catalog.sources)
        if (source.relid == use.relid)
          source.not_capturable = std::string("column ") + row[1].c_str() + " is a virtual generated column";
      found = true;
    }
  }
  return found;
}

/// A view of the query, so that PostgreSQL says what it makes of it. The caller drops it.
std::string make_shape(pqxx::transaction_base& tx, const Definition& d) {
  const std::string view = "pgtrickle_state.shape_" + std::to_string(d.request.id);
  run_as_owner(tx, d.request.owner, "CREATE VIEW " + view + " AS " + d.request.query);
  return view;
}

/// What the query reads that the program does not name: views, which may be replaced, gated, or part of a cycle; and,
/// if it is recomputed, what is behind them.
std::vector<compiler::SourceUse> also_read(pqxx::transaction_base& tx, const Definition& d, const Program& program) {
  const std::string view = make_shape(tx, d);
  std::vector<compiler::SourceUse> out;
  for (const auto& row : tx.exec_params("SELECT v.relid, unnest(v.columns || 0::int2) FROM pgtrickle._view_sources($1::"
                                        "regclass) v JOIN pg_class c ON c.oid = v.relid\n"
                                        "WHERE c.relkind = 'v' OR NOT $2 ORDER BY 1, 2",
                                        view, program.differential)) {
    const auto relid = row[0].as<std::uint32_t>();
    if (std::any_of(program.sources.begin(), program.sources.end(),
                    [&](const auto& use) { return use.relid == relid; }))
      continue;
    if (out.empty() || out.back().relid != relid) out.emplace_back().relid = relid;
    if (const auto column = row[1].as<int>(); column > 0)
      out.back().columns.push_back(static_cast<std::int16_t>(column));
  }
  tx.exec("DROP VIEW " + view);
  return out;
}

/// Its sources are all that the query reads.
Program compile_definition(pqxx::transaction_base& tx, const Definition& d, ServerTypes& types) {
  types.use_owner(d.request.owner);
  auto catalog = load_catalog(tx, d.request.query, d.request.owner, types);
  auto program = compiler::compile(d.request, catalog, types);
  if (exclude_virtual_columns(tx, program, catalog)) program = compiler::compile(d.request, catalog, types);
  for (auto& use : also_read(tx, d, program)) program.sources.push_back(std::move(use));
  return program;
}

/// Drops the key and the index that an earlier program gave the table. A primary key leaves NOT NULL behind, which the
/// query may not keep.
void drop_indexes(pqxx::transaction_base& tx, const Definition& d) {
  const std::string base = "pgtrickle_" + std::to_string(d.request.id);
  const auto columns = tx.exec_params(
      "SELECT a.attname FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = ANY "
      "(k.conkey)\n"
      "WHERE k.conrelid = $1 AND k.conname = $2 AND k.contype = 'p'",
      d.relid, base + "_key");
  tx.exec("ALTER TABLE " + d.relation + " DROP CONSTRAINT IF EXISTS " + base + "_key");
  for (const auto& column : columns)
    tx.exec("ALTER TABLE " + d.relation + " ALTER COLUMN " + quote_ident(column[0].c_str()) + " DROP NOT NULL");
  tx.exec("DROP INDEX IF EXISTS " + compiler::qualified(d.request.schema, base + "_key") + ", " +
          compiler::qualified(d.request.schema, base + "_hash"));
}

/// Makes the table's column types those of the query. True if something had to change (the rows are gone then).
bool align_table(pqxx::transaction_base& tx, const Definition& d) {
  // A view tells what CREATE TABLE AS would make of the query.
  const std::string view = make_shape(tx, d);
  const auto differing = tx.exec_params(
      "SELECT t.attname, format_type(v.atttypid, v.atttypmod) FROM pg_attribute t\n"
      "JOIN LATERAL (SELECT a.atttypid, a.atttypmod, a.attcollation, row_number() OVER (ORDER BY a.attnum) AS n FROM "
      "pg_attribute a\n"
      "              WHERE a.attrelid = to_regclass($2) AND a.attnum > 0) v\n"
      "  ON v.n = (SELECT count(*) FROM pg_attribute b WHERE b.attrelid = t.attrelid AND b.attnum > 0 AND b.attnum <= "
      "t.attnum AND NOT b.attisdropped)\n"
      "WHERE t.attrelid = $1 AND t.attnum > 0 AND NOT t.attisdropped AND (t.atttypid, t.atttypmod) <> (v.atttypid, "
      "v.atttypmod)",
      d.relid, view);
  tx.exec("DROP VIEW " + view);
  if (differing.empty()) return false;
  drop_indexes(tx, d);
  tx.exec("SET LOCAL pgtrickle.apply = " + quote_literal(std::to_string(d.request.id)));
  std::string statements = "DELETE FROM " + d.relation;
  for (const auto& row : differing)
    statements += ";\nALTER TABLE " + d.relation + " ALTER COLUMN " + quote_ident(row[0].c_str()) + " TYPE " +
                  row[1].c_str() + " USING NULL::" + row[1].c_str();
  run_as_owner(tx, d.request.owner, statements);
  return true;
}

void drop_program(pqxx::transaction_base& tx, std::int64_t id) {
  for (const auto& row : tx.exec_params("SELECT format('DROP FUNCTION %s', p.oid::regprocedure) FROM pg_proc p\n"
                                        "WHERE p.pronamespace = 'pgtrickle_state'::regnamespace AND p.proname ~ "
                                        "format('^(refresh|apply)_%s(_small)?$', $1::bigint)\n"
                                        "UNION ALL\n"
                                        "SELECT format('DROP TABLE pgtrickle_state.%I', c.relname) FROM pg_class c\n"
                                        "WHERE c.relnamespace = 'pgtrickle_state'::regnamespace AND c.relkind = 'r'\n"
                                        "  AND c.relname ~ format('^(node|delta)_%s_[0-9]+$', $1::bigint)",
                                        id))
    tx.exec(row[0].c_str());
}

void create_program(pqxx::transaction_base& tx, const Definition& d, const Program& program) {
  drop_program(tx, d.request.id);
  drop_indexes(tx, d);
  tx.exec("SET LOCAL pgtrickle.apply = " + quote_literal(std::to_string(d.request.id)));
  std::string owner_ddl;
  for (const auto& statement : program.owner_ddl) owner_ddl += statement + ";\n";
  run_as_owner(tx, d.request.owner, owner_ddl);
  tx.exec("SET LOCAL ROLE " + quote_ident(d.request.admin));
  for (const auto& statement : program.admin_ddl) tx.exec(statement);
  tx.exec("RESET ROLE");
}

/// The names by which the definition knows what it reads, as recorded: relations by OID, columns by OID and number.
constexpr const char* kRecordedNames =
    "(SELECT d.source_relid::text AS key, format('%I.%I', d.source_schema, d.source_name) AS name FROM "
    "pgtrickle.pgt_dependencies d WHERE d.pgt_id = $1\n"
    " UNION ALL SELECT d.source_relid || '.' || u.num, u.was FROM pgtrickle.pgt_dependencies d\n"
    " CROSS JOIN LATERAL unnest(d.columns, d.column_names) AS u(num, was) WHERE d.pgt_id = $1)";

/// What the stream table reads. Columns that the query only mentions stay as recorded at its definition: the program
/// has no use for them, but the text has their names. The frontier is cleared with it: it belonged to another program
/// or another log. Throws Held if something was renamed since the query was compiled: recorded by its new name it would
/// never be noticed that the definition has the old one.
void record_dependencies(pqxx::transaction_base& tx, const Definition& d, const Program& program) {
  const std::string names =
      tx.exec_params1(
            std::string("SELECT coalesce(jsonb_object_agg(r.key, r.name), '{}') FROM ") + kRecordedNames + " r",
            d.request.id)[0]
          .c_str();
  // A query that cannot be parsed keeps what PostgreSQL recorded for it at creation.
  if (!program.sources.empty())
    tx.exec_params("DELETE FROM pgtrickle.pgt_dependencies WHERE pgt_id = $1", d.request.id);
  for (const auto& use : program.sources) {
    tx.exec_params(
        "INSERT INTO pgtrickle.pgt_dependencies (pgt_id, source_relid, source_type, source_id, columns, column_names, "
        "source_schema, source_name)\n"
        "SELECT $1, c.oid, CASE WHEN EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_relid = c.oid) THEN "
        "'STREAM_TABLE'\n"
        "         ELSE CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED_TABLE' WHEN 'v' THEN 'VIEW'\n"
        "                             WHEN 'm' THEN 'MATERIALIZED_VIEW' ELSE 'FOREIGN_TABLE' END END,\n"
        "       (SELECT x.source_id FROM pgtrickle.pgt_sources x WHERE x.relid = c.oid AND $3), u.columns,\n"
        "       (SELECT coalesce(array_agg(a.attname ORDER BY a.attnum), '{}') FROM pg_attribute a\n"
        "        WHERE a.attrelid = c.oid AND a.attnum = ANY (u.columns)), n.nspname, c.relname\n"
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,\n"
        "     (SELECT coalesce(array_agg(DISTINCT x.num ORDER BY x.num), '{}') AS columns FROM (\n"
        "        SELECT unnest($4::int2[]) AS num UNION ALL SELECT a.attnum FROM pg_attribute a\n"
        "        WHERE a.attrelid = $2 AND NOT a.attisdropped AND $5::jsonb ? ($2 || '.' || a.attnum)) x) u WHERE "
        "c.oid = "
        "$2",
        d.request.id, use.relid, use.captured, postgres::array_of(use.columns), names);
  }
  const auto renamed = tx.exec_params(std::string("SELECT $2::jsonb ->> r.key FROM ") + kRecordedNames +
                                          " r WHERE $2::jsonb ->> r.key <> r.name LIMIT 1",
                                      d.request.id, names);
  if (!renamed.empty()) throw Held{std::string(renamed[0][0].c_str()) + " was renamed just now"};
  tx.exec_params("UPDATE pgtrickle.pgt_frontiers SET snapshot = NULL, xid = NULL, seq = NULL WHERE pgt_id = $1",
                 d.request.id);
}

void record_program(pqxx::transaction_base& tx, const Definition& d, const Program& program) {
  record_dependencies(tx, d, program);
  tx.exec_params(
      "UPDATE pgtrickle.pgt_stream_tables SET effective_refresh_mode = $2, reason = nullif($3, ''), plan = $4, "
      "       pgt_schema = $5, pgt_name = $6, definite_query = nullif($7, ''), non_monotone = nullif($8, '')\n"
      "WHERE pgt_id = $1",
      d.request.id, program.differential ? "DIFFERENTIAL" : "FULL", program.reason, program.plan, d.request.schema,
      d.request.name, program.definite_query, program.non_monotone);
}

class Builder {
 public:
  Builder(const std::string& conninfo, std::int64_t pgt_id, const BuildSettings& settings)
      : connection_(conninfo), id_(pgt_id), settings_(settings) {
    prepare_session(connection_);
  }

  BuildResult build() {
    start();
    compile();
    install_capture();
    bool replace_content = realigned_;
    if (!replace_content) {
      try {
        pqxx::work tx(connection_);
        lock_grants(tx);
        lock_frontier(tx);
        lock_row(tx);
        create_in(tx);
        tx.commit();
      } catch (const pqxx::unique_violation&) {
        replace_content = true;  // the old content does not fit the new key
      }
    }
    {
      pqxx::transaction<pqxx::repeatable_read> tx(connection_);
      tx.exec("SELECT pgtrickle._enter_unit()");  // not while the database is paused or drained
      if (replace_content) lock_grants(tx);
      lock_frontier(tx);
      // With a change of the table itself, all of it is one transaction, so that readers never see it empty.
      if (replace_content) {
        lock_row(tx);
        empty_table(tx);
        create_in(tx);
      }
      initialise_in(tx);
      tx.commit();
    }
    BuildResult result;
    result.status = BuildStatus::kActive;
    result.message = program_.differential ? "DIFFERENTIAL" : "FULL: " + program_.reason;
    return result;
  }

  void record_error(const std::string& sqlstate, const std::string& message, const std::string& hint) {
    pqxx::work tx(connection_);
    lock_frontier(tx);
    tx.exec_params(
        "UPDATE pgtrickle.pgt_stream_tables SET status = 'ERROR', last_error = $2, last_error_code = $3, "
        "last_error_hint = nullif($4, ''),\n"
        "       last_error_at = clock_timestamp(), consecutive_errors = consecutive_errors + 1 WHERE pgt_id = $1",
        id_, message, sqlstate, hint);
    tx.commit();
  }

 private:
  // Locks of a build, in this order and before anything that waits for the lock of a table or of another row. Else it
  // could meet a drop, an alter, or another build in a deadlock.

  /// Two builds that grant something on the same object at once would fail with "tuple concurrently updated". Who waits
  /// for this one holds nothing.
  static void lock_grants(pqxx::transaction_base& tx) { tx.exec("SELECT pg_advisory_xact_lock(1885828212, 0)"); }

  /// The first lock of everybody else who writes about the stream table: so dropping it waits for the transactions of
  /// its build, or is what they find.
  void lock_frontier(pqxx::transaction_base& tx) const {
    if (tx.exec_params("SELECT FROM pgtrickle.pgt_frontiers WHERE pgt_id = $1 FOR UPDATE", id_).empty()) throw Gone{};
  }

  /// For short transactions: nobody can alter the stream table meanwhile.
  void lock_row(pqxx::transaction_base& tx) const {
    tx.exec_params("SELECT FROM pgtrickle.pgt_stream_tables WHERE pgt_id = $1 FOR NO KEY UPDATE", id_);
  }

  /// Marks the row, so that a crash leaves something to resume, and notes the generation that this build answers.
  void start() {
    pqxx::work tx(connection_);
    lock_grants(tx);
    lock_frontier(tx);
    const auto rows = tx.exec_params(
        "UPDATE pgtrickle.pgt_stream_tables SET status = 'INITIALIZING' WHERE pgt_id = $1 RETURNING generation", id_);
    if (rows.empty()) throw Gone{};
    generation_ = rows[0][0].as<std::int64_t>();
    let_owner_in(tx);
    tx.commit();
  }

  /// The owner keeps state tables and functions in pgtrickle_state, and reads logs.
  void let_owner_in(pqxx::transaction_base& tx) {
    for (const auto& row :
         tx.exec_params("SELECT format('GRANT %s ON SCHEMA %I TO %I', g.rights, g.schema, r.rolname) FROM "
                        "pgtrickle.pgt_stream_tables s\n"
                        "JOIN pg_class c ON c.oid = s.pgt_relid JOIN pg_roles r ON r.oid = c.relowner\n"
                        "CROSS JOIN (VALUES ('USAGE, CREATE', 'pgtrickle_state'), ('USAGE', 'pgtrickle_changes')) AS "
                        "g(rights, schema)\n"
                        "WHERE s.pgt_id = $1 AND NOT (has_schema_privilege(r.oid, g.schema, 'USAGE')\n"
                        "  AND (g.schema <> 'pgtrickle_state' OR has_schema_privilege(r.oid, g.schema, 'CREATE')))",
                        id_))
      tx.exec(row[0].c_str());
  }

  void compile() {
    pqxx::work tx(connection_);
    ServerTypes types(tx);
    Definition d = load_definition(tx, id_, types, settings_.limits);
    compiler::check_nesting(d.request.query, d.request.limits);  // the server might not take its own text any more
    if (const auto reason = dropped_source(tx, id_))
      throw BuildFailure("42P01", *reason, "Restore it and resume the stream table, or drop the stream table.");
    if (names_changed(tx, id_)) {
      lock_frontier(tx);
      const std::string was = d.request.query;
      d.request.query = requalified_definition(tx, id_, d.request.owner, was);
      const auto renamed = tx.exec_params(
          "UPDATE pgtrickle.pgt_stream_tables SET defining_query = $2 WHERE pgt_id = $1 AND defining_query = $3", id_,
          d.request.query, was);
      if (renamed.affected_rows() == 0) throw Held{"its query is being altered"};
      // Dependencies are recorded in the old names until the program is: note the new ones with the new text.
      tx.exec_params(
          "UPDATE pgtrickle.pgt_dependencies d SET source_schema = n.nspname, source_name = c.relname, column_names =\n"
          "  (SELECT coalesce(array_agg(a.attname ORDER BY a.attnum), '{}') FROM pg_attribute a WHERE a.attrelid = "
          "c.oid AND a.attnum = ANY (d.columns))\n"
          "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE d.pgt_id = $1 AND c.oid = "
          "d.source_relid",
          id_);
    }
    tx.exec("SAVEPOINT align");
    realigned_ = align_table(tx, d);
    if (realigned_) d.request.columns = table_columns(tx, d.relid, types);
    tx.exec("ROLLBACK TO SAVEPOINT align");  // the table itself is changed together with its content, later
    Program program = compile_definition(tx, d, types);
    if (!program.differential && d.refresh_mode == "DIFFERENTIAL")
      throw BuildFailure("0A000", "refresh mode DIFFERENTIAL is not possible: " + program.reason,
                         program.hint.empty() ? "Use AUTO or FULL, which recompute the query." : program.hint);
    refuse_cycle(tx, program);
    tx.commit();
    program_ = std::move(program);
  }

  void refuse_cycle(pqxx::transaction_base& tx, const Program& program) const {
    if (const auto cycle = forbidden_cycle(tx, id_, program)) throw BuildFailure("42P17", cycle->message, cycle->hint);
  }

  /// Before the initial snapshot is taken, the logs must know their new consumer: rotation spares what it may need.
  void install_capture() {
    for (const auto& use : program_.sources) {
      if (!use.captured) continue;
      pqxx::work tx(connection_);
      tx.exec("SET LOCAL lock_timeout = " + std::to_string(settings_.lock_timeout_ms));
      tx.exec_params1("SELECT pgtrickle._install_capture($1, $2::int2[])", use.relid, postgres::array_of(use.columns));
      tx.commit();
    }
    pqxx::work tx(connection_);
    lock_frontier(tx);
    lock_row(tx);
    ServerTypes types(tx);
    record_dependencies(tx, load_definition(tx, id_, types, settings_.limits), program_);
    tx.commit();
  }

  void empty_table(pqxx::transaction_base& tx) {
    ServerTypes types(tx);
    const Definition d = load_definition(tx, id_, types, settings_.limits);
    // Programs that read it are made for its types. Capture tells only those that are captured, and event triggers.
    if (align_table(tx, d))
      tx.exec_params(
          "SELECT pgtrickle._mark_reinit(array_agg(r.pgt_id), format('the types of the columns of %s were changed', "
          "$2::text))\n"
          "FROM pgtrickle.pgt_dependencies r WHERE r.source_relid = $1 AND r.pgt_id <> $3",
          d.relid, d.relation, id_);
    tx.exec("SET LOCAL pgtrickle.apply = " + quote_literal(std::to_string(id_)));
    run_as_owner(tx, d.request.owner, "DELETE FROM " + d.relation);
  }

  /// Compiles again, now that the logs exist, and creates the program.
  void create_in(pqxx::transaction_base& tx) {
    ServerTypes types(tx);
    const Definition d = load_definition(tx, id_, types, settings_.limits);
    program_ = compile_definition(tx, d, types);
    refuse_cycle(tx, program_);  // by now the dependencies of others that are built at the same time may be known
    create_program(tx, d, program_);
    record_program(tx, d, program_);
  }

  void initialise_in(pqxx::transaction_base& tx) {
    if (settings_.statement_timeout_ms > 0)
      tx.exec("SET LOCAL statement_timeout = " + std::to_string(settings_.statement_timeout_ms));
    const auto held = tx.exec_params1("SELECT pgtrickle._hold_reason($1)", id_)[0];
    if (!held.is_null()) throw Held{held.c_str()};
    const std::string refresh = "SELECT * FROM pgtrickle_state.refresh_" + std::to_string(id_);
    const auto started = tx.exec1("SELECT clock_timestamp()")[0];
    const auto full = tx.exec1(refresh + "('full')");
    // Run the delta program once on nothing: whatever is wrong with it shows now and not at three in the morning.
    if (program_.differential) tx.exec1(refresh + "('differential')");
    pin_settings(tx);
    const auto table = tx.exec_params1(
        "SELECT pgtrickle._qualified(c.oid), pg_get_userbyid(c.relowner) FROM pgtrickle.pgt_stream_tables s\n"
        "JOIN pg_class c ON c.oid = s.pgt_relid WHERE s.pgt_id = $1",
        id_);
    const std::string rows =
        value_as_owner(tx, table[1].c_str(), std::string("SELECT count(*) FROM ") + table[0].c_str());
    tx.exec_params(
        "UPDATE pgtrickle.pgt_frontiers f SET rows = $2::bigint"
        ",\n  full_threshold = coalesce(f.full_threshold, (SELECT greatest(1000, (0.5 * sum(greatest(c.reltuples, "
        "0)))::bigint)\n"
        "    FROM pgtrickle.pgt_dependencies d JOIN pg_class c ON c.oid = d.source_relid WHERE d.pgt_id = "
        "f.pgt_id))\n"
        "WHERE f.pgt_id = $1",
        id_, rows);
    tx.exec_params(
        "INSERT INTO pgtrickle.pgt_refresh_history (pgt_id, data_timestamp, start_time, end_time, action, status, "
        "delta_rows, rows_inserted,\n"
        "       rows_updated, rows_deleted, duration_ms, initiated_by)\n"
        "VALUES ($1, now(), $2, clock_timestamp(), 'FULL', 'COMPLETED', 0, $3, $4, $5, extract(epoch FROM "
        "clock_timestamp() - $2::timestamptz) * 1000, 'INITIAL')",
        id_, started.c_str(), full["rows_inserted"].as<std::int64_t>(), full["rows_updated"].as<std::int64_t>(),
        full["rows_deleted"].as<std::int64_t>());
    tx.exec_params(
        "UPDATE pgtrickle.pgt_stream_tables SET status = CASE WHEN status = 'INITIALIZING' THEN 'ACTIVE' ELSE status "
        "END, is_populated = true,\n"
        "       needs_reinit = needs_reinit AND generation <> $2, reinit_reason = CASE WHEN generation <> $2 THEN "
        "reinit_reason END, consecutive_errors = 0, last_error = NULL, last_error_code = NULL,\n"
        "       last_error_hint = NULL, last_error_at = NULL, fuse_blown_at = NULL, "
        "fuse_blow_reason "
        "= NULL, fuse_reset = NULL\n"
        "WHERE pgt_id = $1",
        id_, generation_);
    tx.exec("SELECT pg_notify('pgtrickle_wake', '')");
  }

  pqxx::connection connection_;
  std::int64_t id_;
  BuildSettings settings_;
  Program program_;
  std::int64_t generation_ = 0;
  bool realigned_ = false;  // the query's column types are not those of the table any more
};

template <typename Work>
BuildResult guarded(Work work) {
  BuildResult result;
  try {
    return work();
  } catch (const Gone&) {
    result.status = BuildStatus::kGone;
  } catch (const Held& held) {
    result.status = BuildStatus::kRetry;
    result.message = held.reason;
  } catch (const pqxx::sql_error& e) {
    const auto error = server_error(e);
    const bool concurrent_ddl =
        error.sqlstate == "XX000" && error.message.find("concurrently updated") != std::string::npos;
    const bool paused = error.sqlstate == "TR001";
    result.status = is_passing(error.sqlstate) || concurrent_ddl || paused ? BuildStatus::kRetry : BuildStatus::kError;
    result.sqlstate = error.sqlstate;
    result.message = error.message;
    if (!error.detail.empty()) result.message += " (" + error.detail + ")";
    result.hint = error.hint;
  } catch (const pqxx::failure& e) {  // connection trouble
    result.status = BuildStatus::kRetry;
    result.sqlstate = "08006";
    result.message = e.what();
  } catch (const BuildFailure& e) {
    result.status = BuildStatus::kError;
    result.sqlstate = e.sqlstate;
    result.message = e.what();
    result.hint = e.hint;
  } catch (const compiler::Unsupported& e) {
    result.status = BuildStatus::kError;
    result.sqlstate = "0A000";
    result.message = e.what();
    if (!e.fragment().empty()) result.message += ": " + e.fragment();
    result.hint = e.hint();
  } catch (const std::exception& e) {  // a broken invariant of ours must not take the other stream tables down
    result.status = BuildStatus::kError;
    result.sqlstate = "XX000";
    result.message = std::string("internal error: ") + e.what();
    result.hint = "This is a bug in pgtrickle: please report it with the query. refresh_mode FULL may work meanwhile.";
  }
  return result;
}

}  // namespace

BuildResult build_stream_table(const std::string& conninfo, std::int64_t pgt_id, const BuildSettings& settings) {
  std::optional<Builder> builder;
  BuildResult result = guarded([&] {
    builder.emplace(conninfo, pgt_id, settings);
    return builder->build();
  });
  // An index page could not take a key: identify rows by their hash instead, and start over.
  if (result.status == BuildStatus::kError && result.sqlstate == "54000" && builder) {
    pqxx::connection connection(conninfo);
    pqxx::work tx(connection);
    const auto changed = tx.exec_params(
        "UPDATE pgtrickle.pgt_stream_tables SET options = options || '{\"wide_keys\": true}'\n"
        "WHERE pgt_id = $1 AND NOT coalesce((options ->> 'wide_keys')::boolean, false)",
        pgt_id);
    tx.commit();
    if (changed.affected_rows() > 0) return build_stream_table(conninfo, pgt_id, settings);
  }
  if (result.status == BuildStatus::kError && builder) {
    BuildResult recorded = guarded([&] {
      builder->record_error(result.sqlstate, result.message, result.hint);
      return result;
    });
    if (recorded.status == BuildStatus::kRetry || recorded.status == BuildStatus::kGone) return recorded;
  }
  return result;
}

int collect_garbage(const std::string& conninfo, const BuildSettings& settings) {
  int removed = 0;
  pqxx::connection connection(conninfo);
  prepare_session(connection);
  auto attempt = [&](auto work) {
    try {
      pqxx::work tx(connection);
      tx.exec("SET LOCAL lock_timeout = " + std::to_string(settings.lock_timeout_ms));
      removed += work(tx);
      tx.commit();
    } catch (const pqxx::sql_error& e) {
      if (!is_passing(e.sqlstate())) throw;        // otherwise: next time
    } catch (const pqxx::transaction_rollback&) {  // serialization failure, deadlock: next time
    }
  };
  attempt([](pqxx::transaction_base& tx) {
    return static_cast<int>(tx.exec("DELETE FROM pgtrickle.pgt_stream_tables s\n"
                                    "WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = s.pgt_relid)")
                                .affected_rows());
  });
  std::vector<std::int64_t> programs;
  std::vector<std::int64_t> sources;
  std::vector<std::pair<std::string, std::string>> deltas;  // table, owner
  {
    pqxx::work tx(connection);
    for (const auto& row : tx.exec(
             "SELECT DISTINCT o.id FROM (\n"
             "  SELECT substring(p.proname FROM '^(?:refresh|apply)_([0-9]+)')::bigint AS id FROM pg_proc p WHERE "
             "p.pronamespace = 'pgtrickle_state'::regnamespace\n"
             "  UNION ALL\n"
             "  SELECT substring(c.relname FROM '^(?:node|delta)_([0-9]+)_')::bigint FROM pg_class c WHERE "
             "c.relnamespace = 'pgtrickle_state'::regnamespace) o\n"
             "WHERE o.id IS NOT NULL AND NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = o.id)"))
      programs.push_back(row[0].as<std::int64_t>());
    for (const auto& row :
         tx.exec("SELECT s.source_id FROM pgtrickle.pgt_sources s\n"
                 "WHERE NOT EXISTS (SELECT FROM pgtrickle.pgt_dependencies d WHERE d.source_id = s.source_id)\n"
                 // a program that is being built has installed capture but not recorded it yet
                 "  AND NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables t WHERE t.status IN ('PENDING', "
                 "'INITIALIZING'))"))
      sources.push_back(row[0].as<std::int64_t>());
    // Output deltas of inner nodes: only the refresh that wrote them reads them.
    for (const auto& row :
         tx.exec("SELECT c.oid::regclass::text, pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.relnamespace = "
                 "'pgtrickle_state'::regnamespace\n"
                 "  AND c.relkind = 'r' AND c.relname ~ '^delta_[0-9]+_[0-9]+$' AND pg_relation_size(c.oid) > 262144\n"
                 // those of dropped stream tables go with their program
                 "  AND EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s\n"
                 "              WHERE s.pgt_id = substring(c.relname FROM '^delta_([0-9]+)_')::bigint)"))
      deltas.emplace_back(row[0].c_str(), row[1].c_str());
  }
  for (const auto id : programs)
    attempt([&](pqxx::transaction_base& tx) {
      drop_program(tx, id);
      return 1;
    });
  for (const auto id : sources)
    attempt([&](pqxx::transaction_base& tx) {
      tx.exec_params("SELECT pgtrickle._uninstall_capture($1)", id);
      return 1;
    });
  for (const auto& delta : deltas)
    attempt([&](pqxx::transaction_base& tx) {
      run_as_owner(tx, delta.second, "TRUNCATE " + delta.first);
      return 0;
    });
  return removed;
}

ValidateResult validate_query(const std::string& conninfo, const std::string& query, const compiler::Limits& limits) {
  ValidateResult result;
  const BuildResult outcome = guarded([&] {
    pqxx::connection connection(conninfo);
    pqxx::work tx(connection);
    // The query is canonicalised under the caller's own search_path; a temporary view shows its columns.
    tx.exec("CREATE TEMP VIEW pgtrickle_validate AS " + query);
    tx.exec("SET LOCAL search_path = ''");
    Definition d;
    d.request.query =
        tx.exec1("SELECT pg_catalog.pg_get_viewdef('pg_temp.pgtrickle_validate'::pg_catalog.regclass)")[0].c_str();
    d.relid =
        tx.exec1("SELECT 'pg_temp.pgtrickle_validate'::pg_catalog.regclass::pg_catalog.oid")[0].as<std::uint32_t>();
    tx.exec("SET LOCAL search_path = pg_catalog, pg_temp");
    ServerTypes types(tx);
    d.request.columns = table_columns(tx, d.relid, types);
    d.request.limits = limits;
    d.request.schema = "public";
    d.request.name = "stream_table";
    d.request.owner = tx.exec1("SELECT current_user")[0].c_str();
    d.request.admin = admin_role(tx);
    for (const auto& log : tx.exec("SELECT relid, source_id FROM pgtrickle.pgt_sources"))
      d.request.log_ids.emplace_back(log[0].as<std::uint32_t>(), log[1].as<std::int64_t>());
    const Program program = compile_definition(tx, d, types);
    result.ok = true;
    result.effective_mode = program.differential ? "DIFFERENTIAL" : "FULL";
    result.reason = program.reason;
    result.hint = program.hint;
    result.plan = program.plan;
    for (const auto* statements : {&program.owner_ddl, &program.admin_ddl})
      for (const auto& statement : *statements) result.sql += statement + ";\n\n";
    return BuildResult{BuildStatus::kActive, {}, {}, {}};
  });
  if (!result.ok) {
    result.reason = outcome.message;
    result.hint = outcome.hint;
  }
  return result;
}

}  // namespace pgtrickle::catalog
