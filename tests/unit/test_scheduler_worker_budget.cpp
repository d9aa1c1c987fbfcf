// Sharing of workers between databases: by hand, and in a random simulation of databases with bursts of work.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "scheduler/worker_budget.h"

namespace pgtrickle::scheduler {
namespace {

using ::testing::ElementsAre;
using Member = WorkerBudget::Member;

int take_all(WorkerBudget& budget, Member member, int tries, Owner owner = kTrustedOwner) {
  int taken = 0;
  for (int i = 0; i < tries; ++i) taken += budget.try_take(member, owner) ? 1 : 0;
  return taken;
}

TEST(WorkerBudget, NeverMoreThanTheTotalAndNeverMoreThanTheMaximum) {
  WorkerBudget budget(3);
  const Member a = budget.register_database("a", 1, 2, {});
  const Member b = budget.register_database("b", 1, 8, {});
  EXPECT_EQ(take_all(budget, a, 5), 2) << "its maximum";
  budget.set_waiting(a, 0);
  EXPECT_EQ(take_all(budget, b, 5), 1) << "what is left";
  EXPECT_EQ(budget.in_use(), 3);
}

TEST(WorkerBudget, WithoutATotalEverybodyHasItsMaximum) {
  WorkerBudget budget;
  const Member a = budget.register_database("a", 1, 2, {});
  const Member b = budget.register_database("b", 1, 3, {});
  EXPECT_EQ(budget.total(), 5);
  EXPECT_EQ(take_all(budget, a, 9) + take_all(budget, b, 9), 5);
}

TEST(WorkerBudget, IdleCapacityIsLentAndComesBack) {
  WorkerBudget budget(4);
  int called_a = 0, called_b = 0;
  const Member a = budget.register_database("a", 2, 4, [&] { ++called_a; });
  const Member b = budget.register_database("b", 2, 4, [&] { ++called_b; });
  EXPECT_EQ(take_all(budget, a, 4), 4) << "b is idle";
  budget.set_waiting(a, 9);
  EXPECT_FALSE(budget.try_take(b));
  budget.set_waiting(b, 2);
  for (int i = 1; i <= 2; ++i) {
    budget.release(a);
    EXPECT_EQ(called_b, i) << "b is below its share, a is not";
    EXPECT_FALSE(budget.try_take(a));
    EXPECT_TRUE(budget.try_take(b));
  }
  EXPECT_EQ(called_a, 0);
  budget.release(a);
  EXPECT_EQ(called_a, 1) << "b wants no more";
}

TEST(WorkerBudget, AmongWaitersTheSmallestPartOfTheShareGoesFirst) {
  WorkerBudget budget(8);
  std::vector<std::string> calls;
  const auto called = [&](const char* name) { return [&calls, name] { calls.emplace_back(name); }; };
  const Member a = budget.register_database("a", 4, 8, called("a"));
  const Member b = budget.register_database("b", 2, 8, called("b"));
  const Member c = budget.register_database("c", 2, 8, called("c"));
  EXPECT_EQ(take_all(budget, c, 5), 5);
  EXPECT_EQ(take_all(budget, a, 2), 2);
  EXPECT_EQ(take_all(budget, b, 1), 1);
  EXPECT_FALSE(budget.try_take(b));  // 1/2
  EXPECT_FALSE(budget.try_take(a));  // 2/4: the same, but b has waited longer
  budget.release(c);
  EXPECT_THAT(calls, ElementsAre("b"));
  EXPECT_TRUE(budget.try_take(b));
  budget.release(c);
  EXPECT_THAT(calls, ElementsAre("b", "a"));
}

TEST(WorkerBudget, WhoNeedsNothingAnyMoreMakesRoom) {
  WorkerBudget budget(1);
  int called = 0;
  const Member a = budget.register_database("a", 1, 1, {});
  const Member b = budget.register_database("b", 1, 1, {});
  const Member c = budget.register_database("c", 1, 1, [&] { ++called; });
  ASSERT_TRUE(budget.try_take(a));
  EXPECT_FALSE(budget.try_take(b));
  EXPECT_FALSE(budget.try_take(c));
  budget.release(a);
  EXPECT_FALSE(budget.try_take(c)) << "it is b's turn";
  EXPECT_EQ(called, 0);
  budget.set_waiting(b, 0);
  EXPECT_EQ(called, 1);
  EXPECT_TRUE(budget.try_take(c));
}

TEST(WorkerBudget, ATotalSmallerThanTheNumberOfDatabasesGoesRound) {
  WorkerBudget budget(1);
  std::vector<Member> members;
  for (const char* name : {"a", "b", "c"}) members.push_back(budget.register_database(name, 4, 4, {}));
  std::vector<int> served(3);
  for (const Member m : members) budget.set_waiting(m, 100);
  for (int round = 0; round < 30; ++round) {
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (!budget.try_take(members[i])) continue;
      ++served[i];
      budget.release(members[i]);
      break;
    }
  }
  EXPECT_THAT(served, ElementsAre(10, 10, 10));
}

TEST(WorkerBudget, ARestartedDatabaseIsANewMember) {
  WorkerBudget budget(2);
  const Member old = budget.register_database("a", 1, 2, {});
  EXPECT_EQ(take_all(budget, old, 2), 2);
  budget.unregister(old);
  EXPECT_FALSE(budget.try_take(old));
  const Member fresh = budget.register_database("a", 1, 2, {});
  EXPECT_FALSE(budget.try_take(fresh)) << "units of the old one still run";
  budget.release(old);
  EXPECT_TRUE(budget.try_take(fresh));
  budget.release(old);
  EXPECT_TRUE(budget.try_take(fresh));
  EXPECT_THROW((void)budget.try_take(old), std::logic_error) << "its last unit has ended";
  EXPECT_EQ(budget.usage().size(), 1U);
}

TEST(WorkerBudget, ACallBackMayTakeAtOnce) {
  WorkerBudget budget(2);
  Member a = 0, b = 0;
  int taken_b = 0;
  a = budget.register_database("a", 1, 2, {});
  b = budget.register_database("b", 1, 2, [&] {
    if (budget.try_take(b)) ++taken_b;
  });
  EXPECT_EQ(take_all(budget, a, 2), 2);
  budget.set_waiting(b, 2);
  budget.release(a);
  budget.release(a);
  EXPECT_EQ(taken_b, 2);
}

TEST(WorkerBudget, TheTotalMayChangeMeanwhile) {
  WorkerBudget budget(1);
  int called = 0;
  const Member a = budget.register_database("a", 1, 3, [&] { ++called; });
  EXPECT_EQ(take_all(budget, a, 2), 1);
  budget.set_total(2);
  EXPECT_EQ(called, 1);
  EXPECT_TRUE(budget.try_take(a));
  budget.set_total(1);
  budget.release(a);
  EXPECT_FALSE(budget.try_take(a)) << "as many as the new total still run";
  budget.set_total(0);
  EXPECT_EQ(called, 2);
}

TEST(WorkerBudget, AnOwnerWhoIsNotTrustedLeavesAPlaceForTheOthers) {
  WorkerBudget budget;
  int called = 0;
  const Member a = budget.register_database("a", 1, 4, [&] { ++called; });
  EXPECT_EQ(take_all(budget, a, 9, 16384), 3);
  EXPECT_FALSE(budget.owner_may_take(a, 16384));
  EXPECT_EQ(budget.usage(a).wanted, 0) << "what waits for its owner's places wants none";
  EXPECT_TRUE(budget.try_take(a, 16385)) << "another owner";
  budget.release(a, 16385);
  EXPECT_EQ(called, 0) << "that is not a place for the first one";
  EXPECT_TRUE(budget.try_take(a)) << "who is trusted";
  budget.release(a, 16384);
  EXPECT_EQ(called, 1);
  EXPECT_TRUE(budget.try_take(a, 16384));
}

TEST(WorkerBudget, OwnersWithoutTrustTogetherLeaveAPlaceForTrustedOnes) {
  WorkerBudget budget;
  int called = 0;
  const Member a = budget.register_database("a", 1, 4, [&] { ++called; });
  budget.set_reserved(a, true);
  EXPECT_EQ(take_all(budget, a, 9, 16384), 2) << "of three, one is for other owners";
  EXPECT_EQ(take_all(budget, a, 9, 16385), 1);
  EXPECT_FALSE(budget.owner_may_take(a, 16386)) << "who has nothing: the last place is not for him";
  EXPECT_EQ(budget.usage(a).wanted, 0);
  budget.set_waiting(a, {{16386, 5}});
  EXPECT_EQ(budget.usage(a).wanted, 0);
  EXPECT_TRUE(budget.try_take(a)) << "who is trusted";
  called = 0;
  budget.release(a, 16384);
  EXPECT_EQ(called, 1);
  EXPECT_TRUE(budget.try_take(a, 16386));
}

TEST(WorkerBudget, NothingIsReservedWhereNobodyIsTrusted) {
  WorkerBudget budget;
  int called = 0;
  const Member a = budget.register_database("a", 1, 2, [&] { ++called; });
  budget.set_reserved(a, true);
  EXPECT_EQ(take_all(budget, a, 9, 16384) + take_all(budget, a, 9, 16385), 1);
  budget.set_waiting(a, {{16385, 1}});
  EXPECT_EQ(called, 0);
  budget.set_reserved(a, false);
  EXPECT_EQ(called, 1);
  EXPECT_TRUE(budget.try_take(a, 16385));
}

TEST(WorkerBudget, ThePlaceForTrustedOwnersIsOneOfAllDatabases) {
  WorkerBudget budget(3);
  const Member a = budget.register_database("a", 1, 3, {});
  const Member b = budget.register_database("b", 1, 3, {});
  budget.set_reserved(a, true);
  EXPECT_EQ(take_all(budget, b, 9, 16384), 1);
  EXPECT_EQ(take_all(budget, b, 9, 16385), 1);
  budget.set_waiting(b, 0);
  EXPECT_FALSE(budget.owner_may_take(b, 16386));
  EXPECT_TRUE(budget.try_take(a));
}

TEST(WorkerBudget, WhatOwnersTogetherMayNotHaveKeepsNoPlace) {
  WorkerBudget budget(3);
  int called_b = 0;
  const Member a = budget.register_database("a", 1, 3, {});
  const Member b = budget.register_database("b", 1, 3, [&] { ++called_b; });
  budget.set_reserved(b, true);
  ASSERT_TRUE(budget.try_take(a, 16384));
  budget.set_waiting(a, {{16384, 1}, {16385, 1}, {16386, 1}});
  EXPECT_EQ(budget.usage(a).wanted, 1) << "one of the two that are free";
  EXPECT_TRUE(budget.try_take(b)) << "its share";
}

TEST(WorkerBudget, WhoIsTrustedMayHaveAllPlaces) {
  WorkerBudget budget;
  const Member a = budget.register_database("a", 1, 4, {});
  EXPECT_EQ(take_all(budget, a, 9), 4);
}

TEST(WorkerBudget, ASinglePlaceIsForEverybody) {
  WorkerBudget budget;
  const Member a = budget.register_database("a", 1, 1, {});
  EXPECT_EQ(take_all(budget, a, 2, 16384), 1);
}

TEST(WorkerBudget, AnOwnerOfTablesInManyDatabasesIsOneOwner) {
  WorkerBudget budget(3);
  int called_b = 0;
  const Member a = budget.register_database("a", 2, 3, {});
  const Member b = budget.register_database("b", 1, 3, [&] { ++called_b; });
  EXPECT_EQ(take_all(budget, a, 9, 16384), 2);
  budget.set_waiting(a, 0);
  EXPECT_FALSE(budget.try_take(b, 16384));
  EXPECT_TRUE(budget.try_take(b, 16385));
  budget.release(b, 16385);
  EXPECT_EQ(called_b, 0);
  budget.release(a, 16384);
  EXPECT_EQ(called_b, 1) << "a place of his in another database";
}

TEST(WorkerBudget, TheLimitOfAnOwnerCanBeSet) {
  WorkerBudget budget;
  int called = 0;
  const Member a = budget.register_database("a", 1, 4, [&] { ++called; });
  budget.set_owner_limit(1);
  EXPECT_EQ(take_all(budget, a, 4, 16384), 1);
  budget.set_owner_limit(4);
  EXPECT_EQ(called, 1);
  EXPECT_EQ(take_all(budget, a, 4, 16384), 3);
}

TEST(OwnerPlaces, AreCountedForEachOwner) {
  OwnerPlaces places;
  places.take(16384);
  EXPECT_EQ(places.left(16384, 2), 0);
  EXPECT_EQ(places.left(16384, 3), 1);
  EXPECT_EQ(places.left(16385, 2), 1);
  EXPECT_GT(places.left(kTrustedOwner, 2), 1000);
  EXPECT_EQ(places.left(16385, 2, true), 0) << "the other one is reserved";
  EXPECT_EQ(places.left(16385, 1, true), 0) << "the only one is taken";
  EXPECT_EQ(places.left_without_trust(3, true), 1);
  EXPECT_EQ(places.left_without_trust(3, false), 2);
  places.release(16384);
  EXPECT_EQ(places.left(16384, 2), 1);
  EXPECT_THROW(places.release(16384), std::logic_error);
}

// Databases with random shares and bursts of work; some answer a call-back at once, some with the next tick, as
// coroutines do. Their units belong to owners that are trusted (0) or not, and have tables in all of them. After every
// tick the promises of the budget are checked.
class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : random_(seed), total_(pick(1, 12)), budget_(total_) {
    databases_.resize(static_cast<std::size_t>(pick(1, 7)));
    for (std::size_t i = 0; i < databases_.size(); ++i) {
      Database& db = databases_[i];
      db.max = pick(1, 8);
      db.guaranteed = pick(1, db.max);
      db.at_once = pick(0, 1) == 1;
      db.load = pick(0, 100);
      db.reserved = pick(0, 2) == 0;
      db.member = budget_.register_database(std::to_string(i), db.guaranteed, db.max, [this, i] {
        databases_[i].called = true;
        if (databases_[i].at_once) work(databases_[i]);
      });
      budget_.set_reserved(db.member, db.reserved);
    }
  }

  void run(int ticks) {
    for (now_ = 0; now_ < ticks && !::testing::Test::HasFailure(); ++now_) {
      std::vector<Database*> order;
      for (Database& db : databases_) order.push_back(&db);
      std::shuffle(order.begin(), order.end(), random_);
      for (Database* db : order) {
        if (pick(1, 100) <= db->load) db->queue[pick(0, kOwners - 1)] += pick(1, 4);
        if (pick(1, 40) == 1) withdraw(*db);
        if (pick(1, 3) == 1) work(*db);
      }
      for (Database* db : order) end_units(*db);
      settle(order);
      check();
    }
  }

 private:
  static constexpr int kLongest = 9;
  static constexpr int kOwners = 4;

  struct Running {
    int end = 0;
    Owner owner = kTrustedOwner;
  };

  struct Database {
    Member member = 0;
    int guaranteed = 1, max = 1, load = 0;
    bool reserved = false;
    std::map<Owner, int> queue;
    bool at_once = false, called = false;
    std::vector<Running> running;
    int hungry_since = -1;  // below its share, with work
  };

  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  void work(Database& db) {
    db.called = false;
    for (auto& [owner, waiting] : db.queue) {
      while (waiting > 0 && budget_.owner_may_take(db.member, owner)) {
        const bool sated = static_cast<int>(db.running.size()) >= db.guaranteed;
        if (!budget_.try_take(db.member, owner)) break;
        EXPECT_TRUE(!sated || nobody_hungry_is_left_out(db)) << "a lent place, while a share is not served";
        --waiting;
        db.running.push_back({.end = now_ + pick(1, kLongest), .owner = owner});
      }
    }
    budget_.set_waiting(db.member, db.queue);  // may call back, so it is the last thing
  }

  // The places that are free are enough for the ones that wait below their share.
  bool nobody_hungry_is_left_out(const Database& taker) {
    int hungry = 0;
    for (const Database& db : databases_) {
      const auto usage = budget_.usage(db.member);
      if (&db != &taker) hungry += std::max(0, std::min(usage.wanted, usage.guaranteed - usage.in_use));
    }
    return hungry <= budget_.total() - budget_.in_use();
  }

  void withdraw(Database& db) {
    db.queue.clear();
    budget_.set_waiting(db.member, 0);
  }

  void end_units(Database& db) {
    const auto ended =
        std::partition(db.running.begin(), db.running.end(), [this](const Running& unit) { return unit.end > now_; });
    const std::vector<Running> gone(ended, db.running.end());
    db.running.erase(ended, db.running.end());
    for (const Running& unit : gone) budget_.release(db.member, unit.owner);
  }

  // Databases that were called back come and work, until nobody is called any more.
  void settle(const std::vector<Database*>& order) {
    for (bool again = true; again;) {
      again = false;
      for (Database* db : order) {
        if (!db->called) continue;
        again = true;
        work(*db);
      }
    }
  }

  static void check_owners(const std::vector<const Database*>& databases, int places, bool reserved) {
    std::map<Owner, int> has;
    for (const Database* db : databases) {
      for (const Running& unit : db->running) ++has[unit.owner];
    }
    has.erase(kTrustedOwner);
    int together = 0;
    for (const auto& [owner, count] : has) {
      ASSERT_LE(count, std::max(1, places - 1)) << "one owner has all places";
      together += count;
    }
    const int most = reserved ? std::max(1, places - 1) : places;
    ASSERT_LE(together, most) << "owners without trust have all places";
  }

  void check() {
    int used = 0;
    for (const Database& db : databases_) {
      const auto usage = budget_.usage(db.member);
      ASSERT_EQ(usage.in_use, static_cast<int>(db.running.size()));
      ASSERT_LE(usage.in_use, db.max) << "over-use";
      check_owners({&db}, db.max, db.reserved);
      used += usage.in_use;
    }
    ASSERT_LE(used, total_) << "over-use";
    ASSERT_EQ(used, budget_.in_use());
    std::vector<const Database*> all;
    for (const Database& db : databases_) all.push_back(&db);
    const auto reserves = [](const Database& db) { return db.reserved; };
    check_owners(all, total_, std::any_of(databases_.begin(), databases_.end(), reserves));
    for (Database& db : databases_) {
      const auto usage = budget_.usage(db.member);
      ASSERT_FALSE(used < total_ && usage.wanted > 0 && usage.in_use < db.max) << "an idle place, and somebody waits";
      // Who has work and nothing of its share waits for units that run, and for others in the same situation.
      if (usage.wanted == 0 || usage.in_use > 0) db.hungry_since = now_;
      ASSERT_LE(now_ - db.hungry_since, (kLongest + 1) * static_cast<int>(databases_.size() + 1)) << "starvation";
    }
  }

  std::mt19937_64 random_;
  int total_;
  WorkerBudget budget_;
  std::vector<Database> databases_;
  int now_ = 0;
};

TEST(WorkerBudget, RandomDatabasesAreNeitherStarvedNorGreedyAndNothingIsWasted) {
  for (std::uint64_t seed = 1; seed <= 300 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Simulation(seed).run(400);
  }
}

}  // namespace
}  // namespace pgtrickle::scheduler
