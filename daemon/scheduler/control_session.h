// The control session: a connection over which a daemon stands by, leads, beats, and loads the catalog. While it leads,
// its loop starts everything that is due beside refreshes. It reconnects for ever.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "scheduler/catalog_loader.h"
#include "scheduler/dispatcher.h"
#include "scheduler/frontier_updates.h"
#include "scheduler/leadership.h"

namespace pgtrickle::scheduler {

class ControlSession : public std::enable_shared_from_this<ControlSession> {
 public:
  /// What it starts, and tells that this daemon leads or does not any more.
  struct Parts {
    std::shared_ptr<Leadership> leadership;
    std::shared_ptr<CatalogLoader> catalog;
    std::shared_ptr<Listener> listener;
    std::shared_ptr<Dispatcher> dispatcher;
    std::shared_ptr<Warming> warming;
    std::shared_ptr<WorkerSessions> workers;
    std::shared_ptr<BuildQueue> builds;
    std::shared_ptr<Maintenance> maintenance;
    std::shared_ptr<FrontierUpdates> frontiers;
    std::shared_ptr<AlertMonitor> alerts;
  };
  ControlSession(std::shared_ptr<Context> context, std::shared_ptr<Sessions> sessions, Parts parts);

  void start();
  /// No new work: the loop ends, also where it waits for a connection.
  void begin_stop();
  /// For the last words of this daemon; none if it is not usable.
  [[nodiscard]] ConnectionPtr usable_connection() const;
  void close();

  [[nodiscard]] bool is_connected() const { return connection_ && connection_->open(); }
  [[nodiscard]] bool is_uninstalled() const { return uninstalled_; }

 private:
  boost::asio::awaitable<void> run(std::shared_ptr<ControlSession> self);
  boost::asio::awaitable<void> serve(ConnectionPtr connection);
  boost::asio::awaitable<std::optional<std::string>> pooling_problem(postgres::Connection& connection);
  boost::asio::awaitable<bool> check_installation(ConnectionPtr connection);
  boost::asio::awaitable<bool> check_version(ConnectionPtr connection);
  boost::asio::awaitable<MaybeError> stand_by(ConnectionPtr connection);
  boost::asio::awaitable<MaybeError> lead(ConnectionPtr connection);
  boost::asio::awaitable<MaybeError> take_over(ConnectionPtr connection);
  boost::asio::awaitable<MaybeError> beat(ConnectionPtr connection);
  boost::asio::awaitable<MaybeError> wait_for_duties(ConnectionPtr connection);
  boost::asio::awaitable<void> pause(std::chrono::milliseconds delay);
  void begin_leading();
  void start_duties();
  void lose_leadership();

  std::shared_ptr<Context> context_;
  std::shared_ptr<Sessions> sessions_;
  Parts parts_;
  postgres::Event stop_signal_;
  Tasks::Signal task_;
  ConnectionPtr connection_;
  bool uninstalled_ = false;
  int backend_ = 0;  // of the connection, as the server says; 0: not asked yet
  TimePoint next_beat_;
};

}  // namespace pgtrickle::scheduler
