// Joins and subqueries whose "=" compares two types, for every pair of types that PostgreSQL compares: with an operator
// of their own (pg_operator) or by a cast. What is equal across types need not be to either of them: tricky values,
// each deleted alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>
#include <string>
#include <vector>

#include "support/database.h"
#include "support/oracle.h"

namespace pgt::test {
namespace {

struct TypeValues {
  const char* type;
  std::vector<const char*> values;
};

const std::vector<TypeValues>& types() {
  static const std::vector<TypeValues> kTypes{
      {"smallint", {"0", "1", "2"}},
      {"integer", {"0", "1", "16777216", "16777217"}},
      {"bigint", {"1", "16777217", "9007199254740992", "9007199254740993"}},
      {"real", {"-0", "1", "16777216", "0.1", "NaN"}},
      {"double precision", {"0", "1", "9007199254740992", "0.1", "0.10000000149011612"}},
      {"numeric", {"0.0", "1", "1.000000000000000000001", "0.1", "9007199254740993"}},
      {"oid", {"1", "1259", "16777217"}},
      {"regclass", {"1", "1259"}},
      {"xid", {"1", "2"}},
      {"name", {"a", "A", "ab", "a "}},
      {"text", {"a", "A", "a ", "1"}},
      {"character varying(5)", {"a", "a ", "b"}},
      {"character(3)", {"a", "A", "b"}},
      {"bpchar", {"a", "a  ", "b "}},
      {"\"char\"", {"a", "A"}},
      {"date", {"2011-12-30", "2011-12-31", "2024-01-01"}},
      {"timestamp", {"2011-12-30 12:00", "2011-12-31 12:00", "2011-12-31", "2024-01-01"}},
      {"timestamptz", {"2011-12-31 12:00", "2011-12-31", "2024-01-01"}},
      {"time", {"00:00", "02:00", "24:00"}},
      {"timetz", {"02:00+13", "02:00+00", "00:00+13"}},
      {"interval", {"0", "2 hours", "1 day", "24 hours"}},
      {"cidr", {"10.0.0.0/8", "10.0.0.1/32"}},
      {"inet", {"10.0.0.0/8", "10.0.0.1", "10.0.0.1/8"}},
      {"bit(3)", {"101", "100"}},
      {"varbit", {"101", "10"}},
  };
  return kTypes;
}

bool accepted(Session& s, const std::string& sql) {
  try {
    s.exec(sql);
    return true;
  } catch (const pqxx::sql_error&) {
    return false;
  }
}

/// With days that never were, PostgreSQL itself says "mergejoin input data is out of order".
bool can_be_merged(const TypeValues& left, const TypeValues& right) {
  const std::string zoned = "timestamptz";
  return left.type != zoned && right.type != zoned;
}

void make_table(Session& s, const std::string& name, const TypeValues& type) {
  s.exec("CREATE TABLE " + name + " (v " + type.type + " NOT NULL, id int PRIMARY KEY)");
  for (std::size_t i = 0; i < type.values.size(); ++i)
    s.exec("INSERT INTO " + name + " VALUES ('" + type.values[i] + "', " + std::to_string(i) + ")");
}

void compare(TestDatabase& db, Session& s, const TypeValues& left, const TypeValues& right) {
  SCOPED_TRACE(std::string(left.type) + " = " + right.type);
  make_table(s, "l", left);
  make_table(s, "r", right);
  std::vector<std::string> queries{"SELECT * FROM l WHERE l.v IN (SELECT r.v FROM r)"};
  if (can_be_merged(left, right)) {
    queries.emplace_back("SELECT r.id FROM r WHERE NOT EXISTS (SELECT FROM l WHERE l.v = r.v AND l.id >= 0)");
    queries.emplace_back("SELECT * FROM r WHERE r.v NOT IN (SELECT l.v FROM l)");
  }
  const std::string full = "SELECT l.v AS l, r.id AS r FROM l FULL JOIN r ON l.v = r.v";
  queries.push_back(can_be_merged(left, right) && accepted(s, full) ? full
                                                                    : "SELECT r.v FROM r LEFT JOIN l ON l.v = r.v");
  std::vector<std::string> names;
  for (const auto& query : queries) {
    if (!accepted(s, query)) continue;  // a value that the type it is compared as does not have
    names.push_back("st" + std::to_string(names.size()));
    db.create_stream_table(names.back(), query, "DIFFERENTIAL");
  }
  auto step = [&](const std::string& sql) {
    SCOPED_TRACE(sql);
    s.exec(sql);
    for (const auto& name : names) {
      db.refresh(name);
      EXPECT_TRUE(equals_query(s, name));
    }
  };
  for (std::size_t i = 0; i < right.values.size(); ++i) step("DELETE FROM r WHERE id = " + std::to_string(i));
  std::string again = "INSERT INTO r VALUES ";
  for (std::size_t i = 0; i < right.values.size(); ++i)
    again += (i == 0 ? "('" : ", ('") + std::string(right.values[i]) + "', " + std::to_string(i) + ")";
  step(again + "; DELETE FROM l WHERE id = 0");
  for (const auto& name : names) s.exec("SELECT pgtrickle.drop_stream_table('" + name + "')");
  s.exec("DROP TABLE l, r");
}

TEST(EqualityAcrossTypes, EveryPairOfTypes) {
  TestDatabase db;
  // There a day never was: 2011-12-30 12:00 and 2011-12-31 12:00 are one timestamptz.
  Session(db.dsn()).exec("ALTER DATABASE " + db.name() + " SET TimeZone = 'Pacific/Apia'");
  Session s(db.dsn());
  int pairs = 0;
  for (auto left = types().begin(); left != types().end(); ++left) {
    for (auto right = std::next(left); right != types().end(); ++right) {
      if (!accepted(s, "SELECT NULL::" + std::string(left->type) + " = NULL::" + right->type)) continue;
      compare(db, s, *left, *right);
      ++pairs;
    }
  }
  EXPECT_GE(pairs, 40);
}

TEST(EqualityAcrossTypes, NoPairOfTheServerIsLeftOut) {
  TestDatabase db;
  Session s(db.dsn());
  std::string list;
  for (const auto& type : types()) list += (list.empty() ? "'" : ", '") + std::string(type.type) + "'::regtype";
  EXPECT_EQ(s.table("SELECT o.oid::regoperator FROM pg_operator o WHERE o.oprname = '=' AND o.oprleft <> o.oprright\n"
                    "AND NOT (o.oprleft IN (" +
                    list + ") AND o.oprright IN (" + list + "))"),
            "");
}

}  // namespace
}  // namespace pgt::test
