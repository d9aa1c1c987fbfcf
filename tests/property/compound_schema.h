// Tables that hang together: foreign keys with every action, also deferred ones and to the table itself, partitions
// that rows move between, an updatable view, a rule; users' functions and triggers that write to other tables and to
// the same.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "property/random.h"
#include "property/schema.h"

namespace pgt::property {

struct CompoundSchema {
  Schema schema;
  std::vector<std::optional<std::size_t>> parents;  // parallel to schema.tables: whose id its column ref is
  std::vector<std::string> views;                   // can be written to; of columns id, k, v
  std::vector<std::string> functions;               // f(int) RETURNS int, each writes somewhere
  std::vector<std::string> programs;                // DDL of these, of procedures and triggers: last
};

CompoundSchema random_compound_schema(Random& random);

}  // namespace pgt::property
