// A refresh planner that is changed table by table behaves like one that loads everything each time.
#include <gtest/gtest.h>

#include <random>

#include "entries.h"

namespace pgtrickle::planner {
namespace {

using namespace testing;
using std::chrono::milliseconds;
using Ids = std::vector<TableId>;

bool same_unit(const Unit& a, const Unit& b) {
  return a.tables == b.tables && a.together == b.together && a.after == b.after && a.whole == b.whole &&
         a.cost == b.cost && a.critical_path == b.critical_path && a.due == b.due && a.period == b.period &&
         a.weight == b.weight;
}

class TwoPlanners {
 public:
  explicit TwoPlanners(unsigned seed) : random_(seed), by_table_(settings(seed)), by_load_(settings(seed)) {}

  void run(int steps) {
    for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
      switch (number(14)) {
        case 0:
        case 1:
          put();
          break;
        case 2:
          remove();
          break;
        case 3:
          load();
          break;
        case 4:
          deactivate();
          break;
        case 5:
          wake();
          break;
        case 6:
          hold();
          break;
        case 7:
        case 8:
        case 9:
          if (!flying_.empty()) finish_unit(number(flying_.size()));
          break;
        case 10:
          advance(milliseconds(number(3000)));
          break;
        default:
          advance_to_next();
          arm();
          take();
      }
      compare();
    }
  }

 private:
  static PlannerSettings settings(unsigned seed) {
    PlannerSettings out;
    out.may_arm = seed % 4 != 0;
    out.limits.max_tables = 3 + seed % 5;
    return out;
  }
  std::size_t number(std::size_t below) { return random_() % below; }
  bool chance(unsigned percent) { return random_() % 100 < percent; }

  Schedule schedule() {
    switch (number(6)) {
      case 0:
        return calculated();
      case 1:
        return continuous(50);
      case 2:
        return cron(chance(50) ? "*/5 * * * *" : "@hourly");
      default:
        return every(chance(50) ? 1000 : 100 * static_cast<int>(1 + number(50)));
    }
  }

  void put() {
    const auto id = static_cast<TableId>(1 + number(10));
    Ids upstream;
    std::vector<SourceId> sources;
    for (std::size_t i = 0; i < number(3); ++i) {
      const auto up = static_cast<TableId>(1 + number(10));
      if (up < id || chance(10)) upstream.push_back(up);
    }
    for (std::size_t i = 0; i < number(3); ++i) sources.push_back(static_cast<SourceId>(100 + number(4)));
    PlannerEntry e = entry(id, schedule(), upstream, sources);
    e.active = chance(85);
    e.captured = chance(85);
    e.tier = chance(80) ? Tier::kHot : chance(50) ? Tier::kWarm : Tier::kFrozen;
    if (chance(50)) e.age = milliseconds(number(5000));
    if (chance(20)) e.max_staleness = milliseconds(number(5000));
    if (chance(30)) e.own_log.reset();
    e.slowest = chance(20);
    e.atomic_diamond = chance(70);
    entries_[id] = e;
    by_table_.put(e, now_);
    load_second();
  }
  void remove() {
    if (entries_.empty()) return;
    const TableId id = any_table();
    entries_.erase(id);
    by_table_.remove(id, now_);
    for (Ids& running : flying_) std::erase(running, id);
    std::erase_if(flying_, [](const Ids& running) { return running.empty(); });
    load_second();
  }
  void load() {
    if (chance(40)) {
      groups_.clear();
      std::map<std::size_t, Ids> groups;
      for (TableId id = 1; id <= 10; ++id) {
        if (chance(30)) groups[number(2)].push_back(id);
      }
      for (const auto& [number, group] : groups) groups_.push_back(group);
    }
    by_table_.load(all(), groups_, now_);
    load_second();
  }
  void load_second() {
    by_load_.load(all(), groups_, now_);
    if (chance(10)) by_load_.load(all(), groups_, now_);
  }
  std::vector<PlannerEntry> all() const {
    std::vector<PlannerEntry> out;
    for (const auto& [id, e] : entries_) out.push_back(e);
    return out;
  }
  TableId any_table() {
    return std::next(entries_.begin(), static_cast<std::ptrdiff_t>(number(entries_.size())))->first;
  }

  void deactivate() {
    if (entries_.empty()) return;
    const TableId id = any_table();
    entries_[id].active = false;
    both([&](RefreshPlanner& t) { t.deactivate(id); });
    load_second();
  }
  void wake() {
    if (chance(15)) {
      EXPECT_EQ(by_table_.wake_all(now_), by_load_.wake_all(now_));
      return;
    }
    const auto source = static_cast<SourceId>(chance(70) ? 100 + number(4) : 10001 + number(10));
    EXPECT_EQ(by_table_.woken(source, now_), by_load_.woken(source, now_));
  }
  void hold() {
    if (chance(50)) {
      both([&](RefreshPlanner& t) { t.release_holds(now_.steady); });
    } else if (!entries_.empty()) {
      const TableId id = any_table();
      const bool held = by_table_.reserve(id, now_.steady);
      EXPECT_EQ(by_load_.reserve(id, now_.steady), held);
      if (held) flying_.push_back({id});
    }
  }
  void finish_unit(std::size_t running) {
    const auto outcome = number(10);
    for (const TableId id : flying_[running]) {
      const auto own = outcome < 8 ? outcome : number(8);
      const milliseconds took(number(2000));
      both([&](RefreshPlanner& t) {
        if (own == 0) {
          t.failed(id, milliseconds(300), now_.steady, outcome != 0);
        } else if (own == 1) {
          t.held(id, now_);
        } else if (own == 2) {
          t.released(id);
        } else {
          t.succeeded(id, {.changed = own % 2 == 0, .own = took / 10, .whole_unit = took}, now_);
        }
      });
    }
    flying_.erase(flying_.begin() + static_cast<std::ptrdiff_t>(running));
  }
  void advance(TimePoint::duration duration) {
    now_.steady += duration;
    now_.wall += duration;
  }
  void advance_to_next() {
    EXPECT_EQ(by_table_.next_due(), by_load_.next_due());
    const TimePoint next = by_table_.next_due();
    if (next > now_.steady && next != TimePoint::max()) advance(next - now_.steady);
  }
  void arm() {
    const auto sources = by_table_.sources_to_arm(now_.steady);
    EXPECT_EQ(sources, by_load_.sources_to_arm(now_.steady));
    for (const SourceId source : sources) {
      const bool ok = chance(80);
      both([&](RefreshPlanner& t) { ok ? t.armed(source, now_.steady) : t.refused(source, now_.steady); });
    }
  }
  void take() {
    const auto a = by_table_.take_due(now_);
    const auto b = by_load_.take_due(now_);
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end(), same_unit));
    for (const Unit& unit : a) flying_.push_back(unit.tables);
  }
  void compare() {
    EXPECT_EQ(by_table_.next_due(), by_load_.next_due());
    EXPECT_EQ(by_table_.sources(), by_load_.sources());
    EXPECT_EQ(by_table_.sources_asleep(), by_load_.sources_asleep());
    EXPECT_EQ(by_table_.take_unneeded(), by_load_.take_unneeded());
    EXPECT_EQ(by_table_.running_count(), by_load_.running_count());
    EXPECT_EQ(by_table_.dag().components(), by_load_.dag().components());
    for (const auto& [id, e] : entries_) {
      EXPECT_EQ(by_table_.fresh_at(id, now_.steady), by_load_.fresh_at(id, now_.steady));
      EXPECT_EQ(by_table_.period(id), by_load_.period(id)) << id;
      EXPECT_EQ(by_table_.backoff(id), by_load_.backoff(id)) << id;
      EXPECT_EQ(by_table_.blocked_by(id), by_load_.blocked_by(id));
      EXPECT_EQ(by_table_.atomic_set(id), by_load_.atomic_set(id));
      EXPECT_EQ(by_table_.is_running(id), by_load_.is_running(id));
    }
  }
  template <class Action>
  void both(Action action) {
    action(by_table_);
    action(by_load_);
  }

  std::mt19937 random_;
  RefreshPlanner by_table_, by_load_;
  Now now_{TimePoint(std::chrono::hours(1)), WallTime(std::chrono::hours(24 * 365 * 54))};
  std::map<TableId, PlannerEntry> entries_;
  std::vector<Ids> groups_;
  std::vector<Ids> flying_;
};

TEST(PlannerChanges, TableByTableIsTheSameAsLoadingEverything) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    TwoPlanners(seed).run(120);
    if (::testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace pgtrickle::planner
