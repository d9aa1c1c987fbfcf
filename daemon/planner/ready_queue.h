// Units that may run but wait for a worker. The next one is that which is most overdue for its period, weighted by its
// tier; among equals the one with the longest path behind it. Whatever waits gains on the others, so nothing starves:
// periods above kLongestPeriod count as that, or a weekly table could wait for weeks behind an excess of fast ones.
//
// Owners who do not trust each other take turns first: the one who has the fewest places, then the one who was served
// least lately. By lateness alone, an owner whose units never end in time would always be the latest. Between him and
// the trusted owners lateness decides.
//
// Pure.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
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

  /// The next one. `places(domain)` is how many places an owner has now, nothing if he may have no more;
  /// `take(domain)` decides whether the unit is taken out.
  template <class Places, class Take>
  std::optional<Item> pop_if(std::chrono::steady_clock::time_point now, const Places& places, const Take& take) {
    const auto best = next(now, places);
    if (best == waiting_.end() || !take(best->unit.domain)) return std::nullopt;
    Item item = std::move(*best);
    waiting_.erase(best);
    if (item.unit.domain != 0) served_[item.unit.domain] = ++turn_;
    return item;
  }

  std::optional<Item> pop(std::chrono::steady_clock::time_point now) {
    return pop_if(
        now, [](Domain) { return std::optional(0); }, [](Domain) { return true; });
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
  using Place = typename std::vector<Item>::iterator;

  /// An owner whose units wait.
  struct Claim {
    std::optional<int> places;  // that he has; nothing: he may have no more
    std::uint64_t last_turn = 0;
    Place first;
    [[nodiscard]] bool is_fairer_than(const Claim& other) const {
      return std::pair(*places, last_turn) < std::pair(*other.places, other.last_turn);
    }
  };

  template <class Places>
  Place next(std::chrono::steady_clock::time_point now, const Places& places) {
    std::map<Domain, Claim> claims;
    for (auto item = waiting_.begin(); item != waiting_.end(); ++item) {
      const auto found = claims.find(item->unit.domain);
      if (found == claims.end()) {
        const Domain domain = item->unit.domain;
        claims[domain] = {.places = places(domain), .last_turn = last_turn_of(domain), .first = item};
      } else if (goes_before(item->unit, found->second.first->unit, now)) {
        found->second.first = item;
      }
    }
    const Claim* trusted = nullptr;
    const Claim* fairest = nullptr;
    for (const auto& [domain, claim] : claims) {
      if (!claim.places) continue;
      if (domain == 0) {
        trusted = &claim;
      } else if (fairest == nullptr || claim.is_fairer_than(*fairest)) {
        fairest = &claim;
      }
    }
    if (trusted == nullptr || fairest == nullptr) {
      const Claim* const only = trusted != nullptr ? trusted : fairest;
      return only != nullptr ? only->first : waiting_.end();
    }
    return goes_before(fairest->first->unit, trusted->first->unit, now) ? fairest->first : trusted->first;
  }

  [[nodiscard]] std::uint64_t last_turn_of(Domain domain) const {
    const auto found = served_.find(domain);
    return found == served_.end() ? 0 : found->second;
  }

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
  std::map<Domain, std::uint64_t> served_;  // by owner without trust: the turn that he had last
  std::uint64_t turn_ = 0;
};

}  // namespace pgtrickle::planner
