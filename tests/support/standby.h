// A copy of the cluster that follows it as a hot standby, in a temporary directory; gone with the object.
//
//   Standby standby;
//   Session there(standby.dsn(db.name()));
//   standby.promote();
#pragma once

#include <string>
#include <vector>

#include "support/process.h"

namespace pgt::test {

class Standby {
 public:
  /// Throws if it cannot be made or started.
  Standby();
  ~Standby();
  Standby(const Standby&) = delete;
  Standby& operator=(const Standby&) = delete;

  [[nodiscard]] std::string dsn(const std::string& database, const std::string& user = "postgres") const;
  /// Returns when it takes writes.
  void promote() const;

 private:
  [[nodiscard]] std::string data() const { return directory_ + "/data"; }
  static ProcessResult run(std::vector<std::string> command);
  static void must(const std::vector<std::string>& command);

  std::string directory_;
};

}  // namespace pgt::test
