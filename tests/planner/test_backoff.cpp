// Tiers and auto-backoff.
#include <gtest/gtest.h>

#include <algorithm>

#include "planner/backoff.h"

namespace pgtrickle::planner {
namespace {

using std::chrono::milliseconds;

TEST(Tiers, NamesAndMultipliers) {
  const TierRules rules{.warm = 3, .cold = 20};
  EXPECT_EQ(parse_tier("hot"), Tier::kHot);
  EXPECT_EQ(tier_multiplier(parse_tier("hot"), rules), 1);
  EXPECT_EQ(tier_multiplier(parse_tier("warm"), rules), 3);
  EXPECT_EQ(tier_multiplier(parse_tier("cold"), rules), 20);
  EXPECT_EQ(parse_tier("frozen"), Tier::kFrozen);
  EXPECT_EQ(parse_tier("?"), Tier::kHot);
}

constexpr milliseconds kPeriod{1000};

// How often until the factor changes
int until_change(Backoff& backoff, milliseconds took) {
  for (int i = 1; i <= 100; ++i) {
    if (backoff.refreshed(took, kPeriod)) return i;
  }
  return 0;
}

TEST(Backoff, DoublesAfterThreeSlowRefreshesInARow) {
  Backoff backoff;
  EXPECT_EQ(until_change(backoff, milliseconds(960)), Backoff::kPatience);
  EXPECT_EQ(backoff.factor(), 2);
  EXPECT_EQ(until_change(backoff, milliseconds(1500)), 0);  // fits now
  EXPECT_EQ(until_change(backoff, milliseconds(1950)), Backoff::kPatience);
  EXPECT_EQ(backoff.factor(), 4);
}

TEST(Backoff, AFastOneInBetweenStartsTheCountAgain) {
  Backoff backoff;
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(backoff.refreshed(milliseconds(2000), kPeriod));
    EXPECT_FALSE(backoff.refreshed(milliseconds(2000), kPeriod));
    EXPECT_FALSE(backoff.refreshed(milliseconds(900), kPeriod));
  }
  EXPECT_EQ(backoff.factor(), 1);
}

TEST(Backoff, NearlyAllOfThePeriodIsTooMuch) {
  Backoff backoff;
  EXPECT_EQ(until_change(backoff, milliseconds(950)), 0);
  EXPECT_EQ(until_change(backoff, milliseconds(951)), Backoff::kPatience);
}

TEST(Backoff, HasAnEnd) {
  Backoff backoff;
  for (int i = 0; i < 1000; ++i) backoff.refreshed(milliseconds(1000000), kPeriod);
  EXPECT_EQ(backoff.factor(), Backoff::kMaxFactor);
}

TEST(Backoff, RecoversStepByStepWithRoomToSpare) {
  Backoff backoff;
  for (int i = 0; i < 3 * Backoff::kPatience; ++i) backoff.refreshed(milliseconds(10000), kPeriod);
  ASSERT_EQ(backoff.factor(), 8);
  EXPECT_EQ(until_change(backoff, milliseconds(2000)), 0);  // half of 4,000: no room
  EXPECT_EQ(until_change(backoff, milliseconds(1900)), Backoff::kPatience);
  EXPECT_EQ(backoff.factor(), 4);
  EXPECT_EQ(until_change(backoff, milliseconds(1900)), 0);
  EXPECT_EQ(until_change(backoff, milliseconds(400)), Backoff::kPatience);
  EXPECT_EQ(until_change(backoff, milliseconds(400)), Backoff::kPatience);
  EXPECT_EQ(backoff.factor(), 1);
  EXPECT_EQ(until_change(backoff, milliseconds(1)), 0);  // not below one
}

TEST(Backoff, DoesNotSwingBetweenTwoFactors) {
  for (int took = 1; took < 70000; took += 37) {
    Backoff backoff;
    for (int i = 0; i < 60; ++i) backoff.refreshed(milliseconds(took), kPeriod);
    EXPECT_EQ(until_change(backoff, milliseconds(took)), 0) << took;
  }
}

TEST(Backoff, ResetForgetsEverything) {
  Backoff backoff;
  for (int i = 0; i < 5; ++i) backoff.refreshed(milliseconds(10000), kPeriod);
  backoff.reset();
  EXPECT_EQ(backoff.factor(), 1);
  EXPECT_EQ(until_change(backoff, milliseconds(10000)), Backoff::kPatience);
}

TEST(RecomputeThrottle, TakesAtMostASmallPartOfTheTime) {
  for (const int took : {41, 100, 999, 1000, 1500, 60000}) {
    RecomputeThrottle throttle;
    throttle.recomputed(milliseconds(took));
    EXPECT_GE(throttle.interval().count(), took * RecomputeThrottle::kShare) << took;
    EXPECT_LT(throttle.interval().count(), std::max(2 * took * RecomputeThrottle::kShare, 2001)) << took;
  }
  RecomputeThrottle cheap;
  EXPECT_FALSE(cheap.recomputed(milliseconds(40)));
  EXPECT_EQ(cheap.interval(), milliseconds(0));
}

TEST(RecomputeThrottle, FollowsTheCostButNotItsNoise) {
  RecomputeThrottle throttle;
  EXPECT_TRUE(throttle.recomputed(milliseconds(1200)));  // 30 s, so 32 s
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(throttle.recomputed(milliseconds(i % 2 == 0 ? 900 : 1250)));
  EXPECT_EQ(throttle.interval(), milliseconds(32000));
  for (int i = 0; i < 100; ++i) throttle.recomputed(milliseconds(10000));
  EXPECT_EQ(throttle.interval(), milliseconds(256000));
  for (int i = 0; i < 100; ++i) throttle.recomputed(milliseconds(10));
  EXPECT_EQ(throttle.interval(), milliseconds(0));
}

}  // namespace
}  // namespace pgtrickle::planner
