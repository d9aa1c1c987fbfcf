// One connection to PostgreSQL for coroutines of one event loop thread, over non-blocking libpq.
//
// Every operation has a deadline and can be cancelled through asio cancellation slots. If a deadline passes or the
// coroutine is cancelled while the server works, the server is asked to cancel and the answer is awaited for a short
// grace time; then the connection is either clean (idle or in a failed transaction) or closed: look at usable().
// One operation at a time; only poke() may be called during one. Server and connection errors are values, programming
// errors are exceptions. DNS, TLS handshakes and cancel requests, which block inside libpq, run on `workers`.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "postgres/event.h"
#include "postgres/result.h"
#include "postgres/rows.h"

namespace pgtrickle::postgres {

/// A parameter in text format; nullopt is NULL.
using Parameter = std::optional<std::string>;

struct Statement {
  std::string sql;
  std::vector<Parameter> parameters = {};
  /// Not empty: prepared once per connection under this name. The same name must always mean the same sql.
  std::string name = {};
};

/// Why a pipeline failed: the first error that is not a consequence of another one.
[[nodiscard]] std::optional<Error> first_error(const std::vector<Result<Rows>>& results);

struct Notification {
  std::string channel;
  std::string payload;
  int pid = 0;
};

struct ConnectSettings {
  std::string conninfo;  // complete, see merge_conninfo()
  /// Settings (name, value) of the session. They go with the connection request; a pooler in between may refuse that,
  /// or take no notice, and then they are set afterwards.
  std::vector<std::pair<std::string, std::string>> session = {};
  std::shared_ptr<boost::asio::thread_pool> workers;
  std::chrono::milliseconds timeout{10000};
};

class Connection {
 public:
  static boost::asio::awaitable<Result<std::shared_ptr<Connection>>> connect(ConnectSettings settings);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  boost::asio::awaitable<Result<Rows>> query(Statement statement, Deadline deadline);

  /// Sends all statements and one Sync in a single round trip. One result per statement, in order: after the first
  /// error the rest is ErrorOrigin::kSkipped, and the connection is in a failed transaction if one was begun: see
  /// rollback(). Without BEGIN the statements are one implicit transaction. If the connection is lost, statements
  /// without an answer get that error, marked in_doubt if a COMMIT had been sent.
  boost::asio::awaitable<std::vector<Result<Rows>>> pipeline(std::vector<Statement> statements, Deadline deadline);

  /// Before the session runs the code of somebody else: takes away what the last one's may have left behind (settings,
  /// prepared statements, cursors, temporary objects, locks, LISTEN), so that it is as it was after connecting, but for
  /// cached plans. Outside of a transaction. False: that failed, and the connection is closed.
  boost::asio::awaitable<bool> start_over(Deadline deadline);

  /// Ends a transaction that is open or failed; closes the connection if that is not possible. No-op when idle.
  boost::asio::awaitable<void> rollback(std::chrono::milliseconds timeout = std::chrono::milliseconds(5000));

  /// The next notification; nullopt at the deadline, after poke(), or when the coroutine is cancelled. After LISTEN,
  /// notifications that arrive during other operations are kept for this call.
  boost::asio::awaitable<Result<std::optional<Notification>>> wait_notification(Deadline deadline);

  /// Ends the running or the next wait_notification() early.
  void poke();

  /// True if the connection is open, and no transaction is open on it. Notices when the server has hung up.
  [[nodiscard]] bool usable();
  [[nodiscard]] bool open() const;
  void close();

  [[nodiscard]] int backend_pid() const;
  [[nodiscard]] int server_version() const;  // 150004 is 15.4
  [[nodiscard]] Deadline created_at() const;
  /// A note of the caller's on whose code the session has run; nothing at first, and after start_over().
  [[nodiscard]] std::optional<std::int64_t> serves() const;
  void set_serves(std::int64_t whom);

 private:
  static boost::asio::awaitable<Result<std::shared_ptr<Connection>>> connect_once(ConnectSettings settings);
  struct Impl;
  explicit Connection(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace pgtrickle::postgres
