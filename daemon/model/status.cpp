#include "model/status.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace pgtrickle {
namespace {

using enum TableStatus;

constexpr std::array kStatuses{
    StatusInfo{kPending, "PENDING", "It waits for the daemon to build it."},
    StatusInfo{kInitializing, "INITIALIZING", "The daemon compiles its query and computes its rows."},
    StatusInfo{kActive, "ACTIVE", "It is refreshed. With `needs_reinit` it is built again first."},
    StatusInfo{kError, "ERROR", "It cannot be built. It is tried again at `retry_at`, or when somebody resumes it."},
    StatusInfo{kSuspended, "SUSPENDED",
               "Its refreshes failed too often, or somebody suspended it. It is tried again at `retry_at`, or when "
               "somebody resumes it."},
    StatusInfo{kPaused, "PAUSED", "Somebody paused it. It is not refreshed until somebody resumes it."},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kStatuses.size(); ++i) {
    if (static_cast<std::size_t>(kStatuses[i].status) != i) return false;
  }
  return true;
}
static_assert(in_order());

constexpr const char* kApi = "SQL API";
constexpr const char* kBuilder = "builder";
constexpr const char* kScheduler = "scheduler";

std::string escaped(std::string_view text) {
  std::string out(text);
  std::replace(out.begin(), out.end(), ':', ' ');  // means something to mermaid
  return out;
}

}  // namespace

std::span<const StatusInfo> status_register() {
  return kStatuses;
}

std::string to_string(TableStatus status) {
  return kStatuses.at(static_cast<std::size_t>(status)).name;
}

std::optional<TableStatus> parse_status(std::string_view text) {
  const auto found = std::find_if(kStatuses.begin(), kStatuses.end(), [&](const auto& s) { return s.name == text; });
  return found == kStatuses.end() ? std::nullopt : std::optional(found->status);
}

const std::vector<Transition>& transitions() {
  using enum StatusEvent;
  // StatusEvent and TableStatus share two names, so statuses are written in full where that matters.
  static const std::vector<Transition> kTransitions{
      {kCreated, "created", {}, kPending, kApi, "create_stream_table() made it."},
      {kBuildBegins,
       "build begins",
       {kPending, kInitializing, kActive, kError},
       kInitializing,
       kBuilder,
       "A build worker has taken it: it is new, it asked for re-initialisation, or its last build is tried again."},
      {kBuilt, "built", {kInitializing}, kActive, kBuilder, "Program and rows are there."},
      {kBuildFails,
       "build fails",
       {kPending, kInitializing, kActive, kError},
       kError,
       kBuilder,
       "The build ended with an error that does not pass by itself."},
      {kGoesBack,
       "goes back",
       {kInitializing},
       kPending,
       kBuilder,
       "The altered query could not be built: the one before it is built again."},
      {kErrorsPersist,
       "errors persist",
       {kActive},
       TableStatus::kSuspended,
       kScheduler,
       "max_consecutive_errors refreshes in a row failed, or its owner lost a right."},
      {kRebuildingDoesNotHelp,
       "rebuilding does not help",
       {kActive},
       kError,
       kScheduler,
       "It was built again several times in a row and still asks for it."},
      {kRefused,
       "refused",
       {kPending, kInitializing, kActive},
       kError,
       kScheduler,
       "Its owner is not trusted, and the daemon has no worker sessions."},
      {kAdmitted,
       "admitted",
       {kError},
       kPending,
       kScheduler,
       "Its owner is trusted now, or there are worker sessions."},
      {kTriedByBuild,
       "tried again by a build",
       {TableStatus::kSuspended},
       kPending,
       kScheduler,
       "retry_at has come, and a build may cure its last error."},
      {kTriedByRefresh,
       "tried again by a refresh",
       {TableStatus::kSuspended},
       kActive,
       kScheduler,
       "retry_at has come: it is refreshed on trial, its errors are kept until a refresh succeeds."},
      {StatusEvent::kPaused,
       "paused",
       {kPending, kInitializing, kActive, kError, TableStatus::kSuspended, TableStatus::kPaused},
       TableStatus::kPaused,
       kApi,
       "Somebody paused it."},
      {StatusEvent::kSuspended,
       "suspended",
       {kPending, kInitializing, kActive, kError, TableStatus::kSuspended, TableStatus::kPaused},
       TableStatus::kSuspended,
       kApi,
       "Somebody suspended it with alter_stream_table()."},
      {kResumedToBuild,
       "resumed, to be built",
       {kError, TableStatus::kSuspended, TableStatus::kPaused},
       kPending,
       kApi,
       "Somebody resumed, altered or repaired it, and it has no program or rows to go on with."},
      {kResumed,
       "resumed",
       {kError, TableStatus::kSuspended, TableStatus::kPaused},
       kActive,
       kApi,
       "Somebody resumed, altered or repaired it."},
      {kOwnerChanged,
       "owner changed by a restore",
       {kPending, kInitializing, kActive, kError, TableStatus::kSuspended, TableStatus::kPaused},
       TableStatus::kSuspended,
       kApi,
       "It was restored and belongs to another role than before: that role has to look at its query first."},
  };
  return kTransitions;
}

const Transition& transition(StatusEvent event) {
  return transitions().at(static_cast<std::size_t>(event));
}

std::string status_after(StatusEvent event) {
  return to_string(transition(event).to);
}

std::string sql_list_before(StatusEvent event) {
  std::string out;
  for (const TableStatus from : transition(event).from) out += (out.empty() ? "'" : ", '") + to_string(from) + "'";
  return out;
}

bool may_happen(StatusEvent event, TableStatus from) {
  const auto& before = transition(event).from;
  return std::find(before.begin(), before.end(), from) != before.end();
}

bool may_change(TableStatus from, TableStatus to) {
  return from == to || std::any_of(transitions().begin(), transitions().end(), [&](const Transition& t) {
           return t.to == to && std::find(t.from.begin(), t.from.end(), from) != t.from.end();
         });
}

std::string status_docs() {
  std::string out = R"(# Statuses of a stream table

This file is generated: `pgtrickled --print-status-docs`, from daemon/model/status.cpp. The tests let PostgreSQL refuse
every change of `pgt_stream_tables.status` that is not listed here.

| status | means |
|---|---|
)";
  for (const StatusInfo& info : status_register()) {
    out += "| `" + std::string(info.name) + "` | " + info.meaning + " |\n";
  }
  out += "\nNot drawn: what can happen in every status.\n\n```mermaid\nstateDiagram-v2\n";
  for (const Transition& t : transitions()) {
    if (t.from.size() == kStatuses.size()) continue;
    if (t.from.empty()) out += "    [*] --> " + to_string(t.to) + " : " + escaped(t.name) + "\n";
    for (const TableStatus from : t.from) {
      if (from != t.to) out += "    " + to_string(from) + " --> " + to_string(t.to) + " : " + escaped(t.name) + "\n";
    }
  }
  out += "```\n\n| event | from | to | by | what happened |\n|---|---|---|---|---|\n";
  for (const Transition& t : transitions()) {
    std::string from;
    for (const TableStatus status : t.from) from += (from.empty() ? "" : ", ") + to_string(status);
    out += "| " + std::string(t.name) + " | " + (from.empty() ? "-" : from) + " | " + to_string(t.to) + " | " + t.by +
           " | " + t.sentence + " |\n";
  }
  return out;
}

}  // namespace pgtrickle
