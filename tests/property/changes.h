// Random DML over the tables of a schema, aimed at what breaks incremental maintenance: both partners of a join deleted
// at once, keys that move, rows that come and go in one transaction, one of several equal rows, updates of nothing.
#pragma once

#include <string>
#include <vector>

#include "property/schema.h"

namespace pgt::property {

struct ChangeOptions {
  bool truncate = true;
  bool savepoints = true;
  bool patient = true;  // false: another session holds locks; give up on a statement instead of waiting
};

/// Statements of one transaction, without BEGIN and COMMIT. Balanced savepoints, each with what it encloses as one
/// item.
std::vector<std::string> random_changes(Random& random, const Schema& schema, const ChangeOptions& options);

/// Statements that keep the tables small.
std::vector<std::string> bounding_changes(const Schema& schema);

}  // namespace pgt::property
