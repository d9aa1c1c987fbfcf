// What an owner gains, and a writer loses, by a program that runs in the writer's statement: the program has the rights
// of the owner of the stream table. Policies count as they are for the role that reads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "security/world.h"

namespace {

using pgt::test::Admin;
using pgt::test::equals_query;
using pgt::test::Session;
using pgt::test::sqlstate_and_text;
using pgt::test::wait_until;
using pgt::test::World;
using ::testing::StartsWith;

class ImmediateOfOthers : public World {
 protected:
  void create_immediate(Session& owner, const std::string& name, const std::string& query) {
    owner.exec("SELECT pgtrickle.create_stream_table('" + name + "', " + owner.quote(query) +
               ", refresh_mode => 'IMMEDIATE')");
    if (!daemon_) start_daemon();
    ASSERT_TRUE(becomes(name, "ACTIVE")) << column(name, "last_error") << daemon_->log();
    ASSERT_EQ(column(name, "effective_refresh_mode"), "IMMEDIATE");
  }

  void expect_equal(const std::string& name, const std::string& after) {
    EXPECT_TRUE(equals_query(root(), name)) << after;
  }
};

// The function says that it is IMMUTABLE, and calls one that is not.
TEST_P(ImmediateOfOthers, AFunctionInTheQueryRunsAsItsOwner) {
  bob().exec(
      "CREATE FUNCTION b.sly(v int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM b.note('query'); RETURN "
      "v; END $$");
  alice().exec("GRANT USAGE ON SCHEMA a TO " + bob_ + "; GRANT SELECT, TRIGGER ON a.orders TO " + bob_);
  create_immediate(bob(), "b.rows_of", "SELECT id, b.sly(amount) AS amount FROM a.orders");
  create_immediate(bob(), "b.sums_of", "SELECT id % 3 AS g, sum(b.sly(amount)) AS total FROM a.orders GROUP BY id % 3");
  root().exec("DELETE FROM b.notes");
  std::set<std::string> sessions;
  for (Session* writer : {&alice(), &admin(), &root()}) {
    for (const char* statement :
         {"INSERT INTO a.orders SELECT max(id) + 1, 5 FROM a.orders",
          "UPDATE a.orders SET amount = amount + 1 WHERE id < 4",
          "INSERT INTO a.orders SELECT max(id) + i, i FROM a.orders, generate_series(1, 300) i GROUP BY i",
          "DELETE FROM a.orders WHERE id > 25"}) {
      // The admin who is an ordinary role has no rights on it: he writes as alice, of whom he is a member.
      writer->exec("BEGIN; SET LOCAL ROLE " + alice_ + "; " + statement + "; COMMIT");
      EXPECT_EQ(root().value("SELECT string_agg(DISTINCT cu, ',') FROM b.notes"), bob_) << statement;
      sessions.insert(root().value("SELECT string_agg(DISTINCT su, ',') FROM b.notes"));
      // To compare, root executes the query as well.
      expect_equal("b.rows_of", statement);
      expect_equal("b.sums_of", statement);
      root().exec("DELETE FROM b.notes");
    }
  }
  EXPECT_GT(sessions.size(), 1U) << "it ran in sessions of writers";
  expect_nothing_gained();
}

// Nobody but its owner, and who is granted that, may write to the stream table or call what keeps it.
TEST_P(ImmediateOfOthers, AWriterHasNoRightsOnIt) {
  create_immediate(alice(), "a.sums", "SELECT id % 3 AS g, sum(amount) AS total FROM a.orders GROUP BY id % 3");
  create_immediate(alice(), "a.most", "SELECT id % 3 AS g, max(amount) AS most FROM a.orders GROUP BY id % 3");
  const std::string added = column("a.sums", "pgt_id");
  const std::string id = column("a.most", "pgt_id");
  alice().exec("GRANT USAGE ON SCHEMA a TO " + carol_ + "; GRANT INSERT, SELECT ON a.orders TO " + carol_);
  Session carol(dsn_of_role(carol_));
  carol.exec("INSERT INTO a.orders VALUES (100, 7)");
  expect_equal("a.sums", "an INSERT of carol");
  for (const auto& statement : std::vector<std::string>{
           "SELECT * FROM a.sums", "UPDATE a.sums SET total = 0",
           "UPDATE pgtrickle_state.node_" + added + "_1 SET n = 1",
           "INSERT INTO pgtrickle_state.changes_" + added + "_1 (w) VALUES (0)",
           "CREATE TEMP TABLE mine (a int); CREATE TRIGGER t AFTER TRUNCATE ON mine EXECUTE FUNCTION "
           "pgtrickle_state.changed_" +
               added + "_1()",
           "UPDATE pgtrickle_state.places_" + id + " SET running = 1", "DELETE FROM pgtrickle_state.node_" + id + "_1",
           "SELECT pgtrickle_state.settle_" + id + "(true)",
           "DO $$ BEGIN PERFORM pgtrickle_state.maintain_" + id + "(NULL); END $$",
           "CREATE TEMP TABLE mine (a int); CREATE TRIGGER t BEFORE INSERT ON mine EXECUTE FUNCTION "
           "pgtrickle_state.enter_" +
               id + "()"})
    EXPECT_THAT(refused(carol, statement), StartsWith("42501")) << statement;
  expect_equal("a.sums", "what carol tried");
}

// What a query names can be closed to its owner. His program stops with the command that does it, or soon after it
// where there are no event triggers; it does not make writers fail.
TEST_P(ImmediateOfOthers, WritersGoOnWhenItsOwnerLosesRights) {
  alice().exec(
      "CREATE TABLE a.kinds (id int PRIMARY KEY, label text); INSERT INTO a.kinds SELECT i, 'k' || i % 3 FROM "
      "generate_series(1, 20) i;"
      "CREATE FUNCTION a.twice(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 2 * $1; END';"
      "GRANT USAGE ON SCHEMA a TO " +
      bob_ + "; GRANT SELECT, TRIGGER ON a.orders, a.kinds TO " + bob_);
  create_immediate(bob(), "b.doubled", "SELECT id, a.twice(amount) AS amount FROM a.orders");
  create_immediate(bob(), "b.most",
                   "SELECT k.label, max(o.amount) AS most FROM a.orders o JOIN a.kinds k USING (id) GROUP BY k.label");
  const std::string usage = "USAGE ON SCHEMA a";
  for (const std::string& right :
       {usage, std::string("EXECUTE ON FUNCTION a.twice(int)"), std::string("UPDATE ON b.doubled, b.most")}) {
    if (GetParam() == Admin::kOrdinaryRole && right != usage) continue;  // each takes seconds there
    Session& grantor = right.find(" b.") == std::string::npos ? alice() : bob();
    const std::string whom = right.find("FUNCTION") == std::string::npos ? bob_ : "PUBLIC";
    grantor.exec("REVOKE " + right + " FROM " + whom);
    const auto goes_on = [&] {
      Session writer(dsn_of_role(alice_));  // whose plans are not made yet
      return sqlstate_and_text([&] {
               writer.exec(
                   "INSERT INTO a.orders SELECT max(id) + 1, 5 FROM a.orders; UPDATE a.orders SET amount = "
                   "amount + 1 WHERE id < 4; UPDATE a.kinds SET label = label WHERE id = 1");
             }) == "no error";
    };
    EXPECT_TRUE(GetParam() == Admin::kSuperuser ? goes_on() : wait_until(goes_on)) << right;
    grantor.exec("GRANT " + right + " TO " + whom);
    for (const char* name : {"b.doubled", "b.most"}) {
      EXPECT_TRUE(wait_until([&] { return column(name, "status = 'ACTIVE' AND NOT needs_reinit") == "t"; }))
          << right << ": " << column(name, "last_error");
      expect_equal(name, right);
    }
  }
}

TEST_P(ImmediateOfOthers, PoliciesAreThoseOfWhoReads) {
  alice().exec("GRANT USAGE ON SCHEMA a TO " + carol_ + "; GRANT SELECT, INSERT, UPDATE, DELETE ON a.orders TO " +
               carol_ + "; ALTER TABLE a.orders ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON a.orders TO " + carol_ +
               " USING (amount < 10)");
  create_immediate(alice(), "a.sums", "SELECT amount % 2 AS g, sum(amount) AS total FROM a.orders GROUP BY amount % 2");
  create_immediate(alice(), "a.big", "SELECT id, amount FROM a.orders WHERE amount > 5");
  alice().exec("ALTER TABLE a.big ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON a.big TO " + carol_ +
               " USING (id < 8); GRANT SELECT ON a.big TO " + carol_);
  Session carol(dsn_of_role(carol_));
  for (const char* statement :
       {"INSERT INTO a.orders VALUES (100, 7), (101, 8)", "UPDATE a.orders SET amount = 9 - amount",
        "DELETE FROM a.orders WHERE amount % 3 = 0"}) {
    carol.exec(statement);
    EXPECT_EQ(carol.value("SELECT count(*) FROM a.orders WHERE amount >= 10"), "0");
    EXPECT_EQ(carol.value("SELECT count(*) FROM a.big WHERE id >= 8"), "0") << "its own policy filters who reads it";
    EXPECT_EQ(column("a.sums", "effective_refresh_mode"), "IMMEDIATE");
    expect_equal("a.sums", statement);
    expect_equal("a.big", statement);
  }
  EXPECT_EQ(root().value("SELECT count(*) > 0 FROM a.big WHERE id >= 8"), "t");
}

PGT_IN_BOTH_WORLDS(ImmediateOfOthers);

}  // namespace
