// Verifying where nothing can be written: on a hot standby.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/cluster.h"
#include "support/database.h"
#include "support/process.h"
#include "support/roles.h"
#include "support/standby.h"

namespace pgt::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(VerifyOnAStandby, OwnersCompareOthersAreTold) {
  Roles roles;
  const std::string alice = roles.create("alice");
  TestDatabase db;
  Session session(db.dsn());
  session.exec("GRANT ALL ON SCHEMA public TO " + alice + "; CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)");
  session.exec("GRANT SELECT ON t TO " + alice);
  for (const std::string name : {"good", "late", "wrong"}) {
    db.create_stream_table(name, "SELECT a FROM t");
    session.exec("ALTER TABLE " + name + " OWNER TO " + alice);
    session.exec("SELECT pgtrickle.alter_stream_table('" + name + "', status => 'ACTIVE')");
    session.exec("UPDATE pgtrickle.pgt_stream_tables SET needs_reinit = true WHERE pgt_name = '" + name + "'");
    db.build(name);
  }
  session.exec("ALTER TABLE wrong DISABLE TRIGGER ALL; DELETE FROM wrong WHERE a = 1");
  session.exec("INSERT INTO t VALUES (3)");
  session.exec("CALL pgtrickle.refresh('good')");
  session.exec("CALL pgtrickle.refresh('wrong')");
  const Standby standby;

  const auto owner = run_cli({"verify", "--dsn", standby.dsn(db.name(), alice)});
  EXPECT_EQ(owner.exit_code, 1) << owner.out << owner.err;
  EXPECT_THAT(owner.out, AllOf(HasSubstr("public.good: equals its query"),
                               HasSubstr("public.late: not checked: it differs from its query (1 rows missing, 0 rows "
                                         "too many), but changes are pending, and a standby cannot apply them"),
                               HasSubstr("public.wrong: differs from its query: 1 rows missing, 0 rows too many")));
  const auto other = run_cli({"verify", "good", "--dsn", standby.dsn(db.name(), "postgres")});
  EXPECT_EQ(other.exit_code, 3) << other.out << other.err;
  EXPECT_THAT(other.out,
              AllOf(HasSubstr("good: not checked: "), HasSubstr("by its owner only"), HasSubstr("Connect as role")));
  const auto status = run_cli({"status", "--dsn", standby.dsn(db.name(), alice)});
  EXPECT_EQ(status.exit_code, 0) << status.err;

  Session there(standby.dsn(db.name(), alice));
  EXPECT_EQ(there.table("SELECT * FROM pgtrickle.verify_stream_table('good', false)"), "0|0");
  try {
    there.exec("SELECT * FROM pgtrickle.verify_stream_table('good')");
    FAIL() << "nothing can be refreshed there";
  } catch (const pqxx::sql_error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("cannot be refreshed on a standby"), HasSubstr("refresh => false")));
  }
}

}  // namespace
}  // namespace pgt::test
