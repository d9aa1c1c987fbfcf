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
  const auto trusted = [](Domain owner) { return owner == 0 ? std::optional(0) : std::nullopt; };
  const auto yes = [](Domain) { return true; };
  const auto no = [](Domain) { return false; };
  EXPECT_THAT(queue.count_by_domain(), ::testing::ElementsAre(std::pair(0, 1), std::pair(16384, 1)));
  EXPECT_FALSE(queue.pop_if(kStart + milliseconds(1000), trusted, no));
  EXPECT_EQ(queue.size(), 2U) << "what is not taken stays";
  EXPECT_EQ(queue.pop_if(kStart + milliseconds(1000), trusted, yes)->work, 'b');
  EXPECT_FALSE(queue.pop_if(kStart + milliseconds(1000), trusted, yes));
  EXPECT_EQ(order(queue, 1000), "a");
}

Unit unit_of(Domain owner, int due_ms) {
  Unit out = unit(due_ms, 1000);
  out.domain = owner;
  return out;
}

TEST(ReadyQueue, OfOwnersWithoutTrustTheOneWithTheFewestPlacesGoesFirst) {
  ReadyQueue<char> queue;
  queue.push(unit_of(16384, 0), 'a');  // the latest, and he has the most
  queue.push(unit_of(16385, 500), 'b');
  queue.push(unit_of(16386, 900), 'c');
  std::map<Domain, int> has{{16384, 2}, {16385, 1}, {16386, 0}};
  const auto places = [&](Domain owner) { return std::optional(has[owner]); };
  const auto yes = [](Domain) { return true; };
  std::string order;
  while (const auto item = queue.pop_if(kStart + milliseconds(1000), places, yes)) order += item->work;
  EXPECT_EQ(order, "cba");
}

TEST(ReadyQueue, OwnersWithoutTrustTakeTurns) {
  ReadyQueue<char> queue;
  for (int i = 0; i < 3; ++i) queue.push(unit_of(16384, i), 'a');
  queue.push(unit_of(16385, 800), 'b');
  queue.push(unit_of(16386, 900), 'c');
  EXPECT_EQ(order(queue, 1000), "abcaa") << "by lateness it would be aaabc";
  queue.push(unit_of(16384, 1000), 'a');
  queue.push(unit_of(16386, 1900), 'c');
  EXPECT_EQ(order(queue, 2000), "ca") << "turns are remembered";
}

TEST(ReadyQueue, BetweenTrustedOwnersAndOthersLatenessDecides) {
  ReadyQueue<char> queue;
  queue.push(unit_of(0, 500), 't');
  queue.push(unit_of(0, 100), 'u');
  queue.push(unit_of(16384, 300), 'a');
  queue.push(unit_of(16385, 600), 'b');
  EXPECT_EQ(order(queue, 1000), "uatb");
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
