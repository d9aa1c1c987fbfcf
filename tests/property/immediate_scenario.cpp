#include <algorithm>

#include "property/changes.h"
#include "property/query.h"
#include "property/scenario.h"
#include "property/schema.h"

namespace pgt::property {
namespace {

constexpr int kStreams = 10;
constexpr int kSteps = 10;
constexpr int kImmediatePercent = 85;

class ScenarioGenerator {
 public:
  ScenarioGenerator(std::uint64_t seed, const Switches& switches) : random_(seed), switches_(switches) {
    scenario_.seed = seed;
  }

  Scenario scenario() {
    schema_ = random_schema(random_, switches_);
    scenario_.setup = schema_.ddl;
    scenario_.setup.insert(scenario_.setup.end(), schema_.rows.begin(), schema_.rows.end());
    add_streams();
    for (int i = 0; i < kSteps; ++i) add_step();
    return std::move(scenario_);
  }

 private:
  void add_streams() {
    auto sources = schema_.sources;
    for (int i = 0; i < kStreams; ++i) {
      Stream stream;
      stream.name = schema_.name + "." + quoted("st" + std::to_string(i));
      auto choices = schema_.sources;
      if (i > 0 && random_.chance(25)) {  // over other stream tables, of whatever mode
        for (int copy = 0; copy < 3; ++copy) choices.push_back(sources.back());
        choices.push_back(sources[schema_.sources.size() + random_.below(sources.size() - schema_.sources.size())]);
      }
      const Query query = random_query(random_, switches_, choices);
      stream.query = query.sql;
      stream.features = query.features;
      stream.differential = (query.features & ~switches_.expected).none();
      // What a user's aggregate makes of the order of a subquery nobody knows: it may have to be recomputed.
      const bool by_order = query.features[static_cast<std::size_t>(Feature::kUserAggregate)];
      stream.immediate = stream.differential && !by_order && random_.chance(kImmediatePercent);
      for (std::size_t other = 0; other < scenario_.streams.size(); ++other) {
        if (query.sql.find(scenario_.streams[other].name + " ") != std::string::npos) stream.reads.push_back(other);
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
  void check(int session = 0) { step_.ops.push_back({Op::Kind::kCheckNow, session, {}, {}}); }
  /// Compared after each of them.
  void changes(int session, const ChangeOptions& options) {
    for (auto& statement : random_changes(random_, schema_, options)) {
      step_.ops.push_back({Op::Kind::kChange, session, std::move(statement), {}});
      check(session);
    }
  }
  void changes() { changes(0, {.savepoints = false}); }
  void end(int session = 0) {
    sql(random_.chance(75) ? "COMMIT" : "ROLLBACK", session);
    check(session);
  }

  void transaction() {
    static const std::vector<std::string> kLevels = {"", "", "", " ISOLATION LEVEL REPEATABLE READ",
                                                     " ISOLATION LEVEL SERIALIZABLE"};
    const std::string level = random_.pick(kLevels);
    step_.label = "a transaction" + level;
    sql("BEGIN" + level);
    changes(0, {});
    end();
  }

  void savepoints() {
    step_.label = "savepoints";
    sql("BEGIN");
    if (random_.chance(70)) changes();
    sql("SAVEPOINT a");
    changes();
    const bool nested = random_.chance(60);
    if (nested) {
      sql("SAVEPOINT b");
      changes();
      sql(random_.chance(60) ? "ROLLBACK TO b" : "RELEASE b");
      check();
      if (random_.chance(50)) changes();
    }
    sql(random_.chance(70) ? "ROLLBACK TO a" : "RELEASE a");
    check();
    if (random_.chance(60)) changes();
    end();
  }

  /// The second one waits, or gives up; neither session ever sees a difference.
  void two_sessions() {
    step_.label = "two sessions";
    sql("SET lock_timeout = '50ms'");
    sql("SET lock_timeout = '50ms'", 1);
    sql("BEGIN", 1);
    changes(1, {.truncate = false, .savepoints = false, .patient = false});
    const bool open = random_.chance(50);
    if (open) sql("BEGIN");
    for (int i = random_.between(1, 2); i > 0; --i) {
      changes(0, {.truncate = false, .savepoints = false, .patient = false});
      check(1);
      if (random_.chance(50)) changes(1, {.truncate = false, .savepoints = false, .patient = false});
    }
    const bool first = random_.chance(50);
    if (open && first) end();
    check(1);
    end(1);
    check();
    if (open && !first) {
      changes(0, {.truncate = false, .savepoints = false, .patient = false});
      end();
      check(1);
    }
    sql("SET lock_timeout = '5s'");
    sql("SET lock_timeout = '5s'", 1);
  }

  void prepared() {
    step_.label = "a prepared transaction";
    const std::string id =
        literal("pgt_immediate_" + std::to_string(scenario_.seed) + "_" + std::to_string(scenario_.steps.size()));
    sql("BEGIN", 1);
    changes(1, {.truncate = false, .savepoints = false});
    sql("PREPARE TRANSACTION " + id, 1);
    check();
    sql("SET lock_timeout = '50ms'");
    changes(0, {.truncate = false, .savepoints = false, .patient = false});
    sql("SET lock_timeout = '5s'");
    sql(std::string(random_.chance(70) ? "COMMIT" : "ROLLBACK") + " PREPARED " + id, 1);
    check();
    check(1);
  }

  /// The ones that are not IMMEDIATE write to what others read.
  void refresh() {
    step_.label = "refreshed";
    changes();
    step_.ops.push_back({Op::Kind::kCall, 0, {}, {}});
    step_.ops.push_back({Op::Kind::kCheck, 0, {}, {}});
  }

  void add_step() {
    step_ = {};
    if (random_.chance(20)) {
      for (auto& statement : bounding_changes(schema_))
        step_.ops.push_back({Op::Kind::kChange, 0, std::move(statement), {}});
      check();
    }
    switch (random_.weighted({20, 25, 25, 12, 5, 13})) {
      case 0:
        step_.label = "statements by themselves";
        changes();
        break;
      case 1:
        transaction();
        break;
      case 2:
        savepoints();
        break;
      case 3:
        two_sessions();
        break;
      case 4:
        prepared();
        break;
      default:
        refresh();
        break;
    }
    scenario_.steps.push_back(std::move(step_));
  }

  Random random_;
  const Switches& switches_;
  Scenario scenario_;
  Schema schema_;
  Step step_;
};

}  // namespace

Scenario random_immediate_scenario(std::uint64_t seed, const Switches& switches) {
  return ScenarioGenerator(seed, switches).scenario();
}

}  // namespace pgt::property
