// WITH RECURSIVE over small random graphs. Nodes are few, so that there are circles, several ways and equal edges.
#include "property/scenario.h"

namespace pgt::property {
namespace {

constexpr int kStreams = 6;
constexpr int kSteps = 8;
constexpr int kNodes = 8;
constexpr int kMostEdges = 15;

class ScenarioGenerator {
 public:
  explicit ScenarioGenerator(std::uint64_t seed) : random_(seed) { scenario_.seed = seed; }

  Scenario scenario() {
    static const std::vector<std::string> kTypes = {"int", "int", "text", "numeric"};
    type_ = random_.pick(kTypes);
    add_tables();
    for (int i = 0; i < kStreams; ++i) {
      Stream stream;
      stream.name = "app.st" + std::to_string(i);
      stream.query = query();
      stream.immediate = random_.chance(40);
      scenario_.streams.push_back(std::move(stream));
    }
    for (int i = 0; i < kSteps; ++i) add_step(i == 0);
    return std::move(scenario_);
  }

 private:
  // Tables
  // -----------------------------------------------------------------------------------------------------------------

  std::string node() {
    std::string number = std::to_string(random_.between(1, kNodes));
    if (type_ == "text") return "'" + number + "'";
    // Equal, and not the same.
    if (type_ == "numeric" && random_.chance(40)) return number + (random_.chance(50) ? ".0" : ".00");
    return number;
  }
  std::string node_or_null() { return !not_null_ && random_.chance(8) ? "NULL" : node(); }
  std::string cost() { return std::to_string(random_.between(0, 3)); }
  std::string label() { return std::string("'") + static_cast<char>('a' + random_.between(0, 2)) + "'"; }
  std::string truth() { return random_.chance(60) ? "true" : "false"; }

  std::string edge() { return "(" + node_or_null() + ", " + node_or_null() + ", " + cost() + ")"; }
  /// It leads upwards, so there are no circles.
  std::pair<std::string, std::string> ends_of_arc() {
    const int from = random_.between(1, kNodes - 1);
    return {std::to_string(from), std::to_string(random_.between(from + 1, kNodes))};
  }
  std::string arc() {
    const auto [from, to] = ends_of_arc();
    return "(" + from + ", " + to + ", " + cost() + ")";
  }
  std::string start() { return "(" + node_or_null() + ")"; }
  std::string place() { return "(" + node_or_null() + ", " + label() + ", " + truth() + ")"; }

  std::string insert(const std::string& table, std::string (ScenarioGenerator::*row)(), int rows) {
    std::string sql = "INSERT INTO app." + table + " VALUES ";
    std::string last;
    for (int i = 0; i < rows; ++i) {
      last = i > 0 && random_.chance(10) ? last : (this->*row)();
      sql += (i == 0 ? "" : ", ") + last;
    }
    return sql;
  }

  void add_tables() {
    not_null_ = random_.chance(40);
    const std::string column = type_ + (not_null_ ? " NOT NULL" : "");
    auto& setup = scenario_.setup;
    setup = {"CREATE SCHEMA app", "CREATE TABLE app.edges (src " + column + ", dst " + column + ", cost int NOT NULL)",
             "CREATE TABLE app.arcs (src int NOT NULL, dst int NOT NULL, cost int, CHECK (src < dst))",
             "CREATE TABLE app.starts (id " + column + ")",
             "CREATE TABLE app.places (id " + column + ", label text, open boolean)"};
    for (const std::string on :
         {"edges (src)", "edges (dst)", "arcs (src)", "arcs (dst)", "starts (id)", "places (id)"})
      if (random_.chance(65)) setup.push_back("CREATE INDEX ON app." + on);
    setup.push_back(insert("edges", &ScenarioGenerator::edge, random_.between(6, 12)));
    setup.push_back(insert("arcs", &ScenarioGenerator::arc, random_.between(6, 12)));
    setup.push_back(insert("starts", &ScenarioGenerator::start, random_.between(1, 3)));
    setup.push_back(insert("places", &ScenarioGenerator::place, random_.between(3, 9)));
  }

  // Queries
  // -----------------------------------------------------------------------------------------------------------------

  /// What is true of the node: asked of a second table, in the recursive term.
  std::string condition_on(const std::string& of) {
    const std::string same = "p.id::text = " + of + "::text";
    switch (random_.below(4)) {
      case 0:
        return "EXISTS (SELECT FROM app.places p WHERE " + same + " AND p.open)";
      case 1:
        return "NOT EXISTS (SELECT FROM app.places p WHERE " + same + " AND p.open)";
      case 2:
        return of + "::text IN (SELECT p.id::text FROM app.places p WHERE p.label <> 'a')";
      default:
        return "e.cost < " + cost();
    }
  }

  /// The CTE r (src, dst, n, label), with some of these columns: dst always. `all`: by UNION ALL.
  std::string recursion(bool& all) {
    all = random_.chance(45);
    const bool arcs = random_.chance(all ? 60 : 15);
    const std::string table = arcs ? "app.arcs" : "app.edges";
    const bool from = random_.chance(35);
    // Ways in a circle have to end somewhere.
    const bool depth = (all && !arcs) || random_.chance(20);
    const bool labelled = random_.chance(30);
    const bool back = random_.chance(20);
    const std::string here = back ? "e.src" : "e.dst";
    const std::string there = back ? "e.dst" : "e.src";

    std::string columns;
    std::string first;
    std::string next;
    const auto add = [&](const std::string& column, const std::string& at_first, const std::string& then) {
      columns += (columns.empty() ? "" : ", ") + column;
      first += (first.empty() ? "" : ", ") + at_first;
      next += (next.empty() ? "" : ", ") + then;
    };
    const bool from_edges = from || arcs || random_.chance(30);
    const std::string start = from_edges ? (random_.chance(50) ? here : there) : "e.id";
    if (from) add("src", there, "r.src");
    add("dst", start, here);
    if (depth) add("n", "1", "r.n + 1");
    if (labelled) add("label", "NULL::text", "p.label");

    std::string base = "SELECT " + first + " FROM ";
    if (from_edges) {
      base += table + " e";
      if (random_.chance(60)) base += " WHERE e.cost < " + cost();
    } else {
      base += "app.starts e";
      if (random_.chance(25)) base += " JOIN app.places p ON p.id = e.id AND p.open";
    }
    std::string step = "SELECT " + next + " FROM ";
    const std::string on = there + " = r.dst";
    step += random_.chance(50) ? "r JOIN " + table + " e ON " + on : table + " e JOIN r ON " + on;
    if (labelled) {
      static const std::vector<std::string> kJoins = {" JOIN ", " LEFT JOIN "};
      step += random_.pick(kJoins) + "app.places p ON p.id::text = " + here + "::text";
    }
    std::string where;
    if (depth) where = "r.n < 3";
    if (random_.chance(40)) where += (where.empty() ? "" : " AND ") + condition_on(here);
    if (!where.empty()) step += " WHERE " + where;
    return "r (" + columns + ") AS (" + base + (all ? " UNION ALL " : " UNION ") + step + ")";
  }

  /// A query over it.
  std::string query() {
    bool all = false;
    std::string sql = "WITH RECURSIVE " + recursion(all);
    if (random_.chance(15)) {  // followed by one that begins with its rows
      return sql +
             ", r2 (id) AS (SELECT dst::text FROM r UNION SELECT e.dst::text FROM r2 JOIN app.edges e ON e.src::text = "
             "r2.id) SELECT id FROM r2";
    }
    switch (random_.below(8)) {
      case 0:
        return sql + " SELECT dst, count(*) AS ways FROM r GROUP BY dst";
      case 1:
        return sql + " SELECT count(*) AS n, count(DISTINCT dst) AS nodes, min(dst) AS first FROM r";
      case 2:
        return sql + " SELECT r.dst, p.label FROM r JOIN app.places p ON p.id::text = r.dst::text";
      case 3:
        return sql + " SELECT p.id, p.label, r.dst FROM app.places p LEFT JOIN r ON r.dst::text = p.id::text";
      case 4:
        return sql + " SELECT p.id FROM app.places p WHERE NOT EXISTS (SELECT FROM r WHERE r.dst::text = p.id::text)";
      case 5:
        return all ? sql + " SELECT * FROM r" : sql + " SELECT a.dst FROM r a JOIN r b ON b.dst = a.dst";
      default:
        return sql + " SELECT * FROM r";
    }
  }

  // Steps
  // -----------------------------------------------------------------------------------------------------------------

  std::string some(const std::string& table, int most) {
    return "ctid IN (SELECT x.ctid FROM app." + table + " x ORDER BY x::text COLLATE \"C\", x.ctid OFFSET " +
           std::to_string(random_.between(0, 8)) + " LIMIT " + std::to_string(random_.between(1, most)) + ")";
  }

  std::string change() {
    const auto [from, to] = ends_of_arc();
    switch (random_.below(14)) {
      case 0:
      case 1:
        return insert("edges", &ScenarioGenerator::edge, random_.between(1, 3));
      case 2:
      case 3:
        return "DELETE FROM app.edges WHERE " + some("edges", 3);
      case 4:
        return "UPDATE app.edges SET dst = " + node_or_null() + " WHERE " + some("edges", 2);
      case 5:
        return "UPDATE app.edges SET src = dst, dst = src WHERE " + some("edges", 2);
      case 6:
        return "UPDATE app.edges SET cost = " + cost() + " WHERE " + some("edges", 4);
      case 7:
        return insert("arcs", &ScenarioGenerator::arc, random_.between(1, 3));
      case 8:
        return "DELETE FROM app.arcs WHERE " + some("arcs", 3);
      case 9:
        return "UPDATE app.arcs SET src = " + from + ", dst = " + to + " WHERE " + some("arcs", 2);
      case 10:
        return insert("starts", &ScenarioGenerator::start, 1);
      case 11:
        return "DELETE FROM app.starts WHERE " + some("starts", 2);
      case 12:
        return random_.chance(50) ? insert("places", &ScenarioGenerator::place, 2)
                                  : "DELETE FROM app.places WHERE " + some("places", 2);
      default:
        if (random_.chance(10)) return "TRUNCATE app.edges";
        return "UPDATE app.places SET open = NOT open, label = " + label() + " WHERE " + some("places", 3);
    }
  }

  void add_step(bool first) {
    Step step;
    const auto sql = [&](const std::string& text, Op::Kind kind = Op::Kind::kSql) {
      step.ops.push_back({kind, 0, text, {}});
    };
    if (first && random_.chance(50)) {  // all rows are derived once more where there are more than a few
      sql("CREATE OR REPLACE FUNCTION pgtrickle._recursion_budget(state regclass, share double precision) RETURNS "
          "bigint LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS 'SELECT " +
          std::to_string(random_.between(0, 4)) + "::bigint'");
    }
    const int changes = random_.between(1, 4);
    const bool together = changes > 1 && random_.chance(60);
    const bool undone = together && random_.chance(15);
    if (together) sql("BEGIN");
    for (int i = 0; i < changes; ++i) {
      sql(change(), Op::Kind::kChange);
      step.ops.push_back({Op::Kind::kCheckNow, 0, {}, {}});
    }
    if (together) sql(undone ? "ROLLBACK" : "COMMIT");
    for (const std::string table : {"edges", "arcs"})
      sql("DELETE FROM app." + table + " WHERE ctid IN (SELECT x.ctid FROM app." + table +
          " x ORDER BY x::text COLLATE \"C\", x.ctid OFFSET " + std::to_string(kMostEdges) + ")");
    step.ops.push_back({random_.chance(70) ? Op::Kind::kCall : Op::Kind::kSelect, 0, {}, {}});
    step.ops.push_back({Op::Kind::kCheck, 0, {}, {}});
    scenario_.steps.push_back(std::move(step));
  }

  Random random_;
  std::string type_;  // of nodes
  bool not_null_ = false;
  Scenario scenario_;
};

}  // namespace

Scenario random_recursive_scenario(std::uint64_t seed, const Switches& /*switches*/) {
  return ScenarioGenerator(seed).scenario();
}

}  // namespace pgt::property
