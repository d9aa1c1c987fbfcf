// How much slower than its schedule a stream table is refreshed: its tier, the auto-backoff of refreshes that outrun
// their schedule, and the interval of recomputations that nobody asked for so often. Pure.
#pragma once

#include <chrono>
#include <string>

#include "model/agreements.h"

namespace pgtrickle::planner {

enum class Tier { kHot, kWarm, kCold, kFrozen };
[[nodiscard]] Tier parse_tier(const std::string& text);

struct TierRules {
  int warm = 2;  // times the schedule
  int cold = 10;
};
[[nodiscard]] int tier_multiplier(Tier tier, const TierRules& rules);

/// Doubles the period after kPatience refreshes in a row that took nearly all of it, and halves it again after as many
/// that would have fitted into half of it with room to spare. A refresh with nothing to do says nothing.
class Backoff {
 public:
  static constexpr int kPatience = 3;
  static constexpr int kMaxFactor = 64;
  static constexpr double kTooMuch = 0.95;     // of the period
  static constexpr double kComfortable = 0.5;  // of the period that the next smaller factor would mean

  /// `period`: of the schedule, without this factor. True if the factor changed.
  bool refreshed(std::chrono::milliseconds took, std::chrono::milliseconds period);
  void reset() { *this = Backoff(); }
  [[nodiscard]] int factor() const { return factor_; }

 private:
  int factor_ = 1;
  int slow_ = 0;
  int fast_ = 0;
};

/// The interval of a stream table that is recomputed although nobody said how often: its own cost decides. A power of
/// two of seconds, so that noise seldom changes it.
class RecomputeThrottle {
 public:
  static constexpr int kShare = agreements::kThrottleShare;  // its recomputations take at most this part of the time
  static constexpr double kNoise = 1.5;  // so much cheaper than the next interval allows, before that is taken
  static constexpr std::chrono::milliseconds kUnit{1000};

  /// True if the interval changed.
  bool recomputed(std::chrono::milliseconds took);
  /// Between two recomputations, at least; 0: no limit.
  [[nodiscard]] std::chrono::milliseconds interval() const { return interval_; }
  [[nodiscard]] bool knows() const { return cost_ > 0; }

 private:
  double cost_ = 0;  // milliseconds
  std::chrono::milliseconds interval_{0};
};

}  // namespace pgtrickle::planner
