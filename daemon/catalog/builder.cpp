#include "catalog/builder.h"

#include <chrono>
#include <optional>
#include <pqxx/pqxx>
#include <set>
#include <utility>

#include "catalog/as_owner.h"
#include "catalog/cycles.h"
#include "catalog/definition.h"
#include "catalog/errors.h"
#include "catalog/lock_attempts.h"
#include "catalog/names.h"
#include "catalog/outcome.h"
#include "catalog/program.h"
#include "catalog/rename.h"
#include "catalog/requalify.h"
#include "compiler/generate/sql_text.h"
#include "postgres/array.h"

namespace pgtrickle::catalog {

namespace {

using compiler::Program;
using compiler::quote_literal;

class Builder {
 public:
  Builder(const std::string& conninfo, std::int64_t pgt_id, const BuildSettings& settings)
      : connection_(conninfo), id_(pgt_id), settings_(settings) {
    prepare_session(connection_);
  }

  BuildResult build() {
    start();
    for (int i = 0; i == 0 || (i < kMostRestarts && was_marked_); ++i) {
      compile();
      install_capture();
    }
    bool replace_content = realigned_;
    if (!replace_content) {
      try {
        with_locks([&] { create(); });
      } catch (const pqxx::unique_violation&) {
        replace_content = true;  // the old content does not fit the new key
      }
    }
    with_locks([&] { initialise(replace_content); });
    BuildResult result;
    result.status = BuildStatus::kActive;
    result.message = program_.differential ? "DIFFERENTIAL" : "FULL: " + program_.reason;
    result.message += notes_;
    return result;
  }

  /// Whether recomputing may do, although the server has refused the program: it may not take its statements, or
  /// evaluate in them what the query by itself would never have evaluated. A query that fails itself will say so.
  [[nodiscard]] bool may_recompute(const BuildResult& failed) const {
    static const std::set<std::string> kClasses{"0A", "21", "22", "42", "54"};
    const bool recomputed = !program_.differential && !program_.owner_ddl.empty();
    return failed.status == BuildStatus::kError && failed.by_server && mode_ == "AUTO" && !recomputed &&
           failed.sqlstate != "42501" && kClasses.count(failed.sqlstate.substr(0, 2)) != 0;
  }

  BuildResult build_recomputing(const std::string& reason) {
    full_reason_ = reason;
    return build();
  }

  /// status: the new one; empty: it stays.
  void record_error(const std::string& sqlstate, const std::string& message, const std::string& hint,
                    const std::string& status) {
    pqxx::work tx(connection_);
    lock_frontier(tx);
    tx.exec_params(
        "UPDATE pgtrickle.pgt_stream_tables SET status = coalesce(nullif($7, ''), status), last_error = left($2, 2000), "
        "last_error_code = $3, last_error_hint = left(nullif($4, ''), 2000),\n"
        "       last_error_at = clock_timestamp(), consecutive_errors = consecutive_errors + 1,\n"
        "       retry_at = clock_timestamp() + nullif(greatest($5::float8, $6::float8), 0) * interval '1 ms'\n"
        "WHERE pgt_id = $1",
        id_, message, sqlstate, hint, settings_.error_pause_ms, settings_.error_pause_ms > 0 ? kErrorShare * took() : 0,
        status);
    tx.commit();
  }

  /// An altered query that cannot be built gives way to the one before it. True if there is one; it is to be built
  /// then.
  bool go_back(const std::string& sqlstate, const std::string& message, const std::string& hint) {
    pqxx::work tx(connection_);
    lock_frontier(tx);
    const auto rows = tx.exec_params(
        "SELECT pgtrickle._restoring_statement(s.pgt_id), pg_get_userbyid(c.relowner), c.oid, "
        "pgtrickle._qualified(c.oid)\n"
        "FROM pgtrickle.pgt_stream_tables s JOIN pg_class c ON c.oid = s.pgt_relid\n"
        "WHERE s.pgt_id = $1 AND s.previous IS NOT NULL AND s.generation = $2",
        id_, generation_);
    if (rows.empty()) return false;
    const auto row = rows[0];
    if (!row[0].is_null()) run_as_owner(tx, row[1].c_str(), row[0].c_str());
    tx.exec_params(
        "SELECT pgtrickle._go_back($1, jsonb_build_object('code', $2::text, 'message', $3::text, 'hint', $4::text))",
        id_, sqlstate, message, hint);
    if (!row[0].is_null()) mark_readers(tx, row[2].as<std::uint32_t>(), row[3].c_str());
    tx.commit();
    return true;
  }

  /// Is this the error with which PostgreSQL refuses to change a published table, and is the stream table or its state
  /// published?
  bool is_obstructed_by_publication(const std::string& sqlstate) {
    if (sqlstate != "55000" && sqlstate != "42P10") return false;
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
        "UPDATE pgtrickle.pgt_stream_tables SET last_error = left($2, 2000), last_error_code = '55P03', last_error_at = "
        "clock_timestamp(),\n"
        "       last_error_hint = 'It is tried again and again. Whoever holds the lock must end his transaction.'\n"
        "WHERE pgt_id = (SELECT s.pgt_id FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = $1 FOR NO KEY UPDATE SKIP "
        "LOCKED)",
        id_, message);
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

  /// What is to be built, once more as it is now.
  Definition load(pqxx::transaction_base& tx, ServerTypes& types) {
    Definition d = load_definition(tx, id_, types, settings_.limits);
    mode_ = d.refresh_mode;
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
    Definition d = load(tx, types);
    refuse_foreign_writer(tx);
    compiler::check_nesting(d.request.query, d.request.limits);  // the server might not take its own text any more
    if (const auto reason = dropped_source(tx, id_))
      throw BuildFailure("42P01", *reason,
                         "Put it back, and the stream table is rebuilt by itself; or give it a query that does "
                         "without: pgtrickle.alter_stream_table(..., query => ...).");
    follow_names(tx, d);
    announce_changes(tx, d);
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

  /// Writes the definition anew if something that it names was renamed or has other types than when it was compiled.
  void follow_names(pqxx::transaction_base& tx, Definition& d) {
    const Names names = load_names(tx, id_);
    if (names.then.empty()) return;
    const bool changed = !names.unchanged();
    const OriginalQuery original{id_, d.request.owner, d.original, d.request.query, d.request.settings};
    try {
      if (changed) redefine(tx, d, original, names);
      const std::string view = make_shape(tx, d);  // from here on its relations keep their names
      for (const auto& note : compare_references(tx, original, names, view)) say(note);
      if (changed) record_names(tx, id_, names, view);
      tx.exec("DROP VIEW " + view);
    } catch (const CannotFollow& e) {
      throw BuildFailure("55000", std::string("the query does not mean any more what it meant: ") + e.what(),
                         "Undo that, and it is rebuilt by itself; or say what is meant: pgtrickle.alter_stream_table("
                         "..., query => ...).");
    }
    if (changed && load_names(tx, id_).now_text != names.now_text) throw Held{"what it names was renamed just now"};
    // Dependencies are recorded in the old names until the program is: note the new ones with the new text.
    if (names_changed(tx, id_)) record_new_names(tx, id_);
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
  void announce_changes(pqxx::transaction_base& tx, const Definition& d) {
    for (const auto& change : output_changes(tx, d)) {
      if (!change.used_by.empty())
        throw BuildFailure(
            "0A000",
            change.text + ", but PostgreSQL does not change the type of a column that is used by " + change.used_by,
            "Drop what uses it, and it is rebuilt by itself; or keep the type with a cast: "
            "pgtrickle.alter_stream_table(..., query => ...).");
      say(change.text);
    }
  }

  void say(const std::string& note) {
    notes_ += "; " + note;
    if (settings_.say) settings_.say(note);
  }

  /// Replication fires none of the triggers that keep everybody else from writing to a stream table.
  void refuse_foreign_writer(pqxx::transaction_base& tx) const {
    const auto subscription = tx.exec_params1(
        "SELECT quote_ident(pgtrickle._subscription_of(ARRAY[s.pgt_relid])) FROM pgtrickle.pgt_stream_tables s WHERE "
        "s.pgt_id = $1",
        id_)[0];
    if (!subscription.is_null())
      throw BuildFailure("55000",
                         std::string("the stream table is filled by logical subscription ") + subscription.c_str() +
                             ": its rows are not those of its query",
                         "Take the table out of the publication and ALTER SUBSCRIPTION .. REFRESH PUBLICATION, or drop "
                         "the stream table: subscribe to an ordinary table instead.");
  }

  void refuse_cycle(pqxx::transaction_base& tx, const Program& program) const {
    if (const auto cycle = forbidden_cycle(tx, id_, program)) throw BuildFailure("42P17", cycle->message, cycle->hint);
  }

  /// Before the initial snapshot is taken, the logs must know their new consumer: rotation spares what it may need.
  /// Whoever else does that too at the same time may make a log anew and mark us: then all of this is done again.
  void install_capture() {
    for (const auto& use : program_.sources) {
      if (!use.captured) continue;
      try {
        with_locks([&] {
          pqxx::work tx(connection_);
          locks_.limit(tx);
          tx.exec_params1("SELECT pgtrickle._install_capture($1, $2::int2[], $3)", use.relid,
                          postgres::array_of(use.columns), id_);
          tx.commit();
        });
      } catch (const pqxx::feature_not_supported& e) {  // when it was compiled it could still be captured
        throw Held{server_error(e).message};
      }
    }
    pqxx::work tx(connection_);
    lock_frontier(tx);
    lock_row(tx);
    ServerTypes types(tx);
    record_dependencies(tx, load_definition(tx, id_, types, settings_.limits), program_);
    const auto rows = tx.exec_params("SELECT generation FROM pgtrickle.pgt_stream_tables WHERE pgt_id = $1", id_);
    if (rows.empty()) throw Gone{};
    const auto generation = rows[0][0].as<std::int64_t>();
    was_marked_ = std::exchange(generation_, generation) != generation;
    tx.commit();
  }

  void create() {
    pqxx::work tx(connection_);
    lock_grants(tx);
    lock_frontier(tx);
    lock_row(tx);
    locks_.limit(tx);
    create_in(tx);
    tx.commit();
  }

  /// With a change of the table itself, all of it is one transaction, so that readers never see it empty.
  void initialise(bool replace_content) {
    pqxx::transaction<pqxx::repeatable_read> tx(connection_);
    tx.exec("SELECT pgtrickle._enter_unit()");  // not while the database is paused or drained
    if (replace_content) lock_grants(tx);
    lock_frontier(tx);
    if (replace_content) {
      lock_row(tx);
      locks_.limit(tx);
      empty_table(tx);
      create_in(tx);
      tx.exec("SET LOCAL lock_timeout = 0");
    }
    initialise_in(tx);
    tx.commit();
  }

  void mark_readers(pqxx::transaction_base& tx, std::uint32_t relid, const std::string& relation) const {
    tx.exec_params(
        "SELECT pgtrickle._mark_reinit(array_agg(r.pgt_id), format('the columns of %s or their types were changed', "
        "$2::text))\n"
        "FROM pgtrickle.pgt_dependencies r WHERE r.source_relid = $1 AND r.pgt_id <> $3",
        relid, relation, id_);
  }

  void empty_table(pqxx::transaction_base& tx) {
    ServerTypes types(tx);
    const Definition d = load_definition(tx, id_, types, settings_.limits);
    // Programs that read it are made for its types. Capture tells only those that are captured, and event triggers.
    if (align_table(tx, d)) {  // which has emptied it
      mark_readers(tx, d.relid, d.relation);
      return;
    }
    tx.exec("SET LOCAL pgtrickle.apply = " + quote_literal(std::to_string(id_)));
    run_as_owner(tx, d.request.owner, "DELETE FROM " + d.relation);
  }

  /// Compiles again, now that the logs exist, and creates the program.
  void create_in(pqxx::transaction_base& tx) {
    ServerTypes types(tx);
    const Definition d = load(tx, types);
    record_facts(tx, d);
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
    expect_same_facts(tx);
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
        "       previous = CASE WHEN generation <> $2 THEN previous END,\n"
        "       last_error_hint = NULL, last_error_at = NULL, retry_at = NULL, fuse_blown_at = NULL, "
        "fuse_blow_reason "
        "= NULL, fuse_reset = NULL\n"
        "WHERE pgt_id = $1",
        id_, generation_);
    check_readers(tx);
    tx.exec("SELECT pg_notify('pgtrickle_wake', '')");
  }

  /// What changed since the facts were read may be half in the program and half not. Who changes something from here on
  /// finds the facts; who has not committed yet what he changed before is found by the first refreshes.
  void expect_same_facts(pqxx::transaction_base& tx) const {
    const auto changed = tx.exec_params(
        "SELECT reason FROM pgtrickle._changed_facts(ARRAY[$1::bigint]) WHERE kind <> 'storage' LIMIT 1", id_);
    if (!changed.empty()) throw Held{std::string(changed[0][0].c_str()) + " during the build"};
    tx.exec_params("SELECT pgtrickle._note_storage($1)", id_);
    tx.exec_params("UPDATE pgtrickle.pgt_frontiers SET facts_from = '0' WHERE pgt_id = $1", id_);
  }

  /// The stream table may have been given another key than the one that programs which read it rely on.
  void check_readers(pqxx::transaction_base& tx) const {
    tx.exec_params(
        "SELECT pgtrickle._check_facts(ARRAY['pg_class'::regclass::oid], ARRAY[s.pgt_relid])\n"
        "FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = $1",
        id_);
  }

  pqxx::connection connection_;
  std::int64_t id_;
  BuildSettings settings_;
  Program program_;  // the last one that was compiled
  LockAttempts locks_{settings_.lock_timeout_ms, settings_.failures};
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::int64_t generation_ = 0;
  std::string notes_;
  std::string mode_;         // as the user wants it
  std::string full_reason_;  // why AUTO recomputes although the compiler would not
  bool was_marked_ = false;  // by somebody else, or altered, since it was compiled
  bool realigned_ = false;   // the query's column types are not those of the table any more
};

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
  if (builder && builder->may_recompute(result)) {
    const std::string reason = "the server does not take its delta program: " + result.message;
    result = guarded([&] { return builder->build_recomputing(reason); });
  }
  if (result.status == BuildStatus::kError && builder) {
    bool passes = false;  // once the publication is another one; nobody else can do anything about it
    bool went_back = false;
    guarded([&] {
      passes = builder->is_obstructed_by_publication(result.sqlstate);
      went_back = !passes && builder->go_back(result.sqlstate, result.message, result.hint);
      return result;
    });
    if (went_back) {
      const BuildResult previous = build_stream_table(conninfo, pgt_id, settings);
      if (previous.status != BuildStatus::kActive) return previous;
      result.message = "the altered query could not be built, the previous one goes on: " + result.message;
      return result;
    }
    BuildResult recorded = guarded([&] {
      builder->record_error(result.sqlstate, result.message, result.hint, passes ? "" : "ERROR");
      if (passes) result.status = BuildStatus::kRetry;
      return result;
    });
    if (recorded.status != BuildStatus::kError) return recorded;
  }
  return result;
}

}  // namespace pgtrickle::catalog
