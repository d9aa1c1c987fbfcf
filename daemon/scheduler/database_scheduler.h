// The scheduler of one database. Internal to scheduler/; the contract is that of scheduler.h.
//
// Coroutines, all on the event loop thread, each holding a shared_ptr to this object:
//   control    owns the control connection: leadership, heartbeat, catalog loading, builds
//   watch_lead while leading: owns the connection that holds the lock of the leader (leadership.cpp)
//   dispatch   while leading: owns the bell, a connection that listens and holds the locks of sources that sleep
//   (bell.cpp);
//              takes due units from the refresh planner and spawns them as workers get free, the most urgent first
//   unit       one per running unit: borrows a worker session, refreshes, draws the consequences (workers.cpp)
//   warm       at most one, when no unit runs: has a session make its plans before the first refresh needs them
//   history    at most one: writes what has been refreshed, all that has come together since the last time
//   housekeeping, frontier updates   short-lived tasks; builds run on worker threads
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "config/config.h"
#include "observe/observer.h"
#include "planner/ready_queue.h"
#include "planner/refresh_planner.h"
#include "postgres/pool.h"
#include "refresh/cost_model.h"
#include "refresh/fuse_model.h"
#include "refresh/refresh_unit.h"
#include "scheduler/catalog_sql.h"
#include "scheduler/health.h"
#include "scheduler/scheduler.h"
#include "scheduler/worker_budget.h"

namespace pgtrickle::scheduler {

using planner::Domain;
using planner::Milliseconds;
using planner::Now;
using planner::TimePoint;
using planner::Unit;

/// What the schedulers of all databases share.
struct Shared {
  boost::asio::any_io_executor executor;
  std::shared_ptr<boost::asio::thread_pool> libpq_workers;  // connecting and cancelling
  std::shared_ptr<boost::asio::thread_pool> build_workers;
  Builder builder;
  std::atomic<int> building{0};  // how many build workers are busy
  OwnerPlaces build_owners;      // who has how many of kBuildsAtOnce, over all databases
  observe::Observer* observer = nullptr;
  std::shared_ptr<WorkerBudget> budget;  // of refreshes at once
  std::string host;
  std::string instance;  // of this process, unique
  bool details = false;  // of errors, for whoever can hear of them
  std::mt19937_64 random{std::random_device{}()};
};

class DatabaseScheduler : public std::enable_shared_from_this<DatabaseScheduler> {
 public:
  DatabaseScheduler(std::shared_ptr<Shared> shared, config::Database database, config::Scheduler settings,
                    config::Compiler compiler);

  void start();
  /// No new work from now on; stop() waits for what runs.
  void begin_stop();
  void apply(const config::Scheduler& settings, const config::Compiler& compiler);
  [[nodiscard]] const config::Database& database() const { return database_; }

  /// Returns when nothing of this database runs any more, or at the deadline.
  boost::asio::awaitable<void> stop(postgres::Deadline soft, postgres::Deadline hard);

  [[nodiscard]] observe::DatabaseStatus status() const;

 private:
  using Self = std::shared_ptr<DatabaseScheduler>;
  using ConnectionPtr = std::shared_ptr<postgres::Connection>;

  struct Table {
    sql::StreamTable row;
    TimePoint loaded_at;  // the row shows a state of the catalog after this moment
    Health health;
    refresh::CostModel costs;
    refresh::FuseModel fuse;
    // Building
    bool building = false;
    TimePoint build_ended = TimePoint::min();  // the row knows of it if it was loaded later
    int build_failures = 0;
    TimePoint build_not_before = TimePoint::min();
    std::optional<std::int64_t> failed_generation;  // a build of this generation ended with an error
    std::optional<TimePoint> retry;                 // ERROR, SUSPENDED: when it is tried again
    // As of this process, more recent than the row
    std::optional<double> last_refresh_epoch, last_duration_ms;
    std::int64_t refreshes_since_load = 0;
  };

  /// The units of one pass of the dispatcher; a unit is ready when those it waits for have ended.
  struct Batch {
    std::vector<Unit> units;
    std::vector<std::size_t> waiting_for;
  };
  struct Work {
    std::shared_ptr<Batch> batch;
    std::size_t unit = 0;
  };

  struct PendingAlert {
    observe::AlertKind kind;
    std::string object, message;
    std::vector<std::pair<std::string, observe::AlertValue>> details = {};
  };

  /// What is left to do after a unit: a table that failed stays in flight until that is recorded.
  struct Settlement {
    std::vector<postgres::Statement> statements;
    struct Failed {
      TableId id = 0;
      std::chrono::milliseconds delay{0};
      bool alone = true;
    };
    std::vector<Failed> failed;
    std::vector<PendingAlert> alerts;  // when the catalog says so too
    bool reload = false;
  };

  // control
  boost::asio::awaitable<void> control(Self self);
  boost::asio::awaitable<void> control_session(ConnectionPtr connection);
  boost::asio::awaitable<bool> check_installation(ConnectionPtr connection);
  boost::asio::awaitable<std::optional<postgres::Error>> lead(ConnectionPtr connection);
  boost::asio::awaitable<std::optional<postgres::Error>> wait_for_duties(ConnectionPtr connection);
  boost::asio::awaitable<std::optional<postgres::Error>> load_catalog(ConnectionPtr connection);
  boost::asio::awaitable<std::optional<postgres::Error>> load_changed(ConnectionPtr connection);
  boost::asio::awaitable<std::optional<postgres::Error>> look_for_changes(ConnectionPtr connection);
  boost::asio::awaitable<std::optional<postgres::Error>> try_suspended(ConnectionPtr connection);
  boost::asio::awaitable<std::optional<postgres::Error>> load_history(ConnectionPtr connection);
  boost::asio::awaitable<std::optional<postgres::Error>> beat(ConnectionPtr connection);
  boost::asio::awaitable<std::optional<std::string>> pooling_problem(postgres::Connection& connection);
  boost::asio::awaitable<void> pause(std::chrono::milliseconds delay);
  void adopt(sql::Catalog catalog, TimePoint read_after);
  planner::PlannerEntry adopt(sql::StreamTable row, TimePoint read_after);
  void hasten_wanted();
  void forget_table(TableId id);
  void reload_soon();

  // leadership
  boost::asio::awaitable<std::optional<postgres::Error>> stand_by(ConnectionPtr connection);
  boost::asio::awaitable<std::optional<postgres::Error>> look_at_leader(ConnectionPtr connection);
  boost::asio::awaitable<postgres::Result<bool>> take_lead(ConnectionPtr connection);
  boost::asio::awaitable<void> watch_lead(Self self, std::uint64_t term);
  void lose_leadership();

  // bell
  boost::asio::awaitable<bool> open_bell();
  boost::asio::awaitable<std::optional<postgres::Rows>> ask_bell(postgres::Statement statement,
                                                                 std::chrono::milliseconds timeout);
  boost::asio::awaitable<void> arm_sources();
  boost::asio::awaitable<void> unlock(std::vector<SourceId> sources);
  boost::asio::awaitable<void> unlock_spared();
  boost::asio::awaitable<void> listen_until(TimePoint deadline);
  void heard(const postgres::Notification& notification, std::set<SourceId>& to_unlock);
  void close_bell();
  void ring();  // the dispatcher is to look again

  // dispatch and units
  boost::asio::awaitable<void> dispatch(Self self, std::uint64_t term);
  void enqueue_due();
  void start_ready();
  void push(const std::shared_ptr<Batch>& batch, std::size_t unit);
  void drop(const Work& work);
  boost::asio::awaitable<void> run_unit(Self self, std::shared_ptr<Batch> batch, std::size_t unit);
  void settle(const refresh::Outcome& outcome, Settlement& settlement);
  void settle_blown(Table& table, const refresh::Outcome& outcome, Settlement& settlement);
  void alert_failure(const Table& table, const postgres::Error& error, const Judgement& judgement,
                     Settlement& settlement);
  void pause_for_a_while();
  void settle_success(Table& table, const refresh::Outcome& outcome, Settlement& settlement);
  void settle_failure(Table& table, const refresh::Outcome& outcome, Settlement& settlement);
  void settle_rebuild(Table& table, const Judgement& judgement, const std::string& reason, Settlement& settlement);
  boost::asio::awaitable<void> record(std::vector<postgres::Statement> statements,
                                      const char* problem = "outcome not recorded");
  void remember(const refresh::Outcome& outcome);
  boost::asio::awaitable<void> record_history(Self self);
  void unit_ended(const std::shared_ptr<Batch>& batch, std::size_t unit);
  void give_place_back(Domain owner);
  [[nodiscard]] postgres::Pool::Preference home_of(const std::vector<TableId>& ids, Domain domain) const;
  void refreshed_by(const ConnectionPtr& connection, const std::vector<refresh::Outcome>& outcomes);

  // worker sessions (workers.cpp)
  [[nodiscard]] bool has_workers() const { return !database_.worker_dsn.empty(); }
  [[nodiscard]] bool is_served(const sql::StreamTable& row) const { return row.trusted || has_workers(); }
  [[nodiscard]] static Domain domain_of(const sql::StreamTable& row) { return row.trusted ? 0 : row.owner; }
  [[nodiscard]] std::optional<Domain> common_domain(const std::vector<TableId>& ids) const;
  [[nodiscard]] bool halted() const { return paused_ || !worker_trouble_.empty(); }
  boost::asio::awaitable<postgres::Result<postgres::Pool::Lease>> worker_session(Domain domain,
                                                                                 std::vector<TableId> ids,
                                                                                 postgres::Deadline deadline,
                                                                                 std::chrono::milliseconds patience);
  boost::asio::awaitable<std::optional<postgres::Error>> look_at_workers(ConnectionPtr control);
  boost::asio::awaitable<std::string> trouble_of_workers(ConnectionPtr control);
  boost::asio::awaitable<std::optional<postgres::Error>> refuse_or_admit(ConnectionPtr control);

  // warming up (warming.cpp)
  void warm_soon();
  void warm_after_build(const Table& built);
  void start_warming();
  [[nodiscard]] std::optional<TableId> next_to_warm();
  boost::asio::awaitable<void> warm(Self self, TableId id, Domain domain);

  // builds
  void start_builds();
  [[nodiscard]] bool wants_build(const Table& table) const;
  [[nodiscard]] static TimePoint build_time(const Table& table);  // of one that wants to be built
  void start_build(Table& table);
  void build_ended(TableId id, std::int64_t generation, const catalog::BuildResult& result);
  void start_garbage_collection();
  void report(const catalog::Garbage& garbage);

  // watch
  void alert(observe::AlertKind kind, const std::string& object, const std::string& message,
             std::vector<std::pair<std::string, observe::AlertValue>> details = {});
  boost::asio::awaitable<void> send_alerts(Self self);
  [[nodiscard]] double staleness_of(const Table& table, TimePoint now) const;
  /// We know how old its data is: a standby does not, nor does a leader before its first look.
  [[nodiscard]] bool judges(const Table& table, TimePoint now) const;
  [[nodiscard]] bool breaks_promise(const Table& table, double staleness) const;
  [[nodiscard]] std::string held_because(TableId id) const;  // empty: it does not wait
  TimePoint watch_tables();                                  // returns when to look again
  void watch_logs();
  void raise_lasting();  // what another leader has told before us
  void watch_catalog(const sql::Catalog& catalog);

  // housekeeping
  boost::asio::awaitable<void> keep_house(Self self);
  [[nodiscard]] bool wants_rotation(const sql::LogSize& log) const;
  [[nodiscard]] std::set<SourceId> quiet_logs() const;
  boost::asio::awaitable<bool> look_at_logs(postgres::Connection& connection);
  /// True if a log wants to be rotated.
  boost::asio::awaitable<void> follow_replication(postgres::Connection& connection);
  void follow_replication_soon();
  boost::asio::awaitable<bool> rotate_logs(postgres::Connection& connection);
  boost::asio::awaitable<void> release_logs(postgres::Connection& connection);
  /// What changed in the catalog that no event trigger told and no refresh has noticed.
  boost::asio::awaitable<void> check_facts(postgres::Connection& connection);
  boost::asio::awaitable<void> update_frontiers(Self self);
  boost::asio::awaitable<void> update_frontiers_of(std::vector<TableId> ids);

  /// Runs a coroutine of this object as a task that stop() waits for and can cancel.
  std::shared_ptr<boost::asio::cancellation_signal> spawn(boost::asio::awaitable<void> task);
  [[nodiscard]] double random01();
  [[nodiscard]] bool leading() const { return leader_ && !stopping_; }
  [[nodiscard]] std::string label(const Table& table) const;
  [[nodiscard]] postgres::Result<postgres::ConnectSettings> connect_settings(bool for_refreshes) const;
  bool make_pools();
  void set_problem(const std::string& problem);
  [[nodiscard]] HealthRules health_rules() const;
  [[nodiscard]] planner::PlannerSettings planner_settings() const;
  [[nodiscard]] static Now now();
  [[nodiscard]] std::string build_application_name() const;
  [[nodiscard]] postgres::Result<std::string> build_conninfo() const;
  [[nodiscard]] postgres::Result<std::string> build_worker_conninfo() const;
  void close_build_sessions();

  std::shared_ptr<Shared> shared_;
  config::Database database_;
  config::Scheduler settings_;
  config::Compiler compiler_;
  std::string problem_ = "not connected yet";
  bool uninstalled_ = false;
  bool stopping_ = false;

  ConnectionPtr control_connection_;
  std::shared_ptr<postgres::Pool> refresh_pool_;
  std::shared_ptr<postgres::Pool> maintenance_pool_;  // one connection, so that slow refreshes do not delay it
  postgres::Event stop_signal_;
  postgres::Event dispatch_signal_;
  postgres::Event task_ended_;
  std::list<std::shared_ptr<boost::asio::cancellation_signal>> tasks_;
  std::shared_ptr<boost::asio::cancellation_signal> control_task_;

  bool leader_ = false;
  ConnectionPtr lead_connection_;             // holds the lock of the leader
  std::optional<postgres::Error> lead_lost_;  // that session has ended
  bool stepping_down_ = false;                // somebody waits for its lock
  int backend_ = 0;                           // of the control connection, as the server says; 0: not asked yet
  bool leader_suspected_ = false;             // while standing by: it does not speak
  bool leader_silent_ = false;                // that was confirmed
  std::uint64_t term_ = 0;                    // grows with every gain and loss of leadership: an old dispatcher ends
  bool may_sleep_ = false;
  std::size_t most_locks_ = 0;  // of sources
  bool paused_ = false;
  bool reload_requested_ = false;
  std::set<TableId> changed_tables_;  // to be loaded again
  std::set<TableId> wanted_;          // somebody wants them refreshed now
  TimePoint next_load_, next_beat_, next_housekeeping_;
  // Where triggers may not notify
  TimePoint next_look_;
  std::int64_t changes_seen_ = -1;
  bool writers_left_ = true;  // who changes the catalog may not have ended yet
  std::string committed_;     // what they had committed at the last look
  std::chrono::steady_clock::duration load_took_{0};
  planner::RefreshPlanner planner_;
  planner::ReadyQueue<Work> ready_;
  int units_running_ = 0;
  WorkerBudget::Member budget_ = 0;
  bool registered_ = false;  // with the budget
  // The session that has made its plans for a table's refreshes; it is preferred for them.
  std::map<TableId, std::weak_ptr<postgres::Connection>> homes_;
  TimePoint newest_home_ = TimePoint::min();
  std::set<TableId> to_warm_;  // tables that no session has plans for
  bool warming_ = false;

  std::string worker_role_, worker_problem_;        // as the catalog says
  std::optional<std::string> worker_session_role_;  // as whom the sessions log in, once that is known
  std::string worker_trouble_;                      // why nothing is refreshed; empty: none

  std::vector<sql::Refresh> history_;  // to be written
  bool recording_ = false;

  ConnectionPtr bell_;
  std::set<SourceId> locked_;  // on the bell
  std::set<SourceId> spared_;  // of these: awake, and likely to be armed again at once
  bool listening_lock_ = false;
  TimePoint bell_heard_;  // when it was surely alive
  TimePoint next_bell_, next_listening_lock_;
  int bell_failures_ = 0;
  std::map<TableId, Table> tables_;

  observe::AlertBook alerts_;
  std::vector<postgres::Statement> notifications_;  // to be sent
  bool sending_ = false;
  TimePoint next_watch_, judges_from_;
  std::int64_t arms_ = 0;

  int builds_running_ = 0;
  bool builds_expected_ = true;              // a table may want a build
  TimePoint next_build_ = TimePoint::max();  // of those that must not be built yet
  TimePoint next_trial_ = TimePoint::max();  // of those that are suspended
  bool collecting_garbage_ = false;
  bool garbage_expected_ = false;
  TimePoint next_garbage_;
  std::set<std::string> garbage_problems_;  // that were said

  bool housekeeping_running_ = false;
  bool updating_frontiers_ = false;
  struct Log {
    sql::LogSize size;
    TimePoint looked_at;  // the size is of this moment or later
    TimePoint not_before;
    std::chrono::milliseconds delay{0};  // between two attempts to rotate it
  };
  std::map<SourceId, Log> logs_;
  bool logs_expected_ = true;  // there may be others
  TimePoint next_log_check_;   // of those that should not have changed, too
  std::map<TableId, TimePoint> fresh_written_;
  TimePoint next_frontier_update_, next_prune_, next_source_check_;
};

}  // namespace pgtrickle::scheduler
