#include "scheduler/scheduler.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "observe/log.h"
#include "postgres/conninfo.h"
#include "scheduler/database_scheduler.h"
#include "scheduler/discovery.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
namespace log = observe::log;
using postgres::Clock;

namespace {

constexpr std::size_t kLibpqWorkers = 4;

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string("unknown");
}

}  // namespace

struct Scheduler::Impl : std::enable_shared_from_this<Scheduler::Impl> {
  Impl(const asio::any_io_executor& executor, config::Config initial, observe::Observer& observer, Builder builder)
      : config(std::move(initial)), shared(std::make_shared<Shared>()), finished(executor) {
    shared->executor = executor;
    shared->libpq_workers = std::make_shared<asio::thread_pool>(kLibpqWorkers);
    shared->build_workers = std::make_shared<asio::thread_pool>(BuildPlaces::kAtMost + 1);
    shared->builder = std::move(builder);
    shared->observer = &observer;
    shared->budget = std::make_shared<WorkerBudget>(config.scheduler.max_workers);
    limit_owners();
    shared->host = host_name();
    shared->details = config.http.details;
    std::array<char, 9> tag{};
    std::snprintf(tag.data(), tag.size(), "%08x", static_cast<unsigned>(shared->random()));
    shared->instance = std::string(tag.data()) + "@" + shared->host + ":" + std::to_string(::getpid());
  }

  void limit_owners() const {
    shared->budget->set_owner_limit(config.scheduler.owner_max_places);
    shared->build_places.set_owner_limit(config.scheduler.owner_max_places);
  }

  void start(const config::Database& database) {
    log::info("scheduler", "starting database={} dsn={} pool_size={}", database.name,
              postgres::redact_conninfo(database.dsn), database.pool_size);
    auto scheduler = std::make_shared<DatabaseScheduler>(shared, database, config.scheduler, config.compiler);
    databases.push_back(scheduler);
    scheduler->start();
  }

  void retire(const std::shared_ptr<DatabaseScheduler>& scheduler) {
    log::info("scheduler", "ending database={}", scheduler->database().name);
    ++ending;
    scheduler->begin_stop();
    asio::co_spawn(shared->executor, end(shared_from_this(), scheduler), asio::detached);
  }

  static asio::awaitable<void> end(std::shared_ptr<Impl> self, std::shared_ptr<DatabaseScheduler> scheduler) {
    const auto now = Clock::now();
    co_await scheduler->stop(now + self->config.shutdown_timeout / 2, now + self->config.shutdown_timeout * 9 / 10);
    self->one_ended();
  }

  void one_ended() {
    --ending;
    if (ending == 0) finished.set();
  }

  void apply(config::Config next) {
    config = std::move(next);
    shared->budget->set_total(config.scheduler.max_workers);
    limit_owners();
    if (stopping || !running) return;
    for (const auto& database : databases) database->apply(config.scheduler, config.compiler);
    update_searches();
    update_databases();
  }

  // Starts what is to be served and is not, ends what is served and is not to be.
  void update_databases() {
    if (stopping) return;
    FoundByEntry found;
    for (const Search& search : searches) found[search.discovery->entry().name] = search.discovery->found();
    const std::vector<config::Database> wanted = databases_to_serve(config.databases, found);
    std::vector<config::Database> current;
    current.reserve(databases.size());
    for (const auto& database : databases) current.push_back(database->database());
    const ServiceChanges changes = service_changes(current, wanted);
    std::vector<std::shared_ptr<DatabaseScheduler>> ended;
    for (const std::size_t i : changes.end) ended.push_back(databases[i]);
    std::erase_if(databases, [&](const auto& d) { return std::find(ended.begin(), ended.end(), d) != ended.end(); });
    for (const auto& database : ended) retire(database);
    for (const std::size_t i : changes.start) start(wanted[i]);
  }

  void update_searches() {
    std::vector<Search> kept;
    for (Search& search : searches) {
      const bool stays = std::any_of(
          config.databases.begin(), config.databases.end(),
          [&](const config::Database& wanted) { return same_connections(wanted, search.discovery->entry()); });
      if (stays) {
        search.discovery->set_interval(config.scheduler.discovery_interval);
        kept.push_back(search);
      } else {
        search.end();
      }
    }
    searches = std::move(kept);
    for (const config::Database& wanted : config.databases) {
      const bool runs = std::any_of(searches.begin(), searches.end(),
                                    [&](const Search& s) { return same_connections(wanted, s.discovery->entry()); });
      if (wanted.discover && !runs) start_search(wanted);
    }
  }

  void start_search(const config::Database& entry) {
    log::info("scheduler", "looking for databases dsn={} interval_ms={}", postgres::redact_conninfo(entry.dsn),
              config.scheduler.discovery_interval.count());
    Search search;
    search.cancel = std::make_shared<asio::cancellation_signal>();
    search.discovery = std::make_shared<Discovery>(shared->executor, shared->libpq_workers, entry,
                                                   config.scheduler.discovery_interval, [weak = weak_from_this()] {
                                                     if (const auto self = weak.lock()) self->update_databases();
                                                   });
    ++ending;
    auto ended = [self = shared_from_this(), cancel = search.cancel](const std::exception_ptr& failure) {
      self->one_ended();
      try {
        if (failure) std::rethrow_exception(failure);
      } catch (const boost::system::system_error& e) {
        if (e.code() != asio::error::operation_aborted) throw;  // ended before it began
      }
    };
    asio::co_spawn(shared->executor, Discovery::run(search.discovery),
                   asio::bind_cancellation_slot(search.cancel->slot(), std::move(ended)));
    searches.push_back(std::move(search));
  }

  void stop() {
    if (stopping) return;
    stopping = true;
    for (const Search& search : std::exchange(searches, {})) search.end();
    for (const auto& database : std::exchange(databases, {})) retire(database);
    finished.set();
  }

  struct Search {
    std::shared_ptr<Discovery> discovery;
    std::shared_ptr<asio::cancellation_signal> cancel;

    void end() const {
      discovery->stop();
      cancel->emit(asio::cancellation_type::terminal);
    }
  };

  config::Config config;
  std::shared_ptr<Shared> shared;
  std::vector<std::shared_ptr<DatabaseScheduler>> databases;
  std::vector<Search> searches;
  postgres::Event finished;
  int ending = 0;  // databases that end, and searches that run or end
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
    impl->update_searches();
    impl->update_databases();
  }
  while (!impl->stopping || impl->ending > 0) co_await impl->finished.wait(postgres::Deadline::max());
}

asio::awaitable<void> Scheduler::stop() {
  const auto impl = impl_;
  impl->stop();
  while (impl->ending > 0) co_await postgres::sleep_until(Clock::now() + std::chrono::milliseconds(5));
}

bool Scheduler::is_building() const {
  return impl_->shared->building > 0;
}

void Scheduler::reload(config::Config config) {
  impl_->apply(std::move(config));
}

std::vector<observe::DatabaseStatus> Scheduler::status() const {
  std::vector<observe::DatabaseStatus> out;
  for (const Impl::Search& search : impl_->searches) out.push_back(search.discovery->status());
  for (const auto& database : impl_->databases) out.push_back(database->status());
  return out;
}

}  // namespace pgtrickle::scheduler
