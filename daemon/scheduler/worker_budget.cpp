#include "scheduler/worker_budget.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>

namespace pgtrickle::scheduler {

namespace {

/// Of so many places, the ones that owners without trust may have.
int for_others(int places, bool reserved) {
  return reserved ? std::max(1, places - 1) : places;
}

}  // namespace

void OwnerPlaces::take(Owner owner) {
  ++taken_[owner];
  if (owner != kTrustedOwner) ++taken_without_trust_;
}

void OwnerPlaces::release(Owner owner) {
  const auto found = taken_.find(owner);
  if (found == taken_.end()) throw std::logic_error("a place was released that the owner did not have");
  if (--found->second == 0) taken_.erase(found);
  if (owner != kTrustedOwner) --taken_without_trust_;
}

int OwnerPlaces::taken(Owner owner) const {
  const auto found = taken_.find(owner);
  return found == taken_.end() ? 0 : found->second;
}

int OwnerPlaces::left(Owner owner, int places, bool reserved) const {
  if (owner == kTrustedOwner) return std::numeric_limits<int>::max();
  const int alone = limit_ > 0 ? limit_ : std::max(1, for_others(places, reserved) - 1);
  return std::min(std::max(0, alone - taken(owner)), left_without_trust(places, reserved));
}

int OwnerPlaces::left_without_trust(int places, bool reserved) const {
  return std::max(0, for_others(places, reserved) - taken_without_trust_);
}

WorkerBudget::Entry& WorkerBudget::entry(Member member) {
  const auto found = entries_.find(member);
  if (found == entries_.end()) throw std::logic_error("not a member of the worker budget");
  return found->second;
}

const WorkerBudget::Entry& WorkerBudget::entry(Member member) const {
  const auto found = entries_.find(member);
  if (found == entries_.end()) throw std::logic_error("not a member of the worker budget");
  return found->second;
}

WorkerBudget::Member WorkerBudget::register_database(std::string name, int guaranteed, int max,
                                                     std::function<void()> try_again) {
  const Member member = next_++;
  Entry& e = entries_[member];
  e.usage.name = std::move(name);
  e.try_again = std::move(try_again);
  e.usage.max = std::max(1, max);
  e.usage.guaranteed = std::clamp(guaranteed, 1, e.usage.max);
  e.owners.set_limit(owner_limit_);
  call_back();  // the total may have grown
  return member;
}

void WorkerBudget::unregister(Member member) {
  Entry& e = entry(member);
  e.gone = true;
  e.waiting.clear();
  if (e.usage.in_use == 0) entries_.erase(member);
  call_back();
}

void WorkerBudget::set_total(int total) {
  configured_total_ = total;
  call_back();
}

void WorkerBudget::set_owner_limit(int limit) {
  owner_limit_ = limit;
  owners_.set_limit(limit);
  for (auto& [member, e] : entries_) e.owners.set_limit(limit);
  call_back();
}

void WorkerBudget::set_reserved(Member member, bool reserved) {
  if (std::exchange(entry(member).reserved, reserved) != reserved) call_back();
}

int WorkerBudget::total() const {
  if (configured_total_ > 0) return configured_total_;
  int sum = 0;
  for (const auto& [member, e] : entries_) sum += e.gone ? e.usage.in_use : e.usage.max;
  return sum;
}

int WorkerBudget::in_use() const {
  int sum = 0;
  for (const auto& [member, e] : entries_) sum += e.usage.in_use;
  return sum;
}

void WorkerBudget::want(Entry& e, std::map<Owner, int> wanted) {
  std::erase_if(wanted, [](const auto& of_owner) { return of_owner.second <= 0; });
  if (e.waiting.empty() && !wanted.empty()) e.since = next_++;
  e.waiting = std::move(wanted);
}

int WorkerBudget::left(const Entry& e, Owner owner) const {
  return std::min(e.owners.left(owner, e.usage.max, e.reserved), left_in_all(owner));
}

int WorkerBudget::left_in_all(Owner owner) const {
  return owners_.left(owner, total(), is_reserved());
}

bool WorkerBudget::is_reserved() const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [](const auto& of_member) { return of_member.second.reserved && !of_member.second.gone; });
}

int WorkerBudget::wanted(const Entry& e) const {
  int trusted = 0, others = 0;
  for (const auto& [owner, count] : e.waiting) {
    if (owner == kTrustedOwner) {
      trusted += count;
    } else {
      others += std::min(count, left(e, owner));
    }
  }
  const int together = std::min(e.owners.left_without_trust(e.usage.max, e.reserved),
                                owners_.left_without_trust(total(), is_reserved()));
  return trusted + std::min(others, together);
}

bool WorkerBudget::owner_may_take(Member member, Owner owner) const {
  return left(entry(member), owner) > 0;
}

std::map<WorkerBudget::Member, int> WorkerBudget::turns() const {
  struct Claim {
    Member member;
    const Entry* entry;
    std::uint64_t since;
    int wanted = 0, given = 0;
  };
  std::vector<Claim> claims;
  for (const auto& [member, e] : entries_) {
    const int its = e.gone ? 0 : wanted(e);
    if (its > 0) claims.push_back({.member = member, .entry = &e, .since = e.since, .wanted = its});
  }
  const auto may_get = [](const Claim& c) {
    return c.given < c.wanted && c.entry->usage.in_use + c.given < c.entry->usage.max;
  };
  // a/b < c/d as a*d < c*b: no rounding, so equal is equal.
  const auto before = [](const Claim& a, const Claim& b) {
    const std::int64_t left = std::int64_t{a.entry->usage.in_use + a.given} * b.entry->usage.guaranteed;
    const std::int64_t right = std::int64_t{b.entry->usage.in_use + b.given} * a.entry->usage.guaranteed;
    return left != right ? left < right : a.since < b.since;
  };
  std::map<Member, int> out;
  std::uint64_t turn = next_;  // as try_take() does it, so that taking a place changes nothing for the others
  for (int free = total() - in_use(); free > 0; --free) {
    Claim* next = nullptr;
    for (Claim& claim : claims) {
      if (may_get(claim) && (next == nullptr || before(claim, *next))) next = &claim;
    }
    if (next == nullptr) break;
    ++next->given;
    next->since = turn++;
    ++out[next->member];
  }
  return out;
}

bool WorkerBudget::try_take(Member member, Owner owner) {
  Entry& e = entry(member);
  if (e.gone) return false;
  std::map<Owner, int> waiting = e.waiting;
  waiting.try_emplace(owner, 1);
  want(e, waiting);
  if (left(e, owner) == 0 || !turns().contains(member)) return false;
  ++e.usage.in_use;
  e.owners.take(owner);
  owners_.take(owner);
  owner_is_full_ = owner_is_full_ || left_in_all(owner) == 0;
  --waiting[owner];
  want(e, std::move(waiting));
  if (!e.waiting.empty()) e.since = next_++;  // behind the ones that wait with the same part of their share
  return true;
}

void WorkerBudget::release(Member member, Owner owner) {
  Entry& e = entry(member);
  if (e.usage.in_use == 0) throw std::logic_error("a worker was released that was not taken");
  e.owners.release(owner);
  owners_.release(owner);
  --e.usage.in_use;
  if (e.gone && e.usage.in_use == 0) entries_.erase(member);
  call_back();
}

void WorkerBudget::set_waiting(Member member, std::map<Owner, int> wanted) {
  Entry& e = entry(member);
  if (e.gone) return;
  std::erase_if(wanted, [](const auto& of_owner) { return of_owner.second <= 0; });
  if (e.waiting == wanted && !owner_is_full_) return;
  want(e, std::move(wanted));
  call_back();
}

void WorkerBudget::call_back() {
  // A call-back that changes something does not nest: it makes us look again.
  call_again_ = true;
  owner_is_full_ = false;
  if (std::exchange(calling_back_, true)) return;
  while (std::exchange(call_again_, false)) {
    for (const auto& [member, count] : turns()) {
      const auto found = entries_.find(member);
      if (found == entries_.end() || !found->second.try_again) continue;
      const auto call = found->second.try_again;  // a copy: it may unregister itself
      call();
    }
  }
  calling_back_ = false;
}

WorkerBudget::Usage WorkerBudget::usage_of(const Entry& e) const {
  Usage out = e.usage;
  out.wanted = wanted(e);
  return out;
}

WorkerBudget::Usage WorkerBudget::usage(Member member) const {
  return usage_of(entry(member));
}

std::vector<WorkerBudget::Usage> WorkerBudget::usage() const {
  std::vector<Usage> out;
  for (const auto& [member, e] : entries_) {
    if (!e.gone) out.push_back(usage_of(e));
  }
  return out;
}

}  // namespace pgtrickle::scheduler
