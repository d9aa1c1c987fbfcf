#include "postgres/connection.h"

#include <libpq-fe.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <unordered_set>

#include "postgres/conninfo.h"

namespace pgtrickle::postgres {
namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kCancelGrace{3000};
// Prepared statements of one connection; beyond it, all are dropped once: a table that is gone leaves one behind.
constexpr std::size_t kMaxPrepared = 4096;

enum class Wake { kReady, kTimeout, kCanceled, kPoked };
enum class For { kRead, kWrite, kReadOrWrite };

std::string trimmed(const char* text) {
  std::string out = text != nullptr ? text : "";
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  return out;
}

/// A message of libpq about the connection as one line without secrets: it has several lines, with tabs.
std::string connection_message(const char* text) {
  std::string out;
  for (const char c : redact_text(trimmed(text))) {
    const bool space = c == '\n' || c == '\t' || c == ' ';
    if (!space) out += c;
    if (space && !out.empty() && out.back() != ' ') out += ' ';
  }
  return out;
}

Error server_error(const PGresult* result) {
  const auto field = [result](int code) { return trimmed(PQresultErrorField(result, code)); };
  Error error;
  error.sqlstate = field(PG_DIAG_SQLSTATE);
  error.message = field(PG_DIAG_MESSAGE_PRIMARY);
  error.detail = field(PG_DIAG_MESSAGE_DETAIL);
  error.hint = field(PG_DIAG_MESSAGE_HINT);
  error.context = field(PG_DIAG_CONTEXT);
  explain_search_path(error);
  error.place = place_in(trimmed(PQresultErrorMessage(result)));
  const std::string severity = field(PG_DIAG_SEVERITY_NONLOCALIZED);
  error.fatal = severity == "FATAL" || severity == "PANIC";
  // By the place in the server's source: its SQLSTATEs stand for many things, its messages can be in any language.
  error.of_publication = field(PG_DIAG_SOURCE_FUNCTION) == "CheckCmdReplicaIdentity";
  if (error.sqlstate.empty()) {  // libpq made this result itself
    error.origin = ErrorOrigin::kConnection;
    error.sqlstate = sqlstate_of(Condition::kConnectionFailure);
    error.message = connection_message(PQresultErrorMessage(result));
  }
  return error;
}

void forward_notice(void*, const char* message) {
  spdlog::debug("server notice: {}", trimmed(message));
}

/// A setting of no meaning: where it has arrived, so have the others.
constexpr const char* kArrived = "pgtrickle.session";

std::string as_options(const std::vector<std::pair<std::string, std::string>>& session) {
  std::string out = option(kArrived, "yes");
  for (const auto& [name, value] : session) out += " " + option(name, value);
  return out;
}

Statement set_session(const std::vector<std::pair<std::string, std::string>>& session) {
  Statement out;
  for (const auto& [name, value] : session) {
    out.sql += out.sql.empty() ? "SELECT " : ", ";
    out.sql += "pg_catalog.set_config($" + std::to_string(out.parameters.size() + 1) + ", $" +
               std::to_string(out.parameters.size() + 2) + ", false)";
    out.parameters.emplace_back(name);
    out.parameters.emplace_back(value);
  }
  return out;
}

bool is_commit(const std::string& sql) {
  return sql == "COMMIT" || sql.starts_with("COMMIT ");
}

/// Runs `work` on the workers. `work` shares the ownership of all that it touches: after a timeout or a cancellation
/// the caller goes on while it still runs.
asio::awaitable<Wake> run_blocking(std::shared_ptr<asio::thread_pool> workers, std::function<void()> work,
                                   Deadline deadline) {
  struct State {
    State(const asio::any_io_executor& executor, Deadline at) : timer(executor, at) {}
    asio::steady_timer timer;
    bool done = false;
  };
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const auto state = std::make_shared<State>(executor, deadline);
  asio::post(*workers, [executor, state, work = std::move(work)] {
    work();
    asio::post(executor, [state] {
      state->done = true;
      state->timer.cancel();
    });
  });
  const auto [status] = co_await state->timer.async_wait(kTuple);
  if (state->done) co_return Wake::kReady;
  co_return status == asio::error::operation_aborted ? Wake::kCanceled : Wake::kTimeout;
}

/// Cancellation reaches our waits as operation_aborted, but must not throw out of the middle of a protocol exchange.
class NoThrow {
 public:
  asio::awaitable<void> enter() {
    throws_ = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
  }
  asio::awaitable<void> leave() { co_await asio::this_coro::throw_if_cancelled(throws_); }

 private:
  bool throws_ = true;
};

asio::awaitable<bool> is_cancelled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

}  // namespace

std::optional<Error> first_error(const std::vector<Result<Rows>>& results) {
  for (const auto& result : results) {
    if (!result.ok() && result.error().origin != ErrorOrigin::kSkipped) return result.error();
  }
  return std::nullopt;
}

struct Connection::Impl : std::enable_shared_from_this<Connection::Impl> {
  Impl(const asio::any_io_executor& executor, std::shared_ptr<asio::thread_pool> pool)
      : workers(std::move(pool)), socket(executor), timer(executor) {}
  ~Impl() { release(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // The PGconn is shared with work on the workers; the last one closes it.
  std::shared_ptr<PGconn> connection;
  std::shared_ptr<asio::thread_pool> workers;
  Descriptor socket;  // libpq's file descriptor on loan: always released, never closed here
  asio::steady_timer timer;
  std::uint64_t wait_number = 0;
  bool timed_out = false;
  bool waiting_for_notification = false;
  bool poked = false;
  bool busy = false;
  std::deque<Notification> notifications;
  std::unordered_set<std::string> prepared;
  std::vector<std::pair<std::string, std::string>> session;  // settings as they were wanted at the beginning
  std::optional<std::int64_t> serves;
  Deadline created = Clock::now();

  PGconn* pg() const { return connection.get(); }

  void assign() {
    const int fd = PQsocket(pg());
    if (fd >= 0 && !socket.is_open()) socket.assign(fd);
  }

  void release() {
    if (socket.is_open()) socket.release();
  }

  void close() {
    release();
    connection.reset();
    prepared.clear();
  }

  // libpq closes the socket when it notices that the connection is lost: let go of it before the number is reused.
  bool alive() {
    if (!connection) return false;
    if (PQstatus(pg()) == CONNECTION_OK && PQsocket(pg()) >= 0) return true;
    release();
    return false;
  }

  asio::awaitable<Wake> wait(For what, Deadline deadline) {
    const auto self = shared_from_this();
    const std::uint64_t number = ++wait_number;
    timed_out = false;
    if (deadline != Deadline::max()) {
      timer.expires_at(deadline);
      timer.async_wait([weak = weak_from_this(), number](const boost::system::error_code& status) {
        const auto alive_self = weak.lock();
        if (status || !alive_self || alive_self->wait_number != number) return;
        alive_self->timed_out = true;
        if (alive_self->socket.is_open()) alive_self->socket.cancel();
      });
    }
    boost::system::error_code status;
    if (what != For::kReadOrWrite) {
      const auto type = what == For::kRead ? Descriptor::wait_read : Descriptor::wait_write;
      std::tie(status) = co_await socket.async_wait(type, kTuple);
    } else {
      // The server may be unable to read from us until we read from it, so never wait for writing alone.
      const auto [order, read_status, write_status] =
          co_await asio::experimental::make_parallel_group(socket.async_wait(Descriptor::wait_read, asio::deferred),
                                                           socket.async_wait(Descriptor::wait_write, asio::deferred))
              .async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
      status = order[0] == 0 ? read_status : write_status;
    }
    ++wait_number;
    timer.cancel();
    if (status != asio::error::operation_aborted) co_return Wake::kReady;  // libpq will see what is wrong, if anything
    if (timed_out) co_return Wake::kTimeout;
    if (poked && waiting_for_notification) co_return Wake::kPoked;
    co_return Wake::kCanceled;
  }

  void collect_notifications() {
    while (PGnotify* raw = PQnotifies(pg())) {
      notifications.push_back({.channel = raw->relname, .payload = raw->extra, .pid = raw->be_pid});
      PQfreemem(raw);
    }
  }

  /// Reads what has arrived. False if the connection is lost.
  bool consume() {
    const bool ok = PQconsumeInput(pg()) == 1;
    if (ok) collect_notifications();
    return alive() && ok;
  }

  asio::awaitable<bool> send_cancel(Deadline deadline) {
    std::shared_ptr<PGcancel> cancel(PQgetCancel(pg()), &PQfreeCancel);
    if (!cancel) co_return false;
    const auto sent = std::make_shared<std::atomic<bool>>(false);
    std::function<void()> work = [cancel, sent] {
      std::array<char, 256> message{};
      sent->store(PQcancel(cancel.get(), message.data(), static_cast<int>(message.size())) == 1);
    };
    const Wake wake = co_await run_blocking(workers, std::move(work), deadline);
    co_return wake == Wake::kReady && sent->load();
  }

  /// How a running exchange is limited; after an interruption it has a last deadline to become clean.
  struct Limit {
    Deadline deadline;
    std::optional<Wake> interrupted = std::nullopt;
  };

  /// Waits until PQgetResult will not block. False: the connection is gone or was given up.
  asio::awaitable<bool> until_result(Limit& limit) {
    for (;;) {
      const int unsent = PQflush(pg());  // an error shows up in consume()
      if (!alive()) co_return false;
      if (PQisBusy(pg()) == 0) co_return true;
      const Wake wake = co_await wait(unsent == 1 ? For::kReadOrWrite : For::kRead, limit.deadline);
      if (wake == Wake::kReady) {
        if (!consume()) co_return PQisBusy(pg()) == 0;  // a last message of the server may have arrived before the end
        continue;
      }
      if (limit.interrupted) co_return false;
      limit.interrupted = wake;
      limit.deadline = Clock::now() + kCancelGrace;
      if (!co_await send_cancel(limit.deadline)) co_return false;
    }
  }

  Error lost(const Limit& limit) const {
    if (limit.interrupted == Wake::kTimeout) return timeout_error("no answer of the server in time; connection closed");
    if (limit.interrupted) return canceled_error("connection closed");
    return connection_error(connection_message(connection ? PQerrorMessage(pg()) : "the connection is closed"));
  }

  Result<Rows> read(std::shared_ptr<PGresult> result, const Limit& limit) const {
    switch (PQresultStatus(result.get())) {
      case PGRES_COMMAND_OK:
      case PGRES_TUPLES_OK:
      case PGRES_EMPTY_QUERY:
        return Rows(std::move(result));
      case PGRES_PIPELINE_ABORTED: {
        Error error = result_error("not run, because an earlier statement failed");
        error.origin = ErrorOrigin::kSkipped;
        return error;
      }
      case PGRES_FATAL_ERROR:
      case PGRES_NONFATAL_ERROR: {
        Error error = server_error(result.get());
        if (limit.interrupted && error.is(Condition::kQueryCanceled)) {
          error.origin = limit.interrupted == Wake::kTimeout ? ErrorOrigin::kTimeout : ErrorOrigin::kCanceled;
        }
        return error;
      }
      default:
        return result_error(std::string("unexpected answer: ") + PQresStatus(PQresultStatus(result.get())));
    }
  }

  /// The answer to one command of a pipeline and the end mark after it. nullopt: the connection is gone.
  asio::awaitable<std::optional<Result<Rows>>> next_answer(Limit& limit) {
    std::optional<Result<Rows>> answer;
    for (;;) {
      if (!co_await until_result(limit)) co_return answer;
      std::shared_ptr<PGresult> result(PQgetResult(pg()), &PQclear);
      if (!alive()) {
        // A FATAL message (shutdown, terminated by an administrator) explains the loss better than libpq does.
        if (result && !answer && PQresultErrorField(result.get(), PG_DIAG_SQLSTATE) != nullptr)
          answer = read(result, limit);
        co_return answer;
      }
      if (!result) {
        if (answer) co_return answer;
        continue;  // the end mark of the previous command
      }
      const ExecStatusType status = PQresultStatus(result.get());
      if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
        close();
        co_return result_error("COPY is not supported here");
      }
      answer = read(std::move(result), limit);
    }
  }

  bool send(const Statement& statement, bool& needs_prepare) {
    std::vector<const char*> values;
    values.reserve(statement.parameters.size());
    for (const Parameter& parameter : statement.parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
    const int count = static_cast<int>(values.size());
    needs_prepare = !statement.name.empty() && !prepared.contains(statement.name);
    if (statement.name.empty()) {
      return PQsendQueryParams(pg(), statement.sql.c_str(), count, nullptr, values.data(), nullptr, nullptr, 0) == 1;
    }
    if (needs_prepare && PQsendPrepare(pg(), statement.name.c_str(), statement.sql.c_str(), 0, nullptr) != 1)
      return false;
    return PQsendQueryPrepared(pg(), statement.name.c_str(), count, values.data(), nullptr, nullptr, 0) == 1;
  }

  asio::awaitable<std::vector<Result<Rows>>> exchange(std::vector<Statement> statements, Deadline deadline) {
    const auto self = shared_from_this();
    std::vector<Result<Rows>> results;
    results.reserve(statements.size());
    Limit limit{.deadline = deadline};
    bool commit_unanswered = false;
    const auto fail_rest = [&](Error error) {
      while (results.size() < statements.size()) {
        error.in_doubt = commit_unanswered;
        results.emplace_back(error);
      }
    };
    if (!alive()) {
      fail_rest(connection_error("the connection is closed"));
      co_return results;
    }
    if (prepared.size() > kMaxPrepared) {
      prepared.clear();
      std::vector<Statement> deallocate(1);
      deallocate.front().sql = "DEALLOCATE ALL";
      const auto dropped = co_await exchange(std::move(deallocate), deadline);
      if (!dropped.front()) {
        fail_rest(dropped.front().error());
        close();
        co_return results;
      }
    }

    // Statements that share a name within one pipeline are prepared by the first of them.
    std::vector<bool> prepares;
    prepares.reserve(statements.size());
    bool sent = PQenterPipelineMode(pg()) == 1;
    for (const Statement& statement : statements) {
      bool needs_prepare = false;
      sent = sent && send(statement, needs_prepare);
      prepares.push_back(needs_prepare);
      if (needs_prepare) prepared.insert(statement.name);
      commit_unanswered = commit_unanswered || (sent && is_commit(statement.sql));
    }
    sent = sent && PQpipelineSync(pg()) == 1;
    if (!sent) {
      const Error error = lost(limit);
      close();
      commit_unanswered = false;  // without the Sync the server has not been asked to finish; it will roll back
      fail_rest(error);
      co_return results;
    }

    for (std::size_t i = 0; i < statements.size(); ++i) {
      std::optional<Result<Rows>> preparation;
      if (prepares[i]) {
        preparation = co_await next_answer(limit);
        if (preparation && !preparation->ok()) prepared.erase(statements[i].name);
      }
      std::optional<Result<Rows>> answer;
      if (!prepares[i] || (preparation && alive())) answer = co_await next_answer(limit);
      if (preparation && !preparation->ok() && preparation->error().origin != ErrorOrigin::kSkipped)
        answer = preparation;
      if (!answer) {
        fail_rest(lost(limit));
        close();
        break;
      }
      if (answer->ok() && is_commit(statements[i].sql)) commit_unanswered = false;
      if (!answer->ok() && !statements[i].name.empty() && answer->error().is(Condition::kInvalidSqlStatementName)) {
        prepared.erase(statements[i].name);
      }
      if (!answer->ok() && (answer->error().fatal || !alive())) {
        fail_rest(answer->error());
        close();
        break;
      }
      if (!answer->ok()) commit_unanswered = false;  // the transaction failed: its COMMIT can only roll back
      results.push_back(std::move(*answer));
    }
    if (connection && !co_await finish_pipeline(limit)) close();
    co_return results;
  }

  /// Reads up to the answer of the Sync and leaves pipeline mode.
  asio::awaitable<bool> finish_pipeline(Limit& limit) {
    for (;;) {
      if (!co_await until_result(limit)) co_return false;
      const std::shared_ptr<PGresult> result(PQgetResult(pg()), &PQclear);
      if (!alive()) co_return false;
      if (result && PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC) co_return PQexitPipelineMode(pg()) == 1;
    }
  }

  asio::awaitable<std::vector<Result<Rows>>> guarded_exchange(std::vector<Statement> statements, Deadline deadline) {
    if (busy) throw std::logic_error("Connection: an operation is already running");
    if (statements.empty()) co_return std::vector<Result<Rows>>{};
    NoThrow no_throw;
    co_await no_throw.enter();
    std::vector<Result<Rows>> results;
    if (co_await is_cancelled()) {
      results.assign(statements.size(), canceled_error("before it was sent"));
    } else {
      busy = true;
      results = co_await exchange(std::move(statements), deadline);
      busy = false;
    }
    co_await no_throw.leave();
    co_return results;
  }
};

Connection::Connection(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::~Connection() {
  impl_->close();
}

asio::awaitable<Result<std::shared_ptr<Connection>>> Connection::connect(ConnectSettings settings) {
  const auto session = settings.session;
  if (session.empty()) co_return co_await connect_once(std::move(settings));
  const Deadline deadline = deadline_after(settings.timeout);
  ConnectSettings with_options = settings;
  auto conninfo = merge_conninfo(settings.conninfo, {{"options", as_options(session)}});
  if (!conninfo) co_return conninfo.error();
  with_options.conninfo = std::move(*conninfo);
  auto connection = co_await connect_once(std::move(with_options));
  // In the words of PgBouncer, which knows no other language.
  if (!connection && connection.error().message.find("unsupported startup parameter") != std::string::npos)
    connection = co_await connect_once(std::move(settings));
  if (!connection) co_return connection;
  (*connection)->impl_->session = session;
  Statement arrived;
  arrived.sql = std::string("SELECT current_setting('") + kArrived + "', true) IS NOT DISTINCT FROM 'yes' AS arrived";
  auto answer = co_await (*connection)->query(std::move(arrived), deadline);
  if (answer && RowReader(*answer, 0).get<bool>("arrived")) co_return connection;
  if (answer) answer = co_await (*connection)->query(set_session(session), deadline);
  if (!answer) co_return answer.error();
  co_return connection;
}

asio::awaitable<Result<std::shared_ptr<Connection>>> Connection::connect_once(ConnectSettings settings) {
  NoThrow no_throw;
  co_await no_throw.enter();
  const Deadline deadline = deadline_after(settings.timeout);
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const auto impl = std::make_shared<Impl>(executor, settings.workers);

  // libpq resolves names, reads files and does TLS handshakes inside PQconnectPoll: only the waiting happens here.
  struct Attempt {
    std::shared_ptr<PGconn> connection;
    PostgresPollingStatusType polling = PGRES_POLLING_WRITING;
  };
  const auto attempt = std::make_shared<Attempt>();
  std::function<void()> start = [attempt, conninfo = settings.conninfo] {
    const std::array<const char*, 2> keywords{"dbname", nullptr};
    const std::array<const char*, 2> values{conninfo.c_str(), nullptr};
    attempt->connection.reset(PQconnectStartParams(keywords.data(), values.data(), 1), &PQfinish);
  };
  std::optional<Error> failure;
  Wake wake = co_await run_blocking(settings.workers, std::move(start), deadline);
  if (wake == Wake::kReady) {
    impl->connection = attempt->connection;
    if (!impl->connection) throw std::bad_alloc();
    PQsetnonblocking(impl->pg(), 1);
    PQsetNoticeProcessor(impl->pg(), forward_notice, nullptr);
    if (PQstatus(impl->pg()) == CONNECTION_BAD) attempt->polling = PGRES_POLLING_FAILED;
  }
  while (wake == Wake::kReady && attempt->polling != PGRES_POLLING_OK && attempt->polling != PGRES_POLLING_FAILED) {
    // The socket may be another one after each poll (next host or address), so it is on loan for one wait only.
    impl->assign();
    wake = co_await impl->wait(attempt->polling == PGRES_POLLING_READING ? For::kRead : For::kWrite, deadline);
    impl->release();
    if (wake != Wake::kReady) break;
    std::function<void()> poll = [attempt] { attempt->polling = PQconnectPoll(attempt->connection.get()); };
    wake = co_await run_blocking(settings.workers, std::move(poll), deadline);
  }
  if (wake == Wake::kTimeout) {
    failure = connecting_error("timed out while connecting");
  } else if (wake != Wake::kReady) {
    failure = canceled_error("while connecting");
  } else if (attempt->polling != PGRES_POLLING_OK) {
    failure = connecting_error(connection_message(PQerrorMessage(impl->pg())));
  }
  co_await no_throw.leave();
  if (failure) {
    impl->release();
    co_return *failure;
  }
  impl->assign();
  co_return std::shared_ptr<Connection>(new Connection(impl));
}

asio::awaitable<Result<Rows>> Connection::query(Statement statement, Deadline deadline) {
  const auto impl = impl_;
  std::vector<Statement> statements;
  statements.push_back(std::move(statement));
  auto results = co_await impl->guarded_exchange(std::move(statements), deadline);
  co_return std::move(results.front());
}

asio::awaitable<std::vector<Result<Rows>>> Connection::pipeline(std::vector<Statement> statements, Deadline deadline) {
  const auto impl = impl_;
  auto results = co_await impl->guarded_exchange(std::move(statements), deadline);
  co_return results;
}

asio::awaitable<bool> Connection::start_over(Deadline deadline) {
  const auto impl = impl_;
  std::vector<Statement> statements;
  // Names are looked up in search_path, which is not ours yet: commands, and names with their schema.
  for (const char* command : {"RESET SESSION AUTHORIZATION", "RESET ALL", "DEALLOCATE ALL", "CLOSE ALL", "UNLISTEN *",
                              "SELECT pg_catalog.pg_advisory_unlock_all()", "DISCARD TEMP"}) {
    statements.push_back({.sql = command});
  }
  if (!impl->session.empty()) statements.push_back(set_session(impl->session));
  impl->prepared.clear();
  impl->notifications.clear();
  impl->serves.reset();
  const auto results = co_await impl->guarded_exchange(std::move(statements), deadline);
  const bool clean = !first_error(results) && usable();
  if (!clean) impl->close();
  co_return clean;
}

asio::awaitable<void> Connection::rollback(std::chrono::milliseconds timeout) {
  const auto impl = impl_;
  if (!impl->alive() || PQtransactionStatus(impl->pg()) == PQTRANS_IDLE) co_return;
  NoThrow no_throw;
  co_await no_throw.enter();
  // Also on behalf of a caller that is being cancelled: a lock that is kept hurts others.
  std::vector<Statement> statements(1);
  statements.front().sql = "ROLLBACK";
  auto results = co_await impl->exchange(std::move(statements), deadline_after(timeout));
  if (!results.front()) impl->close();
  co_await no_throw.leave();
}

asio::awaitable<Result<std::optional<Notification>>> Connection::wait_notification(Deadline deadline) {
  const auto impl = impl_;
  if (impl->busy) throw std::logic_error("Connection: an operation is already running");
  NoThrow no_throw;
  co_await no_throw.enter();
  std::optional<Error> failure;
  std::optional<Notification> notification;
  impl->busy = true;
  if (!co_await is_cancelled()) {
    for (;;) {
      if (!impl->notifications.empty()) {
        notification = std::move(impl->notifications.front());
        impl->notifications.pop_front();
        break;
      }
      if (!impl->alive()) {
        failure = connection_error("the connection is closed");
        break;
      }
      if (impl->poked) break;
      impl->waiting_for_notification = true;
      const Wake wake = co_await impl->wait(For::kRead, deadline);
      impl->waiting_for_notification = false;
      if (!impl->connection) continue;
      if (wake != Wake::kReady) break;
      if (!impl->consume()) {
        failure = connection_error(connection_message(PQerrorMessage(impl->pg())));
        impl->close();
        break;
      }
    }
  }
  impl->poked = false;
  impl->busy = false;
  co_await no_throw.leave();
  if (failure) co_return *failure;
  co_return notification;
}

void Connection::poke() {
  impl_->poked = true;
  if (impl_->waiting_for_notification && impl_->socket.is_open()) impl_->socket.cancel();
}

bool Connection::usable() {
  if (!impl_->alive() || impl_->busy) return false;
  // Twice: the server's farewell comes first, the end of the stream after it.
  if (!impl_->consume() || !impl_->consume()) {
    impl_->close();
    return false;
  }
  return PQtransactionStatus(impl_->pg()) == PQTRANS_IDLE;
}

bool Connection::open() const {
  return impl_->alive();
}
void Connection::close() {
  impl_->close();
}
std::optional<std::int64_t> Connection::serves() const {
  return impl_->serves;
}
void Connection::set_serves(std::int64_t whom) {
  impl_->serves = whom;
}
int Connection::backend_pid() const {
  return impl_->connection ? PQbackendPID(impl_->pg()) : 0;
}
int Connection::server_version() const {
  return impl_->connection ? PQserverVersion(impl_->pg()) : 0;
}
Deadline Connection::created_at() const {
  return impl_->created;
}

}  // namespace pgtrickle::postgres
