// Which sources may sleep. While the daemon holds the advisory lock of a source ("armed"), a writer's capture trigger
// finds it taken and notifies at commit, so nobody needs to look at the source's change log. A source that is woken
// again right after it was armed is busy: polling it is cheaper for its writers than a notification in every period, so
// arming it is put off, longer each time. Pure.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "planner/atomic_sets.h"

namespace pgtrickle::planner {

using TimePoint = std::chrono::steady_clock::time_point;

class Arming {
 public:
  static constexpr int kShortSleep = 2;          // periods; woken after less: busy
  static constexpr int kShortSleepsAllowed = 2;  // in a row; after the next one arming pauses
  static constexpr int kFirstPause = 4;          // periods, doubling
  static constexpr int kLongestPause = 64;
  static constexpr std::chrono::milliseconds kPauseMax{30000};
  static constexpr std::chrono::milliseconds kRefusedPause{250};  // a writer is in the middle of a transaction

  /// A source that may sleep, with the shortest period of the ones that read it; new ones are awake. Another period
  /// makes it start afresh, but not wake.
  void put(SourceId source, std::chrono::milliseconds period);
  /// True if it was armed: unlock it.
  bool remove(SourceId source);

  /// It is awake, and may be armed now.
  [[nodiscard]] bool may_arm(SourceId source, TimePoint now) const;
  void armed(SourceId source, TimePoint now);
  void refused(SourceId source, TimePoint now);  // its lock could not be had
  /// Somebody wrote to it. True if it was armed: unlock it.
  bool woken(SourceId source, TimePoint now);
  /// All locks are gone or to be released. Returns the sources that were armed.
  std::vector<SourceId> wake_all();

  /// Since when nothing can have been written to it without a notification; none if it is awake.
  [[nodiscard]] std::optional<TimePoint> armed_at(SourceId source) const;
  [[nodiscard]] std::size_t asleep() const;
  [[nodiscard]] bool contains(SourceId source) const { return sources_.contains(source); }
  [[nodiscard]] std::size_t size() const { return sources_.size(); }

 private:
  struct Source {
    std::chrono::milliseconds period{0};
    std::optional<TimePoint> armed_at;
    TimePoint not_before = TimePoint::min();
    int short_sleeps = 0;
  };
  std::map<SourceId, Source> sources_;
};

}  // namespace pgtrickle::planner
