// What the parts of a database's scheduler ask of its two loops. The control session (control_session.h) loads the
// catalog; the dispatcher (dispatcher.h) starts refreshes. Each sleeps in a connection of its own and is poked there.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <set>
#include <utility>

#include "model/stream_table.h"
#include "postgres/connection.h"

namespace pgtrickle::scheduler {

class Signals {
 public:
  using TimePoint = postgres::Clock::time_point;

  explicit Signals(const boost::asio::any_io_executor& executor) : dispatch_(executor) {}

  // To the control session
  void wake_control();
  /// The catalog is to be loaded.
  void reload_soon();
  /// The same, at the end of what is under way: who asks is the control session itself.
  void reload_next() { reload_ = true; }
  void reload_by(TimePoint time) { reload_by_ = std::min(reload_by_, time); }
  /// These rows are to be loaded.
  void changed(TableId id) { changed_.insert(id); }
  void wake_control_if_asked();

  // To the dispatcher: it is to look again.
  void wake_dispatcher();

  // For the loops
  void set_control(const std::shared_ptr<postgres::Connection>& connection) { control_ = connection; }
  void set_listener(const std::shared_ptr<postgres::Connection>& connection) { listener_ = connection; }
  [[nodiscard]] bool is_controlled() const { return !control_.expired(); }
  [[nodiscard]] bool wants_reload() const { return reload_; }
  [[nodiscard]] TimePoint wanted_by() const { return reload_by_; }
  [[nodiscard]] bool has_changes() const { return !changed_.empty(); }
  void catalog_is_loaded();
  [[nodiscard]] std::set<TableId> take_changed() { return std::exchange(changed_, {}); }
  /// While there is no connection to sleep in.
  boost::asio::awaitable<void> wait_for_dispatch(postgres::Deadline deadline) { co_await dispatch_.wait(deadline); }

 private:
  std::weak_ptr<postgres::Connection> control_, listener_;
  postgres::Event dispatch_;
  bool reload_ = false;
  TimePoint reload_by_ = TimePoint::max();
  std::set<TableId> changed_;
};

}  // namespace pgtrickle::scheduler
