#include "compiler/program/at_once.h"

#include <vector>

#include "compiler/operators/scan.h"
#include "compiler/sql/function_text.h"
#include "compiler/sql/template.h"

namespace pgtrickle::compiler {

namespace {

/// TRUNCATE of it keeps all others away: it is no partitioned table.
bool can_be_locked_alone(const Source& source) {
  return (source.kind == SourceKind::kTable || source.kind == SourceKind::kStreamTable) &&
         !source.has_inheritance_children;
}

/// The operator over a transition table. What it carries is the weight.
FromItem over(const Operator& op, const char* transition_table, const std::string& weight) {
  const bool weighted = !weight.empty();
  if (const auto* scan = dynamic_cast<const Scan*>(&op))
    return scan->of(transition_table,
                    weighted ? std::vector<std::string>{weight + " AS w"} : std::vector<std::string>{});
  return op.over(over(*op.inputs().front(), transition_table, weight),
                 weighted ? std::vector<std::string>{"w"} : std::vector<std::string>{});
}

std::string left_over_trigger(const TriggerWriter& triggers) {
  return "left_over_" + triggers.id();
}

std::string truncated(const TriggerWriter& triggers, const std::string& tables) {
  constexpr const char* kText = R"sql(
      IF current_setting('transaction_isolation') <> 'read committed' THEN
          BEGIN
              TRUNCATE ${tables};
          EXCEPTION WHEN object_in_use OR feature_not_supported THEN  -- a cursor, a foreign key: the writer goes on
              ${lost}
          END;
      END IF;
      IF NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = ${id}) THEN
          PERFORM pgtrickle_state.apply_${id}('full', NULL, NULL, NULL, 0::bigint, 0::bigint, NULL,
              NULL, NULL::text);
          DELETE FROM ${changes};     -- of what waits all has been seen
      END IF;
  )sql";
  return fill(kText, {{"id", triggers.id()},
                      {"tables", tables},
                      {"changes", triggers.table(triggers.sources().front())},
                      {"lost", triggers.lost("it could not be truncated")}});
}

}  // namespace

bool has_one_plain_source(const TriggerWriter& triggers) {
  const CompileRequest& request = triggers.request();
  return triggers.sources().size() == 1 && can_be_locked_alone(*triggers.sources().front().source) &&
         request.settings.empty() && !request.user_keys && !request.event_triggers.empty();
}

bool is_rowwise(const Operator& op) {
  if (dynamic_cast<const Scan*>(&op) != nullptr) return true;
  return op.rowwise() && op.inputs().size() == 1 && is_rowwise(*op.inputs().front());
}

Query rows_of(const Operator& op, const char* transition_table, const std::string& weight) {
  return over(op, transition_table, weight).query();
}

Query both_sides_of(const Operator& op) {
  return union_all({rows_of(op, "oldt", "-1"), rows_of(op, "newt", "1")});
}

std::string changed_at_once(const TriggerWriter& triggers, const AtOnce& parts) {
  constexpr const char* kBody = R"sql(
      #variable_conflict use_column
      <<v>>
      DECLARE
          ${declared}
          ignored text;
          ${saved}
      BEGIN
          IF current_setting('transaction_isolation') <> 'read committed' THEN
              ${expect_trigger}
              ${holds}
              PERFORM FROM pgtrickle.pgt_immediate i WHERE i.pgt_id = ${id} FOR SHARE;  -- nor has it been stopped
          END IF;
          -- Before anything is named: the source may have been altered, and the stream table dropped.
          IF ${is_stopped} THEN
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
          ${after}
          ${end}
          RETURN NULL;
      END
  )sql";
  return fill(kBody, {{"id", triggers.id()},
                      {"declared", parts.declared},
                      {"saved", TriggerWriter::saved()},
                      {"expect_trigger", triggers.expect_trigger()},
                      {"holds", triggers.holds()},
                      {"is_stopped", triggers.is_stopped()},
                      {"begin", triggers.begins("RETURN NULL")},
                      {"inserted", parts.inserted},
                      {"deleted", parts.deleted},
                      {"updated", parts.updated},
                      {"truncated", truncated(triggers, parts.truncated)},
                      {"after", parts.after},
                      {"end", TriggerWriter::ends()}});
}

std::string look_at_commit(const TriggerWriter& triggers) {
  return "SET CONSTRAINTS pgtrickle_state." + left_over_trigger(triggers) + " DEFERRED;";
}

void add_left_over(const TriggerWriter& triggers, const std::string& declared, const std::string& what,
                   Program& program) {
  const std::string table = triggers.table(triggers.sources().front());
  const std::string signature = function_name("left_over", triggers.request().id) + "()";
  constexpr const char* kBody = R"sql(
      #variable_conflict use_column
      <<v>>
      DECLARE
          ${declared}
      BEGIN
          IF NOT EXISTS (SELECT FROM ${table}) THEN
              RETURN NULL;
          END IF;
          IF NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = ${id}) THEN
              ${what}
          END IF;
          DELETE FROM ${table};
          RETURN NULL;
      END
  )sql";
  const std::string body =
      fill(kBody, {{"id", triggers.id()}, {"declared", declared}, {"table", table}, {"what", what}});
  triggers.add(program, triggers.function("left_over", body, false), signature);
  const std::string name = left_over_trigger(triggers);
  program.owner_ddl.push_back("CREATE CONSTRAINT TRIGGER " + name + " AFTER INSERT ON " + table +
                              " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION " + signature);
  program.owner_ddl.push_back("ALTER TABLE " + table + " ENABLE ALWAYS TRIGGER " + name);
}

}  // namespace pgtrickle::compiler
