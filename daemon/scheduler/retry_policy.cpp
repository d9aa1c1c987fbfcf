#include "scheduler/retry_policy.h"

#include <algorithm>

namespace pgtrickle::scheduler {

using postgres::ErrorClass;

namespace {

constexpr int kReportEvery = 10;
constexpr std::chrono::milliseconds kErrorDelay{1000};

}  // namespace

std::optional<StatusEvent> event_of(Remedy remedy) {
  if (remedy == Remedy::kSuspend) return StatusEvent::kErrorsPersist;
  if (remedy == Remedy::kGiveUp) return StatusEvent::kRebuildingDoesNotHelp;
  return std::nullopt;
}

Judgement RetryPolicy::on_error(const postgres::Error& error, bool wide_keys, const RetryRules& rules,
                                double random01) {
  switch (error.classify()) {
    case ErrorClass::kCanceled:
      return {};
    case ErrorClass::kRetryable:
    case ErrorClass::kInDoubt: {
      ++retries_;
      const bool report = retries_ == kPatience || (retries_ > kPatience && retries_ % kReportEvery == 0);
      reported_ = reported_ || report;
      return {
          .remedy = Remedy::kRetry, .delay = rules.retry.delay(retries_, random01), .counted = false, .report = report};
    }
    case ErrorClass::kPrivilege:
      ++consecutive_errors_;
      return {
          .remedy = Remedy::kSuspend, .delay = pause(consecutive_errors_, random01), .counted = true, .report = true};
    case ErrorClass::kCorruption:
    case ErrorClass::kObsolete:
      return rebuild(Remedy::kRebuild, Cause::kError, random01);
    case ErrorClass::kIndexTooLarge:
      if (!wide_keys) return rebuild(Remedy::kRebuildWide, Cause::kError, random01);
      break;
    case ErrorClass::kPermanent:
      break;
  }
  ++consecutive_errors_;
  if (const int more = consecutive_errors_ - rules.max_consecutive_errors; more >= 0)
    return {.remedy = Remedy::kSuspend, .delay = pause(more + 1, random01), .counted = true, .report = true};
  const postgres::Backoff backoff{.min = kErrorDelay, .max = std::max(kErrorDelay, rules.retry.max)};
  return {
      .remedy = Remedy::kRetry, .delay = backoff.delay(consecutive_errors_, random01), .counted = true, .report = true};
}

std::chrono::milliseconds RetryPolicy::pause(int n, double random01) {
  return postgres::Backoff{.min = kPauseMin, .max = kPauseMax}.delay(n, random01);
}

Judgement RetryPolicy::on_reinit(double random01) {
  return rebuild(Remedy::kRebuild, Cause::kReinit, random01);
}

Judgement RetryPolicy::rebuild(Remedy remedy, Cause cause, double random01) {
  ++rebuilds_;
  cause_ = cause;
  const bool error = cause == Cause::kError;
  if (const int more = rebuilds_ - kMaxRebuilds; more > 0)
    return {.remedy = Remedy::kGiveUp, .delay = pause(more, random01), .counted = false, .report = true};
  return {.remedy = remedy, .delay = {}, .counted = false, .report = error};
}

void RetryPolicy::on_no_data() {
  retries_ = 0;
  // Nothing was pending, so the program proved nothing beyond not asking for a rebuild again.
  if (cause_ == Cause::kReinit) rebuilds_ = 0;
  consecutive_errors_ = 0;
  reported_ = false;
}

void RetryPolicy::on_applied() {
  on_no_data();
  rebuilds_ = 0;
  cause_ = Cause::kNone;
}

void RetryPolicy::reset(int consecutive_errors) {
  *this = RetryPolicy();
  consecutive_errors_ = consecutive_errors;
}

}  // namespace pgtrickle::scheduler
