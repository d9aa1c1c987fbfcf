// Times that several parts of the scheduler share. What users can set is in config::Scheduler.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace pgtrickle::scheduler {

inline constexpr std::chrono::milliseconds kQueryTimeout{20000};  // of our own statements on the catalog
// What the server may take for COMMIT, and to answer, when its own refresh_timeout has ended nothing: as long again as
// refresh_timeout, within these. A short one is a promise to those who wait for the session.
inline constexpr std::chrono::milliseconds kAnswerMin{3000};
inline constexpr std::chrono::milliseconds kAnswerMax = kQueryTimeout;
inline constexpr std::chrono::milliseconds kFrontierUpdateInterval{10000};  // freshness of tables without changes
inline constexpr std::chrono::milliseconds kStatusDelay{
    1000};                                         // for the catalog to be loaded again after a change of ours
inline constexpr std::size_t kTablesAtOnce = 100;  // in one statement about many tables
// What is repeated although nothing happens takes at most this part of the time, however many tables there are.
inline constexpr int kIdleShare = 1000;
// Between two looks for changes of the catalog where triggers may not notify: so late does a rebuild begin at most.
inline constexpr std::chrono::milliseconds kChangesInterval{200};
inline constexpr int kLoadShare = 10;  // loading the catalog takes at most this part of the time while it changes
// Between two looks at the staleness of all tables: until the first of them can be too old.
inline constexpr std::chrono::milliseconds kWatchMin{1000};
inline constexpr std::chrono::milliseconds kWatchMax{10000};

/// What is to be sent in several statements, kTablesAtOnce in each.
template <class Id>
[[nodiscard]] std::vector<std::vector<Id>> in_batches(const std::vector<Id>& ids) {
  std::vector<std::vector<Id>> out;
  for (auto from = ids.begin(); from != ids.end();) {
    const auto size = std::min(ids.end() - from, static_cast<std::ptrdiff_t>(kTablesAtOnce));
    out.emplace_back(from, from + size);
    from += size;
  }
  return out;
}

}  // namespace pgtrickle::scheduler
