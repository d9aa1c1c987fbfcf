#include "timetable/pace.h"

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

}  // namespace pgtrickle::scheduler
