// What all parts of the scheduler of one database know and use: its configuration, what is true of it as a whole, its
// tasks, and what the parts ask of each other's loops (signals.h). Knows none of the parts.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>

#include "config/config.h"
#include "observe/observer.h"
#include "planner/refresh_planner.h"
#include "postgres/connection.h"
#include "scheduler/build_places.h"
#include "scheduler/builder.h"
#include "scheduler/retry_policy.h"
#include "scheduler/signals.h"
#include "scheduler/tasks.h"
#include "scheduler/worker_budget.h"

namespace pgtrickle::scheduler {

using ConnectionPtr = std::shared_ptr<postgres::Connection>;
using MaybeError = std::optional<postgres::Error>;

/// What the schedulers of all databases share.
struct Shared {
  boost::asio::any_io_executor executor;
  std::shared_ptr<boost::asio::thread_pool> libpq_workers;  // connecting and cancelling
  std::shared_ptr<boost::asio::thread_pool> build_workers;
  Builder builder;
  std::atomic<int> building{0};  // how many build workers are busy
  BuildPlaces build_places;
  observe::Observer* observer = nullptr;
  std::shared_ptr<WorkerBudget> budget;  // of refreshes at once
  std::string host;
  std::string instance;  // of this process, unique
  bool details = false;  // of errors, for those who may not see the catalog
  std::mt19937_64 random{std::random_device{}()};
};

struct Context {
  Context(std::shared_ptr<Shared> of_all, config::Database its, config::Scheduler scheduler, config::Compiler limits);

  std::shared_ptr<Shared> shared;
  config::Database database;
  config::Scheduler settings;
  config::Compiler compiler;
  std::shared_ptr<Tasks> tasks;
  Signals signals;

  bool stopping = false;
  bool leader = false;
  std::uint64_t term = 0;                     // grows with every gain and loss of leadership: an old dispatcher ends
  bool may_sleep = false;                     // writers can wake us
  bool paused = false;                        // as a whole, as the catalog says
  std::string worker_trouble;                 // why nothing is refreshed; empty: none
  std::string problem = "not connected yet";  // why it is not served; empty: it is

  [[nodiscard]] const std::string& name() const { return database.name; }
  [[nodiscard]] observe::Observer& observer() const { return *shared->observer; }
  [[nodiscard]] bool leading() const { return leader && !stopping; }
  [[nodiscard]] bool leads_in(std::uint64_t its_term) const { return leading() && term == its_term; }
  [[nodiscard]] bool halted() const { return paused || !worker_trouble.empty(); }
  [[nodiscard]] bool has_worker_login() const { return !database.worker_dsn.empty(); }
  [[nodiscard]] double random01() const;
  [[nodiscard]] RetryRules retry_rules() const;
  void set_problem(const std::string& now);
};

/// On both clocks.
[[nodiscard]] planner::Now now();

}  // namespace pgtrickle::scheduler
