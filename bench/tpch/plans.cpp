#include "tpch/plans.h"

#include <algorithm>
#include <sstream>

namespace pgt::bench {

class PlanRecorder::Notices : public pqxx::errorhandler {
 public:
  explicit Notices(pqxx::connection_base& connection) : pqxx::errorhandler(connection) {}

  bool operator()(const char message[]) noexcept override {
    try {
      const std::string text = message;
      const std::string head = "duration: ";
      const std::size_t at = text.find(head);
      if (at == std::string::npos || text.find("plan:") == std::string::npos) return true;
      // The message ends where the server says from where the statement was called.
      plans.push_back({std::strtod(text.c_str() + at + head.size(), nullptr), text.substr(0, text.find("\nCONTEXT:"))});
      return false;
    } catch (const std::exception&) {
      return true;
    }
  }

  std::vector<StatementPlan> plans;
};

PlanRecorder::PlanRecorder(test::Session& session) : session_(session) {
  session_.exec("LOAD 'auto_explain'");
  for (const char* setting :
       {"log_min_duration = 0", "log_nested_statements = on", "log_analyze = on", "log_level = notice"}) {
    session_.exec(std::string("SET auto_explain.") + setting);
  }
  notices_ = std::make_unique<Notices>(session_.connection());
}

PlanRecorder::~PlanRecorder() {
  notices_.reset();
  try {
    session_.exec("SET auto_explain.log_min_duration = -1");
  } catch (const std::exception&) {
    // The connection is lost, and the setting with it.
  }
}

std::vector<StatementPlan> PlanRecorder::take() {
  auto plans = std::move(notices_->plans);
  notices_->plans.clear();
  std::stable_sort(plans.begin(), plans.end(), [](const auto& a, const auto& b) { return a.ms > b.ms; });
  return plans;
}

std::string executed_part(const StatementPlan& plan) {
  std::istringstream lines(plan.text);
  std::string result;
  bool in_plan = false;
  std::size_t skipped = std::string::npos;  // indentation of the node that was never started
  for (std::string line; std::getline(lines, line);) {
    // The plan begins with its first cost; before it is the query, which has any number of lines.
    in_plan = in_plan || line.find("  (cost=") != std::string::npos;
    if (!in_plan) continue;
    const std::size_t indent = line.find_first_not_of(' ');
    if (skipped != std::string::npos && indent > skipped) continue;
    skipped = line.find("(never executed)") == std::string::npos ? std::string::npos : indent;
    if (skipped == std::string::npos) result += line + "\n";
  }
  return result;
}

}  // namespace pgt::bench
