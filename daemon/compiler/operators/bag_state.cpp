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

Changes BagState::replace(Statement& statement, const Query& stored, const Query& fresh) const {
  // One alias list for both sides: ctids and weights get names that no column has.
  std::vector<std::string> wanted;
  for (const auto& col : columns_) wanted.push_back(col.name);
  wanted.insert(wanted.end(), {"old_ctid", "old_ctids"});
  const auto unique = unique_names(wanted);
  const std::string& ctid = unique[columns_.size()];
  const std::string& ctids = unique[columns_.size() + 1];
  const auto mine = names();

  Select difference;
  std::vector<std::string> group;
  const auto kinds = types();
  for (std::size_t i = 0; i < mine.size(); ++i) {
    const std::string col = "x." + mine[i];
    difference.item(grouped_value(col, kinds[i], mine[i]));
    for (auto& term : identity_terms(col, kinds[i])) group.push_back(std::move(term));
  }
  const std::string weight = "sum(CASE WHEN x." + ctid + " IS NULL THEN 1 ELSE -1 END)";
  auto list = mine;
  list.push_back(ctid);
  difference.item(weight + "::int", "w")
      .item("array_agg(x." + ctid + ") FILTER (WHERE x." + ctid + " IS NOT NULL)", ctids)
      .from(union_all({Select({"*"}).from(stored, "o"), Select({"f.*", "NULL::tid"}).from(fresh, "f")}), "x", list)
      .group_by(std::move(group))
      .having(weight + " <> 0");
  const std::string z = statement.with("z", "stored rows and rows as they shall be: the difference", difference);

  const Select lost = Select({"unnest(z." + ctids + "[1:-z.w])"}).from(z, "z").where("z.w < 0");
  statement.with("gone", "state: copies that are gone",
                 Delete(table_, "s").where("s.ctid = ANY (ARRAY" + Query(lost).in_parentheses() + ")"));
  // A table without columns, below a count(*), has rows all the same.
  statement.with(
      "born", "state: copies that are new",
      Insert(table_, mine,
             Select(names("z.")).from(z, "z").cross_join_lateral("generate_series(1, z.w)").where("z.w > 0")));
  Changes changes;
  changes.from = z;
  changes.zset = true;
  changes.violation = "0::bigint";
  return changes;
}

}  // namespace pgtrickle::compiler
