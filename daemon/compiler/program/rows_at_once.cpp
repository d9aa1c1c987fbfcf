#include "compiler/program/rows_at_once.h"

#include <utility>

#include "compiler/operators/scan.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/template.h"

namespace pgtrickle::compiler {

namespace {

constexpr const char* kGate = "fits";
constexpr const char* kFits = "f.fits";

/// The scan below row-wise operators; nullptr if there is anything else.
const Scan* scan_below(const Operator& op) {
  if (const auto* scan = dynamic_cast<const Scan*>(&op)) return scan;
  return op.rowwise() && op.inputs().size() == 1 ? scan_below(*op.inputs().front()) : nullptr;
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

/// TRUNCATE of it keeps all others away: it is no partitioned table.
bool can_be_locked_alone(const Source& source) {
  return (source.kind == SourceKind::kTable || source.kind == SourceKind::kStreamTable) &&
         !source.has_inheritance_children;
}

}  // namespace

bool RowsAtOnce::fits(const CompileRequest& request, const CutPlan& plan, const WriterLocks& locks,
                      const std::vector<CapturedSource>& sources, const Target& target) {
  const bool nothing_locked =
      !locks.alone && locks.domains.empty() && locks.result == WriterLocks::Result::kNone && !request.user_keys;
  return nothing_locked && plan.inner.empty() && plan.root_state == nullptr && target.plain_key() &&
         sources.size() == 1 && can_be_locked_alone(*sources.front().source) && scan_below(*plan.root) != nullptr &&
         request.settings.empty() && !request.event_triggers.empty();
}

RowsAtOnce::RowsAtOnce(const CompileRequest& request, const CutPlan& plan, const Target& target,
                       const SourceNumbers& numbers, std::string waiting)
    : request_(request), plan_(plan), target_(target), numbers_(numbers), waiting_(std::move(waiting)) {}

std::string RowsAtOnce::nothing_waits() const {
  return not_exists(Select().from(waiting_, "x"));
}

/// No row where triggers do not maintain it.
Select RowsAtOnce::fitting(const std::vector<std::string>& conditions) const {
  const std::string id = std::to_string(request_.id);
  return Select()
      .item(join(conditions, "\nAND "), kGate)
      .from("pgtrickle.pgt_immediate", "i")
      .where("i.pgt_id = " + id)
      .where(not_exists(Select().from("pgtrickle.pgt_immediate_stopped", "x").where("x.pgt_id = " + id)));
}

Query RowsAtOnce::rows_of(const char* transition_table, const std::string& weight) const {
  return over(*plan_.root, transition_table, weight).query();
}

std::string RowsAtOnce::inserted() const {
  Statement statement(numbers_);
  const std::string come = statement.with("rows", "rows that come", rows_of("newt", ""));
  const std::string gate = statement.with(kGate, "none has the key of a row that is there",
                                          fitting({nothing_waits(), target_.none_with_key_of(come, {})}));
  statement.with("shown", "stream table: rows that are new", target_.insert(come, gate, kFits));
  return statement.sql(Select({kFits}).from(gate, "f").into({"v.fits"})) + ";";
}

std::string RowsAtOnce::deleted() const {
  Statement statement(numbers_);
  const std::string go = statement.with("rows", "rows that go", rows_of("oldt", ""));
  const Query all = Select({"count(*)"}).from(go, "n");
  const std::string gate = statement.with(
      kGate, "all of them are there",
      fitting({nothing_waits(), Query(target_.found(go, {})).in_parentheses() + " = " + all.in_parentheses()}));
  statement.with("hidden", "stream table: rows that are gone", target_.remove(go, gate, kFits));
  return statement.sql(Select({kFits}).from(gate, "f").into({"v.fits"})) + ";";
}

std::string RowsAtOnce::changed(Statement& statement, const FromItem& delta,
                                const std::vector<std::string>& conditions) const {
  const std::string net = statement.with("change", "changed rows, net", target_.net(delta));
  const auto keys = target_.key_names();
  auto columns = keys;
  columns.insert(columns.end(), {"come", "go"});
  columns = unique_names(columns);
  const std::string come = columns[keys.size()];
  const std::string go = columns[keys.size() + 1];
  const std::string by_key = statement.with("keys", "what comes and what goes of each key",
                                            Select(prefixed(keys, "n."))
                                                .item("coalesce(sum(n.w) FILTER (WHERE n.w > 0), 0)", come)
                                                .item("coalesce(-sum(n.w) FILTER (WHERE n.w < 0), 0)", go)
                                                .from(net, "n")
                                                .group_by(prefixed(keys, "n.")));
  const Query gone = Select({"count(*)"}).from(net, "n").where("n.w < 0");
  std::vector<std::string> all = conditions;
  all.push_back(not_exists(Select().from(by_key, "n").where("(n." + come + " > 1 OR n." + go + " > 1)")));
  all.push_back(Query(target_.found(net, {"n.w < 0"})).in_parentheses() + " = " + gone.in_parentheses());
  all.push_back(target_.none_with_key_of(by_key, {"n." + go + " = 0"}));
  const std::string gate =
      statement.with(kGate, "what goes is there, and what comes has no key of what stays", fitting(all));
  const Select applied = Select({"n.*"}).from(net, "n").from(gate, "f").where(kFits);
  Select last = target_.apply_delta(statement, {applied, true});
  last.item(kFits).from(gate, "f").into({"rows_inserted", "rows_updated", "rows_deleted", "v.violations", "v.fits"});
  constexpr const char* kText = R"sql(
      ${statement};
      IF v.violations <> 0 THEN
          PERFORM pgtrickle._raise_disagreement(${name}, 'state', v.violations);
      END IF;
  )sql";
  return fill(kText, {{"statement", statement.sql(last)}, {"name", quote_literal(target_.table())}});
}

std::string RowsAtOnce::updated() const {
  Statement statement(numbers_, false, false);
  return changed(statement, union_all({rows_of("oldt", "-1"), rows_of("newt", "1")}), {nothing_waits()});
}

std::string RowsAtOnce::waited() const {
  Statement statement(numbers_, false, false);
  return changed(statement, plan_.root->delta(statement, false).from, {});
}

}  // namespace pgtrickle::compiler
