// Entries of a refresh planner, in short.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "planner/refresh_planner.h"

namespace pgtrickle::planner::testing {

inline Schedule every(int ms) {
  return Schedule::every(Milliseconds(ms));
}
inline Schedule continuous(std::optional<int> ms = {}) {
  Schedule out;
  out.kind = Schedule::Kind::kContinuous;
  if (ms) out.period = Milliseconds(*ms);
  return out;
}
inline Schedule cron(const std::string& text) {
  Schedule out;
  out.kind = Schedule::Kind::kCron;
  out.cron = Cron::parse(text);
  return out;
}
inline Schedule calculated() {
  return {};
}

/// The change log of a stream table
inline SourceId own_log(TableId id) {
  return 10000 + id;
}

/// Active and captured. Without anything named it reads a source of its own.
inline PlannerEntry entry(TableId id, Schedule schedule, std::vector<TableId> upstream = {},
                          std::vector<SourceId> sources = {}) {
  PlannerEntry out;
  out.id = id;
  out.schedule = std::move(schedule);
  out.active = true;
  out.captured = true;
  if (upstream.empty() && sources.empty()) sources.push_back(1000 + id);
  out.upstream = std::move(upstream);
  out.sources = sources;
  out.relations = std::move(sources);
  out.own_log = own_log(id);
  return out;
}

}  // namespace pgtrickle::planner::testing
