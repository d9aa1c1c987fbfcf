// The consequences of a unit: what an outcome means for its table (retry, rebuild, suspension), what the catalog and
// the history are told, which alerts follow. The history is written by a task of its own, all that has come together.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "refresh/refresh_unit.h"
#include "scheduler/alert_monitor.h"
#include "scheduler/maintenance.h"

namespace pgtrickle::scheduler {

class OutcomeRecorder : public std::enable_shared_from_this<OutcomeRecorder> {
 public:
  OutcomeRecorder(std::shared_ptr<Context> context, std::shared_ptr<Sessions> sessions,
                  std::shared_ptr<TableRegistry> registry, std::shared_ptr<AlertMonitor> alerts,
                  std::shared_ptr<Maintenance> maintenance)
      : context_(std::move(context)),
        sessions_(std::move(sessions)),
        registry_(std::move(registry)),
        alerts_(std::move(alerts)),
        maintenance_(std::move(maintenance)) {}

  /// All tables of the unit have come back to the planner when this returns.
  boost::asio::awaitable<void> record(std::vector<refresh::Outcome> outcomes);

 private:
  struct PendingAlert {
    observe::AlertKind kind;
    std::string object, message;
    AlertMonitor::Details details = {};
  };
  /// What is left to do: a table that failed counts as running until that is recorded.
  struct Settlement {
    std::vector<postgres::Statement> statements;
    struct Failed {
      TableId id = 0;
      std::chrono::milliseconds delay{0};
      bool alone = true;
    };
    std::vector<Failed> failed;
    std::vector<PendingAlert> alerts;  // when the catalog says so too
    bool reload = false;
  };

  void settle(const refresh::Outcome& outcome, Settlement& settlement);
  void settle_answer(Table& table, const refresh::Outcome& outcome, Settlement& settlement);
  void settle_success(Table& table, const refresh::Outcome& outcome, Settlement& settlement);
  void settle_blown(Table& table, const refresh::Outcome& outcome, Settlement& settlement);
  void settle_failure(Table& table, const refresh::Outcome& outcome, Settlement& settlement);
  void settle_rebuild(Table& table, const Judgement& judgement, const std::string& reason, Settlement& settlement);
  void report_failure(Table& table, const refresh::Outcome& outcome, const Judgement& judgement,
                      Settlement& settlement);
  void alert_failure(const Table& table, const postgres::Error& error, const Judgement& judgement,
                     Settlement& settlement);
  void learn(Table& table, const refresh::Outcome& outcome);
  void alert_backoff(const std::vector<TableId>& changed, const refresh::Outcome& outcome, Settlement& settlement);
  void observe(const Table& table, const refresh::Outcome& outcome);
  void pause_for_a_while();
  void remember(const refresh::Outcome& outcome);
  boost::asio::awaitable<void> write_history(std::shared_ptr<OutcomeRecorder> self);

  std::shared_ptr<Context> context_;
  std::shared_ptr<Sessions> sessions_;
  std::shared_ptr<TableRegistry> registry_;
  std::shared_ptr<AlertMonitor> alerts_;
  std::shared_ptr<Maintenance> maintenance_;
  std::vector<sql::Refresh> history_;  // to be written
  bool writing_ = false;
};

}  // namespace pgtrickle::scheduler
