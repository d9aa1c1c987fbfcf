#include "refresh/fuse_model.h"

#include <algorithm>
#include <cmath>

#include "refresh/material_change.h"

namespace pgtrickle::refresh {

void FuseModel::applied(std::int64_t delta_rows, std::size_t history) {
  deltas_.push_back(delta_rows);
  while (deltas_.size() > std::max(history, kEnough)) deltas_.pop_front();
}

std::optional<std::int64_t> FuseModel::limit(int sensitivity) const {
  if (deltas_.size() < kEnough) return std::nullopt;
  const auto n = static_cast<double>(deltas_.size());
  double mean = 0;
  for (const auto delta : deltas_) mean += static_cast<double>(delta) / n;
  double variance = 0;
  for (const auto delta : deltas_) variance += std::pow(static_cast<double>(delta) - mean, 2) / n;
  const double limit = mean + sensitivity * std::sqrt(variance);
  return std::max(kLeastLimit, static_cast<std::int64_t>(std::ceil(std::min(limit, 1e15))));
}

bool FuseModel::worth_writing(std::optional<std::int64_t> stored, std::int64_t wanted) {
  return is_material_change(stored, wanted, kMaterialFactor);
}

}  // namespace pgtrickle::refresh
