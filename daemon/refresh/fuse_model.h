// What is an unusually large change of a stream table? Learns the sizes of its recent deltas; an automatic fuse blows
// at the mean plus `sensitivity` standard deviations of them. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace pgtrickle::refresh {

class FuseModel {
 public:
  static constexpr std::size_t kEnough = 5;          // deltas, before there is a limit
  static constexpr std::int64_t kLeastLimit = 1000;  // rows: small tables may change as a whole
  static constexpr double kMaterialFactor = 1.25;    // a smaller change of the limit is not worth writing

  /// A refresh applied so many rows; the last `history` ones count.
  void applied(std::int64_t delta_rows, std::size_t history);

  /// None while too little is known.
  [[nodiscard]] std::optional<std::int64_t> limit(int sensitivity) const;
  [[nodiscard]] static bool worth_writing(std::optional<std::int64_t> stored, std::int64_t wanted);

 private:
  std::deque<std::int64_t> deltas_;
};

}  // namespace pgtrickle::refresh
