// Project: any expressions over one row. Rule: linear; delta = the expressions over the input's delta, weights
// unchanged. Different rows may become equal, so the result is not consolidated even if the input is.
// With set-returning functions in the list a row becomes none or several, still each for itself: linear as well; but no
// such expression may be dropped or moved, and a key of the input is none of the output.
#pragma once

#include "compiler/operators/operator.h"

namespace pgtrickle::compiler {

class Project final : public Operator {
 public:
  Project(OperatorPtr input, std::vector<Node> expressions, const std::vector<std::string>& names,
          bool returns_sets = false);

  [[nodiscard]] FromItem over(const FromItem& from, const std::vector<std::string>& carried) const override;
  [[nodiscard]] bool rowwise() const override { return true; }
  [[nodiscard]] int origin(int position) const override {
    int from = -1;
    return is_column(expressions_.at(static_cast<std::size_t>(position)), &from) ? from : -1;
  }
  [[nodiscard]] Node below(const Node& expr) const override;
  [[nodiscard]] OperatorPtr clone() const override { return std::make_unique<Project>(*this); }
  [[nodiscard]] FromItem post() const override { return over(inputs_[0]->post(), {}); }
  [[nodiscard]] Delta delta(Statement& statement, bool consolidate) const override;
  std::vector<int> prune(const std::set<int>& needed) override;
  bool absorb_filter(const Node& predicate) override;
  void resolve_types(TypeOracle& oracle) override;
  [[nodiscard]] std::vector<Key> keys() const override;
  [[nodiscard]] OperatorPtr superset(std::vector<int>& columns) const override;
  void advise_lookup(int column, std::vector<std::string>& advice) const override {
    int below = 0;
    if (is_column(expressions_.at(static_cast<std::size_t>(column)), &below)) inputs_[0]->advise_lookup(below, advice);
  }
  [[nodiscard]] bool indexed(int column) const override {
    const int below = origin(column);
    return below >= 0 && inputs_[0]->indexed(below);
  }
  [[nodiscard]] bool single_row() const override { return !returns_sets_ && inputs_[0]->single_row(); }
  [[nodiscard]] bool in_order(int column) const override {
    const int below = origin(column);
    return below >= 0 && inputs_[0]->in_order(below);
  }
  [[nodiscard]] std::optional<std::string> non_monotone() const override { return std::nullopt; }
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string cost_class() const override { return "O(delta)"; }

  [[nodiscard]] const std::vector<Node>& expressions() const { return expressions_; }

 private:
  void derive_columns(const std::vector<std::string>& names);
  [[nodiscard]] std::vector<std::string> select_list(const std::string& alias) const;

  std::vector<Node> expressions_;
  bool returns_sets_;
};

}  // namespace pgtrickle::compiler
