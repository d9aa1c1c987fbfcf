// Which unit is next: late and hot first, and nothing starves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "planner/ready_queue.h"

namespace pgtrickle::planner {
namespace {

using std::chrono::milliseconds;
using Time = std::chrono::steady_clock::time_point;

constexpr Time kStart{std::chrono::hours(1)};

Unit unit(int due_ms, int period_ms, double weight = 1, int path_ms = 0) {
  Unit out;
  out.due = kStart + milliseconds(due_ms);
  out.period = milliseconds(period_ms);
  out.weight = weight;
  out.critical_path = milliseconds(path_ms);
  return out;
}

std::string order(ReadyQueue<char>& queue, int now_ms) {
  std::string out;
  while (auto item = queue.pop(kStart + milliseconds(now_ms))) out += item->work;
  return out;
}

TEST(ReadyQueue, TheMostOverdueForItsPeriodFirst) {
  ReadyQueue<char> queue;
  EXPECT_FALSE(queue.pop(kStart));
  queue.push(unit(0, 10000), 'a');   // 0.1 of its period
  queue.push(unit(500, 1000), 'b');  // half of it
  queue.push(unit(900, 100), 'c');   // all of it
  EXPECT_EQ(queue.size(), 3U);
  EXPECT_EQ(order(queue, 1000), "cba");
  EXPECT_TRUE(queue.empty());
}

TEST(ReadyQueue, WhoMayNotRunYetIsPassedOver) {
  ReadyQueue<char> queue;
  Unit late = unit(0, 100);
  late.domain = 16384;
  queue.push(late, 'a');
  queue.push(unit(500, 1000), 'b');
  const auto trusted = [](const Unit& u) { return u.domain == 0; };
  const auto yes = [](const Unit&) { return true; };
  const auto no = [](const Unit&) { return false; };
  EXPECT_THAT(queue.count_by_domain(), ::testing::ElementsAre(std::pair(0, 1), std::pair(16384, 1)));
  EXPECT_FALSE(queue.pop_if(kStart + milliseconds(1000), trusted, no));
  EXPECT_EQ(queue.size(), 2U) << "what is not taken stays";
  EXPECT_EQ(queue.pop_if(kStart + milliseconds(1000), trusted, yes)->work, 'b');
  EXPECT_FALSE(queue.pop_if(kStart + milliseconds(1000), trusted, yes));
  EXPECT_EQ(order(queue, 1000), "a");
}

TEST(ReadyQueue, HotBeforeColdButLatenessWins) {
  ReadyQueue<char> queue;
  queue.push(unit(0, 1000, 1), 'c');
  queue.push(unit(0, 1000, 4), 'h');
  queue.push(unit(0, 1000, 2), 'w');
  EXPECT_EQ(order(queue, 0), "hwc");
  queue.push(unit(-10000, 1000, 1), 'c');
  queue.push(unit(0, 1000, 4), 'h');
  EXPECT_EQ(order(queue, 0), "ch");
}

TEST(ReadyQueue, AmongEqualsTheLongestPathThenTheFirst) {
  ReadyQueue<char> queue;
  queue.push(unit(0, 1000, 1, 10), 'a');
  queue.push(unit(0, 1000, 1, 30), 'b');
  queue.push(unit(0, 1000, 1, 20), 'c');
  queue.push(unit(0, 1000, 1, 20), 'd');
  EXPECT_EQ(order(queue, 100), "bcda");
}

TEST(ReadyQueue, DrainTakesEverythingOut) {
  ReadyQueue<char> queue;
  queue.push(unit(0, 1000), 'a');
  queue.push(unit(0, 1000), 'b');
  EXPECT_EQ(queue.drain().size(), 2U);
  EXPECT_TRUE(queue.empty());
}

// More work than a worker can do: everybody is late in proportion, the rare ones too. Without a limit to what counts as
// a period, a table that is refreshed once a week would wait for weeks behind those of a second.
TEST(ReadyQueue, UnderOverloadARareTableDoesNotWaitForTheFrequentOnes) {
  ReadyQueue<int> queue;
  for (int i = 0; i < 20; ++i) queue.push(unit(0, 1000, 4), i);
  queue.push(unit(0, 7 * 24 * 3600 * 1000, 1), 1000);
  for (int ms = 100; ms < 3600 * 1000; ms += 100) {  // each takes 100 ms and is due again 1 s later
    auto item = queue.pop(kStart + milliseconds(ms));
    ASSERT_TRUE(item);
    if (item->work == 1000) {
      EXPECT_GT(ms, 60 * 1000);
      return;
    }
    queue.push(unit(ms + 1000, 1000, 4), item->work);
  }
  FAIL() << "starved for an hour";
}

TEST(ReadyQueue, UnderOverloadHotOnesGetMoreAndAllGetSome) {
  ReadyQueue<int> queue;
  const std::vector<double> weights{4, 4, 2, 2, 1, 1};
  for (std::size_t i = 0; i < weights.size(); ++i) queue.push(unit(0, 100, weights[i]), static_cast<int>(i));
  std::map<int, int> runs;
  for (int ms = 0; ms < 60000; ms += 100) {  // six are due every 100 ms, one is done
    auto item = queue.pop(kStart + milliseconds(ms));
    ASSERT_TRUE(item);
    ++runs[item->work];
    queue.push(unit(ms + 100, 100, weights[static_cast<std::size_t>(item->work)]), item->work);
  }
  EXPECT_NEAR(runs[0], runs[1], 2);
  EXPECT_NEAR(runs[4], runs[5], 2);
  EXPECT_GT(runs[0], runs[2]);
  EXPECT_GT(runs[2], runs[4]);
  EXPECT_GT(runs[4], 600 / 6 / 4);
}

}  // namespace
}  // namespace pgtrickle::planner
