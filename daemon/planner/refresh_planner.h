// When is which stream table due? Knows schedules, the graph, what is running, what failed and waits for its retry,
// what is held, and which sources sleep. Pure: no connection, no clock of its own.
//
// What is scheduled are atomic sets (atomic_sets.h), within components: tables that are connected by reading each other
// or by a refresh group. Atomic sets of a component are due at the same moments of a grid. A set that is due takes
// along what is refreshed at least as often, asleep or not. So members with equal schedules always meet in one unit,
// that is in one snapshot. While such a unit runs, nothing else of the component starts, unless it is or turns out to
// be a slow one. Components are spread over their periods.
//
// Tables of different domains (owners who do not trust each other) are never in one atomic set or unit. A table waits
// for another domain only if it reads it.
//
// Auto-backoff concerns what runs together: equal schedules of a component are slowed down by the same factor, so that
// they go on meeting; a table that was cut off is slowed down with its atomic set.
//
// A captured table sleeps when all its sources are armed (arming.h), what it reads sleeps too, and it was refreshed
// since. One that follows the time sleeps until the next of its rows comes or goes. Stream tables that are slower than
// it, or not refreshed by us, are sources to it. Members of a cycle sleep together.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "model/agreements.h"
#include "planner/arming.h"
#include "planner/backoff.h"
#include "planner/schedule.h"
#include "planner/units.h"

namespace pgtrickle::planner {

/// One moment on both clocks: cron schedules need the one on the wall.
struct Now {
  TimePoint steady;
  WallTime wall;
};

struct PlannerEntry {
  TableId id = 0;
  Schedule schedule;
  Tier tier = Tier::kHot;
  bool active = false;                   // may be refreshed
  bool kept = false;                     // triggers keep it: nobody refreshes it, and nobody waits for that
  bool captured = false;                 // the changes of all that it reads are captured: may sleep
  bool follows_time = false;             // rows come and go as time passes: sleeps until the next one does
  std::optional<Milliseconds> age = {};  // of its data, if known; used when the table is new here
  std::optional<Milliseconds> max_staleness = {};
  Domain domain = 0;
  std::vector<TableId> upstream = {};    // stream tables that it reads
  std::vector<SourceId> sources = {};    // change logs that it reads, without those of stream tables
  std::vector<SourceId> relations = {};  // what it reads that is no stream table, captured or not
  std::optional<SourceId> own_log = {};  // its own change log, if somebody reads it
  bool atomic_diamond = true;
  bool slowest = false;  // diamond_schedule_policy
  /// It is recomputed, which nobody asked for: at an interval that its own cost decides, unless somebody says how
  /// often.
  bool throttled = false;
  Milliseconds cost{0};  // of its last recomputation, if known; used when the table is new here
};

struct PlannerSettings {
  Milliseconds default_period = agreements::kDefaultSchedule;
  Milliseconds continuous_min{50};
  TierRules tiers = {};
  UnitLimits limits = {};
  bool auto_backoff = true;
  bool may_arm = true;  // writers can wake us
};

class RefreshPlanner {
 public:
  explicit RefreshPlanner(PlannerSettings settings) : settings_(settings) {}

  /// New settings hold from the next load() on.
  void configure(const PlannerSettings& settings) { settings_ = settings; }

  /// Replaces the set of tables and groups; what is known of the ones that stay is kept.
  void load(const std::vector<PlannerEntry>& entries, const std::vector<std::vector<TableId>>& groups, Now now);
  /// Adds or changes one table: only what is connected with it is looked at.
  void put(const PlannerEntry& entry, Now now);
  void remove(TableId id, Now now);

  /// The due tables as units, running from now on: every table must come back through succeeded(), failed(), held(),
  /// deferred() or released(). What a unit has found out counts when its last table has come back.
  [[nodiscard]] std::vector<Unit> take_due(Now now);
  /// The transaction of the unit is about to begin.
  void begun(const Unit& unit, TimePoint now);

  struct Success {
    bool changed = false;        // something was applied
    Milliseconds own{0};         // the server's work for this table
    Milliseconds whole_unit{0};  // the transaction
    /// Of one that follows the time: until then it stays equal to its query if nothing else changes. None: not known.
    std::optional<Milliseconds> crossing_in = {};
  };
  /// The tables whose auto-backoff changed with this, ascending.
  std::vector<TableId> succeeded(TableId id, const Success& success, Now now);
  /// `alone`: it may fail again, and must not stop the ones that it is refreshed with: it is retried in a unit of its
  /// own.
  void failed(TableId id, Milliseconds retry_delay, TimePoint now, bool alone = true);
  /// A gate or a watermark holds it: looked at again at its next time, or after release_holds().
  void held(TableId id, Now now);
  void release_holds(TimePoint now);
  /// Somebody wants it refreshed now, whatever its schedule says. Who sleeps is fresh.
  void hasten(TableId id, Now now);
  /// Another member of its atomic set was the reason that nothing was done.
  void deferred(TableId id) { (void)end_run(id); }
  /// Not due any more until load() or put() says that it is active.
  void deactivate(TableId id);
  /// Ends being running without any consequence.
  void released(TableId id) { (void)end_run(id); }
  /// Makes a table running although it is not due, if it is not running yet.
  bool reserve(TableId id, TimePoint now);

  [[nodiscard]] bool is_running(TableId id) const;
  [[nodiscard]] std::size_t running_count() const;
  [[nodiscard]] TimePoint next_due() const;  // TimePoint::max() if nothing is going to be due

  // Sleeping. What is to be locked and unlocked is the caller's business, in this order: arm, then take_due().
  [[nodiscard]] std::vector<SourceId> sources_to_arm(TimePoint now) const;
  void armed(SourceId source, TimePoint now);
  void refused(SourceId source, TimePoint now) { arming_.refused(source, now); }
  /// Rows were written to this source. True if it was armed: unlock it.
  bool woken(SourceId source, Now now);
  /// Anything may have happened, or the locks are lost, at most `silent_for` ago. Returns what was armed.
  std::vector<SourceId> wake_all(Now now, Milliseconds silent_for = Milliseconds(0));
  [[nodiscard]] bool is_armed(SourceId source) const { return arming_.armed_at(source).has_value(); }
  /// Since when nothing can have been written to the source without a notification that we would have heard of.
  [[nodiscard]] std::optional<TimePoint> armed_at(SourceId source) const { return arming_.armed_at(source); }
  /// When the last refresh of a table ended that sleeps, so that nothing has changed it since; none if it is awake.
  [[nodiscard]] std::optional<TimePoint> asleep_since(TableId id) const;
  /// Armed sources that are not needed any more: unlock them.
  [[nodiscard]] std::vector<SourceId> take_unneeded();
  [[nodiscard]] std::size_t sources_asleep() const { return arming_.asleep(); }
  [[nodiscard]] std::size_t sources() const { return arming_.size(); }

  /// The last moment at which the table is known to have been equal to its query, but for the time that a notification
  /// takes; none if not since it is here.
  [[nodiscard]] std::optional<TimePoint> fresh_at(TableId id, TimePoint now) const;
  [[nodiscard]] Milliseconds period(TableId id) const;
  [[nodiscard]] int backoff(TableId id) const;
  /// A gate or a watermark was in the way of its last refresh.
  [[nodiscard]] bool is_held(TableId id) const;
  /// The inactive table that keeps its atomic set, and so this table, from being refreshed.
  [[nodiscard]] std::optional<TableId> blocked_by(TableId id) const;
  /// The other tables that it is refreshed together with or not at all, itself included.
  [[nodiscard]] const std::vector<TableId>& atomic_set(TableId id) const;
  [[nodiscard]] const Dag& dag() const { return dag_; }

 private:
  struct Table;
  struct Upstream {
    Table* table = nullptr;
    bool is_source = false;  // the one that reads it may sleep while it does not, if its log is armed
  };
  struct Table {
    PlannerEntry entry;
    Need need;               // without backoff
    Milliseconds period{0};  // with it
    Milliseconds cost{0};
    Backoff backoff;
    RecomputeThrottle throttle;
    TimePoint due;
    std::optional<TimePoint> begun;                       // of the running or the last refresh
    std::uint64_t serial = 0;                             // of the unit running, or the last one
    std::optional<TimePoint> checked_begin, checked_end;  // of the last successful refresh
    std::uint64_t checked_serial = 0;
    std::optional<TimePoint> changed_end;  // of the last one that changed something
    std::uint64_t changed_serial = 0;
    bool is_running = false;
    bool failing = false;
    bool is_held = false;
    bool asleep = false;
    std::optional<TimePoint> slept_until;  // the last time
    std::optional<TimePoint> crossing;     // asleep or not, it is due then
    bool is_new = true;                    // its first due time is to be found
    bool is_activated = false;             // the same, after it was inactive
    int idle_polls = 0;                    // in a row, of a continuous one that nobody can wake

    // Its place, found by build(). Pointers are into tables_ and hold as long as the component.
    TableId component = 0;
    std::size_t place = 0;  // in the order of the component
    std::size_t set = 0;
    std::vector<Upstream> upstream;
    std::vector<Table*> downstream;
    std::size_t cycle_begin = 0, cycle_end = 0;  // places of its cycle; of itself if it is in none
    std::vector<SourceId> waits_for;             // whose writers must be able to wake us before it may sleep
    bool is_served = false;                      // refreshed by us: it and all of its atomic set are active
    bool can_sleep = false;                      // once all that it waits for are armed
  };
  struct SetState {
    std::vector<Table*> tables;
    TimePoint due = TimePoint::max();  // if it may be started
  };
  struct Component {
    std::vector<Table*> tables;  // topological order
    std::vector<AtomicSet> sets;
    std::vector<SetState> states;                          // of atomic sets
    std::set<std::pair<TimePoint, std::size_t>> queue;     // atomic sets that may be started, by when they are due
    std::set<std::uint64_t> whole;                         // units running before whose end nothing else starts
    bool mixed = false;                                    // has several domains
    std::map<SourceId, std::vector<std::size_t>> sources;  // places of the ones that wait for it
    TimePoint next_due = TimePoint::max();
  };
  struct RunningUnit {
    bool whole = false;
    std::size_t left = 0;
    std::vector<TableId> tables;
    Domain domain = 0;
    std::optional<TimePoint> begun = {};
    bool changed = false;  // something was applied
    Milliseconds took{0};  // if so
  };
  using Places = std::set<std::size_t>;
  static constexpr Milliseconds kForEver{std::chrono::hours(24 * 365 * 10)};  // in nanoseconds there is room for some

  // The set of tables: refresh_planner.cpp
  void adopt(const PlannerEntry& entry);
  [[nodiscard]] std::vector<std::uint64_t> erase(const std::vector<TableId>& gone);
  [[nodiscard]] static bool is_active(const Table& table);
  /// Of one that sleeps: until when it has been equal to its query.
  [[nodiscard]] static TimePoint fresh_asleep(const Table& table, TimePoint now);

  // Components: planner_components.cpp
  void rebuild(const std::set<TableId>& tables, Now now);
  void build(const std::vector<TableId>& parts, Now now);
  void place(Component& component, TableId id, const std::vector<TableId>& order);
  void forget(TableId component);
  void set_needs(Component& component);
  void share_backoff(Component& component);
  void set_own_needs(Component& component, std::size_t begin, std::size_t end);
  void set_period(const SetState& set);
  void set_throttle(Table& table);
  [[nodiscard]] static Milliseconds throttle_of(const Table& table);
  void set_due(Table& table, const Need& old_need, Milliseconds old_period, Now now);

  // Sleeping: planner_sleeping.cpp
  void listen(Component& component, TableId id);
  void stop_listening(Component& component, TableId id);
  void settle_sources();
  [[nodiscard]] static bool is_slower(const Table& table, const Table& reader);
  [[nodiscard]] static bool has_seen(const Table& table, const Upstream& upstream);
  [[nodiscard]] bool can_sleep(const Component& component, std::size_t begin, std::size_t end) const;
  [[nodiscard]] bool sleeps(const Component& component, std::size_t begin, std::size_t end) const;
  void update_sleep(TableId component, Places places);

  // Due: planner_due.cpp
  [[nodiscard]] static bool may_start(const SetState& set);
  [[nodiscard]] static bool is_awake(const SetState& set);
  [[nodiscard]] static bool is_failing(const SetState& set);
  [[nodiscard]] static bool is_held(const SetState& set);
  [[nodiscard]] static TimePoint due_of(const SetState& set);
  void evaluate(Component& component, std::size_t set);
  void forecast(TableId component);
  [[nodiscard]] TimePoint blocked_until(const Component& component, Domain domain) const;
  [[nodiscard]] TimePoint next_time(const Table& table, Now now) const;
  [[nodiscard]] static TimePoint next_cron(const Need& need, Now now, Milliseconds missed);
  [[nodiscard]] TimePoint next_on_grid(const Table& table, TimePoint after) const;
  [[nodiscard]] TimePoint woken_time(const Table& table, Now now) const;

  // Units: planner_units.cpp
  void take_from(TableId component, Now now, std::vector<Unit>& plan);
  void start_unit(Component& component, Unit& unit, TimePoint now);

  // Outcomes: planner_outcomes.cpp
  std::vector<TableId> end_run(TableId id);
  std::vector<TableId> finish_unit(std::uint64_t serial);
  std::vector<TableId> slow_down(const RunningUnit& running);
  void settle(const std::vector<TableId>& tables, std::uint64_t serial);

  PlannerSettings settings_;
  Dag dag_;
  Arming arming_;
  std::unordered_map<TableId, Table> tables_;
  std::map<TableId, Component> components_;
  std::map<TableId, std::size_t> group_of_;
  std::vector<std::vector<TableId>> groups_;
  std::map<SourceId, std::map<TableId, Milliseconds>> waiting_;  // components by source, with their shortest period
  std::set<std::pair<TimePoint, TableId>> queue_;                // components by next_due
  std::map<std::uint64_t, RunningUnit> running_;
  std::set<SourceId> affected_sources_;  // who waits for them may have changed
  std::vector<SourceId> unneeded_;
  Now last_now_;  // as far as we have heard
  std::optional<TimePoint> epoch_;
  std::optional<TimePoint> all_woken_;
  std::uint64_t next_serial_ = 1;
};

}  // namespace pgtrickle::planner
