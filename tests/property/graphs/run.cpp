#include "property/graphs/run.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "property/graphs/as_of.h"
#include "support/oracle.h"
#include "support/process.h"

namespace pgt::graphs {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using test::DaemonProcess;
using test::Session;
using test::TestDatabase;

std::unique_ptr<TestDatabase> new_database() {
  static std::mutex mutex;  // names are given out one after the other
  const std::lock_guard lock(mutex);
  return std::make_unique<TestDatabase>();
}

/// Another transaction was in the way; the whole transaction is gone.
bool is_conflict(const std::exception& error) {
  if (dynamic_cast<const pqxx::transaction_rollback*>(&error) != nullptr) return true;
  const auto* sql = dynamic_cast<const pqxx::sql_error*>(&error);
  return sql != nullptr && (sql->sqlstate().starts_with("40") || sql->sqlstate() == "55P03");
}

class Run {
 public:
  explicit Run(const Case& from) : case_(from), db_(new_database()), watched_(from.components.size()) {}
  ~Run() { stop_threads(); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  Outcome go() {
    outcome_.tables = case_.tables.size();
    try {
      Session main(db_->dsn());
      prepare(main);
      work(main);
      stop_threads();
      if (!failed()) rest(main);
      outcome_.refreshes =
          std::stoul(main.value("SELECT coalesce(sum(total_refreshes), 0) FROM pgtrickle._refresh_stats"));
    } catch (const std::exception& error) {
      fail({Failure::Kind::kSql, {}, std::string("the case itself: ") + error.what()});
    }
    stop_threads();
    if (outcome_.failure && daemon_) outcome_.failure->message += "\nlogs of the daemons:\n" + logs_ + daemon_->log();
    return outcome_;
  }

 private:
  /// What the reader knows of a component. Guarded by mutex_.
  struct Watched {
    int epoch = 0;          // grows with every event that disturbs it
    bool disturbed = true;  // such an event is going on
    bool must_agree = false;
    std::optional<Clock::time_point> served_since;  // as the daemon says, and in agreement all the time
    std::string agreed_at;                          // source snapshot
  };

  void prepare(Session& main) {
    for (const std::string& sql : case_.setup) main.exec(sql);
    keep_history_of_bases(main, case_.bases);
    for (const Table& table : case_.tables) create_with_history(main, table);
    if (const std::string sql = group_sql(case_); !sql.empty()) main.exec(sql);
    start_daemon();
    wait_active(main);
    for (std::size_t c = 0; c < watched_.size(); ++c) settle(c);
  }

  void work(Session& main) {
    for (const auto& transactions : case_.writers) {
      threads_.emplace_back([this, &transactions] { guarded([&] { write(transactions); }); });
    }
    writing_ = threads_.size();
    threads_.emplace_back([this] { guarded([this] { watch(); }); });
    const auto start = Clock::now();
    for (const Event& event : case_.events) {
      while (!failed() && Clock::now() < start + milliseconds(event.at_ms)) std::this_thread::sleep_for(1ms);
      if (failed()) return;
      happen(main, event);
    }
    while (!failed() && writing_ > 0) {
      std::this_thread::sleep_for(5ms);
      if (!daemon_->running()) start_daemon();
    }
  }

  /// No more changes: without any help everything becomes fresh, and equal to its query.
  void rest(Session& main) {
    std::string behind;
    const auto fresh = [&] {
      if (!daemon_->running()) start_daemon();
      behind = main.table(
          "SELECT name, status, staleness, needs_reinit, last_error FROM pgtrickle.stream_tables "
          "WHERE staleness IS DISTINCT FROM '0' OR status <> 'ACTIVE' OR needs_reinit");
      return behind.empty();
    };
    if (!test::wait_until(fresh, 60s)) {
      fail({Failure::Kind::kNeverFresh, {}, "name|status|staleness|needs_reinit|last_error\n" + behind});
      return;
    }
    for (const Table& table : case_.tables) {
      const auto result = test::equals_query(main, table.name);
      if (!result) fail({Failure::Kind::kNotEqual, table.component, table.name + ": " + result.message()});
    }
  }

  // the daemon -------------------------------------------------------------------------------------------------------

  void start_daemon() {
    // On a busy machine a component would be refreshed in several transactions, as what takes long is.
    const char* config = std::getenv("PGT_CONFIG");
    if (daemon_) logs_ += daemon_->log() + "---\n";
    daemon_ = std::make_unique<DaemonProcess>(
        DaemonProcess::Options{.dsns = {db_->dsn()},
                               .config = config == nullptr ? "scheduler:\n  unit_max_cost: 1h\n" : config,
                               .wait_ready = false});
    port_ = daemon_->http_port();
    ++outcome_.restarts;
  }

  void wait_active(Session& main) {
    const auto active = [&] {
      if (!daemon_->running()) start_daemon();  // another process took its port just then
      return main.value("SELECT count(*) FROM pgtrickle.pgt_stream_tables WHERE status <> 'ACTIVE' OR needs_reinit") ==
             "0";
    };
    if (!test::wait_until(active, 120s)) {
      throw std::runtime_error("not built: " + main.table("SELECT pgt_name, status, last_error FROM "
                                                          "pgtrickle.pgt_stream_tables WHERE status <> 'ACTIVE'"));
    }
  }

  void happen(Session& main, const Event& event) {
    const auto later = [&] { std::this_thread::sleep_for(milliseconds(event.lasts_ms)); };
    if (event.kind == Event::Kind::kKill || event.kind == Event::Kind::kTerminate) {
      if (event.kind == Event::Kind::kKill) {
        daemon_->kill();
      } else if (daemon_->running()) {
        const int code = daemon_->stop();
        const bool too_early = code == 128 + SIGTERM;  // it had only just begun
        if (code != 0 && !too_early) {
          fail({Failure::Kind::kSql, {}, "the daemon ended with " + std::to_string(code) + ":\n" + daemon_->log()});
        }
      }
      later();
      start_daemon();
      return;
    }
    if (event.kind == Event::Kind::kHalt) {
      main.exec("SELECT pgtrickle.pause_scheduler('a test')");
      later();
      main.exec("SELECT pgtrickle.resume_scheduler()");
      return;
    }
    if (event.kind == Event::Kind::kGate) {
      gate(main, event);
      return;
    }
    const Table& table = case_.tables[event.table];
    const std::string name = main.quote(table.name);
    disturb(table.component);
    switch (event.kind) {
      case Event::Kind::kPause:
        persist(main, "SELECT pgtrickle.alter_stream_table(" + name + ", status => 'PAUSED')");
        later();
        persist(main, "SELECT pgtrickle.resume_stream_table(" + name + ")");
        break;
      case Event::Kind::kAlter: {
        std::vector<std::size_t> altered{event.table};
        if (case_.components[table.component].in_step) altered = case_.components[table.component].members;
        std::string sql = "BEGIN;";
        for (const std::size_t member : altered) {
          sql += "SELECT pgtrickle.alter_stream_table('" + case_.tables[member].name + "', schedule => '" +
                 event.schedule + "');";
        }
        persist(main, sql + "COMMIT");
        break;
      }
      case Event::Kind::kMode:
        persist(main, "SELECT pgtrickle.alter_stream_table(" + name + ", refresh_mode => '" +
                          (event.immediate ? "IMMEDIATE" : "DIFFERENTIAL") + "')");
        break;
      default:
        persist(main, "SELECT pgtrickle.drop_stream_table(" + name + ")");
        persist([&] { create_with_history(main, table); }, main);
    }
    settle(table.component);
  }

  /// Who reads the gated table waits, and the rest of its component goes on. A refresh that sees the gate must not have
  /// moved a frontier.
  void gate(Session& main, const Event& event) {
    const std::set<std::size_t> waiting = readers_of_base(case_, event.table);
    std::set<std::size_t> components;
    std::string names;
    for (const std::size_t table : waiting) {
      components.insert(case_.tables[table].component);
      names += (names.empty() ? "'" : ", '") + case_.tables[table].name + "'";
    }
    for (const std::size_t component : components) disturb(component);
    const std::string base = main.quote(base_name(event.table));
    const std::string gated_by = main.value("WITH gate AS MATERIALIZED (SELECT pgtrickle.gate_source(" + base +
                                            ")) SELECT pg_current_xact_id() FROM gate");
    std::this_thread::sleep_for(milliseconds(event.lasts_ms));
    if (!names.empty()) {
      const std::string moved = main.table(
          "SELECT s.pgt_name, f.snapshot FROM pgtrickle.pgt_stream_tables s JOIN pgtrickle.pgt_frontiers f USING "
          "(pgt_id) WHERE s.pgt_name IN (" +
          names + ") AND pg_visible_in_snapshot('" + gated_by + "'::xid8, f.snapshot)");
      if (!moved.empty()) {
        fail({Failure::Kind::kMoved, case_.tables[*waiting.begin()].component,
              base + " gated by " + gated_by + "\n" + moved});
      }
    }
    persist(main, "SELECT pgtrickle.ungate_source(" + base + ")");
    for (const std::size_t component : components) settle(component);
  }

  /// Repeats what a refresh at the same moment made fail.
  static void persist(Session& session, const std::string& sql) {
    persist([&] { session.exec(sql); }, session);
  }
  template <class Work>
  static void persist(Work work, Session& session) {
    for (int attempt = 1;; ++attempt) {
      try {
        work();
        return;
      } catch (const std::exception& error) {
        if (!is_conflict(error) || attempt == 20) throw;
        session.exec("ROLLBACK");
        std::this_thread::sleep_for(20ms);
      }
    }
  }

  // writers ----------------------------------------------------------------------------------------------------------

  void write(const std::vector<Transaction>& transactions) {
    Session session(db_->dsn());
    session.exec("SET deadlock_timeout = '50ms'");
    for (const Transaction& transaction : transactions) {
      try {
        for (const auto& statement : transaction.statements) {
          if (statement.pause_ms > 0) std::this_thread::sleep_for(milliseconds(statement.pause_ms));
          if (failed()) break;
          session.exec(statement.sql);
        }
        if (failed()) break;
        ++transactions_;
      } catch (const std::exception& error) {
        if (!is_conflict(error)) throw;
        session.exec("ROLLBACK");
      }
    }
    --writing_;
  }

  // the reader -------------------------------------------------------------------------------------------------------

  void disturb(std::size_t component) {
    const std::lock_guard lock(mutex_);
    Watched& watched = watched_[component];
    ++watched.epoch;
    watched.disturbed = true;
    watched.must_agree = false;
    watched.served_since.reset();
  }

  void settle(std::size_t component) {
    const std::lock_guard lock(mutex_);
    ++watched_[component].epoch;
    watched_[component].disturbed = false;
  }

  int epoch(std::size_t component) {
    const std::lock_guard lock(mutex_);
    return watched_[component].epoch;
  }

  /// Nothing happened to the component's stream tables since its epoch was this.
  bool undisturbed(std::size_t component, int since) {
    const std::lock_guard lock(mutex_);
    return watched_[component].epoch == since && !watched_[component].disturbed;
  }

  void watch() {
    Session session(db_->dsn());
    while (!failed() && !stopping_) {
      for (std::size_t c = 0; c < case_.components.size() && !failed() && !stopping_; ++c) {
        if (case_.components[c].members.empty()) continue;
        const int before = epoch(c);
        try {
          session.exec("BEGIN ISOLATION LEVEL REPEATABLE READ");
          look(session, c, before);
          session.exec("COMMIT");
        } catch (const pqxx::sql_error& error) {
          // A stream table was dropped or recreated while we looked.
          if (undisturbed(c, before)) throw std::runtime_error(std::string(error.what()) + "\n" + error.query());
          session.exec("ROLLBACK");
        }
      }
      std::this_thread::sleep_for(5ms);
    }
  }

  /// One component in one snapshot.
  void look(Session& session, std::size_t c, int epoch_before) {
    const Component& component = case_.components[c];
    std::vector<std::string> snapshots;
    bool ready = true;
    const pqxx::result frontiers = session.exec(frontiers_sql(case_, component));
    for (const auto& row : frontiers) {
      ready = ready && row[1].as<bool>();
      const auto snapshot = row[0].as<std::string>("");
      if (!snapshot.empty() && (snapshots.empty() || snapshots.back() != snapshot)) snapshots.push_back(snapshot);
    }
    std::string inexact;
    for (const std::size_t member : component.members) {
      pqxx::result rows = session.exec(equality_sql(case_, member));
      const bool immediate = !rows.empty();
      if (!immediate) rows = session.exec(exactness_sql(case_, member));
      if (rows.empty()) continue;
      ++(immediate ? outcome_.immediate : outcome_.exact);
      if (rows[0][0].as<long>() != 0) {
        inexact = case_.tables[member].name + ": " + rows[0][0].c_str() +
                  (immediate ? " rows differ, although it is IMMEDIATE" : " rows differ at its frontier");
        break;
      }
    }
    std::string agreed_at, disagreements;
    if (component.in_step && ready && frontiers.size() == component.members.size()) {
      for (const std::string& snapshot : snapshots) {
        const auto differ = session.exec(agreement_sql(case_, component, snapshot))[0][0].as<std::string>("");
        if (differ.empty()) {
          agreed_at = snapshot;
          break;
        }
        disagreements += "at " + snapshot + " these differ from their queries: " + differ + "\n";
      }
      judge(session, c, epoch_before, agreed_at, disagreements);
    }
    if (!inexact.empty() && undisturbed(c, epoch_before)) {
      fail({Failure::Kind::kNotExact, c, inexact + "\n" + describe(session, c)});
    }
  }

  void judge(Session& session, std::size_t c, int epoch_before, const std::string& agreed_at,
             const std::string& disagreements) {
    bool broken = false;
    const bool is_served = !agreed_at.empty() && (known_as_served(c) || serves_all(case_.components[c]));
    {
      const std::lock_guard lock(mutex_);
      Watched& watched = watched_[c];
      if (watched.epoch != epoch_before || watched.disturbed) return;
      if (agreed_at.empty()) {
        broken = watched.must_agree;
        watched.served_since.reset();
      } else {
        if (!watched.served_since && is_served) watched.served_since = Clock::now();
        if (watched.must_agree) {
          ++outcome_.in_step;
          if (watched.agreed_at != agreed_at) ++outcome_.moved;
        }
        watched.agreed_at = agreed_at;
        // Members that were built or resumed at different times come into step at their next common moment.
        watched.must_agree =
            watched.must_agree || (watched.served_since && Clock::now() - *watched.served_since > kSettling);
      }
    }
    if (broken) fail({Failure::Kind::kNotInStep, c, disagreements + describe(session, c)});
  }

  bool known_as_served(std::size_t c) {
    const std::lock_guard lock(mutex_);
    return watched_[c].served_since.has_value();
  }

  /// What a builder or a user has written, the daemon reads a moment later: until then it goes on without that member.
  bool serves_all(const Component& component) {
    const auto answer = test::http_get(port_, "/api/v1/stream_tables");
    const auto body = nlohmann::json::parse(answer.body, nullptr, false);
    if (answer.status != 200 || body.is_discarded()) return false;
    std::set<std::string> active;
    for (const auto& table : body["stream_tables"]) {
      if (table["status"] == "ACTIVE") active.insert(table["name"]);
    }
    return std::all_of(component.members.begin(), component.members.end(),
                       [&](std::size_t member) { return active.contains(case_.tables[member].name); });
  }

  /// The members' frontiers in the snapshot that the session is in.
  std::string describe(Session& session, std::size_t c) {
    std::string names;
    for (const std::size_t member : case_.components[c].members) {
      names += (names.empty() ? "'" : ", '") + case_.tables[member].name + "'";
    }
    return "name|schedule|status|snapshot|xid|data_timestamp|last_refresh_at|last_action|total_refreshes\n" +
           session.table(
               "SELECT s.pgt_name, s.schedule, s.status, f.snapshot, f.xid, f.data_timestamp, r.last_refresh_at, "
               "f.last_action, r.total_refreshes FROM pgtrickle.pgt_stream_tables s JOIN pgtrickle.pgt_frontiers f "
               "USING (pgt_id) JOIN pgtrickle._refresh_stats r USING (pgt_id) WHERE s.pgt_name IN (" +
               names + ") ORDER BY s.pgt_id") +
           "\n";
  }

  // both -------------------------------------------------------------------------------------------------------------

  template <class Work>
  void guarded(Work work) {
    try {
      work();
    } catch (const std::exception& error) {
      fail({Failure::Kind::kSql, {}, error.what()});
    }
  }

  void fail(Failure failure) {
    const std::lock_guard lock(mutex_);
    if (!outcome_.failure) outcome_.failure = std::move(failure);
    failed_ = true;
  }
  [[nodiscard]] bool failed() const { return failed_; }

  void stop_threads() {
    stopping_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
    outcome_.transactions = transactions_;
  }

  // The longest schedule, and as much again for a busy machine: a member that missed one moment makes the next.
  static constexpr auto kSettling = 800ms;

  const Case& case_;
  std::unique_ptr<TestDatabase> db_;
  std::unique_ptr<DaemonProcess> daemon_;
  std::string logs_;  // of the daemons before it
  std::vector<std::thread> threads_;
  std::atomic<int> port_{0};  // of the daemon
  std::atomic<std::size_t> writing_{0};
  std::atomic<std::size_t> transactions_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::vector<Watched> watched_;
  Outcome outcome_;
};

}  // namespace

Outcome run(const Case& from) {
  return Run(from).go();
}

const char* name_of(Failure::Kind kind) {
  switch (kind) {
    case Failure::Kind::kNotExact:
      return "a stream table is not what its frontier says";
    case Failure::Kind::kNotInStep:
      return "members of a component do not agree at any source snapshot";
    case Failure::Kind::kMoved:
      return "a stream table was refreshed although its source is gated";
    case Failure::Kind::kNotEqual:
      return "a stream table differs from its query at rest";
    case Failure::Kind::kNeverFresh:
      return "a stream table does not catch up";
    case Failure::Kind::kSql:
      break;
  }
  return "a statement failed";
}

}  // namespace pgt::graphs
