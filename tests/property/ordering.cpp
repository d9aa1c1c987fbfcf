// ORDER BY with LIMIT, OFFSET, FETCH FIRST and WITH TIES, and DISTINCT ON. What is left out must be determined by the
// data, so the order is always total: by all output columns. WITH TIES needs no total order if there is no OFFSET.
#include <algorithm>

#include "property/generator.h"

namespace pgt::property {

std::string QueryGenerator::direction() {
  return random_.pick(
      std::vector<std::string>{"", "", " DESC", " ASC NULLS FIRST", " DESC NULLS LAST", " NULLS FIRST"});
}

std::string QueryGenerator::total_order(const std::vector<Column>& columns, std::size_t leading) {
  std::vector<std::size_t> rest;
  for (std::size_t i = leading; i < columns.size(); ++i) rest.push_back(i);
  random_.shuffle(rest);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < leading; ++i) order.push_back(i);
  order.insert(order.end(), rest.begin(), rest.end());
  std::string sql;
  for (const std::size_t i : order) {
    const auto same = std::count_if(columns.begin(), columns.end(),
                                    [&](const Column& column) { return column.name == columns[i].name; });
    sql += (sql.empty() ? "" : ", ") +
           (same == 1 && random_.chance(60) ? quoted(columns[i].name) : std::to_string(i + 1)) + direction();
  }
  return sql;
}

void QueryGenerator::limit(Query& query, bool top, const Atoms& sortable) {
  if (query.compound) return;
  const Feature place = top ? Feature::kTopLimit : Feature::kInnerLimit;
  if (!chance(place, top ? 8 : 12)) return;
  query.compound = true;
  const bool ties = chance(Feature::kWithTies, 25);
  const bool offset = chance(Feature::kOffset, 25);
  std::string order;
  if (ties && !offset) {
    const std::size_t i = random_.below(query.columns.size());
    order = std::to_string(i + 1) + direction();
  } else {
    // Before all output columns, sometimes by something that is not one.
    if (!sortable.empty() && random_.chance(30)) {
      const Expression& by = random_.pick(sortable);
      if (!by.constant) order = "(" + by.sql + ")" + direction() + ", ";
    }
    order += total_order(query.columns);
  }
  query.sql += " ORDER BY " + order;
  const std::string count = std::to_string(random_.chance(5) ? 0 : random_.between(1, 6));
  const std::string skip = offset ? " OFFSET " + std::to_string(random_.between(0, 3)) : "";
  if (ties || chance(Feature::kFetchFirst, 20)) {
    query.sql += skip + (offset ? " ROWS" : "") + " FETCH FIRST " + count + " ROWS " + (ties ? "WITH TIES" : "ONLY");
  } else if (offset && random_.chance(30)) {
    query.sql += skip;
  } else {
    query.sql += " LIMIT " + count + skip;
  }
  query.rows = std::min(query.rows, 10.0);
  unsettle(query.columns);
}

/// "DISTINCT ON (..) " over some of the first columns, and the ORDER BY that goes with it.
std::string QueryGenerator::distinct_on(const std::vector<Column>& columns, std::string& order) {
  const std::size_t leading = 1 + random_.below(std::min<std::size_t>(columns.size(), 2));
  order = " ORDER BY " + total_order(columns, leading);
  std::string sql;
  for (std::size_t i = 0; i < leading; ++i) sql += (i == 0 ? "" : ", ") + std::to_string(i + 1);
  return "DISTINCT ON (" + sql + ") ";
}

}  // namespace pgt::property
