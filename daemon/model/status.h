// The status of a stream table (pgt_stream_tables.status) and how it changes: one table of transitions. The daemon
// takes the new status from it, docs/STATUS.md is made from it, and tests let PostgreSQL refuse every change that is
// not in it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pgtrickle {

enum class TableStatus { kPending, kInitializing, kActive, kError, kSuspended, kPaused };

struct StatusInfo {
  TableStatus status;
  const char* name;
  const char* meaning;
};

/// In the order of TableStatus.
[[nodiscard]] std::span<const StatusInfo> status_register();
[[nodiscard]] std::string to_string(TableStatus status);
[[nodiscard]] std::optional<TableStatus> parse_status(std::string_view text);

enum class StatusEvent {
  kCreated,
  kBuildBegins,
  kBuilt,
  kBuildFails,
  kGoesBack,
  kErrorsPersist,
  kRebuildingDoesNotHelp,
  kRefused,
  kAdmitted,
  kTriedByBuild,
  kTriedByRefresh,
  kPaused,
  kSuspended,
  kResumedToBuild,
  kResumed,
  kOwnerChanged,
};

/// An event has one target, from whichever status it finds.
struct Transition {
  StatusEvent event;
  const char* name;
  std::vector<TableStatus> from;  // none: the row is new
  TableStatus to;
  const char* by;        // who does it
  const char* sentence;  // what happened
};

/// In the order of StatusEvent.
[[nodiscard]] const std::vector<Transition>& transitions();
[[nodiscard]] const Transition& transition(StatusEvent event);
/// The text of the status after the event.
[[nodiscard]] std::string status_after(StatusEvent event);
/// The statuses that the event can find, as a list for SQL: 'PENDING', 'ACTIVE'
[[nodiscard]] std::string sql_list_before(StatusEvent event);
/// The event can find this status.
[[nodiscard]] bool may_happen(StatusEvent event, TableStatus from);
/// A change of the status, or none, that some event makes.
[[nodiscard]] bool may_change(TableStatus from, TableStatus to);

/// docs/STATUS.md
[[nodiscard]] std::string status_docs();

}  // namespace pgtrickle
