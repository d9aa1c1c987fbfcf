// Stream tables that want to be built, upstream before downstream, as BuildPlaces lets their owners, and garbage that
// wants to be collected: both run on worker threads, and come back to the event loop with their result.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "scheduler/alert_monitor.h"
#include "scheduler/warming.h"

namespace pgtrickle::scheduler {

class BuildQueue : public std::enable_shared_from_this<BuildQueue> {
 public:
  BuildQueue(std::shared_ptr<Context> context, std::shared_ptr<Sessions> sessions,
             std::shared_ptr<TableRegistry> registry, std::shared_ptr<AlertMonitor> alerts,
             std::shared_ptr<Warming> warming)
      : context_(std::move(context)),
        sessions_(std::move(sessions)),
        registry_(std::move(registry)),
        alerts_(std::move(alerts)),
        warming_(std::move(warming)) {}

  void begin();  // this daemon leads
  void tables_changed(bool left_garbage);
  void start_builds();
  void start_garbage_collection();
  /// When the next one may be started, TimePoint::max() if only the end of another can change that.
  [[nodiscard]] TimePoint next() const { return next_build_; }
  [[nodiscard]] int running() const { return running_; }

 private:
  [[nodiscard]] bool wants_build(const Table& table) const;
  [[nodiscard]] static TimePoint build_time(const Table& table);  // of one that wants to be built
  /// `expected`: something is to be built, now or later.
  [[nodiscard]] std::map<Owner, std::vector<Table*>> ready(TimePoint at, bool& expected);
  [[nodiscard]] bool waits_for_upstream(TableId id, TimePoint at);
  [[nodiscard]] catalog::BuildSettings settings_for(const Table& table, std::string worker_conninfo) const;
  void start(Table& table, const std::string& conninfo, const std::string& workers);
  void ended(TableId id, std::int64_t generation, const catalog::BuildResult& result);
  void built(Table& table, const catalog::BuildResult& result);
  void failed(Table& table, std::int64_t generation, const catalog::BuildResult& result);
  void will_be_retried(Table& table, const catalog::BuildResult& result);
  void report(const catalog::Garbage& garbage);

  std::shared_ptr<Context> context_;
  std::shared_ptr<Sessions> sessions_;
  std::shared_ptr<TableRegistry> registry_;
  std::shared_ptr<AlertMonitor> alerts_;
  std::shared_ptr<Warming> warming_;
  int running_ = 0;
  bool builds_expected_ = true;              // a table may want a build
  TimePoint next_build_ = TimePoint::max();  // of the ones that must not be built yet, or have no place
  bool collecting_garbage_ = false;
  bool garbage_expected_ = false;
  TimePoint next_garbage_;
  std::set<std::string> known_problems_;  // of garbage, that were said
};

}  // namespace pgtrickle::scheduler
