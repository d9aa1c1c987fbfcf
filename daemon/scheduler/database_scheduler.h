// The scheduler of one database. Internal to scheduler/; the contract is that of scheduler.h.
//
// Coroutines, all on the event loop thread, each holding a shared_ptr to this object:
//   control    owns the control connection: leadership, LISTEN, heartbeat, catalog loading, arming
//   dispatch   while leading: takes due units from the timetable and spawns them
//   unit       one per running unit: borrows a connection, refreshes, draws the consequences
//   housekeeping, frontier updates   short-lived tasks; builds run on worker threads
#pragma once

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
#include "postgres/pool.h"
#include "refresh/cost_model.h"
#include "refresh/refresh_unit.h"
#include "scheduler/catalog_sql.h"
#include "scheduler/health.h"
#include "scheduler/scheduler.h"
#include "scheduler/timetable.h"
#include "scheduler/worker_budget.h"

namespace pgtrickle::scheduler {

/// What the schedulers of all databases share.
struct Shared {
  boost::asio::any_io_executor executor;
  std::shared_ptr<boost::asio::thread_pool> libpq_workers;  // connecting and cancelling
  std::shared_ptr<boost::asio::thread_pool> build_workers;
  Builder builder;
  observe::Observer* observer = nullptr;
  std::shared_ptr<WorkerBudget> budget;  // of refreshes at once
  std::string host;
  std::string instance;  // of this process, unique
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
    TimePoint loaded_at;
    Health health;
    refresh::CostModel costs;
    // Building
    bool building = false;
    int build_failures = 0;
    TimePoint build_not_before = TimePoint::min();
    std::optional<std::int64_t> failed_generation;  // a build of this generation ended with an error
    // As of this process, more recent than the row
    std::optional<double> last_refresh_epoch, last_duration_ms;
    std::int64_t refreshes_since_load = 0;
  };

  /// The units of one pass of the dispatcher; a unit starts when those it waits for have ended.
  struct Batch {
    std::vector<Unit> units;
    std::vector<std::size_t> waiting_for;
  };

  /// What is left to do after a unit: a table that failed stays in flight until that is recorded.
  struct Settlement {
    std::vector<postgres::Statement> statements;
    std::vector<std::pair<TableId, std::chrono::milliseconds>> failed;
    bool reload = false;
  };

  // control
  boost::asio::awaitable<void> control(Self self);
  boost::asio::awaitable<void> control_session(ConnectionPtr connection);
  boost::asio::awaitable<bool> check_installation(ConnectionPtr connection);
  boost::asio::awaitable<std::optional<postgres::Error>> stand_by(ConnectionPtr connection);
  boost::asio::awaitable<std::optional<postgres::Error>> lead(ConnectionPtr connection);
  boost::asio::awaitable<std::optional<postgres::Error>> handle_notification(ConnectionPtr connection);
  boost::asio::awaitable<std::optional<postgres::Error>> try_to_arm(ConnectionPtr connection);
  boost::asio::awaitable<std::optional<postgres::Error>> load_catalog(ConnectionPtr connection);
  boost::asio::awaitable<std::optional<postgres::Error>> load_history(ConnectionPtr connection);
  boost::asio::awaitable<std::optional<postgres::Error>> beat(ConnectionPtr connection);
  boost::asio::awaitable<void> pause(std::chrono::milliseconds delay);
  void adopt(sql::Catalog catalog);
  void lose_leadership();
  void reload_soon();

  // dispatch and units
  boost::asio::awaitable<void> dispatch(Self self, std::uint64_t term);
  void launch(const std::shared_ptr<Batch>& batch, std::size_t unit);
  boost::asio::awaitable<void> run_unit(Self self, std::shared_ptr<Batch> batch, std::size_t unit);
  void settle(const refresh::Outcome& outcome, Settlement& settlement);
  void settle_success(Table& table, const refresh::Outcome& outcome, Settlement& settlement);
  void settle_failure(Table& table, const refresh::Outcome& outcome, Settlement& settlement);
  void settle_rebuild(Table& table, const Judgement& judgement, const std::string& reason, Settlement& settlement);
  boost::asio::awaitable<void> record(std::vector<postgres::Statement> statements);
  void unit_ended(const std::shared_ptr<Batch>& batch, std::size_t unit);

  // builds
  void start_builds();
  [[nodiscard]] bool wants_build(const Table& table) const;
  void start_build(Table& table);
  void build_ended(TableId id, std::int64_t generation, const catalog::BuildResult& result);
  void start_garbage_collection();

  // housekeeping
  boost::asio::awaitable<void> keep_house(Self self);
  boost::asio::awaitable<void> rotate_logs(postgres::Connection& connection);
  boost::asio::awaitable<void> update_frontiers(Self self);

  /// Runs a coroutine of this object as a task that stop() waits for and can cancel.
  std::shared_ptr<boost::asio::cancellation_signal> spawn(boost::asio::awaitable<void> task);
  [[nodiscard]] double random01();
  [[nodiscard]] bool leading() const { return leader_ && !stopping_; }
  [[nodiscard]] std::string label(const Table& table) const;
  [[nodiscard]] postgres::Result<postgres::ConnectSettings> connect_settings(bool for_refreshes) const;
  bool make_pools();
  void set_problem(const std::string& problem);
  [[nodiscard]] HealthRules health_rules() const;
  [[nodiscard]] std::string build_application_name() const;

  std::shared_ptr<Shared> shared_;
  config::Database database_;
  config::Scheduler settings_;
  config::Compiler compiler_;
  std::string problem_ = "not connected yet";
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
  std::uint64_t term_ = 0;  // grows with every gain and loss of leadership: an old dispatcher ends
  bool may_sleep_ = false;
  bool reload_requested_ = false;
  TimePoint next_load_, next_beat_, next_housekeeping_, next_arming_;
  Timetable timetable_;
  std::map<TableId, Table> tables_;

  int builds_running_ = 0;
  bool collecting_garbage_ = false;
  bool garbage_expected_ = false;
  TimePoint next_garbage_;

  bool housekeeping_running_ = false;
  bool updating_frontiers_ = false;
  std::vector<sql::LogSize> log_sizes_;
  struct RotationDelay {
    TimePoint not_before;
    std::chrono::milliseconds delay{0};
  };
  std::map<std::int64_t, RotationDelay> rotations_;
  std::map<TableId, TimePoint> fresh_written_;
  TimePoint next_frontier_update_, next_prune_, next_source_check_;
};

}  // namespace pgtrickle::scheduler
