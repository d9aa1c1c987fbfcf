// How many refreshes may run at once, over all databases of one process, and whose turn it is.
//
// Never more than the total run. A database below its guaranteed share goes before those that have theirs, whoever has
// the smallest part of its share first, and among equals who has waited longest; what nobody wants is lent, up to each
// one's maximum. So a share that others have borrowed comes back as their running units end. If the shares exceed the
// total they are proportions. A place is taken before a unit starts and released when it has ended.
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
  /// No more call-backs and no more places; those that it has count until they are released.
  void unregister(Member member);

  void set_total(int total);
  [[nodiscard]] int total() const;
  [[nodiscard]] int in_use() const;

  /// Takes a place for one unit. If it is not this member's turn it waits from now on: `try_again` will be called.
  [[nodiscard]] bool try_take(Member member);
  void release(Member member);

  /// How many places the member wants besides those it has; it is called back if it is its turn already. Each one taken
  /// counts as one wanted less. Who was called back and needs nothing must say 0: until then its place is kept for it.
  void set_waiting(Member member, int wanted);

  [[nodiscard]] Usage usage(Member member) const;
  [[nodiscard]] std::vector<Usage> usage() const;  // of all that are registered

 private:
  struct Entry {
    Usage usage;
    std::function<void()> try_again;
    std::uint64_t since = 0;  // a number that grows: who waits longer has a smaller one
    bool gone = false;
  };

  Entry& entry(Member member);
  [[nodiscard]] const Entry& entry(Member member) const;
  void want(Entry& e, int wanted);
  /// Hands the free places out among those that wait, in thought: how many each one gets.
  [[nodiscard]] std::map<Member, int> turns() const;
  void call_back();

  int configured_total_;
  std::uint64_t next_ = 1;  // member or turn
  std::map<Member, Entry> entries_;
  bool calling_back_ = false, call_again_ = false;
};

}  // namespace pgtrickle::scheduler
