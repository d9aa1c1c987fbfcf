// Thousands of random histories of writers, users and a daemon: at no moment does a table sleep while changes wait for
// it of which the daemon is not going to hear; in the end everything is consumed and everything that can sleeps.
#include <gtest/gtest.h>

#include <cstdlib>

#include "sleeping_model.h"

namespace pgtrickle::planner::testing {
namespace {

// PGT_SEED and PGT_RUNS make a hunt of it.
unsigned environment(const char* name, unsigned otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : static_cast<unsigned>(std::stoul(value));
}

#ifdef NDEBUG
constexpr unsigned kFewer = 1;
#else
constexpr unsigned kFewer = 20;  // a build for debugging is slow
#endif

void run_all(ModelOptions options, unsigned salt) {
  const unsigned first = environment("PGT_SEED", 1);
  const unsigned runs = environment("PGT_RUNS", 600 / kFewer);
  int slept = 0;
  for (unsigned seed = first; seed < first + runs; ++seed) {
    SleepingModel model(seed * 8 + salt, options);
    model.run(250);
    if (model.violation().empty()) model.quiesce();
    ASSERT_EQ(model.violation(), "") << "seed " << seed;
    slept += model.slept();
  }
  EXPECT_GT(slept, static_cast<int>(runs) * 1000);
}

TEST(SleepingModel, NothingIsMissed) {
  run_all({.failures = false, .users = false}, 0);
}

TEST(SleepingModel, NothingIsMissedThoughUsersInterfere) {
  run_all({.failures = false}, 1);
}

TEST(SleepingModel, NothingIsMissedThoughRefreshesFailAndConnectionsAreLost) {
  run_all({}, 2);
}

TEST(SleepingModel, NothingIsMissedBesideSourcesWithoutCapture) {
  run_all({.uncaptured = true}, 3);
}

TEST(SleepingModel, NothingIsMissedInCycles) {
  run_all({.cycles = true}, 4);
}

}  // namespace
}  // namespace pgtrickle::planner::testing
