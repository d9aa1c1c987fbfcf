#include "catalog/cycles.h"

#include <map>
#include <vector>

#include "postgres/array.h"

namespace pgtrickle::catalog {

namespace {

using Id = TableId;
struct Member {
  std::string name;
  bool allowed = false;
  std::string non_monotone;
};

/// `ids`: an array, as text.
std::map<Id, Member> load_members(pqxx::transaction_base& tx, const std::string& ids) {
  std::map<Id, Member> members;
  for (const auto& row : tx.exec_params(
           "SELECT s.pgt_id, pgtrickle._qualified(s.pgt_relid), s.allow_circular, coalesce(s.non_monotone, '')\n"
           "FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = ANY ($1::bigint[])",
           ids))
    members[row[0].as<Id>()] = {row[1].c_str(), row[2].as<bool>(), row[3].c_str()};
  return members;
}

}  // namespace

std::optional<ForbiddenCycle> forbidden_cycle(pqxx::transaction_base& tx, Id pgt_id, const compiler::Program& program) {
  std::vector<std::uint32_t> relids;
  for (const auto& use : program.sources) relids.push_back(use.relid);
  const auto found = tx.exec_params(
      "SELECT pgtrickle._cycle_of($1, r.reads), array_to_string(pgtrickle._cycle_path($1, r.reads), ' -> ')\n"
      "FROM (SELECT coalesce(array_agg(s.pgt_id), '{}') AS reads FROM pgtrickle.pgt_stream_tables s\n"
      "      WHERE s.pgt_relid = ANY ($2::oid[])) AS r",
      pgt_id, postgres::array_of(relids))[0];
  if (found[0].is_null()) return std::nullopt;
  auto members = load_members(tx, found[0].c_str());
  members[pgt_id].non_monotone = program.non_monotone;
  const std::string cycle = found[1].c_str(), name = members[pgt_id].name;
  std::string to_allow;
  for (const auto& [id, member] : members)
    if (!member.allowed)
      to_allow += " SELECT pgtrickle.alter_stream_table(" + tx.quote(member.name) + ", allow_circular => true);";
  if (!to_allow.empty())
    return ForbiddenCycle{
        "stream table " + name + " would read itself: " + cycle,
        "Change a query, or allow the cycle, which then is kept at its least fixed point:" + to_allow};
  for (const auto& [id, member] : members)
    if (!member.non_monotone.empty())
      return ForbiddenCycle{
          "stream table " + name + " would be in the cycle " + cycle + ", and the query of " + member.name +
              " is not monotone: " + member.non_monotone,
          "In a cycle, rows that are added must never take others away: scans, filters, expressions, inner joins, "
          "EXISTS, IN, UNION and DISTINCT do not. Compute the rest in a stream table outside of the cycle."};
  return std::nullopt;
}

}  // namespace pgtrickle::catalog
