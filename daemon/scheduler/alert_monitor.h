// What operators should hear of: looks at the state of the stream tables, sources and groups of a database, raises and
// ends alerts, and sends them: as log lines and metrics (observer) and as NOTIFY pgtrickle_alert. Only the leader does,
// but for the news about the leader itself.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "observe/alerts.h"
#include "scheduler/sessions.h"
#include "scheduler/table_registry.h"

namespace pgtrickle::scheduler {

class AlertMonitor : public std::enable_shared_from_this<AlertMonitor> {
 public:
  using Details = std::vector<std::pair<std::string, observe::AlertValue>>;

  AlertMonitor(std::shared_ptr<Context> context, std::shared_ptr<Sessions> sessions,
               std::shared_ptr<TableRegistry> registry)
      : context_(std::move(context)),
        sessions_(std::move(sessions)),
        registry_(std::move(registry)),
        book_(context_->settings.alert_interval) {}

  void raise(observe::AlertKind kind, const std::string& object, const std::string& message, Details details = {});
  void set_interval(std::chrono::milliseconds interval) { book_.set_interval(interval); }
  [[nodiscard]] std::vector<observe::ActiveAlert> active() const { return book_.active(); }

  /// This daemon leads: staleness is judged after a while, and what another leader has told before is told again.
  void begin();
  /// Another one leads now, and knows better.
  void forget_all();

  [[nodiscard]] TimePoint next_check() const { return next_check_; }
  void check_tables();
  void tables_changed();
  void check_catalog(const sql::Catalog& catalog);
  /// What ends or begins with the new rows of these, without waiting for the whole catalog.
  void check_changed(const std::set<TableId>& ids);
  void check_logs(const std::vector<sql::LogSize>& all);
  [[nodiscard]] bool violates_slo(const Table& table, double staleness) const;

 private:
  boost::asio::awaitable<void> send(std::shared_ptr<AlertMonitor> self);
  void raise_lasting();
  void check_group(const sql::WatermarkGroup& group);
  void check_status(const Table& table);
  void forget_gone(const sql::Catalog& catalog);
  /// We know how old its data is: a standby does not, nor does a leader before its first look.
  [[nodiscard]] bool judges(const Table& table, TimePoint at) const;

  std::shared_ptr<Context> context_;
  std::shared_ptr<Sessions> sessions_;
  std::shared_ptr<TableRegistry> registry_;
  observe::AlertBook book_;
  std::vector<postgres::Statement> to_send_;
  bool sending_ = false;
  TimePoint next_check_, judges_from_;
};

}  // namespace pgtrickle::scheduler
