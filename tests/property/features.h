// The constructs that the generator knows, and which of them the compiler is expected to maintain incrementally. A
// query carries the set of those it uses: it must be DIFFERENTIAL if all of them are expected to be, and the statistics
// at the end of a run show that nothing is never generated. What is recomputed must be exact as well.
//
// PGT_FEATURES changes the table: "+name" generate and expect, "?name" generate without expecting anything about the
// mode, "-name" do not generate; names as the statistics print them, or "all"; separated by commas.
#pragma once

#include <bitset>
#include <map>
#include <string>

#include "property/random.h"

namespace pgt::property {

enum class Feature {
  kFilter,
  kInnerJoin,
  kMergedColumns,
  kJoinAlias,
  kSubqueryInFrom,
  kViewSource,
  kStreamSource,
  kCte,
  kCteHint,
  kCteShared,
  kCteNested,
  kCteShadows,
  kUnionAll,
  kGroupBy,
  kHaving,
  kDistinct,
  kBooleanTest,
  kSyntaxFunction,
  kCollate,
  kAtTimeZone,
  kRowConstructor,
  kDistinctRows,
  kArrays,
  kSubscript,
  kComposite,
  kDomain,
  kEnum,
  kRange,
  kJsonPath,
  kAggregateFilter,
  kAggregateDistinct,
  kAggregateOrder,
  kBitAggregate,
  kJsonAggregate,
  kOrderedSet,
  kHypotheticalSet,
  kRegression,
  kRangeAggregate,
  kUserAggregate,
  kLeftJoin,
  kRightJoin,
  kFullJoin,
  kOuterMergedColumns,
  kOuterAnyCondition,
  kNestedJoin,
  kExists,
  kNotExists,
  kIn,
  kNotIn,
  kAny,
  kAll,
  kRowIn,
  kRowCompareSublink,
  kArraySublink,
  kScalarAggregate,
  kScalarLimit,
  kUncorrelated,
  kSublinkTop,
  kSublinkUnderOr,
  kSublinkInSelect,
  kSublinkInHaving,
  kSublinkInOn,
  kSublinkInAggregate,
  kSublinkInGroupKey,
  kSublinkNested,
  kSublinkGroups,
  kSublinkOverQuery,
  kGroupingSets,
  kRollup,
  kCube,
  kGroupingFunction,
  kUnion,
  kIntersect,
  kIntersectAll,
  kExcept,
  kExceptAll,
  kSetNested,
  kSetUnify,
  kDistinctOn,
  kValues,
  kNoFrom,
  kTopLimit,
  kInnerLimit,
  kOffset,
  kFetchFirst,
  kWithTies,
  kUnnest,
  kGenerateSeries,
  kJsonElements,
  kSplitText,
  kOrdinality,
  kFunctionLeftJoin,
  kSetReturningItem,
  kWindow,
  kLateralSubquery,
  kSublinkInOuterOn,
  kSetReturningLimited,
  kFunctionUnderJoinAlias,
  kFunctionOuterJoin,
  kCount_
};

using FeatureSet = std::bitset<static_cast<std::size_t>(Feature::kCount_)>;

std::string name_of(Feature feature);
std::string to_string(const FeatureSet& features);

struct Switches {
  FeatureSet generated;
  FeatureSet expected;  // to be DIFFERENTIAL
};

/// The table, changed by PGT_FEATURES. Throws std::runtime_error if that names something unknown.
Switches switches_from_environment();

/// How often each feature was generated, as lines of text; the ones that are generated never are marked.
std::string statistics(const std::map<Feature, std::size_t>& uses, const Switches& switches);

/// What the generators of one query share.
struct Context {
  Random& random;
  const Switches& switches;
  FeatureSet used = {};

  [[nodiscard]] bool on(Feature feature) const { return switches.generated[static_cast<std::size_t>(feature)]; }
  /// Notes that the query uses the feature; false if it must not.
  bool use(Feature feature) {
    if (!on(feature)) return false;
    used.set(static_cast<std::size_t>(feature));
    return true;
  }
  [[nodiscard]] bool chance(Feature feature, int percent) const { return on(feature) && random.chance(percent); }
};

}  // namespace pgt::property
