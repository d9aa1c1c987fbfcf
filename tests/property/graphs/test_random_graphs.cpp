// The property of the scheduler: for every graph and writer, and no matter when the daemon dies, every stream table
// is at any moment what its frontier says, the members of a component with one schedule agree at one source snapshot in
// every reader's snapshot, and at rest everything equals its query. property/graphs/as_of.h says how that is checked.
// Members that were just created, resumed, altered or gated need not agree until the daemon serves all of them and they
// have agreed for a while; a
// component whose schedules differ is only checked for exactness, and so is one with stream tables that are or become
// IMMEDIATE. Components connected by a refresh group are one. Environment:
//   PGT_SEED      the seed of the first graph, the next ones follow it (fixed by default, so that a change is judged
//                 on itself; what happens when is random anyway)
//   PGT_GRAPHS    how many graphs of each kind (default: kDefaultGraphs, kDefaultMixedGraphs)
//   PGT_WORKERS   how many at the same time (2)
//   PGT_CONFIG    text of a configuration file for the daemons (no unit is too expensive)
//   PGT_MINIMIZE  seconds to spend on minimising a failure (60)
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <mutex>
#include <thread>
#include <vector>

#include "property/graphs/as_of.h"
#include "property/graphs/run.h"

namespace pgt::graphs {
namespace {

constexpr std::uint64_t kDefaultGraphs = 16;
constexpr std::uint64_t kDefaultMixedGraphs = 8;

std::uint64_t number_of(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::stoull(text);
}

std::string report(const Case& from, const Failure& failure) {
  // Statements fail for many reasons, and each smaller case could have its own.
  const auto budget = failure.kind == Failure::Kind::kSql ? 0 : number_of("PGT_MINIMIZE", 60);
  const Case small = minimized(from, failure, static_cast<int>(budget));
  return "seed " + std::to_string(from.seed) + ": " + name_of(failure.kind) + "\n" + failure.message +
         "\n------ minimised ------\n" + to_sql(small) + "------\nrepeat: PGT_SEED=" + std::to_string(from.seed) +
         " PGT_GRAPHS=1 --gtest_filter=*." + ::testing::UnitTest::GetInstance()->current_test_info()->name() + "\n";
}

/// Workers take seeds in turn and add up what came of them.
class Hunt {
 public:
  explicit Hunt(std::uint64_t graphs, bool mixed = false) : mixed_(mixed), graphs_(number_of("PGT_GRAPHS", graphs)) {}

  void run() {
    std::cout << "PGT_SEED=" << first_ << std::endl;
    std::vector<std::thread> workers;
    for (std::uint64_t i = number_of("PGT_WORKERS", 2); i > 1; --i) workers.emplace_back([this] { work(); });
    work();
    for (auto& worker : workers) worker.join();
    std::cout << next_ - first_ << " graphs, " << total_.tables << " stream tables, " << total_.transactions
              << " transactions, " << total_.refreshes << " refreshes, " << total_.restarts
              << " starts of a daemon; compared at their frontiers: " << total_.exact
              << ", as IMMEDIATE: " << total_.immediate << ", snapshots of components in step: " << total_.in_step
              << ", at different source snapshots: " << total_.moved << std::endl;
    if (failures_ > 0) return;
    EXPECT_GT(total_.exact, 0U);
    if (mixed_) {
      EXPECT_GT(total_.immediate, 0U);
      return;
    }
    EXPECT_GT(total_.moved, 0U) << "nothing was ever in step, so nothing could get out of step";
  }

 private:
  void work() {
    while (true) {
      std::uint64_t seed = 0;
      {
        const std::lock_guard lock(mutex_);
        if (failures_ > 0 || next_ == first_ + graphs_) return;
        seed = next_++;
      }
      const Case from = random_case(seed, mixed_);
      const Outcome outcome = pgt::graphs::run(from);
      {
        const std::lock_guard lock(mutex_);
        total_.tables += outcome.tables;
        total_.transactions += outcome.transactions;
        total_.refreshes += outcome.refreshes;
        total_.restarts += outcome.restarts;
        total_.exact += outcome.exact;
        total_.immediate += outcome.immediate;
        total_.in_step += outcome.in_step;
        total_.moved += outcome.moved;
        if (outcome.failure) ++failures_;
      }
      if (outcome.failure) ADD_FAILURE() << report(from, *outcome.failure);
    }
  }

  const bool mixed_;
  std::mutex mutex_;
  const std::uint64_t first_ = number_of("PGT_SEED", 20240229);
  const std::uint64_t graphs_;
  std::uint64_t next_ = first_;
  int failures_ = 0;
  Outcome total_;
};

/// Two stream tables on one base table, and one on both; no writers, no events.
Case small_case() {
  Case made;
  made.bases = 1;
  made.setup = {"CREATE TABLE b0 (id int PRIMARY KEY, k int, v bigint NOT NULL)",
                "INSERT INTO b0 SELECT i, i % 3, i FROM generate_series(1, 9) AS i"};
  made.tables = {{"t0", "SELECT k, sum(v)::bigint AS v FROM b0 GROUP BY k", {0}, {}, "1h", 0},
                 {"t1", "SELECT k, v FROM b0 WHERE v > 3", {0}, {}, "1h", 0},
                 {"t2", "SELECT a.k, a.v + b.v AS v FROM t0 AS a JOIN t1 AS b ON b.k = a.k", {}, {0, 1}, "1h", 0}};
  made.components = {{.members = {0, 1, 2}, .in_step = true}};
  return made;
}

/// What the oracle is worth: refreshed by hand, one after the other, with changes in between.
class Oracle : public ::testing::Test {
 protected:
  Oracle() : session_(db_.dsn()) {
    for (const auto& sql : case_.setup) session_.exec(sql);
    keep_history_of_bases(session_, case_.bases);
    for (const auto& table : case_.tables) {
      create_with_history(session_, table);
      db_.build(table.name);
    }
  }

  bool exact() {
    bool all = true;
    for (std::size_t t = 0; t < case_.tables.size(); ++t) all = all && session_.value(exactness_sql(case_, t)) == "0";
    return all;
  }

  bool agree() {
    bool found = false;
    for (const auto& row : session_.exec(frontiers_sql(case_, case_.components[0]))) {
      found = found || session_.value(agreement_sql(case_, case_.components[0], row[0].c_str())).empty();
    }
    return found;
  }

  void refresh_all() {
    for (const auto& table : case_.tables) db_.refresh(table.name);
  }

  const Case case_ = small_case();
  test::TestDatabase db_;
  test::Session session_;
};

TEST_F(Oracle, AgreesWithWhatIsRight) {
  EXPECT_TRUE(exact());
  EXPECT_TRUE(agree());
  session_.exec("UPDATE b0 SET v = v + 10 WHERE id < 4");
  session_.exec("DELETE FROM b0 WHERE id = 5");
  EXPECT_TRUE(exact());
  EXPECT_TRUE(agree()) << "behind, but in step";
  refresh_all();
  EXPECT_TRUE(exact());
  EXPECT_TRUE(agree());
}

TEST_F(Oracle, FindsMembersAtDifferentSnapshots) {
  session_.exec("UPDATE b0 SET v = v + 10 WHERE id < 4");
  db_.refresh("t0");
  EXPECT_TRUE(exact()) << "each is right for itself";
  EXPECT_FALSE(agree()) << "t1 and t2 do not have it yet";
  db_.refresh("t1");
  EXPECT_FALSE(agree()) << "t2 does not have it yet";
  session_.exec("UPDATE b0 SET v = v + 100 WHERE id = 9");
  db_.refresh("t2");
  EXPECT_TRUE(agree()) << "all are at the first change";
  db_.refresh("t1");
  db_.refresh("t2");
  EXPECT_TRUE(exact());
  EXPECT_FALSE(agree()) << "t0 does not have the second change";
  db_.refresh("t0");
  db_.refresh("t2");
  EXPECT_TRUE(agree());
}

TEST_F(Oracle, FindsALostChange) {
  session_.exec("SET session_replication_role = replica");  // neither capture nor history sees this
  session_.exec("DELETE FROM t0 WHERE k = 1");
  session_.exec("RESET session_replication_role");
  EXPECT_FALSE(exact());
  EXPECT_FALSE(agree());
}

TEST_F(Oracle, FindsAFrontierThatClaimsTooMuch) {
  session_.exec("UPDATE b0 SET v = v + 10 WHERE id < 4");
  session_.exec("UPDATE pgtrickle.pgt_frontiers SET snapshot = pg_current_snapshot()");
  EXPECT_FALSE(exact());
}

TEST(RandomGraphs, AreMadeOfTheSeedAlone) {
  EXPECT_EQ(to_sql(random_case(5)), to_sql(random_case(5)));
  EXPECT_NE(to_sql(random_case(5)), to_sql(random_case(6)));
}

TEST(RandomGraphs, AreInStepAndExactAtAnyMoment) {
  Hunt(kDefaultGraphs).run();
}

TEST(RandomGraphs, OfMixedModesAreExactAtAnyMoment) {
  Hunt(kDefaultMixedGraphs, true).run();
}

}  // namespace
}  // namespace pgt::graphs
