// What the frontiers in the catalog say of stream tables, beside what their refreshes write: how fresh those without
// changes are, above how many pending rows recomputing is cheaper, and what an automatic fuse has learned.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "scheduler/sessions.h"
#include "scheduler/table_registry.h"

namespace pgtrickle::scheduler {

class FrontierUpdates : public std::enable_shared_from_this<FrontierUpdates> {
 public:
  FrontierUpdates(std::shared_ptr<Context> context, std::shared_ptr<Sessions> sessions,
                  std::shared_ptr<TableRegistry> registry)
      : context_(std::move(context)), sessions_(std::move(sessions)), registry_(std::move(registry)) {}

  void begin();  // this daemon leads
  /// TimePoint::max() while it runs: its end wakes the control session.
  [[nodiscard]] TimePoint next() const { return running_ ? TimePoint::max() : next_; }
  void start();

 private:
  /// The statements of some tables, and the tables that must not be refreshed while these are sent.
  struct Update {
    std::set<TableId> reserved;
    std::map<TableId, double> ages;
    std::vector<postgres::Statement> statements;
  };
  boost::asio::awaitable<void> run(std::shared_ptr<FrontierUpdates> self);
  boost::asio::awaitable<void> update(std::vector<TableId> ids);
  void add(Table& table, TimePoint at, Update& update);

  std::shared_ptr<Context> context_;
  std::shared_ptr<Sessions> sessions_;
  std::shared_ptr<TableRegistry> registry_;
  bool running_ = false;
  TimePoint next_;
};

}  // namespace pgtrickle::scheduler
