// Days of a daemon in a moment: the real refresh planner, ready queue, backoff and arming, with a simulated clock, a
// number of workers, writers, errors, slow refreshes and users. Event driven. Every step checks what must always hold;
// what was seen is counted, for tests to judge.
#pragma once

#include <queue>
#include <random>
#include <string>

#include "entries.h"
#include "planner/ready_queue.h"

namespace pgtrickle::planner::testing {

struct SimulationOptions {
  std::size_t workers = 2;
  std::size_t tables = 12;
  std::size_t sources = 5;
  double load = 0.3;                                    // of the workers, if everything always had changes
  double errors = 0;                                    // of refreshes of the tables that fail at times
  double slow = 0.02;                                   // of refreshes take kSlow times as long
  double uncaptured = 0.03;                             // of the tables with long periods
  bool users = false;                                   // create, drop, pause, resume and alter tables
  bool busy = false;                                    // every source is written to all the time
  bool single = false;                                  // no graph: tables that read one source
  std::chrono::seconds shortest{1}, longest{6 * 3600};  // periods
};

class Simulation {
 public:
  static constexpr int kSlow = 10;

  struct Stats {
    long refreshes = 0, changed = 0, failures = 0, wakes = 0, takes = 0, units = 0, judged = 0;
    long fruitful = 0, fruitless = 0;  // units that changed something, or did not
    int tables_slept = 0;
    double worst = 0;  // lateness beyond the period, in terms of what it may be
  };
  struct OfTable {
    long refreshes = 0;
    TimePoint last_end;
    TimePoint::duration longest_gap{0};
    int highest_backoff = 1;
    int backoff = 1;
    Tier tier = Tier::kHot;
    Milliseconds schedule{0};
  };

  Simulation(unsigned seed, const SimulationOptions& options);

  void run(std::chrono::seconds duration);
  /// All refreshes take so many times as long from now on.
  void set_cost_factor(double factor) { cost_factor_ = factor; }
  void set_errors(double errors) { options_.errors = errors; }
  /// Changes that wait too long are a violation; from now on.
  void judge_staleness(bool judge);
  void forget_counts();

  [[nodiscard]] const std::string& violation() const { return violation_; }
  [[nodiscard]] const Stats& stats() const { return stats_; }
  [[nodiscard]] std::map<TableId, OfTable> tables() const;
  [[nodiscard]] std::size_t workers() const { return options_.workers; }

 private:
  struct Table {
    PlannerEntry entry;
    Milliseconds base_period{0};
    double cost_ms = 1;
    bool can_sleep = true;
    bool fails_at_times = false;
    int failures = 0;  // in a row
    TimePoint retry_at = {};
    bool exists = true;
    bool running = false;
    std::optional<TimePoint> pending;       // since when there is something to do
    std::optional<TimePoint> pending_then;  // the same, for what came after the snapshot of the running refresh
    OfTable seen;
  };
  struct Batch {
    std::vector<Unit> units;
    std::vector<std::size_t> waiting_for;
  };
  struct Work {
    std::shared_ptr<Batch> batch;
    std::size_t unit = 0;
  };
  struct Running {
    Work work;
    TimePoint begun;
    std::set<TableId> failed, deferred, changed;
    std::map<TableId, double> cost_ms;
  };
  enum class Kind { kWrite, kHeard, kCommit, kSettled, kDue, kLoad, kUser, kJudge };
  struct Event {
    TimePoint at;
    std::uint64_t number;
    Kind kind;
    std::int64_t id;
    bool operator>(const Event& other) const { return std::tie(at, number) > std::tie(other.at, other.number); }
  };

  void make_table();
  void scale_costs();
  Schedule random_schedule();
  void after(TimePoint::duration duration, Kind kind, std::int64_t id = 0);
  void advance_to(TimePoint time);
  void handle(const Event& event);
  void write(SourceId source);
  void changed_input(TableId id);
  void user();
  void load();

  void dispatch();
  void start_units();
  void start(Work work);
  void commit(std::int64_t number);
  void settle(std::int64_t number);

  void check_launched(const std::vector<Unit>& units);
  void check_members(const Unit& unit);
  void check_alone_in_component(const Unit& unit);
  void check_nobody_left_behind(const Unit& unit);
  void check_next_due();
  void judge();
  void judge(TableId id, TimePoint since);
  struct Allowed {
    double period_ms, rest_ms;
  };
  [[nodiscard]] Allowed allowed(TableId id, TimePoint since) const;
  [[nodiscard]] bool is_asleep(TableId id) const;
  [[nodiscard]] std::set<TableId> component(TableId id) const;
  void violated(const std::string& what);

  double uniform() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  std::size_t number(std::size_t below) { return random_() % below; }
  double log_uniform(double from, double to);
  std::optional<TableId> any_table();

  std::mt19937 random_;
  SimulationOptions options_;
  Now now_{TimePoint(std::chrono::hours(1)), WallTime(std::chrono::hours(24 * 365 * 54))};
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t next_event_ = 0;

  std::map<TableId, Table> tables_;
  std::map<SourceId, double> write_every_s_;
  std::vector<std::vector<TableId>> groups_;
  TableId next_id_ = 1;
  double cost_factor_ = 1;

  RefreshPlanner planner_;
  ReadyQueue<Work> ready_;
  std::map<std::int64_t, Running> running_;
  struct InFlight {
    std::set<TableId> tables;
    bool whole = false;
    std::optional<TimePoint> begun;
  };
  std::map<std::uint64_t, InFlight> in_flight_;  // by serial
  std::int64_t next_running_ = 0;
  TimePoint wake_at_ = TimePoint::max();  // of the earliest kDue event

  std::optional<TimePoint> judging_since_;
  std::set<TableId> slept_;
  Stats stats_;
  std::string violation_;
};

}  // namespace pgtrickle::planner::testing
