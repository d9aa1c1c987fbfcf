// What to do when the refresh of a stream table fails: the error history of one table and the rules. Pure.
//
// Retryable errors never count against the table: they are retried with backoff for as long as they last, and reported
// once they have lasted for kPatience attempts. Errors of the table itself are retried too, since data changes, until
// max_consecutive_errors in a row suspend it. Errors that a rebuild may cure cause one, at most kMaxRebuilds in a row.
// Nothing stops for good: what is suspended or given up is tried again after pauses that grow to kPauseMax.
#pragma once

#include <chrono>
#include <optional>

#include "model/status.h"
#include "postgres/backoff.h"
#include "postgres/error.h"

namespace pgtrickle::scheduler {

struct RetryRules {
  int max_consecutive_errors = 3;
  postgres::Backoff retry;
};

enum class Remedy {
  kRetry,        // try again after the delay
  kSuspend,      // status SUSPENDED; tried again after the delay, or when somebody resumes it
  kRebuild,      // needs_reinit
  kRebuildWide,  // needs_reinit, with option wide_keys
  kGiveUp,       // status ERROR: rebuilding did not help; again after the delay
};

/// What the remedy does to the status at once; none if it stays.
[[nodiscard]] std::optional<StatusEvent> event_of(Remedy remedy);

struct Judgement {
  Remedy remedy = Remedy::kRetry;
  std::chrono::milliseconds delay{0};
  bool counted = false;  // as an error of the table: consecutive_errors has grown
  bool report = false;   // worth recording in the catalog and the history
};

class RetryPolicy {
 public:
  static constexpr int kPatience = 5;
  static constexpr int kMaxRebuilds = 3;
  static constexpr std::chrono::milliseconds kPauseMin{10000};
  static constexpr std::chrono::milliseconds kPauseMax{300000};

  /// `wide_keys`: the option is already set. `random01`: jitter.
  Judgement on_error(const postgres::Error& error, bool wide_keys, const RetryRules& rules, double random01);
  /// The program answered REINIT.
  Judgement on_reinit(double random01 = 0.5);
  void on_no_data();
  void on_applied();
  /// Somebody changed the stream table: start afresh with the count that the catalog has.
  void reset(int consecutive_errors);

  /// Before what has stopped is tried for the n-th time. The ones that DDL or a resume cure do not wait for it.
  [[nodiscard]] static std::chrono::milliseconds pause(int n, double random01);

  [[nodiscard]] int consecutive_errors() const { return consecutive_errors_; }
  /// The catalog may hold a report of ours that the next success must clear.
  [[nodiscard]] bool reported() const { return reported_ || consecutive_errors_ > 0; }

 private:
  enum class Cause { kNone, kError, kReinit };
  Judgement rebuild(Remedy remedy, Cause cause, double random01);

  int consecutive_errors_ = 0;
  int retries_ = 0;
  int rebuilds_ = 0;
  Cause cause_ = Cause::kNone;
  bool reported_ = false;
};

}  // namespace pgtrickle::scheduler
