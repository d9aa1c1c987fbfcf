#include "property/scenario.h"

#include <algorithm>

#include "property/changes.h"
#include "property/query.h"
#include "property/schema.h"

namespace pgt::property {
namespace {

constexpr int kStreams = 6;
constexpr int kSteps = 15;
constexpr int kWideStreams = 24;
constexpr int kWideSteps = 6;
constexpr int kWidePercent = 85;

class ScenarioGenerator {
 public:
  ScenarioGenerator(std::uint64_t seed, const Switches& switches) : random_(seed), switches_(switches) {
    scenario_.seed = seed;
  }

  Scenario scenario() {
    wide_ = random_.chance(kWidePercent);
    schema_ = random_schema(random_, switches_);
    add_views();
    scenario_.setup = schema_.ddl;
    scenario_.setup.insert(scenario_.setup.end(), schema_.rows.begin(), schema_.rows.end());
    scenario_.setup.insert(scenario_.setup.end(), schema_.views.begin(), schema_.views.end());
    add_streams();
    for (int i = 0; i < (wide_ ? kWideSteps : kSteps); ++i) add_step();
    return std::move(scenario_);
  }

 private:
  void add_views() {
    if (!random_.chance(35)) return;
    const Query query = random_query(random_, switches_, schema_.sources);
    const std::string name = schema_.name + ".view1";
    schema_.views.push_back("CREATE VIEW " + name + " AS " + query.sql);
    FeatureSet features = query.features;
    features.set(static_cast<std::size_t>(Feature::kViewSource));
    schema_.sources.push_back({name, query.columns, {}, query.rows, query.weight, features});
  }

  void add_streams() {
    auto sources = schema_.sources;
    for (int i = 0; i < (wide_ ? kWideStreams : kStreams); ++i) {
      Stream stream;
      const std::string plain = random_.chance(8) ? "Ström\"" + std::to_string(i) : "st" + std::to_string(i);
      stream.name = schema_.name + "." + quoted(plain);
      auto choices = schema_.sources;
      if (i > 0 && random_.chance(wide_ ? 12 : 25)) {  // over another stream table
        for (int copy = 0; copy < 4; ++copy) choices.push_back(sources.back());
      }
      const Query query = random_query(random_, switches_, choices);
      stream.query = query.sql;
      stream.features = query.features;
      stream.differential = (query.features & ~switches_.expected).none();
      for (std::size_t other = 0; other < scenario_.streams.size(); ++other) {
        const std::string& name = scenario_.streams[other].name;
        // Followed by a blank, as every FROM item is by its alias.
        if (query.sql.find(name + " ") != std::string::npos) stream.reads.push_back(other);
      }
      FeatureSet over;
      over.set(static_cast<std::size_t>(Feature::kStreamSource));
      sources.push_back({stream.name, query.columns, {}, query.rows, 1, over});
      scenario_.streams.push_back(std::move(stream));
    }
  }

  // Ops
  // -----------------------------------------------------------------------------------------------------------------

  void sql(const std::string& text, int session = 0) { step_.ops.push_back({Op::Kind::kSql, session, text, {}}); }
  void refresh(Op::Kind kind, const std::string& mode = {}) { step_.ops.push_back({kind, 0, mode, {}}); }
  void check() { step_.ops.push_back({Op::Kind::kCheck, 0, {}, {}}); }
  void changes(int session = 0, const ChangeOptions& options = {}) {
    for (auto& statement : random_changes(random_, schema_, options)) {
      step_.ops.push_back({Op::Kind::kChange, session, std::move(statement), {}});
    }
  }
  void transaction() {
    const int kind = random_.between(1, 10);
    sql("BEGIN");
    changes();
    sql(kind == 1 ? "ROLLBACK" : "COMMIT");
  }

  void own_changes(bool repeatable_read) {
    step_.label = repeatable_read ? "own changes, REPEATABLE READ" : "own changes, READ COMMITTED";
    sql(repeatable_read ? "BEGIN ISOLATION LEVEL REPEATABLE READ" : "BEGIN");
    changes();
    refresh(Op::Kind::kSelect);
    check();
    changes();
    const bool twice = random_.chance(40);
    if (twice) {
      refresh(Op::Kind::kSelect);
      check();
      if (random_.chance(50)) changes();
    }
    sql(random_.chance(85) ? "COMMIT" : "ROLLBACK");
    refresh(Op::Kind::kCall);
    check();
  }

  void undone_refresh() {
    step_.label = "a refresh undone by a savepoint";
    sql("BEGIN ISOLATION LEVEL REPEATABLE READ");
    changes();
    sql("SAVEPOINT before");
    changes();
    refresh(Op::Kind::kSelect);
    check();
    sql("ROLLBACK TO SAVEPOINT before");
    if (random_.chance(50)) {
      refresh(Op::Kind::kSelect);
      check();
    }
    sql("COMMIT");
    refresh(Op::Kind::kCall);
    check();
  }

  void late_commit() {
    step_.label = "another session writes first and commits last";
    sql("SET lock_timeout = '50ms'");
    sql("BEGIN", 1);
    changes(1, {.truncate = false, .patient = false});
    for (int i = random_.between(1, 2); i > 0; --i) {
      sql("BEGIN");
      changes(0, {.patient = false});
      sql("COMMIT");
      sql("SET lock_timeout = '5s'");
      refresh(Op::Kind::kCall);
      check();
      sql("SET lock_timeout = '50ms'");
    }
    if (random_.chance(50)) changes(1, {.truncate = false, .patient = false});
    sql(random_.chance(85) ? "COMMIT" : "ROLLBACK", 1);
    sql("SET lock_timeout = '5s'");
    refresh(Op::Kind::kCall);
    check();
  }

  void prepared() {
    step_.label = "a prepared transaction commits late";
    const std::string id =
        literal("pgt_property_" + std::to_string(scenario_.seed) + "_" + std::to_string(scenario_.steps.size()));
    sql("SET lock_timeout = '50ms'");
    sql("BEGIN", 1);
    changes(1, {.truncate = false, .patient = false});
    sql("PREPARE TRANSACTION " + id, 1);
    sql("BEGIN");
    changes(0, {.truncate = false, .patient = false});
    sql("COMMIT");
    sql("SET lock_timeout = '5s'");
    refresh(Op::Kind::kCall);
    check();
    sql(std::string(random_.chance(80) ? "COMMIT" : "ROLLBACK") + " PREPARED " + id, 1);
    refresh(Op::Kind::kCall);
    check();
  }

  void some_streams() {
    step_.label = "only some stream tables";
    transaction();
    Op op;
    op.kind = Op::Kind::kCall;
    for (std::size_t i = 0; i < scenario_.streams.size(); ++i) {
      if (random_.chance(50)) op.streams.push_back(i);
    }
    if (op.streams.empty()) op.streams.push_back(0);
    step_.ops.push_back(op);
    op.kind = Op::Kind::kCheck;
    step_.ops.push_back(op);
  }

  void add_step() {
    step_ = {};
    if (random_.chance(20)) {
      for (auto& statement : bounding_changes(schema_))
        step_.ops.push_back({Op::Kind::kChange, 0, std::move(statement), {}});
    }
    static const std::vector<int> kWide = {80, 0, 0, 0, 0, 0, 0, 15, 5, 0};
    static const std::vector<int> kSessions = {24, 14, 14, 8, 6, 12, 4, 8, 4, 6};
    switch (random_.weighted(wide_ ? kWide : kSessions)) {
      case 0:
        transaction();
        refresh(Op::Kind::kCall);
        check();
        break;
      case 1:
        step_.label = "refreshed in READ COMMITTED";
        transaction();
        refresh(Op::Kind::kSelect);
        check();
        break;
      case 2:
        own_changes(true);
        break;
      case 3:
        own_changes(false);
        break;
      case 4:
        undone_refresh();
        break;
      case 5:
        late_commit();
        break;
      case 6:
        prepared();
        break;
      case 7:
        step_.label = "several transactions";
        for (int i = random_.between(2, 4); i > 0; --i) transaction();
        refresh(Op::Kind::kCall);
        check();
        break;
      case 8:
        step_.label = "recomputed, or differential without need";
        transaction();
        refresh(Op::Kind::kProgram, random_.chance(60) ? "full" : "differential");
        check();
        break;
      default:
        some_streams();
        break;
    }
    scenario_.steps.push_back(std::move(step_));
  }

  Random random_;
  const Switches& switches_;
  bool wide_ = true;
  Scenario scenario_;
  Schema schema_;
  Step step_;
};

}  // namespace

Scenario random_scenario(std::uint64_t seed, const Switches& switches) {
  return ScenarioGenerator(seed, switches).scenario();
}

std::string to_sql_case(const Scenario& scenario) {
  std::string text = "-- Random scenario, seed " + std::to_string(scenario.seed) + ".\n-- setup\n";
  for (const auto& statement : scenario.setup) text += statement + ";\n";
  for (const auto& stream : scenario.streams) {
    text += "\n-- query " + stream.name +
            (stream.immediate      ? " IMMEDIATE\n-- expect-mode IMMEDIATE\n"
             : stream.differential ? " DIFFERENTIAL\n-- expect-mode DIFFERENTIAL\n"
                                   : "\n") +
            stream.query + "\n";
  }
  bool in_transaction = false;
  for (const auto& step : scenario.steps) {
    text += "\n-- step" + (step.label.empty() ? "" : " " + step.label) + "\n";
    for (const auto& op : step.ops) {
      const bool ours = op.session == 0;
      if (op.kind == Op::Kind::kSql || op.kind == Op::Kind::kChange || op.kind == Op::Kind::kTry) {
        if (ours && op.sql.rfind("BEGIN", 0) == 0) in_transaction = true;
        if (ours && (op.sql == "COMMIT" || op.sql == "ROLLBACK")) in_transaction = false;
        text += (ours ? "" : "/* session 2: */ ") + op.sql + ";\n";
      } else if (op.kind == Op::Kind::kCheckNow) {
        text += std::string("-- (compared") + (ours ? ")\n" : " in session 2)\n");
      } else if (in_transaction) {
        // Outside of transactions the runner of the case refreshes at the end of the step.
        for (std::size_t i = 0; i < scenario.streams.size(); ++i) {
          const bool meant =
              op.streams.empty() || std::find(op.streams.begin(), op.streams.end(), i) != op.streams.end();
          if (meant && op.kind == Op::Kind::kSelect) {
            text += "SELECT pgtrickle.refresh_stream_table('";
            for (const char c : scenario.streams[i].name) text += c == '\'' ? "''" : std::string(1, c);
            text += "');\n";
          }
        }
      } else if (op.kind != Op::Kind::kCheck) {
        const char* how = op.kind == Op::Kind::kCall     ? "CALL pgtrickle.refresh"
                          : op.kind == Op::Kind::kSelect ? "SELECT pgtrickle.refresh_stream_table"
                                                         : "pgtrickle_state.refresh_<id>";
        text += std::string("-- (") + how + (op.sql.empty() ? "" : " " + op.sql) +
                (op.streams.empty() ? "" : ", some") + ")\n";
      }
    }
  }
  return text;
}

}  // namespace pgt::property
