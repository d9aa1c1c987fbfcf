// From COMMIT of DDL on a source until stream tables are rebuilt and show what was written with it.
#include <chrono>
#include <random>
#include <stdexcept>
#include <thread>

#include "benchmarks.h"
#include "support/cluster.h"
#include "support/process.h"

namespace pgt::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kOthers = 20;  // stream tables that the change does not concern
constexpr auto kPollPause = std::chrono::milliseconds(1);
constexpr auto kGiveUp = std::chrono::seconds(60);
constexpr double kGoal = 500;

/// DDL on items in its two directions, and what one row of the stream table shows after it.
struct Change {
  std::string name, reads, there, back;
};

const std::vector<Change>& changes() {
  static const std::vector<Change> all{
      {"a column is renamed", "items", "ALTER TABLE items RENAME COLUMN amount TO price",
       "ALTER TABLE items RENAME COLUMN price TO amount"},
      {"a column gets another type", "items", "ALTER TABLE items ALTER COLUMN amount TYPE bigint",
       "ALTER TABLE items ALTER COLUMN amount TYPE int"},
      {"a view that it reads is replaced", "rich",
       "CREATE OR REPLACE VIEW rich AS SELECT id, kind, amount FROM items WHERE amount > 0",
       "CREATE OR REPLACE VIEW rich AS SELECT id, kind, amount FROM items WHERE amount > 1"},
  };
  return all;
}

void create(test::Session& session) {
  session.exec(
      "CREATE TABLE items (id int PRIMARY KEY, kind int NOT NULL, amount int);"
      "INSERT INTO items SELECT i, i % 100, i % 1000 FROM generate_series(1, 10000) AS i;"
      "CREATE VIEW rich AS SELECT id, kind, amount FROM items WHERE amount > 1;"
      "CREATE TABLE other (id int PRIMARY KEY, v int); INSERT INTO other SELECT i, i FROM generate_series(1, 1000) AS "
      "i");
  for (int i = 0; i < kOthers; ++i) {
    session.exec("SELECT pgtrickle.create_stream_table('other_" + std::to_string(i) +
                 "', 'SELECT id, v FROM other WHERE v % 20 = " + std::to_string(i) + "', schedule => '1s')");
  }
}

/// The time from COMMIT until `look` returns what it did not return before.
double until_changed(test::Session& writer, test::Session& reader, const std::string& ddl, const std::string& look) {
  const std::string before = reader.value(look);
  writer.exec("BEGIN; UPDATE items SET kind = kind WHERE false");
  writer.exec(ddl);
  writer.exec("INSERT INTO items (id, kind) SELECT max(id) + 1, 7 FROM items");
  writer.exec("UPDATE items SET " +
              writer.value("SELECT attname FROM pg_attribute WHERE attrelid = 'items'::regclass AND attnum = 3") +
              " = 500 WHERE id = (SELECT max(id) FROM items)");
  writer.exec("COMMIT");
  const auto start = Clock::now();
  while (reader.value(look) == before) {
    if (Clock::now() - start > kGiveUp) throw std::runtime_error("a rebuild did not end: " + ddl);
    std::this_thread::sleep_for(kPollPause);
  }
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void pause(std::mt19937& random) {
  std::this_thread::sleep_for(std::chrono::milliseconds(std::uniform_int_distribution<int>(100, 700)(random)));
}

Sample measure_change(const Options& options, const Change& change) {
  progress("rebuild: " + change.name);
  test::TestDatabase db;
  test::Session writer(db.dsn()), reader(db.dsn());
  create(writer);
  if (change.reads == "items") writer.exec("DROP VIEW rich");  // it would be in the way of the type
  test::DaemonProcess daemon(db.dsn());
  writer.exec("SELECT pgtrickle.create_stream_table('totals', 'SELECT kind, count(*) AS n, sum(amount) AS total FROM " +
              change.reads + " GROUP BY kind', schedule => '100 ms')");
  writer.exec("SELECT pgtrickle.wait_until_active('totals')");
  Sample sample;
  std::mt19937 random(1);
  for (int round = -2; round < options.rebuild_rounds; ++round) {
    pause(random);
    const double ms = until_changed(writer, reader, round % 2 == 0 ? change.there : change.back,
                                    "SELECT n FROM totals WHERE kind = 7");
    if (round >= 0) sample.add(ms);
  }
  writer.exec("SELECT pgtrickle.wait_until_active('totals')");
  if (writer.table("SELECT * FROM pgtrickle.verify_stream_table('totals')") != "0|0")
    throw std::runtime_error("totals is not equal to its query");
  daemon.stop();
  return sample;
}

/// DROP TABLE of a stream table, until its program is removed.
Sample measure_drop(const Options& options) {
  progress("rebuild: DROP TABLE");
  test::TestDatabase db;
  test::Session writer(db.dsn());
  create(writer);
  test::DaemonProcess daemon(db.dsn());
  Sample sample;
  std::mt19937 random(2);
  for (int round = 0; round < options.rebuild_rounds; ++round) {
    writer.exec("SELECT pgtrickle.create_stream_table('gone', 'SELECT id, v FROM other', schedule => '1s')");
    writer.exec("SELECT pgtrickle.wait_until_active('gone')");
    const std::string program =
        writer.value("SELECT 'refresh_' || pgt_id FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'gone'");
    pause(random);
    writer.exec("DROP TABLE gone");
    const auto start = Clock::now();
    while (writer.value("SELECT count(*) FROM pg_proc WHERE proname = '" + program + "'") != "0") {
      if (Clock::now() - start > kGiveUp) throw std::runtime_error("a program was not removed");
      std::this_thread::sleep_for(kPollPause);
    }
    sample.add(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  daemon.stop();
  return sample;
}

}  // namespace

void measure_rebuild(const Options& options, Report& report) {
  const std::string prepared =
      test::Session(test::dsn_of("postgres")).value("SELECT current_setting('max_prepared_transactions')");
  report.heading("Rebuilding, max_prepared_transactions = " + prepared);
  report.paragraph(
      "A source of 10,000 rows, a stream table that aggregates it, for the third change through a view (schedule 100 "
      "ms), 20 others. From "
      "the "
      "return of COMMIT of a transaction with the DDL and a new row until another session, which looks every "
      "millisecond, sees the row: noticing, compiling, capture, recomputing. Milliseconds; goal: 500.");
  report.table_header({"change", "times", "p50", "p99", "max", "goal"});
  const auto row = [&](const std::string& name, const Sample& sample) {
    report.table_row({name, std::to_string(sample.count()), format_number(sample.median()),
                      format_number(sample.quantile(0.99)), format_number(sample.quantile(1)), format_number(kGoal)});
  };
  for (const Change& change : changes()) row(change.name, measure_change(options, change));
  row("DROP TABLE of a stream table, until its program is removed", measure_drop(options));
  report.paragraph("");
}

}  // namespace pgt::bench
