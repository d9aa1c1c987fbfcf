#include <pqxx/pqxx>
#include <utility>
#include <vector>

#include "catalog/as_owner.h"
#include "catalog/builder.h"
#include "catalog/errors.h"
#include "catalog/program.h"

namespace pgtrickle::catalog {

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

}  // namespace pgtrickle::catalog
