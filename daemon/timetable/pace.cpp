#include "timetable/pace.h"

#include <algorithm>
#include <utility>

namespace pgtrickle::scheduler {

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

bool Thrift::recomputed(std::chrono::milliseconds took) {
  const auto ms = static_cast<double>(took.count());
  cost_ = cost_ == 0 ? ms : (cost_ * 3 + ms) / 4;
  const auto pace_for = [](double cost) {
    if (cost * kShare <= static_cast<double>(kUnit.count())) return std::chrono::milliseconds(0);
    auto pace = kUnit;
    while (static_cast<double>(pace.count()) < cost * kShare && pace < std::chrono::hours(24 * 365)) pace *= 2;
    return pace;
  };
  const auto needed = pace_for(cost_);
  const auto wanted = needed < pace_ ? std::min(pace_, pace_for(cost_ * kNoise)) : needed;
  return std::exchange(pace_, wanted) != wanted;
}

}  // namespace pgtrickle::scheduler
