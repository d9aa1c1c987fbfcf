#include <algorithm>
#include <chrono>
#include <functional>
#include <set>

#include "property/runner.h"

namespace pgt::property {
namespace {

class Minimizer {
 public:
  Minimizer(Scenario scenario, Failure failure, int budget_seconds)
      : best_(std::move(scenario)),
        failure_(std::move(failure)),
        deadline_(std::chrono::steady_clock::now() + std::chrono::seconds(budget_seconds)) {}

  Scenario run() {
    Scenario candidate = best_;
    if (candidate.steps.size() > failure_.step + 1) candidate.steps.resize(failure_.step + 1);
    adopt(candidate);
    drop_streams();
    drop_from([](Scenario& s) -> std::vector<Step>& { return s.steps; }, [](const Step&) { return true; });
    for (std::size_t i = 0; i < best_.steps.size(); ++i) {
      drop_from([i](Scenario& s) -> std::vector<Op>& { return s.steps[i].ops; },
                [](const Op& op) { return op.kind != Op::Kind::kSql; });
    }
    drop_from([](Scenario& s) -> std::vector<std::string>& { return s.setup; },
              [](const std::string&) { return true; });
    return best_;
  }

 private:
  [[nodiscard]] bool in_time() const { return std::chrono::steady_clock::now() < deadline_; }

  /// Keeps the candidate if it fails in the same way.
  bool adopt(const Scenario& candidate) {
    if (!in_time()) return false;
    const Outcome outcome = pgt::property::run(candidate);
    if (!outcome.failure || outcome.failure->kind != failure_.kind) return false;
    // The same stream table, too.
    if (failure_.kind != Failure::Kind::kSql && candidate.streams[outcome.failure->stream].name != name_of_failed())
      return false;
    const std::string name = name_of_failed();
    best_ = candidate;
    failure_ = *outcome.failure;
    return true;
  }

  [[nodiscard]] std::string name_of_failed() const {
    return best_.streams.empty() ? std::string()
                                 : best_.streams[std::min(failure_.stream, best_.streams.size() - 1)].name;
  }

  /// All but the failed one and what it reads.
  void drop_streams() {
    if (failure_.kind == Failure::Kind::kSql) return;
    std::set<std::size_t> needed{failure_.stream};
    for (std::size_t i = failure_.stream + 1; i-- > 0;) {
      if (needed.count(i) != 0) needed.insert(best_.streams[i].reads.begin(), best_.streams[i].reads.end());
    }
    Scenario candidate = best_;
    candidate.streams.clear();
    std::vector<std::size_t> mapping(best_.streams.size());
    for (const std::size_t i : needed) {
      mapping[i] = candidate.streams.size();
      candidate.streams.push_back(best_.streams[i]);
      for (auto& other : candidate.streams.back().reads) other = mapping[other];
    }
    for (auto& step : candidate.steps) {
      std::vector<Op> ops;
      for (auto& op : step.ops) {
        const bool some = !op.streams.empty();
        std::vector<std::size_t> streams;
        for (const std::size_t i : op.streams) {
          if (needed.count(i) != 0) streams.push_back(mapping[i]);
        }
        op.streams = streams;
        if (!some || !streams.empty()) ops.push_back(op);
      }
      step.ops = ops;
    }
    const std::string name = name_of_failed();
    const Outcome outcome = pgt::property::run(candidate);
    if (outcome.failure && outcome.failure->kind == failure_.kind &&
        candidate.streams[outcome.failure->stream].name == name) {
      best_ = candidate;
      failure_ = *outcome.failure;
    }
  }

  /// Leaves out parts of a list, large parts first.
  template <typename List, typename Removable>
  void drop_from(const List& list, const Removable& removable) {
    std::size_t chunk = std::max<std::size_t>(list(best_).size() / 2, 1);
    for (; in_time(); chunk /= 2) {
      for (std::size_t end = list(best_).size(); end > 0 && in_time();) {
        const std::size_t begin = end > chunk ? end - chunk : 0;
        Scenario candidate = best_;
        auto& items = list(candidate);
        bool dropped = false;
        for (std::size_t i = std::min(end, items.size()); i-- > begin;) {
          if (!removable(items[i])) continue;
          items.erase(items.begin() + static_cast<std::ptrdiff_t>(i));
          dropped = true;
        }
        if (dropped) adopt(candidate);
        end = std::min(begin, list(best_).size());
      }
      if (chunk == 1) return;
    }
  }

  Scenario best_;
  Failure failure_;
  std::chrono::steady_clock::time_point deadline_;
};

}  // namespace

Scenario minimized(const Scenario& scenario, const Failure& failure, int budget_seconds) {
  return Minimizer(scenario, failure, budget_seconds).run();
}

}  // namespace pgt::property
