#include "catalog/program.h"

#include <optional>
#include <string>

#include "catalog/as_owner.h"
#include "catalog/outcome.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"
#include "model/agreements.h"
#include "postgres/array.h"

namespace pgtrickle::catalog {

using compiler::Program;
using compiler::quote_ident;

// The compiler includes nothing of the other folders.
static_assert(compiler::kChangedBits == agreements::kChangedBits, "_refresh_program and programs number sources alike");

namespace {

/// What drops the key and the index that an earlier program gave the table. A primary key leaves NOT NULL behind, which
/// the query may not keep.
std::vector<std::string> dropping_key(ServerTypes& types, const Definition& d) {
  const std::string base = "pgtrickle_" + std::to_string(d.request.id);
  std::vector<std::string> statements;
  for (const auto& row : types.ask(
           "pgt_key_to_drop",
           "SELECT x.statement FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL (\n"
           "  SELECT 1 AS n, format('ALTER TABLE %I.%I DROP CONSTRAINT %I', n.nspname, c.relname, k.conname) AS "
           "statement\n"
           "  FROM pg_constraint k WHERE k.conrelid = c.oid AND k.conname = $2 || '_key'\n"
           "  UNION ALL\n"
           "  SELECT 2, format('ALTER TABLE %I.%I ALTER COLUMN %I DROP NOT NULL', n.nspname, c.relname, a.attname)\n"
           "  FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)\n"
           "  WHERE k.conrelid = c.oid AND k.conname = $2 || '_key' AND k.contype = 'p'\n"
           "  UNION ALL\n"
           "  SELECT 3, format('DROP INDEX %I.%I', n.nspname, i.relname)\n"
           "  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid\n"
           "  WHERE x.indrelid = c.oid AND i.relname IN ($2 || '_key', $2 || '_hash')\n"
           "    AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.conindid = i.oid)) x\n"
           "WHERE c.oid = $1 ORDER BY x.n",
           d.relid, base))
    statements.emplace_back(row[0].c_str());
  return statements;
}

/// Indexes of these names on other tables are left over from a restore without our data, in which the same number
/// belonged to another stream table.
void rename_leftovers(pqxx::transaction_base& tx, ServerTypes& types, const Definition& d) {
  for (const auto& row :
       types.ask("pgt_left_over_indexes",
                 "SELECT format('ALTER INDEX %I.%I RENAME TO pgtrickle_left_over_%s', n.nspname, c.relname, c.oid)\n"
                 "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace\n"
                 "JOIN pg_index i ON i.indexrelid = c.oid AND i.indrelid <> $1\n"
                 "WHERE n.nspname = $2 AND c.relname IN ($3 || '_key', $3 || '_hash')",
                 d.relid, d.request.schema, "pgtrickle_" + std::to_string(d.request.id)))
    tx.exec(row[0].c_str());
}

/// The names by which the definition knows what it reads, as recorded: relations by OID, columns by OID and number.
constexpr const char* kRecordedNames =
    "(SELECT d.source_relid::text AS key, format('%I.%I', d.source_schema, d.source_name) AS name FROM "
    "pgtrickle.pgt_dependencies d WHERE d.pgt_id = $1\n"
    " UNION ALL SELECT d.source_relid || '.' || u.num, u.was FROM pgtrickle.pgt_dependencies d\n"
    " CROSS JOIN LATERAL unnest(d.columns, d.column_names) AS u(num, was) WHERE d.pgt_id = $1)";

}  // namespace

// A view tells what CREATE TABLE AS would make of the query.
std::vector<OutputChange> output_changes(ServerTypes& types, const Definition& d, const Shape& shape) {
  const auto count = types.ask(
      "pgt_output_count",
      "SELECT (SELECT count(*) FROM pg_attribute t WHERE t.attrelid = $1 AND t.attnum > 0 AND NOT t.attisdropped),\n"
      "       (SELECT count(*) FROM pg_attribute v WHERE v.attrelid = $2::text::regclass AND v.attnum > 0)",
      d.relid, shape.view())[0];
  if (count[0].as<int>() != count[1].as<int>())
    throw BuildFailure(Condition::kInvalidTableDefinition,
                       "the query has " + std::string(count[1].c_str()) + " columns, the table has " + count[0].c_str(),
                       "Define it again: pgtrickle.alter_stream_table(..., query => ...).");
  std::vector<OutputChange> changes;
  for (const auto& row : types.ask(
           "pgt_output_changes",
           "WITH columns AS (\n"
           "  SELECT a.*, row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS n,\n"
           "         format_type(a.atttypid, a.atttypmod) || coalesce((SELECT format(' COLLATE %I.%I', s.nspname, "
           "l.collname)\n"
           "           FROM pg_collation l JOIN pg_namespace s ON s.oid = l.collnamespace\n"
           "           WHERE l.oid = a.attcollation AND l.collname <> 'default'), '') AS type\n"
           "  FROM pg_attribute a WHERE a.attrelid IN ($1, $2::text::regclass) AND a.attnum > 0 AND NOT "
           "a.attisdropped)\n"
           "SELECT t.n - 1, v.atttypid, v.attcollation, quote_ident(t.attname), format_type(v.atttypid, v.atttypmod), "
           "v.type, "
           "t.type,\n"
           "       (SELECT string_agg(DISTINCT CASE WHEN r.oid IS NOT NULL THEN "
           "pg_describe_object('pg_class'::regclass, "
           "r.ev_class, 0)\n"
           "                          ELSE pg_describe_object(u.classid, u.objid, 0) END, ', ')\n"
           "        FROM pg_depend u LEFT JOIN pg_rewrite r ON u.classid = 'pg_rewrite'::regclass AND r.oid = u.objid\n"
           "        WHERE u.refclassid = 'pg_class'::regclass AND u.refobjid = t.attrelid AND u.refobjsubid = "
           "t.attnum\n"
           "          AND u.classid IN ('pg_rewrite'::regclass, 'pg_trigger'::regclass, 'pg_policy'::regclass, "
           "'pg_proc'::regclass))\n"
           "FROM columns t JOIN columns v USING (n)\n"
           "WHERE t.attrelid = $1 AND v.attrelid <> $1\n"
           "  AND (t.atttypid, t.atttypmod, t.attcollation) <> (v.atttypid, v.atttypmod, v.attcollation) ORDER BY n",
           d.relid, shape.view())) {
    OutputChange change;
    change.position = row[0].as<std::size_t>();
    change.type_oid = row[1].as<std::uint32_t>();
    change.collation = row[2].as<std::uint32_t>();
    change.column = row[3].c_str();
    change.type_sql = row[4].c_str();
    change.type = row[5].c_str();
    change.used_by = row[7].c_str();
    change.text =
        "column " + change.column + " of " + d.relation + " becomes " + change.type + ", it was " + row[6].c_str();
    changes.push_back(std::move(change));
  }
  return changes;
}

void apply_changes(const std::vector<OutputChange>& changes, ServerTypes& types,
                   std::vector<compiler::TargetColumn>& columns) {
  for (const auto& change : changes) {
    auto& column = columns.at(change.position);
    column.type = types.of_column(change.type_oid, change.collation);
    column.type_sql = change.type_sql;
  }
}

std::vector<std::string> replacing_statements(ServerTypes& types, const Definition& d,
                                              const std::vector<OutputChange>& changes, const Program& program) {
  // Before its key goes, which can be the replica identity that a publication asks for.
  std::vector<std::string> statements{"DELETE FROM " + d.relation};
  for (auto& statement : dropping_key(types, d)) statements.push_back(std::move(statement));
  for (const auto& change : changes)
    statements.push_back("ALTER TABLE " + d.relation + " ALTER COLUMN " + change.column + " TYPE " + change.type +
                         " USING NULL");
  statements.insert(statements.end(), program.table_ddl.begin(), program.table_ddl.end());
  return statements;
}

namespace {

/// The names that programs give to functions and tables, in the form of a condition that an index serves: there can be
/// thousands of programs. $1: the stream table.
constexpr const char* kFunctions =
    "p.pronamespace = 'pgtrickle_state'::regnamespace AND (p.proname IN (format('refresh_%s', $1::bigint),\n"
    "    format('apply_%s', $1::bigint), format('look_%s', $1::bigint), format('build_%s', $1::bigint),\n"
    "    format('enter_%s', $1::bigint), format('settle_%s', $1::bigint), format('maintain_%s', $1::bigint),\n"
    "    format('maintain_many_%s', $1::bigint), format('left_over_%s', $1::bigint), format('crossing_%s', $1::bigint),\n"
    "    format('next_crossing_%s', $1::bigint))\n"
    "  OR (p.proname >= format('groups_%s_', $1::bigint) AND p.proname < format('groups_%s`', $1::bigint)\n"
    "      OR p.proname >= format('changed_%s_', $1::bigint) AND p.proname < format('changed_%s`', $1::bigint))\n"
    "     AND p.proname ~ '^(groups|changed)_[0-9]+_[0-9]+$')";
constexpr const char* kTables =
    "c.relnamespace = 'pgtrickle_state'::regnamespace AND c.relkind = 'r'\n"
    "  AND (c.relname >= format('node_%s_', $1::bigint) AND c.relname < format('node_%s`', $1::bigint)\n"
    "       OR c.relname >= format('delta_%s_', $1::bigint) AND c.relname < format('delta_%s`', $1::bigint)\n"
    "       OR c.relname >= format('changes_%s_', $1::bigint) AND c.relname < format('changes_%s`', $1::bigint)\n"
    "       OR c.relname IN (format('locks_%s', $1::bigint), format('places_%s', $1::bigint)))\n"
    "  AND c.relname ~ '^((node|delta|changes)_[0-9]+_[0-9]+|(locks|places)_[0-9]+)$'";

}  // namespace

int drop_program(pqxx::transaction_base& tx, TableId id) {
  int dropped = 0;
  for (const auto& row : tx.exec_params(
           std::string("SELECT format('DROP FUNCTION IF EXISTS %s CASCADE', p.oid::regprocedure) FROM pg_proc p\n"
                       "WHERE ") +
               kFunctions +
               "\nUNION ALL\n"
               "SELECT format('DROP TABLE IF EXISTS pgtrickle_state.%I CASCADE', c.relname) FROM pg_class c\nWHERE " +
               kTables,
           id)) {
    tx.exec(row[0].c_str());
    ++dropped;
  }
  return dropped;
}

namespace {

/// What ALTER DEFAULT PRIVILEGES has given to others on state and functions: state holds what the result does not show.
void keep_private(pqxx::transaction_base& tx, ServerTypes& types, const Definition& d) {
  types.ask("pgt_private_tables", std::string("SELECT pgtrickle._keep_private(c.oid) FROM pg_class c WHERE ") + kTables,
            d.request.id);
  for (const auto& row :
       types.ask("pgt_private_functions",
                 std::string("SELECT DISTINCT format('REVOKE ALL ON FUNCTION %s FROM %s', p.oid::regprocedure,\n"
                             "         CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE "
                             "quote_ident(pg_get_userbyid(a.grantee)) END)\n"
                             "FROM pg_proc p CROSS JOIN LATERAL aclexplode(p.proacl) AS a\nWHERE ") +
                     kFunctions + "\n  AND (a.grantee = 0 OR pg_get_userbyid(a.grantee) NOT IN ($2, $3, $4))",
                 d.request.id, d.request.owner, d.request.admin, d.request.worker_role))
    tx.exec(row[0].c_str());
}

}  // namespace

MayCreate::MayCreate(pqxx::transaction_base& tx, const std::string& owner)
    : tx_(tx), exceptions_(std::uncaught_exceptions()) {
  const auto role = tx.exec_params(
      "SELECT quote_ident(r.rolname) FROM pg_roles r JOIN pg_namespace n ON n.nspname = 'pgtrickle_state'\n"
      "WHERE r.rolname = $1 AND NOT r.rolsuper AND n.nspowner <> r.oid",
      owner);
  if (role.empty()) return;
  tx.exec(std::string("GRANT CREATE ON SCHEMA pgtrickle_state TO ") + role[0][0].c_str());
  revoke_ = std::string("REVOKE CREATE ON SCHEMA pgtrickle_state FROM ") + role[0][0].c_str();
}

MayCreate::~MayCreate() {
  if (revoke_.empty() || std::uncaught_exceptions() > exceptions_) return;  // it is rolled back
  try {
    tx_.exec(revoke_);
  } catch (const pqxx::failure&) {  // the transaction has failed, and what follows will say so
  }
}

namespace {

/// The body of a function is not read when it is made, so its literals do not count.
void make(pqxx::transaction_base& tx, const std::string& owner, const std::vector<std::string>& statements) {
  std::optional<OwnerRole> role;
  for (const auto& statement : statements) {
    if (may_run_code(statement) && !statement.starts_with("CREATE OR REPLACE FUNCTION ")) {
      role.reset();
      run_as_owner(tx, owner, statement);
    } else {
      if (!role) role.emplace(tx, owner);
      tx.exec_params(statement);
    }
  }
}

}  // namespace

// The owner of the logs needs no rights on them.
bool grants_something(const Definition& d) {
  return d.request.owner != d.request.admin;
}

void create_program(pqxx::transaction_base& tx, ServerTypes& types, const Definition& d, const Program& program,
                    bool with_key) {
  drop_program(tx, d.request.id);
  rename_leftovers(tx, types, d);
  if (with_key)
    for (const auto& statement : dropping_key(types, d)) tx.exec(statement);
  {
    const MayCreate right(tx, d.request.owner);
    make(tx, d.request.owner, program.owner_ddl);
    if (with_key) make(tx, d.request.owner, program.table_ddl);
  }
  if (grants_something(d) && !program.admin_ddl.empty()) {
    tx.exec("SET LOCAL ROLE " + quote_ident(d.request.admin));
    for (const auto& statement : program.admin_ddl) tx.exec(statement);
    tx.exec("RESET ROLE");
  }
  keep_private(tx, types, d);
  types.ask("pgt_replica_identities", "SELECT pgtrickle._settle_replica_identities($1)", d.request.id);
}

void record_facts(ServerTypes& types, const Definition& d, const Shape& shape, const Compiled& compiled) {
  types.ask("pgt_record_facts", "SELECT pgtrickle._record_facts($1, $2::text::regclass)", d.request.id, shape.view());
  const auto restricted =
      types.ask("pgt_restricted",
                "SELECT f.identity FROM pgtrickle.pgt_facts f WHERE f.pgt_id = $1 AND f.kind = 'row security'\n"
                "  AND (f.fingerprint -> 'applies')::boolean AND f.objid = ANY ($2::oid[]) LIMIT 1",
                d.request.id, postgres::array_of(compiled.unrestricted));
  if (!restricted.empty()) throw Held{"row security of " + std::string(restricted[0][0].c_str()) + " applies just now"};
}

void record_dependencies(ServerTypes& types, const Definition& d, const Program& program) {
  const std::string names =
      types
          .ask("pgt_recorded_names",
               std::string("SELECT coalesce(jsonb_object_agg(r.key, r.name), '{}') FROM ") + kRecordedNames + " r",
               d.request.id)[0][0]
          .c_str();
  // A query that cannot be parsed keeps what PostgreSQL recorded for it at creation.
  if (!program.sources.empty())
    types.ask("pgt_forget_dependencies", "DELETE FROM pgtrickle.pgt_dependencies WHERE pgt_id = $1", d.request.id);
  for (const auto& use : program.sources) {
    types.ask(
        "pgt_add_dependency",
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
  const auto renamed = types.ask("pgt_renamed_meanwhile",
                                 std::string("SELECT $2::jsonb ->> r.key FROM ") + kRecordedNames +
                                     " r WHERE $2::jsonb ->> r.key <> r.name LIMIT 1",
                                 d.request.id, names);
  if (!renamed.empty()) throw Held{std::string(renamed[0][0].c_str()) + " was renamed just now"};
  types.ask(
      "pgt_clear_frontier",
      "UPDATE pgtrickle.pgt_frontiers SET snapshot = NULL, xid = NULL, seq = NULL, owner = $2::text::regrole WHERE "
      "pgt_id = $1",
      d.request.id, quote_ident(d.request.owner));
}

void record_program(ServerTypes& types, const Definition& d, const Program& program) {
  types.ask(
      "pgt_record_program",
      "UPDATE pgtrickle.pgt_stream_tables SET effective_refresh_mode = $2, reason = nullif($3, ''), plan = $4, "
      "       pgt_schema = $5, pgt_name = $6, definite_query = nullif($7, ''), non_monotone = nullif($8, ''), follows_time = $9\n"
      "WHERE pgt_id = $1",
      d.request.id, program.differential ? "DIFFERENTIAL" : "FULL", program.reason, program.plan, d.request.schema,
      d.request.name, program.definite_query, program.non_monotone, program.follows_time);
}

}  // namespace pgtrickle::catalog
