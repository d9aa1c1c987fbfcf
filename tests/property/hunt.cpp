#include "property/hunt.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "property/runner.h"

namespace pgt::property {
namespace {

// Fixed: a change is judged on itself, not on an old bug that today's seed happens to find. Hunting is for random
// seeds.
constexpr std::uint64_t kDefaultSeed = 20240229;

std::uint64_t number_of(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::stoull(text);
}

std::uint64_t first_seed() {
  const char* text = std::getenv("PGT_SEED");
  if (text != nullptr && std::string(text) == "random") return std::random_device{}() % 1000000000;
  return number_of("PGT_SEED", kDefaultSeed);
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
  const Scenario small = minimized(scenario, failure, static_cast<int>(number_of("PGT_MINIMIZE", 60)));
  std::string text = "seed " + std::to_string(scenario.seed) + ", step " + std::to_string(failure.step) + ": ";
  if (failure.kind != Failure::Kind::kSql) {
    const Stream& stream = scenario.streams[failure.stream];
    text += stream.name + " (" + to_string(stream.features) + ") ";
  }
  text += std::string(name_of(failure.kind)) + "\n" + failure.message + "\n";
  const std::string as_case = to_sql_case(small);
  if (const char* directory = std::getenv("PGT_CASES"); directory != nullptr) {
    std::ofstream(std::string(directory) + "/seed_" + std::to_string(scenario.seed) + "_" +
                  std::to_string(failure.stream) + ".sql")
        << as_case << "\n-- " << failure.message.substr(0, failure.message.find('\n')) << "\n";
  }
  return text + "------ minimised, as a case for tests/sql ------\n" + as_case +
         "------\nrepeat: PGT_SEED=" + std::to_string(scenario.seed) + " PGT_QUERIES=1 --gtest_filter=*." +
         ::testing::UnitTest::GetInstance()->current_test_info()->name() + "\n";
}

/// Workers take seeds in turn and add up what came of them.
class Hunt {
 public:
  explicit Hunt(const HuntOptions& options) : options_(options) {}

  void run() {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> workers;
    for (std::uint64_t i = number_of("PGT_WORKERS", options_.workers); i > 1; --i)
      workers.emplace_back([this] { work(); });
    work();
    for (auto& worker : workers) worker.join();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    std::cout << "features:\n"
              << statistics(total_.uses, switches_) << scenarios_ << " scenarios, " << total_.steps << " steps, "
              << total_.streams << " stream tables (" << total_.full << " FULL), " << total_.refreshes << " refreshes, "
              << total_.checks << " comparisons, " << total_.skipped << " queries skipped, " << total_.errors
              << " errors of statements, " << total_.failures.size() << " failures, " << elapsed.count()
              << " s (of the workers: creating " << total_.create_seconds << " s, refreshing " << total_.refresh_seconds
              << " s, comparing " << total_.check_seconds << " s)"
              << "\nfingerprint of what was generated: " << std::hex << fingerprint_ << std::dec << std::endl;
    EXPECT_LE(total_.skipped * 10, total_.streams + total_.skipped)
        << "too many queries that PostgreSQL itself rejects";
  }

  [[nodiscard]] std::uint64_t first() const { return first_; }

 private:
  /// The next scenario, or none if it is enough: what was generated decides, so the same seeds run every time.
  std::optional<Scenario> next() {
    const std::lock_guard lock(mutex_);
    if (total_.failures.size() >= tolerated_ || (generated_queries_ >= queries_ && generated_steps_ >= steps_))
      return {};
    Scenario scenario = options_.scenario(seed_++, switches_);
    ++scenarios_;
    generated_queries_ += scenario.streams.size();
    generated_steps_ += scenario.steps.size();
    for (const unsigned char c : to_sql_case(scenario)) fingerprint_ = (fingerprint_ ^ c) * 0x100000001b3ULL;  // FNV-1a
    return scenario;
  }

  void work() {
    while (const std::optional<Scenario> next_one = next()) {
      const Scenario& scenario = *next_one;
      const std::uint64_t seed = scenario.seed;
      const Outcome outcome = pgt::property::run(scenario);
      std::vector<Failure> fresh;
      {
        const std::lock_guard lock(mutex_);
        total_.steps += outcome.steps;
        total_.refreshes += outcome.refreshes;
        total_.checks += outcome.checks;
        total_.streams += outcome.streams;
        total_.skipped += outcome.skipped;
        total_.full += outcome.full;
        total_.errors += outcome.errors;
        total_.create_seconds += outcome.create_seconds;
        total_.refresh_seconds += outcome.refresh_seconds;
        total_.check_seconds += outcome.check_seconds;
        for (const auto& [feature, count] : outcome.uses) total_.uses[feature] += count;
        for (const auto& reason : outcome.skip_reasons)
          std::cout << "skipped (seed " << seed << "): " << reason << std::endl;
        for (const auto& failure : outcome.failures) {
          total_.failures.push_back(failure);
          // Errors of one cause are reported once.
          const bool known = failure.kind != Failure::Kind::kDiffers && !seen_.insert(signature(failure)).second;
          if (!known) fresh.push_back(failure);
        }
      }
      for (const auto& failure : fresh) {
        const std::string text = report(scenario, failure);
        const std::lock_guard lock(mutex_);
        ADD_FAILURE() << text;
      }
    }
  }

  const HuntOptions options_;
  std::mutex mutex_;
  const std::uint64_t first_ = first_seed();
  std::uint64_t seed_ = first_;
  std::uint64_t fingerprint_ = 0xcbf29ce484222325ULL;  // of everything that was generated
  const Switches switches_ = switches_from_environment();
  const std::size_t queries_ = number_of("PGT_QUERIES", options_.queries);
  const std::size_t steps_ = number_of("PGT_STEPS", 0);
  const std::uint64_t tolerated_ = number_of("PGT_FAILURES", 1);
  Outcome total_;
  std::size_t scenarios_ = 0;
  std::size_t generated_queries_ = 0;
  std::size_t generated_steps_ = 0;
  std::set<std::string> seen_;
};

}  // namespace

void hunt(const HuntOptions& options) {
  Hunt hunt(options);
  std::cout << "PGT_SEED=" << hunt.first() << std::endl;
  hunt.run();
}

}  // namespace pgt::property
