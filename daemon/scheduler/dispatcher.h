// From being due to a running refresh: takes due units from the planner, starts them as workers get free, the most
// urgent first, each in a task of its own, and hands their outcomes on. In between it sleeps in the listener.
#pragma once

#include <memory>
#include <vector>

#include "planner/ready_queue.h"
#include "scheduler/build_queue.h"
#include "scheduler/listener.h"
#include "scheduler/outcome_recorder.h"

namespace pgtrickle::scheduler {

using planner::Unit;

class Dispatcher : public std::enable_shared_from_this<Dispatcher> {
 public:
  struct Parts {
    std::shared_ptr<Listener> listener;
    std::shared_ptr<WorkerSessions> workers;
    std::shared_ptr<Warming> warming;
    std::shared_ptr<BuildQueue> builds;
    std::shared_ptr<OutcomeRecorder> outcomes;
  };
  Dispatcher(std::shared_ptr<Context> context, std::shared_ptr<Sessions> sessions,
             std::shared_ptr<TableRegistry> registry, Parts parts)
      : context_(std::move(context)),
        sessions_(std::move(sessions)),
        registry_(std::move(registry)),
        parts_(std::move(parts)) {}

  /// With the budget of refreshes, which calls back when a place is free.
  void join_budget();
  void leave_budget();
  /// Starts the loop of this term.
  void start();
  /// This daemon does not lead any more: what has not begun is given up.
  void abandon();

  [[nodiscard]] int running() const { return running_; }
  [[nodiscard]] std::size_t waiting() const { return ready_.size(); }

 private:
  /// The units of one pass; a unit is ready when those it waits for have ended.
  struct Batch {
    std::vector<Unit> units;
    std::vector<std::size_t> waiting_for;
  };
  struct Work {
    std::shared_ptr<Batch> batch;
    std::size_t index = 0;
    [[nodiscard]] const Unit& unit() const { return batch->units[index]; }
  };

  boost::asio::awaitable<void> loop(std::shared_ptr<Dispatcher> self, std::uint64_t term);
  void enqueue_due();
  void start_ready();
  void start_warming();
  boost::asio::awaitable<void> warm(std::shared_ptr<Dispatcher> self, TableId id, Domain domain);
  boost::asio::awaitable<void> run(std::shared_ptr<Dispatcher> self, Work work);
  boost::asio::awaitable<std::vector<refresh::Outcome>> refresh(const Unit& unit, Domain domain);
  [[nodiscard]] std::vector<refresh::Step> begin(const Unit& unit);
  void drop(const Work& work);
  void ended(const Work& work);
  void give_place_back(Domain owner);

  std::shared_ptr<Context> context_;
  std::shared_ptr<Sessions> sessions_;
  std::shared_ptr<TableRegistry> registry_;
  Parts parts_;
  planner::ReadyQueue<Work> ready_;
  int running_ = 0;  // units
  bool warming_ = false;
  WorkerBudget::Member budget_ = 0;
  bool in_budget_ = false;
};

}  // namespace pgtrickle::scheduler
