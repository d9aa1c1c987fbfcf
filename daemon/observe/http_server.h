// A small HTTP/1.1 server (Boost.Beast) on the daemon's event loop, for GET and HEAD only.
//
// Ownership: the executor and what the handler uses must outlive the server; destroying it or stop() closes everything.
// Threads: the one that runs the executor, and one more for bodies that take long to make. Errors: the constructor
// throws std::runtime_error if the address cannot be listened on; whatever a client does only ends its connection.
// Limits: header 8 kB, no request body, 5 s for the first request, 60 s for an idle keep-alive connection, 64
// connections: then one that asks for nothing makes place for a new one.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace pgtrickle::observe {

struct HttpAnswer {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  std::function<std::string()> long_body = {};  // if set, makes the body, on another thread
};

/// Answers a path (without its query part). Called on the event loop thread, so it must not block.
using HttpHandler = std::function<HttpAnswer(const std::string& path)>;

class HttpServer {
 public:
  /// Listens at once; port 0 takes any free one. allowed_hosts: what a request's Host header may name; any if empty.
  HttpServer(const boost::asio::any_io_executor& executor, const std::string& address, std::uint16_t port,
             HttpHandler handler, std::vector<std::string> allowed_hosts = {});
  /// Waits until no body is made any more. What long_body uses must outlive it.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Closes the listener and all connections.
  void stop();

  [[nodiscard]] std::uint16_t port() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace pgtrickle::observe
