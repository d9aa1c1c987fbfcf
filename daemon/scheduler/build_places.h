// How many stream tables are built at once, over all databases of one process, and whose turn it is.
//
// A build lasts as long as the owner's query wants. So one that has lasted for a while holds up its owner only: it does
// not count when somebody else wants a place. An owner who is not trusted has his own limit too, and the last of all
// places is for trusted owners. Owners take turns: the one with the fewest builds goes first, then the one who was
// served least lately.
//
// Pure: no threads, and the caller has the clock. A database asks again and again while it waits: one that does not is
// forgotten.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "scheduler/worker_budget.h"

namespace pgtrickle::scheduler {

class BuildPlaces {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Ticket = std::uint64_t;

  static constexpr int kAtOnce = 2;                      // builds that count
  static constexpr int kAtMost = 8;                      // with the ones that do not
  static constexpr std::chrono::seconds kLong{5};        // a build that has lasted so long counts for its owner only
  static constexpr std::chrono::milliseconds kAsk{500};  // so often does asks who waits
  static constexpr std::chrono::seconds kForgotten{3};   // who has not asked for so long does not wait any more

  /// Of one owner who is not trusted. 0: one less than kAtOnce.
  void set_owner_limit(int limit) { owner_limit_ = limit; }

  /// The owners who have something to build in this database. They keep their turn until the next call, or until they
  /// are forgotten.
  void set_waiting(const std::string& database, const std::set<Owner>& owners, TimePoint at);
  /// The owner in this database who may begin a build now, if there is one.
  [[nodiscard]] std::optional<Owner> next(const std::string& database, TimePoint at) const;

  Ticket take(const std::string& database, Owner owner, TimePoint at);
  void release(Ticket ticket);
  [[nodiscard]] int in_use() const { return static_cast<int>(running_.size()); }

 private:
  struct Build {
    Owner owner;
    TimePoint since;
  };
  struct Claim {
    std::string database;
    Owner owner;
    auto operator<=>(const Claim&) const = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 errs here
  };
  using Builds = std::map<Ticket, Build>;

  [[nodiscard]] bool fits(const Builds& builds, Owner owner, TimePoint at) const;
  [[nodiscard]] static int count_of(const Builds& builds, Owner owner);
  /// The ones that wait, the next one first.
  [[nodiscard]] std::vector<Claim> in_turn(TimePoint at) const;

  int owner_limit_ = 0;
  Builds running_;
  std::map<Claim, TimePoint> waiting_;     // since when it has not asked again
  std::map<Owner, Ticket> last_of_owner_;  // the last place that he took
  std::map<Claim, Ticket> last_of_claim_;
  Ticket next_ = 1;
};

}  // namespace pgtrickle::scheduler
