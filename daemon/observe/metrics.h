// Metrics of the daemon in the Prometheus text format: counts the scheduler's events, and takes gauges from its status
// when it is asked for the text. Series of stream tables and databases that are gone from the status disappear.
// Threads: the event loop thread, but text() may be called on any other.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "observe/observer.h"

namespace pgtrickle::observe {

class Metrics final : public Observer {
 public:
  Metrics();
  ~Metrics() override;
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void on_refresh(const RefreshEvent& event) override;
  void on_retry(const std::string& database, const std::string& sqlstate) override;
  void on_reconnect(const std::string& database) override;
  void on_build(const std::string& database, const std::string& stream_table, bool ok) override;
  void on_tick(const std::string& database, std::chrono::microseconds duration, int due) override;
  /// Counts it, and writes it to the log.
  void on_alert(const Alert& alert) override;
  void on_wakeup(const std::string& database) override;
  void on_lag(const std::string& database, std::chrono::microseconds lag) override;
  void on_scc(const std::string& database, TableId scc, int iterations, bool converged) override;

  /// What is not counted is as the status says from now on.
  void update(const std::vector<DatabaseStatus>& status);
  /// The text of /metrics.
  [[nodiscard]] std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pgtrickle::observe
