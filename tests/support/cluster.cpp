#include "support/cluster.h"

#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "support/process.h"

namespace pgt::test {
namespace {

// pg_ctl refuses to run as root, so it runs as the user that owns the server.
void pg_ctl(const std::vector<std::string>& arguments) {
  std::vector<std::string> command;
  if (const auto user = required_env("PGT_TEST_OSUSER"); !user.empty()) command = {"runuser", "-u", user, "--"};
  command.push_back(required_env("PGT_TEST_BIN") + "/pg_ctl");
  command.insert(command.end(), {"-D", required_env("PGT_TEST_DATADIR"), "-w"});
  command.insert(command.end(), arguments.begin(), arguments.end());
  const ProcessResult result = run_process(command);
  if (result.exit_code != 0) throw std::runtime_error("pg_ctl failed: " + result.err + result.out);
}

}  // namespace

std::string required_env(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) throw std::runtime_error(name + " is not set: run this through tests/support/with_cluster.sh");
  return value;
}

std::string dsn_of(const std::string& database) {
  const std::string dsn = required_env("PGT_TEST_DSN");
  return dsn.substr(0, dsn.rfind("dbname=")) + "dbname=" + database;
}

std::string source_dir() {
  return required_env("PGT_SOURCE_DIR");
}

void stop_server(const std::string& mode) {
  pg_ctl({"-m", mode, "stop"});
}

void start_server() {
  pg_ctl({"-l", required_env("PGT_TEST_LOG"), "start"});
}

void restart_server_immediately() {
  stop_server("immediate");
  start_server();
}

}  // namespace pgt::test
