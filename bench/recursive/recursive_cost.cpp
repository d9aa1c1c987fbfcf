// WITH RECURSIVE over a tree and over a random graph: the refresh after small changes, in turn with the query.
#include <stdexcept>
#include <vector>

#include "benchmarks.h"
#include "processor_time.h"

namespace pgt::bench {
namespace {

struct Recursion {
  std::string name;
  std::string query;
};

struct Change {
  std::string label;
  std::string there;  // $n is the number of the round
  std::string back;   // what takes it back
  std::string back_label;
};

struct Shape {
  std::string name;
  std::string setup;
  std::vector<Recursion> recursions;
  std::vector<Change> changes;
};

// A binary tree: the nodes 128 to 194 have 1,022 descendants each. The edges that go and come are others in each round.
std::vector<Shape> shapes() {
  return {
      {"tree of 100,000 nodes",
       "CREATE TABLE nodes (id int PRIMARY KEY, parent int, name text);"
       "INSERT INTO nodes SELECT i, nullif(i / 2, 0), 'n' || i FROM generate_series(1, 100000) i;"
       "CREATE INDEX ON nodes (parent)",
       {{"levels, UNION ALL",
         "WITH RECURSIVE t (id, name, level) AS (SELECT id, name, 1 FROM nodes WHERE parent IS NULL UNION ALL SELECT "
         "n.id, n.name, t.level + 1 FROM t JOIN nodes n ON n.parent = t.id) SELECT id, name, level FROM t"},
        {"nodes below the root, UNION",
         "WITH RECURSIVE t (id) AS (SELECT id FROM nodes WHERE parent IS NULL UNION SELECT n.id FROM t JOIN nodes n ON "
         "n.parent = t.id) SELECT id FROM t"}},
       {{"a leaf comes", "INSERT INTO nodes VALUES (200000 + $n, 50000 + $n, 'leaf')",
         "DELETE FROM nodes WHERE id >= 200000", "the leaf goes"},
        {"a node with 1,022 descendants goes", "DELETE FROM nodes WHERE id = 128 + $n",
         "INSERT INTO nodes VALUES (128 + $n, 64 + $n / 2, 'n')", "it comes back"}}},
      {"random graph of 10,000 nodes and 30,000 edges",
       "CREATE TABLE edges (src int NOT NULL, dst int NOT NULL);"
       "SELECT setseed(0.5); INSERT INTO edges SELECT 1 + 9999 * random(), 1 + 9999 * random() FROM generate_series(1, "
       "30000); CREATE INDEX ON edges (src); CREATE INDEX ON edges (dst);"
       "CREATE TABLE kept (src int, dst int)",
       {{"nodes reached from one, UNION",
         "WITH RECURSIVE r (id) AS (SELECT 1 UNION SELECT e.dst FROM r JOIN edges e ON e.src = r.id) SELECT id FROM r"}},
       {{"three edges go",
         "WITH gone AS (DELETE FROM edges WHERE ctid IN (SELECT ctid FROM edges ORDER BY hashint8(src * 100000 + dst + "
         "$n) LIMIT 3) RETURNING src, dst) INSERT INTO kept SELECT * FROM gone",
         "WITH back AS (DELETE FROM kept RETURNING src, dst) INSERT INTO edges SELECT * FROM back",
         "they come back"}}}};
}

class RecursiveBench {
 public:
  RecursiveBench(const Shape& shape, int repetitions)
      : shape_(shape),
        repetitions_(repetitions),
        session_(db_.dsn() + " options='-c synchronous_commit=off -c jit=off'"),
        processor_(session_) {
    session_.exec(shape.setup);
    session_.exec("VACUUM ANALYZE");
    for (std::size_t i = 0; i < shape.recursions.size(); ++i) {
      const std::string number = std::to_string(i);
      db_.create_stream_table("st" + number, shape.recursions[i].query, "DIFFERENTIAL");
      session_.exec("PREPARE refresh" + number + " (text) AS SELECT * FROM pgtrickle_state.refresh_" +
                    std::to_string(db_.id_of("st" + number)) + "($1); PREPARE query" + number +
                    " AS SELECT count(*) FROM (" + shape.recursions[i].query + ") q");
    }
    session_.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
    session_.exec("VACUUM ANALYZE");
  }

  void measure(const Change& change, Report& report) {
    struct Row {
      Sample query, there, there_processor, back, back_processor;
    };
    std::vector<Row> rows(shape_.recursions.size());
    for (int round = 0; round <= repetitions_; ++round) {
      session_.exec(with_number(change.there, round));
      for (std::size_t i = 0; i < rows.size(); ++i) {
        Row ignored;
        Row& row = round == 0 ? ignored : rows[i];  // the first one plans the statements of this session
        row.query.add(timed([&] { session_.exec("EXECUTE query" + std::to_string(i)); }));
        refresh(i, row.there, row.there_processor);
      }
      session_.exec(with_number(change.back, round));
      for (std::size_t i = 0; i < rows.size(); ++i) {
        Row ignored;
        Row& row = round == 0 ? ignored : rows[i];
        refresh(i, row.back, row.back_processor);
      }
    }
    check();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto& name = shape_.recursions[i].name;
      const Row& row = rows[i];
      report.table_row({name, change.label, format_ms(row.there_processor), format_ms(row.there), format_ms(row.query),
                        format_ratio(row.query, row.there)});
      report.table_row({name, change.back_label, format_ms(row.back_processor), format_ms(row.back),
                        format_ms(row.query), format_ratio(row.query, row.back)});
    }
  }

 private:
  static std::string with_number(std::string sql, int number) {
    for (std::size_t at = 0; (at = sql.find("$n", at)) != std::string::npos;)
      sql.replace(at, 2, std::to_string(number));
    return sql;
  }

  void refresh(std::size_t i, Sample& took, Sample& processor) {
    const std::string sql =
        "BEGIN ISOLATION LEVEL REPEATABLE READ; EXECUTE refresh" + std::to_string(i) + "('auto'); COMMIT";
    const double before = processor_.now();
    took.add(timed([&] { session_.exec(sql); }));
    processor.add(processor_.now() - before);
    const std::string action = session_.value("SELECT last_action FROM pgtrickle.pgt_frontiers WHERE pgt_id = " +
                                              std::to_string(db_.id_of("st" + std::to_string(i))));
    if (action != "DIFFERENTIAL") throw std::runtime_error("DIFFERENTIAL expected, it was " + action);
  }

  void check() {
    for (std::size_t i = 0; i < shape_.recursions.size(); ++i) {
      const std::string table = "st" + std::to_string(i);
      const std::string& query = shape_.recursions[i].query;
      const std::string wrong = session_.value("SELECT count(*) FROM ((TABLE " + table + " EXCEPT ALL (" + query +
                                               ")) UNION ALL ((" + query + ") EXCEPT ALL TABLE " + table + ")) d");
      if (wrong != "0") throw std::runtime_error(table + " differs from its query in " + wrong + " rows");
    }
  }

  const Shape& shape_;
  int repetitions_;
  test::TestDatabase db_;
  test::Session session_;
  ProcessorTime processor_;
};

}  // namespace

void measure_recursive(const Options& options, Report& report) {
  for (const auto& shape : shapes()) {
    progress("recursion: " + shape.name);
    report.heading("WITH RECURSIVE, " + shape.name);
    report.table_header({"query", "change", "differential, processor", "differential, round trip", "the query",
                         "query / differential"});
    RecursiveBench bench(shape, options.recursive_rounds);
    for (const auto& change : shape.changes) bench.measure(change, report);
  }
  report.paragraph("");
}

}  // namespace pgt::bench
