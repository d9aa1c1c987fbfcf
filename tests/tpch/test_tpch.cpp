// All 22 queries of TPC-H as stream tables, over cycles of changes to several sources in one step. After each, every
// DIFFERENTIAL stream table is refreshed and equals its query. In the last cycles there is an IMMEDIATE one beside it,
// which equals it before; in the last one also within a transaction, and when that is undone. PGT_TPCH_SF (0.01) is the
// scale factor, PGT_TPCH_CYCLES (20) how many cycles, PGT_TPCH_IMMEDIATE (2) how many of them with IMMEDIATE ones,
// PGT_TPCH_QUERIES=1,3,5 takes some of the queries only.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "support/database.h"
#include "support/oracle.h"
#include "tpch/tpch.h"

namespace pgt::test {
namespace {

std::string setting(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : value;
}

class Tpch : public ::testing::Test {
 protected:
  /// False if the compiler does not take it; says why as a failure, and the others go on.
  bool create(const tpch::Query& query) {
    try {
      db_.create_stream_table("st_" + query.name, query.text, "DIFFERENTIAL");
    } catch (const std::exception& error) {
      ADD_FAILURE() << query.name << ": " << error.what();
      return false;
    }
    EXPECT_EQ(db_.effective_mode("st_" + query.name), "DIFFERENTIAL") << query.name;
    // What is recomputed says so in the plan, which is followed by the source of the functions.
    const std::string explained = session_.value("SELECT pgtrickle.explain_stream_table('st_" + query.name + "')");
    const std::size_t plan = explained.find("\nplan\n");
    const std::string text = explained.substr(plan, explained.find("\nprogram\n") - plan);
    EXPECT_EQ(text.find("Recompute the query"), std::string::npos) << query.name << text;
    EXPECT_EQ(text.find("O(n)"), std::string::npos) << query.name << text;
    EXPECT_NE(session_.value("SELECT count(*) FROM st_" + query.name), "0") << query.name << " has no rows";
    return true;
  }

  /// The same, IMMEDIATE: nobody refreshes it.
  bool create_immediate(const tpch::Query& query) {
    try {
      db_.create_stream_table("now_" + query.name, query.text, "IMMEDIATE");
    } catch (const std::exception& error) {
      ADD_FAILURE() << query.name << ": " << error.what();
      return false;
    }
    EXPECT_EQ(db_.effective_mode("now_" + query.name), "IMMEDIATE") << query.name;
    return true;
  }

  /// The differential path, whatever a recomputation would cost.
  bool refresh_and_compare(const std::string& name) {
    try {
      db_.refresh(name);
    } catch (const std::exception& error) {
      ADD_FAILURE() << "refreshing " << name << ": " << error.what();
      return false;
    }
    const std::string action = session_.value("SELECT f.last_action FROM pgtrickle.pgt_frontiers f WHERE pgt_id = " +
                                              std::to_string(db_.id_of(name)));
    EXPECT_TRUE(action == "DIFFERENTIAL" || action == "NO_DATA") << name << " did " << action;
    const auto equal = equals_query(session_, name);
    EXPECT_TRUE(equal);
    return static_cast<bool>(equal);
  }

  TestDatabase db_;
  Session session_{db_.dsn() + " options='-c jit=off'"};
};

// Most cycles change a little of everything, at three sizes; others are the arrival and departure of orders, or change
// what is rarely changed.
std::string change(int cycle) {
  const std::string number = std::to_string(cycle);
  std::string sql;
  if (cycle % 5 == 3) {
    sql = "SELECT tpch.change_orders(" + number + ", 10);";
  } else {
    const char* fraction = cycle % 5 == 0 ? "0.05" : cycle % 5 == 2 ? "0.001" : "0.01";
    sql = "SELECT tpch.change_all(" + number + ", " + fraction + ");";
  }
  if (cycle % 10 == 9) sql += "SELECT tpch.change_rare(" + number + ");";
  if (cycle % 2 == 0) sql += "SELECT tpch.change_chosen(" + number + ");";
  return sql;
}

TEST_F(Tpch, EqualsItsQueryAfterEveryCycle) {
  const std::string scale_factor = setting("PGT_TPCH_SF", "0.01");
  const int cycles = std::stoi(setting("PGT_TPCH_CYCLES", "20"));
  const auto wanted = tpch::query_numbers(setting("PGT_TPCH_QUERIES", ""));
  tpch::load(session_, scale_factor);

  std::vector<std::string> maintained;
  std::vector<std::string> immediate;
  std::vector<tpch::Query> chosen;
  for (const auto& query : tpch::queries(scale_factor)) {
    if (std::find(wanted.begin(), wanted.end(), query.number) == wanted.end()) continue;
    if (create(query)) maintained.push_back("st_" + query.name);
    chosen.push_back(query);
  }
  session_.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");

  // A stream table that went wrong once says nothing more by going wrong again.
  for (int cycle = 1; cycle <= cycles; ++cycle) {
    const std::string sql = change(cycle);
    if (cycle == cycles - std::stoi(setting("PGT_TPCH_IMMEDIATE", "2")) + 1) {
      for (const auto& query : chosen) {
        if (create_immediate(query)) immediate.push_back("now_" + query.name);
      }
    }
    SCOPED_TRACE("cycle " + std::to_string(cycle) + ": " + sql);
    const auto compare_immediate = [&] {
      std::erase_if(immediate, [&](const std::string& name) {
        const auto equal = equals_query(session_, name);
        EXPECT_TRUE(equal);
        return !equal;
      });
    };
    if (cycle == cycles) {
      session_.exec("BEGIN; SAVEPOINT undo; " + sql);
      compare_immediate();
      session_.exec("ROLLBACK TO undo");
      compare_immediate();
      session_.exec("COMMIT");
    }
    session_.exec(sql);
    compare_immediate();
    std::erase_if(maintained, [&](const std::string& name) { return !refresh_and_compare(name); });
  }
}

}  // namespace
}  // namespace pgt::test
