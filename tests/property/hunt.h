// Runs scenarios of one seed after the other, minimises what fails and reports it as failures of the test. Environment:
//   PGT_SEED      the seed of the first scenario, the next ones follow it; "random": another one every time
//   PGT_QUERIES   how many queries at least (each test has its default); PGT_STEPS: and how many steps (0)
//   PGT_FEATURES  what to generate and to expect (property/features.h)
//   PGT_FAILURES  go on until so many stream tables have failed (1)
//   PGT_MINIMIZE  seconds to spend on minimising a failure (60)
//   PGT_CASES     a directory: minimised failures are also written there, as tests/sql cases
//   PGT_WORKERS   how many scenarios run at the same time (2)
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "property/scenario.h"

namespace pgt::property {

struct HuntOptions {
  std::function<Scenario(std::uint64_t seed, const Switches& switches)> scenario;
  std::size_t queries = 0;
  std::uint64_t workers = 2;
};

void hunt(const HuntOptions& options);

}  // namespace pgt::property
