#include "support/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "support/cluster.h"

namespace pgt::test {
namespace {

std::string temporary_file(const std::string& text) {
  std::string path = "/tmp/pgtrickle-test-file.XXXXXX";
  const int fd = ::mkstemp(path.data());
  if (fd < 0) throw std::runtime_error(std::string("mkstemp: ") + std::strerror(errno));
  ::close(fd);
  std::ofstream(path) << text;
  return path;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

int exit_code_of(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

// Files instead of pipes: a child that writes much never blocks, and nobody has to read at the same time.
pid_t spawn(const std::vector<std::string>& command, const Environment& environment, const std::string& in,
            const std::string& out, const std::string& err) {
  std::vector<char*> argv;
  for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
  if (pid > 0) return pid;

  const int in_fd = ::open(in.c_str(), O_RDONLY | O_CLOEXEC);
  const int out_fd = ::open(out.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  const int err_fd = ::open(err.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  ::dup2(in_fd, 0);
  ::dup2(out_fd, 1);
  ::dup2(err_fd, 2);
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  ::execvp(argv[0], argv.data());
  ::dprintf(2, "cannot run %s: %s\n", argv[0], std::strerror(errno));
  ::_exit(127);
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& command, const std::string& input,
                          const Environment& environment) {
  const std::string in = temporary_file(input), out = temporary_file(""), err = temporary_file("");
  const pid_t pid = spawn(command, environment, in, out, err);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  ProcessResult result{exit_code_of(status), read_file(out), read_file(err)};
  for (const auto& path : {in, out, err}) ::unlink(path.c_str());
  return result;
}

ProcessResult run_cli(std::vector<std::string> arguments, const std::string& input, const Environment& environment) {
  arguments.insert(arguments.begin(), required_env("PGT_CLI"));
  return run_process(arguments, input, environment);
}

bool wait_until(const std::function<bool()>& done, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience * timeout;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool ok = fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(fd);
  if (!ok) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

HttpResponse http_get(int port, const std::string& target, const std::string& method) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  const timeval timeout{5, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  HttpResponse response;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    const std::string request = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    std::string text;
    char buffer[4096];
    if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
      for (ssize_t n = 0; (n = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) text.append(buffer, static_cast<size_t>(n));
    }
    if (text.starts_with("HTTP/1.1 ")) response.status = std::stoi(text.substr(9, 3));
    if (const auto end = text.find("\r\n\r\n"); end != std::string::npos) response.body = text.substr(end + 4);
  }
  ::close(fd);
  return response;
}

DaemonProcess::DaemonProcess(Options options) : port_(free_port()) {
  std::vector<std::string> command{required_env("PGT_DAEMON"), "--http-port", std::to_string(port_)};
  for (const auto& dsn : options.dsns) command.insert(command.end(), {"--dsn", dsn});
  if (!options.config.empty()) {
    config_path_ = temporary_file(options.config);
    command.insert(command.end(), {"--config", config_path_});
  }
  command.insert(command.end(), options.arguments.begin(), options.arguments.end());
  log_path_ = temporary_file("");
  pid_ = spawn(command, options.environment, "/dev/null", log_path_, log_path_);
  if (!options.wait_ready) return;
  const bool ready = wait_until([this] { return !running() || http_get(port_, "/ready").status == 200; });
  if (!ready || !running()) {
    const std::string text = log();
    kill();
    throw std::runtime_error("pgtrickled did not become ready; its log:\n" + text);
  }
}

DaemonProcess::~DaemonProcess() {
  if (running()) kill();
  if (::testing::Test::HasFailure()) std::cerr << "--- log of pgtrickled " << pid_ << "\n" << log() << "---\n";
  ::unlink(log_path_.c_str());
  if (!config_path_.empty()) ::unlink(config_path_.c_str());
}

std::optional<int> DaemonProcess::wait_exit(std::chrono::milliseconds timeout) {
  wait_until([this] { return !running(); }, timeout);
  return exit_code_;
}

bool DaemonProcess::running() {
  if (exit_code_) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == pid_) exit_code_ = exit_code_of(status);
  return !exit_code_;
}

int DaemonProcess::stop(std::chrono::milliseconds timeout) {
  signal(SIGTERM);
  const auto code = wait_exit(timeout);
  if (!code) throw std::runtime_error("pgtrickled did not stop; its log:\n" + log());
  return *code;
}

void DaemonProcess::kill() {
  signal(SIGKILL);
  wait_exit(std::chrono::seconds(10));
}

void DaemonProcess::signal(int number) const {
  if (!exit_code_) ::kill(pid_, number);
}

std::string DaemonProcess::log() const {
  return read_file(log_path_);
}

}  // namespace pgt::test
