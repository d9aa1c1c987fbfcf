// Units that may run but wait for a worker. The next one is that which is most overdue for its period, weighted by its
// tier; among equals the one with the longest path behind it. Whatever waits gains on the others, so nothing starves:
// periods above kLongestPeriod count as that, or a weekly table could wait for weeks behind an excess of fast ones.
// Pure.
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
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

  /// The first among those of whom `may(unit)` says so; `take(unit)` decides whether it is taken out.
  template <class May, class Take>
  std::optional<Item> pop_if(std::chrono::steady_clock::time_point now, const May& may, const Take& take) {
    auto best = waiting_.end();
    for (auto item = waiting_.begin(); item != waiting_.end(); ++item) {
      if (may(item->unit) && (best == waiting_.end() || goes_before(item->unit, best->unit, now))) best = item;
    }
    if (best == waiting_.end() || !take(best->unit)) return std::nullopt;
    Item item = std::move(*best);
    waiting_.erase(best);
    return item;
  }

  std::optional<Item> pop(std::chrono::steady_clock::time_point now) {
    const auto any = [](const Unit&) { return true; };
    return pop_if(now, any, any);
  }

  [[nodiscard]] std::map<Domain, int> count_by_domain() const {
    std::map<Domain, int> out;
    for (const Item& item : waiting_) ++out[item.unit.domain];
    return out;
  }

  /// Takes everything out.
  std::vector<Item> drain() { return std::exchange(waiting_, {}); }
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  [[nodiscard]] bool empty() const { return waiting_.empty(); }

 private:
  static bool goes_before(const Unit& a, const Unit& b, std::chrono::steady_clock::time_point now) {
    const double left = urgency(a, now);
    const double right = urgency(b, now);
    return left != right ? left > right : a.critical_path > b.critical_path;
  }

  static double urgency(const Unit& unit, std::chrono::steady_clock::time_point now) {
    const auto seconds = [](auto duration) { return std::chrono::duration<double>(duration).count(); };
    const double period = std::clamp(seconds(unit.period), 0.001, seconds(kLongestPeriod));
    return unit.weight * (1 + seconds(now - unit.due) / period);
  }

  std::vector<Item> waiting_;
};

}  // namespace pgtrickle::planner
