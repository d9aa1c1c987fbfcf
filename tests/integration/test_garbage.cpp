// Collecting garbage: what dropped stream tables leave behind.
#include <gtest/gtest.h>

#include "support/database.h"

namespace {

using pgt::test::Session;
using pgt::test::TestDatabase;

TEST(Garbage, ADroppedStreamTableWithALargeDeltaGoesInOneRun) {
  TestDatabase db;
  Session session(db.dsn());
  session.exec("CREATE TABLE t (a int, b text)");
  db.create_stream_table(
      "st", "SELECT q.n, count(*) AS c FROM (SELECT a, b, count(*) AS n FROM t GROUP BY a, b) q GROUP BY q.n",
      "DIFFERENTIAL");
  session.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
  session.exec("INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 10000) i");
  db.refresh("st");
  const auto large =
      "SELECT count(*) FROM pg_class WHERE relnamespace = 'pgtrickle_state'::regnamespace AND relname LIKE 'delta%' "
      "AND "
      "pg_relation_size(oid) > 262144";
  ASSERT_EQ(session.value(large), "1");  // a smaller one is not emptied, and would prove nothing
  session.exec("SELECT pgtrickle.drop_stream_table('st')");
  EXPECT_NO_THROW(pgtrickle::catalog::collect_garbage(db.dsn(), {}));
  EXPECT_EQ(session.value("SELECT count(*) FROM pg_class WHERE relnamespace = 'pgtrickle_state'::regnamespace AND "
                          "relname ~ '^(node|delta)'"),
            "0");
}

}  // namespace
