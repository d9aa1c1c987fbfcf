// A small database, its users and a daemon, event by event, to show that no table sleeps while it has something to do.
//
// What the protocol rests on is modelled exactly: snapshots, frontiers and their locks, change logs, capture triggers
// that try the lock of their source and notify at commit if it is taken, notifications that arrive later, arming in two
// steps, transactions of units whose snapshot, statements, commit and settlement are events of their own. All
// interleavings of these are possible; `random` chooses. What is true is known: the rows of every log and who has
// consumed them.
#pragma once

#include <deque>
#include <random>
#include <string>

#include "entries.h"

namespace pgtrickle::planner::testing {

struct ModelOptions {
  bool failures = true;     // refreshes that fail, connections that are lost
  bool users = true;        // pause, resume, create, drop, refresh by hand
  bool uncaptured = false;  // sources without change logs
  bool cycles = false;
};

class SleepingModel {
 public:
  SleepingModel(unsigned seed, ModelOptions options);

  /// So many random events. Stops at the first violation.
  void run(int events);
  /// No more writers; everything comes to its end.
  void quiesce();

  [[nodiscard]] const std::string& violation() const { return violation_; }
  /// Events at which a table slept: without them nothing has been shown.
  [[nodiscard]] int slept() const { return slept_; }

 private:
  using Tx = std::size_t;
  using Snapshot = std::uint64_t;  // the number of commits that it sees

  // The database
  struct Frontier {
    Snapshot snapshot = 0;
    std::optional<Tx> tx;    // that wrote it: its own rows are consumed too
    Snapshot committed = 0;  // when it was written
  };
  struct Transaction {
    bool open = true;
    Snapshot commit = 0;  // 0: open or rolled back
    std::set<SourceId> shared, notifies;
    std::map<TableId, Frontier> frontiers;
    std::set<TableId> locked;
  };
  struct Table {
    PlannerEntry entry;
    Frontier frontier;
    std::optional<Tx> locked_by;
    std::vector<SourceId> inputs;  // logs, captured or not
    bool exists = true;
  };
  struct Notification {
    char kind;  // 's', 't', 'a' or ' '
    std::int64_t id = 0;
  };
  enum class Outcome { kNothing, kChanged, kHeld, kConflict };

  Tx begin();
  void write(Tx tx, SourceId log);
  void commit(Tx tx);
  void rollback(Tx tx);
  void clear_logs();
  void notify(char kind, std::int64_t id = 0);
  [[nodiscard]] bool has_pending(const Table& table, Snapshot snapshot, std::optional<Tx> own) const;
  [[nodiscard]] bool is_gated(TableId id) const;
  Outcome refresh(const std::vector<TableId>& ids, Tx tx, Snapshot snapshot);

  // Its users
  struct ManualRefresh {
    TableId id;
    Tx tx;
    Snapshot snapshot;
    bool done = false;
  };
  void create_table();
  void writer_event();
  void manual_event();
  void catalog_event();
  void gate_event();

  // The daemon
  struct Running {
    Unit unit;
    std::size_t batch = 0, number = 0;
    enum class Phase { kWaiting, kBegun, kRunning, kCommitted, kFailuresLeft, kEnded } phase = Phase::kWaiting;
    std::vector<std::vector<TableId>> steps;
    std::size_t step = 0;
    Tx tx = 0;
    Snapshot snapshot = 0;
    std::map<TableId, Outcome> outcomes;
    std::set<TableId> failed, held, deferred;  // for good; outcomes are those of the attempt
    std::set<TableId> left_out;                // asleep, and of its component
  };
  void dispatch_event();
  void unit_event();
  void advance_unit(Running& running);
  void start_attempt(Running& running);
  void give_up(Running& running, const std::vector<TableId>& step, Outcome outcome);
  void settle(Running& running);
  void listen_event();
  void load_event();
  void lose_listener();
  void unlock(const std::vector<SourceId>& sources);

  void event();
  void tick();
  void check();
  void check_consumed();
  void check_in_step(const Running& running);
  [[nodiscard]] std::set<TableId> left_out_of(const Unit& unit) const;
  [[nodiscard]] bool excused(const Table& table) const;
  [[nodiscard]] std::set<TableId> with_upstream(TableId id) const;
  [[nodiscard]] bool asleep(TableId id) const;
  [[nodiscard]] std::vector<PlannerEntry> catalog() const;
  std::size_t number(std::size_t below) { return random_() % below; }
  bool chance(unsigned percent) { return random_() % 100 < percent; }
  std::optional<TableId> any_table();
  void violated(const std::string& what);

  std::mt19937 random_;
  ModelOptions options_;
  Now now_{TimePoint(std::chrono::hours(1)), WallTime(std::chrono::hours(24 * 365 * 54))};

  std::vector<Transaction> transactions_;
  Snapshot commits_ = 0;
  std::map<SourceId, std::vector<Tx>> logs_;
  std::map<TableId, Table> tables_;
  std::set<SourceId> gates_;
  std::vector<std::vector<TableId>> groups_;
  std::set<SourceId> exclusive_;  // held by the daemon
  std::deque<Notification> channel_;
  TableId next_id_ = 1;
  std::vector<Tx> writers_;
  std::vector<ManualRefresh> manual_;

  std::size_t most_tables_;  // of a unit
  RefreshPlanner planner_;
  bool bell_ = true;
  std::set<SourceId> locked_;                        // as the daemon sees it
  std::set<SourceId> kept_;                          // woken, but about to be armed again
  std::optional<std::map<SourceId, bool>> locking_;  // answers on their way
  bool reload_ = false;
  std::set<TableId> changed_;
  std::vector<Running> running_;
  std::size_t batches_ = 0;

  bool quiescing_ = false;
  std::string violation_;
  int slept_ = 0;
};

}  // namespace pgtrickle::planner::testing
