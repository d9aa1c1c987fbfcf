// The property for queries that compare rows with the current time: whatever they are made of, after every refresh the
// stream table equals its query at the time of the refresh. The clock is moved forwards and back between changes, over
// days on which Berlin puts its clocks forward or back and over ends of months.
//
// PGT_SEED and PGT_TEMPORAL_SCENARIOS (of six queries each) make a hunt of it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "property/random.h"
#include "support/database.h"
#include "support/oracle.h"

namespace pgt::property {
namespace {

using test::equals_query;
using test::Session;
using test::TestDatabase;

constexpr int kDefaultScenarios = 5;
constexpr int kQueries = 6;
constexpr int kSteps = 7;

long number_of(const char* variable, long otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr || *text == '\0' ? otherwise : std::atol(text);
}

class TemporalGenerator {
 public:
  explicit TemporalGenerator(Random& random) : random_(random) {}

  std::string query() {
    switch (random_.below(14)) {
      case 0:
        return "SELECT e.id, e.x FROM e WHERE " + of_e();
      case 1:
        return "SELECT e.id, p.id AS pid FROM e JOIN p ON p.k = e.k WHERE " + of_e() + " AND " + of_p();
      case 2:
        return "SELECT p.id, e.id AS eid FROM p LEFT JOIN e ON e.k = p.k AND " + of_e() + maybe(of_p());
      case 3:
        return "SELECT p.id, e.id AS eid FROM p LEFT JOIN e ON e.k = p.k WHERE " + of_p() + " AND " + of_e();
      case 4:
        return "SELECT e.k, count(*) AS n, sum(e.x) AS s, max(e.ts) AS m FROM e WHERE " + of_e() + " GROUP BY e.k";
      case 5:
        return "SELECT e.k, max(e.ts) AS m FROM e" + maybe(of_e()) + " GROUP BY e.k HAVING " + compared("max(e.ts)");
      case 6:
        return "SELECT e.k FROM e WHERE " + of_e() +
               random_.pick<std::string>({" UNION ALL ", " UNION ", " EXCEPT ", " INTERSECT ALL "}) +
               "SELECT p.k FROM p" + maybe(of_p());
      case 7:
        return "SELECT p.id FROM p WHERE " + random_.pick<std::string>({"", "NOT "}) +
               "EXISTS (SELECT 1 FROM e WHERE e.k = p.k AND " + of_e() + ")" +
               (random_.chance(50) ? " AND " + of_p() : "");
      case 8:
        return "SELECT DISTINCT e.k, e.day FROM e WHERE " + of_e();
      case 9:
        return "SELECT e.id FROM e WHERE e.k IN (SELECT p.k FROM p WHERE " + of_p() + ") AND " + of_e();
      case 10:
        return "SELECT e.id, e.ts FROM e WHERE " + of_e() + " ORDER BY e.ts DESC NULLS LAST, e.id LIMIT 4";
      case 11:
        return "SELECT e.id, rank() OVER (PARTITION BY e.k ORDER BY e.x, e.id) AS r FROM e WHERE " + of_e();
      case 12:
        return "SELECT q.id, r.id AS rid FROM (SELECT * FROM e WHERE " + of_e() +
               ") q FULL JOIN (SELECT * FROM p WHERE " + of_p() + ") r ON r.k = q.k";
      default:
        return "SELECT p.id, (SELECT count(*) FROM e WHERE " + of_e() + ") AS n FROM p" + maybe(of_p());
    }
  }

  std::string change() {
    const std::string some = " WHERE id % 7 = " + std::to_string(random_.below(7));
    const std::string moment = "base() + " + std::to_string(random_.between(-60, 60)) + " * interval '1 hour'";
    switch (random_.below(6)) {
      case 0:
        return "INSERT INTO e SELECT coalesce(max(id), 0) + 1, 1, " + moment + ", " + moment + ", (" + moment +
               ")::date, 5 FROM e";
      case 1:
        return "UPDATE e SET ts = " + moment + ", x = x + 1" + some;
      case 2:
        return "UPDATE e SET loc = loc + interval '30 minutes', day = day + 1, k = (k + 1) % 5" + some;
      case 3:
        return "DELETE FROM e WHERE id % 11 = " + std::to_string(random_.below(11));
      case 4:
        return "UPDATE p SET a = " + moment + ", b = " + random_.pick<std::string>({"NULL", "b + interval '1 hour'"}) +
               some;
      default:
        return "INSERT INTO p SELECT coalesce(max(id), 0) + 1, 2, " + moment + ", " + moment +
               " + interval '1 day', 1 FROM p";
    }
  }

  std::string minutes() {
    return random_.pick<std::string>(
        {"0", "1", "30", "60", "61", "120", "600", "1440", "2880", "44640", "-60", "-90", "-1440"});
  }

 private:
  std::string compared(const std::string& row) {
    const std::string op = random_.pick<std::string>({"<", "<=", ">", ">=", "<", ">", "=", "<>"});
    const std::string time = random_.pick<std::string>(
        {"now()", "now() - interval '1 hour'", "now() + interval '90 minutes'", "now() - interval '1 day'",
         "now() - interval '1 month'", "interval '1 month 1 day' + now()", "date_trunc('hour', now())",
         "date_trunc('day', now()) + interval '1 day'", "current_date", "current_date - 1", "localtimestamp",
         "localtimestamp - interval '1 day'", "current_timestamp", "(now() AT TIME ZONE 'America/New_York')",
         "(now() - interval '1 day')::date", "current_timestamp(0)"});
    return random_.chance(70) ? row + " " + op + " " + time : time + " " + op + " " + row;
  }

  std::string condition(const std::vector<std::string>& rows, const std::string& other) {
    const std::string first = compared(random_.pick(rows));
    switch (random_.below(7)) {
      case 0:
        return "NOT " + first;
      case 1:
        return "(" + first + " OR " + compared(random_.pick(rows)) + ")";
      case 2:
        return "(" + first + " OR " + other + ")";
      case 3:
        return "NOT (" + first + " AND " + compared(random_.pick(rows)) + ")";
      case 4:
        return first + " AND " + compared(random_.pick(rows));
      case 5:
        return first + " AND " + other;
      default:
        return first;
    }
  }

  std::string of_e() {
    return condition({"e.ts", "e.ts", "e.loc", "e.day", "e.ts + e.x * interval '1 minute'"}, "e.x > 4");
  }
  std::string of_p() { return condition({"p.a", "p.b"}, "p.b IS NULL"); }
  std::string maybe(const std::string& condition) { return random_.chance(60) ? " WHERE " + condition : ""; }

  Random& random_;
};

void set_clock(Session& session, const std::string& time) {
  session.exec(
      "DO $$ BEGIN EXECUTE format('CREATE OR REPLACE FUNCTION pgtrickle._now() RETURNS timestamptz LANGUAGE sql "
      "STABLE PARALLEL SAFE RETURN %L::timestamptz', " +
      time + "); END $$");
}

void run(std::uint64_t seed) {
  SCOPED_TRACE("PGT_SEED=" + std::to_string(seed) + " PGT_TEMPORAL_SCENARIOS=1");
  Random random(seed);
  TemporalGenerator generator(random);
  TestDatabase db;
  Session(db.dsn()).exec("ALTER DATABASE " + db.name() + " SET TimeZone = 'Europe/Berlin'");
  Session session(db.dsn());
  const std::string base =
      random.pick<std::string>({"2026-03-28 23:00+00", "2026-03-29 00:45+00", "2026-10-24 22:30+00",
                                "2026-10-25 00:40+00", "2026-05-30 10:00+00"});
  session.exec("CREATE FUNCTION base() RETURNS timestamptz LANGUAGE sql IMMUTABLE RETURN '" + base + "'::timestamptz");
  session.exec(
      "CREATE TABLE e (id int PRIMARY KEY, k int, ts timestamptz, loc timestamp, day date, x int);"
      "CREATE TABLE p (id int PRIMARY KEY, k int, a timestamptz, b timestamptz, x int);"
      "INSERT INTO e SELECT i, i % 5, base() + (i - 40) * interval '1 hour', base()::timestamp + (i - 30) * interval '30 "
      "minutes', base()::date + i % 9 - 4, i % 10 FROM generate_series(1, 70) i;"
      "INSERT INTO e VALUES (1001, 1, NULL, NULL, NULL, 3), (1002, 2, 'infinity', 'infinity', 'infinity', 7), (1003, 3, "
      "'-infinity', '-infinity', '-infinity', 9);"
      "INSERT INTO p SELECT i, i % 6, base() + (i - 15) * interval '90 minutes', CASE WHEN i % 8 <> 0 THEN base() + i * "
      "interval '2 hours' END, i FROM generate_series(1, 25) i");
  if (random.chance(70)) session.exec("CREATE INDEX ON e (ts); CREATE INDEX ON p (a); CREATE INDEX ON e (k)");
  set_clock(session, "base()");
  std::vector<std::string> names;
  std::vector<std::string> queries;
  for (int i = 0; i < kQueries; ++i) {
    queries.push_back(generator.query());
    names.push_back("st" + std::to_string(i));
    ASSERT_NO_THROW(db.create_stream_table(names.back(), queries.back(), "DIFFERENTIAL")) << queries.back();
  }
  session.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
  for (int step = 0; step < kSteps; ++step) {
    std::string done;
    for (int i = random.between(0, 2); i > 0; --i) done += generator.change() + ";\n";
    if (!done.empty()) session.exec(done);
    const std::string minutes = generator.minutes();
    set_clock(session, "pgtrickle._now() + " + minutes + " * interval '1 minute'");
    for (int i = 0; i < kQueries; ++i) {
      if (random.chance(80)) {
        db.refresh(names[static_cast<std::size_t>(i)]);
      } else {
        session.exec("SELECT pgtrickle.refresh_stream_table('" + names[static_cast<std::size_t>(i)] + "')");
      }
      ASSERT_TRUE(equals_query(session, names[static_cast<std::size_t>(i)]))
          << queries[static_cast<std::size_t>(i)] << "\nin step " << step << ", " << minutes
          << " minutes later, after\n"
          << done;
    }
  }
}

TEST(TemporalQueries, EqualWheneverTheyAreRefreshed) {
  const auto seed = static_cast<std::uint64_t>(number_of("PGT_SEED", 20261130));
  const long scenarios = number_of("PGT_TEMPORAL_SCENARIOS", kDefaultScenarios);
  for (long i = 0; i < scenarios && !::testing::Test::HasFatalFailure(); ++i) run(seed + static_cast<std::uint64_t>(i));
}

}  // namespace
}  // namespace pgt::property
