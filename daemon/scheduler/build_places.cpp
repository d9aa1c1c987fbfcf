#include "scheduler/build_places.h"

#include <algorithm>
#include <stdexcept>

namespace pgtrickle::scheduler {

namespace {

template <class Key>
std::uint64_t turn_of(const std::map<Key, std::uint64_t>& turns, const Key& key) {
  const auto found = turns.find(key);
  return found == turns.end() ? 0 : found->second;
}

}  // namespace

int BuildPlaces::count_of(const Builds& builds, Owner owner) {
  return static_cast<int>(
      std::count_if(builds.begin(), builds.end(), [&](const auto& build) { return build.second.owner == owner; }));
}

bool BuildPlaces::fits(const Builds& builds, Owner owner, TimePoint at) const {
  if (static_cast<int>(builds.size()) >= kAtMost) return false;
  if (owner != kTrustedOwner) {
    if (count_of(builds, owner) >= (owner_limit_ > 0 ? owner_limit_ : kAtOnce - 1)) return false;
    if (static_cast<int>(builds.size()) - count_of(builds, kTrustedOwner) >= kAtMost - 1) return false;
  }
  const auto counts = [&](const auto& build) { return build.second.owner == owner || at - build.second.since < kLong; };
  return std::count_if(builds.begin(), builds.end(), counts) < kAtOnce;
}

void BuildPlaces::set_waiting(const std::string& database, const std::set<Owner>& owners, TimePoint at) {
  std::erase_if(waiting_, [&](const auto& waits) { return waits.first.database == database; });
  for (const Owner owner : owners) waiting_[{database, owner}] = at;
}

std::vector<BuildPlaces::Claim> BuildPlaces::in_turn(TimePoint at) const {
  std::vector<Claim> claims;
  for (const auto& [claim, asked] : waiting_) {
    if (at - asked < kForgotten) claims.push_back(claim);
  }
  const auto rank = [&](const Claim& claim) {
    return std::tuple(count_of(running_, claim.owner), turn_of(last_of_owner_, claim.owner),
                      turn_of(last_of_claim_, claim));
  };
  std::stable_sort(claims.begin(), claims.end(), [&](const Claim& a, const Claim& b) { return rank(a) < rank(b); });
  return claims;
}

// Hands the places out in thought, so that what is due to another database is left for it.
std::optional<Owner> BuildPlaces::next(const std::string& database, TimePoint at) const {
  Builds builds = running_;
  Ticket ticket = next_;
  for (const Claim& claim : in_turn(at)) {
    if (!fits(builds, claim.owner, at)) continue;
    if (claim.database == database) return claim.owner;
    builds[ticket++] = {.owner = claim.owner, .since = at};
  }
  return std::nullopt;
}

BuildPlaces::Ticket BuildPlaces::take(const std::string& database, Owner owner, TimePoint at) {
  const Ticket ticket = next_++;
  running_[ticket] = {.owner = owner, .since = at};
  last_of_owner_[owner] = ticket;
  last_of_claim_[{database, owner}] = ticket;
  return ticket;
}

void BuildPlaces::release(Ticket ticket) {
  if (running_.erase(ticket) == 0) throw std::logic_error("a place for a build was released that nobody had");
}

}  // namespace pgtrickle::scheduler
