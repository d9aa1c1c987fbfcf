// A pool of connections to one database for coroutines of one event loop thread. Connections are made on demand and
// kept; a broken one is replaced on the next use. While connecting fails, attempts are spaced by exponential backoff
// with jitter, and acquire() keeps waiting until its deadline. Waiters are served in the order of their arrival.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "postgres/backoff.h"
#include "postgres/connection.h"

namespace pgtrickle::postgres {

struct PoolSettings {
  ConnectSettings connect;
  int size = 4;
  Backoff backoff;
  std::chrono::milliseconds max_lifetime{std::chrono::hours(1)};  // bounds the memory of the backends' caches
  std::function<double()> random01;                               // jitter
  std::function<void()> on_reconnect;                             // a connection was made after one was lost
};

class Pool : public std::enable_shared_from_this<Pool> {
 public:
  struct Stats {
    int size = 0;
    int idle = 0;
    int in_use = 0;
    int broken = 0;  // cannot be connected at present
  };

  /// A connection on loan. On destruction it returns to the pool, if it is usable.
  class Lease {
   public:
    Lease(std::shared_ptr<Pool> pool, std::shared_ptr<Connection> connection);
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&& other) noexcept;  // NOLINT(bugprone-exception-escape): only out of memory, which ends us
    ~Lease();                                  // NOLINT(bugprone-exception-escape): the same
    Connection* operator->() const { return connection_.get(); }
    Connection& operator*() const { return *connection_; }
    [[nodiscard]] const std::shared_ptr<Connection>& connection() const { return connection_; }

   private:
    void give_back();
    std::shared_ptr<Pool> pool_;
    std::shared_ptr<Connection> connection_;
  };

  Pool(const boost::asio::any_io_executor& executor, PoolSettings settings);

  enum class Liking { kUnsuitable, kSuitable, kLiked };
  using Preference = std::function<Liking(const Connection&)>;

  /// The error is the last failure to connect, or a timeout if all connections were in use. Of the idle connections one
  /// that is liked comes first, waited for as long as `patience`, then a suitable one, then a new one, if there may be
  /// more; an unsuitable one last. Of equal ones (all, if there is no preference) the one that was used last.
  boost::asio::awaitable<Result<Lease>> acquire(Deadline deadline, Preference prefers = nullptr,
                                                std::chrono::milliseconds patience = std::chrono::milliseconds(0));

  /// Closes idle connections, and the others when they come back; acquire() fails from now on.
  void close();
  /// New connections are made with these settings; idle ones are closed, those in use end with their lease.
  void reconfigure(ConnectSettings connect);

  [[nodiscard]] Stats stats() const;

 private:
  void give_back(std::shared_ptr<Connection> connection);
  std::shared_ptr<Connection> take_idle(const Preference& prefers);
  [[nodiscard]] bool would_rather_connect(const Preference& prefers) const;
  boost::asio::awaitable<void> wait_for_liked(const Preference& prefers, Deadline until);
  void wake_one();

  boost::asio::any_io_executor executor_;
  PoolSettings settings_;
  std::vector<std::shared_ptr<Connection>> idle_;
  std::list<std::shared_ptr<Event>> waiters_;
  std::list<std::shared_ptr<Event>> patient_;  // hope for one that they prefer
  int open_ = 0;                               // idle, in use, or being connected
  int failures_ = 0;
  bool lost_one_ = false;
  bool closed_ = false;
  Deadline next_attempt_ = Deadline::min();
  Deadline oldest_allowed_ = Deadline::min();
};

}  // namespace pgtrickle::postgres
