#include "property/features.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace pgt::property {
namespace {

enum State { kMaintained, kNotYet };

struct Row {
  Feature feature;
  const char* name;
  State state;
};

// The one place that says what the compiler is expected to maintain incrementally.
constexpr Row kTable[] = {
    {Feature::kFilter, "filter", kMaintained},
    {Feature::kInnerJoin, "inner_join", kMaintained},
    {Feature::kMergedColumns, "merged_columns", kMaintained},
    {Feature::kJoinAlias, "join_alias", kMaintained},
    {Feature::kSubqueryInFrom, "subquery_in_from", kMaintained},
    {Feature::kViewSource, "view_source", kMaintained},
    {Feature::kStreamSource, "stream_source", kMaintained},
    {Feature::kCte, "cte", kMaintained},
    {Feature::kCteHint, "cte_hint", kMaintained},
    {Feature::kCteShared, "cte_shared", kMaintained},
    {Feature::kCteNested, "cte_nested", kMaintained},
    {Feature::kCteShadows, "cte_shadows", kMaintained},
    {Feature::kUnionAll, "union_all", kMaintained},
    {Feature::kGroupBy, "group_by", kMaintained},
    {Feature::kHaving, "having", kMaintained},
    {Feature::kDistinct, "distinct", kMaintained},
    {Feature::kBooleanTest, "boolean_test", kMaintained},
    {Feature::kSyntaxFunction, "syntax_function", kMaintained},
    {Feature::kCollate, "collate", kMaintained},
    {Feature::kAtTimeZone, "at_time_zone", kMaintained},
    {Feature::kRowConstructor, "row_constructor", kMaintained},
    {Feature::kDistinctRows, "distinct_rows", kNotYet},
    {Feature::kArrays, "arrays", kMaintained},
    {Feature::kSubscript, "subscript", kMaintained},
    {Feature::kComposite, "composite", kNotYet},
    {Feature::kDomain, "domain", kNotYet},
    {Feature::kEnum, "enum", kMaintained},
    {Feature::kRange, "range", kMaintained},
    {Feature::kJsonPath, "json_path", kMaintained},
    {Feature::kAggregateFilter, "aggregate_filter", kMaintained},
    {Feature::kAggregateDistinct, "aggregate_distinct", kMaintained},
    {Feature::kAggregateOrder, "aggregate_order", kMaintained},
    {Feature::kBitAggregate, "bit_aggregate", kMaintained},
    {Feature::kJsonAggregate, "json_aggregate", kMaintained},
    {Feature::kOrderedSet, "ordered_set", kMaintained},
    {Feature::kHypotheticalSet, "hypothetical_set", kMaintained},
    {Feature::kRegression, "regression", kMaintained},
    {Feature::kRangeAggregate, "range_aggregate", kMaintained},
    {Feature::kUserAggregate, "user_aggregate", kMaintained},
    {Feature::kLeftJoin, "left_join", kNotYet},
    {Feature::kRightJoin, "right_join", kNotYet},
    {Feature::kFullJoin, "full_join", kNotYet},
    {Feature::kOuterMergedColumns, "outer_merged_columns", kNotYet},
    {Feature::kOuterAnyCondition, "outer_any_condition", kNotYet},
    {Feature::kNestedJoin, "nested_join", kNotYet},
    {Feature::kExists, "exists", kNotYet},
    {Feature::kNotExists, "not_exists", kNotYet},
    {Feature::kIn, "in", kNotYet},
    {Feature::kNotIn, "not_in", kNotYet},
    {Feature::kAny, "any", kNotYet},
    {Feature::kAll, "all", kNotYet},
    {Feature::kRowIn, "row_in", kNotYet},
    {Feature::kRowCompareSublink, "row_compare_sublink", kNotYet},
    {Feature::kArraySublink, "array_sublink", kNotYet},
    {Feature::kScalarAggregate, "scalar_aggregate", kNotYet},
    {Feature::kScalarLimit, "scalar_limit", kNotYet},
    {Feature::kUncorrelated, "uncorrelated", kNotYet},
    {Feature::kSublinkTop, "sublink_top", kNotYet},
    {Feature::kSublinkUnderOr, "sublink_under_or", kNotYet},
    {Feature::kSublinkInSelect, "sublink_in_select", kNotYet},
    {Feature::kSublinkInHaving, "sublink_in_having", kNotYet},
    {Feature::kSublinkInOn, "sublink_in_on", kNotYet},
    {Feature::kSublinkInAggregate, "sublink_in_aggregate", kNotYet},
    {Feature::kSublinkInGroupKey, "sublink_in_group_key", kNotYet},
    {Feature::kSublinkNested, "sublink_nested", kNotYet},
    {Feature::kSublinkGroups, "sublink_groups", kNotYet},
    {Feature::kSublinkOverQuery, "sublink_over_query", kNotYet},
    {Feature::kGroupingSets, "grouping_sets", kNotYet},
    {Feature::kRollup, "rollup", kNotYet},
    {Feature::kCube, "cube", kNotYet},
    {Feature::kGroupingFunction, "grouping_function", kNotYet},
    {Feature::kUnion, "union", kNotYet},
    {Feature::kIntersect, "intersect", kNotYet},
    {Feature::kIntersectAll, "intersect_all", kNotYet},
    {Feature::kExcept, "except", kNotYet},
    {Feature::kExceptAll, "except_all", kNotYet},
    {Feature::kSetNested, "set_nested", kNotYet},
    {Feature::kSetUnify, "set_unify", kNotYet},
    {Feature::kDistinctOn, "distinct_on", kNotYet},
    {Feature::kValues, "values", kNotYet},
    {Feature::kNoFrom, "no_from", kNotYet},
    {Feature::kTopLimit, "top_limit", kNotYet},
    {Feature::kInnerLimit, "inner_limit", kNotYet},
    {Feature::kOffset, "offset", kNotYet},
    {Feature::kFetchFirst, "fetch_first", kNotYet},
    {Feature::kWithTies, "with_ties", kNotYet},
    {Feature::kUnnest, "unnest", kNotYet},
    {Feature::kGenerateSeries, "generate_series", kNotYet},
    {Feature::kJsonElements, "json_elements", kNotYet},
    {Feature::kSplitText, "split_text", kNotYet},
    {Feature::kOrdinality, "ordinality", kNotYet},
    {Feature::kFunctionLeftJoin, "function_left_join", kNotYet},
    {Feature::kSetReturningItem, "set_returning_item", kNotYet},
};
static_assert(std::size(kTable) == static_cast<std::size_t>(Feature::kCount_));

const Row& row_of(const std::string& name) {
  const auto* found =
      std::find_if(std::begin(kTable), std::end(kTable), [&](const Row& row) { return name == row.name; });
  if (found == std::end(kTable)) throw std::runtime_error("PGT_FEATURES: no feature is called \"" + name + "\"");
  return *found;
}

void apply(Switches& switches, char sign, Feature feature) {
  const auto at = static_cast<std::size_t>(feature);
  switches.generated.set(at, sign != '-');
  switches.expected.set(at, sign == '+');
}

}  // namespace

std::string name_of(Feature feature) {
  const auto* found =
      std::find_if(std::begin(kTable), std::end(kTable), [&](const Row& row) { return row.feature == feature; });
  return found == std::end(kTable) ? "?" : found->name;
}

std::string to_string(const FeatureSet& features) {
  std::string text;
  for (const auto& row : kTable) {
    if (features[static_cast<std::size_t>(row.feature)]) text += (text.empty() ? "" : ", ") + std::string(row.name);
  }
  return text;
}

Switches switches_from_environment() {
  Switches switches;
  for (const auto& row : kTable) apply(switches, row.state == kMaintained ? '+' : '-', row.feature);
  const char* text = std::getenv("PGT_FEATURES");
  std::istringstream items(text == nullptr ? "" : text);
  for (std::string item; std::getline(items, item, ',');) {
    if (item.empty()) continue;
    const char sign = item[0];
    if (sign != '+' && sign != '-' && sign != '?')
      throw std::runtime_error("PGT_FEATURES: \"" + item + "\" does not begin with +, ? or -");
    const std::string name = item.substr(1);
    if (name == "all") {
      for (const auto& row : kTable) apply(switches, sign, row.feature);
    } else {
      apply(switches, sign, row_of(name).feature);
    }
  }
  return switches;
}

std::string statistics(const std::map<Feature, std::size_t>& uses, const Switches& switches) {
  std::ostringstream text;
  std::size_t on_line = 0;
  for (const auto& row : kTable) {
    const auto found = uses.find(row.feature);
    const std::size_t count = found == uses.end() ? 0 : found->second;
    const bool on = switches.generated[static_cast<std::size_t>(row.feature)];
    text << "  " << row.name << " " << (on ? std::to_string(count) + (count == 0 ? " (NEVER)" : "") : "off");
    text << (++on_line % 6 == 0 ? "\n" : "");
  }
  return text.str() + "\n";
}

}  // namespace pgt::property
