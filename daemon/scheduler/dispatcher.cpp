#include "scheduler/dispatcher.h"

#include <algorithm>
#include <utility>

#include "scheduler/limits.h"

namespace pgtrickle::scheduler {

namespace asio = boost::asio;
using postgres::Clock;
using postgres::deadline_after;
using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kAcquireTimeout{60000};
constexpr milliseconds kPatience{10};  // for the session that has a table's plans
constexpr milliseconds kNoTimeoutButADay{24 * 3600 * 1000};
constexpr milliseconds kTimeToWarm{250};  // with a single connection the next unit would wait for it

/// The server enforces refresh_timeout per statement, but not at COMMIT, and only if it answers at all.
milliseconds timeout_of(const Unit& unit, milliseconds limit) {
  if (limit.count() <= 0) return kNoTimeoutButADay;
  return limit * static_cast<int>(unit.tables.size()) + std::clamp(limit, kAnswerMin, kAnswerMax);
}

std::vector<refresh::Outcome> all_failed(const Unit& unit, const postgres::Error& error) {
  std::vector<refresh::Outcome> out;
  for (const TableId id : unit.tables) {
    refresh::Outcome outcome;
    outcome.id = id;
    outcome.error = error;
    out.push_back(std::move(outcome));
  }
  return out;
}

}  // namespace

void Dispatcher::join_budget() {
  in_budget_ = true;
  const config::Database& database = context_->database;
  budget_ = context_->shared->budget->register_database(database.name, database.workers, database.pool_size,
                                                        [weak = weak_from_this()] {
                                                          if (const auto self = weak.lock()) self->start_ready();
                                                        });
}

void Dispatcher::leave_budget() {
  if (std::exchange(in_budget_, false)) context_->shared->budget->unregister(budget_);
}

void Dispatcher::start() {
  context_->tasks->spawn(loop(shared_from_this(), context_->term));
}

void Dispatcher::abandon() {
  if (in_budget_) context_->shared->budget->set_waiting(budget_, 0);
  for (const auto& waiting : ready_.drain()) drop(waiting.work);
}

asio::awaitable<void> Dispatcher::loop(std::shared_ptr<Dispatcher> self, std::uint64_t term) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const std::shared_ptr<Context> context = self->context_;
  const std::shared_ptr<Listener> listener = self->parts_.listener;
  const auto leads = [&] { return context->leads_in(term); };
  while (leads()) {
    co_await listener->open();
    if (!leads()) break;
    if (!context->halted()) {
      co_await listener->arm_sources();
      if (!leads()) break;
    }
    co_await listener->unlock_spared();
    if (!leads()) break;
    if (!context->halted()) self->enqueue_due();
    self->start_ready();
    self->start_warming();
    co_await listener->listen_until(context->halted() ? TimePoint::max() : self->registry_->planner().next_due());
  }
}

// The queue -----------------------------------------------------------------------------------------------------------

void Dispatcher::enqueue_due() {
  const planner::Now begun = now();
  const auto batch = std::make_shared<Batch>();
  batch->units = registry_->planner().take_due(begun);
  if (batch->units.empty()) return;
  int due = 0;
  for (const Unit& unit : batch->units) {
    due += static_cast<int>(unit.tables.size());
    batch->waiting_for.push_back(unit.after.size());
  }
  for (std::size_t i = 0; i < batch->units.size(); ++i) {
    if (batch->waiting_for[i] == 0) ready_.push(batch->units[i], {.batch = batch, .index = i});
  }
  const auto took = std::chrono::duration_cast<microseconds>(Clock::now() - begun.steady);
  context_->observer().on_tick(context_->name(), took, due);
}

void Dispatcher::start_ready() {
  if (!in_budget_) return;
  const int most = context_->database.pool_size;
  WorkerBudget& budget = *context_->shared->budget;
  budget.set_reserved(budget_, registry_->has_trusted());
  const auto places = [&](Domain owner) -> std::optional<int> {
    if (!budget.owner_may_take(budget_, owner)) return std::nullopt;
    return budget.in_use_of(owner);
  };
  const auto take = [&](Domain owner) { return budget.try_take(budget_, owner); };
  while (context_->leading() && running_ < most) {
    const auto next = ready_.pop_if(Clock::now(), places, take);
    if (!next) break;
    ++running_;
    context_->tasks->spawn(run(shared_from_this(), next->work));
  }
  const bool more = context_->leading() && running_ < most;
  budget.set_waiting(budget_, more ? ready_.count_by_domain() : std::map<Domain, int>());
}

void Dispatcher::ended(const Work& work) {
  Batch& batch = *work.batch;
  for (std::size_t i = work.index + 1; i < batch.units.size(); ++i) {
    const auto& after = batch.units[i].after;
    if (std::find(after.begin(), after.end(), work.index) == after.end()) continue;
    if (--batch.waiting_for[i] > 0) continue;
    const Work next{.batch = work.batch, .index = i};
    if (context_->leading()) {
      ready_.push(next.unit(), next);
    } else {
      drop(next);
    }
  }
}

void Dispatcher::give_place_back(Domain owner) {
  --running_;
  context_->shared->budget->release(budget_, owner);
  start_ready();
  context_->signals.wake_dispatcher();
}

// A unit that does not run any more, and the ones that wait for it.
void Dispatcher::drop(const Work& work) {
  for (const TableId id : work.unit().tables) registry_->planner().released(id);
  ended(work);
}

// Units ---------------------------------------------------------------------------------------------------------------

asio::awaitable<void> Dispatcher::run(std::shared_ptr<Dispatcher> self, Work work) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const std::shared_ptr<Context> context = self->context_;
  const Unit& unit = work.unit();
  if (!context->leading()) {
    self->drop(work);
    self->give_place_back(unit.domain);
    co_return;
  }
  context->observer().on_lag(context->name(), std::chrono::duration_cast<microseconds>(Clock::now() - unit.due));
  const std::optional<Domain> domain = self->registry_->common_domain(unit.tables);
  if (!domain) {  // whom to trust has changed since this was planned: it is planned again
    context->signals.reload_soon();
    self->drop(work);
    self->give_place_back(unit.domain);
    co_return;
  }
  auto outcomes = co_await self->refresh(unit, *domain);
  co_await self->parts_.outcomes->record(std::move(outcomes));
  self->ended(work);
  self->give_place_back(unit.domain);
}

/// The steps of a unit whose transaction is about to begin.
std::vector<refresh::Step> Dispatcher::begin(const Unit& unit) {
  planner::RefreshPlanner& planner = registry_->planner();
  planner.begun(unit, Clock::now());
  std::vector<refresh::Step> steps;
  std::set<TableId> without_step(unit.tables.begin(), unit.tables.end());
  for (planner::UnitStep& step : planner::steps_of(unit, planner.dag())) {
    for (const TableId id : step.ids) without_step.erase(id);
    const Table* first = registry_->find(step.ids.front());
    const bool follows_time = !step.cycle && first != nullptr && first->row.follows_time;
    steps.push_back(
        {.ids = std::move(step.ids), .cycle = step.cycle, .together = step.together, .follows_time = follows_time});
  }
  for (const TableId id : without_step) planner.released(id);
  return steps;
}

// The caller holds the unit.
asio::awaitable<std::vector<refresh::Outcome>> Dispatcher::refresh(const Unit& unit, Domain domain) {
  std::vector<refresh::Outcome> outcomes;
  std::vector<postgres::Statement> abandoned;
  {
    // Making plans takes longer than what others do meanwhile, unless many wait.
    const milliseconds patience = ready_.empty() ? kPatience : milliseconds(0);
    auto lease = co_await parts_.workers->acquire(domain, unit.tables, deadline_after(kAcquireTimeout), patience);
    if (!lease) co_return all_failed(unit, lease.error());
    refresh::UnitSettings settings;
    settings.timeout = timeout_of(unit, context_->settings.refresh_timeout);
    settings.max_iterations = context_->settings.max_fixpoint_iterations;
    const int backend = (**lease).backend_pid();
    auto steps = begin(unit);
    outcomes = co_await refresh::refresh_unit(**lease, std::move(steps), settings);
    // It was closed because it did not answer to a cancel request, which a user's code can catch; or it was lost.
    if (!(**lease).open() && !context_->stopping) abandoned.push_back(sql::end_session(backend, settings.timeout / 2));
    parts_.warming->refreshed(lease->connection(), outcomes);
  }
  if (!abandoned.empty()) co_await sessions_->write(std::move(abandoned), "abandoned session not ended");
  co_return outcomes;
}

// Warming -------------------------------------------------------------------------------------------------------------

// One at a time, and only while nothing else is to be done.
void Dispatcher::start_warming() {
  if (!in_budget_ || !context_->leading() || context_->halted() || warming_) return;
  if (running_ > 0 || !ready_.empty() || parts_.builds->running() > 0) return;
  const bool single = context_->database.pool_size == 1;
  if (single && registry_->planner().next_due() < Clock::now() + kTimeToWarm) return;
  const auto id = parts_.warming->take_next();
  if (!id) return;
  const auto domain = registry_->common_domain({*id});
  if (!domain) return;
  WorkerBudget& budget = *context_->shared->budget;
  if (!budget.try_take(budget_, *domain)) {
    budget.set_waiting(budget_, 0);
    parts_.warming->want(*id);
    return;
  }
  warming_ = true;
  context_->tasks->spawn(warm(shared_from_this(), *id, *domain));
}

asio::awaitable<void> Dispatcher::warm(std::shared_ptr<Dispatcher> self, TableId id, Domain domain) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await self->parts_.warming->warm(id, domain);
  self->warming_ = false;
  self->context_->shared->budget->release(self->budget_, domain);
  self->start_ready();
  self->context_->signals.wake_dispatcher();
}

}  // namespace pgtrickle::scheduler
