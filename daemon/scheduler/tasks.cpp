#include "scheduler/tasks.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <iterator>
#include <utility>
#include <vector>

#include "observe/log.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;

Tasks::Signal Tasks::spawn(asio::awaitable<void> task) {
  auto signal = std::make_shared<asio::cancellation_signal>();
  running_.push_back(signal);
  const auto place = std::prev(running_.end());
  auto ended = [self = shared_from_this(), signal, place](const std::exception_ptr& failure) {
    self->running_.erase(place);
    self->ended_.set();
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const boost::system::system_error& e) {
      if (e.code() != asio::error::operation_aborted) throw;
    } catch (const std::exception& e) {
      observe::log::critical("scheduler", "scheduler task failed database={} error={}", self->database_, e.what());
      throw;
    }
  };
  asio::co_spawn(executor_, std::move(task), asio::bind_cancellation_slot(signal->slot(), std::move(ended)));
  return signal;
}

void Tasks::cancel_all() {
  const std::vector<Signal> running(running_.begin(), running_.end());
  for (const auto& task : running) task->emit(asio::cancellation_type::terminal);
}

}  // namespace pgtrickle::scheduler
