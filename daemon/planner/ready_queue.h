// Units that may run but wait for a worker. The next one is that which is most overdue for its period, weighted by its
// tier; among equals the one with the longest path behind it. Whatever waits gains on the others, so nothing starves:
// periods above kLongestPeriod count as that, or a weekly table could wait for weeks behind an excess of fast ones.
// Pure.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "planner/units.h"

namespace pgtrickle::planner {

template <class Work>
class ReadyQueue {
 public:
  static constexpr std::chrono::seconds kLongestPeriod{60};

  void push(Unit unit, Work work) { waiting_.push_back({std::move(unit), std::move(work)}); }

  struct Item {
    Unit unit;
    Work work;
  };

  std::optional<Item> pop(std::chrono::steady_clock::time_point now) {
    if (waiting_.empty()) return std::nullopt;
    std::size_t best = 0;
    for (std::size_t i = 1; i < waiting_.size(); ++i) {
      const double a = urgency(waiting_[i].unit, now);
      const double b = urgency(waiting_[best].unit, now);
      if (a > b || (a == b && waiting_[i].unit.critical_path > waiting_[best].unit.critical_path)) best = i;
    }
    Item item = std::move(waiting_[best]);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(best));
    return item;
  }

  /// Takes everything out.
  std::vector<Item> drain() { return std::exchange(waiting_, {}); }
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  [[nodiscard]] bool empty() const { return waiting_.empty(); }

 private:
  static double urgency(const Unit& unit, std::chrono::steady_clock::time_point now) {
    const auto seconds = [](auto duration) { return std::chrono::duration<double>(duration).count(); };
    const double period = std::clamp(seconds(unit.period), 0.001, seconds(kLongestPeriod));
    return unit.weight * (1 + seconds(now - unit.due) / period);
  }

  std::vector<Item> waiting_;
};

}  // namespace pgtrickle::planner
