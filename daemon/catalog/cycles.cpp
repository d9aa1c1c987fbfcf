#include "catalog/cycles.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <vector>

#include "postgres/array.h"

namespace pgtrickle::catalog {

namespace {

using Id = std::int64_t;
using Edges = std::map<Id, std::vector<Id>>;  // reader -> the stream tables that it reads

/// Everything that can be reached from `start`, with the one before on a shortest path; `start` only over a cycle.
std::map<Id, Id> reachable(const Edges& edges, Id start) {
  std::map<Id, Id> before;
  std::deque<Id> queue{start};
  while (!queue.empty()) {
    const Id at = queue.front();
    queue.pop_front();
    const auto next = edges.find(at);
    if (next == edges.end()) continue;
    for (const Id id : next->second)
      if (before.emplace(id, at).second && id != start) queue.push_back(id);
  }
  return before;
}

Edges load_edges(pqxx::transaction_base& tx, Id pgt_id, const std::vector<Id>& reads) {
  Edges edges;
  edges[pgt_id] = reads;
  for (const auto& row : tx.exec_params("SELECT d.pgt_id, s.pgt_id FROM pgtrickle.pgt_dependencies d\n"
                                        "JOIN pgtrickle.pgt_stream_tables s ON s.pgt_relid = d.source_relid\n"
                                        "WHERE d.pgt_id <> $1 ORDER BY 1, 2",
                                        pgt_id))
    edges[row[0].as<Id>()].push_back(row[1].as<Id>());
  return edges;
}

struct Member {
  std::string name;
  bool allowed = false;
  std::string non_monotone;
};

std::map<Id, Member> load_members(pqxx::transaction_base& tx, const std::set<Id>& ids) {
  std::map<Id, Member> members;
  for (const auto& row : tx.exec_params(
           "SELECT s.pgt_id, pgtrickle._qualified(s.pgt_relid), s.allow_circular, coalesce(s.non_monotone, '')\n"
           "FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = ANY ($1::bigint[])",
           postgres::array_of(ids)))
    members[row[0].as<Id>()] = {row[1].c_str(), row[2].as<bool>(), row[3].c_str()};
  return members;
}

}  // namespace

std::optional<ForbiddenCycle> forbidden_cycle(pqxx::transaction_base& tx, Id pgt_id, const compiler::Program& program) {
  std::vector<std::uint32_t> relids;
  for (const auto& use : program.sources) relids.push_back(use.relid);
  std::vector<Id> reads;
  for (const auto& row : tx.exec_params(
           "SELECT s.pgt_id FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_relid = ANY ($1::oid[]) ORDER BY 1",
           postgres::array_of(relids)))
    reads.push_back(row[0].as<Id>());
  if (reads.empty()) return std::nullopt;

  const Edges edges = load_edges(tx, pgt_id, reads);
  const auto below = reachable(edges, pgt_id);
  if (below.count(pgt_id) == 0) return std::nullopt;
  std::set<Id> ids{pgt_id};
  for (const auto& [id, before] : below)
    if (reachable(edges, id).count(pgt_id) > 0) ids.insert(id);
  auto members = load_members(tx, ids);
  members[pgt_id].non_monotone = program.non_monotone;

  std::vector<std::string> path{members[pgt_id].name};
  for (Id at = below.at(pgt_id); at != pgt_id; at = below.at(at)) path.push_back(members[at].name);
  std::string cycle = path.front();
  for (auto name = path.rbegin(); name != path.rend(); ++name) cycle += " -> " + *name;

  std::string to_allow;
  for (const auto& [id, member] : members)
    if (!member.allowed)
      to_allow += " SELECT pgtrickle.alter_stream_table(" + tx.quote(member.name) + ", allow_circular => true);";
  if (!to_allow.empty())
    return ForbiddenCycle{
        "stream table " + path.front() + " would read itself: " + cycle,
        "Change a query, or allow the cycle, which then is kept at its least fixed point:" + to_allow};
  for (const auto& [id, member] : members)
    if (!member.non_monotone.empty())
      return ForbiddenCycle{
          "stream table " + path.front() + " would be in the cycle " + cycle + ", and the query of " + member.name +
              " is not monotone: " + member.non_monotone,
          "In a cycle, rows that are added must never take others away: scans, filters, expressions, inner joins, "
          "EXISTS, IN, UNION and DISTINCT do not. Compute the rest in a stream table outside of the cycle."};
  return std::nullopt;
}

}  // namespace pgtrickle::catalog
