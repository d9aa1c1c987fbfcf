// Worker sessions of the builder: where a stream table gets its content. Code of its owner runs here and may leave
// things behind, some of which run when the transaction ends, as the role that logged in: it has nothing to lose. The
// only thing that is called is a function of the owner that the control session has made for this
// (pgtrickle_state.build_<id>).
#pragma once

#include <cstdint>
#include <memory>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "catalog/lock_attempts.h"
#include "model/stream_table.h"

namespace pgtrickle::catalog {

/// What build_<id> says.
struct Filled {
  std::string held;  // why it must not be filled now; empty: it is
  std::string started;
  std::int64_t inserted = 0;
  std::int64_t updated = 0;
  std::int64_t deleted = 0;
  std::int64_t rows = 0;
};

/// Makes function build_<id>, which belongs to `owner` and can be run by `grantees`. In the control session; the caller
/// has made sure that nobody else grants something meanwhile (MayCreate).
void make_work(pqxx::transaction_base& tx, TableId id, const std::string& owner,
               const std::vector<std::string>& grantees, const std::string& body);
void drop_work(pqxx::transaction_base& tx, TableId id);

/// The body for make_work: `first`, statements on the stream table that give up soon if others are in the way, then the
/// first refresh of the program.
std::string filling(TableId id, const std::string& relation, const std::vector<std::string>& first, bool differential);
/// The body for make_work: nothing but `statements`.
std::string altering(TableId id, const std::vector<std::string>& statements);

class Worker {
 public:
  explicit Worker(const std::string& conninfo);
  /// Plans of the functions that it has run stay in the session, and each command of others that changes the catalog
  /// makes it look at all of them.
  [[nodiscard]] bool is_worth_keeping() const { return connection_->is_open() && builds_ < kMostBuilds; }
  [[nodiscard]] bool is_usable() const { return connection_->is_open(); }

  /// Leaves nothing of what the owner's code may have left behind. Throws if that fails: then it must not be used
  /// again.
  void clear();

  /// Runs build_<id> in a transaction of its own. What the owner's code raises counts as an error of its stream table.
  Filled run(TableId id, const LockAttempts& locks, long long statement_timeout_ms);
  /// Refreshes it in a transaction of its own; returns the action.
  std::string refresh(TableId id, const LockAttempts& locks, long long statement_timeout_ms);

 private:
  static constexpr int kMostBuilds = 32;

  void enter(pqxx::transaction_base& tx, const LockAttempts& locks, long long statement_timeout_ms);

  std::unique_ptr<pqxx::connection> connection_;
  int builds_ = 0;
};

}  // namespace pgtrickle::catalog
