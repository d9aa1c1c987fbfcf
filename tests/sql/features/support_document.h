// docs/SQL_SUPPORT.md: what the feature cases (tests/sql/features/*.sql) were seen to do, as a table per group.
#pragma once

#include <string>
#include <vector>

namespace pgt::test {

/// One feature in each refresh mode, as observed.
struct FeatureRecord {
  std::string feature;
  std::string differential;  // "yes", or why not
  std::string full;
  std::string immediate;
  std::string cost;  // of the delta, per operator
};

struct FeatureGroup {
  std::string title;
  std::vector<FeatureRecord> records;
};

/// The cost classes in the text of a plan: "O(delta)", or the operators whose class is another, in the order of the
/// plan.
std::string cost_of_plan(const std::string& plan);

/// The whole document.
std::string support_document(const std::vector<FeatureGroup>& groups);

}  // namespace pgt::test
