#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <set>

#include "property/reduce_query.h"
#include "property/runner.h"
#include "support/database.h"

namespace pgt::property {
namespace {

/// The setup without pgtrickle, to ask PostgreSQL whether a query is valid.
class Validator {
 public:
  explicit Validator(const Scenario& scenario) : db_(test::TestDatabase::Install::kNothing), session_(db_.dsn()) {
    for (const auto& statement : scenario.setup) session_.exec(statement);
    for (const auto& stream : scenario.streams)
      session_.exec("CREATE TABLE " + stream.name + " AS " + stream.query + " WITH NO DATA");
  }

  bool valid(const std::string& query) {
    try {
      session_.exec("BEGIN; CREATE TEMP VIEW candidate AS " + query + "; SELECT q::text FROM (" + query +
                    ") q; ROLLBACK");
      return true;
    } catch (const pqxx::sql_error&) {
      session_.exec("ROLLBACK");
      return false;
    }
  }

 private:
  test::TestDatabase db_;
  test::Session session_;
};

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
    drop_ops();
    reduce_queries();
    drop_streams();
    drop_ops();
    drop_from([](Scenario& s) -> std::vector<std::string>& { return s.setup; },
              [](const std::string&) { return true; });
    reduce_queries();
    return best_;
  }

 private:
  [[nodiscard]] bool in_time() const { return std::chrono::steady_clock::now() < deadline_; }

  /// Keeps the candidate if the same stream table fails in the same way.
  bool adopt(const Scenario& candidate) {
    if (!in_time()) return false;
    const std::string name = name_of_failed();
    const Outcome outcome = pgt::property::run(candidate);
    for (const auto& failure : outcome.failures) {
      if (signature(failure) != signature(failure_)) continue;
      if (failure.kind != Failure::Kind::kSql && candidate.streams[failure.stream].name != name) continue;
      best_ = candidate;
      failure_ = failure;
      return true;
    }
    return false;
  }

  [[nodiscard]] std::string name_of_failed() const {
    return best_.streams.empty() ? std::string()
                                 : best_.streams[std::min(failure_.stream, best_.streams.size() - 1)].name;
  }

  void drop_ops() {
    for (std::size_t i = 0; i < best_.steps.size(); ++i) {
      drop_from([i](Scenario& s) -> std::vector<Op>& { return s.steps[i].ops; },
                [](const Op& op) { return op.kind != Op::Kind::kSql; });
    }
    Scenario candidate = best_;
    for (auto& step : candidate.steps) drop_empty_transactions(step.ops);
    adopt(candidate);
  }

  static void drop_empty_transactions(std::vector<Op>& ops) {
    for (std::size_t i = 0; i + 1 < ops.size();) {
      const bool empty = ops[i].kind == Op::Kind::kSql && ops[i].sql.rfind("BEGIN", 0) == 0 &&
                         ops[i].session == ops[i + 1].session &&
                         (ops[i + 1].sql == "COMMIT" || ops[i + 1].sql == "ROLLBACK");
      if (empty)
        ops.erase(ops.begin() + static_cast<std::ptrdiff_t>(i), ops.begin() + static_cast<std::ptrdiff_t>(i + 2));
      else
        ++i;
    }
  }

  /// The text of every query that is left, the failed one's first, and of views.
  void reduce_queries() {
    if (failure_.kind == Failure::Kind::kSql) return;
    for (std::size_t i = best_.streams.size(); i-- > 0;)
      reduce([i](Scenario& s) -> std::string& { return s.streams[i].query; }, "");
    for (std::size_t i = 0; i < best_.setup.size(); ++i) {
      const auto as = best_.setup[i].find(" AS ");
      if (best_.setup[i].rfind("CREATE VIEW", 0) != 0 || as == std::string::npos) continue;
      reduce([i](Scenario& s) -> std::string& { return s.setup[i]; }, best_.setup[i].substr(0, as + 4));
    }
  }

  template <typename Text>
  void reduce(const Text& text, const std::string& head) {
    std::unique_ptr<Validator> validator;
    try {
      validator = std::make_unique<Validator>(best_);
    } catch (const std::exception&) {
      return;
    }
    std::set<std::string> tried;
    for (bool smaller = true; smaller && in_time();) {
      smaller = false;
      for (const auto& query : smaller_queries(text(best_).substr(head.size()))) {
        if (!in_time()) return;
        if (!tried.insert(query).second || !validator->valid(query)) continue;
        Scenario candidate = best_;
        text(candidate) = head + query;
        if (adopt(candidate)) {
          smaller = true;
          break;
        }
      }
    }
  }

  /// All but the failed one and what it reads.
  void drop_streams() {
    if (failure_.kind == Failure::Kind::kSql) return drop_single_streams();
    std::set<std::size_t> needed{failure_.stream};
    for (std::size_t i = failure_.stream + 1; i-- > 0;) {
      if (needed.count(i) != 0) needed.insert(best_.streams[i].reads.begin(), best_.streams[i].reads.end());
    }
    adopt(with_streams(needed));
  }

  /// Any of them may be what makes a statement fail.
  void drop_single_streams() {
    for (std::size_t i = best_.streams.size(); i-- > 0 && in_time();) {
      std::set<std::size_t> others;
      bool read = false;
      for (std::size_t j = 0; j < best_.streams.size(); ++j) {
        const auto& reads = best_.streams[j].reads;
        read = read || std::find(reads.begin(), reads.end(), i) != reads.end();
        if (j != i) others.insert(j);
      }
      if (!read) adopt(with_streams(others));
    }
  }

  [[nodiscard]] Scenario with_streams(const std::set<std::size_t>& needed) const {
    Scenario candidate = best_;
    candidate.streams.clear();
    std::vector<std::size_t> mapping(best_.streams.size());
    for (const std::size_t i : needed) {
      mapping[i] = candidate.streams.size();
      candidate.streams.push_back(best_.streams[i]);
      auto& reads = candidate.streams.back().reads;
      std::vector<std::size_t> still;
      for (const std::size_t other : reads) {
        // Its query may have become smaller.
        if (best_.streams[i].query.find(best_.streams[other].name) != std::string::npos)
          still.push_back(mapping[other]);
      }
      reads = still;
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
    return candidate;
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
