#include <stdexcept>

#include "benchmarks.h"
#include "views.h"

namespace pgt::bench {
namespace {

constexpr long kOrders = 100'000;
constexpr int kBulkRows = 10'000;
constexpr int kBlock = 100;  // updates of one form before the other has its turn

}  // namespace

void measure_capture(const Options& options, Report& report) {
  progress("capture");
  test::TestDatabase db;
  test::Session session(db.dsn());
  session.exec(sql_file("shop.sql", {{"orders", kOrders}, {"customers", 10'000}}));
  for (const char* statement :
       {"CREATE TABLE plain (LIKE orders INCLUDING ALL)", "INSERT INTO plain TABLE orders",
        "CREATE TABLE captured (LIKE orders INCLUDING ALL)", "INSERT INTO captured TABLE orders", "VACUUM ANALYZE"}) {
    session.exec(statement);
  }
  db.create_stream_table("st", "SELECT id, customer_id, status, amount FROM captured", "DIFFERENTIAL");

  const std::vector<std::string> tables{"plain", "captured"};
  std::vector<Sample> single(2);
  std::vector<Sample> bulk(2);
  long id = 0;
  for (int done = 0; done < options.single_row_updates; done += kBlock) {
    for (std::size_t form = 0; form < tables.size(); ++form) {
      for (int i = 0; i < kBlock; ++i) {
        id = (id + 7919) % kOrders;
        const std::string sql =
            "UPDATE " + tables[form] + " SET amount = amount + 1 WHERE id = " + std::to_string(id + 1);
        single[form].add(timed([&] { session.exec(sql); }));
      }
    }
  }
  long next_id = 2 * kOrders;
  for (int done = 0; done < options.bulk_inserts; ++done) {
    for (std::size_t form = 0; form < tables.size(); ++form) {
      const std::string sql = "INSERT INTO " + tables[form] +
                              " SELECT i, 1, 'paid', 1.5, date '2026-01-01', 'new' FROM " + "generate_series(" +
                              std::to_string(next_id + 1) + "::bigint, " + std::to_string(next_id + kBulkRows) + ") i";
      bulk[form].add(timed([&] { session.exec(sql); }));
    }
    next_id += kBulkRows;
  }
  session.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
  db.refresh("st");
  if (session.value(
          "SELECT count(*) FROM (TABLE st EXCEPT ALL SELECT id, customer_id, status, amount FROM captured) d") != "0" ||
      session.value("SELECT (SELECT count(*) FROM st) = (SELECT count(*) FROM captured)") != "t") {
    throw std::runtime_error("capture: the stream table differs from its query");
  }

  report.heading("What capture costs writers");
  report.paragraph(
      "One connection, synchronous_commit as in the settings above, four captured columns; a table with the "
      "capture triggers against an equal one without.");
  report.table_header({"statement", "without", "with", "ratio"});
  report.table_row({"UPDATE of one row, by primary key", format_ms(single[0]), format_ms(single[1]),
                    format_ratio(single[1], single[0])});
  report.table_row({"INSERT of 10,000 rows", format_ms(bulk[0]), format_ms(bulk[1]), format_ratio(bulk[1], bulk[0])});
  report.paragraph("");
}

}  // namespace pgt::bench
