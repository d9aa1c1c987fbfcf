// The daemon's configuration as plain typed values. Filled from YAML, command line and environment by config/load.h,
// validated there; everything else only reads it. Durations are chrono values, sizes are bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/agreements.h"

namespace pgtrickle::config {

using Milliseconds = std::chrono::milliseconds;

struct Database {
  std::string name;  // label in logs and metrics; defaults to the dbname of the dsn
  std::string dsn;   // libpq connection string or URI; may be empty: libpq environment variables and service files
  std::string
      worker_dsn;     // what is different for worker sessions, such as user=pgtrickle_worker; empty: one login for all
  int pool_size = 4;  // connections that run refreshes, besides the control connection
  int workers = 1;    // refreshes at once that it is guaranteed when databases compete; pool_size when others are idle
  bool discover = false;  // stands for every database of this server that has pgtrickle; name is a prefix then
};

struct Scheduler {
  Milliseconds default_schedule =
      agreements::kDefaultSchedule;  // schedule of 'calculated' stream tables without consumers
  Milliseconds catalog_poll_interval{
      2000};  // how often to look for new/altered/dropped stream tables if nobody notifies
  Milliseconds housekeeping_interval{1000};  // log rotation
  Milliseconds refresh_timeout{600000};      // statement_timeout of a refresh; 0 = none
  Milliseconds lock_timeout{200};            // at most so long does one attempt of a build to lock a table take
  Milliseconds retry_backoff_min{100};       // first retry after a retryable error, doubles with jitter
  Milliseconds retry_backoff_max{30000};
  Milliseconds leader_retry_interval{1000};  // a standby asks this often whether it may lead
  int max_consecutive_errors = 3;            // then the stream table is SUSPENDED
  std::chrono::hours history_retention{24 * 7};
  std::int64_t log_switch_bytes = 262144;  // a change log is rotated when its active table is larger

  int tier_warm = 2;  // schedules of stream tables of this tier are so many times as long
  int tier_cold = 10;
  Milliseconds continuous_min_interval{50};  // between two refreshes of a stream table with the schedule 'continuous'
  bool auto_backoff = true;                  // lengthen schedules that refreshes outrun
  int max_fixpoint_iterations = agreements::kFixpointRounds;  // of a cycle of stream tables
  int unit_max_tables = 64;          // a unit (one transaction, one snapshot) has at most so many tables
  Milliseconds unit_max_cost{2000};  // and is expected to take at most so long
  int max_workers = 0;               // refreshes at once over all databases; 0 = the sum of the pool sizes
  int owner_max_places = 0;          // of one owner who is not trusted; 0 = OwnerPlaces says
  int fuse_history = 20;             // refreshes that an automatic fuse learns from

  Milliseconds alert_interval{60000};                         // the same alert for the same object at most so often
  std::int64_t log_alert_bytes = agreements::kLargeLogBytes;  // a change log larger than this is an alert; 0 = never
  std::int64_t log_max_bytes = 0;              // who holds a larger one back is recomputed instead; 0 = never
  Milliseconds watermark_stuck_after{600000};  // a watermark that others wait for and that stands still; 0 = never
  Milliseconds discovery_interval{30000};      // how often to look for databases, see Database::discover
};

struct Compiler {
  int max_nesting = 256;
  int max_nodes = 64;
  int max_grouping_branches = 64;
  std::int64_t max_query_bytes = 1 << 20;
};

struct Http {
  std::string address = "127.0.0.1";
  std::uint16_t port = 9188;  // 0 = off
  bool details = false;       // errors with the values that they name, here and in alerts
  std::string allowed_hosts;  // comma-separated; empty: any
  bool operator==(const Http&) const = default;
};

/// What a line of the log is about: the first argument of log::info and its siblings (observe/log.h). `daemon` is what
/// has no topic of its own.
inline const std::vector<std::string> kLogTopics{"alert",     "build",        "connection", "daemon",
                                                 "discovery", "housekeeping", "refresh",    "scheduler"};

struct Log {
  std::string level = "info";                 // trace debug info warn error critical off
  std::map<std::string, std::string> levels;  // of topics that have their own
  std::string format = "text";                // text | json
};

struct Config {
  std::vector<Database> databases;
  Scheduler scheduler;
  Compiler compiler;
  Http http;
  Log log;
  Milliseconds shutdown_timeout{5000};
};

}  // namespace pgtrickle::config
