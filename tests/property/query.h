// Random queries over what the compiler says it maintains incrementally: filters, projections, joins, subqueries, CTEs,
// UNION ALL, aggregates, HAVING, DISTINCT, in any nesting. Their results are fully determined by the data: float sums
// are exact in any order, ordered aggregates have an order, nothing raises.
#pragma once

#include <string>
#include <vector>

#include "property/random.h"
#include "property/types.h"

namespace pgt::property {

struct Query {
  std::string sql;
  std::vector<Column> columns;
  double rows = 0;  // estimate
};

Query random_query(Random& random, const std::vector<Relation>& sources);

}  // namespace pgt::property
