// The coroutines of one database that run beside each other. The one who stops it waits for them and can cancel them. A
// task holds what it works on; what it holds is let go when it ends.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <list>
#include <memory>
#include <string>

#include "postgres/connection.h"

namespace pgtrickle::scheduler {

class Tasks : public std::enable_shared_from_this<Tasks> {
 public:
  using Signal = std::shared_ptr<boost::asio::cancellation_signal>;

  Tasks(const boost::asio::any_io_executor& executor, std::string database)
      : executor_(executor), database_(std::move(database)), ended_(executor) {}

  Signal spawn(boost::asio::awaitable<void> task);
  void cancel_all();
  [[nodiscard]] bool empty() const { return running_.empty(); }

  /// Something that is no task of these has ended.
  void other_ended() { ended_.set(); }
  /// Until something ends, or the deadline.
  boost::asio::awaitable<void> wait(postgres::Deadline deadline) { co_await ended_.wait(deadline); }

 private:
  boost::asio::any_io_executor executor_;
  std::string database_;
  postgres::Event ended_;
  std::list<Signal> running_;
};

}  // namespace pgtrickle::scheduler
