// Plans before they are needed. The first refresh of a table in a session plans everything, which takes 10 to 50 times
// as long as applying a row; so an idle session does that after a build and after connecting, and keeps the table. The
// program for more than few rows is made ready where there have been so many, according to the history too.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "refresh/refresh_unit.h"
#include "scheduler/worker_sessions.h"

namespace pgtrickle::scheduler {

class Warming {
 public:
  Warming(std::shared_ptr<Context> context, std::shared_ptr<TableRegistry> registry,
          std::shared_ptr<WorkerSessions> workers)
      : context_(std::move(context)), registry_(std::move(registry)), workers_(std::move(workers)) {}

  /// The tables that are refreshed most often: this daemon has just become leader.
  void want_all();
  /// This one, and those whose plans its build has made obsolete.
  void want_after_build(const Table& built);
  void want(TableId id) { wanted_.insert(id); }
  /// These tables have been refreshed in this session.
  void refreshed(const ConnectionPtr& session, const std::vector<refresh::Outcome>& outcomes);

  /// Takes one that can be warmed now.
  [[nodiscard]] std::optional<TableId> take_next();
  boost::asio::awaitable<void> warm(TableId id, Domain domain);

 private:
  std::shared_ptr<Context> context_;
  std::shared_ptr<TableRegistry> registry_;
  std::shared_ptr<WorkerSessions> workers_;
  std::set<TableId> wanted_;  // no session has plans for them
};

}  // namespace pgtrickle::scheduler
