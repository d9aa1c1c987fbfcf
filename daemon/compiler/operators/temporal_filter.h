// Temporal filter: WHERE with a comparison of a row with the current time, "ts > now() - interval '1 day'". Its rows
// come and go with no change in the data.
//
// Rule: X = p(now) over T, n0 = now of the last refresh (pgt_frontiers.clock), n1 = now of this one, P = post T, D:
//   delta X = p(n0) over D  +  [p(n1) - p(n0)] over P         which is p(n1) P - p(n0) (P - D), whatever p is
// The second part reads only rows that may cross: those with their side of a comparison "row < f(now)" between f(n0)
// and f(n1), an index range. Each comparison in p has an arm of its own; an arm leaves out what an earlier one has.
// What is in a range is tested again with p, so a range may be too wide, and must not be too narrow. The naive version
// fails on:
//   - p(n1) over D: a row that is inserted when it has expired already is subtracted without having been added;
//   - a range [f(n0), f(n1)] as if time only grew. now() - '1 month' goes back at midnight of March 30th, local time in
//     autumn, and now() itself after a clock step: the range is from the smaller of both to the greater, p says the
//     sign;
//   - closed ranges: rows of "day >= current_date" at today's date would be read by every refresh. n0 = n1: no range;
//   - bounds compared as another type than the row: under a TimeZone, dates and timestamps without zone are not ordered
//     as the times that they stand for. A bound of a lesser type is cast to that of the row. A row without zone against
//     a bound with one: local times are off by less than two days, so the range is wider by these;
//   - NULL: never in p, never in a range. 'infinity' is a value like any other.
// now() is the start of the transaction that refreshes, so a stream table equals its query as that transaction would
// see it. One operator per conjunct: they stand over each other.
//
// The next crossing, until which a stream table counts as fresh and sleeps. Of a column with an index: the row next
// above f(n1), if f goes on as fast as time does. That f does so for the next hour is asked of f itself: days and
// months jump, forwards and back. Of anything else: not as long as f stays where it is, as current_date does until
// midnight.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

class TemporalFilter final : public Operator {
 public:
  /// `predicate` reads the clock (parse/clock.h). Throws Unsupported unless it does so only in comparisons of a row
  /// with the clock shifted, truncated or cast.
  TemporalFilter(OperatorPtr input, Node predicate);

  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<TemporalFilter>(*this); }
  [[nodiscard]] FromItem post() const override;
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  /// Rows of post, each with its weight, that come and go because time has passed since the last refresh (v.f_now).
  [[nodiscard]] Query crossing() const;
  /// A column `at`: no row crosses before that time, if nothing changes but the time. An hour ahead at most.
  [[nodiscard]] Query next_crossing() const;
  void number(const SourceNumbers& numbers) override;
  [[nodiscard]] std::uint64_t source_mask() const override;
  std::vector<int> prune(const std::set<int>& needed) override;
  bool absorb_filter(const Node& predicate) override;
  /// Goes to the one input of a join that it concerns.
  OperatorPtr push_down() override;
  void resolve_types(TypeOracle& oracle) override;
  [[nodiscard]] std::vector<Key> keys() const override { return inputs_[0]->keys(); }
  [[nodiscard]] std::optional<Origin> source_of(int column) const override { return inputs_[0]->source_of(column); }
  void index_advice(std::vector<std::string>& advice) const override;
  void advise_lookup(int column, std::vector<std::string>& advice) const override {
    inputs_[0]->advise_lookup(column, advice);
  }
  [[nodiscard]] bool indexed(int column) const override { return inputs_[0]->indexed(column); }
  [[nodiscard]] bool in_order(int column) const override { return inputs_[0]->in_order(column); }
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string cost_class() const override;

 private:
  /// row <op> time, as it would be written with the row on the left.
  struct Comparison {
    Node row;
    Node time;
    std::string op;
    bool wide = false;   // the row has no time zone, the time has one
    bool timed = false;  // both are points in time: timestamps with time zone
  };

  void find_comparisons(const Node& node);
  [[nodiscard]] std::string passes(const Node& predicate) const;
  /// The rows that may cross because of this comparison and of none before it, with the weight of their crossing.
  [[nodiscard]] Select arm(std::size_t number) const;
  [[nodiscard]] std::vector<std::string> range(const Comparison& comparison) const;
  [[nodiscard]] std::string next_crossing(const Comparison& comparison) const;

  Node predicate_;
  std::vector<Comparison> comparisons_;
  std::uint64_t time_mask_ = 0;
};

OperatorPtr make_temporal_filter(OperatorPtr input, Node predicate);

/// The time is a source, too, the last one of a program (SourceNumbers): its pending rows are the ones that cross.
constexpr std::uint32_t kTime = 0;  // no relation has this OID

/// The temporal filters of a tree.
std::vector<const TemporalFilter*> temporal_filters(const Operator& tree);

}  // namespace pgtrickle::compiler
