#include "scheduler/context.h"

#include <utility>

#include "observe/log.h"

namespace pgtrickle::scheduler {

namespace log = observe::log;

Context::Context(std::shared_ptr<Shared> of_all, config::Database its, config::Scheduler scheduler,
                 config::Compiler limits)
    : shared(std::move(of_all)),
      database(std::move(its)),
      settings(scheduler),
      compiler(limits),
      tasks(std::make_shared<Tasks>(shared->executor, database.name)),
      signals(shared->executor) {}

double Context::random01() const {
  return std::uniform_real_distribution<double>(0, 1)(shared->random);
}

RetryRules Context::retry_rules() const {
  return {.max_consecutive_errors = settings.max_consecutive_errors,
          .retry = {.min = settings.retry_backoff_min, .max = settings.retry_backoff_max}};
}

void Context::set_problem(const std::string& now) {
  if (now == problem) return;
  if (!now.empty()) {
    log::warn("scheduler", "database is not served database={} problem={}", name(), now);
  } else {
    log::info("scheduler", "database is served database={} leader={}", name(), leader);
  }
  problem = now;
}

planner::Now now() {
  return {.steady = postgres::Clock::now(), .wall = std::chrono::system_clock::now()};
}

}  // namespace pgtrickle::scheduler
