// The compiler, pass by pass, on a hand-written catalog: no server. What the generated SQL does is tested by executing
// it (tests/sql, tests/property); here is what only the structure shows: which mode and reason, keys, nodes, gates,
// pruning.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "compiler/analyze/analyzer.h"
#include "compiler/compile.h"
#include "compiler/parse/ast.h"
#include "compiler/parse/factor_or.h"
#include "compiler/passes/push_filters.h"
#include "compiler/plan/cut.h"
#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TypeInfo type(std::uint32_t oid, const char* name, bool fixed = true) {
  TypeInfo info;
  info.oid = info.base_oid = oid;
  info.name = name;
  info.fixed_width = fixed;
  return info;
}
TypeInfo int4() {
  return type(23, "integer");
}
TypeInfo text() {
  return type(25, "text", false);
}
TypeInfo numeric() {
  auto info = type(1700, "numeric", false);
  info.identity = false;
  return info;
}
TypeInfo timestamptz() {
  return type(1184, "timestamp with time zone");
}
TypeInfo json() {
  auto info = type(114, "json", false);
  info.equatable = info.hashable = false;
  info.image = "$1::text COLLATE \"C\"";
  return info;
}

/// Every expression is an integer, unless its text says otherwise.
class FakeTypes : public TypeOracle {
 public:
  std::vector<TypeInfo> column_types(const std::string& select) override {
    const auto parsed = parse_select(select);
    std::vector<TypeInfo> types;
    for (const auto& target : parsed.target_list()) types.push_back(type_of(fragment(target.res_target().val())));
    return types;
  }
  static TypeInfo type_of(const std::string& expression) {
    if (expression.find("price") != std::string::npos) return numeric();
    return expression.find("_now()") == std::string::npos ? int4() : timestamptz();
  }
  std::pair<TypeInfo, TypeInfo> compared_as(const TypeInfo& left, const TypeInfo& right) override {
    return {left, right};
  }
};

class CompilerTest : public ::testing::Test {
 protected:
  CompilerTest() {
    add_table(1001, "customers",
              {{"id", int4(), true}, {"name", text(), false}, {"region", int4(), false}, {"doc", json(), false}},
              {{1}});
    add_table(1002, "orders",
              {{"id", int4(), true},
               {"customer", int4(), true},
               {"product", int4(), false},
               {"price", numeric(), false},
               {"w", int4(), false}},
              {{1}});
    add_table(1003, "products", {{"id", int4(), true}, {"name", text(), true}}, {{1}});
    add_table(1005, "visits", {{"customer", int4(), true}, {"at", timestamptz(), false}}, {});
    add_table(1004, "log", {{"what", text(), false}}, {});
    for (const char* name : {"count", "sum", "min", "max", "avg", "string_agg", "bool_and"})
      for (const int args : {0, 1, 2}) catalog_.functions[{"", name, args}] = {true, false, false, 'i', true};
    catalog_.functions[{"", "upper", 1}] = {};
    catalog_.functions[{"", "random", 0}] = {false, false, false, 'v', true};
    catalog_.functions[{"", "now", 0}] = {false, false, false, 's', true};
    catalog_.functions[{"", "to_char", 2}] = {false, false, false, 's', true};
    catalog_.functions[{"public", "lookup", 1}] = {false, false, false, 's', false};
    catalog_.functions[{"", "generate_series", 2}] = {false, false, true, 'i', true};
  }

  struct ColumnSpec {
    const char* name;
    TypeInfo type;
    bool not_null;
  };
  void add_table(std::uint32_t relid, const char* name, const std::vector<ColumnSpec>& columns,
                 std::vector<std::vector<std::int16_t>> keys) {
    Source source;
    source.relid = relid;
    source.schema = "public";
    source.name = name;
    for (const auto& spec : columns) {
      SourceColumn col;
      col.attnum = static_cast<std::int16_t>(source.columns.size() + 1);
      col.name = spec.name;
      col.type = spec.type;
      col.not_null = spec.not_null;
      source.columns.push_back(col);
    }
    source.unique_keys = std::move(keys);
    catalog_.sources[{"public", name}] = std::move(source);
  }

  Program compile_query(const std::string& query, std::size_t columns = 1, bool full = false, Limits limits = {},
                        bool immediate = false) {
    CompileRequest request;
    request.immediate = immediate;
    request.limits = limits;
    request.id = 7;
    request.query = query;
    request.schema = "public";
    request.name = "st";
    request.owner = "alice";
    request.admin = "admin";
    request.force_full = full;
    for (std::size_t i = 0; i < columns; ++i)
      request.columns.push_back({"c" + std::to_string(i + 1), int4(), "integer"});
    request.log_ids = {{1001, 1}, {1002, 2}, {1003, 3}, {1004, 4}, {1005, 5}};
    FakeTypes types;
    return compile(request, catalog_, types);
  }

  OperatorPtr analyzed(const std::string& query) {
    FakeTypes types;
    auto root = analyze(parse_select(query), catalog_).root;
    root->resolve_types(types);
    push_filters(root);
    std::set<int> all;
    for (std::size_t i = 0; i < root->columns().size(); ++i) all.insert(static_cast<int>(i));
    root->prune(all);
    return root;
  }

  static std::string apply_text(const Program& program) {
    for (const auto& ddl : program.owner_ddl)
      if (ddl.find("FUNCTION pgtrickle_state.apply_7(") != std::string::npos) return ddl;
    return {};
  }

  Catalog catalog_;
};

// parse
// -------------------------------------------------------------------------------------------------------------------

TEST(Ast, EqualExpressionsAreEqualWhereverTheyStand) {
  const auto a = parse_select("SELECT (x + 1) * 2 FROM t").target_list(0).res_target().val();
  const auto b = parse_select("SELECT    y,   (x  +  1)*2 FROM t").target_list(1).res_target().val();
  EXPECT_TRUE(equal(a, b));
}

TEST(Ast, SubstitutionKeepsPrecedence) {
  auto expr = parse_select("SELECT $1 * 2 - $2").target_list(0).res_target().val();
  const auto sum = parse_select("SELECT a + b").target_list(0).res_target().val();
  expr = map_columns(expr, [&](int) { return Node(sum); });
  EXPECT_EQ(deparse_expr(expr), "((a + b) * 2) - (a + b)");
}

TEST(Ast, ConjunctsAreFoundThroughNestedAnds) {
  std::vector<Node> parts;
  split_conjuncts(parse_select("SELECT a AND (b AND (c OR d))").target_list(0).res_target().val(), parts);
  EXPECT_EQ(parts.size(), 3U);
}

TEST(Ast, SyntaxErrorIsNoCrash) {
  EXPECT_THROW(parse_select("SELECT FROM WHERE"), Unsupported);
}

// text
// --------------------------------------------------------------------------------------------------------------------

TEST(SqlText, QuotesAsTheServerDoes) {
  EXPECT_EQ(quote_ident("plain_1"), "plain_1");
  EXPECT_EQ(quote_ident("Select"), "\"Select\"");
  EXPECT_EQ(quote_ident("select"), "\"select\"");
  EXPECT_EQ(quote_ident("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(quote_ident("ünï"), "\"ünï\"");
  EXPECT_EQ(quote_literal("it's"), "'it''s'");
  EXPECT_EQ(quote_literal("a\\b"), "E'a\\\\b'");
}

TEST(SqlText, IndentationLeavesLiteralsAlone) {
  EXPECT_EQ(indent("a\nb = 'x\ny''\nz' AND \"q\nr\"\nc", 2), "a\n  b = 'x\ny''\nz' AND \"q\nr\"\n  c");
}

TEST(SqlText, UniqueNamesStayWithin63Bytes) {
  const std::string longest(63, 'x');
  const auto names = unique_names({longest, longest, "w", "a", "a"});
  EXPECT_THAT(names, ElementsAre(longest, std::string(61, 'x') + "_1", "w_1", "a", "a_1"));
  const std::string wide = std::string(61, 'x') + "ü";  // a suffix must not cut the last character in two
  EXPECT_THAT(unique_names({wide, wide}), ElementsAre(wide, std::string(61, 'x') + "_1"));
}

TEST(Rows, TypesWithoutEqualityTakePartThroughTheirText) {
  EXPECT_EQ(row_hash({"a", "j"}, {int4(), json()}, "t."), "hash_record_extended(ROW(t.a, t.j::text COLLATE \"C\"), 0)");
  EXPECT_THAT(consolidate({"j"}, {json()}, "d").sql(), HasSubstr("GROUP BY x.j::text"));
}

TEST(Rows, EqualButNotIdenticalValuesAreKeptApart) {
  EXPECT_THAT(consolidate({"p"}, {numeric()}, "d").sql(), HasSubstr("GROUP BY x.p, x.p::text"));
}

// analyze
// -----------------------------------------------------------------------------------------------------------------

TEST_F(CompilerTest, UnsupportedConstructsNameTheReason) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"SELECT l.id FROM public.customers c, LATERAL (SELECT q.id FROM (SELECT o.id, o.price FROM public.orders o WHERE "
       "o.customer = c.id ORDER BY o.price LIMIT 1) q) l",
       "LATERAL"},
      {"SELECT now() FROM public.customers", "current time"},
      {"SELECT CURRENT_DATE FROM public.customers", "current time"},
      {"SELECT CURRENT_USER FROM public.customers", "session"},
      {"SELECT random() FROM public.customers", "VOLATILE"},
      {"SELECT public.lookup(customers.id) FROM public.customers", "STABLE"},
      {"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT DISTINCT r.n FROM r) SELECT c.id FROM public.customers c, "
       "r",
       "follow each one"},
  };
  for (const auto& [query, reason] : cases) {
    const auto program = compile_query(query);
    EXPECT_FALSE(program.differential) << query;
    EXPECT_THAT(program.reason, HasSubstr(reason)) << query;
    EXPECT_THAT(apply_text(program), HasSubstr("FROM (" + query)) << "recomputes the query as written";
  }
}

TEST_F(CompilerTest, RowsThatCrossAreARangeBetweenTwoTimes) {
  const auto program = compile_query(
      "SELECT v.customer FROM public.visits v JOIN public.customers c ON c.id = v.customer WHERE v.at > (now() - '1 "
      "day'::interval)");
  ASSERT_TRUE(program.differential) << program.reason;
  EXPECT_TRUE(program.follows_time);
  EXPECT_FALSE(program.non_monotone.empty()) << "rows go when time passes";
  const auto filter = program.plan.find("Temporal filter i.at > (now() - '1 day'::interval)");
  EXPECT_NE(filter, std::string::npos) << program.plan;
  EXPECT_LT(program.plan.find("Join of 2"), filter) << "below the join: only rows of one input cross";
  EXPECT_THAT(program.plan, HasSubstr("CREATE INDEX ON public.visits (at);"));
  const auto text = apply_text(program);
  EXPECT_THAT(text, HasSubstr("time_changed CONSTANT boolean := ($5 & 4) <> 0"));
  EXPECT_THAT(text, HasSubstr("i.at > least("));
  EXPECT_THAT(text, HasSubstr("i.at <= greatest("));
  EXPECT_THAT(text, Not(HasSubstr(" now()"))) << "time has one source";
}

TEST_F(CompilerTest, EachComparisonWithTheTimeHasTheRangeOfItsOperator) {
  const auto range = [&](const std::string& condition) {
    return apply_text(compile_query("SELECT v.customer FROM public.visits v WHERE " + condition));
  };
  for (const char* condition : {"v.at < now()", "now() > v.at", "v.at >= now()"}) {
    EXPECT_THAT(range(condition), HasSubstr("i.at >= least(")) << condition;
    EXPECT_THAT(range(condition), HasSubstr("i.at < greatest(")) << condition;
  }
  for (const char* condition : {"v.at > now()", "v.at <= now()", "now() >= v.at"}) {
    EXPECT_THAT(range(condition), HasSubstr("i.at > least(")) << condition;
    EXPECT_THAT(range(condition), HasSubstr("i.at <= greatest(")) << condition;
  }
  EXPECT_THAT(range("v.at = now()"), HasSubstr("i.at >= least("));
  EXPECT_THAT(range("v.at = now()"), HasSubstr("i.at <= greatest("));
}

TEST_F(CompilerTest, TimeWhereItCannotBeFollowedIsRecomputed) {
  for (
      const char* query :
      {"SELECT v.customer FROM public.visits v WHERE (now() - v.at) > '1 day'::interval",
       "SELECT v.customer FROM public.visits v WHERE now() > '2000-01-01 00:00:00+00'::timestamptz",
       "SELECT v.customer FROM public.visits v WHERE v.at < clock_timestamp()",
       "SELECT v.customer FROM public.visits v WHERE v.customer > (now() - '1 day'::interval)",
       "SELECT count(*) FILTER (WHERE v.at < now()) AS n FROM public.visits v",
       "SELECT c.id FROM public.customers c LEFT JOIN public.visits v ON v.customer = c.id AND c.id > 1 AND v.at < now() "
       "AND (c.id > 5 OR v.at < now())"}) {
    const auto program = compile_query(query);
    EXPECT_FALSE(program.differential) << query;
    EXPECT_FALSE(program.follows_time) << query;
    EXPECT_THAT(program.reason, HasSubstr("current time")) << query;
  }
}

TEST_F(CompilerTest, NoStatementOfAWriterTellsThatTimePasses) {
  const auto program = compile_query("SELECT v.customer FROM public.visits v WHERE v.at > now()", 1, false, {}, true);
  EXPECT_FALSE(program.differential);
  EXPECT_THAT(program.reason, HasSubstr("IMMEDIATE"));
  EXPECT_THAT(program.hint, HasSubstr("DIFFERENTIAL"));
}

TEST_F(CompilerTest, SomeQueriesAreRejectedInEveryMode) {
  for (const char* query :
       {"SELECT customers.id FROM public.customers LIMIT 3", "SELECT customers.id FROM public.customers FOR UPDATE",
        "SELECT customers.id FROM public.customers TABLESAMPLE system (10)",
        "SELECT q.id FROM (SELECT customers.id FROM public.customers OFFSET 3) q",
        "WITH d AS (DELETE FROM public.log RETURNING 1 AS x) SELECT d.x FROM d"}) {
    EXPECT_THROW(compile_query(query), Rejected) << query;
    EXPECT_THROW(compile_query(query, 1, true), Rejected) << query;
  }
  EXPECT_TRUE(compile_query("SELECT customers.id FROM public.customers LIMIT NULL").differential);
}

TEST_F(CompilerTest, SettingDependentFunctionsAreAllowed) {
  EXPECT_TRUE(compile_query("SELECT to_char(orders.price, '9.9'::text) FROM public.orders").differential);
}

TEST_F(CompilerTest, RowSecurityAndMissingRightsMeanFull) {
  catalog_.sources[{"public", "log"}].row_security = true;
  EXPECT_THAT(compile_query("SELECT log.what FROM public.log").reason, HasSubstr("row-level security"));
  catalog_.sources[{"public", "customers"}].columns[1].owner_may_select = false;
  EXPECT_THAT(compile_query("SELECT customers.name FROM public.customers").reason,
              HasSubstr("may not SELECT column \"name\""));
  EXPECT_TRUE(compile_query("SELECT customers.id FROM public.customers").differential) << "the column is not read";
}

TEST_F(CompilerTest, NamesFollowSqlScoping) {
  EXPECT_TRUE(
      compile_query("SELECT q.b FROM (SELECT orders.id AS a, orders.w AS b FROM public.orders) q").differential);
  EXPECT_TRUE(compile_query("SELECT x.second FROM public.orders x(first, second)").differential);
  EXPECT_TRUE(compile_query("WITH s(k) AS (SELECT orders.id FROM public.orders) SELECT s.k FROM s").differential);
  EXPECT_TRUE(compile_query("SELECT j.id FROM (public.orders o JOIN public.products p USING (id)) j").differential);
  EXPECT_THAT(compile_query("SELECT id FROM public.orders, public.products").reason, HasSubstr("ambiguous"));
  EXPECT_THAT(compile_query("SELECT orders.ctid FROM public.orders").reason, HasSubstr("cannot be resolved"));
  EXPECT_THAT(compile_query("SELECT q.* IS NULL FROM (SELECT orders.id FROM public.orders) q").reason,
              HasSubstr("whole-row"));
}

TEST_F(CompilerTest, DeepNestingIsAnErrorNotACrash) {
  std::string query = "SELECT orders.id FROM public.orders";
  for (int i = 0; i < 300; ++i) query = "SELECT q.id FROM (" + query + ") q";
  EXPECT_THROW(compile_query(query), Rejected);
}

TEST_F(CompilerTest, NestingIsLimitedBeforeAnythingRecurses) {
  const auto chain = [](int levels, const std::string& begin, const std::string& step, const std::string& middle,
                        const std::string& end) {
    std::string query = "SELECT o.id FROM public.orders o WHERE " + begin;
    for (int i = 0; i < levels; ++i) query += step;
    query += middle;
    for (int i = 0; i < levels; ++i) query += end;
    return query + " IS NOT NULL";
  };
  struct Form {
    const char *begin, *step, *middle, *end;
  };
  for (const auto& form :
       std::vector<Form>{{"1", " + o.id", "", ""},
                         {"", "(", "o.id", " + 1)"},
                         {"", "NOT ", "o.id = 1", ""},
                         {"", "- ", "o.id", ""},
                         {"o.id", "::integer", "", ""},
                         {"", "upper(", "o.id", ")"},
                         {"", "CASE WHEN o.w = 1 THEN ", "o.id", " END"},
                         {"", "CASE ", "o.id", " WHEN 1 THEN 2 END"},
                         {"", "(o.w = 1 AND ", "o.id = 1", ")"},
                         {"", "(o.w = 1 AND (o.w = 2 OR NOT ", "o.id = 1", "))"},
                         {"", "o.w BETWEEN 1 AND (", "o.id", ")"},
                         {"", "NOT NOT NOT o.w BETWEEN 1 AND (", "o.id", ")"},
                         {"", "(SELECT ", "o.id", ")"},
                         {"", "ARRAY[", "o.id", "]"},
                         {"", "(ROW(1, ", "o.id", ")).f2"},
                         {"", "(", "o.id", ")[1]"},
                         {"", "o.id[", "o.id", "]"},
                         {"", "1 IN (2, ", "o.id", ")"},
                         {"", "f(x => 1, y => ", "o.id", ")"},
                         {"", "EXISTS (SELECT 1 WHERE ", "o.id = 1", ")"},
                         {"", "(SELECT 1 FROM (VALUES (", "o.id", ")) v)"},
                         {"EXISTS (SELECT 1", " UNION ALL SELECT 1", ")", ""},
                         {"EXISTS (SELECT 1 FROM public.log", " CROSS JOIN public.log", ")", ""},
                         {"EXISTS (SELECT 1 FROM public.log", " CROSS JOIN (public.log", ")", ")"}}) {
    for (const int levels : {1500, 10000}) {
      SCOPED_TRACE(form.step + std::string(" ") + std::to_string(levels));
      const auto query = chain(levels, form.begin, form.step, form.middle, form.end);
      try {
        compile_query(query);
        ADD_FAILURE() << "accepted";
      } catch (const Rejected& e) {
        EXPECT_THAT(e.what(), HasSubstr("nested too deeply: more than 1000 levels; the limit is 256 "
                                        "(compiler.max_nesting)"));
        EXPECT_THAT(e.hint(), HasSubstr("raise the limit"));
      }
      EXPECT_THROW(references(query), Rejected);
    }
    // As deep as the largest limit allows: whatever the compiler says, it says it.
    Limits largest;
    largest.nesting = kLargestMaxNesting;
    for (const int levels : {200, 400, 900}) try {
        compile_query(chain(levels, form.begin, form.step, form.middle, form.end), 1, false, largest);
      } catch (const Rejected& e) {
        EXPECT_THAT(e.what(), HasSubstr("nested too deeply")) << form.step << levels;
      }
  }
  EXPECT_THROW(compile_query(chain(20, "1", " + o.id", "", ""), 1, false, {.nesting = 16}), Rejected);
  EXPECT_THROW(compile_query(chain(20, "1", " + o.id", "", ""), 1, true, {.nesting = 16}), Rejected) << "in every mode";
  EXPECT_TRUE(compile_query(chain(10, "1", " + o.id", "", ""), 1, false, {.nesting = 16}).differential);
}

TEST_F(CompilerTest, QueriesThatAreTooLongAreRejected) {
  const auto query = [](std::size_t bytes) {
    const std::string begin = "SELECT o.id FROM public.orders o WHERE 'x' <> '";
    return begin + std::string(bytes - begin.size() - 1, 'y') + "'";
  };
  const Limits limits{.query_bytes = 1000};
  EXPECT_TRUE(compile_query(query(1000), 1, false, limits).differential);
  for (const bool full : {false, true}) try {
      compile_query(query(1001), 1, full, limits);
      ADD_FAILURE() << "compiled";
    } catch (const Rejected& e) {
      EXPECT_THAT(e.what(), HasSubstr("too long: 1001 bytes; the limit is 1000 (compiler.max_query_bytes)"));
    }
}

TEST_F(CompilerTest, WhatTakesTooLongIsRecomputed) {
  const std::string query = "SELECT o.id FROM public.orders o";
  EXPECT_TRUE(compile_query(query).differential);
  const Program late = compile_query(query, 1, false, {.time = std::chrono::milliseconds(-1)});
  EXPECT_FALSE(late.differential);
  EXPECT_THAT(late.reason, HasSubstr("takes longer than"));
}

TEST_F(CompilerTest, LongIsNotDeep) {
  std::string many = "SELECT o.id FROM public.orders o WHERE o.id IN (0";
  for (int i = 0; i < 10000; ++i) many += ", " + std::to_string(i);
  many += ")";
  for (int i = 0; i < 2000; ++i) many += " AND o.w BETWEEN 1 AND " + std::to_string(i);
  EXPECT_TRUE(compile_query(many).differential);
}

TEST_F(CompilerTest, MoreNodesThanTheLimitAreNotMaintained) {
  std::string query = "SELECT count(*) AS n FROM public.log";
  for (int i = 1; i < 4; ++i) query = "SELECT count(*) AS n FROM (" + query + ") q";
  EXPECT_TRUE(compile_query(query, 1, false, {.nodes = 4}).differential);
  const auto program = compile_query(query, 1, false, {.nodes = 3});
  EXPECT_FALSE(program.differential);
  EXPECT_THAT(program.reason, HasSubstr("4 nodes with state; the limit is 3 (compiler.max_nodes)"));
}

// normalize and prune
// -----------------------------------------------------------------------------------------------------

/// What the scans below say of themselves, in tree order.
std::vector<std::string> scans_of(const Operator& op) {
  std::vector<std::string> scans;
  if (op.reads()) scans.push_back(op.describe());
  for (const auto& input : op.inputs())
    for (auto& below : scans_of(*input)) scans.push_back(std::move(below));
  return scans;
}

TEST_F(CompilerTest, FiltersReachTheScans) {
  auto root = analyzed(
      "SELECT q.name FROM (SELECT c.name, o.price FROM public.customers c JOIN public.orders o ON o.customer = c.id) q "
      "WHERE q.price > 5 AND q.name <> 'x'::text");
  const auto scans = scans_of(*root);
  ASSERT_EQ(scans.size(), 2U);
  EXPECT_THAT(scans[0], HasSubstr("name <> 'x'"));
  EXPECT_THAT(scans[1], HasSubstr("price > 5"));
}

std::string factored(const std::string& condition) {
  std::string text;
  for (const auto& node : factor_or({parse_select("SELECT " + condition).target_list(0).res_target().val()}))
    text += (text.empty() ? "" : "; ") + deparse_expr(node);
  return text;
}

TEST(FactorOr, TakesOutWhatAllArmsHave) {
  EXPECT_EQ(factored("(a AND b) OR (a AND c)"), "a; b OR c");
  EXPECT_EQ(factored("(b AND a AND d) OR (c AND a) OR (a AND e AND d)"), "a; (b AND d) OR c OR (e AND d)");
  EXPECT_EQ(factored("x AND ((a AND b) OR (b AND c AND a))"), "x; a; b") << "an arm without a rest absorbs the others";
  EXPECT_EQ(factored("a OR (a AND b)"), "a");
  EXPECT_EQ(factored("((p AND q) OR (p AND r)) AND s"), "p; q OR r; s");
  EXPECT_EQ(factored("((p OR q) AND a) OR ((p OR q) AND b)"), "p OR q; a OR b");
}

TEST(FactorOr, LeavesTheOthers) {
  EXPECT_EQ(factored("(a AND b) OR c"), "(a AND b) OR c");
  EXPECT_EQ(factored("(a = 1 AND b) OR (a = 2 AND c)"), "(a = 1 AND b) OR (a = 2 AND c)");
  EXPECT_EQ(factored("NOT ((a AND b) OR (a AND c))"), "NOT ((a AND b) OR (a AND c))");
}

TEST_F(CompilerTest, WhatTheArmsOfAnOrShareReachesTheScans) {
  auto root = analyzed(
      "SELECT o.id FROM public.customers c, public.orders o WHERE c.id = o.customer AND o.w = 7 AND c.region = 1 "
      "OR o.w = 7 AND c.id = o.customer AND c.region = 2");
  const auto scans = scans_of(*root);
  EXPECT_THAT(scans[1], HasSubstr("w = 7"));
  EXPECT_THAT(scans[0], HasSubstr("region = 1"));
}

TEST_F(CompilerTest, FilterOnAGroupKeyGoesBelowTheAggregateOthersStay) {
  auto root = analyzed(
      "SELECT customers.region FROM public.customers GROUP BY customers.region HAVING customers.region > 3 AND "
      "count(*) > 1");
  const auto scans = scans_of(*root);
  EXPECT_THAT(scans[0], HasSubstr("region > 3"));
  EXPECT_THAT(root->inputs()[0]->describe(), HasSubstr("count > 1"));
}

TEST_F(CompilerTest, MonotoneIsWhatOnlyAddsRowsWhenRowsAreAdded) {
  for (const char* query : {
           "SELECT id FROM public.orders WHERE product > 3 AND price * 2 > 1",
           "SELECT o.id FROM public.orders o JOIN public.customers c ON c.id = o.customer, public.products p",
           "SELECT id FROM public.orders UNION ALL SELECT id FROM public.customers",
           "SELECT id FROM public.orders UNION SELECT id FROM public.customers",
           "SELECT DISTINCT customer FROM public.orders",
           "SELECT customer FROM public.orders GROUP BY customer HAVING customer > 1",
           "SELECT q.customer FROM (SELECT customer, count(*) AS n FROM public.orders GROUP BY customer) q",
           "SELECT id FROM public.orders WHERE customer IN (SELECT id FROM public.customers)",
           "SELECT id FROM public.orders o WHERE EXISTS (SELECT 1 FROM public.products p WHERE p.id = o.product)",
           "SELECT g.n FROM public.orders o, generate_series(1, o.id) g(n)",
           "SELECT o.id FROM public.orders o, (VALUES (1), (2)) v(x) WHERE v.x = o.id",
           // its WHERE makes it an inner join
           "SELECT o.id FROM public.orders o LEFT JOIN public.products p ON p.id = o.product WHERE p.name = 'x'",
       }) {
    const auto program = compile_query(query);
    EXPECT_TRUE(program.differential) << query << program.reason;
    EXPECT_EQ(program.non_monotone, "") << query;
  }
  for (const auto& [query, reason] : std::vector<std::pair<const char*, const char*>>{
           {"SELECT count(*) FROM public.orders", "Aggregate count(*)"},
           {"SELECT max(id) FROM public.orders GROUP BY customer", "Aggregate max("},
           {"SELECT id FROM public.orders EXCEPT SELECT id FROM public.customers", "Aggregate pg_catalog.count(*)"},
           {"SELECT id FROM public.orders o WHERE NOT EXISTS (SELECT 1 FROM public.products p WHERE p.id = o.product)",
            "Anti join"},
           {"SELECT id FROM public.orders WHERE id NOT IN (SELECT id FROM public.customers)", "Anti join"},
           {"SELECT id FROM public.orders WHERE product NOT IN (SELECT region FROM public.customers)", ""},
           {"SELECT id FROM public.orders WHERE id > (SELECT count(*) FROM public.customers)", "Aggregate count(*)"},
           {"SELECT id FROM public.orders o WHERE id = 1 OR EXISTS (SELECT 1 FROM public.products p WHERE p.id = "
            "o.product)",
            "Apply"},
           {"SELECT o.id FROM public.orders o LEFT JOIN public.products p ON p.id = o.product", "Left join"},
           {"SELECT id FROM public.orders ORDER BY id LIMIT 3", "TopK"},
           {"SELECT DISTINCT ON (customer) id FROM public.orders ORDER BY customer, id", "DistinctOn"},
           {"SELECT count(*) OVER () FROM public.orders", "Window"},
           {"SELECT DISTINCT q.n FROM (SELECT count(*) AS n FROM public.orders GROUP BY customer) q",
            "Aggregate count(*)"},
       }) {
    const auto program = compile_query(query);
    EXPECT_TRUE(program.differential) << query << program.reason;
    EXPECT_NE(program.non_monotone, "") << query;
    EXPECT_THAT(program.non_monotone, HasSubstr(reason)) << query;
  }
  EXPECT_THAT(compile_query("SELECT id FROM public.orders", 1, true).non_monotone,
              HasSubstr("it is recomputed: refresh_mode is FULL"));
}

TEST_F(CompilerTest, OnlyColumnsThatAreReadAreCaptured) {
  const auto program =
      compile_query("SELECT o.id FROM public.orders o JOIN public.customers c ON c.id = o.customer WHERE c.region = 1");
  ASSERT_EQ(program.sources.size(), 2U);
  EXPECT_THAT(program.sources[0].column_names, ElementsAre("id", "region"));
  EXPECT_THAT(program.sources[1].column_names, ElementsAre("id", "customer"));
  const auto count = compile_query("SELECT count(*) FROM public.log");
  EXPECT_THAT(count.sources[0].columns, IsEmpty());
}

// keys
// --------------------------------------------------------------------------------------------------------------------

TEST_F(CompilerTest, KeyOfAJoinIsTheKeyOfTheManySide) {
  EXPECT_THAT(analyzed("SELECT o.id, c.name FROM public.orders o JOIN public.customers c ON c.id = o.customer")->keys(),
              ElementsAre(ElementsAre(0)));
  EXPECT_THAT(
      analyzed("SELECT o.id, c.id AS cid FROM public.orders o JOIN public.customers c ON c.region = o.w")->keys(),
      ElementsAre(::testing::UnorderedElementsAre(0, 1)));
  EXPECT_THAT(analyzed("SELECT c.name FROM public.orders o JOIN public.customers c ON c.id = o.customer")->keys(),
              IsEmpty());
}

TEST_F(CompilerTest, NoKeyMeansABag) {
  EXPECT_THAT(analyzed("SELECT log.what FROM public.log")->keys(), IsEmpty());
  EXPECT_THAT(analyzed("SELECT c.id FROM public.customers c UNION ALL SELECT o.id FROM public.orders o")->keys(),
              IsEmpty());
  EXPECT_THAT(analyzed("SELECT count(*) AS n FROM public.log")->keys(), IsEmpty());
  EXPECT_THAT(analyzed("SELECT DISTINCT log.what FROM public.log")->keys(), ElementsAre(ElementsAre(0)));
}

// cut
// ---------------------------------------------------------------------------------------------------------------------

TEST_F(CompilerTest, InnerAggregatesBecomeNodesInOrder) {
  const auto plan = cut(
      analyzed("SELECT s.n, count(*) AS c FROM (SELECT q.region, count(*) AS n FROM (SELECT DISTINCT c.region, c.name "
               "FROM public.customers c) q GROUP BY q.region) s GROUP BY s.n"),
      7);
  ASSERT_EQ(plan.inner.size(), 2U);
  EXPECT_THAT(plan.inner[0]->describe(), HasSubstr("Distinct"));
  EXPECT_THAT(plan.inner[1]->describe(), HasSubstr("by i.region"));
  ASSERT_NE(plan.root_state, nullptr);
  EXPECT_EQ(plan.root_state->state_table(), "pgtrickle_state.node_7_3");
}

TEST_F(CompilerTest, AnAggregateAtTheRootNeedsNoDeltaTable) {
  const auto program =
      compile_query("SELECT customers.region, count(*) FROM public.customers GROUP BY customers.region", 2);
  for (const auto& ddl : program.owner_ddl) EXPECT_THAT(ddl, Not(HasSubstr("delta_7_")));
}

// generate
// ----------------------------------------------------------------------------------------------------------------

TEST_F(CompilerTest, JoinDeltaHasOneGatedTermPerSubset) {
  const auto text =
      apply_text(compile_query("SELECT o.id FROM public.orders o JOIN public.customers c ON c.id = o.customer"));
  EXPECT_THAT(text, HasSubstr("-(a1.w * a2.w)")) << "what changed on both sides would count twice";
  EXPECT_THAT(text, HasSubstr("AND v.customers_changed\n"));
  EXPECT_THAT(text, HasSubstr("AND v.orders_changed\n"));
}

TEST_F(CompilerTest, TermsOfAWideJoinGrowWithItsInputsNotTheirSubsets) {
  std::string from = "public.orders a1";
  for (int i = 2; i <= 8; ++i) from += ", public.orders a" + std::to_string(i);
  std::string where;
  for (int i = 2; i <= 8; ++i)
    where += (i > 2 ? " AND a" : "a") + std::to_string(i) + ".id = a" + std::to_string(i - 1) + ".w";
  const auto text = apply_text(compile_query("SELECT a1.id FROM " + from + " WHERE " + where));
  std::size_t terms = 0;
  for (auto at = text.find("UNION ALL"); at != std::string::npos; at = text.find("UNION ALL", at + 1)) ++terms;
  EXPECT_EQ(terms, 2U * 7U);
}

TEST_F(CompilerTest, TextOfTheUserCannotEndTheFunctionBody) {
  const auto text =
      apply_text(compile_query("SELECT o.id FROM public.orders o WHERE o.w::text <> '$pgt$ $pgt1$'::text"));
  EXPECT_THAT(text, HasSubstr("$pgt2$"));
}

TEST_F(CompilerTest, TextOfTheUserCannotLeaveAComment) {
  const auto text =
      apply_text(compile_query("SELECT count(*) AS n FROM (SELECT o.w || E'\r; DROP TABLE x; --\n; DROP TABLE y'::text "
                               "AS k, count(*) AS n FROM public.orders o "
                               "GROUP BY o.w || E'\r; DROP TABLE x; --\n; DROP TABLE y'::text) s"));
  const auto comment = text.find("-- node 1");
  ASSERT_NE(comment, std::string::npos);
  EXPECT_THAT(text.substr(comment, text.find_first_of("\r\n", comment) - comment), HasSubstr("DROP TABLE y"));
}

TEST_F(CompilerTest, ProgramsRunWithTheOwnersRightsAndAPinnedPath) {
  const auto program = compile_query("SELECT o.id FROM public.orders o");
  std::string owner;
  for (const auto& ddl : program.owner_ddl) owner += ddl + "\n";
  EXPECT_THAT(
      owner,
      HasSubstr("LANGUAGE plpgsql SECURITY DEFINER\nSET search_path = pg_catalog, pg_temp\nSET plan_cache_mode"));
  for (const std::string function : {"apply_7(text", "look_7(pg_snapshot", "refresh_7(text)"})
    EXPECT_THAT(owner, HasSubstr("REVOKE ALL ON FUNCTION pgtrickle_state." + function));
  EXPECT_THAT(owner, Not(HasSubstr("GRANT EXECUTE ON FUNCTION pgtrickle_state.apply_7"))) << "refresh_7 calls it";
  std::string admin;
  for (const auto& ddl : program.admin_ddl) admin += ddl + "\n";
  EXPECT_THAT(admin, HasSubstr("GRANT SELECT (xid, seq, w, c1) ON pgtrickle_changes.log_2 TO alice"))
      << "only the columns that the query reads";
}

TEST_F(CompilerTest, AdviceNamesTheMissingIndex) {
  const auto program = compile_query("SELECT o.id FROM public.orders o JOIN public.customers c ON c.id = o.customer");
  EXPECT_THAT(program.plan, HasSubstr("CREATE INDEX ON public.orders (customer);"));
  catalog_.sources[{"public", "orders"}].indexed_columns = {2};
  catalog_.sources[{"public", "customers"}].indexed_columns = {1};
  EXPECT_THAT(compile_query("SELECT o.id FROM public.orders o JOIN public.customers c ON c.id = o.customer").plan,
              Not(HasSubstr("CREATE INDEX")));
}

TEST_F(CompilerTest, ReferencesListWhatTheCatalogMustHold) {
  const auto refs = references(
      "WITH x AS (SELECT upper(c.name) AS u FROM public.customers c) SELECT count(*) FROM x JOIN s.t ON t.a "
      "OPERATOR(s.=) x.u");
  EXPECT_THAT(refs.relations, ElementsAre(std::pair<std::string, std::string>("", "x"),
                                          std::pair<std::string, std::string>("public", "customers"),
                                          std::pair<std::string, std::string>("s", "t")));
  EXPECT_THAT(refs.functions, ElementsAre(FunctionKey{"", "count", 0}, FunctionKey{"", "upper", 1}));
  EXPECT_THAT(refs.operators, ElementsAre(FunctionKey{"s", "=", -1}));
}

}  // namespace
}  // namespace pgtrickle::compiler
