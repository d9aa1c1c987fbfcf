// Limits of the compiler through a server: queries that the server accepts and the compiler must not choke on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "support/database.h"
#include "support/process.h"

namespace pgt::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kTooDeep = "nested too deeply: more than 1000 levels; the limit is 256 (compiler.max_nesting)";

std::string repeated(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

class Limits : public ::testing::Test {
 protected:
  Limits() { session_.exec("CREATE TABLE t (id int PRIMARY KEY, b bool); INSERT INTO t VALUES (1, true), (2, NULL)"); }

  /// Creates a stream table while the server may use more stack than usual.
  void create(const std::string& name, const std::string& query) {
    session_.exec("SET max_stack_depth = '7MB'");
    session_.exec("SELECT pgtrickle.create_stream_table(" + session_.quote(name) + ", " + session_.quote(query) + ")");
  }

  TestDatabase db_;
  Session session_{db_.dsn()};
  const std::string casts_ = "SELECT id" + repeated("::text::int", 5000) + " AS id FROM t";
};

TEST_F(Limits, TenThousandLevelsAreAnErrorOfThatStreamTableOnly) {
  create("casts", casts_);
  create("sum", "SELECT id FROM t WHERE id" + repeated(" + 1", 10000) + " > 0");
  create("good", "SELECT count(*) AS n FROM t");
  create("long", "SELECT id FROM t WHERE b" + repeated(" AND b", 10000));
  DaemonProcess daemon(db_.dsn());
  session_.exec("SELECT pgtrickle.wait_until_active('good', '15 s')");
  session_.exec("SELECT pgtrickle.wait_until_active('long', '15 s')");
  EXPECT_EQ(db_.effective_mode("long"), "DIFFERENTIAL") << "long is not deep";
  EXPECT_TRUE(wait_until([&] {
    return session_.value("SELECT count(*) FROM pgtrickle.pgt_stream_tables WHERE status = 'ERROR'") == "2";
  }));
  for (const char* name : {"casts", "sum"})
    EXPECT_THAT(session_.value("SELECT last_error FROM pgtrickle.pgt_stream_tables WHERE pgt_id = " +
                               std::to_string(db_.id_of(name))),
                HasSubstr(kTooDeep));
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(Limits, ValidateSaysThatAQueryIsNestedTooDeeply) {
  const auto result = run_cli({"validate", "--dsn", db_.dsn()}, casts_);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr(kTooDeep), HasSubstr("raise the limit")));
}

TEST_F(Limits, AreThoseOfTheConfiguration) {
  create("deep", "SELECT id" + repeated("::text::int", 150) + " AS id FROM t");
  create("nodes", "SELECT count(*) AS n FROM (SELECT DISTINCT b FROM t) d");
  DaemonProcess daemon(
      DaemonProcess::Options{.dsns = {db_.dsn()}, .config = "compiler: {max_nesting: 400, max_nodes: 1}\n"});
  session_.exec("SELECT pgtrickle.wait_until_active('deep', '15 s')");
  session_.exec("SELECT pgtrickle.wait_until_active('nodes', '15 s')");
  EXPECT_EQ(db_.effective_mode("deep"), "DIFFERENTIAL");
  EXPECT_EQ(db_.effective_mode("nodes"), "FULL");
  session_.exec("INSERT INTO t VALUES (3, false)");
  EXPECT_TRUE(wait_until([&] { return session_.table("TABLE deep ORDER BY 1") == "1\n2\n3"; }));
  EXPECT_TRUE(wait_until([&] { return session_.table("TABLE nodes") == "3"; }));
}

}  // namespace
}  // namespace pgt::test
