// How many refreshes may run at once, over all databases of one process, and whose turn it is.
//
// Never more than the total run. The database that uses the smallest part of its guaranteed share goes first, so one
// below its share goes before one that has it. Among equals the one that has waited longest goes first. What nobody
// wants is lent, up to each one's maximum. So a share that others have borrowed comes back as their running units end.
// If the shares exceed the total they are proportions. A place is taken before a unit starts and released when it has
// ended.
//
// Code of an owner who is not trusted can hold the places that he has until refresh_timeout ends it. So one such owner
// never has all places, neither those of a database nor the total, if there are two or more. Where trusted owners have
// stream tables too, one place is reserved for them: all others together never have it.
//
// Pure: no clock, no threads; calls come from the event loop thread. A call-back must not destroy the budget; it may
// call everything else, at once or later. Errors: a member that does not exist is a std::logic_error.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace pgtrickle::scheduler {

/// A trust domain (planner/dag.h): an owner, or 0 for all that are trusted. Roles of two servers that happen to have
/// one number count as one.
using Owner = std::int64_t;
inline constexpr Owner kTrustedOwner = 0;

/// How many of some places each owner has, and how many more he may take. Trusted owners may take all.
class OwnerPlaces {
 public:
  /// Of one owner. 0: one less than owners without trust may have, and at least one.
  void set_limit(int limit) { limit_ = limit; }
  void take(Owner owner);
  void release(Owner owner);
  [[nodiscard]] int taken(Owner owner) const;
  /// `places`: how many there are for all owners. `reserved`: one of them is for trusted owners, if there are two.
  [[nodiscard]] int left(Owner owner, int places, bool reserved = false) const;
  /// For all owners without trust together.
  [[nodiscard]] int left_without_trust(int places, bool reserved) const;

 private:
  int limit_ = 0;
  int taken_without_trust_ = 0;
  std::map<Owner, int> taken_;
};

class WorkerBudget {
 public:
  /// A registration, not a name: a database that is restarted is a new member while units of the old one still end.
  using Member = std::uint64_t;

  struct Usage {
    std::string name;
    int guaranteed = 0, max = 0, in_use = 0, wanted = 0;
  };

  /// 0: as many as the members may use at most, together.
  explicit WorkerBudget(int total = 0) : configured_total_(total) {}
  WorkerBudget(const WorkerBudget&) = delete;
  WorkerBudget& operator=(const WorkerBudget&) = delete;

  /// `try_again` is called when a member that waits may take a place. 1 <= guaranteed <= max, or they are made so.
  Member register_database(std::string name, int guaranteed, int max, std::function<void()> try_again);
  /// No more call-backs and no more places; the ones that it has count until they are released.
  void unregister(Member member);

  void set_total(int total);
  /// Of one owner who is not trusted, at once. 0: OwnerPlaces says how many, of a database and of the total.
  void set_owner_limit(int limit);
  /// Trusted owners have stream tables in this database: one of its places, and one of all, is reserved for them.
  void set_reserved(Member member, bool reserved);
  [[nodiscard]] int total() const;
  [[nodiscard]] int in_use() const;

  /// The owner has less than he may have, in this database and in all.
  [[nodiscard]] bool owner_may_take(Member member, Owner owner) const;
  /// What the owner has, in all databases.
  [[nodiscard]] int in_use_of(Owner owner) const { return owners_.taken(owner); }
  /// Takes a place for one unit. If it is not this member's turn it waits from now on: `try_again` will be called.
  [[nodiscard]] bool try_take(Member member, Owner owner = kTrustedOwner);
  void release(Member member, Owner owner = kTrustedOwner);

  /// How many places the member wants besides those it has, for each owner; it is called back if it is its turn
  /// already. Each one taken counts as one wanted less. Who was called back and needs nothing must say so: until then
  /// its place is kept for it. What an owner may not take yet does not count, and keeps no place.
  void set_waiting(Member member, std::map<Owner, int> wanted);
  void set_waiting(Member member, int wanted) { set_waiting(member, std::map<Owner, int>{{kTrustedOwner, wanted}}); }

  [[nodiscard]] Usage usage(Member member) const;
  [[nodiscard]] std::vector<Usage> usage() const;  // of all that are registered

 private:
  struct Entry {
    Usage usage;
    std::function<void()> try_again;
    std::map<Owner, int> waiting;  // none of them 0
    OwnerPlaces owners;
    bool reserved = false;    // a place for trusted owners
    std::uint64_t since = 0;  // a number that grows: who waits longer has a smaller one
    bool gone = false;
  };

  Entry& entry(Member member);
  [[nodiscard]] const Entry& entry(Member member) const;
  void want(Entry& e, std::map<Owner, int> wanted);
  [[nodiscard]] int left(const Entry& e, Owner owner) const;
  [[nodiscard]] int left_in_all(Owner owner) const;
  /// One of all places is for trusted owners.
  [[nodiscard]] bool is_reserved() const;
  /// What waits and may have a place as far as its owner is concerned.
  [[nodiscard]] int wanted(const Entry& e) const;
  [[nodiscard]] Usage usage_of(const Entry& e) const;
  /// Hands the free places out among the ones that wait, in thought: how many each one gets.
  [[nodiscard]] std::map<Member, int> turns() const;
  void call_back();

  int configured_total_;
  int owner_limit_ = 0;
  OwnerPlaces owners_;  // over all databases
  // Somebody took the last place that an owner may have, and others wait for him too: what was kept for them is free.
  bool owner_is_full_ = false;
  std::uint64_t next_ = 1;  // member or turn
  std::map<Member, Entry> entries_;
  bool calling_back_ = false, call_again_ = false;
};

}  // namespace pgtrickle::scheduler
