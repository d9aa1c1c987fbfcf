#include "compiler/program/counted_statements.h"

#include "compiler/sql/change.h"
#include "compiler/sql/function_text.h"
#include "compiler/sql/query.h"
#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/template.h"

namespace pgtrickle::compiler {

namespace {

constexpr std::size_t kMostArguments = 64;

constexpr const char* kRun = "run CONSTANT bigint := nextval('pgtrickle_changes.log_seq');";
constexpr const char* kSetSizes = "v.ignored := set_config('pgtrickle.sizes', $1::text, true);";

class CountedStatements {
 public:
  CountedStatements(const TriggerWriter& triggers, const CutPlan& plan, const WriterLocks& locks)
      : triggers_(triggers),
        request_(triggers.request()),
        plan_(plan),
        locks_(locks),
        sources_(triggers.sources()),
        id_(triggers.id()),
        name_(triggers.name()) {}

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
                ${holds}
                ${all_places}
                PERFORM FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = ${id} FOR UPDATE;  -- nor has it been stopped
            END IF;
            ${take_a_place}
            ${remember}
            RETURN NULL;
        END
    )sql";
    const std::string body =
        fill(kText, {{"id", id_},
                     {"expect_trigger", triggers_.expect_trigger()},
                     {"holds", triggers_.holds()},
                     {"all_places", all_places()},
                     {"take_a_place", locks_.places() == 1 ? take_the_place() : take_one_of_the_places()},
                     {"remember", remember()}});
    return triggers_.function("enter", body, false);
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
    return fill(kBody, {{"id", id_},
                        {"declare_changes", direct() ? "changes " + triggers_.table(s) + "[];" : ""},
                        {"declare_context", partitioned(s) ? "context text;" : ""},
                        {"get_context", get_context(s)},
                        {"leave", leave(s)},
                        {"store", triggers_.stored(s)}});
  }

  /// All statements have ended, and what they changed is in tables.
  [[nodiscard]] std::string settle() const {
    std::vector<std::string> counts;
    std::vector<std::string> clear;
    for (const auto& s : sources_) {
      counts.push_back("(SELECT count(*) FROM " + triggers_.table(s) + ")");
      clear.push_back("IF v.counts[" + triggers_.number(s) + "] > 0 THEN DELETE FROM " + triggers_.table(s) +
                      "; END IF;");
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
                                          {"saved", TriggerWriter::saved()},
                                          {"counts", join(counts, ",\n")},
                                          {"begin", triggers_.begins("RETURN")},
                                          {"all_places", locks_.places() == 1 ? "" : all_places()},
                                          {"joins_of_many", joins_of_many()},
                                          {"user_keys", user_keys()},
                                          {"end", TriggerWriter::ends()},
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
            user_keys text[];  -- columns of unique indexes that users made
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
            v.user_keys := ${user_keys};
            ${set_sizes}
            ${lock}
            ${stopped_since}
            ${differential}
            ${check_deferred}
            ${restore_sizes}
            ${end}
        END
    )sql";
    const std::string lock = locking(numbers);
    const std::string body = fill(kBody, {{"id", id_},
                                          {"what_changed", numbers.declarations({})},
                                          {"changes", many ? "" : arguments()},
                                          {"run", plan_.inner.empty() ? "" : kRun},
                                          {"user_keys", user_keys()},
                                          {"declare_gone", declare_gone(differential)},
                                          {"saved", TriggerWriter::saved()},
                                          {"save_sizes", many ? kSaveSizes : ""},
                                          {"begin", triggers_.begins("RETURN")},
                                          {"set_sizes", many ? kSetSizes : ""},
                                          {"lock", lock},
                                          {"stopped_since", lock.empty() ? "" : stopped_since(many)},
                                          {"differential", differential.statements},
                                          {"check_deferred", check_deferred()},
                                          {"restore_sizes", many ? kRestoreSizes : ""},
                                          {"end", TriggerWriter::ends()}});
    std::string head = "CREATE OR REPLACE FUNCTION " + function_name(many ? "maintain_many" : "maintain", request_.id) +
                       "(" + (many ? "counts bigint[]" : parameters()) + ") RETURNS void\nLANGUAGE plpgsql";
    for (const auto& [key, value] : request_.settings)
      head += "\nSET " + quote_ident(key) + " = " + quote_literal(value);
    return plpgsql_function(head, body);
  }

  [[nodiscard]] std::string parameter_types() const {
    std::vector<std::string> list;
    for (const auto& s : sources_) list.push_back(triggers_.table(s) + "[]");
    return join(list, ", ");
  }

  /// What a statement has changed may go to the program in variables: a function has at most 100 arguments.
  [[nodiscard]] bool direct() const { return sources_.size() <= kMostArguments; }

 private:
  static bool partitioned(const CapturedSource& s) { return s.source->kind == SourceKind::kPartitionedTable; }

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
                        {"looks_for_itself", triggers_.looks_for_itself()},
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
                        {"take", TriggerWriter::by_operation(s, [&](const Query& rows) { return taken(s, rows); })},
                        {"few", std::to_string(kFewRows)},
                        {"arguments", only(s)}});
  }

  [[nodiscard]] std::string elsif_few() const {
    std::vector<std::string> rows;
    for (const auto& s : sources_) rows.push_back("(SELECT array_agg(t) FROM " + triggers_.table(s) + " t)");
    constexpr const char* kText = R"sql(
        ELSIF (SELECT sum(n) FROM unnest(v.counts) n) <= ${few} THEN
            PERFORM pgtrickle_state.maintain_${id}(${rows});
    )sql";
    return fill(kText, {{"id", id_}, {"few", std::to_string(kFewRows)}, {"rows", join(rows, ",\n")}});
  }

  [[nodiscard]] std::string variable(const CapturedSource& s) const {
    return changes_variable(triggers_.numbers().number(s.source->relid));
  }
  /// The arguments of maintain_<N> if this source alone has changed.
  [[nodiscard]] std::string only(const CapturedSource& given) const {
    std::vector<std::string> list;
    for (const auto& s : sources_) list.emplace_back(s.source == given.source ? "v.changes" : "NULL");
    return join(list, ", ");
  }
  [[nodiscard]] std::string parameters() const {
    std::vector<std::string> list;
    for (const auto& s : sources_) list.push_back(variable(s) + " " + triggers_.table(s) + "[]");
    return join(list, ", ");
  }

  /// The arguments by name.
  [[nodiscard]] std::string arguments() const {
    std::vector<std::string> list;
    for (const auto& s : sources_)
      list.push_back(variable(s) + " CONSTANT " + triggers_.table(s) + "[] := $" + std::to_string(list.size() + 1) +
                     ";");
    return join(list, "\n");
  }

  static std::string declare_gone(const DeltaBody& differential) {
    return differential.gone.empty() ? "" : "gone " + differential.gone + ";";
  }
  [[nodiscard]] std::string check_deferred() const {
    if (!request_.user_keys) return {};
    return "PERFORM pgtrickle._check_deferred(" + quote_literal(name_) + "::regclass);";
  }

  /// While locks were waited for. What the query calls may be gone.
  [[nodiscard]] std::string stopped_since(bool many) const {
    constexpr const char* kText = R"sql(
        IF ${is_stopped} THEN
            ${restore_sizes}
            ${end}
            RETURN;
        END IF;
    )sql";
    return fill(kText, {{"is_stopped", triggers_.is_stopped()},
                        {"restore_sizes", many ? kRestoreSizes : ""},
                        {"end", TriggerWriter::ends()}});
  }

  /// As rows of the table, one more than are few.
  [[nodiscard]] Select few_of(const CapturedSource& s, const Query& rows) const {
    std::vector<std::string> row{"x.w"};
    for (const auto& name : TriggerWriter::columns(s)) row.push_back("x." + name);
    const Select few = Select({"r.*"}).from(rows, "r").limit(std::to_string(kFewRows + 1));
    return Select().item("array_agg(ROW(" + join(row, ", ") + ")::" + triggers_.table(s) + ")").from(few, "x");
  }
  [[nodiscard]] std::string taken(const CapturedSource& s, const Query& rows) const {
    return few_of(s, rows).into({"v.changes"}).sql();
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
      columns.push_back("l.c" + std::to_string(role.columns[i]->attnum) +
                        (role.casts[i].empty() ? "" : "::" + role.casts[i]));
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
    if (!triggers_.planning().nested_loops) return {};
    return "v.ignored := set_config('enable_hashjoin', 'on', true);\n"
           "v.ignored := set_config('enable_mergejoin', 'on', true);";
  }

  [[nodiscard]] std::string user_keys() const {
    if (!request_.user_keys) return "NULL";
    return "pgtrickle._unique_columns(" + id_ + ", to_regclass(" +
           quote_literal(qualified(request_.schema, "pgtrickle_" + id_ + "_key")) + "))";
  }

  const TriggerWriter& triggers_;
  const CompileRequest& request_;
  const CutPlan& plan_;
  const WriterLocks& locks_;
  const std::vector<CapturedSource>& sources_;
  const std::string& id_;
  const std::string& name_;
};

}  // namespace

void add_counted_statements(const TriggerWriter& triggers, const CutPlan& plan, const WriterLocks& locks,
                            const MakeDeltaBody& differential, Program& program) {
  const CountedStatements writer(triggers, plan, locks);
  const TableId id = triggers.request().id;
  for (const auto& ddl : writer.locks_ddl()) program.owner_ddl.push_back(ddl);
  for (const bool many : {false, true}) {
    if (!many && !writer.direct()) continue;
    const SourceNumbers within = triggers.numbers().immediate(id, !many, triggers.about());
    triggers.add(program, writer.maintain(differential(within, many), within, many),
                 function_name(many ? "maintain_many" : "maintain", id) + "(" +
                     (many ? "bigint[]" : writer.parameter_types()) + ")");
  }
  triggers.add(program, writer.settle(), function_name("settle", id) + "(boolean)");
  triggers.add(program, writer.enter(), function_name("enter", id) + "()", true);
  for (const auto& s : triggers.sources()) triggers.add_changed(program, s, writer.changed(s));
}

}  // namespace pgtrickle::compiler
