// The SQL builder prints what it was given: short statements on one line, longer ones a clause per line, nested ones
// below the place where they begin, and text inside quotes never touched.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "compiler/sql/change.h"
#include "compiler/sql/query.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {
namespace {

const std::string kLong(60, 'x');

TEST(SqlBuilder, AShortStatementStandsOnOneLine) {
  EXPECT_EQ(Select({"t.id"}).item("count(*)", "n").from("orders", "t").where("t.price > 5").group_by({"t.id"}).sql(),
            "SELECT t.id, count(*) AS n FROM orders t WHERE t.price > 5 GROUP BY t.id");
}

TEST(SqlBuilder, ALongOneHasALinePerClause) {
  EXPECT_EQ(Select({kLong}).from("orders", "t").where("t.price > 5").order_by({"t.id", "t.price"}).limit("3").sql(),
            "SELECT " + kLong + "\nFROM orders t\nWHERE t.price > 5\nORDER BY t.id, t.price\nLIMIT 3");
}

TEST(SqlBuilder, AListThatIsTooLongIsBrokenBetweenItsItems) {
  EXPECT_EQ(Select({kLong, "a", kLong, "b"}).sql(), "SELECT " + kLong + ", a,\n       " + kLong + ", b");
}

TEST(SqlBuilder, ConditionsStandBelowEachOther) {
  EXPECT_EQ(Select({"1"}).from("t", {}).where({kLong, kLong, std::string("c")}).sql(),
            "SELECT 1\nFROM t\nWHERE " + kLong + "\n  AND " + kLong + "\n  AND c");
}

TEST(SqlBuilder, WhatIsEmptyIsLeftOut) {
  EXPECT_EQ(Select().sql(), "SELECT");
  EXPECT_EQ(Select().from("t", "x").where(std::vector<std::string>{}).group_by({}).order_by({}).sql(),
            "SELECT FROM t x");
  EXPECT_EQ(Delete("t").sql(), "DELETE FROM t");
  EXPECT_EQ(Insert("t", {}, Select().from("u", {})).sql(), "INSERT INTO t SELECT FROM u");
  EXPECT_EQ(conjunction({}), "true");
  EXPECT_EQ(Select({"1"}).from("a", "a").join("LEFT JOIN", "b", "b", {}).sql(),
            "SELECT 1 FROM a a LEFT JOIN b b ON true");
}

TEST(SqlBuilder, ANestedQueryContinuesBelowItsBeginning) {
  const Select inner = Select({kLong}).from("t", "t").where("t.x > 1");
  EXPECT_EQ(Select({"i.a"}).from(inner, "i").where("i.a > 2").sql(),
            "SELECT i.a\n"
            "FROM (SELECT " +
                kLong +
                "\n"
                "      FROM t t\n"
                "      WHERE t.x > 1) i\n"
                "WHERE i.a > 2");
  EXPECT_EQ(Select().from("t", {}).where({std::string("a"), exists(inner)}).sql(),
            "SELECT\n"
            "FROM t\n"
            "WHERE a\n"
            "  AND EXISTS (SELECT " +
                kLong +
                "\n"
                "              FROM t t\n"
                "              WHERE t.x > 1)");
}

TEST(SqlBuilder, LineBreaksInsideQuotesStayAsTheyAre) {
  const Select inner = Select({"'a\nb' || \"c\nd\""}).from(Select({kLong}).from("t", "t"), "x");
  EXPECT_EQ(Select({"1"}).from(inner, "i").sql(),
            "SELECT 1\n"
            "FROM (SELECT 'a\nb' || \"c\nd\"\n"
            "      FROM (SELECT " +
                kLong + " FROM t t) x) i");
}

TEST(SqlBuilder, AQuoteInACommentIsNone) {
  EXPECT_EQ(indent("-- it's\nSELECT 'a\nb',\n'c'", 2), "-- it's\n  SELECT 'a\nb',\n  'c'");
  EXPECT_EQ(indent("SELECT '-- a\nb',\n1 -- \"\n+ 1", 2), "SELECT '-- a\nb',\n  1 -- \"\n  + 1");
}

TEST(SqlBuilder, AFromItemKnowsWhetherItIsAQuery) {
  const FromItem name("public.orders");
  const FromItem query(Select({"1"}));
  EXPECT_FALSE(name.is_query());
  EXPECT_TRUE(query.is_query());
  EXPECT_EQ(name.sql(), "public.orders");
  EXPECT_EQ(query.sql(), "(SELECT 1)");
  EXPECT_EQ(name.query().sql(), "SELECT * FROM public.orders");
  EXPECT_EQ(query.query().sql(), "SELECT 1");
  EXPECT_THROW(FromItem("(SELECT 1)"), std::logic_error);
}

TEST(SqlBuilder, RelationsStandBesideEachOtherAndAreJoined) {
  EXPECT_EQ(Select({"1"})
                .from("a", "a")
                .from(FromItem::values({"1, 2", "3, 4"}), "v", {"x", "y"})
                .join("LEFT JOIN", "b", "b", {"a.x = b.x", "a.y = b.y"})
                .sql(),
            "SELECT 1\n"
            "FROM a a, (VALUES (1, 2), (3, 4)) v (x, y)\n"
            "LEFT JOIN b b ON a.x = b.x AND a.y = b.y");
  EXPECT_EQ(Select({"1"}).from("a", "a").join("LEFT JOIN", "b", "b", {kLong, kLong}).sql(),
            "SELECT 1\nFROM a a\nLEFT JOIN b b\n          ON " + kLong + "\n          AND " + kLong);
  EXPECT_EQ(Select({"1"}).from("a", "a").cross_join_lateral("generate_series(1, a.n)").sql(),
            "SELECT 1 FROM a a CROSS JOIN LATERAL generate_series(1, a.n)");
  // The comma binds less than JOIN: it would change what was joined before.
  EXPECT_THROW(Select().from("a", "a").join("LEFT JOIN", "b", "b", {}).from("c", "c"), std::logic_error);
}

TEST(SqlBuilder, AnArmThatIsOrderedStandsInParentheses) {
  const Select plain = Select({"1"});
  const Select limited = Select({"2"}).limit("1");
  EXPECT_EQ(union_all({plain, limited}).sql(), "SELECT 1\nUNION ALL\n(SELECT 2 LIMIT 1)");
  EXPECT_EQ(union_all({limited}).sql(), "SELECT 2 LIMIT 1");
  EXPECT_THROW(union_all({}), std::logic_error);
}

TEST(SqlBuilder, Changes) {
  EXPECT_EQ(Delete("t", "t").using_rows("k", "n").where(std::vector<std::string>{"t.a = n.a"}).returning("1").sql(),
            "DELETE FROM t t USING k n WHERE t.a = n.a RETURNING 1");
  EXPECT_EQ(Update("s", "s").set("a", "m.a").set("b", "m.b").from("m", "m").where("s.k = m.k").sql(),
            "UPDATE s s SET a = m.a, b = m.b FROM m m WHERE s.k = m.k");
  EXPECT_EQ(Insert("t", {"a"}, Select({"n.a"}).from("n", "n"))
                .as("t")
                .on_conflict("t_key", {"a = excluded.a"}, {"t.a <> excluded.a"})
                .returning("true")
                .sql(),
            "INSERT INTO t AS t (a)\n"
            "SELECT n.a FROM n n\n"
            "ON CONFLICT ON CONSTRAINT t_key DO UPDATE SET a = excluded.a\n"
            "WHERE t.a <> excluded.a\n"
            "RETURNING true");
  EXPECT_EQ(Insert("t", {"a"}, Select({"1"})).on_conflict("t_key", {}, {}).sql(),
            "INSERT INTO t (a) SELECT 1 ON CONFLICT ON CONSTRAINT t_key DO NOTHING");
}

TEST(SqlBuilder, TablesOfAStatementHaveACommentAndANameOfTheirOwn) {
  const SourceNumbers none;
  Statement statement(none);
  EXPECT_EQ(statement.sql(Select({"1"})), "SELECT 1");
  EXPECT_EQ(statement.with("d", "first", Select({"1"})), "d");
  EXPECT_EQ(statement.with("d", "second\nline", Delete("t")), "d__2");
  EXPECT_EQ(statement.with_name("User", "third", Select({"2"})), "\"user\"");
  EXPECT_EQ(statement.with_shared(Select({"3"}), "s", "fourth"), "s");
  EXPECT_EQ(statement.with_shared(Select({"3"}), "s", "fourth"), "s");
  EXPECT_EQ(statement.with_name_of("d", "e", "not needed"), "d");
  EXPECT_EQ(statement.sql(Select({"1"}).into({"v.a"})),
            "WITH\n"
            "-- first\nd AS MATERIALIZED (\n  SELECT 1),\n"
            "-- second line\nd__2 AS (\n  DELETE FROM t),\n"
            "-- third\n\"user\" AS NOT MATERIALIZED (\n  SELECT 2),\n"
            "-- fourth\ns AS MATERIALIZED (\n  SELECT 3)\n"
            "SELECT 1 INTO v.a");
}

TEST(SqlBuilder, NamesAreQuotedWhereTheServerWould) {
  EXPECT_EQ(Select(prefixed({quote_ident("a b"), quote_ident("ok"), quote_ident("select")}, "t."))
                .from(qualified("My", "t\"x"), "t")
                .sql(),
            "SELECT t.\"a b\", t.ok, t.\"select\" FROM \"My\".\"t\"\"x\" t");
}

}  // namespace
}  // namespace pgtrickle::compiler
