// Verification counts every difference, and tells those apart that only another order of adding floats has made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pqxx/pqxx>
#include <string>

#include "support/database.h"

namespace {

using pgt::test::Session;
using pgt::test::TestDatabase;
using ::testing::HasSubstr;

/// What the server said while this object lived.
class Notices : public pqxx::errorhandler {
 public:
  explicit Notices(pqxx::connection& connection) : errorhandler(connection) {}
  bool operator()(char const message[]) noexcept override {
    text_ += message;
    return true;
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

class Verification : public ::testing::Test {
 protected:
  std::string verdict() { return session_.table("SELECT * FROM pgtrickle.verify_stream_table('sums', false)"); }

  TestDatabase db_;
  Session session_{db_.dsn()};
};

TEST_F(Verification, TellsRoundingApart) {
  session_.exec("CREATE TABLE measured (id int PRIMARY KEY, f float8, r real, n int)");
  session_.exec("INSERT INTO measured VALUES (1, 0.3, 0.1, 1), (2, 1, 1, 2), (3, 'NaN', 'Infinity', 3)");
  db_.create_stream_table("sums", "SELECT id, f, r, n FROM measured");
  const Notices notices(session_.connection());
  EXPECT_EQ(verdict(), "0|0");
  EXPECT_EQ(notices.text(), "");
  // as another order of adding gives it
  session_.exec("ALTER TABLE sums DISABLE TRIGGER ALL; UPDATE sums SET f = 0.1::float8 + 0.2 WHERE id = 1");
  EXPECT_EQ(verdict(), "1|1");
  EXPECT_THAT(notices.text(), HasSubstr("2 of the 2 differing rows differ only in the last digits"));
  session_.exec("UPDATE sums SET n = 5 WHERE id = 2");
  EXPECT_EQ(verdict(), "2|2");
  EXPECT_THAT(notices.text(), HasSubstr("2 of the 4 differing rows"));
  session_.exec("UPDATE sums SET f = 1, r = 1 WHERE id = 3");
  EXPECT_EQ(verdict(), "3|3");
  EXPECT_THAT(notices.text(), HasSubstr("2 of the 6 differing rows"));
}

TEST_F(Verification, SaysNothingAboutOtherDifferences) {
  session_.exec("CREATE TABLE measured (id int, f float8); INSERT INTO measured VALUES (1, 1)");
  db_.create_stream_table("sums", "SELECT id, f FROM measured");
  const Notices notices(session_.connection());
  session_.exec("INSERT INTO measured VALUES (1, 1), (2, 1.0001)");
  EXPECT_EQ(verdict(), "2|0");
  EXPECT_EQ(notices.text(), "");
}

}  // namespace
