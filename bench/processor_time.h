// What the server process of a session has used of a processor.
#pragma once

#include <chrono>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

#include "support/database.h"

namespace pgt::bench {

/// What the session's server process has used of a processor so far, in milliseconds. It is asked when that process
/// sleeps again, a moment after its answer.
class ProcessorTime {
 public:
  explicit ProcessorTime(test::Session& session)
      : path_("/proc/" + session.value("SELECT pg_backend_pid()") + "/schedstat") {}

  [[nodiscard]] double now() const {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    std::ifstream file(path_);
    double nanoseconds = 0;
    if (!(file >> nanoseconds)) throw std::runtime_error("cannot read " + path_);
    return nanoseconds / 1e6;
  }

 private:
  std::string path_;
};

}  // namespace pgt::bench
