// Whose stream tables are built next, and how many at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "scheduler/build_places.h"

namespace pgtrickle::scheduler {
namespace {

using namespace std::chrono_literals;
using ::testing::Optional;
using Ticket = BuildPlaces::Ticket;

constexpr Owner kMallory = 11, kOscar = 12, kAlice = 13;

class BuildPlacesTest : public ::testing::Test {
 protected:
  /// All that this owner may begin, if he has enough to build.
  std::vector<Ticket> take_all(Owner owner, const std::string& database = "db") {
    std::vector<Ticket> out;
    places_.set_waiting(database, {owner}, now_);
    while (places_.next(database, now_) == owner) out.push_back(places_.take(database, owner, now_));
    places_.set_waiting(database, {}, now_);
    return out;
  }

  void pass(BuildPlaces::TimePoint::duration time) { now_ += time; }

  BuildPlaces places_;
  BuildPlaces::TimePoint now_{1000s};
};

TEST_F(BuildPlacesTest, AnOwnerWithoutTrustHasOneLessThanAll) {
  EXPECT_EQ(take_all(kMallory).size(), 1U);
  pass(BuildPlaces::kLong);
  EXPECT_EQ(take_all(kMallory).size(), 0U) << "his own builds count however long they last";
}

TEST_F(BuildPlacesTest, TheLimitOfAnOwnerIsOverAllDatabases) {
  places_.set_owner_limit(2);
  EXPECT_EQ(take_all(kMallory, "a").size(), 2U);
  EXPECT_EQ(take_all(kMallory, "b").size(), 0U);
}

TEST_F(BuildPlacesTest, TrustedOwnersHaveAllAndNoMore) {
  EXPECT_EQ(take_all(kTrustedOwner).size(), 2U);
  pass(BuildPlaces::kLong);
  EXPECT_EQ(take_all(kTrustedOwner).size(), 0U);
}

TEST_F(BuildPlacesTest, TwoSlowOwnersHoldUpNobodyForLong) {
  take_all(kMallory);
  take_all(kOscar);
  EXPECT_EQ(take_all(kAlice).size(), 0U);
  EXPECT_EQ(take_all(kTrustedOwner).size(), 0U);
  pass(BuildPlaces::kLong);
  const auto of_alice = take_all(kAlice);
  ASSERT_EQ(of_alice.size(), 1U);
  EXPECT_EQ(take_all(kTrustedOwner).size(), 1U) << "what others began just now counts";
  places_.release(of_alice.front());
  EXPECT_EQ(take_all(kTrustedOwner).size(), 1U);
  EXPECT_EQ(places_.in_use(), 4);
}

TEST_F(BuildPlacesTest, HoweverManySlowOwnersThereAreTheLastPlaceIsForTrustedOnes) {
  int begun = 0;
  for (Owner owner = 1; owner <= 2 * BuildPlaces::kAtMost; ++owner) {
    begun += static_cast<int>(take_all(owner).size());
    pass(BuildPlaces::kLong);
  }
  EXPECT_EQ(begun, BuildPlaces::kAtMost - 1);
  EXPECT_EQ(take_all(kTrustedOwner).size(), 1U);
}

// Each time a build ends, all of them want the next one.
TEST_F(BuildPlacesTest, OwnersTakeTurns) {
  std::deque<Ticket> running;
  std::map<Owner, int> served;
  places_.set_waiting("db", {kMallory, kOscar, kAlice}, now_);
  for (int i = 0; i < 30; ++i) {
    while (const auto owner = places_.next("db", now_)) {
      running.push_back(places_.take("db", *owner, now_));
      ++served[*owner];
    }
    places_.release(running.front());
    running.pop_front();
  }
  for (const Owner owner : {kMallory, kOscar, kAlice}) EXPECT_NEAR(served[owner], 31 / 3.0, 1) << owner;
}

TEST_F(BuildPlacesTest, WhatIsDueToAnotherDatabaseIsLeftForIt) {
  auto running = take_all(kTrustedOwner, "a");
  places_.set_waiting("a", {kTrustedOwner}, now_);
  places_.set_waiting("b", {kTrustedOwner}, now_);
  places_.release(running.back());
  EXPECT_EQ(places_.next("a", now_), std::nullopt);
  EXPECT_THAT(places_.next("b", now_), Optional(kTrustedOwner));
  pass(BuildPlaces::kForgotten);
  places_.set_waiting("a", {kTrustedOwner}, now_);
  EXPECT_THAT(places_.next("a", now_), Optional(kTrustedOwner)) << "b does not ask any more";
}

TEST_F(BuildPlacesTest, WhoMayHaveNoMoreHoldsUpNobody) {
  take_all(kMallory);
  places_.set_waiting("a", {kMallory}, now_);
  places_.set_waiting("b", {kAlice}, now_);
  EXPECT_THAT(places_.next("b", now_), Optional(kAlice));
}

TEST_F(BuildPlacesTest, APlaceThatNobodyHasCannotBeReleased) {
  EXPECT_THROW(places_.release(1), std::logic_error);
}

}  // namespace
}  // namespace pgtrickle::scheduler
