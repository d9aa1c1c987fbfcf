#include "compiler/program/immediate_writer.h"

#include "compiler/program/counted_statements.h"
#include "compiler/program/groups_at_once.h"
#include "compiler/program/rows_at_once.h"
#include "compiler/program/trigger_writer.h"

namespace pgtrickle::compiler {

std::string add_immediate(const CompileRequest& request, const CutPlan& plan, const Target& target,
                          const WriterLocks& locks, const std::vector<CapturedSource>& sources,
                          const SourceNumbers& numbers, const MakeDeltaBody& differential, Planning planning,
                          Program& program) {
  program.immediate = true;
  const TriggerWriter triggers(request, sources, numbers, planning);
  for (const auto& s : triggers.sources()) program.owner_ddl.push_back(triggers.changes_ddl(s));
  if (RowsAtOnce::fits(triggers, plan, locks, target)) {
    RowsAtOnce(triggers, plan, target).add_to(program);
    return "Triggers after";
  }
  if (GroupsAtOnce::fits(triggers, plan, locks, target)) {
    GroupsAtOnce(triggers, plan, target).add_to(program);
    return "Triggers after";
  }
  add_counted_statements(triggers, plan, locks, differential, program);
  return "Triggers before and after";
}

}  // namespace pgtrickle::compiler
