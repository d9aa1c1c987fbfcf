// Who is trusted, and which role may be that of the worker sessions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "security/world.h"

namespace {

using pgt::test::Session;
using pgt::test::World;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class Trust : public World {
 protected:
  std::string is_trusted(const std::string& role) {
    return root().value("SELECT pgtrickle._is_trusted('" + role + "'::regrole)");
  }
};

TEST_P(Trust, NobodyIsTrustedButTheAdminAndSuperusers) {
  EXPECT_EQ(is_trusted(admin_), "t");
  EXPECT_EQ(is_trusted("postgres"), "t");
  EXPECT_EQ(is_trusted(alice_), "f");
  EXPECT_EQ(is_trusted(carol_), "f");
  EXPECT_EQ(is_trusted(worker_), "f");
}

TEST_P(Trust, IsGivenAndTakenByTheAdmin) {
  admin().exec("SELECT pgtrickle.trust_owner('" + alice_ + "')");
  EXPECT_EQ(is_trusted(alice_), "t");
  EXPECT_EQ(is_trusted(bob_), "f");
  admin().exec("SELECT pgtrickle.distrust_owner('" + alice_ + "')");
  EXPECT_EQ(is_trusted(alice_), "f");
  EXPECT_THAT(refused(admin(), "SELECT pgtrickle.distrust_owner('" + alice_ + "')"), StartsWith("42704"));
  EXPECT_THAT(refused(admin(), "SELECT pgtrickle.trust_owner('nobody_of_this_name')"), StartsWith("42704"));
  admin().exec("SELECT pgtrickle.trust_all_owners(true)");
  EXPECT_EQ(is_trusted(carol_), "t");
  admin().exec("SELECT pgtrickle.trust_all_owners(false)");
  EXPECT_EQ(is_trusted(carol_), "f");
}

TEST_P(Trust, IsNotForOwnersToGive) {
  for (const std::string& call :
       {"trust_owner('" + bob_ + "')", std::string("trust_all_owners(true)"), "distrust_owner('" + alice_ + "')",
        "use_worker_role('" + bob_ + "')", std::string("use_worker_role(NULL)")}) {
    EXPECT_THAT(refused(bob(), "SELECT pgtrickle." + call), StartsWith("42501")) << call;
  }
  for (const std::string& statement :
       {"INSERT INTO pgtrickle.pgt_trusted_owners (role, role_name) VALUES ('" + bob_ + "'::regrole, '" + bob_ + "')",
        std::string("UPDATE pgtrickle.pgt_control SET trusts_all = true"),
        "UPDATE pgtrickle.pgt_control SET worker_role = '" + bob_ + "'"}) {
    EXPECT_THAT(refused(bob(), statement), StartsWith("42501")) << statement;
  }
}

TEST_P(Trust, IsNotInheritedByARoleOfTheSameName) {
  admin().exec("SELECT pgtrickle.trust_owner('" + carol_ + "')");
  root().exec("DROP ROLE " + carol_ + "; CREATE ROLE " + carol_);
  EXPECT_EQ(is_trusted(carol_), "f");
  admin().exec("SELECT pgtrickle.trust_owner('" + carol_ + "')");
  EXPECT_EQ(is_trusted(carol_), "t");
}

TEST_P(Trust, WorkersMustHaveNothingToLose) {
  const auto use = [&](const std::string& role) {
    return refused(admin(), "SELECT pgtrickle.use_worker_role('" + role + "')");
  };
  EXPECT_THAT(use("postgres"), AllOf(StartsWith("0P000"), HasSubstr("SUPERUSER")));
  EXPECT_THAT(use("nobody_of_this_name"), AllOf(StartsWith("0P000"), HasSubstr("does not exist")));
  EXPECT_THAT(use(alice_), AllOf(StartsWith("0P000"), HasSubstr("owns")));
  for (const char* attribute : {"CREATEROLE", "BYPASSRLS", "REPLICATION", "CREATEDB"}) {
    root().exec("ALTER ROLE " + carol_ + " " + attribute);
    EXPECT_THAT(use(carol_), AllOf(StartsWith("0P000"), HasSubstr(attribute)));
    root().exec("ALTER ROLE " + carol_ + " NO" + attribute);
  }
  root().exec("GRANT " + alice_ + " TO " + carol_);
  EXPECT_THAT(use(carol_), AllOf(StartsWith("0P000"), HasSubstr("is a member of"), HasSubstr(alice_)));
  root().exec("REVOKE " + alice_ + " FROM " + carol_);
  EXPECT_EQ(use(carol_), "no error");
  EXPECT_EQ(root().value("SELECT worker_role FROM pgtrickle.pgt_control"), carol_);
  EXPECT_EQ(root().value("SELECT has_function_privilege('" + carol_ +
                         "', 'pgtrickle._enter_unit()', 'EXECUTE') AND NOT "
                         "has_function_privilege('" +
                         worker_ + "', 'pgtrickle._enter_unit()', 'EXECUTE')"),
            "t");
  admin().exec("SELECT pgtrickle.use_worker_role(NULL)");
  EXPECT_EQ(root().value("SELECT has_function_privilege('" + carol_ + "', 'pgtrickle._enter_unit()', 'EXECUTE')"), "f");
}

PGT_IN_BOTH_WORLDS(Trust);

}  // namespace
