#include "scheduler/health.h"

#include <algorithm>

namespace pgtrickle::scheduler {

using postgres::ErrorClass;

namespace {

constexpr int kReportEvery = 10;
constexpr std::chrono::milliseconds kErrorDelay{1000};

}  // namespace

Judgement Health::on_error(const postgres::Error& error, bool wide_keys, const HealthRules& rules, double random01) {
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
      return {.remedy = Remedy::kSuspend, .delay = {}, .counted = true, .report = true};
    case ErrorClass::kCorruption:
    case ErrorClass::kObsolete:
      return rebuild(Remedy::kRebuild, Cause::kError);
    case ErrorClass::kIndexTooLarge:
      if (!wide_keys) return rebuild(Remedy::kRebuildWide, Cause::kError);
      break;
    case ErrorClass::kPermanent:
      break;
  }
  ++consecutive_errors_;
  const bool suspend = consecutive_errors_ >= rules.max_consecutive_errors;
  const postgres::Backoff backoff{.min = kErrorDelay, .max = std::max(kErrorDelay, rules.retry.max)};
  return {.remedy = suspend ? Remedy::kSuspend : Remedy::kRetry,
          .delay = backoff.delay(consecutive_errors_, random01),
          .counted = true,
          .report = true};
}

Judgement Health::on_reinit() {
  return rebuild(Remedy::kRebuild, Cause::kReinit);
}

Judgement Health::rebuild(Remedy remedy, Cause cause) {
  ++rebuilds_;
  cause_ = cause;
  const bool error = cause == Cause::kError;
  if (rebuilds_ > kMaxRebuilds) return {.remedy = Remedy::kGiveUp, .delay = {}, .counted = false, .report = true};
  return {.remedy = remedy, .delay = {}, .counted = false, .report = error};
}

void Health::on_no_data() {
  retries_ = 0;
  // Nothing was pending, so the program proved nothing beyond not asking for a rebuild again.
  if (cause_ == Cause::kReinit) rebuilds_ = 0;
  consecutive_errors_ = 0;
  reported_ = false;
}

void Health::on_applied() {
  on_no_data();
  rebuilds_ = 0;
  cause_ = Cause::kNone;
}

void Health::reset(int consecutive_errors) {
  *this = Health();
  consecutive_errors_ = consecutive_errors;
}

}  // namespace pgtrickle::scheduler
