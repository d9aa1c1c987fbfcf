// Roles of a test. They belong to the cluster: their names carry a number of their own. They are dropped with the
// object, so it is declared before the TestDatabase in which they own something.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <exception>
#include <string>
#include <vector>

#include "support/cluster.h"
#include "support/database.h"

namespace pgt::test {

class Roles {
 public:
  Roles() {
    static int counter = 0;
    suffix_ = "_" + std::to_string(::getpid()) + "_" + std::to_string(++counter);
  }
  ~Roles() {
    try {
      Session session(dsn_of("postgres"));
      for (auto role = roles_.rbegin(); role != roles_.rend(); ++role) session.exec("DROP ROLE " + *role);
    } catch (const std::exception& error) {
      ADD_FAILURE() << "roles are left over: " << error.what();
    }
  }
  Roles(const Roles&) = delete;
  Roles& operator=(const Roles&) = delete;

  std::string create(const std::string& name) {
    roles_.push_back(name + suffix_);
    Session(dsn_of("postgres")).exec("CREATE ROLE " + roles_.back() + " LOGIN");
    return roles_.back();
  }

 private:
  std::string suffix_;
  std::vector<std::string> roles_;
};

}  // namespace pgt::test
