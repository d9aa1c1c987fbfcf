#include <algorithm>

#include "property/compound_schema.h"
#include "property/compound_statements.h"
#include "property/query.h"
#include "property/scenario.h"

namespace pgt::property {
namespace {

constexpr int kStreams = 7;
constexpr int kSteps = 20;

class ScenarioGenerator {
 public:
  ScenarioGenerator(std::uint64_t seed, const Switches& switches)
      : random_(seed), switches_(switches), made_(random_compound_schema(random_)) {
    scenario_.seed = seed;
  }

  Scenario scenario() {
    for (const auto* part : {&made_.schema.ddl, &made_.schema.rows, &made_.schema.views, &made_.programs})
      scenario_.setup.insert(scenario_.setup.end(), part->begin(), part->end());
    add_streams();
    for (int i = 0; i < kSteps; ++i) add_step();
    return std::move(scenario_);
  }

 private:
  /// The last one reads some of the others: what one statement changes reaches it in more than one way.
  void add_streams() {
    auto sources = made_.schema.sources;
    while (scenario_.streams.size() < kStreams) {
      const std::size_t number = scenario_.streams.size();
      auto choices = number + 1 < kStreams ? made_.schema.sources : sources;
      const Query query = random_query(random_, switches_, choices);
      const bool by_order = query.features[static_cast<std::size_t>(Feature::kUserAggregate)];
      if ((query.features & ~switches_.expected).any() || by_order) continue;
      Stream stream;
      stream.name = "app.st" + std::to_string(number);
      stream.query = query.sql;
      stream.features = query.features;
      stream.immediate = true;
      for (std::size_t other = 0; other < number; ++other) {
        if (query.sql.find(scenario_.streams[other].name + " ") != std::string::npos) stream.reads.push_back(other);
      }
      FeatureSet over;
      over.set(static_cast<std::size_t>(Feature::kStreamSource));
      sources.push_back({stream.name, query.columns, {}, query.rows, 1, over});
      scenario_.streams.push_back(std::move(stream));
    }
  }

  void sql(const std::string& text) { step_.ops.push_back({Op::Kind::kSql, 0, text, {}}); }
  void check() { step_.ops.push_back({Op::Kind::kCheckNow, 0, {}, {}}); }
  void attempt(const std::string& text, bool guarded = false) {
    step_.ops.push_back({Op::Kind::kTry, 0, text, {}, guarded});
    check();
  }
  void statements(int most, bool alone, int guarded_percent) {
    for (int i = random_.between(1, most); i > 0; --i)
      attempt(compound_statement(random_, made_, alone), random_.chance(guarded_percent));
  }

  void transaction() {
    static const std::vector<std::string> kLevels = {"", "", "", " ISOLATION LEVEL REPEATABLE READ",
                                                     " ISOLATION LEVEL SERIALIZABLE"};
    const std::string level = random_.pick(kLevels);
    step_.label = "a transaction" + level;
    sql("BEGIN" + level);
    if (random_.chance(10)) sql("SET LOCAL session_replication_role = replica");  // no foreign keys, no user's triggers
    const bool deferred = random_.chance(30);
    if (deferred) sql("SET CONSTRAINTS ALL DEFERRED");
    statements(4, false, 60);
    if (deferred && random_.chance(50)) attempt("SET CONSTRAINTS ALL IMMEDIATE");
    if (random_.chance(40)) {
      sql("SAVEPOINT s");
      statements(2, false, 60);
      sql(random_.chance(60) ? "ROLLBACK TO s" : "RELEASE s");
      check();
      statements(1, false, 60);
    }
    sql(random_.chance(80) ? "COMMIT" : "ROLLBACK");
    check();
  }

  void add_step() {
    step_ = {};
    if (random_.chance(15)) attempt(bounding_statement(made_));
    if (random_.chance(60)) {
      statements(3, true, 0);
    } else {
      transaction();
    }
    scenario_.steps.push_back(std::move(step_));
  }

  Random random_;
  const Switches& switches_;
  CompoundSchema made_;
  Scenario scenario_;
  Step step_;
};

}  // namespace

Scenario random_compound_scenario(std::uint64_t seed, const Switches& switches) {
  return ScenarioGenerator(seed, switches).scenario();
}

}  // namespace pgt::property
