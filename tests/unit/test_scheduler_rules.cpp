// Rules without a clock or a server: errors, their consequences, costs, backoff, connection strings.
#include <gtest/gtest.h>

#include "postgres/backoff.h"
#include "postgres/conninfo.h"
#include "postgres/error.h"
#include "postgres/result.h"
#include "refresh/cost_model.h"
#include "scheduler/retry_policy.h"

namespace pgtrickle {
namespace {

using postgres::Error;
using postgres::ErrorClass;
using postgres::ErrorOrigin;
using scheduler::Remedy;
using scheduler::RetryPolicy;
using scheduler::RetryRules;
using std::chrono::milliseconds;

Error error_of(const std::string& sqlstate) {
  Error error;
  error.sqlstate = sqlstate;
  error.message = "test";
  return error;
}

TEST(ErrorClassification, BySqlState) {
  const std::vector<std::pair<const char*, ErrorClass>> expected{
      {"40001", ErrorClass::kRetryable},  {"40P01", ErrorClass::kRetryable},     {"55P03", ErrorClass::kRetryable},
      {"57014", ErrorClass::kRetryable},  {"57P01", ErrorClass::kRetryable},     {"57P02", ErrorClass::kRetryable},
      {"57P03", ErrorClass::kRetryable},  {"08006", ErrorClass::kRetryable},     {"08001", ErrorClass::kRetryable},
      {"53300", ErrorClass::kRetryable},  {"53100", ErrorClass::kRetryable},     {"42501", ErrorClass::kPrivilege},
      {"XX001", ErrorClass::kCorruption}, {"54000", ErrorClass::kIndexTooLarge}, {"42P01", ErrorClass::kObsolete},
      {"42703", ErrorClass::kObsolete},   {"42883", ErrorClass::kObsolete},      {"22012", ErrorClass::kPermanent},
      {"23505", ErrorClass::kCorruption}, {"23502", ErrorClass::kCorruption},    {"21000", ErrorClass::kCorruption},
      {"23514", ErrorClass::kPermanent},  {"08P01", ErrorClass::kPermanent},     {"40003", ErrorClass::kInDoubt},
      {"P0001", ErrorClass::kPermanent},  {"22P02", ErrorClass::kObsolete},      {"42P22", ErrorClass::kObsolete},
      {"0A000", ErrorClass::kObsolete},   {"", ErrorClass::kPermanent}};
  for (const auto& [sqlstate, error_class] : expected) {
    EXPECT_EQ(classify_sqlstate(sqlstate), error_class) << sqlstate;
  }
}

TEST(ErrorClassification, ByOrigin) {
  EXPECT_EQ(postgres::timeout_error("x").classify(), ErrorClass::kRetryable);
  EXPECT_EQ(postgres::canceled_error("x").classify(), ErrorClass::kCanceled);
  EXPECT_EQ(postgres::connection_error("x").classify(), ErrorClass::kRetryable);
  Error lost = postgres::connection_error("x");
  lost.in_doubt = true;
  EXPECT_EQ(lost.classify(), ErrorClass::kInDoubt);
}

TEST(Result, HoldsOneSide) {
  postgres::Result<int> good(7);
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(*good, 7);
  EXPECT_THROW((void)good.error(), std::logic_error);
  postgres::Result<int> bad(error_of("22012"));
  EXPECT_FALSE(bad.ok());
  EXPECT_THROW((void)bad.value(), std::logic_error);
}

TEST(Backoff, GrowsToItsMaximumWithJitter) {
  const postgres::Backoff backoff{.min = milliseconds(100), .max = milliseconds(30000)};
  EXPECT_EQ(backoff.delay(1, 0.0), milliseconds(50));
  EXPECT_EQ(backoff.delay(1, 1.0), milliseconds(100));
  EXPECT_EQ(backoff.delay(3, 1.0), milliseconds(400));
  EXPECT_EQ(backoff.delay(1000000, 1.0), milliseconds(30000));
  EXPECT_EQ(backoff.delay(1000000, 0.0), milliseconds(15000));
}

TEST(Conninfo, MergesAndKeepsUserOptionsLast) {
  const auto merged = postgres::merge_conninfo("host=h dbname='my db' options='-c jit=on'",
                                               {{"application_name", "x"}, {"options", "-c jit=off"}},
                                               {{"host", "other"}, {"keepalives_idle", "30"}});
  ASSERT_TRUE(merged.ok());
  EXPECT_NE(merged->find("options='-c jit=off -c jit=on'"), std::string::npos) << *merged;
  EXPECT_NE(merged->find("dbname='my db'"), std::string::npos);
  EXPECT_NE(merged->find("host='h'"), std::string::npos);
  EXPECT_NE(merged->find("keepalives_idle='30'"), std::string::npos);
  const auto uri = postgres::merge_conninfo("postgresql://u:p%27w@h:1234/d", {});
  ASSERT_TRUE(uri.ok());
  EXPECT_NE(uri->find("password='p\\'w'"), std::string::npos) << *uri;
}

TEST(Conninfo, TellsWhereItLeads) {
  using postgres::conninfo_target;
  EXPECT_EQ(conninfo_target("host=h port=5433 dbname=d user=u password=x"), conninfo_target("postgresql://v@h:5433/d"));
  EXPECT_EQ(conninfo_target("host=h user=u dbname=d"), conninfo_target("host=h user=v dbname=d"));
  EXPECT_EQ(conninfo_target("host=h port=5433 user=u"), conninfo_target("host=h port=5433 dbname=u"));
  for (const char* other : {"host=g port=5433 dbname=d", "host=h port=5434 dbname=d", "host=h port=5433 dbname=e",
                            "host=h port=5433 dbname=d service=s", "host=h port=5433 dbname=d hostaddr=10.0.0.1"}) {
    EXPECT_NE(conninfo_target("host=h port=5433 dbname=d"), conninfo_target(other)) << other;
  }
  EXPECT_EQ(conninfo_target("nonsense"), "");
}

TEST(Conninfo, RedactsSecrets) {
  for (const char* conninfo : {"host=h password=hunter2", "postgresql://user:hunter2@host/db",
                               "host=h password='hunter2 x' sslpassword=hunter2",
                               "postgresql://host/db?user=u&password=hunter2", "host = h password = hunter2 garbage"}) {
    EXPECT_EQ(postgres::redact_conninfo(conninfo).find("hunter2"), std::string::npos) << conninfo;
    EXPECT_EQ(postgres::redact_text(std::string("failed: ") + conninfo).find("hunter2"), std::string::npos) << conninfo;
    const auto bad = postgres::merge_conninfo(std::string(conninfo) + " nonsense", {});
    if (!bad) {
      EXPECT_EQ(bad.error().text().find("hunter2"), std::string::npos) << bad.error().text();
    }
  }
  EXPECT_NE(postgres::redact_conninfo("host=myhost password=x").find("myhost"), std::string::npos);
}

// What it is part of stays, and a server's text may have any length.
TEST(Conninfo, RedactsSecretsOnly) {
  EXPECT_EQ(postgres::redact_text("password authentication failed for user \"u\""),
            "password authentication failed for user \"u\"");
  EXPECT_EQ(postgres::redact_text("in \"host=h PASSWORD = 'a\\' b' port=1\" or \"password=x\""),
            "in \"host=h PASSWORD = *** port=1\" or \"password=***\"");
  EXPECT_EQ(postgres::redact_text("postgresql://u:p:q@h/db, http://h/, x://u@h"),
            "postgresql://u:***@h/db, http://h/, x://u@h");
  EXPECT_EQ(postgres::redact_text("password="), "password=");
  const std::string much(1000000, 'x');
  EXPECT_EQ(postgres::redact_text("password=" + much + "&" + much), "password=***&" + much);
  EXPECT_EQ(postgres::redact_text("://" + much + ":" + much + "@"), "://" + much + ":***@");
}

// CONTEXT has lines of any length, and text of the user's own making.
TEST(Errors, AHintAboutTheSearchPathIsForNamesThatAreLookedUpByIt) {
  const auto hint = [](const std::string& message, const std::string& context) {
    postgres::Error error;
    error.sqlstate = "42883";
    error.message = message;
    error.context = context;
    error.hint = "H";
    postgres::explain_search_path(error);
    return error.hint;
  };
  const std::string missing = "function f(integer) does not exist";
  EXPECT_NE(hint(missing, "SQL function \"g\" during inlining").find("body of function g finds"), std::string::npos);
  EXPECT_NE(hint(missing, "SQL statement \"x\"\nPL/pgSQL function s.g(integer) line 1 at RETURN").find("function s.g "),
            std::string::npos);
  EXPECT_EQ(hint(missing, "SQL function \"g\"").substr(hint(missing, "SQL function \"g\"").size() - 2), " H");
  EXPECT_EQ(hint("function s.f(integer) does not exist", "SQL function \"g\""), "H");
  EXPECT_EQ(hint("relation \"s.t\" does not exist", "SQL function \"g\""), "H");
  EXPECT_EQ(hint(missing, "PL/pgSQL function pgtrickle_state.apply_1(text) line 1"), "H");
  EXPECT_EQ(hint(missing, ""), "H");
  EXPECT_LT(hint(missing, "SQL function \"" + std::string(1000000, 'x')).size(), 2000U);
  EXPECT_EQ(hint(missing, std::string(1000000, '\n')), "H");
}

TEST(RetryPolicy, RetryableErrorsNeverCountButAreReportedWhenTheyLast) {
  RetryPolicy health;
  const RetryRules rules;
  for (int i = 1; i <= 100; ++i) {
    const auto judgement = health.on_error(error_of("40001"), false, rules, 1.0);
    EXPECT_EQ(judgement.remedy, Remedy::kRetry);
    EXPECT_FALSE(judgement.counted);
    EXPECT_EQ(judgement.report, i == RetryPolicy::kPatience || (i > RetryPolicy::kPatience && i % 10 == 0)) << i;
    EXPECT_LE(judgement.delay, rules.retry.max);
  }
  EXPECT_EQ(health.consecutive_errors(), 0);
  EXPECT_TRUE(health.reported());
  health.on_no_data();
  EXPECT_FALSE(health.reported());
}

TEST(RetryPolicy, PermanentErrorsSuspendAfterTheLimit) {
  RetryPolicy health;
  const RetryRules rules{.max_consecutive_errors = 3, .retry = {}};
  EXPECT_EQ(health.on_error(error_of("22012"), false, rules, 0.5).remedy, Remedy::kRetry);
  EXPECT_EQ(health.on_error(error_of("22012"), false, rules, 0.5).remedy, Remedy::kRetry);
  health.on_applied();
  EXPECT_EQ(health.consecutive_errors(), 0);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(health.on_error(error_of("22012"), false, rules, 0.5).remedy, Remedy::kRetry);
  EXPECT_EQ(health.on_error(error_of("22012"), false, rules, 0.5).remedy, Remedy::kSuspend);
}

TEST(RetryPolicy, PrivilegeSuspendsAtOnce) {
  RetryPolicy health;
  const auto judgement = health.on_error(error_of("42501"), false, {}, 0.5);
  EXPECT_EQ(judgement.remedy, Remedy::kSuspend);
  EXPECT_TRUE(judgement.report);
}

TEST(RetryPolicy, WhatStoppedIsTriedAgainAfterPausesThatGrowToFiveMinutes) {
  for (const char* sqlstate : {"42501", "22012", "42P01"}) {
    RetryPolicy health;
    milliseconds before{0};
    int stopped = 0;
    for (int i = 0; i < 20; ++i) {
      const auto judgement =
          health.on_error(error_of(sqlstate), false, {.max_consecutive_errors = 3, .retry = {}}, 1.0);
      if (judgement.remedy != Remedy::kSuspend && judgement.remedy != Remedy::kGiveUp) continue;
      EXPECT_GE(judgement.delay, before) << sqlstate;
      EXPECT_GE(judgement.delay, RetryPolicy::kPauseMin) << sqlstate;
      EXPECT_LE(judgement.delay, RetryPolicy::kPauseMax) << sqlstate;
      before = judgement.delay;
      ++stopped;
    }
    EXPECT_GE(stopped, 17) << sqlstate;
    EXPECT_EQ(before, RetryPolicy::kPauseMax) << sqlstate;
    health.reset(3);  // another daemon, or a resume
    EXPECT_LE(health.on_error(error_of("42501"), false, {}, 1.0).delay, RetryPolicy::kPauseMax);
  }
}

TEST(RetryPolicy, RebuildsAtMostThreeTimesInARow) {
  for (const char* sqlstate : {"XX001", "42P01", "42703", "42883"}) {
    RetryPolicy health;
    for (int i = 0; i < RetryPolicy::kMaxRebuilds; ++i) {
      EXPECT_EQ(health.on_error(error_of(sqlstate), false, {}, 0.5).remedy, Remedy::kRebuild);
      health.on_no_data();  // proves nothing
    }
    EXPECT_EQ(health.on_error(error_of(sqlstate), false, {}, 0.5).remedy, Remedy::kGiveUp);
    health.on_applied();
    EXPECT_EQ(health.on_error(error_of(sqlstate), false, {}, 0.5).remedy, Remedy::kRebuild);
  }
}

TEST(RetryPolicy, ReinitRequestsAreForgivenAfterAnyGoodRefresh) {
  RetryPolicy health;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(health.on_reinit().remedy, Remedy::kRebuild);
    health.on_no_data();
  }
  for (int i = 0; i < RetryPolicy::kMaxRebuilds; ++i) EXPECT_EQ(health.on_reinit().remedy, Remedy::kRebuild);
  EXPECT_EQ(health.on_reinit().remedy, Remedy::kGiveUp);
}

TEST(RetryPolicy, IndexRowsTooLargeAskForWideKeysOnce) {
  RetryPolicy health;
  EXPECT_EQ(health.on_error(error_of("54000"), false, {}, 0.5).remedy, Remedy::kRebuildWide);
  const auto again = health.on_error(error_of("54000"), true, {}, 0.5);
  EXPECT_EQ(again.remedy, Remedy::kRetry);
  EXPECT_TRUE(again.counted);
}

TEST(RetryPolicy, CancellationHasNoConsequence) {
  RetryPolicy health;
  const auto judgement = health.on_error(postgres::canceled_error("stop"), false, {}, 0.5);
  EXPECT_FALSE(judgement.counted || judgement.report);
}

TEST(CostModel, FixedRatioWithoutHistory) {
  const refresh::CostModel model;
  EXPECT_EQ(model.threshold(0), 1000);
  EXPECT_EQ(model.threshold(100), 1000);
  EXPECT_EQ(model.threshold(1000000), 500000);
}

TEST(CostModel, LearnsTheBreakEvenPoint) {
  refresh::CostModel model;
  for (int i = 0; i < 30; ++i) {
    model.differential(10000, 100);  // 0.01 ms per row
    if (i % 10 == 0) model.full(500);
  }
  EXPECT_NEAR(static_cast<double>(model.threshold(1000000)), 50000, 15000);
}

TEST(CostModel, ASmallDeltaNeverMeansARecompute) {
  refresh::CostModel model;
  model.full(0.001);
  for (int i = 0; i < 100; ++i) model.differential(200, 60000);
  EXPECT_EQ(model.threshold(5), refresh::CostModel::kMinThreshold);
}

TEST(CostModel, SmallDeltasTeachNothing) {
  refresh::CostModel model;
  model.full(100);
  model.differential(1, 50);  // overhead, not the price of a row
  EXPECT_EQ(model.threshold(1000000), 500000);
}

TEST(CostModel, RecoversFromOneBadMeasurement) {
  refresh::CostModel model;
  model.full(500);
  model.differential(100000, 100000000);  // a lock, a cold cache
  EXPECT_EQ(model.threshold(1000000), refresh::CostModel::kMinThreshold);
  int runs = 0;
  while (model.threshold(1000000) < 10000 && runs < 500) {
    model.full(500);  // only full runs from now on
    ++runs;
  }
  EXPECT_LT(runs, 300);
}

TEST(CostModel, WritesOnlyMaterialChanges) {
  using refresh::CostModel;
  EXPECT_TRUE(CostModel::worth_writing(std::nullopt, 1000));
  EXPECT_FALSE(CostModel::worth_writing(1000, 1000));
  EXPECT_FALSE(CostModel::worth_writing(1000, 1400));
  EXPECT_TRUE(CostModel::worth_writing(1000, 2000));
  EXPECT_TRUE(CostModel::worth_writing(2000, 1000));
}

}  // namespace
}  // namespace pgtrickle
