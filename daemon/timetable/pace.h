// How much slower than its schedule a stream table is refreshed: its tier, and the auto-backoff of refreshes that
// outrun their schedule. Pure.
#pragma once

#include <chrono>
#include <string>

namespace pgtrickle::scheduler {

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

}  // namespace pgtrickle::scheduler
