#include "model/agreements.h"

#include <algorithm>

namespace pgtrickle::agreements {
namespace {

constexpr std::size_t kWidth = 118;

std::string sql(milliseconds duration) {
  if (duration.count() % 1000 != 0) return "interval '" + std::to_string(duration.count()) + " ms'";
  return "interval '" + std::to_string(duration.count() / 1000) + " s'";
}

std::string sql(std::int64_t number) {
  return std::to_string(number);
}

std::string sql(std::string_view text) {
  return "'" + std::string(text) + "'::text";  // none of them has a quote
}

/// A sentence as lines of comment.
std::string comment(const std::string& text) {
  std::string out, line = "--";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (line.size() + 1 + end - at > kWidth) {
      out += line + "\n";
      line = "--";
    }
    line += " " + text.substr(at, end - at);
    at = end + 1;
  }
  return out + line + "\n";
}

}  // namespace

const std::vector<Agreement>& agreement_register() {
  static const std::vector<Agreement> kRegister{
      {"_heartbeat_expiry", "interval", sql(kHeartbeatExpiry),
       "A daemon whose last heartbeat is older than this is taken for dead."},
      {"_daemon_locks", "int", sql(kDaemonLocks),
       "Advisory locks, first number of the key: those of the daemon itself."},
      {"_listening_lock", "int", sql(kListeningLock),
       "Second number: held by the leader while it listens. A trigger on the catalog that finds it taken notifies."},
      {"_source_locks", "int", sql(kSourceLocks),
       "First number of the key: sources that sleep. A writer that finds the lock of its source taken wakes the daemon."},
      {"_source_lock_keys", "bigint", sql(kSourceLockKeys),
       "Second number, of sources: the source's id modulo this, because the ids are larger numbers than keys can be."},
      {"_wake_channel", "text", sql(kWakeChannel), "The channel of the notifications that wake the daemon."},
      {"_source_written", "text", sql(kSourceWritten),
       "What the payload begins with if rows were written to a source that sleeps; its id follows."},
      {"_table_changed", "text", sql(kTableChanged),
       "What it begins with if a stream table was made, changed or dropped; its id follows."},
      {"_anything_changed", "text", sql(kAnythingChanged), "The payload that says that anything may have happened."},
      {"_default_schedule", "interval", sql(kDefaultSchedule),
       "How often a stream table is refreshed that nobody said it about, unless the daemon's configuration says it."},
      {"_throttle_share", "int", sql(kThrottleShare),
       "Recomputing a stream table without a schedule takes at most one of so many parts of the time."},
      {"_fixpoint_rounds", "int", sql(kFixpointRounds),
       "A cycle without a fixed point after so many rounds is in error, unless the daemon's configuration or the "
       "caller says another number."},
      {"_facts_interval", "interval", sql(kFactsInterval),
       "So often the daemon compares the facts of programs where no event triggers watch them."},
      {"_facts_share", "int", sql(kFactsShare), "It takes at most one of so many parts of the time."},
      {"_stale_at_least", "interval", sql(kStaleAtLeast),
       "A stream table that promises nothing is never called stale before it is so old, however short its schedule is."},
      {"_large_log_bytes", "bigint", sql(kLargeLogBytes),
       "A change log that is larger than this is worth a warning; the daemon's configuration may say another size."},
      {"_changed_bits", "int", sql(kChangedBits),
       "Programs are told which sources have changed as bits of a number: source i has bit i modulo this."},
      {"_kept_characters", "int", sql(kKeptCharacters),
       "So much is kept in the catalog of a message or a reason, and so much is read of one."},
  };
  return kRegister;
}

std::string agreements_sql() {
  std::string out =
      "-- What SQL and the daemon state both: numbers, keys of locks, names of channels.\n"
      "-- This file is generated from daemon/model/agreements.cpp: pgtrickled --print-agreements > "
      "sql/05_agreements.sql\n";
  for (const Agreement& row : agreement_register()) {
    out += "\n" + comment(row.meaning) + "CREATE FUNCTION pgtrickle." + row.name + "() RETURNS " + row.type +
           "\nLANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT " + row.value +
           " $$;\nGRANT EXECUTE ON FUNCTION pgtrickle." + row.name + " TO PUBLIC;\n";
  }
  return out;
}

}  // namespace pgtrickle::agreements
