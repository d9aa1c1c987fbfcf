#include <chrono>

#include "property/graphs/run.h"

namespace pgt::graphs {
namespace {

constexpr int kTries = 3;

class Minimizer {
 public:
  Minimizer(Case from, Failure::Kind kind, int budget_seconds)
      : best_(std::move(from)),
        kind_(kind),
        deadline_(std::chrono::steady_clock::now() + std::chrono::seconds(budget_seconds)) {}

  Case minimize(std::optional<std::size_t> component) {
    if (component) {
      Case less = best_;
      for (std::size_t t = best_.tables.size(); t > 0; --t) {
        if (less.tables[t - 1].component != *component) less = without_table(less, t - 1);
      }
      keep_if_it_fails(less);
    }
    halve_tables();
    single_tables();
    events();
    writers();
    return std::move(best_);
  }

 private:
  [[nodiscard]] bool out_of_time() const { return std::chrono::steady_clock::now() > deadline_; }

  bool keep_if_it_fails(const Case& less) {
    for (int i = 0; i < kTries && !out_of_time(); ++i) {
      const Outcome outcome = run(less);
      if (outcome.failure && outcome.failure->kind == kind_) {
        best_ = less;
        return true;
      }
    }
    return false;
  }

  /// Without the later half of what nothing else needs.
  void halve_tables() {
    while (best_.tables.size() > 2 && !out_of_time()) {
      Case less = best_;
      while (less.tables.size() > (best_.tables.size() + 1) / 2) less = without_table(less, less.tables.size() - 1);
      if (!keep_if_it_fails(less)) return;
    }
  }

  void single_tables() {
    for (std::size_t t = best_.tables.size(); t > 0 && best_.tables.size() > 1 && !out_of_time(); --t) {
      if (readers(best_, t - 1).empty()) keep_if_it_fails(without_table(best_, t - 1));
    }
  }

  void events() {
    for (std::size_t e = best_.events.size(); e > 0 && !out_of_time(); --e) {
      Case less = best_;
      less.events.erase(less.events.begin() + static_cast<std::ptrdiff_t>(e - 1));
      keep_if_it_fails(less);
    }
  }

  void writers() {
    for (std::size_t w = best_.writers.size(); w > 0 && best_.writers.size() > 1 && !out_of_time(); --w) {
      Case less = best_;
      less.writers.erase(less.writers.begin() + static_cast<std::ptrdiff_t>(w - 1));
      keep_if_it_fails(less);
    }
    for (std::size_t w = 0; w < best_.writers.size(); ++w) {
      while (best_.writers[w].size() > 1 && !out_of_time()) {
        Case less = best_;
        less.writers[w].resize(less.writers[w].size() / 2);
        if (!keep_if_it_fails(less)) break;
      }
    }
  }

  Case best_;
  Failure::Kind kind_;
  std::chrono::steady_clock::time_point deadline_;
};

}  // namespace

Case minimized(const Case& from, const Failure& failure, int budget_seconds) {
  return Minimizer(from, failure.kind, budget_seconds).minimize(failure.component);
}

}  // namespace pgt::graphs
