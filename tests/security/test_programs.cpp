// What an owner gains by programs that he made or changed himself. Nothing checks their text: whatever stands in a
// function of his runs with his rights, no matter who refreshes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "security/world.h"

namespace {

using pgt::test::wait_until;
using pgt::test::World;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class Programs : public World {
 protected:
  Programs() {
    create(bob(), "b.st", "SELECT id, v FROM b.src");
    start_daemon();
    EXPECT_TRUE(becomes("b.st", "ACTIVE")) << column("b.st", "last_error") << daemon_->log();
    id_ = column("b.st", "pgt_id");
  }

  /// Only builds let him create anything there. The cases below are about what he would gain if he could.
  void expect_bob_cannot_create() {
    EXPECT_THAT(refused(bob(), "CREATE FUNCTION pgtrickle_state.apply_x() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
                StartsWith("42501"));
  }
  void create_as_bob(const std::string& statement) {
    const bool done = wait_until([&] {  // a build that ends takes the right back
      root().exec("GRANT CREATE ON SCHEMA pgtrickle_state TO " + bob_);
      return refused(bob(), statement) == "no error";
    });
    EXPECT_TRUE(done) << refused(bob(), statement);
  }

  /// Makes a function of bob's program, or an overload of it, that notes who runs it. `arguments` is an expression that
  /// makes its arguments of those of the program's (`a`).
  void make_noting(const std::string& function, const std::string& arguments) {
    create_as_bob(
        "DO $do$ DECLARE a text; BEGIN"
        "  SELECT pg_get_function_arguments(p.oid) INTO a FROM pg_proc p"
        "  WHERE p.pronamespace = 'pgtrickle_state'::regnamespace AND p.proname = '" +
        function +
        "' ORDER BY p.oid LIMIT 1;"
        "  EXECUTE format('CREATE OR REPLACE FUNCTION pgtrickle_state.%I(%s) LANGUAGE plpgsql SECURITY INVOKER AS %L', '" +
        function + "', " + arguments + ", 'BEGIN PERFORM b.note(''" + function +
        "''); rows_inserted := 0; rows_updated := 0; rows_deleted := 0; END'); END $do$");
  }

  /// What the program has of apply_<id>, by size of what is pending.
  std::vector<std::string> apply_functions() {
    std::vector<std::string> names;
    for (const auto& row : root().exec("SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = "
                                       "'pgtrickle_state'::regnamespace AND proname ~ '^apply_" +
                                       id_ + "(_[a-z]+)?$'")) {
      names.push_back(row[0].as<std::string>());
    }
    EXPECT_FALSE(names.empty());
    return names;
  }

  std::string id_;
};

// Literals of the call were integers where the function has bigints: another function fitted better.
TEST_P(Programs, AnOverloadOfApplyRunsAsItsOwner) {
  expect_bob_cannot_create();
  const std::string apply = "apply_" + id_;
  make_noting(apply, "regexp_replace(a, $p$(?<!OUT )(\\m\\w+ )bigint(?!\\[)$p$, '\\1integer', 'g')");
  ASSERT_EQ(root().value("SELECT count(*) FROM pg_proc WHERE proname = '" + apply + "'"), "2");
  for (const char* mode : {"empty", "full", "go", "differential", "auto"}) {
    bob().exec("INSERT INTO b.src SELECT max(id) + 1, 1 FROM b.src");
    EXPECT_NO_THROW(bob().exec("SELECT * FROM pgtrickle_state.refresh_" + id_ + "('" + mode + "')")) << mode;
  }
  bob().exec("INSERT INTO b.src SELECT max(id) + 1, 1 FROM b.src");
  EXPECT_TRUE(becomes_equal("b.st")) << daemon_->log();
  // Whether it was called at all is a matter of types. If it was, bob did.
  EXPECT_EQ(root().table("SELECT DISTINCT cu FROM b.notes WHERE cu <> '" + bob_ + "'"), "");
  // What the daemon calls is what it would be with the very arguments of apply.
  bob().exec("DELETE FROM b.notes");
  for (const std::string& function : apply_functions()) make_noting(function, "a");
  bob().exec("INSERT INTO b.src SELECT max(id) + 1, 1 FROM b.src");
  EXPECT_TRUE(wait_until([&] { return !who_noted("apply%").empty(); })) << daemon_->log();
  EXPECT_EQ(who_noted(), bob_ + "|" + worker_);
  expect_nothing_gained();
}

// A check of the text of a function was content with a default that has the lines which it looked for.
TEST_P(Programs, AParameterDefaultThatLooksLikeADefinitionFoolsNobody) {
  expect_bob_cannot_create();
  for (const std::string& function : apply_functions()) {
    bob().exec("DELETE FROM b.notes");
    make_noting(
        function,
        "replace(regexp_replace(a, $p$(^|, )(?!OUT )([^,]+)$p$, '\\1\\2 DEFAULT NULL', 'g'), 'mode text DEFAULT "
        "NULL', E'mode text DEFAULT ''\\n RETURNS record\\n LANGUAGE plpgsql\\n SECURITY DEFINER\\n''')");
    EXPECT_EQ(root().value("SELECT prosecdef FROM pg_proc WHERE proname = '" + function + "'"), "f");
    EXPECT_THAT(root().value("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = '" + function + "'"),
                HasSubstr("\n SECURITY DEFINER\n"));
  }
  bob().exec("INSERT INTO b.src VALUES (2, 2)");
  EXPECT_TRUE(wait_until([&] { return !who_noted("apply%").empty(); })) << daemon_->log();
  EXPECT_EQ(who_noted(), bob_ + "|" + worker_);
  expect_nothing_gained();
}

PGT_IN_BOTH_WORLDS(Programs);

}  // namespace
