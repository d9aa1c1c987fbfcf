// The connections of one database: how they are made, the pool of worker sessions, which run refreshes, and the one of
// maintenance, so that slow refreshes do not delay what the daemon has to write.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <vector>

#include "postgres/pool.h"
#include "scheduler/context.h"

namespace pgtrickle::scheduler {

class Sessions {
 public:
  enum class Kind { kControl, kWorker };

  explicit Sessions(std::shared_ptr<Context> context) : context_(std::move(context)) {}

  [[nodiscard]] postgres::Result<postgres::ConnectSettings> settings(Kind kind) const;
  boost::asio::awaitable<postgres::Result<ConnectionPtr>> connect_for_control();
  /// False if the settings are not those of a connection. Once they are, the pools stay.
  bool make_pools();
  /// The settings of worker sessions have changed.
  void renew_workers();
  void close();

  /// After make_pools().
  [[nodiscard]] const std::shared_ptr<postgres::Pool>& workers() const { return workers_; }
  [[nodiscard]] const std::shared_ptr<postgres::Pool>& maintenance() const { return maintenance_; }
  /// Sends what is to be written; what fails is logged as `problem` and given up.
  boost::asio::awaitable<void> write(std::vector<postgres::Statement> statements,
                                     const char* problem = "outcome not recorded");

  // For builds, which have their own sessions
  [[nodiscard]] std::string build_application_name() const;
  [[nodiscard]] postgres::Result<std::string> build_conninfo() const;
  [[nodiscard]] postgres::Result<std::string> build_worker_conninfo() const;  // empty: there are no worker sessions
  void close_build_sessions();

 private:
  std::shared_ptr<Context> context_;
  std::shared_ptr<postgres::Pool> workers_;
  std::shared_ptr<postgres::Pool> maintenance_;
};

}  // namespace pgtrickle::scheduler
