#include "scheduler/database_scheduler.h"

#include <utility>

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
using postgres::Clock;

DatabaseScheduler::DatabaseScheduler(std::shared_ptr<Shared> shared, config::Database database,
                                     config::Scheduler settings, config::Compiler compiler)
    : context_(std::make_shared<Context>(std::move(shared), std::move(database), settings, compiler)),
      sessions_(std::make_shared<Sessions>(context_)),
      registry_(std::make_shared<TableRegistry>(context_)),
      alerts_(std::make_shared<AlertMonitor>(context_, sessions_, registry_)),
      logs_(std::make_shared<LogMaintenance>(context_, registry_, alerts_)),
      listener_(std::make_shared<Listener>(context_, sessions_, registry_)),
      leadership_(std::make_shared<Leadership>(context_, sessions_, alerts_)) {
  const auto maintenance = std::make_shared<Maintenance>(context_, sessions_, registry_, logs_);
  const auto outcomes = std::make_shared<OutcomeRecorder>(context_, sessions_, registry_, alerts_, maintenance);
  const auto workers = std::make_shared<WorkerSessions>(context_, sessions_, registry_);
  const auto warming = std::make_shared<Warming>(context_, registry_, workers);
  builds_ = std::make_shared<BuildQueue>(context_, sessions_, registry_, alerts_, warming);
  dispatcher_ = std::make_shared<Dispatcher>(
      context_, sessions_, registry_,
      Dispatcher::Parts{
          .listener = listener_, .workers = workers, .warming = warming, .builds = builds_, .outcomes = outcomes});
  const auto catalog = std::make_shared<CatalogLoader>(
      context_, registry_,
      CatalogLoader::Parts{.workers = workers, .builds = builds_, .logs = logs_, .alerts = alerts_});
  control_ = std::make_shared<ControlSession>(
      context_, sessions_,
      ControlSession::Parts{.leadership = leadership_,
                            .catalog = catalog,
                            .listener = listener_,
                            .dispatcher = dispatcher_,
                            .warming = warming,
                            .workers = workers,
                            .builds = builds_,
                            .maintenance = maintenance,
                            .frontiers = std::make_shared<FrontierUpdates>(context_, sessions_, registry_),
                            .alerts = alerts_});
}

void DatabaseScheduler::start() {
  dispatcher_->join_budget();
  control_->start();
}

void DatabaseScheduler::apply(const config::Scheduler& settings, const config::Compiler& compiler) {
  const bool new_sessions = settings.refresh_timeout != context_->settings.refresh_timeout;
  context_->settings = settings;
  context_->compiler = compiler;
  alerts_->set_interval(settings.alert_interval);
  if (new_sessions) sessions_->renew_workers();
  context_->signals.reload_soon();
}

void DatabaseScheduler::begin_stop() {
  if (std::exchange(context_->stopping, true)) return;
  context_->signals.wake_dispatcher();
  leadership_->poke();
  control_->begin_stop();
}

asio::awaitable<void> DatabaseScheduler::wait_until_idle(postgres::Deadline deadline) {
  while (is_busy() && Clock::now() < deadline) co_await context_->tasks->wait(deadline);
}

asio::awaitable<void> DatabaseScheduler::stop(postgres::Deadline soft, postgres::Deadline hard) {
  const auto self = shared_from_this();
  begin_stop();
  co_await wait_until_idle(soft);
  context_->tasks->cancel_all();
  ConnectionPtr connection = control_->usable_connection();
  if (builds_->running() > 0 && connection) {
    // The builder is synchronous: ending its session is the way to interrupt it. It starts again from PENDING.
    (void)co_await connection->query(sql::terminate_by_application_name(sessions_->build_application_name()), hard);
  }
  co_await wait_until_idle(hard);
  sessions_->close_build_sessions();

  connection = control_->usable_connection();
  if (connection) (void)co_await connection->query(sql::forget_daemon(context_->shared->instance), hard);
  control_->close();
  leadership_->close();
  listener_->close();
  dispatcher_->leave_budget();
  sessions_->close();
  context_->leader = false;
  context_->problem = "stopped";
}

observe::DatabaseStatus DatabaseScheduler::status() const {
  const TimePoint at = Clock::now();
  const planner::RefreshPlanner& planner = registry_->planner();
  observe::DatabaseStatus out;
  out.name = context_->name();
  out.connected = control_->is_connected();
  out.leader = context_->leader;
  out.problem = context_->problem;
  out.leader_silent = leadership_->is_silent();
  out.uninstalled = control_->is_uninstalled();
  if (const auto& workers = sessions_->workers()) {
    const auto stats = workers->stats();
    out.pool_size = stats.size;
    out.pool_idle = stats.idle;
    out.pool_broken = stats.broken;
  }
  for (const auto& [id, table] : registry_->tables()) {
    out.stream_tables.push_back(registry_->status_of(table, at));
    observe::StreamTableStatus& status = out.stream_tables.back();
    status.slo_violated = alerts_->violates_slo(table, status.staleness_seconds);
  }
  out.paused = context_->paused;
  out.workers_in_use = dispatcher_->running();
  out.workers_max = context_->database.pool_size;
  out.waiting_units = static_cast<int>(dispatcher_->waiting());
  out.sources_asleep = static_cast<int>(planner.sources_asleep());
  out.sources_awake = static_cast<int>(planner.sources()) - out.sources_asleep;
  out.arms_total = listener_->arms_total();
  out.alerts = alerts_->active();
  out.logs = logs_->status();
  return out;
}

}  // namespace pgtrickle::scheduler
