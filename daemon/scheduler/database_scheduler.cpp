// Beginning and end of a DatabaseScheduler, its connections, its status.
#include "scheduler/database_scheduler.h"

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "observe/log.h"
#include "postgres/conninfo.h"
#include "scheduler/limits.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
namespace log = observe::log;
using postgres::Clock;
using postgres::Result;
using std::chrono::milliseconds;

DatabaseScheduler::DatabaseScheduler(std::shared_ptr<Shared> shared, config::Database database,
                                     config::Scheduler settings, config::Compiler compiler)
    : shared_(std::move(shared)),
      database_(std::move(database)),
      settings_(settings),
      compiler_(compiler),
      stop_signal_(shared_->executor),
      dispatch_signal_(shared_->executor),
      task_ended_(shared_->executor),
      planner_(planner_settings()),
      alerts_(settings.alert_interval) {}

Now DatabaseScheduler::now() {
  return {.steady = Clock::now(), .wall = std::chrono::system_clock::now()};
}

planner::PlannerSettings DatabaseScheduler::planner_settings() const {
  planner::PlannerSettings out;
  out.default_period = settings_.default_schedule;
  out.continuous_min = settings_.continuous_min_interval;
  out.tiers = {.warm = settings_.tier_warm, .cold = settings_.tier_cold};
  out.limits = {.max_tables = static_cast<std::size_t>(settings_.unit_max_tables), .max_cost = settings_.unit_max_cost};
  out.auto_backoff = settings_.auto_backoff;
  out.may_arm = may_sleep_;
  return out;
}

void DatabaseScheduler::start() {
  registered_ = true;
  budget_ = shared_->budget->register_database(database_.name, database_.workers, database_.pool_size,
                                               [weak = weak_from_this()] {
                                                 if (const auto self = weak.lock()) self->start_ready();
                                               });
  control_task_ = spawn(control(shared_from_this()));
}

void DatabaseScheduler::apply(const config::Scheduler& settings, const config::Compiler& compiler) {
  const bool new_sessions = settings.refresh_timeout != settings_.refresh_timeout;
  settings_ = settings;
  compiler_ = compiler;
  alerts_.set_interval(settings.alert_interval);
  if (new_sessions && refresh_pool_) {
    if (auto connect = connect_settings(true)) refresh_pool_->reconfigure(std::move(*connect));
  }
  reload_soon();
}

std::shared_ptr<asio::cancellation_signal> DatabaseScheduler::spawn(asio::awaitable<void> task) {
  auto signal = std::make_shared<asio::cancellation_signal>();
  tasks_.push_back(signal);
  const auto place = std::prev(tasks_.end());
  auto ended = [self = shared_from_this(), signal, place](const std::exception_ptr& failure) {
    self->tasks_.erase(place);
    self->task_ended_.set();
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const boost::system::system_error& e) {
      if (e.code() != asio::error::operation_aborted) throw;
    } catch (const std::exception& e) {
      log::critical("scheduler", "scheduler task failed database={} error={}", self->database_.name, e.what());
      throw;
    }
  };
  asio::co_spawn(shared_->executor, std::move(task), asio::bind_cancellation_slot(signal->slot(), std::move(ended)));
  return signal;
}

void DatabaseScheduler::begin_stop() {
  if (stopping_) return;
  stopping_ = true;
  stop_signal_.set();
  ring();
  if (lead_connection_) lead_connection_->poke();
  if (control_connection_) {
    control_connection_->poke();
  } else if (control_task_) {
    control_task_->emit(asio::cancellation_type::terminal);
  }
}

asio::awaitable<void> DatabaseScheduler::stop(postgres::Deadline soft, postgres::Deadline hard) {
  const auto self = shared_from_this();
  begin_stop();
  while ((!tasks_.empty() || builds_running_ > 0) && Clock::now() < soft) co_await task_ended_.wait(soft);

  const std::vector<std::shared_ptr<asio::cancellation_signal>> running(tasks_.begin(), tasks_.end());
  for (const auto& task : running) task->emit(asio::cancellation_type::terminal);
  if (builds_running_ > 0 && control_connection_ && control_connection_->usable()) {
    // The builder is synchronous: ending its session is the way to interrupt it. It starts again from PENDING.
    (void)co_await control_connection_->query(sql::terminate_by_application_name(build_application_name()), hard);
  }
  while ((!tasks_.empty() || builds_running_ > 0) && Clock::now() < hard) co_await task_ended_.wait(hard);
  close_build_sessions();

  if (control_connection_ && control_connection_->usable()) {
    (void)co_await control_connection_->query(sql::forget_daemon(shared_->instance), hard);
  }
  if (control_connection_) control_connection_->close();
  control_connection_.reset();
  if (lead_connection_) lead_connection_->close();
  lead_connection_.reset();
  close_bell();
  if (std::exchange(registered_, false)) shared_->budget->unregister(budget_);
  if (refresh_pool_) refresh_pool_->close();
  if (maintenance_pool_) maintenance_pool_->close();
  leader_ = false;
  problem_ = "stopped";
}

double DatabaseScheduler::random01() {
  return std::uniform_real_distribution<double>(0, 1)(shared_->random);
}

std::string DatabaseScheduler::label(const Table& table) const {
  return table.row.schema + "." + table.row.name;
}

HealthRules DatabaseScheduler::health_rules() const {
  return {.max_consecutive_errors = settings_.max_consecutive_errors,
          .retry = {.min = settings_.retry_backoff_min, .max = settings_.retry_backoff_max}};
}

std::string DatabaseScheduler::build_application_name() const {
  return "pgtrickled build " + shared_->instance.substr(0, 40);
}

Result<postgres::ConnectSettings> DatabaseScheduler::connect_settings(bool for_refreshes) const {
  const auto ms = [](milliseconds value) { return std::to_string(value.count()); };
  postgres::ConnectSettings connect;
  connect.session = {{"jit", "off"},
                     {"plan_cache_mode", "force_generic_plan"},
                     {"client_min_messages", "warning"},
                     {"search_path", "pg_catalog"},
                     {"default_transaction_read_only", "off"},
                     {"default_transaction_isolation", "read committed"},
                     {"standard_conforming_strings", "on"},
                     {"idle_session_timeout", "0"},
                     {"quote_all_identifiers", "off"},
                     {"idle_in_transaction_session_timeout", "60s"},
                     {"lock_timeout", "5s"},
                     // A session whose daemon is gone without a word holds its locks until the server notices.
                     {"tcp_keepalives_idle", "30"},
                     {"tcp_keepalives_interval", "10"},
                     {"tcp_keepalives_count", "3"},
                     {"tcp_user_timeout", "30000"}};
  if (for_refreshes) {
    // Losing the last refreshes in a crash means doing them again.
    connect.session.emplace_back("synchronous_commit", "off");
    connect.session.emplace_back("statement_timeout", ms(settings_.refresh_timeout));
  } else {
    connect.session.emplace_back("statement_timeout", ms(kQueryTimeout));
  }
  const std::map<std::string, std::string> overrides{{"application_name", "pgtrickled"}, {"client_encoding", "UTF8"}};
  const std::map<std::string, std::string> defaults{{"keepalives_idle", "30"},
                                                    {"keepalives_interval", "10"},
                                                    {"keepalives_count", "3"},
                                                    {"tcp_user_timeout", "30000"}};
  const auto dsn = for_refreshes ? postgres::overlay_conninfo(database_.dsn, database_.worker_dsn)
                                 : Result<std::string>(database_.dsn);
  if (!dsn) return dsn.error();
  auto conninfo = postgres::merge_conninfo(*dsn, overrides, defaults);
  if (!conninfo) return conninfo.error();
  connect.conninfo = std::move(*conninfo);
  connect.workers = shared_->libpq_workers;
  return connect;
}

bool DatabaseScheduler::make_pools() {
  if (refresh_pool_) return true;
  auto for_refreshes = connect_settings(true);
  auto for_maintenance = connect_settings(false);
  if (!for_refreshes || !for_maintenance) return false;
  postgres::PoolSettings pool;
  pool.backoff = health_rules().retry;
  pool.random01 = [weak = weak_from_this()] {
    const auto self = weak.lock();
    return self ? self->random01() : 0.5;
  };
  pool.on_reconnect = [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->shared_->observer->on_reconnect(self->database_.name);
  };
  pool.connect = std::move(*for_refreshes);
  pool.size = database_.pool_size;
  refresh_pool_ = std::make_shared<postgres::Pool>(shared_->executor, pool);
  pool.connect = std::move(*for_maintenance);
  pool.size = 1;
  maintenance_pool_ = std::make_shared<postgres::Pool>(shared_->executor, pool);
  return true;
}

void DatabaseScheduler::set_problem(const std::string& problem) {
  if (problem == problem_) return;
  if (!problem.empty()) {
    log::warn("scheduler", "database is not served database={} problem={}", database_.name, problem);
  } else {
    log::info("scheduler", "database is served database={} leader={}", database_.name, leader_);
  }
  problem_ = problem;
}

observe::DatabaseStatus DatabaseScheduler::status() const {
  const TimePoint now = Clock::now();
  observe::DatabaseStatus out;
  out.name = database_.name;
  out.connected = control_connection_ && control_connection_->open();
  out.leader = leader_;
  out.problem = problem_;
  out.leader_silent = leader_silent_;
  out.uninstalled = uninstalled_;
  if (refresh_pool_) {
    const auto stats = refresh_pool_->stats();
    out.pool_size = stats.size;
    out.pool_idle = stats.idle;
    out.pool_broken = stats.broken;
  }
  for (const auto& [id, table] : tables_) {
    observe::StreamTableStatus st;
    st.id = id;
    st.schema = table.row.schema;
    st.name = table.row.name;
    st.status = table.row.status;
    st.refresh_mode = table.row.refresh_mode;
    st.effective_refresh_mode = table.row.effective_refresh_mode;
    if (shared_->details) st.reason = table.row.reason;
    st.schedule = table.row.schedule;
    st.last_error = table.row.last_error;
    if (!shared_->details && !st.last_error.empty())
      st.last_error = observe::error_without_values(table.row.last_error_code);
    st.staleness_seconds = staleness_of(table, now);
    st.tier = table.row.tier;
    st.period_seconds = std::chrono::duration<double>(planner_.period(id)).count();
    if (st.period_seconds > 3e8) st.period_seconds = 0;  // it has none, or never comes
    st.backoff_factor = planner_.backoff(id);
    st.max_staleness_seconds = table.row.max_staleness_seconds;
    st.slo_violated = breaks_promise(table, st.staleness_seconds);
    st.held = held_because(id);
    st.fuse_blown = table.row.fuse_blown;
    st.skipped = table.row.skipped;
    if (planner_.dag().contains(id) && !planner_.dag().cycle(id).empty()) st.scc = planner_.dag().cycle(id).front();
    st.last_refresh_epoch = std::max(table.row.last_refresh_epoch, table.last_refresh_epoch.value_or(0));
    st.last_duration_ms = table.last_duration_ms.value_or(table.row.last_duration_ms);
    st.total_refreshes = table.row.total_refreshes + table.refreshes_since_load;
    st.consecutive_errors = std::max(table.row.consecutive_errors, table.health.consecutive_errors());
    out.stream_tables.push_back(std::move(st));
  }
  out.paused = paused_;
  out.workers_in_use = units_running_;
  out.workers_max = database_.pool_size;
  out.waiting_units = static_cast<int>(ready_.size());
  out.sources_asleep = static_cast<int>(planner_.sources_asleep());
  out.sources_awake = static_cast<int>(planner_.sources()) - out.sources_asleep;
  out.arms_total = arms_;
  out.alerts = alerts_.active();
  for (const auto& [id, log] : logs_) {
    out.logs.push_back({.source = log.size.source, .bytes = log.size.active_bytes + log.size.inactive_bytes});
  }
  return out;
}

}  // namespace pgtrickle::scheduler
