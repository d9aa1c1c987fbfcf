#include <pqxx/pqxx>

#include "catalog/builder.h"
#include "catalog/definition.h"
#include "catalog/outcome.h"
#include "catalog/session.h"

namespace pgtrickle::catalog {

using compiler::Program;

namespace {

/// As a build would: the query is one, and the owner may have it run by writers.
void require_immediate(pqxx::transaction_base& tx, const Program& program) {
  if (!program.immediate)
    throw BuildFailure(Condition::kFeatureNotSupported, "refresh mode IMMEDIATE is not possible: " + program.reason,
                       program.hint.empty() ? "Use AUTO, which recomputes it." : program.hint);
  for (const auto relid : program.immediate_sources)
    tx.exec_params("SELECT pgtrickle._require_immediate('of this query', $1::oid, current_user::regrole)", relid);
}

}  // namespace

ValidateResult validate_query(const std::string& conninfo, const std::string& query, const compiler::Limits& limits,
                              bool trace, bool immediate) {
  ValidateResult result;
  const BuildResult outcome = guarded([&] {
    Session session(conninfo, Session::Path::kOfLogin);
    pqxx::work tx(session.connection());
    // The query is canonicalised under the caller's own search_path; a temporary view shows its columns.
    tx.exec_params("CREATE TEMP VIEW pgtrickle_validate AS " + query);
    tx.exec("SET LOCAL search_path = ''; SET LOCAL standard_conforming_strings = on");
    Definition d;
    d.request.query =
        tx.exec1("SELECT pg_catalog.pg_get_viewdef('pg_temp.pgtrickle_validate'::pg_catalog.regclass)")[0].c_str();
    d.relid =
        tx.exec1("SELECT 'pg_temp.pgtrickle_validate'::pg_catalog.regclass::pg_catalog.oid")[0].as<std::uint32_t>();
    tx.exec("SET LOCAL search_path = pg_catalog, pg_temp");
    const auto lost =
        tx.exec_params1("SELECT message, hint FROM pgtrickle._lost_in_text($1, $2)", d.relid, d.request.query);
    if (!lost[0].is_null())
      throw BuildFailure(Condition::kFeatureNotSupported,
                         std::string("the query cannot be kept as text: ") + lost[0].c_str(), lost[1].c_str());
    ServerTypes types(tx, session);
    d.request.columns = table_columns(d.relid, types);
    d.request.limits = limits;
    d.request.trace = trace;
    d.request.immediate = immediate;
    d.request.schema = "public";
    d.request.name = "stream_table";
    d.request.owner = tx.exec1("SELECT current_user")[0].c_str();
    d.request.admin = admin_role(tx);
    d.request.encoding = tx.exec1("SELECT getdatabaseencoding()")[0].c_str();
    if (immediate) load_event_triggers(types, d.request);
    for (const auto& log : tx.exec("SELECT relid, source_id FROM pgtrickle.pgt_sources"))
      d.request.log_ids.emplace_back(log[0].as<std::uint32_t>(), log[1].as<std::int64_t>());
    compiler::check_nesting(d.request.query, limits);  // the server might not take its own text any more
    const Program program = compile_definition(tx, d, types, Shape(tx, d)).program;
    if (immediate) require_immediate(tx, program);
    result.ok = true;
    result.effective_mode = program.immediate ? "IMMEDIATE" : program.differential ? "DIFFERENTIAL" : "FULL";
    result.reason = program.reason;
    result.hint = program.hint;
    result.plan = program.plan;
    result.trace = program.trace;
    for (const auto* statements : {&program.owner_ddl, &program.table_ddl, &program.admin_ddl})
      result.statements.insert(result.statements.end(), statements->begin(), statements->end());
    return BuildResult{BuildStatus::kActive, {}, {}};
  });
  if (!result.ok) {
    result.reason = outcome.message;
    result.hint = outcome.error.hint;
  }
  return result;
}

}  // namespace pgtrickle::catalog
