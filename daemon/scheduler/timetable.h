// When is which stream table due? Knows schedules, what is running, what failed and waits for its retry, and whether
// the daemon is armed (asleep until a writer notifies). Pure: no connection, no clock of its own.
//
// Tables of one connected component are due at the same moments of a grid, so that those with equal or multiple periods
// meet in one unit; different components are spread over their period. While armed, a captured table that was checked
// since then sleeps: any later change would have notified. Tables without capture (FULL) never sleep.
#pragma once

#include <chrono>
#include <optional>

#include "scheduler/units.h"

namespace pgtrickle::scheduler {

using TimePoint = std::chrono::steady_clock::time_point;

struct TimetableEntry {
  TableId id = 0;
  std::optional<std::chrono::milliseconds> schedule;  // none: calculated
  bool active = false;                                // may be refreshed
  bool captured = false;                              // its sources' changes are captured: may sleep
  std::optional<std::chrono::milliseconds> age;       // of its data, if known; used when the table is new here
};

class Timetable {
 public:
  Timetable(std::chrono::milliseconds default_period, UnitLimits limits)
      : default_period_(default_period), limits_(limits) {}

  void set_default_period(std::chrono::milliseconds period) { default_period_ = period; }

  /// Replaces the set of tables; what is known of those that stay is kept.
  void load(const std::vector<TimetableEntry>& entries, const std::vector<Edge>& edges, TimePoint now);

  /// The due tables as units, in flight from now on: each must come back through succeeded(), failed() or released().
  [[nodiscard]] std::vector<Unit> take_due(TimePoint now);

  void succeeded(TableId id, bool changed, std::chrono::milliseconds duration, TimePoint now);
  void failed(TableId id, std::chrono::milliseconds retry_delay, TimePoint now);
  /// The table is not due any more until load() says that it is active.
  void deactivate(TableId id);
  /// Ends being in flight without any consequence.
  void released(TableId id);
  /// Makes a table in flight although it is not due, if it is not in flight yet.
  bool hold(TableId id);

  [[nodiscard]] bool in_flight(TableId id) const;
  [[nodiscard]] TimePoint next_due() const;  // TimePoint::max() if nothing is going to be due

  /// Nothing has changed for some rounds, and arming would let a table sleep.
  [[nodiscard]] bool wants_to_arm(TimePoint now) const;
  void armed(TimePoint now);
  void woken(TimePoint now);
  [[nodiscard]] bool is_armed() const { return armed_at_.has_value(); }

  /// The last moment at which the table is known to have been equal to its query; none if not since it is here.
  [[nodiscard]] std::optional<TimePoint> fresh_at(TableId id, TimePoint now) const;
  [[nodiscard]] std::chrono::milliseconds period(TableId id) const;
  [[nodiscard]] const Dag& dag() const { return dag_; }

 private:
  struct Table {
    TimetableEntry entry;
    std::chrono::milliseconds period{0};
    std::chrono::milliseconds cost{0};
    TimePoint due;
    std::optional<TimePoint> started;  // of the running or the last refresh
    std::optional<TimePoint> checked;  // start of the last successful refresh
    bool in_flight = false;
    bool failing = false;
  };

  [[nodiscard]] bool asleep(const Table& table) const;
  [[nodiscard]] TimePoint next_on_grid(const Table& table, TimePoint after) const;

  std::chrono::milliseconds default_period_;
  UnitLimits limits_;
  Dag dag_;
  std::map<TableId, Table> tables_;
  std::optional<TimePoint> epoch_;
  std::optional<TimePoint> armed_at_;
  TimePoint last_change_ = TimePoint::min();
};

}  // namespace pgtrickle::scheduler
