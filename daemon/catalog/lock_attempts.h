// How a build gets locks that others queue behind: an attempt is short, the pause after it ten times as long, and both
// grow with the attempts. So users of the table are hardly held up, however long somebody is in our way.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <pqxx/pqxx>
#include <string>
#include <thread>

#include "postgres/blocking_error.h"

namespace pgtrickle::catalog {

class LockAttempts {
 public:
  /// `failures`: of earlier builds in a row; after them the attempts are longer from the start.
  LockAttempts(int longest_ms, int failures) : longest_ms_(longest_ms), failures_(failures) {}

  /// From here on the transaction gives up locks that it cannot have soon.
  void limit(pqxx::transaction_base& tx) const { tx.exec(limiting()); }
  [[nodiscard]] std::string limiting() const { return "SET LOCAL lock_timeout = " + std::to_string(timeout_ms()); }

  /// Runs `work`, a transaction, until it gets its locks; false when that takes too long.
  template <typename Work>
  bool run(Work work) {
    const auto started = std::chrono::steady_clock::now();
    for (tried_ = 0;; ++tried_) {
      try {
        work();
        return true;
      } catch (const pqxx::failure& e) {
        if (!postgres::error_of(e).is(Condition::kLockNotAvailable)) throw;
      }
      const auto pause = std::chrono::milliseconds(timeout_ms() * kPauseShare);
      if (std::chrono::steady_clock::now() - started + pause > kPatience) return false;
      std::this_thread::sleep_for(pause);
    }
  }

 private:
  static constexpr int kFirstMs = 20;
  static constexpr double kGrowth = 1.5;
  static constexpr int kPauseShare = 10;                       // times the time that others may have been held up
  static constexpr std::chrono::milliseconds kPatience{3000};  // then others may have the worker

  [[nodiscard]] int timeout_ms() const {
    const double ms = kFirstMs * std::pow(kGrowth, std::min(tried_ + 2 * failures_, 50));
    return std::max(1, static_cast<int>(std::min<double>(ms, longest_ms_)));
  }

  int longest_ms_, failures_;
  int tried_ = 0;
};

}  // namespace pgtrickle::catalog
