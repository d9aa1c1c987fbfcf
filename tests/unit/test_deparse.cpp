// Tree -> text: what is written must be the same expression again, whatever libpg_query's deparser makes of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "compiler/error.h"
#include "compiler/parse/ast.h"

namespace pgtrickle::compiler {
namespace {

using ::testing::HasSubstr;

Node expr_of(const std::string& sql) {
  return parse_select("SELECT " + sql).target_list(0).res_target().val();
}

std::vector<std::string> conditions() {
  return {"a OR b",
          "a AND b",
          "NOT a",
          "a = 6 OR b IS DISTINCT FROM c",
          "a IS NOT DISTINCT FROM b",
          "a BETWEEN b AND c",
          "a NOT BETWEEN SYMMETRIC b AND c",
          "a IN (1, 2)",
          "a NOT IN (b, c)",
          "a LIKE b",
          "a NOT LIKE b ESCAPE c",
          "a ILIKE 'x'",
          "a SIMILAR TO b",
          "a NOT SIMILAR TO b ESCAPE '!'",
          "a = b",
          "a <> b",
          "a < b",
          "a >= b",
          "a OPERATOR(pg_catalog.=) b",
          "a || b",
          "a ~ b",
          "a = ANY (b)",
          "a <> ALL (ARRAY[1, 2])",
          "a IS NULL",
          "a IS NOT NULL",
          "a IS TRUE",
          "a IS NOT UNKNOWN",
          "a + b",
          "- a",
          "a::boolean",
          "a COLLATE \"C\" = b",
          "EXISTS (SELECT 1 FROM t)",
          "a IN (SELECT x FROM t)",
          "CASE WHEN a THEN b END",
          "(a, b) = (c, d)",
          "(a, b) IS NULL",
          "a IS DOCUMENT",
          "a AT TIME ZONE b = c",
          "(a, b) OVERLAPS (c, d)",
          "a IS NFC NORMALIZED",
          "a OR b AND NOT c OR d",
          "(a OR b) AND (c OR d)"};
}

bool is_sql(const std::string& expr) {
  try {
    expr_of(expr);
    return true;
  } catch (const Unsupported&) {
    return false;
  }
}

/// parse -> text -> parse, for an expression whose columns are parameters, are qualified, and are in a query.
void expect_exact(const std::string& sql) {
  SCOPED_TRACE(sql);
  ASSERT_TRUE(is_sql(sql));
  const Node expr = expr_of(sql);
  ASSERT_NO_THROW({
    const std::string text = deparse_expr(expr);
    EXPECT_TRUE(equal(expr_of(text), expr)) << text;

    int number = 0;
    Node numbered = expr;
    rewrite(numbered, [&](Node& node) {
      if (!node.has_column_ref() || node.column_ref().fields_size() != 1 || node.column_ref().fields(0).has_a_star())
        return false;
      node = column(number++);
      return true;
    });
    const std::string written = deparse_expr(numbered);
    EXPECT_TRUE(equal(expr_of(written), numbered)) << written;
    const std::string over =
        deparse_over(numbered, [&](int index) { return "\"t\"\"$1.\"\"\".\"c" + std::to_string(index) + " $2\""; });
    const Node expected =
        map_columns(numbered, [](int index) { return column_ref("t\"$1.\"", "c" + std::to_string(index) + " $2"); });
    EXPECT_TRUE(equal(expr_of(over), expected)) << over;
    const std::string qualified_text = deparse_expr(expected);
    EXPECT_TRUE(equal(expr_of(qualified_text), expected)) << qualified_text;

    const auto select = parse_select("SELECT " + sql + " AS x, 1 FROM t JOIN s ON (" + sql + ") WHERE ((" + sql +
                                     ")) IS UNKNOWN GROUP BY (" + sql + ") HAVING NOT (" + sql + ") ORDER BY (" + sql +
                                     ") DESC NULLS LAST");
    const std::string select_text = deparse_select(select);
    EXPECT_EQ(parse_select(select_text).SerializeAsString(), select.SerializeAsString()) << select_text;
  });
}

TEST(Deparse, TestsAndOperatorsOverConditions) {
  std::set<std::string> no_sql;
  for (const auto& condition : conditions()) {
    expect_exact(condition);
    for (const char* test : {"TRUE", "NOT TRUE", "FALSE", "NOT FALSE", "UNKNOWN", "NOT UNKNOWN", "NULL", "NOT NULL",
                             "DISTINCT FROM x", "NOT DISTINCT FROM x", "DOCUMENT", "NOT DOCUMENT", "NORMALIZED"})
      expect_exact(std::string("(").append(condition).append(") IS ").append(test));
    for (const char* form :
         {"NOT (%)",
          "NOT NOT (%)",
          "NOT (NOT (%)) IS TRUE",
          "- (%)",
          "+ (%)",
          "@ (%)",
          "(%)::text",
          "CAST((%) AS int4)",
          "(%) COLLATE \"x y\"",
          "(%) AT TIME ZONE 'UTC'",
          "x AT TIME ZONE (%)",
          "(%) BETWEEN x AND y",
          "x BETWEEN (%) AND (%)",
          "x NOT BETWEEN SYMMETRIC (%) AND y",
          "(%) IN (x, y)",
          "x IN ((%), y)",
          "x NOT IN ((%))",
          "(%) LIKE x",
          "x LIKE (%)",
          "x LIKE y ESCAPE (%)",
          "(%) NOT ILIKE x ESCAPE '!'",
          "(%) SIMILAR TO x",
          "x SIMILAR TO (%)",
          "x NOT SIMILAR TO y ESCAPE (%)",
          "(%) = x",
          "x = (%)",
          "(%) <> (%)",
          "(%) < x",
          "x OPERATOR(s.+) (%)",
          "(%) OPERATOR(s.+) x",
          "OPERATOR(s.-) (%)",
          "(%) || x || (%)",
          "x - (%) - y",
          "x - (y - (%))",
          "(%) AND x",
          "x OR (%)",
          "(x OR (%)) AND ((%) OR y)",
          "(%) = ANY (x)",
          "x = ANY (%)",
          "x < ALL (ARRAY[(%), y])",
          "((%)).f",
          "((%)).f.g",
          "((%)).*",
          "((%))[1]",
          "((%))[1:2]",
          "x[(%)]",
          "x[(%):(%)]",
          "x[:(%)]",
          "x[(%):]",
          "ROW((%), x)",
          "((%), x)",
          "(x, (%)) < (y, z)",
          "ROW((%))",
          "ARRAY[(%), x]",
          "ARRAY[[(%)], [x]]",
          "CASE (%) WHEN (%) THEN (%) ELSE (%) END",
          "CASE WHEN (%) THEN x END",
          "COALESCE((%), x)",
          "GREATEST(x, (%))",
          "NULLIF((%), (%))",
          "f((%), x)",
          "f(x => (%))",
          "f(VARIADIC (%))",
          "f(DISTINCT (%))",
          "f(x ORDER BY (%) DESC)",
          "f((%)) FILTER (WHERE (%))",
          "f(x) WITHIN GROUP (ORDER BY (%) NULLS FIRST)",
          "f((%)) OVER (PARTITION BY (%) ORDER BY (%))",
          "sum(x) OVER (ROWS BETWEEN (%) PRECEDING AND (%) FOLLOWING)",
          "extract(year FROM (%))",
          "overlay((%) PLACING (%) FROM (%) FOR (%))",
          "position((%) IN (%))",
          "trim(BOTH (%) FROM (%))",
          "substring((%) FROM (%) FOR (%))",
          "substring((%) SIMILAR (%) ESCAPE (%))",
          "normalize((%), NFD)",
          "((%), x) OVERLAPS (y, (%))",
          "COLLATION FOR ((%))",
          "xmlelement(NAME a, xmlattributes((%) AS b), (%))",
          "xmlforest((%) AS a)",
          "xmlconcat((%), x)",
          "xmlparse(DOCUMENT (%))",
          "xmlpi(NAME a, (%))",
          "xmlroot((%), VERSION NO VALUE, STANDALONE YES)",
          "xmlserialize(CONTENT (%) AS text)",
          "xmlexists((%) PASSING (%))",
          "EXISTS (SELECT (%) FROM t WHERE (%) IS UNKNOWN)",
          "(SELECT (%))",
          "(%) IN (SELECT x FROM t WHERE ((%)) IS UNKNOWN)",
          "x = ANY (SELECT (%))",
          "ARRAY(SELECT (%) ORDER BY (%))",
          "(x, (%)) <> ALL (SELECT y, (%))",
          "(%) OPERATOR(s.~) ANY (SELECT 1)",
          "(SELECT x FROM f((%)) WITH ORDINALITY AS g(a, b), LATERAL (SELECT (%)) q JOIN s ON (%))",
          "(SELECT x FROM t ORDER BY (%) LIMIT (%) OFFSET (%))",
          "(VALUES ((%), 1), (2, (%)))",
          "(WITH c AS (SELECT (%)) SELECT 1 UNION ALL (SELECT (%) INTERSECT SELECT 3))",
          "(SELECT x FROM ROWS FROM (f((%)), g(y) AS (a int, b text)) h)",
          "(SELECT count(*) FROM t GROUP BY GROUPING SETS (((%), x), ROLLUP (y, (%)), CUBE (x), ()))",
          "(SELECT DISTINCT ON ((%)) x FROM t TABLESAMPLE s((%)) REPEATABLE ((%)))",
          "(SELECT sum(x) OVER w FROM t WINDOW w AS (ORDER BY (%)))",
          "(SELECT x FROM t ORDER BY y FETCH FIRST (%) ROWS WITH TIES)",
          "(SELECT x.* FROM xmltable('/r' PASSING (%) COLUMNS a int PATH 'a' DEFAULT (%), b FOR ORDINALITY) x)"}) {
      std::string sql = form;
      for (std::size_t at = sql.find('%'); at != std::string::npos; at = sql.find('%', at + condition.size()))
        sql.replace(at, 1, condition);
      if (is_sql(sql))
        expect_exact(sql);
      else
        no_sql.insert(form);
    }
  }
  EXPECT_THAT(no_sql, ::testing::IsEmpty());
}

TEST(Deparse, ConstantsAndNames) {
  for (const char* sql :
       {"-1",
        "- (-1)",
        "-(-(1))",
        "- a",
        "- - a",
        "-1::int",
        "(-1)::int",
        "-(1::int)",
        "(-32768)::smallint",
        "- 9223372036854775808",
        "(-9223372036854775808)::int8",
        "-1.5",
        "(-1.5)::numeric(5,2)",
        "a - -1",
        "a - (-1)",
        "a + -1.5",
        "-1 ^ 2",
        "(-1) ^ 2",
        "-(1 ^ 2)",
        "(-1) COLLATE x",
        "(-1)[1]",
        "2 - -1 - -2",
        "a * -1",
        "-a * -1",
        "(- a)::int",
        "-(a::int)",
        "+1",
        "+ a",
        "- + a",
        "@ -1",
        "~ (-1)",
        "1e10",
        "1.",
        ".5",
        "0",
        "0.0",
        "2147483647",
        "2147483648",
        "-2147483648",
        "99999999999999999999",
        "NULL",
        "TRUE",
        "FALSE",
        "NULL::text",
        "'$1'",
        "'a $2 b'",
        "'it''s $1'",
        "E'\\\\ $1 \\n'",
        "E'\\'$1\\''",
        "'\"$0\".\"1\"'",
        "'$0' || '$1' || a",
        "U&'\\0041$1'",
        "B'1010'",
        "X'1F'",
        "B''",
        "'x'::\"char\"",
        "\"a$1\"",
        "\"$1\"",
        "\"a\"\"b $2\"",
        "\"$0\".\"1\"",
        "\"$0\".\"1\" + a + '$1'",
        "\"select\"",
        "\"Select\".\"From\"",
        "\"é\" || 'ü $1'",
        "a.b.c",
        "a.b.c.d",
        "t.*",
        "(a.b).c",
        "(a).b",
        "(a.b)[1]",
        "a[1][2]",
        "a[1:2][3:4]",
        "(a[1]).b",
        "((a).b)[1].c",
        "(f(x)).y",
        "(f(x))[2]",
        "f(x)::int",
        "interval '1 day'",
        "interval '1' day",
        "interval(3) '1 day'",
        "interval '1-2' year to month",
        "interval '1' second(3)",
        "a::interval hour to minute",
        "date '2020-01-01'",
        "timestamp '2020-01-01'",
        "timestamp(3) with time zone '2020-01-01'",
        "time with time zone '10:00'",
        "a::timestamp(2)",
        "a::time(0)",
        "a::numeric(10,2)",
        "a::numeric(5,-2)",
        "a::varchar(5)",
        "a::char(3)",
        "a::bpchar",
        "a::\"char\"",
        "a::bit(4)",
        "a::bit varying(4)",
        "a::int[]",
        "a::int[3][]",
        "a::s.t",
        "a::s.t[]",
        "a::\"S\".\"T x\"",
        "a::float(20)",
        "a::double precision",
        "a::real",
        "a::s.t(1, 2)",
        "a::t%TYPE",
        "s.t '1'",
        "float8 '1'",
        "int4 '1' + 2",
        "'1'::int::text",
        "(a::int)::text",
        "(a + b)::int",
        "(a || b)::text COLLATE \"C\"",
        "a COLLATE s.\"x\"",
        "CURRENT_DATE",
        "CURRENT_TIME(2)",
        "LOCALTIMESTAMP(0)",
        "CURRENT_USER",
        "CURRENT_CATALOG",
        "CURRENT_SCHEMA",
        "current_date - 1",
        "extract(epoch FROM a - b)",
        "extract('year' FROM a)",
        "extract(\"x y\" FROM a)",
        "date_part('year', a)",
        "pg_catalog.extract('year', a)",
        "position(a IN b)",
        "pg_catalog.position(a, b)",
        "substring(a FROM 2)",
        "substring(a FOR 2)",
        "substring(a, 2)",
        "pg_catalog.substring(a, 2)",
        "overlay(a PLACING b FROM 3)",
        "overlay(a, b, 3)",
        "trim(a)",
        "trim(LEADING a)",
        "trim(TRAILING 'x' FROM a)",
        "btrim(a)",
        "pg_catalog.btrim(a, b)",
        "pg_catalog.timezone(a, b)",
        "timezone(a, b)",
        "normalize(a)",
        "normalize(a, NFKC)",
        "a IS NOT NFKD NORMALIZED",
        "treat(a AS int)",
        "pg_catalog.similar_to_escape(a, b)",
        "a ~ pg_catalog.similar_to_escape(b)",
        "a LIKE pg_catalog.like_escape(b, c)",
        "pg_catalog.\"overlaps\"(a, b, c, d)",
        "pg_catalog.xmlexists(a, b)",
        "count(*)",
        "count(DISTINCT a)",
        "s.f()",
        "\"S\".\"F\"(a)",
        "f(a, VARIADIC b)",
        "f(a, b => c)",
        "f(a, b := c + 1)",
        "array_agg(a ORDER BY b USING OPERATOR(s.<), c USING > NULLS FIRST)",
        "string_agg(DISTINCT a, ',' ORDER BY a) FILTER (WHERE b OR c)",
        "percentile_cont(0.5) WITHIN GROUP (ORDER BY a DESC)",
        "mode() WITHIN GROUP (ORDER BY a)",
        "f(a) WITHIN GROUP (ORDER BY VARIADIC_)",
        "rank() OVER (PARTITION BY a ORDER BY b DESC)",
        "rank() OVER w",
        "rank() OVER (w ORDER BY a)",
        "sum(a) OVER ()",
        "sum(a) FILTER (WHERE b) OVER (ORDER BY c)",
        "sum(a) OVER (ORDER BY b RANGE BETWEEN '1 day'::interval PRECEDING AND CURRENT ROW EXCLUDE TIES)",
        "sum(a) OVER (GROUPS UNBOUNDED PRECEDING)",
        "sum(a) OVER (ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)",
        "ARRAY[]::int[]",
        "ARRAY[[1,2],[3,4]]",
        "ARRAY[ARRAY[1], ARRAY[2]]",
        "ROW()",
        "ROW(1)",
        "(1, 2)",
        "ROW(t.*)",
        "(a, b) IN ((1, 2), (3, 4))",
        "ROW(1, 2) = ROW(3, 4)",
        "(ROW(1, 2)).f1",
        "((1, 2)).f1",
        "(t.*) IS NULL",
        "a ->> 'x' = 'y'",
        "a -> 'b' ->> 'c'",
        "a #>> '{a,b}'",
        "a @> b",
        "a ? 'x'",
        "a !~~* b",
        "a <-> b < 3",
        "a OPERATOR(pg_catalog.+) b OPERATOR(pg_catalog.*) c",
        "(a OPERATOR(s.+) b) * c",
        "a + (b OPERATOR(s.*) c)",
        "a % b",
        "a % -b",
        "a ^ b ^ c",
        "a ^ (b ^ c)",
        "a / b / c",
        "a / (b / c)",
        "a = b IS TRUE",
        "a = (b IS TRUE)",
        "(a = b) = c",
        "a = (b = c)",
        "(a < b) = (c < d)",
        "NOT a = b",
        "(NOT a) = b",
        "NOT a IS NULL",
        "(NOT a) IS NULL",
        "NOT (a AND b)",
        "(NOT a) AND b",
        "NOT NOT NOT a",
        "a IS NULL IS NULL",
        "a IS NULL = b",
        "(a IS NULL) IS NOT TRUE",
        "a IN (b, c) = d",
        "(a IN (b)) IN (c)",
        "a LIKE b || c",
        "(a LIKE b) || c",
        "(a BETWEEN 1 AND 2) BETWEEN b AND c",
        "a BETWEEN 1 AND (2 + 3)",
        "a BETWEEN 1 AND (b AND c)",
        "(a COLLATE \"C\") < b",
        "(a AT TIME ZONE 'x') AT TIME ZONE 'y'",
        "a AT TIME ZONE INTERVAL '1' HOUR",
        "a + b AT TIME ZONE c",
        "(a + b) AT TIME ZONE c",
        "-a AT TIME ZONE b",
        "CASE WHEN CASE WHEN a THEN b END THEN c END",
        "CASE a WHEN 1 THEN 2 WHEN 3 THEN 4 END",
        "(CASE WHEN a THEN b END).f",
        "(CASE WHEN a THEN b END)[1]",
        "CASE WHEN a THEN b END::int",
        "(SELECT 1)",
        "(SELECT a)[1]",
        "(SELECT a).f",
        "(SELECT a)::int",
        "(SELECT 1) + (SELECT 2)",
        "(SELECT 1) IN (SELECT 2)",
        "NOT EXISTS (SELECT 1)",
        "a NOT IN (SELECT 1)",
        "a = SOME (SELECT 1)",
        "a LIKE ANY (ARRAY['x', 'y'])",
        "a NOT LIKE ALL (b)",
        "a LIKE ANY (SELECT b)",
        "a ILIKE ALL (b)",
        "(ARRAY(SELECT a))[1:2]",
        "(ARRAY(SELECT a))[1]",
        "GROUPING(a, b)",
        "xmlcomment(a)",
        "xmlelement(NAME \"A b\")",
        "xmlforest(a, b AS \"C\")",
        "xmlagg(xmlelement(NAME x, a) ORDER BY b)",
        "xmlserialize(DOCUMENT a AS varchar(10))",
        "merge_action(a)",
        "(SELECT a FROM ONLY t)",
        "(SELECT a FROM s.t AS x(a, b), LATERAL f(x.a) AS g(c int))",
        "(SELECT a FROM t NATURAL LEFT JOIN s)",
        "(SELECT a FROM (t JOIN s USING (a, b)) AS j)",
        "(SELECT a FROM t CROSS JOIN s FULL JOIN r ON true)",
        "(SELECT FROM t)",
        "(SELECT a FROM t FOR UPDATE)",
        "(SELECT a FROM t JOIN s USING (a) AS u)",
        "(TABLE t)",
        "(WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT n FROM r) SELECT n FROM r)",
        "(WITH c AS MATERIALIZED (SELECT 1) TABLE c)",
        "(SELECT 1 EXCEPT (SELECT 2 UNION SELECT 3))",
        "((SELECT 1 UNION SELECT 2) INTERSECT SELECT 3)",
        "((SELECT 1 ORDER BY 1 LIMIT 1) UNION ALL SELECT 2 LIMIT 3)",
        "(SELECT a FROM t GROUP BY DISTINCT a, ROLLUP (b))",
        "(SELECT a AS \"x y\" FROM t ORDER BY 1 DESC, a USING <)"})
    expect_exact(sql);
}

TEST(Deparse, ParenthesesThatLibpgQueryLoses) {
  EXPECT_EQ(deparse_expr(expr_of("(a = 6 OR b IS DISTINCT FROM c) IS UNKNOWN")),
            "((a = 6) OR (b IS DISTINCT FROM c)) IS UNKNOWN");
}

TEST(Deparse, TreesThatOnlySubstitutionMakes) {
  const auto with = [](const char* sql, const char* operand) {
    return deparse_expr(map_columns(expr_of(sql), [&](int) { return expr_of(operand); }));
  };
  EXPECT_EQ(with("- $1", "5"), "-5");
  EXPECT_EQ(with("$1 AND c", "a AND b"), "a AND b AND c") << "one AND of three to the parser";
  EXPECT_TRUE(equal(expr_of(with("c AND $1", "a AND b")), expr_of("c AND (a AND b)")));
  EXPECT_TRUE(equal(expr_of(with("$1.f", "t.c")), expr_of("(t.c).f"))) << "not schema t, table c";
  EXPECT_TRUE(equal(expr_of(with("$1[1]", "t.c")), expr_of("t.c[1]")));
  EXPECT_TRUE(equal(expr_of(with("$1[1]", "a || b")), expr_of("(a || b)[1]")));
  EXPECT_TRUE(equal(expr_of(with("$1::int", "-1")), expr_of("(-1)::int")));
  EXPECT_TRUE(equal(expr_of(with("NOT $1", "a OR b")), expr_of("NOT (a OR b)")));
}

TEST(Deparse, WhatCannotBeWrittenIsUnsupported) {
  Node broken = expr_of("a + b");
  broken.mutable_a_expr()->mutable_name(0)->mutable_string()->set_sval("+ 1 +");
  EXPECT_THROW(deparse_expr(broken), Unsupported);
  Node minus = expr_of("- a");
  *minus.mutable_a_expr()->mutable_rexpr() = expr_of("9223372036854775808");
  EXPECT_THROW(deparse_expr(minus), Unsupported) << "a numeric that became negative is not a bigint";
  EXPECT_THROW(deparse_expr(expr_of("xmlparse(CONTENT a PRESERVE WHITESPACE)")), Unsupported) << "it is left out";
  auto select = parse_select("SELECT 1 FROM t WHERE x");
  *select.mutable_where_clause() = minus;
  EXPECT_THROW(deparse_select(select), Unsupported);
}

TEST(Deparse, TemplatesAreFilledPerAlias) {
  const Node expr = expr_of("($1 = 6 OR $2 IS DISTINCT FROM '$1') IS UNKNOWN");
  for (const char* alias : {"a", "b"})
    EXPECT_EQ(deparse_over(expr, [&](int index) { return std::string(alias) + ".c" + std::to_string(index); }),
              "((" + std::string(alias) + ".c0 = 6) OR (" + alias + ".c1 IS DISTINCT FROM '$1')) IS UNKNOWN");
}

TEST(Deparse, ManyExpressionsAndManyThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([] {
      for (int i = 0; i < 2000; ++i) {
        const std::string text = "$1 + " + std::to_string(i) + " + '" + std::string(1000, 'x') + "'";
        EXPECT_EQ(deparse_expr(expr_of(text)), "($1 + " + std::to_string(i) + ") + '" + std::string(1000, 'x') + "'");
      }
    });
  for (auto& thread : threads) thread.join();
}

TEST(Deparse, FragmentsOfLongLiteralsAreCut) {
  const auto of = [](const std::string& sql) { return fragment(parse_expr(sql)); };
  EXPECT_EQ(of("$1 + f($23, '$')"), "... + f(..., '$')");
  EXPECT_LT(of("f('$" + std::string(1000000, '1') + "')").size(), 200U);
  EXPECT_LT(of("f('" + std::string(1000000, '$') + "')").size(), 200U);
}

TEST(Deparse, FragmentsNeverThrow) {
  Node broken = expr_of("a + b");
  broken.mutable_a_expr()->mutable_name(0)->mutable_string()->set_sval("+ 1 +");
  EXPECT_NO_THROW(fragment(broken));
  EXPECT_THAT(fragment(expr_of("a + 1")), HasSubstr("a + 1"));
}

}  // namespace
}  // namespace pgtrickle::compiler
