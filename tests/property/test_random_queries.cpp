// The property that pgtrickle is about: whatever the query and whatever the changes, after a refresh the stream table
// equals its query. Environment:
//   PGT_SEED   repeats a run: the seed of the first scenario; the next ones follow it
//   PGT_STEPS  how many steps at least (a step: some transactions, then refreshes and comparisons of all stream tables)
//   PGT_CASES  a directory: minimised failures are also written there, as tests/sql cases
//   PGT_FAILURES  go on until this many scenarios have failed (1)
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>

#include "property/runner.h"
#include "property/scenario.h"

namespace pgt::property {
namespace {

constexpr std::size_t kDefaultSteps = 2000;
constexpr int kMinimizeSeconds = 60;

std::uint64_t number_of(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::stoull(text);
}

const char* name_of(Failure::Kind kind) {
  switch (kind) {
    case Failure::Kind::kCreate:
      return "cannot be created";
    case Failure::Kind::kRefresh:
      return "cannot be refreshed";
    case Failure::Kind::kDiffers:
      return "differs from its query";
    case Failure::Kind::kSql:
      break;
  }
  return "statement failed";
}

std::string report(const Scenario& scenario, const Failure& failure) {
  const Scenario small = minimized(scenario, failure, kMinimizeSeconds);
  std::string text = "seed " + std::to_string(scenario.seed) + ", step " + std::to_string(failure.step) + ": ";
  if (failure.kind != Failure::Kind::kSql) text += scenario.streams[failure.stream].name + " ";
  text += std::string(name_of(failure.kind)) + "\n" + failure.message + "\n";
  const std::string as_case = to_sql_case(small);
  if (const char* directory = std::getenv("PGT_CASES"); directory != nullptr) {
    std::ofstream(std::string(directory) + "/seed_" + std::to_string(scenario.seed) + ".sql") << as_case;
  }
  return text + "------ minimised, as a case for tests/sql ------\n" + as_case +
         "------\nrepeat: PGT_SEED=" + std::to_string(scenario.seed) + " PGT_STEPS=1\n";
}

TEST(RandomQueries, StreamTableEqualsItsQueryAfterEveryRefresh) {
  const std::uint64_t first = number_of("PGT_SEED", std::random_device{}() % 1000000000);
  const std::size_t wanted = number_of("PGT_STEPS", kDefaultSteps);
  const std::uint64_t tolerated = number_of("PGT_FAILURES", 1);
  std::cout << "PGT_SEED=" << first << std::endl;
  const auto start = std::chrono::steady_clock::now();

  Outcome total;
  std::size_t failures = 0;
  std::size_t scenarios = 0;
  for (std::uint64_t seed = first; total.steps < wanted && failures < tolerated; ++seed, ++scenarios) {
    const Scenario scenario = random_scenario(seed);
    const Outcome outcome = run(scenario);
    total.steps += outcome.steps;
    total.refreshes += outcome.refreshes;
    total.checks += outcome.checks;
    total.streams += outcome.streams;
    total.skipped += outcome.skipped;
    for (const auto& reason : outcome.skip_reasons)
      std::cout << "skipped (seed " << seed << "): " << reason << std::endl;
    if (outcome.failure) {
      ++failures;
      ADD_FAILURE() << report(scenario, *outcome.failure);
    }
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  std::cout << scenarios << " scenarios, " << total.steps << " steps, " << total.streams << " stream tables, "
            << total.refreshes << " refreshes, " << total.checks << " comparisons, " << total.skipped
            << " queries skipped, " << failures << " failures, " << elapsed.count() << " s" << std::endl;
  EXPECT_LE(total.skipped * 5, total.streams + total.skipped) << "too many queries that PostgreSQL itself rejects";
}

}  // namespace
}  // namespace pgt::property
