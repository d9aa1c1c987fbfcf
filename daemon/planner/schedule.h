// How often a stream table is to be refreshed, as its schedule says. The SQL part checks schedules when they are set
// (sql/10_schedule.sql); this reads them. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "planner/cron.h"

namespace pgtrickle::planner {

using Milliseconds = std::chrono::milliseconds;

struct Schedule {
  enum class Kind {
    kCalculated,  // as its consumers need it
    kEvery,       // every `period`
    kContinuous,  // as soon as something has changed, but at most every `period` (none: the daemon's setting)
    kCron,
  };
  Kind kind = Kind::kCalculated;
  std::optional<Milliseconds> period;
  std::optional<Cron> cron;

  static Schedule every(Milliseconds period) { return {.kind = Kind::kEvery, .period = period, .cron = {}}; }
};

/// `milliseconds`: what the catalog computed for the duration in it, if there is one. Nothing if the text is none of
/// ours.
[[nodiscard]] std::optional<Schedule> parse_schedule(const std::string& text, std::optional<Milliseconds> milliseconds);

/// When a table must be refreshed in the end: its own schedule, or all that its consumers need.
struct Need {
  std::optional<Milliseconds> period;  // between refreshes; of continuous ones the smallest
  bool continuous = false;
  std::vector<Cron> crons;
  bool by_default = true;  // nobody said how often

  void add(const Need& other);
  [[nodiscard]] bool empty() const { return !period && crons.empty(); }
  [[nodiscard]] bool has_crons_of(const Need& other) const;
  friend bool operator==(const Need& a, const Need& b) {
    return a.period == b.period && a.continuous == b.continuous && a.has_crons_of(b);
  }
};

}  // namespace pgtrickle::planner
