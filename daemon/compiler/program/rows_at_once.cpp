#include "compiler/program/rows_at_once.h"

#include "compiler/program/at_once.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/template.h"

namespace pgtrickle::compiler {

namespace {

constexpr const char* kGate = "fits";
constexpr const char* kFits = "f.fits";

}  // namespace

bool RowsAtOnce::fits(const TriggerWriter& triggers, const CutPlan& plan, const WriterLocks& locks,
                      const Target& target) {
  const bool nothing_locked = !locks.alone && locks.domains.empty() && locks.result == WriterLocks::Result::kNone;
  return nothing_locked && plan.inner.empty() && plan.root_state == nullptr && target.plain_key() &&
         is_rowwise(*plan.root) && has_one_plain_source(triggers);
}

RowsAtOnce::RowsAtOnce(const TriggerWriter& triggers, const CutPlan& plan, const Target& target)
    : triggers_(triggers),
      plan_(plan),
      target_(target),
      numbers_(triggers.numbers().immediate(triggers.request().id, false, triggers.about())),
      waiting_(triggers.table(triggers.sources().front())) {}

void RowsAtOnce::add_to(Program& program) const {
  add_left_over(triggers_, "locked bigint;", still_waits(), program);
  AtOnce parts;
  parts.declared = "fits boolean;\nviolations bigint;";
  parts.inserted = inserted();
  parts.deleted = deleted();
  parts.updated = updated();
  parts.after = or_else_wait();
  parts.truncated = target_.table();
  triggers_.add_changed(program, triggers_.sources().front(), changed_at_once(triggers_, parts));
}

std::string RowsAtOnce::nothing_waits() const {
  return not_exists(Select().from(waiting_, "x"));
}

/// No row where triggers do not maintain it.
Select RowsAtOnce::fitting(const std::vector<std::string>& conditions) const {
  return Select()
      .item(join(conditions, "\nAND "), kGate)
      .from("pgtrickle.pgt_immediate", "i")
      .where("i.pgt_id = " + triggers_.id())
      .where(not_exists(Select().from("pgtrickle.pgt_immediate_stopped", "x").where("x.pgt_id = " + triggers_.id())));
}

std::string RowsAtOnce::inserted() const {
  Statement statement(numbers_);
  const std::string come = statement.with("rows", "rows that come", rows_of(*plan_.root, "newt", ""));
  const std::string gate = statement.with(kGate, "none has the key of a row that is there",
                                          fitting({nothing_waits(), target_.none_with_key_of(come, {})}));
  statement.with("shown", "stream table: rows that are new", target_.insert(come, gate, kFits));
  return statement.sql(Select({kFits}).from(gate, "f").into({"v.fits"})) + ";";
}

std::string RowsAtOnce::deleted() const {
  Statement statement(numbers_);
  const std::string go = statement.with("rows", "rows that go", rows_of(*plan_.root, "oldt", ""));
  const Query all = Select({"count(*)"}).from(go, "n");
  const std::string gate = statement.with(
      kGate, "all of them are there",
      fitting({nothing_waits(), Query(target_.found(go, {})).in_parentheses() + " = " + all.in_parentheses()}));
  statement.with("hidden", "stream table: rows that are gone", target_.remove(go, gate, kFits));
  return statement.sql(Select({kFits}).from(gate, "f").into({"v.fits"})) + ";";
}

std::string RowsAtOnce::changed(Statement& statement, const FromItem& delta,
                                const std::vector<std::string>& conditions) const {
  const std::string net = statement.with("net", "changed rows, net", target_.net(delta));
  const Target::KeyCounts keys = target_.count_by_key(statement, net);
  const Query gone = Select({"count(*)"}).from(net, "n").where("n.w < 0");
  std::vector<std::string> all = conditions;
  all.push_back(not_exists(Select().from(keys.from, "n").where("(n." + keys.come + " > 1 OR n." + keys.go + " > 1)")));
  all.push_back(Query(target_.found(net, {"n.w < 0"})).in_parentheses() + " = " + gone.in_parentheses());
  all.push_back(target_.none_with_key_of(keys.from, {"n." + keys.go + " = 0"}));
  const std::string gate =
      statement.with(kGate, "what goes is there, and what comes has no key of what stays", fitting(all));
  const Query applies = Select({kFits}).from(gate, "f");
  Select last = target_.apply_counted(statement, net, keys, applies.in_parentheses());
  last.item(kFits).from(gate, "f").into({"v.violations", "v.fits"});
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
  return changed(statement, both_sides_of(*plan_.root), {nothing_waits()});
}

std::string RowsAtOnce::waited() const {
  Statement statement(numbers_, false, false);
  return changed(statement, plan_.root->delta(statement, false).from, {});
}

std::string RowsAtOnce::or_else_wait() const {
  constexpr const char* kText = R"sql(
      IF NOT v.fits THEN      -- what happened before it comes later
          ${look_at_commit}
          ${store}
          ${waited}
          IF v.fits THEN
              DELETE FROM ${waiting};
          END IF;
      END IF;
  )sql";
  return fill(kText, {{"look_at_commit", look_at_commit(triggers_)},
                      {"store", triggers_.stored(triggers_.sources().front())},
                      {"waited", waited()},
                      {"waiting", waiting_}});
}

/// At COMMIT.
std::string RowsAtOnce::still_waits() const {
  Statement statement(numbers_);
  const std::string waits = statement.with("rows", "rows that wait", plan_.root->delta(statement, false).from.query());
  const std::string locked =
      statement.with("locked", "rows of the stream table that are in their way", target_.locked_with_key_of(waits));
  constexpr const char* kText = R"sql(
      IF current_setting('transaction_isolation') <> 'read committed' THEN    -- 40001 if one has changed since
          ${lock};
      END IF;
      ${lost}
  )sql";
  return fill(kText, {{"lock", statement.sql(Select({"count(*)"}).from(locked, {}).into({"v.locked"}))},
                      {"lost", triggers_.lost("its rows were not what they should have been")}});
}

}  // namespace pgtrickle::compiler
