#include "refresh/cost_model.h"

#include <algorithm>
#include <cmath>

#include "refresh/material_change.h"

namespace pgtrickle::refresh {
namespace {

constexpr double kWeightOfNewest = 0.25;
constexpr double kOptimismPerFull = 0.95;
constexpr double kMaterialFactor = 1.5;
constexpr double kMaxThreshold = 1e15;

void learn(std::optional<double>& average, double value) {
  average = average ? *average + kWeightOfNewest * (value - *average) : value;
}

}  // namespace

void CostModel::differential(std::int64_t delta_rows, double milliseconds) {
  if (delta_rows < kTeachingRows || milliseconds <= 0) return;
  learn(ms_per_delta_row_, milliseconds / static_cast<double>(delta_rows));
}

void CostModel::full(double milliseconds) {
  if (milliseconds <= 0) return;
  learn(ms_per_full_, milliseconds);
  if (ms_per_delta_row_) *ms_per_delta_row_ *= kOptimismPerFull;
}

std::int64_t CostModel::threshold(std::int64_t rows) const {
  double wanted = kRatioWithoutHistory * static_cast<double>(std::max<std::int64_t>(rows, 0));
  if (ms_per_delta_row_ && ms_per_full_) wanted = *ms_per_full_ / *ms_per_delta_row_;
  return std::max(kMinThreshold, static_cast<std::int64_t>(std::min(wanted, kMaxThreshold)));
}

bool CostModel::worth_writing(std::optional<std::int64_t> stored, std::int64_t wanted) {
  return is_material_change(stored, wanted, kMaterialFactor);
}

}  // namespace pgtrickle::refresh
