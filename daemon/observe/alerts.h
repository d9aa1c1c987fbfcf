// Alerts: what operators should hear of without asking. The register says which kinds there are and what they mean
// (docs/ALERTS.md is made from it); the book decides what is worth sending again; the payload is the text of
// NOTIFY pgtrickle_alert.
//
// A kind is a state that lasts (stale, suspended, ...) until it is ended by its counterpart (caught_up, recovered, ...)
// or by clear(), or an event that has no duration (reinitialised, ...). A lasting alert that is raised again, and an
// event, are sent at most once per interval and object; the next one says how many were left out. A counterpart is sent
// only if it ends something, and then always.
//
// One book per database. Pure: the time is passed in (wall clock: payloads show it). Threads: the event loop thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace pgtrickle::observe {

enum class AlertKind {
  kStale,
  kFresh,
  kError,
  kSuspended,
  kRecovered,
  kReinitialised,
  kFuseBlown,
  kFuseReset,
  kFallingBehind,
  kCaughtUp,
  kSccDiverged,
  kLogGrowing,
  kLogShrunk,
  kLogReleased,
  kGated,
  kUngated,
  kWatermarkStuck,
  kWatermarkMoved,
  kPaused,
  kResumed,
  kLeaderSilent,
  kLeaderBack,
};

enum class AlertSeverity { kInfo, kWarning, kError };
[[nodiscard]] const char* to_string(AlertSeverity severity);

struct AlertInfo {
  AlertKind kind;
  const char* name;
  AlertSeverity severity;
  const char* object;    // what Alert::object is
  const char* ended_by;  // the kind that ends it; empty: an event, or what ends another one
  const char* details;   // keys
  const char* meaning;   // and what to do
};

/// In the order of AlertKind.
[[nodiscard]] std::span<const AlertInfo> alert_register();
[[nodiscard]] const AlertInfo& alert_info(AlertKind kind);

/// docs/ALERTS.md
[[nodiscard]] std::string alerts_docs();

using AlertTime = std::chrono::system_clock::time_point;
using AlertValue = std::variant<std::string, std::int64_t, double, bool>;

struct Alert {
  AlertKind kind = AlertKind::kError;
  std::string database;
  std::string object;  // schema.name of a stream table or source, name of a group; empty: the database
  std::string message;
  std::vector<std::pair<std::string, AlertValue>> details = {};

  [[nodiscard]] AlertSeverity severity() const { return alert_info(kind).severity; }
};

/// One that lasts.
struct ActiveAlert {
  Alert alert;  // as raised last
  AlertTime since, last;
  std::int64_t times = 1;  // raised
};

/// Takes out what an error or a reason may quote: values of rows, texts of queries. Its SQLSTATE remains.
void hide_values(Alert& alert);
/// What is said instead of an error.
[[nodiscard]] std::string error_without_values(const std::string& sqlstate);

/// {"version":1,"kind":"stale","severity":"warning","database":"shop","object":"public.st","message":"...",
///  "at":"2026-05-01T12:00:00.123Z","suppressed":0,"details":{...}} in UTF-8, at most kAlertPayloadMax bytes: texts
///  that
/// are too long end in "...", and if that is not enough, "truncated":true stands for details that are left out.
[[nodiscard]] std::string alert_payload(const Alert& alert, std::int64_t suppressed, AlertTime at);
inline constexpr std::size_t kAlertPayloadMax = 7900;  // NOTIFY takes less than 8000

/// For logs: alert kind=stale severity=warning database=shop object=public.st message="..." key=value ...
[[nodiscard]] std::string alert_line(const Alert& alert);

class AlertBook {
 public:
  explicit AlertBook(std::chrono::milliseconds interval) : interval_(interval) {}
  void set_interval(std::chrono::milliseconds interval) { interval_ = interval; }

  /// Is the alert to be sent now? If so: how many of its kind and object were left out since the last one.
  [[nodiscard]] std::optional<std::int64_t> raise(const Alert& alert, AlertTime now);
  /// It is over, and nobody need hear of it. The next one is sent at once.
  void clear(AlertKind kind, const std::string& object);
  /// Nothing is active, and nothing was sent of late.
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] bool is_active(AlertKind kind, const std::string& object) const;
  /// Forgets everything about objects that are gone.
  void forget(const std::function<bool(const Alert&)>& gone);

  [[nodiscard]] std::vector<ActiveAlert> active() const;

 private:
  using Key = std::pair<AlertKind, std::string>;
  struct Entry {
    ActiveAlert state;
    AlertTime sent;
    std::int64_t suppressed = 0;
  };

  bool end(const Alert& counterpart);

  std::chrono::milliseconds interval_;
  std::map<Key, Entry> entries_;
};

}  // namespace pgtrickle::observe
