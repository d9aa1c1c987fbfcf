// What sqlsmith writes is stranger than what people write. Whatever the query: validating it ends, soon, with an
// answer; and what it calls DIFFERENTIAL can be built, refreshed, and equals its query, as the same does that is
// IMMEDIATE. Environment:
//   PGT_SEED               the first seed (default: fixed); "random": another one every time
//   PGT_SQLSMITH_QUERIES   how many queries (600), of each kind (generator.h) a third
//   PGT_SQLSMITH_REFRESHED how many of the ones that are DIFFERENTIAL are refreshed as well (40)
//   PGT_SQLSMITH_FAILURES  go on until so many have failed (10)
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "catalog/builder.h"
#include "sqlsmith/generator.h"
#include "support/oracle.h"

namespace pgt::sqlsmith {
namespace {

using test::Session;
using test::TestDatabase;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kDefaultSeed = 20240229;
constexpr std::size_t kChunk = 200;  // statements of one run of sqlsmith
constexpr auto kSlow = std::chrono::seconds(10);
constexpr auto kHang = std::chrono::seconds(90);
constexpr const char* kStatementTimeout = "5s";
constexpr long long kMaxRows = 20000;  // of a result that is compared

std::uint64_t number_of(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return otherwise;
  return std::string(text) == "random" ? std::random_device{}() % 1000000000 : std::stoull(text);
}

/// Prints the query that was at work when the program crashes or hangs.
class Guard {
 public:
  Guard() {
    for (const int signal : {SIGSEGV, SIGABRT, SIGFPE, SIGBUS, SIGILL}) std::signal(signal, &Guard::on_crash);
    // A stack overflow leaves no stack for the handler.
    static char stack[1 << 16];
    stack_t alternate{};
    alternate.ss_sp = stack;
    alternate.ss_size = sizeof stack;
    ::sigaltstack(&alternate, nullptr);
    struct sigaction action {};
    action.sa_handler = &Guard::on_crash;
    action.sa_flags = SA_ONSTACK;
    ::sigaction(SIGSEGV, &action, nullptr);
    watcher_ = std::thread([this] {
      std::unique_lock lock(mutex_);
      while (!done_.wait_for(lock, std::chrono::seconds(1), [this] { return finished_; })) {
        if (Clock::now() - began_ > kHang) {
          std::cerr << "hangs\n";
          std::abort();
        }
      }
    });
  }
  ~Guard() {
    {
      const std::lock_guard lock(mutex_);
      finished_ = true;
    }
    done_.notify_all();
    watcher_.join();
  }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  void begin(const std::string& query) {
    const std::lock_guard lock(mutex_);
    began_ = Clock::now();
    at_work_ = query.c_str();
  }

 private:
  static void on_crash(int signal) {
    const char* query = at_work_;
    if (query != nullptr) {
      (void)!::write(STDERR_FILENO, "\nat work:\n", 10);
      (void)!::write(STDERR_FILENO, query, std::strlen(query));
      (void)!::write(STDERR_FILENO, "\n", 1);
    }
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }

  static inline std::atomic<const char*> at_work_ = nullptr;
  std::mutex mutex_;
  std::condition_variable done_;
  bool finished_ = false;
  Clock::time_point began_ = Clock::now();
  std::thread watcher_;
};

class Hunt {
 public:
  Hunt() : session_(prepared(db_)) {}

  void run() {
    const auto seed = number_of("PGT_SEED", kDefaultSeed);
    const auto wanted = number_of("PGT_SQLSMITH_QUERIES", 600);
    std::cout << "seed " << seed << "\n";
    const std::array<Generator, 3> generators{Generator(Kind::kWild), Generator(Kind::kTrimmed),
                                              Generator(Kind::kTame)};
    for (std::uint64_t chunk = 0; total_ < wanted && !enough_failures(); ++chunk) {
      for (const auto& query : generators.at(chunk % 3).queries(seed + chunk, kChunk)) {
        if (total_ == wanted || enough_failures()) break;
        ++total_;
        one(query);
      }
    }
    report();
  }

  [[nodiscard]] std::size_t differential() const { return differential_; }
  [[nodiscard]] std::size_t refreshed() const { return refreshed_; }

 private:
  static std::string prepared(const TestDatabase& db) {
    Session session(db.dsn());
    create_tables(session);
    for (const char* setting : {"TimeZone = 'Europe/Berlin'", "jit = off", "client_min_messages = error"})
      session.exec("ALTER DATABASE " + db.name() + " SET " + setting);
    session.exec("ALTER DATABASE " + db.name() + " SET statement_timeout = '" + kStatementTimeout + "'");
    return db.dsn();
  }

  [[nodiscard]] bool enough_failures() const { return failures_ >= number_of("PGT_SQLSMITH_FAILURES", 10); }

  void fail(const std::string& what, const std::string& query) {
    ++failures_;
    ADD_FAILURE() << what << "\nquery:\n" << query;
  }

  /// Why a statement fails; empty if it does not.
  std::string error_of(const std::string& sql) {
    try {
      session_.exec(sql);
      return {};
    } catch (const pqxx::sql_error& error) {
      const std::string text = error.what();
      return text.substr(0, text.find('\n'));
    }
  }

  void one(const std::string& query) {
    guard_.begin(query);
    // Names of functions that sqlsmith misuses, types that do not fit: most of what the server refuses. And what it
    // does not plan, for a constant that cannot be computed, no mode could refresh.
    const bool valid = error_of("CREATE TEMP VIEW smith AS " + query + "\n; DROP VIEW smith").empty();
    const bool planned = valid && error_of("EXPLAIN " + query).empty();
    const auto begin = Clock::now();
    const auto result = pgtrickle::catalog::validate_query(db_.dsn(), query);
    const auto time = Clock::now() - begin;
    slowest_ = std::max(slowest_, time);
    if (time > kSlow) fail("validating takes too long", query);
    if (result.reason.rfind("internal error", 0) == 0) return fail(result.reason, query);
    if (!result.ok) {
      ++(valid ? rejected_[kind_of(result.reason)] : invalid_);
      if (planned && !is_ill_defined(result.reason)) fail("valid, but refused: " + result.reason, query);
      return;
    }
    if (!valid) return fail("the server refuses it, validation does not", query);
    if (result.effective_mode != "DIFFERENTIAL") {
      ++full_[kind_of(result.reason)];
      return;
    }
    ++differential_;
    if (refreshed_ < number_of("PGT_SQLSMITH_REFRESHED", 40)) keep_up(query);
  }

  static std::string kind_of(const std::string& reason) { return reason.substr(0, reason.find(':')).substr(0, 90); }

  /// The reasons for which a query that the server takes may be refused.
  static bool is_ill_defined(const std::string& reason) {
    return reason.rfind("TABLESAMPLE", 0) == 0 || reason.rfind("LIMIT / OFFSET without ORDER BY", 0) == 0;
  }

  /// The error of the query itself, which is nothing to blame pgtrickle for.
  bool raises(const std::string& query) {
    try {
      const auto rows = session_.value("SELECT count(q::text) FROM (" + query + "\n) q");
      if (std::stoll(rows) <= kMaxRows) return false;
      ++skipped_["its result is large"];
    } catch (const pqxx::sql_error& error) {
      const std::string text = error.what();
      ++skipped_[text.substr(0, text.find('\n')).substr(0, 90)];
    }
    return true;
  }

  bool immediate_equals(const std::string& when, const std::string& query) {
    const auto equal = test::equals_query(session_, "smith_now");
    if (!equal) fail("IMMEDIATE, " + when + ": " + equal.message(), query);
    return static_cast<bool>(equal);
  }

  /// The IMMEDIATE one within a transaction, and when what that did is undone.
  bool undone_in_time(const std::string& change, const std::string& query) {
    session_.exec("BEGIN; SAVEPOINT undo; " + change);
    if (raises(query)) {
      session_.exec("ROLLBACK");
      return false;
    }
    const bool within = immediate_equals("within the transaction", query);
    session_.exec("ROLLBACK TO undo");
    const bool undone = immediate_equals("after ROLLBACK TO SAVEPOINT", query);
    session_.exec("COMMIT");
    return within && undone;
  }

  void keep_up(const std::string& query) {
    if (raises(query)) return;
    std::string at = "building";
    try {
      build("smith", query, "DIFFERENTIAL");
      at = "building IMMEDIATE";
      build("smith_now", query, "IMMEDIATE");
      // Small tables would otherwise be recomputed at every refresh, and the delta program never run.
      session_.exec("UPDATE pgtrickle.pgt_frontiers SET full_threshold = NULL WHERE full_threshold IS NOT NULL");
      for (int i = 0; i < 3; ++i) {
        guard_.begin(query);
        if (i > 0) {
          at = "changing";
          const std::string change = changes(++step_);
          if (i == 1 && !undone_in_time(change, query)) break;
          session_.exec("BEGIN;\n" + change + ";\nCOMMIT");
          if (raises(query)) break;
          if (!immediate_equals("after " + std::to_string(i) + " changes", query)) break;
          at = "refreshing";
          db_.refresh("smith");
        }
        if (const auto equal = test::equals_query(session_, "smith"); !equal) {
          fail(std::string("after ") + std::to_string(i) + " refreshes: " + equal.message(), query);
          break;
        }
      }
      ++refreshed_;
    } catch (const pqxx::sql_error& error) {
      give_up(at, error.sqlstate(), error.what(), query);
    } catch (const Failed& failed) {
      give_up(at, failed.sqlstate, failed.message, query);
    }
    for (const char* name : {"smith", "smith_now"})
      error_of("SELECT pgtrickle.drop_stream_table('" + std::string(name) + "')");
    if (++dropped_ % 20 == 0) pgtrickle::catalog::collect_garbage(db_.dsn(), {});
  }

  struct Failed {
    std::string sqlstate;
    std::string message;
  };

  void build(const std::string& name, const std::string& query, const std::string& mode) {
    session_.exec("SELECT pgtrickle.create_stream_table('" + name + "', " + session_.quote(query) +
                  ", refresh_mode => '" + mode + "')");
    const auto result = db_.build(name);
    if (result.status != pgtrickle::catalog::BuildStatus::kActive) throw Failed{result.error.sqlstate, result.message};
  }

  void give_up(const std::string& at, const std::string& sqlstate, const std::string& message,
               const std::string& query) {
    error_of("ROLLBACK");
    if (sqlstate == "57014") {
      ++skipped_[at + " takes too long"];
    } else if (sqlstate.rfind("22", 0) == 0) {
      // SQL does not say which rows an expression is computed for: joins and conditions may come later.
      ++skipped_[at + " computes what the query does not need"];
    } else {
      fail(at + ": " + message, query);
    }
  }

  static void list(const std::map<std::string, std::size_t>& counts) {
    std::vector<std::pair<std::size_t, std::string>> sorted;
    for (const auto& [what, count] : counts) sorted.emplace_back(count, what);
    std::sort(sorted.rbegin(), sorted.rend());
    for (std::size_t i = 0; i < sorted.size() && i < 25; ++i)
      std::cout << "    " << sorted[i].first << "  " << sorted[i].second << "\n";
  }
  static std::size_t sum(const std::map<std::string, std::size_t>& counts) {
    std::size_t total = 0;
    for (const auto& [what, count] : counts) total += count;
    return total;
  }

  void report() const {
    std::cout << total_ << " queries: " << invalid_ << " invalid, " << sum(rejected_) << " rejected, " << sum(full_)
              << " FULL, " << differential_ << " DIFFERENTIAL, of which " << refreshed_ << " refreshed and "
              << sum(skipped_) << " skipped; slowest validation "
              << std::chrono::duration_cast<std::chrono::milliseconds>(slowest_).count() << " ms\n  rejected:\n";
    list(rejected_);
    std::cout << "  FULL:\n";
    list(full_);
    std::cout << "  skipped:\n";
    list(skipped_);
  }

  TestDatabase db_;
  Session session_;
  Guard guard_;
  std::size_t total_ = 0;
  std::size_t invalid_ = 0;
  std::size_t differential_ = 0;
  std::size_t refreshed_ = 0;
  std::size_t failures_ = 0;
  std::size_t dropped_ = 0;
  int step_ = 0;
  Clock::duration slowest_{};
  std::map<std::string, std::size_t> rejected_;
  std::map<std::string, std::size_t> full_;
  std::map<std::string, std::size_t> skipped_;
};

TEST(Sqlsmith, AnyQueryGetsAnAnswerAndDifferentialIsTrue) {
  if (!is_installed()) GTEST_SKIP() << "sqlsmith is not installed: deploy/install-deps.sh does that";
  Hunt hunt;
  hunt.run();
  EXPECT_GT(hunt.differential(), 0);  // otherwise the test proves nothing
}

}  // namespace
}  // namespace pgt::sqlsmith
