#include "property/runner.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>

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

/// Adds the time that it lives.
class Stopwatch {
 public:
  explicit Stopwatch(double& total) : total_(total) {}
  ~Stopwatch() { total_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double& total_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::unique_ptr<TestDatabase> fresh_database() {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  return std::make_unique<TestDatabase>();
}

class Runner {
 public:
  explicit Runner(const Scenario& scenario)
      : scenario_(scenario),
        db_(fresh_database()),
        alive_(scenario.streams.size(), false),
        comparisons_(scenario.streams.size()) {}

  Outcome run() {
    connect();
    try {
      setup();
      for (std::size_t i = 0; i < scenario_.streams.size(); ++i) create(i);
      for (at_ = 0; at_ < scenario_.steps.size() && !stopped_; ++at_) {
        for (const auto& op : scenario_.steps[at_].ops) {
          if (!stopped_) perform(op);
        }
        if (!stopped_) ++outcome_.steps;
      }
    } catch (const QueryRaises& error) {
      ++outcome_.skipped;
      outcome_.skip_reasons.emplace_back(error.what());
    } catch (const std::exception& error) {
      stop(error.what());
    }
    forget_prepared();
    return std::move(outcome_);
  }

 private:
  /// Nothing that follows would mean anything.
  void stop(const std::string& message) {
    outcome_.failures.push_back({Failure::Kind::kSql, at_, 0, message});
    stopped_ = true;
  }

  /// The other stream tables go on, unless the error has broken the transaction that is open.
  void fail(Failure::Kind kind, std::size_t stream, const std::string& message) {
    outcome_.failures.push_back({kind, at_, stream, message});
    alive_[stream] = false;
    if (kind == Failure::Kind::kRefresh && in_transaction_[0]) stopped_ = true;
  }

  void connect() {
    // The time zone must not depend on the machine. Compiling plans would take longer than running them.
    Session admin(db_->dsn());
    for (const char* setting : {"TimeZone = 'Europe/Berlin'", "jit = off", "client_min_messages = error"}) {
      admin.exec("ALTER DATABASE " + db_->name() + " SET " + setting);
    }
    for (auto& session : sessions_) {
      session = std::make_unique<Session>(db_->dsn());
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
      sessions_[2]->exec("SELECT count(*) FROM (SELECT q::text FROM (" + scenario_.streams[i].query + ") q) q2");
      return false;
    } catch (const pqxx::sql_error& error) {
      why = std::string(error.what()) + "in " + scenario_.streams[i].query;
      return true;
    }
  }

  bool is_recomputed_for_its_order(const std::string& name) {
    return sessions_[0]->value(
               "SELECT reason LIKE '%in the order that its ORDER BY gives them%' FROM "
               "pgtrickle.pgt_stream_tables WHERE pgt_id = " +
               std::to_string(db_->id_of(name))) == "t";
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
      const Stopwatch watch(outcome_.create_seconds);
      if (stream.immediate) {
        db_->create_stream_table(stream.name, stream.query, "IMMEDIATE");
        return created(i);
      }
      // What a user's aggregate makes of the order of a subquery nobody knows: then recomputing is right.
      const bool by_order = stream.features[static_cast<std::size_t>(Feature::kUserAggregate)];
      db_->create_stream_table(stream.name, stream.query, stream.differential && !by_order ? "DIFFERENTIAL" : "AUTO");
      const std::string mode = db_->effective_mode(stream.name);
      if (mode != "DIFFERENTIAL" && stream.differential && !(by_order && is_recomputed_for_its_order(stream.name)))
        return fail(Failure::Kind::kCreate, i, "its effective mode is " + mode + "\nquery: " + stream.query);
      if (mode != "DIFFERENTIAL") ++outcome_.full;
    } catch (const std::exception& error) {
      return fail(Failure::Kind::kCreate, i, std::string(error.what()) + "\nquery: " + stream.query);
    }
    created(i);
  }

  void created(std::size_t i) {
    // Small tables would otherwise be recomputed at every refresh, and the delta program never run.
    sessions_[0]->exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL WHERE full_threshold IS NOT NULL");
    alive_[i] = true;
    ++outcome_.streams;
    const FeatureSet& features = scenario_.streams[i].features;
    for (std::size_t f = 0; f < features.size(); ++f) {
      if (features[f]) ++outcome_.uses[static_cast<Feature>(f)];
    }
    check(i, 0);
  }

  void perform(const Op& op) {
    switch (op.kind) {
      case Op::Kind::kSql:
      case Op::Kind::kChange:
      case Op::Kind::kTry:
        return statement(op);
      default:
        break;
    }
    for (std::size_t i = 0; i < scenario_.streams.size() && !stopped_; ++i) {
      const bool meant = op.streams.empty() || std::find(op.streams.begin(), op.streams.end(), i) != op.streams.end();
      if (!alive_[i] || !meant) continue;
      if (op.kind == Op::Kind::kCheck)
        check(i, 0);
      else if (op.kind == Op::Kind::kCheckNow && scenario_.streams[i].immediate)
        check(i, static_cast<std::size_t>(op.session));
      else if (op.kind != Op::Kind::kCheckNow)
        refresh(op, i);
    }
  }

  void statement(const Op& op) {
    const bool ends = op.sql == "COMMIT" || op.sql == "ROLLBACK" || op.sql.starts_with("PREPARE TRANSACTION");
    Session& session = *sessions_[op.session];
    bool& in_transaction = in_transaction_[op.session];
    if (rolled_back_[op.session]) {  // by an error: nothing more until it ends
      if (ends) rolled_back_[op.session] = false;
      return;
    }
    const bool guarded = op.guarded && in_transaction;
    try {
      if (guarded) session.exec("SAVEPOINT guard");
      session.exec(op.sql);
      if (guarded) session.exec("RELEASE guard");
    } catch (const pqxx::failure& error) {
      const auto* sql_error = dynamic_cast<const pqxx::sql_error*>(&error);
      const bool own = sql_error != nullptr && is_of_statement(*sql_error) && (op.kind == Op::Kind::kTry || ends);
      if (!own) return stop(std::string(error.what()) + "in " + op.sql);
      ++outcome_.errors;
      if (guarded) {
        session.exec("ROLLBACK TO guard");
      } else if (in_transaction) {
        session.exec("ROLLBACK");
        rolled_back_[op.session] = !ends;
        in_transaction = false;
      }
      return;
    }
    if (op.sql.starts_with("BEGIN")) in_transaction = true;
    if (ends) in_transaction = false;
  }

  /// Would it also fail if nobody had a stream table?
  static bool is_of_statement(const pqxx::sql_error& error) {
    static const std::set<std::string> kCodes = {
        "27000",  // a trigger has changed the same row
        "21000",  // MERGE, ON CONFLICT: a row twice
        "55006",  // TRUNCATE in a trigger
        "0A000",  // TRUNCATE without CASCADE; a trigger that moves a row
    };
    const std::string& code = error.sqlstate();
    return (code.starts_with("23") || kCodes.contains(code)) &&
           std::string(error.what()).find("pgtrickle") == std::string::npos;
  }

  void refresh(const Op& op, std::size_t i) {
    Session& session = *sessions_[0];
    const std::string argument = "(" + session.quote(scenario_.streams[i].name) + ")";
    try {
      const Stopwatch watch(outcome_.refresh_seconds);
      if (op.kind == Op::Kind::kCall) {
        session.exec("CALL pgtrickle.refresh" + argument);
      } else if (op.kind == Op::Kind::kSelect) {
        session.exec("SELECT pgtrickle.refresh_stream_table" + argument);
      } else {
        session.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM pgtrickle_state.refresh_" +
                     std::to_string(db_->id_of(scenario_.streams[i].name)) + "(" + session.quote(op.sql) + "); COMMIT");
      }
      ++outcome_.refreshes;
    } catch (const pqxx::sql_error& error) {
      if (op.kind == Op::Kind::kProgram) session.exec("ROLLBACK");
      std::string why;
      if (query_raises(i, why)) throw QueryRaises(why);
      fail(Failure::Kind::kRefresh, i, error.what());
    }
  }

  /// One statement that evaluates the query once and answers with a row if anything differs.
  std::string comparison(std::size_t i) {
    const std::string& name = scenario_.streams[i].name;
    const std::string columns = sessions_[2]->value(
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = "
        "to_regclass(" +
        sessions_[2]->quote(name) + ") AND attnum > 0 AND NOT attisdropped");
    return "SELECT 1 FROM (SELECT 1 AS \"weight of the row\", t.* FROM " + name + " t UNION ALL SELECT -1, q.* FROM (" +
           scenario_.streams[i].query + ") q) AS b (\"weight of the row\", " + columns + ") GROUP BY " + columns +
           " HAVING sum(\"weight of the row\") <> 0 LIMIT 1";
  }

  void check(std::size_t i, std::size_t in_session) {
    Session& session = *sessions_[in_session];
    ++outcome_.checks;
    const Stopwatch watch(outcome_.check_seconds);
    if (comparisons_[i].empty()) comparisons_[i] = comparison(i);
    try {
      if (session.exec(comparisons_[i]).empty()) return;
    } catch (const pqxx::sql_error&) {
      // The oracle knows how to compare what has no equality, or says what is wrong.
      if (in_transaction_[in_session]) {
        stopped_ = true;
        std::string why;
        if (query_raises(i, why)) throw QueryRaises(why);
      }
    }
    const auto result = test::equals_query(session, scenario_.streams[i].name);
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
      Session session(db_->dsn());
      for (const auto& row : session.exec("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()")) {
        session.exec("ROLLBACK PREPARED " + session.quote(row[0].as<std::string>()));
      }
    } catch (const std::exception&) {
      // The next scenario will say what is wrong.
    }
  }

  const Scenario& scenario_;
  std::unique_ptr<TestDatabase> db_;
  std::unique_ptr<Session> sessions_[3];  // the third one only looks at what is committed
  std::vector<bool> alive_;
  std::vector<std::string> comparisons_;
  std::size_t at_ = 0;
  bool stopped_ = false;
  bool in_transaction_[2] = {false, false};
  bool rolled_back_[2] = {false, false};
  Outcome outcome_;
};

}  // namespace

Outcome run(const Scenario& scenario) {
  return Runner(scenario).run();
}

std::string signature(const Failure& failure) {
  std::string text = std::to_string(static_cast<int>(failure.kind));
  if (failure.kind == Failure::Kind::kDiffers) return text;
  const std::string line = failure.message.substr(0, failure.message.find('\n'));
  bool quoted = false;
  for (const char c : line) {
    if (c == '"' || c == '\'') quoted = !quoted;
    if (!quoted && std::isdigit(static_cast<unsigned char>(c)) == 0) text += c;
    if (text.size() > 70) break;
  }
  return text;
}

}  // namespace pgt::property
