// Cycles of stream tables: their least fixed point is that of WITH RECURSIVE, whatever happens to the data.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "support/database.h"
#include "support/oracle.h"

namespace {

using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::TestDatabase;
using pgtrickle::catalog::BuildResult;
using pgtrickle::catalog::BuildStatus;
using ::testing::HasSubstr;

constexpr const char* kReachable =
    "WITH RECURSIVE p(src, dst) AS (SELECT src, dst FROM edges UNION SELECT p.src, e.dst FROM p JOIN edges e ON e.src "
    "= p.dst) SELECT src, dst FROM p";

class Cycles : public testing::Test {
 protected:
  Cycles() : session_(db_.dsn()) { session_.exec("SET jit = off; CREATE TABLE edges (src int, dst int)"); }

  /// Gives a stream table another query, as alter_stream_table() does, and builds it.
  BuildResult alter(const std::string& name, const std::string& query, bool allowed = true) {
    session_.exec("CREATE TEMP VIEW new_definition AS " + query);
    session_.exec("SET search_path = ''");
    const std::string canonical =
        session_.value("SELECT pg_catalog.pg_get_viewdef('pg_temp.new_definition'::pg_catalog.regclass)");
    session_.exec("RESET search_path");
    const std::string names =
        session_.quote(session_.value("SELECT pgtrickle._names('pg_temp.new_definition'::regclass, " +
                                      session_.quote(query) + ", current_setting('search_path'))")) +
        "::jsonb";
    session_.exec("DROP VIEW new_definition");
    session_.exec("UPDATE pgtrickle.pgt_stream_tables SET names = " + names + ", names_now = " + names +
                  ", original_query = " + session_.quote(query) + ", defining_query = rtrim(" +
                  session_.quote(canonical) +
                  ", ';'), needs_reinit = true, generation = generation + 1, allow_circular = allow_circular OR " +
                  (allowed ? "true" : "false") + " WHERE pgt_id = " + std::to_string(db_.id_of(name)));
    return db_.build(name);
  }

  void alter_ok(const std::string& name, const std::string& query) {
    const auto built = alter(name, query);
    ASSERT_EQ(built.status, BuildStatus::kActive) << built.message;
  }

  void allow(const std::string& name) {
    session_.exec("UPDATE pgtrickle.pgt_stream_tables SET allow_circular = true WHERE pgt_id = " +
                  std::to_string(db_.id_of(name)));
  }

  /// path_a and path_b, which read each other: the pairs of nodes with a path between them.
  void make_reachability() {
    db_.create_stream_table("path_b", "SELECT src, dst FROM edges", "DIFFERENTIAL");
    allow("path_b");
    db_.create_stream_table(
        "path_a", "SELECT src, dst FROM edges UNION SELECT p.src, e.dst FROM path_b p JOIN edges e ON e.src = p.dst",
        "DIFFERENTIAL");
    allow("path_a");
    alter_ok("path_b",
             "SELECT src, dst FROM edges UNION SELECT p.src, e.dst FROM path_a p JOIN edges e ON e.src = p.dst");
    session_.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
  }

  /// self: the same with one stream table that reads itself.
  void make_self() {
    db_.create_stream_table("self", "SELECT src, dst FROM edges", "DIFFERENTIAL");
    alter_ok("self", "SELECT src, dst FROM edges UNION SELECT p.src, e.dst FROM self p JOIN edges e ON e.src = p.dst");
    session_.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
  }

  std::string call(const std::string& name, const std::string& arguments) {
    return "pgtrickle._refresh_scc(pgtrickle._cycle_of(" + std::to_string(db_.id_of(name)) + "), " + arguments + ")";
  }

  /// "ACTION inserted deleted" of each member, ascending.
  std::string refresh_scc(const std::string& name, const std::string& arguments = "false") {
    session_.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
    try {
      const std::string answer = session_.table(
          "SELECT string_agg(action || ' +' || rows_inserted || ' -' || rows_deleted, ', ' ORDER BY "
          "pgt_id) FROM " +
          call(name, arguments));
      session_.exec("COMMIT");
      return answer;
    } catch (...) {
      session_.exec("ROLLBACK");
      throw;
    }
  }

  void expect_reachability(const std::string& when) {
    for (const char* name : {"path_a", "path_b"}) {
      EXPECT_TRUE(equals_query(session_, name, kReachable)) << when;
      EXPECT_TRUE(equals_query(session_, name)) << when;
    }
  }

  TestDatabase db_;
  Session session_;
};

TEST_F(Cycles, TwoStreamTablesThatReadEachOtherReachTheLeastFixedPoint) {
  session_.exec("INSERT INTO edges SELECT i, i + 1 FROM generate_series(1, 9) i");
  make_reachability();
  EXPECT_EQ(session_.value("SELECT cardinality(pgtrickle._cycle_of(" + std::to_string(db_.id_of("path_a")) + "))"),
            "2");
  refresh_scc("path_a");
  expect_reachability("at first");
  EXPECT_EQ(session_.value("SELECT count(*) FROM path_a"), "45");
  EXPECT_EQ(refresh_scc("path_a"), "NO_DATA +0 -0, NO_DATA +0 -0");

  session_.exec("INSERT INTO edges VALUES (10, 11), (20, 21)");
  EXPECT_EQ(refresh_scc("path_a"), "DIFFERENTIAL +11 -0, DIFFERENTIAL +11 -0");
  expect_reachability("insert");
  session_.exec("INSERT INTO edges VALUES (11, 1)");  // now all reach all
  refresh_scc("path_a");
  expect_reachability("closing the circle");
  EXPECT_EQ(session_.value("SELECT count(*) FROM path_a WHERE src <= 11"), "121");
  EXPECT_EQ(session_.value("SELECT scc_id = members[1] AND cardinality(members) = 2 AND last_iterations > 1 AND "
                           "last_error IS NULL FROM pgtrickle.pgt_sccs"),
            "t");
  EXPECT_EQ(session_.value("SELECT count(*) FROM pgtrickle.pgt_refresh_history WHERE initiated_by = 'SCHEDULER' AND "
                           "status = 'COMPLETED' AND pgt_id = " +
                           std::to_string(db_.id_of("path_a"))),
            "3");
}

TEST_F(Cycles, RowsThatOnlySupportEachOtherVanish) {
  session_.exec("INSERT INTO edges VALUES (0, 1), (1, 2), (2, 3), (3, 1)");
  make_reachability();
  make_self();
  const std::string self_reachable = kReachable;
  refresh_scc("path_a");
  refresh_scc("self");
  EXPECT_EQ(session_.value("SELECT count(*) FROM path_a WHERE src = 0"), "3");
  // 0 reaches 1, 2 and 3 through a circle. Without the edge into it every pair still has a derivation from another.
  session_.exec("DELETE FROM edges WHERE src = 0");
  EXPECT_EQ(refresh_scc("path_a"), "FULL +0 -3, FULL +0 -3");  // net: the others came back
  EXPECT_EQ(refresh_scc("self"), "FULL +0 -3");
  expect_reachability("edge into the circle deleted");
  EXPECT_TRUE(equals_query(session_, "self", self_reachable));
  session_.exec("DELETE FROM edges WHERE src = 2");
  EXPECT_EQ(refresh_scc("path_a"), "FULL +0 -6, FULL +0 -6");
  EXPECT_EQ(refresh_scc("self"), "FULL +0 -6");
  expect_reachability("circle cut");
  EXPECT_TRUE(equals_query(session_, "self", self_reachable));
  session_.exec("TRUNCATE edges");
  EXPECT_EQ(refresh_scc("path_a"), "FULL +0 -3, FULL +0 -3");
  EXPECT_EQ(refresh_scc("self"), "FULL +0 -3");
  EXPECT_EQ(session_.value("SELECT count(*) FROM self"), "0");
}

TEST_F(Cycles, WhatWasNotDerivedHereDoesNotStay) {
  session_.exec("INSERT INTO edges VALUES (0, 1), (1, 2), (2, 1)");
  make_reachability();
  refresh_scc("path_a");
  // One member alone consumes the deletion, by counting: its circle holds itself.
  session_.exec("DELETE FROM edges WHERE src = 0");
  for (const char* name : {"path_a", "path_b", "path_a", "path_b"})
    session_.exec("SELECT * FROM pgtrickle_state.refresh_" + std::to_string(db_.id_of(name)) + "('auto')");
  ASSERT_FALSE(equals_query(session_, "path_a", kReachable));  // otherwise this proves nothing
  refresh_scc("path_a");
  expect_reachability("after one alone");
  // The same for a member that was rebuilt meanwhile.
  session_.exec("INSERT INTO edges VALUES (0, 1)");
  refresh_scc("path_a");
  session_.exec("DELETE FROM edges WHERE src = 0");
  ASSERT_EQ(db_.build("path_a").status, BuildStatus::kActive);
  ASSERT_EQ(db_.build("path_b").status, BuildStatus::kActive);
  ASSERT_FALSE(equals_query(session_, "path_a", kReachable));
  refresh_scc("path_a");
  expect_reachability("after a rebuild");
  EXPECT_EQ(refresh_scc("path_a", "true"), "FULL +0 -0, FULL +0 -0");
  expect_reachability("reset");
}

TEST_F(Cycles, RandomGraphs) {
  const char* given = std::getenv("PGT_SEED");
  const unsigned seed = given == nullptr ? 4U : static_cast<unsigned>(std::strtoul(given, nullptr, 10));
  std::mt19937 random(seed);
  SCOPED_TRACE("PGT_SEED=" + std::to_string(seed));
  auto pick = [&](int from, int to) { return std::to_string(std::uniform_int_distribution<int>(from, to)(random)); };
  make_reachability();
  make_self();
  // A bag that counts ways, outside: readers of cycles see net changes only.
  db_.create_stream_table(
      "fan", "SELECT src, count(*) AS n, array_agg(dst ORDER BY dst) AS all FROM path_a GROUP BY src", "DIFFERENTIAL");
  db_.create_stream_table("pairs", "SELECT a.src, b.dst FROM path_a a JOIN self b ON a.dst = b.src", "DIFFERENTIAL");
  db_.create_stream_table("lonely",
                          "SELECT e.src, e.dst FROM edges e WHERE NOT EXISTS (SELECT FROM path_b p WHERE "
                          "p.src = e.dst)",
                          "DIFFERENTIAL");
  session_.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
  for (int step = 0; step < 40; ++step) {
    std::string sql;
    for (int n = std::uniform_int_distribution<int>(1, 3)(random); n > 0; --n) {
      const int kind = std::uniform_int_distribution<int>(0, 9)(random);
      if (kind < 6)
        sql += "INSERT INTO edges VALUES (" + pick(1, 12) + ", " + pick(1, 12) + ");";
      else if (kind < 8)
        sql += "DELETE FROM edges WHERE src = " + pick(1, 12) + ";";
      else if (kind < 9)
        sql += "UPDATE edges SET dst = " + pick(1, 12) + " WHERE src = " + pick(1, 12) + ";";
      else
        sql += "INSERT INTO edges SELECT src, dst FROM edges WHERE src = " + pick(1, 12) + ";";  // duplicates
    }
    if (step == 20) sql = "UPDATE pgtrickle.pgt_frontiers SET full_threshold = 3";
    if (step == 30) sql = "TRUNCATE edges; UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL";
    session_.exec(sql);
    // Both cycles and their readers in one transaction, as a unit of the daemon does it, or each on its own.
    const bool together = step % 2 == 0;
    if (together) session_.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
    for (const char* name : {"path_a", "self"}) session_.exec("SELECT * FROM " + call(name, "false"));
    for (const char* name : {"fan", "pairs", "lonely"})
      session_.exec("SELECT * FROM pgtrickle_state.refresh_" + std::to_string(db_.id_of(name)) + "('auto')");
    if (together) session_.exec("COMMIT");
    expect_reachability(sql);
    EXPECT_TRUE(equals_query(session_, "self", kReachable)) << sql;
    for (const char* name : {"self", "fan", "pairs", "lonely"}) EXPECT_TRUE(equals_query(session_, name)) << sql;
    if (HasFailure()) FAIL() << "at step " << step;
  }
}

TEST_F(Cycles, ReadersOutsideSeeNetChanges) {
  session_.exec("INSERT INTO edges SELECT i, i + 1 FROM generate_series(1, 20) i");
  make_reachability();
  db_.create_stream_table("fan", "SELECT src, count(*) AS n FROM path_a GROUP BY src", "DIFFERENTIAL");
  refresh_scc("path_a");
  db_.refresh("fan");
  session_.exec("DELETE FROM edges WHERE src = 20");
  EXPECT_EQ(refresh_scc("path_a"), "FULL +0 -20, FULL +0 -20");
  const std::string pending = "SELECT pgtrickle._pending_rows(" + std::to_string(db_.id_of("fan")) + ")";
  EXPECT_EQ(session_.value(pending), "20");
  db_.refresh("fan");
  EXPECT_TRUE(equals_query(session_, "fan"));

  // A reader that was refreshed earlier in the transaction has consumed what came before, and needs the rest.
  session_.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO edges VALUES (30, 1)");
  session_.exec("SELECT * FROM " + call("path_a", "false"));
  session_.exec("SELECT * FROM pgtrickle_state.refresh_" + std::to_string(db_.id_of("fan")) + "('auto')");
  EXPECT_TRUE(equals_query(session_, "fan"));
  session_.exec("DELETE FROM edges WHERE src = 30");
  session_.exec("SELECT * FROM " + call("path_a", "false"));
  EXPECT_EQ(session_.value(pending), "20");
  session_.exec("SELECT * FROM pgtrickle_state.refresh_" + std::to_string(db_.id_of("fan")) + "('auto')");
  EXPECT_TRUE(equals_query(session_, "fan"));
  session_.exec("COMMIT");
  expect_reachability("one transaction");
  EXPECT_TRUE(equals_query(session_, "fan"));
}

TEST_F(Cycles, EqualIsNotIdenticalInNetChanges) {
  session_.exec("CREATE TABLE v (a int, n numeric); INSERT INTO v VALUES (1, 1.0), (2, 5)");
  db_.create_stream_table("st", "SELECT a, n FROM v", "DIFFERENTIAL");
  alter_ok("st", "SELECT a, n FROM v UNION SELECT s.a + 1, s.n FROM st s WHERE s.a < 3");
  db_.create_stream_table("spelled", "SELECT a, n::text AS n FROM st", "DIFFERENTIAL");
  refresh_scc("st");
  db_.refresh("spelled");
  session_.exec("UPDATE v SET n = 1.00 WHERE a = 1; DELETE FROM v WHERE n = 5");
  refresh_scc("st");
  db_.refresh("spelled");
  EXPECT_EQ(session_.table("SELECT * FROM spelled ORDER BY 1"), "1|1.00\n2|1.00\n3|1.00");
}

TEST_F(Cycles, BagsCountWaysWhereTheDataHasNoCircle) {
  session_.exec("INSERT INTO edges VALUES (1, 2), (1, 3), (2, 4), (3, 4), (4, 5), (4, 5)");
  db_.create_stream_table("ways", "SELECT src, dst FROM edges", "DIFFERENTIAL");
  alter_ok("ways",
           "SELECT src, dst FROM edges UNION ALL SELECT p.src, e.dst FROM ways p JOIN edges e ON e.src = p.dst");
  const std::string truth =
      "WITH RECURSIVE p(src, dst) AS (SELECT src, dst FROM edges UNION ALL SELECT p.src, e.dst FROM p JOIN edges e ON "
      "e.src = p.dst) SELECT src, dst FROM p";
  refresh_scc("ways");
  EXPECT_TRUE(equals_query(session_, "ways", truth));
  for (const char* change : {"INSERT INTO edges VALUES (0, 1), (5, 6)", "INSERT INTO edges VALUES (3, 4)",
                             "DELETE FROM edges WHERE src = 3", "UPDATE edges SET src = 3 WHERE dst = 6"}) {
    session_.exec(change);
    refresh_scc("ways");
    EXPECT_TRUE(equals_query(session_, "ways", truth)) << change;
    EXPECT_TRUE(equals_query(session_, "ways")) << change;
  }
}

TEST_F(Cycles, WithoutAFixedPointNothingIsApplied) {
  session_.exec("INSERT INTO edges VALUES (1, 2)");
  db_.create_stream_table("depth", "SELECT src, 0 AS n FROM edges", "DIFFERENTIAL");
  alter_ok("depth",
           "SELECT src, 0 AS n FROM edges UNION SELECT d.src, d.n + 1 FROM depth d WHERE d.n < 20 OR d.src > 5");
  refresh_scc("depth");
  EXPECT_EQ(session_.value("SELECT count(*) FROM depth"), "21");
  const std::string before = session_.table("SELECT snapshot, xid, seq FROM pgtrickle.pgt_frontiers");
  for (const std::string change : {"INSERT INTO edges VALUES (6, 1)", "DELETE FROM edges WHERE src = 1"}) {
    session_.exec(change);
    try {
      refresh_scc("depth", "false, 30");
      FAIL() << "converged";
    } catch (const pqxx::sql_error& error) {
      EXPECT_EQ(error.sqlstate(), "54001");
      EXPECT_NE(std::string(error.what()).find("public.depth"), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("HINT"), std::string::npos) << error.what();
    }
    EXPECT_EQ(session_.value("SELECT count(*) FROM depth"), "21");
    EXPECT_EQ(session_.table("SELECT snapshot, xid, seq FROM pgtrickle.pgt_frontiers"), before);
  }
  session_.exec("UPDATE edges SET src = 2");
  EXPECT_EQ(refresh_scc("depth", "false, 22"), "FULL +21 -21");
  EXPECT_THROW(refresh_scc("depth", "true, 20"), pqxx::sql_error);
  EXPECT_TRUE(equals_query(session_, "depth"));
}

TEST_F(Cycles, AFailureIsKnownUntilTheNextSuccess) {
  session_.exec("INSERT INTO edges VALUES (1, 2), (2, 3)");
  make_reachability();
  auto fails = [&](const std::string& members, const std::string& message) {
    session_.exec("SELECT pgtrickle._scc_failed(" + members + ", '" + message + "')");
  };
  auto status = [&] {
    return session_.table("SELECT members, last_iterations IS NULL, last_error FROM pgtrickle.pgt_scc_status()");
  };
  const std::string cycle = "pgtrickle._cycle_of(" + std::to_string(db_.id_of("path_a")) + ")";
  fails(cycle, "before the first success");
  EXPECT_EQ(status(), "{public.path_a,public.path_b}|t|before the first success");
  refresh_scc("path_a");
  expect_reachability("after a failure");
  EXPECT_EQ(status(), "{public.path_a,public.path_b}|f|null");
  fails(cycle, "again");
  EXPECT_EQ(status(), "{public.path_a,public.path_b}|f|again");
  EXPECT_EQ(refresh_scc("path_a"), "NO_DATA +0 -0, NO_DATA +0 -0");
  EXPECT_EQ(status(), "{public.path_a,public.path_b}|f|null");
  fails("ARRAY[" + std::to_string(db_.id_of("path_b")) + "::bigint]", "not a cycle");
  EXPECT_EQ(status(), "{public.path_a,public.path_b}|f|null");
}

TEST_F(Cycles, AreRefusedUnlessAllowedAndMonotone) {
  db_.create_stream_table("a", "SELECT src, dst FROM edges", "DIFFERENTIAL");
  db_.create_stream_table("b", "SELECT src, dst FROM a");
  db_.create_stream_table("c", "SELECT src, dst FROM b WHERE src > 0", "DIFFERENTIAL");
  auto refused = [&](const std::string& name, const std::string& query, const std::string& needle) {
    const auto result = alter(name, query, false);
    EXPECT_EQ(result.status, BuildStatus::kError) << query;
    EXPECT_EQ(result.error.sqlstate, "42P17") << result.message;
    EXPECT_NE(result.message.find(needle), std::string::npos) << result.message;
    EXPECT_FALSE(result.error.hint.empty());
    EXPECT_EQ(
        session_.value("SELECT status || ' ' || last_error_code FROM pgtrickle.pgt_stream_tables WHERE pgt_id = " +
                       std::to_string(db_.id_of(name))),
        "ERROR 42P17");
  };
  const std::string cyclic = "SELECT src, dst FROM edges UNION SELECT src, dst FROM c";
  refused("a", cyclic, "would read itself: public.a -> public.c -> public.b -> public.a");
  for (const char* name : {"a", "b"}) allow(name);
  refused("a", cyclic, "public.a -> public.c -> public.b -> public.a");
  allow("c");
  EXPECT_EQ(alter("a", cyclic).status, BuildStatus::kActive);
  EXPECT_EQ(alter("b", "SELECT src, dst FROM a").status, BuildStatus::kActive);

  // Not monotone: itself, or a member that is not being built.
  refused("b", "SELECT src, count(*)::int AS dst FROM a GROUP BY src",
          "the cycle public.b -> public.a -> public.c -> public.b, and the query of public.b is not monotone: "
          "Aggregate count(*)");
  for (const auto& [query, reason] : std::vector<std::pair<const char*, const char*>>{
           {"SELECT src, dst FROM edges EXCEPT SELECT src, dst FROM a", "Aggregate"},
           {"SELECT e.src, e.dst FROM edges e WHERE NOT EXISTS (SELECT FROM a WHERE a.src = e.dst)", "Anti join"},
           {"SELECT e.src, a.dst FROM edges e LEFT JOIN a ON a.src = e.dst", "Left join"},
           {"SELECT e.src, (SELECT max(dst) FROM a) AS dst FROM edges e", "Aggregate max"},
           {"SELECT e.src, (SELECT a.dst FROM a WHERE a.src = e.dst) AS dst FROM edges e", "Apply"},
           {"SELECT src, dst FROM a ORDER BY src LIMIT 3", "TopK"},
           {"SELECT DISTINCT ON (src) src, dst FROM a ORDER BY src, dst", "DistinctOn"},
           {"SELECT src, (row_number() OVER (ORDER BY dst))::int AS dst FROM a", "Window"},
           {"SELECT src, (random() * 10)::int AS dst FROM a", "it is recomputed: "}})
    refused("b", query, std::string("public.b is not monotone: ") + reason);

  EXPECT_EQ(alter("b", "SELECT DISTINCT src, dst FROM edges").status, BuildStatus::kActive);
  EXPECT_EQ(alter("c", "SELECT src, max(dst) AS dst FROM b GROUP BY src").status, BuildStatus::kActive);  // no cycle
  refused("b", "SELECT DISTINCT src, dst FROM a", "the query of public.c is not monotone: Aggregate max");
}

TEST_F(Cycles, WhatBecomesForbiddenIsNotRefreshed) {
  make_reachability();
  refresh_scc("path_a");
  const std::string id = std::to_string(db_.id_of("path_b"));
  session_.exec("INSERT INTO edges VALUES (1, 2)");
  for (const char* change : {"allow_circular = false", "allow_circular = true, non_monotone = 'it sorts'"}) {
    session_.exec(std::string("UPDATE pgtrickle.pgt_stream_tables SET ") + change + " WHERE pgt_id = " + id);
    try {
      refresh_scc("path_a");
      FAIL() << change;
    } catch (const pqxx::sql_error& error) {
      EXPECT_EQ(error.sqlstate(), "42P17");
      EXPECT_NE(std::string(error.what()).find("public.path_b"), std::string::npos) << error.what();
    }
  }
  session_.exec("UPDATE pgtrickle.pgt_stream_tables SET non_monotone = NULL");
  try {  // a part of it
    session_.exec("SELECT * FROM pgtrickle._refresh_scc(ARRAY[" + id + "], false)");
    FAIL();
  } catch (const pqxx::sql_error& error) {
    EXPECT_EQ(error.sqlstate(), "40001");
  } catch (const pqxx::serialization_failure&) {
  }
  refresh_scc("path_a");
  expect_reachability("allowed again");
}

TEST_F(Cycles, OneMemberThatMayNotHoldsAll) {
  session_.exec("INSERT INTO edges VALUES (1, 2)");
  make_reachability();
  refresh_scc("path_a");
  const std::string before = session_.table("SELECT seq FROM pgtrickle.pgt_frontiers ORDER BY pgt_id");
  auto actions = [&](const std::string& arguments = "false") {
    return session_.table("SELECT s.pgt_name, r.action, r.delta_rows FROM " + call("path_a", arguments) +
                          " r JOIN pgtrickle.pgt_stream_tables s USING (pgt_id) ORDER BY 1");
  };
  auto set = [&](const std::string& name, const std::string& columns) {
    session_.exec("UPDATE pgtrickle.pgt_stream_tables SET " + columns +
                  " WHERE pgt_id = " + std::to_string(db_.id_of(name)));
  };
  session_.exec("INSERT INTO edges SELECT i, i + 1 FROM generate_series(2, 5) i");
  session_.exec("SELECT pgtrickle.gate_source('edges')");
  EXPECT_EQ(actions(), "path_a|HELD|0\npath_b|HELD|0");
  EXPECT_EQ(actions("true"), "path_a|HELD|0\npath_b|HELD|0");
  session_.exec("SELECT pgtrickle.ungate_source('edges')");
  set("path_a", "fuse = 'on', fuse_ceiling = 3");
  EXPECT_EQ(actions(), "path_a|BLOWN|4\npath_b|HELD|4");
  set("path_b", "needs_reinit = true");
  EXPECT_EQ(actions("true"), "path_a|BLOWN|4\npath_b|REINIT|0");
  // By hand, whichever member is named: the one that is the reason is named in the error.
  const auto error = [&](const std::string& name) -> std::string {
    try {
      session_.exec("SELECT pgtrickle.refresh_stream_table('" + name + "')");
    } catch (const pqxx::sql_error& e) {
      return e.what();
    }
    return "none";
  };
  set("path_a", "fuse = 'off'");
  EXPECT_THAT(error("path_a"), HasSubstr("stream table public.path_b must be rebuilt"));
  EXPECT_THAT(error("path_a"), HasSubstr("It is in a cycle with public.path_a."));
  set("path_b", "needs_reinit = false");
  set("path_a", "fuse = 'on'");
  for (const char* name : {"path_a", "path_b"})
    EXPECT_THAT(error(name), HasSubstr("the fuse of stream table public.path_a is blown")) << name;
  EXPECT_EQ(session_.table("SELECT seq FROM pgtrickle.pgt_frontiers ORDER BY pgt_id"), before);
  EXPECT_EQ(session_.value("SELECT count(*) FROM path_a"), "1");

  // Four rows from outside are allowed; what the members derive from each other is not asked.
  set("path_a", "fuse_ceiling = 4");
  refresh_scc("path_a");
  expect_reachability("fuse");
  EXPECT_EQ(session_.value("SELECT count(*) FROM path_a"), "15");

  session_.exec("INSERT INTO edges SELECT i, i + 1 FROM generate_series(6, 16) i");
  set("path_a", "fuse_reset = 'apply'");
  refresh_scc("path_a");
  expect_reachability("fuse reset");
  EXPECT_EQ(session_.value("SELECT fuse_reset IS NULL FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'path_a'"),
            "t");
}

TEST_F(Cycles, AreRefreshedByHandAsAWhole) {
  // UPDATE: a refresh in READ COMMITTED locks it, which roles that may only read cannot do.
  session_.exec("CREATE ROLE cycle_owner_" + db_.name() + "; GRANT SELECT, UPDATE ON edges TO cycle_owner_" +
                db_.name() + "; GRANT CREATE ON SCHEMA public TO cycle_owner_" + db_.name());
  session_.exec("INSERT INTO edges VALUES (1, 2), (2, 3), (3, 1)");
  make_reachability();
  for (const char* name : {"path_a", "path_b"})
    session_.exec(std::string("ALTER TABLE ") + name + " OWNER TO cycle_owner_" + db_.name());
  for (const char* name : {"path_a", "path_b"}) ASSERT_EQ(db_.build(name).status, BuildStatus::kActive);
  Session owner(db_.dsn());
  owner.exec("SET ROLE cycle_owner_" + db_.name());
  owner.exec("CALL pgtrickle.refresh('path_b')");
  expect_reachability("refresh");
  session_.exec("DELETE FROM edges WHERE src = 3");
  owner.exec("SELECT pgtrickle.refresh_stream_table('path_a')");  // READ COMMITTED
  expect_reachability("refresh_stream_table");
  EXPECT_EQ(owner.table("SELECT * FROM pgtrickle.verify_stream_table('path_b')"), "0|0");
  EXPECT_EQ(session_.value("SELECT count(*) FROM pgtrickle.pgt_refresh_history WHERE initiated_by = 'MANUAL'"), "4");
  // Changes of the transaction itself, in any isolation level.
  session_.exec("BEGIN; INSERT INTO edges VALUES (3, 4); SELECT pgtrickle.refresh_stream_table('path_a')");
  expect_reachability("own insert");
  session_.exec("DELETE FROM edges WHERE src = 1; SELECT pgtrickle.refresh_stream_table('path_a')");
  expect_reachability("own delete");
  session_.exec("ROLLBACK");
  expect_reachability("rolled back");
  session_.exec("DROP OWNED BY cycle_owner_" + db_.name() + " CASCADE; DROP ROLE cycle_owner_" + db_.name());
}

}  // namespace
