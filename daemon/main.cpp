// pgtrickled: composes configuration, logging, metrics, HTTP server and scheduler on one event loop, and runs them
// until a signal ends it. Exit codes: 0 = ended by a signal, 1 = failed, 2 = wrong flags or configuration.
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <ctime>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>

#include "config/command_line.h"
#include "config/document.h"
#include "config/load.h"
#include "config/units.h"
#include "model/agreements.h"
#include "model/error_register.h"
#include "model/status.h"
#include "model/table_options.h"
#include "observe/alerts.h"
#include "observe/endpoints.h"
#include "observe/http_server.h"
#include "observe/logging.h"
#include "observe/metric_register.h"
#include "observe/metrics.h"
#include "postgres/conninfo.h"
#include "scheduler/scheduler.h"

namespace pgtrickle {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr int kFailed = 1;
constexpr int kBadConfig = 2;

class Daemon {
 public:
  Daemon(config::CommandLine command_line, config::Config config)
      : command_line_(std::move(command_line)),
        config_(std::move(config)),
        scheduler_(io_.get_executor(), config_, metrics_),
        stop_signals_(io_, SIGTERM, SIGINT),
        reload_signals_(io_, SIGHUP),
        watchdog_(io_) {}

  int run() {
    if (config_.http.port != 0) {
      http_ = std::make_unique<observe::HttpServer>(io_.get_executor(), config_.http.address, config_.http.port,
                                                    observe::make_handler(metrics_, scheduler_),
                                                    config::words(config_.http.allowed_hosts));
      spdlog::info("http: listening on {}:{}", config_.http.address, http_->port());
    }
    // An exception that leaves one of these is a bug: it ends the daemon, visibly, and a supervisor starts a new one.
    const auto end_on_error = [this](const char* what) {
      return [this, what](const std::exception_ptr& error) {
        if (!error) return;
        failed(what, error);
        io_.stop();
      };
    };
    asio::co_spawn(io_, run_scheduler(), end_on_error("scheduler"));
    asio::co_spawn(io_, wait_for_stop(), end_on_error("shutdown"));
    asio::co_spawn(io_, wait_for_reload(), end_on_error("reload"));
    asio::co_spawn(io_, feed_watchdog(), end_on_error("watchdog"));
    ::sd_notify(0, "READY=1");
    io_.run();
    if (scheduler_.is_building()) {
      // Its session has been ended, so it does not touch the database any more. A worker thread that compiles cannot be
      // interrupted, and the destructors would wait for it.
      spdlog::warn("a build has not noticed the end of its session: ending without it");
      spdlog::shutdown();
      ::_exit(exit_code_);
    }
    spdlog::info("pgtrickled ended");
    return exit_code_;
  }

 private:
  void failed(const char* what, const std::exception_ptr& error) {
    exit_code_ = kFailed;
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      spdlog::critical("{} failed: {}", what, e.what());
    } catch (...) {
      spdlog::critical("{} failed", what);
    }
  }

  asio::awaitable<void> run_scheduler() {
    co_await scheduler_.run();
    close_everything();
  }

  asio::awaitable<void> wait_for_stop() {
    error_code error;
    const int number = co_await stop_signals_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    spdlog::info("{}: stopping, running refreshes may end within {} ms", number == SIGINT ? "SIGINT" : "SIGTERM",
                 config_.shutdown_timeout.count() / 2);
    ::sd_notify(0, "STOPPING=1");
    stopping_ = true;
    // The scheduler keeps its promise to end in time; this is for the day when it does not. The process ends without
    // destructors then, because a worker thread may be the one that hangs. Nothing is lost: unfinished work is redone.
    asio::steady_timer limit(io_, config_.shutdown_timeout);
    limit.async_wait([](const error_code& cancelled) {
      if (cancelled) return;
      spdlog::error("stopping takes longer than shutdown_timeout: ending at once");
      spdlog::shutdown();
      ::_exit(0);
    });
    // A second signal ends at once.
    stop_signals_.async_wait([](const error_code& cancelled, int) {
      if (!cancelled) ::_exit(0);
    });
    if (http_) http_->stop();
    co_await scheduler_.stop();
    limit.cancel();
  }

  asio::awaitable<void> wait_for_reload() {
    for (;;) {
      error_code error;
      co_await reload_signals_.async_wait(asio::redirect_error(asio::use_awaitable, error));
      if (error || stopping_) co_return;
      reload();
    }
  }

  void reload() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    ::sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", now.tv_sec * 1000000LL + now.tv_nsec / 1000);
    auto loaded = config::load(command_line_.config_path, command_line_.overrides);
    if (loaded.ok()) {
      if (loaded.config.http != config_.http) {
        spdlog::warn("reload: http settings change with the next start only");
      }
      config_ = loaded.config;
      observe::setup_logging(config_.log);
      scheduler_.reload(config_);
      for (const auto& warning : loaded.warnings) spdlog::warn("reload: {}", warning);
      spdlog::info("reload: configuration applied");
    } else {
      for (const auto& problem : loaded.problems) spdlog::error("reload: {}", problem);
      spdlog::error("reload: the old configuration stays");
    }
    ::sd_notify(0, "READY=1");
  }

  // From the event loop on purpose: if the loop is stuck, systemd hears nothing and restarts the daemon.
  asio::awaitable<void> feed_watchdog() {
    std::uint64_t microseconds = 0;
    if (::sd_watchdog_enabled(0, &microseconds) <= 0) co_return;
    for (error_code error; !error;) {
      ::sd_notify(0, "WATCHDOG=1");
      watchdog_.expires_after(std::chrono::microseconds(microseconds / 3));
      co_await watchdog_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
  }

  // Whatever would keep the event loop alive.
  void close_everything() {
    if (http_) http_->stop();
    error_code ignored;
    stop_signals_.cancel(ignored);
    reload_signals_.cancel(ignored);
    watchdog_.cancel();
  }

  config::CommandLine command_line_;
  config::Config config_;
  int exit_code_ = 0;
  bool stopping_ = false;
  // Order matters: the event loop outlives what runs on it, and the metrics outlive the scheduler that reports to them.
  observe::Metrics metrics_;
  asio::io_context io_{1};
  scheduler::Scheduler scheduler_;
  std::unique_ptr<observe::HttpServer> http_;
  asio::signal_set stop_signals_;
  asio::signal_set reload_signals_;
  asio::steady_timer watchdog_;
};

// What a flag asks to print instead of running.
std::optional<std::string> text_to_print(const config::CommandLine& line) {
  if (line.print_sample_config) return config::sample_config();
  if (line.print_config_docs) return config::config_docs();
  if (line.print_metrics_docs) return observe::metrics_docs();
  if (line.print_alerts_docs) return observe::alerts_docs();
  if (line.print_status_docs) return status_docs();
  if (line.print_error_docs) return error_docs();
  if (line.print_error_sql) return error_sql();
  if (line.print_option_sql) return table_option_sql();
  if (line.print_agreements) return agreements::agreements_sql();
  return std::nullopt;
}

// A line per database, for people.
std::string databases_text(const std::vector<config::Database>& databases) {
  std::string text;
  for (const auto& database : databases) {
    const std::string name =
        database.discover ? "all with pgtrickle" + (database.name.empty() ? "" : ", named " + database.name + "...")
                          : database.name;
    const std::string dsn =
        database.dsn.empty() ? "from the environment of libpq" : postgres::redact_conninfo(database.dsn);
    text += "  " + name + ": dsn \"" + dsn + "\", pool_size " + std::to_string(database.pool_size) + ", workers " +
            std::to_string(database.workers) + "\n";
  }
  return text;
}

int main_with(const config::CommandLine& line) {
  if (const auto text = text_to_print(line)) {
    std::cout << *text;
    return 0;
  }
  auto loaded = config::load(line.config_path, line.overrides);
  if (!loaded.ok()) {
    for (const auto& problem : loaded.problems) std::cerr << problem << "\n";
    return kBadConfig;
  }
  if (line.check_config) {
    for (const auto& warning : loaded.warnings) std::cerr << "warning: " << warning << "\n";
    std::cout << "configuration is good: " << loaded.config.databases.size() << " database(s)\n"
              << databases_text(loaded.config.databases);
    return 0;
  }
  observe::setup_logging(loaded.config.log);
  for (const auto& warning : loaded.warnings) spdlog::warn("{}", warning);
  std::string names;
  for (const auto& database : loaded.config.databases) {
    names += (names.empty() ? "" : ", ") + (database.discover ? "to be discovered" : database.name);
  }
  spdlog::info("pgtrickled starting, pid {}, databases: {}", ::getpid(), names);
  return Daemon(line, std::move(loaded.config)).run();
}

}  // namespace
}  // namespace pgtrickle

int main(int argc, char** argv) {
  try {
    const auto parsed = pgtrickle::config::parse_command_line(argc, argv);
    if (parsed.exit_code) return *parsed.exit_code;
    return pgtrickle::main_with(parsed.command_line);
  } catch (const std::exception& error) {
    std::cerr << "pgtrickled: " << error.what() << "\n";
    return pgtrickle::kFailed;
  }
}
