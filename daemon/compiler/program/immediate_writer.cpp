#include "compiler/program/immediate_writer.h"

#include <algorithm>

#include "compiler/program/rows_at_once.h"
#include "compiler/sql/change.h"
#include "compiler/sql/function_text.h"
#include "compiler/sql/query.h"
#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/template.h"

namespace pgtrickle::compiler {

namespace {

constexpr std::size_t kMostArguments = 64;
constexpr std::size_t kMostNetted = 64;  // captured columns up to which the two sides of an UPDATE are netted

constexpr const char* kRun = "run CONSTANT bigint := nextval('pgtrickle_changes.log_seq');";
constexpr const char* kSetSizes = "v.ignored := set_config('pgtrickle.sizes', $1::text, true);";

class ImmediateWriter {
 public:
  ImmediateWriter(const CompileRequest& request, const CutPlan& plan, const WriterLocks& locks,
                  const std::vector<CapturedSource>& sources, const SourceNumbers& numbers, Planning planning)
      : request_(request),
        plan_(plan),
        locks_(locks),
        sources_(sources),
        numbers_(numbers),
        planning_(planning),
        id_(std::to_string(request.id)),
        name_(qualified(request.schema, request.name)) {
    std::sort(sources_.begin(), sources_.end(), [&](const auto& a, const auto& b) {
      return numbers.number(a.source->relid) < numbers.number(b.source->relid);
    });
  }

  [[nodiscard]] const std::vector<CapturedSource>& sources() const { return sources_; }

  /// The tables of places and of locks.
  [[nodiscard]] std::vector<std::string> locks_ddl() const {
    std::vector<std::string> ddl{
        "CREATE TABLE " + places_table() +
            " (place int PRIMARY KEY, xid xid8, running int NOT NULL DEFAULT 0,\n"
            "    kept boolean NOT NULL DEFAULT false, recompute boolean NOT NULL DEFAULT false) WITH (fillfactor = 20)",
        "INSERT INTO " + places_table() + " (place)\nSELECT generate_series(0, " + std::to_string(locks_.places() - 1) +
            ")"};
    if (locks_.buckets() == 0) return ddl;
    ddl.push_back("CREATE TABLE " + locks_table() + " (key int PRIMARY KEY)");
    ddl.push_back("INSERT INTO " + locks_table() + "\nSELECT generate_series(0, " +
                  std::to_string(locks_.buckets() - 1) + ")");
    return ddl;
  }

  [[nodiscard]] std::string changes_ddl(const CapturedSource& s) const {
    Select rows({"0::smallint AS w"});
    for (const auto attnum : s.columns) rows.item("t." + quote_ident(column(s, attnum).name), c(attnum));
    rows.from(qualified(s.source->schema, s.source->name), "t");
    return "CREATE UNLOGGED TABLE " + table(s) + " AS\n" + rows.sql() + "\nWITH NO DATA";
  }

  [[nodiscard]] std::string enter() const {
    constexpr const char* kText = R"sql(
        #variable_conflict use_column
        <<v>>
        DECLARE
            at tid;
            ignored text;
        BEGIN
            IF current_setting('pgtrickle.place_${id}', true) <> '' THEN
                UPDATE pgtrickle_state.places_${id} p SET running = p.running + 1
                WHERE p.ctid = current_setting('pgtrickle.place_${id}', true)::tid AND p.xid = pg_current_xact_id()
                RETURNING p.ctid INTO v.at;
            END IF;
            IF v.at IS NULL AND current_setting('transaction_isolation') <> 'read committed' THEN
                ${expect_trigger}
                ${all_places}
                PERFORM FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = ${id} FOR UPDATE;  -- nor has it been stopped
            END IF;
            ${take_a_place}
            ${remember}
            RETURN NULL;
        END
    )sql";
    return trigger("enter",
                   fill(kText, {{"id", id_},
                                {"expect_trigger", expect_trigger()},
                                {"all_places", all_places()},
                                {"take_a_place", locks_.places() == 1 ? take_the_place() : take_one_of_the_places()},
                                {"remember", remember()}}));
  }

  [[nodiscard]] std::string changed(const CapturedSource& s) const {
    constexpr const char* kBody = R"sql(
        #variable_conflict use_column
        <<v>>
        DECLARE
            at tid;
            ignored text;
            running int;
            kept boolean;
            recompute boolean;
            ${declare_changes}
            ${declare_context}
        BEGIN
            ${get_context}
            ${leave}
            ${store}
            IF v.running = 0 THEN
                PERFORM pgtrickle_state.settle_${id}(v.recompute);
            END IF;
            RETURN NULL;
        END
    )sql";
    const std::string body = fill(kBody, {{"id", id_},
                                          {"declare_changes", direct() ? "changes " + table(s) + "[];" : ""},
                                          {"declare_context", partitioned(s) ? "context text;" : ""},
                                          {"get_context", get_context(s)},
                                          {"leave", leave(s)},
                                          {"store", by_operation(s, &ImmediateWriter::stored)}});
    return trigger("changed", body, true, "_" + number(s));
  }

  /// The same where rows go to the stream table at once.
  [[nodiscard]] std::string applied(const CapturedSource& s, const Target& target) const {
    const SourceNumbers within = numbers_.immediate(request_.id, false, about());
    const RowsAtOnce rows(request_, plan_, target, within, table(s));
    constexpr const char* kBody = R"sql(
        #variable_conflict use_column
        <<v>>
        DECLARE
            fits boolean;
            violations bigint;
            rows_inserted bigint;
            rows_updated bigint;
            rows_deleted bigint;
            ignored text;
            ${saved}
        BEGIN
            IF current_setting('transaction_isolation') <> 'read committed' THEN
                ${expect_trigger}
                PERFORM FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = ${id} FOR SHARE;  -- nor has it been stopped
            END IF;
            -- Before anything of the source is named: it may have been altered.
            IF EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = ${id}) THEN
                RETURN NULL;
            END IF;
            ${begin}
            -- The guard trigger lets these statements pass.
            v.ignored := set_config('pgtrickle.apply', '${id}', true);
            IF TG_OP = 'INSERT' THEN
                ${inserted}
            ELSIF TG_OP = 'DELETE' THEN
                ${deleted}
            ELSIF TG_OP = 'UPDATE' THEN
                ${updated}
            ELSE
                ${truncated}
            END IF;
            IF NOT v.fits THEN      -- what happened before it comes later
                SET CONSTRAINTS pgtrickle_state.left_over_${id} DEFERRED;
                ${store}
                ${waited}
                IF v.fits THEN
                    DELETE FROM ${waiting};
                END IF;
            END IF;
            ${end}
            RETURN NULL;
        END
    )sql";
    const std::string body = fill(kBody, {{"id", id_},
                                          {"saved", saved()},
                                          {"expect_trigger", expect_trigger()},
                                          {"begin", begins("RETURN NULL")},
                                          {"inserted", rows.inserted()},
                                          {"deleted", rows.deleted()},
                                          {"updated", rows.updated()},
                                          {"truncated", truncated()},
                                          {"store", by_operation(s, &ImmediateWriter::stored)},
                                          {"waited", rows.waited()},
                                          {"waiting", table(s)},
                                          {"end", ends()}});
    return trigger("changed", body, true, "_" + number(s));
  }

  /// At COMMIT, or when somebody has constraints checked: what waits now has nothing to wait for.
  [[nodiscard]] std::string left_over() const {
    const auto& s = sources_.front();
    constexpr const char* kBody = R"sql(
        BEGIN
            IF NOT EXISTS (SELECT FROM ${waiting}) THEN
                RETURN NULL;
            END IF;
            IF current_setting('transaction_isolation') <> 'read committed' THEN
                RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
                    MESSAGE = ${changed},
                    HINT = 'Try the transaction again.';
            END IF;
            DELETE FROM ${waiting};
            UPDATE pgtrickle.pgt_immediate i SET lost = 'its rows were not what they should have been'
            WHERE i.pgt_id = ${id};
            RETURN NULL;
        END
    )sql";
    return trigger("left_over",
                   fill(kBody, {{"id", id_},
                                {"waiting", table(s)},
                                {"changed", quote_literal("could not serialize access: rows of stream table " + name_ +
                                                          " were changed after the snapshot")}}));
  }
  [[nodiscard]] std::vector<std::string> left_over_ddl() const {
    const std::string waiting = table(sources_.front());
    return {"CREATE CONSTRAINT TRIGGER left_over_" + id_ + " AFTER INSERT ON " + waiting +
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION " +
                function_name("left_over", request_.id) + "()",
            "ALTER TABLE " + waiting + " ENABLE ALWAYS TRIGGER left_over_" + id_};
  }

  /// All statements have ended, and what they changed is in tables.
  [[nodiscard]] std::string settle() const {
    std::vector<std::string> counts;
    std::vector<std::string> clear;
    for (const auto& s : sources_) {
      counts.push_back("(SELECT count(*) FROM " + table(s) + ")");
      clear.push_back("IF v.counts[" + number(s) + "] > 0 THEN DELETE FROM " + table(s) + "; END IF;");
    }
    constexpr const char* kBody = R"sql(
        #variable_conflict use_column
        <<v>>
        DECLARE
            counts bigint[];
            at tid;
            ignored text;
            ${saved}
        BEGIN
            v.counts := ARRAY[${counts}];
            IF recompute THEN
                ${begin}
                ${all_places}
                ${joins_of_many}
                PERFORM pgtrickle_state.apply_${id}('full', NULL, NULL, NULL, 0::bigint, 0::bigint, NULL,
                    ${user_keys}, NULL::text);
                ${end}
            ${elsif_few}
            ELSE
                v.ignored := set_config('plan_cache_mode', 'force_custom_plan', true);
                ${joins_of_many}
                PERFORM pgtrickle_state.maintain_many_${id}(v.counts);
            END IF;
            ${clear}
            UPDATE pgtrickle_state.places_${id} p SET kept = false, recompute = false
            WHERE p.xid = pg_current_xact_id()
            RETURNING p.ctid INTO v.at;
            ${remember}
        END
    )sql";
    const std::string body = fill(kBody, {{"id", id_},
                                          {"saved", saved()},
                                          {"counts", join(counts, ",\n")},
                                          {"begin", begins()},
                                          {"all_places", locks_.places() == 1 ? "" : all_places()},
                                          {"joins_of_many", joins_of_many()},
                                          {"user_keys", user_keys()},
                                          {"end", ends()},
                                          {"elsif_few", direct() ? elsif_few() : ""},
                                          {"clear", join(clear, "\n")},
                                          {"remember", remember()}});
    return plpgsql_function("CREATE OR REPLACE FUNCTION " + function_name("settle", request_.id) +
                                "(recompute boolean) RETURNS void\nLANGUAGE plpgsql",
                            body);
  }

  /// `many`: from tables, whose numbers of rows are given; else from the variables.
  [[nodiscard]] std::string maintain(const DeltaBody& differential, const SourceNumbers& numbers, bool many) const {
    constexpr const char* kBody = R"sql(
        #variable_conflict use_column
        <<v>>
        DECLARE
            ${what_changed}
            ${changes}
            ${run}
            user_keys CONSTANT text[] := ${user_keys};  -- columns of unique indexes that users made
            violations bigint;
            rows_inserted bigint;
            rows_updated bigint;
            rows_deleted bigint;
            ignored text;
            ${declare_gone}
            ${saved}
            ${save_sizes}
        BEGIN
            ${begin}
            -- The guard trigger lets these statements pass.
            v.ignored := set_config('pgtrickle.apply', '${id}', true);
            ${set_sizes}
            ${lock}
            ${differential}
            ${check_deferred}
            ${restore_sizes}
            ${end}
        END
    )sql";
    const std::string body = fill(kBody, {{"id", id_},
                                          {"what_changed", numbers.declarations({})},
                                          {"changes", many ? "" : arguments()},
                                          {"run", plan_.inner.empty() ? "" : kRun},
                                          {"user_keys", user_keys()},
                                          {"declare_gone", declare_gone(differential)},
                                          {"saved", saved()},
                                          {"save_sizes", many ? kSaveSizes : ""},
                                          {"begin", begins()},
                                          {"set_sizes", many ? kSetSizes : ""},
                                          {"lock", locking(numbers)},
                                          {"differential", differential.statements},
                                          {"check_deferred", check_deferred()},
                                          {"restore_sizes", many ? kRestoreSizes : ""},
                                          {"end", ends()}});
    std::string head = "CREATE OR REPLACE FUNCTION " + function_name(many ? "maintain_many" : "maintain", request_.id) +
                       "(" + (many ? "counts bigint[]" : parameters()) + ") RETURNS void\nLANGUAGE plpgsql";
    for (const auto& [key, value] : request_.settings)
      head += "\nSET " + quote_ident(key) + " = " + quote_literal(value);
    return plpgsql_function(head, body);
  }

  [[nodiscard]] std::string parameter_types() const {
    std::vector<std::string> list;
    for (const auto& s : sources_) list.push_back(table(s) + "[]");
    return join(list, ", ");
  }

  /// Nothing catches the error of a query in the statement of a writer: a subtransaction for each statement would use
  /// up transaction ids, and slow down all others where one transaction has more than 64. But CONTEXT has the
  /// statement.
  [[nodiscard]] std::string about() const {
    return "For IMMEDIATE stream table " + name_ + " of " + quote_ident(request_.owner) +
           ". If its query cannot have your rows, its owner can take it out of your way: pgtrickle.alter_stream_table(" +
           quote_literal(name_) + ", refresh_mode => 'DIFFERENTIAL')";
  }

  /// What a statement has changed may go to the program in variables: a function has at most 100 arguments.
  [[nodiscard]] bool direct() const { return sources_.size() <= kMostArguments; }

 private:
  static std::string c(std::int16_t attnum) { return "c" + std::to_string(attnum); }

  static const SourceColumn& column(const CapturedSource& s, std::int16_t attnum) {
    return *std::find_if(s.source->columns.begin(), s.source->columns.end(),
                         [&](const SourceColumn& col) { return col.attnum == attnum; });
  }

  static bool partitioned(const CapturedSource& s) { return s.source->kind == SourceKind::kPartitionedTable; }

  [[nodiscard]] std::string number(const CapturedSource& s) const {
    return std::to_string(numbers_.number(s.source->relid));
  }

  [[nodiscard]] std::string table(const CapturedSource& s) const {
    return changes_table(request_.id, numbers_.number(s.source->relid));
  }

  static std::vector<std::string> columns_of(const CapturedSource& s) {
    std::vector<std::string> names;
    for (const auto attnum : s.columns) names.push_back(c(attnum));
    return names;
  }

  static Select side(const CapturedSource& s, bool old_side) {
    const std::string alias = old_side ? "o" : "n";
    Select rows;
    for (const auto attnum : s.columns) rows.item(alias + "." + quote_ident(column(s, attnum).name), c(attnum));
    return rows.item(old_side ? "-1" : "1", "w").from(old_side ? "oldt" : "newt", alias);
  }

  [[nodiscard]] std::string places_table() const { return "pgtrickle_state.places_" + id_; }
  [[nodiscard]] std::string locks_table() const { return "pgtrickle_state.locks_" + id_; }

  /// Where this transaction's place is, as it was last seen.
  [[nodiscard]] std::string setting() const { return "'pgtrickle.place_" + id_ + "'"; }
  [[nodiscard]] std::string hint() const { return "current_setting(" + setting() + ", true)"; }
  [[nodiscard]] std::string remember() const { return "v.ignored := set_config(" + setting() + ", v.at::text, true);"; }
  /// So that nobody else writes now, or has written since the snapshot (40001).
  [[nodiscard]] std::string all_places() const {
    return "PERFORM FROM " + places_table() + " p ORDER BY p.place FOR UPDATE;";
  }

  [[nodiscard]] std::string take_the_place() const {
    constexpr const char* kText = R"sql(
        IF v.at IS NULL THEN      -- one writer at a time, until his transaction ends
            UPDATE pgtrickle_state.places_${id} p SET running = p.running + 1, xid = pg_current_xact_id()
            WHERE p.place = 0
            RETURNING p.ctid INTO v.at;
        END IF;
    )sql";
    return fill(kText, {{"id", id_}});
  }

  /// A transaction that had to take a spare one keeps to it.
  [[nodiscard]] std::string take_one_of_the_places() const {
    constexpr const char* kText = R"sql(
        IF v.at IS NULL THEN      -- the place of this process, until the transaction ends
            UPDATE pgtrickle_state.places_${id} p SET running = p.running + 1, xid = pg_current_xact_id()
            WHERE p.place = (SELECT q.place FROM pgtrickle_state.places_${id} q
                             WHERE q.place = ${own} FOR UPDATE SKIP LOCKED)
              AND NOT EXISTS (SELECT FROM pgtrickle_state.places_${id} o
                              WHERE o.place >= ${spare} AND o.xid = pg_current_xact_id())
            RETURNING p.ctid INTO v.at;
        END IF;
        IF v.at IS NULL THEN      -- another process has it
            UPDATE pgtrickle_state.places_${id} p SET running = p.running + 1, xid = pg_current_xact_id()
            WHERE p.place = (SELECT q.place FROM pgtrickle_state.places_${id} q WHERE q.place >= ${spare}
                             ORDER BY q.xid IS DISTINCT FROM pg_current_xact_id(), q.place LIMIT 1
                             FOR UPDATE SKIP LOCKED)
            RETURNING p.ctid INTO v.at;
        END IF;
        IF v.at IS NULL THEN      -- all are taken
            UPDATE pgtrickle_state.places_${id} p SET running = p.running + 1, xid = pg_current_xact_id()
            WHERE p.place = ${own}
            RETURNING p.ctid INTO v.at;
        END IF;
    )sql";
    return fill(kText, {{"id", id_},
                        {"own", "pg_backend_pid() % " + std::to_string(WriterLocks::kPlaces)},
                        {"spare", std::to_string(WriterLocks::kPlaces)}});
  }

  /// A program is not for a snapshot in which its triggers are not there.
  [[nodiscard]] std::string expect_trigger() const {
    constexpr const char* kText = R"sql(
        IF NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = TG_RELID AND t.tgname = TG_NAME) THEN
            RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
                MESSAGE = ${newer},
                HINT = 'Try the transaction again.';
        END IF;
    )sql";
    return fill(kText, {{"newer", quote_literal("could not serialize access: stream table " + name_ +
                                                " became IMMEDIATE after the snapshot")}});
  }

  /// Nobody else writes to the source any more. In an older snapshot not all rows that are to go can be seen.
  [[nodiscard]] std::string truncated() const {
    constexpr const char* kText = R"sql(
        IF EXISTS (SELECT FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = ${id})
            AND NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = ${id}) THEN
            IF current_setting('transaction_isolation') = 'read committed' THEN
                PERFORM pgtrickle_state.apply_${id}('full', NULL, NULL, NULL, 0::bigint, 0::bigint, NULL,
                    NULL, NULL::text);
            ELSE
                BEGIN
                    TRUNCATE ${name};
                EXCEPTION WHEN object_in_use OR feature_not_supported THEN  -- a cursor, a foreign key: the writer goes on
                    UPDATE pgtrickle.pgt_immediate i SET lost = 'it could not be truncated' WHERE i.pgt_id = ${id};
                END;
            END IF;
        END IF;
    )sql";
    return fill(kText, {{"id", id_}, {"name", name_}});
  }

  [[nodiscard]] std::string ends_place(const CapturedSource& s, const std::string& where) const {
    constexpr const char* kText = R"sql(
        UPDATE pgtrickle_state.places_${id} p
        SET running = p.running - 1, kept = p.kept OR p.running > 1,
            recompute = p.recompute OR ${recompute}
        WHERE ${where}p.xid = pg_current_xact_id()
          AND EXISTS (SELECT FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = ${id})
          AND NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = ${id})
        RETURNING p.ctid, p.running, p.kept, p.recompute
    )sql";
    return fill(kText, {{"id", id_}, {"recompute", recomputes(s)}, {"where", where}});
  }

  /// The statement has ended. v.at stays NULL if it is not at the place `where` says, or not maintained just now.
  [[nodiscard]] std::string leave_place(const CapturedSource& s, const std::string& where) const {
    return ends_place(s, where) + " INTO v.at, v.running, v.kept, v.recompute;";
  }
  [[nodiscard]] std::string at_hint() const { return "p.ctid = nullif(" + hint() + ", '')::tid AND "; }

  /// Ends the statement; goes on if what it changed has to be kept.
  [[nodiscard]] std::string leave(const CapturedSource& s) const {
    constexpr const char* kText = R"sql(
        ${leave_by_hint}
        IF v.at IS NULL THEN      -- somebody has changed the setting
            ${leave}
        END IF;
        IF v.at IS NULL THEN
            RETURN NULL;    -- it is not maintained by triggers just now
        END IF;
        ${remember}
        ${looks_for_itself}
        ${usual_case}
    )sql";
    return fill(kText, {{"leave_by_hint", leave_place(s, at_hint())},
                        {"leave", leave_place(s, "")},
                        {"remember", remember()},
                        {"looks_for_itself", looks_for_itself()},
                        {"usual_case", direct() ? usual_case(s) : ""}});
  }

  [[nodiscard]] std::string usual_case(const CapturedSource& s) const {
    constexpr const char* kText = R"sql(
        IF NOT v.kept AND NOT v.recompute THEN      -- the usual case: no other statement runs
            ${take}
            IF v.changes IS NULL THEN
                RETURN NULL;
            ELSIF cardinality(v.changes) <= ${few} THEN
                v.ignored := pgtrickle_state.maintain_${id}(${arguments});
                RETURN NULL;
            END IF;
        END IF;
    )sql";
    return fill(kText, {{"id", id_},
                        {"take", by_operation(s, &ImmediateWriter::taken)},
                        {"few", std::to_string(kFewRows)},
                        {"arguments", only(s)}});
  }

  [[nodiscard]] std::string elsif_few() const {
    std::vector<std::string> rows;
    for (const auto& s : sources_) rows.push_back("(SELECT array_agg(t) FROM " + table(s) + " t)");
    constexpr const char* kText = R"sql(
        ELSIF (SELECT sum(n) FROM unnest(v.counts) n) <= ${few} THEN
            PERFORM pgtrickle_state.maintain_${id}(${rows});
    )sql";
    return fill(kText, {{"id", id_}, {"few", std::to_string(kFewRows)}, {"rows", join(rows, ",\n")}});
  }

  [[nodiscard]] std::string variable(const CapturedSource& s) const {
    return changes_variable(numbers_.number(s.source->relid));
  }
  /// The arguments of maintain_<N> if this source alone has changed.
  [[nodiscard]] std::string only(const CapturedSource& given) const {
    std::vector<std::string> list;
    for (const auto& s : sources_) list.emplace_back(s.source == given.source ? "v.changes" : "NULL");
    return join(list, ", ");
  }
  [[nodiscard]] std::string parameters() const {
    std::vector<std::string> list;
    for (const auto& s : sources_) list.push_back(variable(s) + " " + table(s) + "[]");
    return join(list, ", ");
  }

  /// The arguments by name.
  [[nodiscard]] std::string arguments() const {
    std::vector<std::string> list;
    for (const auto& s : sources_)
      list.push_back(variable(s) + " CONSTANT " + table(s) + "[] := $" + std::to_string(list.size() + 1) + ";");
    return join(list, "\n");
  }

  /// The settings that maintaining changes.
  static std::string saved() {
    return "apply_before CONSTANT text := current_setting('pgtrickle.apply', true);\n"
           "maintaining CONSTANT text := coalesce(current_setting('pgtrickle.maintaining', true), '');";
  }
  static std::string declare_gone(const DeltaBody& differential) {
    return differential.gone.empty() ? "" : "gone " + differential.gone + ";";
  }
  [[nodiscard]] std::string begins(const char* leave = "RETURN") const {
    constexpr const char* kText = R"sql(
        IF position(' ${id} ' IN v.maintaining) > 0 THEN
            RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = ${message},
                DETAIL = 'A trigger on it, or on a stream table that reads it, changes what it reads.',
                HINT = ${hint};
        END IF;
        ${still_fits}
        v.ignored := set_config('pgtrickle.maintaining', v.maintaining || ' ${id} ', true);
    )sql";
    return fill(kText, {{"id", id_},
                        {"message", quote_literal("stream table " + name_ + " of " + quote_ident(request_.owner) +
                                                  " is being maintained by this very statement")},
                        {"hint", quote_literal("Its owner can drop that trigger, or have it refreshed instead: "
                                               "pgtrickle.alter_stream_table('" +
                                               name_ + "', refresh_mode => 'DIFFERENTIAL').")},
                        {"still_fits", still_fits(leave)}});
  }
  static std::string ends() {
    return "v.ignored := set_config('pgtrickle.apply', v.apply_before, true);\n"
           "v.ignored := set_config('pgtrickle.maintaining', v.maintaining, true);";
  }
  [[nodiscard]] std::string check_deferred() const {
    if (!request_.user_keys) return {};
    return "PERFORM pgtrickle._check_deferred(" + quote_literal(name_) + "::regclass);";
  }

  using WhatToDo = std::string (ImmediateWriter::*)(const CapturedSource&, const Query&) const;

  [[nodiscard]] std::string by_operation(const CapturedSource& s, WhatToDo what) const {
    // Without columns nothing is read but the number of rows, which no UPDATE changes.
    const std::string on_update = s.columns.empty() ? ""
                                                    : fill("ELSIF TG_OP = 'UPDATE' THEN\n    ${updated};",
                                                           {{"updated", (this->*what)(s, both_sides(s))}});
    constexpr const char* kText = R"sql(
        IF TG_OP = 'INSERT' THEN
            ${inserted};
        ELSIF TG_OP = 'DELETE' THEN
            ${deleted};
        ${on_update}
        END IF;
    )sql";
    return fill(kText, {{"inserted", (this->*what)(s, side(s, false))},
                        {"deleted", (this->*what)(s, side(s, true))},
                        {"on_update", on_update}});
  }

  [[nodiscard]] std::string stored(const CapturedSource& s, const Query& rows) const {
    auto columns = columns_of(s);
    columns.emplace_back("w");
    return Insert(table(s), columns, rows).sql();
  }

  /// As rows of the table, one more than are few.
  [[nodiscard]] Select few_of(const CapturedSource& s, const Query& rows) const {
    std::vector<std::string> row{"x.w"};
    for (const auto& name : columns_of(s)) row.push_back("x." + name);
    const Select few = Select({"r.*"}).from(rows, "r").limit(std::to_string(kFewRows + 1));
    return Select().item("array_agg(ROW(" + join(row, ", ") + ")::" + table(s) + ")").from(few, "x");
  }
  [[nodiscard]] std::string taken(const CapturedSource& s, const Query& rows) const {
    return few_of(s, rows).into({"v.changes"}).sql();
  }

  /// Of an UPDATE. Rows of which no column in use has changed are not kept.
  [[nodiscard]] Query both_sides(const CapturedSource& s) const {
    const Query both = union_all({side(s, true), side(s, false)});
    const auto names = columns_of(s);
    std::vector<TypeInfo> types;
    for (const auto attnum : s.columns) types.push_back(column(s, attnum).type);
    const bool netted = names.size() <= kMostNetted && std::all_of(types.begin(), types.end(), [](const auto& type) {
                          return type.equatable && !type.encoded_image;
                        });
    return netted ? Query(consolidate(names, types, FromItem(both))) : both;
  }

  /// The locks of plan/writer_locks.h: what joins look up by, then what of the result will change, which depends on
  /// what the joins read.
  [[nodiscard]] std::string locking(const SourceNumbers& numbers) const {
    std::string text;
    for (const bool exclusive : {false, true}) {
      std::vector<Query> keys;
      std::uint64_t mask = 0;
      for (std::size_t d = 0; d < locks_.domains.size(); ++d) {
        for (const auto& role : locks_.domains[d].roles) {
          if (role.exclusive != exclusive) continue;
          keys.emplace_back(role_keys(role, d, numbers));
          mask |= numbers.bit(role.source->relid);
        }
      }
      if (keys.empty()) continue;
      Statement statement(numbers);
      constexpr const char* kText = R"sql(
          IF ${gate} THEN      -- what joins look up by, ${how}
              ${locked}
          END IF;
      )sql";
      text += fill(kText, {{"gate", numbers.gate(mask)},
                           {"how", exclusive ? "alone" : "shared"},
                           {"locked", locked(statement, union_all(keys), exclusive)}}) +
              "\n";
    }
    if (locks_.result == WriterLocks::Result::kNone) return text;
    Statement statement(numbers);
    const Query hashes = locks_.result == WriterLocks::Result::kKeys ? plan_.root_state->changed_keys(statement)
                                                                     : changed_rows(statement);
    const Select keys = Select({bucket(locks_.domains.size(), "h.h")}).from(hashes, "h", {"h"});
    return text + "-- what of the result changes\n" + locked(statement, keys, true);
  }

  [[nodiscard]] Select changed_rows(Statement& statement) const {
    std::vector<TypeInfo> types;
    for (const auto& col : plan_.root->columns()) types.push_back(col.type.value());
    return Select({row_hash(plan_.root->column_names("i."), types, "")})
        .from(plan_.root->delta(statement, false).from, "i");
  }

  static std::string bucket(std::size_t domain, const std::string& hash) {
    const std::string base = std::to_string(domain * WriterLocks::kBuckets);
    return base + " + (" + hash + " & " + std::to_string(WriterLocks::kBuckets - 1) + ")::int";
  }

  [[nodiscard]] Select role_keys(const WriterLocks::Role& role, std::size_t domain,
                                 const SourceNumbers& numbers) const {
    const std::string gate = numbers.gate(numbers.bit(role.source->relid));
    if (role.columns.empty()) return Select({std::to_string(domain * WriterLocks::kBuckets)}).where(gate);
    std::vector<std::string> columns;
    std::vector<TypeInfo> types;
    for (std::size_t i = 0; i < role.columns.size(); ++i) {
      columns.push_back("l." + c(role.columns[i]->attnum) + (role.casts[i].empty() ? "" : "::" + role.casts[i]));
      types.push_back(role.columns[i]->type);
    }
    return Select({bucket(domain, row_hash(columns, types, ""))})
        .from(numbers.changes(role.source->relid), "l")
        .where(gate);
  }

  /// In the order of their numbers. All rows are there, or it would be no lock.
  [[nodiscard]] std::string locked(Statement& statement, const Query& numbers, bool exclusive) const {
    const auto keys =
        statement.with("keys", "numbers of locks", Select({"k.key"}).from(numbers, "k", {"key"}).group_by({"k.key"}));
    const auto rows =
        statement.with("locked", "the locks",
                       Query::text("SELECT FROM " + locks_table() + " l\nWHERE l.key = ANY (ARRAY(SELECT k.key FROM " +
                                   keys + " k))\nORDER BY l.key\nFOR " + (exclusive ? "UPDATE" : "SHARE")));
    const Select missing({"(SELECT count(*) FROM " + keys + ") - (SELECT count(*) FROM " + rows + ")"});
    constexpr const char* kText = R"sql(
        ${statement};
        IF v.violations <> 0 THEN
            PERFORM pgtrickle._raise_disagreement(${name}, 'locks', v.violations);
        END IF;
    )sql";
    return fill(kText,
                {{"statement", statement.sql(Select(missing).into({"v.violations"}))}, {"name", quote_literal(name_)}});
  }

  /// When all is recomputed. Rows that a MERGE moves from one partition to another are in no transition table. So if
  /// this may be a MERGE: no statement on the stack is seen to be an UPDATE, or one is seen to be a MERGE or hides its
  /// text.
  [[nodiscard]] static std::string recomputes(const CapturedSource& s) {
    if (!partitioned(s)) return "TG_OP = 'TRUNCATE'";
    constexpr const char* kText = R"sql(
        TG_OP = 'TRUNCATE'
        OR TG_OP = 'UPDATE' AND (v.context ~* E'\\mmerge\\M|\\mSQL function\\M|\\mPL/(?!pgSQL)'
            OR current_query() ~* E'\\mexecute\\M' OR v.context !~* E'\\mupdate\\M')
    )sql";
    return fill(kText, {});
  }

  [[nodiscard]] static std::string get_context(const CapturedSource& s) {
    if (!partitioned(s)) return {};
    return "GET DIAGNOSTICS v.context = PG_CONTEXT;\n"
           "v.context := concat(current_query(), E'\\n', v.context);";
  }

  /// Few rows are looked up by nested loops, whatever the planner thinks. Many are joined as it thinks.
  [[nodiscard]] std::string joins_of_many() const {
    if (!planning_.nested_loops) return {};
    return "v.ignored := set_config('enable_hashjoin', 'on', true);\n"
           "v.ignored := set_config('enable_mergejoin', 'on', true);";
  }

  [[nodiscard]] std::string user_keys() const {
    if (!request_.user_keys) return "NULL";
    return "pgtrickle._unique_columns(" + id_ + ", to_regclass(" +
           quote_literal(qualified(request_.schema, "pgtrickle_" + id_ + "_key")) + "))";
  }

  /// A writer does not fail because the owner may not read a source any more, or, where no event trigger stops it,
  /// because a source is not what it was: it is rebuilt then.
  [[nodiscard]] std::string still_fits(const char* leave) const {
    std::vector<std::string> readable;
    for (const auto& s : sources_) {
      const std::string rel = std::to_string(s.source->relid) + "::oid";
      std::vector<std::string> columns;
      for (const auto attnum : s.columns)
        columns.push_back("has_column_privilege(" + rel + ", " + std::to_string(attnum) + "::int2, 'SELECT')");
      const std::string table = "has_table_privilege(" + rel + ", 'SELECT')";
      readable.push_back(columns.empty() ? table : "(" + table + " OR " + join(columns, " AND ") + ")");
    }
    return lost("(" + join(readable, "\n AND ") + ") IS NOT TRUE", "its owner may no longer SELECT from what it reads",
                leave);
  }

  /// Where no event trigger stops it when a source is altered, before anything of the source is named.
  [[nodiscard]] std::string looks_for_itself() const {
    if (!request_.event_triggers.empty()) return {};
    std::vector<std::string> relids;
    for (const auto& s : sources_) relids.push_back(std::to_string(s.source->relid));
    return lost("NOT pgtrickle._immediate_fits(" + id_ + ", '{" + join(relids, ",") + "}')",
                "what it reads is not what it was", "RETURN NULL");
  }

  [[nodiscard]] std::string lost(const std::string& condition, const std::string& why, const std::string& leave) const {
    constexpr const char* kText = R"sql(
        IF ${condition} THEN
            UPDATE pgtrickle.pgt_immediate i SET lost = ${why} WHERE i.pgt_id = ${id};
            ${leave};
        END IF;
    )sql";
    return fill(kText, {{"id", id_}, {"condition", condition}, {"why", quote_literal(why)}, {"leave", leave}});
  }

  /// Settings that a trigger function sets for itself end with it.
  [[nodiscard]] std::string trigger(const char* kind, const std::string& body, bool plans = false,
                                    const std::string& suffix = {}) const {
    constexpr const char* kText = R"sql(
        CREATE OR REPLACE FUNCTION ${name}() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER
        SET search_path = pg_catalog, pg_temp
        ${of_one_plan}
        ${of_few_rows}
    )sql";
    return plpgsql_function(fill(kText, {{"name", function_name(kind, request_.id) + suffix},
                                         {"of_one_plan", plans ? kOnePlan : ""},
                                         {"of_few_rows", plans && planning_.nested_loops ? kNestedLoops : ""}}),
                            body);
  }

  const CompileRequest& request_;
  const CutPlan& plan_;
  const WriterLocks& locks_;
  std::vector<CapturedSource> sources_;
  const SourceNumbers& numbers_;
  Planning planning_;
  std::string id_;
  std::string name_;
};

}  // namespace

std::string add_immediate(const CompileRequest& request, const CutPlan& plan, const Target& target,
                          const WriterLocks& locks, const std::vector<CapturedSource>& sources,
                          const SourceNumbers& numbers, const MakeDeltaBody& differential, Planning planning,
                          Program& program) {
  program.immediate = true;
  const ImmediateWriter writer(request, plan, locks, sources, numbers, planning);
  auto add = [&](const std::string& text, const std::string& signature, bool for_admin) {
    program.owner_ddl.push_back(text);
    program.owner_ddl.push_back("REVOKE ALL ON FUNCTION " + signature + " FROM PUBLIC");
    if (for_admin && !request.admin.empty())  // who makes a trigger must be allowed to execute its function
      program.owner_ddl.push_back("GRANT EXECUTE ON FUNCTION " + signature + " TO " + quote_ident(request.admin));
  };
  const auto add_changed = [&](const CapturedSource& s, const std::string& text) {
    add(text, function_name("changed", request.id) + "_" + std::to_string(numbers.number(s.source->relid)) + "()",
        true);
    program.immediate_sources.push_back(s.source->relid);
  };
  for (const auto& s : writer.sources()) program.owner_ddl.push_back(writer.changes_ddl(s));
  if (RowsAtOnce::fits(request, plan, locks, sources, target)) {
    add(writer.left_over(), function_name("left_over", request.id) + "()", false);
    for (const auto& ddl : writer.left_over_ddl()) program.owner_ddl.push_back(ddl);
    add_changed(writer.sources().front(), writer.applied(writer.sources().front(), target));
    return "Triggers after";
  }
  for (const auto& ddl : writer.locks_ddl()) program.owner_ddl.push_back(ddl);
  for (const bool many : {false, true}) {
    if (!many && !writer.direct()) continue;
    const SourceNumbers within = numbers.immediate(request.id, !many, writer.about());
    add(writer.maintain(differential(within, many), within, many),
        function_name(many ? "maintain_many" : "maintain", request.id) + "(" +
            (many ? "bigint[]" : writer.parameter_types()) + ")",
        false);
  }
  add(writer.settle(), function_name("settle", request.id) + "(boolean)", false);
  add(writer.enter(), function_name("enter", request.id) + "()", true);
  for (const auto& s : writer.sources()) add_changed(s, writer.changed(s));
  return "Triggers before and after";
}

}  // namespace pgtrickle::compiler
