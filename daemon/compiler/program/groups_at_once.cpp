#include "compiler/program/groups_at_once.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "compiler/program/at_once.h"
#include "compiler/sql/change.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/template.h"

namespace pgtrickle::compiler {

namespace {

/// The columns of the aggregate that the target's key is; -1: it is something else.
std::vector<int> key_of_groups(const CutPlan& plan, const Target& target) {
  std::vector<int> positions;
  for (int position : target.key()) {
    for (auto op = plan.chain.rbegin(); op != plan.chain.rend() && position >= 0; ++op)
      position = (*op)->origin(position);
    positions.push_back(position);
  }
  return positions;
}

/// All of the group's key is the key of the stream table, and equal keys are the same.
bool is_keyed_by_group(const Aggregate& groups, const CutPlan& plan, const Target& target) {
  auto positions = key_of_groups(plan, target);
  std::sort(positions.begin(), positions.end());
  if (positions.size() != groups.state_keys()) return false;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    if (positions[i] != static_cast<int>(i)) return false;
    const TypeInfo& type = groups.columns()[i].type.value();
    if (!type.equatable || !type.builtin_operators || !type.identity) return false;
  }
  return true;
}

}  // namespace

bool GroupsAtOnce::fits(const TriggerWriter& triggers, const CutPlan& plan, const WriterLocks& locks,
                        const Target& target) {
  const auto* groups = dynamic_cast<const Aggregate*>(plan.root_state);
  if (groups == nullptr || !groups->only_adds() || !plan.inner.empty() || !is_rowwise(*groups->inputs().front()))
    return false;
  const bool all_shown =
      std::all_of(plan.chain.begin(), plan.chain.end(), [](const auto* op) { return op->predicates().empty(); });
  return all_shown && !locks.alone && locks.domains.empty() && target.keyed() &&
         is_keyed_by_group(*groups, plan, target) && has_one_plain_source(triggers);
}

GroupsAtOnce::GroupsAtOnce(const TriggerWriter& triggers, const CutPlan& plan, const Target& target)
    : triggers_(triggers),
      plan_(plan),
      target_(target),
      groups_(dynamic_cast<const Aggregate&>(*plan.root_state)),
      numbers_(triggers.numbers().immediate(triggers.request().id, false, triggers.about())) {}

void GroupsAtOnce::add_to(Program& program) const {
  for (const auto& ddl : groups_.unique_ddl()) program.owner_ddl.push_back(ddl);
  add_left_over(triggers_, {}, less_than_nothing(), program);
  const Operator& input = *groups_.inputs().front();
  AtOnce parts;
  parts.declared =
      "rows_inserted bigint;\nrows_updated bigint;\nrows_deleted bigint;\n"
      "unsettled bigint;\ngone tid[];\ntouched tid[];\n"
      "old_snapshot CONSTANT boolean := current_setting('transaction_isolation') <> 'read committed';";
  if (!groups_.untold().empty()) parts.declared += "\nuntold tid[];";
  parts.inserted = changed(rows_of(input, "newt", "1"), false);
  parts.deleted = changed(rows_of(input, "oldt", "-1"), false);
  parts.updated = changed(both_sides_of(input), true);
  parts.after = hide_or_compute();
  parts.truncated = target_.table() + ", " + groups_.state_table();
  triggers_.add_changed(program, triggers_.sources().front(), changed_at_once(triggers_, parts));
}

FromItem GroupsAtOnce::chained(FromItem groups) const {
  for (const auto* op : plan_.chain) groups = op->over(groups, {});
  return groups;
}

std::string GroupsAtOnce::changed(const Query& rows, bool may_be_none) const {
  Statement statement(numbers_, false, false);
  statement.leave_gone();
  const std::string added =
      statement.with("g", "changed groups: what is added to each", groups_.increments(rows, {}, may_be_none));
  const std::string state = statement.with("s", "state: added, and what it is now", groups_.add_to_state(added));
  const std::string tid = "s." + groups_.tid_column();
  const std::string empty = "NOT " + groups_.not_empty();
  Select tally;
  tally.item("count(*) FILTER (WHERE " + empty + " AND NOT (" + groups_.nothing_left() + "))", "broken")
      .item("array_agg(" + tid + ") FILTER (WHERE " + empty + ")", "gone")
      .item("array_agg(" + tid + ") FILTER (WHERE v.old_snapshot)", "touched");
  std::vector<std::string> variables{"rows_inserted", "rows_updated", "rows_deleted",
                                     "v.unsettled",   "v.gone",       "v.touched"};
  const std::string untold = groups_.untold();
  if (!untold.empty()) {
    tally.item("array_agg(" + tid + ") FILTER (WHERE " + groups_.not_empty() + " AND " + untold + ")", "untold");
    variables.emplace_back("v.untold");
  }
  Select last = target_.upsert_rows(statement, chained(groups_.told(state)), tally.from(state, "s"));
  last.item("m.touched");
  if (!untold.empty()) last.item("m.untold");
  return statement.sql(last.into(variables)) + ";";
}

std::string GroupsAtOnce::hide_or_compute() const {
  std::vector<std::string> keys;
  for (const int position : key_of_groups(plan_, target_))
    keys.push_back(quote_ident(groups_.columns()[static_cast<std::size_t>(position)].name));
  constexpr const char* kText = R"sql(
      IF v.touched IS NOT NULL THEN      -- 40001 if it shows a group that somebody has emptied since
          PERFORM ${seen};
      END IF;
      IF v.gone IS NOT NULL THEN
          ${hide};
          ${forget};
          IF v.unsettled > 0 THEN      -- what happened before it comes later
              ${look_at_commit}
              INSERT INTO ${changes} (w) VALUES (0);
          END IF;
      END IF;
      ${compute}
  )sql";
  return fill(kText, {{"seen", groups_.seen_of("v.touched")},
                      {"hide", target_.delete_gone(groups_.state_table(), keys).sql()},
                      {"forget", Delete(groups_.state_table(), "s")
                                     .where(std::string("s.ctid = ANY (v.gone)"))
                                     .where(groups_.nothing_left())
                                     .sql()},
                      {"look_at_commit", look_at_commit(triggers_)},
                      {"changes", triggers_.table(triggers_.sources().front())},
                      {"compute", groups_.untold().empty() ? "" : compute()}});
}

std::string GroupsAtOnce::compute() const {
  Statement statement(numbers_, false, false);
  statement.leave_gone();
  const Select none({"0 AS broken", "NULL AS gone"});
  Select last = target_.upsert_rows(statement, chained(groups_.computed("s.ctid = ANY (v.untold)")), none);
  last.into({"rows_inserted", "rows_updated", "rows_deleted", "v.unsettled", "v.ignored"});
  constexpr const char* kText = R"sql(
      IF v.untold IS NOT NULL THEN
          ${statement};
      END IF;
  )sql";
  return fill(kText, {{"statement", statement.sql(last)}});
}

/// At COMMIT. A group that has nothing but a sum that cannot be told goes now.
std::string GroupsAtOnce::less_than_nothing() const {
  const std::string empty = "NOT " + groups_.not_empty();
  const std::string untold = groups_.untold();
  Select broken;
  broken.from(groups_.state_table(), "s").where(empty).where("NOT (" + groups_.nothing_left() + ")");
  if (!untold.empty()) broken.where("NOT " + untold);
  constexpr const char* kText = R"sql(
      IF ${broken} THEN
          ${lost}
      END IF;
      ${forget};
  )sql";
  return fill(kText, {{"broken", exists(broken)},
                      {"lost", triggers_.lost("its state was not what it should have been")},
                      {"forget", Delete(groups_.state_table(), "s").where(empty).sql()}});
}

}  // namespace pgtrickle::compiler
