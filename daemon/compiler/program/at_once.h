// What programs share that apply the changes of each statement at once, from its transition tables (rows_at_once.h,
// groups_at_once.h). No place is taken, no statement counted.
//
//   pgtrickle_state.changed_<N>_1()    AFTER each statement on the source
//   pgtrickle_state.left_over_<N>()    at COMMIT, if there is anything in changes_<N>_1 then
//
// Rule: the query reads one table and no row of it but the ones that change, so changes may come in any order, and
// what is between them is of no concern. A statement of a user's trigger that fires before ours comes first, although
// its own came first; when the outermost statement has ended, all are there.
//
// Concurrency: TRUNCATE of the source keeps all others away. In an older snapshot not all rows can be seen that are to
// go then: TRUNCATE of the stream table and its state takes them. What a trigger of a user has inserted since the
// TRUNCATE of the source has been maintained before, and is lost with that: so the query is computed once more, of
// rows that are all of this transaction.
#pragma once

#include <string>

#include "compiler/operators/operator.h"
#include "compiler/program.h"
#include "compiler/program/trigger_writer.h"
#include "compiler/sql/query.h"

namespace pgtrickle::compiler {

/// Whether there is one source, which can be followed so: a table or stream table without partitions, and event
/// triggers that tell when it is altered. And whether nothing of the program depends on settings or on unique indexes
/// of users.
bool has_one_plain_source(const TriggerWriter& triggers);
/// Row-wise operators over a scan, or a scan.
bool is_rowwise(const Operator& op);
/// The rows of such an operator that those of a transition table make, with this weight if it is not empty.
Query rows_of(const Operator& op, const char* transition_table, const std::string& weight);
/// What has changed in an UPDATE, rows with weights.
Query both_sides_of(const Operator& op);

struct AtOnce {
  std::string declared;  // variables, beside v.ignored
  std::string inserted, deleted, updated;
  std::string after;      // of all of them
  std::string truncated;  // tables that TRUNCATE empties
};
/// The body of changed_<N>_1.
std::string changed_at_once(const TriggerWriter& triggers, const AtOnce& parts);
/// left_over_<N> shall look at COMMIT, not earlier, whatever the writer wants of constraints.
std::string look_at_commit(const TriggerWriter& triggers);
/// Adds left_over_<N>. `what` it does with what is in the table of changes, which is cleared afterwards.
void add_left_over(const TriggerWriter& triggers, const std::string& declared, const std::string& what,
                   Program& program);

}  // namespace pgtrickle::compiler
