#include "property/runner.h"

#include <algorithm>
#include <memory>

#include "support/database.h"
#include "support/oracle.h"

namespace pgt::property {
namespace {

using test::Session;
using test::TestDatabase;

/// The query itself raises an error: nothing to blame pgtrickle for.
class QueryRaises : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Runner {
 public:
  explicit Runner(const Scenario& scenario) : scenario_(scenario), alive_(scenario.streams.size(), false) {}

  Outcome run() {
    connect();
    try {
      setup();
      for (std::size_t i = 0; i < scenario_.streams.size() && !failed(); ++i) create(i);
      for (at_ = 0; at_ < scenario_.steps.size() && !failed(); ++at_) {
        for (const auto& op : scenario_.steps[at_].ops) {
          if (!failed()) perform(op);
        }
        if (!failed()) ++outcome_.steps;
      }
    } catch (const QueryRaises& error) {
      ++outcome_.skipped;
      outcome_.skip_reasons.emplace_back(error.what());
    } catch (const std::exception& error) {
      fail(Failure::Kind::kSql, 0, error.what());
    }
    forget_prepared();
    return std::move(outcome_);
  }

 private:
  [[nodiscard]] bool failed() const { return outcome_.failure.has_value(); }

  void fail(Failure::Kind kind, std::size_t stream, const std::string& message) {
    if (!failed()) outcome_.failure = Failure{kind, at_, stream, message};
  }

  void connect() {
    // The time zone must not depend on the machine. Compiling plans would take longer than running them.
    for (const char* setting : {"TimeZone = 'Europe/Berlin'", "jit = off", "client_min_messages = error"}) {
      Session(db_.dsn()).exec("ALTER DATABASE " + db_.name() + " SET " + setting);
    }
    for (auto& session : sessions_) {
      session = std::make_unique<Session>(db_.dsn());
      session->exec("SET statement_timeout = '20s'; SET lock_timeout = '5s'");
    }
  }

  void setup() {
    std::string all;
    for (const auto& statement : scenario_.setup) all += statement + ";\n";
    try {
      sessions_[0]->exec(all);
    } catch (const pqxx::sql_error&) {
      // A view whose query PostgreSQL rejects makes the whole scenario void; that must be rare.
      sessions_[0]->exec("ROLLBACK");
      for (const auto& statement : scenario_.setup) {
        try {
          sessions_[0]->exec(statement);
        } catch (const pqxx::sql_error& error) {
          if (statement.rfind("CREATE VIEW", 0) != 0) throw;
          throw QueryRaises(std::string(error.what()) + "in " + statement);
        }
      }
    }
  }

  bool query_raises(std::size_t i, std::string& why) {
    try {
      Session(db_.dsn()).exec("SET statement_timeout = '20s'; SELECT count(*) FROM (SELECT q::text FROM (" +
                              scenario_.streams[i].query + ") q) q2");
      return false;
    } catch (const pqxx::sql_error& error) {
      why = std::string(error.what()) + "in " + scenario_.streams[i].query;
      return true;
    }
  }

  void create(std::size_t i) {
    const Stream& stream = scenario_.streams[i];
    if (std::any_of(stream.reads.begin(), stream.reads.end(), [&](std::size_t other) { return !alive_[other]; }))
      return;
    std::string why;
    if (query_raises(i, why)) {
      ++outcome_.skipped;
      outcome_.skip_reasons.push_back(why);
      return;
    }
    try {
      db_.create_stream_table(stream.name, stream.query, "DIFFERENTIAL");
      const std::string mode = db_.effective_mode(stream.name);
      if (mode != "DIFFERENTIAL") return fail(Failure::Kind::kCreate, i, "its effective mode is " + mode);
    } catch (const std::exception& error) {
      return fail(Failure::Kind::kCreate, i, error.what());
    }
    // Small tables would otherwise be recomputed at every refresh, and the delta program never run.
    sessions_[0]->exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL");
    alive_[i] = true;
    ++outcome_.streams;
    check(i);
  }

  void perform(const Op& op) {
    switch (op.kind) {
      case Op::Kind::kSql:
      case Op::Kind::kChange:
        try {
          sessions_[static_cast<std::size_t>(op.session)]->exec(op.sql);
        } catch (const pqxx::sql_error& error) {
          fail(Failure::Kind::kSql, 0, std::string(error.what()) + "in " + op.sql);
        }
        return;
      default:
        break;
    }
    for (std::size_t i = 0; i < scenario_.streams.size() && !failed(); ++i) {
      const bool meant = op.streams.empty() || std::find(op.streams.begin(), op.streams.end(), i) != op.streams.end();
      if (!alive_[i] || !meant) continue;
      if (op.kind == Op::Kind::kCheck)
        check(i);
      else
        refresh(op, i);
    }
  }

  void refresh(const Op& op, std::size_t i) {
    Session& session = *sessions_[0];
    const std::string argument = "(" + session.quote(scenario_.streams[i].name) + ")";
    try {
      if (op.kind == Op::Kind::kCall) {
        session.exec("CALL pgtrickle.refresh" + argument);
      } else if (op.kind == Op::Kind::kSelect) {
        session.exec("SELECT pgtrickle.refresh_stream_table" + argument);
      } else {
        session.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM pgtrickle_state.refresh_" +
                     std::to_string(db_.id_of(scenario_.streams[i].name)) + "(" + session.quote(op.sql) + "); COMMIT");
      }
      ++outcome_.refreshes;
    } catch (const pqxx::sql_error& error) {
      std::string why;
      if (query_raises(i, why)) throw QueryRaises(why);
      fail(Failure::Kind::kRefresh, i, error.what());
    }
  }

  void check(std::size_t i) {
    ++outcome_.checks;
    const auto result = test::equals_query(*sessions_[0], scenario_.streams[i].name);
    if (!result) {
      std::string why;
      if (query_raises(i, why)) throw QueryRaises(why);
      fail(Failure::Kind::kDiffers, i, result.message());
    }
  }

  // A prepared transaction that is left over would keep the database from being dropped.
  void forget_prepared() {
    try {
      for (auto& session : sessions_) session.reset();
      Session session(db_.dsn());
      for (const auto& row : session.exec("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()")) {
        session.exec("ROLLBACK PREPARED " + session.quote(row[0].as<std::string>()));
      }
    } catch (const std::exception&) {
      // The next scenario will say what is wrong.
    }
  }

  const Scenario& scenario_;
  TestDatabase db_;
  std::unique_ptr<Session> sessions_[2];
  std::vector<bool> alive_;
  std::size_t at_ = 0;
  Outcome outcome_;
};

}  // namespace

Outcome run(const Scenario& scenario) {
  return Runner(scenario).run();
}

}  // namespace pgt::property
