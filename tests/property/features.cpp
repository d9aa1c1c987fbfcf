#include "property/features.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace pgt::property {
namespace {

enum State {
  kMaintained,
  kRecomputed,  // at least at times: it must be exact, in whatever mode
};

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
    {Feature::kDistinctRows, "distinct_rows", kMaintained},
    {Feature::kArrays, "arrays", kMaintained},
    {Feature::kSubscript, "subscript", kMaintained},
    {Feature::kComposite, "composite", kMaintained},
    {Feature::kDomain, "domain", kMaintained},
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
    {Feature::kLeftJoin, "left_join", kMaintained},
    {Feature::kRightJoin, "right_join", kMaintained},
    {Feature::kFullJoin, "full_join", kMaintained},
    {Feature::kOuterMergedColumns, "outer_merged_columns", kMaintained},
    {Feature::kOuterAnyCondition, "outer_any_condition", kMaintained},
    {Feature::kNestedJoin, "nested_join", kMaintained},
    {Feature::kExists, "exists", kMaintained},
    {Feature::kNotExists, "not_exists", kMaintained},
    {Feature::kIn, "in", kMaintained},
    {Feature::kNotIn, "not_in", kMaintained},
    {Feature::kAny, "any", kMaintained},
    {Feature::kAll, "all", kMaintained},
    {Feature::kRowIn, "row_in", kMaintained},
    {Feature::kRowCompareSublink, "row_compare_sublink", kMaintained},
    {Feature::kArraySublink, "array_sublink", kMaintained},
    {Feature::kScalarAggregate, "scalar_aggregate", kMaintained},
    {Feature::kScalarLimit, "scalar_limit", kMaintained},
    {Feature::kUncorrelated, "uncorrelated", kMaintained},
    {Feature::kSublinkTop, "sublink_top", kMaintained},
    {Feature::kSublinkUnderOr, "sublink_under_or", kMaintained},
    {Feature::kSublinkInSelect, "sublink_in_select", kMaintained},
    {Feature::kSublinkInHaving, "sublink_in_having", kMaintained},
    {Feature::kSublinkInOn, "sublink_in_on", kMaintained},
    {Feature::kSublinkInAggregate, "sublink_in_aggregate", kMaintained},
    {Feature::kSublinkInGroupKey, "sublink_in_group_key", kMaintained},
    {Feature::kSublinkNested, "sublink_nested", kMaintained},
    {Feature::kSublinkGroups, "sublink_groups", kMaintained},
    {Feature::kSublinkOverQuery, "sublink_over_query", kMaintained},
    {Feature::kGroupingSets, "grouping_sets", kMaintained},
    {Feature::kRollup, "rollup", kMaintained},
    {Feature::kCube, "cube", kMaintained},
    {Feature::kGroupingFunction, "grouping_function", kMaintained},
    {Feature::kUnion, "union", kMaintained},
    {Feature::kIntersect, "intersect", kMaintained},
    {Feature::kIntersectAll, "intersect_all", kMaintained},
    {Feature::kExcept, "except", kMaintained},
    {Feature::kExceptAll, "except_all", kMaintained},
    {Feature::kSetNested, "set_nested", kMaintained},
    {Feature::kSetUnify, "set_unify", kMaintained},
    {Feature::kDistinctOn, "distinct_on", kMaintained},
    {Feature::kValues, "values", kMaintained},
    {Feature::kNoFrom, "no_from", kMaintained},
    {Feature::kTopLimit, "top_limit", kMaintained},
    {Feature::kInnerLimit, "inner_limit", kMaintained},
    {Feature::kOffset, "offset", kMaintained},
    {Feature::kFetchFirst, "fetch_first", kMaintained},
    {Feature::kWithTies, "with_ties", kMaintained},
    {Feature::kUnnest, "unnest", kMaintained},
    {Feature::kGenerateSeries, "generate_series", kMaintained},
    {Feature::kJsonElements, "json_elements", kMaintained},
    {Feature::kSplitText, "split_text", kMaintained},
    {Feature::kOrdinality, "ordinality", kMaintained},
    {Feature::kFunctionLeftJoin, "function_left_join", kMaintained},
    {Feature::kSetReturningItem, "set_returning_item", kMaintained},
    {Feature::kWindow, "window", kMaintained},
    {Feature::kLateralSubquery, "lateral_subquery", kMaintained},
    {Feature::kSublinkInOuterOn, "sublink_in_outer_on", kRecomputed},
    {Feature::kSetReturningLimited, "set_returning_limited", kMaintained},
    {Feature::kFunctionUnderJoinAlias, "function_under_join_alias", kMaintained},
    {Feature::kFunctionOuterJoin, "function_outer_join", kMaintained},
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
  for (const auto& row : kTable) apply(switches, row.state == kMaintained ? '+' : '?', row.feature);
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
