#include "observe/http_server.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <vector>

namespace pgtrickle::observe {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Response = http::response<http::string_body>;

constexpr std::size_t kMaxConnections = 64;
constexpr std::uint32_t kHeaderLimit = 8192;
constexpr const char* kInternalError = "internal error; see the log of pgtrickled";
constexpr auto kFirstRequestTimeout = std::chrono::seconds(5);  // of a client that has not asked for anything yet
constexpr auto kRequestTimeout = std::chrono::seconds(10);
constexpr auto kIdleTimeout = std::chrono::seconds(60);

Response make_response(const HttpAnswer& answer, unsigned version, bool keep_alive) {
  Response response{static_cast<http::status>(answer.status), version};
  response.set(http::field::server, "pgtrickled");
  response.set(http::field::content_type, answer.content_type);
  response.set(http::field::cache_control, "no-store");
  response.keep_alive(keep_alive);
  response.body() = answer.body;
  response.prepare_payload();
  return response;
}

HttpAnswer error_answer(unsigned status, const std::string& what) {
  return {status, "application/json", nlohmann::json{{"error", what}}.dump() + "\n"};
}

/// Without the port, and without the brackets of an IPv6 address.
std::string_view name_in_host(std::string_view host) {
  if (host.starts_with('[')) return host.substr(1, std::min(host.find(']'), host.size()) - 1);
  return host.substr(0, host.find(':'));
}

struct Connection {
  beast::tcp_stream stream;
  asio::ip::address peer;
  bool waiting = true;  // for a request
  std::chrono::steady_clock::time_point waiting_since = std::chrono::steady_clock::now();
  bool ended = false;  // to make place

  explicit Connection(tcp::socket socket) : stream(std::move(socket)) {
    error_code ignored;
    peer = stream.socket().remote_endpoint(ignored).address();
  }
};

}  // namespace

struct HttpServer::Impl : std::enable_shared_from_this<HttpServer::Impl> {
  Impl(const asio::any_io_executor& executor, HttpHandler answer) : acceptor(executor), handler(std::move(answer)) {}

  tcp::acceptor acceptor;
  HttpHandler handler;
  asio::thread_pool body_maker{1};
  std::vector<std::string> allowed_hosts;
  std::set<Connection*> connections;  // those of the coroutines that run serve()
  bool stopped = false;

  void listen(const std::string& address, std::uint16_t port) {
    error_code error;
    const auto ip = asio::ip::make_address(address, error);
    const tcp::endpoint endpoint(ip, port);
    if (!error) acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      throw std::runtime_error("cannot listen on " + address + ":" + std::to_string(port) +
                               " (http.address, http.port): " + error.message());
    }
  }

  asio::awaitable<void> accept_loop() {
    while (!stopped) {
      error_code error;
      tcp::socket socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (stopped) co_return;
      if (error) {
        // Out of file descriptors, for example: waiting is better than a busy loop.
        spdlog::warn("http: accept failed: {}", error.message());
        asio::steady_timer pause(acceptor.get_executor(), std::chrono::seconds(1));
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
        continue;
      }
      if (!make_place()) continue;  // the socket closes: the client tries again later
      asio::co_spawn(acceptor.get_executor(), serve(shared_from_this(), std::move(socket)), asio::detached);
    }
  }

  // Who asks for nothing keeps nobody out: when all places are taken the one that has waited longest for a request
  // goes, of the client that has most of them. False: all are being answered.
  bool make_place() {
    std::size_t in_use = 0;
    std::map<asio::ip::address, std::size_t> of_peer;
    for (const Connection* connection : connections) {
      in_use += connection->ended ? 0 : 1;
      if (!connection->ended) ++of_peer[connection->peer];
    }
    if (in_use < kMaxConnections) return true;
    Connection* last = nullptr;
    const auto rank = [&](const Connection& c) {
      return std::pair(of_peer[c.peer], std::chrono::steady_clock::now() - c.waiting_since);
    };
    for (Connection* connection : connections) {
      if (connection->ended || !connection->waiting) continue;
      if (last == nullptr || rank(*connection) > rank(*last)) last = connection;
    }
    if (last == nullptr) return false;
    last->ended = true;
    error_code ignored;
    last->stream.socket().close(ignored);
    return true;
  }

  // Takes a shared pointer: a connection may still be ending when the server is gone.
  static asio::awaitable<void> serve(std::shared_ptr<Impl> self, tcp::socket socket) {
    Connection connection(std::move(socket));
    self->connections.insert(&connection);
    beast::flat_buffer buffer(kHeaderLimit + 1024);
    bool keep_alive = true;
    for (bool first = true; keep_alive && !self->stopped && !connection.ended; first = false) {
      keep_alive = co_await self->serve_one(connection, buffer, first ? kFirstRequestTimeout : kIdleTimeout);
    }
    error_code ignored;
    connection.stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
    self->connections.erase(&connection);
  }

  asio::awaitable<bool> serve_one(Connection& connection, beast::flat_buffer& buffer, std::chrono::seconds timeout) {
    beast::tcp_stream& stream = connection.stream;
    http::request_parser<http::empty_body> parser;
    parser.header_limit(kHeaderLimit);
    error_code error;
    stream.expires_after(timeout);
    connection.waiting = true;
    connection.waiting_since = std::chrono::steady_clock::now();
    co_await http::async_read_header(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, error));
    connection.waiting = false;

    std::optional<Response> response;
    bool head = false;
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      response = make_response(error_answer(431, "request header too large"), 11, false);
    } else if (error && error.category() == make_error_code(http::error::bad_method).category() &&
               error != http::error::end_of_stream && error != http::error::partial_message) {
      response = make_response(error_answer(400, "not an HTTP request"), 11, false);
    } else if (error) {
      co_return false;  // closed, reset or timed out
    } else {
      const auto& request = parser.get();
      head = request.method() == http::verb::head;
      // A body would have to be read before the next request; such a client gets its answer and loses the connection.
      const bool keep = request.keep_alive() && parser.is_done();
      HttpAnswer made = answer(request);
      if (made.long_body) co_await make_body(made);
      response = make_response(made, request.version(), keep);
      if (response->result() == http::status::method_not_allowed) response->set(http::field::allow, "GET, HEAD");
    }

    stream.expires_after(kRequestTimeout);
    if (head) {
      http::response<http::empty_body> empty{std::move(response->base())};  // keeps Content-Length of the GET
      http::response_serializer<http::empty_body> serializer{empty};
      co_await http::async_write_header(stream, serializer, asio::redirect_error(asio::use_awaitable, error));
      co_return !error && empty.keep_alive();
    }
    co_await http::async_write(stream, *response, asio::redirect_error(asio::use_awaitable, error));
    co_return !error && response->keep_alive();
  }

  // The page of metrics of a thousand stream tables takes longer than a refresh.
  asio::awaitable<void> make_body(HttpAnswer& made) {
    try {
      auto body = call(std::move(made.long_body));
      made.body = co_await asio::co_spawn(body_maker, std::move(body), asio::use_awaitable);
    } catch (const std::exception& error) {
      spdlog::error("http: an answer could not be made: {}", error.what());
      made = error_answer(500, kInternalError);
    }
  }

  static asio::awaitable<std::string> call(std::function<std::string()> long_body) { co_return long_body(); }

  HttpAnswer answer(const http::request<http::empty_body>& request) {
    if (request.method() != http::verb::get && request.method() != http::verb::head) {
      return error_answer(405, "only GET and HEAD are supported");
    }
    const auto host = request[http::field::host];
    if (!is_allowed({host.data(), host.size()})) {
      return error_answer(403, "this host name is not one of http.allowed_hosts");
    }
    const std::string target(request.target());
    try {
      return handler(target.substr(0, target.find('?')));
    } catch (const std::exception& error) {
      spdlog::error("http: {} failed: {}", target, error.what());
      return error_answer(500, kInternalError);
    }
  }

  [[nodiscard]] bool is_allowed(std::string_view host) const {
    return allowed_hosts.empty() || std::any_of(allowed_hosts.begin(), allowed_hosts.end(), [&](const auto& allowed) {
             return beast::iequals(allowed, name_in_host(host));
           });
  }

  void stop() {
    if (stopped) return;
    stopped = true;
    error_code ignored;
    acceptor.close(ignored);
    for (auto* connection : connections) connection->stream.socket().close(ignored);
  }
};

HttpServer::HttpServer(const asio::any_io_executor& executor, const std::string& address, std::uint16_t port,
                       HttpHandler handler, std::vector<std::string> allowed_hosts)
    : impl_(std::make_shared<Impl>(executor, std::move(handler))) {
  impl_->allowed_hosts = std::move(allowed_hosts);
  impl_->listen(address, port);
  asio::co_spawn(
      executor, [impl = impl_]() -> asio::awaitable<void> { co_await impl->accept_loop(); }, asio::detached);
}

HttpServer::~HttpServer() {
  impl_->stop();
  impl_->body_maker.join();
}

void HttpServer::stop() {
  impl_->stop();
}

std::uint16_t HttpServer::port() const {
  error_code error;
  const auto endpoint = impl_->acceptor.local_endpoint(error);
  return error ? 0 : endpoint.port();
}

}  // namespace pgtrickle::observe
