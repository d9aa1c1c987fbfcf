#include "support/oracle.h"

#include <sstream>

namespace pgt::test {
namespace {

// The table's columns as expressions that EXCEPT can compare. A type is comparable if it, what it is binary-coercible
// to, or for arrays its element type, has an equality operator that can hash or merge.
constexpr const char* kComparableColumns = R"(
  WITH RECURSIVE columns AS (
    SELECT a.attnum, a.attname, a.atttypid FROM pg_attribute a
    WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped),
  base(attnum, type) AS (
    SELECT attnum, atttypid FROM columns
    UNION ALL
    SELECT b.attnum, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END
    FROM base b JOIN pg_type t ON t.oid = b.type
    WHERE t.typtype = 'd' OR (t.typcategory = 'A' AND t.typelem <> 0)),
  leaf AS (
    SELECT b.attnum, t.oid, t.typtype FROM base b JOIN pg_type t ON t.oid = b.type
    WHERE NOT (t.typtype = 'd' OR (t.typcategory = 'A' AND t.typelem <> 0)))
  SELECT string_agg(
           CASE WHEN l.typtype IN ('e', 'r', 'm') OR EXISTS (
             SELECT FROM pg_operator o
             WHERE o.oprname = '=' AND (o.oprcanhash OR o.oprcanmerge) AND o.oprleft = o.oprright
               AND (o.oprleft = l.oid OR o.oprleft IN (
                     SELECT c.casttarget FROM pg_cast c WHERE c.castsource = l.oid AND c.castmethod = 'b' AND c.castcontext = 'i')))
           THEN format('%I', c.attname)
           ELSE format('%s AS %I', replace((pgtrickle._value_image((pgtrickle._base_type(c.atttypid, -1)).base)).image, '$1', quote_ident(c.attname)), c.attname)
           END, ', ' ORDER BY c.attnum)
  FROM columns c JOIN leaf l USING (attnum))";

constexpr const char* kColumnNames = R"(
  SELECT string_agg(format('%I', attname), ', ' ORDER BY attnum) FROM pg_attribute
  WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped)";

std::string one_value(Session& session, const char* sql, const std::string& name) {
  pqxx::nontransaction tx(session.connection());
  return tx.exec_params1(sql, name)[0].as<std::string>("");
}

/// The query at the time that programs take for now, which a test can move. What is recomputed has the server's.
constexpr const char* kAtTheClock = R"(
  SELECT CASE WHEN follows_time THEN
           replace(replace(replace(replace(regexp_replace(regexp_replace(defining_query,
             'CURRENT_TIMESTAMP(\(\d\))', '(now())::timestamptz\1', 'g'),
             'LOCALTIMESTAMP(\(\d\))', '(now())::timestamp\1', 'g'), 'now()', 'pgtrickle._now()'),
             'CURRENT_TIMESTAMP', 'pgtrickle._now()'), 'CURRENT_DATE', '(pgtrickle._now())::date'),
             'LOCALTIMESTAMP', '(pgtrickle._now())::timestamp')
         ELSE defining_query END
  FROM pgtrickle.pgt_stream_tables WHERE pgt_relid = to_regclass($1))";

std::string without_semicolon(std::string query) {
  while (!query.empty() && (query.back() == ';' || std::isspace(static_cast<unsigned char>(query.back())))) {
    query.pop_back();
  }
  return query;
}

}  // namespace

::testing::AssertionResult equals_query(Session& session, const std::string& name, const std::string& query) try {
  const std::string comparable = one_value(session, kComparableColumns, name);
  const std::string names = one_value(session, kColumnNames, name);
  if (names.empty()) return ::testing::AssertionFailure() << name << " is not a table with columns";

  // The query's own column names may repeat or differ in the table, hence the column list of the alias.
  const std::string table = "(SELECT " + comparable + " FROM " + name + ")";
  const std::string truth = "(SELECT " + comparable + " FROM (" + without_semicolon(query) + "\n) AS q(" + names + "))";
  const auto sides = "(SELECT 'only in the table' AS side, d::text AS row FROM (" + table + " EXCEPT ALL " + truth +
                     ") d UNION ALL SELECT 'only in the query', d::text FROM (" + truth + " EXCEPT ALL " + table +
                     ") d) differences";
  const auto rows = session.exec("SELECT side, row, count(*), sum(count(*)) OVER () FROM " + sides +
                                 " GROUP BY side, row ORDER BY row, side LIMIT 20");
  if (rows.empty()) return ::testing::AssertionSuccess();
  std::ostringstream message;
  message << name << " differs from its query in " << rows[0][3].c_str() << " rows:\n";
  for (const auto& row : rows) {
    message << "  " << row[0].c_str() << ": " << row[1].c_str() << "  (x" << row[2].c_str() << ")\n";
  }
  return ::testing::AssertionFailure() << message.str() << "query: " << query;
} catch (const pqxx::sql_error& error) {
  return ::testing::AssertionFailure() << "cannot compare " << name << ": " << error.what() << "query: " << query;
}

::testing::AssertionResult equals_query(Session& session, const std::string& name) {
  const std::string query = one_value(session, kAtTheClock, name);
  if (query.empty()) return ::testing::AssertionFailure() << name << " is not a stream table";
  auto result = equals_query(session, name, query);
  if (result) return result;
  // Where rows tie under LIMIT or DISTINCT ON there are several right answers, and the table keeps to one of them. A
  // case that cares for the query's own words orders totally.
  const std::string definite = one_value(
      session, "SELECT definite_query FROM pgtrickle.pgt_stream_tables WHERE pgt_relid = to_regclass($1)", name);
  return definite.empty() ? result : equals_query(session, name, definite);
}

void expect_equal_to_query(Session& session, const std::string& name) {
  EXPECT_TRUE(equals_query(session, name));
}

}  // namespace pgt::test
