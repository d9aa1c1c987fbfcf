// WITH: used once, several times, or never; with hints; nested; under names that are in scope already.
#include <algorithm>

#include "property/generator.h"

namespace pgt::property {

/// Reachability over a relation taken as a graph: UNION, or UNION ALL over few steps. "name (columns) AS (..)"; empty:
/// there are no two columns of numbers.
std::string QueryGenerator::recursion(const std::string& name, const Sources& sources, Relation& result) {
  const auto numbers = [](const Relation& relation) {
    std::vector<std::string> names;
    for (const auto& column : relation.columns)
      if (column.value.kind() == Kind::kInt && !column.domain) names.push_back(quoted(column.name));
    return names;
  };
  const Relation starts = plain_relation(sources);
  const Relation graph = plain_relation(sources);
  const auto from = numbers(starts);
  const auto ends = numbers(graph);
  if (from.empty() || ends.empty() || starts.rows > 60 || graph.rows > 60) return {};
  const bool all = chance(Feature::kRecursionAll, 30);
  const bool level = all || random_.chance(30);
  use(Feature::kRecursion);
  std::string step = "SELECT e." + random_.pick(ends) + "::int8" + (level ? ", r.n + 1" : "");
  step += " FROM " + quoted(name) + " r JOIN " + graph.sql + " e ON e." + random_.pick(ends) + " = r.x";
  std::vector<std::string> where;
  if (level) where.push_back("r.n < " + std::to_string(random_.between(1, 2)));
  if (random_.chance(25)) {
    const Relation closed = plain_relation(sources);
    const auto closing = numbers(closed);
    if (!closing.empty())
      where.push_back(std::string(random_.chance(70) ? "NOT " : "") + "EXISTS (SELECT FROM " + closed.sql +
                      " c WHERE c." + random_.pick(closing) + " = e." + random_.pick(ends) + ")");
  }
  for (std::size_t i = 0; i < where.size(); ++i) step += (i == 0 ? " WHERE " : " AND ") + where[i];
  const std::string base = "SELECT s." + random_.pick(from) + "::int8" + (level ? ", 0" : "") + " FROM " + starts.sql +
                           " s" + (random_.chance(50) ? " WHERE s." + random_.pick(from) + " < 3" : "");
  Value key;
  key.type = Type::kInt8;
  key.bound = 1e18;
  for (const auto* relation : {&starts, &graph})
    for (const auto& column : relation->columns)
      if (column.value.kind() == Kind::kInt) key.bound = std::max(key.bound, column.value.bound);
  Value count;
  count.bound = 3;
  result = {quoted(name), {{"x", key}}, {}, all ? starts.rows * 20 : 30, 1};
  if (level) result.columns.push_back({"n", count});
  return quoted(name) + (level ? " (x, n)" : " (x)") + " AS (" + base + (all ? " UNION ALL " : " UNION ") + step + ")";
}

std::string QueryGenerator::with_clause(int depth, Sources& sources) {
  if (depth <= 0 || !random_.chance(depth == kTop ? 22 : 6)) return {};
  use(depth == kTop ? Feature::kCte : Feature::kCteNested);
  std::string with;
  if (context_.on(Feature::kRecursion) && random_.chance(25)) {
    Relation relation;
    const std::string own_name = "cte" + std::to_string(++names_);
    if (const std::string cte = recursion(own_name, sources, relation); !cte.empty()) {
      for (int copy = 0; copy < 4; ++copy) sources.push_back(relation);
      return "WITH RECURSIVE " + cte + " ";
    }
  }
  const int count = random_.chance(65) ? 1 : 2;
  std::vector<std::string> own;
  for (int i = 0; i < count; ++i) {
    Query cte = query(depth - 1, sources);
    // Sometimes under the name of something else that is in scope, or could be.
    std::string name = "cte" + std::to_string(++names_);
    std::vector<std::string> outer;
    for (const auto& source : sources) {
      if (source.sql.rfind("\"cte", 0) == 0) outer.push_back(source.sql.substr(1, source.sql.size() - 2));
    }
    if (random_.chance(10)) name = random_.chance(50) ? "w" : "t1";
    if (!outer.empty() && random_.chance(30) && use(Feature::kCteShadows)) name = random_.pick(outer);
    if (std::find(own.begin(), own.end(), name) != own.end()) name = "cte" + std::to_string(++names_);
    own.push_back(name);
    with += (with.empty() ? "WITH " : ", ") + quoted(name);
    if (random_.chance(20)) {
      rename(cte.columns, "x");
      with += column_list(cte.columns);
    }
    if (chance(Feature::kCteHint, 20))
      with += random_.chance(50) ? " AS MATERIALIZED (" : " AS NOT MATERIALIZED (";
    else
      with += " AS (";
    with += cte.sql + ")";
    sources.erase(std::remove_if(sources.begin(), sources.end(),
                                 [&](const Relation& source) { return source.sql == quoted(name); }),
                  sources.end());
    const Relation relation{quoted(name), cte.columns, {}, cte.rows, 1};
    for (int copy = 0; copy < 4; ++copy) sources.push_back(relation);
  }
  return with + " ";
}

}  // namespace pgt::property
