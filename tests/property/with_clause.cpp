// WITH: used once, several times, or never; with hints; nested; under names that are in scope already.
#include <algorithm>

#include "property/generator.h"

namespace pgt::property {

std::string QueryGenerator::with_clause(int depth, Sources& sources) {
  if (depth <= 0 || !random_.chance(depth == kTop ? 22 : 6)) return {};
  use(depth == kTop ? Feature::kCte : Feature::kCteNested);
  std::string with;
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
