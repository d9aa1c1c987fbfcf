#include "support/standby.h"

#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "support/cluster.h"

namespace pgt::test {

Standby::Standby() : directory_("/tmp/pgtrickle-standby." + std::to_string(::getpid())) {
  std::filesystem::create_directory(directory_);
  std::filesystem::permissions(directory_, std::filesystem::perms::all);
  const std::string dsn = required_env("PGT_TEST_DSN");
  must({required_env("PGT_TEST_BIN") + "/pg_basebackup", "-d", dsn, "-D", data(), "-R", "-c", "fast", "-X", "stream"});
  must({required_env("PGT_TEST_BIN") + "/pg_ctl", "-D", data(), "-w", "-l", directory_ + "/log", "-o",
        "-c unix_socket_directories=" + directory_, "start"});
}

Standby::~Standby() {
  run({required_env("PGT_TEST_BIN") + "/pg_ctl", "-D", data(), "-m", "immediate", "-w", "stop"});
  std::filesystem::remove_all(directory_);
}

std::string Standby::dsn(const std::string& database, const std::string& user) const {
  return "host=" + directory_ + " port=5432 user=" + user + " dbname=" + database;
}

void Standby::promote() const {
  must({required_env("PGT_TEST_BIN") + "/pg_ctl", "-D", data(), "-w", "promote"});
}

ProcessResult Standby::run(std::vector<std::string> command) {
  if (const std::string user = required_env("PGT_TEST_OSUSER"); !user.empty())
    command.insert(command.begin(), {"runuser", "-u", user, "--"});
  return run_process(command);
}

void Standby::must(const std::vector<std::string>& command) {
  const auto result = run(command);
  if (result.exit_code != 0) throw std::runtime_error(command[0] + ": " + result.out + result.err);
}

}  // namespace pgt::test
