// Random choices that depend on nothing but the seed, so that a run can be repeated on any machine.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace pgt::property {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  /// 0 .. n-1
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(engine_() % n); }
  /// low .. high, both included
  int between(int low, int high) { return low + static_cast<int>(below(static_cast<std::size_t>(high - low + 1))); }
  bool chance(int percent) { return between(1, 100) <= percent; }

  template <typename T>
  const T& pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }
  /// An index, each with its weight.
  std::size_t weighted(const std::vector<int>& weights) {
    int total = 0;
    for (const int w : weights) total += w;
    int at = between(1, total);
    std::size_t i = 0;
    while ((at -= weights[i]) > 0) ++i;
    return i;
  }
  template <typename T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace pgt::property
