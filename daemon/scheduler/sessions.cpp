#include "scheduler/sessions.h"

#include <boost/asio/post.hpp>
#include <map>
#include <utility>

#include "catalog/session.h"
#include "catalog/worker.h"
#include "observe/log.h"
#include "postgres/conninfo.h"
#include "scheduler/limits.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
namespace log = observe::log;
using postgres::deadline_after;
using postgres::Result;
using std::chrono::milliseconds;

Result<postgres::ConnectSettings> Sessions::settings(Kind kind) const {
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
  if (kind == Kind::kWorker) {
    // Losing the last refreshes in a crash means doing them again.
    connect.session.emplace_back("synchronous_commit", "off");
    connect.session.emplace_back("statement_timeout", ms(context_->settings.refresh_timeout));
  } else {
    connect.session.emplace_back("statement_timeout", ms(kQueryTimeout));
  }
  const std::map<std::string, std::string> overrides{{"application_name", "pgtrickled"}, {"client_encoding", "UTF8"}};
  const std::map<std::string, std::string> defaults{{"keepalives_idle", "30"},
                                                    {"keepalives_interval", "10"},
                                                    {"keepalives_count", "3"},
                                                    {"tcp_user_timeout", "30000"}};
  const config::Database& database = context_->database;
  const auto dsn = kind == Kind::kWorker ? postgres::overlay_conninfo(database.dsn, database.worker_dsn)
                                         : Result<std::string>(database.dsn);
  if (!dsn) return dsn.error();
  auto conninfo = postgres::merge_conninfo(*dsn, overrides, defaults);
  if (!conninfo) return conninfo.error();
  connect.conninfo = std::move(*conninfo);
  connect.workers = context_->shared->libpq_workers;
  return connect;
}

asio::awaitable<Result<ConnectionPtr>> Sessions::connect_for_control() {
  auto connect = settings(Kind::kControl);
  if (!connect) co_return connect.error();
  auto connection = co_await postgres::Connection::connect(std::move(*connect));
  co_return connection;
}

bool Sessions::make_pools() {
  if (workers_) return true;
  auto for_workers = settings(Kind::kWorker);
  auto for_maintenance = settings(Kind::kControl);
  if (!for_workers || !for_maintenance) return false;
  postgres::PoolSettings pool;
  pool.backoff = context_->retry_rules().retry;
  const std::weak_ptr<Context> weak = context_;
  pool.random01 = [weak] {
    const auto context = weak.lock();
    return context ? context->random01() : 0.5;
  };
  pool.on_reconnect = [weak] {
    if (const auto context = weak.lock()) context->observer().on_reconnect(context->name());
  };
  pool.connect = std::move(*for_workers);
  pool.size = context_->database.pool_size;
  workers_ = std::make_shared<postgres::Pool>(context_->shared->executor, pool);
  pool.connect = std::move(*for_maintenance);
  pool.size = 1;
  maintenance_ = std::make_shared<postgres::Pool>(context_->shared->executor, pool);
  return true;
}

void Sessions::renew_workers() {
  if (!workers_) return;
  if (auto connect = settings(Kind::kWorker)) workers_->reconfigure(std::move(*connect));
}

void Sessions::close() {
  if (workers_) workers_->close();
  if (maintenance_) maintenance_->close();
}

asio::awaitable<void> Sessions::write(std::vector<postgres::Statement> statements, const char* problem) {
  auto lease = co_await maintenance_->acquire(deadline_after(kQueryTimeout));
  if (!lease) {
    log::warn("refresh", "{} database={} error={}", problem, context_->name(), lease.error().text());
    co_return;
  }
  const auto results = co_await (*lease)->pipeline(std::move(statements), deadline_after(kQueryTimeout));
  if (const auto error = postgres::first_error(results)) {
    log::warn("refresh", "{} database={} error={}", problem, context_->name(), error->text());
  }
}

std::string Sessions::build_application_name() const {
  return "pgtrickled build " + context_->shared->instance.substr(0, 40);
}

Result<std::string> Sessions::build_conninfo() const {
  return postgres::merge_conninfo(context_->database.dsn, {{"application_name", build_application_name()}});
}

Result<std::string> Sessions::build_worker_conninfo() const {
  const auto conninfo = build_conninfo();
  if (!conninfo || !context_->has_worker_login()) return conninfo ? Result<std::string>(std::string()) : conninfo;
  return postgres::overlay_conninfo(*conninfo, context_->database.worker_dsn);
}

// Who wants to drop the database finds no session of ours that only waits.
void Sessions::close_build_sessions() {
  const auto conninfo = build_conninfo();
  const auto workers = build_worker_conninfo();
  if (!conninfo || !workers) return;
  asio::post(*context_->shared->build_workers,
             [conninfo = *conninfo, workers = workers->empty() ? *conninfo : *workers] {
               catalog::Kept<catalog::Session>::all().close(conninfo);
               catalog::Kept<catalog::Worker>::all().close(workers);
             });
}

}  // namespace pgtrickle::scheduler
