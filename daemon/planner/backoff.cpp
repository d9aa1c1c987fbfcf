#include "planner/backoff.h"

#include <algorithm>
#include <utility>

namespace pgtrickle::planner {

Tier parse_tier(const std::string& text) {
  if (text == "warm") return Tier::kWarm;
  if (text == "cold") return Tier::kCold;
  if (text == "frozen") return Tier::kFrozen;
  return Tier::kHot;
}

int tier_multiplier(Tier tier, const TierRules& rules) {
  return tier == Tier::kWarm ? rules.warm : tier == Tier::kCold ? rules.cold : 1;
}

bool Backoff::refreshed(std::chrono::milliseconds took, std::chrono::milliseconds period) {
  const auto ms = static_cast<double>(took.count());
  const double current = static_cast<double>(period.count()) * factor_;
  slow_ = ms > kTooMuch * current ? slow_ + 1 : 0;
  fast_ = factor_ > 1 && ms < kComfortable * current / 2 ? fast_ + 1 : 0;
  if (slow_ >= kPatience && factor_ < kMaxFactor) {
    factor_ *= 2;
  } else if (fast_ >= kPatience) {
    factor_ /= 2;
  } else {
    return false;
  }
  slow_ = fast_ = 0;
  return true;
}

bool RecomputeThrottle::recomputed(std::chrono::milliseconds took) {
  const auto ms = static_cast<double>(took.count());
  cost_ = cost_ == 0 ? ms : (cost_ * 3 + ms) / 4;
  const auto interval_for = [](double cost) {
    if (cost * kShare <= static_cast<double>(kUnit.count())) return std::chrono::milliseconds(0);
    auto interval = kUnit;
    while (static_cast<double>(interval.count()) < cost * kShare && interval < std::chrono::hours(24 * 365))
      interval *= 2;
    return interval;
  };
  const auto needed = interval_for(cost_);
  const auto wanted = needed < interval_ ? std::min(interval_, interval_for(cost_ * kNoise)) : needed;
  return std::exchange(interval_, wanted) != wanted;
}

}  // namespace pgtrickle::planner
