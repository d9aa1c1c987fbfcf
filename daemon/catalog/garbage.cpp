#include <pqxx/pqxx>
#include <utility>
#include <vector>

#include "catalog/as_owner.h"
#include "catalog/builder.h"
#include "catalog/outcome.h"
#include "catalog/program.h"
#include "catalog/session.h"
#include "postgres/blocking_error.h"

namespace pgtrickle::catalog {

namespace {

class Collector {
 public:
  Collector(const std::string& conninfo, const BuildSettings& settings)
      : session_(conninfo), connection_(session_->connection()), settings_(settings) {}

  Garbage collect() {
    forget_dropped_tables();
    if (!restore_is_running()) {
      for (const auto& id : programs())
        attempt("program " + id, [&](auto& tx) { return drop_program(tx, std::stoll(id)); });
      drop_leftovers();
    }
    for (const auto& id : unused_sources())
      attempt("capture of source " + id, [&](auto& tx) { return uninstall(tx, id); });
    for (const auto& [table, owner] : grown_deltas())
      attempt(table, [&, t = table, o = owner](auto& tx) { return clear(tx, t, o); });
    return std::move(garbage_);
  }

 private:
  /// A transaction for each thing, so that one that cannot be removed does not stop the others. `work` returns how many
  /// it removed.
  template <typename Work>
  bool attempt(const std::string& what, Work work) {
    try {
      pqxx::work tx(connection_);
      tx.exec("SET LOCAL lock_timeout = " + std::to_string(settings_.lock_timeout_ms));
      const int removed = work(tx);
      tx.commit();
      garbage_.removed += removed;
      return removed > 0;
    } catch (const BuildFailure& e) {
      garbage_.problems.push_back(what + " cannot be removed: " + e.what());
    } catch (const pqxx::failure& e) {
      const auto error = postgres::error_of(e);
      if (error.origin == postgres::ErrorOrigin::kConnection) throw;
      if (!error.is_passing())  // otherwise: next time
        garbage_.problems.push_back(what + " cannot be removed: " + error.explained());
    }
    return false;
  }

  std::vector<std::string> strings(const std::string& query) {
    std::vector<std::string> out;
    pqxx::work tx(connection_);
    for (const auto& row : tx.exec(query)) out.emplace_back(row[0].c_str());
    return out;
  }

  void forget_dropped_tables() {
    attempt("a catalog row without table", [](pqxx::transaction_base& tx) {
      return static_cast<int>(tx.exec("DELETE FROM pgtrickle.pgt_stream_tables s\n"
                                      "WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = s.pgt_relid)")
                                  .affected_rows());
    });
  }

  /// What a restore brings comes before the catalog rows that belong to it, and triggers come last.
  bool restore_is_running() {
    pqxx::work tx(connection_);
    return tx
        .exec1(
            "SELECT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> "
            "pg_backend_pid()\n"
            "  AND (a.application_name = 'pg_restore' OR a.state = 'active' AND a.query ~* '^COPY .* FROM stdin'))")[0]
        .as<bool>();
  }

  /// Programs and state of stream tables that are no more. Owners of stream tables can make objects of any name
  /// there: numbers that no stream table can have are not ours.
  std::vector<std::string> programs() {
    return strings(
        "SELECT DISTINCT o.id::text FROM (\n"
        "  SELECT substring(p.proname FROM '^(?:refresh|apply|look|(?:next_)?crossing|build|groups)_([0-9]{1,18})(?:_[0-9]+)?$')::bigint AS id "
        "FROM pg_proc "
        "p\n"
        "  WHERE p.pronamespace = 'pgtrickle_state'::regnamespace\n"
        "  UNION ALL\n"
        "  SELECT substring(c.relname FROM '^(?:node|delta)_([0-9]{1,18})_[0-9]+$')::bigint FROM pg_class c\n"
        "  WHERE c.relnamespace = 'pgtrickle_state'::regnamespace AND c.relkind = 'r') o\n"
        "WHERE o.id IS NOT NULL AND NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = o.id)");
  }

  /// A program that is being built has installed capture and not recorded it yet: what a stream table names that waits
  /// to be built is spared, and while one does, what is new: another table may have taken the place of one it names.
  std::vector<std::string> unused_sources() {
    return strings(
        "SELECT s.source_id::text FROM pgtrickle.pgt_sources s\n"
        "WHERE NOT EXISTS (SELECT FROM pgtrickle.pgt_dependencies d WHERE d.source_id = s.source_id)\n"
        "  AND NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables t\n"
        "                  WHERE t.status IN ('PENDING', 'INITIALIZING') AND t.fuse_blown_at IS NULL\n"
        "                    AND (s.created_at > now() - interval '10 min'\n"
        "                         OR EXISTS (SELECT FROM pgtrickle.pgt_dependencies d\n"
        "                                    WHERE d.pgt_id = t.pgt_id AND d.source_relid = s.relid)))");
  }

  static int uninstall(pqxx::transaction_base& tx, const std::string& source) {
    tx.exec_params("SELECT pgtrickle._uninstall_capture($1)", source);
    return 1;
  }

  /// Triggers on users' tables that a restore without pgtrickle's data has brought.
  void drop_leftovers() {
    std::vector<std::pair<std::string, std::string>> leftovers;  // to be called, what it removes
    {
      pqxx::work tx(connection_);
      for (const auto& row : tx.exec("SELECT l.remedy, string_agg(l.what, '; ') FROM pgtrickle._leftovers() l GROUP BY "
                                     "l.remedy ORDER BY l.remedy"))
        leftovers.emplace_back(row[0].c_str(), row[1].c_str());
    }
    for (const auto& [remedy, what] : leftovers) {
      const bool removed = attempt(what, [&, call = remedy](pqxx::transaction_base& tx) {
        tx.exec("SELECT " + call);
        return 1;
      });
      if (removed) garbage_.restored.push_back(what);
    }
  }

  /// TRUNCATE would fire triggers that the owner has made on it; nobody can make one while it is locked.
  static int clear(pqxx::transaction_base& tx, const std::string& table, const std::string& owner) {
    run_as_owner(tx, owner, "LOCK TABLE " + table + " IN ACCESS EXCLUSIVE MODE");
    if (!tx.exec_params("SELECT FROM pg_trigger WHERE tgrelid = $1::regclass", table).empty())
      throw BuildFailure(Condition::kObjectNotInPrerequisiteState, "it has triggers",
                         "Drop them: nobody but pgtrickle writes there.");
    run_as_owner(tx, owner, "TRUNCATE " + table);
    return 0;
  }

  /// Output deltas of inner nodes: only the refresh that wrote them reads them. Those of dropped stream tables go with
  /// their program.
  std::vector<std::pair<std::string, std::string>> grown_deltas() {
    std::vector<std::pair<std::string, std::string>> out;  // table, owner
    pqxx::work tx(connection_);
    for (const auto& row : tx.exec(
             "SELECT format('%I.%I', 'pgtrickle_state', c.relname), pg_get_userbyid(c.relowner) FROM pg_class c\n"
             "WHERE c.relnamespace = 'pgtrickle_state'::regnamespace AND c.relkind = 'r' AND pg_relation_size(c.oid) "
             "> 262144\n"
             "  AND EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id =\n"
             "              substring(c.relname FROM '^delta_([0-9]{1,18})_[0-9]+$')::bigint)"))
      out.emplace_back(row[0].c_str(), row[1].c_str());
    return out;
  }

  Lease<Session> session_;
  pqxx::connection_base& connection_;
  BuildSettings settings_;
  Garbage garbage_;
};

}  // namespace

Garbage collect_garbage(const std::string& conninfo, const BuildSettings& settings) {
  return Collector(conninfo, settings).collect();
}

}  // namespace pgtrickle::catalog
