// Change logs: finds out how large they are, empties what is consumed, and takes a log away from who does not keep up
// with it, so that it cannot fill the disk of everybody. Logs whose writers sleep are looked at once a minute.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "scheduler/alert_monitor.h"

namespace pgtrickle::scheduler {

class LogMaintenance {
 public:
  LogMaintenance(std::shared_ptr<Context> context, std::shared_ptr<TableRegistry> registry,
                 std::shared_ptr<AlertMonitor> alerts)
      : context_(std::move(context)), registry_(std::move(registry)), alerts_(std::move(alerts)) {}

  /// There may be other logs than before.
  void expect_others() { others_expected_ = true; }
  /// True if there is more to do soon.
  boost::asio::awaitable<bool> run(ConnectionPtr connection);
  [[nodiscard]] std::vector<observe::LogStatus> status() const;

 private:
  struct Log {
    sql::LogSize size;
    TimePoint looked_at;  // the size is of this moment or later
    TimePoint not_before;
    std::chrono::milliseconds delay{0};  // between two attempts to rotate it

    [[nodiscard]] std::int64_t bytes() const { return size.active_bytes + size.inactive_bytes; }
  };

  [[nodiscard]] bool wants_rotation(const sql::LogSize& log) const;
  [[nodiscard]] std::set<SourceId> quiet() const;
  boost::asio::awaitable<bool> measure(postgres::Connection& connection);
  boost::asio::awaitable<void> release(postgres::Connection& connection);
  void released(const Log& log, const std::vector<TableId>& ids);
  boost::asio::awaitable<bool> rotate(postgres::Connection& connection);
  void rotated(SourceId source, const postgres::Result<postgres::Rows>& answer);

  std::shared_ptr<Context> context_;
  std::shared_ptr<TableRegistry> registry_;
  std::shared_ptr<AlertMonitor> alerts_;
  std::map<SourceId, Log> logs_;
  bool others_expected_ = true;
  TimePoint next_full_look_;  // at the ones that should not have changed, too
};

}  // namespace pgtrickle::scheduler
