// What the leader does now and then in a task beside everything else: change logs (log_maintenance.h), the history, the
// rows of dead daemons, and what changed in the catalog that no event trigger told and no refresh has noticed.
#pragma once

#include <memory>
#include <vector>

#include "scheduler/log_maintenance.h"

namespace pgtrickle::scheduler {

class Maintenance : public std::enable_shared_from_this<Maintenance> {
 public:
  Maintenance(std::shared_ptr<Context> context, std::shared_ptr<Sessions> sessions,
              std::shared_ptr<TableRegistry> registry, std::shared_ptr<LogMaintenance> logs)
      : context_(std::move(context)),
        sessions_(std::move(sessions)),
        registry_(std::move(registry)),
        logs_(std::move(logs)) {}

  void begin();  // this daemon leads
  /// TimePoint::max() while it runs: its end wakes the control session.
  [[nodiscard]] TimePoint next() const { return running_ ? TimePoint::max() : next_; }
  void start();
  /// A publication is in the way of something: its settings are to be followed at once.
  void follow_replication_soon();

 private:
  boost::asio::awaitable<void> run(std::shared_ptr<Maintenance> self);
  boost::asio::awaitable<void> prune(postgres::Connection& connection);
  boost::asio::awaitable<void> check_facts(postgres::Connection& connection);
  boost::asio::awaitable<void> follow_replication(postgres::Connection& connection);
  [[nodiscard]] std::vector<postgres::Statement> checks_of_facts() const;

  std::shared_ptr<Context> context_;
  std::shared_ptr<Sessions> sessions_;
  std::shared_ptr<TableRegistry> registry_;
  std::shared_ptr<LogMaintenance> logs_;
  bool running_ = false;
  TimePoint next_, next_prune_, next_check_of_facts_;
};

}  // namespace pgtrickle::scheduler
