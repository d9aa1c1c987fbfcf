// Which sources may sleep: busy ones are polled instead, longer each time.
#include <gtest/gtest.h>

#include "planner/arming.h"

namespace pgtrickle::planner {
namespace {

using std::chrono::milliseconds;

class ArmingTest : public ::testing::Test {
 protected:
  ArmingTest() { arming_.put(1, milliseconds(1000)); }

  void advance(int ms) { now_ += milliseconds(ms); }
  /// Arms and is woken after so long.
  void sleep(int ms) {
    ASSERT_TRUE(arming_.may_arm(1, now_));
    arming_.armed(1, now_);
    advance(ms);
    ASSERT_TRUE(arming_.woken(1, now_));
  }
  /// For how long arming pauses now
  int pause() {
    for (int ms = 0; ms < 100000; ms += 10) {
      if (arming_.may_arm(1, now_ + milliseconds(ms))) return ms;
    }
    return -1;
  }

  Arming arming_;
  TimePoint now_ = TimePoint(std::chrono::hours(1));
};

TEST_F(ArmingTest, NewSourcesAreAwakeAndMayBeArmed) {
  EXPECT_TRUE(arming_.contains(1));
  EXPECT_FALSE(arming_.armed_at(1));
  EXPECT_TRUE(arming_.may_arm(1, now_));
  EXPECT_FALSE(arming_.may_arm(2, now_));
  EXPECT_EQ(arming_.asleep(), 0U);
  arming_.armed(1, now_);
  EXPECT_EQ(arming_.armed_at(1), now_);
  EXPECT_FALSE(arming_.may_arm(1, now_));
  EXPECT_EQ(arming_.asleep(), 1U);
  EXPECT_EQ(arming_.size(), 1U);
}

TEST_F(ArmingTest, OnlyArmedSourcesAreWoken) {
  EXPECT_FALSE(arming_.woken(1, now_));
  EXPECT_FALSE(arming_.woken(2, now_));
  arming_.armed(1, now_);
  EXPECT_TRUE(arming_.woken(1, now_));
  EXPECT_FALSE(arming_.woken(1, now_));
  EXPECT_FALSE(arming_.armed_at(1));
}

TEST_F(ArmingTest, UnknownSourcesAreNotArmed) {
  arming_.armed(2, now_);
  arming_.refused(2, now_);
  EXPECT_FALSE(arming_.contains(2));
}

TEST_F(ArmingTest, AfterTheThirdShortSleepArmingPausesLongerEachTime) {
  sleep(100);
  EXPECT_EQ(pause(), 0);
  sleep(1999);
  EXPECT_EQ(pause(), 0);
  for (const int periods : {4, 8, 16, 30, 30, 30}) {  // seconds; 30 at most
    sleep(100);
    EXPECT_EQ(pause(), periods * 1000);
    advance(pause());
  }
  sleep(2000);  // long enough: it has calmed down
  EXPECT_EQ(pause(), 0);
  sleep(10);
  EXPECT_EQ(pause(), 0);
}

TEST_F(ArmingTest, AtMostSixtyFourPeriods) {
  arming_.put(1, milliseconds(100));
  sleep(1);
  sleep(1);
  for (const int periods : {4, 8, 16, 32, 64, 64, 64, 64, 64, 64, 64, 64, 64}) {
    sleep(1);
    EXPECT_EQ(pause(), periods * 100);
    advance(pause());
  }
}

TEST_F(ArmingTest, RefusedIsAShortPause) {
  arming_.refused(1, now_);
  EXPECT_EQ(pause(), 250);
}

TEST_F(ArmingTest, AnotherPeriodKeepsTheState) {
  arming_.armed(1, now_);
  arming_.put(1, milliseconds(50));
  EXPECT_EQ(arming_.armed_at(1), now_);
}

// A daemon that had been busy once a second went on polling every 50 ms for half a minute after its tables became
// continuous.
TEST_F(ArmingTest, AnotherPeriodEndsThePause) {
  for (int i = 0; i < 6; ++i) {
    sleep(10);
    advance(60000);
  }
  sleep(10);
  EXPECT_GT(pause(), 1000);
  arming_.put(1, milliseconds(50));
  EXPECT_EQ(pause(), 0);
}

TEST_F(ArmingTest, RemovedOnesSayWhetherTheyWereArmed) {
  EXPECT_FALSE(arming_.remove(1));
  EXPECT_FALSE(arming_.remove(1));
  arming_.put(1, milliseconds(50));
  arming_.armed(1, now_);
  EXPECT_TRUE(arming_.remove(1));
  EXPECT_FALSE(arming_.contains(1));
}

TEST_F(ArmingTest, WakeAllSaysWhatWasArmedAndBlamesNobody) {
  for (SourceId source = 2; source <= 4; ++source) arming_.put(source, milliseconds(1000));
  arming_.armed(2, now_);
  arming_.armed(4, now_);
  EXPECT_EQ(arming_.wake_all(), (std::vector<SourceId>{2, 4}));
  EXPECT_EQ(arming_.asleep(), 0U);
  EXPECT_TRUE(arming_.wake_all().empty());
  for (int i = 0; i < 5; ++i) {
    arming_.armed(1, now_);
    arming_.wake_all();
  }
  EXPECT_EQ(pause(), 0);
}

}  // namespace
}  // namespace pgtrickle::planner
