#include "scheduler/scheduler.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/thread_pool.hpp>
#include <map>

#include "postgres/conninfo.h"
#include "scheduler/database_scheduler.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
using postgres::Clock;

namespace {

constexpr std::size_t kLibpqWorkers = 4;
constexpr std::size_t kBuildWorkers = 2;

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string("unknown");
}

bool same_connections(const config::Database& a, const config::Database& b) {
  return a.name == b.name && a.dsn == b.dsn && a.pool_size == b.pool_size;
}

}  // namespace

struct Scheduler::Impl : std::enable_shared_from_this<Scheduler::Impl> {
  Impl(const asio::any_io_executor& executor, config::Config initial, observe::Observer& observer, Builder builder)
      : config(std::move(initial)), shared(std::make_shared<Shared>()), finished(executor) {
    shared->executor = executor;
    shared->libpq_workers = std::make_shared<asio::thread_pool>(kLibpqWorkers);
    shared->build_workers = std::make_shared<asio::thread_pool>(kBuildWorkers);
    shared->builder = std::move(builder);
    shared->observer = &observer;
    shared->budget.set_total(config.scheduler.max_workers);
    shared->host = host_name();
    std::array<char, 9> tag{};
    std::snprintf(tag.data(), tag.size(), "%08x", static_cast<unsigned>(shared->random()));
    shared->instance = std::string(tag.data()) + "@" + shared->host + ":" + std::to_string(::getpid());
  }

  void start(const config::Database& database) {
    spdlog::info("starting database={} dsn=\"{}\" pool_size={}", database.name, postgres::redact_conninfo(database.dsn),
                 database.pool_size);
    auto scheduler = std::make_shared<DatabaseScheduler>(shared, database, config.scheduler, config.compiler);
    databases.push_back(scheduler);
    scheduler->start();
  }

  void retire(const std::shared_ptr<DatabaseScheduler>& scheduler) {
    ++retiring;
    scheduler->begin_stop();
    asio::co_spawn(shared->executor, end(shared_from_this(), scheduler), asio::detached);
  }

  static asio::awaitable<void> end(std::shared_ptr<Impl> self, std::shared_ptr<DatabaseScheduler> scheduler) {
    const auto now = Clock::now();
    co_await scheduler->stop(now + self->config.shutdown_timeout / 2, now + self->config.shutdown_timeout * 9 / 10);
    --self->retiring;
    if (self->retiring == 0) self->finished.set();
  }

  void apply(config::Config next) {
    if (stopping || !running) {
      config = std::move(next);
      return;
    }
    config = std::move(next);
    shared->budget.set_total(config.scheduler.max_workers);
    std::vector<std::shared_ptr<DatabaseScheduler>> kept;
    std::vector<config::Database> to_start;
    for (const config::Database& wanted : config.databases) {
      const auto found = std::find_if(databases.begin(), databases.end(),
                                      [&](const auto& d) { return same_connections(d->database(), wanted); });
      if (found == databases.end()) {
        to_start.push_back(wanted);
      } else {
        (*found)->apply(config.scheduler, config.compiler);
        kept.push_back(*found);
      }
    }
    for (const auto& old : databases) {
      if (std::find(kept.begin(), kept.end(), old) == kept.end()) retire(old);
    }
    databases = std::move(kept);
    for (const config::Database& database : to_start) start(database);
  }

  config::Config config;
  std::shared_ptr<Shared> shared;
  std::vector<std::shared_ptr<DatabaseScheduler>> databases;
  postgres::Event finished;
  int retiring = 0;
  bool running = false;
  bool stopping = false;
};

Scheduler::Scheduler(const asio::any_io_executor& executor, config::Config config, observe::Observer& observer,
                     Builder builder)
    : impl_(std::make_shared<Impl>(executor, std::move(config), observer, std::move(builder))) {}

Scheduler::~Scheduler() {
  impl_->shared->build_workers->join();
  impl_->shared->libpq_workers->join();
}

asio::awaitable<void> Scheduler::run() {
  const auto impl = impl_;
  if (impl->running) throw std::logic_error("Scheduler::run() was called twice");
  impl->running = true;
  if (!impl->stopping) {
    for (const config::Database& database : impl->config.databases) impl->start(database);
  }
  while (!impl->stopping || impl->retiring > 0) co_await impl->finished.wait(postgres::Deadline::max());
}

asio::awaitable<void> Scheduler::stop() {
  const auto impl = impl_;
  if (!impl->stopping) {
    impl->stopping = true;
    const auto databases = std::move(impl->databases);
    impl->databases.clear();
    for (const auto& database : databases) impl->retire(database);
    impl->finished.set();
  }
  while (impl->retiring > 0) co_await postgres::sleep_until(Clock::now() + std::chrono::milliseconds(5));
}

void Scheduler::reload(config::Config config) {
  impl_->apply(std::move(config));
}

std::vector<observe::DatabaseStatus> Scheduler::status() const {
  std::vector<observe::DatabaseStatus> out;
  for (const auto& database : impl_->databases) out.push_back(database->status());
  return out;
}

}  // namespace pgtrickle::scheduler
