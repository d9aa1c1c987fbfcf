// What a stream table should hold at a source snapshot. Triggers of the test keep the history of every relation (who
// wrote which row), so any relation can be computed as of any snapshot, and with it any query.
//
// Three claims are checked, each within one snapshot of a reader:
//   exact      a stream table equals its query over what it reads directly (base tables and stream tables) as of its
//   own
//              frontier. Holds for every stream table at any moment, whatever its schedule and that of the others.
//   agreement  there is one source snapshot such that every member of a component equals its query, stream tables in it
//              replaced by their queries down to base tables, as of that snapshot. Holds where the whole component is
//              refreshed together. The snapshots tried are the members' frontiers: the last unit that changed anything
//              left its snapshot in one of them, and members that it did not change were equal to their queries there.
//
//   now        an IMMEDIATE stream table equals its query over what it reads directly, as the reader sees both.
//
// None trusts the frontiers: a wrong one makes the comparison fail.
#pragma once

#include <string>
#include <vector>

#include "property/graphs/graph.h"
#include "support/database.h"

namespace pgt::graphs {

/// History of base tables, which exist already; to be called before anybody writes to them.
void keep_history_of_bases(test::Session& session, std::size_t bases);

/// Creates the stream table and its history; in one transaction, so that nothing is missed.
void create_with_history(test::Session& session, const Table& table);

/// One row, with one column: how many rows differ. No row: it is not initialised.
[[nodiscard]] std::string exactness_sql(const Case& from, std::size_t table);

/// The same for a stream table that triggers keep equal to its query. No row: they do not just now.
[[nodiscard]] std::string equality_sql(const Case& from, std::size_t table);

/// One row, with one column: the names of the members that differ from their queries as of `snapshot`, or NULL.
[[nodiscard]] std::string agreement_sql(const Case& from, const Component& component, const std::string& snapshot);

/// The frontiers of the members, a row each: snapshot, newest first; may this stream table be judged?
[[nodiscard]] std::string frontiers_sql(const Case& from, const Component& component);

}  // namespace pgt::graphs
