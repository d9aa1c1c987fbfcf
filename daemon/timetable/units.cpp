#include "timetable/units.h"

#include <algorithm>
#include <map>
#include <set>

namespace pgtrickle::scheduler {
namespace {

using std::chrono::milliseconds;

class Planner {
 public:
  Planner(const std::vector<Cluster>& clusters, const std::vector<std::size_t>& due,
          const std::function<milliseconds(TableId)>& cost, const UnitLimits& limits)
      : clusters_(clusters), due_(due), limits_(limits) {
    for (const std::size_t c : due) {
      for (const TableId id : clusters[c].tables) costs_[c] += cost(id);
    }
  }

  std::vector<Unit> plan() {
    std::vector<Unit> units;
    if (fits(due_)) {
      units.push_back(unit_of(due_));
    } else {
      units = by_level();
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
  [[nodiscard]] bool fits(const std::vector<std::size_t>& clusters) const {
    std::size_t tables = 0;
    milliseconds cost{0};
    for (const std::size_t c : clusters) {
      tables += clusters_[c].tables.size();
      cost += costs_.at(c);
    }
    return clusters.size() == 1 || (tables <= limits_.max_tables && cost <= limits_.max_cost);
  }

  [[nodiscard]] Unit unit_of(const std::vector<std::size_t>& clusters) const {
    Unit unit;
    for (const std::size_t c : clusters) {
      const auto& tables = clusters_[c].tables;
      unit.tables.insert(unit.tables.end(), tables.begin(), tables.end());
      if (tables.size() > 1) unit.together.push_back(tables);
      unit.cost += costs_.at(c);
    }
    return unit;
  }

  std::vector<Unit> by_level() const {
    std::map<std::size_t, std::size_t> level_of;  // the longest way from a due cluster
    std::map<std::size_t, std::vector<std::size_t>> levels;
    for (const std::size_t c : due_) {
      std::size_t level = 0;
      for (const std::size_t up : clusters_[c].upstream) {
        if (const auto found = level_of.find(up); found != level_of.end()) level = std::max(level, found->second + 1);
      }
      level_of[c] = level;
      levels[level].push_back(c);
    }
    std::vector<Unit> units;
    std::map<std::size_t, std::size_t> unit_of_cluster;
    for (const auto& [level, clusters] : levels) {
      std::vector<std::vector<std::size_t>> chunks;
      for (const std::size_t c : clusters) {
        if (!chunks.empty()) {
          chunks.back().push_back(c);
          if (fits(chunks.back())) continue;
          chunks.back().pop_back();
        }
        chunks.push_back({c});
      }
      for (const auto& chunk : chunks) {
        Unit unit = unit_of(chunk);
        unit.whole = false;
        std::set<std::size_t> after;
        for (const std::size_t c : chunk) {
          for (const std::size_t up : clusters_[c].upstream) {
            if (const auto found = unit_of_cluster.find(up); found != unit_of_cluster.end())
              after.insert(found->second);
          }
        }
        for (const std::size_t c : chunk) unit_of_cluster[c] = units.size();
        unit.after.assign(after.begin(), after.end());
        units.push_back(std::move(unit));
      }
    }
    return units;
  }

  const std::vector<Cluster>& clusters_;
  const std::vector<std::size_t>& due_;
  const UnitLimits& limits_;
  std::map<std::size_t, milliseconds> costs_;
};

}  // namespace

std::vector<Unit> plan_units(const std::vector<Cluster>& clusters, const std::vector<std::size_t>& due,
                             const std::function<milliseconds(TableId)>& cost, const UnitLimits& limits) {
  return due.empty() ? std::vector<Unit>() : Planner(clusters, due, cost, limits).plan();
}

}  // namespace pgtrickle::scheduler
