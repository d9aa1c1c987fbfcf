// Time-limited waiting on one event loop thread: deadlines, and a wake-up signal that coroutines can wait for.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

namespace pgtrickle::postgres {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

/// 0 means no limit.
[[nodiscard]] inline Deadline deadline_after(std::chrono::milliseconds timeout) {
  return timeout.count() <= 0 ? Deadline::max() : Clock::now() + timeout;
}

/// Returns at the deadline, or earlier if the coroutine is cancelled.
inline boost::asio::awaitable<void> sleep_until(Deadline deadline) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, deadline);
  co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
}

/// Remembers one signal until somebody waits for it. One waiter at a time; it must outlive the wait.
class Event {
 public:
  explicit Event(const boost::asio::any_io_executor& executor) : timer_(executor) {}

  void set() {
    set_ = true;
    timer_.cancel();
  }

  /// True if the event was set (and resets it), false at the deadline or when the coroutine is cancelled.
  boost::asio::awaitable<bool> wait(Deadline deadline) {
    if (!set_) {
      timer_.expires_at(deadline);
      co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
    const bool was_set = set_;
    set_ = false;
    co_return was_set;
  }

 private:
  boost::asio::steady_timer timer_;
  bool set_ = false;
};

}  // namespace pgtrickle::postgres
