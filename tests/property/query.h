// Random queries over everything that features.h lists, in any nesting, limited in depth and in the number of tables.
#pragma once

#include <string>
#include <vector>

#include "property/features.h"
#include "property/types.h"

namespace pgt::property {

struct Query {
  std::string sql;
  std::vector<Column> columns;
  double rows = 0;        // estimate
  bool compound = false;  // needs parentheses as a branch of a set operation
  int weight = 1;         // tables that it reads
  FeatureSet features = {};
};

Query random_query(Random& random, const Switches& switches, const std::vector<Relation>& sources);

}  // namespace pgt::property
