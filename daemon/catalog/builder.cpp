#include "catalog/builder.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <pqxx/pqxx>
#include <set>
#include <utility>

#include "catalog/as_owner.h"
#include "catalog/cycles.h"
#include "catalog/definition.h"
#include "catalog/lock_attempts.h"
#include "catalog/names.h"
#include "catalog/outcome.h"
#include "catalog/program.h"
#include "catalog/rename.h"
#include "catalog/requalify.h"
#include "catalog/session.h"
#include "catalog/worker.h"
#include "compiler/sql/sql_text.h"
#include "model/status.h"
#include "postgres/array.h"
#include "postgres/blocking_error.h"

namespace pgtrickle::catalog {

namespace {

using compiler::Program;

class Builder {
 public:
  Builder(const std::string& conninfo, TableId pgt_id, const BuildSettings& settings)
      : lease_(conninfo), session_(*lease_), connection_(session_.connection()), id_(pgt_id), settings_(settings) {}

  BuildResult build() {
    replaces_content_ = false;
    start();
    try {
      make_program();
    } catch (const pqxx::failure& e) {
      if (!postgres::error_of(e).is(Condition::kUniqueViolation)) throw;
      replaces_content_ = true;  // the old content does not fit the new key
      make_program();
    }
    with_locks([&] { fill(); });
    if (program_.immediate) {
      forget_reinit();
      with_locks([&] { refresh_in_worker(); });  // so that little is left for when writers wait
    }
    with_locks([&] { finish(); });
    BuildResult result;
    result.status = BuildStatus::kActive;
    result.message = program_.differential ? mode_of(program_) : "FULL: " + program_.reason;
    result.message += notes_;
    return result;
  }

  /// Whether recomputing may do, although the server has refused the program. A query that fails itself will say so.
  [[nodiscard]] bool may_recompute(const BuildResult& failed) const {
    const bool recomputed = !program_.differential && !program_.owner_ddl.empty();
    return failed.status == BuildStatus::kError && failed.error.origin == postgres::ErrorOrigin::kServer &&
           mode_ == "AUTO" && !recomputed && may_recompute_instead(failed.error.sqlstate);
  }

  BuildResult build_recomputing(const std::string& reason) {
    full_reason_ = reason;
    return build();
  }

  void give_up_for_now() {
    pqxx::work tx(connection_);
    left_step(tx);
    tx.commit();
  }

  /// From now on rows are identified by their hash; false if they are already.
  bool use_wide_keys() {
    pqxx::work tx(connection_);
    const auto changed = tx.exec_params(
        "UPDATE pgtrickle.pgt_stream_tables SET options = options || '{\"wide_keys\": true}'\n"
        "WHERE pgt_id = $1 AND NOT coalesce((options ->> 'wide_keys')::boolean, false)",
        id_);
    tx.commit();
    return changed.affected_rows() > 0;
  }

  /// status: the new one; empty: it stays.
  void record_error(const BuildResult& failed, const std::string& status) {
    pqxx::work tx(connection_);
    lock_frontier(tx);
    tx.exec_params(
        "UPDATE pgtrickle.pgt_stream_tables SET status = coalesce(nullif($7, ''), status), \n"
        "       last_error = left($2, pgtrickle._kept_characters()), last_error_code = $3,\n"
        "       last_error_hint = left(nullif($4, ''), pgtrickle._kept_characters()),\n"
        "       last_error_at = clock_timestamp(), consecutive_errors = consecutive_errors + 1,\n"
        "       retry_at = clock_timestamp() + nullif(greatest($5::float8, $6::float8), 0) * interval '1 ms'\n"
        "WHERE pgt_id = $1",
        id_, failed.message, failed.error.sqlstate, failed.error.hint, settings_.error_pause_ms,
        settings_.error_pause_ms > 0 ? kErrorShare * took() : 0, status);
    left_step(tx);
    tx.commit();
  }

  /// An altered query that cannot be built gives way to the one before it. True if there is one; it is to be built
  /// then.
  bool go_back(const BuildResult& failed) {
    if (!restore_columns()) return false;
    pqxx::work tx(connection_);
    lock_frontier(tx);
    const auto rows = tx.exec_params(
        "SELECT c.oid, pgtrickle._qualified(c.oid) FROM pgtrickle.pgt_stream_tables s JOIN pg_class c ON c.oid = "
        "s.pgt_relid\n"
        "WHERE s.pgt_id = $1 AND s.previous IS NOT NULL AND s.generation = $2",
        id_, generation_);
    if (rows.empty()) return false;
    tx.exec_params(
        "SELECT pgtrickle._go_back($1, jsonb_build_object('code', $2::text, 'message', $3::text, 'hint', $4::text))",
        id_, failed.error.sqlstate, failed.message, failed.error.hint);
    mark_readers(tx, rows[0][0].as<std::uint32_t>(), rows[0][1].c_str());
    tx.commit();
    return true;
  }

  /// Is this the error with which PostgreSQL refuses to change a published table, and is the stream table or its state
  /// published?
  bool is_obstructed_by_publication(const postgres::Error& error) {
    if (!may_be_of_publication(error.sqlstate)) return false;
    pqxx::work tx(connection_);
    return tx
        .exec_params1(
            "SELECT coalesce(bool_or(pgtrickle._is_published(c.oid)), false) FROM pg_class c\n"
            "WHERE c.oid = (SELECT s.pgt_relid FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = $1::bigint)\n"
            "   OR c.relnamespace = 'pgtrickle_state'::regnamespace AND c.relname ~ format('^node_%s_[0-9]+$', "
            "$1::bigint)",
            id_)[0]
        .as<bool>();
  }

 private:
  static constexpr int kMostRestarts = 5;
  static constexpr double kErrorShare = 20;  // a pause after an error is so many times as long as the build was

  [[nodiscard]] double took() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began_).count();
  }

  /// Gives the table the columns of its previous definition; false if there is none. Adding a column of a domain
  /// evaluates its checks.
  bool restore_columns() {
    std::string owner;
    {
      pqxx::work tx(connection_);
      lock_grants(tx);
      lock_frontier(tx);
      const auto rows = tx.exec_params(
          "SELECT pgtrickle._restoring_statement(s.pgt_id), pg_get_userbyid(c.relowner)\n"
          "FROM pgtrickle.pgt_stream_tables s JOIN pg_class c ON c.oid = s.pgt_relid\n"
          "WHERE s.pgt_id = $1 AND s.previous IS NOT NULL AND s.generation = $2",
          id_, generation_);
      if (rows.empty()) return false;
      if (rows[0][0].is_null()) return true;
      owner = rows[0][1].c_str();
      make_work(tx, id_, owner, {admin_role(tx), worker_role(tx)}, altering(id_, {rows[0][0].c_str()}));
      tx.commit();
    }
    with_locks([&] { run_in_worker(); });
    return true;
  }

  /// Whose code is not trusted may only run in a session that has nothing to lose.
  void refuse_untrusted(pqxx::transaction_base& tx) const {
    if (!settings_.worker_conninfo.empty()) return;
    const auto row = tx.exec_params(
        "SELECT quote_ident(r.rolname) FROM pgtrickle.pgt_stream_tables s JOIN pg_class c ON c.oid = s.pgt_relid\n"
        "JOIN pg_roles r ON r.oid = c.relowner WHERE s.pgt_id = $1 AND NOT pgtrickle._is_trusted(r.oid)",
        id_);
    if (row.empty()) return;
    const std::string owner = row[0][0].c_str();
    throw BuildFailure(Condition::kObjectNotInPrerequisiteState,
                       "its owner, role " + owner +
                           ", is not trusted, and the daemon has no worker sessions: code of its query would run with "
                           "the rights of the daemon",
                       "Give the daemon a login for worker sessions, pgtrickle.use_worker_role() and worker_dsn in its "
                       "configuration; or trust the owner as much as the admin: pgtrickle.trust_owner('" +
                           owner + "').");
  }

  Filled run_in_worker() {
    Lease<Worker> worker(settings_.worker_conninfo.empty() ? session_.conninfo() : settings_.worker_conninfo);
    return worker->run(id_, locks_, settings_.statement_timeout_ms);
  }

  template <typename Work>
  void with_locks(Work work) {
    if (locks_.run(work)) return;
    record_blocked("the build waits for a lock: " + blockers(false));
    throw Blocked{"waits for a lock: " + blockers(true)};
  }

  /// What it waits for, without what the others are doing: everybody may read the catalog.
  void record_blocked(const std::string& message) {
    pqxx::work tx(connection_);
    tx.exec_params(
        "UPDATE pgtrickle.pgt_stream_tables SET last_error = left($2, pgtrickle._kept_characters()),\n"
        "       last_error_code = $3, last_error_at = clock_timestamp(),\n"
        "       last_error_hint = 'It is tried again and again. The role that holds the lock must end its transaction.'\n"
        "WHERE pgt_id = (SELECT s.pgt_id FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = $1 FOR NO KEY UPDATE SKIP "
        "LOCKED)",
        id_, message, sqlstate_of(Condition::kLockNotAvailable));
    tx.commit();
  }

  /// Who keeps it from being built, as far as we may know; with what they are doing only if `queries`.
  std::string blockers(bool queries) {
    pqxx::work tx(connection_);
    const auto who = tx.exec_params1("SELECT pgtrickle._build_blockers(ARRAY[$1::bigint], $2)", id_, queries)[0];
    return who.is_null() ? "a transaction that has ended meanwhile" : who.c_str();
  }

  // Locks of a build, in this order and before anything that waits for the lock of a table or of another row. Else it
  // could meet a drop, an alter, or another build in a deadlock.

  /// For pgtrickle.progress().
  void at_step(pqxx::transaction_base& tx, const std::string& step) {
    session_.run_prepared(tx, "pgt_step", "SELECT pgtrickle._at_step($1, $2)", id_, step);
  }
  void left_step(pqxx::transaction_base& tx) {
    session_.run_prepared(tx, "pgt_no_step", "DELETE FROM pgtrickle.pgt_progress WHERE pgt_id = $1", id_);
  }

  /// What is to be built, once more as it is now.
  Definition load(ServerTypes& types) {
    Definition d = load_definition(id_, types, settings_.limits);
    mode_ = d.refresh_mode;
    user_keys_ = d.request.user_keys;
    if (mode_ == "AUTO" && !full_reason_.empty()) {
      d.request.force_full = true;
      d.request.full_reason = full_reason_;
    }
    return d;
  }

  /// Two builds that grant something on the same object at once would fail with "tuple concurrently updated". Who waits
  /// for this one holds nothing.
  static void lock_grants(pqxx::transaction_base& tx) {
    tx.exec("LOCK TABLE pgtrickle_locks.grants IN EXCLUSIVE MODE");
  }

  /// The first lock of everybody else who writes about the stream table: so dropping it waits for the transactions of
  /// its build, or is what they find.
  void lock_frontier(pqxx::transaction_base& tx) {
    const auto rows = session_.run_prepared(tx, "pgt_lock_frontier",
                                            "SELECT FROM pgtrickle.pgt_frontiers WHERE pgt_id = $1 FOR UPDATE", id_);
    if (rows.empty()) throw Gone{};
  }

  /// For short transactions: nobody can alter the stream table meanwhile.
  void lock_row(pqxx::transaction_base& tx) {
    session_.run_prepared(tx, "pgt_lock_row",
                          "SELECT FROM pgtrickle.pgt_stream_tables WHERE pgt_id = $1 FOR NO KEY UPDATE", id_);
  }

  /// Marks the row, so that a crash leaves something to resume, and notes the generation that this build answers.
  void start() {
    pqxx::work tx(connection_);
    const bool grants = !missing_grants(tx).empty();
    if (grants) lock_grants(tx);
    lock_frontier(tx);
    const auto rows =
        tx.exec_params("UPDATE pgtrickle.pgt_stream_tables SET status = $2 WHERE pgt_id = $1 RETURNING generation", id_,
                       status_after(StatusEvent::kBuildBegins));
    if (rows.empty()) throw Gone{};
    generation_ = rows[0][0].as<std::int64_t>();
    refuse_untrusted(tx);
    at_step(tx, "compiling");
    if (grants)  // if nobody else has meanwhile
      for (const auto& grant : missing_grants(tx)) tx.exec(grant);
    tx.commit();
  }

  /// What lets the owner use what he keeps in pgtrickle_state, and read logs. What he keeps there is made by us.
  std::vector<std::string> missing_grants(pqxx::transaction_base& tx) {
    std::vector<std::string> grants;
    for (const auto& row :
         session_.run_prepared(tx, "pgt_missing_grants",
                               "SELECT format('GRANT USAGE ON SCHEMA %I TO %I', g.schema, r.rolname) FROM "
                               "pgtrickle.pgt_stream_tables s\n"
                               "JOIN pg_class c ON c.oid = s.pgt_relid JOIN pg_roles r ON r.oid = c.relowner\n"
                               "CROSS JOIN (VALUES ('pgtrickle_state'), ('pgtrickle_changes')) AS g(schema)\n"
                               "WHERE s.pgt_id = $1 AND NOT has_schema_privilege(r.oid, g.schema, 'USAGE')",
                               id_))
      grants.emplace_back(row[0].c_str());
    return grants;
  }

  enum class Attempt { kMade, kRenamed, kNotCaptured };

  /// Compiles it and makes its program, as soon as what it reads is captured and has the names that its text says.
  void make_program() {
    for (int i = 0;; ++i) {
      Attempt attempt{};
      with_snapshot([&] { attempt = try_to_make_program(); });
      if (attempt == Attempt::kMade) return;
      if (i == kMostRestarts) throw Held{"what it reads is changed again and again"};
      if (attempt == Attempt::kRenamed) with_locks([&] { follow_names(); });
      if (attempt == Attempt::kNotCaptured) install_capture();
    }
  }

  /// A transaction that sees one state of the catalog. Where somebody changes a row meanwhile that it writes to, it
  /// starts over.
  template <typename Work>
  void with_snapshot(Work work) {
    for (int i = 0;; ++i) {
      try {
        return with_locks(work);
      } catch (const pqxx::failure& e) {
        if (!postgres::error_of(e).is(Condition::kSerializationFailure) || i == kMostRestarts) throw;
      }
    }
  }

  /// What is compiled is read at one snapshot, or is newer where PostgreSQL itself looks something up. The facts are
  /// those of the snapshot, so that whatever has changed since then differs from them at the end of the build.
  Attempt try_to_make_program() {
    pqxx::transaction<pqxx::repeatable_read> tx(connection_);
    locks_.limit(tx);
    ServerTypes types(tx, session_);
    Definition d = load(types);
    refuse_foreign_writer(types);
    compiler::check_nesting(d.request.query, d.request.limits);  // the server might not take its own text any more
    if (const auto reason = dropped_source(types, id_))
      throw BuildFailure(Condition::kUndefinedTable, *reason,
                         "Put it back, and the stream table is rebuilt by itself; or give it a query that does "
                         "without: pgtrickle.alter_stream_table(..., query => ...).");
    const Names names = load_names(types, id_);
    if (!names.then.empty() && !names.unchanged()) return Attempt::kRenamed;
    {
      const Shape shape(tx, d);
      compare_meaning(tx, d, names, shape);
      const auto changes = output_changes(types, d, shape);
      announce(changes);
      realigned_ = !changes.empty();  // the table itself is changed together with its content, later
      apply_changes(changes, types, d.request.columns);
      const Compiled compiled = compile_definition(tx, d, types, shape);
      program_ = compiled.program;
      refuse_other_mode(d);
      refuse_cycle(tx, program_);
      if (!is_captured(types)) return Attempt::kNotCaptured;
      lock_for_making(tx, d);
      if (!names.then.empty() && names_changed(types, id_)) record_new_names(tx, id_);
      record_dependencies(types, d, program_);
      record_facts(types, d, shape, compiled);
      create(tx, types, d, changes);
    }
    record_program(types, d, program_);
    at_step(tx, "filling it");
    tx.commit();
    return Attempt::kMade;
  }

  void refuse_other_mode(const Definition& d) const {
    if (program_.differential || (d.refresh_mode != "DIFFERENTIAL" && !d.request.immediate)) return;
    throw BuildFailure(Condition::kFeatureNotSupported,
                       "refresh mode " + d.refresh_mode + " is not possible: " + program_.reason,
                       program_.hint.empty() ? "Use AUTO or FULL, which recompute the query." : program_.hint);
  }

  /// Is each source captured, with all columns that the program reads?
  bool is_captured(ServerTypes& types) {
    return std::all_of(program_.sources.begin(), program_.sources.end(), [&](const compiler::SourceUse& use) {
      return !use.captured || types
                                  .ask("pgt_is_captured", "SELECT pgtrickle._is_captured($1, $2::int2[])", use.relid,
                                       postgres::array_of(use.columns))[0][0]
                                  .as<bool>();
    });
  }

  /// It has read what it needs. From here on nobody can alter the stream table; a role that did it before, since the
  /// snapshot, makes this fail. The generation is the one that was compiled.
  void lock_for_making(pqxx::transaction_base& tx, const Definition& d) {
    if (grants_something(d) || replaces_content()) {
      tx.exec("SET LOCAL lock_timeout = 0");  // it is held for milliseconds, by builds only
      lock_grants(tx);
      locks_.limit(tx);
    }
    lock_frontier(tx);
    lock_row(tx);
    generation_ = session_
                      .run_prepared(tx, "pgt_generation",
                                    "SELECT generation FROM pgtrickle.pgt_stream_tables WHERE pgt_id = $1", id_)
                      .at(0)
                      .at(0)
                      .as<std::int64_t>();
  }

  /// Creates the program and what fills it. If the table itself must change, that is for the worker session to do
  /// together with its content, so that readers never see it empty.
  void create(pqxx::transaction_base& tx, ServerTypes& types, const Definition& d,
              const std::vector<OutputChange>& changes) {
    create_program(tx, types, d, program_, !replaces_content());
    const auto first =
        replaces_content() ? replacing_statements(types, d, changes, program_) : std::vector<std::string>{};
    // Programs that read it are made for its types. Capture tells only the ones that are captured, and event triggers.
    if (realigned_) mark_readers(tx, d.relid, d.relation);
    make_work(tx, id_, d.request.owner, {d.request.admin, d.request.worker_role},
              filling(id_, d.relation, first, program_.differential));
  }

  [[nodiscard]] bool replaces_content() const { return replaces_content_ || realigned_; }

  /// Does the text still mean what it meant?
  void compare_meaning(pqxx::transaction_base& tx, const Definition& d, const Names& names, const Shape& shape) {
    if (names.then.empty()) return;
    following([&] {
      for (const auto& note : compare_references(tx, original(d), names, shape.view())) say(note);
    });
  }

  /// Rewrites the definition: something that it names was renamed or has other types than when it was compiled.
  void follow_names() {
    pqxx::work tx(connection_);
    locks_.limit(tx);
    ServerTypes types(tx, session_);
    Definition d = load(types);
    const Names names = load_names(types, id_);
    if (names.then.empty() || names.unchanged()) return;
    following([&] {
      const OriginalQuery query = original(d);
      lock_grants(tx);
      const MayCreate right(tx, d.request.owner);
      redefine(tx, d, query, names);
      const Shape shape(tx, d);  // from here on its relations keep their names
      for (const auto& note : compare_references(tx, query, names, shape.view())) say(note);
      record_names(tx, id_, names, shape.view());
    });
    if (load_names(types, id_).now_text != names.now_text) throw Held{"what it names was renamed just now"};
    // Dependencies are recorded in the old names until the program is: note the new ones with the new text.
    if (names_changed(types, id_)) record_new_names(tx, id_);
    tx.commit();
  }

  [[nodiscard]] OriginalQuery original(const Definition& d) const {
    return {id_, d.request.owner, d.original, d.request.query, d.request.settings};
  }

  template <typename Work>
  static void following(Work work) {
    try {
      work();
    } catch (const CannotFollow& e) {
      throw BuildFailure(Condition::kObjectNotInPrerequisiteState,
                         std::string("the query does not mean any more what it meant: ") + e.what(),
                         "Undo that, and it is rebuilt by itself; or say what is meant: pgtrickle.alter_stream_table("
                         "..., query => ...).");
    }
  }

  void redefine(pqxx::transaction_base& tx, Definition& d, const OriginalQuery& original, const Names& names) {
    lock_frontier(tx);
    d.request.query = requalified_definition(tx, original, names);
    const auto renamed = tx.exec_params(
        "UPDATE pgtrickle.pgt_stream_tables SET defining_query = $2 WHERE pgt_id = $1 AND defining_query = $3", id_,
        d.request.query, original.canonical);
    if (renamed.affected_rows() == 0) throw Held{"its query is being altered"};
  }

  /// Says which columns of the table will get other types, before it is done; an error if PostgreSQL would not do it.
  void announce(const std::vector<OutputChange>& changes) {
    for (const auto& change : changes) {
      if (!change.used_by.empty())
        throw BuildFailure(
            Condition::kFeatureNotSupported,
            change.text + ", but PostgreSQL does not change the type of a column that is used by " + change.used_by,
            "Drop what uses it, and it is rebuilt by itself; or keep the type with a cast: "
            "pgtrickle.alter_stream_table(..., query => ...).");
      say(change.text);
    }
  }

  void say(const std::string& note) {
    if (!said_.insert(note).second) return;  // it starts over
    notes_ += "; " + note;
    if (settings_.say) settings_.say(note);
  }

  /// Replication fires none of the triggers that keep everybody else from writing to a stream table.
  void refuse_foreign_writer(ServerTypes& types) const {
    const auto subscription = types.ask(
        "pgt_foreign_writer",
        "SELECT quote_ident(pgtrickle._subscription_of(ARRAY[s.pgt_relid])) FROM pgtrickle.pgt_stream_tables s WHERE "
        "s.pgt_id = $1",
        id_)[0][0];
    if (!subscription.is_null())
      throw BuildFailure(Condition::kObjectNotInPrerequisiteState,
                         std::string("the stream table is filled by logical subscription ") + subscription.c_str() +
                             ": its rows are not those of its query",
                         "Take the table out of the publication and ALTER SUBSCRIPTION .. REFRESH PUBLICATION, or drop "
                         "the stream table: subscribe to an ordinary table instead.");
  }

  void refuse_cycle(pqxx::transaction_base& tx, const Program& program) const {
    if (const auto cycle = forbidden_cycle(tx, id_, program))
      throw BuildFailure(Condition::kInvalidObjectDefinition, cycle->message, cycle->hint);
  }

  /// Each in a transaction of its own, which holds up the writers of one table. If somebody recreates a log that it
  /// reads, it is marked, and all of this is done again.
  void install_capture() {
    for (const auto& use : program_.sources) {
      if (!use.captured) continue;
      try {
        with_locks([&] {
          pqxx::work tx(connection_);
          locks_.limit(tx);
          at_step(tx, "installing capture");
          session_.run_prepared(tx, "pgt_install_capture", "SELECT pgtrickle._install_capture($1, $2::int2[], $3)",
                                use.relid, postgres::array_of(use.columns), id_);
          tx.commit();
        });
      } catch (const pqxx::failure& e) {
        const auto error = postgres::error_of(e);
        if (!error.is(Condition::kFeatureNotSupported)) throw;
        throw Held{error.message};  // when it was compiled it could still be captured
      }
    }
  }

  void fill() {
    filled_ = run_in_worker();
    if (!filled_.held.empty()) throw Held{filled_.held};
  }

  void mark_readers(pqxx::transaction_base& tx, std::uint32_t relid, const std::string& relation) const {
    tx.exec_params(
        "SELECT pgtrickle._mark_reinit(array_agg(r.pgt_id), format('the columns of %s or their types were changed', "
        "$2::text))\n"
        "FROM pgtrickle.pgt_dependencies r WHERE r.source_relid = $1 AND r.pgt_id <> $3",
        relid, relation, id_);
  }

  /// The content is there, at the snapshot of the worker's transaction. If anything that it was made from is not what
  /// it was when the program was compiled, it is built again.
  void finish() {
    pqxx::work tx(connection_);
    if (program_.immediate) catch_up(tx);
    if (replaces_content()) lock_grants(tx);
    lock_frontier(tx);
    lock_row(tx);
    expect_logs(tx);
    if (replaces_content()) expect_new_columns(tx);
    expect_same_facts(tx);
    refuse_cycle(tx, program_);  // by now the dependencies of others that are built at the same time are known
    drop_work(tx, id_);
    if (replaces_content()) tx.exec_params("SELECT pgtrickle._settle_replica_identities($1)", id_);
    tx.exec_params(
        "UPDATE pgtrickle.pgt_frontiers f SET full_threshold = coalesce(f.full_threshold,\n"
        "    (SELECT greatest(1000, (0.5 * sum(greatest(c.reltuples, 0)))::bigint)\n"
        "    FROM pgtrickle.pgt_dependencies d JOIN pg_class c ON c.oid = d.source_relid WHERE d.pgt_id = "
        "f.pgt_id))\n"
        "WHERE f.pgt_id = $1",
        id_);
    tx.exec_params("SELECT pgtrickle._record_build($1, $2, $3, $4, $5, $6)", id_, filled_.started, filled_.inserted,
                   filled_.updated, filled_.deleted, filled_.rows);
    tx.exec_params(
        "UPDATE pgtrickle.pgt_stream_tables SET status = CASE WHEN status IN (" + sql_list_before(StatusEvent::kBuilt) +
            ") THEN $3 ELSE status END, is_populated = true,\n"
            "       needs_reinit = needs_reinit AND generation <> $2, reinit_reason = CASE WHEN generation <> $2 THEN "
            "reinit_reason END, consecutive_errors = 0, last_error = NULL, last_error_code = NULL,\n"
            "       previous = CASE WHEN generation <> $2 THEN previous END,\n"
            "       last_error_hint = NULL, last_error_at = NULL, retry_at = NULL, fuse_blown_at = NULL, "
            "fuse_blow_reason "
            "= NULL, fuse_reset = NULL\n"
            "WHERE pgt_id = $1",
        id_, generation_, status_after(StatusEvent::kBuilt));
    if (program_.immediate)
      tx.exec_params("SELECT pgtrickle._begin_immediate($1, $2)", id_, user_keys_);
    else
      tx.exec_params("DELETE FROM pgtrickle.pgt_immediate WHERE pgt_id = $1", id_);
    check_readers(tx);
    left_step(tx);
    wake_daemon(tx);
    tx.commit();
  }

  /// What was asked for is done, unless somebody has asked since: a refresh does something again. The status still says
  /// that the build goes on.
  void forget_reinit() {
    pqxx::work tx(connection_);
    lock_frontier(tx);
    tx.exec_params(
        "UPDATE pgtrickle.pgt_stream_tables SET needs_reinit = false, reinit_reason = NULL WHERE pgt_id = $1 AND "
        "generation = $2",
        id_, generation_);
    tx.commit();
  }

  /// Puts triggers on the sources. From there on nobody writes to them until this transaction ends, so what a worker
  /// session applies now is the last that has to be refreshed.
  void catch_up(pqxx::transaction_base& tx) {
    locks_.limit(tx);
    at_step(tx, "installing triggers");
    tx.exec_params("SELECT pgtrickle._install_immediate($1, $2::oid[])", id_,
                   postgres::array_of(program_.immediate_sources));
    if (tx.exec_params1("SELECT pgtrickle._settled_user_keys($1)", id_)[0].as<bool>() != user_keys_)
      throw Held{"a unique index was made on it during the build"};
    refresh_in_worker();
  }

  void refresh_in_worker() {
    Lease<Worker> worker(settings_.worker_conninfo.empty() ? session_.conninfo() : settings_.worker_conninfo);
    const std::string action = worker->refresh(id_, locks_, settings_.statement_timeout_ms);
    if (action != "NO_DATA" && action != "DIFFERENTIAL" && action != "FULL")
      throw Held{"it cannot be brought up to date before its triggers take over: " + action};
  }

  /// An IMMEDIATE stream table that was built meanwhile may have silenced a log that nobody read before.
  void expect_logs(pqxx::transaction_base& tx) {
    const auto muted = session_.run_prepared(tx, "pgt_muted", "SELECT pgtrickle._muted_source($1)", id_)[0][0];
    if (!muted.is_null()) throw Held{std::string("capture of ") + muted.c_str() + " was stopped during the build"};
  }

  static std::string mode_of(const Program& program) { return program.immediate ? "IMMEDIATE" : "DIFFERENTIAL"; }

  /// Of the stream tables that it reads, which may have change logs only since this build. The one who asked for the
  /// build knows that there is more to know about the one that was built.
  void wake_daemon(pqxx::transaction_base& tx) {
    session_.run_prepared(tx, "pgt_built",
                          "SELECT pgtrickle._wake_for(u.pgt_id) FROM pgtrickle.pgt_dependencies d\n"
                          "JOIN pgtrickle.pgt_stream_tables u ON u.pgt_relid = d.source_relid WHERE d.pgt_id = $1",
                          id_);
  }

  /// The worker has given the table the columns of the query: that is a fact from now on.
  void expect_new_columns(pqxx::transaction_base& tx) {
    ServerTypes types(tx, session_);
    const Definition d = load(types);
    if (const auto changes = output_changes(types, d, Shape(tx, d)); !changes.empty()) throw Held{changes.front().text};
    tx.exec_params(
        "UPDATE pgtrickle.pgt_facts x SET fingerprint = x.fingerprint || (pgtrickle._fact_now(x) - 'owner')\n"
        "WHERE x.pgt_id = $1 AND x.kind = 'owner'",
        id_);
  }

  /// What changed since the facts were read may be half in the program and half not. Who changes something from here on
  /// finds the facts; who has not committed yet what he changed before is found by the first refreshes.
  void expect_same_facts(pqxx::transaction_base& tx) const {
    const auto changed = tx.exec_params(
        "SELECT reason FROM pgtrickle._changed_facts(ARRAY[$1::bigint]) WHERE kind <> 'storage' LIMIT 1", id_);
    if (!changed.empty()) throw Held{std::string(changed[0][0].c_str()) + " during the build"};
    tx.exec_params("UPDATE pgtrickle.pgt_frontiers SET facts_from = '0' WHERE pgt_id = $1", id_);
  }

  /// The stream table may have been given another key than the one that programs which read it rely on.
  void check_readers(pqxx::transaction_base& tx) const {
    tx.exec_params(
        "SELECT pgtrickle._check_facts(ARRAY['pg_class'::regclass::oid], ARRAY[s.pgt_relid])\n"
        "FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = $1",
        id_);
  }

  Lease<Session> lease_;
  Session& session_;
  pqxx::connection_base& connection_;
  TableId id_;
  BuildSettings settings_;
  Program program_;  // the last one that was compiled
  LockAttempts locks_{settings_.lock_timeout_ms, settings_.failures};
  Filled filled_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::int64_t generation_ = 0;
  std::string notes_;
  std::set<std::string> said_;
  std::string mode_;               // as the user wants it
  std::string full_reason_;        // why AUTO recomputes although the compiler would not
  bool replaces_content_ = false;  // the old rows do not fit the new key
  bool user_keys_ = false;         // users have made unique indexes on it, as far as the program knows
  bool realigned_ = false;         // the query's column types are not those of the table any more
};

}  // namespace

BuildResult build_stream_table(const std::string& conninfo, TableId pgt_id, const BuildSettings& settings) {
  std::optional<Builder> builder;
  BuildResult result = guarded([&] {
    builder.emplace(conninfo, pgt_id, settings);
    return builder->build();
  });
  if (result.status == BuildStatus::kRetry && builder)
    guarded([&] {
      builder->give_up_for_now();
      return result;
    });
  // An index page could not take a key: identify rows by their hash instead, and start over.
  if (result.status == BuildStatus::kError && result.error.is(Condition::kProgramLimitExceeded) && builder) {
    bool changed = false;
    guarded([&] {
      changed = builder->use_wide_keys();
      return result;
    });
    if (changed) return build_stream_table(conninfo, pgt_id, settings);
  }
  if (builder && builder->may_recompute(result)) {
    const std::string reason = "the server does not take its delta program: " + result.message;
    result = guarded([&] { return builder->build_recomputing(reason); });
  }
  if (result.status == BuildStatus::kError && builder) {
    bool passes = false;  // once the publication is another one; nobody else can do anything about it
    bool went_back = false;
    guarded([&] {
      passes = builder->is_obstructed_by_publication(result.error);
      went_back = !passes && builder->go_back(result);
      return result;
    });
    if (went_back) {
      BuildResult previous = build_stream_table(conninfo, pgt_id, settings);
      if (previous.status != BuildStatus::kActive) return previous;
      result.message = "the altered query could not be built, the previous one goes on: " + result.message;
      return result;
    }
    BuildResult recorded = guarded([&] {
      builder->record_error(result, passes ? "" : status_after(StatusEvent::kBuildFails));
      if (passes) result.status = BuildStatus::kRetry;
      return result;
    });
    if (recorded.status != BuildStatus::kError) return recorded;
  }
  return result;
}

}  // namespace pgtrickle::catalog
