// Loads the catalog, whole or a few rows, and hands it to the registry and to all that have to hear of it. Where
// triggers may not notify it finds out itself that something has changed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "scheduler/alert_monitor.h"
#include "scheduler/build_queue.h"
#include "scheduler/log_maintenance.h"
#include "scheduler/worker_sessions.h"

namespace pgtrickle::scheduler {

class CatalogLoader {
 public:
  struct Parts {
    std::shared_ptr<WorkerSessions> workers;
    std::shared_ptr<BuildQueue> builds;
    std::shared_ptr<LogMaintenance> logs;
    std::shared_ptr<AlertMonitor> alerts;
  };
  CatalogLoader(std::shared_ptr<Context> context, std::shared_ptr<TableRegistry> registry, Parts parts)
      : context_(std::move(context)), registry_(std::move(registry)), parts_(std::move(parts)) {}

  /// This daemon leads or stands by.
  void begin();
  /// All that is due now: changes that nobody told, what is suspended, the catalog or rows of it.
  boost::asio::awaitable<MaybeError> load_what_is_due(ConnectionPtr control);
  boost::asio::awaitable<MaybeError> load(ConnectionPtr control);
  [[nodiscard]] bool is_load_due() const;
  /// Costs and sizes of deltas, from the history.
  boost::asio::awaitable<MaybeError> learn_from_history(ConnectionPtr control);
  [[nodiscard]] TimePoint next() const;
  /// pgtrickle was uninstalled: stream tables are ordinary tables now.
  void forget_everything();

 private:
  boost::asio::awaitable<MaybeError> load_changed(ConnectionPtr control);
  boost::asio::awaitable<MaybeError> look_for_changes(ConnectionPtr control);
  boost::asio::awaitable<MaybeError> try_suspended(ConnectionPtr control);
  void adopt(sql::Catalog catalog, TimePoint read_after);
  void tell(TableRegistry::Loaded loaded);

  std::shared_ptr<Context> context_;
  std::shared_ptr<TableRegistry> registry_;
  Parts parts_;
  TimePoint next_load_;
  postgres::Clock::duration load_took_{0};
  TimePoint next_trial_ = TimePoint::max();  // of the ones that are suspended
  // Where triggers may not notify
  TimePoint next_look_;
  std::int64_t changes_seen_ = -1;
  bool writers_left_ = true;  // who changes the catalog may not have ended yet
  std::string committed_;     // what they had committed at the last look
};

}  // namespace pgtrickle::scheduler
