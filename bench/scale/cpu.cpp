#include "scale/cpu.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>

#include "support/cluster.h"

namespace pgt::bench {
namespace {

struct Times {
  pid_t parent = 0;
  double own = 0;
  double reaped = 0;
};

/// Nothing if the process has gone.
std::optional<Times> times_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return {};
  // The second field is the name of the program, which may contain anything: fields are counted from behind it.
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string skipped;
  Times times;
  fields >> skipped >> times.parent;  // state, ppid
  for (int i = 5; i <= 13; ++i) fields >> skipped;
  long user = 0, system = 0, children_user = 0, children_system = 0;
  fields >> user >> system >> children_user >> children_system;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  times.own = static_cast<double>(user + system) / ticks;
  times.reaped = static_cast<double>(children_user + children_system) / ticks;
  return times;
}

pid_t postmaster() {
  const std::string path = test::required_env("PGT_TEST_DATADIR") + "/postmaster.pid";
  std::ifstream file(path);
  pid_t pid = 0;
  if (!(file >> pid)) throw std::runtime_error("cannot read " + path);
  return pid;
}

}  // namespace

double cpu_seconds(pid_t pid) {
  const auto times = times_of(pid);
  if (!times) throw std::runtime_error("process " + std::to_string(pid) + " has gone");
  return times->own + times->reaped;
}

double cpu_seconds_of_cluster() {
  const pid_t parent = postmaster();
  double sum = cpu_seconds(parent);  // what has ended is in here, so nothing is lost in between
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto times = times_of(static_cast<pid_t>(std::stol(name)));
    if (times && times->parent == parent) sum += times->own;
  }
  return sum;
}

double cpu_seconds(const std::set<pid_t>& pids) {
  double sum = 0;
  for (const pid_t pid : pids) {
    if (const auto times = times_of(pid)) sum += times->own;
  }
  return sum;
}

double resident_megabytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1024;
  }
  throw std::runtime_error("process " + std::to_string(pid) + " has gone");
}

}  // namespace pgt::bench
