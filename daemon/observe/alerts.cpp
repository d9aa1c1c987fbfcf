#include "observe/alerts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>

#include "observe/iso_time.h"

namespace pgtrickle::observe {
namespace {

using nlohmann::ordered_json;
using enum AlertSeverity;

constexpr const char* kTable = "stream table";

constexpr std::array kAlerts{
    AlertInfo{AlertKind::kStale, "stale", kWarning, kTable, "fresh", "staleness_seconds, max_staleness_seconds, held",
              "It is staler than its max_staleness promises or, without one, than ten periods and a minute. `held` "
              "says what it waits for, if it does; otherwise look at "
              "pgtrickle.diagnose_errors() and at how long its refreshes take."},
    AlertInfo{AlertKind::kFresh, "fresh", kInfo, kTable, "", "staleness_seconds", "It is fresh enough again."},
    AlertInfo{AlertKind::kError, "error", kError, kTable, "recovered", "sqlstate, consecutive_errors, retryable, hint",
              "A refresh or a build failed, and not for a passing reason. Refreshes are tried again until the table is "
              "suspended; pgtrickle.diagnose_errors() says what to do."},
    AlertInfo{AlertKind::kSuspended, "suspended", kError, kTable, "recovered", "sqlstate, consecutive_errors, hint",
              "Too many errors in a row: it is not refreshed any more. Repair the cause, then call "
              "pgtrickle.resume_stream_table()."},
    AlertInfo{AlertKind::kRecovered, "recovered", kInfo, kTable, "", "", "A refresh succeeded again after an error."},
    AlertInfo{AlertKind::kReinitialised, "reinitialised", kInfo, kTable, "", "reason",
              "It was rebuilt and recomputed: it was altered, something that it needs was renamed or changed, or an "
              "error made it necessary, which has an alert of its own. Readers saw either the old or the new rows."},
    AlertInfo{AlertKind::kFuseBlown, "fuse_blown", kError, kTable, "fuse_reset", "pending_rows, limit",
              "More changes are pending than its fuse allows; none is applied. Look at what was written, then call "
              "pgtrickle.reset_fuse()."},
    AlertInfo{AlertKind::kFuseReset, "fuse_reset", kInfo, kTable, "", "action", "Its fuse was reset."},
    AlertInfo{AlertKind::kFallingBehind, "falling_behind", kWarning, kTable, "caught_up",
              "period_seconds, duration_seconds, backoff_factor",
              "Its refreshes take longer than its schedule allows, so that it is refreshed less often. Lengthen the "
              "schedule, or make its refreshes cheaper."},
    AlertInfo{AlertKind::kCaughtUp, "caught_up", kInfo, kTable, "", "period_seconds", "It keeps its schedule again."},
    AlertInfo{
        AlertKind::kSccDiverged, "scc_diverged", kError, "first stream table of the cycle", "recovered",
        "members, iterations",
        "A cycle of stream tables found no fixed point within scheduler.max_fixpoint_iterations; nothing of it was "
        "applied."},
    AlertInfo{AlertKind::kLogGrowing, "log_growing", kWarning, "source", "log_shrunk", "bytes, limit_bytes, consumers",
              "The change log of a source is larger than scheduler.log_alert_bytes: a stream table that reads it is "
              "paused, held, suspended or slow, or a transaction is open for long."},
    AlertInfo{AlertKind::kLogShrunk, "log_shrunk", kInfo, "source", "", "bytes", "The change log is below the limit."},
    AlertInfo{
        AlertKind::kLogReleased, "log_released", kWarning, kTable, "", "source, bytes, limit_bytes",
        "It held the change log of a source back that has grown beyond scheduler.log_max_bytes. The log is cleared, "
        "and the stream table will be rebuilt: at once, or when it goes on if it is paused, held or suspended."},
    AlertInfo{AlertKind::kGated, "gated", kInfo, "source", "ungated", "gated_by",
              "A source was gated: stream tables that read it wait."},
    AlertInfo{AlertKind::kUngated, "ungated", kInfo, "source", "", "", "The gate is open again."},
    AlertInfo{AlertKind::kWatermarkStuck, "watermark_stuck", kWarning, "watermark group", "watermark_moved",
              "source, watermark, lag_seconds, stuck_seconds",
              "The group is not aligned, and the watermark that it waits for has not moved for "
              "scheduler.watermark_stuck_after: a load has probably failed."},
    AlertInfo{AlertKind::kWatermarkMoved, "watermark_moved", kInfo, "watermark group", "", "source, watermark",
              "The watermark moved."},
    AlertInfo{AlertKind::kPaused, "paused", kInfo, "stream table, or empty: the whole database", "resumed",
              "paused_by, reason", "Somebody paused it: it is not refreshed."},
    AlertInfo{AlertKind::kResumed, "resumed", kInfo, "stream table, or empty: the whole database", "", "",
              "It is refreshed again."},
    AlertInfo{
        AlertKind::kLeaderSilent, "leader_silent", kError, "empty: the whole database", "leader_back", "",
        "Nothing is refreshed: the leader hangs or has lost its connection, and its session still holds the lock. "
        "Sent by daemons that stand by. End that daemon, or the session that the message names: then one of them "
        "takes over."},
    AlertInfo{AlertKind::kLeaderBack, "leader_back", kInfo, "empty: the whole database", "", "",
              "A daemon leads again."},
};

constexpr bool in_order_of_kinds() {
  for (std::size_t i = 0; i < kAlerts.size(); ++i) {
    if (static_cast<std::size_t>(kAlerts[i].kind) != i) return false;
  }
  return true;
}
static_assert(in_order_of_kinds());

constexpr bool lasts(const AlertInfo& info) {
  return *info.ended_by != '\0';
}

// By kind: the kinds that it ends, as bits. Raising what ends nothing is frequent, so that it must cost nothing.
constexpr auto kEnds = [] {
  std::array<std::uint32_t, kAlerts.size()> ends{};
  for (std::size_t ending = 0; ending < kAlerts.size(); ++ending) {
    for (std::size_t ended = 0; ended < kAlerts.size(); ++ended) {
      if (std::string_view(kAlerts[ended].ended_by) == kAlerts[ending].name) ends[ending] |= 1U << ended;
    }
  }
  return ends;
}();
static_assert(kAlerts.size() <= 32);

// The first bytes of a text: a character that does not fit entirely is left out.
std::string cut(const std::string& text, std::size_t limit) {
  constexpr std::string_view kEllipsis = "...";
  if (text.size() <= limit) return text;
  std::size_t end = limit - kEllipsis.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end).append(kEllipsis);
}

// JSON text that PostgreSQL takes as jsonb: no zero bytes.
std::string without_zero_bytes(std::string text) {
  std::replace(text.begin(), text.end(), '\0', ' ');
  return text;
}

ordered_json to_json(const AlertValue& value, std::size_t limit) {
  if (const auto* text = std::get_if<std::string>(&value)) return without_zero_bytes(cut(*text, limit));
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return *whole;
  if (const auto* number = std::get_if<double>(&value)) {
    return std::isfinite(*number) ? ordered_json(*number) : ordered_json(nullptr);
  }
  return std::get<bool>(value);
}

// Every text cut to `text_limit` bytes, and only the first `details` of the details.
std::string payload_of(const Alert& alert, std::int64_t suppressed, AlertTime at, std::size_t text_limit,
                       std::size_t details) {
  const auto text = [&](const std::string& value) { return without_zero_bytes(cut(value, text_limit)); };
  ordered_json out{{"version", 1},
                   {"kind", alert_info(alert.kind).name},
                   {"severity", to_string(alert.severity())},
                   {"database", text(alert.database)},
                   {"object", text(alert.object)},
                   {"message", text(alert.message)},
                   {"at", iso_time(at)},
                   {"suppressed", suppressed}};
  ordered_json& values = out["details"] = ordered_json::object();
  for (std::size_t i = 0; i < std::min(details, alert.details.size()); ++i) {
    values[text(alert.details[i].first)] = to_json(alert.details[i].second, text_limit);
  }
  if (details < alert.details.size()) out["truncated"] = true;
  return out.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

const char* to_string(AlertSeverity severity) {
  return severity == kInfo ? "info" : severity == kWarning ? "warning" : "error";
}

std::span<const AlertInfo> alert_register() {
  return kAlerts;
}

const AlertInfo& alert_info(AlertKind kind) {
  return kAlerts.at(static_cast<std::size_t>(kind));
}

std::string error_without_values(const std::string& sqlstate) {
  return "an error" + (sqlstate.empty() ? "" : " with SQLSTATE " + sqlstate) +
         "; pgtrickle.diagnose_errors() tells its owner more";
}

void hide_values(Alert& alert) {
  const bool is_error = alert.kind == AlertKind::kError || alert.kind == AlertKind::kSuspended;
  if (!is_error && alert.kind != AlertKind::kReinitialised) return;
  if (is_error) {
    std::string sqlstate;
    for (const auto& [key, value] : alert.details) {
      if (key == "sqlstate") sqlstate = std::get<std::string>(value);
    }
    alert.message = error_without_values(sqlstate);
  }
  std::erase_if(alert.details, [](const auto& detail) { return detail.first == "hint" || detail.first == "reason"; });
}

std::string alert_payload(const Alert& alert, std::int64_t suppressed, AlertTime at) {
  constexpr std::size_t kShortest = 32;  // of a text that is cut
  const std::size_t all = alert.details.size();
  const auto fits = [&](std::size_t text_limit, std::size_t details) {
    return payload_of(alert, suppressed, at, text_limit, details).size() <= kAlertPayloadMax;
  };
  // The largest number in [low, high] with which it fits; `low` is taken to fit.
  const auto largest = [](std::size_t low, std::size_t high, const auto& good) {
    while (low < high) {
      const std::size_t middle = high - (high - low) / 2;
      if (good(middle)) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  };
  if (fits(kAlertPayloadMax, all)) return payload_of(alert, suppressed, at, kAlertPayloadMax, all);
  const std::size_t details =
      fits(kShortest, all) ? all : largest(0, all, [&](std::size_t n) { return fits(kShortest, n); });
  const std::size_t limit =
      largest(kShortest, kAlertPayloadMax, [&](std::size_t length) { return fits(length, details); });
  return payload_of(alert, suppressed, at, limit, details);
}

std::string alert_line(const Alert& alert) {
  // Values in the quotes of JSON: one line, whatever they hold.
  const auto quoted = [](const std::string& text) {
    return ordered_json(text).dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  };
  std::string out = std::string("alert kind=") + alert_info(alert.kind).name +
                    " severity=" + to_string(alert.severity()) + " database=" + quoted(alert.database);
  if (!alert.object.empty()) out += " object=" + quoted(alert.object);
  out += " message=" + quoted(alert.message);
  for (const auto& [key, value] : alert.details) {
    const ordered_json json = to_json(value, std::string::npos);
    out += " " + key + "=" + json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  }
  return out;
}

std::optional<std::int64_t> AlertBook::raise(const Alert& alert, AlertTime now) {
  const AlertInfo& info = alert_info(alert.kind);
  if (kEnds.at(static_cast<std::size_t>(alert.kind)) != 0)
    return end(alert) ? std::optional<std::int64_t>(0) : std::nullopt;

  const auto too_early = [&](const Entry& entry) {
    // A clock that was set back must not silence anything.
    return now >= entry.sent && now - entry.sent < interval_;
  };
  if (!lasts(info)) {  // an event: forget the old ones
    std::erase_if(entries_, [&](const auto& item) {
      return !lasts(alert_info(item.first.first)) && item.second.suppressed == 0 && !too_early(item.second);
    });
  }
  const auto [place, is_new] = entries_.try_emplace(Key{alert.kind, alert.object});
  Entry& entry = place->second;
  if (is_new) {
    entry.state = {.alert = alert, .since = now, .last = now};
    entry.sent = now;
    return 0;
  }
  entry.state.alert = alert;
  entry.state.last = now;
  ++entry.state.times;
  if (too_early(entry)) {
    ++entry.suppressed;
    return std::nullopt;
  }
  entry.sent = now;
  return std::exchange(entry.suppressed, 0);
}

bool AlertBook::end(const Alert& counterpart) {
  if (entries_.empty()) return false;
  const std::uint32_t ends = kEnds.at(static_cast<std::size_t>(counterpart.kind));
  bool any = false;
  for (std::size_t kind = 0; kind < kAlerts.size(); ++kind) {
    if ((ends >> kind & 1U) == 0) continue;
    any = entries_.erase(Key{static_cast<AlertKind>(kind), counterpart.object}) > 0 || any;
  }
  return any;
}

void AlertBook::clear(AlertKind kind, const std::string& object) {
  entries_.erase(Key{kind, object});
}

bool AlertBook::is_active(AlertKind kind, const std::string& object) const {
  return lasts(alert_info(kind)) && entries_.contains(Key{kind, object});
}

void AlertBook::forget(const std::function<bool(const Alert&)>& gone) {
  std::erase_if(entries_, [&](const auto& item) { return gone(item.second.state.alert); });
}

std::vector<ActiveAlert> AlertBook::active() const {
  std::vector<ActiveAlert> out;
  for (const auto& [key, entry] : entries_) {
    if (lasts(alert_info(key.first))) out.push_back(entry.state);
  }
  return out;
}

std::string alerts_docs() {
  std::string out = R"(# Alerts

This file is generated: `pgtrickled --print-alerts-docs`.

An alert is sent three ways: `NOTIFY pgtrickle_alert` in the database that it concerns, a line in the daemon's log, and the
counter `pgtrickle_alerts_total` ([METRICS.md](METRICS.md)). What is going on at present: `GET /api/v1/alerts`.

    LISTEN pgtrickle_alert;

The payload is a JSON object of at most 7,900 bytes:

```json
{"version": 1, "kind": "fuse_blown", "severity": "error", "database": "shop", "object": "public.revenue",
 "message": "1200000 changes are pending, its fuse allows 50000", "at": "2026-05-01T12:00:00.123Z",
 "suppressed": 0, "details": {"pending_rows": 1200000, "limit": 50000}}
```

| key | meaning |
|---|---|
| `version` | 1; a change that would break readers makes it 2. New kinds and new keys are no such change |
| `kind` | one of those below |
| `severity` | `info`, `warning` or `error`; a property of the kind |
| `database` | the daemon's name for the database |
| `object` | what it is about, see below |
| `message` | for people |
| `at` | when the daemon noticed, in UTC |
| `suppressed` | how many of the same kind and object were not sent since the last one |
| `details` | values by the keys below, each of which may be missing |
| `truncated` | true if details had to be left out; texts that were cut end in `...` |

The same alert for the same object is sent at most once per `scheduler.alert_interval`
([CONFIGURATION.md](CONFIGURATION.md)). Once it has ended, the next one is sent at once. The alert that ends another one is
sent only if that one was.

| kind | severity | object | ended by | details | meaning |
|---|---|---|---|---|---|
)";
  for (const AlertInfo& info : kAlerts) {
    out += std::string("| `") + info.name + "` | " + to_string(info.severity) + " | " + info.object + " | " +
           (lasts(info) ? std::string("`") + info.ended_by + "`" : std::string()) + " | " + info.details + " | " +
           info.meaning + " |\n";
  }
  return out;
}

}  // namespace pgtrickle::observe
