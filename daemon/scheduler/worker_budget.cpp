#include "scheduler/worker_budget.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace pgtrickle::scheduler {
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
  call_back();  // the total may have grown
  return member;
}

void WorkerBudget::unregister(Member member) {
  Entry& e = entry(member);
  e.gone = true;
  e.usage.wanted = 0;
  if (e.usage.in_use == 0) entries_.erase(member);
  call_back();
}

void WorkerBudget::set_total(int total) {
  configured_total_ = total;
  call_back();
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

void WorkerBudget::want(Entry& e, int wanted) {
  if (e.usage.wanted == 0 && wanted > 0) e.since = next_++;
  e.usage.wanted = std::max(0, wanted);
}

std::map<WorkerBudget::Member, int> WorkerBudget::turns() const {
  struct Claim {
    Member member;
    const Entry* entry;
    std::uint64_t since;
    int given = 0;
  };
  std::vector<Claim> claims;
  for (const auto& [member, e] : entries_) {
    if (!e.gone && e.usage.wanted > 0) claims.push_back({.member = member, .entry = &e, .since = e.since});
  }
  const auto may_get = [](const Claim& c) {
    return c.given < c.entry->usage.wanted && c.entry->usage.in_use + c.given < c.entry->usage.max;
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

bool WorkerBudget::try_take(Member member) {
  Entry& e = entry(member);
  if (e.gone) return false;
  want(e, std::max(1, e.usage.wanted));
  if (!turns().contains(member)) return false;
  ++e.usage.in_use;
  --e.usage.wanted;
  if (e.usage.wanted > 0) e.since = next_++;  // behind those that wait with the same part of their share
  return true;
}

void WorkerBudget::release(Member member) {
  Entry& e = entry(member);
  if (e.usage.in_use == 0) throw std::logic_error("a worker was released that was not taken");
  --e.usage.in_use;
  if (e.gone && e.usage.in_use == 0) entries_.erase(member);
  call_back();
}

void WorkerBudget::set_waiting(Member member, int wanted) {
  Entry& e = entry(member);
  if (e.gone || e.usage.wanted == std::max(0, wanted)) return;
  want(e, wanted);
  call_back();
}

void WorkerBudget::call_back() {
  // A call-back that changes something does not nest: it makes us look again.
  call_again_ = true;
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

WorkerBudget::Usage WorkerBudget::usage(Member member) const {
  return entry(member).usage;
}

std::vector<WorkerBudget::Usage> WorkerBudget::usage() const {
  std::vector<Usage> out;
  for (const auto& [member, e] : entries_) {
    if (!e.gone) out.push_back(e.usage);
  }
  return out;
}

}  // namespace pgtrickle::scheduler
