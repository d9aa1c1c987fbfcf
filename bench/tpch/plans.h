// The plans of every statement that runs inside of functions, as auto_explain reports them, with actual times. The
// session must be a superuser's; what it runs is slower while an object of this class lives.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/database.h"

namespace pgt::bench {

struct StatementPlan {
  double ms = 0;
  std::string text;  // query text and plan
};

class PlanRecorder {
 public:
  explicit PlanRecorder(test::Session& session);
  ~PlanRecorder();
  PlanRecorder(const PlanRecorder&) = delete;
  PlanRecorder& operator=(const PlanRecorder&) = delete;

  /// What ran since the object was made or this was called last, slowest first.
  std::vector<StatementPlan> take();

 private:
  class Notices;
  test::Session& session_;
  std::unique_ptr<Notices> notices_;
};

/// The plan without its query and without the parts that were never started.
std::string executed_part(const StatementPlan& plan);

}  // namespace pgt::bench
