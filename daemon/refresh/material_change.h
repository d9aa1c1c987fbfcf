// Estimates move a little with every refresh: only what has changed materially is written to the catalog.
#pragma once

#include <cstdint>
#include <optional>

namespace pgtrickle::refresh {

/// Is `wanted` more than `factor` times what is stored, or less than the same part of it? Nothing stored: yes.
[[nodiscard]] inline bool is_material_change(std::optional<std::int64_t> stored, std::int64_t wanted, double factor) {
  if (!stored || *stored <= 0) return true;
  const double change = static_cast<double>(wanted) / static_cast<double>(*stored);
  return change > factor || change < 1 / factor;
}

}  // namespace pgtrickle::refresh
