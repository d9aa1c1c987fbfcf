#include "config/settings.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <optional>

#include "config/units.h"

namespace pgtrickle::config {
namespace {

using std::chrono::hours;

std::string expected(const std::string& what, const std::string& got) {
  return "expected " + what + ", got '" + got + "'";
}

Setting<Config> duration(std::string key, Milliseconds min, Milliseconds max, std::string range, std::string help,
                         const std::function<Milliseconds&(Config&)>& member) {
  Setting<Config> s{std::move(key), "duration", std::move(range), std::move(help), {}, {}};
  s.show = [member](const Config& config) {
    Config copy = config;
    return format_duration(member(copy));
  };
  s.set = [member, min, max, text = s.range](Config& config, const std::string& value) -> std::string {
    const auto parsed = parse_duration(value);
    if (!parsed) return expected("a duration such as '250ms', '1s' or '1h30m'", value);
    if (*parsed < min || *parsed > max) return expected(text, value);
    member(config) = *parsed;
    return {};
  };
  return s;
}

template <class Owner, class Number>
Setting<Owner> integer(std::string key, Number min, Number max, std::string help,
                       const std::function<Number&(Owner&)>& member) {
  const std::string range = std::to_string(min) + " to " + std::to_string(max);
  Setting<Owner> s{std::move(key), "integer", range, std::move(help), {}, {}};
  s.show = [member](const Owner& owner) {
    Owner copy = owner;
    return std::to_string(member(copy));
  };
  s.set = [member, min, max, range](Owner& owner, const std::string& value) -> std::string {
    long long number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size()) {
      return expected("an integer from " + range, value);
    }
    if (number < static_cast<long long>(min) || number > static_cast<long long>(max)) {
      return expected("an integer from " + range, value);
    }
    member(owner) = static_cast<Number>(number);
    return {};
  };
  return s;
}

const std::vector<std::string>& log_levels() {
  static const std::vector<std::string> all{"trace", "debug", "info", "warn", "error", "critical", "off"};
  return all;
}

std::string listed(const std::vector<std::string>& values) {
  std::string list;
  for (const auto& value : values) list += (list.empty() ? "" : ", ") + value;
  return list;
}

bool is_one_of(const std::vector<std::string>& values, const std::string& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

Setting<Config> choice(std::string key, const std::vector<std::string>& values, std::string help,
                       const std::function<std::string&(Config&)>& member) {
  const std::string range = listed(values);
  Setting<Config> s{std::move(key), "choice", range, std::move(help), {}, {}};
  s.show = [member](const Config& config) {
    Config copy = config;
    return member(copy);
  };
  s.set = [member, values, range](Config& config, const std::string& value) -> std::string {
    if (!is_one_of(values, value)) return expected("one of " + range, value);
    member(config) = value;
    return {};
  };
  return s;
}

std::vector<std::string> parts_of(std::string_view list) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from < list.size();) {
    const std::size_t comma = std::min(list.find(',', from), list.size());
    parts.emplace_back(list.substr(from, comma - from));
    from = comma + 1;
  }
  return parts;
}

/// Reads "{build: debug, refresh: warn}", the braces being optional; answers what is wrong.
std::string read_log_levels(std::string_view text, std::map<std::string, std::string>& levels) {
  if (text.starts_with('{') && text.ends_with('}')) text = text.substr(1, text.size() - 2);
  std::map<std::string, std::string> read;
  for (const std::string& entry : parts_of(text)) {
    const auto colon = entry.find(':');
    const auto parts = words(std::string(entry).replace(std::min(colon, entry.size()), 1, " "));
    if (colon == std::string::npos || parts.size() != 2) return expected("topics with levels: {refresh: debug}", entry);
    if (!is_one_of(kLogTopics, parts[0])) return expected("a topic, one of " + listed(kLogTopics), parts[0]);
    if (!is_one_of(log_levels(), parts[1])) return expected("a level, one of " + listed(log_levels()), parts[1]);
    if (!read.emplace(parts[0], parts[1]).second) return "topic '" + parts[0] + "' is named twice";
  }
  levels = std::move(read);
  return {};
}

Setting<Config> topic_levels(std::string key, std::string help) {
  Setting<Config> s{std::move(key), "levels by topic", listed(kLogTopics), std::move(help), {}, {}};
  s.show = [](const Config& config) {
    std::string text;
    for (const auto& [topic, level] : config.log.levels)
      text.append(text.empty() ? "" : ", ").append(topic).append(": ").append(level);
    return "{" + text + "}";
  };
  s.set = [](Config& config, const std::string& value) { return read_log_levels(value, config.log.levels); };
  return s;
}

template <class Owner>
Setting<Owner> on_off(std::string key, std::string help, const std::function<bool&(Owner&)>& member) {
  Setting<Owner> s{std::move(key), "choice", "on, off (also true, false)", std::move(help), {}, {}};
  s.show = [member](const Owner& owner) {
    Owner copy = owner;
    return std::string(member(copy) ? "on" : "off");
  };
  s.set = [member](Owner& owner, const std::string& value) -> std::string {
    const bool on = value == "on" || value == "true";
    if (!on && value != "off" && value != "false") return expected("on or off", value);
    member(owner) = on;
    return {};
  };
  return s;
}

template <class Owner>
Setting<Owner> text(std::string key, std::string range, std::string help,
                    const std::function<std::string&(Owner&)>& member) {
  Setting<Owner> s{std::move(key), "text", std::move(range), std::move(help), {}, {}};
  s.show = [member](const Owner& owner) {
    Owner copy = owner;
    return member(copy);
  };
  s.set = [member](Owner& owner, const std::string& value) -> std::string {
    member(owner) = value;
    return {};
  };
  return s;
}

Setting<Config> address(std::string key, std::string help, const std::function<std::string&(Config&)>& member) {
  auto s = text<Config>(std::move(key), "an IP address", std::move(help), member);
  s.set = [member](Config& config, const std::string& value) -> std::string {
    in6_addr parsed;
    if (::inet_pton(AF_INET, value.c_str(), &parsed) != 1 && ::inet_pton(AF_INET6, value.c_str(), &parsed) != 1) {
      return expected("an IP address such as 127.0.0.1, 0.0.0.0 or ::", value);
    }
    member(config) = value;
    return {};
  };
  return s;
}

Setting<Config> retention() {
  Setting<Config> s{"scheduler.history_retention",
                    "duration",
                    "whole hours, 1h to 3650d",
                    "How long rows of pgtrickle.pgt_refresh_history are kept.",
                    {},
                    {}};
  s.show = [](const Config& config) { return format_duration(config.scheduler.history_retention); };
  s.set = [](Config& config, const std::string& value) -> std::string {
    const auto parsed = parse_duration(value);
    const auto whole = parsed ? std::chrono::duration_cast<hours>(*parsed) : hours(0);
    if (!parsed || whole != *parsed || whole < hours(1) || whole > hours(24 * 3650)) {
      return expected("whole hours from 1h to 3650d", value);
    }
    config.scheduler.history_retention = whole;
    return {};
  };
  return s;
}

// With `off`, 0 is allowed below `min`.
Setting<Config> size(std::string key, std::int64_t min, const std::string& off, std::string help,
                     const std::function<std::int64_t&(Config&)>& member) {
  constexpr std::int64_t kMax = 1LL << 40;
  const std::string range = (off.empty() ? "" : "0 (" + off + ") or ") + format_size(min) + " to 1024GB";
  Setting<Config> s{std::move(key), "size", range, std::move(help), {}, {}};
  s.show = [member](const Config& config) {
    Config copy = config;
    return format_size(member(copy));
  };
  s.set = [member, min, range, zero = !off.empty()](Config& config, const std::string& value) -> std::string {
    const auto parsed = parse_size(value);
    if (!parsed) return expected("a size such as '256kB' or '16MB'", value);
    if ((*parsed < min || *parsed > kMax) && !(zero && *parsed == 0)) return expected(range, value);
    member(config) = *parsed;
    return {};
  };
  return s;
}

constexpr Milliseconds kMs{1}, kMinute{60000}, kHour{3600000}, kDay{86400000};
using C = Config;

// What is refreshed together, how often, and by how many.
void add_scheduling(std::vector<Setting<Config>>& all) {
  all.push_back(integer<Config, int>("scheduler.tier_warm", 1, 1000,
                                     "Schedules of stream tables of the tier 'warm' are so many times as long.",
                                     [](C& c) -> int& { return c.scheduler.tier_warm; }));
  all.push_back(integer<Config, int>("scheduler.tier_cold", 1, 1000,
                                     "The same for the tier 'cold'. Tables of the tier 'frozen' are not refreshed.",
                                     [](C& c) -> int& { return c.scheduler.tier_cold; }));
  all.push_back(duration("scheduler.continuous_min_interval", kMs, kHour, "1ms to 1h",
                         "Shortest time between two refreshes of a stream table with the schedule 'continuous'.",
                         [](C& c) -> Milliseconds& { return c.scheduler.continuous_min_interval; }));
  all.push_back(on_off<Config>("scheduler.auto_backoff",
                               "Whether a schedule is lengthened while its refreshes take longer than it allows; it "
                               "recovers by itself.",
                               [](C& c) -> bool& { return c.scheduler.auto_backoff; }));
  all.push_back(
      integer<Config, int>("scheduler.max_fixpoint_iterations", 1, 100000,
                           "A cycle of stream tables that has no fixed point after so many rounds is in error.",
                           [](C& c) -> int& { return c.scheduler.max_fixpoint_iterations; }));
  all.push_back(integer<Config, int>("scheduler.unit_max_tables", 1, 10000,
                                     "Stream tables that read each other are refreshed in one transaction and one "
                                     "snapshot, up to so many; more are split by level.",
                                     [](C& c) -> int& { return c.scheduler.unit_max_tables; }));
  all.push_back(duration("scheduler.unit_max_cost", kMs, kHour, "1ms to 1h",
                         "The same limit in time: what such a transaction is expected to take.",
                         [](C& c) -> Milliseconds& { return c.scheduler.unit_max_cost; }));
  all.push_back(integer<Config, int>("scheduler.max_workers", 0, 10000,
                                     "Refreshes at once over all databases; 0 is the sum of their pool_size. How they "
                                     "are shared: databases.workers.",
                                     [](C& c) -> int& { return c.scheduler.max_workers; }));
  all.push_back(
      integer<Config, int>("scheduler.owner_max_places", 0, 10000,
                           "Refreshes at once, and builds at once, of one owner who is not trusted, over all "
                           "databases. 0 is one less than such owners may have together, in each "
                           "database and in all; at least one. Together they may have all places for "
                           "refreshes, or all but one where trusted owners have stream tables. Trusted owners "
                           "have no such limit.",
                           [](C& c) -> int& { return c.scheduler.owner_max_places; }));
  all.push_back(integer<Config, int>("scheduler.fuse_history", 2, 1000,
                                     "How many refreshes the limit of a fuse of the kind 'auto' is learned from.",
                                     [](C& c) -> int& { return c.scheduler.fuse_history; }));
}

void add_alerts(std::vector<Setting<Config>>& all) {
  all.push_back(duration("scheduler.alert_interval", 100 * kMs, kDay, "100ms to 1d",
                         "The same alert for the same object is sent at most so often; the next one says how many were "
                         "left out.",
                         [](C& c) -> Milliseconds& { return c.scheduler.alert_interval; }));
  all.push_back(size("scheduler.log_alert_bytes", 1 << 20, "never", "A change log that is larger is an alert.",
                     [](C& c) -> std::int64_t& { return c.scheduler.log_alert_bytes; }));
  all.push_back(
      size("scheduler.log_max_bytes", 1 << 20, "never",
           "A stream table that is paused, held, suspended or slow keeps the change logs of what it reads. When "
           "such a log is larger than this, it is marked to be rebuilt and holds the log no longer.",
           [](C& c) -> std::int64_t& { return c.scheduler.log_max_bytes; }));
  all.push_back(duration("scheduler.watermark_stuck_after", Milliseconds(0), 365 * kDay, "0 (never) to 365d",
                         "A watermark that its group waits for and that has not moved for so long is an alert.",
                         [](C& c) -> Milliseconds& { return c.scheduler.watermark_stuck_after; }));
  all.push_back(duration("scheduler.discovery_interval", 100 * kMs, kDay, "100ms to 1d",
                         "How often to look for databases with pgtrickle, see databases.discover.",
                         [](C& c) -> Milliseconds& { return c.scheduler.discovery_interval; }));
}

std::vector<Setting<Config>> make_settings() {
  std::vector<Setting<Config>> all;
  all.push_back(
      duration("scheduler.default_schedule", 10 * kMs, kDay, "10ms to 1d",
               "How often a stream table with the schedule 'calculated' is refreshed if no other stream table "
               "reads it.",
               [](C& c) -> Milliseconds& { return c.scheduler.default_schedule; }));
  all.push_back(
      duration("scheduler.catalog_poll_interval", 100 * kMs, kHour, "100ms to 1h",
               "How often to look for created, altered and dropped stream tables. The SQL functions wake the "
               "daemon at once; this is for what bypasses them, such as DROP TABLE. Less often if reading the "
               "catalog takes more than a thousandth of this.",
               [](C& c) -> Milliseconds& { return c.scheduler.catalog_poll_interval; }));
  all.push_back(duration("scheduler.housekeeping_interval", 100 * kMs, kHour, "100ms to 1h",
                         "How often change logs are rotated; less often where there is nothing to do.",
                         [](C& c) -> Milliseconds& { return c.scheduler.housekeeping_interval; }));
  all.push_back(duration("scheduler.refresh_timeout", Milliseconds(0), 7 * kDay, "0 (no limit) to 7d",
                         "statement_timeout of one refresh, and of a build. One owner of stream tables must not keep "
                         "places from others for longer.",
                         [](C& c) -> Milliseconds& { return c.scheduler.refresh_timeout; }));
  all.push_back(duration("scheduler.lock_timeout", 10 * kMs, 10 * kMinute, "10ms to 10m",
                         "The longest that one attempt to lock a table for a build makes others queue behind it. It "
                         "begins with 20ms; pauses are ten times as long.",
                         [](C& c) -> Milliseconds& { return c.scheduler.lock_timeout; }));
  all.push_back(duration("scheduler.retry_backoff_min", 10 * kMs, kHour, "10ms to 1h",
                         "Wait before the first retry after a passing error (serialization failure, deadlock, lock "
                         "timeout, lost connection); it doubles from try to try, with jitter.",
                         [](C& c) -> Milliseconds& { return c.scheduler.retry_backoff_min; }));
  all.push_back(duration("scheduler.retry_backoff_max", 10 * kMs, kDay, "10ms to 1d, not below retry_backoff_min",
                         "Longest wait between two retries.",
                         [](C& c) -> Milliseconds& { return c.scheduler.retry_backoff_max; }));
  all.push_back(duration("scheduler.leader_retry_interval", 100 * kMs, kHour, "100ms to 1h",
                         "How often a standby daemon asks whether it may take over.",
                         [](C& c) -> Milliseconds& { return c.scheduler.leader_retry_interval; }));
  all.push_back(integer<Config, int>("scheduler.max_consecutive_errors", 1, 1000,
                                     "After this many failed refreshes in a row a stream table is SUSPENDED.",
                                     [](C& c) -> int& { return c.scheduler.max_consecutive_errors; }));
  all.push_back(retention());
  all.push_back(size("scheduler.log_switch_bytes", 8192, "",
                     "A change log changes to its other table when the active one is larger than this and the other is "
                     "empty. Smaller: less to scan per refresh; larger: fewer short locks.",
                     [](C& c) -> std::int64_t& { return c.scheduler.log_switch_bytes; }));
  add_scheduling(all);
  add_alerts(all);
  all.push_back(integer<Config, int>(
      "compiler.max_nesting", 16, 1000,
      "A query with more levels of nesting (operators, calls, subqueries, joins, branches of a UNION) is rejected.",
      [](C& c) -> int& { return c.compiler.max_nesting; }));
  all.push_back(integer<Config, int>("compiler.max_nodes", 1, 1000,
                                     "A query that needs more nodes with state (aggregates, DISTINCT and the like "
                                     "below each other or side by side) is "
                                     "not maintained differentially: AUTO recomputes it.",
                                     [](C& c) -> int& { return c.compiler.max_nodes; }));
  all.push_back(integer<Config, int>(
      "compiler.max_grouping_branches", 1, 1000,
      "A query whose GROUPING SETS, ROLLUP and CUBE make more grouping sets is not maintained differentially: AUTO "
      "recomputes it.",
      [](C& c) -> int& { return c.compiler.max_grouping_branches; }));
  all.push_back(size("compiler.max_query_bytes", 1024, "",
                     "A query whose text is longer is rejected: compiling it would keep others waiting.",
                     [](C& c) -> std::int64_t& { return c.compiler.max_query_bytes; }));
  all.push_back(address("http.address",
                        "Address that /metrics, /health and the API listen on. They have no authentication: open "
                        "them to trusted networks only.",
                        [](C& c) -> std::string& { return c.http.address; }));
  all.push_back(integer<Config, std::uint16_t>("http.port", 0, 65535, "Port of the HTTP server; 0 switches it off.",
                                               [](C& c) -> std::uint16_t& { return c.http.port; }));
  all.push_back(on_off<Config>("http.details",
                               "Errors over HTTP and in alerts (NOTIFY pgtrickle_alert, which every role can listen "
                               "to) as PostgreSQL words them, "
                               "with the values of rows that they name. Off: their SQLSTATE. The log has them in full.",
                               [](C& c) -> bool& { return c.http.details; }));
  all.push_back(text<Config>("http.allowed_hosts", "names or addresses separated by commas; empty: any",
                             "What the Host header of a request may be, without the port. It keeps pages in a browser "
                             "on this host from reading the API under a name of their own (DNS rebinding).",
                             [](C& c) -> std::string& { return c.http.allowed_hosts; }));
  all.push_back(choice("log.level", log_levels(), "Least severe message that is logged.",
                       [](C& c) -> std::string& { return c.log.level; }));
  all.push_back(topic_levels("log.levels",
                             "The same for single topics, in place of log.level: {build: debug, discovery: warn}. "
                             "JSON lines name their topic; daemon is what has none of its own."));
  all.push_back(choice("log.format", {"text", "json"}, "text for people, json (one object per line) for collectors.",
                       [](C& c) -> std::string& { return c.log.format; }));
  all.push_back(duration("shutdown_timeout", 100 * kMs, kHour, "100ms to 1h",
                         "On SIGTERM running refreshes may end within half of this, then they are cancelled.",
                         [](C& c) -> Milliseconds& { return c.shutdown_timeout; }));
  return all;
}

std::vector<Setting<DatabaseEntry>> make_database_settings() {
  using D = DatabaseEntry;
  std::vector<Setting<DatabaseEntry>> all;
  all.push_back(text<D>(
      "dsn", "a libpq connection string or URI",
      "Where to connect to. What it leaves out comes from libpq's environment variables (PGHOST, PGUSER, ...), service "
      "file and password file; keep passwords there rather than here.",
      [](D& d) -> std::string& { return d.dsn; }));
  all.push_back(text<D>(
      "worker_dsn", "a libpq connection string or URI",
      "What is different for the sessions that run refreshes, such as user=pgtrickle_worker: the code of the owners of "
      "stream tables runs in them, so they log in as a role that has nothing to lose (docs/SECURITY.md). The password "
      "of "
      "dsn is not used for another user. Empty: one login for all, and only owners who are trusted are served.",
      [](D& d) -> std::string& { return d.worker_dsn; }));
  all.push_back(text<D>(
      "password_file", "a path",
      "A file that holds the password for dsn and nothing else: a secret of Kubernetes, a credential of systemd. Other "
      "than libpq's password file, its group may read it. It is read at the start and with SIGHUP.",
      [](D& d) -> std::string& { return d.password_file; }));
  all.push_back(text<D>("worker_password_file", "a path", "The same for worker_dsn.",
                        [](D& d) -> std::string& { return d.worker_password_file; }));
  all.push_back(text<D>("name", "unique; default: the dbname of the dsn", "Label in logs, metrics and the API.",
                        [](D& d) -> std::string& { return d.name; }));
  all.push_back(integer<D, int>("pool_size", 1, 64,
                                "Connections that run refreshes in parallel, besides one for control.",
                                [](D& d) -> int& { return d.pool_size; }));
  all.push_back(integer<D, int>("workers", 1, 64,
                                "Refreshes at once that this database is sure to get when databases compete for "
                                "scheduler.max_workers. While others are idle it may use pool_size. Not above "
                                "pool_size.",
                                [](D& d) -> int& { return d.workers; }));
  all.push_back(on_off<D>("discover",
                          "The entry stands for every database of this server that has pgtrickle, now and later. "
                          "The dsn names the one to ask; name becomes a prefix (name/dbname).",
                          [](D& d) -> bool& { return d.discover; }));
  return all;
}

}  // namespace

const std::vector<Setting<Config>>& settings() {
  static const std::vector<Setting<Config>> all = make_settings();
  return all;
}

const std::vector<Setting<DatabaseEntry>>& database_settings() {
  static const std::vector<Setting<DatabaseEntry>> all = make_database_settings();
  return all;
}

std::string section_help(const std::string& section) {
  static const std::map<std::string, std::string> help{
      {"databases",
       "The databases whose stream tables this daemon keeps fresh. Without any: one, from libpq's environment."},
      {"scheduler", "When things are done, and what happens when they fail."},
      {"compiler", "How large a query may be. Applies when a stream table is built the next time."},
      {"http", "Metrics, health and the read-only API over HTTP."},
      {"log", "Logs go to standard error."},
      {"", "The daemon as a whole."}};
  const auto found = help.find(section);
  return found == help.end() ? std::string() : found->second;
}

}  // namespace pgtrickle::config
