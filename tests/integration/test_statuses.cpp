// That SQL and the daemon mean the same by a status (daemon/model/status.h). That all changes are listed there is
// checked in every test: support/database.cpp lets PostgreSQL refuse others.
#include <gtest/gtest.h>

#include <set>

#include "model/status.h"
#include "support/database.h"

namespace pgt::test {
namespace {

TEST(StatusesInSql, AreThoseOfTheRegister) {
  TestDatabase db;
  Session session(db.dsn());
  std::set<std::string> ours;
  for (const auto& info : pgtrickle::status_register()) ours.insert(info.name);
  std::set<std::string> theirs;
  const auto rows = session.exec(R"(
SELECT m[1] FROM pg_constraint c, regexp_matches(pg_get_constraintdef(c.oid), '''([A-Z]+)''', 'g') AS m
WHERE c.conrelid = 'pgtrickle.pgt_stream_tables'::regclass AND c.conname = 'pgt_stream_tables_status_check')");
  for (const auto& row : rows) theirs.insert(row[0].c_str());
  EXPECT_EQ(theirs, ours);
}

TEST(StatusesInSql, AChangeThatNoEventMakesIsRefusedInTests) {
  TestDatabase db;
  Session session(db.dsn());
  session.exec("CREATE TABLE src (v int)");
  session.exec("SELECT pgtrickle.create_stream_table('st', 'SELECT v FROM src')");
  EXPECT_EQ(session.value("SELECT status FROM pgtrickle.pgt_stream_tables"),
            pgtrickle::status_after(pgtrickle::StatusEvent::kCreated));
  session.exec("SELECT pgtrickle.pause_stream_table('st')");
  EXPECT_THROW(session.exec("UPDATE pgtrickle.pgt_stream_tables SET status = 'ERROR'"), std::exception);
  session.exec("SELECT pgtrickle.resume_stream_table('st')");
  EXPECT_EQ(session.value("SELECT status FROM pgtrickle.pgt_stream_tables"), "PENDING");
}

}  // namespace
}  // namespace pgt::test
