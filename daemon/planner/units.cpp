#include "planner/units.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace pgtrickle::planner {
namespace {

using std::chrono::milliseconds;

class Planner {
 public:
  Planner(const std::vector<AtomicSet>& sets, const std::vector<std::size_t>& due,
          const std::function<milliseconds(TableId)>& cost, const UnitLimits& limits)
      : sets_(sets), due_(due), limits_(limits), costs_(sets.size()) {
    for (const std::size_t c : due) {
      for (const TableId id : sets[c].tables) costs_[c] += cost(id);
    }
  }

  std::vector<Unit> plan() {
    std::vector<Unit> units;
    const auto parts = by_domain();
    if (parts.size() == 1 && fits(size_of(due_))) {
      units.push_back(unit_of(due_));
      units.back().whole = size_of(due_).cost <= limits_.max_cost;
    } else {
      std::vector<std::vector<std::size_t>> chunks;
      for (const auto& part : parts) {
        if (parts.size() > 1 && fits(size_of(part))) {
          chunks.push_back(part);
        } else {
          cut_by_level(part, chunks);
        }
      }
      units = units_of(chunks);
      if (parts.size() > 1) find_whole(units);
    }
    for (std::size_t u = units.size(); u-- > 0;) {  // the last first
      units[u].critical_path += units[u].cost;
      for (const std::size_t before : units[u].after) {
        units[before].critical_path = std::max(units[before].critical_path, units[u].critical_path);
      }
    }
    return units;
  }

 private:
  static constexpr std::size_t kNotDue = static_cast<std::size_t>(-1);

  struct Size {
    std::size_t sets = 0, tables = 0;
    milliseconds cost{0};
    Size operator+(const Size& other) const { return {sets + other.sets, tables + other.tables, cost + other.cost}; }
  };

  [[nodiscard]] Size size_of(const std::vector<std::size_t>& sets) const {
    Size size;
    for (const std::size_t c : sets) size = size + size_of(c);
    return size;
  }
  [[nodiscard]] Size size_of(std::size_t c) const {
    return {.sets = 1, .tables = sets_[c].tables.size(), .cost = costs_[c]};
  }
  [[nodiscard]] bool fits(const Size& size) const {
    return size.sets <= 1 || (size.tables <= limits_.max_tables && size.cost <= limits_.max_cost);
  }

  [[nodiscard]] Unit unit_of(const std::vector<std::size_t>& sets) const {
    Unit unit;
    for (const std::size_t c : sets) {
      const auto& tables = sets_[c].tables;
      unit.tables.insert(unit.tables.end(), tables.begin(), tables.end());
      if (tables.size() > 1) unit.together.push_back(tables);
      unit.cost += costs_[c];
      unit.domain = sets_[c].domain;
    }
    return unit;
  }

  // What may be one unit, in an order in which dependencies are met. A part comes after those of other domains that it
  // reads; so the number of borders on the longest way tells the parts of one domain from each other.
  [[nodiscard]] std::vector<std::vector<std::size_t>> by_domain() const {
    std::vector<std::size_t> borders(sets_.size(), kNotDue);
    std::map<std::pair<std::size_t, Domain>, std::vector<std::size_t>> parts;
    for (const std::size_t c : due_) {
      borders[c] = 0;
      for (const std::size_t up : sets_[c].upstream) {
        if (borders[up] == kNotDue) continue;
        borders[c] = std::max(borders[c], borders[up] + (sets_[up].domain == sets_[c].domain ? 0 : 1));
      }
      parts[{borders[c], sets_[c].domain}].push_back(c);
    }
    std::vector<std::vector<std::size_t>> out;
    for (auto& [place, part] : parts) out.push_back(std::move(part));
    return out;
  }

  // With several domains: a unit is whole if it is all of its domain and waits for nobody.
  void find_whole(std::vector<Unit>& units) const {
    for (Unit& unit : units) {
      const auto same =
          std::count_if(units.begin(), units.end(), [&](const Unit& u) { return u.domain == unit.domain; });
      unit.whole = same == 1 && unit.after.empty() && unit.cost <= limits_.max_cost;
    }
  }

  [[nodiscard]] std::vector<std::vector<std::size_t>> levels(const std::vector<std::size_t>& part) const {
    std::vector<std::size_t> level_of(sets_.size(), kNotDue);  // the longest way from a due atomic set
    std::vector<std::vector<std::size_t>> levels;
    for (const std::size_t c : part) {
      std::size_t level = 0;
      for (const std::size_t up : sets_[c].upstream) {
        if (level_of[up] != kNotDue) level = std::max(level, level_of[up] + 1);
      }
      level_of[c] = level;
      if (level == levels.size()) levels.emplace_back();
      levels[level].push_back(c);
    }
    return levels;
  }

  // Levels are cut into chunks that fit; a level that fits into the chunk that holds all of those before it since the
  // last cut goes there as a whole.
  void cut_by_level(const std::vector<std::size_t>& part, std::vector<std::vector<std::size_t>>& chunks) const {
    bool open = false;  // the last chunk has whole levels
    Size filled;        // the last chunk
    for (const auto& level : levels(part)) {
      const Size size = size_of(level);
      if (open && fits(filled + size)) {
        chunks.back().insert(chunks.back().end(), level.begin(), level.end());
        filled = filled + size;
        continue;
      }
      const std::size_t before = chunks.size();
      for (const std::size_t c : level) {
        if (chunks.size() == before || !fits(filled + size_of(c))) {
          chunks.emplace_back();
          filled = {};
        }
        chunks.back().push_back(c);
        filled = filled + size_of(c);
      }
      open = chunks.size() == before + 1;
    }
  }

  [[nodiscard]] std::vector<Unit> units_of(const std::vector<std::vector<std::size_t>>& chunks) const {
    std::vector<Unit> units;
    std::vector<std::size_t> unit_of_set(sets_.size(), kNotDue);
    for (const auto& chunk : chunks) {
      Unit unit = unit_of(chunk);
      unit.whole = false;
      for (const std::size_t c : chunk) unit_of_set[c] = units.size();
      for (const std::size_t c : chunk) {
        for (const std::size_t up : sets_[c].upstream) {
          const std::size_t before = unit_of_set[up];
          if (before != kNotDue && before != units.size()) unit.after.push_back(before);
        }
      }
      std::sort(unit.after.begin(), unit.after.end());
      unit.after.erase(std::unique(unit.after.begin(), unit.after.end()), unit.after.end());
      units.push_back(std::move(unit));
    }
    return units;
  }

  const std::vector<AtomicSet>& sets_;
  const std::vector<std::size_t>& due_;
  const UnitLimits& limits_;
  std::vector<milliseconds> costs_;  // of due atomic sets
};

}  // namespace

std::vector<Unit> plan_units(const std::vector<AtomicSet>& sets, const std::vector<std::size_t>& due,
                             const std::function<milliseconds(TableId)>& cost, const UnitLimits& limits) {
  return due.empty() ? std::vector<Unit>() : Planner(sets, due, cost, limits).plan();
}

std::vector<UnitStep> steps_of(const Unit& unit, const Dag& dag) {
  std::map<TableId, int> together;
  for (std::size_t i = 0; i < unit.together.size(); ++i) {
    for (const TableId id : unit.together[i]) together[id] = static_cast<int>(i) + 1;
  }
  const std::set<TableId> planned(unit.tables.begin(), unit.tables.end());
  std::vector<UnitStep> steps;
  std::set<TableId> done;
  std::set<int> overtaken;
  for (const TableId id : unit.tables) {
    if (done.contains(id)) continue;
    UnitStep step;
    if (dag.contains(id)) step.ids = dag.cycle(id);
    step.cycle = !step.ids.empty();
    if (!step.cycle) step.ids = {id};
    if (const auto found = together.find(id); found != together.end()) step.together = found->second;
    done.insert(step.ids.begin(), step.ids.end());
    const bool whole =
        std::all_of(step.ids.begin(), step.ids.end(), [&](TableId member) { return planned.contains(member); });
    if (whole) {
      steps.push_back(std::move(step));
    } else if (step.together != 0) {
      overtaken.insert(step.together);
    }
  }
  std::erase_if(steps, [&](const UnitStep& step) { return overtaken.contains(step.together); });
  return steps;
}

}  // namespace pgtrickle::planner
