// The stream tables of one database as the catalog has them and as this process knows them, and the plan of their
// refreshes. All parts look here; rows come from the catalog loader, the rest from who does it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "scheduler/context.h"
#include "scheduler/table.h"

namespace pgtrickle::scheduler {

class TableRegistry {
 public:
  explicit TableRegistry(std::shared_ptr<Context> context);

  [[nodiscard]] std::map<TableId, Table>& tables() { return tables_; }
  [[nodiscard]] const std::map<TableId, Table>& tables() const { return tables_; }
  [[nodiscard]] Table* find(TableId id);
  [[nodiscard]] planner::RefreshPlanner& planner() { return planner_; }
  [[nodiscard]] const planner::RefreshPlanner& planner() const { return planner_; }

  /// Something was dropped, or is no table any more: garbage may be left of it.
  struct Loaded {
    bool left_garbage = false;
  };
  /// All that there are.
  Loaded load(std::vector<sql::StreamTable> rows, const std::vector<std::vector<TableId>>& groups,
              TimePoint read_after);
  /// Of `asked`: the ones that have no row are gone.
  Loaded load_some(std::vector<sql::StreamTable> rows, const std::set<TableId>& asked, TimePoint read_after);
  Loaded clear() { return load({}, {}, TimePoint::min()); }

  [[nodiscard]] bool is_served(const sql::StreamTable& row) const;
  /// Trusted owners have stream tables.
  [[nodiscard]] bool has_trusted() const { return has_trusted_; }
  [[nodiscard]] static Domain domain_of(const sql::StreamTable& row) { return row.trusted ? 0 : row.owner; }
  /// None if they are not of one, or whom to trust has changed.
  [[nodiscard]] std::optional<Domain> common_domain(const std::vector<TableId>& ids) const;
  /// The members of the cycle that it is in, ascending; none if it is in none.
  [[nodiscard]] std::vector<TableId> cycle_of(TableId id) const;
  /// By triggers, which need no refresh.
  [[nodiscard]] static bool is_kept_now(const sql::StreamTable& row);
  [[nodiscard]] double staleness_of(const Table& table, TimePoint at) const;
  [[nodiscard]] std::string held_because(TableId id) const;  // empty: it does not wait
  [[nodiscard]] observe::StreamTableStatus status_of(const Table& table, TimePoint at) const;

 private:
  planner::PlannerEntry adopt(sql::StreamTable row, TimePoint read_after, Loaded& loaded);
  [[nodiscard]] planner::PlannerEntry entry_of(const Table& table, bool is_new) const;
  void forget(TableId id, Loaded& loaded);
  void end_load();

  std::shared_ptr<Context> context_;
  std::map<TableId, Table> tables_;
  planner::RefreshPlanner planner_;
  bool has_trusted_ = false;
  std::set<TableId> wanted_;  // somebody wants them refreshed now
};

}  // namespace pgtrickle::scheduler
