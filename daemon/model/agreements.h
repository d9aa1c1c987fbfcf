// What the daemon and SQL state both, so that it can be stated once: numbers, keys of locks, names of channels. C++
// uses the constants, SQL the functions of sql/05_agreements.sql, which are made from the register. A test finds stale
// output and a value that is written out again. What only one side knows stays there.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pgtrickle::agreements {

using std::chrono::milliseconds;

// Signs of life
inline constexpr milliseconds kHeartbeatExpiry{15000};

// Advisory locks, which writers must try. Two numbers are the key, the first says what kind it is.
inline constexpr std::int64_t kDaemonLocks = 1885828210;
inline constexpr std::int64_t kListeningLock = 1;
inline constexpr std::int64_t kSourceLocks = 1885828213;
inline constexpr std::int64_t kSourceLockKeys = 2147483647;

// Notifications that wake the daemon
inline constexpr std::string_view kWakeChannel = "pgtrickle_wake";
inline constexpr std::string_view kSourceWritten = "s:";
inline constexpr std::string_view kTableChanged = "t:";
inline constexpr std::string_view kAnythingChanged = "a";

// Scheduling
inline constexpr milliseconds kDefaultSchedule{1000};
inline constexpr std::int64_t kThrottleShare = 25;
inline constexpr std::int64_t kFixpointRounds = 100;
inline constexpr milliseconds kFactsInterval{5000};
inline constexpr std::int64_t kFactsShare = 100;

// What is unusual
inline constexpr milliseconds kStaleAtLeast{60000};
inline constexpr std::int64_t kLargeLogBytes = std::int64_t{1} << 30U;

// Programs and the catalog
inline constexpr std::int64_t kChangedBits = 62;
inline constexpr std::int64_t kKeptCharacters = 2000;

// What SQL does not state: the text of an option names it, see model/table_options.cpp.
inline constexpr int kFuseSensitivity = 6;

struct Agreement {
  std::string name;     // of the SQL function, without its schema
  std::string type;     // what it returns
  std::string value;    // as SQL
  std::string meaning;  // a sentence
};

[[nodiscard]] const std::vector<Agreement>& agreement_register();

/// sql/05_agreements.sql
[[nodiscard]] std::string agreements_sql();

}  // namespace pgtrickle::agreements
