#include "postgres/pool.h"

#include <algorithm>
#include <utility>

namespace pgtrickle::postgres {

namespace asio = boost::asio;

Pool::Lease::Lease(std::shared_ptr<Pool> pool, std::shared_ptr<Connection> connection)
    : pool_(std::move(pool)), connection_(std::move(connection)) {}

Pool::Lease& Pool::Lease::operator=(Lease&& other) noexcept {  // NOLINT(bugprone-exception-escape)
  if (this != &other) {
    give_back();
    pool_ = std::move(other.pool_);
    connection_ = std::move(other.connection_);
  }
  return *this;
}

// NOLINTNEXTLINE(bugprone-exception-escape)
Pool::Lease::~Lease() {
  give_back();
}

void Pool::Lease::give_back() {
  if (pool_ && connection_) pool_->give_back(std::move(connection_));
  pool_.reset();
}

Pool::Pool(const asio::any_io_executor& executor, PoolSettings settings)
    : executor_(executor), settings_(std::move(settings)) {}

std::shared_ptr<Connection> Pool::take_idle(const Preference& prefers) {
  auto place = std::prev(idle_.end());
  for (auto other = place; prefers && other != idle_.begin();) {
    --other;
    if (prefers(**other) > prefers(**place)) place = other;
  }
  auto connection = std::move(*place);
  idle_.erase(place);
  return connection;
}

bool Pool::would_rather_connect(const Preference& prefers) const {
  return prefers && open_ < settings_.size && Clock::now() >= next_attempt_ &&
         std::all_of(idle_.begin(), idle_.end(), [&](const auto& c) { return prefers(*c) == Liking::kUnsuitable; });
}

asio::awaitable<void> Pool::wait_for_liked(const Preference& prefers, Deadline until) {
  const auto self = shared_from_this();
  const auto liked = [&](const auto& connection) { return prefers(*connection) == Liking::kLiked; };
  while (!closed_ && open_ > 0 && std::none_of(idle_.begin(), idle_.end(), liked) && Clock::now() < until) {
    const auto event = std::make_shared<Event>(executor_);
    const auto place = patient_.insert(patient_.end(), event);
    co_await event->wait(until);
    patient_.erase(place);
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return;
  }
}

asio::awaitable<Result<Pool::Lease>> Pool::acquire(Deadline deadline, Preference prefers,
                                                   std::chrono::milliseconds patience) {
  const auto self = shared_from_this();
  if (prefers && patience.count() > 0) co_await wait_for_liked(prefers, std::min(deadline, Clock::now() + patience));
  Error last = timeout_error("all connections of the pool are in use");
  bool first_in_line = false;
  for (;;) {
    if (closed_) co_return canceled_error("the pool is closed");
    while ((waiters_.empty() || first_in_line) && !idle_.empty() && !would_rather_connect(prefers)) {
      auto connection = take_idle(prefers);
      if (connection->usable() && connection->created_at() + settings_.max_lifetime > Clock::now()) {
        if (!idle_.empty()) wake_one();  // one signal may stand for several connections that came back
        co_return Lease(self, std::move(connection));
      }
      lost_one_ = lost_one_ || !connection->open();
      --open_;
    }
    Deadline wake_at = deadline;
    if ((waiters_.empty() || first_in_line) && open_ < settings_.size) {
      if (Clock::now() >= next_attempt_) {
        ++open_;
        ConnectSettings connect = settings_.connect;
        auto connection = co_await Connection::connect(std::move(connect));
        if (connection && !closed_) {
          if (std::exchange(lost_one_, false) && settings_.on_reconnect) settings_.on_reconnect();
          failures_ = 0;
          co_return Lease(self, std::move(connection).value());
        }
        --open_;
        wake_one();
        if (closed_) continue;
        last = connection.error();
        if (last.origin == ErrorOrigin::kCanceled) co_return last;
        lost_one_ = true;
        ++failures_;
        next_attempt_ =
            Clock::now() + settings_.backoff.delay(failures_, settings_.random01 ? settings_.random01() : 0.5);
        if (!idle_.empty()) continue;  // better an unsuitable one than none
      }
      wake_at = std::min(wake_at, next_attempt_);
    }
    if (Clock::now() >= deadline) co_return last;
    const auto event = std::make_shared<Event>(executor_);
    const auto place =
        first_in_line ? waiters_.insert(waiters_.begin(), event) : waiters_.insert(waiters_.end(), event);
    first_in_line = co_await event->wait(wake_at);
    const bool front = !waiters_.empty() && place == waiters_.begin();
    waiters_.erase(place);
    first_in_line = first_in_line || front;
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
      wake_one();
      co_return canceled_error("while waiting for a connection");
    }
  }
}

void Pool::give_back(std::shared_ptr<Connection> connection) {
  if (!closed_ && connection->created_at() > oldest_allowed_ && connection->usable()) {
    idle_.push_back(std::move(connection));
  } else {
    lost_one_ = lost_one_ || (!closed_ && !connection->open());
    --open_;
  }
  wake_one();
}

void Pool::wake_one() {
  for (const auto& patient : patient_) patient->set();
  if (!waiters_.empty()) waiters_.front()->set();
}

void Pool::reconfigure(ConnectSettings connect) {
  settings_.connect = std::move(connect);
  oldest_allowed_ = Clock::now();
  open_ -= static_cast<int>(idle_.size());
  idle_.clear();
  wake_one();
}

void Pool::close() {
  closed_ = true;
  open_ -= static_cast<int>(idle_.size());
  idle_.clear();
  for (const auto& waiter : waiters_) waiter->set();
  for (const auto& patient : patient_) patient->set();
}

Pool::Stats Pool::stats() const {
  const int idle = static_cast<int>(idle_.size());
  return {.size = settings_.size,
          .idle = idle,
          .in_use = open_ - idle,
          .broken = failures_ > 0 ? settings_.size - open_ : 0};
}

}  // namespace pgtrickle::postgres
