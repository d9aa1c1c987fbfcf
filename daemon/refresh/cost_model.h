// When is recomputing cheaper than applying the delta? Learns the price of a delta row and of a full run of one stream
// table from its refreshes, and turns them into pgt_frontiers.full_threshold: the number of pending rows above which
// refresh_<id>('auto') recomputes. Pure.
//
// Guards against bad averages: the threshold is never below kMinThreshold, so small deltas are always applied; small
// deltas, whose time is mostly overhead, teach nothing; and every full run makes delta rows look a little cheaper, so
// that the delta program gets another chance however bad its last measurement was.
#pragma once

#include <cstdint>
#include <optional>

namespace pgtrickle::refresh {

class CostModel {
 public:
  static constexpr std::int64_t kMinThreshold = 1000;
  static constexpr std::int64_t kTeachingRows = 200;  // smaller deltas are not measured
  static constexpr double kRatioWithoutHistory = 0.5;

  void differential(std::int64_t delta_rows, double milliseconds);
  void full(double milliseconds);

  /// `rows`: the larger of the rows of the stream table and of its sources, as far as known.
  [[nodiscard]] std::int64_t threshold(std::int64_t rows) const;

  [[nodiscard]] std::optional<double> ms_per_delta_row() const { return ms_per_delta_row_; }
  [[nodiscard]] std::optional<double> ms_per_full() const { return ms_per_full_; }

  /// Is `wanted` so different from what is stored that it is worth a write?
  [[nodiscard]] static bool worth_writing(std::optional<std::int64_t> stored, std::int64_t wanted);

 private:
  std::optional<double> ms_per_delta_row_;
  std::optional<double> ms_per_full_;
};

}  // namespace pgtrickle::refresh
