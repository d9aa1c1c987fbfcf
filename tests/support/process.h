// Running the programs under test as child processes.
//
// run_process() and run_cli() wait for the end. DaemonProcess is a running pgtrickled that ends with the object; its
// log goes to a temporary file, which the destructor prints if the test failed.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pgt::test {

using Environment = std::map<std::string, std::string>;

struct ProcessResult {
  int exit_code = -1;  // 128 + signal if a signal ended it
  std::string out;
  std::string err;
};

/// Runs a program (looked up in PATH) with `input` as its standard input and `environment` added to ours.
ProcessResult run_process(const std::vector<std::string>& command, const std::string& input = {},
                          const Environment& environment = {});

/// Runs the command line tool under test.
ProcessResult run_cli(std::vector<std::string> arguments, const std::string& input = {},
                      const Environment& environment = {});

/// Calls `done` every 10 ms until it returns true; false after `timeout`, as it would be on a machine with nothing else
/// to do: on a busy one everything takes longer, so it is kPatience times that. What would end by itself after a while
/// must take longer still, or waiting for it proves nothing.
bool wait_until(const std::function<bool()>& done, std::chrono::milliseconds timeout = std::chrono::seconds(15));
constexpr int kPatience = 4;

/// A TCP port that nobody listened on a moment ago.
int free_port();

struct HttpResponse {
  int status = 0;  // 0: no connection
  std::string body;
};

/// GET http://127.0.0.1:port/target, or another method.
HttpResponse http_get(int port, const std::string& target, const std::string& method = "GET");

class DaemonProcess {
 public:
  struct Options {
    std::vector<std::string> dsns = {};
    std::vector<std::string> arguments = {};  // added to the command line
    std::string config = {};                  // text of a configuration file; empty: none
    Environment environment = {};
    bool wait_ready = true;  // the constructor returns when /ready says so; throws with the log after 15 s
  };

  explicit DaemonProcess(Options options);
  explicit DaemonProcess(const std::string& dsn) : DaemonProcess(Options{.dsns = {dsn}}) {}
  ~DaemonProcess();
  DaemonProcess(const DaemonProcess&) = delete;
  DaemonProcess& operator=(const DaemonProcess&) = delete;

  /// SIGTERM, then waits; the exit code. Throws if it does not end within `timeout`.
  int stop(std::chrono::milliseconds timeout = std::chrono::seconds(10));
  /// kill -9 and wait.
  void kill();
  void signal(int number) const;
  /// Waits for an exit that the test expects; nothing if it still runs after `timeout`.
  std::optional<int> wait_exit(std::chrono::milliseconds timeout);

  [[nodiscard]] bool running();
  [[nodiscard]] int http_port() const { return port_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::string log() const;
  [[nodiscard]] std::string config_path() const { return config_path_; }

 private:
  pid_t pid_ = -1;
  int port_ = 0;
  std::optional<int> exit_code_;
  std::string log_path_;
  std::string config_path_;
};

}  // namespace pgt::test
