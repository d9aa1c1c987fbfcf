// Exponential backoff with jitter: the n-th delay is uniform in [ceiling/2, ceiling], ceiling = min * 2^n up to
// max. The jitter comes from the caller (a number in [0,1)), so that tests are deterministic.
#pragma once

#include <algorithm>
#include <chrono>

namespace pgtrickle::postgres {

struct Backoff {
  std::chrono::milliseconds min{100};
  std::chrono::milliseconds max{30000};

  /// `failures` counts from 1.
  [[nodiscard]] std::chrono::milliseconds delay(int failures, double random01) const {
    const int doublings = std::clamp(failures - 1, 0, 30);
    const double ceiling = std::min(static_cast<double>(max.count()),
                                    static_cast<double>(min.count()) * static_cast<double>(1U << doublings));
    return std::chrono::milliseconds(static_cast<long long>(ceiling * (0.5 + random01 / 2)));
  }
};

}  // namespace pgtrickle::postgres
