// A stream table as the scheduler knows it: its row of the catalog, and what this process has learned since.
#pragma once

#include <optional>

#include "planner/refresh_planner.h"
#include "refresh/cost_model.h"
#include "refresh/fuse_model.h"
#include "scheduler/catalog_sql.h"
#include "scheduler/retry_policy.h"

namespace pgtrickle::scheduler {

using planner::Domain;
using planner::Milliseconds;
using planner::TimePoint;

struct Table {
  sql::StreamTable row;
  TimePoint loaded_at;             // the row shows a state of the catalog after this moment
  std::optional<TimePoint> retry;  // ERROR, SUSPENDED: when it is tried again
  RetryPolicy health;
  refresh::CostModel costs;
  refresh::FuseModel fuse;
  struct Build {
    bool running = false;
    TimePoint ended = TimePoint::min();  // the row knows of it if it was loaded later
    int failures = 0;
    TimePoint not_before = TimePoint::min();
    std::optional<std::int64_t> failed_generation;  // a build of this generation ended with an error
  } build;
  // As of this process, more recent than the row
  std::optional<double> last_refresh_epoch, last_duration_ms;
  std::int64_t refreshes_since_load = 0;
  std::int64_t largest_delta = 0;              // pending rows that were applied, also according to the history
  std::optional<TimePoint> freshness_written;  // what the catalog says of it, as far as we have written it

  /// What happens to it is not in the row yet.
  [[nodiscard]] bool is_being_built() const { return build.running || loaded_at <= build.ended; }
};

}  // namespace pgtrickle::scheduler
