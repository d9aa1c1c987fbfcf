#include "compiler/operators/bag_state.h"

#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

std::vector<std::string> BagState::names(const std::string& prefix) const {
  std::vector<std::string> names;
  for (const auto& col : columns_) names.push_back(prefix + quote_ident(col.name));
  return names;
}

std::vector<TypeInfo> BagState::types() const {
  std::vector<TypeInfo> types;
  for (const auto& col : columns_) types.push_back(col.type.value());
  return types;
}

Changes BagState::replace(Statement& statement, const std::string& stored, const std::string& fresh) const {
  // One alias list for both sides: ctids and weights get names that no column has.
  std::vector<std::string> wanted;
  for (const auto& col : columns_) wanted.push_back(col.name);
  wanted.insert(wanted.end(), {"old_ctid", "old_ctids"});
  const auto unique = unique_names(wanted);
  const std::string& ctid = unique[columns_.size()];
  const std::string& ctids = unique[columns_.size() + 1];
  const auto mine = names();

  std::vector<std::string> select;
  std::vector<std::string> group;
  const auto kinds = types();
  for (std::size_t i = 0; i < mine.size(); ++i) {
    const std::string col = "x." + mine[i];
    select.push_back(grouped_value(col, kinds[i], mine[i]));
    for (auto& term : identity_terms(col, kinds[i])) group.push_back(std::move(term));
  }
  select.emplace_back("sum(CASE WHEN x." + ctid + " IS NULL THEN 1 ELSE -1 END)::int AS w");
  select.emplace_back("array_agg(x." + ctid + ") FILTER (WHERE x." + ctid + " IS NOT NULL) AS " + ctids);
  auto list = mine;
  list.push_back(ctid);
  const std::string both = "(SELECT * FROM (" + indent(stored, 2) + ") o\nUNION ALL\nSELECT f.*, NULL::tid FROM (" +
                           indent(fresh, 2) + ") f)";
  std::string sql = "SELECT " + join(select, ", ") + "\nFROM " + indent(both, 2) + " x (" + join(list, ", ") + ")";
  if (!group.empty()) sql += "\nGROUP BY " + join(group, ", ");
  const std::string z = statement.with("z", "stored rows and rows as they shall be: the difference",
                                       sql + "\nHAVING sum(CASE WHEN x." + ctid + " IS NULL THEN 1 ELSE -1 END) <> 0");

  statement.with("gone", "state: copies that are gone",
                 "DELETE FROM " + table_ + " s\nWHERE s.ctid = ANY (ARRAY(SELECT unnest(z." + ctids +
                     "[1:-z.w]) FROM " + z + " z WHERE z.w < 0))",
                 false);
  // A table without columns, below a count(*), has rows all the same.
  statement.with("born", "state: copies that are new",
                 "INSERT INTO " + table_ + (mine.empty() ? "" : " (" + join(mine, ", ") + ")") + "\nSELECT " +
                     join(names("z."), ", ") + " FROM " + z +
                     " z CROSS JOIN LATERAL generate_series(1, z.w)\nWHERE z.w > 0",
                 false);
  Changes changes;
  changes.from = z;
  changes.zset = true;
  changes.violation = "0::bigint";
  return changes;
}

}  // namespace pgtrickle::compiler
